"""Spherical components (halo, bulge): density profiles, potentials of shells, isotropic velocities.

Velocities follow the distribution function f(E) that the density needs in the potential of everything,
found by Eddington's inversion (Eddington 1916; Binney & Tremaine 2008, eq. 4.46b).  The potential is that of
shells of mass, optionally with the Plummer softening that the simulation will use.
"""

from __future__ import annotations

import numpy as np

from galclass.errors import ConfigError
from galclass.units import G

#: Radii of the tables, per kpc of scale radius and of truncation radius.
_INNERMOST, _OUTERMOST, _TABLE = 1e-3, 12.0, 500


def radial_table(scales_kpc: list[float], truncation_kpc: float) -> np.ndarray:
    """Edges of shells [kpc], shape (500,), logarithmic, from inside the smallest scale to where nothing is left."""
    return np.geomspace(_INNERMOST * min(scales_kpc), _OUTERMOST * truncation_kpc, _TABLE)


def density_shape(profile: str, radii: np.ndarray, scale_kpc: float, truncation_kpc: float) -> np.ndarray:
    """Density [any unit] of a truncated halo or bulge.

    Parameters
    ----------
    profile : {"nfw", "hernquist"}
        1/(x (1+x)^2) (Navarro, Frenk & White 1996) or 1/(x (1+x)^3) (Hernquist 1990), x = r / scale.
    radii : ndarray, shape (n,)
        Radii [kpc].
    scale_kpc, truncation_kpc : float
        Scale radius, and the radius of the factor sech(r / truncation) (McMillan & Dehnen 2007, eq. 3).

    Raises
    ------
    ConfigError
        If the profile is unknown.
    """
    powers = {"nfw": 2, "hernquist": 3}
    if profile not in powers:
        raise ConfigError(f"halo_profile {profile!r}: unknown; allowed are {', '.join(powers)}")
    x = radii / scale_kpc
    return 1.0 / (x * (1.0 + x) ** powers[profile] * np.cosh(radii / truncation_kpc))


def normalised(shape: np.ndarray, radii: np.ndarray, mass: float) -> tuple[np.ndarray, np.ndarray]:
    """Scale a density to a total mass.

    Parameters
    ----------
    shape, radii : ndarray, shape (n,)
        Density in any unit at radii [kpc]; 1/r inside the first.
    mass : float
        Total mass wanted [1e10 Msun].

    Returns
    -------
    density, enclosed : ndarray, shape (n,)
        Density [1e10 Msun/kpc^3] and mass inside each radius [1e10 Msun].
    """
    per_log = 4.0 * np.pi * radii**3 * shape
    steps = 0.5 * (per_log[1:] + per_log[:-1]) * np.diff(np.log(radii))
    # Inside the first radius the density goes as 1/r, so the mass is half of 4 pi r^3 rho.
    enclosed = np.concatenate([[0.0], np.cumsum(steps)]) + 0.5 * per_log[0]
    return shape * mass / enclosed[-1], enclosed * mass / enclosed[-1]


def shell_field(
    radii: np.ndarray, edges: np.ndarray, enclosed: np.ndarray, softening_kpc: float
) -> tuple[np.ndarray, np.ndarray]:
    """Potential and inward pull of a spherical mass, as particles with Plummer softening feel them.

    Parameters
    ----------
    radii : ndarray, shape (m,)
        Where to evaluate [kpc]; not halfway between two edges if the softening is 0.
    edges, enclosed : ndarray, shape (n,)
        Radii [kpc] and the mass inside each [1e10 Msun].
    softening_kpc : float
        Plummer softening e [kpc]; 0 for Newton's law.

    Returns
    -------
    potential, pull : ndarray, shape (m,)
        Potential [(km/s)^2] and its derivative along r [(km/s)^2/kpc].

    Notes
    -----
    A shell of mass m and radius s, averaged over angles, gives -2 G m / (A + B) with
    A, B = sqrt((r +- s)^2 + e^2), which for e = 0 is Newton's -G m / max(r, s).
    """
    shells = np.concatenate([[0.5 * edges[0]], np.sqrt(edges[1:] * edges[:-1])])
    masses = np.diff(enclosed, prepend=0.0)
    plus, minus = radii[:, None] + shells, radii[:, None] - shells
    a, b = np.hypot(plus, softening_kpc), np.hypot(minus, softening_kpc)
    potential = -2.0 * G * (masses / (a + b)).sum(axis=1)
    pull = 2.0 * G * (masses * (plus / a + minus / b) / (a + b) ** 2).sum(axis=1)
    return potential, pull


