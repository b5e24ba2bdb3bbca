"""The bars of the thesis's figure 9, its own and ours."""

import numpy as np
import pandas as pd

from galclass import plotstyle
from galclass.network import CLASSES


def plot_bars(table: pd.DataFrame, ax, title: str) -> None:
    """Shares of the classes [per cent] of each model (`tables.bars`) as stacked bars, the first model at the bottom."""
    places, left = np.arange(len(table)), np.zeros(len(table))
    for name in CLASSES:
        share = table[name].fillna(0.0).to_numpy()
        ax.barh(places, share, left=left, height=0.75, color=plotstyle.CLASS_COLOURS[name])
        left += share
    for place, row in zip(places, table.itertuples(), strict=True):
        colour = "grey" if row.word else "white"
        ax.text(50.0, place, row.word or bar_text(row), ha="center", va="center", fontsize=7, color=colour)
    ax.set(yticks=places, xlim=(0, 100), ylim=(-0.6, len(table) - 0.4))
    ax.set_yticklabels(table["model"], fontsize=7)
    ax.set_title(title, fontsize=9)
    ax.grid(False)


def bar_text(row) -> str:
    """The shares of one bar in words, since colour alone tells no number."""
    known = [(name, getattr(row, name)) for name in CLASSES]
    return "   ".join(f"{name} {share:.1f} %" for name, share in known if not np.isnan(share))


def plot_missing(ax, text: str) -> None:
    """Words in the place of a chart."""
    ax.set_axis_off()
    ax.text(0.5, 0.5, text, ha="center", va="center", color="grey", transform=ax.transAxes)
