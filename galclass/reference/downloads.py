"""One answer of a server: complete within a time and a size, and kept so that it is asked for only once."""

import hashlib
import http.client
import json
import os
import re
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from galclass import __version__
from galclass.errors import InputError
from galclass.files import atomic, write_text

_CHUNK_BYTES = 65536
_REDIRECTIONS = 4
_THREAD = "download"


class Unusable(InputError):
    """An answer that cannot be used: what came back, and what to do."""

    def __init__(self, found: str, advice: str):
        super().__init__(f"{found}; {advice}")
        self.found, self.advice = found, advice


def default_cache() -> Path:
    """Where answers are kept: galclass/cutouts in the user's folder of caches (XDG base directories)."""
    root = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(root) if Path(root).is_absolute() else Path.home() / ".cache") / "galclass" / "cutouts"


def answer(
    url: str, check: Callable[[bytes], object], *, most_bytes: int, timeout_s: float, cache: Path, refresh: bool = False
) -> tuple[bytes, dict[str, str]]:
    """The answer to a URL, from the cache or, failing that, from the server.

    Parameters
    ----------
    url : str
        Of the web.
    check : callable
        Is given the answer and raises `Unusable` where it cannot be used.
    most_bytes : int
        Largest answer [bytes].
    timeout_s : float
        Longest time for the whole download [s].
    cache : path
        Folder that keeps usable answers and their digests.
    refresh : bool
        Ask again for what the cache has.

    Returns
    -------
    body : bytes
        What was sent.
    card : dict
        `date` of the download (UTC) and `sha256` of the body.

    Raises
    ------
    Unusable
        No answer, or one that is incomplete, empty, too large, too late, or that `check` refuses.
    """
    stem = Path(cache) / hashlib.sha256(url.encode()).hexdigest()
    kept = None if refresh else _kept(stem)
    if kept:
        return kept
    body = _downloaded(url, most_bytes, timeout_s)
    if not body:
        raise Unusable("the answer is empty (0 bytes)", "try again later")
    check(body)
    card = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "sha256": hashlib.sha256(body).hexdigest()}
    _keep(stem, body, card | {"url": url})
    return body, card


# --- the cache


def _kept(stem: Path) -> tuple[bytes, dict[str, str]] | None:
    """An answer in the cache with its date and digest; None if there is none, or it is damaged."""
    try:
        body = stem.with_suffix(".body").read_bytes()
        card = json.loads(stem.with_suffix(".json").read_text(encoding="utf-8"))
        found = {"date": card["date"], "sha256": hashlib.sha256(body).hexdigest()}
        return (body, found) if found["sha256"] == card["sha256"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep(stem: Path, body: bytes, card: dict[str, str]) -> None:
    """Put an answer into the cache; one that cannot be written costs a request next time, no more."""
    try:
        with atomic(stem.with_suffix(".body")) as temporary:
            temporary.write_bytes(body)
        write_text(stem.with_suffix(".json"), json.dumps(card) + "\n")
    except OSError as error:
        print(f"cache not written ({error}); give a folder with --cache", file=sys.stderr)


# --- downloads


def _downloaded(url: str, most_bytes: int, seconds: float) -> bytes:
    """The body of an answer that is complete within so many seconds.

    A thread of its own fetches it, since the limits of sockets hold for each step (and not at all for the look-up
    of hosts), so that a server could drip for ever.
    """
    outcomes: list[bytes | Exception] = []
    arguments = (outcomes, url, most_bytes, time.monotonic() + seconds)
    thread = threading.Thread(target=_try, args=arguments, daemon=True, name=_THREAD)
    thread.start()
    thread.join(seconds)
    outcome = outcomes[0] if outcomes else TimeoutError()
    if isinstance(outcome, TimeoutError):
        raise Unusable(f"no complete answer within {seconds:.3g} s", "give a longer --timeout-s")
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _try(outcomes: list[bytes | Exception], url: str, most_bytes: int, deadline: float) -> None:
    """Add the body, or why there is none, to the outcomes."""
    try:
        outcomes.append(_body(url, most_bytes, deadline))
    except Unusable as error:
        outcomes.append(error)
    except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: a host or port that cannot be
        reason = getattr(error, "reason", error)  # urllib wraps what happened on the way to the server
        found = f"no connection, or it broke ({one_line(str(reason) or type(reason).__name__)})"
        outcomes.append(reason if isinstance(reason, TimeoutError) else Unusable(found, "check the network"))


def _body(url: str, most_bytes: int, deadline: float) -> bytes:
    """Ask and read to the end; raises `Unusable`, `OSError` or `HTTPException`."""
    request = urllib.request.Request(url, headers={"User-Agent": f"galclass/{__version__}"})
    try:
        response = urllib.request.build_opener(_Redirections).open(request, timeout=_left(deadline))
    except urllib.error.HTTPError as error:
        with error:
            raise _refused(error.code, error.headers.get("Location", ""), error.read(200)) from None
    with response:
        length = response.length
        if length is not None and length > most_bytes:
            raise _too_large(most_bytes)
        body = _read_all(response, most_bytes, deadline)
    if length is not None and len(body) < length:
        raise Unusable(f"the answer breaks off after {len(body)} of {length} bytes", "try again later")
    return body


def _read_all(response: http.client.HTTPResponse, most_bytes: int, deadline: float) -> bytes:
    body = bytearray()
    while chunk := response.read1(_CHUNK_BYTES):
        body += chunk
        if len(body) > most_bytes:
            raise _too_large(most_bytes)
        _left(deadline)
    return bytes(body)


def _left(deadline: float) -> float:
    """Seconds left; raises `TimeoutError` where none are."""
    left = deadline - time.monotonic()
    if left <= 0.0:
        raise TimeoutError
    return left


def _too_large(most_bytes: int) -> Unusable:
    return Unusable(f"the answer is larger than {most_bytes / 1e6:g} MB", "ask for a smaller --size-arcmin")


def _refused(code: int, location: str, body: bytes) -> Unusable:
    if location:
        found = f"it redirects to {one_line(location)}, in a loop, more than {_REDIRECTIONS} times or off the web"
        return Unusable(found, "correct its url in the list of services")
    found = f"HTTP {code} {http.client.responses.get(code, '')}".strip() + (f" ({excerpt(body)})" if body else "")
    return Unusable(found, "try again later")


class _Redirections(urllib.request.HTTPRedirectHandler):
    """Follows a few redirections, on the web only."""

    max_redirections = _REDIRECTIONS

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        """The next request; urllib would also follow to FTP."""
        if urllib.parse.urlsplit(newurl).scheme not in ("http", "https"):
            raise urllib.error.HTTPError(req.full_url, code, msg, headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


# --- messages


def excerpt(body: bytes) -> str:
    """The start of an answer for a message: the text of a web page or of JSON."""
    text = body[:2000].decode("latin-1")
    kind = "a web page: " if re.match(r"\s*<(!doctype|html)", text, re.IGNORECASE) else ""
    return kind + one_line(re.sub(r"<(style|script).*?</\1>|<[^>]*>", " ", text, flags=re.DOTALL | re.IGNORECASE))


def one_line(text: str, most: int = 80) -> str:
    """A text on one line, of printable characters, cut off when long."""
    plain = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return plain if len(plain) <= most else plain[: most - 3] + "..."
