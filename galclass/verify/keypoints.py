"""SIFT keypoints (Lowe 2004, IJCV 60, 91), their matches, and those that one transformation explains."""

from collections.abc import Sequence

import numpy as np

from galclass import images

#: Largest distance of an inlier from where the transformation puts it [pixels of the zoomed picture].
_INLIER_PX = 3.0
_LARGE_PX = 400


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
