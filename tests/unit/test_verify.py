"""Verification whole: likeness to references, the table of candidates, pictures in hand, and planted rectangles."""

import dataclasses
import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from PIL import Image

from galclass import catalog, config, images, isophotes, network, telescope, verify
from galclass.errors import InputError
from galclass.reference import model
from galclass.verify import candidates, likeness, nulls, ranking, tables
from galclass.verify.profiles import isophote_profile, profile_columns

OVER, PIXELS, NOISE = 3, 50, 0.002
#: The defaults, of less.
SETTINGS = config.load()["verify"] | {"candidates": 6, "null_frames": 8, "ovals": 8}
RENDER = {"pixels": PIXELS, "depth_dex": 3.0}


def light(exponent=4.0, ratio=0.65, angle_deg=0.0, radius=6.0, shift=(0.0, 0.0), pixels=PIXELS):
    """A stretched exponential galaxy on superelliptic isophotes, of total light 1."""
    offsets = (np.arange(pixels * OVER) + 0.5) / OVER - 0.5 * pixels
    along, across = model.turned(*np.meshgrid(offsets - shift[0], offsets - shift[1]), angle_deg)
    radii = stadium(along, across, ratio) if exponent is None else (
        model.superelliptic_radius(along, across, ratio, exponent))  # fmt: skip
    found = np.exp(-1.678 * radii / radius).reshape(pixels, OVER, pixels, OVER).mean(axis=(1, 3))
    return found / found.sum()


def stadium(along, across, ratio):
    """Half the length of the obround, a rectangle between half circles, through each point; ratio above 1/2."""
    along, across = np.abs(along), np.abs(across)
    a, b, c = (1.0 - ratio) ** 2 - ratio**2, -2.0 * along * (1.0 - ratio), along**2 + across**2
    cap = (-b - np.sqrt(np.maximum(b * b - 4.0 * a * c, 0.0))) / (2.0 * a)
    side = across / ratio
    return np.where(along <= side * (1.0 - ratio), side, cap)


def flux(noise=NOISE, seed=1, **shape):
    """With white noise, relative to the peak, which is 1."""
    found = light(**shape)
    return found / found.max() + noise * np.random.default_rng(seed).standard_normal(found.shape)


def seen(values):
    picture = np.asarray(images.stretch(values, 3.0), dtype=float)
    return likeness.Sight(picture, values, "flux", picture)


def galaxy(**shape):
    """The picture of a galaxy without noise."""
    return np.asarray(images.stretch(light(**shape), 3.0), dtype=float)


