"""How common a class is in a set of frames: the classifier's errors taken out, with an interval that allows for them.

A classifier that calls 2 % of ovals rectangles finds 2 % of rectangles where there are none. What it finds in a set
is q = f T + (1 - f) F, with f the fraction we want, T the share of the true rectangles that it calls so, and F the
share of the others (adjusted classify and count: Forman 2008, Data Min. Knowl. Disc. 17, 164). T and F come from
held-out simulations and differ from one simulation to the next, for all frames of a run show the same two galaxies. So
the independent things are runs, not frames: in each run T and F are draws from two beta distributions, whose means and
widths follow from the counts in the held-out runs, and the runs of the set have draws of their own.
"""

import functools
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import betaln, expit

from galclass import catalog, provenance
from galclass.errors import InputError
from galclass.files import require_suffix

#: Predictions for simulations that the network never saw, in its folder.
HELDOUT_FILE = "heldout.parquet"

_TAIL = 0.025
_DRAWS = 4000
#: An end of an interval is taken from no fewer draws than this.
_FEWEST = 50
_BLIND = "the classifier is no better than chance at this class"
_ONE_RUN = "one run only: the population is that of its moments, clustered by snapshot"
#: Means (as logits, in two passes: coarse, then where the counts put them) and intraclass correlations to choose from.
_LOGIT_RANGE, _LOGITS = (-11.0, 11.0), 81
_CORRELATIONS = np.geomspace(1e-3, 0.98, 40)


@dataclass(frozen=True)
class Rate:
    """The fraction of a class, with intervals of 95 %.

    Attributes
    ----------
    frames, clusters : number of frames, and of the clusters they come in
    raw : share of the frames that the classifier calls so
    fraction : the same, corrected for the classifier's errors
    low, high : interval of the true fraction of *these frames*
    population_low, population_high : interval of the mean true fraction of *all runs* of which these are a sample
    cluster : what a cluster is: "run"; or "snapshot" where all frames come from one run, and then the population
        are all moments of that run
    note : what the reader must know; empty where there is nothing
    """

    frames: int
    clusters: int
    raw: float
    fraction: float
    low: float
    high: float
    population_low: float
    population_high: float
    cluster: str
    note: str


def run(tables: Sequence[Path], network: Path, output: Path | None = None, name: str = "rectangle") -> list[dict]:
    """The rates of each run and of all together, from the tables of the stage `classify`.

    Parameters
    ----------
    tables : paths
        Tables of classified frames (.parquet).
    network : path
        Folder of the network that classified them, with its held-out predictions.
    output : path, optional
        Table to write (.csv or .parquet; both are written).
    name : str
        The class.

    Returns
    -------
    list of dict
        Of each run in the order of the tables, and last of ``all``: `run` and the attributes of `Rate`.
    """
    if output is not None:
        output = require_suffix(output, ".csv", ".parquet").with_suffix(".parquet")
    parts = [catalog.read_table(path) for path in tables]
    for path, part in zip(tables, parts, strict=True):
        _check(part, ("run", "snapshot", "frame"), path)
    whole = pd.concat(parts, ignore_index=True)
    twice = whole[whole.duplicated(["run", "frame"])]
    if len(twice):
        raise InputError(f"frame {twice['frame'].iloc[0]} of run {twice['run'].iloc[0]} is there twice; give it once")
    found = by_run(whole, read_heldout(network), name)
    if output is not None:
        record = provenance.record("rates", [*tables, Path(network) / HELDOUT_FILE], {"class": name})
        catalog.write_table(output, found, record)
    return found.to_dict("records")


def lines(rows: Sequence[dict]) -> list[str]:
    """The answers of `run` for people, one line each."""
    return [
        f"{row['run']}: {_percent(row['fraction'])} % of {row['frames']} frames ({_percent(row['low'])} to "
        f"{_percent(row['high'])} %; {_percent(row['raw'])} % are called so); of all "
        f"{'runs' if row['cluster'] == 'run' else 'its moments'} {_percent(row['population_low'])} to "
        f"{_percent(row['population_high'])} %" + (f" ({row['note']})" if row["note"] else "")
        for row in rows
    ]


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.2g}" if fraction < 0.995 else "100"


def read_heldout(network: Path) -> pd.DataFrame:
    """The held-out predictions in the folder of a network; raises `InputError` when they are not such a table."""
    path = Path(network) / HELDOUT_FILE
    if not path.is_file():
        raise InputError(f"{path}: no such file; rates need a network with held-out predictions, as `train` writes it")
    table = catalog.read_table(path)
    _check(table, ("run", "label"), path)
    return table


def by_run(target: pd.DataFrame, heldout: pd.DataFrame, name: str = "rectangle", seed: int = 1) -> pd.DataFrame:
    """`estimate` for the frames of each run and, in the last row, for all; the column `run` says which."""
    parts = [(str(label), frames) for label, frames in target.groupby("run", sort=False)] + [("all", target)]
    return pd.DataFrame([{"run": label, **asdict(estimate(part, heldout, name, seed))} for label, part in parts])


