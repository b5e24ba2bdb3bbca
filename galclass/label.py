"""Labels of the training pictures, checked against the shape measured on each picture.

The label is the class of the shape model. The isophotes of the picture say whether it still shows that class
after projection, tilt and smoothing; what disagrees is listed, not hidden.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from galclass import catalog, images, isophotes, provenance
from galclass.errors import InputError
from galclass.progress import progress


def run(pack: Path, settings: dict, output: Path) -> None:
    """Measure every labelled picture of a pack and compare with its label.

    Parameters
    ----------
    pack : path
        Pictures of shape models, written by the stage `render`.
    settings : dict
        The section `label` of the configuration.
    output : path
        Table (.parquet, and .csv beside it) of one row a picture; NAME_disagreements.csv has the rows that
        disagree, NAME_models.csv one row a model.

    Raises
    ------
    InputError
        The pack has no labelled picture.
    """
    content = images.read_pack(pack)
    chosen = np.flatnonzero(content.frames["label"].to_numpy() != "")
    if len(chosen) == 0:
        raise InputError(f"{pack}: no labelled picture; labels come with `galclass render --shapes`")
    depth_dex = content.provenance["settings"]["depth_dex"]
    table = measure(content.images[chosen], content.frames.iloc[chosen], depth_dex, settings)
    models = by_model(table)
    record = provenance.record("label", [pack], settings)
    catalog.write_table(output, table, record)
    catalog.write_table(_beside(output, "models"), models, record)
    disagreements = _beside(output, "disagreements")
    catalog.write_table(disagreements, table[~table["agrees"]], record)
    print(summary(table, models, disagreements.with_suffix(".csv")), file=sys.stderr)


def measure(pictures: np.ndarray, frames: pd.DataFrame, depth_dex: float, settings: dict) -> pd.DataFrame:
    """Label and measured shape of each picture.

    Parameters
    ----------
    pictures : shape (n, ny, nx)
        Stretched pictures, 0..1.
    frames : DataFrame
        Their n rows of the pack's table.
    depth_dex : float
        Depth of the stretch.
    settings : dict
        `inner_effective_radii` and `outer_effective_radii`.

    Returns
    -------
    DataFrame
        frame, run (the model), label, b4, b4_err, b6, b6_err, axis_ratio, flag, measured_label, agrees.
    """
    radii = settings["inner_effective_radii"], settings["outer_effective_radii"]
    rows = [
        _row(isophotes.measure(images.unstretch(picture, depth_dex), *radii))
        for picture in progress(pictures, len(pictures), "label")
    ]
    names = frames[["frame", "run", "label"]].reset_index(drop=True)
    return _judged(pd.concat([names, pd.DataFrame(rows)], axis=1))


def _row(shape: isophotes.Shape) -> dict:
    """The columns of a measured shape."""
    names = ("b4", "b4_err", "b6", "b6_err", "axis_ratio", "flag")
    return {name: getattr(shape, name) for name in names}


def _judged(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the class by its measured harmonics, and whether it is the label."""
    measured = [isophotes.label_of(b4, b6) for b4, b6 in zip(table["b4"], table["b6"], strict=True)]
    return table.assign(measured_label=measured, agrees=table["label"].to_numpy() == np.array(measured))


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
    )
    return _judged(means.reset_index())


def summary(table: pd.DataFrame, models: pd.DataFrame, listed: Path) -> str:
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
