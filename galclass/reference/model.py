"""LEDA 074886 from its published figures (Graham et al. 2012, ApJ 750, 121; arXiv:1203.3608).

config/reference/leda074886.yaml holds every number and says which are published and which are assumed. The model
is a body with a Sersic profile on superelliptic isophotes and a thin exponential disc seen edge-on.
"""

import math
from pathlib import Path

import numpy as np
import yaml

from galclass import config, isophotes, telescope
from galclass.errors import InputError
from galclass.files import require_file

#: Figures of the built-in galaxy.
BUILT_IN = config.ROOT / "config" / "reference" / "leda074886.yaml"
_OVERSAMPLING = 8
_STATUSES = ("published", "assumed")


def read_model(path: Path = BUILT_IN) -> dict[str, dict[str, float]]:
    """The figures of a galaxy, section -> name -> value; raises `InputError` where one lacks its source."""
    try:
        sections = yaml.safe_load(require_file(path).read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not readable as YAML; restore it from the repository") from error
    if not isinstance(sections, dict):
        raise InputError(f"{path}: found {type(sections).__name__}; the figures of a galaxy are sections of names")
    figures = {section: figure for section, figure in sections.items() if isinstance(figure, dict)}
    return {section: {name: _value(path, f"{section}.{name}", figure) for name, figure in names.items()}
            for section, names in figures.items()}  # fmt: skip


def _value(path: Path, name: str, figure: dict) -> float:
    """The value of one figure, once its status and source are there."""
    if not isinstance(figure, dict) or figure.get("status") not in _STATUSES or not figure.get("source"):
        raise InputError(f"{path}: {name}: needs value, status ({' or '.join(_STATUSES)}) and source")
    value = figure.get("value")
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputError(f"{path}: {name}: found {value!r}; allowed is a number")
    return value


def apparent_magnitude(model: dict) -> float:
    """Magnitude seen from the galaxy's distance, no extinction [mag]."""
    photometry = model["photometry"]
    return photometry["absolute_magnitude"] + 5.0 * math.log10(photometry["distance_mpc"] * 1e5)


def turned(x: np.ndarray, y: np.ndarray, angle_deg: float) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates along and across the direction at `angle_deg` from the x axis towards y."""
    cos, sin = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    return x * cos + y * sin, y * cos - x * sin


def superelliptic_radius(along: np.ndarray, across: np.ndarray, axis_ratio: float, exponent: float) -> np.ndarray:
    """Semi-major axis of the superellipse |x/a|^n + |y/(a q)|^n = 1 through each point."""
    return (np.abs(along) ** exponent + np.abs(across / axis_ratio) ** exponent) ** (1.0 / exponent)


def superellipse_area(axis_ratio: float, exponent: float) -> float:
    """Area of a superellipse of semi-major axis 1; pi q for exponent 2."""
    return 4.0 * axis_ratio * math.gamma(1.0 + 1.0 / exponent) ** 2 / math.gamma(1.0 + 2.0 / exponent)


def edge_on_disc(along: np.ndarray, across: np.ndarray, effective_radius: float, height: float) -> np.ndarray:
    """Edge-on disc of total light 1: exponential along, sech^2 across [1 / arcsec2]; lengths in arcsec.

    `effective_radius` is that of a face-on exponential disc (1.678 scale lengths), as published.
    """
    length = effective_radius / 1.6783469900166605
    return np.exp(-np.abs(along) / length) / np.cosh(across / height) ** 2 / (4.0 * length * height)


def surface_brightness(model: dict, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Share of the galaxy's light per arcsec2 before seeing, at `x`, `y` [arcsec] from its centre."""
    body, disc = model["body"], model["disc"]
    shape = body["axis_ratio"], body["exponent"]
    radius = superelliptic_radius(*turned(x, y, body["position_angle_deg"]), *shape)
    outer = telescope.sersic(radius, body["effective_radius_arcsec"], body["sersic_index"], superellipse_area(*shape))
    along, across = turned(x, y, disc["position_angle_deg"])
    inner = edge_on_disc(along, across, disc["effective_radius_arcsec"], disc["scale_height_arcsec"])
    return (1.0 - disc["light_fraction"]) * outer + disc["light_fraction"] * inner


def flux_picture(model: dict, pixels: int, pixel_arcsec: float) -> np.ndarray:
    """The galaxy before any telescope: microjansky per pixel, shape (pixels, pixels), y up.

    Each pixel is the sum of 8 x 8 finer ones, so that the thin disc keeps its light.
    """
    fine = pixel_arcsec / _OVERSAMPLING
    offsets = (np.arange(pixels * _OVERSAMPLING) + 0.5) * fine - 0.5 * pixels * pixel_arcsec
    share = surface_brightness(model, *np.meshgrid(offsets, offsets)) * fine**2
    total = 1e6 * model["photometry"]["zero_point_jy"] * 10.0 ** (-0.4 * apparent_magnitude(model))
    return total * share.reshape(pixels, _OVERSAMPLING, pixels, _OVERSAMPLING).sum(axis=(1, 3))


def surface_magnitude(model: dict, flux: np.ndarray, pixel_arcsec: float) -> np.ndarray:
    """Surface brightness [mag / arcsec2] of pixels with `flux` [microjansky]."""
    return -2.5 * np.log10(flux * 1e-6 / model["photometry"]["zero_point_jy"] / pixel_arcsec**2)


def published_isophotes(model: dict, flux: np.ndarray, pixel_arcsec: float, count: int = 6) -> dict[str, list[float]]:
    """The measured isophotes between the published radii, from the picture itself."""
    shape = model["published_shape"]
    radii = np.linspace(shape["inner_arcsec"], shape["outer_arcsec"], count)
    found = isophotes.profile(flux, radii / pixel_arcsec)
    magnitudes = surface_magnitude(model, found["intensity"], pixel_arcsec)
    columns = {"sma_arcsec": radii, "mu_mag_arcsec2": magnitudes, "axis_ratio": 1.0 - found["ellipticity"]}
    columns |= {name: found[name] for name in ("pa_deg", "b4", "b4_err", "b6", "a4_over_a")}
    return {name: np.round(values, 5).tolist() for name, values in columns.items()}


def check_published(model: dict, rows: dict[str, list[float]]) -> None:
    """Raise `InputError` unless a4/a of every isophote lies in the published range."""
    shape = model["published_shape"]
    low, high = shape["a4_over_a_most_boxy"], shape["a4_over_a_least_boxy"]
    for radius, a4 in zip(rows["sma_arcsec"], rows["a4_over_a"], strict=True):
        if not low <= a4 <= high:
            raise InputError(
                f"{BUILT_IN.name}: the picture has a4/a = {a4:.3f} at {radius:.0f} arcsec; published are "
                f"{low} to {high} from {shape['inner_arcsec']:.0f} to {shape['outer_arcsec']:.0f} arcsec; "
                "change body.exponent"
            )
