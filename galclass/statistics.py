"""Rates with their errors."""

import math

#: Quantile of the normal distribution for intervals of 95 %.
_Z95 = 1.959964


def wilson_interval(successes: int, trials: int, z: float = _Z95) -> tuple[float, float]:
    """Interval of a rate from a number of independent trials (Wilson 1927, JASA 22, 209); 95 % unless told."""
    rate, width = successes / trials, z**2 / trials
    centre = (rate + width / 2) / (1 + width)
    half = math.sqrt(width * (rate * (1 - rate) + width / 4)) / (1 + width)
    return max(0.0, centre - half), min(1.0, centre + half)
