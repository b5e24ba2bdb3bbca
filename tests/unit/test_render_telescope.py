"""What the telescope adds to the pictures of a snapshot, and that the deep picture stays without it."""

import copy

import numpy as np
import pytest
from astropy.io import fits

from galclass import config, images, render, snapshot, telescope, units
from galclass.errors import InputError


@pytest.fixture
def settings():
    """The section `render` of the configuration, with small pictures."""
    whole = copy.deepcopy(config.load()["render"])
    return {**whole, "pixels": 32, "views": 3, "smoothing_neighbours": 8, "fold": False}


@pytest.fixture
def folder(tmp_path):
    """Two snapshots of an exponential disc of 1e9 Msun with a scale length of 1 kpc."""
    rng = np.random.default_rng(1)
    radius, angle = rng.gamma(2.0, 1.0, 4000), rng.uniform(0.0, 2.0 * np.pi, 4000)
    positions = np.stack([radius * np.cos(angle), radius * np.sin(angle), 0.1 * rng.standard_normal(4000)], axis=1)
    for number in range(2):
        stars = snapshot.Snapshot(
            positions, np.zeros((4000, 3)), np.full(4000, 0.1 / 4000), np.arange(4000), np.full(4000, 2), 1.0 * number
        )
        snapshot.write(tmp_path / f"snapshot_{number:03d}.dat", stars)
    return tmp_path


def seen(folder, settings, name="box", **changed):
    """The pack of the folder with changed settings of the telescope."""
    chosen = {**settings, "telescope": {**settings["telescope"], **changed}}
    render.run([folder], chosen, folder / f"{name}.h5", "box")
    return images.read_pack(folder / f"{name}.h5")


def test_light_is_that_of_the_stars_at_their_distance(folder, settings):
    """1e9 Msun at a mass-to-light ratio of 2 and 21 Mpc, by the magnitude of the Sun."""
    pack = seen(folder, {**settings, "field_effective_radii": 20.0}, preset="ideal")
    assert pack.unit == "uJy"
    magnitude = 4.65 - 2.5 * np.log10(1e9 / 2.0) + 5.0 * np.log10(21e6 / 10.0)
    first = pack.flux[pack.frames["snapshot"] == "snapshot_000"]
    # 1e-3: a Gaussian is cut off at four widths, and a few stars of 4,000 lie outside
    assert -2.5 * np.log10(first.sum(axis=(1, 2))) + 23.9 == pytest.approx(magnitude, abs=2e-3)


def test_galaxies_fade_as_they_age(folder, settings):
    pack = seen(folder, settings, preset="ideal")
    by_time = [pack.flux[pack.frames["snapshot"] == f"snapshot_00{number}"][0] for number in (0, 1)]
    age = 5.0 + units.GYR_PER_TIME
    assert by_time[1].sum() / by_time[0].sum() == pytest.approx((age / 5.0) ** -0.8, rel=0.02)  # views differ


def test_noise_is_added_to_the_flux_and_not_to_the_deep_picture(folder, settings):
    ideal, noisy = seen(folder, settings, "ideal", preset="ideal"), seen(folder, settings, "noisy", preset="sdss_r")
    assert np.allclose(noisy.deep, ideal.flux, rtol=1e-5)  # the same band and Sun
    camera = telescope.read_preset("sdss_r")
    corner = (noisy.flux - noisy.deep)[:, :4, :4]
    sigma = telescope.sky_noise(camera, noisy.frames["pixel_arcsec"][0])
    # 96 pixels of sky: the standard deviation to 7 %, three of them
    assert corner.std() == pytest.approx(sigma, rel=0.22)
    assert np.isinf(ideal.frames["snr"]).all()
    assert noisy.images.min() == 0.0 and noisy.images.max() == 1.0


