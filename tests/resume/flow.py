"""The whole flow in a working directory of its own, where it can be killed and started again."""

import contextlib
import hashlib
import math
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: The smallest flow, made long enough where a kill is to go on from the middle of a stage.
CONFIGURATION = (ROOT / "tests" / "workflow" / "micro.yaml", ROOT / "tests" / "resume" / "long.yaml")

#: What is no result: messages, times, and what a compiler leaves.
_NO_RESULT = ("logs", "benchmarks", "bin/build")
#: Fortran programs and what they are called in a table of stages.
_PROGRAMS = {"merger": "program merger", "shape": "program shape"}
_STEPS = re.compile(rb"^(\d+) of (\d+) steps|^total +(\d+)$", re.MULTILINE)


@dataclass
class Flow:
    """The flow of the project in the folder `folder`; every start is one and the same command.

    Attributes
    ----------
    folder : path
        Working directory; made if missing. What Snakemake says is appended to a file beside it, with `.out` at its end.
    configuration : paths
        Overlays of the configuration, each on top of the one before.
    targets : words
        Further words of the command: targets or options.
    cores : int
    driver : the process of Snakemake, None before the first start
    """

    folder: Path
    configuration: tuple[Path, ...] = CONFIGURATION
    targets: tuple[str, ...] = ()
    cores: int = 2
    driver: subprocess.Popen | None = None
    _sessions: set[int] = field(default_factory=set)
    _read_from: int = 0

    @property
    def output(self) -> Path:
        """Everything that Snakemake said, of all starts."""
        return self.folder.with_name(f"{self.folder.name}.out")

    def start(self) -> None:
        """Give the command."""
        self.folder.mkdir(parents=True, exist_ok=True)
        files = [str(Path(path).resolve()) for path in self.configuration]
        command = [str(Path(sys.executable).with_name("snakemake")), *self.targets, "--cores", str(self.cores),
                   "--snakefile", str(ROOT / "Snakefile"), "--configfile", *files]  # fmt: skip
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(self.folder / ".cache")}
        self._read_from = self.output.stat().st_size if self.output.exists() else 0
        with open(self.output, "ab") as said:
            self.driver = subprocess.Popen(command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=said,
                                           stderr=said, env=environment, start_new_session=True)  # fmt: skip
        self._sessions.add(self.driver.pid)

    def wait(self, timeout_s: float) -> int | None:
        """The exit code of the driver, None if it is still at work after so many seconds [s]."""
        try:
            return self.driver.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def said(self) -> str:
        """What Snakemake said since the last start."""
        return self._since_start().decode(errors="replace")

    def _since_start(self) -> bytes:
        with open(self.output, "rb") as stream:
            stream.seek(self._read_from)
            return stream.read()

    def steps_left(self) -> int | None:
        """How many steps the driver still has to do; None as long as it has not said so."""
        found = _STEPS.findall(self._since_start())
        if not found:
            return None
        done, of, total = found[-1]
        return int(of) - int(done) if of else int(total)

    def processes(self) -> dict[int, str]:
        """Every process of this flow that is alive, those of killed drivers too, with the stage it works for.

        The stage of the driver, and of shells between it and the stages, is "".
        """
        table = {pid: (parent, words) for pid, parent, session, words in _processes() if session in self._sessions}
        return {pid: _stage_of(pid, table) for pid in sorted(table)}

    def kill_all(self) -> None:
        """SIGKILL to every process of this flow, until none is left, as when a node dies."""
        while alive := self.processes():
            for pid in alive:
                send(pid, signal.SIGKILL)
            time.sleep(0.01)
        if self.driver is not None:
            self.driver.wait()

    def wait_for_orphans(self, timeout_s: float = 300.0) -> None:
        """Wait until the processes that killed drivers have left behind are done, at most so long [s]."""
        end = time.monotonic() + timeout_s
        while self.processes() and time.monotonic() < end:
            time.sleep(0.05)

    def results(self) -> dict[str, str]:
        """The digest of every file of results, hidden ones and links too, by its path."""
        folder = self.folder / "results"
        files = sorted(path for path in folder.rglob("*") if path.is_file() or path.is_symlink())
        named = {path.relative_to(folder).as_posix(): path for path in files}
        return {
            name: hashlib.sha256(path.read_bytes()).hexdigest()
            for name, path in named.items()
            if not name.startswith(tuple(f"{part}/" for part in _NO_RESULT))
        }


