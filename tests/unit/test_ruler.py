"""The ruler: both ways agree with the truth, and it answers whatever the picture."""

import numpy as np
import pytest

from galclass import isophotes, reference, ruler
from galclass.errors import InputError
from galclass.isophotes import ellipses

PIXELS = 80
#: B4 of a superellipse by its exponent.
TRUE_B4 = {1.7: 0.0284, 2.0: 0.0, 3.0: -0.0570}


def galaxy(exponent=3.0, ratio=(0.65, 0.65), pa_deg=(25.0, 25.0), scale=5.0, x=39.3, y=40.1, pixels=PIXELS):
    """An exponential galaxy of superelliptic isophotes, whose axis ratio and angle run from centre to 5 scales."""
    fine = (np.arange(3 * pixels) + 0.5) / 3.0 - 0.5
    across, along = np.meshgrid(fine - x, fine - y)
    size = np.hypot(across, along)
    for _ in range(1 if ratio[0] == ratio[1] and pa_deg[0] == pa_deg[1] else 25):
        share = np.clip(size / (5.0 * scale), 0.0, 1.0)
        angle = np.deg2rad(pa_deg[0] + (pa_deg[1] - pa_deg[0]) * share)
        u = across * np.cos(angle) + along * np.sin(angle)
        v = (along * np.cos(angle) - across * np.sin(angle)) / (ratio[0] + (ratio[1] - ratio[0]) * share)
        size = (np.abs(u) ** exponent + np.abs(v) ** exponent) ** (1.0 / exponent)
    return np.exp(-size / scale).reshape(pixels, 3, pixels, 3).mean(axis=(1, 3))


def observed(light, noise=0.003, sky=0.2, seed=1):
    """A picture with sky and noise; 0.003 of the peak is a signal to noise of about 350 in the ring at 1 R_e."""
    return light + sky + noise * np.random.default_rng(seed).normal(size=light.shape)


@pytest.fixture(scope="module")
def boxy() -> ruler.Measurement:
    return ruler.measure(observed(galaxy()))


# Right ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exponent", [1.7, 2.0])
@pytest.mark.parametrize("fast", [True, False])
def test_both_ways_give_the_shape(exponent, fast):
    found = ruler.measure(observed(galaxy(exponent)), fast=fast)
    assert found.method == ("fourier" if fast else "photutils")
    assert found.b4 == pytest.approx(TRUE_B4[exponent], abs=0.005)  # four standard deviations
    assert found.axis_ratio == pytest.approx(0.65, abs=0.01)
    assert found.ellipticity == pytest.approx(1.0 - found.axis_ratio)


def test_boxy_galaxy_by_photutils(boxy):
    assert (boxy.method, boxy.flag, boxy.label) == ("photutils", "", "rectangle")
    assert boxy.b4 == pytest.approx(TRUE_B4[3.0], abs=0.005)
    assert boxy.b6 == pytest.approx(0.0, abs=0.006)
    assert boxy.exponent == pytest.approx(3.0, abs=0.25)
    assert boxy.a4_over_a == pytest.approx(np.sqrt(boxy.axis_ratio) * boxy.b4)
    assert boxy.p_label > 0.95
    assert (boxy.x, boxy.y) == pytest.approx((39.3, 40.1), abs=0.05)
    assert 2.5 < boxy.concentration < 3.0 and np.isfinite([boxy.asymmetry, boxy.gini, boxy.m20]).all()


def test_changing_ellipses_need_photutils():
    """Where the ellipses turn with radius, those of one ellipse for all radii blur the box."""
    picture = observed(galaxy(ratio=(0.8, 0.5), pa_deg=(10.0, 60.0)))
    followed, single = ruler.measure(picture), ruler.measure(picture, fast=True)
    assert followed.method == "photutils"
    assert abs(followed.b4 - TRUE_B4[3.0]) < 0.6 * abs(single.b4 - TRUE_B4[3.0])
    radii = np.array([6.0, 18.0])  # the angle runs by 2 deg a pixel, the axis ratio by -0.012
    turned, flattened = (np.interp(radii, followed.profile["sma"], followed.profile[name])
                         for name in ("pa_deg", "ellipticity"))  # fmt: skip
    assert turned[1] - turned[0] == pytest.approx(24.0, abs=5.0)
    assert flattened[1] - flattened[0] == pytest.approx(0.144, abs=0.03)


def test_photutils_counts_in_the_polar_angle():
    """Its ellipse of a boxy galaxy is too flat; in eccentric anomaly it is right."""
    found = ellipses.fit_ellipses(galaxy(), None, (39.3, 40.1, 12.0, 0.35, 25.0), 8.0, 20.0)
    assert np.mean(found.ellipticity) == pytest.approx(0.371, abs=0.004)
    turned = ellipses.in_eccentric_anomaly(found, TRUE_B4[3.0])
    assert np.mean(turned.ellipticity) == pytest.approx(0.350, abs=0.003)  # the picture has pixels


def test_large_galaxy_is_binned_and_its_numbers_are_in_its_own_pixels():
    found = ruler.measure(observed(galaxy(scale=36.0, x=140.3, y=150.9, pixels=300), sky=0.0), fast=True)
    assert (found.x, found.y) == pytest.approx((140.3, 150.9), abs=0.3)
    assert found.r_eff_px == pytest.approx(1.78 * 36.0, rel=0.1)  # the frame cuts the outskirts
    assert found.b4 == pytest.approx(TRUE_B4[3.0], abs=0.005)


