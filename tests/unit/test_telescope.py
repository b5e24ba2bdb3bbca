"""Telescopes: light is conserved, noise is what photons and cameras make, and depths are those of the surveys."""

import numpy as np
import pytest
import yaml

from galclass import config, telescope
from galclass.errors import InputError
from galclass.telescope import field, observing

NOISY = ("suprime_cam_r", "decals_r", "sdss_r", "euclid_vis")
NONE = {"stars": 0, "trails": 0, "gradient": 0.0, "neighbours": 0}
SETTINGS = {
    "distance_mpc": 10.0,
    "mass_to_light": {
        "slope": 0.8,
        "disc": {"ratio": 2.0, "age_gyr": 5.0},
        "bulge": {"ratio": 3.0, "age_gyr": 8.0},
        "new_stars": {"ratio": 1.0, "age_gyr": 2.0},
    },
}


def galaxy(pixels: int = 50, radius_px: float = 6.0, total: float = 1e4) -> np.ndarray:
    """An exponential galaxy [microjansky]."""
    y, x = np.mgrid[:pixels, :pixels] - 0.5 * (pixels - 1)
    light = np.exp(-1.678 * np.hypot(x, y / 0.7) / radius_px)
    return total * light / light.sum()


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


# --- presets


def test_every_preset_reads_and_knows_what_it_is():
    presets = {name: telescope.read_preset(name) for name in telescope.preset_names()}
    assert set(presets) == {*NOISY, "ideal", "thesis"}
    assert {name for name, preset in presets.items() if preset.is_noisy} == set(NOISY)
    assert {name for name, preset in presets.items() if preset.unit == "uJy"} == {*NOISY, "ideal"}
    assert presets["thesis"].unit == "1e10 Msun"


def changed(tmp_path, name: str, key: str, entry: object):
    """The presets file with one entry of one preset changed; None leaves it out."""
    presets = yaml.safe_load(telescope.PRESETS_FILE.read_text())
    presets[name][key] = entry
    if entry is None:
        del presets[name][key]
    path = tmp_path / "telescopes.yaml"
    path.write_text(yaml.safe_dump(presets))
    return path


@pytest.mark.parametrize(
    ("key", "entry", "message"),
    [
        ("psf_fwhm_arcsec", {"value": -1.0, "source": "x"}, "found -1.0; allowed is a number from 0.001 to 100"),
        ("psf_fwhm_arcsec", {"value": "wide", "source": "x"}, "found 'wide'"),
        ("psf_fwhm_arcsec", {"value": float("nan"), "source": "x"}, "found nan"),
        ("psf_fwhm_arcsec", {"value": 1.0, "source": " "}, "the source is empty"),
        ("psf_fwhm_arcsec", {"value": 1.0}, "needs {value: NUMBER, source: TEXT}"),
        ("psf_fwhm_arcsec", 1.0, "found 1.0; needs"),
        ("psf_fwhm_arcsec", None, "psf_fwhm_arcsec is missing"),
        ("psf_fwhm_arcsecs", {"value": 1.0, "source": "x"}, "did you mean psf_fwhm_arcsec"),
        ("band", None, "needs a band"),
    ],
)
def test_a_wrong_preset_is_refused_in_one_line(tmp_path, key, entry, message):
    path = changed(tmp_path, "sdss_r", key, entry)
    with pytest.raises(InputError) as caught:
        telescope.read_preset("sdss_r", path)
    assert message in str(caught.value) and "telescopes.yaml: sdss_r" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_preset_is_refused(tmp_path):
    with pytest.raises(InputError, match="no telescope 'hubble'; allowed are suprime_cam_r, decals_r"):
        telescope.read_preset("hubble")
    (tmp_path / "list.yaml").write_text("[1, 2]")
    with pytest.raises(InputError, match="found list"):
        telescope.read_preset("sdss_r", tmp_path / "list.yaml")


# --- light


def test_the_sun_has_its_magnitude():
    """At 10 pc a body of one solar luminosity has the Sun's absolute magnitude."""
    sdss = telescope.read_preset("sdss_r")
    flux = telescope.solar_flux(sdss, 1e-5)
    assert telescope.ZERO_POINT_UJY - 2.5 * np.log10(flux) == pytest.approx(sdss.solar_magnitude_ab, abs=1e-12)


