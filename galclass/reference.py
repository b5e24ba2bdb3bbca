"""Stage `reference`: the galaxy that candidates are compared with.

Built in is a picture of LEDA 074886 made from its published figures (Graham et al. 2012, ApJ 750, 121;
arXiv:1203.3608); config/reference/leda074886.yaml holds every number and says which are published and which
are assumed. The model is a body with a Sersic profile on superelliptic isophotes and a thin exponential disc
seen edge-on, blurred by the seeing. Instead, ``reference.image`` may name any PNG, JPEG or FITS picture.
"""

import json
import math
from pathlib import Path

import numpy as np
import yaml

from galclass import config, images, isophotes, provenance, units
from galclass.errors import InputError
from galclass.files import atomic, require_file, write_text

#: Figures of the built-in galaxy.
BUILT_IN = config.ROOT / "config" / "reference" / "leda074886.yaml"

#: Colours of the false-colour picture of LEDA 074886 from faint to bright, read off its pixels. Beyond white
#: the same colours come back in reverse order, down to black at the brightest.
LEDA_PALETTE = np.array(
    [(0, 0, 0), (0, 36, 215), (120, 18, 130), (235, 25, 10), (254, 130, 0), (253, 245, 10), (255, 255, 255)],
    float,
)
#: Position along the palette above which a pixel is white.
WHITE = 0.95
#: A pixel this far from every colour of the palette (of 255 a channel) is not of the galaxy but a speckle,
STRANGE_COLOUR = 60.0
#: and so is one that stands out from the median of its 3 x 3 neighbours by this much of the scale.
SPECKLE = 0.1
PALETTES = ("grey", "leda_false_colour")
_OVERSAMPLING = 8
_FWHM_PER_SIGMA = 2.3548200450309493
_STATUSES = ("published", "assumed")


def run(settings: dict, render_settings: dict, output: Path) -> dict:
    """Make the reference picture: reference.png, reference.fits and reference.json in the folder `output`.

    Parameters
    ----------
    settings : dict
        `image` (a file, or "" for the built-in galaxy) and `palette` (one of `PALETTES`).
    render_settings : dict
        `pixels` and `depth_dex`, so that the reference is a picture like those of the simulations.

    Returns
    -------
    dict
        What reference.json holds.

    Raises
    ------
    InputError
        The picture cannot be used, or the built-in one does not show the published shape.
    """
    if settings["image"]:
        source = config.resolve(settings["image"])
        flux, picture, card, header = _from_file(source, settings["palette"], render_settings)
    else:
        source = BUILT_IN
        flux, picture, card, header = _from_model(read_model(source), render_settings)
    card["provenance"] = provenance.record("reference", [source], {**settings, **_used(render_settings)})
    _write(Path(output), flux, picture, card, header)
    return card


def _used(render_settings: dict) -> dict:
    return {key: render_settings[key] for key in ("pixels", "depth_dex")}


# --- the built-in galaxy


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


def sersic(radius: np.ndarray, effective_radius: float, index: float, area: float) -> np.ndarray:
    """Sersic profile of total light 1 (Graham & Driver 2005, PASA 22, 118).

    Parameters
    ----------
    radius : any shape
        Semi-major axis of the isophote [arcsec].
    effective_radius : float
        Of the isophote that holds half of the light [arcsec].
    index : float
        Sersic n.
    area : float
        Area of the isophote of semi-major axis 1.

    Returns
    -------
    Surface brightness [1 / arcsec2], the shape of `radius`.
    """
    from scipy.special import gammaincinv

    b = float(gammaincinv(2.0 * index, 0.5))
    total = area * effective_radius**2 * 2.0 * index * b ** (-2.0 * index) * math.gamma(2.0 * index)
    return np.exp(-b * (radius / effective_radius) ** (1.0 / index)) / total


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
    outer = sersic(radius, body["effective_radius_arcsec"], body["sersic_index"], superellipse_area(*shape))
    along, across = turned(x, y, disc["position_angle_deg"])
    inner = edge_on_disc(along, across, disc["effective_radius_arcsec"], disc["scale_height_arcsec"])
    return (1.0 - disc["light_fraction"]) * outer + disc["light_fraction"] * inner


