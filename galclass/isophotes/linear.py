"""The linear algebra of a fit: terms of the model, sums over pixels and a damped inverse.

Products go without BLAS, or with so little of it that it starts no threads: on a busy machine they wait for each other,
and a fit then takes ten times as long.
"""

import numpy as np

_BLOCK = 512  # pixels


def products(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """left @ right.T of arrays (m, n) and (k, n)."""
    starts = range(0, left.shape[1], _BLOCK)
    return sum(left[:, at : at + _BLOCK] @ right[:, at : at + _BLOCK].T for at in starts)


def sums(rows: np.ndarray, values: np.ndarray) -> np.ndarray:
    """rows @ values of arrays (m, n) and (n,)."""
    return np.einsum("ij,j->i", rows, values)


def combined(factors: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """factors @ rows of arrays (m,) and (m, n)."""
    return np.einsum("i,ij->j", factors, rows)


def harmonic_waves(turn: np.ndarray, orders: tuple[int, ...]) -> np.ndarray:
    """cos kE and sin kE of exp(iE) (n,), shape (2 * len(orders), n), in the order cos, sin, cos, sin..."""
    waves = np.empty((2 * len(orders), len(turn)))
    power, at = turn, 0
    for order in range(1, max(orders) + 1):  # products cost a tenth of the trigonometric functions
        power = turn if order == 1 else power * turn
        if order in orders:
            waves[at], waves[at + 1] = power.real, power.imag
            at += 2
    return waves


def polynomials(depth: np.ndarray, degree: int) -> tuple[np.ndarray, np.ndarray]:
    """Chebyshev polynomials of the first kind and their derivatives, each of shape (degree + 1, n)."""
    first, second = np.ones((degree + 1, len(depth))), np.zeros((degree + 1, len(depth)))
    first[1], second[1] = depth, 1.0
    kind = [np.ones_like(depth), 2.0 * depth]  # of the second kind: T_k' = k U_(k-1)
    for k in range(2, degree + 1):
        first[k] = 2.0 * depth * first[k - 1] - first[k - 2]
        second[k] = k * kind[-1]
        kind = [kind[-1], 2.0 * depth * kind[-1] - kind[-2]]
    return first, second


def damped_inverse(matrix: np.ndarray) -> np.ndarray | None:
    """Inverse of a symmetric matrix of any scaling, barely damped; None where it has none."""
    scale = np.sqrt(np.diag(matrix))
    if not (np.isfinite(scale).all() and (scale > 0).all()):
        return None
    try:
        inverse = np.linalg.inv(matrix / np.outer(scale, scale) + 1e-9 * np.eye(len(matrix)))
    except np.linalg.LinAlgError:
        return None
    return inverse / np.outer(scale, scale) if np.isfinite(inverse).all() else None