def test_light_follows_mass_component_and_age():
    sdss = telescope.read_preset("sdss_r")
    light = telescope.particle_light([1.0, 2.0, 1.0, 1.0], [2, 2, 3, 4], 0.0, sdss, SETTINGS)
    assert light[1] == pytest.approx(2.0 * light[0])
    assert light[0] / light[2] == pytest.approx(1.5) and light[0] / light[3] == pytest.approx(0.5)
    assert light[0] == pytest.approx(0.5e10 * telescope.solar_flux(sdss, 10.0))
    later = telescope.particle_light([1.0, 1.0], [2, 4], 5.0, sdss, SETTINGS)
    assert light[0] / later[0] == pytest.approx(2.0**0.8) and light[3] / later[1] == pytest.approx(3.5**0.8)
    twice = telescope.particle_light([1.0], [2], 0.0, sdss, {**SETTINGS, "distance_mpc": 20.0})
    assert light[0] / twice[0] == pytest.approx(4.0)


def test_the_thesis_pictures_mass_and_dark_particles_do_not_shine():
    masses = np.array([1.0, 3.0])
    assert (telescope.particle_light(masses, [1, 2], 0.0, telescope.read_preset("thesis"), SETTINGS) == masses).all()
    with pytest.raises(InputError, match="particles of type 1 do not shine; allowed are 2 disc, 3 bulge, 4 new_stars"):
        telescope.particle_light(masses, [1, 2], 0.0, telescope.read_preset("ideal"), SETTINGS)


def test_surface_magnitude():
    """One microjansky per arcsec^2 is 23.9 mag/arcsec^2, whatever the pixels; no light has none."""
    assert telescope.surface_magnitude(np.array([4.0, 0.0, -1.0]), 2.0) == pytest.approx(
        [23.9, np.nan, np.nan], nan_ok=True
    )


# --- blur


@pytest.mark.parametrize("pixel_arcsec", [0.1, 0.4, 3.0])
@pytest.mark.parametrize("shape", [(50, 50), (30, 41)])
def test_the_blur_conserves_light(shape, pixel_arcsec):
    light = rng().uniform(size=shape)
    seen = telescope.blurred(light, telescope.read_preset("sdss_r"), pixel_arcsec)
    assert seen.sum() == pytest.approx(light.sum(), rel=1e-6)


def test_a_star_has_the_published_width():
    """Half of the peak at half the width: the pixels' own width adds 0.3 per cent at 16 pixels a width."""
    for name in NOISY:
        preset = telescope.read_preset(name)
        light = np.zeros((129, 129))
        light[64, 64] = 1.0
        row = telescope.blurred(light, preset, preset.psf_fwhm_arcsec / 16.0)[64]
        right = 64 + np.flatnonzero(row[64:] < 0.5 * row[64])[0]
        crossing = right - (0.5 * row[64] - row[right]) / (row[right - 1] - row[right])
        assert 2.0 * (crossing - 64) == pytest.approx(16.0, rel=0.01)


def test_the_blur_is_a_convolution_with_the_kernel():
    """Against scipy's direct convolution, which mirrors the picture at its border in the same way."""
    from scipy.ndimage import convolve

    preset, light = telescope.read_preset("sdss_r"), rng().uniform(size=(24, 31))
    kernel = observing.psf_kernel(preset.psf_fwhm_arcsec / 0.8, preset.moffat_beta)
    expected = convolve(light, kernel, mode="reflect")
    assert telescope.blurred(light, preset, 0.8) == pytest.approx(expected, rel=1e-9)


def test_a_psf_far_below_a_pixel_leaves_the_picture():
    light = galaxy()
    assert telescope.blurred(light, telescope.read_preset("euclid_vis"), 30.0) == pytest.approx(light, rel=0.05)


# --- noise


