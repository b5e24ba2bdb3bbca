"""Snapshots in the binary formats of GADGET-1 and GADGET-2.

Formats: Springel (2005), "GADGET-2 users' guide", section 6.  Format 1 is a row of Fortran records
(header, positions, velocities, ids, masses, ...); format 2 puts a record with a four-letter name before
each.  Both are read in either byte order; what we write is format 2, little-endian.  Units of what we write:
kpc, km/s, 1e10 Msun, so that time is in kpc/(km/s) = 0.978 Gyr.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from galclass.errors import InputError
from galclass.files import atomic
from galclass.snapshot.cosmology import NOWHERE, SAMPLE, SAMPLES, Clues, judged
from galclass.snapshot.particles import Snapshot
from galclass.snapshot.units import Header, in_two_words

_HEADER_BYTES, _GADGET4_BYTES = 256, 192
_FIRST_BLOCKS = ("HEAD", "POS", "VEL", "ID")

#: Numbers converted at a time: few enough to stay in the processor's cache.
_STRETCH = 1 << 18


# ---------------------------------------------------------------------------------------------- reading


@dataclass(frozen=True)
class _File:
    """A file being read: its path for messages, its byte order, and whether its blocks have names."""

    path: Path
    stream: BinaryIO
    size: int
    order: str
    named: bool

    def bytes_at(self, at: int, count: int) -> bytes:
        self.stream.seek(at)
        return self.stream.read(count)

    def length_at(self, at: int) -> int:
        return struct.unpack(self.order + "I", self.bytes_at(at, 4))[0]


@dataclass(frozen=True)
class _Block:
    """Where the data of a block lie: offset, bytes present, bytes promised."""

    at: int
    found: int
    promised: int


def read_header(path: Path, stream: BinaryIO) -> Header:
    """Read what a GADGET binary file says about itself.

    Parameters
    ----------
    path : Path
        For messages.
    stream : file
        The file, opened for reading.

    Raises
    ------
    InputError
        If it is not GADGET, is cut short in its header, or its header holds no numbers.
    """
    return _header(_opened(path, stream))


def read_piece(path: Path, stream: BinaryIO, types: Sequence[int] | str | None = None) -> tuple[Header, Snapshot]:
    """Read a GADGET binary file of format 1 or 2, little- or big-endian, in its own units.

    Parameters
    ----------
    path : Path
        For messages.
    stream : file
        The file, opened for reading. Blocks may hold single or double precision and ids of 4 or 8 bytes; masses come
        from the header's table or the mass block; what comes after the last block that is needed is ignored. In format
        2 ids may be missing, then the particles are numbered.
    types : sequence of int, or "stars", optional
        Particle types to read; the others are passed over on the disk.

    Returns
    -------
    header : Header
    particles : Snapshot
        In the order of the file, numbers as written.

    Raises
    ------
    InputError
        If the file is not GADGET, is cut short, or its records do not fit its header.
    """
    file = _opened(path, stream)
    header = _header(file)
    return header, _particles(file, header, header.wanted(types))


def _opened(path: Path, stream: BinaryIO) -> _File:
    """The file with its byte order and kind, from the first record's length."""
    size = stream.seek(0, 2)
    stream.seek(0)
    start = stream.read(_HEADER_BYTES + 16)
    for order in "<>":
        first = int.from_bytes(start[:4], "little" if order == "<" else "big")
        if _has_wide_marks(start, order):
            raise InputError(
                f"{path}: GADGET binary with record markers of 64 bits; markers of 32 bits are read: compile its writer"
                " with those (gfortran's default), or give HDF5"
            )
        if first == _HEADER_BYTES or (first == 8 and start[4:8] == b"HEAD"):
            return _File(path, stream, size, order, first == 8)
        if first == _GADGET4_BYTES:
            raise InputError(_gadget4(path, first))
    raise InputError(
        f"{path}: not a GADGET snapshot: it begins with {start[:8]!r}, not with a record of 256 bytes (format 1)"
        " or the name HEAD (format 2), nor as HDF5; give a GADGET-1 or GADGET-2 binary file or HDF5"
    )


