"""Stage `train`: the trusted classifier, an ensemble that tells rectangles, ovals and obrounds from all else.

It learns from deep pictures of merger simulations and of shape models, labelled by the ruler, each seen through
several random telescopes. Runs, never pictures, are split: frames of one run show the same two galaxies. What it
reaches is measured on runs that neither the training nor the calibration has seen. The networks of the thesis are in
`galclass.train.thesis`.
"""

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from galclass import catalog, network, plotstyle, provenance
from galclass.errors import InputError
from galclass.files import atomic, pieces, write_text
from galclass.network import TRUSTED_CLASSES
from galclass.parallel import cores, workers
from galclass.progress import progress
from galclass.train import evaluation, examples, fitting

__all__ = ["run"]

_RECTANGLE = TRUSTED_CLASSES.index("rectangle")
_FRAME = ["run", "snapshot", "frame", "time_gyr", "snr"]


def run(
    packs: Sequence[Path],
    labels: Sequence[Path],
    settings: dict,
    output: Path,
    mass_ratios: dict[str, float],
) -> dict:
    """Train on packs of simulations and shape models and write the classifier to a folder.

    Killed and started again, it goes on after the last network that was finished, and the files are the same.

    Parameters
    ----------
    packs, labels : paths
        Packs, and for each the table of the stage `label`.
    settings : dict
        The section `train`: seed, frames_per_run, members, observations, epochs, patience, batch_size, learning_rate,
        validation_fraction, test_fraction.
    output : path
        Folder for the classifier (see `network.write`), heldout.parquet (what it says of the recorded pictures of runs
        it was not trained on), metrics.json, by_property.csv, reliability.csv, history.csv, split.csv, and figures.
    mass_ratios : dict
        Mass ratio of each run, for the tables.

    Returns
    -------
    dict
        What metrics.json holds.

    Raises
    ------
    InputError
        A pack and its labels do not belong together, or there is nothing to train, validate or test on.
    """
    if len(packs) != len(labels):
        raise InputError(f"{len(packs)} packs and {len(labels)} tables of labels; give --labels once for each pack")
    sources = [examples.read_source(*pair, settings["frames_per_run"]) for pair in zip(packs, labels, strict=True)]
    groups = examples.grouped(sources)
    parts = examples.split(groups, settings["validation_fraction"], settings["test_fraction"], settings["seed"])
    _require_parts(parts)
    maps, table = _observed(sources, parts, settings)
    table = table.assign(part=table["run"].map(parts).to_numpy(), mass_ratio=table["run"].map(mass_ratios).to_numpy())
    record = provenance.record("train", [*packs, *labels], settings, settings["seed"])
    with pieces(Path(output), record | {"threads": network.threads()}) as place:
        models, history = _members(maps, table, settings, place)
        calibration = _calibration(models, maps, table, settings)
        metrics = _metrics(models, calibration, maps, table, history, settings)
        metrics["control"] = _control(maps, table, settings, place)
        heldout = _heldout(models, calibration, sources, parts, settings)
        _write_tables(output, history, metrics, parts, groups)
        catalog.write_table(output / "heldout.parquet", heldout, record)
        network.write(models, output, _card(calibration, metrics, record))
    print(summary(metrics), flush=True)
    return metrics


def _require_parts(parts: pd.Series) -> None:
    for part in examples.PARTS:
        if not (parts == part).any():
            raise InputError(
                f"{len(parts)} runs and shape models leave none for {part}; "
                "give three or more runs, or three or more shape models of a class"
            )


# Pictures ---------------------------------------------------------------------------------------------------


def _observed(sources: list[examples.Source], parts: pd.Series, settings: dict) -> tuple[np.ndarray, pd.DataFrame]:
    """Unrolled galaxies of all sources and their table."""
    jobs = [
        (source, settings["observations"], settings["seed"], source.frames["run"].map(parts == "test").to_numpy())
        for source in sources
    ]
    with workers(min(cores(), len(jobs))) as share_out:
        maps, tables = zip(*progress(share_out(_observe, jobs), len(jobs), "observe"), strict=True)
    return np.concatenate(maps), pd.concat(tables, ignore_index=True)


def _observe(job: tuple) -> tuple[np.ndarray, pd.DataFrame]:
    """`examples.observed` for one source, as other processes take it."""
    return examples.observed(*job)


def _chosen(maps: np.ndarray, table: pd.DataFrame, part: str) -> tuple[np.ndarray, pd.DataFrame]:
    """The maps of a part, and their rows."""
    rows = (table["part"] == part).to_numpy()
    return maps[rows], table[rows].reset_index(drop=True)


# Fit --------------------------------------------------------------------------------------------------------


