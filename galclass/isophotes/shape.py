"""What is measured of a galaxy's shape, the classes by it, and the superellipse of the same harmonic."""

from dataclasses import dataclass
from functools import cache

import numpy as np

#: Where the classes lie; the first that fits counts, and an oval may have any B6.
#: A B4 below a rectangle's belongs to an X.
B4_LIMITS = {"rectangle": (-0.145, -0.04), "obround": (-0.08, -0.02), "oval": (-0.02, 0.02)}
B6_LIMITS = {"rectangle": (-0.009, 0.009), "obround": (0.009, 0.025), "oval": (-1.0, 1.0)}

#: Superellipses from a rhombus to nearly a rectangle.
_EXPONENTS = np.concatenate([np.linspace(1.0, 6.0, 251), np.geomspace(6.02, 200.0, 150)])


@dataclass(frozen=True)
class Shape:
    """Measured shape of a galaxy between two isophotes.

    Attributes
    ----------
    x, y : centre of the best ellipse [pixel, 0-based, y up]
    r_eff_px : semi-major axis of the ellipse that holds half of the light [pixel]
    axis_ratio, pa_deg : of the best ellipse; angle of the major axis from the x axis towards y, 0 to 180
    b4, b6 : harmonics of the isophotes in eccentric anomaly, relative to their radius; b4 < 0 is boxy
    b4_err, b6_err : their uncertainties (one standard deviation) from the residuals of the fit
    a4_over_a : Bender's number, sqrt(axis_ratio) * b4
    flag : "" or words that say what is doubtful: round (orientation from the fourth harmonic), edge
        (part of the isophotes lies outside the picture), few (so few pixels that only the harmonics 4 and 6
        were fitted), unsettled (the fit still moved at its last step), fixed (the fit ran off: harmonics of
        one linear fit about the ellipse of the moments), failed (too few pixels; the harmonics are NaN), clipped
        (the light sums to nothing, so negative pixels were taken as empty)
    a4, a4_err : the sine term of order 4, and its uncertainty
    exponent : of the superellipse with this b4; NaN beyond a rhombus or a rectangle
    method : "photutils" (harmonics in ellipses that change with radius), "fourier" (in one ellipse) or "none"
    """

    x: float
    y: float
    r_eff_px: float
    axis_ratio: float
    pa_deg: float
    b4: float
    b4_err: float
    b6: float
    b6_err: float
    a4_over_a: float
    flag: str
    a4: float = np.nan
    a4_err: float = np.nan
    exponent: float = np.nan
    method: str = "fourier"


def label_of(b4: float, b6: float) -> str:
    """The class of a shape by its measured harmonics: oval, rectangle, obround, or none of these."""
    for name, (low, high) in B4_LIMITS.items():
        if low <= b4 <= high and B6_LIMITS[name][0] <= b6 <= B6_LIMITS[name][1]:
            return name
    return "none"


def label_probability(label: str, b4: float, b4_err: float, b6: float, b6_err: float) -> float:
    """Probability that the true harmonics lie in the region of a label.

    Parameters
    ----------
    label : str
        A class, or "none" for what lies in none of their regions (those of `label_of`).
    b4, b4_err, b6, b6_err : float
        Measured harmonics and their errors, taken as normal and independent.

    Returns
    -------
    float
        NaN where a number is NaN.
    """
    from scipy.special import ndtr

    if np.isnan([b4, b4_err, b6, b6_err]).any():
        return float("nan")

    def within(limits: tuple[float, float], value: float, error: float) -> float:
        low, high = (np.array(limits) - value) / max(error, 1e-9)
        return float(ndtr(high) - ndtr(low))

    shares = {
        name: within(limits, b4, b4_err) * within(B6_LIMITS[name], b6, b6_err) for name, limits in B4_LIMITS.items()
    }
    return max(1.0 - sum(shares.values()), 0.0) if label == "none" else shares[label]


def exponent_of(b4: float) -> float:
    """Exponent of the superellipse with this B4: 2 is an ellipse, 1 a rhombus, large a rectangle; else NaN."""
    harmonics = _superellipse_b4()  # falls as the exponent rises
    if not harmonics[-1] <= b4 <= harmonics[0]:
        return float("nan")
    return float(np.interp(-b4, -harmonics, _EXPONENTS))


@cache
def _superellipse_b4() -> np.ndarray:
    """B4 of the superellipses of `_EXPONENTS` by quadrature."""
    angle = (np.arange(512) + 0.5) * (np.pi / 1024.0)  # a quadrant; symmetry gives the rest
    sides = np.stack([np.cos(angle), np.sin(angle)])
    largest = sides.max(axis=0)
    ratio = (sides.min(axis=0) / largest) ** _EXPONENTS[:, None]
    radius = 1.0 / (largest * (1.0 + ratio) ** (1.0 / _EXPONENTS[:, None]))
    return 2.0 * np.mean(radius * np.cos(4.0 * angle), axis=1) / radius.mean(axis=1)
