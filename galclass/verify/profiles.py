"""Profiles of the isophotes, of a candidate and of the reference, and how unlike they are.

Ellipticity and harmonics are followed with radius, in units of each galaxy's own semi-major effective radius, so that
galaxies of any size and at any distance compare. LEDA 074886 is boxy outside and has a disc inside (Graham et al.
2012, ApJ 750, 121): where a4/a turns from discy to boxy is looked for by itself.
"""

from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd

from galclass import isophotes, ruler
from galclass.errors import InputError
from galclass.statistics import SIGMA_PER_MAD

__all__ = [
    "RADII_RE",
    "Profile",
    "inner_sign_change",
    "isophote_profile",
    "profile_columns",
    "profile_distance",
    "profile_rows",
]

#: The common grid [semi-major effective radii].
RADII_RE = np.geomspace(0.4, 3.0, 12)
#: What is compared, and the difference that two galaxies of one kind may well have, which errors never go below.
FLOORS = {"ellipticity": 0.05, "a4_over_a": 0.01, "b6": 0.01}
_WIDTH = 0.15
#: Smaller isophotes have too few pixels.
_SMALLEST_SMA_PX = 2.0
#: An isophote whose centre is off by this share of its semi-major axis, or whose b4 has this error, says nothing; nor
#: does one fainter than so many standard deviations of a pixel: its fit follows the noise, with errors too small.
_WANDERED, _LARGEST_ERROR, _FAINTEST_SIGMA = 0.35, 0.1, 1.5
_FEWEST = 3
#: A difference counts as at most so many times the typical one of its profile.
_CLIPPED_SIGMA = 3.0
#: A sign change below this significance is one that noise makes.
_LEAST_SIGMA = 2.0


@dataclass(frozen=True)
class Profile:
    """Isophotes of a galaxy by radius, NaN where they were not measured.

    Attributes
    ----------
    radius_re : shape (n,), semi-major axis in units of `r_eff_px`; `RADII_RE` for every galaxy
    ellipticity, ellipticity_err : shape (n,), 1 - b/a of each isophote's own best ellipse
    a4_over_a, a4_over_a_err : shape (n,), Bender's number, sqrt(b/a) B4; below 0 is boxy
    b6, b6_err : shape (n,)
    r_eff_px : semi-major axis of the ellipse that holds half of the light [pixel of the picture]; NaN if not found
    shape : the ruler's, of all isophotes of a zone together; None if not found
    """

    radius_re: np.ndarray
    ellipticity: np.ndarray
    ellipticity_err: np.ndarray
    a4_over_a: np.ndarray
    a4_over_a_err: np.ndarray
    b6: np.ndarray
    b6_err: np.ndarray
    r_eff_px: float
    shape: isophotes.Shape | None = None


_COLUMNS = tuple(item.name for item in fields(Profile))[1:-2]


def isophote_profile(light: np.ndarray, kind: str, deep: bool = False) -> Profile:
    """Ellipticity, a4/a and B6 of a galaxy's isophotes on the common grid of radii.

    Each isophote has its own ellipse, fitted together with its harmonics to all pixels within 15 % of its semi-major
    axis (`galclass.isophotes.profile`); neighbours on the grid share a few pixels.

    Parameters
    ----------
    light : shape (ny, nx)
        Flux on a linear scale, or a picture for the eye, y up. Profiles compare between pictures of one kind: the
        effective radius of a picture for the eye is that of its brightness, which is larger, and it ends at about two
        of them.
    kind : "flux" or "picture"
    deep : bool
        The picture has neither sky nor noise nor other sources, so none is looked for.

    Returns
    -------
    Profile
        NaN throughout where no galaxy can be measured. The error of the ellipticity is 2 b/a times that of B4: a
        second harmonic B2 makes b/a smaller by that much, and noise makes the two harmonics about equally uncertain.

    Raises
    ------
    InputError
        Unknown `kind`.
    """
    if kind not in ruler.ZONES:
        raise InputError(f"kind of picture: found {kind!r}; allowed are {', '.join(ruler.ZONES)}")
    try:
        seen = ruler.prepared(light, deep)
        shape, _ = ruler.shape_in(seen, ruler.ZONES[kind])
    except InputError:  # no light, or no galaxy in it
        return _empty()
    return _followed(seen, shape) if np.isfinite(shape.b4) and shape.r_eff_px > 0 else _empty()


def _followed(seen: ruler.Prepared, shape: isophotes.Shape) -> Profile:
    """The isophotes at those radii of the grid that the picture resolves."""
    shown = RADII_RE * shape.r_eff_px >= _SMALLEST_SMA_PX
    if not shown.any():
        return replace(_empty(), shape=shape)
    found = isophotes.profile(
        seen.light, RADII_RE[shown] * shape.r_eff_px, _WIDTH, mask=seen.mask, psf_sigma_px=seen.psf_sigma_px
    )
    axis_ratio = 1.0 - found["ellipticity"]
    found["ellipticity_err"] = 2.0 * axis_ratio * found["b4_err"]
    found["a4_over_a_err"] = np.sqrt(axis_ratio) * found["b4_err"]
    good = _credible(found, shape, seen)
    columns = {name: np.full(len(RADII_RE), np.nan) for name in _COLUMNS}
    for name in _COLUMNS:
        columns[name][shown] = np.where(good, found[name], np.nan)
    return Profile(RADII_RE, **columns, r_eff_px=seen.factor * shape.r_eff_px, shape=shape)


