"""How much an answer depends on how the galaxy lies on the page: 360 turns and their mirror images of some pictures.

python benchmarks/orientation.py results/render/mergers/box.h5 --network results/train/network --json
"""

import argparse
import json
from pathlib import Path

import numpy as np
from scipy import ndimage

from galclass import images, network


def turned(picture: np.ndarray, degrees: int) -> np.ndarray:
    """A picture (p, p) turned about its middle, cubic between pixels; 90 degrees exactly."""
    quarter, rest = divmod(degrees, 90)
    whole = np.rot90(picture, quarter)
    return whole if rest == 0 else ndimage.rotate(whole, rest, reshape=False, order=3, mode="nearest")


def change(classifier, picture: np.ndarray, step: int) -> tuple[float, float]:
    """Largest change of any probability, and largest standard deviation, over all turns and mirror images."""
    turns = [turned(side, angle) for side in (picture, picture[:, ::-1]) for angle in range(0, 360, step)]
    found = classifier.predict(np.array(turns), 240).probabilities
    return float(np.ptp(found, axis=0).max()), float(found.std(axis=0).max())


def main() -> None:
    """Parse the command line, turn and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("inputs", type=Path, nargs="+", help="packs and pictures")
    parser.add_argument("--network", type=Path, default=Path("results/train/network"))
    parser.add_argument("--pictures", type=int, default=20, help="of each pack")
    parser.add_argument("--step", type=int, default=1, help="degrees")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    classifier, pictures = network.open_classifier(options.network), []
    for path in options.inputs:
        if path.suffix in images.PACK_SUFFIXES:
            pack = images.PackFile(path)
            one = np.flatnonzero(pack.frames()["galaxies"].to_numpy() == 1)
            chosen = one[images.evenly_chosen(len(one), options.pictures)]
            pictures += [pack.pictures("flux", row, row + 1)[0] for row in chosen]
        else:
            pictures.append(images.central_square(images.read_picture(path)[0]))
    found = np.array([change(classifier, picture, options.step) for picture in pictures])
    figures = {
        "pictures": len(found),
        "largest_change": float(found[:, 0].max()),
        "median_of_largest_changes": float(np.median(found[:, 0])),
        "share_within_0.02": float((found[:, 0] <= 0.02).mean()),
        "largest_deviation": float(found[:, 1].max()),
        "median_deviation": float(np.median(found[:, 1])),
    }
    print(json.dumps(figures) if options.json else "\n".join(f"{k:28} {v:.4g}" for k, v in figures.items()))


if __name__ == "__main__":
    main()
