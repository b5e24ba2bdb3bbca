"""What the stages left in the folder of results, read once for the report."""

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from galclass import catalog, images, quality, rates, verify
from galclass.files import require_file


@dataclass(frozen=True)
class Results:
    """All that the report shows.

    Attributes
    ----------
    folder : path
        The folder of results, as it was named.
    films, packs : dict of run -> Pack
        One fixed view of every snapshot, and the random views that were classified.
    verdicts : dict of run -> rows of `quality.judge`
        How each simulation passed its quality gates.
    shapes : Pack
        The training pictures.
    labels : table
        Their labels beside their measured B4 and B6.
    measured : dict of run -> table
        Measured shape and label of every frame, on its deep picture.
    counts : table
        How many frames of each run have each label.
    history, metrics : the training of the classifier
    network : path
        The folder of the classifier.
    heldout : table
        What it says of simulations it never saw, for the correction of rates.
    tables : dict of run -> table
        Classes of the frames.
    candidates : table
        The candidates, best first.
    provenance : what that table was made from: versions, code, inputs and their digests
    reference_card : what the reference is and what was measured on it
    references : the references as the candidates were compared with them
    profiles : table
        Isophotes by radius of the candidates and, as run "reference", of the references by number.
    visibility : dict of run -> table of directions, table of times
        From where each snapshot looks rectangular; only the runs that have been looked at.
    """

    folder: Path
    films: dict[str, images.Pack]
    packs: dict[str, images.Pack]
    verdicts: dict[str, list[dict]]
    shapes: images.Pack
    labels: pd.DataFrame
    measured: dict[str, pd.DataFrame]
    counts: pd.DataFrame
    history: pd.DataFrame
    metrics: dict
    network: Path
    heldout: pd.DataFrame
    tables: dict[str, pd.DataFrame]
    candidates: pd.DataFrame
    provenance: dict
    reference_card: dict
    references: list[verify.Reference]
    profiles: pd.DataFrame
    visibility: dict[str, tuple[pd.DataFrame, pd.DataFrame]]

    def marked(self, run: str) -> str:
        """The name of a run, with a mark if it fails a quality gate."""
        return f"{run} (fails its quality gates)" if quality.failures(self.verdicts[run]) else run


def read(folder: Path, settings: dict) -> Results:
    """Read the results of the runs that `settings` (the whole configuration) names.

    Raises
    ------
    InputError
        A file is missing or damaged; the first is named.
    """
    train, reference, label = folder / "train", folder / "reference", folder / "label"
    runs, depth_dex = settings["initial"]["runs"], settings["render"]["depth_dex"]
    return Results(
        folder=folder,
        films={run: images.read_pack(folder / "render" / "film" / f"{run}.h5") for run in runs},
        packs={run: images.read_pack(folder / "render" / "mergers" / f"{run}.h5") for run in runs},
        verdicts={run: quality.read(folder / "simulate" / "mergers" / run) for run in runs},
        shapes=images.read_pack(folder / "render" / "shapes.h5"),
        labels=catalog.read_table(label / "shapes.parquet"),
        measured={run: catalog.read_table(label / "mergers" / f"{run}.parquet") for run in runs},
        counts=pd.concat([catalog.read_table(label / "mergers" / f"{run}_counts.parquet") for run in runs]),
        history=pd.read_csv(require_file(train / "network" / "history.csv")),
        metrics=_read_json(train / "network" / "metrics.json"),
        network=train / "network",
        heldout=rates.read_heldout(train / "network"),
        tables={run: catalog.read_table(folder / "classify" / f"{run}.parquet") for run in runs},
        candidates=catalog.read_table(folder / "verify" / "candidates.parquet"),
        provenance=catalog.read_provenance(folder / "verify" / "candidates.parquet"),
        reference_card=_read_json(reference / "reference.json"),
        references=verify.read_references(reference, settings["verify"], depth_dex=depth_dex),
        profiles=catalog.read_table(folder / "verify" / "profiles.parquet"),
        visibility={run: tables for run in runs if (tables := _visibility(folder / "visibility", run)) is not None},
    )


def _visibility(folder: Path, run: str) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """Directions and times of a run, or None where nobody looked at it from all sides."""
    paths = folder / f"{run}.parquet", folder / f"{run}_times.parquet"
    return tuple(map(catalog.read_table, paths)) if paths[0].exists() else None


def _read_json(path: Path) -> dict:
    return json.loads(require_file(path).read_text(encoding="utf-8"))