def _has_wide_marks(start: bytes, order: str) -> bool:
    """Whether lengths of records take 8 bytes: the header's, or that of its name in format 2."""
    if len(start) < 16:
        return False
    (first,) = struct.unpack_from(order + "Q", start)
    ends = len(start) == _HEADER_BYTES + 16 and start[:8] == start[-8:]  # of a header of 4-byte lengths, no length
    return first == 8 and start[8:12] == b"HEAD" or first == _HEADER_BYTES and ends


def _gadget4(path: Path, found: int) -> str:
    return (
        f"{path}: its header has {found} bytes, not {_HEADER_BYTES}: GADGET-4's own binary format or a damaged file;"
        " let GADGET-4 write HDF5 (SnapFormat 3)"
    )


def _records(file: _File) -> Iterator[tuple[str | None, _Block]]:
    """Yield (name or None, where) of each record, the cut one included."""
    at = 0
    while at + 4 <= file.size:
        name = None
        if file.named:
            if at + 16 > file.size:
                return
            name = file.bytes_at(at + 4, 4).decode("latin1").strip(" \0")
            at += 16
            if at + 4 > file.size:
                yield name, _Block(at, 0, -1)
                return
        promised = file.length_at(at)
        end = at + 4 + promised
        if end + 4 <= file.size and file.length_at(end) != promised:
            raise InputError(
                f"{file.path}: the record at byte {at} says {promised} bytes before it and another number after it;"
                " the file is damaged: fetch or write it again"
            )
        yield name, _Block(at + 4, max(0, min(promised, file.size - at - 4)), promised)
        at = end + 4


def _header(file: _File) -> Header:
    """Counts, masses, time, cosmology and number of pieces from the header record."""
    _, block = next(_records(file), (None, _Block(0, 0, _HEADER_BYTES)))
    if block.promised not in (_HEADER_BYTES, -1):
        raise InputError(_gadget4(file.path, block.promised))
    if block.found < _HEADER_BYTES:
        raise InputError(
            f"{file.path}: cut short: the header has {block.found} of {_HEADER_BYTES} bytes; fetch or write it again"
        )
    raw = file.bytes_at(block.at, _HEADER_BYTES)
    if len(raw) < _HEADER_BYTES:
        raise InputError(f"{file.path}: became shorter while it was read; fetch or write it again")
    return _understood(file, raw)


def _understood(file: _File, raw: bytes) -> Header:
    """What the 256 bytes of a header say."""
    time, redshift = struct.unpack_from(file.order + "2d", raw, 72)
    (files,) = struct.unpack_from(file.order + "i", raw, 124)
    box, omega_m, omega_lambda, h = struct.unpack_from(file.order + "4d", raw, 128)
    counts = struct.unpack_from(file.order + "6I", raw)
    low, high = (struct.unpack_from(file.order + "6I", raw, at) for at in (96, 168))
    # Old writers leave what follows the number of files as it was in memory: it only counts where it is sensible.
    sensible = all(map(math.isfinite, (box, omega_m, omega_lambda, h, redshift))) and 0 <= h < 10 and box >= 0
    total = in_two_words(low, high, files) if files > 1 else counts
    clues = Clues(time, redshift, omega_m, h, box, total)
    comoving, doubts = False, ()
    if sensible:
        comoving, doubts = judged(clues, _places(file, sum(counts)) if clues.today else NOWHERE)
    return Header(
        format=f"GADGET binary, format {2 if file.named else 1}, {'little' if file.order == '<' else 'big'}-endian",
        code="GADGET",
        counts=counts,
        total=total,
        files=max(files, 1),
        time=time,
        a=time if comoving else 1.0,
        h=h if comoving and h > 0 else 1.0,
        omega_m=omega_m if comoving else 0.0,
        omega_lambda=omega_lambda if comoving else 0.0,
        comoving=comoving,
        box=(box,) * 3 if sensible else (0.0, 0.0, 0.0),
        table=struct.unpack_from(file.order + "6d", raw, 24),
        doubts=doubts,
    )