def write_fits(path, values):
    fits.PrimaryHDU(values).writeto(path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A boxy galaxy in flux, `box.fits`, and its picture, `box.png`; and an oval."""
    path = tmp_path_factory.mktemp("references")
    for name, exponent in (("box", 4.0), ("oval", 2.0)):
        values = flux(exponent=exponent, angle_deg=25.0, seed=50)
        write_fits(path / f"{name}.fits", values)
        images.write_png(path / f"{name}.png", images.stretch(values, 3.0))
    return path


@pytest.fixture(scope="module")
def references(folder):
    """By the names of their files."""
    names = ("box.fits", "box.png", "oval.fits", "oval.png")
    return {name: verify.read_references(folder / name, SETTINGS)[0] for name in names}


# --- likeness


def test_raw_cosine_is_the_textbook_one():
    from sklearn.metrics.pairwise import cosine_similarity

    stack = np.random.default_rng(2).integers(0, 256, (4, 30, 30)) / 255.0
    expected = cosine_similarity(255.0 * stack[:3].reshape(3, -1), 255.0 * stack[3:].reshape(1, -1))[:, 0]
    assert likeness.cosine_raw(stack[:3], stack[3]) == pytest.approx(expected, abs=1e-12)
    a, b = stack[0].ravel(), stack[3].ravel()
    assert expected[0] == pytest.approx(a @ b / np.sqrt((a @ a) * (b @ b)), abs=1e-12)


def test_raw_cosine_resizes_to_the_reference():
    picture = galaxy()
    large = np.kron(picture, np.ones((3, 3)))
    # 0.001: Lanczos rings a little at the steps of the enlarged picture
    assert likeness.cosine_raw([large], picture)[0] == pytest.approx(1.0, abs=1e-3)


def test_raw_cosine_sees_how_the_galaxy_lies_and_the_aligned_one_does_not(references):
    moved = [seen(flux(angle_deg=115.0, seed=3)), seen(flux(angle_deg=25.0, shift=(5.0, -4.0), seed=4))]
    table = verify.compared(moved, [references["box.fits"]], SETTINGS)
    assert (table["cosine_raw"] < 0.97).all()
    assert (table["cosine_aligned"] > 0.99).all()


def test_a_galaxy_is_wholly_like_itself(references):
    own = references["box.fits"]
    row = verify.compared([likeness.Sight(own.picture, flux(angle_deg=25.0, seed=50), "flux", own.grey)], [own],
                          SETTINGS).iloc[0]  # fmt: skip
    for name in ("cosine_raw", "cosine_aligned", "cosine_residual"):
        assert row[name] == pytest.approx(1.0, abs=1e-6), name  # single precision
    for name in ("profile_distance", "ellipticity_distance", "a4_distance", "b6_distance"):
        assert row[name] == 0.0, name
    for prefix in ("sift", "sift_residual"):
        assert row[f"{prefix}_keypoints"] == row[f"{prefix}_reference_keypoints"]
    assert row["sift_inliers"] == row["sift_matches"]
    assert np.isnan(row["embedding_distance"])  # no classifier
    assert row["axis_ratio"] == own.axis_ratio == own.shape["axis_ratio"]


def test_each_galaxy_is_compared_with_the_reference_it_is_most_like(references):
    both = [references["oval.fits"], references["box.fits"]]
    sights = [seen(flux(exponent=exponent, angle_deg=70.0, seed=8)) for exponent in (4.0, 2.0, 4.0)]
    table = verify.compared(sights, both, SETTINGS)
    assert table["reference"].tolist() == ["box.fits", "oval.fits", "box.fits"]
    alone = [verify.compared([sight], [references[name]], SETTINGS) for sight, name in
             zip(sights, table["reference"], strict=True)]  # fmt: skip
    pd.testing.assert_frame_equal(table, pd.concat(alone, ignore_index=True), rtol=1e-5)  # order of sums
    scores = verify.aligned_scores([sight.picture for sight in sights], both)
    assert scores["reference"].tolist() == table["reference"].tolist()
    assert scores["cosine_aligned"].tolist() == pytest.approx(table["cosine_aligned"].tolist(), abs=1e-5)


def test_references_of_one_name_are_two(folder, tmp_path):
    """As pictures called galaxy.png in two folders are."""
    from galclass import reference

    files = []
    for name in ("oval", "box"):
        (tmp_path / name).mkdir()
        files.append(tmp_path / name / "galaxy.png")
        images.write_png(files[-1], images.read_picture(folder / f"{name}.png")[0])
    settings = {"image": [str(path) for path in files], "palette": "grey"}
    reference.run(settings, RENDER | {"seed": 1, "telescope": {"preset": "ideal"}}, tmp_path / "both")
    both = verify.read_references(tmp_path / "both", SETTINGS)
    row = verify.compared([likeness.read_sight(files[1], 3.0)], both, SETTINGS).iloc[0]
    assert row["cosine_aligned"] == pytest.approx(1.0, abs=1e-4)  # 8 bits
    assert row["cosine_raw"] == pytest.approx(1.0, abs=1e-4)  # with the second, too


def test_the_network_tells_distances_from_the_reference_that_was_chosen(references):
    here, there = np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])
    pair = [dataclasses.replace(references["oval.fits"], embedding=here),
            dataclasses.replace(references["box.fits"], embedding=there)]  # fmt: skip
    sights = [seen(flux(exponent=exponent, seed=9)) for exponent in (2.0, 4.0)]
    rows = np.array([[1.0, 0.0, 0.0], [0.6, 0.8, 0.0]])
    found = verify.compared(sights, pair, SETTINGS, rows)["embedding_distance"]
    assert found.tolist() == pytest.approx([0.0, 0.2], abs=1e-7)


def test_profiles_of_flux_are_compared_with_flux_and_those_of_pictures_with_pictures(references):
    """The effective radius of a picture is not that of the flux; mixed, the radii would not be the same."""
    box = references["box.fits"]
    assert set(box.profiles) == {"flux", "picture"} and set(references["box.png"].profiles) == {"picture"}
    assert box.profile is box.profiles["flux"]
    same = seen(flux(angle_deg=80.0, seed=51))
    flat = likeness.as_picture(same)
    assert flat.kind == "picture" and flat.light is same.picture
    expected = {
        ("flux", "box.fits"): profile_columns(isophote_profile(same.light, "flux"), box.profiles["flux"]),
        ("picture", "box.fits"): profile_columns(isophote_profile(same.picture, "picture"), box.profiles["picture"]),
        ("flux", "box.png"): profile_columns(isophote_profile(same.picture, "picture"), references["box.png"].profile),
    }
    for (kind, name), wanted in expected.items():
        row = verify.compared([same if kind == "flux" else flat], [references[name]], SETTINGS).iloc[0]
        for column, value in wanted.items():
            assert row[column] == pytest.approx(value, nan_ok=True), (kind, name, column)
        assert row["profile_distance"] < 1.0  # less than two galaxies of one kind may differ by
    assert box.profiles["picture"].r_eff_px > 1.2 * box.profile.r_eff_px
    distances = [wanted["profile_distance"] for wanted in expected.values()]
    assert len(set(distances)) == 3  # each comparison is another one


def test_flux_is_stretched_before_it_is_compared(folder):
    sight = likeness.read_sight(folder / "box.fits", 3.0)
    assert sight.kind == "flux" and sight.light == pytest.approx(flux(angle_deg=25.0, seed=50))
    assert sight.picture == pytest.approx(images.read_picture(folder / "box.png")[0], abs=0.6 / 255)  # 8 bits
    plain = likeness.read_sight(folder / "box.png", 3.0)
    assert plain.kind == "picture" and plain.light is plain.picture


def test_shape_of_a_reference_is_measured(references):
    # a superellipse of exponent 4 has B4 = -0.0863 (tests/physics/test_shapes.py); 0.01 for the noise
    assert references["box.fits"].shape["b4"] == pytest.approx(-0.0863, abs=0.01)
    assert references["oval.fits"].shape["b4"] == pytest.approx(0.0, abs=0.01)
    assert references["box.fits"].axis_ratio == pytest.approx(0.65, abs=0.02)


def test_a_folder_of_references_is_read_with_what_is_known_of_each(folder, tmp_path):
    from galclass import reference

    pair = [str(folder / "box.fits"), str(folder / "oval.png")]
    reference.run({"image": pair, "palette": "grey"}, RENDER | {"seed": 1, "telescope": {"preset": "ideal"}}, tmp_path)
    first, second = verify.read_references(tmp_path, SETTINGS)
    assert (first.name, second.name) == ("box.fits", "oval.png")
    assert set(first.profiles) == {"flux", "picture"} and set(second.profiles) == {"picture"}
    assert likeness.reference_files(tmp_path) == [tmp_path / "reference.png", tmp_path / "reference_2.png"]
    assert first.shape["b4"] < -0.07 < -0.02 < second.shape["b4"]


def test_references_that_cannot_be_used_are_one_line(tmp_path):
    images.write_png(tmp_path / "dark.png", 1.0 - galaxy())
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "reference.json").write_text("{")
    (tmp_path / "empty").mkdir()
    for name, said in (("dark.png", "no galaxy stands out from the border"), ("text.png", "not a readable PNG"),
                       ("missing.png", "no such file"), ("broken", "not what `galclass reference` writes"),
                       ("empty", "reference.json: not what `galclass reference` writes")):  # fmt: skip
        with pytest.raises(InputError, match=said) as caught:
            verify.read_references(tmp_path / name, SETTINGS)
        assert "\n" not in str(caught.value) and name in str(caught.value)


# --- the choice of candidates


def classified(rows):
    return pd.DataFrame(rows, columns=["run", "snapshot", "frame", "p_rectangle", "class"])


def test_rectangles_are_chosen_best_first_and_spread_over_snapshots():
    rows = [("box", "s1", k, 0.99 - 0.01 * k, "rectangle") for k in range(4)]
    rows += [("box", "s2", 9, 0.7, "rectangle"), ("oval", "s1", 2, 0.6, "rectangle"), ("box", "s1", 7, 0.999, "oval")]
    chosen = tables.choose(classified(rows), 4)
    assert list(zip(chosen["run"], chosen["frame"], strict=True)) == [("box", 0), ("box", 9), ("oval", 2), ("box", 1)]
    assert set(chosen["selected_as"]) == {"rectangle"}


def test_without_rectangles_the_nearest_are_taken_and_named_so():
    chosen = tables.choose(classified([("oval", f"s{k}", k, 0.1 * k, "oval") for k in range(4)]), 2)
    assert list(chosen["frame"]) == [3, 2]
    assert set(chosen["selected_as"]) == {"highest p_rectangle"}


def test_frames_of_two_runs_are_told_apart():
    """Frame numbers start anew in each run, so a frame is known by run and number."""
    frames = pd.DataFrame({"run": ["a", "b"], "frame": [0, 0], "pack": [0, 1], "row": [0, 0]})
    joined = tables.located(frames, classified([("b", "s1", 0, 0.9, "rectangle")]))
    assert joined["pack"].tolist() == [1] and joined["p_rectangle"].tolist() == [0.9]


def test_candidates_are_ranked_by_their_combined_score_and_labelled_by_their_isophotes():
    table = pd.DataFrame(
        {
            "run": "box",
            "frame": [1, 2, 3, 4, 5],
            "b4": [-0.2, -0.08, -0.07, np.nan, -0.08],
            "b4_err": [0.005, 0.005, 0.005, np.nan, 0.05],
            "b6": [0.04, 0.0, 0.001, np.nan, 0.0],
            "b6_err": [0.003, 0.003, 0.003, np.nan, 0.03],
            "combined": [0.9, 0.4, 0.9, -0.95, 0.8],
        }
    )
    order = candidates.ranked(table)
    assert list(order["frame"]) == [1, 3, 5, 2, 4]  # equal ones by run and frame
    assert list(order["rank"]) == [1, 2, 3, 4, 5] and order.columns[0] == "rank"
    assert list(order["measured_label"]) == ["none", "rectangle", "rectangle", "rectangle", "none"]
    # errors as large as the limits of the class leave little of it
    assert order["p_label"][1] > 0.95 and order["p_label"][2] < 0.3


# --- the stage

#: Exponents of the galaxies of the two packs; half of the first are boxes.
PACKS = {"box": [4.0, 2.0, 4.0, 2.2, 4.0, 2.0, 3.8], "oval": [2.0, 2.1, 1.8, 2.0, 2.0, 1.9]}
#: Those that are called rectangles.
CALLED = {"box": [0, 1, 2, 4], "oval": [0, 2]}


def write_pack(path, run, provenance):
    values = np.stack([flux(exponent=exponent, angle_deg=40.0 * k, ratio=0.55 + 0.04 * k, seed=10 * k + len(run))
                       for k, exponent in enumerate(PACKS[run])]).astype(np.float32)  # fmt: skip
    frames = pd.DataFrame({name: np.zeros(len(values)) for name in images.FRAME_COLUMNS})
    frames = frames.assign(frame=np.arange(len(values)), run=run, seed=1, galaxies=1, label="")
    frames["snapshot"] = [f"s{k}" for k in range(len(values))]
    images.write_pack(path, images.stretch(values, 3.0), frames, {"settings": RENDER} | provenance, {"flux": values})
    table = frames[["run", "snapshot", "frame"]].assign(
        p_rectangle=[0.9 - 0.01 * k if k in CALLED[run] else 0.1 for k in range(len(values))]
    )
    table["class"] = np.where(table["p_rectangle"] > 0.5, "rectangle", "oval")
    return table


@pytest.fixture(scope="module")
def network_folder(tmp_path_factory):
    """A classifier that was never trained."""
    path = tmp_path_factory.mktemp("network")
    network.fix_seeds(1)
    size = 3 * 16
    calibration = {"temperature": 1.0, "mean": [0.0] * size, "limit": 10.0, "whitening": np.eye(size).tolist()}
    card = {"kind": "trusted", "classes": list(network.TRUSTED_CLASSES), "pixels": None, "preprocessing": {},
            "calibration": calibration, "metrics": {}, "provenance": {}}  # fmt: skip
    network.write([network.build(network.trusted_layers())], path, card)
    return path


@pytest.fixture(scope="module")
def controls(tmp_path_factory):
    """Four pictures of ovals, and a file that is none."""
    path = tmp_path_factory.mktemp("controls")
    for k in range(4):
        picture = images.stretch(flux(exponent=2.0, angle_deg=50.0 * k, ratio=0.6 + 0.05 * k, seed=70 + k), 3.0)
        images.write_png(path / f"c{k}.png", picture)
    (path / "bad.png").write_text("no picture")
    return path


@pytest.fixture(scope="module")
def flow(tmp_path_factory):
    """Two packs, of which the second's run fails its gates, and their classification."""
    path = tmp_path_factory.mktemp("flow")
    for run, provenance in (("box", {}), ("oval", {"quality": "energy 1 > 0"})):
        table = write_pack(path / f"{run}.h5", run, provenance)
        catalog.write_table(path / f"{run}.parquet", table, {})
    return path


def run_stage(flow, folder, network_folder, output, **settings):
    classifications, packs = ([flow / f"{run}.{kind}" for run in PACKS] for kind in ("parquet", "h5"))
    return verify.run(classifications, packs, folder / "box.fits", network_folder, SETTINGS | settings, output)


@pytest.fixture(scope="module")
def stage(flow, folder, network_folder, controls):
    """The folder of results, with controls."""
    run_stage(flow, folder, network_folder, flow / "out" / "candidates.parquet", controls=str(controls))
    return flow / "out"


@pytest.fixture(scope="module")
def ranked(stage):
    return catalog.read_table(stage / "candidates.parquet")


def test_stage_ranks_the_planted_boxes_first(ranked):
    assert list(ranked["rank"]) == list(range(1, 7))
    found = list(zip(ranked["run"], ranked["frame"], strict=True))
    assert set(found) == {(run, frame) for run, frames in CALLED.items() for frame in frames}
    assert set(found[:3]) == {("box", 0), ("box", 2), ("box", 4)}
    assert (np.diff(ranked["combined"]) < 0.0).all()
    assert ranked["measured_label"][:3].tolist() == ["rectangle"] * 3
    assert "rectangle" not in set(ranked["measured_label"][3:])


def test_stage_writes_its_tables_in_every_form(stage, ranked):
    for name in ("candidates", "nulls", "profiles"):
        assert {f"{name}.{kind}" for kind in ("parquet", "csv", "fits")} <= {path.name for path in stage.iterdir()}
        table = catalog.read_table(stage / f"{name}.parquet")
        assert len(table) == len(pd.read_csv(stage / f"{name}.csv"))
        with fits.open(stage / f"{name}.fits") as file:
            assert len(file[1].data) == len(table)
            assert {column.lower() for column in file[1].columns.names} == {column.lower() for column in table}
    assert {"time_gyr", "view_x", "roll_deg", "snr", "p_rectangle", "selected_as", "sift_verdict", "a4_distance",
            "inner_disc_re", "embedding_distance", "axis_ratio", "b4_err", "p_label"} <= set(ranked)  # fmt: skip
    assert not {"pack", "row"} & set(ranked)
    assert catalog.read_provenance(stage / "candidates.parquet")["weights"].keys() <= ranking.COMBINED.keys()


def test_stage_keeps_every_null_with_its_scores(stage):
    null = catalog.read_table(stage / "nulls.parquet")
    assert null["null"].value_counts().to_dict() == {"frames": 8, "ovals": 8, "controls": 4}
    assert null[list(verify.SCORES)].notna().all(axis=None)
    ovals = null[null["null"] == "ovals"]
    assert (ovals["b4"].abs() < 5.0 * ovals["b4_err"]).all()  # of which half are boxes made oval


def test_stage_holds_every_score_against_every_null(stage, ranked):
    null = catalog.read_table(stage / "nulls.parquet")
    for name, sign in verify.SCORES.items():
        for end, kind in (("", "frames"), ("_ovals", "ovals")):
            members = sign * null.loc[null["null"] == kind, name].to_numpy()
            expected = ranking.percentiles(sign * ranked[name].to_numpy(), members)
            assert ranked[f"{name}_percentile{end}"].to_numpy() == pytest.approx(expected), name
        assert ranked[f"{name}_percentile_controls"].between(0.0, 100.0).all(), name
    for end, kind in (("", "frames"), ("_ovals", "ovals")):
        members = null.loc[null["null"] == kind, "combined"].to_numpy()
        expected = ranking.chance_probability(ranked["combined"].to_numpy(), members, 6)
        assert ranked[f"p_chance{end}"].to_numpy() == pytest.approx(expected)
    assert (ranked["cosine_residual_percentile_controls"][:3] == 100.0).all()
    assert (ranked["combined_percentile_ovals"][:3] == 100.0).all()


def test_stage_holds_pictures_against_pictures(stage, ranked, flow, controls, references):
    """The first candidate's percentile among controls: of its picture, not of its flux."""
    row = ranked.iloc[0]
    values = images.read_pack(flow / f"{row['run']}.h5").flux[int(row["frame"])].astype(float)
    picture = likeness.as_picture(seen(values))
    null = catalog.read_table(stage / "nulls.parquet")
    members = -null.loc[null["null"] == "controls", "profile_distance"].to_numpy()
    score = -verify.compared([picture], [references["box.fits"]], SETTINGS)["profile_distance"].to_numpy()
    assert row["profile_distance_percentile_controls"] == ranking.percentiles(score, members)[0]
    sights = [likeness.read_sight(path, 3.0) for path in sorted(controls.glob("c*.png"))]
    expected = verify.compared(sights, [references["box.fits"]], SETTINGS)["profile_distance"].to_numpy()
    assert -members == pytest.approx(expected)


def test_candidates_and_controls_are_compared_as_pictures(tmp_path):
    """Controls in flux, too: what can be compared must not depend on the kind of file."""
    write_fits(tmp_path / "a.fits", flux(exponent=2.0))
    images.write_png(tmp_path / "b.png", galaxy(exponent=2.0))
    kinds = {}

    class Comparison:
        classifier = SimpleNamespace(file_inputs=lambda path: np.full(2, float(len(path.suffix))))

        def __call__(self, sights, what, inputs=None):
            kinds[what] = [sight.kind for sight in sights]
            assert all(sight.light is sight.picture for sight in sights)
            return pd.DataFrame({"cosine_aligned": np.linspace(0.5, 0.9, len(sights))})

    combination = ranking.fit_combination(pd.DataFrame({"cosine_aligned": [0.5, 0.6, 0.9]}))
    settings = SETTINGS | {"controls": str(tmp_path)}
    found = candidates._controls(Comparison(), combination, [seen(flux())] * 3, settings, 3.0)
    assert kinds == {"controls": ["picture"] * 2, "candidates": ["picture"] * 3}
    assert [len(table) for table in found] == [2, 3]
    assert all(table["combined"].tolist() == combination(table).tolist() for table in found)


def test_stage_keeps_the_isophotes_of_candidates_and_reference(stage, ranked):
    rows = catalog.read_table(stage / "profiles.parquet")
    named = set(zip(rows["run"], rows["frame"], strict=True))
    assert named == set(zip(ranked["run"], ranked["frame"], strict=True)) | {("reference", 0)}
    outer = rows[rows["radius_re"].between(0.9, 2.0)].groupby(["run", "frame"])["a4_over_a"].mean()
    assert outer["reference", 0] == pytest.approx(-0.0863 * np.sqrt(0.65), abs=0.01)  # noise
    for run, frames in CALLED.items():
        for frame in frames:
            assert (outer[run, frame] < -0.04) == (PACKS[run][frame] > 3.0)


def test_candidates_of_a_run_that_fails_its_gates_are_marked(ranked):
    marks = ranked["quality"].fillna("").groupby(ranked["run"]).unique()
    assert {run: list(found) for run, found in marks.items()} == {"box": [""], "oval": ["energy 1 > 0"]}


def test_stage_says_the_same_again_and_needs_no_controls(stage, ranked, flow, folder, network_folder, tmp_path, capsys):
    again = run_stage(flow, folder, network_folder, tmp_path / "again.parquet")
    assert "2 of 6 candidates come from runs that FAIL their quality gates" in capsys.readouterr().out
    rest = [name for name in ranked if not name.endswith("_controls")]
    written = catalog.read_table(tmp_path / "again.parquet")
    pd.testing.assert_frame_equal(written[rest], ranked[rest])
    pd.testing.assert_frame_equal(written, again, check_dtype=False)
    assert again[[name for name in again if name.endswith("_controls")]].isna().all(axis=None)
    null = catalog.read_table(stage / "nulls.parquet")
    kept = null[null["null"] != "controls"]
    pd.testing.assert_frame_equal(catalog.read_table(tmp_path / "nulls.parquet"), kept)


def test_stage_refuses_files_that_do_not_belong_together(flow, folder, network_folder, tmp_path):
    table = catalog.read_table(flow / "box.parquet")
    catalog.write_table(tmp_path / "other.parquet", table.assign(run="elsewhere"), {})
    catalog.write_table(tmp_path / "short.parquet", table.drop(columns="p_rectangle"), {})
    good, pack, box = flow / "box.parquet", flow / "box.h5", folder / "box.fits"
    (tmp_path / "text.h5").write_text("no pack")
    for files, said in (
        (([tmp_path / "other.parquet"], [pack], box, network_folder), "6 of 6 candidates are in none of the packs"),
        (([tmp_path / "short.parquet"], [pack], box, network_folder), "no column p_rectangle"),
        (([tmp_path / "missing.parquet"], [pack], box, network_folder), "missing.parquet: no such file"),
        (([good, good], [pack], box, network_folder), "is there twice"),
        (([good], [tmp_path / "missing.h5"], box, network_folder), "missing.h5: no such file"),
        (([good], [tmp_path / "text.h5"], box, network_folder), "text.h5"),
        (([good], [pack], tmp_path / "missing.png", network_folder), "missing.png: no such file"),
        (([good], [pack], box, tmp_path / "none"), "none"),
    ):
        with pytest.raises(InputError, match=said) as caught:
            verify.run(*files, SETTINGS, tmp_path / "out.parquet")
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "out.parquet").exists()
    with pytest.raises(InputError, match="name it so"):
        verify.run([good], [pack], box, network_folder, SETTINGS, tmp_path / "out.csv")


