"""The interval of a rate is Wilson's."""

import pytest

from galclass.statistics import wilson_interval


def test_known_intervals():
    """Newcombe (1998), Stat. Med. 17, 857, table I, Wilson's score method: 81/263 and 15/148 and 0/20."""
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


def test_interval_mirrors():
    low, high = wilson_interval(3, 10)
    assert wilson_interval(7, 10) == pytest.approx((1 - high, 1 - low))
