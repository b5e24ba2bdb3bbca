"""The shape of a galaxy's isophotes: best ellipse and the harmonics of the deviation from it.

An isophote is r(E) = a (1 + sum_k A_k sin kE + B_k cos kE), with E the eccentric anomaly about its best
ellipse, that is, the polar angle after the picture was squeezed until the ellipse is a circle. The best
ellipse is the one whose first and second harmonics vanish. B4 < 0 is boxy, B4 > 0 discy; B6 tells an obround
from a rectangle (Bender, Doebereiner & Moellenhoff 1988, A&AS 74, 385, whose a4/a is sqrt(b/a) B4; Ciambur
2015, ApJ 810, 120 for the eccentric anomaly).

All pixels between two isophotes are fitted at once with one profile F of the isophote's size,
``g(I) = F(ln m - eps(E))``, where m is the elliptical radius, eps the logarithm of the isophote's shape and g
a monotone function of the intensity, which leaves the isophotes where they are. Nothing is linear in eps, so
the result holds for a rectangle (B4 = -0.139) as for a nearly elliptical galaxy, and pixels beyond the edge
of the picture are simply absent.
"""

from dataclasses import dataclass

import numpy as np

from galclass.errors import InputError

#: Where the classes lie; the first that fits counts, and an oval may have any B6.
#: A B4 below a rectangle's belongs to an X.
B4_LIMITS = {"rectangle": (-0.145, -0.04), "obround": (-0.08, -0.02), "oval": (-0.02, 0.02)}
B6_LIMITS = {"rectangle": (-0.009, 0.009), "obround": (0.009, 0.025), "oval": (-1.0, 1.0)}

#: Isophotes to measure in a picture for the eye, in effective radii of its brightness, which end at about two.
PICTURE_ZONE = (0.8, 1.5)

#: Harmonics fitted beside the ellipse; 8 keeps the corners of a rectangle out of B4.
ORDERS = (3, 4, 5, 6, 8)
_EVEN = (4, 6, 8)
_ZONE_WIDTH_PX = 3.5  # wide enough that the smoothing of a picture does not tie neighbouring zones together
_FIT_PARAMETERS = 4 + 2 * len(ORDERS)
_PROFILE_DEGREE = 4
_APERTURE_RE = 4.0
#: Errors of the position angle [rad] at which it is uncertain, and lost (three of them reach 45 degrees).
_UNCERTAIN_PA_ERROR, _LOST_PA_ERROR = 0.1, 0.26
#: -ln(axis ratio) over the amplitude of the fourth harmonic, below which a box is round.
_WEAK_ELLIPSE = 0.5
#: The pixels of a zone follow the ellipse for so many steps and then stay; else one on the rim could keep
#: the fit from settling.
_MOVING_STEPS = 6
_MOST_STEPS = 30
_SMALLEST_PX = 0.3
_ANGLES = np.linspace(0.0, 2.0 * np.pi, 720, endpoint=False)


@dataclass(frozen=True)
class Shape:
    """Measured shape of a galaxy between two isophotes.

    Attributes
    ----------
    x, y : centre of the best ellipse [pixel, 0-based, y up]
    r_eff_px : semi-major axis of the ellipse that holds half of the light [pixel]
    axis_ratio, pa_deg : of the best ellipse; angle of the major axis from the x axis towards y, 0 to 180
    b4, b6 : harmonics of the isophotes in eccentric anomaly, relative to their radius; b4 < 0 is boxy
    b4_err, b6_err : their uncertainties from the residual of the fit
    a4_over_a : Bender's number, sqrt(axis_ratio) * b4
    flag : "" or words that say what is doubtful: round (orientation from the fourth harmonic), edge
        (part of the isophotes lies outside the picture), unsettled (the fit still moved after 30 steps),
        failed (no fit; the numbers are NaN)
    """

    x: float
    y: float
    r_eff_px: float
    axis_ratio: float
    pa_deg: float
    b4: float
    b4_err: float
    b6: float
    b6_err: float
    a4_over_a: float
    flag: str


