"""The figures of the report: each is plot_x(data, axes), and each has a table of its numbers beside it."""

import io
from collections.abc import Callable

import numpy as np
import pandas as pd

from galclass import plotstyle
from galclass.isophotes import B4_LIMITS, B6_LIMITS
from galclass.network import CLASSES, TRUSTED_CLASSES

#: Contours of a picture, at equal steps of the logarithm between the faintest and the brightest pixel.
_CONTOURS = np.linspace(0.2, 0.9, 6)
#: Contours are those of the picture behind a Gaussian of this share of its width: 0.7 of 50 pixels.
_CONTOUR_SMOOTHING = 0.014
#: Longest scale bar, as a share of the width of the axes.
_LONGEST_BAR = 0.4
_CANDIDATE, _REFERENCE = plotstyle.CLASS_COLOURS["rectangle"], "0.25"
_INLIER, _OUTLIER = "#56B4E9", "0.6"


def plot_picture(picture: np.ndarray, ax, title: str = "", contours: bool = True) -> None:
    """One picture (ny, nx) between 0 and 1 with isophotes, without axes."""
    ax.imshow(picture, origin="lower", cmap=plotstyle.IMAGE_MAP, vmin=0.0, vmax=1.0, interpolation="nearest")
    if contours:
        ax.contour(picture, levels=_CONTOURS, colors="white", linewidths=0.5, alpha=0.7)
    ax.set_title(title, fontsize=8)
    ax.set_axis_off()


def plot_film(images: np.ndarray, times_gyr: np.ndarray, axes) -> None:
    """Frames (n, ny, nx) of one run at their times, as many as there are axes, evenly spaced."""
    chosen = np.linspace(0, len(images) - 1, len(axes)).round().astype(int)
    for index, ax in zip(chosen, axes, strict=True):
        plot_picture(images[index], ax, f"{times_gyr[index]:.2f} Gyr", contours=False)


def plot_gallery(images: np.ndarray, titles: list[str], axes) -> None:
    """Pictures (n, ny, nx) with their titles, one on each of the axes; axes left over stay empty."""
    for ax in axes:
        ax.set_axis_off()
    for picture, title, ax in zip(images, titles, axes, strict=False):
        plot_picture(picture, ax, title)


def plot_labels(table: pd.DataFrame, ax) -> None:
    """Measured B4 and B6 of the training pictures by their label, with the limits of the classes."""
    for name in CLASSES:
        rows = table[table["label"] == name]
        ax.plot(rows["b4"], rows["b6"], ".", ms=2, color=plotstyle.CLASS_COLOURS[name], label=name)
        (left, right), (low, high) = B4_LIMITS[name], B6_LIMITS[name]
        box_x, box_y = [left, right, right, left, left], [low, low, high, high, low]
        ax.plot(box_x, box_y, color=plotstyle.CLASS_COLOURS[name], lw=1)
    ax.set(xlabel="B4 (boxy < 0 < discy)", ylabel="B6", xlim=(-0.18, 0.06), ylim=(-0.04, 0.05))
    ax.legend(markerscale=5)


def plot_fractions(fractions: pd.DataFrame, ax, title: str) -> None:
    """Share of each class against time, stacked."""
    shares = [fractions[name] for name in TRUSTED_CLASSES]
    colours = [plotstyle.CLASS_COLOURS[name] for name in TRUSTED_CLASSES]
    ax.stackplot(fractions["time_gyr"], shares, labels=TRUSTED_CLASSES, colors=colours, alpha=0.85)
    ax.set(xlabel="time [Gyr]", ylabel="share of views", ylim=(0, 1), title=title)
    ax.margins(x=0)


def plot_pair(pictures: list[np.ndarray], axes) -> None:
    """The best candidate and the reference as they are, then both centred, turned and scaled alike."""
    titles = ("best candidate", "reference", "candidate, aligned", "reference, aligned")
    for picture, title, ax in zip(pictures, titles, axes, strict=True):
        plot_picture(picture / picture.max(), ax, title)


def plot_saliency(picture: np.ndarray, place: tuple[np.ndarray, np.ndarray], added: np.ndarray, ax, title: str) -> None:
    """A picture (ny, nx), and over it what each place x, y (rings, places) adds to the probability of a rectangle."""
    ax.imshow(picture, origin="lower", cmap="gray", vmin=0.0, vmax=1.0, interpolation="nearest")
    largest = np.abs(added).max() or 1.0
    strength = np.abs(added).ravel() / largest
    ax.scatter(
        *(values.ravel() for values in place), c=added.ravel(), s=14.0 * strength, cmap="coolwarm", vmin=-largest,
        vmax=largest, linewidths=0,
    )  # fmt: skip
    ny, nx = picture.shape
    ax.set(xlim=(-0.5, nx - 0.5), ylim=(-0.5, ny - 0.5))
    ax.set_title(title, fontsize=8)
    ax.set_axis_off()


def plot_overview(film: np.ndarray, times_gyr: np.ndarray, candidate: np.ndarray, reference: np.ndarray, axes) -> None:
    """A merger in frames, its best view, and the reference, in one row."""
    plot_film(film, times_gyr, axes[:-2])
    plot_picture(candidate, axes[-2], "best candidate")
    plot_picture(reference, axes[-1], "reference")


# --- a candidate beside the reference


def inline(width_in: float, height_in: float, draw: Callable, **subplots) -> str:
    """A figure that `draw` fills, as the address of an inline picture; `subplots` as for `plotstyle.figure`."""
    fig, axes = plotstyle.figure(width_in, height_in, **subplots)
    draw(axes)
    return plotstyle.data_uri(few_colours(plotstyle.png_bytes(fig)))


