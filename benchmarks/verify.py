"""Speed of the aligned cosine, beside the thesis's raw cosine in the same run: frames per second.

python benchmarks/verify.py --json
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from galclass import config, images, verify


def frames(count: int, pixels: int, rng: np.random.Generator) -> np.ndarray:
    """Stretched exponential galaxies of random shape and place, shape (count, pixels, pixels)."""
    x, y = np.meshgrid(np.arange(pixels) - 0.5 * pixels, np.arange(pixels) - 0.5 * pixels)
    pictures = []
    for ratio, angle, scale, dx, dy in rng.uniform(
        [0.3, 0.0, 2.0, -3.0, -3.0], [1.0, np.pi, 3.5, 3.0, 3.0], (count, 5)
    ):
        along = (x - dx) * np.cos(angle) + (y - dy) * np.sin(angle)
        across = (y - dy) * np.cos(angle) - (x - dx) * np.sin(angle)
        pictures.append(images.stretch(np.exp(-np.hypot(along, across / ratio) / scale), 3.0))
    return np.stack(pictures)


def seconds(work: Callable[[], object], repeats: int = 3) -> float:
    """Shortest of a few runs [s]."""
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return min(taken)


def measure(count: int, pixels: int, seed: int) -> dict:
    """The figures of one run."""
    stack = frames(count, pixels, np.random.default_rng(seed))
    settings = config.load()["verify"]
    with tempfile.TemporaryDirectory() as folder:
        images.write_png(Path(folder) / "reference.png", stack[0])
        reference = verify.read_reference(Path(folder) / "reference.png", settings)
    few = stack[: max(1, count // 10)]
    raw = seconds(lambda: [verify.cosine_raw([picture], reference.picture) for picture in stack]) / count
    batch = seconds(lambda: verify.cosine_raw(stack, reference.picture)) / count
    aligned = seconds(lambda: verify.cosine_aligned(stack, reference)) / count
    sift = seconds(lambda: [verify.sift_scores(picture, reference, settings["sift"]) for picture in few]) / len(few)
    return {
        "frames": count,
        "pixels": pixels,
        "aligned_frames_per_s": round(1.0 / aligned, 1),
        "raw_loop_frames_per_s": round(1.0 / raw, 1),
        "raw_batch_frames_per_s": round(1.0 / batch, 1),
        "sift_frames_per_s": round(1.0 / sift, 1),
        "aligned_over_raw_loop": round(raw / aligned, 4),
    }


def main() -> None:
    """Print the figures, as JSON or one a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--frames", type=int, default=1000, help="how many pictures")
    parser.add_argument("--pixels", type=int, default=50, help="width of a picture")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    figures = measure(options.frames, options.pixels, options.seed)
    print(json.dumps(figures) if options.json else "\n".join(f"{name}: {value}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
