"""The measurement of isophotes: what it must not depend on, its limits, its flags and its refusals."""

import dataclasses

import numpy as np
import pytest

from galclass.errors import InputError
from galclass.isophotes import (
    B4_LIMITS,
    B6_LIMITS,
    Shape,
    effective_radius,
    exponent_of,
    label_of,
    label_probability,
    measure,
    profile,
)


def galaxy(ny=60, nx=60, x=30.2, y=28.7, scale=4.0, axis_ratio=0.65, pa_deg=25.0, exponent=3.0):
    """An exponential galaxy of superelliptic isophotes."""
    rows, columns = np.indices((ny, nx), dtype=float)
    pa = np.deg2rad(pa_deg)
    along = (columns - x) * np.cos(pa) + (rows - y) * np.sin(pa)
    across = (rows - y) * np.cos(pa) - (columns - x) * np.sin(pa)
    radius = (np.abs(along) ** exponent + np.abs(across / axis_ratio) ** exponent) ** (1.0 / exponent)
    return np.exp(-radius / scale)


def averaged(over=5, **keywords):
    """The same with each pixel averaged over its area."""
    keywords = {"ny": 60, "nx": 60, "x": 30.2, "y": 28.7, "scale": 4.0} | keywords
    fine = {name: keywords[name] * over for name in ("ny", "nx", "scale")}
    fine |= {name: (keywords[name] + 0.5) * over - 0.5 for name in ("x", "y")}
    image = galaxy(**(keywords | fine))
    return image.reshape(keywords["ny"], over, keywords["nx"], over).mean(axis=(1, 3))


@pytest.fixture(scope="module")
def boxy() -> Shape:
    return measure(galaxy())


# What the answer must not depend on ---------------------------------------------------------------


@pytest.mark.parametrize("factor", [1e-9, 3.0, 1e12])
def test_unit_of_intensity_does_not_matter(boxy, factor):
    scaled = measure(galaxy() * factor)
    for field in ("x", "y", "r_eff_px", "axis_ratio", "pa_deg", "b4", "b6"):
        # Rounding of the logarithm only.
        assert getattr(scaled, field) == pytest.approx(getattr(boxy, field), abs=1e-6)


def test_pixels_do_not_soften_the_shape():
    """What averaging over pixels does to the shape is taken off, to first order."""
    # Exponent 3 has B4 = -0.0574 at any axis ratio; pixels of a third of the scale take 2 % off.
    assert measure(averaged(scale=3.0)).b4 == pytest.approx(-0.0574, abs=5e-4)


def test_mirror_image_has_mirrored_angle_and_the_same_shape(boxy):
    mirrored = measure(galaxy()[:, ::-1])
    assert mirrored.pa_deg == pytest.approx(180.0 - boxy.pa_deg, abs=1e-3)
    assert mirrored.x == pytest.approx(59.0 - boxy.x, abs=1e-4)
    assert (mirrored.b4, mirrored.b6) == pytest.approx((boxy.b4, boxy.b6), abs=1e-5)


def test_quarter_turn_turns_the_angle_and_nothing_else(boxy):
    turned = measure(np.rot90(galaxy(), -1))  # rows point up, so this is a turn against the clock
    assert turned.pa_deg == pytest.approx(boxy.pa_deg + 90.0, abs=1e-3)
    assert (turned.axis_ratio, turned.b4, turned.b6) == pytest.approx((boxy.axis_ratio, boxy.b4, boxy.b6), abs=1e-5)


def test_empty_margin_does_not_matter(boxy):
    """More sky around the galaxy moves the pixel numbers, and nothing else."""
    padded = measure(np.pad(galaxy(ny=90, nx=90, x=45.2, y=43.7), 20))
    # The light beyond the smaller picture, below 1 %, changes the effective radius and so the zone a little.
    assert (padded.x - 35.0, padded.y - 35.0) == pytest.approx((boxy.x, boxy.y), abs=0.01)
    assert padded.b4 == pytest.approx(boxy.b4, abs=1e-3)
    assert padded.r_eff_px == pytest.approx(boxy.r_eff_px, rel=0.03)


