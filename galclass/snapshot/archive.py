"""All snapshots of a run as one file: a plain tar, so that thousands of runs are thousands of files, not millions.

A snapshot in an archive has the path ARCHIVE.tar/NAME. `tar xf ARCHIVE.tar` gives the files back.
"""

import tarfile
from collections.abc import Sequence
from pathlib import Path

from galclass.errors import InputError
from galclass.files import atomic, on_disk, require_file

SUFFIX = ".tar"


def write(path: Path, files: Sequence[Path]) -> None:
    """Put files into an archive under their own names, in the order given; the same files give the same bytes.

    Parameters
    ----------
    path : path
        The archive (.tar); it appears complete or not at all.
    files : paths
        What goes into it; two of one name are refused.
    """
    names = [file.name for file in files]
    if len(set(names)) < len(names):
        raise InputError(f"{path}: two files of one name; an archive holds each name once")
    with atomic(path) as temporary, tarfile.open(temporary, "w:", format=tarfile.USTAR_FORMAT) as archive:
        for file in files:
            # Neither owner nor date, which differ from one machine and one run to the next.
            entry = tarfile.TarInfo(file.name)
            entry.size = file.stat().st_size
            with open(file, "rb") as content:
                archive.addfile(entry, content)


def members(path: Path) -> list[Path]:
    """The paths of the files in an archive, in its order.

    Raises
    ------
    InputError
        The file is missing or is no whole archive.
    """
    with _opened(Path(path)) as archive:
        return [Path(path) / name for name in archive.getnames()]


def split(path: Path) -> tuple[Path, str] | None:
    """The archive and the name of a file in it; None for a path that lies in no archive."""
    path = Path(path)
    return (path.parent, path.name) if path.parent.suffix == SUFFIX and path.parent.is_file() else None


def holding(paths: Sequence[Path]) -> list[Path]:
    """The files on disk that hold snapshots, each once, in their order; what is missing is left out."""
    return [file for file in dict.fromkeys(map(on_disk, paths)) if file.is_file()]


def read_bytes(path: Path) -> bytes:
    """The bytes of a file in an archive, ARCHIVE.tar/NAME."""
    inside = split(path)
    if inside is None:
        raise InputError(f"{path}: lies in no archive; give ARCHIVE.tar/NAME")
    with _opened(inside[0]) as archive:
        try:
            return archive.extractfile(inside[1]).read()
        except KeyError:
            held = ", ".join(archive.getnames()[:3])
            raise InputError(f"{path}: no such file in the archive, which holds {held} ...") from None
        except tarfile.TarError as error:
            raise InputError(f"{inside[0]}: cut short ({error}); fetch or write it again") from error


def _opened(path: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(require_file(path), "r:")
    except (tarfile.TarError, OSError) as error:
        raise InputError(f"{path}: no readable tar archive ({error}); write it again or give the snapshots") from error
