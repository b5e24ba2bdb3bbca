"""Tables of mergers to simulate: every combination of the values that some columns may take."""

import itertools
from collections.abc import Sequence
from pathlib import Path

from galclass import config
from galclass.errors import ConfigError
from galclass.files import require_suffix, write_text

#: What a column has where nothing is said of it: two equal bulgeless discs in the plane of their orbit.
DEFAULTS = {"mass_ratio": "1", "inclination1_deg": "0", "argument1_deg": "0", "inclination2_deg": "0",
            "argument2_deg": "0", "bulge_over_halo": "0"}  # fmt: skip
#: More runs than this are a slip of the keyboard.
_MOST = 1_000_000


def run(columns: Sequence[str], output: Path, prefix: str = "grid", seed: int = 1) -> int:
    """Write the table of all combinations, once it has been read as the workflow reads it.

    Parameters
    ----------
    columns : sequence of str
        Each ``NAME=VALUES``, see `values_of`.
    output : path
        The table (.tsv).
    prefix : str
        Runs are named PREFIX_0001 and so on.
    seed : int
        Seed of the first run; each has the next.

    Returns
    -------
    int
        Number of runs.

    Raises
    ------
    ConfigError
        A column is unknown, given twice or missing, or a value or an orbit is not allowed; the file stays as it was.
    """
    require_suffix(output, ".tsv")
    rows = combinations(columns)
    names = list(config.schema("mergers")["properties"])
    digits = len(str(len(rows)))
    named = [{"run": f"{prefix}_{n:0{digits}d}", "seed": str(seed + n - 1), **row} for n, row in enumerate(rows, 1)]
    lines = [
        f"# galclass design {' '.join(columns)}",
        "\t".join(names),
        *("\t".join(row[name] for name in names) for row in named),
    ]
    text = "\n".join(lines) + "\n"
    found = len(config.parse_mergers(text, str(output)))
    write_text(output, text)
    return found


def combinations(columns: Sequence[str]) -> list[dict[str, str]]:
    """A dict of column and text of its value for each combination; the column given last changes first."""
    allowed = [name for name in config.schema("mergers")["properties"] if name not in ("run", "seed")]
    varied = [values_of(text, allowed) for text in columns]
    given = [name for choices in varied for name in choices[0]]
    twice = [name for name in given if given.count(name) > 1]
    missing = [name for name in allowed if name not in given and name not in DEFAULTS]
    if twice or missing:
        found = f"column {twice[0]} is given twice" if twice else f"column {', '.join(missing)} is missing"
        raise ConfigError(f"{found}; give NAME=VALUES once for each, such as pericentre_kpc=0.5,1,2")
    count = 1
    for choices in varied:
        count *= len(choices)
    if count > _MOST:
        raise ConfigError(f"{count} combinations; at most {_MOST} are allowed: give fewer values")
    return [DEFAULTS | {k: v for part in row for k, v in part.items()} for row in itertools.product(*varied)]


def values_of(text: str, allowed: Sequence[str]) -> list[dict[str, str]]:
    """What one argument says: the values of a column, or of several that change together.

    ``mass_ratio=1,3`` is two values, ``argument1_deg=0:360:30`` the thirteen from 0 to 360.
    ``inclination1_deg,inclination2_deg=0:180:30`` gives both the same; ``pericentre_kpc,eccentricity=0.5/1,2/0.9`` two
    pairs.
    """
    names, equals, values = text.partition("=")
    columns = names.split(",")
    for name in columns:
        if name not in allowed or not equals:
            raise ConfigError(f"{text!r}: found column {name!r}; allowed is NAME=VALUES with {', '.join(allowed)}")
    choices = [_spread(value, columns, text) for item in values.split(",") for value in _range(item, text)]
    return [dict(zip(columns, choice, strict=True)) for choice in choices]


def _range(item: str, text: str) -> list[str]:
    """The values of FIRST:LAST:STEP, or the item itself."""
    if ":" not in item:
        return [item]
    try:
        first, last, step = map(float, item.split(":"))
        count = int((last - first) / step + 1e-9) + 1
    except (ValueError, ZeroDivisionError):
        count = 0
    if not 0 < count <= _MOST:
        raise ConfigError(f"{text!r}: found {item!r}; a range is FIRST:LAST:STEP, such as 0:180:30")
    return [f"{first + number * step:.10g}" for number in range(count)]


def _spread(value: str, columns: list[str], text: str) -> list[str]:
    """A value for each of the columns: one for all, or as many with slashes between."""
    parts = value.split("/")
    if len(parts) not in (1, len(columns)) or not all(parts):
        raise ConfigError(f"{text!r}: found {value!r}; give one value, or {len(columns)} with slashes between")
    return parts * (len(columns) if len(parts) == 1 else 1)
