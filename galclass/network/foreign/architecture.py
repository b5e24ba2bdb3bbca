"""Architectures that Keras 1, 2 and 3 wrote, turned into layers as plain data against the allow-list."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from galclass.errors import InputError
from galclass.network.architecture import MAXIMUM_LAYERS, parse_layer, shown, weight_shapes

#: Backends by the way they slide a kernel over a picture: Theano turns it by 180 degrees (a convolution), the others
#: do not (a correlation).
BACKENDS = {"theano": "convolution", **dict.fromkeys(("tensorflow", "cntk", "jax", "torch"), "correlation")}

#: Names of Keras 1 and those that stand for them since Keras 2.
_CLASSES = {"Convolution2D": "Conv2D"}
_RENAMED = {
    "nb_filter": "filters",
    "subsample": "strides",
    "border_mode": "padding",
    "dim_ordering": "data_format",
    "bias": "use_bias",
    "output_dim": "units",
    "p": "rate",
    "init": "kernel_initializer",
    "input_dtype": "dtype",
    "batch_input_shape": "batch_shape",
    **{f"{old}_{what}": f"{new}_{what}" for old, new in (("W", "kernel"), ("b", "bias"))
       for what in ("regularizer", "constraint")},
}  # fmt: skip
#: Of these only Keras 1 made use.
_ONLY_KERAS_1 = {"nb_filter", "nb_row", "border_mode", "dim_ordering", "output_dim", "p", "W_regularizer"}
_ORDERS = {"th": "channels_first", "tf": "channels_last"}

_MODULES = (None, "keras", "keras.layers")
#: What may begin or hold back weights; it has no part in predictions and is not kept.
_HELPERS = (
    "Zeros|Ones|Constant|RandomNormal|RandomUniform|TruncatedNormal|VarianceScaling|Orthogonal|Identity|"
    "Glorot(Normal|Uniform)|He(Normal|Uniform)|Lecun(Normal|Uniform)|L1|L2|L1L2|MaxNorm|NonNeg|UnitNorm|MinMaxNorm|"
    "(Weight|Activity)Regularizer|L1L2Regularizer|"
    "zero|zeros|one|ones|uniform|normal|orthogonal|identity|(glorot|he|lecun)_(normal|uniform)|l1|l2|l1_l2"
)
_HELPER_KEYS = tuple(
    f"{what}_{helper}"
    for what in ("kernel", "bias", "activity")
    for helper in ("initializer", "regularizer", "constraint")
)
_NAME = r"[A-Za-z0-9_.-]{1,100}"


@dataclass(frozen=True)
class ForeignLayer:
    """A layer as it was described.

    Attributes
    ----------
    name : its name in the weights of Keras 1 and 2
    kind : its class, by the names of Keras 3
    content : the layer as plain data for `build`; of an Activation, its word
    use_bias : whether a bias follows its kernel
    data_format : the order of its maps, where it says one
    """

    name: str
    kind: str
    content: dict
    use_bias: bool
    data_format: str | None


@dataclass(frozen=True)
class ForeignNetwork:
    """A network as it was described, and as `build` takes it.

    Attributes
    ----------
    layers : all layers of the file, in order
    content : layers as plain data for `build`: channels last, activations inside the layers they belong to
    of_keras_1 : whether the words are those of Keras 1
    channels_first : whether its maps and kernels came as (channels, rows, columns)
    rows_first : whether Flatten lined up its maps as (rows, columns, channels), as `build` does
    version, backend : of the Keras that wrote it, where the file says
    """

    layers: list[ForeignLayer]
    content: list[dict]
    of_keras_1: bool
    channels_first: bool
    rows_first: bool
    version: str | None
    backend: str | None


def parse_foreign(tree: Any, path: Path) -> ForeignNetwork:
    """A network from the parsed JSON that `to_json` of Keras 1, 2 or 3 wrote; everything else is refused.

    Raises
    ------
    InputError
        Naming the layer and the key.
    """
    where = f"{path}: the network"
    config = _opened(tree, {"keras_version", "backend", "compile_config"}, where, (dict, list))
    if tree.get("class_name") != "Sequential":
        raise InputError(f"{where}: {shown(tree.get('class_name'))} is not allowed; allowed is Sequential")
    found, shape = _layer_list(config, where)
    places = [f"{path}: layer {number}" for number in range(1, len(found) + 1)]
    parts = [_parse(layer, place) for layer, place in zip(found, places, strict=True)]
    layers = [layer for layer, _ in parts]
    if len({layer.name for layer in layers}) != len(layers):
        raise InputError(f"{where}: two layers have one name; each name may stand once")
    channels_first = _channels_first(layers, where)
    shapes = [layer_shape for _, layer_shape in parts]
    content = [_input_layer([*shapes, shape], channels_first, where), *_merged(layers, path)]
    weight_shapes(content, path)
    return ForeignNetwork(
        layers=layers,
        content=content,
        of_keras_1=any(_is_keras_1(layer) for layer in found),
        channels_first=channels_first,
        rows_first=not channels_first
        or any(layer.kind == "Flatten" and layer.data_format == "channels_first" for layer in layers),
        version=_word(tree.get("keras_version"), r"\d[\w.+-]{0,40}", f"{where}: keras_version"),
        backend=_word(tree.get("backend"), "|".join(BACKENDS), f"{where}: backend"),
    )


def _opened(tree: Any, more: set[str], where: str, kinds: tuple[type, ...] = (dict,)) -> Any:
    """The config of a serialised object, once its envelope names nothing outside Keras."""
    if not isinstance(tree, dict) or not isinstance(tree.get("config"), kinds):
        raise InputError(f"{where}: not a Keras object with a config, found {shown(tree)}; export the network again")
    unknown = sorted(set(tree) - {"class_name", "config", "module", "registered_name", "build_config", *more})
    if unknown:
        raise InputError(f"{where}: unknown key {shown(unknown[0])}; only networks written by to_json can be read")
    if tree.get("module") not in _MODULES or tree.get("registered_name") is not None:
        raise InputError(
            f"{where}: {shown(tree.get('class_name'))} of {shown(tree.get('registered_name') or tree.get('module'))} "
            "is not allowed; allowed are the layers of Keras itself"
        )
    return tree["config"]


def _layer_list(config: dict | list, where: str) -> tuple[list, Any]:
    """The layers of a Sequential (a list in Keras 1 and early 2), and the shape it was built for, if it says one."""
    if isinstance(config, list):
        config = {"layers": config}
    unknown = sorted(set(config) - {"name", "trainable", "dtype", "layers", "build_input_shape"})
    if unknown:
        raise InputError(f"{where}: unknown key {shown(unknown[0])}; only networks written by to_json can be read")
    found = config.get("layers")
    if not isinstance(found, list) or not 1 <= len(found) <= MAXIMUM_LAYERS:
        raise InputError(f"{where}: layers must be a list of 1 to {MAXIMUM_LAYERS} layers, found {shown(found)}")
    built = config.get("build_input_shape")
    return found, [None, *built[1:]] if isinstance(built, list) else None


# Layers -----------------------------------------------------------------------------------------------------


def _is_keras_1(layer: dict) -> bool:
    return bool(_ONLY_KERAS_1 & set(layer["config"]))


def _parse(tree: Any, where: str) -> tuple[ForeignLayer, Any]:
    """A layer, and the shape of its input where it says one."""
    config = _opened(tree, set(), where)
    kind = tree.get("class_name")
    kind = _CLASSES.get(kind, kind) if isinstance(kind, str) else None
    config = _renamed(config, where)
    shape = config.pop("batch_shape", None)
    taken = {
        "name": _word(config.pop("name", None) or "", _NAME, f"{where}: name"),
        "use_bias": _one_of(config.pop("use_bias", True), (True, False), f"{where}: use_bias"),
        "data_format": _one_of(config.pop("data_format", None), (None, *_ORDERS.values()), f"{where}: data_format"),
    }
    _drop_what_does_not_count(config, where)
    if kind == "Activation":
        content = {"class": kind, **config}
        if set(content) != {"class", "activation"} or content["activation"] not in ("relu", "softmax", "linear"):
            raise InputError(f"{where} ({kind}): {shown(config)}; allowed are relu, softmax or linear, and no more")
    elif kind == "InputLayer":
        if not set(config) <= {"sparse", "ragged", "optional"} or any(config.values()):
            raise InputError(f"{where} ({kind}): {shown(config)}; allowed is a plain input of pictures")
        content = {"class": kind}
    else:
        content = parse_layer(_of_keras_3(kind, config), where)
    return ForeignLayer(kind=kind, content=content, **taken), shape


def _renamed(config: dict, where: str) -> dict:
    """The config with the names of Keras 2 and 3."""
    renamed = {_RENAMED.get(key, key): value for key, value in config.items() if key not in ("nb_row", "nb_col")}
    if "nb_row" in config or "nb_col" in config:
        renamed["kernel_size"] = [config.get("nb_row"), config.get("nb_col")]
    if len(renamed) != len(config) - ("nb_row" in config and "nb_col" in config):
        raise InputError(f"{where}: a setting stands twice, by its old and its new name; export the network again")
    if isinstance(renamed.get("data_format"), str):
        renamed["data_format"] = _ORDERS.get(renamed["data_format"], renamed["data_format"])
    return renamed


def _of_keras_3(kind: Any, config: dict) -> dict:
    """The description that `parse_layer` checks."""
    return {"module": "keras.layers", "class_name": kind, "config": config, "registered_name": None}


def _drop_what_does_not_count(config: dict, where: str) -> None:
    """Take out of a config what has no part in predictions, once it is known to be harmless."""
    _one_of(config.pop("trainable", True), (True, False), f"{where}: trainable")
    for key in ("seed", "input_dim"):
        if type(config.pop(key, None)) not in (int, type(None)):
            raise InputError(f"{where}: {key} must be a whole number")
    dtype = config.pop("dtype", None)
    if isinstance(dtype, dict) and dtype.get("class_name") in ("DTypePolicy", "Policy"):
        dtype = _opened(dtype, {"shared_object_id"}, f"{where}: dtype").get("name")
    _one_of(dtype, (None, "float32"), f"{where}: dtype")
    for key in _HELPER_KEYS:
        _check_helper(config.pop(key, None), f"{where}: {key}")


def _check_helper(helper: Any, where: str) -> None:
    """Refuse an initialiser, regulariser or constraint that is not one of Keras's own with plain numbers."""
    if helper is None:
        return
    name, settings = helper, {}
    if isinstance(helper, dict):
        settings = dict(helper)
        if "config" in helper:
            settings = dict(_opened({**helper, "module": None}, {"shared_object_id"}, where))
            name, module = helper.get("class_name"), helper.get("module")
            _one_of(module, (None, f"keras.{where.rpartition('_')[2]}s"), f"{where}: module")
        else:
            name = settings.pop("name", None)
    plain = all(isinstance(value, int | float | str | list | None) for value in settings.values())
    if not plain or not isinstance(name, str) or not re.fullmatch(_HELPERS, name):
        raise InputError(f"{where}: {shown(name)} is not allowed; allowed are those of Keras itself")


