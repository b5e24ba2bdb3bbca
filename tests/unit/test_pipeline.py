"""What the Snakefile asks of the package."""

import copy
import os
import subprocess

import pytest

from galclass import config, pipeline


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_prepare_writes_what_the_commands_read(folder):
    settings = config.load([config.ROOT / "config" / "tiny.yaml"])
    checked, runs, learnt, models = pipeline.prepare(copy.deepcopy(settings), [])
    assert checked == settings
    assert list(runs) == settings["initial"]["runs"]
    assert list(learnt) == settings["train"]["runs"]
    assert len(models) == 200
    assert config.load([pipeline.RESOLVED]) == settings


def test_an_unchanged_configuration_is_not_written_again(folder):
    pipeline.prepare(config.load(), [])
    os.utime(pipeline.RESOLVED, (1, 1))
    pipeline.prepare(config.load(), [])
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
