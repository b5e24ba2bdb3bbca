"""The leapfrog: orbits with a closed form, its order, its symmetries, and block time steps."""

import numpy as np
import pytest

from galclass import kernels
from galclass.errors import InputError
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
    _, potential = kernels.accelerations(positions, masses, softening, "direct_double")
    return 0.5 * (masses * (velocities**2).sum(axis=1)).sum() + 0.5 * (masses * potential).sum()


def cluster(n=64, seed=1):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 3)), 100 * rng.normal(size=(n, 3)), rng.uniform(0.5, 1.5, n) / n


def plummer(n, seed=1):
    """A Plummer sphere of mass 1 and scale 1 kpc in equilibrium (Aarseth, Henon & Wielen 1974, A&A 37, 183).

    In its unit of time, G^-1/2, half the mass turns about once in 2 pi.
    """
    rng = np.random.default_rng(seed)
    radius = (rng.uniform(size=n) ** (-2 / 3) - 1) ** -0.5
    # Speeds in units of escape: density q^2 (1 - q^2)^(7/2), by rejection below its largest value, 0.092.
    q, height = rng.uniform(size=(2, 40 * n)) * [[1.0], [0.1]]
    q = q[height < q**2 * (1 - q**2) ** 3.5][:n]
    speed = q * np.sqrt(2 * G) * (1 + radius**2) ** -0.25
    directions = rng.normal(size=(2, n, 3))
    directions /= np.linalg.norm(directions, axis=2)[:, :, None]
    positions, velocities = radius[:, None] * directions[0], speed[:, None] * directions[1]
    return positions - positions.mean(axis=0), velocities - velocities.mean(axis=0), np.full(n, 1 / n)


UNIT_OF_TIME = 1 / np.sqrt(G)


def run(start, softening, time_step, steps, **how):
    """Positions and velocities after some steps."""
    positions, velocities, masses = start
    return kernels.integrate(positions, velocities, masses, softening, time_step, steps, **how)


@pytest.mark.parametrize("eccentricity", [0.0, 0.3])
def test_a_binary_closes_its_orbit(eccentricity):
    positions, velocities, masses, period = binary(eccentricity)
    there, speed = run((positions, velocities, masses), 0.0, period / 20000, 20000, solver="direct_double")
    # Phase error of second order: (2 pi / 20000)^2 / 24 * 2 pi = 3e-8 for a circle, some ten times that at e
    # = 0.3.
    assert np.abs(there - positions).max() < 1e-6
    assert np.abs(speed - velocities).max() < 1e-6 * np.sqrt(G)


def test_a_quarter_of_a_circle_is_a_quarter():
    positions, velocities, masses, period = binary(0.0)
    there, _ = run((positions, velocities, masses), 0.0, period / 8000, 2000, solver="direct_double")
    # The same second-order error at 8000 steps a turn, a quarter of it: 4e-8.
    assert there == pytest.approx(positions[:, [1, 0, 2]], abs=1e-6)


@pytest.mark.parametrize(("eccentricity", "fewest"), [(0.5, 500), (0.9, 8000)])
def test_halving_the_step_divides_the_error_by_four(eccentricity, fewest):
    positions, velocities, masses, period = binary(eccentricity)
    errors = []
    for steps in fewest * 2 ** np.arange(4):
        there, _ = run((positions, velocities, masses), 0.0, period / steps, steps, solver="direct_double")
        errors.append(np.abs(there - positions).max())
    ratios = np.array(errors[:-1]) / errors[1:]
    # The next term of the error is of fourth order: 1/16 of a few per cent at these steps.
    assert ratios == pytest.approx([4, 4, 4], rel=0.02)


