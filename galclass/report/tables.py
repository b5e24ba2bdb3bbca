"""The numbers of the report: shares of the classes, headline figures, and the thesis beside ours."""

import math
from typing import NamedTuple

import pandas as pd

from galclass import visibility
from galclass.network import TRUSTED_CLASSES
from galclass.report import overview
from galclass.report.results import Results
from galclass.train.evaluation import JUDGED

#: Runs, and candidates, of which a table of the page has a row each; tables beside the page have them all.
LISTED = 60
LISTED_CANDIDATES = 100


def fractions(moments: pd.DataFrame) -> pd.DataFrame:
    """Share of each class among the views of each snapshot (rows of `Results.moments`), one row a time [Gyr]."""
    names = list(TRUSTED_CLASSES)
    shares = moments[names].div(moments["frames"], axis=0)
    return pd.concat([moments[["run", "time_gyr"]], shares], axis=1).reset_index(drop=True)


def listed(results: Results) -> list[str]:
    """The runs that have a row in the tables: all, or of many those with the largest shares of rectangles."""
    runs = list(results.runs)
    if len(runs) <= LISTED:
        return runs
    sums = results.moments.groupby("run", sort=False)[["rectangle", "frames"]].sum()
    return list((sums["rectangle"] / sums["frames"]).nlargest(LISTED).index)


def shown_runs(results: Results, most: int) -> list[str]:
    """The runs whose films are shown: all where they are few, else those of the best candidates and the extremes.

    The extremes are the runs with the largest and the smallest share of frames called rectangle.
    """
    runs = list(results.runs)
    if len(runs) <= most:
        return runs
    sums = results.moments.groupby("run", sort=False)[["rectangle", "frames"]].sum()
    shares = (sums["rectangle"] / sums["frames"]).sort_values(ascending=False, kind="stable")
    extremes = [shares.index[0], shares.index[-1]][: max(most - 1, 0)]
    best = [run for run in dict.fromkeys(results.candidates["run"]) if run not in extremes]
    return [*best, *[run for run in shares.index if run not in {*best, *extremes}]][: most - len(extremes)] + extremes


def percent(rate: float) -> str:
    """A rate in per cent with one digit."""
    return f"{100 * rate:.1f} %"


def share(moments: pd.DataFrame, name: str) -> str:
    """Share of the frames of some snapshots (rows of `Results.moments`) called so, in per cent."""
    return percent(moments[name].sum() / moments["frames"].sum())


def gates(results: Results) -> dict:
    """One row a run: how far each conserved quantity drifted, its limit, and whether the run is to be trusted.

    Of many runs only those that fail, at most `LISTED`; `passed` says how many pass.
    """
    names = [verdict["gate"].replace("_", " ") for verdict in next(iter(results.verdicts.values()))]
    rows, failing, many = [], 0, len(results.verdicts) > LISTED
    for run, verdicts in results.verdicts.items():
        drifts = [f"{v['largest_drift']:.1e} (limit {v['limit']:g})" for v in verdicts]
        failed = [v["gate"].replace("_", " ") for v in verdicts if not v["passed"]]
        failing += bool(failed)
        if failed or not many:
            rows.append([run, *drifts, f"FAILED: {', '.join(failed)}" if failed else "passed"])
    passed = f"{len(results.verdicts) - failing} of {len(results.verdicts)} runs pass their quality gates."
    return {"columns": ["run", *names, "quality"], "rows": rows[:LISTED], "passed": passed}


def classified(results: Results) -> dict:
    """One row a run, and one for all: what the frames are called, and how many are rectangles after correction.

    The last column has the notes on the correction; what is noted of every run stands in `notes` instead.
    """
    columns = ["run", "frames", *TRUSTED_CLASSES, "beyond its pictures", "rectangles, corrected", "of all such runs"]
    errors, groups = overview.two_classes(results.heldout), dict(tuple(results.moments.groupby("run", sort=False)))
    parts = [(results.marked(run), groups[run]) for run in listed(results)] + [("all", results.moments)]
    rows = []
    for name, moments in parts:
        called = [share(moments, kind) for kind in (*TRUSTED_CLASSES, "far")]
        rows.append([name, int(moments["frames"].sum()), *called, *corrected(overview.rate_of(moments, errors))])
    found = [row[-1].split("; ") for row in rows]
    notes = [note for note in found[0] if note and all(note in of_run for of_run in found[:-1])]
    for row, own in zip(rows, found, strict=True):
        row[-1] = "; ".join(note for note in own if note not in notes)
    return {"columns": [*columns, ""], "rows": rows, "notes": notes}


def corrected(rate: dict) -> list[str]:
    """The corrected fraction with the interval of these frames, the interval of all such runs, and the note."""
    ends = [[visibility.percent(rate[of + end]) for end in ("low", "high")] for of in ("", "population_")]
    own, every = (f"{low} to {high} %" for low, high in ends)
    return [f"{visibility.percent(rate['fraction'])} % ({own})", every, rate["note"]]


def longest(results: Results, runs: pd.DataFrame, most: int = 12) -> dict:
    """The runs (rows of `overview.runs`) that look rectangular for longest, with their orbits; those looked at."""
    names = ["mass_ratio", *(name for name in overview.varied(runs) if name != "mass_ratio")]
    rows = []
    for row in runs[runs["duration_gyr"].notna()].nlargest(most, ["duration_gyr", "sky_fraction"]).to_dict("records"):
        span = results.spans[row["run"]]["summary"].removeprefix("rectangular ")
        rate = corrected(row)[0]
        rows.append([results.marked(row["run"]), *(f"{row[name]:g}" for name in names), span, rate])
    titles = [overview.QUANTITIES[name] for name in names]
    return {"columns": ["run", *titles, "looks rectangular", "rectangles after the merger"], "rows": rows}


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
                if found["auc_low"] is not None and found["auc_low"] < found["auc_high"]:  # equal for a single run
                    area += f" ({found['auc_low']:.3f} to {found['auc_high']:.3f})"
                ruler = "" if found["auc_ruler"] is None else f"{found['auc_ruler']:.3f}"
                rows.append([kind.replace("_", " "), name, found["pictures"], found["rectangles"], area, ruler,
                             percent(found["accuracy"]), f"{found['calibration_error']:.3f}"])  # fmt: skip
    return {"columns": columns, "rows": rows}


