"""Projection to pictures and their moments: conservation, symmetries, the analytic Gaussian, known galaxies."""

import numpy as np
import pytest
from scipy.special import erf

from galclass import kernels, vectors

FRONT = np.eye(3)[None]
# What a Gaussian cut off at four widths lacks in one direction: 1 - erf(4/sqrt(2)).
TAIL = 1 - erf(4 / np.sqrt(2))
# A particle is spread over 3 x 3 nodes 0.77 to 0.86 of its width apart before its Gaussian is drawn. Its mass, centre
# and second moments stay exact; its skewness changes with its place between the nodes, by up to 0.2. So its own picture
# is off by 4 % of its peak (rms) and 11 % at most (400 random particles); over many particles that averages out.
NODES, NODES_RMS = 0.13, 0.05


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
    # Symmetry of the Gaussian; a skewness of 0.2 moves the median by 1/6 of it, 0.013 of the mass.
    assert kept == pytest.approx([0.5, 0.5, 0.25, 0.0], abs=0.015)
    # Between two nodes or on one, here and there: by symmetry they lose the same.
    assert kept[0] == pytest.approx(kept[1], abs=1e-14)
    assert kept[2] == pytest.approx(kept[0] ** 2, abs=1e-14)


def test_light_far_outside_is_lost():
    far = np.array([[1e3, 0.0, 0.0], [-1e9, 1.0, 0.0], [0.0, 1e300, 0.0], [1e300, -1e300, 0.0]])
    for width in (0.0, 0.3):
        pictures = kernels.project(far, np.ones(4), np.full(4, width), some_cameras(), 4.0, 50)
        assert not pictures.any()


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


def analytic(positions, masses, widths, camera, half_width, pixels):
    """Gaussians cut off at four widths and integrated over the pixels, from their definition."""
    edges = np.linspace(-half_width, half_width, pixels + 1)

    def rows(axis):
        distance = np.clip((edges - (positions @ axis)[:, None]) / widths[:, None], -4, 4)
        return np.diff(erf(distance / np.sqrt(2)), axis=1) / (2 * (1 - TAIL))

    return (rows(camera[1]) * masses[:, None]).T @ rows(camera[0])


def test_one_particle_is_the_analytic_gaussian():
    rng = np.random.default_rng(3)
    off = []
    for width in np.geomspace(0.1, 1.0, 60):  # 0.5 to 5 pixels
        place = np.append(rng.uniform(-width, width, 2), 5.0)
        picture = kernels.project([place], [3.0], [width], FRONT, 4.0, 40)[0]
        expected = analytic(place[None], np.array([3.0]), np.array([width]), FRONT[0], 4.0, 40)
        off.append(np.abs(picture - expected).max() / expected.max())
        assert picture.min() >= 0
    assert max(off) < NODES
    assert np.sqrt(np.mean(np.square(off))) < NODES_RMS


def test_many_particles_are_the_analytic_picture():
    rng = np.random.default_rng(4)
    positions, masses, widths = rng.normal(0, 0.8, (20000, 3)), np.ones(20000), rng.uniform(0.06, 0.6, 20000)
    pictures = kernels.project(positions, masses, widths, some_cameras(), 4.0, 50)
    for camera, picture in zip(some_cameras(), pictures, strict=True):
        expected = analytic(positions, masses, widths, camera, 4.0, 50)
        # About 400 particles of 0.4 to 4 pixels share a pixel of the middle: 5 % of each over 20, and less as
        # neighbouring places cancel each other.
        assert np.abs(picture - expected).max() < 0.0025 * expected.max()


