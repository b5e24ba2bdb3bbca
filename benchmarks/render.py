"""Speed of projection: nanoseconds a particle and view, against numpy and against the bandwidth of the memory.

usage: python benchmarks/render.py [--json] [--particles N] [--views N] [--pixels N...] [--threads N] [--repeats N]

The galaxy is an exponential disc in a field of eight effective radii, each star as wide as the distance to its 16th
neighbour and at least 0.6 pixels, as config.yaml has it. numpy makes the same picture in one process: stars sorted
into levels of width a factor sqrt(2) apart once, and for each view and level `histogram2d` and scipy's
`gaussian_filter`; a second row has `bincount` in the place of `histogram2d`. Everything is timed in turn, several
times, and the shortest time of each counts. Both pictures are compared with the definition (error functions).

The distances to the neighbours are timed too, against scipy's cKDTree; both on one thread, once a snapshot.

Bandwidth is that of STREAM's copy and add (McCalpin 1995) on arrays far larger than the caches. A point costs 32 bytes
a view: its position and mass are read once. 1e5 of them (3.2 MB) stay in the caches from one view to the next, so the
same is timed for as many particles as do not.
"""

import argparse
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from galclass import kernels, vectors

BYTES = 32
FIELD_RE, NEIGHBOURS, SMALLEST_PX = 8.0, 16, 0.6
#: numpy's levels of width are this factor apart.
STEP = np.sqrt(2)
#: Views are drawn in so many calls, so that the shortest is one that no other process disturbed; numpy's one by one.
SLICES = 10
#: So many particles do not fit into any cache, in views so few that it takes a second.
MANY, MANY_VIEWS = 3_000_000, 10


def disc(particles: int, seed: int = 1) -> np.ndarray:
    """Positions (n, 3) of an exponential disc, in effective radii; sech^2 height of 0.2 scale lengths."""
    rng = np.random.default_rng(seed)
    radius, angle = rng.gamma(2.0, 1 / 1.678, particles), rng.uniform(0, 2 * np.pi, particles)
    height = 0.2 / 1.678 * np.arctanh(rng.uniform(-1, 1, particles))
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), height], axis=1)


def some_cameras(views: int) -> np.ndarray:
    """Cameras (n, 3, 3) uniform on the sphere with random rolls."""
    rng = np.random.default_rng(2)
    return vectors.cameras(vectors.sphere_directions(views, rng), rng.uniform(0, 2 * np.pi, views))


def histogram(y: np.ndarray, x: np.ndarray, masses: np.ndarray, pixels: int) -> np.ndarray:
    """Mass in each pixel, by `histogram2d`; places in pixels."""
    return np.histogram2d(y, x, bins=pixels, range=[[0, pixels], [0, pixels]], weights=masses)[0]


def counted(y: np.ndarray, x: np.ndarray, masses: np.ndarray, pixels: int) -> np.ndarray:
    """The same by `bincount`, with a rim for what lies outside."""
    column, row = (np.clip(place + 1.0, 0.0, pixels + 1.0).astype(np.int64) for place in (x, y))
    side = pixels + 2
    return np.bincount(row * side + column, masses, side**2).reshape(side, side)[1:-1, 1:-1]


def numpy_levels(positions: np.ndarray, masses: np.ndarray, widths_px: np.ndarray) -> list[tuple]:
    """Width, positions and masses of each level."""
    number = np.round(np.log(widths_px) / np.log(STEP)).astype(int)
    return [(STEP**k, positions[number == k], masses[number == k]) for k in np.unique(number)]


def numpy_picture(levels: list[tuple], camera: np.ndarray, field: float, pixels: int, binned) -> np.ndarray:
    """The smoothed picture with numpy and scipy."""
    from scipy.ndimage import gaussian_filter

    picture = np.zeros((pixels, pixels))
    for width, positions, masses in levels:
        x, y = camera[:2] @ positions.T * (pixels / field) + 0.5 * pixels
        picture += gaussian_filter(binned(y, x, masses, pixels), width, mode="constant")
    return picture


def defined_picture(positions, masses, widths, camera: np.ndarray, field: float, pixels: int) -> np.ndarray:
    """Gaussians cut off at four widths and integrated over the pixels, by error functions."""
    from scipy.special import erf

    edges, picture = np.linspace(-0.5, 0.5, pixels + 1) * field, np.zeros((pixels, pixels))
    for start in range(0, len(masses), 10_000):
        part = slice(start, start + 10_000)
        x, y = (
            np.diff(erf(np.clip((edges - (positions[part] @ axis)[:, None]) / widths[part, None], -4, 4) / np.sqrt(2)))
            for axis in camera[:2]
        )
        picture += (y * masses[part, None]).T @ x
    return picture / (2 * erf(4 / np.sqrt(2))) ** 2


