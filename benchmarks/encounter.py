"""Somebody else's encounter of two galaxies, run with our merger: energy, separation of the centres, half-mass radii.

usage: python benchmarks/encounter.py SNAPSHOT --softening KPC --end TIME [--snapshots N] [--picture FILE.png] [--json]

SNAPSHOT is a GADGET file of two galaxies; within each particle type the lower half of the ids is the first galaxy.
Times are in kpc/(km/s), 0.978 Gyr. Centres are those of shrinking spheres about the disc particles. The picture is a
row of surface densities of the disc particles, seen along z.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from galclass import config, kernels, plotstyle, simulate, snapshot
from galclass.units import GYR_PER_TIME

DISC, HALO = snapshot.TYPES["disc"], snapshot.TYPES["halo"]


def halves(particles: snapshot.Snapshot) -> np.ndarray:
    """Which galaxy each particle belongs to, 0 or 1, shape (n,)."""
    galaxy = np.zeros(len(particles), dtype=int)
    for kind in np.unique(particles.types):
        members = np.flatnonzero(particles.types == kind)
        ranked = members[np.argsort(particles.ids[members], kind="stable")]
        galaxy[ranked[len(ranked) // 2 :]] = 1
    return galaxy


def half_mass_radius(positions: np.ndarray, masses: np.ndarray, middle: np.ndarray) -> float:
    """Radius about a centre that holds half of the mass [kpc]."""
    radius = np.linalg.norm(positions - middle, axis=1)
    order = np.argsort(radius, kind="stable")
    inside = np.cumsum(masses[order])
    return float(radius[order[np.searchsorted(inside, 0.5 * inside[-1])]])


def measured(particles: snapshot.Snapshot) -> dict:
    """Separation of the two centres and half-mass radii of discs and haloes [kpc] at one time."""
    galaxy = halves(particles)
    discs = [(particles.types == DISC) & (galaxy == number) for number in (0, 1)]
    middles = [snapshot.centre(particles.positions[disc], particles.masses[disc]) for disc in discs]
    radii = {}
    for name, kind in (("disc", DISC), ("halo", HALO)):
        parts = [(particles.types == kind) & (galaxy == number) for number in (0, 1)]
        radii[f"{name}_half_mass_radii"] = [
            half_mass_radius(particles.positions[part], particles.masses[part], middle)
            for part, middle in zip(parts, middles, strict=True)
        ]
    return {"time": particles.time, "separation": float(np.linalg.norm(middles[1] - middles[0]))} | radii


def first_pericentre(times: np.ndarray, separations: np.ndarray) -> dict | None:
    """Time and separation of the first minimum, from a parabola of the squared separation; None before it."""
    minima = np.flatnonzero((separations[1:-1] <= separations[:-2]) & (separations[1:-1] < separations[2:])) + 1
    if len(minima) == 0:
        return None
    # As long as the galaxies are near each other: one centre is uncertain by some tenths of a kpc.
    near = np.abs(times - times[minima[0]]) <= separations[minima[0]] / np.ptp(np.gradient(separations, times))
    near[minima[0] - 1 : minima[0] + 2] = True
    a, b, c = np.polyfit(times[near] - times[minima[0]], separations[near] ** 2, 2)
    return {
        "time": float(times[minima[0]] - b / (2 * a)),
        "separation": float(max(c - b**2 / (4 * a), 0.0) ** 0.5),
    }


def run(folder: Path, merger: Path, start: snapshot.Snapshot, settings: dict) -> float:
    """Evolve the snapshot; returns the wall-clock time [s]."""
    snapshot.write(folder / "start.dat", start)
    (folder / "run.nml").write_text(
        simulate.merger_namelist(folder / "start.dat", folder / "out", settings, settings["threads"])
    )
    begun = time.perf_counter()
    subprocess.run([merger, folder / "run.nml"], check=True, stdout=sys.stderr)
    return time.perf_counter() - begun


def settings_of(chosen: argparse.Namespace, start_time: float) -> dict:
    """The configuration's section simulate with what was asked for."""
    settings = config.load()["simulate"] | {
        "end_time_gyr": (chosen.end - start_time) * GYR_PER_TIME,
        "time_step_gyr": chosen.time_step * GYR_PER_TIME,
        "softening_kpc": chosen.softening,
        "snapshots": chosen.snapshots,
        "threads": chosen.threads,
        "solver": chosen.solver,
    }
    given = {
        "force_accuracy": chosen.accuracy,
        "time_step_accuracy": chosen.eta,
        "time_step_levels": chosen.levels,
    }
    return settings | {key: value for key, value in given.items() if value is not None}


