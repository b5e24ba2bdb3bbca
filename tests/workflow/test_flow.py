"""The whole flow at its smallest: what it writes, what reruns, and what bad input does."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from astropy.io import fits

from galclass import catalog, config, images, plan, snapshot, visibility
from galclass.snapshot import archive

pytestmark = pytest.mark.slow

#: Everything from the classes of both runs onwards.
AFTER_CLASSIFY = {"classify": 2, "verify": 1, "report": 1}
#: Everything from the classifier onwards.
AFTER_TRAIN = {"train": 1, "visibility": 2, **AFTER_CLASSIFY}
#: Everything from the frames of all runs, screened and learnt from, onwards.
AFTER_RENDER = {"label": 5, **AFTER_TRAIN}
#: Everything from the shape models onwards.
AFTER_SHAPES = {"label_shapes": 1, **AFTER_TRAIN}


def galclass(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Run the command line in a folder."""
    program = Path(sys.executable).with_name("galclass")
    return subprocess.run([program, *arguments], cwd=folder, capture_output=True, text=True)


def test_every_stage_wrote_its_results(finished):
    results = finished.folder / "results"
    found = snapshot.find([results / "simulate" / "mergers" / "box"])
    assert [path.name for path in found] == [f"snapshot_{number:03d}.dat" for number in range(4)]
    assert snapshot.read(found[-1]).time == pytest.approx(0.5 / 0.97779, rel=1e-4)
    pack = images.read_pack(results / "render" / "mergers" / "box.h5")
    assert pack.images.shape == (4 * 3, 32, 32)
    table = catalog.read_table(results / "classify" / "box.parquet")
    chances = table[["p_oval", "p_rectangle", "p_obround", "p_none"]]
    assert chances.sum(axis=1).to_numpy() == pytest.approx(1.0, abs=1e-5)
    assert len((results / "classify" / "box.out").read_text().splitlines()) == 1 + len(table)
    assert (results / "train" / "network" / "member_1.weights.h5").is_file()


def test_candidates_are_held_against_chance(finished):
    folder = finished.folder / "results" / "verify"
    table = catalog.read_table(folder / "candidates.parquet")
    assert table["rank"].tolist() == [1, 2, 3, 4]
    assert ((table["p_chance"] > 0) & (table["p_chance"] <= 1)).all()
    with fits.open(folder / "candidates.fits") as opened:
        assert opened[1].data["frame"].tolist() == table["frame"].tolist()
    assert len(catalog.read_table(folder / "nulls.parquet")) >= 20 + 20  # random frames, and ovals
    profiles = catalog.read_table(folder / "profiles.parquet")
    assert {"reference", *table["run"]} == set(profiles["run"])


def test_every_snapshot_was_seen_from_all_over_the_sky(finished):
    folder = finished.folder / "results" / "visibility"
    for run in ("box", "oval"):
        directions = catalog.read_table(folder / f"{run}.parquet")
        assert len(visibility.times(directions)) == 4
        assert (directions.groupby("snapshot").size() == 8).all() and len(directions) == 4 * 8


def test_broken_snapshots_fail_the_target_but_cost_nothing(finished):
    theirs, results = finished.folder / "theirs", finished.folder / "results" / "screen"
    written = {path: path.read_bytes() for path in (finished.folder / "results").glob("**/config.yaml")}
    theirs.mkdir()
    ours = snapshot.find([finished.folder / "results" / "simulate" / "mergers" / "box"])[-1]
    snapshot.write(theirs / "snap_1", snapshot.read(ours))
    (theirs / "snap_2").write_bytes((theirs / "snap_1").read_bytes()[:5000])
    overlay = finished.overlay("screen: {snapshots: [theirs], views: 4}")
    try:
        done = finished.snakemake("--", "screen", overlays=(overlay,))
        assert done.returncode == 1
        assert re.search(r"theirs/snap_2: cut short: .*; the other 1 are in results/screen", done.stderr + done.stdout)
        assert catalog.read_table(results / "snapshots.parquet")["error"].ne("").tolist() == [False, True]
        assert (results / "index.html").is_file()
        (theirs / "snap_2").unlink()
        done = finished.snakemake("--", "screen", overlays=(overlay,))
        assert done.returncode == 0, done.stderr
        assert len(catalog.read_table(results / "snapshots.parquet")) == 1
    finally:
        shutil.rmtree(theirs)
        shutil.rmtree(results, ignore_errors=True)
        for path, content in written.items():
            path.write_bytes(content)


