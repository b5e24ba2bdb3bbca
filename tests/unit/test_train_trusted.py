"""The classifier's training: an honest split, random telescopes, the same weights from one seed, true figures."""

import numpy as np
import pandas as pd
import pytest

from galclass import catalog, images, network, train
from galclass.errors import ConfigError, InputError
from galclass.train import evaluation, examples, fitting, observing
from tests.unit.test_network_unrolling import galaxy

SIDE = 40
SETTINGS = {"seed": 1, "frames_per_run": 50, "members": 2, "observations": 1, "epochs": 2, "patience": 0,
            "batch_size": 20, "learning_rate": 1.0, "validation_fraction": 0.2, "test_fraction": 0.2}  # fmt: skip


def write_run(folder, name, labels, run_label=""):
    """A pack of one run with its table of labels: boxes for rectangles, ellipses for ovals, rhombs for the rest."""
    exponents = {"rectangle": 5.0, "oval": 2.0, "none": 1.3, "obround": 2.6}
    rng = np.random.default_rng(len(name))
    deep = np.array([galaxy(rng.uniform(0.5, 0.9), exponents[label], rng.uniform(0, 180), 5.0, side=SIDE)
                     for label in labels])  # fmt: skip
    frames = pd.DataFrame({column: np.zeros(len(labels)) for column in images.FRAME_COLUMNS})
    frames = frames.assign(frame=range(len(labels)), run=name, snapshot="s0", label=run_label, effective_radius_kpc=1.0)
    frames = frames.assign(pixel_kpc=0.2, galaxies=1)
    images.write_pack(folder / f"{name}.h5", images.stretch(deep, 3.0), frames, {}, {"flux": deep, "deep": deep})
    b4 = {"rectangle": -0.09, "oval": 0.0, "none": 0.1, "obround": -0.05}
    b6 = {"obround": 0.015}
    table = pd.DataFrame({"run": name, "frame": range(len(labels)), "measured_label": labels})
    table = table.assign(b4=[b4[v] for v in labels], b6=[b6.get(v, 0.0) for v in labels], b4_err=0.005, b6_err=0.003)
    catalog.write_table(folder / f"{name}.parquet", table, {})
    return folder / f"{name}.h5", folder / f"{name}.parquet"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return [write_run(folder, f"run_{k}", ["rectangle", "oval", "none", "oval", "obround"] * 4) for k in range(5)]


# Examples ---------------------------------------------------------------------------------------------------


def test_no_run_is_in_two_parts():
    groups = pd.DataFrame({"simulated": True, "label": ""}, index=[f"r{k}" for k in range(10)])
    models = pd.DataFrame({"simulated": False, "label": "oval"}, index=[f"m{k}" for k in range(5)])
    parts = examples.split(pd.concat([groups, models]), 0.2, 0.2, 3)
    assert parts[groups.index].value_counts().to_dict() == {"train": 6, "validation": 2, "test": 2}
    assert parts[models.index].value_counts().to_dict() == {"train": 3, "validation": 1, "test": 1}
    assert not parts.index.duplicated().any()


def test_fractions_must_leave_something_to_train_on():
    with pytest.raises(ConfigError, match="sum to 1; allowed is below 1"):
        examples.split(pd.DataFrame({"simulated": [True], "label": [""]}), 0.5, 0.5, 1)


def test_chances_follow_the_errors_of_the_ruler():
    """B4 on the limit between two classes, without an error of B6: one half each."""
    table = pd.DataFrame({"b4": [-0.02, 0.0, np.nan], "b4_err": [0.001, 1e-4, np.nan], "b6": 0.015, "b6_err": 1e-6})
    found = examples.chances(table)
    assert found[0] == pytest.approx([0.5, 0.0, 0.5, 0.0], abs=1e-3)
    assert found[1] == pytest.approx([1.0, 0.0, 0.0, 0.0], abs=1e-6)
    assert found[2].tolist() == [0.0, 0.0, 0.0, 1.0]


def test_frames_of_a_long_run_are_chosen_evenly(runs):
    source = examples.read_source(*runs[0], 5)
    assert len(source.frames) == len(source.deep) == len(source.chances) == 5
    assert source.frames["frame"].tolist() == [0, 4, 9, 14, 19]
    assert source.simulated


def test_labels_of_another_pack_are_refused(runs):
    with pytest.raises(InputError, match="label nan for a frame of .*run_0.h5"):
        examples.read_source(runs[0][0], runs[1][1], 50)


def test_shuffled_labels_keep_their_chances_but_lose_their_pictures(runs):
    _, table = examples.observed(examples.read_source(*runs[0], 50), 1, 1, np.zeros(20, bool))
    mixed = examples.shuffled(table, 1)
    assert sorted(mixed["label"]) == sorted(table["label"])
    assert (mixed["label"] != table["label"]).any()
    assert (examples.sure(mixed) == True).all()  # noqa: E712 - each label still goes with its own chances


# Telescopes -------------------------------------------------------------------------------------------------


def test_the_random_telescope_has_the_signal_to_noise_it_says():
    """The scatter of the ring's flux over many exposures of one camera, over its mean, is 1 / S/N."""
    light = galaxy(0.8, 2.0, 0.0, 6.0, side=SIDE)
    rng = np.random.default_rng(8)
    camera = observing._camera(light, 6.0, 0.3, 25.0, 5.0, rng)
    y, x = np.indices(light.shape) - 0.5 * (SIDE - 1)
    ring = np.abs(np.hypot(x, y) - 6.0) <= 0.5
    from galclass import telescope

    sums = [telescope.observe(light, camera, 1.0, rng, telescope.NO_EXTRAS).flux[ring].sum() for _ in range(400)]
    # 400 draws know a standard deviation to 3.5 %; the blur changes the ring's light by a little.
    assert np.mean(sums) / np.std(sums) == pytest.approx(25.0, rel=0.12)


