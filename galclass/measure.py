"""Stage `measure`: the shape of galaxies in picture files and packs, with errors.

Pictures are shared out among processes, each of which keeps to one thread, since a picture is too small a piece of
work for more.
"""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from galclass import catalog, images, provenance, ruler
from galclass.errors import GalclassError
from galclass.files import require_suffix
from galclass.parallel import cores, workers
from galclass.progress import progress

#: Pictures of a pack that a process takes at once.
_CHUNK = 8
#: Fewer pictures than this are not worth the start of other processes, which takes some seconds.
_FEW = {True: 300, False: 4}
#: What one strange picture may raise without ending the work on thousands of others.
_UNFORESEEN = (ArithmeticError, IndexError, ValueError)
_FWHM_SIGMA = math.sqrt(8.0 * math.log(2.0))  # of a Gaussian
_COLUMNS = (
    ("x", "{:8.1f}"),
    ("y", "{:8.1f}"),
    ("r_eff_px", "{:8.2f}"),
    ("axis_ratio", "{:6.3f}"),
    ("pa_deg", "{:6.1f}"),
    ("b4", "{:+8.4f}"),
    ("b4_err", "{:7.4f}"),
    ("b6", "{:+8.4f}"),
    ("b6_err", "{:7.4f}"),
    ("a4_over_a", "{:+8.4f}"),
    ("label", "{:>10}"),
    ("p_label", "{:5.2f}"),
    ("method", "{:>9}"),
)
_HEADS = {"r_eff_px": "r_eff", "axis_ratio": "b/a", "pa_deg": "pa", "b4_err": "+-", "b6_err": "+-", "a4_over_a": "a4/a",
          "p_label": "p"}  # fmt: skip


def run(files: Sequence[Path], settings: dict, output: Path | None, processes: int | None = None) -> list[dict]:
    """Measure picture files and packs, and write the table.

    Parameters
    ----------
    files : paths
        PNG, JPEG, BMP, FITS (pixels that are not finite are ignored) or packs (.h5).
    settings : dict
        `fast` (no photutils ellipses, statmorph numbers and profiles), `deep` (noise-free pictures; of a pack the
        layer `deep`), `inner_effective_radii` and `outer_effective_radii` of the isophotes in flux, and if it is
        known `psf_fwhm_px`, the full width at half maximum of the point-spread function.
    output : path or None
        Table (.parquet, .csv beside it) of one row a measured picture: run and frame, or file, then
        `ruler.COLUMNS`; not written where nothing could be measured.
    processes : int, optional
        How many; default as many as there are cores, one for a few pictures.

    Returns
    -------
    list of dict
        One for each input, in order: `file` and the measured quantities, or `error`; for a pack `frames`, a list
        of such objects with run and frame, and `error` if some of them failed.
    """
    if output is not None:
        require_suffix(output, ".parquet")
    answers = measured([Path(path) for path in files], settings, processes)
    rows = table(answers)
    if output is not None and not rows.empty:
        sources = [answer["file"] for answer in answers if "frames" in answer or "error" not in answer]
        catalog.write_table(output, rows, provenance.record("measure", sources, settings))
    return answers


def measured(files: Sequence[Path], settings: dict, processes: int | None = None) -> list[dict]:
    """The answers of `run`."""
    answers: list[dict] = []
    packs = any(_is_pack(path) for path in files)
    with workers(processes or (cores() if packs or len(files) >= _FEW[settings["fast"]] else 1)) as share_out:
        for is_pack, group in itertools.groupby(files, _is_pack):
            paths = list(group)
            if is_pack:
                answers += [_pack_answer(path, settings, share_out) for path in paths]
            else:
                jobs = [(path, settings) for path in paths]
                answers += progress(share_out(_file_answer, jobs), len(jobs), "measure")
    return answers


def _is_pack(path: Path) -> bool:
    return path.suffix.lower() in images.PACK_SUFFIXES


def _file_answer(job: tuple[Path, dict]) -> dict:
    """The answer for one picture file."""
    path, settings = job
    try:
        picture, is_flux = images.read_picture(path, allow_nan=True)
        return {"file": str(path), **_measured(picture, "flux" if is_flux else "picture", settings)}
    except (GalclassError, OSError, *_UNFORESEEN) as error:
        return {"file": str(path), "error": _line(error, path)}


