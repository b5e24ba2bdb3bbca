"""Networks that Keras 1, 2 or 3 wrote predict here as they did there, and nothing else is read."""

import json
import math
import os
import warnings

import h5py
import numpy as np
import pytest
from scipy import signal
from typer.testing import CliRunner

from galclass import cli, network
from galclass.errors import InputError
from galclass.network import foreign
from galclass.network.foreign import isolation, weights

PIXELS, CLASSES = 14, 3
#: Shape of the weights of each layer: kernels (rows, columns, channels, filters), rows of the first dense layer as
#: the maps before it lie.
CONVOLUTIONS, POOL, UNITS = ((1, 4), (4, 6)), 2, 10
MAPS = (PIXELS - 4) // POOL


def random_weights(seed=5):
    """Kernel (rows, columns, channels, filters) or (inputs, units), and bias, of two convolutions and two layers."""
    rng = np.random.default_rng(seed)
    shapes = [(3, 3, *pair) for pair in CONVOLUTIONS] + [(MAPS**2 * 6, UNITS), (UNITS, CLASSES)]
    return [
        (rng.normal(0, math.prod(shape[:-1]) ** -0.5, shape).astype("<f4"), rng.normal(0, 0.1, shape[-1]).astype("<f4"))
        for shape in shapes
    ]


@pytest.fixture
def pictures():
    return np.random.default_rng(3).random((7, PIXELS, PIXELS))


# The network by hand ----------------------------------------------------------------------------------------


def slide(maps, kernel, bias, turns):
    """Maps (channels, rows, columns) through a kernel: a convolution, as Theano's, or a correlation; then ReLU."""
    over = signal.convolve2d if turns else signal.correlate2d
    rows = [
        sum(over(maps[i], kernel[:, :, i, o], mode="valid") for i in range(len(maps))) for o in range(kernel.shape[3])
    ]
    return np.maximum(np.stack(rows) + bias[:, None, None], 0)


