"""A trained network as a folder of files: written, and read without trusting anything in it."""

import hashlib
import json
import math
import re
import warnings
from pathlib import Path
from typing import Any

from galclass.errors import InputError
from galclass.files import atomic, require_file, write_text
from galclass.network.architecture import parse_architecture, shown, weight_shapes
from galclass.network.building import build
from galclass.network.unrolling import MAP_SHAPE
from galclass.network.weights import read_weights

MODEL_FILE, WEIGHTS_FILE, CARD_FILE = "model.json", "model.weights.h5", "card.json"

#: Limit on the bytes of a text file from elsewhere.
MAXIMUM_TEXT_BYTES = 4_000_000

#: Kinds of networks: one network of pictures as the thesis had it, and an ensemble for unrolled galaxies.
KINDS = ("thesis", "trusted")

_FORMAT, _MOST_MEMBERS = 2, 100
_CARD_KEYS = {
    "format", "kind", "classes", "pixels", "preprocessing", "calibration", "digests", "metrics", "provenance",
}  # fmt: skip


def write(models: Any, folder: Path, card: dict) -> None:
    """Write networks to a folder: architecture, weights, and last the card with the digests of all.

    Parameters
    ----------
    models : keras.Model or list of them
        Made by `build` or `thesis_network`, all of one architecture; what they were compiled with is not written.
    folder : Path
        Created if missing.
    card : dict
        With classes (list of str), pixels (int, or None where pictures are unrolled), preprocessing, metrics and
        provenance (dicts), and for a trusted classifier kind and calibration (dict; see `Calibration`).
    """
    folder, members = Path(folder), models if isinstance(models, list) else [models]
    card = {"kind": "thesis", "calibration": {}, **card}
    layers = parse_architecture(json.loads(members[0].to_json()), folder / MODEL_FILE)
    bare = build(layers)  # a compiled model would write its optimizer's state, twice the weights, into both files
    write_text(folder / MODEL_FILE, bare.to_json(indent=1) + "\n")
    names = _weights_files(card["kind"], len(members))
    for name, model in zip(names, members, strict=True):
        bare.set_weights(model.get_weights())
        with atomic(folder / name) as temporary, warnings.catch_warnings():
            # Keras 3.15 hands its variables to NumPy 2 in a way that NumPy deprecates.
            warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
            bare.save_weights(temporary)
    for other in set(folder.glob("*.weights.h5")) - {folder / name for name in names}:
        other.unlink()  # of a network with more members that was here before
    digests = {name: _digest((folder / name).read_bytes()) for name in (MODEL_FILE, *names)}
    full = {"format": _FORMAT, **card, "digests": digests}
    _check_card(full, layers, folder / CARD_FILE)
    write_text(folder / CARD_FILE, json.dumps(full, indent=1, allow_nan=False) + "\n")


def _weights_files(kind: str, members: int) -> list[str]:
    """Names of the weights: one file for the thesis's network, one for each member of an ensemble."""
    return [WEIGHTS_FILE] if kind == "thesis" else [f"member_{k}.weights.h5" for k in range(1, members + 1)]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def read(folder: Path) -> tuple[list[Any], dict]:
    """Read networks from a folder written by `write`, trusting nothing in it.

    Returns
    -------
    models : list of keras.Model
        Not compiled; one, or the members of an ensemble.
    card : dict
        As written, with the digests.

    Raises
    ------
    InputError
        A file is missing, damaged, does not belong to the others, or holds anything but the layers, numbers
        and arrays that a network of this project needs. Nothing in the files is executed.
    """
    folder = Path(folder)
    card = parse_json(read_bytes(folder / CARD_FILE, MAXIMUM_TEXT_BYTES), folder / CARD_FILE)
    digests = _check_card_keys(card, folder / CARD_FILE)
    text = _read_checked(folder / MODEL_FILE, MAXIMUM_TEXT_BYTES, digests)
    layers = parse_architecture(parse_json(text, folder / MODEL_FILE), folder / MODEL_FILE)
    _check_card(card, layers, folder / CARD_FILE)
    shapes = weight_shapes(layers, folder / MODEL_FILE)
    # One megabyte more than the numbers themselves: the structure of a file of at most 64 layers is far
    # smaller.
    limit = 4 * sum(math.prod(shape) for pair in shapes for shape in pair) + 1_000_000
    models = []
    for name in _weights_files(card["kind"], len(digests) - 1):
        arrays = read_weights(_read_checked(folder / name, limit, digests), layers, folder / name)
        models.append(build(layers))
        models[-1].set_weights(arrays)
    return models, card


