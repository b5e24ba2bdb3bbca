"""The report says what the results say."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import yaml

from galclass import config, images, network, plotstyle, rates
from galclass.errors import InputError
from galclass.report import figures, page, results, tables

CLASSES = ["oval", "rectangle", "obround"]


def classified(classes: list[str], views: int) -> pd.DataFrame:
    """A table of frames of run box, `views` a snapshot, surely of the given classes in order."""
    count = len(classes)
    sure = {f"p_{name}": (np.array(classes) == name).astype(float) for name in network.TRUSTED_CLASSES}
    moments = {"snapshot": [f"s{k // views}" for k in range(count)], "time_gyr": np.arange(count) // views * 0.5}
    return pd.DataFrame(
        {"run": "box", "frame": range(count), **moments, **sure, "class": classes, "domain_distance": 0.5}
    )


def heldout() -> pd.DataFrame:
    """Ten runs of forty frames whose classes are always found."""
    labels = [*network.TRUSTED_CLASSES] * 100
    return classified(labels, 1).assign(run=[f"r{k // 40}" for k in range(400)], label=labels)


def metrics() -> dict:
    part = {"pictures": 20, "rectangles": 8, "auc": 0.9, "auc_low": 0.8, "auc_high": 0.95, "auc_ruler": 0.7}
    part |= {"accuracy": 0.97, "calibration_error": 0.01}
    by_property = {"quantity": ["snr"] * 2, "low": [5, 20], "high": [20, 50], "auc": [0.8, 0.9]}
    by_property |= {"auc_low": [0.7, None], "auc_high": [0.9, None], "auc_ruler": [0.6, 0.7]}
    bins = {"low": [0.0, 0.5], "high": [0.5, 1.0], "claimed": [0.2, 0.8], "true": [0.1, 0.9], "pictures": [10, 10]}
    kind = {"all": part, "confusion": np.eye(4, dtype=int).tolist(), "by_property": by_property, "reliability": bins}
    return {
        "classes": list(network.TRUSTED_CLASSES),
        "simulations": kind,
        "shape_models": kind,
        "split": {name: {"runs": 3, "models": 5} for name in ("train", "validation", "test")},
        "epochs": {"run": [9, 8]},
        "control": {"accuracy": 0.34, "chance": 0.35, "auc": None},
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A classifier that was never trained."""
    folder = tmp_path_factory.mktemp("network")
    network.fix_seeds(1)
    size = 3 * 16
    numbers = {"temperature": 1.0, "mean": [0.0] * size, "limit": 10.0}
    calibration = {**numbers, "whitening": np.eye(size).tolist()}
    card = {"kind": "trusted", "classes": list(network.TRUSTED_CLASSES), "pixels": None, "preprocessing": {},
            "calibration": calibration, "metrics": {}, "provenance": {}}  # fmt: skip
    network.write([network.build(network.trusted_layers())], folder, card)
    return folder


def verdicts(energy: float) -> list[dict]:
    """Quality of a run with this drift of the energy."""
    return [
        {"gate": "energy", "largest_drift": energy, "limit": 0.005, "passed": energy <= 0.005},
        {"gate": "centre_of_mass", "largest_drift": 1e-7, "limit": 0.01, "passed": True},
    ]


@pytest.fixture
def pack() -> images.Pack:
    y, x = np.mgrid[-2:2:24j, -2:2:24j]
    picture = images.stretch(np.exp(-2 * np.hypot(x, 1.5 * y)), 3.0)
    frames = pd.DataFrame({"frame": range(6), "run": "box", "time_gyr": [0, 0, 0.5, 0.5, 1, 1], "label": CLASSES * 2})
    return images.Pack(np.stack([picture] * 6), frames, {"settings": {"depth_dex": 3.0}})


@pytest.fixture
def finished(pack, folder) -> results.Results:
    """Results of one run of six frames, as the stages would leave them."""
    rows = {"rank": [1, 2], "run": "box", "frame": [5, 2], "time_gyr": [1.0, 0.5], "p_rectangle": [0.9, 0.8]}
    rows |= {"view_x": 1.0, "view_y": 0.0, "view_z": 0.0, "b4": [-0.08, np.nan], "axis_ratio": 0.7}
    scores = ("cosine_raw", "cosine_aligned", "cosine_residual", "sift_keypoints", "sift_matches")
    rows |= {name: [0.9, 0.7] for name in scores} | {f"{name}_percentile": [99.0, 50.0] for name in scores}
    rows["sift_verdict"] = ["not informative", "informative"]
    rows["measured_label"] = ["rectangle", "none"]
    shapes = {"label": CLASSES, "b4": [0, -0.1, -0.05], "b6": [0, 0, 0.015], "agrees": [True, True, False]}
    history = {
        "epoch": [1, 2],
        "loss": [1.1, 0.3],
        "accuracy": [0.3, 0.9],
        "val_loss": [1, 0.2],
        "val_accuracy": [0.4, 0.95],
    }
    measured = {"frame": range(6), "b4": [0.0, 0.0, -0.08, 0.0, -0.08, np.nan], "b4_err": 0.01, "snr": 50.0}
    counts = {"run": "box", "frames": 6, "oval": 3, "rectangle": 2, "obround": 0, "none": 1}
    counts |= {"rectangle_share": 1 / 3, "low": 0.1, "high": 0.7}
    return results.Results(
        films={"box": pack},
        packs={"box": pack},
        verdicts={"box": verdicts(0.001)},
        shapes=pack,
        labels=pd.DataFrame(shapes),
        measured={"box": pd.DataFrame(measured)},
        counts=pd.DataFrame([counts]),
        history=pd.DataFrame(history).assign(member=1),
        metrics=metrics(),
        network=folder,
        heldout=heldout(),
        tables={"box": classified(["oval", "oval", "rectangle", "oval", "rectangle", "rectangle"], 2)},
        candidates=pd.DataFrame(rows),
        provenance={
            "galclass": "1",
            "python": "3",
            "libraries": {"numpy": "2"},
            "code": "c0de" * 16,
            "inputs": {"a.h5": "f" * 64},
        },
        reference=pack.images[0].astype(float),
        reference_card={"name": "a galaxy <b>&"},
    )


