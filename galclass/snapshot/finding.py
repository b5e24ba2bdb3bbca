"""Which files are snapshots: files, folders, globs, archives, sets of pieces; and how each is opened."""

from __future__ import annotations

import contextlib
import functools
import glob
import gzip
import io
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from galclass.errors import InputError
from galclass.files import on_disk, require_file
from galclass.snapshot import archive

#: How GADGET files and HDF5 files are called besides snap*, and what is never a snapshot, whatever it is called.
SUFFIXES = (".dat", ".gad", ".gadget", ".g2")
_HDF5_SUFFIXES = (".hdf5", ".h5", ".hdf")
_OTHER_SUFFIXES = (
    ".partial", ".tmp", ".txt", ".csv", ".tsv", ".json", ".yaml", ".yml", ".nml", ".param", ".log", ".md", ".png",
    ".pdf", ".parquet", ".xml", ".py", ".out", ".ewah", ".kdtree", ".index",
)  # fmt: skip
_OTHER_NAMES = ("restart", "fof_", "groups_", "subhalo", "fof-", "subhalos_", "halos_", "tree")

HDF5_SIGNATURE, _GZIP_SIGNATURE = b"\x89HDF\r\n\x1a\n", b"\x1f\x8b"
_HEADER_LENGTHS = tuple((256).to_bytes(4, order) for order in ("little", "big"))

#: gzip makes nothing smaller than this share.
_MOST_GZIP = 1032

#: Pieces as codes number them, from 0 without zeros in front: NAME.0, NAME.1 or NAME.0.hdf5, NAME.1.hdf5.
_PIECE = re.compile(r"(?P<stem>.+)\.(?P<number>0|[1-9][0-9]*)(?P<end>(\.hdf5|\.h5|\.hdf)?(\.gz)?)$")
#: And as others do: NAME.000, NAME_0, NAME.0.dat. Snapshots of different times may be called so, too.
_NUMBERED = re.compile(
    r"(?P<stem>.+[._])(?P<number>[0-9]+)(?P<end>(\.hdf5|\.h5|\.hdf|\.dat|\.gad|\.gadget|\.g2)?(\.gz)?)$"
)


# ------------------------------------------------------------------------------------------- opening one


def opened(path: Path) -> BinaryIO:
    """Open a file, a member of an archive (ARCHIVE.tar/NAME), or either through gzip, for reading.

    Raises
    ------
    InputError
        If there is none, it is empty, or gzip finds it damaged.
    """
    if path.suffix == archive.SUFFIX:
        archive.members(path)  # says what is wrong with it, if anything
        raise InputError(f"{path}: is an archive; give ARCHIVE.tar/NAME for a snapshot in it")
    if archive.split(path):
        stream = io.BytesIO(archive.read_bytes(path))
    else:
        stream = open(require_file(path), "rb")
    start = stream.read(2)
    stream.seek(0)
    if not start:
        raise InputError(f"{path}: the file is empty (0 bytes); write it again or give another")
    return _unzipped(path, stream) if start == _GZIP_SIGNATURE else stream


def _unzipped(path: Path, stream: BinaryIO) -> BinaryIO:
    """The content of a gzip file, in memory, since formats are read back and forth."""
    with stream:
        most = _MOST_GZIP * stream.seek(0, 2)
        stream.seek(0)
        try:
            with gzip.GzipFile(fileobj=stream) as file:
                return io.BytesIO(file.read(most))
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(f"{path}: gzip finds it damaged ({error}); fetch or write it again") from error


def is_hdf5(stream: BinaryIO) -> bool:
    """Whether a file begins as HDF5 does, there or behind a block of the user's of 512, 1024, 2048 ... bytes."""
    size, at, found = stream.seek(0, 2), 0, False
    while at < size and not found:
        stream.seek(at)
        found, at = stream.read(len(HDF5_SIGNATURE)) == HDF5_SIGNATURE, max(2 * at, 512)
    stream.seek(0)
    return found


# ------------------------------------------------------------------------------------- pieces of one snapshot


