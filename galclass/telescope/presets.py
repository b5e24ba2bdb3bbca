"""The presets of config/telescopes.yaml: a camera, its band and the depth of its survey."""

import difflib
import math
from dataclasses import dataclass
from pathlib import Path

import yaml

from galclass import config
from galclass.errors import InputError
from galclass.files import require_file

#: Every number of every preset with its source.
PRESETS_FILE = config.ROOT / "config" / "telescopes.yaml"

#: Numbers of a preset and their allowed ranges, both ends included.
_ALWAYS = {"pixel_arcsec": (0.001, 1000.0)}
_LIGHT = {"solar_magnitude_ab": (0.0, 10.0)}
_NOISY = {
    "psf_fwhm_arcsec": (0.001, 100.0),
    "moffat_beta": (1.1, 100.0),
    "sky_mag_arcsec2": (5.0, 40.0),
    "zero_point_ab": (0.0, 50.0),
    "exposure_s": (1e-3, 1e9),
    "exposures": (1, 1000000),
    "read_noise_e": (0.0, 1e4),
}


@dataclass(frozen=True)
class Telescope:
    """A camera on a telescope, and how long it exposed.

    Attributes
    ----------
    name, band : str
    pixel_arcsec : float
        Width of the camera's pixels [arcsec].
    solar_magnitude_ab : float or None
        Absolute magnitude of the Sun in the band [mag]; None where pictures show mass.
    psf_fwhm_arcsec, moffat_beta : float or None
        Width [arcsec] and exponent of the Moffat (1969, A&A 3, 455) profile of a star; None for no blur. So are
        all that follow for a telescope without sky and noise.
    sky_mag_arcsec2 : float or None
        Brightness of the sky [mag / arcsec2].
    zero_point_ab : float or None
        Magnitude of a source of one electron a second [mag].
    exposure_s, exposures, read_noise_e : float or None
        Sum of the exposures [s], their number, and the noise of reading a pixel once [electrons].
    """

    name: str
    band: str
    pixel_arcsec: float
    solar_magnitude_ab: float | None = None
    psf_fwhm_arcsec: float | None = None
    moffat_beta: float | None = None
    sky_mag_arcsec2: float | None = None
    zero_point_ab: float | None = None
    exposure_s: float | None = None
    exposures: float | None = None
    read_noise_e: float | None = None

    @property
    def unit(self) -> str:
        """Unit of a pixel: flux, or mass where the preset has no Sun."""
        return "1e10 Msun" if self.solar_magnitude_ab is None else "uJy"

    @property
    def is_noisy(self) -> bool:
        """Whether pictures are blurred and have sky and noise."""
        return self.psf_fwhm_arcsec is not None


def read_preset(name: str, path: Path = PRESETS_FILE) -> Telescope:
    """The telescope of that name.

    Raises
    ------
    InputError
        The file has no such preset, or a number of it is unknown, missing, out of range or without its source.
    """
    presets = _read(path)
    if name not in presets:
        raise InputError(f"{path}: no telescope {name!r}; allowed are {', '.join(presets)}")
    preset = presets[name]
    where = f"{path}: {name}"
    if not isinstance(preset, dict) or not isinstance(preset.get("band"), str):
        raise InputError(f"{where}: found {preset!r:.60}; a telescope needs a band and its numbers")
    numbers = {key: value for key, value in preset.items() if key != "band"}
    ranges = _ranges(where, numbers)
    return Telescope(
        name, preset["band"], **{key: _number(f"{where}.{key}", numbers[key], ranges[key]) for key in ranges}
    )


def preset_names(path: Path = PRESETS_FILE) -> list[str]:
    """Names of all presets, in the order of the file."""
    return list(_read(path))


def _read(path: Path) -> dict:
    try:
        presets = yaml.safe_load(require_file(path).read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not readable as YAML; restore it from the repository") from error
    if not isinstance(presets, dict):
        raise InputError(f"{path}: found {type(presets).__name__}; telescopes are sections of numbers")
    return presets


def _ranges(where: str, numbers: dict) -> dict[str, tuple[float, float]]:
    """Names and ranges of the numbers this kind of preset has; noise needs all numbers, light needs the Sun."""
    ranges = _ALWAYS | (_LIGHT if _LIGHT.keys() & numbers.keys() else {})
    if _NOISY.keys() & numbers.keys():
        ranges = _ALWAYS | _LIGHT | _NOISY
    for key in numbers.keys() - ranges.keys():
        nearest = difflib.get_close_matches(key, ranges, 1)
        hint = f"did you mean {nearest[0]}?" if nearest else f"allowed are band, {', '.join(ranges)}"
        raise InputError(f"{where}: unknown number {key!r}; {hint}")
    missing = [key for key in ranges if key not in numbers]
    if missing:
        raise InputError(f"{where}: {missing[0]} is missing; such a telescope needs {', '.join(ranges)}")
    return ranges


def _number(where: str, entry: object, allowed: tuple[float, float]) -> float:
    """The value of an entry {value, source}."""
    if not isinstance(entry, dict) or set(entry) != {"value", "source"} or not isinstance(entry["source"], str):
        raise InputError(f"{where}: found {entry!r:.60}; needs {{value: NUMBER, source: TEXT}}")
    if not entry["source"].strip():
        raise InputError(f"{where}: the source is empty; name the publication, or start with 'assumed'")
    value, (low, high) = entry["value"], allowed
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not math.isfinite(value)
        or not low <= value <= high
    ):
        raise InputError(f"{where}: found {value!r}; allowed is a number from {low:g} to {high:g}")
    return float(value)
