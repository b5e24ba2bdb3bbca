"""What is converted is what yt and pynbody read: places, speeds, masses, time and stars."""

import dataclasses
import warnings

import numpy as np
import pytest
from typer.testing import CliRunner

from galclass import cli, snapshot
from galclass.errors import InputError
from galclass.snapshot import Snapshot, converting
from galclass.units import GYR_PER_TIME
from tests.unit import snapshot_codes as codes


@pytest.fixture
def merger():
    """Particles as our own simulations have them: halo, disc and bulge, in mixed order, about the origin."""
    rng = np.random.default_rng(6)
    types = rng.permutation(np.repeat(np.array([1, 2, 3], np.int8), [300, 200, 100]))
    n = len(types)
    masses, ids = rng.uniform(1e-4, 1e-3, n), rng.permutation(n) + 1
    return Snapshot(rng.normal(scale=5, size=(n, 3)), rng.normal(scale=50, size=(n, 3)), masses, ids, types, 2.5)


def invoke(*arguments):
    return CliRunner().invoke(cli.app, ["snapshot", "convert", *map(str, arguments)])


def test_we_read_what_we_convert(tmp_path, merger):
    converting.write_hdf5(tmp_path / "out.hdf5", merger, keep_types=True)
    got, expected = snapshot.read(tmp_path / "out.hdf5"), merger.sorted_by_type()
    np.testing.assert_array_equal(got.positions, expected.positions)  # double precision
    for name in ("velocities", "masses"):
        np.testing.assert_array_equal(getattr(got, name), getattr(expected, name).astype("f4"))
    np.testing.assert_array_equal(got.ids, expected.ids)
    np.testing.assert_array_equal(got.types, expected.types)
    assert got.time == merger.time
    assert snapshot.describe(tmp_path / "out.hdf5")["units"] == "file"


def test_discs_and_bulges_become_stars(tmp_path, merger):
    converting.write_hdf5(tmp_path / "out.hdf5", merger)
    got = snapshot.read(tmp_path / "out.hdf5")
    assert set(got.types) == {1, 4}
    assert set(got.ids[got.types == 4]) == set(merger.ids[merger.types > 1])


def test_the_same_particles_give_the_same_bytes(tmp_path, merger):
    for name in ("a.hdf5", "b.hdf5"):
        converting.write_hdf5(tmp_path / name, merger)
    assert (tmp_path / "a.hdf5").read_bytes() == (tmp_path / "b.hdf5").read_bytes()


def test_pynbody_reads_it(tmp_path, merger):
    pynbody = pytest.importorskip("pynbody", reason="pynbody is not installed")
    converting.write_hdf5(tmp_path / "out.hdf5", merger)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that it knows no factors of a and h, of which there are none
        theirs = pynbody.load(str(tmp_path / "out.hdf5"))
        theirs.physical_units("kpc", "km s**-1", "1e10 Msol")
        stars = theirs.s
        order = np.argsort(np.asarray(stars["iord"]))
        ours = merger.select([2, 3])
        mine = np.argsort(ours.ids)
        # Single precision of velocities and masses; its solar mass differs by 5e-6 from that of the IAU.
        np.testing.assert_allclose(np.asarray(stars["pos"])[order], ours.positions[mine], rtol=1e-9)
        np.testing.assert_allclose(np.asarray(stars["vel"])[order], ours.velocities[mine], rtol=3e-7)
        np.testing.assert_allclose(np.asarray(stars["mass"])[order], ours.masses[mine], rtol=1e-5)
        assert (len(theirs.s), len(theirs.dm)) == (300, 300)
        # Its year is Julian as ours.
        assert float(theirs.properties["time"].in_units("Gyr")) == pytest.approx(2.5 * GYR_PER_TIME, rel=1e-9)


@pytest.mark.slow
def test_yt_reads_it(tmp_path, merger):
    converting.write_hdf5(tmp_path / "out.hdf5", merger)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yt = pytest.importorskip("yt", reason="yt is not installed")
        yt.set_log_level(50)
        data = yt.load(str(tmp_path / "out.hdf5"))
        everything, ours = data.all_data(), merger.select([2, 3])
        order = np.argsort(np.asarray(everything["PartType4", "ParticleIDs"]).astype(int))
        mine = np.argsort(ours.ids)
        for name, unit, values, limit in (
            ("position", "kpc", ours.positions, 1e-6),
            ("velocity", "km/s", ours.velocities, 1e-6),
            ("mass", "Msun", ours.masses * 1e10, 1e-4),  # its solar mass differs by some 1e-5
        ):
            found = np.asarray(everything["PartType4", f"particle_{name}"].to(unit))
            np.testing.assert_allclose(found[order], values[mine], rtol=limit)
        assert len(everything["PartType1", "particle_mass"]) == 300
        # Its year is 365.24 days, 2e-5 shorter.
        assert float(data.current_time.to("Gyr")) == pytest.approx(2.5 * GYR_PER_TIME, rel=3e-5)


