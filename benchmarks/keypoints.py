"""SIFT on real galaxies: how many pictures of the same galaxy match, and how many of different ones.

Pictures of the same galaxy are NAME.jpg and NAME_large.jpg, a wider field. A match has 8 or more inliers. Neighbours in
the sky may show each other; their matches are counted as wrong here.

python benchmarks/keypoints.py --pictures FOLDER --json
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

from galclass import config, images
from galclass.verify.keypoints import Keypoints, matched, sift

ENOUGH = 8
WIDE = "_large"


def pairs_of(folder: Path, most: int | None) -> list[tuple[Path, Path]]:
    """Normal and wide picture of each galaxy that has both, `most` of them spread evenly over the names."""
    wide = [path for path in sorted(folder.rglob("*")) if path.stem.endswith(WIDE)]
    pairs = [(path.with_name(path.stem.removesuffix(WIDE) + path.suffix), path) for path in wide]
    pairs = [pair for pair in pairs if pair[0].is_file()]
    if len(pairs) < 2:
        sys.exit(f"{folder}: found {len(pairs)} pairs NAME.jpg, NAME{WIDE}.jpg; name a folder with more")
    return [pairs[i] for i in images.evenly_chosen(len(pairs), most or len(pairs))]


def inliers_of_others(first: list[Keypoints], second: list[Keypoints], count: int, settings: dict) -> np.ndarray:
    """Inliers of `count` random pairs of different galaxies, shape (count,)."""
    rng = np.random.default_rng(1)
    chosen = [rng.choice(len(first), 2, replace=False) for _ in range(count)]
    return np.array([matched(first[i], second[j], settings).inliers for i, j in chosen])


def measure(folder: Path, pairs: int | None, wrong: int) -> dict:
    """The figures of one run."""
    settings = config.load()["verify"]["sift"]
    files = pairs_of(folder, pairs)
    pictures = [[images.read_picture(path)[0] for path in side] for side in zip(*files, strict=True)]
    start = time.perf_counter()
    normal, wide = ([sift(picture, settings) for picture in side] for side in pictures)
    seconds = time.perf_counter() - start
    true = np.array([matched(*pair, settings).inliers for pair in zip(normal, wide, strict=True)])
    start = time.perf_counter()
    others = {name: inliers_of_others(normal, side, wrong, settings) for name, side in
              (("normal_wide", wide), ("normal_normal", normal))}  # fmt: skip
    return {
        "pairs": len(true),
        "true_share": round(float((true >= ENOUGH).mean()), 4),
        "true_inliers_least": int(true.min()),
        "true_inliers_median": float(np.median(true)),
        "wrong_pairs": 2 * wrong,
        **{f"wrong_share_{name}": round(float((found >= ENOUGH).mean()), 4) for name, found in others.items()},
        "wrong_inliers_most": int(max(found.max() for found in others.values())),
        "ms_per_picture": round(1e3 * seconds / (2 * len(true)), 1),
        "ms_per_match": round(1e3 * (time.perf_counter() - start) / (2 * wrong), 2),
    }


def main() -> None:
    """Print the figures, as JSON or one a line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=Path, required=True, help="folder of NAME.jpg and NAME_large.jpg")
    parser.add_argument("--pairs", type=int, help="how many galaxies; all when not given")
    parser.add_argument("--wrong", type=int, default=1000, help="random pairs of different galaxies of each kind")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    figures = measure(options.pictures, options.pairs, options.wrong)
    print(json.dumps(figures) if options.json else "\n".join(f"{name}: {value}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