@pytest.mark.parametrize("name", NOISY)
@pytest.mark.parametrize("pixel_arcsec", [0.5, 3.0])
def test_noise_is_as_expected(name, pixel_arcsec):
    """Mean and variance of 40,000 pixels: sqrt(1 / n) and sqrt(2 / n) of sigma, tolerances four times that."""
    preset = telescope.read_preset(name)
    flux = np.full((200, 200), 5.0)
    seen = telescope.observe(flux, preset, pixel_arcsec, rng(), NONE)
    pull = (seen.flux - flux) / seen.sigma
    assert pull.mean() == pytest.approx(0.0, abs=0.02)
    assert pull.std() == pytest.approx(1.0, abs=0.015)


def test_photons_are_counted():
    """Without sky and read noise the electrons are Poisson: the variance is the mean, and counts are whole."""
    preset = telescope.Telescope("dark", "r", 1.0, 4.65, 1.0, 3.0, 40.0, 25.0, 10.0, 1, 0.0)
    seen = telescope.observe(np.full((200, 200), 3.0), preset, 1.0, rng(), NONE)
    electrons = observing.electrons_per_ujy(preset)
    counts = (seen.flux + observing.sky_flux(preset, 1.0)) * electrons
    assert np.abs(counts - np.rint(counts)).max() < 1e-6
    assert counts.mean() == pytest.approx(3.0 * electrons, rel=4.0 / np.sqrt(4e4 * 3.0 * electrons))
    assert counts.var() == pytest.approx(counts.mean(), rel=0.03)


def test_larger_pixels_hold_the_noise_of_many_small_ones():
    preset = telescope.read_preset("decals_r")
    small, large = telescope.sky_noise(preset, 0.262), telescope.sky_noise(preset, 2.62)
    assert large == pytest.approx(10.0 * small)
    by_hand = 201.0 * 10 ** (0.4 * (26.818 - 20.91)) * 0.262**2 + 3.0 * 7.0**2
    assert small * observing.electrons_per_ujy(preset) == pytest.approx(np.sqrt(by_hand))


def test_no_noise_leaves_the_picture_alone():
    light = galaxy()
    for name in ("ideal", "thesis"):
        seen = telescope.observe(light, telescope.read_preset(name), 1.0, rng(), NONE)
        assert (seen.flux == light).all() and not seen.sigma.any()


def test_the_same_seed_gives_the_same_picture():
    preset, extras = telescope.read_preset("decals_r"), {"stars": 3, "trails": 1, "gradient": 0.1, "neighbours": 1}
    one, two, other = (telescope.observe(galaxy(), preset, 3.0, rng(seed), extras).flux for seed in (7, 7, 8))
    assert (one == two).all() and not (one == other).all()


def test_darkness_below_zero_is_refused():
    with pytest.raises(InputError, match="negative or non-finite"):
        telescope.observe(galaxy() - 1.0, telescope.read_preset("sdss_r"), 1.0, rng(), NONE)


# --- depth


def point_source_noise(preset: telescope.Telescope, profile: np.ndarray, pixel_arcsec: float) -> float:
    """Noise of a flux fitted with its known profile: sigma of a pixel over the root of the summed squares."""
    return telescope.sky_noise(preset, pixel_arcsec) / float(np.sqrt((profile**2).sum()))


def test_sdss_reaches_its_published_depth():
    """Stripe 82 reaches 28.6 mag/arcsec2 in r, two magnitudes deeper than one scan (Fliri & Trujillo 2016)."""
    assert telescope.depth(telescope.read_preset("sdss_r")) == pytest.approx(26.6, abs=0.3)


def test_euclid_reaches_its_published_depth():
    """29.5 mag/arcsec2, 3 sigma in 10 x 10 arcsec, in the Wide Survey (Borlaff et al. 2022)."""
    assert telescope.depth(telescope.read_preset("euclid_vis")) == pytest.approx(29.5, abs=0.2)


