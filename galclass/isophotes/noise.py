"""Uncertainty of harmonics under noise that varies with radius and is correlated between pixels.

The residuals of a fit understate the noise: the fit took part of it, and of noise that is smooth over several pixels
(smoothed particles, resampled surveys) most. Differences of neighbouring pixels lose nothing to the fit. So the noise
is modelled as ``C(p, q) = V sigma_p sigma_q rho(|p - q|)`` with ``rho(d) = exp(-d^2 / 4 s^2)`` (white noise after a
Gaussian blur of s pixels); s and V follow from the variogram of the residuals (Cressie 1993, Statistics for Spatial
Data, section 2.4) and from their variance, corrected for what the fit took. Nothing is assumed about the kind of noise.
"""

import numpy as np

_LAGS = ((1, 0), (0, 1), (1, 1), (-1, 1), (2, 0), (0, 2), (3, 0), (0, 3), (4, 0), (0, 4))
#: Blurs s to choose from [pixel]; the first is white noise.
_BLURS = np.concatenate([[0.1], np.arange(0.3, 5.05, 0.1)])
_MOST_TAKEN = 0.8
_REACH_PX = 20


def covariance(
    influence: np.ndarray,
    residual: np.ndarray,
    sigma: np.ndarray,
    share: np.ndarray,
    places: tuple[np.ndarray, np.ndarray],
    wavenumbers: np.ndarray,
    is_folded: bool,
) -> np.ndarray:
    """Covariance of fitted coefficients.

    Parameters
    ----------
    influence : shape (k, n)
        Derivative of each coefficient by the intensity of each pixel.
    residual, sigma : shape (n,)
        What the model leaves, and the noise of each pixel up to a common factor [unit of the intensity].
    share : shape (n,)
        How much of each pixel lies in the zone.
    places : two arrays (n,)
        Row and column of each pixel.
    wavenumbers : shape (m,)
        Of the m terms of the model [rad / pixel].
    is_folded : bool
        Whether every pixel equals its mirror image, which halves what is known.

    Returns
    -------
    array (k, k)
    """
    from scipy.ndimage import correlate1d

    rows, columns = places[0] - places[0].min(), places[1] - places[1].min()
    grid = np.zeros((2 + len(influence), rows.max() + 1, columns.max() + 1))
    used = share > 0.5
    grid[0, rows, columns] = used
    grid[1, rows, columns] = np.where(used, residual / sigma, 0.0)
    grid[2:, rows, columns] = influence * sigma
    valid, standard, lever = grid[0] > 0, grid[1], grid[2:]
    copies = 2.0 if is_folded else 1.0
    variance, blur = correlation(standard, valid, wavenumbers, copies)
    reach = np.arange(-int(5.0 * blur) - 1, int(5.0 * blur) + 2)
    spread = lever
    for axis in (1, 2):
        spread = correlate1d(spread, np.exp(-(reach**2) / (4.0 * blur**2)), axis=axis, mode="constant")
    return copies * variance * np.einsum("iyx,jyx->ij", lever, spread)


def correlation(
    standard: np.ndarray, valid: np.ndarray, wavenumbers: np.ndarray, copies: float = 1.0
) -> tuple[float, float]:
    """Variance and blur s [pixel] of the noise from the standardised residuals (ny, nx) at `valid` pixels."""
    from scipy.special import j0

    count = max(valid.sum(), 1)
    mean = float((standard**2).sum() / count)
    squares, lengths, weights = variogram(standard, valid)
    taken = _taken(wavenumbers) * copies / count  # (blurs, m): share of the variance that each term of the model takes
    lost = taken.sum(axis=1)
    possible = lost < _MOST_TAKEN
    possible[0] = True  # white noise, whatever the fit took
    taken, lost, blurs = taken[possible], np.minimum(lost[possible], _MOST_TAKEN), _BLURS[possible, None]
    variance = mean / (1.0 - lost)
    rise = 1.0 - np.exp(-(lengths**2) / (4.0 * blurs**2)) - taken @ (1.0 - j0(np.outer(wavenumbers, lengths)))
    best = int(np.argmin((variance[:, None] * rise - squares) ** 2 @ weights))
    return float(variance[best]), float(blurs[best, 0])


def variogram(standard: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Half the mean squared difference of pixels a lag apart, the lags [pixel], and their weights, shape (k,)."""
    squares, weights = [], []
    for right, up in _LAGS:
        ny, nx = valid.shape
        # A lag longer than a narrow strip of pixels leaves nothing of it, not its other end.
        here = np.s_[: max(ny - up, 0), max(-right, 0) : max(nx - max(right, 0), 0)]
        there = np.s_[up:, max(right, 0) : max(nx - max(-right, 0), 0)]
        both = valid[here] & valid[there]
        pairs = np.count_nonzero(both)
        difference = (standard[here] - standard[there])[both]
        squares.append(0.5 * (difference @ difference) / max(pairs, 1))
        weights.append(pairs)
    return np.array(squares), np.hypot(*np.array(_LAGS, float).T), np.array(weights, float) / max(sum(weights), 1)


def _taken(wavenumbers: np.ndarray) -> np.ndarray:
    """Pixels' worth of noise that each term of the model takes, shape (blurs, m)."""
    distance = np.arange(-_REACH_PX, _REACH_PX + 1)
    rho = np.exp(-(distance**2) / (4.0 * _BLURS[:, None] ** 2))
    return rho.sum(axis=1)[:, None] * (rho @ np.cos(np.outer(distance, wavenumbers)))
