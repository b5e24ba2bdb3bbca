"""The built-in galaxy shows what was published of it, and any picture can stand in its place."""

import json
import math

import numpy as np
import pytest
import yaml
from astropy.io import fits
from PIL import Image

from galclass import images, reference, telescope
from galclass.errors import InputError
from galclass.images import false_colour
from galclass.reference import model as built_in

RENDER = {"pixels": 50, "depth_dex": 3.0, "seed": 1, "telescope": {"preset": "ideal"}}
BUILT_IN = {"image": "", "palette": "grey"}


@pytest.fixture(scope="module")
def model():
    return built_in.read_model()


@pytest.fixture(scope="module")
def flux(model):
    return built_in.flux_picture(model, 50, model["picture"]["pixel_arcsec"])


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
    inside = built_in.superelliptic_radius(*np.meshgrid(grid, grid), 0.6, exponent) < 1.0
    # 1e-3: about 8,000 boundary pixels of 1e-6 each, half of them wrong at worst
    assert inside.sum() * 1e-6 == pytest.approx(built_in.superellipse_area(0.6, exponent), rel=1e-3)


def test_superellipse_of_exponent_two_is_an_ellipse():
    assert built_in.superellipse_area(0.7, 2.0) == pytest.approx(math.pi * 0.7, rel=1e-14)
    assert built_in.superelliptic_radius(np.array(3.0), np.array(0.8 * 4.0), 0.8, 2.0) == pytest.approx(5.0)


@pytest.mark.parametrize("index", [0.7, 1.0, 2.5])
def test_sersic_profile_holds_half_of_its_light_within_the_effective_radius(index):
    radius = np.linspace(0.0, 400.0, 400_001)
    light = telescope.sersic(radius, 5.0, index, math.pi) * 2.0 * math.pi * radius
    cumulative = np.cumsum(light) * 1e-3
    # 1e-3: rectangle rule with 1e-3 steps, and light beyond 80 effective radii
    assert cumulative[-1] == pytest.approx(1.0, rel=1e-3)
    assert np.interp(5.0, radius, cumulative) == pytest.approx(0.5, rel=1e-3)


def test_edge_on_disc_has_unit_light_and_the_published_scale_length():
    grid = np.arange(-60.0, 60.0, 0.1) + 0.05
    disc = built_in.edge_on_disc(*np.meshgrid(grid, grid), 6.0, 1.0)
    assert disc.sum() * 0.01 == pytest.approx(1.0, rel=1e-3)  # midpoint rule over a tenth of a scale height
    middle = disc[600]
    # an exponential disc's effective radius is 1.678 scale lengths
    assert np.log(middle[700] / middle[800]) == pytest.approx(10.0 / (6.0 / 1.67835), rel=1e-4)


# --- what was published


def test_every_figure_says_whether_it_was_published_and_where():
    sections = yaml.safe_load(built_in.BUILT_IN.read_text())
    figures = [figure for section in sections.values() if isinstance(section, dict) for figure in section.values()]
    assert {figure["status"] for figure in figures} == {"published", "assumed"}
    assert all(len(figure["source"]) > 10 for figure in figures)


def test_magnitude_is_the_published_one(model, flux):
    # distance modulus of 21 Mpc is 31.61
    assert built_in.apparent_magnitude(model) == pytest.approx(-17.3 + 31.611, abs=1e-3)
    seen = -2.5 * np.log10(flux.sum() * 1e-6 / model["photometry"]["zero_point_jy"])
    # 0.02 mag: what an exponential of this size has beyond the field of 130 arcsec
    assert seen == pytest.approx(built_in.apparent_magnitude(model), abs=0.02)


def test_isophotes_have_the_published_shape_and_brightness(model, flux):
    rows = built_in.published_isophotes(model, flux, model["picture"]["pixel_arcsec"])
    assert rows["sma_arcsec"][0] == 29.0 and rows["sma_arcsec"][-1] == 49.0
    assert -0.08 <= min(rows["a4_over_a"]) <= max(rows["a4_over_a"]) <= -0.05
    assert rows["mu_mag_arcsec2"] == sorted(rows["mu_mag_arcsec2"])
    # 0.2: the published 24 and 26 are whole magnitudes
    assert rows["mu_mag_arcsec2"][0] == pytest.approx(24.0, abs=0.2)
    assert rows["mu_mag_arcsec2"][-1] == pytest.approx(26.0, abs=0.2)
    # 0.01: pixels of a twentieth of the isophote's size
    assert rows["axis_ratio"] == pytest.approx([model["body"]["axis_ratio"]] * 6, abs=0.01)


