"""A project as an RO-Crate: what goes along, where each file came from, the same bytes again, and the validator."""

import contextlib
import json
import re
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from galclass import catalog, crate, provenance
from galclass.config import ROOT
from galclass.errors import InputError

DATE = "2026-01-01"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A finished project of a pack, its table and a report."""
    folder = tmp_path_factory.mktemp("project")
    results = folder / "results"
    for name in ("render/mergers", "classify", "report", "bin"):
        (results / name).mkdir(parents=True)
    (results / "config.yaml").write_text("render: {}\n")
    (results / "bin" / "merger").write_bytes(b"\x7fELF")
    built = provenance.record("compile", [], {"program": "merger"}) | {"fortran": "f" * 64, "compiler": "GCC 12"}
    (results / "bin" / "merger.json").write_text(json.dumps(built))
    (results / "render/mergers/box.h5").write_bytes(b"pictures" * 100)
    with contextlib.chdir(folder):
        inputs = [Path("results/render/mergers/box.h5"), ROOT / "config/telescopes.yaml", ROOT / "config/mergers.tsv"]
        record = provenance.record("classify", inputs, {})
        record["inputs"]["config/mergers.tsv"] = "0" * 64  # edited since, so not the one in the crate
        catalog.write_table(Path("results/classify/box.parquet"), pd.DataFrame({"class": ["oval"]}), record)
        report = json.dumps(record | {"stage": "report", "inputs": {"results/classify/box.parquet": "0" * 64}})
    page = f'<script type="application/json" id="provenance">{report}</script>'
    (results / "report/index.html").write_text(page)
    return folder


@pytest.fixture(scope="module")
def made(project):
    """The folder of its crate."""
    with contextlib.chdir(project):
        crate.run(Path("results"), Path("crate"), date=DATE, author="Ada Lovelace")
    return project / "crate"


@pytest.fixture(scope="module")
def graph(made):
    entities = json.loads((made / crate.METADATA).read_text())["@graph"]
    return {entity["@id"]: entity for entity in entities}


def test_small_files_go_along_and_large_ones_are_named(made, graph):
    assert (made / "results/classify/box.csv").is_file() and (made / "Snakefile").is_file()
    assert not (made / "results/render").exists() and not (made / "results/bin/merger").exists()
    pack = graph["#results/render/mergers/box.h5"]
    assert (pack["contentSize"], pack["description"]) == ("800", "not in this crate")
    assert pack["sha256"] == provenance.file_digest(made.parent / "results/render/mergers/box.h5")


def test_every_file_has_its_size_and_digest(made, graph):
    files = [path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file()]
    for name in files:
        if name not in (crate.METADATA, crate.PREVIEW):
            assert graph[name]["contentSize"] == str((made / name).stat().st_size)
            assert graph[name]["sha256"] == provenance.file_digest(made / name)


def test_a_step_tells_what_it_read_and_wrote(graph):
    step = graph["#classify/classify/box.parquet"]
    assert step["object"] == [{"@id": "#results/render/mergers/box.h5"}, {"@id": "config/telescopes.yaml"}]
    assert step["result"] == [{"@id": "results/classify/box.csv"}, {"@id": "results/classify/box.parquet"}]
    program = graph[step["instrument"]["@id"]]
    assert program["name"] == "galclass classify" and program["sha256"] == provenance.code_digest("classify")


def test_a_program_tells_its_fortran_and_its_compiler(graph):
    step = graph["#compile/bin/merger.json"]
    assert {"@id": "#results/bin/merger"} in step["result"]
    program = graph[step["instrument"]["@id"]]
    assert program["sha256"] == "f" * 64 and "GCC 12" in program["description"]


def test_a_page_tells_people_what_was_made_from_what(made):
    page = (made / crate.PREVIEW).read_text()
    table = '<a href="results/classify/box.parquet">results/classify/box.parquet</a></td>'
    assert f"{table}<td>results/render/mergers/box.h5<br>" in page
    assert all((made / name).is_file() for name in re.findall(r'href="([^"]+)"', page))


def test_the_run_of_the_workflow_is_an_action_of_its_own(graph):
    assert graph["#run"]["instrument"] == {"@id": "Snakefile"} == graph["./"]["mainEntity"]
    assert graph["#run"]["object"] == [{"@id": "results/config.yaml"}]
    assert {"@id": "#run"} in graph["./"]["mentions"]
    assert graph["./"]["datePublished"] == DATE
    assert graph["#Ada-Lovelace"]["name"] == "Ada Lovelace"


def test_the_same_results_make_the_same_bytes(project, tmp_path, monkeypatch):
    monkeypatch.chdir(project)
    for name in ("a.zip", "b.zip"):
        crate.run(Path("results"), tmp_path / name, date=DATE)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert crate.METADATA in zipfile.ZipFile(tmp_path / "a.zip").namelist()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zip", "b.zip"], "nothing is left over"


def test_a_crate_is_replaced_and_nothing_else(project, tmp_path, monkeypatch):
    monkeypatch.chdir(project)
    crate.run(Path("results"), tmp_path / "crate", with_data=True, date=DATE)
    assert (tmp_path / "crate/results/render/mergers/box.h5").is_file()
    crate.run(Path("results"), tmp_path / "crate", date=DATE)
    assert not (tmp_path / "crate/results/render").exists()
    (tmp_path / "mine").mkdir()
    with pytest.raises(InputError, match="exists and is no RO-Crate"):
        crate.run(Path("results"), tmp_path / "mine", date=DATE)


def test_an_unfinished_project_makes_no_crate(tmp_path):
    with pytest.raises(InputError, match="finish it first"):
        crate.run(tmp_path, tmp_path / "crate", date=DATE)


@pytest.mark.parametrize("date", ["yesterday", "2024-13-45", "20240102T10", "2023-02-29"])
def test_a_date_is_a_day_of_the_calendar(project, tmp_path, date):
    with pytest.raises(InputError, match=f"--date: found '{date}'; give a day of the calendar as YYYY-MM-DD"):
        crate.run(project / "results", tmp_path / "crate", date=date)


@pytest.mark.parametrize("output", ["results/crate", "results/report/crate.zip", "results", "."])
def test_a_crate_lies_beside_the_results(project, monkeypatch, output):
    monkeypatch.chdir(project)
    before = sorted(project.rglob("*"))
    with pytest.raises(InputError, match="which is to be packed, or holds it; name a place beside it"):
        crate.run(Path("results"), Path(output), date=DATE)
    assert sorted(project.rglob("*")) == before


def test_a_crate_is_not_named_as_another_file(project, tmp_path):
    with pytest.raises(InputError, match=r"c.txt: a crate is a folder or a file that ends in .zip"):
        crate.run(project / "results", tmp_path / "c.txt", date=DATE)
    assert list(tmp_path.iterdir()) == []
    crate.run(project / "results", tmp_path / "crate-1.0", date=DATE)
    assert (tmp_path / "crate-1.0" / crate.METADATA).is_file()


class BundledContext:
    """The network for the validator: the context of RO-Crate as the library `rocrate` brings it, and nothing else.

    It is that of version 1.3, in which the terms of Bioschemas have other addresses than in 1.1.
    """

    def get(self, url, **_):
        import requests
        import rocrate

        answer = requests.Response()
        answer.url, answer.status_code = url, 200 if url == "https://w3id.org/ro/crate/1.1/context" else 404
        text = (Path(rocrate.__file__).parent / "data" / "ro-crate.jsonld").read_text(encoding="utf-8")
        answer.headers["Content-Type"] = "application/ld+json"
        answer._content = text.replace("https://bioschemas.org/terms/", "https://bioschemas.org/").encode()
        return answer

    head = get


def issues(folder, tmp_path):
    """What the validator complains of, of what the profile requires."""
    from rocrate_validator import models, services
    from rocrate_validator.utils.http import HttpRequester

    settings = services.ValidationSettings(
        rocrate_uri=str(folder), profile_identifier="workflow-run-crate-0.5", offline=True,
        requirement_severity=models.Severity.REQUIRED, cache_path=tmp_path / "cache",
    )  # fmt: skip
    HttpRequester().session = BundledContext()
    return [issue.message for issue in services.validate(settings).get_issues()]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the validator's own libraries
def test_the_validator_accepts_it_and_would_not_anything(project, tmp_path, monkeypatch):
    monkeypatch.chdir(project)
    crate.run(Path("results"), tmp_path / "crate", date=DATE)
    assert issues(tmp_path / "crate", tmp_path) == []
    metadata = tmp_path / "crate" / crate.METADATA
    whole = json.loads(metadata.read_text())
    whole["@graph"] = [entity for entity in whole["@graph"] if entity["@id"] != "#run"]
    metadata.write_text(json.dumps(whole))
    assert issues(tmp_path / "crate", tmp_path) != []
