"""Pictures of galaxies from public cut-out services, by name or place."""

import json
import re
import tempfile
import urllib.parse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from galclass import __version__, images
from galclass.errors import InputError, raise_failures
from galclass.files import atomic, write_text
from galclass.reference import downloads
from galclass.reference.downloads import Unusable, excerpt
from galclass.reference.places import place_of, resolved_place
from galclass.reference.services import SERVICES_FILE, Service, read_resolver, read_services

_SIZES_ARCMIN = (0.2, 60.0)
_SECONDS = (0.1, 3600.0)
#: Largest answers [bytes]: a picture of 2000 x 2000 pixels in double precision, twice; a resolver sends some lines.
_PICTURE_BYTES, _TEXT_BYTES = 64_000_000, 1_000_000


def fetch(
    targets: Sequence[str],
    output: Path,
    *,
    service: str,
    size_arcmin: float,
    timeout_s: float,
    cache: Path | None = None,
    refresh: bool = False,
    services_file: Path = SERVICES_FILE,
) -> list[Path]:
    """Get pictures of galaxies: OUTPUT/NAME.fits as the service sends it, and beside it NAME.json on its origin.

    Parameters
    ----------
    targets : sequence of str
        Names of galaxies, or places "RA,DEC" in degrees or as "hh:mm:ss.s,+dd:mm:ss" (ICRS).
    output : path
        Folder of the pictures.
    service : str
        Name of a service of `services_file`.
    size_arcmin : float
        Width of the pictures [arcmin], 0.2 to 60.
    timeout_s : float
        Longest time for one whole download [s].
    cache : path, optional
        Folder that keeps answers; what it has is not asked for again. Default `downloads.default_cache`.
    refresh : bool
        Ask again for what the cache has.
    services_file : path
        Another list of services, such as that of a mirror.

    Returns
    -------
    list of paths
        The pictures.

    Raises
    ------
    InputError
        A setting is not allowed (before anything is asked for), or a target failed; the others are still done.
    """
    services = read_services(services_file)
    if service not in services:
        raise InputError(f"no service {service!r}; allowed are {', '.join(services)} (see {services_file})")
    _check_range("--size-arcmin", size_arcmin, _SIZES_ARCMIN)
    _check_range("--timeout-s", timeout_s, _SECONDS)
    others = ", ".join(name for name in services if name != service)
    desk = _Desk(services[service], others, read_resolver(services_file), size_arcmin, timeout_s,
                 Path(cache or downloads.default_cache()), refresh)  # fmt: skip
    failures, done = [], []
    for name, target in _file_names(targets).items():
        try:
            done.append(_fetch_one(target, Path(output) / f"{name}.fits", desk))
        except InputError as error:
            failures.append(error)
    raise_failures(failures, len(done), output)
    return done


@dataclass(frozen=True)
class _Desk:
    """What is the same for all targets."""

    service: Service
    others: str
    resolver: str
    size_arcmin: float
    timeout_s: float
    cache: Path
    refresh: bool

    def ask(
        self, asked: str, instead: str, url: str, most_bytes: int, check: Callable[[bytes], object]
    ) -> tuple[bytes, dict[str, str]]:
        """`downloads.answer`; an error says who was `asked` and what else the user may do `instead`."""
        limits = {"most_bytes": most_bytes, "timeout_s": self.timeout_s}
        try:
            return downloads.answer(url, check, **limits, cache=self.cache, refresh=self.refresh)
        except Unusable as error:
            advice = f"{error.advice}, or {instead}" if error.advice else instead
            host = urllib.parse.urlsplit(url).netloc
            raise InputError(f"{asked} ({host}): {error.found}; {advice}") from error


def _check_range(option: str, value: float, allowed: tuple[float, float]) -> None:
    if not allowed[0] <= value <= allowed[1]:  # so that NaN fails
        raise InputError(f"{option}: found {value!r}; allowed is {allowed[0]:g} to {allowed[1]:g}")


def _file_names(targets: Sequence[str]) -> dict[str, str]:
    """Name of a file -> target; no two targets share one."""
    if not targets:
        raise InputError("no target given; name at least one galaxy, or a place as RA,DEC")
    names: dict[str, str] = {}
    for target in targets:
        name = re.sub(r"[^A-Za-z0-9.+-]+", "_", target.strip().replace(":", "")).strip("._")
        if not 0 < len(name) <= 100:
            found = f"target {target!r:.60}: not 1 to 100 letters or digits"
            raise InputError(f"{found}; give the name of a galaxy, or RA,DEC")
        if name in names:
            raise InputError(f"targets {names[name]!r} and {target!r} would both be {name}.fits; give one of them")
        names[name] = target.strip()
    return names


# --- one target


def _fetch_one(target: str, path: Path, desk: _Desk) -> Path:
    """Get one picture and write it with its card."""
    place = place_of(target)
    ra_deg, dec_deg = place or _resolved(target, desk)
    service = desk.service
    url, pixels = service.request(ra_deg, dec_deg, desk.size_arcmin)
    instead = f"try another --service ({desk.others})" if desk.others else "add a service to the list"
    asked = (f"{target}: {service.name}", instead, url, _PICTURE_BYTES)
    body, fetched = desk.ask(*asked, lambda body: _check_picture(body, service))
    card = {
        "target": target,
        "ra_deg": ra_deg,
        "dec_deg": dec_deg,
        "resolver": None if place else desk.resolver,
        "service": service.name,
        "band": service.band,
        "url": url,
        "size_arcmin": desk.size_arcmin,
        "pixels": pixels,
        "pixel_arcsec": 60.0 * desk.size_arcmin / pixels,
        "source": service.source,
        **fetched,
        "galclass": __version__,
    }
    with atomic(path) as temporary:
        temporary.write_bytes(body)
    write_text(path.with_suffix(".json"), json.dumps(card, indent=1) + "\n")
    return path


def _resolved(name: str, desk: _Desk) -> tuple[float, float]:
    """RA and Dec [degrees] of a named object."""
    url = desk.resolver.format(name=urllib.parse.quote(name, safe=""))
    asked = (f"{name}: resolver of names", "give the place as RA,DEC instead of the name", url, _TEXT_BYTES)
    body, _ = desk.ask(*asked, resolved_place)
    return resolved_place(body)


def _check_picture(body: bytes, service: Service) -> None:
    """Raise `Unusable` unless the bytes are a picture in FITS with some contrast."""
    if not body.startswith(b"SIMPLE  ="):
        raise Unusable(f"the answer is not FITS ({excerpt(body)})", "try again later")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "answer.fits"
        path.write_bytes(body)
        try:
            images.read_picture(path, allow_nan=True)
        except InputError as error:
            reason = str(error).removeprefix(f"{path}: ").split(";")[0]
            raise _useless(reason, service) from error


def _useless(reason: str, service: Service) -> Unusable:
    """What came back and what to do, from why a picture cannot be read."""
    if reason.startswith("every pixel"):  # how services mark places that they have not observed
        return Unusable(f"no coverage, {reason} (it covers {service.coverage.replace(';', ',')})", "")
    return Unusable(f"the answer is damaged ({reason})", "try again later")
