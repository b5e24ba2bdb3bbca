"""What a project will take, before anything starts: jobs, files, bytes, core hours, memory, and time on some cores.

Every job has a size in units (particle steps, frames, pixels ...), which follow from the configuration; what a unit
costs was measured (config/rates.yaml, by benchmarks/plan.py). Where the project has finished jobs itself, what they
took corrects the rates of their stage. What was made with other settings will be made again, so it is not done.
"""

import math
import shutil
from pathlib import Path

from galclass import config
from galclass.plan import past
from galclass.plan.prices import (
    RATES,
    corrections,
    cost,
    finished_jobs,
    of_project,
    priced,
    read_rates,
    simulation_minutes,
    trust,
)
from galclass.plan.text import bytes_in_words, lines
from galclass.plan.work import FILES, FILES_ONCE, files_per_run, jobs, particles_of, sizes, sizes_once, steps

__all__ = [
    "FILES",
    "FILES_ONCE",
    "RATES",
    "corrections",
    "cost",
    "files_per_run",
    "finished_jobs",
    "left",
    "lines",
    "particles_of",
    "read_rates",
    "run",
    "simulation_minutes",
    "sizes",
    "sizes_once",
    "steps",
]

#: Stages that follow one another; those in one pair of brackets may run beside each other.
_PHASES = (("compile merger", "compile shape", "initial"), ("simulate_merger", "simulate_shapes"),
           ("render", "render_film", "render_shapes"), ("label", "label shapes", "reference"), ("train",),
           ("classify", "visibility"), ("verify",), ("report",))  # fmt: skip
#: More files a run are a burden to the file systems of clusters.
_MOST_FILES = 20
#: So many settings that differ are named.
_NAMED = 6
_HOUR = 3600.0


def run(settings: dict, cores: int, results: Path, rates: dict | None = None) -> dict:
    """What the project of a configuration takes in all, and what is left of it.

    Parameters
    ----------
    settings : dict
        The whole configuration.
    cores : int
        How many work at the same time.
    results : path
        Folder of the results; what is there, and was made with these settings, is done.
    rates : dict, optional
        What units cost, as in config/rates.yaml, the default.

    Returns
    -------
    dict
        cores; runs: screened and learnt from; frames; files, files_per_run (the most of one run), bytes, core_hours,
        wall_s, and the same for what is left with ``left_`` before; memory_mb of the largest job and its
        ``memory_stage``; simulation_minutes of the longest simulation; rates, a sentence; factor, how far off they may
        be; warnings, sentences; stages, a dict for each with stage, jobs, done, files, bytes, core_s, left_core_s,
        left_bytes, memory_mb and longest_s (of one job by the clock).
    """
    rates = rates or read_rates()
    screened, learnt = config.runs(settings)
    rows = {**screened, **learnt}
    again, changed = past.compare(settings, screened, learnt, results)
    took = of_project(finished_jobs(results), rows, results)
    factors = corrections(settings, rows, took, rates, results)
    stages = [
        priced(name, work, settings, rates, factors.get(name, 1.0))
        for name, work in jobs(settings, screened, learnt, results, again).items()
    ]
    each = (settings["simulate"]["snapshots"] + 1) * settings["render"]["views"]
    most = max(stages, key=lambda stage: stage["memory_mb"])
    answer = {
        "cores": cores, "runs": {"screened": len(screened), "learnt": len(learnt)},
        "frames": {"screened": each * len(screened), "learnt": each * len(learnt)},
        "files_per_run": files_per_run(settings), **_sums(stages), "wall_s": _wall(stages, cores, "core_s"),
        "left_wall_s": _wall(stages, cores, "left_core_s"), "memory_mb": most["memory_mb"],
        "memory_stage": most["stage"], "simulation_minutes": _longest(stages, "simulate_merger") / 60,
        **trust(rates, took, factors, again["simulate_merger"]), "stages": stages,
    }  # fmt: skip
    answer["files"] += len(rows)  # a log a run
    return answer | {"warnings": _changes(changed, results) + _warnings(answer, settings, results)}


def left(settings: dict, cores: int, results: Path) -> tuple[float, float]:
    """The least and the most seconds still to go, with so many cores."""
    answer = run(settings, cores, results)
    return answer["left_wall_s"] / answer["factor"], answer["left_wall_s"] * answer["factor"]


def _sums(stages: list[dict]) -> dict:
    """Files, bytes and core hours of all stages, in all and left."""
    total = {name: sum(stage[name] for stage in stages)
             for name in ("files", "bytes", "left_bytes", "core_s", "left_core_s")}  # fmt: skip
    hours = {f"{left}core_hours": total.pop(f"{left}core_s") / _HOUR for left in ("", "left_")}
    return total | hours


def _wall(stages: list[dict], cores: int, what: str) -> float:
    """Seconds by the clock: phase after phase, each as long as its work on all cores, or its longest job."""
    named = {stage["stage"]: stage for stage in stages}
    total = 0.0
    for phase in _PHASES:
        rows = [named[name] for name in phase if named[name][what] > 0]
        total += max([sum(row[what] for row in rows) / cores, *(row["longest_s"] for row in rows)])
    return total


def _longest(stages: list[dict], name: str) -> float:
    """Seconds by the clock of the longest job of a stage."""
    return next(stage["longest_s"] for stage in stages if stage["stage"] == name)


def _changes(names: list[str], results: Path) -> list[str]:
    """What to say where results are of another configuration."""
    if not names:
        return []
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    named = ", ".join(names[:_NAMED]) + more
    return [f"{results} hold another configuration ({named}): what depends on it will be made again"]


def _warnings(answer: dict, settings: dict, results: Path) -> list[str]:
    """What will not go well."""
    found, limit = [], settings["simulate"]["wall_time_minutes"]
    if limit and answer["simulation_minutes"] > limit:
        parts = math.ceil(answer["simulation_minutes"] / limit)
        found.append(f"a simulation takes about {answer['simulation_minutes']:.0f} minutes and stops after "
                     f"simulate.wall_time_minutes, {limit}: it will be started {parts} times")  # fmt: skip
    if answer["files_per_run"] > _MOST_FILES:
        found.append(f"{answer['files_per_run']} files a run, more than {_MOST_FILES}; set simulate.archive: true")
    free = shutil.disk_usage(next(folder for folder in (results, *results.absolute().parents) if folder.is_dir())).free
    if answer["left_bytes"] > free:
        found.append(
            f"{bytes_in_words(answer['left_bytes'])} to write and {bytes_in_words(free)} free on the disk of {results}"
        )
    return found
