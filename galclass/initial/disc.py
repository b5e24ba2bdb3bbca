"""The exponential disc: its own gravity, and velocities from the Jeans equations in the total potential.

Density: M / (4 pi R_d^2 z_0) exp(-R / R_d) sech^2(z / z_0) (van der Kruit & Searle 1981).  Moments as in
Hernquist (1993, ApJS 86, 389), except that forces are those of the disc itself, thick and softened, not of
a sphere of its mass.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from galclass.units import G

#: Toomre's constant for stars: Q = sigma_R kappa / (3.36 G Sigma) (Toomre 1964).
TOOMRE = 3.36
#: Where the disc ends, in scale lengths and scale heights (5e-5 of the mass lies outside either).
_LAST_SCALE, _LAST_HEIGHT = 12.0, 5.0


@dataclass(frozen=True)
class Disc:
    """Mass [1e10 Msun], scale length and sech^2 height [kpc], and Toomre's Q at every radius."""

    mass: float
    scale_kpc: float
    height_kpc: float
    toomre_q: float

    def surface_density(self, radii: np.ndarray) -> np.ndarray:
        """Surface density [1e10 Msun/kpc^2] at radii [kpc]."""
        return self.mass / (2.0 * np.pi * self.scale_kpc**2) * np.exp(-radii / self.scale_kpc)

    def enclosed(self, radii: np.ndarray) -> np.ndarray:
        """Mass [1e10 Msun] inside cylinders of these radii [kpc]."""
        x = radii / self.scale_kpc
        return self.mass * -np.expm1(-x + np.log1p(x))


@dataclass(frozen=True)
class Moments:
    """Velocity moments of a disc on a grid of R and z >= 0.

    Attributes
    ----------
    radii, heights : ndarray, shapes (m,), (k,)
        The grid [kpc].
    sigma_r, sigma_phi : ndarray, shape (m,)
        Radial and azimuthal dispersions [km/s].
    sigma_z, rotation : ndarray, shape (m, k)
        Vertical dispersion and mean rotation [km/s].
    circular, kappa : ndarray, shape (m,)
        Circular speed [km/s] and epicyclic frequency [km/s/kpc] in the plane.
    """

    radii: np.ndarray
    heights: np.ndarray
    sigma_r: np.ndarray
    sigma_phi: np.ndarray
    sigma_z: np.ndarray
    rotation: np.ndarray
    circular: np.ndarray
    kappa: np.ndarray


def field(disc: Disc, radii: np.ndarray, heights: np.ndarray, softening_kpc: float) -> tuple[np.ndarray, np.ndarray]:
    """Derivatives of the disc's potential.

    Parameters
    ----------
    disc : Disc
        The disc.
    radii, heights : ndarray, shapes (m,), (k,)
        R and z [kpc].
    softening_kpc : float
        Plummer softening e [kpc].

    Returns
    -------
    along_r, along_z : ndarray, shape (m, k)
        dPhi/dR and dPhi/dz [(km/s)^2/kpc].

    Notes
    -----
    Hankel transform of the surface density (Freeman 1970; Binney & Tremaine 2008, section 2.6.2):
    Phi(R, z) = -G M int dk J0(kR) (1 + k^2 R_d^2)^(-3/2) <exp(-k sqrt((z - z')^2 + e^2))>, averaged over the
    sech^2 layer z'.  Thin and unsoftened, it is Freeman's formula.
    """
    from scipy.special import j0, j1

    # 0.02 resolves J0(kR) out to 12 scale lengths; beyond 60 the transform has fallen to 5e-6.
    k = np.arange(0.01, 60.0, 0.02) / disc.scale_kpc
    weight = G * disc.mass * (k[1] - k[0]) * (1.0 + (k * disc.scale_kpc) ** 2) ** -1.5
    layer_r, layer_z = _layer(k, heights, disc.height_kpc, softening_kpc)
    kr = np.outer(radii, k)
    return j1(kr) @ (weight * k * layer_r).T, j0(kr) @ (weight * k * layer_z).T


def _layer(
    k: np.ndarray, heights: np.ndarray, height_kpc: float, softening_kpc: float
) -> tuple[np.ndarray, np.ndarray]:
    """Means over a sech^2 layer of exp(-k s) and exp(-k s) (z - z')/s, s^2 = (z - z')^2 + e^2, shape (z, k)."""
    # Equal shares of the layer's mass: z' = z0 artanh(2q - 1).
    layer = height_kpc * np.arctanh((2.0 * np.arange(200) + 1.0) / 200.0 - 1.0)
    pairs = [_layer_at(k, height - layer, softening_kpc) for height in heights]
    return np.stack([r for r, _ in pairs]), np.stack([z for _, z in pairs])


def _layer_at(k: np.ndarray, lift: np.ndarray, softening_kpc: float) -> tuple[np.ndarray, np.ndarray]:
    """`_layer` at one height, `lift` above the layer's shares, shape (200,)."""
    s = np.hypot(lift, softening_kpc)
    decay = np.exp(-np.outer(s, k))
    return decay.mean(axis=0), (lift / np.maximum(s, 1e-300)) @ decay / len(lift)


