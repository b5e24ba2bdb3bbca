"""Kill the flow at random moments, give the same command again, and compare every result with an undisturbed run.

    python tests/resume/kill_trials.py --trials 50 --seed 1

A trial is one kill. Every flow is killed a few times on its way, in steps drawn at random from those of an
undisturbed flow, and must then come to its end by the one same command, with the same bytes in every file of results
and no file more. In a last flow every stage that no kill has met by then is aimed at. The kinds of kill:

    driver   SIGKILL to Snakemake alone; the stages it started go on, and the command is given again at once
    stage    SIGKILL to one process at work: a verb of galclass, one of its workers, or a Fortran program
    node     SIGKILL to everything at once
    SIGTERM  to Snakemake, as a batch system asks a job to stop
    Ctrl-C   SIGINT to everything, as a terminal sends it

Writes trials.tsv (a line a kill) and table.md (stage by kind) to the folder. Exit code 1 if anything differs.
"""

import argparse
import csv
import functools
import itertools
import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from flow import CONFIGURATION, Flow, Moment, differences, send, undisturbed, wait_until

KINDS = ("driver", "stage", "node", "SIGTERM", "Ctrl-C")
#: Longest time for a flow to come to an end after its last kill [s].
_PATIENCE_S = 1800.0
#: Longest time in which something is at work at the moment a stage is to be killed [s].
_FOR_A_STAGE_S = 5.0
#: Longest time into a stage that is aimed at [s].
_INTO_A_STAGE_S = 1.0


@dataclass
class Kill:
    """One kill: of which flow, of which kind, what was hit or at work, and how many steps were left."""

    flow: int
    kind: str
    stages: str
    left: int | None


def kill(flow: Flow, kind: str, dice: random.Random, aim: set[str] | None = None) -> list[str] | None:
    """Kill once; returns the stages that were hit, or for a driver those at work; None if nothing was there to kill.

    Where a stage is to be killed it is one of `aim`, any unless given.
    """
    if kind == "stage":
        return _kill_stage(flow, dice, aim)
    at_work = sorted({stage for stage in flow.processes().values() if stage})
    if kind == "node":
        flow.kill_all()
    elif kind == "Ctrl-C":
        for pid in flow.processes():
            send(pid, signal.SIGINT)
    else:
        send(flow.driver.pid, signal.SIGTERM if kind == "SIGTERM" else signal.SIGKILL)
    return at_work


def _kill_stage(flow: Flow, dice: random.Random, aim: set[str] | None) -> list[str] | None:
    """SIGKILL to one process of a stage; waits a little for one."""
    end = time.monotonic() + _FOR_A_STAGE_S
    while not (chosen := [entry for entry in flow.processes().items() if entry[1] and entry[1] in (aim or entry)]):
        if flow.wait(0.01) is not None or time.monotonic() > end:
            return None
    pid, stage = dice.choice(chosen)
    send(pid, signal.SIGKILL)
    return [stage]


def _kill_and_go_on(
    flow: Flow, number: int, kind: str, dice: random.Random, aim: set[str] | None = None
) -> Kill | None:
    """Kill once, and give the command again if the driver was hit; None if nothing was there to kill."""
    left = flow.steps_left()
    stages = kill(flow, kind, dice, aim)
    if kind != "stage":
        flow.driver.wait()
        flow.start()
    return None if stages is None else Kill(number, kind, ", ".join(stages) or "(between stages)", left)


def disturbed(
    flow: Flow, number: int, kinds: Sequence[str], moments: Sequence[Moment], dice: random.Random
) -> tuple[list[Kill], bool]:
    """Start a flow and kill it at each of `moments`, in its own way; it is left at work, or at its end.

    Returns the kills, and whether the last start may fail: a killed stage is a failed one for its driver, which goes on
    with what does not need it.
    """
    kills: list[Kill] = []
    excused = False
    flow.start()
    for kind, moment in zip(kinds, moments, strict=True):
        while not wait_until(flow, moment):
            if flow.driver.returncode == 0 or not excused:
                return kills, excused
            flow.start()
            excused = False
        one = _kill_and_go_on(flow, number, kind, dice)
        kills += [one] if one else []
        excused = kind == "stage" and (excused or one is not None)
    return kills, excused


