"""Sky, noise, galaxy and other objects: known pictures come apart into what they were made of."""

import numpy as np
import pytest

from galclass import segmentation
from galclass.errors import InputError

SIDE = 64
Y, X = np.mgrid[:SIDE, :SIDE] - 0.5 * (SIDE - 1)


def galaxy(radius: float = 8.0, x: float = 0.0, y: float = 0.0, exponent: float = 2.0) -> np.ndarray:
    """An exponential galaxy, brightness 1 at its effective radius, turned by 30 degrees, axis ratio 0.7."""
    cos, sin = np.cos(np.pi / 6), np.sin(np.pi / 6)
    along, across = (X - x) * cos + (Y - y) * sin, (Y - y) * cos - (X - x) * sin
    r = (np.abs(along) ** exponent + np.abs(across / 0.7) ** exponent) ** (1.0 / exponent)
    return np.exp(-1.678 * (r / radius - 1.0))


def star(x: float, y: float, peak: float) -> np.ndarray:
    return peak * np.exp(-0.5 * ((X - x) ** 2 + (Y - y) ** 2) / 1.2**2)


def noise(sigma: float, seed: int = 1) -> np.ndarray:
    return sigma * np.random.default_rng(seed).standard_normal((SIDE, SIDE))


def at(mask: np.ndarray, x: float, y: float) -> bool:
    middle = 0.5 * (SIDE - 1)
    return bool(mask[round(y + middle), round(x + middle)])


@pytest.mark.parametrize("signal_to_noise", [2, 5, 20, 100, 1000])
def test_a_galaxy_alone_is_found_and_nothing_else(signal_to_noise):
    found = segmentation.scene(galaxy() + noise(1.0 / signal_to_noise))
    assert at(found.galaxy, 0, 0) and not found.others.any()
    # A robust deviation of about 2000 pixels of sky is known to 2.6 per cent; the galaxy's faint wings add to it.
    assert found.noise == pytest.approx(1.0 / signal_to_noise, rel=0.15)


def test_sky_and_its_gradient_are_found():
    sky = 100.0 + 0.02 * X - 0.01 * Y
    found = segmentation.scene(galaxy() + sky + noise(0.1))
    # The plane is known to 0.1 sqrt(3 / 1500); wings below the detection (0.07) remain in it.
    assert np.abs(found.sky - sky).max() < 0.03
    assert found.noise == pytest.approx(0.1, rel=0.1)


@pytest.mark.parametrize("sky", [0.0, 3.0])
def test_a_picture_without_noise_has_noise_zero(sky):
    found = segmentation.scene(galaxy() + sky)
    assert found.noise == 0.0 and not found.others.any()
    assert found.sky == pytest.approx(sky, abs=0.001 if sky else 0.0)  # on a sky, the galaxy's light at the border
    assert found.galaxy[galaxy() > 0.1].all()


@pytest.mark.parametrize("sigma", [0.0, 0.01, 0.2])
def test_a_galaxy_that_fills_its_frame_keeps_its_light(sigma):
    found = segmentation.scene(galaxy(24.0) + noise(sigma))
    assert not found.sky.any() and not found.others.any()
    assert found.noise == pytest.approx(sigma, rel=0.15)
    assert found.galaxy.mean() > 0.9


def test_boxy_corners_and_spiral_arms_are_of_the_galaxy():
    angle, radius = np.arctan2(Y, X), np.hypot(X, Y)
    spiral = galaxy(6.0) * (1.0 + 0.8 * np.cos(2.0 * angle - radius / 2.0))
    for light in (galaxy(exponent=6.0), spiral):
        assert not segmentation.scene(light + noise(0.02)).others.any()


