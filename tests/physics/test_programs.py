"""The programs merger and shape: what they write, and what they refuse in one line."""

import struct
import subprocess
import sys

import numpy as np
import pytest

from galclass.units import G

N = 200


def cluster(n=N, seed=1):
    """A cloud that falls together: positions [kpc], velocities [km/s], masses [1e10 Msun]."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 3)), 60 * rng.normal(size=(n, 3)), np.full(n, 1.0 / n)


def gadget(positions, velocities, masses, *, form=2, real="<f4", integer="<u4", table=False, numbers=None, files=1):
    """Bytes of a GADGET file, written down from the users' guide and independent of the package."""
    n = len(positions)
    numbers = numbers or (0, n - n // 2, n // 2, 0, 0, 0)
    header = struct.pack(
        "<6i6ddd2i6I2i4d", *numbers, *(masses[0] if table else 0.0 for _ in range(6)), 0.25, 0.0, 0, 0,
        *numbers, 0, files, 0.0, 0.0, 0.0, 1.0,
    ).ljust(256, b"\0")  # fmt: skip
    blocks = {
        b"HEAD": header,
        b"POS ": positions.astype(real).tobytes(),
        b"VEL ": velocities.astype(real).tobytes(),
        b"ID  ": np.arange(1, n + 1).astype(integer).tobytes(),
    }
    if not table:
        blocks[b"MASS"] = masses.astype(real).tobytes()
    parts = []
    for name, data in blocks.items():
        if form == 2:
            parts.append(struct.pack("<i4sii", 8, name, len(data) + 8, 8))
        parts.append(struct.pack("<i", len(data)) + data + struct.pack("<i", len(data)))
    return b"".join(parts)


def read_back(path):
    """Blocks of a format-2 file by name."""
    data, place, blocks = path.read_bytes(), 0, {}
    while place < len(data):
        before, name, skip, after = struct.unpack_from("<i4sii", data, place)
        length = struct.unpack_from("<i", data, place + 16)[0]
        assert (before, after, skip) == (8, 8, length + 8)
        assert struct.unpack_from("<i", data, place + 20 + length)[0] == length
        blocks[name.decode().strip()] = data[place + 20 : place + 20 + length]
        place += 24 + length
    return blocks


def merger_settings(folder, **changed):
    settings = {
        "initial": f"'{folder}/initial.dat'", "output": f"'{folder}/out'", "time_step": 2e-4,
        "steps_per_snapshot": 8, "snapshots": 3, "levels": 0, "step_accuracy": 0.025, "softening": 0.1,
        "solver": "'direct_double'", "accuracy": 0.01, "threads": 1, "checkpoint_interval": 1000, "wall_time": 0,
    } | changed  # fmt: skip
    return settings


def shape_settings(folder, **changed):
    return {
        "output": f"'{folder}/shape.dat'", "class": "'rectangle'", "axis_ratio": 0.5, "exponent": "inf",
        "cap": 0.6, "sersic": 1.0, "half_mass": 1.5, "height_over_minor": 0.2, "particles": 40000, "seed": 3,
    } | changed  # fmt: skip


def call(programs, program, folder, settings):
    """Run a program on a namelist of these settings; those that are None are left out."""
    lines = [f"  {key} = {value}" for key, value in settings.items() if value is not None]
    namelist = folder / "run.nml"
    namelist.write_text("\n".join([f"&{program}", *lines, "/", ""]))
    return subprocess.run([programs / program, namelist], capture_output=True, text=True)


@pytest.fixture
def start(tmp_path):
    (tmp_path / "initial.dat").write_bytes(gadget(*cluster()))
    return tmp_path


def places(path):
    return np.frombuffer(read_back(path)["POS"], "<f4").reshape(-1, 3)


def test_a_run_writes_its_snapshots_and_its_log(programs, start):
    done = call(programs, "merger", start, merger_settings(start))
    assert done.returncode == 0, done.stderr
    names = [f"snapshot_{i:03d}.dat" for i in range(4)]
    assert sorted(p.name for p in (start / "out").iterdir()) == ["energy.csv", *names]
    times = [struct.unpack_from("<d", read_back(start / "out" / name)["HEAD"], 72)[0] for name in names]
    # The initial file says 0.25; 8 steps of 2e-4 between snapshots; rounding only.
    assert times == pytest.approx([0.25 + 8 * 2e-4 * i for i in range(4)], rel=1e-14)
    assert "largest |dE/E|" in done.stdout.splitlines()[-1]
    assert "100 % (24 of 24 steps), 0 s left" in done.stdout


def test_the_first_snapshot_is_the_initial_state(programs, start):
    call(programs, "merger", start, merger_settings(start))
    assert read_back(start / "out" / "snapshot_000.dat") == read_back(start / "initial.dat")


@pytest.mark.parametrize(("solver", "levels"), [("tree", 3), ("direct", 2), ("direct_double", 0)])
def test_a_run_is_the_leapfrog_of_the_kernels(programs, start, solver, levels):
    from galclass import kernels

    call(programs, "merger", start, merger_settings(start, solver=f"'{solver}'", levels=levels))
    positions, velocities, masses = (x.astype("f4").astype("f8") for x in cluster())
    there, speed = kernels.integrate(positions, velocities, masses, 0.1, 2e-4, 24, levels, solver=solver)
    blocks = read_back(start / "out" / "snapshot_003.dat")
    # The same code; files hold single precision.
    assert np.array_equal(np.frombuffer(blocks["POS"], "<f4").reshape(-1, 3), there.astype("f4"))
    assert np.array_equal(np.frombuffer(blocks["VEL"], "<f4").reshape(-1, 3), speed.astype("f4"))


def test_the_log_holds_what_the_laws_conserve(programs, start):
    call(programs, "merger", start, merger_settings(start))
    text = (start / "out" / "energy.csv").read_text().splitlines()
    assert text[0].startswith("# time [kpc/(km/s)]")
    assert text[1] == "time,kinetic,potential,energy,px,py,pz,lx,ly,lz,x,y,z,energy_drift,momentum_drift,centre_drift"
    rows = np.array([[float(x) for x in line.split(",")] for line in text[2:]])
    assert len(rows) == 1 + 3 * 4  # the start, then every quarter of a snapshot interval
    positions, velocities, masses = (x.astype("f4").astype("f8") for x in cluster())
    apart = np.sqrt(((positions[:, None] - positions) ** 2).sum(axis=2) + 0.1**2)
    pairs = np.triu_indices(N, 1)
    potential = -(G * masses[pairs[0]] * masses[pairs[1]] / apart[pairs]).sum()
    kinetic = 0.5 * (masses * (velocities**2).sum(axis=1)).sum()
    # Sums of 20,000 pairs in double precision.
    assert rows[0, 1:4] == pytest.approx([kinetic, potential, kinetic + potential], rel=1e-12)
    assert rows[0, 4:7] == pytest.approx(masses @ velocities, rel=1e-11)
    assert rows[0, 7:10] == pytest.approx(masses @ np.cross(positions, velocities), rel=1e-11)
    assert rows[0, 10:13] == pytest.approx(masses @ positions / masses.sum(), rel=1e-11)
    assert np.ptp(rows[:, 4:10], axis=0).max() < 1e-10  # rounding
    # Second order in 2e-4 of an orbit of about 1 kpc / 200 km/s = 5e-3, squared: 2e-3, less for most
    # particles.
    assert np.abs(rows[:, 3] / rows[0, 3] - 1).max() < 1e-3
    assert rows[:, 13] == pytest.approx(np.abs(rows[:, 3] / rows[0, 3] - 1), abs=1e-15)
    assert rows[:, 14:].max() < 1e-13  # rounding


def test_drifts_are_measured_in_units_of_the_system(programs, start):
    """A tree's forces have no exact opposite: what it loses of the momentum shows, in units of its own."""
    (start / "initial.dat").write_bytes(gadget(*cluster(3000)))
    call(programs, "merger", start, merger_settings(start, solver="'tree'", accuracy=1))
    rows = np.genfromtxt(start / "out" / "energy.csv", delimiter=",", names=True, skip_header=1)
    well, mass = -rows["potential"][0], cluster(3000)[2].astype("f4").astype("f8").sum()
    push = np.stack([rows[name] - rows[name][0] for name in ("px", "py", "pz")])
    age = rows["time"] - rows["time"][0]
    path = [rows[x] - rows[x][0] - rows[p][0] / mass * age for x, p in zip("xyz", ("px", "py", "pz"), strict=True)]
    assert 1e-9 < rows["momentum_drift"].max() < 1e-2
    # The columns hold 16 digits of numbers up to 10, in units of 100 and of 1.
    assert rows["momentum_drift"] == pytest.approx(np.linalg.norm(push, axis=0) / np.sqrt(mass * well), abs=1e-15)
    assert rows["centre_drift"] == pytest.approx(np.linalg.norm(path, axis=0) * well / (G * mass**2), abs=1e-15)


@pytest.mark.parametrize("solver", ["tree", "direct", "direct_double"])
def test_threads_do_not_change_a_byte(programs, start, solver):
    outputs = []
    for threads in (1, 2):
        folder = start / f"threads_{threads}"
        settings = merger_settings(start, solver=f"'{solver}'", levels=3, threads=threads, output=f"'{folder}'")
        assert call(programs, "merger", start, settings).returncode == 0
        outputs.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert outputs[0] == outputs[1]


@pytest.mark.parametrize("form", [1, 2])
@pytest.mark.parametrize("real", ["<f4", "<f8"])
@pytest.mark.parametrize("table", [False, True])
def test_every_kind_of_initial_file_gives_the_same_run(programs, start, form, real, table):
    settings = merger_settings(start, snapshots=1)
    call(programs, "merger", start, settings)
    expected = places(start / "out" / "snapshot_001.dat")
    state = [x.astype("f4").astype("f8") for x in cluster()]
    file = gadget(*state, form=form, real=real, integer="<u8", table=table)
    (start / "initial.dat").write_bytes(file)
    assert call(programs, "merger", start, settings).returncode == 0
    assert np.array_equal(places(start / "out" / "snapshot_001.dat"), expected)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"softening": None}, "run.nml: softening is missing: give a number >= 0"),
        ({"initial": None}, "run.nml: initial is missing: give the path of a GADGET snapshot"),
        ({"threads": None}, "run.nml: threads is missing: give a whole number from 0 to 1024"),
        ({"softening": -1}, "run.nml: softening = -1: allowed is a number >= 0"),
        ({"time_step": 0}, "run.nml: time_step = 0: allowed is a number > 0"),
        ({"time_step": "nan"}, "run.nml: time_step = NaN: allowed is a number > 0"),
        ({"time_step": "inf"}, "run.nml: time_step = Infinity: allowed is a number > 0"),
        ({"snapshots": 1000}, "run.nml: snapshots = 1000: allowed is a whole number from 1 to 999"),
        ({"steps_per_snapshot": 0}, "run.nml: steps_per_snapshot = 0: allowed is a whole number from 1"),
        ({"solver": "'oct'"}, "run.nml: solver = 'oct': allowed is 'tree', 'direct' or 'direct_double'"),
        ({"solver": "'tree'", "softening": 0}, "run.nml: softening = 0: allowed is a number > 0"),
        ({"levels": 1, "softening": 0}, "run.nml: softening = 0: allowed is a number > 0"),
        ({"levels": -1}, "run.nml: levels = -1: allowed is a whole number from 0 to 20"),
        ({"accuracy": 2}, "run.nml: accuracy = 2: allowed is a number > 0 and <= 1"),
        ({"checkpoint_interval": None}, "run.nml: checkpoint_interval is missing: give a number >= 0"),
        ({"wall_time": -1}, "run.nml: wall_time = -1: allowed is a number >= 0"),
        ({"sofetning": 0.1}, "run.nml: &merger: unknown or malformed setting"),
        ({"snapshots": "many"}, "run.nml: &merger: unknown or malformed setting"),
        ({"initial": "'/nowhere.dat'"}, "/nowhere.dat: no such file, or it cannot be read"),
        ({"output": "'/proc/nowhere'"}, "/proc/nowhere: cannot make this folder"),
    ],
)
def test_a_bad_setting_is_one_line(programs, start, changed, message):
    refused(call(programs, "merger", start, merger_settings(start, **changed)), "merger", message)
    assert not (start / "out").exists()


