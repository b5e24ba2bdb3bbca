"""The thesis's network in Keras: built, seeded and asked for its predictions."""

import contextlib
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from galclass.network.unrolling import MAP_SHAPE, PLACES

#: Learning rate of Adadelta in the thesis's Keras (Zeiler 2012, arXiv:1212.5701); Keras 3 would use 0.001.
THESIS_LEARNING_RATE = 1.0

#: The classes of the thesis in the order of its class numbers 1, 2, 3, and those of the trusted classifier.
CLASSES = ("oval", "rectangle", "obround")
TRUSTED_CLASSES = (*CLASSES, "none")


def load_keras() -> Any:
    """Import Keras on TensorFlow without the start-up lines of TensorFlow's C++ side."""
    if "keras" not in sys.modules:
        os.environ.setdefault("KERAS_BACKEND", "tensorflow")
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(threads()))
        with _quiet_descriptor(2):
            import keras  # logs before its logger is configured
            import tensorflow
        tensorflow.get_logger().setLevel("ERROR")  # it warns of every few networks that batches of new sizes come
    import keras

    return keras


def threads() -> int:
    """Number of threads to use: OMP_NUM_THREADS where it is set, as schedulers do, else all there are."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return int(wanted) if wanted.isdecimal() and int(wanted) > 0 else len(os.sched_getaffinity(0))


@contextlib.contextmanager
def _quiet_descriptor(number: int) -> Iterator[None]:
    """Hold back what the block writes to a file descriptor; show it only when the block fails."""
    saved = os.dup(number)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), number)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(saved, held.read())
            raise
        finally:
            os.dup2(saved, number)
            os.close(saved)


def fix_seeds(seed: int) -> None:
    """Seed Python, NumPy and Keras, and keep TensorFlow to operations that give the same bits every time.

    The same seed gives the same weights at the same number of threads on the same machine.
    """
    load_keras().utils.set_random_seed(seed)
    import tensorflow

    tensorflow.config.experimental.enable_op_determinism()


def thesis_layers(pixels: int, classes: int) -> list[dict]:
    """The layers of the thesis's network as plain data, for `build`."""
    return [
        {"class": "InputLayer", "shape": (pixels, pixels, 1)},
        {"class": "Conv2D", "filters": 32, "kernel_size": 3, "activation": "relu"},
        {"class": "Conv2D", "filters": 64, "kernel_size": 3, "activation": "relu"},
        {"class": "MaxPooling2D", "pool_size": 2},
        {"class": "Dropout", "rate": 0.25},
        {"class": "Flatten"},
        {"class": "Dense", "units": 128, "activation": "relu"},
        {"class": "Dropout", "rate": 0.5},
        {"class": "Dense", "units": classes, "activation": "softmax"},
    ]


def trusted_layers(classes: int = len(TRUSTED_CLASSES)) -> list[dict]:
    """The layers of the trusted classifier as plain data: convolutions round the rings of an unrolled galaxy.

    All rings are channels of one row, so that the first layer sees every radius at once. What a galaxy's orientation
    changes is where on the row its pattern begins; the average over the whole row at the end forgets that.
    """
    return [
        {"class": "InputLayer", "shape": MAP_SHAPE},
        {"class": "Conv2D", "filters": 48, "kernel_size": (1, 9), "activation": "relu"},
        {"class": "AveragePooling2D", "pool_size": (1, 2)},
        {"class": "Conv2D", "filters": 64, "kernel_size": (1, 7), "activation": "relu"},
        {"class": "AveragePooling2D", "pool_size": (1, 2)},
        {"class": "Conv2D", "filters": 64, "kernel_size": (1, 3), "activation": "relu"},
        {"class": "AveragePooling2D", "pool_size": (1, PLACES // 4)},
        {"class": "Flatten"},
        {"class": "Dropout", "rate": 0.2},
        {"class": "Dense", "units": 64, "activation": "relu"},
        {"class": "Dropout", "rate": 0.2},
        {"class": "Dense", "units": classes, "activation": "softmax"},
    ]


def build(layers: list[dict]) -> Any:
    """A Keras model, not compiled, from layers as plain data (see `thesis_layers`).

    Layers are named as Keras names the first of each kind, whatever was built before in the same process, so
    that the same layers always give the same files.
    """
    keras = load_keras()
    parts = [keras.Input(layers[0]["shape"], name="input_layer")]
    for layer, name in zip(layers[1:], layer_names(layers)[1:], strict=True):
        options = {key: value for key, value in layer.items() if key != "class"}
        parts.append(getattr(keras.layers, layer["class"])(**options, name=name))
    return keras.Sequential(parts, name="galclass")


#: How Keras writes the names of classes of layers in files.
SNAKE_CASE = {
    "InputLayer": "input_layer",
    "Conv2D": "conv2d",
    "MaxPooling2D": "max_pooling2d",
    "AveragePooling2D": "average_pooling2d",
    "Dropout": "dropout",
    "Flatten": "flatten",
    "Dense": "dense",
}


def layer_names(layers: list[dict]) -> list[str]:
    """Names of layers as Keras gives them in architecture and weights: conv2d, conv2d_1, ..."""
    seen: Counter[str] = Counter()
    names = []
    for layer in layers:
        name = SNAKE_CASE[layer["class"]]
        names.append(f"{name}_{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return names


def thesis_network(pixels: int, classes: int, learning_rate: float = THESIS_LEARNING_RATE) -> Any:
    """The thesis's network, ready to train.

    Parameters
    ----------
    pixels : int
        Width and height of a picture (50 in the thesis).
    classes : int
        Number of classes (3 in the thesis).
    learning_rate : float
        Of Adadelta; always handed over, since Keras's default has changed by a factor of 1000.

    Returns
    -------
    keras.Model
        From pictures (n, pixels, pixels, 1) between 0 and 1 to probabilities (n, classes).
    """
    model = build(thesis_layers(pixels, classes))
    optimizer = load_keras().optimizers.Adadelta(learning_rate=learning_rate)
    model.compile(optimizer=optimizer, loss="categorical_crossentropy", metrics=["accuracy"])
    return model


def predict(model: Any, inputs: np.ndarray, batch_size: int) -> np.ndarray:
    """Probabilities (n, classes), float64, of inputs (n, ny, nx, channels), or of pictures (n, ny, nx)."""
    inputs = np.asarray(inputs)
    inputs = inputs[..., None] if inputs.ndim == 3 else inputs
    # Slices of the array, batch by batch: Keras's own `predict` would copy the whole array first and then every batch.
    batches = [inputs[first : first + batch_size] for first in range(0, len(inputs), batch_size)]
    return np.concatenate([model.predict_on_batch(batch) for batch in batches]).astype(float)
