"""What comparing with the reference costs: the aligned cosines of many frames, and all scores of a few.

Aligned cosines (of the intensity at 192 turns, both hands and nine scales, and of the residual) are held against two
ways to get the first of them without rings and Fourier transforms, and against what they cannot do without: the
arithmetic at the speed of NumPy's matrix product and the bytes at that of a copy, and the time that NumPy's and
SciPy's own calls take for the same samples, transforms and products. Seconds are processor time of one thread, which
a busy machine disturbs least; those of several processes are by the clock.

python benchmarks/verify.py --json
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from galclass import config, images, network, ruler, verify
from galclass.network import unrolling
from galclass.parallel import cores, workers
from galclass.verify import alignment, keypoints, likeness, profiles

DISTINCT = 500
CANDIDATES = 100_000
#: Turns tried, finer ones of the best, and steps of moments on all pixels: 6 and 6, and 8 on a quarter of them.
TURNS, FINE_TURNS, STEPS = 192, 1440, 14
_PIECE = 2_500


def frames(count: int, pixels: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Exponential galaxies of random shape and place with noise: stretched, and flux; shape (count, pixels, pixels)."""
    x, y = np.meshgrid(np.arange(pixels) - 0.5 * pixels, np.arange(pixels) - 0.5 * pixels)
    fluxes = []
    for ratio, angle, scale, dx, dy in rng.uniform(
        [0.3, 0.0, 2.0, -3.0, -3.0], [1.0, np.pi, 3.5, 3.0, 3.0], (count, 5)
    ):
        along = (x - dx) * np.cos(angle) + (y - dy) * np.sin(angle)
        across = (y - dy) * np.cos(angle) - (x - dx) * np.sin(angle)
        fluxes.append(np.exp(-np.hypot(along, across / ratio) / scale) + 1e-3 * rng.standard_normal(x.shape))
    pictures = np.stack([images.stretch(flux, 3.0) for flux in fluxes])
    return pictures.astype(np.float32), np.stack(fluxes)


def seconds(work: Callable[[], object], repeats: int = 3) -> float:
    """Least processor time of a few runs [s]."""
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


