"""Weights that Keras 1, 2 and 3 wrote, read as plain arrays and turned as `build` keeps them."""

import math
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from galclass.errors import InputError
from galclass.network.architecture import MAXIMUM_LAYERS, output_shape, shown, sides_of, weight_shapes
from galclass.network.building import SNAKE_CASE
from galclass.network.foreign.architecture import BACKENDS, ForeignLayer, ForeignNetwork
from galclass.network.weights import arrays, opened, plain

#: Weights of one layer by the name of the layer.
Weights = dict[str, list[np.ndarray]]

#: Groups beside the weights that hold the state of the training; they are not opened.
_TRAINING = {"optimizer", "metrics", "optimizer_weights"}
_SNAKE_CASE = {**SNAKE_CASE, "Activation": "activation"}
#: Limit on the bytes that names of layers and weights could take in memory.
_MAXIMUM_NAME_BYTES = 2_000_000_000
_WEIGHT_NAME = r"[A-Za-z0-9_.:-]{1,100}(/[A-Za-z0-9_.:-]{1,100}){0,7}"


def maximum_bytes(network: ForeignNetwork, path: Path) -> int:
    """The largest file of weights that is read: the numbers, three times as many of an optimizer, and the structure."""
    count = sum(math.prod(shape) for pair in weight_shapes(network.content, path) for shape in pair)
    return 4 * 4 * count + 4_000_000


def read_foreign_weights(
    content: bytes, network: ForeignNetwork, backend: str | None, path: Path
) -> tuple[list[np.ndarray], str | None, bool]:
    """Kernels and biases as plain arrays, and what is known of the backend they were trained on.

    Parameters
    ----------
    content : bytes
        Of a file from `save_weights` or `save` (HDF5) of Keras 1 to 3.
    network : ForeignNetwork
    backend : str, optional
        A key of `BACKENDS`, where the files do not say; it may not contradict them.

    Returns
    -------
    weights : list of arrays
        In the order and the layout that `build` gives them.
    backend : str or None
    may_be_theano : bool
        Nobody names the backend, and the weights are not named as TensorFlow names its variables, NAME:0.

    Raises
    ------
    InputError
        As `galclass.network.weights.read_weights`.
    """
    shapes = _file_shapes(network, path)
    with opened(content, path) as file:
        group, of_keras_3 = _weights_group(file, path)
        found = _keras_3(group, network, shapes, path) if of_keras_3 else _legacy(group, network, shapes, path)
        may_be_theano = not of_keras_3 and _may_be_theano(group, network, path)
        said, version = (_text(group, key, path) or _text(file, key, path) for key in ("backend", "keras_version"))
    backend = _agreed(said or network.backend, backend, path)
    _check_versions(network, version, of_keras_3, path)
    _check_theano(network, backend, path)
    turned = [_turned(layer, found[layer.name], network, backend) for layer in _weighted(network)]
    rows = _rows_in_order([array for pair in turned for array in pair], network, path)
    return rows, backend, may_be_theano and backend is None


def _weighted(network: ForeignNetwork) -> list[ForeignLayer]:
    return [layer for layer in network.layers if layer.kind in ("Conv2D", "Dense")]


def _file_shapes(network: ForeignNetwork, path: Path) -> dict[str, tuple[tuple[int, ...], ...]]:
    """Shapes of the weights of each layer as they lie in the file."""
    pairs = [pair for pair in weight_shapes(network.content, path) if pair]
    shapes: dict[str, tuple[tuple[int, ...], ...]] = {layer.name: () for layer in network.layers}
    for layer, (kernel, bias) in zip(_weighted(network), pairs, strict=True):
        if len(kernel) == 4 and network.of_keras_1 and network.channels_first:
            kernel = (kernel[3], kernel[2], *kernel[:2])
        shapes[layer.name] = (kernel, bias) if layer.use_bias else (kernel,)
    return shapes


# Files ------------------------------------------------------------------------------------------------------


