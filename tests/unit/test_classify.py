"""Classification: every frame gets its class, so do pictures of any size, and bad ones stop no others."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from galclass import catalog, classify, images, network
from galclass.errors import InputError
from galclass.network.calibration import Calibration
from galclass.network.classifier import ThesisClassifier
from galclass.network.gauge import Gauge
from galclass.network.unrolling import RINGS

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


SETTINGS = {"batch_size": 3, "shard_frames": 5000}


def classified(packs, model_folder, settings, output):
    """The table of each pack by its name."""
    paths = classify.run(packs, model_folder, settings, output)
    return {name: catalog.read_table(path) for name, path in paths.items()}


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
    table = classified([box], model_folder, SETTINGS, tmp_path / "out")["box"]
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
    table = classified([box], model_folder, SETTINGS, tmp_path / "out")["box"]
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
    one = classified([box], model_folder, SETTINGS | {"batch_size": 1}, tmp_path / "a")["box"]
    all_at_once = classified([box], model_folder, SETTINGS | {"batch_size": 100}, tmp_path / "b")["box"]
    # Sums of 144 single-precision products, in another order.
    assert one["p_oval"].to_numpy() == pytest.approx(all_at_once["p_oval"].to_numpy(), abs=1e-6)


def test_classification_of_known_probabilities():
    table = network.Predictions(["oval", "obround"], np.array([[0.2, 0.8], [0.9, 0.1]])).table()
    assert list(table.columns) == ["p_oval", "p_obround", "class"]
    assert list(table["class"]) == ["obround", "oval"]


def test_summary_gives_the_share_of_rectangles():
    assert classify.summary("box", Counter(rectangle=41, oval=59)) == "box: 100 frames, 41 % rectangle"


# The .out file of the thesis --------------------------------------------------------------------------------


def test_out_file_lists_class_and_probabilities():
    probabilities = np.array([[0.012, 0.958, 0.03], [0.991, 0.004, 0.005]])
    assert (
        classify.thesis_rows(probabilities, CLASSES) == "2 0.012000 0.958000 0.030000\n1 0.991000 0.004000 0.005000\n"
    )


def test_out_file_keeps_the_numbers_of_the_thesis_when_a_class_is_missing():
    assert classify.thesis_rows(np.array([[0.25, 0.75]]), ["oval", "obround"]) == "3 0.250000 0.000000 0.750000\n"


def test_out_file_has_a_fourth_class_for_networks_that_know_none_of_these():
    text = classify.thesis_rows(np.array([[0.2, 0.1, 0.1, 0.6]]), [*CLASSES, "none"])
    assert text == "4 0.200000 0.100000 0.100000 0.600000\n"


def test_classes_without_a_number_are_refused(box, tmp_path):
    folder = write_network(tmp_path / "network", ["oval", "spiral"])
    with pytest.raises(InputError, match="class spiral has no number in an .out file; allowed: oval, rectangle"):
        classify.run([box], folder, SETTINGS, tmp_path / "out")


def test_out_file_agrees_with_the_table(box, model_folder, tmp_path):
    table = classified([box], model_folder, SETTINGS, tmp_path)["box"]
    first, *rows = (tmp_path / "box.out").read_text().splitlines()
    numbers = np.array([row.split() for row in rows], dtype=float)
    assert int(first) == len(numbers) == len(table)
    assert [CLASSES[int(number) - 1] for number in numbers[:, 0]] == list(table["class"])
    # Six decimals.
    assert numbers[:, 1:] == pytest.approx(table[["p_oval", "p_rectangle", "p_obround"]].to_numpy(), abs=6e-7)


# Shards -----------------------------------------------------------------------------------------------------


@pytest.fixture
def long(tmp_path):
    """A pack of 23 frames, so that shards of 5 leave a short one."""
    brightness = np.random.default_rng(1).random(23)
    return write_pack(tmp_path / "long.h5", [galaxy(b) for b in brightness])


SHARDS = {"batch_size": 3, "shard_frames": 5}


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class Killed(BaseException):
    """Stands for the end of the process."""


def killed_after(monkeypatch, shards):
    """Let the process die when it comes to predict one shard more."""
    seen, answer = [], ThesisClassifier.answer

    def dying(self, inputs, batch_size):
        if len(seen) == shards:
            raise Killed
        seen.append(len(inputs))
        return answer(self, inputs, batch_size)

    monkeypatch.setattr(ThesisClassifier, "answer", dying)
    return seen


def test_no_more_than_a_shard_is_read_at_once(long, model_folder, tmp_path, monkeypatch):
    seen = killed_after(monkeypatch, 99)
    table = classified([long], model_folder, SHARDS, tmp_path / "out")["long"]
    assert seen == [5, 5, 5, 5, 3]
    assert list(table["frame"]) == list(range(23))
    assert (tmp_path / "out" / "long.out").read_text().startswith("23\n")


def test_shards_change_no_answer(long, model_folder, tmp_path):
    whole = classified([long], model_folder, SETTINGS, tmp_path / "a")["long"]
    parts = classified([long], model_folder, SHARDS, tmp_path / "b")["long"]
    # Sums of 144 single-precision products, in another order.
    pd.testing.assert_frame_equal(whole, parts, rtol=0, atol=1e-6)


@pytest.mark.parametrize("finished", [0, 1, 4])
def test_work_that_was_killed_goes_on_and_ends_the_same(long, model_folder, tmp_path, monkeypatch, finished):
    classify.run([long], model_folder, SHARDS, tmp_path / "at_once")
    out = tmp_path / "killed"
    with monkeypatch.context() as patch, pytest.raises(Killed):
        killed_after(patch, finished)
        classify.run([long], model_folder, SHARDS, out)
    assert not list(out.glob("long.*"))
    seen = killed_after(monkeypatch, 99)
    classify.run([long], model_folder, SHARDS, out)
    assert len(seen) == 5 - finished
    assert contents(out) == contents(tmp_path / "at_once")  # and no shard is left


@pytest.mark.parametrize("changed", ["pack", "network", "batch", "shard"])
def test_shards_of_other_work_are_never_used(long, tmp_path, monkeypatch, changed):
    folder, out = write_network(tmp_path / "network"), tmp_path / "out"
    with monkeypatch.context() as patch, pytest.raises(Killed):
        killed_after(patch, 3)
        classify.run([long], folder, SHARDS, out)
    settings = SHARDS | {"batch": {"batch_size": 4}, "shard": {"shard_frames": 6}}.get(changed, {})
    if changed == "pack":
        write_pack(long, [galaxy(b) for b in np.random.default_rng(2).random(23)])
    elif changed == "network":
        write_network(folder, depth_dex=None)
    seen = killed_after(monkeypatch, 99)
    table = classified([long], folder, settings, out)["long"]
    assert sum(seen) == 23
    fresh = classified([long], folder, settings, tmp_path / "fresh")["long"]
    pd.testing.assert_frame_equal(table, fresh)
    assert not [path for path in out.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_a_damaged_shard_is_made_again(long, model_folder, tmp_path, monkeypatch, damage):
    classify.run([long], model_folder, SHARDS, tmp_path / "at_once")
    out = tmp_path / "out"
    with monkeypatch.context() as patch, pytest.raises(Killed):
        killed_after(patch, 3)
        classify.run([long], model_folder, SHARDS, out)
    shard = sorted(out.rglob("*.parquet"))[1]
    whole = bytearray(shard.read_bytes())
    whole[100] ^= 1
    shard.write_bytes({"cut": whole[:300], "flipped": whole, "empty": b""}[damage])
    seen = killed_after(monkeypatch, 99)
    classify.run([long], model_folder, SHARDS, out)
    assert len(seen) == 3
    assert contents(out) == contents(tmp_path / "at_once")


@pytest.mark.slow
def test_a_killed_process_goes_on(long, model_folder, tmp_path):
    """SIGKILL as soon as the first shard is there."""
    (tmp_path / "mine.yaml").write_text("classify: {batch_size: 3, shard_frames: 1}")
    command = [sys.executable, "-c", "from galclass.cli import main; main()", "classify", str(long)]
    command += ["--network", str(model_folder), "-c", str(tmp_path / "mine.yaml"), "-o", str(tmp_path / "killed")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while process.poll() is None and not list((tmp_path / "killed").rglob("*.parquet")):
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    classify.run([long], model_folder, {"batch_size": 3, "shard_frames": 1}, tmp_path / "at_once")
    assert contents(tmp_path / "killed") == contents(tmp_path / "at_once")


# The trusted classifier -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trusted_folder(tmp_path_factory):
    """An ensemble of two, its weights as they are drawn."""
    folder, size = tmp_path_factory.mktemp("trusted"), 3 * RINGS
    network.fix_seeds(1)
    calibration = Calibration(1.0, Gauge(np.zeros(size), np.eye(size), 10.0))
    card = {"kind": "trusted", "classes": [*CLASSES, "none"], "pixels": None, "preprocessing": {}}
    card |= {"calibration": calibration.as_json(), "metrics": {}, "provenance": {}}
    network.write([network.build(network.trusted_layers()) for _ in range(2)], folder, card)
    return folder


def test_the_trusted_classifier_looks_at_flux_and_knows_none_of_these(trusted_folder, tmp_path):
    flux = np.array([images.unstretch(galaxy(b, 48), 3.0) for b in (0.0, 0.5, 1.0)])
    frames = images.read_pack(write_pack(tmp_path / "plain.h5", np.zeros((3, 48, 48)))).frames
    pictures = np.zeros_like(flux)  # which must not matter
    images.write_pack(tmp_path / "box.h5", pictures, frames, {"settings": {"depth_dex": 3.0}}, {"flux": flux})
    table = classified([tmp_path / "box.h5"], trusted_folder, SETTINGS, tmp_path / "out")["box"]
    names = ["p_oval", "p_rectangle", "p_obround", "p_none"]
    assert list(table.columns[-6:]) == [*names, "class", "domain_distance"]
    expected = network.open_classifier(trusted_folder).predict(flux, 3)
    # Sums of single-precision products, in another order.
    assert table[names].to_numpy() == pytest.approx(expected.probabilities, abs=1e-5)
    first, *rows = (tmp_path / "out" / "box.out").read_text().splitlines()
    assert first == "3" and [len(row.split()) for row in rows] == [5, 5, 5]
    assert [[*CLASSES, "none"][int(row[0]) - 1] for row in rows] == list(table["class"])


def test_answers_of_the_trusted_classifier_for_single_pictures(trusted_folder, tmp_path):
    images.write_png(tmp_path / "galaxy.png", galaxy(0.5, 60))
    [answer] = json.loads(json.dumps(classify.pictures([tmp_path / "galaxy.png"], trusted_folder)))
    assert set(answer) == {"file", "class", "p_oval", "p_rectangle", "p_obround", "p_none", "domain_distance"}
    assert sum(value for name, value in answer.items() if name.startswith("p_")) == pytest.approx(1)


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


def test_many_pictures_are_predicted_some_at_a_time(model_folder, tmp_path, monkeypatch):
    files = []
    for number, brightness in enumerate(np.linspace(0, 1, 7)):
        files.append(tmp_path / f"{number}.png")
        images.write_png(files[-1], galaxy(brightness, 24))
    files.insert(3, tmp_path / "missing.png")
    one_by_one = [classify.pictures([path], model_folder)[0] for path in files]
    seen = killed_after(monkeypatch, 99)
    together = classify.pictures(files, model_folder, batch_size=3)
    assert seen == [3, 2, 2]
    assert [answer["file"] for answer in together] == [str(path) for path in files]
    for one, other in zip(one_by_one, together, strict=True):
        assert one.keys() == other.keys() and one.get("class") == other.get("class")
        # Sums of 144 single-precision products, in another order.
        assert one.get("p_oval", 0) == pytest.approx(other.get("p_oval", 0), abs=1e-6)


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
    small = ThesisClassifier([], card)._prepared(flux, True, tmp_path)
    for unit in (1e-30, 1e30, 1e200):
        # The resampling works in single precision; three decades of stretch.
        assert ThesisClassifier([], card)._prepared(flux * unit, True, tmp_path) == pytest.approx(small, abs=1e-5)


def test_flux_is_averaged_before_its_logarithm(tmp_path):
    # A checkerboard of 1 and 0.01: the mean flux is 0.505 everywhere but in the bright middle, -0.297 dex.
    flux = np.where(np.indices((48, 48)).sum(axis=0) % 2, 1.0, 0.01)
    flux[16:32, 16:32] = 1.0
    flux[:8] = 0.0
    small = ThesisClassifier([], {"pixels": 12, "preprocessing": {"depth_dex": 3.0}})._prepared(flux, True, tmp_path)
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
    small = ThesisClassifier([], {"pixels": 12, "preprocessing": {}})._prepared(grey, False, tmp_path)
    assert (small.shape, small.dtype, small.min(), small.max()) == ((12, 12), np.float32, 0.0, 1.0)
