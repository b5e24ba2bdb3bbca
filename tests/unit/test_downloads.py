"""Downloads from servers of all tempers, all of them played on this machine."""

import threading
import time
from pathlib import Path

import pytest

from galclass.errors import InputError
from galclass.reference import downloads
from galclass.reference.downloads import Unusable, answer

GOOD = b"a picture " * 1000


def unsized(handler):
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(GOOD)


def silent(handler):
    handler.server.closing.wait(20)


def dripping(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    while not handler.server.closing.wait(0.05):
        handler.wfile.write(b"a")


def dripping_headers(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while not handler.server.closing.wait(0.05):
        handler.wfile.write(b"X-Wait: 1\r\n")


def endless(handler):
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(GOOD)


def long_way(handler):
    steps = handler.path.count("x")
    handler.send(code=302, Location="/long_way?" + "x" * (steps + 1) if steps < 8 else "/good")


def to(location, code=302):
    return lambda handler: handler.send(code=code, Location=location)


PAGES = {
    "good": lambda handler: handler.send(GOOD),
    "unsized": unsized,
    "silent": silent,
    "dripping": dripping,
    "dripping_headers": dripping_headers,
    "endless": endless,
    "moved": to("/moved_again"),
    "moved_again": to("/good", code=301),
    "loop": to("/loop"),
    "long_way": long_way,
    "to_file": to("file:///etc/hostname"),
    "to_ftp": to("ftp://127.0.0.1/x"),
    "nothing": lambda handler: handler.send(),
    "truncated": lambda handler: handler.send(GOOD[:4000], length=len(GOOD)),
    "missing": lambda handler: handler.send(b'{"title": "unknown survey"}', code=404),
    "broken": lambda handler: handler.send(code=500),
    "huge": lambda handler: handler.send(b"a", length=10**12),
}


def anything(body):
    """Accept every answer."""


@pytest.fixture
def get(web, tmp_path):
    """`answer` from a page of the server."""
    web.pages = PAGES

    def call(page, check=anything, **settings):
        settings = {"most_bytes": 1_000_000, "timeout_s": 5.0, "cache": tmp_path / "cache"} | settings
        return answer(f"{web.url}/{page}", check, **settings)

    return call


@pytest.mark.parametrize("page", ["good", "unsized", "moved"])
def test_whole_answers(get, page):
    assert get(page)[0] == GOOD


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ("loop", "redirects to /loop"),
        ("long_way", "redirects to /long_way"),
        ("to_file", "redirects to file:///etc/hostname"),
        ("to_ftp", "redirects to ftp://"),
        ("nothing", "empty (0 bytes)"),
        ("truncated", f"breaks off after 4000 of {len(GOOD)} bytes"),
        ("missing", 'HTTP 404 Not Found ({"title": "unknown survey"}); try again later'),
        ("broken", "HTTP 500 Internal Server Error; try again later"),
        ("huge", "larger than 1 MB; ask for a smaller --size-arcmin"),
        ("endless", "larger than 1 MB; ask for a smaller --size-arcmin"),
    ],
)
def test_what_cannot_be_used(get, tmp_path, page, found):
    with pytest.raises(Unusable) as caught:
        get(page)
    assert found in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "cache").exists()


def test_few_redirections_are_followed(get, web):
    with pytest.raises(Unusable):
        get("long_way")
    assert len(web.asked) == 1 + 4


@pytest.mark.parametrize("page", ["silent", "dripping", "dripping_headers"])
def test_time_limit_holds_for_the_whole_download(get, page):
    start = time.monotonic()
    with pytest.raises(Unusable, match="no complete answer within 0.5 s; give a longer --timeout-s"):
        get(page, timeout_s=0.5)
    # 10 s: far less than the server would take, far more than a busy machine adds
    assert time.monotonic() - start < 10.0


def test_no_download_goes_on_after_the_time_limit(get):
    with pytest.raises(Unusable):
        get("dripping", timeout_s=0.3)
    threads = [thread for thread in threading.enumerate() if thread.name == downloads._THREAD]
    for thread in threads:
        thread.join(timeout=5.0)  # it sees the limit with the next byte, 0.05 s later
    assert not any(thread.is_alive() for thread in threads)


def test_nobody_there(get, web):
    web.stop()
    with pytest.raises(Unusable, match="no connection.*; check the network"):
        get("good")


@pytest.mark.parametrize("url", ["http://", "http://[", "http://127.0.0.1:port/"])
def test_urls_that_lead_nowhere(tmp_path, url):
    with pytest.raises(Unusable, match="no connection"):
        answer(url, anything, most_bytes=1, timeout_s=5.0, cache=tmp_path)


# --- the cache


def test_second_call_works_without_network(get, web):
    first = get("good")
    web.stop()
    assert get("good") == first  # with the date of the download
    assert len(web.asked) == 1


def test_refresh_asks_again(get, web):
    get("good")
    get("good", refresh=True)
    assert len(web.asked) == 2


@pytest.mark.parametrize("harm", ["cut", "emptied", "overwritten", "no card", "odd card"])
def test_damaged_cache_is_asked_for_again(get, web, tmp_path, harm):
    get("good")
    body, card = (next((tmp_path / "cache").glob(f"*{suffix}")) for suffix in (".body", ".json"))
    {
        "cut": lambda: body.write_bytes(GOOD[:3000]),
        "emptied": lambda: body.write_bytes(b""),
        "overwritten": lambda: body.write_bytes(GOOD[:-1] + b"x"),
        "no card": card.unlink,
        "odd card": lambda: card.write_text("[1]"),
    }[harm]()
    assert get("good")[0] == GOOD
    assert len(web.asked) == 2
    get("good")
    assert len(web.asked) == 2  # it has been repaired


def test_refused_answers_are_not_kept(get, tmp_path):
    def refuse(body):
        raise Unusable(f"{len(body)} bytes", "ask somebody else")

    with pytest.raises(InputError, match="10000 bytes; ask somebody else"):
        get("good", refuse)
    assert not (tmp_path / "cache").exists()


def test_cache_that_cannot_be_written_costs_nothing(get, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert get("good", cache=tmp_path / "file" / "cache")[0] == GOOD
    assert "--cache" in capsys.readouterr().err


def test_default_cache_is_the_users(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert downloads.default_cache() == Path("/caches/galclass/cutouts")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert downloads.default_cache() == Path.home() / ".cache" / "galclass" / "cutouts"
