"""Stage `reference`: the galaxy that candidates are compared with.

Built in is LEDA 074886, made from its published figures and seen through the same telescope as the simulations.
Instead, ``reference.image`` may name any PNG, JPEG or FITS picture, or several; then a candidate is compared with the
one it is most like. Each is measured by the ruler. `galclass.reference.fetching` gets pictures from public services.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from galclass import config, images, provenance, ruler, segmentation, telescope, units
from galclass.errors import InputError
from galclass.files import atomic, write_text
from galclass.reference.model import (
    BUILT_IN,
    apparent_magnitude,
    check_published,
    flux_picture,
    published_isophotes,
    read_model,
)

PALETTES = ("grey", "leda_false_colour")
_MEASURED = (
    *("x", "y", "r_eff_px", "axis_ratio", "pa_deg", "b4", "b4_err", "b6", "b6_err", "a4_over_a"),
    *("exponent", "concentration", "asymmetry", "gini", "m20", "label", "p_label", "method", "flag"),
)


@dataclass(frozen=True)
class _Made:
    """A reference: flux or brightness; its picture between 0 and 1, and that without noise; card; FITS header."""

    flux: np.ndarray
    picture: np.ndarray
    quiet: np.ndarray
    card: dict
    header: dict


def run(settings: dict, render_settings: dict, output: Path) -> dict:
    """Make reference.png, reference_deep.png (without noise), reference.fits and reference.json in the folder `output`.

    Of several pictures the second makes reference_2.png and so on; what is known of it stands in reference.json under
    `others`, with the `stem` of its files.

    Parameters
    ----------
    settings : dict
        `image` (a file, a list of files, or "" for the built-in galaxy) and `palette` (one of `PALETTES`).
    render_settings : dict
        `pixels`, `depth_dex`, `seed` and `telescope`, so that the reference is a picture like those of the simulations.

    Returns
    -------
    dict
        What reference.json holds.

    Raises
    ------
    InputError
        The picture cannot be used, or the built-in one does not show the published shape.
    """
    sources = [config.resolve(name) for name in config.reference_pictures(settings)]
    if sources:
        made = [_from_file(source, settings["palette"], render_settings) for source in sources]
    else:
        sources, made = [BUILT_IN], [_from_model(read_model(BUILT_IN), render_settings)]
    stems = ["reference", *(f"reference_{number}" for number in range(2, len(made) + 1))]
    others = [{"stem": stem, **one.card} for stem, one in zip(stems[1:], made[1:], strict=True)]
    record = provenance.record("reference", sources, {**settings, **_used(render_settings)})
    card = made[0].card | {"others": others, "provenance": record}
    for stem, one in zip(stems, made, strict=True):
        _write(Path(output), stem, one)
    write_text(Path(output) / "reference.json", json.dumps(card, indent=1) + "\n")
    return card


def _used(render_settings: dict) -> dict:
    return {key: render_settings[key] for key in ("pixels", "depth_dex", "seed", "telescope")}


def _from_model(model: dict, render_settings: dict) -> _Made:
    """The built-in galaxy."""
    pixels, camera = render_settings["pixels"], telescope.read_preset(render_settings["telescope"]["preset"])
    pixel_arcsec = model["picture"]["pixel_arcsec"] * model["picture"]["pixels"] / pixels  # the same field
    deep = flux_picture(model, pixels, pixel_arcsec)
    check_published(model, published_isophotes(model, deep, pixel_arcsec))
    rng = np.random.default_rng([render_settings["seed"], pixels])
    flux = telescope.observe(deep, camera, pixel_arcsec, rng, telescope.NO_EXTRAS).flux
    card = {
        "name": "LEDA 074886, built in from published figures",
        "telescope": camera.name,
        "flux_unit": "uJy",
        "pixel_arcsec": pixel_arcsec,
        "pixel_kpc": pixel_arcsec / units.arcsec_per_kpc(model["photometry"]["distance_mpc"]),
        "apparent_magnitude": round(apparent_magnitude(model), 3),
        "isophotes": published_isophotes(model, flux, pixel_arcsec),
        "measured": shape_of(flux, "flux"),
    }
    header = {
        "BUNIT": "uJy",
        "PIXSCALE": pixel_arcsec,  # no CDELT: the picture has no place on the sky
        "MAGZERO": 2.5 * math.log10(model["photometry"]["zero_point_jy"] * 1e6),
        "FILTER": "R",
        "TELESCOP": camera.name,
    }
    depth_dex = render_settings["depth_dex"]
    return _Made(flux, images.stretch(flux, depth_dex), images.stretch(deep, depth_dex), card, header)


# --- a picture from a file


def _from_file(path: Path, palette: str, render_settings: dict) -> _Made:
    """The user's picture."""
    if palette not in PALETTES:
        raise InputError(f"reference.palette: found {palette!r}; allowed are {', '.join(PALETTES)}")
    values, is_flux = images.read_picture(path)
    if palette == "leda_false_colour":
        values = images.false_colour_brightness(_colours(path, is_flux), render_settings["pixels"])
    else:
        values = images.resampled(values, render_settings["pixels"], conserve=is_flux)
    if not np.ptp(values) > 0 or not values.max() > 0:
        raise InputError(f"{path}: nothing is left of it at {render_settings['pixels']} pixels; give a larger picture")
    quiet, picture = segmentation.clean(values), values
    if is_flux:
        quiet, picture = (images.stretch(light, render_settings["depth_dex"]) for light in (quiet, values))
    unit = "as in the file" if is_flux else "0 to 1, not flux"
    measured = shape_of(values, "flux" if is_flux else "picture")
    card = {"name": path.name, "palette": palette, "flux_unit": unit, "measured": measured}
    return _Made(values, picture, quiet, card, {})


def _colours(path: Path, is_flux: bool) -> np.ndarray:
    """The colours of a picture, shape (ny, nx, 3), 0 to 255, y up."""
    if is_flux:
        raise InputError(f"{path}: a FITS image has no colours; use reference.palette: grey")
    return np.asarray(images.read_colour(path), dtype=float)[::-1]


def shape_of(light: np.ndarray, kind: str) -> dict[str, float | str | None]:
    """What the ruler says of a picture of `kind` flux or picture; None for what was not measured."""
    found = ruler.measure(light, kind=kind)
    return {name: _for_json(getattr(found, name)) for name in _MEASURED}


def _for_json(value: float | str) -> float | str | None:
    """Text as it is, a number to five decimals, None for what JSON has no number."""
    if isinstance(value, str):
        return value
    return round(float(value), 5) if math.isfinite(value) else None


# --- files


def _write(folder: Path, stem: str, made: _Made) -> None:
    """Write the pictures of one reference."""
    from astropy.io import fits

    image = fits.PrimaryHDU(made.flux.astype(np.float32))
    image.header.update({"OBJECT": made.card["name"].encode("ascii", "replace").decode()[:60], **made.header})
    with atomic(folder / f"{stem}.fits") as temporary:
        image.writeto(temporary)
    images.write_png(folder / f"{stem}.png", made.picture)
    images.write_png(folder / f"{stem}_deep.png", made.quiet)
