"""The configuration: defaults from config/config.yaml, overlays on top, checked before anything runs.

The closed schemas in workflow/schemas are the single statement of what is allowed; this module merges the
files, applies the schema and says in one line what is wrong: file, key, value found, what is allowed, and the
nearest known name.
"""

import csv
import difflib
import fnmatch
import functools
import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import yaml

from galclass.errors import ConfigError
from galclass.files import require_file

#: The folder of the project: the one that holds config/, fortran/ and workflow/.
ROOT = Path(__file__).resolve().parent.parent

_TYPE_NAMES = {"integer": "a whole number", "number": "a number", "string": "text", "boolean": "true or false",
               "array": "a list", "object": "a section of keys"}  # fmt: skip

#: How many runs a message names.
_RUNS_NAMED = 60

_DOCUMENT_PREFACE = """\
Every value stands in `config/config.yaml`, a section per stage, with the unit in the key. An overlay
(`config/tiny.yaml`, `config/thesis.yaml`, your own) changes single values: `make run CONFIG=mine.yaml`, or
`galclass STAGE -c mine.yaml`. Unknown keys, wrong types and values out of range are refused before anything runs.
This page is made from `workflow/schemas` by `make docs`."""


def load(overlays: Iterable[Path] = ()) -> dict:
    """The configuration: config/config.yaml of the project with `overlays` on top, checked.

    Raises
    ------
    ConfigError
        A file is not YAML, a key is unknown, or a value has the wrong type or lies outside its range.
    """
    files = [ROOT / "config" / "config.yaml", *map(Path, overlays)]
    merged: dict = {}
    for file in files:
        merged = merge(merged, check_file(file))
    return check(merged, "configuration")


def check_file(path: Path) -> dict:
    """One configuration file as a dict, each key in it checked; a file need not hold every key."""
    content = _read_yaml(path)
    _raise_first(content, _optional(schema("config")), str(path))
    return content


def check(settings: dict, source: str) -> dict:
    """Return complete `settings` if they satisfy the schema, else raise `ConfigError`."""
    _raise_first(settings, schema("config"), source)
    inner, outer = (settings["label"][f"{name}_effective_radii"] for name in ("inner", "outer"))
    if inner >= outer:
        raise ConfigError(
            f"{source}: label.inner_effective_radii: found {inner}; allowed is less than outer_effective_radii, {outer}"
        )
    return settings


def named_files(settings: dict) -> list[Path]:
    """The pictures that the configuration names; raises an error for the first one, or the folder, that is missing."""
    controls = settings["verify"]["controls"]
    if controls and not resolve(controls).is_dir():
        raise ConfigError(f"verify.controls: no folder {controls}; give one with pictures of ordinary galaxies, or ''")
    named = (*reference_pictures(settings["reference"]), settings["render"]["telescope"]["background"])
    return [require_file(resolve(picture)) for picture in named if picture]


def reference_pictures(settings: dict) -> list[str]:
    """The pictures that the section `reference` names, none for the built-in galaxy."""
    named = settings["image"]
    return [name for name in ([named] if isinstance(named, str) else named) if name]


def merge(base: dict, overlay: dict) -> dict:
    """`base` with the values of `overlay` in their place, section by section."""
    both = {key: merge(base[key], overlay[key]) for key in base.keys() & overlay.keys()
            if isinstance(base[key], dict) and isinstance(overlay[key], dict)}  # fmt: skip
    return {**base, **overlay, **both}


def schema(name: str) -> dict:
    """The schema workflow/schemas/NAME.schema.yaml."""
    return _read_yaml(ROOT / "workflow" / "schemas" / f"{name}.schema.yaml")


def read_mergers(path: Path) -> dict[str, dict]:
    """The table of merger runs, name of the run -> its row; columns as in mergers.schema.yaml."""
    return parse_mergers(_read_text(path), str(path))


def parse_mergers(text: str, source: str) -> dict[str, dict]:
    """The same of the text of a table, which messages call `source`.

    Raises
    ------
    ConfigError
        A column or value is not allowed, or no orbit passes through the separation at the start.
    """
    return _parse_design(text, source, "mergers", "run", _off_its_orbit)


