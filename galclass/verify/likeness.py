"""How much pictures look like the reference: cosines, keypoints, isophotes and what a network sees in them."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from galclass import images, network
from galclass.errors import InputError
from galclass.verify.alignment import Pattern, aligned_cosines, pattern, residual_picture
from galclass.verify.keypoints import Keypoints, sift, sift_scores
from galclass.verify.profiles import Profile, isophote_profile, profile_columns

#: Residuals are this much stronger for SIFT, about grey.
_RESIDUAL_GAIN = 2.0
_SHAPE_NAMES = ("axis_ratio", "b4", "b4_err", "b6", "b6_err", "a4_over_a")


@dataclass(frozen=True)
class Sight:
    """One galaxy as all comparisons see it.

    Attributes
    ----------
    picture : shape (ny, nx), brightness between 0 and 1, y up
    light : shape (ny, nx), what isophotes are measured on: flux, or `picture` itself
    kind : "flux" or "picture", what `light` is
    grey : shape (ny, nx), what the thesis compared; `picture` itself but where false colours were read
    """

    picture: np.ndarray
    light: np.ndarray
    kind: str
    grey: np.ndarray


@dataclass(frozen=True)
class Reference:
    """The reference, made ready for comparison with many.

    Attributes
    ----------
    name : of the galaxy, or of the file
    picture, grey : as of a `Sight`
    pattern : for the aligned cosines
    keypoints, residual_keypoints : what SIFT found in the picture, and in what its ellipses leave over
    profiles : its isophotes by radius, by the kind of light, "flux" (where there is some) and "picture"
    embedding : shape (d,), what the classifier's last layer but one holds; None without a classifier
    pixel_arcsec : width of a pixel, None where it is not known
    """

    name: str
    picture: np.ndarray
    grey: np.ndarray
    pattern: Pattern
    keypoints: Keypoints
    residual_keypoints: Keypoints
    profiles: dict[str, Profile]
    embedding: np.ndarray | None
    pixel_arcsec: float | None

    @property
    def shape(self) -> dict[str, float]:
        """axis_ratio, b4, b4_err, b6, b6_err, a4_over_a; NaN where not measured."""
        return measured_shape(self.profile)

    @property
    def axis_ratio(self) -> float:
        """Of the best ellipse, NaN where not measured."""
        return self.shape["axis_ratio"]

    @property
    def profile(self) -> Profile:
        """Its isophotes by radius, in flux if there is some."""
        return self.profiles.get("flux", self.profiles["picture"])


# --- reading


def read_sight(path: Path, depth_dex: float) -> Sight:
    """A picture file (PNG, JPEG, FITS) as comparisons see it; flux is stretched, false colours are read by palette."""
    grey, is_flux = images.read_picture(path)
    if is_flux:
        picture = np.asarray(images.stretch(grey, depth_dex), dtype=float)
        return Sight(picture, grey, "flux", picture)
    picture = images.by_palette(path, grey)
    return Sight(picture, picture, "picture", grey)


def reference_files(reference: Path) -> list[Path]:
    """The pictures of a reference: those in the folder of `galclass reference`, or the one file."""
    reference = Path(reference)
    return [reference / f"{card['stem']}.png" for card in _cards(reference)] if reference.is_dir() else [reference]


def _cards(folder: Path) -> list[dict]:
    """What reference.json says of each picture of the folder."""
    path = folder / "reference.json"
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        cards = [{"stem": "reference", **card}, *card.get("others", [])]
        if any(name not in one for one in cards for name in ("stem", "name", "flux_unit")):
            raise ValueError("incomplete")
        return cards
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise InputError(f"{path}: not what `galclass reference` writes; run it again, or give a picture") from error


def read_references(
    reference: Path, settings: dict, classifier: network.Classifier | None = None, depth_dex: float = 3.0
) -> list[Reference]:
    """Read the reference, or several, and do once what every comparison needs.

    Parameters
    ----------
    reference : path
        The folder of `galclass reference`, or a picture.
    settings : dict
        The section `verify`: `sift`.
    classifier : optional
        For the distance in its last layer but one.
    depth_dex : float
        Stretch of pictures in FITS.

    Raises
    ------
    InputError
        A file is missing or no picture, or holds nothing but sky.
    """
    reference = Path(reference)
    if not reference.is_dir():
        inputs = None if classifier is None else classifier.file_inputs(reference)
        sight = read_sight(reference, depth_dex)
        return [_ready(reference.name, sight, settings, _embedded(classifier, inputs), None, reference)]
    found = [_from_folder(reference, card, settings, classifier) for card in _cards(reference)]
    names = [one.name for one in found]
    return [
        replace(one, name=f"{one.name} ({number})") if names.count(one.name) > 1 else one
        for number, one in enumerate(found, start=1)
    ]


def _from_folder(folder: Path, card: dict, settings: dict, classifier: network.Classifier | None) -> Reference:
    """One reference of the folder of `galclass reference`."""
    path = folder / f"{card['stem']}.png"
    picture, flux = images.read_picture(path)[0], images.read_picture(path.with_suffix(".fits"))[0]
    kind = "picture" if "not flux" in card["flux_unit"] else "flux"
    file = None if classifier is None else path if classifier.layer == "images" else path.with_suffix(".fits")
    embedding = _embedded(classifier, None if file is None else classifier.file_inputs(file))
    sight = Sight(picture, flux, kind, picture)
    return _ready(card["name"], sight, settings, embedding, card.get("pixel_arcsec"), path)


def _embedded(classifier: network.Classifier | None, inputs: np.ndarray | None) -> np.ndarray | None:
    return None if classifier is None else classifier.embedding(inputs[None])[0]


def _ready(
    name: str, sight: Sight, settings: dict, embedding: np.ndarray | None, pixel_arcsec: float | None, path: Path
) -> Reference:
    found = pattern(sight.picture)
    if not np.abs(found.intensity).max() > 0:
        raise InputError(f"{path}: no galaxy stands out from the border of the picture; give another reference")
    return Reference(
        name=name,
        picture=sight.picture,
        grey=sight.grey,
        pattern=found,
        keypoints=sift(sight.picture, settings["sift"]),
        residual_keypoints=sift(for_sift(residual_picture(sight.picture)), settings["sift"]),
        profiles={kind: isophote_profile(light, kind) for kind, light in _lights(sight).items()},
        embedding=embedding,
        pixel_arcsec=pixel_arcsec,
    )


def _lights(sight: Sight) -> dict[str, np.ndarray]:
    """What isophotes can be measured on, by its kind."""
    return {sight.kind: sight.light, "picture": sight.picture}


def as_picture(sight: Sight) -> Sight:
    """The galaxy as if no flux of it were known, to be held against pictures."""
    return Sight(sight.picture, sight.picture, "picture", sight.grey)


# --- comparing


def for_sift(residual: np.ndarray) -> np.ndarray:
    """A residual as a picture between 0 and 1 about grey."""
    return np.clip(0.5 + _RESIDUAL_GAIN * residual, 0.0, 1.0)


def grey_8bit(picture: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A picture (0 to 1) as the thesis compared it: 8-bit grey (Pillow) of `shape` (ny, nx), flattened."""
    from PIL import Image

    grey = Image.fromarray(images.grey_levels(picture))
    if picture.shape != shape:
        grey = grey.resize(shape[::-1], Image.Resampling.LANCZOS)
    return np.asarray(grey, dtype=float).ravel()


