"""Datasets of HDF5 snapshots: whether they hold what the header says, in the file or in those that it points to.

HDF5 gives zeros for whatever is not there: chunks that were never written, sources of virtual datasets that are missing
or too short. So each is looked for before anything is read.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from galclass.errors import InputError

#: Names that datasets have, in the order in which they are looked for; those of EAGLE and of SWIFT's black holes last.
NAMES = {
    "positions": ("Coordinates",),
    "velocities": ("Velocities", "Velocity"),
    "masses": ("Masses", "Mass", "DynamicalMasses"),
    "ids": ("ParticleIDs",),
}
#: When a star of AREPO formed; particles of type 4 where this is not above 0 are wind, that is gas.
FORMED = "GFM_StellarFormationTime"

#: What no compression surpasses.
_MOST_COMPRESSION = 1100
#: What h5py raises on damaged files.
_SPOILT = (AttributeError, KeyError, OSError, RuntimeError, TypeError, ValueError)
_DAMAGED = "the file is damaged or no snapshot"


def of_type(file: Any, kind: int, count: int, mass: float) -> dict:
    """The datasets of a type of particle, or what is wrong with them, which only matters if they are wanted.

    Parameters
    ----------
    file : h5py.File
        The file, opened by its name, or else through a stream.
    kind, count : int
        The type, and how many particles the header says it has.
    mass : float
        The mass of each, 0 where each has its own.

    Returns
    -------
    dict
        datasets (what: name, kind of number, size), and error, or tracers, where it has no place of its own.
    """
    try:
        group = linked(file, f"PartType{kind}")
        if group is not None and "TracerID" in group and "Coordinates" not in group:
            return {"tracers": True, "datasets": {}}  # AREPO's have no place of their own
        return {"datasets": _datasets(kind, group, count, mass)}
    except InputError as error:
        return {"error": str(error), "datasets": {}}


def linked(group: Any, name: str) -> Any:
    """What a group has by a name; None where there is nothing.

    Raises
    ------
    InputError
        If it is in another file that is missing, or that cannot be found from within an archive or gzip.
    """
    elsewhere = _other_file(group, name)
    if not elsewhere:
        return group[name] if name in group else None
    if group.file.driver == "fileobj":
        raise InputError(f"{name} is in another file, {elsewhere}; unpack this one beside it")
    try:
        return group[name]
    except (KeyError, OSError):
        raise InputError(f"{name} is in another file, {elsewhere}, which is missing or damaged; fetch it") from None


def reached(group: Any, name: str) -> Any:
    """The same, but None also where it cannot be reached, which only matters if it is wanted."""
    with contextlib.suppress(InputError):
        return linked(group, name)
    return None


def _other_file(group: Any, name: str) -> str:
    """The file that a name of a group leads to; nothing if it is this one."""
    import h5py

    links, key = group.id.links, name.encode()
    if not links.exists(key) or links.get_info(key).type != h5py.h5l.TYPE_EXTERNAL:
        return ""
    return os.fsdecode(links.get_val(key)[0])


def sources(file: Any) -> list[Path]:
    """The other files that a file takes numbers from, each once; those that are missing are left out."""
    found: dict[Path, None] = {}
    path = Path(file.filename)
    for kind in (name for name in file if name.startswith("PartType")):
        names: list[str] = []
        with contextlib.suppress(*_SPOILT):  # found when it is read
            elsewhere = _other_file(file, kind)
            names = [elsewhere] if elsewhere else _sources_of(file[kind])
        found |= dict.fromkeys(other for name in names if (other := _beside(path, name)))
    return list(found)


def _sources_of(group: Any) -> list[str]:
    """The other files that the datasets of a type of particle take their numbers from."""
    names = [name for what in NAMES.values() for name in what]
    found = [elsewhere for name in names if (elsewhere := _other_file(group, name))]
    for dataset in (group[name] for name in names if not found and name in group):
        found += [source.file for source in _sources_mapped(dataset) if source.file != "."]
    return found


def _datasets(kind: int, group: Any, count: int, mass: float) -> dict:
    found = {}
    for what, names in NAMES.items():
        held = {name: linked(group, name) for name in names} if group is not None else {}
        name = next((name for name in held if held[name] is not None), None)
        if name is not None:
            found[what] = _dataset(f"PartType{kind}/{name}", held[name], count, what)
        elif what in ("positions", "velocities") or what == "masses" and mass == 0:
            raise InputError(f"PartType{kind} of {count} particles has no {names[0]}; {_DAMAGED}")
    if kind == 4 and group is not None and FORMED in group:
        found["formed"] = _dataset(f"PartType4/{FORMED}", group[FORMED], count, "formed")
    return found


def _dataset(name: str, dataset: Any, count: int, what: str) -> dict:
    """Where and how a dataset is stored, once it is known to hold what the header says."""
    shapes = [(count, 3)] if what in ("positions", "velocities") else [(count,), (count, 1)]
    if dataset.shape not in shapes or dataset.dtype.kind not in "fiu" or dataset.dtype.itemsize > 8:
        raise InputError(
            f"{name} is {dataset.dtype} of shape {dataset.shape}; the header says {count} particles; {_DAMAGED}"
        )
    if dataset.is_virtual:
        _require_sources(name, dataset)
    else:
        _require_stored(name, dataset)
    return {"name": name.split("/")[1], "kind": dataset.dtype.newbyteorder("=").str, "size": dataset.size}


def _require_stored(name: str, dataset: Any) -> None:
    """Raise unless all numbers of a dataset are in the file."""
    stored = dataset.id.get_storage_size() * (_MOST_COMPRESSION if dataset.chunks else 1)
    if dataset.external or stored < dataset.size * dataset.dtype.itemsize:
        raise InputError(f"{name} has no data for {dataset.shape[0]} particles in the file; {_DAMAGED}")
    if dataset.chunks and dataset.id.get_num_chunks() < _chunks(dataset):
        raise InputError(f"{name} has no data for some of its {dataset.shape[0]} particles; {_DAMAGED}")


def _chunks(dataset: Any) -> int:
    """How many chunks a dataset takes."""
    return math.prod(-(-length // chunk) for length, chunk in zip(dataset.shape, dataset.chunks, strict=True))


@dataclass(frozen=True)
class _Source:
    """What a virtual dataset takes from another one: file, name, how many numbers, and which of it."""

    file: str
    name: str
    numbers: int
    space: Any


def _sources_mapped(dataset: Any) -> Iterator[_Source]:
    """The sources of a virtual dataset, but for those of nothing, since SWIFT maps also ranks without particles."""
    maps = dataset.id.get_create_plist()
    for k in range(maps.get_virtual_count() if dataset.is_virtual else 0):
        numbers = maps.get_virtual_vspace(k).get_select_npoints()
        if numbers:
            name = maps.get_virtual_dsetname(k)
            yield _Source(maps.get_virtual_filename(k), name, numbers, maps.get_virtual_srcspace(k))


def _require_sources(name: str, dataset: Any) -> None:
    """Raise unless the datasets that a virtual one takes its numbers from hold them all."""
    mapped = 0
    for source in _sources_mapped(dataset):
        _require_source(name, dataset, source)
        mapped += source.numbers
    if mapped < dataset.size:
        raise InputError(f"{name} takes {mapped} of its {dataset.size} numbers from somewhere; {_DAMAGED}")


def _require_source(name: str, dataset: Any, source: _Source) -> None:
    import h5py

    if source.file == ".":
        _require_held(name, dataset.file, source)
        return
    what = f"{name} takes its numbers from {source.file}"
    if dataset.file.driver == "fileobj":
        raise InputError(f"{what}; unpack this file beside it")
    other = _beside(Path(dataset.file.filename), source.file)
    if other is None:
        raise InputError(f"{what}, which is missing; fetch it")
    try:
        with h5py.File(other, "r", locking=False) as held:
            _require_held(name, held, source)
    except OSError:
        raise InputError(f"{what}, which is damaged; fetch it again") from None


def _require_held(name: str, held: Any, source: _Source) -> None:
    """Raise unless a file has the numbers that a source of a virtual dataset selects from it."""
    import h5py

    what = f"{name} takes its numbers from {source.name} of {source.file}"
    dataset = held[source.name] if source.name in held else None
    if not isinstance(dataset, h5py.Dataset) or dataset.is_virtual:
        raise InputError(f"{what}, which has no such numbers; fetch it again")
    if source.space.get_select_type() == h5py.h5s.SEL_ALL:
        short = dataset.size < source.numbers
    else:
        last = source.space.get_select_bounds()[1]
        short = len(last) != dataset.ndim or any(n <= k for n, k in zip(dataset.shape, last, strict=True))
    if short:
        raise InputError(f"{what}, which has fewer; fetch it again")
    try:
        _require_stored(source.name, dataset)
    except InputError:
        raise InputError(f"{what}, which has no data for some; fetch it again") from None


def _beside(path: Path, name: str) -> Path | None:
    """The file of a name in another file as HDF5 looks for it: as it is, and beside that one or what that links to."""
    folders = (path.parent, path.resolve().parent)
    names = (name, Path(name).name) if Path(name).is_absolute() else (name,)
    return next((folder / one for one in names for folder in folders if (folder / one).is_file()), None)
