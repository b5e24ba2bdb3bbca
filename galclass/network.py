"""The thesis's network, and trained networks as files: architecture, weights and a card.

A trained network is a folder of three files. ``model.json`` is the architecture as Keras writes it, not
compiled; ``model.weights.h5`` holds the weights; ``card.json`` says what the network is for (classes,
preprocessing, metrics, provenance) and carries the digests of the other two. Networks are exchanged between
strangers and Keras's own loaders are no security boundary, so `read` never calls one: it parses the
architecture against an allow-list, checks the weights as plain arrays, and rebuilds the network with `build`,
the code that built it in the first place.
"""

import contextlib
import hashlib
import io
import json
import math
import os
import re
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from galclass.errors import InputError
from galclass.files import atomic, require_file

#: Learning rate of Adadelta in the thesis's Keras (Zeiler 2012, arXiv:1212.5701); Keras 3 would use 0.001.
THESIS_LEARNING_RATE = 1.0

#: The classes of the thesis in the order of its class numbers 1, 2, 3.
CLASSES = ("oval", "rectangle", "obround")

MODEL_FILE, WEIGHTS_FILE, CARD_FILE = "model.json", "model.weights.h5", "card.json"

#: Limits on networks from elsewhere: bytes of a text file, weights, numbers in one layer's output, layers.
MAXIMUM_TEXT_BYTES, MAXIMUM_WEIGHTS, MAXIMUM_ACTIVATIONS, MAXIMUM_LAYERS = (
    4_000_000,
    100_000_000,
    100_000_000,
    64,
)

_FORMAT = 1
_CARD_KEYS = {"format", "classes", "pixels", "preprocessing", "digests", "metrics", "provenance"}


# Building ---------------------------------------------------------------------------------------------------


def load_keras() -> Any:
    """Import Keras on TensorFlow without the start-up lines of TensorFlow's C++ side."""
    if "keras" not in sys.modules:
        os.environ.setdefault("KERAS_BACKEND", "tensorflow")
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(threads()))
        with _quiet_descriptor(2):
            import keras  # logs before its logger is configured
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


def build(layers: list[dict]) -> Any:
    """A Keras model, not compiled, from layers as plain data (see `thesis_layers`).

    Layers are named as Keras names the first of each kind, whatever was built before in the same process, so
    that the same layers always give the same files.
    """
    keras = load_keras()
    parts = [keras.Input(layers[0]["shape"], name="input_layer")]
    for layer, name in zip(layers[1:], _names(layers)[1:], strict=True):
        options = {key: value for key, value in layer.items() if key != "class"}
        parts.append(getattr(keras.layers, layer["class"])(**options, name=name))
    return keras.Sequential(parts, name="galclass")


_SNAKE_CASE = {
    "InputLayer": "input_layer",
    "Conv2D": "conv2d",
    "MaxPooling2D": "max_pooling2d",
    "Dropout": "dropout",
    "Flatten": "flatten",
    "Dense": "dense",
}


def _names(layers: list[dict]) -> list[str]:
    """Names of layers as Keras gives them in architecture and weights: conv2d, conv2d_1, ..."""
    seen: Counter[str] = Counter()
    names = []
    for layer in layers:
        name = _SNAKE_CASE[layer["class"]]
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


def predict(model: Any, images: np.ndarray, batch_size: int) -> np.ndarray:
    """Probabilities (n, classes), float64, of pictures (n, p, p) between 0 and 1, at any position angle."""
    pictures = aligned(images)[..., None]
    return np.asarray(model.predict(pictures, batch_size=batch_size, verbose=0), dtype=float)


# Orientation ------------------------------------------------------------------------------------------------

#: Ellipticity of the second moments below which the long axis is too uncertain, and corners decide instead.
_ROUND = 0.08


