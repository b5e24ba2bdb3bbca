"""Public cut-out services and the resolver of names, as config/cutouts.yaml lists them."""

from dataclasses import dataclass
from pathlib import Path

import yaml

from galclass import config
from galclass.errors import InputError
from galclass.files import require_file

#: The services and the resolver of names, with their sources.
SERVICES_FILE = config.ROOT / "config" / "cutouts.yaml"

_SERVICE_KEYS = {"url", "pixel_arcsec", "maximum_pixels", "band", "coverage", "source"}
_PLACE_FIELDS = {"ra_deg", "dec_deg", "fov_deg", "pixels", "pixel_arcsec"}


@dataclass(frozen=True)
class Service:
    """A cut-out service.

    Attributes
    ----------
    name, url, band, coverage, source : str
        As in config/cutouts.yaml; `url` holds the fields that the place and the size fill in.
    pixel_arcsec : float
        Width of the survey's pixels [arcsec].
    maximum_pixels : int
        Width of the largest picture that it is asked for.
    """

    name: str
    url: str
    pixel_arcsec: float
    maximum_pixels: int
    band: str
    coverage: str
    source: str

    def request(self, ra_deg: float, dec_deg: float, size_arcmin: float) -> tuple[str, int]:
        """The URL of a square picture about a place [degrees], and its width in pixels."""
        pixels = min(max(round(60.0 * size_arcmin / self.pixel_arcsec), 1), self.maximum_pixels)
        numbers = {"ra_deg": ra_deg, "dec_deg": dec_deg, "fov_deg": size_arcmin / 60.0,
                   "pixel_arcsec": 60.0 * size_arcmin / pixels}  # fmt: skip
        return self.url.format(pixels=pixels, **{name: f"{value:.6f}" for name, value in numbers.items()}), pixels


def read_services(path: Path = SERVICES_FILE) -> dict[str, Service]:
    """The cut-out services of a file such as config/cutouts.yaml, by name.

    Raises
    ------
    InputError
        The file is not such a list, or a service lacks a number, has an unknown key, or its URL an unknown field.
    """
    services = _read(path)["services"]
    if not isinstance(services, dict) or not services:
        raise InputError(f"{path}: found no services; needs a section services with one for each name")
    return {str(name): _service(f"{path}: {name}", str(name), entry) for name, entry in services.items()}


def read_resolver(path: Path = SERVICES_FILE) -> str:
    """The URL, with a field {name}, that answers with the place of a named object as Sesame does.

    Raises
    ------
    InputError
        The file is not a list of services, or the URL is missing or lacks the field.
    """
    resolver = _read(path)["resolver"]
    url = resolver.get("url") if isinstance(resolver, dict) else resolver
    _check_url(f"{path}: resolver", url, {"name"}, {"name"})
    return str(url)


def _read(path: Path) -> dict:
    try:
        content = yaml.safe_load(require_file(path).read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not readable as YAML; copy it again from config/cutouts.yaml") from error
    if not isinstance(content, dict) or not {"resolver", "services"} <= content.keys():
        raise InputError(f"{path}: the sections resolver and services are needed; copy config/cutouts.yaml")
    return content


def _service(where: str, name: str, entry: object) -> Service:
    if not isinstance(entry, dict) or entry.keys() != _SERVICE_KEYS:
        keys = ", ".join(sorted(_SERVICE_KEYS))
        raise InputError(f"{where}: found {entry!r:.60}; a service has the keys {keys} and no others")
    _check_url(where, entry["url"], _PLACE_FIELDS, {"ra_deg", "dec_deg"})
    for key, low in (("pixel_arcsec", 0.001), ("maximum_pixels", 8)):
        if isinstance(entry[key], bool) or not isinstance(entry[key], int | float) or not low <= entry[key] <= 1e4:
            raise InputError(f"{where}: {key}: found {entry[key]!r}; allowed is a number from {low:g} to 10000")
    return Service(name, **entry | {"maximum_pixels": int(entry["maximum_pixels"])})


def _check_url(where: str, url: object, allowed: set[str], needed: set[str]) -> None:
    """Raise `InputError` unless a URL is one of the web and its fields {in braces} are known and plain."""
    text = str(url)
    try:
        is_known = bool(text.format(**dict.fromkeys(allowed, "1")))
    except (ValueError, LookupError, AttributeError):
        is_known = False
    if not is_known or not text.startswith(("http://", "https://")) or not all(f"{{{key}}}" in text for key in needed):
        fields = ", ".join(f"{{{key}}}" for key in sorted(allowed))
        raise InputError(f"{where}: url: found {text!r:.80}; allowed is http(s)://... with the fields {fields}")