def measured(results: Results) -> dict:
    """One row a run: how many frames have each measured label, the share of rectangles, and the signal to noise."""
    columns = ["run", "frames", "oval", "rectangle", "obround", "none of these", "rectangles", "S/N"]
    rows, counts = [], results.counts.set_index("run", drop=False)
    for row in counts.loc[listed(results)].to_dict("records"):
        share, low, high = (100 * row[name] for name in ("rectangle_share", "low", "high"))
        numbers = [row[name] for name in ("frames", "oval", "rectangle", "obround", "none")]
        said = f"{share:.1f} % ({low:.1f} to {high:.1f})"
        rows.append([results.marked(row["run"]), *numbers, said, f"{row['snr']:.0f}"])
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


def candidates(results: Results, linked: int, most: int | None = None) -> dict:
    """The candidates with their scores; those of a run that fails a gate are marked, the first `linked` lead on."""
    rows = []
    for row in results.candidates.head(len(results.candidates) if most is None else most).to_dict("records"):
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


def headlines(results: Results, most: int = 6) -> list[dict]:
    """The three figures that sum the run up; of more than `most` runs the second is a rate, not a list."""
    models, control = results.metrics["shape_models"]["all"], results.metrics["control"]
    best = results.candidates.iloc[0]
    return [
        {
            "value": percent(models["accuracy"]),
            "text": f"of {models['pictures']} pictures of shape models it never saw classified rightly through random "
            f"telescopes; with shuffled labels {percent(control['accuracy'])}, chance {percent(control['chance'])}",
        },
        _remnants(results) if len(results.runs) <= most else _rate(results),
        {
            "value": f"{best['cosine_aligned']:.3f}",
            "text": f"aligned cosine of the best candidate ({results.marked(best['run'])}, {best['time_gyr']:.2f} Gyr, "
            f"frame {best['frame']}) with the reference; residual {best['cosine_residual']:.3f}, "
            f"raw {best['cosine_raw']:.3f}; the best of as many random frames is as good with p {best['p_chance']:.2g}",
        },
    ]


def _remnants(results: Results) -> dict:
    last = results.moments.groupby("run", sort=False).tail(1)
    shares = [f"{results.marked(row.run)} {100 * row.rectangle / row.frames:.0f} %" for row in last.itertuples()]
    return {"value": ", ".join(shares), "text": "of the views of each remnant are called rectangles"}


def _rate(results: Results) -> dict:
    """The rate of all runs together after the merger."""
    merged = results.moments[results.moments[overview.TIME].notna()]
    found = overview.rate_of(merged, overview.two_classes(results.heldout))
    own, every, note = corrected(found)
    interval = own.partition(" (")[2].rstrip(")")
    text = f"of the views of {merged['run'].nunique()} mergers are rectangles once the classifier's errors are taken "
    text += f"out (95 %: {interval}; of all such mergers {every})" + (f"; {note}" if note else "")
    return {"value": f"{visibility.percent(found['fraction'])} %", "text": text}


def expected(thesis: dict, results: Results) -> dict:
    """The thesis's figures about its frames beside ours, with a word on each difference."""
    return {"columns": ["", "expected (thesis)", "got", "why they differ"], "rows": _expected_frames(thesis, results)}


def _expected_frames(thesis: dict, results: Results) -> list[list[str]]:
    figure9, best = thesis["rectangle_percent_figure9"], results.candidates["cosine_raw"].max()
    said = f"{min(figure9)} to {max(figure9)} % (figure), {thesis['rectangle_percent_text']} % (text)"
    frames, shares = _by_run(results)
    called, compared = f"{results.moments['rectangle'].sum():,}", len(results.candidates)
    return [
        ["frames per run", f"{thesis['frames_per_run']:,}", frames, "views x snapshots"],
        ["frames called rectangle", said, shares, "other mergers, another network; the thesis contradicts itself"],
        ["candidates", f"{thesis['candidates']:,}", called, f"the best {compared} were compared in full"],
        [
            "best raw cosine",
            str(thesis["best_cosine_raw"]),
            f"{best:.4f}",
            "ordinary galaxies reach 0.91: it says little",
        ],
    ]


def _by_run(results: Results, most: int = 6) -> tuple[str, str]:
    """Frames, and shares called rectangle, of each run; of more than `most` their ranges."""
    sums = results.moments.groupby("run", sort=False)[["rectangle", "frames"]].sum()
    shares = sums["rectangle"] / sums["frames"]
    if len(sums) <= most:
        rows = list(zip(sums.index, sums["frames"], shares, strict=True))
        return ", ".join(f"{run} {n}" for run, n, _ in rows), "; ".join(f"{run} {percent(f)}" for run, _, f in rows)
    low, high = sums["frames"].min(), sums["frames"].max()
    each = f"{low}" if low == high else f"{low} to {high}"
    total = sums["rectangle"].sum() / sums["frames"].sum()
    return f"{each} ({len(sums)} runs)", f"{percent(total)} (a run {percent(shares.min())} to {percent(shares.max())})"