def _pack_answer(path: Path, settings: dict, share_out) -> dict:
    """The answer for one pack: a row for every frame."""
    try:
        pack = images.read_pack(path)
        pictures = pack.deep if settings["deep"] else pack.flux
    except GalclassError as error:
        return {"file": str(path), "error": str(error)}
    chunks = [(pictures[first : first + _CHUNK], settings) for first in range(0, len(pictures), _CHUNK)]
    done = itertools.chain.from_iterable(share_out(_frame_answers, chunks))
    rows = list(progress(done, len(pictures), f"measure {path.stem}"))
    keys = zip(pack.frames["run"], pack.frames["frame"], strict=True)
    frames = [{"run": str(name), "frame": int(frame), **row} for (name, frame), row in zip(keys, rows, strict=True)]
    failed = [row["frame"] for row in frames if "error" in row]
    error = {"error": f"{len(failed)} of {len(frames)} frames failed, the first is {failed[0]}"} if failed else {}
    return {"file": str(path), **error, "frames": frames}


def _frame_answers(job: tuple[np.ndarray, dict]) -> list[dict]:
    """The rows of some frames of a pack."""
    pictures, settings = job
    return [_frame_answer(picture, settings) for picture in pictures]


def _frame_answer(picture: np.ndarray, settings: dict) -> dict:
    try:
        return _measured(picture, "flux", settings)
    except (GalclassError, *_UNFORESEEN) as error:
        return {"error": _line(error, "frame")}


def _line(error: Exception, what: Path | str) -> str:
    """One line on what went wrong; an error that nobody foresaw says of which kind it is."""
    words = " ".join(str(error).split())
    return f"{what}: not measured ({type(error).__name__}: {words})" if isinstance(error, _UNFORESEEN) else words


def _measured(picture: np.ndarray, kind: str, settings: dict) -> dict:
    """The measured quantities of one picture as JSON takes them: None for NaN."""
    radii = (settings["inner_effective_radii"], settings["outer_effective_radii"]) if kind == "flux" else None
    fwhm = settings.get("psf_fwhm_px")
    sigma = None if fwhm is None else fwhm / _FWHM_SIGMA
    found = asdict(
        ruler.measure(picture, kind=kind, deep=settings["deep"], fast=settings["fast"], radii=radii, psf_sigma_px=sigma)
    )
    columns = found.pop("profile")
    row = {name: _for_json(value) for name, value in found.items()}
    profile = {name: [_for_json(value) for value in values] for name, values in columns.items()}
    return row | ({"profile": profile} if profile else {})


def _for_json(value: float | str) -> float | str | None:
    return None if isinstance(value, float) and not math.isfinite(value) else value


# --- tables


def _flat(answers: Iterable[dict]) -> Iterator[dict]:
    """A row for every picture, those that failed too."""
    for answer in answers:
        yield from answer.get("frames", [answer])


def table(answers: Sequence[dict]) -> pd.DataFrame:
    """One row for every measured picture: run and frame where it comes from a pack, else file; then the quantities."""
    rows = [row for row in _flat(answers) if "error" not in row]
    keys = [name for name in ("file", "run", "frame") if any(name in row for row in rows)]
    frame = pd.DataFrame(rows, columns=[*keys, *ruler.COLUMNS])
    numbers = [name for name in ruler.COLUMNS if name not in ("label", "method", "flag")]
    kinds = dict.fromkeys(numbers, float) | ({"frame": "Int64" if "file" in keys else int} if "frame" in keys else {})
    return frame.astype(kinds)


def lines(answers: Sequence[dict]) -> Iterator[str]:
    """The answers for people: a head, then a line for every picture, with what is doubtful at its end."""
    names = [str(row.get("file") or f"{row['run']} {row['frame']}") for row in _flat(answers)]
    width = max(map(len, names))
    heads = (f"{_HEADS.get(name, name):>{len(style.format(_sample(name)))}}" for name, style in _COLUMNS)
    yield " ".join([f"{'picture':{width}}", *heads])
    for name, row in zip(names, _flat(answers), strict=True):
        cells = [f"ERROR {row['error']}"] if "error" in row else [*(_cell(row[key], style) for key, style in _COLUMNS)]
        yield " ".join([f"{name:{width}}", *cells, row.get("flag", "")]).rstrip()


def _sample(name: str) -> float | str:
    return "" if name in ("label", "method") else 0.0


def _cell(value: float | str | None, style: str) -> str:
    """A value in its column, a dash where it was not measured."""
    return f"{'-':>{len(style.format(0.0))}}" if value is None else style.format(value)
