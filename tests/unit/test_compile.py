"""Programs are built, and a missing compiler is said with how to get one."""

import subprocess

import pytest

from galclass import compile as stage
from galclass.errors import ProgramError


def test_missing_compiler_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("FC", "no-such-compiler")
    with pytest.raises(
        ProgramError, match="no Fortran compiler found; install one .*apt-get install gfortran.*module load.*conda"
    ):
        stage.run("merger", tmp_path / "merger")


def test_failed_build_leaves_no_program(monkeypatch, tmp_path, capfd):
    """A compiler that cannot compile: CMake says why, and nothing stands where the program should."""
    monkeypatch.setenv("FC", "true")
    with pytest.raises(ProgramError, match="cmake .* failed; the compiler's message stands above"):
        stage.run("merger", tmp_path / "merger")
    assert not (tmp_path / "merger").exists()


@pytest.mark.slow
def test_built_program_asks_for_its_namelist(tmp_path):
    stage.run("shape", tmp_path / "shape")
    done = subprocess.run([tmp_path / "shape"], capture_output=True, text=True)
    assert done.returncode != 0
    assert "shape" in done.stderr