def off_orbit(pericentre_kpc: float, eccentricity: float, separation_kpc: float) -> str:
    """What is wrong where no Kepler orbit passes through a separation; empty where one does.

    Parameters
    ----------
    pericentre_kpc : float
        Smallest distance of the orbit [kpc].
    eccentricity : float
        0 circle, below 1 ellipse, 1 parabola, above 1 hyperbola.
    separation_kpc : float
        Distance of the two [kpc].
    """
    if pericentre_kpc <= 0.0 or eccentricity < 0.0:
        return (
            f"pericentre_kpc {pericentre_kpc:g}, eccentricity {eccentricity:g}: the first must be above 0, the second"
            " 0 or more; for a head-on collision give a small pericentre, e.g. 0.01"
        )
    bound = eccentricity < 1.0
    apocentre = pericentre_kpc * (1.0 + eccentricity) / (1.0 - eccentricity) if bound else math.inf
    # A circle's two ends coincide: allow the rounding of the division above.
    if pericentre_kpc * (1 - 1e-12) <= separation_kpc <= apocentre * (1 + 1e-12):
        return ""
    end = f"the apocentre, {apocentre:.10g} kpc" if bound else "infinity"
    return (
        f"separation_kpc {separation_kpc:.10g}: must lie between the pericentre, {pericentre_kpc:.10g} kpc, and {end};"
        " change it or the orbit"
    )


def _off_its_orbit(row: dict) -> str:
    """What is wrong with the orbit of a row of the table of mergers."""
    return off_orbit(row["pericentre_kpc"], row["eccentricity"], row["separation_kpc"])


def read_shapes(path: Path) -> dict[str, dict]:
    """The table of shape models, name of the model -> its row; columns as in shapes.schema.yaml."""
    return _parse_design(_read_text(path), str(path), "shapes", "model")


def merger_tables(settings: dict) -> list[str]:
    """The tables that `initial.table` names."""
    named = settings["initial"]["table"]
    return [named] if isinstance(named, str) else named


def mergers(settings: dict) -> dict[str, dict]:
    """The rows of all tables of `initial.table`, name of the run -> its row.

    Raises
    ------
    ConfigError
        Two tables have a run of one name.
    """
    rows: dict[str, dict] = {}
    for table in merger_tables(settings):
        more = read_mergers(resolve(table))
        twice = sorted(rows.keys() & more.keys())
        if twice:
            raise ConfigError(f"{table}: run {twice[0]!r} is in another table of initial.table too; rename one of them")
        rows |= more
    return rows


def runs(settings: dict) -> tuple[dict[str, dict], dict[str, dict]]:
    """The rows to screen and those to learn from, as of `selected_runs` and `training_runs`; reads each table once."""
    rows = mergers(settings)
    return _selected(settings, rows), _learnt(settings, rows)


def required(settings: dict) -> tuple[dict[str, dict], dict[str, dict], dict[str, dict]]:
    """All that the workflow wants to find before it runs.

    Returns
    -------
    rows to screen, rows to learn from, shape models
        By their names.

    Raises
    ------
    ConfigError, InputError
        A table or a run in it, a shape model, a picture or a folder is wrong or missing.
    """
    screened, learnt = runs(settings)
    models = read_shapes(resolve(settings["simulate"]["shapes"]["table"]))
    named_files(settings)
    return screened, learnt, models


def validation(settings: dict) -> tuple[dict, dict[str, dict]]:
    """The configuration with the overlay `validate.configuration` on top, checked, and the rows of its runs."""
    name = settings["validate"]["configuration"]
    own = check(merge(settings, check_file(resolve(name))), name)
    return own, selected_runs(own)


def selected_runs(settings: dict) -> dict[str, dict]:
    """The rows of the merger tables that `initial.runs` names or whose names its patterns fit.

    Names come in the order of the list, those of a pattern in that of the tables; none comes twice.

    Raises
    ------
    ConfigError
        A name or pattern fits no row.
    """
    return _selected(settings, mergers(settings))


def training_runs(settings: dict) -> dict[str, dict]:
    """The rows of the merger tables that `train.runs` names or whose names its patterns fit, in the tables' order.

    Raises
    ------
    ConfigError
        A name or pattern fits no row, or a run is both learnt from and screened.
    """
    return _learnt(settings, mergers(settings))


def _selected(settings: dict, rows: dict[str, dict]) -> dict[str, dict]:
    """Those of the rows that are screened."""
    return {run: rows[run] for run in _wanted(settings, "initial", rows)}


def _learnt(settings: dict, rows: dict[str, dict]) -> dict[str, dict]:
    """Those of the rows that are learnt from."""
    fitting = _wanted(settings, "train", rows)
    both = sorted(fitting.keys() & _wanted(settings, "initial", rows).keys())
    if both:
        raise ConfigError(
            f"train.runs: {both[0]!r} is also in initial.runs; what a network learns from cannot show how common "
            "rectangles are: take it out of one of them"
        )
    return {run: row for run, row in rows.items() if run in fitting}


def _wanted(settings: dict, section: str, rows: dict[str, dict]) -> dict[str, None]:
    """The runs that SECTION.runs stands for, each once."""
    named = settings[section]["runs"]
    return dict.fromkeys(run for wanted in named for run in _fitting(wanted, rows, section, settings))