def test_picture_need_not_be_square():
    shape = measure(galaxy(ny=50, nx=80, x=44.0, y=24.0, pa_deg=5.0))
    assert (shape.x, shape.y) == pytest.approx((44.0, 24.0), abs=0.01)
    assert shape.pa_deg == pytest.approx(5.0, abs=0.2)


def test_a_faint_neighbour_far_out_does_not_pull_the_centre():
    image = galaxy(ny=90, nx=90, x=40.0, y=40.0)
    rows, columns = np.indices(image.shape)
    shape = measure(image + 0.1 * np.exp(-np.hypot(columns - 82.0, rows - 82.0) / 1.0))
    assert (shape.x, shape.y) == pytest.approx((40.0, 40.0), abs=0.1)


@pytest.mark.parametrize("pa_deg", [0.0, 45.0, 89.0, 91.0, 179.0])
def test_position_angle_runs_from_x_towards_y(pa_deg):
    found = measure(galaxy(pa_deg=pa_deg)).pa_deg
    # Angles that differ by 180 degrees are the same axis; pixels without averaging move it by 0.1 degree.
    assert abs((found - pa_deg + 90.0) % 180.0 - 90.0) < 0.3
    assert 0.0 <= found <= 180.0


def test_noise_moves_the_answer_by_its_error():
    rng = np.random.default_rng(4)
    found = [measure(galaxy() * np.exp(rng.normal(0.0, 0.05, (60, 60)))) for _ in range(12)]
    values, errors = np.array([s.b4 for s in found]), np.array([s.b4_err for s in found])
    truth = measure(galaxy()).b4
    # Twelve values: their scatter is known to a fifth, so a factor of two is three of its errors.
    assert 0.5 < values.std() / errors.mean() < 2.0
    assert abs(values.mean() - truth) < 4.0 * errors.mean() / np.sqrt(12)


def test_error_without_noise_is_small(boxy):
    # What is left is the pixel grid.
    assert 0.0 <= boxy.b4_err < 1e-3 and 0.0 <= boxy.b6_err < 1e-3


def test_empty_pixels_are_no_trouble():
    """A stretched picture has zeros where it is faint; they carry no isophote and must not break the fit."""
    image = galaxy()
    image[image < 1e-3] = 0.0
    assert measure(image).b4 == pytest.approx(measure(galaxy()).b4, abs=2e-3)


def test_where_the_light_sums_to_nothing_negative_pixels_count_as_empty(boxy):
    image = galaxy()
    image[image < 1e-3] = -1.0
    shape = measure(image)
    assert shape.b4 == pytest.approx(boxy.b4, abs=2e-3)
    assert "clipped" in shape.flag


def test_sky_that_was_not_subtracted_does_not_change_the_isophotes(boxy):
    """Isophotes are lines of equal brightness, whatever is added; only what counts as half of the light changes."""
    sky = measure(galaxy() + 0.02)
    assert (sky.b4, sky.axis_ratio) == pytest.approx((boxy.b4, boxy.axis_ratio), abs=3e-3)
    assert sky.r_eff_px > 1.05 * boxy.r_eff_px


# Zones --------------------------------------------------------------------------------------------


def test_inner_and_outer_isophotes_are_told_apart():
    """Discy inside, boxy outside: the zone decides which is measured."""
    rows, columns = np.indices((81, 81), dtype=float) - 40.0
    size = np.hypot(columns, rows / 0.6)
    blend = 1.0 / (1.0 + np.exp(-(size - 11.0)))
    exponent = 1.7 + 1.3 * blend
    radius = (np.abs(columns) ** exponent + np.abs(rows / 0.6) ** exponent) ** (1.0 / exponent)
    image = np.exp(-radius / 6.0)
    assert measure(image, 0.4, 0.8).b4 > 0.01
    assert measure(image, 1.6, 2.5).b4 < -0.03