def _places(file: _File, count: int) -> np.ndarray:
    """Where a sample of the particles lies, shape (n, 3); of none if that cannot be told."""
    block = _blocks(file, {"POS"}).get("POS", _Block(0, 0, 0)) if count else _Block(0, 0, 0)
    size, step = block.promised // max(3 * count, 1), count // SAMPLES + 1
    if size not in (4, 8) or block.found < block.promised:
        return NOWHERE
    kind = f"{file.order}f{size}"
    rows = [
        np.frombuffer(file.bytes_at(block.at + 3 * size * start, 3 * size * min(SAMPLE, count - start)), kind)
        for start in range(0, count, step)
    ]
    return np.concatenate(rows).reshape(-1, 3).astype(np.float64)


def _blocks(file: _File, needed: set[str]) -> dict[str, _Block]:
    """Map each block's name to where it lies; what follows the last that is needed is not looked at."""
    blocks: dict[str, _Block] = {}
    for index, (name, block) in enumerate(_records(file)):
        if name is None:
            # Format 1 has no names: the order is fixed, and masses come fourth after the header.
            name = _FIRST_BLOCKS[index] if index < 4 else "MASS" if index == 4 else f"extra {index}"
        blocks.setdefault(name, block)
        if needed <= blocks.keys():
            break
    return blocks


def _particles(file: _File, header: Header, wanted: Sequence[int]) -> Snapshot:
    """Put the blocks of a file together, for the types that are wanted."""
    listed = any(header.table[kind] == 0 and header.counts[kind] for kind in wanted)
    blocks = _blocks(file, {"POS", "VEL", "ID", "MASS"} if listed else {"POS", "VEL", "ID"})
    everything = tuple(range(6))
    positions = _array(file, header, blocks, "POS", everything, wanted, 3)
    velocities = _array(file, header, blocks, "VEL", everything, wanted, 3)
    if file.named and "ID" not in blocks:  # they may be left out
        ids = np.arange(1, len(positions) + 1)
    else:
        ids = _array(file, header, blocks, "ID", everything, wanted, 0)
    types = np.repeat(np.array(wanted, np.int8), [header.counts[kind] for kind in wanted])
    return Snapshot(positions, velocities, _masses(file, header, blocks, wanted), ids, types)


def _masses(file: _File, header: Header, blocks: dict[str, _Block], wanted: Sequence[int]) -> np.ndarray:
    """Masses from the header's table, and from the mass block for types whose table entry is 0."""
    listed = [kind for kind in range(6) if header.table[kind] == 0 and header.counts[kind]]
    asked = [kind for kind in wanted if kind in listed]
    each = _array(file, header, blocks, "MASS", listed, asked, 1) if asked else np.empty(0)
    ends = np.cumsum([header.counts[kind] for kind in asked])
    parts = dict(zip(asked, np.split(each, ends), strict=False))
    return np.concatenate(
        [np.empty(0), *(parts.get(kind, np.full(header.counts[kind], header.table[kind])) for kind in wanted)]
    )


def _array(
    file: _File,
    header: Header,
    blocks: dict[str, _Block],
    name: str,
    held: Sequence[int],
    wanted: Sequence[int],
    width: int,
) -> np.ndarray:
    """The numbers of a block for the types wanted, of all that it holds: `width` a particle, or 0 for whole ones."""
    across = max(width, 1)
    total = sum(header.counts[kind] for kind in held)
    block = blocks.get(name, _Block(0, 0, 0))
    _check(file, name, name in blocks, block, total * across)
    size = block.promised // (total * across) if total else 4
    rows = sum(header.counts[kind] for kind in wanted)
    values = np.empty(rows * across, np.float64 if width else np.int64)
    done, before = 0, 0
    for kind in held:
        count = header.counts[kind] * across
        if kind in wanted:
            part = values[done : done + count]
            _fill(file, name, block.at + before * size, f"{file.order}{'f' if width else 'u'}{size}", part)
            done += count
        before += count
    return values.reshape(rows, 3) if width == 3 else values


