"""Training: an honest split, the thesis's optimizer, a control at chance, the same weights from one seed."""

import json

import numpy as np
import pandas as pd
import pytest

from galclass import catalog, images, network
from galclass.errors import ConfigError, InputError
from galclass.train import thesis as train

PIXELS = 24
SETTINGS = {
    "seed": 1,
    "epochs": 40,
    "patience": 10,
    "batch_size": 50,
    "learning_rate": 1.0,
    "validation_fraction": 0.2,
    "test_fraction": 0.25,
}


def radius(kind, x, y, axis_ratio):
    """Generalised radius whose contours have the shape of the class; 1 at the end of the long axis."""
    if kind == "oval":
        return np.hypot(x, y / axis_ratio)
    if kind == "rectangle":
        return np.maximum(abs(x), abs(y) / axis_ratio)
    # A ring of straight sides and round ends: the distance to the axis between the centres of the ends.
    return np.hypot(np.maximum(abs(x) - 0.5 * (1 - axis_ratio) * 2, 0) / axis_ratio, y / axis_ratio)


def picture(kind, axis_ratio, rng, pixels=PIXELS):
    """One stretched picture, turned a little, of a model with flat surface density and Poisson noise."""
    y, x = (np.mgrid[:pixels, :pixels] - (pixels - 1) / 2 + rng.uniform(-0.5, 0.5, (2, 1, 1))) / (0.4 * pixels)
    along = (x + 1j * y) * np.exp(1j * rng.uniform(-0.3, 0.3))
    inside = radius(kind, along.real, along.imag, axis_ratio)
    density = 60.0 / (1 + np.exp(30 * (inside - 1)))
    return images.stretch(rng.poisson(density).astype(float), 3.0)


def frame_table(runs, labels):
    """The table of a pack with what training does not look at filled in."""
    table = pd.DataFrame({"frame": np.arange(len(runs)), "run": runs, "snapshot": "s", "label": labels})
    return table.assign(**{name: 0.0 for name in images.FRAME_COLUMNS if name not in table})


def make_pack(path, models_per_class=8, pictures_per_model=6, kinds=train.CLASSES, pixels=PIXELS):
    """A pack of easy shape models; every model has its own axis ratio."""
    rng = np.random.default_rng(5)
    models = [(f"{kind}_{i:02}", kind) for kind in kinds for i in range(models_per_class)]
    rows = [model for model in models for _ in range(pictures_per_model)]
    ratios = {name: rng.uniform(0.45, 0.6) for name, _ in rows}
    pictures = np.stack([picture(kind, ratios[name], rng, pixels) for name, kind in rows])
    frames = frame_table([name for name, _ in rows], [kind for _, kind in rows])
    images.write_pack(path, pictures, frames, {"settings": {"depth_dex": 3.0}})
    return path


def series(counts):
    """Models of each class: {"oval": 3} gives oval0, oval1, oval2."""
    return pd.Series({f"{name}{i}": name for name, count in counts.items() for i in range(count)})


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    return make_pack(tmp_path_factory.mktemp("pack") / "shapes.h5")


@pytest.fixture(scope="module")
def trained(pack, tmp_path_factory):
    """Folder and metrics of one real training."""
    folder = tmp_path_factory.mktemp("train") / "network"
    return folder, train.run(pack, None, SETTINGS, folder)


# Split ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_every_model_lies_in_one_part_and_every_class_in_each(seed):
    models = series({"oval": 36, "rectangle": 36, "obround": 36})
    parts = train.split(models, 0.2, 0.2, seed)
    assert list(parts.index) == list(models.index)
    # 36 models a class: round(7.2) = 7 for validation and as many for the test.
    counts = pd.crosstab(models, parts)
    assert (counts[["train", "validation", "test"]] == [22, 7, 7]).all(axis=None)


def test_split_depends_on_the_seed_and_on_nothing_else():
    models = series({"oval": 20, "rectangle": 20})
    assert (train.split(models, 0.2, 0.2, 3) == train.split(models, 0.2, 0.2, 3)).all()
    assert (train.split(models, 0.2, 0.2, 3) != train.split(models, 0.2, 0.2, 4)).any()


