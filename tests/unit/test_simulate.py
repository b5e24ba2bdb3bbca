"""Namelists say what the configuration says, a run that was interrupted goes on, and a failure is one line."""

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from galclass import config, quality, simulate, snapshot
from galclass.errors import InputError, ProgramError
from galclass.snapshot import archive
from galclass.units import GYR_PER_TIME

SETTINGS = {
    "end_time_gyr": 2.0, "time_step_gyr": 0.003, "time_step_levels": 0, "time_step_accuracy": 0.025,
    "softening_kpc": 0.1, "snapshots": 20, "solver": "direct_double", "force_accuracy": 0.01, "archive": False,
    "checkpoint_minutes": 10,
    "wall_time_minutes": 0, "gates": {"energy": 0.005, "momentum": 0.001, "centre_of_mass": 0.01},
}  # fmt: skip
#: A run of 200 steps that takes no time.
SHORT = SETTINGS | {"end_time_gyr": 0.002, "time_step_gyr": 1e-5, "snapshots": 2}


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
    assert namelist["solver"] == "'direct_double'"


def test_minutes_become_seconds(tmp_path):
    namelist = values(simulate.merger_namelist(tmp_path / "a.dat", tmp_path, SETTINGS | {"wall_time_minutes": 90}, 2))
    assert namelist["checkpoint_interval"] == "600.0"
    assert namelist["wall_time"] == "5400.0"


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


def snapshots(folder):
    return {path.name: path.read_bytes() for path in folder.glob("snapshot_*")}


def test_merger_runs_to_the_time_asked(programs, pair, tmp_path, capfd):
    assert simulate.run_merger(pair, programs / "merger", SHORT, 1, tmp_path / "out")
    last = snapshot.read(tmp_path / "out" / "snapshot_002.dat")
    assert last.time * GYR_PER_TIME == pytest.approx(0.002)
    assert np.abs(last.positions[:, 0]).max() < 1.0  # they fall towards each other
    record = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert str(pair) in record["inputs"]
    assert capfd.readouterr().out.endswith("/out passes its quality gates\n")
    assert quality.failures(quality.read(tmp_path / "out")) == ""


def test_snapshots_of_a_finished_run_are_put_into_one_file(programs, pair, tmp_path, capfd):
    """The same bytes as without, in few files, and no lock left behind."""
    for name, archived in (("loose", False), ("one", True)):
        assert simulate.run_merger(pair, programs / "merger", SHORT | {"archive": archived}, 1, tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == ["energy.csv", "merger.nml", "provenance.json", "quality.csv", "snapshots.tar"]
    packed = archive.members(tmp_path / "one" / "snapshots.tar")
    assert {path.name: archive.read_bytes(path) for path in packed} == snapshots(tmp_path / "loose")
    assert simulate.run_merger(pair, programs / "merger", SHORT | {"archive": True}, 1, tmp_path / "one")
    assert "is complete already" in capfd.readouterr().out


def test_a_run_killed_while_its_snapshots_are_put_away_is_complete(programs, pair, tmp_path, capfd):
    """Whatever was left: the loose files and no archive yet, or an archive and some of the files."""
    settings, out = SHORT | {"archive": True}, tmp_path / "out"
    simulate.run_merger(pair, programs / "merger", SHORT, 1, out)
    expected = snapshots(out)
    for keep in (3, 2, 0):
        for name, content in list(expected.items())[:keep]:
            (out / name).write_bytes(content)
        simulate.run_merger(pair, programs / "merger", settings, 1, out)
        assert snapshots(out) == {}
        packed = {path.name: archive.read_bytes(path) for path in archive.members(out / "snapshots.tar")}
        assert packed == expected
    assert "continuing" not in capfd.readouterr().out


def test_a_run_that_fails_its_gates_is_marked_and_kept(programs, pair, tmp_path, capfd):
    gates = SETTINGS["gates"] | {"energy": 1e-12}
    assert simulate.run_merger(pair, programs / "merger", SHORT | {"gates": gates}, 1, tmp_path / "out")
    assert re.search(r"FAILS its quality gates: energy \S+ > 1e-12\n$", capfd.readouterr().out)
    assert len(snapshots(tmp_path / "out")) == 3
    assert not quality.read(tmp_path / "out")[0]["passed"]


def test_a_complete_run_is_only_judged_again(programs, pair, tmp_path, capfd):
    """Also when Snakemake has deleted the table because a gate was changed."""
    simulate.run_merger(pair, programs / "merger", SHORT, 1, tmp_path / "out")
    before = (tmp_path / "out" / "snapshot_002.dat").stat().st_mtime_ns
    (tmp_path / "out" / quality.FILE).unlink()
    gates = SETTINGS["gates"] | {"energy": 1e-12}
    assert simulate.run_merger(pair, programs / "merger", SHORT | {"gates": gates}, 2, tmp_path / "out")
    said = capfd.readouterr().out
    assert "out is complete already; delete the folder to simulate it again" in said
    assert "FAILS its quality gates: energy" in said
    assert (tmp_path / "out" / "snapshot_002.dat").stat().st_mtime_ns == before


def test_a_complete_run_with_a_damaged_snapshot_is_simulated_again(programs, pair, tmp_path):
    simulate.run_merger(pair, programs / "merger", SHORT, 1, tmp_path / "out")
    expected = snapshots(tmp_path / "out")
    (tmp_path / "out" / "snapshot_001.dat").write_bytes(expected["snapshot_001.dat"][:100])
    assert simulate.run_merger(pair, programs / "merger", SHORT, 1, tmp_path / "out")
    assert snapshots(tmp_path / "out") == expected


def test_a_run_that_stopped_is_continued(programs, pair, tmp_path, capfd):
    """The limit leaves time for one step; another time between checkpoints is no other run."""
    limited = SHORT | {"wall_time_minutes": 1e-9}
    assert not simulate.run_merger(pair, programs / "merger", limited, 1, tmp_path / "out")
    assert capfd.readouterr().out.endswith("stopped at step 1 of 200 (wall_time is near); the same command continues\n")
    assert not (tmp_path / "out" / quality.FILE).exists()
    assert simulate.run_merger(pair, programs / "merger", SHORT | {"checkpoint_minutes": 1}, 1, tmp_path / "out")
    assert "merger: continuing at step 1\n" in capfd.readouterr().out
    simulate.run_merger(pair, programs / "merger", SHORT, 1, tmp_path / "whole")
    assert snapshots(tmp_path / "out") == snapshots(tmp_path / "whole")


@pytest.mark.parametrize("complete", [True, False])
@pytest.mark.parametrize(
    ("changed", "said"),
    [({"softening_kpc": 0.2}, "softening_kpc (0.1, now 0.2)"), ({"snapshots": 1}, "snapshots (2, now 1)"),
     ({}, "initial conditions")],
)  # fmt: skip
def test_another_run_starts_anew(programs, pair, tmp_path, capfd, complete, changed, said):
    first = SHORT | {"wall_time_minutes": 0 if complete else 1e-9}
    assert simulate.run_merger(pair, programs / "merger", first, 1, tmp_path / "out") == complete
    if not changed:
        wider = snapshot.read(pair)
        snapshot.write(pair, dataclasses.replace(wider, positions=2 * wider.positions))
    assert simulate.run_merger(pair, programs / "merger", SHORT | changed, 1, tmp_path / "out")
    assert f"holds a run with other {said}; it is started anew\n" in capfd.readouterr().out
    simulate.run_merger(pair, programs / "merger", SHORT | changed, 1, tmp_path / "whole")
    assert snapshots(tmp_path / "out") == snapshots(tmp_path / "whole")


def test_a_folder_of_unknown_origin_starts_anew(programs, pair, tmp_path, capfd):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "checkpoint_a.bin").write_bytes(b"?")
    (tmp_path / "out" / "notes.txt").write_text("mine")
    assert simulate.run_merger(pair, programs / "merger", SHORT, 1, tmp_path / "out")
    assert "holds a run with other provenance; it is started anew" in capfd.readouterr().out
    assert (tmp_path / "out" / "notes.txt").exists()


