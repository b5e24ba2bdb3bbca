"""One dwarf galaxy in equilibrium: halo, exponential disc and, if asked for, a bulge, as particles.

Each component has a distribution function of integrals of motion in the total potential of all of them, softened as
in the simulation to come: of energy for halo and bulge (`galclass.initial.spheres`), of energy, angular momentum and
vertical action for the disc (`galclass.initial.disc`).  Every component has its centre of mass at rest in the
origin, and the disc spins about +z.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from galclass.initial import disc as discs
from galclass.initial import spheres
from galclass.initial.potential import Disc, Potential, disc_potential, mean_over_angles, on_grid
from galclass.snapshot import TYPES, Snapshot, join
from galclass.units import MSUN_PER_MASS

_MASSES = ("disc_mass_msun", "halo_mass_msun")
_LENGTHS = ("disc_scale_kpc", "halo_scale_kpc", "halo_truncation_kpc", "bulge_scale_kpc")
_COUNTS = ("disc_particles", "halo_particles", "bulge_particles")


def scaled(settings: dict, mass_ratio: float) -> dict:
    """Settings of a galaxy smaller by `mass_ratio`.

    Masses and particle numbers are divided by the ratio, so that particles of both galaxies weigh the same, and
    lengths by its cube root, so that both have the same density.

    Parameters
    ----------
    settings : dict
        The section ``initial`` of the configuration.
    mass_ratio : float
        Mass of the larger over that of the smaller, 1 or more.
    """
    smaller = {key: settings[key] / mass_ratio for key in _MASSES}
    smaller |= {key: settings[key] / mass_ratio ** (1.0 / 3.0) for key in _LENGTHS}
    return settings | smaller | {key: max(1, round(settings[key] / mass_ratio)) for key in _COUNTS}


@dataclass(frozen=True)
class Sphere:
    """A spheroid: mass [1e10 Msun], binding energies [(km/s)^2], rising, and its distribution function f there."""

    mass: float
    energy: np.ndarray
    f: np.ndarray


@dataclass(frozen=True)
class Model:
    """A galaxy in equilibrium, before its particles are drawn.

    Attributes
    ----------
    disc : Disc
        The disc.
    potential : Potential
        Total potential [(km/s)^2], a function of cylinder radius and height [kpc].
    stars : discs.Stars
        Distribution function of the disc.
    spheres : dict of str to Sphere
        "halo" and perhaps "bulge".
    radii, psi : ndarray, shapes (n,), (n, m)
        Spherical radii [kpc], and minus the potential there and at `galclass.initial.potential.COSINES`.
    """

    disc: Disc
    potential: Potential
    stars: discs.Stars
    spheres: dict[str, Sphere]
    radii: np.ndarray
    psi: np.ndarray


def model(settings: dict, bulge_over_halo: float = 0.0, softening_kpc: float = 0.0) -> Model:
    """Build the equilibrium that the settings describe; arguments and errors as for `galaxy`."""
    disc = disc_of(settings)
    thick = disc_potential(disc, softening_kpc)
    radii, masses, densities = densities_of(settings, bulge_over_halo)
    psi, spheroids = spheres.settle(radii, list(densities.values()), on_grid(thick, radii), softening_kpc)
    potential, mean = Potential((thick, spheroids)), mean_over_angles(psi)
    parts = {name: Sphere(masses[name], *spheres.distribution_function(densities[name], mean)) for name in masses}
    return Model(disc, potential, discs.stars(disc, potential, settings["toomre_q"]), parts, radii, psi)


def disc_of(settings: dict) -> Disc:
    """The disc that the settings describe."""
    scale = settings["disc_scale_kpc"]
    return Disc(settings["disc_mass_msun"] / MSUN_PER_MASS, scale, settings["disc_height_over_scale"] * scale)


def densities_of(settings: dict, bulge_over_halo: float) -> tuple[np.ndarray, dict, dict]:
    """Radii [kpc], shape (n,), and by name the mass [1e10 Msun] and the density there of each spheroid."""
    truncation, halo_mass = settings["halo_truncation_kpc"], settings["halo_mass_msun"] / MSUN_PER_MASS
    parts = {"halo": (settings["halo_profile"], settings["halo_scale_kpc"], halo_mass)}
    if bulge_over_halo > 0.0:
        parts["bulge"] = ("hernquist", settings["bulge_scale_kpc"], halo_mass * bulge_over_halo)
    radii = spheres.radial_table([scale for _, scale, _ in parts.values()], truncation)
    densities = {
        name: spheres.normalised(spheres.density_shape(profile, radii, scale, truncation), radii, mass)
        for name, (profile, scale, mass) in parts.items()
    }
    return radii, {name: mass for name, (_, _, mass) in parts.items()}, densities


def galaxy(
    settings: dict, rng: np.random.Generator, bulge_over_halo: float = 0.0, softening_kpc: float = 0.0
) -> Snapshot:
    """Sample an equilibrium galaxy.

    Parameters
    ----------
    settings : dict
        The section ``initial`` of the configuration: masses [Msun], lengths [kpc], Toomre Q, particle numbers.
    rng : numpy Generator
        Source of random numbers; the same state gives the same galaxy.
    bulge_over_halo : float
        Mass of the Hernquist bulge over that of the halo; 0 for none.
    softening_kpc : float
        Plummer softening of the simulation to come [kpc]: the equilibrium is that of the softened forces.

    Returns
    -------
    Snapshot
        Halo (type 1), disc (2) and bulge (3), in this order; ids from 1.

    Raises
    ------
    ConfigError
        If no isotropic equilibrium exists, or the profile is unknown.
    """
    return draw(model(settings, bulge_over_halo, softening_kpc), settings, rng)


def draw(made: Model, settings: dict, rng: np.random.Generator) -> Snapshot:
    """Sample a galaxy from the model of its settings; arguments and result as for `galaxy`."""
    parts = [_component(name, *_sphere(settings, name, made, rng)) for name in sorted(made.spheres, key=TYPES.get)]
    count = settings["disc_particles"]
    masses = np.full(count, made.disc.mass / count)
    parts.insert(1, _component("disc", *discs.sample(made.stars, count, rng), masses))
    return _numbered(join(parts))


def _sphere(settings: dict, name: str, made: Model, rng: np.random.Generator) -> tuple:
    """Positions, velocities and masses of a spheroid."""
    sphere, count = made.spheres[name], settings[f"{name}_particles"]
    # Stars weigh the same, as pictures need; only the unseen halo is graded.
    weight = np.ones_like(sphere.energy)
    if name == "halo":
        reach = made.disc.scale_kpc, settings["halo_truncation_kpc"]
        weight = spheres.graded_masses(sphere.energy, made.radii, mean_over_angles(made.psi), *reach)
    drawn = spheres.sample(count, made.radii, made.psi, sphere.energy, sphere.f / weight, rng)
    masses = np.interp(drawn[2], sphere.energy, weight)
    return drawn[0], drawn[1], masses * sphere.mass / masses.sum()


def _component(name: str, positions: np.ndarray, velocities: np.ndarray, masses: np.ndarray) -> Snapshot:
    """Particles of one type, their centre of mass at rest in the origin; ids are given later."""
    share = masses / masses.sum()
    centred = positions - share @ positions, velocities - share @ velocities
    types = np.full(len(masses), TYPES[name], dtype=np.int8)
    return Snapshot(*centred, masses, np.zeros(len(masses), dtype=np.int64), types)


def _numbered(parts: Snapshot) -> Snapshot:
    """The same particles with ids from 1."""
    ids = np.arange(1, len(parts) + 1)
    return Snapshot(parts.positions, parts.velocities, parts.masses, ids, parts.types, parts.time)
