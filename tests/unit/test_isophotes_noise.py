"""Errors of the measured isophotes: they cover the truth under every kind of noise, and the fit wastes little of it."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from galclass.isophotes import Shape, measure
from galclass.isophotes.noise import correlation, variogram

SIZE, SCALE, EXPONENT = 64, 4.8, 3.0
#: B4 of the superellipse of exponent 3; its B6 is 0.
B4 = -0.0574
#: Trials of a kind of noise; b4 and b6 of each count.
TRIALS = 150


def picture(rng, axis_ratio=0.7, psf=0.0, middle=(31.5, 31.5), pa=None):
    """A superelliptic exponential galaxy of effective radius 8.7 pixels, anyhow turned and shifted, without noise."""
    over = 3
    at = (np.arange(SIZE * over) + 0.5) / over - 0.5
    x, y = np.meshgrid(at - middle[0] - rng.uniform(-0.5, 0.5), at - middle[1] - rng.uniform(-0.5, 0.5))
    turned = (x + 1j * y) * np.exp(-1j * (rng.uniform(0.0, np.pi) if pa is None else pa))
    along, across = np.abs(turned.real), np.abs(turned.imag) / axis_ratio
    light = np.exp(-((along**EXPONENT + across**EXPONENT) ** (1.0 / EXPONENT)) / SCALE)
    light = gaussian_filter(light, psf * over) if psf else light
    return light.reshape(SIZE, over, SIZE, over).mean(axis=(1, 3))


def white(light, rng):
    """Noise of S/N 50 in the ring one pixel wide at the effective radius."""
    return light + 0.026 * rng.normal(size=light.shape)


def poisson(light, rng):
    """Photons of galaxy and sky, and read noise."""
    return rng.poisson(150.0 * light + 20.0) - 20.0 + 3.0 * rng.normal(size=light.shape)


def resampled(light, rng):
    """Noise tied between neighbouring pixels, as in a resampled survey picture or of smoothed particles."""
    return light + 0.07 * gaussian_filter(rng.normal(size=light.shape), 0.9)


def folded(light, rng):
    """The same after the mean with the picture turned by 180 degrees, about the middle of the picture."""
    image = resampled(light, rng)
    return 0.5 * (image + image[::-1, ::-1])


def shapes(noise, trials=TRIALS, seed=11, mask=None, **keywords) -> list[Shape]:
    rng = np.random.default_rng(seed)
    return [measure(noise(picture(rng, **keywords), rng), mask=mask) for _ in range(trials)]


def pulls(found: list[Shape]) -> np.ndarray:
    """Errors of b4 and b6 in units of the stated ones."""
    return np.array([((s.b4 - B4) / s.b4_err, s.b6 / s.b6_err) for s in found])


# What the errors say ------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", [white, poisson, resampled, folded])
def test_errors_cover_the_truth(noise):
    pull = pulls(shapes(noise))
    # 300 pulls give the share to 0.027; three of those, and the 5 % that the errors may be off.
    assert np.mean(np.abs(pull) < 1.0) == pytest.approx(0.68, abs=0.09)
    # The scatter of 300 pulls is known to 4 %.
    assert pull.std() == pytest.approx(1.0, abs=0.15)


def test_errors_cover_the_truth_beside_masked_neighbours():
    mask = np.zeros((SIZE, SIZE), dtype=bool)
    mask[38:48, 40:50] = mask[14:20, 22:28] = True
    rng = np.random.default_rng(5)
    pull = []
    for _ in range(TRIALS):
        light = picture(rng)
        light[mask] += 2.0
        pull.append(pulls([measure(white(light, rng), mask=mask)])[0])
    assert np.mean(np.abs(pull) < 1.0) == pytest.approx(0.68, abs=0.09)


def test_a4_error_holds_the_error_of_the_position_angle():
    found = shapes(white)
    pull = np.array([s.a4 / s.a4_err for s in found])
    # 150 pulls give the share to 0.038 and the scatter to 6 %.
    assert np.mean(np.abs(pull) < 1.0) == pytest.approx(0.68, abs=0.12)
    assert pull.std() == pytest.approx(1.0, abs=0.2)


def test_the_scatter_is_near_the_limit_of_information():
    """Cramer-Rao for white noise: each pixel tells cos(4 E) with the slope of the profile."""
    rng = np.random.default_rng(2)
    found = shapes(white)
    light = picture(rng, pa=0.0)
    y, x = np.indices(light.shape) - 31.5
    size = (np.abs(x) ** EXPONENT + np.abs(y / 0.7) ** EXPONENT) ** (1.0 / EXPONENT)
    r_eff = np.mean([s.r_eff_px for s in found])
    zone = (size > r_eff / 1.09) & (size < 2.5 * r_eff / 1.09)  # the mean radius of exponent 3 is 1.09 half-axes
    limit = np.sum(0.5 * (size / SCALE * light / 0.026)[zone] ** 2) ** -0.5
    scatter = np.std([s.b4 for s in found])
    # 150 values give the scatter to 6 %: within 20 % of the limit, and not far below.
    assert 0.85 * limit < scatter < 1.2 * limit


def test_bias_is_far_below_the_scatter_and_every_sign_is_right():
    found = shapes(white)
    assert abs(np.mean([s.b4 for s in found]) - B4) < 0.003
    assert all(s.b4 < 0 for s in found)


def test_a_fold_is_seen_and_doubles_the_variance_of_a_pixel():
    """A fold leaves b4 and its noise; had its pixels been taken for independent, the error would be smaller by 1.4."""
    rng = np.random.default_rng(8)
    errors = {"plain": [], "folded": []}
    for _ in range(25):
        image = white(picture(rng, middle=(31.5, 31.5)), rng)
        errors["plain"].append(measure(image).b4_err)
        errors["folded"].append(measure(0.5 * (image + image[::-1, ::-1])).b4_err)
    ratio = np.mean(errors["folded"]) / np.mean(errors["plain"])
    assert ratio == pytest.approx(1.0, abs=0.1)


# Blur ---------------------------------------------------------------------------------------------


def test_a_known_psf_is_taken_off():
    """Seeing of a fifth of the scale takes 10 % off b4; knowing its width brings all but a tenth of that back."""
    rng = np.random.default_rng(1)
    image = picture(rng, psf=0.2 * SCALE)
    loss, rest = measure(image).b4 - B4, measure(image, psf_sigma_px=0.2 * SCALE).b4 - B4
    assert 0.003 < loss < 0.012
    assert abs(rest) < 0.3 * loss


def test_an_unknown_psf_is_in_the_errors():
    """The errors hold the truth whether there is no PSF or a tenth of the scale length, and then exceed the noise's."""
    for psf in (0.0, 0.1 * SCALE):
        image = picture(np.random.default_rng(1), psf=psf)
        unknown, none = measure(image, psf_sigma_px=None), measure(image)
        assert abs(unknown.b4 - B4) < 2.5 * unknown.b4_err
        assert 0.0003 < np.sqrt(unknown.b4_err**2 - none.b4_err**2) < 0.001