def test_all_scores_count_alike_where_the_reference_is_an_oval(folder, capsys):
    """Then no shape tells it from ovals, and no galaxies are made to weigh the scores."""

    class Comparison:
        references = verify.read_references(folder / "oval.fits", SETTINGS)

    chance = pd.DataFrame({"cosine_aligned": [0.9, 0.95, 0.99], "sift_inliers": [1, 2, 3]})
    found = candidates._fitted(Comparison(), [], chance, SETTINGS, 3.0, np.random.default_rng(1))
    assert found.weight == {"cosine_aligned": 0.5, "sift_inliers": 0.5}
    assert "all scores count alike" in capsys.readouterr().out


def test_scores_are_weighed_by_galaxies_with_the_isophotes_of_the_reference(references):
    """And by those with others; what tells the two apart, here the cosine, weighs more."""
    made, target = {}, [references["box.fits"]]

    class Comparison:
        references = target

        def __call__(self, sights, what):
            made[what] = [isophotes.measure(sight.light).b4 for sight in sights]
            cosine = 0.92 if what == "shapes 1" else 0.9  # two or three of its widths
            return pd.DataFrame({"cosine_aligned": cosine - 0.01 * np.arange(len(sights)), "sift_inliers": [1, 3]})

    ovals = pd.DataFrame({"cosine_aligned": [0.89, 0.9, 0.91], "sift_inliers": [1, 3, 2]})
    sights = [seen(flux(exponent=exponent)) for exponent in (2.0, 4.0)]
    found = candidates._fitted(Comparison(), sights, ovals, SETTINGS, 3.0, np.random.default_rng(1))
    assert list(made) == ["shapes 1", "shapes 2", "shapes 3"]
    wanted = [references["box.fits"].shape["b4"], *(b4 for b4, _ in candidates._OTHER_SHAPES)]
    for b4, twins in zip(wanted, made.values(), strict=True):
        assert twins == pytest.approx([b4] * 2, abs=0.005)  # three errors of the noise
    assert found.weight["cosine_aligned"] > found.weight["sift_inliers"]


