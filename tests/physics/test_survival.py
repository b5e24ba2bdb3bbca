"""A run of program merger that is killed, stopped or short of space goes on to the same bytes, or says why not."""

import os
import random
import re
import resource
import shutil
import signal
import subprocess
import time

import pytest
from test_programs import cluster, gadget, merger_settings, refused

#: A wall-clock limit that leaves time for nothing: one step is made and saved all the same.
ONE_STEP = 1e-9
CHECKPOINTS = ("checkpoint_a.bin", "checkpoint_b.bin")
#: Numbers of a checkpoint before its rows and particles, 8 bytes each.
HEAD = 19


def command(programs, folder, **changed):
    """Write the namelist of a run of the tree with block steps, and return the command of that run."""
    settings = merger_settings(folder, **({"solver": "'tree'", "levels": 3, "snapshots": 2} | changed))
    lines = [f"  {key} = {value}" for key, value in settings.items()]
    (folder / "run.nml").write_text("\n".join(["&merger", *lines, "/", ""]))
    return [programs / "merger", folder / "run.nml"]


def run(programs, folder, preexec=None, **changed):
    """Run to the end, or to where the settings or the limits of `preexec` stop it."""
    return subprocess.run(command(programs, folder, **changed), capture_output=True, text=True, preexec_fn=preexec)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def prepare(folder, number):
    (folder / "initial.dat").write_bytes(gadget(*cluster(number)))
    return folder


@pytest.fixture(scope="module")
def whole(programs, tmp_path_factory):
    """What a run of 20 particles leaves that nobody disturbed."""
    folder = prepare(tmp_path_factory.mktemp("whole"), 20)
    assert run(programs, folder).returncode == 0
    return contents(folder / "out")


@pytest.fixture
def stopped(programs, tmp_path):
    """The same run, stopped after its third step, with checkpoints of the second and the third."""
    prepare(tmp_path, 20)
    for step in (1, 2, 3):
        done = run(programs, tmp_path, wall_time=ONE_STEP)
        assert (done.returncode, done.stderr) == (75, "")
        assert done.stdout.endswith(
            f"merger: stopped at step {step} of 16 (wall_time is near); the same command continues\n"
        )
    assert set(contents(tmp_path / "out")) == {"energy.csv.partial", "snapshot_000.dat", *CHECKPOINTS}
    return tmp_path


def test_a_run_of_single_steps_is_the_whole_run(programs, stopped, whole):
    for step in range(3, 15):
        done = run(programs, stopped, wall_time=ONE_STEP, threads=1 + step % 2)
        assert done.returncode == 75, done.stderr
        assert done.stdout.startswith(f"merger: continuing at step {step}\n")
    done = run(programs, stopped, checkpoint_interval=0)
    assert (done.returncode, done.stderr) == (0, "")
    assert "100 % (16 of 16 steps), 0 s left" in done.stdout
    assert contents(stopped / "out") == whole


@pytest.mark.parametrize("solver", ["tree", "direct_double"])
def test_a_run_killed_again_and_again_ends_in_the_same_bytes(programs, tmp_path, solver):
    settings = {"solver": f"'{solver}'", "checkpoint_interval": 0, "steps_per_snapshot": 20}
    prepare(tmp_path, 1000)
    begin = time.monotonic()
    assert run(programs, tmp_path, **settings).returncode == 0
    taken = time.monotonic() - begin
    expected = contents(tmp_path / "out")
    shutil.rmtree(tmp_path / "out")
    moments, kills = random.Random(1), 0
    while True:
        merger = subprocess.Popen(command(programs, tmp_path, **settings), stdout=subprocess.DEVNULL)
        try:
            # Patience grows, so that the run also ends on a machine that has become busy.
            code = merger.wait(moments.uniform(0, 0.2 * taken) * 1.2**kills)
            break
        except subprocess.TimeoutExpired:
            merger.kill()
            merger.wait()
            kills += 1
    assert code == 0
    assert kills >= 1  # six or so, unless the first run was slowed down by something else
    assert contents(tmp_path / "out") == expected


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGUSR1"])
def test_a_signal_stops_a_run_in_good_order(programs, tmp_path, name):
    settings = {"steps_per_snapshot": 4000, "snapshots": 1}
    prepare(tmp_path, 300)
    merger = subprocess.Popen(command(programs, tmp_path, **settings), stdout=subprocess.PIPE, text=True)
    while not (tmp_path / "out" / "snapshot_000.dat").exists():
        assert merger.poll() is None
    merger.send_signal(getattr(signal, name))
    said, _ = merger.communicate()
    assert merger.returncode == 75
    assert said.endswith(f"of 4000 ({name}); the same command continues\n")
    assert (tmp_path / "out" / "checkpoint_a.bin").exists()


