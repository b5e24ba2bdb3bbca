"""Rectangles planted among ovals and obrounds: how well does each score of the verification find them?

The galaxies are drawn for this: Sersic profiles on superellipses of exponent 3 to 8 (rectangles), on ellipses (ovals)
and on rectangles with half-ellipses at both ends (obrounds), of any axis ratio and turn, seen through a telescope at
LEDA 074886's brightness or fainter. They go through `galclass classify` and `galclass verify` as frames of simulations
do, all of them as candidates, against the built-in LEDA 074886. Average precision is 1 if all rectangles come before
all others, and their share (0.11) if chance orders them; intervals of 95 % from resampling galaxies of each class.

    python benchmarks/planted.py --network results/train/network --json
    python benchmarks/planted.py --network results/train/network --telescope sdss_r --fainter 1.5 --seed 2 --json
"""

import argparse
import contextlib
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from galclass import catalog, classify, config, images, reference, telescope, verify

#: How many galaxies of each class.
COUNTS = {"rectangle": 40, "oval": 200, "obround": 110}
MAGNITUDE, FIELD_ARCSEC, RADIUS_PX = 14.3, 130.0, (4.5, 8.0)
AXIS_RATIO, SERSIC, EXPONENT, CAP = (0.4, 0.95), (0.5, 2.0), (3.0, 8.0), (0.5, 0.8)
OVERSAMPLING = 4
#: Scores by name and whether more of it is more alike: those of `verify.SCORES`, the profile's parts, the classifier.
SCORES = {**verify.SCORES, "ellipticity_distance": -1, "a4_distance": -1, "b6_distance": -1, "p_rectangle": 1}
RESAMPLED = 1000


def semi_major(label: str, x: np.ndarray, y: np.ndarray, ratio: float, figure: float) -> np.ndarray:
    """Half-length of the isophote through x, y (its long axis along x); `figure` is an exponent, or the cap's share."""
    x, y = np.abs(x), np.abs(y) / ratio
    if label != "obround":
        return (x**figure + y**figure) ** (1.0 / figure)
    straight = 1.0 - figure
    curved = x**2 + figure**2 * y**2
    root = np.sqrt(np.maximum((straight * x) ** 2 - (straight**2 - figure**2) * curved, 0.0))
    capped = np.divide(curved, straight * x + root, out=np.zeros_like(x), where=curved > 0)
    return np.where(x <= straight * y, y, capped)


def galaxy(label: str, pixels: int, flux: float, rng: np.random.Generator) -> np.ndarray:
    """One galaxy of a class near the middle of a picture, shape (pixels, pixels), its light `flux` in all."""
    ratio, index, radius = rng.uniform(*AXIS_RATIO), rng.uniform(*SERSIC), rng.uniform(*RADIUS_PX)
    figure = {"rectangle": rng.uniform(*EXPONENT), "oval": 2.0, "obround": rng.uniform(*CAP)}[label]
    angle, (dx, dy) = rng.uniform(0.0, np.pi), rng.uniform(-0.5, 0.5, 2)
    places = (np.arange(pixels * OVERSAMPLING) + 0.5) / OVERSAMPLING - 0.5 * pixels
    x, y = np.meshgrid(places - dx, places - dy)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    fine = telescope.sersic(semi_major(label, along, across, ratio, figure), radius, index)
    light = fine.reshape(pixels, OVERSAMPLING, pixels, OVERSAMPLING).mean(axis=(1, 3))
    return flux * light / light.sum()


