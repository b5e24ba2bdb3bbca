"""Snapshots: what is written is what is read, by us and by others, and damage is named in one line."""

import struct

import numpy as np
import pytest

from galclass import snapshot as snapshots
from galclass.errors import InputError
from galclass.snapshot import TYPES, Snapshot, centre, join, read, write


@pytest.fixture
def particles():
    """Forty particles of four types in mixed order."""
    rng = np.random.default_rng(5)
    types = rng.permutation(np.repeat([1, 2, 3, 4], 10)).astype(np.int8)
    return Snapshot(
        rng.normal(size=(40, 3)),
        rng.normal(scale=50.0, size=(40, 3)),
        rng.uniform(1e-4, 1e-3, 40),
        rng.permutation(np.arange(1, 41)),
        types,
        1.25,
    )


def gadget(particles, order="<", named=False, real="f4", whole="u4", table=None, extra=(), mass=True, files=1, **more):
    """Bytes of a GADGET file put together here, independently of the writer under test."""
    particles = particles.sorted_by_type()
    counts = np.bincount(particles.types, minlength=6)
    table = np.zeros(6) if table is None else table
    numbers = {"redshift": 0, "total": counts, "box": 0, "omega_m": 0, "omega_l": 0, "h": 1, "high": (0,) * 6} | more
    header = struct.pack(
        order + "6I6d2d2i6I2i4d2i6I", *counts, *table, particles.time, numbers["redshift"], 0, 0, *numbers["total"],
        0, files, *(numbers[name] for name in ("box", "omega_m", "omega_l", "h")), 0, 0, *numbers["high"],
    )  # fmt: skip
    blocks = [
        (b"HEAD", header.ljust(256, b"\0")),
        (b"POS ", particles.positions.astype(order + real).tobytes()),
        (b"VEL ", particles.velocities.astype(order + real).tobytes()),
        (b"ID  ", particles.ids.astype(order + whole).tobytes()),
    ]
    listed = np.asarray(table)[particles.types] == 0
    if mass and listed.any():
        blocks.append((b"MASS", particles.masses[listed].astype(order + real).tobytes()))
    out = b""
    for name, data in [*blocks, *extra]:
        length = struct.pack(order + "I", len(data))
        label = struct.pack(order + "I4sII", 8, name, len(data) + 8, 8) if named else b""
        out += label + length + data + length
    return out


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize(("real", "whole"), [("f4", "u4"), ("f8", "u8")])
def test_every_variant_of_the_format_holds_the_same_particles(tmp_path, particles, order, named, real, whole):
    path = tmp_path / "snap"
    path.write_bytes(gadget(particles, order, named, real, whole, extra=[(b"POT ", b"\0" * 160)]))
    got, expected = read(path), particles.sorted_by_type()
    # Single precision keeps 24 bits: relative 6e-8; double is exact.
    tolerance = 1e-7 if real == "f4" else 0.0
    np.testing.assert_allclose(got.positions, expected.positions, rtol=tolerance)
    np.testing.assert_allclose(got.velocities, expected.velocities, rtol=tolerance)
    np.testing.assert_allclose(got.masses, expected.masses, rtol=tolerance)
    np.testing.assert_array_equal(got.ids, expected.ids)
    np.testing.assert_array_equal(got.types, expected.types)
    assert got.time == 1.25


def test_masses_come_from_the_table_where_it_has_them(tmp_path, particles):
    path = tmp_path / "snap"
    path.write_bytes(gadget(particles, real="f8", table=[0, 0.5, 0, 0.25, 0, 0]))
    got, expected = read(path), particles.sorted_by_type()
    assert (got.masses[got.types == 1] == 0.5).all()
    assert (got.masses[got.types == 3] == 0.25).all()
    rest = np.isin(got.types, (2, 4))
    np.testing.assert_array_equal(got.masses[rest], expected.masses[rest])


def test_block_after_the_table_masses_is_not_taken_for_masses(tmp_path, particles):
    path = tmp_path / "snap"
    full = [0, 0.5, 0.5, 0.5, 0.5, 0]
    path.write_bytes(gadget(particles, table=full, extra=[(b"POT ", np.full(40, 9.0, "f4").tobytes())]))
    assert (read(path).masses == 0.5).all()


def test_what_is_written_is_read_back(tmp_path, particles):
    write(tmp_path / "snap", particles)
    got, expected = read(tmp_path / "snap"), particles.sorted_by_type()
    for name in ("positions", "velocities", "masses"):
        single = getattr(expected, name).astype(np.float32).astype(np.float64)
        np.testing.assert_array_equal(getattr(got, name), single)
    np.testing.assert_array_equal(got.ids, expected.ids)
    np.testing.assert_array_equal(got.types, expected.types)
    assert got.time == particles.time


def test_writer_gives_the_bytes_of_gadget_format_two(tmp_path, particles):
    write(tmp_path / "snap", particles)
    assert (tmp_path / "snap").read_bytes() == gadget(particles, named=True)