def test_profile_finds_each_isophote():
    radii = np.array([6.0, 9.0, 12.0, 15.0])
    found = profile(galaxy(), radii)
    assert set(found) == {
        "sma", "intensity", "x", "y", "ellipticity", "pa_deg", "b4", "b4_err", "b6", "b6_err",
        "a4", "a4_err", "a4_over_a"
    }  # fmt: skip
    np.testing.assert_array_equal(found["sma"], radii)
    # Exponent 3 has B4 = -0.0574; zones of a few pixels without pixel averaging carry a few per cent of
    # error.
    np.testing.assert_allclose(found["b4"], -0.0574, atol=0.004)
    np.testing.assert_allclose(found["ellipticity"], 0.35, atol=0.01)
    np.testing.assert_allclose(found["a4_over_a"], np.sqrt(1.0 - found["ellipticity"]) * found["b4"])
    # ln I falls by r / scale along the major axis, up to the isophote's radius over the ellipse's, the same
    # everywhere.
    slope = np.polyfit(radii, np.log(found["intensity"]), 1)[0]
    assert slope == pytest.approx(-1.0 / 4.0, rel=0.15)


def test_profile_is_nan_where_there_is_nothing_to_fit():
    found = profile(galaxy(), np.array([0.5, 10.0, 500.0]))
    np.testing.assert_array_equal(np.isnan(found["b4"]), [True, False, True])


def test_effective_radius_of_an_exponential_disc():
    """Half of the light of an exponential lies within 1.678 scales, 99.1 % within four of those."""
    image = galaxy(ny=121, nx=121, x=60.0, y=60.0, scale=7.0, axis_ratio=0.5, pa_deg=0.0, exponent=2.0)
    # The aperture of four effective radii takes 2 % off.
    assert effective_radius(image, 60.0, 60.0, 0.5, 0.0) == pytest.approx(1.678 * 7.0, rel=0.03)


def test_effective_radius_ignores_what_lies_far_away():
    image = galaxy(ny=241, nx=241, x=60.0, y=60.0, scale=4.0, axis_ratio=1.0, exponent=2.0)
    alone = effective_radius(image, 60.0, 60.0)
    image[200:220, 200:220] = 0.2
    assert effective_radius(image, 60.0, 60.0) == pytest.approx(alone, rel=1e-6)


def test_effective_radius_of_an_ellipse_is_along_its_major_axis():
    round_one = galaxy(ny=121, nx=121, x=60.0, y=60.0, scale=6.0, axis_ratio=1.0, exponent=2.0)
    flat = galaxy(ny=121, nx=121, x=60.0, y=60.0, scale=6.0, axis_ratio=0.4, pa_deg=70.0, exponent=2.0)
    expected = effective_radius(round_one, 60.0, 60.0)
    assert effective_radius(flat, 60.0, 60.0, 0.4, 70.0) == pytest.approx(expected, rel=0.01)
    assert effective_radius(flat, 60.0, 60.0) < 0.9 * expected


# Flags and refusals -------------------------------------------------------------------------------


def test_no_flag_on_a_good_picture(boxy):
    assert boxy.flag == ""


def test_flag_where_the_isophotes_leave_the_picture():
    assert "edge" in measure(galaxy(ny=40, nx=40, x=20.0, y=20.0, scale=7.0)).flag


def test_masked_pixels_are_not_outside_the_picture():
    mask = np.zeros((60, 60), dtype=bool)
    mask[34:42, 34:42] = True
    assert measure(galaxy(), mask=mask).flag == ""


def test_flag_where_few_pixels_are_left():
    """An effective radius of 2 pixels leaves 30 pixels: orders 4 and 6 only, and no failure."""
    shape = measure(averaged(x=14.6, y=15.2, ny=30, nx=30, scale=1.1, axis_ratio=0.5))
    assert "few" in shape.flag
    assert shape.b4 == pytest.approx(-0.0574, abs=0.02)


def test_flag_where_the_fit_ran_off():
    """Noise has no ellipse to settle on: the harmonics about that of the moments, and an honest error."""
    shapes = [measure(5.0 + np.random.default_rng(seed).normal(size=(50, 50))) for seed in range(10)]
    fixed = [shape for shape in shapes if "fixed" in shape.flag]
    assert len(fixed) >= 1
    assert np.isfinite([[s.b4, s.b4_err, s.b6, s.a4] for s in fixed]).all()
    assert all(shape.method == "fourier" for shape in fixed)


