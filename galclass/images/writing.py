"""Pictures for the eye: 8-bit grey, PNG and contact sheets."""

import io
from pathlib import Path

import numpy as np

from galclass.files import atomic


def grey_levels(picture: np.ndarray) -> np.ndarray:
    """A picture between 0 and 1 in the 256 levels of an 8-bit grey, uint8, the same shape."""
    return np.clip(np.rint(np.asarray(picture, dtype=float) * 255.0), 0, 255).astype(np.uint8)


def png_bytes(picture: np.ndarray, zoom: int = 1) -> bytes:
    """A grey PNG of a picture (ny, nx) between 0 and 1, y up, each pixel `zoom` pixels wide."""
    from PIL import Image

    grey = grey_levels(picture)[::-1]
    buffer = io.BytesIO()
    Image.fromarray(grey.repeat(zoom, axis=0).repeat(zoom, axis=1)).save(buffer, format="PNG")
    return buffer.getvalue()


def write_png(path: Path, picture: np.ndarray, zoom: int = 1) -> None:
    """Write `png_bytes` to a file."""
    with atomic(path) as temporary:
        temporary.write_bytes(png_bytes(picture, zoom))


def evenly_chosen(count: int, most: int) -> np.ndarray:
    """Numbers of at most `most` of `count` pictures, spread evenly over them, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(most, count)).astype(int))


def contact_sheet(pictures: np.ndarray, columns: int) -> np.ndarray:
    """Pictures (n, ny, nx) side by side on one sheet, first one top left, with a grey gap between."""
    count, ny, nx = pictures.shape
    rows = -(-count // columns)
    sheet = np.full((rows * (ny + 1) - 1, columns * (nx + 1) - 1), 0.5, dtype=np.float32)
    for index, picture in enumerate(pictures):
        row, column = divmod(index, columns)
        y, x = (rows - 1 - row) * (ny + 1), column * (nx + 1)
        sheet[y : y + ny, x : x + nx] = picture
    return sheet