def test_a_run_is_few_files(finished):
    """Twenty at most, or thousands of runs are more files than a shared file system bears."""
    files = [path for path in (finished.folder / "results").rglob("*") if path.is_file()]
    for run in ("box", "oval"):
        own = [path for path in files if path.stem == run or path.parent.name == run]
        assert 15 < len(own) <= 20, sorted(map(str, own))
    log = (finished.folder / "results" / "logs" / "runs" / "box.log").read_text()
    took = re.findall(r"^took: (\w+) box [\d.]+ s, [\d.]+ core s, \d+ MB$", log, re.MULTILINE)
    assert set(took) == {"initial", "simulate_merger", "render", "render_film", "label", "classify", "visibility"}


@pytest.mark.parametrize("name", ["index.html", "candidates.html"])
def test_pages_need_nothing_else(finished, name):
    """Scripts and pictures are in the page, or pictures beside it, and what it links to is there."""
    folder = finished.folder / "results" / "report"
    page = (folder / name).read_text()
    sources = re.findall(r"""(?:\bsrc\s*=\s*["']|\burl\(\s*["']?)([^"')]+)""", page)
    assert any(source.startswith("data:image/") for source in sources)
    for source in sources:
        assert source.startswith("data:image/") or (folder / source).is_file(), source[:80]
    links = [link.partition("#") for link in re.findall(r'href="([^"]*)"', page)]
    assert links
    for file, _, place in links:
        assert (folder / (file or name)).is_file(), file
        assert not place or f'id="{place}"' in (folder / (file or name)).read_text(), place


def test_report_opens_with_its_headlines(finished):
    folder = finished.folder / "results" / "report"
    page = (folder / "index.html").read_text()
    assert page.count("data:image/png;base64,") >= 9
    headlines = json.loads((folder / "headline.json").read_text())
    assert len(headlines) == 3
    assert all(headline["value"] in page for headline in headlines)


def test_every_product_says_what_it_was_made_from(finished):
    results = finished.folder / "results"
    record = catalog.read_provenance(results / "classify" / "box.parquet")
    assert record["stage"] == "classify"
    assert any(name.endswith("box.h5") and len(digest) == 64 for name, digest in record["inputs"].items())
    assert images.read_pack(results / "render" / "mergers" / "box.h5").provenance["settings"]["pixels"] == 32
    assert json.loads((results / "initial" / "box.json").read_text())["seed"] is not None


def test_logged_command_can_be_repeated(finished):
    """The command of a rule, run again by hand, gives the same bytes."""
    table = finished.folder / "results" / "classify" / "box.out"
    first = table.read_bytes()
    done = galclass(finished.folder, "classify", "results/render/mergers/box.h5", "--network", "results/train/network",
                    "-o", "again", "-c", "results/config.yaml")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (finished.folder / "again" / "box.out").read_bytes() == first


def test_running_again_does_nothing(finished):
    assert finished.planned() == {}


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("fortran/src/leapfrog.f90", "contains\n", "contains\n  ! one more comment\n\n"),
        ("fortran/app/merger.f90", "program merger", "! one more comment\nprogram merger"),
        ("galclass/render/__init__.py", '"""', '"""More words in the docstring. '),
        ("galclass/images/writing.py", "import io\n", "import io\n\n# one more comment\n"),
        ("galclass/report/page.py", '"""', '"""More words in the docstring. '),
    ],
)
def test_editing_a_comment_reruns_nothing(finished, edited, name, old, new):
    edited(name, lambda text: text.replace(old, new, 1))
    assert finished.planned() == {}


