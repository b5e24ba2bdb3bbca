"""Building the Fortran programs on the machine that will run them."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from galclass import provenance
from galclass.config import ROOT
from galclass.errors import ProgramError
from galclass.files import atomic, write_text

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

    Beside it OUTPUT.json says from what: the digest of the Fortran, and the compiler.

    Raises
    ------
    ProgramError
        There is no compiler, or the build failed.
    """
    if compiler() is None:
        raise ProgramError(COMPILER_ADVICE)
    # A folder of its own: what a killed compiler left half would pass for finished in the next build.
    with tempfile.TemporaryDirectory(prefix="galclass_") as build:
        _cmake("-S", str(ROOT), "-B", build, "-DGALCLASS_PROGRAMS=ON", "-DCMAKE_BUILD_TYPE=Release")
        _cmake("--build", build, "--target", program)
        with atomic(output) as temporary:
            shutil.copy2(Path(build) / "bin" / program, temporary)
    record = provenance.record("compile", [], {"program": program})
    built = {"fortran": provenance.fortran_digest(program), "compiler": provenance.compiler_of(output)}
    write_text(output.with_suffix(".json"), json.dumps(record | built, indent=1) + "\n")


def _cmake(*arguments: str) -> None:
    """Run the CMake that is installed beside this Python, else the one on the path."""
    beside = Path(sys.executable).with_name("cmake")
    command = str(beside) if beside.is_file() else shutil.which("cmake")
    if command is None:
        raise ProgramError("cmake is missing; run `make setup`, which installs it")
    if subprocess.run([command, *arguments]).returncode != 0:
        raise ProgramError(f"cmake {' '.join(arguments)} failed; the compiler's message stands above")