@pytest.mark.parametrize(("solver", "place", "speed"), [("direct_double", 1e-9, 1e-7), ("tree", 1e-5, 1e-3)])
def test_going_back_in_time_returns_to_the_start(solver, place, speed):
    start = cluster()
    there = run(start, 0.1, 1e-4, 500, solver=solver, accuracy=1e-30)
    back = run((*there, start[2]), 0.1, -1e-4, 500, solver=solver, accuracy=1e-30)
    assert np.abs(there[0] - start[0]).max() > 1  # they did go somewhere
    # Rounding of 1000 steps (in the tree of single precision, and different when particles change places in the
    # list), grown by encounters; a scheme that is not reversible misses by its truncation error, 1e-4 kpc.
    assert np.abs(back[0] - start[0]).max() < place
    assert np.abs(back[1] - start[1]).max() < speed


def test_momentum_and_angular_momentum_stay():
    start = positions, velocities, masses = cluster()
    there, speed = run(start, 0.1, 1e-4, 500, solver="direct_double")
    drift = (masses[:, None] * (speed - velocities)).sum(axis=0)
    spin = (masses[:, None] * (np.cross(there, speed) - np.cross(positions, velocities))).sum(axis=0)
    # Rounding only: kicks come in opposite pairs and along the line between them.
    assert np.abs(drift).max() < 1e-11
    assert np.abs(spin).max() < 1e-10


def test_the_centre_of_mass_moves_straight():
    start = positions, velocities, masses = cluster()
    there, _ = run(start, 0.1, 1e-4, 500, solver="direct_double")
    expected = masses @ (positions + velocities * 1e-4 * 500)
    # Rounding only, as above.
    assert masses @ there == pytest.approx(expected, abs=1e-11)


def test_energy_swings_but_does_not_drift():
    positions, velocities, masses, period = binary(0.5)
    start = energy(positions, velocities, masses)
    errors = []
    for _ in range(20):
        # 200.5 steps a turn would alias; 150 of 200 steps visit four phases of the orbit.
        positions, velocities = run((positions, velocities, masses), 0.0, period / 200, 150, solver="direct_double")
        errors.append(abs(energy(positions, velocities, masses) / start - 1))
    # A symplectic scheme keeps a neighbouring energy: the swing is of second order, (2 pi/200)^2 at some
    # factor for the pericentre, and the last turns are no worse than the first.
    assert max(errors) < 5e-3
    assert max(errors[-8:]) < 1.5 * max(errors[:8])


@pytest.mark.parametrize("solver", ["direct", "tree"])
def test_single_precision_follows_double_precision(solver):
    start = cluster()
    single, _ = run(start, 0.3, 1e-4, 50, solver=solver, accuracy=1e-30)
    double, _ = run(start, 0.3, 1e-4, 50, solver="direct_double")
    # Forces off by 1e-6 of about 1e5 (km/s)^2/kpc over 0.005 time units: 0.5 * 0.1 * 2.5e-5 = 1e-6 kpc.
    assert 0 < np.abs(single - double).max() < 1e-5


@pytest.mark.parametrize("levels", [0, 5])
@pytest.mark.parametrize("solver", ["direct", "tree"])
def test_threads_do_not_change_a_bit_of_a_run(solver, levels):
    start = plummer(3000)
    how = {"solver": solver, "levels": levels}
    one = run(start, 0.05, 0.4 * UNIT_OF_TIME, 2, threads=1, **how)
    for threads in (2, 3):
        more = run(start, 0.05, 0.4 * UNIT_OF_TIME, 2, threads=threads, **how)
        np.testing.assert_array_equal(more[0], one[0])
        np.testing.assert_array_equal(more[1], one[1])


@pytest.mark.parametrize("solver", ["direct_double", "tree"])
@pytest.mark.parametrize("levels", [0, 4])
def test_no_steps_change_nothing(solver, levels):
    start = cluster(50)
    there, speed = run(start, 0.1, 1.0, 0, solver=solver, levels=levels)
    np.testing.assert_array_equal(there, start[0])
    np.testing.assert_array_equal(speed, start[1])


