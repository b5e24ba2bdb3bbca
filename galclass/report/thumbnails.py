"""Thumbnails of thousands of frames in few files: sheets of cells, which a page shows by their places."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from galclass import images, plotstyle
from galclass.errors import InputError
from galclass.files import atomic

#: Folder of the sheets, beside the page.
FOLDER = "thumbnails"
#: Cells of a sheet across and down.
COLUMNS, ROWS = 25, 20
PER_SHEET = COLUMNS * ROWS
#: A picture on the page is about this wide [CSS px].
_CELL_PX = 100


def choose(moments: pd.DataFrame, candidates: pd.DataFrame, most: int) -> pd.DataFrame:
    """The frames to show: the candidates, and of each run the most rectangular view of its most rectangular moments.

    Parameters
    ----------
    moments : table
        As by `results.moments_of`, of all runs.
    candidates : table
        Best first: rank, run, frame, snapshot, time_gyr, class, p_rectangle.
    most : int
        Largest number of frames; of more runs than these the most rectangular are shown.

    Returns
    -------
    table
        rank (0 for none), run, frame, number (of the frame within its snapshot), snapshot, time_gyr, class,
        p_rectangle: the candidates by rank, then the others, the surest rectangles first.
    """
    columns = ["rank", "run", "frame", "snapshot", "time_gyr", "class", "p_rectangle"]
    best = moments.rename(columns={"best_frame": "frame", "best_p": "p_rectangle", "best_class": "class"})
    best = best.assign(rank=0).sort_values(["p_rectangle", "run", "frame"], ascending=[False, True, True])
    known = pd.MultiIndex.from_frame(candidates[["run", "frame"]])
    best = best[~pd.MultiIndex.from_frame(best[["run", "frame"]]).isin(known)]
    chosen = pd.concat([candidates[columns], best[columns]], ignore_index=True)
    place = chosen.groupby("run").cumcount().to_numpy()
    order = np.lexsort((np.arange(len(chosen)), np.where(chosen["rank"] > 0, -1, place)))
    chosen = chosen.iloc[np.sort(order[:most])].reset_index(drop=True)
    first = moments.set_index(["run", "snapshot"])["first_frame"]
    scenes = pd.MultiIndex.from_frame(chosen[["run", "snapshot"]])
    return chosen.assign(number=chosen["frame"].to_numpy() - first.loc[scenes].to_numpy())


def levels(chosen: pd.DataFrame, packs: Mapping[str, images.PackFile]) -> np.ndarray:
    """The chosen frames (columns run and frame) in 256 levels, uint8, shape (n, ny, nx), y up; each pack read once."""
    found = None
    for run, rows in chosen.groupby("run", sort=False):
        pack = packs[run]
        place = row_finder(pack)
        for index, frame in zip(rows.index, rows["frame"], strict=True):
            picture = pack.pictures("images", row := place(frame), row + 1)[0]
            if found is None:
                found = np.zeros((len(chosen), *picture.shape), np.uint8)
            if picture.shape != found.shape[1:]:
                raise InputError(f"{pack.path}: pictures of {picture.shape}, others {found.shape[1:]}; render it again")
            found[index] = images.grey_levels(picture)
    return found


def row_finder(pack: images.PackFile) -> Callable[[int], int]:
    """A function from the number of a frame to its row in the pack; frames are mostly numbered by their rows."""
    count = len(pack)
    ends = [int(pack.frames(row, row + 1)["frame"].iloc[0]) for row in (0, count - 1)]
    if ends == [0, count - 1]:
        rows = range(count)
    else:
        rows = {int(frame): row for row, frame in enumerate(pack.frames()["frame"])}

    def place(frame: int) -> int:
        try:
            return rows[frame]
        except (KeyError, IndexError):
            raise InputError(f"{pack.path}: no frame {frame}; its frames are numbered {ends[0]} to {ends[1]}") from None

    return place


def write(folder: Path, pictures: np.ndarray) -> list[Path]:
    """Write pictures (n, ny, nx), uint8, y up, as sheets sheet_00.png ... into a folder; other sheets there go.

    A sheet is a PNG with a palette: a pixel is its level, the palette the colours that the report's figures have.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for number, cells in enumerate(sheets(pictures)):
        written.append(folder / f"sheet_{number:02d}.png")
        with atomic(written[-1]) as temporary:
            _image(cells).save(temporary, format="PNG", optimize=True)
    for stale in set(folder.glob("sheet_*.png")) - set(written):
        stale.unlink()
    return written


