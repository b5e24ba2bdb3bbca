"""A network comes back from its files as it was, and one from elsewhere is read without trusting it."""

import hashlib
import json
import math

import h5py
import numpy as np
import pytest

from galclass import network
from galclass.errors import InputError
from galclass.network import files

PIXELS = 12
CARD = {
    "classes": ["oval", "rectangle", "obround"],
    "pixels": PIXELS,
    "preprocessing": {"depth_dex": 3.0},
    "metrics": {"accuracy": 0.5},
    "provenance": {"stage": "train"},
}


@pytest.fixture(scope="module")
def model():
    network.fix_seeds(7)
    return network.thesis_network(PIXELS, 3)


@pytest.fixture
def pictures():
    return np.random.default_rng(3).random((5, PIXELS, PIXELS))


@pytest.fixture(scope="module")
def written(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("network")
    network.write(model, folder, CARD)
    return folder


@pytest.fixture
def folder(written, tmp_path):
    """A copy of a good network that a test may spoil."""
    for file in written.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def seal(folder):
    """Write the digests of spoiled files into the card, as an attacker would."""
    card = json.loads((folder / "card.json").read_text())
    for name in card["digests"]:
        card["digests"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / "card.json").write_text(json.dumps(card))


def spoil_architecture(folder, change):
    """Apply `change` to the parsed model.json and seal the folder again."""
    path = folder / "model.json"
    tree = json.loads(path.read_text())
    path.write_text(json.dumps(change(tree) or tree))
    seal(folder)


def refused(folder, match):
    """Reading must fail with one line that says what was found."""
    with pytest.raises(InputError, match=match) as error:
        network.read(folder)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500


# Round trip -------------------------------------------------------------------------------------------------


def test_round_trip_predicts_identically(model, written, pictures):
    [again], card = network.read(written)
    assert (network.predict(again, pictures, 5) == network.predict(model, pictures, 5)).all()
    assert {key: card[key] for key in CARD} == CARD


def test_files_are_the_same_bytes_each_time(model, written, tmp_path):
    network.write(network.read(written)[0], tmp_path, CARD)
    for name in ("model.json", "model.weights.h5", "card.json"):
        assert (tmp_path / name).read_bytes() == (written / name).read_bytes(), name


def test_nothing_of_the_compilation_is_written(written):
    assert not json.loads((written / "model.json").read_text()).get("compile_config")
    with h5py.File(written / "model.weights.h5") as file:
        assert sorted(file) == ["layers", "vars"]


def test_keras_itself_reads_what_we_write(model, written, pictures):
    keras = network.load_keras()
    theirs = keras.models.model_from_json((written / "model.json").read_text())
    theirs.load_weights(written / "model.weights.h5")
    assert (network.predict(theirs, pictures, 5) == network.predict(model, pictures, 5)).all()


@pytest.mark.parametrize(
    ("key", "value", "match"),
    [
        ("classes", ["oval"], "1 classes for a network of 3"),
        ("classes", ["a", "a", "b"], "each name once"),
        ("classes", ["A b", "c", "d"], "short names in lower case"),
        ("pixels", 50, "pixels is 50, the network takes 12 x 12"),
        ("metrics", None, "metrics must be an object"),
    ],
)
def test_a_card_that_does_not_fit_is_neither_written_nor_read(model, folder, tmp_path, key, value, match):
    with pytest.raises(InputError, match=match):
        network.write(model, tmp_path / "new", {**CARD, key: value})
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps({**card, key: value}))
    refused(folder, match)


# Damage -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["card.json", "model.json", "model.weights.h5"])
def test_missing_and_empty_files(folder, name):
    (folder / name).write_bytes(b"")
    refused(folder, f"{name}: the file is empty")
    (folder / name).unlink()
    refused(folder, f"{name}: no such file")


@pytest.mark.parametrize("name", ["model.json", "model.weights.h5"])
def test_a_flipped_bit_is_noticed(folder, name):
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    refused(folder, f"{name}: its digest differs")


