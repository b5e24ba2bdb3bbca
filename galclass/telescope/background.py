"""Real pictures as background: a galaxy is put on an empty piece of somebody's sky."""

import math
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from galclass import images
from galclass.errors import InputError
from galclass.statistics import SIGMA_PER_MAD
from galclass.telescope.light import ZERO_POINT_UJY

_ZERO_POINT_KEYS = ("MAGZERO", "PHOTZP", "MAGZPT", "MAGZP")
_PIXEL_KEYS = ("PIXSCALE", "SECPIX", "PIXSCAL1", "SECPIX1")
#: What a zero point of a header can be [mag]; others are placeholders.
_ZERO_POINTS = (5.0, 40.0)
#: How much coarser than the picture's the pixels of a background may be.
_COARSER = 1.1
_TRIES = 100


@dataclass(frozen=True)
class Background:
    """A picture of the sky.

    Attributes
    ----------
    flux : shape (ny, nx)
        Light [microjansky per pixel]; NaN where nothing was recorded.
    pixel_arcsec : float
        Width of its pixels [arcsec].
    name : str
        For messages.
    """

    flux: np.ndarray
    pixel_arcsec: float
    name: str


def read_background(
    path: Path | str, zero_point_ab: float | None = None, pixel_arcsec: float | None = None
) -> Background:
    """Read a FITS picture: the first image with two axes, calibrated by its header.

    Parameters
    ----------
    path : path
    zero_point_ab : float, optional
        AB magnitude of one unit; else of the header: BUNIT (uJy, mJy, Jy, nanomaggy) or MAGZERO, PHOTZP, MAGZPT, MAGZP.
    pixel_arcsec : float, optional
        Width of a pixel [arcsec]; else of the header: PIXSCALE, SECPIX, PIXSCAL1, or the coordinates on the sky.

    Raises
    ------
    InputError
        The file is not a FITS picture, or neither header nor argument has the zero point or the scale.
    """
    counts, is_flux = images.read_picture(path, allow_nan=True)
    if not is_flux:
        raise InputError(f"{path}: a background is a picture of flux; give a FITS file")
    header = images.read_header(path)
    scale = pixel_arcsec or _pixel_scale(header)
    if scale is None:
        keys = ", ".join(_PIXEL_KEYS)
        raise InputError(f"{path}: no pixel scale; set background_pixel_arcsec, or {keys} or coordinates in the header")
    unit = 10.0 ** (0.4 * (ZERO_POINT_UJY - zero_point_ab)) if zero_point_ab is not None else _unit(header, scale)
    if unit is None:
        keys, found = ", ".join(_ZERO_POINT_KEYS), header.get("BUNIT", "")
        raise InputError(
            f"{path}: no zero point (BUNIT {found!r}); set background_zero_point_ab, or {keys} or a BUNIT such as uJy, "
            "nanomaggy or MJy/sr in the header"
        )
    flux = counts * unit
    flux[~np.isfinite(flux)] = np.nan
    return Background(flux, float(scale), Path(path).name)


