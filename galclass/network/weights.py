"""Weights from elsewhere, read as plain arrays: everything that the architecture does not ask for is refused."""

import contextlib
import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from galclass.errors import InputError
from galclass.network.architecture import shown, weight_shapes
from galclass.network.building import layer_names


def read_weights(content: bytes, layers: list[dict], path: Path) -> list[np.ndarray]:
    """Kernels and biases in the order of the layers, from the bytes of a ``.weights.h5`` file.

    Raises
    ------
    InputError
        The file is no HDF5, has a group or array too many or too few, a soft or external link, external,
        virtual, chunked or filtered storage, another shape or type than the architecture asks for, or a value
        not finite.
    """
    with opened(content, path) as file:
        return list(arrays(file, _weights_tree(layers, path), path))


@contextlib.contextmanager
def opened(content: bytes, path: Path) -> Iterator[Any]:
    """The HDF5 file that these bytes are; whatever HDF5 stumbles over in the block is one `InputError`."""
    import h5py

    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            yield file
    except InputError:
        raise
    except Exception as error:  # damage surfaces in HDF5 as errors of many kinds
        raise InputError(f"{path}: damaged weights ({shown(str(error))}); write them again") from error


def _weights_tree(layers: list[dict], path: Path) -> dict:
    """The groups (dict) and arrays (shape) that Keras writes for these layers."""
    pairs = zip(layer_names(layers), weight_shapes(layers, path), strict=True)
    tree = {name: {"vars": {str(i): shape for i, shape in enumerate(pair)}} for name, pair in pairs}
    del tree["input_layer"]
    return {"layers": tree, "vars": {}}


def arrays(group: Any, tree: dict, path: Path) -> Iterator[np.ndarray]:
    """Walk the groups that must be there and refuse everything else; hard links only: nothing leads out.

    Parameters
    ----------
    group : h5py.Group
    tree : dict
        By name: the tree of a group (dict) or the shape of an array (tuple).

    Yields
    ------
    float32 arrays in the order of the tree.
    """
    if len(group) != len(tree):
        raise InputError(f"{path}: {group.name} holds {len(group)} entries, the architecture asks for {len(tree)}")
    for name, wanted in tree.items():
        if isinstance(wanted, dict):
            yield from arrays(plain(group, name, "Group", path), wanted, path)
        else:
            yield _array(plain(group, name, "Dataset", path), wanted, path)


def plain(group: Any, name: str, kind: str, path: Path) -> Any:
    """The group or array ("Group", "Dataset") of that name, once its link is known to lead nowhere else."""
    import h5py

    hard = isinstance(group.get(name, getlink=True), h5py.HardLink)
    if not hard or group.get(name, getclass=True) is not getattr(h5py, kind):
        raise InputError(f"{path}: {name} in {group.name} must be a plain {kind.lower()}, no link, and present")
    return group[name]


def _array(dataset: Any, shape: tuple[int, ...], path: Path) -> np.ndarray:
    if dataset.is_virtual or dataset.external or dataset.chunks or dataset.id.get_create_plist().get_nfilters():
        raise InputError(f"{path}: {dataset.name} is stored elsewhere or packed; allowed are plain arrays in the file")
    if dataset.shape != shape or dataset.dtype != np.dtype("<f4"):
        raise InputError(
            f"{path}: {dataset.name} is {dataset.dtype} {dataset.shape}; the architecture asks for float32 {shape}"
        )
    if dataset.id.get_storage_size() != 4 * math.prod(shape):
        raise InputError(f"{path}: {dataset.name} was never written whole; export the weights again")
    array = dataset[()]
    if not np.isfinite(array).all():
        raise InputError(f"{path}: {dataset.name} holds NaN or infinite weights; train the network again")
    return array
