"""Tables of candidates: chosen, joined with their scores, with percentiles, in order."""

import numpy as np
import pandas as pd

from galclass import isophotes
from galclass.errors import InputError

#: Scores that get a percentile among all frames.
SCORES = ("cosine_raw", "cosine_aligned", "cosine_residual", "sift_keypoints", "sift_matches", "sift_inliers")
#: What names a frame.
KEYS = ["run", "frame"]
#: A shape counts as a rectangle where that is at least as probable, given its errors, as not.
_LEAST_PROBABILITY = 0.5


def ranked(table: pd.DataFrame) -> pd.DataFrame:
    """The candidates in their order, with columns `rank` (from 1), `measured_label` and `p_label`; see `run`."""
    harmonics = list(zip(table["b4"], table["b4_err"], table["b6"], table["b6_err"], strict=True))
    labels = [isophotes.label_of(b4, b6) for b4, _, b6, _ in harmonics]
    probable = [isophotes.label_probability(label, *values) for label, values in zip(labels, harmonics, strict=True)]
    table = table.assign(measured_label=labels, p_label=probable)
    table["_confirmed"] = (table["measured_label"] == "rectangle") & (table["p_label"] >= _LEAST_PROBABILITY)
    order = ["_confirmed", "cosine_residual", "cosine_aligned"]
    table = table.sort_values(order, ascending=False, kind="stable", ignore_index=True).drop(columns="_confirmed")
    table.insert(0, "rank", np.arange(1, len(table) + 1))
    return table


def percentiles(values: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Share of `null` below each value [percent], equal ones counted half."""
    null = np.sort(null)
    below, up_to = np.searchsorted(null, values, "left"), np.searchsorted(null, values, "right")
    return 50.0 * (below + up_to) / len(null)


def with_percentiles(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the percentile of each score among its rows."""
    columns = {f"{name}_percentile": percentiles(table[name].to_numpy(), table[name].to_numpy()) for name in SCORES}
    return table.assign(**columns)


def choose(classified: pd.DataFrame, count: int) -> pd.DataFrame:
    """The `count` best candidates by p_rectangle among the frames classified as rectangle.

    Each snapshot gives its best frame before any gives its second, so that one snapshot seen from all sides
    does not fill the list. Where no frame is a rectangle, the highest p_rectangle are taken; `selected_as`
    says which.
    """
    rectangles = classified[classified["class"] == "rectangle"]
    pool = rectangles if len(rectangles) else classified
    pool = pool.sort_values(["p_rectangle", *KEYS], ascending=[False, True, True], kind="stable")
    turn = pool.groupby([name for name in ("run", "snapshot") if name in pool]).cumcount()
    chosen = pool.loc[turn.sort_values(kind="stable").index[:count]]
    return chosen.assign(selected_as="rectangle" if len(rectangles) else "highest p_rectangle")


def join(scored: pd.DataFrame, chosen: pd.DataFrame) -> pd.DataFrame:
    """The scores of the chosen frames beside their class and probabilities."""
    for table in (scored, chosen):
        twice = table[table.duplicated(KEYS)]
        if len(twice):
            raise InputError(
                f"frame {twice['frame'].iloc[0]} of run {twice['run'].iloc[0]} is there twice; "
                "give each pack and table once"
            )
    new = [name for name in chosen if name in KEYS or name not in scored]
    table = scored.merge(chosen[new], on=KEYS, how="inner", validate="one_to_one")
    if len(table) != len(chosen):
        raise InputError(
            f"{len(chosen) - len(table)} of {len(chosen)} candidates are in none of the packs; "
            "give the packs that were classified"
        )
    return table