def refused(done, program, message):
    """The program ended with code 1 and one line that starts with its name."""
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"{program}: ")
    assert message in done.stderr
    assert done.stdout == ""


def damaged():
    """Initial files that are refused: name, bytes, what is said."""
    positions, velocities, masses = cluster()
    good = gadget(positions, velocities, masses)
    nan, infinite = positions.copy(), velocities.copy()
    nan[7, 2], infinite[0, 0] = np.nan, np.inf
    light, none = masses.copy(), masses.copy()
    light[5], none[0] = -1, 0
    swapped = np.frombuffer(gadget(positions, velocities, masses)[:400], "<u4").byteswap().tobytes()
    marker = bytearray(good)
    marker[16:20] = struct.pack("<i", 200)
    return [
        ("empty", b"", "has 0 bytes, a GADGET snapshot has 264 and more"),
        ("truncated", good[:-100], "is truncated: the record at byte"),
        ("header only", good[:280], "has no block POS"),
        ("without masses", good[: -(N * 4 + 24)], "has no block MASS"),
        ("text", b"a text of some length " * 50, "not a GADGET snapshot"),
        ("big-endian", swapped, "is a big-endian GADGET snapshot"),
        ("wrong marker", bytes(marker), "has the marker 200 before and"),
        ("NaN position", gadget(nan, velocities, masses), "block POS: number 24 is NaN"),
        ("infinite velocity", gadget(positions, infinite, masses), "block VEL: number 1 is Infinity"),
        ("negative mass", gadget(positions, velocities, light), "particle 6 has the mass -1, allowed is > 0"),
        ("no mass", gadget(positions, velocities, none), "particle 1 has the mass 0, allowed is > 0"),
        ("too few", gadget(*cluster(), numbers=(0, 9, 0, 0, 0, 0)), "block POS has 2400 bytes"),
        ("none", gadget(positions, velocities, masses, numbers=(0,) * 6), "holds no particles"),
        ("negative number", gadget(positions, velocities, masses).replace(
            struct.pack("<2i", 100, 100), struct.pack("<2i", -5, 100)), "a particle number below 0"),
        ("no time", good[:20 + 72] + struct.pack("<d", np.nan) + good[20 + 80:], "or a time that is not a number"),
        ("gas", gadget(positions, velocities, masses, numbers=(N, 0, 0, 0, 0, 0)), "holds 200 gas particles"),
        ("several files", gadget(positions, velocities, masses, files=4), "is one of 4 files"),
    ]  # fmt: skip