@pytest.mark.parametrize("fraction", [0.05, 0.49])
@pytest.mark.parametrize("count", [3, 4, 5])
def test_the_smallest_classes_still_fill_every_part(count, fraction):
    parts = train.split(series({"oval": count, "rectangle": count}), fraction, fraction, 1)
    assert set(parts) == {"train", "validation", "test"}
    assert (parts.value_counts() >= 2).all()


def test_fractions_that_leave_nothing_to_train_on():
    with pytest.raises(ConfigError, match="validation_fraction and test_fraction sum to 1; allowed"):
        train.split(series({"oval": 9}), 0.5, 0.5, 1)


def test_shuffling_keeps_the_number_of_each_class_and_hardly_any_label():
    models = series({"oval": 100, "rectangle": 100})
    control = train.shuffled(models, 1)
    assert (control.value_counts() == models.value_counts()).all()
    assert list(control.index) == list(models.index)
    # Agreement is half on average with a standard deviation of 0.035 (hypergeometric): 5 of them.
    assert abs((control == models).mean() - 0.5) < 0.18


def test_pictures_follow_their_model_into_its_part():
    models = series({"oval": 4, "rectangle": 4})
    parts = train.split(models, 0.25, 0.25, 1)
    runs = pd.Series(np.random.default_rng(1).permutation(np.repeat(models.index, 3)))
    pictures = np.arange(24.0)[:, None, None] * np.ones((1, 2, 2))
    data = train._arrays(pictures, runs, models, parts, ["oval", "rectangle"])
    seen = [set(data[part]["models"]) for part in train.PARTS]
    assert not (seen[0] & seen[1] or seen[0] & seen[2] or seen[1] & seen[2])
    for part in train.PARTS:
        rows = data[part]["images"][:, 0, 0].astype(int)
        assert (runs.to_numpy()[rows] == data[part]["models"]).all()
        assert (parts[data[part]["models"]] == part).all()
        assert [["oval", "rectangle"][i] for i in data[part]["numbers"]] == list(models[data[part]["models"]])
        assert (data[part]["targets"].argmax(axis=1) == data[part]["numbers"]).all()
        assert (data[part]["targets"].sum(axis=1) == 1).all()
    assert sum(len(data[part]["images"]) for part in train.PARTS) == 24


# Labels -----------------------------------------------------------------------------------------------------


def test_a_table_of_labels_replaces_those_of_the_pack(tmp_path):
    frames = frame_table(["a", "a", "b", "c"], ["oval"] * 4)
    table = pd.DataFrame({"run": ["b", "a", "a"], "frame": [2, 1, 0], "label": ["rectangle", "oval", "obround"]})
    found = train.relabelled(frames, table, tmp_path)["label"]
    assert list(found) == ["obround", "oval", "rectangle", ""]


@pytest.mark.parametrize(
    ("table", "match"),
    [
        (pd.DataFrame({"run": ["a"], "frame": [0]}), "needs run, frame and label"),
        (pd.DataFrame({"run": ["a", "a"], "frame": [0, 0], "label": ["oval", "oval"]}), "labelled twice"),
    ],
)
def test_tables_of_labels_that_cannot_be_used(tmp_path, table, match):
    with pytest.raises(InputError, match=match):
        train.relabelled(frame_table(["a"], [""]), table, tmp_path / "labels.parquet")


def test_labels_from_a_file_decide_what_is_trained_on(pack, tmp_path, capsys):
    frames = images.read_pack(pack).frames
    table = frames[frames["label"] != "obround"][["run", "frame", "label"]]
    catalog.write_table(tmp_path / "labels.parquet", table, {})
    metrics = train.run(pack, tmp_path / "labels.parquet", {**SETTINGS, "epochs": 1}, tmp_path / "network")
    assert metrics["classes"] == ["oval", "rectangle"]
    assert "48 of 144 pictures of no class of this network left out" in capsys.readouterr().out
    card = network.read(tmp_path / "network")[1]
    assert {str(pack), str(tmp_path / "labels.parquet")} == set(card["provenance"]["inputs"])


