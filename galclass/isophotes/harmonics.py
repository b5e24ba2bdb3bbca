"""Measurement of isophotes: over a range of radii as one shape, and one by one as a profile."""

import dataclasses

import numpy as np

from galclass.errors import InputError
from galclass.isophotes.fit import Fit, fit_zone
from galclass.isophotes.frames import Ellipse, Nest, nest
from galclass.isophotes.light import Picture, checked, first_ellipse, half_light
from galclass.isophotes.shape import Shape, exponent_of
from galclass.isophotes.step import FEW_ORDERS, ORDERS, Zone

_DEGREE, _THIN_DEGREE, _FEW_DEGREE = 3, 2, 2
_SMALLEST_PX = 0.3
_FIRST_STEPS, _STEPS, _FIXED_STEPS = 3, 25, 1
_NEST_STEPS = 20
#: Errors of the position angle [rad] at which it is uncertain, and lost.
_UNCERTAIN_PA_ERROR, _LOST_PA_ERROR = 0.05, 0.31
#: By how much chi^2 must prefer the axes of a disc to those of a box, where the position angle is uncertain.
_DISC_PREFERENCE = 8.0
#: -ln(axis ratio) over the amplitude of the fourth harmonic, below which a box is round; a tilt of ten degrees does it.
_WEAK_ELLIPSE = 0.2
#: Errors from which on a fourth harmonic is no noise.
_SIGNIFICANT = 3.0
_LEAST_COVERAGE = 0.95


def measure(
    image: np.ndarray,
    inner_re: float = 1.0,
    outer_re: float = 2.5,
    *,
    mask: np.ndarray | None = None,
    ellipses=None,
    psf_sigma_px: float | None = 0.0,
) -> Shape:
    """Measure centre, best ellipse and harmonics of a galaxy.

    Parameters
    ----------
    image : shape (ny, nx)
        Intensity on a linear scale, background subtracted; noise may make pixels negative.
    inner_re, outer_re : float
        Isophotes to use, as semi-major axes in effective radii.
    mask : bool, shape (ny, nx)
        Pixels to ignore. Sums over the light count the pixel on the opposite side of the centre instead.
    ellipses : optional
        Fitted ellipses (`galclass.isophotes.ellipses.Ellipses`) in which the harmonics are then counted as radius
        and position angle change; otherwise one ellipse for all radii is fitted with the harmonics.
    psf_sigma_px : float or None
        Gaussian sigma of the point-spread function; its effect on the shape is taken off to first order, as that of
        the pixels always is. None where it is unknown: then that of a small one is, and its uncertainty adds to the
        errors (`galclass.isophotes.light.Picture.blur`).

    Returns
    -------
    Shape
        Means over the isophotes: each has the same weight per unit of radius, but for noise. A fit that runs off is
        replaced by a linear one about the ellipse of the moments; NaN only where there are too few pixels.

    Raises
    ------
    InputError
        The image is not a finite picture with light in it, or the radii are not in order.
    """
    picture = checked(image, mask, psf_sigma_px)
    _check_radii(inner_re, outer_re)
    frame = None if ellipses is None else nest(ellipses)
    shape = _measured(picture, frame, inner_re, outer_re)
    if np.isnan(shape.b4) and picture.image.sum() <= 0:
        clipped = dataclasses.replace(picture, image=np.maximum(picture.image, 0.0))
        shape = _measured(clipped, frame, inner_re, outer_re)
        shape = dataclasses.replace(shape, flag=f"{shape.flag} clipped".strip())
    return shape


def _measured(picture: Picture, frame: Nest | None, inner_re: float, outer_re: float) -> Shape:
    """The shape, in one ellipse or in the ellipses of `frame`."""
    if frame is not None:
        return _measured_in(frame, picture, inner_re, outer_re)
    start = first_ellipse(picture)
    shape, fit = start, None
    for steps in (_FIRST_STEPS, _STEPS):  # the effective radius depends on the ellipse, that on where it is fitted
        r_eff = half_light(picture, shape)
        fit = _fitted(picture, shape, r_eff, (inner_re, outer_re), _DEGREE, steps)
        if fit is None:
            return _fixed(picture, start, inner_re, outer_re)
        shape = fit.frame
    return _shape(fit, half_light(picture, shape), shape)


