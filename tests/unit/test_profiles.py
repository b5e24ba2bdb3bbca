"""Profiles of isophotes: like galaxies are near, unlike ones far, and an inner disc is found where there is one."""

import dataclasses

import numpy as np
import pytest

from galclass import images, telescope
from galclass.errors import InputError
from galclass.reference import model
from galclass.verify.profiles import (
    FLOORS,
    RADII_RE,
    Profile,
    inner_sign_change,
    isophote_profile,
    profile_columns,
    profile_distance,
    profile_rows,
)

OVER = 4
#: B4 of a superellipse of this exponent (tests/physics/test_shapes.py integrates others).
B4_OF_3_5 = -0.0739


def galaxy(exponent=2.0, axis_ratio=0.7, radius=7.0, pixels=50, pa_deg=20.0, noise=0.0, seed=1) -> np.ndarray:
    """An exponential disc on superelliptic isophotes, peak 1, off the middle of its frame."""
    offsets = (np.arange(pixels * OVER) + 0.5) / OVER - 0.5 * pixels
    along, across = model.turned(*np.meshgrid(offsets - 0.3, offsets + 0.2), pa_deg)
    light = np.exp(-1.678 * model.superelliptic_radius(along, across, axis_ratio, exponent) / radius)
    light = light.reshape(pixels, OVER, pixels, OVER).mean(axis=(1, 3))
    return light + noise * np.random.default_rng(seed).normal(size=light.shape)


def profile_of(**shape) -> Profile:
    return isophote_profile(galaxy(**shape), "flux", deep=True)


def measured(values: np.ndarray) -> np.ndarray:
    return values[np.isfinite(values)]


def made(a4: list[float], error: float = 0.005) -> Profile:
    """A profile with these a4/a at the innermost radii, else an ellipse of axis ratio 0.7."""
    count = len(a4)
    whole = np.full(count, 1.0)
    return Profile(RADII_RE[:count], 0.3 * whole, error * whole, np.array(a4), error * whole, 0 * whole,
                   error * whole, 7.0)  # fmt: skip


@pytest.fixture(scope="module")
def leda():
    """The built-in LEDA 074886 in pixels an eighth as wide as those of the network's pictures."""
    return isophote_profile(model.flux_picture(model.read_model(), 400, 0.325), "flux", deep=True)


@pytest.mark.parametrize(
    ("exponent", "axis_ratio", "b4"), [(2.0, 0.7, 0.0), (3.5, 0.7, B4_OF_3_5), (4.0, 0.6, -0.0863)]
)
def test_a_superellipse_has_the_same_shape_at_every_radius(exponent, axis_ratio, b4):
    """B4 by quadrature of the superellipse. Pixels of a seventh of the effective radius spoil the innermost isophotes
    by a hundredth, those from one effective radius on by the square of that ratio. The effective radius is that of
    the ellipses with the area of the superellipses."""
    found = profile_of(exponent=exponent, axis_ratio=axis_ratio)
    outer = RADII_RE >= 0.95
    assert np.isfinite(found.a4_over_a[outer]).all()
    np.testing.assert_allclose(found.a4_over_a[outer], np.sqrt(axis_ratio) * b4, atol=0.003)
    np.testing.assert_allclose(found.ellipticity[outer], 1.0 - axis_ratio, atol=0.005)
    np.testing.assert_allclose(measured(found.a4_over_a), np.sqrt(axis_ratio) * b4, atol=0.01)
    wider = np.sqrt(model.superellipse_area(1.0, exponent) / np.pi)
    assert found.r_eff_px == pytest.approx(7.0 * wider, rel=0.02)


def test_profiles_do_not_depend_on_angle_mirror_and_size():
    """A hundredth of what two galaxies of one kind differ by, or as the pixels demand: a tenth at five pixels."""
    known = profile_of(exponent=3.5, radius=12.0, pixels=100)
    mirrored = isophote_profile(galaxy(3.5, radius=12.0, pixels=100)[:, ::-1], "flux", deep=True)
    assert profile_distance(mirrored, known) < 1e-6
    for pa_deg in (0.0, 45.0, 77.0, 130.0):
        assert profile_distance(profile_of(exponent=3.5, radius=12.0, pixels=100, pa_deg=pa_deg), known) < 0.03
    for radius, pixels in ((5.0, 50), (7.0, 50), (60.0, 500)):
        assert profile_distance(profile_of(exponent=3.5, radius=radius, pixels=pixels), known) < 0.1


def test_a_large_galaxy_is_binned_and_its_radius_stays_in_pixels_of_the_picture():
    assert profile_of(radius=60.0, pixels=400).r_eff_px == pytest.approx(60.0, rel=0.02)


