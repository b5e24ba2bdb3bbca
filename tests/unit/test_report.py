"""The report says what the results say."""

import dataclasses
import json
import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml

from galclass import catalog, config, images, network, plotstyle, provenance, rates, verify, visibility
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


def untrained(folder: Path) -> Path:
    """A classifier that was never trained, in a folder."""
    network.fix_seeds(1)
    size = 3 * 16
    numbers = {"temperature": 1.0, "mean": [0.0] * size, "limit": 10.0}
    calibration = {**numbers, "whitening": np.eye(size).tolist()}
    card = {"kind": "trusted", "classes": list(network.TRUSTED_CLASSES), "pixels": None, "preprocessing": {},
            "calibration": calibration, "metrics": {}, "provenance": {}}  # fmt: skip
    network.write([network.build(network.trusted_layers())], folder, card)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return untrained(tmp_path_factory.mktemp("network"))


def verdicts(energy: float) -> list[dict]:
    """Quality of a run with this drift of the energy."""
    return [
        {"gate": "energy", "largest_drift": energy, "limit": 0.005, "passed": energy <= 0.005},
        {"gate": "centre_of_mass", "largest_drift": 1e-7, "limit": 0.01, "passed": True},
    ]


def some_pack() -> images.Pack:
    """Two views of each of three snapshots of run box, all the same galaxy."""
    y, x = np.mgrid[-2:2:24j, -2:2:24j]
    picture = images.stretch(np.exp(-2 * np.hypot(x, 1.5 * y)), 3.0)
    frames = pd.DataFrame({"frame": range(6), "run": "box", "time_gyr": [0, 0, 0.5, 0.5, 1, 1], "label": CLASSES * 2})
    frames["snapshot"] = [f"snapshot_00{k // 2}" for k in range(6)]
    return images.Pack(np.stack([picture] * 6), frames, {"settings": {"depth_dex": 3.0}})


@pytest.fixture
def pack() -> images.Pack:
    return some_pack()


def candidates() -> pd.DataFrame:
    """Frames 5 and 2 of run box as candidates, the second not measured in part, both without controls."""
    rows = {"rank": [1, 2], "run": "box", "frame": [5, 2], "snapshot": ["snapshot_002", "snapshot_001"],
            "time_gyr": [1.0, 0.5], "view_x": 1.0, "view_y": 0.0, "view_z": 0.0, "roll_deg": 12.5,
            "pixel_kpc": 0.2, "pixel_arcsec": 2.0, "effective_radius_kpc": 1.5, "snr": [50.0, np.inf], "seed": 1,
            "class": "rectangle", "p_rectangle": [0.9, 0.8], "domain_distance": [0.5, np.nan],
            "reference": "a galaxy <b>&", "rotation_deg": [33.0, np.nan], "mirrored": [True, False],
            "axis_ratio": 0.7, "b4": [-0.08, np.nan], "b4_err": [0.01, np.nan], "b6": [0.0, np.nan],
            "b6_err": [0.01, np.nan], "a4_over_a": [-0.06, np.nan], "measured_label": ["rectangle", "none"],
            "p_label": [0.9, np.nan], "inner_disc_re": np.nan, "inner_disc_sigma": 0.5, "ellipticity_distance": 1.0,
            "a4_distance": 1.0, "b6_distance": 1.0, "sift_reference_keypoints": 5, "sift_matches": [4, 2],
            "sift_verdict": [verify.NOT_INFORMATIVE, "informative"]}  # fmt: skip
    rows |= {name: [3, 2] if "sift" in name else [0.9, 0.7] for name in verify.SCORES}
    for end in ("", "_ovals", "_controls"):
        given = [np.nan, np.nan] if end == "_controls" else [99.5, 50.0]
        rows |= {f"{name}_percentile{end}": given for name in verify.SCORES}
        rows[f"p_chance{end}"] = np.nan if end == "_controls" else [0.04, 1.0]
    return pd.DataFrame(rows)


def isophotes_of(run: str, frame: int, a4: float) -> pd.DataFrame:
    """Rows of the table of profiles."""
    rows = {"run": run, "frame": frame, "radius_re": [0.5, 1.0, 2.0], "radius_px": [2.5, 5.0, 10.0]}
    rows |= {name: [a4, a4, np.nan] for name in ("ellipticity", "a4_over_a", "b6")}
    return pd.DataFrame(rows | {f"{name}_err": 0.01 for name in ("ellipticity", "a4_over_a", "b6")})