def test_a_signal_while_the_program_starts_is_heard(programs, tmp_path):
    """Sent while the first forces are computed: the checkpoint of step 0 is one like any other."""
    settings = {"steps_per_snapshot": 100, "snapshots": 1, "solver": "'direct_double'", "levels": 0}
    prepare(tmp_path, 12000)
    merger = subprocess.Popen(command(programs, tmp_path, **settings), stdout=subprocess.PIPE, text=True)
    while not (tmp_path / "out").exists():
        assert merger.poll() is None
    merger.terminate()
    said, _ = merger.communicate()
    step = int(re.search(r"stopped at step (\d+) of 100 \(SIGTERM\); the same", said)[1])
    assert step < 50
    done = run(programs, tmp_path, wall_time=ONE_STEP, **settings)
    assert f"merger: continuing at step {step}\n" in done.stdout
    assert f"stopped at step {step + 1} of 100" in done.stdout


def test_a_run_stops_before_its_wall_time(programs, tmp_path):
    """Of 1,000 steps that take tens of seconds, those that fit into 2 s are made."""
    settings = {"steps_per_snapshot": 1000, "snapshots": 1, "solver": "'direct_double'", "levels": 0}
    prepare(tmp_path, 6000)
    begin = time.monotonic()
    done = run(programs, tmp_path, wall_time=2, **settings)
    assert time.monotonic() - begin < 2
    assert done.returncode == 75, done.stderr
    assert "(wall_time is near)" in done.stdout
    assert int(re.search(r"stopped at step (\d+)", done.stdout)[1]) > 1


@pytest.mark.parametrize("leftover", ["checkpoint.partial", "energy.csv.partial", "snapshot_001.dat.partial"])
def test_what_a_kill_left_half_written_does_no_harm(programs, stopped, whole, leftover):
    (stopped / "out" / leftover).write_bytes(b"half a fi")
    assert run(programs, stopped).returncode == 0
    assert contents(stopped / "out") == whole


def test_a_damaged_checkpoint_falls_back_to_the_older_one(programs, stopped, whole):
    out = stopped / "out"
    newest = out / CHECKPOINTS[0]  # of steps 1, 2 and 3, the first and the last went there
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 4
    newest.write_bytes(content)
    done = run(programs, stopped, wall_time=ONE_STEP)
    assert done.returncode == 75
    said = done.stdout.splitlines()
    assert said[0] == "merger: a checkpoint is damaged and not used: checkpoint_a.bin: its checksum is wrong"
    assert said[1] == "merger: continuing at step 2"
    assert newest.read_bytes() != content  # the damaged one was replaced, not the good one
    assert run(programs, stopped).returncode == 0
    assert contents(out) == whole


def only_checkpoint(programs, folder, content):
    """What merger says when this is the only checkpoint there is."""
    (folder / "out" / CHECKPOINTS[0]).unlink(missing_ok=True)
    (folder / "out" / CHECKPOINTS[1]).write_bytes(content)
    done = run(programs, folder)
    refused(done, "merger", "out: no checkpoint can be used (checkpoint_b.bin: ")
    assert done.stderr.endswith("): delete them to start anew\n")
    return done.stderr


def test_a_checkpoint_of_any_length_but_its_own_is_refused(programs, stopped):
    content = (stopped / "out" / CHECKPOINTS[1]).read_bytes()
    lengths = {*range(0, 16), *range(0, len(content), 41), *range(len(content) - 17, len(content))}
    for length in sorted(lengths):
        only_checkpoint(programs, stopped, content[:length])
    for more in (b"\0", bytes(8), content):
        only_checkpoint(programs, stopped, content + more)


