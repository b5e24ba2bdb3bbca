"""What a project will take, before anything starts: jobs, files, bytes, core hours, memory, and time on some cores.

Every job has a size in units (particle steps, frames, pixels ...), which follow from the configuration; what a unit
costs was measured (config/rates.yaml, by benchmarks/plan.py). Where the project has finished jobs itself, what they
took corrects the rates of their stage.
"""

import itertools
import math
import operator
import shutil
from pathlib import Path
from typing import NamedTuple

import yaml

from galclass import config, status

RATES = config.ROOT / "config" / "rates.yaml"
#: What each stage of a run writes, {run} being its name; the snapshots stand for as many files as there are.
FILES = {
    "initial": ["initial/{run}.dat", "initial/{run}.json"],
    "simulate_merger": [
        *(
            f"simulate/mergers/{{run}}/{name}"
            for name in ("quality.csv", "energy.csv", "provenance.json", "merger.nml")
        ),
        "simulate/mergers/{run}/snapshot*",
    ],
    "render": ["render/mergers/{run}.h5", "render/mergers/{run}.png"],
    "render_film": ["render/film/{run}.h5"],
    "label": ["label/mergers/{run}.parquet", "label/mergers/{run}.csv"],
    "classify": [f"classify/{{run}}.{kind}" for kind in ("parquet", "csv", "out")],
    "visibility": [f"visibility/{{run}}.{kind}" for kind in ("parquet", "csv", "png", "json")],
}
#: What is written once for all runs.
FILES_ONCE = {
    "compile merger": ["bin/merger", "bin/merger.json"],
    "compile shape": ["bin/shape", "bin/shape.json"],
    "simulate_shapes": ["simulate/shapes/*"],
    "render_shapes": ["render/shapes.h5", "render/shapes.png"],
    "label shapes": ["label/shapes*"],
    "train": ["train/network/*"],
    "reference": ["reference/*"],
    "verify": ["verify/*"],
    "report": ["report/*"],
}
#: How many files those are that have no fixed names.
_FILES_ONCE = {"label shapes": 6, "train": 12, "reference": 4, "verify": 9, "report": 12}
#: Stages that follow one another; those in one pair of brackets may run beside each other.
_PHASES = (("compile merger", "compile shape", "initial"), ("simulate_merger", "simulate_shapes"),
           ("render", "render_film", "render_shapes"), ("label", "label shapes", "reference"), ("train",),
           ("classify", "visibility"), ("verify",), ("report",))  # fmt: skip
#: The columns of the table of mergers that the size of a run depends on.
_KIND = ("mass_ratio", "bulge_over_halo")
_kind = operator.itemgetter(*_KIND)
#: More files a run are a burden to the file systems of clusters.
_MOST_FILES = 20
_SHEET_PICTURES = 108
_SAMPLED_LOGS, _HOUR = 200, 3600.0
_COSTS = ("core_s", "bytes", "memory_mb")
_ROUGHLY, _CLOSELY = 2.0, 1.3
_WIDTHS = (7, 7, 9, 9, 10, 9, 6)


class Job(NamedTuple):
    """A job of a stage: its size in every unit, whether its product is there, and how many files it writes."""

    size: dict[str, float]
    done: bool
    files: int


