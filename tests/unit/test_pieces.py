"""What a killed process leaves is removed or gone on from, and a full disk is one clear line."""

import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
import pandas as pd
import pytest

from galclass import files, train
from galclass.errors import GalclassError, InputError
from galclass.files import alone, atomic, pieces, write_text
from galclass.parallel import workers
from galclass.train import fitting
from tests.unit.test_train_trusted import SETTINGS, write_run


def run_and_kill(code: str, *arguments: str) -> int:
    """Run Python code that says a word when it is ready, kill it, and return its number."""
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code), *arguments], stdout=subprocess.PIPE)
    assert process.stdout.readline()
    process.kill()
    process.wait()
    process.stdout.close()
    return process.pid


# Temporary files ----------------------------------------------------------------------------------------------


def test_next_writer_removes_what_a_killed_one_left(tmp_path):
    code = """
        import sys, time
        from galclass.files import atomic
        with atomic(sys.argv[1]) as temporary:
            temporary.write_text("half")
            print("ready", flush=True)
            time.sleep(60)
    """
    run_and_kill(code, str(tmp_path / "table.csv"))
    [left] = tmp_path.iterdir()
    assert left.name.startswith(".")
    write_text(tmp_path / "table.csv", "whole")
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_files_that_may_still_be_written_stay(tmp_path):
    """Of a process that is alive here, of another machine a moment ago, and hidden files of other kinds."""
    here = files._HERE
    stay = [f".{os.getppid()}@{here}.a.csv", ".4194304@elsewhere.a.csv", ".lock", ".1.a.csv"]
    for name in [*stay, ".4194305@elsewhere.a.csv", f".4194304@{here}.a.csv"]:  # beyond Linux's largest number
        (tmp_path / name).write_text("x")
    old = time.time() - 2 * 86400
    os.utime(tmp_path / ".4194305@elsewhere.a.csv", (old, old))
    write_text(tmp_path / "a.csv", "whole")
    assert {path.name for path in tmp_path.iterdir()} == {*stay, "a.csv"}


# A full disk --------------------------------------------------------------------------------------------------


