"""How a project stands, from its files alone: while it runs, from any machine, and after it was killed.

Done is a run whose products are all there. One that is not is explained by its log: a command that began and has not
ended is running while its process lives or, seen from another machine, while its log was written to not long ago;
else it was killed. A command that complained is failed until it is started again.
"""

import os
import re
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from galclass import config, progress
from galclass.errors import InputError
from galclass.files import is_alive

#: A running command writes to its log at least this often [s]; `progress` does every five minutes.
_FRESH = 600.0
#: Where the workflow puts results; before it starts there is no such folder.
RESULTS = Path("results")
_RESOLVED = "config.yaml"
_SHOWN = 10
#: The stages of a run by the product that each writes last; {run} is its name.
OF_RUN = {
    "initial": "initial/{run}.dat",
    "simulate_merger": "simulate/mergers/{run}/quality.csv",
    "render": "render/mergers/{run}.h5",
    "render_film": "render/film/{run}.h5",
    "label": "label/mergers/{run}.parquet",
    "classify": "classify/{run}.parquet",
    "visibility": "visibility/{run}.parquet",
}
#: Those of the runs that the classifier learns from.
OF_LEARNT = ("initial", "simulate_merger", "render", "label")
#: What is done once for all runs, by its product.
OF_ALL = {
    "compile merger": "bin/merger",
    "compile shape": "bin/shape",
    "simulate_shapes": "simulate/shapes/provenance.json",
    "render_shapes": "render/shapes.h5",
    "label shapes": "label/shapes.parquet",
    "train": "train/network/card.json",
    "reference": "reference/reference.json",
    "verify": "verify/candidates.parquet",
    "report": "report/index.html",
}
_TOOK = re.compile(r"took: (\S+) ?(.*) ([\d.]+) s, ([\d.]+) core s, ([\d.]+) MB")
_STARTED = re.compile(r"started: (.*?)(?: \(process (\d+) on (\S+)\))?")
_COMPLAINT = "galclass: "
_LOG_END_BYTES = 2**16


def run(results: Path, left: Callable[[dict, int], tuple[float, float] | None] | None = None) -> dict:
    """How the project stands whose results are in a folder.

    Parameters
    ----------
    results : path
        The folder of the results; a project that was never started has none, or no config.yaml in it.
    left : function, optional
        The least and the most seconds still to go, from the settings and how many cores work now.

    Returns
    -------
    dict
        file; started; runs, done, running, waiting, failed: how many; stages: [done, all] for each; once: [done, all]
        of what is done once; frames: [screened, all]; rectangles; candidates; simulating: a dict of run, time_gyr,
        end_gyr for each; now: the commands that run; failures: a dict of name, reason for each; finished; left_s:
        [least, most], or null where not known.

    Raises
    ------
    InputError
        The path is a file, or a folder other than the default that does not exist; or the folder's config.yaml is no
        configuration.
    """
    results = Path(results)
    if results.is_file() or (results != RESULTS and not results.is_dir()):
        found = "this is a file" if results.is_file() else "no such folder"
        raise InputError(f"{results}: {found}; give the folder of a project's results")
    if not (results / _RESOLVED).is_file():
        return {"file": str(results), "started": False}
    settings = config.load([results / _RESOLVED])
    wanted = _wanted(settings)
    done = {stage: done_runs(results, stage) & set(runs) for stage, runs in wanted.items()}
    every = list(dict.fromkeys(run for runs in wanted.values() for run in runs))
    complete = {run for run in every if all(run in done[stage] for stage in wanted if run in wanted[stage])}
    once = done_once(results)
    running, failures = _under_way(results, complete, once)
    started = set(running) & set(every)
    failed = set(failures) & set(every) - started
    cores, finished = _cores(settings, running), len(complete) == len(every) and len(once) == len(OF_ALL)
    return {
        "file": str(results), "started": True, "runs": len(every), "done": len(complete), "running": len(started),
        "waiting": len(every) - len(complete) - len(started) - len(failed), "failed": len(failed),
        "stages": {stage: [len(done[stage]), len(runs)] for stage, runs in wanted.items()},
        "once": [len(once), len(OF_ALL)], **_found(results, settings, done["classify"], wanted["classify"]),
        "simulating": _simulating(results, settings, [run for run in running if run not in done["simulate_merger"]]),
        "now": sorted({what for names in running.values() for what in names}),
        "failures": [{"name": name, "reason": failures[name]} for name in sorted(failures)],
        "finished": finished, "left_s": left(settings, cores) if left and not finished else None,
    }  # fmt: skip


