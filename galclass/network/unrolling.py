"""A galaxy unrolled about its own ellipse: the picture that the trusted classifier looks at.

Rows are rings, ellipses of the galaxy's own centre, axis ratio and position angle; columns are eccentric anomaly.
An oval is flat on this map, a rectangle a wave of four crests, wherever the galaxy lies on the page and however it
is turned: a turn of the picture leaves the map as it is, a mirror image runs it backwards. What is mapped is not
brightness but how far each point's isophote lies outside (above 0) or inside its ellipse, as a share of the radius,
(I - mean of the ring) / -(dI / d ln radius): the quantity whose fourth harmonic is B4. Any stretch of the
brightness that keeps its order multiplies both alike and drops out. Where the ring's slope is lost in noise the
map fades to 0.
"""

from dataclasses import dataclass, replace

import numpy as np

from galclass.statistics import SIGMA_PER_MAD

#: Rings between these radii, in units of the galaxy's adaptive radius (about one effective radius).
FIRST_RING, LAST_RING, RINGS = 0.6, 3.6, 16
#: Places on a ring, and how many of them are repeated at each end, so that a network sees no edge.
PLACES, OVERLAP = 64, 14
#: A map: one row of places; on each the deviation, the one-sided excess and the weight of every ring, and how far it
#: lies towards the long axis.
MAP_SHAPE = (1, PLACES + 2 * OVERLAP, 3 * RINGS + 1)

#: The weight is this much wider than the galaxy in second moments, so that a bright core does not decide alone.
_WIDER = 3.0
_STEPS_CENTRE, _STEPS_SHAPE, _START = 8, 6, 0.14
#: Where one object is wanted, whatever lies beside it, the first weight is this narrow [widths of the picture].
_NARROW_START = 0.045
_SMALLEST_PX, _LARGEST_SHARE = 1.2, 0.25
_FLATTEST = 0.2
#: What counts as lying on one side only: brighter than the other by this share of it, and so many standard deviations.
_ONE_SIDED, _SIGNIFICANT = 0.5, 4.0
#: Single pictures: pixels are averaged while the galaxy's adaptive radius is above this, the field is this many such
#: radii, and the first look is at about so many pixels a side.
_LARGEST_RADIUS_PX, _FIELD, _COARSE_PX = 9.0, 14.0, 64
#: A deviation of this size fills three quarters of the map's range; ellipticity from which on the long axis is known;
#: slope over the range of brightness below which a ring is flat.
_DEVIATION, _ROUND, _FLAT = 0.12, 0.15, 1e-3


@dataclass(frozen=True)
class Ellipses:
    """Adaptive ellipses of n pictures.

    Attributes
    ----------
    x, y : centre [pixel, 0-based], shape (n,)
    radius : geometric mean of the half-axes of the best Gaussian's ellipse [pixel], shape (n,)
    axis_ratio : shape (n,)
    angle : from the x axis to the long axis [rad], shape (n,)
    """

    x: np.ndarray
    y: np.ndarray
    radius: np.ndarray
    axis_ratio: np.ndarray
    angle: np.ndarray


def galaxy_ellipses(pictures: np.ndarray, cores: Ellipses | None = None) -> Ellipses:
    """The ellipse of the galaxy in the middle of each picture (n, ny, nx), whatever lies beside it.

    A narrow weight finds the centre, unless `cores` tells it; then what lies on one side only is taken away, and a
    wider weight finds the shape.
    """
    start = _coarse_cores(pictures) if cores is None else cores
    return adaptive_ellipses(symmetric(pictures, start), _WIDER, _STEPS_SHAPE, start)


def galaxy_cores(pictures: np.ndarray) -> Ellipses:
    """The Gaussian with the moments it gives as a weight in each picture (n, ny, nx): of the object in the middle.

    The first weight is narrow, so that a neighbour as bright is left aside; it grows with the object.
    """
    start = _coarse_cores(pictures, _NARROW_START)
    return adaptive_ellipses(pictures, 1.0, _STEPS_CENTRE, start, _NARROW_START)