@pytest.mark.parametrize("width_px", [0.6, 0.65, 1.0, 1.9, 3.3, 8.0])
def test_a_particle_keeps_its_centre_and_its_width(width_px):
    places = np.random.default_rng(5).uniform(-2.0, 2.0, (30, 2))
    for place in places:
        image = kernels.project([[*place, 0.0]], [1.0], [width_px], FRONT, 40.0, 80)[0]  # pixels of 1 kpc
        flux, x, y, sxx, syy, sxy = kernels.image_moments(image, 39.5, 39.5, 100)
        assert flux == pytest.approx(1, rel=1e-13)
        # Pixels alias a Gaussian: exp(-2 pi^2 0.6^2)/pi = 3e-4 pixel for the narrowest, and three times as much for
        # the Gaussian on the nodes, which is 0.9 as wide.
        assert (x, y) == pytest.approx(tuple(place + 39.5), abs=1e-3)
        # The cut at four widths takes 1.1e-3 of the variance, integration over pixels adds 1/12 and aliasing moves it
        # by up to 4e-3 for the narrowest.
        expected = width_px**2 + 1 / 12
        assert (sxx, syy) == pytest.approx((expected, expected), rel=5e-3)
        assert sxy == pytest.approx(0, abs=1e-3 * expected)


def test_pictures_add():
    positions, masses, widths = cloud()
    both = kernels.project(positions, masses, widths, FRONT, 4.0, 30)
    first = kernels.project(positions[:100], masses[:100], widths[:100], FRONT, 4.0, 30)
    second = kernels.project(positions[100:], masses[100:], widths[100:], FRONT, 4.0, 30)
    # Another order of the same sum.
    assert np.abs(both - first - second).max() < 1e-12 * both.max()


def test_coarse_pixels_are_sums_of_fine_ones():
    positions, masses, widths = cloud()
    widths += 0.1  # a particle narrower than 0.2 pixels is a point, and these are 0.25 coarse ones
    fine = kernels.project(positions, masses, widths, some_cameras(), 4.0, 60)
    coarse = kernels.project(positions, masses, widths, some_cameras(), 4.0, 20)
    # Integrated over pixels, not sampled, on nodes that do not depend on them: exact but for rounding.
    assert fine.reshape(5, 20, 3, 20, 3).sum(axis=(2, 4)) == pytest.approx(coarse, abs=1e-12)


def test_points_are_numpys_histogram():
    positions, masses, _ = cloud(5000)
    pictures = kernels.project(2 * positions, masses, 0 * masses, some_cameras(), 2.0, 64)
    for camera, picture in zip(some_cameras(), pictures, strict=True):
        x, y = 2 * positions @ camera[0], 2 * positions @ camera[1]
        expected = np.histogram2d(y, x, bins=64, range=[[-2, 2], [-2, 2]], weights=masses)[0]
        # Sums in another order.
        assert picture == pytest.approx(expected, abs=1e-12)


def test_threads_do_not_change_a_bit_of_a_picture():
    positions, masses, widths = cloud()
    one = kernels.project(positions, masses, widths, some_cameras(), 4.0, 50, threads=1)
    two = kernels.project(positions, masses, widths, some_cameras(), 4.0, 50, threads=2)
    three = kernels.project(positions, masses, widths, some_cameras(), 4.0, 50, threads=3)
    assert np.array_equal(one, two)
    assert np.array_equal(one, three)


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
    # Pixel i is centred on i, the picture's middle is 39.5. A Gaussian cut at four widths jumps by phi(4) = 1.3e-4
    # there, wherever in a pixel that is: 1e-5 pixel.
    assert (x, y) == pytest.approx(tuple(place * per_kpc + 39.5), abs=1e-5)
    # Integration over pixels adds 1/12 pixel^2; the cut takes 2 * 4 phi(4) = 1.1e-3 of the variance of the Gaussian
    # on a node, which is 0.66 to 0.81 of the whole.
    cut = 8 * np.exp(-8) / np.sqrt(2 * np.pi) / (1 - TAIL)
    expected = (width * per_kpc) ** 2 * (1 - 0.73 * cut) + 1 / 12
    assert (sxx, syy) == pytest.approx((expected, expected), rel=1e-4)
    assert sxy == pytest.approx(0, abs=1e-4)


def galaxy_views(positions, widths, half_width, pixels, views=24):
    rng = np.random.default_rng(7)
    cameras = vectors.cameras(vectors.sphere_directions(views, rng), rng.uniform(0, 2 * np.pi, views))
    return kernels.project(positions, np.full(len(positions), 1 / len(positions)), widths, cameras, half_width, pixels)