def sheets(pictures: np.ndarray) -> Iterator[np.ndarray]:
    """Sheets, uint8, first row on top: cell k of a sheet stands in row k // COLUMNS and column k % COLUMNS."""
    ny, nx = pictures.shape[1:]
    for first in range(0, len(pictures), PER_SHEET):
        cells = pictures[first : first + PER_SHEET, ::-1]
        rows = -(-len(cells) // COLUMNS)
        padded = np.zeros((rows * COLUMNS, ny, nx), np.uint8)
        padded[: len(cells)] = cells
        yield padded.reshape(rows, COLUMNS, ny, nx).swapaxes(1, 2).reshape(rows * ny, COLUMNS * nx)


def place(index: int) -> tuple[int, int, int]:
    """Sheet, column and row of a picture."""
    sheet, cell = divmod(index, PER_SHEET)
    return sheet, cell % COLUMNS, cell // COLUMNS


def _image(cells: np.ndarray):
    from matplotlib import colormaps
    from PIL import Image

    image = Image.fromarray(cells)
    image.putpalette(np.rint(255 * colormaps[plotstyle.IMAGE_MAP](np.arange(256))[:, :3]).astype(np.uint8).tobytes())
    return image


# What a page is told -----------------------------------------------------------------------------------------


def gallery(chosen: pd.DataFrame, runs: Mapping[str, dict], sections: int, shape: tuple[int, int]) -> dict:
    """What the template gallery.html.j2 shows of the chosen frames.

    Parameters
    ----------
    chosen : table, as by `choose`
    runs : mapping of run -> its row of the table of mergers
    sections : int
        Candidates up to this rank have a section on the page of the candidates.
    shape : (ny, nx) of a picture

    Returns
    -------
    dict
        tiles, a dict each of sheet, x, y (its place there), link, run, time, p, kind and text; sheets, their addresses;
        columns of a sheet; cell, the width of a picture on the page, a whole multiple of its pixels [CSS px]; ratio,
        its height over width; kinds, the classes; data, the numbers for sorting, filtering and details, by column.
    """
    kinds = list(dict.fromkeys(chosen["class"]))
    tiles = [_tile(index, row, kinds, sections) for index, row in enumerate(chosen.to_dict("records"))]
    count = -(-len(chosen) // PER_SHEET)
    return {
        "tiles": tiles,
        "sheets": [f"{FOLDER}/sheet_{number:02d}.png" for number in range(count)],
        "columns": COLUMNS,
        "cell": shape[1] * max(1, round(_CELL_PX / shape[1])),
        "ratio": shape[0] / shape[1],
        "kinds": kinds,
        "data": _data(chosen, runs, kinds),
    }


def _tile(index: int, row: dict, kinds: list[str], sections: int) -> dict:
    (sheet, x, y), rank = place(index), row["rank"]
    link = f"candidates.html#candidate-{rank}" if 0 < rank <= sections else f"#frame-{index}"
    text = f"{f'Candidate {rank}: frame' if rank else 'Frame'} {row['frame']} of {row['run']}"
    return {"sheet": sheet, "x": x, "y": y, "link": link, "run": row["run"], "time": f"{row['time_gyr']:.2f}",
            "p": f"{row['p_rectangle']:.2f}", "kind": kinds.index(row["class"]), "text": text}  # fmt: skip


def _data(chosen: pd.DataFrame, runs: Mapping[str, dict], kinds: list[str]) -> dict:
    """Numbers of the frames by column; runs, snapshots and classes by their place in a list."""
    run, names = pd.factorize(chosen["run"])
    snapshot, snapshots = pd.factorize(chosen["snapshot"])
    fields = [name for name in runs[names[0]] if name != "run"]
    return {
        "runs": list(names),
        "design": {"columns": fields, "rows": [[runs[name].get(field) for field in fields] for name in names]},
        "snapshots": list(snapshots),
        "kinds": kinds,
        "run": run.tolist(),
        "snapshot": snapshot.tolist(),
        "frame": chosen["frame"].tolist(),
        "view": chosen["number"].tolist(),
        "rank": chosen["rank"].tolist(),
        "time": chosen["time_gyr"].round(3).tolist(),
        "p": chosen["p_rectangle"].astype(float).round(4).tolist(),
        "kind": [kinds.index(kind) for kind in chosen["class"]],
    }
