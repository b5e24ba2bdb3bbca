"""Work on files that nobody vouches for, in a process of its own.

HDF5 reads its structures in C: damage there, by chance or on purpose, can send it round for ever or end the process.
(A text in an attribute whose stored length is 0 is enough for the first.) Neither may happen to the program that asked.
"""

import pickle
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from galclass.errors import InputError

#: Longer than the largest network takes to be read [s], and memory for it and for the libraries [bytes].
MAXIMUM_SECONDS, MAXIMUM_MEMORY = 60, 8_000_000_000

_PROGRAM = "from galclass.network.foreign import isolation; isolation.answer()"


def isolated(path: Path, work: Callable[..., Any], *arguments: Any) -> Any:
    """What `work` returns, or the `InputError` that it raises, from another process.

    Parameters
    ----------
    path : Path
        For messages.
    work : function of a module
    arguments
        Like the answer they must be such as `pickle` takes.

    Raises
    ------
    InputError
        Also when the process ends without an answer, or takes longer than `MAXIMUM_SECONDS`.
    """
    command, question = [sys.executable, "-P", "-c", _PROGRAM], pickle.dumps((work, arguments))
    try:
        done = subprocess.run(command, input=question, capture_output=True, timeout=MAXIMUM_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise InputError(f"{path}: HDF5 found no end to it in {MAXIMUM_SECONDS} s: damaged; export it again") from error
    if done.returncode != 0:
        raise InputError(f"{path}: HDF5 itself failed on it ({done.returncode}): damaged; export it again")
    found = pickle.loads(done.stdout)
    if isinstance(found, InputError):
        raise found
    return found


def answer() -> None:
    """Do the work that standard input asks for and write what it returns to standard output."""
    resource.setrlimit(resource.RLIMIT_AS, (MAXIMUM_MEMORY, MAXIMUM_MEMORY))
    work, arguments = pickle.load(sys.stdin.buffer)
    try:
        found = work(*arguments)
    except InputError as error:
        found = error
    sys.stdout.buffer.write(pickle.dumps(found))
