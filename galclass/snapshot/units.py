"""The units of a snapshot, found in the file or given, and the way from them to kpc, km/s and 1e10 Msun.

Codes write positions, velocities and masses in units of their own, and those of cosmological runs as comoving: a
number x stands for x * unit * a^p * h^q, with the expansion factor a and h = H0/(100 km/s/Mpc). What p and q are:

========================  ============  ==========  ==========  =====================================================
code                      length        velocity    mass        source
========================  ============  ==========  ==========  =====================================================
GADGET-2/4, AREPO         p 1, q -1     p 1/2       q -1        Springel (2005), users' guide, section 6; GADGET-4's
                                                                attributes a_scaling, h_scaling say the same
GIZMO                     p 1           p 1/2       --          its UnitLength_In_CGS has 1/h in it already
SWIFT                     p 1           --          --          attribute "a-scale exponent"; never any h
========================  ============  ==========  ==========  =====================================================

Runs that are not cosmological have neither a nor h, whatever HubbleParam their header keeps from a parameter file, as
GADGET-4 and AREPO say by an a_scaling and h_scaling of 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from galclass.errors import InputError
from galclass.snapshot.cosmology import age_gyr
from galclass.snapshot.particles import Snapshot, centre
from galclass.units import GYR_PER_TIME, MSUN_PER_MASS, G

#: Types of particles in GADGET; SWIFT has a seventh, neutrinos, which are passed over.
KINDS = 6

#: Our units in cgs: kpc (IAU 2012), km/s, and 1e10 Msun (nominal GM of IAU 2015 by the G of CODATA 2018).
CM_PER_KPC, CM_S_PER_KMS, GRAM_PER_MASS = 3.0856775814913673e21, 1e5, 1.988409870698051e43

#: Galaxies: half-mass radius [kpc], mass of stars [Msun]; speed over sqrt(GM/r) of the stars alone, which dark matter
#: raises several times; age [Gyr]. Outside of these somebody's units are wrong, or it is no galaxy.
RADII_KPC, MASSES_MSUN, SPEED_RATIOS, OLDEST_GYR = (0.01, 1e3), (1e3, 1e14), (0.1, 30.0), 30.0


@dataclass(frozen=True)
class Units:
    """The units of the numbers in a snapshot, for comoving runs without their factors of a and h.

    Attributes
    ----------
    length_kpc, mass_1e10_msun, velocity_kms : float, optional
        Length [kpc], mass [1e10 Msun] and velocity [km/s]. None in units that a user gives: as found in the file.
    found : str
        How they were found: file, given, or assumed (GADGET's usual ones), or what of them was, in words.
    """

    length_kpc: float | None = None
    mass_1e10_msun: float | None = None
    velocity_kms: float | None = None
    found: str = "given"

    def __post_init__(self) -> None:
        for name in ("length_kpc", "mass_1e10_msun", "velocity_kms"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise InputError(f"units: {name} is {value}; a unit is a number above 0")

    @classmethod
    def told(cls, length_kpc: float | None, mass_msun: float | None, velocity_km_s: float | None) -> Units:
        """Units as users give them, the mass in Msun; 0 or None for what is to be found in the file."""
        mass = mass_msun / MSUN_PER_MASS if mass_msun else None
        return cls(length_kpc or None, mass, velocity_km_s or None)


#: GADGET's usual units (users' guide, section 4), where a file says nothing.
ASSUMED = Units(1.0, 1.0, 1.0, "assumed")


def over(found: Units, given: Units | None) -> Units:
    """The units found, with what was given in their place."""
    if given is None:
        return found
    names = ("length_kpc", "mass_1e10_msun", "velocity_kms")
    values = {name: getattr(given, name) or getattr(found, name) for name in names}
    told = [name.split("_")[0] for name in names if getattr(given, name)]
    how = {0: found.found, 3: "given"}.get(len(told), f"given: {', '.join(told)}; the rest: {found.found}")
    return Units(**values, found=how)


@dataclass(frozen=True)
class Header:
    """What a snapshot says about itself, whatever its format; of a set of pieces the first piece's.

    Attributes
    ----------
    format, code : str
        How it is written, and which code wrote it as far as that can be told.
    counts, total : tuple of int
        Particles of each type in this file, and in all pieces together.
    files : int
        Number of pieces.
    time : float
        As written: of a comoving run the expansion factor (SWIFT: the age, see `time_is_age`).
    a, h : float
        Expansion factor and H0/(100 km/s/Mpc).
    omega_m, omega_lambda : float
        Densities today.
    comoving : bool
        Whether it is a cosmological run.
    box : tuple of 3 floats
        Sides of the box in the code's unit; 0 where there is none.
    units : Units
        As found in the file, or `ASSUMED`.
    length, velocity, mass : tuple of 2 floats
        Powers of a and h that numbers of each kind carry.
    time_is_age : bool
        Whether `time` is a time even in a comoving run.
    table : tuple of float
        Mass of every particle of a type; 0 where each has its own.
    wind : bool
        Whether type 4 has wind particles among its stars (AREPO), which are gas: they are counted here and not read.
    doubts : tuple of str
        What in the header contradicts itself or had to be guessed, as sentences; empty for most.
    """

    format: str
    code: str
    counts: tuple[int, ...]
    total: tuple[int, ...]
    files: int
    time: float
    a: float = 1.0
    h: float = 1.0
    omega_m: float = 0.0
    omega_lambda: float = 0.0
    comoving: bool = False
    box: tuple[float, float, float] = (0.0, 0.0, 0.0)
    units: Units = ASSUMED
    length: tuple[float, float] = (1.0, -1.0)
    velocity: tuple[float, float] = (0.5, 0.0)
    mass: tuple[float, float] = (0.0, -1.0)
    time_is_age: bool = False
    table: tuple[float, ...] = ()
    wind: bool = False
    doubts: tuple[str, ...] = ()

    @property
    def star_types(self) -> tuple[int, ...]:
        """Which types are stars: 4 in cosmological runs and SWIFT, where 2 and 3 are other things; else 2, 3, 4."""
        return (4,) if self.comoving or self.code == "SWIFT" else (2, 3, 4)

    def wanted(self, types: Sequence[int] | str | None) -> tuple[int, ...]:
        """Which of its types are to be read, in order: those asked for, the stars, or all of 0 to 5 that it has."""
        asked = range(KINDS) if types is None else self.star_types if types == "stars" else types
        return tuple(kind for kind in sorted(set(asked)) if kind < len(self.counts) and self.counts[kind])

    def factors(self, given: Units | None = None) -> tuple[float, float, float]:
        """What lengths, velocities and masses are multiplied with to be kpc, km/s and 1e10 Msun."""
        units = over(self.units, given)
        values = units.length_kpc, units.velocity_kms, units.mass_1e10_msun
        if not self.comoving:
            return values
        powers = self.length, self.velocity, self.mass
        return tuple(value * self.a**p * self.h**q for value, (p, q) in zip(values, powers, strict=True))

    def time_physical(self, given: Units | None = None) -> float:
        """The time [kpc/(km/s)]; of a comoving run the age of the universe by its cosmology (astropy)."""
        units = over(self.units, given)
        if not self.comoving or self.time_is_age:
            return self.time * units.length_kpc / units.velocity_kms
        return age_gyr(self.a, self.h, self.omega_m, self.omega_lambda) / GYR_PER_TIME

    def box_kpc(self, given: Units | None = None) -> tuple[float, float, float]:
        """Sides of the box [kpc]."""
        return tuple(side * self.factors(given)[0] for side in self.box)


def in_two_words(low: Sequence[int], high: Sequence[int], files: int) -> tuple[int, ...]:
    """Numbers of particles from their lower and upper 32 bits; what more than the pieces can hold is left out."""
    return tuple(int(n) + (int(more) << 32 if more < files else 0) for n, more in zip(low, high, strict=True))


def doubts(stars: Snapshot) -> list[str]:
    """What about the stars of a snapshot no galaxy has, or was in doubt when they were read, as words.

    Units that are wrong show so.

    Parameters
    ----------
    stars : Snapshot
        Only the particles that are stars.

    Returns
    -------
    list of str
        Empty if radius, mass, speed and time could be those of a galaxy.
    """
    return [*stars.doubts, *_unlike_galaxies(stars)]


def _unlike_galaxies(stars: Snapshot) -> list[str]:
    if len(stars) and not stars.masses.any():
        return ["the stars weigh nothing"]
    if len(stars) < 2:
        return []
    middle = centre(stars.positions, stars.masses, stars.box_kpc)
    distance = np.linalg.norm(stars.unwrapped(middle).positions - middle, axis=1)
    radius, mass = float(np.median(distance)), float(stars.masses.sum())
    near = distance <= radius
    speed = float(np.sqrt(((stars.velocities - stars.velocities[near].mean(axis=0))[near] ** 2).sum(axis=1).mean()))
    found = [
        _outside("half of the stars lie within", radius, RADII_KPC, "kpc"),
        _outside("the stars weigh", mass * MSUN_PER_MASS, MASSES_MSUN, "Msun"),
        _outside("the time is", stars.time * GYR_PER_TIME, (0.0, OLDEST_GYR), "Gyr"),
    ]
    if radius > 0 and speed > 0:  # a model at rest, or in one point, has none
        ratio = speed / math.sqrt(G * mass / radius)
        found.append(_outside("the stars move at", ratio, SPEED_RATIOS, "times sqrt(GM/r)"))
    return [one for one in found if one]


def _outside(what: str, value: float, allowed: tuple[float, float], unit: str) -> str:
    """One doubt, or nothing if the value lies in its range."""
    low, high = allowed
    if low <= value <= high:
        return ""
    return f"{what} {value:.3g} {unit}; galaxies: {low:g} to {high:g}; are the units right?"
