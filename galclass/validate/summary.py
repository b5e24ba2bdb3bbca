"""Shares of boxy projections beside those expected of mergers of the same mass ratio.

Noise makes a share more like one half. So what is expected is theirs after our noise was added; and ours is also given
with our noise taken off.
"""

import math

import numpy as np
import pandas as pd
from scipy.stats import norm

from galclass.errors import InputError
from galclass.statistics import SIGMA_PER_MAD, clustered_interval

#: Share of boxy projections of Naab & Burkert (2003), by mass ratio.
PUBLISHED = {1.0: 0.5, 3.0: 0.1}
#: (v/sigma)* below which they call a remnant slowly rotating.
SLOW = 0.4


def by_mass_ratio(projections: pd.DataFrame) -> pd.DataFrame:
    """A row for each mass ratio, remnants that are still pairs left out.

    Parameters
    ----------
    projections : table
        As `galclass.validate.remnants.observe` makes it, with mass_ratio.

    Returns
    -------
    table
        mass_ratio, remnants, pairs (left out), projections, noise and spread of a4/a (medians over remnants; standard
        deviation of all projections with the noise taken off), boxy, boxy_low, boxy_high (share with a4 < 0, and its
        95 % interval in which each remnant counts as one), quiet, quiet_low, quiet_high (the same with the noise taken
        off), expected (the published share) and expected_noisy (with our noise), surely_boxy, surely_discy (shares
        beyond two sigma), always_boxy (remnants boxy in nine of ten views), v_over_sigma_star, its _low, _high (median,
        16 and 84 %) and slow (share below `SLOW`).

    Raises
    ------
    InputError
        No remnant has merged.
    """
    merged = projections[~projections["apart"] & projections["a4_over_a"].notna()]
    if merged.empty:
        raise InputError("none of the mergers has merged; simulate them for longer")
    return pd.DataFrame([_row(float(ratio), part, projections) for ratio, part in merged.groupby("mass_ratio")])


def _row(ratio: float, part: pd.DataFrame, everything: pd.DataFrame) -> dict:
    """One row of `by_mass_ratio`."""
    of_ratio = everything[everything["mass_ratio"] == ratio]
    a4, runs, noise = part["a4_over_a"].to_numpy(), part["run"].to_numpy(), noise_of(part)
    each = part["run"].map(noise).to_numpy()
    typical, spread = float(noise.median()), intrinsic_spread(a4, each)
    quiet, rotation = quieter(a4, each), part["v_over_sigma_star"].to_numpy()
    low, middle, high = np.nanquantile(rotation, (0.16, 0.5, 0.84))
    published = PUBLISHED.get(ratio, math.nan)
    return {
        "mass_ratio": ratio,
        "remnants": part["run"].nunique(),
        "pairs": of_ratio.loc[of_ratio["apart"], "run"].nunique(),
        "projections": len(part),
        "noise": typical,
        "spread": spread,
        **_share("boxy", a4 < 0, runs),
        **_share("quiet", quiet < 0, runs),
        "expected": published,
        "expected_noisy": expected_share(published, spread, typical),
        "surely_boxy": float(np.mean(a4 < -2.0 * each)),
        "surely_discy": float(np.mean(a4 > 2.0 * each)),
        "always_boxy": int((pd.Series(a4 < 0).groupby(runs).mean() >= 0.9).sum()),
        "v_over_sigma_star": middle,
        "v_over_sigma_star_low": low,
        "v_over_sigma_star_high": high,
        "slow": float(np.mean(rotation < SLOW)),
    }


def noise_of(part: pd.DataFrame) -> pd.Series:
    """Noise of a4/a of each run: the robust spread of what drawing the stars anew changes."""
    change = (part["a4_redrawn"] - part["a4_over_a"]).abs()
    return SIGMA_PER_MAD * change.groupby(part["run"]).median()


def intrinsic_spread(a4: np.ndarray, noise: np.ndarray) -> float:
    """Standard deviation of values (n,) without that of their noise (n,); 0 where noise explains all."""
    return math.sqrt(max(float(np.var(a4) - np.mean(noise**2)), 0.0))


def quieter(a4: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Values (n,) drawn towards their mean until they spread as they would without their noise (n,).

    Right for their distribution, not for each; it assumes that noise left the form of the distribution as it was.
    """
    middle, spread = np.mean(a4), np.std(a4)
    return middle + (a4 - middle) * (intrinsic_spread(a4, noise) / spread if spread > 0 else 1.0)


def expected_share(published: float, spread: float, noise: float) -> float:
    """Share of boxy projections that a survey with our noise would see.

    Assumes a normal distribution of a4/a with the published share below 0 and a spread as large as ours: its mean lies
    so many spreads above 0 as that share says, and noise widens it.
    """
    narrower = spread / math.hypot(spread, noise) if spread > 0.0 else 0.0
    return float(norm.cdf(norm.ppf(published) * narrower))


def _share(name: str, hits: np.ndarray, runs: np.ndarray) -> dict[str, float]:
    """A share and its interval; each run counts as one however many views it has."""
    groups = pd.Series(hits).groupby(runs)
    successes, trials = groups.sum().to_numpy(float), groups.size().to_numpy(float)
    low, high = clustered_interval(successes, trials)
    return {name: float(hits.mean()), f"{name}_low": low, f"{name}_high": high}


def lines(found: pd.DataFrame) -> list[str]:
    """The summary for people, a line for each mass ratio."""
    return [_line(row) for row in found.to_dict("records")]


def _line(row: dict) -> str:
    of = {name: f"{100 * value:.0f} %" for name, value in row.items() if isinstance(value, float) and value == value}
    remnants = f"{row['remnants']} remnant{'s' * (row['remnants'] != 1)}"
    pairs = f", {row['pairs']} not merged" if row["pairs"] else ""
    expected = f"; expected {of['expected']}, with our noise {of['expected_noisy']}" if "expected" in of else ""
    return (
        f"{row['mass_ratio']:g}:1, {row['projections']} projections of {remnants}{pairs}: "
        f"{of['boxy']} boxy ({of['boxy_low']} to {of['boxy_high']}), without noise {of['quiet']} ({of['quiet_low']} to "
        f"{of['quiet_high']}){expected}; (v/sigma)* {row['v_over_sigma_star']:.2f} "
        f"({row['v_over_sigma_star_low']:.2f} to {row['v_over_sigma_star_high']:.2f}); noise of 100 a4/a "
        f"{100 * row['noise']:.2f}, spread {100 * row['spread']:.2f}"
    )
