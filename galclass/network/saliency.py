"""Where a network looked: integrated gradients (Sundararajan, Taly & Yan 2017, arXiv:1703.01365).

The path begins at the same galaxy with all its isophotes perfect ellipses, so that what is found is the part of the
probability that each place's deviation from the ellipse brings. The sum over all places is the difference of the
two probabilities.
"""

from typing import Any

import numpy as np

from galclass.network.unrolling import OVERLAP, PLACES, RINGS

_STEPS = 64


def attribution(models: list[Any], maps: np.ndarray, number: int, steps: int = _STEPS) -> np.ndarray:
    """What each place of each ring adds to the probability of a class, by the mean of the networks.

    Parameters
    ----------
    models : Keras models of unrolled galaxies
    maps : shape (n, *MAP_SHAPE)
    number : index of the class

    Returns
    -------
    float64, shape (n, RINGS, PLACES)
    """
    import tensorflow

    start = ellipses_only(maps)
    total = np.zeros(maps.shape)
    for share in (np.arange(steps) + 0.5) / steps:
        point = tensorflow.convert_to_tensor(start + share * (maps - start))
        with tensorflow.GradientTape() as tape:
            tape.watch(point)
            chosen = sum(model(point, training=False)[:, number] for model in models) / len(models)
        total += tape.gradient(chosen, point).numpy()
    return _unwrapped(total / steps * (maps - start))


def ellipses_only(maps: np.ndarray) -> np.ndarray:
    """The maps without deviations and excess, float32."""
    plain = np.array(maps, dtype=np.float32)
    plain[..., : 2 * RINGS] = 0.0
    return plain


def _unwrapped(parts: np.ndarray) -> np.ndarray:
    """Attributions of maps (n, *MAP_SHAPE) per ring and place: repeated places and the channels summed."""
    row = parts[:, 0]
    core = row[:, OVERLAP : OVERLAP + PLACES].copy()
    core[:, :OVERLAP] += row[:, OVERLAP + PLACES :]
    core[:, -OVERLAP:] += row[:, :OVERLAP]
    return (core[:, :, :RINGS] + core[:, :, RINGS : 2 * RINGS]).transpose(0, 2, 1).astype(float)
