"""The galaxies in a snapshot that somebody else made: found by shrinking spheres, parted, each by itself.

A snapshot from elsewhere may hold one galaxy, a pair on its orbit, or a whole volume; it may be periodic, and its stars
may be of any particle type. The densest place is the first galaxy; the densest place of what is left beyond it is
another one where it is dense enough to be no envelope or tail; and so on. Each star then belongs to the galaxy whose
centre is nearest in units of its effective radius. A galaxy that is alone keeps all stars of the file, as in our flow.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from galclass import render, snapshot
from galclass.errors import InputError
from galclass.snapshot.finding import opened, stem

#: Galaxies looked for, at most, before the most massive ones are taken.
_LOOKED_FOR = 8
#: A galaxy ends here, for others to be found beyond it [effective radii]; so much of its mass makes another one, within
#: two of its effective radii, as in `render.companion_position`; and what is further off is none of its stars.
_BODY_RE, _SHARE, _DENSE_RE, _REACH_RE = 4.0, 0.1, 2.0, 20.0
#: Cells a side of the grid whose heaviest cell the first sphere is laid about, and its radius [cells].
_CELLS, _SPHERE_CELLS = 32, 2.0
#: A galaxy is measured within so many of its effective radii, from inside outwards, until that changes nothing.
_MEASURED_RE, _ROUNDS = 12.0, 60
#: Stars that tell a galaxy's size well enough to part it from others.
_ENOUGH = 10_000


@dataclass(frozen=True)
class Galaxy:
    """One galaxy of a snapshot.

    Attributes
    ----------
    stars : its particles, where they lie in the file (unwrapped)
    centre : shape (3,), its densest place [kpc]
    r_eff : its effective radius, roughly [kpc]
    others : how many more galaxies the snapshot holds
    nearest_kpc : distance to the nearest of them, NaN if there is none
    """

    stars: snapshot.Snapshot
    centre: np.ndarray
    r_eff: float
    others: int = 0
    nearest_kpc: float = np.nan


def read_stars(file: Path, types: Sequence[int], units: snapshot.Units | None) -> snapshot.Snapshot:
    """The stars of a snapshot in our units, galaxies that a periodic boundary cuts put together again.

    Parameters
    ----------
    file : path
    types : sequence of int
        Which particle types are stars; none: those of the code that wrote it. Types that are none in GADGET (gas,
        halo, boundary) shine as those of a disc.
    units : snapshot.Units or None
        None: as found in the file.

    Raises
    ------
    InputError
        The file cannot be read, or holds no star.
    """
    stars = snapshot.read(file, units, types=tuple(types) or "stars")
    if not stars.masses.sum() > 0:
        raise InputError(f"{file}: its stars weigh nothing; choose the types of particles that are stars (--stars)")
    shining = np.where(np.isin(stars.types, snapshot.STAR_TYPES), stars.types, snapshot.TYPES["disc"])
    return unwrapped(replace(stars, types=shining.astype(stars.types.dtype)))


def parts(file: Path) -> list[Path]:
    """All files behind a snapshot; of a file that is none, itself."""
    try:
        return snapshot.files(file)
    except InputError:
        return [file]


def digest(file: Path) -> str:
    """SHA-256 of the content of a snapshot, the same through gzip or in an archive; of pieces that of their digests."""
    each = []
    for part in parts(file):
        with opened(part) as stream:
            each.append(hashlib.file_digest(stream, "sha256"))
    if len(each) > 1:
        return hashlib.sha256(b"".join(one.digest() for one in each)).hexdigest()
    return each[0].hexdigest()


def named(file: Path) -> Path:
    """The name under which a snapshot's views are drawn, the same in one file, in pieces and through gzip."""
    return file.with_name(stem(file) + Path(file.name.removesuffix(".gz")).suffix)


def unwrapped(stars: snapshot.Snapshot) -> snapshot.Snapshot:
    """The stars of a periodic box with each galaxy in one piece about the heaviest place.

    Where they fill less than half of the box, no boundary cuts anything, and they stay where they are.
    """
    spans, box = np.ptp(stars.positions, axis=0), np.asarray(stars.box_kpc)
    if not box.any() or (spans < 0.5 * box)[box > 0].all():
        return stars
    return stars.unwrapped(_heaviest_place(stars.positions, stars.masses))


def found(stars: snapshot.Snapshot, most: int, fewest: int) -> list[Galaxy]:
    """The galaxies of a snapshot, the most massive first.

    Parameters
    ----------
    stars : Snapshot
    most : int
        How many at most.
    fewest : int
        Stars that every galaxy but the first needs.
    """
    places = _places(stars, fewest)
    if len(places) == 1:
        return [Galaxy(stars, *places[0])]
    owner = _owners(stars, places)
    parted = [_parted(stars, owner == number, places, number) for number in range(len(places))]
    return sorted(parted, key=lambda one: -one.stars.masses.sum())[:most]


