"""From mass to light: what a particle of stars sends to the telescope."""

import numpy as np

from galclass.errors import InputError
from galclass.telescope.presets import Telescope
from galclass.units import MSUN_PER_MASS

#: AB magnitude of one microjansky (Oke & Gunn 1983, ApJ 266, 713: 3631 Jy at magnitude 0).
ZERO_POINT_UJY = 23.9

#: Components of a galaxy by their particle type.
_COMPONENTS = {2: "disc", 3: "bulge", 4: "new_stars"}


def solar_flux(telescope: Telescope, distance_mpc: float) -> float:
    """Flux of the Sun at a distance [microjansky], no extinction and no cosmology."""
    magnitude = telescope.solar_magnitude_ab + 25.0 + 5.0 * np.log10(distance_mpc)
    return float(10.0 ** (-0.4 * (magnitude - ZERO_POINT_UJY)))


def mass_to_light(component: dict, time_gyr: float, slope: float) -> float:
    """Mass-to-light ratio of stars that have `ratio` at `age_gyr` at time 0 [Msun / Lsun].

    Stars of one age fade as a power of it, L ~ age^-slope (Tinsley 1972, ApJ 178, 319; Tinsley & Gunn 1976,
    ApJ 203, 52: 0.7 to 1 in the red).
    """
    return component["ratio"] * ((component["age_gyr"] + time_gyr) / component["age_gyr"]) ** slope


def particle_light(
    masses: np.ndarray, types: np.ndarray, time_gyr: float, telescope: Telescope, settings: dict
) -> np.ndarray:
    """What each particle adds to a picture.

    Parameters
    ----------
    masses : shape (n,)
        Masses [1e10 Msun].
    types : shape (n,)
        GADGET's particle types: 2 disc, 3 bulge, 4 new stars.
    time_gyr : float
        Time since the start of the simulation [Gyr].
    telescope : Telescope
        A telescope without a Sun pictures the mass itself.
    settings : dict
        `distance_mpc`, and `mass_to_light`: `slope`, and for `disc`, `bulge` and `new_stars` the `ratio` at
        `age_gyr`, their age at time 0.

    Returns
    -------
    shape (n,)
        Flux [microjansky], or mass [1e10 Msun].

    Raises
    ------
    InputError
        A particle is of a type that does not shine.
    """
    masses, types = np.asarray(masses, dtype=float), np.asarray(types)
    if telescope.solar_magnitude_ab is None:
        return masses
    dark = np.setdiff1d(types, list(_COMPONENTS))
    if dark.size:
        raise InputError(
            f"particles of type {dark[0]} do not shine; allowed are "
            f"{', '.join(f'{kind} {name}' for kind, name in _COMPONENTS.items())}, or use the telescope thesis (mass)"
        )
    ratios = np.full(5, np.nan)
    for kind, name in _COMPONENTS.items():
        ratios[kind] = mass_to_light(settings["mass_to_light"][name], time_gyr, settings["mass_to_light"]["slope"])
    return masses * MSUN_PER_MASS / ratios[types] * solar_flux(telescope, settings["distance_mpc"])


def surface_magnitude(flux: np.ndarray, pixel_arcsec: float) -> np.ndarray:
    """Surface brightness [mag / arcsec2] of pixels with `flux` [microjansky]; NaN where there is no light."""
    flux = np.asarray(flux, dtype=float)
    bright = np.where(flux > 0, flux, np.nan)
    return ZERO_POINT_UJY - 2.5 * np.log10(bright / pixel_arcsec**2)
