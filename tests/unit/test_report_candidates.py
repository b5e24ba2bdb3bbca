"""The page of the candidates shows each to scale, with its scores, and how to make it again."""

import dataclasses
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from galclass import config, images, plotstyle, snapshot, verify
from galclass.errors import InputError
from galclass.report import candidates, figures, page
from tests.unit.test_render import stars
from tests.unit.test_report import isophotes_of, some_results, untrained

PROGRAM = Path(sys.executable).with_name("galclass")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return some_results(untrained(tmp_path_factory.mktemp("network")))


@pytest.fixture(scope="module")
def filled(finished):
    """What the template is given, and the tables of numbers."""
    return candidates.page(finished, config.load())


def test_page_is_whole_and_escapes_text(filled):
    html = page.render(filled[0], "candidates.html.j2")
    assert "a galaxy &lt;b&gt;&amp;" in html and "<b>&" not in html
    assert "{{" not in html
    # Pair, profiles, matches, saliency of both; the sky of the one whose snapshot was looked at from all sides.
    assert html.count("data:image/png;base64,") == 2 * 4 + 1
    for rank in (1, 2):
        assert f'<section id="candidate-{rank}">' in html and f'<a href="#candidate-{rank}">' in html


def test_the_number_of_candidates_is_that_of_the_settings(finished):
    settings = config.merge(config.load(), {"report": {"candidates": 1}})
    values, numbers = candidates.page(finished, settings)
    assert [card["rank"] for card in values["cards"]] == [1]
    assert values["total"] == 2
    assert set(numbers["saliency"]["rank"]) == {1}


def test_every_score_stands_with_its_percentiles(filled):
    table = filled[0]["cards"][0]["scores"]
    rows = {row[0]: row[1:] for row in table["rows"]}
    assert len(rows) == len(verify.SCORES) + 1
    assert rows[candidates.TITLES["cosine_raw"]] == ["0.900", "99.5", "99.5", "no controls given"]
    assert rows[candidates.TITLES["sift_inliers"]][0] == "3"
    assert rows["as good by chance, the best of all tried"] == ["", "p 0.04", "p 0.04", "no controls given"]


def test_controls_are_shown_where_they_were_given(finished):
    row = finished.candidates.iloc[0].to_dict() | {"cosine_raw_percentile_controls": 12.0, "p_chance_controls": 0.5}
    rows = {row[0]: row[1:] for row in candidates.scores(row)["rows"]}
    assert rows[candidates.TITLES["cosine_raw"]][-1] == "12"
    assert rows["as good by chance, the best of all tried"][-1] == "p 0.5"


def test_the_page_says_that_there_are_no_controls(finished, filled):
    assert "none were given here" in page.render(filled[0], "candidates.html.j2")
    assert "none were given here" not in page.render(filled[0] | {"has_controls": True}, "candidates.html.j2")


def test_words_of_a_candidate(filled):
    first, second = filled[0]["cards"]
    assert first["sift"] == "3 keypoints against 5, 4 matches, 3 of which lie alike: not informative"
    assert first["aligned"] == "Most like the reference when mirrored and turned by 33 degrees."
    assert second["aligned"] == ""
    assert first["seen"].startswith("box: rectangular from 33 % of the sky")
    assert ["B4", "-0.080 ± 0.010"] in first["shape"] and ["B4", "–"] in second["shape"]
    assert first["sky"] and not second["sky"]  # snapshot_001 was not looked at from all sides


def test_a_run_nobody_looked_at_from_all_sides_has_no_map(finished):
    card = candidates.page(dataclasses.replace(finished, visibility={}, spans={}), config.load())[0]["cards"][0]
    assert card["sky"] == card["seen"] == ""


def test_origin_has_the_view_and_the_orbit(finished, filled):
    rows = dict(filled[0]["cards"][0]["origin"])
    assert rows["frame"] == "5 of results/render/mergers/box.h5"
    assert rows["view from"] == "(+1.0000, +0.0000, +0.0000): longitude 0.0, latitude 0.0 degrees"
    orbit = config.read_mergers(config.ROOT / "config" / "mergers.tsv")["box"]
    assert rows["orbit: pericentre [kpc]"] == str(orbit["pericentre_kpc"])
    assert rows["orbit: mass ratio"] == str(orbit["mass_ratio"])
    assert dict(filled[0]["cards"][1]["origin"])["S/N at that radius"] == "–"


@pytest.mark.parametrize(
    ("name", "title"), [("pericentre_kpc", "pericentre [kpc]"), ("mass_ratio", "mass ratio"), ("seed", "seed")]
)
def test_titles_have_units_in_brackets(name, title):
    assert candidates.column_title(name) == title


def test_a_reference_that_is_not_there_is_named(finished):
    other = dataclasses.replace(finished, candidates=finished.candidates.assign(reference="another"))
    with pytest.raises(InputError, match="reference 'another' of the candidates is not among"):
        candidates.best(other, 1)


# Numbers behind the figures -------------------------------------------------------------------------------


def test_matches_are_those_of_the_pictures(finished, filled):
    """The candidates are the picture of the reference itself, so that every keypoint is matched with itself."""
    table = filled[1]["matches"]
    assert list(table) == ["rank", "run", "frame", "x", "y", "reference_x", "reference_y", "is_inlier"]
    np.testing.assert_allclose(table["x"], table["reference_x"])
    np.testing.assert_allclose(table["y"], table["reference_y"])


def test_saliency_has_a_row_a_place(finished, filled):
    table = filled[1]["saliency"]
    assert (table.groupby("rank").size() == table[["ring", "place"]].drop_duplicates().shape[0]).all()
    assert table[["x", "y"]].to_numpy().std() > 0