def test_distance_grows_with_the_difference_of_exponent_and_axis_ratio():
    known = profile_of(exponent=3.5)
    by_exponent = [profile_distance(profile_of(exponent=exponent), known) for exponent in (3.5, 3.0, 2.5, 2.0, 1.7)]
    by_ratio = [profile_distance(profile_of(exponent=3.5, axis_ratio=ratio), known) for ratio in (0.7, 0.75, 0.8, 0.85)]
    assert by_exponent[0] == by_ratio[0] == 0.0
    assert (np.diff(by_exponent) > 0).all()
    assert (np.diff(by_ratio) > 0).all()


def test_leda_is_nearer_to_superellipses_like_its_body_than_to_ellipses(leda):
    """Its body has exponent 3.5 and axis ratio 0.70 (config/reference/leda074886.yaml)."""
    distance = {
        (exponent, ratio): profile_distance(profile_of(exponent=exponent, axis_ratio=ratio), leda)
        for exponent in (1.7, 2.0, 3.5, 5.0)
        for ratio in (0.5, 0.7, 0.85)
    }
    assert min(distance, key=distance.get) == (3.5, 0.7)
    assert distance[2.0, 0.7] > 2.0 * distance[3.5, 0.7]


def test_leda_is_found_through_noise(leda):
    """Seen by the telescope it stays nearer to itself than any superellipse: below what two galaxies differ by."""
    flux = model.flux_picture(model.read_model(), 50, 2.6)
    camera = telescope.read_preset("suprime_cam_r")
    seen = telescope.observe(flux, camera, 2.6, np.random.default_rng(1), telescope.NO_EXTRAS).flux
    assert profile_distance(isophote_profile(seen, "flux"), leda) < 0.5


def test_the_inner_disc_of_leda_is_found(leda):
    """The disc outshines the body inside about 8 arcsec of 17.7 (its table of figures): there a4/a turns."""
    found = inner_sign_change(leda)
    assert 0.4 < found["inner_disc_re"] < 12.0 / 17.7  # inside twice the disc's effective radius
    assert found["inner_disc_sigma"] > 3.0


@pytest.mark.parametrize("exponent", [1.7, 2.0, 3.5])
def test_plain_superellipses_have_no_inner_disc(exponent):
    for seed in range(5):
        noisy = isophote_profile(galaxy(exponent, noise=0.01, seed=seed), "flux")
        assert np.isnan(inner_sign_change(noisy)["inner_disc_re"])
    assert np.isnan(inner_sign_change(profile_of(exponent=exponent))["inner_disc_re"])


def test_sign_change_lies_where_a4_crosses_zero():
    found = inner_sign_change(made([0.05, 0.05, 0.05, -0.05, -0.05, -0.05]))
    assert found["inner_disc_re"] == pytest.approx(np.sqrt(RADII_RE[2] * RADII_RE[3]))
    # Three radii on either side, each with its error and the floor: mean over sigma / sqrt(3).
    assert found["inner_disc_sigma"] == pytest.approx(0.05 / np.hypot(0.005, FLOORS["a4_over_a"]) * np.sqrt(3.0))


@pytest.mark.parametrize("a4", [[-0.05] * 3 + [0.05] * 3, [0.05] * 6, [-0.05] * 6, [0.005, 0.005, -0.005, -0.005]])
def test_no_sign_change_of_the_other_kind_nor_within_the_errors(a4):
    found = inner_sign_change(made(a4))
    assert np.isnan(found["inner_disc_re"])
    assert found["inner_disc_sigma"] < 2.0


def test_errors_are_those_of_repeated_noise():
    """Thirty draws fix a scatter to 13 %; the jackknife's errors are up to twice too large near the centre, where the
    pixels' own structure counts as noise. Never too small by more than a third."""
    drawn = [isophote_profile(galaxy(axis_ratio=0.7, noise=0.01, seed=seed), "flux") for seed in range(30)]
    for name in ("ellipticity", "a4_over_a", "b6"):
        values, errors = (np.array([getattr(p, column) for p in drawn]) for column in (name, f"{name}_err"))
        radii = np.isfinite(values).all(axis=0)
        assert radii.sum() >= 6
        ratio = values[:, radii].std(axis=0) / np.sqrt(np.mean(errors[:, radii] ** 2, axis=0))
        assert (ratio > 0.3).all() and (ratio < 1.4).all()


def test_isophotes_fainter_than_the_noise_are_left_out():
    """At 3 effective radii the light is exp(-5) of the peak, 0.007."""
    quiet, noisy = (isophote_profile(galaxy(noise=noise), "flux") for noise in (0.001, 0.03))
    assert np.isfinite(quiet.a4_over_a[-1])
    assert np.isnan(noisy.a4_over_a[RADII_RE > 2.0]).all()


