"""SIFT finds real galaxies again: SDSS pictures of the same galaxy in a normal and in a wide field.

The data are not part of the project; GALCLASS_REAL_DATA names their folder.
"""

import os
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from galclass import config, images
from galclass.verify.keypoints import matched, sift

DATA = Path(os.environ.get("GALCLASS_REAL_DATA", config.ROOT.parent / "shared" / "data"))
PICTURES = DATA / "sdss_color" / "images.zip"
SETTINGS = config.load()["verify"]["sift"]
#: So many inliers count as the same galaxy.
ENOUGH = 8
PAIRS = 40

pytestmark = pytest.mark.skipif(
    not PICTURES.is_file(), reason=f"{PICTURES} is missing; set GALCLASS_REAL_DATA to the folder of real data"
)


@pytest.fixture(scope="module")
def fields(tmp_path_factory):
    """Keypoints of the normal and the wide field of every eighth galaxy that has both: two lists."""
    table = pd.read_csv(PICTURES.with_name("index.csv"), dtype={"sdss_objid": str})
    both = table.pivot(index="sdss_objid", columns="wide_field", values="file").dropna().iloc[::8][:PAIRS]
    folder = tmp_path_factory.mktemp("sdss")
    with zipfile.ZipFile(PICTURES) as archive:
        members = {Path(name).name: name for name in archive.namelist()}
        return [[_keypoints(archive.extract(members[name], folder)) for name in both[wide]] for wide in (0, 1)]


def _keypoints(path):
    return sift(images.read_picture(Path(path))[0], SETTINGS)


def test_pictures_of_the_same_galaxy_match(fields):
    inliers = [matched(normal, wide, SETTINGS).inliers for normal, wide in zip(*fields, strict=True)]
    assert len(inliers) == PAIRS
    # 350 of all 351 pairs have 8 or more (M 87, which fills the picture, has 7), half of them 150 or more; one
    # in 40 is the 98 % that is asked for
    assert np.sum(np.array(inliers) < ENOUGH) <= 1
    assert np.median(inliers) > 100


@pytest.mark.parametrize("kind", [0, 1], ids=["normal field", "wide field"])
def test_pictures_of_different_galaxies_do_not_match(fields, kind):
    rng = np.random.default_rng(1)
    pairs = [rng.choice(PAIRS, 2, replace=False) for _ in range(200)]
    inliers = [matched(fields[0][first], fields[kind][second], SETTINGS).inliers for first, second in pairs]
    # of thousands of random pairs one reached 8 (two bright stars with the same spikes) and the rest at most 5, but
    # for neighbours in the sky that are both in both pictures; none of those is among these 40 galaxies
    assert max(inliers) < ENOUGH


def test_wide_field_is_found_where_the_normal_field_is(fields):
    """Both fields have the same pixels, so that the transformation is a shift by the 100 pixels that were added."""
    normal, wide = (side[3] for side in fields)
    found = matched(normal, wide, SETTINGS)
    shifts = (found.second - found.first)[found.is_inlier]
    assert np.median(shifts, axis=0) == pytest.approx([100.0, 100.0], abs=1.0)  # centred to a pixel
    assert np.abs(shifts - np.median(shifts, axis=0)).max() < 2 * SETTINGS["inlier_px"]
