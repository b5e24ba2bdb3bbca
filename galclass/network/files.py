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
from galclass.network.weights import read_weights

MODEL_FILE, WEIGHTS_FILE, CARD_FILE = "model.json", "model.weights.h5", "card.json"

#: Limit on the bytes of a text file from elsewhere.
MAXIMUM_TEXT_BYTES = 4_000_000

_FORMAT = 1
_CARD_KEYS = {"format", "classes", "pixels", "preprocessing", "digests", "metrics", "provenance"}


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
    write_text(folder / MODEL_FILE, bare.to_json(indent=1) + "\n")
    with atomic(folder / WEIGHTS_FILE) as temporary, warnings.catch_warnings():
        # Keras 3.15 hands its variables to NumPy 2 in a way that NumPy deprecates.
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        bare.save_weights(temporary)
    digests = {name: _digest((folder / name).read_bytes()) for name in (MODEL_FILE, WEIGHTS_FILE)}
    full = {"format": _FORMAT, **card, "digests": digests}
    _check_card(full, layers, folder / CARD_FILE)
    write_text(folder / CARD_FILE, json.dumps(full, indent=1, allow_nan=False) + "\n")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


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
        raise InputError(f"{path}: classes must be a list of short names in lower case, found {shown(classes)}")
    if len(set(classes)) != len(classes) or len(classes) != layers[-1]["units"]:
        raise InputError(f"{path}: {len(classes)} classes for a network of {layers[-1]['units']}, each name once")
    if card["pixels"] != pixels:
        raise InputError(f"{path}: pixels is {shown(card['pixels'])}, the network takes {pixels} x {pixels}")
    for key in ("preprocessing", "metrics", "provenance"):
        if not isinstance(card[key], dict):
            raise InputError(f"{path}: {key} must be an object, found {shown(card[key])}")
