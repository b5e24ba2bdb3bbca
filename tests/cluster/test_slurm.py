"""Through a real Slurm to the same bytes as on one machine, whatever is killed on the way.

`tests/cluster/run.sh` starts the cluster, one node on the loopback, and names its folder in GALCLASS_CLUSTER.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = os.environ.get("GALCLASS_CLUSTER", "")
BIN = Path(sys.executable).parent
COPIED = ("Snakefile", "config", "fortran", "galclass", "profiles", "workflow", "tests/workflow")
#: The stages that the group `merger` makes one job of, for two runs, and what runs on its own.
PART = [f"results/{made}" for made in ("label/mergers/box.parquet", "render/film/box.h5", "label/mergers/oval.parquet")]
#: The first two of them only.
SIMULATED = [f"results/simulate/mergers/{run}/quality.csv" for run in ("box", "oval")]
#: One simulation of about two minutes on one core, its checkpoints ten seconds apart.
LONG = """
initial: {disc_particles: 1500, halo_particles: 1500}
simulate: {time_step_gyr: 0.00002, checkpoint_minutes: 0.16}
"""

pytestmark = pytest.mark.skipif(not CLUSTER, reason="needs a Slurm: tests/cluster/run.sh starts one")


class Project:
    """A copy of the project in a folder, and Snakemake in it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.drivers = []
        for name in COPIED:
            if (ROOT / name).is_dir():
                ignored = shutil.ignore_patterns("__pycache__", "*.so")
                shutil.copytree(ROOT / name, folder / name, ignore=ignored, symlinks=True)
            else:
                shutil.copy2(ROOT / name, folder / name)

    def local(self, *arguments: str) -> None:
        assert self._start("--profile", "profiles/local", "--cores", "2", *arguments).wait() == 0, self.log()

    def slurm(self, *arguments: str) -> subprocess.Popen:
        """Start the driver, in a process group of its own."""
        node = ("--cores", "2", "--slurm-init-seconds-before-status-checks", "2", "--latency-wait", "10")
        return self._start("--profile", "profiles/slurm", *node, *arguments)

    def finish(self, *arguments: str) -> None:
        """The command that a user gives, to its end."""
        assert self.slurm(*arguments).wait(timeout=900) == 0, self.log()

    def log(self) -> str:
        return (self.folder / "driver.log").read_text()[-6000:]

    def said(self) -> str:
        """What the stages have written in their logs."""
        return "".join(path.read_text() for path in sorted(self.folder.glob("results/logs/**/*.log")))

    def overlay(self, text: str) -> tuple[str, ...]:
        (self.folder / "overlay.yaml").write_text(text)
        return "--configfile", "tests/workflow/micro.yaml", "overlay.yaml", "--"

    def digests(self) -> dict[str, str]:
        """The digest of every result but the logs and the programs, which are built on the spot."""
        results = self.folder / "results"
        files = [path for path in sorted(results.rglob("*")) if path.is_file()]
        kept = [path for path in files if path.relative_to(results).parts[0] not in ("logs", "bin")]
        return {str(path.relative_to(results)): hashlib.sha256(path.read_bytes()).hexdigest() for path in kept}

    def _start(self, *arguments: str) -> subprocess.Popen:
        if "--configfile" not in arguments:
            arguments = ("--configfile", "tests/workflow/micro.yaml", *arguments)
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PATH": f"{BIN}:{os.environ['PATH']}"}
        with open(self.folder / "driver.log", "a") as log:
            call = {"cwd": self.folder, "env": environment, "stdout": log, "stderr": log, "start_new_session": True}
            self.drivers.append(subprocess.Popen([BIN / "snakemake", *arguments], **call))
        return self.drivers[-1]


