"""Pictures keep their values, their orientation and their meaning on the way to disk and back."""

import h5py
import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from galclass import images
from galclass.errors import InputError


def frames(count: int) -> pd.DataFrame:
    table = pd.DataFrame({name: np.arange(count, dtype=float) for name in images.FRAME_COLUMNS})
    return table.assign(frame=range(count), seed=2**32 - 1, run="box", snapshot="snapshot_000", label="")


@pytest.fixture
def pack(tmp_path):
    path = tmp_path / "box.h5"
    pictures = np.random.default_rng(1).random((3, 10, 12), dtype=np.float32)
    images.write_pack(path, pictures, frames(3), {"stage": "render"})
    return path, pictures


def test_pack_round_trip(pack):
    path, pictures = pack
    content = images.read_pack(path)
    assert np.array_equal(content.images, pictures)
    assert list(content.frames.columns) == list(images.FRAME_COLUMNS)
    assert content.frames["run"].tolist() == ["box"] * 3
    assert content.frames["frame"].tolist() == [0, 1, 2]
    assert content.frames["seed"][0] == 2**32 - 1
    assert content.provenance == {"stage": "render"}


def test_layers_come_back_with_their_unit(pack, tmp_path):
    _, pictures = pack
    path = tmp_path / "seen.h5"
    images.write_pack(path, pictures, frames(3), {}, {"flux": 5.0 * pictures, "deep": 7.0 * pictures}, "uJy")
    content = images.read_pack(path)
    assert np.array_equal(content.flux, 5.0 * pictures) and np.array_equal(content.deep, 7.0 * pictures)
    assert content.unit == "uJy"


def test_without_noise_the_flux_is_the_deep_picture(pack, tmp_path):
    _, pictures = pack
    images.write_pack(tmp_path / "ideal.h5", pictures, frames(3), {}, {"flux": 5.0 * pictures}, "1e10 Msun")
    content = images.read_pack(tmp_path / "ideal.h5")
    assert np.array_equal(content.deep, content.flux) and content.unit == "1e10 Msun"


def test_pictures_alone_stand_for_the_flux_down_to_their_depth(tmp_path):
    flux = np.random.default_rng(1).uniform(0.1, 1.0, (2, 8, 8))
    path = tmp_path / "alone.h5"
    images.write_pack(path, images.stretch(flux, 2.0), frames(2), {"settings": {"depth_dex": 2.0}})
    content = images.read_pack(path)
    # float32 pictures of 2 decades keep the flux to 1e-6
    assert content.flux == pytest.approx(flux / flux.max(axis=(1, 2), keepdims=True), rel=1e-5)
    assert content.unit == "peak"


def test_a_frame_is_found_by_its_number(pack):
    content = images.read_pack(pack[0])
    assert content.index(2) == 2
    with pytest.raises(InputError, match="box.h5: no frame 7; its frames are numbered 0 to 2"):
        content.index(7)


def test_a_pack_is_read_some_frames_at_a_time(pack, tmp_path):
    """Slices put together are the whole, and a damaged picture is met by its own slice only."""
    _, pictures = pack
    path = tmp_path / "seen.h5"
    images.write_pack(path, pictures, frames(3), {}, {"flux": 5.0 * pictures})
    file, whole = images.PackFile(path), images.read_pack(path)
    assert (len(file), file.shape) == (3, (3, 10, 12))
    for layer, expected in {"images": whole.images, "flux": whole.flux, "deep": whole.deep}.items():
        parts = [file.pictures(layer, first, first + 2) for first in (0, 2)]
        assert [len(part) for part in parts] == [2, 1]
        assert np.array_equal(np.concatenate(parts), expected)
    table = pd.concat([file.frames(0, 2), file.frames(2, 4)], ignore_index=True)
    pd.testing.assert_frame_equal(table, whole.frames)
    with h5py.File(path, "r+") as content:
        content["flux"][2, 0, 0] = np.inf
    assert len(file.pictures("flux", 0, 2)) == 2 and len(file.pictures("images")) == 3
    with pytest.raises(InputError, match="seen.h5: a picture holds NaN or infinite pixels"):
        file.pictures("flux", 2, 3)