def test_pynbody_reads_what_we_write(tmp_path, particles):
    pynbody = pytest.importorskip("pynbody", reason="pynbody is not installed")
    write(tmp_path / "snap", particles)
    theirs = pynbody.load(str(tmp_path / "snap"))
    expected = particles.sorted_by_type()
    # In binary files pynbody takes GADGET's type 1 for dark matter, and 2, 3 and 4 for stars.
    assert (len(theirs.dm), len(theirs.s)) == (10, 30)
    assert set(np.asarray(theirs.dm["iord"])) == set(expected.ids[expected.types == 1])
    order = np.argsort(np.asarray(theirs["iord"]))
    ours = np.argsort(expected.ids)
    np.testing.assert_allclose(np.asarray(theirs["pos"])[order], expected.positions[ours], rtol=1e-6)
    np.testing.assert_allclose(np.asarray(theirs["vel"])[order], expected.velocities[ours], rtol=1e-6)
    np.testing.assert_allclose(np.asarray(theirs["mass"])[order], expected.masses[ours], rtol=1e-6)


def test_select_keeps_types_and_order(particles):
    some = particles.select([TYPES["disc"], TYPES["bulge"]])
    assert len(some) == 20
    np.testing.assert_array_equal(some.ids, particles.ids[np.isin(particles.types, (2, 3))])


def test_join_of_selections_is_the_whole(particles):
    whole = join([particles.select([t]) for t in (1, 2, 3, 4)])
    np.testing.assert_array_equal(whole.ids, particles.sorted_by_type().ids)
    assert whole.time == particles.time


# ------------------------------------------------------------------------------------------ bad files


def message(path):
    with pytest.raises(InputError) as caught:
        read(path)
    text = str(caught.value)
    assert "\n" not in text and str(path) in text
    return text


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (100, "header has"),
        (700, "block POS has"),
        (1000, "block VEL has"),
        (1400, "block ID has"),
        (-50, "block MASS has"),
    ],
)
def test_cut_file_names_the_block_and_the_bytes(tmp_path, particles, named, where, expected):
    path = tmp_path / "snap"
    path.write_bytes(gadget(particles, named=named)[:where])
    text = message(path)
    assert "cut short" in text and expected in text and " of " in text


def test_every_cut_of_a_file_is_an_input_error(tmp_path, particles):
    whole = gadget(particles, named=True)
    path = tmp_path / "snap"
    # Only the closing length of the last record (4 bytes) can be lost without losing particles.
    for length in range(1, len(whole) - 4, 7):
        path.write_bytes(whole[:length])
        message(path)


def test_text_is_not_a_snapshot(tmp_path):
    path = tmp_path / "snap.dat"
    path.write_text("# x y z\n1 2 3\n")
    assert "not a GADGET snapshot" in message(path)


def test_missing_and_empty_files_are_named(tmp_path):
    message(tmp_path / "nothing")
    (tmp_path / "empty").touch()
    message(tmp_path / "empty")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["positions", "velocities", "masses"])
def test_numbers_that_are_not_finite_are_counted(tmp_path, particles, bad, name):
    getattr(particles, name)[[3, 7]] = bad
    path = tmp_path / "snap"
    path.write_bytes(gadget(particles))
    assert f"2 of 40 particles have {name} that are not finite" in message(path)
    with pytest.raises(InputError, match="not finite"):
        write(tmp_path / "out", particles)
    assert not (tmp_path / "out").exists()


def test_no_particles(tmp_path, particles):
    nobody = particles.select([])
    path = tmp_path / "snap"
    path.write_bytes(gadget(nobody))
    assert "no particles" in message(path)
    with pytest.raises(InputError, match="without particles"):
        write(tmp_path / "out", nobody)


def test_one_piece_of_several(tmp_path, particles):
    path = tmp_path / "snap"
    path.write_bytes(gadget(particles, files=4, total=[0, 10, 10, 10, 50, 0]))
    assert "one of 4 pieces" in message(path)


def test_header_that_promises_other_numbers_than_the_block_has(tmp_path, particles):
    data = bytearray(gadget(particles))
    data[4 + 4 : 4 + 8] = struct.pack("<I", 2_000_000_000)
    path = tmp_path / "snap"
    path.write_bytes(bytes(data))
    assert "block POS says 480 bytes" in message(path)


def test_record_lengths_that_disagree(tmp_path, particles):
    data = bytearray(gadget(particles))
    data[264 + 4 + 480 : 264 + 8 + 480] = struct.pack("<I", 481)
    path = tmp_path / "snap"
    path.write_bytes(bytes(data))
    assert "damaged" in message(path)


# --------------------------------------------------------------------------------- files of odd writers