def insert(
    flux: np.ndarray, background: Background, pixel_arcsec: float, electrons_per_ujy: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Put a blurred galaxy, with the noise of its own photons, on an empty piece of a real picture.

    Parameters
    ----------
    flux : shape (ny, nx)
        The galaxy behind the telescope's blur [microjansky].
    background : Background
        Its pixels are added up or shared out to those of the galaxy's picture.
    pixel_arcsec : float
        Width of the galaxy's pixels [arcsec].
    electrons_per_ujy : float
        Electrons of one microjansky, for the galaxy's own noise.
    rng : numpy.random.Generator
        Chooses the piece, turns it, and draws the noise.

    Returns
    -------
    flux, sigma : shape (ny, nx) [microjansky]
        The picture, sky subtracted, and its expected noise.

    Raises
    ------
    InputError
        The background has no piece as large as the picture that is complete.
    """
    piece = _empty_piece(background, flux.shape, pixel_arcsec, rng)
    own = rng.poisson(flux * electrons_per_ujy) / electrons_per_ujy
    level, spread = _level(piece)
    return own + piece - level, np.sqrt(spread**2 + flux / electrons_per_ujy)


def _empty_piece(
    background: Background, shape: tuple[int, int], pixel_arcsec: float, rng: np.random.Generator
) -> np.ndarray:
    """One of the emptiest quarter of a hundred random pieces without gaps, at the wanted pixels, turned at random."""
    scale = pixel_arcsec / background.pixel_arcsec
    if scale * _COARSER < 1.0:
        raise InputError(
            f"{background.name}: pixels of {background.pixel_arcsec:.3g} arcsec, the picture's are {pixel_arcsec:.3g}; "
            "give a finer background, or fewer pixels"
        )
    turns = int(rng.integers(4))
    height, width = (n * scale for n in (shape if turns % 2 == 0 else shape[::-1]))
    room = background.flux.shape[0] - height, background.flux.shape[1] - width
    if min(room) < 0:
        have = min(background.flux.shape) * background.pixel_arcsec
        raise InputError(
            f"{background.name}: {have:.0f} arcsec of background, the picture needs {max(shape) * pixel_arcsec:.0f}; "
            "give a larger one, or fewer pixels"
        )
    level, spread = _level(background.flux[np.isfinite(background.flux)])
    light, gaps = (_summed(np.nan_to_num(background.flux)), _summed(np.isnan(background.flux).astype(float)))
    bright = _summed((background.flux > level + 3.0 * spread).astype(float))
    places = np.floor(rng.uniform(size=(_TRIES, 2)) * (np.floor(room) + 1.0))  # whole pixels keep the noise as it is
    corners = [(y, y + height, x, x + width) for y, x in places]
    complete = [corner for corner in corners if _within(gaps, corner) < 1e-9 * height * width]
    if not complete:
        raise InputError(f"{background.name}: no piece of {height:.0f} x {width:.0f} pixels without gaps; give another")
    emptiest = sorted(complete, key=lambda corner: _within(bright, corner))[: max(1, len(complete) // 4)]
    y0, y1, x0, x1 = emptiest[int(rng.integers(len(emptiest)))]
    wanted = shape if turns % 2 == 0 else shape[::-1]
    edges = np.linspace(y0, y1, wanted[0] + 1), np.linspace(x0, x1, wanted[1] + 1)
    return np.rot90(np.diff(np.diff(_at(light, *edges), axis=0), axis=1), turns)


def _summed(values: np.ndarray) -> np.ndarray:
    """Sum of all pixels below and left of each corner, shape (ny + 1, nx + 1)."""
    return np.pad(values.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))


def _at(summed: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Sums at fractional corners, shape (len(y), len(x)): pixels that an edge cuts are shared by area."""
    rows = np.minimum(y.astype(int), summed.shape[0] - 2)
    columns = np.minimum(x.astype(int), summed.shape[1] - 2)
    fy, fx = (y - rows)[:, None], x - columns
    low = summed[rows][:, columns] * (1 - fx) + summed[rows][:, columns + 1] * fx
    high = summed[rows + 1][:, columns] * (1 - fx) + summed[rows + 1][:, columns + 1] * fx
    return low * (1 - fy) + high * fy


def _within(summed: np.ndarray, corner: tuple[float, float, float, float]) -> float:
    """Sum of the pixels in a rectangle."""
    y0, y1, x0, x1 = corner
    return float(np.diff(np.diff(_at(summed, np.array([y0, y1]), np.array([x0, x1])), axis=0), axis=1)[0, 0])


def _level(values: np.ndarray) -> tuple[float, float]:
    """Sky and its standard deviation, by medians of what is left after three rounds of clipping."""
    values = values.ravel()
    for _ in range(3):
        level = np.median(values)
        spread = SIGMA_PER_MAD * np.median(np.abs(values - level))
        inside = np.abs(values - level) <= 3.0 * spread
        values = values[inside]
    return float(level), float(spread)


def _unit(header, pixel_arcsec: float) -> float | None:
    """Microjansky of one unit of the picture."""
    from astropy import units

    maggies = units.zero_point_flux(3631.0 * units.Jy)
    wanted = (units.uJy, units.uJy / units.pix, units.uJy * pixel_arcsec**-2 / units.arcsec**2)
    named = str(header.get("BUNIT", "")).strip().replace("nanomaggies", "nanomaggy")
    try:
        unit = units.Unit(named)
    except ValueError:
        unit = units.dimensionless_unscaled
    for per_pixel in wanted:
        if unit.is_equivalent(per_pixel, maggies):
            return float(unit.to(per_pixel, equivalencies=maggies))
    for key in _ZERO_POINT_KEYS:
        zero_point = _number(header.get(key))
        if zero_point is not None and _ZERO_POINTS[0] <= zero_point <= _ZERO_POINTS[1]:
            return 10.0 ** (0.4 * (ZERO_POINT_UJY - zero_point))
    return None


def _number(value: object) -> float | None:
    """A number of a header, which may stand there as text."""
    try:
        return float(str(value))
    except ValueError:
        return None


def _pixel_scale(header) -> float | None:
    """Width of a pixel [arcsec]."""
    from astropy.wcs import WCS
    from astropy.wcs.utils import proj_plane_pixel_scales

    for key in _PIXEL_KEYS:
        value = _number(header.get(key))
        if value is not None and 0 < abs(value) < math.inf:
            return abs(value)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # coordinates of real pictures often break FITS's rules in harmless ways
            coordinates = WCS(header, naxis=2)
            if not coordinates.has_celestial:
                return None
            return 3600.0 * math.sqrt(float(np.prod(proj_plane_pixel_scales(coordinates.celestial)))) or None
    except (ValueError, TypeError, KeyError, MemoryError):  # wcslib's errors are ValueErrors
        return None
