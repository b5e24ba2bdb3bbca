"""Likeness of two galaxies freed of what does not belong to their shape: place, size, turn and handedness.

Centre and size (the adaptive radius, about one effective radius) are taken off by sampling each picture on rings
about its centre. A turn then is a shift along the rings, so the cosine at every angle is one correlation, which
Fourier transforms give at once; the mirror image is the complex conjugate. What the size is still wrong by is found
by sampling the reference at several scales.

The residual is sampled on rings of the galaxy's own best ellipse: how far each isophote lies outside or inside of it,
in units of the radius (`network.unrolled`), which a stretch of the brightness hardly changes. There all turns are tried
only where a galaxy is too round to have a long axis: with any turn allowed, a boxy galaxy would be a discy one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from galclass import network

#: Rings of the intensity, evenly spaced up to so many adaptive radii, and places on each.
OUTER_RADIUS, RINGS, PLACES = 2.5, 24, 128
#: Scales at which the reference is looked at, and angles: first coarsely, for the best scale finely.
SCALES = np.exp(np.linspace(-0.4, 0.4, 9))
_TURNS, _FINE_TURNS = 192, 1440
#: Brightness above the sky is raised to this power, so that an error of the sky, which a galaxy cut off by the border
#: makes, counts less in its size and likeness; more would leave nothing but the core (docs/validation.md).
_CONTRAST = 1.5
#: Half the width of an aligned picture [adaptive radii].
HALF_WIDTH = 3.0
#: A galaxy rounder than this has no long axis; that of others may be off by so many places on the ring of the residual.
_ROUND, _LOOSE_PLACES = 0.9, 1
#: Frames up to this width are taken as they are; larger pictures are cut to their galaxy and binned.
_LARGEST_FRAME_PX = 64
_AT_ONCE = 64
_RADIUS_STEP = 0.08


@dataclass(frozen=True)
class Rings:
    """Galaxies of n pictures on rings, as Fourier coefficients along the rings; each picture has length 1, or 0.

    Attributes
    ----------
    intensity : complex64, shape (n, PLACES / 2 + 1, RINGS)
        Brightness above the sky of the border, weighted by the area it stands for.
    residual : complex64, shape (n, places / 2 + 1, rings)
        Deviation of the isophotes from the galaxy's own ellipse, as `network.unrolled` has it.
    axis_ratio : shape (n,)
    """

    intensity: np.ndarray
    residual: np.ndarray
    axis_ratio: np.ndarray


@dataclass(frozen=True)
class Pattern:
    """The rings of the picture that others are compared with, at all `SCALES`, as one matrix a frequency.

    Attributes
    ----------
    intensity : complex64, shape (PLACES / 2 + 1, RINGS, 2 scales)
        As it is and mirrored.
    residual : complex64, shape (places / 2 + 1, rings, 2)
    axis_ratio : float
    """

    intensity: np.ndarray
    residual: np.ndarray
    axis_ratio: float


def pattern(picture: np.ndarray) -> Pattern:
    """The pattern of a picture (ny, nx) of any size, 0 to 1."""
    frame = _above_sky(np.asarray(network.framed(picture)[None], np.float32))
    core = network.galaxy_cores(frame)
    scaled = np.stack([_intensity(frame, core, scale)[0] for scale in SCALES], axis=-1)
    rings = _rings(frame)
    return Pattern(_both_hands(scaled), _both_hands(rings.residual[0][..., None]), float(rings.axis_ratio[0]))


def aligned_cosines(pictures: Sequence[np.ndarray], reference: Pattern) -> pd.DataFrame:
    """How alike pictures are to the reference once they lie alike.

    Parameters
    ----------
    pictures : shape (n, ny, nx), or a sequence of pictures of any size
        Brightness, 0 to 1.

    Returns
    -------
    table of n rows
        cosine_aligned, cosine_residual; rotation_deg and mirrored: a picture that is mirrored (left to right) where so
        said, and then turned counter-clockwise by so much, lies like the reference; scale: what its adaptive radius had
        to be corrected by to fit the reference's (1 for the same galaxy of any size). An empty picture has cosine 0.
    """
    tables = [_compared(_rings(_above_sky(stack)), reference) for stack in _stacks(pictures)]
    return pd.concat(tables, ignore_index=True)


def _stacks(pictures: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
    """The pictures in stacks of one size that fit into the processor's caches, float32."""
    if isinstance(pictures, np.ndarray) and max(pictures.shape[1:]) <= _LARGEST_FRAME_PX:
        for first in range(0, len(pictures), _AT_ONCE):
            yield np.asarray(pictures[first : first + _AT_ONCE], np.float32)
    else:
        for picture in pictures:
            yield np.asarray(network.framed(picture)[None], np.float32)