def _one_of(value: Any, allowed: tuple, what: str) -> Any:
    if not any(value is other or (type(value) is type(other) and value == other) for other in allowed):
        raise InputError(f"{what} is {shown(value)}; allowed is {' or '.join(map(shown, allowed))}")
    return value


def _word(value: Any, pattern: str, what: str) -> str | None:
    if value is not None and not (isinstance(value, str) and re.fullmatch(pattern, value)):
        raise InputError(f"{what} is {shown(value)}; export the network again")
    return value


# The network ------------------------------------------------------------------------------------------------


def _channels_first(layers: list[ForeignLayer], where: str) -> bool:
    maps = ("Conv2D", "MaxPooling2D", "AveragePooling2D")
    orders = {layer.data_format or "channels_last" for layer in layers if layer.kind in maps}
    if len(orders) > 1:
        raise InputError(f"{where}: some layers put channels first and others last; allowed is one order for all")
    return orders == {"channels_first"}


def _input_layer(shapes: list[Any], channels_first: bool, where: str) -> dict:
    """The input as plain data, from the shapes given by the layers (one, or the same twice) or by the network."""
    given = [shape for shape in shapes[:-1] if shape is not None] or shapes[-1:]
    if any(shape != given[0] for shape in given):
        raise InputError(f"{where}: layers ask for different pictures, {shown(given)}; allowed is one shape")
    shape = given[0]
    if channels_first and isinstance(shape, list) and len(shape) == 4:
        shape = [shape[0], *shape[2:], shape[1]]
    layer = parse_layer(_of_keras_3("InputLayer", {"batch_shape": shape}), where)
    height, width, channels = layer["shape"]
    if height != width or channels != 1:
        raise InputError(f"{where}: pictures of {height} x {width} x {channels}; allowed are n x n of one channel")
    return layer


def _merged(layers: list[ForeignLayer], path: Path) -> list[dict]:
    """Layers as plain data, each Activation inside the layer whose sums it takes.

    ReLU keeps the order of numbers and their zero, so it may be drawn through MaxPooling2D, Dropout and Flatten.
    """
    content: list[dict] = []
    for number, layer in enumerate(layers, start=1):
        if layer.kind == "Activation":
            _merge(layer.content["activation"], content, f"{path}: layer {number} (Activation)")
        elif layer.kind != "InputLayer":
            content.append(dict(layer.content))
        elif number > 1:
            raise InputError(f"{path}: layer {number} (InputLayer): allowed is an input at the beginning only")
    return content


def _merge(word: str, content: list[dict], where: str) -> None:
    """Put an activation into the last layer that has weights; an average stands between them for good."""
    if word == "linear":
        return
    stops = (layer for layer in reversed(content) if "activation" in layer or layer["class"] == "AveragePooling2D")
    last = next(stops, {})
    if word == last.get("activation") == "relu":
        return
    if last.get("activation") != "linear" or (word == "softmax" and content[-1] is not last):
        raise InputError(f"{where}: {word} cannot stand here; allowed is one activation for each layer with weights")
    last["activation"] = word
