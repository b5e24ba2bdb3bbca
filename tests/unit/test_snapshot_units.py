"""Units: found, given or assumed, and doubted where no galaxy has such numbers; periodic boxes."""

import dataclasses
import json

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from galclass import cli, snapshot
from galclass.errors import InputError
from galclass.snapshot import Snapshot, Units, centre, converting, doubts, unwrap
from galclass.snapshot.cosmology import Clues, judged
from tests.unit import snapshot_codes as codes
from tests.unit.test_snapshot import gadget


def galaxy(n=3000, radius=1.0, mass=0.1, seed=4):
    """A Plummer sphere in equilibrium of `mass` [1e10 Msun], as Aarseth, Henon & Wielen (1974) draw it."""
    rng = np.random.default_rng(seed)
    r = radius / np.sqrt(rng.uniform(0.0, 0.99, n) ** (-2 / 3) - 1)
    direction = rng.normal(size=(n, 3))
    positions = r[:, None] * direction / np.linalg.norm(direction, axis=1)[:, None]
    # One-dimensional dispersion of a Plummer sphere: sigma^2 = GM / (6 sqrt(r^2 + a^2)).
    sigma = np.sqrt(43007.1 * mass / 6 / np.sqrt(r**2 + radius**2))
    velocities = sigma[:, None] * rng.normal(size=(n, 3))
    return Snapshot(positions, velocities, np.full(n, mass / n), np.arange(n), np.full(n, 4, np.int8), 1.0)


def test_units_given_take_the_place_of_those_found(tmp_path):
    truth = codes.truth()
    (path,) = codes.write(tmp_path / "snap.hdf5", truth, "gizmo")
    got = snapshot.read(path, Units(length_kpc=2.0))
    np.testing.assert_allclose(got.positions, 2 * snapshot.read(path).positions)
    np.testing.assert_allclose(got.velocities, snapshot.read(path).velocities)
    assert got.time == pytest.approx(2 * truth.time)  # time is length over velocity
    assert snapshot.describe(path, Units(length_kpc=2.0))["units"] == "given: length; the rest: file"
    assert snapshot.describe(path, Units(1, 1, 1))["units"] == "given"


def test_given_units_of_a_comoving_run_are_still_comoving(tmp_path):
    truth = codes.truth()
    (path,) = codes.write(tmp_path / "snap.hdf5", truth, "gadget2-comoving")
    unit = 3.085678e21 / codes.KPC
    got = snapshot.read(path, Units(unit, 1.989e43 / codes.MASS, 1.0))
    np.testing.assert_allclose(got.positions, truth.positions, rtol=1e-7)
    np.testing.assert_allclose(got.masses, truth.masses, rtol=1e-7)


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf")])
def test_a_unit_that_is_none_is_refused(bad):
    with pytest.raises(InputError, match="a unit is a number above 0"):
        Units(length_kpc=bad)


def test_hubble_in_the_header_of_an_isolated_run_is_left_alone(tmp_path):
    truth = codes.truth()
    (path,) = codes.write(tmp_path / "snap.hdf5", truth, "gadget2")
    with h5py.File(path, "r+") as file:
        file["Header"].attrs["HubbleParam"] = 0.7
    np.testing.assert_allclose(snapshot.read(path).positions, truth.positions, rtol=3e-7)


#: Samples of places in a box of 9: somewhere in it, all over it, far outside, about the origin, hardly outside.
INSIDE, FULL, OUTSIDE, ABOUT_0, HARDLY = (
    np.linspace(*ends, 60)[:, None] * np.ones(3)
    for ends in ((4.0, 5.0), (0.1, 8.9), (-1.0, 5.0), (-0.001, 0.001), (-0.001, 4.0))
)
NONE = np.zeros((0, 3))
GALAXY, STARS = (0, 9, 9, 9, 0, 0), (9, 9, 0, 0, 9, 0)


