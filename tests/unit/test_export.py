"""Packs leave as FITS and PNG with their scale, their unit and where they come from."""

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from astropy.units import Unit
from astropy.wcs import WCS

from galclass import export, images
from galclass.errors import InputError

RECORD = {"settings": {"telescope": {"preset": "sdss_r", "distance_mpc": 21.0}, "smoothing_neighbours": 16}}


@pytest.fixture
def pack(tmp_path):
    rng = np.random.default_rng(1)
    pictures = rng.random((3, 10, 12), dtype=np.float32)
    table = pd.DataFrame({name: np.arange(3.0) for name in images.FRAME_COLUMNS})
    table = table.assign(run="box", snapshot=["snapshot_000", "snapshot_001", "snapshot_002"], label="", seed=4)
    table = table.assign(frame=[0, 1, 2], pixel_arcsec=[1.5, 1.6, 1.7], pixel_kpc=0.16, snr=np.inf)
    path = tmp_path / "box.h5"
    images.write_pack(path, pictures, table, RECORD, {"flux": 3.0 * pictures, "deep": 2.0 * pictures}, "uJy")
    return path, pictures


def test_cube_has_all_frames_and_their_table(pack, tmp_path):
    path, pictures = pack
    export.run(path, tmp_path / "box.fits")
    with fits.open(tmp_path / "box.fits") as file:
        header, table = file[0].header, file["FRAMES"].data
        assert np.array_equal(file[0].data, 3.0 * pictures)
        assert header["BUNIT"] == "uJy" and header["RUN"] == "box"
        assert (header["CDELT1"], header["CUNIT2"], header["CRPIX1"], header["CRPIX2"]) == (1.5, "arcsec", 6.5, 5.5)
        assert WCS(header).pixel_to_world_values(5.5, 4.5, 2)[2] == 2.0  # the number of the third frame
        assert table["pixel_arcsec"].tolist() == [1.5, 1.6, 1.7]
        assert file["FRAMES"].columns["pixel_arcsec"].unit == "arcsec"
        assert "smoothing" in "".join(header["HISTORY"])
        assert table["snapshot"].tolist() == ["snapshot_000", "snapshot_001", "snapshot_002"]


def test_magnitudes_follow_from_the_header(pack, tmp_path):
    """1 uJy has the AB magnitude 23.90 (Oke & Gunn 1983: -2.5 log10(F / erg s-1 cm-2 Hz-1) - 48.60)."""
    path, _ = pack
    export.run(path, tmp_path / "box.fits")
    assert fits.getheader(tmp_path / "box.fits")["MAGZERO"] == pytest.approx(-2.5 * np.log10(1e-29) - 48.60, abs=1e-3)


@pytest.mark.parametrize(("what", "factor"), [("flux", 3.0), ("deep", 2.0), ("images", 1.0)])
def test_one_frame_by_its_number(pack, tmp_path, what, factor):
    path, pictures = pack
    export.run(path, tmp_path / "one.fits", frame=1, what=what)
    with fits.open(tmp_path / "one.fits") as file:
        assert np.allclose(file[0].data, factor * pictures[1], rtol=1e-6)  # float32
        header = file[0].header
        assert (header["FRAME"], header["SNAPSHOT"], header["CDELT1"]) == (1, "snapshot_001", 1.6)
        assert (header["TELESCOP"], header["DISTMPC"], header["SEED"]) == ("sdss_r", 21.0, 4)
        assert "SNR" not in header  # infinite: nothing was noisy
        assert header["BUNIT"] == ("1" if what == "images" else "uJy")
    # What was written can be read as any other picture.
    picture, is_flux = images.read_picture(tmp_path / "one.fits")
    assert is_flux and picture.shape == (10, 12)


def test_the_unit_of_mass_is_one_that_programs_read(pack, tmp_path):
    path, pictures = pack
    content = images.read_pack(path)
    images.write_pack(tmp_path / "mass.h5", pictures, content.frames, {}, {"flux": pictures}, "1e10 Msun")
    export.run(tmp_path / "mass.h5", tmp_path / "mass.fits", frame=0)
    assert Unit(fits.getheader(tmp_path / "mass.fits")["BUNIT"], format="fits").to("solMass") == 1e10


def test_png_shows_the_stretched_picture(pack, tmp_path):
    path, pictures = pack
    export.run(path, tmp_path / "one.png", frame=2)
    picture, _ = images.read_picture(tmp_path / "one.png")
    assert np.allclose(picture, pictures[2], atol=0.5 / 255 + 1e-6)


@pytest.mark.parametrize(
    ("name", "frame", "said"),
    [
        ("box.png", None, "a PNG shows one picture; give --frame"),
        ("box.tiff", 1, "allowed are .fits, .fits.gz, .png"),
        ("box.fits", 9, "no frame 9; its frames are numbered 0 to 2"),
    ],
)
def test_what_cannot_be_exported_is_said_in_one_line(pack, tmp_path, name, frame, said):
    with pytest.raises(InputError, match=said):
        export.run(pack[0], tmp_path / name, frame)
    assert not (tmp_path / name).exists()
