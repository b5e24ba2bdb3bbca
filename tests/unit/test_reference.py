"""The built-in galaxy shows what was published of it, and any picture can stand in its place."""

import json
import math

import numpy as np
import pytest
import yaml
from astropy.io import fits
from PIL import Image

from galclass import images, isophotes, reference
from galclass.errors import InputError

RENDER = {"pixels": 50, "depth_dex": 3.0}
BUILT_IN = {"image": "", "palette": "grey"}


@pytest.fixture(scope="module")
def model():
    return reference.read_model()


@pytest.fixture(scope="module")
def flux(model):
    return reference.flux_picture(model, 50, model["picture"]["pixel_arcsec"])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    return folder, reference.run(BUILT_IN, RENDER, folder)


def settings_for(path, palette="grey"):
    return {"image": str(path), "palette": palette}


# --- closed forms


@pytest.mark.parametrize("exponent", [2.0, 3.5, 8.0])
def test_superellipse_area_is_that_of_the_pixels_inside(exponent):
    grid = (np.arange(2000) + 0.5) / 1000 - 1.0
    inside = reference.superelliptic_radius(*np.meshgrid(grid, grid), 0.6, exponent) < 1.0
    # 1e-3: about 8,000 boundary pixels of 1e-6 each, half of them wrong at worst
    assert inside.sum() * 1e-6 == pytest.approx(reference.superellipse_area(0.6, exponent), rel=1e-3)


def test_superellipse_of_exponent_two_is_an_ellipse():
    assert reference.superellipse_area(0.7, 2.0) == pytest.approx(math.pi * 0.7, rel=1e-14)
    assert reference.superelliptic_radius(np.array(3.0), np.array(0.8 * 4.0), 0.8, 2.0) == pytest.approx(5.0)


@pytest.mark.parametrize("index", [0.7, 1.0, 2.5])
def test_sersic_profile_holds_half_of_its_light_within_the_effective_radius(index):
    radius = np.linspace(0.0, 400.0, 400_001)
    light = reference.sersic(radius, 5.0, index, math.pi) * 2.0 * math.pi * radius
    cumulative = np.cumsum(light) * 1e-3
    # 1e-3: rectangle rule with 1e-3 steps, and light beyond 80 effective radii
    assert cumulative[-1] == pytest.approx(1.0, rel=1e-3)
    assert np.interp(5.0, radius, cumulative) == pytest.approx(0.5, rel=1e-3)


def test_edge_on_disc_has_unit_light_and_the_published_scale_length():
    grid = np.arange(-60.0, 60.0, 0.1) + 0.05
    disc = reference.edge_on_disc(*np.meshgrid(grid, grid), 6.0, 1.0)
    assert disc.sum() * 0.01 == pytest.approx(1.0, rel=1e-3)  # midpoint rule over a tenth of a scale height
    middle = disc[600]
    # an exponential disc's effective radius is 1.678 scale lengths
    assert np.log(middle[700] / middle[800]) == pytest.approx(10.0 / (6.0 / 1.67835), rel=1e-4)


# --- what was published


def test_every_figure_says_whether_it_was_published_and_where():
    sections = yaml.safe_load(reference.BUILT_IN.read_text())
    figures = [figure for section in sections.values() if isinstance(section, dict) for figure in section.values()]
    assert {figure["status"] for figure in figures} == {"published", "assumed"}
    assert all(len(figure["source"]) > 10 for figure in figures)


def test_magnitude_is_the_published_one(model, flux):
    # distance modulus of 21 Mpc is 31.61
    assert reference.apparent_magnitude(model) == pytest.approx(-17.3 + 31.611, abs=1e-3)
    seen = -2.5 * np.log10(flux.sum() * 1e-6 / model["photometry"]["zero_point_jy"])
    # 0.02 mag: what an exponential of this size has beyond the field of 130 arcsec
    assert seen == pytest.approx(reference.apparent_magnitude(model), abs=0.02)