@pytest.mark.parametrize(
    "content", [b"{}", b"[]", b"null", b'{"format": 1}', b"[" * 100_000, b'{"a": NaN}', b"\xff\xfe", b"no"]
)
def test_cards_that_are_none(folder, content):
    (folder / "card.json").write_bytes(content)
    refused(folder, "not a card|not valid JSON")


def test_a_card_of_another_format_or_with_other_files(folder):
    card = json.loads((folder / "card.json").read_text())
    (folder / "card.json").write_text(json.dumps({**card, "format": 1}))
    refused(folder, "not a card of format 2")
    (folder / "card.json").write_text(json.dumps({**card, "digests": {"../../etc/passwd": "0"}}))
    refused(folder, "digests must name")


def test_a_text_of_megabytes_is_not_parsed(folder):
    (folder / "model.json").write_bytes(b" " * (files.MAXIMUM_TEXT_BYTES + 1))
    refused(folder, "4000001 bytes; at most 4000000")


def test_a_weights_file_larger_than_its_architecture_is_not_opened(folder):
    with open(folder / "model.weights.h5", "ab") as file:
        file.write(b"\0" * 1_100_000)
    seal(folder)
    refused(folder, "bytes; at most")


# Architectures from elsewhere -------------------------------------------------------------------------------


@pytest.mark.parametrize("tree", [{}, [], None, 3, "Sequential", {"config": []}, {"config": {}}])
def test_trees_that_are_no_network(folder, tree):
    (folder / "model.json").write_text(json.dumps(tree))
    seal(folder)
    refused(folder, "model.json")


def test_the_lambda_layer_is_refused_and_not_run(folder, tmp_path):
    canary = tmp_path / "canary"
    code = f"open({str(canary)!r}, 'w')"
    layer = {
        "module": "keras.layers",
        "class_name": "Lambda",
        "config": {"function": code},
        "registered_name": None,
    }
    spoil_architecture(folder, lambda tree: tree["config"]["layers"].insert(1, layer))
    refused(folder, "layer 2: 'Lambda' is not allowed")
    assert not canary.exists()


def set_layer(number, **values):
    def change(tree):
        tree["config"]["layers"][number].update(values)

    return change


def set_config(number, **values):
    def change(tree):
        tree["config"]["layers"][number]["config"].update(values)

    return change


def remove_layer(number):
    def change(tree):
        del tree["config"]["layers"][number]

    return change


