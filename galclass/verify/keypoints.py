"""SIFT keypoints (Lowe 2004, IJCV 60, 91), their matches, and those that one transformation explains."""

from dataclasses import dataclass

import numpy as np

from galclass import images

NOT_INFORMATIVE = "not informative"
#: Small pictures are enlarged at most to this shorter side, large ones reduced to it [pixels].
_ENLARGED_PX, _REDUCED_PX = 400.0, 800.0
#: Largest change of size between two pictures, both at the size at which keypoints are looked for.
_LARGEST_SCALE = 8.0
_FEWEST_INLIERS = 3
_DESCRIPTOR = 128


@dataclass(frozen=True)
class Keypoints:
    """The keypoints of a picture, those of the strongest contrast first.

    Attributes
    ----------
    points : float64, shape (n, 2)
        Places x, y [pixels of the picture], 0 at the centre of the first pixel, y up.
    descriptors : float32, shape (n, 128)
    zoom : float
        By which the picture was enlarged when they were looked for; what is uncertain is their place there.
    """

    points: np.ndarray
    descriptors: np.ndarray
    zoom: float = 1.0

    def __len__(self) -> int:
        return len(self.points)


@dataclass(frozen=True)
class Matches:
    """Keypoints of two pictures that look alike, each used once, the most alike first.

    Attributes
    ----------
    first, second : float64, shape (m, 2)
        Places x, y in the two pictures [pixels], row by row.
    is_inlier : bool, shape (m,)
        Whether the one shift, turn and change of size that explains most of them explains this one.
    """

    first: np.ndarray
    second: np.ndarray
    is_inlier: np.ndarray

    def __len__(self) -> int:
        return len(self.first)

    @property
    def inliers(self) -> int:
        """How many matches the transformation explains."""
        return int(self.is_inlier.sum())


def sift(picture: np.ndarray, settings: dict) -> Keypoints:
    """Keypoints and descriptors of a picture (Lowe 2004, sections 3 to 6, as OpenCV computes them).

    Parameters
    ----------
    picture : shape (ny, nx), 0 to 1
    settings : dict
        `contrast_threshold`, `edge_threshold`, `sigma`, `octave_layers` as in OpenCV; `maximum_keypoints`, the
        number of the strongest that are kept; and `zoom`, by which the picture is enlarged first (50 pixels
        are too few for SIFT's octaves), at most to 400 pixels. Pictures beyond 800 pixels are reduced.

    Returns
    -------
    Keypoints
        None of them in a picture without contrast.
    """
    import cv2

    zoom = _zoom(min(picture.shape), settings["zoom"])
    finder = cv2.SIFT_create(
        nfeatures=settings["maximum_keypoints"],
        nOctaveLayers=settings["octave_layers"],
        contrastThreshold=settings["contrast_threshold"],
        edgeThreshold=settings["edge_threshold"],
        sigma=settings["sigma"],
        enable_precise_upscale=True,
    )
    found, descriptors = finder.detectAndCompute(_at_zoom(picture, zoom), None)
    order = sorted(range(len(found)), key=lambda i: -found[i].response)
    places = np.array([found[i].pt for i in order], dtype=float).reshape(-1, 2)
    rows = np.zeros((0, _DESCRIPTOR), np.float32) if descriptors is None else descriptors[order]
    return Keypoints((places + 0.5) / zoom - 0.5, rows, zoom)


def _zoom(side: int, wanted: float) -> float:
    """Factor by which a picture of this shorter side is resized: `wanted` if that makes it neither large nor small."""
    return min(max(1.0, min(wanted, _ENLARGED_PX / side)), _REDUCED_PX / side)


def _at_zoom(picture: np.ndarray, zoom: float) -> np.ndarray:
    """The picture resized, in 8-bit grey; its levels are rounded last, or the steps between them become edges."""
    import cv2

    kernel = cv2.INTER_AREA if zoom < 1.0 else cv2.INTER_CUBIC
    values = np.asarray(picture, dtype=np.float32)
    return images.grey_levels(cv2.resize(values, None, fx=zoom, fy=zoom, interpolation=kernel))