def _parted(stars: snapshot.Snapshot, own: np.ndarray, places: list[tuple], number: int) -> Galaxy:
    """Galaxy `number` with its own stars within reach."""
    centre, r_eff = places[number]
    others = np.array([other for k, (other, _) in enumerate(places) if k != number])
    distances = np.linalg.norm(snapshot.unwrap(others, centre, stars.box_kpc) - centre, axis=1)
    stars = stars.unwrapped(centre)  # whole about its own centre, wherever the heaviest one is
    near = np.linalg.norm(stars.positions - centre, axis=1) < _REACH_RE * r_eff
    return Galaxy(_chosen(stars, own & near), centre, r_eff, len(distances), float(distances.min()))


def _chosen(stars: snapshot.Snapshot, mask: np.ndarray) -> snapshot.Snapshot:
    names = ("positions", "velocities", "masses", "ids", "types")
    return replace(stars, **{name: getattr(stars, name)[mask] for name in names})


def _owners(stars: snapshot.Snapshot, places: list[tuple]) -> np.ndarray:
    """Number of the galaxy that each star belongs to, shape (n,)."""
    return np.argmin([_distances(stars, centre) / r_eff for centre, r_eff in places], axis=0)


def _distances(stars: snapshot.Snapshot, centre: np.ndarray) -> np.ndarray:
    """Distance of each star from a place [kpc], across the boundaries of a periodic box where that is nearer."""
    return np.linalg.norm(snapshot.unwrap(stars.positions, centre, stars.box_kpc) - centre, axis=1)


def _places(stars: snapshot.Snapshot, fewest: int) -> list[tuple[np.ndarray, float]]:
    """Centre and effective radius of each galaxy, in the order in which they were found."""
    first = _place(stars.positions, stars.masses, stars.box_kpc)
    if first is None:
        return [(snapshot.centre(stars.positions, stars.masses), 0.0)]
    places, left, needed = [first], np.ones(len(stars), dtype=bool), 0.0
    while len(places) < _LOOKED_FOR:
        centre, r_eff = places[-1]
        body = _distances(stars, centre) <= _BODY_RE * r_eff
        needed, left = needed or _SHARE * stars.masses[body].sum(), left & ~body
        following = _dense_place(stars, left, _DENSE_RE * places[0][1], needed, fewest)
        if following is None:
            break
        places.append(following)
    return places


def _dense_place(
    stars: snapshot.Snapshot, left: np.ndarray, radius: float, needed: float, fewest: int
) -> tuple[np.ndarray, float] | None:
    """The densest place among the stars that are left, if it is a galaxy: enough mass within a radius, enough stars."""
    positions, masses = stars.positions[left], stars.masses[left]
    if len(masses) < fewest or masses.sum() < needed:
        return None
    place = _place(positions, masses, stars.box_kpc)
    if place is None:
        return None
    near = _distances(stars, place[0])[left] < radius
    return place if near.sum() >= fewest and masses[near].sum() >= needed else None


def _place(positions: np.ndarray, masses: np.ndarray, box_kpc: Sequence[float]) -> tuple[np.ndarray, float] | None:
    """Centre by shrinking spheres about the heaviest place, and effective radius; None if the stars have no extent."""
    start = _heaviest_place(positions, masses)
    cell = np.ptp(positions, axis=0).max() / _CELLS
    positions = snapshot.unwrap(positions, start, box_kpc)
    near = np.linalg.norm(positions - start, axis=1) <= _SPHERE_CELLS * cell
    centre = snapshot.centre(positions[near], masses[near])
    r_eff = _size(positions - centre, masses)
    return (centre, r_eff) if r_eff > 0 else None


def _heaviest_place(positions: np.ndarray, masses: np.ndarray) -> np.ndarray:
    """Centre of mass (3,) of the heaviest cell of a grid over all positions."""
    low, span = positions.min(axis=0), max(np.ptp(positions, axis=0).max(), 1e-300)
    cells = np.minimum((_CELLS * (positions - low) / span).astype(int), _CELLS - 1)
    numbers = np.ravel_multi_index(cells.T, (_CELLS,) * 3)
    inside = numbers == np.bincount(numbers, masses).argmax()
    return np.average(positions[inside], axis=0, weights=masses[inside])


def _size(positions: np.ndarray, masses: np.ndarray) -> float:
    """Effective radius about the origin, of a sphere that grows from the inmost stars until it holds the galaxy."""
    step = max(1, len(masses) // _ENOUGH)
    positions, masses = positions[::step], masses[::step]
    distance = np.linalg.norm(positions, axis=1)
    reach, r_eff = np.sort(distance)[min(max(50, len(masses) // 100), len(masses)) - 1], 0.0
    for _ in range(_ROUNDS):
        near = distance <= reach
        x, y, z = positions[near].T
        radii = np.concatenate([np.hypot(x, y), np.hypot(y, z), np.hypot(z, x)])
        before, r_eff = r_eff, render.effective_radius(radii, np.tile(masses[near], 3))
        if r_eff <= before:
            break
        reach = _MEASURED_RE * r_eff
    return r_eff