@pytest.mark.parametrize(("content", "message"), [case[1:] for case in damaged()], ids=[case[0] for case in damaged()])
def test_a_bad_initial_file_is_one_line(programs, start, content, message):
    (start / "initial.dat").write_bytes(content)
    refused(call(programs, "merger", start, merger_settings(start)), "merger", "initial.dat: ")
    assert message in call(programs, "merger", start, merger_settings(start)).stderr
    assert not (start / "out").exists()


@pytest.mark.parametrize("softening", [0, 0.1])
@pytest.mark.parametrize(("copies", "first", "second"), [(range(N), 1, 2), ([150], 101, 151)])
def test_particles_at_one_point_are_refused(programs, start, softening, copies, first, second):
    """All of them, or one at the place of another: by chance this happens to none of 1e8."""
    positions, velocities, masses = cluster()
    positions[100, 0] = 0.0
    positions[copies] = positions[100]
    if len(copies) == 1:
        positions[copies, 0] = -0.0  # the same place, though not the same bits
    (start / "initial.dat").write_bytes(gadget(positions, velocities, masses))
    done = call(programs, "merger", start, merger_settings(start, softening=softening))
    message = f"initial.dat: particles {first} and {second} lie at one point: give each a place of its own"
    refused(done, "merger", message)


def test_a_lattice_is_no_coincidence(programs, start):
    """Places that share all their coordinates with others, and each of them is taken once."""
    positions = np.stack(np.meshgrid(*[np.arange(6.0)] * 3), axis=-1).reshape(-1, 3)
    (start / "initial.dat").write_bytes(gadget(positions, 0 * positions, np.full(216, 1e-3)))
    done = call(programs, "merger", start, merger_settings(start, snapshots=1, steps_per_snapshot=1))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("content", ["", "&other\n/\n", "&merger\n  softening = 0.1\n", "nothing of the kind"])