def test_decals_reaches_its_published_depth():
    """r = 23.4 at 5 sigma for a galaxy of half-light radius 0.45 arcsec in two of three passes (Dey et al. 2019)."""
    preset, pixel = telescope.read_preset("decals_r"), 0.262
    fine = galaxy(605, radius_px=0.45 / pixel * 11 / np.sqrt(0.7), total=1.0)  # the galaxy has an axis ratio of 0.7
    profile = telescope.blurred(fine.reshape(55, 11, 55, 11).sum(axis=(1, 3)), preset, pixel)
    noise = point_source_noise(preset, profile, pixel) * np.sqrt(3.0 / 2.0)
    assert telescope.ZERO_POINT_UJY - 2.5 * np.log10(5.0 * noise) == pytest.approx(23.4, abs=0.35)


def test_suprime_cam_reaches_its_published_depth():
    """Subaru Deep Field: R = 27.8 at 3 sigma in 2 arcsec after 10 h (Kashikawa et al. 2004), real sky and losses."""
    preset = telescope.read_preset("suprime_cam_r")
    per_arcsec2 = telescope.sky_noise(preset, 1.0) * np.sqrt(preset.exposure_s / 36000.0)
    limit = telescope.ZERO_POINT_UJY - 2.5 * np.log10(3.0 * per_arcsec2 * np.sqrt(np.pi))
    assert 27.8 < limit < 28.5


def test_depth_does_not_depend_on_the_pixels():
    preset = telescope.read_preset("sdss_r")
    assert telescope.depth(preset, 3.0) == pytest.approx(telescope.depth(preset), abs=1e-9)


# --- contaminants


def light_of(preset: str = "decals_r", pixels: int = 60, seed: int = 3, **extras) -> np.ndarray:
    """Light of what is asked for beside a galaxy."""
    return telescope.contaminants(galaxy(pixels), telescope.read_preset(preset), 2.0, rng(seed), NONE | extras)


def test_stars_are_points_of_the_asked_number_and_brightness():
    light = light_of(stars=4)
    bright = np.flatnonzero(light)
    assert 4 <= len(bright) <= 16  # each star is shared by up to four pixels
    magnitude = telescope.ZERO_POINT_UJY - 2.5 * np.log10(light.sum() / 4)
    assert 16.0 <= magnitude <= 22.0
    assert field.point((9, 9), 3.25, 6.0)[3:5, 6] == pytest.approx([0.75, 0.25])


def test_a_trail_is_a_straight_line_across_the_picture():
    for seed in range(5):
        light = light_of(trails=1, seed=seed)
        y, x = np.nonzero(light)
        across = np.linalg.svd(np.stack([y - y.mean(), x - x.mean()]), compute_uv=False)[1] / np.sqrt(len(y))
        at_border = [light[0].any(), light[-1].any(), light[:, 0].any(), light[:, -1].any()]
        assert across < 1.0 and sum(at_border) >= 2
        sky = observing.sky_flux(telescope.read_preset("decals_r"), 2.0)
        assert 0.0 < light.max() <= 0.31 * sky


def test_neighbours_stand_beside_the_galaxy():
    for seed in range(5):
        light = light_of(neighbours=1, seed=seed)
        y, x = np.unravel_index(light.argmax(), light.shape)
        assert 0.2 * 60 < np.hypot(y - 29.5, x - 29.5) < 0.48 * 60
        assert 0.02 < light.sum() / galaxy(60).sum() < 0.55


def test_the_gradient_is_a_plane_of_the_asked_size():
    plane = field.sky_gradient((40, 40), 0.2, rng())
    assert plane.mean() == pytest.approx(0.0, abs=1e-12)
    assert np.diff(plane, 2, axis=0) == pytest.approx(0.0, abs=1e-12)
    steepness = np.hypot(plane[1, 0] - plane[0, 0], plane[0, 1] - plane[0, 0]) * 40
    assert steepness == pytest.approx(0.2)
    assert not field.sky_gradient((40, 40), 0.0, rng()).any()


def test_a_contaminated_picture_holds_its_contaminants():
    """Observed less the galaxy and less what was added: only noise of the expected size is left."""
    preset = telescope.read_preset("decals_r")
    extras = {"stars": 2, "trails": 1, "gradient": 0.0, "neighbours": 1}
    light = galaxy(60) + telescope.contaminants(galaxy(60), preset, 2.0, rng(4), extras)
    seen = telescope.observe(galaxy(60), preset, 2.0, rng(4), extras)
    pull = (seen.flux - telescope.blurred(light, preset, 2.0)) / seen.sigma
    assert pull.mean() == pytest.approx(0.0, abs=4.0 / 60) and pull.std() == pytest.approx(1.0, abs=0.05)