def asked(*command: str) -> list[str]:
    """The lines that a command of Slurm prints."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")[:-1]


def states() -> list[str]:
    return asked("squeue", "--noheader", "--format=%T")


def node() -> str:
    """The state of the only node: idle, mixed, allocated, down, ..., with a star when it does not answer."""
    return asked("sinfo", "--noheader", "--format=%T")[0]


def wait_for(condition, what: str, seconds: float = 120) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.2)


def control(action: str) -> None:
    subprocess.run([ROOT / "tests/cluster/slurm.sh", action, CLUSTER], check=True)


@pytest.fixture(scope="session")
def alone(tmp_path_factory) -> Project:
    """A project in which the stages up to the labels have run on one machine, without Slurm."""
    project = Project(tmp_path_factory.mktemp("local"))
    project.local("--", *PART)
    return project


@pytest.fixture(scope="session")
def part(alone) -> dict[str, str]:
    return alone.digests()


@pytest.fixture(scope="session")
def simulated(part) -> dict[str, str]:
    kept = ("config.yaml", "initial", "simulate", "validate")
    return {name: digest for name, digest in part.items() if name.split("/")[0] in kept}


@pytest.fixture
def project(tmp_path, alone, part):
    """A fresh copy with the programs already compiled; whatever it has left in the queue goes with it."""
    shutil.copytree(alone.folder / "results/bin", tmp_path / "results/bin")
    fresh = Project(tmp_path)
    yield fresh
    for driver in fresh.drivers:
        kill(driver)
    subprocess.run(["scancel", "--user=root"], check=False)
    wait_for(lambda: not states(), "an empty queue")


def kill(driver: subprocess.Popen) -> None:
    """Kill a driver and what it has started, if it still runs."""
    if driver.poll() is None:
        os.killpg(driver.pid, signal.SIGKILL)
        driver.wait()


def test_a_killed_driver_is_followed_by_the_same_command(project, part):
    """Jobs queued and running are left behind; nothing has to be unlocked or removed, and the bytes are the same."""
    driver = project.slurm("--", *PART)
    wait_for(lambda: list((project.folder / "results").glob("simulate/mergers/*/merger.nml")), "a simulation")
    kill(driver)
    assert states(), "the killed driver left no job behind, so this shows nothing"
    project.finish("--", *PART)
    assert project.digests() == part
    assert not states()
    kept = [path for path in (project.folder / ".snakemake").rglob("*") if path.is_file() and "log" not in str(path)]
    assert len(kept) < 10, kept


@pytest.mark.slow
def test_the_whole_flow_gives_the_same_bytes(project, alone):
    """Down to the program, which a job compiles."""
    program = alone.folder / "results/bin/merger"
    shutil.rmtree(project.folder / "results/bin")
    alone.local()
    project.finish()
    assert (project.folder / "results/bin/merger").read_bytes() == program.read_bytes()
    assert project.digests() == alone.digests()


@pytest.fixture(scope="session")
def long(tmp_path_factory, alone) -> dict[str, str]:
    """What the long simulation gives when nothing stops it."""
    project = Project(tmp_path_factory.mktemp("long"))
    shutil.copytree(alone.folder / "results/bin", project.folder / "results/bin")
    project.local(*project.overlay(LONG), SIMULATED[0])
    return project.digests()


@pytest.mark.slow
def test_a_simulation_past_its_time_limit_goes_on_from_its_checkpoint(project, long):
    """Slurm ends the job after a minute; the next attempts need no more than what is left."""
    # One minute is the shortest limit there is; the time of a group is the sum of its parts.
    limits = ("--retries", "9", "--set-resources", "initial:runtime=0", "simulate_merger:runtime=1")
    project.finish(*limits, *project.overlay(LONG), SIMULATED[0])
    assert "TIMEOUT" in asked("squeue", "--noheader", "--states=all", "--format=%T")
    assert "continuing at step" in project.said()
    assert project.digests() == long


@pytest.mark.slow
def test_a_node_that_dies_is_waited_for(project, long):
    """The node daemon and all processes of its jobs are killed; Slurm notices, and the simulation goes on elsewhere."""
    driver = project.slurm(*project.overlay(LONG), SIMULATED[0])
    wait_for(lambda: list(project.folder.glob("results/simulate/mergers/box/*checkpoint*")), "a checkpoint")
    control("node-dies")
    wait_for(lambda: "down" in node(), "a node that is down")
    control("node-returns")
    assert driver.wait(timeout=600) == 0, project.log()
    assert "continuing at step" in project.said()
    assert project.digests() == long


@pytest.mark.slow
def test_after_the_controller_was_away_the_same_command_goes_on(project, simulated):
    """Snakemake's plugin may lose track of its jobs while it is away, so the driver is killed, too."""
    driver = project.slurm("--", *SIMULATED)
    wait_for(lambda: list((project.folder / "results").glob("simulate/mergers/*/merger.nml")), "a simulation")
    control("controller-stops")
    kill(driver)
    time.sleep(10)  # jobs end unseen
    control("controller-starts")
    wait_for(lambda: node() in ("idle", "mixed", "allocated"), "the node")
    project.finish("--", *SIMULATED)
    assert project.digests() == simulated


@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("GALCLASS_ACCOUNTING") != "accounting", reason="needs accounting")
def test_the_accounting_database_may_die(project, simulated):
    driver = project.slurm("--", *SIMULATED)
    wait_for(lambda: list((project.folder / "results").glob("simulate/mergers/*/merger.nml")), "a simulation")
    control("database-dies")
    assert driver.wait(timeout=600) == 0, project.log()
    assert project.digests() == simulated
