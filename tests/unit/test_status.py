"""How a project stands, from its files: before, on the way, killed, failed and finished."""

import os
import socket

import pandas as pd
import pytest
import yaml

from galclass import catalog, config, status
from galclass.errors import InputError

RUNS, LEARNT = ("box", "oval"), ("survey_01",)
SETTINGS = {"initial": {"runs": list(RUNS)}, "train": {"runs": list(LEARNT)},
            "simulate": {"snapshots": 4, "end_time_gyr": 2.0}, "render": {"views": 3}}  # fmt: skip


@pytest.fixture(scope="module")
def settings():
    return yaml.safe_dump(config.merge(config.load(), SETTINGS))


@pytest.fixture
def results(settings, tmp_path):
    """Results in which nothing has been done but the configuration."""
    write(tmp_path / "config.yaml", settings)
    return tmp_path


def write(path, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def finish(results, run, *stages):
    """The products of stages of a run; frames of it are classified as one rectangle and ovals."""
    for stage in stages:
        path = results / status.OF_RUN[stage].format(run=run)
        if stage == "classify":
            table = pd.DataFrame({"class": ["rectangle", *["oval"] * 14]})
            path.parent.mkdir(parents=True, exist_ok=True)
            catalog.write_table(path, table, {})
        else:
            write(path)


def log(results, name, *lines):
    write(results / "logs" / name, "".join(f"{line}\n" for line in lines))


def first_line(results):
    return status.lines(status.run(results))[0]


def test_nothing_started(tmp_path):
    assert status.run(tmp_path) == {"file": str(tmp_path), "started": False}
    assert "nothing started" in first_line(tmp_path)


def test_a_path_without_results_is_an_error(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "results: nothing started" in first_line("results"), "before the first run there is no such folder"
    write(tmp_path / "README.md")
    write(tmp_path / "results")
    for path, found in (("nosuch", "no such folder"), ("README.md", "this is a file"), ("results", "this is a file")):
        with pytest.raises(InputError, match=f"{path}: {found}; give the folder of a project's results"):
            status.run(path)


def test_half_way(results):
    finish(results, "box", *status.OF_RUN)
    finish(results, "survey_01", *status.OF_LEARNT)
    finish(results, "oval", "initial")
    for number in range(2):
        write(results / f"simulate/mergers/oval/snapshot_{number:03d}.dat")
    log(results, "runs/oval.log", "started: initial oval", "took: initial oval 1.0 s, 0.9 core s, 130 MB",
        "started: simulate_merger oval", "merger: 30 % (3 of 10 steps), 9 s left")  # fmt: skip
    answer = status.run(results, lambda settings, cores: (60.0 * cores, 240.0))
    counts = {name: answer[name] for name in ("runs", "done", "running", "waiting", "failed")}
    assert counts == {"runs": 3, "done": 2, "running": 1, "waiting": 0, "failed": 0}
    assert (answer["frames"], answer["rectangles"], answer["candidates"]) == ([15, 30], 1, 0)
    # two of five snapshots: one of four intervals of 2 Gyr
    assert answer["simulating"] == [{"run": "oval", "time_gyr": 0.5, "end_gyr": 2.0}]
    assert answer["stages"]["simulate_merger"] == [2, 3] and answer["stages"]["classify"] == [1, 2]
    assert status.lines(answer) == [
        "runs: 2 of 3 done, 1 running, 0 waiting, 0 failed; frames screened: 15 of 30, rectangles 1, candidates 0; "
        "2:00 to 4:00 left",
        "running: simulate_merger oval (0.50 of 2 Gyr)",
    ]  # two threads work, so the time left was asked for two cores


def test_a_silent_log_is_of_a_killed_command(results):
    log(results, "runs/box.log", "started: render box")
    assert status.run(results)["running"] == 1
    old = os.stat(results / "logs/runs/box.log").st_mtime - 601
    os.utime(results / "logs/runs/box.log", (old, old))
    answer = status.run(results)
    assert (answer["running"], answer["failed"], answer["waiting"]) == (0, 1, 2)
    assert answer["failures"] == [{"name": "box", "reason": "render box: killed"}]
    assert "nothing runs now" in first_line(results)


def test_a_process_of_this_machine_is_asked_for(results):
    """However fresh the log: process 1 lives, one beyond the largest number does not."""
    log(results, "runs/box.log", f"started: render box (process 1 on {socket.gethostname()})")
    assert status.run(results)["running"] == 1
    log(results, "runs/box.log", f"started: render box (process 99999999 on {socket.gethostname()})")
    assert status.run(results)["failures"] == [{"name": "box", "reason": "render box: killed"}]
    log(results, "runs/box.log", "started: render box (process 99999999 on elsewhere)")
    assert status.run(results)["running"] == 1


def test_a_failed_run_says_why(results):
    log(results, "runs/box.log", "started: render box", "galclass: a.dat: the file is empty", "tee: more words")
    answer = status.run(results)
    assert answer["failures"] == [{"name": "box", "reason": "render box: a.dat: the file is empty"}]
    assert (answer["failed"], answer["waiting"]) == (1, 2)
    assert status.lines(answer)[-1] == "failed: box: render box: a.dat: the file is empty"


def test_a_failed_command_that_was_started_again_runs(results):
    log(results, "runs/box.log", "started: render box", "galclass: disk full", "started: render box")
    answer = status.run(results)
    assert (answer["running"], answer["failures"]) == (1, [])


def test_a_failure_that_was_mended_is_forgotten(results):
    log(results, "runs/box.log", "started: render box", "galclass: disk full", "started: render box",
        "took: render box 3.0 s, 2.0 core s, 160 MB")  # fmt: skip
    answer = status.run(results)
    assert (answer["failed"], answer["waiting"], answer["failures"]) == (0, 3, [])


def test_two_commands_in_one_log_do_not_end_each_other(results):
    log(results, "runs/box.log", "started: render box", "started: render_film box",
        "took: render_film box 3.0 s, 2.0 core s, 160 MB")  # fmt: skip
    assert status.run(results)["now"] == ["render box"]


def test_what_is_done_once_fails_by_its_name(results):
    log(results, "train/network.log", "started: train network", "galclass: no rectangles to learn from")
    answer = status.run(results)
    assert answer["failures"] == [{"name": "network", "reason": "train network: no rectangles to learn from"}]
    assert answer["failed"] == 0, "no run has failed"


def test_of_many_commands_the_first_are_named(results):
    log(results, "train.log", *(f"started: train part_{number:02d}" for number in range(12)))
    (line,) = status.lines(status.run(results))[1:]
    assert line.startswith("running: train part_00, train part_01, ") and line.endswith("train part_09 and 2 more")


def test_finished(results):
    for run in RUNS:
        finish(results, run, *status.OF_RUN)
    finish(results, "survey_01", *status.OF_LEARNT)
    log(results, "runs/box.log", "started: render box", "galclass: disk full")
    assert "finished" not in first_line(results), "what is done once is missing"
    for product in status.OF_ALL.values():
        if not product.endswith("candidates.parquet"):
            write(results / product)
    (results / "verify").mkdir()
    catalog.write_table(results / "verify/candidates.parquet", pd.DataFrame({"rank": range(7)}), {})
    answer = status.run(results, lambda settings, cores: (1.0, 2.0))
    assert answer["finished"] and answer["left_s"] is None and answer["failures"] == []
    assert status.lines(answer) == ["runs: 3 of 3 done, 0 running, 0 waiting, 0 failed; "
                                    "frames screened: 30 of 30, rectangles 2, candidates 7; finished"]  # fmt: skip


def test_half_written_products_do_not_count(results):
    write(results / "initial/.4242.box.dat")
    write(results / "simulate/mergers/box/energy.csv")
    assert status.done_runs(results, "initial") == set()
    assert status.done_runs(results, "simulate_merger") == set()


def test_only_the_end_of_a_long_log_is_read(results):
    took = "took: initial box 1.0 s, 0.9 core s, 130 MB"
    log(results, "runs/box.log", took, "x" * 70000, "started: render box")
    found = status.read_log(results / "logs/runs/box.log")
    assert (found.took, list(found.open)) == ([], ["render box"])


def test_the_numbers_of_a_finished_command():
    found = status.parse_log("took: simulate_merger box 61.3 s, 58.9 core s, 912 MB\n")
    assert found.took == [status.Took("simulate_merger", "box", 61.3, 58.9, 912.0)]


def test_a_damaged_table_is_named(results):
    write(results / "classify/box.parquet", "no table")
    with pytest.raises(InputError, match="classify/box.parquet: not a readable Parquet table"):
        status.run(results)