def stream_seconds_per_byte(arrays: tuple, threads: int) -> float:
    """Shortest time of a byte of STREAM's copy and add."""
    a, b, c = arrays
    bounds = np.linspace(0, len(a), threads + 1).astype(int)
    parts = [slice(*pair) for pair in zip(bounds[:-1], bounds[1:], strict=True)]
    with ThreadPoolExecutor(threads) as pool:
        copy = seconds(lambda: list(pool.map(lambda part: np.copyto(a[part], b[part]), parts)))
        add = seconds(lambda: list(pool.map(lambda part: np.add(b[part], c[part], out=a[part]), parts)))
    return min(copy / (16 * len(a)), add / (24 * len(a)))


def seconds(call) -> float:
    """Wall-clock time of a call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def shortest(calls: dict, repeats: int) -> dict:
    """Shortest time of each call [s], called in turn: other processes only ever make it longer."""
    times = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            times[name].append(call())
    return {name: min(found) for name, found in times.items()}


def row(positions: np.ndarray, distances: np.ndarray, pixels: int, chosen: argparse.Namespace, arrays: tuple) -> dict:
    """All figures for one size of picture."""
    n, threads = len(positions), chosen.threads
    masses, cameras = np.full(n, 1 / n), some_cameras(chosen.views)
    widths = np.maximum(distances, SMALLEST_PX * FIELD_RE / pixels)
    levels = numpy_levels(positions, masses, widths * pixels / FIELD_RE)
    slices, few = np.array_split(cameras, min(SLICES, chosen.views)), cameras[:10]

    def ours(width, count):
        def draw(part):
            kernels.project(positions, masses, width, part, 0.5 * FIELD_RE, pixels, count)

        return min(seconds(lambda part=part: draw(part)) / (n * len(part)) for part in slices)

    def numpys(binned):
        def draw(camera):
            numpy_picture(levels, camera, FIELD_RE, pixels, binned)

        return min(seconds(lambda camera=camera: draw(camera)) / n for camera in few)

    points = np.zeros(n)
    best = shortest(
        {
            "smoothed": lambda: ours(widths, 1),
            "numpy": lambda: numpys(histogram),
            "bincount": lambda: numpys(counted),
            "smoothed_all": lambda: ours(widths, threads),
            "points": lambda: ours(points, 1),
            "stream": lambda: stream_seconds_per_byte(arrays, 1),
            "points_all": lambda: ours(points, threads),
            "stream_all": lambda: stream_seconds_per_byte(arrays, threads),
        },
        chosen.repeats,
    )
    found = {"particles": n, "views": chosen.views, "pixels": pixels, "threads": threads}
    found |= speed_figures(best)
    exact = defined_picture(positions, masses, widths, cameras[0], FIELD_RE, pixels)
    mine = kernels.project(positions, masses, widths, cameras[:1], 0.5 * FIELD_RE, pixels)[0]
    theirs = numpy_picture(levels, cameras[0], FIELD_RE, pixels, histogram)
    return found | {
        "smoothed_largest_difference_from_numpy": float(np.abs(mine - theirs).max() / exact.max()),
        "smoothed_largest_difference_from_definition": float(np.abs(mine - exact).max() / exact.max()),
        "numpy_largest_difference_from_definition": float(np.abs(theirs - exact).max() / exact.max()),
    }


def speed_figures(best: dict) -> dict:
    """Nanoseconds and ratios of the times of a row."""
    return {
        "smoothed_ns_per_particle_view": 1e9 * best["smoothed"],
        "smoothed_ns_per_particle_view_all_threads": 1e9 * best["smoothed_all"],
        "numpy_smoothed_ns_per_particle_view": 1e9 * best["numpy"],
        "numpy_bincount_ns_per_particle_view": 1e9 * best["bincount"],
        "smoothed_ratio": best["numpy"] / best["smoothed"],
        "smoothed_ratio_all_threads": best["numpy"] / best["smoothed_all"],
        "smoothed_ratio_to_bincount": best["bincount"] / best["smoothed"],
        "unsmoothed_ns_per_particle_view": 1e9 * best["points"],
        "unsmoothed_ns_per_particle_view_all_threads": 1e9 * best["points_all"],
        "bandwidth_GBps": 1e-9 / best["stream"],
        "bandwidth_GBps_all_threads": 1e-9 / best["stream_all"],
        "unsmoothed_fraction_of_bandwidth": BYTES * best["stream"] / best["points"],
        "unsmoothed_fraction_of_bandwidth_all_threads": BYTES * best["stream_all"] / best["points_all"],
    }


def large_row(particles: int, pixels: int, repeats: int, arrays: tuple) -> dict:
    """Unsmoothed pictures of particles that do not fit into the caches, one thread."""
    positions, masses, cameras = disc(particles), np.full(particles, 1 / particles), some_cameras(MANY_VIEWS)
    points = np.zeros(particles)

    def ours(views):
        return seconds(
            lambda: kernels.project(positions, masses, points, cameras[:views], 0.5 * FIELD_RE, pixels, 1)
        )  # fmt: skip

    best = shortest(
        {
            "all": lambda: ours(MANY_VIEWS),
            "one": lambda: ours(1),  # checks, sorting and one view
            "stream": lambda: stream_seconds_per_byte(arrays, 1),
        },
        repeats,
    )
    each = (best["all"] - best["one"]) / (particles * (MANY_VIEWS - 1))
    return {
        "particles": particles,
        "ns_per_particle_view": 1e9 * each,
        "fraction_of_bandwidth": BYTES * best["stream"] / each,
    }


def neighbour_figures(positions: np.ndarray, repeats: int) -> dict:
    """Time to find how wide each star is to be."""
    from scipy.spatial import cKDTree

    best = shortest(
        {
            "ours": lambda: seconds(lambda: kernels.neighbour_distances(positions, NEIGHBOURS, 1)),
            "scipy": lambda: seconds(lambda: cKDTree(positions).query(positions, [NEIGHBOURS + 1])),
        },
        repeats,
    )
    return {
        "neighbours_ns_per_particle": 1e9 * best["ours"] / len(positions),
        "scipy_neighbours_ns_per_particle": 1e9 * best["scipy"] / len(positions),
    }


def figures(chosen: argparse.Namespace) -> dict:
    """All figures; ratios are taken within this run."""
    positions = disc(chosen.particles)
    distances = kernels.neighbour_distances(positions, NEIGHBOURS)
    arrays = tuple(np.ones(chosen.stream_megabytes * 125_000) for _ in range(3))
    rows = [row(positions, distances, pixels, chosen, arrays) for pixels in chosen.pixels]
    found = rows[0] | neighbour_figures(positions, chosen.repeats) | {"rows": rows}
    if chosen.many:
        found["unsmoothed_from_memory"] = large_row(chosen.many, chosen.pixels[0], chosen.repeats, arrays)
    return found


def show(found: dict) -> None:
    """Print the figures as a table."""
    names = [name for name in found["rows"][0] if name not in ("particles", "views", "pixels", "threads")]
    print(f"{found['particles']} particles, {found['views']} views, all threads: {found['threads']}")
    print(f"{'pixels along a side':52s}" + "".join(f"{r['pixels']:10d}" for r in found["rows"]))
    for name in names:
        print(f"{name.replace('_', ' '):52s}" + "".join(f"{r[name]:10.4g}" for r in found["rows"]))
    ours, scipys = (found[f"{name}neighbours_ns_per_particle"] for name in ("", "scipy_"))
    print(f"distance to the {NEIGHBOURS}th neighbour, once: {ours:.0f} ns a particle, scipy {scipys:.0f}")
    if "unsmoothed_from_memory" in found:
        large = found["unsmoothed_from_memory"]
        print(
            f"{large['particles']} particles unsmoothed, one thread: {large['ns_per_particle_view']:.2f} ns,"
            f" {large['fraction_of_bandwidth']:.2f} of the bandwidth"
        )


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--particles", type=int, default=100_000)
    parser.add_argument("--views", type=int, default=1000)
    parser.add_argument("--pixels", type=int, nargs="+", default=[64, 50])
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="what `all threads` means")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--stream-megabytes", type=int, default=100, help="size of each of STREAM's three arrays")
    parser.add_argument(
        "--many", type=int, default=MANY, help="particles that do not fit into a cache; 0 leaves it out"
    )
    chosen = parser.parse_args(arguments)
    found = figures(chosen)
    print(json.dumps(found)) if chosen.json else show(found)


if __name__ == "__main__":
    main(sys.argv[1:])
