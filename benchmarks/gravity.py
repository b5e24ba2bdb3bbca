"""Speed of direct summation: pairs a second and core, beside NumPy in the same run and the processor's floor.

usage: python benchmarks/gravity.py [--json]

The floor counts the vector instructions of one pass over eight pairs in single precision: fourteen
multiplications, fused multiply-adds and reciprocal roots, which two units share, so seven cycles; five
additions run beside them. It is given for each GHz of the clock, which a virtual machine does not tell truly.
"""

import argparse
import json
import sys
import time

import numpy as np

from galclass import kernels
from galclass.units import G

SOFTENING = 0.05
#: Multiply-type vector instructions for eight pairs: squares 3, root 1, Newton step 4, attraction 3, sums 3.
MULTIPLY_OPS = 14
FLOOR = {
    "multiply_ops_per_8_pairs": MULTIPLY_OPS,
    "add_ops_per_8_pairs": 5,
    "pairs_per_s_per_core_per_ghz": 8 * 2 / MULTIPLY_OPS * 1e9,
}


def cloud(n: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Positions [kpc] and masses [1e10 Msun] of a Plummer (1911) sphere of scale 1 kpc."""
    rng = np.random.default_rng(seed)
    radius = (rng.uniform(size=n) ** (-2 / 3) - 1) ** -0.5
    direction = rng.normal(size=(n, 3))
    return (radius / np.linalg.norm(direction, axis=1))[:, None] * direction, np.full(n, 1 / n)


def best_time(call, repeats: int = 3) -> float:
    """Shortest wall-clock time of a call [s]: other processes only ever make it longer."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def numpy_accelerations(positions: np.ndarray, masses: np.ndarray, block: int = 64) -> np.ndarray:
    """The same sum with NumPy in single precision, a block of targets at a time."""
    x, gm = positions.astype("f4"), (G * masses).astype("f4")
    result = np.empty_like(x)
    for first in range(0, len(x), block):
        d = x[None] - x[first : first + block, None]
        inverse = 1 / np.sqrt(np.einsum("ijk,ijk->ij", d, d) + np.float32(SOFTENING**2))
        result[first : first + block] = np.einsum("ij,ijk->ik", gm * inverse**3, d)
    return result


def row(n: int, threads: int, precision: str) -> dict:
    """Speed and error of one case."""
    positions, masses = cloud(n)

    def call():
        return kernels.accelerations(positions, masses, SOFTENING, precision, threads)

    seconds = best_time(call)
    exact, _ = kernels.accelerations(positions, masses, SOFTENING, "double")
    off = np.linalg.norm(call()[0] - exact, axis=1) / np.linalg.norm(exact, axis=1)
    return {
        "n": n,
        "threads": threads,
        "precision": precision,
        "rms": float(np.sqrt((off**2).mean())),
        "pairs_per_s_per_core": n**2 / seconds / threads,
        "particles_per_s_per_core": n / seconds / threads,
    }


def figures() -> dict:
    """All figures; ratios are taken within this run."""
    cases = [(4096, 1, "single"), (16384, 1, "single"), (16384, 2, "single"), (8192, 1, "double")]
    rows = [row(*case) for case in cases]
    positions, masses = cloud(4096)
    numpy_speed = 4096**2 / best_time(lambda: numpy_accelerations(positions, masses))
    return {
        "rows": rows,
        "floor": FLOOR,
        "numpy_pairs_per_s": numpy_speed,
        "ratio_to_numpy": rows[0]["pairs_per_s_per_core"] / numpy_speed,
    }


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    as_json = parser.parse_args(arguments).json
    found = figures()
    if as_json:
        print(json.dumps(found))
        return
    for entry in found["rows"]:
        speed = entry["pairs_per_s_per_core"] / 1e9
        print(f"{entry['n']:>6} particles, {entry['threads']} threads, {entry['precision']}: ", end="")
        print(f"{speed:.2f} G pairs/s/core, rms error {entry['rms']:.1e}")
    print(
        f"{found['ratio_to_numpy']:.0f} times NumPy; floor {FLOOR['pairs_per_s_per_core_per_ghz'] / 1e9:.2f}",
        end="",
    )
    print(" G pairs/s/core for each GHz")


if __name__ == "__main__":
    main(sys.argv[1:])