# Figures --------------------------------------------------------------------------------------------------


def one(finished) -> tuple[candidates.Candidate, pd.DataFrame, pd.DataFrame]:
    candidate = candidates.best(finished, 1)[0]
    return candidate, isophotes_of("box", 5, -0.05), isophotes_of("reference", 0, -0.06).assign(radius_px=[4, 8, 16])


def test_pictures_are_to_scale_on_the_sky_where_both_scales_are_known(finished):
    assert candidates.common_scale(*one(finished)) == ("arcsec", (2.0, 2.6))


def test_else_by_effective_radii_else_by_the_frame(finished):
    candidate, own, known = one(finished)
    known_scale = vars(candidate.reference) | {"pixel_arcsec": None}
    candidate = dataclasses.replace(candidate, reference=type(candidate.reference)(**known_scale))
    assert candidates.common_scale(candidate, own, known) == ("effective radii", (1 / 5.0, 1 / 8.0))
    own = own.assign(radius_px=np.nan)
    assert candidates.common_scale(candidate, own, known) == ("of the picture", (1 / 24, 1 / 24))


@pytest.mark.parametrize(("longest", "length"), [(47.0, 20.0), (50.0, 50.0), (0.4, 0.2), (1.0, 1.0), (9.99, 5.0)])
def test_scale_bars_have_round_lengths(longest, length):
    assert figures.round_length(longest) == pytest.approx(length)


def test_the_scale_bar_is_as_long_as_it_says(finished):
    fig, ax = plotstyle.figure(2, 2)
    figures.plot_to_scale(finished.references[0].picture, 2.6, 65.0, ax)
    figures.plot_scale_bar(65.0, "arcsec", ax, scale=0.1, other="kpc")
    left, right = ax.lines[-1].get_xdata()
    assert right - left == pytest.approx(50.0)
    assert ax.texts[-1].get_text() == "50 arcsec = 5 kpc"
    assert ax.get_xlim() == (-65.0, 65.0)
    assert ax.images[0].get_extent() == pytest.approx([-31.2, 31.2, -31.2, 31.2])  # 24 pixels of 2.6


def test_profiles_show_both_galaxies_with_errors(finished):
    fig, axes = plotstyle.figure(6, 2, ncols=3)
    figures.plot_profiles(*one(finished)[1:], axes)
    assert [text.get_text() for text in axes[0].get_legend().get_texts()] == ["reference", "candidate"]
    reference, candidate = (container.lines[0] for container in axes[0].containers)
    np.testing.assert_array_equal(candidate.get_ydata().astype(float), [-0.05, -0.05, np.nan])
    np.testing.assert_array_equal(reference.get_ydata().astype(float), [-0.06, -0.06, np.nan])
    assert all(container.has_yerr for ax in axes for container in ax.containers)


def test_inliers_stand_out_from_other_matches():
    """Two pictures of different size are drawn equally wide; a pixel's middle is half a pixel from its edge."""
    rows = {"x": [0.0, 9.0], "y": [0.0, 9.0], "reference_x": [19.0, 0.0], "reference_y": [0.0, 19.0]}
    fig, ax = plotstyle.figure(4, 2)
    figures.plot_matches(np.zeros((10, 10)), np.zeros((20, 20)), pd.DataFrame(rows | {"is_inlier": [True, False]}), ax)
    outlier, inlier = ax.lines
    assert inlier.get_linewidth() > outlier.get_linewidth()
    assert inlier.get_color() != outlier.get_color()
    np.testing.assert_allclose(inlier.get_xdata(), [0.05, 1.05 + 0.975])
    np.testing.assert_allclose(outlier.get_ydata(), [0.95, 0.975])


# Commands -------------------------------------------------------------------------------------------------


def test_commands_name_the_frame_within_its_snapshot(filled):
    render, export = filled[0]["cards"][0]["commands"]
    assert render == (
        "galclass render results/simulate/mergers/box/snapshot_002.dat -c results/config.yaml --run box -o again.h5"
    )
    assert export == "galclass export again.h5 --frame 1 -o again.png"  # frame 5: the second of its snapshot


def test_commands_make_the_same_picture_bit_for_bit(finished, tmp_path):
    """Two snapshots through a telescope with noise, as the workflow pictures them, and the commands for frame 4."""
    run = tmp_path / "results" / "simulate" / "mergers" / "box"
    run.mkdir(parents=True)
    for number in (0, 1):
        snapshot.write(run / f"snapshot_00{number}.dat", stars(seed=number + 1))
    overlay = {"render": {"views": 3, "pixels": 32, "telescope": {"preset": "suprime_cam_r"}}}
    (tmp_path / "results" / "config.yaml").write_text(yaml.safe_dump(overlay))

    def call(command: str) -> None:
        done = subprocess.run([PROGRAM, *shlex.split(command)[1:]], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    call("galclass render results/simulate/mergers/box --run box -o box.h5 -c results/config.yaml")
    pack = images.read_pack(tmp_path / "box.h5")
    row = finished.candidates.iloc[0].to_dict() | pack.frames.iloc[4].to_dict()
    candidate = candidates.Candidate(row, pack.images[4], pack.flux[4], 1, finished.references[0], 0)
    for command in candidates.commands(candidate, finished):
        call(command)
    again = images.read_pack(tmp_path / "again.h5")
    np.testing.assert_array_equal(again.flux[1], pack.flux[4])
    picture = images.read_picture(tmp_path / "again.png")[0]
    np.testing.assert_array_equal(images.grey_levels(picture), images.grey_levels(pack.images[4]))
