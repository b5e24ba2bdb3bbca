"""How still a galaxy sits: one galaxy alone for 1 Gyr, with two numbers of halo particles, and what moved.

usage: python benchmarks/equilibrium.py [-c OVERLAY] [--bulge-over-halo SHARE] [--scale S] [--figure PNG] [--json]

Runs `galaxy`, then the program `merger`, then measures every snapshot. With a scale of 1 the disc has 1e5 particles
and the halo 6e5 and, once more, 6e4: what thickens a disc is the mass of single halo particles, so its growth should
be ten times less with ten times as many. That takes minutes on a core; 0.1 is a quick look, with ten times the noise.
"""

import argparse
import contextlib
import csv
import json
import sys
import tempfile
import time
from pathlib import Path

import merger
import numpy as np

from galclass import config, kernels, plotstyle, simulate
from galclass.initial.disc import TOOMRE, frequencies
from galclass.initial.progenitor import galaxy, model
from galclass.snapshot import centre, read, write
from galclass.units import GYR_PER_TIME, G

DISC, HALOES = 100_000, (600_000, 60_000)
SHARES = (10, 50, 90)
#: Radii at which Toomre's Q is measured, in scale lengths.
RINGS = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)


def main() -> None:
    arguments = _arguments()
    settings = config.load([arguments.config] if arguments.config else [])
    # What the merger says does not belong into --json.
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        program = arguments.program or merger.program(Path(folder))
        runs = [_run(settings, arguments, halo, program, Path(folder)) for halo in HALOES]
    if arguments.figure:
        _write_figure(runs, arguments.figure)
    report = [_drifts(run) for run in runs]
    if arguments.json:
        print(json.dumps({"rows": report}))
    else:
        _print(report)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-c", "--config", help="overlay of the configuration with another galaxy")
    parser.add_argument("--bulge-over-halo", type=float, default=0.0, help="mass of the bulge over that of the halo")
    parser.add_argument("--scale", type=float, default=1.0, help="numbers of particles over the full ones")
    parser.add_argument("--gyr", type=float, default=1.0, help="length of the runs")
    parser.add_argument("--snapshots", type=int, default=20, help="measurements after the first")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--program", type=Path, help="compiled merger (built if not given)")
    parser.add_argument("--figure", type=Path, help="write a picture of the drifts, and beside it a CSV")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser.parse_args()


def _run(settings: dict, arguments: argparse.Namespace, halo: int, program: Path, folder: Path) -> dict:
    """One run: particle numbers, seconds, and `measure` of each snapshot."""
    one = settings["initial"] | {
        "disc_particles": round(arguments.scale * DISC),
        "halo_particles": round(arguments.scale * halo),
        "bulge_particles": round(0.1 * arguments.scale * halo),
    }
    steps = settings["simulate"] | {"end_time_gyr": arguments.gyr, "snapshots": arguments.snapshots}
    softening, output = steps["softening_kpc"], folder / f"halo_{halo}"
    start = time.perf_counter()
    made = galaxy(one, np.random.default_rng(1), arguments.bulge_over_halo, softening)
    made_in = time.perf_counter() - start
    write(folder / "galaxy.dat", made)
    start = time.perf_counter()
    simulate.run_merger(folder / "galaxy.dat", program, steps, arguments.threads, output)
    run_in = time.perf_counter() - start
    smooth = model(one, arguments.bulge_over_halo, softening)
    series = [measure(read(path), smooth, softening) for path in sorted(output.glob("snapshot_*.dat"))]
    counts = {name: one[name] for name in ("disc_particles", "halo_particles")}
    return counts | {"toomre_q": one["toomre_q"], "made_in_s": made_in, "run_in_s": run_in, "series": series}


# ------------------------------------------------------------------------------------------- measuring


