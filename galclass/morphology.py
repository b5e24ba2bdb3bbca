"""Concentration, asymmetry, Gini and M20 of a galaxy, by statmorph (Rodriguez-Gomez et al. 2019, MNRAS 483, 4140).

Concentration and asymmetry are those of Conselice (2003, ApJS 147, 1), Gini and M20 those of Lotz et al. (2004,
AJ 128, 163). statmorph measures forty numbers more, a Sersic fit among them, which takes most of its time; here
only these four are worked out.
"""

import warnings
from dataclasses import dataclass

import numpy as np

_NAMES = ("gini", "m20", "concentration", "asymmetry")
_SKY_NAMES = ("sky_mean", "sky_sigma", "_sky_asymmetry")
_INVALID = -99.0  # what statmorph writes for a number that it could not measure
_BAD = 2  # its flag: 0 good, 1 suspect, 2 bad, 4 catastrophic
_FAINTEST = 1e-6  # noise of a picture without noise, of its brightest pixel: statmorph divides by it


@dataclass(frozen=True)
class Morphology:
    """Numbers without unit, each NaN where it could not be measured.

    Attributes
    ----------
    concentration : 5 log10 of the radii that hold 80 % and 20 % of the light
    asymmetry : what is left after a turn by 180 degrees, less that of the sky
    gini : how unequally the light is shared among the pixels, 0 to 1
    m20 : log10 of the second moment of the brightest fifth of the light over that of all
    """

    concentration: float = np.nan
    asymmetry: float = np.nan
    gini: float = np.nan
    m20: float = np.nan


def measure(image: np.ndarray, galaxy: np.ndarray, others: np.ndarray | None = None, noise: float = 0.0) -> Morphology:
    """Measure the light distribution of one galaxy.

    Parameters
    ----------
    image : shape (ny, nx)
        Intensity on a linear scale, background subtracted.
    galaxy : bool, shape (ny, nx)
        Pixels of the galaxy.
    others : bool, shape (ny, nx), optional
        Pixels to be left out: other sources and those without a value.
    noise : float
        Standard deviation of the background in a pixel; 0 for a picture without noise.

    Returns
    -------
    Morphology
        NaN where statmorph flags a number as bad; the asymmetry also where the picture shows no sky, since then
        that of the sky cannot be taken off.
    """
    others = np.zeros(image.shape, bool) if others is None else others
    others = others | ~np.isfinite(image)
    image = np.where(others, 0.0, image)
    galaxy = galaxy & ~others
    if not galaxy.any() or not image.max() > 0:
        return Morphology()
    return _by_statmorph(image, galaxy, others, max(noise, _FAINTEST * float(image.max())))


def _by_statmorph(image: np.ndarray, galaxy: np.ndarray, others: np.ndarray, noise: float) -> Morphology:
    """The four numbers; all NaN where statmorph fails."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # statmorph warns of what its flag says
        try:
            found = _four_numbers()(
                image, galaxy.astype(int), label=1, mask=others, weightmap=np.full(image.shape, noise)
            )
        except (ArithmeticError, AssertionError, IndexError, TypeError, ValueError, np.linalg.LinAlgError):
            return Morphology()  # statmorph gives up on some faint or cut sources with whatever error comes first
    if found.flag_without_sky >= _BAD:
        return Morphology()
    values = {name: _number(getattr(found, name)) for name in _NAMES}
    return Morphology(**values | ({} if found.sees_sky else {"asymmetry": np.nan}))


def _four_numbers() -> type:
    """statmorph's class, reduced to the four numbers and to a flag that does not count what it says of the sky."""
    from statmorph import SourceMorphology

    class FourNumbers(SourceMorphology):
        sees_sky = False
        flag_without_sky = 4

        def _calculate_morphology(self) -> None:
            before = self.flag
            sky = [self[name] for name in _SKY_NAMES]  # kept by statmorph, which asks no second time
            self.sees_sky = _INVALID not in sky
            self.flag = before
            for name in _NAMES:
                _ = self[name]
            self.flag_without_sky = self.flag

    return FourNumbers


def _number(value: float) -> float:
    """A number of statmorph, NaN where it is none."""
    return float(value) if np.isfinite(value) and value != _INVALID else np.nan
