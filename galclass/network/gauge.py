"""How far a picture lies from those the network was trained on, and what may still be claimed there.

The gauge looks at an unrolled galaxy in numbers a network need not have learned to use: on each ring how rough it
is, how much lies on one side only, and how far it stands out of the noise. Their Mahalanobis distance from the training
pictures is divided by the one that `SHARE` of held-out pictures exceed: below 1 a picture is like those, above 1 it
is none of them, and the probabilities fade to "none of these" as 1 / distance^2.
"""

from dataclasses import dataclass

import numpy as np

from galclass.network.unrolling import OVERLAP, PLACES, RINGS

#: Share of held-out pictures beyond a distance of 1.
SHARE = 0.01


@dataclass(frozen=True)
class Gauge:
    """Where the training pictures lie.

    Attributes
    ----------
    mean : float64, shape (k,)
    whitening : float64, shape (k, k); its product with a deviation has the Mahalanobis distance for its length
    limit : the Mahalanobis distance that counts as 1
    """

    mean: np.ndarray
    whitening: np.ndarray
    limit: float

    def distance(self, maps: np.ndarray) -> np.ndarray:
        """Distance of each map (n, *MAP_SHAPE), shape (n,)."""
        return mahalanobis(statistics(maps), self.mean, self.whitening) / self.limit


def statistics(maps: np.ndarray) -> np.ndarray:
    """Numbers of each map (n, *MAP_SHAPE), shape (n, 3 RINGS): roughness, mean excess and mean weight of every ring."""
    row = np.asarray(maps[:, 0, OVERLAP : OVERLAP + PLACES], dtype=float)
    deviation, excess, weight = (row[:, :, k * RINGS : (k + 1) * RINGS] for k in range(3))
    return np.concatenate([np.sqrt((deviation**2).mean(axis=1)), excess.mean(axis=1), weight.mean(axis=1)], axis=1)


def mahalanobis(numbers: np.ndarray, mean: np.ndarray, whitening: np.ndarray) -> np.ndarray:
    """Mahalanobis distance of each row of numbers (n, k)."""
    return np.linalg.norm((numbers - mean) @ whitening.T, axis=1)


def fit_gauge(training: np.ndarray, heldout: np.ndarray) -> Gauge:
    """The gauge of training maps, with its unit from held-out ones; both (n, *MAP_SHAPE).

    The covariance is shrunk towards a multiple of the identity (Ledoit & Wolf 2004, J. Multivar. Anal. 88, 365).
    """
    from sklearn.covariance import LedoitWolf

    model = LedoitWolf().fit(statistics(training))
    whitening = np.linalg.cholesky(model.precision_).T
    distances = mahalanobis(statistics(heldout), model.location_, whitening)
    return Gauge(model.location_, whitening, float(np.quantile(distances, 1.0 - SHARE)))


def faded(probabilities: np.ndarray, distance: np.ndarray, none: int) -> np.ndarray:
    """Probabilities (n, classes) that give way to class `none` beyond the training pictures."""
    kept = 1.0 / np.maximum(distance, 1.0) ** 2
    result = probabilities * kept[:, None]
    result[:, none] += 1.0 - kept
    return result
