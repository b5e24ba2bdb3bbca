"""How often the interval of a rate holds the truth, for sets of frames whose fraction of rectangles is known.

Each population has a held-out set and a set of frames with a known fraction, 0.001 to 0.5, of the same imitated
classifier: four classes, the answers of all frames of a run and class shifted together, and those of a snapshot once
more; most runs hold no rectangle, few hold many; the classes of the rest are mixed differently in each run. Beside our
interval stand bootstraps over runs of the estimators of the literature: adjusted count, BBSE (Lipton et al. 2018,
arXiv:1802.03916) on probabilities, and EM (Saerens et al. 2002, Neural Computation 14, 21).

    python benchmarks/rates.py --json
    python benchmarks/rates.py --heldout results/train/network/heldout.parquet    # resampled from real predictions
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from galclass import catalog, rates

CLASSES = ["oval", "rectangle", "obround", "none"]
COLUMNS = [f"p_{name}" for name in CLASSES]
RECTANGLE = CLASSES.index("rectangle")
SNAPSHOTS, VIEWS = 25, 20
#: Mean answer (logit) to each true class (row) for each class (column).
ANSWERS = np.array([[4.0, -1.0, 0.5, 0.0], [-1.0, 4.0, 0.5, 0.0], [0.8, 0.6, 4.0, 0.6], [0.3, 0.3, 0.6, 4.0]])
#: Runs of a set, one after the other in the populations.
RUNS = (1, 3, 10, 30, 100, 1, 2, 10, 30, 3)


# Imitated classifiers ---------------------------------------------------------------------------------------


def rectangles_of_runs(fraction: float, runs: int, rng: np.random.Generator) -> np.ndarray:
    """Numbers of rectangles in runs that together hold a fraction: most none, few many; shape (runs,)."""
    frames, numbers = SNAPSHOTS * VIEWS, np.zeros(runs, dtype=int)
    share = rng.gamma(0.15, 1.0, runs) + 1e-9
    while (left := round(fraction * frames * runs) - numbers.sum()) > 0:
        open_share = share * (numbers < frames)
        numbers = np.minimum(numbers + rng.multinomial(left, open_share / open_share.sum()), frames)
    return numbers


def classified(rectangles: np.ndarray, skill: float, scatter: float, rng: np.random.Generator) -> pd.DataFrame:
    """Labels and answers for every frame of runs with so many rectangles each."""
    return pd.concat([_classified_run(f"run_{k}", n, skill, scatter, rng) for k, n in enumerate(rectangles)])


def _classified_run(run: str, rectangles: int, skill: float, scatter: float, rng: np.random.Generator) -> pd.DataFrame:
    frames = SNAPSHOTS * VIEWS
    others = rng.choice([0, 2, 3], frames - rectangles, p=rng.dirichlet([2.0, 0.5, 1.5]))
    classes = np.concatenate([np.full(rectangles, RECTANGLE), others])
    # Rectangles gather in some snapshots, as they do in the late ones of a merger.
    classes = classes[np.argsort(rng.random(frames) + 0.5 * (classes == RECTANGLE))]
    snapshot = np.repeat(np.arange(SNAPSHOTS), VIEWS)
    shifts = rng.normal(0.0, scatter, (4, 4))[classes] + rng.normal(0.0, 0.5, (SNAPSHOTS, 4, 4))[snapshot, classes]
    logits = 1.2 * (skill * ANSWERS[classes] + shifts + rng.gumbel(size=(frames, 4)))
    answers = np.exp(logits - logits.max(axis=1, keepdims=True))
    table = pd.DataFrame(answers / answers.sum(axis=1, keepdims=True), columns=COLUMNS)
    return table.assign(run=run, snapshot=snapshot, label=np.array(CLASSES, dtype=object)[classes])


def imitated(number: int, fraction: float, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A set with a fraction of rectangles, and a held-out set of 10 to 16 runs, of one imitated classifier."""
    skill, scatter = rng.choice([0.6, 1.0, 1.5]), rng.choice([0.3, 0.7, 1.2])
    some = rng.binomial(SNAPSHOTS * VIEWS, rng.beta(0.35, 3.5, rng.integers(10, 17)))
    target = rectangles_of_runs(fraction, RUNS[number % len(RUNS)], rng)
    return classified(target, skill, scatter, rng), classified(some, skill, scatter, rng)