def estimate(target: pd.DataFrame, heldout: pd.DataFrame, name: str = "rectangle", seed: int = 1) -> Rate:
    """The fraction of a class in a set of classified frames.

    The correction assumes that the classifier errs in these runs as in the held-out ones, up to the scatter from run
    to run that those show: that frames of one true class get the same distribution of answers, p(x | class). Truth is
    what the labels of the held-out frames call so.

    Parameters
    ----------
    target : table
        A row for each frame: run, snapshot, and p_NAME for each class.
    heldout : table
        The same for simulations that the classifier never saw, and `label`, the true class of each frame.
    name : str
        The class.
    seed : int
        Of the draws.

    Raises
    ------
    InputError
        A column is missing or holds no probabilities, the class is unknown, or the tables have other classes.
    """
    _check(target, ("run", "snapshot"), "the set")
    _check(heldout, ("run", "label"), "the held-out predictions")
    _check_classes(target, heldout, name)
    rng, truly = np.random.default_rng(seed), (heldout["label"] == name).to_numpy()
    found, mistaken = (_counts(heldout[part], name, "run") for part in (truly, ~truly))
    finds, mistakes = beta_posterior(*found, rng), beta_posterior(*mistaken, rng)
    called, frames = _counts(target, name, "run")
    raw, cluster = _share(called, frames), "run" if len(frames) > 1 else "snapshot"
    hits, trials = _counts(target, name, cluster)
    if np.mean(finds[0] <= mistakes[0]) > _TAIL:
        return Rate(len(target), len(trials), raw, raw, 0.0, 1.0, 0.0, 1.0, cluster, _BLIND)
    here = _errors_here(called, frames, finds, mistakes, rng)
    low, high, note = corrected(rng.beta(called.sum() + 1.0, (frames - called).sum() + 1.0, _DRAWS), *here)
    there = (finds[0], mistakes[0]) if cluster == "run" else here
    wide_low, wide_high, _ = corrected(beta_posterior(hits, trials, rng)[0], *there)
    gap = _share(*found) - _share(*mistaken)
    return Rate(
        frames=len(target),
        clusters=len(trials),
        raw=raw,
        fraction=float(np.clip((raw - _share(*mistaken)) / gap, low, high)),
        low=low,
        high=high,
        population_low=min(low, wide_low),
        population_high=max(high, wide_high),
        cluster=cluster,
        note="; ".join(text for text in (note, _ONE_RUN if cluster == "snapshot" else "") if text),
    )


def _share(hits: np.ndarray, trials: np.ndarray) -> float:
    return float(hits.sum() / trials.sum())