def _weights_group(file: Any, path: Path) -> tuple[Any, bool]:
    """The group that holds the weights, and whether it is of Keras 3 (``.weights.h5``)."""
    beside = set(file) - _TRAINING
    if beside == {"layers", "vars"} and "layer_names" not in file.attrs:
        list(arrays(plain(file, "vars", "Group", path), {}, path))
        return plain(file, "layers", "Group", path), True
    return (plain(file, "model_weights", "Group", path) if beside == {"model_weights"} else file), False


def _keras_3(group: Any, network: ForeignNetwork, shapes: dict, path: Path) -> Weights:
    """Weights of a ``.weights.h5``: layers by the names of their classes, arrays by number."""
    layers = [layer for layer in network.layers if layer.kind != "InputLayer"]
    if len(set(group) - {"input_layer"}) != len(layers):
        raise InputError(f"{path}: {len(group)} layers, the architecture asks for {len(layers)}")
    found, seen = {}, Counter()
    for layer in layers:
        name, number = _SNAKE_CASE[layer.kind], seen[layer.kind]
        seen[layer.kind] += 1
        holder = plain(group, f"{name}_{number}" if number else name, "Group", path)
        if not set(holder) <= {"vars", "seed_generator"}:
            raise InputError(f"{path}: {holder.name} holds {shown(sorted(holder))}; allowed is vars")
        tree = {str(number): shape for number, shape in enumerate(shapes[layer.name])}
        found[layer.name] = list(arrays(plain(holder, "vars", "Group", path), tree, path))
    return found


def _legacy(group: Any, network: ForeignNetwork, shapes: dict, path: Path) -> Weights:
    """Weights of `save_weights` of Keras 1 and 2, and of `save` to HDF5: groups and arrays named in attributes."""
    names = _names(group, "layer_names", path)
    missing = [layer.name for layer in _weighted(network) if layer.name not in names]
    surplus = [name for name in names if name not in shapes]
    if missing or surplus or len(set(names)) != len(names):
        raise InputError(
            f"{path}: the weights are of the layers {shown(names)}, the architecture asks for "
            f"{shown([layer.name for layer in _weighted(network)])}; give the two files of one network"
        )
    if set(group) - {"top_level_model_weights"} != set(names):
        raise InputError(f"{path}: {group.name} holds other groups than its layer_names, {shown(sorted(group))}")
    if "top_level_model_weights" in set(group):
        list(arrays(plain(group, "top_level_model_weights", "Group", path), {}, path))
    return {name: _layer_arrays(plain(group, name, "Group", path), shapes[name], path) for name in names}


def _layer_arrays(group: Any, shapes: tuple, path: Path) -> list[np.ndarray]:
    """The arrays of a layer, which lie in groups below its own."""
    names = _names(group, "weight_names", path)
    if len(names) != len(shapes):
        raise InputError(f"{path}: {group.name} names {len(names)} weights, the architecture asks for {len(shapes)}")
    tree: dict = {}
    for name, shape in zip(names, shapes, strict=True):
        *folders, leaf = name.split("/")
        holder = tree
        for folder in folders:
            holder = holder.setdefault(folder, {})
        if not isinstance(holder, dict) or leaf in holder:
            raise InputError(f"{path}: {group.name} names the weights {shown(names)}; allowed is each once")
        holder[leaf] = shape
    return list(arrays(group, tree, path))


def _may_be_theano(group: Any, network: ForeignNetwork, path: Path) -> bool:
    """Whether the weights, known to be there, lack the :0 that TensorFlow put behind the names of variables."""
    names = [name for layer in _weighted(network) for name in _names(group[layer.name], "weight_names", path)]
    return network.of_keras_1 and not any(name.endswith(":0") for name in names)


def _names(holder: Any, key: str, path: Path) -> list[str]:
    """The names in an attribute of Keras 1 and 2."""
    names = _attribute(holder, key, path)
    if not isinstance(names, list) or not all(re.fullmatch(_WEIGHT_NAME, name) and ".." not in name for name in names):
        raise InputError(
            f"{path}: {holder.name} has no list of plain {key}, found {shown(names)}; not weights of Keras"
        )
    return names


