"""Particles of one moment of a simulation, and the GADGET binary files that hold them.

Formats: Springel (2005), "GADGET-2 users' guide", section 6.  Format 1 is a row of Fortran records
(header, positions, velocities, ids, masses, ...); format 2 puts a record with a four-letter name before
each.  Both are read in either byte order; what we write is format 2, little-endian.  Units throughout:
kpc, km/s, 1e10 Msun, so that time is in kpc/(km/s) = 0.978 Gyr.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from galclass.errors import InputError
from galclass.files import atomic, require_file

TYPES = {"gas": 0, "halo": 1, "disc": 2, "bulge": 3, "stars": 4}
STAR_TYPES = (2, 3, 4)

_HEADER_BYTES = 256
_FIRST_BLOCKS = ("HEAD", "POS", "VEL", "ID")


@dataclass(frozen=True)
class Snapshot:
    """Particles at one time.

    Attributes
    ----------
    positions : ndarray, shape (n, 3), float64
        Positions [kpc].
    velocities : ndarray, shape (n, 3), float64
        Velocities [km/s].
    masses : ndarray, shape (n,), float64
        Masses [1e10 Msun].
    ids : ndarray, shape (n,), int64
        A number for each particle that it keeps from snapshot to snapshot.
    types : ndarray, shape (n,), int8
        GADGET particle types, see ``TYPES``.
    time : float
        Time [kpc/(km/s)].
    """

    positions: np.ndarray
    velocities: np.ndarray
    masses: np.ndarray
    ids: np.ndarray
    types: np.ndarray
    time: float = 0.0

    def __len__(self) -> int:
        return len(self.masses)

    def _where(self, mask: np.ndarray) -> Snapshot:
        arrays = (self.positions, self.velocities, self.masses, self.ids, self.types)
        return Snapshot(*(array[mask] for array in arrays), self.time)

    def select(self, types: Sequence[int]) -> Snapshot:
        """Return only the particles of the given GADGET types, in their order."""
        return self._where(np.isin(self.types, list(types)))

    def sorted_by_type(self) -> Snapshot:
        """Return the same particles ordered by type, as GADGET files need them (ties keep their order)."""
        return self._where(np.argsort(self.types, kind="stable"))


def join(parts: Sequence[Snapshot]) -> Snapshot:
    """Put several snapshots of one time into one, in the order given."""
    names = ("positions", "velocities", "masses", "ids", "types")
    arrays = (np.concatenate([getattr(part, name) for part in parts]) for name in names)
    return Snapshot(*arrays, parts[0].time)


def centre(positions: np.ndarray, masses: np.ndarray) -> np.ndarray:
    """Find the densest centre by the shrinking-sphere method of Power et al. (2003, MNRAS 338, 14).

    Parameters
    ----------
    positions : ndarray, shape (n, 3)
        Positions [kpc].
    masses : ndarray, shape (n,)
        Masses, any unit.

    Returns
    -------
    ndarray, shape (3,)
        The centre [kpc]: the mean of the innermost particles (1 % of them, at least 50 or all).
    """
    keep, enough = np.arange(len(masses)), max(50, len(masses) // 100)
    middle = np.average(positions, axis=0, weights=masses)
    while len(keep) > enough:
        distance = np.linalg.norm(positions[keep] - middle, axis=1)
        # Dropping the outer tenth by number shrinks the sphere whatever the profile.
        keep = keep[np.argsort(distance, kind="stable")[: max(enough, len(keep) * 9 // 10)]]
        middle = np.average(positions[keep], axis=0, weights=masses[keep])
    return middle


# ---------------------------------------------------------------------------------------------- reading


def read(path: Path | str) -> Snapshot:
    """Read a GADGET binary snapshot of format 1 or 2, little- or big-endian.

    Parameters
    ----------
    path : path
        The file.  Blocks may hold single or double precision and ids of 4 or 8 bytes; masses come from the
        header's table or the mass block; blocks after the masses are ignored.

    Returns
    -------
    Snapshot
        Particles in the order of the file.

    Raises
    ------
    InputError
        If the file is missing, is not GADGET, is one of several pieces, is cut short, holds no particles,
        or holds positions, velocities or masses that are not finite.
    """
    path = require_file(Path(path))
    data = path.read_bytes()
    order, named = _byte_order(path, data)
    header = _header(path, data, order, named)
    snapshot = _particles(path, header, _blocks(path, data, order, named))
    for name in ("positions", "velocities", "masses"):
        _require_finite(path, name, getattr(snapshot, name))
    return snapshot


def _byte_order(path: Path, data: bytes) -> tuple[str, bool]:
    """Return the byte order ('<' or '>') and whether blocks are named, from the first record's length."""
    for order in "<>":
        first = int.from_bytes(data[:4], "little" if order == "<" else "big")
        if first == _HEADER_BYTES:
            return order, False
        if first == 8 and data[4:8] == b"HEAD":
            return order, True
    raise InputError(
        f"{path}: not a GADGET snapshot: it begins with {data[:8]!r}, not with a record of 256 bytes (format 1)"
        " or the name HEAD (format 2); give a GADGET-1 or GADGET-2 binary file"
    )