def figures(chosen: argparse.Namespace) -> dict:
    """Run, measure and draw."""
    start = snapshot.read(chosen.snapshot)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seconds = run(folder, chosen.merger, start, settings_of(chosen, start.time))
        log = np.genfromtxt(folder / "out" / "energy.csv", delimiter=",", names=True, skip_header=1)
        files = sorted((folder / "out").glob("snapshot_*.dat"))
        states = [measured(snapshot.read(file)) for file in files]
        if chosen.picture:
            draw([snapshot.read(files[i]) for i in chosen.panels or panels(len(files))], chosen.field, chosen.picture)
    times, separations = (np.array([state[key] for state in states]) for key in ("time", "separation"))
    return {
        "file": chosen.snapshot.name,
        "particles": len(start),
        "softening_kpc": chosen.softening,
        "seconds": seconds,
        "energy_error": float(np.abs(log["energy_drift"]).max()),
        "momentum_drift": float(log["momentum_drift"].max()),
        "first_pericentre": first_pericentre(times, separations),
        "states": states,
    }


def panels(count: int) -> list[int]:
    """Six snapshots, evenly spread."""
    return [round(i) for i in np.linspace(0, count - 1, 6)]


def surface_density(particles: snapshot.Snapshot, field_kpc: float, pixels: int = 240) -> np.ndarray:
    """Log10 of the discs' surface density [1e10 Msun/kpc^2] in a square about the origin, seen along z."""
    discs = particles.select([DISC])
    width = np.full(len(discs), field_kpc / pixels)
    picture = kernels.project(discs.positions, discs.masses, width, np.eye(3)[None], field_kpc / 2, pixels, 1)[0]
    return np.log10(np.maximum(picture / (field_kpc / pixels) ** 2, 1e-12))


def draw(moments: list[snapshot.Snapshot], field_kpc: float, path: Path) -> None:
    """A row of pictures in time, all with one scale of brightness."""
    pictures = [surface_density(moment, field_kpc) for moment in moments]
    brightest = np.quantile(pictures[0], 0.9999)
    fig, axes = plotstyle.figure(1.9 * len(pictures), 2.1, ncols=len(pictures))
    half = field_kpc / 2
    for moment, picture, ax in zip(moments, pictures, axes, strict=True):
        ax.imshow(
            picture, origin="lower", extent=(-half, half, -half, half), cmap=plotstyle.IMAGE_MAP,
            vmin=brightest - 3.5, vmax=brightest,
        )  # fmt: skip
        ax.set_title(f"{moment.time * GYR_PER_TIME:.2f} Gyr")
        ax.set(xticks=[], yticks=[])
        ax.grid(False)
        ax.spines[:].set_visible(False)
    bar = max(length for length in (0.1, 1, 2, 5, 10, 20, 50, 100, 1000) if length <= max(0.1, field_kpc / 4))
    axes[0].plot([-0.9 * half, -0.9 * half + bar], [-0.9 * half] * 2, color="white", lw=1.5)
    axes[0].text(-0.9 * half, -0.85 * half, f"{bar:g} kpc", color="white", va="bottom")
    plotstyle.save_png(fig, path)


def show(found: dict) -> None:
    """Print the figures as a table."""
    print(f"{found['file']}: {found['particles']} particles, {found['seconds']:.0f} s, ", end="")
    print(f"largest |dE/E| {found['energy_error']:.1e}; first pericentre {found['first_pericentre']}")
    print("   time separation   half-mass radii: discs         haloes")
    for state in found["states"]:
        radii = "  ".join(f"{r:8.2f}" for r in state["disc_half_mass_radii"] + state["halo_half_mass_radii"])
        print(f"{state['time']:7.3f} {state['separation']:10.2f}          {radii}")


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("snapshot", type=Path)
    parser.add_argument("--softening", type=float, required=True, help="Plummer softening [kpc]")
    parser.add_argument("--end", type=float, required=True, help="time of the end [kpc/(km/s)]")
    parser.add_argument("--time-step", type=float, default=1 / 128, help="longest step [kpc/(km/s)]")
    parser.add_argument("--snapshots", type=int, default=100)
    parser.add_argument("--solver", default="tree", choices=list(kernels.SOLVERS))
    parser.add_argument("--accuracy", type=float, help="of the tree")
    parser.add_argument("--eta", type=float, help="of the time steps")
    parser.add_argument("--levels", type=int, help="of the block steps, 0 for equal steps")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--merger", type=Path, default=config.ROOT / "results" / "bin" / "merger")
    parser.add_argument("--picture", type=Path, help="PNG file to draw")
    parser.add_argument("--panels", type=int, nargs="+", help="snapshots in the picture; six, evenly spread")
    parser.add_argument("--field", type=float, default=200.0, help="side of the pictures [kpc]")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args(arguments)
    found = figures(chosen)
    print(json.dumps(found)) if chosen.json else show(found)


if __name__ == "__main__":
    main(sys.argv[1:])