def test_the_same_seed_sees_the_same_and_another_something_else(runs):
    source = examples.read_source(*runs[0], 50)
    first, again, other = (examples.observed(source, 1, seed, np.zeros(20, bool))[0] for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


@pytest.mark.parametrize("zoom", [0.6, 1.0, 1.7])
def test_a_picture_at_another_size_keeps_its_light(zoom):
    light = galaxy(0.8, 2.0, 0.0, 3.0, side=SIDE)
    placed = observing._placed(light, zoom, np.random.default_rng(1))
    assert placed.shape == light.shape
    assert placed.sum() == pytest.approx(light.sum(), rel=0.05)


@pytest.mark.parametrize("seed", range(8))
def test_a_stretched_picture_has_256_greys(seed):
    rng = np.random.default_rng(seed)
    picture = observing.stretched(galaxy(side=SIDE) + rng.normal(0, 0.01, (SIDE, SIDE)), rng)
    assert 0 <= picture.min() < picture.max() <= 1
    assert picture * 255 == pytest.approx(np.round(picture * 255))


# Figures ----------------------------------------------------------------------------------------------------


def test_auc_is_the_chance_to_rank_a_pair_rightly():
    """Counted by hand: of the 2 x 3 pairs 4 are in order and one is a tie."""
    truth = np.array([True, True, False, False, False])
    assert evaluation.auc(truth, np.array([0.9, 0.3, 0.5, 0.3, 0.1])) == pytest.approx(4.5 / 6)
    assert np.isnan(evaluation.auc(truth, truth)) == False  # noqa: E712
    assert np.isnan(evaluation.auc(np.ones(3, bool), np.arange(3)))


def test_honest_probabilities_have_no_calibration_error():
    rng = np.random.default_rng(1)
    claimed = rng.uniform(size=200_000)
    assert evaluation.calibration_error(rng.uniform(size=len(claimed)) < claimed, claimed) < 0.005
    assert evaluation.calibration_error(rng.uniform(size=len(claimed)) < 0.5 * claimed, claimed) == pytest.approx(
        0.25, abs=0.005
    )


# Training ---------------------------------------------------------------------------------------------------


def test_one_seed_gives_one_set_of_weights(runs):
    maps, table = examples.observed(examples.read_source(*runs[0], 50), 2, 1, np.zeros(20, bool))
    data = maps, examples.targets(table)
    one, again, other = (
        fitting.fit_member(data, data, SETTINGS, seed, lambda figures: None)[0].get_weights() for seed in (5, 5, 6)
    )
    assert all((a == b).all() for a, b in zip(one, again, strict=True))
    assert any((a != b).any() for a, b in zip(one, other, strict=True))
    assert {weight.dtype for weight in one} == {np.dtype("float32")}


def test_training_stops_and_keeps_the_best_epoch(runs):
    maps, table = examples.observed(examples.read_source(*runs[0], 50), 1, 1, np.zeros(20, bool))
    data = maps, examples.targets(table)
    held = maps, examples.targets(examples.shuffled(table, 4))
    settings = SETTINGS | {"epochs": 60, "patience": 3}
    model, history = fitting.fit_member(data, held, settings, 1, lambda figures: None)
    best = int(history["val_loss"].idxmin())
    assert len(history) == best + 1 + 3 or len(history) == 60
    found = fitting._validated(model, *held)["val_loss"]
    assert found == pytest.approx(history["val_loss"][best], abs=0.02)  # bfloat16 then, float32 now


@pytest.fixture(scope="module")
def trained(runs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("network")
    packs, labels = zip(*runs, strict=True)
    metrics = train.run(packs, labels, SETTINGS, folder, {f"run_{k}": 1.0 + k for k in range(5)})
    return folder, metrics


def test_the_folder_holds_a_classifier_and_what_it_reached(trained):
    folder, metrics = trained
    classifier = network.open_classifier(folder)
    assert classifier.classes == list(network.TRUSTED_CLASSES)
    assert len(classifier.models) == 2
    assert metrics["split"]["test"]["runs"] == 1
    assert metrics["simulations"]["all"]["pictures"] == 20
    for name in ("metrics.json", "by_property.csv", "reliability.csv", "history.csv", "split.csv", "curves.png"):
        assert (folder / name).stat().st_size > 0


def test_held_out_predictions_are_of_runs_that_were_not_trained_on(trained):
    folder, _ = trained
    table = catalog.read_table(folder / "heldout.parquet")
    split = pd.read_csv(folder / "split.csv").set_index("run")["part"]
    assert set(table["run"]) == set(split.index[split != "train"])
    assert table[[f"p_{name}" for name in network.TRUSTED_CLASSES]].sum(axis=1).to_numpy() == pytest.approx(1.0)


def test_what_cannot_be_split_is_refused(runs, tmp_path):
    packs, labels = zip(*runs[:2], strict=True)
    with pytest.raises(InputError, match="2 runs and shape models leave none for validation"):
        train.run(packs, labels, SETTINGS, tmp_path, {})
    with pytest.raises(InputError, match="2 packs and 1 tables"):
        train.run(packs, labels[:1], SETTINGS, tmp_path, {})
