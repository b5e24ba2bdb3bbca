"""What a result was made from, down to the tables, the reference's figures and the Fortran programs.

Every product holds a record of its own (`galclass.provenance`), or stands beside a file that does; the record names
the inputs, which have records again. A trace ends at what has none, a table of the configuration or a picture that
somebody gave, and at the programs, whose records tell their Fortran and their compiler.
"""

import functools
import json
import re
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from galclass import catalog, provenance
from galclass.config import ROOT
from galclass.errors import GalclassError, InputError
from galclass.files import on_disk

#: What a file whose record is elsewhere is explained by: files of the same name, then one record of the whole folder.
_SIBLINGS = (".parquet", ".h5", ".json", ".fits")
_FOLDER_RECORDS = ("provenance.json", "card.json", "reference.json", "index.html")
_SCRIPT = re.compile(r"""<script[^>]*\bid=["']provenance["'][^>]*>(.*?)</script>""", re.DOTALL)
_KEPT = ("stage", "galclass", "code", "fortran", "seed", "settings", "compiler", "python", "libraries")
_DIGITS = 12


def run(path: Path, check: bool = False) -> dict:
    """Everything behind one file.

    Parameters
    ----------
    path : path
        A product of any stage: table, pack, picture, page, snapshot, member of an archive, network, program.
    check : bool
        Whether to compute the digests of what lies on disk and the code anew.

    Returns
    -------
    dict
        ``file``; ``nodes``, a dict for each file behind it in the order they were met: file, stage, record (the file
        that holds the record, "" where the trace ends), what the record says, and inputs, each a dict of file, sha256,
        and with `check` state: same, changed or missing; ``changed``, sentences, empty if all is as it was.

    Raises
    ------
    InputError
        No such file, or it is not known what it was made from.
    """
    path = Path(path)
    if not path.exists() and not on_disk(path).exists():
        raise InputError(f"{path}: no such file; give a file that a stage of galclass wrote")
    if found_record(path) is None:
        raise InputError(f"{path}: neither in it nor beside it stands what it was made from; give a file of results")
    nodes, todo = {}, deque([path])
    digest = functools.cache(provenance.file_digest) if check else None  # many results share an input
    while todo:
        file = todo.popleft()
        if str(file) not in nodes:
            nodes[str(file)] = node = _node(file, digest)
            todo += [Path(made["file"]) for made in node["inputs"]]
    return {
        "file": str(path),
        "nodes": list(nodes.values()),
        "changed": _changed(list(nodes.values())) if check else [],
    }


def found_record(path: Path) -> tuple[dict, Path] | None:
    """The record behind a file and the file that holds it; None where there is none.

    It stands in the file itself, in one of the same name (the .csv of a table, the picture of a pack), or in the
    record of its folder or the one above (a simulation, a network, the report).
    """
    path = on_disk(path)
    for place in _places(path):
        record = embedded(place)
        if record is not None:
            return record, place
    return None


def _places(path: Path) -> Iterator[Path]:
    """Where the record of a file may stand, the nearest first."""
    folder = path if path.is_dir() else path.parent
    if path.is_file():
        yield path
        stem = path.name.split(".")[0]
        for name in (stem, *([stem.rsplit("_", 1)[0]] if "_" in stem else [])):
            yield from (path.with_name(name + suffix) for suffix in _SIBLINGS)
    yield from (above / name for above in (folder, folder.parent) for name in _FOLDER_RECORDS)


def embedded(path: Path) -> dict | None:
    """The record that a file itself holds; None if it holds none, is damaged, or is of no such kind."""
    reader = _READERS.get(path.suffix.lower())
    if reader is None or not path.is_file():
        return None
    try:
        record = reader(path)
    except (OSError, ValueError, KeyError, UnicodeError, GalclassError):
        return None
    return record if isinstance(record, dict) and "stage" in record and "inputs" in record else None


def _of_parquet(path: Path) -> dict:
    return catalog.read_provenance(path)


def _of_hdf5(path: Path) -> dict:
    import h5py

    with h5py.File(path) as file:
        return json.loads(file.attrs["provenance"])


def _of_json(path: Path) -> dict:
    content = json.loads(path.read_text(encoding="utf-8"))
    return content.get("provenance", content) if isinstance(content, dict) else {}


def _of_html(path: Path) -> dict:
    found = _SCRIPT.search(path.read_text(encoding="utf-8"))
    return json.loads(found.group(1)) if found else {}


def _of_fits(path: Path) -> dict:
    from astropy.io import fits

    with fits.open(path) as file:
        notes = next((hdu.header["HISTORY"] for hdu in file if "HISTORY" in hdu.header), ["{}"])
        return json.loads("".join(notes))


def _of_png(path: Path) -> dict:
    from PIL import Image

    with Image.open(path) as picture:
        return json.loads(picture.info.get("provenance", "{}"))


_READERS = {".parquet": _of_parquet, ".h5": _of_hdf5, ".hdf5": _of_hdf5, ".json": _of_json, ".html": _of_html,
            ".fits": _of_fits, ".png": _of_png}  # fmt: skip


def untraceable(results: Path) -> list[Path]:
    """The files of a folder of results that cannot be traced, without logs and what the flow needs itself."""
    skipped = {"logs", "benchmarks"}
    files = (path for path in sorted(Path(results).rglob("*")) if path.is_file() and not path.name.startswith("."))
    inner = (path for path in files if path.relative_to(results).parts[0] not in skipped)
    return [path for path in inner if path.name != "config.yaml" and found_record(path) is None]


