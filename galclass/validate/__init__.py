"""The flow against what is known of mergers: remnants beside those of Naab & Burkert (2003, ApJ 597, 893).

Remnants of discs of equal mass are boxy in about half of all projections and rotate slowly; those of mass ratio 3:1 are
boxy in about a tenth and rotate fast. Each remnant is seen from many sides and measured as they did
(`galclass.validate.remnants`); the shares are held against theirs, to which our noise of a4 is added
(`galclass.validate.summary`).
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from galclass import catalog, config, plotstyle, provenance, quality, snapshot
from galclass.errors import InputError
from galclass.files import require_suffix
from galclass.parallel import cores, workers
from galclass.progress import progress
from galclass.validate import figures, remnants, summary
from galclass.validate.summary import lines

__all__ = ["PROJECTIONS", "lines", "run"]

#: Beside the summary: a row for each view of each remnant.
PROJECTIONS = "projections.parquet"


def run(inputs: Sequence[Path], settings: dict, output: Path, processes: int | None = None) -> pd.DataFrame:
    """Measure the remnants of a survey from many sides, and write shares, projections and a figure.

    Written are OUTPUT.parquet (a row for each mass ratio, as `galclass.validate.summary.by_mass_ratio` says, and .csv
    beside it), OUTPUT.png, and `PROJECTIONS` in the same folder.

    Parameters
    ----------
    inputs : paths
        Folders of simulated mergers, named as their runs; the last snapshot of each is the remnant.
    settings : dict
        The whole configuration; the tables of `initial` and the section `validate` are used.
    output : path
        The summary (.parquet).
    processes : int, optional
        One a core unless told; results do not depend on it.

    Returns
    -------
    table
        The summary.

    Raises
    ------
    InputError
        A folder has no run's name or no snapshot; none of the mergers has merged.
    """
    require_suffix(output, ".parquet")
    rows, folders = config.mergers(settings), [Path(folder) for folder in inputs]
    unknown = next((folder for folder in folders if folder.name not in rows), None)
    if unknown is not None:
        raise InputError(f"{unknown}: no run of that name in the tables of mergers; give folders named as their runs")
    files, own = [snapshot.find([folder])[-1] for folder in folders], settings["validate"]
    parts = _observed(files, [folder.name for folder in folders], own, processes)
    ratios = [rows[folder.name]["mass_ratio"] for folder in folders]
    projections = pd.concat(
        [part.assign(mass_ratio=ratio) for part, ratio in zip(parts, ratios, strict=True)], ignore_index=True
    )
    found = summary.by_mass_ratio(projections)
    record = provenance.record("validate", files, own, own["seed"]) | {"quality": quality.mark(folders)}
    catalog.write_table(output.with_name(PROJECTIONS), projections, record)
    catalog.write_table(output, found, record)
    plotstyle.save_png(figures.overview(projections, found), output.with_suffix(".png"))
    return found


def _observed(files: list[Path], runs: list[str], settings: dict, processes: int | None) -> list[pd.DataFrame]:
    """The projections of each remnant, in order."""
    observe = partial(remnants.observe, seed=settings["seed"], views=settings["views"])
    with workers(min(processes or cores(), len(files))) as share_out:
        return list(progress(share_out(observe, files, runs), len(files), "validate"))
