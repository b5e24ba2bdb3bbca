"""From scores to a ranking: percentiles among the nulls, one number for all scores, and what chance makes of it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from galclass.statistics import SIGMA_PER_MAD

#: Scores that a candidate gets a percentile of, and whether more of it means more alike.
SCORES = {
    "cosine_raw": 1.0,
    "cosine_aligned": 1.0,
    "cosine_residual": 1.0,
    "sift_keypoints": 1.0,
    "sift_inliers": 1.0,
    "sift_residual_inliers": 1.0,
    "profile_distance": -1.0,
    "embedding_distance": -1.0,
    "combined": 1.0,
}
#: What is combined, and how it is brought to a scale on which chance scatters evenly. The raw cosine is left out since
#: a turn of the page changes it; the profile's distance enters by its harmonics, which tell shapes apart.
COMBINED = {
    "cosine_aligned": lambda values: np.arctanh(np.clip(values, -_NEAR_ONE, _NEAR_ONE)),
    "cosine_residual": lambda values: np.arctanh(np.clip(values, -_NEAR_ONE, _NEAR_ONE)),
    "sift_inliers": np.sqrt,
    "a4_distance": lambda values: -np.log(values + _CLOSE_PROFILE),
    "b6_distance": lambda values: -np.log(values + _CLOSE_PROFILE),
    "embedding_distance": lambda values: -np.log(np.maximum(values, 0.0) + _CLOSE_EMBEDDING),
}
#: Differences below these are noise: of a cosine from 1, of profiles (in the floors of their errors), of embeddings.
_NEAR_ONE, _CLOSE_PROFILE, _CLOSE_EMBEDDING = 0.9999, 0.3, 0.02
#: How firmly the weights are held to equal ones: some galaxies of known shape cannot fix all of them.
_RIDGE = 10.0
#: Share of a null that its tail is fitted to, the fewest members for that and for two parameters, and exceedances that
#: need no fit.
_TAIL_SHARE, _LEAST_TAIL, _FULL_TAIL, _CLEAR = 0.1, 8, 30, 10
#: How far the tail is trusted: down to this share of what counting can tell, 1 / (members + 1).
_DEEPEST = 0.01
_CERTAIN = 1.0 - 1e-12


def percentiles(values: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Share of `null` below each value [percent], equal ones counted half; NaN where either is missing.

    Parameters
    ----------
    values : shape (n,)
    null : shape (m,), NaN for members without the score
    """
    values, null = np.asarray(values, float), np.asarray(null, float)
    null = np.sort(null[np.isfinite(null)])
    if len(null) == 0:
        return np.full(len(values), np.nan)
    below, up_to = np.searchsorted(null, values, "left"), np.searchsorted(null, values, "right")
    return np.where(np.isfinite(values), 50.0 * (below + up_to) / len(null), np.nan)


def percentile_columns(scores: pd.DataFrame, null: pd.DataFrame, suffix: str = "") -> pd.DataFrame:
    """`SCORE_percentile` + suffix for each of `SCORES` in both tables; 100 is the most alike, of distances too."""
    found = {
        f"{name}_percentile{suffix}": percentiles(sign * scores[name], sign * null[name])
        for name, sign in SCORES.items()
        if name in scores and name in null
    }
    return pd.DataFrame(found, index=scores.index)


@dataclass(frozen=True)
class Combination:
    """One number from several scores: a weighted sum of how far each lies above chance.

    Attributes
    ----------
    middle, width : dict of name -> median and standard deviation (from the median absolute deviation) among chance
    weight : dict of name -> weight, not negative, 1 in all
    """

    middle: dict[str, float]
    width: dict[str, float]
    weight: dict[str, float]

    def __call__(self, table: pd.DataFrame) -> np.ndarray:
        """The sum for each row, shape (n,); a score that a row lacks counts as the median of chance."""
        return self._standard(table) @ np.array(list(self.weight.values()))

    def _standard(self, table: pd.DataFrame) -> np.ndarray:
        columns = [(_scaled(table, name) - self.middle[name]) / self.width[name] for name in self.weight]
        return np.nan_to_num(np.stack(columns, axis=1), nan=0.0)


def _scaled(table: pd.DataFrame, name: str) -> np.ndarray:
    return COMBINED[name](table[name].to_numpy(float))


def fit_combination(chance: pd.DataFrame, alike: pd.DataFrame | None = None) -> Combination:
    """How to combine the scores so that what is like the reference stands out from chance.

    The weights are those of the linear discriminant of the two tables, both counted alike, that has no negative ones
    (least squares on the two classes, with a ridge towards equal weights).

    Parameters
    ----------
    chance : table
        Scores of galaxies of other shapes.
    alike : table, optional
        Scores of the same galaxies with the isophotes of the reference; without it all weights are the same.
    """
    names = [name for name in COMBINED if name in chance and chance[name].notna().any()]
    middle = {name: float(np.nanmedian(_scaled(chance, name))) for name in names}
    width = {name: _width(_scaled(chance, name)) for name in names}
    equal = Combination(middle, width, dict.fromkeys(names, 1.0 / len(names)))
    if alike is None:
        return equal
    weights = _discriminant(equal._standard(chance), equal._standard(alike))
    total = weights.sum()
    return (
        Combination(middle, width, dict(zip(names, (weights / total).tolist(), strict=True))) if total > 1e-9 else equal
    )