def beta_posterior(hits: np.ndarray, trials: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draws of the mean and the intraclass correlation of a beta distribution of rates, from counts.

    Each cluster has a rate of its own, drawn from that distribution, and a binomial number of hits. The priors are beta
    distributions: of the mean that of Jeffreys, (1/2, 1/2), as for a binomial; of the correlation (1/2, 2), so that
    clusters that are all or nothing need to show.

    Parameters
    ----------
    hits, trials : shape (clusters,)
    rng : of the draws

    Returns
    -------
    means, correlations : shape (draws,)
        The variance of the rates is mean (1 - mean) correlation.
    """
    grid, step, weight = _posterior(tuple(hits.tolist()), tuple(trials.tolist()))
    row, column = np.divmod(rng.choice(weight.size, _DRAWS, p=weight.ravel() / weight.sum()), len(_CORRELATIONS))
    return expit(grid[row] + rng.uniform(-0.5, 0.5, _DRAWS) * step), _CORRELATIONS[column]


@functools.lru_cache(maxsize=8)
def _posterior(hits: tuple[float, ...], trials: tuple[float, ...]) -> tuple[np.ndarray, float, np.ndarray]:
    """Logits of the mean, their step, and the weights of them and the correlations.

    The counts of the held-out runs come again for every run whose rate is asked for.
    """
    logits = np.linspace(*_LOGIT_RANGE, _LOGITS)
    for _ in range(2):
        grid, step = logits, logits[1] - logits[0]
        weight = _likelihood(np.array(hits), np.array(trials), grid)
        likely = grid[weight.max(axis=1) > 1e-4 * weight.max()]
        logits = np.linspace(likely[0] - step, likely[-1] + step, _LOGITS)
    return grid, step, weight


def _likelihood(hits: np.ndarray, trials: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Likelihood of the counts times the prior, over its largest value, shape (logits, correlations)."""
    mean, rho = expit(logits)[:, None], _CORRELATIONS
    a, b = (mean * (1.0 / rho - 1.0))[..., None], ((1.0 - mean) * (1.0 / rho - 1.0))[..., None]
    logarithm = (betaln(hits + a, trials - hits + b) - betaln(a, b)).sum(axis=-1)
    logarithm += 0.5 * np.log(mean * (1.0 - mean) * rho) + np.log1p(-rho)  # densities by logit and by logarithm
    return np.exp(logarithm - logarithm.max())


def corrected(called: np.ndarray, finds: np.ndarray, mistakes: np.ndarray) -> tuple[float, float, str]:
    """Interval of the fraction f in ``called = f finds + (1 - f) mistakes``, from draws of these three.

    A draw with a fraction below 0 says nothing about the upper end, one above 1 nothing about the lower; a draw in
    which the classifier finds no more than it mistakes allows every fraction.

    Parameters
    ----------
    called, finds, mistakes : shape (draws,)

    Returns
    -------
    low, high : float
    note : str
        What is odd, else empty.
    """
    blind = finds <= mistakes
    gap = np.where(blind, 1.0, finds - mistakes)
    least = np.where(blind, 0.0, (called - mistakes) / gap)
    most = np.where(blind, 1.0, (called - mistakes) / gap)
    if np.sum(most >= 0) < _FEWEST:
        note = "fewer are called so than the classifier's mistakes alone would make"
        return 0.0, float(min(np.quantile(called / finds, 1 - _TAIL), 1.0)), note
    if np.sum(least <= 1) < _FEWEST:
        note = "more are called so than the classifier would find if all were"
        return float(max(1.0 - np.quantile((1 - called) / (1 - mistakes), 1 - _TAIL), 0.0)), 1.0, note
    low, high = np.quantile(least[least <= 1], _TAIL), np.quantile(most[most >= 0], 1 - _TAIL)
    return float(max(low, 0.0)), float(min(high, 1.0)), ""


def _errors_here(
    called: np.ndarray, frames: np.ndarray, finds: tuple, mistakes: tuple, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draws of the two error rates in all frames of a set, whose runs have rates of their own.

    True members are taken to lie where more are called so than mistakes explain, all in one run if that is nowhere: the
    fewer runs share them, the more uncertain is how many are found.
    """
    members = np.maximum(called - frames * mistakes[0].mean(), 0.0)
    if not members.any():
        members[frames.argmax()] = 1.0
    return _of_runs(finds, members, rng), _of_runs(mistakes, np.maximum(frames - members, 0.0), rng)


def _of_runs(rates: tuple[np.ndarray, np.ndarray], weights: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draws of the mean rate of some runs of these weights, from draws of the distribution of rates; shape (draws,)."""
    mean, size = rates[0][:, None], 1.0 / rates[1][:, None] - 1.0
    weights = weights[weights > 0]
    each = rng.beta(mean * size, (1.0 - mean) * size, (_DRAWS, len(weights)))
    return each @ (weights / weights.sum())


# Tables -----------------------------------------------------------------------------------------------------


def _counts(table: pd.DataFrame, name: str, cluster: str) -> tuple[np.ndarray, np.ndarray]:
    """How many frames of each cluster are called so, and how many it has; float, shape (clusters,) each."""
    columns = _probabilities(table)
    called = table[columns].to_numpy().argmax(axis=1) == columns.index(f"p_{name}")
    groups = pd.Series(called).groupby(table[cluster].to_numpy())
    return groups.sum().to_numpy(float), groups.size().to_numpy(float)


def _probabilities(table: pd.DataFrame) -> list[str]:
    """The columns p_NAME in their order."""
    return [column for column in table.columns if str(column).startswith("p_")]


def _check(table: pd.DataFrame, columns: Sequence[str], what: Path | str) -> None:
    """Raise `InputError` unless a table has these columns, and probabilities of at least two classes."""
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise InputError(f"{what}: no column {missing[0]}; give a table that `galclass classify` wrote")
    names = _probabilities(table)
    if len(names) < 2 or not all(pd.api.types.is_float_dtype(table[column]) for column in names):
        raise InputError(f"{what}: needs a column p_NAME of numbers for each of at least two classes")
    values = table[names].to_numpy()
    if len(values) == 0 or not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1):
        raise InputError(f"{what}: p_NAME must be probabilities from 0 to 1, and there must be a row; classify again")


def _check_classes(target: pd.DataFrame, heldout: pd.DataFrame, name: str) -> None:
    """Raise `InputError` unless both tables have the same classes and this one."""
    ours, theirs = _probabilities(target), _probabilities(heldout)
    if sorted(ours) != sorted(theirs):
        raise InputError(
            f"classes {', '.join(ours)} in the set, {', '.join(theirs)} in the held-out predictions; "
            "give the network that classified the set"
        )
    if f"p_{name}" not in ours:
        raise InputError(f"{name}: no such class; the network has {', '.join(column[2:] for column in ours)}")
