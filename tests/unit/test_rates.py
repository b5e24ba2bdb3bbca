"""Rates: the known errors of a classifier are taken out, and the interval holds the truth as often as it says."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta
from typer.testing import CliRunner

from galclass import catalog, cli, rates
from galclass.errors import InputError


def table(called, truly, run, snapshot=None):
    """Frames that a classifier of two classes calls rectangles or ovals."""
    p = np.where(called, 0.9, 0.2)
    label = np.where(truly, "rectangle", "oval").astype(object)
    rows = {"run": run, "snapshot": run if snapshot is None else snapshot, "frame": np.arange(len(p))}
    return pd.DataFrame(rows | {"p_oval": 1 - p, "p_rectangle": p, "label": label})


def exact(rectangles, frames, finds, mistakes, prefix="run"):
    """Runs in which exactly these shares of the rectangles and of the others are called rectangles."""
    parts = []
    for number, count in enumerate(rectangles):
        truly = np.arange(frames) < count
        called = np.where(
            truly,
            np.arange(frames) < round(finds * count),
            np.arange(frames) - count < round(mistakes * (frames - count)),
        )
        parts.append(table(called, truly, f"{prefix}_{number:02}", np.arange(frames) % 20))
    return pd.concat(parts, ignore_index=True)


def drawn(rectangles, frames, finds, mistakes, rng):
    """Runs with error rates of their own, from beta distributions (mean, correlation)."""
    parts = []
    for number, count in enumerate(rectangles):
        found, mistaken = (rng.beta(m * (1 / rho - 1), (1 - m) * (1 / rho - 1)) for m, rho in (finds, mistakes))
        truly = np.arange(frames) < count
        called = rng.random(frames) < np.where(truly, found, mistaken)
        parts.append(table(called, truly, f"run_{number:02}", np.arange(frames) // 20))
    return pd.concat(parts, ignore_index=True)


# Closed forms -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fraction", [0.0, 0.02, 0.3, 1.0])
def test_errors_that_are_the_same_everywhere_are_taken_out(fraction):
    """f T + (1 - f) F is called so; 40 held-out runs of 1000 frames fix T and F to a few tenths of a per cent."""
    heldout = exact([500] * 40, 1000, 0.9, 0.04)
    target = exact([round(1000 * fraction)] * 10, 1000, 0.9, 0.04)
    rate = rates.estimate(target, heldout)
    assert rate.raw == pytest.approx(fraction * 0.9 + (1 - fraction) * 0.04, abs=1e-3)
    assert rate.fraction == pytest.approx(fraction, abs=0.01)
    assert rate.low <= fraction <= rate.high and rate.high - rate.low < 0.04


def test_a_flawless_classifier_counts():
    heldout, target = exact([100] * 12, 500, 1.0, 0.0), exact([0, 0, 150], 500, 1.0, 0.0)
    rate = rates.estimate(target, heldout)
    assert (rate.frames, rate.clusters, rate.raw, rate.cluster) == (1500, 3, 0.1, "run")
    assert rate.fraction == pytest.approx(0.1, abs=0.005)
    # Twelve flawless runs do not promise that each of these three is.
    assert 0.03 < rate.low <= 0.1 <= rate.high < 0.15


def test_known_rates_give_a_known_interval():
    """Without scatter of the errors the interval is that of the called share, moved and stretched."""
    rng = np.random.default_rng(1)
    called = rng.normal(0.2, 0.01, 100_000)
    low, high, note = rates.corrected(called, np.full(called.shape, 0.9), np.full(called.shape, 0.1))
    # (0.2 -+ 1.96 x 0.01 - 0.1) / 0.8; the quantiles of 1e5 draws are good to 1e-4.
    assert (low, high) == pytest.approx((0.1005, 0.1495), abs=3e-4)
    assert note == ""


def test_counts_without_scatter_are_binomial():
    """200 runs of 10 frames at the same rate: Jeffreys' interval of 400 in 2000."""
    means, correlations = rates.beta_posterior(np.full(200, 2.0), np.full(200, 10.0), np.random.default_rng(1))
    # Alike to the frame, they allow no correlation; the quantiles of 4000 draws are good to 4 % of the width.
    assert np.quantile(means, [0.025, 0.975]) == pytest.approx(beta.ppf([0.025, 0.975], 400.5, 1600.5), abs=0.002)
    assert np.median(correlations) < 0.01


def test_one_run_is_one_trial():
    """All of a hundred frames of one run: the mean over runs is hardly known."""
    means, _ = rates.beta_posterior(np.array([100.0]), np.array([100.0]), np.random.default_rng(1))
    assert np.quantile(means, 0.025) < 0.6  # a hundred independent ones would give 0.975


def test_scatter_between_runs_is_recognised():
    rng = np.random.default_rng(2)
    hits = rng.binomial(500, rng.beta(0.1 * 9, 0.9 * 9, 400)).astype(float)
    means, correlations = rates.beta_posterior(hits, np.full(400, 500.0), rng)
    # 400 rates of standard deviation sqrt(0.1 x 0.9 x 0.1) = 0.095: their mean is good to 0.005.
    assert means.mean() == pytest.approx(0.1, abs=0.015)
    assert correlations.mean() == pytest.approx(0.1, abs=0.02)