def sky() -> pd.DataFrame:
    """Run box from three sides, of which one shows a rectangle in the last snapshot."""
    return pd.DataFrame({"run": "box", "snapshot": "snapshot_002", "time_gyr": 1.0, "direction": range(3),
                         "view_x": [1.0, 0.0, 0.0], "view_y": [0.0, 1.0, 0.0], "view_z": [0.0, 0.0, 1.0],
                         "galaxies": 1, "class": ["rectangle", "oval", "oval"], "p_rectangle": [0.9, 0.1, 0.2],
                         "domain_distance": 0.5, "cosine_aligned": 0.9, "cosine_residual": 0.5})  # fmt: skip


def moments(run: str, classes: list[str], views: int, apart: int = 0) -> pd.DataFrame:
    """Of frames of these classes; in the first `apart` snapshots the pair is not one yet."""
    table = classified(classes, views).assign(run=run)
    return results.moments_of(run, table, {f"s{k}": 2 for k in range(apart)})


def write_pack(path: Path) -> images.PackFile:
    """`some_pack` as a file."""
    pack = some_pack()
    frames = pack.frames.assign(**{name: 0.0 for name in images.FRAME_COLUMNS if name not in pack.frames})
    images.write_pack(path, pack.images, frames, pack.provenance)
    return images.PackFile(path)


def some_results(folder: Path) -> results.Results:
    """Results of one run of six frames, as the stages would leave them; `folder` has a network."""
    pack = some_pack()
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
    counts |= {"rectangle_share": 1 / 3, "low": 0.1, "high": 0.7, "snr": 50.0}
    profiles = [isophotes_of("box", 5, -0.05), isophotes_of("box", 2, 0.01), isophotes_of("reference", 0, -0.06)]
    keypoints = verify.sift(pack.images[0].astype(float), config.load()["verify"]["sift"])
    reference = SimpleNamespace(name="a galaxy <b>&", picture=pack.images[0].astype(float), keypoints=keypoints,
                                pixel_arcsec=2.6)  # fmt: skip
    return results.Results(
        folder=Path("results"),
        runs={"box": config.read_mergers(config.ROOT / "config" / "mergers.tsv")["box"]},
        films={"box": pack},
        packs={"box": write_pack(folder / "box.h5")},
        verdicts={"box": verdicts(0.001)},
        shapes=pack,
        labels=pd.DataFrame(shapes),
        measured={"box": pd.DataFrame(measured)},
        counts=pd.DataFrame([counts]),
        history=pd.DataFrame(history).assign(member=1),
        metrics=metrics(),
        network=folder,
        heldout=heldout(),
        moments=moments("box", ["oval", "oval", "rectangle", "oval", "rectangle", "rectangle"], 2).assign(
            snapshot=[f"snapshot_00{k}" for k in range(3)]
        ),
        candidates=candidates(),
        provenance={
            "galclass": "1",
            "python": "3",
            "libraries": {"numpy": "2"},
            "code": "c0de" * 16,
            "inputs": {"a.h5": "f" * 64},
        },
        reference_card={"name": "a galaxy <b>&"},
        references=[reference],
        profiles=pd.concat(profiles, ignore_index=True),
        visibility={"box": sky()},
        spans={"box": {"summary": visibility.summary(times := visibility.times(sky())),
                       "span": visibility.longest_span(times), "corrected": None}},
    )  # fmt: skip


@pytest.fixture
def finished(folder) -> results.Results:
    return some_results(folder)


def test_fractions_are_shares_of_the_views_at_each_time():
    table = tables.fractions(moments("box", ["oval", "rectangle", "rectangle", "rectangle"], 2))
    assert table["time_gyr"].tolist() == [0.0, 0.5]
    assert table["rectangle"].tolist() == [0.5, 1.0]
    assert table["obround"].tolist() == [0.0, 0.0]
    assert table[CLASSES].sum(axis=1).tolist() == [1.0, 1.0]


def test_share_is_in_per_cent():
    assert tables.share(moments("box", ["oval"] + ["rectangle"] * 3, 1), "rectangle") == "75.0 %"


def test_headlines_are_three_and_true(finished):
    accuracy, remnants, best = tables.headlines(finished)
    assert accuracy["value"] == "97.0 %"
    assert "34.0 %" in accuracy["text"]
    assert remnants["value"] == "box 100 %"  # both views of the last snapshot
    assert best["value"] == "0.900"
    assert "frame 5" in best["text"]


