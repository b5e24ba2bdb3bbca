"""`galclass screen`: what it prints, how it ends, and what it refuses."""

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from galclass import snapshot
from galclass.cli import app
from tests.unit import snapshot_codes
from tests.unit.test_render import stars
from tests.unit.test_screen import RENDER, folder, net, reference, settings  # noqa: F401


@pytest.fixture
def call(net, reference, tmp_path, monkeypatch):  # noqa: F811
    """Call the command with few, small pictures; the work folder is that of the test."""
    monkeypatch.chdir(tmp_path)
    overlay = tmp_path / "small.yaml"
    pictures = {key: value for key, value in RENDER.items() if key != "shapes"}
    small = {"views": 5, "ovals": 1, "candidates": 1, "measured": 2, "poll_s": 0.05}
    overlay.write_text(json.dumps({"render": pictures, "screen": small}))

    def called(*arguments):
        fixed = ["--network", str(net), "--reference", str(reference), "-c", str(overlay)]
        return CliRunner().invoke(app, ["screen", *map(str, arguments), *fixed])

    return called


def test_json_is_all_that_is_printed_and_nothing_is_written(call, folder, tmp_path):  # noqa: F811
    done = call(folder / "snap_000.dat", folder / "snap_003.dat", "--views", "3", "--json")
    assert done.exit_code == 1
    first, second = json.loads(done.stdout)
    assert (first["frames"], set(second)) == (3, {"file", "error"})
    assert {"file", "time", "frames", "rectangle_fraction", "interval", "best"} <= set(first)
    assert {"frame", "p_rectangle", "view", "b4", "cosine_aligned"} <= set(first["best"])
    assert not (tmp_path / "results").exists()


def test_a_table_for_people_and_a_page(call, folder, tmp_path):  # noqa: F811
    done = call(folder / "snap_000.dat", folder / "snap_001.dat", "-o", tmp_path / "out", "--galaxies", "2")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0].split()[:2] == ["rank", "snapshot"]
    assert [line.split()[0] for line in lines[1:]] == ["1", "2"]
    assert "    10 " in next(line for line in lines if "snap_001" in line)  # two galaxies, five views each
    assert (tmp_path / "out" / "index.html").stat().st_size > 10_000


def test_a_finished_screening_tells_what_failed(call, folder, tmp_path):  # noqa: F811
    out = tmp_path / "out"
    assert call(folder, "-o", out).exit_code == 1
    done = call("--check", out)
    assert (done.exit_code, str(done.exception).count("\n")) == (1, 0)
    assert "snap_003.dat: cut short" in str(done.exception) and "; the other 3 are in" in str(done.exception)
    (folder / "snap_003.dat").unlink()
    assert call(folder, "-o", out).exit_code == 0
    done = call("--check", out)
    assert (done.exit_code, done.stdout) == (0, f"{out}: all 3 snapshots were used\n")


def test_types_of_stars(call, tmp_path):
    snapshot.write(tmp_path / "snap_000.dat", stars(kind=1))
    assert json.loads(call(tmp_path / "snap_000.dat", "--json").stdout)[0]["error"]
    assert json.loads(call(tmp_path / "snap_000.dat", "--stars", "1,2", "--json").stdout)[0]["frames"] == 5


def test_watching_ends_when_all_is_scored(call, folder, tmp_path):  # noqa: F811
    done = call("--watch", folder, "--once", "-o", tmp_path / "out")
    assert done.exit_code == 1  # the broken one
    assert [line.split(":")[0].removeprefix("ALERT ") for line in done.stdout.splitlines()] == [
        f"snap_00{number}.dat" for number in range(4)
    ]
    assert (tmp_path / "out" / "alerts.csv").is_file()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give snapshots, or --watch FOLDER"),
        (["a.dat", "--watch", "."], "give snapshots, or --watch FOLDER"),
        (["a.dat", "--stars", "2,7"], "allowed are particle types 0 to 5"),
        (["a.dat", "--views", "0"], "--views"),
        (["a.dat", "--once"], "only goes with --watch"),
        (["a.dat", "--until-idle", "3"], "only goes with --watch"),
        (["--watch", ".", "--once", "--until-idle", "3"], "either this or --until-idle"),
        (["--watch", ".", "--json"], "not with --watch"),
    ],
)
def test_wrong_usage(call, arguments, said):
    done = call(*arguments)
    assert done.exit_code == 2
    assert said in done.output


def test_a_telescope_that_is_none(call):
    done = call("a.dat", "--telescope", "hubble")
    assert done.exit_code == 1
    assert "preset" in str(done.exception)


def test_a_caller_finds_its_files_by_the_names_it_gave(call, folder):  # noqa: F811
    given = [f"{folder}/./snap_000.dat", str(folder / "snap_003.dat"), f"{folder}/./snap_000.dat"]
    answers = json.loads(call(*given, "--views", "1", "--json").stdout)
    assert [answer["file"] for answer in answers] == given
    assert answers[0]["best"] == answers[2]["best"]


def test_pieces_are_one_snapshot_with_the_views_of_the_whole(call, tmp_path):
    some = replace(stars(kind=4), box_kpc=(0.0,) * 3)
    whole = snapshot_codes.write(tmp_path / "snap_001.hdf5", some, "gizmo")
    (tmp_path / "parts").mkdir()
    parts = snapshot_codes.write(tmp_path / "parts" / "snap_001.hdf5", some, "gizmo", pieces=2)
    answers = json.loads(call(*whole, *parts, tmp_path / "parts" / "snap_001", "--views", "2", "--json").stdout)
    assert [answer["file"] for answer in answers] == [str(whole[0]), str(parts[0]), str(tmp_path / "parts/snap_001")]
    assert answers[0]["best"]["view"] == answers[1]["best"]["view"] == answers[2]["best"]["view"]


def test_a_place_that_can_be_no_folder_is_said_before_any_work(call, folder, tmp_path):  # noqa: F811
    (tmp_path / "notes").write_text("mine")
    for arguments in ([folder], ["--watch", folder, "--once"]):
        done = call(*arguments, "-o", tmp_path / "notes")
        assert str(done.exception) == f"{tmp_path}/notes: {tmp_path}/notes is a file; name a folder for what is written"
    assert (tmp_path / "notes").read_text() == "mine"