@dataclass(frozen=True)
class _Ellipse:
    """Centre [pixel], and the symmetric form C (2, 2) of determinant one with m^2 = d C d."""

    centre: np.ndarray
    form: np.ndarray

    @property
    def axis_ratio(self) -> float:
        low, high = np.linalg.eigvalsh(self.form)
        return float(np.sqrt(low / high))

    @property
    def pa(self) -> float:
        """Angle of the major axis [rad]: the direction in which m grows most slowly."""
        x, y = np.linalg.eigh(self.form)[1][:, 0]
        return float(np.arctan2(y, x) % np.pi)


@dataclass(frozen=True)
class _Fit:
    """A fitted zone.

    ellipse, and the harmonics of ln r against E + pa (cos, sin of each of `ORDERS`); the uncertainty of one
    coefficient by order; the median intensity; pixels found over pixels expected; whether the steps ended.
    """

    ellipse: _Ellipse
    harmonics: np.ndarray
    errors: dict[int, float]
    level: float
    coverage: float
    settled: bool


def measure(image: np.ndarray, inner_re: float = 1.0, outer_re: float = 2.5) -> Shape:
    """Measure centre, best ellipse, B4 and B6 of a galaxy.

    Parameters
    ----------
    image : shape (ny, nx)
        Intensity on a linear scale, background subtracted; negative pixels count as empty.
    inner_re, outer_re : float
        Isophotes to use, as semi-major axes in effective radii.

    Returns
    -------
    Shape
        Means over the isophotes, each with the same weight per unit of radius.

    Raises
    ------
    InputError
        The image is not a finite picture with light in it, or the radii are not in order.
    """
    image = _checked(image, inner_re, outer_re)
    ellipse = _first_ellipse(image)
    fit = None
    for _ in range(2):  # the effective radius depends on the ellipse, the ellipse on where it is fitted
        r_eff = effective_radius(image, *ellipse.centre, ellipse.axis_ratio, np.rad2deg(ellipse.pa))
        fit = _fit_zone(image, ellipse, inner_re * r_eff, outer_re * r_eff, _PROFILE_DEGREE)
        if fit is None:
            return _failed(ellipse, r_eff)
        ellipse = fit.ellipse
    r_eff = effective_radius(image, *ellipse.centre, ellipse.axis_ratio, np.rad2deg(ellipse.pa))
    return _shape(fit, r_eff)


def profile(image: np.ndarray, radii_px: np.ndarray, width: float = 0.15) -> dict[str, np.ndarray]:
    """Shape of the isophotes at given semi-major axes.

    Parameters
    ----------
    image : shape (ny, nx)
        As for `measure`.
    radii_px : shape (n,)
        Semi-major axes [pixel].
    width : float
        Each isophote is fitted on the zone within this fraction of its semi-major axis on either side.

    Returns
    -------
    dict of arrays of shape (n,)
        sma [pixel], intensity, x, y [pixel], ellipticity, pa_deg, b4, b4_err, b6, b6_err, a4_over_a; the
        harmonics are NaN where a zone has too few pixels or the fit failed.
    """
    image = _checked(image, 1.0 - width, 1.0 + width)
    start = _first_ellipse(image)
    rows = [_profile_row(image, start, float(sma), width) for sma in radii_px]
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def _profile_row(image: np.ndarray, start: _Ellipse, sma: float, width: float) -> dict[str, float]:
    """One isophote of `profile`."""
    fit = _fit_zone(image, start, sma * (1.0 - width), sma * (1.0 + width), degree=2)
    shape = _failed(start, sma) if fit is None else _shape(fit, sma)
    return {
        "sma": sma,
        "intensity": np.nan if fit is None else fit.level,
        "x": shape.x,
        "y": shape.y,
        "ellipticity": 1.0 - shape.axis_ratio,
        "pa_deg": shape.pa_deg,
        "b4": shape.b4,
        "b4_err": shape.b4_err,
        "b6": shape.b6,
        "b6_err": shape.b6_err,
        "a4_over_a": shape.a4_over_a,
    }


