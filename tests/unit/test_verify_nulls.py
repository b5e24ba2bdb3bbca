"""What chance gives: twins keep everything of a galaxy but its shape, random frames and controls are chosen fairly."""

import numpy as np
import pytest

from galclass import images, isophotes
from galclass.errors import InputError
from galclass.reference import model
from galclass.verify import nulls
from galclass.verify.likeness import Sight

OVER = 3
#: B4 of superellipses of these exponents (tests/physics/test_shapes.py integrates them).
BOXY, OVAL, DISCY = 4.0, 2.0, 1.6


def sight(exponent=BOXY, ratio=0.65, angle_deg=30.0, radius=6.5, pixels=50, noise=0.0005, seed=1):
    """A stretched exponential galaxy of peak 1 on superelliptic isophotes, with white noise, in flux."""
    offsets = (np.arange(pixels * OVER) + 0.5) / OVER - 0.5 * pixels
    along, across = model.turned(*np.meshgrid(offsets - 0.4, offsets + 0.3), angle_deg)
    light = np.exp(-1.678 * model.superelliptic_radius(along, across, ratio, exponent) / radius)
    light = light.reshape(pixels, OVER, pixels, OVER).mean(axis=(1, 3))
    flux = light / light.max() + noise * np.random.default_rng(seed).standard_normal(light.shape)
    picture = np.asarray(images.stretch(flux, 3.0), dtype=float)
    return Sight(picture, flux, "flux", picture)


def twin(galaxy, b4=0.0, b6=0.0, seed=2):
    return nulls.twin(galaxy, b4, b6, 3.0, np.random.default_rng(seed))


def shape(galaxy):
    return isophotes.measure(galaxy.light)


HARMONICS = [(0.0, 0.0), (-0.06, 0.0), (-0.05, 0.014), (0.03, 0.0)]


@pytest.mark.parametrize("exponent", [BOXY, OVAL, DISCY])
@pytest.mark.parametrize(("b4", "b6"), HARMONICS)
def test_a_twin_has_the_isophotes_that_were_asked_for(exponent, b4, b6):
    """Whatever the galaxy's own were: what is measured lies within three standard errors, and a pixel's 0.0005."""
    galaxy = sight(exponent)
    assert exponent == OVAL or abs(shape(galaxy).b4) > 0.035
    found = shape(twin(galaxy, b4, b6))
    assert found.b4_err < 0.001
    assert found.b4 == pytest.approx(b4, abs=3.0 * found.b4_err + 5e-4)
    assert found.b6 == pytest.approx(b6, abs=3.0 * found.b6_err + 5e-4)


@pytest.mark.parametrize("exponent", [BOXY, OVAL, DISCY])
@pytest.mark.parametrize("ratio", [0.45, 0.65, 0.9])
def test_a_twin_keeps_axis_ratio_size_flux_and_place(exponent, ratio):
    galaxy = sight(exponent, ratio)
    first, second = shape(galaxy), shape(oval := twin(galaxy))
    # rings three quarters of a pixel wide, through a galaxy whose minor axis may be as small as three pixels
    assert second.axis_ratio == pytest.approx(first.axis_ratio, abs=0.015)
    assert second.r_eff_px == pytest.approx(first.r_eff_px, rel=0.06)
    assert oval.light.sum() == pytest.approx(galaxy.light.sum(), rel=0.02)
    assert (second.x, second.y) == (pytest.approx(first.x, abs=0.1), pytest.approx(first.y, abs=0.1))


def test_twins_are_turned_at_random():
    galaxy = sight(OVAL, 0.5)
    angles = np.deg2rad([shape(twin(galaxy, seed=seed)).pa_deg for seed in range(24)])
    # mean length of the doubled angles: 24 random ones give 0.2 at the mean, and beyond 0.5 once in four hundred
    assert abs(np.exp(2j * angles).mean()) < 0.5
    assert np.ptp(angles) > 1.0


def test_a_twin_has_the_noise_of_its_galaxy():
    """White noise of a known strength, where there is no galaxy: 3 percent of a thousand pixels."""
    offsets = np.arange(50) - 24.5
    sky = np.hypot(*np.meshgrid(offsets, offsets))
    sky = (sky > 15.0) & (sky < 24.0)
    for noise in (0.003, 0.02):
        empty = twin(sight(radius=2.5, noise=noise)).light[sky]
        assert empty.std() == pytest.approx(noise, rel=0.08)
        assert abs(empty.mean()) < 4.0 * noise / np.sqrt(sky.sum()) + 1e-4
    quiet = twin(sight(radius=2.5, noise=0.0)).light[sky]
    assert quiet.std() < 1e-4  # no noise is invented where there is none


