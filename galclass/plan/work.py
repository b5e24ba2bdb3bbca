"""How much work the jobs of a project are, in units that follow from the configuration, and what files they write."""

import math
import operator
from pathlib import Path
from typing import NamedTuple

from galclass import config, status

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
#: The columns of the table of mergers that the size of a run depends on.
_KIND = ("mass_ratio", "bulge_over_halo")
_kind = operator.itemgetter(*_KIND)
_SHEET_PICTURES = 108


class Job(NamedTuple):
    """A job of a stage: its size in every unit, whether its product is there, and how many files it writes."""

    size: dict[str, float]
    done: bool
    files: int


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


def jobs(
    settings: dict, screened: dict, learnt: dict, results: Path, again: dict[str, set[str]]
) -> dict[str, list[Job]]:
    """The jobs of every stage; what will be made `again` is not done.

    Runs of one mass ratio and kind of galaxy have one and the same size.
    """
    rows, jobs = {**screened, **learnt}, {}
    size_of = {kind: sizes(settings, dict(zip(_KIND, kind, strict=True))) for kind in set(map(_kind, rows.values()))}
    for stage in FILES:
        wanted = rows if stage in status.OF_LEARNT else screened
        done, files = status.done_runs(results, stage) - again[stage], _files(stage, settings)
        jobs[stage] = [Job(size_of[_kind(row)], run in done, files) for run, row in wanted.items()]
    models = len(config.read_shapes(config.resolve(settings["simulate"]["shapes"]["table"])))
    size = sizes_once(settings, len(screened), len(learnt), models)
    done = status.done_once(results).difference(*again.values())
    files = {"simulate_shapes": 2 * models + 1} | _FILES_ONCE
    return jobs | {stage: [Job(size, stage in done, files.get(stage, len(FILES_ONCE[stage])))] for stage in FILES_ONCE}
