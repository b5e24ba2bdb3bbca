"""Stage `render`: pictures of snapshots as a telescope sees them.

Each particle is drawn as a Gaussian as wide as the distance to its k-th neighbour, so that a picture of 1e4
particles is no dot pattern. The light of the views then goes through the telescope of the configuration: blur,
sky, noise and whatever else lies in the field. The pictures themselves are stretched to 0..1; the light stays
beside them. Views are uniform on the sphere with a random roll; they depend on the seed, the run and the
snapshot only, not on the order of the work.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from galclass import images, provenance, quality, snapshot
from galclass.errors import InputError, raise_failures
from galclass.files import require_suffix
from galclass.progress import progress
from galclass.render.framing import companion_position, effective_radius, projected_radius
from galclass.render.observing import Observatory, open_observatory, ring_snr
from galclass.render.projecting import fold, neighbour_distance, project
from galclass.render.scenes import Frames, film, galaxy, shape
from galclass.render.views import Views, film_views, sky_views, sphere_views, tilted_views
from galclass.snapshot import archive

__all__ = [
    "Observatory",
    "Views",
    "companion_position",
    "effective_radius",
    "film_views",
    "fold",
    "galaxy",
    "neighbour_distance",
    "open_observatory",
    "project",
    "projected_radius",
    "ring_snr",
    "run",
    "run_film",
    "run_shapes",
    "sky_views",
    "sphere_views",
    "tilted_views",
]

_SHEET_COLUMNS, _SHEET_PICTURES = 12, 108


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
    files = snapshot.find(inputs)
    name = run or Path(inputs[0]).stem
    _run(files, lambda file, observatory: galaxy(file, name, observatory, types), settings, output, name)


def run_film(
    inputs: Sequence[Path], settings: dict, output: Path, run: str, types: Sequence[int] = snapshot.STAR_TYPES
) -> None:
    """Picture the whole scene, the same field about the centre of mass from the same side for every snapshot.

    The parameters are those of `run`; `film_field_kpc` is the width of the field, `film_views` the number of
    sides: along z, y, x, then others. Nothing is folded, so that two galaxies stay two. There is no contact sheet.
    """
    files = snapshot.find(inputs)
    name = run or Path(inputs[0]).stem
    _run(files, lambda file, observatory: film(file, name, observatory, types), settings, output, name, sheet=False)


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
    _run(list(files), lambda file, observatory: shape(file, files[file], observatory), settings, output, "shapes")


def _run(
    files: list[Path],
    picture: Callable[[Path, Observatory], Frames],
    settings: dict,
    output: Path,
    what: str,
    sheet: bool = True,
) -> None:
    """Picture each file and write the pack; what cannot be pictured is left out and said at the end."""
    require_suffix(output, *images.PACK_SUFFIXES)
    observatory, done, failures = open_observatory(settings), [], []
    for file in progress(files, len(files), f"render {what}"):
        try:
            done.append(picture(file, observatory))
        except InputError as error:
            failures.append(error)
    if done:
        held = archive.holding(files)
        record = provenance.record("render", [*held, *observatory.files], settings, settings["seed"])
        failed = quality.mark(sorted({file.parent for file in held}))
        if failed:
            print(f"render: {what} FAILS its quality gates ({failed}); its pictures are marked", flush=True)
        stack = _write(output, done, observatory, record | {"quality": failed})
        if sheet:
            _write_sheet(output.with_suffix(".png"), stack)
    raise_failures(failures, len(files) - len(failures), output)


def _write(output: Path, done: list[Frames], observatory: Observatory, record: dict) -> np.ndarray:
    """Write the pack; returns its pictures."""
    flux = np.concatenate([frames.exposures.flux for frames in done])
    layers = {"flux": flux}
    if any(frames.exposures.deep is not frames.exposures.flux for frames in done):
        layers["deep"] = np.concatenate([frames.exposures.deep for frames in done])
    table = pd.concat([frames.table for frames in done], ignore_index=True).assign(frame=np.arange(len(flux)))
    stack = images.stretch(flux, observatory.settings["depth_dex"])
    images.write_pack(output, stack, table, record, layers, observatory.telescope.unit)
    return stack


def _write_sheet(path: Path, stack: np.ndarray) -> None:
    """A sheet of pictures spread evenly over a pack."""
    shown = images.evenly_chosen(len(stack), _SHEET_PICTURES)
    images.write_png(path, images.contact_sheet(stack[shown], min(_SHEET_COLUMNS, len(shown))), zoom=2)
