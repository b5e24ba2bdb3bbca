"""The page on the thesis: figures and tables put into one file that needs nothing else."""

from pathlib import Path

import numpy as np
import pandas as pd

from galclass import __version__, config, images, plotstyle, provenance
from galclass.files import atomic, write_text
from galclass.report.figures import plot_gallery
from galclass.report.page import page_record, render
from galclass.report.thesis import tables
from galclass.report.thesis.figures import plot_bars, plot_missing
from galclass.report.thesis.results import VARIANTS, Reproduction, read, sources
from galclass.report.thumbnails import row_finder
from galclass.train.thesis import CLASS_SETS, plot_curves

_SHOWN = 10


def run(folder: Path, settings: dict, output: Path) -> None:
    """Write the page on the thesis's networks from the results in `folder`.

    Parameters
    ----------
    folder : path
        The folder of results, as the workflow fills it.
    settings : dict
        The whole configuration; its `initial.runs` are shown.
    output : path
        The page; NAME_bars.png and the tables NAME_shares.csv, NAME_networks.csv, NAME_models.csv and
        NAME_expected.csv go beside it.

    Raises
    ------
    InputError
        A result is missing or damaged.
    """
    folder, output = Path(folder), Path(output)
    runs = list(config.selected_runs(settings))
    results = read(folder, runs)
    for table in (tables.shares, tables.networks, tables.models, tables.expected):
        with atomic(output.with_name(f"{output.stem}_{table.__name__}.csv")) as temporary:
            table(results).to_csv(temporary, index=False, float_format="%.6g")
    plotstyle.save_png(bars_figure(results), output.with_name(f"{output.stem}_bars.png"))
    record = page_record(sources(folder, runs), settings)
    write_text(output, render(values(results, folder) | {"provenance": record}, "thesis.html.j2"))
    print(f"Report on the thesis: {output}\n  {tables.headline(results)}")


def values(results: Reproduction, folder: Path) -> dict:
    """Everything the template names."""
    return {
        "version": __version__,
        "size": tables.frames_size(results),
        "headline": tables.headline(results),
        "bars": _uri(bars_figure(results)),
        "curves": [{"name": name, "uri": _uri(_curves(history))} for name, history in results.histories.items()],
        "galleries": _galleries(results, folder),
        "models": _shown(tables.models_in_words(results)),
        "networks": _shown(tables.networks_in_words(results)),
        "shares": _shown(tables.shares_in_words(results)),
        "expected": _shown(tables.expected(results)),
        "code": provenance.code_digest("report"),
    }


def _shown(table: pd.DataFrame) -> dict:
    """A table as the template takes it."""
    return {"columns": [name.replace("_", " ") for name in table.columns], "rows": table.to_numpy(object).tolist()}


def _uri(fig) -> str:
    return plotstyle.data_uri(plotstyle.png_bytes(fig))


def bars_figure(results: Reproduction):
    """The bars of every network, a row each: the thesis's where there are any, ours raw, and with the noise removed."""
    fig, axes = plotstyle.figure(12.0, 3.2 * len(CLASS_SETS), nrows=len(CLASS_SETS), ncols=1 + len(VARIANTS))
    for name, row in zip(CLASS_SETS, axes, strict=True):
        if name == tables.FIRST:
            plot_bars(tables.figure9(results.thesis), row[0], f"thesis, figure 9: {name}, raw")
        else:
            plot_missing(row[0], "the thesis's figure of this\nnetwork is not at hand")
        for variant, ax in zip(VARIANTS, row[1:], strict=True):
            plot_bars(tables.bars(results, name, variant), ax, f"ours: {name}, {variant}")
    for ax in axes[-1, 1:]:
        ax.set_xlabel("share of the frames [per cent]")
    axes[0, 0].set_ylabel("model")
    return fig


def _curves(history: pd.DataFrame):
    fig, axes = plotstyle.figure(8.0, 2.4, ncols=2)
    plot_curves(history, axes)
    return fig


def _galleries(results: Reproduction, folder: Path) -> list[dict]:
    """Some of the frames that each network calls rectangles, raw and clean; nothing where it calls none so."""
    made = []
    for name in CLASS_SETS:
        for variant in VARIANTS:
            frames = pd.concat([table for key, table in results.tables.items() if key[:2] == (name, variant)])
            called = frames[frames["class"] == "rectangle"]
            if len(called):
                text = f"{name}, {variant}: {_SHOWN} of the {len(called)} of {len(frames)} frames called rectangles."
                made.append({"text": text, "uri": _uri(_gallery(called, folder / VARIANTS[variant]))})
    return made


def _gallery(called: pd.DataFrame, packs: Path):
    """Frames evenly chosen over all runs and times, with what their isophotes are."""
    chosen = called.iloc[images.evenly_chosen(len(called), _SHOWN)]
    pictures = []
    for run, rows in chosen.groupby("run", sort=False):
        pack = images.PackFile(packs / f"{run}.h5")
        place = row_finder(pack)
        pictures += [pack.pictures("images", row := place(frame), row + 1)[0] for frame in rows["frame"]]
    titles = [f"{row.run}, {row.time_gyr:.1f} Gyr\n{_isophotes(row)}" for row in chosen.itertuples()]
    fig, axes = plotstyle.figure(1.25 * _SHOWN, 1.7, ncols=_SHOWN)
    plot_gallery(np.stack(pictures), titles, axes)
    return fig


def _isophotes(row) -> str:
    """What was measured of a frame."""
    return f"B4 {row.b4:+.3f}, {row.measured}" if np.isfinite(row.b4) else "not measured"
