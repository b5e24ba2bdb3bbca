"""The process that opens HDF5 files for `galclass.snapshot.isolation`: it answers what they hold and sends numbers."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import resource
import struct
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from galclass.errors import InputError
from galclass.snapshot import datasets
from galclass.snapshot.attributes import first_of, flagged, mass_table, plain, row
from galclass.snapshot.cosmology import NOWHERE, SAMPLE, SAMPLES
from galclass.snapshot.finding import opened

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

#: Rows of a dataset that are read at a time.
_ROWS = 1 << 17


def serve() -> None:
    """Answer requests on standard input: what a file holds, then the numbers that are wanted of it."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.chdir("/")  # HDF5 looks for the sources of virtual datasets in the working folder, too
    while size := sys.stdin.buffer.read(8):
        path, name, seconds, quick = pickle.loads(sys.stdin.buffer.read(struct.unpack("<q", size)[0]))
        _limit_work(seconds)
        try:
            _answer(Path(path), seconds, quick)
        except Exception as error:  # h5py raises almost any kind on damaged files
            text = str(error) if isinstance(error, InputError) else _in_words(path, error)
            _reply(text.replace(path, name).encode(errors="replace"), -1)


def _answer(path: Path, seconds: int, quick: bool) -> None:
    with _hdf5(path) as file:
        content = _kinds(file) if quick else _content(path, file, seconds)
        _reply(pickle.dumps(content))
        size = struct.unpack("<q", sys.stdin.buffer.read(8))[0]
        for kind in pickle.loads(sys.stdin.buffer.read(size)):
            for dataset in content["particles"][kind]["datasets"].values():
                _send_numbers(file[f"PartType{kind}"][dataset["name"]], seconds)


@contextlib.contextmanager
def _hdf5(path: Path) -> Iterator[Any]:
    """A file opened by its name where it lies on the disk: only so HDF5 finds other files that it points to."""
    import h5py

    with opened(path) as stream:
        packed = isinstance(stream, io.BytesIO)
        with h5py.File(stream, "r") if packed else h5py.File(path, "r", locking=False) as file:
            yield file


def _send_numbers(dataset: Any, seconds: int) -> None:
    for start in range(0, len(dataset), _ROWS):
        _limit_work(seconds)
        _reply(np.ascontiguousarray(dataset[start : start + _ROWS], dataset.dtype.newbyteorder("=")))


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
    """The types of particles that a file with a header has, and the other files that it takes their numbers from."""
    kinds = [name for name in file if name.startswith("PartType")] if "Header" in file else []
    return {"particles": kinds, "sources": datasets.sources(file)}


def _content(path: Path, file: Any, seconds: int) -> dict:
    """Attributes and datasets of a file, as far as any of the codes needs them."""
    content = {group: _attributes(file, group, names) for group, names in _ATTRIBUTES.items()}
    content["periodic"] = "Config" not in file or "PERIODIC" in content["Config"]
    groups = {kind: group for kind in range(6) if (group := datasets.reached(file, f"PartType{kind}")) is not None}
    content["names"] = sorted({name for group in groups.values() for name in group})
    counts = row(content["Header"], "NumPart_ThisFile")
    _require_counted(path, groups, counts)
    table = mass_table(content["Header"], len(counts))
    content["particles"] = {}
    for kind in (kind for kind, count in enumerate(counts) if count):
        _limit_work(seconds)  # virtual datasets may have thousands of sources
        content["particles"][kind] = datasets.of_type(file, kind, int(counts[kind]), table[kind])
    content["scales"] = _scales(groups)
    content["places"] = _places(groups, content) if flagged(content) is None else NOWHERE
    return content


def _places(groups: dict, content: dict) -> np.ndarray:
    """Where a sample of the particles lies, shape (n, 3); only of files that may be of a cosmological run today."""
    head = content["Header"]
    if first_of(head, ("Redshift",), 0.0) != 0 or abs(first_of(head, ("Time",), 0.0) - 1) > 0.5:
        return NOWHERE
    parts = [NOWHERE]
    for kind, held in content["particles"].items():
        if "positions" in held["datasets"]:
            dataset = groups[kind]["Coordinates"]
            starts = range(0, len(dataset), len(dataset) // SAMPLES + 1)
            with contextlib.suppress(OSError, RuntimeError):  # what is damaged only matters if it is wanted
                parts += [dataset[start : start + SAMPLE] for start in starts]
    return np.concatenate(parts)


def _require_counted(path: Path, groups: dict, counts: list) -> None:
    """Raise if there are particles of which the header says nothing: they would be left out."""
    for kind, group in groups.items():
        positions = datasets.reached(group, "Coordinates")
        stored = 0 if positions is None else len(positions)
        if counts and stored and not (kind < len(counts) and counts[kind]):
            raise InputError(
                f"{path}: the header counts no particles of type {kind}, PartType{kind} holds {stored}:"
                " the file is damaged; fetch or write it again"
            )


def _attributes(file: Any, group: str, names: Sequence[str]) -> dict:
    """Those attributes of a group that are there, as numbers, lists of numbers or text."""
    attributes = file[group].attrs if group in file else {}
    return {name: plain(attributes[name]) for name in names if name in attributes}


def _scales(groups: dict) -> dict[str, tuple[float, float, float]]:
    """Unit in cgs and powers of a and h that datasets give for lengths, velocities and masses."""
    found: dict[str, tuple[float, float, float]] = {}
    for quantity, what in (("length", "positions"), ("velocity", "velocities"), ("mass", "masses")):
        for group in groups.values():
            for name in datasets.NAMES[what]:
                dataset = datasets.reached(group, name)
                attributes = {} if dataset is None else dataset.attrs
                for words in _SCALES:
                    if quantity not in found and all(word in attributes for word in words):
                        found[quantity] = tuple(first_of({0: plain(attributes[word])}, (0,), 0.0) for word in words)
    return found
