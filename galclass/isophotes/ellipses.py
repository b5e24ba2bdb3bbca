"""Ellipses of a galaxy's isophotes, fitted one by one with photutils from several starts.

photutils follows Jedrzejewski (1987, MNRAS 226, 747): an ellipse is moved until the intensity along it has no
first and second harmonic. Each isophote starts from the one before, so one bad start spoils all of them; a fit
is therefore tried from several starts, and the first that holds is taken. Only the ellipses are used here: the
harmonics come from all pixels at once, in eccentric anomaly about these ellipses.

photutils counts the harmonics in the polar angle. There a boxy isophote has a second harmonic about its own best
ellipse, and photutils' ellipse is too flat (by 0.02 for a superellipse of exponent 3): `in_eccentric_anomaly` undoes
that (see Ciambur 2015, ApJ 810, 120, for why the two angles differ).
"""

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

#: Fewest converged isophotes that make a fit, and the least share of the range of ln(sma) they span.
FEWEST = 4
_LEAST_SPAN = 0.45
_STEP = 0.15  # growth of the semi-major axis from one isophote to the next
_FEWEST_ITERATIONS, _MOST_ITERATIONS = 6, 20
_CLIPPED_SIGMA, _CLIPS = 3.0, 1
_LEAST_ELLIPTICITY, _MOST_ELLIPTICITY = 0.05, 0.9
_POLAR_ANGLES = np.linspace(0.0, 2.0 * np.pi, 180, endpoint=False)
#: The true axis ratio is sought within these factors of photutils'.
_AXIS_RATIO_FACTORS = 0.6, 1.6
#: Sane is a centre within this share of the semi-major axis of where the fit started, and a change of
#: ellipticity from one isophote to the next below this.
_WANDERED = 0.35
_JUMP = 0.2
_MOST_GRADIENT_ERROR = 1.0
_CONVERGED = 0


@dataclass(frozen=True)
class Ellipses:
    """Ellipses fitted to isophotes, by increasing semi-major axis.

    Attributes
    ----------
    sma : shape (n,), semi-major axis [pixel]
    x, y : shape (n,), centre [pixel, 0-based, y up]
    ellipticity : shape (n,), 1 - b/a
    pa_deg : shape (n,), angle of the major axis from the x axis towards y, 0 to 180
    intensity : shape (n,), mean along the ellipse, unit of the image
    """

    sma: np.ndarray
    x: np.ndarray
    y: np.ndarray
    ellipticity: np.ndarray
    pa_deg: np.ndarray
    intensity: np.ndarray


def fit_ellipses(
    image: np.ndarray,
    mask: np.ndarray | None,
    start: tuple[float, float, float, float, float],
    inner_px: float,
    outer_px: float,
) -> Ellipses | None:
    """Fit ellipses to the isophotes between two semi-major axes.

    Parameters
    ----------
    image : shape (ny, nx)
        Intensity on a linear scale, background subtracted; non-finite pixels are ignored.
    mask : bool, shape (ny, nx), or None
        True where a pixel is to be ignored.
    start : x, y, sma, ellipticity, pa_deg
        The first ellipse to try [pixel, deg].
    inner_px, outer_px : float
        Range of semi-major axes [pixel].

    Returns
    -------
    Ellipses or None
        The isophotes that converged, at least `FEWEST`; None where no start led to so many.
    """
    bad = ~np.isfinite(image) if mask is None else mask | ~np.isfinite(image)
    light = _Pixels(image, bad)
    best = None
    for first, fixed in _starts(start, inner_px, outer_px):
        found = _fitted(light, first, fixed, inner_px, outer_px)
        if found is not None and (best is None or len(found.sma) > len(best.sma)):
            best = found
        if best is not None and _spans(best, inner_px, outer_px):
            break
    return best


def in_eccentric_anomaly(ellipses: Ellipses, b4: float) -> Ellipses:
    """The ellipses whose second harmonic vanishes in eccentric anomaly, where photutils' vanishes in the polar angle.

    Parameters
    ----------
    ellipses : Ellipses
        As fitted by photutils.
    b4 : float
        Fourth cosine harmonic of the isophotes in eccentric anomaly; 0 changes nothing.
    """
    ratios = np.array([_true_axis_ratio(1.0 - ellipticity, b4) for ellipticity in ellipses.ellipticity])
    turned = ratios > 1.0  # photutils' long axis is the short one
    ellipticity = 1.0 - np.where(turned, 1.0 / ratios, ratios)
    return replace(ellipses, ellipticity=ellipticity, pa_deg=(ellipses.pa_deg + 90.0 * turned) % 180.0)