def label_of(b4: float, b6: float) -> str:
    """The class of a shape by its measured harmonics: oval, rectangle, obround, or none of these."""
    for name, (low, high) in B4_LIMITS.items():
        if low <= b4 <= high and B6_LIMITS[name][0] <= b6 <= B6_LIMITS[name][1]:
            return name
    return "none"


def effective_radius(image: np.ndarray, x: float, y: float, axis_ratio: float = 1.0, pa_deg: float = 0.0) -> float:
    """Semi-major axis of the ellipse that holds half of the light [pixel].

    The total is the light within four effective radii (99 % of an exponential disc), so that the answer does
    not depend on how much empty sky, or which neighbour, the picture shows beyond.

    Parameters
    ----------
    image : shape (ny, nx)
        Intensity on a linear scale.
    x, y : float
        Centre [pixel].
    axis_ratio, pa_deg : float
        Of the ellipses; angle of the major axis from the x axis towards y.
    """
    form = _form(axis_ratio, np.deg2rad(pa_deg))
    circularised = np.abs(_squeezed(_pixels(image.shape), _Ellipse(np.array([x, y]), form)))
    radius = circularised / np.sqrt(axis_ratio)
    order = np.argsort(radius)
    light = np.maximum(image, 0.0).ravel()[order]
    enclosed = np.cumsum(light) - 0.5 * light  # a pixel's centre lies half-way through its own light
    half, total = 0.0, enclosed[-1]
    for _ in range(20):
        half = float(np.interp(0.5 * total, enclosed, radius[order]))
        total = float(np.interp(_APERTURE_RE * half, radius[order], enclosed))
    return half


def _checked(image: np.ndarray, inner: float, outer: float) -> np.ndarray:
    """The image in double precision without negative pixels, or an `InputError`."""
    image = np.asarray(image, dtype=float)
    if image.ndim != 2 or min(image.shape) < 8:
        raise InputError(f"image of shape {image.shape}; a galaxy needs a picture of at least 8 x 8 pixels")
    if not np.isfinite(image).all():
        raise InputError("image with NaN or infinite pixels; mask or fill them before measuring")
    if image.max() <= 0:
        raise InputError("image without a positive pixel; give intensities on a linear scale")
    if not 0 <= inner < outer:
        raise InputError(f"isophotes from {inner} to {outer} effective radii; needed is 0 <= first < last")
    return np.maximum(image, 0.0)


def _pixels(shape: tuple[int, int]) -> np.ndarray:
    """Positions (x, y) of all pixels, shape (ny * nx, 2)."""
    y, x = np.indices(shape, dtype=float)
    return np.stack([x.ravel(), y.ravel()], axis=1)


def _form(axis_ratio: float, pa: float) -> np.ndarray:
    """The form of determinant one of an ellipse with this axis ratio and position angle [rad]."""
    turn = np.array([[np.cos(pa), -np.sin(pa)], [np.sin(pa), np.cos(pa)]])
    return turn @ np.diag([axis_ratio, 1.0 / axis_ratio]) @ turn.T


def _root(form: np.ndarray) -> np.ndarray:
    """Symmetric square root of a 2 x 2 form of determinant one (Cayley-Hamilton)."""
    return (form + np.eye(2)) / np.sqrt(np.trace(form) + 2.0)


def _squeezed(points: np.ndarray, ellipse: _Ellipse) -> np.ndarray:
    """Points (n, 2) where the ellipse is a circle, as m exp(i (E + pa)): m is its circularised radius."""
    x, y = _root(ellipse.form) @ (points - ellipse.centre).T
    return x + 1j * y