def first_piece(path: Path) -> Path:
    """The file of a path, or the first of the pieces that share its name: NAME for NAME.0 or NAME.0.hdf5.

    Raises
    ------
    InputError
        If there is neither.
    """
    path = Path(path)
    if path.is_file() or archive.split(path):
        return path
    ends = ("", *_HDF5_SUFFIXES, *SUFFIXES)
    for name in (f"{path.name}{number}{end}" for number in (".0", ".000", "_0", "_000") for end in ends):
        if path.with_name(name).is_file():
            return path.with_name(name)
    return require_file(path)


def pieces(path: Path, count: int) -> list[Path]:
    """All pieces of a snapshot, in order, from any one of them.

    Parameters
    ----------
    path : Path
        One of them.
    count : int
        How many there are, as their headers say.

    Raises
    ------
    InputError
        If its name has no number, or one of the others is missing; it is named.
    """
    match = _NUMBERED.fullmatch(Path(path).name)
    if not match or int(match["number"]) >= count:
        raise InputError(
            f"{path}: is one of {count} pieces of a snapshot, but the name has no such number as"
            f" {Path(path).name}.0 has; name them so, or join them into one file first"
        )
    beside = {file.name: file for file in _beside(path)}
    # With zeros in front only where the first piece has them.
    widths = (1, len(match["number"]))
    width = next((width for width in widths if f"{match['stem']}{0:0{width}d}{match['end']}" in beside), 1)
    names = (f"{match['stem']}{number:0{width}d}{match['end']}" for number in range(count))
    missing = next((name for name in names if name not in beside), None)
    if missing:
        raise InputError(f"{path}: is one of {count} pieces of a snapshot; {missing} is missing beside it: fetch it")
    return [beside[f"{match['stem']}{number:0{width}d}{match['end']}"] for number in range(count)]


def has_other_pieces(path: Path) -> bool:
    """Whether there are files beside one that are called as its other pieces are by the codes."""
    match = _PIECE.fullmatch(Path(path).name)
    others = [_PIECE.fullmatch(other.name) for other in _beside(path) if other.name != path.name] if match else []
    return any(other and (other["stem"], other["end"]) == (match["stem"], match["end"]) for other in others)


def stem(path: Path) -> str:
    """The name of a snapshot without what only says how it is stored: .gz, .hdf5, .dat, the number of a piece."""
    name = Path(path).name.removesuffix(".gz")
    match = _PIECE.fullmatch(name)
    if match and match["end"]:
        return match["stem"]
    return next((name.removesuffix(end) for end in (*SUFFIXES, *_HDF5_SUFFIXES) if name.endswith(end)), name)


def _beside(path: Path) -> list[Path]:
    """The files in the folder, or the archive, where a path lies."""
    inside = archive.split(path)
    return archive.members(inside[0]) if inside else list(Path(path).parent.iterdir())


# ------------------------------------------------------------------------------------------- finding many


def find(inputs: Sequence[Path | str]) -> list[Path]:
    """The snapshots that inputs stand for, each to be read by its path.

    Parameters
    ----------
    inputs : sequence of paths
        Files, which are taken as they are; folders, for the snapshots in them, in their archives (.tar) and in their
        folders snapdir_*, but in no other folder below; archives, for the snapshots in them; patterns with * ? [ ].

    Returns
    -------
    list of Path
        In the order of the inputs, and for each by name, where snap_10 comes after snap_9. Of a snapshot in pieces the
        first piece, once. A snapshot in an archive is ARCHIVE.tar/NAME.

    Raises
    ------
    InputError
        If nothing was given, an input does not exist, or there is no snapshot in a folder, archive or pattern.
    """
    found = [file for path in inputs for file in _expanded(Path(path))]
    if not found:
        raise InputError("no snapshot given; name at least one snapshot file or a folder of them")
    return once(found)


def _expanded(path: Path) -> list[Path]:
    """What one input stands for."""
    if path.is_dir():
        return _required(path, _in_folder(path), "in this folder")
    if path.suffix == archive.SUFFIX and path.is_file():
        return _required(path, _kept(archive.members(path)), "in this archive")
    if path.is_file() or archive.split(path):
        return [path]
    if glob.has_magic(str(path)):
        matches = sorted(map(Path, glob.glob(str(path))), key=natural)
        folders = [file for match in matches if match.is_dir() for file in _in_folder(match)]
        return _required(path, _kept([match for match in matches if not match.is_dir()]) + folders, "matches")
    return [first_piece(path)]