@pytest.mark.parametrize(
    ("time", "redshift", "omega_m", "h", "box", "total", "places", "expected", "said"),
    [
        (0.5, 1.0, 0.3, 0.7, 0.0, STARS, NONE, True, ""),
        (0.3333, 2.0, 0.3, 0.7, 9.0, STARS, NONE, True, ""),  # rounded
        (0.99999, 1e-5, 0.3, 0.7, 0.0, STARS, NONE, True, ""),
        (0.5, 1.0, 0.3, 0.0, 0.0, STARS, NONE, True, "no h of the cosmological run, 1 is taken"),
        (0.5, 1.0, 0.0, 0.7, 9.0, STARS, NONE, False, "redshift 1, time 0.5 and Omega0 0, taken for a run that is not"),
        (
            5.9,
            1.0,
            0.3,
            0.7,
            9.0,
            STARS,
            NONE,
            False,
            "redshift 1, time 5.9 and Omega0 0.3, taken for a run that is not",
        ),
        (0.5, 0.0, 0.3, 0.7, 9.0, STARS, NONE, False, ""),
        (1.0, 0.0, 0.3, 0.7, 9.0, STARS, INSIDE, True, "taken for a cosmological run today, h = 0.7: is it one?"),
        (1.0, 0.0, 0.3, 0.0, 9.0, STARS, INSIDE, True, "with h = 1 since the header has none: is it one?"),
        (1.0, 0.0, 0.3, 0.7, 9.0, STARS, FULL, True, ""),
        (1.0, 0.0, 0.3, 0.7, 9.0, STARS, OUTSIDE, False, "since particles lie outside of its box"),
        (1.0, 0.0, 0.3, 0.7, 9.0, STARS, ABOUT_0, False, "since particles lie outside of its box"),
        (1.0, 0.0, 0.3, 0.7, 9.0, STARS, HARDLY, True, "is it one?"),
        (1.0, 0.0, 0.3, 0.7, 9.0, GALAXY, INSIDE, False, "since it has particles of types 2 or 3 and none of type 4"),
        (1.0, 0.0, 0.3, 0.7, 0.0, STARS, NONE, False, "since it has no box"),
        (1.0, 0.0, 0.0, 0.7, 9.0, STARS, INSIDE, False, ""),
        (3.0, 0.0, 0.3, 0.7, 9.0, STARS, NONE, False, ""),
        (0.0, 0.0, 0.3, 0.7, 9.0, STARS, NONE, False, ""),
        (float("nan"), 0.0, 0.3, 0.7, 9.0, STARS, NONE, False, ""),
    ],
)
def test_when_a_header_is_of_a_cosmological_run(time, redshift, omega_m, h, box, total, places, expected, said):
    comoving, found = judged(Clues(time, redshift, omega_m, h, box, total), places)
    assert comoving is expected and len(found) == bool(said)
    assert all(said in doubt and "; " not in doubt for doubt in found)


def test_a_code_that_says_so_is_believed():
    assert judged(Clues(0.5, 0.0, 0.3, 0.7, 9.0, STARS, said=True)) == (True, ())
    assert judged(Clues(1.0, 0.0, 0.3, 0.7, 9.0, STARS, said=False)) == (False, ())
    assert "is it none?" in judged(Clues(0.5, 1.0, 0.3, 0.7, 9.0, STARS, said=False))[1][0]


@pytest.mark.parametrize("box", [100.0, 1e6])
@pytest.mark.parametrize("form", ["binary", "binary, named", "hdf5"])
def test_a_galaxy_of_its_own_at_the_time_one(tmp_path, form, box):
    truth = codes.truth(types=(1, 2, 4))
    truth = dataclasses.replace(truth, positions=truth.positions - 200.0, time=1.0)
    left_over = {"omega_m": 0.3, "omega_l": 0.7, "h": 0.7, "box": box}
    path = tmp_path / "snap"
    path.write_bytes(gadget(truth, named=form.endswith("named"), **left_over))
    if form == "hdf5":
        (path,) = codes.write(tmp_path / "snap.hdf5", truth, "gadget2")
        with h5py.File(path, "r+") as file:
            values = {"Omega0": 0.3, "OmegaLambda": 0.7, "HubbleParam": 0.7, "BoxSize": box, "Time": 1.0}
            file["Header"].attrs.update(values)
    assert len(snapshot.read(path, types="stars")) == 400
    np.testing.assert_allclose(snapshot.read(path).positions, truth.sorted_by_type().positions, rtol=1e-6)
    (said,) = snapshot.header(path).doubts
    assert said in snapshot.describe(path)["warnings"] and "since particles lie outside of its box" in said


@pytest.mark.parametrize("code", ["gadget2-comoving", "eagle"])
def test_what_could_be_either_is_said(tmp_path, code):
    (path,) = codes.write(tmp_path / "snap.hdf5", codes.truth(), code)
    with h5py.File(path, "r+") as file:
        file["Header"].attrs.update({"Time": 1.0, "Redshift": 0.0, "ExpansionFactor": 1.0})
    (said,) = snapshot.header(path).doubts
    assert "taken for a cosmological run today, h = 0.7: is it one?" in said
    assert said in snapshot.describe(path)["warnings"]


@pytest.mark.parametrize("how", ["missing", "zero"])
def test_a_cosmological_run_without_h(tmp_path, how):
    (path,) = codes.write(tmp_path / "snap.hdf5", codes.truth(), "gadget2-comoving")
    with h5py.File(path, "r+") as file:
        del file["Header"].attrs["HubbleParam"]
        if how == "zero":
            file["Header"].attrs["HubbleParam"] = 0.0
    assert snapshot.header(path).h == 1.0
    assert "no h of the cosmological run" in snapshot.header(path).doubts[0]


