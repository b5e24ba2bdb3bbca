"""Accuracy and errors of the measured isophotes: trials on galaxies whose harmonics are known.

usage: python benchmarks/ruler.py [--trials N] [--only WORD] [--json]

Each setting is a galaxy of superelliptic or obround isophotes with an exponential profile, 64 x 64 pixels, turned and
shifted at random, blurred, with noise; or a picture of particles, smoothed as the stage `render` does. S/N is that of
the ring one pixel wide at the effective radius (its light over its noise), or of a pixel in it. `limit` is the
Cramer-Rao bound of b4 for white noise; `covered` the share of trials whose error bar holds the truth, 68 % where the
errors are right (from N trials known to 47 / sqrt(N) per cent).
"""

import argparse
import json
import sys
from dataclasses import asdict, dataclass, replace

import numpy as np

from galclass import isophotes, kernels

_OVER, _PIXELS = 4, 64


@dataclass(frozen=True)
class Setting:
    """A kind of trial: the galaxy, and what stands between it and the picture."""

    name: str
    exponent: float = 3.0
    cap: float = 0.0  # of an obround; 0 is a superellipse
    axis_ratio: float = 0.7
    r_eff_px: float = 8.0
    noise: str = "white"  # white, poisson, particles, folded, none
    snr: float = 50.0
    per_pixel: bool = False
    psf: str = ""  # "gauss" or "moffat"
    psf_sigma_over_h: float = 0.1
    is_told: bool = True  # the width of the PSF
    neighbours: int = 0  # other galaxies, masked
    particles: int = 30000


def isophote_radius(x: np.ndarray, y: np.ndarray, setting: Setting) -> np.ndarray:
    """Size of the isophote through points, for axis ratio 1 (fortran/src/shape_model.f90)."""
    x, y = np.abs(x), np.abs(y)
    if setting.cap == 0:
        large = np.maximum(np.maximum(x, y), 1e-12)
        return large * ((x / large) ** setting.exponent + (y / large) ** setting.exponent) ** (1.0 / setting.exponent)
    cap = setting.cap
    root = np.sqrt(np.maximum(x**2 - (1.0 - 2.0 * cap) * y**2, 0.0))
    ends = (x**2 + (cap * y) ** 2) / np.maximum((1.0 - cap) * x + cap * root, 1e-12)
    return np.where(x <= (1.0 - cap) * y, y, ends)


def truth(setting: Setting) -> tuple[float, float]:
    """B4 and B6 of the isophotes about their best ellipse, by quadrature; an obround's is rounder than its box."""
    angle = np.linspace(0.0, 2.0 * np.pi, 20000, endpoint=False)
    stretch = 1.0
    for _ in range(30):
        x, y = np.cos(angle) * stretch, np.sin(angle) / stretch
        radius = 1.0 / isophote_radius(x, y, setting)
        stretch *= np.exp(np.mean(np.log(radius) * np.cos(2.0 * angle)))
    return tuple(float(2.0 * np.mean(radius / radius.mean() * np.cos(k * angle))) for k in (4, 6))


def exponent_for(a4_over_a: float, axis_ratio: float) -> float:
    """Exponent of the superellipse with this a4/a."""
    from scipy.optimize import brentq

    def miss(exponent: float) -> float:
        return truth(Setting("", exponent=exponent))[0] - a4_over_a / np.sqrt(axis_ratio)

    return float(brentq(miss, 1.0, 200.0))


def half_light_scale(setting: Setting) -> float:
    """Semi-major axis of the half-light isophote over that of the best ellipse: the mean radius, near enough."""
    angle = np.linspace(0.0, 2.0 * np.pi, 2000, endpoint=False)
    return float(np.mean(1.0 / isophote_radius(np.cos(angle), np.sin(angle), setting)))