def cosine_raw(stack: Iterable[np.ndarray], reference: np.ndarray) -> np.ndarray:
    """The thesis's score, 1 - scikit-learn's cosine distance of flattened grey pixels; shape (n,)."""
    from sklearn.metrics.pairwise import cosine_distances

    flat = np.stack([grey_8bit(picture, reference.shape) for picture in stack])
    return 1.0 - cosine_distances(flat, grey_8bit(reference, reference.shape)[None])[:, 0]


def aligned_scores(pictures: Sequence[np.ndarray], references: Sequence[Reference]) -> pd.DataFrame:
    """Aligned cosines with the reference that each picture is most like.

    Parameters
    ----------
    pictures : shape (n, ny, nx), or a sequence of pictures of any size
        Brightness, 0 to 1.

    Returns
    -------
    table of n rows
        Those of `aligned_cosines`, and `reference`, the name of the one of the highest `cosine_aligned`.
    """
    tables = [aligned_cosines(pictures, one.pattern).assign(reference=one.name) for one in references]
    best = np.argmax([table["cosine_aligned"] for table in tables], axis=0)
    return pd.concat(tables).iloc[best * len(best) + np.arange(len(best))].reset_index(drop=True)


def compared(
    sights: Sequence[Sight], references: Sequence[Reference], settings: dict, embeddings: np.ndarray | None = None
) -> pd.DataFrame:
    """All scores of galaxies against the reference each is most like, a row each.

    Parameters
    ----------
    sights : sequence
    references : as `read_references` gives them
    settings : the section `verify`: `sift`
    embeddings : shape (n, d), optional
        What the classifier's last layer but one holds for each.
    """
    table = aligned_scores([sight.picture for sight in sights], references)
    chosen = [next(one for one in references if one.name == name) for name in table["reference"]]
    pairs = list(zip(sights, chosen, strict=True))
    table.insert(0, "cosine_raw", [cosine_raw([sight.grey], one.grey)[0] for sight, one in pairs])
    rest = pd.DataFrame([_one_by_one(sight, one, settings["sift"]) for sight, one in pairs])
    return pd.concat([table, rest], axis=1).assign(embedding_distance=_distances(embeddings, chosen))


def _one_by_one(sight: Sight, reference: Reference, sift_settings: dict) -> dict:
    """What is not computed for many pictures at once."""
    here = sift(sight.picture, sift_settings)
    left_over = sift(for_sift(residual_picture(sight.picture)), sift_settings)
    # Flux is compared with flux and pictures with pictures: the effective radius of a picture is not that of flux.
    kind = sight.kind if sight.kind in reference.profiles else "picture"
    profile = isophote_profile(_lights(sight)[kind], kind)
    return {
        **sift_scores(here, reference.keypoints, sift_settings),
        **sift_scores(left_over, reference.residual_keypoints, sift_settings, "sift_residual"),
        **profile_columns(profile, reference.profiles[kind]),
        **measured_shape(profile),
    }


def _distances(embeddings: np.ndarray | None, references: Sequence[Reference]) -> np.ndarray:
    """Distance of each row (n, d) from its reference in the classifier's last layer but one; NaN without them."""
    if embeddings is None:
        return np.full(len(references), np.nan)
    pairs = zip(embeddings, references, strict=True)
    return np.array([network.embedding_distance(row[None], one.embedding)[0] for row, one in pairs])


def measured_shape(profile: Profile) -> dict[str, float]:
    """Axis ratio and harmonics of a galaxy by its profile, NaN where they could not be measured."""
    return {name: np.nan if profile.shape is None else float(getattr(profile.shape, name)) for name in _SHAPE_NAMES}