def test_neighbour_and_bad_pixels_do_not_matter(boxy):
    rows, columns = np.indices((PIXELS, PIXELS))
    star = 0.5 * np.exp(-((columns - 60.0) ** 2 + (rows - 52.0) ** 2) / 4.0)
    picture = observed(galaxy() + star)
    picture[30:33, 20:24] = np.nan
    picture[70, :] = np.inf
    found = ruler.measure(picture, fast=True)
    assert found.b4 == pytest.approx(boxy.b4, abs=0.01)
    assert (found.x, found.y) == pytest.approx((boxy.x, boxy.y), abs=0.2)


def test_the_galaxy_in_the_middle_is_measured():
    light = galaxy() + 0.8 * np.roll(galaxy(2.0, (0.9, 0.9), scale=2.0), (28, 28), axis=(0, 1))
    assert ruler.measure(observed(light), fast=True).x == pytest.approx(39.3, abs=0.3)


@pytest.mark.parametrize("pixels", [50, 100])
def test_built_in_leda_is_a_rectangle(pixels):
    found = ruler.measure(reference.flux_picture(reference.read_model(), pixels, 130.0 / pixels))
    assert (found.method, found.label) == ("photutils", "rectangle")
    assert -0.08 < found.a4_over_a < -0.05  # published from 29 to 49 arcsec
    assert found.axis_ratio == pytest.approx(0.70, abs=0.02)


def test_deep_picture_is_measured_as_it_stands():
    light = galaxy()
    found, direct = ruler.measure(light, deep=True, fast=True), isophotes.measure(light)
    assert (found.b4, found.b6, found.r_eff_px) == (direct.b4, direct.b6, direct.r_eff_px)


@pytest.mark.parametrize("unit", [1e-12, 1e9])
def test_unit_of_flux_does_not_matter(boxy, unit):
    found = ruler.measure(unit * observed(galaxy()), fast=True)
    assert found.b4 == pytest.approx(boxy.b4, abs=0.003)


# Never an empty answer --------------------------------------------------------------------------------


def scattered(count):
    """Ellipses that do not follow each other, as photutils finds them in noise."""
    angles = 60.0 * np.arange(count)
    return ellipses.Ellipses(np.geomspace(8.0, 24.0, count), *np.full((2, count), 39.5), *np.full((1, count), 0.4),
                             angles % 180.0, np.ones(count))  # fmt: skip


@pytest.mark.parametrize(
    ("found", "reason"), [(None, "no photutils ellipse converged"), (scattered(9), "photutils ellipses scatter by 0.4")]
)
def test_where_photutils_fails_one_ellipse_is_taken_and_the_flag_says_why(monkeypatch, found, reason):
    monkeypatch.setattr(ruler, "fit_ellipses", lambda *anything: found)
    answer = ruler.measure(observed(galaxy()))
    assert answer.method == "fourier"
    assert answer.flag.startswith(f"fourier: {reason}")
    assert answer.b4 == pytest.approx(TRUE_B4[3.0], abs=0.005)


def test_noise_does_not_make_ellipses():
    rng = np.random.default_rng(3)
    assert ellipses.fit_ellipses(rng.normal(size=(64, 64)), None, (32.0, 32.0, 10.0, 0.3, 20.0), 6.0, 20.0) is None


def test_noisy_galaxy_gets_numbers_with_large_errors():
    found = ruler.measure(observed(galaxy(), noise=0.2))  # a signal to noise of 7 in the ring at 1 R_e
    assert np.isfinite([found.b4, found.b6, found.a4, found.p_label]).all()
    assert found.b4_err > 0.02


@pytest.mark.parametrize("kind", ["flux", "picture"])
@pytest.mark.parametrize("name", ["noise", "pixel", "tiny", "half", "negative", "integers"])
def test_any_picture_gets_an_answer(name, kind):
    rng = np.random.default_rng(2)
    picture = {
        "noise": rng.normal(size=(40, 40)),
        "pixel": np.where(np.arange(900).reshape(30, 30) == 465, 1.0, 0.0),
        "tiny": galaxy(pixels=12, x=5.4, y=5.6, scale=1.0),
        "half": np.where(np.indices((60, 60))[0] < 30, galaxy(pixels=60, x=30, y=30), np.nan),
        "negative": galaxy(pixels=40, x=20, y=20, scale=2.0) - 5.0,
        "integers": np.rint(200 * galaxy(pixels=50, x=25, y=25, scale=3.0)).astype(np.uint8),
    }[name]
    found = ruler.measure(picture, kind=kind, fast=name != "tiny")
    assert np.isfinite([found.x, found.y, found.r_eff_px, found.axis_ratio]).all()
    assert found.method in ("photutils", "fourier", "none")
    assert found.flag or found.method == "photutils"


@pytest.mark.parametrize(
    ("picture", "kind", "message"),
    [(np.ones((20, 20)), "flux", "without light"), (np.full((20, 20), np.nan), "flux", "without light"),
     (np.zeros((4, 20)), "flux", "at least 8 x 8"), (galaxy(), "photo", "allowed are flux, picture")],
)  # fmt: skip
def test_refusals_say_why(picture, kind, message):
    with pytest.raises(InputError, match=message):
        ruler.measure(picture, kind=kind)