def test_format_two_without_ids_numbers_its_particles(tmp_path, particles):
    data = gadget(particles, named=True)
    at = data.index(b"ID  ") - 4
    (tmp_path / "snap").write_bytes(data[:at] + data[at + 16 + 8 + 4 * len(particles) :])
    np.testing.assert_array_equal(read(tmp_path / "snap").ids, np.arange(1, 41))


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("junk", [struct.pack("<6I", 12, 1, 2, 3, 4, 5), b"made by me, please cite; thank you\n" * 9])
def test_what_follows_the_last_block_does_not_matter(tmp_path, particles, named, junk):
    (tmp_path / "snap").write_bytes(gadget(particles, named=named) + junk)
    assert len(read(tmp_path / "snap")) == 40
    (tmp_path / "snap").write_bytes(gadget(particles, named=named, table=[0, 1, 1, 1, 1, 0]) + junk)
    assert len(read(tmp_path / "snap")) == 40


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("named", [False, True])
def test_markers_of_64_bits_are_told(tmp_path, particles, order, named):
    mark, body = struct.Struct(order + "Q").pack, gadget(particles, order)[4:260]
    label = mark(8) + b"HEAD" + bytes(4) + mark(8) if named else b""
    (tmp_path / "snap").write_bytes(label + mark(256) + body + mark(256) + mark(480) + bytes(480) + mark(480))
    assert "record markers of 64 bits" in message(tmp_path / "snap")


@pytest.mark.parametrize("named", [False, True])
def test_the_header_of_gadget_four_is_told(tmp_path, named):
    label = struct.pack("<I4sII", 8, b"HEAD", 200, 8) if named else b""
    (tmp_path / "snap").write_bytes(label + struct.pack("<I", 192) + bytes(192) + struct.pack("<I", 192))
    assert "its header has 192 bytes, not 256: GADGET-4's own binary format" in message(tmp_path / "snap")


# -------------------------------------------------------------------------------------------- centre


def test_centre_finds_the_denser_of_two_clumps():
    rng = np.random.default_rng(8)
    near = rng.normal(size=(4000, 3)) * 0.5 + [3.0, -2.0, 1.0]
    far = rng.normal(size=(2000, 3)) * 2.0 - [6.0, 0.0, 0.0]
    middle = centre(np.concatenate([near, far]), np.ones(6000))
    # The innermost 60 of 4000 Gaussian particles of sigma 0.5: within about 0.15 of the middle.
    assert np.linalg.norm(middle - [3.0, -2.0, 1.0]) < 0.15


def test_centre_moves_with_the_particles():
    rng = np.random.default_rng(9)
    cloud, weights = rng.normal(size=(3000, 3)), rng.uniform(1.0, 2.0, 3000)
    shift = np.array([100.0, -20.0, 3.0])
    # Same particles are kept, so only rounding at 100 differs.
    np.testing.assert_allclose(centre(cloud + shift, weights), centre(cloud, weights) + shift, atol=1e-11)


def test_centre_of_a_few_particles_is_their_mean():
    points = np.arange(12.0).reshape(4, 3)
    weights = np.array([1.0, 1.0, 1.0, 3.0])
    np.testing.assert_allclose(centre(points, weights), np.average(points, axis=0, weights=weights))


def plummer(n, radius, rng):
    """Places in a Plummer sphere of scale `radius`, as Aarseth, Henon & Wielen (1974) draw them."""
    r = radius / np.sqrt(rng.uniform(0.0, 0.999, n) ** (-2 / 3) - 1)
    direction = rng.normal(size=(n, 3))
    return r[:, None] * direction / np.linalg.norm(direction, axis=1)[:, None]


@pytest.fixture
def pair():
    """A galaxy of 20,000 stars at a place and a companion of a quarter of its stars 15 scale radii away."""
    rng, place = np.random.default_rng(12), np.array([30.0, -7.0, 4.0])
    stars = np.concatenate([plummer(20000, 1.0, rng), plummer(5000, 1.0, rng) + [15.0, 0.0, 0.0]])
    return stars + place, np.ones(25000), place


def test_centre_of_a_plummer_sphere_with_a_companion(pair):
    positions, masses, place = pair
    # Within 0.3 radii the density of a Plummer sphere is flat to 20 % and hardly holds the sphere: 20 draws gave 0.09
    # in the median and 0.14 at most. The companion shifts the mean by 3.
    assert np.linalg.norm(centre(positions, masses) - place) < 0.2
    assert np.linalg.norm(positions.mean(axis=0) - place) > 2.0


def test_centre_is_where_pynbody_finds_it(pair):
    pynbody = pytest.importorskip("pynbody", reason="pynbody is not installed")
    positions, masses, _ = pair
    sim = pynbody.new(star=len(masses))
    sim["pos"], sim["mass"] = positions, masses
    sim["pos"].units, sim["mass"].units = "kpc", "Msol"
    theirs = np.asarray(pynbody.analysis.halo.shrink_sphere_center(sim))
    # Each is as good as the test above says.
    assert np.linalg.norm(centre(positions, masses) - theirs) < 0.2


def test_types_of_stars_are_the_luminous_ones():
    assert [TYPES[name] for name in ("disc", "bulge", "stars")] == list(snapshots.STAR_TYPES)