def _credible(found: dict[str, np.ndarray], shape: isophotes.Shape, seen: ruler.Prepared) -> np.ndarray:
    """Which isophotes have small errors, stand out from the noise, lie about the galaxy and inside the picture."""
    ny, nx = seen.light.shape
    near = np.hypot(found["x"] - shape.x, found["y"] - shape.y) < _WANDERED * found["sma"]
    angle, minor = np.deg2rad(found["pa_deg"]), found["sma"] * (1.0 - found["ellipticity"])
    half_width = np.hypot(found["sma"] * np.cos(angle), minor * np.sin(angle))
    half_height = np.hypot(found["sma"] * np.sin(angle), minor * np.cos(angle))
    inside = np.minimum(found["x"], nx - 1 - found["x"]) > half_width - 0.5
    inside &= np.minimum(found["y"], ny - 1 - found["y"]) > half_height - 0.5
    bright = found["intensity"] > _FAINTEST_SIGMA * seen.noise
    return near & inside & bright & (found["b4_err"] < _LARGEST_ERROR)  # False where one is NaN


def _empty() -> Profile:
    """The profile of what cannot be measured."""
    return Profile(RADII_RE, *(np.full(len(RADII_RE), np.nan) for _ in _COLUMNS), r_eff_px=np.nan)


# --- comparison


def profile_distance(candidate: Profile, reference: Profile) -> float:
    """How unlike two profiles are, over the radii where both are measured.

    For each of ellipticity, a4/a and B6 the mean of the squared differences, in units of what two galaxies of one kind
    may differ by (`FLOORS`), with weights 1 / (errors of both squared + `FLOORS` squared); the distance is the root of
    the mean of the three. So uncertain radii count less, and none counts without limit: differences are cut at three
    times the typical one of their profile. Noise makes a profile more unlike, never more alike.

    Parameters
    ----------
    candidate, reference : Profile
        On the same grid.

    Returns
    -------
    float
        0 for the same, about 1 where they differ as two galaxies of one kind may; NaN where fewer than three radii are
        measured in both.
    """
    parts = [_squared_distance(candidate, reference, name) for name in FLOORS]
    return float(np.sqrt(np.mean(parts)))


def _squared_distance(candidate: Profile, reference: Profile, name: str) -> float:
    """Mean squared difference of one quantity in units of its floor squared."""
    difference = np.abs(getattr(candidate, name) - getattr(reference, name))
    errors = np.hypot(getattr(candidate, f"{name}_err"), getattr(reference, f"{name}_err"))
    both = np.isfinite(difference) & np.isfinite(errors)
    if both.sum() < _FEWEST:
        return np.nan
    difference, errors = difference[both], np.hypot(errors[both], FLOORS[name])
    limit = _CLIPPED_SIGMA * np.hypot(SIGMA_PER_MAD * np.median(difference), errors)
    return float(np.average(np.minimum(difference, limit) ** 2, weights=errors**-2.0) / FLOORS[name] ** 2)


def inner_sign_change(profile: Profile) -> dict[str, float]:
    """Where a4/a turns, going outward, from discy (above 0) to boxy (below 0).

    Of all ways to part the radii into inner and outer ones that is taken whose less significant side is the most
    significant: the weighted mean inside is to lie above 0, that outside below. Errors include the floor of a4/a.

    Returns
    -------
    dict
        `inner_disc_re`: the radius [effective radii], NaN where it does not turn with two standard deviations;
        `inner_disc_sigma`: significance of the less significant side, below 0 where no parting has the right signs,
        NaN with fewer than three radii.
    """
    good = np.isfinite(profile.a4_over_a) & np.isfinite(profile.a4_over_a_err)
    radius, a4 = profile.radius_re[good], profile.a4_over_a[good]
    if len(a4) < _FEWEST:
        return {"inner_disc_re": np.nan, "inner_disc_sigma": np.nan}
    weight = 1.0 / (profile.a4_over_a_err[good] ** 2 + FLOORS["a4_over_a"] ** 2)
    inside = np.cumsum(weight * a4)[:-1] / np.sqrt(np.cumsum(weight)[:-1])
    outside = -np.cumsum((weight * a4)[::-1])[-2::-1] / np.sqrt(np.cumsum(weight[::-1])[-2::-1])
    sigma = np.minimum(inside, outside)
    last = int(np.argmax(sigma))
    turns = sigma[last] >= _LEAST_SIGMA
    where = _crossing(radius[last : last + 2], a4[last : last + 2]) if turns else np.nan
    return {"inner_disc_re": where, "inner_disc_sigma": float(sigma[last])}


def _crossing(radius: np.ndarray, a4: np.ndarray) -> float:
    """Radius between two where a4 is 0, linear in ln r; the middle where both have one sign."""
    share = a4[0] / (a4[0] - a4[1]) if a4[0] > 0 > a4[1] else 0.5
    return float(radius[0] * (radius[1] / radius[0]) ** share)


def profile_columns(candidate: Profile, reference: Profile) -> dict[str, float]:
    """What the table of candidates says of a profile: distances from the reference's, and the candidate's inner disc.

    `ellipticity_distance`, `a4_distance` and `b6_distance` are the parts of `profile_distance`, root mean squares in
    units of `FLOORS`.
    """
    names = {"ellipticity": "ellipticity_distance", "a4_over_a": "a4_distance", "b6": "b6_distance"}
    parts = {column: float(np.sqrt(_squared_distance(candidate, reference, name))) for name, column in names.items()}
    return {"profile_distance": profile_distance(candidate, reference)} | parts | inner_sign_change(candidate)


def profile_rows(profile: Profile) -> pd.DataFrame:
    """The profile with a row a radius: radius_re, radius_px, and each quantity with its error."""
    columns = {name: getattr(profile, name) for name in ("radius_re", *_COLUMNS)}
    table = pd.DataFrame(columns)
    table.insert(1, "radius_px", profile.radius_re * profile.r_eff_px)
    return table
