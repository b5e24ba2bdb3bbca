"""Pictures of snapshots as the thesis made them: projected density of the stars, log10, scaled to 0..1.

Each particle is drawn as a Gaussian as wide as the distance to its k-th neighbour, so that a picture of 1e4
particles is no dot pattern. Views are uniform on the sphere with a random roll; they depend on the seed, the
run and the snapshot only, not on the order of the work.
"""

import sys
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from galclass import images, kernels, provenance, quality, snapshot, vectors
from galclass.errors import InputError
from galclass.progress import progress
from galclass.units import GYR_PER_TIME

_SNAPSHOT_SUFFIXES = (".dat", ".gad", ".gadget", ".g2")
_SHEET_COLUMNS, _SHEET_PICTURES = 12, 108
_APERTURE_RE = 4.0
_COMPANION_SHARE = 0.1
_PAIR_MARGIN_RE = 3.0


#: Pictures (n, ny, nx) between 0 and 1, and their rows of the pack's table.
Pictures = tuple[np.ndarray, pd.DataFrame]


@dataclass(frozen=True)
class Views:
    """Where the observers of one snapshot stand: unit vectors (n, 3), and rolls (n,) [rad]."""

    directions: np.ndarray
    rolls: np.ndarray


def run(
    inputs: Sequence[Path], settings: dict, output: Path, run: str, types: Sequence[int] = snapshot.STAR_TYPES
) -> None:
    """Picture the stars of snapshots from all sides, and write one pack and a contact sheet.

    The centre is the densest place (shrinking sphere), and the field follows the effective radius of the
    galaxy there. A pair still apart is no galaxy yet: its picture shows both, about their centre of mass, and
    is not folded.

    Parameters
    ----------
    inputs : paths
        GADGET files, or folders of them.
    settings : dict
        The section `render` of the configuration.
    output : path
        The pack (.h5); the contact sheet has the same name with .png.
    run : str
        Name of the simulation, for the table and the views; empty for that of the file or folder.
    types : sequence of int
        GADGET particle types to draw.

    Raises
    ------
    InputError
        A snapshot cannot be pictured. The others are, and the pack is written, before this is raised.
    """
    files = snapshot_files(inputs)
    name = run or Path(inputs[0]).stem
    _run(files, lambda file: _galaxy_pictures(file, name, settings, types), settings, output, name)


def run_film(
    inputs: Sequence[Path], settings: dict, output: Path, run: str, types: Sequence[int] = snapshot.STAR_TYPES
) -> None:
    """Picture the whole scene, the same field about the centre of mass from the same side for every snapshot.

    The parameters are those of `run`; `film_field_kpc` is the width of the field, `film_views` the number of
    sides: along z, y, x, then others. Nothing is folded, so that two galaxies stay two.
    """
    files = snapshot_files(inputs)
    name = run or Path(inputs[0]).stem
    _run(files, lambda file: _film_pictures(file, name, settings, types), settings, output, name)


def run_shapes(folder: Path, models: Sequence[dict], settings: dict, output: Path) -> None:
    """Picture the shape models with random roll and a small tilt; the label is the model's class.

    Parameters
    ----------
    folder : path
        Holds MODEL.dat for each model.
    models : sequence of dict
        Rows of the shape table: `model`, `class` and the rest.
    settings : dict
        The section `render` of the configuration.
    output : path
        The pack (.h5), and a contact sheet with the same name and .png.
    """
    files = {Path(folder) / f"{model['model']}.dat": model for model in models}
    _run(list(files), lambda file: _shape_pictures(file, files[file], settings), settings, output, "shapes")


def _run(files: list[Path], picture: Callable[[Path], Pictures], settings: dict, output: Path, what: str) -> None:
    """Picture each file and write the pack; what cannot be pictured is left out and said at the end."""
    done, failures = [], []
    for file in progress(files, len(files), f"render {what}"):
        try:
            done.append(picture(file))
        except InputError as error:
            failures.append(error)
    if done:
        present = [file for file in files if file.exists()]
        record = provenance.record("render", present, settings, settings["seed"])
        failed = quality.mark(sorted({file.parent for file in files}))
        if failed:
            print(f"render: {what} FAILS its quality gates ({failed}); its pictures are marked", flush=True)
        _write(output, done, record | {"quality": failed})
    _raise_failures(failures, len(files), output)


