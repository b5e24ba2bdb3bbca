"""A galaxy brought to one centre, one size and one position angle, and what its own ellipses leave over."""

import numpy as np

#: Half the width of an aligned picture, in effective radii of its brightness: an exponential disc stretched
#: by log10 is a cone, which ends at two of them (sqrt(a b)), so at 2.8 along the major axis for b/a = 0.5.
HALF_WIDTH = 3.0
#: Brightness below this many standard deviations of the border counts as sky.
SKY_SIGMA = 3.0
_SIGMA_PER_MAD = 1.4826
_RADIUS_STEP = 0.08


def galaxy_light(picture: np.ndarray) -> np.ndarray:
    """The galaxy alone: brightness above the sky of the border, of the patch that holds most of it.

    Sky and its noise are median and median absolute deviation of the border; all but the galaxy is 0.
    """
    from scipy.ndimage import label

    border = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    sky = np.median(border)
    noise = _SIGMA_PER_MAD * np.median(np.abs(border - sky))
    light = np.asarray(picture, dtype=float) - sky
    patches, count = label(light > SKY_SIGMA * noise)
    if count == 0:
        return np.zeros(picture.shape)
    brightest = np.bincount(patches.ravel(), light.ravel())[1:].argmax() + 1
    return np.where(patches == brightest, light, 0.0)


def orientation(light: np.ndarray) -> tuple[np.ndarray, float, float, float]:
    """Where a galaxy lies, from the first and second moments of its light.

    Parameters
    ----------
    light : shape (ny, nx), not negative, some of it positive

    Returns
    -------
    centre : shape (2,), x and y [pixel]
    radius : effective radius of its brightness, sqrt(a b) of the ellipse that holds half [pixel]
    axis_ratio : of the moments
    angle : of the major axis from the x axis towards y, 0 to pi [rad]
    """
    y, x = np.nonzero(light)
    weights = light[y, x]
    centre = np.average([x, y], axis=1, weights=weights)
    offsets = np.stack([x, y]) - centre[:, None]
    pixel = np.eye(2) / 12.0  # moments of a square, so that a galaxy on one line of pixels still has a width
    moments = (weights * offsets) @ offsets.T / weights.sum() + pixel
    (low, high), axes = np.linalg.eigh(moments)
    radii = np.sqrt(np.einsum("ip,ij,jp->p", offsets, np.linalg.inv(moments), offsets)) * (low * high) ** 0.25
    order = np.argsort(radii)
    radius = max(np.interp(0.5, np.cumsum(weights[order]) / weights.sum(), radii[order]), 0.5)
    angle = np.arctan2(axes[1, 1], axes[0, 1]) % np.pi
    return centre, float(radius), float(np.sqrt(low / high)), float(angle)


def aligned(picture: np.ndarray, pixels: int) -> np.ndarray:
    """The galaxy of a picture with its centre in the middle, its major axis along x, its size normalised.

    Parameters
    ----------
    picture : shape (ny, nx), 0 to 1
    pixels : width of the result

    Returns
    -------
    shape (pixels, pixels)
        Brightness above the sky on +-`HALF_WIDTH` effective radii; 0 everywhere where there is no galaxy.
    """
    return aligned_with_ratio(picture, pixels)[0]


def aligned_with_ratio(picture: np.ndarray, pixels: int) -> tuple[np.ndarray, float]:
    """`aligned`, and the axis ratio of the moments."""
    from scipy.ndimage import affine_transform, gaussian_filter

    light = galaxy_light(picture)
    if not light.any():
        return np.zeros((pixels, pixels)), 1.0
    (x, y), radius, ratio, angle = orientation(light)
    step = 2.0 * HALF_WIDTH * radius / pixels
    if step > 1.0:  # a coarser grid than the picture's: average instead of picking pixels
        light = gaussian_filter(light, 0.4 * step)
    cos, sin = np.cos(angle), np.sin(angle)
    matrix = step * np.array([[cos, sin], [-sin, cos]])  # (row, column) of the result to (row, column) of the picture
    offset = np.array([y, x]) - matrix @ np.full(2, 0.5 * (pixels - 1))
    return affine_transform(light, matrix, offset, (pixels, pixels), order=1), ratio


def flips(picture: np.ndarray) -> np.ndarray:
    """The four ways an aligned galaxy can lie: as it is, turned by 180 degrees, and mirrored both ways."""
    return np.stack([picture, picture[::-1, ::-1], picture[::-1], picture[:, ::-1]])


def residual(flat: np.ndarray, axis_ratio: float) -> np.ndarray:
    """An aligned picture less the mean brightness on ellipses of the galaxy's own axis ratio."""
    half = 0.5 * (len(flat) - 1)
    x, y = np.meshgrid((np.arange(len(flat)) - half) / half, (np.arange(len(flat)) - half) / half)
    radius = np.hypot(x * np.sqrt(axis_ratio), y / np.sqrt(axis_ratio)) / _RADIUS_STEP
    inner = radius.astype(int)
    share = radius - inner  # each pixel counts for the two nearest ellipses
    bins, weights = np.stack([inner, inner + 1]).ravel(), np.stack([1.0 - share, share]).ravel()
    light = np.bincount(bins, weights * np.tile(flat.ravel(), 2))
    mean = light / np.maximum(np.bincount(bins, weights), 1e-12)
    return np.where(flat != 0, flat - np.interp(radius, np.arange(len(mean)), mean), 0.0)