def test_binary_cosmological_run(tmp_path):
    truth = codes.truth()
    positions, velocities, masses, box = codes.in_code_units(truth, "gadget2-comoving")
    numbers = dataclasses.replace(truth, positions=positions, velocities=velocities, masses=masses, time=codes.A)
    data = bytearray(gadget(numbers))
    data[4 + 80 : 4 + 88] = np.float64(1 / codes.A - 1).tobytes()
    data[4 + 128 : 4 + 160] = np.array([box, codes.OMEGA_M, codes.OMEGA_L, codes.H]).tobytes()
    (tmp_path / "snap").write_bytes(data)
    got = snapshot.read(tmp_path / "snap")
    expected = truth.sorted_by_type()
    # The rounded kpc and 1e10 Msun of GADGET, as for its HDF5.
    np.testing.assert_allclose(got.positions, expected.positions, rtol=3e-7)
    np.testing.assert_allclose(got.velocities, expected.velocities, rtol=1e-7)
    np.testing.assert_allclose(got.masses, expected.masses, rtol=3.1e-4)
    np.testing.assert_allclose(got.box_kpc, truth.box_kpc, rtol=3e-7)


# ------------------------------------------------------------------------------------------------- doubts


def test_a_galaxy_is_not_doubted():
    assert doubts(galaxy()) == []
    assert doubts(galaxy(radius=5.0, mass=10.0)) == []


@pytest.mark.parametrize(
    ("length", "mass", "velocity", "said"),
    [
        (1e-3, 1, 1, "half of the stars lie within 0.001"),
        (1e5, 1, 1, "half of the stars lie within 1"),
        (1, 1e10, 1, "the stars weigh"),
        (1, 1e-10, 1, "the stars weigh"),
        (1, 1, 1e3, "the stars move at"),
        (1, 1, 1e-3, "the stars move at"),
    ],
)
def test_wrong_units_are_doubted(length, mass, velocity, said):
    good = galaxy()
    bad = dataclasses.replace(
        good, positions=good.positions * length, masses=good.masses * mass, velocities=good.velocities * velocity
    )
    assert any(said in doubt and "units right" in doubt for doubt in doubts(bad))


def test_an_age_beyond_the_universe_is_doubted():
    assert "the time is 97.8 Gyr" in doubts(dataclasses.replace(galaxy(), time=100.0))[0]


def test_nothing_to_doubt_in_a_point_at_rest():
    n = 10
    still = Snapshot(np.zeros((n, 3)), np.zeros((n, 3)), np.ones(n), np.arange(n), np.full(n, 4, np.int8))
    assert len(doubts(still)) == 1  # the radius


# ------------------------------------------------------------------------------------------ periodic boxes


def test_a_galaxy_across_the_boundary_is_one():
    whole, box = galaxy(), (60.0, 60.0, 60.0)
    shift = np.array([0.0, 59.5, 30.0])
    cut = dataclasses.replace(whole, positions=(whole.positions + shift) % 60.0, box_kpc=box)
    middle = centre(cut.positions, cut.masses, box)
    near = (middle - shift + 30) % 60 - 30
    # The innermost 50 of 3000 stars of a Plummer sphere of 1 kpc lie within 0.27 kpc: their mean within 0.06.
    assert np.linalg.norm(near - centre(whole.positions, whole.masses)) < 0.06
    one = cut.unwrapped(middle)
    outside = np.linalg.norm(whole.positions, axis=1) > 29.0  # these have other images nearer
    np.testing.assert_allclose((one.positions - middle)[~outside], (whole.positions - near)[~outside], atol=1e-9)
    assert doubts(cut) == []


def test_the_larger_of_two_is_found_though_the_boundary_cuts_it():
    large, small = galaxy(1500), galaxy(1200, seed=5)
    positions = np.concatenate([large.positions, small.positions + 30.0]) % 60.0
    middle = centre(positions, np.ones(2700), (60.0, 60.0, 60.0))
    # In pieces at eight corners it would lose against the smaller one in the middle, 52 kpc away.
    assert np.linalg.norm((middle + 30) % 60 - 30) < 0.5


def test_unwrapping_moves_by_whole_boxes_only():
    rng = np.random.default_rng(2)
    points, middle = rng.uniform(0, 10, (100, 3)), np.array([9.5, 0.2, 5.0])
    got = unwrap(points, middle, (10.0, 10.0, 0.0))
    turns = (got - points) / 10.0
    np.testing.assert_allclose(turns, np.round(turns), atol=1e-12)
    assert (np.abs(got - middle)[:, :2] <= 5.0 + 1e-12).all()
    np.testing.assert_array_equal(got[:, 2], points[:, 2])
    assert unwrap(points, middle, (0.0, 0.0, 0.0)) is points