@pytest.fixture
def small_files():
    """No file may be longer than 100 kB, which libraries meet like a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def write_hdf5(path):
    with h5py.File(path, "w") as file:
        file["x"] = np.random.default_rng(1).random(100_000)


@pytest.mark.parametrize("write", [
    lambda path: path.write_bytes(bytes(1_000_000)),
    lambda path: np.zeros(100_000).tofile(path),
    lambda path: pd.DataFrame({"x": np.random.default_rng(1).random(100_000)}).to_parquet(path),
    write_hdf5,
], ids=["bytes", "numpy", "parquet", "hdf5"])  # fmt: skip
@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # libraries complain once more on closing
def test_full_disk_is_one_clear_line(small_files, tmp_path, write):
    path = tmp_path / "a.bin"
    path.write_text("old")
    with pytest.raises(GalclassError, match=r"a\.bin: no space left for it \(.* MB are free .* same command") as caught:
        with atomic(path) as temporary:
            write(temporary)
    assert "\n" not in str(caught.value)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


# Finished pieces ----------------------------------------------------------------------------------------------


class Killed(BaseException):
    """Stands for the end of the process."""


def test_pieces_count_only_for_the_very_same_work(tmp_path):
    def found_when_killed(seed: int) -> bool:
        with pytest.raises(Killed), pieces(tmp_path / "network", {"seed": seed}) as place:
            found = place("a").is_file()
            write_text(place("a"), "x")
            raise Killed
        return found

    assert [found_when_killed(seed) for seed in (1, 1, 2, 1)] == [False, True, False, False]
    with pieces(tmp_path / "network", {"seed": 1}) as place:
        assert place("a").is_file()
    assert list(tmp_path.iterdir()) == []


def test_pieces_of_work_that_failed_at_once_leave_nothing(tmp_path):
    with pytest.raises(InputError), pieces(tmp_path / "network", {}):
        raise InputError("diverged")
    assert list(tmp_path.iterdir()) == []


def test_one_at_a_time(tmp_path, capsys):
    """Without waiting, eight writers of the same file would read what others have written."""

    def write_digits(_) -> str:
        path = tmp_path / "digits"
        with alone(tmp_path / "lock"):
            path.write_text("")
            for digit in "0123456789":
                with open(path, "a") as stream:
                    stream.write(digit)
                time.sleep(0.001)
            return path.read_text()

    with ThreadPoolExecutor(8) as aside:  # locks are of open files, so that threads exclude each other as processes do
        assert list(aside.map(write_digits, range(80))) == ["0123456789"] * 80
    assert "another process is at work here" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["digits"]


def test_network_is_kept_to_the_last_bit(tmp_path):
    model = fitting._with_weights([w + 1e-7 for w in fitting._in_bfloat16().get_weights()])
    history = pd.DataFrame({"epoch": [1, 2], "loss": [1 / 3, 0.1]})
    assert fitting.read_member(tmp_path / "a.npz") is None
    fitting.write_member(tmp_path / "a.npz", model, history)
    again, rows = fitting.read_member(tmp_path / "a.npz")
    assert all(np.array_equal(*pair) for pair in zip(again.get_weights(), model.get_weights(), strict=True))
    pd.testing.assert_frame_equal(rows, history, check_exact=True)


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_damaged_network_counts_as_missing(tmp_path, damage):
    model, path = fitting._in_bfloat16(), tmp_path / "a.npz"
    fitting.write_member(path, model, pd.DataFrame({"epoch": [1]}))
    whole = bytearray(path.read_bytes())
    whole[1000] ^= 1
    path.write_bytes({"cut": whole[:5000], "flipped": whole, "empty": b""}[damage])
    assert fitting.read_member(path) is None


@pytest.mark.slow
def test_killed_training_goes_on_after_the_last_network(tmp_path, monkeypatch):
    """Of two members and the control; every file has the same bytes as that of a training nobody disturbed."""
    labels = ["rectangle", "oval", "none", "oval", "obround"] * 4
    packs, tables = zip(*(write_run(tmp_path, f"run_{k}", labels) for k in range(5)), strict=True)
    fit, fitted, alive = fitting.fit_member, [], [True, True, False, True]

    def dying(*arguments):
        if not alive.pop(0):
            raise Killed
        fitted.append(arguments)
        return fit(*arguments)

    train.run(packs, tables, SETTINGS, tmp_path / "undisturbed", {})
    monkeypatch.setattr(fitting, "fit_member", dying)
    with pytest.raises(Killed):
        train.run(packs, tables, SETTINGS, tmp_path / "killed", {})
    train.run(packs, tables, SETTINGS, tmp_path / "killed", {})
    assert len(fitted) == 3
    for path in (tmp_path / "undisturbed").iterdir():
        assert (tmp_path / "killed" / path.name).read_bytes() == path.read_bytes(), path.name
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


# Workers ------------------------------------------------------------------------------------------------------


def test_workers_end_with_the_process_that_started_them():
    """Else they would wait for work for ever, and whoever reads what the killed command prints would wait, too."""
    code = """
        from galclass.parallel import workers
        with workers(2) as share_out:
            print(sum(share_out(abs, [1, 2, 3])), flush=True)
            input()
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)  # fmt: skip
    assert process.stdout.readline() == b"6\n"
    process.kill()
    assert process.stdout.read() == b""  # the end comes when nobody is left who could write
    process.wait()
    process.stdin.close()
    process.stdout.close()


def die(_):
    os.kill(os.getpid(), signal.SIGKILL)


def test_killed_worker_is_one_clear_line():
    with pytest.raises(GalclassError, match="a worker process was killed .* same command"), workers(2) as share_out:
        list(share_out(die, [1]))
