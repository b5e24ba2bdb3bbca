"""What screening writes: the ranked table of snapshots, the frames, pictures of the best ones, the answers as JSON."""

import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from galclass import catalog, images
from galclass.errors import InputError, raise_failures
from galclass.files import atomic
from galclass.screen.galaxies import named
from galclass.screen.scoring import CLASS, FLAGS_SEPARATOR, Scored

#: Of the best frame of a snapshot in its row, beside `Scored.summary` and the scores of the comparison.
_BEST = ("galaxy", "class", f"p_{CLASS}", "domain_distance", "view_x", "view_y", "view_z", "roll_deg", "snr",
         "effective_radius_kpc", "pixel_kpc", "cosine_aligned", "cosine_residual", "b4", "b4_err", "b6", "b6_err",
         "axis_ratio", "measured_label", "measured_p")  # fmt: skip
_SUMMARY = ("time_gyr", "frames", "galaxies", "rectangle_fraction", "low", "high", "corrected_fraction", "best_frame",
            "agrees", "flags")  # fmt: skip
_WHOLE = ("frames", "galaxies", "best_frame", "galaxy")
_SHEET_COLUMNS, _SHEET_PICTURES = 12, 108


# Rows -------------------------------------------------------------------------------------------------------


def ranked(scored: Sequence[Scored], compared: pd.DataFrame) -> pd.DataFrame:
    """One row a snapshot, the best first, those that failed last.

    Parameters
    ----------
    scored : snapshots
    compared : scores of some of them by their number, as `comparing.compared` gives them

    Returns
    -------
    table
        rank (from 1, missing for what failed), file, the summary, the best frame's row, its scores, error. Those whose
        best frame is a rectangle to the network and to the ruler come first; among equals `combined` decides, then
        p_rectangle.
    """
    names = ["file", "snapshot", *_SUMMARY, *_BEST]
    rows = pd.DataFrame([_row(one) for one in scored], columns=[*names, "error"])
    table = rows.join(compared)[[*names, *compared.columns, "error"]]
    order = _order(table)
    table = table.iloc[order].reset_index(drop=True)
    good = table["error"] == ""
    table.insert(0, "rank", pd.Series(np.arange(1, len(table) + 1), dtype="Int64").where(good))
    return table.assign(**{name: table[name].astype("Int64") for name in _WHOLE})


def _row(one: Scored) -> dict:
    if one.error:
        return {
            "file": str(one.file),
            "snapshot": named(one.file).stem,
            "agrees": False,
            "flags": "",
            "error": one.error,
        }
    best = {name: one.best[name] for name in _BEST}
    return {"file": str(one.file), "snapshot": named(one.file).stem, **one.summary, **best, "error": ""}


def _order(table: pd.DataFrame) -> np.ndarray:
    """Numbers of the rows, the best snapshot first."""
    keys = table.assign(_failed=table["error"] != "")
    if "combined" not in keys:
        keys["combined"] = np.nan
    names, ascending = ["_failed", "agrees", "combined", f"p_{CLASS}", "file"], [True, False, False, False, True]
    return keys.sort_values(names, ascending=ascending, kind="stable", na_position="last").index.to_numpy()


def answers(scored: Sequence[Scored], table: pd.DataFrame) -> list[dict]:
    """One object a snapshot in the order of the input, as JSON takes them.

    Returns
    -------
    list of dict
        file, time [Gyr] (None where unknown), frames, galaxies, rectangle_fraction, interval [low, high],
        corrected_fraction, agrees, rank, flags (list) and best: frame, galaxy, class, p_rectangle, view [x, y, z], b4,
        b4_err, measured_label, cosine_aligned, cosine_residual, and the scores of the comparison where there are some;
        or file and error.
    """
    rows = {row["file"]: row for row in table.to_dict("records")}
    return [_answer(rows[str(one.file)], table) for one in scored]


def _answer(row: dict, table: pd.DataFrame) -> dict:
    if row["error"]:
        return {"file": row["file"], "error": row["error"]}
    plain = {name: for_json(value) for name, value in row.items()}
    scores = list(table.columns[table.columns.get_loc("measured_p") + 1 : -1])
    best = {"frame": plain["best_frame"], **{name: plain[name] for name in _BEST if not name.startswith("view")}}
    best["view"] = [plain[f"view_{axis}"] for axis in "xyz"]
    return {
        "file": plain["file"],
        "time": plain["time_gyr"],
        "frames": plain["frames"],
        "galaxies": plain["galaxies"],
        "rectangle_fraction": plain["rectangle_fraction"],
        "interval": [plain["low"], plain["high"]],
        "corrected_fraction": plain["corrected_fraction"],
        "agrees": plain["agrees"],
        "rank": plain["rank"],
        "best": best | {name: plain[name] for name in scores if plain[name] is not None},
        "flags": plain["flags"].split(FLAGS_SEPARATOR) if plain["flags"] else [],
    }


