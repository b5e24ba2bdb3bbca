"""The pictures the classifier learns from: deep pictures seen through random telescopes, at random sizes and stretches.

A network that has only seen one telescope knows that telescope's noise better than it knows shapes. So each deep
picture is observed several times: at a random size in pixels, off the middle, through a random blur, with a random
depth, sky and neighbours; half of the observations stay flux, the others are stretched, cut off and rounded to 256
greys like a picture for the eye.
"""

from dataclasses import dataclass

import numpy as np

from galclass import images, telescope
from galclass.telescope import log_uniform

#: Effective radius in the picture [pixel], and blur (full width) over it.
_RADIUS_PX, _BLUR_OVER_RADIUS = (3.5, 9.0), (0.03, 0.5)
#: Signal to noise of the ring one pixel wide at the effective radius; light of the sky over the galaxy's there.
SNR, _SKY_OVER_GALAXY = (3.0, 500.0), (0.1, 300.0)
#: Galaxies beside it (how often 0, 1, 2, 3), the largest change of the sky across the picture over the galaxy's light
#: at the effective radius, the largest step off the middle [pixel].
_NEIGHBOURS, _GRADIENT, _SHIFT_PX = (0.7, 0.2, 0.07, 0.03), 0.1, 2
#: Greys of a picture for the eye.
_GREYS = 255
_MOFFAT_BETA, _FLUX_SHARE = (2.5, 5.0), 0.5
#: In half of the pictures for the eye all that is brighter than this share of the peak is one; in some of them all
#: between two brightnesses, too.
_CUT_OFF, _PLATEAU_SHARE = (0.01, 1.0), 0.4


@dataclass(frozen=True)
class Observations:
    """Random observations of pictures.

    Attributes
    ----------
    pictures : float32, shape (n, p, p), flux or stretched
    is_flux : bool, shape (n,)
    radius_px : effective radius [pixel], shape (n,)
    psf_fwhm_px : blur [pixel], shape (n,)
    snr : signal to noise of the ring at the effective radius, shape (n,)
    """

    pictures: np.ndarray
    is_flux: np.ndarray
    radius_px: np.ndarray
    psf_fwhm_px: np.ndarray
    snr: np.ndarray


def observe(deep: np.ndarray, radius_px: np.ndarray, rng: np.random.Generator) -> Observations:
    """Each deep picture through a random telescope of its own.

    Parameters
    ----------
    deep : shape (n, p, p)
        Light without blur, sky and noise, any unit.
    radius_px : shape (n,)
        Effective radius in them [pixel].
    """
    seen = [_observed(picture, radius, rng) for picture, radius in zip(deep, radius_px, strict=True)]
    pictures, *columns = (np.array(values) for values in zip(*seen, strict=True))
    return Observations(pictures.astype(np.float32), *columns)


def _observed(
    deep: np.ndarray, radius_px: float, rng: np.random.Generator
) -> tuple[np.ndarray, bool, float, float, float]:
    """The picture, whether it is flux, its effective radius [pixel], blur [pixel] and signal to noise."""
    radius, blur, snr = log_uniform(rng, _RADIUS_PX), log_uniform(rng, _BLUR_OVER_RADIUS), log_uniform(rng, SNR)
    sky_over_galaxy = log_uniform(rng, _SKY_OVER_GALAXY)
    light = _placed(deep, radius / radius_px, rng)
    camera = _camera(light, radius, blur * radius, snr, sky_over_galaxy, rng)
    extras = {
        "stars": 0,
        "trails": 0,
        "neighbours": int(rng.choice(len(_NEIGHBOURS), p=_NEIGHBOURS)),
        "gradient": rng.uniform(0.0, _GRADIENT) / sky_over_galaxy,
    }
    flux = telescope.observe(light, camera, 1.0, rng, extras).flux
    is_flux = rng.uniform() < _FLUX_SHARE
    return (flux if is_flux else stretched(flux, rng)), is_flux, radius, blur * radius, snr


def _placed(deep: np.ndarray, zoom: float, rng: np.random.Generator) -> np.ndarray:
    """The picture `zoom` times as large on as many pixels, a little off the middle."""
    side = len(deep)
    pixels = max(int(round(side * zoom)), 8)
    larger = images.resampled(deep, pixels, conserve=True)
    offset = (side - pixels) // 2 + rng.integers(-_SHIFT_PX, _SHIFT_PX + 1, 2)
    canvas = np.zeros((side, side))
    low, start = np.maximum(offset, 0), np.maximum(-offset, 0)
    length = np.minimum(side - low, pixels - start)
    rows, columns = (slice(low[a], low[a] + length[a]) for a in (0, 1))
    canvas[rows, columns] = larger[start[0] : start[0] + length[0], start[1] : start[1] + length[1]]
    return canvas


def _camera(
    light: np.ndarray, radius: float, fwhm: float, snr: float, sky_over_galaxy: float, rng: np.random.Generator
) -> telescope.Telescope:
    """A telescope of one-arcsec pixels that sees the ring at the effective radius with this signal to noise.

    Noise is that of photons: S/N = sqrt(E) F / sqrt(F + S) for E electrons a unit of light, the galaxy's F and the
    sky's S in the ring.
    """
    side = len(light)
    y, x = np.indices(light.shape) - 0.5 * (side - 1)
    ring = np.abs(np.hypot(x, y) - min(radius, 0.5 * side - 1)) <= 0.5
    galaxy = max(light[ring].sum(), 1e-12 * light.sum())
    sky = galaxy * sky_over_galaxy
    electrons = snr**2 * (galaxy + sky) / galaxy**2
    return telescope.Telescope(
        "random", "any", 1.0, 0.0, fwhm, rng.uniform(*_MOFFAT_BETA),
        telescope.ZERO_POINT_UJY - 2.5 * np.log10(sky / ring.sum()), telescope.ZERO_POINT_UJY, electrons, 1, 0.0,
    )  # fmt: skip


def stretched(flux: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A picture for the eye, 0 to 1 in 256 greys: logarithm, arsinh or power, the core cut off at times."""
    top = flux.max() * rng.choice([1.0, log_uniform(rng, _CUT_OFF)])
    relative = np.clip(flux / top, None, 1.0)
    kind = rng.integers(3)
    if kind == 0:
        depth = rng.uniform(1.0, 3.5)
        picture = np.log10(np.maximum(relative, 10.0**-depth)) / depth + 1.0
    elif kind == 1:
        softening = log_uniform(rng, (0.003, 0.3))
        picture = np.arcsinh(relative / softening) / np.arcsinh(1.0 / softening)
    else:
        picture = np.maximum(relative, 0.0) ** rng.uniform(0.3, 1.0)
    floor = min(float(np.median(picture)), 0.0) if kind == 1 else 0.0
    picture = np.clip((picture - floor) / (1.0 - floor), 0.0, 1.0)
    return np.round(_with_plateau(picture, rng) * _GREYS) / _GREYS


def _with_plateau(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The picture as it is, or all between two brightnesses as one, as the palettes of false colours have it."""
    if rng.uniform() > _PLATEAU_SHARE:
        return picture
    low, high = np.sort(rng.uniform(0.15, 1.0, 2))
    return np.where(picture < low, picture, np.maximum(picture - high, 0.0) + low) / (1.0 - high + low)