def _wanted(settings: dict) -> dict[str, dict]:
    """The runs of every stage."""
    screened, learnt = config.runs(settings)
    return {stage: {**screened, **(learnt if stage in OF_LEARNT else {})} for stage in OF_RUN}


def _cores(settings: dict, running: dict[str, list[str]]) -> int:
    """How many cores the commands that run now take; 1 when none does."""
    commands = [what for names in running.values() for what in names]
    simulations = sum(what.startswith("simulate_merger") for what in commands)
    return max(1, len(commands) + simulations * (settings["simulate"]["threads"] - 1))


def _under_way(results: Path, complete: set[str], once: set[str]) -> tuple[dict[str, list[str]], dict[str, str]]:
    """The commands that run, by the run (or other work) whose log says so, and why others have ended."""
    running: dict[str, list[str]] = {}
    failures: dict[str, str] = {}
    for path in logs(results):
        name = path.stem
        if name in complete or name in once:
            continue
        log = read_log(path)
        alive = {what: _alive(path, *place) for what, place in log.open.items()}
        if any(alive.values()):
            running[name] = sorted(what for what in alive if alive[what])
        dead = [f"{what}: killed" for what in sorted(alive) if not alive[what]]
        reasons = dead + [f"{what}: {reason}" for what, reason in log.failed.items()]
        if reasons and name not in running:
            failures[name] = reasons[-1]
    return running, failures


def _alive(log: Path, process: str, machine: str) -> bool:
    """Whether a command that began still runs: its process if it is of this machine, else by the age of its log."""
    if process and machine == socket.gethostname():
        return is_alive(int(process))
    return time.time() - log.stat().st_mtime < _FRESH


def _found(results: Path, settings: dict, classified: set[str], wanted: dict) -> dict:
    """Frames screened, rectangles and candidates so far."""
    each = (settings["simulate"]["snapshots"] + 1) * settings["render"]["views"]
    tables = [results / "classify" / f"{run}.parquet" for run in sorted(classified)]
    counts = [_counts(path, path.stat().st_mtime_ns) for path in tables]
    candidates = results / "verify" / "candidates.parquet"
    return {
        "frames": [sum(frames for frames, _ in counts), each * len(wanted)],
        "rectangles": sum(rectangles for _, rectangles in counts),
        "candidates": _counts(candidates, candidates.stat().st_mtime_ns)[0] if candidates.is_file() else 0,
    }


@cache
def _counts(path: Path, _: int) -> tuple[int, int]:
    """Rows of a table from its footer, and how many of its column `class` are rectangles; read once a version."""
    import pyarrow
    import pyarrow.compute
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            if "class" not in file.schema_arrow.names:
                return file.metadata.num_rows, 0
            column = file.read(columns=["class"])["class"]
    except (OSError, pyarrow.ArrowException) as error:
        raise InputError(f"{path}: not a readable Parquet table; run the stage that writes it again") from error
    called = pyarrow.compute.equal(column.cast(pyarrow.string()), "rectangle")
    return len(column), int(pyarrow.compute.sum(called).as_py() or 0)


def _simulating(results: Path, settings: dict, runs: list[str]) -> list[dict]:
    """How far the simulations are that run now, by the snapshots they have left."""
    end, intervals = settings["simulate"]["end_time_gyr"], settings["simulate"]["snapshots"]
    found = {run: _snapshots(results / "simulate" / "mergers" / run) for run in sorted(runs)}
    return [{"run": run, "time_gyr": end * (number - 1) / intervals, "end_gyr": end}
            for run, number in found.items() if number]  # fmt: skip


def _snapshots(folder: Path) -> int:
    """How many whole snapshots lie in a folder."""
    return len([name for name in _names(folder) if name.startswith("snapshot_") and name.endswith(".dat")])


# Files and logs ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Took:
    """A finished command: its verb, what it worked on, seconds by the clock, core seconds, most memory [MB]."""

    verb: str
    subject: str
    seconds: float
    core_seconds: float
    memory_mb: float


