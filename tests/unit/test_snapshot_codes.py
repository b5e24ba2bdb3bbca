"""Snapshots of other codes give the particles that are in them, physical; pynbody and yt say the same."""

import gzip
import warnings

import h5py
import numpy as np
import pytest

from galclass import snapshot
from galclass.errors import InputError
from galclass.units import GYR_PER_TIME
from tests.unit import snapshot_codes as codes

#: GADGET's files do not say their units, and its usual ones are rounded: 3.085678e21 cm is 1.4e-7 more than a kpc,
#: 1.989e43 g is 3e-4 more than 1e10 Msun. The others are in single precision, of which numbers are 6e-8 apart.
TOLERANCES = {"gadget2": (3e-7, 1e-7, 3.1e-4), "other": (1e-7, 1e-7, 1e-7)}


def tolerances(code):
    return TOLERANCES.get(code.split("-")[0], TOLERANCES["other"])


def matches(got, expected, limits):
    ours, theirs = np.argsort(got.ids), np.argsort(expected.ids)
    np.testing.assert_array_equal(got.ids[ours], expected.ids[theirs])
    np.testing.assert_array_equal(got.types[ours], expected.types[theirs])
    for name, limit in zip(("positions", "velocities", "masses"), limits, strict=True):
        np.testing.assert_allclose(getattr(got, name)[ours], getattr(expected, name)[theirs], rtol=limit, err_msg=name)


@pytest.mark.parametrize("code", codes.CODES)
def test_every_code_gives_the_physical_particles(tmp_path, code):
    truth = codes.truth()
    (path,) = codes.write(tmp_path / "snap.hdf5", truth, code)
    got = snapshot.read(path)
    matches(got, truth, tolerances(code))
    np.testing.assert_allclose(got.box_kpc, truth.box_kpc, rtol=3e-7)
    comoving = codes.scales(code)[0]
    if not comoving or code.startswith("swift"):
        assert got.time == pytest.approx(truth.time, rel=3e-7)
    else:
        # Age of a flat universe in closed form: 2/(3 H0 sqrt(L)) asinh(sqrt(L/M) a^1.5); 1/H0 is 9.778 Gyr / h.
        ratio = np.sqrt(codes.OMEGA_L / codes.OMEGA_M) * codes.A**1.5
        age = 2 / 3 / np.sqrt(codes.OMEGA_L) * np.arcsinh(ratio) * 9.777922216807891 / codes.H
        assert got.time * GYR_PER_TIME == pytest.approx(age, rel=1e-9)


@pytest.mark.parametrize("code", codes.CODES)
def test_which_code_and_how_units_were_found(tmp_path, code):
    (path,) = codes.write(tmp_path / "snap.hdf5", codes.truth(), code)
    found = snapshot.describe(path)
    names = {"gadget2": "GADGET", "gadget4": "GADGET-4", "arepo": "AREPO", "gizmo": "GIZMO", "swift": "SWIFT"}
    assert found["code"] == names.get(code.split("-")[0], "GADGET-3 (EAGLE)")
    assert found["units"] == ("assumed" if code.startswith("gadget2") else "file")
    assert ["units" in warning for warning in found["warnings"]] == [True] * code.startswith("gadget2")
    assert found["counts"] == {"0": 200, "1": 200, "4": 200} and found["star_types"] == [4]
    assert found["redshift"] == (pytest.approx(1 / codes.A - 1) if codes.scales(code)[0] else None)


@pytest.mark.parametrize("code", codes.CODES)
def test_pieces_are_joined_from_any_of_them(tmp_path, code):
    truth = codes.truth()
    paths = codes.write(tmp_path / "snap_010.hdf5", truth, code, pieces=3)
    for path in (paths[0], paths[2], tmp_path / "snap_010"):
        matches(snapshot.read(path), truth, tolerances(code))
    assert snapshot.find([tmp_path]) == [paths[0]]
    assert snapshot.find(paths) == [paths[0]]


def test_a_missing_piece_is_named(tmp_path):
    paths = codes.write(tmp_path / "snap_010.hdf5", codes.truth(), "gadget4", pieces=3)
    paths[1].unlink()
    with pytest.raises(InputError, match=r"one of 3 pieces of a snapshot; snap_010\.1\.hdf5 is missing beside it"):
        snapshot.read(paths[0])


def test_a_piece_of_another_time_is_named(tmp_path):
    paths = codes.write(tmp_path / "snap_010.hdf5", codes.truth(), "gadget4", pieces=2)
    with h5py.File(paths[1], "r+") as file:
        file["Header"].attrs["Time"] = 9.0
    with pytest.raises(InputError, match=r"snap_010\.1\.hdf5: is of another snapshot than snap_010\.0\.hdf5"):
        snapshot.read(paths[0])


@pytest.mark.parametrize("code", ["gadget2", "gadget4-comoving", "swift"])
def test_masses_may_be_in_the_table(tmp_path, code):
    truth = codes.truth()
    truth.masses[truth.types == 1] = 3e-6
    (path,) = codes.write(tmp_path / "snap.hdf5", truth, code, table=(1,))
    with h5py.File(path) as file:
        assert "Masses" not in file["PartType1"]
    matches(snapshot.read(path), truth, tolerances(code))


