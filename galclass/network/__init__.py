"""The networks: the thesis's, and the trusted classifier; built, calibrated, and kept as files.

Trained networks are a folder. ``model.json`` is the architecture as Keras writes it, not compiled;
``model.weights.h5``, or ``member_1.weights.h5`` and so on for an ensemble, hold the weights; ``card.json`` says what
they are for (kind, classes, preprocessing, calibration, metrics, provenance) and carries the digests of the others.
Networks are exchanged between strangers and Keras's own loaders are no security boundary, so `read` never calls one:
it parses the architecture against an allow-list, checks the weights as plain arrays, and rebuilds the network with
`build`, the code that built it in the first place.
"""

from galclass.network.architecture import parse_architecture, weight_shapes
from galclass.network.building import (
    CLASSES,
    TRUSTED_CLASSES,
    build,
    fix_seeds,
    load_keras,
    predict,
    thesis_layers,
    thesis_network,
    threads,
    trusted_layers,
)
from galclass.network.calibration import Calibration, fit_temperature
from galclass.network.classifier import (
    Classifier,
    Predictions,
    TrustedClassifier,
    embedding_distance,
    ensemble_answer,
    ensemble_mean,
    open_classifier,
)
from galclass.network.files import CARD_FILE, read, write
from galclass.network.gauge import faded, fit_gauge
from galclass.network.unrolling import (
    MAP_SHAPE,
    Ellipses,
    border_sky,
    deviations,
    framed,
    galaxy_cores,
    galaxy_ellipses,
    interpolated,
    places,
    unrolled,
)

__all__ = [
    "CARD_FILE",
    "CLASSES",
    "MAP_SHAPE",
    "TRUSTED_CLASSES",
    "Calibration",
    "Classifier",
    "Ellipses",
    "Predictions",
    "TrustedClassifier",
    "border_sky",
    "build",
    "deviations",
    "embedding_distance",
    "ensemble_answer",
    "ensemble_mean",
    "faded",
    "fit_gauge",
    "fit_temperature",
    "fix_seeds",
    "framed",
    "galaxy_cores",
    "galaxy_ellipses",
    "interpolated",
    "load_keras",
    "open_classifier",
    "parse_architecture",
    "places",
    "predict",
    "read",
    "thesis_layers",
    "thesis_network",
    "threads",
    "trusted_layers",
    "unrolled",
    "weight_shapes",
    "write",
]