def pooled(maps):
    channels, height, width = maps.shape
    return maps.reshape(channels, height // POOL, POOL, width // POOL, POOL).max(axis=(2, 4))


def by_hand(pictures, weights, turns, channels_first):
    """Probabilities (n, classes) without any library of networks."""
    (first, second, dense, last), answers = weights, []
    for picture in pictures:
        maps = pooled(slide(slide(picture[None], *first, turns), *second, turns))
        line = maps.ravel() if channels_first else maps.transpose(1, 2, 0).ravel()
        sums = np.maximum(line @ dense[0] + dense[1], 0) @ last[0] + last[1]
        answers.append(np.exp(sums) / np.exp(sums).sum())
    return np.array(answers)


# Files as Keras 1 and 2 wrote them --------------------------------------------------------------------------

NAMES = {
    1: ["convolution2d_1", "convolution2d_2", "dense_1", "dense_2"],
    2: ["conv2d_1", "conv2d_2", "dense_1", "dense_2"],
}


def keras_1_layers(order, separate):
    """Layers as Keras 1.2 described them, activations inside the layers or separate."""
    held = {"W_regularizer": None, "b_regularizer": None, "W_constraint": None, "b_constraint": None, "trainable": True}
    held |= {"init": "glorot_uniform", "activity_regularizer": None, "bias": True}
    side = [None, 1, PIXELS, PIXELS] if order == "th" else [None, PIXELS, PIXELS, 1]
    word = "linear" if separate else "relu"
    layers = []

    def add(kind, **config):
        layers.append({"class_name": kind, "config": config})

    for number, (_, filters) in enumerate(CONVOLUTIONS):
        first = {} if number else {"batch_input_shape": side, "input_dtype": "float32"}
        add("Convolution2D", name=NAMES[1][number], nb_filter=filters, nb_row=3, nb_col=3, subsample=[1, 1],
            border_mode="valid", dim_ordering=order, activation=word, **held, **first)  # fmt: skip
        if separate:
            add("Activation", name=f"activation_{number + 1}", activation="relu", trainable=True)
    add("MaxPooling2D", name="maxpooling2d_1", pool_size=[2, 2], strides=[2, 2], border_mode="valid",
        dim_ordering=order, trainable=True)  # fmt: skip
    add("Dropout", name="dropout_1", p=0.25, trainable=True)
    add("Flatten", name="flatten_1", trainable=True)
    add("Dense", name="dense_1", output_dim=UNITS, input_dim=None, activation=word, **held)
    if separate:
        add("Activation", name="activation_3", activation="relu", trainable=True)
    add("Dropout", name="dropout_2", p=0.5, trainable=True)
    add("Dense", name="dense_2", output_dim=CLASSES, input_dim=None, activation="linear" if separate else "softmax",
        **held)  # fmt: skip
    if separate:
        add("Activation", name="activation_4", activation="softmax", trainable=True)
    return layers


def keras_2_layers(order, flatten_order=None):
    """Layers as Keras 2 described them; Flatten says an order since 2.2."""
    glorot = {"class_name": "VarianceScaling",
              "config": {"scale": 1.0, "mode": "fan_avg", "distribution": "uniform", "seed": None}}  # fmt: skip
    held = {"trainable": True, "use_bias": True, "kernel_initializer": glorot, "kernel_regularizer": None,
            "bias_initializer": {"class_name": "Zeros", "config": {}}, "bias_regularizer": None,
            "activity_regularizer": None, "kernel_constraint": None, "bias_constraint": None}  # fmt: skip
    side = [None, 1, PIXELS, PIXELS] if order == "channels_first" else [None, PIXELS, PIXELS, 1]
    layers = []
    for number, (_, filters) in enumerate(CONVOLUTIONS):
        first = {} if number else {"batch_input_shape": side, "dtype": "float32"}
        layers.append(("Conv2D", {"name": NAMES[2][number], "filters": filters, "kernel_size": [3, 3],
                                  "strides": [1, 1], "padding": "valid", "data_format": order,
                                  "dilation_rate": [1, 1], "activation": "relu", **held, **first}))  # fmt: skip
    layers += [
        ("MaxPooling2D", {"name": "max_pooling2d_1", "trainable": True, "pool_size": [2, 2], "strides": [2, 2],
                          "padding": "valid", "data_format": order}),
        ("Dropout", {"name": "dropout_1", "trainable": True, "rate": 0.25, "noise_shape": None, "seed": None}),
        ("Flatten", {"name": "flatten_1", "trainable": True}),
        ("Dense", {"name": "dense_1", "units": UNITS, "activation": "relu", **held}),
        ("Dense", {"name": "dense_2", "units": CLASSES, "activation": "softmax", **held}),
    ]  # fmt: skip
    if flatten_order:
        layers[4][1]["data_format"] = flatten_order
    return [{"class_name": kind, "config": config} for kind, config in layers]


def tree(layers, **said):
    return {"class_name": "Sequential", "config": layers, **said}


def write_weights(path, layers, weights, version, backend=None, whole=False, first_filters=False):
    """A file of `save_weights` (or, whole, of `save`) of Keras 1 or 2."""
    named = dict(zip(NAMES[version], weights, strict=True))
    with h5py.File(path, "w") as file:
        group = file.create_group("model_weights") if whole else file
        if whole:
            file.attrs["model_config"] = json.dumps(tree(layers)).encode()
            file.create_group("optimizer_weights")["anything"] = np.zeros(3)
        if backend:
            group.attrs["backend"] = backend.encode()
            group.attrs["keras_version"] = f"{version}.2.2".encode()
        names = [layer["config"]["name"] for layer in layers]
        group.attrs["layer_names"] = np.array([name.encode() for name in names])
        for name in names:
            holder, arrays = group.create_group(name), named.get(name, ())
            keys = [f"{name}_W:0", f"{name}_b:0"] if version == 1 else [f"{name}/kernel:0", f"{name}/bias:0"]
            holder.attrs["weight_names"] = np.array([key.encode() for key in keys[: len(arrays)]])
            for key, array in zip(keys, arrays, strict=False):
                holder[key] = array.transpose(3, 2, 0, 1) if first_filters and array.ndim == 4 else array


@pytest.fixture(autouse=True)
def together(monkeypatch):
    """Read in this process, which is faster; tests of the other process undo it."""
    monkeypatch.setattr(foreign, "isolated", lambda path, work, *arguments: work(*arguments))


@pytest.fixture
def apart(monkeypatch, together):
    monkeypatch.setattr(foreign, "isolated", isolation.isolated)


@pytest.fixture
def old(tmp_path):
    """The files of a network of Keras 1 on Theano, to be spoiled."""
    layers = keras_1_layers("th", separate=True)
    write_weights(tmp_path / "model.h5", layers, random_weights(), 1, "theano", first_filters=True)
    (tmp_path / "model.json").write_text(json.dumps(tree(layers, keras_version="1.2.2")))
    return tmp_path


def imported(folder, **options):
    """The network of a folder after its way through our own files."""
    foreign.import_network(folder / "model.json", folder / "model.h5", folder / "network", **options)
    [model], card = network.read(folder / "network")
    return model, card


def answers(model, pictures):
    return model.predict(pictures[..., None].astype(np.float32), verbose=0)


# The same predictions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("separate", [True, False])
@pytest.mark.parametrize(("order", "backend"), [("th", "theano"), ("th", "tensorflow"), ("tf", "theano"), ("tf", None)])
def test_keras_1_predicts_as_by_hand(tmp_path, pictures, order, backend, separate):
    layers, weights = keras_1_layers(order, separate), random_weights()
    write_weights(tmp_path / "model.h5", layers, weights, 1, backend, first_filters=order == "th")
    (tmp_path / "model.json").write_text(json.dumps(tree(layers, keras_version="1.2.2")))
    expected = by_hand(pictures, weights, backend == "theano", order == "th")
    model, card = imported(tmp_path)
    # Single precision over some 200 products; the other backend or order differs by 0.01 and more.
    assert answers(model, pictures) == pytest.approx(expected, abs=1e-6)
    for turns, channels_first in ((backend != "theano", order == "th"), (backend == "theano", order != "th")):
        assert np.abs(by_hand(pictures, weights, turns, channels_first) - expected).max() > 0.01
    assert (card["classes"], card["pixels"]) == (["oval", "rectangle", "obround"], PIXELS)
    assert card["preprocessing"]["depth_dex"] == 3.0


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(
    ("order", "flatten_order", "backend", "lined_up_first"),
    [
        ("channels_last", None, "tensorflow", False),
        ("channels_last", "channels_last", "cntk", False),
        ("channels_first", None, "theano", True),
        ("channels_first", "channels_last", "theano", True),
        # Such a Flatten puts the channels last before it lines them up.
        ("channels_first", "channels_first", "tensorflow", False),
    ],
)
def test_keras_2_predicts_as_by_hand(tmp_path, pictures, order, flatten_order, backend, lined_up_first, whole):
    layers, weights = keras_2_layers(order, flatten_order), random_weights()
    write_weights(tmp_path / "model.h5", layers, weights, 2, backend, whole)
    config = {"name": "sequential_1", "layers": layers} if whole else layers
    (tmp_path / "model.json").write_text(json.dumps(tree(config, keras_version="2.2.4", backend=backend)))
    expected = by_hand(pictures, weights, backend == "theano", lined_up_first)
    assert answers(imported(tmp_path)[0], pictures) == pytest.approx(expected, abs=1e-6)


def test_the_caller_says_what_no_file_says(tmp_path, pictures):
    layers, weights = keras_1_layers("th", separate=False), random_weights()
    write_weights(tmp_path / "model.h5", layers, weights, 1, first_filters=True)
    (tmp_path / "model.json").write_text(json.dumps(tree(layers)))
    said = foreign.import_network(tmp_path / "model.json", tmp_path / "model.h5", tmp_path / "network")
    assert "backend" not in said  # NAME:0 is what TensorFlow calls its variables
    with h5py.File(tmp_path / "model.h5", "r+") as file:
        for layer in ("convolution2d_1", "convolution2d_2", "dense_1", "dense_2"):
            for key in "Wb":
                file.move(f"{layer}/{layer}_{key}:0", f"{layer}/{layer}_{key}")
            file[layer].attrs["weight_names"] = [f"{layer}_{key}".encode() for key in "Wb"]
    said = foreign.import_network(tmp_path / "model.json", tmp_path / "model.h5", tmp_path / "network")
    assert said.endswith("if it was trained there, say --backend theano")
    model, _ = imported(tmp_path, backend="theano")
    assert answers(model, pictures) == pytest.approx(by_hand(pictures, weights, True, True), abs=1e-6)


def saved_by_keras(folder, layers, weights_name, train=True):
    """A network that Keras here builds, trains for a step and writes; and the network."""
    keras = network.load_keras()
    keras.utils.set_random_seed(4)
    model = keras.Sequential([keras.Input((PIXELS, PIXELS, 1)), *layers(keras.layers)])
    if train:
        model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
        rng = np.random.default_rng(2)
        model.fit(rng.random((9, PIXELS, PIXELS, 1)), np.eye(CLASSES)[rng.integers(0, CLASSES, 9)], verbose=0)
    (folder / "model.json").write_text(model.to_json())
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        (model.save_weights if weights_name.endswith(".weights.h5") else model.save)(folder / weights_name)
    (folder / weights_name).rename(folder / "model.h5")
    return model


def thesis_like(layers):
    return [
        layers.Conv2D(4, 3, activation="relu"),
        layers.Conv2D(6, 3, kernel_regularizer="l2"),
        layers.Activation("relu"),
        layers.MaxPooling2D(2),
        layers.Dropout(0.25),
        layers.Flatten(),
        layers.Dense(10, activation="relu"),
        layers.Dropout(0.5),
        layers.Dense(CLASSES, activation="softmax"),
    ]


def strided(layers):
    return [
        layers.Conv2D(5, 4, strides=2, padding="same", use_bias=False),
        layers.MaxPooling2D(3, strides=2, padding="same"),
        layers.Activation("relu"),
        layers.Conv2D(4, (2, 3), strides=(1, 2), activation="relu"),
        layers.AveragePooling2D((2, 1), padding="same"),
        layers.Flatten(),
        layers.Dense(7, kernel_initializer="he_normal"),
        layers.Activation("linear"),
        layers.Dense(CLASSES, use_bias=False),
        layers.Activation("softmax"),
    ]


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("layers", [thesis_like, strided])
@pytest.mark.parametrize("name", ["model.weights.h5", "model.h5"])
def test_keras_3_predicts_as_keras(tmp_path, pictures, layers, name, train):
    model = saved_by_keras(tmp_path, layers, name, train)
    # ReLU is taken before the pooling and not after it, which rounds alike.
    assert answers(imported(tmp_path)[0], pictures) == pytest.approx(answers(model, pictures), abs=1e-6)


def test_the_command_line_brings_a_network_to_classify(old, apart, tmp_path, pictures):
    files = [str(old / "model.json"), str(old / "model.h5"), "-o", str(old / "network")]
    done = CliRunner().invoke(cli.app, ["model", "import", *files, "--depth-dex", "2.5"])
    assert done.exit_code == 0
    assert "oval, rectangle, obround from 14 x 14 pixels" in done.stdout
    classifier = network.open_classifier(old / "network")
    expected = by_hand(pictures, random_weights(), True, True)
    assert classifier.predict(pictures, 4).probabilities == pytest.approx(expected, abs=1e-6)


def test_two_classes_need_their_names(tmp_path, pictures):
    layers = keras_1_layers("tf", separate=False)
    layers[-1]["config"]["output_dim"] = 2
    weights = random_weights()
    weights[-1] = (weights[-1][0][:, :2], weights[-1][1][:2])
    write_weights(tmp_path / "model.h5", layers, weights, 1, "tensorflow")
    (tmp_path / "model.json").write_text(json.dumps(tree(layers)))
    with pytest.raises(InputError, match="tells 2 classes, not oval, rectangle, obround; name as many"):
        imported(tmp_path)
    for names in (["oval", "oval"], ["oval", "cat"], ["oval"]):
        with pytest.raises(InputError, match="name as many"):
            imported(tmp_path, classes=names)
    model, card = imported(tmp_path, classes=["rectangle", "obround"], depth_dex=2.5)
    assert card["classes"] == ["rectangle", "obround"]
    assert card["preprocessing"]["depth_dex"] == 2.5
    assert answers(model, pictures) == pytest.approx(by_hand(pictures, weights, False, False), abs=1e-6)


# Refused ----------------------------------------------------------------------------------------------------


def refused(folder, match):
    """The import must fail with one line that says what was found, and write nothing."""
    with pytest.raises(InputError, match=match) as error:
        foreign.import_network(folder / "model.json", folder / "model.h5", folder / "network")
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 600
    assert not (folder / "network").exists()


def spoil(folder, change):
    """Apply `change` to the parsed architecture."""
    path = folder / "model.json"
    parsed = json.loads(path.read_text())
    path.write_text(json.dumps(change(parsed) or parsed))


def layer(number, **values):
    return lambda parsed: parsed["config"][number].update(values)


def config(number, **values):
    return lambda parsed: parsed["config"][number]["config"].update(values)


def without(number, key):
    return lambda parsed: parsed["config"][number]["config"].pop(key) and None


def test_the_files_are_good_before_they_are_spoiled(old):
    said = foreign.import_network(old / "model.json", old / "model.h5", old / "network")
    assert said.endswith("1805 weights of Keras 1.2.2 on theano, kernels turned by 180 degrees")


def nested(depth):
    """An object inside an object inside an object ..."""
    return b'{"config": ' * depth + b"1" + b"}" * depth


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{}", b"[]", b"null", b"3", b'"Sequential"', b"{", b"\xff\xfe", b"\x80\x04\x95K.", b"PK\x03\x04",
        b'{"class_name": "Sequential"}', b'{"class_name": "Sequential", "config": NaN}', b'{"config": []}',
        b'{"class_name": ["Sequential"], "config": []}',
        b'{"class_name": "Sequential", "config": 1' + b"0" * 5000 + b"}",
        b"[" * 200_000, nested(100_000), nested(900), b'{"class_name": "Sequential", "config": [[]]}',
        b'{"class_name": "Sequential", "config": [null]}', b'{"class_name": "Sequential", "config": {"layers": {}}}',
    ],
)  # fmt: skip
def test_texts_that_are_no_network(old, content):
    (old / "model.json").write_bytes(content)
    refused(old, "model.json")


