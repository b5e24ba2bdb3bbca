"""Files are written whole or not at all, and asked for by name before they are opened."""

import contextlib
import errno
import fcntl
import functools
import hashlib
import json
import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from galclass.errors import GalclassError, InputError

#: What the system says of a full disk, a quota that is used up, and a file longer than files may be.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
#: Names of temporary files: number of the process, name of the machine, and the name of the file to be.
_TEMPORARY = re.compile(r"\.(\d+)@([^.]*)\..+")
_HERE = platform.node().replace(".", "_")
#: A file that a process on another machine has not touched for so long [s] is of a process that is gone.
_ABANDONED_S = 86400.0


@contextlib.contextmanager
def atomic(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` if the block succeeds, else remove it.

    The temporary name keeps the suffixes of `path`, since many writers choose their format by them, and
    carries the process and the machine, so that two writers never share one file. What killed processes have left in
    the folder is removed. The file is on the disk before it has its name, so that no crash leaves half of one.

    Raises
    ------
    GalclassError
        The disk is full.
    """
    path = Path(path)
    temporary = path.with_name(f".{os.getpid()}@{_HERE}.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _clear_temporaries(path.parent.absolute())
        yield temporary
        _sync(temporary)
        temporary.replace(path)
        with contextlib.suppress(OSError):  # the name, too, where folders can be synced
            _sync(path.parent)
    except Exception as error:
        if is_full(error):
            raise GalclassError(_how_full(path, temporary)) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path | str, text: str) -> None:
    """Write `text` to `path` in UTF-8, whole or not at all."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk, where the file system can tell."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):
            raise
    finally:
        os.close(descriptor)


# What killed processes leave ---------------------------------------------------------------------------------


@functools.cache
def _clear_temporaries(folder: Path) -> None:
    """Remove the temporary files of processes that are gone; once a folder, since a large one takes long to list."""
    with os.scandir(folder) as entries:
        left = [entry for entry in entries if entry.name.startswith(".")]
    for entry in left:
        with contextlib.suppress(OSError):
            if _is_abandoned(entry):
                os.unlink(entry)


def _is_abandoned(entry: os.DirEntry) -> bool:
    """Whether a file is the temporary file of a process that is gone."""
    found = _TEMPORARY.fullmatch(entry.name)
    if found is None:
        return False
    if found.group(2) == _HERE:
        return not is_alive(int(found.group(1)))
    return time.time() - entry.stat().st_mtime > _ABANDONED_S


def is_alive(process: int) -> bool:
    """Whether there is a process of this number here."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # another user's
    return True


# A full disk -------------------------------------------------------------------------------------------------


def is_full(error: BaseException) -> bool:
    """Whether an error of any library comes from a disk without space."""
    if any(getattr(error, "errno", None) == number or os.strerror(number) in str(error) for number in _FULL):
        return True
    return re.fullmatch(r"\d+ requested and \d+ written", str(error)) is not None  # all that NumPy says


def _how_full(path: Path, temporary: Path) -> str:
    """What to say of a file that found no space."""
    written = temporary.stat().st_size if temporary.exists() else 0
    free = shutil.disk_usage(next(folder for folder in path.absolute().parents if folder.exists())).free
    return (
        f"{path}: no space left for it ({written / 1e6:.1f} MB of it were written, {free / 1e6:.1f} MB are free "
        "on its disk; or a quota is used up); make room, then give the same command again"
    )


# One at a time -----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def alone(lock: Path) -> Iterator[int]:
    """Wait until no other process has the file `lock`; have it while the block runs, and remove it.

    Yields its descriptor: a program that inherits it has the lock, too. A process that is killed has it no more. Where
    the file system knows no locks, nobody waits.
    """
    with _locked(lock) as stream:
        try:
            yield stream.fileno()
        finally:
            lock.unlink(missing_ok=True)


def _locked(lock: Path) -> IO:
    """The lock file, open and ours."""
    while True:  # until it is not one that its owner has just removed
        with contextlib.suppress(FileNotFoundError), contextlib.ExitStack() as closing:
            lock.parent.mkdir(parents=True, exist_ok=True)
            stream = closing.enter_context(open(lock, "w"))
            _wait_for(stream, lock)
            if os.path.samestat(os.fstat(stream.fileno()), lock.stat()):
                closing.pop_all()
                return stream


def _wait_for(stream: IO, lock: Path) -> None:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"{lock.parent}: another process is at work here; waiting for it to end", file=sys.stderr, flush=True)
        fcntl.flock(stream, fcntl.LOCK_EX)
    except OSError:
        pass  # a file system without locks


# Finished pieces ---------------------------------------------------------------------------------------------


class Pieces:
    """Where finished pieces of a product lie or are to lie; called with the name of one, it gives its path.

    Attributes
    ----------
    wanted_again : set it if the pieces shall outlive the product, since the same work will be asked for again
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.wanted_again = False

    def __call__(self, name: str) -> Path:
        return self._folder / name


@contextlib.contextmanager
def pieces(target: Path, record: dict) -> Iterator[Pieces]:
    """A hidden folder beside a product for finished pieces of it, so that work that was killed goes on where it was.

    A piece counts only for the very same work: the folder's name is a digest of the record of provenance, that is of
    the inputs, the code, the settings and the versions. Pieces of other work are removed, and all when the block
    succeeds, once the product is written. Only one process at a time is at work on a product: others wait, such as
    the command given again while one that a killed driver has left behind is still at it.

    Parameters
    ----------
    target : path
        The product, a file or a folder.
    record : dict
        Provenance of the product.

    Yields
    ------
    Pieces
        From the name of a piece to where it lies or is to lie.
    """
    key = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
    root = target.with_name(f".{target.stem}.pieces")
    try:
        with alone(root / "lock"):
            _remove_folders(root, but=key)
            place = Pieces(root / key)
            yield place
            _remove_folders(root, but=key if place.wanted_again else "")
    finally:
        with contextlib.suppress(OSError):  # it holds pieces, or the next process is at work already
            root.rmdir()


def _remove_folders(root: Path, but: str = "") -> None:
    for folder in root.iterdir():
        if folder.is_dir() and folder.name != but:
            shutil.rmtree(folder, ignore_errors=True)


# Asked for by name -------------------------------------------------------------------------------------------


def on_disk(path: Path | str) -> Path:
    """The file on disk: `path` itself, or the archive whose member it is (``snapshots.tar/snapshot_000.dat``)."""
    path = Path(path)
    return path.parent if path.parent.is_file() else path


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


def require_folder(path: Path | str) -> Path:
    """Return `path` if it is a folder, or can become one, else raise `InputError` before any work."""
    path = Path(path)
    nearest = next(folder for folder in (path.absolute(), *path.absolute().parents) if os.path.lexists(folder))
    if not nearest.is_dir():
        raise InputError(f"{path}: {nearest} is a file; name a folder for what is written")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise InputError(f"{path}: nothing can be written in {nearest}; name another folder")
    return path


def require_suffix(path: Path | str, *allowed: str) -> Path:
    """Return `path` if its name ends as a file of that kind should, else raise `InputError` before any work."""
    path = Path(path)
    if path.is_dir() or not path.name.lower().endswith(allowed):
        raise InputError(f"{path}: this output is a file that ends in {' or '.join(allowed)}; name it so")
    return path