def noise_free(setting: Setting, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A picture averaged over its pixels, and the semi-major axis of each pixel's isophote."""
    at = (np.arange(_PIXELS * _OVER) + 0.5) / _OVER - 0.5 - 0.5 * (_PIXELS - 1)
    shift, pa = rng.uniform(-0.5, 0.5, 2), rng.uniform(0.0, np.pi)
    x, y = np.meshgrid(at - shift[0], at - shift[1])
    along, across = x * np.cos(pa) + y * np.sin(pa), y * np.cos(pa) - x * np.sin(pa)
    size = isophote_radius(along, across / setting.axis_ratio, setting) * half_light_scale(setting)
    light = _blurred(np.exp(-1.678 * size / setting.r_eff_px), setting)
    return tuple(a.reshape(_PIXELS, _OVER, _PIXELS, _OVER).mean(axis=(1, 3)) for a in (light, size))


def _blurred(light: np.ndarray, setting: Setting) -> np.ndarray:
    from scipy.ndimage import gaussian_filter
    from scipy.signal import fftconvolve

    sigma = setting.psf_sigma_over_h * setting.r_eff_px / 1.678 * _OVER
    if setting.psf == "gauss":
        return gaussian_filter(light, sigma)
    if setting.psf == "moffat":
        r2 = sum(np.square(np.mgrid[-80:81, -80:81])) / (2.355 * sigma / 2) ** 2
        kernel = (1.0 + r2 * (2.0 ** (1.0 / 3.0) - 1.0)) ** -3.0
        return fftconvolve(light, kernel / kernel.sum(), mode="same")
    return light


def noise_sigma(light: np.ndarray, size: np.ndarray, setting: Setting) -> np.ndarray:
    """Standard deviation of the noise of each pixel."""
    ring = np.abs(size - setting.r_eff_px) < 0.5
    if setting.noise == "poisson":  # half of the variance at 1.5 effective radii is sky and read noise
        edge = light[np.abs(size - 1.5 * setting.r_eff_px) < 0.5].mean()
        variance = light + edge
    else:
        variance = np.ones_like(light)
    noise = np.sqrt(variance[ring].mean() if setting.per_pixel else variance[ring].sum())
    signal = light[ring].mean() if setting.per_pixel else light[ring].sum()
    return np.sqrt(variance) * signal / noise / setting.snr


def limit(light: np.ndarray, size: np.ndarray, sigma: np.ndarray, setting: Setting) -> float:
    """Cramer-Rao bound of b4 between 1 and 2.5 effective radii, the other harmonics being orthogonal to it."""
    zone = (size > setting.r_eff_px) & (size < 2.5 * setting.r_eff_px)
    slope = 1.678 * size / setting.r_eff_px * light
    return float(np.sum(0.5 * (slope / sigma)[zone] ** 2) ** -0.5)


def neighbours(light: np.ndarray, setting: Setting, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The picture with other galaxies at 1.5 to 3 effective radii, and the mask of their pixels."""
    y, x = np.indices(light.shape) - 0.5 * (_PIXELS - 1)
    mask = np.zeros(light.shape, bool)
    for _ in range(setting.neighbours):
        angle, away = rng.uniform(0, 2 * np.pi), rng.uniform(1.5, 3.0) * setting.r_eff_px
        distance = np.hypot(x - away * np.cos(angle), y - away * np.sin(angle))
        light = light + 0.5 * light.max() * np.exp(-0.5 * distance**2)
        mask |= distance < 4.0
    return light, mask


def particle_picture(setting: Setting, rng: np.random.Generator) -> np.ndarray:
    """Particles of the galaxy, each smoothed to its 16th neighbour."""
    from scipy.spatial import cKDTree

    spot = rng.uniform(-1.0, 1.0, (3 * setting.particles, 2))
    size = isophote_radius(*spot.T, setting)
    spot, size = spot[size < 1.0][: setting.particles], size[size < 1.0][: setting.particles]
    reach = rng.gamma(2.0, 1.0 / 1.678, len(spot)) / half_light_scale(setting)
    flat = spot / size[:, None] * reach[:, None] * [1.0, setting.axis_ratio]
    positions = np.column_stack([flat, rng.normal(0.0, 0.2, len(flat))]) * setting.r_eff_px
    widths = np.maximum(cKDTree(positions).query(positions, [17])[0][:, 0], 0.6)
    roll = rng.uniform(0.0, np.pi)
    camera = np.array([[np.cos(roll), np.sin(roll), 0.0], [-np.sin(roll), np.cos(roll), 0.0], [0.0, 0.0, 1.0]])
    picture = kernels.project(positions, np.ones(len(flat)), widths, camera[None], 0.5 * _PIXELS, _PIXELS)[0]
    return 0.5 * (picture + picture[::-1, ::-1]) if setting.noise == "folded" else picture


def trial(setting: Setting, rng: np.random.Generator) -> tuple[isophotes.Shape, float]:
    """One measurement, and the Cramer-Rao bound (NaN for particles)."""
    if setting.noise in ("particles", "folded"):
        return isophotes.measure(particle_picture(setting, rng)), np.nan
    light, size = noise_free(setting, rng)
    sigma = noise_sigma(light, size, setting)
    image, mask = neighbours(light, setting, rng)
    if setting.noise != "none":
        image = image + sigma * rng.normal(size=image.shape)
    blur_px = setting.psf_sigma_over_h * setting.r_eff_px / 1.678 if setting.psf else 0.0
    shape = isophotes.measure(image, mask=mask, psf_sigma_px=blur_px if setting.is_told else None)
    return shape, limit(light, size, sigma, setting)


def run(setting: Setting, trials: int) -> dict:
    """The figures of one setting."""
    rng = np.random.default_rng(7)
    done = [trial(setting, rng) for _ in range(trials)]
    shapes = [shape for shape, _ in done]
    b4, b6 = truth(setting)
    row = {"name": setting.name, "trials": trials, "b4": b4, "b6": b6}
    row["returned"] = float(np.mean([np.isfinite(shape.b4) for shape in shapes]))
    row["right_sign"] = float(np.mean([np.sign(shape.b4) == np.sign(b4) for shape in shapes]))
    row["limit"] = float(np.sqrt(np.mean([bound**2 for _, bound in done])))
    for name, value in (("b4", b4), ("b6", b6), ("a4", 0.0)):
        miss = np.array([getattr(shape, name) for shape in shapes]) - value
        error = np.array([getattr(shape, f"{name}_err") for shape in shapes])
        row |= {f"{name}_bias": float(np.nanmean(miss)), f"{name}_rms": float(np.nanmean(miss**2) ** 0.5)}
        row |= {f"{name}_err": float(np.nanmean(error**2) ** 0.5)}
        row |= {f"{name}_covered": float(np.mean(np.abs(miss) < error))}
    row["flags"] = {flag: sum(shape.flag == flag for shape in shapes) for flag in {shape.flag for shape in shapes}}
    return row | {"setting": asdict(setting)}


def settings() -> list[Setting]:
    """What is tried: accuracy at S/N 50, then errors under every kind of noise."""
    found = []
    for a4 in (-0.10, -0.07, -0.04, -0.02, 0.02, 0.05, 0.08, 0.10):
        for axis_ratio in (0.4, 0.7, 0.95):
            if abs(a4) / np.sqrt(axis_ratio) < 0.138:  # no superellipse reaches further
                base = Setting(f"a4 {a4:+.2f} q {axis_ratio}", exponent_for(a4, axis_ratio), axis_ratio=axis_ratio)
                found += [base, replace(base, name=f"{base.name} pixel", per_pixel=True)]
    for cap in (0.4, 0.5, 0.6, 0.7):
        base = Setting(f"obround {cap}", cap=cap)
        found += [base, replace(base, name=f"{base.name} pixel", per_pixel=True)]
    plain, oval = Setting("white"), Setting("white oval", 2.0)
    found += [plain, oval, replace(plain, name="white pixel", per_pixel=True)]
    found += [replace(plain, name=f"white S/N {snr}", snr=snr) for snr in (20, 100)]
    for r_eff in (6.0, 10.0):
        found.append(replace(plain, name=f"white r_eff {r_eff:.0f}", r_eff_px=r_eff))
    found += [replace(plain, name=f"white q {q}", axis_ratio=q) for q in (0.4, 1.0)]
    found += [replace(plain, name="white q 1.0 pixel", axis_ratio=1.0, per_pixel=True)]
    found += [replace(oval, name="white oval round", axis_ratio=1.0)]
    for psf in ("gauss", "moffat"):
        blurred = replace(plain, name=f"{psf} white", psf=psf, is_told=False)
        found += [blurred, replace(blurred, name=f"{psf} white pixel", per_pixel=True)]
        found += [replace(blurred, name=f"{psf} told white pixel", per_pixel=True, is_told=True)]
    found += [replace(plain, name="white pixel, PSF unknown", per_pixel=True, is_told=False)]
    found += [replace(plain, name="poisson", noise="poisson"), replace(oval, name="poisson oval", noise="poisson")]
    found += [replace(plain, name="poisson pixel", noise="poisson", per_pixel=True)]
    found += [replace(plain, name="gauss poisson", noise="poisson", psf="gauss", is_told=False)]
    found += [replace(plain, name=f"masked {noise}", neighbours=2, noise=noise) for noise in ("white", "poisson")]
    for word, count in (("1e4", 10000), ("3e4", 30000), ("1e5", 100000), ("3e5", 300000)):
        for noise in ("particles", "folded"):
            found.append(Setting(f"{noise} {word}", noise=noise, particles=count))
            found.append(Setting(f"{noise} oval {word}", 2.0, noise=noise, particles=count))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=20, help="trials of each setting")
    parser.add_argument("--only", default="", help="settings whose name holds this word")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    rows = []
    for setting in (s for s in settings() if options.only in s.name):
        rows.append(run(setting, options.trials))
        if not options.json:
            print(_line(rows[-1]), flush=True)
    if options.json:
        json.dump({"trials": options.trials, "rows": rows}, sys.stdout)
        print()


def _line(row: dict) -> str:
    """A setting as a line of text."""
    parts = [f"{row['name']:24s} b4 {row['b4']:+.4f} returned {row['returned']:.3f} sign {row['right_sign']:.2f}"]
    parts += [f"limit {row['limit']:.4f}"]
    for name in ("b4", "b6", "a4"):
        parts.append(
            f"{name}: bias {row[f'{name}_bias']:+.4f} rms {row[f'{name}_rms']:.4f} err {row[f'{name}_err']:.4f}"
            f" covered {row[f'{name}_covered']:.2f}"
        )
    return "  ".join(parts) + f"  {row['flags']}"


if __name__ == "__main__":
    main()
