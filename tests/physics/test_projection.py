"""Projection to pictures and their moments: conservation, symmetries, the analytic Gaussian."""

import numpy as np
import pytest
from scipy.special import erf

from galclass import kernels, vectors

FRONT = np.eye(3)[None]
# What a Gaussian cut off at four widths lacks in one direction: 1 - erf(4/sqrt(2)).
TAIL = 1 - erf(4 / np.sqrt(2))


def cloud(n=400, seed=1):
    """Positions [kpc] well inside a picture of half width 4 kpc, masses, widths."""
    rng = np.random.default_rng(seed)
    return rng.uniform(-1.2, 1.2, (n, 3)), rng.uniform(0.5, 1.5, n), rng.uniform(0.0, 0.4, n)


def some_cameras(n=5, seed=2):
    rng = np.random.default_rng(seed)
    return vectors.cameras(vectors.sphere_directions(n, rng), rng.uniform(0, 2 * np.pi, n))


def test_mass_inside_the_picture_is_conserved():
    positions, masses, widths = cloud()
    pictures = kernels.project(positions, masses, widths, some_cameras(), 4.0, 50)
    # Farthest reach: 1.2 sqrt(3) + 4 * 0.4 < 4 kpc, so nothing is lost; rounding of 400 stamps.
    assert pictures.sum(axis=(1, 2)) == pytest.approx(np.full(5, masses.sum()), rel=1e-13)


def test_a_particle_on_the_edge_loses_half_and_one_outside_all():
    positions = np.array([[4.0, 0.0, 0.0], [0.0, -4.0, 0.0], [4.0, 4.0, 0.0], [9.0, 0.0, 0.0]])
    kept = [kernels.project(p[None], [1.0], [0.2], FRONT, 4.0, 50).sum() for p in positions]
    # Symmetry of the Gaussian, to rounding.
    assert kept == pytest.approx([0.5, 0.5, 0.25, 0.0], abs=1e-14)


def test_a_picture_does_not_know_about_depth():
    positions, masses, widths = cloud()
    here = kernels.project(positions, masses, widths, FRONT, 4.0, 50)
    there = kernels.project(positions * [1, 1, -7], masses, widths, FRONT, 4.0, 50)
    assert np.array_equal(here, there)


def test_turning_the_particles_is_turning_the_camera():
    positions, masses, widths = cloud()
    cameras = some_cameras()
    turned = np.stack([
        kernels.project(positions @ camera.T, masses, widths, FRONT, 4.0, 50)[0] for camera in cameras
    ])  # fmt: skip
    pictures = kernels.project(positions, masses, widths, cameras, 4.0, 50)
    # Places agree to rounding, 1e-15 kpc; a Gaussian of width 1e-3 kpc and more changes by 1e-12 of itself.
    # Particles that are points would jump a pixel if they lay on an edge, which none does.
    assert np.abs(turned - pictures).max() < 1e-11 * pictures.max()


def test_a_quarter_turn_of_the_camera_turns_the_picture():
    positions, masses, widths = cloud()
    quarter = np.array([[[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]]])
    upright = kernels.project(positions, masses, widths, FRONT, 4.0, 50)[0]
    turned = kernels.project(positions, masses, widths, quarter, 4.0, 50)[0]
    # The camera's x axis is the particles' y axis: the picture turns clockwise. Rounding only.
    assert np.abs(turned - upright.T[::-1]).max() < 1e-13 * upright.max()


def test_x_points_right_and_y_up():
    picture = kernels.project([[1.5, 2.5, 0.0]], [1.0], [0.0], FRONT, 4.0, 8)[0]
    # Pixels of 1 kpc from -4: pixel 5 reaches from 1 to 2, pixel 6 from 2 to 3.
    assert np.argwhere(picture).tolist() == [[6, 5]]
    assert picture[6, 5] == pytest.approx(1, rel=1e-14)


def test_one_particle_is_the_analytic_gaussian():
    place, width, pixels = np.array([0.13, -0.37]), 0.5, 40
    picture = kernels.project([[*place, 5.0]], [3.0], [width], FRONT, 4.0, pixels)[0]
    edges = np.linspace(-4, 4, pixels + 1)
    rows = [np.diff(0.5 * erf((edges - p) / (np.sqrt(2) * width))) for p in place]
    expected = 3 * np.outer(rows[1], rows[0])
    # The cut takes TAIL in each direction and spreads it over the rest.
    assert np.abs(picture - expected).max() < 3 * TAIL * expected.max()
    assert np.abs(picture[picture > 0] / expected[picture > 0] - 1).max() < 1  # the outermost pixels are cut
    core = expected > 0.01 * expected.max()
    assert picture[core] == pytest.approx(expected[core] / (1 - TAIL) ** 2, rel=1e-12)


