"""From how much of the sky, and for how long, a merger looks rectangular.

The galaxy of each snapshot is pictured from the directions of a lattice, each of which stands for the same solid
angle; every picture goes through the telescope, the classifier and the comparison with the reference. Half of the
sphere is enough: stars do not hide each other, so an observer on the other side sees the mirror image, and neither the
trusted classifier nor the aligned cosines tell a galaxy from its mirror image; only the noise of the two pictures
differs. A pair still apart is no rectangle, whatever its picture is called.

Angles on the maps are those of the snapshot's own frame: longitude from its x axis, latitude above its plane of x and
y, which in our own mergers is that of the orbit (`galclass.initial`).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from galclass import catalog, images, network, plotstyle, provenance, quality, rates, render, snapshot, verify
from galclass.errors import InputError, raise_failures
from galclass.files import require_suffix, write_text
from galclass.progress import progress
from galclass.snapshot import archive

CLASS = "rectangle"
_TITLES = {"p_rectangle": "p(rectangle)", "cosine_aligned": "aligned cosine with the reference",
           "cosine_residual": "residual cosine with the reference"}  # fmt: skip
_CELL_DEG = 1.0
_SCENE_COLUMNS = ["run", "snapshot", "time_gyr"]
_VIEW_COLUMNS = ["view_x", "view_y", "view_z"]


@dataclass(frozen=True)
class Observer:
    """All that a snapshot is looked at with.

    Attributes
    ----------
    observatory : the telescope, and the section `render` of the configuration
    classifier : the network
    references : what `verify.read_references` found
    directions : number of directions on half of the sphere
    batch_size : pictures that the network takes at once
    """

    observatory: render.Observatory
    classifier: network.Classifier
    references: list
    directions: int
    batch_size: int


def run(
    inputs: Sequence[Path], network: Path, reference: Path, settings: dict, output: Path, run: str = ""
) -> pd.DataFrame:
    """Picture snapshots from all over the sky, classify and compare them, and write tables and maps.

    Written are OUTPUT.parquet (a row a direction and snapshot, and .csv beside it; `times` makes a row a snapshot of
    it), OUTPUT.png (maps of the snapshot seen as a rectangle from most of the sky, and the run in time) and OUTPUT.json
    (the sentence that is printed, and the numbers in it).

    Parameters
    ----------
    inputs : paths
        Snapshots of one run, or its folder.
    network : path
        Folder of the network.
    reference : path
        Folder of stage `reference`, or a picture.
    settings : dict
        The whole configuration; `visibility`, `render`, `classify` and `verify` are used.
    output : path
        The table of directions (.parquet).
    run : str
        Name of the simulation; empty for that of the file or folder.

    Returns
    -------
    table
        Of the directions: run, snapshot, time_gyr, direction, view_x, view_y, view_z, galaxies, class, p_NAME for each
        class of the network, domain_distance (NaN where the network has none), cosine_aligned, cosine_residual.

    Raises
    ------
    InputError
        The network, the reference or a snapshot cannot be used; the other snapshots are still looked at.
    """
    output = require_suffix(output, ".parquet")
    files, name = snapshot.find(inputs), run or Path(inputs[0]).stem
    observer = _observer(Path(network), reference, settings, files[0])
    parts, failures = [], []
    for file in progress(files, len(files), f"visibility {name}"):
        try:
            parts.append(directions_of(file, name, observer))
        except InputError as error:
            failures.append(error)
    if parts:
        table = pd.concat(parts, ignore_index=True)
        _write(output, table, Path(network), _record(files, Path(network), Path(reference), settings))
    raise_failures(failures, len(files) - len(failures), output)
    return table


def _observer(folder: Path, reference: Path, settings: dict, file: Path) -> Observer:
    classifier, pixels = network.open_classifier(folder), settings["render"]["pixels"]
    if CLASS not in classifier.classes:
        raise InputError(
            f"{folder}: no class {CLASS} among {', '.join(classifier.classes)}; give a network that has it"
        )
    classifier.check((pixels, pixels), settings["render"]["depth_dex"], file)
    return Observer(
        render.open_observatory(settings["render"]),
        classifier,
        verify.read_references(reference, settings["verify"], depth_dex=settings["render"]["depth_dex"]),
        settings["visibility"]["directions"],
        settings["classify"]["batch_size"],
    )


def directions_of(file: Path, run: str, observer: Observer) -> pd.DataFrame:
    """One snapshot from all directions of half the sphere, a row each; the columns are those of `run`."""
    settings = observer.observatory.settings
    views = render.sky_views(observer.directions, settings["seed"], run, Path(file).stem)
    frames = render.galaxy(file, run, observer.observatory, snapshot.STAR_TYPES, views)
    pictures = images.stretch(frames.exposures.flux, settings["depth_dex"])
    inputs = observer.classifier.inputs(frames.exposures.flux if observer.classifier.layer == "flux" else pictures)
    # Matrices this small gain nothing from threads of BLAS, which wait for each other in a busy loop.
    with threadpool_limits(1, user_api="blas"):
        answers = observer.classifier.answer(inputs, observer.batch_size).table()
        likeness = verify.aligned_scores(pictures, observer.references)[["cosine_aligned", "cosine_residual"]]
    place = frames.table[[*_SCENE_COLUMNS, *_VIEW_COLUMNS, "galaxies"]].copy()
    place.insert(len(_SCENE_COLUMNS), "direction", np.arange(len(place)))
    far = answers.pop("domain_distance") if "domain_distance" in answers else np.nan
    return pd.concat([place, answers.assign(domain_distance=far), likeness.reset_index(drop=True)], axis=1)


def times(table: pd.DataFrame) -> pd.DataFrame:
    """The run in time, from the table of directions of one run: a row a snapshot, in the order of time.

    Returns
    -------
    table
        run, snapshot, time_gyr, galaxies; rectangle_fraction, the share of the sphere from which the galaxy is called a
        rectangle, and mean_p_rectangle over the sphere (both 0 for a pair still apart); best_cosine_aligned,
        best_cosine_residual, and best_direction, the one of the latter.
    """
    alone = table["galaxies"] == 1
    marked = table.assign(rectangle_fraction=alone & (table["class"] == CLASS),
                          mean_p_rectangle=np.where(alone, table[f"p_{CLASS}"], 0.0))  # fmt: skip
    groups = marked.groupby([*_SCENE_COLUMNS, "galaxies"], sort=False)
    found = groups[["rectangle_fraction", "mean_p_rectangle"]].mean()
    best = groups[["cosine_aligned", "cosine_residual"]].max().add_prefix("best_")
    direction = groups.apply(lambda rows: rows["direction"].iloc[rows["cosine_residual"].argmax()]).astype(int)
    found = pd.concat([found, best, direction.rename("best_direction")], axis=1).reset_index()
    return found.sort_values("time_gyr", ignore_index=True)


# Summary ----------------------------------------------------------------------------------------------------


def summary(times: pd.DataFrame) -> str:
    """From how much of the sky, and for how long: ``rectangular from 3.1 % of the sky for 0.4 Gyr``.

    The time is that of `longest_span`, the share of the sky the mean over the snapshots in it. A span that has not
    ended with the last snapshot is said to last *at least* so long, one of a single moment has its time instead.
    """
    span = longest_span(times)
    if span is None:
        return "never rectangular"
    share = f"rectangular from {percent(span['sky_fraction'])} % of the sky"
    if span["duration_gyr"] == 0:
        return f"{share} at {span['start_gyr']:.2g} Gyr, the only moment"
    decimals = ".1f" if span["duration_gyr"] >= 0.1 else ".1g"
    return f"{share} for {'at least ' if span['goes_on'] else ''}{span['duration_gyr']:{decimals}} Gyr"


def longest_span(times: pd.DataFrame) -> dict | None:
    """The longest time in which at least one direction of every snapshot shows a rectangle; None where none does.

    A snapshot stands for the time from half-way to the one before until half-way to the one after; nothing is known
    before the first and after the last.

    Returns
    -------
    dict
        start_gyr, end_gyr, duration_gyr; sky_fraction, the mean of rectangle_fraction over the snapshots in it, and the
        same as solid_angle_sr; and goes_on, whether the last snapshot of the run is one of them.
    """
    times = times.sort_values("time_gyr")
    when, share = times["time_gyr"].to_numpy(float), times["rectangle_fraction"].to_numpy(float)
    edges = np.concatenate([when[:1], 0.5 * (when[1:] + when[:-1]), when[-1:]])
    changes = np.flatnonzero(np.diff(np.concatenate([[False], share > 0, [False]])))
    spans = changes.reshape(-1, 2)  # first snapshot, and the one after the last
    if len(spans) == 0:
        return None
    first, after = spans[np.argmax(edges[spans[:, 1]] - edges[spans[:, 0]])]
    start, end, sky = float(edges[first]), float(edges[after]), float(share[first:after].mean())
    return {"start_gyr": start, "end_gyr": end, "duration_gyr": end - start, "sky_fraction": sky,
            "solid_angle_sr": 4.0 * np.pi * sky, "goes_on": bool(after == len(when))}  # fmt: skip


def percent(fraction: float) -> str:
    """A fraction in per cent, with two digits."""
    return f"{100 * fraction:.2g}" if fraction < 0.995 else "100"


def after_merger(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the snapshots after the last in which the pair was still apart."""
    apart = table.loc[table["galaxies"] == 2, "time_gyr"]
    return table[table["time_gyr"] > apart.max()] if len(apart) else table


