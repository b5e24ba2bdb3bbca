"""Where results come from: every kind of product leads to its record, and a trace to what nobody made."""

import contextlib
import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from galclass import catalog, provenance, trace
from galclass.errors import InputError
from galclass.snapshot import archive


@pytest.fixture
def project(template, tmp_path, monkeypatch):
    """A copy of the project to work in."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A project of one run with a file of every kind, the records as the stages write them."""
    folder = tmp_path_factory.mktemp("project")
    with contextlib.chdir(folder):
        _make_project()
    return folder


def _make_project():
    write("config/telescopes.yaml", "presets: {}\n")
    write("results/bin/merger", "\x7fELF")
    built = {"fortran": provenance.fortran_digest("merger"), "compiler": "GCC 12", "settings": {"program": "merger"}}
    write("results/bin/merger.json", json.dumps(record("compile", []) | built))
    write("results/initial/box.dat", "particles")
    note("results/initial/box.json", "initial", [], 3)
    folder = "results/simulate/mergers/box"
    write(f"{folder}/energy.csv", "time\n0\n")
    for number in range(2):
        write(f"{folder}/snapshot_{number:03d}.dat", f"snapshot {number}")
    archive.write(path(f"{folder}/snapshots.tar"), sorted(path(folder).glob("snapshot_*.dat")))
    note(f"{folder}/provenance.json", "simulate", ["results/initial/box.dat", "results/bin/merger"])
    snapshots = [f"{folder}/snapshots.tar/snapshot_{number:03d}.dat" for number in range(2)]
    pack("results/render/mergers/box.h5", [*snapshots, "config/telescopes.yaml"])
    Image.new("L", (2, 2)).save(path("results/render/mergers/box.png"))
    network = record("train", ["results/render/mergers/box.h5"], 1)
    write("results/train/network/card.json", json.dumps({"kind": "trusted", "provenance": network}))
    write("results/train/network/model.json", '{"class_name": "Functional"}')
    h5py.File(path("results/train/network/member_1.weights.h5"), "w").close()
    table = pd.DataFrame({"class": ["rectangle", "oval"]})
    inputs = ["results/render/mergers/box.h5", "results/train/network/card.json"]
    catalog.write_table(path("results/classify/box.parquet"), table, record("classify", inputs))
    write("results/classify/box.out", "1 0 0\n")
    catalog.write_fits(path("results/verify/nulls.fits"), table, record("verify", inputs[:1]))
    html = json.dumps(record("report", ["results/classify/box.parquet"]))
    write("results/report/index.html", f'<html><script type="application/json" id="provenance">{html}</script></html>')
    write("results/report/headline.txt", "2 frames\n")
    Image.new("L", (2, 2)).save(path("results/report/thumbnails/sheet_00.png"))


def path(name):
    if not Path(name).parent.exists():
        Path(name).parent.mkdir(parents=True)
    return Path(name)


def write(name, text):
    path(name).write_text(text, encoding="utf-8")


def record(stage, inputs, seed=None):
    return provenance.record(stage, list(map(path, inputs)), {"pixels": 50}, seed)


def note(name, stage, inputs, seed=None):
    write(name, json.dumps(record(stage, inputs, seed)))


def pack(name, inputs):
    with h5py.File(path(name), "w") as file:
        file["images"] = np.zeros((2, 4, 4), np.float32)
        file.attrs["provenance"] = json.dumps(record("render", inputs, 1))


@pytest.mark.parametrize(("file", "stage"), [
    ("results/bin/merger", "compile"),
    ("results/initial/box.dat", "initial"),
    ("results/simulate/mergers/box/energy.csv", "simulate"),
    ("results/simulate/mergers/box/snapshot_000.dat", "simulate"),
    ("results/simulate/mergers/box/snapshots.tar", "simulate"),
    ("results/simulate/mergers/box/snapshots.tar/snapshot_001.dat", "simulate"),
    ("results/render/mergers/box.h5", "render"),
    ("results/render/mergers/box.png", "render"),
    ("results/train/network/member_1.weights.h5", "train"),
    ("results/train/network/model.json", "train"),
    ("results/train/network", "train"),
    ("results/classify/box.parquet", "classify"),
    ("results/classify/box.csv", "classify"),
    ("results/classify/box.out", "classify"),
    ("results/verify/nulls.fits", "verify"),
    ("results/report/index.html", "report"),
    ("results/report/headline.txt", "report"),
    ("results/report/thumbnails/sheet_00.png", "report"),
])  # fmt: skip
def test_every_kind_of_product_has_a_record(project, file, stage):
    assert trace.run(path(file))["nodes"][0]["stage"] == stage


def test_a_trace_ends_at_what_was_given_and_at_programs(project):
    answer = trace.run(path("results/report/index.html"))
    ends = {node["file"]: node["kind"] for node in answer["nodes"] if not node["record"]}
    assert ends == {"config/telescopes.yaml": "given"}
    stages = {node["stage"] for node in answer["nodes"] if node["record"]}
    assert stages == {"report", "classify", "train", "render", "simulate", "initial", "compile"}