def _node(file: Path, digest: Callable[[Path], str] | None) -> dict:
    """One file, with what it was made from."""
    record, place = found_record(file) or ({"inputs": {}}, "")
    inputs = [_input(located(name, file), recorded, digest) for name, recorded in record["inputs"].items()]
    # A record beside a file that it was made from does not explain that file.
    if not place or str(file) in [made["file"] for made in inputs]:
        return {"file": str(file), "stage": "", "record": "", "kind": _kind(file), "inputs": []}
    return {"file": str(file), "record": str(place), **{name: record.get(name) for name in _KEPT}, "inputs": inputs}


def _kind(file: Path) -> str:
    """What a file without a record is, in words."""
    if "*" in file.name:
        return f"{len(_group(file))} files, each with a record of its own"
    return "given" if on_disk(file).exists() else "not here"


def _input(file: Path, recorded: str, digest: Callable[[Path], str] | None) -> dict:
    """One input of a product with its recorded digest, and how it stands where digests are computed."""
    made = {"file": str(file), "sha256": recorded}
    if digest is None:
        return made
    there = _group(file) if "*" in file.name else [path for path in [on_disk(file)] if path.is_file()]
    now = provenance.group_digest(there, digest) if "*" in file.name else "".join(map(digest, there))
    return made | {"state": "missing" if not there else "same" if now == recorded else "changed"}


def _group(pattern: Path) -> list[Path]:
    """The files of an input that stands for many of a folder."""
    return sorted(pattern.parent.glob(pattern.name))


def located(name: str, product: Path) -> Path:
    """A path of a record: from where the command ran, the folder above the results; presets also from the project."""
    given = Path(name)
    project = [ROOT] if given.parts[:1] == ("config",) else []
    for folder in (*product.absolute().parents, *project):
        if on_disk(folder / given).exists() or ("*" in given.name and _group(folder / given)):
            near = folder / given
            return near.relative_to(Path.cwd()) if near.is_relative_to(Path.cwd()) else near
    return given


def _changed(nodes: list[dict]) -> list[str]:
    """What is no longer as it was when the file was made, a sentence each."""
    files = {made["file"]: made["state"] for node in nodes for made in node["inputs"] if made["state"] != "same"}
    told = [f"{file}: {'has changed since' if state == 'changed' else 'is no longer there'}"
            for file, state in sorted(files.items())]  # fmt: skip
    return told + [f"{what} has changed since" for what in sorted(_other_code(nodes))]


def _other_code(nodes: list[dict]) -> set[str]:
    """What is another now than in the records: the Fortran of a program, the code of any other stage."""
    recorded = {(node["stage"], node["settings"]["program"], node["fortran"]) if node["fortran"]
                else (node["stage"], "", node["code"]) for node in nodes if node["record"]}  # fmt: skip
    return {f"the Fortran of program {program}" if program else f"the code of stage {stage}"
            for stage, program, digest in recorded if _digest_now(stage, program) != digest}  # fmt: skip


def _digest_now(stage: str, program: str) -> str:
    """The digest of a program's Fortran, or of the code of a stage, as installed; empty for one that is no more."""
    try:
        return provenance.fortran_digest(program) if program else provenance.code_digest(stage)
    except FileNotFoundError:
        return ""


# Text -------------------------------------------------------------------------------------------------------


def lines(answer: dict) -> list[str]:
    """The trace as a tree; files of one folder made by one step stand in one line, what was shown is not repeated."""
    nodes = {node["file"]: node for node in answer["nodes"]}
    tree = _branch([answer["file"]], nodes, "", set())
    return [*tree, *_circumstances(answer["nodes"][0]), *(f"changed: {told}" for told in answer["changed"])]


def _circumstances(node: dict) -> list[str]:
    """The settings and the versions behind one file."""
    if not node["record"]:
        return []
    libraries = {"python": node["python"], **(node["libraries"] or {}), "compiler": node["compiler"]}
    versions = ", ".join(f"{name} {version}" for name, version in libraries.items() if version)
    settings = ", ".join(f"{name} {value}" for name, value in _flat(node["settings"] or {}))
    return [f"settings: {settings or 'none'}", f"versions: {versions}"]


def _flat(settings: dict, above: str = "") -> Iterator[tuple[str, object]]:
    """The values of sections within sections, with dotted names."""
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield above + str(name), value


def _branch(files: list[str], nodes: dict, indent: str, shown: set) -> list[str]:
    """The lines of some files of one origin, and of what is behind them."""
    node = nodes[files[0]]
    title = files[0] if len(files) == 1 else f"{files[0]} and {len(files) - 1} more"
    if not node["record"]:
        return [f"{indent}{title}  [{node['kind']}]"]
    origin = node["record"], node["stage"]
    if origin in shown:
        return [f"{indent}{title}  [{node['stage']}, as above]"]
    shown.add(origin)
    head = f"{indent}{title}  [{node['stage']}, {_version(node)}, galclass {node['galclass']}]"
    groups = _groups([made["file"] for made in node["inputs"]], nodes)
    return [head, *(line for group in groups for line in _branch(group, nodes, indent + "  ", shown))]


def _version(node: dict) -> str:
    """The Fortran and the compiler of a program; the code and the seed of any other step."""
    if node["fortran"]:
        return f"Fortran {node['fortran'][:_DIGITS]}, {node['compiler']}"
    return f"code {node['code'][:_DIGITS]}" + ("" if node["seed"] is None else f", seed {node['seed']}")


def _groups(files: list[str], nodes: dict) -> list[list[str]]:
    """Files by their origin: those that one record explains, and those without one by their folder and kind."""
    groups: dict = {}
    for file in files:
        node = nodes[file]
        groups.setdefault(node["record"] or file, []).append(file)
    return list(groups.values())
