"""Other people's GADGET files: read them, and find in them what their documentation says."""

import gzip
import os
import warnings
from pathlib import Path

import numpy as np
import pytest

from galclass import kernels, snapshot
from galclass.snapshot import centre, read, write

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("GALCLASS_REAL_DATA", ROOT.parent / "shared" / "data")) / "gadget"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"no real data in {DATA}; set GALCLASS_REAL_DATA")


def test_gadget_example_of_two_discs():
    particles = read(DATA / "galaxy_littleendian.dat")
    np.testing.assert_array_equal(np.bincount(particles.types), [0, 40000, 20000])
    assert len(np.unique(particles.ids)) == 60000
    assert particles.time == 0.0


def test_merger_with_extra_blocks():
    particles = read(DATA / "merger_000")
    np.testing.assert_array_equal(np.bincount(particles.types), [0, 60000, 40000])
    # merger_README.txt: a disc of 2.000364e44 g, 20000 particles; 1e10 Msun = 1.989e43 g.
    disc = particles.masses[particles.types == 2]
    assert disc[:20000].sum() == pytest.approx(2.000364e44 / 1.989e43, rel=1e-3)


@pytest.mark.parametrize("name", ["galaxy_littleendian.dat", "merger_000"])
def test_two_galaxies_apart_and_approaching(name):
    discs = read(DATA / name).select([2])
    half = np.argsort(discs.ids, kind="stable").reshape(2, -1)
    middles = [centre(discs.positions[i], discs.masses[i]) for i in half]
    apart = middles[1] - middles[0]
    velocity = discs.velocities[half[1]].mean(axis=0) - discs.velocities[half[0]].mean(axis=0)
    assert np.linalg.norm(apart) > 20.0
    assert apart @ velocity < 0.0


@pytest.mark.parametrize("name", ["galaxy_littleendian.dat", "merger_000"])
def test_our_copy_holds_the_same_particles(tmp_path, name):
    original = read(DATA / name)
    write(tmp_path / "copy", original)
    copy = read(tmp_path / "copy")
    # Blocks are single precision in both; masses of the header's double-precision table are rounded once.
    np.testing.assert_array_equal(copy.positions, original.positions)
    np.testing.assert_array_equal(copy.velocities, original.velocities)
    np.testing.assert_array_equal(copy.ids, original.ids)
    np.testing.assert_allclose(copy.masses, original.masses, rtol=1e-7)


def energy(positions, velocities, masses, softening):
    _, potential = kernels.accelerations(positions, masses, softening, accuracy=1e-4)
    return 0.5 * masses @ (velocities**2).sum(axis=1) + 0.5 * masses @ potential


@pytest.mark.parametrize(("name", "softening"), [("galaxy_littleendian.dat", 0.4), ("merger_000", 0.2)])
def test_forces_on_real_galaxies(name, softening):
    particles = read(DATA / name)
    exact, _ = kernels.accelerations(particles.positions, particles.masses, softening, "direct")
    found, _ = kernels.accelerations(particles.positions, particles.masses, softening, accuracy=0.01)
    errors = np.linalg.norm(found - exact, axis=1) / np.linalg.norm(exact, axis=1)
    # In units of the accuracy, twice what was measured; tests/physics/test_tree_forces.py says why not 1.
    assert (np.quantile(errors, [0.5, 0.9, 0.99]) < [0.004, 0.011, 0.025]).all()
    assert np.sqrt((errors**2).mean()) < 0.008


@pytest.mark.parametrize(
    ("name", "softening", "time_step"), [("galaxy_littleendian.dat", 0.4, 0.002), ("merger_000", 0.2, 0.0005)]
)
def test_a_few_steps_keep_the_energy(name, softening, time_step):
    particles = read(DATA / name)
    start = particles.positions, particles.velocities, particles.masses
    before = energy(*start, softening)
    end = kernels.integrate(*start, softening, time_step, 10, accuracy=0.003)
    assert np.linalg.norm(end[0] - start[0], axis=1).min() > 0
    # 1e-3 is allowed in a whole Gyr, a hundred times as many steps; nothing swings that fast.
    assert energy(*end, particles.masses, softening) == pytest.approx(before, rel=1e-4)
    # Centre of mass: momentum is kept but for random errors of the forces, 3e-3 of each, over 1e5 particles.
    drift = particles.masses @ (end[1] - start[1]) / particles.masses.sum()
    assert np.linalg.norm(drift) < 1e-3 * start[1].std()