def test_a_cosmological_run_becomes_physical_and_keeps_its_types(tmp_path):
    truth = codes.truth(types=(1, 2, 4))
    (path,) = codes.write(tmp_path / "in.hdf5", truth, "gadget4-comoving")
    converting.run([path], tmp_path / "out.hdf5")
    got = snapshot.read(tmp_path / "out.hdf5")
    # Types 2 and 3 of cosmological runs are coarse dark matter and no discs.
    np.testing.assert_array_equal(np.bincount(got.types), [0, 200, 200, 0, 200])
    np.testing.assert_allclose(got.positions, truth.positions, rtol=1e-7)  # single precision of the input
    assert got.box_kpc == pytest.approx(truth.box_kpc)
    assert got.time == pytest.approx(snapshot.read(path).time)


def test_many_into_a_folder(tmp_path, merger):
    for number in (9, 10):
        snapshot.write(tmp_path / "in" / f"snapshot_{number}.dat", dataclasses.replace(merger, time=number))
    done = invoke(tmp_path / "in", "-o", tmp_path / "out")
    assert done.exit_code == 0
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["snapshot_10.hdf5", "snapshot_9.hdf5"]
    assert snapshot.read(tmp_path / "out" / "snapshot_9.hdf5").time == 9


def test_what_cannot_be_read_is_said_and_the_rest_is_written(tmp_path, merger):
    for number in (1, 2):
        snapshot.write(tmp_path / "in" / f"snapshot_{number}.dat", merger)
    (tmp_path / "in" / "snapshot_1.dat").write_bytes(b"damaged")
    with pytest.raises(InputError, match="snapshot_1.dat: not a GADGET snapshot.*; the other 1 are in"):
        converting.run([tmp_path / "in"], tmp_path / "out")
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["snapshot_2.hdf5"]


def test_one_file_for_many_is_refused_before_any_work(tmp_path, merger):
    for number in (1, 2):
        snapshot.write(tmp_path / "in" / f"snapshot_{number}.dat", merger)
    with pytest.raises(InputError, match="is one file for 2 snapshots; give the name of a folder"):
        converting.run([tmp_path / "in"], tmp_path / "out.hdf5")
    with pytest.raises(InputError, match="two of the snapshots would have this name"):
        converting.run([tmp_path / "in" / "snapshot_1.dat"] * 2, tmp_path / "out")
    assert not (tmp_path / "out").exists() and not (tmp_path / "out.hdf5").exists()


def test_an_output_that_cannot_be_is_refused_before_any_work(tmp_path, merger, monkeypatch):
    monkeypatch.setattr(snapshot, "find", None)
    (tmp_path / "text.dat").write_text("mine")
    (tmp_path / "dd.hdf5").mkdir()
    for name, said in (
        ("text.dat", "text.dat: this is a file; give a folder, or a file that ends in .hdf5 or .h5"),
        ("m.fits", "m.fits: snapshots are not written as *.fits; give a folder, or a file that ends in .hdf5 or .h5"),
        ("dd.hdf5", "dd.hdf5: this is a folder; give"),
        ("text.dat/out.hdf5", "text.dat is a file and no folder; give"),
        ("text.dat/more/out", "text.dat is a file and no folder; give"),
    ):
        with pytest.raises(InputError) as caught:
            converting.run([tmp_path], tmp_path / name)
        assert said in str(caught.value) and "\n" not in str(caught.value)
    assert {path.name for path in tmp_path.iterdir()} == {"text.dat", "dd.hdf5"}


def test_units_given_on_the_command_line(tmp_path, merger):
    snapshot.write(tmp_path / "snap", merger)
    invoke(tmp_path / "snap", "-o", tmp_path / "out.hdf5", "--unit-length-kpc", 3, "--unit-velocity-km-s", 2)
    got, ours = snapshot.read(tmp_path / "out.hdf5"), snapshot.read(tmp_path / "snap")
    mine, theirs = np.argsort(ours.ids), np.argsort(got.ids)
    np.testing.assert_allclose(got.positions[theirs], 3 * ours.positions[mine])
    np.testing.assert_allclose(got.velocities[theirs], 2 * ours.velocities[mine], rtol=1e-7)
    assert got.time == pytest.approx(merger.time * 3 / 2)


@pytest.mark.parametrize("name", ["positions", "velocities", "masses"])
def test_numbers_that_are_not_finite_are_refused(tmp_path, merger, name):
    getattr(merger, name)[5] = np.nan
    with pytest.raises(InputError, match="not finite"):
        converting.write_hdf5(tmp_path / "out.hdf5", merger)
    with pytest.raises(InputError, match="without particles"):
        converting.write_hdf5(tmp_path / "out.hdf5", merger.select([]))
    assert list(tmp_path.iterdir()) == []