def run(settings: dict, cores: int, results: Path, rates: dict | None = None) -> dict:
    """What the project of a configuration takes in all, and what is left of it.

    Parameters
    ----------
    settings : dict
        The whole configuration.
    cores : int
        How many work at the same time.
    results : path
        Folder of the results; what is there is done.
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
    screened, learnt = config.selected_runs(settings), config.training_runs(settings)
    took = finished_jobs(results)
    jobs = _jobs(settings, screened, learnt, results)
    factors = corrections(settings, {**screened, **learnt}, took, rates)
    stages = [_stage(name, work, settings, rates, factors.get(name, 1.0)) for name, work in jobs.items()]
    each = (settings["simulate"]["snapshots"] + 1) * settings["render"]["views"]
    most = max(stages, key=lambda stage: stage["memory_mb"])
    answer = {
        "cores": cores, "runs": {"screened": len(screened), "learnt": len(learnt)},
        "frames": {"screened": each * len(screened), "learnt": each * len(learnt)},
        "files_per_run": files_per_run(settings), **_sums(stages), "wall_s": _wall(stages, cores, "core_s"),
        "left_wall_s": _wall(stages, cores, "left_core_s"), "memory_mb": most["memory_mb"],
        "memory_stage": most["stage"], "simulation_minutes": _longest(stages, "simulate_merger") / 60,
        **_trust(rates, took, factors), "stages": stages,
    }  # fmt: skip
    answer["files"] += len({**screened, **learnt})  # a log a run
    return answer | {"warnings": _warnings(answer, settings, results)}


def left(settings: dict, cores: int, results: Path) -> tuple[float, float]:
    """The least and the most seconds still to go, with so many cores."""
    answer = run(settings, cores, results)
    return answer["left_wall_s"] / answer["factor"], answer["left_wall_s"] * answer["factor"]


# Sizes ------------------------------------------------------------------------------------------------------


def sizes(settings: dict, row: dict) -> dict[str, float]:
    """The size of the jobs of one run, in every unit.

    Parameters
    ----------
    settings : dict
        The whole configuration.
    row : dict
        Its row of the table of mergers.

    Returns
    -------
    dict
        job (1), snapshots, frames, pixels (of all frames), sheet_pixels (of the contact sheet), particles, stars,
        particle_snapshots, particle_steps, star_snapshots, star_frames, film_pixels, film_stars, directions (of all
        snapshots), star_directions, member_frames.
    """
    simulate, render = settings["simulate"], settings["render"]
    snapshots = simulate["snapshots"] + 1
    frames, pixels = snapshots * render["views"], render["pixels"] ** 2
    particles, stars = particles_of(settings["initial"], row)
    directions, film = snapshots * settings["visibility"]["directions"], snapshots * render["film_views"]
    return {
        "job": 1, "snapshots": snapshots, "frames": frames, "pixels": frames * pixels,
        "sheet_pixels": min(frames, _SHEET_PICTURES) * pixels, "particles": particles, "stars": stars,
        "particle_snapshots": particles * snapshots, "particle_steps": particles * steps(simulate),
        "star_snapshots": stars * snapshots, "star_frames": stars * frames, "film_pixels": film * pixels,
        "film_stars": film * stars, "directions": directions, "star_directions": directions * stars,
        "member_frames": frames * settings["train"]["members"],
    }  # fmt: skip


def particles_of(settings: dict, row: dict) -> tuple[int, int]:
    """Particles of both galaxies of a run, and how many of them are stars; the smaller one has fewer by mass ratio."""
    stars = settings["disc_particles"] + (settings["bulge_particles"] if row["bulge_over_halo"] > 0 else 0)
    both = 1.0 + 1.0 / row["mass_ratio"]
    return round(both * (stars + settings["halo_particles"])), round(both * stars)


def steps(settings: dict) -> float:
    """Steps that a particle takes on average, from the section `simulate` of the configuration.

    A particle's step is sqrt(2 eta softening/a) (Springel 2005, eq. 34), rounded down to a power of two of the longest:
    so the steps grow as (eta softening)^-1/2 above the fewest. How many a particle of two dwarfs takes was counted
    (docs/benchmarks.md): 42 a Gyr at eta softening = 1 kpc.
    """
    longest = 1.0 / settings["time_step_gyr"]
    shortest = longest * 2.0 ** settings["time_step_levels"]
    own = 42.0 / math.sqrt(settings["time_step_accuracy"] * settings["softening_kpc"])
    # Direct summation and better forces are dearer a step, as benchmarks/gravity.py measures it.
    dearer = (0.01 / settings["force_accuracy"]) ** 0.17
    return settings["end_time_gyr"] * min(max(longest, own), shortest) * dearer


def sizes_once(settings: dict, screened: int, learnt: int, models: int) -> dict[str, float]:
    """The size of what is done once, in every unit: job, models, particles, star_frames, frames, pixels, ..."""
    render, train, verify = settings["render"], settings["train"], settings["verify"]
    each = (settings["simulate"]["snapshots"] + 1) * render["views"]
    pictures = models * render["shapes"]["pictures_per_model"]
    observed = (learnt * min(train["frames_per_run"], each) + pictures) * train["observations"]
    return {
        "job": 1, "models": models, "particles": models * settings["simulate"]["shapes"]["particles"],
        "star_frames": pictures * settings["simulate"]["shapes"]["particles"], "frames": pictures,
        "pixels": pictures * render["pixels"] ** 2, "observed": observed,
        "sheet_pixels": min(pictures, _SHEET_PICTURES) * render["pixels"] ** 2,
        "trained": observed * train["epochs"] * train["members"], "members": train["members"],
        "screened": screened * each, "runs": screened,
        "compared": verify["candidates"] + verify["null_frames"] + verify["ovals"],
        "candidates": verify["candidates"], "shown": settings["report"]["candidates"],
    }  # fmt: skip


def files_per_run(settings: dict) -> int:
    """Files that a screened run leaves, its log among them."""
    return 1 + sum(_files(stage, settings) for stage in FILES)


def _files(stage: str, settings: dict) -> int:
    """Files of one job of a stage of runs."""
    snapshots = 1 if settings["simulate"]["archive"] else settings["simulate"]["snapshots"] + 1
    return sum(snapshots if name.endswith("*") else 1 for name in FILES[stage])


# Jobs and costs ---------------------------------------------------------------------------------------------


def _jobs(settings: dict, screened: dict, learnt: dict, results: Path) -> dict[str, list[Job]]:
    """The jobs of every stage. Runs of one mass ratio and kind of galaxy have one and the same size."""
    rows, jobs = {**screened, **learnt}, {}
    size_of = {kind: sizes(settings, dict(zip(_KIND, kind, strict=True))) for kind in set(map(_kind, rows.values()))}
    for stage in FILES:
        wanted = rows if stage in status.OF_LEARNT else screened
        done, files = status.done_runs(results, stage), _files(stage, settings)
        jobs[stage] = [Job(size_of[_kind(row)], run in done, files) for run, row in wanted.items()]
    models = len(config.read_shapes(config.resolve(settings["simulate"]["shapes"]["table"])))
    size, done = sizes_once(settings, len(screened), len(learnt), models), status.done_once(results)
    files = {"simulate_shapes": 2 * models + 1} | _FILES_ONCE
    return jobs | {stage: [Job(size, stage in done, files.get(stage, len(FILES_ONCE[stage])))] for stage in FILES_ONCE}


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


def _stage(name: str, jobs: list[Job], settings: dict, rates: dict, factor: float) -> dict:
    """The row of one stage, whose jobs take `factor` times as long as the rates foretell."""
    sizes = {id(job.size): job.size for job in jobs}  # few, so each is priced once
    price = {what: {key: cost(name, size, rates, what) for key, size in sizes.items()} for what in _COSTS}
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


# What the project's own logs say ----------------------------------------------------------------------------


def finished_jobs(results: Path) -> list[status.Took]:
    """What finished commands took, from at most 200 logs spread evenly."""
    paths = status.logs(results)
    chosen = paths[:: math.ceil(len(paths) / _SAMPLED_LOGS)] if paths else []
    return [took for path in chosen for took in status.read_log(path).took]


def corrections(settings: dict, rows: dict, took: list[status.Took], rates: dict) -> dict[str, float]:
    """How much dearer the jobs of each stage were than the rates foretell: a factor by stage that has finished jobs."""
    sums: dict[str, list[float]] = {}
    for job in took:
        if job.verb in FILES and job.subject in rows:
            expected = cost(job.verb, sizes(settings, rows[job.subject]), rates, "core_s")
            total = sums.setdefault(job.verb, [0.0, 0.0])
            total[0] += job.core_seconds
            total[1] += expected
    return {stage: measured / expected for stage, (measured, expected) in sums.items() if measured > 0}


def _trust(rates: dict, took: list[status.Took], factors: dict) -> dict:
    """Where the rates come from, and by which factor they may be off."""
    runs = len({job.subject for job in took if job.verb == "simulate_merger"})
    if runs and "simulate_merger" in factors:
        return {"rates": f"this project's {runs} finished run{'s' * (runs > 1)}", "factor": _CLOSELY}
    machine = rates["measured"]["machine"]
    return {"rates": f"as shipped, measured on {machine}; expect a factor of {_ROUGHLY:g}", "factor": _ROUGHLY}


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
        found.append(f"{_bytes(answer['left_bytes'])} to write and {_bytes(free)} free on the disk of {results}")
    return found


# Text -------------------------------------------------------------------------------------------------------


def lines(answer: dict) -> list[str]:
    """The plan as a table with what matters most above it."""
    head = [
        *(
            f"{what}: {answer[what]['screened']:,} screened, {answer[what]['learnt']:,} learnt from"
            for what in ("runs", "frames")
        ),
        f"files: {answer['files']:,}, {answer['files_per_run']} a run; {_bytes(answer['bytes'])}; "
        f"{_hours(answer['core_hours'])} core hours; {_time(answer['wall_s'])} on {answer['cores']} cores",
        f"left: {_hours(answer['left_core_hours'])} core hours, {_time(answer['left_wall_s'])}, "
        f"{_bytes(answer['left_bytes'])}",
        f"largest job: {answer['memory_mb']:,.0f} MB ({answer['memory_stage']}); longest simulation: "
        f"{_time(60 * answer['simulation_minutes'])}",
        f"rates: {answer['rates']}",
    ]
    names = ("jobs", "done", "files", "bytes", "core hours", "left", "MB")
    columns = "stage".ljust(16) + "".join(f" {name:>{width}}" for name, width in zip(names, _WIDTHS, strict=True))
    return [*head, *(f"warning: {text}" for text in answer["warnings"]), columns, *map(_row, answer["stages"])]


def _row(stage: dict) -> str:
    hours = [_hours(stage[name] / _HOUR) for name in ("core_s", "left_core_s")]
    values = *(f"{stage[name]:,}" for name in ("jobs", "done", "files")), _bytes(stage["bytes"]), *hours
    cells = zip((*values, f"{stage['memory_mb']:.0f}"), _WIDTHS, strict=True)
    return stage["stage"].ljust(16) + "".join(f" {value:>{width}}" for value, width in cells)


def _hours(hours: float) -> str:
    return f"{hours:,.0f}" if hours >= 100 else f"{hours:.3g}" if hours >= 0.1 else f"{hours:.4f}"


def _bytes(number: float) -> str:
    """A size on disk in the largest unit that leaves a digit before the point."""
    power = min(4, int(math.log10(max(number, 1)) / 3))
    return f"{number / 1000**power:.3g} {('B', 'kB', 'MB', 'GB', 'TB')[power]}"


def _time(seconds: float) -> str:
    """A span of time in the unit that suits it."""
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"
