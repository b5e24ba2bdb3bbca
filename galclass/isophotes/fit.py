"""One fit of ellipse and harmonics to all pixels between two isophotes.

The model is ``I = F(ln m - eps(E))``: m the radius and E the eccentric anomaly of a pixel in a frame, eps the
logarithm of the isophote's shape, F any profile. The fit is Gauss-Newton (`galclass.isophotes.step`). Where the
last step went too far, which it may about ellipses that change with radius, the next is shorter (Barzilai & Borwein
1988, IMA J. Numer. Anal. 8, 141).
"""

from dataclasses import dataclass

import numpy as np

from galclass.isophotes.frames import Ellipse, Nest
from galclass.isophotes.light import Picture
from galclass.isophotes.linear import combined, harmonic_waves
from galclass.isophotes.noise import covariance
from galclass.isophotes.step import Data, State, Step, Zone, added_by_blur, is_inside, pixels_near, take_step

#: Steps after which the weights stay, so that the fit settles.
_REWEIGHTED_STEPS = 6
_LARGEST_CHANGE = 0.3
#: A fit ends when every harmonic moves by less than this, or this share of its error from pixels without structure.
_SETTLED, _SETTLED_ERRORS = 1e-4, 0.03
#: It has settled, too, when at the last step those of order 4 and 6 moved by less than this share of their errors.
_NEGLIGIBLE = 0.1
_SHORTEST = 0.6  # step, of a full one
_THINNEST_AXIS_RATIO = 0.03
_PIXEL_VARIANCE = 1.0 / 12.0
_LARGEST_UNBLUR = 0.03
_ANGLES = np.linspace(0.0, 2.0 * np.pi, 720, endpoint=False)


@dataclass(frozen=True)
class Fit:
    """A fitted zone.

    Attributes
    ----------
    frame : Ellipse or Nest
    harmonics : of ln r against E + pa, shape (k, 2): cos and sin of each of `orders`
    covariance : of cos 2, sin 2, cos 4, sin 4, cos 6, sin 6, shape (6, 6)
    level : weighted median intensity of the zone's pixels
    coverage : share of the zone that lies in the picture
    settled : whether the steps ended
    """

    frame: Ellipse | Nest
    harmonics: np.ndarray
    orders: tuple[int, ...]
    covariance: np.ndarray
    level: float
    coverage: float
    settled: bool

    def coefficient(self, order: int, pa: float) -> complex:
        """B_k + i A_k (cos, sin) of r / mean r about the position angle: exact, however large the deviation."""
        radius = np.exp(_log_radius(self.orders, self.harmonics))
        return complex(2.0 * np.mean(radius / radius.mean() * np.exp(1j * order * (_ANGLES - pa))))

    def error(self, order: int, pa: float) -> tuple[float, float]:
        """Uncertainties of B_k and A_k about the position angle, k of 2, 4 or 6."""
        first = {2: 0, 4: 2, 6: 4}[order]
        block = self.covariance[first : first + 2, first : first + 2]
        cos, sin = np.cos(order * pa), np.sin(order * pa)
        turns = np.array([[cos, sin], [-sin, cos]])
        return tuple(np.sqrt(np.maximum(np.diag(turns @ block @ turns.T), 0.0)))


def _log_radius(orders: tuple[int, ...], harmonics: np.ndarray) -> np.ndarray:
    """ln r of the isophote at `_ANGLES`."""
    return harmonics.ravel() @ harmonic_waves(np.exp(1j * _ANGLES), orders)