def distribution_function(density: np.ndarray, psi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Isotropic distribution function of a density in a potential.

    Parameters
    ----------
    density : ndarray, shape (n,)
        Density at rising radii [1e10 Msun/kpc^3].
    psi : ndarray, shape (n,)
        Minus the total potential there [(km/s)^2], falling.

    Returns
    -------
    energy, f : ndarray, shape (n,)
        Binding energy [(km/s)^2], rising, and f there [1e10 Msun/kpc^3 / (km/s)^3].

    Raises
    ------
    ConfigError
        If f is negative well away from the centre: no isotropic equilibrium exists.
    """
    from scipy.interpolate import CubicSpline

    energy, log_density = psi[::-1], np.log(density[::-1])
    spline = CubicSpline(energy, log_density)
    slope, bend = spline.derivative(1), spline.derivative(2)
    # psi = E - t^2 removes the root in Eddington's integral; t = T u^2 gathers nodes at the cusp of the centre.
    node, weight = np.polynomial.legendre.leggauss(160)
    u, weight = 0.5 * (node + 1.0), 0.5 * weight
    reach = np.sqrt(energy - energy[0])[:, None]
    at = energy[:, None] - (reach * u**2) ** 2
    second = np.exp(spline(at)) * (bend(at) + slope(at) ** 2)
    inner = (second * 2.0 * (2.0 * reach * u)) @ weight
    edge = np.zeros(len(energy))
    # What lies beyond the table continues as an exponential in psi; its share is the boundary term.
    edge[1:] = np.exp(log_density[0]) * slope(energy[0]) / reach[1:, 0]
    f = (inner + edge) / (np.sqrt(8.0) * np.pi**2)
    # Within 1 % of the depth of the potential a handful of particles live and the splines end: not a failure.
    if (f[1:][energy[1:] < 0.99 * energy[-1]] < 0.0).any():
        raise ConfigError("initial: no isotropic equilibrium for these masses and scales; lower a scale or a mass")
    return energy, np.maximum(f, 0.0)


def graded_masses(energy: np.ndarray, edges: np.ndarray, psi: np.ndarray, light_kpc: float) -> np.ndarray:
    """Relative mass of particles by their binding energy: those that never leave the middle weigh least.

    Heavy halo particles that cross a disc thicken it (Ludlow et al. 2021), while far out they do no harm.  Mass
    goes with the largest radius that an energy reaches, plus `light_kpc`.  Since energy is conserved, light particles
    stay inside and the galaxy stays in equilibrium.

    Parameters
    ----------
    energy : ndarray, shape (n,)
        Binding energies [(km/s)^2], rising.
    edges, psi : ndarray, shape (n,)
        Radii [kpc] and minus the potential there [(km/s)^2].
    light_kpc : float
        Inside this radius [kpc] masses differ by less than a factor of two.
    """
    return np.interp(energy, psi[::-1], edges[::-1]) + light_kpc


def enclosed_number(edges: np.ndarray, psi: np.ndarray, energy: np.ndarray, f: np.ndarray) -> np.ndarray:
    """Particles inside each radius, shape (n,), any unit, for a distribution function of particle number."""
    u = np.linspace(0.0, 1.0, 400)
    heights = u**2 * np.interp(np.outer(psi, 1.0 - u**2), energy, f, left=0.0)
    number = psi**1.5 * np.trapezoid(heights, u, axis=1)
    return normalised(number, edges, 1.0)[1]


def sample_radii(count: int, edges: np.ndarray, inside: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Radii [kpc], shape (count,), rising: one in each equal share of `inside`, so less noise than Poisson's."""
    share = (np.arange(count) + rng.random(count)) / count
    return np.interp(share * inside[-1], inside, edges)


def sample_speeds(psi: np.ndarray, energy: np.ndarray, f: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Speeds drawn from v^2 f(psi - v^2/2), evenly among neighbours.

    Parameters
    ----------
    psi : ndarray, shape (n,)
        Minus the potential at each particle [(km/s)^2], particles in order of radius.
    energy, f : ndarray, shape (m,)
        The table of `distribution_function`.
    rng : numpy Generator
        Source of random numbers.

    Returns
    -------
    ndarray, shape (n,)
        Speeds [km/s].

    Notes
    -----
    Shares of the distribution are taken along the golden-ratio sequence, so that every stretch of neighbours
    has all speeds in proportion: at 1e4 particles independent draws would upset the virial ratio by a per cent.
    """
    from scipy.interpolate import RegularGridInterpolator

    # Squared sines crowd the table towards both ends, where the slowest and the fastest few are.
    angle = np.linspace(0.0, 0.5 * np.pi, 400)
    table = _speeds_by_share(np.sin(angle) ** 2, energy[1:], energy, f)
    share = (np.arange(len(psi)) * 0.6180339887498949 + rng.random()) % 1.0
    depth = np.clip(psi, energy[1], energy[-1])
    u = RegularGridInterpolator((energy[1:], angle), table)(np.stack([depth, np.arcsin(np.sqrt(share))], axis=1))
    return u * np.sqrt(2.0 * psi)


def _speeds_by_share(shares: np.ndarray, depths: np.ndarray, energy: np.ndarray, f: np.ndarray) -> np.ndarray:
    """Speed over escape speed below which each share of the particles lies, shape (depths, shares)."""
    u = np.linspace(0.0, 1.0, 1000)
    heights = u**2 * np.interp(np.outer(depths, 1.0 - u**2), energy, f, left=0.0)
    below = np.cumsum(0.5 * (heights[:, 1:] + heights[:, :-1]), axis=1)
    below = np.concatenate([np.zeros((len(depths), 1)), below], axis=1)
    return np.stack([np.interp(shares * row[-1], row, u) for row in below])