def _coarse_cores(pictures: np.ndarray, width: float = _START) -> Ellipses:
    """The cores at half the resolution."""
    found = adaptive_ellipses(_halved(pictures), 1.0, _STEPS_CENTRE, width=width)
    return replace(found, x=2.0 * found.x + 0.5, y=2.0 * found.y + 0.5, radius=2.0 * found.radius)


def _halved(pictures: np.ndarray) -> np.ndarray:
    """Pictures (n, ny, nx) with half as many pixels a side; they are enough for the first look."""
    n, ny, nx = (*pictures.shape[:1], *(length // 2 for length in pictures.shape[1:]))
    return pictures[:, : 2 * ny, : 2 * nx].reshape(n, ny, 2, nx, 2).mean(axis=(2, 4))


def symmetric(pictures: np.ndarray, ellipses: Ellipses) -> np.ndarray:
    """The pictures with what lies on one side only, half as bright again as the other and above the noise, taken away.

    Such pixels take the brightness of the one opposite of the centre, which is known to half a pixel here: too coarse
    to turn a whole galaxy about.
    """
    n, ny, nx = pictures.shape
    columns, rows = _opposite(ellipses.x, nx), _opposite(ellipses.y, ny)
    turned = pictures[np.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]
    sky = border_sky(pictures)[:, None, None]
    noise = SIGMA_PER_MAD * border_sky(np.abs(pictures - sky))[:, None, None]
    one_sided = pictures - turned > _ONE_SIDED * np.maximum(turned - sky, 0.0) + _SIGNIFICANT * noise
    return np.where(one_sided, turned, pictures)


def border_sky(pictures: np.ndarray) -> np.ndarray:
    """Median of each picture (n, ny, nx) near the rim of its inscribed circle, shape (n,)."""
    border, _ = _border(*pictures.shape[1:])
    return np.median(pictures[:, border], axis=1)


def _border(ny: int, nx: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels near the rim of the inscribed circle, and those inside it, bool, shape (ny, nx)."""
    y, x = np.mgrid[:ny, :nx]
    distance = np.hypot(x - 0.5 * (nx - 1), y - 0.5 * (ny - 1)) / min(ny, nx)
    rim = (distance < 0.5) & (distance > 0.44)
    return rim if rim.any() else distance < 0.5, distance < 0.5


def _opposite(centre: np.ndarray, length: int) -> np.ndarray:
    """Index of the pixel opposite of each one, shape (n, length); that at the border where there is none."""
    return np.clip(np.rint(2.0 * centre).astype(int)[:, None] - np.arange(length), 0, length - 1)


def adaptive_ellipses(
    pictures: np.ndarray, wider: float, steps: int, start: Ellipses | None = None, width: float = _START
) -> Ellipses:
    """The elliptical Gaussian that fits each picture best, by weighted moments (Bernstein & Jarvis 2002, AJ 123, 583).

    Parameters
    ----------
    pictures : shape (n, ny, nx)
        Brightness in any unit and stretch, a galaxy near the middle; the median of the border circle counts as sky.
    wider : float
        Second moments of the weight over those of the Gaussian.
    steps : int
        How often the weight is fitted anew; each leaves a half (wider 1) or a quarter (3) of what is still wrong.
    start : Ellipses, optional
        Where to start; the middle of the picture unless given.
    width : float
        Of the first weight [widths of the picture].
    """
    n, ny, nx = pictures.shape
    y, x = np.mgrid[:ny, :nx].astype(np.float32)
    x, y = (x - 0.5 * (nx - 1)).ravel(), (y - 0.5 * (ny - 1)).ravel()
    side = min(ny, nx)
    border, inside = (part.ravel() for part in _border(ny, nx))
    flat = np.asarray(pictures, np.float32).reshape(n, -1)
    light = flat[:, inside] - np.median(flat[:, border], axis=1, keepdims=True)
    x, y = x[inside], y[inside]
    basis = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
    centre, shape = np.zeros((n, 2), np.float32), np.tile(np.float32([1, 0, 1]) * (width * side) ** 2, (n, 1))
    if start is not None:
        centre = np.stack([start.x - 0.5 * (nx - 1), start.y - 0.5 * (ny - 1)], axis=1).astype(np.float32)
    for _ in range(steps):
        weight = _weight(basis, centre, wider * shape)
        moments = np.multiply(light, weight, out=weight) @ basis
        centre, shape = _update(moments, centre, shape, side, 1.0 + 1.0 / wider)
    return _as_ellipses(centre, shape, (nx, ny))


def _weight(basis: np.ndarray, centre: np.ndarray, shape: np.ndarray) -> np.ndarray:
    """The Gaussian of each picture at every pixel, shape (n, pixels): one product with the pixels' powers."""
    xx, xy, yy = shape.T
    determinant = np.maximum(xx * yy - xy * xy, 1e-6)
    a, b, c = yy / determinant, -xy / determinant, xx / determinant
    cx, cy = centre.T
    constant = a * cx * cx + 2 * b * cx * cy + c * cy * cy
    powers = np.stack([constant, -2 * (a * cx + b * cy), -2 * (b * cx + c * cy), a, 2 * b, c], axis=1)
    exponent = (-0.5 * powers) @ basis.T
    return np.exp(exponent, out=exponent)


def _update(
    moments: np.ndarray, centre: np.ndarray, shape: np.ndarray, side: int, grown: float
) -> tuple[np.ndarray, np.ndarray]:
    """Centre and second moments after one step; a weight makes a Gaussian's moments smaller by the factor `grown`."""
    total = moments[:, 0]
    good = total > 1e-6 * np.abs(moments[:, 0]).max(initial=1e-30)
    safe = np.where(good, total, 1.0)
    first = moments[:, 1:3] / safe[:, None]
    mean_x, mean_y = first.T
    xx = moments[:, 3] / safe - mean_x**2
    xy = moments[:, 4] / safe - mean_x * mean_y
    yy = moments[:, 5] / safe - mean_y**2
    shift = np.clip(grown * (first - centre), -0.1 * side, 0.1 * side)
    moved = np.clip(centre + shift, -0.2 * side, 0.2 * side)
    found = _bounded(grown * np.stack([xx, xy, yy], axis=1), side)
    keep = good[:, None] & np.isfinite(found).all(axis=1)[:, None]
    return np.where(keep, moved, centre), np.where(keep, found, shape)


def _bounded(shape: np.ndarray, side: int) -> np.ndarray:
    """Second moments of an ellipse neither too small, too large nor too flat."""
    xx, xy, yy = shape.T
    mean, half, cross = 0.5 * (xx + yy), 0.5 * (xx - yy), xy
    spread = np.hypot(half, cross)
    large, small = mean + spread, mean - spread
    top, bottom = (_LARGEST_SHARE * side * 1.3) ** 2, _SMALLEST_PX**2
    large_ = np.clip(large, bottom, top)
    small_ = np.clip(small, np.maximum(bottom, _FLATTEST**2 * large_), top)
    ratio = np.divide(0.5 * (large_ - small_), spread, out=np.zeros_like(spread), where=spread > 0)
    middle = 0.5 * (large_ + small_)
    return np.stack([middle + ratio * half, ratio * cross, middle - ratio * half], axis=1)


def _as_ellipses(centre: np.ndarray, shape: np.ndarray, size: tuple[int, int]) -> Ellipses:
    xx, xy, yy = shape.T.astype(float)
    mean, spread = 0.5 * (xx + yy), np.hypot(0.5 * (xx - yy), xy)
    large, small = mean + spread, np.maximum(mean - spread, 1e-6)
    angle = 0.5 * np.arctan2(2.0 * xy, xx - yy)
    x, y = (centre[:, axis] + 0.5 * (size[axis] - 1) for axis in (0, 1))
    return Ellipses(x, y, (large * small) ** 0.25, np.sqrt(small / large), angle)


def unrolled(pictures: np.ndarray, ellipses: Ellipses | None = None) -> np.ndarray:
    """Maps of pictures.

    Parameters
    ----------
    pictures : shape (n, ny, nx)
        Brightness in any unit and stretch, a galaxy near the middle.
    ellipses : Ellipses, optional
        Those of `galaxy_ellipses`, where they are known.

    Returns
    -------
    float32, shape (n, *MAP_SHAPE)
    """
    pictures = np.asarray(pictures, np.float32)
    ellipses = galaxy_ellipses(pictures) if ellipses is None else ellipses
    brightness, seen = _sampled(_smoothed(pictures), ellipses)
    return _wrapped(_channels(brightness, seen, ellipses.axis_ratio))[:, None]


def _smoothed(pictures: np.ndarray) -> np.ndarray:
    """Pictures (n, ny, nx) under a binomial of 3 x 3 pixels: what a turn by interpolation would lose does not count."""
    padded = np.pad(pictures, ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows = 0.25 * (padded[:, :-2] + padded[:, 2:]) + 0.5 * padded[:, 1:-1]
    return 0.25 * (rows[:, :, :-2] + rows[:, :, 2:]) + 0.5 * rows[:, :, 1:-1]


def _wrapped(row: np.ndarray) -> np.ndarray:
    """The first places of a row (n, PLACES, channels) once more behind it, and the last ones before it; float32."""
    return np.concatenate([row[:, -OVERLAP:], row, row[:, :OVERLAP]], axis=1).astype(np.float32)


def mirrored(maps: np.ndarray) -> np.ndarray:
    """The maps of the mirror images: the same places in the other order, beginning with the same one."""
    row = maps[:, 0, OVERLAP : OVERLAP + PLACES]
    return _wrapped(np.roll(row[:, ::-1], 1, axis=1))[:, None]


def framed(picture: np.ndarray) -> np.ndarray:
    """One picture (ny, nx) of any size cut to the surroundings of its galaxy, its pixels as large as the rings allow.

    The middle is looked at coarsely first: a small galaxy in a wide field keeps its own pixels.
    """
    coarse = binned(picture, max(min(picture.shape) // _COARSE_PX, 1))
    factor = min(picture.shape) // min(coarse.shape)
    radius = factor * float(galaxy_ellipses(coarse[None]).radius[0])
    side = max(int(_FIELD * radius), 2 * _COARSE_PX // 3)
    ny, nx = picture.shape
    low, left = max((ny - side) // 2, 0), max((nx - side) // 2, 0)
    near = picture[low : ny - low, left : nx - left]
    return binned(near, max(int(radius / _LARGEST_RADIUS_PX), 1))


def binned(picture: np.ndarray, factor: int) -> np.ndarray:
    """Means of factor x factor pixels; a rest is left out on both sides alike."""
    ny, nx = (length // factor for length in picture.shape)
    low, left = ((length - n * factor) // 2 for length, n in zip(picture.shape, (ny, nx), strict=True))
    whole = picture[low : low + ny * factor, left : left + nx * factor]
    return whole.reshape(ny, factor, nx, factor).mean(axis=(1, 3))


def ring_radii() -> np.ndarray:
    """Geometric mean radius of each ring over the adaptive radius."""
    return np.geomspace(FIRST_RING, LAST_RING, RINGS)


def _anomalies() -> np.ndarray:
    """Eccentric anomaly of each place [rad]."""
    return 2.0 * np.pi * np.arange(PLACES) / PLACES


def places(ellipses: Ellipses) -> tuple[np.ndarray, np.ndarray]:
    """Pixel coordinates x, y of the places on the rings, each of shape (n, RINGS, PLACES)."""
    anomaly = _anomalies()
    radius = ellipses.radius[:, None, None] * ring_radii()[:, None]
    root = np.sqrt(ellipses.axis_ratio)[:, None, None]
    along, across = radius / root * np.cos(anomaly), radius * root * np.sin(anomaly)
    cosine, sine = np.cos(ellipses.angle)[:, None, None], np.sin(ellipses.angle)[:, None, None]
    return (
        ellipses.x[:, None, None] + along * cosine - across * sine,
        ellipses.y[:, None, None] + along * sine + across * cosine,
    )


def deviations(maps: np.ndarray) -> np.ndarray:
    """What maps (n, *MAP_SHAPE) say of the isophotes: outside (above 0) or inside their ellipse; (n, RINGS, PLACES)."""
    return maps[:, 0, OVERLAP : OVERLAP + PLACES, :RINGS].transpose(0, 2, 1)


def _sampled(pictures: np.ndarray, ellipses: Ellipses) -> tuple[np.ndarray, np.ndarray]:
    """Brightness at the places, and whether the inscribed circle holds them."""
    ny, nx = pictures.shape[1:]
    x, y = places(ellipses)
    seen = np.hypot(x - 0.5 * (nx - 1), y - 0.5 * (ny - 1)) <= 0.5 * min(nx, ny) - 0.5
    return interpolated(pictures, x, y)[0], seen


def interpolated(pictures: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Brightness of pictures (n, ny, nx) at pixel coordinates (n, rings, places), linearly, and which lie inside."""
    n, ny, nx = pictures.shape
    x, y = x.astype(np.float32), y.astype(np.float32)
    inside = (x >= 0) & (x <= nx - 1) & (y >= 0) & (y <= ny - 1)
    np.clip(x, 0.0, nx - 1.001, out=x)
    np.clip(y, 0.0, ny - 1.001, out=y)
    left, low = x.astype(np.int32), y.astype(np.int32)
    x -= left
    y -= low
    pixel = low * nx + left + (np.arange(n, dtype=np.int32) * (ny * nx))[:, None, None]
    flat = pictures.ravel()
    lower = _between(flat.take(pixel), flat[1:].take(pixel), x)
    upper = _between(flat[nx:].take(pixel), flat[nx + 1 :].take(pixel), x)
    return _between(lower, upper, y), inside


def _between(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
    """`first` where `share` is 0, `second` where it is 1; in the memory of `second`."""
    second -= first
    second *= share
    second += first
    return second


def _channels(brightness: np.ndarray, seen: np.ndarray, axis_ratio: np.ndarray) -> np.ndarray:
    """The row of each picture, shape (n, PLACES, 3 RINGS + 1), from brightness (n, RINGS, PLACES)."""
    turned = np.roll(brightness, PLACES // 2, axis=2)
    seen = seen & np.roll(seen, PLACES // 2, axis=2)
    both = _both_sides(brightness, turned, seen)
    mean = _ring_means(both, seen)
    slope, weight = _slope_and_weight(mean, _noise(brightness, seen))
    scale = np.divide(weight, slope, out=np.zeros_like(slope), where=slope > 0)[:, :, None]
    deviation = np.where(seen, both - mean[:, :, None], 0.0) * scale
    excess = np.where(seen, brightness - both, 0.0) * scale
    towards = np.cos(2.0 * _anomalies()) * np.tanh((1.0 - axis_ratio) / _ROUND)[:, None]
    parts = [np.tanh(deviation / _DEVIATION), np.tanh(excess / _DEVIATION), np.where(seen, weight[:, :, None], 0.0)]
    return np.concatenate([*(part.transpose(0, 2, 1) for part in parts), towards[:, :, None]], axis=2)


def _both_sides(brightness: np.ndarray, turned: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Mean of each place and the one opposite, but the fainter of the two where they differ beyond the noise."""
    noise = _noise(brightness, seen)[:, :, None]
    differ = np.abs(brightness - turned) > _SIGNIFICANT * noise
    return np.where(differ, np.minimum(brightness, turned), 0.5 * (brightness + turned))


def _ring_means(brightness: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Mean of each ring over what is seen of it, shape (n, RINGS); a ring out of sight has that of the one within."""
    count = seen.sum(axis=2)
    mean = np.where(seen, brightness, 0.0).sum(axis=2) / np.maximum(count, 1)
    for ring in range(1, RINGS):
        mean[:, ring] = np.where(count[:, ring] > 0, mean[:, ring], mean[:, ring - 1])
    return mean


def _slope_and_weight(mean: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """-dI / d ln r of each ring (0 where the light rises), and how far it stands out of the noise, 0 to 1."""
    slope = np.maximum(-np.gradient(mean, np.log(ring_radii()), axis=1), 0.0)
    against = noise**2 + (_FLAT * np.ptp(mean, axis=1)[:, None]) ** 2
    return slope, np.divide(slope**2, slope**2 + against, out=np.zeros_like(slope), where=slope > 0)


def _noise(brightness: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Standard deviation of a place from its neighbours' differences, shape (n, RINGS); small scales only."""
    second = brightness - 0.5 * (np.roll(brightness, 2, axis=2) + np.roll(brightness, -2, axis=2))
    return np.sqrt(np.where(seen, second**2, 0).mean(axis=2) / 1.5)
