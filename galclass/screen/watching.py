"""Snapshots scored as they land in a folder, with a row of the table of alerts for each that shows a rectangle.

The folder is listed every second or so: notices of the kernel do not come over network file systems. A file is taken
once its size and date have stood still from one look to the next; one that then turns out to be cut short is looked at
again when it has changed. What has been scored stands in watched.csv with its digest and that of the settings, so that
a restart says nothing twice unless they are others, and alerts.csv is made from the same rows.
"""

import hashlib
import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from galclass import snapshot
from galclass.errors import GalclassError, InputError
from galclass.files import alone, atomic, require_folder
from galclass.screen import galaxies, scoring
from galclass.screen.scoring import CLASS, Scored, Screen

#: Columns of watched.csv and alerts.csv.
COLUMNS = ("file", "sha256", "settings", "time_gyr", "frames", "rectangle_fraction", "low", "high", "best_frame",
           "view_x", "view_y", "view_z", f"p_{CLASS}", "b4", "b4_err", "measured_label", "cosine_aligned",
           "cosine_residual", "alert", "flags", "error")  # fmt: skip
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def watch(
    folder: Path,
    screen: Screen,
    output: Path,
    until_idle_s: float | None = None,
    say: Callable[[str], None] = print,
    rest: Callable[[float], None] = time.sleep,
) -> int:
    """Score the snapshots in a folder and those that land in it, until it is asked to stop.

    Parameters
    ----------
    folder : path
        Need not hold a snapshot yet.
    screen : Screen
        `screen.alert_p` is the probability from which a frame that the ruler calls a rectangle too is an alert,
        `screen.poll_s` the time between two looks [s].
    output : path
        Folder for watched.csv and alerts.csv; who else watches with the same one waits until this has ended.
    until_idle_s : float, optional
        End when nothing has landed for so long [s], 0 once everything there is scored; default never.
    say : function
        Gets one plain line a snapshot.
    rest : function
        Waits so many seconds.

    Returns
    -------
    int
        How many of the files that were looked at cannot be used.

    Raises
    ------
    InputError
        There is no such folder, or `output` can be none.
    """
    if not Path(folder).is_dir():
        raise InputError(f"{folder}: no such folder; give the one where snapshots land")
    pause = screen.camera.settings["poll_s"]
    with alone(require_folder(output) / ".watched.lock"), _until_asked_to_stop() as asked:
        book = _Book(Path(output), _settings_digest(screen))
        idle_since = time.monotonic()
        while not asked:
            whole, growing = book.new_in(Path(folder), say)
            for file in whole:
                if asked:
                    break
                say(book.enter(file, screen))
                idle_since = time.monotonic()
            if until_idle_s is not None and not growing and time.monotonic() - idle_since >= until_idle_s:
                break
            if not asked:
                rest(pause)
        return book.failures


def _settings_digest(screen: Screen) -> str:
    """What the rows of a snapshot depend on beside its bytes."""
    everything = json.dumps([screen.record, screen.camera.settings["alert_p"]], sort_keys=True)
    return hashlib.sha256(everything.encode()).hexdigest()[:16]


@contextmanager
def _until_asked_to_stop() -> Iterator[list]:
    """A list that is empty until SIGINT or SIGTERM comes; before and after they do what they did."""
    asked: list[int] = []
    before = {number: signal.signal(number, lambda number, _: asked.append(number)) for number in _SIGNALS}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass
