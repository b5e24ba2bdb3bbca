"""Time, memory and sizes of the report of a made-up survey; `made_up` fills a folder as the stages would.

The tables are as large as real ones. The packs have the shape of real ones, but only those frames in them hold a galaxy
that a report may show, and no galaxy was simulated: each is a superellipse with noise, two of them before the merger.
The classifier was never trained; what it says of the frames is drawn.

    python benchmarks/report.py --json
    python benchmarks/report.py --runs 819 --views 50 --snapshots 60 --thumbnails 5000 --json
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import yaml

from galclass import catalog, config, images, network, quality, reference, verify, visibility
from galclass.network.calibration import Calibration
from galclass.network.gauge import Gauge
from galclass.network.unrolling import RINGS

RATIOS = (1.0, 1.5, 2.0, 3.0, 4.5, 7.0, 10.0)
PERICENTRES_KPC = (0.01, 0.03, 0.1, 0.3, 0.6, 1.0, 2.0, 3.0, 4.0)
INCLINATIONS_DEG = tuple(range(0, 181, 15))
END_GYR, PIXELS, DEPTH_DEX = 2.9, 50, 3.0
#: Views of the last snapshot that are drawn, and best views of other snapshots.
_LAST, _BEST = 8, 12
_MERGER_GYR = (0.5, 1.2)


@dataclass(frozen=True)
class Size:
    """Of a survey: runs, snapshots of each, views of each snapshot, and directions over half of the sky."""

    runs: int = 819
    snapshots: int = 60
    views: int = 50
    directions: int = 96


# What the survey finds --------------------------------------------------------------------------------------


def design(runs: int, rng: np.random.Generator) -> pd.DataFrame:
    """A grid of mass ratio, pericentre and inclination, evenly thinned to `runs` rows."""
    names = ["mass_ratio", "pericentre_kpc", "inclination1_deg"]
    grid = np.stack(np.meshgrid(RATIOS, PERICENTRES_KPC, INCLINATIONS_DEG, indexing="ij"), -1).reshape(-1, 3)
    rows = pd.DataFrame(grid[np.arange(runs) * len(grid) // runs if runs < len(grid) else np.arange(runs) % len(grid)],
                        columns=names)  # fmt: skip
    rows.insert(0, "run", [f"grid_{number:04d}" for number in range(runs)])
    rows.insert(1, "seed", np.arange(runs) + 1)
    apocentre, pericentre = 18.9, rows["pericentre_kpc"]
    eccentricity = np.round((apocentre - pericentre) / (apocentre + pericentre), 5)
    rows = rows.assign(eccentricity=eccentricity, separation_kpc=16, argument1_deg=90, argument2_deg=90,
                       inclination2_deg=rows["inclination1_deg"], bulge_over_halo=0)  # fmt: skip
    return rows[["run", "seed", "mass_ratio", "pericentre_kpc", "eccentricity", "separation_kpc", "inclination1_deg",
                 "argument1_deg", "inclination2_deg", "argument2_deg", "bulge_over_halo"]]  # fmt: skip


def chance(row: dict, since: np.ndarray) -> np.ndarray:
    """How often a view some time after the merger [Gyr] is called a rectangle; hardly before."""
    inclined = np.sin(np.deg2rad(2.0 * row["inclination1_deg"])) ** 2
    peak = 0.6 * row["mass_ratio"] ** -1.2 * (0.25 + 0.75 * inclined) / (1.0 + row["pericentre_kpc"])
    return np.where(since < 0, 0.002, 0.01 + peak * np.exp(-(((since - 0.5) / 0.6) ** 2)))


def answers(rectangular: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Probabilities of each class for frames that are called rectangle (bool) or not, and the class."""
    sharp = np.where(rectangular, 6.0, 0.25)[:, None] * [0, 1, 0, 0] + [2.0, 0.0, 0.5, 0.8]
    p = rng.gamma(np.maximum(sharp, 0.05)).astype(np.float32) + 1e-6
    top = np.arange(4) == 1
    p[rectangular] = np.where(top, p[rectangular].max(axis=1, keepdims=True) * 1.5, p[rectangular])
    p[~rectangular] = np.where(top, np.minimum(p[~rectangular], 0.8 * p[~rectangular][:, :1]), p[~rectangular])
    p /= p.sum(axis=1, keepdims=True)
    names = np.array(network.TRUSTED_CLASSES)
    return {f"p_{name}": p[:, k] for k, name in enumerate(names)} | {"class": names[p.argmax(axis=1)]}


