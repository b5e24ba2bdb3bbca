"""Speed of the tree on two colliding dwarf galaxies: particles a second and core against the error of the force.

usage: python benchmarks/gravity.py [--json] [--particles N...] [--accuracy ALPHA...] [--threads N...] [--sample N]

What is timed is what a step of a run costs: sorting, a new tree, the forces on all particles, kick and drift. Errors
are relative, against direct summation in double precision of random targets. Cost is given in pairs of direct
summation by the same build, timed in the same run, too; so it hardly depends on the machine. Peers run where they
are installed (pytreegrav from PyPI), at their own softening, against their own direct sum.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from galclass import config, initial, kernels
from galclass.units import G

SOFTENING = 0.05
#: Near-radial collision 16 kpc apart, each disc at 45 degrees to the orbit.
ORBIT = {
    "mass_ratio": 1,
    "pericentre_kpc": 0.0157,
    "eccentricity": 0.99834,
    "separation_kpc": 16,
    "bulge_over_halo": 0,
    "inclination1_deg": 45,
    "argument1_deg": 90,
    "inclination2_deg": 45,
    "argument2_deg": 90,
}
#: Vector instructions of one pass of direct summation over eight pairs in single precision: squares 3, root 1, Newton
#: step 4, attraction 3, sums 3, on two units; five additions run beside them.
MULTIPLY_OPS = 14
#: A step so short [kpc/(km/s)] that nothing moves: the same forces again and again.
NO_TIME = 1e-9
#: What a child does whose memory is measured: everything is loaded, then one call. The peak of getrusage would be that
#: of the parent, so Linux is asked for that of the child alone.
CHILD = """
import sys
import numpy as np
from galclass import kernels

def kilobytes(what):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(what))