@pytest.mark.parametrize("levels", [0, 6])
def test_two_steps_are_one_step_twice(levels):
    """Between full steps all particles are at one time, and nothing is remembered but where they are."""
    start = cluster()
    once = run(start, 0.1, 1e-3, 1, solver="direct_double", levels=levels)
    twice = run((*once, start[2]), 0.1, 1e-3, 1, solver="direct_double", levels=levels)
    both = run(start, 0.1, 1e-3, 2, solver="direct_double", levels=levels)
    np.testing.assert_array_equal(twice[0], both[0])
    np.testing.assert_array_equal(twice[1], both[1])


@pytest.mark.parametrize("levels", [0, 5])
def test_particles_keep_their_places_in_the_list(levels):
    """The tree sorts them in space, again and again; who is who must not change."""
    start = plummer(2000)
    shuffled = np.random.default_rng(2).permutation(2000)
    tree = run(start, 0.05, 0.01 * UNIT_OF_TIME, 100, levels=levels, accuracy=1e-3)
    mixed = run([part[shuffled] for part in start], 0.05, 0.01 * UNIT_OF_TIME, 100, levels=levels, accuracy=1e-3)
    exact = run(start, 0.05, 0.01 * UNIT_OF_TIME, 100, levels=levels, solver="direct_double")
    # In one unit of time an error of 1e-3 in the forces moves a particle by some 1e-3 kpc; another particle is
    # 1 kpc away.
    assert np.quantile(np.linalg.norm(tree[0] - exact[0], axis=1), 0.99) < 1e-2
    assert np.quantile(np.linalg.norm(mixed[0] - tree[0][shuffled], axis=1), 0.99) < 1e-2


def levels_of(start, softening, time_step, step_accuracy):
    """What the criterion asks of each particle: longest step over 2**level <= sqrt(2 eta softening / |a|)."""
    acceleration, _ = kernels.accelerations(start[0], start[2], softening, "direct_double")
    wanted = np.sqrt(2 * step_accuracy * softening / np.linalg.norm(acceleration, axis=1))
    return np.ceil(np.log2(time_step / wanted)).clip(0)


def test_block_steps_end_where_short_steps_end():
    """With every particle on the shortest step, blocks are the plain leapfrog: the same bits."""
    start = plummer(500)
    blocks = run(start, 0.05, 0.16 * UNIT_OF_TIME, 3, solver="direct_double", levels=4, step_accuracy=1e-9)
    fixed = run(start, 0.05, 0.01 * UNIT_OF_TIME, 48, solver="direct_double")
    np.testing.assert_allclose(blocks[0], fixed[0], rtol=0, atol=1e-10)
    np.testing.assert_allclose(blocks[1], fixed[1], rtol=0, atol=1e-8)


def test_long_steps_for_all_are_the_plain_leapfrog():
    start = plummer(500)
    blocks = run(start, 0.05, 0.01 * UNIT_OF_TIME, 10, solver="direct_double", levels=4, step_accuracy=1e9)
    fixed = run(start, 0.05, 0.01 * UNIT_OF_TIME, 10, solver="direct_double")
    np.testing.assert_array_equal(blocks[0], fixed[0])
    np.testing.assert_array_equal(blocks[1], fixed[1])


def test_block_steps_converge_at_second_order():
    """Places and speeds after the run belong to one time, whatever steps particles had."""
    start = plummer(500)
    time = 0.64 * UNIT_OF_TIME
    assert len(np.unique(levels_of(start, 0.2, time / 8, 1e-4))) == 5  # blocks are at work
    exact = run(start, 0.2, time / 4096, 4096, solver="direct_double")
    errors = []
    for longest in (8, 16, 32, 64):
        # The criterion tightens with the longest step, so that every particle's own step is halved.
        how = {"levels": 6, "step_accuracy": 1e-4 * (8 / longest) ** 2, "solver": "direct_double"}
        there, speed = run(start, 0.2, time / longest, longest, **how)
        errors.append([np.abs(there - exact[0]).mean(), np.abs(speed - exact[1]).mean() / np.sqrt(G)])
    order = np.log2(np.array(errors[:-1]) / errors[1:])
    # The next terms are of third order where a particle changes its level; velocities half a step off would give 1.
    assert (order > 1.9).all()


