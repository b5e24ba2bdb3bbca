"""HDF5 read in a process of its own, which is ended when it has worked too long on one thing, and then started again.

HDF5 reads its structures in C: damage there can send it round for ever or end the process. What that process does is in
`galclass.snapshot.serving`.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import pickle
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from galclass.errors import InputError

#: Seconds of work that one step may take before the file counts as damaged (a step takes milliseconds; waiting for a
#: slow disk is not work).
MAXIMUM_SECONDS = 10
_PIPE_BYTES = 1 << 20


# ------------------------------------------------------------------------------------------ asking the process


class Reader:
    """The process that opens HDF5 files, started when it is first needed, and again when it has ended."""

    def __init__(self) -> None:
        self._process: subprocess.Popen | None = None
        self._owner = 0
        self._lock = threading.RLock()
        self._buffer = bytearray()

    @contextlib.contextmanager
    def reading(
        self, path: Path, quick: bool = False
    ) -> Iterator[tuple[dict, Callable[[Sequence[int]], Iterator[np.ndarray]]]]:
        """What a file holds (quick: only its types), and a function that gives the numbers of the types wanted, once.

        Raises
        ------
        InputError
            If HDF5 cannot read the file; also when the process ended or worked on it for too long.
        """
        with self._lock:
            self._start()
            try:
                # The process has no folder of its own, in which a path could mean another file.
                self._send(path, pickle.dumps((str(Path(path).absolute()), str(path), MAXIMUM_SECONDS, quick)))
                content = pickle.loads(self._frame(path))
                sent = []

                def receive(wanted: Sequence[int]) -> Iterator[np.ndarray]:
                    sent.append(wanted)
                    self._send(path, pickle.dumps(tuple(wanted)))
                    return self._numbers(path, content, wanted)

                yield content, receive
                if not sent:
                    receive(())
            except BaseException as error:
                # Only after an answer that the file is bad is the process ready for the next.
                if not isinstance(error, _BadFile):
                    self.stop()
                raise

    def _numbers(self, path: Path, content: dict, wanted: Sequence[int]) -> Iterator[np.ndarray]:
        """The numbers of each dataset of each type asked for, some rows at a time."""
        for kind in wanted:
            for dataset in content["particles"][kind]["datasets"].values():
                left = dataset["size"]
                while left:
                    part = np.frombuffer(self._frame(path), dataset["kind"])
                    left -= len(part)
                    yield part

    def _start(self) -> None:
        if self._process is not None and self._owner == os.getpid() and self._process.poll() is None:
            return
        self.stop()
        command = [sys.executable, "-P", "-c", "from galclass.snapshot import serving; serving.serve()"]
        pipe = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        self._process = subprocess.Popen(command, **pipe)
        self._owner = os.getpid()
        with contextlib.suppress(OSError):  # only for speed, and a system may allow less
            fcntl.fcntl(self._process.stdout, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    def _send(self, path: Path, message: bytes) -> None:
        try:
            self._process.stdin.write(struct.pack("<q", len(message)) + message)
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._ended(path) from None

    def _frame(self, path: Path) -> memoryview:
        """The next message, until there is another; a length below 0 announces that the file is bad, and why."""
        size = self._process.stdout.read(8)
        if len(size) < 8:
            raise self._ended(path)
        (length,) = struct.unpack("<q", size)
        if abs(length) > len(self._buffer):
            self._buffer = bytearray(abs(length))
        message = memoryview(self._buffer)[: abs(length)]
        if self._process.stdout.readinto(message) < abs(length):
            raise self._ended(path)
        if length < 0:
            raise _BadFile(bytes(message).decode())
        return message

    def _ended(self, path: Path) -> InputError:
        """Why there is no answer."""
        code = self._process.wait()
        what = f"failed on it ({code})"
        if code == -signal.SIGXCPU:
            what = f"found no end to it in {MAXIMUM_SECONDS} s of work"
        return InputError(f"{path}: HDF5 {what}: the file is damaged; fetch or write it again")

    def stop(self) -> None:
        """End the process if it is ours, not that of the process we were forked from."""
        if self._process is None:
            return
        if self._owner == os.getpid():
            self._process.kill()
            self._process.wait()
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()
        self._process = None


class _BadFile(InputError):
    """The process answered that a file is bad, and waits for the next."""


READER = Reader()
atexit.register(READER.stop)
