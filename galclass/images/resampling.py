"""Pictures at another number of pixels."""

import numpy as np


def resampled(picture: np.ndarray, pixels: int, conserve: bool = False) -> np.ndarray:
    """The central square of a picture at `pixels` x `pixels`.

    Pixels are averaged where the new ones are larger, interpolated (bicubic, within the range of the picture)
    where they are smaller.

    Parameters
    ----------
    picture : shape (ny, nx)
    pixels : int
        Width of the result.
    conserve : bool
        Keep the sum (flux per pixel); else the mean (brightness).

    Returns
    -------
    float64, shape (pixels, pixels)
    """
    from PIL import Image

    square = central_square(picture)
    side = len(square)
    if side == pixels:
        return np.array(square, dtype=float)
    kernel = Image.Resampling.BOX if pixels < side else Image.Resampling.BICUBIC
    small = Image.fromarray(np.asarray(square, dtype=np.float32)).resize((pixels, pixels), kernel)
    inside = np.clip(np.asarray(small, dtype=float), square.min(), square.max())
    return inside * (side / pixels) ** 2 if conserve else inside


def central_square(picture: np.ndarray) -> np.ndarray:
    """The largest square about the centre of a picture (ny, nx)."""
    side = min(picture.shape)
    bottom, left = ((length - side) // 2 for length in picture.shape)
    return picture[bottom : bottom + side, left : left + side]