def radial_profile(picture, pixel, edges):
    """Light within each pair of radii over that of the whole picture."""
    y, x = (np.indices(picture.shape) - (len(picture) - 1) / 2) * pixel
    return np.histogram(np.hypot(x, y), bins=edges, weights=picture)[0] / picture.sum()


def test_a_sphere_looks_the_same_from_all_directions():
    rng, n, scale = np.random.default_rng(6), 20000, 1.0
    # A Plummer sphere within eight scale lengths; widths grow outwards as the distance of neighbours does.
    share = rng.uniform(0, (1 + 1 / 8.0**2) ** -1.5, n)
    radius = scale / np.sqrt(share ** (-2 / 3) - 1)
    positions = radius[:, None] * vectors.sphere_directions(n, rng)
    widths = 0.1 * (1 + radius**2) ** (5 / 6)
    pictures = galaxy_views(positions, widths, 24.0, 64)
    assert pictures.sum(axis=(1, 2)) == pytest.approx(np.ones(24), rel=1e-12)
    edges = [0.0, 1.5, 3.0, 6.0, 12.0]
    profiles = np.array([radial_profile(picture, 0.75, edges) for picture in pictures])
    # Whether a particle falls in a ring is a draw of the view, of variance p(1 - p)/n, and smoothing only makes that
    # smaller. 24 views and 4 rings: 4 sigma.
    mean = profiles.mean(axis=0)
    assert (np.abs(profiles - mean) < 4 * np.sqrt(mean * (1 - mean) / n)).all()
    assert (np.abs(profiles - mean) > 0).any()
    # Second moments too: those of n particles drawn from the sphere, and the widths, known exactly.
    second = np.array([kernels.image_moments(picture, 31.5, 31.5, 100)[3:5] for picture in pictures]) * 0.75**2
    expected = (radius**2).mean() / 3 + (widths**2).mean()
    error = np.std(positions**2, axis=0).max() / np.sqrt(n)
    assert np.abs(second - expected).max() < 4 * error


def test_flux_does_not_depend_on_the_direction():
    positions, masses, widths = cloud(3000)
    rng = np.random.default_rng(8)
    cameras = vectors.cameras(vectors.sphere_directions(200, rng), rng.uniform(0, 2 * np.pi, 200))
    for pixels in (50, 64):
        flux = kernels.project(positions, masses, widths, cameras, 4.0, pixels).sum(axis=(1, 2))
        # Asked for is 1e-6; shares of a node sum to 1 to rounding.
        assert flux == pytest.approx(np.full(200, masses.sum()), rel=1e-12)


def test_a_face_on_disc_returns_its_scale_length():
    rng, n, scale = np.random.default_rng(9), 100_000, 1.0
    radius, angle = rng.gamma(2.0, scale, n), rng.uniform(0, 2 * np.pi, n)
    height = 0.2 * scale * np.arctanh(rng.uniform(-1, 1, n))
    positions = np.stack([radius * np.cos(angle), radius * np.sin(angle), height], axis=1)
    # As wide as the distance to the 16th neighbour in the mean: n e^(-R/h) / (2 pi h^2) / (0.4 h) stars a kpc^3.
    density = n * np.exp(-radius / scale) / (2 * np.pi * scale**2) / (0.4 * scale)
    widths = (16 / (4 / 3 * np.pi * density)) ** (1 / 3)
    picture = kernels.project(positions, np.full(n, 1 / n), widths, FRONT, 6.7, 64)[0]
    pixel = 13.4 / 64
    y, x = (np.indices(picture.shape) - 31.5) * pixel
    r = np.hypot(x, y)
    inside = (r > 0.5) & (r < 4.0)
    # Surface density e^(-r/h): a straight line, weighted by the number of particles as Poisson noise asks.
    slope = np.polyfit(r[inside], np.log(picture[inside]), 1, w=np.sqrt(picture[inside]))[0]
    # 8e4 stars between give 0.5 % for a maximum-likelihood scale; smoothing by s adds (s/h)^2/2 of the density alike
    # everywhere but for its growth with radius.
    assert -1 / slope == pytest.approx(scale, rel=0.01)


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