def test_signal_to_noise_is_what_the_noise_of_the_ring_says(folder, settings):
    pack = seen(folder, settings, preset="sdss_r")
    pixels, frame = settings["pixels"], pack.frames.iloc[0]
    y, x = np.indices((pixels, pixels)) - 0.5 * (pixels - 1)
    ring = np.abs(np.hypot(x, y) - frame["effective_radius_kpc"] / frame["pixel_kpc"]) <= 0.5
    sky = telescope.sky_noise(telescope.read_preset("sdss_r"), frame["pixel_arcsec"])
    # The sky is most of the noise, so the sky alone gives a little too much signal to noise.
    from_sky = pack.deep[0][ring].sum() / (sky * np.sqrt(ring.sum()))
    assert 0.5 * from_sky < frame["snr"] < from_sky


def test_the_noise_of_a_frame_does_not_depend_on_what_else_is_rendered(folder, settings):
    whole = seen(folder, settings, preset="sdss_r")
    alone = {**settings, "telescope": {**settings["telescope"], "preset": "sdss_r"}}
    render.run([folder / "snapshot_001.dat"], alone, folder / "one.h5", "box")
    assert np.array_equal(images.read_pack(folder / "one.h5").flux, whole.flux[3:])
    other = seen(folder, {**settings, "seed": 2}, "other", preset="sdss_r")
    assert not np.allclose(other.flux, whole.flux)


def test_the_survey_s_own_pixels(folder, settings):
    pack = seen(folder, settings, preset="decals_r", pixel_scale="survey")
    assert pack.frames["pixel_arcsec"].to_numpy() == pytest.approx(0.262)
    assert pack.frames["pixel_kpc"].to_numpy() == pytest.approx(0.262 / units.arcsec_per_kpc(21.0))


def test_stars_and_neighbours_are_in_the_flux_only(folder, settings):
    extras = {"stars": 3, "trails": 1, "gradient": 0.05, "neighbours": 1}
    plain = seen(folder, settings, "plain", preset="euclid_vis")
    crowded = seen(folder, settings, "crowded", preset="euclid_vis", contaminants=extras)
    assert np.array_equal(crowded.deep, plain.deep)
    excess = (crowded.flux - plain.flux).reshape(len(plain.flux), -1)
    sigma = telescope.sky_noise(telescope.read_preset("euclid_vis"), plain.frames["pixel_arcsec"][0])
    assert (excess.max(axis=1) > 20.0 * sigma).all()


def test_a_real_background_takes_the_place_of_the_sky(folder, settings):
    rng = np.random.default_rng(3)
    header = fits.Header({"BUNIT": "uJy", "PIXSCALE": 2.0})
    fits.PrimaryHDU(rng.normal(5.0, 0.3, (300, 300)), header).writeto(folder / "sky.fits")
    pack = seen(folder, settings, preset="decals_r", background=str(folder / "sky.fits"))
    corner = (pack.flux - pack.deep)[:, :4, :4]
    scale = (pack.frames["pixel_arcsec"][0] / 2.0) ** 2
    assert abs(corner.mean()) < 0.15 * scale  # its level of 5 is taken off
    assert 0.1 * scale**0.5 < corner.std() < 0.5 * scale**0.5
    fits.PrimaryHDU(rng.normal(5.0, 0.3, (300, 300))).writeto(folder / "unknown.fits")
    with pytest.raises(InputError, match="unknown.fits: no pixel scale"):
        seen(folder, settings, preset="decals_r", background=str(folder / "unknown.fits"))
    known = {"background_zero_point_ab": 23.9, "background_pixel_arcsec": 2.0}
    again = seen(folder, settings, preset="decals_r", background=str(folder / "unknown.fits"), **known)
    assert again.unit == "uJy"


def test_the_thesis_pictures_mass(folder, settings):
    pack = seen(folder, {**settings, "field_effective_radii": 20.0}, preset="thesis")
    assert pack.unit == "1e10 Msun"
    assert pack.flux.sum(axis=(1, 2)) == pytest.approx(0.1, rel=2e-3)
    assert np.array_equal(pack.deep, pack.flux)