def test_a_key_that_stands_twice(old):
    text = (old / "model.json").read_text()
    (old / "model.json").write_text(text.replace('"nb_filter": 4', '"nb_filter": 4, "nb_filter": 1000'))
    refused(old, "a key stands twice")


def test_a_text_of_megabytes_is_not_parsed(old):
    (old / "model.json").write_bytes(b" " * 4_000_001)
    refused(old, "4000001 bytes; at most 4000000")


def average_before_relu(parsed):
    """The activation after the second convolution comes after the pooling, and that is an average."""
    parsed["config"].insert(4, parsed["config"].pop(3))
    parsed["config"][3]["class_name"] = "AveragePooling2D"


# Layers of the file: 0 convolution, 1 activation, 2 convolution, 3 activation, 4 pooling, 5 dropout, 6 flatten,
# 7 dense, 8 activation, 9 dropout, 10 dense, 11 activation.
@pytest.mark.parametrize(
    ("change", "match"),
    [
        # What is no layer of ours.
        (lambda parsed: {**parsed, "class_name": "Model"}, "'Model' is not allowed; allowed is Sequential"),
        (lambda parsed: {**parsed, "class_name": "Functional"}, "'Functional' is not allowed"),
        (lambda parsed: {**parsed, "module": "os"}, "'Sequential' of 'os' is not allowed"),
        (lambda parsed: {**parsed, "registered_name": "builtins>exec"}, "of 'builtins>exec' is not allowed"),
        (lambda parsed: {**parsed, "inbound_nodes": [[["conv", 0, 0]]]}, "unknown key 'inbound_nodes'"),
        (lambda parsed: {**parsed, "keras_version": {}}, "keras_version is {}"),
        (lambda parsed: {**parsed, "backend": "os"}, "backend is 'os'"),
        (lambda parsed: {**parsed, "config": {"layers": parsed["config"], "input_layers": []}}, "'input_layers'"),
        (lambda parsed: {**parsed, "config": parsed["config"] * 6}, "list of 1 to 64 layers"),
        (layer(1, class_name="Sequential", config={"name": "inner", "layers": []}), "'Sequential' is not allowed"),
        (layer(1, class_name="TorchModuleWrapper"), "'TorchModuleWrapper' is not allowed"),
        (layer(1, class_name="TFSMLayer", config={"filepath": "http://elsewhere/model"}), "layer 2"),
        (layer(1, class_name="BatchNormalization"), "'BatchNormalization' is not allowed"),
        (layer(1, class_name="../Conv2D"), "is not allowed; allowed are InputLayer, Conv2D"),
        (layer(1, class_name={"a": 1}), "is not allowed"),
        (layer(1, class_name=None), "is not allowed"),
        (layer(0, module="os.path"), "of 'os.path' is not allowed"),
        (layer(0, module="keras.src.ops"), "of 'keras.src.ops' is not allowed"),
        (layer(0, registered_name="evil>Conv2D"), "of 'evil>Conv2D' is not allowed"),
        (layer(0, config=[]), "not a Keras object with a config"),
        (layer(0, config="x"), "not a Keras object with a config"),
        (layer(0, inbound_nodes=[[["dense_2", 0, 0, {}]]]), "unknown key 'inbound_nodes'"),
        (layer(0, build=1), "unknown key 'build'"),
        # Settings that no such layer has.
        (config(0, weights="http://elsewhere"), "unknown key 'weights'"),
        (config(0, function="print()"), "unknown key 'function'"),
        (config(0, filters=4), "stands twice, by its old and its new name"),
        (config(0, kernel_size=[3, 3]), "stands twice"),
        (config(0, init={"class_name": "Lambda", "config": {"function": "x"}}), "'Lambda' is not allowed"),
        (config(0, init={"class_name": "Zeros", "module": "os", "config": {}}), "module is 'os'"),
        (config(0, init={"class_name": "Zeros", "registered_name": "a>b", "config": {}}), "of 'a>b' is not allowed"),
        (config(0, init={"class_name": "Zeros", "config": {"value": {"class_name": "x"}}}), "those of Keras"),
        (config(0, init={"config": {}}), "None is not allowed"),
        (config(0, init={"class_name": "Zeros", "config": [3, 3]}), "kernel_initializer: not a Keras object"),
        (config(0, init="os.system"), "'os.system' is not allowed"),
        (config(0, W_constraint={"class_name": "__main__.Mine", "config": {}}), "'__main__.Mine' is not allowed"),
        (config(0, name="../../etc/passwd"), "name is"),
        (config(0, name=None), "name is ''"),
        (config(0, name="dense_1"), "two layers have one name"),
        (config(0, trainable="yes"), "trainable is 'yes'"),
        (config(0, input_dtype="float16"), "dtype is 'float16'"),
        (config(0, input_dtype={"class_name": "DTypePolicy", "module": "os", "config": {}}), "of 'os'"),
        (config(0, input_dtype={"class_name": "Policy", "config": {"name": "mixed_bfloat16"}}), "'mixed_bfloat16'"),
        (config(1, activation="<lambda>"), "allowed are relu, softmax or linear"),
        (config(1, activation={"class_name": "function", "config": "os.system"}), "allowed are relu"),
        (config(0, activation="elu"), "activation is 'elu'; allowed is relu or linear"),
        (config(5, noise_shape=[1]), "noise_shape is"),
        # Numbers out of range.
        (config(0, nb_filter=10**9), "filters is 1000000000; allowed is a whole number from 1 to 1024"),
        (config(0, nb_filter=-1), "filters is -1"),
        (config(0, nb_filter=0), "filters is 0"),
        (config(0, nb_filter=4.0), "filters is 4.0"),
        (config(0, nb_filter=True), "filters is True"),
        (config(0, nb_filter="4"), "filters is '4'"),
        (config(0, nb_filter=None), "filters is None"),
        (config(0, nb_row=0), r"kernel_size is \[0, 3\]"),
        (config(0, nb_row=10**6, nb_col=10**6), "kernel_size is"),
        (config(0, nb_row=True, nb_col=True), "kernel_size is"),
        (without(0, "nb_row"), "kernel_size is"),
        (config(0, subsample=[0, 0]), r"strides is \[0, 0\]"),
        (config(0, subsample=[-1, -1]), r"strides is \[-1, -1\]"),
        (config(0, border_mode="full"), "padding is 'full'; allowed is valid or same"),
        (config(0, dim_ordering="fi"), "data_format is 'fi'"),
        (config(0, dim_ordering="tf"), "some layers put channels first and others last"),
        (config(0, bias=1), "use_bias is 1"),
        (config(0, batch_input_shape=[None, 1, 10**6, 10**6]), "batch_shape is"),
        (config(0, batch_input_shape=[10**6, 1, PIXELS, PIXELS]), "batch_shape is"),
        (config(0, batch_input_shape=[None, 3, PIXELS, PIXELS]), "14 x 14 x 3; allowed are n x n of one channel"),
        (config(0, batch_input_shape=[None, PIXELS, PIXELS, 1]), "14 x 1 x 14; allowed"),
        (config(0, batch_input_shape=[None, 1, 12, PIXELS]), "12 x 14 x 1; allowed"),
        (config(0, batch_input_shape=[None, 1, 7, 7]), "batch_shape is"),
        (config(0, batch_input_shape="all"), "batch_shape is"),
        (without(0, "batch_input_shape"), "batch_shape is None"),
        (config(2, batch_input_shape=[None, 1, 12, 12]), "layers ask for different pictures"),
        (config(4, pool_size=[1000, 1000]), "pool_size is"),
        (config(4, pool_size=[15, 15]), "nothing is left"),
        (config(5, p=1.0), "rate is 1.0"),
        (config(5, p=-0.1), "rate is -0.1"),
        (config(5, p=1e999), "Infinity is not allowed"),
        (config(7, output_dim=10**7), "units is 10000000"),
        (config(7, output_dim=2**64), "units is 18446744073709551616"),
        (config(10, output_dim=65_536), "tells 65536 classes"),
        # Layers in an order that makes no network.
        (lambda parsed: parsed["config"].pop(6) and None, "cannot stand here"),
        (lambda parsed: parsed["config"].pop(11) and None, "end with Dense and softmax"),
        (lambda parsed: parsed["config"].insert(0, parsed["config"].pop(1)), "layer 1 .Activation.: relu cannot stand"),
        (config(1, activation="softmax"), "end with Dense and softmax|softmax"),
        (average_before_relu, "layer 5 .Activation.: relu cannot stand here"),
        (config(11, activation="relu"), "end with Dense and softmax"),
    ],
)  # fmt: skip
def test_architectures_off_the_allow_list(old, change, match):
    spoil(old, change)
    refused(old, match)


