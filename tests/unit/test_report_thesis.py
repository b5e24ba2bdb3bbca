"""The report on the thesis says what the results say, at the size they were run at."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from galclass import catalog, config, images, plotstyle, quality, snapshot
from galclass.errors import InputError
from galclass.report import thesis
from galclass.report.thesis import figures, page, results, tables
from galclass.train.thesis import CLASS_SETS, score

RUNS = ["thesis_01", "box"]
SNAPSHOTS, VIEWS = 3, 2
#: Classes by isophotes of the six frames of a run: two rectangles.
MEASURED = ["oval", "oval", "rectangle", "none", "rectangle", "oval"]
#: What each network calls them; the first finds one of two rectangles and calls one oval so.
CALLED = {
    "oval-rectangle": ["oval", "rectangle", "rectangle", "oval", "oval", "oval"],
    "rectangle-obround": ["rectangle"] * 5 + ["obround"],
    "oval-rectangle-obround": ["oval"] * 6,
}


def frame_table() -> pd.DataFrame:
    """What every table of frames has."""
    count = SNAPSHOTS * VIEWS
    snapshots = [f"snapshot_{number:03d}" for number in np.arange(count) // VIEWS]
    return pd.DataFrame({"frame": range(count), "snapshot": snapshots, "time_gyr": np.arange(count) // VIEWS * 0.5})


def write_run(folder, run, start):
    """The files of one run that do not depend on a network."""
    frames = frame_table()
    snapshot.write(folder / "initial" / f"{run}.dat", start)
    verdict = {"gate": "energy", "largest_drift": 0.02, "limit": 0.005 if run == "box" else 0.1, "passed": run != "box"}
    quality.write(folder / "simulate" / "mergers" / run, [verdict])
    measured = frames.assign(run=run, measured_label=MEASURED, b4=[0.0, 0.0, -0.08, np.nan, -0.1, 0.0])
    catalog.write_table(folder / "label" / "mergers" / f"{run}.parquet", measured, {})
    y, x = np.mgrid[-2:2:16j, -2:2:16j]
    pictures = np.stack([images.stretch(np.exp(-np.hypot(x, 1.5 * y)), 3.0)] * len(frames))
    table = frames.assign(**{name: 0.0 for name in images.FRAME_COLUMNS if name not in frames})
    table = table.assign(run=run, label="")
    for place in results.VARIANTS.values():
        images.write_pack(folder / place / f"{run}.h5", pictures, table, {"settings": {"depth_dex": 3.0}})
    for name, called in CALLED.items():
        for variant in results.VARIANTS:
            path = folder / "classify" / "thesis" / name / variant / f"{run}.parquet"
            catalog.write_table(path, frames.assign(run=run, **{"class": called}), {})


def write_network(folder, name):
    """Metrics and history of a network that is perfect on its training pictures and not on others."""
    part = {"models": 7 * len(CLASS_SETS[name]), "pictures": 70 * len(CLASS_SETS[name])}
    metrics = {
        "classes": list(CLASS_SETS[name]),
        "split": {"train": part, "validation": part, "test": part},
        "epochs": {"run": 3},
        "optimizer": {"learning_rate": 1.0, "batch_size": 200},
        "threads": 1,
        "chance": 0.5,
        "training": score(np.zeros(4, int), np.zeros(4, int), 2),
        "test": dict.fromkeys(("models", "pictures"), score(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 0]), 2)),
    }
    (folder / name).mkdir(parents=True)
    (folder / name / "metrics.json").write_text(json.dumps(metrics))
    history = {"epoch": [1, 2, 3], "loss": [1.0, 0.4, 0.1], "accuracy": [0.5, 0.8, 1.0]}
    history |= {"val_loss": [0.9, 0.6, 0.8], "val_accuracy": [0.5, 0.75, 0.75]}
    pd.DataFrame(history).to_csv(folder / name / "history.csv", index=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Results of two runs of six frames, as the stages would leave them."""
    place = tmp_path_factory.mktemp("results")
    types = np.array([1] * 6 + [2] * 3 + [3] * 2, np.int8)
    masses = np.where(types == 1, 1.0, np.where(types == 3, 0.18, 0.1))  # bulge over halo: 0.36 over 6
    zeros = np.zeros((len(types), 3))
    start = snapshot.Snapshot(zeros, zeros, masses, np.arange(1, len(types) + 1), types)
    for run in RUNS:
        write_run(place, run, start)
    for name in CLASS_SETS:
        write_network(place / "train" / "thesis", name)
    return place


@pytest.fixture(scope="module")
def found(folder):
    return results.read(folder, RUNS)


def row_of(table: pd.DataFrame, **wanted) -> pd.Series:
    """The one row of a table with these values."""
    [row] = [row for _, row in table.iterrows() if all(row[name] == value for name, value in wanted.items())]
    return row


