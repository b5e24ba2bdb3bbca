"""Motion in the plane of a disc: a distribution function with the surface density and the dispersion asked for.

After Dehnen (1999, AJ 118, 1201) and McMillan & Dehnen (2007, MNRAS 378, 541).  An orbit has the energy of the
circular orbit of radius R_E and the share 1 - x of its angular momentum; orbits are drawn with
dM ~ M~(R_E) exp(-x / tau(R_E)) dR_E dx, 0 < x < 2, and stars lie on them as time passes.  Any function of two
integrals of motion is in equilibrium; M~ and tau are corrected until the disc is the one asked for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from galclass.initial.draws import interpolate

#: Radii of circular orbits, angles of eccentricity, and phases from pericentre to apocentre of the table of orbits.
_RADII, _ANGLES, _PHASES = 160, 33, 33
#: Corrections of the distribution function; after about ten it changes by less than 1e-3.
_CORRECTIONS = 20
#: The widest spread of x: orbits are then nearly isotropic.
_WIDEST = 5.0


@dataclass(frozen=True)
class Orbits:
    """Orbits in a plane.

    Attributes
    ----------
    inner_kpc, step : float
        Radii are inner_kpc sinh((i + 1/2) step): even inside it and logarithmic outside.
    radii, speeds : ndarray, shape (n,)
        R_E [kpc] and the circular speed there [km/s].
    angles : ndarray, shape (k,)
        a of eccentricity, with 1 - x = cos(a), from 0 (circular) to pi/2 (radial).
    phases : ndarray, shape (p,)
        Share of the time from pericentre to apocentre.
    states : ndarray, shape (n, k, p, 2)
        Radius over R_E, and outward speed over the circular speed.
    """

    inner_kpc: float
    step: float
    radii: np.ndarray
    speeds: np.ndarray
    angles: np.ndarray
    phases: np.ndarray
    states: np.ndarray

    def index(self, radius: np.ndarray) -> np.ndarray:
        """Place of radii [kpc] among `radii`, as a number that need not be whole."""
        return np.clip(np.arcsinh(radius / self.inner_kpc) / self.step - 0.5, 0.0, len(self.radii) - 1.0)

    def deposit(self, radius: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Sums of weights at `radii`, each shared between its two neighbours, row by row: (r, k), (r, k) -> (r, n)."""
        index, count = self.index(radius), len(self.radii)
        low = np.minimum(index.astype(int), count - 2)
        share = index - low
        low += count * np.arange(len(radius))[:, None]
        sums = np.bincount(low.ravel(), (weights * (1.0 - share)).ravel(), len(radius) * count)
        sums += np.bincount(low.ravel() + 1, (weights * share).ravel(), len(radius) * count)
        return sums.reshape(-1, count)

    def states_at(self, index: np.ndarray, angle: np.ndarray, phase: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Radius over R_E and outward speed over the circular speed, for arrays of one shape."""
        axes = (np.arange(len(self.radii)), self.angles, self.phases)
        both = interpolate(axes, self.states, index, angle, phase)
        return both[..., 0], both[..., 1]


def orbits(potential, scale_kpc: float, last_kpc: float) -> Orbits:
    """Table of the orbits in a plane.

    Parameters
    ----------
    potential : callable
        Potential [(km/s)^2] of radii [kpc].
    scale_kpc, last_kpc : float
        Scale length of the disc, and the largest R_E [kpc].
    """
    from scipy.interpolate import CubicSpline

    inner = 0.5 * scale_kpc
    step = np.arcsinh(last_kpc / inner) / _RADII
    radii = inner * np.sinh((np.arange(_RADII) + 0.5) * step)
    # An orbit of the energy of a circular one reaches at most twice as far, in the field of a point.
    fine = 0.1 * inner * np.sinh(np.linspace(0.0, np.arcsinh(2.2 * last_kpc / (0.1 * inner)), 800))
    spline = CubicSpline(fine, potential(fine))
    speeds = np.sqrt(radii * spline(radii, 1))
    angles = np.linspace(0.0, 0.5 * np.pi, _ANGLES)
    phases = np.linspace(0.0, 1.0, _PHASES)
    states = np.zeros((_RADII, _ANGLES, _PHASES, 2))
    states[:, 0, :, 0] = 1.0
    states[:, 1:] = _states(spline, radii, speeds, angles[1:], phases)
    return Orbits(inner, step, radii, speeds, angles, phases, states)


def _states(spline, radii: np.ndarray, speeds: np.ndarray, angles: np.ndarray, phases: np.ndarray) -> np.ndarray:
    """`Orbits.states` of orbits that are not circular."""
    energy = (spline(radii) + 0.5 * speeds**2)[:, None, None]
    spin = np.outer(radii * speeds, np.cos(angles))[..., None]
    home = np.broadcast_to(radii[:, None, None], spin.shape)

    def square(radius):
        """Square of radius times outward speed."""
        return 2.0 * (energy - spline(radius)) * radius**2 - spin**2

    near, far = _root(square, 0.0 * home, home), _root(square, 2.1 * home, home)
    # R = mean - half cos(u) makes the time smooth in u at both turning points.
    edges = np.linspace(0.0, np.pi, 2 * len(phases) + 1)
    u = 0.5 * (edges[1:] + edges[:-1])
    mean, half = 0.5 * (near + far), 0.5 * (far - near)
    radius = mean - half * np.cos(u)
    pace = half * np.sin(u) * radius / np.sqrt(np.maximum(square(radius), 1e-30))
    times = np.cumsum(pace, axis=-1)
    times = np.concatenate([np.zeros_like(mean), times], axis=-1) / times[..., -1:]
    u = np.apply_along_axis(lambda row: np.interp(phases, row, edges), -1, times)
    radius = mean - half * np.cos(u)
    outward = np.sqrt(np.maximum(square(radius), 0.0)) / np.maximum(radius, 1e-9 * mean)
    outward[..., [0, -1]] = 0.0
    return np.stack([radius / home, outward / speeds[:, None, None]], axis=-1)


def _root(function, negative: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """Where a function of an array changes its sign, by bisection."""
    for _ in range(50):
        middle = 0.5 * (negative + positive)
        below = function(middle) < 0.0
        negative, positive = np.where(below, middle, negative), np.where(below, positive, middle)
    return positive


# ---------------------------------------------------------------------------------- distribution function


@dataclass(frozen=True)
class Plane:
    """Orbits with the number of stars on each.

    Attributes
    ----------
    orbits : Orbits
        The table.
    masses, spreads : ndarray, shape (n,)
        M~ at each R_E, any unit, and tau.
    """

    orbits: Orbits
    masses: np.ndarray
    spreads: np.ndarray

    def shares(self) -> tuple[np.ndarray, np.ndarray]:
        """Where the stars of each R_E are: shares of mass and of mass times squared outward speed, shape (n, n)."""
        table = self.orbits
        node, weight = np.polynomial.legendre.leggauss(24)
        # The cube gathers nodes where orbits are most eccentric.
        left = 0.5 * (1.0 - node)
        angle = _angle(eccentricities(1.0 - left**3, self.spreads[:, None]))
        index = np.minimum(angle / table.angles[1], len(table.angles) - 1.0 - 1e-9)
        low, rows = index.astype(int), np.arange(len(table.radii))[:, None]
        part = (index - low)[..., None, None]
        states = table.states[rows, low] * (1.0 - part) + table.states[rows, low + 1] * part
        time = np.r_[0.5, np.ones(len(table.phases) - 2), 0.5] / (len(table.phases) - 1.0)
        weights = np.multiply.outer(1.5 * weight * left**2, time)
        radius = states[..., 0] * table.radii[:, None, None]
        pressure = weights * (states[..., 1] * table.speeds[:, None, None]) ** 2
        flat = (len(table.radii), -1)
        weights = np.broadcast_to(weights, radius.shape)
        return tuple(table.deposit(radius.reshape(flat), part.reshape(flat)) for part in (weights, pressure))

    def draw(
        self, share: np.ndarray, eccentricity: np.ndarray, phase: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Stars from uniform numbers, shape (n,).

        Returns
        -------
        home, radius : ndarray, shape (n,)
            R_E and the radius now [kpc].
        outward, across : ndarray, shape (n,)
            Velocity along the radius and along the rotation [km/s].
        """
        table = self.orbits
        fine = np.linspace(0.0, len(self.masses) - 1.0, 20 * len(self.masses))
        density = np.interp(fine, np.arange(len(self.masses)), self.masses)
        inside = np.r_[0.0, np.cumsum(0.5 * (density[1:] + density[:-1]))]
        index = np.interp(share * inside[-1], inside, fine)
        home = table.inner_kpc * np.sinh((index + 0.5) * table.step)
        x = eccentricities(eccentricity, np.interp(home, table.radii, self.spreads))
        half = np.abs(2.0 * phase - 1.0)
        radius, outward = table.states_at(index, _angle(x), half)
        speed = np.interp(home, table.radii, table.speeds)
        across = (1.0 - x) * speed / radius
        return home, radius * home, np.copysign(outward * speed, phase - 0.5), across


def eccentricities(share: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """x below which a share of the stars lies, for exp(-x / spread) between 0 and 2."""
    return -spread * np.log1p(share * np.expm1(-2.0 / spread))


def _angle(x: np.ndarray) -> np.ndarray:
    """Angle of eccentricity, 0 to pi/2, of orbits that turn either way."""
    return np.arccos(np.minimum(np.abs(1.0 - x), 1.0))


def find_plane(orbits: Orbits, masses: np.ndarray, dispersions: np.ndarray) -> Plane:
    """Find the distribution function of a disc.

    Parameters
    ----------
    orbits : Orbits
        The table.
    masses : ndarray, shape (n,)
        Mass wanted near each of the table's radii (`Orbits.deposit`), any unit.
    dispersions : ndarray, shape (n,)
        Radial velocity dispersion wanted there [km/s].
    """
    found, spreads = masses, (dispersions / orbits.speeds) ** 2
    for _ in range(_CORRECTIONS):
        now = Plane(orbits, found, np.clip(spreads, 1e-9, _WIDEST))
        mass, pressure = (found @ shares for shares in now.shares())
        found = found * masses / mass
        spreads = now.spreads * dispersions**2 * mass / pressure
    return now
