"""From where a merger looks rectangular: the lattice of views, mirror images, solid angles, spans of time and maps."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from galclass import catalog, config, images, network, plotstyle, rates, render, snapshot, vectors, visibility
from galclass.errors import InputError
from tests.unit.test_network_classifier import some_maps
from tests.unit.test_network_unrolling import galaxy
from tests.unit.test_render import SETTINGS as RENDER
from tests.unit.test_render import pair, stars

SETTINGS = {"visibility": {"directions": 12}, "render": RENDER, "classify": {"batch_size": 5},
            "verify": config.load()["verify"]}  # fmt: skip


def evenly(count):
    """Places on the sphere for integrals: equal steps of height, and azimuths of another irrational than the golden."""
    number = np.arange(count)
    z, azimuth = 1.0 - (2.0 * number + 1.0) / count, 2.0 * np.pi * (np.sqrt(2.0) * number % 1.0)
    return np.stack([np.sqrt(1 - z**2) * np.cos(azimuth), np.sqrt(1 - z**2) * np.sin(azimuth), z], axis=1)


def disc(normal, count=20_000):
    """A thin exponential disc that stands upright on `normal`."""
    flat = stars(count, flat=0.0)
    return snapshot.Snapshot(flat.positions @ vectors.camera(np.array(normal)), flat.velocities, flat.masses, flat.ids,
                             flat.types, flat.time)  # fmt: skip


class Rounder:
    """Stands in for a network: what is rounder than a limit, or than a limit at its number, is a rectangle."""

    classes, layer = ["oval", "rectangle"], "flux"

    def __init__(self, limit):
        self.limit = limit

    def check(self, pixels, depth_dex, path):
        assert pixels == (RENDER["pixels"], RENDER["pixels"])

    def inputs(self, pictures):
        return pictures

    def answer(self, inputs, batch_size):
        p = 1.0 / (1.0 + np.exp(-200.0 * (network.galaxy_ellipses(inputs).axis_ratio - self.limit)))
        return network.Predictions(self.classes, np.stack([1.0 - p, p], axis=1))


@pytest.fixture
def folder(tmp_path):
    """Three snapshots: a pair, and two of a disc; 0.5, 0.6 and 0.7 in time."""
    runs = tmp_path / "box"
    runs.mkdir()
    for number, (time, scene) in enumerate([(0.5, pair(30.0)), (0.6, disc([0, 1, 1], 1500)), (0.7, stars())]):
        moved = snapshot.Snapshot(*(getattr(scene, name) for name in ("positions", "velocities", "masses", "ids",
                                                                      "types")), time)  # fmt: skip
        snapshot.write(runs / f"snapshot_{number:03}.dat", moved)
    return runs


@pytest.fixture
def reference(tmp_path):
    images.write_png(tmp_path / "reference.png", galaxy(0.6, 3.0, 0.0))
    return tmp_path / "reference.png"


@pytest.fixture
def net(tmp_path, monkeypatch):
    """A folder for a network, whose answers are those of `Rounder`, and its held-out predictions."""
    answers = Rounder(np.cos(np.deg2rad(30.0)))
    monkeypatch.setattr(visibility.network, "open_classifier", lambda folder: answers)
    place = tmp_path / "network"
    place.mkdir()
    (place / network.CARD_FILE).write_text("{}")
    rows = [{"run": f"run_{run}", "snapshot": "a", "label": label, "p_oval": float(label == "oval"),
             "p_rectangle": float(label == "rectangle")}
            for run in range(8) for label in ("oval", "rectangle") for _ in range(50)]  # fmt: skip
    catalog.write_table(place / rates.HELDOUT_FILE, pd.DataFrame(rows), {})
    return place


# Lattice ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [48, 96, 300])
def test_every_direction_stands_for_the_same_solid_angle(count):
    """Share of the sphere nearest to each direction or its opposite."""
    directions = render.sky_views(count, 1).directions
    assert np.linalg.norm(directions, axis=1) == pytest.approx(1.0)
    assert (directions[:, 2] > 0).all()
    share = np.bincount(np.abs(evenly(100_000) @ directions.T).argmax(axis=1), minlength=count) * count / 100_000
    # Even inside; where the halves meet at the equator cells are up to a quarter larger or smaller. At random: 0.5.
    assert share.std() < 0.075
    assert (np.abs(share - 1.0) < 0.3).all()


@pytest.mark.parametrize("axis", [[1, 0, 0], [0, 1, 0], [0.48, 0.6, 0.64], [-0.6, 0.0, 0.8]])
def test_means_over_the_lattice_are_those_over_the_sphere(axis):
    """The mean of cos^2 of the angle to any axis is a third, of cos^4 a fifth."""
    cosine = render.sky_views(96, 1).directions @ np.array(axis)
    # A lattice of n cells errs by less than half a cell's share of the sphere; 96 random directions by 0.03.
    assert np.mean(cosine**2) == pytest.approx(1 / 3, abs=0.5 / 96)
    assert np.mean(cosine**4) == pytest.approx(1 / 5, abs=0.5 / 96)


def test_directions_hang_on_their_number_only_and_rolls_on_the_names():
    first, again, other = (render.sky_views(20, 1, "box", name) for name in ("a", "a", "b"))
    assert (first.directions == other.directions).all()
    assert (first.rolls == again.rolls).all()
    assert (first.rolls != other.rolls).all()


# The other side ---------------------------------------------------------------------------------------------


def pictured(tmp_path, views, **changes):
    file = tmp_path / "snapshot_000.dat"
    snapshot.write(file, stars(flat=0.4))
    observatory = render.open_observatory(RENDER | changes)
    return render.galaxy(file, "box", observatory, snapshot.STAR_TYPES, views).exposures.flux


def test_from_the_other_side_the_picture_is_the_mirror_image(tmp_path):
    views = render.sky_views(6, 1)
    here = pictured(tmp_path, views)
    there = pictured(tmp_path, render.Views(-views.directions, -views.rolls))
    assert np.abs(here).max() > 0
    assert there[:, :, ::-1] == pytest.approx(here, rel=1e-9, abs=1e-9 * here.max())  # sums in another order


def test_from_the_other_side_the_answer_differs_by_no_more_than_the_noise(tmp_path):
    """The same views under another noise differ as much as the views from behind do."""
    network.fix_seeds(2)
    calibration = network.Calibration(1.0, network.fit_gauge(some_maps(), some_maps(seed=2)))
    classifier = network.TrustedClassifier(
        [network.build(network.trusted_layers())],
        {"kind": "trusted", "classes": list(network.TRUSTED_CLASSES), "calibration": calibration.as_json()},
    )
    views, noisy = render.sky_views(60, 1), RENDER["telescope"] | {"preset": "sdss_r"}
    behind = render.Views(-views.directions, -views.rolls)
    first, other, opposite = (
        classifier.predict(pictured(tmp_path, sides, telescope=noisy, seed=seed), 60).probabilities
        for sides, seed in ((views, 1), (views, 2), (behind, 3))
    )
    noise, beyond = (np.sqrt(np.mean((found - first) ** 2)) for found in (other, opposite))
    assert noise > 0
    # A scatter from 60 views is known to a tenth, the ratio of two to a seventh: three deviations.
    assert beyond < 1.45 * noise


# Solid angle ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("normal", [[0.0, 0.0, 1.0], [0.6, 0.0, 0.8], [0.5, -0.8, 0.2]])
def test_the_solid_angle_of_a_cap_is_found(tmp_path, reference, net, normal):
    """A thin disc at inclination i has axis ratio cos i: it is rounder than cos 30 degrees within 30 degrees of its
    pole, that is from 1 - cos 30 degrees of the sphere, both caps together."""
    snapshot.write(tmp_path / "snapshot_000.dat", disc(normal))
    settings = SETTINGS | {"visibility": {"directions": 200}}
    table = visibility.run([tmp_path / "snapshot_000.dat"], net, reference, settings, tmp_path / "disc.parquet", "disc")
    called = (table["class"] == "rectangle").to_numpy()
    cosine = np.abs(table[["view_x", "view_y", "view_z"]].to_numpy() @ np.array(normal)) / np.linalg.norm(normal)
    assert cosine[called].mean() > 0.9
    # A cap of this size holds 27 of 200 directions; the lattice errs by two of them, and 20,000 particles know the
    # axis ratio to 0.01, two directions more.
    assert called.mean() == pytest.approx(1.0 - np.cos(np.deg2rad(30.0)), abs=4 / 200)
    [moment] = visibility.times(table).to_dict("records")
    assert moment["rectangle_fraction"] == called.mean()


# A run ------------------------------------------------------------------------------------------------------


def test_a_run_leaves_tables_maps_and_a_sentence(folder, reference, net, tmp_path, capsys):
    output = tmp_path / "out" / "box.parquet"
    table = visibility.run([folder], net, reference, SETTINGS, output, "box")
    pd.testing.assert_frame_equal(catalog.read_table(output), table)
    assert list(table.columns) == [
        "run", "snapshot", "time_gyr", "direction", "view_x", "view_y", "view_z", "galaxies", "p_oval", "p_rectangle",
        "class", "domain_distance", "cosine_aligned", "cosine_residual"]  # fmt: skip
    assert len(table) == 3 * 12
    assert list(table["direction"]) == 3 * list(range(12))
    assert table["cosine_aligned"].between(0.3, 1.0).all()  # a galaxy of light, not an empty picture
    assert list(visibility.times(table)["galaxies"]) == [2, 1, 1]
    assert sorted(path.name for path in output.parent.iterdir()) == ["box.csv", "box.json", "box.parquet", "box.png"]
    assert catalog.read_provenance(output)["stage"] == "visibility"
    found, printed = json.loads(output.with_suffix(".json").read_text()), capsys.readouterr().out
    assert printed.startswith(f"box: {found['summary']}; after the merger ")
    assert found["corrected"]["frames"] == 2 * 12
    assert output.with_suffix(".png").stat().st_size > 10_000


def test_a_network_without_held_out_predictions_gives_no_correction(folder, reference, net, tmp_path, capsys):
    (net / rates.HELDOUT_FILE).unlink()
    visibility.run([folder], net, reference, SETTINGS, tmp_path / "box.parquet")
    assert json.loads((tmp_path / "box.json").read_text())["corrected"] is None
    assert "after the merger" not in capsys.readouterr().out


def test_a_pair_is_no_rectangle(folder, reference, net, tmp_path, monkeypatch):
    monkeypatch.setattr(visibility.network, "open_classifier", lambda folder: Rounder(-1.0))
    table = visibility.run([folder], net, reference, SETTINGS, tmp_path / "box.parquet")
    assert (table["class"] == "rectangle").all()
    assert list(visibility.times(table)["rectangle_fraction"]) == [0.0, 1.0, 1.0]
    assert list(visibility.times(table)["mean_p_rectangle"]) == pytest.approx([0.0, 1.0, 1.0])
    assert set(visibility.after_merger(table)["snapshot"]) == {"snapshot_001", "snapshot_002"}
    assert visibility.corrected(table[table["galaxies"] == 2], net) is None


def test_networks_of_pictures_are_shown_stretched_pictures(folder, reference, net, tmp_path, monkeypatch):
    shown, answers = [], Rounder(0.8)
    answers.layer, answers.inputs = "images", lambda pictures: shown.append(pictures) or pictures
    monkeypatch.setattr(visibility.network, "open_classifier", lambda folder: answers)
    visibility.run([folder], net, reference, SETTINGS, tmp_path / "box.parquet")
    assert [len(pictures) for pictures in shown] == [12, 12, 12]
    assert all((pictures.min(), pictures.max()) == (0.0, 1.0) for pictures in shown)


def test_a_bad_snapshot_does_not_hide_the_others(folder, reference, net, tmp_path):
    (folder / "snapshot_001.dat").write_bytes(b"no snapshot")
    with pytest.raises(InputError, match=r"snapshot_001.*; the other 2 are in .*box.parquet"):
        visibility.run([folder], net, reference, SETTINGS, tmp_path / "box.parquet")
    assert set(catalog.read_table(tmp_path / "box.parquet")["snapshot"]) == {"snapshot_000", "snapshot_002"}


def test_a_network_that_knows_no_rectangles_is_refused(folder, reference, net, tmp_path, monkeypatch):
    other = SimpleNamespace(classes=["cat", "dog"])
    monkeypatch.setattr(visibility.network, "open_classifier", lambda folder: other)
    with pytest.raises(InputError, match="no class rectangle among cat, dog; give a network that has it"):
        visibility.run([folder], net, reference, SETTINGS, tmp_path / "box.parquet")


def test_the_corrected_share_takes_the_mistakes_out(net):
    """All ovals, of which a perfect classifier calls 10 % rectangles: with such errors it is none, without it is 10 %.

    Held-out predictions that call 10 % of ovals rectangles explain them all."""
    target = pd.DataFrame({"run": "box", "snapshot": np.repeat(["a", "b"], 100), "time_gyr": 1.0, "galaxies": 1})
    target["p_rectangle"] = np.tile([1.0] + 9 * [0.0], 20)
    target["p_oval"] = 1.0 - target["p_rectangle"]
    assert visibility.corrected(target, net)["fraction"] == pytest.approx(0.1)
    heldout = catalog.read_table(net / rates.HELDOUT_FILE)
    wrong = (heldout["label"] == "oval") & (np.arange(len(heldout)) % 10 == 0)
    heldout.loc[wrong, ["p_oval", "p_rectangle"]] = 0.0, 1.0
    catalog.write_table(net / rates.HELDOUT_FILE, heldout, {})
    found = visibility.corrected(target, net)
    assert (found["fraction"], found["low"]) == pytest.approx((0.0, 0.0))
    assert 0.0 < found["high"] < 0.3


# Times ------------------------------------------------------------------------------------------------------


def moments(shares, when=None, galaxies=1):
    when = 0.1 * np.arange(len(shares)) if when is None else when
    return pd.DataFrame({"run": "box", "snapshot": [f"s{n}" for n in range(len(shares))], "time_gyr": when,
                         "galaxies": galaxies, "rectangle_fraction": shares, "mean_p_rectangle": shares})  # fmt: skip


@pytest.mark.parametrize(
    ("shares", "when", "said"),
    [
        ([0, 0, 0], None, "never rectangular"),
        ([0, 0.02, 0.03, 0.043, 0.031, 0], None, "rectangular from 3.1 % of the sky for 0.4 Gyr"),
        ([0, 0.02, 0, 0.04, 0.06], None, "rectangular from 5 % of the sky for at least 0.2 Gyr"),
        ([0.5, 0, 0.02, 0.02, 0], None, "rectangular from 2 % of the sky for 0.2 Gyr"),
        ([0, 0.01, 0.01, 0, 0.08, 0], [0, 0.1, 0.2, 0.3, 1.3, 2.3], "rectangular from 8 % of the sky for 1.0 Gyr"),
        ([0, 1, 0], [0, 0.04, 0.08], "rectangular from 100 % of the sky for 0.04 Gyr"),
        ([0.25], [0.7], "rectangular from 25 % of the sky at 0.7 Gyr, the only moment"),
    ],
)
def test_the_sentence(shares, when, said):
    assert visibility.summary(moments(shares, when)) == said


def test_the_order_of_the_rows_does_not_matter():
    table = moments([0, 0.02, 0.03, 0, 0.01])
    assert visibility.longest_span(table[::-1]) == visibility.longest_span(table)
    span = visibility.longest_span(table)
    assert (span["start_gyr"], span["end_gyr"], span["duration_gyr"]) == pytest.approx((0.05, 0.25, 0.2))
    assert span["solid_angle_sr"] == pytest.approx(4 * np.pi * 0.025)


def test_the_best_direction_is_that_of_the_best_residual_cosine():
    rows = {"run": "box", "snapshot": ["b", "b", "a", "a"], "time_gyr": [2.0, 2.0, 1.0, 1.0], "galaxies": 1,
            "direction": [0, 1, 0, 1], "class": ["oval", "rectangle", "oval", "oval"],
            "p_rectangle": [0.1, 0.7, 0.2, 0.4], "cosine_aligned": [0.9, 0.8, 0.7, 0.6],
            "cosine_residual": [0.1, 0.3, 0.5, 0.4]}  # fmt: skip
    [first, second] = visibility.times(pd.DataFrame(rows)).to_dict("records")
    assert first == {"run": "box", "snapshot": "a", "time_gyr": 1.0, "galaxies": 1, "rectangle_fraction": 0.0,
                     "mean_p_rectangle": pytest.approx(0.3), "best_cosine_aligned": 0.7, "best_cosine_residual": 0.5,
                     "best_direction": 0}  # fmt: skip
    assert (second["rectangle_fraction"], second["best_direction"], second["best_cosine_aligned"]) == (0.5, 1, 0.9)


# Maps -------------------------------------------------------------------------------------------------------


def test_each_cell_of_a_map_has_the_nearest_direction_or_its_opposite():
    directions = render.sky_views(30, 1).directions
    longitude, latitude, nearest = visibility.sky_cells(directions)
    assert (longitude[[0, -1]], latitude[[0, -1]]) == (
        pytest.approx([-np.pi, np.pi]), pytest.approx([-np.pi / 2, np.pi / 2]))  # fmt: skip
    assert nearest.shape == (len(latitude) - 1, len(longitude) - 1)
    both, middle = np.concatenate([directions, -directions]), np.diff(longitude)[0] / 2
    for number, (x, y, z) in enumerate(both):  # the cell that holds a direction is its own
        column = np.searchsorted(longitude, np.arctan2(y, x)) - 1
        row = np.searchsorted(latitude, np.arcsin(z)) - 1
        assert nearest[row, column] == number % 30
    for row, column in ((10, 20), (90, 300), (170, 7)):
        up, across = latitude[row] + middle, longitude[column] + middle
        place = np.array([np.cos(up) * np.cos(across), np.cos(up) * np.sin(across), np.sin(up)])
        assert nearest[row, column] == np.linalg.norm(both - place, axis=1).argmin() % 30


def sky_table(count=30):
    x, y, z = render.sky_views(count, 1).directions.T
    return pd.DataFrame({"view_x": x, "view_y": y, "view_z": z, "p_rectangle": z, "cosine_aligned": 0.9 + 0.1 * z})


def test_a_map_shows_the_values_and_the_view():
    fig, ax = plotstyle.figure(5, 3, subplot_kw={"projection": "mollweide"})
    table = sky_table()
    visibility.plot_sky(table, "p_rectangle", ax, view=[0.0, 2.0, 2.0])
    [mesh], [cross] = ax.collections, ax.lines
    assert set(mesh.get_array().ravel()) == set(table["p_rectangle"])
    assert mesh.get_clim() == (0.0, 1.0)
    longitude, latitude = (np.rad2deg(values) for values in cross.get_data())
    assert (longitude.item(), latitude.item()) == pytest.approx((90.0, 45.0))
    # Seen along z p is largest: the rows of cells near both poles are, the equator's are not.
    rows = mesh.get_array().reshape(180, 360).mean(axis=1)
    assert rows[[0, -1]].min() > 0.9 > 0.2 > rows[90]
    assert len(plotstyle.png_bytes(fig)) > 5000


def test_other_columns_are_drawn_over_their_own_range():
    _, ax = plotstyle.figure(5, 3, subplot_kw={"projection": "mollweide"})
    table = sky_table()
    visibility.plot_sky(table, "cosine_aligned", ax)
    assert ax.collections[0].get_clim() == (table["cosine_aligned"].min(), table["cosine_aligned"].max())


def test_the_curve_in_time_shades_the_pair():
    _, ax = plotstyle.figure(5, 3)
    visibility.plot_times(moments([0, 0, 0.02, 0.04], galaxies=[2, 2, 1, 1]), ax)
    assert list(ax.lines[0].get_ydata()) == pytest.approx([0, 0, 2, 4])
    ends = [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in ax.patches]
    assert np.ravel(ends) == pytest.approx([0.0, 0.05, 0.05, 0.15])
