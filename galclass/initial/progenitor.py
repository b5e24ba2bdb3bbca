"""One dwarf galaxy in equilibrium: halo, exponential disc and, if asked for, a bulge, as particles.

Each spherical component has the isotropic distribution function that its density needs in the potential of
halo, bulge and disc (the disc spread over spheres); the disc has the Jeans moments of its own thick potential
and the spheres'.  Every
component has its centre of mass at rest in the origin, and the disc spins about +z.
"""

from __future__ import annotations

import numpy as np

from galclass.initial import disc as discs
from galclass.initial import spheres
from galclass.snapshot import TYPES, Snapshot, join
from galclass.units import MSUN_PER_MASS
from galclass.vectors import sphere_directions

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


def disc_of(settings: dict) -> discs.Disc:
    """The disc that the settings describe."""
    scale = settings["disc_scale_kpc"]
    height = settings["disc_height_over_scale"] * scale
    return discs.Disc(settings["disc_mass_msun"] / MSUN_PER_MASS, scale, height, settings["toomre_q"])


def sphere_tables(settings: dict, bulge_over_halo: float) -> tuple[np.ndarray, dict]:
    """Edges of shells, and (density, enclosed mass) at them for each spherical component.

    Parameters
    ----------
    settings : dict
        The section ``initial`` of the configuration.
    bulge_over_halo : float
        Mass of the bulge over that of the halo; 0 for none.

    Returns
    -------
    edges : ndarray, shape (n,)
        Radii [kpc].
    tables : dict
        "halo" and perhaps "bulge": density [1e10 Msun/kpc^3] and enclosed mass [1e10 Msun], shape (n,).
    """
    truncation, halo_mass = settings["halo_truncation_kpc"], settings["halo_mass_msun"] / MSUN_PER_MASS
    parts = {"halo": (settings["halo_profile"], settings["halo_scale_kpc"], halo_mass)}
    if bulge_over_halo > 0.0:
        parts["bulge"] = ("hernquist", settings["bulge_scale_kpc"], halo_mass * bulge_over_halo)
    edges = spheres.radial_table([scale for _, scale, _ in parts.values()], truncation)
    shapes = {name: spheres.density_shape(kind, edges, scale, truncation) for name, (kind, scale, _) in parts.items()}
    return edges, {name: spheres.normalised(shapes[name], edges, part[2]) for name, part in parts.items()}


def disc_moments(settings: dict, bulge_over_halo: float = 0.0, softening_kpc: float = 0.0) -> discs.Moments:
    """Circular speed, dispersions and rotation of the galaxy's disc; arguments as for `galaxy`."""
    edges, tables = sphere_tables(settings, bulge_over_halo)
    enclosed = sum(table[1] for table in tables.values())
    return discs.moments(
        disc_of(settings), lambda r: spheres.shell_field(r, edges, enclosed, softening_kpc)[1], softening_kpc
    )


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
    edges, tables = sphere_tables(settings, bulge_over_halo)
    disc = disc_of(settings)
    enclosed = sum(table[1] for table in tables.values()) + disc.enclosed(edges)
    psi = -spheres.shell_field(edges, edges, enclosed, softening_kpc)[0]
    moments = disc_moments(settings, bulge_over_halo, softening_kpc)
    parts = []
    for name in sorted(tables, key=TYPES.get):
        parts.append(_component(name, *_sphere(settings, name, edges, tables[name], psi, rng)))
    count = settings["disc_particles"]
    sampled = discs.sample(disc, moments, count, rng)
    parts.insert(1, _component("disc", *sampled, np.full(count, disc.mass / count)))
    return _numbered(join(parts))


def _sphere(
    settings: dict, name: str, edges: np.ndarray, table: tuple, psi: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions, velocities and masses of a spherical component with isotropic velocities."""
    density, enclosed = table
    count = settings[f"{name}_particles"]
    half = (count + 1) // 2
    energy, f = spheres.distribution_function(density, psi)
    # Stars weigh the same, as pictures need; only the unseen halo is graded.
    weight = np.ones_like(energy)
    if name == "halo":
        weight = spheres.graded_masses(energy, edges, psi, settings["disc_scale_kpc"])
    inside = spheres.enclosed_number(edges, psi, energy, f / weight)
    radii = spheres.sample_radii(half, edges, inside, rng)
    depth = np.interp(radii, edges, psi)
    speeds = spheres.sample_speeds(depth, energy, f / weight, rng)
    positions = radii[:, None] * sphere_directions(half, rng)
    velocities = speeds[:, None] * sphere_directions(half, rng)
    masses = np.interp(depth - 0.5 * speeds**2, energy, weight)
    # Each particle has a twin opposite to it: a few far particles else push the cusp off the centre of mass.
    both = np.concatenate([positions, -positions])[:count], np.concatenate([velocities, -velocities])[:count]
    masses = np.concatenate([masses, masses])[:count]
    return *both, masses * enclosed[-1] / masses.sum()


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
