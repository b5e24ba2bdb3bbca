"""Sources by photutils, and which of their pixels are the galaxy's.

Detection and deblending are those of Bertin & Arnouts (1996, A&AS 117, 393). A piece of the galaxy's own source
counts as another object only where it outshines its counterpart on the other side of the galaxy's centre: spiral
arms, bars and boxy corners have one, stars, neighbours and satellite trails have none.
"""

import warnings

import numpy as np

from galclass.segmentation.pixels import brightest_near, grown, mirror
from galclass.segmentation.trails import trails

#: How far another object stands out from the galaxy [standard deviations when smoothed],
_OTHER_SIGMA = 6.0
#: and by which share it outshines the galaxy's light opposite of it.
_OTHER_EXCESS = 0.5
#: One that overlaps with the galaxy has its peak this far above the saddle; clumps of arms hardly ever do.
_OTHER_OVER_SADDLE = 1.7
#: Levels and least share of the flux in deblending.
_LEVELS, _CONTRAST = 16, 0.003
_SMALLEST_SOURCE_PX = 6


def find_galaxy(
    smooth: np.ndarray, threshold: float, threshold_sigma: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sources in a smoothed picture (ny, nx) brighter than `threshold`, which is that many standard deviations.

    Returns
    -------
    sources, galaxy, others : bool, shape (ny, nx)
        Pixels of any source, of the galaxy, and of other objects.
    """
    found, parts = _sources(smooth, threshold)
    main = _main_source(smooth, parts, threshold)
    return found > 0, *_divided(smooth, threshold / threshold_sigma, found, parts, main)


def _sources(smooth: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Labels of the sources (ny, nx), 0 for none: as found, and deblended."""
    from photutils.segmentation import deblend_sources, detect_sources

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "no sources found", "deblending failed": both answers are used as they are
        found = detect_sources(smooth, threshold, n_pixels=_SMALLEST_SOURCE_PX)
        if found is None:  # nothing that large shines: the brightest place is all there is
            found = detect_sources(smooth, 0.5 * smooth.max(), n_pixels=1)
        if found is None:
            brightest = (smooth >= smooth.max()).astype(int)
            return brightest, brightest
        parts = deblend_sources(
            smooth, found, n_pixels=_SMALLEST_SOURCE_PX, n_levels=_LEVELS, contrast=_CONTRAST, progress_bar=False
        )
    return found.data, parts.data


def _main_source(smooth: np.ndarray, labels: np.ndarray, threshold: float) -> int:
    """Label of the galaxy: the most pixels near the middle, each counted by the logarithm of its light."""
    ny, nx = labels.shape
    y, x = np.mgrid[:ny, :nx]
    distance2 = ((x - 0.5 * (nx - 1)) ** 2 + (y - 0.5 * (ny - 1)) ** 2) / (0.2 * min(nx, ny)) ** 2
    weights = np.exp(-0.5 * distance2) * np.log1p(np.maximum(smooth, 0.0) / threshold)
    return int(np.bincount(labels.ravel(), weights.ravel())[1:].argmax()) + 1


def _divided(
    smooth: np.ndarray, noise: float, found: np.ndarray, parts: np.ndarray, main: int
) -> tuple[np.ndarray, np.ndarray]:
    """Pixels of the galaxy and of other objects, both (ny, nx)."""
    core = parts == main
    own, twice = found == found[core].max(), twice_centre(smooth, core)
    opposite, is_inside = brightest_near(mirror(smooth, twice)), mirror(np.ones(core.shape, bool), twice)
    excess = smooth - opposite
    stands_out = (excess > _OTHER_SIGMA * noise) & (excess > _OTHER_EXCESS * np.maximum(opposite, 0.0))
    brighter = excess > np.maximum(2.0 * noise, 0.5 * _OTHER_EXCESS * opposite)
    thin = _thin(smooth) > np.maximum(_OTHER_SIGMA * noise, _OTHER_EXCESS * opposite)
    others = _compact_or_straight(own & thin & stands_out & is_inside)
    others |= trails(smooth, noise)
    for label in np.unique(parts[(parts > 0) & ~core]):
        part = parts == label
        peak = np.unravel_index(np.argmax(np.where(part, smooth, -np.inf)), part.shape)
        apart = not own[peak] or smooth[peak] > _OTHER_OVER_SADDLE * _saddle(smooth, part, own)
        if stands_out[peak] and apart:
            others |= part & (brighter | ~own)
    return own & ~others, others


def twice_centre(smooth: np.ndarray, galaxy: np.ndarray) -> tuple[int, int]:
    """Twice the centre (y, x) of a galaxy: its core's, moved to where its two halves are most alike."""
    light = np.where(galaxy, smooth, 0.0)
    y, x = np.nonzero(light >= min(0.5 * light.max(), light.max()))
    core = light[y, x] if light.max() > 0 else np.ones(len(y))
    start = int(round(2.0 * np.average(y, weights=core))), int(round(2.0 * np.average(x, weights=core)))
    tries = [(start[0] + dy, start[1] + dx) for dy in range(-2, 3) for dx in range(-2, 3)]
    return min(tries, key=lambda twice: float(np.abs(light - mirror(light, twice)).sum()))


def _saddle(smooth: np.ndarray, part: np.ndarray, whole: np.ndarray) -> float:
    """Brightness where a part of a source meets the rest of it."""
    meeting = part & grown(whole & ~part, 1)
    return float(smooth[meeting].max()) if meeting.any() else 0.0


def _thin(smooth: np.ndarray) -> np.ndarray:
    """Brightness of structure as narrow as a star or a trail."""
    from scipy.ndimage import grey_opening

    return smooth - grey_opening(smooth, 2 * (_thin_px(smooth.shape),))


def _compact_or_straight(thin: np.ndarray) -> np.ndarray:
    """Of narrow structure, what is compact or straight; the rest is a galaxy's arms."""
    regions, points = _regions(thin)
    kept = np.zeros(len(points) + 1, bool)
    for number, place in enumerate(points, start=1):
        across, along = _extents(place)
        kept[number] = np.ptp(place, axis=0).max() < _thin_px(thin.shape) or across < 0.3 * along
    return kept[regions]


def _regions(mask: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Connected regions: their labels (ny, nx), and for each its pixels (n, 2) as (y, x)."""
    from scipy.ndimage import find_objects, label

    labels, _ = label(mask, np.ones((3, 3)))
    points = []
    for number, box in enumerate(find_objects(labels), start=1):
        points.append(np.argwhere(labels[box] == number) + [side.start for side in box])
    return labels, points


def _extents(place: np.ndarray) -> tuple[float, float]:
    """Standard deviations of pixels (n, 2) across and along their longest direction."""
    if len(place) < 2:
        return 0.0, 0.0
    small, large = np.sqrt(np.maximum(np.linalg.eigvalsh(np.cov(place.T)), 0.0))
    return float(small), float(large)


def _thin_px(shape: tuple[int, int]) -> int:
    """Width of a star or trail at most [pixels]."""
    return max(7, min(shape) // 25)
