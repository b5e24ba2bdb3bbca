"""The pages: figures and tables put into files that need nothing else, and the tables behind the figures."""

import json
from pathlib import Path

import jinja2
import numpy as np
import pandas as pd
import yaml

from galclass import __version__, images, plotstyle, train, verify
from galclass.config import ROOT
from galclass.files import atomic, write_text
from galclass.report import candidates, figures, tables
from galclass.report.results import Results, read

_FOLDER = ROOT / "workflow" / "report"
_FILM_FRAMES = 8
_REMNANT_VIEWS = 8
_OVERVIEW_FRAMES = 5


def run(folder: Path, settings: dict, output: Path) -> None:
    """Write the report of the results in `folder`.

    Parameters
    ----------
    folder : path
        The folder of results, as the workflow fills it.
    settings : dict
        The whole configuration.
    output : path
        The page; candidates.html, headline.txt, overview.png and the tables behind the figures (CSV) go beside it.
    """
    results = read(Path(folder), settings)
    values = _values(results, settings)
    write_text(output.with_name("headline.txt"), _headline_text(values["headlines"], output))
    _write_numbers(results, output.parent)
    _write_overview(results, output.with_name("overview.png"))
    _write_candidates(results, settings, output.parent)
    write_text(output, render(values))
    print(_headline_text(values["headlines"], output), end="")


def render(values: dict, template: str = "index.html.j2") -> str:
    """A page as HTML from a template of workflow/report; every text in it is escaped."""
    loader = jinja2.FileSystemLoader(_FOLDER)
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters["percent"] = lambda rate: f"{100 * rate:.1f} %"
    return environment.get_template(template).render(values)


def _values(results: Results, settings: dict) -> dict:
    """Everything the template names."""
    thesis = yaml.safe_load((_FOLDER / "thesis.yaml").read_text(encoding="utf-8"))
    return {
        "version": __version__,
        "runs": list(results.tables),
        "total_frames": sum(len(table) for table in results.tables.values()),
        "reference_name": results.reference_card["name"],
        "headlines": tables.headlines(results),
        **_figures(results),
        **_numbers(results),
        "gates": tables.gates(results),
        "trained": tables.trained(results.metrics),
        "confusion": tables.confusion(results.metrics),
        "classified": tables.classified(results),
        "measured": tables.measured(results),
        "candidates": tables.candidates(results, settings["report"]["candidates"]),
        "expected": tables.expected(thesis, results),
        "origin": _origin(results),
    }


def _figures(results: Results) -> dict:
    """Every figure as the address of an inline picture."""
    return {
        "films": [
            {"uri": _film(pack), "text": f"{results.marked(run)}: one fixed view, stars only."}
            for run, pack in results.films.items()
        ],
        "remnants": [
            {
                "uri": _remnant(pack, results.measured[run]),
                "text": f"{results.marked(run)}: random views of the last snapshot.",
            }
            for run, pack in results.packs.items()
        ],
        "shapes": _shapes(results.shapes),
        "labels": figures.inline(5.5, 3.6, lambda ax: figures.plot_labels(results.labels, ax)),
        "curves": _training(results),
        "fractions": _fractions(results),
        "pair": _pair(results),
    }


def _film(pack: images.Pack) -> str:
    times = pack.frames["time_gyr"].to_numpy()
    return figures.inline(
        11.0, 1.7, lambda axes: figures.plot_film(pack.images, times, axes), ncols=min(_FILM_FRAMES, len(times))
    )


def _remnant(pack: images.Pack, measured: pd.DataFrame) -> str:
    """Views of the last snapshot with their measured B4."""
    last = np.flatnonzero(pack.frames["time_gyr"] == pack.frames["time_gyr"].max())[:_REMNANT_VIEWS]
    titles = [_b4_text(measured.iloc[index]) for index in last]
    draw = lambda axes: figures.plot_gallery(pack.images[last], titles, axes)  # noqa: E731
    return figures.inline(11.0, 1.7, draw, ncols=_REMNANT_VIEWS)


def _b4_text(row: pd.Series) -> str:
    return f"B4 {row['b4']:+.3f} ± {row['b4_err']:.3f}" if np.isfinite(row["b4"]) else "not measured"


