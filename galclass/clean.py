"""Noise removal, the thesis's "cleaned" variant of its pictures: background, other sources and grain are taken away."""

from pathlib import Path

import numpy as np

from galclass import images, provenance, segmentation
from galclass.errors import InputError
from galclass.files import atomic
from galclass.progress import progress

_SHOWN = 12
_DEPTH_DEX = 3.0  # of the picture for the eye of a FITS image


def run(source: Path, settings: dict, output: Path) -> None:
    """Clean a pack or a picture; NAME_before_after.png beside the output shows pictures before (top) and after.

    Parameters
    ----------
    source : path
        A pack, a FITS image, or a picture for the eye.
    settings : dict
        The section `clean` of the configuration: smoothing_px.
    output : path
        A file of the same kind as the source: a pack (.h5), FITS, or PNG for a picture for the eye.

    Raises
    ------
    InputError
        The source cannot be read, or the output is of another kind.
    """
    source, output = Path(source), Path(output)
    clean = _pack if source.suffix.lower() in images.PACK_SUFFIXES else _picture
    before, after = clean(source, settings, output)
    shown = images.evenly_chosen(len(before), _SHOWN)
    sheet = images.contact_sheet(np.concatenate([before[shown], after[shown]]), len(shown))
    images.write_png(output.with_name(f"{output.stem}_before_after.png"), sheet, zoom=3)


def _pack(source: Path, settings: dict, output: Path) -> tuple[np.ndarray, np.ndarray]:
    """Write the cleaned pack; returns the pictures before and after."""
    if output.suffix.lower() not in images.PACK_SUFFIXES:
        raise InputError(f"{output}: a pack is cleaned to a pack; allowed are {', '.join(images.PACK_SUFFIXES)}")
    pack = images.read_pack(source)
    numbered = zip(pack.frames["frame"], pack.flux, strict=True)
    done = [_frame(source, *pair, settings) for pair in progress(numbered, len(pack.flux), "clean")]
    flux = np.stack(done)
    pictures = images.stretch(flux, pack.depth_dex)
    made = provenance.record("clean", [source], settings)
    record = {**pack.provenance, **made, "settings": {**pack.provenance.get("settings", {}), **settings}}
    images.write_pack(output, pictures, pack.frames, record, {"flux": flux, "deep": pack.deep}, pack.unit)
    return pack.images, pictures


def _frame(source: Path, number: int, picture: np.ndarray, settings: dict) -> np.ndarray:
    """One cleaned frame; a message says which could not be."""
    try:
        return _cleaned(picture, settings)
    except InputError as error:
        raise InputError(f"{source}: frame {number}: {error}") from error


def _picture(source: Path, settings: dict, output: Path) -> tuple[np.ndarray, np.ndarray]:
    """Write the cleaned picture; returns the picture before and after, between 0 and 1."""
    picture, is_flux = images.read_picture(source, allow_nan=True)
    wanted = (".fits", ".fits.gz") if is_flux else (".png",)
    if not output.name.lower().endswith(wanted):
        raise InputError(f"{output}: {source.name} is cleaned to {' or '.join(wanted)}; name the output so")
    after = _cleaned(picture, settings)
    if not is_flux:
        images.write_png(output, np.clip(after, 0.0, 1.0))
        return picture[None], np.clip(after, 0.0, 1.0)[None]
    from astropy.io import fits

    header = images.read_header(source)
    header.add_history(f"galclass clean, smoothing_px {settings['smoothing_px']}")
    with atomic(output) as temporary:
        fits.PrimaryHDU(after.astype(np.float32), header).writeto(temporary, output_verify="silentfix")
    return images.stretch(np.nan_to_num(picture)[None], _DEPTH_DEX), images.stretch(after[None], _DEPTH_DEX)


def _cleaned(picture: np.ndarray, settings: dict) -> np.ndarray:
    return segmentation.clean(picture, settings["smoothing_px"])
