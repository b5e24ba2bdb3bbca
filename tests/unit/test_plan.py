"""What a project will take: sizes counted by hand, sums, what is done, corrections, warnings."""

import json
import math
import shutil

import h5py
import pytest
import yaml

from galclass import config, plan, status

#: Prices that make every sum one that can be done in the head.
RATES = {
    "measured": {"machine": "a machine"},
    "stages": {stage: {"core_s": {"job": 10.0}, "bytes": {"job": 1000.0}, "memory_mb": {"job": 100.0}}
               for stage in (*plan.FILES, *plan.FILES_ONCE)},
}  # fmt: skip
RATES["stages"]["simulate_merger"]["core_s"] = {"job": 0.0, "particle_snapshots": 0.001}
RATES["stages"]["render"]["memory_mb"] = {"frames": 2.0}
OVERLAY = {
    "initial": {"runs": ["box", "oval"], "disc_particles": 1000, "halo_particles": 2000, "bulge_particles": 500},
    "simulate": {"snapshots": 9, "threads": 2, "archive": True},
    "render": {"views": 6, "pixels": 20},
    "train": {"runs": ["flat"]},
}


@pytest.fixture(scope="module")
def settings():
    return config.merge(config.load(), OVERLAY)


@pytest.fixture(scope="module")
def rows(settings):
    return config.selected_runs(settings)


def answer_of(settings, results, cores=4):
    return plan.run(settings, cores, results, RATES)


def stage_of(answer, name):
    return next(stage for stage in answer["stages"] if stage["stage"] == name)


def test_sizes_of_a_run(settings, rows):
    """Mass ratio 1 without a bulge: twice 1000 stars and 2000 halo particles; ten snapshots from six sides."""
    size = plan.sizes(settings, rows["box"])
    assert (size["particles"], size["stars"], size["snapshots"], size["frames"]) == (6000, 2000, 10, 60)
    assert (size["pixels"], size["star_frames"], size["particle_snapshots"]) == (60 * 400, 2000 * 60, 60000)


def test_a_smaller_galaxy_has_fewer_particles_and_bulges_are_stars(settings, rows):
    row = rows["box"] | {"mass_ratio": 4.0, "bulge_over_halo": 0.06}
    # 3500 in the larger, 875 in the smaller; stars 1500 and 375
    assert plan.particles_of(settings["initial"], row) == (4375, 1875)


def test_steps_lie_between_the_longest_and_the_shortest(settings):
    simulate = settings["simulate"] | {"end_time_gyr": 2.0, "time_step_gyr": 0.01, "time_step_levels": 2}
    coarse = plan.steps(simulate | {"time_step_accuracy": 1000.0})
    assert coarse == pytest.approx(200.0)
    assert plan.steps(simulate | {"time_step_accuracy": 1e-9}) == pytest.approx(4 * coarse)


def test_steps_are_those_that_were_counted(settings):
    """docs/benchmarks.md, blocks of eta 0.1: 1.18e8 steps of 2e5 particles in 0.978 Gyr, softening 0.05 kpc. The
    prediction is a fit to three such counts, which it meets within 20 %."""
    simulate = settings["simulate"] | {"end_time_gyr": 0.978, "time_step_gyr": 0.0076, "time_step_accuracy": 0.1,
                                       "softening_kpc": 0.05, "time_step_levels": 4}  # fmt: skip
    assert plan.steps(simulate) == pytest.approx(1.18e8 / 2e5, rel=0.2)


def test_sums_before_anything_starts(settings, tmp_path):
    answer = answer_of(settings, tmp_path)
    jobs = {stage["stage"]: stage["jobs"] for stage in answer["stages"]}
    assert (jobs["initial"], jobs["classify"], jobs["visibility"], jobs["train"]) == (3, 2, 2, 1)
    # four stages of three runs, three of two, nine done once; all but the simulations cost 10 s, those 60 s
    number = 3 * 4 + 2 * 3 + 9
    assert sum(jobs.values()) == number and answer["bytes"] == 1000 * number
    assert answer["core_hours"] == pytest.approx((10 * (number - 3) + 3 * 60) / 3600)
    assert (answer["left_core_hours"], answer["left_bytes"]) == (answer["core_hours"], answer["bytes"])
    assert (answer["memory_mb"], answer["memory_stage"]) == (120.0, "render")
    assert answer["frames"] == {"screened": 120, "learnt": 60}
    assert answer["simulation_minutes"] == pytest.approx(60 / 2 / 60), "two threads"