def profile(
    image: np.ndarray,
    radii_px: np.ndarray,
    width: float = 0.15,
    *,
    mask: np.ndarray | None = None,
    ellipses=None,
    psf_sigma_px: float | None = 0.0,
) -> dict[str, np.ndarray]:
    """Shape of the isophotes at given semi-major axes.

    Parameters
    ----------
    image, mask, ellipses, psf_sigma_px
        As for `measure`.
    radii_px : shape (n,)
        Semi-major axes [pixel].
    width : float
        Each isophote is fitted on the zone within this fraction of its semi-major axis on either side.

    Returns
    -------
    dict of arrays of shape (n,)
        sma [pixel], intensity, x, y [pixel], ellipticity, pa_deg, b4, b4_err, b6, b6_err, a4, a4_err, a4_over_a; the
        harmonics are NaN where a zone has too few pixels.
    """
    picture = checked(image, mask, psf_sigma_px)
    _check_radii(1.0 - width, 1.0 + width)
    start = first_ellipse(picture) if ellipses is None else nest(ellipses)
    r_eff = half_light(picture, start.at(float(np.median(radii_px))))
    rows = [_profile_row(picture, start, r_eff, float(sma), width) for sma in radii_px]
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def _profile_row(picture: Picture, start: Ellipse | Nest, r_eff: float, sma: float, width: float) -> dict[str, float]:
    """One isophote of `profile`."""
    steps = _STEPS if isinstance(start, Ellipse) else _NEST_STEPS
    fit = None
    if r_eff > 0:  # else the light is all in one pixel
        limits = sma * (1.0 - width) / r_eff, sma * (1.0 + width) / r_eff
        fit = _fitted(picture, start, r_eff, limits, _THIN_DEGREE, steps)
        fit = fit or _fitted(picture, start, r_eff, limits, _THIN_DEGREE, _FIXED_STEPS)
    if fit is None:
        shape, level = _failed(start.at(sma), sma), np.nan
    else:
        shape, level = _shape(fit, sma, fit.frame.at(sma)), fit.level
    same = ("x", "y", "pa_deg", "b4", "b4_err", "b6", "b6_err", "a4", "a4_err", "a4_over_a")
    row = {"sma": sma, "intensity": level, "ellipticity": 1.0 - shape.axis_ratio}
    return row | {name: getattr(shape, name) for name in same}


def _check_radii(inner: float, outer: float) -> None:
    if not 0 <= inner < outer:
        raise InputError(f"isophotes from {inner} to {outer} effective radii; needed is 0 <= first < last")


def _fitted(
    picture: Picture, frame: Ellipse | Nest, r_eff: float, limits: tuple[float, float], degree: int, steps: int
) -> Fit | None:
    """A fit between two radii [effective radii] of all orders, or where there are few pixels of those that count."""
    inner, outer = max(limits[0] * r_eff, _SMALLEST_PX), limits[1] * r_eff
    if outer <= inner:
        return None
    blur = picture.blur(r_eff)
    fit = fit_zone(picture, frame, Zone(inner, outer, degree, ORDERS), steps, blur)
    return fit or fit_zone(picture, frame, Zone(inner, outer, min(degree, _FEW_DEGREE), FEW_ORDERS), steps, blur)


def _fixed(picture: Picture, start: Ellipse, inner_re: float, outer_re: float) -> Shape:
    """Harmonics of one linear fit about the ellipse of the moments, which cannot run off."""
    r_eff = half_light(picture, start)
    fit = _fitted(picture, start, r_eff, (inner_re, outer_re), _FEW_DEGREE, _FIXED_STEPS)
    return _failed(start, r_eff) if fit is None else _shape(fit, r_eff, start, "fixed")


def _measured_in(frame: Nest, picture: Picture, inner_re: float, outer_re: float) -> Shape:
    """The shape in ellipses that change with radius; `_fixed` about the middle one where that has no answer."""
    middle = frame.at(float(np.median(frame.sma)))
    for _ in range(3):
        r_eff = half_light(picture, middle)
        middle = frame.at(r_eff)
    fit = _fitted(picture, frame, r_eff, (inner_re, outer_re), _DEGREE, _NEST_STEPS)
    if fit is None:
        return _fixed(picture, middle, inner_re, outer_re)
    return _shape(fit, r_eff, frame.at(0.5 * (inner_re + outer_re) * r_eff))


