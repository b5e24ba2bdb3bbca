"""What chance gives: galaxies that nobody calls a candidate, to hold every score against.

Random frames of the same simulations tell how a candidate stands among what the mergers make anyway. Ovals are the
candidates themselves with their isophotes made ellipses: each keeps its axis ratio, size, light profile and noise, and
loses its shape only. Controls are real galaxies, where a folder of them is given.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from galclass import config, images, network
from galclass.errors import InputError
from galclass.verify.alignment import in_ellipse, ring_means
from galclass.verify.likeness import Sight, read_sight

#: What the nulls are called, in the order of their columns.
KINDS = ("frames", "ovals", "controls")
_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".fits", ".fit", ".fits.gz")
_RING_PX = 0.75
#: Variance of a pixel less the mean of its four neighbours, over that of white noise.
_DIFFERENCE_VARIANCE = 1.25


def random_rows(lengths: Sequence[int], count: int, seed: int) -> list[tuple[int, int]]:
    """Random frames of packs of these lengths, as (pack, row), each at most once, in order."""
    total = sum(lengths)
    chosen = np.sort(np.random.default_rng(seed).choice(total, min(count, total), replace=False))
    starts = np.cumsum([0, *lengths])
    packs = np.searchsorted(starts, chosen, "right") - 1
    return [(int(pack), int(row)) for pack, row in zip(packs, chosen - starts[packs], strict=True)]


def twin(sight: Sight, b4: float, b6: float, depth_dex: float, rng: np.random.Generator) -> Sight:
    """A galaxy with its isophotes replaced: its mean brightness on its own ellipses, laid on others, turned at random.

    Parameters
    ----------
    sight : Sight
        With flux as its light.
    b4, b6 : float
        Harmonics of the new isophotes, a (1 + B4 cos 4E + B6 cos 6E) about its ellipse; an oval has none.
    depth_dex : float
        Stretch of the picture.
    rng : Generator
        For the turn, and for noise as strong as that of the galaxy's own pixels.
    """
    light = np.asarray(sight.light, dtype=float)
    found = network.galaxy_ellipses(np.asarray(light[None], np.float32))
    place = float(found.x[0]), float(found.y[0]), float(found.axis_ratio[0])
    rings = in_ellipse(light.shape, *place, float(found.angle[0]))[0] / _RING_PX
    turned, anomaly = in_ellipse(light.shape, *place, rng.uniform(0.0, np.pi))
    turned /= _RING_PX * (1.0 + b4 * np.cos(4.0 * anomaly) + b6 * np.cos(6.0 * anomaly))
    noise = np.sqrt(ring_means(_neighbour_difference(light) ** 2 / _DIFFERENCE_VARIANCE, rings, turned))
    flux = ring_means(light, rings, turned) + noise * rng.standard_normal(light.shape)
    picture = np.asarray(images.stretch(flux, depth_dex), dtype=float)
    return Sight(picture, flux, "flux", picture)


def _neighbour_difference(light: np.ndarray) -> np.ndarray:
    """Each pixel less the mean of its four neighbours."""
    padded = np.pad(light, 1, mode="edge")
    return light - 0.25 * (padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:])


def control_files(settings: dict) -> list[Path]:
    """Pictures of the folder of controls and its sub-folders, chosen at random, in order.

    Parameters
    ----------
    settings : dict
        The section `verify`: `controls`, `null_frames` (how many at most) and `seed`.

    Raises
    ------
    InputError
        There is no such folder, or no picture in it.
    """
    folder = config.resolve(settings["controls"])
    if not folder.is_dir():
        raise InputError(f"verify.controls: {folder} is no folder; give one with pictures of ordinary galaxies, or ''")
    files = sorted(path for path in folder.rglob("*") if path.name.lower().endswith(_PICTURES))
    if not files:
        raise InputError(f"verify.controls: no picture in {folder}; allowed are {', '.join(_PICTURES)}")
    return [files[row] for _, row in random_rows([len(files)], settings["null_frames"], settings["seed"])]


def read_controls(files: Sequence[Path], depth_dex: float) -> tuple[list[Path], list[Sight]]:
    """Those of the files that can be read, and the galaxies in them."""
    good: list[tuple[Path, Sight]] = []
    for path in files:
        try:
            good.append((path, read_sight(path, depth_dex)))
        except InputError as error:
            print(f"verify: control left out: {error}", flush=True)
    return [path for path, _ in good], [sight for _, sight in good]
