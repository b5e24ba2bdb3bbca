"""Frames of isophotes: ellipses as squeezes, and harmonics in ellipses that change with radius."""

from types import SimpleNamespace

import numpy as np
import pytest

from galclass.isophotes import measure, profile
from galclass.isophotes.frames import Ellipse, ellipse, nest
from galclass.isophotes.light import checked, filled, first_ellipse


def nested_galaxy(exponent=2.0, size=101, scale=7.0, twist_deg=30.0, over=2):
    """Superelliptic isophotes whose axis ratio falls from 0.9 to 0.5 and whose angle turns, and their best ellipses."""
    at = (np.arange(size * over) + 0.5) / over - 0.5 - (size - 1) / 2.0
    x, y = np.meshgrid(at, at)
    sma = np.hypot(x, y)
    for _ in range(60):
        axis_ratio, pa = _geometry(sma, twist_deg)
        place = (x + 1j * y) * np.exp(-1j * pa)
        new = (np.abs(place.real) ** exponent + np.abs(place.imag / axis_ratio) ** exponent) ** (1.0 / exponent)
        sma = 0.5 * (sma + new)
    image = np.exp(-sma / scale).reshape(size, over, size, over).mean(axis=(1, 3))
    along = np.linspace(1.0, 60.0, 60)
    axis_ratio, pa = _geometry(along, twist_deg)
    angle = np.linspace(0.0, 2.0 * np.pi, 1000)
    swollen = np.mean((np.abs(np.cos(angle)) ** exponent + np.abs(np.sin(angle)) ** exponent) ** (-1.0 / exponent))
    middle = np.full(60, (size - 1) / 2.0)
    return image, SimpleNamespace(
        sma=swollen * along, x=middle, y=middle, ellipticity=1.0 - axis_ratio, pa_deg=np.rad2deg(pa)
    )


def _geometry(sma, twist_deg):
    share = np.clip((sma - 5.0) / 30.0, 0.0, 1.0)
    return 0.9 - 0.4 * share, np.deg2rad(20.0 + twist_deg * share)


# Squeezes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("axis_ratio", [0.1, 0.6, 1.0])
@pytest.mark.parametrize("pa", [0.0, 0.7, 2.0])
def test_an_ellipse_is_squeezed_to_a_circle_of_its_area(axis_ratio, pa):
    shape = ellipse(3.0 - 2.0j, axis_ratio, pa)
    angle = np.linspace(0.0, 2.0 * np.pi, 50)
    outline = shape.centre + np.exp(1j * pa) * (4.0 * np.cos(angle) + 4.0j * axis_ratio * np.sin(angle))
    radius, turn = shape.place(outline)
    np.testing.assert_allclose(radius, 4.0 * np.sqrt(axis_ratio))
    np.testing.assert_allclose(turn, np.exp(1j * (angle + pa)))
    np.testing.assert_allclose(shape.outline(4.0, np.exp(1j * (angle + pa))), outline, atol=1e-12)
    assert shape.axis_ratio == pytest.approx(axis_ratio)
    if axis_ratio < 1.0:
        assert shape.pa == pytest.approx(pa)


def test_a_move_takes_off_the_first_and_second_harmonic():
    """Points of a displaced, rounder ellipse lie on a circle once the frame moved by their own harmonics."""
    frame, true = ellipse(10.0 + 10.0j, 0.6, 0.4), ellipse(10.3 + 9.8j, 0.63, 0.45)
    points = true.outline(8.0, np.exp(1j * np.linspace(0.0, 2.0 * np.pi, 400, endpoint=False)))
    for _ in range(8):
        radius, turn = frame.place(points)
        mean = np.exp(np.log(radius).mean())
        size = np.log(radius / mean)
        first, second = 2.0 * np.mean(size * turn) * mean, 2.0 * np.mean(size * turn**2)
        frame = frame.moved(np.array([first.real, first.imag, second.real, second.imag]))
    assert frame.axis_ratio == pytest.approx(0.63, abs=1e-6)
    assert frame.pa == pytest.approx(0.45, abs=1e-6)
    assert frame.centre == pytest.approx(10.3 + 9.8j, abs=1e-6)


