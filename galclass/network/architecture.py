"""The allow-list: what an architecture from elsewhere may hold, and the weights that it asks for."""

import math
from pathlib import Path
from typing import Any

from galclass.errors import InputError

#: Limits on networks from elsewhere: weights, numbers in one layer's output, layers.
MAXIMUM_WEIGHTS, MAXIMUM_ACTIVATIONS, MAXIMUM_LAYERS = 100_000_000, 100_000_000, 64

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
_PADDINGS, _POOLINGS = ("valid", "same"), ("MaxPooling2D", "AveragePooling2D")
#: What may vary in each kind of layer: the key in the file and the check of its value, a range or a set of
#: words.
_FREE = {
    "InputLayer": {"batch_shape": "shape"},
    "Conv2D": {
        "filters": (1, 1024), "kernel_size": "window", "strides": "window", "padding": _PADDINGS,
        "activation": ("relu", "linear"),
    },
    "MaxPooling2D": {"pool_size": "window", "strides": "window", "padding": _PADDINGS},
    "AveragePooling2D": {"pool_size": "window", "strides": "window", "padding": _PADDINGS},
    "Dropout": {"rate": "rate"},
    "Flatten": {},
    "Dense": {"units": (1, 65536), "activation": ("relu", "softmax", "linear")},
}  # fmt: skip
#: What may not vary, with the only value allowed: the one that `build` gives.
_FIXED = {
    "InputLayer": {"dtype": "float32", "sparse": False, "ragged": False, "optional": False},
    "Conv2D": {
        **_COMMON, **_WEIGHTED, "data_format": "channels_last", "dilation_rate": [1, 1], "groups": 1,
    },
    "MaxPooling2D": {**_COMMON, "data_format": "channels_last"},
    "AveragePooling2D": {**_COMMON, "data_format": "channels_last"},
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
    layers = [parse_layer(layer, f"{path}: layer {number}") for number, layer in enumerate(found, start=1)]
    weight_shapes(layers, path)
    return layers


def _opened(tree: Any, kind: str | None, module: str, keys: set[str], where: str) -> dict:
    """The config of a serialised Keras object, once its envelope is known to hold nothing else."""
    if not isinstance(tree, dict) or not isinstance(tree.get("config"), dict):
        raise InputError(f"{where}: not a Keras object with a config, found {shown(tree)}; train the network again")
    _allow(tree, keys, where)
    if (
        tree.get("module") != module
        or tree.get("registered_name") is not None
        or (kind and tree.get("class_name") != kind)
    ):
        raise InputError(
            f"{where}: {shown(tree.get('class_name'))} of {shown(tree.get('module'))} is not allowed, "
            f"only {kind or 'layers'} of {module}"
        )
    return tree["config"]


def _allow(found: dict, keys: set[str], where: str) -> None:
    unknown = sorted(set(found) - keys)
    if unknown:
        raise InputError(f"{where}: unknown key {shown(unknown[0])}; allowed are {', '.join(sorted(keys))}")


def parse_layer(tree: Any, where: str) -> dict:
    """One layer as plain data from its Keras 3 description; `where` begins the messages."""
    kind = tree.get("class_name") if isinstance(tree, dict) else None
    if not isinstance(kind, str) or kind not in _FREE:
        raise InputError(f"{where}: {shown(kind)} is not allowed; allowed are {', '.join(_FREE)}")
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
            raise InputError(f"{where} ({kind}): {key} is {shown(config[key])}; allowed is {shown(value)}")
    checked = {key: _checked(config.get(key), rule, f"{where} ({kind}): {key}") for key, rule in free.items()}
    return _as_layer(kind, checked)


def _as_layer(kind: str, checked: dict) -> dict:
    """A layer as `build` takes it: shape without the batch, and nothing that Keras would take by default."""
    if kind == "InputLayer":
        return {"class": kind, "shape": checked["batch_shape"]}
    usual = {"strides": checked.get("pool_size", 1), "padding": "valid"}
    return {"class": kind, **{key: value for key, value in checked.items() if usual.get(key) != value}}


def _checked(value: Any, rule: Any, what: str) -> Any:
    """The value, once it keeps its rule: a range of whole numbers, a set of words, or a named form."""
    if rule == "shape":
        whole = isinstance(value, list) and len(value) == 4 and all(type(v) is int and v >= 1 for v in value[1:])
        if not whole or value[0] is not None or not 8 <= max(value[1:3]) <= 1024 or value[3] > 256:
            raise InputError(f"{what} is {shown(value)}; allowed is [null, ny, nx, channels], up to 1024, 1024 and 256")
        return tuple(value[1:])
    if rule == "window":
        whole = isinstance(value, list) and len(value) == 2 and all(type(v) is int and 1 <= v <= 31 for v in value)
        if not whole:
            raise InputError(f"{what} is {shown(value)}; allowed is [n, m] with n and m from 1 to 31")
        return value[0] if value[0] == value[1] else tuple(value)
    if rule == "rate":
        if type(value) not in (int, float) or not 0 <= value < 1:
            raise InputError(f"{what} is {shown(value)}; allowed is 0 to below 1")
        return value
    if isinstance(rule[0], str):
        if value not in rule:
            raise InputError(f"{what} is {shown(value)}; allowed is {' or '.join(rule)}")
        return value
    if type(value) is not int or not rule[0] <= value <= rule[1]:
        raise InputError(f"{what} is {shown(value)}; allowed is a whole number from {rule[0]} to {rule[1]}")
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


def output_shape(layers: list[dict], path: Path) -> tuple[int, ...]:
    """Shape of what the last of some layers gives, without the batch; the first is the InputLayer."""
    shape = layers[0]["shape"]
    for number, layer in enumerate(layers[1:], start=2):
        shape, _ = _follow(shape, layer, f"{path}: layer {number} ({layer['class']})")
    return shape


def sides_of(window: int | tuple[int, int]) -> tuple[int, int]:
    """Height and width of a window of plain data: one number for a square."""
    return (window, window) if isinstance(window, int) else tuple(window)


def _follow(shape: tuple[int, ...], layer: dict, where: str) -> tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]:
    """Shape of a layer's output and of its weights, from the shape of its input."""
    kind = layer["class"]
    if kind == "InputLayer" or (kind in ("Conv2D", *_POOLINGS, "Flatten")) != (len(shape) == 3) and kind != "Dropout":
        raise InputError(f"{where}: cannot stand here, after a layer of shape {shape}")
    if kind == "Dropout":
        return shape, ()
    if kind == "Flatten":
        return (math.prod(shape),), ()
    if kind == "Dense":
        return (layer["units"],), ((shape[0], layer["units"]), (layer["units"],))
    *sides, channels = shape
    if kind in _POOLINGS:
        size, filters, weights = sides_of(layer["pool_size"]), channels, ()
        steps = sides_of(layer.get("strides", layer["pool_size"]))
    else:
        size, filters, steps = sides_of(layer["kernel_size"]), layer["filters"], sides_of(layer.get("strides", 1))
        weights = ((*size, channels, filters), (filters,))
    lost = (0, 0) if layer.get("padding") == "same" else [n - 1 for n in size]
    output = (*(-(-(side - less) // step) for side, less, step in zip(sides, lost, steps, strict=True)), filters)
    if min(output) < 1:
        raise InputError(f"{where}: nothing is left of a layer of shape {shape}")
    return output, weights


def shown(value: Any) -> str:
    """A value short enough for a message of one line."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
