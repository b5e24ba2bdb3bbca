"""Time and energy error of a whole merger: two dwarfs of 40,000 disc and 60,000 halo particles collide.

usage: python benchmarks/merger.py [--json] [--particles N] [--blocks ETA...] [--fixed STEPS...] [--threads N...]

Softening 0.05 kpc, one unit of time (0.978 Gyr). Block steps are run at several values of the criterion's eta, fixed
steps at several lengths; between the fixed ones the time at the energy error of the blocks is interpolated, so that
both are compared at equal error. The fastest blocks that keep the energy as well as asked run on more threads, too.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from gravity import SOFTENING, pair

from galclass import config, simulate, snapshot
from galclass.units import GYR_PER_TIME

#: The longest of the block steps, in shares of the run.
LONGEST = 128
LEVELS = 4
SNAPSHOTS = 4
#: Energy error at which times are compared: that of gyrfalcON with 1024 fixed steps.
ENERGY_ERROR = 2.4e-4


def program(folder: Path) -> Path:
    """The merger of the pipeline, or one that is built now."""
    built = config.ROOT / "results" / "bin" / "merger"
    if not built.is_file():
        built = folder / "merger"
        # The compiler's messages do not belong into --json.
        galclass = Path(sys.executable).with_name("galclass")
        subprocess.run([galclass, "compile", "merger", "--output", built], check=True, stdout=sys.stderr)
    return built


def write_pair(path: Path, particles: int) -> None:
    """Initial conditions as a GADGET file."""
    positions, velocities, masses = pair(particles)
    types = np.full(particles, snapshot.TYPES["halo"], dtype=np.int8)
    ids = np.arange(1, particles + 1)
    snapshot.write(path, snapshot.Snapshot(positions, velocities, masses, ids, types))


def run(folder: Path, merger: Path, threads: int, **how) -> dict:
    """Wall-clock time [s] and largest energy error of one run."""
    settings = config.load()["simulate"] | how
    settings |= {"end_time_gyr": GYR_PER_TIME, "softening_kpc": SOFTENING, "snapshots": SNAPSHOTS, "solver": "tree"}
    output = folder / "-".join(f"{value:g}" for value in (threads, *how.values()))
    output.mkdir()
    namelist = folder / f"{output.name}.nml"
    namelist.write_text(simulate.merger_namelist(folder / "pair.dat", output, settings, threads))
    start = time.perf_counter()
    subprocess.run([merger, namelist], check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    log = np.genfromtxt(output / "energy.csv", delimiter=",", names=True, skip_header=1)
    return {"threads": threads, "seconds": seconds, "energy_error": float(np.abs(log["energy_drift"]).max())} | how


def blocks(eta: float, accuracy: float) -> dict:
    """Settings of block steps."""
    return {
        "time_step_gyr": GYR_PER_TIME / LONGEST,
        "time_step_levels": LEVELS,
        "time_step_accuracy": eta,
        "force_accuracy": accuracy,
    }


def fixed(steps: int, accuracy: float) -> dict:
    """Settings of equal steps for all."""
    return blocks(0.025, accuracy) | {"time_step_gyr": GYR_PER_TIME / steps, "time_step_levels": 0}


def seconds_at(error: float, runs: list[dict]) -> float:
    """Time at an energy error, between runs (beyond them along the last line) as powers of each other."""
    order = sorted(runs, key=lambda r: r["energy_error"])
    x, y = (np.log([r[key] for r in order]) for key in ("energy_error", "seconds"))
    at = int(np.clip(np.searchsorted(x, np.log(error)), 1, len(x) - 1))
    slope = (y[at] - y[at - 1]) / (x[at] - x[at - 1])
    return float(np.exp(y[at] + slope * (np.log(error) - x[at])))


def figures(particles: int, etas: list[float], steps: list[int], threads: list[int], accuracy: float) -> dict:
    """All figures; ratios are taken within this run."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        merger = program(folder)
        write_pair(folder / "pair.dat", particles)
        block_runs = [run(folder, merger, 1, **blocks(eta, accuracy)) for eta in etas]
        fixed_runs = [run(folder, merger, 1, **fixed(count, accuracy)) for count in steps]
        good = [r for r in block_runs if r["energy_error"] <= ENERGY_ERROR] or block_runs
        best = min(good, key=lambda r: r["seconds"])
        eta = best["time_step_accuracy"]
        more = [run(folder, merger, count, **blocks(eta, accuracy)) for count in threads if count > 1]
    for r in block_runs:
        r["over_fixed_at_equal_error"] = r["seconds"] / seconds_at(r["energy_error"], fixed_runs)
    return {
        "particles": particles,
        "blocks": block_runs,
        "fixed": fixed_runs,
        "best": best,
        "more_threads": more,
        "seconds": {str(r["threads"]): r["seconds"] for r in (best, *more)},
        "energy_error": best["energy_error"],
        "blocks_over_fixed_at_equal_error": best["over_fixed_at_equal_error"],
    }


def show(found: dict) -> None:
    """Print the figures as a table."""
    print(f"{found['particles']} particles\nsteps                   threads  seconds  largest |dE/E|")
    for r in found["blocks"] + found["more_threads"]:
        print(
            f"blocks, eta {r['time_step_accuracy']:<11g} {r['threads']:7d} {r['seconds']:8.1f}  {r['energy_error']:.1e}"
        )
    for r in found["fixed"]:
        print(
            f"{GYR_PER_TIME / r['time_step_gyr']:6.0f} equal steps      1 {r['seconds']:14.1f}  {r['energy_error']:.1e}"
        )
    print(f"blocks take {found['blocks_over_fixed_at_equal_error']:.2f} of the time of equal steps at equal error")


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--particles", type=int, default=200_000)
    parser.add_argument("--blocks", type=float, nargs="+", default=[0.15, 0.1], help="eta of the block steps")
    parser.add_argument(
        "--fixed", type=int, nargs="+", default=[512, 1024], help="numbers of equal steps, at least two"
    )
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--accuracy", type=float, default=config.load()["simulate"]["force_accuracy"])
    chosen = parser.parse_args(arguments)
    found = figures(chosen.particles, chosen.blocks, chosen.fixed, chosen.threads, chosen.accuracy)
    print(json.dumps(found)) if chosen.json else show(found)


if __name__ == "__main__":
    main(sys.argv[1:])
