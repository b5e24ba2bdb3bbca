"""Classification: every frame gets its class, so do pictures of any size, and bad ones stop no others."""

import json

import numpy as np
import pandas as pd
import pytest

from galclass import catalog, classify, images, network
from galclass.errors import InputError

PIXELS = 12
CLASSES = ["oval", "rectangle", "obround"]


def write_network(folder, classes=CLASSES, depth_dex=3.0):
    """A network whose answer is known: the brighter the flanks of the galaxy, the likelier later classes."""
    layers = [
        {"class": "InputLayer", "shape": (PIXELS, PIXELS, 1)},
        {"class": "Flatten"},
        {"class": "Dense", "units": len(classes), "activation": "softmax"},
    ]
    model = network.build(layers)
    flanks = np.zeros((PIXELS, PIXELS))
    flanks[2, 5:7] = flanks[-3, 5:7] = 10.0
    kernel = flanks.reshape(-1, 1) * np.arange(len(classes))
    model.set_weights([kernel.astype("f4"), -15.0 * np.arange(len(classes), dtype="f4")])
    card = {"classes": classes, "pixels": PIXELS, "preprocessing": {"depth_dex": depth_dex}}
    network.write(model, folder, {**card, "metrics": {}, "provenance": {}})
    return folder


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    return write_network(tmp_path_factory.mktemp("model"))


def galaxy(flanks, pixels=PIXELS):
    """A disc with flanks of a given brightness about a bright bar along x, on an empty sky."""
    y, x = (np.mgrid[:pixels, :pixels] - (pixels - 1) / 2) / pixels
    disc = np.hypot(x, y) < 0.45
    return np.where(abs(y) < 1 / 6, 1.0, flanks) * disc


def write_pack(path, pictures, provenance=None, run="box"):
    count = len(pictures)
    frames = pd.DataFrame({"frame": np.arange(count), "run": run, "snapshot": "s_001", "label": ""})
    frames = frames.assign(**{name: 0.0 for name in images.FRAME_COLUMNS if name not in frames})
    frames = frames.assign(time_gyr=np.linspace(0, 1, count), view_z=1.0, seed=1)
    images.write_pack(path, np.asarray(pictures), frames, provenance or {"settings": {"depth_dex": 3.0}})
    return path


@pytest.fixture
def box(tmp_path):
    """Four frames, the second and fourth with bright flanks."""
    return write_pack(tmp_path / "box.h5", [galaxy(b) for b in (0.0, 1.0, 0.1, 1.0)])


SETTINGS = {"batch_size": 3}


# Packs ------------------------------------------------------------------------------------------------------


def test_frames_of_a_run_that_fails_its_gates_are_marked(box, model_folder, tmp_path, capsys):
    classify.run([box], model_folder, SETTINGS, tmp_path / "good.parquet")
    assert "quality" not in capsys.readouterr().out
    failing = write_pack(
        tmp_path / "bad.h5", [galaxy(0.0)], {"settings": {"depth_dex": 3.0}, "quality": "energy 1 > 0"}
    )
    classify.run([failing], model_folder, SETTINGS, tmp_path / "bad.parquet")
    assert catalog.read_provenance(tmp_path / "bad.parquet")["quality"] == "energy 1 > 0"
    assert capsys.readouterr().out.endswith("; FAILS its quality gates (energy 1 > 0)\n")


def test_every_frame_has_its_class_and_its_probabilities(box, model_folder, tmp_path, capsys):
    table = classify.run([box], model_folder, SETTINGS, tmp_path / "out")["box"]
    assert list(table.columns) == [
        "run", "snapshot", "frame", "time_gyr", "view_x", "view_y", "view_z",
        "p_oval", "p_rectangle", "p_obround", "class",
    ]  # fmt: skip
    assert list(table["class"]) == ["oval", "obround", "oval", "obround"]
    assert list(table["frame"]) == [0, 1, 2, 3]
    # Three single-precision probabilities a row.
    assert table[["p_oval", "p_rectangle", "p_obround"]].sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-6)
    assert capsys.readouterr().out == "box: 4 frames, 0 % rectangle\n"