# What must not be claimed -----------------------------------------------------------------------------------


def test_no_detection_leaves_a_limit():
    heldout = exact([50] * 12, 500, 0.9, 0.0)
    for runs in (1, 30):
        rate = rates.estimate(exact([0] * runs, 200, 0.9, 0.0), heldout)
        # No success in n independent trials allows 3.7 / n (97.5 %); and every tenth was missed.
        assert (rate.low, rate.fraction) == (0.0, 0.0)
        assert rate.high > 3.7 / (200 * runs)
    # 30 runs without one allow 1 - 0.025^(1/30) = 0.116 if runs are all or nothing, 0.0006 if frames are independent.
    assert 0.006 < rate.population_high < 0.116


def test_mistakes_alone_are_no_detection():
    heldout = exact([50] * 12, 500, 0.9, 0.05)
    rate = rates.estimate(exact([0] * 5, 500, 0.9, 0.05), heldout)
    assert rate.raw == 0.05
    assert rate.low == 0.0 and 0.0 < rate.high < 0.05


@pytest.mark.parametrize("share", [0.02, 0.5])
def test_a_classifier_without_skill_says_nothing(share):
    rate = rates.estimate(exact([30] * 5, 500, share, share), exact([200] * 12, 500, share, share))
    assert (rate.low, rate.high, rate.population_low, rate.population_high) == (0.0, 1.0, 0.0, 1.0)
    assert rate.note == "the classifier is no better than chance at this class"


def test_heldout_runs_without_a_rectangle_say_nothing():
    rate = rates.estimate(exact([30] * 5, 500, 0.9, 0.0), exact([0] * 12, 500, 0.9, 0.0))
    assert (rate.low, rate.high) == (0.0, 1.0)