# Sizes and models -------------------------------------------------------------------------------------------


def test_sizes_are_read_from_the_files(found):
    assert found.sizes["particles"].tolist() == [11, 11]
    assert found.sizes["bulge_over_halo"].to_numpy() == pytest.approx(0.06)
    assert found.sizes["snapshots"].tolist() == [SNAPSHOTS] * 2
    assert found.sizes["frames"].tolist() == [SNAPSHOTS * VIEWS] * 2
    assert found.sizes["quality"].tolist() == ["", "energy 0.02 > 0.005"]
    assert tables.frames_size(found) == "2 mergers of 11 particles, 3 snapshots and 6 frames each"


def test_every_model_of_the_thesis_has_its_row(found):
    table = tables.models(found)
    assert table["model"].tolist() == [*map(str, range(1, 13)), "box"]
    assert table["word"].tolist() == ["", *["not run"] * 3, *["needs gas"] * 8, ""]
    assert table["gas"].tolist() == [False] * 4 + [True] * 8 + [False]
    assert table["bulge_over_halo"].to_numpy() == pytest.approx([0.06] * 8 + [0.006] * 4 + [0.06])


def test_models_in_words_carry_size_and_quality(found):
    first, second, *_, last = tables.models_in_words(found).to_dict("records")
    assert (first["run"], first["particles"], first["frames"], first["quality"]) == ("thesis_01", "11", "6", "passed")
    assert first["ratio of the particles"] == "0.060"
    assert (second["run"], second["particles"], second["quality"]) == ("not run", "", "")
    assert last["quality"] == "energy 0.02 > 0.005"


def test_the_models_that_the_configuration_runs_are_those_of_the_report():
    runs = config.load([config.ROOT / "config" / "thesis.yaml"])["initial"]["runs"]
    rows = config.read_mergers(config.ROOT / "config" / "mergers.tsv")
    sequences = results.facts()["sequences"]
    assert [run for sequence in sequences for run in sequence["runs"]] == runs
    assert {rows[run]["bulge_over_halo"] for run in runs} == {sequences[0]["bulge_over_halo"]}


# Shares -----------------------------------------------------------------------------------------------------


def test_shares_are_those_of_the_tables(found):
    row = row_of(tables.shares(found), network="oval-rectangle", variant="raw", run="box")
    assert (row["frames"], row["oval"], row["rectangle"]) == (6, pytest.approx(4 / 6), pytest.approx(2 / 6))
    assert np.isnan(row["obround"])
    assert row["low"] < row["rectangle"] < row["high"]
    assert row["measured_rectangle"] == pytest.approx(2 / 6)
    assert row["confirmed"] == pytest.approx(1 / 2)  # of the frames called rectangle one measures as one


def test_a_network_that_finds_none_has_nothing_to_confirm(found):
    row = row_of(tables.shares(found), network="oval-rectangle-obround", variant="clean", run="box")
    assert row["rectangle"] == 0.0 and np.isnan(row["confirmed"])
    assert row["high"] > 0.3  # three snapshots, not six frames: they exclude little


def test_frames_are_matched_with_their_isophotes_by_number():
    table = pd.DataFrame({"frame": [5, 3], "class": ["oval", "rectangle"]})
    measured = pd.DataFrame(
        {"frame": [3, 4, 5], "b4": [-0.1, 0.0, 0.0], "measured_label": ["rectangle", "none", "oval"]}
    )
    assert results.judged(table, measured)["measured"].tolist() == ["oval", "rectangle"]


def test_bars_put_our_runs_in_the_place_of_their_models(found):
    table = tables.bars(found, "oval-rectangle", "raw").set_index("model")
    assert table.loc["1", "rectangle"] == pytest.approx(100 / 3)
    assert table.loc["5", "word"] == "needs gas" and np.isnan(table.loc["5", "rectangle"])
    assert table.loc["box", "oval"] == pytest.approx(200 / 3)


def test_the_thesis_s_own_bars_fill_them():
    table = tables.figure9(results.facts())
    assert len(table) == 12 and (table["oval"] + table["rectangle"]).to_numpy() == pytest.approx(100.0)
    assert table.set_index("model").loc["11", "rectangle"] == 0.9


# Networks ---------------------------------------------------------------------------------------------------


def test_networks_are_judged_on_what_they_were_trained_on_and_on_the_rest(found):
    row = row_of(tables.networks(found), network="rectangle-obround")
    assert (row["on_training_pictures"], row["on_other_pictures"], row["on_other_models"]) == (1.0, 0.75, 0.75)
    assert (row["training_pictures"], row["epochs"], row["best_epoch"], row["models"]) == (140, 3, 2, 4)
    words = tables.networks_in_words(found).iloc[0]
    assert (words["on_training_pictures"], words["interval"]) == ("100.0 %", "30.1 % to 95.4 %")


# Expected against got ---------------------------------------------------------------------------------------


