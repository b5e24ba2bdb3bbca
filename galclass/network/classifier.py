"""A trained network ready for use: from pictures to the probabilities of the classes."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from galclass import images
from galclass.errors import InputError
from galclass.network.building import predict
from galclass.network.files import read


@dataclass(frozen=True)
class Predictions:
    """What a network says of n pictures.

    Attributes
    ----------
    classes : names of the classes
    probabilities : float64, shape (n, classes)
    domain_distance : float64, shape (n,)
        How far each picture lies from those the network was trained on; None where the network cannot tell.
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
    """A network from a folder, with the preparation of pictures that it was trained with."""

    model: Any
    card: dict

    @property
    def classes(self) -> list[str]:
        """Names of the classes in the order of the probabilities."""
        return self.card["classes"]

    @property
    def kind(self) -> str:
        """The network of the thesis, or the trusted ensemble."""
        return "thesis"

    @property
    def layer(self) -> str:
        """The pictures of a pack that it looks at: images (stretched) or flux."""
        return "images"

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

    @cached_property
    def _depth_dex(self) -> float | None:
        return self.card["preprocessing"].get("depth_dex")

    def predict(self, pictures: np.ndarray, batch_size: int) -> Predictions:
        """Classify pictures (n, ny, nx) of the layer it looks at."""
        return Predictions(self.classes, predict(self.model, pictures, batch_size))

    def predict_file(self, path: Path, batch_size: int) -> Predictions:
        """Classify one picture (PNG, JPEG or FITS) of any size."""
        return self.predict(self._prepared(*images.read_picture(path), path)[None], batch_size)

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


def open_classifier(folder: Path) -> Classifier:
    """The network in a folder, read by `read`; raises `InputError` when it cannot be used."""
    return Classifier(*read(folder))
