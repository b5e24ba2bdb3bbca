"""What results were made with, by the records in them: which of them changed settings make again."""

import re
from pathlib import Path
from typing import NamedTuple

from galclass import config, status, trace
from galclass.errors import GalclassError

#: For each stage the settings that its rule depends on, and the stages whose products it reads.
_FLOW = {
    "initial": (r"initial\.(?!(table|runs)$)", ()),
    "simulate_merger": (r"simulate\.(?!shapes|archive|threads|checkpoint_minutes|wall_time_minutes)", ("initial",)),
    "simulate_shapes": (r"simulate\.shapes", ()),
    "render": (r"render\.(?!film|shapes)", ("simulate_merger",)),
    "render_film": (r"render\.(?!views|field|shapes)", ("simulate_merger",)),
    "render_shapes": (r"render\.(?!film|views)", ("simulate_shapes",)),
    "label": (r"label\.", ("render",)),
    "label shapes": (r"label\.", ("render_shapes",)),
    "reference": (r"reference\.|render\.(pixels|depth_dex|seed|telescope\.preset)", ()),
    "train": (r"train\.(?!thesis)", ("label", "label shapes")),
    "classify": (r"classify\.", ("render", "train")),
    "visibility": (
        r"visibility\.|classify\.batch_size|render\.(?!film|shapes|views)",
        ("simulate_merger", "train", "reference"),
    ),
    "verify": (r"verify\.", ("classify", "reference")),
    "report": (r"report\.", ("render_film", "label", "visibility", "verify")),
}
#: Stages whose records hold a section of the configuration by its name; that of one run stands for all.
_TELLING = ("render", "label", "train")


class Past(NamedTuple):
    """What of the results is not of the planned configuration.

    Attributes
    ----------
    again : for each stage the runs that will be made again; of what is done once its own name
    changed : dotted names of the settings that differ, where something is made again
    """

    again: dict[str, set[str]]
    changed: list[str]


def compare(settings: dict, screened: dict, learnt: dict, results: Path) -> Past:
    """What the planned configuration makes again of the results.

    Each run has records of its own initial conditions and its own simulation; for other settings see `last_settings`.
    """
    rows = {**screened, **learnt}
    made = last_settings(settings, rows, results)
    initial = {run: found for run, row in rows.items() if (found := _changed_initial(settings, row, results))}
    merger = {run: found for run in rows if (found := _changed_merger(settings, run, results))}
    # Of these two sections the runs tell themselves.
    common = [name for name in _differing(made, settings) if not re.match(r"initial\.|simulate\.(?!shapes)", name)]
    own = {"initial": set(initial), "simulate_merger": set(merger)}
    changed = {name for found in (*initial.values(), *merger.values(), common) for name in found}
    used = [name for name in sorted(changed) if any(re.match(uses, name) for uses, _ in _FLOW.values())]
    again = _again(own, common, screened, learnt)
    there = {stage: status.done_runs(results, stage) for stage in status.OF_RUN}
    spoilt = any(again[stage] & (there.get(stage) or status.done_once(results)) for stage in _FLOW)
    return Past(again, used if spoilt else [])


def last_settings(settings: dict, rows: dict, results: Path) -> dict:
    """The configuration that the results were made with: as the workflow last began, or as the product of one run says.

    What neither tells is as planned.
    """
    made, path = settings, results / "config.yaml"
    if path.is_file():
        try:
            made = config.load([path])
        except GalclassError:
            pass  # of another version
    return config.merge(made, {stage: _recorded(_first_product(stage, rows, results)) for stage in _TELLING})


def _first_product(stage: str, rows: dict, results: Path) -> Path:
    """The product of a stage of the first run that has one; of a stage that is done once, its product."""
    done = status.done_runs(results, stage) if stage in status.OF_RUN else ()
    run = next((run for run in rows if run in done), "")
    return results / (status.OF_RUN | status.OF_ALL)[stage].format(run=run)


def of_run(made: dict, row: dict, results: Path) -> tuple[dict, dict]:
    """The configuration and the row of the table that a run was made with, by its own records, else these two."""
    initial, merger, pack = (
        _recorded(results / path.format(run=row["run"]))
        for path in ("initial/{run}.json", "simulate/mergers/{run}/provenance.json", "render/mergers/{run}.h5")
    )
    own = {"initial": initial.get("initial", {}), "simulate": merger, "render": pack}
    return config.merge(made, own), row | initial.get("row", {})


def _again(own: dict[str, set[str]], common: list[str], screened: dict, learnt: dict) -> dict[str, set[str]]:
    """For each stage what is made again: what is out of date by its `own` or by `common` settings, and what follows.

    A run follows from its own products; all runs follow from what is done once.
    """
    rows, again = {**screened, **learnt}, {}
    for stage, (uses, before) in _FLOW.items():
        wanted = rows if stage in status.OF_LEARNT else learnt if stage == "train" else screened
        found = own.get(stage, set()).union(*(again[one] for one in before)) - (rows.keys() - wanted.keys())
        if any(re.match(uses, name) for name in common) or found - rows.keys():
            found = set(wanted) or {stage}
        again[stage] = found if stage in status.OF_RUN else {stage} if found else set()
    return again


def _changed_initial(settings: dict, row: dict, results: Path) -> list[str]:
    """The settings that the initial conditions of a run were not made with."""
    found, softening = _recorded(results / "initial" / f"{row['run']}.json"), settings["simulate"]["softening_kpc"]
    made = {"initial": found.get("initial", {}), "simulate": {"softening_kpc": found.get("softening_kpc", softening)}}
    changed = [name for name in _differing(made, settings) if name not in ("initial.table", "initial.runs")]
    return changed + ["initial.table (rows)"] * (found.get("row", row) != row)


def _changed_merger(settings: dict, run: str, results: Path) -> list[str]:
    """The settings that a run was not simulated with."""
    made = _recorded(results / "simulate" / "mergers" / run / "provenance.json")
    return [name for name in _differing({"simulate": made}, settings) if re.match(_FLOW["simulate_merger"][0], name)]


def _differing(made: dict, settings: dict, before: str = "") -> list[str]:
    """Dotted names of the settings that both hold and that differ."""
    found = []
    for key, value in made.items():
        if key not in settings or settings[key] == value:
            continue
        both = isinstance(value, dict) and isinstance(settings[key], dict)
        found += _differing(value, settings[key], f"{before}{key}.") if both else [f"{before}{key}"]
    return found


def _recorded(path: Path) -> dict:
    """The settings in the record of a product; none where there is no such record."""
    return (trace.embedded(path) or {}).get("settings") or {}
