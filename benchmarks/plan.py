"""What jobs cost a unit, for `galclass plan`, fitted to finished projects by what their commands took in their logs.

`python benchmarks/plan.py PROJECT ...` (folders with results/, best of different sizes) fits; with `--write` it writes
config/rates.yaml. What none of them has finished keeps its price. `python benchmarks/plan.py --check PROJECT` says what
the rates as they are foretell of a finished project, over what it took.
"""

import argparse
import json
import platform
from pathlib import Path

import numpy as np
import yaml
from scipy.optimize import nnls

from galclass import config, plan, status
from galclass.files import write_text

#: The units that the cost of each stage is made of; what they cost is fitted.
TERMS = {
    "initial": (("job", "particles"), ("particles", "job"), ("job", "particles")),
    "simulate_merger": (("job", "particle_steps"), ("job", "particle_snapshots"), ("job", "particles")),
    "render": (("job", "star_snapshots", "pixels"), ("pixels", "sheet_pixels"), ("job", "pixels", "stars")),
    "render_film": (("job", "film_stars", "snapshots"), ("film_pixels", "job"), ("job", "film_stars")),
    "label": (("job", "frames"), ("frames", "job"), ("job", "pixels")),
    "classify": (("job",), ("frames", "job"), ("job", "pixels")),
    "visibility": (("job", "directions"), ("directions", "job"), ("job", "directions")),
    "compile merger": (("job",), ("job",), ("job",)),
    "compile shape": (("job",), ("job",), ("job",)),
    "simulate_shapes": (("job", "particles"), ("particles", "models"), ("job",)),
    "render_shapes": (("job", "particles", "frames"), ("pixels", "frames", "sheet_pixels"), ("job", "pixels")),
    "label shapes": (("job", "frames"), ("frames", "models"), ("job", "pixels")),
    "train": (("job", "trained", "observed"), ("job", "members"), ("job", "observed")),
    "reference": (("job",), ("job",), ("job",)),
    "verify": (("job", "compared"), ("job", "compared", "candidates"), ("job",)),
    "report": (("job", "shown"), ("job", "runs", "shown"), ("job",)),
}  # fmt: skip
#: Core seconds that small projects cannot show, from the benchmarks of one stage each (docs/benchmarks.md): drawing a
#: star [view], classifying a frame [member], comparing a frame with the reference.
KNOWN = {"render": {"star_frames": 5.1e-9}, "render_shapes": {"star_frames": 5.1e-9},
         "visibility": {"star_directions": 5.1e-9}, "classify": {"member_frames": 1.7e-4},
         "verify": {"screened": 3.3e-4}}  # fmt: skip
WHAT = ("core_s", "bytes", "memory_mb")


def measured(project: Path) -> list[tuple[str, dict, dict]]:
    """The finished jobs of a project: stage, size in every unit, and cost; what was not noted is NaN."""
    results = project / "results"
    settings = config.load([results / "config.yaml"])
    screened, learnt = config.selected_runs(settings), config.training_runs(settings)
    rows, took = {**screened, **learnt}, {}
    for path in status.logs(results):
        for job in status.read_log(path).took:
            took[job.verb, job.subject] = took[job.verb] = job
    jobs = []
    for stage in plan.FILES:
        for run in rows if stage in status.OF_LEARNT else screened:
            files = _bytes(results, plan.FILES[stage], run)
            jobs.append((stage, plan.sizes(settings, rows[run]), _cost(took.get((stage, run)), files)))
    models = config.read_shapes(config.resolve(settings["simulate"]["shapes"]["table"]))
    once = plan.sizes_once(settings, len(screened), len(learnt), len(models))
    for stage, patterns in plan.FILES_ONCE.items():
        key = tuple(stage.split()) if " " in stage else stage
        jobs.append((stage, once, _cost(took.get(key), _bytes(results, patterns, ""))))
    return jobs