def _shapes(pack: images.Pack) -> str:
    """A picture of every third model of each class, a class in each row."""
    first = pack.frames.drop_duplicates("run")
    rows = [first[first["label"] == name].index[::3][:12] for name in figures.CLASSES]
    chosen = np.concatenate(rows)
    titles = [pack.frames["run"][index] for index in chosen]
    columns = max(map(len, rows))
    draw = lambda axes: figures.plot_gallery(pack.images[chosen], titles, axes.ravel())  # noqa: E731
    return figures.inline(11.0, 3.4, draw, nrows=len(rows), ncols=columns, squeeze=False)


def _fractions(results: Results) -> str:
    def draw(axes):
        for (run, table), ax in zip(results.tables.items(), axes[0], strict=True):
            figures.plot_fractions(tables.fractions(table), ax, run)
        axes[0, -1].legend(loc="lower right", frameon=True)

    return figures.inline(4.0 * len(results.tables), 2.8, draw, ncols=len(results.tables), squeeze=False)


def _pair(results: Results) -> str:
    """The best candidate and its reference, as they are and aligned."""
    best = candidates.best(results, 1)[0]
    pair = [best.picture, best.reference.picture]
    pixels = min(best.reference.picture.shape)
    pictures = [*pair, *(verify.aligned(picture, pixels) for picture in pair)]
    return figures.inline(11.0, 3.0, lambda axes: figures.plot_pair(pictures, axes), ncols=4)


def _training(results: Results) -> str:
    """Loss, AUC by signal to noise, and reliability."""
    best = results.metrics.get("simulations") or results.metrics["shape_models"]
    tests = [pd.DataFrame(best[name]).astype(float, errors="ignore") for name in ("by_property", "reliability")]
    return figures.inline(10.0, 2.8, lambda axes: train.plot_summary(results.history, *tests, axes), ncols=3)


def _write_overview(results: Results, path: Path) -> None:
    """The picture for a README or a talk: the best candidate's merger, its best view and the reference."""
    best = candidates.best(results, 1)[0]
    film = results.films[best.row["run"]]
    fig, axes = plotstyle.figure(11.0, 1.8, ncols=_OVERVIEW_FRAMES + 2)
    times = film.frames["time_gyr"].to_numpy()
    figures.plot_overview(film.images, times, best.picture, best.reference.picture, axes)
    plotstyle.save_png(fig, path)


def _write_candidates(results: Results, settings: dict, folder: Path) -> None:
    """The page of the candidates, and the tables behind its figures that no other stage has written."""
    values, numbers = candidates.page(results, settings)
    for name, table in numbers.items():
        with atomic(folder / f"candidates_{name}.csv") as temporary:
            table.to_csv(temporary, index=False, float_format="%.6g")
    write_text(folder / "candidates.html", render(values, "candidates.html.j2"))


def _numbers(results: Results) -> dict:
    """The numbers that the sentences of the page name; the template gives them their words."""
    verdicts, agrees = results.candidates["sift_verdict"], results.labels["agrees"]
    return {
        "labels_agreeing": int(agrees.sum()),
        "labels_total": len(agrees),
        "split": results.metrics["split"],
        "epochs": results.metrics["epochs"]["run"],
        "control": results.metrics["control"],
        "best": results.candidates.iloc[0].to_dict(),
        "best_run": results.marked(results.candidates.iloc[0]["run"]),
        "sift_informative": int((verdicts != verify.NOT_INFORMATIVE).sum()),
        "candidates_total": len(verdicts),
    }


def _origin(results: Results) -> list[list[str]]:
    """Versions, code and inputs behind the table of candidates, digests shortened."""
    record = results.provenance
    versions = {"galclass": record["galclass"], "python": record["python"], **record["libraries"]}
    digests = {"code of the stage verify": record["code"], **record["inputs"]}
    return [*map(list, versions.items()), *([name, digest[:16]] for name, digest in digests.items())]


def _headline_text(headlines: list[dict], output: Path) -> str:
    lines = [f"  {headline['value']}  {headline['text']}" for headline in headlines]
    return "\n".join([f"Report: {output}", *lines, ""])


def _write_numbers(results: Results, folder: Path) -> None:
    """The numbers behind the figures that no other stage has written."""
    for run, table in results.tables.items():
        with atomic(folder / f"fractions_{run}.csv") as temporary:
            tables.fractions(table).to_csv(temporary, index=False)
    write_text(folder / "headline.json", json.dumps(tables.headlines(results), indent=1))