def _records(path: Path, data: bytes, order: str, named: bool):
    """Yield (name or None, offset, length found, length promised) of each record, the cut one included."""
    at = 0
    while at + 4 <= len(data):
        name = None
        if named:
            if at + 16 > len(data):
                return
            name = data[at + 4 : at + 8].decode("latin1").strip(" \0")
            at += 16
            if at + 4 > len(data):
                yield name, at, 0, -1
                return
        (promised,) = struct.unpack_from(order + "I", data, at)
        found = max(0, min(promised, len(data) - at - 4))
        yield name, at + 4, found, promised
        end = at + 4 + promised
        if end + 4 > len(data):
            return
        if struct.unpack_from(order + "I", data, end)[0] != promised:
            raise InputError(
                f"{path}: the record at byte {at} says {promised} bytes before it and another number after it;"
                " the file is damaged: fetch or write it again"
            )
        at = end + 4


def _header(path: Path, data: bytes, order: str, named: bool) -> dict:
    """Read counts, mass table, time and number of files from the header record."""
    _, at, found, promised = next(_records(path, data, order, named), (None, 0, 0, _HEADER_BYTES))
    if found < _HEADER_BYTES:
        raise InputError(f"{path}: cut short: the header has {found} of {_HEADER_BYTES} bytes; fetch or write it again")
    counts = struct.unpack_from(order + "6I", data, at)
    table = struct.unpack_from(order + "6d", data, at + 24)
    (time,) = struct.unpack_from(order + "d", data, at + 72)
    (files,) = struct.unpack_from(order + "i", data, at + 124)
    if sum(counts) == 0:
        raise InputError(f"{path}: holds no particles; a snapshot needs at least one")
    if files > 1:
        raise InputError(f"{path}: is one of {files} pieces of a snapshot; join them into one file first")
    return {"counts": np.array(counts), "table": np.array(table), "time": time, "order": order}


def _blocks(path: Path, data: bytes, order: str, named: bool) -> dict[str, tuple[bytes, int]]:
    """Map each block's name to (the bytes present, the bytes promised)."""
    blocks: dict[str, tuple[bytes, int]] = {}
    for index, (name, at, found, promised) in enumerate(_records(path, data, order, named)):
        if name is None:
            # Format 1 has no names: the order is fixed, and masses come fourth after the header.
            name = _FIRST_BLOCKS[index] if index < 4 else "MASS" if index == 4 else f"extra {index}"
        blocks.setdefault(name, (data[at : at + found], promised))
    return blocks


def _particles(path: Path, header: dict, blocks: dict) -> Snapshot:
    """Put the blocks of a file together."""
    counts, order, total = header["counts"], header["order"], int(header["counts"].sum())
    positions = _floats(path, blocks, "POS", 3 * total, order).reshape(total, 3)
    velocities = _floats(path, blocks, "VEL", 3 * total, order).reshape(total, 3)
    ids = _array(path, blocks, "ID", total, order, "u").astype(np.int64)
    types = np.repeat(np.arange(6), counts).astype(np.int8)
    return Snapshot(positions, velocities, _masses(path, header, blocks, types), ids, types, header["time"])


def _masses(path: Path, header: dict, blocks: dict, types: np.ndarray) -> np.ndarray:
    """Masses from the header's table, and from the mass block for types whose table entry is 0."""
    masses = header["table"][types]
    listed = masses == 0.0
    if listed.any():
        masses[listed] = _floats(path, blocks, "MASS", int(listed.sum()), header["order"])
    return masses


def _floats(path: Path, blocks: dict, name: str, count: int, order: str) -> np.ndarray:
    return _array(path, blocks, name, count, order, "f").astype(np.float64)


def _array(path: Path, blocks: dict, name: str, count: int, order: str, kind: str) -> np.ndarray:
    """Return `count` numbers of 4 or 8 bytes from a block."""
    raw, promised = blocks.get(name, (b"", 0))
    if promised not in (4 * count, 8 * count):
        if name not in blocks or promised < 0:
            raise InputError(f"{path}: cut short: block {name} has 0 of {4 * count} bytes; fetch or write it again")
        raise InputError(
            f"{path}: block {name} says {promised} bytes; {count} numbers take {4 * count} or {8 * count}:"
            " the header or the block is damaged"
        )
    if len(raw) < promised:
        raise InputError(f"{path}: cut short: block {name} has {len(raw)} of {promised} bytes; fetch or write it again")
    return np.frombuffer(raw, dtype=f"{order}{kind}{promised // count}")


def _require_finite(path: Path, name: str, values: np.ndarray) -> None:
    bad = int(np.count_nonzero(~np.isfinite(values.reshape(len(values), -1)).all(axis=1)))
    if bad:
        raise InputError(
            f"{path}: {bad} of {len(values)} particles have {name} that are not finite (NaN or infinite);"
            " remove them or write the snapshot again"
        )


# ---------------------------------------------------------------------------------------------- writing


def write(path: Path | str, snapshot: Snapshot) -> None:
    """Write a GADGET-2 file of format 2: little-endian, single precision, blocks HEAD POS VEL ID MASS.

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
    blocks = {
        "POS": snapshot.positions.astype("<f4"),
        "VEL": snapshot.velocities.astype("<f4"),
        "ID": snapshot.ids.astype("<u4"),
        "MASS": snapshot.masses.astype("<f4"),
    }
    for name in ("POS", "VEL", "MASS"):
        _require_finite(path, f"block {name} values", blocks[name])
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
