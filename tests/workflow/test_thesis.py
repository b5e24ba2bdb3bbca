"""The target `thesis` at its smallest: its networks, the noise removed, and its report."""

import json

import pandas as pd
import pytest

from galclass import images

pytestmark = pytest.mark.slow

NETWORKS = ("oval-rectangle", "rectangle-obround", "oval-rectangle-obround")


@pytest.fixture(scope="module")
def reproduced(finished):
    """The target `thesis`, made from the simulations and pictures that the flow has left."""
    done = finished.snakemake("--", "thesis")
    assert done.returncode == 0, done.stdout + done.stderr
    return finished


def test_every_network_classified_every_run_raw_and_clean(reproduced):
    results = reproduced.folder / "results"
    for name in NETWORKS:
        assert json.loads((results / "train" / "thesis" / name / "card.json").read_text())["classes"] == name.split("-")
        for variant in ("raw", "clean"):
            folder = results / "classify" / "thesis" / name / variant
            assert {path.name for path in folder.glob("*.out")} == {"box.out", "oval.out"}
    shares = pd.read_csv(results / "report" / "thesis_shares.csv")
    assert len(shares) == len(NETWORKS) * 2 * 2
    assert (shares["frames"] == 12).all()
    assert shares[["oval", "rectangle", "obround"]].sum(axis=1).to_numpy() == pytest.approx(1.0, abs=1e-5)


def test_the_noise_is_removed_from_the_same_frames(reproduced):
    raw, clean = (
        images.read_pack(reproduced.folder / "results" / place / "box.h5") for place in ("render/mergers", "clean")
    )
    assert clean.frames.equals(raw.frames)
    assert clean.provenance["stage"] == "clean"
    assert (clean.images != raw.images).any()


def test_the_report_says_what_was_not_run(reproduced):
    """The smallest configuration runs two mergers of its own and none of the thesis's models."""
    page = (reproduced.folder / "results" / "report" / "thesis.html").read_text()
    assert page.count("needs gas") >= 8 and page.count("not run") >= 4
    assert page.count("<script") == page.count('<script type="application/json"') == 1 and 'src="http' not in page


@pytest.mark.parametrize(
    ("overlay", "expected"),
    [
        ("train: {thesis: {epochs: 3}}", {"train_thesis": 3, "classify_thesis": 6, "report_thesis": 1}),
        ("clean: {smoothing_px: 1.0}", {"clean": 2, "classify_thesis": 3, "report_thesis": 1}),
        ("verify: {candidates: 3}", {}),
    ],
)
def test_editing_a_value_reruns_what_depends_on_it(reproduced, overlay, expected):
    assert reproduced.planned("--", "results/report/thesis.html", overlays=(reproduced.overlay(overlay),)) == expected
