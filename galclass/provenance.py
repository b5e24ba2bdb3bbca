"""Where a result came from: inputs, code, settings, seed and versions, and the digests that stand for them."""

import functools
import hashlib
import importlib.metadata
import importlib.util
import platform
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from galclass import __version__, sources
from galclass.config import ROOT
from galclass.files import on_disk

_LIBRARIES = ("numpy", "scipy", "h5py", "pandas", "pyarrow", "astropy", "matplotlib", "photutils", "keras",
              "tensorflow-cpu", "opencv-python-headless", "scikit-learn")  # fmt: skip
#: What a compiler of the GNU family leaves in what it makes.
_COMPILER = re.compile(rb"GCC: \([^)\0]*\) [0-9.]+")


def record(stage: str, inputs: Iterable[Path], settings: dict, seed: int | None = None) -> dict:
    """What a product of `stage` was made from, ready for JSON.

    The same inputs, code, settings and versions give the same record: it has no date, no name of a machine, and no
    commit (the digest of the code changes when the code does, and not with an edit elsewhere). The number of threads is
    not in it, since results do not depend on it.

    Parameters
    ----------
    stage : str
        Name of the stage, also that of its module.
    inputs : paths
        The files it read; each is given by its SHA-256. A member of an archive stands for the archive.
    settings : dict
        The section of the configuration it used.
    seed : int, optional
        Seed of its random numbers.
    """
    return {
        "stage": stage,
        "galclass": __version__,
        "code": code_digest(stage),
        "inputs": {_named(path): file_digest(path) for path in dict.fromkeys(map(on_disk, inputs))},
        "settings": settings,
        "seed": seed,
        "python": platform.python_version(),
        "libraries": {name: importlib.metadata.version(name) for name in _LIBRARIES},
        "compiler": _kernels_compiler(),
    }


def compiler_of(program: Path) -> str:
    """The compiler that made a program or an extension, as it says itself; "unknown" where it does not."""
    found = _COMPILER.search(Path(program).read_bytes())
    return found.group().decode("ascii", "replace") if found else "unknown"


@functools.cache
def _kernels_compiler() -> str:
    """The compiler of the Fortran that Python calls."""
    extension = importlib.util.find_spec("galclass._kernels")
    return compiler_of(Path(extension.origin)) if extension and extension.origin else "unknown"


def _named(path: Path) -> str:
    """A path as it is recorded: from the folder of the work, or of the project, so that these may lie anywhere."""
    for folder in (Path.cwd(), ROOT):
        if path.is_absolute() and path.is_relative_to(folder):
            return str(path.relative_to(folder))
    return str(path)


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def group_digest(files: Sequence[Path], digest: Callable[[Path], str] = file_digest) -> str:
    """One SHA-256 for many files of a folder: of the lines that ``sha256sum *`` prints of them there."""
    lines = "".join(f"{digest(file)}  {file.name}\n" for file in files)
    return hashlib.sha256(lines.encode()).hexdigest()


def code_digest(stage: str, root: Path = ROOT) -> str:
    """Digest of the code of a stage: its module and all it imports of galclass, and the Fortran behind it.

    Comments, docstrings and layout do not count, so editing them reruns nothing.
    """
    modules = sources.python_closure(f"galclass.{stage}", root)
    parts = [sources.digest(modules, sources.strip_python)]
    if root / "galclass" / "kernels.py" in modules:
        parts.append(fortran_digest("kernels", root))
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()


def fortran_digest(program: str, root: Path = ROOT) -> str:
    """Digest of a Fortran program (`merger`, `shape`) or of the `kernels` that Python calls."""
    folder = "bindings" if program == "kernels" else "app"
    entry = root / "fortran" / folder / f"{program}.f90"
    return sources.digest(sources.fortran_closure(entry, root), sources.strip_fortran)