def aimed(flow: Flow, number: int, stages: set[str], dice: random.Random) -> tuple[list[Kill], bool]:
    """Start a flow and kill it while each of `stages` is at work; otherwise as `disturbed`."""
    kills: list[Kill] = []
    excused, kinds, wanted = False, _shuffled(dice), set(stages)
    flow.start()
    while wanted:
        if flow.wait(0.01) is not None:
            if flow.driver.returncode == 0 or not excused:
                break
            flow.start()
            excused = False
        elif aim := wanted & set(flow.processes().values()):
            time.sleep(dice.uniform(0, _INTO_A_STAGE_S))
            kind = next(kinds)
            one = _kill_and_go_on(flow, number, kind, dice, aim)
            kills += [one] if one else []
            wanted -= set(one.stages.split(", ")) if one else set()
            excused = kind == "stage" and (excused or one is not None)
    return kills, excused


def judge(flow: Flow, reference: dict[str, str], excused: bool) -> list[str]:
    """Bring a killed flow to its end; what is wrong with it then, a line each, against the digests of `reference`.

    It may fail once more if that is `excused`; then the same command must do.
    """
    code = flow.wait(_PATIENCE_S)
    if code not in (0, None) and excused:
        flow.start()
        code = flow.wait(_PATIENCE_S)
    if code != 0:
        flow.kill_all()
        return [f"the command fails (code {code}); see {flow.output}"]
    flow.wait_for_orphans()
    left = [f"process {pid} is left" for pid in flow.processes()]
    return left + differences(flow.results(), reference)


def table(kills: list[Kill]) -> str:
    """How many kills of each kind met which stage, in Markdown; a kill that met two stages counts for both."""
    counts = Counter((stage, one.kind) for one in kills for stage in one.stages.split(", "))
    stages = sorted({stage for stage, _ in counts})
    rows = [["stage at work", *KINDS], ["---"] * (1 + len(KINDS))]
    rows += [[stage, *(str(counts[stage, kind] or "") for kind in KINDS)] for stage in stages]
    rows += [["all kills", *(str(sum(one.kind == kind for one in kills)) for kind in KINDS)]]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def write(folder: Path, kills: list[Kill]) -> None:
    """Write trials.tsv and table.md."""
    with open(folder / "trials.tsv", "w", newline="") as stream:
        writer = csv.DictWriter(stream, [field.name for field in fields(Kill)], delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(one) for one in kills)
    (folder / "table.md").write_text(table(kills))


def _shuffled(dice: random.Random) -> Iterator[str]:
    """Kinds of kill without end, each as often as any other, in random order."""
    while True:
        yield from dice.sample(KINDS, len(KINDS))


def main(arguments: argparse.Namespace) -> int:
    """Run the trials; returns the exit code."""
    # A shell lets what it puts into the background ignore Ctrl-C, and so would all that is started from here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    folder = Path(arguments.folder or tempfile.mkdtemp(prefix="kill_trials_")).resolve()
    dice = random.Random(arguments.seed)
    settings = (tuple(arguments.configuration), (), arguments.cores)
    reference = undisturbed(Flow(folder / "reference", *settings))
    print(f"undisturbed: {reference.seconds:.0f} s, {len(reference.results)} files of results", flush=True)
    kills: list[Kill] = []
    wrong: list[bool] = []

    def trial(disturb: Callable[[Flow, int], tuple[list[Kill], bool]]) -> None:
        number, begin = len(wrong) + 1, time.monotonic()
        flow = Flow(folder / f"flow_{number:03d}", *settings)
        met, excused = disturb(flow, number)
        problems = judge(flow, reference.results, excused)
        kills.extend(met)
        wrong.append(bool(problems))
        write(folder, kills)
        said = ", ".join(f"{one.kind} at {one.stages}" for one in met)
        print(f"flow {number}, {time.monotonic() - begin:.0f} s, {len(kills)}/{arguments.trials} kills: {said}: "
              + ("; ".join(problems[:10]) or "identical"), flush=True)  # fmt: skip
        if not problems:
            shutil.rmtree(flow.folder)

    while (left := arguments.trials - len(kills)) > 0:
        kinds = list(itertools.islice(_shuffled(dice), min(arguments.kills, left)))
        moments = reference.moments(len(kinds), dice)
        trial(functools.partial(disturbed, kinds=kinds, moments=moments, dice=dice))
    if missed := reference.stages - {stage for one in kills for stage in one.stages.split(", ")}:
        trial(functools.partial(aimed, stages=missed, dice=dice))
    print(
        table(kills) + f"\n{len(kills)} kills of {len(wrong)} flows: {wrong.count(False)} identical, {sum(wrong)} wrong"
    )
    return int(any(wrong))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=50, help="kills altogether (50)")
    parser.add_argument("--kills", type=int, default=5, help="kills of one flow (5)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--folder", help="working folder; a new one unless given")
    overlays = "overlays of the configuration (tests/workflow/micro.yaml, tests/resume/long.yaml)"
    parser.add_argument("--configuration", nargs="+", default=list(CONFIGURATION), help=overlays)
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main(_arguments()))
