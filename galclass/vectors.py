"""Directions, cameras and spins: the rotations everything else shares."""

import numpy as np


def unit(vector: np.ndarray) -> np.ndarray:
    """Vectors of length one, shape (..., 3), along `vector`."""
    return vector / np.linalg.norm(vector, axis=-1, keepdims=True)


def sphere_directions(count: int, rng: np.random.Generator) -> np.ndarray:
    """Directions uniform on the sphere (uniform in cos theta and phi), shape (count, 3)."""
    cos_theta = rng.uniform(-1.0, 1.0, count)
    phi = rng.uniform(0.0, 2.0 * np.pi, count)
    sin_theta = np.sqrt(1.0 - cos_theta**2)
    return np.stack([sin_theta * np.cos(phi), sin_theta * np.sin(phi), cos_theta], axis=1)


def camera(direction: np.ndarray, roll: float = 0.0) -> np.ndarray:
    """Rotation from simulation to picture axes for an observer in `direction`.

    Parameters
    ----------
    direction : shape (3,)
        From the galaxy to the observer; need not have length one.
    roll : float
        Turn of the picture about the line of sight [rad].

    Returns
    -------
    shape (3, 3)
        Rows: the picture's x axis, its y axis, and the line of sight towards the observer.
    """
    sight = unit(np.asarray(direction, dtype=float))
    # Any axis far from the line of sight serves to start from; z is up unless we look along it.
    up = np.array([0.0, 0.0, 1.0]) if abs(sight[2]) < 0.9 else np.array([0.0, 1.0, 0.0])
    x = unit(np.cross(up, sight))
    y = np.cross(sight, x)
    c, s = np.cos(roll), np.sin(roll)
    return np.stack([c * x + s * y, c * y - s * x, sight])


def cameras(directions: np.ndarray, rolls: np.ndarray) -> np.ndarray:
    """`camera` for each of n directions (n, 3) and rolls (n,) [rad], shape (n, 3, 3)."""
    return np.stack([camera(d, r) for d, r in zip(directions, rolls, strict=True)])


def spin_rotation(inclination: float, node: float) -> np.ndarray:
    """Rotation that carries the z axis to a disc's spin: tilt about x, then turn about z.

    Parameters
    ----------
    inclination : float
        Angle between the disc's spin and the z axis [rad].
    node : float
        Angle from the x axis to the line of nodes [rad].

    Returns
    -------
    shape (3, 3)
        The matrix R; the spin is ``R @ (0, 0, 1)`` = (sin i sin n, -sin i cos n, cos i).
    """
    ci, si, cn, sn = np.cos(inclination), np.sin(inclination), np.cos(node), np.sin(node)
    tilt = np.array([[1.0, 0.0, 0.0], [0.0, ci, -si], [0.0, si, ci]])
    turn = np.array([[cn, -sn, 0.0], [sn, cn, 0.0], [0.0, 0.0, 1.0]])
    return turn @ tilt