def test_slices_of_pictures_alone_stand_for_the_flux(pack):
    path, pictures = pack
    assert np.array_equal(images.PackFile(path).pictures("flux", 1, 2), images.read_pack(path).flux[1:2])


def test_pictures_are_stored_whole(tmp_path):
    """A picture is in one piece of the file, so that reading some frames reads no others of a long pack."""
    images.write_pack(tmp_path / "long.h5", np.zeros((200, 50, 50)), frames(200), {})
    with h5py.File(tmp_path / "long.h5") as file:
        assert file["images"].chunks == (26, 50, 50)
    images.write_pack(tmp_path / "large.h5", np.zeros((2, 300, 300)), frames(2), {})
    with h5py.File(tmp_path / "large.h5") as file:
        assert file["images"].chunks == (1, 300, 300)


def test_a_layer_of_another_shape_is_refused(pack, tmp_path):
    _, pictures = pack
    images.write_pack(tmp_path / "odd.h5", pictures, frames(3), {}, {"flux": pictures[:2]})
    with pytest.raises(InputError, match=r"flux has the shape \(2, 10, 12\), the pictures \(3, 10, 12\)"):
        images.read_pack(tmp_path / "odd.h5")


def test_same_pack_same_bytes(tmp_path):
    for name in ("a.h5", "b.h5"):
        images.write_pack(tmp_path / name, np.ones((2, 8, 8)), frames(2), {})
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_damaged_packs_are_refused(pack, tmp_path):
    path, _ = pack
    whole = path.read_bytes()
    (tmp_path / "cut.h5").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.h5").write_text("no pictures here")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    for name in ("cut.h5", "text.h5", "other.h5"):
        with pytest.raises(InputError, match=f"{name}: not a pack of pictures"):
            images.read_pack(tmp_path / name)
    with h5py.File(path, "r+") as file:
        file["images"][0, 0, 0] = np.nan
    with pytest.raises(InputError, match="NaN"):
        images.read_pack(path)


@pytest.mark.parametrize("damage", ["group", "short", "text", "list", "unit"])
def test_malformed_packs_are_one_line(pack, tmp_path, damage):
    path, pictures = pack
    images.write_pack(path, pictures, frames(3), {}, {"flux": pictures})
    with h5py.File(path, "r+") as file:
        if damage == "group":
            del file["flux"]
            file.create_group("flux")
        elif damage == "short":
            del file["frames"]["seed"]
            file["frames"]["seed"] = [1, 2]
        elif damage == "text":
            del file["images"]
            file["images"] = ["a", "b"]
        elif damage == "list":
            file.attrs["provenance"] = "[1, 2]"
        else:
            del file["flux"].attrs["unit"]
    with pytest.raises(InputError, match="box.h5: not a pack of pictures"):
        images.read_pack(path)


def test_empty_pack_is_refused(tmp_path):
    images.write_pack(tmp_path / "none.h5", np.zeros((0, 8, 8)), frames(0), {})
    with pytest.raises(InputError, match="at least one"):
        images.read_pack(tmp_path / "none.h5")


def test_stretch_is_the_logarithm_between_peak_and_depth():
    """Depth of 3 decades: the peak is 1, a thousandth of it and less is 0, and 10^-1.5 lies half way."""
    density = np.array([[[100.0, 100 * 10**-1.5], [0.1, 0.01]], [[5.0, 0.0], [-1.0, 0.005]]])
    assert images.stretch(density, 3.0) == pytest.approx(np.array([[[1, 0.5], [0, 0]], [[1, 0], [0, 0]]]), abs=1e-6)
    assert images.stretch(np.zeros((2, 2)), 3.0).max() == 0.0


