"""The ruler: everything measured on one picture of a galaxy, with errors and with a word on how.

The sky is taken off and other sources are masked; photutils follows the ellipses of the isophotes with radius,
and the harmonics are fitted about them; where it does not converge, or its ellipses do not agree with each other,
one ellipse is fitted to all isophotes at once together with the harmonics. The flag says which and why.
"""

from dataclasses import dataclass, field, fields, replace

import numpy as np

from galclass import isophotes, morphology, segmentation
from galclass.errors import InputError
from galclass.isophotes.ellipses import FEWEST, Ellipses, fit_ellipses, in_eccentric_anomaly, smoothed

#: Isophotes that give the headline numbers, by kind of picture [effective radii]. A picture for the eye ends at about
#: two effective radii of its brightness (docs/validation.md says how these were chosen). The next ones are tried where
#: the first fail, as in a picture that shows the middle of a galaxy only, or a galaxy of a few pixels.
ZONES = {
    "flux": ((1.0, 2.5), (0.8, 1.5), (0.4, 1.2), (0.5, 3.0)),
    "picture": ((0.7, 1.5), (0.4, 1.2), (0.5, 3.0)),
}
#: Range and number of the isophotes of the profile [effective radii].
_PROFILE_RE, _PROFILE_ROWS = (0.3, 3.0), 12
_PROFILE_WIDTH = 0.15
_SMALLEST_SMA_PX = 3.0
#: An isophote counts as near a range of radii up to this factor beyond it.
_MARGIN = 1.15
_LARGEST_RADIUS_PX = 24.0
#: photutils' ellipses that scatter by more (in e exp(2i pa)) do not follow the galaxy.
_LARGEST_SCATTER = 0.1
#: A fit that did not settle is taken where it agrees with the other within so many errors.
_CREDIBLE = 1.0
_FAINTEST_SHARE = 1e-3  # of the peak: what counts as the galaxy in a picture without noise
_MORPHOLOGY_NAMES = tuple(item.name for item in fields(morphology.Morphology))
_SHAPE_NAMES = ("x", "y", "r_eff_px", "axis_ratio", "pa_deg", "b4", "b4_err", "b6", "b6_err", "a4", "a4_err",
                "a4_over_a", "exponent", "method")  # fmt: skip


