"""Snapshots scored as they land: partial files, overwritten ones, restarts, alerts, signals."""

import contextlib
import hashlib
import os
import signal
import time
from dataclasses import replace

import pandas as pd
import pytest

from galclass import screen, snapshot
from galclass.errors import InputError
from tests.unit.test_render import stars
from tests.unit.test_screen import brick, net, reference, settings  # noqa: F401


@pytest.fixture
def ready(settings, net, reference):  # noqa: F811
    """Ready to score, with all views measured; the stand-in for a network calls round ones boxes."""
    return screen.prepared(settings | {"screen": settings["screen"] | {"views": 16, "measured": 16}}, net, reference)


@pytest.fixture
def landing(tmp_path):
    place = tmp_path / "landing"
    place.mkdir()
    return place


class Events:
    """Stands in for waiting: between two looks at the folder the next thing happens."""

    def __init__(self, *events):
        self.events = list(events)

    def __call__(self, seconds):
        if self.events:
            self.events.pop(0)()


def nothing():
    pass


def rows(output, name="watched"):
    return pd.read_csv(output / f"{name}.csv", keep_default_na=False, dtype=str)


def test_what_lands_is_scored_and_a_box_is_an_alert(landing, ready, tmp_path):
    said, output = [], tmp_path / "out"
    events = Events(
        lambda: snapshot.write(landing / "snap_000.dat", replace(stars(), time=1.0)),
        nothing,
        lambda: snapshot.write(landing / "snap_001.dat", brick()),
        *[nothing] * 3,
        lambda: os.kill(os.getpid(), signal.SIGTERM),
    )
    assert screen.watch(landing, ready, output, say=said.append, rest=events) == 0
    assert [line.split(":")[0] for line in said] == ["snap_000.dat", "ALERT snap_001.dat"]
    assert said[0].startswith("snap_000.dat: 0.98 Gyr, 16 frames, ")
    watched, alerts = rows(output), rows(output, "alerts")
    assert list(watched["alert"]) == ["no", "yes"]
    assert list(alerts["file"]) == [str(landing / "snap_001.dat")]
    [alert] = alerts.to_dict("records")
    assert alert["measured_label"] == "rectangle"
    assert float(alert["b4"]) < -0.04  # the limit of rectangles
    assert float(alert["p_rectangle"]) >= 0.5


def test_a_box_that_the_network_does_not_believe_in_is_no_alert(landing, ready, tmp_path):
    snapshot.write(landing / "snap_001.dat", brick())
    careful = replace(ready, camera=replace(ready.camera, settings=ready.camera.settings | {"alert_p": 1.0}))
    screen.watch(landing, careful, tmp_path / "out", until_idle_s=0, say=nothing_said, rest=Events())
    assert list(rows(tmp_path / "out")["alert"]) == ["no"]
    assert rows(tmp_path / "out", "alerts").empty


def nothing_said(line):
    pass


def test_a_file_is_left_alone_while_it_grows_and_tried_again_when_it_was_short(landing, ready, tmp_path):
    snapshot.write(tmp_path / "whole", stars())
    content, target, said = (tmp_path / "whole").read_bytes(), landing / "snap_000.dat", []
    grow = [lambda size=size: target.write_bytes(content[:size]) for size in (10_000, 20_000, 30_000)]
    events = Events(*grow, nothing, nothing, lambda: target.write_bytes(content), nothing, nothing,
                    lambda: os.kill(os.getpid(), signal.SIGINT))  # fmt: skip
    assert screen.watch(landing, ready, tmp_path / "out", say=said.append, rest=events) == 0
    assert len(said) == 2
    assert "cut short" in said[0]
    assert said[1].startswith("snap_000.dat: 0.49 Gyr")
    assert list(rows(tmp_path / "out")["error"]) == [""]


