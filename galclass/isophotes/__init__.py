"""The shape of a galaxy's isophotes: best ellipse and the harmonics of the deviation from it.

An isophote is r(E) = a (1 + sum_k A_k sin kE + B_k cos kE), with E the eccentric anomaly about its best
ellipse, that is, the polar angle after the picture was squeezed until the ellipse is a circle. The best
ellipse is the one whose first and second harmonics vanish. B4 < 0 is boxy, B4 > 0 discy; B6 tells an obround
from a rectangle (Bender, Doebereiner & Moellenhoff 1988, A&AS 74, 385, whose a4/a is sqrt(b/a) B4; Ciambur
2015, ApJ 810, 120 for the eccentric anomaly).

All pixels between two isophotes are fitted at once. Nothing is linear in the deviation, so the result holds for a
rectangle (B4 = -0.139) as for a nearly elliptical galaxy, and pixels that are masked or beyond the edge of the
picture are simply absent.
"""

from galclass.isophotes.harmonics import measure, profile
from galclass.isophotes.light import effective_radius
from galclass.isophotes.shape import (
    B4_LIMITS,
    B6_LIMITS,
    Shape,
    exponent_of,
    label_of,
    label_probability,
)

__all__ = [
    "B4_LIMITS",
    "B6_LIMITS",
    "Shape",
    "effective_radius",
    "exponent_of",
    "label_of",
    "label_probability",
    "measure",
    "profile",
]