def test_a_network_of_gigabytes_is_refused_by_its_numbers(old):
    for number in (7, 10):
        spoil(old, config(number, output_dim=65_536))
    refused(old, "too large; allowed are 100000000 weights")


@pytest.mark.parametrize("function", ["code", ["4wEAAAAAAAAA", None, None]])
@pytest.mark.parametrize("keras_3", [True, False])
def test_the_lambda_layer_is_refused_and_not_run(old, function, keras_3):
    import base64
    import marshal

    canary = old / "canary"
    code = compile(f"open({str(canary)!r}, 'w')", "x", "exec")
    held = base64.b64encode(marshal.dumps(code)).decode() if function == "code" else function
    value = (
        {"class_name": "__lambda__", "config": {"code": held, "defaults": None, "closure": None}} if keras_3 else held
    )
    added = {"class_name": "Lambda", "config": {"name": "lambda_1", "function": value, "function_type": "lambda",
                                                "module": "os", "arguments": {}}}  # fmt: skip
    spoil(old, lambda parsed: parsed["config"].insert(1, added))
    refused(old, "layer 2: 'Lambda' is not allowed")
    assert not canary.exists()


def test_what_compiled_a_network_is_neither_read_nor_kept(tmp_path, pictures):
    model = saved_by_keras(tmp_path, thesis_like, "model.h5")
    trap = {"module": "os", "class_name": "system", "config": "touch canary", "registered_name": "os>system"}
    spoil(tmp_path, lambda parsed: {**parsed, "compile_config": {"optimizer": trap, "loss": trap}})
    again, _ = imported(tmp_path)
    assert answers(again, pictures) == pytest.approx(answers(model, pictures), abs=1e-6)
    assert "touch" not in (tmp_path / "network" / "model.json").read_text()


