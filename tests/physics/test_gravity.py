"""Gravity: closed forms, an independent sum, and the symmetries of Newton's law."""

import numpy as np
import pytest

from galclass import kernels
from galclass.units import G

# Pair sums in double precision differ from NumPy's by the order of a few thousand terms: sqrt(4000) * 1e-16
# of the sum of magnitudes, which near the centre is some hundred times the sum.
DOUBLE = 1e-12
# In single solver, places up to 8 kpc from the centre are right to 5e-7 kpc: 1e-5 of the softening of 0.05
# kpc, so the pull of the closest neighbour, which may be most of the whole, is off by up to 3e-5 after the
# third power.
SINGLE = 3e-5
# Typical particles have no such neighbour; each pair is right to a few times 6e-8.
SINGLE_RMS = 2e-6


def cloud(n, seed=1):
    """Positions [kpc] and masses [1e10 Msun] of a cloud without symmetry."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 3)) * [3.0, 2.0, 1.0] + [1.0, 2.0, 3.0], rng.uniform(0.5, 1.5, n) / n


def direct_sum(positions, masses, softening):
    """Accelerations and potentials written down as in a textbook, one target at a time."""
    acceleration, potential = np.empty_like(positions), np.empty(len(masses))
    for i, place in enumerate(positions):
        d = np.delete(positions, i, axis=0) - place
        gm = G * np.delete(masses, i)
        r = np.sqrt((d**2).sum(axis=1) + softening**2)
        acceleration[i] = (gm[:, None] * d / r[:, None] ** 3).sum(axis=0)
        potential[i] = -(gm / r).sum()
    return acceleration, potential


def error(found, expected):
    """Largest difference over the typical size of the expected values."""
    return np.abs(found - expected).max() / np.sqrt((expected**2).mean())


@pytest.mark.parametrize(("solver", "tolerance"), [("direct_double", DOUBLE), ("direct", SINGLE)])
# Sizes on both sides of the edges of a vector (8), a block of targets (32) and a run of sources (2048).
@pytest.mark.parametrize("n", [2, 7, 8, 9, 31, 32, 33, 300, 2047, 2048, 2049])
def test_agrees_with_an_independent_sum(n, solver, tolerance):
    positions, masses = cloud(n)
    acceleration, potential = kernels.accelerations(positions, masses, 0.05, solver)
    expected = direct_sum(positions, masses, 0.05)
    assert error(acceleration, expected[0]) < tolerance
    assert error(potential, expected[1]) < tolerance


def test_single_precision_is_typically_right_to_a_millionth():
    positions, masses = cloud(2049)
    acceleration, potential = kernels.accelerations(positions, masses, 0.05, "direct")
    expected = kernels.accelerations(positions, masses, 0.05, "direct_double")
    off = np.linalg.norm(acceleration - expected[0], axis=1) / np.linalg.norm(expected[0], axis=1)
    assert np.sqrt((off**2).mean()) < SINGLE_RMS
    assert np.abs(potential / expected[1] - 1).max() < SINGLE_RMS


@pytest.mark.parametrize("solver", ["direct", "direct_double"])
def test_two_particles_have_the_closed_form(solver):
    acceleration, potential = kernels.accelerations([[0, 0, 0], [3, 0, 4]], [2.0, 1.0], 2.0, solver)
    r = np.sqrt(5**2 + 2**2)
    # One pair: rounding of single precision at the most.
    assert acceleration[0] == pytest.approx(np.array([3, 0, 4]) * G / r**3, rel=1e-6)
    assert acceleration[1] == pytest.approx(-np.array([3, 0, 4]) * 2 * G / r**3, rel=1e-6)
    assert potential == pytest.approx([-G / r, -2 * G / r], rel=1e-6)


@pytest.mark.parametrize("solver", ["direct", "direct_double"])
@pytest.mark.parametrize("softening", [0.0, 0.1])
def test_a_particle_does_not_feel_itself(solver, softening):
    acceleration, potential = kernels.accelerations([[1.0, 2.0, 3.0]], [1.0], softening, solver)
    assert not acceleration.any()
    assert not potential.any()


def test_a_shell_attracts_like_its_mass_at_the_centre():
    rng = np.random.default_rng(2)
    shell = rng.normal(size=(2000, 3))
    shell /= np.linalg.norm(shell, axis=1)[:, None]
    # With every point its opposite, the first moment vanishes; what is left is the quadrupole of the noise at
    # ten radii: about 3/2 * 2000^-1/2 / 10^2 = 3e-4.
    positions = np.vstack([shell, -shell, [[10.0, 0.0, 0.0]]])
    masses = np.append(np.full(4000, 1 / 4000), 1e-9)
    acceleration, potential = kernels.accelerations(positions, masses, 0.0, "direct_double")
    assert acceleration[-1] == pytest.approx([-G / 100, 0, 0], abs=2e-3 * G / 100)
    assert potential[-1] == pytest.approx(-G / 10, rel=1e-3)


@pytest.mark.parametrize(("solver", "tolerance"), [("direct_double", 1e-14), ("direct", 1e-7)])
def test_forces_add_up_to_zero(solver, tolerance):
    positions, masses = cloud(1000)
    acceleration, _ = kernels.accelerations(positions, masses, 0.05, solver)
    forces = masses[:, None] * acceleration
    # Rounding errors of 1000 independent sums, far below one particle's share.
    assert np.abs(forces.sum(axis=0)).max() < tolerance * np.abs(forces).sum()


@pytest.mark.parametrize("solver", ["direct", "direct_double"])
def test_any_number_of_threads_gives_the_same_bits(solver):
    positions, masses = cloud(3000)
    one = kernels.accelerations(positions, masses, 0.05, solver, threads=1)
    for threads in (2, 3, 0):
        more = kernels.accelerations(positions, masses, 0.05, solver, threads=threads)
        assert np.array_equal(one[0], more[0])
        assert np.array_equal(one[1], more[1])


@pytest.mark.parametrize(("solver", "tolerance"), [("direct_double", DOUBLE), ("direct", SINGLE)])
def test_the_order_of_particles_does_not_matter(solver, tolerance):
    positions, masses = cloud(500)
    order = np.random.default_rng(3).permutation(500)
    acceleration, potential = kernels.accelerations(positions, masses, 0.05, solver)
    permuted = kernels.accelerations(positions[order], masses[order], 0.05, solver)
    assert error(permuted[0], acceleration[order]) < tolerance
    assert error(permuted[1], potential[order]) < tolerance


@pytest.mark.parametrize(("solver", "tolerance"), [("direct_double", DOUBLE), ("direct", SINGLE)])
def test_forces_turn_and_scale_with_the_particles(solver, tolerance):
    positions, masses = cloud(300)
    turn, _ = np.linalg.qr(np.random.default_rng(4).normal(size=(3, 3)))
    acceleration, potential = kernels.accelerations(positions, masses, 0.05, solver)
    turned, turned_potential = kernels.accelerations(3 * positions @ turn.T, masses, 0.15, solver)
    assert error(turned * 9, acceleration @ turn.T) < tolerance
    assert error(turned_potential * 3, potential) < tolerance


def test_single_precision_does_not_depend_on_where_the_origin_is():
    positions, masses = cloud(300)
    here, _ = kernels.accelerations(positions, masses, 0.05, "direct")
    # 2^17 kpc: the double-precision positions lose 37 of 53 bits less 20, the single ones would lose all.
    there, _ = kernels.accelerations(positions + 131072.0, masses, 0.05, "direct")
    assert error(there, here) < SINGLE


def test_particles_at_one_place_need_softening():
    positions, masses = np.zeros((40, 3)), np.ones(40)
    for solver in ("direct", "direct_double"):
        with pytest.raises(kernels.InputError, match="coincide without softening"):
            kernels.accelerations(positions, masses, 0.0, solver)
    acceleration, potential = kernels.accelerations(positions, masses, 0.1, "direct_double")
    assert not acceleration.any()
    assert potential == pytest.approx(np.full(40, -39 * G / 0.1), rel=1e-14)