def test_isophotes_have_the_published_shape_and_brightness(model, flux):
    rows = reference.published_isophotes(model, flux, model["picture"]["pixel_arcsec"])
    assert rows["sma_arcsec"][0] == 29.0 and rows["sma_arcsec"][-1] == 49.0
    assert -0.08 <= min(rows["a4_over_a"]) <= max(rows["a4_over_a"]) <= -0.05
    assert rows["mu_mag_arcsec2"] == sorted(rows["mu_mag_arcsec2"])
    # 0.2: the published 24 and 26 are whole magnitudes
    assert rows["mu_mag_arcsec2"][0] == pytest.approx(24.0, abs=0.2)
    assert rows["mu_mag_arcsec2"][-1] == pytest.approx(26.0, abs=0.2)
    # 0.01: pixels of a twentieth of the isophote's size
    assert rows["axis_ratio"] == pytest.approx([model["body"]["axis_ratio"]] * 6, abs=0.01)


def test_shape_does_not_come_from_the_pixels(model, flux):
    coarse = reference.published_isophotes(model, flux, 2.6)["a4_over_a"]
    fine = reference.published_isophotes(model, reference.flux_picture(model, 150, 2.6 / 3), 2.6 / 3)["a4_over_a"]
    assert coarse == pytest.approx(fine, abs=0.003)  # a twentieth of the value


def test_disc_stands_out_in_the_middle_only(model):
    def with_fraction(share):
        return reference.flux_picture({**model, "disc": {**model["disc"], "light_fraction": share}}, 50, 2.6)

    ratio = with_fraction(model["disc"]["light_fraction"]) / with_fraction(0.0)
    assert ratio[24, 24] > 1.5
    rim = np.hypot(*np.meshgrid(np.arange(50) - 24.5, np.arange(50) - 24.5)) * 2.6 > 29.0
    # beyond 29 arcsec the disc adds less than it took from the body
    assert ratio[rim].max() < 1.0


def test_seeing_keeps_the_light_and_lowers_the_peak(model):
    blurred = {**model, "picture": {**model["picture"], "seeing_arcsec": 5.0}}
    sharp = reference.flux_picture(model, 50, 2.6)
    soft = reference.flux_picture(blurred, 50, 2.6)
    assert soft.sum() == pytest.approx(sharp.sum(), rel=1e-4)  # light crossing the border of the field
    assert soft.max() < 0.8 * sharp.max()


def test_an_elliptical_body_is_refused(model, flux):
    oval = {**model, "body": {**model["body"], "exponent": 2.0}}
    rows = reference.published_isophotes(oval, reference.flux_picture(oval, 50, 2.6), 2.6)
    # 0.003: shape noise of pixels, a twentieth of the published value
    assert rows["a4_over_a"] == pytest.approx([0.0] * 6, abs=0.003)
    with pytest.raises(InputError, match=r"a4/a = .* at 29 arcsec; published are -0.08 to -0.05"):
        reference.check_published(oval, rows)


def test_too_boxy_is_refused_and_a_failed_fit_too(model):
    rows = {"sma_arcsec": [29.0, 49.0], "a4_over_a": [-0.06, -0.09]}
    with pytest.raises(InputError, match="at 49 arcsec"):
        reference.check_published(model, rows)
    with pytest.raises(InputError, match="at 29 arcsec"):
        reference.check_published(model, {**rows, "a4_over_a": [np.nan, -0.06]})


@pytest.mark.parametrize(
    ("figure", "said"),
    [
        ({"value": 1.0, "status": "guessed", "source": "somewhere"}, "status"),
        ({"value": 1.0, "status": "published"}, "source"),
        ({"value": "far", "status": "published", "source": "a paper"}, "a number"),
        (3.0, "needs value"),
    ],
)
def test_a_figure_without_status_source_or_number_is_refused(tmp_path, figure, said):
    path = tmp_path / "galaxy.yaml"
    path.write_text(yaml.safe_dump({"photometry": {"distance_mpc": figure}}))
    with pytest.raises(InputError, match=rf"photometry.distance_mpc: .*{said}"):
        reference.read_model(path)


