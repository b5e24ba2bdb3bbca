"""Frames of somebody else's snapshots: pictured, classified and measured.

Snapshots are pictured in as many processes as there are cores, and classified in this one, which holds the network.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from galclass import images, network, provenance, rates, render, ruler, snapshot, verify
from galclass.errors import InputError
from galclass.screen import galaxies
from galclass.statistics import wilson_interval

CLASS = "rectangle"
#: Views and noise depend on the seed, this name and that of the file, not on the folder it lies in.
_NAME = "screen"
#: What a table takes over from the pictures.
_FRAME_COLUMNS = ["snapshot", "time_gyr", "view_x", "view_y", "view_z", "roll_deg", "pixel_kpc", "pixel_arcsec",
                  "effective_radius_kpc", "snr", "galaxies", "seed"]  # fmt: skip
_MEASURED = ("b4", "b4_err", "b6", "b6_err", "axis_ratio", "a4_over_a", "measured_label", "measured_p")
#: Between what the reader must know of a snapshot.
FLAGS_SEPARATOR = " | "
#: Settings that matter to all snapshots together, not to the scores of one.
_FOR_ALL = ("snapshots", "candidates", "ovals", "alert_p", "poll_s")
#: A particle that is this share of all stars and so many times the mean one is no star.
_HEAVY_SHARE, _HEAVY_MEANS = 1e-3, 20.0
#: Stars that tell whether units can be right.
_ENOUGH = 10_000
#: What a strange snapshot may raise without ending the work on the others.
UNFORESEEN = (ArithmeticError, IndexError, KeyError, ValueError, MemoryError)


@dataclass(frozen=True)
class Camera:
    """What snapshots are pictured with; goes to all processes.

    Attributes
    ----------
    observatory : the telescope, and the section `render` of the configuration with the views of `screen`
    settings : the section `screen`
    references : what `verify.read_references` found
    """

    observatory: render.Observatory
    settings: dict
    references: list[verify.Reference]

    @property
    def units(self) -> snapshot.Units | None:
        """Units that the user gave; None: as found in the files."""
        given = [self.settings[f"unit_{name}"] for name in ("length_kpc", "mass_msun", "velocity_km_s")]
        return snapshot.Units.told(*given) if any(given) else None


@dataclass(frozen=True)
class Screen:
    """All that snapshots are scored with.

    Attributes
    ----------
    camera : Camera
    classifier : the network
    heldout : its held-out predictions, None where it has none
    settings : the whole configuration
    record : where scores come from, but for the snapshots, and for what only matters to all of them together
    """

    camera: Camera
    classifier: network.Classifier
    heldout: pd.DataFrame | None
    settings: dict
    record: dict


@dataclass(frozen=True)
class Pictured:
    """Pictures of one snapshot, and what is known before any network has seen them.

    Attributes
    ----------
    table : a row a frame
    flux, deep : float32, shape (n, ny, nx), as recorded and without blur, sky and noise
    doubts : what the reader must know
    """

    table: pd.DataFrame
    flux: np.ndarray
    deep: np.ndarray
    doubts: list[str]


@dataclass(frozen=True)
class Scored:
    """What is known of one snapshot.

    Attributes
    ----------
    file : path
    table : a row a frame: galaxy, frame, those of `_FRAME_COLUMNS`, p_NAME, class, domain_distance, cosine_aligned,
        cosine_residual, and the measured shape of the likeliest frames, NaN for the others
    summary : time_gyr, frames, rectangle_fraction, low, high, ... (`summary_of`)
    flux, deep : float32, shape (ny, nx), of the best frame
    error : why there is nothing else; empty where all is well
    """

    file: Path
    table: pd.DataFrame = field(default_factory=pd.DataFrame)
    summary: dict = field(default_factory=dict)
    flux: np.ndarray | None = None
    deep: np.ndarray | None = None
    error: str = ""

    @property
    def best(self) -> pd.Series:
        """The row of the best frame."""
        return self.table.iloc[self.summary["best_frame"]]


# Set-up -----------------------------------------------------------------------------------------------------


def prepared(settings: dict, model: Path, reference: Path) -> Screen:
    """Load the network, the reference and the telescope.

    Raises
    ------
    InputError
        One of them cannot be used, or the network knows no rectangles.
    """
    pictures = settings["render"] | {"views": settings["screen"]["views"]}
    classifier, pixels = network.open_classifier(model), pictures["pixels"]
    if CLASS not in classifier.classes:
        raise InputError(f"{model}: no class {CLASS} among {', '.join(classifier.classes)}; give a network that has it")
    classifier.check((pixels, pixels), pictures["depth_dex"], Path("the pictures of screen"))
    references = verify.read_references(reference, settings["verify"], classifier, pictures["depth_dex"])
    camera = Camera(render.open_observatory(pictures), settings["screen"], references)
    heldout = rates.read_heldout(model) if (Path(model) / rates.HELDOUT_FILE).is_file() else None
    return Screen(camera, classifier, heldout, settings, _record(settings, model, reference))


def _record(settings: dict, model: Path, reference: Path) -> dict:
    """Where the scores come from, but for the snapshots."""
    used = {name: settings[name] for name in ("screen", "render", "label", "classify", "verify")}
    used["screen"] = {key: value for key, value in used["screen"].items() if key not in _FOR_ALL}
    reference = Path(reference)
    references = sorted(filter(Path.is_file, reference.iterdir())) if reference.is_dir() else [reference]
    return provenance.record("screen", [Path(model) / network.CARD_FILE, *references], used, settings["render"]["seed"])


# Pictures ---------------------------------------------------------------------------------------------------


def pictured(job: tuple[Path, Camera]) -> Pictured | str:
    """The pictures of a snapshot from all its views, or the line that says why there are none."""
    file, camera = job
    try:
        return _pictured(Path(file), camera)
    except (InputError, OSError) as error:
        return " ".join(str(error).split())
    except UNFORESEEN as error:
        return f"{file}: not usable ({in_words(error)})"


def in_words(error: Exception) -> str:
    """An unforeseen error in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _pictured(file: Path, camera: Camera) -> Pictured:
    stars = galaxies.read_stars(file, camera.settings["stars"], camera.units)
    found = galaxies.found(stars, camera.settings["galaxies"], camera.settings["fewest_stars"])
    parts = [_frames(file, one, number, camera) for number, one in enumerate(found, start=1)]
    table = pd.concat([_rows(frames, number) for number, frames in enumerate(parts, start=1)], ignore_index=True)
    pictures = [images.stretch(frames.exposures.flux, camera.observatory.settings["depth_dex"]) for frames in parts]
    likeness = verify.aligned_scores(np.concatenate(pictures), camera.references)
    table = pd.concat([table, likeness[["cosine_aligned", "cosine_residual", "reference"]]], axis=1)
    table.insert(0, "frame", np.arange(len(table)))
    flux, deep = (np.concatenate([getattr(frames.exposures, name) for frames in parts]) for name in ("flux", "deep"))
    doubts = _doubts(stars, found, table, camera.settings)
    return Pictured(table, flux.astype(np.float32), deep.astype(np.float32), doubts)