# Weights from elsewhere -------------------------------------------------------------------------------------

GROUP = "convolution2d_1"
FIRST = "convolution2d_1/convolution2d_1_W:0"


def replace(array_of, **options):
    """Put another array in the place of the first kernel."""

    def change(file):
        held = file[FIRST][()]
        del file[FIRST]
        file.create_dataset(FIRST, data=array_of(held), **options)

    return change


def point(target, place=FIRST):
    def change(file):
        del file[place]
        file[place] = target

    return change


def name(holder, key, value):
    """Another attribute in place of the one that names layers, weights or the backend."""

    def change(file):
        file[holder].attrs[key] = value

    return change


def virtual(file):
    layout = h5py.VirtualLayout(shape=file[FIRST].shape, dtype="<f4")
    layout[...] = h5py.VirtualSource("elsewhere.h5", "secret", shape=file[FIRST].shape)
    del file[FIRST]
    file.create_virtual_dataset(FIRST, layout)


def never_written(file):
    shape = file[FIRST].shape
    del file[FIRST]
    file.create_dataset(FIRST, shape=shape, dtype="<f4")


def of_type(dtype):
    def change(file):
        del file[FIRST]
        file.create_dataset(FIRST, shape=(4, 1, 3, 3), dtype=dtype)

    return change


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (replace(lambda a: a * np.nan), "holds NaN or infinite"),
        (replace(lambda a: np.where(a == a.max(), -np.inf, a)), "holds NaN or infinite"),
        (replace(lambda a: a.astype("f8")), "is float64"),
        (replace(lambda a: a.astype(">f4")), "is >f4"),
        (replace(lambda a: a[:2]), r"\(2, 1, 3, 3\); the architecture asks for float32 \(4, 1, 3, 3\)"),
        (replace(lambda a: a.transpose(2, 3, 1, 0)), r"\(3, 3, 1, 4\); .* float32 \(4, 1, 3, 3\)"),
        (replace(lambda a: a, compression="gzip"), "stored elsewhere or packed"),
        (replace(lambda a: np.zeros((4, 1, 3, 3), "<f4"), chunks=True), "stored elsewhere or packed"),
        (replace(lambda a: np.array([b"cos\nsystem\n(S'touch canary'\ntR."])), "is .S"),
        (of_type(h5py.string_dtype()), "is object"),
        (of_type(h5py.vlen_dtype(np.dtype("<f4"))), "is object"),
        (of_type(h5py.ref_dtype), "is object"),
        (of_type(h5py.regionref_dtype), "is object"),
        (of_type(np.dtype([("a", "<f4")])), "asks for float32"),
        (of_type(np.dtype("V4")), "asks for float32"),
        (never_written, "was never written whole"),
        (virtual, "stored elsewhere or packed"),
        (point(h5py.SoftLink("/convolution2d_2/convolution2d_2_W:0")), "no link"),
        (point(h5py.ExternalLink("other.h5", "/secret")), "no link"),
        (point(h5py.ExternalLink("other.h5", "/"), GROUP), "must be a plain group, no link"),
        (point(h5py.SoftLink("/"), GROUP), "must be a plain group, no link"),
        (lambda file: (file.__delitem__(FIRST), file.create_group(FIRST)), "must be a plain dataset"),
        (lambda file: file.__setitem__("flatten_1/round", file["/"]), "holds 1 entries, the architecture asks for 0"),
        (lambda file: file.__setitem__("flatten_1/more", np.ones(3)), "holds 1 entries"),
        (lambda file: file.__setitem__(GROUP + "/more", np.ones(3)), "holds 3 entries"),
        (lambda file: file.create_group("more"), "holds other groups than its layer_names"),
        (lambda file: file.__delitem__("dense_1"), "holds other groups than its layer_names"),
        (lambda file: file.__delitem__(FIRST), "holds 1 entries, the architecture asks for 2"),
        (lambda file: file.move("dense_1", "dense_7"), "holds other groups"),
        (lambda file: file.attrs.__delitem__("layer_names"), "no list of plain layer_names"),
        (name("/", "layer_names", [b"convolution2d_1"]), "give the two files of one network"),
        (name("/", "layer_names", [b"convolution2d_1"] * 12), "give the two files of one network"),
        (name("/", "layer_names", b"convolution2d_1"), "no list of plain layer_names"),
        (name("/", "layer_names", [b"/etc/passwd"]), "no list of plain layer_names"),
        (name("/", "layer_names", np.zeros(3)), "is no list of names"),
        (name("/", "layer_names", np.array([b"a"] * 4, object).reshape(2, 2).astype("S1")), "is no list of names"),
        (name("/", "layer_names", [b"\xff"]), "no list of plain layer_names"),
        (name("/", "layer_names", ["a" * 60_000] * 65), "has 65 names; allowed are 64"),
        (name(GROUP, "weight_names", [b"../dense_1/dense_1_W:0", b"convolution2d_1_b:0"]), "no list of plain"),
        (name(GROUP, "weight_names", [b"convolution2d_1_b:0", b"convolution2d_1_W:0"]), "the architecture asks for"),
        (name(GROUP, "weight_names", [b"convolution2d_1_W:0"]), "names 1 weights, the architecture asks for 2"),
        (name(GROUP, "weight_names", [b"convolution2d_1_W:0"] * 2), "allowed is each once"),
        (name(GROUP, "weight_names", [b"convolution2d_1_W:0", b"convolution2d_1_W:0/b"]), "plain|allowed"),
        (name("dropout_1", "weight_names", [b"x"]), "names 1 weights, the architecture asks for 0"),
        (name("/", "backend", b"os"), "backend is 'os'; allowed is theano, tensorflow"),
        (name("/", "backend", [b"theano", b"os"]), "allowed is one word"),
        (name("/", "backend", 3.0), "is no list of names"),
        (name("/", "keras_version", b"2.2.4"), "different versions of Keras"),
    ],
)  # fmt: skip
def test_weights_off_the_allow_list(old, change, match):
    with h5py.File(old / "model.h5", "r+") as file:
        change(file)
    refused(old, match)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda file: file.create_group("layers/more"), "10 layers, the architecture asks for 9"),
        (lambda file: file.create_group("more"), "no list of plain layer_names"),
        (lambda file: file.__setitem__("vars/0", np.ones(3)), "holds 1 entries"),
        (lambda file: file.__setitem__("layers/flatten/more", np.ones(3)), "allowed is vars"),
        (lambda file: file.__setitem__("layers/flatten/vars/0", np.ones(3)), "holds 1 entries"),
        (lambda file: file.move("layers/dense", "layers/dense_9"), "dense in /layers must be a plain group"),
        (point(h5py.SoftLink("/layers/dense_1"), "layers/dense"), "no link"),
        (point(h5py.ExternalLink("other.h5", "/"), "layers"), "no link"),
    ],
)
def test_weights_of_keras_3_off_the_allow_list(tmp_path, change, match):
    saved_by_keras(tmp_path, thesis_like, "model.weights.h5", train=False)
    with h5py.File(tmp_path / "model.h5", "r+") as file:
        change(file)
    refused(tmp_path, match)


