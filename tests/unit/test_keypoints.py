"""Keypoints: a picture finds itself turned and resized, and nothing else."""

import cv2
import numpy as np
import pytest

from galclass.verify.keypoints import NOT_INFORMATIVE, Keypoints, matched, sift, sift_scores

SETTINGS = {"contrast_threshold": 0.01, "edge_threshold": 10.0, "sigma": 1.6, "octave_layers": 3, "zoom": 4,
            "maximum_keypoints": 1000, "ratio": 0.8, "inlier_px": 3.0, "minimum_keypoints": 8}  # fmt: skip
SIDE = 120


def textured(angle_deg=0.0, scale=1.0, shift=(0.0, 0.0), seed=1, pixels=SIDE):
    """Blobs of random place, size and brightness, drawn where a turn, a resizing and a shift bring them."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:pixels, :pixels].astype(float)
    places = moved(rng.uniform(10, SIDE - 10, (80, 2)), angle_deg, scale, shift, pixels)
    picture = np.zeros((pixels, pixels))
    for (cx, cy), width, height in zip(
        places, scale * rng.uniform(1.5, 4.0, 80), rng.uniform(0.2, 1.0, 80), strict=True
    ):
        picture += height * np.exp(-0.5 * ((x - cx) ** 2 + (y - cy) ** 2) / width**2)
    return np.clip(picture, 0.0, 2.0) / 2.0


def moved(points, angle_deg, scale, shift, pixels=SIDE):
    """Points (n, 2) of a picture turned about its centre, resized and shifted."""
    cos, sin = scale * np.cos(np.deg2rad(angle_deg)), scale * np.sin(np.deg2rad(angle_deg))
    turn = np.array([[cos, -sin], [sin, cos]])
    return (points - 0.5 * (SIDE - 1)) @ turn.T + 0.5 * (pixels - 1) + np.asarray(shift)


@pytest.fixture(scope="module")
def original():
    return sift(textured(), SETTINGS)


def test_keypoints_are_rows_of_places_and_descriptors(original):
    assert len(original) == len(original.points) > 100
    assert original.points.shape[1:] == (2,) and original.points.dtype == np.float64
    assert original.descriptors.shape == (len(original), 128) and original.descriptors.dtype == np.float32


@pytest.mark.parametrize("zoom", [1, 2, 4])
@pytest.mark.parametrize("place", [(20.3, 31.7), (25.0, 24.0), (30.2, 12.6)])
def test_blob_is_found_where_it_is(place, zoom):
    x, y = np.meshgrid(np.arange(50), np.arange(60))
    blob = 0.8 * np.exp(-0.5 * ((x - place[0]) ** 2 + (y - place[1]) ** 2) / 2.0**2)
    points = sift(blob, SETTINGS | {"zoom": zoom}).points
    # 0.05 pixels: half a pixel of the enlarged picture or of the octave would be 0.12 or more
    assert len(points) and np.abs(points - place).max() < 0.05


MOVES = {
    "itself": {},
    "shifted": {"shift": (7.0, -4.0)},
    "turned": {"angle_deg": 37.0},
    "upside down": {"angle_deg": 180.0},
    "half as large": {"scale": 0.5, "pixels": 70},
    "twice as large": {"scale": 2.0, "pixels": 230},
    "all at once": {"scale": 0.7, "angle_deg": -110.0, "shift": (5.0, 3.0)},
}


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES.keys())
def test_picture_finds_itself(original, move):
    found = matched(original, sift(textured(**move), SETTINGS), SETTINGS)
    # the scene has 80 blobs, of which some overlap and some leave the picture; 40 is half of them
    assert found.inliers > 40
    expected = moved(found.first, **{"angle_deg": 0.0, "scale": 1.0, "shift": (0.0, 0.0), **move})
    distances = np.linalg.norm(found.second - expected, axis=1)[found.is_inlier]
    # inlier_px of the enlarged picture, plus as much again because the fit has an error of its own
    assert distances.max() < 2 * SETTINGS["inlier_px"]
    assert np.median(distances) < 0.5


OTHERS = {
    "another scene": lambda: textured(seed=2),
    "mirror image": lambda: textured()[:, ::-1],
    "mirror image, turned": lambda: textured(angle_deg=50.0)[:, ::-1],
    "noise": lambda: np.random.default_rng(3).random((SIDE, SIDE)),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS.keys())
def test_picture_does_not_find_others(original, other):
    keypoints = sift(other(), SETTINGS)
    assert len(keypoints) > 100
    # 8 inliers count as the same galaxy; random pairs of real galaxies have more than 5 once in thousands
    assert matched(original, keypoints, SETTINGS).inliers < 8


def test_two_pictures_of_noise_do_not_match():
    first, second = np.random.default_rng(4).random((2, 50, 50))
    assert matched(sift(first, SETTINGS), sift(second, SETTINGS), SETTINGS).inliers < 8


def test_small_noisy_frame_finds_itself():
    rng = np.random.default_rng(5)
    frames = [cv2.resize(textured(), (50, 50), interpolation=cv2.INTER_AREA) + rng.normal(0, 0.01, (50, 50))
              for _ in range(2)]  # fmt: skip
    first, second = (sift(np.clip(frame, 0, 1), SETTINGS) for frame in frames)
    assert matched(first, second, SETTINGS).inliers >= 20


@pytest.mark.parametrize("level", [0.0, 0.4, 1.0])
def test_picture_without_contrast_has_no_keypoints(original, level):
    empty = sift(np.full((50, 50), level), SETTINGS)
    assert empty.points.shape == (0, 2) and empty.descriptors.shape == (0, 128)
    assert empty.descriptors.dtype == np.float32
    for pair in ((empty, original), (original, empty), (empty, empty)):
        found = matched(*pair, SETTINGS)
        assert len(found) == found.inliers == 0 and found.first.shape == found.second.shape == (0, 2)


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_matches_have_no_inliers(original, count):
    apart = [0, len(original) // 2][:count]
    few = Keypoints(original.points[apart], original.descriptors[apart], original.zoom)
    assert matched(few, original, SETTINGS).inliers == matched(original, few, SETTINGS).inliers == 0


def described(*numbers):
    """Keypoints far apart from each other whose descriptors lie on a line."""
    descriptors = np.zeros((len(numbers), 128), np.float32)
    descriptors[:, 0] = numbers
    return Keypoints(100.0 * np.arange(2 * len(numbers), dtype=float).reshape(-1, 2), descriptors)


def test_match_is_much_nearer_than_the_second_nearest():
    clear, doubtful = described(0.0, 90.0), described(0.0, 10.0, 90.0)
    assert len(matched(described(4.0, 88.0), clear, SETTINGS)) == 2  # 4 of 86, 2 of 88
    found = matched(described(4.0, 88.0), doubtful, SETTINGS)  # 4 is two thirds of 6
    assert len(found) == 2
    assert len(matched(described(4.0, 88.0), doubtful, SETTINGS | {"ratio": 0.6})) == 1


def test_match_is_the_nearest_in_both_directions():
    """-5 is nearest to 0, but 0 is nearer to 4, which itself lies between two."""
    second = described(0.0, 8.0)
    assert len(matched(described(-5.0, 100.0), second, SETTINGS)) == 1
    assert len(matched(described(-5.0, 4.0), second, SETTINGS)) == 0


def test_matches_are_one_to_one(original):
    found = matched(original, sift(textured(angle_deg=20.0), SETTINGS), SETTINGS)
    for points in (found.first, found.second):
        assert len(np.unique(points, axis=0)) == len(points)


def test_one_crowded_place_is_no_likeness(original):
    """A hundred matches at one spot say as much as one."""
    crowd = np.random.default_rng(6).normal(50.0, 0.05, (100, 2))
    first = Keypoints(original.points[:100], original.descriptors[:100], original.zoom)
    second = Keypoints(crowd, original.descriptors[:100], original.zoom)
    assert matched(first, second, SETTINGS).inliers < 3


def test_collapse_to_a_hundredth_of_the_size_is_no_likeness(original):
    def scaled(factor):
        return Keypoints(original.points * factor, original.descriptors, original.zoom)

    settings = SETTINGS | {"inlier_px": 0.01}
    places = len(np.unique(original.points, axis=0))
    assert matched(original, scaled(0.5), settings).inliers == places > 50
    assert matched(original, scaled(0.01), settings).inliers == 0
    assert matched(original, scaled(100.0), settings).inliers == 0


def test_answer_is_always_the_same(original):
    scattered = original.points.copy()
    scattered[::2] = np.random.default_rng(7).uniform(0, SIDE, scattered[::2].shape)
    other = Keypoints(scattered, original.descriptors, original.zoom)
    answers = []
    for seed in (0, 1, 12345):
        cv2.setRNGSeed(seed)
        answers.append(matched(original, other, SETTINGS).is_inlier)
    assert 20 < answers[0].sum() < len(answers[0]) - 20  # RANSAC has something to choose
    assert all(np.array_equal(answer, answers[0]) for answer in answers)
    again = sift(textured(), SETTINGS)
    assert np.array_equal(again.points, original.points) and np.array_equal(again.descriptors, original.descriptors)


def test_the_strongest_keypoints_are_kept(original):
    few = sift(textured(), SETTINGS | {"maximum_keypoints": 50})
    assert 50 <= len(few) <= 55  # those of equal contrast at one place stay together
    assert np.array_equal(few.points[:50], original.points[:50])


def test_large_picture_is_reduced():
    large = cv2.resize(textured(), (1600, 1600), interpolation=cv2.INTER_CUBIC)
    keypoints = sift(np.clip(large, 0, 1), SETTINGS)
    assert keypoints.zoom == 0.5
    assert keypoints.points.max() > 1200.0


def test_scores_of_a_picture_and_its_verdict(original):
    scores = sift_scores(original, original, SETTINGS)
    assert list(scores) == ["sift_keypoints", "sift_reference_keypoints", "sift_matches", "sift_inliers",
                            "sift_verdict"]  # fmt: skip
    assert scores["sift_verdict"] == "informative"
    assert scores["sift_keypoints"] == scores["sift_reference_keypoints"] < len(original)
    assert 40 < scores["sift_inliers"] <= scores["sift_matches"] <= scores["sift_keypoints"]


def test_smooth_galaxy_is_not_informative(original):
    """One round blob has several keypoints, but all of them at its centre."""
    x, y = np.meshgrid(np.arange(50) - 24.5, np.arange(50) - 24.5)
    smooth = sift(np.exp(-np.hypot(x, y / 0.7) / 5.0), SETTINGS)
    assert len(smooth) > 0
    for pair in ((smooth, original), (original, smooth)):
        assert sift_scores(*pair, SETTINGS)["sift_verdict"] == NOT_INFORMATIVE
    named = sift_scores(smooth, smooth, SETTINGS, prefix="sift_residual")
    assert named["sift_residual_verdict"] == NOT_INFORMATIVE
    assert named["sift_residual_keypoints"] < SETTINGS["minimum_keypoints"]
