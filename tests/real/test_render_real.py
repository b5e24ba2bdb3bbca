"""Other people's GADGET files: our pictures of them show the two discs they hold."""

import os
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import label

from galclass import config, images, render, snapshot

DATA = Path(os.environ.get("GALCLASS_REAL_DATA", config.ROOT.parent / "shared" / "data")) / "gadget"
FILES = ("galaxy_littleendian.dat", "merger_000")

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"no real data in {DATA}; set GALCLASS_REAL_DATA")


@pytest.fixture
def settings():
    render_settings = config.load()["render"]
    telescope = {**render_settings["telescope"], "preset": "thesis"}  # the files' galaxies are not dwarfs at 21 Mpc
    changed = {"pixels": 64, "views": 30, "film_views": 3, "film_field_kpc": 250.0, "telescope": telescope}
    return {**render_settings, **changed}


def pieces(picture, level):
    """Number of separate regions brighter than a level, specks of a pixel or two left out."""
    regions, count = label(picture > level)
    return sum(np.count_nonzero(regions == index + 1) > 2 for index in range(count))


@pytest.mark.parametrize("name", FILES)
def test_two_discs_from_most_sides(name, settings, tmp_path):
    render.run([DATA / name], settings, tmp_path / "pack.h5", "")
    pack = images.read_pack(tmp_path / "pack.h5")
    counts = [pieces(picture, 0.6) for picture in pack.images]
    # Two discs cover each other when seen along the line between them: for half of the sphere at most.
    assert max(counts) == 2
    assert counts.count(2) > 15
    assert set(pack.frames["run"]) == {Path(name).stem}


@pytest.mark.parametrize("name", FILES)
def test_film_shows_both_where_they_are(name, settings, tmp_path):
    render.run_film([DATA / name], settings, tmp_path / "film.h5", "")
    light = images.unstretch(images.read_pack(tmp_path / "film.h5").images[0], 3.0)
    discs = snapshot.read(DATA / name).select([2])
    half = np.argsort(discs.ids, kind="stable").reshape(2, -1)
    middle = discs.positions.mean(axis=0)
    pixel = settings["film_field_kpc"] / settings["pixels"]
    for ids in half:
        x, y = (snapshot.centre(discs.positions[ids], discs.masses[ids]) - middle)[:2] / pixel + 31.5
        near = light[int(y) - 2 : int(y) + 4, int(x) - 2 : int(x) + 4]
        assert near.max() > 0.2


def test_each_disc_holds_half_of_the_light(settings, tmp_path):
    """merger_000 is a merger of equals seen face-on along z: the halves of the picture are equally bright."""
    settings["film_field_kpc"] = 150.0
    render.run_film([DATA / "merger_000"], settings, tmp_path / "film.h5", "")
    light = images.unstretch(images.read_pack(tmp_path / "film.h5").images[0], 3.0)
    regions, count = label(light > 0.01)
    shares = sorted(light[regions == index + 1].sum() / light.sum() for index in range(count))[-2:]
    # Discs made alike from different random numbers; the faint rims between them are shared out.
    assert shares == pytest.approx([0.5, 0.5], abs=0.05)
