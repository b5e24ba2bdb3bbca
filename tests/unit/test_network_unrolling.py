"""Unrolling: an ellipse is flat, a rectangle four crests; turns, mirrors, stretches and neighbours drop out."""

import numpy as np
import pytest
from scipy import ndimage

from galclass import network
from galclass.network import unrolling

SIDE = 64


def galaxy(axis_ratio=0.6, exponent=2.0, angle_deg=0.0, radius=7.0, x=0.0, y=0.0, side=SIDE):
    """An exponential galaxy with superelliptic isophotes; x and y off the middle [pixel]."""
    v, u = np.mgrid[:side, :side] - (side - 1) / 2
    turn = np.radians(angle_deg)
    u, v = u - x, v - y
    along, across = u * np.cos(turn) + v * np.sin(turn), v * np.cos(turn) - u * np.sin(turn)
    root = np.sqrt(axis_ratio)
    distance = (np.abs(along * root) ** exponent + np.abs(across / root) ** exponent) ** (1 / exponent)
    return np.exp(-1.68 * distance / radius)


def harmonic(maps, order):
    """Mean cosine harmonic of the deviations of the middle rings."""
    row = maps[:, 0, unrolling.OVERLAP : -unrolling.OVERLAP, : unrolling.RINGS]
    anomaly = 2 * np.pi * np.arange(unrolling.PLACES) / unrolling.PLACES
    found = np.arctanh(row.astype(float)) * unrolling._DEVIATION
    return 2 * (found * np.cos(order * anomaly)[:, None]).mean(axis=1)[:, 5:13].mean(axis=1)


@pytest.mark.parametrize("axis_ratio", [0.4, 0.7, 0.9])
def test_the_ellipse_of_an_oval_is_found(axis_ratio):
    """Closed form: the adaptive ellipse of elliptical isophotes is one of them, wherever it lies."""
    found = network.galaxy_ellipses(galaxy(axis_ratio, angle_deg=30.0, x=1.3, y=-0.7)[None])
    assert found.x[0] == pytest.approx((SIDE - 1) / 2 + 1.3, abs=0.05)
    assert found.y[0] == pytest.approx((SIDE - 1) / 2 - 0.7, abs=0.05)
    assert found.axis_ratio[0] == pytest.approx(axis_ratio, abs=0.03)
    assert np.degrees(found.angle[0]) == pytest.approx(30.0, abs=1.0)


@pytest.mark.parametrize(("exponent", "b4"), [(2.0, 0.0), (2.5, -0.034), (4.0, -0.086)])
def test_the_fourth_harmonic_of_a_map_is_b4(exponent, b4):
    """B4 of superellipses by quadrature (any axis ratio); half a hundredth is the coarse rings' and pixels' share."""
    [found] = harmonic(network.unrolled(galaxy(0.7, exponent, 20.0)[None]), 4)
    assert found == pytest.approx(b4, abs=0.006)


def test_a_turn_leaves_the_map_and_a_mirror_image_runs_it_backwards():
    picture = galaxy(0.6, 4.0, 17.0)
    whole = network.unrolled(picture[None])
    for turn in (1, 2, 3):
        assert network.unrolled(np.rot90(picture, turn)[None]) == pytest.approx(whole, abs=2e-2)
    assert network.unrolled(picture[:, ::-1][None]) == pytest.approx(unrolling.mirrored(whole), abs=2e-2)


def test_a_map_mirrored_twice_is_itself():
    whole = network.unrolled(galaxy(0.5, 3.0, 40.0, x=0.4)[None])
    assert (unrolling.mirrored(unrolling.mirrored(whole)) == whole).all()


def test_a_stretch_of_the_brightness_drops_out():
    """The deviation is a ratio of two differences of brightness, so any monotonic stretch cancels to first order."""
    picture = galaxy(0.6, 4.0, 10.0)
    plain, stretched = (harmonic(network.unrolled(p[None]), 4)[0] for p in (picture, np.log10(picture + 1e-3)))
    assert stretched == pytest.approx(plain, abs=0.01)
    assert harmonic(network.unrolled(5.0 * picture[None] + 3.0), 4)[0] == pytest.approx(plain, abs=1e-4)


def test_a_neighbour_moves_the_ellipse_little():
    alone = galaxy(0.6, 2.0, 20.0)
    beside = alone + 0.5 * galaxy(0.9, 2.0, 0.0, radius=2.0, x=17.0, y=9.0)
    one, two = (network.galaxy_ellipses(p[None]) for p in (alone, beside))
    assert abs(two.x[0] - one.x[0]) < 0.1
    assert two.axis_ratio[0] == pytest.approx(one.axis_ratio[0], abs=0.03)
    assert harmonic(network.unrolled(beside[None]), 4)[0] == pytest.approx(0.0, abs=0.02)


def test_rings_overlap_so_that_a_network_sees_no_edge():
    row = network.unrolled(galaxy(0.6, 4.0)[None])[0, 0]
    assert row.shape == network.MAP_SHAPE[1:]
    assert (row[: unrolling.OVERLAP] == row[unrolling.PLACES : unrolling.PLACES + unrolling.OVERLAP]).all()
    assert (row[-unrolling.OVERLAP :] == row[unrolling.OVERLAP : 2 * unrolling.OVERLAP]).all()


@pytest.mark.parametrize(
    "picture", [np.zeros((20, 20)), np.ones((9, 9)), np.random.default_rng(1).normal(size=(33, 20))]
)
def test_pictures_without_a_galaxy_give_finite_maps(picture):
    assert np.isfinite(network.unrolled(picture[None])).all()


def test_noise_fades_the_rings_it_drowns():
    noisy = galaxy(radius=4.0) + np.random.default_rng(2).normal(0.0, 0.1, (20, SIDE, SIDE))
    weight = network.unrolled(noisy)[:, 0, :, 2 * unrolling.RINGS : 3 * unrolling.RINGS].mean(axis=(0, 1))
    assert weight[2] > 0.8
    # What is left is the slope of the noise itself, which means of 64 places have.
    assert weight[-1] < 0.5 * weight[2]


@pytest.mark.parametrize("zoom", [3, 6])
def test_a_large_picture_is_brought_to_the_size_of_the_rings(zoom):
    large = ndimage.zoom(galaxy(0.6, 4.0, 20.0), zoom, order=1)
    found = network.galaxy_ellipses(unrolling.framed(large)[None])
    assert found.radius[0] < 1.3 * unrolling._LARGEST_RADIUS_PX
    [b4] = harmonic(network.unrolled(unrolling.framed(large)[None]), 4)
    assert b4 == pytest.approx(-0.086, abs=0.012)


def test_a_small_galaxy_in_a_wide_field_keeps_its_pixels():
    wide = np.zeros((400, 400))
    wide[168:232, 168:232] = galaxy(0.6, 4.0, 20.0, radius=6.0)
    assert min(unrolling.framed(wide).shape) < 120
    assert network.galaxy_ellipses(unrolling.framed(wide)[None]).radius[0] > 3.0
