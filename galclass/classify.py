"""Classify every frame of the simulations, and single pictures, with a trained network.

The thesis's ``.out`` file is written beside each table. Its first line is the number of frames. Each further
line is one frame in the order of the pack: the class number (1 oval, 2 rectangle, 3 obround) and the
probabilities of the three classes in that order with six decimals, separated by single spaces; a class that
the network does not know has probability 0::

    2
    2 0.012000 0.958000 0.030000
    1 0.991000 0.004000 0.005000
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from galclass import catalog, images, network, provenance
from galclass.errors import InputError
from galclass.files import write_text
from galclass.network import CLASSES

#: What a table takes over from the pack.
_FRAME_COLUMNS = ["run", "snapshot", "frame", "time_gyr", "view_x", "view_y", "view_z"]


def run(inputs: list[Path], model_folder: Path, settings: dict, output: Path) -> dict[str, pd.DataFrame]:
    """Classify the frames of packs and write a table (Parquet and CSV) and an ``.out`` file for each.

    Parameters
    ----------
    inputs : list of Path
        Packs; the files written for ``box.h5`` are ``box.parquet``, ``box.csv`` and ``box.out``.
    model_folder : Path
        Folder of the network, written by the training.
    settings : dict
        The section `classify`: batch_size.
    output : Path
        Folder for the tables; for a single pack also the path of its table (``.parquet``).

    Returns
    -------
    dict
        Table of each pack by its name.

    Raises
    ------
    InputError
        The network or a pack cannot be used; packs after a bad one are still classified.
    """
    targets = _targets([Path(path) for path in inputs], Path(output))
    model, card = network.read(model_folder)
    tables, errors = {}, []
    for path, target in targets.items():
        try:
            tables[path.stem] = _classify_pack(path, model, card, model_folder, settings, target)
        except InputError as error:
            errors.append(str(error))
    if errors:
        more = f" (and {len(errors) - 1} more of {len(inputs)} packs failed)" if len(errors) > 1 else ""
        raise InputError(errors[0] + more)
    return tables


def _targets(inputs: list[Path], output: Path) -> dict[Path, Path]:
    """The table to write for each pack."""
    if output.suffix == ".parquet":
        if len(inputs) != 1:
            raise InputError(f"{output}: one table for {len(inputs)} packs; give a folder, or one pack")
        return {inputs[0]: output}
    names = [path.stem for path in inputs]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise InputError(f"two packs are named {repeated[0]}; their tables would overwrite each other: rename one")
    return {path: output / f"{path.stem}.parquet" for path in inputs}


def _classify_pack(
    path: Path, model: Any, card: dict, model_folder: Path, settings: dict, target: Path
) -> pd.DataFrame:
    pack = images.read_pack(path)
    check_fits(pack, card, path)
    probabilities = network.predict(model, pack.images, settings["batch_size"])
    table = pd.concat([pack.frames[_FRAME_COLUMNS], classification(probabilities, card["classes"])], axis=1)
    parents, failed = [path, Path(model_folder) / network.CARD_FILE], pack.provenance.get("quality", "")
    record = provenance.record("classify", parents, settings) | {"quality": failed}
    catalog.write_table(target, table, record)
    write_text(target.with_suffix(".out"), thesis_out(probabilities, card["classes"]))
    print(summary(path.stem, table) + (f"; FAILS its quality gates ({failed})" if failed else ""), flush=True)
    return table


def check_fits(pack: images.Pack, card: dict, path: Path) -> None:
    """Raise `InputError` unless the pictures have the size and the stretch the network was trained on."""
    _, height, width = pack.images.shape
    if (height, width) != (card["pixels"], card["pixels"]):
        raise InputError(
            f"{path}: pictures of {width} x {height} pixels, "
            f"the network takes {card['pixels']} x {card['pixels']}; set render.pixels"
        )
    depth, wanted = (
        pack.provenance.get("settings", {}).get("depth_dex"),
        card["preprocessing"].get("depth_dex"),
    )
    if depth is not None and wanted is not None and depth != wanted:
        raise InputError(
            f"{path}: pictures {depth} dex deep, the network was trained on {wanted} dex; set render.depth_dex"
        )


def classification(probabilities: np.ndarray, classes: list[str]) -> pd.DataFrame:
    """Columns p_NAME for each class and the name of the likeliest, from probabilities (n, classes)."""
    table = pd.DataFrame(probabilities, columns=[f"p_{name}" for name in classes])
    return table.assign(**{"class": np.array(classes, dtype=object)[probabilities.argmax(axis=1)]})


def thesis_out(probabilities: np.ndarray, classes: list[str]) -> str:
    """The text of an ``.out`` file (see the top of this module) from probabilities (n, classes)."""
    columns = np.zeros((len(probabilities), len(CLASSES)))
    columns[:, [CLASSES.index(name) for name in classes]] = probabilities
    rows = [f"{p.argmax() + 1} " + " ".join(f"{value:.6f}" for value in p) for p in columns]
    return "\n".join([str(len(rows)), *rows]) + "\n"


def summary(name: str, table: pd.DataFrame) -> str:
    """One line about the frames of a run: how many, and the share of rectangles."""
    share = float((table["class"] == "rectangle").mean())
    return f"{name}: {len(table)} frames, {100 * share:.0f} % rectangle"


# Single pictures --------------------------------------------------------------------------------------------


def pictures(files: list[Path], model_folder: Path, batch_size: int = 200) -> list[dict]:
    """Classify pictures (PNG, JPEG or FITS) of any size.

    Returns
    -------
    list of dict
        One per file, in order: file, class, and p_NAME for each class of the network; or file and error.

    Raises
    ------
    InputError
        The network cannot be used.
    """
    model, card = network.read(model_folder)
    results, prepared = [], {}
    for number, path in enumerate(files):
        results.append({"file": str(path)})
        try:
            prepared[number] = prepare(*images.read_picture(path), card, path)
        except InputError as error:
            results[number]["error"] = str(error)
    if prepared:
        probabilities = network.predict(model, np.stack(list(prepared.values())), batch_size)
        for number, row in zip(
            prepared, classification(probabilities, card["classes"]).to_dict("records"), strict=True
        ):
            results[number] |= row
    return results


def prepare(picture: np.ndarray, is_flux: bool, card: dict, path: Path) -> np.ndarray:
    """A picture (ny, nx) as the network expects it: the central square, the right size, 0 to 1.

    Flux is resampled before it is stretched to the depth the network was trained on, since the mean of
    logarithms is not the logarithm of the mean; a picture for the eye is taken as stretched already.
    """
    small = images.resampled(picture / np.abs(picture).max(), card["pixels"])
    if is_flux:
        depth = card["preprocessing"].get("depth_dex")
        if not isinstance(depth, (int, float)) or depth <= 0:
            raise InputError(f"{path}: the card of the network does not say how deep to stretch flux; give a PNG")
        small = images.stretch(small, depth)
    span = np.ptp(small)
    if span == 0:
        raise InputError(
            f"{path}: nothing to see at {card['pixels']} x {card['pixels']} pixels; give a picture of a galaxy"
        )
    return ((small - small.min()) / span).astype(np.float32)