def clock(work: Callable[[], object]) -> float:
    """Time of one run by the clock [s]."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def memory_mb(work: Callable[[], object]) -> float:
    """By how much the resident memory grows at most while some work runs [MB]."""
    Path("/proc/self/clear_refs").write_text("5")  # the largest so far becomes that of now
    before = _resident("VmRSS")
    work()
    return _resident("VmHWM") - before


def _resident(name: str) -> float:
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name)]
    return int(line.split()[1]) / 1024


# --- the same without rings


def centred(picture: np.ndarray) -> tuple[np.ndarray, float]:
    """Centre (y, x) and radius of the galaxy [pixel]."""
    found = network.galaxy_cores(picture[None])
    return np.array([float(found.y[0]), float(found.x[0])]), float(found.radius[0])


def hands_and_turns() -> list[np.ndarray]:
    """Matrices from offsets (y, x) of the page to those of a turned reference, as it is and mirrored."""
    angles = 2.0 * np.pi * np.arange(TURNS) / TURNS
    return [np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]) @ np.diag([1.0, hand])
            for hand in (1.0, -1.0) for a in angles]  # fmt: skip


def plain(picture: np.ndarray, reference: np.ndarray) -> float:
    """Highest cosine with the reference laid on the galaxy at every turn and hand, one resampling each."""
    from scipy.ndimage import affine_transform

    (centre, radius), (middle, size) = centred(picture), centred(reference)
    best = 0.0
    for matrix in hands_and_turns():
        matrix = matrix * (size / radius)
        laid = affine_transform(reference, matrix, middle - matrix @ centre, picture.shape, order=1)
        best = max(best, float((laid * picture).sum() / np.sqrt((laid**2).sum() * (picture**2).sum())))
    return best


def templates(reference: np.ndarray) -> np.ndarray:
    """The reference at every scale, hand and turn about the middle of the page, each of length 1; (k, pixels)."""
    from scipy.ndimage import affine_transform

    middle, _ = centred(reference)
    centre = 0.5 * (np.array(reference.shape) - 1.0)
    laid = [
        affine_transform(reference, scale * matrix, middle - scale * matrix @ centre, order=1).ravel()
        for scale in alignment.SCALES
        for matrix in hands_and_turns()
    ]
    return np.stack([one / np.linalg.norm(one) for one in laid]).astype(np.float32)


def by_templates(stack: np.ndarray, table: np.ndarray, size: float) -> np.ndarray:
    """Highest cosine of pictures, each brought to the middle and size of the templates, with any of them."""
    from scipy.ndimage import affine_transform

    found, centre = network.galaxy_cores(stack), 0.5 * (np.array(stack.shape[1:]) - 1.0)
    factors = found.radius / size
    laid = [
        affine_transform(picture, np.full(2, factor), np.array([y, x]) - factor * centre, order=1).ravel()
        for picture, factor, x, y in zip(stack, factors, found.x, found.y, strict=True)
    ]
    unit = np.stack(laid) / np.linalg.norm(laid, axis=1, keepdims=True)
    return (unit.astype(np.float32) @ table.T).max(axis=1)


# --- the floor


def needed(pixels: int) -> tuple[float, float]:
    """Operations and bytes of a frame that its two aligned cosines cannot do without.

    A sample of the rings is linear between four pixels: 6 operations for the value, 8 for its place. A Fourier
    transform of N real numbers is 2.5 N log2 N. A step of the moments is a Gaussian from six powers and six moments of
    it at each pixel of the inscribed circle: 12 + 12, and 10 for an exponential.
    """
    rings, places, scales = alignment.RINGS, alignment.PLACES, len(alignment.SCALES)
    residual_rings, residual_places = unrolling.RINGS, unrolling.PLACES
    samples = rings * places + residual_rings * residual_places
    moments = STEPS * 34 * np.pi / 4 * pixels**2
    transforms = rings * _transform(places) + residual_rings * _transform(residual_places)
    products = 8.0 * (places / 2 + 1) * rings * 2 * scales + 8.0 * (residual_places / 2 + 1) * residual_rings * 2
    back = 2 * scales * _transform(TURNS) + _transform(FINE_TURNS) + 2 * _transform(residual_places)
    read_and_written = 4.0 * (pixels**2 + 4 * samples + 3 * samples + 4 * scales * (places + TURNS))
    return 14.0 * samples + moments + transforms + products + back, read_and_written


def _transform(length: int) -> float:
    return 2.5 * length * np.log2(length)


def speeds() -> tuple[float, float]:
    """Operations a second of NumPy's matrix product in single precision, and bytes a second of its copy."""
    a, b = (np.random.default_rng(k).random((1000, 1000), dtype=np.float32) for k in (1, 2))
    source, target = np.ones(2**24, np.float32), np.empty(2**24, np.float32)
    return 2e9 / seconds(lambda: a @ b, 5), 2.0 * source.nbytes / seconds(lambda: np.copyto(target, source), 5)


