"""Snapshots in the HDF5 layout of GADGET-2, -3 and -4, AREPO, GIZMO and SWIFT.

All of them have a group Header, and a group PartTypeN with Coordinates, Velocities, Masses and ParticleIDs for each
type of particle. They differ in where the units are, in which factors of a and h numbers carry
(`galclass.snapshot.units`), and in where a cosmological run says that it is one.

HDF5 reads its structures in C: damage there can send it round for ever or end the process. So files are read in a
process of its own, which is ended when it has worked too long on one thing, and which then is started again.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import math
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
from galclass.snapshot.particles import Snapshot
from galclass.snapshot.units import (
    ASSUMED,
    CM_PER_KPC,
    CM_S_PER_KMS,
    GRAM_PER_MASS,
    Header,
    Units,
    is_comoving,
)

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


# -------------------------------------------------------------------------------------------------- reading


def read_header(path: Path) -> Header:
    """Read what an HDF5 snapshot says about itself.

    Raises
    ------
    InputError
        If HDF5 cannot read it, it is no snapshot, or its header is incomplete.
    """
    with _READER.reading(path) as (content, _):
        return _header(path, content)


def read_piece(path: Path, types: Sequence[int] | str | None = None) -> tuple[Header, Snapshot]:
    """Read an HDF5 snapshot, or one piece of it, in its own units.

    Parameters
    ----------
    path : Path
        The file; also in an archive or through gzip.
    types : sequence of int, or "stars", optional
        Particle types to read.

    Returns
    -------
    header : Header
    particles : Snapshot
        Ordered by type, numbers as written; without ids they are numbered.

    Raises
    ------
    InputError
        If HDF5 cannot read it, it is no snapshot, or datasets are missing, cut or not as the header says.
    """
    with _READER.reading(path) as (content, receive):
        header = _header(path, content)
        wanted = header.wanted(types)
        held = content["particles"]
        for kind in wanted:
            if "error" in held[kind]:
                raise InputError(f"{path}: {held[kind]['error']}; the file is damaged or no snapshot")
        return header, _particles(header, wanted, held, receive(wanted))


def has_particles(path: Path) -> bool:
    """Whether an HDF5 file has a header and particles, as catalogues of haloes or packs of pictures have not.

    Raises
    ------
    InputError
        If HDF5 cannot read it.
    """
    with _READER.reading(path, quick=True) as (content, _):
        return bool(content["particles"])


def _particles(header: Header, wanted: Sequence[int], held: dict, numbers: Iterator[np.ndarray]) -> Snapshot:
    """Put the numbers of the types wanted together as they arrive."""
    counts = [header.counts[kind] for kind in wanted]
    ends = np.cumsum([0, *counts])
    total = int(ends[-1])
    arrays = {"positions": np.empty((total, 3)), "velocities": np.empty((total, 3)), "masses": np.empty(total)}
    arrays["ids"] = np.arange(1, total + 1)
    for kind, start, end in zip(wanted, ends, ends[1:], strict=False):
        arrays["masses"][start:end] = header.table[kind]
        for name in held[kind]["datasets"]:
            _fill(arrays[name][start:end].reshape(-1), numbers)
    return Snapshot(**arrays, types=np.repeat(np.array(wanted, np.int8), counts))


def _fill(values: np.ndarray, numbers: Iterator[np.ndarray]) -> None:
    """Fill an array with the numbers that come next."""
    done = 0
    while done < len(values):
        part = next(numbers)
        values[done : done + len(part)] = part
        done += len(part)


# --------------------------------------------------------------------------------------------- understanding


def _header(path: Path, content: dict) -> Header:
    """What the attributes of any of the codes say, in one form."""
    head, parameters, cosmology = content["Header"], content["Parameters"], content["Cosmology"]
    if "NumPart_ThisFile" not in head:
        raise InputError(f"{path}: HDF5, but no snapshot: it has no Header with NumPart_ThisFile; give a snapshot")
    counts = [int(count) for count in _row(head, "NumPart_ThisFile")]
    for kind, held in content["particles"].items():
        counts[kind] = 0 if held.get("tracers") else counts[kind]
    code = _code(content)
    every = {**cosmology, **head, **parameters}
    omega_m = _first(every, ("Omega0", "Omega_Matter", "Omega_m"), 0.0)
    time, redshift = _first(head, ("Time",), 0.0), _first(head, ("Redshift",), 0.0)
    a = _first(head, ("Scale-factor", "ExpansionFactor"), time)
    box = _box(code, content)
    comoving = _comoving(content, a, redshift, omega_m, max(box))
    h = _first(every, ("HubbleParam", "h"), 1.0)
    if not math.isfinite(time) or comoving and not (0 < a < math.inf and 0 < h < 10 and 0 < omega_m < math.inf):
        raise InputError(
            f"{path}: its header says time {time}, expansion factor {a}, h {h}, Omega0 {omega_m}: no time of a"
            " simulation; the file is damaged"
        )
    units, powers = _units(content, code)
    return Header(
        format="HDF5",
        code=code,
        counts=tuple(counts),
        total=_total(head, counts),
        files=max(int(_first(head, ("NumFilesPerSnapshot",), 1)), 1),
        time=time,
        a=a if comoving else 1.0,
        h=h if comoving else 1.0,
        omega_m=omega_m if comoving else 0.0,
        omega_lambda=_first(every, ("OmegaLambda", "Omega_Lambda", "Omega_lambda"), 0.0) if comoving else 0.0,
        comoving=comoving,
        box=box,
        units=units,
        time_is_age=code == "SWIFT",
        table=_table(head, len(counts)),
        **powers,
    )


def _row(attributes: dict, name: str) -> list:
    """An attribute as a list, though some codes write a number alone."""
    value = attributes.get(name, [])
    return value if isinstance(value, list) else [value]


def _first(attributes: dict, names: Sequence[str], otherwise: float) -> float:
    """The first of some attributes that is there, as a number, though some codes write rows of one."""
    for name in names:
        value = _row(attributes, name)
        with contextlib.suppress(TypeError, ValueError, IndexError):
            return float(value[0])
    return otherwise


def _table(head: dict, kinds: int) -> tuple[float, ...]:
    masses = [float(mass) for mass in _row(head, "MassTable")]
    return tuple((masses + [0.0] * kinds)[:kinds])


def _total(head: dict, counts: list[int]) -> tuple[int, ...]:
    """Particles in all pieces, of which the number may be in two words; of one file what it holds."""
    low, high = _row(head, "NumPart_Total"), _row(head, "NumPart_Total_HighWord")
    if int(_first(head, ("NumFilesPerSnapshot",), 1)) <= 1 or len(low) != len(counts):
        return tuple(counts)
    high = high if len(high) == len(low) else [0] * len(low)
    return tuple(int(n) + (int(more) << 32) for n, more in zip(low, high, strict=True))


def _code(content: dict) -> str:
    """Which code wrote a file, by what only its files have."""
    head, names = content["Header"], content["names"]
    if head.get("Code") == "SWIFT" or "Unit length in cgs (U_L)" in content["Units"]:
        return "SWIFT"
    if "GIZMO_version" in head or "UnitLength_In_CGS" in head or "ParticleIDGenerationNumber" in names:
        return "GIZMO"
    if "VORONOI" in content["Config"] or "Composition_vector_length" in head or "TracerID" in names:
        return "AREPO"
    if any(name.startswith("GFM_") for name in names):
        return "AREPO"
    if "RunLabel" in head:
        return "GADGET-3 (EAGLE)"
    return "GADGET-4" if content["Parameters"] and "Git_commit" in head else "GADGET"


def _box(code: str, content: dict) -> tuple[float, float, float]:
    """Sides of the periodic box, unless the file says that there is none."""
    sides = [float(side) for side in _row({**content["Parameters"], **content["Header"]}, "BoxSize")]
    swift = _first(content["RuntimePars"], ("PeriodicBoundariesOn",), 1.0)
    swift *= _first(content["Parameters"], ("InitialConditions:periodic",), 1.0)
    open_space = swift == 0 or code == "GADGET-4" and not content["periodic"]
    if open_space or len(sides) not in (1, 3) or not all(0 <= side < math.inf for side in sides):
        return (0.0, 0.0, 0.0)
    return tuple(sides * 3)[:3]


def _comoving(content: dict, a: float, redshift: float, omega_m: float, box: float) -> bool:
    """Whether it is a cosmological run: by the flag of its code, or by its time and redshift."""
    flags = {**content["Policy"], **content["Cosmology"], **content["Header"], **content["Parameters"]}
    names = ("ComovingIntegrationOn", "Cosmological run", "cosmological integration")
    said = _first(flags, names, -1.0)
    return is_comoving(a, redshift, omega_m, box) if said < 0 else said > 0


def _units(content: dict, code: str) -> tuple[Units, dict]:
    """The units of a file and the powers of a and h, those that datasets give for themselves first."""
    named = _named_units(content)
    powers = {
        "GIZMO": {"length": (1.0, 0.0), "velocity": (0.5, 0.0), "mass": (0.0, 0.0)},
        "SWIFT": {"length": (1.0, 0.0), "velocity": (0.0, 0.0), "mass": (0.0, 0.0)},
    }.get(code if named else "", {})  # GIZMO without units in its header is read as GADGET's, with 1/h
    scale = {"length": CM_PER_KPC, "mass": GRAM_PER_MASS, "velocity": CM_S_PER_KMS}
    values = {name: named.get(name) for name in scale}
    for name, (unit, *power) in content["scales"].items():
        if 0 < unit < math.inf:
            values[name], powers[name] = unit, tuple(power)
    found = [name for name, value in values.items() if value]
    ours = {name: values[name] / scale[name] if name in found else 1.0 for name in scale}
    how = "file" if len(found) == 3 else f"file: {', '.join(found)}; the rest: assumed" if found else ASSUMED.found
    return Units(ours["length"], ours["mass"], ours["velocity"], how), powers


def _named_units(content: dict) -> dict[str, float]:
    """Units in cgs that attributes of the whole file name, in the words of the different codes."""
    every = {**content["Header"], **content["Parameters"], **content["Units"]}
    words = {
        "length": ("UnitLength_in_cm", "UnitLength_In_CGS", "Unit length in cgs (U_L)"),
        "mass": ("UnitMass_in_g", "UnitMass_In_CGS", "Unit mass in cgs (U_M)"),
        "velocity": ("UnitVelocity_in_cm_per_s", "UnitVelocity_In_CGS"),
    }
    found = {name: _first(every, names, 0.0) for name, names in words.items()}
    time = _first(every, ("Unit time in cgs (U_t)",), 0.0)
    if not found["velocity"] and time > 0:
        found["velocity"] = found["length"] / time
    return {name: value for name, value in found.items() if 0 < value < math.inf}


# ------------------------------------------------------------------------------------------ asking the process


class _Reader:
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
        command = [sys.executable, "-P", "-c", "from galclass.snapshot import hdf5; hdf5.serve()"]
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


_READER = _Reader()
atexit.register(_READER.stop)


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
    counts = _row(content["Header"], "NumPart_ThisFile")
    table = _table(content["Header"], len(counts))
    content["particles"] = {
        kind: _particle_type(path, kind, groups.get(kind), int(count), table[kind])
        for kind, count in enumerate(counts)
        if count
    }
    content["scales"] = _scales(groups)
    return content


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
                        found[quantity] = tuple(_first({0: _plain(attributes[word])}, (0,), 0.0) for word in words)
    return found
