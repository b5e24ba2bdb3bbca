"""The thesis's network is what the thesis says, and building it is quiet and repeatable."""

import subprocess
import sys

import numpy as np
import pytest

from galclass import network
from galclass.network import building

PIXELS = 12


@pytest.fixture(scope="module")
def model():
    network.fix_seeds(7)
    return network.thesis_network(PIXELS, 3)


@pytest.fixture
def pictures():
    return np.random.default_rng(3).random((5, PIXELS, PIXELS))


def test_layers_are_those_of_the_thesis(model):
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds == ["Conv2D", "Conv2D", "MaxPooling2D", "Dropout", "Flatten", "Dense", "Dropout", "Dense"]
    first, second, pool, drop, _, dense, drop_more, last = model.layers
    assert (first.filters, first.kernel_size, first.activation.__name__) == (32, (3, 3), "relu")
    assert (second.filters, second.kernel_size, second.activation.__name__) == (64, (3, 3), "relu")
    assert (pool.pool_size, drop.rate, drop_more.rate) == ((2, 2), 0.25, 0.5)
    assert (dense.units, dense.activation.__name__) == (128, "relu")
    assert (last.units, last.activation.__name__) == (3, "softmax")


def test_number_of_weights_at_fifty_pixels():
    # By hand: 50 -> 48 -> 46 -> 23 pixels; (9*1+1)*32 + (9*32+1)*64 + (23*23*64+1)*128 + (128+1)*3.
    assert network.build(network.thesis_layers(50, 3)).count_params() == 320 + 18_496 + 4_333_696 + 387


def test_shapes_found_without_building_are_those_of_keras(tmp_path):
    layers = network.thesis_layers(21, 4)
    shapes = [shape for pair in network.weight_shapes(layers, tmp_path) for shape in pair]
    assert shapes == [weight.shape for weight in network.build(layers).get_weights()]


def test_adadelta_runs_at_one_and_not_at_the_default_of_keras(model):
    keras = network.load_keras()
    assert isinstance(model.optimizer, keras.optimizers.Adadelta)
    assert float(model.optimizer.learning_rate) == 1.0
    # Should Keras go back to 1.0, this test would no longer tell an explicit rate from a forgotten one.
    assert float(keras.optimizers.Adadelta().learning_rate) != 1.0
    assert model.loss == "categorical_crossentropy"


def test_learning_rate_can_be_set():
    assert float(network.thesis_network(PIXELS, 2, learning_rate=0.25).optimizer.learning_rate) == 0.25


def test_probabilities_sum_to_one_and_do_not_depend_on_the_batch(model, pictures):
    whole = network.predict(model, pictures, 5)
    # Five single-precision probabilities: rounding of 1e-7 each.
    assert whole.sum(axis=1) == pytest.approx(np.ones(5), abs=1e-6)
    assert network.predict(model, pictures, 2) == pytest.approx(whole, abs=1e-6)


def test_same_seed_gives_the_same_first_weights():
    def first_weights(seed):
        network.fix_seeds(seed)
        return network.build(network.thesis_layers(PIXELS, 2)).get_weights()

    assert all((a == b).all() for a, b in zip(first_weights(1), first_weights(1), strict=True))
    assert (first_weights(1)[0] != first_weights(2)[0]).any()


def test_importing_the_module_is_light():
    code = "import sys, galclass.network; print({'keras', 'tensorflow', 'scipy', 'sklearn'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_keras_starts_without_a_word():
    code = "from galclass import network; network.fix_seeds(1); network.build(network.thesis_layers(9, 2))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""


def test_what_a_failing_import_says_is_shown(capfd):
    with pytest.raises(RuntimeError), building._quiet_descriptor(2):
        sys.__stderr__.write("the reason\n")
        sys.__stderr__.flush()
        raise RuntimeError
    assert "the reason" in capfd.readouterr().err


@pytest.mark.parametrize(("value", "number"), [("3", 3), ("0", None), ("many", None), ("", None)])
def test_threads_follow_the_scheduler(monkeypatch, value, number):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    monkeypatch.setattr(building.os, "sched_getaffinity", lambda _: range(11))
    assert network.threads() == (number or 11)
