"""The numbers of the report: shares of the classes, headline figures, and the thesis beside ours."""

import math
from typing import NamedTuple

import pandas as pd

from galclass import rates
from galclass.network import TRUSTED_CLASSES
from galclass.report.results import Results
from galclass.train.evaluation import JUDGED


def fractions(table: pd.DataFrame) -> pd.DataFrame:
    """Share of each class among the views of each snapshot, one row a time [Gyr]."""
    shares = pd.crosstab(table["time_gyr"], table["class"], normalize="index")
    return shares.reindex(columns=list(TRUSTED_CLASSES), fill_value=0.0).reset_index().rename_axis(columns=None)


def share(table: pd.DataFrame, name: str) -> str:
    """Share of frames called so, in per cent."""
    return percent(float((table["class"] == name).mean()))


def gates(results: Results) -> dict:
    """One row a run: how far each conserved quantity drifted, its limit, and whether the run is to be trusted."""
    names = [verdict["gate"].replace("_", " ") for verdict in next(iter(results.verdicts.values()))]
    rows = []
    for run, verdicts in results.verdicts.items():
        drifts = [f"{v['largest_drift']:.1e} (limit {v['limit']:g})" for v in verdicts]
        failed = [v["gate"].replace("_", " ") for v in verdicts if not v["passed"]]
        rows.append([run, *drifts, f"FAILED: {', '.join(failed)}" if failed else "passed"])
    return {"columns": ["run", *names, "quality"], "rows": rows}


def classified(results: Results) -> dict:
    """One row a run, and one for all: what the frames are called, and how many are rectangles after correction."""
    columns = [
        "run",
        "frames",
        *TRUSTED_CLASSES,
        "beyond its pictures",
        "rectangles, corrected",
        "of all such runs",
        "",
    ]
    everything = pd.concat(results.tables.values(), ignore_index=True)
    found = rates.by_run(everything, results.heldout)
    rows = []
    for rate, table in zip(found.to_dict("records"), [*results.tables.values(), everything], strict=True):
        name = results.marked(rate["run"]) if rate["run"] in results.tables else rate["run"]
        called = [share(table, kind) for kind in TRUSTED_CLASSES]
        far = percent(float((table["domain_distance"] > 1).mean()))
        rows.append([name, len(table), *called, far, *corrected(rate)])
    return {"columns": columns, "rows": rows}


def corrected(rate: dict) -> list[str]:
    """The corrected fraction with the interval of these frames, the interval of all such runs, and the note."""
    own, every = (f"{100 * rate[of + 'low']:.2g} to {100 * rate[of + 'high']:.2g} %" for of in ("", "population_"))
    return [f"{100 * rate['fraction']:.2g} % ({own})", every, rate["note"]]


def trained(metrics: dict) -> dict:
    """One row for each kind of pictures and range of signal to noise the classifier is judged by."""
    columns = ["never seen", "S/N", "pictures", "rectangles", "AUC of rectangles", "the ruler's", "accuracy",
               "calibration error"]  # fmt: skip
    rows = []
    for kind in ("simulations", "shape_models"):
        for name in JUDGED:
            found = metrics.get(kind, {}).get(name)
            if found:
                area = "" if found["auc"] is None else f"{found['auc']:.3f}"
                if found["auc_low"] is not None:
                    area += f" ({found['auc_low']:.3f} to {found['auc_high']:.3f})"
                ruler = "" if found["auc_ruler"] is None else f"{found['auc_ruler']:.3f}"
                rows.append([kind.replace("_", " "), name, found["pictures"], found["rectangles"], area, ruler,
                             percent(found["accuracy"]), f"{found['calibration_error']:.3f}"])  # fmt: skip
    return {"columns": columns, "rows": rows}


def measured(results: Results) -> dict:
    """One row a run: how many frames have each measured label, the share of rectangles, and the signal to noise."""
    columns = ["run", "frames", "oval", "rectangle", "obround", "none of these", "rectangles", "S/N"]
    rows = []
    for row in results.counts.to_dict("records"):
        share, low, high = (100 * row[name] for name in ("rectangle_share", "low", "high"))
        snr = results.measured[row["run"]]["snr"].median()
        numbers = [row[name] for name in ("frames", "oval", "rectangle", "obround", "none")]
        said = f"{share:.1f} % ({low:.1f} to {high:.1f})"
        rows.append([results.marked(row["run"]), *numbers, said, f"{snr:.0f}"])
    return {"columns": columns, "rows": rows}


def confusion(metrics: dict) -> dict:
    """The confusion matrix of simulations never seen (shape models where there are none), true class first."""
    rows = (metrics.get("simulations") or metrics["shape_models"])["confusion"]
    names = metrics["classes"]
    return {"columns": ["true class", *names], "rows": [[name, *row] for name, row in zip(names, rows, strict=True)]}


class Cell(NamedTuple):
    """A cell of a table that can be sorted: its text, what it is sorted by (None comes last), and where it leads."""

    text: str
    key: float | str | None
    link: str = ""


#: Columns of the table of candidates: heading, column, format, and whether its percentile among random frames follows.
_CANDIDATE_COLUMNS = (
    ("p(rectangle)", "p_rectangle", "{:.3f}", False),
    ("combined", "combined", "{:+.2f}", True),
    ("p by chance", "p_chance", "{:.2g}", False),
    ("residual cosine", "cosine_residual", "{:.3f}", True),
    ("aligned cosine", "cosine_aligned", "{:.3f}", True),
    ("raw cosine (thesis)", "cosine_raw", "{:.3f}", True),
    ("profile distance", "profile_distance", "{:.2f}", True),
    ("embedding distance", "embedding_distance", "{:.3f}", True),
    ("SIFT inliers", "sift_inliers", "{:.0f}", True),
    ("b/a", "axis_ratio", "{:.2f}", False),
)