def write_pack(path: Path, camera: str, fainter: float, render: dict, seed: int) -> np.ndarray:
    """A pack of all galaxies as the camera sees them; their classes in order."""
    rng, pixels = np.random.default_rng(seed), render["pixels"]
    pixel_arcsec = FIELD_ARCSEC / pixels
    labels = rng.permutation(np.repeat(list(COUNTS), list(COUNTS.values())))
    seen, flux = telescope.read_preset(camera), 10.0 ** (0.4 * (23.9 - MAGNITUDE - fainter))
    light = [galaxy(label, pixels, flux, rng) for label in labels]
    fluxes = np.stack([telescope.observe(one, seen, pixel_arcsec, rng, telescope.NO_EXTRAS).flux for one in light])
    frames = pd.DataFrame({name: np.nan for name in images.FRAME_COLUMNS}, index=range(len(labels)))
    frames = frames.assign(frame=np.arange(len(labels)), run="planted", label="", galaxies=1, seed=seed)
    frames = frames.assign(snapshot=[f"galaxy_{k:03d}" for k in range(len(labels))], pixel_arcsec=pixel_arcsec)
    depth_dex = render["depth_dex"]
    pictures = images.stretch(fluxes, depth_dex)
    images.write_pack(path, pictures, frames, {"settings": {"depth_dex": depth_dex}}, {"flux": fluxes})
    return labels


def scored(folder: Path, network: Path, options: argparse.Namespace) -> pd.DataFrame:
    """The table of candidates with their true classes (`truth`)."""
    settings = config.load()
    labels = write_pack(folder / "planted.h5", options.telescope, options.fainter, settings["render"], options.seed)
    reference.run(settings["reference"], settings["render"], folder / "reference")
    classify.run([folder / "planted.h5"], network, settings["classify"], folder / "classify")
    settings = {**settings["verify"], "candidates": len(labels), "null_frames": 50, "controls": ""}
    table = verify.run([folder / "classify" / "planted.parquet"], [folder / "planted.h5"], folder / "reference",
                       network, settings, folder / "verify" / "candidates.parquet")  # fmt: skip
    return table.assign(truth=labels[table["frame"].to_numpy()])


def precision(table: pd.DataFrame, rows: np.ndarray) -> dict[str, float]:
    """Average precision of each score on these rows; what a score does not know comes last."""
    from sklearn.metrics import average_precision_score

    part = table.iloc[rows]
    found = {}
    for name, sign in SCORES.items():
        values = sign * part[name].to_numpy(float)
        values = np.where(np.isfinite(values), values, np.nanmin(values, initial=0.0) - 1.0)
        found[name] = float(average_precision_score(part["truth"] == "rectangle", values))
    return found


def judged(table: pd.DataFrame, seed: int) -> dict:
    """Average precisions, their intervals, and how sure it is that `combined` beats each single score."""
    rng = np.random.default_rng(seed)
    classes = [np.flatnonzero(table["truth"] == label) for label in COUNTS]
    whole = precision(table, np.arange(len(table)))
    drawn = pd.DataFrame(
        [precision(table, np.concatenate([rng.choice(rows, len(rows)) for rows in classes])) for _ in range(RESAMPLED)]
    )
    low, high = drawn.quantile(0.025), drawn.quantile(0.975)
    return {
        name: {
            "average_precision": round(value, 4),
            "interval": [round(float(low[name]), 3), round(float(high[name]), 3)],
            "combined_better": round(float((drawn["combined"] > drawn[name]).mean()), 3),
        }
        for name, value in sorted(whole.items(), key=lambda item: -item[1])
    }


def main() -> None:
    """Parse the command line, plant, search and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", type=Path, required=True, help="folder of a trained network")
    parser.add_argument("--telescope", default="suprime_cam_r", help="a preset of config/telescopes.yaml")
    parser.add_argument("--fainter", type=float, default=0.0, help="magnitudes fainter than LEDA 074886")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="folder for pack, tables and truth.csv")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.redirect_stdout(sys.stderr):  # what the stages report
            table = scored(folder, options.network, options)
        table[["frame", "truth", "combined"]].to_csv(folder / "truth.csv", index=False)
        weights = catalog.read_provenance(folder / "verify" / "candidates.parquet")["weights"]
    figures = judged(table, options.seed)
    if options.json:
        print(json.dumps({"scores": figures, "weights": weights}))
    else:
        print(pd.DataFrame(figures).T.to_string(), "\n", weights)


if __name__ == "__main__":
    main()
