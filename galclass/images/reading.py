"""Single pictures from disk."""

import sys
import warnings
from pathlib import Path

import numpy as np

from galclass.errors import InputError
from galclass.files import require_file
from galclass.images.false_colour import false_colour_brightness, is_false_colour

_PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")
_FITS_SUFFIXES = (".fits", ".fit", ".fts", ".fits.gz", ".fits.fz")


def read_picture(path: Path, allow_nan: bool = False) -> tuple[np.ndarray, bool]:
    """Read a picture from PNG, JPEG or FITS.

    Parameters
    ----------
    path : path
    allow_nan : bool
        Whether pixels may be NaN or infinite (FITS marks bad pixels so); some must still be finite.

    Returns
    -------
    picture : float64, shape (ny, nx), y up
        Grey between 0 and 1 (PNG, JPEG), or the flux as it stands (FITS, first image with two axes).
    is_flux : bool
        Whether the values are flux (FITS) rather than a picture for the eye.

    Raises
    ------
    InputError
        The file is missing, not a picture, smaller than 8 pixels a side, constant, or not finite.
    """
    path = require_file(path)
    name = path.name.lower()
    if name.endswith(_PICTURE_SUFFIXES):
        return _usable(path, _read_grey(path), allow_nan), False
    if name.endswith(_FITS_SUFFIXES):
        return _usable(path, _read_fits(path), allow_nan), True
    raise InputError(f"{path}: unknown kind of picture; allowed are {', '.join(_PICTURE_SUFFIXES + _FITS_SUFFIXES)}")


def read_brightness(path: Path) -> tuple[np.ndarray, bool]:
    """As `read_picture`, but a picture painted in the false colours of LEDA 074886's is read by its palette.

    Returns
    -------
    picture : shape (ny, nx), y up
        Square where it was read by its palette.
    is_flux : bool
    """
    picture, is_flux = read_picture(path)
    return (picture if is_flux else by_palette(path, picture)), is_flux


def by_palette(path: Path, grey: np.ndarray) -> np.ndarray:
    """The brightness of a PNG, JPEG or BMP whose `grey` was read: by its palette where that is LEDA 074886's."""
    colours = np.asarray(read_colour(path), dtype=float)[::-1]
    if not is_false_colour(colours):
        return grey
    print(f"{path}: read as false colour, by the palette of LEDA 074886's picture", file=sys.stderr)
    return false_colour_brightness(colours, min(grey.shape))


def _read_grey(path: Path) -> np.ndarray:
    picture = _read_pillow(path)
    if picture.mode.startswith("I"):  # 16 bits of grey, which Pillow would cut off at 255
        return np.asarray(picture, dtype=float)[::-1] / 65535.0
    return np.asarray(picture.convert("RGB").convert("L"), dtype=float)[::-1] / 255.0


def read_colour(path: Path):
    """A PNG, JPEG or BMP as a Pillow picture in RGB; raises `InputError` when it is not one."""
    return _read_pillow(path).convert("RGB")


def _read_pillow(path: Path):
    """A PNG, JPEG or BMP as it is stored."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(require_file(path), formats=("PNG", "JPEG", "BMP")) as file:
            file.load()
            return file.copy()
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: not a readable PNG, JPEG or BMP; give a picture file") from error


def _read_fits(path: Path) -> np.ndarray:
    return np.asarray(_plane(path)[0], dtype=float)


def read_header(path: Path):
    """The header (astropy) of the plane that `read_picture` reads from FITS, without the scaling of its pixels."""
    header = _plane(require_file(path))[1]
    for key in ("BSCALE", "BZERO", "BLANK", "EXTNAME", "EXTEND"):
        header.remove(key, ignore_missing=True)
    return header


def _plane(path: Path) -> tuple:
    """Pixels and header of the first image with two axes in a FITS file."""
    from astropy.io import fits

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # real headers often break FITS's rules in harmless ways
            with fits.open(path, memmap=False) as file:
                images = [(_plane_of(hdu.data), hdu.header) for hdu in file if hdu.is_image and hdu.data is not None]
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{path}: not a readable FITS file; give an image in FITS") from error
    planes = [(data, header) for data, header in images if data.ndim == 2]
    if not planes:
        raise InputError(f"{path}: no image with two axes in this FITS file; give one plane")
    return planes[0]


def _plane_of(data: np.ndarray) -> np.ndarray:
    """The data without leading axes of length 1, such as those of frequency and polarisation."""
    while data.ndim > 2 and len(data) == 1:
        data = data[0]
    return data


def _usable(path: Path, picture: np.ndarray, allow_nan: bool) -> np.ndarray:
    if min(picture.shape) < 8:
        raise InputError(f"{path}: {picture.shape[1]} x {picture.shape[0]} pixels; a galaxy needs at least 8 x 8")
    finite = picture[np.isfinite(picture)]
    if len(finite) == 0:
        raise InputError(f"{path}: every pixel is NaN or infinite; give a picture of a galaxy")
    if len(finite) < picture.size and not allow_nan:
        raise InputError(f"{path}: the picture holds NaN or infinite pixels; mask or fill them first")
    if np.ptp(finite) == 0:
        raise InputError(f"{path}: every pixel has the same value; give a picture of a galaxy")
    return picture
