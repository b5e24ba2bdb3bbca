"""The numbers of the report on the thesis; each says at which size it was run."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from galclass.network import CLASSES
from galclass.report.tables import percent
from galclass.report.thesis.results import Reproduction
from galclass.statistics import clustered_interval
from galclass.train.thesis import CLASS_SETS

#: The network of the thesis's figure 9.
FIRST = "oval-rectangle"
#: What stands in the place of a model that was not run.
NEEDS_GAS, NOT_RUN = "needs gas", "not run"


# Models and shares ------------------------------------------------------------------------------------------


def models(results: Reproduction) -> pd.DataFrame:
    """The thesis's models by their numbers, then runs that are none of them.

    Returns
    -------
    DataFrame
        model (number, or name of the run), sequence (from 1; 0 for none), bulge_over_halo, gas, run ("" for none),
        word (why there is no run, else "").
    """
    rows, known = [], set(results.sizes["run"])
    for sequence, facts in enumerate(results.thesis["sequences"], 1):
        runs = [*facts["runs"], *[""] * results.thesis["models_per_sequence"]][: results.thesis["models_per_sequence"]]
        for run in runs:
            word = "" if run in known else NEEDS_GAS if facts["gas"] else NOT_RUN
            common = [str(len(rows) + 1), sequence, facts["bulge_over_halo"], facts["gas"]]
            rows.append([*common, "" if word else run, word])
    others = results.sizes[~results.sizes["run"].isin({row[4] for row in rows})]
    rows += [[row.run, 0, row.bulge_over_halo, False, row.run, ""] for row in others.itertuples()]
    return pd.DataFrame(rows, columns=["model", "sequence", "bulge_over_halo", "gas", "run", "word"])


def shares(results: Reproduction) -> pd.DataFrame:
    """Share of each class among the frames of each run, for every network and variant.

    Returns
    -------
    DataFrame
        network, variant, run, frames, oval, rectangle, obround (NaN for a class that the network does not know),
        low, high (95 % interval of the rectangles; snapshots, not their views, are independent),
        measured_rectangle (share of the frames whose isophotes are a rectangle's), confirmed (that share of the
        frames called rectangle, NaN where there are none).
    """
    return pd.DataFrame([_shares_of(*key, table) for key, table in results.tables.items()])


def _shares_of(name: str, variant: str, run: str, table: pd.DataFrame) -> dict:
    """One row of `shares`."""
    called, boxes = table["class"] == "rectangle", table["measured"] == "rectangle"
    by_snapshot = called.groupby(table["snapshot"], sort=False)
    low, high = clustered_interval(by_snapshot.sum().to_numpy(), by_snapshot.size().to_numpy())
    known = {label: float((table["class"] == label).mean()) for label in CLASS_SETS[name]}
    return {
        "network": name,
        "variant": variant,
        "run": run,
        "frames": len(table),
        **{label: known.get(label, np.nan) for label in CLASSES},
        "low": low,
        "high": high,
        "measured_rectangle": float(boxes.mean()),
        "confirmed": float(boxes[called].mean()) if called.any() else np.nan,
    }


def bars(results: Reproduction, name: str, variant: str) -> pd.DataFrame:
    """Model, word and the share of each class [per cent] for one network and variant, as in the thesis's figure 9."""
    found = _of(shares(results), name, variant)
    table = models(results)[["model", "run", "word"]].merge(found[["run", *CLASSES]], on="run", how="left")
    table[list(CLASSES)] *= 100.0
    return table.drop(columns="run")


def figure9(thesis: dict) -> pd.DataFrame:
    """The thesis's own bars, as `bars` gives ours."""
    boxes = np.array(thesis["rectangle_percent_figure9"])
    numbers = [str(number) for number in range(1, len(boxes) + 1)]
    return pd.DataFrame({"model": numbers, "word": "", "oval": 100.0 - boxes, "rectangle": boxes, "obround": np.nan})


def _of(table: pd.DataFrame, name: str, variant: str) -> pd.DataFrame:
    return table[(table["network"] == name) & (table["variant"] == variant)]


# Networks ---------------------------------------------------------------------------------------------------


def networks(results: Reproduction) -> pd.DataFrame:
    """How each network was trained and how often it is right.

    Returns
    -------
    DataFrame
        network, training_pictures, training_models, epochs, best_epoch (of the lowest validation loss), batch_size,
        learning_rate, threads; the accuracies on_training_pictures, on_other_pictures and on_other_models, those
        held out, the last with its 95 % interval low, high and the number of models; chance.
    """
    return pd.DataFrame([_network(name, results) for name in CLASS_SETS])


