"""The list of cut-out services, and the URLs made from it."""

import urllib.parse

import pytest
import yaml

from galclass.errors import InputError
from galclass.reference.services import read_resolver, read_services


def test_services_of_the_project_are_complete():
    services = read_services()
    assert {"legacy_dr10_r", "panstarrs_r", "dss2_red"} <= services.keys()
    assert read_resolver().startswith("https://cds.unistra.fr/") and "{name}" in read_resolver()
    for service in services.values():
        assert service.url.startswith("https://") and service.coverage and service.source
        url, pixels = service.request(55.18, -18.6453, 3.0)
        assert "{" not in url and "55.180000" in url and "-18.645300" in url and str(pixels) in url
        # the boxy isophotes of LEDA 074886 reach 49 arcsec: over 45 pixels in any survey, and sky around them
        assert 49.0 / (180.0 / pixels) > 45.0


def test_url_of_the_legacy_surveys_viewer():
    """The example of the survey's own description, for another place and size."""
    url, pixels = read_services()["legacy_dr10_r"].request(190.1086, 1.2005, 100 * 0.262 / 60)
    parts = urllib.parse.urlsplit(url)
    assert (parts.netloc, parts.path, pixels) == ("www.legacysurvey.org", "/viewer/fits-cutout", 100)
    assert urllib.parse.parse_qs(parts.query) == {
        "ra": ["190.108600"], "dec": ["1.200500"], "layer": ["ls-dr10"], "pixscale": ["0.262000"], "bands": ["r"],
        "size": ["100"]}  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"url": "ftp://host/{ra_deg}{dec_deg}"},
        {"url": "https://host/{ra_deg}"},
        {"url": "https://host/{ra_deg}{dec_deg}{token}"},
        {"url": "https://host/{ra_deg}{dec_deg}{"},
        {"url": "https://host/{ra_deg}{dec_deg}{pixels:.3f}"},
        {"url": None},
        {"pixel_arcsec": 0},
        {"pixel_arcsec": "small"},
        {"maximum_pixels": True},
        {"colour": "blue"},
    ],
)
def test_services_that_are_not(tmp_path, change):
    entry = {"url": "https://host/{ra_deg}{dec_deg}", "pixel_arcsec": 1.0, "maximum_pixels": 9, "band": "r",
             "coverage": "", "source": ""}  # fmt: skip
    file = tmp_path / "services.yaml"
    file.write_text(yaml.safe_dump({"resolver": {}, "services": {"mine": entry}}))
    assert read_services(file)["mine"].maximum_pixels == 9
    file.write_text(yaml.safe_dump({"resolver": {}, "services": {"mine": entry | change}}))
    with pytest.raises(InputError, match=r"services.yaml: mine: .*(allowed|a service has)"):
        read_services(file)


@pytest.mark.parametrize("text", ["", "[]", "services: {}", "{resolver: {}, services: {}}", "a: [", "\x00"])
def test_list_of_services_that_is_none(tmp_path, text):
    (tmp_path / "services.yaml").write_text(text)
    with pytest.raises(InputError, match="services.yaml: "):
        read_services(tmp_path / "services.yaml")


@pytest.mark.parametrize("resolver", [{}, None, {"url": "https://host/"}, {"url": "host/{name}"}])
def test_resolver_that_is_none(tmp_path, resolver):
    (tmp_path / "services.yaml").write_text(yaml.safe_dump({"resolver": resolver, "services": {}}))
    with pytest.raises(InputError, match="resolver: url"):
        read_resolver(tmp_path / "services.yaml")