@dataclass
class Log:
    """What a log tells.

    Attributes
    ----------
    took : the commands that finished
    open : those that began and neither finished nor complained, each with its process and machine where known
    failed : the complaint of each command that ended with one, and has not been started again
    """

    took: list[Took] = field(default_factory=list)
    open: dict[str, tuple[str, str]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def done_runs(results: Path, stage: str) -> set[str]:
    """The runs whose product of a stage of `OF_RUN` is there; one look into one folder (two levels for simulations)."""
    folder, _, name = OF_RUN[stage].partition("{run}")
    present = _names(Path(results) / folder)
    if name.startswith("/"):
        return {run for run in present if (Path(results) / folder / f"{run}{name}").is_file()}
    return {found.removesuffix(name) for found in present if found.endswith(name) and not found.startswith(".")}


def done_once(results: Path) -> set[str]:
    """Those of `OF_ALL` whose product is there."""
    return {what for what, product in OF_ALL.items() if (Path(results) / product).exists()}


def _names(folder: Path) -> list[str]:
    """The names in a folder, none where there is no folder."""
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries]
    except (FileNotFoundError, NotADirectoryError):
        return []


def logs(results: Path) -> list[Path]:
    """The logs of a project, sorted: one a run, and those of what is done once."""
    return sorted((Path(results) / "logs").rglob("*.log"))


def read_log(path: Path) -> Log:
    """What the end of a log (64 KiB) tells; the log of a file that is gone or unreadable tells nothing."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _LOG_END_BYTES))
            return parse_log(file.read().decode("utf-8", "replace"))
    except OSError:
        return Log()


def parse_log(text: str) -> Log:
    """What the lines of a log tell, in their order: a command that is started again is open, not failed."""
    log = Log()
    for line in text.splitlines():
        if took := _TOOK.fullmatch(line):
            verb, subject, *numbers = took.groups()
            log.took.append(Took(verb, subject, *map(float, numbers)))
            log.open.pop(f"{verb} {subject}".strip(), None)
        elif started := _STARTED.fullmatch(line):
            what, process, machine = started.groups()
            log.failed.pop(what, None)
            log.open[what] = (process or "", machine or "")
        elif line.startswith(_COMPLAINT):
            what = next(reversed(log.open), "")
            log.open.pop(what, None)
            log.failed[what] = line.removeprefix(_COMPLAINT)
    return log


# Text -------------------------------------------------------------------------------------------------------


def lines(answer: dict) -> list[str]:
    """One line on the project, one on what runs now, and one for each failure."""
    if not answer["started"]:
        return [f"{answer['file']}: nothing started (no {_RESOLVED} in it); `galclass plan` says what it will take"]
    frames, total = answer["frames"]
    text = [
        f"runs: {answer['done']} of {answer['runs']} done, {answer['running']} running, {answer['waiting']} waiting, "
        f"{answer['failed']} failed",
        f"frames screened: {frames:,} of {total:,}, rectangles {answer['rectangles']:,}, "
        f"candidates {answer['candidates']:,}",
        _rest(answer),
    ]
    return ["; ".join(filter(None, text)), *_details(answer)]


def _rest(answer: dict) -> str:
    """The time left; that all is done; or that nothing runs."""
    if answer["finished"]:
        return "finished"
    idle = "" if answer["now"] else "nothing runs now; "
    if answer["left_s"] is None:
        return f"{idle}time left not known yet"
    least, most = map(progress.span, answer["left_s"])
    return f"{idle}{least} to {most} left"


def _details(answer: dict) -> list[str]:
    """What runs now in one line, with how far the simulations are, and why what failed did, a line each."""
    far = {f"simulate_merger {one['run']}": f" ({one['time_gyr']:.2f} of {one['end_gyr']:g} Gyr)"
           for one in answer["simulating"]}  # fmt: skip
    named = [what + far.get(what, "") for what in answer["now"][:_SHOWN]]
    more = f" and {len(answer['now']) - _SHOWN} more" if len(answer["now"]) > _SHOWN else ""
    running = [f"running: {', '.join(named)}{more}"] if named else []
    return running + [f"failed: {one['name']}: {one['reason']}" for one in answer["failures"]]
