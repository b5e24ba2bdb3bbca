"""Let the flow fill a small disk, make room, give the same command again, and compare with an undisturbed run.

    python tests/resume/full_disk.py --seed 1 --trials 5

The disk is a tmpfs of some share of what the flow needs, so that it is full in another stage in every trial; mounting
it takes root on Linux. Each trial prints what the flow said of the full disk. Exit code 1 if anything differs.
"""

import argparse
import contextlib
import os
import random
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from flow import CONFIGURATION, Flow, Reference, differences, undisturbed

#: What a stage says of a disk without space, in one line.
_CLEAR = re.compile(r"^(?:galclass|merger|shape): .*(?:no space left for it \(|check the space left).*$", re.MULTILINE)
#: Room enough for a whole flow.
_ROOM = "2g"


def why_not() -> str:
    """Why no disk can be mounted here; empty if one can."""
    if sys.platform != "linux":
        return "mounting a small disk needs Linux"
    if os.geteuid() != 0:
        return "mounting a small disk needs root"
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True)
        if done.returncode:
            return f"mount: {done.stderr.decode().strip()}"
        subprocess.run(["umount", folder], check=True)
    return ""


@contextlib.contextmanager
def disk(folder: Path, size: str) -> Iterator[Path]:
    """A disk of a size, such as 5000k, mounted at `folder`."""
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def enlarge(folder: Path) -> None:
    """Give a disk more room."""
    subprocess.run(["mount", "-o", f"remount,size={_ROOM}", folder], check=True)


def trial(
    flow: Flow, size: str, reference: dict[str, str], prepare: Callable[[Path], None] = lambda folder: None
) -> tuple[list[str], list[str]]:
    """Fill a disk, make room, go on; what the stages said of the full disk, and what is wrong, a line each.

    `prepare` puts on the disk what it holds before the flow begins.
    """
    with disk(flow.folder, size):
        prepare(flow.folder)
        flow.start()
        if flow.driver.wait() == 0:
            return [], [f"a disk of {size} was not filled"]
        flow.wait_for_orphans()
        said = sorted(set(_CLEAR.findall(flow.said())))
        enlarge(flow.folder)
        flow.start()
        code = flow.driver.wait()
        wrong = [] if code == 0 else [f"with room the command fails; see {flow.output}"]
        return said, wrong + ([] if said else ["no stage said so"]) + differences(flow.results(), reference)


def main(arguments: argparse.Namespace) -> int:
    """Run the trials; returns the exit code."""
    if reason := why_not():
        print(f"skipped: {reason}")
        return 0
    folder = Path(arguments.folder or tempfile.mkdtemp(prefix="full_disk_")).resolve()
    reference, needed, dice, failed = *_undisturbed(folder, arguments), random.Random(arguments.seed), 0
    for number in range(1, arguments.trials + 1):
        # One share of every equal part, so that early and late stages meet it.
        size = f"{needed * (number - dice.random()) / arguments.trials / 1024:.0f}k"
        flow = Flow(folder / f"disk_{number}", tuple(arguments.configuration), (), arguments.cores)
        said, wrong = trial(flow, size, reference.results)
        failed += bool(wrong)
        print(f"disk of {size} of {needed / 1024:.0f}k: " + ("; ".join(wrong[:10]) or "identical"), flush=True)
        print("".join(f"    {line}\n" for line in said), end="", flush=True)
    return int(failed > 0)


def _undisturbed(folder: Path, arguments: argparse.Namespace) -> tuple[Reference, int]:
    """An undisturbed run, and the bytes it takes on the disk."""
    flow = Flow(folder / "reference", tuple(arguments.configuration), (), arguments.cores)
    reference = undisturbed(flow)
    return reference, sum(path.lstat().st_blocks * 512 for path in flow.folder.rglob("*"))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--folder", help="working folder; a new one unless given")
    parser.add_argument("--configuration", nargs="+", default=list(CONFIGURATION), help="overlays of the configuration")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main(_arguments()))