def measure(snapshot, smooth, softening_kpc: float) -> dict:
    """Virial ratio, radii, thickness, Toomre's Q and strength of a bar, in the frame of the disc.

    Parameters
    ----------
    snapshot : Snapshot
        One galaxy.
    smooth : Model
        What it was drawn from: its epicyclic frequency and scale length serve for Q and A2.
    softening_kpc : float
        Plummer softening [kpc].
    """
    pull, _ = kernels.accelerations(snapshot.positions, snapshot.masses, softening_kpc)
    # Clausius's W = sum m x.a, which holds for softened forces too.
    virial = snapshot.masses @ (snapshot.velocities**2).sum(axis=1)
    virial /= -(snapshot.masses @ (snapshot.positions * pull).sum(axis=1))
    halo, disc = snapshot.select([1]), snapshot.select([2])
    middle = centre(snapshot.positions, snapshot.masses)
    x, v = _upright(disc.positions - middle, disc.velocities - disc.velocities.mean(axis=0))
    radius, height = np.hypot(x[:, 0], x[:, 1]), np.abs(x[:, 2])
    return {
        "gyr": snapshot.time * GYR_PER_TIME,
        "virial": virial,
        "halo_radii": _radii(np.linalg.norm(halo.positions - middle, axis=1), halo.masses),
        "disc_radii": np.percentile(radius, SHARES).tolist(),
        "median_height": float(np.median(height)),
        "toomre_q": _toomre(x, v, radius, smooth),
        **_bar(x, radius, smooth.disc.scale_kpc),
    }