def _first_ellipse(image: np.ndarray) -> _Ellipse:
    """Centre and ellipse from moments of the light around the brightest place of the image."""
    from scipy.ndimage import gaussian_filter

    blurred = gaussian_filter(image, max(1.0, min(image.shape) / 30.0))
    y, x = np.unravel_index(np.argmax(blurred), image.shape)
    ellipse = _Ellipse(np.array([x, y], dtype=float), np.eye(2))
    for _ in range(4):
        r_eff = effective_radius(image, *ellipse.centre, ellipse.axis_ratio, np.rad2deg(ellipse.pa))
        ellipse = _moments(image, ellipse, 2.0 * r_eff * np.sqrt(ellipse.axis_ratio))
    return ellipse


def _moments(image: np.ndarray, ellipse: _Ellipse, aperture: float) -> _Ellipse:
    """Ellipse of the first and second moments of the light inside an elliptical aperture [pixel]."""
    points = _pixels(image.shape)
    inside = np.abs(_squeezed(points, ellipse)) <= max(aperture, 2.0)
    light, points = image.ravel()[inside], points[inside]
    if light.sum() <= 0:
        return ellipse
    centre = light @ points / light.sum()
    offsets = points - centre
    tensor = (light[:, None] * offsets).T @ offsets / light.sum() + 1e-3 * np.eye(2)
    return _Ellipse(centre, np.linalg.inv(tensor) * np.sqrt(np.linalg.det(tensor)))


def _fit_zone(image: np.ndarray, ellipse: _Ellipse, inner: float, outer: float, degree: int) -> _Fit | None:
    """Fit ellipse and harmonics to the pixels between two isophotes, given by semi-major axes [pixel].

    Gauss-Newton: the derivatives with respect to centre and ellipse are the first and second harmonic, so at
    the end exactly those vanish from the residual. None when the zone has too few pixels or the fit runs off.
    """
    inner = max(inner, _SMALLEST_PX)
    if outer <= inner:
        return None
    points, light = _neighbourhood(image, ellipse, inner, outer)
    harmonics = np.zeros(2 * len(ORDERS))
    chosen = np.zeros(len(points), dtype=bool)
    for step in range(_MOST_STEPS):
        place = _squeezed(points, ellipse)
        radius = np.maximum(np.abs(place), 1e-6)
        waves = _waves(place / radius, (1, 2) + ORDERS)
        limits = np.log(np.array([inner, outer]) * np.sqrt(ellipse.axis_ratio))
        depth = (2.0 * (np.log(radius) - waves[:, 4:] @ harmonics) - limits.sum()) / (limits[1] - limits[0])
        if step < _MOVING_STEPS:
            chosen = np.abs(depth) <= 1.0
        if chosen.sum() < 2 * (_FIT_PARAMETERS + degree + 1) or np.median(light[chosen]) <= 0:
            return None
        system = _system(radius[chosen], waves[chosen], depth[chosen], light[chosen], limits, degree)
        change = system.answer[degree + 1 :]
        if not np.isfinite(change).all():
            return None
        ellipse = _moved(ellipse, np.clip(change[:4], -0.3, 0.3))
        harmonics = harmonics + np.clip(change[4:], -0.3, 0.3)
        if ellipse.axis_ratio < 0.03 or not _inside(ellipse.centre, image.shape):
            return None
        settled = step >= _MOVING_STEPS and np.abs(change).max() < 1e-4
        if settled:
            break
    width = (outer - inner) * np.sqrt(ellipse.axis_ratio)
    errors = _errors(system, waves[chosen], depth[chosen], width)
    area = np.pi * (outer**2 - inner**2) * ellipse.axis_ratio * np.mean(np.exp(2.0 * _log_radius(harmonics)))
    return _Fit(ellipse, harmonics, errors, float(np.median(light[chosen])), float(chosen.sum() / area), bool(settled))


def _neighbourhood(image: np.ndarray, ellipse: _Ellipse, inner: float, outer: float) -> tuple[np.ndarray, np.ndarray]:
    """Positions and intensities of the pixels that may come to lie in the zone while the ellipse moves."""
    points = _pixels(image.shape)
    distance = np.hypot(*(points - ellipse.centre).T)
    near = (distance < 1.6 * outer) & (distance > 0.5 * inner * ellipse.axis_ratio - 3.0)
    return points[near], image.ravel()[near]