@pytest.mark.parametrize(
    ("overlay", "expected"),
    [
        ("report: {candidates: 1}", {"report": 1}),
        ("visibility: {directions: 9}", {"visibility": 2, "report": 1}),
        ("verify: {candidates: 3}", {"verify": 1, "report": 1}),
        ("classify: {batch_size: 7}", {"visibility": 2, **AFTER_CLASSIFY}),
        ("render: {views: 4}", {"render": 5, **AFTER_RENDER}),
        (
            "render: {telescope: {distance_mpc: 20}}",
            {"render": 5, "render_film": 2, "render_shapes": 1, "label": 5, **AFTER_SHAPES},
        ),
        ("render: {film_field_kpc: 20}", {"render_film": 2, "report": 1}),
        ("train: {epochs: 3}", AFTER_TRAIN),
        ("label: {outer_effective_radii: 2.4}", {"label": 5, **AFTER_SHAPES}),
        ("render: {shapes: {maximum_tilt_deg: 5}}", {"render_shapes": 1, **AFTER_SHAPES}),
        ("simulate: {shapes: {particles: 3001}}", {"simulate_shapes": 1, "render_shapes": 1, **AFTER_SHAPES}),
        ("simulate: {end_time_gyr: 0.4}", {"simulate_merger": 5, "render": 5, "render_film": 2, **AFTER_RENDER}),
        ("simulate: {threads: 2, checkpoint_minutes: 1, wall_time_minutes: 60}", {}),
        # The verb finds the runs complete and only judges them again.
        ("simulate: {gates: {energy: 0.5}}", {"simulate_merger": 5, "render": 5, "render_film": 2, **AFTER_RENDER}),
        ("reference: {palette: leda_false_colour}", {"reference": 1, "visibility": 2, "verify": 1, "report": 1}),
        (
            "initial: {toomre_q: 1.6}",
            {"initial": 5, "simulate_merger": 5, "render": 5, "render_film": 2, **AFTER_RENDER},
        ),
    ],
)
def test_editing_a_value_reruns_what_depends_on_it(finished, overlay, expected, monkeypatch):
    assert finished.planned(overlays=(finished.overlay(overlay),)) == expected
    # `galclass plan` knows the same by itself.
    monkeypatch.chdir(finished.folder)
    settings = config.load([Path("tests/workflow/micro.yaml"), Path("overlay.yaml")])
    stages = plan.run(settings, 2, Path("results"))["stages"]
    left = {stage["stage"].replace(" ", "_"): stage["jobs"] - stage["done"] for stage in stages}
    assert {stage: jobs for stage, jobs in left.items() if jobs} == expected


def test_editing_one_row_of_a_table_reruns_its_run(finished, edited):
    edited("config/mergers.tsv", lambda text: "\n".join(
        line.replace("\t", "\t9", 1) if line.startswith("oval\t") else line for line in text.splitlines()))  # fmt: skip
    # The configuration names the table by its path from here, so the copy's table is the one that is read.
    assert finished.planned() == {
        "initial": 1,
        "simulate_merger": 1,
        "render": 1,
        "render_film": 1,
        "label": 1,
        "classify": 1,
        "visibility": 1,
        "verify": 1,
        "report": 1,
    }


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        ("galclass/verify/candidates.py", "\ndef run(", "\nADDED = 1\n\n\ndef run(",
         {"visibility": 2, "verify": 1, "report": 1}),
        ("galclass/visibility.py", "\ndef run(", "\nADDED = 1\n\n\ndef run(", {"visibility": 2, "report": 1}),
        ("galclass/label.py", "\ndef run(", "\nADDED = 1\n\n\ndef run(", {"label": 5, **AFTER_SHAPES}),
        ("galclass/report/page.py", "\ndef run(", "\nADDED = 1\n\n\ndef run(", {"report": 1}),
        ("fortran/src/shape_model.f90", "contains\n", "contains\n  subroutine added()\n  end subroutine added\n",
         {"compile": 1, "simulate_shapes": 1, "render_shapes": 1, **AFTER_SHAPES}),
        ("fortran/src/energy_log.f90", "contains\n", "contains\n  subroutine added()\n  end subroutine added\n",
         {"compile": 1, "simulate_merger": 5, "render": 5, "render_film": 2, **AFTER_RENDER}),
    ],
)  # fmt: skip
def test_editing_code_reruns_its_stage(finished, edited, name, old, new, expected):
    edited(name, lambda text: text.replace(old, new, 1))
    assert finished.planned() == expected


