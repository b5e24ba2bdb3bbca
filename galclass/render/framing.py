"""The galaxy in a snapshot: its stars, its size, its companion."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from galclass import snapshot
from galclass.errors import InputError
from galclass.units import GYR_PER_TIME

_APERTURE_RE = 4.0
_COMPANION_SHARE = 0.1


def read_stars(
    file: Path, types: Sequence[int], read: Callable[[Path], snapshot.Snapshot] = snapshot.read
) -> tuple[snapshot.Snapshot, float]:
    """The particles to draw, and the time [Gyr]; an `InputError` when there is none of them."""
    everything = read(file)
    stars = everything.select(types)
    if len(stars) == 0:
        wanted, present = (", ".join(map(str, kinds)) for kinds in (types, np.unique(everything.types)))
        raise InputError(
            f"{file}: no particles of type {wanted} to draw, only of type {present}; "
            "give a snapshot with stars (2 disc, 3 bulge, 4 stars)"
        )
    if not stars.masses.sum() > 0:
        raise InputError(f"{file}: its {len(stars)} stars have no mass; a picture needs some")
    return stars, everything.time * GYR_PER_TIME


def moved(stars: snapshot.Snapshot, origin: np.ndarray) -> snapshot.Snapshot:
    """The particles with `origin` as the origin."""
    return dataclasses.replace(stars, positions=stars.positions - origin)


def effective_radius(radii: np.ndarray, masses: np.ndarray) -> float:
    """Projected radius that holds half of the mass within four such radii [kpc].

    Searched from inside outwards, so that a galaxy's size does not depend on a companion further off.

    Parameters
    ----------
    radii : shape (n,)
        Projected distances from the centre [kpc].
    masses : shape (n,)
        Masses, any unit.
    """
    order = np.argsort(radii)
    radii, enclosed = radii[order], np.cumsum(masses[order])
    radius = radii[np.searchsorted(enclosed, 0.05 * enclosed[-1])]
    for _ in range(200):
        within = enclosed[np.searchsorted(radii, _APERTURE_RE * radius, side="right") - 1]
        before, radius = radius, radii[np.searchsorted(enclosed, 0.5 * within)]
        if radius == before:
            break
    return float(radius)


def projected_radius(stars: snapshot.Snapshot) -> float:
    """Effective radius of particles about the origin, over the projections along three axes [kpc]."""
    x, y, z = stars.positions.T
    radii = np.concatenate([np.hypot(x, y), np.hypot(y, z), np.hypot(z, x)])
    return effective_radius(radii, np.tile(stars.masses, 3))


def require_extent(file: Path, r_eff: float) -> float:
    """The effective radius, or an `InputError` when the particles have no extent."""
    if r_eff <= 0:
        raise InputError(f"{file}: half of the stars lie in one point; a picture needs an extent")
    return r_eff


def companion_position(stars: snapshot.Snapshot, r_eff: float) -> np.ndarray | None:
    """Centre (3,) of a second galaxy beside the one at the origin [kpc], or None.

    It is the densest place outside four effective radii, if a tenth of all mass lies within two around it: no
    envelope or tail is so dense there.
    """
    outside = np.linalg.norm(stars.positions, axis=1) > _APERTURE_RE * r_eff
    least = _COMPANION_SHARE * stars.masses.sum()
    if stars.masses[outside].sum() < least:
        return None
    place = snapshot.centre(stars.positions[outside], stars.masses[outside])
    near = np.linalg.norm(stars.positions - place, axis=1) < 2.0 * r_eff
    return place if stars.masses[near & outside].sum() >= least else None