def test_flag_where_the_ellipse_is_too_round_for_an_angle():
    rng = np.random.default_rng(1)
    image = galaxy(axis_ratio=1.0, exponent=2.0) * np.exp(rng.normal(0.0, 0.1, (60, 60)))
    assert "round" in measure(image).flag


def test_a_star_gives_no_harmonics():
    """A single bright pixel has no isophotes: the numbers are NaN, not nonsense."""
    image = np.zeros((30, 30))
    image[12, 17] = 1.0
    shape = measure(image)
    assert shape.flag == "failed"
    assert np.isnan([shape.b4, shape.b4_err, shape.b6, shape.b6_err, shape.a4_over_a, shape.a4, shape.exponent]).all()
    assert shape.method == "none"
    assert (shape.x, shape.y) == pytest.approx((17.0, 12.0), abs=0.5)
    assert label_of(shape.b4, shape.b6) == "none"


def test_pure_noise_does_not_raise():
    for seed in range(5):
        shape = measure(np.random.default_rng(seed).exponential(size=(50, 50)))
        assert np.isfinite(shape.x) and np.isfinite(shape.axis_ratio)


@pytest.mark.parametrize("size", [8, 12, 25, 50])
def test_no_finite_picture_with_light_raises(size):
    """Noise, ramps, steps, stars and sums to nothing; a number comes with an error, and none with a flag."""
    for seed in range(40):
        rng = np.random.default_rng(seed)
        image = [
            rng.normal(size=(size, size)),
            np.cumsum(np.cumsum(rng.normal(size=(size, size)), 0), 1),
            np.round(20.0 * galaxy(size, size, size / 2, size / 2, scale=rng.uniform(0.3, size))),
            np.exp(3.0 * rng.normal(size=(size, size))),
            rng.uniform(size=(size, size)) > 0.97,
        ][seed % 5]
        mask = rng.uniform(size=image.shape) < 0.1
        image = image * 1.0 if image[~mask].max() > 0 else 1.0 - image
        shape = measure(image, mask=mask)
        assert np.isfinite([shape.x, shape.y, shape.r_eff_px, shape.axis_ratio, shape.pa_deg]).all()
        assert np.isnan(shape.b4) == ("failed" in shape.flag)
        assert np.isnan(shape.b4) or shape.b4_err >= 0.0


def test_shape_cannot_be_changed(boxy):
    with pytest.raises(dataclasses.FrozenInstanceError):
        boxy.b4 = 0.0


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.full((20, 20), np.nan), "NaN"),
        (np.where(np.eye(20) > 0, np.inf, 1.0), "infinite"),
        (np.zeros((20, 20)), "without a positive pixel"),
        (-np.ones((20, 20)), "without a positive pixel"),
        (np.ones((1, 1)), "at least 8 x 8"),
        (np.ones((3, 20, 20)), "shape"),
    ],
)
def test_what_is_no_picture_is_refused(image, message):
    with pytest.raises(InputError, match=message):
        measure(image)
    with pytest.raises(InputError, match=message):
        profile(image, np.array([5.0]))


@pytest.mark.parametrize(
    ("mask", "message"),
    [(np.zeros((5, 5)), "mask of shape"), (np.ones((60, 60)), "covers the whole image")],
)
def test_what_is_no_mask_is_refused(mask, message):
    with pytest.raises(InputError, match=message):
        measure(galaxy(), mask=mask)


def test_pixels_without_a_number_are_welcome_under_the_mask(boxy):
    image, mask = galaxy(), np.zeros((60, 60), dtype=bool)
    image[40:45, 20:25], mask[40:45, 20:25] = np.nan, True
    assert measure(image, mask=mask).b4 == pytest.approx(boxy.b4, abs=2e-3)


def test_a_width_that_is_none_is_refused():
    with pytest.raises(InputError, match="psf_sigma_px -1"):
        measure(galaxy(), psf_sigma_px=-1.0)


def test_radii_in_the_wrong_order_are_refused():
    with pytest.raises(InputError, match="from 2.5 to 1.0 effective radii"):
        measure(galaxy(), 2.5, 1.0)