# Layers of the file: 0 input, 1 and 2 convolutions, 3 pooling, 4 dropout, 5 flatten, 6 dense, 7 dropout, 8
# dense.
@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda tree: {**tree, "class_name": "Functional"}, "'Functional' of 'keras' is not allowed"),
        (lambda tree: {**tree, "module": "os"}, "'Sequential' of 'os' is not allowed"),
        (lambda tree: {**tree, "registered_name": "builtins>eval"}, "not allowed"),
        (lambda tree: {**tree, "extra": 1}, "unknown key 'extra'"),
        (lambda tree: tree["config"].update(layers=[]), "list of 2 to 64 layers"),
        (lambda tree: tree["config"].update(layers=tree["config"]["layers"] * 20), "list of 2 to 64 layers"),
        (lambda tree: tree["config"].update(hook="x"), "unknown key 'hook'"),
        (set_layer(1, module="os"), "'Conv2D' of 'os' is not allowed"),
        (set_layer(1, registered_name="x>y"), "layer 2"),
        (set_layer(1, class_name="TorchModuleWrapper"), "'TorchModuleWrapper' is not allowed"),
        (set_layer(1, class_name=["Conv2D"]), "is not allowed; allowed are InputLayer"),
        (set_layer(1, config=None), "not a Keras object with a config"),
        (set_layer(1, shared_object_id=3), "unknown key 'shared_object_id'"),
        (set_config(1, weights="http://elsewhere"), "unknown key 'weights'"),
        (set_config(1, filters=10**9), "filters is 1000000000; allowed is a whole number from 1 to 1024"),
        (set_config(1, filters=True), "filters is True"),
        (set_config(1, filters=3.0), "filters is 3.0"),
        (set_config(1, kernel_size=[3, 99]), r"kernel_size is \[3, 99\]"),
        (set_config(1, kernel_size=3), "kernel_size is 3"),
        (set_config(1, strides=[40, 1]), r"strides is \[40, 1\]; allowed is \[n, m\]"),
        (set_config(1, dilation_rate=[2, 2]), r"dilation_rate is \[2, 2\]; allowed is \[1, 1\]"),
        (set_config(1, padding="causal"), "padding is 'causal'; allowed is valid or same"),
        (set_config(1, activation="os.system"), "activation is 'os.system'; allowed is relu or linear"),
        (set_config(1, activation={"class_name": "function"}), "activation is"),
        (set_config(1, kernel_initializer={"class_name": "Lambda"}), "kernel_initializer is"),
        (set_config(3, strides=[0, 0]), "strides is"),
        (set_config(4, rate=1.0), "rate is 1.0"),
        (set_config(4, rate="0.5"), "rate is '0.5'"),
        (set_config(6, units=10**7), "units is 10000000"),
        (set_config(6, kernel_regularizer={"class_name": "L2"}), "kernel_regularizer"),
        (set_config(8, activation="relu"), "end with Dense and softmax"),
        (set_config(0, batch_shape=[None, 12, 13, 1]), "square and grey"),
        (set_config(0, batch_shape=[None, 10**6, 10**6, 1]), "batch_shape"),
        (set_config(0, batch_shape=[10**6, 12, 12, 1]), "batch_shape"),
        (set_config(0, batch_shape=[None, 8, 8, 1]), "pixels is 12, the network takes 8 x 8"),
        (remove_layer(0), "must begin with InputLayer"),
        (remove_layer(5), "cannot stand here"),
        (remove_layer(8), "end with Dense"),
    ],
)
def test_architectures_off_the_allow_list(folder, change, match):
    spoil_architecture(folder, change)
    refused(folder, match)


def test_a_network_of_gigabytes_is_refused_before_it_is_built(folder, monkeypatch):
    monkeypatch.setattr(files, "build", lambda layers: pytest.fail("built"))
    spoil_architecture(folder, set_config(6, units=65_536))
    # 4 x 4 x 64 inputs x 65,536 are 67 million weights: allowed; a second such layer is not.
    shapes = network.weight_shapes(json_layers(folder), folder)
    assert math.prod(shapes[6][0]) == 67_108_864
    spoil_architecture(folder, set_config(8, units=65_536))
    refused(folder, "layer 9 makes the network too large; allowed are 100000000 weights")


def test_pictures_of_gigabytes_inside_the_network_are_refused(tmp_path):
    layers = [
        {"class": "InputLayer", "shape": (1024, 1024, 1)},
        {"class": "Conv2D", "filters": 1024, "kernel_size": 1, "activation": "relu"},
        {"class": "Flatten"},
        {"class": "Dense", "units": 2, "activation": "softmax"},
    ]
    with pytest.raises(InputError, match="layer 2 makes the network too large"):
        network.weight_shapes(layers, tmp_path)


def test_layers_that_leave_nothing(tmp_path):
    layers = network.thesis_layers(8, 2)
    layers[3] = {"class": "MaxPooling2D", "pool_size": 15}
    with pytest.raises(InputError, match="nothing is left"):
        network.weight_shapes(layers, tmp_path)


def json_layers(folder):
    return network.parse_architecture(json.loads((folder / "model.json").read_text()), folder)


# Weights from elsewhere -------------------------------------------------------------------------------------

FIRST = "layers/conv2d/vars/0"


def spoil_weights(folder, change):
    """Apply `change` to the open weights file and seal the folder again."""
    with h5py.File(folder / "model.weights.h5", "r+") as file:
        change(file)
    seal(folder)


def replace(array_of, **options):
    """Put another array in the place of the first kernel."""

    def change(file):
        old = file[FIRST][()]
        del file[FIRST]
        file.create_dataset(FIRST, data=array_of(old), **options)

    return change


