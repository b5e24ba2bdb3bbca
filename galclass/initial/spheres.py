"""Halo and bulge: isotropic distribution functions, in equilibrium with the flattened potential of everything.

A spheroid has a distribution function f(E) of energy alone, found by Eddington's inversion (Eddington 1916; Binney &
Tremaine 2008, eq. 4.46b) of the density asked for in the total potential averaged over angles.  Any f(E) is in
equilibrium in any potential; in the true one, which the disc flattens, its density is a function of the potential
alone, and the potential of that density and of the disc is found by iteration (Kuijken & Dubinski 1995, MNRAS 277,
1341; Widrow & Dubinski 2005, ApJ 631, 838).
"""

from __future__ import annotations

import numpy as np

from galclass.errors import ConfigError
from galclass.initial.draws import directions, even_shares, interpolate
from galclass.initial.potential import (
    COSINES,
    Multipoles,
    mean_over_angles,
    multipole_matrices,
    multipoles,
    on_grid,
    shell_weights,
)

#: Radii of the tables, per kpc of scale radius and of truncation radius.
_INNERMOST, _OUTERMOST, _TABLE = 1e-3, 12.0, 500
#: The potential has settled when no value moves by more than this part; reached in five or six steps.
_SETTLED, _STEPS = 1e-5, 30


def radial_table(scales_kpc: list[float], truncation_kpc: float) -> np.ndarray:
    """Radii [kpc], shape (500,), logarithmic, from inside the smallest scale to where nothing is left."""
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


def normalised(shape: np.ndarray, radii: np.ndarray, mass: float) -> np.ndarray:
    """Density [1e10 Msun/kpc^3] of the total mass asked for [1e10 Msun], from a density in any unit."""
    return shape * mass / (4.0 * np.pi * shell_weights(radii) @ shape)


# -------------------------------------------------------------------------------------------- equilibrium


def settle(
    radii: np.ndarray, densities: list[np.ndarray], disc: np.ndarray, softening_kpc: float
) -> tuple[np.ndarray, Multipoles]:
    """Potential of spheroids and disc in which each spheroid's density is a function of the potential.

    Parameters
    ----------
    radii : ndarray, shape (n,)
        Logarithmic radii [kpc].
    densities : list of ndarray, shape (n,)
        Density asked for of each spheroid, as a mean over angles [1e10 Msun/kpc^3].
    disc : ndarray, shape (n, m)
        Potential of the disc [(km/s)^2] at the radii and `COSINES`.
    softening_kpc : float
        Plummer softening [kpc].

    Returns
    -------
    psi : ndarray, shape (n, m)
        Minus the total potential there [(km/s)^2].
    spheroids : Multipoles
        Their part of the potential.

    Raises
    ------
    ConfigError
        If the iteration does not settle.
    """
    matrices = multipole_matrices(radii, softening_kpc)
    spheroids = multipoles(radii, sum(densities)[:, None] * np.ones_like(disc), matrices)
    psi = -disc - on_grid(spheroids, radii)
    for _ in range(_STEPS):
        mean = mean_over_angles(psi)
        settled = sum(_spread(density, radii, mean, psi) for density in densities)
        spheroids = multipoles(radii, settled, matrices)
        new = -disc - on_grid(spheroids, radii)
        moved, psi = np.abs(new / psi - 1.0).max(), new
        if moved < _SETTLED:
            return psi, spheroids
    raise ConfigError(f"initial: halo and disc do not settle ({moved:.0e} of the potential still moves); lower a mass")


def _spread(density: np.ndarray, radii: np.ndarray, mean: np.ndarray, psi: np.ndarray) -> np.ndarray:
    """The density as a function of the potential, shape (n, m), of unchanged mass."""
    spread = np.exp(np.interp(psi, mean[::-1], np.log(density[::-1])))
    weights = shell_weights(radii)
    return spread * (weights @ density) / (weights @ mean_over_angles(spread))


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
    # The boundary term is left out: hardly anything is left at the last radius.
    f = (second * 4.0 * reach * u) @ weight / (np.sqrt(8.0) * np.pi**2)
    # Within 1 % of the depth of the potential a handful of particles live and the splines end: not a failure.
    if (f[1:][energy[1:] < 0.99 * energy[-1]] < 0.0).any():
        raise ConfigError("initial: no isotropic equilibrium for these masses and scales; lower a scale or a mass")
    return energy, np.maximum(f, 0.0)


def graded_masses(
    energy: np.ndarray, radii: np.ndarray, psi: np.ndarray, light_kpc: float, heavy_kpc: float
) -> np.ndarray:
    """Relative mass of particles by their binding energy: those that never leave the middle weigh least.

    Heavy halo particles that cross a disc thicken it (Ludlow et al. 2021), while far out they do no harm.  Mass
    goes with the largest radius that an energy reaches, plus `light_kpc`.  Since energy is conserved, light particles
    stay inside and the galaxy stays in equilibrium.

    Parameters
    ----------
    energy : ndarray, shape (n,)
        Binding energies [(km/s)^2], rising.
    radii, psi : ndarray, shape (n,)
        Radii [kpc] and minus the potential there [(km/s)^2].
    light_kpc : float
        Inside this radius [kpc] masses differ by less than a factor of two.
    heavy_kpc : float
        Particles that go farther than this [kpc] weigh the same: the few farthest would else weigh too much.
    """
    return np.minimum(np.interp(energy, psi[::-1], radii[::-1]), heavy_kpc) + light_kpc


