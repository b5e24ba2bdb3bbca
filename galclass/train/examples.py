"""What the classifier learns from: deep pictures of simulations and shape models, with the labels of the ruler."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from galclass import catalog, images, isophotes, network, ruler
from galclass.errors import ConfigError, InputError
from galclass.train.observing import Observations, observe

PARTS = ("train", "validation", "test")
_KEYS = ["run", "frame"]
_HARMONICS = ("b4", "b4_err", "b6", "b6_err")
_LABEL_COLUMNS = (*_KEYS, "measured_label", *_HARMONICS)
#: From this chance on, given its errors, a label counts as sure.
_SURE = 0.5
#: What one strange picture may raise in the ruler without ending the work.
_UNFORESEEN = (ArithmeticError, IndexError, ValueError)
#: Columns of the chances of the classes.
CHANCES = [f"chance_{name}" for name in network.TRUSTED_CLASSES]


@dataclass(frozen=True)
class Source:
    """One pack and the labels of its deep pictures.

    Attributes
    ----------
    frames : table of the pack
    labels : name of the class of each picture, shape (n,)
    chances : chance of each class given the errors of the ruler, shape (n, classes)
    simulated : whether it is a merger; else it holds shape models
    deep, flux : the light without blur, sky and noise, and as recorded, shape (n, ny, nx)
    """

    frames: pd.DataFrame
    labels: np.ndarray
    chances: np.ndarray
    simulated: bool
    deep: np.ndarray
    flux: np.ndarray


def read_source(pack: Path, labels: Path, most: int) -> Source:
    """A pack with the measured labels of its frames, at most so many where they are of a simulation.

    Raises
    ------
    InputError
        The pack and the table do not belong together.
    """
    content, table = images.read_pack(pack), catalog.read_table(labels)
    simulated = not (content.frames["label"] != "").any()
    missing = [name for name in _LABEL_COLUMNS if name not in table]
    if missing:
        raise InputError(f"{labels}: no column {', '.join(missing)}; give a table written by `galclass label`")
    found = content.frames[_KEYS].merge(table[list(_LABEL_COLUMNS)], on=_KEYS, how="left", validate="one_to_one")
    names = found["measured_label"].to_numpy(dtype=object)
    strange = [name for name in names if name not in network.TRUSTED_CLASSES]
    if strange:
        raise InputError(f"{labels}: label {strange[0]!r} for a frame of {pack}; label the pack again")
    kept = images.evenly_chosen(len(names), most) if simulated else np.arange(len(names))
    layers = {layer: getattr(content, layer)[kept] for layer in ("deep", "flux")}
    likely = chances(found.iloc[kept])
    return Source(content.frames.iloc[kept].reset_index(drop=True), names[kept], likely, simulated, **layers)


def chances(table: pd.DataFrame) -> np.ndarray:
    """Chance of each of `TRUSTED_CLASSES` from the harmonics b4 and b6 and their errors, shape (n, classes).

    What could not be measured at all, as two galaxies still apart, is surely none of the classes.
    """
    none = np.eye(len(network.TRUSTED_CLASSES))[network.TRUSTED_CLASSES.index("none")]
    rows = [[isophotes.label_probability(name, *shape) for name in network.TRUSTED_CLASSES]
            for shape in table[list(_HARMONICS)].to_numpy()]  # fmt: skip
    found = np.array(rows, dtype=float)
    found = np.where(np.isfinite(found).all(axis=1)[:, None], found, none)
    return found / found.sum(axis=1, keepdims=True)


def split(groups: pd.DataFrame, validation_fraction: float, test_fraction: float, seed: int) -> pd.Series:
    """The part of each run and shape model: nothing of what is tested on was seen in training.

    Parameters
    ----------
    groups : table indexed by run with columns simulated and label (of a shape model; else empty)
    validation_fraction, test_fraction : share of the runs, and of the models of each class; at least one of each
        kind goes to each part where there are three or more, and all to the training where there are fewer

    Raises
    ------
    ConfigError
        The fractions leave nothing to train on.
    """
    if not validation_fraction + test_fraction < 1:
        raise ConfigError(
            f"train: validation_fraction and test_fraction sum to {validation_fraction + test_fraction:g}; "
            "allowed is below 1"
        )
    rng = np.random.default_rng(seed)
    parts = pd.Series("train", index=groups.index)
    for _, kind in groups.groupby(["simulated", "label"]):
        order = rng.permutation(kind.index.to_numpy())
        most = (len(order) - 1) // 2
        held = [min(max(1, round(share * len(order))), most) for share in (validation_fraction, test_fraction)]
        parts[order[: held[0]]] = "validation"
        parts[order[held[0] : sum(held)]] = "test"
    return parts


def grouped(sources: Sequence[Source]) -> pd.DataFrame:
    """The runs and shape models of all sources: simulated, label; indexed by run."""
    tables = [source.frames[["run", "label"]].assign(simulated=source.simulated) for source in sources]
    table = pd.concat(tables).drop_duplicates()
    repeated = table["run"][table["run"].duplicated()]
    if len(repeated):
        raise InputError(f"run {repeated.iloc[0]} stands in two packs or has two labels; give each run once")
    return table.set_index("run")


def observed(source: Source, observations: int, seed: int, tested: np.ndarray) -> tuple[np.ndarray, pd.DataFrame]:
    """Unrolled galaxies of a source, each seen through `observations` random telescopes.

    Parameters
    ----------
    tested : bool, shape (n,)
        The frames on which the ruler, too, is asked about the first observation.

    Returns
    -------
    maps : float16, shape (n observations, *MAP_SHAPE)
    table : run, snapshot, frame, time_gyr, label, simulated, the `CHANCES`, radius_px, psf_fwhm_px, snr, and p_ruler,
        the probability of a rectangle by the ruler (NaN where it was not asked); a row a map
    """
    frames = source.frames
    radius = (frames["effective_radius_kpc"] / frames["pixel_kpc"]).to_numpy()
    name = "+".join(sorted(set(frames["run"])))
    rng = np.random.default_rng([seed, *name.encode()])
    rows = frames[["run", "snapshot", "frame", "time_gyr"]].assign(
        label=source.labels, simulated=source.simulated, **dict(zip(CHANCES, source.chances.T, strict=True))
    )
    maps, tables = [], []
    for number in range(observations):
        seen = observe(source.deep, radius, rng)
        maps.append(network.unrolled(seen.pictures).astype(np.float16))
        by_ruler = _by_ruler(seen, tested if number == 0 else np.zeros(len(tested), bool))
        seen_through = {"radius_px": seen.radius_px, "psf_fwhm_px": seen.psf_fwhm_px, "snr": seen.snr}
        tables.append(rows.assign(**seen_through, p_ruler=by_ruler))
    return np.concatenate(maps), pd.concat(tables, ignore_index=True)


def _by_ruler(seen: Observations, asked: np.ndarray) -> np.ndarray:
    """Probability of a rectangle by the ruler, shape (n,); 0 where it finds no isophotes, NaN where it is not asked."""
    found = np.full(len(asked), np.nan)
    for number in np.flatnonzero(asked):
        try:
            kind = "flux" if seen.is_flux[number] else "picture"
            shape = ruler.measure(seen.pictures[number], kind=kind, fast=True)
        except (InputError, *_UNFORESEEN):
            found[number] = 0.0
            continue
        chance = isophotes.label_probability("rectangle", shape.b4, shape.b4_err, shape.b6, shape.b6_err)
        found[number] = np.nan_to_num(chance)
    return found


def numbers(labels: Sequence[str]) -> np.ndarray:
    """Index of each label in `TRUSTED_CLASSES`."""
    return pd.Series(labels).map(network.TRUSTED_CLASSES.index).to_numpy()


def targets(table: pd.DataFrame) -> np.ndarray:
    """What a network learns of each row: the chance of each class, float32, shape (n, classes)."""
    return table[CHANCES].to_numpy(dtype=np.float32)


def sure(table: pd.DataFrame) -> np.ndarray:
    """Whether each label is likelier than not, given the errors of the ruler."""
    return table[CHANCES].to_numpy()[np.arange(len(table)), numbers(table["label"])] >= _SURE


def shuffled(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The control: labels handed out anew among the pictures, as many of each, but without meaning."""
    order = np.random.default_rng(seed).permutation(len(table))
    return table.assign(**{name: table[name].to_numpy()[order] for name in ("label", *CHANCES)})
