"""Labels against measured shapes: agreement, its table, and the list of what disagrees."""

import numpy as np
import pandas as pd
import pytest

from galclass import catalog, images, label
from galclass.errors import InputError

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


def test_table_has_one_row_for_each_labelled_picture(written):
    table = catalog.read_table(written)
    assert list(table.columns) == [
        "frame", "run", "label", "b4", "b4_err", "b6", "b6_err", "axis_ratio", "flag",
        "measured_label", "agrees",
    ]  # fmt: skip
    assert list(table["frame"]) == [0, 1, 2, 3, 4, 5]
    assert list(table["measured_label"]) == ["oval"] * 2 + ["rectangle"] * 4
    assert list(table["agrees"]) == [True] * 4 + [False] * 2


def test_measured_shape_is_that_of_the_picture(written):
    table = catalog.read_table(written)
    # Exponent 4 has B4 = -0.086; the stretch is exact above its floor, and pixels are not averaged here.
    np.testing.assert_allclose(table["b4"][2:], -0.086, atol=0.003)
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


def test_pack_without_labels_is_refused(tmp_path):
    path = tmp_path / "merger.h5"
    images.write_pack(path, picture(2.0, 0.0)[None], frames(["box"], [""]), {"settings": {"depth_dex": DEPTH_DEX}})
    with pytest.raises(InputError, match="no labelled picture; labels come with"):
        label.run(path, SETTINGS, tmp_path / "out.parquet")
    assert not (tmp_path / "out.parquet").exists()


def test_missing_pack_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        label.run(tmp_path / "nowhere.h5", SETTINGS, tmp_path / "out.parquet")


def test_an_empty_picture_disagrees_or_is_refused_but_never_agrees(tmp_path):
    """A blank picture cannot be measured: one clear line."""
    with pytest.raises(InputError, match="without a positive pixel"):
        label.measure(np.zeros((1, 50, 50)), frames(["box"], ["rectangle"]), DEPTH_DEX, SETTINGS)