def _inside(centre: np.ndarray, shape: tuple[int, int]) -> bool:
    """Whether a centre (x, y) lies in a picture of shape (ny, nx)."""
    return bool((centre >= 0).all() and centre[0] < shape[1] and centre[1] < shape[0])


def _waves(turn: np.ndarray, orders: tuple[int, ...]) -> np.ndarray:
    """cos kE and sin kE of exp(iE) (n,), shape (n, 2 * len(orders)), in the order cos, sin, cos, sin..."""
    powers = {1: turn}
    for order in range(2, max(orders) + 1):  # products cost a tenth of the trigonometric functions
        powers[order] = powers[order - 1] * turn
    return np.stack([powers[order] for order in orders], axis=1).view(float)


@dataclass(frozen=True)
class _System:
    """A solved Gauss-Newton step: the answer; of each pixel the residual in ln r, and its weight for that."""

    answer: np.ndarray
    residual: np.ndarray
    weight: np.ndarray


def _system(radius, waves, depth, light, limits, degree) -> _System:
    """Linearise the model about the present shape, and solve.

    Parameters
    ----------
    radius : shape (n,)
        Circularised elliptical radius [pixel].
    waves : shape (n, 4 + 2 * len(ORDERS))
        cos and sin of orders 1, 2 and `ORDERS`.
    depth : shape (n,)
        Where the pixel's isophote lies between the limits (ln of their radii), from -1 to 1.
    light : shape (n,)
        Intensity.

    Returns
    -------
    _System
        The answer holds the profile, then the shift of the centre (cos 1, sin 1) [pixel, squeezed axes], the
        stretch (cos 2, sin 2) and the change of the harmonics.
    """
    chebyshev = np.polynomial.chebyshev
    # The small constant keeps empty pixels finite; it moves no isophote, since the logarithm is monotone.
    brightness = np.log(light + 0.1 * np.median(light))
    basis = chebyshev.chebvander(depth, degree)
    weight = 1.0 / radius  # each isophote then counts the same per unit of radius
    curve = np.linalg.solve((basis.T * weight) @ basis, basis.T @ (weight * brightness))
    slope = chebyshev.chebval(depth, chebyshev.chebder(curve)) * 2.0 / (limits[1] - limits[0])
    columns = np.hstack([basis, waves * -slope[:, None]])
    columns[:, degree + 1 : degree + 3] /= radius[:, None]
    weighted = columns * weight[:, None]
    answer = np.linalg.pinv(columns.T @ weighted, hermitian=True) @ (weighted.T @ brightness)
    steep = np.where(np.abs(slope) > 1e-9, slope, -1e-9)
    return _System(answer, (brightness - columns @ answer) / -steep, weight * steep**2)


def _errors(system: _System, waves: np.ndarray, depth: np.ndarray, width: float) -> dict[int, float]:
    """Uncertainty of a coefficient of each even order, from its scatter between zones of the isophotes.

    The scatter of the order itself sees a real change with radius, but has few degrees of freedom; noise
    is nearly the same in all, so the mean with that of all even orders is taken. Only even orders, because a
    fold by 180 degrees leaves them their noise and takes that of the odd ones.
    """
    count = int(np.clip(width / _ZONE_WIDTH_PX, 2, 4))
    zone = np.clip(((depth + 1.0) / 2.0 * count).astype(int), 0, count - 1)
    shares = np.eye(count)[zone].T * system.weight
    own = {}
    for order in _EVEN:
        first = 4 + 2 * ORDERS.index(order)
        wave = waves[:, first : first + 2]
        deviations = (shares @ (wave * system.residual[:, None])) / np.maximum(shares @ wave**2, 1e-300)
        own[order] = float(np.mean(deviations**2) / (count - 1))
    common = np.mean(list(own.values()))
    return {order: float(np.sqrt(0.5 * (own[order] + common))) for order in _EVEN}