def test_another_backend_than_the_files_say(old):
    with pytest.raises(InputError, match="backend is 'theano'; allowed is tensorflow"):
        imported(old, backend="tensorflow")


def test_theano_pads_otherwise(old):
    spoil(old, config(0, border_mode="same", subsample=[2, 2]))
    spoil(old, config(7, output_dim=UNITS))
    with h5py.File(old / "model.h5", "r+") as file:
        del file["dense_1/dense_1_W:0"]
        file["dense_1/dense_1_W:0"] = np.zeros((2 * 2 * 6, UNITS), "<f4")
    refused(old, "padding same and Theano; allowed are odd kernels without strides")


# Files that lead elsewhere ----------------------------------------------------------------------------------


@pytest.fixture
def canary(old):
    """A file whose arrays would fit, were they read; and a way to tell that it was not read."""
    path = old / "canary"
    with h5py.File(path, "w") as file:
        file.create_dataset("secret", data=np.ones((4, 1, 3, 3), "<f4"))
        group = file.create_group("group")
        group["convolution2d_1_W:0"] = np.ones((4, 1, 3, 3), "<f4")
        group["convolution2d_1_b:0"] = np.ones(4, "<f4")
        group.attrs["weight_names"] = [b"convolution2d_1_W:0", b"convolution2d_1_b:0"]
    os.utime(path, (1, path.stat().st_mtime))
    yield path
    assert path.stat().st_atime == 1