def test_a_file_that_is_no_namelist_is_one_line(programs, tmp_path, content):
    (tmp_path / "run.nml").write_text(content)
    for program in ("merger", "shape"):
        done = subprocess.run([programs / program, tmp_path / "run.nml"], capture_output=True, text=True)
        refused(done, program, "run.nml: ")


@pytest.mark.parametrize("program", ["merger", "shape"])
def test_a_program_explains_itself(programs, program):
    done = subprocess.run([programs / program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, f"usage: {program} NAMELIST\n")


# What a shape's generalised radius is: the isophotes |x/a| <= 1, |y/b| <= 1 of the class, a = q^-1/2, b =
# q^1/2.
def generalised_radius(x, y, settings):
    u, v = np.abs(x) * settings["axis_ratio"] ** 0.5, np.abs(y) / settings["axis_ratio"] ** 0.5
    exponent = float(settings["exponent"])
    return np.maximum(u, v) if exponent > 50 else (u**exponent + v**exponent) ** (1 / exponent)


def sample(programs, folder, **changed):
    settings = shape_settings(folder, **changed)
    done = call(programs, "shape", folder, settings)
    assert done.returncode == 0, done.stderr
    return places(folder / "shape.dat").astype("f8"), settings


@pytest.mark.parametrize(("exponent", "name"), [(2, "oval"), (4, "rectangle"), ("inf", "rectangle")])
@pytest.mark.parametrize("sersic", [0.5, 1.0, 4.0])
def test_half_the_mass_lies_within_the_half_mass_radius(programs, tmp_path, exponent, name, sersic):
    settings = {"exponent": exponent, "class": f"'{name}'", "sersic": sersic}
    positions, settings = sample(programs, tmp_path, **settings)
    inside = (generalised_radius(*positions.T[:2], settings) < 1.5).mean()
    # Binomial noise of 40,000 particles: 0.0025; four of them.
    assert inside == pytest.approx(0.5, abs=0.01)


def test_an_exponential_disc_has_the_mass_of_its_closed_form(programs, tmp_path):
    positions, settings = sample(programs, tmp_path, exponent=2, **{"class": "'oval'"})
    m = generalised_radius(*positions.T[:2], settings)
    for radius in (0.5, 1.0, 3.0, 6.0):
        x = 1.6783469900166605 * radius / 1.5
        # Sersic n = 1: M(<m) = 1 - (1 + x) exp(-x), with x = 1.678 at half mass; noise as above.
        assert (m < radius).mean() == pytest.approx(1 - (1 + x) * np.exp(-x), abs=0.01)


@pytest.mark.parametrize("name", ["oval", "rectangle", "obround"])
@pytest.mark.parametrize("axis_ratio", [0.4, 1.0])
def test_the_axis_ratio_is_that_asked_for(programs, tmp_path, name, axis_ratio):
    settings = {"class": f"'{name}'", "axis_ratio": axis_ratio, "exponent": 2 if name == "oval" else 6}
    positions, _ = sample(programs, tmp_path, **settings)
    ratio = np.sqrt((positions[:, 1] ** 2).mean() / (positions[:, 0] ** 2).mean())
    # Noise of second moments of an exponential: (mean x^4/mean x^2^2 - 1)^1/2 / 40000^1/2 / 2^1/2, about
    # 0.01. An obround's round ends make its second-moment ratio up to 6 % larger.
    allowed = 0.08 if name == "obround" else 0.02
    assert ratio / axis_ratio == pytest.approx(1, abs=allowed)


def fourth_harmonic(positions, axis_ratio):
    """Mean cos 4t of directions in the frame where the ellipse is a circle (of B4's sign), and its noise."""
    angle = np.arctan2(positions[:, 1] / axis_ratio, positions[:, 0])
    return np.cos(4 * angle).mean(), 1 / np.sqrt(2 * len(positions))


@pytest.mark.parametrize("axis_ratio", [0.5, 1.0])
def test_the_fourth_harmonic_tells_the_shapes_apart(programs, tmp_path, axis_ratio):
    found = {}
    for name, exponent in (("oval", 2), ("obround", 2), ("rectangle", "inf")):
        settings = {"class": f"'{name}'", "axis_ratio": axis_ratio, "exponent": exponent}
        found[name], noise = fourth_harmonic(sample(programs, tmp_path, **settings)[0], axis_ratio)
    assert abs(found["oval"]) < 4 * noise
    assert found["obround"] < -8 * noise
    assert found["rectangle"] < found["obround"] - 8 * noise
    # Directions fall in proportion to r^2: for a square, integral of cos 4t/cos^2 t over an eighth of a turn:
    # 4 (integral of 8 cos^2 t - 8 + 1/cos^2 t from 0 to pi/4, over 4 times 1) = 3 - pi.
    assert found["rectangle"] == pytest.approx(3 - np.pi, abs=4 * noise)


def test_the_height_is_a_sech_squared(programs, tmp_path):
    positions, _ = sample(programs, tmp_path)
    scale = 0.2 * 1.5 * 0.5**0.5
    # Half the mass of sech^2(z/h) lies within h artanh(1/2); noise of a median of 40,000: 0.6 %.
    assert np.median(np.abs(positions[:, 2])) == pytest.approx(scale * np.arctanh(0.5), rel=0.03)
    assert positions[:, 2].mean() == pytest.approx(0, abs=4 * scale / 200)


def test_no_height_is_a_sheet(programs, tmp_path):
    positions, _ = sample(programs, tmp_path, height_over_minor=0)
    assert not positions[:, 2].any()


def test_the_file_of_a_shape_holds_a_disc_at_rest(programs, tmp_path):
    sample(programs, tmp_path, particles=1000)
    blocks = read_back(tmp_path / "shape.dat")
    assert struct.unpack_from("<6i", blocks["HEAD"]) == (0, 0, 1000, 0, 0, 0)
    assert not np.frombuffer(blocks["VEL"], "<f4").any()
    assert np.frombuffer(blocks["MASS"], "<f4") == pytest.approx(np.full(1000, 1e-4), rel=1e-6)
    assert np.array_equal(np.frombuffer(blocks["ID"], "<u4"), np.arange(1, 1001))


def test_a_seed_gives_one_galaxy(programs, tmp_path):
    first, again, other = (sample(programs, tmp_path, seed=seed, particles=100)[0] for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.isin(first, other).any()


def test_directions_have_no_side(programs, tmp_path):
    positions, _ = sample(programs, tmp_path, **{"class": "'obround'"})
    quadrant = np.bincount((positions[:, 0] > 0) * 2 + (positions[:, 1] > 0), minlength=4) / len(positions)
    # Binomial noise 0.0022; four of them.
    assert quadrant == pytest.approx(np.full(4, 0.25), abs=0.009)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"sersic": None}, "run.nml: sersic is missing: give a number >= 0.5 and <= 8"),
        ({"class": "'star'"}, "run.nml: class = 'star': allowed is 'oval', 'rectangle' or 'obround'"),
        ({"axis_ratio": 1.5}, "run.nml: axis_ratio = 1.5: allowed is a number >= 0.05 and <= 1"),
        ({"class": "'obround'", "cap": 0}, "run.nml: cap = 0: allowed is a number >="),
        ({"exponent": 0.5}, "run.nml: exponent = 0.5: allowed is a number >= 1 and <= 1000"),
        ({"half_mass": 0}, "run.nml: half_mass = 0: allowed is a number > 0"),
        ({"particles": 0}, "run.nml: particles = 0: allowed is a whole number from 1"),
        ({"seed": -1}, "run.nml: seed = -1: allowed is a whole number from 0"),
        ({"colour": 3}, "run.nml: &shape: unknown or malformed setting"),
        ({"output": "'/proc/nowhere/shape.dat'"}, "/proc/nowhere: cannot make this folder"),
    ],
)
def test_a_bad_shape_is_one_line(programs, tmp_path, changed, message):
    refused(call(programs, "shape", tmp_path, shape_settings(tmp_path, **changed)), "shape", message)
    assert not (tmp_path / "shape.dat").exists()


def test_nothing_but_the_compiler_is_needed(programs):
    if not sys.platform.startswith("linux"):
        pytest.skip("ldd is a Linux tool")
    needed = subprocess.run(["ldd", programs / "merger"], capture_output=True, text=True).stdout
    names = {line.split()[0].split(".so")[0].rsplit("/", 1)[-1] for line in needed.splitlines()}
    system = {
        "linux-vdso",
        "libc",
        "libm",
        "libpthread",
        "libdl",
        "librt",
        "ld-linux-x86-64",
        "ld-linux-aarch64",
    }
    compiler = {"libgfortran", "libgomp", "libgcc_s", "libquadmath"}
    assert names <= system | compiler
