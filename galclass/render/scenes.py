"""The pictures of one snapshot: a galaxy or a pair from all sides, a film's frame, or a shape model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from galclass import snapshot
from galclass.render.framing import (
    companion_position,
    effective_radius,
    moved,
    projected_radius,
    read_stars,
    require_extent,
)
from galclass.render.observing import Exposures, Observatory, unobserved
from galclass.render.views import Views, film_views, sphere_views, tilted_views

_PAIR_MARGIN_RE = 3.0


@dataclass(frozen=True)
class Frames:
    """Pictures of one snapshot, and their rows of the pack's table; the pack fills in the column `frame`."""

    exposures: Exposures
    table: pd.DataFrame


def galaxy(
    file: Path,
    run: str,
    observatory: Observatory,
    types: Sequence[int],
    views: Views | None = None,
    read: Callable[[Path], snapshot.Snapshot] = snapshot.read,
) -> Frames:
    """The galaxy in a snapshot, or the pair, from these views; from random ones, as many as set, if none are given.

    `read` gives the particles of the file where they are not to be taken as they stand in it.
    """
    settings = observatory.settings
    stars, time_gyr = read_stars(file, types, read)
    stars = moved(stars, snapshot.centre(stars.positions, stars.masses))
    r_eff = require_extent(file, projected_radius(stars))
    field_kpc, folded = observatory.field_kpc(r_eff), settings["fold"]
    companion = companion_position(stars, r_eff)
    if companion is not None:
        middle = np.average(stars.positions, axis=0, weights=stars.masses)
        furthest = max(np.linalg.norm(middle), np.linalg.norm(companion - middle))
        stars, field_kpc, folded = moved(stars, middle), 2.0 * (furthest + _PAIR_MARGIN_RE * r_eff), False
    views = views or sphere_views(settings["views"], settings["seed"], run, file.stem)
    deep = observatory.deep(stars, time_gyr, views, field_kpc, folded)
    exposures = observatory.expose(deep, field_kpc, r_eff, (run, file.stem))
    table = _table(views, run, file.stem, time_gyr, field_kpc, r_eff, exposures, observatory)
    return Frames(exposures, table.assign(galaxies=1 if companion is None else 2))


def film(file: Path, run: str, observatory: Observatory, types: Sequence[int]) -> Frames:
    """The whole scene of a snapshot in a fixed field, for the eye: without blur, sky and noise."""
    settings = observatory.settings
    stars, time_gyr = read_stars(file, types)
    r_eff = projected_radius(moved(stars, snapshot.centre(stars.positions, stars.masses)))
    stars = moved(stars, np.average(stars.positions, axis=0, weights=stars.masses))
    views, field_kpc = film_views(settings["film_views"]), settings["film_field_kpc"]
    deep = observatory.deep(stars, time_gyr, views, field_kpc, folded=False)
    exposures = unobserved(deep)
    return Frames(exposures, _table(views, run, file.stem, time_gyr, field_kpc, r_eff, exposures, observatory))


def shape(file: Path, model: dict, observatory: Observatory) -> Frames:
    """One shape model, whose plane is that of x and y, with random roll and a small tilt."""
    settings, name = observatory.settings, model["model"]
    stars, time_gyr = read_stars(file, snapshot.STAR_TYPES)
    stars = moved(stars, np.average(stars.positions, axis=0, weights=stars.masses))
    r_eff = require_extent(file, effective_radius(np.hypot(*stars.positions[:, :2].T), stars.masses))
    count, tilt = settings["shapes"]["pictures_per_model"], settings["shapes"]["maximum_tilt_deg"]
    views, field_kpc = tilted_views(count, tilt, settings["seed"], name), observatory.field_kpc(r_eff)
    deep = observatory.deep(stars, time_gyr, views, field_kpc, settings["fold"])
    exposures = observatory.expose(deep, field_kpc, r_eff, (name,))
    table = _table(views, name, file.stem, time_gyr, field_kpc, r_eff, exposures, observatory)
    return Frames(exposures, table.assign(label=model["class"]))


def _table(
    views: Views,
    run: str,
    name: str,
    time_gyr: float,
    field_kpc: float,
    r_eff: float,
    exposures: Exposures,
    observatory: Observatory,
) -> pd.DataFrame:
    """Rows of the pack for the pictures of one snapshot."""
    view_x, view_y, view_z = views.directions.T
    pixel_kpc = field_kpc / observatory.settings["pixels"]
    columns = {"frame": 0, "run": run, "snapshot": name, "time_gyr": time_gyr}
    columns |= {"view_x": view_x, "view_y": view_y, "view_z": view_z, "roll_deg": np.rad2deg(views.rolls)}
    columns |= {"pixel_kpc": pixel_kpc, "pixel_arcsec": pixel_kpc * observatory.arcsec_per_kpc}
    columns |= {"effective_radius_kpc": r_eff, "snr": exposures.snr}
    return pd.DataFrame(columns | {"galaxies": 1, "seed": observatory.settings["seed"], "label": ""})