def _fitting(wanted: str, rows: dict[str, dict], section: str, settings: dict) -> list[str]:
    """The runs of the tables that a name or pattern of SECTION.runs stands for."""
    if wanted in rows:
        return [wanted]
    found = fnmatch.filter(rows, wanted)
    if not found:
        more = f" and {len(rows) - _RUNS_NAMED} more" if len(rows) > _RUNS_NAMED else ""
        known = f"{', '.join(list(rows)[:_RUNS_NAMED])}{more}{_nearest(wanted, rows)}"
        raise ConfigError(
            f"{section}.runs: {wanted!r} is not in {', '.join(merger_tables(settings))}; known runs: {known}; patterns "
            "such as 'grid_*' are allowed, and initial.table may be a list of tables"
        )
    return found


def resolve(path: str) -> Path:
    """A path of the configuration: as it stands if it exists from here, else relative to the project."""
    return Path(path) if Path(path).exists() else ROOT / path


def document() -> str:
    """The configuration in Markdown: every key with its meaning, what is allowed, and its default."""
    defaults = _read_yaml(ROOT / "config" / "config.yaml")
    parts = ["# Configuration", _DOCUMENT_PREFACE]
    for name, rule in schema("config")["properties"].items():
        parts += [f"## {name}", rule["description"], _document_table(rule, defaults[name])]
    for name, files in (("mergers", "config/mergers.tsv"), ("shapes", "config/training_shapes.tsv, config/shapes.tsv")):
        parts += [f"## {files}", schema(name)["description"], _document_table(schema(name), {})]
    return "\n\n".join(parts) + "\n"


def _document_table(rule: dict, defaults: dict) -> str:
    """A table of the keys of one section; the keys of a section within it are named with a dot."""
    lines = (
        ["| key | meaning | allowed | default |", "|---|---|---|---|"]
        if defaults
        else ["| column | meaning | allowed |", "|---|---|---|"]
    )
    for name, inner in _flat(rule):
        value = [f"`{_lookup(defaults, name)}`"] if defaults else []
        lines.append("| " + " | ".join([f"`{name}`", inner["description"], _allowed(inner), *value]) + " |")
    return "\n".join(lines)


def _flat(rule: dict, prefix: str = "") -> Iterator[tuple[str, dict]]:
    """The keys of a section and of the sections within it, with dotted names."""
    for name, inner in rule["properties"].items():
        if inner["type"] == "object":
            yield from _flat(inner, f"{prefix}{name}.")
        else:
            yield prefix + name, inner


def _lookup(settings: dict, name: str) -> object:
    """The value of a dotted name; empty text as two quotes, lists as in YAML."""
    for part in name.split("."):
        settings = settings[part]
    return "[" + ", ".join(settings) + "]" if isinstance(settings, list) else '""' if settings == "" else settings


