"""Stage `verify`: how much does a candidate look like the reference, and how much would any frame?

Each picture gets the thesis's score, the cosine between the grey pixels as they stand, and the same after
both were brought to one centre, one size and one position angle, since the first mostly tells how the
galaxies happen to lie on the page. Beside them stand what is left after each picture's own ellipses are
taken away (boxy corners count, light profiles do not), the SIFT keypoints (Lowe 2004, IJCV 60, 91) and the
isophotes. Every score comes with its percentile among all frames given: 0.9 may be ordinary.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from galclass import catalog, images, provenance
from galclass.errors import GalclassError, InputError
from galclass.files import require_suffix
from galclass.verify.alignment import HALF_WIDTH, aligned, aligned_with_ratio, flips, orientation, residual
from galclass.verify.keypoints import inliers, ratio_matches, sift
from galclass.verify.likeness import (
    NOT_INFORMATIVE,
    Reference,
    as_picture,
    best_cosine,
    cosine_aligned,
    cosine_raw,
    read_reference,
    reference_picture,
    score,
    shape_columns,
    sift_scores,
    without_noise,
)
from galclass.verify.tables import KEYS, SCORES, choose, join, percentiles, ranked, with_percentiles

__all__ = [
    "HALF_WIDTH",
    "NOT_INFORMATIVE",
    "SCORES",
    "Reference",
    "aligned",
    "aligned_with_ratio",
    "best_cosine",
    "choose",
    "cosine_aligned",
    "cosine_raw",
    "flips",
    "inliers",
    "join",
    "orientation",
    "percentiles",
    "pictures",
    "ranked",
    "ratio_matches",
    "read_reference",
    "residual",
    "run",
    "score",
    "sift",
    "sift_scores",
]

_CLASSIFIED_COLUMNS = (*KEYS, "class", "p_rectangle")


def run(
    classified: Sequence[Path], packs: Sequence[Path], reference: Path, settings: dict, output: Path
) -> pd.DataFrame:
    """Score the best candidates against the reference and write the ranked table.

    Candidates whose measured isophotes are those of a rectangle, with a probability of one half or more given their
    errors, come first, since the network must call crossing discs something and often calls them rectangles; then
    the order is that of `cosine_residual`. What is left when each picture's own ellipses are taken away carries the
    shape: by it the real picture of LEDA 074886 stands above 99 % of ordinary galaxies, while by the aligned cosine
    most galaxies of its axis ratio look alike (docs/validation.md). The raw cosine is left out because a turn of
    the page changes it.

    Parameters
    ----------
    classified : tables of `galclass classify`
    packs : the packs that were classified; all their frames are the null
    reference : folder written by `galclass reference`, or a picture
    settings : `candidates` (how many) and `sift`
    output : the table (.parquet; .csv beside it); its column `quality` names the gates that a candidate's run fails

    Raises
    ------
    InputError
        A file cannot be used, or a classified frame is in none of the packs.
    """
    require_suffix(output, ".parquet")
    target = read_reference(reference, settings)
    contents = [images.read_pack(path) for path in packs]
    scored = pd.concat([_score_pack(pack, target, settings) for pack in contents], ignore_index=True)
    chosen = choose(
        pd.concat([_read_classified(path) for path in classified], ignore_index=True), settings["candidates"]
    )
    table = join(with_percentiles(scored), chosen)
    table = pd.concat([table, _shapes(table, contents, target)], axis=1)
    table = ranked(table).assign(quality=table["run"].map(_quality_marks(contents)))
    if (marked := (table["quality"] != "").sum()) > 0:
        print(f"verify: {marked} of {len(table)} candidates come from runs that FAIL their quality gates", flush=True)
    sources = [*classified, *packs, reference_picture(reference)]
    catalog.write_table(output, table, provenance.record("verify", sources, settings))
    return table


def pictures(files: Sequence[Path], reference: Path, settings: dict, depth_dex: float = 3.0) -> list[dict]:
    """Score picture files and packs against a reference: a dict per file, in order, `error` if it failed.

    A pack is answered by its best frame (`frame`, of `frames`). Percentiles are among all pictures of this
    call, None when there is only one. `depth_dex` is the stretch of FITS pictures.
    """
    target = read_reference(reference, settings, depth_dex)
    answers = [_try(lambda path=path: _score_file(Path(path), target, settings, depth_dex)) for path in files]
    tables = [answer.assign(input=number) for number, answer in enumerate(answers) if not isinstance(answer, str)]
    scored = with_percentiles(pd.concat(tables, ignore_index=True)) if tables else pd.DataFrame({"input": []})
    return [{"file": str(path), **({"error": answer} if isinstance(answer, str) else _best(scored, number))}
            for number, (path, answer) in enumerate(zip(files, answers, strict=True))]  # fmt: skip


def _quality_marks(packs: Sequence[images.Pack]) -> dict[str, str]:
    """The quality gates that each run fails, empty if none, as its pack says."""
    return {run: pack.provenance.get("quality", "") for pack in packs for run in pack.frames["run"].unique()}


def _read_classified(path: Path) -> pd.DataFrame:
    table = catalog.read_table(path)
    missing = [name for name in _CLASSIFIED_COLUMNS if name not in table]
    if missing:
        raise InputError(f"{path}: no column {', '.join(missing)}; give a table written by `galclass classify`")
    return table


def _score_pack(pack: images.Pack, reference: Reference, settings: dict) -> pd.DataFrame:
    return pd.concat([pack.frames.reset_index(drop=True), _scores(pack, reference, settings)], axis=1)


def _scores(pack: images.Pack, reference: Reference, settings: dict) -> pd.DataFrame:
    """The scores of the frames of a pack."""
    return score(pack.images, reference, settings, images.stretch(pack.deep, pack.depth_dex))


def _score_file(path: Path, reference: Reference, settings: dict, depth_dex: float) -> pd.DataFrame:
    """Scores and shapes of a picture file, or of every frame of a pack."""
    if path.suffix.lower() in images.PACK_SUFFIXES:
        pack = images.read_pack(path)
        numbers = pd.DataFrame({"frame": pack.frames["frame"], "frames": len(pack.images)})
        return pd.concat([numbers, _scores(pack, reference, settings)], axis=1)
    values, is_flux = images.read_picture(path)
    picture = as_picture(values, is_flux, depth_dex)
    shape = pd.DataFrame([shape_columns(values, "flux" if is_flux else "picture", reference)])
    quiet = [without_noise(values, is_flux, depth_dex)]
    return pd.concat([score([picture], reference, settings, quiet), shape], axis=1)


def _shapes(table: pd.DataFrame, packs: Sequence[images.Pack], reference: Reference) -> pd.DataFrame:
    """The shapes of the candidates in `table`, a row each."""
    where = {
        key: (pack, row) for pack in packs for row, key in enumerate(zip(*(pack.frames[k] for k in KEYS), strict=True))
    }
    rows = []
    for key in zip(*(table[name] for name in KEYS), strict=True):
        pack, row = where[key]
        rows.append(shape_columns(pack.flux[row], "flux", reference))
    return pd.DataFrame(rows, index=table.index)


def _try(work: Callable[[], pd.DataFrame]) -> pd.DataFrame | str:
    """What `work` returns, or the line that says why it could not."""
    try:
        return work()
    except GalclassError as error:
        return str(error)


def _best(scored: pd.DataFrame, number: int) -> dict:
    """The row of one input with the highest aligned cosine, as JSON takes it: no NaN, no NumPy."""
    row = scored.loc[scored.loc[scored["input"] == number, "cosine_aligned"].idxmax()].drop("input")
    if len(scored) < 2:
        row[[f"{name}_percentile" for name in SCORES]] = None
    values = {name: value.item() if isinstance(value, np.generic) else value for name, value in row.items()}
    numbers = {
        name: int(values.pop(name)) for name in ("frame", "frames") if name in values and not pd.isna(values[name])
    }
    return numbers | {
        name: None if pd.isna(value) else value for name, value in values.items() if name not in ("frame", "frames")
    }
