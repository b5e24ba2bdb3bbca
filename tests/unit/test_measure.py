"""The verb `measure`: an answer for each input in order, whatever happened to the others."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits

from galclass import catalog, images, measure, ruler

SETTINGS = {"fast": True, "deep": False, "inner_effective_radii": 1.0, "outer_effective_radii": 2.5}
CONTRACT = ("x", "y", "r_eff_px", "axis_ratio", "pa_deg", "b4", "b4_err", "b6", "b6_err", "a4_over_a", "label",
            "p_label", "method", "flag")  # fmt: skip


def galaxy(exponent=3.0, x=24.2, noise=0.003, seed=1):
    """A picture of 50 x 50 pixels of a galaxy on superelliptic isophotes."""
    rows, columns = np.indices((50, 50))
    size = (np.abs((columns - x) / 1.2) ** exponent + np.abs((rows - 25.1) / 0.8) ** exponent) ** (1.0 / exponent)
    return np.exp(-size / 3.0) + noise * np.random.default_rng(seed).normal(size=rows.shape)


@pytest.fixture
def folder(tmp_path) -> Path:
    """A FITS file with a bad pixel, a PNG, a pack of three frames, and a file that is no picture."""
    light = galaxy()
    light[3, 4] = np.nan
    fits.PrimaryHDU(light.astype(np.float32)).writeto(tmp_path / "flux.fits")
    images.write_png(tmp_path / "eye.png", np.clip(np.sqrt(np.maximum(galaxy(), 0.0)), 0.0, 1.0))
    (tmp_path / "broken.png").write_bytes(b"no picture")
    flux = np.stack([galaxy(2.0), galaxy(3.0), galaxy(2.5)])
    write_pack(tmp_path / "run_7.h5", flux, np.stack([galaxy(2.0, noise=0.0)] * 3))
    return tmp_path


def test_a_psf_that_is_stated_is_taken_off(folder):
    """Three pixels of seeing round a box; stated, its b4 is further from 0, and only the noise is in the error."""
    unknown, none, stated = (
        measure.run([folder / "flux.fits"], SETTINGS | {"psf_fwhm_px": fwhm}, None)[0] for fwhm in (None, 0.0, 3.0)
    )
    assert stated["b4"] < unknown["b4"] < none["b4"] < -0.02
    assert unknown["b4_err"] > none["b4_err"]


def write_pack(path, flux, deep):
    count = len(flux)
    text = {"run": ["run_7"] * count, "snapshot": ["snapshot_000"] * count, "label": [""] * count}
    frames = pd.DataFrame({name: text.get(name, np.arange(count)) for name in images.FRAME_COLUMNS})
    pictures, provenance = images.stretch(flux, 3.0), {"settings": {"depth_dex": 3.0}}
    images.write_pack(path, pictures, frames, provenance, {"flux": flux, "deep": deep})


def galclass(*arguments: str | Path) -> subprocess.CompletedProcess:
    program = Path(sys.executable).with_name("galclass")
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)


def test_json_answers_in_order_and_leaves_with_1_where_one_failed(folder):
    names = ["flux.fits", "broken.png", "eye.png", "missing.fits"]
    done = galclass("measure", "--fast", "--json", *(folder / name for name in names))
    rows = json.loads(done.stdout)
    assert done.returncode == 1
    assert [Path(row["file"]).name for row in rows] == names
    assert ["error" in row for row in rows] == [False, True, False, True]
    for row in (rows[0], rows[2]):
        assert set(CONTRACT) <= set(row)
        assert row["b4"] == pytest.approx(-0.057, abs=0.015)
    assert rows[0]["concentration"] is None  # not measured when fast: null, since JSON has no NaN
    assert "NaN" not in done.stdout


def test_without_json_people_get_a_line_a_picture_and_a_table(folder):
    table = folder / "out" / "shapes.parquet"
    done = galclass("measure", "--fast", folder / "flux.fits", folder / "run_7.h5", "-o", table)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split()[:3] == ["picture", "x", "y"]
    assert [line.split()[0] for line in lines[1:]] == [str(folder / "flux.fits"), *["run_7"] * 3]
    found = catalog.read_table(table)
    assert list(found.columns) == ["file", "run", "frame", *ruler.COLUMNS]
    assert found["frame"].tolist()[1:] == [0, 1, 2]
    assert list(catalog.read_provenance(table)["inputs"]) == [str(folder / "flux.fits"), str(folder / "run_7.h5")]
    assert (folder / "out" / "shapes.csv").is_file()


def test_full_measurement_carries_profile_and_morphology(folder):
    answer = measure.run([folder / "flux.fits"], SETTINGS | {"fast": False}, None)[0]
    assert answer["method"] == "photutils"
    assert answer["gini"] > 0.3
    assert {"sma", "intensity", "ellipticity", "pa_deg", "b4", "b4_err", "b6", "a4"} <= set(answer["profile"])
    json.dumps(answer, allow_nan=False)


def test_pack_has_an_answer_for_each_frame(folder):
    answer = measure.run([folder / "run_7.h5"], SETTINGS, folder / "t.parquet", processes=1)[0]
    assert [(row["run"], row["frame"]) for row in answer["frames"]] == [("run_7", 0), ("run_7", 1), ("run_7", 2)]
    b4 = [row["b4"] for row in answer["frames"]]
    assert b4 == pytest.approx([0.0, -0.057, -0.034], abs=0.012)
    assert list(catalog.read_table(folder / "t.parquet").columns) == ["run", "frame", *ruler.COLUMNS]


def test_deep_takes_the_layer_without_noise(folder):
    answer = measure.run([folder / "run_7.h5"], SETTINGS | {"deep": True}, None, processes=1)[0]
    assert [row["b4"] for row in answer["frames"]] == pytest.approx([0.0] * 3, abs=1e-3)


def test_dark_frame_fails_alone(tmp_path):
    flux = np.stack([galaxy(), np.zeros((50, 50))])
    write_pack(tmp_path / "dark.h5", flux, flux)
    answer = measure.run([tmp_path / "dark.h5"], SETTINGS, None, processes=1)[0]
    assert answer["error"] == "1 of 2 frames failed, the first is 1"
    assert "b4" in answer["frames"][0]
    assert "without light" in answer["frames"][1]["error"]


def test_unforeseen_error_of_one_picture_does_not_end_the_others(folder, monkeypatch):
    real = ruler.measure

    def strange(picture, **options):
        if options["kind"] == "flux":
            raise ValueError("argmin of\nnothing")
        return real(picture, **options)

    monkeypatch.setattr(ruler, "measure", strange)
    answers = measure.run([folder / "flux.fits", folder / "eye.png", folder / "run_7.h5"], SETTINGS, None, processes=1)
    assert answers[0]["error"] == f"{folder / 'flux.fits'}: not measured (ValueError: argmin of nothing)"
    assert "b4" in answers[1]
    assert answers[2]["error"] == "3 of 3 frames failed, the first is 0"


def test_processes_give_the_same_answers(folder):
    files = [folder / name for name in ("flux.fits", "run_7.h5", "broken.png", "eye.png")]
    assert measure.run(files, SETTINGS, None, processes=2) == measure.run(files, SETTINGS, None, processes=1)


def test_nothing_measured_writes_no_table(folder):
    answers = measure.run([folder / "broken.png"], SETTINGS, folder / "none.parquet")
    assert "not a readable" in answers[0]["error"]
    assert not (folder / "none.parquet").exists()