def _members(
    maps: np.ndarray, table: pd.DataFrame, settings: dict, place: Callable[[str], Path], name: str = "member"
) -> tuple[list[Any], pd.DataFrame]:
    """The networks of the ensemble, and their histories one below the other."""
    data = []
    for part in ("train", "validation"):
        chosen, rows = _chosen(maps, table, part)
        data.append((chosen, examples.targets(rows)))
    models, histories = [], []
    for member in range(1, settings["members"] + 1):
        model, history = _member(data, settings, member, place(f"{name}_{member}.npz"))
        models.append(model)
        histories.append(history.assign(member=member))
    return models, pd.concat(histories, ignore_index=True)


def _member(data: list[tuple], settings: dict, member: int, place: Path) -> tuple[Any, pd.DataFrame]:
    """One network and its history: as `place` has them if a killed training had finished it, else kept there."""
    found = fitting.read_member(place)
    if found is None:
        found = fitting.fit_member(*data, settings, settings["seed"] + member, _announce(member, settings))
        fitting.write_member(place, *found)
    return found


def _announce(member: int, settings: dict) -> Callable[[dict], None]:
    """A line per epoch on a terminal, one in ten in a log file, each with the time left."""
    start, every, epochs = time.monotonic(), 1 if sys.stdout.isatty() else 10, settings["epochs"]

    def announce(figures: dict) -> None:
        epoch = figures["epoch"]
        if epoch in (1, epochs) or epoch % every == 0:
            left = (time.monotonic() - start) / epoch * (epochs - epoch)
            print(
                f"train: member {member}/{settings['members']}, epoch {epoch}/{epochs}, loss {figures['loss']:.3f}, "
                f"validation {figures['val_loss']:.3f}, right {figures['val_accuracy']:.1%}, at most {left:.0f} s left",
                flush=True,
            )

    return announce


def _calibration(models: list[Any], maps: np.ndarray, table: pd.DataFrame, settings: dict) -> network.Calibration:
    """Temperature and gauge from the validation part; from its simulations where there are any."""
    training, _ = _chosen(maps, table, "train")
    held, rows = _chosen(maps, table, "validation")
    if rows["simulated"].any():
        held, rows = held[rows["simulated"].to_numpy()], rows[rows["simulated"]]
    mean = network.ensemble_mean(models, held, settings["batch_size"])
    temperature = network.fit_temperature(mean, examples.numbers(rows["label"]))
    return network.Calibration(temperature, network.fit_gauge(training, held))


# Test -------------------------------------------------------------------------------------------------------


def _metrics(
    models: list[Any],
    calibration: network.Calibration,
    maps: np.ndarray,
    table: pd.DataFrame,
    history: pd.DataFrame,
    settings: dict,
) -> dict:
    """All that metrics.json says, from the test part: its simulations and its shape models apart."""
    tested, rows = _chosen(maps, table, "test")
    found = network.ensemble_answer(models, calibration, tested, settings["batch_size"], list(TRUSTED_CLASSES))
    probabilities, distance = found.probabilities, found.domain_distance
    kinds = {"simulations": rows["simulated"].to_numpy(), "shape_models": ~rows["simulated"].to_numpy()}
    metrics: dict = {"classes": list(TRUSTED_CLASSES)}
    for kind, chosen in kinds.items():
        if chosen.any():
            metrics[kind] = _metrics_of(rows[chosen], probabilities[chosen], distance[chosen])
    runs = table.drop_duplicates("run")
    counts = runs.groupby(["part", "simulated"]).size()
    split = {part: {"runs": int(counts.get((part, True), 0)), "models": int(counts.get((part, False), 0)),
                    "pictures": int((table["part"] == part).sum())} for part in examples.PARTS}  # fmt: skip
    optimizer = {"name": "Adadelta", "learning_rate": settings["learning_rate"], "batch_size": settings["batch_size"]}
    return metrics | {
        "split": split,
        "epochs": {"allowed": settings["epochs"], "run": history.groupby("member").size().to_list()},
        "optimizer": optimizer,
        "temperature": calibration.temperature,
        "threads": network.threads(),
    }


def _control(maps: np.ndarray, table: pd.DataFrame, settings: dict, place: Callable[[str], Path]) -> dict:
    """The same training on labels without meaning, which must do no better than chance on the test part."""
    model, _ = _members(maps, examples.shuffled(table, settings["seed"]), settings | {"members": 1}, place, "control")
    tested, rows = _chosen(maps, table, "test")
    found = network.ensemble_mean(model, tested, settings["batch_size"])
    truth = examples.numbers(rows["label"])
    return {
        "accuracy": float((found.argmax(axis=1) == truth).mean()),
        "chance": float(np.bincount(truth).max() / len(truth)),
        "auc": evaluation.auc(truth == _RECTANGLE, found[:, _RECTANGLE]),
    }


