"""Building the Fortran programs on the machine that will run them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from galclass.config import ROOT
from galclass.errors import ProgramError
from galclass.files import atomic

#: The programs under fortran/app.
PROGRAMS = ("merger", "shape")

#: How to get a compiler, said wherever one is missing.
COMPILER_ADVICE = (
    "no Fortran compiler found; install one (Debian: apt-get install gfortran; cluster: module load gcc;"
    " conda: conda install -c conda-forge gfortran) or name yours in FC"
)


def compiler() -> str | None:
    """Path of the Fortran compiler: the one that FC names, else gfortran; None when there is none."""
    return shutil.which(os.environ.get("FC", "gfortran"))


def run(program: str, output: Path) -> None:
    """Build `merger` or `shape` with this machine's native instructions and put it at `output`.

    Raises
    ------
    ProgramError
        There is no compiler, or the build failed.
    """
    if compiler() is None:
        raise ProgramError(COMPILER_ADVICE)
    build = output.parent / "build" / program
    _cmake("-S", str(ROOT), "-B", str(build), "-DGALCLASS_PROGRAMS=ON", "-DCMAKE_BUILD_TYPE=Release")
    _cmake("--build", str(build), "--target", program)
    with atomic(output) as temporary:
        shutil.copy2(build / "bin" / program, temporary)


def _cmake(*arguments: str) -> None:
    """Run the CMake that is installed beside this Python, else the one on the path."""
    beside = Path(sys.executable).with_name("cmake")
    command = str(beside) if beside.is_file() else shutil.which("cmake")
    if command is None:
        raise ProgramError("cmake is missing; run `make setup`, which installs it")
    if subprocess.run([command, *arguments]).returncode != 0:
        raise ProgramError(f"cmake {' '.join(arguments)} failed; the compiler's message stands above")
