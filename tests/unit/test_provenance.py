"""What a result was made from: digests that see code and not comments."""

import hashlib
import json
import shutil

import pytest

from galclass import __version__, provenance
from galclass.config import ROOT


@pytest.fixture
def copy(tmp_path):
    """A copy of the sources that can be edited."""
    for name in ("galclass", "fortran"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    return tmp_path


def append(path, text: str) -> None:
    path.write_text(path.read_text() + text)


def test_record_is_complete_and_fits_json(tmp_path):
    file = tmp_path / "a.dat"
    file.write_bytes(b"abc")
    record = provenance.record("render", [file], {"pixels": 50}, seed=7)
    assert json.loads(json.dumps(record)) == record
    assert record["inputs"] == {str(file): hashlib.sha256(b"abc").hexdigest()}
    assert (record["stage"], record["galclass"], record["seed"]) == ("render", __version__, 7)
    assert record["code"] == provenance.code_digest("render")
    assert record["libraries"]["numpy"]


def test_a_member_of_an_archive_stands_for_the_archive(tmp_path):
    archive = tmp_path / "snapshots.tar"
    archive.write_bytes(b"abc")
    record = provenance.record("render", [archive / "snapshot_000.dat", archive / "snapshot_001.dat"], {})
    assert record["inputs"] == {str(archive): hashlib.sha256(b"abc").hexdigest()}


def test_paths_are_recorded_from_the_folder_of_the_work_or_of_the_project(tmp_path, monkeypatch):
    """So that the same work in another folder writes the same bytes."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.dat").write_bytes(b"abc")
    preset = ROOT / "config" / "telescopes.yaml"
    assert list(provenance.record("render", [tmp_path / "a.dat", preset], {})["inputs"]) == [
        "a.dat",
        "config/telescopes.yaml",
    ]


def test_a_record_has_neither_date_nor_machine(tmp_path):
    first, second = (provenance.record("render", [], {}) for _ in range(2))
    assert first == second
    names = ["stage", "galclass", "code", "inputs", "settings", "seed", "python", "libraries", "compiler"]
    assert list(first) == names
    assert first["compiler"].startswith("GCC: ") or first["compiler"] == "unknown"


def test_the_compiler_of_a_program_is_what_the_program_says(tmp_path):
    program = tmp_path / "merger"
    program.write_bytes(b"\x7fELF\0GCC: (Debian 12.2.0-14+deb12u1) 12.2.0\0.text")
    assert provenance.compiler_of(program) == "GCC: (Debian 12.2.0-14+deb12u1) 12.2.0"
    program.write_bytes(b"\x7fELF")
    assert provenance.compiler_of(program) == "unknown"


def test_copied_sources_have_the_same_digests(copy):
    assert provenance.code_digest("render", copy) == provenance.code_digest("render")
    assert provenance.fortran_digest("merger", copy) == provenance.fortran_digest("merger")


def test_only_code_changes_a_digest(copy):
    before = provenance.code_digest("verify", copy)
    append(copy / "galclass" / "verify" / "tables.py", "\n\n# a comment\n")
    assert provenance.code_digest("verify", copy) == before
    append(copy / "galclass" / "verify" / "tables.py", "\nADDED = 1\n")
    assert provenance.code_digest("verify", copy) != before


def test_digest_sees_modules_behind_the_stage_and_no_others(copy):
    render, label = provenance.code_digest("render", copy), provenance.code_digest("label", copy)
    append(copy / "galclass" / "snapshot" / "particles.py", "\nADDED = 1\n")
    assert provenance.code_digest("render", copy) != render
    assert provenance.code_digest("label", copy) == label


def test_digest_of_a_stage_sees_the_fortran_it_calls(copy):
    """Rendering projects in Fortran, so its code is also fortran/src/projection.f90; training calls none of it."""
    render, train = provenance.code_digest("render", copy), provenance.code_digest("train", copy)
    append(copy / "fortran" / "src" / "projection.f90", "\n! a comment\n")
    assert provenance.code_digest("render", copy) == render
    append(copy / "fortran" / "src" / "projection.f90", "\nsubroutine added()\nend subroutine added\n")
    assert provenance.code_digest("render", copy) != render
    assert provenance.code_digest("train", copy) == train


def test_programs_have_digests_of_their_own(copy):
    merger, shape = provenance.fortran_digest("merger", copy), provenance.fortran_digest("shape", copy)
    append(copy / "fortran" / "src" / "shape_model.f90", "\nsubroutine added()\nend subroutine added\n")
    assert provenance.fortran_digest("shape", copy) != shape
    assert provenance.fortran_digest("merger", copy) == merger
