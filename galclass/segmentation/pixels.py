"""What is done to pixels: smoothing, growing, binning, turning by 180 degrees, robust statistics."""

import numpy as np

from galclass.statistics import SIGMA_PER_MAD

#: Width of the Gaussian in which sources are sought [pixels], and what it leaves of white noise.
DETECTION_PX = 1.0
SMOOTHED_NOISE = 0.28209479177387814 / DETECTION_PX


def smoothed(flux: np.ndarray, width: float = DETECTION_PX) -> np.ndarray:
    """A picture (ny, nx) behind a Gaussian of this standard deviation [pixels]."""
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(flux, width)


def grown(mask: np.ndarray, steps: int) -> np.ndarray:
    """A mask grown by so many pixels on all sides."""
    from scipy.ndimage import binary_dilation

    return binary_dilation(mask, np.ones((3, 3), bool), iterations=steps) if mask.any() else mask


def opened(mask: np.ndarray) -> np.ndarray:
    """A mask without what is narrower than three pixels, as the peaks of noise are."""
    from scipy.ndimage import binary_opening

    return binary_opening(mask, np.ones((3, 3), bool))


def closed(mask: np.ndarray) -> np.ndarray:
    """A mask with its gaps closed that are narrower than nine pixels."""
    from scipy.ndimage import binary_closing

    return binary_closing(np.pad(mask, 5), np.ones((9, 9), bool))[5:-5, 5:-5]


def filled(mask: np.ndarray) -> np.ndarray:
    """A mask with its holes filled."""
    from scipy.ndimage import binary_fill_holes

    return binary_fill_holes(mask)


def brightest_near(flux: np.ndarray) -> np.ndarray:
    """The brightest of each pixel and its eight neighbours."""
    from scipy.ndimage import maximum_filter

    return maximum_filter(flux, 3)


def mirror(values: np.ndarray, twice: tuple[int, int]) -> np.ndarray:
    """A picture or mask turned by 180 degrees about (y, x) = `twice` / 2; 0 where no pixel lies opposite."""
    (ny, nx), (cy, cx) = values.shape, twice
    rows, columns = cy - np.arange(ny), cx - np.arange(nx)
    inside = ((rows >= 0) & (rows < ny))[:, None] & ((columns >= 0) & (columns < nx))
    turned = values[np.clip(rows, 0, ny - 1)][:, np.clip(columns, 0, nx - 1)]
    return np.where(inside, turned, np.zeros((), values.dtype))


def around(flux: np.ndarray, good: np.ndarray, width: float = 2.0) -> np.ndarray:
    """Mean of the good pixels around each, weighted by a Gaussian of this width [pixels]; 0 where none is near."""
    weight = smoothed(good.astype(float), width)
    return np.where(weight > 1e-3, smoothed(np.where(good, flux, 0.0), width) / np.maximum(weight, 1e-3), 0.0)


def binned(values: np.ndarray, bad: np.ndarray, factor: int) -> tuple[np.ndarray, np.ndarray]:
    """Means over the good ones of `factor` x `factor` pixels, and where there is none."""
    if factor == 1:
        return values, bad
    widths = [(0, -n % factor) for n in values.shape]
    padded, good = np.pad(values, widths), np.pad(~bad, widths).astype(float)
    blocks = padded.shape[0] // factor, factor, padded.shape[1] // factor, factor
    count = good.reshape(blocks).sum(axis=(1, 3))
    mean = (padded * good).reshape(blocks).sum(axis=(1, 3)) / np.maximum(count, 1.0)
    return np.where(count > 0, mean, np.median(values[~bad])), count == 0


def fine(mask: np.ndarray, factor: int, shape: tuple[int, int]) -> np.ndarray:
    """A mask of binned pixels at those of the picture."""
    return mask.repeat(factor, axis=0).repeat(factor, axis=1)[: shape[0], : shape[1]]


def fine_plane(plane: np.ndarray, factor: int, shape: tuple[int, int]) -> np.ndarray:
    """A plane at binned pixels at those of the picture."""
    y, x = ((np.arange(n) + 0.5) / factor - 0.5 for n in shape)
    return plane[0, 0] + (plane[1, 0] - plane[0, 0]) * y[:, None] + (plane[0, 1] - plane[0, 0]) * x


def spread(values: np.ndarray) -> float:
    """Standard deviation, robust: by the median deviation; where most of an 8-bit sky is one level, by 95 per cent."""
    deviation = np.abs(values - np.median(values))
    robust = SIGMA_PER_MAD * float(np.median(deviation))
    trimmed = float(np.sqrt(np.mean(np.minimum(deviation, np.percentile(deviation, 95)) ** 2)))
    return robust if robust > 0.3 * trimmed else trimmed


def half_light_brightness(flux: np.ndarray) -> float:
    """Brightness of the pixel above which half of all light is found."""
    ordered = np.sort(np.maximum(flux, 0.0).ravel())[::-1]
    return float(ordered[np.searchsorted(np.cumsum(ordered), 0.5 * ordered.sum())])