class _Book:
    """What has been seen in a folder, with the tables about it.

    Attributes
    ----------
    output : folder of the tables
    settings : digest of what rows depend on beside the snapshot
    rows : file -> row of watched.csv, of its latest content
    alerts : file, digest, settings -> row of alerts.csv; a file that was overwritten keeps its alerts
    marks : file -> how it looked when it was scored
    last : file -> how it looked at the last look
    trouble : why the folder could not be looked through at the last look
    """

    output: Path
    settings: str
    rows: dict[str, dict] = field(default_factory=dict)
    alerts: dict[tuple, dict] = field(default_factory=dict)
    marks: dict[str, tuple] = field(default_factory=dict)
    last: dict[str, tuple] = field(default_factory=dict)
    trouble: str = ""

    def __post_init__(self) -> None:
        self.rows = {row["file"]: row for row in _read(self.output / "watched.csv")}
        self.alerts = {(row["file"], row["sha256"], row["settings"]): row for row in _read(self.output / "alerts.csv")}

    @property
    def failures(self) -> int:
        """Files that cannot be used, as far as is known."""
        return sum(row["error"] != "" for row in self.rows.values())

    def new_in(self, folder: Path, say: Callable[[str], None]) -> tuple[list[Path], bool]:
        """Files that are new or other than they were and stand still, and whether there are others still growing."""
        now = {str(file): (file, _mark(file)) for file in self._snapshots(folder, say)}
        fresh = {name: pair for name, pair in now.items() if self.marks.get(name) != pair[1]}
        still = {name: pair for name, pair in fresh.items() if self.last.get(name) == pair[1]}
        self.last = {name: mark for name, (_, mark) in now.items()}
        whole = [file for name, (file, mark) in still.items() if not self._known(name, file, mark)]
        return whole, len(still) < len(fresh)

    def _snapshots(self, folder: Path, say: Callable[[str], None]) -> list[Path]:
        """The snapshots in a folder, none if there is none yet; what else keeps them from being seen is said once."""
        try:
            return snapshot.find([folder])
        except (GalclassError, OSError) as error:
            said = " ".join(str(error).split())
            if said != self.trouble and "no snapshot in this folder" not in said:
                say(said)
            self.trouble = said
            return []

    def _known(self, name: str, file: Path, mark: tuple) -> bool:
        """Whether a file is the very one that was scored before a restart."""
        row = self.rows.get(name)
        if name in self.marks or row is None or row["settings"] != self.settings:
            return False
        if row["sha256"] == "" or row["sha256"] != _digest(file):
            return False
        self.marks[name] = mark
        return True

    def enter(self, file: Path, screen: Screen) -> str:
        """Score a file, write the tables, and say it in a line."""
        mark, digest = _mark(file), _digest(file)
        one = scoring.answered(file, scoring.pictured((file, screen.camera)), screen)
        self.marks[str(file)] = mark
        row = _row(one, digest, screen.camera.settings["alert_p"]) | {"settings": self.settings}
        self.rows[str(file)] = row
        if row["alert"] == "yes":
            self.alerts[str(file), digest, self.settings] = row
        # Alerts first: killed in between, the file is scored again and its alert is the same row.
        _write(self.output / "alerts.csv", self.alerts)
        _write(self.output / "watched.csv", self.rows)
        return line(row)


def _read(path: Path) -> list[dict]:
    """The rows of a table of ours as text, none if it is not there yet."""
    if not path.is_file():
        return []
    table = pd.read_csv(path, keep_default_na=False, dtype=str)
    if list(table.columns) != list(COLUMNS):
        raise InputError(f"{path}: not a table of `galclass screen --watch`; move it away, or give another folder (-o)")
    return table.to_dict("records")


def _write(path: Path, rows: dict) -> None:
    with atomic(path) as temporary:
        pd.DataFrame(list(rows.values()), columns=list(COLUMNS)).to_csv(temporary, index=False)


def _mark(file: Path) -> tuple:
    """Size and date of a file and of those that may be other pieces of the same snapshot."""
    try:
        beside = sorted(file.parent.glob(f"{file.name.split('.')[0]}.*")) if file.parent.is_dir() else [file.parent]
        found = [one.stat() for one in {file, *beside} if one.exists()]
    except OSError:
        return ()
    return tuple(sorted((one.st_size, one.st_mtime_ns) for one in found))


def _digest(file: Path) -> str:
    """SHA-256 of a snapshot, empty where it cannot be read."""
    try:
        return galaxies.digest(file)
    except (GalclassError, OSError):
        return ""


def _row(one: Scored, digest: str, alert_p: float) -> dict:
    """The row of a snapshot, as text: floats with six digits, as in all tables."""
    row = dict.fromkeys(COLUMNS, "") | {"file": str(one.file), "sha256": digest, "error": one.error}
    if one.error:
        return row
    values = one.best.to_dict() | one.summary
    alert = one.summary["agrees"] and one.best[f"p_{CLASS}"] >= alert_p
    return row | {name: _text(values[name]) for name in COLUMNS if name in values} | {"alert": "yes" if alert else "no"}


def _text(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def line(row: dict) -> str:
    """One plain line on a snapshot."""
    name = Path(row["file"]).name.replace("\n", "\\n")
    if row["error"]:
        whole = "not whole yet" if "cut short" in row["error"] else "not usable"
        return f"{name}: {whole}: {row['error']}"
    share, low, high = (100.0 * float(row[column]) for column in ("rectangle_fraction", "low", "high"))
    said = (
        f"{name}: {float(row['time_gyr']):.2f} Gyr, {row['frames']} frames, {share:.0f} % rectangle "
        f"({low:.0f} to {high:.0f} %), best frame {row['best_frame']} p {float(row[f'p_{CLASS}']):.2f}"
    )
    if row["b4"] not in ("", "nan"):
        said += f" B4 {float(row['b4']):+.3f} +- {float(row['b4_err']):.3f} {row['measured_label']}"
    return f"ALERT {said}" if row["alert"] == "yes" else said