def test_the_clock_stops_at_the_longest_job_of_each_phase(settings, tmp_path):
    """However many cores: eight phases, 10 s each but the simulations of 60 core s on two threads."""
    assert answer_of(settings, tmp_path, 10000)["wall_s"] == pytest.approx(7 * 10 + 30)
    one = answer_of(settings, tmp_path, 1)
    assert one["wall_s"] == pytest.approx(3600 * one["core_hours"])


def test_what_is_done_is_not_left(settings, tmp_path):
    for run in ("box", "oval", "flat"):
        for stage in ("initial", "simulate_merger"):
            path = tmp_path / status.OF_RUN[stage].format(run=run)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    answer = answer_of(settings, tmp_path)
    assert [stage_of(answer, name)["done"] for name in ("initial", "simulate_merger", "render")] == [3, 3, 0]
    assert stage_of(answer, "simulate_merger")["left_core_s"] == 0
    assert answer["core_hours"] - answer["left_core_hours"] == pytest.approx((3 * 10 + 3 * 60) / 3600)
    assert answer["bytes"] - answer["left_bytes"] == 6000


def simulated(results, settings, row, log):
    """A run that was simulated with some settings, whose log says what it took."""
    run, simulate = row["run"], results / "simulate/mergers" / row["run"]
    for folder in (results / "initial", simulate, results / "logs/runs"):
        folder.mkdir(parents=True, exist_ok=True)
    initial = {"row": row, "initial": settings["initial"], "softening_kpc": settings["simulate"]["softening_kpc"]}
    for path, made in (
        (results / f"initial/{run}.json", initial),
        (simulate / "provenance.json", settings["simulate"]),
    ):
        path.write_text(json.dumps({"stage": "", "inputs": {}, "settings": made}))
    (results / f"initial/{run}.dat").touch()
    (simulate / "quality.csv").touch()
    (results / f"logs/runs/{run}.log").write_text(log)


def test_the_projects_own_jobs_correct_the_rates(settings, rows, tmp_path):
    log = "took: simulate_merger box 70.0 s, 90.0 core s, 50 MB\ntook: render other 1.0 s, 99.0 core s, 50 MB\n"
    simulated(tmp_path, settings, rows["box"], log)
    answer = answer_of(settings, tmp_path)
    # 90 s in the place of 60; a run that is not of this project counts nothing
    assert stage_of(answer, "simulate_merger")["core_s"] == pytest.approx(3 * 90)
    assert stage_of(answer, "render")["core_s"] == pytest.approx(3 * 10)
    assert (answer["rates"], answer["factor"]) == ("this project's 1 finished run", 1.3)
    low, high = plan.left(settings, 4, tmp_path)
    assert high / low == pytest.approx(1.3**2)


def test_jobs_of_other_settings_are_held_against_those(settings, rows, tmp_path):
    """A tenth of the particles and 90 s where 6 were foretold: 15 times the rates, not 1.5 times."""
    small = config.merge(settings, {"initial": {"disc_particles": 100, "halo_particles": 200}})
    simulated(tmp_path, small, rows["box"], "took: simulate_merger box 70.0 s, 90.0 core s, 50 MB\n")
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings))  # a dry run has written it since
    answer = answer_of(settings, tmp_path)
    assert stage_of(answer, "simulate_merger")["core_s"] == pytest.approx(3 * 60 * 15)
    assert answer["rates"] == "this project's 1 finished run, of other settings; expect a factor of 2"


def test_jobs_before_those_that_made_the_results_do_not_count(settings, rows, tmp_path):
    def core_s(log):
        simulated(tmp_path, settings, rows["box"], log)
        return stage_of(answer_of(settings, tmp_path), "simulate_merger")["core_s"]

    first, second = (f"took: simulate_merger box 7.0 s, {took} core s, 50 MB\n" for took in ("5.0", "90.0"))
    assert core_s(first + second) == pytest.approx(3 * 90)
    # new initial conditions, but not yet their simulation
    assert core_s(first + "took: initial box 1.0 s, 10.0 core s, 50 MB\n") == pytest.approx(3 * 60)
    assert core_s(second) == pytest.approx(3 * 90)
    (tmp_path / "simulate/mergers/box/quality.csv").unlink()  # as Snakemake does before it simulates again
    assert stage_of(answer_of(settings, tmp_path), "simulate_merger")["core_s"] == pytest.approx(3 * 60)


