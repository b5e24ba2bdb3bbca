"""How fast snapshots are read, as ratios to reading the same bytes bare: python benchmarks/snapshot.py [--json]"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from galclass import snapshot
from galclass.snapshot import Snapshot, converting


def particles(count: int) -> Snapshot:
    """Nine tenths dark matter, one tenth stars."""
    rng = np.random.default_rng(1)
    types = np.repeat(np.array([1, 4], np.int8), [count - count // 10, count // 10])
    places, speeds = rng.normal(size=(count, 3)), rng.normal(size=(count, 3))
    return Snapshot(places, speeds, np.full(count, 1e-6), np.arange(1, count + 1), types, 1.0)


def bare_hdf5(path: Path) -> None:
    """Every dataset of the particles, by h5py alone."""
    with h5py.File(path) as file:
        for group in (name for name in file if name.startswith("PartType")):
            for name in file[group]:
                file[group][name][:]


def compress(path: Path, output: Path) -> None:
    """A copy whose datasets are compressed, as many codes write them."""
    with h5py.File(path) as file, h5py.File(output, "w") as packed:
        for group in file:
            if not group.startswith("PartType"):
                file.copy(group, packed)
            for name in file[group]:
                packed.create_dataset(f"{group}/{name}", data=file[group][name][:], compression="gzip", shuffle=True)


def seconds(work: Callable[[], object], times: int) -> float:
    """The shortest of some runs."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return min(taken)


def row(path: Path, bare: Callable[[], object], count: int, times: int) -> dict:
    """Figures of one file."""
    whole, alone = seconds(lambda: snapshot.read(path), times), seconds(bare, times)
    return {
        "format": snapshot.header(path).format + (" gzip" if path.name.startswith("packed") else ""),
        "particles": count,
        "mbytes": path.stat().st_size / 1e6,
        "read_s": whole,
        "mbytes_per_s": path.stat().st_size / 1e6 / whole,
        "over_bare": whole / alone,
        "stars_only_share": seconds(lambda: snapshot.read(path, types="stars"), times) / whole,
    }


def measure(count: int, times: int) -> list[dict]:
    """One row for each kind of file."""
    with tempfile.TemporaryDirectory() as folder:
        binary, plain, packed = (Path(folder) / name for name in ("binary", "plain.hdf5", "packed.hdf5"))
        some = particles(count)
        snapshot.write(binary, some)
        converting.write_hdf5(plain, some)
        compress(plain, packed)
        return [
            row(binary, lambda: np.fromfile(binary, "<f4").astype(float), count, times),
            row(plain, lambda: bare_hdf5(plain), count, times),
            row(packed, lambda: bare_hdf5(packed), count, times),
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    parser.add_argument("-n", type=int, default=1_000_000, help="particles")
    parser.add_argument("--times", type=int, default=5, help="runs of which the shortest counts")
    asked = parser.parse_args()
    rows = measure(asked.n, asked.times)
    if asked.json:
        print(json.dumps({"rows": rows}, indent=1))
        return
    for one in rows:
        print(
            f"{one['format']}: {one['particles']} particles, {one['mbytes']:.0f} MB in {one['read_s']:.3f} s"
            f" ({one['mbytes_per_s']:.0f} MB/s), {one['over_bare']:.1f} times bare; only the stars take"
            f" {100 * one['stars_only_share']:.0f} % of that"
        )


if __name__ == "__main__":
    main()
