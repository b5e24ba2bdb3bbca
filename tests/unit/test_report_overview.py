"""Rates by mass ratio, orbit and time are those of the runs, with their intervals; maps need a grid."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from galclass import plotstyle, rates
from galclass.report import overview
from tests.unit.test_report import classified, heldout, many, moments, some_results, untrained


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return some_results(untrained(tmp_path_factory.mktemp("network")))


def survey(finished, **columns):
    """`many` runs, each six frames, with these columns of the table of mergers."""
    count = len(next(iter(columns.values())))
    found = many(finished, count)
    rows = pd.DataFrame(columns, index=list(found.runs)).to_dict("index")
    return dataclasses.replace(found, runs={run: found.runs[run] | row for run, row in rows.items()})


def test_counts_give_the_rate_that_the_frames_give():
    """The frames made from counts of snapshots are called as the real ones, in the same runs and snapshots."""
    called = {"a": ["rectangle", "oval", "none", "rectangle"], "b": ["oval", "obround", "rectangle", "oval"]}
    frames = pd.concat([classified(classes, 2).assign(run=run) for run, classes in called.items()])
    counted = pd.concat([moments(run, classes, 2) for run, classes in called.items()], ignore_index=True)
    found = overview.rate_of(counted, overview.two_classes(heldout()))
    assert found == dataclasses.asdict(rates.estimate(frames, heldout()))
    assert found["raw"] == 3 / 8


def test_frames_of_no_rectangle_and_of_nothing_else():
    made = overview.frames_of(moments("a", ["oval", "oval", "rectangle", "rectangle"], 2))
    assert made["p_rectangle"].tolist() == [0, 0, 1, 1]
    assert made["snapshot"].tolist() == [0, 0, 1, 1]


def test_rates_after_the_merger_by_mass_ratio_and_time(finished):
    """Runs of mass ratio 1 have 0, 1, 2 rectangles of six, those of 3 have 3, 4, 5."""
    table = overview.by_property(survey(finished, mass_ratio=[1.0, 1.0, 1.0, 3.0, 3.0, 3.0]))
    ratio = table[table["quantity"] == "mass_ratio"]
    assert ratio["low_edge"].tolist() == [1.0, 3.0] and ratio["runs"].tolist() == [3, 3]
    assert ratio["raw"].tolist() == pytest.approx([3 / 18, 12 / 18])
    assert (ratio["low"] <= ratio["fraction"]).all() and (ratio["fraction"] <= ratio["high"]).all()
    assert (ratio["population_low"] <= ratio["low"]).all() and (ratio["population_high"] >= ratio["high"]).all()
    when = table[table["quantity"] == overview.TIME]
    assert when["middle"].tolist() == [0.0, 0.5, 1.0]
    # Rectangles come first in each run: 0 1 2 2 2 2 of two in the first snapshot.
    assert when["raw"].tolist() == pytest.approx([9 / 12, 5 / 12, 1 / 12])


def test_pairs_still_apart_are_not_counted(finished):
    found = survey(finished, mass_ratio=[1.0] * 3 + [3.0] * 3)
    apart = found.moments.assign(
        since_merger_gyr=found.moments["since_merger_gyr"].where(found.moments["time_gyr"] > 0.7)
    )
    table = overview.by_property(dataclasses.replace(found, moments=apart))
    assert table[table["quantity"] == "mass_ratio"]["frames"].tolist() == [6, 6]


def test_few_runs_are_not_split_and_one_has_no_rates(finished):
    assert set(overview.by_property(survey(finished, mass_ratio=[1.0, 3.0]))["quantity"]) == {overview.TIME}
    assert overview.by_property(finished).empty
    assert overview.grid(finished).empty


def test_what_says_the_same_as_another_is_left_out():
    design = pd.DataFrame({"mass_ratio": 1.0, "pericentre_kpc": [1, 1, 2, 2], "eccentricity": [0.9, 0.9, 0.8, 0.8],
                           "inclination1_deg": [0, 30, 0, 30]})  # fmt: skip
    assert overview.varied(design) == ["pericentre_kpc", "inclination1_deg"]
    assert "eccentricity" in overview.varied(design.assign(eccentricity=[0.9, 0.9, 0.8, 0.7]))


@pytest.mark.parametrize(
    ("values", "expected"),
    [([1, 1, 2, 3], [1, 2, 3]), (range(100), [0, 16, 33, 49, 66, 82]), ([1] * 90 + list(range(2, 20)), None)],
)
def test_bins_are_values_or_hold_equally_many_runs(values, expected):
    edges = overview.bin_edges(np.array(values, dtype=float), 6)
    assert (np.diff(edges) > 0).all() and edges[-1] > max(values)
    assert np.histogram(values, edges)[0].sum() == len(values)
    if expected:
        assert edges[:-1].tolist() == expected


def test_a_grid_has_a_map_and_a_random_survey_none(finished):
    sides = {"mass_ratio": np.repeat([1.0, 2.0, 3.0], 4), "pericentre_kpc": np.tile([0.1, 0.3], 6)}
    sides["eccentricity"] = 1 - sides["pericentre_kpc"] / 10
    table = overview.grid(survey(finished, **sides))
    assert list(table[["x", "y"]].drop_duplicates().itertuples(index=False, name=None)) == [
        ("mass_ratio", "pericentre_kpc")
    ]
    assert len(table) == 6 and (table["runs"] == 2).all()
    cell = table[(table["x_value"] == 1.0) & (table["y_value"] == 0.1)].iloc[0]
    assert cell["raw"] == pytest.approx((0 + 2) / 12)  # runs 0 and 2
    rng = np.random.default_rng(1)
    scattered = {"mass_ratio": rng.uniform(1, 10, 12), "pericentre_kpc": rng.uniform(0, 4, 12)}
    assert overview.grid(survey(finished, **scattered)).empty


def test_every_run_has_a_row_with_its_orbit_rate_and_span(finished):
    row = overview.runs(finished).iloc[0]
    assert (row["run"], row["frames"], row["after_merger"]) == ("box", 6, 6)
    assert row["rectangle"] == 0.5 and row["pericentre_kpc"] == finished.runs["box"]["pericentre_kpc"]
    assert row["low"] <= row["fraction"] <= row["high"]
    assert row["sky_fraction"] == pytest.approx(1 / 3) and bool(row["goes_on"])
    unseen = overview.runs(dataclasses.replace(finished, spans={})).iloc[0]
    assert np.isnan(unseen["duration_gyr"])
    never = {"box": {"summary": "never rectangular", "span": None, "corrected": None}}
    assert overview.runs(dataclasses.replace(finished, spans=never)).iloc[0]["duration_gyr"] == 0


def test_figures_show_the_tables(finished):
    found = survey(finished, mass_ratio=np.repeat([1.0, 3.0, 30.0], 4), pericentre_kpc=np.tile([0.1, 0.3], 6))
    table = overview.by_property(found)
    ratio = table[table["quantity"] == "mass_ratio"]
    fig, ax = plotstyle.figure(3, 2)
    overview.plot_rates(ratio, ax)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), 100 * ratio["fraction"])
    assert ax.get_xscale() == "log" and ax.get_xlabel() == "mass ratio"
    fig, ax = plotstyle.figure(3, 2)
    overview.plot_grid(overview.grid(found), ax)
    assert len(ax.texts) == 6
    runs = overview.runs(found).assign(duration_gyr=np.arange(12.0), sky_fraction=0.1)
    fig, ax = plotstyle.figure(3, 2)
    overview.plot_spans(runs, ax)
    assert len(ax.collections[0].get_offsets()) == 11  # one is never a rectangle
    assert "run_011" in [text.get_text() for text in ax.texts]
    assert plotstyle.png_bytes(fig).startswith(b"\x89PNG")


def test_only_names_that_do_not_overlap_stand_beside_dots():
    """The second is beside the first, the third far below, the fourth much shorter."""
    runs = pd.DataFrame({"run": list("abcd"), "duration_gyr": [1.0, 0.98, 0.97, 0.3], "mass_ratio": 1.0,
                         "sky_fraction": [0.30, 0.31, 0.10, 0.30]})  # fmt: skip
    _, ax = plotstyle.figure(4.0, 3.0)
    overview.plot_spans(runs, ax)
    assert [text.get_text() for text in ax.texts] == ["a", "c", "d"]
