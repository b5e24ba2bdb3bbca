"""Distance to the k-th neighbour: closed forms, and all pairs."""

import numpy as np
import pytest

from galclass import kernels


def every_pair(positions, neighbours):
    """The k-th smallest distance from each particle, the particle itself being the 0th."""
    squares = ((positions[:, None] - positions[None]) ** 2).sum(axis=2)
    return np.sqrt(np.sort(squares, axis=1)[:, neighbours])


@pytest.mark.parametrize("n", [2, 3, 16, 17, 33, 100, 1000])
def test_distances_are_those_of_all_pairs(n):
    positions = np.random.default_rng(n).normal(size=(n, 3))
    for neighbours in {1, min(7, n - 1), n // 2, n - 1}:
        found = kernels.neighbour_distances(positions, neighbours)
        # Sums of three squares in another order.
        np.testing.assert_allclose(found, every_pair(positions, neighbours), rtol=1e-14)


@pytest.mark.parametrize("flat", [[1, 1, 1], [1, 1, 0], [0, 1, 0]])
def test_ties_points_and_flat_galaxies(flat):
    rng = np.random.default_rng(1)
    positions = np.round(rng.normal(size=(700, 3)), 1) * flat
    positions = np.concatenate([positions, positions[:300], np.zeros((40, 3))])  # many in one place
    for neighbours in (1, 5, 39, 60):
        found = kernels.neighbour_distances(positions, neighbours)
        np.testing.assert_allclose(found, every_pair(positions, neighbours), rtol=1e-14)


def test_an_outlier_and_a_steep_cusp():
    rng = np.random.default_rng(2)
    positions = rng.normal(size=(1500, 3)) * np.exp(rng.normal(0, 4, (1500, 1)))
    positions[0] = 1e9
    found = kernels.neighbour_distances(positions, 16)
    np.testing.assert_allclose(found, every_pair(positions, 16), rtol=1e-14)


def test_density_of_a_uniform_sphere():
    rng, n, k = np.random.default_rng(3), 50_000, 32
    directions = rng.normal(size=(n, 3))
    positions = directions / np.linalg.norm(directions, axis=1)[:, None] * rng.uniform(0, 1, n)[:, None] ** (1 / 3)
    inside = np.linalg.norm(positions, axis=1) < 0.8
    distances = kernels.neighbour_distances(positions, k)[inside]
    # The sphere to the k-th neighbour holds k of n - 1 particles in the mean, with a variance of k; 25,600 share
    # particles, so that about 25,600/k are independent.
    count = (n - 1) * distances**3
    assert count.mean() == pytest.approx(k, abs=4 * np.sqrt(k) / np.sqrt(25_600 / k))


def test_threads_do_not_change_a_bit_of_a_distance():
    positions = np.random.default_rng(4).normal(size=(3000, 3))
    one, three = (kernels.neighbour_distances(positions, 16, threads=threads) for threads in (1, 3))
    assert np.array_equal(one, three)


@pytest.mark.parametrize("neighbours", [0, 10])
def test_a_neighbour_that_does_not_exist_is_refused(neighbours):
    with pytest.raises(kernels.InputError, match=f"neighbours {neighbours}: allowed is 1 to 9"):
        kernels.neighbour_distances(np.random.default_rng(5).normal(size=(10, 3)), neighbours)


def test_positions_whose_squares_overflow_are_refused():
    with pytest.raises(kernels.InputError, match=r"positions: largest is 1e\+200 kpc, allowed is 1e\+150"):
        kernels.neighbour_distances([[0.0, 0.0, 0.0], [1e200, 0.0, 0.0]], 1)
