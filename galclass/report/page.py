"""The pages: figures and tables put into files that need nothing else, and the tables behind the figures."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2
import numpy as np
import pandas as pd
import yaml

from galclass import __version__, images, plotstyle, provenance, train, verify
from galclass.config import ROOT
from galclass.files import atomic, write_text
from galclass.report import candidates, figures, overview, tables, thumbnails
from galclass.report.results import Results, read, sources

_FOLDER = ROOT / "workflow" / "report"
_FILM_FRAMES = 8
_REMNANT_VIEWS = 8
_OVERVIEW_FRAMES = 5
_PANELS = 3
#: Runs that look rectangular at some time, below which their figure would be a handful of dots.
_FEWEST_DOTS = 6
#: Files of one kind of which the provenance gives every digest; more are one input.
_FEW_FILES = 60


def run(folder: Path, settings: dict, output: Path) -> None:
    """Write the report of the results in `folder`.

    Parameters
    ----------
    folder : path
        The folder of results, as the workflow fills it.
    settings : dict
        The whole configuration.
    output : path
        The page; candidates.html, headline.txt, headline.json, overview.png, the tables behind the figures (CSV) and
        the folder thumbnails go beside it.
    """
    folder, output = Path(folder), Path(output)
    results = read(folder, settings)
    record = page_record(sources(folder, results.runs), settings)
    values = _values(results, settings) | {"provenance": record}
    write_text(output.with_name("headline.txt"), _headline_text(values["headlines"], output))
    write_text(output.with_name("headline.json"), json.dumps(values["headlines"], indent=1))
    _write_overview(results, output.with_name("overview.png"))
    thumbnails.write(output.with_name(thumbnails.FOLDER), values["pictures"])
    for name, table in values["numbers"].items():
        _write_csv(output.with_name(f"{name}.csv"), table)
    _write_candidates(results, settings, output.parent, record)
    write_text(output, render(values))
    print(_headline_text(values["headlines"], output), end="")


def page_record(groups: Mapping[str, Sequence[Path]], settings: dict) -> dict:
    """What a page was made from, as `provenance.record` says it.

    Parameters
    ----------
    groups : mapping of pattern -> files
        As by `results.sources`. A group of many files is one input, its pattern (see `provenance.group_digest`).
    settings : dict
        The whole configuration.
    """
    few = [file for files in groups.values() if len(files) <= _FEW_FILES for file in files]
    used = {"report": settings["report"], "initial": {"runs": settings["initial"]["runs"]}}
    record = provenance.record("report", few, used)
    many = {
        pattern: provenance.group_digest(sorted(files)) for pattern, files in groups.items() if len(files) > _FEW_FILES
    }
    return record | {"inputs": record["inputs"] | many}


def render(values: dict, template: str = "index.html.j2") -> str:
    """A page as HTML from a template of workflow/report; every text in it is escaped."""
    loader = jinja2.FileSystemLoader(_FOLDER)
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters["percent"] = lambda rate: f"{100 * rate:.1f} %"
    return environment.get_template(template).render(values)


def _values(results: Results, settings: dict) -> dict:
    """Everything the template names; `numbers` are the tables behind its figures, `pictures` the thumbnails."""
    thesis, shown = yaml.safe_load((_FOLDER / "thesis.yaml").read_text(encoding="utf-8")), settings["report"]
    chosen = thumbnails.choose(results.moments, results.candidates, shown["thumbnails"])
    pictures = thumbnails.levels(chosen, results.packs)
    numbers = {"runs": overview.runs(results), "rates": overview.by_property(results), "grid": overview.grid(results)}
    return {
        "version": __version__,
        "runs": list(results.runs),
        "total_frames": int(results.moments["frames"].sum()),
        "reference_name": results.reference_card["name"],
        "headlines": tables.headlines(results),
        **_figures(results, tables.shown_runs(results, shown["films"])),
        **_numbers(results),
        "overview": _overview(results, numbers),
        "gallery": thumbnails.gallery(chosen, results.runs, shown["candidates"], pictures.shape[1:])
        | {"commands": _commands(results, chosen)},
        "gates": tables.gates(results),
        "trained": tables.trained(results.metrics),
        "confusion": tables.confusion(results.metrics),
        "classified": tables.classified(results),
        "measured": tables.measured(results),
        "candidates": tables.candidates(results, shown["candidates"], tables.LISTED_CANDIDATES),
        "expected": tables.expected(thesis, results),
        "origin": _origin(results),
        "pictures": pictures,
        "numbers": {**{name: table for name, table in numbers.items() if len(table)},
                    "fractions": tables.fractions(results.moments)},
    }  # fmt: skip


def _commands(results: Results, chosen: pd.DataFrame) -> list[str]:
    """The commands that make any of the chosen frames again, with {run}, {snapshot} and {view} left open."""
    first = chosen["run"].iloc[0]
    found = results.source(first, "{snapshot}")
    source = results.folder / "simulate" / "mergers" / "{run}" / found.relative_to(
        results.folder / "simulate" / "mergers" / first)  # fmt: skip
    known = {"source": source, "config": results.folder / "config.yaml", "run": "{run}", "view": "{view}"}
    return [line.format(**known) for line in candidates.COMMANDS]


def _overview(results: Results, numbers: dict[str, pd.DataFrame]) -> dict:
    """The figures of the overview, those that there are numbers for, and the table of the runs that last longest."""
    rates, grid, runs = numbers["rates"], numbers["grid"], numbers["runs"]
    maps = [part for _, part in grid.groupby(["x", "y"], sort=False)] if len(grid) else []
    seen = int((runs["duration_gyr"] > 0).sum())
    return {
        "rates": _rates(rates) if len(rates) else "",
        "note": "; ".join(dict.fromkeys(rates["note"][rates["note"] != ""])) if len(rates) else "",
        "maps": [figures.inline(*_map_size(part), lambda ax, part=part: overview.plot_grid(part, ax)) for part in maps],
        "spans": figures.inline(6.4, 3.4, lambda ax: overview.plot_spans(runs, ax)) if seen >= _FEWEST_DOTS else "",
        "longest": tables.longest(results, runs),
        "seen": seen,
        "looked_at": len(results.spans),
    }


def _rates(rates: pd.DataFrame) -> str:
    """One panel a quantity, at most three in a row."""
    parts = [part for _, part in rates.groupby("quantity", sort=False)]
    columns, rows = min(len(parts), _PANELS), -(-len(parts) // _PANELS)

    def draw(axes: np.ndarray) -> None:
        for ax in axes.ravel()[len(parts) :]:
            ax.set_axis_off()
        for part, ax in zip(parts, axes.ravel(), strict=False):
            overview.plot_rates(part, ax)
        for ax in axes[:, 0]:
            ax.set_ylabel("rectangles [%]")
        _legend_above(axes)

    return figures.inline(max(3.6 * columns, 6.6), 2.5 * rows + 0.4, draw, nrows=rows, ncols=columns, squeeze=False)


def _legend_above(axes: np.ndarray) -> None:
    """The key of all panels, above them, where it hides nothing."""
    first = axes[0, 0]
    first.figure.legend(*first.get_legend_handles_labels(), loc="outside upper left", ncols=4, frameon=False)


def _map_size(cells: pd.DataFrame) -> tuple[float, float]:
    """Width and height of a map with cells of one size [inches]."""
    return 2.0 + 0.36 * cells["x_value"].nunique(), 1.2 + 0.26 * cells["y_value"].nunique()


def _figures(results: Results, shown: list[str]) -> dict:
    """Every figure as the address of an inline picture; films and remnants of the runs `shown`."""
    return {
        "films": [
            {"uri": _film(results.films[run]), "text": f"{results.marked(run)}: one fixed view, stars only."}
            for run in shown
        ],
        "remnants": [
            {
                "uri": _remnant(results.packs[run], results.measured[run]),
                "text": f"{results.marked(run)}: random views of the last snapshot.",
            }
            for run in shown
        ],
        "shapes": _shapes(results.shapes),
        "labels": figures.inline(5.5, 3.6, lambda ax: figures.plot_labels(results.labels, ax)),
        "curves": _training(results),
        "fractions": _fractions(results, shown),
        "pair": _pair(results),
    }


def _film(pack: images.Pack) -> str:
    times = pack.frames["time_gyr"].to_numpy()
    return figures.inline(
        11.0, 1.7, lambda axes: figures.plot_film(pack.images, times, axes), ncols=min(_FILM_FRAMES, len(times))
    )


def _remnant(pack: images.PackFile, measured: pd.DataFrame) -> str:
    """Views of the last snapshot with their measured B4."""
    times = pack.frames()["time_gyr"]
    last = np.flatnonzero(times == times.max())[:_REMNANT_VIEWS]
    titles = [_b4_text(measured.iloc[index]) for index in last]
    pictures = np.concatenate([pack.pictures("images", index, index + 1) for index in last])
    return figures.inline(11.0, 1.7, lambda axes: figures.plot_gallery(pictures, titles, axes), ncols=_REMNANT_VIEWS)


def _b4_text(row: pd.Series) -> str:
    return f"B4 {row['b4']:+.3f} ± {row['b4_err']:.3f}" if np.isfinite(row["b4"]) else "not measured"


def _shapes(pack: images.Pack) -> str:
    """A picture of every third model of each class, a class in each row."""
    first = pack.frames.drop_duplicates("run")
    rows = [first[first["label"] == name].index[::3][:12] for name in figures.CLASSES]
    chosen = np.concatenate(rows)
    titles = [pack.frames["run"][index].replace("_", "\n") for index in chosen]
    return figures.inline(
        11.0,
        3.4,
        lambda axes: figures.plot_gallery(pack.images[chosen], titles, axes.ravel()),
        nrows=len(rows),
        ncols=max(map(len, rows)),
        squeeze=False,
    )


def _fractions(results: Results, shown: list[str]) -> str:
    """Share of each class against time, a panel a run, at most three in a row."""
    shares = tables.fractions(results.moments[results.moments["run"].isin(shown)])
    columns, rows = min(len(shown), _PANELS), -(-len(shown) // _PANELS)

    def draw(axes: np.ndarray) -> None:
        for ax in axes.ravel()[len(shown) :]:
            ax.set_axis_off()
        for run, ax in zip(shown, axes.ravel(), strict=False):
            figures.plot_fractions(shares[shares["run"] == run], ax, run)
        _legend_above(axes)

    return figures.inline(max(4.0 * columns, 6.6), 2.8 * rows + 0.4, draw, nrows=rows, ncols=columns, squeeze=False)


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


def _write_candidates(results: Results, settings: dict, folder: Path, record: dict) -> None:
    """The page of the candidates, and the tables behind its figures that no other stage has written."""
    values, numbers = candidates.page(results, settings)
    for name, table in numbers.items():
        _write_csv(folder / f"candidates_{name}.csv", table)
    write_text(folder / "candidates.html", render(values | {"provenance": record}, "candidates.html.j2"))


def _write_csv(path: Path, table: pd.DataFrame) -> None:
    with atomic(path) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g")


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
