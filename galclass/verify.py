"""Stage `verify`: how much does a candidate look like the reference, and how much would any frame?

Each picture gets the thesis's score, the cosine between the grey pixels as they stand, and the same after
both were brought to one centre, one size and one position angle, since the first mostly tells how the
galaxies happen to lie on the page. Beside them stand what is left after each picture's own ellipses are
taken away (boxy corners count, light profiles do not), the SIFT keypoints (Lowe 2004, IJCV 60, 91) and the
isophotes. Every score comes with its percentile among all frames given: 0.9 may be ordinary.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from galclass import catalog, images, isophotes, provenance, ruler, segmentation
from galclass.errors import GalclassError, InputError
from galclass.files import require_suffix

#: Scores that get a percentile among all frames.
SCORES = ("cosine_raw", "cosine_aligned", "cosine_residual", "sift_keypoints", "sift_matches", "sift_inliers")
NOT_INFORMATIVE = "not informative"
#: Half the width of an aligned picture, in effective radii of its brightness: an exponential disc stretched
#: by log10 is a cone, which ends at two of them (sqrt(a b)), so at 2.8 along the major axis for b/a = 0.5.
HALF_WIDTH = 3.0
#: Largest width of an aligned picture: more pixels than this add noise, not shape.
ALIGNED_PIXELS = 64
#: Brightness below this many standard deviations of the border counts as sky.
SKY_SIGMA = 3.0
#: Largest distance of an inlier from where the transformation puts it [pixels of the zoomed picture].
_INLIER_PX = 3.0
_LARGE_PX = 400
_SIGMA_PER_MAD = 1.4826
_RADIUS_STEP = 0.08
_KEYS = ["run", "frame"]
_CLASSIFIED_COLUMNS = (*_KEYS, "class", "p_rectangle")
_SHAPE_NAMES = ("axis_ratio", "b4", "b6", "a4_over_a")
_ERROR_NAMES = ("b4_err", "b6_err")
#: A shape counts as a rectangle where that is at least as probable, given its errors, as not.
_LEAST_PROBABILITY = 0.5


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


def run(
    classified: Sequence[Path], packs: Sequence[Path], reference: Path, settings: dict, output: Path
) -> pd.DataFrame:
    """Score the best candidates against the reference and write the ranked table.

    Candidates whose measured isophotes are those of a rectangle, with a probability of one half or more given their
    errors, come first, since the network must call crossing discs something and often calls them rectangles; then
    the order is that of `cosine_residual`. What is left when each picture's own ellipses are taken away carries the
    shape: by it the real picture of LEDA 074886 stands above 99 % of ordinary galaxies, while by the aligned cosine
    most galaxies of its axis ratio look alike (docs/validation.md). The raw cosine is left out because a turn of
    the page changes it.

    Parameters
    ----------
    classified : tables of `galclass classify`
    packs : the packs that were classified; all their frames are the null
    reference : folder written by `galclass reference`, or a picture
    settings : `candidates` (how many) and `sift`
    output : the table (.parquet; .csv beside it); its column `quality` names the gates that a candidate's run fails

    Raises
    ------
    InputError
        A file cannot be used, or a classified frame is in none of the packs.
    """
    require_suffix(output, ".parquet")
    target = read_reference(reference, settings)
    contents = [images.read_pack(path) for path in packs]
    scored = pd.concat([_score_pack(pack, target, settings) for pack in contents], ignore_index=True)
    chosen = choose(
        pd.concat([_read_classified(path) for path in classified], ignore_index=True), settings["candidates"]
    )
    table = _join(with_percentiles(scored), chosen)
    table = pd.concat([table, _shapes(table, contents, target)], axis=1)
    table = ranked(table).assign(quality=table["run"].map(_quality_marks(contents)))
    if (marked := (table["quality"] != "").sum()) > 0:
        print(f"verify: {marked} of {len(table)} candidates come from runs that FAIL their quality gates", flush=True)
    sources = [*classified, *packs, reference_picture(reference)]
    catalog.write_table(output, table, provenance.record("verify", sources, settings))
    return table


def pictures(files: Sequence[Path], reference: Path, settings: dict, depth_dex: float = 3.0) -> list[dict]:
    """Score picture files and packs against a reference: a dict per file, in order, `error` if it failed.

    A pack is answered by its best frame (`frame`, of `frames`). Percentiles are among all pictures of this
    call, None when there is only one. `depth_dex` is the stretch of FITS pictures.
    """
    target = read_reference(reference, settings, depth_dex)
    answers = [_try(lambda path=path: _score_file(Path(path), target, settings, depth_dex)) for path in files]
    tables = [answer.assign(input=number) for number, answer in enumerate(answers) if not isinstance(answer, str)]
    scored = with_percentiles(pd.concat(tables, ignore_index=True)) if tables else pd.DataFrame({"input": []})
    return [{"file": str(path), **({"error": answer} if isinstance(answer, str) else _best(scored, number))}
            for number, (path, answer) in enumerate(zip(files, answers, strict=True))]  # fmt: skip


def _quality_marks(packs: Sequence[images.Pack]) -> dict[str, str]:
    """The quality gates that each run fails, empty if none, as its pack says."""
    return {run: pack.provenance.get("quality", "") for pack in packs for run in pack.frames["run"].unique()}


# --- the reference


def reference_picture(reference: Path) -> Path:
    """The picture of a reference given as the folder of `galclass reference` or as a file."""
    reference = Path(reference)
    return reference / "reference.png" if reference.is_dir() else reference


def read_reference(reference: Path, settings: dict, depth_dex: float = 3.0) -> Reference:
    """Read the reference and do once what every comparison needs."""
    path = reference_picture(reference)
    values, is_flux = images.read_picture(path)
    picture = _as_picture(values, is_flux, depth_dex)
    pixels = min(*picture.shape, ALIGNED_PIXELS)
    flat, ratio = _aligned_with_ratio(picture, pixels)
    if not flat.any():
        raise InputError(f"{path}: no galaxy stands out from the border of the picture; give another reference")
    deep = Path(reference) / "reference_deep.png"
    quiet = images.read_picture(deep)[0] if deep.is_file() else without_noise(values, is_flux, depth_dex)
    keypoints, descriptors = sift(quiet, settings["sift"])
    shape = _folder_shape(reference) or measured_shape(values, "flux" if is_flux else "picture")
    return Reference(picture, flips(flat), flips(residual(flat, ratio)), keypoints, descriptors, shape)


def _folder_shape(reference: Path) -> dict[str, float] | None:
    """The shape that `galclass reference` measured on the flux, where there is one."""
    import json

    card = Path(reference) / "reference.json"
    if not card.is_file():
        return None
    measured = json.loads(card.read_text(encoding="utf-8"))["measured"]
    return {name: np.nan if measured[name] is None else measured[name] for name in _SHAPE_NAMES}


def _as_picture(values: np.ndarray, is_flux: bool, depth_dex: float) -> np.ndarray:
    """A picture between 0 and 1; flux is stretched."""
    return np.asarray(images.stretch(values, depth_dex) if is_flux else values, dtype=float)


def without_noise(values: np.ndarray, is_flux: bool, depth_dex: float) -> np.ndarray:
    """A picture between 0 and 1 of the galaxy alone."""
    return _as_picture(segmentation.clean(values), is_flux, depth_dex)


# --- cosines


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


def galaxy_light(picture: np.ndarray) -> np.ndarray:
    """The galaxy alone: brightness above the sky of the border, of the patch that holds most of it.

    Sky and its noise are median and median absolute deviation of the border; all but the galaxy is 0.
    """
    from scipy.ndimage import label

    border = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    sky = np.median(border)
    noise = _SIGMA_PER_MAD * np.median(np.abs(border - sky))
    light = np.asarray(picture, dtype=float) - sky
    patches, count = label(light > SKY_SIGMA * noise)
    if count == 0:
        return np.zeros(picture.shape)
    brightest = np.bincount(patches.ravel(), light.ravel())[1:].argmax() + 1
    return np.where(patches == brightest, light, 0.0)


def orientation(light: np.ndarray) -> tuple[np.ndarray, float, float, float]:
    """Where a galaxy lies, from the first and second moments of its light.

    Parameters
    ----------
    light : shape (ny, nx), not negative, some of it positive

    Returns
    -------
    centre : shape (2,), x and y [pixel]
    radius : effective radius of its brightness, sqrt(a b) of the ellipse that holds half [pixel]
    axis_ratio : of the moments
    angle : of the major axis from the x axis towards y, 0 to pi [rad]
    """
    y, x = np.nonzero(light)
    weights = light[y, x]
    centre = np.average([x, y], axis=1, weights=weights)
    offsets = np.stack([x, y]) - centre[:, None]
    pixel = np.eye(2) / 12.0  # moments of a square, so that a galaxy on one line of pixels still has a width
    moments = (weights * offsets) @ offsets.T / weights.sum() + pixel
    (low, high), axes = np.linalg.eigh(moments)
    radii = np.sqrt(np.einsum("ip,ij,jp->p", offsets, np.linalg.inv(moments), offsets)) * (low * high) ** 0.25
    order = np.argsort(radii)
    radius = max(np.interp(0.5, np.cumsum(weights[order]) / weights.sum(), radii[order]), 0.5)
    angle = np.arctan2(axes[1, 1], axes[0, 1]) % np.pi
    return centre, float(radius), float(np.sqrt(low / high)), float(angle)


def aligned(picture: np.ndarray, pixels: int) -> np.ndarray:
    """The galaxy of a picture with its centre in the middle, its major axis along x, its size normalised.

    Parameters
    ----------
    picture : shape (ny, nx), 0 to 1
    pixels : width of the result

    Returns
    -------
    shape (pixels, pixels)
        Brightness above the sky on +-`HALF_WIDTH` effective radii; 0 everywhere where there is no galaxy.
    """
    return _aligned_with_ratio(picture, pixels)[0]


def _aligned_with_ratio(picture: np.ndarray, pixels: int) -> tuple[np.ndarray, float]:
    """`aligned`, and the axis ratio of the moments."""
    from scipy.ndimage import affine_transform, gaussian_filter

    light = galaxy_light(picture)
    if not light.any():
        return np.zeros((pixels, pixels)), 1.0
    (x, y), radius, ratio, angle = orientation(light)
    step = 2.0 * HALF_WIDTH * radius / pixels
    if step > 1.0:  # a coarser grid than the picture's: average instead of picking pixels
        light = gaussian_filter(light, 0.4 * step)
    cos, sin = np.cos(angle), np.sin(angle)
    matrix = step * np.array([[cos, sin], [-sin, cos]])  # (row, column) of the result to (row, column) of the picture
    offset = np.array([y, x]) - matrix @ np.full(2, 0.5 * (pixels - 1))
    return affine_transform(light, matrix, offset, (pixels, pixels), order=1), ratio


def flips(picture: np.ndarray) -> np.ndarray:
    """The four ways an aligned galaxy can lie: as it is, turned by 180 degrees, and mirrored both ways."""
    return np.stack([picture, picture[::-1, ::-1], picture[::-1], picture[:, ::-1]])


def residual(flat: np.ndarray, axis_ratio: float) -> np.ndarray:
    """An aligned picture less the mean brightness on ellipses of the galaxy's own axis ratio."""
    half = 0.5 * (len(flat) - 1)
    x, y = np.meshgrid((np.arange(len(flat)) - half) / half, (np.arange(len(flat)) - half) / half)
    radius = np.hypot(x * np.sqrt(axis_ratio), y / np.sqrt(axis_ratio)) / _RADIUS_STEP
    inner = radius.astype(int)
    share = radius - inner  # each pixel counts for the two nearest ellipses
    bins, weights = np.stack([inner, inner + 1]).ravel(), np.stack([1.0 - share, share]).ravel()
    light = np.bincount(bins, weights * np.tile(flat.ravel(), 2))
    mean = light / np.maximum(np.bincount(bins, weights), 1e-12)
    return np.where(flat != 0, flat - np.interp(radius, np.arange(len(mean)), mean), 0.0)


