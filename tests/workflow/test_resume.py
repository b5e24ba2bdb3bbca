"""Kill anything and go on: a few kills of the stages of one run (tests/resume has programs for the whole flow)."""

import random
import shutil
import sys
from pathlib import Path

import pytest

RESUME = Path(__file__).resolve().parents[1] / "resume"
sys.path.insert(0, str(RESUME))

import flow as flows  # noqa: E402
import full_disk  # noqa: E402
import kill_trials  # noqa: E402

#: The stages of one run from its initial conditions to its labels, and what they make beside the configuration.
TARGET = "results/label/mergers/box.parquet"
MADE = ("initial/box", "simulate/mergers/box/", "render/mergers/box", "label/mergers/box", "bin/merger", "config.yaml",
        "validate/config.yaml")  # fmt: skip


@pytest.fixture(scope="module")
def reference(finished) -> dict[str, str]:
    """Digests of what these stages made in the undisturbed flow."""
    results = flows.Flow(finished.folder).results()
    chosen = {name: digest for name, digest in results.items() if name.startswith(MADE)}
    assert len(chosen) > 10
    return chosen


@pytest.fixture
def flow(tmp_path):
    """The flow of these stages, in a folder of its own."""
    made = flows.Flow(tmp_path / "work", flows.CONFIGURATION[:1], (TARGET,))
    yield made
    made.kill_all()


@pytest.fixture
def with_program(finished):
    """Puts the compiled program where a flow expects it."""

    def put(folder: Path) -> None:
        (folder / "results" / "bin").mkdir(parents=True)
        for name in ("merger", "merger.json"):
            shutil.copy2(finished.folder / "results" / "bin" / name, folder / "results" / "bin")

    return put


@pytest.mark.slow
def test_killed_flow_goes_on_to_the_same_bytes(flow, reference, with_program):
    """A driver, a stage and everything at once are killed; the same command ends with the same files and no more."""
    with_program(flow.folder)
    kinds, moments = ("driver", "stage", "node"), [flows.Moment(left, 0.3) for left in (4, 3, 2)]
    met, excused = kill_trials.disturbed(flow, 1, kinds, moments, random.Random(1))
    assert [one.kind for one in met] == list(kinds)
    assert kill_trials.judge(flow, reference, excused) == []


@pytest.mark.slow
@pytest.mark.skipif(bool(full_disk.why_not()), reason=full_disk.why_not() or "a disk can be mounted")
def test_flow_goes_on_after_a_full_disk(flow, reference, with_program, finished):
    program = (finished.folder / "results" / "bin" / "merger").stat().st_size
    said, wrong = full_disk.trial(flow, f"{program // 1024 + 300}k", reference, with_program)
    assert wrong == []
    assert said


def test_project_that_was_moved_is_finished(finished, tmp_path):
    """Its records go with it: there is nothing to do, and a changed value is noticed."""
    shutil.copytree(finished.folder, tmp_path / "elsewhere", symlinks=True)
    moved = type(finished)(tmp_path / "elsewhere")
    assert moved.planned() == {}
    changed = moved.overlay("verify:\n  candidates: 3\n")
    assert moved.planned(overlays=(changed,)) == {"verify": 1, "report": 1}


def test_what_differs_is_told():
    reference = {"a": "1", "b": "2", "c": "3"}
    assert flows.differences(reference, reference) == []
    assert flows.differences({"a": "1", "b": "0", "d": "4"}, reference) == [
        "c: missing", "d: left over", "b: other bytes"]  # fmt: skip
