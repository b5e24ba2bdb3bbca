"""Noise removal of packs and pictures: what is written, and that the galaxy is left."""

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from PIL import Image

from galclass import clean, images
from galclass.errors import InputError

SETTINGS = {"smoothing_px": 0.7}


def scene(seed):
    """A galaxy with a star beside it, sky and noise (50 x 50), and the galaxy alone."""
    y, x = np.indices((50, 50)) - 24.5
    galaxy = 100.0 * np.exp(-np.hypot(x, y / 0.7) / 4.0)
    star = 60.0 * np.exp(-((x - 17.0) ** 2 + (y + 16.0) ** 2) / 4.0)
    return galaxy + star + np.random.default_rng(seed).normal(0.0, 1.0, (50, 50)), galaxy


@pytest.fixture
def pack(tmp_path):
    flux, deep = (np.stack(parts) for parts in zip(scene(1), scene(2), strict=True))
    table = pd.DataFrame({name: np.zeros(2) for name in images.FRAME_COLUMNS})
    table = table.assign(run="box", snapshot="s", label="", frame=[0, 1])
    path = tmp_path / "box.h5"
    record = {"stage": "render", "quality": "", "settings": {"depth_dex": 3.0}}
    images.write_pack(path, images.stretch(flux, 3.0), table, record, {"flux": flux, "deep": deep})
    return path


def test_star_and_noise_are_gone_and_the_galaxy_stays(pack, tmp_path):
    clean.run(pack, SETTINGS, tmp_path / "cleaned.h5")
    before, after = images.read_pack(pack), images.read_pack(tmp_path / "cleaned.h5")
    assert after.flux.shape == before.flux.shape and np.array_equal(after.deep, before.deep)
    assert after.provenance["stage"] == "clean" and after.depth_dex == 3.0
    for cleaned, noisy, deep in zip(after.flux, before.flux, before.deep, strict=True):
        assert noisy[8, 41] > 40.0 and cleaned[8, 41] == 0.0  # the star
        assert np.all(cleaned[:4, :4] == 0.0)  # the sky
        body = deep > 5.0
        # Smoothing by 0.7 pixels leaves half of the noise of a standard deviation of 1.
        assert np.sqrt(np.mean((cleaned - deep)[body & (deep < 50.0)] ** 2)) < 1.5


def test_pictures_before_and_after_lie_beside(pack, tmp_path):
    clean.run(pack, SETTINGS, tmp_path / "cleaned.h5")
    with Image.open(tmp_path / "cleaned_before_after.png") as sheet:
        assert sheet.size == (3 * (2 * 50 + 1), 3 * (2 * 50 + 1))


def test_a_fits_image_and_a_picture_for_the_eye(tmp_path):
    flux, _ = scene(3)
    header = fits.Header({"BUNIT": "uJy", "PIXSCALE": 1.5, "BSCALE": 1.0})
    fits.PrimaryHDU(flux, header).writeto(tmp_path / "galaxy.fits")
    clean.run(tmp_path / "galaxy.fits", SETTINGS, tmp_path / "cleaned.fits")
    assert images.read_picture(tmp_path / "cleaned.fits")[0][8, 41] == 0.0
    kept = fits.getheader(tmp_path / "cleaned.fits")
    assert (kept["BUNIT"], kept["PIXSCALE"]) == ("uJy", 1.5)
    images.write_png(tmp_path / "galaxy.png", images.stretch(np.maximum(flux, 0.0) + 1.0, 3.0))
    clean.run(tmp_path / "galaxy.png", SETTINGS, tmp_path / "cleaned.png")
    picture, is_flux = images.read_picture(tmp_path / "cleaned.png")
    assert not is_flux and picture[8, 41] == 0.0 and picture[25, 25] > 0.3


@pytest.mark.parametrize("name", ["cleaned.fits", "cleaned.png"])
def test_a_pack_is_cleaned_to_a_pack(pack, tmp_path, name):
    with pytest.raises(InputError, match="a pack is cleaned to a pack"):
        clean.run(pack, SETTINGS, tmp_path / name)