def test_the_canary_would_tell(canary):
    path = canary.with_name("copy")
    path.write_bytes(b"x")
    os.utime(path, (1, path.stat().st_mtime))
    path.read_bytes()
    if path.stat().st_atime == 1:
        pytest.skip("this file system does not record when a file is read")


@pytest.mark.parametrize(("place", "target"), [(FIRST, "/secret"), (GROUP, "/group")])
def test_a_link_to_another_file_is_not_followed(old, canary, place, target):
    with h5py.File(old / "model.h5", "r+") as file:
        point(h5py.ExternalLink(str(canary), target), place)(file)
    refused(old, "no link")


@pytest.mark.parametrize("place", ["more", "layers", "vars", "model_weights", "optimizer", "optimizer_weights"])
def test_a_link_beside_the_weights_is_not_followed(old, canary, place):
    with h5py.File(old / "model.h5", "r+") as file:
        file[place] = h5py.ExternalLink(str(canary), "/group")
    refused(old, "model.h5")


def test_a_link_in_place_of_the_state_of_the_training_is_not_followed(old, canary):
    parsed = json.loads((old / "model.json").read_text())
    write_weights(old / "model.h5", parsed["config"], random_weights(), 1, "theano", True, first_filters=True)
    with h5py.File(old / "model.h5", "r+") as file:
        point(h5py.ExternalLink(str(canary), "/group"), "optimizer_weights")(file)
    imported(old)