def test_stars_on_and_beside_the_galaxy_are_others():
    places = [(-20, 18, 3.0), (8, 4, 3.0), (22, -12, 9.0)]
    found = segmentation.scene(galaxy() + sum(star(*place) for place in places) + noise(0.05))
    assert all(at(found.others, x, y) for x, y, _ in places)
    assert at(found.galaxy, 0, 0) and not (found.galaxy & found.others).any()
    # 3 x pi 3^2 pixels of stars and a margin of one: nothing of the galaxy's other half is masked.
    assert found.others.sum() < 330 and not found.others[galaxy() > 1.0][: (galaxy() > 1.0).sum() // 2].any()


def test_a_neighbour_is_another_object_even_when_it_is_brighter():
    found = segmentation.scene(galaxy(6.0) + 2.0 * galaxy(3.0, x=20, y=10) + noise(0.05))
    assert at(found.others, 20, 10) and at(found.galaxy, 0, 0)


@pytest.mark.parametrize("offset", [0.0, 4.0, 12.0])
def test_a_trail_is_another_object_even_through_the_middle(offset):
    across = np.abs(Y - 0.4 * X - offset) / np.hypot(1.0, 0.4)
    found = segmentation.scene(galaxy(6.0) + 0.4 * np.exp(-0.5 * (across / 1.0) ** 2) + noise(0.05))
    assert found.others[(across < 1.0) & (galaxy(6.0) < 2.0)].mean() > 0.95
    assert found.others[across > 5.0].mean() < 0.02


def test_an_edge_on_disc_is_no_trail():
    disc = np.exp(-np.abs(X) / 7.0) / np.cosh((Y - 0.1 * X) / 1.5) ** 2
    assert not segmentation.scene(disc + noise(0.003)).others.any()


def test_masked_and_missing_pixels_are_others():
    image, mask = galaxy() + noise(0.05), np.zeros((SIDE, SIDE), bool)
    image[40:44, 20:24], mask[10:14, 50:54] = np.nan, True
    found = segmentation.scene(image, mask)
    assert found.others[40:44, 20:24].all() and found.others[10:14, 50:54].all() and found.others.sum() == 32
    assert np.isfinite(found.sky).all()


def test_brightness_does_not_matter_but_scales():
    image = galaxy() + star(-20, 18, 3.0) + 5.0 + noise(0.05)
    one, many = segmentation.scene(image), segmentation.scene(1e6 * image)
    assert (one.galaxy == many.galaxy).all() and (one.others == many.others).all()
    assert many.noise == pytest.approx(1e6 * one.noise) and many.sky == pytest.approx(1e6 * one.sky)


def test_a_large_picture_is_taken_apart_like_a_small_one():
    small = galaxy() + star(-20, 18, 30.0) + 10.0
    large = small.repeat(8, axis=0).repeat(8, axis=1) + np.random.default_rng(2).normal(0.0, 0.4, (512, 512))
    found = segmentation.scene(large)
    assert found.galaxy.shape == found.others.shape == found.sky.shape == (512, 512)
    assert found.galaxy[256, 256] and found.others[round((18 + 32) * 8), round((-20 + 32) * 8)]
    assert found.noise == pytest.approx(0.4, rel=0.05) and found.sky.mean() == pytest.approx(10.0, abs=0.02)


@pytest.mark.parametrize(
    "image", [np.zeros((16, 20)), np.full((16, 20), -1.0), -galaxy(), noise(1.0), galaxy()[:8, :8]]
)
def test_even_strange_pictures_come_apart(image):
    found = segmentation.scene(image)
    assert np.isfinite(found.sky).all() and np.isfinite(found.noise)


def test_nothing_to_see_is_an_error():
    with pytest.raises(InputError, match="every pixel of the picture is masked or not finite"):
        segmentation.scene(np.full((20, 20), np.nan))
    with pytest.raises(InputError, match="same shape"):
        segmentation.scene(galaxy(), np.zeros((3, 3), bool))


def test_cleaning_leaves_the_galaxy_alone():
    truth = galaxy()
    stars = star(-20, 18, 3.0) + star(8, 4, 3.0) + star(22, -12, 9.0)
    cleaned = segmentation.clean(truth + stars + 7.0 + noise(0.05), smoothing_px=0.7)
    assert (cleaned >= 0).all()
    # Off the galaxy a star leaves no trace above the galaxy's own light and half of the noise.
    assert cleaned[stars > 1.0][truth[stars > 1.0] < 0.02].max() < 0.02 + 0.025
    bright = truth > 0.3
    # Half of the pixels' noise is smoothed away; what remains is 0.03, and the smoothing itself lowers the peak.
    assert np.abs(cleaned - truth)[bright & (truth < 2.0)].max() < 0.3
    assert cleaned[bright].sum() == pytest.approx(truth[bright].sum(), rel=0.02)
    assert cleaned[0].max() == cleaned[:, 0].max() == 0.0


def test_cleaning_without_smoothing_keeps_the_pixels():
    image = galaxy() + noise(0.05)
    cleaned, found = segmentation.clean(image, smoothing_px=0.0), segmentation.scene(image)
    inside = found.galaxy & (image - found.sky > 0)
    assert cleaned[inside] == pytest.approx((image - found.sky)[inside])


def test_a_dead_column_is_masked_and_nothing_else():
    y, x = np.indices((64, 64)) - 31.5
    picture = 100.0 * np.exp(-np.hypot(x, y / 0.6) / 6.0) + np.random.default_rng(1).normal(0.0, 1.0, (64, 64))
    whole = segmentation.scene(picture).others
    picture[:, 35] = -100.0
    dead = segmentation.scene(picture).others
    assert dead[:, 35].all() and (dead & ~whole).sum() < 3 * 64