def _metrics_of(rows: pd.DataFrame, probabilities: np.ndarray, distance: np.ndarray) -> dict:
    """The figures of one kind of test pictures."""
    is_rectangle = (rows["label"] == "rectangle").to_numpy()
    commonest = rows["label"].value_counts(normalize=True).iloc[0]
    bins = evaluation.reliability(is_rectangle, probabilities[:, _RECTANGLE])
    return {
        **evaluation.judged(rows, probabilities),
        "chance": float(commonest),
        "beyond_the_gauge": float((distance > 1).mean()),
        "confusion": evaluation.confusion(rows["label"], probabilities),
        "by_property": evaluation.by_property(rows, probabilities).to_dict("list"),
        "reliability": bins.to_dict("list"),
    }


def _heldout(
    models: list[Any],
    calibration: network.Calibration,
    sources: list[examples.Source],
    parts: pd.Series,
    settings: dict,
) -> pd.DataFrame:
    """What the classifier says of the recorded pictures of held-out runs (of shape models where there are none)."""
    held = [source for source in sources if (source.frames["run"].map(parts) != "train").any()]
    tables = []
    for source in [source for source in held if source.simulated] or held:
        frames = source.frames.assign(label=source.labels, part=source.frames["run"].map(parts).to_numpy())
        rows = (frames["part"] != "train").to_numpy()
        maps = network.unrolled(source.flux[rows])
        classes, batch_size = list(TRUSTED_CLASSES), settings["batch_size"]
        said = network.ensemble_answer(models, calibration, maps, batch_size, classes).table()
        tables.append(pd.concat([frames.loc[rows, [*_FRAME, "label", "part"]].reset_index(drop=True), said], axis=1))
    return pd.concat(tables, ignore_index=True)


def summary(metrics: dict) -> str:
    """The result in a line or two."""
    lines = []
    for kind in ("simulations", "shape_models"):
        for name in list(evaluation.JUDGED)[1:]:
            found = metrics.get(kind, {}).get(name)
            if found:
                lines.append(
                    f"{kind.replace('_', ' ')} never seen, {name}: AUC of rectangles {found['auc']:.3f} "
                    f"({found['auc_low']:.3f} to {found['auc_high']:.3f}; the ruler {found['auc_ruler']:.3f}), "
                    f"accuracy {found['accuracy']:.1%}, calibration error {found['calibration_error']:.3f}"
                )
    return "\n".join(lines)


# Files ------------------------------------------------------------------------------------------------------


def _card(calibration: network.Calibration, metrics: dict, record: dict) -> dict:
    """What the classifier is for; figures that are not numbers (no rectangle in a bin) are left out."""
    return {
        "kind": "trusted",
        "classes": list(TRUSTED_CLASSES),
        "pixels": None,
        "preprocessing": {"unrolled": "rings of the galaxy's own ellipse by eccentric anomaly", "stretch": "any"},
        "calibration": calibration.as_json(),
        "metrics": _finite(metrics),
        "provenance": record,
    }


def _finite(value: Any) -> Any:
    """The same with None in the place of numbers that are not finite, as JSON has them."""
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _write_tables(output: Path, history: pd.DataFrame, metrics: dict, parts: pd.Series, groups: pd.DataFrame) -> None:
    write_text(output / "metrics.json", json.dumps(_finite(metrics), indent=1) + "\n")
    split = groups.assign(part=parts).reset_index()
    tables = {"history": history, "split": split}
    best = metrics.get("simulations") or metrics["shape_models"]
    tables |= {name: pd.DataFrame(best[name]) for name in ("by_property", "reliability")}
    for name, table in tables.items():
        with atomic(output / f"{name}.csv") as temporary:
            table.to_csv(temporary, index=False, float_format="%.6g")
    fig, axes = plotstyle.figure(10.0, 2.8, ncols=3)
    plot_summary(history, tables["by_property"], tables["reliability"], axes)
    plotstyle.save_png(fig, output / "curves.png")


def plot_summary(history: pd.DataFrame, by_property: pd.DataFrame, bins: pd.DataFrame, axes: Any) -> None:
    """Loss of every member against epoch, AUC against signal to noise, and reliability, into three axes."""
    for _, rows in history.groupby("member"):
        [line] = axes[0].plot(rows["epoch"], rows["val_loss"], lw=1)
        axes[0].plot(rows["epoch"], rows["loss"], lw=1, ls=":", color=line.get_color())
    axes[0].set(xlabel="epoch", ylabel="loss (dotted: training)")
    evaluation.plot_by_snr(by_property, axes[1])
    evaluation.plot_reliability(bins, axes[2])