def test_a_broken_file_is_named_once_and_counted(landing, ready, tmp_path):
    (landing / "snap_000.dat").write_bytes(b"no snapshot at all")
    snapshot.write(landing / "snap_001.dat", stars())
    said = []
    assert screen.watch(landing, ready, tmp_path / "out", 0, said.append, Events()) == 1
    assert said[0].startswith("snap_000.dat: not usable: ")
    assert len(said) == 2


def test_a_restart_says_nothing_twice_but_what_was_overwritten(landing, ready, tmp_path):
    said, output = [], tmp_path / "out"
    snapshot.write(landing / "snap_000.dat", brick())
    snapshot.write(landing / "snap_001.dat", stars())
    screen.watch(landing, ready, output, 0, said.append, Events())
    before = {name: (output / name).read_bytes() for name in ("alerts.csv", "watched.csv")}
    assert [line.startswith("ALERT") for line in said] == [True, False]
    os.utime(landing / "snap_000.dat")  # copied there again: the same bytes
    screen.watch(landing, ready, output, 0, said.append, Events())
    assert len(said) == 2
    assert {name: (output / name).read_bytes() for name in before} == before
    snapshot.write(landing / "snap_000.dat", replace(stars(seed=5), time=2.0))
    screen.watch(landing, ready, output, 0, said.append, Events())
    assert len(said) == 3
    assert list(rows(output)["alert"]) == ["no", "no"]
    assert (output / "alerts.csv").read_bytes() == before["alerts.csv"]  # what was seen then was seen


def test_a_file_overwritten_while_watching_is_scored_again(landing, ready, tmp_path):
    said = []
    snapshot.write(landing / "snap_000.dat", stars())
    events = Events(nothing, nothing, lambda: snapshot.write(landing / "snap_000.dat", brick()), nothing, nothing,
                    lambda: os.kill(os.getpid(), signal.SIGTERM))  # fmt: skip
    screen.watch(landing, ready, tmp_path / "out", say=said.append, rest=events)
    assert [line.startswith("ALERT") for line in said] == [False, True]


def test_signals_do_again_what_they_did(landing, ready, tmp_path):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    screen.watch(landing, ready, tmp_path / "out", 0, nothing_said, Events())
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_no_folder_and_a_strange_table_are_errors(landing, ready, tmp_path):
    with pytest.raises(InputError, match="nowhere: no such folder"):
        screen.watch(tmp_path / "nowhere", ready, tmp_path / "out", 0)
    (landing / "alerts.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="alerts.csv: not a table of"):
        screen.watch(landing, ready, landing, 0)


def test_other_settings_score_again_and_the_same_do_not(landing, ready, tmp_path):
    snapshot.write(landing / "snap_000.dat", stars())
    said, output = [], tmp_path / "out"
    for screened in (ready, ready, replace(ready, record=ready.record | {"seed": 7})):
        screen.watch(landing, screened, output, 0, said.append, Events())
    assert len(said) == 2
    [row] = rows(output).to_dict("records")
    assert row["sha256"] == hashlib.sha256((landing / "snap_000.dat").read_bytes()).hexdigest()


def test_who_watches_second_waits(landing, ready, tmp_path, monkeypatch):
    """One table is never written by two."""
    busy = []

    @contextlib.contextmanager
    def recorded(lock):
        busy.append(lock)
        yield

    monkeypatch.setattr(screen.watching, "alone", recorded)
    screen.watch(landing, ready, tmp_path / "out", 0, nothing_said, Events())
    assert busy == [tmp_path / "out" / ".watched.lock"]


def test_what_hides_a_folder_is_said_once(landing, ready, tmp_path, monkeypatch):
    def failing(paths):
        raise OSError(40, "Too many levels of symbolic links", "landing/loop")

    monkeypatch.setattr(snapshot, "find", failing)
    said = []
    screen.watch(landing, ready, tmp_path / "out", 0.05, said.append, time.sleep)
    assert said == ["[Errno 40] Too many levels of symbolic links: 'landing/loop'"]
