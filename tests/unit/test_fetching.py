"""Pictures of galaxies from a cut-out service and a resolver of names that a server on this machine plays."""

import hashlib
import io
import json
import urllib.parse
from pathlib import Path

import numpy as np
import pytest
import yaml
from astropy.io import fits

from galclass import images
from galclass.errors import InputError
from galclass.reference.fetching import fetch
from galclass.reference.places import place_of

SETTINGS = {"size_arcmin": 2.0, "timeout_s": 5.0}
PLACE = "55.18,-18.6453"
SESAME = (
    b"# LEDA 074886\t#Q1\n#=S=Simbad (CDS, via client/server):    1\n%C.0 G\n%J 55.18 -18.6453 = 03:40:43.2\n#===\n"
)


def fits_bytes(values):
    """Numbers in FITS."""
    file = io.BytesIO()
    fits.PrimaryHDU(np.asarray(values, dtype=">f4")).writeto(file)
    return file.getvalue()


def galaxy():
    """A galaxy of 40 pixels."""
    y, x = np.mgrid[:40, :40] - 19.5
    return 100.0 * np.exp(-np.hypot(x, y / 0.7) / 5.0)


def table_bytes():
    """A table in FITS, without a picture."""
    file = io.BytesIO()
    columns = fits.ColDefs([fits.Column("a", "E", array=np.arange(3.0))])
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns)]).writeto(file)
    return file.getvalue()


GOOD = fits_bytes(galaxy())
HALF = np.where(np.arange(1600.0).reshape(40, 40) < 800.0, np.nan, galaxy())
BODIES = {
    "good": GOOD,
    "half_covered": fits_bytes(HALF),
    "page": b"<!DOCTYPE html><html><style>a{}</style><body>Down for\n maintenance</body></html>",
    "nothing": b"",
    "short": GOOD[:4000],
    "table": table_bytes(),
    "uncovered": fits_bytes(np.full((40, 40), np.nan)),
    "constant": fits_bytes(np.zeros((40, 40))),
}
NAMES = {
    "LEDA 074886": SESAME,
    "a page": b"<!DOCTYPE html><h1>Sesame rests</h1>",
    "of another sky": b"%J 12 95\n",
}


def sesame(handler):
    name = urllib.parse.unquote(handler.path.partition("?")[2])
    handler.send(NAMES.get(name, b"# X\n#! *** Nothing found ***\n"))


@pytest.fixture
def get(web, tmp_path):
    """`fetch` from a service that sends a body, or from several by name."""
    web.pages = {name: lambda handler, body=body: handler.send(body) for name, body in BODIES.items()}
    web.pages |= {"sesame": sesame, "broken": lambda handler: handler.send(code=500)}
    query = "?ra={ra_deg}&dec={dec_deg}&fov={fov_deg}&size={pixels}&scale={pixel_arcsec}"
    entry = {
        "pixel_arcsec": 0.5,
        "maximum_pixels": 512,
        "band": "r",
        "coverage": "the sky; all of it",
        "source": "a test",
    }
    content = {"resolver": {"url": web.url + "/sesame?{name}"},
               "services": {name: entry | {"url": f"{web.url}/{name}{query}"} for name in web.pages}}  # fmt: skip
    file = tmp_path / "services.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False))

    def call(service, *targets, **settings):
        settings = SETTINGS | {"cache": tmp_path / "cache", "services_file": file} | settings
        return fetch(targets or (PLACE,), tmp_path / "out", service=service, **settings)

    return call


