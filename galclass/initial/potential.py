"""The potential of a galaxy as its particles will feel it: axisymmetric, of thick and round parts, Plummer-softened.

A particle softened by e attracts as -G m / sqrt(d^2 + e^2).  For two points at radii r and s with an angle g between
them, r^2 + s^2 - 2 r s cos g + e^2 is again of that form, with radii a > b such that a^2 + b^2 = r^2 + s^2 + e^2 and
a b = r s; so the multipoles of a softened mass are those of Newton's law with b^l / a^(l+1) in place of
min(r, s)^l / max(r, s)^(l+1), exactly.  A thin sheet would need very many of them: discs use the Hankel transform.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from galclass.units import G

#: Even Legendre orders of the round parts: a halo is so little flattened that the last is 1e-5 of the first.
ORDERS = np.arange(0, 13, 2)
#: Cosines of the polar angle at which the round parts are tabled, from the plane to the axis, shape (m,).
COSINES = np.linspace(0.0, 1.0, 65)
_SIMPSON = np.r_[1.0, np.tile([4.0, 2.0], 32)[:-1], 1.0] / 192.0
#: Beyond this many scale lengths a disc is its monopole and its quadrupole; the next term is 3e-4 there.
_FAR = 20.0


# ------------------------------------------------------------------------------------------ round parts


def mean_over_angles(values: np.ndarray) -> np.ndarray:
    """Mean over the sphere of values at radii and `COSINES`, shape (n, m) -> (n,)."""
    return values @ _SIMPSON


def legendre(cosines: np.ndarray) -> np.ndarray:
    """Legendre polynomials of the orders `ORDERS`, shape (..., k), at cosines of any shape."""
    from scipy.special import eval_legendre

    return eval_legendre(ORDERS, np.asarray(cosines)[..., None])


def shell_weights(radii: np.ndarray) -> np.ndarray:
    """Weights w of sum(w rho) = integral of r^2 rho dr from 0 on, shape (n,); rho goes as 1/r inside the first."""
    steps = np.diff(np.log(radii))
    weights = 0.5 * np.concatenate([[0.0], steps]) + 0.5 * np.concatenate([steps, [0.0]])
    weights[0] += 0.5
    return weights * radii**3


def multipole_matrices(radii: np.ndarray, softening_kpc: float) -> np.ndarray:
    """Matrices that turn Legendre coefficients of a density into those of its potential.

    Parameters
    ----------
    radii : ndarray, shape (n,)
        Logarithmic radii [kpc] of the density and the potential.
    softening_kpc : float
        Plummer softening e [kpc]; 0 for Newton's law.

    Returns
    -------
    ndarray, shape (k, n, n)
        One matrix for each of `ORDERS`, [(km/s)^2] for [1e10 Msun/kpc^3].
    """
    plus = np.hypot(radii[:, None] + radii, softening_kpc)
    minus = np.hypot(radii[:, None] - radii, softening_kpc)
    larger = 0.5 * (plus + minus)
    ratio = np.outer(radii, radii) / larger**2
    base = -4.0 * np.pi * G * shell_weights(radii) / larger
    return np.stack([base * ratio**order / (2 * order + 1) for order in ORDERS])


@dataclass(frozen=True)
class Multipoles:
    """Potential [(km/s)^2] as a sum over even Legendre polynomials.

    Attributes
    ----------
    radii : ndarray, shape (n,)
        Logarithmic radii [kpc].
    coefficients : ndarray, shape (n, k)
        Coefficient of each of `ORDERS` there.
    """

    radii: np.ndarray
    coefficients: np.ndarray

    def __call__(self, radius: np.ndarray, height: np.ndarray) -> np.ndarray:
        """Potential at cylinder radii and heights [kpc] that broadcast; beyond the table that of its total mass."""
        from scipy.interpolate import CubicSpline

        distance = np.hypot(radius, height)
        inside = np.clip(distance, self.radii[0], self.radii[-1])
        cosines = np.abs(height) / np.maximum(distance, self.radii[0])
        terms = CubicSpline(np.log(self.radii), self.coefficients)(np.log(inside)) * legendre(cosines)
        return terms.sum(axis=-1) * inside / np.maximum(distance, inside)


def multipoles(radii: np.ndarray, density: np.ndarray, matrices: np.ndarray) -> Multipoles:
    """Potential of a density at radii and `COSINES`, shape (n, m) [1e10 Msun/kpc^3]; see `multipole_matrices`."""
    projected = (2 * ORDERS + 1) * ((density * _SIMPSON) @ legendre(COSINES))
    return Multipoles(radii, np.einsum("kij,jk->ik", matrices, projected))


def on_grid(potential, radii: np.ndarray) -> np.ndarray:
    """A potential, a function of cylinder radius and height, at spherical radii and `COSINES`, shape (n, m)."""
    return potential(np.outer(radii, np.sqrt(1.0 - COSINES**2)), np.outer(radii, COSINES))


# ------------------------------------------------------------------------------------------------- disc


@dataclass(frozen=True)
class Disc:
    """An exponential disc with a sech^2 layer: mass [1e10 Msun], scale length and height [kpc].

    Density M / (4 pi R_d^2 z_0) exp(-R / R_d) sech^2(z / z_0) (van der Kruit & Searle 1981).
    """

    mass: float
    scale_kpc: float
    height_kpc: float

    def surface_density(self, radii: np.ndarray) -> np.ndarray:
        """Surface density [1e10 Msun/kpc^2] at radii [kpc]."""
        return self.mass / (2.0 * np.pi * self.scale_kpc**2) * np.exp(-radii / self.scale_kpc)

    def enclosed(self, radii: np.ndarray) -> np.ndarray:
        """Mass [1e10 Msun] inside cylinders of these radii [kpc]."""
        x = radii / self.scale_kpc
        return self.mass * -np.expm1(-x + np.log1p(x))

    def layer(self, count: int = 200) -> np.ndarray:
        """Heights [kpc] of equal shares of the layer's mass, rising, shape (count,)."""
        return self.height_kpc * np.arctanh((2.0 * np.arange(count) + 1.0) / count - 1.0)