def _moved(ellipse: _Ellipse, change: np.ndarray) -> _Ellipse:
    """The ellipse after a shift of its centre (in squeezed axes) and a stretch by cos 2 and sin 2."""
    root = _root(ellipse.form)
    centre = ellipse.centre + np.linalg.solve(root, change[:2])
    stretch = np.eye(2) - np.array([[change[2], change[3]], [change[3], -change[2]]])
    form = root @ stretch @ stretch @ root
    return _Ellipse(centre, form / np.sqrt(np.linalg.det(form)))


def _log_radius(harmonics: np.ndarray) -> np.ndarray:
    """ln r of the isophote at `_ANGLES`."""
    return _waves(np.exp(1j * _ANGLES), ORDERS) @ harmonics


def _coefficient(harmonics: np.ndarray, order: int, pa: float) -> float:
    """B_k of r / mean r about the position angle: exact, however large the deviation."""
    radius = np.exp(_log_radius(harmonics))
    return float(2.0 * np.mean(radius / radius.mean() * np.cos(order * (_ANGLES - pa))))


def _orientation(fit: _Fit) -> tuple[float, bool]:
    """Position angle [rad], and whether the ellipse was too round to give it.

    The sides of a round box fix its axes better than its ellipse does, which noise or a small tilt can turn
    by 45 degrees, and then a box would pass for a disc. So where the ellipse is weak beside the fourth
    harmonic, or the position angle uncertain, the major axis is the nearest angle about which the isophotes
    are boxy; where the position angle is lost, the one of the two boxy axes with B6 >= 0.
    """
    pa, stretch = fit.ellipse.pa, max(-np.log(fit.ellipse.axis_ratio), 1e-9)
    pa_error = fit.errors[4] / stretch
    cosine, sine = fit.harmonics[2 * ORDERS.index(4) : 2 * ORDERS.index(4) + 2]
    boxy = (np.arctan2(sine, cosine) + np.pi) / 4.0 + np.array([0.0, np.pi / 2.0])
    if pa_error > _LOST_PA_ERROR:
        return float(max(boxy, key=lambda axis: _coefficient(fit.harmonics, 6, axis)) % np.pi), True
    turns = (boxy - pa + np.pi / 2.0) % np.pi - np.pi / 2.0
    turn = turns[np.argmin(np.abs(turns))]
    is_weak = stretch < _WEAK_ELLIPSE * np.hypot(cosine, sine)
    is_near = pa_error > _UNCERTAIN_PA_ERROR and abs(turn) < 3.0 * pa_error
    return float((pa + turn) % np.pi if is_weak or is_near else pa), bool(is_weak)


def _shape(fit: _Fit, r_eff: float) -> Shape:
    """The public result of a fit."""
    pa, is_round = _orientation(fit)
    axis_ratio = fit.ellipse.axis_ratio
    b4, b6 = (_coefficient(fit.harmonics, order, pa) for order in (4, 6))
    doubts = {"round": is_round, "edge": fit.coverage < 0.95, "unsettled": not fit.settled}
    return Shape(
        x=float(fit.ellipse.centre[0]),
        y=float(fit.ellipse.centre[1]),
        r_eff_px=r_eff,
        axis_ratio=axis_ratio,
        pa_deg=float(np.rad2deg(pa)),
        b4=b4,
        b4_err=fit.errors[4],
        b6=b6,
        b6_err=fit.errors[6],
        a4_over_a=float(np.sqrt(axis_ratio) * b4),
        flag=" ".join(word for word, holds in doubts.items() if holds),
    )


def _failed(ellipse: _Ellipse, r_eff: float) -> Shape:
    """Centre and ellipse from moments, and no harmonics."""
    x, y = (float(value) for value in ellipse.centre)
    pa_deg = float(np.rad2deg(ellipse.pa))
    return Shape(x, y, r_eff, ellipse.axis_ratio, pa_deg, np.nan, np.nan, np.nan, np.nan, np.nan, "failed")
