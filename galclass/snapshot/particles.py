"""Particles of one moment of a simulation.

Units throughout: kpc, km/s and 1e10 Msun, so that time is in kpc/(km/s) = 0.978 Gyr.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

TYPES = {"gas": 0, "halo": 1, "disc": 2, "bulge": 3, "stars": 4}
STAR_TYPES = (2, 3, 4)
_ARRAYS = ("positions", "velocities", "masses", "ids", "types")


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
        Time [kpc/(km/s)]; of a cosmological run the age of the universe.
    box_kpc : tuple of 3 floats
        Sides of the periodic box [kpc]; 0 along an axis that is not periodic.
    doubts : tuple of str
        What was in doubt when they were read, as sentences.
    """

    positions: np.ndarray
    velocities: np.ndarray
    masses: np.ndarray
    ids: np.ndarray
    types: np.ndarray
    time: float = 0.0
    box_kpc: tuple[float, float, float] = (0.0, 0.0, 0.0)
    doubts: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.masses)

    def _where(self, mask: np.ndarray) -> Snapshot:
        return replace(self, **{name: getattr(self, name)[mask] for name in _ARRAYS})

    def select(self, types: Sequence[int]) -> Snapshot:
        """Return only the particles of the given GADGET types, in their order."""
        return self._where(np.isin(self.types, list(types)))

    def sorted_by_type(self) -> Snapshot:
        """Return the same particles ordered by type, as GADGET files need them (ties keep their order)."""
        return self._where(np.argsort(self.types, kind="stable"))

    def unwrapped(self, middle: np.ndarray) -> Snapshot:
        """Return the same particles with a galaxy at `middle` [kpc] in one piece, though the box may cut it."""
        return replace(self, positions=unwrap(self.positions, middle, self.box_kpc))


def join(parts: Sequence[Snapshot]) -> Snapshot:
    """Put several snapshots of one time into one, in the order given; time and box are those of the first."""
    arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _ARRAYS}
    return replace(parts[0], **arrays)


def unwrap(positions: np.ndarray, middle: np.ndarray, box_kpc: Sequence[float]) -> np.ndarray:
    """Of each particle in a periodic box, the image nearest to a place.

    Parameters
    ----------
    positions : ndarray, shape (n, 3)
        Positions [kpc].
    middle : ndarray, shape (3,)
        The place [kpc].
    box_kpc : sequence of 3 floats
        Sides of the box [kpc]; 0 along an axis that is not periodic.

    Returns
    -------
    ndarray, shape (n, 3)
        Positions [kpc], along periodic axes at most half a box from `middle`; the array given where none is.
    """
    if not any(box_kpc):
        return positions
    # Rounding to whole periods moves nothing along an axis whose period is infinite.
    period = np.where(np.asarray(box_kpc) > 0, box_kpc, np.inf)
    turns = np.round((positions - middle) / period)
    return positions - turns * np.asarray(box_kpc)


def centre(positions: np.ndarray, masses: np.ndarray, box_kpc: Sequence[float] = (0.0, 0.0, 0.0)) -> np.ndarray:
    """Find the densest centre by the shrinking-sphere method of Power et al. (2003, MNRAS 338, 14).

    Parameters
    ----------
    positions : ndarray, shape (n, 3)
        Positions [kpc].
    masses : ndarray, shape (n,)
        Masses, any unit.
    box_kpc : sequence of 3 floats
        Sides of the periodic box [kpc], 0 for none: a galaxy that the boundary cuts is found whole.

    Returns
    -------
    ndarray, shape (3,)
        The centre [kpc]: the mean of the innermost particles (1 % of them, at least 50 or all).
    """
    enough = max(50, len(masses) // 100)
    positions = unwrap(positions, _circular_mean(positions, masses, box_kpc), box_kpc)
    middle = np.average(positions, axis=0, weights=masses)
    while len(masses) > enough:
        positions = unwrap(positions, middle, box_kpc)
        square = np.einsum("ij,ij->i", positions - middle, positions - middle)
        # Dropping the outer tenth by number shrinks the sphere whatever the profile.
        fewer = max(enough, len(masses) * 9 // 10)
        near = square <= np.partition(square, fewer - 1)[fewer - 1]
        if near.all():  # as many as are equally far away
            break
        positions, masses = positions[near], masses[near]
        middle = np.average(positions, axis=0, weights=masses)
    return middle


def _circular_mean(positions: np.ndarray, masses: np.ndarray, box_kpc: Sequence[float]) -> np.ndarray:
    """Where most of the mass lies on each periodic axis taken as a circle [kpc]; 0 on the others."""
    middle = np.zeros(3)
    for axis, side in enumerate(box_kpc):
        if side > 0:
            turns = np.average(np.exp(2j * np.pi * positions[:, axis] / side), weights=masses)
            middle[axis] = np.angle(turns) / (2 * np.pi) % 1.0 * side
    return middle