def _text(holder: Any, key: str, path: Path) -> str | None:
    """The text in an attribute; None where there is none."""
    value = _attribute(holder, key, path)
    if not isinstance(value, str | None):
        raise InputError(f"{path}: {key} of {holder.name} is {shown(value)}; allowed is one word")
    return value


def _attribute(holder: Any, key: str, path: Path) -> Any:
    """Text, or a list of texts, in an attribute; None where there is none.

    Texts of any length may all point at one long one, so their number times the size of the file is bounded.
    """
    import h5py

    if key not in holder.attrs:
        return None
    found = holder.attrs.get_id(key)
    count = math.prod(found.shape or ())
    if count == 0:
        return []
    text = h5py.check_string_dtype(found.dtype)
    if text is None or len(found.shape) > 1 or count * holder.file.id.get_filesize() > _MAXIMUM_NAME_BYTES:
        raise InputError(
            f"{path}: {key} of {holder.name} is no list of names, found {shown(found.dtype)} {found.shape}"
        )
    if count > MAXIMUM_LAYERS:
        raise InputError(f"{path}: {key} of {holder.name} has {count} names; allowed are {MAXIMUM_LAYERS}")
    values = [
        value.decode("utf-8") if isinstance(value, bytes) else str(value) for value in np.ravel(holder.attrs[key])
    ]
    return values if found.shape else values[0]


# Layout -----------------------------------------------------------------------------------------------------


def _agreed(said: str | None, wanted: str | None, path: Path) -> str | None:
    """The backend that the files name, or else the one that the caller names."""
    backend = said or wanted
    if backend is not None and (backend not in BACKENDS or wanted not in (None, backend)):
        raise InputError(f"{path}: backend is {shown(backend)}; allowed is {wanted or ', '.join(BACKENDS)}")
    return backend


def _check_versions(network: ForeignNetwork, version: str | None, of_keras_3: bool, path: Path) -> None:
    """Kernels lie otherwise since Keras 2, so architecture and weights must both be from before it or after it."""
    before = version.startswith("1.") if version else network.of_keras_1 and not of_keras_3
    if before != network.of_keras_1:
        raise InputError(f"{path}: weights and architecture are of different versions of Keras; export both again")


def _check_theano(network: ForeignNetwork, backend: str | None, path: Path) -> None:
    """Theano pads other sides than TensorFlow when a kernel is even or takes strides, and when it pools."""
    for layer in network.content if backend == "theano" else ():
        sizes, steps = sides_of(layer.get("kernel_size", 0)), sides_of(layer.get("strides", 1))
        if layer.get("padding") == "same" and (any(size % 2 == 0 for size in sizes) or max(steps) > 1):
            raise InputError(
                f"{path}: {layer['class']} with padding same and Theano; allowed are odd kernels without strides"
            )


def _turned(layer: ForeignLayer, weights: list[np.ndarray], network: ForeignNetwork, backend: str | None) -> list:
    """Kernel (rows, columns, channels, filters) of a correlation, or (inputs, units), and bias."""
    kernel = weights[0]
    if kernel.ndim == 4:
        if network.of_keras_1 and network.channels_first:
            kernel = kernel.transpose(2, 3, 1, 0)
        if BACKENDS.get(backend) == "convolution":
            kernel = kernel[::-1, ::-1]
    return [kernel, *(weights[1:] or [np.zeros(kernel.shape[-1], np.float32)])]


def _rows_in_order(weights: list[np.ndarray], network: ForeignNetwork, path: Path) -> list[np.ndarray]:
    """The first Dense after Flatten takes (rows, columns, channels); some came as (channels, rows, columns)."""
    kinds = [layer["class"] for layer in network.content]
    if network.rows_first or "Flatten" not in kinds:
        return weights
    before = kinds.index("Flatten")
    place = 2 * sum(kind in ("Conv2D", "Dense") for kind in kinds[:before])
    rows, columns, channels = output_shape(network.content[:before], path)
    kernel = weights[place].reshape(channels, rows, columns, -1).transpose(1, 2, 0, 3)
    return [*weights[:place], kernel.reshape(weights[place].shape), *weights[place + 1 :]]