def test_thesis_stands_beside_ours(finished):
    thesis = yaml.safe_load((config.ROOT / "workflow" / "report" / "thesis.yaml").read_text())
    rows = {row[0]: row[1:] for row in tables.expected(thesis, finished)["rows"]}
    assert rows["candidates"][:2] == ["4,683", "3"]
    assert rows["best raw cosine"][:2] == ["0.9112", "0.9000"]
    assert rows["frames called rectangle"][0] == "0.9 to 7.5 % (figure), 43 % (text)"
    assert "50.0 %" in rows["frames called rectangle"][1]


def test_frames_are_counted_by_run_and_together_with_the_corrected_rate(finished):
    """Three of six frames; a classifier without errors leaves the rate as it is."""
    table = tables.classified(finished)
    assert [row[:2] for row in table["rows"]] == [["box", 6], ["all", 6]]
    assert table["rows"][0][table["columns"].index("rectangle")] == "50.0 %"
    frames = classified(["oval", "oval", "rectangle", "oval", "rectangle", "rectangle"], 2)
    rate = rates.estimate(frames, finished.heldout)
    low, high = (visibility.percent(end) for end in (rate.low, rate.high))
    assert table["rows"][0][7] == f"50 % ({low} to {high} %)"
    assert (table["rows"][0][-1], table["notes"]) == ("", rate.note.split("; ")), (
        "what is noted of every run is said once"
    )


def test_the_classifier_stands_beside_the_ruler(finished):
    table = tables.trained(finished.metrics)
    assert [row[0] for row in table["rows"]] == ["simulations", "shape models"]
    assert table["rows"][0][table["columns"].index("the ruler's")] == "0.700"


def test_measured_labels_are_counted_with_their_interval(finished):
    table = tables.measured(finished)
    assert table["columns"][:6] == ["run", "frames", "oval", "rectangle", "obround", "none of these"]
    assert table["rows"] == [["box", 6, 3, 2, 0, 1, "33.3 % (10.0 to 70.0)", "50"]]


def test_candidates_show_scores_with_percentiles(finished):
    table = tables.candidates(finished, 1)
    first, second = (dict(zip(table["columns"], row, strict=True)) for row in table["rows"])
    assert first["residual cosine"] == ("0.900 (99.5 %)", 0.9, "")
    assert first["SIFT inliers"].text == "3 (99.5 %)"
    assert first["p by chance"] == ("0.04", 0.04, "")
    assert first["B4"] == ("-0.080 ± 0.010 (rectangle)", -0.08, "")
    assert (first["rank"].link, second["rank"].link) == ("candidates.html#candidate-1", "")


def test_what_was_not_measured_is_a_dash_and_sorts_last(finished):
    table = tables.candidates(finished, 1)
    assert table["rows"][1][table["columns"].index("B4")] == ("– (none)", None, "")
    assert tables.number_cell(float("nan"), "{:.2f}") == ("–", None, "")


def test_percentiles_near_the_top_have_a_digit_more():
    assert [tables.percentile_text(value) for value in (99.54, 99.0, 3.2)] == ["99.5", "99", "3"]
    assert tables.percentile_text(float("nan"), "_controls") == "no controls given"
    assert tables.percentile_text(float("nan")) == "–"


def test_the_table_of_candidates_sorts_by_numbers_and_without_a_script_is_a_plain_table(finished):
    html = page.render(page._values(finished, config.load()))
    table = html[html.index('<table class="sortable">') : html.index("</table>", html.index('class="sortable"'))]
    assert '<th scope="col">residual cosine</th>' in table
    assert '<td class="number" data-sort="0.9">0.900 (99.5 %)</td>' in table
    assert '<td class="number" data-sort="">– (none)</td>' in table  # no key: last in either direction
    assert '<td data-sort="box">box</td>' in table
    assert '<a href="candidates.html#candidate-1">1</a>' in table
    assert table.count("<tr>") == 1 + 2
    script = html[html.index("<script>") : html.index("</script>", html.index("<script>"))]
    assert all(word in script for word in ("table.sortable", 'createElement("button")', "aria-sort", "dataset.sort"))
    for end in ("csv", "parquet", "fits"):
        assert f'<a href="../verify/candidates.{end}">' in html


def test_runs_stand_with_their_quality(finished):
    assert tables.gates(finished) == {
        "columns": ["run", "energy", "centre of mass", "quality"],
        "rows": [["box", "1.0e-03 (limit 0.005)", "1.0e-07 (limit 0.01)", "passed"]],
        "passed": "1 of 1 runs pass their quality gates.",
    }