def test_a_flipped_bit_anywhere_is_refused(programs, stopped):
    """One bit of every byte of the head and of the checksum, and of every seventh byte between them."""
    content = (stopped / "out" / CHECKPOINTS[1]).read_bytes()
    bits = random.Random(2)
    places = {*range(8 * HEAD), *range(8 * HEAD, len(content), 7), *range(len(content) - 8, len(content))}
    for place in sorted(places):
        damaged = bytearray(content)
        damaged[place] ^= 1 << bits.randrange(8)
        only_checkpoint(programs, stopped, bytes(damaged))


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2] + bytes(len(content) - len(content) // 2),
        lambda content: content[:800] + content[808:816] + content[800:808] + content[816:],
        lambda content: bytes(len(content)),
        lambda content: random.Random(3).randbytes(len(content)),
    ],
    ids=["half of it zeros", "two words exchanged", "all zeros", "noise"],
)
def test_a_checkpoint_overwritten_with_something_else_is_refused(programs, stopped, damage):
    content = (stopped / "out" / CHECKPOINTS[1]).read_bytes()
    only_checkpoint(programs, stopped, damage(content))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"time_step": 3e-4}, "time_step 2.00000E-004, here 3.00000E-004"),
        ({"steps_per_snapshot": 9}, "steps_per_snapshot 8, here 9"),
        ({"snapshots": 3}, "snapshots 2, here 3"),
        ({"levels": 4}, "levels 3, here 4"),
        ({"step_accuracy": 0.03}, "step_accuracy 0.025, here 0.03"),
        ({"softening": 0.1000001}, "softening 0.1, here 0.1"),
        ({"accuracy": 0.02}, "accuracy 0.01, here 0.02"),
        ({"solver": "'direct'"}, "solver 1, here 2"),
    ],
)
def test_a_checkpoint_of_other_settings_is_refused(programs, stopped, changed, message):
    before = contents(stopped / "out")
    done = run(programs, stopped, **changed)
    refused(done, "merger", f"out/checkpoint_a.bin: belongs to another run ({message})")
    assert contents(stopped / "out") == before


def test_a_checkpoint_of_other_initial_conditions_is_refused(programs, stopped):
    (stopped / "initial.dat").write_bytes(gadget(*cluster(20, seed=2)))
    refused(run(programs, stopped), "merger", "checkpoint_a.bin: belongs to another run (other initial conditions)")


def largest_file(size):
    """For `preexec`: writing beyond this length fails, as on a full disk."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_a_full_disk_is_one_line_and_leaves_the_last_good_checkpoint(programs, stopped, whole):
    before = {name: (stopped / "out" / name).read_bytes() for name in CHECKPOINTS}
    for size in (0, 1000, len(before[CHECKPOINTS[0]]) - 1):
        done = run(programs, stopped, preexec=largest_file(size), wall_time=ONE_STEP)
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert "check the space left" in done.stderr
        assert {name: (stopped / "out" / name).read_bytes() for name in CHECKPOINTS} == before
        assert not (stopped / "out" / "checkpoint.partial").exists()
    assert run(programs, stopped).returncode == 0
    assert contents(stopped / "out") == whole


@pytest.mark.parametrize(
    ("size", "file"), [(0, "energy.csv"), (1015, "snapshot_000.dat"), (1016, "energy.csv"), (2000, "energy.csv")]
)
def test_a_disk_that_fills_never_holds_half_a_snapshot(programs, tmp_path, whole, size, file):
    """Of 20 particles a snapshot has 1,016 bytes, and the log 4 kB, which are noticed row by row."""
    prepare(tmp_path, 20)
    done = run(programs, tmp_path, preexec=largest_file(size))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert (
        f"out/{file}: {'a row cannot be written' if file == 'energy.csv' else 'cannot be written whole'}" in done.stderr
    )
    for name, content in contents(tmp_path / "out").items():
        assert name.endswith(".partial") or content == whole[name]


def test_a_reader_that_leaves_does_not_stop_a_run(programs, tmp_path, whole):
    prepare(tmp_path, 20)
    read, write = os.pipe()
    merger = subprocess.Popen(command(programs, tmp_path), stdout=write)
    os.close(write)
    os.close(read)
    assert merger.wait() == 0
    assert contents(tmp_path / "out") == whole


def test_a_folder_that_cannot_be_written_is_one_line(programs, tmp_path):
    prepare(tmp_path, 20)
    done = run(programs, tmp_path, output="'/proc/self'")
    refused(done, "merger", "/proc/self/energy.csv: cannot be written: check its folder and permissions")
