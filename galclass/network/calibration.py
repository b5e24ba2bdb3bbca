"""From what the networks of an ensemble say to probabilities that keep their word, and back to a file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from galclass.errors import InputError
from galclass.network.gauge import Gauge
from galclass.network.unrolling import RINGS

_SMALLEST = 1e-9


@dataclass(frozen=True)
class Calibration:
    """What was found on held-out simulations after the training.

    Attributes
    ----------
    temperature : the logits are divided by it (Guo et al. 2017, arXiv:1706.04599)
    gauge : how far a picture lies from the training pictures
    """

    temperature: float
    gauge: Gauge

    def probabilities(self, mean: np.ndarray) -> np.ndarray:
        """Calibrated probabilities from the mean probabilities of the members, both (n, classes)."""
        return _softmax(np.log(np.maximum(mean, _SMALLEST)) / self.temperature)

    def as_json(self) -> dict:
        """Plain numbers for the card."""
        return {
            "temperature": self.temperature,
            "mean": self.gauge.mean.tolist(),
            "whitening": self.gauge.whitening.tolist(),
            "limit": self.gauge.limit,
        }


def read_calibration(numbers: dict, path: Path) -> Calibration:
    """The calibration in a card; raises `InputError` unless every number is there, finite and in its place."""
    size = 3 * RINGS
    shapes = {"temperature": (), "mean": (size,), "whitening": (size, size), "limit": ()}
    if set(numbers) != set(shapes):
        raise InputError(f"{path}: calibration needs exactly {', '.join(shapes)}; train the network again")
    arrays = {name: _array(numbers[name], shape, f"{path}: calibration.{name}") for name, shape in shapes.items()}
    for name in ("temperature", "limit"):
        if not arrays[name] > 0:
            raise InputError(f"{path}: calibration.{name} is {arrays[name]}; allowed is above 0")
    gauge = Gauge(arrays["mean"], arrays["whitening"], float(arrays["limit"]))
    return Calibration(float(arrays["temperature"]), gauge)


def _array(value: Any, shape: tuple[int, ...], where: str) -> np.ndarray:
    """Nested lists of numbers as an array of a known shape."""
    if not _fits(value, shape):
        raise InputError(f"{where}: allowed are numbers of shape {shape}; train the network again")
    array = np.array(value, dtype=float)
    if not np.isfinite(array).all():
        raise InputError(f"{where}: holds a number that is not finite; train the network again")
    return array


def _fits(value: Any, shape: tuple[int, ...]) -> bool:
    if not shape:
        return type(value) in (int, float)
    return isinstance(value, list) and len(value) == shape[0] and all(_fits(part, shape[1:]) for part in value)


def fit_temperature(mean: np.ndarray, numbers: np.ndarray) -> float:
    """The temperature that makes the classes `numbers` (n,) likeliest under mean probabilities (n, classes)."""
    from scipy.optimize import minimize_scalar

    logits = np.log(np.maximum(mean, _SMALLEST))

    def loss(log_temperature: float) -> float:
        chosen = _softmax(logits / np.exp(log_temperature))[np.arange(len(numbers)), numbers]
        return float(-np.log(np.maximum(chosen, _SMALLEST)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded").x))


def _softmax(logits: np.ndarray) -> np.ndarray:
    grown = np.exp(logits - logits.max(axis=1, keepdims=True))
    return grown / grown.sum(axis=1, keepdims=True)
