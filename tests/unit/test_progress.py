"""Progress: everything passes through, lines are rare, and the time left is right."""

import io

import numpy as np
import pytest

from galclass.progress import progress


class Clock:
    """A clock that goes on by a fixed step each time it is read."""

    def __init__(self, step):
        self.now, self.step = 0.0, step

    def __call__(self):
        self.now += self.step
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


def lines_of(total, step, stream=None):
    stream = stream or io.StringIO()
    assert list(progress(range(total), total, "render", stream, Clock(step))) == list(range(total))
    return stream.getvalue()


def test_short_work_says_nothing():
    assert lines_of(10, 0.1) == ""


def test_nothing_to_do_says_nothing():
    assert lines_of(0, 10.0) == ""
    assert lines_of(0, 10.0, Terminal()) == ""


def test_the_first_log_line_comes_after_five_seconds():
    text = lines_of(60, 1.0)
    assert text.startswith("render: 5/60 (8 %), 0:55 left\n")
    assert "\r" not in text


def test_log_lines_come_ever_more_rarely():
    """By a clock of one second an item: pauses of 5 s, then of a quarter of the time gone, five minutes at most."""
    items = [int(line.split("/")[0].removeprefix("render: ")) for line in lines_of(36000, 1.0).splitlines()]
    pauses = np.diff([0, *items])
    assert (pauses[:4] == 5).all() and (pauses[-20:] == 300).all()
    assert (np.diff(pauses) >= 0).all()
    # ten hours: 120 lines of five minutes and the fewer ones before
    assert len(items) < 140


def test_terminal_rewrites_one_line_and_ends_it():
    text = lines_of(60, 1.0, Terminal())
    assert text.count("\n") == 1
    assert text.count("\r") == 60
    assert "render: 59/60 (98 %), 0:01 left" in text
    assert text.rstrip().endswith("render: 60/60 in 1:01")


@pytest.mark.parametrize(("step", "left"), [(1.0, "0:05"), (60.0, "9:00"), (3600.0, "9:00:00")])
def test_time_left_in_hours_minutes_seconds(step, left):
    assert f"{left} left" in lines_of(10, step).splitlines()[0]


def test_an_error_in_the_work_passes_through():
    with pytest.raises(ZeroDivisionError):
        for item in progress([1, 0], 2, "divide", io.StringIO()):
            _ = 1 / item


def test_standard_error_is_the_default(capsys):
    list(progress(range(3), 3, "label", clock=Clock(10.0)))
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.startswith("label: 1/3 (33 %)")
