"""What is installed, what is missing and how to get it: `galclass doctor`."""

import importlib.metadata
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from galclass import __version__
from galclass.compile import COMPILER_ADVICE, compiler
from galclass.errors import GalclassError

_OPENMP_PROGRAM = """
program threads
  use omp_lib, only: omp_get_max_threads
  print '(i0)', omp_get_max_threads()
end program threads
"""

#: One finding: whether it is well, what was looked at, what was found or what to do.
Finding = tuple[bool, str, str]


def run() -> bool:
    """Print every finding, one a line; return whether all is well."""
    findings = list(examine())
    for well, subject, text in findings:
        print(f"{'ok     ' if well else 'MISSING'}  {subject:<28} {text}")
    return all(well for well, _, _ in findings)


def examine() -> Iterator[Finding]:
    """Look at Python, the compiler, OpenMP, the compiled kernels, the libraries and the cores."""
    yield True, "galclass", __version__
    yield sys.version_info >= (3, 11), "python", f"{platform.python_version()} (3.11 or newer is needed)"
    yield _compiler()
    yield _openmp()
    yield _kernels()
    yield from _libraries()
    yield True, "cores", str(os.cpu_count())


def _compiler() -> Finding:
    path = compiler()
    if path is None:
        return False, "Fortran compiler", COMPILER_ADVICE
    version = subprocess.run([path, "--version"], capture_output=True, text=True).stdout
    return True, "Fortran compiler", f"{path}: {version.splitlines()[0] if version else 'version unknown'}"


def _openmp() -> Finding:
    """Build and run a program of two lines that asks OpenMP for its threads."""
    path = compiler()
    if path is None:
        return False, "OpenMP", "needs the Fortran compiler"
    with tempfile.TemporaryDirectory() as folder:
        source, program = Path(folder, "threads.f90"), Path(folder, "threads")
        source.write_text(_OPENMP_PROGRAM)
        built = subprocess.run([path, "-fopenmp", source, "-o", program], cwd=folder, capture_output=True, text=True)
        if built.returncode != 0:
            return False, "OpenMP", "the compiler does not build with -fopenmp; install libgomp (Debian: gcc)"
        return True, "OpenMP", f"{subprocess.run([program], capture_output=True, text=True).stdout.strip()} threads"


def _kernels() -> Finding:
    try:
        from galclass import kernels

        return True, "compiled kernels", f"built from the present sources ({kernels.source_digest()[:12]})"
    except (GalclassError, ImportError) as error:
        return False, "compiled kernels", f"{error}; run `make setup`"


def _libraries() -> Iterator[Finding]:
    """The run-time requirements of the package with their installed versions."""
    for requirement in importlib.metadata.requires("galclass") or []:
        name = re.match(r"[A-Za-z0-9._-]+", requirement).group()
        try:
            yield True, name, importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield False, name, f"install it: pip install {name}, or run `make setup`"