def matched(first: Keypoints, second: Keypoints, settings: dict) -> Matches:
    """Keypoints that look alike in two pictures, and which of them lie alike.

    A match is nearer than `ratio` times the second nearest (Lowe 2004, section 7.1) and the nearest in both
    directions. Of matches that share a place one counts. Inliers agree with one shift, turn and change of size
    within `inlier_px` of the pictures as SIFT saw them (RANSAC: Fischler and Bolles 1981, CACM 24, 381). Mirror
    images do not match: SIFT's descriptors have a handedness. The same input always gives the same answer.

    Parameters
    ----------
    first, second : Keypoints
    settings : dict
        `ratio` and `inlier_px`.
    """
    here, there = _alike(first.descriptors, second.descriptors, settings["ratio"])
    kept = _apart(first.points[here] * first.zoom / settings["inlier_px"])
    here, there = here[kept], there[kept]
    kept = _apart(second.points[there] * second.zoom / settings["inlier_px"])
    left, right = first.points[here[kept]], second.points[there[kept]]
    return Matches(left, right, _lie_alike(left * first.zoom, right * second.zoom, settings["inlier_px"]))


def _alike(first: np.ndarray, second: np.ndarray, ratio: float) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the descriptors (n, 128) and (m, 128) that match, the nearest pair first."""
    if min(len(first), len(second)) < 2:  # a second nearest is needed, in both directions
        return np.zeros(0, int), np.zeros(0, int)
    squares = (first**2).sum(axis=1)[:, None] + (second**2).sum(axis=1) - 2.0 * first @ second.T
    nearest = squares.argmin(axis=1)
    best, next_best = np.partition(squares, 1, axis=1)[:, :2].T
    is_mutual = squares.argmin(axis=0)[nearest] == np.arange(len(first))
    here = np.flatnonzero(is_mutual & (best < ratio**2 * next_best))
    here = here[np.argsort(best[here], kind="stable")]
    return here, nearest[here]


def _apart(points: np.ndarray) -> np.ndarray:
    """Numbers of the first point (n, 2) in each unit square, in order: keypoints often crowd at one place."""
    return np.sort(np.unique(np.rint(points), axis=0, return_index=True)[1])


def _lie_alike(first: np.ndarray, second: np.ndarray, inlier_px: float) -> np.ndarray:
    """Which of the points (m, 2) one similarity transformation brings upon their partners.

    None if it brings fewer than three: there is one for any two.
    """
    import cv2

    none = np.zeros(len(first), bool)
    if len(first) < _FEWEST_INLIERS:
        return none
    found, mask = cv2.estimateAffinePartial2D(first, second, method=cv2.RANSAC, ransacReprojThreshold=inlier_px)
    if found is None or not 1.0 / _LARGEST_SCALE <= np.hypot(found[0, 0], found[1, 0]) <= _LARGEST_SCALE:
        return none
    return mask[:, 0].astype(bool) if mask.sum() >= _FEWEST_INLIERS else none


def sift_scores(here: Keypoints, there: Keypoints, settings: dict, prefix: str = "sift") -> dict:
    """Numbers of keypoints, matches and inliers of a picture and the reference, and whether they say anything.

    Keypoints of one place count as one: SIFT gives a round blob several, of different directions. The verdict
    is "not informative" where either has fewer than `settings["minimum_keypoints"]`: smooth galaxies have
    hardly any, so that few inliers do not mean that they are unlike.
    """
    matches = matched(here, there, settings)
    found, wanted = (len(_apart(one.points * one.zoom / settings["inlier_px"])) for one in (here, there))
    enough = min(found, wanted) >= settings["minimum_keypoints"]
    return {
        f"{prefix}_keypoints": found,
        f"{prefix}_reference_keypoints": wanted,
        f"{prefix}_matches": len(matches),
        f"{prefix}_inliers": matches.inliers,
        f"{prefix}_verdict": "informative" if enough else NOT_INFORMATIVE,
    }