@pytest.mark.parametrize("name", sorted(train.CLASS_SETS))
def test_each_network_of_the_thesis_knows_its_classes_and_no_others(pack, tmp_path, name):
    classes = train.CLASS_SETS[name]
    assert "-".join(classes) == name
    metrics = train.run(pack, None, {**SETTINGS, "epochs": 1}, tmp_path, classes=classes)
    assert metrics["classes"] == list(classes)
    assert sum(part["models"] for part in metrics["split"].values()) == 8 * len(classes)
    models = pd.read_csv(tmp_path / "split.csv")
    assert set(models["class"]) == set(classes)
    assert np.shape(metrics["test"]["pictures"]["confusion"]) == (len(classes),) * 2


def test_pictures_are_trained_on_as_they_come(pack, monkeypatch):
    """The thesis's networks turn nothing: what they are trained on are the pixels of the pack."""
    seen = []

    def look(self, pictures, *rest, **options):
        seen.append(np.asarray(pictures))
        raise InterruptedError

    keras, pictures = network.load_keras(), images.read_pack(pack).images[:72]
    monkeypatch.setattr(keras.Model, "fit", look)
    part = {"images": pictures, "targets": np.eye(3, dtype="f4")[np.arange(72) % 3]}
    with pytest.raises(InterruptedError):
        train.fit({"train": part, "validation": part}, 3, SETTINGS, lambda epoch, figures: None)
    assert np.array_equal(seen[0][..., 0], pictures)


def test_pictures_are_classified_as_they_come(pack):
    """Keras's own answer to the pixels of the pack is that of the network."""
    pictures = images.read_pack(pack).images[:10]
    model = network.thesis_network(PIXELS, 3)
    answers = np.asarray(model(pictures[..., None], training=False))
    # Single precision: seven digits, a few lost in the sums.
    assert network.predict(model, pictures, 4) == pytest.approx(answers, abs=1e-5)


def test_a_model_with_two_labels_is_refused(tmp_path):
    with pytest.raises(InputError, match="pictures of a carry different labels"):
        train.model_classes(frame_table(["a", "a"], ["oval", "obround"]), tmp_path)


@pytest.mark.parametrize(
    ("labels", "match"),
    [
        (["oval"] * 9, "every model is oval; training needs at least two of oval, rectangle, obround"),
        (["oval"] * 7 + ["obround"] * 2, "2 shape models of obround; train, validation and test need one"),
    ],
)
def test_too_few_classes_or_models(tmp_path, labels, match):
    with pytest.raises(InputError, match=match):
        train.model_classes(frame_table([f"m{i}" for i in range(9)], labels), tmp_path)


def bad_pack(path, labels=("oval", "rectangle") * 6, shape=(PIXELS, PIXELS), value=0.5):
    frames = frame_table([f"m{i}" for i in range(len(labels))], list(labels))
    images.write_pack(path, np.full((len(labels), *shape), value), frames, {})
    return path


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"labels": [""] * 6}, "no picture is labelled oval or rectangle or obround"),
        ({"labels": ["none"] * 6}, "no picture is labelled oval or rectangle or obround"),
        ({"labels": ["spiral"] * 6}, "unknown label 'spiral'; allowed are oval, rectangle, obround"),
        ({"labels": []}, "at least one"),
        ({"shape": (PIXELS, PIXELS + 1)}, "pictures of 25 x 24 pixels; they must be square"),
        ({"shape": (4, 4)}, "pictures of 4 x 4 pixels; they must be square, of 8 pixels or more"),
        ({"shape": (256, 256)}, "layer 7 makes the network too large"),
        ({"value": np.nan}, "NaN or infinite"),
    ],
)
def test_bad_packs_give_one_line_and_no_files(tmp_path, options, match):
    with pytest.raises(InputError, match=match) as error:
        train.run(bad_pack(tmp_path / "bad.h5", **options), None, SETTINGS, tmp_path / "network")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "network").exists()


# Scores -----------------------------------------------------------------------------------------------------


def test_confusion_counts_rows_as_truth():
    counts = train.confusion(np.array([0, 0, 1, 2, 2]), np.array([0, 1, 1, 2, 0]), 3)
    assert counts.tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 1]]