def test_shape_does_not_come_from_the_pixels(model, flux):
    coarse = built_in.published_isophotes(model, flux, 2.6)["a4_over_a"]
    fine = built_in.published_isophotes(model, built_in.flux_picture(model, 150, 2.6 / 3), 2.6 / 3)["a4_over_a"]
    assert coarse == pytest.approx(fine, abs=0.003)  # a twentieth of the value


def test_disc_stands_out_in_the_middle_only(model):
    def with_fraction(share):
        return built_in.flux_picture({**model, "disc": {**model["disc"], "light_fraction": share}}, 50, 2.6)

    ratio = with_fraction(model["disc"]["light_fraction"]) / with_fraction(0.0)
    assert ratio[24, 24] > 1.5
    rim = np.hypot(*np.meshgrid(np.arange(50) - 24.5, np.arange(50) - 24.5)) * 2.6 > 29.0
    # beyond 29 arcsec the disc adds less than it took from the body
    assert ratio[rim].max() < 1.0


def test_an_elliptical_body_is_refused(model, flux):
    oval = {**model, "body": {**model["body"], "exponent": 2.0}}
    rows = built_in.published_isophotes(oval, built_in.flux_picture(oval, 50, 2.6), 2.6)
    # 0.003: shape noise of pixels, a twentieth of the published value
    assert rows["a4_over_a"] == pytest.approx([0.0] * 6, abs=0.003)
    with pytest.raises(InputError, match=r"a4/a = .* at 29 arcsec; published are -0.08 to -0.05"):
        built_in.check_published(oval, rows)


def test_too_boxy_is_refused_and_a_failed_fit_too(model):
    rows = {"sma_arcsec": [29.0, 49.0], "a4_over_a": [-0.06, -0.09]}
    with pytest.raises(InputError, match="at 49 arcsec"):
        built_in.check_published(model, rows)
    with pytest.raises(InputError, match="at 29 arcsec"):
        built_in.check_published(model, {**rows, "a4_over_a": [np.nan, -0.06]})


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
        built_in.read_model(path)


# --- the files


