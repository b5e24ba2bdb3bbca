"""Likeness to the reference: what must not matter does not, what must matter does."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from galclass import catalog, images, verify
from galclass.errors import InputError

SETTINGS = {
    "candidates": 5,
    "sift": {
        "contrast_threshold": 0.01,
        "edge_threshold": 10.0,
        "sigma": 1.6,
        "octave_layers": 3,
        "zoom": 4,
        "ratio": 0.75,
        "minimum_keypoints": 8,
    },
}
RENDER = {"pixels": 50, "depth_dex": 3.0}


def galaxy(
    exponent=2.0,
    ratio=0.6,
    angle_deg=0.0,
    scale_px=3.0,
    shift=(0.0, 0.0),
    lopsided=0.3,
    mirror=False,
    pixels=50,
):
    """A stretched exponential galaxy on superelliptic isophotes, brighter in one corner."""
    half = 0.5 * (pixels - 1)
    x, y = np.meshgrid(np.arange(pixels) - half - shift[0], np.arange(pixels) - half - shift[1])
    cos, sin = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    along, across = x * cos + y * sin, y * cos - x * sin
    across = -across if mirror else across
    radius = (np.abs(along) ** exponent + np.abs(across / ratio) ** exponent) ** (1.0 / exponent)
    bump = np.exp(-((along - 3.0 * scale_px) ** 2 + (across - 1.5 * scale_px) ** 2) / scale_px**2)
    return np.asarray(images.stretch(np.exp(-radius / scale_px) + 0.1 * lopsided * bump, 3.0), dtype=float)


def textured(seed=1, pixels=60):
    """Blobs of random place, size and brightness: many keypoints."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.arange(pixels), np.arange(pixels))
    picture = np.zeros((pixels, pixels))
    for cx, cy, width, height in zip(
        *rng.uniform(5, pixels - 5, (2, 60)), rng.uniform(0.8, 2.5, 60), rng.random(60), strict=True
    ):
        picture += height * np.exp(-0.5 * ((x - cx) ** 2 + (y - cy) ** 2) / width**2)
    return picture / picture.max()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A reference on disk: one lopsided rectangle."""
    path = tmp_path_factory.mktemp("verify")
    images.write_png(path / "reference.png", galaxy(exponent=4.0))
    return path


@pytest.fixture(scope="module")
def reference(folder):
    return verify.read_reference(folder / "reference.png", SETTINGS)


# --- a picture against itself


def test_a_picture_scores_one_against_itself(reference):
    table = verify.score([reference.picture], reference, SETTINGS)
    for name in ("cosine_raw", "cosine_aligned", "cosine_residual"):
        assert table[name][0] == pytest.approx(1.0, abs=1e-12), name
    assert table["sift_keypoints"][0] == table["sift_reference_keypoints"][0]


def test_raw_cosine_is_the_textbook_one():
    first, second = np.random.default_rng(2).integers(0, 256, (2, 30, 30)) / 255.0
    a, b = 255.0 * first.ravel(), 255.0 * second.ravel()
    expected = a @ b / np.sqrt((a @ a) * (b @ b))
    assert verify.cosine_raw([first], second)[0] == pytest.approx(expected, abs=1e-12)


def test_raw_cosine_resizes_to_the_reference(reference):
    large = np.kron(reference.picture, np.ones((3, 3)))
    # 0.001: Lanczos rings a little at the steps of the enlarged picture
    assert verify.cosine_raw([large], reference.picture)[0] == pytest.approx(1.0, abs=1e-3)


# --- what alignment removes

MOVED = {
    "turned": {"angle_deg": 50.0},
    "upside down": {"angle_deg": 180.0},
    "mirrored": {"mirror": True},
    "mirrored and turned": {"mirror": True, "angle_deg": 110.0},
    "shifted": {"shift": (6.3, -5.6)},
    "smaller": {"scale_px": 2.0},
    "all at once": {"mirror": True, "angle_deg": -65.0, "shift": (-3.2, 4.7), "scale_px": 2.4},
}


@pytest.mark.parametrize("change", MOVED.values(), ids=MOVED.keys())
def test_aligned_cosine_does_not_see_how_the_galaxy_lies(reference, change):
    moved = galaxy(exponent=4.0, **change)
    flat, left_over = verify.cosine_aligned([moved], reference)
    assert flat[0] > 0.99  # resampling of a galaxy a dozen pixels across
    assert left_over[0] > 0.8  # the residual is a tenth of the picture, so its resampling noise is ten times


def test_raw_cosine_does_see_it(reference):
    pictures = [galaxy(exponent=4.0, **MOVED[name]) for name in ("turned", "shifted", "smaller", "all at once")]
    raw = verify.cosine_raw(pictures, reference.picture)
    flat, _ = verify.cosine_aligned(pictures, reference)
    assert (raw < 0.97).all()
    assert (flat - raw > 0.02).all()


def test_all_four_flips_are_needed(reference):
    for flipped in verify.flips(reference.picture):
        flat, _ = verify.cosine_aligned([flipped], reference)
        assert flat[0] > 0.999  # a flip moves whole pixels only
    alone = reference.orientations[:1]
    mirrored = np.stack([verify.aligned(reference.picture[:, ::-1], alone.shape[-1])])
    upright = [verify.best_cosine(verify.flips(mirrored[0])[[k]], alone)[0] for k in range(4)]
    assert max(upright) - min(upright) > 1e-3  # the lopsided galaxy does tell them apart


def test_sky_and_neighbours_do_not_matter(reference):
    noisy = 0.1 + 0.8 * galaxy(exponent=4.0, angle_deg=30.0) + np.random.default_rng(3).normal(0.0, 0.01, (50, 50))
    noisy[4:7, 4:7] = 0.9
    flat, _ = verify.cosine_aligned([noisy], reference)
    assert flat[0] > 0.99  # noise of 1 %, and the faint rim lost in it


def test_alignment_puts_the_galaxy_in_the_middle_along_x():
    flat = verify.aligned(galaxy(angle_deg=70.0, shift=(4.0, -3.0), lopsided=0.0), 60)
    (x, y), radius, ratio, angle = verify.orientation(flat)
    assert (x, y) == (
        pytest.approx(29.5, abs=0.2),
        pytest.approx(29.5, abs=0.2),
    )  # a tenth of a pixel of interpolation
    assert radius == pytest.approx(60 / (2 * verify.HALF_WIDTH), rel=0.03)
    assert ratio == pytest.approx(0.6, abs=0.03)
    assert abs(np.sin(angle)) < 0.02


def test_orientation_of_an_ellipse_is_known():
    x, y = np.meshgrid(np.arange(101) - 50.0, np.arange(101) - 50.0)
    cos, sin = np.cos(0.5), np.sin(0.5)
    disc = (np.hypot((x * cos + y * sin) / 30.0, (y * cos - x * sin) / 15.0) < 1.0).astype(float)
    centre, radius, ratio, angle = verify.orientation(disc)
    assert centre == pytest.approx([50.0, 50.0], abs=0.05)  # pixels on the rim
    assert radius == pytest.approx(np.sqrt(0.5 * 30.0 * 15.0), rel=0.01)  # half of the area of a uniform ellipse
    assert ratio == pytest.approx(0.5, abs=0.01)
    assert angle == pytest.approx(0.5, abs=0.01)


def test_a_coarse_grid_gives_the_same_galaxy_as_a_fine_one(reference):
    large = galaxy(exponent=4.0, scale_px=18.0, pixels=300)
    flat, _ = verify.cosine_aligned([large], reference)
    assert flat[0] > 0.99  # the bump is two pixels wide in the small picture
    noisy = large + np.random.default_rng(7).normal(0.0, 0.15, large.shape) * (large > 0.0)
    # averaging the pixels that one replaces leaves a third of the noise; picking one leaves all of it
    assert verify.cosine_aligned([noisy], reference)[0][0] > 0.985


def test_a_galaxy_on_one_line_of_pixels_is_no_error():
    line = np.zeros((20, 20))
    line[10, 5:15] = 1.0
    _, radius, ratio, angle = verify.orientation(line)
    assert radius >= 0.5 and ratio == pytest.approx(0.1) and angle == pytest.approx(0.0)  # 10 pixels by 1


# --- what must still matter


def test_a_rectangle_is_nearer_to_a_rectangle_than_an_oval_is():
    target = galaxy(exponent=4.0, lopsided=0.0)
    pixels = len(target)
    flat, ratio = verify.aligned_with_ratio(target, pixels)
    made = verify.Reference(target, verify.flips(flat), verify.flips(verify.residual(flat, ratio)), (), None, {})
    rectangle, oval = (galaxy(exponent=n, angle_deg=40.0, scale_px=2.6, lopsided=0.0) for n in (4.0, 2.0))
    cosines, residuals = verify.cosine_aligned([rectangle, oval], made)
    # margins: an oval of the same size and axis ratio lacks only the corners, half a percent of the picture's
    # length; in the residual, which is nothing but corners, it has nothing to show
    assert cosines[0] - cosines[1] > 0.003
    assert residuals[0] > 0.8
    assert residuals[0] - residuals[1] > 0.5


def test_axis_ratio_is_not_removed(reference):
    flat, _ = verify.cosine_aligned([galaxy(exponent=4.0, ratio=q) for q in (0.6, 0.8, 1.0, 0.3)], reference)
    assert flat[0] > flat[1] > flat[2]
    assert flat[3] < flat[0] - 0.05


def test_residual_of_an_oval_is_nothing():
    flat, ratio = verify.aligned_with_ratio(galaxy(lopsided=0.0), 50)
    left_over = verify.residual(flat, ratio)
    # 3 %: the profile is taken on ellipses a pixel apart
    assert np.linalg.norm(left_over) < 0.03 * np.linalg.norm(flat)
    boxy, ratio = verify.aligned_with_ratio(galaxy(exponent=5.0, lopsided=0.0), 50)
    assert np.linalg.norm(verify.residual(boxy, ratio)) > 0.06 * np.linalg.norm(boxy)


def test_an_empty_picture_scores_nothing(reference):
    flat, left_over = verify.cosine_aligned([np.zeros((50, 50))], reference)
    assert flat[0] == 0.0 and left_over[0] == 0.0


# --- SIFT


def test_a_featureless_picture_is_not_informative(reference):
    scores = verify.sift_scores(np.full((50, 50), 0.5), reference, SETTINGS["sift"])
    assert scores["sift_keypoints"] == scores["sift_matches"] == scores["sift_inliers"] == 0
    assert scores["sift_verdict"] == "not informative"


def against(picture, target):
    keypoints, descriptors = verify.sift(target, SETTINGS["sift"])
    made = verify.Reference(target, None, None, keypoints, descriptors, {})
    return verify.sift_scores(picture, made, SETTINGS["sift"])


def test_a_textured_picture_matches_itself_whole():
    scores = against(textured(), textured())
    assert scores["sift_keypoints"] >= 30
    assert scores["sift_matches"] == scores["sift_inliers"] == scores["sift_keypoints"]
    assert scores["sift_verdict"] == "informative"


def test_sift_finds_a_turned_picture_again_and_not_another():
    turned = against(np.rot90(textured()), textured())
    other = against(textured(seed=9), textured())
    assert turned["sift_inliers"] > 0.5 * turned["sift_reference_keypoints"]
    assert other["sift_inliers"] < 0.1 * turned["sift_inliers"]


def test_ratio_test_copes_with_too_few_descriptors():
    one = np.ones((1, 128), np.float32)
    many = np.random.default_rng(4).random((5, 128)).astype(np.float32)
    assert verify.ratio_matches(None, many, 0.75) == []
    assert verify.ratio_matches(many, None, 0.75) == []
    assert verify.ratio_matches(many, one, 0.75) == []  # no second nearest to compare with
    assert len(verify.ratio_matches(many, many, 0.75)) == 5
    assert verify.ratio_matches(many, np.concatenate([many, many]), 0.75) == []  # two equally good ones


def test_two_matches_are_no_agreement():
    keypoints, descriptors = verify.sift(textured(), SETTINGS["sift"])
    matches = verify.ratio_matches(descriptors, descriptors, 0.75)
    assert verify.inliers(keypoints, keypoints, matches[:2]) == 0
    assert verify.inliers(keypoints, keypoints, matches[:8]) == 8


def test_large_pictures_are_not_enlarged():
    few, _ = verify.sift(textured(pixels=60), {**SETTINGS["sift"], "zoom": 1})
    large = np.kron(textured(pixels=60), np.ones((8, 8)))
    keypoints, _ = verify.sift(large, SETTINGS["sift"])
    assert len(few) > 0 and max(point.pt[0] for point in keypoints) < 480  # in pixels of the picture itself


# --- percentiles and choice


def test_percentiles_of_a_known_list():
    null = np.array([1.0, 2.0, 2.0, 3.0])
    assert verify.percentiles(np.array([0.0, 1.0, 2.0, 3.0, 9.0]), null) == pytest.approx(
        [0.0, 12.5, 50.0, 87.5, 100.0]
    )


def test_percentiles_do_not_depend_on_the_order():
    values = np.random.default_rng(5).random(100)
    order = np.random.default_rng(6).permutation(100)
    assert verify.percentiles(values, values[order]) == pytest.approx(100.0 * (values.argsort().argsort() + 0.5) / 100)


def classified(rows):
    return pd.DataFrame(rows, columns=["run", "snapshot", "frame", "p_rectangle", "class"])


def test_rectangles_are_chosen_best_first_and_spread_over_snapshots():
    rows = [("box", "s1", k, 0.99 - 0.01 * k, "rectangle") for k in range(4)]
    rows += [
        ("box", "s2", 9, 0.7, "rectangle"),
        ("oval", "s1", 2, 0.6, "rectangle"),
        ("box", "s1", 7, 0.999, "oval"),
    ]
    chosen = verify.choose(classified(rows), 4)
    assert list(zip(chosen["run"], chosen["frame"], strict=True)) == [
        ("box", 0),
        ("box", 9),
        ("oval", 2),
        ("box", 1),
    ]
    assert set(chosen["selected_as"]) == {"rectangle"}


def test_without_rectangles_the_nearest_are_taken_and_named_so():
    rows = [("oval", f"s{k}", k, 0.1 * k, "oval") for k in range(4)]
    chosen = verify.choose(classified(rows), 2)
    assert list(chosen["frame"]) == [3, 2]
    assert set(chosen["selected_as"]) == {"highest p_rectangle"}


# --- the stage

#: The frames of the pack: superellipse exponent, angle. Frame 3 is the reference itself, turned.
FRAMES = [(2.0, 0.0), (2.0, 40.0), (3.0, 80.0), (4.0, 120.0), (2.2, 10.0), (6.0, 60.0)]


@pytest.fixture(scope="module")
def stage(tmp_path_factory, folder):
    """A pack, its classification and the table of candidates."""
    path = tmp_path_factory.mktemp("stage")
    pictures = np.stack([galaxy(exponent=n, angle_deg=angle) for n, angle in FRAMES])
    count = len(FRAMES)
    frames = pd.DataFrame({name: np.zeros(count) for name in images.FRAME_COLUMNS})
    frames = frames.assign(frame=np.arange(count), run="box", snapshot="s1", seed=1, label="")
    images.write_pack(path / "box.h5", pictures, frames, {"settings": RENDER})
    table = frames[["run", "snapshot", "frame"]].assign(p_rectangle=[0.1, 0.2, 0.9, 0.8, 0.3, 0.7])
    table["class"] = np.where(table["p_rectangle"] > 0.5, "rectangle", "oval")
    catalog.write_table(path / "classified.parquet", table, {})
    ranked = verify.run(
        [path / "classified.parquet"],
        [path / "box.h5"],
        folder,
        SETTINGS,
        path / "out" / "candidates.parquet",
    )
    return path, ranked


def test_stage_ranks_the_rectangles_by_their_likeness(stage):
    path, ranked = stage
    assert list(ranked["rank"]) == [1, 2, 3]
    assert ranked["frame"][0] == 3 and set(ranked["frame"]) == {2, 3, 5}
    written = catalog.read_table(path / "out" / "candidates.parquet")
    pd.testing.assert_frame_equal(written, ranked, check_dtype=False)
    assert (path / "out" / "candidates.csv").read_text().startswith("rank,")
    assert {"time_gyr", "view_x", "p_rectangle", "sift_verdict"} <= set(written)


def test_candidates_of_a_run_that_fails_its_gates_are_marked(stage, folder, tmp_path, capsys):
    path, ranked = stage
    assert set(ranked["quality"]) == {""}
    pack = images.read_pack(path / "box.h5")
    images.write_pack(tmp_path / "box.h5", pack.images, pack.frames, pack.provenance | {"quality": "energy 1 > 0"})
    again = verify.run([path / "classified.parquet"], [tmp_path / "box.h5"], folder, SETTINGS, tmp_path / "out.parquet")
    assert set(again["quality"]) == {"energy 1 > 0"}
    assert list(again["frame"]) == list(ranked["frame"])
    assert "3 of 3 candidates come from runs that FAIL their quality gates" in capsys.readouterr().out


def test_rank_puts_measured_rectangles_first_then_the_likest():
    """An X has a strong residual too, but no rectangle's isophotes; nor has a frame that could not be measured.

    Nor does a frame count that measures as a rectangle by chance, with errors as large as the limits.
    """
    table = pd.DataFrame(
        {
            "frame": [1, 2, 3, 4, 5],
            "b4": [-0.2, -0.08, -0.07, np.nan, -0.08],
            "b4_err": [0.005, 0.005, 0.005, np.nan, 0.05],
            "b6": [0.04, 0.0, 0.001, np.nan, 0.0],
            "b6_err": [0.003, 0.003, 0.003, np.nan, 0.03],
            "cosine_residual": [0.9, 0.4, 0.6, 0.95, 0.8],
            "cosine_aligned": 0.9,
        }
    )
    order = verify.ranked(table)
    assert list(order["frame"]) == [3, 2, 4, 1, 5]
    assert list(order["rank"]) == [1, 2, 3, 4, 5]
    assert list(order["measured_label"]) == ["rectangle", "rectangle", "none", "none", "rectangle"]
    assert order["p_label"][0] > 0.95 and order["p_label"][4] < 0.3


def test_stage_gives_percentiles_among_all_frames(stage):
    _, ranked = stage
    for name in verify.SCORES:
        assert f"{name}_percentile" in ranked, name
    # six frames; the best of them stands at 5.5 of 6
    assert ranked["cosine_aligned_percentile"][0] == pytest.approx(100.0 * 5.5 / 6)


def test_stage_measures_the_isophotes(stage):
    _, ranked = stage
    shape = ranked.set_index("frame")
    # the superellipse of exponent 4 has B4 = -0.086 (DESIGN); 0.02 for a bump and 50 pixels
    assert shape["b4"][3] == pytest.approx(-0.086, abs=0.02)
    assert shape["b4"][5] < shape["b4"][3] < shape["b4"][2]
    assert shape["axis_ratio"][3] == pytest.approx(0.6, abs=0.03)
    assert shape["a4_over_a"].to_numpy() == pytest.approx((np.sqrt(shape["axis_ratio"]) * shape["b4"]).to_numpy())
    assert np.isfinite(shape["a4_over_a_difference"]).all()


def test_stage_refuses_tables_that_do_not_belong_together(stage, folder, tmp_path):
    path, _ = stage
    table = catalog.read_table(path / "classified.parquet")
    catalog.write_table(tmp_path / "other.parquet", table.assign(run="elsewhere"), {})
    catalog.write_table(tmp_path / "short.parquet", table.drop(columns="p_rectangle"), {})
    catalog.write_table(tmp_path / "empty.parquet", table.iloc[:0], {})
    good = path / "classified.parquet"
    for tables, said in (
        ([tmp_path / "other.parquet"], "3 of 3 candidates are in none of the packs"),
        ([tmp_path / "short.parquet"], "no column p_rectangle"),
        ([tmp_path / "empty.parquet"], "no rows"),
        ([tmp_path / "missing.parquet"], "no such file"),
        ([good, good], "is there twice"),
    ):
        with pytest.raises(InputError, match=said):
            verify.run(tables, [path / "box.h5"], folder, SETTINGS, tmp_path / "out.parquet")
        assert not (tmp_path / "out.parquet").exists()


# --- pictures from the command line


def test_pictures_answer_in_order_with_errors_where_they_failed(stage, folder, tmp_path):
    images.write_png(tmp_path / "turned.png", galaxy(exponent=4.0, angle_deg=30.0))
    images.write_png(tmp_path / "oval.png", galaxy(exponent=2.0))
    (tmp_path / "text.png").write_text("no picture")
    Image.new("L", (1, 1), 7).save(tmp_path / "pixel.png")
    Image.new("L", (50, 50), 7).save(tmp_path / "flat.png")
    names = ["oval.png", "text.png", "turned.png", "pixel.png", "missing.png", "flat.png"]
    found = verify.pictures([tmp_path / name for name in names], folder, SETTINGS)
    assert [row["file"] for row in found] == [str(tmp_path / name) for name in names]
    assert [sorted(row) == ["error", "file"] for row in found] == [False, True, False, True, True, True]
    oval, turned = found[0], found[2]
    assert turned["cosine_aligned"] > 0.99 > turned["cosine_raw"]
    assert (oval["cosine_aligned_percentile"], turned["cosine_aligned_percentile"]) == (25.0, 75.0)
    assert turned["b4"] < -0.05 < oval["b4"]
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_a_pack_is_answered_by_its_best_frame(stage, folder):
    path, _ = stage
    (found,) = verify.pictures([path / "box.h5"], folder, SETTINGS)
    assert (found["frame"], found["frames"]) == (3, 6)
    assert found["cosine_aligned_percentile"] == pytest.approx(100.0 * 5.5 / 6)
    json.dumps([found], allow_nan=False)


def test_one_picture_has_no_percentile(folder, tmp_path):
    images.write_png(tmp_path / "oval.png", galaxy(exponent=2.0))
    (found,) = verify.pictures([tmp_path / "oval.png"], folder, SETTINGS)
    assert all(found[f"{name}_percentile"] is None for name in verify.SCORES)
    assert verify.pictures([], folder, SETTINGS) == []


def test_flux_is_stretched_before_it_is_compared(folder, tmp_path):
    from astropy.io import fits

    flux = images.unstretch(galaxy(exponent=4.0), 3.0) + 1e-4
    fits.PrimaryHDU(flux).writeto(tmp_path / "galaxy.fits")
    (found,) = verify.pictures([tmp_path / "galaxy.fits"], folder, SETTINGS)
    assert found["cosine_raw"] > 0.999  # 8 bits of the reference


def test_a_reference_without_a_galaxy_is_refused(tmp_path):
    images.write_png(tmp_path / "dark.png", 1.0 - galaxy())
    with pytest.raises(InputError, match="no galaxy stands out"):
        verify.read_reference(tmp_path / "dark.png", SETTINGS)


def test_shape_of_the_reference_comes_from_its_card(tmp_path):
    images.write_png(tmp_path / "reference.png", galaxy(exponent=4.0))
    measured = {"axis_ratio": 0.5, "b4": -0.05, "b6": None, "a4_over_a": -0.04}
    (tmp_path / "reference.json").write_text(json.dumps({"measured": measured}))
    shape = verify.read_reference(tmp_path, SETTINGS).shape
    assert shape["b4"] == -0.05 and np.isnan(shape["b6"])
    assert verify.read_reference(tmp_path / "reference.png", SETTINGS).shape["b4"] < -0.06


def test_a_missing_reference_is_one_line(tmp_path):
    for path in (tmp_path, tmp_path / "missing.png"):
        with pytest.raises(InputError, match="no such file") as caught:
            verify.read_reference(path, SETTINGS)
        assert "\n" not in str(caught.value)


def test_distant_frames_of_two_runs_are_told_apart():
    """Frame numbers start anew in each run, so a frame is known by run and number."""
    scored = pd.DataFrame({"run": ["a", "b"], "frame": [0, 0], "cosine_raw": [0.1, 0.2]})
    chosen = classified([("b", "s1", 0, 0.9, "rectangle")])
    joined = verify.join(scored, chosen)
    assert joined["cosine_raw"].tolist() == [0.2] and joined["p_rectangle"].tolist() == [0.9]


def test_scores_do_not_depend_on_the_other_frames(reference):
    pictures = [galaxy(exponent=n, angle_deg=25.0 * n) for n in (2.0, 3.0, 5.0)]
    together = verify.score(pictures, reference, SETTINGS)
    alone = pd.concat([verify.score([picture], reference, SETTINGS) for picture in pictures], ignore_index=True)
    pd.testing.assert_frame_equal(together, alone, rtol=1e-12)  # order of sums in the matrix product