def test_one_bad_radius_does_not_decide():
    good = made([-0.05] * 8)
    off = np.array([-0.05] * 7 + [0.5])
    bad = dataclasses.replace(good, a4_over_a=off)
    whole = dataclasses.replace(good, a4_over_a=np.full(8, -0.02))
    assert profile_distance(bad, good) < profile_distance(whole, good)


def test_uncertain_radii_count_less():
    good = made([-0.05] * 6)
    values = np.array([-0.05] * 5 + [-0.03])
    sure = dataclasses.replace(good, a4_over_a=values)
    errors = np.array([0.005] * 5 + [0.1])
    unsure = dataclasses.replace(sure, a4_over_a_err=errors)
    assert 0.0 < profile_distance(unsure, good) < profile_distance(sure, good)


def test_distance_is_symmetric_and_in_units_of_the_floors():
    """Every quantity off by its floor is a distance of one."""
    first = made([-0.05] * 6)
    second = dataclasses.replace(
        first, ellipticity=first.ellipticity + 0.05, a4_over_a=first.a4_over_a + 0.01, b6=first.b6 + 0.01
    )
    assert profile_distance(first, second) == pytest.approx(1.0)
    assert profile_distance(first, second) == profile_distance(second, first)
    columns = profile_columns(second, first)
    assert list(columns) == ["profile_distance", "ellipticity_distance", "a4_distance", "b6_distance",
                             "inner_disc_re", "inner_disc_sigma"]  # fmt: skip
    assert [columns[name] for name in list(columns)[1:4]] == pytest.approx([1.0, 1.0, 1.0])


def test_too_few_common_radii_give_no_distance():
    values = np.array([-0.05, -0.05, np.nan, np.nan, np.nan, np.nan])
    few = dataclasses.replace(made([-0.05] * 6), a4_over_a=values)
    assert np.isnan(profile_distance(few, made([-0.05] * 6)))
    assert np.isnan(inner_sign_change(few)["inner_disc_sigma"])


@pytest.mark.parametrize("kind", ["flux", "picture"])
@pytest.mark.parametrize(
    "strange",
    [np.zeros((50, 50)), np.full((50, 50), np.nan), np.ones((50, 50)), np.eye(50), -galaxy(), np.zeros((4, 4)),
     np.random.default_rng(1).normal(size=(50, 50)), np.where(galaxy() > 0.5, np.nan, galaxy())],
    ids=["zeros", "nan", "ones", "line", "negative", "small", "noise", "no_core"],
)  # fmt: skip
def test_strange_pictures_raise_nothing(strange, kind):
    found = isophote_profile(strange, kind)
    assert found.radius_re is RADII_RE
    assert len(found.a4_over_a) == len(RADII_RE)
    assert np.isfinite(found.a4_over_a).sum() == np.isfinite(found.a4_over_a_err).sum()


def test_what_cannot_be_measured_is_nan_throughout():
    found = isophote_profile(np.zeros((50, 50)), "flux")
    assert np.isnan(found.r_eff_px) and np.isnan(profile_rows(found).drop(columns="radius_re")).all(axis=None)
    assert np.isnan(list(profile_columns(found, found).values())).all()


def test_an_unknown_kind_is_refused():
    with pytest.raises(InputError, match="kind of picture: found 'colour'; allowed are flux, picture"):
        isophote_profile(galaxy(), "colour")


def test_a_picture_for_the_eye_ends_at_two_effective_radii_of_its_brightness():
    """A disc stretched by its logarithm is a cone. Its isophotes are those of the flux: 0.002 as for flux from one
    effective radius on."""
    found = isophote_profile(images.stretch(galaxy(3.5), 3.0), "picture", deep=True)
    assert found.r_eff_px > 1.5 * profile_of(exponent=3.5).r_eff_px
    assert np.isnan(found.a4_over_a[RADII_RE > 2.4]).all()
    inside = (RADII_RE > 0.5) & (RADII_RE < 1.5)
    np.testing.assert_allclose(found.a4_over_a[inside], np.sqrt(0.7) * B4_OF_3_5, atol=0.002)


def test_rows_have_a_radius_each():
    found = profile_of(exponent=3.5)
    table = profile_rows(found)
    assert list(table) == ["radius_re", "radius_px", "ellipticity", "ellipticity_err", "a4_over_a", "a4_over_a_err",
                           "b6", "b6_err"]  # fmt: skip
    assert table["radius_px"].tolist() == pytest.approx(RADII_RE * found.r_eff_px)
    np.testing.assert_array_equal(table["a4_over_a"], found.a4_over_a)