def test_storage_in_another_file_is_not_opened(old, canary):
    with h5py.File(old / "model.h5", "r+") as file:
        del file[FIRST]
        file.create_dataset(FIRST, shape=(4, 1, 3, 3), dtype="<f4", external=[(str(canary), 0, h5py.h5f.UNLIMITED)])
    os.utime(canary, (1, canary.stat().st_mtime))
    refused(old, "stored elsewhere or packed")


def test_a_virtual_array_of_another_file_is_not_opened(old, canary):
    layout = h5py.VirtualLayout(shape=(4, 1, 3, 3), dtype="<f4")
    layout[...] = h5py.VirtualSource(str(canary), "secret", shape=(4, 1, 3, 3))
    with h5py.File(old / "model.h5", "r+") as file:
        del file[FIRST]
        file.create_virtual_dataset(FIRST, layout)
    os.utime(canary, (1, canary.stat().st_mtime))
    refused(old, "stored elsewhere or packed")


def test_an_array_of_zeros_that_unpacks_to_gigabytes_is_not_unpacked(old):
    with h5py.File(old / "model.h5", "r+") as file:
        del file[FIRST]
        file.create_dataset(FIRST, shape=(2**14, 2**14, 4), dtype="<f4", chunks=(2**12, 2**12, 4), compression="gzip")
    refused(old, "stored elsewhere or packed")


# Damage -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["model.json", "model.h5"])
def test_missing_and_empty_files(old, file):
    (old / file).write_bytes(b"")
    refused(old, f"{file}: the file is empty")
    (old / file).unlink()
    refused(old, f"{file}: no such file")
    (old / file).mkdir()
    refused(old, f"{file}: this is a folder")


@pytest.mark.parametrize(
    "content", [b"no HDF5", b"\x89HDF\r\n\x1a\n" + b"\0" * 300, b"\x93NUMPY\x01\x00", b"PK\x03\x04", b"\x80\x04."]
)
def test_files_that_are_no_hdf5(old, content):
    (old / "model.h5").write_bytes(content)
    refused(old, "damaged weights")


def test_a_file_larger_than_its_architecture_is_not_opened(old):
    with open(old / "model.h5", "ab") as file:
        file.truncate(4_100_000)
    refused(old, "4100000 bytes; at most")


def test_a_file_that_hdf5_finds_no_end_to(old, apart, monkeypatch):
    content = bytearray((old / "model.h5").read_bytes())
    heap = content.index(b"GCOL")
    length = slice(heap + 24, heap + 32)
    assert int.from_bytes(content[length], "little") == len("theano")
    content[length] = bytes(8)
    (old / "model.h5").write_bytes(content)
    monkeypatch.setattr(isolation, "MAXIMUM_SECONDS", 4)
    refused(old, "HDF5 found no end to it in 4 s")


def test_what_is_refused_in_another_process_is_said_here(old, apart):
    with h5py.File(old / "model.h5", "r+") as file:
        replace(lambda a: a * np.nan)(file)
    refused(old, "holds NaN or infinite")


def test_a_process_that_dies_is_said_in_one_line(old):
    with pytest.raises(InputError, match="HDF5 itself failed on it"):
        isolation.isolated(old, os._exit, 1)


def test_torn_files(old):
    content = (old / "model.h5").read_bytes()
    for length in range(20, len(content), len(content) // 15):
        (old / "model.h5").write_bytes(content[:length])
        refused(old, "model.h5")


def test_flipped_bits_are_noticed_or_change_numbers_only(old):
    """Whatever HDF5 makes of damage, what is read are arrays of the right shapes, or nothing."""
    parsed = foreign.parse_foreign(json.loads((old / "model.json").read_text()), old)
    content, rng, noticed = (old / "model.h5").read_bytes(), np.random.default_rng(8), 0
    texts = range(content.index(b"GCOL"), content.index(b"GCOL") + 4096)  # where damage may know no end
    for place in [place for place in rng.integers(0, len(content), 300) if place not in texts]:
        spoiled = bytearray(content)
        spoiled[place] ^= 1 << rng.integers(8)
        try:
            arrays, *_ = weights.read_foreign_weights(bytes(spoiled), parsed, None, old)
        except InputError:
            noticed += 1
        else:
            assert [a.shape for a in arrays] == [s for pair in network.weight_shapes(parsed.content, old) for s in pair]
            assert all(np.isfinite(a).all() for a in arrays)
    assert noticed > 20