def snapshot_files(inputs: Sequence[Path]) -> list[Path]:
    """The files given, and in the place of a folder its snapshots in the order of their names.

    Raises
    ------
    InputError
        A folder has no file that starts with `snap` or ends like a GADGET file, or nothing was given.
    """
    files: list[Path] = []
    for path in map(Path, inputs):
        files += _folder_snapshots(path) if path.is_dir() else [path]
    if not files:
        raise InputError("no snapshot given; name at least one GADGET file or a folder of them")
    return files


def _folder_snapshots(folder: Path) -> list[Path]:
    """The snapshots in a folder, by name."""
    found = [file for file in sorted(folder.iterdir()) if file.is_file() and _looks_like_snapshot(file)]
    if not found:
        kinds = ", ".join(f"*{suffix}" for suffix in _SNAPSHOT_SUFFIXES)
        raise InputError(f"{folder}: no snapshot in this folder; allowed are snap* and {kinds}, or name the files")
    return found


def _looks_like_snapshot(file: Path) -> bool:
    whole = file.suffix != ".partial"  # what a running or killed merger is writing
    return whole and file.name.startswith("snap") or file.suffix in _SNAPSHOT_SUFFIXES


def project(stars: snapshot.Snapshot, views: Views, field_kpc: float, settings: dict) -> np.ndarray:
    """Surface density of particles about the origin, seen from several sides.

    Parameters
    ----------
    stars : Snapshot
        Particles, positions relative to the centre of the picture [kpc].
    views : Views
        n directions and rolls.
    field_kpc : float
        Width of the pictures [kpc].
    settings : dict
        `pixels`, `smoothing_neighbours`, `smoothing_scale`, `minimum_smoothing_px`.

    Returns
    -------
    shape (n, pixels, pixels)
        Mass per pixel [1e10 Msun], y up.
    """
    smallest = settings["minimum_smoothing_px"] * field_kpc / settings["pixels"]
    distances = neighbour_distance(stars.positions, settings["smoothing_neighbours"])
    widths = np.maximum(settings["smoothing_scale"] * distances, smallest)
    cameras, pixels = vectors.cameras(views.directions, views.rolls), settings["pixels"]
    return kernels.project(stars.positions, stars.masses, widths, cameras, 0.5 * field_kpc, pixels)


def neighbour_distance(positions: np.ndarray, neighbours: int) -> np.ndarray:
    """Distance of each of n particles (n, 3) to its k-th neighbour, shape (n,) [kpc]; 0 for a lone one."""
    from scipy.spatial import cKDTree

    count = min(neighbours, len(positions) - 1)
    if count < 1:
        return np.zeros(len(positions))
    # The nearest particle is the particle itself.
    return cKDTree(positions).query(positions, [count + 1])[0][:, 0]


def effective_radius(radii: np.ndarray, masses: np.ndarray) -> float:
    """Projected radius that holds half of the mass within four such radii [kpc].

    Searched from inside outwards, so that a galaxy's size does not depend on a companion further off.

    Parameters
    ----------
    radii : shape (n,)
        Projected distances from the centre [kpc].
    masses : shape (n,)
        Masses, any unit.
    """
    order = np.argsort(radii)
    radii, enclosed = radii[order], np.cumsum(masses[order])
    radius = radii[np.searchsorted(enclosed, 0.05 * enclosed[-1])]
    for _ in range(200):
        within = enclosed[np.searchsorted(radii, _APERTURE_RE * radius, side="right") - 1]
        before, radius = radius, radii[np.searchsorted(enclosed, 0.5 * within)]
        if radius == before:
            break
    return float(radius)