def moments(disc: Disc, pull, softening_kpc: float) -> Moments:
    """Velocity moments of the disc in its own and the spheres' gravity.

    Parameters
    ----------
    disc : Disc
        The disc.
    pull : callable
        Derivative of the spheres' potential [(km/s)^2/kpc] as a function of radius [kpc].
    softening_kpc : float
        Plummer softening [kpc].

    Returns
    -------
    Moments
        sigma_R from Toomre's Q, sigma_phi from the epicyclic ratio, sigma_z from the vertical Jeans equation,
        rotation from the radial one (asymmetric drift); Binney & Tremaine (2008), eqs 4.222, 4.227.
    """
    radii = np.geomspace(0.02, _LAST_SCALE, 96) * disc.scale_kpc
    heights = np.linspace(0.0, _LAST_HEIGHT, 26) * disc.height_kpc
    along_r, along_z = field(disc, radii, heights, softening_kpc)
    distance = np.hypot(radii[:, None], heights)
    inward = pull(distance.ravel()).reshape(distance.shape) / distance
    along_r, along_z = along_r + inward * radii[:, None], along_z + inward * heights
    kappa_squared, omega_squared = _frequencies(radii, along_r[:, 0])
    sigma_r = disc.toomre_q * TOOMRE * G * disc.surface_density(radii) / np.sqrt(kappa_squared)
    ratio = kappa_squared / (4.0 * omega_squared)
    drift = 1.0 - ratio + np.gradient(2.0 * np.log(sigma_r), np.log(radii)) - radii / disc.scale_kpc
    rotation = np.sqrt(np.maximum(radii[:, None] * along_r + (sigma_r**2 * drift)[:, None], 0.0))
    sigma_z = _vertical_dispersion(heights, along_z, disc.height_kpc)
    sigma_phi, kappa = sigma_r * np.sqrt(ratio), np.sqrt(kappa_squared)
    circular = np.sqrt(radii * along_r[:, 0])
    return Moments(radii, heights, sigma_r, sigma_phi, sigma_z, rotation, circular, kappa)


def _frequencies(radii: np.ndarray, pull: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squares of the epicyclic and the circular frequency from the pull in the plane."""
    omega_squared = pull / radii
    kappa_squared = omega_squared * (4.0 + np.gradient(np.log(omega_squared), np.log(radii)))
    return kappa_squared, omega_squared


def _vertical_dispersion(heights: np.ndarray, along_z: np.ndarray, height_kpc: float) -> np.ndarray:
    """Dispersion from rho sigma^2 = int_z^inf rho dPhi/dz dz, shape (R, z)."""
    layer = np.cosh(heights / height_kpc) ** -2.0
    integrand = layer * along_z
    steps = 0.5 * (integrand[:, 1:] + integrand[:, :-1]) * np.diff(heights)
    beyond = along_z[:, -1:] * height_kpc * (1.0 - np.tanh(heights[-1] / height_kpc))
    above = np.concatenate([np.cumsum(steps[:, ::-1], axis=1)[:, ::-1], np.zeros_like(beyond)], axis=1)
    return np.sqrt((above + beyond) / layer)


def sample(disc: Disc, moments: Moments, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Positions [kpc] and velocities [km/s], shapes (count, 3), of disc particles; the spin is along +z."""
    from scipy.interpolate import RegularGridInterpolator

    radius, z = _sample_places(disc, count, rng)
    grid = (moments.radii, moments.heights)
    place = np.stack([np.clip(radius, moments.radii[0], None), np.abs(z)], axis=1)
    rotation, sigma_z = (RegularGridInterpolator(grid, values)(place) for values in (moments.rotation, moments.sigma_z))
    sigma_r, sigma_phi = (np.interp(radius, moments.radii, s) for s in (moments.sigma_r, moments.sigma_phi))
    # Inside the table's first radius rotation falls to zero with R.
    rotation *= np.minimum(1.0, radius / moments.radii[0])
    v_r, v_phi, v_z = rng.standard_normal((3, count)) * [sigma_r, sigma_phi, sigma_z]
    v_phi += rotation
    phi = rng.uniform(0.0, 2.0 * np.pi, count)
    cos, sin = np.cos(phi), np.sin(phi)
    positions = np.stack([radius * cos, radius * sin, z], axis=1)
    return positions, np.stack([v_r * cos - v_phi * sin, v_r * sin + v_phi * cos, v_z], axis=1)


def _sample_places(disc: Disc, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """R and z [kpc]; radii one in each equal share of the mass, as for the spheres."""
    table = np.linspace(0.0, _LAST_SCALE * disc.scale_kpc, 4000)
    inside = disc.enclosed(table)
    share = (np.arange(count) + rng.random(count)) / count
    radius = rng.permutation(np.interp(share * inside[-1], inside, table))
    top = np.tanh(_LAST_HEIGHT)
    return radius, disc.height_kpc * np.arctanh(rng.uniform(-top, top, count))