def _width(values: np.ndarray) -> float:
    """Robust standard deviation; that about the mean where more than half are equal, 1 where all are."""
    values = values[np.isfinite(values)]
    return float(SIGMA_PER_MAD * np.median(np.abs(values - np.median(values))) or values.std() or 1.0)


def _discriminant(chance: np.ndarray, alike: np.ndarray) -> np.ndarray:
    """Weights (k,), not negative, that part two sets of points (n, k) well and do not differ more than they must."""
    from scipy.optimize import nnls

    middle, count = 0.5 * (chance.mean(axis=0) + alike.mean(axis=0)), chance.shape[1]
    sides = np.concatenate([(points - middle) / np.sqrt(2 * len(points)) for points in (chance, alike)])
    wanted = np.concatenate(
        [np.full(len(points), sign / np.sqrt(2 * len(points))) for points, sign in ((chance, -0.5), (alike, 0.5))]
    )
    together = sides.sum(axis=1)
    equal = max(together @ wanted / max(together @ together, 1e-12), 0.0)  # the best weight that all may share
    ridge = np.sqrt(_RIDGE / count)
    held = np.concatenate([wanted, np.full(count, ridge * equal)])
    return nnls(np.concatenate([sides, ridge * np.eye(count)]), held)[0]


def chance_probability(values: np.ndarray, null: np.ndarray, tried: int) -> np.ndarray:
    """Probability that the best of so many members of the null is as high as each value.

    Parameters
    ----------
    values : shape (n,)
    null : shape (m,)
        Beyond the ten highest, where counting says little, a generalised Pareto distribution fitted to the highest
        tenth takes over (Knijnenburg et al. 2009, Bioinformatics 25, i161), down to 0.01 / (m + 1).
    tried : int
        How many candidates were compared; they count as independent, so views of one snapshot make it too high.

    Returns
    -------
    shape (n,)
        1 - (1 - p)^tried with the p of a single member; NaN without a null.
    """
    values, null = np.asarray(values, float), np.sort(np.asarray(null, float))
    if len(null) == 0:
        return np.full(len(values), np.nan)
    above = len(null) - np.searchsorted(null, values, "left")
    single = (above + 1.0) / (len(null) + 1.0)
    deepest = _DEEPEST / (len(null) + 1.0)
    single = np.where(above < _CLEAR, np.minimum(single, np.maximum(_tail(values, null), deepest)), single)
    return -np.expm1(tried * np.log1p(-np.minimum(single, _CERTAIN)))


def _tail(values: np.ndarray, null: np.ndarray) -> np.ndarray:
    """Probability of a higher value by the tail of a sorted null; 1 where it has none."""
    from scipy.stats import genpareto

    count = int(_TAIL_SHARE * len(null))
    if count < _LEAST_TAIL or null[-1] <= null[-count - 1]:
        return np.ones(len(values))
    threshold = 0.5 * (null[-count] + null[-count - 1])
    beyond = null[-count:] - threshold
    shape, _, scale = genpareto.fit(beyond, floc=0.0) if count >= _FULL_TAIL else (0.0, 0.0, 1.0)
    if shape <= 0.0:  # a bounded tail would call all beyond its end impossible; an exponential one is more cautious,
        shape, scale = 1.0 / count, float(beyond.mean())  # heavier by what its scale, a mean of so many, is uncertain
    return np.where(values > threshold, count / len(null) * genpareto.sf(values - threshold, shape, 0.0, scale), 1.0)


def held_against(scores: pd.DataFrame, null: pd.DataFrame, tried: int, suffix: str = "") -> pd.DataFrame:
    """The percentile of each score among a null, and `p_chance` + suffix, that the best of those tried is as good."""
    chance = chance_probability(scores["combined"].to_numpy(), null["combined"].to_numpy(), tried)
    return percentile_columns(scores, null, suffix).assign(**{f"p_chance{suffix}": chance})


def nearest(null: pd.DataFrame, axis_ratio: float, count: int) -> pd.DataFrame:
    """The members of a null nearest in axis ratio."""
    order = np.argsort(np.abs(null["axis_ratio"].to_numpy() - axis_ratio), kind="stable")
    return null.iloc[order[:count]]


def joined(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Tables of scores one below the other, with their names in the column `null`."""
    return pd.concat([table.assign(null=name) for name, table in tables.items()], ignore_index=True)
