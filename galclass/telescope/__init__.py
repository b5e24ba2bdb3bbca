"""Telescopes: from particles to light, and from light to what a survey's picture holds.

Fluxes are microjansky a pixel, magnitudes AB (zero point 23.9 for one microjansky).
"""

from galclass.telescope.background import Background, insert, read_background
from galclass.telescope.field import NO_EXTRAS, contaminants, log_uniform, sersic
from galclass.telescope.light import ZERO_POINT_UJY, particle_light, solar_flux, surface_magnitude
from galclass.telescope.observing import Observation, blurred, depth, observe, sky_noise
from galclass.telescope.presets import PRESETS_FILE, Telescope, preset_names, read_preset

__all__ = [
    "NO_EXTRAS",
    "PRESETS_FILE",
    "ZERO_POINT_UJY",
    "Background",
    "Observation",
    "Telescope",
    "blurred",
    "contaminants",
    "depth",
    "insert",
    "log_uniform",
    "observe",
    "particle_light",
    "preset_names",
    "read_background",
    "read_preset",
    "sersic",
    "sky_noise",
    "solar_flux",
    "surface_magnitude",
]
