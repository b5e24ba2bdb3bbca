"""Whether a snapshot is of a cosmological run, where its code does not say so: by header and places of particles.

GADGET-2 and its kin write the expansion factor as the time of such runs. All other runs have a redshift of 0, but may
keep density, h and box from a parameter file; at the time 1 only the particles tell them from a cosmological run today.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

#: How far a * (1 + z) may be from 1, since headers have rounded redshifts; and the time from 1 today.
_ROUNDED, _TODAY = 1e-3, 1e-5
#: Positions may leave a box by so much of its side: codes write them in single precision, and before they wrap them.
SLACK = 1e-3
#: This share of the particles is outside of a box for no reason of precision or of wrapping.
_MANY = 0.05
#: What a sample of a cosmological run takes of its box at least, for there to be no doubt.
_FILLED = 0.5
NOWHERE = np.zeros((0, 3))
#: A sample of particles is so many stretches of so many of them, where to look at all would take too long.
SAMPLES, SAMPLE = 32, 64


@dataclass(frozen=True)
class Clues:
    """What a header says of time and space, in its own units.

    Attributes
    ----------
    time, redshift, omega_m, h : float
        As written; h is 0 where there is none.
    box : float
        The longest side of the box; 0 without one.
    total : sequence of int
        Particles of each type.
    said : bool or None
        Whether it is a cosmological run, where the code says so.
    """

    time: float
    redshift: float
    omega_m: float
    h: float
    box: float
    total: Sequence[int]
    said: bool | None = None

    @property
    def today(self) -> bool:
        """Whether it could be a cosmological run today or any other at the time 1, which particles can decide."""
        return self.said is None and self.redshift == 0 and abs(self.time - 1) < _TODAY and self.omega_m > 0


def judged(clues: Clues, places: np.ndarray = NOWHERE) -> tuple[bool, tuple[str, ...]]:
    """Whether a run is cosmological, and what of that is in doubt.

    Parameters
    ----------
    clues : Clues
        What the header says.
    places : ndarray, shape (n, 3), optional
        Where a sample of the particles lies; only needed where it could be a run of today.
    """
    if clues.today:
        return _today(clues, places)
    comoving = clues.said if clues.said is not None else _expands(clues)
    if comoving:
        return True, () if clues.h > 0 else ("the header has no h of the cosmological run, 1 is taken",)
    if clues.redshift != 0 and math.isfinite(clues.redshift):
        found = f"redshift {clues.redshift:.4g}, time {clues.time:.4g} and Omega0 {clues.omega_m:.4g}"
        return False, (f"the header has {found}, taken for a run that is not cosmological: is it none?",)
    return False, ()


def _expands(clues: Clues) -> bool:
    """Whether time and redshift are those of one expansion factor, in a universe with matter."""
    if not (clues.omega_m > 0 and clues.time > 0 and clues.redshift > -1 and clues.redshift != 0):
        return False
    return abs(clues.time * (1 + clues.redshift) - 1) < _ROUNDED


def _today(clues: Clues, places: np.ndarray) -> tuple[bool, tuple[str, ...]]:
    """The same at the time 1, where a header alone cannot tell."""
    not_one = _why_isolated(clues, places)
    found = f"time 1, redshift 0 and Omega0 {clues.omega_m:.4g}"
    if not_one:
        return False, (f"{found}: taken for a run that is not cosmological, since {not_one}: is it none?",)
    if not clues.h > 0:
        return True, (f"{found}: taken for a cosmological run today, with h = 1 since the header has none: is it one?",)
    if len(places) and (np.ptp(places, axis=0) > _FILLED * clues.box).all():
        return True, ()
    return True, (f"{found}: taken for a cosmological run today, h = {clues.h:g}: is it one?",)


def _why_isolated(clues: Clues, places: np.ndarray) -> str:
    """What speaks against a cosmological run; nothing if nothing does."""
    if not clues.box > 0:
        return "it has no box"
    if _leave(places, clues.box):
        return "particles lie outside of its box"
    if any(clues.total[2:4]) and not any(clues.total[4:5]):
        return "it has particles of types 2 or 3 and none of type 4"
    return ""


def _leave(places: np.ndarray, side: float) -> bool:
    """Whether some particles lie far outside of a box from 0, or many at all, as those of a galaxy at the origin do."""
    if len(places) == 0:
        return False
    outside = ((places < 0) | (places > side)).any(axis=1)
    return bool(outside.mean() > _MANY) or not within(places.min(), places.max(), side)


def within(low: float, high: float, side: float) -> bool:
    """Whether positions lie between 0 and the side of a box."""
    return low >= -SLACK * side and high <= (1 + SLACK) * side


@functools.cache
def age_gyr(a: float, h: float, omega_m: float, omega_lambda: float) -> float:
    """Age [Gyr] of a universe of matter, a cosmological constant and curvature at the expansion factor a."""
    from astropy.cosmology import LambdaCDM

    # Codes of this kind leave radiation out unless they say otherwise.
    return float(LambdaCDM(100 * h, omega_m, omega_lambda, Tcmb0=0).age(1 / a - 1).value)