def _upright(x: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions and velocities turned so that the disc spins about z."""
    spin = np.cross(x, v).sum(axis=0)
    z = spin / np.linalg.norm(spin)
    first = np.cross([0.0, 1.0, 0.0], z)
    first /= np.linalg.norm(first)
    axes = np.stack([first, np.cross(z, first), z])
    return x @ axes.T, v @ axes.T


def _radii(radius: np.ndarray, masses: np.ndarray) -> list[float]:
    """Radii [kpc] of `SHARES` of the mass."""
    order = np.argsort(radius)
    inside = np.cumsum(masses[order])
    return np.interp(np.array(SHARES) / 100.0 * inside[-1], inside, radius[order]).tolist()


def _toomre(x: np.ndarray, v: np.ndarray, radius: np.ndarray, smooth) -> list[float]:
    """Toomre's Q in rings a fifth of a scale length wide."""
    scale, outward = smooth.disc.scale_kpc, (x[:, :2] * v[:, :2]).sum(axis=1) / radius
    found = []
    for middle in np.array(RINGS) * scale:
        ring = np.abs(radius - middle) < 0.1 * scale
        surface = smooth.disc.mass * ring.mean() / (0.4 * np.pi * scale * middle)
        _, kappa = frequencies(smooth.potential, np.array([middle, 1.001 * middle]))
        found.append(float(outward[ring].std() * kappa[0] / (TOOMRE * G * surface)))
    return found


def _bar(x: np.ndarray, radius: np.ndarray, scale: float) -> dict:
    """A2 of all stars within 2 scale lengths (a bar), and the largest of rings half a scale length wide out to 3."""
    turned = ((x[:, 0] + 1j * x[:, 1]) / radius) ** 2
    rings = np.digitize(radius, np.arange(0.0, 3.01, 0.5) * scale)
    bar = abs(turned[radius < 2.0 * scale].mean())
    return {"a2_bar": float(bar), "a2_rings": float(max(abs(turned[rings == ring].mean()) for ring in range(1, 7)))}


# ------------------------------------------------------------------------------------------- reporting


def _change(series: list[dict], key: str, index: int | None = None, until: float = np.inf) -> float:
    """The change over its value at the start that is largest in size, up to a time [Gyr]."""
    values = np.array([now[key] if index is None else now[key][index] for now in series if now["gyr"] < until + 1e-6])
    change = values / values[0] - 1.0
    return float(change[np.argmax(np.abs(change))])


def _drifts(run: dict) -> dict:
    """Figures of a run: largest drifts, and what Q and A2 came to."""
    series = run["series"]
    figures = {"virial_start": series[0]["virial"] - 1.0}
    figures["virial_worst"] = max((now["virial"] - 1.0 for now in series), key=abs)
    for name, part in (("halo", "halo_radii"), ("disc", "disc_radii")):
        figures |= {f"{name}_r{share}": _change(series, part, i) for i, share in enumerate(SHARES)}
    figures["height_0.25_gyr"] = _change(series, "median_height", until=0.25)
    figures["height"] = _change(series, "median_height")
    figures["height_per_gyr"] = _growth(run)
    figures["q_start"], figures["q_end"] = series[0]["toomre_q"], series[-1]["toomre_q"]
    figures |= {key: max(now[key] for now in series) for key in ("a2_bar", "a2_rings")}
    return {key: value for key, value in run.items() if key != "series"} | figures


def _growth(run: dict) -> float:
    """Growth of the median height in a Gyr, over its value at the start: the line through all measurements."""
    gyr = np.array([now["gyr"] for now in run["series"]])
    height = np.array([now["median_height"] for now in run["series"]])
    return float(gyr @ (height / height[0] - 1.0) / (gyr @ gyr))


def _print(report: list[dict]) -> None:
    for row in report:
        print(f"\n{row['disc_particles']} disc + {row['halo_particles']} halo particles, ", end="")
        print(f"made in {row['made_in_s']:.1f} s, run in {row['run_in_s']:.0f} s")
        for key, value in list(row.items())[5:]:
            text = " ".join(f"{one:.2f}" for one in value) if isinstance(value, list) else f"{100 * value:+.2f} %"
            print(f"  {key:16} {text}")
    ratio = report[1]["height_per_gyr"] / report[0]["height_per_gyr"]
    print(f"\nthe disc thickens {ratio:.1f} times as fast with a tenth of the halo particles")


def _write_figure(runs: list[dict], path: Path) -> None:
    """The drifts with time, and beside the picture a CSV of its numbers."""
    fig, axes = plotstyle.figure(9.0, 5.6, nrows=2, ncols=2)
    for run, line in zip(runs, ("-", "--"), strict=True):
        plot_drifts(run, line, axes.ravel())
    plotstyle.save_png(fig, path)
    with open(path.with_suffix(".csv"), "w", newline="") as file:
        table = csv.writer(file)
        radii = [f"{part}_r{share}" for part in ("halo", "disc") for share in SHARES]
        table.writerow(["halo_particles", "gyr", "virial", *radii, "median_height", "a2_bar", "a2_rings"])
        for run in runs:
            for now in run["series"]:
                row = [now["gyr"], now["virial"], *now["halo_radii"], *now["disc_radii"]]
                row += [now["median_height"], now["a2_bar"], now["a2_rings"]]
                table.writerow([run["halo_particles"], *(f"{value:.6g}" for value in row)])


def plot_drifts(run: dict, line: str, axes) -> None:
    """Four panels: radii of the halo and of the disc, thickness, virial ratio; in per cent, with time."""
    series, label = run["series"], f"{run['halo_particles']:,} halo particles"
    gyr = [now["gyr"] for now in series]
    for ax, part in zip(axes, ("halo_radii", "disc_radii"), strict=False):
        for i, share in enumerate(SHARES):
            values = np.array([now[part][i] for now in series])
            name = f"{share} %" if line == "-" else None
            ax.plot(gyr, 100.0 * (values / values[0] - 1.0), line, color=f"C{i}", label=name)
        ax.set(title=f"{part.split('_')[0]}: radii of shares of the mass", ylabel="change [%]")
        ax.legend(frameon=False)
    height = np.array([now["median_height"] for now in series])
    axes[2].plot(gyr, 100.0 * (height / height[0] - 1.0), line, color="C3", label=label)
    axes[2].set(title="disc: median |z|", xlabel="time [Gyr]", ylabel="change [%]")
    axes[3].plot(gyr, [100.0 * (now["virial"] - 1.0) for now in series], line, color="C4", label=label)
    axes[3].set(title="virial ratio 2T/|W| - 1", xlabel="time [Gyr]", ylabel="[%]")
    for ax in axes[2:]:
        ax.legend(frameon=False)


if __name__ == "__main__":
    main()
