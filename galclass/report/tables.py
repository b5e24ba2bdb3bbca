"""The numbers of the report: shares of the classes, headline figures, and the thesis beside ours."""

import pandas as pd

from galclass.network import CLASSES
from galclass.report.results import Results
from galclass.statistics import wilson_interval


def fractions(table: pd.DataFrame) -> pd.DataFrame:
    """Share of each class among the views of each snapshot, one row a time [Gyr]."""
    shares = pd.crosstab(table["time_gyr"], table["class"], normalize="index")
    return shares.reindex(columns=list(CLASSES), fill_value=0.0).reset_index().rename_axis(columns=None)


def share(table: pd.DataFrame, name: str) -> str:
    """Share of a class among frames with its 95 % interval, in per cent."""
    count, total = int((table["class"] == name).sum()), len(table)
    low, high = wilson_interval(count, total)
    return f"{100 * count / total:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


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
    """One row a run: frames, and the share of each class over all times and in the last snapshot."""
    columns = ["run", "frames", *CLASSES, "rectangle, last snapshot"]
    rows = []
    for run, table in results.tables.items():
        last = table[table["time_gyr"] == table["time_gyr"].max()]
        rows.append(
            [results.marked(run), len(table), *(share(table, name) for name in CLASSES), share(last, "rectangle")]
        )
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
    """The confusion matrix of held-out pictures, true class first."""
    rows = metrics["test"]["pictures"]["confusion"]
    names = metrics["classes"]
    return {"columns": ["true class", *names], "rows": [[name, *row] for name, row in zip(names, rows, strict=True)]}


def candidates(results: Results, most: int = 10) -> dict:
    """The best candidates with their scores and percentiles; those of a run that fails a gate are marked."""
    rows = []
    for row in results.candidates.head(most).to_dict("records"):
        scores = [_with_percentile(row, name) for name in ("cosine_residual", "cosine_aligned", "cosine_raw")]
        sift = f"{row['sift_keypoints']} keypoints, {row['sift_matches']} matches; {row['sift_verdict']}"
        view = f"({row['view_x']:+.2f}, {row['view_y']:+.2f}, {row['view_z']:+.2f})"
        rows.append(
            [
                row["rank"],
                results.marked(row["run"]),
                f"{row['time_gyr']:.2f}",
                row["frame"],
                view,
                f"{row['p_rectangle']:.3f}",
                *scores,
                f"{row['b4']:+.3f} ({row['measured_label']})",
                f"{row['axis_ratio']:.2f}",
                sift,
            ]
        )
    columns = [
        "rank",
        "run",
        "time [Gyr]",
        "frame",
        "view",
        "p(rectangle)",
        "residual cosine",
        "aligned cosine",
        "raw cosine (thesis)",
        "B4",
        "b/a",
        "SIFT",
    ]
    return {"columns": columns, "rows": rows}


def _with_percentile(row: dict, score: str) -> str:
    return f"{row[score]:.3f} ({row[f'{score}_percentile']:.0f} %)"


def headlines(results: Results) -> list[dict]:
    """The three figures that sum the run up."""
    test, control = results.metrics["test"], results.control["test"]["pictures"]["accuracy"]
    best = results.candidates.iloc[0]
    return [
        {
            "value": percent(test["pictures"]["accuracy"]),
            "text": "of pictures of held-out shape models classified rightly "
            f"({test['models']['correct']} of {test['models']['count']} models; shuffled labels {percent(control)})",
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
            f"raw {best['cosine_raw']:.3f}",
        },
    ]


def percent(rate: float) -> str:
    """A rate in per cent with one digit."""
    return f"{100 * rate:.1f} %"


def _last_share(table: pd.DataFrame) -> float:
    """Share of rectangles among the views of the last snapshot."""
    return float((table["class"][table["time_gyr"] == table["time_gyr"].max()] == "rectangle").mean())


def expected(thesis: dict, results: Results, settings: dict) -> dict:
    """The thesis's figures beside ours, with a word on each difference."""
    columns = ["", "expected (thesis)", "got", "why they differ"]
    return {
        "columns": columns,
        "rows": [*_expected_training(thesis, results, settings), *_expected_frames(thesis, results)],
    }


def _expected_training(thesis: dict, results: Results, settings: dict) -> list[list]:
    pictures, test = len(results.shapes.images), results.metrics["test"]["pictures"]
    early = (
        f"at most {settings['train']['thesis']['epochs']}, early stopping"
        if settings["train"]["thesis"]["patience"]
        else ""
    )
    fewer = "fewer pictures of each of the same 108 models" if pictures < thesis["training_pictures"] else ""
    return [
        ["training pictures", thesis["training_pictures"], pictures, fewer],
        ["epochs", thesis["epochs"], results.metrics["epochs"]["run"], early],
        [
            "learning rate",
            1.0,
            settings["train"]["thesis"]["learning_rate"],
            "Adadelta's, written out: Keras 3 would take 0.001",
        ],
        ["accuracy", "on its training pictures", percent(test["accuracy"]), "ours on shape models never trained on"],
    ]


def _expected_frames(thesis: dict, results: Results) -> list[list]:
    figure9, best = thesis["rectangle_percent_figure9"], results.candidates["cosine_raw"].max()
    frames = ", ".join(f"{run} {len(table)}" for run, table in results.tables.items())
    rectangles = sum(int((table["class"] == "rectangle").sum()) for table in results.tables.values())
    shares = "; ".join(f"{run} {share(table, 'rectangle')}" for run, table in results.tables.items())
    said = f"{min(figure9)} to {max(figure9)} % (figure), {thesis['rectangle_percent_text']} % (text)"
    return [
        ["frames per run", thesis["frames_per_run"], frames, "views x snapshots"],
        ["frames called rectangle", said, shares, "other mergers, without gas; the thesis contradicts itself"],
        ["candidates", thesis["candidates"], rectangles, f"the best {len(results.candidates)} were compared in full"],
        ["best raw cosine", thesis["best_cosine_raw"], f"{best:.4f}", "ordinary galaxies reach 0.91: it says little"],
    ]
