"""Pictures: packs of frames in HDF5, single pictures from disk, and the stretch that all share.

A pack holds ``images`` (n, ny, nx) float32 between 0 and 1 and a table ``frames`` with one row a picture.
Row 0 of an array is the lowest row of the picture (y points up), as in FITS; PNG files are written and read
the other way round.
"""

import io
import json
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from galclass.errors import InputError
from galclass.files import atomic, require_file

#: Columns of the table of a pack, with their units where they have one.
FRAME_COLUMNS = {
    "frame": "number of the picture in its pack",
    "run": "simulation or shape model",
    "snapshot": "file name of the snapshot without suffix",
    "time_gyr": "time of the snapshot [Gyr]",
    "view_x": "unit vector to the observer",
    "view_y": "unit vector to the observer",
    "view_z": "unit vector to the observer",
    "roll_deg": "turn of the picture about the line of sight [deg]",
    "pixel_kpc": "width of a pixel [kpc]",
    "effective_radius_kpc": "radius of half the projected mass [kpc]",
    "seed": "seed of the views",
    "label": "known class of a training picture, else empty",
}
_TEXT = ("run", "snapshot", "label")
_INTEGER = ("frame", "seed")
_PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")
_FITS_SUFFIXES = (".fits", ".fit", ".fits.gz")


@dataclass(frozen=True)
class Pack:
    """Pictures of one run.

    Attributes
    ----------
    images : float32, shape (n, ny, nx), between 0 and 1
    frames : table of n rows with the columns of `FRAME_COLUMNS`
    provenance : what the pack was made from
    """

    images: np.ndarray
    frames: pd.DataFrame
    provenance: dict


def stretch(density: np.ndarray, depth_dex: float) -> np.ndarray:
    """Pictures as the thesis made them: log10 of the projected density, scaled to 0..1.

    Parameters
    ----------
    density : shape (..., ny, nx)
        Projected density or flux, any unit; negative values count as empty.
    depth_dex : float
        Decades below the peak at which a pixel counts as empty.

    Returns
    -------
    float32, the same shape
        1 at the peak of each picture, 0 where it is empty or fainter than the depth; a picture without a
        positive pixel is 0 everywhere.
    """
    peak = density.max(axis=(-2, -1), keepdims=True)
    relative = np.divide(density, peak, out=np.zeros(density.shape), where=peak > 0)
    faintest = 10.0**-depth_dex
    return (np.log10(np.maximum(relative, faintest)) / depth_dex + 1.0).astype(np.float32)


def unstretch(picture: np.ndarray, depth_dex: float) -> np.ndarray:
    """Intensity relative to the peak of a stretched picture; 0 where the picture is 0 (empty)."""
    return np.where(picture > 0, 10.0 ** ((np.asarray(picture, dtype=float) - 1.0) * depth_dex), 0.0)


def write_pack(path: Path, images: np.ndarray, frames: pd.DataFrame, provenance: dict) -> None:
    """Write a pack; `frames` needs the columns of `FRAME_COLUMNS` and one row a picture."""
    with atomic(path) as temporary, h5py.File(temporary, "w") as file:
        file.create_dataset("images", data=np.asarray(images, np.float32), compression="gzip", compression_opts=1)
        table = file.create_group("frames")
        for column, meaning in FRAME_COLUMNS.items():
            values = frames[column].to_numpy()
            kind = h5py.string_dtype() if column in _TEXT else np.int64 if column in _INTEGER else np.float64
            table.create_dataset(column, data=values.astype(object) if column in _TEXT else values, dtype=kind)
            table[column].attrs["meaning"] = meaning
        file.attrs["provenance"] = json.dumps(provenance)


def read_pack(path: Path) -> Pack:
    """Read a pack; raises `InputError` when the file is not one, is empty or holds a NaN."""
    path = require_file(path)
    try:
        with h5py.File(path) as file:
            images = file["images"][()]
            columns = {name: _column(file["frames"][name], name) for name in FRAME_COLUMNS}
            provenance = json.loads(file.attrs["provenance"])
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{path}: not a pack of pictures ({error}); packs are written by `galclass render`") from error
    frames = pd.DataFrame(columns)
    if images.ndim != 3 or len(images) == 0 or len(images) != len(frames):
        raise InputError(
            f"{path}: {images.shape} pictures and {len(frames)} rows; a pack needs one row a picture, at least one"
        )
    if not np.isfinite(images).all():
        raise InputError(f"{path}: a picture holds NaN or infinite pixels; render it again")
    return Pack(images, frames, provenance)


def _column(dataset: h5py.Dataset, name: str) -> np.ndarray:
    """One column of the table as numbers or as text."""
    return dataset.asstr()[()].astype(object) if name in _TEXT else dataset[()]


def read_picture(path: Path) -> tuple[np.ndarray, bool]:
    """Read a picture from PNG, JPEG or FITS.

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
        return _usable(path, _read_grey(path)), False
    if name.endswith(_FITS_SUFFIXES):
        return _usable(path, _read_fits(path)), True
    raise InputError(f"{path}: unknown kind of picture; allowed are {', '.join(_PICTURE_SUFFIXES + _FITS_SUFFIXES)}")


def _read_grey(path: Path) -> np.ndarray:
    return np.asarray(read_colour(path).convert("L"), dtype=float)[::-1] / 255.0


def read_colour(path: Path):
    """A PNG, JPEG or BMP as a Pillow picture in RGB; raises `InputError` when it is not one."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(require_file(path), formats=("PNG", "JPEG", "BMP")) as file:
            return file.convert("RGB")
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: not a readable PNG, JPEG or BMP; give a picture file") from error


def _read_fits(path: Path) -> np.ndarray:
    from astropy.io import fits

    try:
        with fits.open(path, memmap=False) as file:
            planes = [hdu.data for hdu in file if hdu.is_image and hdu.data is not None and hdu.data.ndim == 2]
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"{path}: not a readable FITS file; give an image in FITS") from error
    if not planes:
        raise InputError(f"{path}: no image with two axes in this FITS file; give one plane")
    return np.asarray(planes[0], dtype=float)


def _usable(path: Path, picture: np.ndarray) -> np.ndarray:
    if min(picture.shape) < 8:
        raise InputError(f"{path}: {picture.shape[1]} x {picture.shape[0]} pixels; a galaxy needs at least 8 x 8")
    if not np.isfinite(picture).all():
        raise InputError(f"{path}: the picture holds NaN or infinite pixels; mask or fill them first")
    if np.ptp(picture) == 0:
        raise InputError(f"{path}: every pixel has the same value; give a picture of a galaxy")
    return picture


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