# ----------------------------------------------------------------------------------------------- sampling


def sample(
    count: int, radii: np.ndarray, psi: np.ndarray, energy: np.ndarray, f: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw particles from a distribution function of energy.

    Parameters
    ----------
    count : int
        Number of particles.
    radii, psi : ndarray, shapes (n,), (n, m)
        Radii [kpc], and minus the potential [(km/s)^2] there and at `COSINES`.
    energy, f : ndarray, shape (n,)
        Binding energies [(km/s)^2], rising, and the number of particles in phase space, any unit.
    rng : numpy Generator
        Source of random numbers.

    Returns
    -------
    positions, velocities : ndarray, shape (count, 3)
        [kpc] and [km/s].
    binding : ndarray, shape (count,)
        Binding energy of each [(km/s)^2].
    """
    # Each particle has a twin opposite to it: a few far particles else push the cusp off the centre of mass.
    shares = even_shares((count + 1) // 2, 6, rng)
    number = np.interp(psi, energy, density(energy, energy, f))
    radius, cosine = _places(shares[0], shares[1], radii, number)
    depth = interpolate((np.log(radii), COSINES), psi, np.log(radius), np.abs(cosine))
    speeds = _speeds(shares[2], depth, energy, f)
    sine = radius * np.sqrt(1.0 - cosine**2)
    angle = 2.0 * np.pi * shares[3]
    positions = np.stack([sine * np.cos(angle), sine * np.sin(angle), radius * cosine], axis=1)
    velocities = speeds[:, None] * directions(shares[4:])
    binding = depth - 0.5 * speeds**2
    return tuple(_twins(part, sign)[:count] for part, sign in ((positions, -1), (velocities, -1), (binding, 1)))


def _twins(values: np.ndarray, sign: int) -> np.ndarray:
    return np.concatenate([values, sign * values])


def density(depth: np.ndarray, energy: np.ndarray, f: np.ndarray) -> np.ndarray:
    """Density of a distribution function where minus the potential is `depth` [(km/s)^2], any shape."""
    u = np.linspace(0.0, 1.0, 400)
    heights = u**2 * np.interp(np.multiply.outer(depth, 1.0 - u**2), energy, f, left=0.0)
    return 4.0 * np.pi * (2.0 * depth) ** 1.5 * np.trapezoid(heights, u)


def _places(
    outward: np.ndarray, polar: np.ndarray, radii: np.ndarray, number: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Radii [kpc] and cosines of the polar angle from uniform numbers, for a density at radii and `COSINES`."""
    steps = shell_weights(radii) * mean_over_angles(number)
    inside = np.cumsum(steps) - 0.5 * steps
    radius = np.exp(np.interp(outward * steps.sum(), inside, np.log(radii)))
    below = np.cumsum(0.5 * (number[:, 1:] + number[:, :-1]), axis=1)
    rows = [np.interp(COSINES * row[-1], np.r_[0.0, row], COSINES) for row in below]
    shift = 2.0 * polar - 1.0
    cosine = interpolate((np.log(radii), COSINES), np.stack(rows), np.log(radius), np.abs(shift))
    return radius, np.copysign(cosine, shift)


def _speeds(share: np.ndarray, depth: np.ndarray, energy: np.ndarray, f: np.ndarray) -> np.ndarray:
    """Speeds [km/s] below which each share of v^2 f(depth - v^2/2) lies, shape (n,)."""
    # Squared sines crowd the table towards both ends, where the slowest and the fastest few are.
    angle = np.linspace(0.0, 0.5 * np.pi, 400)
    table = _speeds_by_share(np.sin(angle) ** 2, energy[1:], energy, f)
    depth = np.clip(depth, energy[1], energy[-1])
    return np.sqrt(2.0 * depth) * interpolate((energy[1:], angle), table, depth, np.arcsin(np.sqrt(share)))


def _speeds_by_share(shares: np.ndarray, depths: np.ndarray, energy: np.ndarray, f: np.ndarray) -> np.ndarray:
    """Speed over escape speed below which each share of the particles lies, shape (depths, shares)."""
    u = np.linspace(0.0, 1.0, 1000)
    heights = u**2 * np.interp(np.outer(depths, 1.0 - u**2), energy, f, left=0.0)
    below = np.cumsum(0.5 * (heights[:, 1:] + heights[:, :-1]), axis=1)
    below = np.concatenate([np.zeros((len(depths), 1)), below], axis=1)
    return np.stack([np.interp(shares * row[-1], row, u) for row in below])