def _frames(file: Path, one: galaxies.Galaxy, number: int, camera: Camera) -> render.Frames:
    """One galaxy of a snapshot from its views, centred by shrinking spheres."""
    name = _NAME if number == 1 else f"{_NAME} galaxy {number}"
    return render.galaxy(galaxies.named(file), name, camera.observatory, snapshot.STAR_TYPES, read=lambda _: one.stars)


def _rows(frames: render.Frames, number: int) -> pd.DataFrame:
    return frames.table[_FRAME_COLUMNS].assign(galaxy=number)


def _doubts(stars: snapshot.Snapshot, found: list[galaxies.Galaxy], table: pd.DataFrame, settings: dict) -> list[str]:
    """What the reader must know of a snapshot, before any network has seen it."""
    first = found[0]
    said = snapshot.doubts(_thinned(first.stars))
    if len(first.stars) < settings["fewest_stars"]:
        said.append(f"{len(first.stars)} stars only")
    masses = first.stars.masses
    if masses.max() > max(_HEAVY_SHARE * masses.sum(), _HEAVY_MEANS * masses.mean()):
        share = 100.0 * masses.max() / masses.sum()
        said.append(f"one particle weighs {share:.2g} % of the stars, as a black hole does: choose the types of stars")
    if first.others:
        said.append(f"{first.others + 1} galaxies, the nearest two {first.nearest_kpc:.3g} kpc apart")
    if (table["galaxies"] > 1).any():
        said.append("two galaxies in one picture")
    return said


