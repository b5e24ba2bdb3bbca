"""Sums over the light of a galaxy: effective radius, first and second moments."""

from dataclasses import dataclass

import numpy as np

from galclass.errors import InputError
from galclass.isophotes.frames import Ellipse, ellipse

_APERTURE_RE = 4.0
_MOMENTS_RE = 2.0
_BIN_PX = 0.125
_HALVINGS = 20
#: A PSF of unknown width has any sigma up to this share of the scale length of an exponential disc. Mean of its
#: variance and the uncertainty, relative to the largest: 0.30 by that alone, and more since nobody knows its wings.
_WIDEST_PSF, _SCALE_LENGTHS_RE = 0.1, 1.678
_PSF_VARIANCE, _PSF_VARIANCE_SPREAD = 1.0 / 3.0, 0.4


@dataclass(frozen=True)
class Picture:
    """A checked picture: intensities (ny, nx), 0 where masked; the mask or None; sigma of the PSF [pixel] or None."""

    image: np.ndarray
    mask: np.ndarray | None = None
    psf_sigma_px: float | None = 0.0

    def blur(self, r_eff_px: float) -> tuple[float, float]:
        """Variance of the PSF and its uncertainty [pixel^2]; one that nobody stated is small beside the galaxy."""
        if self.psf_sigma_px is not None:
            return self.psf_sigma_px**2, 0.0
        largest = (_WIDEST_PSF * r_eff_px / _SCALE_LENGTHS_RE) ** 2
        return _PSF_VARIANCE * largest, _PSF_VARIANCE_SPREAD * largest


def checked(image: np.ndarray, mask: np.ndarray | None, psf_sigma_px: float | None = 0.0) -> Picture:
    """A picture in double precision.

    Raises
    ------
    InputError
        The image is not a finite picture with light in it, the mask has another shape or leaves nothing, or the
        PSF is no width.
    """
    image = np.asarray(image, dtype=float)
    if image.ndim != 2 or min(image.shape) < 8:
        raise InputError(f"image of shape {image.shape}; a galaxy needs a picture of at least 8 x 8 pixels")
    if mask is not None:
        mask = np.asarray(mask, dtype=bool)
        if mask.shape != image.shape:
            raise InputError(f"mask of shape {mask.shape}; needed is that of the image, {image.shape}")
        if mask.all():
            raise InputError("mask that covers the whole image; leave the galaxy's pixels unmasked")
        image, mask = np.where(mask, 0.0, image), mask if mask.any() else None
    if not np.isfinite(image).all():
        raise InputError("image with NaN or infinite pixels; mask or fill them before measuring")
    if image.max() <= 0:
        raise InputError("image without a positive pixel; give intensities on a linear scale")
    if psf_sigma_px is not None and not 0 <= psf_sigma_px < np.inf:
        raise InputError(f"psf_sigma_px {psf_sigma_px}; allowed is 0 (none) or a width in pixels")
    return Picture(image, mask, psf_sigma_px)


def pixels(shape: tuple[int, int]) -> np.ndarray:
    """Positions x + iy of the pixels of a picture (ny, nx)."""
    return np.arange(shape[1]) + 1j * np.arange(shape[0])[:, None]


def filled(picture: Picture, centre: complex) -> np.ndarray:
    """The image with masked pixels taken from the opposite side of the centre, 0 where that is masked as well."""
    if picture.mask is None:
        return picture.image
    rows, columns = np.nonzero(picture.mask)
    opposite = np.rint(2.0 * np.array([[centre.imag], [centre.real]]) - np.stack([rows, columns])).astype(int)
    inside = ((opposite >= 0) & (opposite < np.array([picture.image.shape]).T)).all(axis=0)
    full = picture.image.copy()
    full[rows[inside], columns[inside]] = picture.image[*opposite[:, inside]]  # 0 where masked
    return full


def effective_radius(
    image: np.ndarray,
    x: float,
    y: float,
    axis_ratio: float = 1.0,
    pa_deg: float = 0.0,
    *,
    mask: np.ndarray | None = None,
) -> float:
    """Semi-major axis of the ellipse that holds half of the light [pixel].

    The total is the light within four effective radii (99 % of an exponential disc), so that the answer does
    not depend on how much empty sky, or which neighbour, the picture shows beyond.

    Parameters
    ----------
    image : shape (ny, nx)
        Intensity on a linear scale, background subtracted.
    x, y : float
        Centre [pixel].
    axis_ratio, pa_deg : float
        Of the ellipses; angle of the major axis from the x axis towards y.
    mask : bool, shape (ny, nx)
        Pixels to ignore; the light of the opposite side of the centre is counted instead.
    """
    return half_light(checked(image, mask), ellipse(complex(x, y), axis_ratio, np.deg2rad(pa_deg)))


def half_light(picture: Picture, shape: Ellipse) -> float:
    """Semi-major axis that holds half of the light within four of it [pixel], along ellipses like `shape`."""
    image = filled(picture, shape.centre)
    radius = shape.radius(pixels(image.shape)).ravel() / np.sqrt(shape.axis_ratio)
    bins = (radius * (1.0 / _BIN_PX)).astype(int)
    enclosed = np.concatenate([[0.0], np.cumsum(np.bincount(bins, weights=image.ravel()))])
    edges = _BIN_PX * np.arange(len(enclosed))
    grown = np.maximum.accumulate(enclosed)  # noise may take light away; the first radius to hold half of it counts
    half, total = 0.0, grown[-1]
    for _ in range(_HALVINGS):
        last = half
        half = float(np.interp(0.5 * total, grown, edges))
        total = float(np.interp(_APERTURE_RE * half, edges, enclosed))
        if abs(half - last) < 1e-4:
            break
    return half


def first_ellipse(picture: Picture) -> Ellipse:
    """Centre and ellipse from moments of the light around the brightest place of the picture."""
    from scipy.ndimage import gaussian_filter

    blurred = gaussian_filter(picture.image, max(1.0, min(picture.image.shape) / 30.0))
    y, x = np.unravel_index(np.argmax(blurred), blurred.shape)
    shape = Ellipse(complex(x, y), 0j)
    for _ in range(4):
        shape = moments(filled(picture, shape.centre), shape, _MOMENTS_RE * half_light(picture, shape))
    return shape


def moments(image: np.ndarray, shape: Ellipse, aperture: float) -> Ellipse:
    """Ellipse of the first and second moments of the light inside an ellipse of semi-major axis `aperture` [pixel].

    `shape` itself where the light has no positive sum or no extent.
    """
    points = pixels(image.shape)
    inside = shape.radius(points) <= max(aperture * np.sqrt(shape.axis_ratio), 2.0)
    light, points = image[inside], points[inside]
    total = light.sum()
    if total <= 0:
        return shape
    centre = complex((light * points).sum() / total)
    offset = points - centre
    spin, size = (light * offset**2).sum() / total, (light * np.abs(offset) ** 2).sum() / total + 2e-3
    # Second moments along the axes are (size +- |spin|) / 2.
    if size <= abs(spin) or not _holds(image.shape, centre):
        return shape
    axis_ratio = np.sqrt((size - abs(spin)) / (size + abs(spin)))
    return ellipse(centre, axis_ratio, 0.5 * np.angle(spin))


def _holds(shape: tuple[int, int], centre: complex) -> bool:
    return -0.5 <= centre.real <= shape[1] - 0.5 and -0.5 <= centre.imag <= shape[0] - 0.5
