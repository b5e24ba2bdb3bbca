"""What else lies in a field: stars, trails of satellites, an uneven sky, neighbouring galaxies; all by seed.

They are light before the telescope's blur, so that stars and trails come out as wide as the seeing.
"""

import numpy as np

from galclass.telescope.light import ZERO_POINT_UJY
from galclass.telescope.presets import Telescope

#: Stars: magnitudes between, their number growing by this slope (about that of the counts at high latitude).
_STAR_MAGNITUDES, _STAR_SLOPE = (16.0, 22.0), 0.15
#: Trails: surface brightness over the sky's, and half width [arcsec].
_TRAIL_OVER_SKY, _TRAIL_HALF_WIDTH_ARCSEC = (0.05, 0.3), 0.5
#: Neighbours: light over the galaxy's, effective radius and distance from the middle over the width of the picture.
_NEIGHBOUR_LIGHT, _NEIGHBOUR_RADIUS, _NEIGHBOUR_DISTANCE = (0.05, 0.5), (0.02, 0.06), (0.25, 0.45)
_SERSIC_INDICES, _AXIS_RATIOS = (1.0, 4.0), (0.4, 1.0)
_FINER = 5

#: A field with nothing but the galaxy.
NO_EXTRAS = {"stars": 0, "trails": 0, "gradient": 0.0, "neighbours": 0}


def contaminants(
    flux: np.ndarray, telescope: Telescope, pixel_arcsec: float, rng: np.random.Generator, extras: dict
) -> np.ndarray:
    """Light of stars, trails and neighbours in a galaxy's picture (ny, nx) [microjansky], before the blur.

    Parameters
    ----------
    flux : shape (ny, nx)
        Light of the galaxy [microjansky]; its sum scales that of the neighbours.
    extras : dict
        `stars`, `trails` and `neighbours`: how many.
    """
    light = np.zeros(flux.shape)
    for _ in range(extras["stars"]):
        light += _star(flux.shape, rng)
    for _ in range(extras["trails"]):
        light += _trail(flux.shape, telescope, pixel_arcsec, rng)
    for _ in range(extras["neighbours"]):
        light += _neighbour(flux.shape, rng) * flux.sum() * log_uniform(rng, _NEIGHBOUR_LIGHT)
    return light


def sky_gradient(shape: tuple[int, int], gradient: float, rng: np.random.Generator) -> np.ndarray:
    """Sky over its mean less 1: a plane of mean 0 that changes by `gradient` across the picture, towards any side."""
    if gradient == 0:
        return np.zeros(shape)
    angle = rng.uniform(0.0, 2.0 * np.pi)
    y, x = ((np.arange(n) + 0.5) / n - 0.5 for n in shape)
    return gradient * (np.sin(angle) * y[:, None] + np.cos(angle) * x)


def point(shape: tuple[int, int], y: float, x: float) -> np.ndarray:
    """A point of light 1 at pixel coordinates, shared by the four pixels around it, shape (ny, nx)."""
    rows, columns = (np.maximum(1.0 - np.abs(np.arange(n) - at), 0.0) for n, at in zip(shape, (y, x), strict=True))
    share = rows[:, None] * columns
    return share / share.sum()


def _star(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A star anywhere in the field."""
    bright, faint = _STAR_MAGNITUDES
    grown = 10.0 ** (_STAR_SLOPE * (faint - bright))
    magnitude = bright + np.log10(1.0 + rng.uniform() * (grown - 1.0)) / _STAR_SLOPE
    y, x = (rng.uniform(0.0, n - 1.0) for n in shape)
    return 10.0 ** (-0.4 * (magnitude - ZERO_POINT_UJY)) * point(shape, y, x)


def _trail(shape: tuple[int, int], telescope: Telescope, pixel_arcsec: float, rng: np.random.Generator) -> np.ndarray:
    """A straight trail through the field, as bright along all its length."""
    brightness = log_uniform(rng, _TRAIL_OVER_SKY) * 10.0 ** (0.4 * (ZERO_POINT_UJY - telescope.sky_mag_arcsec2))
    angle, offset = rng.uniform(0.0, np.pi), rng.uniform(-0.4, 0.4) * min(shape)
    y, x = _fine_grid(shape)
    across = np.abs(x * np.sin(angle) - y * np.cos(angle) - offset) * pixel_arcsec
    width = max(_TRAIL_HALF_WIDTH_ARCSEC, 0.5 * pixel_arcsec / _FINER)
    thin = _TRAIL_HALF_WIDTH_ARCSEC / width  # a trail thinner than the grid keeps its light
    return _binned(np.where(across <= width, thin, 0.0)) * brightness * pixel_arcsec**2


def _neighbour(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A Sersic galaxy of light 1 (of which the frame cuts off a part) away from the middle."""
    width = min(shape)
    distance, direction = rng.uniform(*_NEIGHBOUR_DISTANCE) * width, rng.uniform(0.0, 2.0 * np.pi)
    turn, axis_ratio = rng.uniform(0.0, np.pi), rng.uniform(*_AXIS_RATIOS)
    radius, index = rng.uniform(*_NEIGHBOUR_RADIUS) * width, rng.uniform(*_SERSIC_INDICES)
    y, x = _fine_grid(shape)
    y, x = y - distance * np.sin(direction), x - distance * np.cos(direction)
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    return _binned(sersic(np.hypot(along, across / axis_ratio), radius, index) / axis_ratio)


def sersic(radius: np.ndarray, effective_radius: float, index: float, area: float = np.pi) -> np.ndarray:
    """Sersic profile of total light 1, per unit area (Graham & Driver 2005, PASA 22, 118, eq. 2 and 4).

    Parameters
    ----------
    radius : any shape
        Semi-major axis of the isophote through each point, any unit of length.
    effective_radius : float
        Of the isophote that holds half of the light, same unit.
    index : float
        Sersic n.
    area : float
        Area of the isophote of semi-major axis 1; pi for round ones.
    """
    from scipy.special import gamma, gammaincinv

    b = gammaincinv(2.0 * index, 0.5)
    total = area * effective_radius**2 * 2.0 * index * b ** (-2.0 * index) * gamma(2.0 * index)
    return np.exp(-b * (radius / effective_radius) ** (1.0 / index)) / total


def log_uniform(rng: np.random.Generator, limits: tuple[float, float]) -> float:
    """A number between the limits whose logarithm is uniform."""
    return float(np.exp(rng.uniform(*np.log(limits))))


def _fine_grid(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates from the middle of the picture [pixels] on a finer grid, shapes (ny f, 1) and (1, nx f)."""
    y, x = ((np.arange(n * _FINER) + 0.5) / _FINER - 0.5 * n for n in shape)
    return y[:, None], x[None, :]


def _binned(fine: np.ndarray) -> np.ndarray:
    """Means of the finer pixels."""
    ny, nx = (n // _FINER for n in fine.shape)
    return fine.reshape(ny, _FINER, nx, _FINER).mean(axis=(1, 3))
