"""Motion across a disc: stars that swing through the plane, so that the layer has the height asked for everywhere.

In the potential at one radius the layer sech^2(z / z_0) has one distribution function of vertical energy, by Abel's
inversion (Binney & Tremaine 2008, problem 4.22).  A star that wanders in radius keeps its vertical action J, since it
swings faster than it wanders; so stars of each guiding radius have the actions of the layer there, times a factor that
is corrected until the mixture of stars at every radius is as thick as it should be.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from galclass.initial.draws import interpolate
from galclass.initial.potential import stretched

#: Amplitudes, phases from the plane to the top, and levels of share of the tables.
_AMPLITUDES, _PHASES, _LEVELS = 80, 33, 60
#: The largest amplitude in heights, and the share 1 - exp(-y) of a layer's stars that is drawn.
_TOP, _LAST_LEVEL = 14.0, 14.0
#: Corrections of the actions, after which the layer is as thick as it should be to 1 %, and bounds of their factors.
_CORRECTIONS = 5
_BOUNDS = (0.2, 5.0)


@dataclass(frozen=True)
class Layer:
    """Vertical orbits at each of n radii.

    Attributes
    ----------
    radii : ndarray, shape (n,)
        Cylinder radii [kpc].
    actions : ndarray, shape (n, k)
        Action J [kpc km/s] of each amplitude, rising from 0.
    phases : ndarray, shape (p,)
        Share of the time from the plane to the top.
    states : ndarray, shape (n, k, p, 2)
        Height [kpc] and vertical speed [km/s] of each amplitude, on the way up.
    levels : ndarray, shape (m,)
        y, for the share 1 - exp(-y) of the stars.
    shares : ndarray, shape (n, m)
        Action below which the share of the stars of a layer lies [kpc km/s].
    roots, reach : ndarray, shapes (q,), (n, q)
        Roots of the action over that of the largest amplitude, and the place of that action among the amplitudes.
    """

    radii: np.ndarray
    actions: np.ndarray
    phases: np.ndarray
    states: np.ndarray
    levels: np.ndarray
    shares: np.ndarray
    roots: np.ndarray
    reach: np.ndarray

    def actions_at(self, radius: np.ndarray, level: np.ndarray) -> np.ndarray:
        """Action [kpc km/s] below which the share 1 - exp(-level) of the layer's stars lies at radii [kpc]."""
        return interpolate((self.radii, self.levels), self.shares, radius, level)

    def amplitude(self, radius: np.ndarray, action: np.ndarray) -> np.ndarray:
        """Place of actions among the amplitudes of the layer at radii [kpc], as a number that need not be whole."""
        root = np.sqrt(action / np.interp(radius, self.radii, self.actions[:, -1]))
        return interpolate((self.radii, self.roots), self.reach, radius, root)

    def mean_height(self, radius: np.ndarray, action: np.ndarray) -> np.ndarray:
        """Mean distance from the plane [kpc] of stars of these actions at radii [kpc]."""
        means = np.trapezoid(self.states[..., 0], self.phases, axis=-1)
        axes = (self.radii, np.arange(means.shape[1]))
        return interpolate(axes, means, radius, self.amplitude(radius, action))

    def place(self, radius: np.ndarray, action: np.ndarray, phase: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Heights [kpc] and vertical speeds [km/s] at phases of the whole swing, 0 to 1."""
        quarter, share = np.divmod(4.0 * phase, 1.0)
        share = np.where(quarter % 2 == 0, share, 1.0 - share)
        axes = (self.radii, np.arange(self.actions.shape[1]), self.phases)
        both = interpolate(axes, self.states, radius, self.amplitude(radius, action), share)
        up, above = np.where((quarter == 0) | (quarter == 3), 1.0, -1.0), np.where(quarter < 2, 1.0, -1.0)
        return above * both[..., 0], up * both[..., 1]


def vertical_orbits(potential, radii: np.ndarray, height_kpc: float) -> Layer:
    """Vertical orbits and the distribution function of a sech^2 layer.

    Parameters
    ----------
    potential : callable
        Potential [(km/s)^2] of cylinder radii and heights [kpc] that broadcast.
    radii : ndarray, shape (n,)
        Where [kpc].
    height_kpc : float
        z_0 [kpc].
    """
    from scipy.interpolate import CubicSpline

    heights = stretched(height_kpc, 1.5 * _TOP * height_kpc, 150)
    depth = potential(radii[:, None], heights)
    flat = np.zeros(len(radii))
    spline = CubicSpline(heights, depth - depth[:, :1], axis=1, bc_type=((1, flat), "not-a-knot"))
    amplitudes = stretched(height_kpc, _TOP * height_kpc, _AMPLITUDES)
    phases = np.linspace(0.0, 1.0, _PHASES)
    actions, periods, states = _swings(spline, amplitudes[1:], phases)
    # Stars between two amplitudes: f(E) times the period times the difference of energy.
    crowd = _abel(spline, amplitudes[1:], height_kpc) * periods * spline(amplitudes[1:], 1)
    actions, crowd, states = (_after_zero(values) for values in (actions, crowd, states))
    levels, roots = np.linspace(0.0, _LAST_LEVEL, _LEVELS), np.linspace(0.0, 1.0, 2 * _AMPLITUDES)
    reach = [np.interp(roots, np.sqrt(row / row[-1]), np.arange(_AMPLITUDES)) for row in actions]
    shares = _shares(amplitudes, crowd, actions, levels)
    return Layer(radii, actions, phases, states, levels, shares, roots, np.stack(reach))


def _after_zero(values: np.ndarray) -> np.ndarray:
    """Values of amplitudes along the second axis, preceded by those of a star at rest in the plane: 0."""
    return np.concatenate([np.zeros_like(values[:, :1]), values], axis=1)


def _swings(spline, amplitudes: np.ndarray, phases: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Actions and periods, shape (n, k), and `Layer.states` of swings up to some heights."""
    edges = np.linspace(0.0, 0.5 * np.pi, 2 * len(phases) + 1)
    top = spline(amplitudes)[..., None]

    def speed(u):
        """Speed at angles u of z = amplitude sin(u)."""
        return np.sqrt(2.0 * np.maximum(top - spline(amplitudes[:, None] * np.sin(u)), 0.0))

    u = 0.5 * (edges[1:] + edges[:-1])
    pace, path = speed(u), amplitudes[:, None] * np.cos(u) * edges[1]
    times = np.cumsum(path / pace, axis=-1)
    periods, actions = 4.0 * times[..., -1], 2.0 / np.pi * (path * pace).sum(axis=-1)
    times = np.concatenate([np.zeros_like(top), times], axis=-1) / times[..., -1:]
    rows = zip(times.reshape(-1, len(edges)), speed(edges).reshape(-1, len(edges)), strict=True)
    swung = [(np.interp(phases, time, edges), np.interp(phases, time, pace)) for time, pace in rows]
    swung = np.array(swung).reshape(*periods.shape, 2, len(phases))
    heights = amplitudes[:, None] * np.sin(swung[..., 0, :])
    return actions, periods, np.stack([heights, swung[..., 1, :]], axis=-1)


def _abel(spline, amplitudes: np.ndarray, height_kpc: float) -> np.ndarray:
    """Distribution function of the energies of these amplitudes, shape (n, k), for a layer of unit mass."""
    # z^2 = amplitude^2 + w^2 removes the root's pole.
    edges = stretched(height_kpc, 0.6 * _TOP * height_kpc, 101)
    w = 0.5 * (edges[1:] + edges[:-1])
    z = np.hypot(amplitudes[:, None], w)
    fall = np.tanh(z / height_kpc) / (height_kpc * np.cosh(z / height_kpc)) ** 2
    rise = spline(z) - spline(amplitudes)[..., None]
    return (fall * w / z * np.diff(edges) / np.sqrt(rise)).sum(axis=-1) / (np.pi * np.sqrt(2.0))


def _shares(amplitudes: np.ndarray, crowd: np.ndarray, actions: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """`Layer.shares` from the stars between two amplitudes, shape (n, k)."""
    steps = 0.5 * (crowd[:, 1:] + crowd[:, :-1]) * np.diff(amplitudes)
    above = np.cumsum(steps[:, ::-1], axis=1)[:, ::-1]
    level = -np.log(above / above[:, :1])
    return np.stack([np.interp(levels, row, action) for row, action in zip(level, actions[:, :-1], strict=True)])


# ------------------------------------------------------------------------------------------------ mixture


def stretches(layer: Layer, radii: np.ndarray, masses: np.ndarray) -> np.ndarray:
    """Factors of the actions that make the layer as thick everywhere as it should be.

    Parameters
    ----------
    layer : Layer
        The vertical orbits.
    radii : ndarray, shape (n,)
        Guiding radii [kpc].
    masses : ndarray, shape (n, n)
        Mass that stars of each guiding radius (first axis) have near each radius (second axis).

    Returns
    -------
    ndarray, shape (n,)
        The factor at each guiding radius.
    """
    level, weight = np.polynomial.laguerre.laggauss(8)
    home = radii[:, None]
    actions = layer.actions_at(home, level)
    wanted = layer.mean_height(home, actions) @ weight
    factors = np.ones(len(radii))
    for _ in range(_CORRECTIONS):
        heights = layer.mean_height(home, (factors[:, None] * actions)[:, None]) @ weight
        found = (masses * heights).sum(axis=0) / masses.sum(axis=0)
        # A height goes about as the root of the action; where hardly a star is at home, no factor suffices.
        factors = np.clip(factors * (wanted / found) ** 2, *_BOUNDS)
    return factors
