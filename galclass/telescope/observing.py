"""What a camera makes of a picture: blur, sky, and the noise of photons and of reading.

Pictures may have larger pixels than the camera: each then stands for many of the camera's pixels, whose electrons
and read noise add up.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from galclass.errors import InputError
from galclass.telescope.background import Background, insert
from galclass.telescope.field import contaminants, sky_gradient
from galclass.telescope.light import ZERO_POINT_UJY
from galclass.telescope.presets import Telescope

#: The PSF ends at this many widths; what a Moffat has outside (0.04 to 0.4 per cent) is shared out inside.
_PSF_WIDTHS = 8.0
#: Blur that a picture can have, over its width.
_WIDEST_PSF = 2.0


@dataclass(frozen=True)
class Observation:
    """A picture as recorded, its sky subtracted.

    Attributes
    ----------
    flux : shape (ny, nx)
        Light with its noise [microjansky], or as it came where the telescope has no noise.
    sigma : shape (ny, nx)
        Expected standard deviation of each pixel's noise, same unit; 0 without noise.
    """

    flux: np.ndarray
    sigma: np.ndarray


def observe(
    flux: np.ndarray,
    telescope: Telescope,
    pixel_arcsec: float,
    rng: np.random.Generator,
    extras: dict,
    background: Background | None = None,
) -> Observation:
    """Observe a picture.

    Parameters
    ----------
    flux : shape (ny, nx)
        Light of the galaxy [microjansky per pixel], not negative.
    telescope : Telescope
        Without noise the picture comes back as it is.
    pixel_arcsec : float
        Width of the picture's pixels [arcsec].
    rng : numpy.random.Generator
        Source of the noise and of what else lies in the field.
    extras : dict
        `stars`, `trails`, `neighbours` (how many), `gradient` (change of the sky across the picture over the sky).
    background : Background, optional
        A real picture in place of sky, noise and extras.

    Raises
    ------
    InputError
        The flux is not finite or negative, or the background is too small for the picture.
    """
    flux = np.asarray(flux, dtype=float)
    if not telescope.is_noisy:
        return Observation(flux, np.zeros(flux.shape))
    if not (flux >= 0).all() or not np.isfinite(flux).all():
        raise InputError("the light of a galaxy has a negative or non-finite pixel; only light can be observed")
    widest = _WIDEST_PSF * min(flux.shape) * pixel_arcsec
    if telescope.psf_fwhm_arcsec > widest:
        raise InputError(
            f"the picture is {min(flux.shape) * pixel_arcsec:.2g} arcsec wide, the blur of {telescope.name} "
            f"{telescope.psf_fwhm_arcsec:.2g}; are the positions in kpc? Use the telescope ideal for so small a galaxy"
        )
    electrons = electrons_per_ujy(telescope)
    if background is not None:
        return Observation(*insert(blurred(flux, telescope, pixel_arcsec), background, pixel_arcsec, electrons, rng))
    light = flux + contaminants(flux, telescope, pixel_arcsec, rng, extras)
    light = blurred(light, telescope, pixel_arcsec)
    sky = sky_flux(telescope, pixel_arcsec)
    uneven = sky * sky_gradient(flux.shape, extras["gradient"], rng)
    expected = electrons * (light + sky + uneven)
    read = read_electrons(telescope, pixel_arcsec)
    counts = rng.poisson(expected) + read * rng.standard_normal(flux.shape)
    return Observation(counts / electrons - sky, np.sqrt(expected + read**2) / electrons)


def electrons_per_ujy(telescope: Telescope) -> float:
    """Electrons that a source of one microjansky leaves in all exposures."""
    return float(telescope.exposure_s * 10.0 ** (0.4 * (telescope.zero_point_ab - ZERO_POINT_UJY)))


def sky_flux(telescope: Telescope, pixel_arcsec: float) -> float:
    """Light of the sky in a pixel [microjansky]."""
    return float(pixel_arcsec**2 * 10.0 ** (0.4 * (ZERO_POINT_UJY - telescope.sky_mag_arcsec2)))


def read_electrons(telescope: Telescope, pixel_arcsec: float) -> float:
    """Read noise of a pixel of the picture, over the camera's pixels it covers and all exposures [electrons]."""
    readings = telescope.exposures * (pixel_arcsec / telescope.pixel_arcsec) ** 2
    return float(telescope.read_noise_e * np.sqrt(readings))


def sky_noise(telescope: Telescope, pixel_arcsec: float) -> float:
    """Standard deviation of an empty pixel [microjansky]."""
    electrons = electrons_per_ujy(telescope)
    expected = electrons * sky_flux(telescope, pixel_arcsec)
    return float(np.sqrt(expected + read_electrons(telescope, pixel_arcsec) ** 2) / electrons)


def depth(telescope: Telescope, pixel_arcsec: float | None = None) -> float:
    """Limiting surface brightness, 3 sigma in 10 x 10 arcsec [mag / arcsec2], from the noise alone.

    The measure of Roman, Trujillo & Montes (2020, A&A 644, A42, appendix A). It does not depend on the pixels
    (`pixel_arcsec`, else the camera's) but for rounding.
    """
    pixel = telescope.pixel_arcsec if pixel_arcsec is None else pixel_arcsec
    per_arcsec2 = 3.0 * sky_noise(telescope, pixel) / (pixel * 10.0)
    return float(ZERO_POINT_UJY - 2.5 * np.log10(per_arcsec2))


def blurred(flux: np.ndarray, telescope: Telescope, pixel_arcsec: float) -> np.ndarray:
    """A picture (ny, nx) behind the telescope's PSF; its light is mirrored at the border, so that none is lost."""
    from scipy.fft import dctn, idctn

    transfer = _transfer(flux.shape, telescope.psf_fwhm_arcsec / pixel_arcsec, telescope.moffat_beta)
    return np.maximum(idctn(dctn(flux) * transfer), 0.0)


@lru_cache(maxsize=64)
def psf_kernel(fwhm_px: float, beta: float) -> np.ndarray:
    """A Moffat integrated over pixels, shape (2 r + 1, 2 r + 1), of sum 1."""
    radius = int(np.ceil(_PSF_WIDTHS * fwhm_px + 0.5))
    finer = min(int(np.ceil(8.0 / fwhm_px)), 200) | 1  # eight points or more across the width
    offsets = (np.arange((2 * radius + 1) * finer) + 0.5) / finer - radius - 0.5
    core = 0.5 * fwhm_px / np.sqrt(2.0 ** (1.0 / beta) - 1.0)
    square = offsets[:, None] ** 2 + offsets**2
    profile = np.where(square <= (_PSF_WIDTHS * fwhm_px) ** 2, (1.0 + square / core**2) ** -beta, 0.0)
    kernel = profile.reshape(2 * radius + 1, finer, 2 * radius + 1, finer).sum(axis=(1, 3))
    return kernel / kernel.sum()


@lru_cache(maxsize=64)
def _transfer(shape: tuple[int, int], fwhm_px: float, beta: float) -> np.ndarray:
    """The PSF as factors of the cosine transform of a picture, shape (ny, nx)."""
    kernel = psf_kernel(fwhm_px, beta)
    offsets = np.arange(len(kernel)) - len(kernel) // 2
    rows, columns = (np.cos(np.pi * np.outer(np.arange(n), offsets) / n) for n in shape)
    return rows @ kernel @ columns.T
