"""What the stages left in the folder of results, read once for the report.

Thousands of runs have millions of frames, so of their tables only the columns that are counted are read, one run at a
time; pictures and whole tables of single runs are read when they are asked for.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from galclass import catalog, config, images, label, quality, rates, verify
from galclass.errors import InputError
from galclass.files import require_file
from galclass.network import TRUSTED_CLASSES
from galclass.progress import progress

_CLASSIFIED = ["frame", "snapshot", "time_gyr", "p_rectangle", "class", "domain_distance"]
_MEASURED = ["run", "snapshot", "measured_label", "snr"]
_SEEN = ["snapshot", "galaxies"]
#: Further from the training pictures than this is beyond them.
_FAR = 1.0


class PerRun(Mapping):
    """Something of each run that is read when it is asked for, and not kept.

    Parameters
    ----------
    runs : names
    read : function of the name
    """

    def __init__(self, runs: Iterable[str], read: Callable[[str], object]) -> None:
        self._runs, self._read = list(runs), read

    def __getitem__(self, run: str) -> object:
        if run not in self._runs:
            raise KeyError(run)
        return self._read(run)

    def __iter__(self) -> Iterator[str]:
        return iter(self._runs)

    def __len__(self) -> int:
        return len(self._runs)


@dataclass(frozen=True)
class Results:
    """All that the report shows.

    Attributes
    ----------
    folder : path
        The folder of results, as it was named.
    runs : dict of run -> its row of the table of mergers
    films : mapping of run -> Pack
        One fixed view of every snapshot, read when it is asked for.
    packs : mapping of run -> PackFile
        The random views that were classified.
    verdicts : dict of run -> rows of `quality.judge`
        How each simulation passed its quality gates.
    shapes : Pack
        The training pictures.
    labels : table
        Their labels beside their measured B4 and B6.
    measured : mapping of run -> table
        Measured shape and label of every frame, on its deep picture.
    counts : table
        How many frames of each run have each label (`label.counts`), and their median S/N, `snr`.
    history, metrics : the training of the classifier
    network : path
        The folder of the classifier.
    heldout : table
        What it says of simulations it never saw, for the correction of rates.
    moments : table
        How the frames are called, a row a snapshot of each run; see `moments_of`.
    candidates : table
        The candidates, best first.
    provenance : what that table was made from: versions, code, inputs and their digests
    reference_card : what the reference is and what was measured on it
    references : the references as the candidates were compared with them
    profiles : table
        Isophotes by radius of the candidates and, as run "reference", of the references by number.
    visibility : mapping of run -> table of directions
        From where each snapshot looks rectangular; only the runs that have been looked at.
    spans : dict of run -> what stage `visibility` says of the run: summary, span, corrected
    """

    folder: Path
    runs: dict[str, dict]
    films: Mapping[str, images.Pack]
    packs: Mapping[str, images.PackFile]
    verdicts: dict[str, list[dict]]
    shapes: images.Pack
    labels: pd.DataFrame
    measured: Mapping[str, pd.DataFrame]
    counts: pd.DataFrame
    history: pd.DataFrame
    metrics: dict
    network: Path
    heldout: pd.DataFrame
    moments: pd.DataFrame
    candidates: pd.DataFrame
    provenance: dict
    reference_card: dict
    references: list[verify.Reference]
    profiles: pd.DataFrame
    visibility: Mapping[str, pd.DataFrame]
    spans: dict[str, dict]

    def marked(self, run: str) -> str:
        """The name of a run, with a mark if it fails a quality gate."""
        return f"{run} (fails its quality gates)" if quality.failures(self.verdicts[run]) else run

    def source(self, run: str, snapshot: str) -> Path:
        """The path of a snapshot, in the archive of its run where there is one."""
        folder = self.folder / "simulate" / "mergers" / run
        archive = folder / "snapshots.tar"
        return (archive if archive.is_file() else folder) / f"{snapshot}.dat"


def read(folder: Path, settings: dict) -> Results:
    """Read the results of the runs that `settings` (the whole configuration) names.

    Raises
    ------
    InputError
        A file is missing or damaged; the first is named.
    """
    train, reference, labels = folder / "train", folder / "reference", folder / "label"
    runs, depth_dex = config.selected_runs(settings), settings["render"]["depth_dex"]
    packs = PerRun(runs, lambda run: images.PackFile(folder / "render" / "mergers" / f"{run}.h5"))
    looked_at = [run for run in runs if (folder / "visibility" / f"{run}.parquet").exists()]
    return Results(
        folder=folder,
        runs=runs,
        films=PerRun(runs, lambda run: images.read_pack(folder / "render" / "film" / f"{run}.h5")),
        packs=packs,
        verdicts={run: quality.read(folder / "simulate" / "mergers" / run) for run in runs},
        shapes=images.read_pack(folder / "render" / "shapes.h5"),
        labels=catalog.read_table(labels / "shapes.parquet"),
        measured=PerRun(runs, lambda run: catalog.read_table(labels / "mergers" / f"{run}.parquet")),
        counts=pd.concat([_counts(labels / "mergers", run) for run in progress(runs, len(runs), "report: shapes")]),
        history=pd.read_csv(require_file(train / "network" / "history.csv")),
        metrics=_read_json(train / "network" / "metrics.json"),
        network=train / "network",
        heldout=rates.read_heldout(train / "network"),
        moments=pd.concat(
            [_moments(folder, run, packs) for run in progress(runs, len(runs), "report: classes")], ignore_index=True
        ),
        candidates=catalog.read_table(folder / "verify" / "candidates.parquet"),
        provenance=catalog.read_provenance(folder / "verify" / "candidates.parquet"),
        reference_card=_read_json(reference / "reference.json"),
        references=verify.read_references(reference, settings["verify"], depth_dex=depth_dex),
        profiles=catalog.read_table(folder / "verify" / "profiles.parquet"),
        visibility=PerRun(looked_at, lambda run: catalog.read_table(folder / "visibility" / f"{run}.parquet")),
        spans={run: _read_json(folder / "visibility" / f"{run}.json") for run in looked_at},
    )


def sources(folder: Path, runs: Iterable[str]) -> dict[str, list[Path]]:
    """The files that the report counts, by what they are; of packs and films only the shown frames are read.

    What made the pictures stands in the tables made from them, so gigabytes need not be read for their digests.
    """
    each = {
        "simulate/mergers/*/quality.csv": [folder / "simulate" / "mergers" / run / "quality.csv" for run in runs],
        "label/mergers/*.parquet": [folder / "label" / "mergers" / f"{run}.parquet" for run in runs],
        "classify/*.parquet": [folder / "classify" / f"{run}.parquet" for run in runs],
        "visibility/*.parquet": [folder / "visibility" / f"{run}.parquet" for run in runs],
        "visibility/*.json": [folder / "visibility" / f"{run}.json" for run in runs],
    }
    network = [folder / "train" / "network" / name for name in ("card.json", "heldout.parquet", "metrics.json")]
    tables = [folder / "verify" / name for name in ("candidates.parquet", "profiles.parquet")]
    once = [*network, *tables, folder / "label" / "shapes.parquet", folder / "reference" / "reference.json"]
    groups = {str(folder / pattern): files for pattern, files in each.items()} | {"": once}
    return {pattern: [file for file in files if file.is_file()] for pattern, files in groups.items()}


def moments_of(run: str, table: pd.DataFrame, galaxies: Mapping[str, int]) -> pd.DataFrame:
    """How the frames of one run are called, a row a snapshot in the order of time.

    Parameters
    ----------
    run : str
    table : table
        Of classified frames: frame, snapshot, time_gyr, p_rectangle, class, domain_distance.
    galaxies : mapping of snapshot -> 1, or 2 for a pair still apart

    Returns
    -------
    table
        run, snapshot, time_gyr, frames, a count for each class of `network.TRUSTED_CLASSES`, far (beyond the training
        pictures), first_frame, best_frame (with the largest p_rectangle), best_p, best_class, and since_merger_gyr
        (since the first snapshot in which the pair is one; NaN before).
    """
    codes, names = pd.factorize(table["snapshot"])
    count = lambda chosen: np.bincount(codes[chosen], minlength=len(names))  # noqa: E731
    first = table.groupby(codes).first()
    best = table.loc[table.groupby(codes)["p_rectangle"].idxmax()]
    found = {"run": run, "snapshot": names, "time_gyr": first["time_gyr"].to_numpy(), "frames": np.bincount(codes)}
    found |= {name: count((table["class"] == name).to_numpy()) for name in TRUSTED_CLASSES}
    found |= {"far": count((table["domain_distance"] > _FAR).to_numpy()),
              "first_frame": table.groupby(codes)["frame"].min().to_numpy(), "best_frame": best["frame"].to_numpy(),
              "best_p": best["p_rectangle"].to_numpy(), "best_class": best["class"].to_numpy()}  # fmt: skip
    moments = pd.DataFrame(found).sort_values("time_gyr", ignore_index=True)
    return moments.assign(since_merger_gyr=_since_merger(moments, galaxies))


def _since_merger(moments: pd.DataFrame, galaxies: Mapping[str, int]) -> np.ndarray:
    """Time since the first snapshot after the last in which the pair was apart; NaN before that [Gyr]."""
    apart = np.array([galaxies.get(name, 1) == 2 for name in moments["snapshot"]])
    first = np.flatnonzero(apart)[-1] + 1 if apart.any() else 0
    when = moments["time_gyr"].to_numpy(float)
    return np.where(np.arange(len(when)) >= first, when - when[min(first, len(when) - 1)], np.nan)


def _moments(folder: Path, run: str, packs: Mapping[str, images.PackFile]) -> pd.DataFrame:
    table = columns(folder / "classify" / f"{run}.parquet", _CLASSIFIED)
    seen = folder / "visibility" / f"{run}.parquet"
    scenes = columns(seen, _SEEN) if seen.exists() else packs[run].frames()
    return moments_of(run, table, dict(scenes.groupby("snapshot")["galaxies"].max()))


def _counts(folder: Path, run: str) -> pd.DataFrame:
    table = columns(folder / f"{run}.parquet", _MEASURED)
    return label.counts(table).assign(snr=table["snr"].median())


def columns(path: Path, names: list[str]) -> pd.DataFrame:
    """Some columns of a table of the catalogue; `InputError` where it is no such table or has no rows."""
    import pyarrow

    try:
        table = pd.read_parquet(require_file(path), columns=names)
    except (OSError, ValueError, KeyError, pyarrow.ArrowException) as error:
        problem = f"not a Parquet table with the columns {', '.join(names)}"
        raise InputError(f"{path}: {problem}; run the stage that writes it again") from error
    if table.empty:
        raise InputError(f"{path}: the table has no rows; the stage that writes it found nothing to write")
    return table


def _read_json(path: Path) -> dict:
    return json.loads(require_file(path).read_text(encoding="utf-8"))