def read_bytes(path: Path, limit: int) -> bytes:
    """The bytes of a file, once they are known to be at most `limit`; else `InputError`."""
    size = require_file(path).stat().st_size
    if size > limit:
        raise InputError(f"{path}: {size} bytes; at most {limit} are allowed here; give the file that was meant")
    return path.read_bytes()


def _read_checked(path: Path, limit: int, digests: dict) -> bytes:
    content = read_bytes(path, limit)
    if _digest(content) != digests.get(path.name):
        raise InputError(
            f"{path}: its digest differs from the one in {CARD_FILE}: damaged, or from another network; train again"
        )
    return content


def parse_json(content: bytes, path: Path) -> Any:
    """Parsed JSON without NaN and without a key that stands twice; else `InputError`."""
    try:
        return json.loads(content.decode("utf-8"), parse_constant=_refuse_constant, object_pairs_hook=_refuse_repeated)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid JSON ({error}); write it again") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not allowed")


def _refuse_repeated(pairs: list[tuple[str, Any]]) -> dict:
    tree = dict(pairs)
    if len(tree) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return tree


def _check_card_keys(card: Any, path: Path) -> dict:
    """The digests of a card, once it is known to be a card."""
    if not isinstance(card, dict) or set(card) != _CARD_KEYS or card["format"] != _FORMAT:
        raise InputError(
            f"{path}: not a card of format {_FORMAT}; it needs exactly the keys {', '.join(sorted(_CARD_KEYS))}"
        )
    if card["kind"] not in KINDS:
        raise InputError(f"{path}: kind is {shown(card['kind'])}; allowed are {', '.join(KINDS)}")
    digests = card["digests"] if isinstance(card["digests"], dict) else {}
    wanted = {MODEL_FILE, *_weights_files(card["kind"], min(max(len(digests) - 1, 1), _MOST_MEMBERS))}
    if set(digests) != wanted:
        raise InputError(f"{path}: digests must name {', '.join(sorted(wanted))} and nothing else")
    return card["digests"]


def _check_card(card: dict, layers: list[dict], path: Path) -> None:
    """Refuse a card that does not fit the network it lies beside."""
    _check_card_keys(card, path)
    classes, (pixels, width, channels) = card["classes"], layers[0]["shape"]
    if not isinstance(classes, list) or not all(
        isinstance(c, str) and re.fullmatch(r"[a-z0-9_]{1,40}", c) for c in classes
    ):
        raise InputError(f"{path}: classes must be a list of short names in lower case, found {shown(classes)}")
    if len(set(classes)) != len(classes) or len(classes) != layers[-1]["units"]:
        raise InputError(f"{path}: {len(classes)} classes for a network of {layers[-1]['units']}, each name once")
    if card["kind"] == "thesis" and (pixels, 1) != (width, channels):
        raise InputError(f"{path}: the network takes {pixels} x {width} x {channels}; the thesis's are square and grey")
    if card["kind"] == "trusted" and layers[0]["shape"] != MAP_SHAPE:
        raise InputError(f"{path}: the network takes {layers[0]['shape']}; unrolled galaxies are {MAP_SHAPE}")
    if card["pixels"] != (pixels if card["kind"] == "thesis" else None):
        raise InputError(f"{path}: pixels is {shown(card['pixels'])}, the network takes {pixels} x {width}")
    for key in ("preprocessing", "calibration", "metrics", "provenance"):
        if not isinstance(card[key], dict):
            raise InputError(f"{path}: {key} must be an object, found {shown(card[key])}")
