"""Pictures and packs in hand against a reference, without a flow around them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from galclass import images
from galclass.errors import GalclassError
from galclass.parallel import cores, workers
from galclass.progress import progress
from galclass.verify import nulls, ranking
from galclass.verify.likeness import Reference, Sight, compared, read_references, read_sight

#: Frames of a pack that are compared at once; fewer pieces of work than `_FEW` are not worth the start of processes.
_CHUNK, _FEW = 10, 30


def pictures(
    files: Sequence[Path], reference: Path, settings: dict, depth_dex: float = 3.0, processes: int | None = None
) -> list[dict]:
    """Compare picture files and packs with a reference: a dict per file, in order, `error` if it failed.

    A pack is answered by its best frame by the aligned cosine (`frame`, of `frames`). Where `settings["controls"]`
    names a folder of control galaxies, percentiles are among them, and there are `combined`, all scores alike, and
    `p_chance`, the probability that the best of as many controls as there are files would be as good; else percentiles
    are among all pictures of this call, and None when there is only one. `depth_dex` is the stretch of FITS pictures.
    """
    references = read_references(reference, settings, depth_dex=depth_dex)
    controls = nulls.control_files(settings) if settings["controls"] else []
    pieces = [piece for number, path in enumerate([*files, *controls]) for piece in _pieces(number, Path(path))]
    jobs = [(piece, references, settings, depth_dex) for piece in pieces]
    with workers(processes or (cores() if len(jobs) >= _FEW else 1)) as share_out:
        found = list(progress(share_out(_compared, jobs), len(jobs), "verify"))
    failed = {piece.number: answer for piece, answer in zip(pieces, found, strict=True) if isinstance(answer, str)}
    tables = [answer for answer in found if not isinstance(answer, str)]
    scored = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame({"input": []})
    own = scored[scored["input"] < len(files)].reset_index(drop=True)
    if controls:
        judged = _held_against(own, scored[scored["input"] >= len(files)], len(files))
    else:
        judged = pd.concat([own, ranking.percentile_columns(own, own if len(own) > 1 else own.iloc[:0])], axis=1)
    return [{"file": str(path), **({"error": failed[k]} if k in failed else _best(judged, k))}
            for k, path in enumerate(files)]  # fmt: skip


def _held_against(own: pd.DataFrame, null: pd.DataFrame, tried: int) -> pd.DataFrame:
    """The scores with `combined`, all percentiles among the controls, and `p_chance`."""
    if null.empty or own.empty:
        return pd.concat([own, ranking.percentile_columns(own, null.reindex(columns=own.columns))], axis=1)
    combination = ranking.fit_combination(null)
    own, null = (table.assign(combined=combination(table)) for table in (own, null))
    return pd.concat([own, ranking.held_against(own, null, tried)], axis=1)


@dataclass(frozen=True)
class _Piece:
    """A picture file, or frames `first` to `last` (not included) of a pack of `frames`; of the input `number`."""

    number: int
    path: Path
    first: int = 0
    last: int = 1
    frames: int | None = None


def _pieces(number: int, path: Path) -> list[_Piece]:
    """What of a file is compared at once; a pack that cannot be read is one piece, which will say so."""
    if path.suffix.lower() not in images.PACK_SUFFIXES:
        return [_Piece(number, path)]
    try:
        count = len(images.PackFile(path))
    except GalclassError:
        return [_Piece(number, path, frames=1)]
    return [_Piece(number, path, first, min(first + _CHUNK, count), count) for first in range(0, count, _CHUNK)]


def _compared(job: tuple[_Piece, list[Reference], dict, float]) -> pd.DataFrame | str:
    """The scores of a piece, a row each frame, or the line that says why it has none."""
    piece, references, settings, depth_dex = job
    try:
        if piece.frames is None:
            table = compared([read_sight(piece.path, depth_dex)], references, settings)
        else:
            numbers, sights = _frames(piece)
            table = pd.concat([numbers, compared(sights, references, settings)], axis=1)
    except (GalclassError, OSError) as error:
        return " ".join(str(error).split())
    return table.assign(input=piece.number)


def _frames(piece: _Piece) -> tuple[pd.DataFrame, list[Sight]]:
    """Numbers of some frames of a pack, and the galaxies in them."""
    file, rows = images.PackFile(piece.path), (piece.first, piece.last)
    numbers = pd.DataFrame({"frame": file.frames(*rows)["frame"], "frames": piece.frames})
    pairs = zip(*(file.pictures(layer, *rows).astype(float) for layer in ("images", "flux")), strict=True)
    return numbers, [Sight(picture, flux, "flux", picture) for picture, flux in pairs]


def _best(scored: pd.DataFrame, number: int) -> dict:
    """The row of one input with the highest aligned cosine, as JSON takes it: no NaN, no NumPy."""
    row = scored.loc[scored.loc[scored["input"] == number, "cosine_aligned"].idxmax()].drop("input")
    whole = {name: int(row[name]) for name in ("frame", "frames") if name in row and not pd.isna(row[name])}
    rest = row.drop(["frame", "frames"], errors="ignore")
    return whole | {name: _for_json(value) for name, value in rest.items()}


def _for_json(value: object) -> object:
    """A value of a table without NumPy's types; None for what JSON has no number."""
    plain = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(plain, float) and not np.isfinite(plain) else plain