def test_a_box_that_particles_leave_is_none(tmp_path):
    truth = codes.truth()
    truth.positions[3, 1] = -50.0
    (path,) = codes.write(tmp_path / "snap.hdf5", truth, "gizmo")
    got = snapshot.read(path)
    assert got.box_kpc == (0.0, 0.0, 0.0)
    assert doubts(got)[0] == "particles lie outside of the box of 400 kpc: taken for none"
    assert doubts(got.select([4]))[0] == doubts(got)[0]


def test_a_box_about_the_origin_is_one(tmp_path):
    whole, box = galaxy(), (60.0, 60.0, 60.0)
    cut = dataclasses.replace(whole, positions=(whole.positions + 59.5) % 60.0 - 30.0, box_kpc=box)
    converting.write_hdf5(tmp_path / "snap.hdf5", cut)
    got = snapshot.read(tmp_path / "snap.hdf5")
    assert got.box_kpc == pytest.approx(box)
    assert doubts(got) == []


def test_negative_masses_are_refused(tmp_path):
    truth = codes.truth()
    truth.masses[[3, 7]] *= -1
    (path,) = codes.write(tmp_path / "snap.hdf5", truth, "gizmo")
    with pytest.raises(InputError, match="2 of 600 particles have masses below 0"):
        snapshot.read(path)


def test_stars_that_weigh_nothing_are_doubted():
    assert doubts(dataclasses.replace(galaxy(), masses=np.zeros(3000))) == ["the stars weigh nothing"]


def test_a_file_without_stars_is_not_read_to_be_shown(tmp_path, monkeypatch):
    (path,) = codes.write(tmp_path / "snap.hdf5", codes.truth(types=(0, 1)), "gizmo")
    monkeypatch.setattr(snapshot, "read", None)
    found = snapshot.describe(path)
    assert found["warnings"] == ["no particles of type 2, 3, 4: no stars"]
    assert found["box_kpc"] == pytest.approx([400.0] * 3) and found["counts"] == {"0": 200, "1": 200}


def test_swift_says_when_there_is_no_period(tmp_path):
    (path,) = codes.write(tmp_path / "snap.hdf5", codes.truth(), "swift")
    with h5py.File(path, "r+") as file:
        file["Parameters"].attrs["InitialConditions:periodic"] = np.bytes_("0")
    assert snapshot.read(path).box_kpc == (0.0, 0.0, 0.0)


# ------------------------------------------------------------------------------------------ the command line


def invoke(*arguments):
    return CliRunner().invoke(cli.app, ["snapshot", *map(str, arguments)])


def test_show_in_lines(tmp_path):
    (path,) = codes.write(tmp_path / "snap.hdf5", codes.truth(), "gizmo-comoving")
    said = invoke("show", path).stdout.splitlines()
    assert said[0] == f"{path}: GIZMO, HDF5; 10.53 Gyr, redshift 0.25, box 400 kpc"
    assert said[1] == "  units (file): 1.14286 kpc, 1.42857 x 1e10 Msun, 0.894427 km/s"
    assert said[2] == "  particles: 200 of type 0, 200 of type 1, 200 of type 4; stars are type 4"
    assert len(said) == 3


def test_show_as_json_has_one_object_for_each_input(tmp_path):
    (path,) = codes.write(tmp_path / "snap.hdf5", codes.truth(), "gadget2")
    done = invoke("show", "--json", path, tmp_path / "none", "--unit-length-kpc", "0.5")
    rows = json.loads(done.stdout)
    assert done.exit_code == 1
    assert rows[0]["length_kpc"] == 0.5 and rows[0]["units"] == "given: length; the rest: assumed"
    assert set(rows[1]) == {"file", "error"} and "no such file" in rows[1]["error"]


@pytest.mark.parametrize("option", ["--unit-length-kpc", "--unit-mass-msun", "--unit-velocity-km-s"])
@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf"])
def test_a_unit_that_is_none_is_refused_by_the_name_of_its_option(tmp_path, option, value):
    for verb in (["show", tmp_path], ["convert", tmp_path, "-o", tmp_path / "out"]):
        done = invoke(*verb, f"{option}={value}")
        assert done.exit_code == 2
        assert f"Invalid value for '{option}': {float(value)} is not in the range x>0." in done.stderr


def test_stars_that_are_equally_far_away_have_a_centre():
    corners = np.array([[x, y, z] for x in (0.0, 1.0) for y in (0.0, 1.0) for z in (0.0, 1.0)] * 20)
    # The mean of 160 numbers of order 1 is rounded in the last digits.
    assert snapshot.centre(corners, np.ones(160)) == pytest.approx([0.5, 0.5, 0.5], abs=1e-14)
    assert snapshot.centre(np.ones((160, 3)), np.ones(160)) == pytest.approx([1.0, 1.0, 1.0], abs=1e-14)