def _read_yaml(path: Path) -> dict:
    path = require_file(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        where = f" line {error.problem_mark.line + 1}:" if getattr(error, "problem_mark", None) else ""
        raise ConfigError(f"{path}:{where} not readable as YAML; check indentation, colons and quotes") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: found {type(content).__name__}; a configuration is a set of sections of keys")
    return content


def _parse_design(
    text: str, source: str, name: str, key: str, wrong: Callable[[dict], str] = lambda row: ""
) -> dict[str, dict]:
    """The rows of a design table by their name in column `key`, types converted and checked, by `wrong` as a whole."""
    columns = schema(name)
    cells = {column: _cell_reader(rule) for column, rule in columns["properties"].items()}
    rows: dict[str, dict] = {}
    for number, row in _parse_tsv(text, source, list(cells)):
        where = f"{source} line {number}"
        read = {column: cells[column](cell) for column, cell in row.items()}
        typed = {column: value for column, (value, _) in read.items()}
        if not all(allowed for _, allowed in read.values()):
            _raise_first(typed, columns, where)
        if typed[key] in rows:
            raise ConfigError(f"{where}: {key} {typed[key]!r} appears twice; every row needs a name of its own")
        if complaint := wrong(typed):
            raise ConfigError(f"{where}: {complaint}")
        rows[typed[key]] = typed
    if not rows:
        raise ConfigError(f"{source}: the table has no rows; give at least one {key}")
    return rows


def _cell_reader(rule: dict) -> Callable[[str], tuple[object, bool]]:
    """A function from the text of a cell to its value, and whether that is allowed; each text is looked at once."""
    import jsonschema

    is_valid = jsonschema.Draft202012Validator(rule).is_valid

    @functools.cache
    def read(text: str) -> tuple[object, bool]:
        value = _number(text, rule)
        # NaN passes every comparison of a schema.
        return value, (not isinstance(value, float) or math.isfinite(value)) and is_valid(value)

    return read


def _read_text(path: Path) -> str:
    try:
        return require_file(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not a text table; give tab-separated columns") from error


def _parse_tsv(text: str, source: str, columns: list[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Numbered rows of a tab-separated table whose header must name the columns of the schema."""
    lines = ((n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip() and not line.startswith("#"))
    header = _cells(*next(lines, (1, "")), source)
    _check_header(source, header, columns)
    for number, line in lines:
        row = _cells(number, line, source)
        if len(row) != len(header):
            raise ConfigError(
                f"{source} line {number}: {len(row)} values for {len(header)} columns; separate them by tabs"
            )
        yield number, dict(zip(header, row, strict=True))


def _cells(number: int, line: str, source: str) -> list[str]:
    """The cells of one line."""
    try:
        return next(csv.reader([line], delimiter="\t", strict=True), [])
    except csv.Error as error:
        raise ConfigError(f"{source} line {number}: a quotation mark in the wrong place; leave it out") from error


def _check_header(source: str, header: list[str], allowed: list[str]) -> None:
    for column in header:
        if column not in allowed:
            raise ConfigError(
                f"{source}: unknown column {column!r}; allowed are {', '.join(allowed)}{_nearest(column, allowed)}"
            )
    missing = [column for column in allowed if column not in header]
    if missing:
        raise ConfigError(f"{source}: column {', '.join(missing)} is missing; the table needs {', '.join(allowed)}")


def _number(text: str, rule: dict) -> str | int | float:
    """The text of a table's cell as the type its schema asks for; left as text when it is no such number."""
    convert = {"integer": int, "number": float}.get(rule["type"], str)
    try:
        return convert(text)
    except ValueError:
        return text


def _optional(rule: dict) -> dict:
    """A schema in which no key is required, at any depth: for overlays."""
    relaxed = {key: value for key, value in rule.items() if key != "required"}
    if "properties" in relaxed:
        relaxed["properties"] = {name: _optional(value) for name, value in relaxed["properties"].items()}
    return relaxed


def _raise_first(content: dict, rule: dict, source: str) -> None:
    """Raise `ConfigError` for the first key of `content` that breaks `rule`."""
    import jsonschema

    for where, value in _leaves(content):
        # NaN passes every comparison of a schema, so it is refused by hand.
        if isinstance(value, float) and not math.isfinite(value):
            raise ConfigError(f"{source}: {where}: found {value}; allowed is a finite number")
    errors = jsonschema.Draft202012Validator(rule).iter_errors(content)
    first = min(errors, key=lambda error: list(map(str, error.absolute_path)), default=None)
    if first is not None:
        raise ConfigError(f"{source}: {_explain(first)}")


def _leaves(content: object, where: str = "") -> Iterator[tuple[str, object]]:
    """Every value of nested sections with its dotted name."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield from _leaves(value, f"{where}.{key}" if where else str(key))
    else:
        yield where, content


def _explain(error) -> str:
    """One line for a validation error: key, value found, what is allowed, nearest name."""
    where = ".".join(map(str, error.absolute_path))
    if error.validator == "additionalProperties":
        allowed = list(error.schema["properties"])
        unknown = next(key for key in error.instance if key not in allowed)
        name = f"{where}.{unknown}" if where else str(unknown)
        return f"{name}: unknown key; allowed are {', '.join(allowed)}{_nearest(str(unknown), allowed)}"
    if error.validator == "required":
        missing = next(key for key in error.validator_value if key not in error.instance)
        name = f"{where}.{missing}" if where else missing
        return f"{name}: missing; give {_allowed(error.schema['properties'][missing])}"
    return f"{where}: found {error.instance!r}; allowed is {_allowed(error.schema)}{_number_hint(error.instance)}"


def _allowed(rule: dict) -> str:
    """What a schema allows, in words."""
    if "enum" in rule:
        return "one of " + ", ".join(map(str, rule["enum"]))
    types = rule["type"] if isinstance(rule["type"], list) else [rule["type"]]
    words = " or ".join(_TYPE_NAMES[name] for name in types)
    bounds = [("minimum", "from {}"), ("exclusiveMinimum", "above {}"), ("maximum", "to {}"),
              ("exclusiveMaximum", "below {}"), ("minItems", "of at least {} entry"), ("uniqueItems", "each only once"),
              ("pattern", "of the form {}")]  # fmt: skip
    return " ".join([words, *(phrase.format(rule[key]) for key, phrase in bounds if key in rule)])


def _nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _number_hint(value: object) -> str:
    """What to do about a number that arrived as text."""
    try:
        float(value if isinstance(value, str) else "no text")
    except ValueError:
        return ""
    return "; write 2.0e+8, not 2e8" if "e" in value.lower() else "; give the number in a file, without quotes"
