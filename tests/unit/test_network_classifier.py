"""The trusted classifier: no orientation, no over-claim, probabilities that keep their word, and where it looked."""

import json

import numpy as np
import pytest

from galclass import network
from galclass.errors import InputError
from galclass.network import calibration, gauge, saliency, unrolling
from tests.unit.test_network_unrolling import galaxy

NONE = network.TRUSTED_CLASSES.index("none")


@pytest.fixture(scope="module")
def models():
    network.fix_seeds(3)
    return [network.build(network.trusted_layers()) for _ in range(2)]


def some_maps(count=40, noise=0.01, seed=1):
    rng = np.random.default_rng(seed)
    pictures = [galaxy(rng.uniform(0.4, 1.0), rng.uniform(1.7, 5.0), rng.uniform(0, 180), rng.uniform(4, 8))
                for _ in range(count)]  # fmt: skip
    return network.unrolled(np.array(pictures) + rng.normal(0.0, noise, (count, 64, 64)))


@pytest.fixture(scope="module")
def folder(models, tmp_path_factory):
    folder = tmp_path_factory.mktemp("network")
    measured = network.fit_gauge(some_maps(), some_maps(seed=2))
    found = network.Calibration(1.5, measured)
    card = {"kind": "trusted", "classes": list(network.TRUSTED_CLASSES), "pixels": None, "preprocessing": {},
            "calibration": found.as_json(), "metrics": {}, "provenance": {}}  # fmt: skip
    network.write(models, folder, card)
    return folder


def test_what_is_written_is_read_again(folder, models):
    classifier = network.open_classifier(folder)
    assert (classifier.kind, classifier.layer, len(classifier.models)) == ("trusted", "flux", 2)
    maps = some_maps(5)
    assert (network.ensemble_mean(classifier.models, maps, 5) == network.ensemble_mean(models, maps, 5)).all()
    assert sorted(path.name for path in folder.iterdir()) == [
        "card.json", "member_1.weights.h5", "member_2.weights.h5", "model.json"]  # fmt: skip


def test_quarter_turns_and_mirror_images_have_the_same_answer(folder):
    classifier = network.open_classifier(folder)
    picture = galaxy(0.7, 3.0, 25.0) + np.random.default_rng(4).normal(0.0, 0.003, (64, 64))
    views = np.array([np.rot90(side, turn) for side in (picture, picture[:, ::-1]) for turn in range(4)])
    answers = classifier.predict(views, 8).probabilities
    assert answers.sum(axis=1) == pytest.approx(1.0)
    # Maps agree to the rounding of float32 sums; centres that round differently move a map by a small part.
    assert np.ptp(answers, axis=0).max() < 5e-3


def test_every_kind_of_picture_file_is_answered(folder, tmp_path):
    from galclass import images

    picture = galaxy(0.7, 3.0, 25.0)
    images.write_png(tmp_path / "galaxy.png", picture)
    classifier = network.open_classifier(folder)
    [answer] = classifier.answer(classifier.file_inputs(tmp_path / "galaxy.png")[None], 1).table().to_dict("records")
    assert set(answer) == {"p_oval", "p_rectangle", "p_obround", "p_none", "class", "domain_distance"}


# Calibration ------------------------------------------------------------------------------------------------


def test_the_temperature_of_over_sure_answers_is_found():
    """Probabilities made three times too sure on purpose: the fit must find a temperature near 3."""
    rng = np.random.default_rng(5)
    logits = rng.normal(0.0, 1.0, (20_000, 4))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    numbers = (true.cumsum(axis=1) > rng.uniform(size=(len(true), 1))).argmax(axis=1)
    claimed = np.exp(3 * logits) / np.exp(3 * logits).sum(axis=1, keepdims=True)
    assert network.fit_temperature(claimed, numbers) == pytest.approx(3.0, rel=0.05)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"temperature": 0.0}, "above 0"),
        ({"limit": -1.0}, "above 0"),
        ({"mean": [0.0, 1.0]}, "shape"),
        ({"mean": "abcd"}, "shape"),
        ({"mean": None}, "shape"),
        ({"mean": [True] * 48}, "shape"),
        ({"extra": 1.0}, "exactly"),
    ],
)
def test_a_strange_calibration_is_refused(folder, tmp_path, change, message):
    card = json.loads((folder / "card.json").read_text())
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    card["calibration"] |= change
    (tmp_path / "card.json").write_text(json.dumps(card))
    with pytest.raises(InputError, match=message) as error:
        network.open_classifier(tmp_path)
    assert "\n" not in str(error.value)


# Embedding --------------------------------------------------------------------------------------------------


def thesis_card(pixels, classes):
    return {"kind": "thesis", "classes": classes, "pixels": pixels, "preprocessing": {}, "metrics": {},
            "provenance": {}}  # fmt: skip


@pytest.fixture
def thesis(tmp_path):
    network.fix_seeds(4)
    network.write(network.build(network.thesis_layers(16, 3)), tmp_path, thesis_card(16, list(network.CLASSES)))
    return network.open_classifier(tmp_path)


