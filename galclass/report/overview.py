"""Which mergers make rectangles: their rates by mass ratio, orbit and time, with intervals, and how long they last."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict

import numpy as np
import pandas as pd

from galclass import plotstyle, quality, rates
from galclass.network import TRUSTED_CLASSES
from galclass.report.results import Results

NAME = "rectangle"
#: What a rate is held against: column of the table of mergers, and its title.
QUANTITIES = {
    "mass_ratio": "mass ratio",
    "pericentre_kpc": "pericentre [kpc]",
    "eccentricity": "eccentricity",
    "inclination1_deg": "inclination of disc 1 [deg]",
    "inclination2_deg": "inclination of disc 2 [deg]",
    "bulge_over_halo": "bulge over halo mass",
}
TIME = "since_merger_gyr"
_TITLES = QUANTITIES | {TIME: "time since the merger [Gyr]", "argument1_deg": "argument of disc 1 [deg]",
                        "argument2_deg": "argument of disc 2 [deg]", "separation_kpc": "separation [kpc]"}  # fmt: skip
#: Runs below which a rate is not split by a property, bins of a property that has more values, and of time.
_FEWEST_RUNS, _BINS, _TIME_BINS = 6, 6, 8
#: Values that a side of the map of a design may have, share of its cells that are filled, and maps at most.
_GRID_VALUES, _GRID_FILLED, _GRID_MAPS = (2, 40), 0.8, 3
#: Frames are told apart as this class or not; half precision holds 0 and 1 exactly.
_PROBABILITIES = (f"p_{NAME}", "p_other")
#: Runs named in a figure; how far the interval of all such runs may stretch the axis beyond that of these frames.
_NAMED, _TALLEST = 5, 2.0


def runs(results: Results) -> pd.DataFrame:
    """Everything about each run in one row.

    Returns
    -------
    table
        run and its columns of the table of mergers; quality (the gates it fails); frames and shares of the classes as
        they are called; far, the share beyond the training pictures; after_merger, the frames after the merger, and
        fraction, low, high, population_low, population_high, note: the rate of rectangles among these (see
        `galclass.rates`; among all frames where the pair never merges); measured_rectangle, measured_low and
        measured_high by the isophotes; snr; start_gyr, duration_gyr, sky_fraction and goes_on of the longest time in
        which it looks rectangular from somewhere (see `galclass.visibility`; 0 for never, NaN where nobody looked).
    """
    errors = two_classes(results.heldout)
    rows, groups = [], dict(tuple(results.moments.groupby("run", sort=False)))
    measured = results.counts.set_index("run")
    for run, design in results.runs.items():
        called, shape = groups[run], measured.loc[run]
        row = {"run": run} | {name: value for name, value in design.items() if name != "run"}
        row |= {"quality": quality.failures(results.verdicts[run])} | _called(called)
        row |= _rate(called, errors) | {"measured_rectangle": shape["rectangle_share"]}
        row |= {"measured_low": shape["low"], "measured_high": shape["high"], "snr": shape["snr"]}
        rows.append(row | _span(results.spans.get(run)))
    return pd.DataFrame(rows)


def _called(moments: pd.DataFrame) -> dict:
    """Frames of a run and how they are called."""
    frames = int(moments["frames"].sum())
    merged = moments[TIME].notna()
    shares = {name: moments[name].sum() / frames for name in (*TRUSTED_CLASSES, "far")}
    return {"frames": frames, **shares, "after_merger": int(moments.loc[merged, "frames"].sum())}


def _rate(moments: pd.DataFrame, errors: pd.DataFrame) -> dict:
    merged = moments[moments[TIME].notna()]
    found = rate_of(moments if merged.empty else merged, errors)
    return {name: found[name] for name in ("fraction", "low", "high", "population_low", "population_high", "note")}


def _span(said: dict | None) -> dict:
    names = ("start_gyr", "duration_gyr", "sky_fraction", "goes_on")
    if said is None:
        return dict.fromkeys(names[:-1], np.nan) | {"goes_on": False}
    span = said["span"] or {"start_gyr": np.nan, "duration_gyr": 0.0, "sky_fraction": 0.0, "goes_on": False}
    return {name: span[name] for name in names}


# Rates ------------------------------------------------------------------------------------------------------


def two_classes(heldout: pd.DataFrame) -> pd.DataFrame:
    """Held-out predictions told apart as rectangles and others: run, label, p_rectangle and p_other (0 or 1)."""
    names = [name for name in heldout.columns if name.startswith("p_")]
    called = heldout[names].to_numpy().argmax(axis=1) == names.index(f"p_{NAME}")
    return pd.DataFrame({"run": heldout["run"], "label": heldout["label"]} | _certain(called))


def frames_of(moments: pd.DataFrame) -> pd.DataFrame:
    """A row for each frame of some snapshots, from the counts of these: run, snapshot (as numbers), p_NAME (0 or 1)."""
    frames = moments["frames"].to_numpy()
    row = np.repeat(np.arange(len(moments)), frames)
    place = np.arange(len(row)) - np.repeat(np.cumsum(frames) - frames, frames)
    run = pd.factorize(moments["run"])[0]
    return pd.DataFrame({"run": run[row], "snapshot": row} | _certain(place < moments[NAME].to_numpy()[row]))


def _certain(called: np.ndarray) -> dict[str, np.ndarray]:
    return dict(zip(_PROBABILITIES, (called.astype(np.float16), (~called).astype(np.float16)), strict=True))


def rate_of(moments: pd.DataFrame, errors: pd.DataFrame) -> dict:
    """The attributes of `rates.Rate` of rectangles in some snapshots; `errors` as by `two_classes`."""
    return asdict(rates.estimate(frames_of(moments), errors, NAME))


def by_property(results: Results) -> pd.DataFrame:
    """Rates of rectangles after the merger by each property of the runs that varies, and by the time since.

    Returns
    -------
    table
        quantity, low_edge, high_edge, middle (of the runs or moments in it), runs, then `rates.Rate`. Runs that never
        merge are not in it. Empty where there is but one run.
    """
    merged, errors = results.moments[results.moments[TIME].notna()], two_classes(results.heldout)
    design = pd.DataFrame(results.runs.values(), index=list(results.runs)).loc[merged["run"].unique()]
    rows = []
    if len(design) >= _FEWEST_RUNS:
        for quantity in varied(design):
            values = merged["run"].map(design[quantity]).to_numpy(float)
            edges = bin_edges(design[quantity].to_numpy(float), _BINS)
            rows += _binned(quantity, merged, values, edges, errors)
    if len(design) > 1:
        edges = np.linspace(0.0, np.nextafter(merged[TIME].max(), np.inf), _TIME_BINS + 1)
        rows += _binned(TIME, merged, merged[TIME].to_numpy(float), edges, errors)
    return pd.DataFrame(rows)


def varied(design: pd.DataFrame) -> list[str]:
    """The quantities that differ between runs (rows), without those that say the same as an earlier one.

    In a grid the eccentricity may follow from the pericentre, or the second disc be inclined as the first.
    """
    kept = []
    for name in [name for name in QUANTITIES if name in design and design[name].nunique() > 1]:
        few = design[name].nunique() < len(design)  # where every run has a value of its own, all follow from all
        if not any(few and _follows(design, name, other) and _follows(design, other, name) for other in kept):
            kept.append(name)
    return kept


def _binned(
    quantity: str, moments: pd.DataFrame, values: np.ndarray, edges: np.ndarray, errors: pd.DataFrame
) -> Iterator[dict]:
    """A row a bin [low, high) that has snapshots."""
    bins = np.digitize(values, edges) - 1
    for k in np.unique(bins):
        chosen = moments[bins == k]
        place = {"quantity": quantity, "low_edge": edges[k], "high_edge": edges[k + 1]}
        place |= {"middle": float(np.median(values[bins == k])), "runs": chosen["run"].nunique()}
        yield place | rate_of(chosen, errors)


def bin_edges(values: np.ndarray, most: int) -> np.ndarray:
    """Edges of bins of some values: one bin a value where there are few of them, else of equally many runs.

    Parameters
    ----------
    values : shape (n,)
    most : int
        Largest number of bins where not every value has its own; half as many again may have.

    Returns
    -------
    shape (bins + 1,), the last above all values
    """
    distinct = np.unique(values)
    if len(distinct) > 1.5 * most:
        distinct = np.unique(np.quantile(values, np.linspace(0.0, 1.0, most + 1)[:-1], method="lower"))
    return np.append(distinct, np.nextafter(values.max(), np.inf))


# The grid of a design ---------------------------------------------------------------------------------------


def grid_sides(design: pd.DataFrame) -> list[tuple[str, str]]:
    """Pairs of columns whose values make a grid that the runs fill, the coarsest columns first; empty without one.

    A column that follows from an earlier one (the eccentricity from the pericentre, the second disc from the first) is
    left out.
    """
    sides = []
    for name in [name for name in _TITLES if name in design and name != TIME]:
        count = design[name].nunique()
        if _GRID_VALUES[0] <= count <= _GRID_VALUES[1] and not any(_follows(design, name, side) for side in sides):
            sides.append(name)
    pairs = [(a, b) for k, a in enumerate(sides) for b in sides[k + 1 :]]
    return [pair for pair in pairs if _is_grid(design, *pair)][:_GRID_MAPS]


def _follows(design: pd.DataFrame, name: str, other: str) -> bool:
    return bool((design.groupby(other)[name].nunique() == 1).all())


def _is_grid(design: pd.DataFrame, a: str, b: str) -> bool:
    cells = design[a].nunique() * design[b].nunique()
    return len(design[[a, b]].drop_duplicates()) >= _GRID_FILLED * cells and cells >= 4


def grid(results: Results) -> pd.DataFrame:
    """Rates after the merger in each cell of the maps of `grid_sides`; empty where the design is no grid.

    Returns
    -------
    table
        x, y (columns of the table of mergers), x_value, y_value, runs, then `rates.Rate`.
    """
    design = pd.DataFrame(results.runs.values(), index=list(results.runs))
    merged, errors = results.moments[results.moments[TIME].notna()], two_classes(results.heldout)
    rows = []
    for x, y in grid_sides(design) if len(design) >= _FEWEST_RUNS else []:
        cells = merged.groupby([merged["run"].map(design[x]), merged["run"].map(design[y])])
        for (x_value, y_value), chosen in cells:
            place = {"x": x, "y": y, "x_value": x_value, "y_value": y_value, "runs": chosen["run"].nunique()}
            rows.append(place | rate_of(chosen, errors))
    return pd.DataFrame(rows)


# Figures ----------------------------------------------------------------------------------------------------


def plot_rates(table: pd.DataFrame, ax) -> None:
    """Rates of one quantity of `by_property`: corrected with both intervals, and as they are called."""
    colour, x = plotstyle.CLASS_COLOURS[NAME], table["middle"].to_numpy(float)
    percents = {name: 100 * table[name].to_numpy(float) for name in
                ("raw", "fraction", "low", "high", "population_low", "population_high")}  # fmt: skip
    ax.vlines(x, percents["population_low"], percents["population_high"], color=colour, lw=5, alpha=0.25,
              label="all such runs, 95 %")  # fmt: skip
    ax.vlines(x, percents["low"], percents["high"], color=colour, lw=1.5, label="these frames, 95 %")
    ax.plot(x, percents["fraction"], "o", color=colour, ms=5, label="corrected")
    ax.plot(x, percents["raw"], "_", color="0.35", ms=10, mew=1.5, label="as called")
    if x.min() > 0 and x.max() > 20 * x.min():
        ax.set_xscale("log")
    highest = max(percents["high"].max(), percents["raw"].max())
    highest = max(highest, min(percents["population_high"].max(), _TALLEST * highest)) or 1.0
    ax.set(xlabel=_TITLES[table["quantity"].iloc[0]], ylim=(-0.03 * highest, 1.05 * highest))
    _few_ticks(ax)


def _few_ticks(ax) -> None:
    """Numbers instead of powers of ten where an axis is logarithmic."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    if ax.get_xscale() == "log":
        ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.xaxis.set_minor_formatter(NullFormatter())


