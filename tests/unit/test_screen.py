"""Somebody else's snapshots: from file to ranked table, what is wrong with them named, the same bytes after a kill."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from galclass import catalog, config, images, network, rates, render, screen, snapshot, trace, verify
from galclass.errors import InputError
from galclass.report import screening as page
from galclass.screen import galaxies, scoring, tables
from tests.unit.test_network_unrolling import galaxy
from tests.unit.test_render import SETTINGS as RENDER
from tests.unit.test_render import pair, stars

LIMIT = np.cos(np.deg2rad(60.0))


class Rounder:
    """Stands in for a network: what is rounder than `LIMIT` is a rectangle."""

    classes, layer = ["oval", "rectangle"], "flux"

    def check(self, pixels, depth_dex, path):
        assert pixels == (RENDER["pixels"], RENDER["pixels"])

    def inputs(self, pictures):
        return pictures

    def file_inputs(self, path):
        return images.resampled(images.read_picture(path)[0], RENDER["pixels"])

    def embedding(self, inputs):
        """Its coarse brightness."""
        side = RENDER["pixels"] // 4
        rows = np.asarray(inputs).reshape(-1, side, 4, side, 4).mean(axis=(2, 4)).reshape(-1, side**2)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def answer(self, inputs, batch_size):
        p = 1.0 / (1.0 + np.exp(-50.0 * (network.galaxy_ellipses(inputs).axis_ratio - LIMIT)))
        return network.Predictions(self.classes, np.stack([1.0 - p, p], axis=1))


def brick(count=20_000, exponent=4.0, seed=1):
    """A thin exponential disc with superelliptic isophotes of axis ratio 0.85: boxy from above."""
    rng = np.random.default_rng(seed)
    angle, radius = rng.uniform(0.0, 2.0 * np.pi, count), rng.gamma(2.0, 1.0, count)
    c, s = np.cos(angle), np.sin(angle)
    edge = (np.abs(c) ** exponent + np.abs(s) ** exponent) ** (-1.0 / exponent)
    # As many stars in each sector as its area has.
    keep = rng.uniform(0.0, edge.max() ** 2, count) < edge**2
    places = np.stack([radius * edge * c, 0.85 * radius * edge * s, rng.normal(0.0, 0.05, count)], axis=1)[keep]
    number = len(places)
    return snapshot.Snapshot(places, np.zeros((number, 3)), np.full(number, 1e-5), np.arange(1, number + 1),
                             np.full(number, 2, np.int8), 0.6)  # fmt: skip


@pytest.fixture
def settings():
    whole = config.load()
    small = {"views": 8, "measured": 2, "candidates": 1, "ovals": 1, "fewest_stars": 200, "poll_s": 0.01}
    return whole | {"render": RENDER, "screen": whole["screen"] | small}


@pytest.fixture
def reference(tmp_path):
    images.write_png(tmp_path / "reference.png", galaxy(0.6, 3.0, 0.0))
    return tmp_path / "reference.png"


@pytest.fixture
def net(tmp_path, monkeypatch):
    """A folder for a network, whose answers are those of `Rounder`; it has no held-out predictions."""
    monkeypatch.setattr(scoring.network, "open_classifier", lambda folder: Rounder())
    place = tmp_path / "network"
    place.mkdir()
    (place / network.CARD_FILE).write_text("{}")
    return place


def heldout():
    """Predictions of a network that is right but for one oval in ten."""
    rows = [{"run": f"run_{run}", "snapshot": "a", "label": label, "p_oval": float(called == "oval"),
             "p_rectangle": float(called == "rectangle")}
            for run in range(8) for label in ("oval", "rectangle") for number in range(50)
            for called in ["rectangle" if number % 10 == 0 else label]]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.fixture
def folder(tmp_path):
    """Three snapshots and a broken one."""
    place = tmp_path / "theirs"
    place.mkdir()
    for number, scene in enumerate([stars(seed=1), pair(40.0), brick()]):
        snapshot.write(place / f"snap_{number:03}.dat", replace(scene, time=0.1 * (3 - number)))
    (place / "snap_003.dat").write_bytes((place / "snap_002.dat").read_bytes()[:30_000])
    return place


def digests(output):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(output.iterdir())
            if path.is_file()}  # fmt: skip


# Galaxies ---------------------------------------------------------------------------------------------------


def test_a_galaxy_alone_keeps_all_its_stars():
    everything = stars(flat=0.4)
    [one] = galaxies.found(everything, most=3, fewest=200)
    assert one.stars is everything
    assert (one.others, np.isnan(one.nearest_kpc)) == (0, True)
    # An exponential disc has its effective radius at 1.68 scale lengths, seen along three axes at two thirds of that.
    assert 1.0 < one.r_eff < 1.9
    # The densest hundredth, at least 50 stars, lies within a fifth of the scale length about the middle.
    assert np.linalg.norm(one.centre) < 0.2


def test_a_pair_is_two_galaxies_the_heavier_first():
    light, heavy = stars(600, at=(30.0, 5.0, 0.0), seed=1), stars(1500, at=(0.0, -20.0, 3.0), seed=2)
    first, second = galaxies.found(snapshot.join([light, heavy]), most=3, fewest=200)
    # Every star but a few of the outermost tails is given back to the galaxy it was drawn in.
    assert len(first.stars) == pytest.approx(1500, abs=15)
    assert len(second.stars) == pytest.approx(600, abs=15)
    assert first.centre == pytest.approx([0.0, -20.0, 3.0], abs=0.3)
    assert second.centre == pytest.approx([30.0, 5.0, 0.0], abs=0.3)
    assert first.nearest_kpc == pytest.approx(np.hypot(np.hypot(30, 25), 3), abs=0.6)
    assert [one.others for one in (first, second)] == [1, 1]


def test_as_many_as_wanted_are_given_and_small_ones_are_part_of_the_first():
    three = snapshot.join([stars(1500, seed=1), stars(900, at=(40, 0, 0), seed=2), stars(700, at=(0, 40, 0), seed=3)])
    assert [len(one.stars) > 800 for one in galaxies.found(three, most=2, fewest=200)] == [True, True]
    satellite = snapshot.join([stars(3000, seed=1), stars(150, at=(25.0, 0.0, 0.0), seed=2, scale=0.3)])
    [one] = galaxies.found(satellite, most=3, fewest=100)
    assert len(one.stars) == 3150


def test_a_whole_volume_is_parted():
    """A hundred galaxies at random places: the first is one of them, with its own stars."""
    rng = np.random.default_rng(3)
    places = 1000.0 * rng.uniform(size=(100, 3))
    volume = snapshot.join([stars(400 + 300 * (k == 7), at=place, seed=k) for k, place in enumerate(places)])
    [one] = galaxies.found(volume, most=1, fewest=200)
    assert one.centre == pytest.approx(places[7], abs=1.0)
    assert len(one.stars) == pytest.approx(700, abs=10)


def test_a_galaxy_that_the_boundary_cuts_is_one_again(tmp_path):
    whole = stars(at=(50.0, 50.0, 50.0))
    cut = replace(whole, positions=(whole.positions + [50.0, 0.0, 48.0]) % 100.0, box_kpc=(100.0, 100.0, 100.0))
    together = galaxies.unwrapped(cut)
    [one] = galaxies.found(together, most=3, fewest=200)
    shift = together.positions - whole.positions - [50.0, 0.0, 48.0]
    # All stars moved by the same whole number of boxes; adding 50 kpc and taking it away costs the last digits.
    assert np.ptp(shift, axis=0) == pytest.approx(0.0, abs=1e-9)
    assert one.others == 0
    assert galaxies.unwrapped(whole) is whole


def test_dark_types_shine_as_discs_when_they_are_said_to_be_stars(tmp_path):
    snapshot.write(tmp_path / "snap_000.dat", stars(kind=1))
    assert set(galaxies.read_stars(tmp_path / "snap_000.dat", [1], None).types) == {2}
    with pytest.raises(InputError, match="snap_000.dat.*type 2, 3, 4"):
        galaxies.read_stars(tmp_path / "snap_000.dat", [], None)


# One snapshot -----------------------------------------------------------------------------------------------


def test_our_own_snapshot_gets_the_answers_of_the_flow(folder, net, reference, settings):
    """The same views through the same telescope: what screen says is what the stages say one after the other."""
    ready = screen.prepared(settings, net, reference)
    one = screen.answered(folder / "snap_000.dat", screen.pictured((folder / "snap_000.dat", ready.camera)), ready)
    frames = render.galaxy(folder / "snap_000.dat", "screen", ready.camera.observatory, snapshot.STAR_TYPES)
    theirs = Rounder().answer(frames.exposures.flux.astype(np.float32), 200).table()
    assert len(one.table) == 8
    for name in ("view_x", "view_y", "view_z", "roll_deg", "pixel_kpc", "effective_radius_kpc"):
        assert (one.table[name] == frames.table[name]).all()
    assert (one.table["p_rectangle"] == theirs["p_rectangle"]).all()
    assert one.summary["rectangle_fraction"] == (theirs["class"] == "rectangle").mean()
    assert one.flux == pytest.approx(frames.exposures.flux[one.summary["best_frame"]])


def test_units_given_make_the_same_galaxy(tmp_path, folder, net, reference, settings):
    whole = stars(seed=1)
    snapshot.write(tmp_path / "snap_000.dat", replace(whole, positions=whole.positions / 1000.0, time=0.0003))
    mpc = settings | {"screen": settings["screen"] | {"unit_length_kpc": 1000.0}}
    [said], _ = screen.run([tmp_path / "snap_000.dat"], net, reference, mpc)
    [ours], _ = screen.run([folder / "snap_000.dat"], net, reference, settings)
    # Positions are stored in single precision, in which a thousandth is not exact.
    assert said["best"]["effective_radius_kpc"] == pytest.approx(ours["best"]["effective_radius_kpc"], rel=1e-5)
    assert said["rectangle_fraction"] == ours["rectangle_fraction"]
    assert said["time"] == pytest.approx(ours["time"], rel=1e-6)


def rows(p, galaxies=1, label="rectangle"):
    p = np.asarray(p, float)
    return pd.DataFrame({"snapshot": "a", "time_gyr": 1.0, "galaxy": 1, "galaxies": galaxies, "p_oval": 1.0 - p,
                         "p_rectangle": p, "class": np.where(p > 0.5, "rectangle", "oval"), "domain_distance": 0.1,
                         "measured_label": label})  # fmt: skip


def test_the_share_is_that_called_so_and_lies_in_its_interval():
    found = screen.summary_of(rows([0.9] * 3 + [0.1] * 17), None)
    assert (found["frames"], found["rectangle_fraction"]) == (20, 0.15)
    # Wilson's interval of 3 in 20, from the formula (Wilson 1927).
    assert (found["low"], found["high"]) == pytest.approx((0.0524, 0.3604), abs=1e-4)
    assert np.isnan(found["corrected_fraction"])


def test_mistakes_of_the_classifier_are_taken_out_of_the_share():
    found = screen.summary_of(rows([0.9] * 2 + [0.1] * 18), heldout())
    # A tenth are called so, and a tenth of ovals are by mistake: none may be true.
    assert found["corrected_fraction"] == pytest.approx(0.0, abs=1e-12)
    assert found["low"] == 0.0
    assert found["rectangle_fraction"] == 0.1
    assert found["low"] <= found["rectangle_fraction"] <= found["high"]
    assert found["high"] == max(rates.estimate(rows([0.9] * 2 + [0.1] * 18).assign(run="a"), heldout()).high, 0.1)


def test_an_interval_that_says_nothing_is_no_number():
    assert page.interval({"low": 0.0, "high": 1.0}) == "not known"
    assert page.interval({"low": 0.0, "high": 0.25}) == "0.0 to 25.0 %"


def test_files_of_one_name_have_their_folder_in_the_title():
    assert page.titles(pd.Series(["a/snap.dat", "b/snap.dat", "b/other.dat"])) == [
        "a/snap.dat",
        "b/snap.dat",
        "other.dat",
    ]


def test_what_the_classifier_misses_is_added_and_the_interval_holds_the_share_called_so():
    """It finds half of the rectangles: where half are called so, all may be."""
    misses = heldout()
    missed = (misses["label"] == "rectangle") & (np.arange(len(misses)) % 2 == 0)
    misses.loc[missed, ["p_oval", "p_rectangle"]] = 1.0, 0.0
    table = rows([0.9] * 50 + [0.1] * 50)
    assert rates.estimate(table.assign(run="a"), misses).low > 0.5
    found = screen.summary_of(table, misses)
    assert (found["low"], found["rectangle_fraction"], found["corrected_fraction"]) == (0.5, 0.5, pytest.approx(1.0))


def test_two_galaxies_in_one_picture_are_no_rectangle():
    found = screen.summary_of(rows([0.9] * 10, galaxies=2), None)
    assert (found["rectangle_fraction"], found["agrees"]) == (0.0, False)


def test_the_best_frame_is_one_that_the_ruler_confirms():
    table = rows([0.7, 0.95, 0.9], label=["oval", "oval", "rectangle"])
    assert screen.summary_of(table, None)["best_frame"] == 2
    assert screen.summary_of(table, None)["agrees"]
    unconfirmed = table.assign(measured_label="oval")
    assert screen.summary_of(unconfirmed, None)["best_frame"] == 1
    assert not screen.summary_of(unconfirmed, None)["agrees"]


def test_pictures_unlike_the_training_ones_are_marked():
    assert screen.summary_of(rows([0.2] * 4), None)["flags"] == ""
    far = rows([0.2] * 4).assign(domain_distance=[0.1, 2.0, 3.0, 0.2])
    assert screen.summary_of(far, None)["flags"] == "50 % of the frames unlike the training pictures"


# Many -------------------------------------------------------------------------------------------------------


def test_a_mix_is_scored_what_is_broken_is_named(folder, net, reference, settings, tmp_path):
    output = tmp_path / "out"
    answers, table = screen.run([tmp_path / "nowhere.dat", folder], net, reference, settings, output)
    names = [str(tmp_path / "nowhere.dat"), *(f"{folder}/snap_00{k}.dat" for k in range(4))]
    assert [answer["file"] for answer in answers] == names
    assert ["error" in answer for answer in answers] == [True, False, False, False, True]
    assert "no such file" in answers[0]["error"]
    assert "cut short" in answers[4]["error"]
    assert json.loads(json.dumps(answers)) == answers
    first = answers[1]
    assert (first["frames"], first["time"]) == (8, pytest.approx(0.3 * 0.9778, rel=1e-3))
    assert first["interval"][0] <= first["rectangle_fraction"] <= first["interval"][1]
    assert np.linalg.norm(first["best"]["view"]) == pytest.approx(1.0)
    assert answers[2]["flags"][0].startswith("2 galaxies, the nearest two 40 kpc apart")
    read = catalog.read_table(output / "snapshots.parquet")
    assert list(read["file"]) == list(table["file"])
    assert list(read["rank"].dropna()) == [1, 2, 3]
    assert list(read["error"] != "") == [False, False, False, True, True]
    frames = catalog.read_table(output / "frames.parquet")
    assert list(frames.groupby("file", sort=False).size()) == [8, 8, 8]
    pack = images.read_pack(output / "best.h5")
    best = read.iloc[0]
    assert pack.frames["view_x"][0] == frames.loc[
        (frames["file"] == best["file"]) & (frames["frame"] == best["best_frame"]), "view_x"].item()  # fmt: skip
    assert set(catalog.read_provenance(output / "snapshots.parquet")["inputs"]) >= set(names[1:4])


def scored(name, agrees, p):
    """A snapshot of one frame."""
    table = rows([p], label="rectangle" if agrees else "oval").assign(
        **{column: 0.0 for column in tables._BEST if column not in rows([p])})  # fmt: skip
    return screen.Scored(Path(name), table, screen.summary_of(table, None))


def test_a_rectangle_to_both_comes_first_then_likeness_then_probability():
    some = [scored("a", False, 0.6), scored("b", True, 0.7), scored("c", False, 0.9), scored("d", False, 0.8)]
    some.insert(1, screen.Scored(Path("broken"), error="cut short"))
    compared = pd.DataFrame({"combined": [90.0, 10.0, 50.0]}, index=[0, 2, 3])
    table = tables.ranked(some, compared)
    assert list(table["file"]) == ["b", "a", "c", "d", "broken"]
    assert list(table["rank"][:4]) == [1, 2, 3, 4]
    assert table["rank"].isna().to_list() == [False] * 4 + [True]


def test_boxes_come_before_discs_and_only_candidates_are_compared(folder, net, reference, settings):
    settings = settings | {"screen": settings["screen"] | {"measured": 8, "candidates": 2, "ovals": 3}}
    _, table = screen.run([folder / "snap_000.dat", folder / "snap_002.dat"], net, reference, settings)
    assert list(table["snapshot"]) == ["snap_002", "snap_000"]
    assert list(table["agrees"]) == [True, False]
    assert table["combined"].between(0, 100).all()
    one = settings | {"screen": settings["screen"] | {"candidates": 1, "ovals": 0}}
    _, table = screen.run([folder / "snap_000.dat", folder / "snap_002.dat"], net, reference, one)
    assert list(table["combined"].notna()) == [True, False]
    assert table["p_chance"].isna().all()


def test_killed_and_started_again_nothing_is_scored_twice(folder, net, reference, settings, tmp_path, monkeypatch):
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    screen.run([folder], net, reference, settings, whole)
    scored, answered = [], scoring.answered

    def killed(file, seen, ready):
        if len(scored) == 2:
            raise KeyboardInterrupt
        scored.append(file.name)
        return answered(file, seen, ready)

    monkeypatch.setattr(scoring, "answered", killed)
    with pytest.raises(KeyboardInterrupt):
        screen.run([folder], net, reference, settings, resumed)
    assert not (resumed / "snapshots.parquet").exists()
    kept = sorted((resumed / ".snapshots.pieces").rglob("*.npz"))
    kept[0].write_bytes(kept[0].read_bytes()[:-40])  # torn by a full disk
    monkeypatch.setattr(scoring, "answered", lambda *job: scored.append(job[0].name) or answered(*job))
    screen.run([folder], net, reference, settings, resumed)
    assert len(scored) == 5  # two, then the torn one, the third, and the broken one
    assert digests(resumed) == digests(whole)


def test_what_was_scored_outlives_broken_snapshots_and_nothing_else(folder, net, reference, settings, tmp_path):
    output = tmp_path / "out"

    def finished():
        return {path: path.stat().st_mtime_ns for path in output.glob(".snapshots.pieces/*/*.npz")}

    screen.run([folder], net, reference, settings, output)
    first = finished()
    assert len(first) == 3
    screen.run([folder], net, reference, settings | {"screen": settings["screen"] | {"candidates": 7}}, output)
    assert finished() == first
    screen.run([folder], net, reference, settings | {"screen": settings["screen"] | {"views": 9}}, output)
    assert len(finished()) == 3 and not set(finished()) & set(first)
    (folder / "snap_003.dat").unlink()
    screen.run([folder], net, reference, settings, output)
    assert not (output / ".snapshots.pieces").exists()


def test_many_files_are_shared_out_with_the_same_result(folder, net, reference, settings, tmp_path, monkeypatch):
    for number in range(4, 6):
        snapshot.write(folder / f"snap_{number:03}.dat", stars(600, seed=number))
    settings = settings | {"screen": settings["screen"] | {"candidates": 0}}
    alone, _ = screen.run([folder], net, reference, settings)
    monkeypatch.setattr(screen, "_FEW", 100)
    together, _ = screen.run([folder], net, reference, settings)
    assert alone == together


def test_a_network_that_knows_no_rectangles_is_refused(net, reference, settings, monkeypatch):
    monkeypatch.setattr(Rounder, "classes", ["cat", "dog"])
    with pytest.raises(InputError, match="no class rectangle among cat, dog; give a network that has it"):
        screen.prepared(settings, net, reference)


def test_nothing_given_is_an_error(net, reference, settings):
    with pytest.raises(InputError, match="no snapshot given"):
        screen.run([], net, reference, settings)


# Page -------------------------------------------------------------------------------------------------------


def test_the_page_holds_everything(folder, net, reference, settings, tmp_path):
    output = tmp_path / "out"
    screen.run([folder], net, reference, settings, output)
    page.run(output)
    text = (output / "index.html").read_text()
    assert all(f"snap_00{k}.dat" in text for k in range(4))
    assert "cut short" in text
    assert text.count("data:image/png;base64,") == 1 + 2 * 3  # the curve, and two pictures of each snapshot
    assert "http://" not in text and "https://" not in text
    before = digests(output)
    page.run(output)
    assert digests(output) == before


def test_where_nothing_can_be_used_earlier_results_stay(folder, net, reference, settings, tmp_path):
    output = tmp_path / "out"
    screen.run([folder], net, reference, settings, output)
    page.run(output)
    before = digests(output)
    answers, table = screen.run([folder / "snap_003.dat"], net, reference, settings, output)
    assert "error" in answers[0]
    assert "FAILED" in tables.lines(table)[1]
    assert digests(output) == before


def test_one_time_is_no_curve(folder, net, reference, settings, tmp_path):
    output = tmp_path / "out"
    for files, drawn in (
        ([folder / "snap_000.dat", folder / "snap_001.dat"], True),
        ([folder / "snap_000.dat"], False),
    ):
        screen.run(files, net, reference, settings, output)
        page.run(output)
        assert (output / "rectangle_fraction.png").exists() == drawn
        assert ("In time" in (output / "index.html").read_text()) == drawn


def test_the_page_says_what_it_was_made_from(folder, net, reference, settings, tmp_path):
    screen.run([folder / "snap_000.dat"], net, reference, settings, tmp_path / "out")
    page.run(tmp_path / "out")
    answer = trace.run(tmp_path / "out" / "index.html", check=True)
    assert not answer["changed"]
    assert any(one["file"].endswith("snap_000.dat") for one in answer["nodes"][0]["inputs"])


def test_flags_are_whole_sentences(net, reference, settings, tmp_path):
    """Though they have semicolons in them."""
    tiny = stars()
    snapshot.write(tmp_path / "snap_000.dat", replace(tiny, positions=tiny.positions * 1e-4))
    [answer], _ = screen.run([tmp_path / "snap_000.dat"], net, reference, settings)
    [flag] = [flag for flag in answer["flags"] if "kpc" in flag]
    assert flag.startswith("half of the stars lie within") and flag.endswith("are the units right?")


def test_stars_that_weigh_nothing_are_refused(net, reference, settings, tmp_path):
    light = stars()
    snapshot.write(tmp_path / "snap_000.dat", replace(light, masses=0.0 * light.masses))
    [answer], _ = screen.run([tmp_path / "snap_000.dat"], net, reference, settings)
    assert answer["error"].endswith("choose the types of particles that are stars (--stars)")


def test_a_black_hole_among_the_stars_is_said(net, reference, settings, tmp_path):
    light = stars(2000)
    for number, times in enumerate((10.0, 100.0)):
        masses = np.append(light.masses[1:], times * light.masses[0])
        snapshot.write(tmp_path / f"snap_{number}.dat", replace(light, masses=masses))
    answers, _ = screen.run([tmp_path], net, reference, settings)
    assert [any("black hole" in flag for flag in answer["flags"]) for answer in answers] == [False, True]


def test_galaxies_that_a_boundary_cuts_are_whole_each(net, reference, settings, tmp_path):
    """The heaviest one in the middle, the other across a corner of the box."""
    box = 100.0
    first, second = stars(3000, at=(50.0, 50.0, 50.0), seed=1), stars(1500, at=(0.0, 99.9, 0.1), seed=2)
    both = snapshot.join([first, second])
    both = replace(both, positions=both.positions % box, box_kpc=(box,) * 3)
    sizes = [len(one.stars) for one in galaxies.found(galaxies.unwrapped(both), 4, 200)]
    assert sizes == pytest.approx([3000, 1500], abs=15)


def test_a_picture_that_cannot_be_compared_does_not_end_the_work(folder, net, reference, settings, monkeypatch, capsys):
    compare, calls = verify.compared, []

    def broken(*arguments):
        calls.append(arguments)
        if len(calls) == 1:
            raise ZeroDivisionError("float division by zero")
        return compare(*arguments)

    monkeypatch.setattr(verify, "compared", broken)
    three = settings | {"screen": settings["screen"] | {"candidates": 3, "ovals": 0}}
    answers, table = screen.run([folder], net, reference, three)
    assert [("error" in answer) for answer in answers] == [False, False, False, True]
    assert table["combined"].notna().sum() == 2
    said = capsys.readouterr().err
    assert ".dat: could not be compared with the reference (ZeroDivisionError: float division by zero)" in said