@given(st.floats(1e-6, 1e6), st.floats(1.0, 6.0))
def test_stretch_forgets_the_unit_and_unstretch_undoes_it(unit, depth):
    """float32 keeps 7 digits of the logarithm: 1e-6 of up to 6 decades is 1e-5 of the intensity."""
    intensity = 10.0 ** -np.linspace(0, depth * 0.999, 16).reshape(4, 4)
    picture = images.stretch(unit * intensity, depth)
    assert picture == pytest.approx(images.stretch(intensity, depth), abs=1e-5)
    assert images.unstretch(picture, depth) == pytest.approx(intensity, rel=1e-4)
    assert images.unstretch(np.zeros((2, 2)), depth).max() == 0.0


def test_png_shows_y_upwards_and_reads_back(tmp_path):
    picture = np.linspace(0, 1, 100).reshape(10, 10)
    images.write_png(tmp_path / "a.png", picture, zoom=2)
    with Image.open(tmp_path / "a.png") as file:
        assert file.size == (20, 20)
        assert file.getpixel((0, 0)) < file.getpixel((19, 0))
        assert file.getpixel((0, 0)) > file.getpixel((0, 19))  # the top row is the last row of the array
    back, is_flux = images.read_picture(tmp_path / "a.png")
    assert not is_flux
    assert back[::2, ::2] == pytest.approx(picture, abs=0.5 / 255 + 1e-9)  # half a grey level


def test_fits_is_flux_and_stays_as_it_is(tmp_path):
    flux = np.arange(120.0).reshape(10, 12) - 3
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(flux)]).writeto(tmp_path / "a.fits")
    back, is_flux = images.read_picture(tmp_path / "a.fits")
    assert is_flux
    assert np.array_equal(back, flux)