def corrected(table: pd.DataFrame, folder: Path) -> dict | None:
    """The share of all directions and moments after the merger that are truly rectangles (see `galclass.rates`).

    Returns
    -------
    dict or None
        What `rates.by_run` says; None where the network has no held-out predictions, or the pair never merges.
    """
    merged = after_merger(table)
    if merged.empty or not (folder / rates.HELDOUT_FILE).is_file():
        return None
    return rates.by_run(merged, rates.read_heldout(folder)).iloc[0].to_dict()


def _sentence(name: str, moments: pd.DataFrame, rate: dict | None) -> str:
    """What is printed of a run."""
    said = f"{name}: {summary(moments)}"
    if rate is None:
        return said
    interval = f"{percent(rate['low'])} to {percent(rate['high'])} %"
    return (
        f"{said}; after the merger {percent(rate['raw'])} % of all directions and moments are called so, "
        f"{percent(rate['fraction'])} % ({interval}) once the classifier's errors are taken out"
        + (f" ({rate['note']})" if rate["note"] else "")
    )


# Figures ----------------------------------------------------------------------------------------------------


def plot_sky(table: pd.DataFrame, column: str, ax, view: Sequence[float] | None = None) -> None:
    """A Mollweide map of a column over all directions from which one snapshot may be seen.

    Parameters
    ----------
    table : table
        The rows of one snapshot; opposite directions share a row.
    column : str
        What to draw; probabilities from 0 to 1, others over their own range.
    ax : axes with projection="mollweide"
    view : shape (3,), optional
        Direction to mark with a cross.
    """
    longitude, latitude, cells = sky_cells(table[_VIEW_COLUMNS].to_numpy(float))
    limits = {"vmin": 0.0, "vmax": 1.0} if column.startswith("p_") else {}
    ax.grid(False)
    mesh = ax.pcolormesh(
        longitude, latitude, table[column].to_numpy(float)[cells], cmap="cividis", rasterized=True, **limits
    )
    if view is not None:
        (x, y, z) = np.asarray(view, dtype=float) / np.linalg.norm(view)
        ax.plot(np.arctan2(y, x), np.arcsin(z), "x", ms=9, mew=2, color="red")
    _label_sky(ax)
    ax.figure.colorbar(mesh, ax=ax, orientation="horizontal", shrink=0.6, label=_TITLES.get(column, column))


