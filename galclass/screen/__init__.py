"""Somebody else's snapshots, from file to ranked table.

Each snapshot is read in any format that `galclass.snapshot` knows; its galaxies are found by shrinking spheres,
pictured from views uniform on the sphere by the telescope of the configuration, and classified; the likeliest frames
are measured by the ruler, and the best of the most promising snapshots compared with the reference and with ovals. What
cannot be used is named and left out; the rest goes on. Killed and started again it goes on where it was.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from galclass import provenance, snapshot
from galclass.errors import GalclassError, InputError
from galclass.files import Pieces, on_disk, pieces, require_folder
from galclass.parallel import cores, workers
from galclass.progress import progress
from galclass.screen import comparing, galaxies, scoring, tables
from galclass.screen.galaxies import Galaxy, found, read_stars
from galclass.screen.scoring import Scored, Screen, answered, pictured, prepared, summary_of
from galclass.screen.watching import watch
from galclass.snapshot import finding

__all__ = [
    "Galaxy",
    "Scored",
    "Screen",
    "answered",
    "found",
    "pictured",
    "prepared",
    "read_stars",
    "run",
    "score",
    "summary_of",
    "watch",
]

#: Fewer snapshots than this are not worth the start of other processes, which takes some seconds; and as many for each
#: process are pictured before the network has seen the first of them.
_FEW, _AHEAD = 6, 4


def run(
    inputs: Sequence[Path | str], model: Path, reference: Path, settings: dict, output: Path | None = None
) -> tuple[list[dict], pd.DataFrame]:
    """Score snapshots and write the tables.

    Parameters
    ----------
    inputs : paths
        Snapshots, folders and archives of them, and patterns. Of the pieces of a snapshot the one that is named first
        stands for all.
    model : path
        Folder of the network.
    reference : path
        Folder of stage `reference`, or a picture.
    settings : dict
        The whole configuration; `screen`, `render`, `label`, `classify` and `verify` are used.
    output : path or None
        Folder for snapshots.parquet (one row a snapshot, best first), frames.parquet, their .csv, best.h5 and best.png;
        None writes nothing, and nothing is written where no snapshot could be used.

    Returns
    -------
    answers : list of dict
        One a snapshot in the order of the inputs (`tables.answers`), `file` as it was given; `error` where it failed.
    table : the ranked table (`tables.ranked`)

    Raises
    ------
    InputError
        Nothing was given, the network or the reference cannot be used, or `output` can be no folder.
    """
    named = listed(inputs)
    if output is not None:
        require_folder(output)
    files = list(dict.fromkeys(one.file for one in named if not one.error))
    screen = prepared(settings, model, reference)
    finished = nullcontext() if output is None else pieces(Path(output) / "snapshots.parquet", screen.record)
    with finished as place, workers(cores() if len(files) >= _FEW else 1) as share_out:
        done = {one.file: one for one in progress(score(files, screen, place, share_out), len(files), "screen")}
        every_file = {one.file: done.get(one.file) or Scored(one.file, error=one.error) for one in named}
        scored = list(every_file.values())
        compared = comparing.compared(scored, screen, share_out)
        table = tables.ranked(scored, compared)
        if place is not None:
            broken = [one for one in scored if one.error]
            place.wanted_again = bool(broken)  # once they are mended
            if len(broken) < len(scored):
                _write(Path(output), scored, table, screen)
    answers = tables.answers([every_file[one.file] for one in named], table)
    return [answer | {"file": one.given} for answer, one in zip(answers, named, strict=True)], table


class Named(NamedTuple):
    """A snapshot among the inputs: its path, what the user called it, and why it is none, else ""."""

    file: Path
    given: str
    error: str = ""


def listed(inputs: Sequence[Path | str]) -> list[Named]:
    """The snapshots that the inputs stand for, in their order.

    Raises
    ------
    InputError
        Nothing was given.
    """
    if not inputs:
        raise InputError("no snapshot given; name at least one snapshot file or a folder of them")
    named = [one for given in inputs for one in _meant(str(given))]
    whole = set(finding.once([one.file for one in named if not one.error]))
    return [one for one in named if one.error or one.file in whole]


def _meant(given: str) -> list[Named]:
    """The snapshots that one input stands for."""
    try:
        files = snapshot.find([given])
    except InputError as error:
        return [Named(Path(given), given, str(error))]
    path = Path(given)
    itself = not path.is_dir() and files[0].parent == path.parent and files[0].name.startswith(path.name)
    return [Named(files[0], given)] if itself else [Named(file, str(file)) for file in files]


def score(files: Sequence[Path], screen: Screen, place: Pieces | None, share_out: Callable) -> Iterator[Scored]:
    """Yield the scores of snapshots in order, finished ones at once; `share_out` is like `map`."""
    ahead = _AHEAD * cores()
    for first in range(0, len(files), ahead):
        some = files[first : first + ahead]
        paths = {file: _path(place, file) for file in some}
        ready = {file: tables.read_scored(path, file) for file, path in paths.items() if path}
        left = [file for file in some if not ready.get(file)]
        fresh = scoring.scores(left, screen, share_out)
        for file in some:
            one = ready.get(file) or next(fresh)
            if paths[file] and not ready.get(file) and not one.error:
                tables.write_scored(paths[file], one)
            yield one


def _path(place: Pieces | None, file: Path) -> Path | None:
    """Where the scores of a snapshot are put away, by its name and bytes; None if nowhere, or it cannot be read."""
    if place is None:
        return None
    try:
        key = f"{galaxies.digest(file)} {file.name}"  # the views are drawn from the name
    except (OSError, GalclassError):
        return None
    return place(f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npz")


def _write(output: Path, scored: list[Scored], table: pd.DataFrame, screen: Screen) -> None:
    observatory = screen.camera.observatory
    every = screen.record
    used = every["settings"] | {"screen": screen.settings["screen"]}
    files = [part for one in scored if not one.error for part in galaxies.parts(one.file)]
    inputs = {str(file): provenance.file_digest(file) for file in dict.fromkeys(map(on_disk, files))}
    whole = every | {"settings": used, "inputs": inputs | every["inputs"]}
    tables.write(output, scored, table, observatory.settings["depth_dex"], observatory.telescope.unit, whole)