def test_pictures_add():
    positions, masses, widths = cloud()
    both = kernels.project(positions, masses, widths, FRONT, 4.0, 30)
    first = kernels.project(positions[:100], masses[:100], widths[:100], FRONT, 4.0, 30)
    second = kernels.project(positions[100:], masses[100:], widths[100:], FRONT, 4.0, 30)
    # Another order of the same sum.
    assert np.abs(both - first - second).max() < 1e-12 * both.max()


def test_coarse_pixels_are_sums_of_fine_ones():
    positions, masses, widths = cloud()
    fine = kernels.project(positions, masses, widths, some_cameras(), 4.0, 60)
    coarse = kernels.project(positions, masses, widths, some_cameras(), 4.0, 20)
    # Integrated over pixels, not sampled: exact but for rounding.
    assert fine.reshape(5, 20, 3, 20, 3).sum(axis=(2, 4)) == pytest.approx(coarse, abs=1e-12)


def test_threads_do_not_change_a_bit_of_a_picture():
    positions, masses, widths = cloud()
    one = kernels.project(positions, masses, widths, some_cameras(), 4.0, 50, threads=1)
    two = kernels.project(positions, masses, widths, some_cameras(), 4.0, 50, threads=2)
    assert np.array_equal(one, two)


def test_a_picture_of_one_pixel_holds_everything():
    positions, masses, widths = cloud()
    picture = kernels.project(positions, masses, widths, FRONT, 4.0, 1)
    assert picture.shape == (1, 1, 1)
    assert picture[0, 0, 0] == pytest.approx(masses.sum(), rel=1e-13)


def test_moments_of_a_gaussian():
    place, width, pixels = np.array([0.4, -0.7]), 0.5, 80
    image = kernels.project([[*place, 0.0]], [2.0], [width], FRONT, 4.0, pixels)[0]
    flux, x, y, sxx, syy, sxy = kernels.image_moments(image, 39.5, 39.5, 100)
    per_kpc = pixels / 8
    assert flux == pytest.approx(2, rel=1e-13)
    # Pixel i is centred on i, the picture's middle is 39.5. A symmetric cut and sampling of a width of five
    # pixels: the first moment is exact to exp(-2 pi^2 5^2).
    assert (x, y) == pytest.approx(tuple(place * per_kpc + 39.5), abs=1e-9)
    # Integration over pixels adds 1/12 pixel^2; the cut at 4 widths takes 2 * 4 phi(4) = 1.1e-3 of the
    # variance.
    expected = (width * per_kpc) ** 2 * (1 - 8 * np.exp(-8) / np.sqrt(2 * np.pi) / (1 - TAIL)) + 1 / 12
    assert (sxx, syy) == pytest.approx((expected, expected), rel=1e-4)
    assert sxy == pytest.approx(0, abs=1e-9)


def test_moments_know_a_tilted_bar():
    along = np.linspace(-1, 1, 2001)
    positions = np.stack([along, along / 2, 0 * along], axis=1)
    image = kernels.project(positions, np.ones(2001), np.zeros(2001), FRONT, 2.0, 400)[0]
    flux, x, y, sxx, syy, sxy = kernels.image_moments(image, 199.5, 199.5, 300)
    # A uniform bar of half-length 100 pixels in x: variance 100^2/3, half as long in y. Pixels of a point
    # cloud: 1 %.
    assert flux == pytest.approx(2001)
    assert (sxx, syy, sxy) == pytest.approx((1e4 / 3, 1e4 / 12, 1e4 / 6), rel=0.01)


def test_an_aperture_sees_only_what_lies_in_it():
    image = np.zeros((20, 30))
    image[5, 10], image[5, 12], image[15, 25] = 1, 3, 100
    flux, x, y, sxx, syy, sxy = kernels.image_moments(image, 10, 5, 2)
    # Two points on the aperture's edge and centre, by hand.
    assert (flux, x, y, sxx, syy, sxy) == pytest.approx((4, 11.5, 5, 0.75, 0, 0), abs=1e-12)


def test_an_aperture_without_flux_is_refused():
    with pytest.raises(kernels.InputError, match="the aperture holds no flux"):
        kernels.image_moments(np.zeros((10, 10)), 5, 5, 3)