def position_angles(images: np.ndarray) -> np.ndarray:
    """Angle from x to the long axis of each picture [rad]; for round ones, to a side of the best square.

    The long axis comes from the second moments of the squared picture in its inscribed circle. Where these
    are round to `_ROUND` (a tilt would turn an almost square rectangle), the angle comes from the fourth
    harmonic: a square with sides along x and y has its maxima, the corners, at 45 degrees.

    Parameters
    ----------
    images : shape (n, p, p)
        Pictures between 0 and 1, centred on the galaxy.
    """
    x, y = _grid(images.shape[-1])
    weights = np.asarray(images, dtype=float) ** 2 * (np.hypot(x, y) < images.shape[-1] / 2)
    size = np.einsum("nij,ij->n", weights, x**2 + y**2)
    second = np.einsum("nij,ij->n", weights, (x + 1j * y) ** 2)
    fourth = np.einsum("nij,ij->n", weights, (x + 1j * y) ** 4)
    long_axis = 0.5 * np.angle(second)
    return np.where(np.abs(second) > _ROUND * size, long_axis, 0.25 * np.angle(-fourth))


def aligned(images: np.ndarray) -> np.ndarray:
    """Pictures (n, p, p) turned so that the long axis lies along x, cut to their inscribed circle; float32.

    A shape does not depend on how it is turned, and the thesis's network would have to learn that from many
    more pictures. So every picture, in training and after it, is brought to one orientation first. Corners
    beyond the circle are cut, since they would tell how a picture was turned.
    """
    from scipy import ndimage

    side = images.shape[-1]
    x, y = _grid(side)
    outside = np.hypot(x, y) >= side / 2
    turned = np.empty(images.shape, dtype=np.float32)
    for number, (image, angle) in enumerate(zip(images, position_angles(images), strict=True)):
        cosine, sine = np.cos(angle), np.sin(angle)
        turn = np.array([[cosine, sine], [-sine, cosine]])
        start = (np.eye(2) - turn) @ np.full(2, (side - 1) / 2)
        turned[number] = ndimage.affine_transform(image, turn, start, order=1, mode="nearest")
    turned[:, outside] = 0.0
    return turned