def test_frames_of_one_run_are_worth_less_than_of_many():
    rng = np.random.default_rng(3)
    heldout = drawn([60] * 12, 500, (0.9, 0.05), (0.03, 0.1), rng)
    one, many = (exact([3000 // runs] * runs, 30_000 // runs, 0.9, 0.03) for runs in (1, 60))
    widths = [rate.high - rate.low for rate in (rates.estimate(one, heldout), rates.estimate(many, heldout))]
    # The mistakes of one run have the scatter of a single draw; what is left with many is that of the held-out runs.
    assert widths[0] > 1.3 * widths[1]


def test_more_than_can_be_is_said():
    heldout = exact([250] * 30, 500, 0.5, 0.1)
    few, many = (rates.estimate(exact([count] * 30, 500, 1.0, 0.0), heldout) for count in (0, 500))
    assert few.low == 0.0 and few.high < 0.05 and few.note.startswith("fewer are called so")
    assert many.high == 1.0 and many.low > 0.8 and many.note.startswith("more are called so")


def test_one_run_stands_for_its_own_moments():
    heldout = exact([50] * 12, 500, 0.95, 0.01)
    truly = np.arange(500) // 20 >= 20  # the last five of 25 moments
    rate = rates.estimate(table(truly, truly, "box", np.arange(500) // 20), heldout)
    assert (rate.cluster, rate.clusters) == ("snapshot", 25)
    assert rate.note == "one run only: the population is that of its moments, clustered by snapshot"
    # Wilson's interval of 5 in 25 is 0.09 to 0.39.
    assert rate.population_low == pytest.approx(0.09, abs=0.03) and rate.population_high == pytest.approx(
        0.39, abs=0.05
    )
    assert rate.population_low < rate.low < 0.2 < rate.high < rate.population_high


# The interval holds the truth -------------------------------------------------------------------------------


def test_intervals_hold_the_truth():
    """Of 100 populations, 0.001 to 0.5, at least 93 have their fraction in the interval, of the set and of all runs."""
    rng = np.random.default_rng(11)
    here = everywhere = 0
    for number, fraction in enumerate(np.geomspace(0.001, 0.5, 100)):
        finds, mistakes = [((0.95, 0.02), (0.01, 0.03)), ((0.8, 0.1), (0.05, 0.1))][number % 2]
        heldout = drawn(rng.binomial(300, rng.beta(0.35, 3.5, 12)), 300, finds, mistakes, rng)
        runs = (2, 3, 5, 20)[number % 4]
        in_runs = rng.binomial(300, rng.beta(fraction * 4, (1 - fraction) * 4, runs))
        target = drawn(in_runs, 300, finds, mistakes, rng)
        rate = rates.estimate(target, heldout)
        here += rate.low <= in_runs.sum() / (300 * runs) <= rate.high
        everywhere += rate.population_low <= fraction <= rate.population_high
    assert here >= 93
    assert everywhere >= 93


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(0, 60), min_size=1, max_size=6), st.lists(st.integers(0, 60), min_size=1, max_size=6),
    st.floats(0, 1), st.floats(0, 1),
)  # fmt: skip
def test_every_set_has_an_interval(target, heldout, finds, mistakes):
    rate = rates.estimate(exact(target, 60, finds, mistakes), exact(heldout, 60, finds, mistakes))
    assert 0 <= rate.population_low <= rate.low <= rate.fraction <= rate.high <= rate.population_high <= 1


def test_neither_order_nor_names_matter():
    rng = np.random.default_rng(4)
    heldout = drawn([40] * 10, 200, (0.9, 0.05), (0.03, 0.1), rng)
    target = drawn([0, 0, 0, 90], 200, (0.9, 0.05), (0.03, 0.1), rng)
    rate = rates.estimate(target, heldout)
    assert rates.estimate(target.sample(frac=1, random_state=1), heldout.sample(frac=1, random_state=2)) == rate
    assert rates.estimate(target.assign(run="a_" + target["run"]), heldout) == rate
    assert rates.estimate(target[target.columns[::-1]], heldout) == rate


# Tables -----------------------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path):
    """A network's folder with held-out predictions, and two tables of classified frames."""
    catalog.write_table(tmp_path / "network" / "heldout.parquet", exact([50] * 12, 500, 0.9, 0.02), {})
    tables = [tmp_path / "box.parquet", tmp_path / "oval.parquet"]
    for path, count in zip(tables, (200, 0), strict=True):
        catalog.write_table(path, exact([count], 500, 0.9, 0.02, path.stem).drop(columns="label"), {})
    return tables, tmp_path / "network"


def test_rates_of_each_run_and_of_all(files, tmp_path):
    rows = rates.run(*files, tmp_path / "rates.csv")
    assert [row["run"] for row in rows] == ["box_00", "oval_00", "all"]
    assert [row["raw"] for row in rows] == [0.372, 0.02, 0.196]
    assert rows[0]["low"] <= 0.4 <= rows[0]["high"] and rows[2]["low"] <= 0.2 <= rows[2]["high"]
    written = pd.read_csv(tmp_path / "rates.csv")
    assert list(written["run"]) == ["box_00", "oval_00", "all"] and list(written["clusters"]) == [20, 20, 2]
    inputs = catalog.read_provenance(tmp_path / "rates.parquet")["inputs"]
    assert set(inputs) == {*map(str, files[0]), str(files[1] / "heldout.parquet")}


def test_the_verb_prints_lines_or_json(files, tmp_path):
    tables, network = files
    command = ["rates", *map(str, tables), "--network", str(network)]
    plain, as_json = CliRunner().invoke(cli.app, command), CliRunner().invoke(cli.app, [*command, "--json"])
    assert plain.exit_code == as_json.exit_code == 0
    assert plain.stdout.splitlines()[1].startswith("oval_00: 0 % of 500 frames (0 to ")
    rows = json.loads(as_json.stdout)
    assert [row["run"] for row in rows] == ["box_00", "oval_00", "all"]
    assert set(rows[0]) >= {"raw", "fraction", "low", "high", "population_low", "population_high", "cluster", "note"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="snapshot"), "the set: no column snapshot"),
        (lambda t: t.drop(columns="p_oval"), "a column p_NAME of numbers for each of at least two classes"),
        (lambda t: t.assign(p_oval="high"), "a column p_NAME of numbers"),
        (lambda t: t.assign(p_oval=np.nan), "probabilities from 0 to 1"),
        (lambda t: t.assign(p_oval=1.5), "probabilities from 0 to 1"),
        (lambda t: t.iloc[:0], "there must be a row"),
        (lambda t: t.assign(p_none=0.0), "classes p_oval, p_rectangle, p_none in the set, p_oval, p_rectangle in the"),
    ],
)
def test_tables_that_do_not_fit_are_one_line(change, message):
    target = exact([10], 50, 0.9, 0.0)
    with pytest.raises(InputError, match=message):
        rates.estimate(change(target), exact([10] * 3, 50, 0.9, 0.0))


def test_no_frame_counts_twice(files):
    (box, oval), network = files
    with pytest.raises(InputError, match="frame 0 of run box_00 is there twice; give it once"):
        rates.run([box, oval, box], network)


def test_an_unknown_class_is_one_line():
    with pytest.raises(InputError, match="round: no such class; the network has oval, rectangle"):
        rates.estimate(exact([10], 50, 0.9, 0.0), exact([10] * 3, 50, 0.9, 0.0), "round")


def test_a_network_without_heldout_predictions_is_one_line(files, tmp_path):
    with pytest.raises(InputError, match=r"heldout.parquet: no such file; rates need a network with held-out"):
        rates.run(files[0], tmp_path)
    (tmp_path / "heldout.parquet").write_text("nothing")
    with pytest.raises(InputError, match="not a readable Parquet table"):
        rates.run(files[0], tmp_path)
    with pytest.raises(InputError, match=r"rates.txt: this output is a file that ends in .csv or .parquet"):
        rates.run(*files, tmp_path / "rates.txt")
