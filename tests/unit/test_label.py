"""Labels against measured shapes: agreement, its table, and the list of what disagrees."""

import numpy as np
import pandas as pd
import pytest

from galclass import catalog, images, label
from galclass.errors import InputError
from galclass.statistics import clustered_interval, wilson_interval

SETTINGS = {"inner_effective_radii": 1.0, "outer_effective_radii": 2.5}
DEPTH_DEX = 3.0


def picture(exponent, pa_deg):
    """A stretched picture of a superelliptic galaxy."""
    y, x = np.indices((50, 50)) - 24.5
    pa = np.deg2rad(pa_deg)
    along, across = x * np.cos(pa) + y * np.sin(pa), (y * np.cos(pa) - x * np.sin(pa)) / 0.7
    radius = (np.abs(along) ** exponent + np.abs(across) ** exponent) ** (1.0 / exponent)
    return images.stretch(np.exp(-radius / 4.0), DEPTH_DEX)


def frames(models, labels):
    """Rows of a pack for one picture a row."""
    table = pd.DataFrame({name: np.zeros(len(models)) for name in images.FRAME_COLUMNS})
    return table.assign(frame=np.arange(len(models)), run=models, snapshot=models, label=labels, seed=1)


@pytest.fixture
def pack(tmp_path):
    """Two pictures each of an oval, a box, a box that is labelled oval, and one picture without label."""
    pictures = [picture(e, pa) for e in (2.0, 4.0, 4.0) for pa in (10.0, 50.0)] + [picture(2.0, 0.0)]
    models = ["round"] * 2 + ["box"] * 2 + ["wrong"] * 2 + ["unknown"]
    labels = ["oval"] * 2 + ["rectangle"] * 2 + ["oval"] * 2 + [""]
    path = tmp_path / "shapes.h5"
    images.write_pack(path, np.stack(pictures), frames(models, labels), {"settings": {"depth_dex": DEPTH_DEX}})
    return path


@pytest.fixture
def written(pack, tmp_path, monkeypatch):
    """The stage run on the pack."""
    monkeypatch.setattr(label.provenance, "record", lambda *_, **__: {"stage": "label"})
    output = tmp_path / "label" / "shapes.parquet"
    label.run(pack, SETTINGS, output)
    return output


def test_table_has_one_row_for_each_picture(written):
    table = catalog.read_table(written)
    assert list(table.columns) == [
        "run", "snapshot", "frame", "time_gyr", "view_x", "view_y", "view_z", "snr", "label", "b4", "b4_err", "b6",
        "b6_err", "axis_ratio", "r_eff_px", "a4_over_a", "p_label", "method", "flag", "measured_label", "agrees",
    ]  # fmt: skip
    assert list(table["frame"]) == [0, 1, 2, 3, 4, 5, 6]
    assert list(table["measured_label"]) == ["oval"] * 2 + ["rectangle"] * 4 + ["oval"]
    assert list(table["agrees"][:6]) == [True] * 4 + [False] * 2


def test_measured_shape_is_that_of_the_picture(written):
    table = catalog.read_table(written)
    # Exponent 4 has B4 = -0.086; the stretch is exact above its floor, and pixels are not averaged here.
    np.testing.assert_allclose(table["b4"][2:6], -0.086, atol=0.003)
    np.testing.assert_allclose(table["b4"][:2], 0.0, atol=0.002)
    np.testing.assert_allclose(table["axis_ratio"], 0.7, atol=0.01)
    assert (table["b4_err"] > 0).all()


def test_disagreements_are_listed(written):
    listed = pd.read_csv(written.with_name("shapes_disagreements.csv"))
    assert list(listed["frame"]) == [4, 5]
    assert set(listed["run"]) == {"wrong"}
    assert set(listed["measured_label"]) == {"rectangle"}


def test_models_are_judged_by_their_mean(written):
    models = catalog.read_table(written.with_name("shapes_models.parquet"))
    assert list(models["run"]) == ["round", "box", "wrong"]
    assert list(models["agrees"]) == [True, True, False]
    assert list(models["pictures"]) == [2, 2, 2]
    assert list(models["agreeing"]) == [1.0, 1.0, 0.0]
    table = catalog.read_table(written)
    assert models["b4"][1] == pytest.approx(table["b4"][2:4].mean())
    assert models["b4_scatter"][1] == pytest.approx(table["b4"][2:4].std())