def _required(path: Path, files: list[Path], where: str) -> list[Path]:
    if not files:
        kinds = ", ".join(f"*{suffix}" for suffix in (*SUFFIXES, *_HDF5_SUFFIXES))
        raise InputError(f"{path}: no snapshot {where}; allowed are snap* and {kinds}, or name the files")
    return files


def _in_folder(folder: Path) -> list[Path]:
    """The snapshots of a folder, of its archives, and of its folders for snapshots in pieces."""
    found: list[Path] = []
    for path in sorted(folder.iterdir(), key=natural):
        if path.is_dir():
            found += _in_folder(path) if path.name.startswith("snapdir_") else []
        elif path.suffix == archive.SUFFIX and not path.name.startswith("."):
            found += _in_archive(path)
        else:
            found += _kept([path])
    return found


def _in_archive(path: Path) -> list[Path]:
    """The snapshots of an archive in a folder; itself where it cannot be read, to be named."""
    try:
        return _kept(archive.members(path))
    except InputError:
        return [path]


def _kept(paths: list[Path]) -> list[Path]:
    return [path for path in sorted(paths, key=natural) if _looks_like_snapshot(path)]


def natural(path: Path) -> list[tuple[int, int, str]]:
    """A key that sorts names with their numbers by value: snap_9 before snap_10."""
    parts = re.split(r"([0-9]+)", str(path))
    return [(1, int(part), part) if part.isdecimal() else (0, 0, part) for part in parts]


def _looks_like_snapshot(path: Path) -> bool:
    """By its name; where that says nothing, by how the file begins, so that a damaged one is not passed over."""
    name = path.name.lower()
    plain = name.removesuffix(".gz")
    if name.startswith((".", *_OTHER_NAMES)) or plain.endswith(_OTHER_SUFFIXES):
        return False
    if plain.startswith("snap") or plain.endswith(SUFFIXES):
        return True
    try:
        about = on_disk(path).stat()
    except OSError:  # a link that leads nowhere
        return False
    return _begins_like_one(path, (about.st_size, about.st_mtime_ns))


@functools.lru_cache(maxsize=100_000)  # folders that are watched are looked through again and again
def _begins_like_one(path: Path, stamp: tuple[int, int]) -> bool:
    """Whether a file begins as GADGET's do, or is HDF5 with particles; what should be HDF5 and is damaged counts."""
    from galclass.snapshot import hdf5

    named_hdf5 = path.name.lower().removesuffix(".gz").endswith(_HDF5_SUFFIXES)
    try:
        with opened(path) as stream:
            if is_hdf5(stream):
                return hdf5.has_particles(path)
            start = stream.read(8)
    except (InputError, OSError):
        return named_hdf5
    return named_hdf5 or start[:4] in _HEADER_LENGTHS or start[4:8] == b"HEAD"


def once(paths: Sequence[Path]) -> list[Path]:
    """The same files, but of a snapshot in pieces only the first that is there, or the virtual file of them all."""
    found: list[Path] = []
    held = _held_by_others(paths)
    whole: dict[tuple, bool | None] = {}  # of a row of numbered names: whether each is a snapshot of its own
    for path in paths:
        row = _row(path)
        if path.absolute() in held:
            continue
        if row in whole and whole[row] is None:
            whole[row] = not _in_pieces(path)
        if row is None or whole.setdefault(row, None) is not False:
            found.append(path)
    return found


def _row(path: Path) -> tuple | None:
    """What numbered names have in common; None of a name without a number."""
    match = _NUMBERED.fullmatch(path.name)
    return (path.parent, match["stem"], match["end"]) if match else None


def _held_by_others(paths: Sequence[Path]) -> set[Path]:
    """Those pieces NAME.0.hdf5 ... whose numbers the virtual file NAME.hdf5 beside them holds, too."""
    from galclass.snapshot import hdf5

    rows, found = {_row(path) for path in paths}, set()
    for path in paths:
        if (path.parent, f"{path.stem}.", path.suffix) in rows and path.suffix in _HDF5_SUFFIXES:
            with contextlib.suppress(InputError, OSError):
                found.update(hdf5.sources(path))
    return found


def _in_pieces(path: Path) -> bool:
    """Whether the header of a file says that it is one of several; not where it cannot be read."""
    from galclass import snapshot

    try:
        return snapshot.header(path).files > 1
    except (InputError, OSError):
        return False