def plot_grid(table: pd.DataFrame, ax) -> None:
    """One map of `grid`: the corrected rate by colour and in numbers, empty cells grey."""
    x, y = table["x"].iloc[0], table["y"].iloc[0]
    cells = table.pivot(index="y_value", columns="x_value", values="fraction") * 100
    ax.grid(False)
    ax.set_facecolor("0.85")
    mesh = ax.imshow(cells.to_numpy(), origin="lower", aspect="auto", cmap="cividis", vmin=0.0)
    ax.set_xticks(range(cells.shape[1]), [f"{value:.3g}" for value in cells.columns], rotation=45, ha="right")
    ax.set_yticks(range(cells.shape[0]), [f"{value:.3g}" for value in cells.index])
    ax.set(xlabel=_TITLES[x], ylabel=_TITLES[y])
    middle = 0.5 * mesh.get_clim()[1]
    for (row, column), value in np.ndenumerate(cells.to_numpy()):
        if np.isfinite(value):
            colour = "white" if value < middle else "black"
            ax.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=6.5, color=colour)
    ax.figure.colorbar(mesh, ax=ax, label="rectangles [%]")


def plot_spans(table: pd.DataFrame, ax) -> None:
    """For how long, and from how much of the sky, each run (rows of `runs`) looks rectangular, by its mass ratio."""
    from matplotlib.colors import LogNorm

    seen = table[table["duration_gyr"] > 0]
    ratio = seen["mass_ratio"]
    dots = ax.scatter(seen["duration_gyr"], 100 * seen["sky_fraction"], c=ratio, cmap="viridis", s=14, ec="0.3", lw=0.3,
                      norm=LogNorm(min(ratio.min(), 1.0), max(ratio.max(), 1.01)))  # fmt: skip
    for row in _apart(seen.nlargest(_NAMED, "duration_gyr")).itertuples():
        ax.annotate(row.run, (row.duration_gyr, 100 * row.sky_fraction), xytext=(4, 3), textcoords="offset points",
                    fontsize=6.5)  # fmt: skip
    ax.set(xlabel="longest time in which it looks rectangular [Gyr]", ylabel="mean share of the sky [%]",
           xlim=(0, None), ylim=(0, None))  # fmt: skip
    bar = ax.figure.colorbar(dots, ax=ax, label="mass ratio")
    _plain_numbers(bar, sorted({1.0, 2.0, 3.0, 5.0, 10.0, float(ratio.max())}), float(ratio.max()))


def _apart(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs whose dots lie so far from those before that names beside them do not overlap."""
    kept = []
    for row in runs.itertuples():
        near = runs.loc[kept].eval("abs(duration_gyr - @row.duration_gyr) < 0.2 * duration_gyr"
                                   " and abs(sky_fraction - @row.sky_fraction) < 0.1 * sky_fraction")  # fmt: skip
        kept += [] if near.any() else [row.Index]
    return runs.loc[kept]


def _plain_numbers(bar, ticks: Iterable[float], largest: float) -> None:
    shown = [tick for tick in ticks if tick <= largest]
    bar.set_ticks(shown, labels=[f"{tick:g}" for tick in shown])
    bar.minorticks_off()
