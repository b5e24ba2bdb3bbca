"""HDF5 whose numbers are in other files, in part, in another byte order, or not where a working folder says."""

import gzip
import os

import h5py
import numpy as np
import pytest

from galclass import snapshot
from galclass.errors import InputError
from galclass.snapshot import archive
from tests.unit import snapshot_codes as codes

KINDS = (0, 1, 4)


def virtual(folder, pieces="", truth=None):
    """A SWIFT snapshot in three pieces, and the virtual file that names them; the truth in its order."""
    truth = truth or codes.truth()
    (folder / pieces).mkdir(parents=True, exist_ok=True)
    paths = codes.write(folder / pieces / "snap.hdf5", truth, "swift", pieces=3)
    with h5py.File(paths[0]) as first, h5py.File(folder / "snap.hdf5", "w") as file:
        for name in (name for name in first if not name.startswith("PartType")):
            first.copy(name, file)
        head = file["Header"].attrs
        head["NumPart_ThisFile"], head["NumFilesPerSnapshot"] = head["NumPart_Total"].astype("i8"), np.array([1], "i4")
        for kind in KINDS:
            for name, dataset in first[f"PartType{kind}"].items():
                mapped(file, f"PartType{kind}/{name}", paths, folder, dict(dataset.attrs))
    order = np.concatenate([np.flatnonzero(np.arange(len(truth)) % 3 == k) for k in range(3)])
    return folder / "snap.hdf5", paths, truth._where(order).sorted_by_type()


def mapped(file, name, paths, folder, attributes):
    """A virtual dataset of those of the same name in the pieces, with an empty rank as SWIFT maps them, too."""
    shapes = []
    for path in paths:
        with h5py.File(path) as piece:
            shapes.append(piece[name].shape)
            kind = piece[name].dtype
    layout, at = h5py.VirtualLayout((sum(shape[0] for shape in shapes), *shapes[0][1:]), kind), 0
    for path, shape in zip(paths, shapes, strict=True):
        layout[at : at + shape[0]] = h5py.VirtualSource(str(path.relative_to(folder)), name, shape)
        at += shape[0]
    layout[at:at] = h5py.VirtualSource("gone.hdf5", name, (0, *shapes[0][1:]))[0:0]
    dataset = file.create_virtual_dataset(name, layout)
    for key, value in attributes.items():
        dataset.attrs[key] = value


def refused(path):
    with pytest.raises(InputError) as caught:
        snapshot.read(path)
    text = str(caught.value)
    assert "\n" not in text and text.startswith(f"{path}: ")
    return text


def equal(got, expected):
    np.testing.assert_array_equal(got.ids, expected.ids)
    # Masses in single precision are 6e-8 apart.
    np.testing.assert_allclose(got.positions, expected.positions, rtol=1e-12)
    np.testing.assert_allclose(got.masses, expected.masses, rtol=1e-7)


# ------------------------------------------------------------------------------------------- other files


@pytest.mark.parametrize("pieces", ["", "below"])
def test_a_virtual_file_holds_what_its_pieces_hold(tmp_path, monkeypatch, pieces):
    path, _, truth = virtual(tmp_path / "run", pieces)
    equal(snapshot.read(path), truth)
    (tmp_path / "link.hdf5").symlink_to(path)
    equal(snapshot.read(tmp_path / "link.hdf5"), truth)
    monkeypatch.chdir(path.parent)
    equal(snapshot.read("snap.hdf5"), truth)


def cut(piece):
    piece.write_bytes(piece.read_bytes()[:20000])


def shortened(piece):
    with h5py.File(piece, "r+") as file:
        values = file["PartType4/Coordinates"][:10]
        del file["PartType4/Coordinates"]
        file["PartType4/Coordinates"] = values


def without(piece):
    with h5py.File(piece, "r+") as file:
        del file["PartType4/Coordinates"]


