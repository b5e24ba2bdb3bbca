"""The Kepler arrival: conserved quantities, the pericentre asked for, and the tilts of Toomre & Toomre."""

import numpy as np
import pytest

from galclass import kernels
from galclass.errors import ConfigError
from galclass.initial.orbit import disc_rotation, kepler_state
from galclass.units import G

ORBITS = [(1.0, 0.0, 1.0), (2.0, 0.5, 5.0), (0.5, 0.9983, 16.0), (3.0, 1.0, 20.0), (4.0, 1.7, 30.0)]


@pytest.mark.parametrize(("pericentre", "eccentricity", "separation"), ORBITS)
def test_energy_and_angular_momentum_are_those_of_the_orbit(pericentre, eccentricity, separation):
    position, velocity = kepler_state(2.0, pericentre, eccentricity, separation)
    energy = 0.5 * velocity @ velocity - 2.0 * G / np.linalg.norm(position)
    spin = np.cross(position, velocity)
    # Vis viva and l^2 = G M p; the terms cancel near the parabola, hence a tolerance relative to the speed.
    assert energy == pytest.approx(-2.0 * G * (1 - eccentricity) / (2 * pericentre), abs=1e-9 * (velocity @ velocity))
    assert spin @ spin == pytest.approx(2.0 * G * pericentre * (1.0 + eccentricity), rel=1e-9)
    assert spin[2] > 0.0 and position[2] == velocity[2] == 0.0
    assert np.linalg.norm(position) == pytest.approx(separation, rel=1e-12)


@pytest.mark.parametrize(("pericentre", "eccentricity", "separation"), ORBITS[1:])
def test_the_two_approach_and_the_pericentre_lies_along_x(pericentre, eccentricity, separation):
    position, velocity = kepler_state(2.0, pericentre, eccentricity, separation)
    assert position @ velocity < 0.0
    # The eccentricity vector points to the pericentre.
    vector = np.cross(velocity, np.cross(position, velocity)) / (2.0 * G) - position / np.linalg.norm(position)
    # v^2 r / G M is at most 3 here, so rounding leaves some 1e-15 of it.
    np.testing.assert_allclose(vector, [eccentricity, 0.0, 0.0], atol=1e-12)


@pytest.mark.parametrize(
    ("pericentre", "eccentricity", "separation"), [(2.0, 0.5, 5.0), (3.0, 1.0, 8.0), (4.0, 1.7, 10.0)]
)
def test_point_masses_reach_the_pericentre(pericentre, eccentricity, separation):
    masses = np.array([1.5, 0.5])
    x, v = kepler_state(masses.sum(), pericentre, eccentricity, separation)
    positions, velocities = np.outer([-0.25, 0.75], x), np.outer([-0.25, 0.75], v)
    distances, step = [], 1e-5 * np.sqrt(pericentre**3 / (2.0 * G)) * 100
    for _ in range(6000):
        positions, velocities = kernels.integrate(positions, velocities, masses, 0.0, step, 1, solver="direct_double")
        distances.append(np.linalg.norm(positions[1] - positions[0]))
        if distances[-1] > min(distances) * 1.01:
            break
    # A thousandth of the dynamical time a step: leapfrog's error there is 1e-6, sampling's (step^2) as much.
    assert min(distances) == pytest.approx(pericentre, rel=1e-5)


def test_near_radial_case_of_two_dwarfs():
    # Two dwarfs of 1.52e10 Msun, 16 kpc apart: 50 km/s along the line of centres and 4 km/s across it.
    position, velocity = kepler_state(2 * 1.52, 0.0157, 0.99834, 16.0)
    along = -velocity @ position / 16.0
    across = np.linalg.norm(np.cross(position, velocity)) / 16.0
    # 1 - e is given to half a unit in 166, and the speed near apocentre goes about twice as far wrong.
    assert along == pytest.approx(50.0, rel=0.01)
    assert across == pytest.approx(4.0, rel=0.01)
    # Such an orbit is a line: its direction at the start is within 2 degrees of the x axis.
    assert abs(position[0]) / 16.0 > np.cos(np.radians(2.0))


@pytest.mark.parametrize("separation", [0.9, 3.5])
def test_separation_off_the_orbit_is_refused(separation):
    with pytest.raises(ConfigError, match=r"separation_kpc .*between the pericentre, 1 kpc, and the apocentre, 3 kpc"):
        kepler_state(2.0, 1.0, 0.5, separation)


@pytest.mark.parametrize(("pericentre", "eccentricity"), [(0.0, 0.5), (-1.0, 0.5), (1.0, -0.1)])
def test_orbits_that_do_not_exist_are_refused(pericentre, eccentricity):
    with pytest.raises(ConfigError, match="must be above 0"):
        kepler_state(2.0, pericentre, eccentricity, 5.0)


def spin(inclination, argument, secondary=False):
    return disc_rotation(inclination, argument, secondary) @ [0.0, 0.0, 1.0]


def test_direct_and_retrograde_discs_lie_in_the_orbital_plane():
    np.testing.assert_allclose(spin(0.0, 33.0), [0, 0, 1], atol=1e-15)
    np.testing.assert_allclose(spin(180.0, 33.0), [0, 0, -1], atol=1e-15)


@pytest.mark.parametrize("secondary", [False, True])
@pytest.mark.parametrize(("inclination", "argument"), [(30.0, 0.0), (60.0, -30.0), (75.0, 110.0), (120.0, 200.0)])
def test_argument_is_measured_from_the_ascending_node_to_the_pericentre(inclination, argument, secondary):
    axis = spin(inclination, argument, secondary)
    assert np.degrees(np.arccos(axis[2])) == pytest.approx(inclination)
    # The node lies the argument behind the pericentre, which is at +x for the primary and at -x for the other.
    angle = np.radians((180.0 if secondary else 0.0) - argument)
    node, motion = (
        np.array([np.cos(angle), np.sin(angle), 0.0]),
        np.array([-np.sin(angle), np.cos(angle), 0.0]),
    )
    assert axis @ node == pytest.approx(0.0, abs=1e-12)
    assert axis @ motion > 0.0


@pytest.mark.parametrize("secondary", [False, True])
def test_tilts_are_proper_rotations(secondary):
    rotation = disc_rotation(40.0, 70.0, secondary)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-14)
    assert np.linalg.det(rotation) == pytest.approx(1.0)


def test_box_has_spins_at_45_degrees_to_the_line_and_at_right_angles():
    first, second = spin(45.0, 90.0), spin(45.0, 90.0, secondary=True)
    assert first @ second == pytest.approx(0.0, abs=1e-12)
    assert abs(first[0]) == pytest.approx(np.sqrt(0.5))
    assert abs(second[0]) == pytest.approx(np.sqrt(0.5))
