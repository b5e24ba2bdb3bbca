"""The thesis's network, and trained networks as files: architecture, weights and a card.

A trained network is a folder of three files. ``model.json`` is the architecture as Keras writes it, not
compiled; ``model.weights.h5`` holds the weights; ``card.json`` says what the network is for (classes,
preprocessing, metrics, provenance) and carries the digests of the other two. Networks are exchanged between
strangers and Keras's own loaders are no security boundary, so `read` never calls one: it parses the
architecture against an allow-list, checks the weights as plain arrays, and rebuilds the network with `build`,
the code that built it in the first place.
"""

from galclass.network.architecture import parse_architecture, weight_shapes
from galclass.network.building import (
    CLASSES,
    build,
    fix_seeds,
    load_keras,
    predict,
    thesis_layers,
    thesis_network,
    threads,
)
from galclass.network.classifier import Classifier, Predictions, open_classifier
from galclass.network.files import CARD_FILE, read, write
from galclass.network.orientation import aligned, position_angles

__all__ = [
    "CARD_FILE",
    "CLASSES",
    "Classifier",
    "Predictions",
    "aligned",
    "build",
    "fix_seeds",
    "load_keras",
    "open_classifier",
    "parse_architecture",
    "position_angles",
    "predict",
    "read",
    "thesis_layers",
    "thesis_network",
    "threads",
    "weight_shapes",
    "write",
]
