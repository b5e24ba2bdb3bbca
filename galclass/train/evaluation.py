"""How good the classifier is, on simulations it never saw: ROC, calibration, and both by what a picture is like."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from galclass.network import TRUSTED_CLASSES
from galclass.train.examples import numbers, sure

#: Edges of the bins of the tables.
EDGES = {
    "snr": (3, 5, 10, 20, 50, 100, 500),
    "radius_px": (3.5, 4.5, 6, 7.5, 9),
    "psf_over_radius": (0.03, 0.06, 0.12, 0.25, 0.5),
    "mass_ratio": (1, 1.05, 2, 4, 10),
    "time_gyr": (0, 0.6, 1.2, 1.8, 10),
}
#: What the classifier is judged by: range of signal to noise, and whether only by pictures whose labels are sure.
JUDGED = {
    "all": (0.0, np.inf, False),
    "snr >= 20": (20.0, np.inf, False),
    "snr >= 20, sure labels": (20.0, np.inf, True),
    "snr 5 to 20": (5.0, 20.0, False),
}

_CALIBRATION_BINS = 15
_RECTANGLE = TRUSTED_CLASSES.index("rectangle")


def auc(is_rectangle: np.ndarray, score: np.ndarray) -> float:
    """Area under the ROC curve: the chance that a rectangle scores above another picture; NaN with one kind only."""
    from scipy.stats import rankdata

    positives = int(is_rectangle.sum())
    negatives = len(is_rectangle) - positives
    if positives == 0 or negatives == 0:
        return float("nan")
    ranks = rankdata(score)[is_rectangle].sum()
    return float((ranks - positives * (positives + 1) / 2) / (positives * negatives))


def clustered_auc(
    is_rectangle: np.ndarray, score: np.ndarray, runs: np.ndarray, seed: int = 0, draws: int = 200
) -> tuple[float, float, float]:
    """AUC and its 95 % interval from drawing whole runs anew."""
    rng = np.random.default_rng(seed)
    names = np.unique(runs)
    rows = {name: np.flatnonzero(runs == name) for name in names}
    values = []
    for _ in range(draws):
        chosen = np.concatenate([rows[name] for name in rng.choice(names, len(names))])
        values.append(auc(is_rectangle[chosen], score[chosen]))
    low, high = np.nanquantile(values, [0.025, 0.975]) if np.isfinite(values).any() else (np.nan, np.nan)
    return auc(is_rectangle, score), float(low), float(high)


def reliability(truth: np.ndarray, claimed: np.ndarray) -> pd.DataFrame:
    """How often what is claimed with a probability is true: low, high, claimed, true, pictures of each bin."""
    edges = np.linspace(0.0, 1.0, _CALIBRATION_BINS + 1)
    which = np.clip(np.digitize(claimed, edges) - 1, 0, _CALIBRATION_BINS - 1)
    count = np.bincount(which, minlength=_CALIBRATION_BINS)
    safe = np.maximum(count, 1)
    return pd.DataFrame(
        {
            "low": edges[:-1],
            "high": edges[1:],
            "claimed": np.bincount(which, claimed, _CALIBRATION_BINS) / safe,
            "true": np.bincount(which, truth, _CALIBRATION_BINS) / safe,
            "pictures": count,
        }
    )


def calibration_error(truth: np.ndarray, claimed: np.ndarray) -> float:
    """Expected calibration error (Naeini, Cooper & Hauskrecht 2015): mean gap between claimed and true over bins."""
    bins = reliability(truth, claimed)
    return float((bins["pictures"] * (bins["claimed"] - bins["true"]).abs()).sum() / bins["pictures"].sum())


def scores(table: pd.DataFrame, probabilities: np.ndarray) -> dict:
    """Figures of some pictures: AUC with interval, accuracy, calibration errors; the ruler's AUC where it was asked."""
    truth = numbers(table["label"])
    is_rectangle, chosen = truth == _RECTANGLE, probabilities.argmax(axis=1)
    value, low, high = clustered_auc(is_rectangle, probabilities[:, _RECTANGLE], table["run"].to_numpy())
    asked = table["p_ruler"].notna().to_numpy()
    return {
        "pictures": len(table),
        "runs": int(table["run"].nunique()),
        "rectangles": int(is_rectangle.sum()),
        "auc": value,
        "auc_low": low,
        "auc_high": high,
        "auc_where_ruler": auc(is_rectangle[asked], probabilities[asked, _RECTANGLE]),
        "auc_ruler": auc(is_rectangle[asked], table["p_ruler"].to_numpy()[asked]),
        "accuracy": float((chosen == truth).mean()),
        "calibration_error": calibration_error(chosen == truth, probabilities.max(axis=1)),
        "calibration_error_rectangle": calibration_error(is_rectangle, probabilities[:, _RECTANGLE]),
    }


def judged(table: pd.DataFrame, probabilities: np.ndarray) -> dict:
    """The figures of the pictures in each range of `JUDGED`."""
    snr, known = table["snr"].to_numpy(), sure(table)
    inside = {name: (snr >= low) & (snr < high) & (known | (not only)) for name, (low, high, only) in JUDGED.items()}
    return {name: scores(table[rows], probabilities[rows]) for name, rows in inside.items() if rows.any()}


def by_property(table: pd.DataFrame, probabilities: np.ndarray) -> pd.DataFrame:
    """The figures of `scores` in bins of signal to noise, size, blur, mass ratio and time: quantity, low, high, ..."""
    table = table.assign(psf_over_radius=table["psf_fwhm_px"] / table["radius_px"])
    rows = []
    for name, edges in EDGES.items():
        values = table[name].to_numpy()
        for low, high in zip(edges[:-1], edges[1:], strict=True):
            inside = (values >= low) & (values < high)
            if inside.any():
                rows.append(
                    {"quantity": name, "low": low, "high": high, **scores(table[inside], probabilities[inside])}
                )
    return pd.DataFrame(rows)


def confusion(labels: Sequence[str], probabilities: np.ndarray) -> list[list[int]]:
    """Counts: true classes in rows, the likeliest ones in columns."""
    counts = np.zeros((len(TRUSTED_CLASSES),) * 2, dtype=int)
    np.add.at(counts, (numbers(labels), probabilities.argmax(axis=1)), 1)
    return counts.tolist()


def plot_reliability(bins: pd.DataFrame, ax) -> None:
    """Share of true rectangles against the claimed probability."""
    seen = bins[bins["pictures"] > 0]
    ax.plot([0, 1], [0, 1], color="0.6", lw=1)
    ax.plot(seen["claimed"], seen["true"], "o-", ms=4)
    ax.set(xlabel="claimed p(rectangle)", ylabel="share that are rectangles", xlim=(0, 1), ylim=(0, 1))


def plot_by_snr(rows: pd.DataFrame, ax) -> None:
    """AUC of the network and of the ruler against signal to noise."""
    chosen = rows[rows["quantity"] == "snr"]
    middle = np.sqrt(chosen["low"] * chosen["high"])
    errors = [chosen["auc"] - chosen["auc_low"], chosen["auc_high"] - chosen["auc"]]
    ax.errorbar(middle, chosen["auc"], np.maximum(errors, 0), fmt="o-", ms=4, label="network")
    ax.plot(middle, chosen["auc_ruler"], "s--", ms=4, label="ruler")
    ax.set(xscale="log", xlabel="S/N of the ring at R_e", ylabel="ROC AUC, rectangle", ylim=(0.45, 1.01))
    ax.legend(loc="lower right")