# --- the files


def test_built_in_run_writes_picture_flux_and_card(made, flux):
    folder, card = made
    assert sorted(path.name for path in folder.iterdir()) == [
        "reference.fits",
        "reference.json",
        "reference.png",
    ]
    with fits.open(folder / "reference.fits") as file:
        header, values = file[0].header, file[0].data
        assert header["BUNIT"] == "uJy" and header["PIXSCALE"] == 2.6
        assert np.allclose(values, flux, rtol=1e-6)  # float32
        assert header["MAGZERO"] - 2.5 * np.log10(values.sum()) == pytest.approx(14.31, abs=0.02)
    picture, is_flux = images.read_picture(folder / "reference.png")
    assert not is_flux and picture.shape == (50, 50)
    assert np.allclose(picture, images.stretch(flux, 3.0), atol=0.5 / 255 + 1e-6)  # rounded to 8 bits
    assert json.loads((folder / "reference.json").read_text()) == json.loads(json.dumps(card))


def test_card_says_what_was_measured_and_from_what(made):
    _, card = made
    assert card["measured"]["b4"] < -0.06 and abs(card["measured"]["b6"]) < 0.009  # DESIGN: a rectangle
    assert isophotes.label_of(card["measured"]["b4"], card["measured"]["b6"]) == "rectangle"
    assert len(card["isophotes"]["a4_over_a"]) == len(card["isophotes"]["sma_arcsec"])
    assert card["provenance"]["settings"] == {**BUILT_IN, **RENDER}
    assert any(name.endswith("leda074886.yaml") for name in card["provenance"]["inputs"])


def test_the_field_stays_when_the_number_of_pixels_changes(tmp_path, made):
    card = reference.run(BUILT_IN, {"pixels": 80, "depth_dex": 3.0}, tmp_path)
    assert card["pixel_arcsec"] * 80 == pytest.approx(made[1]["pixel_arcsec"] * 50)
    assert images.read_picture(tmp_path / "reference.png")[0].shape == (80, 80)


# --- pictures from files


def test_a_picture_of_the_right_size_is_taken_as_it_is(tmp_path, made):
    folder, _ = made
    card = reference.run(settings_for(folder / "reference.png"), RENDER, tmp_path / "again")
    assert (tmp_path / "again" / "reference.png").read_bytes() == (folder / "reference.png").read_bytes()
    # the shape of a stretched picture is that of its contours: 0.01 for 8 bits and other radii
    assert card["measured"]["b4"] == pytest.approx(-0.073, abs=0.01)


def test_fits_flux_gives_the_same_picture_as_the_model(tmp_path, made):
    folder, _ = made
    card = reference.run(settings_for(folder / "reference.fits"), RENDER, tmp_path)
    assert (tmp_path / "reference.png").read_bytes() == (folder / "reference.png").read_bytes()
    assert card["measured"]["b4"] == pytest.approx(-0.073, abs=0.002)  # float32


def test_resampling_crops_to_a_square_and_keeps_flux():
    values = np.zeros((30, 60))
    values[:, 15:45] = np.random.default_rng(1).random((30, 30))
    small = reference.resampled(values, 10, conserve=True)
    assert small.shape == (10, 10)
    assert small.sum() == pytest.approx(values.sum(), rel=1e-6)  # float32
    mean = reference.resampled(values, 10, conserve=False)
    assert mean.mean() == pytest.approx(values[:, 15:45].mean(), rel=1e-6)
    large = reference.resampled(values, 90, conserve=False)
    assert large.shape == (90, 90) and large.min() >= 0.0 and large.max() <= 1.0


def false_colour(brightness):
    """Brightness (0 to 1) painted with the palette of LEDA's picture, there and back."""
    position = 1.0 - np.abs(1.0 - 2.0 * brightness)
    steps = np.linspace(0.0, 1.0, len(reference.LEDA_PALETTE))
    return np.stack([np.interp(position, steps, channel) for channel in reference.LEDA_PALETTE.T], axis=-1)