# --- pictures in hand

ANSWERED = ("cosine_raw", "cosine_aligned", "cosine_residual", "sift_keypoints", "sift_inliers")


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """Files that can be used and others."""
    path = tmp_path_factory.mktemp("pictures")
    images.write_png(path / "turned.png", galaxy(exponent=4.0, angle_deg=95.0))
    images.write_png(path / "oval.png", galaxy(exponent=2.0, ratio=0.8))
    write_fits(path / "flux.fits", flux(angle_deg=10.0, seed=5))
    (path / "text.png").write_text("no picture")
    (path / "text.h5").write_text("no pack")
    Image.new("L", (1, 1), 7).save(path / "pixel.png")
    Image.new("L", (50, 50), 7).save(path / "flat.png")
    return path


def test_pictures_answer_in_order_with_errors_where_they_failed(mixed, folder):
    names = ["oval.png", "text.png", "turned.png", "pixel.png", "missing.png", "flat.png", "text.h5", "flux.fits"]
    found = verify.pictures([mixed / name for name in names], folder / "box.fits", SETTINGS)
    assert [row["file"] for row in found] == [str(mixed / name) for name in names]
    failed = {1, 3, 4, 5, 6}
    for k, row in enumerate(found):
        if k in failed:
            assert sorted(row) == ["error", "file"] and "\n" not in row["error"] and names[k] in row["error"]
        else:
            assert {*ANSWERED, *(f"{name}_percentile" for name in ANSWERED)} <= set(row)
            assert not {"input", "frame", "frames"} & set(row)
    oval, turned, own = found[0], found[2], found[7]
    assert turned["cosine_aligned"] > 0.99 and own["cosine_aligned"] > 0.99
    assert oval["cosine_residual_percentile"] == pytest.approx(100.0 / 6)  # the last of three, itself counted half
    rest = sorted([turned["cosine_residual_percentile"], own["cosine_residual_percentile"]])
    assert rest == pytest.approx([50.0, 500.0 / 6])
    assert turned["b4"] < -0.05 < -0.02 < oval["b4"]
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_one_picture_has_no_percentile(mixed, folder):
    (found,) = verify.pictures([mixed / "turned.png"], folder / "box.png", SETTINGS)
    assert all(found[f"{name}_percentile"] is None for name in ANSWERED)
    json.dumps(found, allow_nan=False)
    assert verify.pictures([], folder / "box.png", SETTINGS) == []
    (failed,) = verify.pictures([mixed / "text.png"], folder / "box.png", SETTINGS)
    assert sorted(failed) == ["error", "file"]


