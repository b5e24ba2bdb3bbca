"""Trained networks ready for use: from pictures to the probabilities of the classes."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from galclass import images
from galclass.errors import InputError
from galclass.network.building import load_keras, predict
from galclass.network.calibration import Calibration, read_calibration
from galclass.network.files import CARD_FILE, read
from galclass.network.gauge import faded
from galclass.network.saliency import attribution
from galclass.network.unrolling import framed, mirrored, unrolled


@dataclass(frozen=True)
class Predictions:
    """What a network says of n pictures.

    Attributes
    ----------
    classes : names of the classes
    probabilities : float64, shape (n, classes)
    domain_distance : float64, shape (n,)
        How far each picture lies from those the network was trained on, 1 being the edge; None where the network
        cannot tell.
    """

    classes: list[str]
    probabilities: np.ndarray
    domain_distance: np.ndarray | None = None

    def table(self) -> pd.DataFrame:
        """Columns p_NAME for each class, class (the likeliest), and domain_distance where there is one."""
        table = pd.DataFrame(self.probabilities, columns=[f"p_{name}" for name in self.classes])
        table["class"] = np.array(self.classes, dtype=object)[self.probabilities.argmax(axis=1)]
        return table if self.domain_distance is None else table.assign(domain_distance=self.domain_distance)


@dataclass(frozen=True)
class Classifier:
    """Networks from a folder, with the preparation of pictures that they were trained with.

    Pictures become inputs (`inputs`, `file_inputs`), and inputs become answers (`answer`); `predict` does both.
    """

    models: list[Any]
    card: dict

    @property
    def classes(self) -> list[str]:
        """Names of the classes in the order of the probabilities."""
        return self.card["classes"]

    @property
    def kind(self) -> str:
        """thesis (one network of pictures) or trusted (an ensemble for unrolled galaxies)."""
        return self.card["kind"]

    def predict(self, pictures: np.ndarray, batch_size: int) -> Predictions:
        """Classify pictures (n, ny, nx) of the layer it looks at."""
        return self.answer(self.inputs(pictures), batch_size)

    def embedding(self, inputs: np.ndarray, batch_size: int = 200) -> np.ndarray:
        """Where inputs lie in the space in which the networks tell the classes apart.

        It is what goes into the last dense layer of each network, at length 1 (0 where every unit is silent), side by
        side. So each member counts alike: the cosine of two rows is the mean of the members' cosines.

        Returns
        -------
        float32, shape (n, sum of the members' units)
            Of length 1 where no member is silent.
        """
        members = [self._activations(body, inputs, batch_size) for body in self._bodies]
        return (np.hstack([_at_length_one(rows) for rows in members]) / np.sqrt(len(members))).astype(np.float32)

    @cached_property
    def _bodies(self) -> list[Any]:
        """The networks without their last dense layer."""
        keras = load_keras()
        return [keras.Model(model.inputs, model.layers[-1].input) for model in self.models]

    def _activations(self, body: Any, inputs: np.ndarray, batch_size: int) -> np.ndarray:
        return predict(body, inputs, batch_size)


class ThesisClassifier(Classifier):
    """The network of the thesis: stretched pictures of one size, as they come."""

    layer = "images"

    def check(self, pixels: tuple[int, int], depth_dex: float | None, path: Path) -> None:
        """Raise `InputError` unless pictures of (ny, nx) pixels and this stretch are what it was trained on."""
        wanted = self.card["pixels"]
        if tuple(pixels) != (wanted, wanted):
            raise InputError(
                f"{path}: pictures of {pixels[1]} x {pixels[0]} pixels, "
                f"the network takes {wanted} x {wanted}; set render.pixels"
            )
        trained = self._depth_dex
        if None not in (depth_dex, trained) and depth_dex != trained:
            raise InputError(
                f"{path}: pictures {depth_dex} dex deep, the network was trained on {trained} dex; set render.depth_dex"
            )

    @property
    def _depth_dex(self) -> float | None:
        return self.card["preprocessing"].get("depth_dex")

    def inputs(self, pictures: np.ndarray) -> np.ndarray:
        """Pictures (n, p, p) between 0 and 1 as they are."""
        return np.asarray(pictures, dtype=np.float32)

    def file_inputs(self, path: Path) -> np.ndarray:
        """One picture file (PNG, JPEG or FITS) of any size, shape (p, p)."""
        return self._prepared(*images.read_picture(path), path)

    def answer(self, inputs: np.ndarray, batch_size: int) -> Predictions:
        """Classes of inputs (n, p, p)."""
        return Predictions(self.classes, predict(self.models[0], inputs, batch_size))

    def _prepared(self, picture: np.ndarray, is_flux: bool, path: Path) -> np.ndarray:
        """A picture (ny, nx) as the network expects it: the central square, the right size, 0 to 1.

        Flux is resampled before it is stretched to the depth the network was trained on, since the mean of
        logarithms is not the logarithm of the mean; a picture for the eye is taken as stretched already.
        """
        small = images.resampled(picture / np.abs(picture).max(), self.card["pixels"])
        if is_flux:
            depth = self._depth_dex
            if not isinstance(depth, (int, float)) or depth <= 0:
                raise InputError(f"{path}: the card of the network does not say how deep to stretch flux; give a PNG")
            small = images.stretch(small, depth)
        span = np.ptp(small)
        if span == 0:
            raise InputError(
                f"{path}: nothing to see at {self.card['pixels']} x {self.card['pixels']} pixels; "
                "give a picture of a galaxy"
            )
        return ((small - small.min()) / span).astype(np.float32)


class TrustedClassifier(Classifier):
    """An ensemble of networks for unrolled galaxies, calibrated, with a gauge of how far a picture is from its own."""

    layer = "flux"

    @cached_property
    def calibration(self) -> Calibration:
        """Temperature and gauge."""
        return read_calibration(self.card["calibration"], Path(CARD_FILE))

    def check(self, pixels: tuple[int, int], depth_dex: float | None, path: Path) -> None:
        """Any size and stretch will do."""

    def inputs(self, pictures: np.ndarray) -> np.ndarray:
        """Pictures (n, ny, nx), in any unit and stretch, unrolled: shape (n, *MAP_SHAPE)."""
        return unrolled(pictures)

    def file_inputs(self, path: Path) -> np.ndarray:
        """One picture file (PNG, JPEG or FITS) of any size, unrolled: shape MAP_SHAPE."""
        return unrolled(framed(images.read_brightness(path)[0])[None])[0]

    def answer(self, inputs: np.ndarray, batch_size: int) -> Predictions:
        """Classes of unrolled galaxies (n, *MAP_SHAPE): the same for a galaxy and its mirror image."""
        return ensemble_answer(self.models, self.calibration, inputs, batch_size, self.classes)

    def _activations(self, body: Any, inputs: np.ndarray, batch_size: int) -> np.ndarray:
        """Of each map and its mirror image the mean: the same for a galaxy and its mirror image."""
        return 0.5 * (predict(body, inputs, batch_size) + predict(body, mirrored(inputs), batch_size))

    def saliency(self, inputs: np.ndarray, name: str = "rectangle") -> np.ndarray:
        """What each place of each ring adds to the probability of a class, shape (n, RINGS, PLACES)."""
        return attribution(self.models, inputs, self.classes.index(name))


def embedding_distance(rows: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """How far embeddings lie from that of a reference: 1 less the cosine of the angle between them.

    Parameters
    ----------
    rows : shape (n, d)
    reference : shape (d,)

    Returns
    -------
    float64, shape (n,)
        0 for the same direction, 1 at a right angle; NaN where either has no length.
    """
    rows, reference = np.asarray(rows, dtype=float), np.asarray(reference, dtype=float)
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(reference)
    cosine = np.divide(rows @ reference, lengths, out=np.full(len(rows), np.nan), where=lengths > 0)
    return 1.0 - np.clip(cosine, -1.0, 1.0)


def _at_length_one(rows: np.ndarray) -> np.ndarray:
    """Rows (n, d) divided by their length; a row of zeros as it is."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)


def ensemble_mean(models: list[Any], maps: np.ndarray, batch_size: int) -> np.ndarray:
    """Mean probabilities (n, classes) of networks over each map (n, *MAP_SHAPE) and its mirror image."""
    sides = (maps, mirrored(maps))
    return sum(predict(model, side, batch_size) for model in models for side in sides) / (2 * len(models))


def ensemble_answer(
    models: list[Any], calibration: Calibration, maps: np.ndarray, batch_size: int, classes: list[str]
) -> Predictions:
    """What calibrated networks say of maps (n, *MAP_SHAPE); beyond the gauge it fades to the class none."""
    found = calibration.probabilities(ensemble_mean(models, maps, batch_size))
    distance = calibration.gauge.distance(maps)
    return Predictions(classes, faded(found, distance, classes.index("none")), distance)


def open_classifier(folder: Path) -> ThesisClassifier | TrustedClassifier:
    """The classifier in a folder, read by `read`; raises `InputError` when it cannot be used."""
    models, card = read(folder)
    if card["kind"] == "thesis":
        return ThesisClassifier(models, card)
    classifier = TrustedClassifier(models, card)
    read_calibration(card["calibration"], Path(folder) / CARD_FILE)
    return classifier
