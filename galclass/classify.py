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
    classifier = network.open_classifier(model_folder)
    tables, errors = {}, []
    for path, target in targets.items():
        try:
            tables[path.stem] = _classify_pack(path, classifier, model_folder, settings, target)
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
    path: Path, classifier: network.Classifier, model_folder: Path, settings: dict, target: Path
) -> pd.DataFrame:
    pack = images.read_pack(path)
    classifier.check(pack.images.shape[1:], pack.provenance.get("settings", {}).get("depth_dex"), path)
    found = classifier.predict(getattr(pack, classifier.layer), settings["batch_size"])
    table = pd.concat([pack.frames[_FRAME_COLUMNS], found.table()], axis=1)
    parents, failed = [path, Path(model_folder) / network.CARD_FILE], pack.provenance.get("quality", "")
    record = provenance.record("classify", parents, settings) | {"quality": failed}
    catalog.write_table(target, table, record)
    write_text(target.with_suffix(".out"), thesis_out(found.probabilities, classifier.classes))
    print(summary(path.stem, table) + (f"; FAILS its quality gates ({failed})" if failed else ""), flush=True)
    return table


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
    classifier, results = network.open_classifier(model_folder), []
    for path in files:
        results.append({"file": str(path)})
        try:
            [row] = classifier.predict_file(path, batch_size).table().to_dict("records")
        except InputError as error:
            row = {"error": str(error)}
        results[-1] |= row
    return results