def test_ellipses_of_one_shape_are_one_ellipse():
    sma = np.array([2.0, 5.0, 20.0])
    same = nest(SimpleNamespace(sma=sma, x=sma * 0 + 4, y=sma * 0 + 5, ellipticity=sma * 0 + 0.4, pa_deg=sma * 0 + 30))
    one = ellipse(4.0 + 5.0j, 0.6, np.deg2rad(30.0))
    points = np.random.default_rng(0).normal(size=40) * 8 + 1j * np.random.default_rng(1).normal(size=40) * 8
    radius, turn = same.place(points)
    expected, expected_turn = one.place(points)
    np.testing.assert_allclose(radius * np.sqrt(0.6), expected, rtol=1e-9)
    np.testing.assert_allclose(turn, expected_turn, rtol=1e-9)
    assert isinstance(same.at(7.0), Ellipse) and same.at(7.0).axis_ratio == pytest.approx(0.6)


# Twists and gradients -----------------------------------------------------------------------------


@pytest.mark.parametrize("twist_deg", [0.0, 30.0])
@pytest.mark.parametrize(("exponent", "b4"), [(2.0, 0.0), (3.0, -0.0574), (1.7, 0.0286)])
def test_twists_and_gradients_do_not_leak_into_b4(exponent, b4, twist_deg):
    image, ellipses = nested_galaxy(exponent, twist_deg=twist_deg)
    shape = measure(image, ellipses=ellipses)
    # First order in the change of the ellipse across the deviation of an isophote: 4 % of b4.
    assert shape.b4 == pytest.approx(b4, abs=5e-4 + 0.04 * abs(b4))
    assert shape.method == "photutils"
    assert shape.flag == ""


def test_one_ellipse_for_all_radii_would_lose_a_twisted_box():
    image, ellipses = nested_galaxy(3.0, twist_deg=40.0)
    alone, within = measure(image).b4, measure(image, ellipses=ellipses).b4
    assert abs(within + 0.0574) < 0.3 * abs(alone + 0.0574)


def test_profile_follows_the_ellipses():
    image, ellipses = nested_galaxy(3.0)
    found = profile(image, np.array([10.0, 20.0, 30.0]), ellipses=ellipses)
    np.testing.assert_allclose(
        found["ellipticity"], np.interp(found["sma"], ellipses.sma, ellipses.ellipticity), atol=1e-4
    )
    np.testing.assert_allclose(found["b4"], -0.0574, atol=0.004)


def test_a_cloud_of_noisy_ellipses_moves_b4_little():
    rng = np.random.default_rng(6)
    image, ellipses = nested_galaxy(3.0, twist_deg=0.0)
    ellipses.ellipticity = ellipses.ellipticity + rng.normal(0.0, 0.01, 60)
    ellipses.x = ellipses.x + rng.normal(0.0, 0.1, 60)
    assert measure(image, ellipses=ellipses).b4 == pytest.approx(-0.0574, abs=0.004)


# Light under a mask -------------------------------------------------------------------------------


def test_masked_light_comes_from_the_other_side():
    image = np.arange(81.0).reshape(9, 9)
    mask = np.zeros((9, 9), dtype=bool)
    mask[2, 3] = mask[0, 0] = mask[8, 8] = True
    full = filled(checked(image, mask), 4.0 + 4.0j)
    assert full[2, 3] == image[6, 5]
    assert full[0, 0] == full[8, 8] == 0.0  # both masked
    assert np.count_nonzero(full != image) == 3 - 1 + (image[0, 0] != 0)


def test_a_masked_neighbour_moves_nothing():
    image, _ = nested_galaxy(3.0, twist_deg=0.0)
    y, x = np.indices(image.shape)
    mask = np.hypot(x - 68.0, y - 60.0) < 6.0
    alone, beside = measure(image), measure(np.where(mask, 5.0, image), mask=mask)
    assert (beside.x, beside.y) == pytest.approx((alone.x, alone.y), abs=0.05)
    assert beside.r_eff_px == pytest.approx(alone.r_eff_px, rel=0.01)
    assert beside.axis_ratio == pytest.approx(alone.axis_ratio, abs=0.01)
    assert beside.b4 == pytest.approx(alone.b4, abs=0.004)


def test_first_ellipse_is_that_of_the_galaxy():
    image, _ = nested_galaxy(2.0, twist_deg=0.0)
    found = first_ellipse(checked(image, None))
    assert found.centre == pytest.approx(50.0 + 50.0j, abs=0.05)
    assert found.pa == pytest.approx(np.deg2rad(20.0), abs=0.05)
    assert 0.5 < found.axis_ratio < 0.9