def many(finished, count: int) -> results.Results:
    """The same run under many names; each has one rectangle more than the one before, until all six frames are."""
    runs = [f"run_{k:03d}" for k in range(count)]
    called = [["rectangle"] * min(k, 6) + ["oval"] * max(6 - k, 0) for k in range(count)]
    parts = [moments(run, classes, 2) for run, classes in zip(runs, called, strict=True)]
    return dataclasses.replace(
        finished,
        runs=dict.fromkeys(runs, finished.runs["box"]),
        moments=pd.concat(parts, ignore_index=True),
        verdicts={run: verdicts(0.02 if run == "run_001" else 0.001) for run in runs},
        counts=pd.concat([finished.counts.assign(run=run) for run in runs], ignore_index=True),
        candidates=finished.candidates.assign(run=["run_004", "run_003"]),
        spans={},
    )


def test_of_many_runs_the_tables_list_those_with_most_rectangles_and_the_gates_those_that_fail(finished):
    survey = many(finished, tables.LISTED + 5)
    assert "run_000" not in tables.listed(survey) and len(tables.listed(survey)) == tables.LISTED
    assert [row[0] for row in tables.gates(survey)["rows"]] == ["run_001"]
    assert (
        tables.gates(survey)["passed"] == f"{tables.LISTED + 4} of {tables.LISTED + 5} runs pass their quality gates."
    )
    rows = tables.classified(survey)["rows"]
    assert len(rows) == tables.LISTED + 1
    assert rows[-1][:2] == ["all", 6 * (tables.LISTED + 5)]
    assert len(tables.measured(survey)["rows"]) == tables.LISTED


def test_of_many_runs_those_of_the_best_candidates_and_the_extremes_are_shown(finished):
    assert tables.shown_runs(many(finished, 6), 6) == [f"run_{k:03d}" for k in range(6)]
    assert tables.shown_runs(many(finished, 7), 4) == ["run_004", "run_003", "run_006", "run_000"]


def test_many_runs_have_a_rate_for_a_headline_few_a_list(finished):
    assert tables.headlines(many(finished, 6))[1]["value"].count("run_") == 6
    headline = tables.headlines(many(finished, 7))[1]
    # 0 + 1 + ... + 6 of 7 x 6 frames, and a classifier that never errs.
    assert headline["value"] == "50 %"
    assert "of 7 mergers" in headline["text"]


def test_a_run_that_fails_its_gates_is_marked_wherever_it_appears(finished):
    failed = dataclasses.replace(finished, verdicts={"box": verdicts(0.02)})
    assert tables.gates(failed)["rows"][0][-1] == "FAILED: energy"
    mark = "box (fails its quality gates)"
    assert tables.candidates(failed, 1)["rows"][0][1].text == mark
    assert tables.classified(failed)["rows"][0][0] == mark
    # Headlines: remnants and best candidate. Figures: film, remnants and best candidate. Tables: one row of classes
    # and two of candidates.
    assert page.render(page._values(failed, config.load())).count(mark) >= 2 + 3 + 3
    assert "fails its quality gates" not in page.render(page._values(finished, config.load()))


def test_page_is_whole_and_escapes_text(finished):
    values = page._values(finished, config.load())
    html = page.render(values)
    assert "a galaxy &lt;b&gt;&amp;" in html
    assert html.count("data:image/png;base64,") == 7
    assert "{{" not in html
    assert "c0de" * 4 in html and "a.h5" in html
    for headline in values["headlines"]:
        assert headline["value"] in html