def _above_sky(pictures: np.ndarray) -> np.ndarray:
    """Brightness of pictures (n, ny, nx) above the sky of the border over its largest, to the power of `_CONTRAST`."""
    above = np.maximum(pictures - network.border_sky(pictures)[:, None, None], 0.0)
    largest = above.max(axis=(1, 2), keepdims=True)
    return np.divide(above, largest, out=np.zeros_like(above), where=largest > 0) ** _CONTRAST


def _rings(pictures: np.ndarray) -> Rings:
    """Pictures (n, ny, nx) of `_above_sky` on their rings."""
    cores = network.galaxy_cores(pictures)
    ellipses = network.galaxy_ellipses(pictures, cores)
    deviation = network.deviations(network.unrolled(pictures, ellipses))
    return Rings(_intensity(pictures, cores, 1.0), _spectrum(deviation), ellipses.axis_ratio)


def _intensity(pictures: np.ndarray, cores: network.Ellipses, scale: float) -> np.ndarray:
    """Brightness on circles about the centres, as Fourier coefficients (n, frequencies, RINGS)."""
    radius = ((np.arange(RINGS) + 0.5) * (OUTER_RADIUS / RINGS)).astype(np.float32)
    angle = 2.0 * np.pi * np.arange(PLACES) / PLACES
    size = (scale * cores.radius).astype(np.float32)[:, None, None] * radius[:, None]
    x = cores.x.astype(np.float32)[:, None, None] + size * np.cos(angle).astype(np.float32)
    y = cores.y.astype(np.float32)[:, None, None] + size * np.sin(angle).astype(np.float32)
    brightness, seen = network.interpolated(pictures, x, y)
    return _spectrum(np.where(seen, brightness, np.float32(0.0)) * np.sqrt(radius)[:, None])


def _spectrum(rings: np.ndarray) -> np.ndarray:
    """Fourier coefficients (n, frequencies, rings) of rings (n, rings, places), each picture scaled to length 1."""
    length = np.linalg.norm(rings, axis=(1, 2), keepdims=True)
    unit = np.divide(rings, length, out=np.zeros_like(rings, dtype=np.float32), where=length > 0)
    return np.fft.rfft(unit, axis=2).astype(np.complex64).transpose(0, 2, 1)


def _both_hands(spectrum: np.ndarray) -> np.ndarray:
    """A spectrum (frequencies, rings, k) to multiply others with, and that of its mirror image: (.., .., 2 k)."""
    return np.concatenate([np.conj(spectrum), spectrum], axis=-1)


def _compared(rings: Rings, reference: Pattern) -> pd.DataFrame:
    cosine, turn, which = _best_turn(rings.intensity, reference.intensity)
    count = len(SCALES)
    return pd.DataFrame(
        {
            "cosine_aligned": cosine,
            "cosine_residual": _residual_cosine(rings, reference),
            "rotation_deg": turn,
            "mirrored": which >= count,
            "scale": 1.0 / SCALES[which % count],
        }
    )