def failure(get, *arguments, **settings):
    """The message of the error, which is one line."""
    with pytest.raises(InputError) as caught:
        get(*arguments, **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- what works


def test_picture_and_its_card(get, web, tmp_path):
    (path,) = get("good")
    assert path == tmp_path / "out" / "55.18_-18.6453.fits" and path.read_bytes() == GOOD
    assert images.read_picture(path)[0].shape == (40, 40)
    card = json.loads(path.with_suffix(".json").read_text())
    assert card["sha256"] == hashlib.sha256(GOOD).hexdigest()
    assert (card["ra_deg"], card["dec_deg"], card["service"], card["resolver"]) == (55.18, -18.6453, "good", None)
    assert (card["size_arcmin"], card["pixels"], card["pixel_arcsec"]) == (2.0, 240, 0.5)
    assert card["url"] == web.url + web.asked[0]
    assert web.asked == ["/good?ra=55.180000&dec=-18.645300&fov=0.033333&size=240&scale=0.500000"]
    assert sorted(file.name for file in path.parent.iterdir()) == ["55.18_-18.6453.fits", "55.18_-18.6453.json"]


def test_larger_fields_get_coarser_pixels(get, web):
    (path,) = get("good", size_arcmin=8.0)
    card = json.loads(path.with_suffix(".json").read_text())
    assert (card["pixels"], card["pixel_arcsec"]) == (512, 8.0 * 60.0 / 512)
    assert "size=512&scale=0.937500" in web.asked[0]


def test_name_is_resolved(get, web):
    (path,) = get("good", "LEDA 074886")
    assert path.name == "LEDA_074886.fits"
    card = json.loads(path.with_suffix(".json").read_text())
    assert (card["ra_deg"], card["dec_deg"]) == (55.18, -18.6453)
    assert card["resolver"] == web.url + "/sesame?{name}"
    assert [path.split("&")[0] for path in web.asked] == ["/sesame?LEDA%20074886", "/good?ra=55.180000"]


def test_picture_with_gaps_is_taken(get):
    (path,) = get("half_covered")
    assert np.isfinite(images.read_picture(path, allow_nan=True)[0]).sum() == 800


@pytest.mark.parametrize(
    ("target", "place"),
    [
        ("55.18,-18.6453", (55.18, -18.6453)),
        (" 0, +90 ", (0.0, 90.0)),
        ("03:40:43.2,-18:38:43", (55.18, -18.0 - 38.0 / 60.0 - 43.0 / 3600.0)),
        ("12:00:00,-00:30:00", (180.0, -0.5)),  # the sign of minus zero
        ("NGC 1", None),
        ("SDSS J1,2", None),
        ("074886", None),
    ],
)
def test_places_and_names_are_told_apart(target, place):
    assert place_of(target) == (place and pytest.approx(place, abs=1e-9))  # rounding of the sum of three numbers


@pytest.mark.parametrize(
    "target", ["400,10", "360,0", "10,95", "1,2,3", "25:00:00,10", "10:70:00,+5", ",", "1,", "-1,2"]
)
def test_places_that_are_not(get, web, target):
    assert "not " in failure(get, "good", target) and not web.asked


# --- the cache


def test_second_call_needs_no_network(get, web):
    first = get("good", "LEDA 074886")[0]
    card = first.with_suffix(".json").read_text()
    first.unlink()
    web.stop()
    assert get("good", "LEDA 074886")[0].read_bytes() == GOOD
    assert first.with_suffix(".json").read_text() == card  # the date is that of the download
    assert len(web.asked) == 2


def test_refresh_asks_again(get, web):
    get("good")
    get("good", refresh=True)
    assert len(web.asked) == 2


def test_other_size_is_another_picture(get, web):
    get("good")
    get("good", size_arcmin=3.0)
    assert len(web.asked) == 2


def test_bad_answers_are_not_kept(get, tmp_path):
    for page in ("page", "uncovered", "short"):
        failure(get, page)
    assert not list(tmp_path.glob("cache/*")) and not list(tmp_path.glob("out/*"))


# --- what fails


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ("page", "not FITS (a web page: Down for maintenance); try again later, or"),
        ("nothing", "empty (0 bytes)"),
        ("short", "the answer is damaged"),
        ("table", "no image with two axes"),
        ("uncovered", "no coverage, every pixel is NaN or infinite (it covers the sky, all of it); try another"),
        ("constant", "no coverage, every pixel has the same value"),
        ("broken", "HTTP 500"),
    ],
)
def test_failure_says_what_was_asked_what_came_and_what_to_do(get, page, found):
    message = failure(get, page)
    assert message.startswith(f"{PLACE}: {page} (127.0.0.1:") and found in message
    assert "try another --service (good, half_covered" in message


def test_unknown_name(get, web):
    message = failure(get, "good", "LEDA 99999999")
    assert message.startswith("LEDA 99999999: resolver of names (127.0.0.1:") and "unknown" in message
    assert "RA,DEC" in message and "--service" not in message
    assert len(web.asked) == 1


@pytest.mark.parametrize(("name", "found"), [("a page", "Sesame rests"), ("of another sky", "%J 12 95")])
def test_resolver_that_talks_nonsense(get, name, found):
    message = failure(get, "good", name)
    assert "no place in the answer" in message and found in message and "RA,DEC" in message


def test_others_are_done_when_one_fails(get, tmp_path, capsys):
    message = failure(get, "good", "nobody knows me", PLACE, "400,1")
    assert (tmp_path / "out" / "55.18_-18.6453.fits").read_bytes() == GOOD
    assert "400,1" in message and message.endswith(f"the other 1 are in {tmp_path / 'out'}")
    assert "nobody knows me" in capsys.readouterr().err


def test_failure_leaves_the_picture_of_before(get):
    (path,) = get("good")
    failure(get, "uncovered")
    assert path.read_bytes() == GOOD


# --- settings


@pytest.mark.parametrize(
    ("settings", "found"),
    [({"size_arcmin": 0.0}, "--size-arcmin"), ({"size_arcmin": float("nan")}, "--size-arcmin"),
     ({"size_arcmin": 600.0}, "0.2 to 60"), ({"timeout_s": -1.0}, "--timeout-s")],
)  # fmt: skip
def test_settings_out_of_range(get, web, settings, found):
    assert found in failure(get, "good", **settings) and not web.asked


def test_unknown_service_names_the_known(get, web):
    assert "'sloan'; allowed are good, half_covered" in failure(get, "sloan") and not web.asked


@pytest.mark.parametrize("targets", [("M 31", "M_31"), ("M 31", "M 31"), ("  ",), ("///",), ("M" * 101,)])
def test_targets_need_names_of_their_own(get, web, targets):
    assert "target" in failure(get, "good", *targets) and not web.asked


def test_no_target():
    with pytest.raises(InputError, match="no target"):
        fetch([], Path("out"), service="legacy_dr10_r", **SETTINGS)