def test_a_model_is_judged_by_the_mean_of_its_pictures():
    # Two of three pictures of "b" are weakly wrong, the third is sure and right.
    probabilities = np.array([[0.9, 0.1], [0.45, 0.55], [0.48, 0.52], [0.99, 0.01]])
    true, predicted = train.per_model(probabilities, np.array([1, 0, 0, 0]), np.array(["a", "b", "b", "b"]))
    assert (true.tolist(), predicted.tolist()) == ([1, 0], [0, 0])


def test_score_holds_its_interval_and_its_counts():
    result = train.score(np.array([0, 1, 1, 1]), np.array([0, 1, 1, 0]), 2)
    assert (result["count"], result["correct"], result["accuracy"]) == (4, 3, 0.75)
    assert result["interval"][0] < 0.75 < result["interval"][1]
    assert np.trace(result["confusion"]) == 3


# Training ---------------------------------------------------------------------------------------------------


def test_easy_shapes_are_learnt(trained):
    test = trained[1]["test"]
    # Flat, nearly noiseless shapes: below 95 % of the pictures means that the network does not learn.
    assert test["pictures"]["accuracy"] > 0.95
    assert test["models"]["accuracy"] == 1.0
    assert test["models"]["interval"][0] > trained[1]["chance"]


def test_metrics_count_what_was_split(trained):
    folder, metrics = trained
    assert metrics == json.loads((folder / "metrics.json").read_text())
    # 8 models a class of 6 pictures: 2 a class for each held-out part.
    assert metrics["split"]["validation"] == metrics["split"]["test"] == {"models": 6, "pictures": 36}
    assert metrics["split"]["train"] == {"models": 12, "pictures": 72}
    assert metrics["test"]["models"]["count"] == 6
    assert np.sum(metrics["test"]["pictures"]["confusion"]) == 36
    assert metrics["chance"] == pytest.approx(1 / 3)
    assert metrics["optimizer"] == {"name": "Adadelta", "learning_rate": 1.0, "batch_size": 50}
    assert metrics["shuffled_labels"] is False
    # As the thesis measured it: on the pictures that it was trained on.
    assert metrics["training"]["count"] == 72


def test_history_and_split_are_tables(trained):
    folder, metrics = trained
    history = pd.read_csv(folder / "history.csv")
    assert list(history.columns) == ["epoch", "loss", "accuracy", "val_loss", "val_accuracy"]
    assert list(history["epoch"]) == list(range(1, metrics["epochs"]["run"] + 1))
    assert history["loss"].iloc[-1] < 0.5 * history["loss"].iloc[0]
    parts = pd.read_csv(folder / "split.csv")
    assert not parts["model"].duplicated().any()
    assert parts["part"].value_counts().to_dict() == {"train": 12, "validation": 6, "test": 6}
    assert all(model.startswith(name) for model, name in zip(parts["model"], parts["class"], strict=True))


def test_the_card_says_what_the_network_is_for(trained):
    card = network.read(trained[0])[1]
    assert (card["classes"], card["pixels"]) == (["oval", "rectangle", "obround"], PIXELS)
    assert card["preprocessing"] == {"stretch": "log10", "depth_dex": 3.0}
    assert card["metrics"] == trained[1]
    assert (card["provenance"]["seed"], card["provenance"]["stage"]) == (1, "train.thesis")


def test_curves_are_a_picture(trained):
    assert images.read_picture(trained[0] / "curves.png")[0].std() > 0.01


def test_no_temporary_files_are_left(trained):
    assert sorted(path.name for path in trained[0].iterdir()) == [
        "card.json", "curves.png", "history.csv", "metrics.json",
        "model.json", "model.weights.h5", "split.csv",
    ]  # fmt: skip


def test_the_written_network_scores_what_the_metrics_say(trained, pack):
    [model], card = network.read(trained[0])
    content = images.read_pack(pack)
    parts = pd.read_csv(trained[0] / "split.csv").set_index("model")
    part = parts.loc[content.frames["run"], "part"].to_numpy()
    predicted = np.array(card["classes"])[network.predict(model, content.images, 50).argmax(axis=1)]
    right = predicted == content.frames["label"].to_numpy()
    assert right[part == "test"].sum() == card["metrics"]["test"]["pictures"]["correct"]
    assert right[part == "train"].sum() == card["metrics"]["training"]["correct"]