def long_run(pair, programs, output):
    """The verb on the command line, with a run of hours."""
    overlay = output.with_name("long.yaml")
    overlay.write_text("simulate: {solver: direct_double, time_step_gyr: 1.0e-8, end_time_gyr: 1.0, snapshots: 400}")
    verb = [Path(sys.executable).with_name("galclass"), "simulate", "merger", pair, "--program", programs / "merger"]
    return [*verb, "-o", output, "-c", overlay]


def wait_for(path):
    for _ in range(600):
        if path.exists():
            return
        time.sleep(0.05)
    raise AssertionError(f"{path} did not appear")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_a_signal_to_the_verb_stops_the_merger(programs, pair, tmp_path, number):
    verb = subprocess.Popen(long_run(pair, programs, tmp_path / "out"), stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)  # fmt: skip
    wait_for(tmp_path / "out" / "snapshot_000.dat")
    verb.send_signal(number)
    said, complained = verb.communicate()
    assert verb.returncode == simulate.STOPPED
    name = signal.Signals(number).name
    assert re.search(rf"^merger: stopped at step \d+ of \d+ \({name}\); the same command continues\n$", said)
    assert complained == ""


def test_a_merger_whose_parent_was_killed_is_waited_for(programs, pair, tmp_path):
    """Two mergers never write into one folder."""
    first = subprocess.Popen(long_run(pair, programs, tmp_path / "out"), stdout=subprocess.DEVNULL)
    wait_for(tmp_path / "out" / "snapshot_000.dat")
    orphan = int(Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text())
    first.kill()
    first.wait()
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(long_run(pair, programs, tmp_path / "out"), **both) as second:
        assert "another process is at work here" in second.stdout.readline()
        os.kill(orphan, signal.SIGTERM)
        assert "merger: continuing at step" in second.stdout.readline()
        second.terminate()
    assert second.returncode == simulate.STOPPED


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
    killer = tmp_path / "killer"
    killer.write_text("#!/bin/sh\nkill -9 $$\n")
    killer.chmod(0o755)
    with pytest.raises(ProgramError, match="was killed by signal 9; the same command continues"):
        simulate.run_merger(pair, killer, SETTINGS, 1, tmp_path / "e")
