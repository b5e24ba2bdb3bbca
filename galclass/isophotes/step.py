"""One step of a fit: the model made linear about the present shape, and solved.

It is weighted least squares of the intensity itself: sky noise, negative pixels included, then averages out. Where the
harmonics have the same error everywhere, each isophote counts the same per unit of radius; where noise is larger than
`_OWN_SCATTER`, as the pixels' noise demands.
"""

from dataclasses import dataclass

import numpy as np

from galclass.isophotes.frames import Ellipse, Nest
from galclass.isophotes.light import Picture
from galclass.isophotes.linear import combined, damped_inverse, harmonic_waves, polynomials, products, sums

#: Harmonics fitted beside the ellipse; 8 keeps the corners of a rectangle out of B4.
ORDERS = (3, 4, 5, 6, 8)
#: Where there are few pixels.
FEW_ORDERS = (4, 6)
#: Scatter of a harmonic from one isophote to the next, one pixel apart, that a galaxy may have of itself.
_OWN_SCATTER = 0.02
_FLATTEST = 0.03  # of the steepest slope of the profile, so that no pixel counts without limit
_MARGIN = 0.35  # of ln m, by which a zone may move while it is fitted
#: Fewest pixels a parameter, with `ORDERS` and with `FEW_ORDERS`.
_PIXELS_PER_PARAMETER = {ORDERS: 2.5, FEW_ORDERS: 1.5}


@dataclass(frozen=True)
class Zone:
    """What to fit: semi-major axes [pixel], degree of the profile, and orders of the harmonics beside 1 and 2."""

    inner: float
    outer: float
    degree: int
    orders: tuple[int, ...] = ORDERS

    @property
    def parameters(self) -> int:
        return self.degree + 5 + 2 * len(self.orders)

    @property
    def fewest_pixels(self) -> float:
        return _PIXELS_PER_PARAMETER[self.orders] * self.parameters


@dataclass(frozen=True)
class Data:
    """Pixels near a zone: positions x + iy, intensities in units of `unit`, 1 or 0 where masked, place in the image."""

    points: np.ndarray
    light: np.ndarray
    free: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    shape: tuple[int, int]
    unit: float
    is_folded: bool


@dataclass
class State:
    """What a step changes."""

    frame: Ellipse | Nest
    harmonics: np.ndarray
    noise: tuple[float, float] = (np.inf, 0.0)
    isophote: np.ndarray | None = None


def pixels_near(picture: Picture, frame: Ellipse | Nest, zone: Zone) -> Data | None:
    """The pixels that may come to lie in the zone while it moves, or None where there are too few in it."""
    image, mask, middle = picture.image, picture.mask, frame.at(zone.outer)
    reach = zone.outer * np.exp(_MARGIN) + 1.0
    x, y, (ny, nx) = middle.centre.real, middle.centre.imag, image.shape
    left, right = max(int(x - reach), 0), min(int(x + reach) + 2, nx)
    low, high = max(int(y - reach), 0), min(int(y + reach) + 2, ny)
    if left >= right or low >= high:
        return None
    points = np.arange(left, right) + 1j * np.arange(low, high)[:, None]
    radius = middle.radius(points) / middle.scale
    near = (radius < reach) & (radius > zone.inner * np.exp(-_MARGIN) - 1.0)
    rows, columns = np.nonzero(near)
    light, radius = image[low:high, left:right][near], radius[near]
    free = np.ones(len(light)) if mask is None else 1.0 - mask[low:high, left:right][near]
    sure = (radius > zone.inner) & (radius < zone.outer) & (free > 0)
    unit = np.abs(light[sure]).mean() if sure.any() else 0.0
    if sure.sum() < zone.fewest_pixels or unit == 0.0:
        return None
    return Data(points[near], light / unit, free, rows, columns, image.shape, float(unit), _is_folded(image))