def _network(name: str, results: Reproduction) -> dict:
    metrics, history = results.metrics[name], results.histories[name]
    held = metrics["test"]["models"]
    return {
        "network": name,
        "training_pictures": metrics["split"]["train"]["pictures"],
        "training_models": metrics["split"]["train"]["models"],
        "epochs": metrics["epochs"]["run"],
        "best_epoch": int(history["epoch"][history["val_loss"].idxmin()]),
        "batch_size": metrics["optimizer"]["batch_size"],
        "learning_rate": metrics["optimizer"]["learning_rate"],
        "threads": metrics["threads"],
        "on_training_pictures": metrics["training"]["accuracy"],
        "on_other_pictures": metrics["test"]["pictures"]["accuracy"],
        "on_other_models": held["accuracy"],
        "low": held["interval"][0],
        "high": held["interval"][1],
        "models": held["count"],
        "chance": metrics["chance"],
    }


# Expected against got ---------------------------------------------------------------------------------------


def expected(results: Reproduction) -> pd.DataFrame:
    """The thesis's numbers beside ours: quantity, expected, got, run_at (the size it was run at), difference."""
    rows = [*_expected_pictures(results), *_expected_training(results), *_expected_frames(results)]
    return pd.DataFrame(rows, columns=["quantity", "expected", "got", "run_at", "difference"])


def _expected_pictures(results: Reproduction) -> Iterator[list]:
    thesis, split = results.thesis, results.metrics["oval-rectangle-obround"]["split"]
    pictures, shapes = (sum(part[kind] for part in split.values()) for kind in ("pictures", "models"))
    at, held = f"{pictures} pictures of {shapes} shape models", split["test"]
    own = "of shape models of our own; the thesis's pictures were not at hand"
    near = "pictures of one model are near copies, so only models never trained on tell what was learnt"
    yield ["labelled pictures", thesis["training_pictures"], pictures, at, own]
    yield ["judged on", "the training pictures", f"{held['pictures']} pictures of {held['models']} others", at, near]


def _expected_training(results: Reproduction) -> Iterator[list]:
    thesis, found = results.thesis, networks(results)
    epochs = _span(found["epochs"])
    at = f"{_span(found['training_pictures'])} training pictures, {epochs} epochs"
    rate = "what its Keras took unless told, written out here: Keras 3 would take 0.001 and hardly learn"
    yield ["epochs", thesis["epochs"], epochs, at, _on_epochs(thesis, found)]
    yield ["pictures in a batch", thesis["batch_size"], _span(found["batch_size"]), at, ""]
    yield ["learning rate of Adadelta", thesis["learning_rate"], _span(found["learning_rate"]), at, rate]
    for row in found.itertuples():
        got = f"{percent(row.on_training_pictures)} on them, {percent(row.on_other_pictures)} on the others"
        size = f"{row.training_pictures} training pictures, {row.epochs} epochs"
        yield [f"accuracy, {row.network}", "on its training pictures", got, size, _on_accuracy(row)]


def _on_epochs(thesis: dict, found: pd.DataFrame) -> str:
    best = f"the loss on models not trained on is lowest at epoch {_span(found['best_epoch'])}"
    return best if found["epochs"].min() >= thesis["epochs"] else f"fewer, as train.thesis.epochs says; {best}"


def _on_accuracy(row) -> str:
    return (
        "the first is what the thesis calls validation; models, not pictures, are independent trials: of the "
        f"{row.models} others {percent(row.on_other_models)} are right ({percent(row.low)} to {percent(row.high)})"
    )


def _expected_frames(results: Reproduction) -> Iterator[list]:
    thesis, at = results.thesis, frames_size(results)
    figure, table = np.array(thesis["rectangle_percent_figure9"]), shares(results)
    needed = int((models(results)["word"] == NEEDS_GAS).sum())
    lacking = f"{needed} of the thesis's models need gas, which the engine does not have yet"
    low, high = thesis["rectangle_percent_one_network"]
    obround = _of(table, "rectangle-obround", "raw")["obround"].mean()
    forced = (
        "which one is not known to us; a network must give every frame one of its classes, and one that knows no "
        f"ovals has no word for an oval: ours for rectangle and obround calls {percent(obround)} of the raw frames "
        "obround"
    )
    yield ["models", len(figure), len(results.sizes), at, lacking]
    yield ["frames a model", thesis["frames_per_run"], _span(results.sizes["frames"]), at, "snapshots x views"]
    yield from _expected_first(thesis, figure, table, at)
    yield ["rectangles, one of the networks", f"{low} to {high} %", _every_mean(table), at, forced]