positions, masses = np.load(sys.argv[1]), np.load(sys.argv[2])
kernels.accelerations(positions[:1000], masses[:1000], 0.05)
open("/proc/self/clear_refs", "w").write("5")
before = kilobytes("VmRSS")
kernels.accelerations(positions, masses, 0.05, threads=1)
print(1024 * (kilobytes("VmHWM") - before) / len(masses))
"""


def pair(particles: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions [kpc], velocities [km/s] and masses [1e10 Msun] of two dwarfs, 40 % disc and 60 % halo."""
    disc = round(0.2 * particles)
    numbers = {"disc_particles": disc, "halo_particles": particles // 2 - disc, "bulge_particles": 0}
    both = initial.merger(ORBIT, config.load()["initial"] | numbers, seed, SOFTENING)
    return both.positions, both.velocities, both.masses


def best_time(call, repeats: int = 3) -> float:
    """Shortest wall-clock time of a call [s]: other processes only ever make it longer."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def exact_pulls(positions: np.ndarray, masses: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Accelerations [(km/s)^2/kpc] of some particles by direct summation in double precision, shape (m, 3)."""
    x, gm = np.ascontiguousarray(positions.T), G * masses
    result = np.empty((len(targets), 3))
    for row, target in enumerate(targets):
        d = x - x[:, target, None]
        square = np.einsum("ij,ij->j", d, d) + SOFTENING**2
        result[row] = d @ (gm / (square * np.sqrt(square)))
    return result


def errors(found: np.ndarray, exact: np.ndarray) -> dict:
    """Root mean square, median, 99th percentile and largest relative error."""
    off = np.linalg.norm(found - exact, axis=1) / np.linalg.norm(exact, axis=1)
    rms = float(np.sqrt((off**2).mean()))
    p50, p99 = (float(np.quantile(off, q)) for q in (0.5, 0.99))
    return {"rms": rms, "median": p50, "p99": p99, "p99_over_rms": p99 / rms, "max": float(off.max())}


def direct_pairs_per_s(threads: int, n: int = 32768) -> float:
    """Pairs a second and core of direct summation in single precision."""
    positions, _, masses = pair(n)
    seconds = best_time(lambda: kernels.accelerations(positions, masses, SOFTENING, "direct", threads=threads))
    return n**2 / seconds / threads


def seconds_per_step(start: tuple, accuracy: float, threads: int) -> float:
    """Time of one step of all particles [s]: that of k steps more, since the first forces cost extra."""
    more = max(2, 500_000 // len(start[2]))

    def run(steps):
        kernels.integrate(*start, SOFTENING, NO_TIME, steps, accuracy=accuracy, threads=threads)

    return (best_time(lambda: run(1 + more)) - best_time(lambda: run(1))) / more


def rows(start: tuple, accuracies: list[float], threads: list[int], sample: int, pairs_per_s: dict) -> list[dict]:
    """The speed table of one pair of galaxies."""
    positions, _, masses = start
    n = len(masses)
    targets = np.random.default_rng(1).choice(n, min(n, sample), replace=False)
    exact = exact_pulls(positions, masses, targets)
    table = []
    for accuracy in accuracies:
        found, _ = kernels.accelerations(positions, masses, SOFTENING, accuracy=accuracy)
        off = errors(found[targets], exact)
        for count in threads:
            speed = n / seconds_per_step(start, accuracy, count) / count
            cost = {"particles_per_s_per_core": speed, "pairs_per_particle": pairs_per_s[count] / speed}
            table.append({"n": n, "threads": count, "accuracy": accuracy} | off | cost)
    return table


def thread_scaling(table: list[dict]) -> list[dict]:
    """Speed of all threads together over that of one, for each number of particles and accuracy."""
    single = {(r["n"], r["accuracy"]): r["particles_per_s_per_core"] for r in table if r["threads"] == 1}
    return [
        {key: r[key] for key in ("n", "accuracy", "threads")}
        | {"times_faster": r["threads"] * r["particles_per_s_per_core"] / single[r["n"], r["accuracy"]]}
        for r in table
        if r["threads"] > 1 and (r["n"], r["accuracy"]) in single
    ]


def bytes_per_particle(start: tuple) -> float | None:
    """Largest memory of one evaluation of all forces beyond that of the program and its input; only Linux tells."""
    if not Path("/proc/self/clear_refs").exists():
        return None
    with tempfile.TemporaryDirectory() as folder:
        files = [str(Path(folder) / name) for name in ("positions.npy", "masses.npy")]
        np.save(files[0], start[0])
        np.save(files[1], start[2])
        done = subprocess.run([sys.executable, "-c", CHILD, *files], capture_output=True, text=True, check=True)
    return float(done.stdout)


def pytreegrav_rows(start: tuple, sample: int, table: list[dict]) -> list[dict]:
    """The same for pytreegrav, one thread, at a few of its opening angles; none where it is not installed."""
    try:
        import pytreegrav
    except ImportError:
        return []
    positions, _, masses = start
    n = len(masses)
    targets = np.random.default_rng(1).choice(n, min(n, sample), replace=False)
    # Its softening is the radius of a spline kernel, 2.8 Plummer lengths (Springel 2005).
    kernel = np.full(n, 2.8 * SOFTENING)
    exact = pytreegrav.AccelTarget(
        positions[targets], positions, masses, kernel[targets], kernel, G=G, method="bruteforce"
    )
    found = []
    for theta in (1.0, 0.7):
        how = {"softening": kernel, "G": G, "theta": theta, "method": "tree", "quadrupole": True}
        pytreegrav.Accel(positions[:2000], masses[:2000], **how | {"softening": kernel[:2000]})  # compiles
        off = errors(pytreegrav.Accel(positions, masses, **how)[targets], exact)
        speed = n / best_time(lambda how=how: pytreegrav.Accel(positions, masses, **how), 2)
        ours = [r for r in table if (r["n"], r["threads"]) == (n, 1) and r["rms"] <= off["rms"]]
        ratio = max((r["particles_per_s_per_core"] for r in ours), default=np.nan) / speed
        row = {"name": "pytreegrav", "n": n, "threads": 1, "theta": theta, "particles_per_s_per_core": speed}
        found.append(row | off | {"tree_times_faster_at_no_larger_error": ratio if ours else None})
    return found


def figures(particles: list[int], accuracies: list[float], threads: list[int], sample: int) -> dict:
    """All figures; ratios are taken within this run."""
    pairs_per_s = {count: direct_pairs_per_s(count) for count in threads}
    table, peers, memory = [], [], {}
    for n in particles:
        start = pair(n)
        table += rows(start, accuracies, threads, sample, pairs_per_s)
        memory[str(n)] = bytes_per_particle(start)
        if n <= 200_000:
            peers += pytreegrav_rows(start, sample, table)
    return {
        "rows": table,
        "thread_scaling": thread_scaling(table),
        "direct_pairs_per_s_per_core": {str(count): speed for count, speed in pairs_per_s.items()},
        "direct_floor_pairs_per_s_per_core_per_ghz": 8 * 2 / MULTIPLY_OPS * 1e9,
        "bytes_per_particle": memory,
        "peers": peers,
    }


def show(found: dict) -> None:
    """Print the figures as a table."""
    for threads, speed in found["direct_pairs_per_s_per_core"].items():
        print(f"direct summation, {threads} threads: {speed / 1e9:.2f} G pairs/s/core")
    print("particles threads accuracy   rms      median   99 %     largest  1e6 particles/s/core  pairs/particle")
    for r in found["rows"] + found["peers"]:
        name = f"{r['accuracy']:8g}" if "accuracy" in r else f"{r['name'][:8]}"
        cost = f"{r['pairs_per_particle']:14.0f}" if "accuracy" in r else f" theta {r['theta']:g}"
        off = "  ".join(f"{r[key]:.1e}" for key in ("rms", "median", "p99", "max"))
        print(f"{r['n']:9d} {r['threads']:7d} {name}  {off} {r['particles_per_s_per_core'] / 1e6:13.3f} {cost}")
    for r in found["peers"]:
        ratio = r["tree_times_faster_at_no_larger_error"]
        if ratio:
            print(f"{r['name']}, theta {r['theta']:g}: the tree is {ratio:.0f} times faster at no larger error")
    for r in found["thread_scaling"]:
        print(
            f"{r['n']} particles, accuracy {r['accuracy']:g}: {r['threads']} threads {r['times_faster']:.2f} times one"
        )
    for n, memory in found["bytes_per_particle"].items():
        print(f"{n} particles: {memory} bytes each beyond the input")


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--particles", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--accuracy", type=float, nargs="+", default=[0.03, 0.01, 0.003, 0.001, 0.0003])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--sample", type=int, default=2000, help="targets whose force is summed exactly")
    chosen = parser.parse_args(arguments)
    found = figures(chosen.particles, chosen.accuracy, chosen.threads, chosen.sample)
    print(json.dumps(found)) if chosen.json else show(found)


if __name__ == "__main__":
    main(sys.argv[1:])