def resampled(
    predictions: pd.DataFrame, fraction: float, rng: np.random.Generator
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Real predictions parted by run: a third of the runs, thinned to a fraction of rectangles, and the others."""
    while True:
        runs = rng.permutation(predictions["run"].unique())
        target = predictions[predictions["run"].isin(runs[: max(1, len(runs) // 3)])]
        truly = np.flatnonzero(target["label"] == "rectangle")
        others = np.flatnonzero(target["label"] != "rectangle")
        wanted = min(len(truly), round(len(others) * fraction / (1 - fraction)))
        if wanted > 0:
            break
    rest = min(len(others), round(wanted * (1 - fraction) / fraction))
    rows = np.sort(np.concatenate([rng.choice(truly, wanted, False), rng.choice(others, rest, False)]))
    return target.iloc[rows], predictions[predictions["run"].isin(runs[max(1, len(runs) // 3) :])]


# Estimators of the literature, bootstrapped over runs -------------------------------------------------------


def resampled_runs(table: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    """How often each frame counts when runs are drawn with replacement."""
    codes, runs = pd.factorize(table["run"])
    return np.bincount(rng.integers(0, len(runs), len(runs)), minlength=len(runs))[codes].astype(float)


def solved(
    target: np.ndarray, heldout: np.ndarray, truth: np.ndarray, weights: np.ndarray, known: np.ndarray
) -> np.ndarray:
    """Fractions of the classes from mean answers (n, answers) and those to each true class (m, classes)."""
    mean = (known[:, None] * heldout).T @ truth / np.maximum(known @ truth, 1e-9)
    return np.linalg.lstsq(mean, weights @ target / weights.sum(), rcond=None)[0]


def adjusted_count(target: pd.DataFrame, heldout: pd.DataFrame, weights: np.ndarray, known: np.ndarray) -> float:
    """(called - F) / (T - F)."""
    called = [(table[COLUMNS].to_numpy().argmax(axis=1) == RECTANGLE)[:, None] for table in (target, heldout)]
    truth = (heldout["label"] == "rectangle").to_numpy()[:, None]
    answers = [np.hstack([~one, one]).astype(float) for one in called]
    return solved(*answers, np.hstack([~truth, truth]).astype(float), weights, known)[1]


def bbse(target: pd.DataFrame, heldout: pd.DataFrame, weights: np.ndarray, known: np.ndarray) -> float:
    """The mean probabilities of the set as a mixture of those of the true classes."""
    truth = (heldout["label"].to_numpy()[:, None] == np.array(CLASSES)).astype(float)
    return solved(target[COLUMNS].to_numpy(), heldout[COLUMNS].to_numpy(), truth, weights, known)[RECTANGLE]


def expectation(target: pd.DataFrame, heldout: pd.DataFrame, weights: np.ndarray, known: np.ndarray) -> float:
    """Fractions that make the probabilities, adjusted to them, average to themselves."""
    truth = (heldout["label"].to_numpy()[:, None] == np.array(CLASSES)).astype(float)
    before = (known @ truth + 1.0) / (known.sum() + 4.0)
    some = slice(None, None, max(1, len(target) // 4000))
    answers, weights, now = target[COLUMNS].to_numpy()[some], weights[some], before
    for _ in range(30):
        each = answers * (now / before)
        now = weights @ (each / each.sum(axis=1, keepdims=True)) / weights.sum()
    return now[RECTANGLE]


def bootstrap(
    estimator: Callable, target: pd.DataFrame, heldout: pd.DataFrame, rng: np.random.Generator, draws: int
) -> tuple[float, float]:
    """The middle 95 % of an estimator's values when the runs of both tables are drawn with replacement."""
    found = [
        estimator(target, heldout, resampled_runs(target, rng), resampled_runs(heldout, rng)) for _ in range(draws)
    ]
    low, high = np.clip(np.quantile(found, [0.025, 0.975]), 0.0, 1.0)
    return low, high


def ours(target: pd.DataFrame, heldout: pd.DataFrame) -> tuple[float, float]:
    """The interval of `rates.estimate`."""
    rate = rates.estimate(target, heldout)
    return rate.low, rate.high


# ------------------------------------------------------------------------------------------------------------


def measure(populations: int, draws: int, seed: int, heldout: Path | None) -> tuple[dict, pd.DataFrame]:
    """Covered populations and widths for each method, and the table of all intervals."""
    rng = np.random.default_rng(seed)
    predictions = None if heldout is None else catalog.read_table(heldout)
    rows = []
    for number, fraction in enumerate(np.geomspace(0.001, 0.5, populations)):
        target, known = (
            imitated(number, fraction, rng) if predictions is None else resampled(predictions, fraction, rng)
        )
        truth = float((target["label"] == "rectangle").mean())
        intervals = {"ours": ours(target, known)}
        for name, estimator in (("adjusted count", adjusted_count), ("BBSE", bbse), ("EM", expectation)):
            if draws:
                intervals[name] = bootstrap(estimator, target, known, rng, draws)
        for name, (low, high) in intervals.items():
            rows.append({"method": name, "runs": target["run"].nunique(), "truth": truth, "low": low, "high": high})
    return _figures(table := pd.DataFrame(rows)), table


def _figures(table: pd.DataFrame) -> dict:
    table = table.assign(
        too_high=table["low"] > table["truth"],
        too_low=table["high"] < table["truth"],
        width=table["high"] - table["low"],
    )
    groups = table.groupby("method", sort=False)
    rare = table[table["truth"] < 0.01].groupby("method", sort=False)
    return {
        "populations": int(groups.size().iloc[0]),
        "covered": (1 - groups[["too_high", "too_low"]].mean().sum(axis=1)).round(4).to_dict(),
        "too_high": groups["too_high"].mean().round(4).to_dict(),
        "too_low": groups["too_low"].mean().round(4).to_dict(),
        "median_width": groups["width"].median().round(4).to_dict(),
        "median_width_below_0.01": rare["width"].median().round(4).to_dict(),
    }


def main() -> None:
    """Print the figures, as JSON or one a line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--populations", type=int, default=100)
    parser.add_argument("--draws", type=int, default=60, help="of each bootstrap; 0 for ours alone")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--heldout", type=Path, help="resample these predictions instead (.parquet)")
    parser.add_argument("--table", type=Path, help="write every interval (.csv)")
    options = parser.parse_args()
    figures, table = measure(options.populations, options.draws, options.seed, options.heldout)
    if options.table:
        table.to_csv(options.table, index=False, float_format="%.6g")
    print(json.dumps(figures) if options.json else "\n".join(f"{name}: {value}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
