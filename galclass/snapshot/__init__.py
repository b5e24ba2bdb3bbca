"""Particles of one moment of a simulation, and the files that hold them.

Whatever code wrote a file, what `read` gives is in kpc, km/s and 1e10 Msun, physical and not comoving.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from galclass.errors import InputError
from galclass.snapshot import cosmology, gadget, hdf5
from galclass.snapshot.finding import find, first_piece, has_other_pieces, is_hdf5, opened, pieces
from galclass.snapshot.gadget import write
from galclass.snapshot.particles import STAR_TYPES, TYPES, Snapshot, centre, join, unwrap
from galclass.snapshot.units import KINDS, Header, Units, doubts, over
from galclass.units import GYR_PER_TIME

__all__ = [
    "STAR_TYPES", "TYPES", "Header", "Snapshot", "Units", "centre", "describe", "doubts", "files", "find", "header",
    "join", "read", "unwrap", "write",
]  # fmt: skip


def read(path: Path | str, units: Units | None = None, types: Sequence[int] | str | None = None) -> Snapshot:
    """Read a snapshot, of whatever format its content is: GADGET-1 or -2 binary, HDF5 of GADGET, AREPO, GIZMO, SWIFT.

    Parameters
    ----------
    path : path
        The file, ARCHIVE.tar/NAME, either through gzip; of a snapshot in pieces any of them, or their common name.
    units : Units, optional
        The units of its numbers, where the file does not say them or says them wrong.
    types : sequence of int, or "stars", optional
        Particle types to read, the others are passed over: see `Header.star_types` for what counts as stars. Default
        all; types without particles are left out.

    Returns
    -------
    Snapshot
        Particles in the order of the file, types in order, pieces in order; physical units.

    Raises
    ------
    InputError
        One line that says what is wrong: a file or piece missing, damaged, cut short or of another kind, no particles
        (of these types), positions, velocities or masses that are not finite, or masses below 0.
    """
    first = first_piece(Path(path))
    parts = _pieces(first, types)
    about = parts[0][0]
    whole = join([part for _, part in parts]) if len(parts) > 1 else parts[0][1]
    _require_all(first, about, whole, types)
    return _physical(first, about, whole, units)


def header(path: Path | str) -> Header:
    """What a snapshot says about itself, without reading its particles.

    Raises
    ------
    InputError
        If it is missing, damaged in its header, or no snapshot.
    """
    path = first_piece(Path(path))
    about = _whole(path, _header(path))
    if about.files > 1 and not any(about.total):  # left out by the writer
        others = [_header(piece) for piece in pieces(path, about.files)]
        return replace(about, total=tuple(map(sum, zip(*(other.counts for other in others), strict=True))))
    return about


def files(path: Path | str) -> list[Path]:
    """All files that hold a snapshot: its pieces, or a virtual file and those that it takes its numbers from.

    Raises
    ------
    InputError
        If a piece is missing, or one cannot be read.
    """
    first = first_piece(Path(path))
    count = header(first).files
    parts = pieces(first, count) if count > 1 else [first]
    return list(dict.fromkeys(file for part in parts for file in (part, *_sources(part))))


def _header(path: Path) -> Header:
    """What one file says about itself."""
    with opened(path) as stream:
        if not is_hdf5(stream):
            return gadget.read_header(path, stream)
    return hdf5.read_header(path)


def _sources(path: Path) -> list[Path]:
    with opened(path) as stream:
        if not is_hdf5(stream):
            return []
    return hdf5.sources(path)


def _whole(path: Path, about: Header) -> Header:
    """A header as it is, but of pieces that were joined into one file, and say so no more, of one file."""
    joined = about.files > 1 and about.counts == about.total and not has_other_pieces(path)
    return replace(about, files=1) if joined else about


def describe(path: Path | str, units: Units | None = None) -> dict:
    """What a snapshot is, and whether its stars could be those of a galaxy, for people.

    Parameters
    ----------
    path : path
        As for `read`.
    units : Units, optional
        As for `read`.

    Returns
    -------
    dict
        file, format, code, pieces, time_gyr, redshift (None of a run that is not cosmological), box_kpc (None without
        one), length_kpc, mass_1e10_msun, velocity_kms (what a 1 in the file stands for, with a and h), units (file,
        given or assumed), counts (by type), star_types, and warnings (list of str).

    Raises
    ------
    InputError
        As for `read`.
    """
    about = header(path)
    stars = tuple(kind for kind in about.star_types if about.total[kind])
    some = read(path, units, stars) if stars else None
    box = some.box_kpc if some else about.box_kpc(units)
    length, velocity, mass = about.factors(units)
    return {
        "file": str(path),
        "format": about.format,
        "code": about.code,
        "pieces": about.files,
        "time_gyr": about.time_physical(units) * GYR_PER_TIME,
        "redshift": 1 / about.a - 1 if about.comoving else None,
        "box_kpc": list(box) if any(box) else None,
        "length_kpc": length,
        "mass_1e10_msun": mass,
        "velocity_kms": velocity,
        "units": over(about.units, units).found,
        "counts": {str(kind): count for kind, count in enumerate(about.total) if count},
        "star_types": list(stars),
        "warnings": _warnings(about, some, units),
    }


def _warnings(about: Header, stars: Snapshot | None, units: Units | None) -> list[str]:
    """What a user should know before trusting the numbers."""
    found = [] if stars else [f"no particles of type {', '.join(map(str, about.star_types))}: no stars"]
    if "assumed" in over(about.units, units).found:
        found.append("the file does not say its units: kpc, 1e10 Msun and km/s are assumed where they are not given")
    for kind, count in enumerate(about.total[KINDS:], start=KINDS):
        found += [f"{count} particles of type {kind} are passed over"] if count else []
    if stars is None:
        return found + list(about.doubts)
    wind = about.total[4] - int((stars.types == 4).sum()) if about.wind else 0
    found += [f"{wind} of type 4 are wind and no stars: they are left out"] if wind else []
    return found + doubts(stars)


def _pieces(first: Path, types: Sequence[int] | str | None) -> list[tuple[Header, Snapshot]]:
    """A file as written, with all others that belong to it."""
    about, some = _piece(first, types)
    about = _whole(first, about)
    if about.files == 1:
        return [(about, some)]
    paths = pieces(first, about.files)
    lead = (about, some) if paths[0] == first else _piece(paths[0], types)
    # The type of stars is a matter of the whole, and each piece may hold only some types.
    wanted = lead[0].star_types if types == "stars" else types
    return [lead, *(_same(paths[0], lead[0], path, _piece(path, wanted)) for path in paths[1:])]


def _piece(path: Path, types: Sequence[int] | str | None) -> tuple[Header, Snapshot]:
    with opened(path) as stream:
        if not is_hdf5(stream):
            return gadget.read_piece(path, stream, types)
    return hdf5.read_piece(path, types)


def _same(first: Path, about: Header, path: Path, piece: tuple[Header, Snapshot]) -> tuple[Header, Snapshot]:
    other = piece[0]
    if (other.time, other.files, other.total) != (about.time, about.files, about.total):
        raise InputError(f"{path}: is of another snapshot than {first.name}: its time or counts differ; fetch it again")
    return piece


def _require_all(path: Path, about: Header, whole: Snapshot, types: Sequence[int] | str | None) -> None:
    """Raise unless the pieces together hold what they say, and there is something."""
    if len(whole) == 0 and about.wind and 4 in _asked(about, types) and about.total[4]:
        raise InputError(f"{path}: has no stars: all {about.total[4]} of type 4 are wind; give a snapshot with stars")
    if len(whole) == 0 and types is not None and sum(about.total):
        held = ", ".join(f"{count} of type {kind}" for kind, count in enumerate(about.total) if count)
        asked = ", ".join(map(str, _asked(about, types)))
        raise InputError(f"{path}: has no particles of type {asked}; it holds {held}: say which are stars")
    if len(whole) == 0:
        raise InputError(f"{path}: holds no particles; a snapshot needs at least one")
    if about.files > 1:
        _require_counts(path, about, whole)


def _asked(about: Header, types: Sequence[int] | str | None) -> Sequence[int]:
    return about.star_types if types == "stars" else range(KINDS) if types is None else types


def _require_counts(path: Path, about: Header, whole: Snapshot) -> None:
    """Raise unless the pieces together hold as many particles as their headers say."""
    if not any(about.total):  # left out by the writer
        return
    counts = np.bincount(whole.types, minlength=len(about.total))
    for kind, total in enumerate(about.total):
        fits = counts[kind] in (0, total, total % 2**32) or kind == 4 and about.wind and counts[kind] < total
        if not fits:  # the upper word is not always filled
            raise InputError(
                f"{path}: its {about.files} pieces hold {counts[kind]} particles of type {kind}, their headers say"
                f" {total}; fetch them again"
            )


def _physical(path: Path, about: Header, raw: Snapshot, units: Units | None) -> Snapshot:
    """The particles in kpc, km/s and 1e10 Msun."""
    arrays = {"positions": raw.positions, "velocities": raw.velocities, "masses": raw.masses}
    with np.errstate(all="ignore"):  # what is not finite is said below
        for values, factor in zip(arrays.values(), about.factors(units), strict=True):
            if factor != 1.0:
                values *= factor
    for name, values in arrays.items():
        gadget.require_finite(path, name, values)
    _require_masses(path, raw.masses)
    box, found = _box(about.box_kpc(units), raw.positions)
    return replace(raw, time=about.time_physical(units), box_kpc=box, doubts=about.doubts + found)


def _require_masses(path: Path, masses: np.ndarray) -> None:
    if masses.min() < 0:
        bad = int(np.count_nonzero(masses < 0))
        raise InputError(f"{path}: {bad} of {len(masses)} particles have masses below 0; write the snapshot again")


def _box(box: tuple[float, float, float], positions: np.ndarray) -> tuple[tuple[float, float, float], tuple[str, ...]]:
    """The periodic box, from 0 or about it; or none where particles lie outside, and that in words.

    Its size may only be left over from a parameter file.
    """
    for side, values in zip(box, positions.T, strict=True):
        low, high = values.min(), values.max()
        inside = cosmology.within(low, high, side) or cosmology.within(low + side / 2, high + side / 2, side)
        if side > 0 and not inside:
            return (0.0, 0.0, 0.0), (f"particles lie outside of the box of {side:.6g} kpc: taken for none",)
    return box, ()
