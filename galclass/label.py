"""Stage `label`: the class of every picture, by the shape its isophotes really have.

Every frame is measured on the deep picture of the same view, without blur, sky and noise: what the telescope made
of it can then be judged against what is there. A picture of a shape model also carries the class of its model; what
disagrees with the measurement is listed, not hidden.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from galclass import catalog, images, isophotes, provenance, ruler
from galclass.errors import InputError
from galclass.files import require_suffix
from galclass.progress import progress
from galclass.statistics import clustered_interval

#: Classes in the order of the tables.
LABELS = (*isophotes.B4_LIMITS, "none")
_FRAME = ["run", "snapshot", "frame", "time_gyr", "view_x", "view_y", "view_z", "snr", "label"]
_SHAPE = ("b4", "b4_err", "b6", "b6_err", "axis_ratio", "r_eff_px", "a4_over_a", "p_label", "method", "flag")


def run(pack: Path, settings: dict, output: Path) -> None:
    """Measure every picture of a pack.

    Parameters
    ----------
    pack : path
        Pictures of a simulation or of shape models, written by the stage `render`.
    settings : dict
        The section `label` of the configuration.
    output : path
        Table (.parquet, and .csv beside it) of one row a picture. How many of each label there are in each run is
        printed. For shape models NAME_models beside it has one row a model, and NAME_disagreements the pictures whose
        measured class is not their model's.
    """
    require_suffix(output, ".parquet")
    content = images.read_pack(pack)
    table = measure(content, settings)
    record = provenance.record("label", [pack], settings) | {"quality": content.provenance.get("quality", "")}
    catalog.write_table(output, table, record)
    if (table["label"] != "").any():
        print(_write_models(output, table[table["label"] != ""], record), file=sys.stderr)
    else:
        print(*map(summary, counts(table).to_dict("records")), sep="\n", file=sys.stderr)


def measure(pack: images.Pack, settings: dict) -> pd.DataFrame:
    """Measured shape of the deep picture of each frame.

    Parameters
    ----------
    pack : Pack
    settings : dict
        `inner_effective_radii` and `outer_effective_radii`.

    Returns
    -------
    DataFrame
        run, snapshot, frame, time_gyr, view_x, view_y, view_z, snr (of the telescope's picture), label (class of
        the shape model, else ""), b4, b4_err, b6, b6_err, axis_ratio, r_eff_px, a4_over_a, p_label, method, flag,
        measured_label, agrees.
    """
    zone = settings["inner_effective_radii"], settings["outer_effective_radii"]
    visible = 0.5 * pack.images.shape[-1] * pack.frames["pixel_kpc"] / pack.frames["effective_radius_kpc"]
    views = zip(pack.deep, visible, pack.frames["galaxies"], strict=True)
    found = pd.DataFrame([_shape(*view, zone) for view in progress(views, len(pack.deep), "label")])
    table = pd.concat([pack.frames[_FRAME].reset_index(drop=True), found[[*_SHAPE]]], axis=1)
    return _judged(table, found["label"].to_list())


def _shape(picture: np.ndarray, visible: float, galaxies: int, zone: tuple[float, float]) -> dict:
    """The columns of one picture, which shows `visible` effective radii; without isophotes its flag says why."""
    try:
        if galaxies > 1:
            raise InputError("two galaxies still apart have no shape in common")
        if visible < zone[0]:
            raise InputError(f"the picture ends at {visible:.2f} effective radii; give it more (render.pixels)")
        shape = ruler.measure(picture, deep=True, fast=True, radii=zone)
    except InputError as error:
        unknown = {name: np.nan for name in _SHAPE if name not in ("method", "flag")}
        return unknown | {"method": "", "flag": str(error), "label": "none"}
    return {name: getattr(shape, name) for name in (*_SHAPE, "label")}


def _judged(table: pd.DataFrame, measured: list[str]) -> pd.DataFrame:
    """The table with the class by its measured harmonics, and whether it is the label."""
    return table.assign(measured_label=measured, agrees=table["label"].to_numpy() == np.array(measured, dtype=object))


def counts(table: pd.DataFrame) -> pd.DataFrame:
    """How many frames of each run have each label, and the share of rectangles.

    Returns
    -------
    DataFrame
        run, frames, oval, rectangle, obround, none, rectangle_share, and its interval of 95 %: low, high. Views of
        one snapshot show one galaxy, so the interval takes snapshots, not frames, for independent.
    """
    rows = []
    for run, frames in table.groupby("run", sort=False):
        numbers = {name: int((frames["measured_label"] == name).sum()) for name in LABELS}
        boxes = (frames["measured_label"] == "rectangle").groupby(frames["snapshot"], sort=False)
        low, high = clustered_interval(boxes.sum().to_numpy(), boxes.size().to_numpy())
        share = numbers["rectangle"] / len(frames)
        rows.append({"run": run, "frames": len(frames), **numbers, "rectangle_share": share, "low": low, "high": high})
    return pd.DataFrame(rows)


def by_model(table: pd.DataFrame) -> pd.DataFrame:
    """Mean shape of each model over its pictures, with the scatter from picture to picture.

    Returns
    -------
    DataFrame
        run, label, pictures, b4, b4_scatter, b6, b6_scatter, axis_ratio, agreeing (share of its pictures),
        measured_label, agrees (of the mean). The scatter is that of views; the noise of the particles is
        common to all pictures of a model and stands in b4_err of the pictures.
    """
    groups = table.groupby(["run", "label"], sort=False)
    means = groups.agg(
        pictures=("frame", "size"),
        b4=("b4", "mean"),
        b4_scatter=("b4", "std"),
        b6=("b6", "mean"),
        b6_scatter=("b6", "std"),
        axis_ratio=("axis_ratio", "mean"),
        agreeing=("agrees", "mean"),
    ).reset_index()
    return _judged(means, [isophotes.label_of(b4, b6) for b4, b6 in zip(means["b4"], means["b6"], strict=True)])


def _write_models(output: Path, table: pd.DataFrame, record: dict) -> str:
    """Write the tables of shape models; returns the summary."""
    models, disagreements = by_model(table), _beside(output, "disagreements")
    catalog.write_table(_beside(output, "models"), models, record)
    catalog.write_table(disagreements, table[~table["agrees"]], record)
    return models_summary(table, models, disagreements.with_suffix(".csv"))


def summary(row: dict) -> str:
    """One line on the labels of a run."""
    numbers = ", ".join(f"{row[name]} {name}" for name in LABELS)
    share, low, high = (100.0 * row[name] for name in ("rectangle_share", "low", "high"))
    return f"label: {row['run']}: {row['frames']} frames, {numbers}; rectangles {share:.1f} % ({low:.1f} to {high:.1f})"


def models_summary(table: pd.DataFrame, models: pd.DataFrame, listed: Path) -> str:
    """One line: how many pictures and models agree, and where the others are listed."""
    wrong = int((~table["agrees"]).sum())
    pictures_agree, models_agree = (100.0 * rows["agrees"].mean() for rows in (table, models))
    return (
        f"label: {len(table)} pictures, {pictures_agree:.1f} % agree; "
        f"{len(models)} models, {models_agree:.1f} % agree; {wrong} pictures listed in {listed}"
    )


def _beside(output: Path, word: str) -> Path:
    """The path of a table beside the output."""
    return Path(output).with_name(f"{Path(output).stem}_{word}.parquet")