def test_same_seed_same_weights_and_another_seed_others(pack, tmp_path):
    def weights(seed, name):
        train.run(pack, None, {**SETTINGS, "seed": seed, "epochs": 2}, tmp_path / name)
        return (tmp_path / name / "model.weights.h5").read_bytes()

    assert weights(1, "a") == weights(1, "b")
    assert weights(1, "a") != weights(2, "c")


def test_shuffled_labels_score_chance(tmp_path):
    pack = make_pack(tmp_path / "shapes.h5", models_per_class=24, pictures_per_model=2)
    settings = {**SETTINGS, "epochs": 8, "test_fraction": 0.5}
    metrics = train.run(pack, None, settings, tmp_path / "control", shuffle_labels=True)
    low, high = metrics["test"]["models"]["interval"]
    # 33 models count as independent trials: their interval must hold chance (1/3) and exclude learning.
    assert metrics["test"]["models"]["count"] == 33
    assert low <= 1 / 3 <= high < 0.7
    assert metrics["shuffled_labels"] is True


def history_of(settings, monkeypatch, losses):
    """Train on nothing to speak of, with validation losses handed out instead of measured."""
    keras = network.load_keras()
    stop = keras.callbacks.EarlyStopping
    monkeypatch.setattr(stop, "get_monitor_value", lambda self, logs: losses.pop(0))
    rng = np.random.default_rng(1)
    part = {"images": rng.random((8, 8, 8)).astype("f4"), "targets": np.eye(2, dtype="f4")[[0, 1] * 4]}
    data = {"train": part, "validation": part}
    return train.fit(data, 2, {**SETTINGS, **settings}, lambda epoch, figures: None)


def test_training_stops_after_patience_and_keeps_the_best(monkeypatch):
    seen = []
    keras = network.load_keras()
    keep = keras.Model.set_weights
    monkeypatch.setattr(keras.Model, "set_weights", lambda self, values: (seen.append(1), keep(self, values)))
    _, history = history_of({"epochs": 20, "patience": 3}, monkeypatch, [1.0, 0.5, 0.6, 0.7, 0.8, 0.1])
    # Best at epoch 2, then three epochs without a better one.
    assert len(history) == 5
    assert seen == [1]


def test_patience_of_zero_runs_all_epochs(monkeypatch):
    _, history = history_of({"epochs": 7, "patience": 0}, monkeypatch, [])
    assert len(history) == 7


def test_training_that_diverges_says_so(monkeypatch):
    part = {"images": np.full((4, 8, 8), 1e30, "f4"), "targets": np.eye(2, dtype="f4")[[0, 1, 0, 1]]}
    settings = {**SETTINGS, "epochs": 3, "learning_rate": 1e30, "patience": 0}
    with pytest.raises(InputError, match="training diverged.*lower train.learning_rate"):
        train.fit({"train": part, "validation": part}, 2, settings, lambda epoch, figures: None)


def test_progress_line_names_the_figures_and_the_time_left():
    figures = {"loss": 0.1234, "accuracy": 0.9, "val_loss": 0.5, "val_accuracy": 0.875}
    line = train.progress_line(3, 10, figures, 41.6)
    assert line == ("epoch 3/10  loss 0.123  accuracy 90.0%  validation loss 0.500  accuracy 87.5%  at most 42 s left")


@pytest.mark.parametrize(("terminal", "lines"), [(True, 25), (False, 4)])
def test_a_line_an_epoch_on_a_terminal_and_one_in_ten_in_a_log(monkeypatch, capsys, terminal, lines):
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal, raising=False)
    announce = train._announce(25)
    for epoch in range(1, 26):
        announce(epoch, {"loss": 1.0, "accuracy": 0.5, "val_loss": 1.0, "val_accuracy": 0.5})
    # In a log: epochs 1, 10, 20 and the last.
    assert len(capsys.readouterr().out.splitlines()) == lines


def test_summary_is_one_line_with_interval_and_chance(trained):
    line = train.summary(trained[1])
    assert line.startswith("held-out shape models: 6 of 6 right (100.0%, 95 % interval 61.0% to 100.0%)")
    assert "chance 33.3%; its training pictures " in line
    assert "shuffled" in train.summary({**trained[1], "shuffled_labels": True})
