"""One simulated galaxy through every telescope, and a crowded field before and after noise removal: docs/telescope.png.

python benchmarks/telescope.py results/simulate/shapes/rectangle_11.dat [OUTPUT.png]
"""

import sys
from pathlib import Path

import numpy as np

from galclass import config, plotstyle, segmentation, snapshot, telescope, units
from galclass.render.framing import moved
from galclass.render.projecting import project
from galclass.render.views import Views

PIXELS, FIELD_RE = 64, 7.0
SOFT_MAG, BRIGHT_MAG = 26.5, 21.0  # grey is linear below, logarithmic above
CROWDED = {"stars": 7, "trails": 1, "gradient": 0.02, "neighbours": 1}
NAMES = ["thesis", "ideal", "suprime_cam_r", "euclid_vis", "decals_r", "sdss_r"]
TITLES = {"thesis": "thesis: mass, log", "ideal": "ideal: light, r", "suprime_cam_r": "Suprime-Cam Rc",
          "euclid_vis": "Euclid VIS", "decals_r": "DECaLS r", "sdss_r": "SDSS r"}  # fmt: skip


def deep(stars: snapshot.Snapshot, name: str, view: Views, field_kpc: float, settings: dict) -> np.ndarray:
    """Light of the galaxy without blur, sky and noise, as the telescope NAME weighs it."""
    light = telescope.particle_light(stars.masses, stars.types, settings["time"], telescope.read_preset(name), settings)
    return project(stars.positions, light, view, field_kpc, settings | {"pixels": PIXELS})[0]


def grey(flux: np.ndarray, pixel: float) -> np.ndarray:
    """arcsinh of surface brightness over that of SOFT_MAG, 0 to 1 at BRIGHT_MAG."""
    soft, bright = (10 ** (0.4 * (telescope.ZERO_POINT_UJY - mag)) for mag in (SOFT_MAG, BRIGHT_MAG))
    return np.arcsinh(flux / pixel**2 / soft) / np.arcsinh(bright / soft)


def show(ax, picture: np.ndarray, title: str) -> None:
    """Draw a picture of grey values."""
    ax.imshow(picture, origin="lower", cmap="gray", vmin=-0.35, vmax=1.0, interpolation="nearest")
    ax.set_title(title, fontsize=8)
    ax.set_axis_off()


def main(source: Path, output: Path) -> None:
    """Draw the figure."""
    settings, everything = config.load()["render"], snapshot.read(source)
    settings = settings | settings["telescope"] | {"time": everything.time * units.GYR_PER_TIME}
    stars = everything.select(snapshot.STAR_TYPES)
    stars = moved(stars, snapshot.centre(stars.positions, stars.masses))
    r_eff = np.median(np.hypot(*stars.positions[:, :2].T))
    angle = np.radians(20.0)
    view = Views(np.array([[np.sin(angle), 0.0, np.cos(angle)]]), np.array([0.6]))
    field_kpc = FIELD_RE * r_eff
    pixel = field_kpc / PIXELS * units.arcsec_per_kpc(settings["distance_mpc"])
    fig, axes = plotstyle.figure(11.0, 4.6, nrows=2, ncols=6)
    for ax, name in zip(axes[0], NAMES, strict=True):
        preset, picture = telescope.read_preset(name), deep(stars, name, view, field_kpc, settings)
        if name == "thesis":
            shown, title = np.log10(np.maximum(picture / picture.max(), 1e-3)) / 3.0 + 1.0, TITLES[name]
        else:
            seen = telescope.observe(picture, preset, pixel, np.random.default_rng(1), telescope.NO_EXTRAS)
            shown, title = grey(seen.flux, pixel), TITLES[name]
            if preset.is_noisy:
                title += f"\n{telescope.depth(preset):.1f} mag/arcsec$^2$"
        show(ax, shown, title)
    length = 30.0 / pixel
    axes[0, 1].plot([3, 3 + length], [3, 3], color="white", lw=1.5)
    axes[0, 1].text(3, 5, "30 arcsec", color="white", fontsize=7)
    for ax, name in ((axes[1, :3], "suprime_cam_r"), (axes[1, 3:], "decals_r")):
        preset, picture = telescope.read_preset(name), deep(stars, name, view, field_kpc, settings)
        seen = telescope.observe(picture, preset, pixel, np.random.default_rng(11), CROWDED).flux
        found = segmentation.scene(seen)
        show(ax[0], grey(seen, pixel), f"{TITLES[name]}: stars, trail,\nneighbour, gradient")
        show(ax[1], grey(seen - found.sky, pixel), "sky off; galaxy (blue),\nothers (red)")
        tint = np.zeros((*seen.shape, 4))
        tint[found.galaxy], tint[found.others] = (0.2, 0.55, 1.0, 0.35), (0.9, 0.2, 0.1, 0.55)
        ax[1].imshow(tint, origin="lower", interpolation="nearest")
        show(ax[2], grey(segmentation.clean(seen), pixel), "noise removed")
    plotstyle.save_png(fig, output)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) > 2 else config.ROOT / "docs" / "telescope.png"))