def directions(count: int) -> np.ndarray:
    """A lattice over half of the sphere, shape (count, 3)."""
    z, turn = (np.arange(count) + 0.5) / count, np.arange(count) * np.pi * (3.0 - 5.0**0.5)
    return np.stack([np.sqrt(1 - z**2) * np.cos(turn), np.sqrt(1 - z**2) * np.sin(turn), z], axis=1)


def frame_table(row: dict, size: Size, views: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """The frames of one run, `len(views)` a snapshot: scene, view, galaxies and answers."""
    number = np.repeat(np.arange(size.snapshots + 1), len(views))
    when, merger = number * END_GYR / size.snapshots, rng.uniform(*_MERGER_GYR)
    columns = {"run": row["run"], "snapshot": [f"snapshot_{k:03d}" for k in number], "frame": np.arange(len(number)),
               "time_gyr": when}  # fmt: skip
    columns |= dict(zip(("view_x", "view_y", "view_z"), np.tile(views, (size.snapshots + 1, 1)).T, strict=True))
    columns |= {"galaxies": np.where(when < merger, 2, 1)}
    called = rng.random(len(number)) < chance(row, when - merger)
    far = rng.gamma(8.0, 0.08, len(number))
    return pd.DataFrame(columns | answers(called, rng) | {"domain_distance": far})


def galaxy(p_rectangle: float, galaxies: int, rng: np.random.Generator, pixels: int = PIXELS) -> np.ndarray:
    """A picture between 0 and 1: a superellipse, boxy where it is called a rectangle; two small ones of a pair."""
    y, x = np.mgrid[-1 : 1 : pixels * 1j, -1 : 1 : pixels * 1j]
    flux = 3e-3 * rng.normal(size=x.shape)
    for place in rng.uniform(0.25, 0.5, galaxies) * (np.arange(galaxies) * 2 - 1) if galaxies > 1 else [0.0]:
        angle, ratio, n = rng.uniform(0, np.pi), rng.uniform(0.45, 0.85), 2.0 + 1.6 * p_rectangle
        along, across = (x - place) * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - (x - place) * np.sin(angle)
        radius = (np.abs(along) ** n + np.abs(across / ratio) ** n) ** (1.0 / n)
        flux += np.exp(-radius / (0.16 / galaxies))
    return images.stretch(flux, DEPTH_DEX)


# Files ------------------------------------------------------------------------------------------------------


def made_up(folder: Path, size: Size, overlay: dict | None = None, seed: int = 1) -> Path:
    """Fill `folder` with results and mergers.tsv; returns the configuration written there, config.yaml."""
    rng, results = np.random.default_rng(seed), folder / "results"
    rows = design(size.runs, rng)
    results.mkdir(parents=True)
    rows.to_csv(folder / "mergers.tsv", sep="\t", index=False)
    given = {"initial": {"table": str(folder / "mergers.tsv"), "runs": ["grid_*"]}, "render": {"pixels": PIXELS}}
    settings = config.merge(config.merge(config.load(), given), overlay or {})
    (results / "config.yaml").write_text(yaml.safe_dump(settings))
    _write_network(results / "train" / "network", rng)
    _write_shapes(results, rng)
    reference.run(settings["reference"], settings["render"], results / "reference")
    best = [_write_run(results, row, size, rng) for row in rows.to_dict("records")]
    _write_candidates(results, pd.concat(best, ignore_index=True), settings["verify"]["candidates"], rng)
    return results / "config.yaml"


def _write_run(results: Path, row: dict, size: Size, rng: np.random.Generator) -> pd.DataFrame:
    """The files of one run; returns its frames that are drawn."""
    run, views = row["run"], directions(size.views)
    table = frame_table(row, size, views, rng)
    drift = {"gate": "energy", "largest_drift": 8e-3 if rng.random() < 0.01 else 2e-4, "limit": 5e-3}
    quality.write(results / "simulate" / "mergers" / run, [drift | {"passed": drift["largest_drift"] <= 5e-3}])
    to_parquet(results / "classify" / f"{run}.parquet", table.drop(columns="galaxies"))
    _write_labels(results / "label" / "mergers" / f"{run}.parquet", table, rng)
    drawn = _write_packs(results / "render", table, size, rng)
    sky = frame_table(row, size, directions(size.directions), rng).rename(columns={"frame": "direction"})
    sky = sky.assign(direction=sky["direction"] % size.directions, cosine_aligned=0.9, cosine_residual=0.4)
    to_parquet(results / "visibility" / f"{run}.parquet", sky)
    times = visibility.times(sky)
    said = {"summary": visibility.summary(times), "span": visibility.longest_span(times), "corrected": None}
    (results / "visibility" / f"{run}.json").write_text(json.dumps(said | {"quality": ""}))
    return drawn


def to_parquet(path: Path, table: pd.DataFrame) -> None:
    """A table without the CSV beside it, which takes most of the time and which no report reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_parquet(path)


def _write_labels(path: Path, table: pd.DataFrame, rng: np.random.Generator) -> None:
    b4 = np.where(table["class"] == "rectangle", -0.08, 0.0) + 0.02 * rng.normal(size=len(table))
    measured = np.where(b4 < -0.05, "rectangle", "oval")
    columns = ["run", "snapshot", "frame", "time_gyr"]
    snr = rng.lognormal(3.5, 0.3, len(table))
    to_parquet(path, table[columns].assign(snr=snr, b4=b4, b4_err=0.01, measured_label=measured))


def _write_packs(folder: Path, table: pd.DataFrame, size: Size, rng: np.random.Generator) -> pd.DataFrame:
    """The pack of a run, in which only some frames are drawn, and its film; returns the drawn frames."""
    run, last = table["run"].iloc[0], table.index[-size.views :][:_LAST]
    best = table.loc[table.groupby("snapshot")["p_rectangle"].idxmax()].nlargest(_BEST, "p_rectangle").index
    drawn = table.loc[np.union1d(best, last)]
    seen = zip(drawn.index, drawn["p_rectangle"], drawn["galaxies"], strict=True)
    pictures = {row: galaxy(p, galaxies, rng) for row, p, galaxies in seen}
    sparse_pack(folder / "mergers" / f"{run}.h5", pack_frames(table), pictures)
    film = table.iloc[:: size.views].reset_index(drop=True)
    film = film.iloc[images.evenly_chosen(len(film), 8)].reset_index(drop=True)
    still = np.stack([galaxy(0.2, n, rng) for n in film["galaxies"]])
    images.write_pack(folder / "film" / f"{run}.h5", still, pack_frames(film), {"settings": {"depth_dex": DEPTH_DEX}})
    others = [name for name in drawn if name not in images.FRAME_COLUMNS]
    return pack_frames(table).loc[drawn.index].join(drawn[others])


def pack_frames(table: pd.DataFrame) -> pd.DataFrame:
    """The table of a pack for these frames."""
    known = {"roll_deg": 0.0, "pixel_kpc": 0.2, "pixel_arcsec": 2.0, "effective_radius_kpc": 1.5, "snr": 40.0,
             "seed": 1, "label": "", "frame": 0}  # fmt: skip
    frames = table.assign(**{name: value for name, value in known.items() if name not in table})
    return frames[list(images.FRAME_COLUMNS)].assign(frame=np.arange(len(frames)))


def sparse_pack(path: Path, frames: pd.DataFrame, pictures: dict[int, np.ndarray]) -> None:
    """A pack with a row a frame, of which only these rows hold a picture; the others take no room and read as 0."""
    images.write_pack(path, np.zeros((len(frames), 1, 1)), frames, {"settings": {"depth_dex": DEPTH_DEX}})
    shape = (len(frames), PIXELS, PIXELS)
    with h5py.File(path, "a") as file:
        del file["images"]
        chunks = (min(26, len(frames)), PIXELS, PIXELS)
        made = file.create_dataset(
            "images", shape, np.float32, chunks=chunks, compression="gzip", compression_opts=1, shuffle=True
        )
        for row, picture in pictures.items():
            made[row] = picture


def _write_network(folder: Path, rng: np.random.Generator) -> None:
    """A classifier that was never trained, and what it is said to have learnt."""
    network.fix_seeds(1)
    size, classes = 3 * RINGS, list(network.TRUSTED_CLASSES)
    calibration = Calibration(1.0, Gauge(np.zeros(size), np.eye(size), 10.0))
    card = {"kind": "trusted", "classes": classes, "pixels": None, "preprocessing": {}, "metrics": {}, "provenance": {}}
    network.write([network.build(network.trusted_layers())], folder, card | {"calibration": calibration.as_json()})
    epochs = np.arange(1, 31)
    history = {"epoch": epochs, "loss": 1.1 * np.exp(-epochs / 12), "accuracy": 1 - 0.6 * np.exp(-epochs / 12)}
    history |= {"val_loss": 0.1 + 1.1 * np.exp(-epochs / 12), "val_accuracy": 0.95 - 0.6 * np.exp(-epochs / 12)}
    pd.DataFrame(history).assign(member=1).to_csv(folder / "history.csv", index=False)
    (folder / "metrics.json").write_text(json.dumps(_metrics(classes)))
    label = np.where(rng.random(8000) < 0.2, "rectangle", "oval")
    called = np.where(label == "rectangle", rng.random(8000) < 0.85, rng.random(8000) < 0.01)
    heldout = {"run": [f"heldout_{k // 200:02d}" for k in range(8000)], "label": label} | answers(called, rng)
    catalog.write_table(folder / "heldout.parquet", pd.DataFrame(heldout), {})


def _metrics(classes: list[str]) -> dict:
    part = {"pictures": 2000, "rectangles": 400, "auc": 0.95, "auc_low": 0.93, "auc_high": 0.97, "auc_ruler": 0.9}
    part |= {"accuracy": 0.93, "calibration_error": 0.02}
    by_property = {"quantity": ["snr"] * 3, "low": [5, 20, 50], "high": [20, 50, 150], "auc": [0.88, 0.94, 0.97]}
    by_property |= {"auc_low": [0.85, 0.92, 0.96], "auc_high": [0.91, 0.96, 0.98], "auc_ruler": [0.7, 0.85, 0.95]}
    steps = np.linspace(0.05, 0.95, 10)
    bins = {"low": (steps - 0.05).tolist(), "high": (steps + 0.05).tolist(), "claimed": steps.tolist()}
    bins |= {"true": (steps**1.1).tolist(), "pictures": [200] * 10}
    kind = {
        "all": part,
        "confusion": (np.eye(4, dtype=int) * 450 + 15).tolist(),
        "by_property": by_property,
        "reliability": bins,
    }
    return {"classes": classes, "simulations": kind, "shape_models": kind, "epochs": {"run": [30]},
            "split": {name: {"runs": 30, "models": 200} for name in ("train", "validation", "test")},
            "control": {"accuracy": 0.33, "chance": 0.34, "auc": 0.51}}  # fmt: skip


def _write_shapes(results: Path, rng: np.random.Generator) -> None:
    """Training pictures of sixty shape models and their labels."""
    label = np.repeat(network.CLASSES, 20)
    table = pd.DataFrame({"run": [f"{name}_{k % 20:03d}" for k, name in enumerate(label)], "label": label})
    table = table.assign(snapshot="snapshot_000", time_gyr=0.0, view_x=0.0, view_y=0.0, view_z=1.0, galaxies=1)
    pictures = np.stack([galaxy(float(name != "oval"), 1, rng) for name in label])
    images.write_pack(
        results / "render" / "shapes.h5", pictures, pack_frames(table), {"settings": {"depth_dex": DEPTH_DEX}}
    )
    middle = {"oval": 0.0, "rectangle": -0.09, "obround": -0.06}
    b4 = [middle[name] + 0.01 * rng.normal() for name in label]
    b6 = [0.018 * (name == "obround") + 0.003 * rng.normal() for name in label]
    catalog.write_table(
        results / "label" / "shapes.parquet", table.assign(b4=b4, b6=b6, agrees=rng.random(60) < 0.95), {}
    )


def _write_candidates(results: Path, drawn: pd.DataFrame, count: int, rng: np.random.Generator) -> None:
    """The table of candidates with made-up scores, and isophotes."""
    chosen = (
        drawn[(drawn["class"] == "rectangle") & (drawn["galaxies"] == 1)]
        .nlargest(count, "p_rectangle")
        .reset_index(drop=True)
    )
    name = json.loads((results / "reference" / "reference.json").read_text())["name"]
    n = len(chosen)
    values = {"reference": name, "rotation_deg": rng.uniform(0, 180, n), "mirrored": rng.random(n) < 0.5,
              "axis_ratio": rng.uniform(0.5, 0.8, n), "b4": rng.normal(-0.08, 0.02, n), "b4_err": 0.01, "b6": 0.0,
              "b6_err": 0.01, "a4_over_a": rng.normal(-0.05, 0.02, n), "measured_label": "rectangle", "p_label": 0.9,
              "inner_disc_re": np.nan, "inner_disc_sigma": 0.5, "ellipticity_distance": 1.0, "a4_distance": 1.0,
              "b6_distance": 1.0, "sift_reference_keypoints": 25, "sift_matches": rng.integers(0, 9, n),
              "sift_verdict": verify.NOT_INFORMATIVE}  # fmt: skip
    values |= {score: rng.integers(0, 9, n) if "sift" in score else rng.uniform(0.5, 1.0, n) for score in verify.SCORES}
    for end in ("", "_ovals", "_controls"):
        known = end != "_controls"
        values |= {f"{score}_percentile{end}": rng.uniform(60, 100, n) if known else np.nan for score in verify.SCORES}
        values[f"p_chance{end}"] = rng.uniform(0, 1, n) if known else np.nan
    chosen = chosen.assign(**values).sort_values("combined", ascending=False, ignore_index=True)
    catalog.write_table(results / "verify" / "candidates.parquet", chosen.assign(rank=np.arange(n) + 1), {
        "galclass": "made up", "python": "", "libraries": {}, "code": "", "inputs": {}})  # fmt: skip
    profiles = [_isophotes(run, frame, rng) for run, frame in zip(chosen["run"], chosen["frame"], strict=True)]
    catalog.write_table(
        results / "verify" / "profiles.parquet", pd.concat([*profiles, _isophotes("reference", 0, rng)]), {}
    )
    for end in ("csv", "fits"):
        (results / "verify" / f"candidates.{end}").touch()
        (results / "verify" / f"profiles.{end}").touch()
    for end in ("csv", "fits", "parquet"):
        (results / "verify" / f"nulls.{end}").touch()


def _isophotes(run: str, frame: int, rng: np.random.Generator) -> pd.DataFrame:
    radius = np.geomspace(0.5, 3.0, 8)
    rows = {"run": run, "frame": frame, "radius_re": radius, "radius_px": 6.0 * radius}
    rows |= {"ellipticity": 0.3, "a4_over_a": -0.05, "b6": 0.0}
    noisy = {name: rows[name] + 0.008 * rng.normal(size=8) for name in ("ellipticity", "a4_over_a", "b6")}
    return pd.DataFrame(rows | noisy | {f"{name}_err": 0.008 for name in noisy})


# Measuring --------------------------------------------------------------------------------------------------


def measure(folder: Path, size: Size, thumbnails: int) -> dict:
    """Make a survey and its report; time [s], memory [MB] and sizes [MB] of the latter."""
    start = time.perf_counter()
    settings = made_up(folder, size, {"report": {"thumbnails": thumbnails}})
    filled, start = time.perf_counter() - start, time.perf_counter()
    program = Path(sys.executable).with_name("galclass")
    subprocess.run([program, "report", "results", "-c", settings], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    report = folder / "results" / "report"
    sheets = [path.stat().st_size for path in (report / "thumbnails").iterdir()]
    megabytes = {name: (report / f"{name}.html").stat().st_size / 1e6 for name in ("index", "candidates")}
    index = (report / "index.html").read_text(encoding="utf-8")
    return {
        "runs": size.runs,
        "frames": size.runs * (size.snapshots + 1) * size.views,
        "thumbnails": index.count('<li id="frame-'),
        "made_up_s": round(filled, 1),
        "report_s": round(seconds, 1),
        "memory_mb": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024),
        "index_mb": round(megabytes["index"], 2),
        "candidates_mb": round(megabytes["candidates"], 2),
        "sheets": len(sheets),
        "sheets_mb": round(sum(sheets) / 1e6, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("runs", 819), ("snapshots", 60), ("views", 50), ("directions", 96), ("thumbnails", 5000)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--keep", type=Path, help="a new folder for the survey and its report")
    given = parser.parse_args()
    size = Size(given.runs, given.snapshots, given.views, given.directions)
    with tempfile.TemporaryDirectory() as temporary:
        found = measure(given.keep or Path(temporary) / "survey", size, given.thumbnails)
    print(json.dumps(found, indent=1) if given.json else "\n".join(f"{name} {value}" for name, value in found.items()))


if __name__ == "__main__":
    main()
