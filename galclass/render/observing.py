"""What a telescope makes of the views of a snapshot."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from galclass import config, snapshot, telescope, units
from galclass.render.projecting import fold, project
from galclass.render.views import Views, generator


@dataclass(frozen=True)
class Exposures:
    """Pictures of n views.

    Attributes
    ----------
    flux : what the telescope recorded, sky subtracted, shape (n, ny, nx)
    deep : the same without blur, sky and noise; `flux` itself where there are none
    snr : signal to noise of the ring one pixel wide at the effective radius, shape (n,)
    """

    flux: np.ndarray
    deep: np.ndarray
    snr: np.ndarray


def unobserved(deep: np.ndarray) -> Exposures:
    """Deep pictures (n, ny, nx) as they are: no blur, no sky, no noise."""
    return Exposures(deep, deep, np.full(len(deep), np.inf))


@dataclass(frozen=True)
class Observatory:
    """A telescope, how far its galaxies are, and what else it sees.

    Attributes
    ----------
    telescope : the preset of the section `render.telescope`
    settings : the section `render` of the configuration
    background : a real picture to put the galaxies on, or None
    """

    telescope: telescope.Telescope
    settings: dict
    background: telescope.Background | None

    @property
    def arcsec_per_kpc(self) -> float:
        """Angle of one kpc at the distance of the galaxies [arcsec]."""
        return units.arcsec_per_kpc(self.settings["telescope"]["distance_mpc"])

    @property
    def files(self) -> list[Path]:
        """What its pictures are made of beside the snapshots: the presets, and the background if there is one."""
        background = self.settings["telescope"]["background"]
        return [config.resolve("config/telescopes.yaml"), *([config.resolve(background)] if background else [])]

    def field_kpc(self, r_eff: float) -> float:
        """Width of the picture of a galaxy with this effective radius [kpc]."""
        if self.settings["telescope"]["pixel_scale"] == "survey":
            return self.settings["pixels"] * self.telescope.pixel_arcsec / self.arcsec_per_kpc
        return self.settings["field_effective_radii"] * r_eff

    def deep(
        self, stars: snapshot.Snapshot, time_gyr: float, views: Views, field_kpc: float, folded: bool
    ) -> np.ndarray:
        """Light of the stars without blur, sky and noise, shape (n, pixels, pixels), in the telescope's unit."""
        light = telescope.particle_light(
            stars.masses, stars.types, time_gyr, self.telescope, self.settings["telescope"]
        )
        pictures = project(stars.positions, light, views, field_kpc, self.settings)
        return fold(pictures) if folded else pictures

    def expose(self, deep: np.ndarray, field_kpc: float, r_eff: float, names: tuple[str, ...]) -> Exposures:
        """Observe the deep pictures of one snapshot; the noise depends on the seed, the names and the view only."""
        if not self.telescope.is_noisy:
            return unobserved(deep)
        pixel_kpc = field_kpc / deep.shape[-1]
        pixel_arcsec = pixel_kpc * self.arcsec_per_kpc
        flux, snr = np.empty_like(deep), np.empty(len(deep))
        for number, picture in enumerate(deep):
            rng = generator(self.settings["seed"], *names, f"view {number}")
            seen = self._observe(picture, pixel_arcsec, rng)
            flux[number], snr[number] = seen.flux, ring_snr(picture, seen.sigma, r_eff / pixel_kpc)
        return Exposures(flux, deep, snr)

    def _observe(self, picture: np.ndarray, pixel_arcsec: float, rng: np.random.Generator) -> telescope.Observation:
        extras = self.settings["telescope"]["contaminants"]
        return telescope.observe(picture, self.telescope, pixel_arcsec, rng, extras, self.background)


def open_observatory(settings: dict) -> Observatory:
    """The observatory of the section `render` of the configuration; reads its background, if it names one."""
    chosen, background = settings["telescope"], None
    if chosen["background"]:
        known = chosen["background_zero_point_ab"] or None, chosen["background_pixel_arcsec"] or None
        background = telescope.read_background(config.resolve(chosen["background"]), *known)
    return Observatory(telescope.read_preset(chosen["preset"]), settings, background)


def ring_snr(flux: np.ndarray, sigma: np.ndarray, radius_px: float) -> float:
    """Signal to noise of the ring one pixel wide at a radius about the middle of a picture.

    Parameters
    ----------
    flux, sigma : shape (ny, nx)
        Light of the galaxy, and the standard deviation of the noise of each pixel, in one unit.
    radius_px : float
        Radius of the ring [pixel]; a ring beyond the picture is the largest inside it.
    """
    radius_px = min(radius_px, 0.5 * (min(flux.shape) - 1))
    y, x = np.indices(flux.shape)
    distance = np.hypot(y - 0.5 * (flux.shape[0] - 1), x - 0.5 * (flux.shape[1] - 1))
    ring = np.abs(distance - radius_px) <= max(0.5, 0.71 - radius_px)  # the four middle pixels at least
    return float(flux[ring].sum() / np.sqrt((sigma[ring] ** 2).sum()))