def with_holes(piece):
    with h5py.File(piece, "r+") as file:
        shape = file["PartType4/Coordinates"].shape
        del file["PartType4/Coordinates"]
        file["PartType4"].create_dataset("Coordinates", shape, "f8", chunks=(10, 3))[:10] = 1.0


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (os.unlink, "takes its numbers from snap.1.hdf5, which is missing"),
        (cut, "takes its numbers from snap.1.hdf5, which is damaged"),
        (shortened, "from PartType4/Coordinates of snap.1.hdf5, which has fewer"),
        (without, "from PartType4/Coordinates of snap.1.hdf5, which has no such numbers"),
        (with_holes, "from PartType4/Coordinates of snap.1.hdf5, which has no data for some"),
    ],
)
def test_what_is_wrong_with_a_piece_of_a_virtual_file(tmp_path, monkeypatch, spoil, said):
    monkeypatch.chdir(tmp_path)
    virtual(tmp_path)  # HDF5 itself would take missing pieces from the working folder
    path, paths, _ = virtual(tmp_path / "run")
    spoil(paths[1])
    assert said in refused(path)


def test_a_virtual_file_that_maps_only_some(tmp_path):
    path, paths, _ = virtual(tmp_path)
    with h5py.File(path, "r+") as file:
        del file["PartType4/Coordinates"]
        layout = h5py.VirtualLayout((200, 3), "f8")
        layout[:60] = h5py.VirtualSource(paths[0].name, "PartType4/Coordinates", (66, 3))[:60]
        file.create_virtual_dataset("PartType4/Coordinates", layout)
    assert "takes 180 of its 600 numbers from somewhere" in refused(path)


def test_a_virtual_file_that_is_packed_is_to_be_unpacked(tmp_path):
    path, _, _ = virtual(tmp_path)
    packed = tmp_path / "snap.hdf5.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    archive.write(tmp_path / "all.tar", [path])
    for one in (packed, tmp_path / "all.tar" / "snap.hdf5"):
        assert "takes its numbers from snap.0.hdf5; unpack this file beside it" in refused(one)


@pytest.mark.parametrize("name", ["PartType4", "PartType4/Coordinates"])
def test_links_to_other_files(tmp_path, name):
    truth = codes.truth(types=(4,))
    (path,) = codes.write(tmp_path / "all.hdf5", truth, "gadget4")
    linked = tmp_path / "snap.hdf5"
    linked.write_bytes(path.read_bytes())
    with h5py.File(linked, "r+") as file:
        del file[name]
        file[name] = h5py.ExternalLink("all.hdf5", name)
    np.testing.assert_array_equal(snapshot.read(linked).positions, snapshot.read(path).positions)
    assert snapshot.files(linked) == [linked, path]
    packed = tmp_path / "snap.hdf5.gz"
    packed.write_bytes(gzip.compress(linked.read_bytes()))
    assert "is in another file, all.hdf5; unpack this one beside it" in refused(packed)
    path.unlink()
    assert "is in another file, all.hdf5, which is missing" in refused(linked)


def test_a_virtual_file_and_its_pieces_are_one_snapshot(tmp_path):
    path, paths, _ = virtual(tmp_path)
    assert snapshot.find([tmp_path]) == [path]
    assert snapshot.find(paths) == [paths[0]]
    assert snapshot.files(path) == [path, *paths]
    assert snapshot.files(paths[1]) == paths
    (other,) = codes.write(tmp_path / "other.hdf5", codes.truth(), "gizmo")
    assert snapshot.files(other) == [other]