def test_one_line_of_summary(pack, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(label.provenance, "record", lambda *_, **__: {})
    label.run(pack, SETTINGS, tmp_path / "out.parquet")
    line = capsys.readouterr().err.strip()
    assert line.startswith("label: 6 pictures, 66.7 % agree; 3 models, 66.7 % agree; 2 pictures listed in ")
    assert line.endswith("out_disagreements.csv")


def test_same_pictures_same_bytes(pack, tmp_path, monkeypatch):
    monkeypatch.setattr(label.provenance, "record", lambda *_, **__: {})
    for name in ("a.parquet", "b.parquet"):
        label.run(pack, SETTINGS, tmp_path / name)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_depth_of_the_stretch_comes_from_the_pack(tmp_path, monkeypatch):
    """The same galaxy stretched to another depth measures the same, since the pack says how deep it is."""
    monkeypatch.setattr(label.provenance, "record", lambda *_, **__: {})
    found = []
    for depth in (2.5, 4.0):
        y, x = np.indices((50, 50)) - 24.5
        density = np.exp(-((x**4 + (y / 0.7) ** 4) ** 0.25) / 4.0)
        path = tmp_path / f"{depth}.h5"
        pictures = images.stretch(density, depth)[None]
        images.write_pack(path, pictures, frames(["box"], ["rectangle"]), {"settings": {"depth_dex": depth}})
        label.run(path, SETTINGS, tmp_path / f"{depth}.parquet")
        found.append(catalog.read_table(tmp_path / f"{depth}.parquet")["b4"][0])
    # Pixels below the shallower floor, outside the zone, change the effective radius a little.
    assert found[0] == pytest.approx(found[1], abs=1e-3)


@pytest.fixture
def merger(tmp_path):
    """Three snapshots of four views: two ovals and one with two boxes, seen through noise."""
    exponents = [2.0] * 8 + [4.0, 4.0, 2.0, 2.0]
    deep = np.stack([images.unstretch(picture(exponent, 20.0), DEPTH_DEX) for exponent in exponents])
    flux = deep + np.random.default_rng(1).normal(0.0, 0.1, deep.shape)
    table = frames(["box"] * 12, [""] * 12).assign(snapshot=np.repeat(["s0", "s1", "s2"], 4), snr=7.0)
    path = tmp_path / "box.h5"
    record = {"settings": {"depth_dex": DEPTH_DEX}}
    images.write_pack(path, images.stretch(flux, DEPTH_DEX), table, record, {"flux": flux, "deep": deep})
    return path


def test_frames_are_labelled_by_their_deep_pictures_whatever_the_noise(merger, tmp_path, capsys):
    output = tmp_path / "box.parquet"
    label.run(merger, SETTINGS, output)
    table = catalog.read_table(output)
    assert list(table["measured_label"]) == ["oval"] * 8 + ["rectangle"] * 2 + ["oval"] * 2
    assert (table["p_label"] > 0.9).all() and (table["snr"] == 7.0).all()
    assert (
        "label: box: 12 frames, 2 rectangle, 0 obround, 10 oval, 0 none; rectangles 16.7 %" in capsys.readouterr().err
    )


def test_share_of_rectangles_has_the_interval_of_the_snapshots(merger, tmp_path):
    label.run(merger, SETTINGS, tmp_path / "box.parquet")
    counted = label.counts(catalog.read_table(tmp_path / "box.parquet")).iloc[0]
    assert (counted["frames"], counted["rectangle"], counted["oval"]) == (12, 2, 10)
    expected = clustered_interval(np.array([0, 0, 2]), np.array([4, 4, 4]))
    assert (counted["low"], counted["high"]) == pytest.approx(expected)
    assert counted["high"] - counted["low"] > np.subtract(*wilson_interval(2, 12)[::-1])


def test_missing_pack_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        label.run(tmp_path / "nowhere.h5", SETTINGS, tmp_path / "out.parquet")


def test_an_empty_picture_is_none_of_these_and_the_others_are_measured(tmp_path):
    path = tmp_path / "blank.h5"
    pictures = np.stack([np.zeros((50, 50)), picture(4.0, 20.0)])
    images.write_pack(path, pictures, frames(["box"] * 2, [""] * 2), {"settings": {"depth_dex": DEPTH_DEX}})
    label.run(path, SETTINGS, tmp_path / "out.parquet")
    table = catalog.read_table(tmp_path / "out.parquet")
    assert list(table["measured_label"]) == ["none", "rectangle"]
    assert np.isnan(table["b4"][0]) and "without light" in table["flag"][0]


def test_a_picture_narrower_than_its_isophotes_has_no_label(tmp_path):
    """The field of a survey's pixels may show the middle of a galaxy only, which looks like a small one."""
    path = tmp_path / "near.h5"
    table = frames(["box"] * 2, [""] * 2).assign(pixel_kpc=0.02, effective_radius_kpc=[1.0, 0.2])
    images.write_pack(path, np.stack([picture(4.0, 20.0)] * 2), table, {"settings": {"depth_dex": DEPTH_DEX}})
    label.run(path, SETTINGS, tmp_path / "out.parquet")
    measured = catalog.read_table(tmp_path / "out.parquet")
    assert list(measured["measured_label"]) == ["none", "rectangle"]
    assert measured["flag"][0].startswith("the picture ends at 0.50 effective radii")
