"""What the stages left of the thesis's networks and models, read once for the report."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import yaml

from galclass import catalog, quality, snapshot
from galclass.config import ROOT
from galclass.files import require_file
from galclass.train.thesis import CLASS_SETS

#: The frames as they come, and with the noise removed; the folders of their packs.
VARIANTS = {"raw": Path("render") / "mergers", "clean": Path("clean")}

_FACTS = ROOT / "workflow" / "report" / "thesis.yaml"


@dataclass(frozen=True)
class Reproduction:
    """All that the report on the thesis shows.

    Attributes
    ----------
    thesis : dict
        What the thesis says (workflow/report/thesis.yaml).
    sizes : table
        A row a run: run, particles, bulge_over_halo, snapshots, frames, quality (the gates it fails, else "").
    metrics, histories : dict of network -> metrics and epochs of its training
    tables : dict of (network, variant, run) -> table
        Class of each frame, with the column `measured`: the class by its isophotes.
    """

    thesis: dict
    sizes: pd.DataFrame
    metrics: dict[str, dict]
    histories: dict[str, pd.DataFrame]
    tables: dict[tuple[str, str, str], pd.DataFrame]


def read(folder: Path, runs: list[str]) -> Reproduction:
    """Read the results of `runs`; raises `InputError` naming the first file that is missing or damaged."""
    trained = {name: folder / "train" / "thesis" / name for name in CLASS_SETS}
    measured = {run: catalog.read_table(folder / "label" / "mergers" / f"{run}.parquet") for run in runs}
    return Reproduction(
        thesis=facts(),
        sizes=pd.DataFrame([_size(folder, run, measured[run]) for run in runs]),
        metrics={name: _read_json(path / "metrics.json") for name, path in trained.items()},
        histories={name: pd.read_csv(require_file(path / "history.csv")) for name, path in trained.items()},
        tables={key: judged(_classified(folder, *key), measured[key[-1]]) for key in _keys(runs)},
    )


def sources(folder: Path, runs: list[str]) -> dict[str, list[Path]]:
    """The tables that `read` reads, by what they are, as `report.results.sources`."""
    tables = {f"classify/thesis/{name}/{variant}/*.parquet":
              [folder / "classify" / "thesis" / name / variant / f"{run}.parquet" for run in runs]
              for name in CLASS_SETS for variant in VARIANTS}  # fmt: skip
    tables["label/mergers/*.parquet"] = [folder / "label" / "mergers" / f"{run}.parquet" for run in runs]
    once = [folder / "train" / "thesis" / name / "metrics.json" for name in CLASS_SETS]
    return {str(folder / pattern): files for pattern, files in tables.items()} | {"": once}


def facts() -> dict:
    """What the thesis says."""
    return yaml.safe_load(_FACTS.read_text(encoding="utf-8"))


def judged(table: pd.DataFrame, measured: pd.DataFrame) -> pd.DataFrame:
    """A table of classified frames with the class by their isophotes, `measured`, matched by frame."""
    found = measured[["frame", "b4", "measured_label"]].rename(columns={"measured_label": "measured"})
    return table.merge(found, on="frame", how="left", validate="one_to_one")


def _keys(runs: list[str]) -> Iterator[tuple[str, str, str]]:
    """Every network, variant and run."""
    return ((name, variant, run) for name in CLASS_SETS for variant in VARIANTS for run in runs)


def _classified(folder: Path, name: str, variant: str, run: str) -> pd.DataFrame:
    return catalog.read_table(folder / "classify" / "thesis" / name / variant / f"{run}.parquet")


def _size(folder: Path, run: str, measured: pd.DataFrame) -> dict:
    """A row of `Reproduction.sizes`."""
    start = snapshot.read(folder / "initial" / f"{run}.dat")
    bulge, halo = (start.select([snapshot.TYPES[name]]).masses.sum() for name in ("bulge", "halo"))
    return {
        "run": run,
        "particles": len(start),
        "bulge_over_halo": bulge / halo,
        "snapshots": measured["snapshot"].nunique(),
        "frames": len(measured),
        "quality": quality.failures(quality.read(folder / "simulate" / "mergers" / run)),
    }


def _read_json(path: Path) -> dict:
    return json.loads(require_file(path).read_text(encoding="utf-8"))
