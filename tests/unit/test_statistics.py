"""Intervals of rates: Wilson's, and for trials in clusters."""

import numpy as np
import pytest

from galclass.statistics import clustered_interval, wilson_interval


def test_known_intervals():
    """Newcombe (1998), Stat. Med. 17, 857, table I, Wilson's score method: 81/263 and 15/148 and 0/20."""
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_interval_mirrors():
    low, high = wilson_interval(3, 10)
    assert wilson_interval(7, 10) == pytest.approx((1 - high, 1 - low))


def test_clusters_of_one_are_independent_trials():
    outcomes = np.array([1, 0, 0, 1, 0, 0, 0, 0, 1, 0])
    # The estimated variance has 9 degrees of freedom, so at most the trials count: here it is n / (n - 1) too large.
    low, high = clustered_interval(outcomes, np.ones(10))
    wilson = wilson_interval(3, 10)
    assert (low, high) == pytest.approx(wilson, abs=0.03)


def test_trials_that_repeat_each_other_count_once():
    once = wilson_interval(3, 10)
    repeated = clustered_interval(50 * np.array([1, 0, 0, 1, 0, 0, 0, 0, 1, 0]), np.full(10, 50))
    assert repeated == pytest.approx(once, abs=0.03)


def test_no_success_is_as_uncertain_as_the_clusters_are_few():
    assert clustered_interval(np.zeros(20), np.full(20, 24)) == wilson_interval(0, 20)
    assert clustered_interval(np.array([5]), np.array([10])) == wilson_interval(0.5, 1)


def test_clustered_interval_covers_the_truth():
    """Rates that differ from cluster to cluster (beta, mean 0.2): 95 % of 400 trials, to three standard errors."""
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(400):
        rates = rng.beta(0.5, 2.0, 30)
        low, high = clustered_interval(rng.binomial(24, rates), np.full(30, 24))
        covered += low <= 0.2 <= high
    assert 0.95 - 3 * 0.011 <= covered / 400