def _grid(side: int) -> tuple[np.ndarray, np.ndarray]:
    """x and y of each pixel from the centre of a square picture [pixels]."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    return x, y


# Writing ----------------------------------------------------------------------------------------------------


def write(model: Any, folder: Path, card: dict) -> None:
    """Write a network to a folder: architecture, weights, and last the card with the digests of both.

    Parameters
    ----------
    model : keras.Model
        A network made by `build` or `thesis_network`; what it was compiled with is not written.
    folder : Path
        Created if missing.
    card : dict
        With classes (list of str), pixels (int), preprocessing (dict), metrics (dict) and provenance (dict).
    """
    folder = Path(folder)
    layers = parse_architecture(json.loads(model.to_json()), folder / MODEL_FILE)
    bare = build(layers)  # a compiled model would write its optimizer's state, twice the weights, into both files
    bare.set_weights(model.get_weights())
    with atomic(folder / MODEL_FILE) as temporary:
        temporary.write_text(bare.to_json(indent=1) + "\n")
    with atomic(folder / WEIGHTS_FILE) as temporary, warnings.catch_warnings():
        # Keras 3.15 hands its variables to NumPy 2 in a way that NumPy deprecates.
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        bare.save_weights(temporary)
    digests = {name: _digest((folder / name).read_bytes()) for name in (MODEL_FILE, WEIGHTS_FILE)}
    full = {"format": _FORMAT, **card, "digests": digests}
    _check_card(full, layers, folder / CARD_FILE)
    with atomic(folder / CARD_FILE) as temporary:
        temporary.write_text(json.dumps(full, indent=1, allow_nan=False) + "\n")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# Reading ----------------------------------------------------------------------------------------------------


def read(folder: Path) -> tuple[Any, dict]:
    """Read a network from a folder written by `write`, trusting nothing in it.

    Returns
    -------
    model : keras.Model
        Not compiled; use it with `predict`.
    card : dict
        As written, with the digests.

    Raises
    ------
    InputError
        A file is missing, damaged, does not belong to the others, or holds anything but the layers, numbers
        and arrays that a network of this project needs. Nothing in the files is executed.
    """
    folder = Path(folder)
    card = _parse_json(_read_bytes(folder / CARD_FILE, MAXIMUM_TEXT_BYTES), folder / CARD_FILE)
    digests = _check_card_keys(card, folder / CARD_FILE)
    text = _read_checked(folder / MODEL_FILE, MAXIMUM_TEXT_BYTES, digests)
    layers = parse_architecture(_parse_json(text, folder / MODEL_FILE), folder / MODEL_FILE)
    _check_card(card, layers, folder / CARD_FILE)
    shapes = weight_shapes(layers, folder / MODEL_FILE)
    # One megabyte more than the numbers themselves: the structure of a file of at most 64 layers is far
    # smaller.
    limit = 4 * sum(math.prod(shape) for pair in shapes for shape in pair) + 1_000_000
    content = _read_checked(folder / WEIGHTS_FILE, limit, digests)
    arrays = read_weights(content, layers, folder / WEIGHTS_FILE)
    model = build(layers)
    model.set_weights(arrays)
    return model, card


def _read_bytes(path: Path, limit: int) -> bytes:
    size = require_file(path).stat().st_size
    if size > limit:
        raise InputError(f"{path}: {size} bytes; at most {limit} are allowed here; train the network again")
    return path.read_bytes()


def _read_checked(path: Path, limit: int, digests: dict) -> bytes:
    content = _read_bytes(path, limit)
    if _digest(content) != digests.get(path.name):
        raise InputError(
            f"{path}: its digest differs from the one in {CARD_FILE}: damaged, or from another network; train again"
        )
    return content


def _parse_json(content: bytes, path: Path) -> Any:
    try:
        return json.loads(content.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid JSON ({error}); train the network again") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not allowed")


def _check_card_keys(card: Any, path: Path) -> dict:
    """The digests of a card, once it is known to be a card."""
    if not isinstance(card, dict) or set(card) != _CARD_KEYS or card["format"] != _FORMAT:
        raise InputError(
            f"{path}: not a card of format {_FORMAT}; it needs exactly the keys {', '.join(sorted(_CARD_KEYS))}"
        )
    if not isinstance(card["digests"], dict) or set(card["digests"]) != {MODEL_FILE, WEIGHTS_FILE}:
        raise InputError(f"{path}: digests must name {MODEL_FILE} and {WEIGHTS_FILE} and nothing else")
    return card["digests"]


def _check_card(card: dict, layers: list[dict], path: Path) -> None:
    """Refuse a card that does not fit the network it lies beside."""
    _check_card_keys(card, path)
    classes, (pixels, _, _) = card["classes"], layers[0]["shape"]
    if not isinstance(classes, list) or not all(
        isinstance(c, str) and re.fullmatch(r"[a-z0-9_]{1,40}", c) for c in classes
    ):
        raise InputError(f"{path}: classes must be a list of short names in lower case, found {_shown(classes)}")
    if len(set(classes)) != len(classes) or len(classes) != layers[-1]["units"]:
        raise InputError(f"{path}: {len(classes)} classes for a network of {layers[-1]['units']}, each name once")
    if card["pixels"] != pixels:
        raise InputError(f"{path}: pixels is {_shown(card['pixels'])}, the network takes {pixels} x {pixels}")
    for key in ("preprocessing", "metrics", "provenance"):
        if not isinstance(card[key], dict):
            raise InputError(f"{path}: {key} must be an object, found {_shown(card[key])}")


def _shown(value: Any) -> str:
    """A value short enough for a message of one line."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


# The allow-list ---------------------------------------------------------------------------------------------

