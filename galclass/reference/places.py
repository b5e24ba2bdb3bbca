"""Where on the sky a target is: from its coordinates, or from what a resolver of names answers."""

import re

from galclass.errors import InputError
from galclass.reference.downloads import Unusable, excerpt


def place_of(target: str) -> tuple[float, float] | None:
    """RA and Dec [degrees, ICRS] of a target that is a place, None where it is a name.

    Raises
    ------
    InputError
        It has a comma and no letters, as a place has, but is none.
    """
    if "," not in target or re.search("[A-Za-z]", target):
        return None
    parts = [part.strip() for part in target.split(",")]
    ra, dec = map(_angle, parts) if len(parts) == 2 else (None, None)
    ra = 15.0 * ra if ra is not None and ":" in parts[0] else ra
    if ra is None or dec is None or not 0.0 <= ra < 360.0 or not -90.0 <= dec <= 90.0:
        raise InputError(f"target {target!r}: not a place; allowed are RA,DEC in degrees (0 to 359.99..., -90 to 90), "
                         "or hh:mm:ss.s,+dd:mm:ss")  # fmt: skip
    return ra, dec


def _angle(text: str) -> float | None:
    """An angle in its own unit, decimal or as three numbers between colons; None where it is neither."""
    found = re.fullmatch(r"([+-]?)(\d+)(?::([0-5]?\d):([0-5]?\d(?:\.\d*)?)|(\.\d*)?)", text)
    if not found:
        return None
    sign, whole, minutes, seconds, fraction = found.groups()
    size = float(whole + (fraction or "")) + float(minutes or 0) / 60.0 + float(seconds or 0) / 3600.0
    return -size if sign == "-" else size


def resolved_place(body: bytes) -> tuple[float, float]:
    """RA and Dec [degrees] in an answer of Sesame of CDS: its line `%J RA DEC`.

    Raises
    ------
    Unusable
        The name is unknown, or the answer is not one of Sesame.
    """
    text = body.decode("utf-8", "replace")
    found = re.search(r"^%J\s+(\d+\.?\d*)\s+([+-]?\d+\.?\d*)", text, re.MULTILINE)
    if found:
        ra_deg, dec_deg = map(float, found.groups())
        if ra_deg <= 360.0 and abs(dec_deg) <= 90.0:
            return ra_deg, dec_deg
    if text.startswith("#"):  # an answer of Sesame, which names what it asked in comments
        raise Unusable("the name is unknown", "check its spelling")
    raise Unusable(f"no place in the answer ({excerpt(body)})", "try again later")