def few_colours(png: bytes) -> bytes:
    """A picture (PNG) in the 256 colours that suit it best: a third of the bytes, and the eye sees no difference."""
    from PIL import Image

    buffer = io.BytesIO()
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def plot_to_scale(picture: np.ndarray, pixel: float, half_width: float, ax, title: str = "") -> None:
    """One picture (ny, nx) between 0 and 1 with isophotes, its pixels `pixel` wide, on a field of +- `half_width`."""
    from scipy.ndimage import gaussian_filter

    extent = _extent(picture, pixel)
    ax.set_facecolor("0.25")
    ax.imshow(picture, origin="lower", cmap=plotstyle.IMAGE_MAP, vmin=0.0, vmax=1.0, extent=extent,
              interpolation="nearest")  # fmt: skip
    smooth = gaussian_filter(picture, _CONTOUR_SMOOTHING * max(picture.shape))
    ax.contour(smooth, levels=_CONTOURS, colors="white", linewidths=0.5, alpha=0.7, extent=extent, origin="lower")
    _frame(ax, half_width, title)


def plot_residual(picture: np.ndarray, pixel: float, half_width: float, largest: float, ax, title: str = "") -> None:
    """What a picture's own ellipses leave over (ny, nx), red above and blue below, up to +- `largest`, to scale."""
    ax.set_facecolor("0.85")
    ax.imshow(picture, origin="lower", cmap="RdBu_r", vmin=-largest, vmax=largest, extent=_extent(picture, pixel),
              interpolation="nearest")  # fmt: skip
    _frame(ax, half_width, title)


def _extent(picture: np.ndarray, pixel: float) -> tuple[float, float, float, float]:
    """Edges of a picture (ny, nx) about its middle."""
    ny, nx = picture.shape
    return -0.5 * nx * pixel, 0.5 * nx * pixel, -0.5 * ny * pixel, 0.5 * ny * pixel


def _frame(ax, half_width: float, title: str) -> None:
    """A field without ticks, whose background is seen where the picture ends."""
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.set(xlim=(-half_width, half_width), ylim=(-half_width, half_width), xticks=[], yticks=[], aspect="equal")
    ax.set_title(title, fontsize=8)


def plot_scale_bar(half_width: float, unit: str, ax, scale: float = 1.0, other: str = "") -> None:
    """A bar of a round length in the corner; `scale` is how many of the unit `other` one of `unit` has."""
    length = round_length(2.0 * _LONGEST_BAR * half_width)
    text = f"{length:g} {unit}" + (f" = {length * scale:.2g} {other}" if other else "")
    left, low = -0.92 * half_width, -0.88 * half_width
    ax.plot([left, left + length], [low, low], color="white", lw=2, solid_capstyle="butt")
    ax.text(left, low + 0.05 * half_width, text, color="white", fontsize=7, va="bottom")


def round_length(longest: float) -> float:
    """The largest of 1, 2, 5, 10, 20 ... that is no longer than this."""
    power = 10.0 ** np.floor(np.log10(longest))
    return float(max(step * power for step in (1.0, 2.0, 5.0) if step * power <= longest * (1.0 + 1e-9)))


def plot_profiles(candidate: pd.DataFrame, reference: pd.DataFrame, axes) -> None:
    """a4/a, ellipticity and B6 with errors against radius, of a candidate and the reference (rows of profiles)."""
    names = {"a4_over_a": "a4/a (boxy < 0 < discy)", "ellipticity": "ellipticity", "b6": "B6"}
    for (name, label), ax in zip(names.items(), axes, strict=True):
        for rows, colour, shift, text in ((reference, _REFERENCE, 0.99, "reference"),
                                          (candidate, _CANDIDATE, 1.01, "candidate")):  # fmt: skip
            ax.errorbar(shift * rows["radius_re"], rows[name], rows[f"{name}_err"], fmt="o-", ms=3, lw=1,
                        color=colour, label=text)  # fmt: skip
        if name != "ellipticity":
            ax.axhline(0.0, color="0.7", lw=0.8)
        ax.set(xscale="log", xlabel="semi-major axis [effective radii]", ylabel=label)
        ax.set_xticks([0.5, 1, 2, 3], ["0.5", "1", "2", "3"], minor=False)
        ax.minorticks_off()
    axes[0].legend(frameon=False)


def plot_matches(candidate: np.ndarray, reference: np.ndarray, matches: pd.DataFrame, ax) -> None:
    """Matches of SIFT keypoints between two pictures side by side, each as wide as the other.

    `matches` has x, y and reference_x, reference_y [pixel of each picture], and is_inlier.
    """
    for picture, left in ((candidate, 0.0), (reference, 1.05)):
        ny, nx = picture.shape
        ax.imshow(picture, origin="lower", cmap="gray", vmin=0.0, vmax=1.0, extent=(left, left + 1.0, 0.0, ny / nx),
                  interpolation="nearest")  # fmt: skip
    for inliers, colour, width in ((False, _OUTLIER, 0.6), (True, _INLIER, 1.4)):
        rows = matches[matches["is_inlier"] == inliers]
        x = (rows[["x", "reference_x"]].to_numpy(float) + 0.5) / [candidate.shape[1], reference.shape[1]] + [0.0, 1.05]
        y = (rows[["y", "reference_y"]].to_numpy(float) + 0.5) / [candidate.shape[1], reference.shape[1]]
        ax.plot(x.T, y.T, "o-", color=colour, lw=width, ms=2.5)
    ax.set(xlim=(0.0, 2.05), ylim=(0.0, max(p.shape[0] / p.shape[1] for p in (candidate, reference))))
    ax.set_axis_off()