def test_noise_that_grows_with_the_light_is_kept():
    rng, galaxies = np.random.default_rng(3), []
    quiet = sight(OVAL, noise=0.0)
    for _ in range(30):
        flux = quiet.light + 0.05 * np.sqrt(np.maximum(quiet.light, 0.0)) * rng.standard_normal(quiet.light.shape)
        galaxies.append(Sight(quiet.picture, flux, "flux", quiet.picture))
    twins = np.stack([nulls.twin(galaxy, 0.0, 0.0, 3.0, np.random.default_rng(7)).light for galaxy in galaxies])
    smooth = nulls.twin(quiet, 0.0, 0.0, 3.0, np.random.default_rng(7)).light
    # the same draws each time, so that the residual is their common strength: that of the noise in the mean
    ring = (smooth > 0.1) & (smooth < 0.3)
    seen = np.abs(twins.mean(axis=0) - smooth)[ring] / (0.05 * np.sqrt(smooth[ring]))
    # mean of |normal| is 0.80; 5 percent of 200 pixels, and the slope of the galaxy between neighbours
    assert seen.mean() == pytest.approx(0.80, abs=0.1)


def test_a_twin_is_a_sight_in_flux_with_its_own_picture():
    galaxy = sight()
    made = twin(galaxy, -0.05)
    assert made.kind == "flux" and made.light.shape == made.picture.shape == galaxy.light.shape
    np.testing.assert_array_equal(made.picture, np.asarray(images.stretch(made.light, 3.0), dtype=float))
    assert made.grey is made.picture
    again = twin(galaxy, -0.05)
    np.testing.assert_array_equal(again.light, made.light)


def test_an_empty_galaxy_has_an_empty_twin():
    empty = np.zeros((50, 50))
    assert np.all(twin(Sight(empty, empty, "flux", empty)).light == 0.0)


# --- choices


def test_random_rows_are_chosen_once_and_in_order():
    rows = nulls.random_rows([5, 0, 20, 3], 14, seed=1)
    assert len(rows) == len(set(rows)) == 14 and rows == sorted(rows)
    assert all(0 <= row < (5, 0, 20, 3)[pack] for pack, row in rows)
    assert rows == nulls.random_rows([5, 0, 20, 3], 14, seed=1) != nulls.random_rows([5, 0, 20, 3], 14, seed=2)
    every = [(0, k) for k in range(5)] + [(2, k) for k in range(20)] + [(3, k) for k in range(3)]
    assert nulls.random_rows([5, 0, 20, 3], 99, seed=1) == every


def test_every_row_is_as_likely():
    """1200 draws of 3 of 12: 300 each, give or take 15; four times that."""
    drawn = [row for seed in range(1200) for row in nulls.random_rows([4, 8], 3, seed)]
    counts = [drawn.count((pack, row)) for pack, length in ((0, 4), (1, 8)) for row in range(length)]
    assert sum(counts) == 3600 and min(counts) > 240 and max(counts) < 360


# --- controls


def chosen(folder, count=99):
    return nulls.control_files({"controls": str(folder), "null_frames": count, "seed": 1})


def test_control_files_of_a_folder_and_its_folders(tmp_path):
    names = ["a.png", "b.PNG", "deep/c.fits", "deep/d.jpg", "e.fits.gz"]
    for name in [*names, "notes.txt", "table.csv"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert chosen(tmp_path) == sorted(tmp_path / name for name in names)
    some = chosen(tmp_path, 2)
    assert len(some) == 2 and set(some) < {tmp_path / name for name in names}
    assert some == chosen(tmp_path, 2) == sorted(some)


def test_folders_without_pictures_are_one_line(tmp_path):
    (tmp_path / "notes.txt").touch()
    for folder, said in ((tmp_path, "no picture in .*; allowed are .png"), (tmp_path / "none", "is no folder; give"),
                         (tmp_path / "notes.txt", "is no folder")):  # fmt: skip
        with pytest.raises(InputError, match=f"verify.controls: .*{said}") as caught:
            chosen(folder)
        assert "\n" not in str(caught.value)


def test_controls_that_cannot_be_read_are_left_out_and_named(tmp_path, capsys):
    images.write_png(tmp_path / "good.png", sight().picture)
    (tmp_path / "bad.png").write_text("no picture")
    images.write_png(tmp_path / "flat.png", np.full((30, 30), 0.5))
    paths, sights = nulls.read_controls(chosen(tmp_path), 3.0)
    assert paths == [tmp_path / "good.png"] and len(sights) == 1
    assert sights[0].picture == pytest.approx(sight().picture, abs=0.5 / 255)  # 8 bits
    said = capsys.readouterr().out.splitlines()
    assert [line.startswith("verify: control left out: ") for line in said] == [True, True]
    assert "bad.png" in said[0] and "flat.png" in said[1]