def test_built_in_run_writes_picture_flux_and_card(made, flux):
    folder, card = made
    assert sorted(path.name for path in folder.iterdir()) == [
        "reference.fits",
        "reference.json",
        "reference.png",
        "reference_deep.png",
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
    assert card["measured"]["label"] == "rectangle" and card["measured"]["p_label"] > 0.9
    assert len(card["isophotes"]["a4_over_a"]) == len(card["isophotes"]["sma_arcsec"])
    assert card["provenance"]["settings"] == {**BUILT_IN, **RENDER}
    assert any(name.endswith("leda074886.yaml") for name in card["provenance"]["inputs"])


def test_the_field_stays_when_the_number_of_pixels_changes(tmp_path, made):
    card = reference.run(BUILT_IN, {**RENDER, "pixels": 80}, tmp_path)
    assert card["pixel_arcsec"] * 80 == pytest.approx(made[1]["pixel_arcsec"] * 50)
    assert images.read_picture(tmp_path / "reference.png")[0].shape == (80, 80)


@pytest.mark.parametrize("preset", [name for name in telescope.preset_names() if name not in ("ideal", "thesis")])
def test_every_telescope_shows_a_rectangle_of_the_published_brightness(tmp_path, made, preset):
    seen = reference.run(BUILT_IN, {**RENDER, "telescope": {"preset": preset}}, tmp_path)
    ideal = made[1]["measured"]
    found = seen["measured"]
    assert seen["telescope"] == preset
    assert found["label"] == "rectangle", found
    assert abs(found["b4"] - ideal["b4"]) < 4 * found["b4_err"] + 0.003  # 0.003: what blur takes of it at most
    with fits.open(tmp_path / "reference.fits") as file:
        light = file[0].data.sum()
        assert file[0].header["TELESCOP"] == preset
    # 0.15 mag: noise of 2,500 pixels of sky in the shallowest survey
    assert file[0].header["MAGZERO"] - 2.5 * np.log10(light) == pytest.approx(14.31, abs=0.15)


def test_the_noise_is_the_same_for_the_same_seed_only(tmp_path):
    noisy = {**RENDER, "telescope": {"preset": "sdss_r"}}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        reference.run(BUILT_IN, {**noisy, "seed": seed}, tmp_path / name)
    first, again, other = ((tmp_path / name / "reference.png").read_bytes() for name in "abc")
    assert first == again != other


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


def painted(brightness):
    """Brightness (0 to 1) painted with the palette of LEDA's picture, there and back."""
    position = 1.0 - np.abs(1.0 - 2.0 * brightness)
    steps = np.linspace(0.0, 1.0, len(false_colour.LEDA_PALETTE))
    return np.stack([np.interp(position, steps, channel) for channel in false_colour.LEDA_PALETTE.T], axis=-1)


@pytest.fixture
def cone():
    """Brightness that falls from 1 to 0.02, with a plateau at white as in LEDA's picture."""
    x, y = np.meshgrid(np.arange(50) - 24.3, np.arange(50) - 25.1)
    above_white = 0.5 - np.hypot(x, y / 0.6) / 30.0
    beyond_plateau = np.maximum(np.abs(above_white) - 0.08, 0.0) / 0.84
    return np.clip(0.5 + np.sign(above_white) * beyond_plateau, 0.02, 1.0)


def test_palette_comes_back_as_brightness(cone):
    found = false_colour.false_colour_brightness(painted(cone), 50)
    error = np.abs(found - cone)
    assert error.max() < 1.0 - false_colour.WHITE  # nearly white pixels of the core count as white
    assert np.median(error) < 1e-12


def test_core_is_the_brightest_although_it_is_black(cone):
    colours = painted(cone)
    middle = np.unravel_index(cone.argmax(), cone.shape)
    assert colours[middle].max() < 40  # the picture shows it as dark as the sky
    assert false_colour.false_colour_brightness(colours, 50)[middle] > 0.9


def test_without_a_ring_of_white_nothing_is_core(cone):
    faint = 0.4 * cone
    assert not false_colour.bright_core(2.0 * faint).any()
    assert np.abs(false_colour.false_colour_brightness(painted(faint), 50) - faint).max() < 0.02


def test_hot_pixels_and_foreign_colours_are_replaced(cone):
    colours = painted(cone)
    colours[3, 4] = (255, 255, 255)
    colours[45, 40] = (0, 255, 0)
    found = false_colour.false_colour_brightness(colours, 50)
    assert abs(found[3, 4] - cone[3, 4]) < 0.05 and abs(found[45, 40] - cone[45, 40]) < 0.05


def test_false_colour_from_a_file_keeps_up_up(tmp_path):
    brightness = np.full((50, 50), 0.05)
    brightness[35:45, 10:30] = 0.4  # above the middle
    path = tmp_path / "colour.png"
    Image.fromarray(painted(brightness)[::-1].round().astype(np.uint8)).save(path)
    reference.run(settings_for(path, "leda_false_colour"), RENDER, tmp_path / "out")
    picture, _ = images.read_picture(tmp_path / "out" / "reference.png")
    assert picture[40, 20] == pytest.approx(0.4, abs=0.02)
    assert picture[10, 20] == pytest.approx(0.05, abs=0.02)


def test_false_colours_are_recognised_by_themselves(tmp_path, capsys):
    x, y = np.meshgrid(np.linspace(-1, 1, 60), np.linspace(-1, 1, 60))
    cone = np.clip(0.9 - np.hypot(x, y / 0.7), 0.0, None)
    Image.fromarray(painted(cone).round().astype(np.uint8)[::-1]).save(tmp_path / "colour.png")
    found, is_flux = images.read_brightness(tmp_path / "colour.png")
    assert not is_flux
    assert (
        np.corrcoef(found.ravel(), cone.ravel())[0, 1] > 0.99
    )  # the palette keeps the order; the speckle filter smooths
    assert "false colour" in capsys.readouterr().err
    Image.fromarray(np.uint8(255 * cone)[::-1]).save(tmp_path / "grey.png")
    grey, _ = images.read_brightness(tmp_path / "grey.png")
    assert np.array_equal(grey, images.read_picture(tmp_path / "grey.png")[0])
    assert capsys.readouterr().err == ""


def test_several_references(tmp_path):
    """Each has its pictures and its card; verify reads them by name."""
    files = [tmp_path / "one.fits", tmp_path / "two.fits"]
    rng = np.random.default_rng(3)
    for file, exponent in zip(files, (2.0, 4.0), strict=True):
        x, y = np.meshgrid(np.arange(60) - 29.5, np.arange(60) - 29.5)
        radius = (np.abs(x) ** exponent + np.abs(y / 0.7) ** exponent) ** (1.0 / exponent)
        fits.PrimaryHDU(np.exp(-radius / 5.0) + 1e-4 * rng.standard_normal(x.shape)).writeto(file)
    card = reference.run(settings_for("") | {"image": list(map(str, files))}, RENDER, tmp_path / "out")
    assert [card["name"], *(other["name"] for other in card["others"])] == ["one.fits", "two.fits"]
    assert [other["stem"] for other in card["others"]] == ["reference_2"]
    for stem in ("reference", "reference_2"):
        assert all((tmp_path / "out" / f"{stem}{end}").is_file() for end in (".png", ".fits", "_deep.png"))
    assert card["others"][0]["measured"]["b4"] < -0.05 < card["measured"]["b4"]  # n = 4 has -0.086, an ellipse 0


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
