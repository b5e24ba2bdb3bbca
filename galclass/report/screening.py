"""The page of somebody else's snapshots: ranked, each with its best frame, and what could not be used."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from galclass import __version__, catalog, images, plotstyle
from galclass.files import atomic, write_text
from galclass.report.page import render
from galclass.screen.scoring import CLASS

_ZOOM = 4
#: Snapshots with a thumbnail on the page; the others are rows of the table.
_PICTURES = 60
_COLUMNS = ("rank", "snapshot", "Gyr", "frames", "called so", "95 %", "p", "B4", "shape", "cosine", "combined")


def run(folder: Path) -> None:
    """Write FOLDER/index.html from the tables and the pack that `galclass.screen.run` wrote there.

    Beside it goes rectangle_fraction.png, where snapshots were scored.
    """
    folder = Path(folder)
    table = catalog.read_table(folder / "snapshots.parquet")
    record = catalog.read_provenance(folder / "snapshots.parquet")
    write_text(folder / "index.html", render(values(folder, table, record) | {"provenance": record}, "screen.html.j2"))


def values(folder: Path, table: pd.DataFrame, record: dict) -> dict:
    """Everything that the template names.

    Parameters
    ----------
    folder : path
        Holds best.h5.
    table : the ranked table, as `galclass.screen.tables.ranked` gives it
    record : its provenance
    """
    good, bad = table[table["error"] == ""], table[table["error"] != ""]
    good = good.assign(title=titles(good["file"]))
    return {
        "version": __version__,
        "good": len(good),
        "bad": len(bad),
        "total_frames": int(good["frames"].sum()),
        "agreeing": int(good["agrees"].sum()),
        "table": {"columns": _COLUMNS, "rows": [_cells(row) for row in good.to_dict("records")]},
        "marks": good.loc[good["flags"] != "", ["file", "flags"]].values.tolist(),
        "skipped": bad[["file", "error"]].values.tolist(),
        "cards": _cards(folder, good),
        "figure": _figure(folder, good),
        "settings": json.dumps(record["settings"]["screen"], indent=1),
        "telescope": record["settings"]["render"]["telescope"],
        "origin": _origin(record),
    }


def titles(files: pd.Series) -> list[str]:
    """What files are called on the page: their names, with the folder where two have the same name."""
    paths = [Path(file) for file in files]
    count = Counter(path.name for path in paths)
    return [path.name if count[path.name] == 1 else f"{path.parent.name}/{path.name}" for path in paths]


def _cells(row: dict) -> list:
    """The cells of a snapshot in the table; each sorts by its number."""
    return [
        _cell(int(row["rank"]), str(row["rank"]), f"#snapshot-{row['rank']}" if row["rank"] <= _PICTURES else ""),
        row["title"],
        _cell(row["time_gyr"], f"{row['time_gyr']:.2f}"),
        int(row["frames"]),
        _cell(row["rectangle_fraction"], _percent(row["rectangle_fraction"])),
        _cell(row["high"], interval(row)),
        _cell(row[f"p_{CLASS}"], f"{row[f'p_{CLASS}']:.2f}"),
        _cell(row["b4"], b4(row)),
        row["measured_label"],
        _cell(row["cosine_aligned"], f"{row['cosine_aligned']:.3f}"),
        _cell(row.get("combined"), f"{row.get('combined', np.nan):.0f}"),
    ]


def _cell(key: float | None, text: str, link: str = "") -> dict:
    """A cell that sorts by a number; a dash where there is none."""
    known = key is not None and np.isfinite(key)
    return {"key": float(key) if known else None, "text": text if known else "-", "link": link}


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def interval(row: dict) -> str:
    """The interval of a share in words; the one from 0 to 1 is no number."""
    if row["low"] <= 0 and row["high"] >= 1:
        return "not known"
    return f"{100 * row['low']:.1f} to {100 * row['high']:.1f} %"


def b4(row: dict) -> str:
    """The measured harmonic with its error."""
    return f"{row['b4']:+.3f} ± {row['b4_err']:.3f}"


def _cards(folder: Path, good: pd.DataFrame) -> list[dict]:
    """The best frame of each of the first snapshots, as observed and deep."""
    pack = images.read_pack(folder / "best.h5")
    depth, rows = pack.depth_dex, good.head(_PICTURES).to_dict("records")
    deep = images.stretch(pack.deep[: len(rows)], depth)
    return [
        {
            "rank": int(row["rank"]),
            "title": row["title"],
            "file": row["file"],
            "observed": plotstyle.data_uri(images.png_bytes(pack.images[number], _ZOOM)),
            "deep": plotstyle.data_uri(images.png_bytes(deep[number], _ZOOM)),
            "said": _said(row, pack.images.shape[-1]),
            "agrees": bool(row["agrees"]),
        }
        for number, row in enumerate(rows)
    ]


def _said(row: dict, pixels: int) -> str:
    """What is known of the best frame, of so many pixels a side, in a sentence."""
    view = ", ".join(f"{row[f'view_{axis}']:+.2f}" for axis in "xyz")
    shape = f"B4 {b4(row)}, {row['measured_label']}" if np.isfinite(row["b4"]) else "not measured"
    return (
        f"frame {int(row['best_frame'])} from ({view}); p(rectangle) {row[f'p_{CLASS}']:.2f}; {shape}; "
        f"effective radius {row['effective_radius_kpc']:.3g} kpc, {pixels * row['pixel_kpc']:.3g} kpc across"
    )


def _figure(folder: Path, good: pd.DataFrame) -> str:
    """The share of rectangles against time as an inline picture, if there are two times; the file goes beside it."""
    path = folder / "rectangle_fraction.png"
    if good["time_gyr"].nunique() < 2:
        path.unlink(missing_ok=True)
        return ""
    fig, ax = plotstyle.figure(8.0, 3.2)
    plot_fractions(good, ax)
    png = plotstyle.png_bytes(fig)
    with atomic(path) as temporary:
        temporary.write_bytes(png)
    return plotstyle.data_uri(png)


def plot_fractions(good: pd.DataFrame, ax) -> None:
    """Share of the frames called rectangles against time, with intervals; filled where the ruler agrees.

    Parameters
    ----------
    good : rows of the ranked table, `time_gyr`, `rectangle_fraction`, `low`, `high`, `agrees`
    """
    rows = good.sort_values("time_gyr", kind="stable")
    when, share = rows["time_gyr"].to_numpy(float), 100.0 * rows["rectangle_fraction"].to_numpy(float)
    low, high = (100.0 * rows[name].to_numpy(float) for name in ("low", "high"))
    colour, agrees = plotstyle.CLASS_COLOURS[CLASS], rows["agrees"].to_numpy(bool)
    known = (low > 0) | (high < 100)  # bars over the whole range would hide the points
    bars = np.stack([share - low, high - share])[:, known]
    ax.errorbar(when[known], share[known], yerr=bars, fmt="none", ecolor="0.7", elinewidth=1, zorder=1)
    for mask, face, text in ((agrees, colour, "the ruler agrees on the best frame"), (~agrees, "white", "it does not")):
        ax.scatter(when[mask], share[mask], s=26, facecolor=face, edgecolor=colour, zorder=2, label=text)
    ax.set(xlabel="time [Gyr]", ylabel="frames called rectangles [%]", ylim=(-2, 102))
    ax.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2)


def _origin(record: dict) -> list[list[str]]:
    """Versions and digests, as rows of a table."""
    rows = [["galclass", record["galclass"]], ["Python", record["python"]], *map(list, record["libraries"].items())]
    digests = {"code of screen": record["code"], **record["inputs"]}
    return rows + [[name, digest[:16]] for name, digest in digests.items()]