def test_the_last_layer_alone_makes_the_answers_from_the_embedding(thesis):
    """Softmax of the last layer's weights on the embedding, up to its length, which the embedding forgets."""
    inputs = thesis.inputs(np.random.default_rng(1).uniform(size=(6, 16, 16)))
    found, (kernel, _) = thesis.embedding(inputs), thesis.models[0].layers[-1].get_weights()
    assert (found.shape, found.dtype) == ((6, 128), np.float32)
    ends = np.log(thesis.answer(inputs, 6).probabilities)  # a new network has no bias: differences are proportional
    gaps, expected = (found @ (kernel[:, :2] - kernel[:, 2:])), ends[:, :2] - ends[:, 2:]
    length = (expected * gaps).sum(axis=1) / (gaps**2).sum(axis=1)
    assert (length > 0).all()
    assert expected == pytest.approx(length[:, None] * gaps, abs=1e-6)  # probabilities are float32


def test_an_embedding_does_not_depend_on_the_batches_nor_on_handedness(folder):
    classifier, maps = network.open_classifier(folder), some_maps(7)
    found = classifier.embedding(maps)
    assert found.shape == (7, 2 * 64)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1.0, abs=1e-6)
    # Sums of float32 in another order.
    assert classifier.embedding(maps, 3) == pytest.approx(found, abs=1e-6)
    assert classifier.embedding(unrolling.mirrored(maps)) == pytest.approx(found, abs=1e-6)
    assert np.abs(classifier.embedding(maps[::-1]) - found).max() > 1e-3


def test_the_cosine_of_embeddings_is_the_mean_over_the_members(folder, models):
    maps, classifier = some_maps(5), network.open_classifier(folder)
    alone = [network.TrustedClassifier([model], classifier.card) for model in models]
    distances = [network.embedding_distance(rows[1:], rows[0])
                 for rows in (one.embedding(maps) for one in (classifier, *alone))]  # fmt: skip
    assert distances[0] == pytest.approx((distances[1] + distances[2]) / 2, abs=1e-6)  # float32


def test_networks_without_hidden_layers_have_an_embedding_too(tmp_path):
    layers = [{"class": "InputLayer", "shape": (8, 8, 1)}, {"class": "Flatten"},
              {"class": "Dense", "units": 2, "activation": "softmax"}]  # fmt: skip
    network.write(network.build(layers), tmp_path, thesis_card(8, ["a", "b"]))
    pictures = np.random.default_rng(2).uniform(size=(3, 8, 8))
    expected = pictures.reshape(3, 64) / np.linalg.norm(pictures, axis=(1, 2))[:, None]
    assert network.open_classifier(tmp_path).embedding(pictures) == pytest.approx(expected, abs=1e-6)  # float32


def test_the_distance_of_embeddings_is_that_of_their_directions():
    rows = np.array([[2.0, 0.0], [0.0, 3.0], [1.0, 1.0], [-1.0, 0.0], [0.0, 0.0]])
    found = network.embedding_distance(rows, np.array([5.0, 0.0]))
    assert found == pytest.approx([0.0, 1.0, 1.0 - np.sqrt(0.5), 2.0, np.nan], nan_ok=True)
    assert np.isnan(network.embedding_distance(rows, np.zeros(2))).all()


# Gauge ------------------------------------------------------------------------------------------------------


def test_one_in_a_hundred_pictures_like_those_lies_beyond_the_gauge():
    measured = network.fit_gauge(some_maps(300), some_maps(300, seed=2))
    share = (measured.distance(some_maps(1000, seed=3)) > 1).mean()
    # Binomial, and the limit itself comes from 300 pictures: up to 3 % is within two and a half deviations.
    assert share < 0.03


def test_what_is_no_galaxy_lies_far_beyond_and_is_called_none():
    measured = network.fit_gauge(some_maps(300), some_maps(300, seed=2))
    rng = np.random.default_rng(6)
    strange = network.unrolled(np.array([rng.normal(size=(64, 64)), rng.uniform(size=(64, 64)) > 0.98]).astype(float))
    distance = measured.distance(strange)
    assert (distance > 1.5).all()
    sure = np.tile([0.0, 1.0, 0.0, 0.0], (2, 1))
    faded = network.faded(sure, distance, NONE)
    assert (faded[:, NONE] > 0.5).all()
    assert faded.sum(axis=1) == pytest.approx(1.0)


def test_within_the_gauge_nothing_fades():
    sure = np.array([[0.1, 0.8, 0.05, 0.05]])
    assert (gauge.faded(sure, np.array([0.99]), NONE) == sure).all()


# Saliency ---------------------------------------------------------------------------------------------------


def test_attributions_sum_to_the_difference_of_the_probabilities(models):
    """Completeness of integrated gradients (Sundararajan et al. 2017, proposition 1), by the midpoint rule."""
    maps = some_maps(6)
    added = saliency.attribution(models, maps, 1, steps=128)
    assert added.shape == (6, unrolling.RINGS, unrolling.PLACES)
    start = saliency.ellipses_only(maps)
    ends = [sum(network.predict(model, m, 6)[:, 1] for model in models) / 2 for m in (maps, start)]
    assert added.sum(axis=(1, 2)) == pytest.approx(ends[0] - ends[1], abs=1e-4)


def test_a_perfect_ellipse_has_nothing_to_look_at(models):
    plain = saliency.ellipses_only(some_maps(2))
    assert (saliency.attribution(models, plain, 1, steps=4) == 0).all()


def test_calibration_as_json_and_back(folder):
    found = network.open_classifier(folder).calibration
    again = calibration.read_calibration(found.as_json(), folder)
    assert again.temperature == found.temperature
    assert (again.gauge.whitening == found.gauge.whitening).all()