def _label_sky(ax) -> None:
    """Degrees along the equator, legible on light and dark, and along the rim."""
    from matplotlib.patheffects import withStroke

    ax.set_xticks(np.deg2rad([-120, -60, 0, 60, 120]))
    ax.set_yticks(np.deg2rad([-60, -30, 0, 30, 60]))
    ax.tick_params(labelsize=7)
    for label in ax.get_xticklabels():
        label.set(color="white", path_effects=[withStroke(linewidth=1.5, foreground="black")])
    ax.set_xlabel("longitude from the x axis, latitude from the x-y plane", fontsize=7)
    ax.grid(True, color="white", alpha=0.25, lw=0.5)


def sky_cells(directions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The sphere in cells, each with the number of the nearest of some directions or of their opposites.

    Parameters
    ----------
    directions : shape (n, 3), of length 1

    Returns
    -------
    longitude, latitude : edges of the cells [rad], shape (nx + 1,) and (ny + 1,)
    nearest : int, shape (ny, nx)
    """
    longitude = np.deg2rad(np.arange(-180.0, 180.0 + _CELL_DEG, _CELL_DEG))
    latitude = np.deg2rad(np.arange(-90.0, 90.0 + _CELL_DEG, _CELL_DEG))
    across, up = np.meshgrid(*(0.5 * (edges[1:] + edges[:-1]) for edges in (longitude, latitude)))
    places = np.stack([np.cos(up) * np.cos(across), np.cos(up) * np.sin(across), np.sin(up)], axis=-1)
    return longitude, latitude, np.abs(places @ directions.T).argmax(axis=-1)


def plot_times(times: pd.DataFrame, ax) -> None:
    """Share of the sky called a rectangle and mean probability against time; pairs still apart are shaded."""
    colour, when = plotstyle.CLASS_COLOURS[CLASS], times["time_gyr"].to_numpy(float)
    shares = 100 * times[["rectangle_fraction", "mean_p_rectangle"]].to_numpy(float)
    ax.plot(when, shares[:, 0], "o-", ms=3, color=colour, label="called a rectangle")
    ax.plot(when, shares[:, 1], "--", color=colour, label="mean p(rectangle)")
    edges = np.concatenate([when[:1], 0.5 * (when[1:] + when[:-1]), when[-1:]])
    for number in np.flatnonzero(times["galaxies"] == 2):
        ax.axvspan(edges[number], edges[number + 1], color="0.9", lw=0)
    ax.set(xlabel="time [Gyr]", ylabel="share of the sky [%]", ylim=(0, None))
    ax.margins(x=0)
    ax.legend()


def plot_summary(table: pd.DataFrame, moments: pd.DataFrame):
    """The figure of a run: maps of the snapshot seen as a rectangle from most of the sky, and the run in time."""
    fig, (above, below) = plotstyle.figure(9.5, 6.4, nrows=2, gridspec_kw={"height_ratios": [3, 2]})
    skies = above.get_subplotspec().subgridspec(1, 2)
    above.remove()
    best = moments.sort_values(["rectangle_fraction", "mean_p_rectangle"]).iloc[-1]
    rows = table[table["snapshot"] == best["snapshot"]]
    for cell, column in zip(skies, (f"p_{CLASS}", "cosine_aligned"), strict=True):
        ax = fig.add_subplot(cell, projection="mollweide")
        plot_sky(rows, column, ax)
        ax.set_title(f"{best['run']} at {best['time_gyr']:.2f} Gyr", fontsize=9, pad=10)
    plot_times(moments, below)
    below.axvline(best["time_gyr"], color="0.4", lw=1, ls=":")
    return fig


# Files ------------------------------------------------------------------------------------------------------


def _record(files: Sequence[Path], folder: Path, reference: Path, settings: dict) -> dict:
    """Where the tables come from, and the quality gates that the run fails."""
    held = archive.holding(files)
    failed = quality.mark(sorted({file.parent for file in held}))
    references = sorted(filter(_is_product, reference.iterdir())) if reference.is_dir() else [reference]
    sources = [*held, folder / network.CARD_FILE, *references]
    used = {name: settings[name] for name in ("visibility", "render", "classify", "verify")}
    return provenance.record("visibility", sources, used, settings["render"]["seed"]) | {"quality": failed}


def _is_product(path: Path) -> bool:
    """Whether a file is one of ours; Snakemake leaves a hidden one in each folder that a rule makes."""
    return path.is_file() and not path.name.startswith(".")


def _write(output: Path, table: pd.DataFrame, folder: Path, record: dict) -> None:
    """Tables, figure and numbers of a run; the sentence about it is printed."""
    moments, rate = times(table), corrected(table, folder)
    said = _sentence(str(moments["run"].iloc[0]), moments, rate)
    numbers = {"summary": summary(moments), "span": longest_span(moments), "corrected": rate}
    catalog.write_table(output, table, record)
    plotstyle.save_png(plot_summary(table, moments), output.with_suffix(".png"))
    write_text(output.with_suffix(".json"), json.dumps(numbers | {"quality": record["quality"]}, indent=1) + "\n")
    print(said + (f"; FAILS its quality gates ({record['quality']})" if record["quality"] else ""), flush=True)
