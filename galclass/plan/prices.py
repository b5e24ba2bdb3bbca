"""What a unit of work costs: as measured and shipped (config/rates.yaml), corrected by what the project itself took."""

import itertools
import math
from pathlib import Path

import yaml

from galclass import config, status
from galclass.plan import past
from galclass.plan.work import FILES, Job, sizes

RATES = config.ROOT / "config" / "rates.yaml"
_SAMPLED_LOGS = 200
_COSTS = ("core_s", "bytes", "memory_mb")
_ROUGHLY, _CLOSELY = 2.0, 1.3


def read_rates() -> dict:
    """What units cost, as measured and shipped."""
    return yaml.safe_load(RATES.read_text(encoding="utf-8"))


def simulation_minutes(settings: dict, row: dict, rates: dict) -> int:
    """The time to ask a scheduler for, for the simulation of one run [min].

    It is `simulate.wall_time_minutes` and some to put the last checkpoint away; where that is 0, what the simulation
    should take four times over, and ten. A machine may be slower than the one that was measured; who is stopped asks
    for more and goes on from a checkpoint.
    """
    simulate = settings["simulate"]
    if simulate["wall_time_minutes"]:
        return math.ceil(simulate["wall_time_minutes"]) + 5
    core_minutes = cost("simulate_merger", sizes(settings, row), rates, "core_s") / 60
    return math.ceil(10 + 4 * core_minutes / simulate["threads"])


def cost(stage: str, size: dict, rates: dict, what: str) -> float:
    """What one job of a stage costs: `what` is core_s, bytes or memory_mb."""
    return sum(price * size[unit] for unit, price in rates["stages"][stage][what].items())


def priced(name: str, jobs: list[Job], settings: dict, rates: dict, factor: float) -> dict:
    """The row of one stage, whose jobs take `factor` times as long as the rates foretell."""
    distinct = {id(job.size): job.size for job in jobs}  # few, so each is priced once
    price = {what: {key: cost(name, size, rates, what) for key, size in distinct.items()} for what in _COSTS}
    core = [factor * price["core_s"][id(job.size)] for job in jobs]
    space = [price["bytes"][id(job.size)] for job in jobs]
    to_do = [not job.done for job in jobs]
    threads = settings["simulate"]["threads"] if name == "simulate_merger" else 1
    return {
        "stage": name, "jobs": len(jobs), "done": len(jobs) - sum(to_do), "files": sum(job.files for job in jobs),
        "bytes": sum(space), "core_s": sum(core), "left_core_s": sum(itertools.compress(core, to_do)),
        "left_bytes": sum(itertools.compress(space, to_do)),
        "memory_mb": max(price["memory_mb"].values(), default=0.0), "longest_s": max(core, default=0.0) / threads,
    }  # fmt: skip


def finished_jobs(results: Path) -> list[status.Took]:
    """What finished commands took, the last time for each, from at most 200 logs spread evenly."""
    paths = status.logs(results)
    chosen = paths[:: math.ceil(len(paths) / _SAMPLED_LOGS)] if paths else []
    return [took for path in chosen for took in _last(status.read_log(path).took)]


def _last(took: list[status.Took]) -> list[status.Took]:
    """The last of each kind in a log, since the run was last begun from its initial conditions."""
    begun = max((number for number, job in enumerate(took) if job.verb == "initial"), default=0)
    return list({(job.verb, job.subject): job for job in took[begun:]}.values())


def of_project(took: list[status.Took], rows: dict, results: Path) -> list[status.Took]:
    """Those of the finished commands that made what now lies in the results, of runs of the project."""
    done = {stage: status.done_runs(results, stage) & rows.keys() for stage in FILES}
    return [job for job in took if job.subject in done.get(job.verb, ())]


def corrections(settings: dict, rows: dict, took: list[status.Took], rates: dict, results: Path) -> dict[str, float]:
    """How much dearer the jobs of each stage were than the rates foretell: a factor by stage that has finished jobs.

    The rates foretell them for the settings that the results were made with, which need not be those that are planned.
    """
    made, sums = past.last_settings(settings, rows, results), {}
    size = {run: sizes(*past.of_run(made, rows[run], results)) for run in {job.subject for job in took}}
    for job in took:
        total = sums.setdefault(job.verb, [0.0, 0.0])
        total[0] += job.core_seconds
        total[1] += cost(job.verb, size[job.subject], rates, "core_s")
    return {stage: measured / expected for stage, (measured, expected) in sums.items() if measured > 0}


def trust(rates: dict, took: list[status.Took], factors: dict, again: set[str]) -> dict:
    """Where the rates come from, and by which factor they may be off; simulations of runs `again` were other ones."""
    runs = {job.subject for job in took if job.verb == "simulate_merger"}
    if runs and "simulate_merger" in factors:
        named = f"this project's {len(runs)} finished run{'s' * (len(runs) > 1)}"
        if runs & again:
            return {"rates": f"{named}, of other settings; expect a factor of {_ROUGHLY:g}", "factor": _ROUGHLY}
        return {"rates": named, "factor": _CLOSELY}
    machine = rates["measured"]["machine"]
    return {"rates": f"as shipped, measured on {machine}; expect a factor of {_ROUGHLY:g}", "factor": _ROUGHLY}
