"""The exponential disc: stars on orbits, with the surface density, the height and Toomre's Q asked for.

The distribution function is a product of one of the motion in the plane (`galclass.initial.plane`) and one of the
motion across it (`galclass.initial.layer`).  Stars in a layer feel the mean of the radial force over its heights,
hence the potential of the plane is the mean over the layer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from galclass.errors import ConfigError
from galclass.initial import layer as layers
from galclass.initial import plane as planes
from galclass.initial.draws import even_shares
from galclass.initial.potential import Disc
from galclass.units import G

#: Toomre's constant for stars: Q = sigma_R kappa / (3.36 G Sigma) (Toomre 1964).
TOOMRE = 3.36
#: Where the disc ends, in scale lengths (8e-5 of the mass lies outside).
_LAST_SCALE = 12.0
#: How far radial dispersions may be from those asked for, between 0.5 and 3 scale lengths.
_TOLERANCE = 0.05


@dataclass(frozen=True)
class Stars:
    """The distribution function of a disc.

    Attributes
    ----------
    plane : planes.Plane
        Orbits in the plane.
    layer : layers.Layer
        Orbits across it.
    stretches : ndarray, shape (n,)
        Factor of the vertical actions of stars of each of the plane's radii.
    """

    plane: planes.Plane
    layer: layers.Layer
    stretches: np.ndarray


def stars(disc: Disc, potential, toomre_q: float) -> Stars:
    """Find the distribution function of a disc.

    Parameters
    ----------
    disc : Disc
        The disc.
    potential : callable
        Total potential [(km/s)^2] of cylinder radii and heights [kpc] that broadcast.
    toomre_q : float
        Toomre's Q, the same at all radii.
    """
    heights = disc.layer(100)[50:]

    def in_layer(radius):
        return potential(radius[:, None], heights).mean(axis=1)

    orbits = planes.orbits(in_layer, disc.scale_kpc, _LAST_SCALE * disc.scale_kpc)
    _, kappa = frequencies(potential, orbits.radii)
    dispersions = toomre_q * TOOMRE * G * disc.surface_density(orbits.radii) / kappa
    plane = planes.find_plane(orbits, _ring_masses(disc, orbits), dispersions)
    shares, pressures = plane.shares()
    _require_dispersions(np.sqrt(plane.masses @ pressures / (plane.masses @ shares)) / dispersions, disc, orbits.radii)
    layer = layers.vertical_orbits(potential, orbits.radii[::2], disc.height_kpc)
    return Stars(plane, layer, layers.stretches(layer, orbits.radii, plane.masses[:, None] * shares))


def _require_dispersions(ratio: np.ndarray, disc: Disc, radii: np.ndarray) -> None:
    """Refuse a disc whose dispersions are not those asked for; `ratio` is found over asked, at each radius."""
    inside = (radii > 0.5 * disc.scale_kpc) & (radii < 3.0 * disc.scale_kpc)
    worst = np.abs(ratio[inside] - 1.0).max()
    if worst > _TOLERANCE:
        raise ConfigError(
            f"initial: no disc is as hot as its toomre_q asks (radial dispersion off by {100 * worst:.0f} %, allowed is"
            f" {100 * _TOLERANCE:.0f} %): lower toomre_q or disc_mass_msun"
        )


def _ring_masses(disc: Disc, orbits: planes.Orbits) -> np.ndarray:
    """Mass of the disc near each radius of the table."""
    edges = np.linspace(0.0, _LAST_SCALE * disc.scale_kpc, 40001)
    return orbits.deposit(0.5 * (edges[1:] + edges[:-1])[None], np.diff(disc.enclosed(edges))[None])[0]


def frequencies(potential, radii: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Circular speed [km/s] and epicyclic frequency [km/s/kpc] in the plane, at rising radii [kpc].

    kappa^2 = Phi'' + 3 Phi' / R (Binney & Tremaine 2008, eq. 3.79a).
    """
    from scipy.interpolate import CubicSpline

    fine = np.r_[0.0, np.geomspace(0.02 * radii[0], 1.5 * radii[-1], 600)]
    spline = CubicSpline(fine, potential(fine, np.zeros_like(fine)))
    pull = spline(radii, 1)
    return np.sqrt(radii * pull), np.sqrt(spline(radii, 2) + 3.0 * pull / radii)


def sample(stars: Stars, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Positions [kpc] and velocities [km/s], shapes (count, 3), of disc particles; the spin is along +z."""
    shares = even_shares(count, 6, rng)
    home, radius, outward, across = stars.plane.draw(*shares[:3])
    level = -np.log1p(-shares[3])
    action = stars.layer.actions_at(home, level) * np.interp(home, stars.plane.orbits.radii, stars.stretches)
    height, upward = stars.layer.place(radius, action, shares[4])
    angle = 2.0 * np.pi * shares[5]
    cos, sin = np.cos(angle), np.sin(angle)
    positions = np.stack([radius * cos, radius * sin, height], axis=1)
    return positions, np.stack([outward * cos - across * sin, outward * sin + across * cos, upward], axis=1)
