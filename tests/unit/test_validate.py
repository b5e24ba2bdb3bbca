"""Shares of boxy remnants and their intervals, the noise taken off, and the survey itself."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from galclass import catalog, config, snapshot, validate
from galclass.cli import app
from galclass.errors import InputError
from galclass.initial.orbit import disc_rotation
from galclass.validate import figures, remnants, summary

ROOT = Path(__file__).resolve().parents[2]


def projections(a4: np.ndarray, noise: float, mass_ratio: float = 1.0, apart: bool = False) -> pd.DataFrame:
    """A table of projections: a4 (remnants, views), and a4 of stars drawn anew with this noise."""
    rng, (count, views) = np.random.default_rng(7), a4.shape
    runs = np.repeat([f"r{number}_{mass_ratio:g}" for number in range(count)], views)
    rotation = np.linspace(0.1, 0.9, a4.size)
    return pd.DataFrame(
        {"run": runs, "apart": apart, "a4_over_a": a4.ravel(),
         "a4_redrawn": (a4 + rng.normal(0.0, noise, a4.shape)).ravel(),
         "v_over_sigma_star": rotation, "rotation_km_s": 10.0, "dispersion_km_s": 20.0, "ellipticity": 0.3,
         "mass_ratio": mass_ratio}
    )  # fmt: skip


def one_row(table: pd.DataFrame) -> dict:
    """The only row of a summary."""
    (row,) = summary.by_mass_ratio(table).to_dict("records")
    return row


def test_shares_count_projections_and_intervals_count_remnants():
    """Eight remnants, each boxy from everywhere or nowhere, are eight trials however often they are seen."""
    a4 = np.where(np.arange(8)[:, None] < 2, -0.01, 0.01) * np.ones((8, 400))
    row = one_row(projections(a4, 0.001))
    assert row["boxy"] == 0.25
    assert row["surely_boxy"] == 0.25 and row["surely_discy"] == 0.75
    assert row["always_boxy"] == 2
    # Wilson's interval of 2 in 8, as a textbook has it: 0.071 to 0.591.
    assert (row["boxy_low"], row["boxy_high"]) == pytest.approx((0.0715, 0.5907), abs=0.001)


def test_noise_is_found_and_taken_off():
    """Normal a4 of mean one spread have 15.9 % below 0; with as much noise 24.0 %. 16,000 draws: 0.3 %, times 3."""
    rng = np.random.default_rng(3)
    a4 = rng.normal(0.01, 0.01, (16, 1000))
    row = one_row(projections(a4 + rng.normal(0.0, 0.01, a4.shape), 0.01))
    assert row["noise"] == pytest.approx(0.01, rel=0.05)
    assert row["spread"] == pytest.approx(0.01, rel=0.05)
    assert row["boxy"] == pytest.approx(0.240, abs=0.011)
    assert row["quiet"] == pytest.approx(0.159, abs=0.011)


def test_expected_share_is_the_published_one_drawn_towards_one_half_by_noise():
    assert summary.expected_share(0.1, 0.01, 0.0) == pytest.approx(0.1)
    assert summary.expected_share(0.5, 0.01, 0.02) == pytest.approx(0.5)
    # Noise as large as the spread divides 1.2816 standard deviations by sqrt(2).
    assert summary.expected_share(0.1, 0.01, 0.01) == pytest.approx(0.5 * math.erfc(1.2815516 / 2.0), rel=1e-6)
    assert summary.expected_share(0.1, 0.0, 0.01) == 0.5
    assert math.isnan(summary.expected_share(math.nan, 0.01, 0.01))


def test_values_that_are_all_noise_become_their_mean():
    """Their spread cannot be less than nothing."""
    a4 = np.random.default_rng(1).normal(0.004, 0.01, 1000)
    assert summary.quieter(a4, np.full(1000, 0.02)) == pytest.approx(np.full(1000, a4.mean()))


def test_mass_ratios_have_rows_of_their_own_and_pairs_none():
    quiet = np.full((2, 10), 0.01)
    table = pd.concat([projections(quiet, 0.001), projections(-quiet, 0.001, 3.0),
                       projections(-quiet, 0.001, 3.0, apart=True).assign(run="pair")])  # fmt: skip
    found = summary.by_mass_ratio(table)
    assert found["mass_ratio"].tolist() == [1.0, 3.0]
    assert found["boxy"].tolist() == [0.0, 1.0]
    assert found["pairs"].tolist() == [0, 1]
    assert found["remnants"].tolist() == [2, 2]
    assert found["expected"].tolist() == [0.5, 0.1]
    assert [line.split(",")[0] for line in summary.lines(found)] == ["1:1", "3:1"]
    assert "1 not merged" in summary.lines(found)[1]


def test_mass_ratio_that_nobody_published_has_no_expectation():
    (line,) = summary.lines(summary.by_mass_ratio(projections(np.full((2, 10), 0.01), 0.001, 2.0)))
    assert "expected" not in line and "nan %" not in line


def test_survey_without_a_remnant_is_refused():
    with pytest.raises(InputError, match="none of the mergers has merged"):
        summary.by_mass_ratio(projections(np.zeros((1, 5)), 0.001, apart=True))


def test_slow_rotation_and_its_median():
    row = one_row(projections(np.zeros((1, 401)), 0.001))
    assert row["v_over_sigma_star"] == pytest.approx(0.5)
    assert row["slow"] == pytest.approx(0.375, abs=0.003)  # 0.1 to 0.4 of 0.1 to 0.9, one in 401


def test_figure_has_a_row_of_panels_for_each_mass_ratio():
    table = pd.concat([projections(np.full((2, 10), 0.01), 0.001, ratio) for ratio in (1.0, 3.0)])
    assert len(figures.overview(table, summary.by_mass_ratio(table)).axes) == 8


# A survey as files ------------------------------------------------------------------------------------------


def galaxy(rng: np.random.Generator, count: int) -> snapshot.Snapshot:
    """A flat galaxy that turns slowly, and a halo particle far away that must not count."""
    places = np.concatenate([rng.normal(size=(count, 3)) * [1.0, 0.8, 0.5], [[500.0, 0.0, 0.0]]])
    velocities = rng.normal(0.0, 20.0, (count + 1, 3))
    types = np.append(np.full(count, 2), 1).astype(np.int8)
    return snapshot.Snapshot(places, velocities, np.ones(count + 1), np.arange(1, count + 2), types).sorted_by_type()


@pytest.fixture
def survey(tmp_path) -> list[Path]:
    """Folders of two runs of the survey, each with an early snapshot, a pair, and a late one, a remnant."""
    rng, folders = np.random.default_rng(1), [tmp_path / "g01_1to1", tmp_path / "g01_3to1"]
    for folder in folders:
        folder.mkdir()
        one, two = galaxy(rng, 1500), galaxy(rng, 1500)
        far = snapshot.Snapshot(two.positions + 40.0, two.velocities, two.masses, two.ids, two.types)
        snapshot.write(folder / "snapshot_000.dat", snapshot.join([one, far]).sorted_by_type())
        snapshot.write(folder / "snapshot_001.dat", one)
    return folders


@pytest.fixture
def settings() -> dict:
    whole = config.load([ROOT / "config" / "validate_mergers.yaml"])
    return config.merge(whole, {"validate": {"views": 2}})


def test_last_snapshots_are_measured_and_written_the_same_again(survey, settings, tmp_path):
    found = validate.run(survey, settings, tmp_path / "a" / "summary.parquet", processes=1)
    assert found["remnants"].tolist() == [1, 1]
    assert found["projections"].tolist() == [2, 2]
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["projections.csv", "projections.parquet", "summary.csv", "summary.parquet", "summary.png"]
    validate.run(survey, settings, tmp_path / "b" / "summary.parquet", processes=1)
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
    record = catalog.read_provenance(tmp_path / "a" / "summary.parquet")
    assert record["seed"] == settings["validate"]["seed"] and len(record["inputs"]) == 2


def test_pair_is_told_from_a_remnant(survey):
    assert remnants.observe(survey[0] / "snapshot_000.dat", "r", 1, 2)["apart"].all()
    seen = remnants.observe(survey[0] / "snapshot_001.dat", "r", 1, 2)
    assert not seen["apart"].any()
    # Half of a round Gaussian of deviation s lies within 1.177 s, of views of 1, 0.8 and 0.5 between 0.7 and 1.1.
    assert seen["r_eff_kpc"].between(0.7, 1.1).all()
    assert seen["stars"].tolist() == [1500, 1500]


def test_snapshot_without_stars_and_folder_without_run_are_refused(survey, settings, tmp_path):
    dark = snapshot.read(survey[0] / "snapshot_001.dat").select([1])
    snapshot.write(tmp_path / "dark.dat", dark)
    with pytest.raises(InputError, match="no stars"):
        remnants.observe(tmp_path / "dark.dat", "r", 1, 2)
    other = survey[0].rename(tmp_path / "mine")
    with pytest.raises(InputError, match="mine: no run of that name"):
        validate.run([other], settings, tmp_path / "summary.parquet")


def test_verb_prints_a_line_for_each_mass_ratio(survey, tmp_path):
    overlay = tmp_path / "few.yaml"
    overlay.write_text("validate:\n  views: 2\n")
    command = ["validate", *map(str, survey), "-o", str(tmp_path / "summary.parquet"), "--processes", "1",
               "-c", str(ROOT / "config" / "validate_mergers.yaml"), "-c", str(overlay)]  # fmt: skip
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert done.output.count("projections of 1 remnant:") == 2


# The survey -------------------------------------------------------------------------------------------------


def spins(rows: list[dict], number: int) -> np.ndarray:
    """Spins of the discs of one side, shape (n, 3)."""
    angles = [(row[f"inclination{number}_deg"], row[f"argument{number}_deg"]) for row in rows]
    return np.array([disc_rotation(*pair, number == 2)[:, 2] for pair in angles])


def test_survey_has_sixteen_orientations_of_two_tetrahedra_for_both_mass_ratios(settings):
    """Spins of each side are the corners of a tetrahedron, none preferred; angles are rounded to a degree."""
    rows = list(config.selected_runs(settings).values())
    for ratio in (1, 3):
        part = [row for row in rows if row["mass_ratio"] == ratio]
        both = np.hstack([spins(part, 1), spins(part, 2)])
        assert len(np.unique(both.round(3), axis=0)) == 16
        for side in (both[:, :3], both[:, 3:]):
            corners = np.unique(side.round(3), axis=0)
            off = ~np.eye(4, dtype=bool)
            assert (corners @ corners.T)[off] == pytest.approx(np.full(12, -1.0 / 3.0), abs=0.02)


def test_survey_has_the_galaxies_and_orbits_of_the_paper(settings):
    """Their units are the disc's mass and scale length."""
    own = settings["initial"]
    mass, scale = own["disc_mass_msun"], own["disc_scale_kpc"]
    assert own["halo_mass_msun"] / mass == pytest.approx(5.8)
    assert own["bulge_scale_kpc"] / scale == pytest.approx(0.2)
    for row in config.selected_runs(settings).values():
        assert row["bulge_over_halo"] * own["halo_mass_msun"] / mass == pytest.approx(1.0 / 3.0, rel=0.001)
        assert (row["pericentre_kpc"] / scale, row["separation_kpc"] / scale) == pytest.approx((2.0, 30.0))
    assert own["disc_particles"] / own["bulge_particles"] == pytest.approx(3.0)