def send(pid: int, number: int) -> None:
    """Send a signal to a process, which may be gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _processes() -> Iterator[tuple[int, int, int, list[str]]]:
    """Number, parent, session and command of every process of this machine that is no zombie."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, parent, _, session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            if state not in "ZX":
                words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
                yield int(folder.name), int(parent), int(session), words


def _stage_of(pid: int, table: dict[int, tuple[int, list[str]]]) -> str:
    """The stage that a process, or the nearest of those that started it, stands for."""
    while pid in table:
        parent, words = table[pid]
        stage = _stage(words)
        if stage:
            return stage
        pid = parent
    return ""


def _stage(words: list[str]) -> str:
    """The stage that a command stands for: its verb, with what tells two rules of one verb apart."""
    if Path(words[0]).name in _PROGRAMS:
        return _PROGRAMS[Path(words[0]).name]
    place = next((number for number, word in enumerate(words[:3]) if Path(word).name == "galclass"), None)
    if place is None:
        return ""
    verb, *rest = words[place + 1 :]
    told_apart = [word.strip("-") for word in rest if word in ("merger", "shape", "shapes", "--shapes", "--film")]
    return " ".join([verb, *told_apart[:1]])


def differences(results: dict[str, str], reference: dict[str, str]) -> list[str]:
    """What is missing, changed or too much, a line each; empty if every file has the same bytes."""
    lines = [f"{name}: missing" for name in reference if name not in results]
    lines += [f"{name}: left over" for name in results if name not in reference]
    common = [name for name in reference if name in results]
    return lines + [f"{name}: other bytes" for name in common if results[name] != reference[name]]


@dataclass(frozen=True)
class Moment:
    """A moment of the flow: so many steps left, and so long [s] after that is first so; None is before the plan."""

    left: int | None
    after_s: float


@dataclass(frozen=True)
class Reference:
    """An undisturbed run: digests of its results, its seconds, when it had how many steps left, and its stages."""

    results: dict[str, str]
    seconds: float
    timeline: list[tuple[float, int | None]]
    stages: set[str]

    def moments(self, count: int, dice: random.Random) -> list[Moment]:
        """Moments in their order, drawn from the whole flow, every step of it as likely as the next."""
        ends = [start for start, _ in self.timeline[1:]] + [self.seconds]
        drawn = sorted(dice.uniform(0, len(ends)) for _ in range(count))
        steps = [(*self.timeline[int(place)], ends[int(place)], place % 1) for place in drawn]
        return [Moment(left, share * (end - start)) for start, left, end, share in steps]


def undisturbed(flow: Flow) -> Reference:
    """Run a flow to its end and note what came when."""
    begin = time.monotonic()
    flow.start()
    timeline: list[tuple[float, int | None]] = [(0.0, None)]
    stages: set[str] = set()
    while flow.wait(0.02) is None:
        left = flow.steps_left()
        stages |= set(flow.processes().values())
        if left != timeline[-1][1]:
            timeline.append((time.monotonic() - begin, left))
    if flow.driver.returncode != 0:
        raise SystemExit(f"the flow failed without being disturbed; see {flow.output}")
    return Reference(flow.results(), time.monotonic() - begin, timeline, stages - {""})


def wait_until(flow: Flow, moment: Moment) -> bool:
    """Wait for a moment of a flow that may have begun in its middle, or for the next step if that is done earlier.

    False if the driver ended before it.
    """
    reached = math.inf
    while time.monotonic() < reached + moment.after_s:
        if flow.wait(0.01) is not None:
            return False
        left = flow.steps_left()
        if moment.left is None or left == moment.left:
            reached = min(reached, time.monotonic())
        elif left is not None and left < moment.left:
            return True
    return True
