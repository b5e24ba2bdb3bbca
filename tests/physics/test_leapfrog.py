"""The leapfrog: orbits with a closed form, its order, its symmetries."""

import numpy as np
import pytest

from galclass import kernels
from galclass.units import G


def binary(eccentricity, mass_ratio=0.5):
    """Two bodies at apocentre, semi-major axis 1 kpc, total mass 1: places, speeds, masses and period."""
    masses = np.array([1.0, mass_ratio]) / (1 + mass_ratio)
    apart = 1 + eccentricity
    speed = np.sqrt(G * (1 - eccentricity) / (1 + eccentricity))
    share = np.array([masses[1], -masses[0]])
    positions = share[:, None] * [apart, 0.0, 0.0]
    velocities = share[:, None] * [0.0, speed, 0.0]
    return positions, velocities, masses, 2 * np.pi / np.sqrt(G)


def energy(positions, velocities, masses, softening=0.0):
    _, potential = kernels.accelerations(positions, masses, softening, "double")
    return 0.5 * (masses * (velocities**2).sum(axis=1)).sum() + 0.5 * (masses * potential).sum()


def cluster(n=64, seed=1):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 3)), 100 * rng.normal(size=(n, 3)), rng.uniform(0.5, 1.5, n) / n


@pytest.mark.parametrize("eccentricity", [0.0, 0.3])
def test_a_binary_closes_its_orbit(eccentricity):
    positions, velocities, masses, period = binary(eccentricity)
    there, speed = kernels.integrate(positions, velocities, masses, 0.0, period / 20000, 20000)
    # Phase error of second order: (2 pi / 20000)^2 / 24 * 2 pi = 3e-8 for a circle, some ten times that at e
    # = 0.3.
    assert np.abs(there - positions).max() < 1e-6
    assert np.abs(speed - velocities).max() < 1e-6 * np.sqrt(G)


def test_a_quarter_of_a_circle_is_a_quarter():
    positions, velocities, masses, period = binary(0.0)
    there, _ = kernels.integrate(positions, velocities, masses, 0.0, period / 8000, 2000)
    # The same second-order error at 8000 steps a turn, a quarter of it: 4e-8.
    assert there == pytest.approx(positions[:, [1, 0, 2]], abs=1e-6)


def test_halving_the_step_divides_the_error_by_four():
    positions, velocities, masses, period = binary(0.5)
    errors = []
    for steps in (500, 1000, 2000, 4000):
        there, _ = kernels.integrate(positions, velocities, masses, 0.0, period / steps, steps)
        errors.append(np.abs(there - positions).max())
    ratios = np.array(errors[:-1]) / errors[1:]
    # The next term of the error is of fourth order: 1/16 of a few per cent at these steps.
    assert ratios == pytest.approx([4, 4, 4], rel=0.02)


def test_going_back_in_time_returns_to_the_start():
    positions, velocities, masses = cluster()
    there = kernels.integrate(positions, velocities, masses, 0.1, 1e-4, 500)
    back = kernels.integrate(*there, masses, 0.1, -1e-4, 500)
    assert np.abs(there[0] - positions).max() > 1  # they did go somewhere
    # Rounding of 1000 steps, grown by encounters; a scheme that is not reversible misses by its truncation
    # error, 1e-4.
    assert np.abs(back[0] - positions).max() < 1e-9
    assert np.abs(back[1] - velocities).max() < 1e-7


def test_momentum_and_angular_momentum_stay():
    positions, velocities, masses = cluster()
    there, speed = kernels.integrate(positions, velocities, masses, 0.1, 1e-4, 500)
    drift = (masses[:, None] * (speed - velocities)).sum(axis=0)
    spin = (masses[:, None] * (np.cross(there, speed) - np.cross(positions, velocities))).sum(axis=0)
    # Rounding only: kicks come in opposite pairs and along the line between them.
    assert np.abs(drift).max() < 1e-11
    assert np.abs(spin).max() < 1e-10


def test_the_centre_of_mass_moves_straight():
    positions, velocities, masses = cluster()
    there, _ = kernels.integrate(positions, velocities, masses, 0.1, 1e-4, 500)
    expected = masses @ (positions + velocities * 1e-4 * 500)
    # Rounding only, as above.
    assert masses @ there == pytest.approx(expected, abs=1e-11)


def test_energy_swings_but_does_not_drift():
    positions, velocities, masses, period = binary(0.5)
    start = energy(positions, velocities, masses)
    errors = []
    for _ in range(20):
        # 200.5 steps a turn would alias; 150 of 200 steps visit four phases of the orbit.
        positions, velocities = kernels.integrate(positions, velocities, masses, 0.0, period / 200, 150)
        errors.append(abs(energy(positions, velocities, masses) / start - 1))
    # A symplectic scheme keeps a neighbouring energy: the swing is of second order, (2 pi/200)^2 at some
    # factor for the pericentre, and the last turns are no worse than the first.
    assert max(errors) < 5e-3
    assert max(errors[-8:]) < 1.5 * max(errors[:8])


def test_single_precision_follows_double_precision():
    positions, velocities, masses = cluster()
    single, _ = kernels.integrate(positions, velocities, masses, 0.3, 1e-4, 50, precision="single")
    double, _ = kernels.integrate(positions, velocities, masses, 0.3, 1e-4, 50, precision="double")
    # Forces off by 1e-6 of about 1e5 (km/s)^2/kpc over 0.005 time units: 0.5 * 0.1 * 2.5e-5 = 1e-6 kpc.
    assert 0 < np.abs(single - double).max() < 1e-5


def test_threads_do_not_change_a_bit_of_a_run():
    positions, velocities, masses = cluster(200)
    one = kernels.integrate(positions, velocities, masses, 0.1, 1e-4, 20, "single", threads=1)
    two = kernels.integrate(positions, velocities, masses, 0.1, 1e-4, 20, "single", threads=2)
    assert np.array_equal(one[0], two[0])
    assert np.array_equal(one[1], two[1])


def test_no_steps_change_nothing():
    positions, velocities, masses = cluster(5)
    there, speed = kernels.integrate(positions, velocities, masses, 0.1, 1.0, 0)
    assert np.array_equal(there, positions)
    assert np.array_equal(speed, velocities)


def test_two_steps_are_one_step_twice():
    positions, velocities, masses = cluster()
    once = kernels.integrate(positions, velocities, masses, 0.1, 1e-4, 1)
    twice = kernels.integrate(*once, masses, 0.1, 1e-4, 1)
    both = kernels.integrate(positions, velocities, masses, 0.1, 1e-4, 2)
    assert np.array_equal(twice[0], both[0])
    assert np.array_equal(twice[1], both[1])
