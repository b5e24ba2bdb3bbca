"""The sky: a plane through the pixels without sources, taken off only where the border of the picture is sky."""

import numpy as np

from galclass.segmentation.pixels import SMOOTHED_NOISE, grown, half_light_brightness, opened, smoothed, spread

#: Pixels without sources that make a sky.
LEAST_SKY_PX = 24


def find_sky(values: np.ndarray, bad: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Plane of the sky (ny, nx), its noise, and that when smoothed; no plane where the galaxy reaches the border."""
    border = ring(values.shape, 0) & ~bad
    noise = pixel_noise(values, border | (ring(values.shape, 1) & ~bad))
    nothing = np.zeros(values.shape), noise, max(_grain(values, border), noise * SMOOTHED_NOISE) if noise > 0 else 0.0
    free = border
    if np.count_nonzero(free) < LEAST_SKY_PX or _declines(values - _plane(values, border), bad):
        return nothing
    for _ in range(3):
        plane = _plane(values, free)
        smooth = smoothed(values - plane)
        threshold = max(2.0 * spread(smooth[free]), 1e-6 * np.ptp(values))
        free = ~bad & ~grown(opened(np.abs(smooth) > threshold), 2)
        if np.count_nonzero(free) < LEAST_SKY_PX:
            return nothing
    noise = spread((values - plane)[free])
    if pixel_noise(values, free) == 0 or noise < 1e-6 * np.ptp(values):
        is_level = np.abs(np.median(values[free])) > 20.0 * noise  # else what is there is the galaxy's faint light
        return plane if is_level else np.zeros(values.shape), 0.0, 0.0
    return plane, noise, max(spread(smooth[free]), noise * SMOOTHED_NOISE)


def ring(shape: tuple[int, int], number: int) -> np.ndarray:
    """The outermost sixteenth of a picture on all sides (number 0), or the ring within it (1)."""
    wide = max(2, min(shape) // 16)
    distance = np.minimum.outer(*(np.minimum(np.arange(n), np.arange(n)[::-1]) for n in shape))
    return distance // wide == number


def _plane(values: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Plane through the pixels `free`, outliers clipped at three standard deviations, shape of `values`."""
    ny, nx = values.shape
    y, x = np.mgrid[:ny, :nx]
    terms = np.stack([np.ones(values.shape), 2.0 * x / nx - 1.0, 2.0 * y / ny - 1.0], axis=-1)
    kept = free.copy()
    for _ in range(4):
        plane = terms @ np.linalg.lstsq(terms[kept], values[kept], rcond=None)[0]
        residual = values - plane
        middle, sigma = np.median(residual[kept]), spread(residual[kept])
        inside = free & (np.abs(residual - middle) <= 3.0 * sigma)
        if sigma == 0 or np.count_nonzero(inside) < 12:
            break
        kept = inside
    return plane


def pixel_noise(values: np.ndarray, where: np.ndarray) -> float:
    """Noise from pixel to pixel: third differences, in which smooth light vanishes; 0 where it is all there is."""
    differences = np.diff(np.diff(values, 3, axis=0), 3, axis=1)
    inside = where[1:-2, 1:-2]
    noise = spread(differences[inside]) / 20.0 if inside.any() else 0.0
    return noise if noise > 5e-4 * spread(values[where]) else 0.0


def _grain(values: np.ndarray, where: np.ndarray) -> float:
    """Noise of the smoothed picture where it has no sky: what is left without its large scales."""
    smooth = smoothed(values)
    return spread((smooth - smoothed(smooth, 2.5))[where])


def _declines(values: np.ndarray, bad: np.ndarray) -> bool:
    """Whether the light still falls towards the border, as a galaxy's does and the sky's does not.

    The fall must be significant, and matter beside the brightness within which half of the light lies.
    """
    outer, inner = (ring(values.shape, number) & ~bad for number in (0, 1))
    if min(np.count_nonzero(outer), np.count_nonzero(inner)) < LEAST_SKY_PX:
        return False
    drop = np.median(values[inner]) - np.median(values[outer])
    noise = spread((values[:, 3:] - values[:, :-3])[(outer | inner)[:, 3:]]) / np.sqrt(2.0)
    error = 1.25 * noise * np.sqrt(1.0 / np.count_nonzero(outer) + 1.0 / np.count_nonzero(inner))
    bright = half_light_brightness(values - np.median(values[outer]))
    return bool(drop > max(4.0 * error, 0.25 * noise, 0.02 * bright))