def _expected_first(thesis: dict, figure: np.ndarray, table: pd.DataFrame, at: str) -> Iterator[list]:
    """What the first network says, on which the thesis's figure, text and candidates disagree."""
    total, text, found = thesis["frames_per_run"] * len(figure), thesis["rectangle_percent_text"], thesis["candidates"]
    raw = _of(table, FIRST, "raw")
    called = round((raw["rectangle"] * raw["frames"]).sum())
    disagree = (
        f"the text contradicts the figure, whose mean is {figure.mean() / 100 * total:.0f} of {total} frames; "
        f"{text} % would be {text / 100 * total:.0f}"
    )
    neither = f"{found} of {total} frames are {100 * found / total:.0f} %: neither the figure nor the text"
    drawn = f"{figure.min()} to {figure.max()} %, mean {figure.mean():.1f} % (figure 9)"
    yield [f"rectangles, {FIRST}, raw", drawn, _range(table, FIRST, "raw"), at, _on_rectangles(raw)]
    yield ["the same", f"{text} % (text)", _range(table, FIRST, "raw"), at, disagree]
    yield ["the same, in frames (candidates)", found, called, at, neither]
    cleaned = _on_rectangles(_of(table, FIRST, "clean"))
    yield [f"rectangles, {FIRST}, noise removed", "not at hand", _range(table, FIRST, "clean"), at, cleaned]


def _on_rectangles(rows: pd.DataFrame) -> str:
    """What the isophotes say of the frames of some runs that a network calls rectangles."""
    called = rows["rectangle"] * rows["frames"]
    confirmed = (called * rows["confirmed"]).sum() / called.sum() if called.any() else 0.0
    measured = np.average(rows["measured_rectangle"], weights=rows["frames"])
    return (
        f"other mergers than the thesis's; by their isophotes {percent(measured)} of all frames are rectangles, "
        f"and {percent(confirmed)} of those called so"
    )


def _range(table: pd.DataFrame, name: str, variant: str) -> str:
    """Smallest, largest and mean share of rectangles of a run, in words."""
    found = 100.0 * _of(table, name, variant)["rectangle"]
    return f"{found.min():.1f} to {found.max():.1f} %, mean {found.mean():.1f} %"


def _every_mean(table: pd.DataFrame) -> str:
    means = 100.0 * table.groupby(["network", "variant"], sort=False)["rectangle"].mean()
    return "; ".join(f"{name} {variant} {share:.1f} %" for (name, variant), share in means.items())


def frames_size(results: Reproduction) -> str:
    """The size of the runs, from their files."""
    sizes = results.sizes
    return (
        f"{len(sizes)} mergers of {_span(sizes['particles'])} particles, {_span(sizes['snapshots'])} snapshots and "
        f"{_span(sizes['frames'])} frames each"
    )


def _span(values: pd.Series) -> str:
    """One number, or the smallest and the largest."""
    low, high = values.min(), values.max()
    return f"{low:.12g}" if low == high else f"{low:.12g} to {high:.12g}"


def headline(results: Reproduction) -> str:
    """What the thesis's first network says of the raw frames, in one line."""
    return f"{FIRST}, raw: {_range(shares(results), FIRST, 'raw')} of the frames of a merger are called rectangles"


# Words for the page -----------------------------------------------------------------------------------------


def models_in_words(results: Reproduction) -> pd.DataFrame:
    """The models with the size and the quality of their runs."""
    table = models(results).merge(results.sizes.drop(columns="bulge_over_halo"), on="run", how="left")
    got = results.sizes.set_index("run")["bulge_over_halo"]
    return pd.DataFrame(
        {
            "model": table["model"],
            "sequence": table["sequence"].astype(str).replace("0", "none"),
            "M(bulge)/M(halo)": table["bulge_over_halo"].map("{:.3g}".format),
            "gas": table["gas"].map({True: "yes", False: "no"}),
            "run": table["run"].where(table["word"] == "", table["word"]),
            "ratio of the particles": table["run"].map(got).map(_text("{:.3f}")),
            "particles": table["particles"].map(_text("{:.0f}")),
            "snapshots": table["snapshots"].map(_text("{:.0f}")),
            "frames": table["frames"].map(_text("{:.0f}")),
            "quality": table["quality"].fillna("").where(table["quality"] != "", "passed"),
        }
    )


def networks_in_words(results: Reproduction) -> pd.DataFrame:
    """`networks` with its rates in per cent."""
    table = networks(results)
    interval = [f"{percent(row.low)} to {percent(row.high)}" for row in table.itertuples()]
    for name in ("on_training_pictures", "on_other_pictures", "on_other_models", "chance"):
        table[name] = table[name].map(percent)
    return table.drop(columns=["low", "high"]).assign(interval=interval)


def shares_in_words(results: Reproduction) -> pd.DataFrame:
    """`shares` with its rates in per cent."""
    table = shares(results)
    interval = [f"{100 * row.low:.1f} to {100 * row.high:.1f}" for row in table.itertuples()]
    for name in (*CLASSES, "measured_rectangle", "confirmed"):
        table[name] = (100.0 * table[name]).map(_text("{:.1f} %"))
    table.insert(table.columns.get_loc("low"), "rectangle_interval", interval)
    return table.drop(columns=["low", "high"])


def _text(form: str):
    """A function that writes a number in this form, and one that is missing as nothing."""
    return lambda value: "" if pd.isna(value) else form.format(value)
