"""Trails of satellites: straight lines from border to border, found by the transform of Duda & Hart (1972).

They are sought by themselves, for a trail through the galaxy's centre is its own counterpart.
"""

from functools import lru_cache

import numpy as np

from galclass.segmentation.pixels import smoothed

#: What stands out from a Gaussian of this width [pixels] by so many standard deviations may belong to a trail.
_NARROW_PX, _SIGMA = 2.0, 2.0
#: Share of a line that stands out, and how much more than on the lines a few pixels beside it.
_COVERED, _MORE_THAN_BESIDE, _BESIDE_PX = 0.7, 0.4, 6
#: A trail is this share of the picture's width long, or more.
_SHORTEST = 0.5
#: It is evenly brighter than what is so far beside it (its 30th over its 60th percentile; a galaxy's ridge fades),
#: and it is narrow: it stands out over the nearer sides nearly as much as over the farther ones.
_SIDES_PX, _EVEN, _NARROW = (2.0, 3.0, 6.0), 0.5, 0.55
#: The galaxy's core is not masked for a trail across it where it is this much brighter.
_CORE_OVER_TRAIL = 10.0
_HALF_WIDTH_PX = 1.5
#: Lines looked at, and the angle below which two are one.
_MOST_LINES, _SAME_LINE_RAD = 6, 0.17


def trails(smooth: np.ndarray, noise: float) -> np.ndarray:
    """Pixels of the trails in a smoothed picture (ny, nx) whose noise has this standard deviation."""
    found = np.zeros(smooth.shape, bool)
    for angle, offset in _clear_lines(smooth - smoothed(smooth, _NARROW_PX) > _SIGMA * noise):
        across, along = _line_coordinates(smooth.shape, angle, offset)
        places = along[np.abs(across) <= 0.5]
        height, near, far = (_heights(smooth, angle, offset, places, sides) for sides in _SIDES_PX)
        low, high = np.percentile(height, [30, 60])
        if low > _EVEN * high and np.percentile(near, 40) > _NARROW * np.percentile(far, 40):
            found |= (np.abs(across) <= _HALF_WIDTH_PX) & (smooth < _CORE_OVER_TRAIL * high)
    return found


def _heights(smooth: np.ndarray, angle: float, offset: float, along: np.ndarray, sides_px: float) -> np.ndarray:
    """How much brighter a line is than beside it, at the places `along` it from its point nearest the middle."""
    from scipy.ndimage import map_coordinates

    middle = 0.5 * (np.array(smooth.shape) - 1.0)

    def at(across: float) -> np.ndarray:
        y = middle[0] + np.sin(angle) * along + np.cos(angle) * (offset + across)
        x = middle[1] + np.cos(angle) * along - np.sin(angle) * (offset + across)
        return map_coordinates(smooth, [y, x], order=1, mode="nearest")

    return at(0.0) - 0.5 * (at(sides_px) + at(-sides_px))


def _clear_lines(mask: np.ndarray) -> list[tuple[float, float]]:
    """Angles [rad] and distances from the middle [pixels] of the few lines that a mask covers, and not its sides."""
    angles, lengths = _lines(mask.shape)
    votes = _counts(*np.nonzero(mask), mask.shape, angles)
    covered = np.divide(votes, lengths, out=np.zeros(votes.shape), where=lengths >= _SHORTEST * min(mask.shape))
    beside = np.maximum(np.roll(covered, _BESIDE_PX, axis=1), np.roll(covered, -_BESIDE_PX, axis=1))
    clear = np.where(covered >= _COVERED, covered - beside, 0.0)
    lines = []
    for _ in range(_MOST_LINES):
        row, column = np.unravel_index(clear.argmax(), clear.shape)
        if clear[row, column] < _MORE_THAN_BESIDE:
            break
        lines.append((float(angles[row]), float(column - _reach(mask.shape))))
        turned = np.abs(np.sin(angles - angles[row])) < _SAME_LINE_RAD
        clear[turned] = 0.0
    return lines


@lru_cache(maxsize=8)
def _lines(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Angles (a,) of the lines tried, and how many pixels of a picture lie on each, shape (a, offsets)."""
    angles = np.linspace(0.0, np.pi, int(1.5 * max(shape)), endpoint=False)
    y, x = np.indices(shape)
    return angles, _counts(y.ravel(), x.ravel(), shape, angles)


def _counts(y: np.ndarray, x: np.ndarray, shape: tuple[int, int], angles: np.ndarray) -> np.ndarray:
    """How many pixels lie on the line at each angle and offset, shape (a, offsets)."""
    reach = _reach(shape)
    y, x = y - 0.5 * (shape[0] - 1), x - 0.5 * (shape[1] - 1)
    bins = np.rint(np.outer(np.cos(angles), y) - np.outer(np.sin(angles), x)).astype(int) + reach
    size = 2 * reach + 1
    bins += size * np.arange(len(angles))[:, None]
    return np.bincount(bins.ravel(), minlength=size * len(angles)).reshape(len(angles), size)


def _reach(shape: tuple[int, int]) -> int:
    """Largest distance of a pixel from the middle, and room for the lines beside."""
    return int(np.hypot(*shape) / 2.0) + _BESIDE_PX + 1


def _line_coordinates(shape: tuple[int, int], angle: float, offset: float) -> tuple[np.ndarray, np.ndarray]:
    """Distances from a line, and along it from its point nearest the middle, of all pixels (ny, nx)."""
    y, x = (np.arange(n) - 0.5 * (n - 1) for n in shape)
    across = np.cos(angle) * y[:, None] - np.sin(angle) * x - offset
    return across, np.sin(angle) * y[:, None] + np.cos(angle) * x