_DTYPE = {
    "module": "keras",
    "class_name": "DTypePolicy",
    "config": {"name": "float32"},
    "registered_name": None,
}
_GLOROT = {
    "module": "keras.initializers",
    "class_name": "GlorotUniform",
    "config": {"seed": None, "input_axes": None, "output_axes": None},
    "registered_name": None,
}
_ZEROS = {"module": "keras.initializers", "class_name": "Zeros", "config": {}, "registered_name": None}
_COMMON = {"trainable": True, "dtype": _DTYPE}
_WEIGHTED = {
    "use_bias": True,
    "kernel_initializer": _GLOROT,
    "bias_initializer": _ZEROS,
    **dict.fromkeys(
        [
            "kernel_regularizer",
            "bias_regularizer",
            "activity_regularizer",
            "kernel_constraint",
            "bias_constraint",
        ]
    ),
}
#: What may vary in each kind of layer: the key in the file and the check of its value, a range or a set of
#: words.
_FREE = {
    "InputLayer": {"batch_shape": "shape"},
    "Conv2D": {"filters": (1, 1024), "kernel_size": "square", "activation": ("relu",)},
    "MaxPooling2D": {"pool_size": "square", "strides": "square"},
    "Dropout": {"rate": "rate"},
    "Flatten": {},
    "Dense": {"units": (1, 65536), "activation": ("relu", "softmax")},
}
#: What may not vary, with the only value allowed: the one that `build` gives.
_FIXED = {
    "InputLayer": {"dtype": "float32", "sparse": False, "ragged": False, "optional": False},
    "Conv2D": {
        **_COMMON, **_WEIGHTED, "strides": [1, 1], "padding": "valid", "data_format": "channels_last",
        "dilation_rate": [1, 1], "groups": 1,
    },
    "MaxPooling2D": {**_COMMON, "padding": "valid", "data_format": "channels_last"},
    "Dropout": {**_COMMON, "seed": None, "noise_shape": None},
    "Flatten": {**_COMMON, "data_format": "channels_last"},
    "Dense": {**_COMMON, **_WEIGHTED, "quantization_config": None},
}  # fmt: skip


def parse_architecture(tree: Any, path: Path) -> list[dict]:
    """Layers as plain data from the parsed ``model.json``; everything not on the allow-list is refused.

    Parameters
    ----------
    tree : parsed JSON
        As `keras.Sequential.to_json` writes it; names and recorded shapes are ignored, since `build` makes
        its own.
    path : Path
        For messages.

    Raises
    ------
    InputError
        Naming the layer and the key.
    """
    envelope = {"module", "class_name", "config", "registered_name", "build_config", "compile_config"}
    config = _opened(tree, "Sequential", "keras", envelope, f"{path}: the network")
    _allow(config, {"name", "trainable", "dtype", "layers", "build_input_shape"}, f"{path}: the network")
    found = config.get("layers")
    if not isinstance(found, list) or not 2 <= len(found) <= MAXIMUM_LAYERS:
        raise InputError(f"{path}: layers must be a list of 2 to {MAXIMUM_LAYERS} layers")
    layers = [_parse_layer(layer, f"{path}: layer {number}") for number, layer in enumerate(found, start=1)]
    weight_shapes(layers, path)
    return layers


def _opened(tree: Any, kind: str | None, module: str, keys: set[str], where: str) -> dict:
    """The config of a serialised Keras object, once its envelope is known to hold nothing else."""
    if not isinstance(tree, dict) or not isinstance(tree.get("config"), dict):
        raise InputError(f"{where}: not a Keras object with a config, found {_shown(tree)}; train the network again")
    _allow(tree, keys, where)
    if (
        tree.get("module") != module
        or tree.get("registered_name") is not None
        or (kind and tree.get("class_name") != kind)
    ):
        raise InputError(
            f"{where}: {_shown(tree.get('class_name'))} of {_shown(tree.get('module'))} is not allowed, "
            f"only {kind or 'layers'} of {module}"
        )
    return tree["config"]


def _allow(found: dict, keys: set[str], where: str) -> None:
    unknown = sorted(set(found) - keys)
    if unknown:
        raise InputError(f"{where}: unknown key {_shown(unknown[0])}; allowed are {', '.join(sorted(keys))}")


