"""Files are written whole or not at all, and asked for by name before they are opened."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from galclass.errors import InputError


@contextlib.contextmanager
def atomic(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` if the block succeeds, else remove it.

    The temporary name keeps the suffixes of `path`, since many writers choose their format by them, and
    carries the process number, so that two writers never share one file.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path | str, text: str) -> None:
    """Write `text` to `path` in UTF-8, whole or not at all."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def require_file(path: Path | str) -> Path:
    """Return `path` if it is a file with something in it, else raise `InputError`."""
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: this is a folder; give the path of a file")
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the path of an existing file")
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty (0 bytes); write it again or give another")
    return path


def require_suffix(path: Path | str, *allowed: str) -> Path:
    """Return `path` if its name ends as a file of that kind should, else raise `InputError` before any work."""
    path = Path(path)
    if path.is_dir() or not path.name.lower().endswith(allowed):
        raise InputError(f"{path}: this output is a file that ends in {' or '.join(allowed)}; name it so")
    return path