def candidates(results: Results, linked: int) -> dict:
    """Every candidate with its scores; those of a run that fails a gate are marked, the first `linked` lead on."""
    rows = []
    for row in results.candidates.to_dict("records"):
        link = f"candidates.html#candidate-{row['rank']}" if row["rank"] <= linked else ""
        cells = [
            Cell(str(row["rank"]), row["rank"], link),
            Cell(name := results.marked(row["run"]), name),
            number_cell(row["time_gyr"], "{:.2f}"),
            number_cell(row["frame"], "{:.0f}"),
            *(_score_cell(row, *column[1:]) for column in _CANDIDATE_COLUMNS),
            _b4_cell(row),
        ]
        rows.append(cells)
    return {"columns": ["rank", "run", "time [Gyr]", "frame", *(column[0] for column in _CANDIDATE_COLUMNS), "B4"],
            "rows": rows}  # fmt: skip


def number_cell(value: float, form: str) -> Cell:
    """A number, sorted by its value; a dash, sorted last, where there is none."""
    return Cell(number_text(value, form), float(value) if math.isfinite(value) else None)


def _score_cell(row: dict, name: str, form: str, has_percentile: bool) -> Cell:
    """A score, with its percentile among random frames in brackets."""
    cell = number_cell(row[name], form)
    if not has_percentile or cell.key is None:
        return cell
    return cell._replace(text=f"{cell.text} ({percentile_text(row[f'{name}_percentile'])} %)")


def _b4_cell(row: dict) -> Cell:
    text = number_with_error(row["b4"], row["b4_err"])
    return number_cell(row["b4"], "{:+.3f}")._replace(text=f"{text} ({row['measured_label']})")


def number_text(value: float, form: str = "{:.3f}") -> str:
    """A number in a form; a dash where it was not measured."""
    return form.format(value) if math.isfinite(value) else "\u2013"


def number_with_error(value: float, error: float) -> str:
    """A number with its error; a dash where it was not measured."""
    return f"{value:+.3f} ± {number_text(error)}" if math.isfinite(value) else number_text(value)


def percentile_text(percentile: float, null: str = "") -> str:
    """A percentile with one digit where it is near the top; words where there is none among `null` ("_controls")."""
    if not math.isfinite(percentile):
        return "no controls given" if null == "_controls" else "\u2013"
    return f"{percentile:.1f}" if percentile > 99.0 else f"{percentile:.0f}"


def headlines(results: Results) -> list[dict]:
    """The three figures that sum the run up."""
    models, control = results.metrics["shape_models"]["all"], results.metrics["control"]
    best = results.candidates.iloc[0]
    return [
        {
            "value": percent(models["accuracy"]),
            "text": f"of {models['pictures']} pictures of shape models it never saw classified rightly through random "
            f"telescopes; with shuffled labels {percent(control['accuracy'])}, chance {percent(control['chance'])}",
        },
        {
            "value": ", ".join(
                f"{results.marked(run)} {_last_share(table):.0%}" for run, table in results.tables.items()
            ),
            "text": "of the views of each remnant are called rectangles",
        },
        {
            "value": f"{best['cosine_aligned']:.3f}",
            "text": f"aligned cosine of the best candidate ({results.marked(best['run'])}, {best['time_gyr']:.2f} Gyr, "
            f"frame {best['frame']}) with the reference; residual {best['cosine_residual']:.3f}, "
            f"raw {best['cosine_raw']:.3f}; the best of as many random frames is as good with p {best['p_chance']:.2g}",
        },
    ]


def percent(rate: float) -> str:
    """A rate in per cent with one digit."""
    return f"{100 * rate:.1f} %"


def _last_share(table: pd.DataFrame) -> float:
    """Share of rectangles among the views of the last snapshot."""
    return float((table["class"][table["time_gyr"] == table["time_gyr"].max()] == "rectangle").mean())


def expected(thesis: dict, results: Results) -> dict:
    """The thesis's figures about its frames beside ours, with a word on each difference."""
    return {"columns": ["", "expected (thesis)", "got", "why they differ"], "rows": _expected_frames(thesis, results)}


def _expected_frames(thesis: dict, results: Results) -> list[list]:
    figure9, best = thesis["rectangle_percent_figure9"], results.candidates["cosine_raw"].max()
    frames = ", ".join(f"{run} {len(table)}" for run, table in results.tables.items())
    rectangles = sum(int((table["class"] == "rectangle").sum()) for table in results.tables.values())
    shares = "; ".join(f"{run} {share(table, 'rectangle')}" for run, table in results.tables.items())
    said = f"{min(figure9)} to {max(figure9)} % (figure), {thesis['rectangle_percent_text']} % (text)"
    return [
        ["frames per run", thesis["frames_per_run"], frames, "views x snapshots"],
        ["frames called rectangle", said, shares, "other mergers, another network; the thesis contradicts itself"],
        ["candidates", thesis["candidates"], rectangles, f"the best {len(results.candidates)} were compared in full"],
        ["best raw cosine", thesis["best_cosine_raw"], f"{best:.4f}", "ordinary galaxies reach 0.91: it says little"],
    ]
