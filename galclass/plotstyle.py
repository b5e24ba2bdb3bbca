"""One look for every figure: the house style, and the ways a figure leaves the program."""

import base64
import io
from pathlib import Path

from galclass.files import atomic

#: Colours of the classes, distinguishable in the common kinds of colour blindness (Okabe & Ito 2008).
CLASS_COLOURS = {"oval": "#0072B2", "rectangle": "#D55E00", "obround": "#009E73", "none": "#7F7F7F"}

#: Galaxies are shown with this colour map.
IMAGE_MAP = "inferno"

_STYLE = {
    "font.size": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
    "svg.hashsalt": "galclass",
}


def figure(width_in: float, height_in: float, **subplots):
    """A new figure and its axes in the house style; `subplots` as for matplotlib's `Figure.subplots`."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        fig = Figure(figsize=(width_in, height_in), layout="constrained")
        return fig, fig.subplots(**subplots)


def png_bytes(fig, dpi: int = 110) -> bytes:
    """The figure as a PNG; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def save_png(fig, path: Path) -> None:
    """Write the figure to `path`, whole or not at all."""
    with atomic(path) as temporary:
        temporary.write_bytes(png_bytes(fig))


def data_uri(png: bytes) -> str:
    """A PNG as the address of an inline picture in a web page."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
