"""Pictures are brought to one orientation, whatever the position angle they come at."""

import numpy as np
import pytest

from galclass import network

PIXELS = 12


@pytest.fixture(scope="module")
def model():
    network.fix_seeds(7)
    return network.thesis_network(PIXELS, 3)


def shape_at(angle_deg, axis_ratio, exponent, pixels=50):
    """A superellipse at a position angle, brightness falling linearly to 0 at 0.4 of the width, no noise."""
    y, x = np.mgrid[:pixels, :pixels] - (pixels - 1) / 2
    cosine, sine = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    along, across = cosine * x + sine * y, (cosine * y - sine * x) / axis_ratio
    radius = (abs(along) ** exponent + abs(across) ** exponent) ** (1 / exponent)
    return np.maximum(0.0, 1.0 - radius / (0.4 * pixels))


@pytest.mark.parametrize("angle", [0.0, 20.0, 45.0, 70.0, 100.0, 179.0])
@pytest.mark.parametrize(("axis_ratio", "exponent"), [(0.5, 2), (0.8, 2), (0.5, 8), (0.9, 8), (0.4, 3)])
def test_the_long_axis_is_found(angle, axis_ratio, exponent):
    [found] = np.degrees(network.position_angles(shape_at(angle, axis_ratio, exponent)[None]))
    # Pixels sample the shape on a grid: a degree at axis ratio 0.9, less when longer.
    assert (found - angle + 90) % 180 - 90 == pytest.approx(0, abs=1.0)


@pytest.mark.parametrize("angle", [0.0, 20.0, 44.0, 70.0, 100.0])
@pytest.mark.parametrize("axis_ratio", [1.0, 0.97])
def test_a_square_is_turned_by_its_corners_even_when_a_little_sheared(angle, axis_ratio):
    square = shape_at(angle, 1.0, 20)
    # A view 10 degrees off shortens one direction by 1.5 %; here one side is 3 % shorter at most.
    sheared = np.minimum(square, shape_at(angle, axis_ratio, 20))
    [found] = np.degrees(network.position_angles(sheared[None]))
    assert (found - angle + 45) % 90 - 45 == pytest.approx(0, abs=1.5)


@pytest.mark.parametrize("quarter_turns", [1, 2, 3])
def test_quarter_turns_give_the_same_aligned_picture_but_for_a_half_turn(quarter_turns):
    picture = shape_at(33.0, 0.6, 4)
    turned = np.rot90(picture, quarter_turns)
    # A shape with two mirror axes is its own half-turn. Interpolation on an exact quarter-turn is the same.
    assert network.aligned(turned[None]) == pytest.approx(network.aligned(picture[None]), abs=1e-5)


@pytest.mark.parametrize("angle", [17.0, 45.0, 80.0, 130.0])
def test_any_turn_gives_nearly_the_same_aligned_picture(angle):
    upright, turned = shape_at(0.0, 0.6, 4), shape_at(angle, 0.6, 4)
    difference = network.aligned(turned[None]) - network.aligned(upright[None])
    # Linear interpolation rounds the cusp in the middle by half a pixel, 1/40 of the radius.
    assert abs(difference).max() < 0.05
    assert np.sqrt((difference**2).mean()) < 0.01


def test_an_upright_picture_is_kept_inside_its_circle_and_cut_outside():
    picture = shape_at(0.0, 0.6, 4) + 0.1
    [kept] = network.aligned(picture[None])
    y, x = np.mgrid[:50, :50] - 24.5
    inside = np.hypot(x, y) < 25
    assert kept[inside] == pytest.approx(picture[inside], abs=1e-3)
    assert (kept[~inside] == 0).all()
    assert kept.dtype == np.float32


def test_pictures_without_a_direction_are_left_finite():
    assert (network.aligned(np.zeros((2, 9, 9))) == 0).all()
    assert np.isfinite(network.aligned(np.ones((1, 10, 10)))).all()


def test_predictions_do_not_depend_on_the_position_angle(model):
    upright, turned = (shape_at(angle, 0.5, 2, PIXELS)[None] for angle in (0.0, 90.0))
    # The same numbers in single precision, summed in the same order but for the rounding of the turn.
    assert network.predict(model, turned, 1) == pytest.approx(network.predict(model, upright, 1), abs=1e-5)
