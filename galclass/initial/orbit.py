"""The Kepler orbit on which two galaxies meet, and how their discs are tilted to it.

The orbit lies in the x-y plane and turns anticlockwise; seen from the primary (galaxy 1) the secondary
(galaxy 2) passes pericentre in the direction +x.  Galaxies count as point masses of their total mass.
"""

from __future__ import annotations

import math

import numpy as np

from galclass import config
from galclass.errors import ConfigError
from galclass.units import G
from galclass.vectors import spin_rotation


def kepler_state(
    total_mass: float, pericentre_kpc: float, eccentricity: float, separation_kpc: float
) -> tuple[np.ndarray, np.ndarray]:
    """Relative position and velocity of two approaching point masses.

    Parameters
    ----------
    total_mass : float
        Sum of both masses [1e10 Msun].
    pericentre_kpc : float
        Smallest distance of the orbit [kpc], above 0.
    eccentricity : float
        0 circle, below 1 ellipse, 1 parabola, above 1 hyperbola.
    separation_kpc : float
        Distance now [kpc], from the pericentre to the apocentre (none if eccentricity is 1 or more).

    Returns
    -------
    position, velocity : ndarray, shape (3,)
        Of the secondary relative to the primary [kpc], [km/s], before pericentre (z components are 0).

    Raises
    ------
    ConfigError
        If no such orbit passes through that separation.

    Notes
    -----
    With the semi-latus rectum p = r_p (1 + e), r = p / (1 + e cos f) gives the true anomaly f < 0, and
    v = sqrt(G M / p) (-sin f, e + cos f); e.g. Murray & Dermott (1999), section 2.4.
    """
    if wrong := config.off_orbit(pericentre_kpc, eccentricity, separation_kpc):
        raise ConfigError(wrong)
    parameter = pericentre_kpc * (1.0 + eccentricity)
    cos_f = 1.0
    if eccentricity > 0.0:
        cos_f = min(1.0, max(-1.0, (parameter / separation_kpc - 1.0) / eccentricity))
    sin_f = -math.sqrt(1.0 - cos_f**2)
    speed = math.sqrt(G * total_mass / parameter)
    position = separation_kpc * np.array([cos_f, sin_f, 0.0])
    return position, speed * np.array([-sin_f, eccentricity + cos_f, 0.0])


def disc_rotation(inclination_deg: float, argument_deg: float, secondary: bool) -> np.ndarray:
    """Rotation that tilts a disc from the orbital plane, angles after Toomre & Toomre (1972, ApJ 178, 623).

    Parameters
    ----------
    inclination_deg : float
        Angle i between the disc's spin and that of the orbit: 0 direct, 180 retrograde.
    argument_deg : float
        Argument w of the pericentre: angle in the orbital plane, along the motion, from the ascending node
        (where the other galaxy rises through this disc's plane) to the pericentre.
    secondary : bool
        Whether this is galaxy 2, which sees its partner's pericentre in the direction -x, not +x.

    Returns
    -------
    ndarray, shape (3, 3)
        R; the disc's spin is ``R @ (0, 0, 1)`` = (sin i sin w, sin i cos w, cos i) for galaxy 1, and with x and
        y reversed for galaxy 2, so that equal angles make a pair symmetric under half a turn.
    """
    node = (math.pi if not secondary else 0.0) - math.radians(argument_deg)
    return spin_rotation(math.radians(inclination_deg), node)