def _orientation(fit: Fit, shape: Ellipse) -> tuple[float, bool]:
    """Position angle in the fit's frame [rad], and whether the ellipse was too round to give it.

    The sides of a round box fix its axes better than its ellipse does, which noise or a small tilt can turn
    by 45 degrees, and then a box would pass for a disc. So where the ellipse is weak beside a significant fourth
    harmonic, the major axis is the nearest angle about which the isophotes are boxy. Where the position angle is
    uncertain, it is that angle or the nearest one about which they are discy, whichever the position angle prefers;
    boxy in doubt. Where it is lost, it is the one of the two boxy axes with B6 >= 0. A fourth harmonic that may be
    noise turns nothing, since noise would then always look boxy.
    """
    pa, pa_error = fit.frame.pa, _pa_error(fit, shape)
    cosine, sine = fit.harmonics[fit.orders.index(4)]
    amplitude = np.hypot(cosine, sine)
    is_weak, is_lost = -np.log(shape.axis_ratio) < _WEAK_ELLIPSE * amplitude, pa_error > _LOST_PA_ERROR
    is_noise = amplitude < _SIGNIFICANT * np.hypot(*fit.error(4, 0.0)) / np.sqrt(2.0)
    if is_noise or not (is_weak or pa_error > _UNCERTAIN_PA_ERROR):
        return pa, bool(is_weak or is_lost)
    boxy = (np.arctan2(sine, cosine) + np.pi) / 4.0 + np.array([0.0, np.pi / 2.0])
    if is_lost:
        return float(max(boxy, key=lambda axis: fit.coefficient(6, axis).real) % np.pi), True
    turns = (boxy - pa + np.pi / 2.0) % np.pi - np.pi / 2.0
    turn = turns[np.argmin(np.abs(turns))]
    to_discy = turn - np.copysign(np.pi / 4.0, turn)
    if not is_weak and turn**2 - to_discy**2 > _DISC_PREFERENCE * pa_error**2:
        turn = to_discy
    return float((pa + turn) % np.pi), bool(is_weak)


def _pa_error(fit: Fit, shape: Ellipse) -> float:
    """Uncertainty of the ellipse's position angle [rad]."""
    return fit.error(2, fit.frame.pa)[1] / max(-np.log(shape.axis_ratio), 1e-9)


def _shape(fit: Fit, r_eff: float, shape: Ellipse, *doubts: str) -> Shape:
    """The public result of a fit; `shape` is the ellipse to state, that of the frame or one of its."""
    pa, is_round = _orientation(fit, shape)
    b4, b6 = fit.coefficient(4, pa), fit.coefficient(6, pa)
    b4_err, a4_err = fit.error(4, pa)
    if pa == fit.frame.pa:  # an ellipse turned by noise turns b4 into a4
        a4_err = np.hypot(a4_err, 4.0 * b4.real * _pa_error(fit, shape))
    found = {
        "round": is_round,
        "edge": fit.coverage < _LEAST_COVERAGE,
        "few": fit.orders == FEW_ORDERS,
        "unsettled": not fit.settled and "fixed" not in doubts,
    }
    return Shape(
        x=shape.centre.real,
        y=shape.centre.imag,
        r_eff_px=r_eff,
        axis_ratio=shape.axis_ratio,
        pa_deg=float(np.rad2deg(pa - fit.frame.pa + shape.pa) % 180.0),
        b4=b4.real,
        b4_err=float(b4_err),
        b6=b6.real,
        b6_err=float(fit.error(6, pa)[0]),
        a4_over_a=float(np.sqrt(shape.axis_ratio) * b4.real),
        flag=" ".join([word for word, holds in found.items() if holds] + list(doubts)),
        a4=b4.imag,
        a4_err=float(a4_err),
        exponent=exponent_of(b4.real),
        method="fourier" if isinstance(fit.frame, Ellipse) else "photutils",
    )


def _failed(shape: Ellipse, r_eff: float) -> Shape:
    """Centre and ellipse from moments, and no harmonics."""
    pa_deg, lost = float(np.rad2deg(shape.pa)), (np.nan,) * 5
    return Shape(shape.centre.real, shape.centre.imag, r_eff, shape.axis_ratio, pa_deg, *lost, "failed", method="none")
