"""The units of every simulation: kpc, km/s and 1e10 Msun (those of GADGET's examples).

The unit of time follows: 1 kpc / (1 km/s) = 0.978 Gyr.
"""

import math

#: Gravitational constant [kpc (km/s)^2 / 1e10 Msun], as in GADGET-2 (Springel 2005).
G = 43007.1

#: One unit of time, kpc / (km/s), in Gyr (kpc and Julian year of IAU 2012 and IAU 1976).
GYR_PER_TIME = 3.0856775814913673e16 / (1e9 * 365.25 * 86400.0)

#: One unit of mass in solar masses.
MSUN_PER_MASS = 1e10


def arcsec_per_kpc(distance_mpc: float) -> float:
    """Angle on the sky of one kpc [arcsec] at a distance [Mpc], small angles, no cosmology."""
    return math.degrees(1e-3 / distance_mpc) * 3600.0