def smoothed(ellipses: Ellipses) -> tuple[Ellipses, float]:
    """Ellipses whose centre and shape run smoothly with the logarithm of the radius, and the scatter about them.

    Noise moves each of photutils' ellipses by itself, galaxies hardly do.

    Returns
    -------
    Ellipses
    scatter : float
        Root mean square distance of e exp(2i pa) from the curve: 0.01 is smooth, 0.1 is noise.
    """
    radius = np.log(ellipses.sma / ellipses.sma.mean())
    vector = ellipses.ellipticity * np.exp(2j * np.deg2rad(ellipses.pa_deg))
    centre, smooth = (_curve(radius, values) for values in (ellipses.x + 1j * ellipses.y, vector))
    scatter = float(np.sqrt(np.mean(np.abs(vector - smooth) ** 2)))
    ellipticity = np.clip(np.abs(smooth), 0.0, _MOST_ELLIPTICITY)
    pa_deg = np.rad2deg(0.5 * np.angle(smooth)) % 180.0
    return replace(ellipses, x=centre.real, y=centre.imag, ellipticity=ellipticity, pa_deg=pa_deg), scatter


def _curve(radius: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The constant, line or parabola through complex values at radii (n,) that the data ask for (Schwarz 1978)."""
    count = 2 * len(values)
    curves = [_polynomial(radius, values, degree) for degree in range(3)]
    left = [np.sum(np.abs(values - curve) ** 2) / count for curve in curves]
    criteria = [count * np.log(max(value, 1e-12)) + 2 * degree * np.log(count) for degree, value in enumerate(left)]
    return curves[int(np.argmin(criteria))]


def _polynomial(radius: np.ndarray, values: np.ndarray, degree: int) -> np.ndarray:
    """A polynomial fitted with little weight on outliers, at the same radii."""
    powers = np.vander(radius, degree + 1)
    weight = np.ones(len(radius))
    for _ in range(5):
        curve = powers @ np.linalg.lstsq(powers * weight[:, None], values * weight, rcond=None)[0]
        distance = np.abs(values - curve)
        weight = 1.0 / np.sqrt(1.0 + (distance / (2.0 * np.median(distance) + 1e-9)) ** 2)
    return curve


def _true_axis_ratio(seen: float, b4: float) -> float:
    """Axis ratio of isophotes with this b4 that photutils sees as ellipses of axis ratio `seen`."""
    from scipy.optimize import brentq

    limits = [factor * seen for factor in _AXIS_RATIO_FACTORS]
    if np.prod([_second_harmonic(seen, ratio, b4) for ratio in limits]) >= 0.0:
        return seen  # b4 is no small deviation any more
    return float(brentq(lambda ratio: _second_harmonic(seen, ratio, b4), *limits, xtol=1e-5))


def _second_harmonic(seen: float, ratio: float, b4: float) -> float:
    """Second harmonic in the polar angle, at equal steps along an ellipse, of the size of the isophotes it meets."""
    distance = seen / np.hypot(seen * np.cos(_POLAR_ANGLES), np.sin(_POLAR_ANGLES))
    squeezed = distance * (np.cos(_POLAR_ANGLES) + 1j * np.sin(_POLAR_ANGLES) / ratio)
    size = np.abs(squeezed) * np.exp(-b4 * np.cos(4.0 * np.angle(squeezed)))
    wave = np.cos(2.0 * _POLAR_ANGLES)
    wave, size = (values - np.average(values, weights=distance) for values in (wave, size))
    return float(np.sum(distance * wave * size))


def _starts(start: tuple, inner: float, outer: float) -> Iterator[tuple[tuple, bool]]:
    """Ellipses to begin with, and whether the centre is held: as given, elsewhere, turned, rounder, held."""
    x, y, sma, ellipticity, pa_deg = start
    ellipticity = float(np.clip(ellipticity, _LEAST_ELLIPTICITY, _MOST_ELLIPTICITY))
    middle = float(np.sqrt(inner * outer))
    yield (x, y, sma, ellipticity, pa_deg), False
    yield (x, y, 0.75 * middle, ellipticity, pa_deg), False
    yield (x, y, middle, max(0.5 * ellipticity, 0.1), pa_deg + 30.0), False
    yield (x, y, 1.3 * middle, max(0.5 * ellipticity, 0.1), pa_deg - 45.0), False
    yield (x, y, sma, ellipticity, pa_deg), True


class _Pixels:
    """A masked image for photutils, which asks for one pixel at a time, `pixels[row][column]`.

    Rows of Python numbers answer a hundred times faster than numpy's masked arrays.
    """

    def __init__(self, image: np.ndarray, bad: np.ndarray) -> None:
        self.shape = image.shape
        self._whole = np.ma.masked_array(np.where(bad, 0.0, image), bad)
        rows = self._whole.tolist()  # None where masked
        self._rows = [[np.ma.masked if value is None else value for value in row] for row in rows]

    def __getitem__(self, place: int | tuple) -> list | np.ndarray:
        return self._whole[place] if isinstance(place, tuple) else self._rows[place]


def _fitted(light: _Pixels, start: tuple, fixed: bool, inner: float, outer: float) -> Ellipses | None:
    """The sane isophotes that photutils finds from one start, or None."""
    from photutils.isophote import Ellipse, EllipseGeometry

    x, y, sma, ellipticity, pa_deg = start
    sma = float(np.clip(sma, 1.02 * inner, 0.98 * outer))
    with _silence():
        geometry = EllipseGeometry(x0=x, y0=y, sma=sma, eps=ellipticity, pa=np.deg2rad(pa_deg))
        try:
            found = Ellipse(light, geometry=geometry).fit_image(
                sma0=sma,
                minsma=inner,
                maxsma=outer,
                step=_STEP,
                minit=_FEWEST_ITERATIONS,
                maxit=_MOST_ITERATIONS,
                maxgerr=_MOST_GRADIENT_ERROR,
                sclip=_CLIPPED_SIGMA,
                n_clip=_CLIPS,
                fix_center=fixed,
            )
        except (ValueError, IndexError, ArithmeticError, TypeError, np.linalg.LinAlgError):
            return None  # photutils gives up on some noisy pictures with whatever error comes first
    kept = [isophote for isophote in found if isophote.stop_code == _CONVERGED and isophote.sma >= 0.9 * inner]
    return _sane(kept, start)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """No warnings: photutils warns, and logs by astropy, of what the checks here reject."""
    from astropy import log

    level = log.level
    log.setLevel("CRITICAL")
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


def _sane(isophotes: list, start: tuple) -> Ellipses | None:
    """The isophotes with a finite ellipse near the start's centre and no jump; None where few are left."""
    rows = np.array([(i.sma, i.x0, i.y0, i.eps, np.rad2deg(i.pa), i.intens) for i in isophotes], float).reshape(-1, 6)
    rows = rows[np.isfinite(rows).all(axis=1) & (rows[:, 5] > 0)]
    rows = rows[np.argsort(rows[:, 0])]
    near = np.hypot(rows[:, 1] - start[0], rows[:, 2] - start[1]) < np.maximum(_WANDERED * rows[:, 0], 2.0)
    rows = rows[near & (rows[:, 3] >= 0.0) & (rows[:, 3] <= _MOST_ELLIPTICITY)]
    if len(rows) >= 3:
        from scipy.ndimage import median_filter

        rows = rows[np.abs(rows[:, 3] - median_filter(rows[:, 3], 3, mode="nearest")) < _JUMP]
    if len(rows) < FEWEST:
        return None
    sma, x, y, ellipticity, pa_deg, intensity = rows.T
    return Ellipses(sma, x, y, ellipticity, pa_deg % 180.0, intensity)


def _spans(ellipses: Ellipses, inner: float, outer: float) -> bool:
    """Whether the ellipses cover most of the range, in the logarithm of the radius."""
    return bool(np.log(ellipses.sma[-1] / ellipses.sma[0]) >= _LEAST_SPAN * np.log(outer / inner))