def flux_picture(model: dict, pixels: int, pixel_arcsec: float) -> np.ndarray:
    """The galaxy as a telescope sees it: microjansky per pixel, shape (pixels, pixels), y up.

    Each pixel is the sum of 8 x 8 finer ones, blurred by the seeing, so that the thin disc keeps its light.
    """
    from scipy.ndimage import gaussian_filter

    fine = pixel_arcsec / _OVERSAMPLING
    offsets = (np.arange(pixels * _OVERSAMPLING) + 0.5) * fine - 0.5 * pixels * pixel_arcsec
    share = surface_brightness(model, *np.meshgrid(offsets, offsets)) * fine**2
    blurred = gaussian_filter(share, model["picture"]["seeing_arcsec"] / _FWHM_PER_SIGMA / fine, mode="nearest")
    total = 1e6 * model["photometry"]["zero_point_jy"] * 10.0 ** (-0.4 * apparent_magnitude(model))
    return total * blurred.reshape(pixels, _OVERSAMPLING, pixels, _OVERSAMPLING).sum(axis=(1, 3))


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


def _from_model(model: dict, render_settings: dict) -> tuple[np.ndarray, np.ndarray, dict, dict]:
    """Flux, picture, card and FITS header of the built-in galaxy."""
    pixels = render_settings["pixels"]
    pixel_arcsec = model["picture"]["pixel_arcsec"] * model["picture"]["pixels"] / pixels  # the same field
    flux = flux_picture(model, pixels, pixel_arcsec)
    rows = published_isophotes(model, flux, pixel_arcsec)
    check_published(model, rows)
    card = {
        "name": "LEDA 074886, built in from published figures",
        "flux_unit": "uJy",
        "pixel_arcsec": pixel_arcsec,
        "pixel_kpc": pixel_arcsec / units.arcsec_per_kpc(model["photometry"]["distance_mpc"]),
        "apparent_magnitude": round(apparent_magnitude(model), 3),
        "isophotes": rows,
        "measured": shape_of(flux),
    }
    header = {
        "BUNIT": "uJy",
        "PIXSCALE": pixel_arcsec,  # no CDELT: the picture has no place on the sky
        "MAGZERO": 2.5 * math.log10(model["photometry"]["zero_point_jy"] * 1e6),
        "FILTER": "R",
    }
    return flux, images.stretch(flux, render_settings["depth_dex"]), card, header


# --- a picture from a file


def _from_file(path: Path, palette: str, render_settings: dict) -> tuple[np.ndarray, np.ndarray, dict, dict]:
    """Flux or brightness, picture, card and FITS header of the user's picture."""
    if palette not in PALETTES:
        raise InputError(f"reference.palette: found {palette!r}; allowed are {', '.join(PALETTES)}")
    values, is_flux = images.read_picture(path)
    if palette == "leda_false_colour":
        values = false_colour_brightness(_colours(path, is_flux), render_settings["pixels"])
    else:
        values = resampled(values, render_settings["pixels"], conserve=is_flux)
    if not np.ptp(values) > 0 or not values.max() > 0:
        raise InputError(f"{path}: nothing is left of it at {render_settings['pixels']} pixels; give a larger picture")
    picture = images.stretch(values, render_settings["depth_dex"]) if is_flux else values
    unit = "as in the file" if is_flux else "0 to 1, not flux"
    measured = shape_of(values) if is_flux else shape_of(above_sky(values), isophotes.PICTURE_ZONE)
    return (
        values,
        picture,
        {"name": path.name, "palette": palette, "flux_unit": unit, "measured": measured},
        {},
    )


def _colours(path: Path, is_flux: bool) -> np.ndarray:
    """The colours of a picture, shape (ny, nx, 3), 0 to 255, y up."""
    if is_flux:
        raise InputError(f"{path}: a FITS image has no colours; use reference.palette: grey")
    return np.asarray(images.read_colour(path), dtype=float)[::-1]


def palette_position(colours: np.ndarray, palette: np.ndarray = LEDA_PALETTE) -> tuple[np.ndarray, np.ndarray]:
    """Nearest point of each colour on the line through the palette.

    Parameters
    ----------
    colours : shape (ny, nx, 3), 0 to 255
    palette : shape (n, 3), from faint to bright

    Returns
    -------
    position : shape (ny, nx), 0 at the faint end, 1 at the bright end
    distance : shape (ny, nx), how far the colour lies from that point, 0 to 442
    """
    start, step = palette[:-1], np.diff(palette, axis=0)
    along = np.einsum("yxsc,sc->yxs", colours[..., None, :] - start, step) / (step**2).sum(axis=1)
    along = np.clip(along, 0.0, 1.0)
    distance = np.linalg.norm(colours[..., None, :] - start - along[..., None] * step, axis=-1)
    nearest = distance.argmin(axis=-1)[..., None]
    position = (nearest + np.take_along_axis(along, nearest, -1)) / len(step)
    return position[..., 0], np.take_along_axis(distance, nearest, -1)[..., 0]