def test_a_relative_path_is_of_the_folder_of_now(tmp_path, monkeypatch):
    for name, each in (("a", 20), ("b", 10)):
        (tmp_path / name).mkdir()
        codes.write(tmp_path / name / "snap.hdf5", codes.truth(each=each), "gizmo")
        monkeypatch.chdir(tmp_path / name)
        assert len(snapshot.read("snap.hdf5")) == 3 * each
    (tmp_path / "b" / "snap.hdf5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    assert "HDF5 cannot read it" in refused("snap.hdf5")


# ---------------------------------------------------------------------------------------- how numbers are stored


def changed(path, **values):
    with h5py.File(path, "r+") as file:
        group = file["PartType4"]
        for name, change in values.items():
            new, attributes = change(group[name][...]), dict(group[name].attrs)
            del group[name]
            group[name] = new
            group[name].attrs.update(attributes)


def test_big_endian_numbers(tmp_path):
    (path,) = codes.write(tmp_path / "snap.hdf5", codes.truth(), "gadget4")
    expected = snapshot.read(path)
    changed(path, Coordinates=lambda x: x.astype(">f8"), Velocities=lambda x: x.astype(">f4"),
            Masses=lambda x: x.astype(">f4"), ParticleIDs=lambda x: x.astype(">u4"))  # fmt: skip
    got = snapshot.read(path)
    for name in ("positions", "velocities", "masses", "ids"):
        np.testing.assert_array_equal(getattr(got, name), getattr(expected, name))


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_chunks_that_were_never_written(tmp_path, compression):
    (path,) = codes.write(tmp_path / "snap.hdf5", codes.truth(), "swift")
    with h5py.File(path, "r+") as file:
        values = file["PartType4/Velocities"][...]
        del file["PartType4/Velocities"]
        dataset = file["PartType4"].create_dataset(
            "Velocities", values.shape, "f4", chunks=(30, 3), compression=compression
        )
        dataset[:150] = values[:150]
    assert "PartType4/Velocities has no data for some of its 200 particles" in refused(path)


def test_places_in_columns_are_refused(tmp_path):
    (path,) = codes.write(tmp_path / "snap.hdf5", codes.truth(), "gizmo")
    changed(path, Coordinates=np.transpose)
    assert "PartType4/Coordinates is float32 of shape (3, 200); the header says 200 particles" in refused(path)


def test_masses_of_one_column_are_read(tmp_path):
    (path,) = codes.write(tmp_path / "snap.hdf5", codes.truth(), "gizmo")
    expected = snapshot.read(path)
    changed(path, Masses=lambda x: x[:, None])
    np.testing.assert_array_equal(snapshot.read(path).masses, expected.masses)


def test_identities_in_floating_point(tmp_path):
    (path,) = codes.write(tmp_path / "snap.hdf5", codes.truth(), "gizmo")
    expected = snapshot.read(path)
    changed(path, ParticleIDs=lambda x: x.astype("f8"))
    np.testing.assert_array_equal(snapshot.read(path).ids, expected.ids)
    changed(path, ParticleIDs=lambda x: x + 0.5)
    assert "identities are whole numbers" in refused(path)


def test_a_file_with_a_block_of_the_users_before_it(tmp_path):
    (path,) = codes.write(tmp_path / "plain.hdf5", codes.truth(), "gizmo")
    for size in (512, 2048):
        with h5py.File(path) as plain, h5py.File(tmp_path / "block", "w", userblock_size=size) as file:
            for name in plain:
                plain.copy(name, file)
        assert len(snapshot.read(tmp_path / "block")) == 600
        assert tmp_path / "block" in snapshot.find([tmp_path])
        (tmp_path / "block.gz").write_bytes(gzip.compress((tmp_path / "block").read_bytes()))
        assert len(snapshot.read(tmp_path / "block.gz")) == 600


# --------------------------------------------------------------------------------------- what type 4 and 6 hold


def windy(path, formed):
    with h5py.File(path, "r+") as file:
        file["PartType4/GFM_StellarFormationTime"] = formed[: len(file["PartType4/Masses"])].astype("f4")


def test_wind_of_arepo_is_no_star(tmp_path):
    formed = np.where(np.arange(200) % 4 == 0, -0.5, 0.4)
    truth = codes.truth()
    (path,) = codes.write(tmp_path / "snap.hdf5", truth, "arepo-tng")
    windy(path, formed)
    got = snapshot.read(path, types="stars")
    np.testing.assert_array_equal(got.ids, truth.select([4]).ids[formed > 0])
    found = snapshot.describe(path)
    assert found["warnings"] == ["50 of type 4 are wind and no stars: they are left out"]
    paths = codes.write(tmp_path / "parts.hdf5", truth, "arepo-tng", pieces=2)
    for one in paths:
        windy(one, formed)
    assert len(snapshot.read(paths[0], types=[4])) == 150
    windy_only = codes.write(tmp_path / "wind.hdf5", truth, "arepo-tng")[0]
    windy(windy_only, np.zeros(200))
    with pytest.raises(InputError, match="has no stars: all 200 of type 4 are wind"):
        snapshot.read(windy_only, types="stars")


def test_neutrinos_are_passed_over(tmp_path):
    truth = codes.truth()
    (path,) = codes.write(tmp_path / "snap.hdf5", truth, "swift-comoving")
    with h5py.File(path, "r+") as file:
        counts = file["Header"].attrs["NumPart_ThisFile"]
        counts[6] = 5
        file["Header"].attrs["NumPart_ThisFile"] = counts
        file["PartType6/Coordinates"] = np.ones((5, 3))
    assert len(snapshot.read(path)) == len(truth)
    assert "5 particles of type 6 are passed over" in snapshot.describe(path)["warnings"]
