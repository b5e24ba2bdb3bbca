"""One orientation for every picture: its long axis found and turned to lie along x."""

import numpy as np

#: Ellipticity of the second moments below which the long axis is too uncertain, and corners decide instead.
_ROUND = 0.08


def position_angles(images: np.ndarray) -> np.ndarray:
    """Angle from x to the long axis of each picture [rad]; for round ones, to a side of the best square.

    The long axis comes from the second moments of the squared picture in its inscribed circle. Where these
    are round to `_ROUND` (a tilt would turn an almost square rectangle), the angle comes from the fourth
    harmonic: a square with sides along x and y has its maxima, the corners, at 45 degrees.

    Parameters
    ----------
    images : shape (n, p, p)
        Pictures between 0 and 1, centred on the galaxy.
    """
    x, y = _grid(images.shape[-1])
    weights = np.asarray(images, dtype=float) ** 2 * (np.hypot(x, y) < images.shape[-1] / 2)
    size = np.einsum("nij,ij->n", weights, x**2 + y**2)
    second = np.einsum("nij,ij->n", weights, (x + 1j * y) ** 2)
    fourth = np.einsum("nij,ij->n", weights, (x + 1j * y) ** 4)
    long_axis = 0.5 * np.angle(second)
    return np.where(np.abs(second) > _ROUND * size, long_axis, 0.25 * np.angle(-fourth))


def aligned(images: np.ndarray) -> np.ndarray:
    """Pictures (n, p, p) turned so that the long axis lies along x, cut to their inscribed circle; float32.

    A shape does not depend on how it is turned, and the thesis's network would have to learn that from many
    more pictures. So every picture, in training and after it, is brought to one orientation first. Corners
    beyond the circle are cut, since they would tell how a picture was turned.
    """
    from scipy import ndimage

    side = images.shape[-1]
    x, y = _grid(side)
    outside = np.hypot(x, y) >= side / 2
    turned = np.empty(images.shape, dtype=np.float32)
    for number, (image, angle) in enumerate(zip(images, position_angles(images), strict=True)):
        cosine, sine = np.cos(angle), np.sin(angle)
        turn = np.array([[cosine, sine], [-sine, cosine]])
        start = (np.eye(2) - turn) @ np.full(2, (side - 1) / 2)
        turned[number] = ndimage.affine_transform(image, turn, start, order=1, mode="nearest")
    turned[:, outside] = 0.0
    return turned


def _grid(side: int) -> tuple[np.ndarray, np.ndarray]:
    """x and y of each pixel from the centre of a square picture [pixels]."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    return x, y
