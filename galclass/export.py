"""Frames of packs as files that other programs read: FITS cubes, single FITS images, PNG."""

import json
import math
from pathlib import Path

import numpy as np

from galclass import images, telescope
from galclass.errors import InputError
from galclass.files import atomic

#: What can be exported: the stretched picture, what the telescope recorded, the view without noise.
WHAT = ("flux", "deep", "images")
#: Columns of the table of a cube that have a unit, and the units of layers, as FITS spells them.
_UNITS = {
    "time_gyr": "Gyr",
    "roll_deg": "deg",
    "pixel_kpc": "kpc",
    "pixel_arcsec": "arcsec",
    "effective_radius_kpc": "kpc",
}
_FITS_UNITS = {"uJy": "uJy", "1e10 Msun": "10**10 solMass"}
#: Keywords of a single frame, and the columns they come from.
_KEYWORDS = {
    "FRAME": "frame",
    "SNAPSHOT": "snapshot",
    "LABEL": "label",
    "TIMEGYR": "time_gyr",
    "VIEWX": "view_x",
    "VIEWY": "view_y",
    "VIEWZ": "view_z",
    "ROLLDEG": "roll_deg",
    "REFFKPC": "effective_radius_kpc",
    "SNR": "snr",
    "SEED": "seed",
}
_SUFFIXES = (".fits", ".fits.gz", ".png")


def run(pack: Path, output: Path, frame: int | None = None, what: str = "flux") -> None:
    """Write a pack as a FITS cube, or one of its frames as FITS or PNG.

    Parameters
    ----------
    pack : path
        A pack of the stage `render`.
    output : path
        NAME.fits, NAME.fits.gz or, for a single frame, NAME.png. A cube has the axes frame, y, x and a table
        FRAMES with one row a frame.
    frame : int or None
        Number of the frame in its pack (column `frame`); None for all of them.
    what : "flux", "deep" or "images"
        The layer; PNG always shows the stretched picture.

    Raises
    ------
    InputError
        The pack has no such frame, or the name of the output ends otherwise.
    """
    if not output.name.lower().endswith(_SUFFIXES):
        raise InputError(f"{output}: unknown kind of file; allowed are {', '.join(_SUFFIXES)}")
    content = images.read_pack(pack)
    row = None if frame is None else content.index(frame)
    if output.suffix.lower() != ".png":
        _write_fits(content, output, row, what)
    elif row is None:
        raise InputError(f"{output}: a PNG shows one picture; give --frame, or a FITS file for all of them")
    else:
        images.write_png(output, content.images[row])


def _write_fits(pack: images.Pack, output: Path, row: int | None, what: str) -> None:
    from astropy.io import fits

    values = getattr(pack, what)
    hdus = [fits.PrimaryHDU(np.asarray(values if row is None else values[row], dtype=np.float32))]
    hdus[0].header.update(_header(pack, row, what))
    hdus[0].header.add_history("galclass " + json.dumps(pack.provenance))
    if row is None:
        hdus.append(fits.BinTableHDU(_table(pack), name="FRAMES"))
        for name, unit in _UNITS.items():
            hdus[1].columns[name].unit = unit
    with atomic(output) as temporary:
        fits.HDUList(hdus).writeto(temporary)


def _header(pack: images.Pack, row: int | None, what: str) -> dict:
    """Unit, scale about the middle of the picture, and where the frames come from.

    The axes are offsets in arcsec along the picture's own x and y: a simulated galaxy has no place on the sky. In a
    cube each frame has its own scale, which stands in the table; the header has the scale of the first.
    """
    unit, first = pack.unit, pack.frames.iloc[row or 0]
    height, width = pack.images.shape[1:]
    one_run = row is not None or pack.frames["run"].nunique() == 1
    name = str(first["run"]) if one_run else "several, see FRAMES"
    header = {"BUNIT": "1" if what == "images" else _FITS_UNITS.get(unit, "1"), "OBJECT": name, "RUN": name}
    header |= {"LAYER": (what, "flux, deep or images")}
    for axis, pixels in ((1, width), (2, height)):
        header |= {f"CTYPE{axis}": "LINEAR", f"CUNIT{axis}": "arcsec", f"CRPIX{axis}": 0.5 * (pixels + 1)}
        header |= {f"CRVAL{axis}": 0.0, f"CDELT{axis}": float(first["pixel_arcsec"])}
    header |= {"PIXSCALE": (float(first["pixel_arcsec"]), "[arcsec]"), "PIXKPC": (float(first["pixel_kpc"]), "[kpc]")}
    if unit == "uJy" and what != "images":
        header["MAGZERO"] = (telescope.ZERO_POINT_UJY, "[mag] AB magnitude of one unit")
    if camera := pack.provenance.get("settings", {}).get("telescope"):
        header |= {"TELESCOP": camera["preset"], "DISTMPC": (camera["distance_mpc"], "[Mpc]")}
    if row is None:
        return header | {"CTYPE3": "FRAME", "CRPIX3": 1.0, "CRVAL3": float(first["frame"]), "CDELT3": 1.0}
    return header | {key: _plain(first[column]) for key, column in _KEYWORDS.items() if _has_value(first[column])}


def _has_value(value: object) -> bool:
    """Whether a FITS header can hold it: no infinite number, no empty text."""
    return value != "" and not (isinstance(value, float) and not math.isfinite(value))


def _plain(value: object) -> object:
    """A number of NumPy as one that FITS headers take."""
    return value.item() if isinstance(value, np.generic) else value


def _table(pack: images.Pack) -> np.ndarray:
    """The table of the pack as a FITS table takes it."""
    columns = [pack.frames[name].to_numpy() for name in images.FRAME_COLUMNS]
    plain = [column.astype("S") if column.dtype == object else column for column in columns]
    return np.rec.fromarrays(plain, names=list(images.FRAME_COLUMNS))