def bare_calls(stack: np.ndarray, reference: alignment.Pattern) -> float:
    """Time of the library calls alone that sample, weigh, transform and multiply a stack of frames [s a frame]."""
    from scipy.ndimage import map_coordinates

    n, pixels, _ = stack.shape
    samples = alignment.RINGS * alignment.PLACES + unrolling.RINGS * unrolling.PLACES
    places = np.random.default_rng(1).uniform(5, pixels - 5, (2, samples))
    rings = np.ones((n, alignment.RINGS, alignment.PLACES), np.float32)
    spectra = np.ones((alignment.PLACES // 2 + 1, n, alignment.RINGS), np.complex64)
    curves = np.ones((n, reference.intensity.shape[2], TURNS // 2 + 1), np.complex64)
    inside = np.ones((n, int(np.pi / 4 * pixels**2)), np.float32)
    powers = np.ones((inside.shape[1], 6), np.float32)
    parts = [
        lambda: [map_coordinates(picture, places, order=1, prefilter=False) for picture in stack],
        lambda: np.fft.rfft(rings, axis=2),
        lambda: np.matmul(spectra, reference.intensity),
        lambda: np.fft.irfft(curves, TURNS, axis=2),
        lambda: [np.exp(inside[:, :6] @ powers.T) @ powers for _ in range(STEPS)],
    ]
    return sum(seconds(part) for part in parts) / n


# --- all of it


def measure(count: int, few: int, pixels: int, seed: int) -> dict:
    """The figures of one run."""
    pictures, fluxes = frames(min(count, DISTINCT), pixels, np.random.default_rng(seed))
    stack = np.resize(pictures, (count, pixels, pixels))
    settings = config.load()["verify"]
    with tempfile.TemporaryDirectory() as folder:
        images.write_png(Path(folder) / "reference.png", pictures[0])
        [reference] = verify.read_references(Path(folder) / "reference.png", settings)
    figures = {"frames": count, "pixels": pixels}
    figures |= of_cosines(stack, pictures, reference, few)
    return figures | of_the_rest(pictures[:few].astype(float), fluxes[:few], reference, settings)


def of_cosines(stack: np.ndarray, pictures: np.ndarray, reference: verify.Reference, few: int) -> dict:
    """Aligned and raw cosines."""
    pieces = [stack[first : first + _PIECE] for first in range(0, len(stack), _PIECE)]
    verify.aligned_scores(pictures, [reference])
    memory = memory_mb(lambda: verify.aligned_scores(stack, [reference]))
    aligned = seconds(lambda: [verify.aligned_scores(piece, [reference]) for piece in pieces], 2) / len(stack)
    with workers(cores()) as share_out:
        list(share_out(_aligned, [(pictures[:2], reference)] * cores()))  # the processes are there
        shared = clock(lambda: list(share_out(_aligned, [(piece, reference) for piece in pieces]))) / len(stack)
    grey = np.asarray(reference.picture, np.float32)
    loop = seconds(lambda: [plain(picture, grey) for picture in pictures[:few]], 1) / few
    table, (_, size) = templates(grey), centred(grey)
    brute = seconds(lambda: by_templates(pictures, table, size)) / len(pictures)
    raw = seconds(lambda: [likeness.cosine_raw([one], reference.grey) for one in pictures]) / len(pictures)
    batch = seconds(lambda: likeness.cosine_raw(pictures, reference.grey)) / len(pictures)
    operations, moved = needed(stack.shape[1])
    rate, bandwidth = speeds()
    floor = operations / rate + moved / bandwidth
    bare = bare_calls(pictures[:250], reference.pattern)
    return {
        "aligned_ms": rounded(1e3 * aligned),
        "aligned_frames_per_s": rounded(1.0 / aligned),
        "aligned_memory_mb": rounded(memory),
        "seconds_for_1e5": rounded(CANDIDATES * aligned),
        "processes": cores(),
        "seconds_for_1e5_all_processes": rounded(CANDIDATES * shared),
        "plain_loop_ms": rounded(1e3 * loop),
        "plain_loop_over_aligned": rounded(loop / aligned),
        "templates_ms": rounded(1e3 * brute),
        "templates_over_aligned": rounded(brute / aligned),
        "raw_loop_frames_per_s": rounded(1.0 / raw),
        "raw_batch_frames_per_s": rounded(1.0 / batch),
        "aligned_over_raw_loop": rounded(raw / aligned),
        "operations": rounded(operations),
        "bytes": rounded(moved),
        "gflop_per_s": rounded(1e-9 * rate),
        "gbyte_per_s": rounded(1e-9 * bandwidth),
        "floor_ms": rounded(1e3 * floor),
        "aligned_over_floor": rounded(aligned / floor),
        "bare_calls_ms": rounded(1e3 * bare),
        "aligned_over_bare_calls": rounded(aligned / bare),
    }


def _aligned(job: tuple) -> np.ndarray:
    return verify.aligned_scores(job[0], [job[1]])["cosine_aligned"].to_numpy()


def of_the_rest(pictures: np.ndarray, fluxes: np.ndarray, reference: verify.Reference, settings: dict) -> dict:
    """Scores that are computed one by one, and all of them."""
    sights = [verify.Sight(picture, flux, "flux", picture) for picture, flux in zip(pictures, fluxes, strict=True)]
    sift = settings["sift"]
    works = {
        "sift": lambda one: keypoints.sift_scores(keypoints.sift(one.picture, sift), reference.keypoints, sift),
        "residual_picture": lambda one: verify.residual_picture(one.picture),
        "profile": lambda one: profiles.isophote_profile(one.light, "flux"),
        "shape": lambda one: ruler.measure(one.light, kind="flux", fast=True),
        "compared": lambda one: verify.compared([one], [reference], settings),
    }
    verify.compared(sights[:1], [reference], settings)  # the libraries are loaded
    return {f"{name}_ms": rounded(1e3 * seconds(lambda work=work: [work(one) for one in sights], 1) / len(sights))
            for name, work in works.items()}  # fmt: skip


def rounded(value: float) -> float:
    """To four digits."""
    return float(f"{value:.4g}")


def main() -> None:
    """Print the figures, as JSON or one a line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--frames", type=int, default=20_000, help="how many pictures, 500 of them distinct")
    parser.add_argument("--few", type=int, default=20, help="how many of them go through what is slow")
    parser.add_argument("--pixels", type=int, default=50, help="width of a picture")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    figures = measure(options.frames, options.few, options.pixels, options.seed)
    print(json.dumps(figures) if options.json else "\n".join(f"{name}: {value}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