def _bytes(results: Path, patterns: list[str], run: str) -> int:
    """Bytes of the files of a job."""
    return sum(file.stat().st_size for pattern in patterns for file in results.glob(pattern.format(run=run)))


def _cost(job: status.Took | None, size: int) -> dict[str, float]:
    if job is None:
        return {"core_s": np.nan, "memory_mb": np.nan, "bytes": size or np.nan}
    return {"core_s": job.core_seconds, "memory_mb": job.memory_mb, "bytes": size or np.nan}


def fit(jobs: list[tuple[str, dict, dict]], before: dict) -> dict:
    """What every unit costs, none less than nothing, so that the relative errors are least; else as `before`."""
    found = {stage: {} for stage in TERMS}
    for stage in TERMS:
        for what, terms in zip(WHAT, TERMS[stage], strict=True):
            samples = [(size, cost[what]) for name, size, cost in jobs if name == stage and cost[what] > 0]
            known = KNOWN.get(stage, {}) if what == "core_s" else {}
            found[stage][what] = _fit_one(samples, terms, known) if samples else before[stage][what]
    return found


def _fit_one(samples: list[tuple[dict, float]], terms: tuple[str, ...], known: dict[str, float]) -> dict[str, float]:
    """The prices of some units beside those that are known, from sizes and costs."""
    matrix = np.array([[size[term] / cost for term in terms] for size, cost in samples])
    rest = [1.0 - sum(price * size[unit] for unit, price in known.items()) / cost for size, cost in samples]
    scale = np.maximum(matrix.max(axis=0), 1e-300)
    prices = nnls(matrix / scale, np.maximum(rest, 0.0))[0] / scale
    found = {term: float(f"{price:.3g}") for term, price in zip(terms, prices, strict=True) if price > 0}
    return found | known


def ratios(jobs: list[tuple[str, dict, dict]], rates: dict) -> dict[str, dict[str, float]]:
    """What the rates foretell of all jobs of a stage, over what they took."""
    found: dict = {}
    for stage in TERMS:
        for what in WHAT:
            pairs = [(plan.cost(stage, size, rates, what), cost[what]) for name, size, cost in jobs
                     if name == stage and np.isfinite(cost[what])]  # fmt: skip
            if pairs:
                expected, real = np.sum(pairs, axis=0)
                found.setdefault(stage, {})[what] = round(float(expected / real), 2)
    return found


def machine() -> str:
    """The kind of processor, without a name or a date."""
    models = [line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
              if line.startswith("model name")] if Path("/proc/cpuinfo").exists() else []  # fmt: skip
    return f"{models[0] if models else platform.processor()}, {platform.system()} {platform.machine()}"


def main() -> None:
    """Fit, and say or write what was found."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("projects", nargs="*", type=Path, help="finished projects (folders with results/)")
    options.add_argument("--write", action="store_true", help="write config/rates.yaml")
    options.add_argument("--check", type=Path, help="a finished project to foretell")
    options.add_argument("--json", action="store_true")
    given = options.parse_args()
    if bool(given.projects) == bool(given.check):
        options.error("give finished projects to fit to, or one to --check")
    before = plan.read_rates()
    if given.check:
        answer = ratios(measured(given.check), before)
    else:
        jobs = [job for project in given.projects for job in measured(project)]
        rates = {"measured": {"machine": machine(), "by": "benchmarks/plan.py"}, "stages": fit(jobs, before["stages"])}
        answer = {"fit": ratios(jobs, rates), "rates": rates}
        if given.write:
            write_text(plan.RATES, _HEAD + yaml.safe_dump(rates, sort_keys=False))
    print(json.dumps(answer, indent=1) if given.json else yaml.safe_dump(answer, sort_keys=False))


_HEAD = """\
# What jobs cost, for `galclass plan`: core seconds, bytes on disk and memory [MB] of a job of each stage are sums of
# price times size in that unit; the units stand in galclass/plan/work.py. Made by benchmarks/plan.py.
"""


if __name__ == "__main__":
    main()