def finished(results, settings):
    """Every product of a project, and its configuration."""
    for row in (*config.selected_runs(settings).values(), *config.training_runs(settings).values()):
        simulated(results, settings, row, "")
        for stage in status.OF_RUN if row["run"] != "flat" else status.OF_LEARNT:
            path = results / status.OF_RUN[stage].format(run=row["run"])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    for product in status.OF_ALL.values():
        (results / product).parent.mkdir(parents=True, exist_ok=True)
        (results / product).touch()
    (results / "simulate/shapes").mkdir(parents=True, exist_ok=True)
    (results / "config.yaml").write_text(yaml.safe_dump(settings))


@pytest.mark.parametrize(
    ("change", "named", "left"),
    [
        ({}, "", []),
        ({"report": {"candidates": 3}}, "report.candidates", ["report"]),
        ({"simulate": {"threads": 1}, "clean": {"smoothing_px": 3.0}}, "", []),
        ({"render": {"film_views": 7}}, "render.film_views", ["render_film", "report"]),
        ({"label": {"inner_effective_radii": 0.5}}, "label.inner_effective_radii",
         ["label", "classify", "visibility", "label shapes", "train", "verify", "report"]),
        ({"verify": {"ovals": 7}}, "verify.ovals", ["verify", "report"]),
    ],
)  # fmt: skip
def test_what_was_made_with_other_settings_is_made_again(settings, tmp_path, change, named, left):
    finished(tmp_path, settings)
    answer = answer_of(config.merge(settings, change), tmp_path)
    assert [stage["stage"] for stage in answer["stages"] if stage["done"] < stage["jobs"]] == left
    warning = f"{tmp_path} hold another configuration ({named}): what depends on it will be made again"
    assert answer["warnings"] == [warning] * bool(named)


def test_a_run_of_another_orbit_is_made_again_and_all_that_follows_from_it(settings, rows, tmp_path):
    """Of a screened run not the classifier, which never saw it; other runs are done."""
    finished(tmp_path, settings)
    simulated(tmp_path, settings, rows["box"] | {"separation_kpc": 12.0}, "")
    answer = answer_of(settings, tmp_path)
    assert answer["warnings"][0].startswith(f"{tmp_path} hold another configuration (initial.table (rows)): ")
    left = {stage["stage"]: stage["jobs"] - stage["done"] for stage in answer["stages"]}
    assert {name for name, number in left.items() if number} == {*plan.FILES, "verify", "report"}
    assert all(left[name] == 1 for name in plan.FILES)


def test_another_softening_makes_all_runs_again(settings, tmp_path):
    finished(tmp_path, settings)
    answer = answer_of(config.merge(settings, {"simulate": {"softening_kpc": 0.3}}), tmp_path)
    done = {stage["stage"] for stage in answer["stages"] if stage["done"]}
    assert done == {"compile merger", "compile shape", "simulate_shapes", "render_shapes", "label shapes", "reference"}


def test_nothing_is_made_again_where_nothing_was_made(settings, tmp_path):
    """A dry run has written the configuration, and no more; and the pack of a run of old is none of this project."""
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config.merge(settings, {"render": {"views": 9}})))
    assert answer_of(settings, tmp_path)["warnings"] == []


def test_the_pictures_tell_what_they_were_made_with(settings, tmp_path):
    """Not the configuration that a dry run has written since, and not a run that the project no longer has."""
    finished(tmp_path, settings)
    (tmp_path / "render/mergers/box.h5").unlink()
    for run, views in (("a_gone", 7), ("oval", 5), ("z_gone", 7)):
        with h5py.File(tmp_path / f"render/mergers/{run}.h5", "w") as file:
            record = {"stage": "render", "inputs": {}, "settings": {**settings["render"], "views": views}}
            file.attrs["provenance"] = json.dumps(record)
    left = [config.merge(settings, {"render": {"views": views}}) for views in (5, 7)]
    assert [stage_of(answer_of(planned, tmp_path), "render")["done"] for planned in left] == [2, 0]