# ------------------------------------------------------------------------- the same files in other forms

NAMES = ["galaxy_littleendian.dat", "merger_000"]


def records(content, order):
    """The records of a format-1 file."""
    at = 0
    while at < len(content):
        length = int(np.frombuffer(content, order + "u4", 1, at)[0])
        yield content[at + 4 : at + 4 + length]
        at += length + 8


def rewritten(content, order, named):
    """The same snapshot in another byte order, and with names before its blocks."""
    out = b""
    for number, record in enumerate(records(content, "<")):
        if number == 0:
            parts = (("u4", 0, 6), ("f8", 24, 8), ("u4", 88, 10), ("f8", 128, 4), ("u4", 160, 24))
            data = b"".join(np.frombuffer(record, "<" + kind, n, at).astype(order + kind).tobytes()
                            for kind, at, n in parts)  # fmt: skip
        else:
            data = np.frombuffer(record, "<u4").astype(order + "u4").tobytes()
        length = np.array([len(data)], order + "u4").tobytes()
        name = b"HEAD POS  VEL  ID   MASS X1   X2   X3   X4   X5   "[5 * number :][:4]
        numbers = np.array([8, len(data) + 8, 8], order + "u4")
        out += (numbers[:1].tobytes() + name + numbers[1:].tobytes() if named else b"") + length + data + length
    return out


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_in_either_byte_order_and_format(tmp_path, name, order, named, packed):
    content = rewritten((DATA / name).read_bytes(), order, named)
    (tmp_path / "copy").write_bytes(gzip.compress(content, 1) if packed else content)
    got, original = read(tmp_path / "copy"), read(DATA / name)
    for what in ("positions", "velocities", "masses", "ids", "types"):
        np.testing.assert_array_equal(getattr(got, what), getattr(original, what))
    wanted = f"format {2 if named else 1}, {'little' if order == '<' else 'big'}-endian"
    assert snapshot.header(tmp_path / "copy").format == f"GADGET binary, {wanted}"


@pytest.mark.parametrize("name", NAMES)
def test_only_the_stars(name):
    stars, everything = read(DATA / name, types="stars"), read(DATA / name)
    for what in ("positions", "velocities", "masses", "ids"):
        np.testing.assert_array_equal(getattr(stars, what), getattr(everything.select([2]), what))


@pytest.mark.parametrize("name", NAMES)
def test_pynbody_reads_the_same(name):
    pynbody = pytest.importorskip("pynbody", reason="pynbody is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it makes up units
        theirs = pynbody.load(str(DATA / name))
        arrays = {what: np.asarray(theirs[what]) for what in ("pos", "vel", "mass", "iord")}
    ours = read(DATA / name)
    np.testing.assert_array_equal(ours.positions, arrays["pos"])
    np.testing.assert_array_equal(ours.velocities, arrays["vel"])
    np.testing.assert_array_equal(ours.ids, arrays["iord"])
    np.testing.assert_allclose(ours.masses, arrays["mass"], rtol=1e-7)  # the table's masses in single precision


@pytest.mark.parametrize("name", NAMES)
def test_nothing_to_doubt_but_that_units_are_assumed(name):
    found = snapshot.describe(DATA / name)
    assert found["star_types"] == [2] and found["units"] == "assumed"
    assert [warning for warning in found["warnings"] if "units" not in warning] == []
    assert len(found["warnings"]) == 1


def test_snapshots_and_nothing_else_in_the_folder():
    assert [path.name for path in snapshot.find([DATA])] == NAMES
