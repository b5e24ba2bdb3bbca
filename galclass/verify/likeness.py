"""How much pictures look like the reference: cosines, keypoints and isophotes."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from galclass import images, ruler, segmentation
from galclass.errors import InputError
from galclass.verify.alignment import aligned_with_ratio, flips, residual
from galclass.verify.keypoints import inliers, ratio_matches, sift

NOT_INFORMATIVE = "not informative"
#: Largest width of an aligned picture: more pixels than this add noise, not shape.
ALIGNED_PIXELS = 64
_SHAPE_NAMES = ("axis_ratio", "b4", "b6", "a4_over_a")
_ERROR_NAMES = ("b4_err", "b6_err")


@dataclass(frozen=True)
class Reference:
    """The reference picture, made ready for comparison with many.

    Attributes
    ----------
    picture : shape (ny, nx), 0 to 1, y up
    orientations : shape (4, p, p): aligned, as it is, turned by 180 degrees, and the mirror images of both
    residuals : shape (4, p, p): the same less the mean over ellipses
    keypoints, descriptors : what SIFT found
    shape : axis_ratio, b4, b6, a4_over_a, NaN where not measured
    """

    picture: np.ndarray
    orientations: np.ndarray
    residuals: np.ndarray
    keypoints: Sequence
    descriptors: np.ndarray | None
    shape: dict[str, float]


def reference_picture(reference: Path) -> Path:
    """The picture of a reference given as the folder of `galclass reference` or as a file."""
    reference = Path(reference)
    return reference / "reference.png" if reference.is_dir() else reference


def read_reference(reference: Path, settings: dict, depth_dex: float = 3.0) -> Reference:
    """Read the reference and do once what every comparison needs."""
    path = reference_picture(reference)
    values, is_flux = images.read_picture(path)
    picture = as_picture(values, is_flux, depth_dex)
    pixels = min(*picture.shape, ALIGNED_PIXELS)
    flat, ratio = aligned_with_ratio(picture, pixels)
    if not flat.any():
        raise InputError(f"{path}: no galaxy stands out from the border of the picture; give another reference")
    deep = Path(reference) / "reference_deep.png"
    quiet = images.read_picture(deep)[0] if deep.is_file() else without_noise(values, is_flux, depth_dex)
    keypoints, descriptors = sift(quiet, settings["sift"])
    shape = _folder_shape(reference) or measured_shape(values, "flux" if is_flux else "picture")
    return Reference(picture, flips(flat), flips(residual(flat, ratio)), keypoints, descriptors, shape)


def _folder_shape(reference: Path) -> dict[str, float] | None:
    """The shape that `galclass reference` measured on the flux, where there is one."""
    card = Path(reference) / "reference.json"
    if not card.is_file():
        return None
    measured = json.loads(card.read_text(encoding="utf-8"))["measured"]
    return {name: np.nan if measured[name] is None else measured[name] for name in _SHAPE_NAMES}


def as_picture(values: np.ndarray, is_flux: bool, depth_dex: float) -> np.ndarray:
    """A picture between 0 and 1; flux is stretched."""
    return np.asarray(images.stretch(values, depth_dex) if is_flux else values, dtype=float)


def without_noise(values: np.ndarray, is_flux: bool, depth_dex: float) -> np.ndarray:
    """A picture between 0 and 1 of the galaxy alone."""
    return as_picture(segmentation.clean(values), is_flux, depth_dex)


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


def best_cosine(stack: np.ndarray, orientations: np.ndarray) -> np.ndarray:
    """Cosine of pictures (n, p, p) with the best of the orientations (m, p, p); 0 for an empty picture."""
    left, right = stack.reshape(len(stack), -1), orientations.reshape(len(orientations), -1)
    lengths = np.linalg.norm(left, axis=1)[:, None] * np.linalg.norm(right, axis=1)
    products = left @ right.T
    return np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0).max(axis=1)


def cosine_aligned(stack: Iterable[np.ndarray], reference: Reference) -> tuple[np.ndarray, np.ndarray]:
    """Cosine after alignment, of the pictures and of their residuals; two arrays of shape (n,)."""
    pixels = reference.orientations.shape[-1]
    pairs = [aligned_with_ratio(picture, pixels) for picture in stack]
    flat = np.stack([pair[0] for pair in pairs])
    left_over = np.stack([residual(*pair) for pair in pairs])
    return best_cosine(flat, reference.orientations), best_cosine(left_over, reference.residuals)


def sift_scores(picture: np.ndarray, reference: Reference, settings: dict) -> dict:
    """Numbers of keypoints, ratio-test matches and inliers, and whether they say anything."""
    keypoints, descriptors = sift(picture, settings)
    matches = ratio_matches(descriptors, reference.descriptors, settings["ratio"])
    enough = min(len(keypoints), len(reference.keypoints)) >= settings["minimum_keypoints"]
    return {
        "sift_keypoints": len(keypoints),
        "sift_reference_keypoints": len(reference.keypoints),
        "sift_matches": len(matches),
        "sift_inliers": inliers(keypoints, reference.keypoints, matches),
        "sift_verdict": "informative" if enough else NOT_INFORMATIVE,
    }


def measured_shape(light: np.ndarray, kind: str) -> dict[str, float]:
    """Axis ratio and harmonics of a picture of `kind` "flux" or "picture", NaN where they cannot be measured."""
    try:
        shape = ruler.measure(light, kind=kind, fast=True)
    except InputError:
        return dict.fromkeys((*_SHAPE_NAMES, *_ERROR_NAMES), np.nan)
    return {name: float(getattr(shape, name)) for name in (*_SHAPE_NAMES, *_ERROR_NAMES)}


def shape_columns(light: np.ndarray, kind: str, reference: Reference) -> dict[str, float]:
    """Shape of a picture and its difference from the reference."""
    shape = measured_shape(light, kind)
    return shape | {
        f"{name}_difference": shape[name] - reference.shape[name] for name in ("axis_ratio", "b4", "a4_over_a")
    }


def score(
    stack: Sequence[np.ndarray], reference: Reference, settings: dict, quiet: Iterable[np.ndarray] | None = None
) -> pd.DataFrame:
    """All scores of pictures against the reference, a row each; SIFT looks at the `quiet` ones: it would find noise."""
    flat, left_over = cosine_aligned(stack, reference)
    looked_at = stack if quiet is None else quiet
    table = pd.DataFrame([sift_scores(picture, reference, settings["sift"]) for picture in looked_at])
    table.insert(0, "cosine_raw", cosine_raw(stack, reference.picture))
    table.insert(1, "cosine_aligned", flat)
    table.insert(2, "cosine_residual", left_over)
    return table