@pytest.mark.parametrize(
    ("overlay", "message"),
    [
        ("rendr: {pixels: 50}", "overlay.yaml: rendr: unknown key; allowed are"),
        (
            "render: {pixels: 5}",
            "overlay.yaml: render.pixels: found 5; allowed is a whole number from 16 to 512",
        ),
        ("initial: {runs: [bocks]}", "galclass: initial.runs: 'bocks' is not in config/mergers.tsv; known runs: box"),
        ("initial: {table: none.tsv}", "none.tsv: no such file"),
        ("reference: {image: none.png}", "none.png: no such file"),
    ],
)
def test_wrong_configuration_is_one_line_before_anything_runs(finished, overlay, message):
    done = finished.snakemake("--dry-run", overlays=(finished.overlay(overlay),))
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if "galclass:" in line]
    assert len(lines) == 1
    assert message in lines[0]
    assert "Traceback" not in done.stderr


def test_value_on_the_command_line_is_checked_too(finished):
    done = finished.snakemake("--dry-run", "--config", "train=3")
    assert done.returncode == 1
    assert "galclass: --config: train: found 3; allowed is a section of keys" in done.stderr


def test_killed_flow_goes_on_to_the_same_bytes(finished, tmp_path):
    """Everything killed in the middle of a simulation; the same command continues it from its checkpoint."""
    for name in ("bin/merger", "initial/box.dat"):
        (tmp_path / "results" / name).parent.mkdir(parents=True)
        shutil.copy2(finished.folder / "results" / name, tmp_path / "results" / name)
    (tmp_path / "long.yaml").write_text(
        "initial: {runs: [box]}\n"
        "simulate: {time_step_gyr: 5.0e-5, checkpoint_minutes: 0.002, threads: 1, archive: false}"
    )
    overlays = [finished.folder / "tests" / "workflow" / "micro.yaml", "long.yaml"]
    command = [Path(sys.executable).with_name("snakemake"), "--cores", "1", "--until", "simulate_merger", "--directory",
               tmp_path, "--snakefile", finished.folder / "Snakefile", "--configfile", *overlays]  # fmt: skip
    output = tmp_path / "results" / "simulate" / "mergers" / "box"
    flow = subprocess.Popen(command, cwd=tmp_path, start_new_session=True, stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)  # fmt: skip
    while not (output / "checkpoint_b.bin").exists():
        assert flow.poll() is None
        time.sleep(0.02)
    os.killpg(flow.pid, signal.SIGKILL)
    flow.wait()
    assert not (output / "energy.csv").exists()
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert again.returncode == 0, again.stdout + again.stderr
    assert "merger: continuing at step" in (tmp_path / "results" / "logs" / "runs" / "box.log").read_text()
    done = galclass(tmp_path, "simulate", "merger", "results/initial/box.dat", "--program", "results/bin/merger",
                    "-o", "undisturbed", "-c", "results/config.yaml")  # fmt: skip
    assert done.returncode == 0, done.stderr
    for name in ("energy.csv", *(f"snapshot_{number:03d}.dat" for number in range(4))):
        assert (output / name).read_bytes() == (tmp_path / "undisturbed" / name).read_bytes()


def test_damaged_snapshot_stops_its_run_only(finished):
    """A truncated snapshot is named in one line, and what other runs have finished stays."""
    kept, loose = finished.folder / "results" / "render" / "mergers" / "box.h5", finished.folder / "loose"
    before = kept.read_bytes()
    loose.mkdir()
    for path in archive.members(finished.folder / "results" / "simulate" / "mergers" / "oval" / "snapshots.tar"):
        (loose / path.name).write_bytes(archive.read_bytes(path))
    (loose / "snapshot_002.dat").write_bytes((loose / "snapshot_002.dat").read_bytes()[:1000])
    done = galclass(finished.folder, "render", "loose", "--views", "3", "-o", "broken.h5")
    assert done.returncode == 1
    assert "snapshot_002.dat" in done.stderr
    assert "Traceback" not in done.stderr
    assert kept.read_bytes() == before
    assert len(images.read_pack(finished.folder / "broken.h5").frames) == 3 * 3  # the three whole snapshots
