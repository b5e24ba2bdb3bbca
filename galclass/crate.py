"""A finished project as an RO-Crate: workflow, configuration, results and where each came from, in one folder or zip.

The crate keeps to RO-Crate 1.1 and to the profile Workflow Run Crate 0.5: the run of the workflow is one action, each
step of a stage another, with what it read (`object`), what it wrote (`result`) and by what (`instrument`); a page says
the same to people. Pictures and particles are large: unless asked for they stay outside, named with size and SHA-256.

The same results give the same bytes. So the date of the crate is not that of today but the one of the version of
galclass, `date-released` in CITATION.cff.
"""

import datetime
import html
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import yaml

from galclass import __version__, provenance, trace
from galclass.config import ROOT
from galclass.errors import InputError
from galclass.files import atomic, on_disk, write_text

METADATA = "ro-crate-metadata.json"
#: The page of a crate, named as RO-Crate 1.1 wants it.
PREVIEW = "ro-crate-preview.html"
_PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
_VERSIONS = ("0.5", "0.5", "1.0")
_TERMS = {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"}
#: What makes the workflow, beside the Snakefile.
_WORKFLOW = ("workflow/**/*.smk", "workflow/**/*.yaml", "config/**/*.yaml", "config/**/*.tsv", "requirements.lock",
             "README.md", "CITATION.cff", "LICENSE")  # fmt: skip
#: What is named, not taken along: packs of pictures, particles, archives of them.
_LARGE = (".h5", ".hdf5", ".dat", ".tar", ".fits")
_KEPT_ALL_THE_SAME = ("train", "reference", "verify")
#: A page names so many files of a step.
_NAMED = 4
_TYPES = {".parquet": "application/vnd.apache.parquet", ".csv": "text/csv", ".json": "application/json",
          ".png": "image/png", ".html": "text/html", ".h5": "application/x-hdf5", ".fits": "application/fits",
          ".yaml": "application/yaml", ".tar": "application/x-tar", ".md": "text/markdown"}  # fmt: skip


def run(results: Path, output: Path, with_data: bool = False, date: str = "", author: str = "") -> dict:
    """Write the crate of a finished project.

    Parameters
    ----------
    results : path
        The folder of the results.
    output : path
        The folder of the crate, or a file that ends in .zip, outside the results; an earlier crate there is replaced.
    with_data : bool
        Whether packs, snapshots and other large files go along.
    date : str
        YYYY-MM-DD; empty for the date of the version of galclass.
    author : str
        Who made the results; empty for nobody named.

    Returns
    -------
    dict
        output; files and bytes in it; left_out: files that are only named.

    Raises
    ------
    InputError
        The results have no report, the output is something else than a crate or lies in the results, or the date is
        none.
    """
    results, output = Path(results), Path(output)
    if not (results / "report" / "index.html").is_file():
        raise InputError(f"{results}: no report/index.html; a crate needs a finished project, so finish it first")
    date = _date(date or _released())
    _require_place(output, results)
    with tempfile.TemporaryDirectory(dir=output.absolute().parent, prefix=f".{output.name}.") as scratch:
        made = Path(scratch) / "crate"
        _write(results, made, with_data, date, author)
        size = [path.stat().st_size for path in made.rglob("*") if path.is_file()]
        _put(made, output)
    left = 0 if with_data else sum(not _taken(path, results) for path in _files(results))
    return {"output": str(output), "files": len(size), "bytes": sum(size), "left_out": left}


def _released() -> str:
    """The date of this version of galclass."""
    released = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8")).get("date-released")
    if not released:
        raise InputError("CITATION.cff: no date-released, and a crate needs a date; give --date YYYY-MM-DD")
    return str(released)


def _date(text: str) -> str:
    """The text, if it is a date."""
    try:
        return datetime.date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise InputError(f"--date: found {text!r}; give a day of the calendar as YYYY-MM-DD") from error


def _require_place(output: Path, results: Path) -> None:
    """Refuse an output that would be packed the next time or replace the results, or is named as another file."""
    inner, outer = output.resolve(), results.resolve()
    if inner.is_relative_to(outer) or outer.is_relative_to(inner):
        raise InputError(f"{output}: lies in {results}, which is to be packed, or holds it; name a place beside it")
    # crate-1.0 may be a folder
    if output.suffix[1:2].isalpha() and output.suffix != ".zip" and not output.is_dir():
        raise InputError(f"{output}: a crate is a folder or a file that ends in .zip; name it so")


def _put(made: Path, output: Path) -> None:
    """The crate in its place, as a folder or a zip file."""
    if output.suffix == ".zip":
        with atomic(output) as temporary:
            _zip(made, temporary)
        return
    if output.exists():
        if not (output / METADATA).is_file():
            raise InputError(f"{output}: exists and is no RO-Crate; name a folder that does not exist yet")
        shutil.rmtree(output)
    made.replace(output)


def _zip(folder: Path, path: Path) -> None:
    """All files of a folder in the order of their names, with no date of today."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(file for file in folder.rglob("*") if file.is_file()):
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix())
            entry.external_attr, entry.compress_type = 0o644 << 16, zipfile.ZIP_DEFLATED
            with open(file, "rb") as source, archive.open(entry, "w") as target:
                shutil.copyfileobj(source, target)


# The crate --------------------------------------------------------------------------------------------------


def _write(results: Path, folder: Path, with_data: bool, date: str, author: str) -> None:
    """The folder of the crate."""
    from rocrate.rocrate import ROCrate

    crate = ROCrate(version="1.1")
    crate.metadata.extra_terms.update(_TERMS)
    _describe(crate, results, date, author)
    about = {"name": "galclass", "version": __version__, **_facts(ROOT / "Snakefile")}
    workflow = crate.add_workflow(ROOT / "Snakefile", "Snakefile", main=True, lang="snakemake", properties=about)
    parts = [_add_file(crate, path, path.relative_to(ROOT).as_posix()) for path in _workflow_files()]
    crate.dereference("README.md")["about"] = crate.root_dataset
    workflow["hasPart"] = [part for part in parts if part.id.endswith(".smk")]
    entities = {path: _add_result(crate, path, results, with_data) for path in _files(results)}
    steps = _add_actions(crate, results, entities, workflow)
    crate.write(folder)
    write_text(folder / PREVIEW, _page(crate, steps))


def _describe(crate, results: Path, date: str, author: str) -> None:
    """What the whole is."""
    crate.name = "galclass: frames of simulated mergers, screened for rectangular galaxies"
    crate.description = ("Simulations of merging dwarf galaxies, their pictures, the classes of every frame and the "
                         "candidates, with the workflow that made them and the origin of every file.")  # fmt: skip
    crate.root_dataset["datePublished"] = date
    crate.license = _entity(crate, "https://spdx.org/licenses/MIT", "CreativeWork", name="MIT License")
    profiles = [_entity(crate, address, "CreativeWork", name=name, version=version)
                for (address, name), version in zip(_PROFILES.items(), _VERSIONS, strict=True)]  # fmt: skip
    crate.root_dataset["conformsTo"] = profiles
    if author:
        crate.root_dataset["author"] = _entity(crate, f"#{'-'.join(author.split())}", "Person", name=author)


def _add_actions(crate, results: Path, entities: dict, workflow) -> list:
    """The run of the workflow, and each step that a record tells of; the steps are returned."""
    config = entities.get(results / "config.yaml")
    report = entities[results / "report" / "index.html"]
    whole = _entity(crate, "#run", "CreateAction", name="Run of the workflow", instrument=workflow, result=[report],
                    actionStatus={"@id": "http://schema.org/CompletedActionStatus"})  # fmt: skip
    if config is not None:
        whole["object"] = [config]
    steps = [_step(crate, *step, entities) for step in _steps(results, entities)]
    crate.root_dataset["mentions"] = [whole, *steps]
    return steps


def _steps(results: Path, entities: dict) -> Iterator[tuple[Path, dict, list[Path]]]:
    """Every record, the file that holds it and the files that it explains."""
    explained: dict[Path, tuple[dict, list[Path]]] = {}
    for path in entities:
        found = trace.found_record(path)
        if found is not None and path.relative_to(results).parts[0] not in ("logs", "config.yaml"):
            record, place = found
            explained.setdefault(place, (record, []))[1].append(path)
    for place, (record, files) in explained.items():
        yield place.relative_to(results), record, files


def _step(crate, place: Path, record: dict, files: list[Path], entities: dict):
    """One step of a stage as an action."""
    stage = record["stage"]
    action = _entity(
        crate, f"#{stage}/{place.as_posix()}", "CreateAction", name=f"{stage}: {place.as_posix()}",
        description=f"The step of stage {stage} that wrote results/{place.as_posix()}",
        instrument=_program(crate, stage, record), result=[entities[path] for path in files],
        actionStatus={"@id": "http://schema.org/CompletedActionStatus"},
    )  # fmt: skip
    known = {path.absolute(): entity for path, entity in entities.items()}
    inputs = [known.get(on_disk(trace.located(name, files[0])).absolute()) or _preset(crate, name, digest)
              for name, digest in record["inputs"].items()]  # fmt: skip
    named = list({entity.id: entity for entity in inputs if entity is not None}.values())
    if named:
        action["object"] = named
    return action


def _preset(crate, name: str, digest: str):
    """The file of the workflow that a record names, if it is still as it was; else None."""
    entity = crate.dereference(name)
    return entity if entity is not None and entity.get("sha256") == digest else None


def _program(crate, stage: str, record: dict):
    """The program of a stage at the version of its code, or of its Fortran."""
    if "fortran" in record:
        program, digest = record["settings"]["program"], record["fortran"]
        return _entity(
            crate,
            f"#fortran-{program}-{digest[:12]}",
            "SoftwareApplication",
            name=f"Fortran {program}",
            softwareVersion=record["galclass"],
            sha256=digest,
            description=f"sha256 is the digest of its Fortran without comments; {record['compiler']}",
        )
    return _entity(crate, f"#galclass-{stage}-{record['code'][:12]}", "SoftwareApplication", name=f"galclass {stage}",
                   softwareVersion=record["galclass"], sha256=record["code"],
                   description="sha256 is the digest of its code without comments")  # fmt: skip


# The page ---------------------------------------------------------------------------------------------------


def _page(crate, steps: list) -> str:
    """What was made from what, a row a step, for people."""
    rows = "\n".join(f"<tr><td>{_links(step['result'])}</td><td>{_links(step.get('object', []))}</td>"
                     f"<td>{_text(step['instrument'])}</td></tr>" for step in steps)  # fmt: skip
    return _PAGE.format(name=html.escape(crate.name), about=html.escape(crate.description), rows=rows)


def _links(entities: list) -> str:
    """The files of a step, the first of many; those in the crate with their address."""
    names = [html.escape(entity["name"]) for entity in entities]
    named = [name if entity.id.startswith("#") else f'<a href="{name}">{name}</a>'
             for name, entity in zip(names, entities, strict=True)]  # fmt: skip
    more = [f"and {len(named) - _NAMED} more"] if len(named) > _NAMED else []
    return "<br>".join([*named[:_NAMED], *more])


def _text(program) -> str:
    return html.escape(f"{program['name']} {program['softwareVersion']}, code {program['sha256'][:12]}")


_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name}</title>
<style>
  body {{ font: 16px/1.5 system-ui, sans-serif; color: #1c2330; max-width: 72rem; margin: 0 auto; padding: 1.5rem; }}
  table {{ border-collapse: collapse; font-size: .9rem; display: block; overflow-x: auto; }}
  th, td {{ text-align: left; vertical-align: top; padding: .3rem .7rem; border-bottom: 1px solid #d9dee7; }}
</style></head>
<body>
<h1>{name}</h1>
<p>{about} Start with <a href="results/report/index.html">the report</a>; every setting stands in
<a href="results/config.yaml">results/config.yaml</a>, the workflow in <a href="Snakefile">Snakefile</a>.</p>
<p>Each row is a step. Names without a link are of files that are not in this crate; their sizes and digests, and all
that is said here, stand in <a href="ro-crate-metadata.json">ro-crate-metadata.json</a> for programs to read.</p>
<table><thead><tr><th>written</th><th>from</th><th>by</th></tr></thead><tbody>
{rows}
</tbody></table>
</body></html>
"""


# Files ------------------------------------------------------------------------------------------------------


def _workflow_files() -> list[Path]:
    """The files of the project that make the workflow, each once."""
    return sorted({path for pattern in _WORKFLOW for path in ROOT.glob(pattern) if path.is_file()})


def _files(results: Path) -> list[Path]:
    """The files of the results, without what the workflow left for itself."""
    return [path for path in sorted(results.rglob("*")) if path.is_file() and not path.name.startswith(".")]


def _taken(path: Path, results: Path) -> bool:
    """Whether a file goes along: no large ones but what is learnt, and no programs, which are of one machine."""
    folder = path.relative_to(results).parts[0]
    return folder in _KEPT_ALL_THE_SAME or not (path.suffix in _LARGE or (folder, path.suffix) == ("bin", ""))


def _add_result(crate, path: Path, results: Path, with_data: bool):
    """A file of the results: taken along, or only named."""
    name = f"results/{path.relative_to(results).as_posix()}"
    if with_data or _taken(path, results):
        return _add_file(crate, path, name)
    return _entity(crate, f"#{name}", "CreativeWork", name=name, description="not in this crate", **_facts(path))


def _add_file(crate, path: Path, name: str):
    return crate.add_file(path, name, properties={"name": name, **_facts(path)})


def _facts(path: Path) -> dict:
    """Size, digest and kind of a file."""
    kind = {"encodingFormat": _TYPES[path.suffix]} if path.suffix in _TYPES else {"encodingFormat": "text/plain"}
    return {"contentSize": str(path.stat().st_size), "sha256": provenance.file_digest(path), **kind}


def _entity(crate, address: str, kind: str, /, **properties):
    """A contextual entity, made when it is first named."""
    from rocrate.model.contextentity import ContextEntity

    known = crate.dereference(address)
    if known is not None:
        return known
    made = ContextEntity(crate, address, properties={"@type": kind})
    for key, value in properties.items():
        made[key] = value
    return crate.add(made)


def lines(answer: dict) -> list[str]:
    """One line on what was written."""
    size = f"{answer['files']} files, {answer['bytes'] / 1e6:.1f} MB"
    left = f"; {answer['left_out']} large files are named with their digests, not in it (--with-data takes them along)"
    return [f"{answer['output']}: {size}{left if answer['left_out'] else ''}"]