def test_only_the_types_asked_for(tmp_path):
    truth = codes.truth(types=(0, 1, 2, 4))
    (path,) = codes.write(tmp_path / "snap.hdf5", truth, "gizmo")
    matches(snapshot.read(path, types=[1, 4]), truth.select([1, 4]), tolerances("gizmo"))
    matches(snapshot.read(path, types="stars"), truth.select([2, 4]), tolerances("gizmo"))
    with pytest.raises(InputError, match="no particles of type 3; it holds 200 of type 0, 200 of type 1"):
        snapshot.read(path, types=[3])


def test_stars_of_cosmological_runs_are_only_type_four(tmp_path):
    (path,) = codes.write(tmp_path / "snap.hdf5", codes.truth(types=(2, 3, 4)), "gadget4-comoving")
    assert set(snapshot.read(path, types="stars").types) == {4}


@pytest.mark.parametrize("storage", [{"compression": "gzip", "shuffle": True}, {"chunks": True, "fletcher32": True}])
def test_compressed_and_chunked_datasets(tmp_path, storage):
    truth = codes.truth()
    (path,) = codes.write(tmp_path / "snap.hdf5", truth, "swift", **storage)
    matches(snapshot.read(path), truth, tolerances("swift"))


def test_through_gzip(tmp_path):
    truth = codes.truth()
    (path,) = codes.write(tmp_path / "snap.hdf5", truth, "gadget4")
    packed = tmp_path / "packed.hdf5.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    matches(snapshot.read(packed), truth, tolerances("gadget4"))


def test_eight_byte_ids_are_kept(tmp_path):
    truth = codes.truth()
    truth.ids[:] += 2**40
    (path,) = codes.write(tmp_path / "snap.hdf5", truth, "gizmo")
    got = snapshot.read(path)
    assert got.ids.min() > 2**40
    snapshot.write(tmp_path / "ours", got)
    np.testing.assert_array_equal(snapshot.read(tmp_path / "ours").ids, got.ids)


# --------------------------------------------------------------------------------------- independent judges


def judged_by_pynbody(path):
    pynbody = pytest.importorskip("pynbody", reason="pynbody is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says where it has to guess
        theirs = pynbody.load(str(path))
        theirs.physical_units("kpc", "km s**-1", "1e10 Msol")
        arrays = [np.asarray(theirs[name]) for name in ("pos", "vel", "mass", "iord")]
        return arrays, float(theirs.properties["time"].in_units("Gyr")), len(theirs.s)


# Not the files without units, for which pynbody takes Mpc and we GADGET's usual kpc.
@pytest.mark.parametrize("code", [code for code in codes.CODES if not code.startswith("gadget2")])
def test_pynbody_reads_the_same(tmp_path, code):
    (path,) = codes.write(tmp_path / "snap.hdf5", codes.truth(), code)
    (pos, vel, mass, iord), time, stars = judged_by_pynbody(path)
    got = snapshot.read(path)
    ours, theirs = np.argsort(got.ids), np.argsort(iord)
    # Single precision on their side; their solar mass differs by 5e-6 from that of the IAU.
    np.testing.assert_allclose(got.positions[ours], pos[theirs], rtol=3e-7)
    np.testing.assert_allclose(got.velocities[ours], vel[theirs], rtol=3e-7)
    np.testing.assert_allclose(got.masses[ours], mass[theirs], rtol=1e-5)
    assert np.count_nonzero(got.types == 4) == stars
    # Without cosmology pynbody makes up an age; SWIFT's is in the file.
    if codes.scales(code)[0] or code == "swift":
        assert got.time * GYR_PER_TIME == pytest.approx(time, rel=1e-6)


# yt 4.4 takes h for GADGET-4's isolated runs, units of GADGET for EAGLE's, and fails on SWIFT's arrays of one number.
@pytest.mark.slow
@pytest.mark.parametrize("code", ["gadget2", "gadget2-comoving", "gadget4-comoving", "gizmo", "gizmo-comoving"])
def test_yt_reads_the_same(tmp_path, code):
    (path,) = codes.write(tmp_path / "snap.hdf5", codes.truth(), code)
    got = snapshot.read(path)
    with judged_by_yt(path) as data:
        for kind in (0, 1, 4):
            some, group = got.select([kind]), f"PartType{kind}"
            ours, theirs = np.argsort(some.ids), np.argsort(np.asarray(data[group, "ParticleIDs"]).astype(int))
            for name, values, unit, limit in (
                ("position", some.positions, "kpc", 1e-6),
                ("velocity", some.velocities, "km/s", 1e-6),
                # It takes 1e10 Msun where the file says 1.989e43 g, which is 3e-4 more.
                ("mass", some.masses * 1e10, "Msun", 3.1e-4),
            ):
                found = np.asarray(data[group, f"particle_{name}"].to(unit))
                np.testing.assert_allclose(values[ours], found[theirs], rtol=limit)
        # Its Gyr is of 365.24 days, 2e-5 less.
        assert got.time * GYR_PER_TIME == pytest.approx(float(data.ds.current_time.to("Gyr")), rel=3e-5)


def judged_by_yt(path):
    import contextlib

    @contextlib.contextmanager
    def opened():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yt = pytest.importorskip("yt", reason="yt is not installed")
            yt.set_log_level(50)
            yield yt.load(str(path)).all_data()

    return opened()
