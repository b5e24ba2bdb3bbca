"""Do turned, mirrored, rescaled and shifted pictures find themselves again among others by the aligned cosine?

Each picture in turn is the reference; every version of it competes with all other pictures of the set. The turn is
judged by where it lays the long axis, since a galaxy looks the same, or nearly, after half a turn and as its mirror
image; those rounder than 0.9 have no long axis and are left out of that. A version fits if the picture holds all rings
that are compared (the middle of the picture being the galaxy's).

    python benchmarks/alignment.py FOLDER --json
    python benchmarks/alignment.py PACK.h5 PACK.h5 --targets 60 --json
    python benchmarks/alignment.py PICTURE.png --among FOLDER --angles 360 --json
"""

import argparse
import itertools
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from galclass import images, network
from galclass.verify.alignment import OUTER_RADIUS, aligned_cosines, pattern

PICTURES = (".png", ".jpg", ".jpeg", ".fits")
SCALES = (0.7, 0.85, 1.0, 1.2, 1.4)
#: Largest shift of a version [share of the picture's width]; a score that counts as found; rounder has no long axis.
SHIFT, ALIKE, ROUND = 0.04, 0.99, 0.9
#: Power that the alignment raises brightness to.
CONTRAST = 1.5
COLUMNS, SHOWN_PX = 12, 64


def read_set(paths: Sequence[Path], most: int, rng: np.random.Generator) -> tuple[list[str], list[np.ndarray]]:
    """Names and pictures, at most so many chosen at random, of packs, folders and files."""
    places: list[tuple[Path, int | None]] = []
    for path in paths:
        if path.suffix in images.PACK_SUFFIXES:
            places += [(path, row) for row in range(len(images.PackFile(path)))]
        else:
            files = sorted(path.rglob("*")) if path.is_dir() else [path]
            places += [(file, None) for file in files if file.suffix.lower() in PICTURES]
    chosen = [places[k] for k in np.sort(rng.choice(len(places), min(most, len(places)), replace=False))]
    return [f"{path.name} {'' if row is None else row}".strip() for path, row in chosen], [read(*one) for one in chosen]


def read(path: Path, row: int | None) -> np.ndarray:
    """One picture (ny, nx), 0 to 1."""
    if row is None:
        return np.asarray(images.read_brightness(path)[0], dtype=float)
    return images.PackFile(path).pictures("images", row, row + 1)[0].astype(float)


def version(picture: np.ndarray, degrees: float, is_mirrored: bool, scale: float, shift: np.ndarray) -> np.ndarray:
    """The picture turned counter-clockwise about its middle, rescaled, shifted (y, x) [pixel], then mirrored."""
    from scipy.ndimage import affine_transform, gaussian_filter

    light = gaussian_filter(picture, 0.5 * np.sqrt(scale**-2 - 1.0)) if scale < 1.0 else picture
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = np.array([[cos, -sin], [sin, cos]]) / scale
    middle = 0.5 * (np.array(picture.shape) - 1.0)
    sky = float(network.border_sky(picture[None])[0])
    turned = affine_transform(light, matrix, middle - matrix @ (middle + shift), order=3, cval=sky)
    return np.clip(turned[:, ::-1] if is_mirrored else turned, 0.0, 1.0)


def versions(
    picture: np.ndarray, angles: int, rng: np.random.Generator
) -> Iterator[tuple[float, bool, float, np.ndarray]]:
    """Turn, hand, scale and picture of all versions; so many angles evenly spaced, from a random one on."""
    start = rng.uniform(0.0, 360.0 / angles)
    for k, is_mirrored, scale in itertools.product(range(angles), (False, True), SCALES):
        degrees = start + 360.0 * k / angles
        shift = rng.uniform(-SHIFT, SHIFT, 2) * min(picture.shape)
        yield degrees, is_mirrored, scale, version(picture, degrees, is_mirrored, scale, shift)


def found_again(picture: np.ndarray, others: Sequence[np.ndarray], angles: int, rng: np.random.Generator) -> tuple:
    """A row for each version of the picture, its pictures, and the other that is most like the reference."""
    made = list(versions(picture, angles, rng))
    pictures = stacked([one[-1] for one in made])
    reference = pattern(picture)
    rivals = aligned_cosines(others, reference)["cosine_aligned"].to_numpy()
    table = aligned_cosines(pictures, reference)
    truth = pd.DataFrame([one[:3] for one in made], columns=["true_turn", "true_hand", "true_scale"])
    outermost, axis_ratio, long_axis = outline(picture)
    table = pd.concat([truth, table], axis=1).assign(rival=rivals.max(), axis_ratio=axis_ratio)
    table = table.assign(fits=outermost * table["true_scale"] < 1.0, turn_error=axis_error(table, long_axis))
    grown = np.array([radius(one) for one in pictures]) / radius(picture)
    table["size_error"] = np.log(table["scale"] * grown / table["true_scale"])
    return table, pictures, int(rivals.argmax())


def radius(picture: np.ndarray) -> float:
    """Adaptive radius of the galaxy as the alignment takes it [pixel]; NaN of pictures that it cuts out of a field."""
    if max(picture.shape) > 64:
        return np.nan
    light = np.maximum(picture - network.border_sky(picture[None])[0], 0.0)[None].astype(np.float32)
    return float(network.galaxy_cores(light**CONTRAST).radius[0])


