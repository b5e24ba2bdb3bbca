"""Where observers stand: at random or evenly on the sphere, about a pole, or fixed for a film.

Views depend on the seed, the run and the snapshot only, not on the order of the work.
"""

import zlib
from dataclasses import dataclass

import numpy as np

from galclass import vectors


@dataclass(frozen=True)
class Views:
    """Where the observers of one snapshot stand: unit vectors (n, 3), and rolls (n,) [rad]."""

    directions: np.ndarray
    rolls: np.ndarray


def sphere_views(count: int, seed: int, *names: str) -> Views:
    """Views uniform on the sphere with uniform rolls, the same for the same seed and names."""
    rng = generator(seed, *names)
    return Views(vectors.sphere_directions(count, rng), rng.uniform(0.0, 2.0 * np.pi, count))


def sky_views(count: int, seed: int, *names: str) -> Views:
    """Views spread evenly over half the sphere, z >= 0, with uniform rolls; directions hang on the count only.

    A Fibonacci lattice (Gonzalez 2010, Math. Geosci. 42, 49): heights at equal steps, so that each direction stands
    for the same solid angle, and azimuths that grow by the golden angle. With the opposite directions it covers the
    sphere; no light is absorbed, so from there the same galaxy is seen as in a mirror.
    """
    number = np.arange(count)
    z, azimuth = (number + 0.5) / count, np.pi * (3.0 - np.sqrt(5.0)) * number
    flat = np.sqrt(1.0 - z**2)
    directions = np.stack([flat * np.cos(azimuth), flat * np.sin(azimuth), z], axis=1)
    return Views(directions, generator(seed, *names).uniform(0.0, 2.0 * np.pi, count))


def tilted_views(count: int, maximum_tilt_deg: float, seed: int, *names: str) -> Views:
    """Views along z with uniform rolls, tilted by up to an angle about a random axis in the picture."""
    rng = generator(seed, *names)
    tilt = np.deg2rad(rng.uniform(0.0, maximum_tilt_deg, count))
    azimuth = rng.uniform(0.0, 2.0 * np.pi, count)
    x, y = np.sin(tilt) * np.cos(azimuth), np.sin(tilt) * np.sin(azimuth)
    directions = np.stack([x, y, np.cos(tilt)], axis=1)
    return Views(directions, rng.uniform(0.0, 2.0 * np.pi, count))


def film_views(count: int) -> Views:
    """The directions of a film: along z, y and x, then a fixed sequence on the sphere; no roll."""
    more = vectors.sphere_directions(max(count - 3, 0), np.random.default_rng(0))
    directions = np.concatenate([np.eye(3)[::-1], more])[:count]
    return Views(directions, np.zeros(count))


def generator(seed: int, *names: str) -> np.random.Generator:
    """Random numbers of their own for each run and snapshot."""
    return np.random.default_rng([seed, *(zlib.crc32(name.encode()) for name in names)])