def test_a_pack_is_answered_by_its_best_frame(flow, folder, mixed, monkeypatch):
    from galclass.verify import single

    monkeypatch.setattr(single, "_CHUNK", 2)  # the pack in four pieces, the best frame not in the first
    pack, other = verify.pictures([flow / "box.h5", mixed / "oval.png"], folder / "box.fits", SETTINGS, processes=1)
    frames = images.read_pack(flow / "box.h5")
    cosines = verify.aligned_scores(list(frames.images), verify.read_references(folder / "box.fits", SETTINGS))
    assert pack["frame"] == int(cosines["cosine_aligned"].to_numpy().argmax())
    assert pack["frame"] >= 2 and pack["frames"] == len(frames.images) == len(PACKS["box"])
    assert pack["cosine_aligned"] == pytest.approx(cosines["cosine_aligned"].max(), abs=1e-5)
    # the best of eight pictures, itself counted half
    assert pack["cosine_aligned_percentile"] == pytest.approx(100.0 * 7.5 / 8)
    assert "frame" not in other or other["frame"] is None
    json.dumps([pack, other], allow_nan=False)


def test_pictures_are_held_against_controls_where_there_are_some(mixed, folder, controls):
    settings = SETTINGS | {"controls": str(controls)}
    (found,) = verify.pictures([mixed / "turned.png"], folder / "box.png", settings)
    assert found["cosine_residual_percentile"] == 100.0  # all four are ovals
    paths, _ = nulls.read_controls(nulls.control_files(settings), 3.0)
    null = [row["cosine_raw"] for row in verify.pictures(paths, folder / "box.png", SETTINGS)]
    expected = ranking.percentiles(np.array([found["cosine_raw"]]), np.array(null))[0]
    assert found["cosine_raw_percentile"] == expected
    assert found["combined_percentile"] == 100.0
    assert 0.0 < found["p_chance"] <= 1.0 / 5.0 + 1e-9  # none of four is as high: one in five, for one that was tried
    twice = verify.pictures([mixed / "turned.png"] * 2, folder / "box.png", settings)
    assert twice[0]["p_chance"] == pytest.approx(1.0 - (1.0 - found["p_chance"]) ** 2)
    with pytest.raises(InputError, match="verify.controls: .* is no folder"):
        verify.pictures([], folder / "box.png", SETTINGS | {"controls": str(mixed / "none")})