def best_cosine(stack: np.ndarray, orientations: np.ndarray) -> np.ndarray:
    """Cosine of pictures (n, p, p) with the best of the orientations (m, p, p); 0 for an empty picture."""
    left, right = stack.reshape(len(stack), -1), orientations.reshape(len(orientations), -1)
    lengths = np.linalg.norm(left, axis=1)[:, None] * np.linalg.norm(right, axis=1)
    products = left @ right.T
    return np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0).max(axis=1)


def cosine_aligned(stack: Iterable[np.ndarray], reference: Reference) -> tuple[np.ndarray, np.ndarray]:
    """Cosine after alignment, of the pictures and of their residuals; two arrays of shape (n,)."""
    pixels = reference.orientations.shape[-1]
    pairs = [_aligned_with_ratio(picture, pixels) for picture in stack]
    flat = np.stack([pair[0] for pair in pairs])
    left_over = np.stack([residual(*pair) for pair in pairs])
    return best_cosine(flat, reference.orientations), best_cosine(left_over, reference.residuals)


# --- SIFT


def sift(picture: np.ndarray, settings: dict) -> tuple[Sequence, np.ndarray | None]:
    """Keypoints and descriptors (n, 128) of a picture, None where there are no keypoints.

    Parameters
    ----------
    picture : shape (ny, nx), 0 to 1
    settings : contrast_threshold, edge_threshold, sigma, octave_layers as in OpenCV, and zoom, by which the
        picture is enlarged first (50 pixels are too few for SIFT's octaves), at most to 400 pixels
    """
    import cv2

    grey = images.grey_levels(picture)
    zoom = min(settings["zoom"], max(1.0, _LARGE_PX / min(grey.shape)))
    large = cv2.resize(grey, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    finder = cv2.SIFT_create(
        nfeatures=0,
        nOctaveLayers=settings["octave_layers"],
        contrastThreshold=settings["contrast_threshold"],
        edgeThreshold=settings["edge_threshold"],
        sigma=settings["sigma"],
    )
    return finder.detectAndCompute(large, None)


def ratio_matches(first: np.ndarray | None, second: np.ndarray | None, ratio: float) -> list:
    """Pairs of descriptors nearer than `ratio` times the second nearest (Lowe 2004, section 7.1)."""
    import cv2

    if first is None or second is None:
        return []
    pairs = cv2.BFMatcher(cv2.NORM_L2).knnMatch(first, second, k=2)
    return [pair[0] for pair in pairs if len(pair) == 2 and pair[0].distance < ratio * pair[1].distance]


def inliers(first: Sequence, second: Sequence, matches: list) -> int:
    """Matches that agree with one shift, turn and scale (RANSAC, 3 pixels); 0 of fewer than three."""
    import cv2

    if len(matches) < 3:
        return 0
    here = np.array([first[match.queryIdx].pt for match in matches], np.float64)
    there = np.array([second[match.trainIdx].pt for match in matches], np.float64)
    _, mask = cv2.estimateAffinePartial2D(here, there, method=cv2.RANSAC, ransacReprojThreshold=_INLIER_PX)
    return 0 if mask is None else int(mask.sum())


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


# --- isophotes


def measured_shape(light: np.ndarray, kind: str) -> dict[str, float]:
    """Axis ratio and harmonics of a picture of `kind` "flux" or "picture", NaN where they cannot be measured."""
    try:
        shape = ruler.measure(light, kind=kind, fast=True)
    except InputError:
        return dict.fromkeys((*_SHAPE_NAMES, *_ERROR_NAMES), np.nan)
    return {name: float(getattr(shape, name)) for name in (*_SHAPE_NAMES, *_ERROR_NAMES)}


def _shape_columns(light: np.ndarray, kind: str, reference: Reference) -> dict[str, float]:
    """Shape of a picture and its difference from the reference."""
    shape = measured_shape(light, kind)
    return shape | {
        f"{name}_difference": shape[name] - reference.shape[name] for name in ("axis_ratio", "b4", "a4_over_a")
    }


def _shapes(table: pd.DataFrame, packs: Sequence[images.Pack], reference: Reference) -> pd.DataFrame:
    """The shapes of the candidates in `table`, a row each."""
    where = {
        key: (pack, row) for pack in packs for row, key in enumerate(zip(*(pack.frames[k] for k in _KEYS), strict=True))
    }
    rows = []
    for key in zip(*(table[name] for name in _KEYS), strict=True):
        pack, row = where[key]
        rows.append(_shape_columns(pack.flux[row], "flux", reference))
    return pd.DataFrame(rows, index=table.index)


# --- tables


def ranked(table: pd.DataFrame) -> pd.DataFrame:
    """The candidates in their order, with columns `rank` (from 1), `measured_label` and `p_label`; see `run`."""
    harmonics = list(zip(table["b4"], table["b4_err"], table["b6"], table["b6_err"], strict=True))
    labels = [isophotes.label_of(b4, b6) for b4, _, b6, _ in harmonics]
    probable = [isophotes.label_probability(label, *values) for label, values in zip(labels, harmonics, strict=True)]
    table = table.assign(measured_label=labels, p_label=probable)
    table["_confirmed"] = (table["measured_label"] == "rectangle") & (table["p_label"] >= _LEAST_PROBABILITY)
    order = ["_confirmed", "cosine_residual", "cosine_aligned"]
    table = table.sort_values(order, ascending=False, kind="stable", ignore_index=True).drop(columns="_confirmed")
    table.insert(0, "rank", np.arange(1, len(table) + 1))
    return table


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


def percentiles(values: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Share of `null` below each value [percent], equal ones counted half."""
    null = np.sort(null)
    below, up_to = np.searchsorted(null, values, "left"), np.searchsorted(null, values, "right")
    return 50.0 * (below + up_to) / len(null)


def with_percentiles(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the percentile of each score among its rows."""
    columns = {f"{name}_percentile": percentiles(table[name].to_numpy(), table[name].to_numpy()) for name in SCORES}
    return table.assign(**columns)


def choose(classified: pd.DataFrame, count: int) -> pd.DataFrame:
    """The `count` best candidates by p_rectangle among the frames classified as rectangle.

    Each snapshot gives its best frame before any gives its second, so that one snapshot seen from all sides
    does not fill the list. Where no frame is a rectangle, the highest p_rectangle are taken; `selected_as`
    says which.
    """
    rectangles = classified[classified["class"] == "rectangle"]
    pool = rectangles if len(rectangles) else classified
    pool = pool.sort_values(["p_rectangle", *_KEYS], ascending=[False, True, True], kind="stable")
    turn = pool.groupby([name for name in ("run", "snapshot") if name in pool]).cumcount()
    chosen = pool.loc[turn.sort_values(kind="stable").index[:count]]
    return chosen.assign(selected_as="rectangle" if len(rectangles) else "highest p_rectangle")


def _read_classified(path: Path) -> pd.DataFrame:
    table = catalog.read_table(path)
    missing = [name for name in _CLASSIFIED_COLUMNS if name not in table]
    if missing:
        raise InputError(f"{path}: no column {', '.join(missing)}; give a table written by `galclass classify`")
    return table


def _score_pack(pack: images.Pack, reference: Reference, settings: dict) -> pd.DataFrame:
    return pd.concat([pack.frames.reset_index(drop=True), _scores(pack, reference, settings)], axis=1)


def _scores(pack: images.Pack, reference: Reference, settings: dict) -> pd.DataFrame:
    """The scores of the frames of a pack."""
    return score(pack.images, reference, settings, images.stretch(pack.deep, pack.depth_dex))


def _join(scored: pd.DataFrame, chosen: pd.DataFrame) -> pd.DataFrame:
    """The scores of the chosen frames beside their class and probabilities."""
    for table in (scored, chosen):
        twice = table[table.duplicated(_KEYS)]
        if len(twice):
            raise InputError(
                f"frame {twice['frame'].iloc[0]} of run {twice['run'].iloc[0]} is there twice; "
                "give each pack and table once"
            )
    new = [name for name in chosen if name in _KEYS or name not in scored]
    table = scored.merge(chosen[new], on=_KEYS, how="inner", validate="one_to_one")
    if len(table) != len(chosen):
        raise InputError(
            f"{len(chosen) - len(table)} of {len(chosen)} candidates are in none of the packs; "
            "give the packs that were classified"
        )
    return table


def _score_file(path: Path, reference: Reference, settings: dict, depth_dex: float) -> pd.DataFrame:
    """Scores and shapes of a picture file, or of every frame of a pack."""
    if path.suffix.lower() in images.PACK_SUFFIXES:
        pack = images.read_pack(path)
        numbers = pd.DataFrame({"frame": pack.frames["frame"], "frames": len(pack.images)})
        return pd.concat([numbers, _scores(pack, reference, settings)], axis=1)
    values, is_flux = images.read_picture(path)
    picture = _as_picture(values, is_flux, depth_dex)
    shape = pd.DataFrame([_shape_columns(values, "flux" if is_flux else "picture", reference)])
    quiet = [without_noise(values, is_flux, depth_dex)]
    return pd.concat([score([picture], reference, settings, quiet), shape], axis=1)


def _try(work: Callable[[], pd.DataFrame]) -> pd.DataFrame | str:
    """What `work` returns, or the line that says why it could not."""
    try:
        return work()
    except GalclassError as error:
        return str(error)


def _best(scored: pd.DataFrame, number: int) -> dict:
    """The row of one input with the highest aligned cosine, as JSON takes it: no NaN, no NumPy."""
    row = scored.loc[scored.loc[scored["input"] == number, "cosine_aligned"].idxmax()].drop("input")
    if len(scored) < 2:
        row[[f"{name}_percentile" for name in SCORES]] = None
    values = {name: value.item() if isinstance(value, np.generic) else value for name, value in row.items()}
    numbers = {
        name: int(values.pop(name)) for name in ("frame", "frames") if name in values and not pd.isna(values[name])
    }
    return numbers | {
        name: None if pd.isna(value) else value for name, value in values.items() if name not in ("frame", "frames")
    }