def companion_position(stars: snapshot.Snapshot, r_eff: float) -> np.ndarray | None:
    """Centre (3,) of a second galaxy beside the one at the origin [kpc], or None.

    It is the densest place outside four effective radii, if a tenth of all mass lies within two around it: no
    envelope or tail is so dense there.
    """
    outside = np.linalg.norm(stars.positions, axis=1) > _APERTURE_RE * r_eff
    least = _COMPANION_SHARE * stars.masses.sum()
    if stars.masses[outside].sum() < least:
        return None
    place = snapshot.centre(stars.positions[outside], stars.masses[outside])
    near = np.linalg.norm(stars.positions - place, axis=1) < 2.0 * r_eff
    return place if stars.masses[near & outside].sum() >= least else None


def fold(density: np.ndarray) -> np.ndarray:
    """Mean of each picture (..., ny, nx) and itself turned by 180 degrees."""
    return 0.5 * (density + density[..., ::-1, ::-1])


def sphere_views(count: int, seed: int, *names: str) -> Views:
    """Views uniform on the sphere with uniform rolls, the same for the same seed and names."""
    rng = _generator(seed, *names)
    return Views(vectors.sphere_directions(count, rng), rng.uniform(0.0, 2.0 * np.pi, count))


def tilted_views(count: int, maximum_tilt_deg: float, seed: int, *names: str) -> Views:
    """Views along z with uniform rolls, tilted by up to an angle about a random axis in the picture."""
    rng = _generator(seed, *names)
    tilt = np.deg2rad(rng.uniform(0.0, maximum_tilt_deg, count))
    azimuth = rng.uniform(0.0, 2.0 * np.pi, count)
    x, y = np.sin(tilt) * np.cos(azimuth), np.sin(tilt) * np.sin(azimuth)
    directions = np.stack([x, y, np.cos(tilt)], axis=1)
    return Views(directions, rng.uniform(0.0, 2.0 * np.pi, count))


def film_views(count: int) -> Views:
    """The directions of a film: along z, y and x, then a fixed sequence on the sphere; no roll."""
    more = vectors.sphere_directions(max(count - 3, 0), np.random.default_rng(0))
    directions = np.concatenate([np.eye(3)[::-1], more])[:count]
    return Views(directions, np.zeros(count))


def _generator(seed: int, *names: str) -> np.random.Generator:
    """Random numbers of their own for each run and snapshot."""
    return np.random.default_rng([seed, *(zlib.crc32(name.encode()) for name in names)])


def _stars(file: Path, types: Sequence[int]) -> tuple[snapshot.Snapshot, float]:
    """The particles to draw, and the time [Gyr]; an `InputError` when there is none of them."""
    everything = snapshot.read(file)
    stars = everything.select(types)
    if len(stars) == 0:
        wanted, present = (", ".join(map(str, kinds)) for kinds in (types, np.unique(everything.types)))
        raise InputError(
            f"{file}: no particles of type {wanted} to draw, only of type {present}; "
            "give a snapshot with stars (2 disc, 3 bulge, 4 stars)"
        )
    return stars, everything.time * GYR_PER_TIME


def _moved(stars: snapshot.Snapshot, origin: np.ndarray) -> snapshot.Snapshot:
    """The particles with `origin` as the origin."""
    return snapshot.Snapshot(
        stars.positions - origin, stars.velocities, stars.masses, stars.ids, stars.types, stars.time
    )


def _projected_radius(stars: snapshot.Snapshot) -> float:
    """Effective radius of particles about the origin, over the projections along three axes [kpc]."""
    x, y, z = stars.positions.T
    radii = np.concatenate([np.hypot(x, y), np.hypot(y, z), np.hypot(z, x)])
    return effective_radius(radii, np.tile(stars.masses, 3))


def _galaxy_pictures(file: Path, run: str, settings: dict, types: Sequence[int]) -> Pictures:
    """Pictures of the galaxy in a snapshot, or of the pair, from all sides."""
    stars, time_gyr = _stars(file, types)
    stars = _moved(stars, snapshot.centre(stars.positions, stars.masses))
    r_eff = _extent(file, _projected_radius(stars))
    field_kpc, folded = settings["field_effective_radii"] * r_eff, settings["fold"]
    companion = companion_position(stars, r_eff)
    if companion is not None:
        middle = np.average(stars.positions, axis=0, weights=stars.masses)
        furthest = max(np.linalg.norm(middle), np.linalg.norm(companion - middle))
        stars, field_kpc, folded = _moved(stars, middle), 2.0 * (furthest + _PAIR_MARGIN_RE * r_eff), False
    views = sphere_views(settings["views"], settings["seed"], run, file.stem)
    table = _table(views, run, file.stem, time_gyr, field_kpc, r_eff, settings)
    return _stretched(project(stars, views, field_kpc, settings), settings, folded), table