def _parse_layer(tree: Any, where: str) -> dict:
    kind = tree.get("class_name") if isinstance(tree, dict) else None
    if not isinstance(kind, str) or kind not in _FREE:
        raise InputError(f"{where}: {_shown(kind)} is not allowed; allowed are {', '.join(_FREE)}")
    config = _opened(
        tree,
        kind,
        "keras.layers",
        {"module", "class_name", "config", "registered_name", "build_config"},
        where,
    )
    free, fixed = _FREE[kind], _FIXED[kind]
    _allow(config, {"name", *free, *fixed}, f"{where} ({kind})")
    for key, value in fixed.items():
        if key not in free and config.get(key, value) != value:
            raise InputError(f"{where} ({kind}): {key} is {_shown(config[key])}; allowed is {_shown(value)}")
    checked = {key: _checked(config.get(key), rule, f"{where} ({kind}): {key}") for key, rule in free.items()}
    return _as_layer(kind, checked, where)


def _as_layer(kind: str, checked: dict, where: str) -> dict:
    """A layer as `build` takes it: shape without the batch, strides of a pooling equal to its size."""
    if kind == "InputLayer":
        return {"class": kind, "shape": checked["batch_shape"]}
    if checked.pop("strides", None) != checked.get("pool_size"):
        raise InputError(f"{where} ({kind}): strides must equal pool_size")
    return {"class": kind, **checked}


def _checked(value: Any, rule: Any, what: str) -> Any:
    """The value, once it keeps its rule: a range of whole numbers, a set of words, or a named form."""
    if rule == "shape":
        whole = isinstance(value, list) and len(value) == 4 and all(type(v) is int for v in value[1:])
        if not whole or value[0] is not None or value[1] != value[2] or not 8 <= value[1] <= 1024 or value[3] != 1:
            raise InputError(f"{what} is {_shown(value)}; allowed is [null, n, n, 1] with n from 8 to 1024")
        return tuple(value[1:])
    if rule == "square":
        if (
            not isinstance(value, list)
            or len(value) != 2
            or value[0] != value[1]
            or type(value[0]) is not int
            or not 1 <= value[0] <= 15
        ):
            raise InputError(f"{what} is {_shown(value)}; allowed is [n, n] with n from 1 to 15")
        return value[0]
    if rule == "rate":
        if type(value) not in (int, float) or not 0 <= value < 1:
            raise InputError(f"{what} is {_shown(value)}; allowed is 0 to below 1")
        return value
    if isinstance(rule[0], str):
        if value not in rule:
            raise InputError(f"{what} is {_shown(value)}; allowed is {' or '.join(rule)}")
        return value
    if type(value) is not int or not rule[0] <= value <= rule[1]:
        raise InputError(f"{what} is {_shown(value)}; allowed is a whole number from {rule[0]} to {rule[1]}")
    return value


def weight_shapes(layers: list[dict], path: Path) -> list[tuple[tuple[int, ...], ...]]:
    """Shapes of the weights (kernel, bias; or none) of each layer, found without building anything.

    Raises
    ------
    InputError
        The layers do not follow one another, or the network is larger than the limits of this module.
    """
    if layers[0]["class"] != "InputLayer" or layers[-1]["class"] != "Dense" or layers[-1]["activation"] != "softmax":
        raise InputError(f"{path}: a network must begin with InputLayer and end with Dense and softmax")
    shape, shapes = layers[0]["shape"], [()]
    for number, layer in enumerate(layers[1:], start=2):
        shape, weights = _follow(shape, layer, f"{path}: layer {number} ({layer['class']})")
        shapes.append(weights)
        if math.prod(shape) > MAXIMUM_ACTIVATIONS or sum(math.prod(s) for w in shapes for s in w) > MAXIMUM_WEIGHTS:
            raise InputError(
                f"{path}: layer {number} makes the network too large; allowed are {MAXIMUM_WEIGHTS} weights"
            )
    return shapes


