"""HDF5 read in a process of its own, which is ended when it has worked too long on one thing, and then started again.

HDF5 reads its structures in C: damage there can send it round for ever or end the process.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import pickle
import resource
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from galclass.errors import InputError
from galclass.snapshot.finding import opened

#: Names that datasets have, in the order in which they are looked for; those of EAGLE and of SWIFT's black holes last.
_DATASETS = {
    "positions": ("Coordinates",),
    "velocities": ("Velocities", "Velocity"),
    "masses": ("Masses", "Mass", "DynamicalMasses"),
    "ids": ("ParticleIDs",),
}
_ATTRIBUTES = {
    "Header": (
        "NumPart_ThisFile", "NumPart_Total", "NumPart_Total_HighWord", "MassTable", "Time", "Redshift", "BoxSize",
        "NumFilesPerSnapshot", "Omega0", "OmegaLambda", "Omega_Matter", "Omega_Lambda", "HubbleParam", "Code",
        "ComovingIntegrationOn", "Scale-factor", "ExpansionFactor", "GIZMO_version", "Git_commit", "RunLabel",
        "Composition_vector_length", "UnitLength_In_CGS", "UnitMass_In_CGS", "UnitVelocity_In_CGS",
        "UnitLength_in_cm", "UnitMass_in_g", "UnitVelocity_in_cm_per_s",
    ),
    "Parameters": (
        "ComovingIntegrationOn", "Omega0", "OmegaLambda", "HubbleParam", "BoxSize", "UnitLength_in_cm",
        "UnitMass_in_g", "UnitVelocity_in_cm_per_s", "InitialConditions:periodic",
    ),
    "Units": (
        "UnitLength_in_cm", "UnitMass_in_g", "UnitVelocity_in_cm_per_s", "Unit length in cgs (U_L)",
        "Unit mass in cgs (U_M)", "Unit time in cgs (U_t)",
    ),
    "Cosmology": ("Cosmological run", "h", "Omega_m", "Omega_lambda"),
    "Policy": ("cosmological integration",),
    "RuntimePars": ("PeriodicBoundariesOn",),
    "Config": ("VORONOI", "PERIODIC"),
}  # fmt: skip
#: What datasets say of their numbers: unit in cgs, powers of a and h (GADGET-4 and AREPO, EAGLE, SWIFT).
_SCALES = (
    ("to_cgs", "a_scaling", "h_scaling"),
    ("CGSConversionFactor", "aexp-scale-exponent", "h-scale-exponent"),
    ("Conversion factor to CGS (not including cosmological corrections)", "a-scale exponent", "h-scale exponent"),
)  # fmt: skip

#: Rows of a dataset that are read at a time; seconds of work that one step may take before the file counts as
#: damaged (a step takes milliseconds; waiting for a slow disk is not work); and what no compression surpasses.
_ROWS, MAXIMUM_SECONDS, _MOST_COMPRESSION = 1 << 17, 10, 1100
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
                self._send(path, pickle.dumps((str(path), MAXIMUM_SECONDS, quick)))
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
        command = [sys.executable, "-P", "-c", "from galclass.snapshot import isolation; isolation.serve()"]
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


# ----------------------------------------------------------------------------------- attributes, on both sides


def row(attributes: dict, name: str) -> list:
    """An attribute as a list, though some codes write a number alone."""
    value = attributes.get(name, [])
    return value if isinstance(value, list) else [value]


def first_of(attributes: dict, names: Sequence[str], otherwise: float) -> float:
    """The first of some attributes that is there, as a number, though some codes write rows of one."""
    for name in names:
        value = row(attributes, name)
        with contextlib.suppress(TypeError, ValueError, IndexError):
            return float(value[0])
    return otherwise


def mass_table(head: dict, kinds: int) -> tuple[float, ...]:
    masses = [float(mass) for mass in row(head, "MassTable")]
    return tuple((masses + [0.0] * kinds)[:kinds])


# ------------------------------------------------------------------------------------------- in that process


def serve() -> None:
    """Answer requests on standard input: what a file holds, then the numbers that are wanted of it."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while size := sys.stdin.buffer.read(8):
        path, seconds, quick = pickle.loads(sys.stdin.buffer.read(struct.unpack("<q", size)[0]))
        _limit_work(seconds)
        try:
            _answer(Path(path), seconds, quick)
        except Exception as error:  # h5py raises almost any kind on damaged files
            text = str(error) if isinstance(error, InputError) else _in_words(path, error)
            _reply(text.encode(), -1)


def _answer(path: Path, seconds: int, quick: bool) -> None:
    import h5py

    with opened(path) as stream, h5py.File(stream, "r") as file:
        content = _kinds(file) if quick else _content(path, file)
        _reply(pickle.dumps(content))
        size = struct.unpack("<q", sys.stdin.buffer.read(8))[0]
        for kind in pickle.loads(sys.stdin.buffer.read(size)):
            for dataset in content["particles"][kind]["datasets"].values():
                _send_numbers(file[f"PartType{kind}"][dataset["name"]], seconds)


def _send_numbers(dataset: Any, seconds: int) -> None:
    for start in range(0, len(dataset), _ROWS):
        _limit_work(seconds)
        _reply(np.ascontiguousarray(dataset[start : start + _ROWS]))


def _reply(message: Any, sign: int = 1) -> None:
    view = memoryview(message).cast("B")
    sys.stdout.buffer.write(struct.pack("<q", sign * len(view)))
    sys.stdout.buffer.write(view)
    sys.stdout.buffer.flush()