# --- backgrounds


def sky_picture(side: int = 120, sigma: float = 0.1) -> np.ndarray:
    """A sky of 7 with noise, a bright galaxy in one corner and a gap along one side."""
    picture = 7.0 + sigma * rng(5).standard_normal((side, side))
    picture[:40, :40] += 50.0
    picture[:, -3:] = np.nan
    return picture


def write(path, picture: np.ndarray, **header):
    from astropy.io import fits

    image = fits.PrimaryHDU(picture.astype(np.float32))
    image.header.update(header)
    image.writeto(path)
    return path


def test_a_galaxy_stands_on_an_empty_piece_of_a_real_sky():
    background = telescope.Background(sky_picture(), 1.0, "sky")
    preset = telescope.read_preset("decals_r")
    for seed in range(8):
        seen = telescope.observe(galaxy(40), preset, 1.0, rng(seed), NONE, background)
        empty = np.concatenate([seen.flux[:3].ravel(), seen.flux[-3:].ravel()])
        assert abs(np.median(empty)) < 1.0  # neither the sky of 7 nor the galaxy of 57 is there
        middle = telescope.blurred(galaxy(40), preset, 1.0)
        assert seen.flux[15:25, 15:25].sum() == pytest.approx(middle[15:25, 15:25].sum(), rel=0.02)
        assert seen.sigma[0, 0] == pytest.approx(0.1, rel=0.15)


def test_pixels_of_the_background_are_added_up():
    """Twice the pixel: four times the light, twice the noise; a step of the sky is where it was."""
    steps = np.where(np.arange(100) < 50, 0.0, 1.0)[:, None] * np.ones(100)
    background = telescope.Background(steps + 0.05 * rng().standard_normal((100, 100)), 1.0, "steps")
    flux, sigma = telescope.insert(np.zeros((50, 50)), background, 2.0, 1e6, rng())
    along = flux.mean(axis=0) if np.ptp(flux.mean(axis=0)) > 2.0 else flux.mean(axis=1)
    assert np.ptp(along) == pytest.approx(4.0, abs=0.1)
    plain = telescope.Background(0.05 * rng().standard_normal((100, 100)), 1.0, "plain")
    assert telescope.insert(np.zeros((40, 40)), plain, 2.0, 1e6, rng())[1].mean() == pytest.approx(0.1, rel=0.1)


def test_a_background_is_read_with_its_calibration(tmp_path):
    picture = sky_picture()
    in_ujy = telescope.read_background(write(tmp_path / "a.fits", picture, BUNIT="uJy", PIXSCALE=0.5))
    assert in_ujy.pixel_arcsec == 0.5 and in_ujy.flux[50, 50] == pytest.approx(picture[50, 50], rel=1e-6)
    assert np.isnan(in_ujy.flux[:, -3:]).all()
    counts = telescope.read_background(write(tmp_path / "b.fits", picture, BUNIT="ADU", MAGZERO=26.4, SECPIX=0.2))
    assert counts.flux[50, 50] == pytest.approx(0.1 * picture[50, 50], rel=1e-6)
    wcs = {
        "CTYPE1": "RA---TAN",
        "CTYPE2": "DEC--TAN",
        "CDELT1": -1e-4,
        "CDELT2": 1e-4,
        "CUNIT1": "deg",
        "CUNIT2": "deg",
    }
    sdss = telescope.read_background(write(tmp_path / "c.fits", picture, BUNIT="nanomaggy", **wcs))
    assert sdss.pixel_arcsec == pytest.approx(0.36) and sdss.flux[50, 50] == pytest.approx(3.631 * picture[50, 50])