def _follow(shape: tuple[int, ...], layer: dict, where: str) -> tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]:
    """Shape of a layer's output and of its weights, from the shape of its input."""
    kind = layer["class"]
    if (
        kind == "InputLayer"
        or (kind in ("Conv2D", "MaxPooling2D", "Flatten")) != (len(shape) == 3)
        and kind != "Dropout"
    ):
        raise InputError(f"{where}: cannot stand here, after a layer of shape {shape}")
    if kind == "Dropout":
        return shape, ()
    if kind == "Flatten":
        return (math.prod(shape),), ()
    if kind == "Dense":
        return (layer["units"],), ((shape[0], layer["units"]), (layer["units"],))
    height, width, channels = shape
    if kind == "MaxPooling2D":
        size = layer["pool_size"]
        output, weights = (height // size, width // size, channels), ()
    else:
        size, filters = layer["kernel_size"], layer["filters"]
        output, weights = (
            (height - size + 1, width - size + 1, filters),
            ((size, size, channels, filters), (filters,)),
        )
    if min(output) < 1:
        raise InputError(f"{where}: nothing is left of a layer of shape {shape}")
    return output, weights


def read_weights(content: bytes, layers: list[dict], path: Path) -> list[np.ndarray]:
    """Kernels and biases in the order of the layers, from the bytes of a ``.weights.h5`` file.

    Raises
    ------
    InputError
        The file is no HDF5, has a group or array too many or too few, a soft or external link, external,
        virtual, chunked or filtered storage, another shape or type than the architecture asks for, or a value
        not finite.
    """
    import h5py

    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            return list(_arrays(file, _weights_tree(layers, path), path))
    except (OSError, KeyError, RuntimeError, ValueError, TypeError) as error:
        raise InputError(f"{path}: damaged weights ({_shown(str(error))}); train the network again") from error


def _weights_tree(layers: list[dict], path: Path) -> dict:
    """The groups (dict) and arrays (shape) that Keras writes for these layers."""
    pairs = zip(_names(layers), weight_shapes(layers, path), strict=True)
    tree = {name: {"vars": {str(i): shape for i, shape in enumerate(pair)}} for name, pair in pairs}
    del tree["input_layer"]
    return {"layers": tree, "vars": {}}


def _arrays(group: Any, tree: dict, path: Path) -> Iterator[np.ndarray]:
    """Walk the groups that must be there and refuse everything else; hard links only: nothing leads out."""
    import h5py

    if len(group) != len(tree):
        raise InputError(f"{path}: {group.name} holds {len(group)} entries, the architecture asks for {len(tree)}")
    for name, wanted in tree.items():
        kind = h5py.Group if isinstance(wanted, dict) else h5py.Dataset
        if not isinstance(group.get(name, getlink=True), h5py.HardLink) or group.get(name, getclass=True) is not kind:
            raise InputError(
                f"{path}: {name} in {group.name} must be a plain {kind.__name__.lower()}, no link, and present"
            )
        if kind is h5py.Group:
            yield from _arrays(group[name], wanted, path)
        else:
            yield _array(group[name], wanted, path)


def _array(dataset: Any, shape: tuple[int, ...], path: Path) -> np.ndarray:
    if dataset.is_virtual or dataset.external or dataset.chunks or dataset.id.get_create_plist().get_nfilters():
        raise InputError(f"{path}: {dataset.name} is stored elsewhere or packed; allowed are plain arrays in the file")
    if dataset.shape != shape or dataset.dtype != np.dtype("<f4"):
        raise InputError(
            f"{path}: {dataset.name} is {dataset.dtype} {dataset.shape}; the architecture asks for float32 {shape}"
        )
    array = dataset[()]
    if not np.isfinite(array).all():
        raise InputError(f"{path}: {dataset.name} holds NaN or infinite weights; train the network again")
    return array