def test_a_program_tells_its_fortran_and_its_compiler(project):
    text = "\n".join(trace.lines(trace.run(path("results/simulate/mergers/box/energy.csv"))))
    digest = provenance.fortran_digest("merger")[:12]
    assert f"  results/bin/merger  [compile, Fortran {digest}, GCC 12, galclass" in text


def test_check_tells_that_the_fortran_is_another(project):
    """The Python that called the compiler does not count."""
    built = json.loads(path("results/bin/merger.json").read_text())
    write("results/bin/merger.json", json.dumps(built | {"code": "0" * 64}))
    assert trace.run(path("results/bin/merger"), check=True)["changed"] == []
    write("results/bin/merger.json", json.dumps(built | {"fortran": "0" * 64}))
    changed = trace.run(path("results/bin/merger"), check=True)["changed"]
    assert changed == ["the Fortran of program merger has changed since"]


def test_a_tree_shows_every_step_with_code_and_seed(project):
    text = "\n".join(trace.lines(trace.run(path("results/classify/box.csv"))))
    code = provenance.code_digest("render")[:12]
    assert f"\n  results/render/mergers/box.h5  [render, code {code}, seed 1, galclass" in text
    assert "\n      results/initial/box.dat  [initial, code" in text
    assert "settings: pixels 50" in text and "numpy " in text and "changed" not in text
    assert text.count("[simulate, code") == 1, "the network learnt from the same pack, which is not told again"


def test_nothing_has_changed_in_an_untouched_project(project):
    answer = trace.run(path("results/report/index.html"), check=True)
    assert answer["changed"] == []
    assert {made["state"] for node in answer["nodes"] for made in node["inputs"]} == {"same"}


def test_check_tells_what_changed_and_what_is_gone(project):
    write("config/telescopes.yaml", "presets: {other: 1}\n")
    path("results/initial/box.dat").unlink()
    changed = trace.run(path("results/classify/box.parquet"), check=True)["changed"]
    assert changed == ["config/telescopes.yaml: has changed since", "results/initial/box.dat: is no longer there"]


def test_check_tells_that_the_code_is_another(project):
    other = record("label", ["results/render/mergers/box.h5"]) | {"code": "0" * 64}
    catalog.write_table(path("results/label/box.parquet"), pd.DataFrame({"b4": [0.0]}), other)
    changed = trace.run(path("results/label/box.parquet"), check=True)["changed"]
    assert changed == ["the code of stage label has changed since"]


def test_a_project_is_traced_from_elsewhere_and_after_a_move(project, monkeypatch):
    moved = project / "elsewhere" / "project"
    shutil.copytree(project / "results", moved / "results")
    shutil.copytree(project / "config", moved / "config")
    shutil.rmtree(project / "results")
    monkeypatch.chdir(project / "config")
    answer = trace.run(moved / "results/report/index.html", check=True)
    assert answer["changed"] == []
    assert str(moved / "config/telescopes.yaml") in [node["file"] for node in answer["nodes"]]


def test_a_record_beside_its_own_input_does_not_explain_it(project):
    write("given/picture.dat", "light")
    note("given/picture.json", "reference", ["given/picture.dat"])
    node = trace.run(path("given/picture.dat"))["nodes"][0]
    assert (node["record"], node["kind"]) == ("", "given")


def test_files_that_cannot_be_traced_are_found(project):
    assert trace.untraceable(path("results")) == []
    write("results/classify/stray.txt", "?")
    assert trace.untraceable(path("results")) == [path("results/classify/stray.txt")]


def test_a_damaged_file_has_no_record(project):
    write("results/label/mergers/box.parquet", "no table")
    with pytest.raises(InputError, match="neither in it nor beside it"):
        trace.run(path("results/label/mergers/box.parquet"))


def test_a_file_that_is_not_there(project):
    with pytest.raises(InputError, match="no such file"):
        trace.run(path("results/none.parquet"))


def test_an_input_may_stand_for_many_files(project):
    """A page made from the tables of thousands of runs has one digest of them all."""
    tables = sorted(Path("results/classify").glob("*.parquet"))
    shutil.copy(tables[0], "results/classify/oval.parquet")
    tables = sorted(Path("results/classify").glob("*.parquet"))
    made = record("report", [])
    made["inputs"] = {"results/classify/*.parquet": provenance.group_digest(tables)}
    page = Path("results/report/many.html")
    page.write_text(f'<script type="application/json" id="provenance">{json.dumps(made)}</script>')
    assert "results/classify/*.parquet  [2 files, each with a record of its own]" in "\n".join(
        trace.lines(trace.run(page))
    )
    assert not [told for told in trace.run(page, check=True)["changed"] if "parquet" in told]
    tables[0].unlink()
    assert "results/classify/*.parquet: has changed since" in trace.run(page, check=True)["changed"]
    tables[1].unlink()
    assert "results/classify/*.parquet: is no longer there" in trace.run(page, check=True)["changed"]