# The model of the noise ---------------------------------------------------------------------------


@pytest.mark.parametrize("blur", [0.0, 0.7, 1.5])
def test_variance_and_blur_of_noise_are_found(blur):
    rng = np.random.default_rng(3)
    noise = rng.normal(size=(200, 200))
    noise = gaussian_filter(noise, blur) if blur else noise
    found = correlation(noise / noise.std(), np.ones(noise.shape, dtype=bool), np.array([]))
    assert found[0] == pytest.approx(1.0, abs=0.1)
    assert found[1] == pytest.approx(max(blur, 0.1), abs=0.25)


def test_noise_that_a_fit_took_is_counted():
    """Waves taken out of blurred noise lower its variance; the variogram and their number give it back."""
    rng, size, blur = np.random.default_rng(4), 40, 1.5
    y, x = np.indices((size, size)).reshape(2, -1)
    modes = [(kx, ky) for kx in range(3) for ky in range(-2, 3) if (kx, ky) > (0, 0)]
    waves = [f(2.0 * np.pi * (kx * x + ky * y) / size) for kx, ky in modes for f in (np.cos, np.sin)]
    basis = np.linalg.qr(np.array([np.ones(size**2), *waves]).T)[0]
    wavenumbers = np.concatenate([[0.0], np.repeat([2.0 * np.pi * np.hypot(*mode) / size for mode in modes], 2)])
    before, after, found = [], [], []
    for _ in range(20):
        noise = gaussian_filter(rng.normal(size=(size, size)), blur, mode="wrap").ravel() * 2.0 * blur * np.sqrt(np.pi)
        rest = (noise - basis @ (basis.T @ noise)).reshape(size, size)
        before.append(noise.var())
        after.append(rest.var())
        found.append(correlation(rest, np.ones((size, size), dtype=bool), wavenumbers))
    assert np.mean(before) == pytest.approx(1.0, abs=0.05)
    assert np.mean(after) < 0.75
    # 20 fields of some 60 independent patches each give the variance to 5 %; the rest is the shape of the waves.
    assert np.mean(found, axis=0) == pytest.approx((1.0, blur), rel=0.2)


def test_variogram_of_a_slope():
    """Half the squared difference of a plane z = 3 x is 4.5 d^2 along x and nothing along y."""
    squares, lengths, weights = variogram(3.0 * np.indices((20, 20))[1], np.ones((20, 20), dtype=bool))
    np.testing.assert_allclose(squares[:2], [4.5, 0.0])
    np.testing.assert_allclose(lengths[:3], [1.0, 1.0, np.sqrt(2.0)])
    assert weights.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("shape", [(21, 2), (1, 30), (2, 2)])
def test_a_strip_narrower_than_a_lag_has_a_variogram(shape):
    squares, lengths, weights = variogram(np.ones(shape), np.ones(shape, bool))
    assert (squares == 0).all()
    assert len(squares) == len(lengths) == len(weights)
    assert weights.sum() == pytest.approx(1.0)