# Classes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("b4", "b6", "label"),
    [
        (0.0, 0.0, "oval"),
        (0.019, 0.03, "oval"),
        (-0.019, 0.012, "oval"),
        (0.05, 0.0, "none"),  # discy
        (-0.03, 0.0, "none"),  # a faint box
        (-0.03, 0.012, "obround"),
        (-0.06, 0.02, "obround"),
        (-0.06, 0.008, "rectangle"),
        (-0.06, -0.008, "rectangle"),
        (-0.139, 0.0, "rectangle"),
        (-0.15, 0.0, "none"),  # an X
        (-0.19, 0.043, "none"),  # an X
        (-0.06, 0.03, "none"),
        (-0.12, 0.02, "none"),
        (np.nan, 0.0, "none"),
        (-0.06, np.nan, "none"),
    ],
)
def test_label_by_the_limits(b4, b6, label):
    assert label_of(b4, b6) == label


def test_no_shape_belongs_to_two_classes():
    """Inside the limits no two classes overlap, so their order decides on the borders only."""
    for b4 in np.linspace(-0.2, 0.1, 601) + 1e-5:
        for b6 in (-0.02, -0.0089, 0.0, 0.0089, 0.0091, 0.0249, 0.03):
            fits = [
                n
                for n in B4_LIMITS
                if B4_LIMITS[n][0] <= b4 <= B4_LIMITS[n][1] and B6_LIMITS[n][0] <= b6 <= B6_LIMITS[n][1]
            ]
            assert len(fits) <= 1


@pytest.mark.parametrize(
    ("label", "b4", "b6", "expected"),
    [
        ("oval", 0.0, 0.0, 1.0),
        ("rectangle", -0.09, 0.0, 1.0),
        ("obround", -0.05, 0.016, 1.0),
        ("none", 0.08, 0.0, 1.0),
        ("oval", -0.02, 0.0, 0.5),  # on the border to nothing
        ("none", -0.02, 0.0, 0.5),
        ("rectangle", -0.09, 0.009, 0.5),
        ("rectangle", 0.0, 0.0, 0.0),
    ],
)
def test_probability_of_a_label(label, b4, b6, expected):
    # Errors far below the size of the regions; their corners are a hundred errors away.
    assert label_probability(label, b4, 1e-4, b6, 1e-4) == pytest.approx(expected, abs=1e-6)


def test_probabilities_of_all_labels_add_up():
    total = sum(label_probability(name, -0.03, 0.02, 0.008, 0.01) for name in (*B4_LIMITS, "none"))
    assert total == pytest.approx(1.0, abs=1e-12)


def test_probability_by_trials():
    """The share of trials of the true harmonics that have the label."""
    rng = np.random.default_rng(0)
    trials = [
        label_of(b4, b6) for b4, b6 in zip(rng.normal(-0.05, 0.02, 4000), rng.normal(0.006, 0.005, 4000), strict=True)
    ]
    for name in (*B4_LIMITS, "none"):
        # 4000 trials give a share to 0.008; three of those.
        assert label_probability(name, -0.05, 0.02, 0.006, 0.005) == pytest.approx(trials.count(name) / 4000, abs=0.024)


def test_probability_of_what_was_not_measured_is_nan():
    assert np.isnan(label_probability("none", np.nan, np.nan, np.nan, np.nan))


@pytest.mark.parametrize(("b4", "exponent"), [(0.0, 2.0), (-0.0574, 3.0), (-0.0863, 4.0), (0.0525, 1.5)])
def test_exponent_of_a_superellipse(b4, exponent):
    # Half a unit of the last of four decimals of B4 is 0.01 of the largest exponent.
    assert exponent_of(b4) == pytest.approx(exponent, abs=0.02)


def test_exponent_falls_with_b4_and_ends_at_rhombus_and_rectangle():
    values = [exponent_of(b4) for b4 in np.linspace(0.138, -0.138, 40)]
    assert (np.diff(values) > 0).all()
    assert np.isnan([exponent_of(0.15), exponent_of(-0.145), exponent_of(np.nan)]).all()


def test_shape_carries_its_exponent(boxy):
    assert boxy.exponent == pytest.approx(3.0, abs=0.05)
    assert boxy.a4 == pytest.approx(0.0, abs=2e-3)
    assert boxy.method == "fourier"