@dataclass(frozen=True)
class Measurement:
    """What is known of a galaxy from one picture; NaN where it could not be measured.

    Attributes
    ----------
    x, y : centre [pixel, 0-based, y up]
    r_eff_px : semi-major axis of the ellipse that holds half of the light [pixel]
    axis_ratio, pa_deg, ellipticity : of the best ellipse; angle of the major axis from the x axis towards y
    b4, b6, a4 : cosine harmonics of order 4 and 6 and sine of order 4, in eccentric anomaly; b4 < 0 is boxy
    b4_err, b6_err, a4_err : their uncertainties
    a4_over_a : Bender's number, sqrt(axis_ratio) * b4
    exponent : of the superellipse with this b4; 2 is an ellipse
    concentration, asymmetry, gini, m20 : see `galclass.morphology`
    label, p_label : the class of the harmonics, and the probability of it given their errors
    method : photutils (ellipses that change with radius) or fourier (one ellipse for all isophotes)
    flag : what is doubtful, and why the method was taken; "" where there is nothing to say
    profile : the isophotes by radius, a list for each column of `galclass.isophotes.profile`; empty if fast
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
    a4: float
    a4_err: float
    a4_over_a: float
    ellipticity: float
    exponent: float
    concentration: float
    asymmetry: float
    gini: float
    m20: float
    label: str
    p_label: float
    method: str
    flag: str
    profile: dict[str, list[float]] = field(default_factory=dict)


#: The names of the measured quantities, in order, without the profile.
COLUMNS = tuple(item.name for item in fields(Measurement) if item.name != "profile")


@dataclass(frozen=True)
class Prepared:
    """A picture ready for the ruler: light above the sky, pixels to ignore, the galaxy's own, noise per pixel.

    A large galaxy is binned by `factor`: the ruler needs no more than `_LARGEST_RADIUS_PX` pixels a radius.
    """

    light: np.ndarray
    mask: np.ndarray
    galaxy: np.ndarray
    noise: float
    factor: int = 1
    psf_sigma_px: float | None = None  # None where it is unknown


def measure(
    image: np.ndarray,
    *,
    kind: str = "flux",
    deep: bool = False,
    fast: bool = False,
    radii: tuple[float, float] | None = None,
    psf_sigma_px: float | None = None,
) -> Measurement:
    """Measure a galaxy.

    Parameters
    ----------
    image : shape (ny, nx)
        Flux on a linear scale, or a picture for the eye, y up; pixels that are not finite are ignored. Of several
        galaxies the one that is large and near the middle is measured.
    kind : "flux" or "picture"
        A picture for the eye, 0 to 1, ends at about two effective radii of its brightness: other isophotes count.
    deep : bool
        The picture has neither sky nor noise nor other sources, so none is looked for.
    fast : bool
        Neither photutils' ellipses nor statmorph nor the profile: some milliseconds instead of a second.
    radii : inner, outer, optional
        Isophotes that give the headline numbers [effective radii]; default the first of `ZONES`.
    psf_sigma_px : float, optional
        Gaussian sigma of the point-spread function (0.425 of its full width at half maximum) [pixel], whose effect on
        the harmonics is taken off. By default it may be anything up to a tenth of the galaxy's scale length, which
        the errors allow for; a deep picture has none.

    Returns
    -------
    Measurement

    Raises
    ------
    InputError
        The image is not a plane of at least 8 x 8 pixels, or no light is in it; unknown `kind`.
    """
    if kind not in ZONES:
        raise InputError(f"kind of picture: found {kind!r}; allowed are {', '.join(ZONES)}")
    seen = prepared(image, deep, psf_sigma_px)
    zones = ZONES[kind] if radii is None else (radii, *ZONES[kind][1:])
    shape, zone = shape_in(seen, zones)
    reason = "fourier: fast" if fast else ""
    ellipses = None
    if not fast:
        shape, ellipses, reason = _refined(seen, shape, zone)
    flag = "; ".join(filter(None, [shape.flag, _zone_words(zone, zones), reason]))
    found = morphology.Morphology() if fast else morphology.measure(seen.light, seen.galaxy, seen.mask, seen.noise)
    label = isophotes.label_of(shape.b4, shape.b6)
    return Measurement(
        **_in_pixels({name: getattr(shape, name) for name in _SHAPE_NAMES}, seen.factor),
        **{name: getattr(found, name) for name in _MORPHOLOGY_NAMES},
        ellipticity=1.0 - shape.axis_ratio,
        label=label,
        p_label=isophotes.label_probability(label, shape.b4, shape.b4_err, shape.b6, shape.b6_err),
        flag=flag,
        profile={} if fast else _profile(seen, shape, ellipses),
    )


def _checked(image: np.ndarray) -> np.ndarray:
    """The image in double precision, or an `InputError`."""
    image = np.asarray(image, dtype=float)
    if image.ndim != 2 or min(image.shape) < 8:
        raise InputError(f"image of shape {image.shape}; a galaxy needs a picture of at least 8 x 8 pixels")
    finite = image[np.isfinite(image)]
    if finite.size < 64 or np.ptp(finite) == 0:
        raise InputError("image without light: fewer than 64 finite pixels, or all the same; give a galaxy")
    return image


def prepared(image: np.ndarray, deep: bool = False, psf_sigma_px: float | None = None) -> Prepared:
    """Sky and other sources off (a deep picture has none, nor blur), and a large galaxy binned.

    The parameters are those of `measure`; raises `InputError` for what is not an image with light in it.
    """
    image = _checked(image)
    psf_sigma_px = 0.0 if deep and psf_sigma_px is None else psf_sigma_px
    missing = ~np.isfinite(image)
    if deep:
        light = np.where(missing, 0.0, image)
        whole = Prepared(light, missing, light > _FAINTEST_SHARE * light.max(), 0.0, 1, psf_sigma_px)
    else:
        found = segmentation.scene(image)
        light = np.where(missing, 0.0, image - found.sky)
        whole = Prepared(light, found.others | missing, found.galaxy, found.noise, 1, psf_sigma_px)
    factor = max(1, int(_half_light_radius(whole) / _LARGEST_RADIUS_PX))
    return whole if factor == 1 else _binned(whole, factor)


def _half_light_radius(seen: Prepared) -> float:
    """Radius about the centre of light that holds half of the galaxy's light [pixel]."""
    y, x = np.nonzero(seen.galaxy)
    light = np.maximum(seen.light[y, x], 0.0)
    if not light.sum() > 0:
        return 0.0
    distance = np.hypot(x - np.average(x, weights=light), y - np.average(y, weights=light))
    order = np.argsort(distance)
    return float(np.interp(0.5, np.cumsum(light[order]) / light.sum(), distance[order]))