def test_a_configuration_of_another_version_is_no_hindrance(settings, tmp_path):
    finished(tmp_path, settings)
    (tmp_path / "config.yaml").write_text("unknown: 1\n")
    assert answer_of(settings, tmp_path)["warnings"] == []


def test_without_own_jobs_the_rates_say_whose_they_are(settings, tmp_path):
    assert answer_of(settings, tmp_path)["rates"] == "as shipped, measured on a machine; expect a factor of 2"


def test_files_of_a_run(settings, tmp_path):
    """The layout allows 20, with all snapshots in one archive."""
    assert plan.files_per_run(settings) <= 20
    assert answer_of(settings, tmp_path)["warnings"] == []
    loose = config.merge(settings, {"simulate": {"archive": False}})
    assert plan.files_per_run(loose) == plan.files_per_run(settings) + 9
    assert [text for text in answer_of(loose, tmp_path)["warnings"] if "simulate.archive: true" in text]


def test_warns_of_wall_time(settings, tmp_path):
    settings = config.merge(settings, {"initial": {"disc_particles": 2000000}, "simulate": {"wall_time_minutes": 60}})
    # 4,004,000 particles, ten snapshots: 40,040 core seconds, 334 minutes on two threads
    (warning,) = answer_of(settings, tmp_path)["warnings"]
    assert "about 334 minutes" in warning and "60: it will be started 6 times" in warning


def test_warns_of_a_full_disk(settings, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**6, 10**6, 20_000))
    (warning,) = answer_of(settings, tmp_path / "not" / "there")["warnings"]
    assert warning.startswith("27 kB to write and 20 kB free")


def test_the_shipped_rates_price_known_units_of_every_stage(settings, rows):
    rates = yaml.safe_load(plan.RATES.read_text(encoding="utf-8"))
    assert set(rates["stages"]) == {*plan.FILES, *plan.FILES_ONCE}
    once = plan.sizes_once(settings, 2, 1, 10)
    for stage in rates["stages"]:
        size = once if stage in plan.FILES_ONCE else plan.sizes(settings, rows["box"])
        assert all(plan.cost(stage, size, rates, what) > 0 for what in ("core_s", "bytes", "memory_mb"))


def test_a_simulation_on_disk_is_its_particles(settings, rows):
    """A particle is 32 bytes: three floats of place, three of speed, an id, a mass. The headers are below 1 %."""
    rates = yaml.safe_load(plan.RATES.read_text(encoding="utf-8"))
    size = plan.sizes(config.merge(settings, {"initial": {"halo_particles": 50000}}), rows["box"])
    assert plan.cost("simulate_merger", size, rates, "bytes") == pytest.approx(
        32 * size["particle_snapshots"], rel=0.01
    )


def test_the_text_says_what_matters_first(settings, tmp_path):
    lines = plan.lines(answer_of(settings, tmp_path))
    assert lines[:2] == ["runs: 2 screened, 1 learnt from", "frames: 120 screened, 60 learnt from"]
    assert lines[2].startswith(f"files: {answer_of(settings, tmp_path)['files']}, ")
    assert "largest job: 120 MB (render)" in lines[4]
    assert [line.split()[0] for line in lines[-16:]] == [name.split()[0] for name in (*plan.FILES, *plan.FILES_ONCE)]
    assert len({len(line) for line in lines[-17:]}) == 1, "columns stand under each other"


def test_a_scheduler_is_asked_for_more_than_a_simulation_should_take():
    settings = config.load()
    row = config.mergers(settings)["box"]
    rates = {"stages": {"simulate_merger": {"core_s": {"particle_steps": 1e-6}}}}
    settings["simulate"] |= {"threads": 2, "wall_time_minutes": 0}
    expected = 1e-6 * plan.sizes(settings, row)["particle_steps"] / 2 / 60
    assert plan.simulation_minutes(settings, row, rates) == math.ceil(10 + 4 * expected)
    settings["simulate"]["wall_time_minutes"] = 90
    assert plan.simulation_minutes(settings, row, rates) == 95
