"""Tables of candidates: chosen among the classified frames, and joined with what the packs say of them."""

import numpy as np
import pandas as pd

from galclass.errors import InputError

#: What names a frame.
KEYS = ["run", "frame"]


def choose(classified: pd.DataFrame, count: int) -> pd.DataFrame:
    """The `count` best candidates: frames classified as rectangle by p_rectangle, then others by p_rectangle.

    Each snapshot gives its best frame before any gives its second, so that one snapshot seen from all sides
    does not fill the list. `selected_as` says which of the two it was.
    """
    named = np.where(classified["class"] == "rectangle", "rectangle", "highest p_rectangle")
    pool = classified.assign(selected_as=named)
    pool = pool.sort_values(["p_rectangle", *KEYS], ascending=[False, True, True], kind="stable")
    groups = [name for name in ("run", "snapshot") if name in pool]
    pool = pool.assign(
        _turn=pool.groupby([*groups, "selected_as"]).cumcount(), _last=pool["selected_as"] != "rectangle"
    )
    return pool.sort_values(["_last", "_turn"], kind="stable").head(count).drop(columns=["_turn", "_last"])


def located(frames: pd.DataFrame, chosen: pd.DataFrame) -> pd.DataFrame:
    """The chosen frames with the columns of all frames of the packs, among them `pack` and `row`, in their order.

    Raises
    ------
    InputError
        A frame is there twice, or a chosen one in none of the packs.
    """
    for table in (frames, chosen):
        twice = table[table.duplicated(KEYS)]
        if len(twice):
            raise InputError(
                f"frame {twice['frame'].iloc[0]} of run {twice['run'].iloc[0]} is there twice; "
                "give each pack and table once"
            )
    new = [name for name in chosen if name in KEYS or name not in frames]
    table = chosen[new].merge(frames, on=KEYS, how="inner", validate="one_to_one")
    if len(table) != len(chosen):
        raise InputError(
            f"{len(chosen) - len(table)} of {len(chosen)} candidates are in none of the packs; "
            "give the packs that were classified"
        )
    return table