@pytest.mark.parametrize(
    ("unit", "ujy"),
    [
        ("mJy", 1e3),
        ("Jy/pixel", 1e6),
        ("nanomaggies", 3.631),
        ("uJy/arcsec2", 0.25),
        ("MJy/sr", 23.504430539 * 0.25),  # 1e12 uJy over the 4.2545e10 square arcsec of a steradian
    ],
)
def test_units_of_flux_and_of_surface_brightness(tmp_path, unit, ujy):
    picture = sky_picture()
    read = telescope.read_background(write(tmp_path / "a.fits", picture, BUNIT=unit, PIXSCALE=0.5))
    assert read.flux[50, 50] == pytest.approx(ujy * picture[50, 50], rel=1e-6)


@pytest.mark.parametrize("header", [{"BUNIT": "Jy/beam"}, {"BUNIT": "ADU", "MAGZERO": 0.0}, {"BUNIT": "counts/s"}])
def test_a_unit_that_is_no_flux_of_a_pixel_is_refused(tmp_path, header):
    with pytest.raises(InputError, match="no zero point"):
        telescope.read_background(write(tmp_path / "a.fits", sky_picture(), PIXSCALE=0.5, **header))


def test_broken_coordinates_and_numbers_as_text(tmp_path):
    wcs = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CD1_1": 0.0, "CD2_2": 0.0}
    with pytest.raises(InputError, match="no pixel scale"):
        telescope.read_background(write(tmp_path / "a.fits", sky_picture(), BUNIT="uJy", **wcs))
    text = telescope.read_background(write(tmp_path / "b.fits", sky_picture(), MAGZERO="26.4", PIXSCALE="0.5"))
    assert text.pixel_arcsec == 0.5


def test_a_background_coarser_than_the_picture_is_refused(tmp_path):
    coarse = telescope.Background(sky_picture(), 7.0, "coarse.fits")
    with pytest.raises(InputError, match="coarse.fits: pixels of 7 arcsec, the picture's are 1.8"):
        telescope.insert(galaxy(40), coarse, 1.8, 1e3, rng())


def test_settings_take_the_place_of_a_bare_header(tmp_path):
    path = write(tmp_path / "bare.fits", sky_picture())
    assert telescope.read_background(path, zero_point_ab=23.9, pixel_arcsec=0.4).pixel_arcsec == 0.4
    with pytest.raises(InputError, match="no zero point .*background_zero_point_ab, or MAGZERO"):
        telescope.read_background(path, pixel_arcsec=0.4)
    with pytest.raises(InputError, match="no pixel scale; set background_pixel_arcsec, or PIXSCALE"):
        telescope.read_background(path, zero_point_ab=23.9)


def test_a_background_that_cannot_be_used_is_refused(tmp_path):
    (tmp_path / "text.fits").write_text("no FITS")
    with pytest.raises(InputError, match="not a readable FITS file"):
        telescope.read_background(tmp_path / "text.fits")
    with pytest.raises(InputError, match="no image with two axes"):
        telescope.read_background(write(tmp_path / "line.fits", np.arange(9.0), BUNIT="uJy", PIXSCALE=1.0))
    small = telescope.Background(np.ones((20, 20)), 1.0, "small.fits")
    with pytest.raises(InputError, match="small.fits: 20 arcsec of background, the picture needs 150"):
        telescope.insert(galaxy(), small, 3.0, 1e3, rng())
    gaps = telescope.Background(np.where(np.arange(3600).reshape(60, 60) % 5 == 0, np.nan, 1.0), 1.0, "gaps.fits")
    with pytest.raises(InputError, match="gaps.fits: no piece of 50 x 50 pixels without gaps"):
        telescope.insert(galaxy(), gaps, 1.0, 1e3, rng())


def test_a_picture_far_smaller_than_the_blur_is_refused():
    with pytest.raises(InputError, match="are the positions in kpc?"):
        telescope.observe(galaxy(32), telescope.read_preset("sdss_r"), 1e-4, rng(), NONE)


def test_the_configuration_allows_every_telescope():
    rule = config.schema("config")["properties"]["render"]["properties"]["telescope"]["properties"]["preset"]
    assert sorted(rule["enum"]) == sorted(telescope.preset_names())
