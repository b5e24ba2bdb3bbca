"""Rotations are rotations, and directions fill the sphere evenly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from galclass import units, vectors

#: Products of a few doubles of order one.
ROUNDING = 1e-12

angles = st.floats(-10.0, 10.0)


@given(
    st.tuples(st.floats(-1, 1), st.floats(-1, 1), st.floats(-1, 1)).filter(
        lambda d: np.hypot(*d[:2]) + abs(d[2]) > 1e-3
    ),
    angles,
)
def test_camera_is_a_rotation_that_looks_along_the_direction(direction, roll):
    matrix = vectors.camera(np.array(direction), roll)
    assert matrix @ matrix.T == pytest.approx(np.eye(3), abs=ROUNDING)
    assert np.linalg.det(matrix) == pytest.approx(1.0)
    assert matrix @ vectors.unit(np.array(direction)) == pytest.approx([0, 0, 1], abs=ROUNDING)


def test_roll_turns_the_picture():
    """A point on the picture's x axis moves to its y axis's negative side when the camera rolls by 90 degrees."""
    straight, rolled = vectors.camera(np.array([0, 0, 1.0])), vectors.camera(np.array([0, 0, 1.0]), np.pi / 2)
    assert rolled @ straight[0] == pytest.approx([0, -1, 0], abs=ROUNDING)


def test_cameras_stack_single_cameras():
    rng = np.random.default_rng(1)
    directions, rolls = vectors.sphere_directions(5, rng), rng.uniform(0, 6, 5)
    stacked = vectors.cameras(directions, rolls)
    assert stacked.shape == (5, 3, 3)
    assert stacked[3] == pytest.approx(vectors.camera(directions[3], rolls[3]))


def test_directions_are_uniform_on_the_sphere():
    """Uniform means <n_i n_j> = delta_ij / 3; the error of the mean of 1e5 is below 1e-3 (five sigma 5e-3)."""
    directions = vectors.sphere_directions(100_000, np.random.default_rng(2))
    assert np.linalg.norm(directions, axis=1) == pytest.approx(1.0)
    assert directions.mean(axis=0) == pytest.approx(0.0, abs=0.01)
    assert directions.T @ directions / 1e5 == pytest.approx(np.eye(3) / 3, abs=5e-3)
    # Archimedes: the height is uniform, so a quarter of the points lies above one half.
    assert (directions[:, 2] > 0.5).mean() == pytest.approx(0.25, abs=0.007)


@given(angles, angles)
def test_spin_points_where_its_formula_says(inclination, node):
    spin = vectors.spin_rotation(inclination, node) @ np.array([0.0, 0.0, 1.0])
    si, ci = np.sin(inclination), np.cos(inclination)
    assert spin == pytest.approx([si * np.sin(node), -si * np.cos(node), ci], abs=ROUNDING)


def test_the_line_of_nodes_lies_in_the_disc():
    """The node is where the disc cuts the orbital plane: its direction is unchanged by the tilt."""
    node = 0.7
    line = np.array([np.cos(node), np.sin(node), 0.0])
    assert vectors.spin_rotation(1.1, node) @ np.array([1.0, 0, 0]) == pytest.approx(line)


def test_units_of_time_and_angle():
    """1 kpc / (km/s) is 0.978 Gyr; a kpc at 21 Mpc is 9.82 arcsec, so LEDA's 3 to 5 kpc are 29 to 49 arcsec."""
    assert pytest.approx(0.97779, abs=1e-5) == units.GYR_PER_TIME
    assert units.arcsec_per_kpc(21.0) == pytest.approx(9.82, abs=0.01)
    assert 3 * units.arcsec_per_kpc(21.0) == pytest.approx(29.5, abs=0.5)
