"""What the Snakefile asks of the package."""

import contextlib
import copy
import os
import sqlite3
import subprocess

import pytest

from galclass import config, pipeline
from galclass.snapshot import archive


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_the_commands_read_is_written_once_work_begins(folder):
    settings = config.load([config.ROOT / "config" / "tiny.yaml"])
    checked, runs, learnt, models = pipeline.prepare(copy.deepcopy(settings), [])
    assert checked == settings
    assert list(runs) == settings["initial"]["runs"]
    assert list(learnt) == settings["train"]["runs"]
    assert len(models) == 200
    assert not pipeline.RESOLVED.exists()  # a dry run changes nothing
    own, _ = pipeline.validation(checked)
    pipeline.write_settings(checked, own)
    assert config.load([pipeline.RESOLVED]) == settings
    assert config.load([pipeline.VALIDATED]) == own


def test_an_unchanged_configuration_is_not_written_again(folder):
    pipeline.write_settings(config.load(), config.load())
    os.utime(pipeline.RESOLVED, (1, 1))
    pipeline.write_settings(config.load(), config.load())
    assert pipeline.RESOLVED.stat().st_mtime == 1


def test_wrong_configuration_ends_the_program(folder, capsys):
    settings = config.load()
    settings["render"]["pixels"] = 3
    with pytest.raises(SystemExit) as caught:
        pipeline.prepare(settings, [])
    assert caught.value.code == 1
    assert capsys.readouterr().err.startswith("galclass: --config: render.pixels: found 3")
    assert not pipeline.RESOLVED.exists()


def test_reference_is_the_users_picture_or_ours():
    assert pipeline.reference_inputs({"image": "my.png"}) == ["my.png"]
    assert pipeline.reference_inputs({"image": ""})[0].endswith("leda074886.yaml")


def test_commands_of_rules_find_galclass():
    """Also when Snakemake was started by its path, without an activated environment."""
    done = subprocess.run(
        ["bash", "-c", pipeline.shell_prefix() + "command -v galclass"],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
    )
    assert done.returncode == 0


def test_what_a_run_says_is_added_to_its_log(folder):
    """One log for all stages of a run, and the exit code is still that of the command."""
    for stage, code in (("first", 0), ("second", 3)):
        script = pipeline.shell_prefix() + f"(echo {stage}; exit {code}) 2>&1 | keep box"
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (code, f"{stage}\n")
    assert (folder / pipeline.RUN_LOGS / "box.log").read_text() == "first\nsecond\n"


def test_the_survey_of_the_validation_has_settings_of_its_own(folder):
    settings = config.load([config.ROOT / "config" / "tiny.yaml"])
    own, runs = pipeline.validation(settings)
    assert len(runs) == 32
    assert own["initial"]["disc_particles"] != settings["initial"]["disc_particles"]
    assert own["render"] == settings["render"]


def test_a_wrong_overlay_of_the_validation_ends_the_program(folder, capsys):
    settings = config.load()
    (folder / "mine.yaml").write_text("initial: {runz: [a]}")
    settings["validate"]["configuration"] = "mine.yaml"
    with pytest.raises(SystemExit) as caught:
        pipeline.validation(settings)
    assert caught.value.code == 1
    assert capsys.readouterr().err.startswith("galclass: mine.yaml: initial.runz: unknown key")


def test_files_behind_screened_snapshots(folder, capsys):
    settings = config.load()
    assert pipeline.screened(settings) == []
    (folder / "run").mkdir()
    for name in ("snap_1", "snap_2"):
        (folder / "run" / name).write_bytes(b"any")
    archive.write(folder / "run" / "more.tar", [folder / "run" / "snap_1", folder / "run" / "snap_2"])
    settings["screen"]["snapshots"] = ["run"]
    assert sorted(pipeline.screened(settings)) == ["run/more.tar", "run/snap_1", "run/snap_2"]
    settings["screen"]["snapshots"] = ["nowhere"]
    with pytest.raises(SystemExit):
        pipeline.screened(settings)
    assert capsys.readouterr().err.startswith("galclass: screen.snapshots: nowhere: no such file")


def test_inputs_of_a_project_do_not_depend_on_where_it_lies(folder, monkeypatch):
    monkeypatch.setattr(config, "ROOT", folder)
    built_in = "config/reference/leda074886.yaml"
    assert pipeline.reference_inputs({"image": ""}) == [built_in]
    monkeypatch.setattr(config, "ROOT", folder.parent / "elsewhere")
    assert pipeline.reference_inputs({"image": ""}) == [str(folder.parent / "elsewhere" / built_in)]


def test_records_of_a_project_that_was_moved_are_kept(folder):
    """As Snakemake 9 keeps them: each with the path of the folder that it was made in."""
    (folder / ".snakemake").mkdir()
    old, new = "/elsewhere/.snakemake", str(folder / ".snakemake")
    with contextlib.closing(sqlite3.connect(folder / ".snakemake" / "metadata.db")) as database, database:
        database.execute(
            "CREATE TABLE snakemake_metadata (namespace TEXT, target TEXT, PRIMARY KEY (namespace, target))"
        )
        rows = [(old, "a"), (old, "b"), (new, "b")]
        database.executemany("INSERT INTO snakemake_metadata VALUES (?, ?)", rows)
    for _ in range(2):
        pipeline.prepare(config.load(), [])
        with contextlib.closing(sqlite3.connect(folder / ".snakemake" / "metadata.db")) as database:
            found = set(database.execute("SELECT namespace, target FROM snakemake_metadata"))
        assert found == {(new, "a"), (new, "b")}
