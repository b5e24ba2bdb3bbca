"""Packs of frames to tables of classes, a shard of frames at a time, so that any number of frames fits in memory."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from galclass import catalog, images, network, provenance
from galclass.classify.shards import Shards
from galclass.errors import InputError
from galclass.files import atomic, pieces
from galclass.network import CLASSES
from galclass.progress import progress

#: What a table takes over from the pack.
_FRAME_COLUMNS = ["run", "snapshot", "frame", "time_gyr", "view_x", "view_y", "view_z"]
#: Classes in the order of their numbers in an ``.out`` file, from 1.
_NUMBERED = network.TRUSTED_CLASSES
#: Pictures that are prepared for the network at once: few enough for the caches of the processor.
_AT_ONCE = 250


def run(inputs: list[Path], model_folder: Path, settings: dict, output: Path) -> dict[str, Path]:
    """Classify the frames of packs and write a table (Parquet and CSV) and an ``.out`` file for each.

    Killed and started again, it goes on after the last finished shard of frames, and the files are the same.

    Parameters
    ----------
    inputs : list of Path
        Packs; the files written for ``box.h5`` are ``box.parquet``, ``box.csv`` and ``box.out``.
    model_folder : Path
        Folder of the network, written by the training.
    settings : dict
        The section `classify`: batch_size, shard_frames.
    output : Path
        Folder for the tables; for a single pack also the path of its table (``.parquet``).

    Returns
    -------
    dict
        Path of the table of each pack by its name.

    Raises
    ------
    InputError
        The network or a pack cannot be used; packs after a bad one are still classified.
    """
    targets = _targets([Path(path) for path in inputs], Path(output))
    classifier, errors = _numbered(network.open_classifier(model_folder), model_folder), []
    for path, target in targets.items():
        try:
            _classify_pack(path, classifier, Path(model_folder), settings, target)
        except InputError as error:
            errors.append(str(error))
    if errors:
        more = f" (and {len(errors) - 1} more of {len(inputs)} packs failed)" if len(errors) > 1 else ""
        raise InputError(errors[0] + more)
    return {path.stem: target for path, target in targets.items()}


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


def _numbered(classifier: network.Classifier, folder: Path) -> network.Classifier:
    """The classifier, if its classes have numbers in an ``.out`` file."""
    strange = [name for name in classifier.classes if name not in _NUMBERED]
    if strange:
        raise InputError(f"{folder}: class {strange[0]} has no number in an .out file; allowed: {', '.join(_NUMBERED)}")
    return classifier


def _classify_pack(
    path: Path, classifier: network.Classifier, model_folder: Path, settings: dict, target: Path
) -> None:
    pack = images.PackFile(path)
    classifier.check(pack.shape[1:], pack.provenance.get("settings", {}).get("depth_dex"), path)
    failed = pack.provenance.get("quality", "")
    record = provenance.record("classify", [path, model_folder / network.CARD_FILE], settings) | {"quality": failed}
    with pieces(target, record) as place:
        counts = _classified(pack, classifier, settings, target, Shards(place), record)
    print(summary(path.stem, counts) + (f"; FAILS its quality gates ({failed})" if failed else ""), flush=True)


def _classified(
    pack: images.PackFile, classifier: network.Classifier, settings: dict, target: Path, shards: Shards, record: dict
) -> Counter:
    """Classify the shards that are missing and write the tables; how many frames are of each class."""
    count = -(-len(pack) // settings["shard_frames"])
    missing = [number for number in range(count) if number not in shards]
    ready = _prepared(pack, missing, classifier, settings["shard_frames"])
    # Matrices this small gain nothing from threads of BLAS, which wait for each other in a busy loop.
    with threadpool_limits(1, user_api="blas"):
        for number, inputs, frames in progress(ready, len(missing), f"classify {target.stem}"):
            answers = classifier.answer(inputs, settings["batch_size"]).table()
            shards.write(number, pd.concat([frames, answers], axis=1))
    return _write(target, shards, count, record, classifier.classes)


def _prepared(
    pack: images.PackFile, numbers: list[int], classifier: network.Classifier, size: int
) -> Iterator[tuple[int, np.ndarray, pd.DataFrame]]:
    """Numbers, inputs for the network, and rows of some shards; each is made while the one before is worked on."""

    def made(number: int) -> tuple[int, np.ndarray, pd.DataFrame]:
        first, last = number * size, min((number + 1) * size, len(pack))
        blocks = [(start, min(start + _AT_ONCE, last)) for start in range(first, last, _AT_ONCE)]
        inputs = [classifier.inputs(pack.pictures(classifier.layer, *block)) for block in blocks]
        return number, np.concatenate(inputs), pack.frames(first, last)[_FRAME_COLUMNS]

    with ThreadPoolExecutor(1) as aside:
        waiting = [aside.submit(made, number) for number in numbers[:1]]
        for following in [*numbers[1:], None]:
            ready = [future.result() for future in waiting]
            waiting = [] if following is None else [aside.submit(made, following)]
            yield from ready


def _write(target: Path, shards: Shards, count: int, record: dict, classes: list[str]) -> Counter:
    """Write the tables and the ``.out`` file from all shards; how many frames are of each class."""
    counts: Counter = Counter()

    def passed_on(stream) -> Iterator[pd.DataFrame]:
        for number in range(count):
            table = shards.read(number)
            counts.update(table["class"])
            stream.write(thesis_rows(table[[f"p_{name}" for name in classes]].to_numpy(), classes))
            yield table

    with atomic(target.with_suffix(".out")) as temporary, open(temporary, "w", encoding="utf-8") as stream:
        stream.write(f"{shards.frames(count)}\n")
        catalog.write_parts(target, passed_on(stream), record)
    return counts


def thesis_rows(probabilities: np.ndarray, classes: list[str]) -> str:
    """The lines of an ``.out`` file (see the top of this package) after its first, from probabilities (n, classes)."""
    columns = np.zeros((len(probabilities), len(_NUMBERED) if "none" in classes else len(CLASSES)))
    columns[:, [_NUMBERED.index(name) for name in classes]] = probabilities
    return "".join(f"{p.argmax() + 1} " + " ".join(f"{value:.6f}" for value in p) + "\n" for p in columns)


def summary(name: str, counts: Counter) -> str:
    """One line about the frames of a run: how many, and the share of those called rectangles."""
    frames = counts.total()
    return f"{name}: {frames} frames, {100 * counts['rectangle'] / frames:.0f} % rectangle"