def _best_turn(spectra: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Highest cosine of each picture, its angle [deg] as in `aligned_cosines`, and the version of the reference.

    Parameters
    ----------
    spectra : shape (n, frequencies, rings)
    reference : shape (frequencies, rings, versions), the second half mirrored
    """
    products = _products(spectra, reference)
    which = _curves(products, _TURNS).max(axis=2).argmax(axis=1)
    best = _curves(np.take_along_axis(products, which[:, None, None], axis=1), _FINE_TURNS)[:, 0]
    turn = best.argmax(axis=1) * (360.0 / _FINE_TURNS)
    turn = np.where(which < reference.shape[2] // 2, turn, turn + 180.0)  # mirrored up and down, not left and right
    return np.clip(best.max(axis=1), 0.0, 1.0), -turn % 360.0, which


def _products(spectra: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Spectra of the correlations, shape (n, versions, frequencies); those of mirror images are conjugated."""
    products = np.matmul(spectra.transpose(1, 0, 2), reference).transpose(1, 2, 0)
    half = products.shape[1] // 2
    return np.concatenate([products[:, :half], np.conj(products[:, half:])], axis=1)


def _curves(products: np.ndarray, turns: int) -> np.ndarray:
    """Cosines at evenly spaced turns, shape (n, versions, turns), from the spectra of correlations."""
    places = 2 * (products.shape[2] - 1)
    return np.fft.irfft(products, turns, axis=2) * (turns / places)


def _residual_cosine(rings: Rings, reference: Pattern) -> np.ndarray:
    """Highest cosine of the residuals over all turns that the long axes leave open, shape (n,)."""
    places = 2 * (rings.residual.shape[1] - 1)
    curves = _curves(_products(rings.residual, reference.residual), places).max(axis=1)
    off = np.minimum(np.arange(places) % (places // 2), -np.arange(places) % (places // 2))
    held = (rings.axis_ratio < _ROUND) & (reference.axis_ratio < _ROUND)
    return np.clip(np.where(held[:, None] & (off > _LOOSE_PLACES), -1.0, curves).max(axis=1), -1.0, 1.0)


# --- pictures to look at


def _galaxy_ellipse(picture: np.ndarray) -> tuple[float, float, float, float, float]:
    """Centre x, y and adaptive radius [pixel], axis ratio and angle of the long axis [rad] of the galaxy."""
    factor = max(1, max(picture.shape) // _LARGEST_FRAME_PX)
    ny, nx = (length // factor for length in picture.shape)
    small = picture[: ny * factor, : nx * factor].reshape(ny, factor, nx, factor).mean(axis=(1, 3))
    frame = np.asarray(small[None], np.float32)
    found = network.galaxy_ellipses(frame, network.galaxy_cores(frame))
    x, y = (factor * (float(centre[0]) + 0.5) - 0.5 for centre in (found.x, found.y))
    return x, y, factor * float(found.radius[0]), float(found.axis_ratio[0]), float(found.angle[0])


def aligned(picture: np.ndarray, pixels: int) -> np.ndarray:
    """The galaxy of a picture with its centre in the middle and its long axis along x, its size normalised.

    Parameters
    ----------
    picture : shape (ny, nx), 0 to 1
    pixels : width of the result

    Returns
    -------
    shape (pixels, pixels)
        Brightness above the sky of the border, on +-`HALF_WIDTH` adaptive radii.
    """
    from scipy.ndimage import affine_transform, gaussian_filter

    x, y, radius, _, angle = _galaxy_ellipse(picture)
    light = np.maximum(picture - network.border_sky(picture[None])[0], 0.0)
    step = 2.0 * HALF_WIDTH * radius / pixels
    if step > 1.0:  # a coarser grid than the picture's: average instead of picking pixels
        light = gaussian_filter(light, 0.4 * step)
    cos, sin = np.cos(angle), np.sin(angle)
    matrix = step * np.array([[cos, sin], [-sin, cos]])  # (row, column) of the result to (row, column) of the picture
    offset = np.array([y, x]) - matrix @ np.full(2, 0.5 * (pixels - 1))
    return affine_transform(light, matrix, offset, (pixels, pixels), order=1)


def residual_picture(picture: np.ndarray) -> np.ndarray:
    """A picture (ny, nx) less its mean brightness on the galaxy's best ellipses."""
    x, y, radius, ratio, angle = _galaxy_ellipse(picture)
    distance, _ = in_ellipse(picture.shape, x, y, ratio, angle)
    rings = distance / max(_RADIUS_STEP * radius, 0.5)
    return picture - ring_means(picture, rings, rings)


def in_ellipse(shape: tuple[int, int], x: float, y: float, ratio: float, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Geometric mean radius [pixel] of the ellipse through each pixel, and eccentric anomaly [rad], shape (ny, nx)."""
    dy, dx = np.indices(shape, dtype=float)
    dy, dx = dy - y, dx - x
    along = (dx * np.cos(angle) + dy * np.sin(angle)) * np.sqrt(ratio)
    across = (dy * np.cos(angle) - dx * np.sin(angle)) / np.sqrt(ratio)
    return np.hypot(along, across), np.arctan2(across, along)


def ring_means(values: np.ndarray, rings: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Means of values (ny, nx) over rings (numbers of rings, with fractions), interpolated at other such numbers."""
    inner = rings.astype(int)
    share = rings - inner  # each pixel counts for the two nearest rings
    bins, weights = np.stack([inner, inner + 1]).ravel(), np.stack([1.0 - share, share]).ravel()
    total = np.bincount(bins, weights * np.tile(values.ravel(), 2))
    mean = total / np.maximum(np.bincount(bins, weights), 1e-12)
    return np.interp(at, np.arange(len(mean)), mean)
