"""The light of particles seen from several sides, smoothed by their local density."""

import numpy as np

from galclass import kernels, vectors
from galclass.render.views import Views


def project(positions: np.ndarray, light: np.ndarray, views: Views, field_kpc: float, settings: dict) -> np.ndarray:
    """Light of particles about the origin in each pixel, seen from several sides.

    Parameters
    ----------
    positions : shape (n, 3)
        Relative to the centre of the picture [kpc].
    light : shape (n,)
        Light or mass of the particles, any unit.
    views : Views
        k directions and rolls.
    field_kpc : float
        Width of the pictures [kpc].
    settings : dict
        `pixels`, `smoothing_neighbours`, `smoothing_scale`, `minimum_smoothing_px`.

    Returns
    -------
    shape (k, pixels, pixels)
        Light per pixel, y up.
    """
    smallest = settings["minimum_smoothing_px"] * field_kpc / settings["pixels"]
    distances = neighbour_distance(positions, settings["smoothing_neighbours"])
    widths = np.maximum(settings["smoothing_scale"] * distances, smallest)
    cameras, pixels = vectors.cameras(views.directions, views.rolls), settings["pixels"]
    return kernels.project(positions, light, widths, cameras, 0.5 * field_kpc, pixels)


def neighbour_distance(positions: np.ndarray, neighbours: int) -> np.ndarray:
    """Distance of each of n particles (n, 3) to its k-th neighbour, shape (n,) [kpc]; 0 for a lone one."""
    count = min(neighbours, len(positions) - 1)
    return kernels.neighbour_distances(positions, count) if count > 0 else np.zeros(len(positions))


def fold(density: np.ndarray) -> np.ndarray:
    """Mean of each picture (..., ny, nx) and itself turned by 180 degrees."""
    return 0.5 * (density + density[..., ::-1, ::-1])