def _limit_work(seconds: int) -> None:
    """End this process when it works on from here for longer than a step of any good file takes."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    until = int(used.ru_utime + used.ru_stime) + 1 + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (until, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _in_words(path: Path, error: Exception) -> str:
    words = " ".join(str(error).split())[:200] or type(error).__name__
    return f"{path}: HDF5 cannot read it ({words}): cut short, damaged or no snapshot; fetch or write it again"


def _kinds(file: Any) -> dict:
    """The types of particles that a file with a header has."""
    return {"particles": [name for name in file if name.startswith("PartType")] if "Header" in file else []}


def _content(path: Path, file: Any) -> dict:
    """Attributes and datasets of a file, as far as any of the codes needs them."""
    content = {group: _attributes(file, group, names) for group, names in _ATTRIBUTES.items()}
    content["periodic"] = "Config" not in file or "PERIODIC" in content["Config"]
    groups = {kind: file[f"PartType{kind}"] for kind in range(6) if f"PartType{kind}" in file}
    content["names"] = sorted({name for group in groups.values() for name in group})
    counts = row(content["Header"], "NumPart_ThisFile")
    _require_counted(path, groups, counts)
    table = mass_table(content["Header"], len(counts))
    content["particles"] = {
        kind: _particle_type(path, kind, groups.get(kind), int(count), table[kind])
        for kind, count in enumerate(counts)
        if count
    }
    content["scales"] = _scales(groups)
    return content


def _require_counted(path: Path, groups: dict, counts: list) -> None:
    """Raise if there are particles of which the header says nothing: they would be left out."""
    for kind, group in groups.items():
        stored = len(group["Coordinates"]) if "Coordinates" in group else 0
        if counts and stored and not (kind < len(counts) and counts[kind]):
            raise InputError(
                f"{path}: the header counts no particles of type {kind}, PartType{kind} holds {stored}:"
                " the file is damaged; fetch or write it again"
            )


def _attributes(file: Any, group: str, names: Sequence[str]) -> dict:
    """Those attributes of a group that are there, as numbers, lists of numbers or text."""
    attributes = file[group].attrs if group in file else {}
    return {name: _plain(attributes[name]) for name in names if name in attributes}


def _plain(value: Any) -> Any:
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value.decode("latin1") if isinstance(value, bytes) else value


def _particle_type(path: Path, kind: int, group: Any, count: int, mass: float) -> dict:
    """The datasets of a type of particle, or what is wrong with them, which only matters if they are wanted."""
    if group is not None and "TracerID" in group and "Coordinates" not in group:
        return {"tracers": True, "datasets": {}}  # AREPO's have no place of their own
    try:
        return {"datasets": _datasets(path, kind, group, count, mass)}
    except InputError as error:
        return {"error": str(error), "datasets": {}}


def _datasets(path: Path, kind: int, group: Any, count: int, mass: float) -> dict:
    found = {}
    for what, names in _DATASETS.items():
        name = next((name for name in names if group is not None and name in group), None)
        if name is not None:
            found[what] = _dataset(path, f"PartType{kind}/{name}", group[name], count, what)
        elif what in ("positions", "velocities") or what == "masses" and mass == 0:
            raise InputError(f"PartType{kind} of {count} particles has no {names[0]}")
    return found


def _dataset(path: Path, name: str, dataset: Any, count: int, what: str) -> dict:
    """Where and how a dataset is stored, once it is known to hold what the header says."""
    size = count * (3 if what in ("positions", "velocities") else 1)
    if what == "ids" and dataset.dtype.kind not in "iu":
        raise InputError(f"{name} is {dataset.dtype}; identities are whole numbers")
    if dataset.size != size or dataset.dtype.kind not in "fiu" or dataset.dtype.itemsize > 8:
        raise InputError(f"{name} is {dataset.dtype} of shape {dataset.shape}; the header says {count} particles")
    stored = dataset.id.get_storage_size() * (_MOST_COMPRESSION if dataset.chunks else 1)
    if dataset.is_virtual:
        _require_sources(path, name, dataset)
    elif dataset.external or stored < size * dataset.dtype.itemsize:
        raise InputError(f"{name} has no data for {count} particles in the file")
    return {"name": name.split("/")[1], "kind": dataset.dtype.newbyteorder("=").str, "size": size}


def _require_sources(path: Path, name: str, dataset: Any) -> None:
    """Raise unless the files that a virtual dataset takes its numbers from are there: it would be zeros."""
    for source in dataset.virtual_sources():
        if source.file_name != "." and not (path.parent / source.file_name).is_file():
            raise InputError(f"{name} takes its numbers from {source.file_name}, which is missing")


def _scales(groups: dict) -> dict[str, tuple[float, float, float]]:
    """Unit in cgs and powers of a and h that datasets give for lengths, velocities and masses."""
    found: dict[str, tuple[float, float, float]] = {}
    for quantity, what in (("length", "positions"), ("velocity", "velocities"), ("mass", "masses")):
        for group in groups.values():
            for name in _DATASETS[what]:
                attributes = group[name].attrs if name in group else {}
                for words in _SCALES:
                    if quantity not in found and all(word in attributes for word in words):
                        found[quantity] = tuple(first_of({0: _plain(attributes[word])}, (0,), 0.0) for word in words)
    return found
