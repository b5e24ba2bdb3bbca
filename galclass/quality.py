"""The quality gates of a simulation: how far what gravity conserves may drift before a run is marked.

A run that fails is not deleted: its folder, its pictures, its candidates and the report say so.
"""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from galclass.errors import InputError
from galclass.files import require_file, write_text

#: Gate of the configuration -> column of energy.csv that it bounds.
GATES = {"energy": "energy_drift", "momentum": "momentum_drift", "centre_of_mass": "centre_drift"}
#: The table of a run: a row a gate.
FILE = "quality.csv"
_COLUMNS = ("gate", "largest_drift", "limit", "passed")


def judge(log: Path, limits: dict[str, float]) -> list[dict]:
    """Hold the drifts of a run against the gates.

    Parameters
    ----------
    log : path
        The energy.csv of program `merger`, which says in which units drifts are.
    limits : dict
        Largest drift allowed by each gate of `GATES`.

    Returns
    -------
    list of dict
        For each gate: gate, largest_drift, limit, passed.

    Raises
    ------
    InputError
        The log has no such columns, or no rows.
    """
    lines = (line for line in require_file(log).read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    rows = list(csv.DictReader(lines))
    try:
        drifts = {gate: [float(row[column]) for row in rows] for gate, column in GATES.items()}
        # A drift that is not a number is not within the limit, and no maximum finds it.
        return [{"gate": gate, "largest_drift": max(drifts[gate]), "limit": limits[gate],
                 "passed": all(drift <= limits[gate] for drift in drifts[gate])} for gate in GATES]  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{log}: no log of program merger with its drifts; simulate the run again") from error


def write(folder: Path, verdicts: list[dict]) -> None:
    """Write the table of a run into its folder."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(verdicts)
    write_text(folder / FILE, text.getvalue())


def read(folder: Path) -> list[dict]:
    """Read the table of a run; raises `InputError` when it is none."""
    path = require_file(folder / FILE)
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    try:
        return [{"gate": row["gate"], "largest_drift": float(row["largest_drift"]), "limit": float(row["limit"]),
                 "passed": {"True": True, "False": False}[row["passed"]]} for row in rows]  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not a table of quality gates; delete it and simulate the run again") from error


def failures(verdicts: list[dict]) -> str:
    """The gates that a run fails, as text: ``energy 0.021 > 0.005``; empty if it passes them all."""
    failed = [verdict for verdict in verdicts if not verdict["passed"]]
    return ", ".join(f"{v['gate']} {v['largest_drift']:.2g} > {v['limit']:g}" for v in failed)


def mark(folders: Iterable[Path]) -> str:
    """The gates that the runs in these folders fail; folders without a table, such as foreign ones, fail none."""
    found = [failures(read(folder)) for folder in folders if (folder / FILE).is_file()]
    return "; ".join(filter(None, found))
