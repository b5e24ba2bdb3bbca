"""Which files are snapshots: in folders, archives, patterns and pieces, in the order of their numbers."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from galclass import snapshot
from galclass.errors import InputError
from galclass.snapshot import Snapshot, archive, find, finding
from tests.unit import snapshot_codes as codes
from tests.unit.test_snapshot import gadget


def some(n=40, time=1.0):
    rng = np.random.default_rng(n)
    return Snapshot(
        rng.normal(size=(n, 3)), rng.normal(size=(n, 3)), np.ones(n), np.arange(1, n + 1), np.full(n, 2, np.int8), time
    )


def names(paths):
    return [path.name for path in paths]


def test_numbers_in_names_sort_by_value(tmp_path):
    for number in (10, 9, 100, 1):
        (tmp_path / f"snap_{number}").touch()
    assert names(find([tmp_path])) == ["snap_1", "snap_9", "snap_10", "snap_100"]


def test_a_folder_gives_snapshots_and_nothing_else(tmp_path):
    snapshot.write(tmp_path / "merger_000", some())
    (tmp_path / "packed.gz").write_bytes(gzip.compress((tmp_path / "merger_000").read_bytes()))
    codes.write(tmp_path / "output_001.hdf5", codes.truth(), "swift")
    for name in ("broken.hdf5", "galaxy.dat", "snapshot_003", "snapshot_004.hdf5"):
        (tmp_path / name).write_text("damaged, but to be named")
    for name in (
        "energy.csv",
        "parameters-usedvalues",
        "galaxy.param",
        "README",
        "snapshot_002.dat.partial",
        ".123.snapshot_002",
        "snapshot_list.txt",
        "run.log",
        "Makefile",
        "restart.0",
        "fof_subhalo_tab_010.hdf5",
        "provenance.json",
    ):
        (tmp_path / name).write_text("256 words")
    expected = ["broken.hdf5", "galaxy.dat", "merger_000", "output_001.hdf5", "packed.gz", "snapshot_003"]
    assert names(find([tmp_path])) == [*expected, "snapshot_004.hdf5"]


def test_a_file_that_changed_is_looked_at_again(tmp_path):
    (tmp_path / "merger_000").write_text("not yet")
    snapshot.write(tmp_path / "galaxy.dat", some())
    assert names(find([tmp_path])) == ["galaxy.dat"]
    snapshot.write(tmp_path / "merger_000", some())
    assert names(find([tmp_path])) == ["galaxy.dat", "merger_000"]


def test_hdf5_without_particles_is_no_snapshot(tmp_path):
    import h5py

    with h5py.File(tmp_path / "pack.h5", "w") as file:
        file["images"] = np.zeros((2, 3))
    with pytest.raises(InputError, match=r"no snapshot in this folder; allowed are snap\* and \*\.dat"):
        find([tmp_path])


def test_folders_are_not_searched_below_but_for_pieces(tmp_path):
    (tmp_path / "snapdir_003").mkdir()
    codes.write(tmp_path / "snapdir_003" / "snapshot_003.hdf5", codes.truth(), "arepo-tng", pieces=2)
    (tmp_path / "old").mkdir()
    snapshot.write(tmp_path / "old" / "snap_1", some())
    assert names(find([tmp_path])) == ["snapshot_003.0.hdf5"]


def test_archives_are_opened(tmp_path):
    for number in (2, 10):
        snapshot.write(tmp_path / f"snapshot_{number}.dat", some(time=number))
    files = [tmp_path / "snapshot_10.dat", tmp_path / "snapshot_2.dat"]
    archive.write(tmp_path / "run" / "snapshots.tar", files)
    for given in (tmp_path / "run", tmp_path / "run" / "snapshots.tar"):
        found = find([given])
        assert [snapshot.read(path).time for path in found] == [2, 10]
    assert find(found[:1]) == found[:1]


def test_pieces_in_an_archive(tmp_path):
    truth = codes.truth()
    archive.write(tmp_path / "all.tar", codes.write(tmp_path / "snap.hdf5", truth, "gizmo", pieces=2))
    (found,) = find([tmp_path / "all.tar"])
    assert len(snapshot.read(found)) == len(truth)


def test_patterns_are_for_those_whom_no_shell_helps(tmp_path):
    for number in (2, 10):
        snapshot.write(tmp_path / f"snap_{number}", some())
    (tmp_path / "snap_list.txt").touch()
    assert names(find([tmp_path / "snap_*"])) == ["snap_2", "snap_10"]
    with pytest.raises(InputError, match="no snapshot matches"):
        find([tmp_path / "x*"])


def test_files_named_are_taken_as_they_are_and_as_often(tmp_path):
    (tmp_path / "odd.txt").touch()
    assert names(find([tmp_path / "odd.txt", tmp_path / "odd.txt"])) == ["odd.txt", "odd.txt"]
    with pytest.raises(InputError, match="no such file"):
        find([tmp_path / "nothing"])
    with pytest.raises(InputError, match="no snapshot given"):
        find([])


def test_numbered_names_that_are_no_pieces_are_all_kept(tmp_path):
    for number in range(3):
        snapshot.write(tmp_path / f"snap.{number}", some(time=number))
    assert names(find([tmp_path])) == ["snap.0", "snap.1", "snap.2"]


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("named", [False, True])
def test_binary_pieces_are_joined_in_order(tmp_path, order, named):
    whole = some(90)
    for k in range(3):
        part = whole._where(np.arange(90) // 30 == k)
        data = bytearray(gadget(part, order, named, files=3))
        at = 20 if named else 4
        data[at + 96 : at + 120] = np.array([0, 0, 90, 0, 0, 0], order + "u4").tobytes()
        (tmp_path / f"snap_5.{k}").write_bytes(data)
    for name in ("snap_5.0", "snap_5.2", "snap_5"):
        got = snapshot.read(tmp_path / name)
        np.testing.assert_array_equal(got.ids, whole.ids)
        np.testing.assert_allclose(got.positions, whole.positions, rtol=1e-7)  # single precision
    assert names(find([tmp_path])) == ["snap_5.0"]
    (tmp_path / "snap_5.1").unlink()
    with pytest.raises(InputError, match=r"one of 3 pieces of a snapshot; snap_5\.1 is missing beside it"):
        snapshot.read(tmp_path / "snap_5.2")


# ----------------------------------------------------------------------------------- names, totals and links


def in_pieces(folder, name, whole, **header):
    """A snapshot of some particles in three pieces whose names are made from their number."""
    header = {"total": np.bincount(whole.types, minlength=6)} | header
    for k in range(3):
        part = whole._where(np.arange(len(whole)) // (len(whole) // 3) == k)
        (folder / name.format(k)).write_bytes(gadget(part, files=3, **header))
    return folder / name.format(0)


@pytest.mark.parametrize("name", ["snap_5.{:03d}", "snap_5_{}", "snap_5.{}.dat", "snap_5_{:02d}.gad"])
def test_other_names_of_pieces(tmp_path, name):
    whole = some(90)
    first = in_pieces(tmp_path, name, whole)
    for path in (first, tmp_path / name.format(2)):
        np.testing.assert_array_equal(snapshot.read(path).ids, whole.ids)
    assert find([tmp_path]) == [first]
    (tmp_path / name.format(1)).unlink()
    with pytest.raises(InputError, match="is missing beside it"):
        snapshot.read(first)


@pytest.mark.parametrize(
    "header",
    [{"total": [0] * 6}, {"high": (7,) * 6}, {"high": (1,) * 6}],
    ids=["no totals", "garbage", "other garbage"],
)
def test_totals_that_are_not_what_they_seem(tmp_path, header):
    whole = some(90)
    first = in_pieces(tmp_path, "snap_5.{}", whole, **header)
    assert len(snapshot.read(first)) == 90
    if header.get("high") != (1,) * 6:
        assert snapshot.describe(first)["counts"] == {"2": 90}


def test_pieces_that_were_joined_are_one_file(tmp_path):
    for name in ("snap_005", "snap_6.0", "snap"):
        (tmp_path / name).write_bytes(gadget(some(), files=8))
        assert len(snapshot.read(tmp_path / name)) == 40
        assert snapshot.header(tmp_path / name).files == 1
    (tmp_path / "snap_004").write_bytes(gadget(some(), files=8))
    assert names(find([tmp_path])) == ["snap", "snap_004", "snap_005", "snap_6.0"]


def test_a_name_whose_number_is_of_no_piece(tmp_path):
    for number in (0, 1, 7):
        (tmp_path / f"snap_{number}").write_bytes(gadget(some(time=number), files=2, total=[0, 0, 80, 0, 0, 0]))
    with pytest.raises(InputError, match="snap_7: is one of 2 pieces of a snapshot, but the name has no such number"):
        snapshot.read(tmp_path / "snap_7")


def test_links_that_lead_nowhere_do_not_end_the_search(tmp_path):
    snapshot.write(tmp_path / "merger_000", some())
    for name in ("snap_9", "notes"):
        (tmp_path / name).symlink_to(tmp_path / "gone")
        (tmp_path / f"{name}_round").symlink_to(f"{name}_round")
    assert names(find([tmp_path])) == ["merger_000", "snap_9", "snap_9_round"]
    assert names(find([tmp_path / "*[09]"])) == ["merger_000", "snap_9"]
    with pytest.raises(InputError, match="snap_9: no such file"):
        snapshot.read(tmp_path / "snap_9")


@pytest.mark.parametrize("content", [b"no archive", b""])
def test_an_archive_that_cannot_be_read_hides_nothing(tmp_path, content):
    snapshot.write(tmp_path / "merger_000", some())
    (tmp_path / "all.tar").write_bytes(content)
    assert names(find([tmp_path])) == ["all.tar", "merger_000"]
    with pytest.raises(InputError, match="all.tar: (no readable tar archive|the file is empty)"):
        snapshot.read(tmp_path / "all.tar")
    archive.write(tmp_path / "good.tar", [tmp_path / "merger_000"])
    with pytest.raises(InputError, match="is an archive; give ARCHIVE.tar/NAME"):
        snapshot.read(tmp_path / "good.tar")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("snapshot_000.dat", "snapshot_000"), ("snap_1.0.hdf5", "snap_1"), ("snap_1.hdf5.gz", "snap_1"),
     ("merger_000", "merger_000"), ("snap.3", "snap.3")],
)  # fmt: skip
def test_stem(name, expected):
    assert finding.stem(Path(name)) == expected
