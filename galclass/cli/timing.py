"""When a command began and what it took, for the logs of a workflow and for those who read them: `status`, `plan`."""

import itertools
import os
import resource
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

#: The workflow sets this variable for its commands.
VARIABLE = "GALCLASS_TIMES"
#: Verbs with verbs of their own, and options that make another work of a verb.
_GROUPS, _KINDS = ("simulate", "reference", "model", "snapshot"), ("film", "shapes", "thesis")


@contextmanager
def timed(arguments: Sequence[str]) -> Iterator[None]:
    """Say on standard error what begins and, if it ends well, what it took, where the workflow asks for it.

    The lines are ``started: render box (process 17 on node3)`` and ``took: render box 61.3 s, 58.9 core s, 912 MB``:
    seconds by the clock, of processors in this process and those it waited for, and the most memory that one of them
    held.
    """
    if VARIABLE not in os.environ:
        yield
        return
    what, begin = name_of(arguments), time.monotonic()
    print(f"started: {what} (process {os.getpid()} on {socket.gethostname()})", file=sys.stderr, flush=True)
    try:
        yield
    except SystemExit as leaving:
        if leaving.code in (0, None):
            _say_took(what, time.monotonic() - begin)
        raise
    _say_took(what, time.monotonic() - begin)


def name_of(arguments: Sequence[str]) -> str:
    """The verb of a command as its rule is named, and what it works on: ``render_film box``.

    The latter is the value of ``--run``, else the name of the output or, where that is the folder of the stage, of the
    first input.
    """
    words = list(itertools.takewhile(lambda word: not word.startswith("-"), arguments)) or ["galclass"]
    kinds = [kind for kind in _KINDS if f"--{kind}" in arguments]
    verb = "_".join([*(words[:2] if words[0] in _GROUPS else words[:1]), *kinds])
    named = _value(arguments, "--run") or Path(_value(arguments, "-o", "--output")).stem
    return f"{verb} {named if named not in ('', verb) else ' '.join(Path(word).stem for word in words[1:2])}".rstrip()


def _value(arguments: Sequence[str], *options: str) -> str:
    """What follows the first of some options; empty if none is there."""
    return next((value for option, value in itertools.pairwise(arguments) if option in options), "")


def _say_took(what: str, seconds: float) -> None:
    uses = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    core = sum(use.ru_utime + use.ru_stime for use in uses)
    memory = max(use.ru_maxrss for use in uses) / 1024  # Linux counts in KiB
    print(f"took: {what} {seconds:.1f} s, {core:.1f} core s, {memory:.0f} MB", file=sys.stderr, flush=True)