def test_bad_pictures_are_refused_in_one_line(tmp_path):
    (tmp_path / "text.png").write_text("not a picture")
    Image.new("L", (1, 1), 7).save(tmp_path / "one.png")
    Image.new("L", (20, 20), 7).save(tmp_path / "flat.png")
    (tmp_path / "text.fits").write_text("not a picture")
    fits.PrimaryHDU(np.full((9, 9), np.nan)).writeto(tmp_path / "nan.fits")
    fits.PrimaryHDU(np.zeros((2, 9, 9))).writeto(tmp_path / "cube.fits")
    (tmp_path / "a.gif").write_bytes(b"GIF89a")
    wrong = {
        "text.png": "not a readable PNG, JPEG or BMP",
        "one.png": "1 x 1 pixels",
        "flat.png": "same value",
        "text.fits": "not a readable FITS",
        "nan.fits": "NaN",
        "cube.fits": "no image with two axes",
        "a.gif": "unknown kind",
        "none.png": "no such file",
    }
    for name, message in wrong.items():
        with pytest.raises(InputError, match=message) as caught:
            images.read_picture(tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


def test_the_content_decides_not_the_name(tmp_path):
    """Galleries on the web hold bitmaps named .jpeg."""
    Image.fromarray(np.arange(100, dtype=np.uint8).reshape(10, 10)).save(tmp_path / "a.jpeg", format="BMP")
    picture, is_flux = images.read_picture(tmp_path / "a.jpeg")
    assert not is_flux
    assert picture[0, 0] == pytest.approx(90 / 255)  # the lowest row comes first


def test_truncated_png_is_refused(tmp_path):
    images.write_png(tmp_path / "whole.png", np.random.default_rng(1).random((64, 64)))
    content = (tmp_path / "whole.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="not a readable PNG, JPEG or BMP"):
        images.read_picture(tmp_path / "cut.png")


def test_contact_sheet_puts_the_first_picture_top_left():
    sheet = images.contact_sheet(np.stack([np.full((4, 5), value) for value in (0.1, 0.2, 0.3)]), columns=2)
    assert sheet.shape == (9, 11)
    assert sheet[-1, 0] == pytest.approx(0.1)
    assert sheet[-1, -1] == pytest.approx(0.2)
    assert sheet[0, 0] == pytest.approx(0.3)
    assert sheet[0, -1] == pytest.approx(0.5)  # nothing there


def test_grey_levels_round_and_stay_in_range():
    levels = images.grey_levels(np.array([-0.1, 0.0, 0.499 / 255, 0.501 / 255, 1.0, 1.2]))
    assert levels.tolist() == [0, 0, 0, 1, 255, 255]
    assert levels.dtype == np.uint8


def test_the_central_square_of_a_wide_picture():
    wide = np.arange(24.0).reshape(4, 6)
    assert (images.central_square(wide) == wide[:, 1:5]).all()
    assert (images.central_square(wide.T) == wide[:, 1:5].T).all()
    assert (images.central_square(wide[:, :4]) == wide[:, :4]).all()


def test_resampling_keeps_orientation_and_mean():
    picture = np.linspace(0, 1, 48)[:, None] * np.ones((1, 48))
    small = images.resampled(picture, 12)
    assert (np.diff(small[:, 0]) > 0).all()
    assert small.mean() == pytest.approx(0.5, abs=1e-6)  # float32
    assert (images.resampled(picture, 48) == picture).all()


def test_resampling_crops_to_a_square_and_keeps_flux():
    values = np.zeros((30, 60))
    values[:, 15:45] = np.random.default_rng(1).random((30, 30))
    small = images.resampled(values, 10, conserve=True)
    assert small.shape == (10, 10)
    assert small.sum() == pytest.approx(values.sum(), rel=1e-6)  # float32
    assert images.resampled(values, 10).mean() == pytest.approx(values[:, 15:45].mean(), rel=1e-6)
    large = images.resampled(values, 90)
    assert large.shape == (90, 90) and large.min() >= 0.0 and large.max() <= 1.0


def test_bad_pixels_of_fits_are_refused_unless_allowed(tmp_path):
    values = np.random.default_rng(1).random((10, 10))
    values[3, 4] = np.nan
    fits.PrimaryHDU(values).writeto(tmp_path / "bad.fits")
    with pytest.raises(InputError, match="holds NaN"):
        images.read_picture(tmp_path / "bad.fits")
    assert np.isnan(images.read_picture(tmp_path / "bad.fits", allow_nan=True)[0]).sum() == 1
    fits.PrimaryHDU(np.full((10, 10), np.nan)).writeto(tmp_path / "none.fits")
    with pytest.raises(InputError, match="every pixel is NaN"):
        images.read_picture(tmp_path / "none.fits", allow_nan=True)


def test_compressed_fits_and_axes_of_length_one(tmp_path):
    values = np.random.default_rng(1).integers(0, 1000, (20, 24)).astype(np.int32)
    fits.CompImageHDU(values).writeto(tmp_path / "tiles.fits.fz")
    fits.PrimaryHDU(values[None]).writeto(tmp_path / "plane.fits")
    for name in ("tiles.fits.fz", "plane.fits"):
        assert np.array_equal(images.read_picture(tmp_path / name)[0], values)


def test_a_cut_off_fits_file_is_one_line(tmp_path, recwarn):
    fits.PrimaryHDU(np.random.default_rng(1).random((100, 100))).writeto(tmp_path / "whole.fits")
    (tmp_path / "cut.fits").write_bytes((tmp_path / "whole.fits").read_bytes()[:20000])
    with pytest.raises(InputError, match="cut.fits: not a readable FITS file"):
        images.read_picture(tmp_path / "cut.fits")
    assert not recwarn.list


def test_sixteen_bits_of_grey_are_kept(tmp_path):
    levels = np.random.default_rng(1).integers(0, 65536, (10, 12)).astype(np.uint16)
    Image.fromarray(levels).save(tmp_path / "deep.png")
    picture, is_flux = images.read_picture(tmp_path / "deep.png")
    assert not is_flux
    np.testing.assert_allclose(picture[::-1], levels / 65535.0, atol=1e-9)
