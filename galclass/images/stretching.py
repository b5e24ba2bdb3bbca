"""The stretch that all pictures share: log10 of the light, scaled to 0..1."""

import numpy as np


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