def test_every_number_stands_beside_the_thesis_s_with_its_size(found):
    table = tables.expected(found).set_index("quantity")
    assert (table["run_at"].str.contains("11 particles|630 pictures|training pictures, 3 epochs")).all()
    assert table.loc["labelled pictures", ["expected", "got"]].tolist() == [10800, 630]
    assert table.loc["epochs", ["expected", "got"]].tolist() == [1000, "3"]
    assert table.loc["epochs", "difference"].startswith("fewer, as train.thesis.epochs says; the loss")
    assert table.loc["epochs", "difference"].endswith("lowest at epoch 2")
    assert table.loc["learning rate of Adadelta", ["expected", "got"]].tolist() == [1.0, "1"]
    assert table.loc["accuracy, oval-rectangle", "got"] == "100.0 % on them, 75.0 % on the others"
    assert table.loc["frames a model", ["expected", "got"]].tolist() == [3000, "6"]
    assert table.loc["models", "difference"].startswith("8 of the thesis's models need gas")


def test_the_thesis_contradicts_itself_and_the_table_says_how(found):
    """Figure 9 has a mean of 4.34 %: 1563 of 36000 frames; 43 % are 15480; 4683 candidates are 13 %."""
    table = tables.expected(found).set_index("quantity")
    assert table.loc["rectangles, oval-rectangle, raw", "expected"] == "0.9 to 7.5 %, mean 4.3 % (figure 9)"
    assert table.loc["rectangles, oval-rectangle, raw", "got"] == "33.3 to 33.3 %, mean 33.3 %"
    assert (
        "33.3 % of all frames are rectangles, and 50.0 % of those called so"
        in table.loc["rectangles, oval-rectangle, raw", "difference"]
    )
    assert "1563 of 36000 frames; 43 % would be 15480" in table.loc["the same", "difference"]
    candidates = table.loc["the same, in frames (candidates)"]
    assert (candidates["expected"], candidates["got"]) == (4683, 4) and "are 13 %" in candidates["difference"]
    assert "rectangle-obround raw 83.3 %" in table.loc["rectangles, one of the networks", "got"]
    assert "calls 16.7 % of the raw frames obround" in table.loc["rectangles, one of the networks", "difference"]


def test_as_many_epochs_as_the_thesis_need_no_excuse(found):
    metrics = {name: {**values, "epochs": {"run": 1000}} for name, values in found.metrics.items()}
    row = row_of(tables.expected(dataclasses.replace(found, metrics=metrics)), quantity="epochs")
    assert row["got"] == "1000" and row["difference"].startswith("the loss")


# Page -------------------------------------------------------------------------------------------------------


def test_the_page_and_its_tables_are_written(folder, tmp_path, capsys):
    thesis.run(folder, config.merge(config.load(), {"initial": {"runs": RUNS}}), tmp_path / "thesis.html")
    html = (tmp_path / "thesis.html").read_text()
    # Bars; three networks' curves; galleries of the two networks that call a frame a rectangle, raw and clean.
    assert html.count("data:image/png;base64,") == 1 + 3 + 4
    assert html.count("<script") == html.count('<script type="application/json" id="provenance">') == 1
    assert "{{" not in html and "needs gas" in html
    assert {path.name for path in tmp_path.iterdir()} == {
        "thesis.html", "thesis_bars.png", "thesis_shares.csv", "thesis_networks.csv", "thesis_models.csv",
        "thesis_expected.csv",
    }  # fmt: skip
    assert len(pd.read_csv(tmp_path / "thesis_shares.csv")) == 3 * 2 * 2
    assert "oval-rectangle, raw: 33.3 to 33.3 %" in capsys.readouterr().out


def test_missing_results_are_named(folder):
    with pytest.raises(InputError, match=r"flat\.parquet: no such file"):
        results.read(folder, ["flat"])


def test_a_bar_says_its_shares_or_why_it_has_none(found):
    fig, ax = plotstyle.figure(4, 3)
    figures.plot_bars(tables.bars(found, "oval-rectangle", "raw"), ax, "title")
    words = [text.get_text() for text in ax.texts]
    assert words[0] == "oval 66.7 %   rectangle 33.3 %"
    assert words[4] == "needs gas" and words[-1] == words[0]
    widths = [patch.get_width() for patch in ax.patches if patch.get_y() < 0]
    assert sum(widths) == pytest.approx(100.0)  # the bar of the first model, at the bottom
    assert plotstyle.png_bytes(fig).startswith(b"\x89PNG")


def test_the_bars_of_all_networks_make_one_figure(found):
    titles = [ax.get_title() for ax in page.bars_figure(found).axes]
    assert titles[0] == "thesis, figure 9: oval-rectangle, raw"
    assert titles[-1] == "ours: oval-rectangle-obround, clean"
    assert sum(title.startswith("ours") for title in titles) == 6
