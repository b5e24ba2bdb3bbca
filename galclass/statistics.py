"""Rates with their errors, and a robust standard deviation's factor."""

import math

import numpy as np

#: Standard deviation of a normal distribution over its median absolute deviation.
SIGMA_PER_MAD = 1.4826022185056018
#: Quantile of the normal distribution for intervals of 95 %.
_Z95 = 1.959964


def wilson_interval(successes: float, trials: float, z: float = _Z95) -> tuple[float, float]:
    """Interval of a rate from a number of independent trials (Wilson 1927, JASA 22, 209); 95 % unless told."""
    rate, width = successes / trials, z**2 / trials
    centre = (rate + width / 2) / (1 + width)
    half = math.sqrt(width * (rate * (1 - rate) + width / 4)) / (1 + width)
    return max(0.0, centre - half), min(1.0, centre + half)


def clustered_interval(successes: np.ndarray, trials: np.ndarray) -> tuple[float, float]:
    """95 % interval of a rate whose trials come in clusters that are alike inside.

    Wilson's interval with the number of trials that would be independent: their number over the design effect
    (Kish 1965), the variance between clusters over that of independent trials.  Never more than the trials, nor
    fewer than the clusters; as many as the clusters where all trials have one outcome.

    Parameters
    ----------
    successes, trials : shape (n,)
        Of each cluster; every cluster has a trial.
    """
    total, clusters = float(trials.sum()), len(trials)
    rate = successes.sum() / total
    if clusters < 2 or rate in (0.0, 1.0):
        return wilson_interval(rate * clusters, clusters)
    between = clusters / (clusters - 1) * ((successes - rate * trials) ** 2).sum() / total**2
    effect = between / (rate * (1 - rate) / total)
    alone = min(max(total / max(effect, 1.0), clusters), total)
    return wilson_interval(rate * alone, alone)