# --- does it find rectangles?


def observed(camera, rng, exponent, **shape):
    """A galaxy of 300 microjansky in pixels of 0.4 arcsec: signal to noise of about 20 at the effective radius."""
    return seen(
        telescope.observe(300.0 * light(exponent=exponent, **shape), camera, 0.4, rng, telescope.NO_EXTRAS).flux
    )


def test_planted_rectangles_are_found_by_the_combination(tmp_path):
    """Rectangles among ovals and obrounds of the same axis ratios, sizes and noise; the reference is another one."""
    from sklearn.metrics import average_precision_score

    camera, rng = telescope.read_preset("decals_r"), np.random.default_rng(5)
    one = observed(camera, rng, 4.0, ratio=0.65, angle_deg=25.0, radius=6.5)
    references = verify.read_references(write_fits(tmp_path / "one.fits", one.light), SETTINGS)
    kinds = [4.0] * 8 + [2.0] * 12 + [None] * 6
    sights = [observed(camera, rng, kind, ratio=rng.uniform(0.55, 0.85), angle_deg=rng.uniform(0, 180),
                       radius=rng.uniform(5, 8), shift=rng.uniform(-1.5, 1.5, 2)) for kind in kinds]  # fmt: skip

    def twins(b4, b6, count):
        chosen = [nulls.twin(sights[7 * k % len(sights)], b4, b6, 3.0, rng) for k in range(count)]
        return verify.compared(chosen, references, SETTINGS)

    others = pd.concat([twins(0.0, 0.0, 8), *(twins(*other, 4) for other in candidates._OTHER_SHAPES)])
    alike = twins(references[0].shape["b4"], references[0].shape["b6"], 8)
    table = verify.compared(sights, references, SETTINGS)
    table["combined"] = ranking.fit_combination(others, alike)(table)
    truth = np.array([kind == 4.0 for kind in kinds])
    found = {name: average_precision_score(truth, table[name])
             for name in ("cosine_raw", "cosine_aligned", "combined")}  # fmt: skip
    # 8 of 26 by chance: 0.31; a rank or two of eight is 0.1
    assert found["combined"] > 0.85
    assert found["combined"] > max(found["cosine_raw"], found["cosine_aligned"]) + 0.15
