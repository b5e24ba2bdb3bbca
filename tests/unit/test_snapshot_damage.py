"""Damaged snapshots: whatever is cut, changed or made up, it is one clear line, and soon."""

import dataclasses
import gzip

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from galclass import snapshot
from galclass.errors import InputError
from galclass.snapshot import isolation
from tests.unit import snapshot_codes as codes
from tests.unit.test_snapshot import gadget

#: Files are made from the same few bytes by every example, so the folder may be shared.
EXAMPLES = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
N = 60


def line(path):
    """The message of a file that cannot be read: one line that names it."""
    with pytest.raises(InputError) as caught:
        snapshot.read(path)
    text = str(caught.value)
    assert "\n" not in text and path.name in text and len(text) < 500
    return text


@pytest.fixture(scope="module")
def whole():
    """Bytes of snapshots in each kind of file."""
    truth = codes.truth(each=N // 3)
    double = {"real": "f8", "whole": "u8"}
    return {
        "format 1": gadget(truth),
        "format 2": gadget(truth, ">", True, **double),
    }


@pytest.fixture(scope="module")
def hdf5_file(tmp_path_factory):
    """A file and not its bytes: Hypothesis shows the arguments of what fails."""
    (path,) = codes.write(tmp_path_factory.mktemp("hdf5") / "snap.hdf5", codes.truth(each=N // 3), "gadget4")
    return path


@pytest.mark.parametrize("kind", ["format 1", "format 2"])
@EXAMPLES
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_binary_file_cut_anywhere(tmp_path, whole, kind, share):
    content, path = whole[kind], tmp_path / "snap"
    # Only the closing length of the last record (4 bytes) can be lost without losing particles.
    path.write_bytes(content[: int(share * (len(content) - 4))])
    line(path)


@EXAMPLES
@given(share=st.floats(0, 1, exclude_max=True))
def test_an_hdf5_file_cut_anywhere(tmp_path, hdf5_file, share):
    path = tmp_path / "snap.hdf5"
    content = hdf5_file.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    line(path)


@EXAMPLES
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_gzip_file_cut_anywhere(tmp_path, whole, share):
    content, path = gzip.compress(whole["format 1"], mtime=0), tmp_path / "snap.gz"
    path.write_bytes(content[: int(share * len(content))])
    line(path)


def read_or_refused(path):
    """Either one line, or as many particles as there were, all finite."""
    try:
        got = snapshot.read(path)
    except InputError as error:
        assert "\n" not in str(error)
        return False
    assert len(got) == N and np.isfinite(got.positions).all()
    return True


@pytest.mark.parametrize("kind", ["format 1", "format 2"])
@EXAMPLES
@given(share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_flipped_bits_of_a_binary_file(tmp_path, whole, kind, share, bit):
    content, path = bytearray(whole[kind]), tmp_path / "snap"
    content[int(share * len(content))] ^= 1 << bit
    path.write_bytes(content)
    read_or_refused(path)


@EXAMPLES
@given(share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_flipped_bits_of_an_hdf5_file(tmp_path, hdf5_file, share, bit):
    content, path = bytearray(hdf5_file.read_bytes()), tmp_path / "snap.hdf5"
    content[int(share * len(content))] ^= 1 << bit
    path.write_bytes(content)
    read_or_refused(path)


def test_a_count_of_billions_takes_no_memory(tmp_path, whole):
    content, path = bytearray(whole["format 1"]), tmp_path / "snap"
    for kind in range(6):
        content[4 + 4 * kind : 8 + 4 * kind] = (2**32 - 1).to_bytes(4, "little")
    path.write_bytes(content)
    assert "the header or the block is damaged" in line(path)


@pytest.mark.parametrize("name", ["Coordinates", "Velocities", "Masses"])
def test_hdf5_that_claims_billions_takes_no_memory(tmp_path, name):
    (path,) = codes.write(tmp_path / "snap.hdf5", codes.truth(), "gadget4")
    with h5py.File(path, "r+") as file:
        counted(file, [200, 200, 0, 0, 10**12, 0])
        del file[f"PartType4/{name}"]
        for other in ("Coordinates", "Velocities", "Masses"):
            width = (3,) * (other != "Masses")
            if other in file["PartType4"]:
                del file[f"PartType4/{other}"]
            file["PartType4"].create_dataset(other, (10**12, *width), "f4", chunks=(10**4, *width))
    assert "has no data for 1000000000000 particles in the file" in line(path)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["positions", "velocities", "masses"])
def test_numbers_that_are_not_finite_in_hdf5(tmp_path, name, bad):
    truth = codes.truth()
    getattr(truth, name)[[3, 7]] = bad
    (path,) = codes.write(tmp_path / "snap.hdf5", truth, "swift")
    assert f"2 of 600 particles have {name} that are not finite" in line(path)


def test_a_signalling_nan_is_refused_without_a_warning(tmp_path, whole):
    content, path = bytearray(whole["format 1"]), tmp_path / "snap"
    start = 4 + 256 + 4 + 4  # header and the lengths around it: the first number of POS
    content[start : start + 4] = (0x7F800001).to_bytes(4, "little")  # a cast to double precision warns of it
    path.write_bytes(content)
    assert "not finite" in line(path)
    truth = codes.truth()
    (path,) = codes.write(tmp_path / "snap.hdf5", truth, "gadget4")
    with h5py.File(path, "r+") as file:
        values = file["PartType4/Velocities"][...].astype("<f4")
        values.view("<u4")[5, 1] = 0x7F800001
        del file["PartType4/Velocities"]
        file["PartType4/Velocities"] = values
    assert "1 of 600 particles have velocities that are not finite" in line(path)


def test_identities_that_are_no_whole_numbers(tmp_path):
    (path,) = codes.write(tmp_path / "snap.hdf5", codes.truth(), "gadget4")
    with h5py.File(path, "r+") as file:
        del file["PartType4/ParticleIDs"]
        file["PartType4/ParticleIDs"] = np.full(200, np.nan)
    assert "ParticleIDs has nan; identities are whole numbers" in line(path)


@pytest.mark.parametrize("sign", [1, -1])
def test_numbers_of_both_infinities(tmp_path, sign):
    truth = codes.truth()
    truth.positions[1], truth.positions[2] = sign * np.inf, -sign * np.inf
    (path,) = codes.write(tmp_path / "snap.hdf5", truth, "gizmo")
    assert "2 of 600 particles have positions that are not finite" in line(path)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda file: file.__delitem__("Header"), "no Header with NumPart_ThisFile"),
        (lambda file: file.__delitem__("PartType4"), "PartType4 of 200 particles has no Coordinates"),
        (lambda file: file.__delitem__("PartType1/Velocities"), "PartType1 of 200 particles has no Velocities"),
        (lambda file: file.__delitem__("PartType1/Masses"), "PartType1 of 200 particles has no Masses"),
        (lambda file: short(file), "is float32 of shape (150, 3); the header says 200 particles"),
        (lambda file: nothing(file), "holds no particles"),
        (lambda file: counted(file, [200, 200]), "counts no particles of type 4, PartType4 holds 200"),
        (lambda file: counted(file, [0, 200, 0, 0, 200, 0]), "counts no particles of type 0, PartType0 holds 200"),
        (lambda file: elsewhere(file), "takes its numbers from gone.hdf5, which is missing"),
        (lambda file: file["Header"].attrs.__setitem__("Time", np.nan), "no time of a simulation"),
    ],
)
def test_what_does_not_fit_together(tmp_path, spoil, said):
    (path,) = codes.write(tmp_path / "snap.hdf5", codes.truth(), "gadget4")
    with h5py.File(path, "r+") as file:
        spoil(file)
    assert said in line(path)


def short(file):
    values = file["PartType0/Coordinates"][:150]
    del file["PartType0/Coordinates"]
    file["PartType0/Coordinates"] = values


def nothing(file):
    counted(file, [0] * 6)
    for kind in (0, 1, 4):
        del file[f"PartType{kind}"]


def counted(file, counts):
    file["Header"].attrs["NumPart_ThisFile"] = np.array(counts, "i8")


def elsewhere(file):
    del file["PartType0/Coordinates"]
    layout = h5py.VirtualLayout((200, 3), "f4")
    layout[:] = h5py.VirtualSource("gone.hdf5", "x", (200, 3))
    file["PartType0"].create_virtual_dataset("Coordinates", layout)


def test_damage_of_types_that_are_not_read_does_not_matter(tmp_path):
    truth = codes.truth()
    (path,) = codes.write(tmp_path / "snap.hdf5", truth, "gadget4")
    with h5py.File(path, "r+") as file:
        del file["PartType0/Velocities"]
    assert len(snapshot.read(path, types=[4])) == 200


def test_a_file_that_hdf5_finds_no_end_to(tmp_path, monkeypatch):
    (path,) = codes.write(tmp_path / "snap.hdf5", codes.truth(), "swift")
    with h5py.File(path, "r+") as file:
        file["Header"].attrs["Code"] = "theano"
    content = bytearray(path.read_bytes())
    heap = content.index(b"GCOL")
    content[heap + 24 : heap + 32] = bytes(8)  # the length of the text
    path.write_bytes(content)
    monkeypatch.setattr(isolation, "MAXIMUM_SECONDS", 1)
    assert "HDF5 found no end to it in 1 s of work" in line(path)
    (good,) = codes.write(tmp_path / "good.hdf5", codes.truth(), "swift")
    assert len(snapshot.read(good)) == 600


def test_the_process_that_reads_is_started_again(tmp_path):
    (path,) = codes.write(tmp_path / "snap.hdf5", codes.truth(), "swift")
    snapshot.read(path)
    isolation.READER._process.kill()
    isolation.READER._process.wait()
    assert len(snapshot.read(path)) == 600


def test_the_next_file_is_not_mixed_up_with_a_bad_one(tmp_path):
    (good,) = codes.write(tmp_path / "good.hdf5", codes.truth(), "swift")
    (bad,) = codes.write(tmp_path / "bad.hdf5", codes.truth(), "gadget4")
    with h5py.File(bad, "r+") as file:
        file["Header"].attrs["Time"] = np.nan
    for _ in range(2):
        line(bad)
        assert len(snapshot.read(good)) == 600
        with pytest.raises(InputError, match="no particles of type 5"):
            snapshot.read(good, types=[5])
        assert snapshot.header(good).code == "SWIFT"


def test_more_pieces_than_there_can_be(tmp_path, whole):
    content, path = bytearray(whole["format 1"]), tmp_path / "snap.0"
    content[4 + 96 : 4 + 100] = (2**31 - 1).to_bytes(4, "little")  # more than this one holds
    content[4 + 124 : 4 + 128] = (2**31 - 1).to_bytes(4, "little")
    path.write_bytes(content)
    assert "one of 2147483647 pieces of a snapshot; snap.1 is missing" in line(path)


def test_pieces_that_hold_less_than_they_say(tmp_path):
    paths = codes.write(tmp_path / "snap.hdf5", codes.truth(), "gadget4", pieces=2)
    for path in paths:
        with h5py.File(path, "r+") as file:
            file["Header"].attrs["NumPart_Total"] = np.array([200, 200, 0, 0, 201, 0], "u8")
    assert "its 2 pieces hold 200 particles of type 4, their headers say 201" in line(paths[0])


def test_numbers_too_large_for_their_units(tmp_path):
    truth = codes.truth()
    huge = dataclasses.replace(truth, velocities=truth.velocities * 1e300)
    path = tmp_path / "snap"
    path.write_bytes(gadget(huge, real="f8"))
    with pytest.raises(InputError, match="velocities that are not finite"):
        snapshot.read(path, snapshot.Units(velocity_kms=1e30))
    with pytest.raises(InputError, match="block VEL values that are not finite"):
        snapshot.write(tmp_path / "ours", snapshot.read(path))