def test_tables_are_written_as_parquet_csv_and_out(box, model_folder, tmp_path):
    table = classify.run([box], model_folder, SETTINGS, tmp_path / "out")["box"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["box.csv", "box.out", "box.parquet"]
    read = catalog.read_table(tmp_path / "out" / "box.parquet")
    pd.testing.assert_frame_equal(read, table, check_dtype=False)
    assert list(pd.read_csv(tmp_path / "out" / "box.csv")["class"]) == list(table["class"])
    inputs = catalog.read_provenance(tmp_path / "out" / "box.parquet")["inputs"]
    assert set(inputs) == {str(box), str(model_folder / "card.json")}


def test_a_single_pack_can_name_its_table(box, model_folder, tmp_path):
    classify.run([box], model_folder, SETTINGS, tmp_path / "other.parquet")
    assert (tmp_path / "other.parquet").exists() and (tmp_path / "other.out").exists()
    with pytest.raises(InputError, match="one table for 2 packs; give a folder, or one pack"):
        classify.run([box, box], model_folder, SETTINGS, tmp_path / "other.parquet")


def test_classes_do_not_depend_on_the_batch(box, model_folder, tmp_path):
    one = classify.run([box], model_folder, {"batch_size": 1}, tmp_path / "a")["box"]
    all_at_once = classify.run([box], model_folder, {"batch_size": 100}, tmp_path / "b")["box"]
    # Sums of 144 single-precision products, in another order.
    assert one["p_oval"].to_numpy() == pytest.approx(all_at_once["p_oval"].to_numpy(), abs=1e-6)


def test_classification_of_known_probabilities():
    table = network.Predictions(["oval", "obround"], np.array([[0.2, 0.8], [0.9, 0.1]])).table()
    assert list(table.columns) == ["p_oval", "p_obround", "class"]
    assert list(table["class"]) == ["obround", "oval"]


def test_summary_gives_the_share_of_rectangles():
    table = pd.DataFrame({"class": ["rectangle"] * 41 + ["oval"] * 59})
    assert classify.summary("box", table) == "box: 100 frames, 41 % rectangle"


# The .out file of the thesis --------------------------------------------------------------------------------


def test_out_file_counts_then_lists_class_and_probabilities():
    probabilities = np.array([[0.012, 0.958, 0.03], [0.991, 0.004, 0.005]])
    assert classify.thesis_out(probabilities, CLASSES) == (
        "2\n2 0.012000 0.958000 0.030000\n1 0.991000 0.004000 0.005000\n"
    )


def test_out_file_keeps_the_numbers_of_the_thesis_when_a_class_is_missing():
    text = classify.thesis_out(np.array([[0.25, 0.75]]), ["oval", "obround"])
    assert text == "1\n3 0.250000 0.000000 0.750000\n"


def test_out_file_agrees_with_the_table(box, model_folder, tmp_path):
    table = classify.run([box], model_folder, SETTINGS, tmp_path)["box"]
    first, *rows = (tmp_path / "box.out").read_text().splitlines()
    numbers = np.array([row.split() for row in rows], dtype=float)
    assert int(first) == len(numbers) == len(table)
    assert [CLASSES[int(number) - 1] for number in numbers[:, 0]] == list(table["class"])
    # Six decimals.
    assert numbers[:, 1:] == pytest.approx(table[["p_oval", "p_rectangle", "p_obround"]].to_numpy(), abs=6e-7)


# Packs that do not fit --------------------------------------------------------------------------------------


def test_a_bad_pack_does_not_stop_the_others(box, model_folder, tmp_path):
    bad, good = tmp_path / "bad.h5", write_pack(tmp_path / "good.h5", [galaxy(0.0)])
    bad.write_text("no pack")
    with pytest.raises(InputError, match="bad.h5: not a pack of pictures"):
        classify.run([box, bad, good], model_folder, SETTINGS, tmp_path / "out")
    assert sorted(path.stem for path in (tmp_path / "out").glob("*.parquet")) == ["box", "good"]
    with pytest.raises(InputError, match=r"bad.h5: .*\(and 1 more of 3 packs failed\)"):
        classify.run([box, bad, tmp_path / "missing.h5"], model_folder, SETTINGS, tmp_path / "out")


def test_pictures_of_another_size_are_refused(model_folder, tmp_path):
    pack = write_pack(tmp_path / "large.h5", np.ones((2, 20, 24)))
    with pytest.raises(InputError, match="24 x 20 pixels, the network takes 12 x 12; set render.pixels"):
        classify.run([pack], model_folder, SETTINGS, tmp_path)


def test_pictures_of_another_depth_are_refused(model_folder, tmp_path):
    pack = write_pack(tmp_path / "deep.h5", [galaxy(0.0)], {"settings": {"depth_dex": 5.0}})
    with pytest.raises(InputError, match="5.0 dex deep, the network was trained on 3.0 dex"):
        classify.run([pack], model_folder, SETTINGS, tmp_path)


def test_packs_of_one_name_are_refused_before_anything_runs(box, model_folder, tmp_path):
    with pytest.raises(InputError, match="two packs are named box"):
        classify.run([box, tmp_path / "elsewhere" / "box.h5"], model_folder, SETTINGS, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_missing_network_is_one_line(box, tmp_path):
    with pytest.raises(InputError, match="card.json: no such file"):
        classify.run([box], tmp_path / "nothing", SETTINGS, tmp_path)


# Single pictures --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pixels", [12, 60, 240])
@pytest.mark.parametrize(("brightness", "name"), [(0.0, "oval"), (1.0, "obround")])
def test_a_png_of_any_size_has_the_class_of_its_frame(model_folder, tmp_path, pixels, brightness, name):
    images.write_png(tmp_path / "galaxy.png", galaxy(brightness, pixels))
    [result] = classify.pictures([tmp_path / "galaxy.png"], model_folder)
    assert list(result) == ["file", "p_oval", "p_rectangle", "p_obround", "class"]
    assert (result["file"], result["class"]) == (str(tmp_path / "galaxy.png"), name)


def test_results_are_json_in_order_with_errors_in_their_place(model_folder, tmp_path):
    images.write_png(tmp_path / "good.png", galaxy(1.0, 24))
    (tmp_path / "text.png").write_text("not a picture")
    images.write_png(tmp_path / "dot.png", np.ones((1, 1)))
    files = [tmp_path / name for name in ("missing.png", "good.png", "text.png", "dot.png", "good.png")]
    results = json.loads(json.dumps(classify.pictures(files, model_folder)))
    assert [result["file"] for result in results] == [str(file) for file in files]
    assert ["error" in result for result in results] == [True, False, True, True, False]
    assert "no such file" in results[0]["error"]
    assert "not a readable PNG" in results[2]["error"]
    assert "1 x 1 pixels" in results[3]["error"]
    assert results[1] == results[4]


def test_nothing_usable_is_a_list_of_errors(model_folder, tmp_path):
    assert [list(r) for r in classify.pictures([tmp_path / "a.png"], model_folder)] == [["file", "error"]]
    assert classify.pictures([], model_folder) == []


def write_fits(path, flux):
    from astropy.io import fits

    fits.writeto(path, np.asarray(flux, dtype="f4"))
    return path


def test_flux_is_stretched_as_the_training_pictures_were(model_folder, tmp_path):
    picture = galaxy(1.0)
    flux = write_fits(tmp_path / "galaxy.fits", 1e-17 * images.unstretch(picture, 3.0))
    images.write_png(tmp_path / "galaxy.png", picture)
    from_flux, from_picture = classify.pictures([flux, tmp_path / "galaxy.png"], model_folder)
    assert from_flux["class"] == from_picture["class"] == "obround"
    # The PNG has 256 greys: an error of 0.002 in a flank, times a weight of 20 on each of four.
    assert from_flux["p_obround"] == pytest.approx(from_picture["p_obround"], abs=0.05)


def test_flux_does_not_depend_on_its_unit(tmp_path):
    card = {"pixels": 12, "preprocessing": {"depth_dex": 3.0}}
    flux = np.random.default_rng(1).normal(1.0, 2.0, (30, 30))
    small = network.Classifier(None, card)._prepared(flux, True, tmp_path)
    for unit in (1e-30, 1e30, 1e200):
        # The resampling works in single precision; three decades of stretch.
        assert network.Classifier(None, card)._prepared(flux * unit, True, tmp_path) == pytest.approx(small, abs=1e-5)


def test_flux_is_averaged_before_its_logarithm(tmp_path):
    # A checkerboard of 1 and 0.01: the mean flux is 0.505 everywhere but in the bright middle, -0.297 dex.
    flux = np.where(np.indices((48, 48)).sum(axis=0) % 2, 1.0, 0.01)
    flux[16:32, 16:32] = 1.0
    flux[:8] = 0.0
    small = network.Classifier(None, {"pixels": 12, "preprocessing": {"depth_dex": 3.0}})._prepared(
        flux, True, tmp_path
    )
    # The triangle filter of a factor of four mixes neighbours: 0.01 of the stretched scale.
    assert small[9, 2] == pytest.approx(1 + np.log10(0.505) / 3, abs=0.01)


def test_flux_needs_a_depth(tmp_path):
    folder = write_network(tmp_path / "network", depth_dex=None)
    flux = write_fits(tmp_path / "galaxy.fits", galaxy(1.0))
    assert "does not say how deep" in classify.pictures([flux], folder)[0]["error"]


def test_a_sky_without_flux_is_an_error(model_folder, tmp_path):
    flux = write_fits(tmp_path / "sky.fits", -1.0 - np.random.default_rng(1).random((20, 20)))
    assert "nothing to see at 12 x 12 pixels" in classify.pictures([flux], model_folder)[0]["error"]


def test_prepared_pictures_span_nought_to_one(tmp_path):
    grey = 0.3 + 0.2 * galaxy(0.5, 40)
    small = network.Classifier(None, {"pixels": 12, "preprocessing": {}})._prepared(grey, False, tmp_path)
    assert (small.shape, small.dtype, small.min(), small.max()) == ((12, 12), np.float32, 0.0, 1.0)
