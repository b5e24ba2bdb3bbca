"""The figures of the report: each is plot_x(data, axes), and each has a table of its numbers beside it."""

import numpy as np
import pandas as pd

from galclass import plotstyle
from galclass.isophotes import B4_LIMITS, B6_LIMITS
from galclass.network import CLASSES, TRUSTED_CLASSES

#: Contours of a picture, at equal steps of the logarithm between the faintest and the brightest pixel.
_CONTOURS = np.linspace(0.2, 0.9, 6)


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
