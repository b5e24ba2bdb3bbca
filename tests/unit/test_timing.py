"""What the log of a workflow says of a command: what began, and what it took."""

import re
import subprocess
import sys

import pytest

from galclass.cli import timing


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("render results/simulate/mergers/box --run box -o results/render/mergers/box.h5 -c c.yaml", "render box"),
        ("render folder --film --run box -o results/render/film/box.h5", "render_film box"),
        ("render results/simulate/shapes --shapes -o results/render/shapes.h5", "render_shapes shapes"),
        ("simulate merger a.dat --program p --threads 2 -o results/simulate/mergers/oval", "simulate_merger oval"),
        ("initial box -o results/initial/box.dat", "initial box"),
        ("classify results/render/mergers/box.h5 --network n -o results/classify", "classify box"),
        ("verify results/render/mergers -o results/verify/candidates.parquet", "verify candidates"),
        ("report results -o results/report/index.html", "report index"),
        ("train a.h5 --thesis oval-rectangle -o results/train/thesis/oval-rectangle", "train_thesis oval-rectangle"),
        ("reference -o results/reference -c results/config.yaml", "reference"),
        ("doctor", "doctor"),
        ("--help", "galclass"),
    ],
)
def test_a_command_is_named_as_its_rule(command, name):
    assert timing.name_of(command.split()) == name


def lines(arguments, wanted):
    program = "import os, sys; " + (f"os.environ['{timing.VARIABLE}'] = '1'; " if wanted else "")
    program += f"sys.argv = ['galclass', *{arguments}]; import galclass.cli; galclass.cli.main()"
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stderr.splitlines()


def test_a_command_says_what_it_took():
    first, last = lines(["check", "config/tiny.yaml"], True)
    assert re.fullmatch(r"started: check tiny \(process \d+ on \S+\)", first)
    took = re.fullmatch(r"took: check tiny (\d+\.\d) s, (\d+\.\d) core s, (\d+) MB", last)
    assert took
    seconds, core_seconds, megabytes = map(float, took.groups())
    assert seconds > 0 and core_seconds > 0
    assert 20 < megabytes < 4000  # a Python with a YAML reader, in MB and in nothing else


def test_a_command_that_fails_took_nothing():
    first, last = lines(["check", "no_such.yaml"], True)
    assert first.startswith("started: check no_such (process ")
    assert last.startswith("galclass: no_such.yaml: no such file")


def test_nothing_is_said_to_a_person():
    assert lines(["check", "config/tiny.yaml"], False) == []
