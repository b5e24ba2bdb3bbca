"""Old model files: networks that Keras 1, 2 or 3 wrote elsewhere, brought into a folder of this project.

Files of Keras can run code when Keras reads them (layers of Python bytecode, classes by the path of their module,
downloads), and HDF5 can lead to other files. So no loader of Keras is called. The architecture is parsed against the
allow-list of `galclass.network.architecture`: numbers and words of a Sequential network of convolutions, pooling and
dense layers. The weights are read as plain arrays of exactly the shapes that the architecture asks for, from memory,
over hard links only, in a process of its own.

What differs between versions and backends is turned into what `galclass.network.build` makes:

- Keras 1 has its own names (nb_filter, border_mode, dim_ordering), and keeps kernels of dim_ordering "th" as
  (filters, channels, rows, columns); since Keras 2 they are (rows, columns, channels, filters).
- Theano turns a kernel by 180 degrees before it slides it over a picture, the other backends do not. The attribute
  `backend` of the weights, or the key of the architecture, says which it was. Keras 1 wrote neither: then the caller
  says. If he does not, kernels stay as they are, as Keras itself leaves them, and the answer warns where the names of
  the weights are not those of TensorFlow's variables (``convolution2d_1_W:0``).
- Where channels come first, Flatten lines them up first too, unless it says data_format "channels_first" (Keras 2.2
  and later), which means that it puts them last.
"""

from collections.abc import Sequence
from pathlib import Path

from galclass import provenance
from galclass.errors import InputError
from galclass.network.building import CLASSES, build
from galclass.network.files import MAXIMUM_TEXT_BYTES, parse_json, read_bytes, write
from galclass.network.foreign.architecture import BACKENDS, ForeignNetwork, parse_foreign
from galclass.network.foreign.isolation import isolated
from galclass.network.foreign.weights import maximum_bytes, read_foreign_weights

_THEANO = (
    "; no file names the backend, but weights have such names on Theano: if it was trained there, say --backend theano"
)

__all__ = ["BACKENDS", "import_network"]


def import_network(
    architecture: Path,
    weights: Path,
    folder: Path,
    classes: Sequence[str] = CLASSES,
    depth_dex: float = 3.0,
    backend: str | None = None,
) -> str:
    """Write a network that Keras 1, 2 or 3 wrote as a folder of this project.

    Parameters
    ----------
    architecture : Path
        JSON, as `to_json` wrote it.
    weights : Path
        HDF5, as `save_weights` or `save` wrote it.
    folder : Path
        For `galclass classify --network`.
    classes : sequence of str
        What the probabilities stand for, in order.
    depth_dex : float
        How many powers of ten below the brightest pixel its pictures reach.
    backend : str, optional
        What the network was trained on, a key of `BACKENDS`, where the files do not say.

    Returns
    -------
    str
        What was read, in one line.

    Raises
    ------
    InputError
        A file is missing, damaged, or holds anything else than such a network. Nothing in it is executed.
    """
    network = parse_foreign(parse_json(read_bytes(architecture, MAXIMUM_TEXT_BYTES), architecture), architecture)
    names = _classes(classes, network, architecture)
    content = read_bytes(weights, maximum_bytes(network, architecture))
    arrays, found, may_be_theano = isolated(weights, read_foreign_weights, content, network, backend, weights)
    model = build(network.content)
    model.set_weights(arrays)
    settings = {"keras": network.version, "backend": found, "classes": names, "depth_dex": depth_dex}
    card = {
        "classes": names,
        "pixels": network.content[0]["shape"][0],
        "preprocessing": {"stretch": "log10", "depth_dex": depth_dex},
        "metrics": {},
        "provenance": provenance.record("network.foreign", [architecture, weights], settings),
    }
    write(model, folder, card)
    return _summary(network, card, sum(array.size for array in arrays), found, folder) + _THEANO * may_be_theano


def _classes(wanted: Sequence[str], network: ForeignNetwork, path: Path) -> list[str]:
    """The names of the classes, once they are as many as the network's answers."""
    count = network.content[-1]["units"]
    names = list(wanted)
    if len(names) != count or len(set(names)) != count or not set(names) <= set(CLASSES):
        raise InputError(
            f"{path}: the network tells {count} classes, not {', '.join(names)}; "
            f"name as many of {', '.join(CLASSES)} with --classes, each once, in the order of its answers"
        )
    return names


def _summary(network: ForeignNetwork, card: dict, count: int, backend: str | None, folder: Path) -> str:
    """One line about a network that was read."""
    pixels, version = card["pixels"], network.version or ("1" if network.of_keras_1 else "3")
    kernels = "kernels turned by 180 degrees" if backend == "theano" else "kernels as they were"
    return (
        f"{folder}: {', '.join(card['classes'])} from {pixels} x {pixels} pixels; {count} weights of Keras {version}"
        f"{' on ' + backend if backend else ''}, {kernels}"
    )