def bright_core(position: np.ndarray) -> np.ndarray:
    """Whether a pixel is in the core, the largest patch white encloses; there the palette runs backwards."""
    from scipy.ndimage import label

    patches, count = label(position <= WHITE)
    edge = np.concatenate([patches[0], patches[-1], patches[:, 0], patches[:, -1]])
    sizes = np.bincount(patches.ravel(), minlength=count + 1)
    sizes[np.union1d(edge, [0])] = 0
    return (patches == sizes.argmax()) if sizes.any() else np.zeros(position.shape, bool)


def false_colour_brightness(colours: np.ndarray, pixels: int) -> np.ndarray:
    """The false-colour picture of LEDA 074886 as brightness that grows with flux, 0 to 1.

    The colours run black, blue, red, yellow, white (0 to 0.5) and, in the core, back to black (0.5 to 1).
    This keeps the order of the fluxes, not their values: the stretch behind the colours is not known, and
    all that is white is one plateau. Hot pixels and foreign colours take the median of their neighbours.

    Parameters
    ----------
    colours : shape (ny, nx, 3), 0 to 255

    Returns
    -------
    shape (pixels, pixels)
    """
    from scipy.ndimage import median_filter

    position, distance = palette_position(colours)
    brightness = resampled(0.5 * np.where(bright_core(position), 2.0 - position, position), pixels, conserve=False)
    foreign = resampled((distance > STRANGE_COLOUR).astype(float), pixels, conserve=False) > 0.5
    smooth = median_filter(brightness, 3)
    return np.where(foreign | (np.abs(brightness - smooth) > SPECKLE), smooth, brightness)


def resampled(values: np.ndarray, pixels: int, conserve: bool) -> np.ndarray:
    """The central square of a picture at `pixels` x `pixels`; `conserve` keeps the sum (flux), else the mean.

    Pixels are averaged where the new ones are larger, interpolated where they are smaller.
    """
    from PIL import Image

    side = min(values.shape)
    top, left = ((length - side) // 2 for length in values.shape)
    square = values[top : top + side, left : left + side]
    if side == pixels:
        return np.array(square)
    kernel = Image.Resampling.BOX if pixels < side else Image.Resampling.BICUBIC
    resized = np.asarray(Image.fromarray(square.astype(np.float32)).resize((pixels, pixels), kernel), dtype=float)
    return resized * (side / pixels) ** 2 if conserve else np.clip(resized, 0.0, 1.0)


def above_sky(picture: np.ndarray) -> np.ndarray:
    """A picture above the median of its border, nothing below 0."""
    border = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    return np.maximum(picture - np.median(border), 0.0)


def shape_of(light: np.ndarray, zone: tuple[float, float] = (1.0, 2.5)) -> dict[str, float | str | None]:
    """Centre, size, axis ratio and harmonics within `zone` [effective radii]; None if not measured."""
    shape = isophotes.measure(light, *zone)
    names = (
        "x",
        "y",
        "r_eff_px",
        "axis_ratio",
        "pa_deg",
        "b4",
        "b4_err",
        "b6",
        "b6_err",
        "a4_over_a",
        "flag",
    )
    values = {name: getattr(shape, name) for name in names}
    return {name: _for_json(value) for name, value in values.items()}


def _for_json(value: float | str) -> float | str | None:
    """Text as it is, a number to five decimals, None for what JSON has no number."""
    if isinstance(value, str):
        return value
    return round(float(value), 5) if math.isfinite(value) else None


# --- files


def _write(folder: Path, flux: np.ndarray, picture: np.ndarray, card: dict, header: dict) -> None:
    """Write the three files, the one that says what they are last."""
    from astropy.io import fits

    image = fits.PrimaryHDU(flux.astype(np.float32))
    image.header.update({"OBJECT": card["name"].encode("ascii", "replace").decode()[:60], **header})
    with atomic(folder / "reference.fits") as temporary:
        image.writeto(temporary)
    images.write_png(folder / "reference.png", picture)
    write_text(folder / "reference.json", json.dumps(card, indent=1) + "\n")