def outline(picture: np.ndarray) -> tuple[float, float, float]:
    """Radius of the outermost ring over half the picture's width, axis ratio, and angle of the long axis [deg]."""
    frame = network.framed(picture)[None].astype(np.float32)
    found = network.galaxy_ellipses(frame)
    core = network.galaxy_cores(frame)
    share = OUTER_RADIUS * float(core.radius[0]) / (0.5 * min(frame.shape[1:]))
    return share, float(found.axis_ratio[0]), float(np.degrees(found.angle[0]))


def stacked(pictures: list[np.ndarray]) -> np.ndarray | list[np.ndarray]:
    """One array where all pictures have one size, which is faster."""
    return np.stack(pictures) if len({picture.shape for picture in pictures}) == 1 else pictures


def axis_error(table: pd.DataFrame, long_axis: float) -> np.ndarray:
    """Angle [deg], -90 to 90, between the reference's long axis and that of each version as it was found to lie."""
    lies = long_axis + table["true_turn"]
    lies = np.where(table["true_hand"], 180.0 - lies, lies)
    brought = np.where(table["mirrored"], 180.0 - lies, lies) + table["rotation_deg"]
    return (brought - long_axis + 90.0) % 180.0 - 90.0


def figures_of(table: pd.DataFrame) -> dict:
    """What is reported of all versions."""
    is_long = table["axis_ratio"] < ROUND
    full = (table["rotation_deg"] + table["true_turn"] + 180.0) % 360.0 - 180.0
    is_hand = table["mirrored"] == table["true_hand"]
    error = table.loc[is_long, "turn_error"].abs()
    scores = {f"score_p{q}": table["cosine_aligned"].quantile(q / 100.0) for q in (1, 5, 25, 50)}
    table = table.assign(first=table["cosine_aligned"] > table["rival"], alike=table["cosine_aligned"] >= ALIKE)
    by_scale = table.groupby("true_scale")
    return {
        "versions": len(table),
        "first_share": table["first"].mean(),
        "alike_share": table["alike"].mean(),
        "fit_share": table["fits"].mean(),
        "first_share_of_fitting": table["first"][table["fits"]].mean(),
        "alike_share_of_fitting": table["alike"][table["fits"]].mean(),
        **scores,
        **{f"first_share_at_{scale}": share for scale, share in by_scale["first"].mean().items()},
        **{f"alike_share_at_{scale}": share for scale, share in by_scale["alike"].mean().items()},
        "rival_median": table.groupby("target")["rival"].first().median(),
        "turn_rms_deg": np.sqrt((error**2).mean()),
        "turn_p50_deg": error.quantile(0.5),
        "turn_p99_deg": error.quantile(0.99),
        "turn_beyond_10_deg": (error > 10.0).mean(),
        "hand_right": is_hand.mean(),
        "whole_turn_right": (is_hand & (full.abs() < 10.0)).mean(),
        **{f"size_p{q}_percent": 100.0 * table["size_error"].abs().quantile(q / 100.0) for q in (50, 90, 99)},
    }


def measure(options: argparse.Namespace) -> dict:
    """The figures of one run."""
    rng = np.random.default_rng(options.seed)
    names, pictures = read_set(options.pictures, options.others + options.targets, rng)
    among = read_set(options.among, options.others, rng) if options.among else (names, pictures)
    chosen = np.sort(rng.permutation(len(names))[: options.targets])
    if len(among[1]) < 2:
        sys.exit(f"{options.pictures[0]}: found {len(among[1])} pictures to compare with; name a larger set")
    tables, failures = [], []
    for k in chosen:
        rest = [number for number in range(len(among[0])) if among[0][number] != names[k]]
        others = [among[1][number] for number in rest]
        table, made, rival = found_again(pictures[k], stacked(others), options.angles, rng)
        tables.append(table.assign(target=names[k], rival_name=among[0][rest[rival]]))
        is_lost = ((table["cosine_aligned"] <= table["rival"]) | (table["cosine_aligned"] < ALIKE)).to_numpy()
        if is_lost.any():
            worst = int(table["cosine_aligned"].where(is_lost).idxmin())
            failures.append((table["cosine_aligned"][worst], pictures[k], made[worst], others[rival]))
    table = pd.concat(tables, ignore_index=True)
    if options.table:
        table.to_csv(options.table, index=False, float_format="%.5f")
    if options.sheet and failures:
        write_sheet(sorted(failures, key=lambda one: one[0]), options.sheet)
    figures = {"targets": len(chosen), "others": len(among[0]) - 1, "angles": options.angles} | figures_of(table)
    return {name: round(float(value), 4) for name, value in figures.items()}


def write_sheet(failures: list[tuple], path: Path) -> None:
    """The lowest scores below `ALIKE`: reference, version, and the other picture most like the reference, in threes."""
    shown = [picture for one in failures[: 5 * COLUMNS // 3] for picture in one[1:]]
    small = [images.resampled(picture, SHOWN_PX) for picture in shown]
    stretched = [(picture - picture.min()) / max(np.ptp(picture), 1e-9) for picture in small]
    images.write_png(path, images.contact_sheet(np.array(stretched), COLUMNS))


def main() -> None:
    """Print the figures, as JSON or one a line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pictures", type=Path, nargs="+", help="folder, pack or picture; or several")
    parser.add_argument("--among", type=Path, nargs="+", help="what they compete with; the same set when not given")
    parser.add_argument("--targets", type=int, default=60, help="how many pictures are turned")
    parser.add_argument("--others", type=int, default=400, help="how many compete, at most")
    parser.add_argument("--angles", type=int, default=24, help="how many turns")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--table", type=Path, help="CSV of all versions")
    parser.add_argument("--sheet", type=Path, help="PNG of the lowest scores")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    figures = measure(options)
    print(json.dumps(figures) if options.json else "\n".join(f"{name}: {value}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