def _binned(seen: Prepared, factor: int) -> Prepared:
    """Means of factor x factor pixels without the masked ones; a rest at the far edges is left out."""
    ny, nx = (length // factor for length in seen.light.shape)

    def blocks(values: np.ndarray) -> np.ndarray:
        return values[: ny * factor, : nx * factor].reshape(ny, factor, nx, factor).sum(axis=(1, 3))

    seen_pixels = blocks(~seen.mask)
    light = blocks(np.where(seen.mask, 0.0, seen.light)) / np.maximum(seen_pixels, 1)
    galaxy = blocks(seen.galaxy) > 0.5 * factor**2
    psf_sigma_px = None if seen.psf_sigma_px is None else seen.psf_sigma_px / factor
    return Prepared(light, seen_pixels < 0.5 * factor**2, galaxy, seen.noise / factor, factor, psf_sigma_px)


def _in_pixels(row: dict, factor: int) -> dict:
    """Places and lengths of a binned picture in pixels of the picture itself."""
    places = {name: factor * (row[name] + 0.5) - 0.5 for name in ("x", "y")}
    return row | places | {name: factor * row[name] for name in ("r_eff_px", "sma") if name in row}


def shape_in(seen: Prepared, zones: tuple) -> tuple[isophotes.Shape, tuple[float, float]]:
    """The shape by one ellipse for all isophotes, in the first zone that gives one."""
    shapes = []
    for zone in zones:
        shapes.append(isophotes.measure(seen.light, *zone, mask=seen.mask, psf_sigma_px=seen.psf_sigma_px))
        if np.isfinite(shapes[-1].b4):
            return shapes[-1], zone
    return shapes[0], zones[0]


def _zone_words(zone: tuple[float, float], zones: tuple) -> str:
    """Says where the isophotes are not those that were wanted."""
    return "" if zone == zones[0] else f"isophotes of {zone[0]} to {zone[1]} effective radii"


def _refined(
    seen: Prepared, shape: isophotes.Shape, zone: tuple[float, float]
) -> tuple[isophotes.Shape, Ellipses | None, str]:
    """The shape about photutils' ellipses where those hold; else as it came, and the reason."""
    inner, outer = _range(seen, shape, min(zone[0] / _MARGIN, _PROFILE_RE[0]), max(zone[1] * _MARGIN, _PROFILE_RE[1]))
    if not np.isfinite(shape.b4) or outer < 1.5 * inner:
        return shape, None, "fourier: too few pixels for photutils"
    start = (shape.x, shape.y, np.mean(zone) * shape.r_eff_px, 1.0 - shape.axis_ratio, shape.pa_deg)
    ellipses = fit_ellipses(seen.light, seen.mask, start, inner, outer)
    if ellipses is None:
        return shape, None, "fourier: no photutils ellipse converged"
    smooth, scatter = smoothed(_within(ellipses, *(share * shape.r_eff_px for share in zone)))
    if scatter > _LARGEST_SCATTER:
        return shape, None, f"fourier: photutils ellipses scatter by {scatter:.2f}"
    refined = shape
    for _ in range(2):  # the ellipses in eccentric anomaly depend on b4, and b4 on them
        frame = in_eccentric_anomaly(smooth, refined.b4)
        refined = isophotes.measure(seen.light, *zone, mask=seen.mask, psf_sigma_px=seen.psf_sigma_px, ellipses=frame)
        if refined.method != "photutils":
            return shape, None, "fourier: no harmonics about the photutils ellipses"
    moved = abs(refined.b4 - shape.b4) > _CREDIBLE * np.hypot(refined.b4_err, shape.b4_err)
    if "unsettled" in refined.flag and moved:
        return shape, None, "fourier: harmonics about the photutils ellipses did not settle"
    # One ellipse for all isophotes has the better centre and axis ratio: more pixels fix them.
    better = {name: getattr(shape, name) for name in ("x", "y", "axis_ratio")}
    better["a4_over_a"] = float(np.sqrt(shape.axis_ratio) * refined.b4)
    return replace(refined, **better), in_eccentric_anomaly(ellipses, refined.b4), ""


def _within(ellipses: Ellipses, inner: float, outer: float) -> Ellipses:
    """Those of the ellipses that lie between two semi-major axes, or all if these are too few for a curve."""
    inside = (ellipses.sma > inner / _MARGIN) & (ellipses.sma < outer * _MARGIN)
    if inside.sum() < FEWEST:
        return ellipses
    return Ellipses(*(getattr(ellipses, item.name)[inside] for item in fields(Ellipses)))


def _range(seen: Prepared, shape: isophotes.Shape, first_re: float, last_re: float) -> tuple[float, float]:
    """Semi-major axes between two radii [effective radii], as far as the picture shows them [pixel]."""
    ny, nx = seen.light.shape
    edge = max(shape.x, nx - 1 - shape.x, shape.y, ny - 1 - shape.y)
    return max(first_re * shape.r_eff_px, _SMALLEST_SMA_PX), min(last_re * shape.r_eff_px, edge)


def _profile(seen: Prepared, shape: isophotes.Shape, ellipses: Ellipses | None) -> dict[str, list[float]]:
    """The isophotes by radius: about photutils' ellipses where there are some, else each about its own."""
    first, last = _range(seen, shape, *_PROFILE_RE)
    if not last > first:
        return {}
    radii = np.geomspace(first, last, _PROFILE_ROWS)
    known = {"mask": seen.mask, "psf_sigma_px": seen.psf_sigma_px}
    rows = isophotes.profile(seen.light, radii, _PROFILE_WIDTH, **known)
    if ellipses is not None:
        near = (radii > ellipses.sma[0] / _MARGIN) & (radii < ellipses.sma[-1] * _MARGIN)
        about = isophotes.profile(seen.light, radii, _PROFILE_WIDTH, **known, ellipses=ellipses)
        rows = {name: np.where(near, about[name], rows[name]) for name in rows}
    return {name: values.tolist() for name, values in _in_pixels(rows, seen.factor).items()}
