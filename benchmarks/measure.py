"""Speed and accuracy of the isophote measurement, and its time against photutils' on the same pictures.

usage: python benchmarks/measure.py [--pictures N] [--processes N] [--photutils N] [--json]

The pictures are 64 x 64: superellipses of exponents 1.6 to 10, axis ratios 0.4 to 0.95, effective radii 6 to 10 pixels,
any angle, centre off by up to half a pixel, white noise of S/N 50 in the ring one pixel wide at the effective radius
(half of them) or in each pixel of it (the other half, whose errors are given apart).
"""

import argparse
import json
import time
import warnings
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from ruler import Setting, limit, noise_free, noise_sigma, truth

from galclass import isophotes


def pictures(count: int, seed: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[Setting]]:
    """Pictures (n, 64, 64), their true b4 (n,), the Cramer-Rao bounds of b4 (n,), and what they show."""
    rng = np.random.default_rng(seed)
    images, truths, limits, settings = [], [], [], []
    for number in range(count):
        setting = Setting(
            "",
            exponent=float(np.exp(rng.uniform(np.log(1.6), np.log(10.0)))),
            axis_ratio=rng.uniform(0.4, 0.95),
            r_eff_px=rng.uniform(6.0, 10.0),
            per_pixel=number % 2 == 1,
        )
        light, size = noise_free(setting, rng)
        sigma = noise_sigma(light, size, setting)
        images.append(light + sigma * rng.normal(size=light.shape))
        truths.append(truth(setting)[0])
        limits.append(limit(light, size, sigma, setting))
        settings.append(setting)
    return np.array(images), np.array(truths), np.array(limits), settings


def timed(images: np.ndarray, processes: int) -> tuple[list[isophotes.Shape], float]:
    """The shapes, and the wall-clock time of all [s]; workers are started and warmed before."""
    if processes == 1:
        isophotes.measure(images[0])
        begun = time.perf_counter()
        return [isophotes.measure(image) for image in images], time.perf_counter() - begun
    with ProcessPoolExecutor(processes) as pool:
        list(pool.map(isophotes.measure, images[:4]))
        begun = time.perf_counter()
        return list(pool.map(isophotes.measure, images, chunksize=8)), time.perf_counter() - begun


def photutils_time(images: np.ndarray, settings: list[Setting], shapes: list[isophotes.Shape]) -> tuple[float, float]:
    """Time of `Ellipse.fit_image` from our ellipse [s per picture], and the share of pictures it found ellipses in."""
    from photutils.isophote import Ellipse, EllipseGeometry

    found, begun = 0, time.perf_counter()
    for image, setting, shape in zip(images, settings, shapes, strict=True):
        geometry = EllipseGeometry(shape.x, shape.y, setting.r_eff_px, 1.0 - shape.axis_ratio, np.deg2rad(shape.pa_deg))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found += len(Ellipse(image, geometry).fit_image(maxsma=2.5 * setting.r_eff_px)) > 0
    return (time.perf_counter() - begun) / max(len(images), 1), found / max(len(images), 1)


def errors(shapes: list[isophotes.Shape], truths: np.ndarray, limits: np.ndarray) -> dict:
    """How far b4 is off, how often its error bar holds the truth, and its sign where |b4| > 0.01."""
    miss = np.array([shape.b4 for shape in shapes]) - truths
    stated = np.array([shape.b4_err for shape in shapes])
    return {
        "b4_rms": float(np.nanmean(miss**2) ** 0.5),
        "b4_bias": float(np.nanmean(miss)),
        "b4_median_error": float(np.nanmedian(np.abs(miss))),
        "b4_limit": float(np.mean(limits**2) ** 0.5),
        "b4_covered": float(np.mean(np.abs(miss) < stated)),
        "right_sign": float(np.mean((np.sign(truths) * (miss + truths) > 0)[np.abs(truths) > 0.01])),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=300)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--photutils", type=int, default=6, help="pictures to give to photutils as well")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    images, truths, limits, settings = pictures(options.pictures)
    shapes, seconds = timed(images, options.processes)
    few = slice(0, options.photutils)
    alone = timed(images[few], 1)[1] / max(len(images[few]), 1)
    theirs, theirs_found = photutils_time(images[few], settings[few], shapes[few])
    row = {
        "pictures": options.pictures,
        "pixels": images.shape[1],
        "processes": options.processes,
        "ms_per_picture": 1e3 * seconds / options.pictures,
        "minutes_for_10000": 1e4 * seconds / options.pictures / 60.0,
        "returned": float(np.mean([np.isfinite(shape.b4) for shape in shapes])),
        **errors(shapes[::2], truths[::2], limits[::2]),
        "snr_50_per_pixel": errors(shapes[1::2], truths[1::2], limits[1::2]),
        "photutils_ms_per_picture": 1e3 * theirs,
        "photutils_returned": theirs_found,
        "photutils_time_over_ours": theirs / alone,
    }
    if options.json:
        print(json.dumps(row))
    else:
        for name, value in row.items():
            print(f"{name:28s} {value}")


if __name__ == "__main__":
    main()