def for_json(value: object) -> object:
    """A value of a table without NumPy's types; None for what JSON has no number."""
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    plain = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(plain, float) and not np.isfinite(plain) else plain


def frames(scored: Sequence[Scored]) -> pd.DataFrame:
    """The frames of all snapshots, with the file each comes from in the first column."""
    parts = []
    for one in scored:
        if not one.error:
            part = one.table.copy()
            part.insert(0, "file", str(one.file))
            parts.append(part)
    return pd.concat(parts, ignore_index=True)


def lines(table: pd.DataFrame) -> list[str]:
    """The ranked table for people: a head, then a line a snapshot."""
    width = max(len(file) for file in table["file"])
    heads = f"{'t/Gyr':>6} {'frames':>6} {'rect.':>6} {'interval':>11} {'p':>5} {'b4':>15} label"
    return [f"{'rank':>4} {'snapshot':{width}} {heads}", *(_line(row, width) for row in table.to_dict("records"))]


def _line(row: dict, width: int) -> str:
    name = row["file"].replace("\n", "\\n")
    if row["error"]:
        return f"{'-':>4} {name:{width}} FAILED {row['error']}"
    interval = f"{100 * row['low']:.0f} to {100 * row['high']:.0f}"
    b4 = "-" if np.isnan(row["b4"]) else f"{row['b4']:+.3f} +- {row['b4_err']:.3f}"
    said = (f"{row['rank']:>4} {name:{width}} {row['time_gyr']:6.2f} {row['frames']:6d} "
            f"{100 * row['rectangle_fraction']:4.0f} % {interval:>9} % {row[f'p_{CLASS}']:5.2f} {b4:>15} "
            f"{row['measured_label']}")  # fmt: skip
    return f"{said} [{row['flags']}]" if row["flags"] else said


def require_all(folder: Path) -> int:
    """How many snapshots a folder of results has.

    Raises
    ------
    InputError
        Some could not be used.
    """
    errors = catalog.read_table(Path(folder) / "snapshots.parquet")["error"]
    failures = [InputError(error) for error in errors if error]
    raise_failures(failures, len(errors) - len(failures), folder)
    return len(errors)


# Files ------------------------------------------------------------------------------------------------------


def write(
    folder: Path, scored: Sequence[Scored], table: pd.DataFrame, depth_dex: float, unit: str, record: dict
) -> None:
    """Write snapshots, frames (.parquet, .csv), and the best frame of each snapshot in rank (best.h5, best.png).

    At least one of the snapshots is not broken.
    """
    good = [one for one in scored if not one.error]
    catalog.write_table(folder / "frames.parquet", frames(scored), record)
    by_file = {str(one.file): one for one in good}
    best = [by_file[file] for file in table["file"] if file in by_file]
    _write_best(folder / "best.h5", best, depth_dex, unit, record)
    catalog.write_table(folder / "snapshots.parquet", table, record)


def _write_best(path: Path, best: Sequence[Scored], depth_dex: float, unit: str, record: dict) -> None:
    """The best frames as a pack, and a sheet of them."""
    flux, deep = (np.stack([getattr(one, name) for one in best]) for name in ("flux", "deep"))
    rows = pd.DataFrame([one.best for one in best]).assign(frame=np.arange(len(best)), run="screen", label="")
    pictures = images.stretch(flux, depth_dex)
    record = record | {"settings": record["settings"] | {"depth_dex": depth_dex}}
    images.write_pack(path, pictures, rows, record, {"flux": flux, "deep": deep}, unit)
    sheet = images.contact_sheet(pictures[:_SHEET_PICTURES], min(_SHEET_COLUMNS, len(pictures)))
    images.write_png(path.with_suffix(".png"), sheet, zoom=2)


# Finished work ----------------------------------------------------------------------------------------------


def read_scored(path: Path, file: Path) -> Scored | None:
    """The scores of a snapshot that were put away; None if there are none, or if they are damaged."""
    try:
        # From bytes: NumPy leaves a damaged file open.
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as kept:
            table = pd.read_parquet(io.BytesIO(kept["table"].tobytes()))
            return Scored(file, table, json.loads(kept["summary"].tobytes()), kept["flux"], kept["deep"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def write_scored(path: Path, one: Scored) -> None:
    """Put the scores of a snapshot away, so that work that was killed goes on where it was."""
    buffer = io.BytesIO()
    one.table.to_parquet(buffer, index=False)
    values = {"table": buffer.getvalue(), "summary": json.dumps(one.summary).encode()}
    arrays = {name: np.frombuffer(value, np.uint8) for name, value in values.items()}
    with atomic(path) as temporary:
        np.savez(temporary, **arrays, flux=one.flux, deep=one.deep)
