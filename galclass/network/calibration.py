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
    offsets : added to the logits, shape (classes,)
    gauge : how far a picture lies from the training pictures
    """

    temperature: float
    offsets: np.ndarray
    gauge: Gauge

    def probabilities(self, mean: np.ndarray) -> np.ndarray:
        """Calibrated probabilities from the mean probabilities of the members, both (n, classes)."""
        return _softmax(np.log(np.maximum(mean, _SMALLEST)) / self.temperature + self.offsets)

    def as_json(self) -> dict:
        """Plain numbers for the card."""
        return {
            "temperature": self.temperature,
            "offsets": self.offsets.tolist(),
            "mean": self.gauge.mean.tolist(),
            "whitening": self.gauge.whitening.tolist(),
            "limit": self.gauge.limit,
        }


def read_calibration(numbers: dict, classes: int, path: Path) -> Calibration:
    """The calibration in a card; raises `InputError` unless every number is there, finite and in its place."""
    size = 3 * RINGS
    shapes = {"temperature": (), "offsets": (classes,), "mean": (size,), "whitening": (size, size), "limit": ()}
    if set(numbers) != set(shapes):
        raise InputError(f"{path}: calibration needs exactly {', '.join(shapes)}; train the network again")
    arrays = {name: _array(numbers[name], shape, f"{path}: calibration.{name}") for name, shape in shapes.items()}
    for name in ("temperature", "limit"):
        if not arrays[name] > 0:
            raise InputError(f"{path}: calibration.{name} is {arrays[name]}; allowed is above 0")
    gauge = Gauge(arrays["mean"], arrays["whitening"], float(arrays["limit"]))
    return Calibration(float(arrays["temperature"]), arrays["offsets"], gauge)


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


def fit_temperature(mean: np.ndarray, numbers: np.ndarray) -> tuple[float, np.ndarray]:
    """Temperature and offsets (of sum 0) that make the classes `numbers` (n,) likeliest under mean (n, classes)."""
    from scipy.optimize import minimize

    logits = np.log(np.maximum(mean, _SMALLEST))

    def loss(parameters: np.ndarray) -> float:
        found = _softmax(logits / np.exp(parameters[0]) + parameters[1:])
        chosen = found[np.arange(len(numbers)), numbers]
        return float(-np.log(np.maximum(chosen, _SMALLEST)).mean() + 1e-4 * (parameters**2).sum())

    best = minimize(loss, np.zeros(1 + mean.shape[1]), method="L-BFGS-B").x
    return float(np.exp(best[0])), best[1:] - best[1:].mean()


def _softmax(logits: np.ndarray) -> np.ndarray:
    grown = np.exp(logits - logits.max(axis=1, keepdims=True))
    return grown / grown.sum(axis=1, keepdims=True)