@pytest.mark.parametrize("solver", ["direct_double", "tree"])
def test_energy_of_a_plummer_sphere_is_kept(solver):
    start = plummer(1000)
    time_step = 0.4 * UNIT_OF_TIME
    assert len(np.unique(levels_of(start, 0.05, time_step, 0.01))) >= 4  # blocks are at work
    before = energy(*start, 0.05)
    errors = []
    positions, velocities, masses = start
    for _ in range(10):
        how = {"levels": 6, "step_accuracy": 0.01, "solver": solver, "accuracy": 0.003}
        positions, velocities = run((positions, velocities, masses), 0.05, time_step, 5, **how)
        errors.append(abs(energy(positions, velocities, masses, 0.05) / before - 1))
    # 20 units of time in steps of 0.03 to 0.4 units; fixed steps of 0.05 keep 4e-4, and err as the square.
    assert max(errors) < 2e-3


def test_a_plummer_sphere_stays_as_it_is():
    start = plummer(4000)
    assert np.linalg.norm(start[2] @ start[1]) < 1e-9
    radii = [np.quantile(np.linalg.norm(start[0], axis=1), [0.1, 0.5, 0.9])]
    # Ten units of time: a dozen crossings of the core.
    there, speed = run(start, 0.05, 0.1 * UNIT_OF_TIME, 100, levels=6)
    radii = np.quantile(np.linalg.norm(there, axis=1), [0.1, 0.5, 0.9]) / radii
    # Noise of the radius that holds 400 of 4000: 0.03, and two-body relaxation of half that.
    assert radii == pytest.approx(np.ones((1, 3)), abs=0.08)
    # Momentum: random errors of the tree, 3e-3 of each force, over 1000 steps and 4000 particles.
    assert np.linalg.norm(start[2] @ speed) < 1e-4 * np.sqrt(G)


def test_block_steps_do_not_depend_on_where_the_run_is():
    start = plummer(500)
    moving = start[0], start[1] + [1000.0, 0.0, 0.0], start[2]
    how = {"levels": 5, "solver": "direct_double"}
    there, speed = run(moving, 0.05, 0.4 * UNIT_OF_TIME, 3, **how)
    still, still_speed = run(start, 0.05, 0.4 * UNIT_OF_TIME, 3, **how)
    # Rounding of positions that have gone 6 kpc, grown over one unit of time.
    assert np.abs(there - still - [1200.0 * UNIT_OF_TIME, 0.0, 0.0]).max() < 1e-6
    assert np.abs(speed - still_speed - [1000.0, 0.0, 0.0]).max() < 1e-6 * np.sqrt(G)


def test_block_steps_go_back_in_time():
    start = plummer(300)
    how = {"levels": 5, "solver": "direct_double"}
    there = run(start, 0.2, 0.02 * UNIT_OF_TIME, 20, **how)
    back = run((*there, start[2]), 0.2, -0.02 * UNIT_OF_TIME, 20, **how)
    # Levels are chosen at the beginning of a step, which is the end on the way back, so the scheme is not
    # reversible; it misses by a little more than its own error.
    assert np.quantile(np.abs(back[0] - start[0]), 0.99) < 1e-3


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"levels": 3, "softening_kpc": 0.0}, "block steps need a softening > 0"),
        ({"levels": 21}, "levels from 0 to 20"),
        ({"levels": -1}, "levels from 0 to 20"),
        ({"steps": -1}, "steps >= 0"),
        ({"time_step": np.inf}, "a finite time_step"),
        ({"step_accuracy": 0.0}, "step_accuracy 0.0: allowed is a finite number > 0"),
        ({"softening_kpc": 0.0}, "the tree needs a softening > 0"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(changed, message):
    positions, velocities, masses = cluster(5)
    given = {"softening_kpc": 0.1, "time_step": 1e-3, "steps": 1}
    with pytest.raises(InputError, match=message) as caught:
        kernels.integrate(positions, velocities, masses, **given | changed)
    assert "\n" not in str(caught.value)
