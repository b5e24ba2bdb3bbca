"""Frames in which isophotes are nearly circles: one ellipse for all radii, or ellipses that change with radius.

Positions are complex numbers x + iy [pixel]. An ellipse is squeezed to a circle of the same area by the map
``z = alpha d + beta conj(d)`` of the offset d from its centre, with alpha real and alpha^2 - |beta|^2 = 1; then |z| is
the circularised radius and arg z the eccentric anomaly plus the position angle.
"""

from dataclasses import dataclass

import numpy as np

#: Ellipticity below which the position angle of one isophote says little, and that of the others is taken.
_ROUND_ELLIPTICITY = 0.05
_PLACING_STEPS = 4


@dataclass(frozen=True)
class Ellipse:
    """Centre [pixel, complex] and the coefficient beta of its squeeze."""

    centre: complex
    beta: complex

    @property
    def alpha(self) -> float:
        return float(np.sqrt(1.0 + abs(self.beta) ** 2))

    @property
    def axis_ratio(self) -> float:
        return float((self.alpha - abs(self.beta)) ** 2)

    @property
    def pa(self) -> float:
        """Angle of the major axis from x towards y [rad], 0 to pi."""
        return float(0.5 * np.angle(-self.beta) % np.pi)

    @property
    def scale(self) -> float:
        """Radius of `place` over semi-major axis."""
        return float(self.alpha - abs(self.beta))

    def radius(self, points: np.ndarray) -> np.ndarray:
        """Circularised radius of points [pixel], in their shape."""
        offset = points - self.centre
        return np.abs(self.alpha * offset + self.beta * np.conj(offset))

    def outline(self, sma: float, turn: np.ndarray) -> np.ndarray:
        """Points of the ellipse with this semi-major axis [pixel] at exp(i (E + pa)), shape (n,)."""
        squeezed = sma * self.scale * turn
        return self.centre + self.alpha * squeezed - self.beta * np.conj(squeezed)

    def place(self, points: np.ndarray, isophote: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Circularised radius [pixel] and exp(i (E + pa)) of points (n,)."""
        offset = points - self.centre
        squeezed = self.alpha * offset + self.beta * np.conj(offset)
        radius = np.maximum(np.abs(squeezed), 1e-6)
        return radius, squeezed / radius

    def at(self, sma: float) -> "Ellipse":
        """The ellipse of this semi-major axis: the same for all."""
        return self

    def moved(self, change: np.ndarray) -> "Ellipse":
        """After a shift of the centre [pixel, squeezed axes] and a stretch by cos 2 and sin 2: change, shape (4,)."""
        shift, stretch = complex(*change[:2]), complex(*change[2:4])
        centre = self.centre + self.alpha * shift - self.beta * np.conj(shift)
        direct = self.alpha - stretch * np.conj(self.beta)
        beta = (self.beta - stretch * self.alpha) * np.conj(direct) / abs(direct)
        return Ellipse(complex(centre), complex(beta / np.sqrt(abs(direct) ** 2 - abs(beta) ** 2)))


@dataclass(frozen=True)
class Nest:
    """Ellipses that change with radius: semi-major axes [pixel], centres [complex pixel] and ellipticity vectors.

    The ellipticity vector is e exp(2i pa). All have shape (n,); sma increases; between them they are interpolated,
    outside the first or last holds.
    """

    sma: np.ndarray
    centre: np.ndarray
    vector: np.ndarray

    #: `place` gives semi-major axes.
    scale = 1.0

    @property
    def pa(self) -> float:
        """Mean angle of the major axes [rad], 0 to pi."""
        return float(0.5 * np.angle(self.vector.mean()) % np.pi)

    def at(self, sma: float) -> Ellipse:
        """The ellipse of this semi-major axis."""
        centre, vector = np.interp(sma, self.sma, self.centre), np.interp(sma, self.sma, self.vector)
        return ellipse(centre, 1.0 - abs(vector), 0.5 * np.angle(vector))

    def place(self, points: np.ndarray, isophote: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Radius along the ellipse of each point's isophote, and exp(i (E + mean pa)).

        Parameters
        ----------
        points : complex, shape (n,)
        isophote : shape (n,), optional
            Semi-major axis of the isophote through each point [pixel]; without it, that of the ellipse through it.

        Returns
        -------
        radius, turn : shape (n,)
            As a semi-major axis [pixel]. The eccentric anomaly is counted from the major axis of the isophote's own
            ellipse; where that is nearly round its angle is uncertain, and the mean one is taken.
        """
        if isophote is None:
            isophote = np.abs(points - self.centre[0])
            for _ in range(_PLACING_STEPS):
                isophote = np.abs(self._squeezed(points, isophote))
        squeezed = self._squeezed(points, isophote)
        radius = np.maximum(np.abs(squeezed), 1e-6)
        return radius, squeezed / radius * np.exp(1j * self.pa)

    def _squeezed(self, points: np.ndarray, isophote: np.ndarray) -> np.ndarray:
        """Points where the ellipses of their isophotes are circles about 0 with their major axes along x."""
        vector = np.interp(isophote, self.sma, self.vector)
        angle = 0.5 * np.angle(vector + _ROUND_ELLIPTICITY * np.exp(2j * self.pa))
        offset = (points - np.interp(isophote, self.sma, self.centre)) * np.exp(-1j * angle)
        return offset.real + 1j * offset.imag / np.maximum(1.0 - np.abs(vector), 0.03)


def ellipse(centre: complex, axis_ratio: float, pa: float) -> Ellipse:
    """The ellipse about a centre [complex pixel] with this axis ratio and position angle [rad]."""
    root = np.sqrt(max(axis_ratio, 1e-3))
    return Ellipse(complex(centre), complex(-0.5 * (1.0 / root - root) * np.exp(2j * pa)))


def nest(ellipses) -> Nest:
    """The frame of fitted ellipses with sma, x, y, ellipticity, pa_deg, each of shape (n,)."""
    order = np.argsort(ellipses.sma)
    centre = np.asarray(ellipses.x, float) + 1j * np.asarray(ellipses.y, float)
    vector = np.asarray(ellipses.ellipticity, float) * np.exp(2j * np.deg2rad(np.asarray(ellipses.pa_deg, float)))
    return Nest(np.asarray(ellipses.sma, float)[order], centre[order], vector[order])