def _film_pictures(file: Path, run: str, settings: dict, types: Sequence[int]) -> Pictures:
    """Pictures of the whole scene of a snapshot."""
    stars, time_gyr = _stars(file, types)
    r_eff = _projected_radius(_moved(stars, snapshot.centre(stars.positions, stars.masses)))
    stars = _moved(stars, np.average(stars.positions, axis=0, weights=stars.masses))
    views, field_kpc = film_views(settings["film_views"]), settings["film_field_kpc"]
    table = _table(views, run, file.stem, time_gyr, field_kpc, r_eff, settings)
    return _stretched(project(stars, views, field_kpc, settings), settings, folded=False), table


def _shape_pictures(file: Path, model: dict, settings: dict) -> Pictures:
    """Pictures of one shape model, whose plane is that of x and y."""
    stars, time_gyr = _stars(file, snapshot.STAR_TYPES)
    stars = _moved(stars, np.average(stars.positions, axis=0, weights=stars.masses))
    r_eff = _extent(file, effective_radius(np.hypot(*stars.positions[:, :2].T), stars.masses))
    shapes, name = settings["shapes"], model["model"]
    views = tilted_views(shapes["pictures_per_model"], shapes["maximum_tilt_deg"], settings["seed"], name)
    field_kpc = settings["field_effective_radii"] * r_eff
    table = _table(views, name, file.stem, time_gyr, field_kpc, r_eff, settings).assign(label=model["class"])
    return _stretched(project(stars, views, field_kpc, settings), settings, settings["fold"]), table


def _stretched(density: np.ndarray, settings: dict, folded: bool) -> np.ndarray:
    """Pictures 0..1 of surface densities."""
    return images.stretch(fold(density) if folded else density, settings["depth_dex"])


def _extent(file: Path, r_eff: float) -> float:
    """The effective radius, or an `InputError` when the particles have no extent."""
    if r_eff <= 0:
        raise InputError(f"{file}: half of the stars lie in one point; a picture needs an extent")
    return r_eff


def _table(
    views: Views, run: str, name: str, time_gyr: float, field_kpc: float, r_eff: float, settings: dict
) -> pd.DataFrame:
    """Rows of the pack for the pictures of one snapshot; `_write` fills in `frame`."""
    view_x, view_y, view_z = views.directions.T
    columns = {"frame": 0, "run": run, "snapshot": name, "time_gyr": time_gyr}
    columns |= {"view_x": view_x, "view_y": view_y, "view_z": view_z, "roll_deg": np.rad2deg(views.rolls)}
    columns |= {"pixel_kpc": field_kpc / settings["pixels"], "effective_radius_kpc": r_eff}
    return pd.DataFrame(columns | {"seed": settings["seed"], "label": ""})


def _write(output: Path, done: list[Pictures], record: dict) -> None:
    """The pack, and a sheet of pictures spread evenly over it."""
    stack = np.concatenate([pictures for pictures, _ in done])
    frames = pd.concat([table for _, table in done], ignore_index=True).assign(frame=np.arange(len(stack)))
    images.write_pack(output, stack, frames, record)
    shown = np.unique(np.linspace(0, len(stack) - 1, min(_SHEET_PICTURES, len(stack))).astype(int))
    columns = min(_SHEET_COLUMNS, len(shown))
    images.write_png(Path(output).with_suffix(".png"), images.contact_sheet(stack[shown], columns), zoom=2)


def _raise_failures(failures: list[InputError], total: int, output: Path) -> None:
    """Say which snapshots failed, on standard error but for the last, which is raised."""
    for failure in failures[:-1]:
        print(failure, file=sys.stderr)
    if failures:
        rest = f"; the other {total - len(failures)} are in {output}" if len(failures) < total else ""
        raise InputError(f"{failures[-1]}{rest}")