def test_run_writes_both_pages_and_the_numbers_behind_them(finished, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(page, "read", lambda folder, settings: finished)
    page.run(tmp_path, config.load(), tmp_path / "report" / "index.html")
    names = {path.name for path in (tmp_path / "report").iterdir()}
    assert names == {"index.html", "candidates.html", "candidates_matches.csv", "candidates_saliency.csv", "runs.csv",
                     "fractions.csv", "headline.json", "headline.txt", "overview.png", "thumbnails"}  # fmt: skip
    assert 'href="candidates.html"' in (tmp_path / "report" / "index.html").read_text()
    other = (tmp_path / "report" / "candidates.html").read_text()
    assert 'href="index.html"' in other
    for name in ("candidates_matches.csv", "candidates_saliency.csv"):
        assert f'href="{name}"' in other
        assert len(pd.read_csv(tmp_path / "report" / name)) > 0
    assert "Report:" in capsys.readouterr().out


def test_page_refuses_a_missing_number(finished):
    values = page._values(finished, config.load())
    del values["control"]
    with pytest.raises(Exception, match="control"):
        page.render(values)


def test_missing_results_are_named(tmp_path):
    with pytest.raises(InputError, match="quality.csv: no such file"):
        results.read(tmp_path, config.load())


def test_snapshots_are_counted_by_class_with_their_most_rectangular_view():
    classes = ["oval", "rectangle", "none", "oval", "oval", "rectangle"]
    table = classified(classes, 2).assign(frame=[3, 4, 5, 6, 7, 8], domain_distance=[0.5, 2.0, 0.5, 0.5, 0.5, 0.5])
    found = results.moments_of("box", table.iloc[::-1], {"s0": 2, "s1": 1})
    assert found["time_gyr"].tolist() == [0.0, 0.5, 1.0]
    assert found[["frames", "oval", "rectangle", "obround", "none", "far"]].to_numpy().tolist() == [
        [2, 1, 1, 0, 0, 1], [2, 1, 0, 0, 1, 0], [2, 1, 1, 0, 0, 0]]  # fmt: skip
    assert found["best_frame"].iloc[[0, 2]].tolist() == [4, 8]
    assert found["first_frame"].tolist() == [3, 5, 7]
    np.testing.assert_array_equal(found["since_merger_gyr"], [np.nan, 0.0, 0.5])


def test_a_pair_that_comes_apart_again_merges_later_or_never():
    since = lambda apart: results.moments_of("box", classified(["oval"] * 3, 1), dict.fromkeys(apart, 2))  # noqa: E731
    np.testing.assert_array_equal(since(["s0", "s1"])["since_merger_gyr"], [np.nan, np.nan, 0.0])
    assert since(["s2"])["since_merger_gyr"].isna().all()


def test_a_table_that_lacks_a_column_is_named(tmp_path):
    catalog.write_table(tmp_path / "box.parquet", classified(["oval"], 1).drop(columns="class"), {})
    with pytest.raises(InputError, match="box.parquet: not a Parquet table with the columns .*class"):
        results.columns(tmp_path / "box.parquet", ["frame", "class"])


def test_snapshots_are_named_in_the_archive_where_there_is_one(finished, tmp_path):
    there = dataclasses.replace(finished, folder=tmp_path)
    run = tmp_path / "simulate" / "mergers" / "box"
    assert there.source("box", "snapshot_001") == run / "snapshot_001.dat"
    run.mkdir(parents=True)
    (run / "snapshots.tar").touch()
    assert there.source("box", "snapshot_001") == run / "snapshots.tar" / "snapshot_001.dat"


def test_pages_carry_the_record_of_what_they_were_made_from(finished, tmp_path, monkeypatch):
    monkeypatch.setattr(page, "read", lambda folder, settings: finished)
    catalog.write_table(tmp_path / "classify" / "box.parquet", classified(["oval"], 1), {})
    page.run(tmp_path, config.load(), tmp_path / "report" / "index.html")
    record = page.page_record(results.sources(tmp_path, ["box"]), config.load())
    assert list(record["inputs"]) == [str(tmp_path / "classify" / "box.parquet")]
    for name in ("index", "candidates"):
        html = (tmp_path / "report" / f"{name}.html").read_text()
        begin = html.index('<script type="application/json" id="provenance">')
        assert json.loads(html[html.index(">", begin) + 1 : html.index("</script>", begin)]) == record


def test_tables_of_many_runs_are_one_input_whose_digest_sha256sum_gives(tmp_path):
    runs = [f"run_{k:03d}" for k in range(page._FEW_FILES + 1)]
    for run in runs:
        (tmp_path / "classify").mkdir(exist_ok=True)
        (tmp_path / "classify" / f"{run}.parquet").write_text(run)
    inputs = page.page_record(results.sources(tmp_path, runs), config.load())["inputs"]
    pattern = str(tmp_path / "classify" / "*.parquet")
    done = subprocess.run(
        "sha256sum * | sha256sum", cwd=tmp_path / "classify", shell=True, capture_output=True, text=True
    )
    assert inputs == {pattern: done.stdout.split()[0]}
    assert provenance.file_digest(tmp_path / "classify" / "run_000.parquet") not in inputs.values()


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