def _check(file: _File, name: str, there: bool, block: _Block, count: int) -> None:
    """Raise unless a block holds so many numbers of 4 or 8 bytes."""
    if block.promised not in (4 * count, 8 * count):
        if not there or block.promised < 0:
            raise InputError(
                f"{file.path}: cut short: block {name} has 0 of {4 * count} bytes; fetch or write it again"
            )
        raise InputError(
            f"{file.path}: block {name} says {block.promised} bytes; {count} numbers take {4 * count} or {8 * count}:"
            " the header or the block is damaged"
        )
    if block.found < block.promised:
        raise InputError(
            f"{file.path}: cut short: block {name} has {block.found} of {block.promised} bytes; fetch or write it again"
        )


def _fill(file: _File, name: str, at: int, kind: str, values: np.ndarray) -> None:
    """Fill an array with numbers of the file from the byte `at`."""
    kind = np.dtype(kind)
    file.stream.seek(at)
    buffer = np.empty(min(len(values), _STRETCH), kind)
    for start in range(0, len(values), _STRETCH):
        part = values[start : start + _STRETCH]
        if file.stream.readinto(buffer[: len(part)]) < part.size * kind.itemsize:
            raise InputError(f"{file.path}: became shorter while block {name} was read; fetch or write it again")
        with np.errstate(invalid="ignore"):  # a signalling NaN; `require_finite` says what is not finite
            part[:] = buffer[: len(part)]


def require_finite(path: Path, name: str, values: np.ndarray) -> None:
    """Raise `InputError` with how many rows of an array are not finite, unless all are."""
    with np.errstate(all="ignore"):
        if np.isfinite(values.sum(dtype=np.float64)):  # one number that is not finite makes the sum so, without a mask
            return
    bad = int(np.count_nonzero(~np.isfinite(values.reshape(len(values), -1)).all(axis=1)))
    if bad:
        raise InputError(
            f"{path}: {bad} of {len(values)} particles have {name} that are not finite (NaN or infinite);"
            " remove them or write the snapshot again"
        )


# ---------------------------------------------------------------------------------------------- writing


def write(path: Path | str, snapshot: Snapshot) -> None:
    """Write a GADGET-2 file of format 2: little-endian, single precision, blocks HEAD POS VEL ID MASS.

    Ids take 4 bytes, or 8 if there are some beyond 2^32.

    Parameters
    ----------
    path : path
        The file; it appears complete or not at all.
    snapshot : Snapshot
        The particles, in any order: the file has them sorted by type.

    Raises
    ------
    InputError
        If there are no particles, or a number is not finite in single precision.
    """
    path = Path(path)
    if len(snapshot) == 0:
        raise InputError(f"{path}: refuse to write a snapshot without particles; it needs at least one")
    snapshot = snapshot.sorted_by_type()
    whole = "<u4" if snapshot.ids.min() >= 0 and snapshot.ids.max() < 2**32 else "<u8"
    with np.errstate(over="ignore"):  # what is too large for single precision is said below
        blocks = {
            "POS": snapshot.positions.astype("<f4"),
            "VEL": snapshot.velocities.astype("<f4"),
            "ID": snapshot.ids.astype(whole),
            "MASS": snapshot.masses.astype("<f4"),
        }
    for name in ("POS", "VEL", "MASS"):
        require_finite(path, f"block {name} values", blocks[name])
    with atomic(path) as temporary:
        with open(temporary, "wb") as file:
            file.write(_record("HEAD", _header_bytes(snapshot)))
            for name, array in blocks.items():
                file.write(_record(name, array.tobytes()))


def _record(name: str, payload: bytes) -> bytes:
    """A named record of format 2: its name and the length of what follows, then the data between lengths."""
    length = struct.pack("<I", len(payload))
    label = struct.pack("<I4sII", 8, name.ljust(4).encode(), len(payload) + 8, 8)
    return label + length + payload + length


def _header_bytes(snapshot: Snapshot) -> bytes:
    """The 256 bytes of the header: all masses are in the mass block, one file, no cosmology."""
    counts = np.bincount(snapshot.types, minlength=6)
    header = struct.pack("<6I6d2d2i6I2i4d", *counts, *[0.0] * 6, snapshot.time, 0.0, 0, 0, *counts,
                         0, 1, 0.0, 0.0, 0.0, 1.0)  # fmt: skip
    return header.ljust(_HEADER_BYTES, b"\0")
