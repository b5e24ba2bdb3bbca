"""Concentration, asymmetry, Gini and M20: closed forms, statmorph itself, and what cannot be measured."""

import warnings

import numpy as np
import pytest

from galclass.morphology import Morphology, measure

ROWS, COLUMNS = np.indices((80, 80), dtype=float)


def exponential(x=40.3, y=39.6, scale=5.0, noise=0.0):
    """A round exponential galaxy and its pixels above 0.5 % of the peak."""
    light = np.exp(-np.hypot(COLUMNS - x, ROWS - y) / scale)
    return light + noise * np.random.default_rng(1).normal(size=light.shape), light > 5e-3


def test_exponential_disc_has_the_concentration_of_the_closed_form():
    light, galaxy = exponential()
    found = measure(light, galaxy)
    # radii of 20 and 80 % are 0.824 and 2.994 scale lengths; 0.1 for the light beyond 1.5 Petrosian radii (2 %)
    assert found.concentration == pytest.approx(5.0 * np.log10(2.994 / 0.824), abs=0.1)
    assert abs(found.asymmetry) < 0.02


def test_an_even_disc_has_the_lowest_gini():
    disc = (np.hypot(COLUMNS - 40.0, ROWS - 40.0) < 14.0).astype(float)
    even, peaked = measure(disc, disc > 0), measure(*exponential())
    assert even.gini < 0.1
    assert 0.4 < peaked.gini < 0.6  # 0.5 for an exponential, cut at a fifth of its Petrosian surface brightness
    assert even.m20 > peaked.m20 + 0.5  # light in the middle has a small second moment


def test_a_lopsided_galaxy_is_asymmetric():
    light, galaxy = exponential()
    clump = 0.5 * np.exp(-((COLUMNS - 52.0) ** 2 + (ROWS - 44.0) ** 2) / 8.0)
    assert measure(light + clump, galaxy).asymmetry > measure(light, galaxy).asymmetry + 0.1


def test_numbers_are_those_of_statmorph():
    """The four numbers do not depend on what else statmorph would have worked out."""
    from statmorph import source_morphology

    light, galaxy = exponential(noise=0.01)
    found = measure(light, galaxy, noise=0.01)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = source_morphology(light, galaxy.astype(int), weightmap=np.full(light.shape, 0.01))[0]
    for name in ("concentration", "asymmetry", "gini", "m20"):
        assert getattr(found, name) == getattr(theirs, name)


def test_masked_neighbour_does_not_count():
    light, galaxy = exponential()
    star = np.hypot(COLUMNS - 60.0, ROWS - 55.0) < 4.0
    with_star, without = measure(light + 3.0 * star, galaxy, star), measure(light, galaxy)
    assert with_star.concentration == pytest.approx(without.concentration, abs=0.02)
    assert with_star.gini == pytest.approx(without.gini, abs=0.02)


def test_without_sky_there_is_no_asymmetry():
    light, _ = exponential(scale=9.0)
    found = measure(light, np.ones(light.shape, bool))
    assert np.isnan(found.asymmetry)
    assert np.isfinite(found.gini)


@pytest.mark.parametrize("pixels", ["none", "one", "dark"])
def test_what_cannot_be_measured_is_nan(pixels):
    galaxy = np.zeros(ROWS.shape, bool)
    galaxy[40, 40] = pixels == "one"
    light = np.where(galaxy | (pixels == "none"), 1.0, -1.0)
    found = measure(light, galaxy if pixels != "dark" else ~galaxy)
    assert all(np.isnan(value) for value in vars(found).values()) and found.__class__ is Morphology
