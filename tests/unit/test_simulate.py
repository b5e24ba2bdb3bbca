"""Namelists say what the configuration says, and a program that fails is reported in one line."""

import json

import numpy as np
import pytest

from galclass import config, simulate, snapshot
from galclass.errors import InputError, ProgramError
from galclass.units import GYR_PER_TIME

SETTINGS = {"end_time_gyr": 2.0, "time_step_gyr": 0.003, "softening_kpc": 0.1, "snapshots": 20, "precision": "single"}


def values(text: str) -> dict[str, str]:
    """The assignments of a namelist."""
    return dict(line.strip().split(" = ") for line in text.splitlines() if " = " in line)


def test_snapshots_fall_on_whole_steps(tmp_path):
    """100 Myr between snapshots at 3 Myr a step are 33.3 steps: 34 shorter ones, which end where asked."""
    namelist = values(simulate.merger_namelist(tmp_path / "a.dat", tmp_path, SETTINGS, 2))
    assert namelist["steps_per_snapshot"] == "34"
    assert float(namelist["time_step"]) * 34 * 20 * GYR_PER_TIME == pytest.approx(2.0)
    assert float(namelist["time_step"]) * GYR_PER_TIME <= 0.003


def test_a_step_that_fits_is_kept(tmp_path):
    """Rounding must not add a step when the interval is a whole number of steps already."""
    namelist = values(simulate.merger_namelist(tmp_path / "a.dat", tmp_path, {**SETTINGS, "time_step_gyr": 0.1 / 3}, 2))
    assert namelist["steps_per_snapshot"] == "3"


def test_text_is_quoted(tmp_path):
    namelist = values(simulate.merger_namelist(tmp_path / "it's.dat", tmp_path, SETTINGS, 2))
    assert namelist["initial"].endswith("it''s.dat'")
    assert namelist["precision"] == "'single'"


def test_shape_namelist_is_its_row(tmp_path):
    row = next(iter(config.read_shapes(config.ROOT / "config" / "shapes.tsv").values()))
    namelist = values(simulate.shape_namelist(row, 500, tmp_path))
    assert namelist["class"] == f"'{row['class']}'"
    assert float(namelist["axis_ratio"]) == row["axis_ratio"]
    assert namelist["particles"] == "500"
    assert int(namelist["seed"]) == row["seed"]


@pytest.fixture
def pair(tmp_path):
    """Two point masses at rest as initial conditions."""
    path = tmp_path / "pair.dat"
    positions = np.array([[-1.0, 0, 0], [1.0, 0, 0]])
    snapshot.write(path, snapshot.Snapshot(positions, np.zeros((2, 3)), np.ones(2), np.arange(2), np.full(2, 2), 0.0))
    return path


def test_merger_runs_to_the_time_asked(programs, pair, tmp_path):
    settings = {**SETTINGS, "end_time_gyr": 0.002, "time_step_gyr": 1e-5, "snapshots": 2, "precision": "double"}
    simulate.run_merger(pair, programs / "merger", settings, 1, tmp_path / "out")
    last = snapshot.read(tmp_path / "out" / "snapshot_002.dat")
    assert last.time * GYR_PER_TIME == pytest.approx(0.002)
    assert np.abs(last.positions[:, 0]).max() < 1.0  # they fall towards each other
    record = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert str(pair) in record["inputs"]


def test_shapes_make_a_file_for_each_row(programs, tmp_path):
    rows = list(config.read_shapes(config.ROOT / "config" / "shapes.tsv").values())[::40]
    simulate.run_shapes(rows, programs / "shape", 200, tmp_path / "shapes")
    for row in rows:
        assert len(snapshot.read(tmp_path / "shapes" / f"{row['model']}.dat").masses) == 200


def test_failures_are_one_line(programs, pair, tmp_path, capfd):
    with pytest.raises(InputError, match="no such file"):
        simulate.run_merger(tmp_path / "none.dat", programs / "merger", SETTINGS, 1, tmp_path / "a")
    with pytest.raises(InputError, match="no such file"):
        simulate.run_merger(pair, tmp_path / "none", SETTINGS, 1, tmp_path / "b")
    (tmp_path / "text").write_text("no program")
    with pytest.raises(ProgramError, match="cannot be run"):
        simulate.run_merger(pair, tmp_path / "text", SETTINGS, 1, tmp_path / "c")
    (tmp_path / "damaged.dat").write_bytes(pair.read_bytes()[:300])
    with pytest.raises(ProgramError, match="ended with code 1; its message stands above"):
        simulate.run_merger(tmp_path / "damaged.dat", programs / "merger", SETTINGS, 1, tmp_path / "d")
    assert "damaged.dat" in capfd.readouterr().err