def stretched(first: float, last: float, count: int) -> np.ndarray:
    """Numbers from 0 to `last`, evenly spaced below `first` and logarithmic above it, shape (count,)."""
    return first * np.sinh(np.linspace(0.0, np.arcsinh(last / first), count))


@dataclass(frozen=True)
class DiscPotential:
    """Potential of a disc, softened: a table out to 20 scale lengths, multipoles beyond."""

    disc: Disc
    table: object

    def __call__(self, radius: np.ndarray, height: np.ndarray) -> np.ndarray:
        """Potential [(km/s)^2] at cylinder radii and heights [kpc] that broadcast."""
        radius, height = np.broadcast_arrays(radius, height)
        distance = np.hypot(radius, height)
        near = distance < _FAR * self.disc.scale_kpc
        potential = np.empty(distance.shape)
        potential[near] = self.table.ev(radius[near], height[near])
        potential[~near] = self._far(distance[~near], height[~near])
        return potential

    def _far(self, distance: np.ndarray, height: np.ndarray) -> np.ndarray:
        """Monopole and quadrupole; the mean squares of an exponential and a sech^2 are 6 R_d^2 and pi^2/12 z_0^2."""
        spread = np.pi**2 / 12.0 * self.disc.height_kpc**2 - 3.0 * self.disc.scale_kpc**2
        quadrupole = 0.5 * (3.0 * (height / distance) ** 2 - 1.0) * spread / distance**2
        return -G * self.disc.mass / distance * (1.0 + quadrupole)


def disc_potential(disc: Disc, softening_kpc: float) -> DiscPotential:
    """Potential of a disc by the Hankel transform of its surface density (Freeman 1970).

    Parameters
    ----------
    disc : Disc
        The disc.
    softening_kpc : float
        Plummer softening e [kpc].

    Notes
    -----
    A sheet has Phi(R, s) = -G M int dk J0(kR) (1 + k^2 R_d^2)^(-3/2) exp(-k s) at a height s (Binney & Tremaine
    2008, section 2.6.2); with softening s = sqrt((z - z')^2 + e^2), and a layer is the mean over its heights z'.
    """
    from scipy.interpolate import CubicSpline, RectBivariateSpline

    scale, far = disc.scale_kpc, 1.05 * _FAR * disc.scale_kpc
    radii, heights = stretched(0.5 * scale, far, 120), stretched(disc.height_kpc, far, 90)
    lifts = stretched(0.2 * disc.height_kpc, 1.5 * far, 160)
    sheet = CubicSpline(lifts, _sheet_potential(disc, radii, lifts))
    shares = disc.layer()
    layer = np.stack([sheet(np.hypot(z - shares, softening_kpc)).mean(axis=0) for z in heights], axis=1)
    # Mirrored at the axis and the plane, so that the spline is even in both.
    layer = np.concatenate([layer[:0:-1], layer])
    layer = np.concatenate([layer[:, :0:-1], layer], axis=1)
    return DiscPotential(disc, RectBivariateSpline(_mirrored(radii), _mirrored(heights), layer))


def _sheet_potential(disc: Disc, radii: np.ndarray, lifts: np.ndarray) -> np.ndarray:
    """Potential [(km/s)^2] of the disc pressed into a sheet, at distances `lifts` from it, shape (lifts, radii)."""
    from scipy.special import j0

    # Steps of 0.02 resolve J0(kR) over the table; beyond the last k the transform has fallen to 1e-5 and less.
    k = np.arange(0.01, max(60.0, 10.0 * disc.scale_kpc / disc.height_kpc), 0.02) / disc.scale_kpc
    step = k[1] - k[0]
    weight = step * (1.0 + (k * disc.scale_kpc) ** 2) ** -1.5
    # The sum over the middles of steps lacks the integrand's slope at k = 0 (Euler & Maclaurin).
    total = np.exp(-np.outer(lifts, k)) @ (weight[:, None] * j0(np.outer(k, radii))) + step**2 / 24.0 * lifts[:, None]
    return -G * disc.mass * total


def _mirrored(values: np.ndarray) -> np.ndarray:
    """Values from 0 on, continued to their negatives."""
    return np.concatenate([-values[:0:-1], values])


@dataclass(frozen=True)
class Potential:
    """Potential of a whole galaxy [(km/s)^2], at cylinder radii and heights [kpc] that broadcast."""

    parts: tuple

    def __call__(self, radius: np.ndarray, height: np.ndarray) -> np.ndarray:
        return sum(part(radius, height) for part in self.parts)