def fit_zone(
    picture: Picture, frame: Ellipse | Nest, zone: Zone, steps: int, blur: tuple[float, float] = (0.0, 0.0)
) -> Fit | None:
    """Fit a zone; an `Ellipse` follows the first and second harmonics, a `Nest` stays and keeps them as harmonics.

    Parameters
    ----------
    picture : Picture
        Masked pixels are left out.
    frame : Ellipse or Nest
        Where to start, or to stay.
    zone : Zone
    steps : int
        Most steps to take; with one, the harmonics are those of a linear fit in the frame as it is.
    blur : variance of the PSF, and its uncertainty [pixel^2]
        What it and the pixels did to the shape is taken off to first order; the uncertainty adds to the errors.

    Returns
    -------
    Fit or None
        None where the zone has too few pixels or the fit runs off.
    """
    data = pixels_near(picture, frame, zone)
    if data is None:
        return None
    moves = isinstance(frame, Ellipse) and steps > 1
    state = State(frame, np.zeros(4 + 2 * len(zone.orders)))
    length, last = 1.0, None
    for count in range(steps):
        step = take_step(data, state, zone)
        if step is None:
            return None
        error = np.sqrt(np.diag(step.inverse)[zone.degree + 1 :])
        length, last = _length(length, last, step.change / error), step.change / error
        change = np.clip(length * step.change, -_LARGEST_CHANGE, _LARGEST_CHANGE)
        state.harmonics = state.harmonics + change
        if count < _REWEIGHTED_STEPS:
            state.noise = step.noise
        if moves:
            state.frame, state.harmonics[:4] = state.frame.moved(state.harmonics[:4]), 0.0
            if state.frame.axis_ratio < _THINNEST_AXIS_RATIO or not is_inside(state.frame.centre, picture.image.shape):
                return None
        settled = bool((np.abs(change) < np.maximum(_SETTLED, _SETTLED_ERRORS * error)).all())
        if settled:
            break
    per_variance = added_by_blur(data, zone, step)
    unblurred = np.clip(-(blur[0] + _PIXEL_VARIANCE) * per_variance, -_LARGEST_UNBLUR, _LARGEST_UNBLUR)
    if isinstance(state.frame, Ellipse):
        state.frame = state.frame.moved(unblurred[:4])
    state.harmonics = state.harmonics + unblurred
    doubt = np.clip(blur[1] * per_variance, -_LARGEST_UNBLUR, _LARGEST_UNBLUR)
    return _result(data, state, zone, step, doubt, None if settled else change)


def _length(length: float, last: np.ndarray | None, change: np.ndarray) -> float:
    """Length of a step, from that of the last and the changes [errors] that the model asked for before and after."""
    if last is None:
        return length
    left = (last @ change) / max(last @ last, 1e-30)
    return float(np.clip(length / max(1.0 - left, 1e-3), _SHORTEST, 1.0))


def _result(data: Data, state: State, zone: Zone, step: Step, doubt: np.ndarray, moving: np.ndarray | None) -> Fit:
    """The fit with its errors; `doubt` is that of each harmonic from the blur, `moving` the last change if large."""
    orders = (1, 2, *zone.orders)
    wanted = np.array([2 * orders.index(order) + part for order in (2, 4, 6) for part in (0, 1)])
    influence = step.weight * [combined(row, step.columns) for row in step.inverse[zone.degree + 1 + wanted]]
    noise = covariance(
        influence, step.residual, step.sigma, step.share, (data.rows, data.columns),
        _wavenumbers(zone, step, data.is_folded), data.is_folded,
    )  # fmt: skip
    # Once for the residuals, which the fit made small, and once for the influence, which was fitted to the same noise:
    # the jackknife's factor (MacKinnon & White 1985, J. Econometrics 29, 305).
    noise = noise / (1.0 - zone.parameters / step.share.sum()) + np.outer(doubt[wanted], doubt[wanted])
    settled = moving is None or bool((moving[wanted] ** 2 < _NEGLIGIBLE**2 * np.diag(noise))[2:].all())
    harmonics = state.harmonics[4:].reshape(-1, 2)
    inside = step.share > 0.5
    level = float(np.median(data.light[inside])) * data.unit
    coverage = _coverage(state.frame, zone, harmonics, data.shape)
    return Fit(state.frame, harmonics, zone.orders, noise, level, coverage, settled)


def _coverage(frame: Ellipse | Nest, zone: Zone, harmonics: np.ndarray, shape: tuple[int, int]) -> float:
    """Share of the zone that lies in a picture of `shape`."""
    radius, turn = np.exp(_log_radius(zone.orders, harmonics)), np.exp(1j * _ANGLES)
    smas = np.linspace(zone.inner, zone.outer, 8)
    inside = [np.mean(is_inside(frame.at(sma).outline(sma * radius, turn), shape)) for sma in smas]
    return float(np.average(inside, weights=smas))


def _wavenumbers(zone: Zone, step: Step, is_folded: bool) -> np.ndarray:
    """Of the terms of the model [rad / pixel]; folded pictures have no odd ones."""
    radius = step.share @ step.radius / step.share.sum()
    width = max((step.share @ (step.radius - radius) ** 2 / step.share.sum()) ** 0.5 * 12.0**0.5, 1.0)
    orders = np.repeat([order for order in (1, 2, *zone.orders) if not (is_folded and order % 2)], 2)
    return np.concatenate([np.arange(zone.degree + 1) * np.pi / width, orders / radius])
