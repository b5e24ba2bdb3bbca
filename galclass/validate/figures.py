"""Figures of the validation, as in Naab & Burkert (2003): shape, flattening and rotation of all projections."""

import numpy as np
import pandas as pd

from galclass import plotstyle

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#7F7F7F")
_BINS = np.linspace(-4.0, 4.0, 33)
_LEAST_ROTATION = 0.02


def overview(projections: pd.DataFrame, found: pd.DataFrame):
    """A row of panels for each mass ratio: a4 against ellipticity and against (v/sigma)*, rotation, and how often a4.

    Parameters
    ----------
    projections, found : tables
        Of `galclass.validate.run`; pairs are left out.
    """
    merged = projections[~projections["apart"]]
    fig, axes = plotstyle.figure(12.5, 3.1 * len(found), nrows=len(found), ncols=4, squeeze=False)
    for row, colour, panels in zip(found.to_dict("records"), _COLOURS, axes, strict=False):
        part = merged[merged["mass_ratio"] == row["mass_ratio"]]
        plot_flattening(part, row, colour, panels[0])
        plot_shape_and_rotation(part, row, colour, panels[1])
        plot_rotation(part, colour, panels[2])
        plot_frequency(part, row, colour, panels[3])
        panels[0].set_title(f"{row['mass_ratio']:g}:1, remnants: {row['remnants']}", loc="left")
    return fig


def plot_flattening(part: pd.DataFrame, row: dict, colour: str, ax) -> None:
    """100 a4/a against ellipticity; the bar is the noise, one sigma."""
    ax.scatter(part["ellipticity"], 100 * part["a4_over_a"], s=3, alpha=0.35, color=colour, linewidths=0)
    ax.errorbar([0.75], [3.2], yerr=[100 * row["noise"]], color="black", capsize=2)
    ax.set(xlabel="ellipticity at 1.5 effective radii", ylabel="100 a4/a", xlim=(0, 0.85), ylim=(-4, 4))
    ax.axhline(0, color="black", linewidth=0.7)


def plot_shape_and_rotation(part: pd.DataFrame, row: dict, colour: str, ax) -> None:
    """(v/sigma)* against 100 a4/a; the bar is the noise, one sigma."""
    rotation = np.maximum(part["v_over_sigma_star"], _LEAST_ROTATION)
    ax.scatter(100 * part["a4_over_a"], rotation, s=3, alpha=0.35, color=colour, linewidths=0)
    ax.errorbar([3.0], [0.03], xerr=[100 * row["noise"]], color="black", capsize=2)
    ax.set(xlabel="100 a4/a", ylabel="(v/sigma)*", xlim=(-4, 4), ylim=(_LEAST_ROTATION, 4), yscale="log")
    ax.axvline(0, color="black", linewidth=0.7)


def plot_rotation(part: pd.DataFrame, colour: str, ax) -> None:
    """Rotation over dispersion against ellipticity; the line is that of an isotropic galaxy flat by its rotation."""
    ratio = part["rotation_km_s"] / part["dispersion_km_s"]
    ax.scatter(part["ellipticity"], ratio, s=3, alpha=0.35, color=colour, linewidths=0)
    ellipticity = np.linspace(0, 0.8, 100)
    ax.plot(
        ellipticity, np.sqrt(ellipticity / (1 - ellipticity)), color="black", linewidth=1, label="isotropic rotator"
    )
    ax.legend(loc="upper left", fontsize=7)
    ax.set(xlabel="ellipticity at 1.5 effective radii", ylabel="v / sigma", xlim=(0, 0.85), ylim=(0, 2.2))


def plot_frequency(part: pd.DataFrame, row: dict, colour: str, ax) -> None:
    """How often each 100 a4/a occurs; values beyond the ends are counted there."""
    shown = np.clip(100 * part["a4_over_a"].dropna(), _BINS[0], _BINS[-1] - 1e-9)
    ax.hist(shown, bins=_BINS, color=colour, alpha=0.8)
    ax.axvline(0, color="black", linewidth=0.7)
    ax.set(xlabel="100 a4/a", ylabel="projections")
    share, low, high = (f"{100 * row[name]:.0f}" for name in ("boxy", "boxy_low", "boxy_high"))
    ax.set_title(f"{share} % boxy ({low} to {high} %)", loc="right")
