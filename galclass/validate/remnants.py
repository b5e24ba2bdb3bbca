"""Shape and kinematics of a remnant seen from many sides, after Naab & Burkert (2003, ApJ 597, 893).

A picture of 128 x 128 pixels, smoothed by a Gaussian of 1.5 pixels, shows about ten scale lengths of the progenitors.
The characteristic a4 is the mean over isophotes between 0.25 and 1 effective radius, the ellipticity that at 1.5, the
rotation that along the major axis at 1.5, the central dispersion that within 0.2.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from galclass import isophotes, kernels, render, snapshot, vectors
from galclass.errors import InputError
from galclass.units import GYR_PER_TIME

_PIXELS, _SMOOTHING_PX = 128, 1.5
_FIELD_RE = 7.0
#: Isophotes that give a4, and the one of the ellipticity and the major axis [effective radii]; half of their width.
_A4_RE, _AXES_RE, _ZONE = (0.25, 0.4, 0.55, 0.7, 0.85, 1.0), 1.5, 0.15
#: Where dispersion and rotation are measured, and half the width of the slit [effective radii].
_CENTRE_RE, _ROTATION_RE, _SLIT_RE = 0.2, (1.3, 1.7), 0.2


def observe(file: Path, run: str, seed: int, views: int) -> pd.DataFrame:
    """Measure the remnant in a snapshot from all sides.

    Parameters
    ----------
    file : path
        The snapshot; the remnant is all of its stars, about their densest place.
    run : str
        Name of the run, for the table and the views.
    seed, views : int
        Of the directions, uniform on the sphere, and how many.

    Returns
    -------
    table
        Of each view: run, time_gyr, apart (whether a second galaxy is still there), stars (how many), view_x, view_y,
        view_z, the columns of `measure`, and a4_redrawn: a4_over_a of as many stars drawn anew from these with
        repetition (Efron 1979, Ann. Stat. 7, 1), whose differences from a4_over_a show its noise.
    """
    everything = snapshot.read(file)
    stars = everything.select(snapshot.STAR_TYPES)
    if len(stars) == 0:
        raise InputError(f"{file}: no stars; give the snapshots of a merger of discs")
    places = stars.positions - snapshot.centre(stars.positions, stars.masses)
    sides, rng = render.sphere_views(views, seed, run), np.random.default_rng([seed, views])
    rows = []
    for direction, roll in zip(sides.directions, sides.rolls, strict=True):
        seen = places @ vectors.camera(direction, roll).T, stars.velocities @ direction
        drawn = rng.integers(len(stars), size=len(stars))
        again = np.bincount(drawn, weights=stars.masses, minlength=len(stars))
        redrawn = photometry(seen[0], again, projected_radius(seen[0], again))[0]
        view = dict(zip(("view_x", "view_y", "view_z"), direction, strict=True))
        rows.append(view | measure(*seen, stars.masses) | {"a4_redrawn": redrawn})
    moment = {
        "run": run,
        "time_gyr": everything.time * GYR_PER_TIME,
        "apart": is_pair(places, stars.masses),
        "stars": len(stars),
    }
    return pd.DataFrame([moment | {"stars": len(stars)} | row for row in rows])


def is_pair(positions: np.ndarray, masses: np.ndarray) -> bool:
    """Whether there is a second galaxy beside the one at the origin; positions (n, 3) [kpc], masses (n,)."""
    size = render.effective_radius(np.linalg.norm(positions, axis=1), masses)
    stars = snapshot.Snapshot(
        positions, np.zeros_like(positions), masses, np.arange(len(masses)), np.full(len(masses), 2)
    )
    return render.companion_position(stars, size) is not None


def measure(places: np.ndarray, velocities: np.ndarray, masses: np.ndarray) -> dict[str, float]:
    """Everything that is measured of one view.

    Parameters
    ----------
    places : ndarray, shape (n, 3)
        In the axes of the picture, the third along the line of sight, about the remnant's centre [kpc].
    velocities : ndarray, shape (n,)
        Along the line of sight [km/s].
    masses : ndarray, shape (n,)
        Any unit.

    Returns
    -------
    dict
        r_eff_kpc, a4_over_a (Bender's: negative is boxy), ellipticity, rotation_km_s, dispersion_km_s, and
        v_over_sigma_star, rotation over dispersion in units of sqrt(e / (1 - e)), about that of an isotropic galaxy
        that is flat by its rotation (Kormendy 1982; Binney 1978).
    """
    r_eff = projected_radius(places, masses)
    a4, ellipticity, angle = photometry(places, masses, r_eff)
    rotation, dispersion = kinematics(places, velocities, masses, r_eff, angle)
    flat = np.sqrt(ellipticity / (1.0 - ellipticity))
    return {"r_eff_kpc": r_eff, "a4_over_a": a4, "ellipticity": ellipticity, "rotation_km_s": rotation,
            "dispersion_km_s": dispersion, "v_over_sigma_star": rotation / dispersion / flat}  # fmt: skip


def projected_radius(places: np.ndarray, masses: np.ndarray) -> float:
    """Radius of the circle in the picture that holds half of all stars' mass [kpc]; parameters as for `measure`."""
    radius = np.hypot(places[:, 0], places[:, 1])
    order = np.argsort(radius)
    enclosed = np.cumsum(masses[order])
    return float(radius[order][np.searchsorted(enclosed, 0.5 * enclosed[-1])])


def photometry(places: np.ndarray, masses: np.ndarray, r_eff: float) -> tuple[float, float, float]:
    """Characteristic a4/a, ellipticity, and angle of the major axis [rad] of a view; parameters as for `measure`."""
    pixel = _FIELD_RE * r_eff / _PIXELS
    widths = np.full(len(masses), _SMOOTHING_PX * pixel)
    picture = kernels.project(places, masses, widths, np.eye(3)[None], 0.5 * _FIELD_RE * r_eff, _PIXELS)[0]
    rows = isophotes.profile(picture, np.array([*_A4_RE, _AXES_RE]) * r_eff / pixel, _ZONE)
    found = rows["a4_over_a"][:-1]
    a4 = float(np.mean(found[np.isfinite(found)])) if np.isfinite(found).any() else np.nan
    return a4, float(rows["ellipticity"][-1]), float(np.deg2rad(rows["pa_deg"][-1]))


def kinematics(
    places: np.ndarray, velocities: np.ndarray, masses: np.ndarray, r_eff: float, angle: float
) -> tuple[float, float]:
    """Rotation along the major axis and central dispersion [km/s]; parameters as for `measure`, angle in [rad].

    Moments of the velocities, where Naab & Burkert fit Gauss-Hermite series. The rotation is half the difference
    between the two ends of the axis, so that it needs no systemic velocity.
    """
    along = places[:, 0] * np.cos(angle) + places[:, 1] * np.sin(angle)
    across = places[:, 1] * np.cos(angle) - places[:, 0] * np.sin(angle)
    inner, outer = (share * r_eff for share in _ROTATION_RE)
    slit = (np.abs(across) < _SLIT_RE * r_eff) & (np.abs(along) > inner) & (np.abs(along) < outer)
    ends = [_mean(velocities, masses * (slit & (side * along > 0))) for side in (-1.0, 1.0)]
    centre = masses * (np.hypot(along, across) < _CENTRE_RE * r_eff)
    spread = _mean((velocities - _mean(velocities, centre)) ** 2, centre)
    return abs(ends[1] - ends[0]) / 2.0, float(np.sqrt(spread))


def _mean(values: np.ndarray, weights: np.ndarray) -> float:
    """The weighted mean; NaN where there is nothing."""
    total = weights.sum()
    return float(values @ weights / total) if total > 0 else np.nan