def link(target):
    def change(file):
        del file[FIRST]
        file[FIRST] = target

    return change


def virtual(file):
    layout = h5py.VirtualLayout(shape=file[FIRST].shape, dtype="<f4")
    layout[...] = h5py.VirtualSource("elsewhere.h5", "secret", shape=file[FIRST].shape)
    del file[FIRST]
    file.create_virtual_dataset(FIRST, layout)


def cycle(file):
    file["layers/dropout/vars/round"] = file["layers"]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (replace(lambda a: a * np.nan), "holds NaN or infinite"),
        (replace(lambda a: np.where(a == a.max(), np.inf, a)), "holds NaN or infinite"),
        (replace(lambda a: a.astype("f8")), "is float64"),
        (replace(lambda a: a.astype(">f4")), "is >f4"),
        (replace(lambda a: a.astype("i4")), "is int32"),
        (replace(lambda a: a[:2]), r"\(2, 3, 1, 32\); the architecture asks for float32 \(3, 3, 1, 32\)"),
        (replace(lambda a: a, compression="gzip"), "stored elsewhere or packed"),
        (replace(lambda a: a, chunks=True), "stored elsewhere or packed"),
        (link(h5py.SoftLink("/layers/conv2d_1/vars/0")), "no link"),
        (link(h5py.ExternalLink("other.h5", "/secret")), "no link"),
        (virtual, "stored elsewhere or packed"),
        (cycle, "holds 1 entries, the architecture asks for 0"),
        (lambda file: file.create_group("optimizer"), "holds 3 entries, the architecture asks for 2"),
        (lambda file: file.move("layers/dense", "layers/dense_7"), "dense in /layers must be a plain group"),
        (lambda file: file.__delitem__("layers/dense/vars/1"), "holds 1 entries"),
        (lambda file: (file.__delitem__(FIRST), file.create_group(FIRST)), "must be a plain dataset"),
    ],
)
def test_weights_off_the_allow_list(folder, change, match):
    spoil_weights(folder, change)
    refused(folder, match)


def test_a_value_of_a_float_that_overflows_is_no_array_of_ours(folder):
    spoil_weights(folder, replace(lambda a: a.astype("f2")))
    refused(folder, "is float16")


def test_external_storage_is_not_opened(folder, tmp_path):
    canary = tmp_path / "canary.bin"
    canary.write_bytes(b"secret" * 400)
    before = canary.stat()

    def change(file):
        del file[FIRST]
        file.create_dataset(FIRST, shape=(3, 3, 1, 32), dtype="<f4", external=[(str(canary), 0, h5py.h5f.UNLIMITED)])

    spoil_weights(folder, change)
    refused(folder, "stored elsewhere or packed")
    assert canary.read_bytes() == b"secret" * 400
    assert canary.stat().st_mtime_ns == before.st_mtime_ns


def test_an_external_link_is_not_followed(folder, tmp_path):
    canary = tmp_path / "canary.h5"
    with h5py.File(canary, "w") as file:
        file["secret"] = np.ones((3, 3, 1, 32), "<f4")
    before = canary.read_bytes()
    spoil_weights(folder, link(h5py.ExternalLink(str(canary), "/secret")))
    # Without the check the link would be followed: h5py reads the canary through it.
    with h5py.File(folder / "model.weights.h5") as file:
        assert file[FIRST][()].sum() == 288
    refused(folder, "no link")
    assert canary.read_bytes() == before


@pytest.mark.parametrize("content", [b"not HDF5 at all", b"\x89HDF\r\n\x1a\n" + b"\0" * 200])
def test_files_that_are_no_hdf5(folder, content):
    (folder / "model.weights.h5").write_bytes(content)
    seal(folder)
    refused(folder, "damaged weights")


def test_a_torn_weights_file(folder):
    content = (folder / "model.weights.h5").read_bytes()
    (folder / "model.weights.h5").write_bytes(content[: len(content) // 2])
    seal(folder)
    refused(folder, "damaged weights")
