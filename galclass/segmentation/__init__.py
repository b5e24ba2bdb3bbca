"""What in a picture is the galaxy, what is sky, and what is something else.

The sky is a plane through the pixels without sources, taken off only where the border of the picture really is
sky: a galaxy that fills its frame keeps its light. Sources are found by photutils on a slightly smoothed picture.
What belongs to the galaxy has a counterpart on the other side of its centre; other objects have none.
"""

from dataclasses import dataclass

import numpy as np

from galclass.errors import InputError
from galclass.segmentation import pixels
from galclass.segmentation.sky import LEAST_SKY_PX, find_sky, pixel_noise, ring
from galclass.segmentation.sources import find_galaxy, twice_centre

__all__ = ["Scene", "clean", "scene"]

#: Sources are found at this many standard deviations of the smoothed sky; in a picture without noise, at this
#: share of the brightness above which half of the light is found.
_DETECTION_SIGMA, _FAINTEST_SHARE = 2.5, 1e-3
#: Pixels so far below the sky are broken [standard deviations of a pixel].
_DARK_SIGMA = 6.0
#: Pictures with more pixels a side are binned.
_LARGEST_SIDE = 200


@dataclass(frozen=True)
class Scene:
    """A picture taken apart.

    Attributes
    ----------
    sky : shape (ny, nx)
        Background to subtract, 0 where none was found.
    noise : float
        Standard deviation of the sky per pixel; 0 where the picture has no noise.
    galaxy : bool, shape (ny, nx)
        Pixels of the galaxy: the source that is large and near the middle.
    others : bool, shape (ny, nx)
        Pixels of every other source, grown a little, those masked, those not finite, and those far below the sky.
    """

    sky: np.ndarray
    noise: float
    galaxy: np.ndarray
    others: np.ndarray


def scene(image: np.ndarray, mask: np.ndarray | None = None) -> Scene:
    """Sky, noise, galaxy and other objects of a picture.

    Parameters
    ----------
    image : shape (ny, nx)
        Flux or brightness, any unit; pixels that are not finite are masked.
    mask : bool, shape (ny, nx), optional
        Pixels to leave out.

    Raises
    ------
    InputError
        The mask has another shape, or leaves no finite pixel.
    """
    image = np.asarray(image, dtype=float)
    bad = _bad_pixels(image, mask)
    found = _apart(image, bad)
    dark = ~bad & (np.nan_to_num(image) - found.sky < -_DARK_SIGMA * found.noise)
    return _apart(image, bad | dark) if found.noise > 0 and dark.any() else found


def _apart(image: np.ndarray, bad: np.ndarray) -> Scene:
    """The scene of a picture (ny, nx) without its bad pixels."""
    factor = -(-min(image.shape) // _LARGEST_SIDE)
    coarse, coarse_bad = pixels.binned(np.where(bad, np.median(image[~bad]), image), bad, factor)
    plane, noise, smooth_noise = find_sky(coarse, coarse_bad)
    smooth = pixels.smoothed(np.where(coarse_bad, 0.0, coarse - plane))
    sources, galaxy, others = find_galaxy(smooth, _threshold(smooth, smooth_noise), _DETECTION_SIGMA)
    sky = pixels.fine_plane(plane, factor, image.shape)
    others = pixels.fine(pixels.grown(others, 1), factor, image.shape) | bad
    if factor > 1 and noise > 0:
        noise = _fine_noise(image - sky, pixels.fine(~sources, factor, image.shape) & ~bad, bad)
    return Scene(sky, noise, pixels.fine(pixels.filled(galaxy), factor, image.shape) & ~others, others)


def clean(image: np.ndarray, smoothing_px: float = 0.7) -> np.ndarray:
    """A picture with the noise removed, as in the thesis: only the galaxy is left.

    The sky is taken off, other objects are replaced by the galaxy's light opposite of them (the picture turned by
    180 degrees about its centre; where that is masked too, by what lies around), the rest is smoothed, and all but
    the galaxy is 0.

    Parameters
    ----------
    image : shape (ny, nx)
    smoothing_px : float
        Standard deviation of the Gaussian [pixels]; 0 for none.

    Returns
    -------
    shape (ny, nx), not negative
    """
    found = scene(image)
    recorded = np.nan_to_num(image) - found.sky
    flux = np.where(found.others, 0.0, recorded)
    twice = twice_centre(pixels.smoothed(flux), found.galaxy)
    filling = _filling(flux, ~found.others, twice)
    # What is masked holds the galaxy's light and another's, so less than what was recorded.
    filling = np.where(np.isfinite(image), np.minimum(filling, recorded), filling)
    flux = np.where(found.others, filling, flux)
    smooth = pixels.smoothed(flux, smoothing_px) if smoothing_px > 0 else flux
    opposite = pixels.mirror(found.galaxy, twice)
    body = found.galaxy | (found.others & (opposite | pixels.closed(found.galaxy)))
    return np.where(pixels.filled(body), np.maximum(smooth, 0.0), 0.0)


def _filling(flux: np.ndarray, good: np.ndarray, twice: tuple[int, int]) -> np.ndarray:
    """Light for the pixels that are not good: that opposite, made to fit what lies around, or that around alone."""
    from scipy.ndimage import median_filter

    # By the median, for a faint star opposite must not come twice.
    mirrored, known = pixels.mirror(median_filter(flux, 5), twice), pixels.mirror(good, twice)
    step = pixels.around(flux - mirrored, good & known)
    near, wide = (pixels.around(flux, good, width) for width in (2.0, 6.0))
    return np.where(known, mirrored + step, np.where(near != 0, near, wide))


def _bad_pixels(image: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """Pixels that are masked or not finite."""
    if image.ndim != 2 or (mask is not None and np.shape(mask) != image.shape):
        raise InputError(f"picture {image.shape}, mask {np.shape(mask)}; give a plane and a mask of the same shape")
    bad = ~np.isfinite(image)
    bad = bad if mask is None else bad | np.asarray(mask, dtype=bool)
    if bad.all():
        raise InputError("every pixel of the picture is masked or not finite; give a picture with fewer pixels masked")
    return bad


def _threshold(smooth: np.ndarray, noise: float) -> float:
    """Brightness from which on something shines; never 0."""
    share = _FAINTEST_SHARE * pixels.half_light_brightness(smooth)
    return _DETECTION_SIGMA * noise or share or 1e-9 * float(np.abs(smooth).max()) or 1.0


def _fine_noise(flux: np.ndarray, free: np.ndarray, bad: np.ndarray) -> float:
    """Noise of the picture's own pixels."""
    if np.count_nonzero(free) >= LEAST_SKY_PX:
        return pixels.spread(flux[free])
    return pixel_noise(np.where(bad, 0.0, flux), ring(flux.shape, 0) & ~bad)