@pytest.fixture
def cone():
    """Brightness that falls from 1 to 0.02, with a plateau at white as in LEDA's picture."""
    x, y = np.meshgrid(np.arange(50) - 24.3, np.arange(50) - 25.1)
    above_white = 0.5 - np.hypot(x, y / 0.6) / 30.0
    beyond_plateau = np.maximum(np.abs(above_white) - 0.08, 0.0) / 0.84
    return np.clip(0.5 + np.sign(above_white) * beyond_plateau, 0.02, 1.0)


def test_palette_comes_back_as_brightness(cone):
    found = reference.false_colour_brightness(false_colour(cone), 50)
    error = np.abs(found - cone)
    assert error.max() < 1.0 - reference.WHITE  # nearly white pixels of the core count as white
    assert np.median(error) < 1e-12


def test_core_is_the_brightest_although_it_is_black(cone):
    colours = false_colour(cone)
    middle = np.unravel_index(cone.argmax(), cone.shape)
    assert colours[middle].max() < 40  # the picture shows it as dark as the sky
    assert reference.false_colour_brightness(colours, 50)[middle] > 0.9


def test_without_a_ring_of_white_nothing_is_core(cone):
    faint = 0.4 * cone
    assert not reference.bright_core(2.0 * faint).any()
    assert np.abs(reference.false_colour_brightness(false_colour(faint), 50) - faint).max() < 0.02


def test_hot_pixels_and_foreign_colours_are_replaced(cone):
    colours = false_colour(cone)
    colours[3, 4] = (255, 255, 255)
    colours[45, 40] = (0, 255, 0)
    found = reference.false_colour_brightness(colours, 50)
    assert abs(found[3, 4] - cone[3, 4]) < 0.05 and abs(found[45, 40] - cone[45, 40]) < 0.05


def test_false_colour_from_a_file_keeps_up_up(tmp_path):
    brightness = np.full((50, 50), 0.05)
    brightness[35:45, 10:30] = 0.4  # above the middle
    path = tmp_path / "colour.png"
    Image.fromarray(false_colour(brightness)[::-1].round().astype(np.uint8)).save(path)
    reference.run(settings_for(path, "leda_false_colour"), RENDER, tmp_path / "out")
    picture, _ = images.read_picture(tmp_path / "out" / "reference.png")
    assert picture[40, 20] == pytest.approx(0.4, abs=0.02)
    assert picture[10, 20] == pytest.approx(0.05, abs=0.02)


# --- bad input


def bad_files(folder):
    (folder / "text.png").write_text("this is no picture")
    Image.new("L", (1, 1), 7).save(folder / "pixel.png")
    Image.new("L", (50, 50), 7).save(folder / "flat.png")
    values = np.ones((20, 20))
    values[3, 3] = np.nan
    fits.PrimaryHDU(values).writeto(folder / "nan.fits")
    fits.PrimaryHDU(-np.random.default_rng(1).random((50, 50))).writeto(folder / "negative.fits")
    (folder / "empty.png").touch()
    return [
        "text.png",
        "pixel.png",
        "flat.png",
        "nan.fits",
        "negative.fits",
        "empty.png",
        "missing.png",
        "data.csv",
    ]


def test_each_bad_picture_gives_one_line_and_no_files(tmp_path):
    for name in bad_files(tmp_path):
        with pytest.raises(InputError) as caught:
            reference.run(settings_for(tmp_path / name), RENDER, tmp_path / "out")
        assert name in str(caught.value) and "\n" not in str(caught.value), name
        assert not (tmp_path / "out").exists(), name


def test_unknown_palette_and_colours_in_fits_are_refused(tmp_path, made):
    with pytest.raises(InputError, match="allowed are grey, leda_false_colour"):
        reference.run(settings_for(made[0] / "reference.png", "rainbow"), RENDER, tmp_path)
    with pytest.raises(InputError, match="FITS image has no colours"):
        reference.run(settings_for(made[0] / "reference.fits", "leda_false_colour"), RENDER, tmp_path)