def _thinned(stars: snapshot.Snapshot) -> snapshot.Snapshot:
    """Enough of the stars to tell size, mass and speed, each as heavy as those it stands for."""
    step = max(1, len(stars) // _ENOUGH)
    names = ("positions", "velocities", "ids", "types")
    return replace(stars, masses=stars.masses[::step] * step, **{name: getattr(stars, name)[::step] for name in names})


# Answers ----------------------------------------------------------------------------------------------------


def answered(file: Path, seen: Pictured | str, screen: Screen) -> Scored:
    """What the network, the ruler and the comparison say of a snapshot's pictures."""
    if isinstance(seen, str):
        return Scored(file, error=seen)
    shown = seen.flux if screen.classifier.layer == "flux" else stretched(seen.flux, screen)
    # Matrices this small gain nothing from threads of BLAS, which wait for each other in a busy loop.
    with threadpool_limits(1, user_api="blas"):
        inputs = screen.classifier.inputs(shown)
        answers = screen.classifier.answer(inputs, screen.settings["classify"]["batch_size"]).table()
    table = pd.concat([seen.table, answers], axis=1)
    if "domain_distance" not in table:
        table["domain_distance"] = np.nan
    table = measured(table, seen.deep, screen.settings)
    summary = summary_of(table, screen.heldout, seen.doubts)
    best = summary["best_frame"]
    return Scored(file, table, summary, seen.flux[best], seen.deep[best])


def stretched(flux: np.ndarray, screen: Screen) -> np.ndarray:
    return images.stretch(flux, screen.camera.observatory.settings["depth_dex"])


def measured(table: pd.DataFrame, deep: np.ndarray, settings: dict) -> pd.DataFrame:
    """The table with the shape of the likeliest frames, measured on their deep pictures as the stage `label` does."""
    zone = settings["label"]["inner_effective_radii"], settings["label"]["outer_effective_radii"]
    order = np.argsort(-table[f"p_{CLASS}"].to_numpy(), kind="stable")[: settings["screen"]["measured"]]
    shapes = {int(row): _shape(deep[row], int(table["galaxies"].iloc[row]), zone) for row in order}
    columns = {name: [shapes.get(row, _UNMEASURED)[name] for row in range(len(table))] for name in _MEASURED}
    return table.assign(**columns)


_UNMEASURED = {name: "" if name == "measured_label" else np.nan for name in _MEASURED}


def _shape(picture: np.ndarray, shown: int, zone: tuple[float, float]) -> dict:
    """The measured shape of one deep picture; of two galaxies side by side there is none."""
    if shown > 1:
        return _UNMEASURED | {"measured_label": "none"}
    try:
        found = ruler.measure(picture, deep=True, fast=True, radii=zone)
    except InputError:
        return _UNMEASURED | {"measured_label": "none"}
    shape = {name: getattr(found, name) for name in _MEASURED if not name.startswith("measured")}
    return shape | {"measured_label": found.label, "measured_p": found.p_label}


def summary_of(table: pd.DataFrame, heldout: pd.DataFrame | None, doubts: Sequence[str] = ()) -> dict:
    """What a snapshot amounts to.

    Parameters
    ----------
    table : a row a frame, as in `Scored`
    heldout : held-out predictions of the network, or None
    doubts : what the reader must know already

    Returns
    -------
    dict
        time_gyr, frames, galaxies; rectangle_fraction, the share of the frames called rectangles (two galaxies side by
        side are none); low, high, the interval of 95 % of the share that truly is, with the classifier's errors taken
        out (`rates.estimate`; without held-out predictions the binomial one), never without rectangle_fraction itself;
        corrected_fraction (NaN without held-out predictions); best_frame, a row of the table: the likeliest of those
        whose measured shape agrees, or the likeliest; agrees, whether it is a rectangle to the network and to the
        ruler; flags, what the reader must know.
    """
    called = ((table["class"] == CLASS) & (table["galaxies"] == 1)).to_numpy()
    fraction, (low, high, corrected) = float(called.mean()), _interval(table, called, heldout)
    agreeing = called & (table["measured_label"] == CLASS).to_numpy()
    p = table[f"p_{CLASS}"].to_numpy()
    best = int(np.where(agreeing, p + 1.0, p).argmax())
    return {
        "time_gyr": float(table["time_gyr"].iloc[0]),
        "frames": len(table),
        "galaxies": int(table["galaxy"].max()),
        "rectangle_fraction": fraction,
        "low": min(low, fraction),
        "high": max(high, fraction),
        "corrected_fraction": corrected,
        "best_frame": best,
        "agrees": bool(agreeing[best]),
        "flags": FLAGS_SEPARATOR.join([*doubts, *_far(table)]),
    }


def _interval(table: pd.DataFrame, called: np.ndarray, heldout: pd.DataFrame | None) -> tuple[float, float, float]:
    """Interval of the share of rectangles, and the share corrected for the classifier's errors."""
    if heldout is None:
        return *wilson_interval(float(called.sum()), len(called)), np.nan
    names = [name for name in table if name.startswith("p_")]
    target = table[[*names, "snapshot"]].assign(run=_NAME)
    # Two galaxies side by side are not counted, whatever their picture is called.
    target.loc[(table["galaxies"] > 1).to_numpy(), f"p_{CLASS}"] = 0.0
    rate = rates.estimate(target, heldout, CLASS)
    return rate.low, rate.high, rate.fraction


def _far(table: pd.DataFrame) -> list[str]:
    """A word on pictures unlike those the network was trained on."""
    far = float((table["domain_distance"] > 1.0).mean())
    return [f"{100 * far:.0f} % of the frames unlike the training pictures"] if far > 0.05 else []


def scores(files: Sequence[Path], screen: Screen, share_out: Callable) -> Iterator[Scored]:
    """The scores of snapshots, in order; `share_out` is like `map` (`galclass.parallel.workers`)."""
    seen = share_out(pictured, [(file, screen.camera) for file in files])
    for file, pictures in zip(files, seen, strict=True):
        yield answered(file, pictures, screen)
