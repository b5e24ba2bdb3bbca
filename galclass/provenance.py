"""Where a result came from: inputs, code, settings, seed and versions, and the digests that stand for them."""

import hashlib
import importlib.metadata
import platform
from collections.abc import Iterable
from pathlib import Path

from galclass import __version__, sources
from galclass.config import ROOT

_LIBRARIES = ("numpy", "scipy", "h5py", "keras", "tensorflow-cpu", "opencv-python-headless", "scikit-learn")


def record(stage: str, inputs: Iterable[Path], settings: dict, seed: int | None = None) -> dict:
    """What a product of `stage` was made from, ready for JSON.

    Parameters
    ----------
    stage : str
        Name of the stage, also that of its module.
    inputs : paths
        The files it read; each is given by its SHA-256.
    settings : dict
        The section of the configuration it used.
    seed : int, optional
        Seed of its random numbers.
    """
    return {
        "stage": stage,
        "galclass": __version__,
        "code": code_digest(stage),
        "inputs": {str(path): file_digest(path) for path in inputs},
        "settings": settings,
        "seed": seed,
        "python": platform.python_version(),
        "libraries": {name: importlib.metadata.version(name) for name in _LIBRARIES},
    }


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