def test_fractions_are_shares_of_the_views_at_each_time():
    table = tables.fractions(classified(["oval", "rectangle", "rectangle", "rectangle"], 2))
    assert table["time_gyr"].tolist() == [0.0, 0.5]
    assert table["rectangle"].tolist() == [0.5, 1.0]
    assert table["obround"].tolist() == [0.0, 0.0]
    assert table[CLASSES].sum(axis=1).tolist() == [1.0, 1.0]


def test_share_is_in_per_cent():
    assert tables.share(classified(["oval"] + ["rectangle"] * 3, 1), "rectangle") == "75.0 %"


def test_headlines_are_three_and_true(finished):
    accuracy, remnants, best = tables.headlines(finished)
    assert accuracy["value"] == "97.0 %"
    assert "34.0 %" in accuracy["text"]
    assert remnants["value"] == "box 100%"  # both views of the last snapshot
    assert best["value"] == "0.900"
    assert "frame 5" in best["text"]


def test_thesis_stands_beside_ours(finished):
    thesis = yaml.safe_load((config.ROOT / "workflow" / "report" / "thesis.yaml").read_text())
    rows = {row[0]: row[1:] for row in tables.expected(thesis, finished)["rows"]}
    assert rows["candidates"][:2] == [4683, 3]
    assert rows["best raw cosine"][:2] == [0.9112, "0.9000"]
    assert rows["frames called rectangle"][0] == "0.9 to 7.5 % (figure), 43 % (text)"
    assert "50.0 %" in rows["frames called rectangle"][1]


def test_frames_are_counted_by_run_and_together_with_the_corrected_rate(finished):
    """Three of six frames; a classifier without errors leaves the rate as it is."""
    table = tables.classified(finished)
    assert [row[:2] for row in table["rows"]] == [["box", 6], ["all", 6]]
    assert table["rows"][0][table["columns"].index("rectangle")] == "50.0 %"
    low, high = rates.estimate(finished.tables["box"], finished.heldout).low, 0.5
    assert low <= high
    assert table["rows"][0][7].startswith("50 % (")


def test_the_classifier_stands_beside_the_ruler(finished):
    table = tables.trained(finished.metrics)
    assert [row[0] for row in table["rows"]] == ["simulations", "shape models"]
    assert table["rows"][0][table["columns"].index("the ruler's")] == "0.700"


def test_measured_labels_are_counted_with_their_interval(finished):
    table = tables.measured(finished)
    assert table["columns"][:6] == ["run", "frames", "oval", "rectangle", "obround", "none of these"]
    assert table["rows"] == [["box", 6, 3, 2, 0, 1, "33.3 % (10.0 to 70.0)", "50"]]


def test_candidates_show_scores_with_percentiles(finished):
    rows = tables.candidates(finished)["rows"]
    assert rows[0][6] == "0.900 (99 %)"
    assert "not informative" in rows[0][-1]


def test_runs_stand_with_their_quality(finished):
    assert tables.gates(finished) == {
        "columns": ["run", "energy", "centre of mass", "quality"],
        "rows": [["box", "1.0e-03 (limit 0.005)", "1.0e-07 (limit 0.01)", "passed"]],
    }


def test_a_run_that_fails_its_gates_is_marked_wherever_it_appears(finished):
    failed = dataclasses.replace(finished, verdicts={"box": verdicts(0.02)})
    assert tables.gates(failed)["rows"][0][-1] == "FAILED: energy"
    mark = "box (fails its quality gates)"
    assert tables.candidates(failed)["rows"][0][1] == mark
    assert tables.classified(failed)["rows"][0][0] == mark
    # Headlines: remnants and best candidate. Figures: film, remnants and best candidate. Tables: one row of classes
    # and two of candidates.
    assert page.render(page._values(failed, config.load())).count(mark) >= 2 + 3 + 3
    assert "fails its quality gates" not in page.render(page._values(finished, config.load()))


def test_page_is_whole_and_escapes_text(finished):
    values = page._values(finished, config.load())
    html = page.render(values)
    assert "a galaxy &lt;b&gt;&amp;" in html
    assert html.count("data:image/png;base64,") == 8
    assert "{{" not in html
    assert "c0de" * 4 in html and "a.h5" in html
    for headline in values["headlines"]:
        assert headline["value"] in html


def test_page_refuses_a_missing_number(finished):
    values = page._values(finished, config.load())
    del values["control"]
    with pytest.raises(Exception, match="control"):
        page.render(values)


def test_missing_results_are_named(tmp_path):
    with pytest.raises(InputError, match="box.h5: no such file"):
        results.read(tmp_path, ["box"])


def test_film_shows_first_and_last_frame(pack):
    fig, axes = plotstyle.figure(6, 1, ncols=3)
    figures.plot_film(pack.images, pack.frames["time_gyr"].to_numpy(), axes)
    assert [ax.get_title() for ax in axes] == ["0.00 Gyr", "0.50 Gyr", "1.00 Gyr"]
    assert plotstyle.png_bytes(fig).startswith(b"\x89PNG")


def test_same_figure_same_bytes(pack):
    def once() -> bytes:
        fig, ax = plotstyle.figure(2, 2)
        figures.plot_picture(pack.images[0], ax, "title")
        return plotstyle.png_bytes(fig)

    assert once() == once()