def _is_folded(image: np.ndarray) -> bool:
    """Whether a picture is the same when turned by 180 degrees."""
    half = image[: (image.shape[0] + 1) // 2]
    return bool(np.abs(half - image[::-1, ::-1][: len(half)]).max() <= 1e-5 * np.abs(half).max())


def is_inside(points: np.ndarray | complex, shape: tuple[int, int]) -> np.ndarray | bool:
    """Whether points lie in a picture of shape (ny, nx)."""
    x, y = np.real(points), np.imag(points)
    return (x >= -0.5) & (x <= shape[1] - 0.5) & (y >= -0.5) & (y <= shape[0] - 0.5)


@dataclass(frozen=True)
class Step:
    """A solved step: the change of the harmonics, and what the errors need.

    `noise` is that of `_noise`; `share` how much of each pixel (n,) lies in the zone and is not masked; `columns`
    (m, n) the terms of the model, `inverse` (m, m) that of their normal matrix; `weight` and `sigma` weight and noise
    of each pixel, `residual` what the model leaves.
    """

    change: np.ndarray
    noise: tuple[float, float]
    radius: np.ndarray
    share: np.ndarray
    columns: np.ndarray
    inverse: np.ndarray
    weight: np.ndarray
    sigma: np.ndarray
    model: np.ndarray
    residual: np.ndarray


def take_step(data: Data, state: State, zone: Zone) -> Step | None:
    """Linearise the model about the present shape, and solve."""
    radius, turn = state.frame.place(data.points, state.isophote)
    waves = harmonic_waves(turn, (1, 2, *zone.orders))
    waves[:2] /= radius
    limits = np.log(np.array([zone.inner, zone.outer]) * state.frame.scale)
    half = 0.5 * (limits[1] - limits[0])
    size = np.log(radius) - combined(state.harmonics, waves)
    state.isophote = np.exp(size)
    depth = (size - limits.mean()) / half
    # A pixel on the rim counts by the part of it that is inside, so that nothing jumps while the zone moves.
    share = data.free * np.clip(0.5 + (1.0 - np.abs(depth)) * half * radius, 0.0, 1.0)
    if share.sum() < zone.fewest_pixels:
        return None
    depth = np.clip(depth, -1.5, 1.5)
    basis, slopes = polynomials(depth, zone.degree)
    weight = share / radius if np.isinf(state.noise[0]) else _weights(share, radius, None, depth, state.noise)
    curve = _solved(products(basis * weight, basis), sums(basis * weight, data.light))
    if curve is None:
        return None
    slope = combined(curve, slopes) / half
    if np.isinf(state.noise[0]):
        state.noise = _noise(data.light - combined(curve, basis), share, depth, 1.0)
    weight = _weights(share, radius, slope, depth, state.noise)
    columns = np.concatenate([basis, waves * -slope])
    weighted = columns * weight
    inverse = damped_inverse(products(weighted, columns))
    if inverse is None:
        return None
    answer = inverse @ sums(weighted, data.light)
    model = combined(answer, columns)
    residual = data.light - model
    freedom = 1.0 - zone.parameters / share.sum()
    noise = _noise(residual, share, depth, freedom)
    change, sigma = answer[zone.degree + 1 :], _sigma(depth, noise)
    return Step(change, noise, radius, share, columns, inverse, weight, sigma, model, residual)


def added_by_blur(data: Data, zone: Zone, step: Step) -> np.ndarray:
    """What a blur added to the harmonics per unit of its variance [1 / pixel^2], to first order.

    It added half of its variance times the Laplacian of the light.
    """
    model = np.full((data.rows.max() + 3, data.columns.max() + 3), np.nan)
    model[data.rows + 1, data.columns + 1] = step.model
    laplacian = (model[:-2, 1:-1] + model[2:, 1:-1] + model[1:-1, :-2] + model[1:-1, 2:] - 4.0 * model[1:-1, 1:-1])[
        data.rows, data.columns
    ]
    added = step.inverse @ sums(step.columns, step.weight * 0.5 * np.nan_to_num(laplacian))
    return added[zone.degree + 1 :]


def _noise(residual: np.ndarray, share: np.ndarray, depth: np.ndarray, freedom: float) -> tuple[float, float]:
    """ln of the variance of the residual at depth 0, and its slope, from the inner and the outer half."""
    means = []
    for side in (share * (depth < 0.0), share * (depth >= 0.0)):
        total = max(side.sum(), 1e-9)
        means.append((np.log(side @ residual**2 / total / max(freedom, 0.1) + 1e-20), side @ depth / total))
    (low, at_low), (high, at_high) = means
    slope = float(np.clip((high - low) / max(at_high - at_low, 0.2), -6.0, 6.0))
    return float(low - slope * at_low), slope


def _sigma(depth: np.ndarray, noise: tuple[float, float]) -> np.ndarray:
    return np.exp(0.5 * (noise[0] + noise[1] * np.clip(depth, -1.2, 1.2)))


def _weights(share, radius, slope, depth, noise) -> np.ndarray:
    """Weight of each pixel's intensity."""
    variance = _sigma(depth, noise) ** 2
    if slope is None:
        return share / (variance + 1e-12)
    steep = np.maximum(slope**2, (_FLATTEST * np.abs(slope * share).max()) ** 2)
    return share / (variance + _OWN_SCATTER**2 * radius * steep)


def _solved(matrix: np.ndarray, right: np.ndarray) -> np.ndarray | None:
    inverse = damped_inverse(matrix)
    return None if inverse is None else inverse @ right
