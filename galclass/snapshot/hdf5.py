"""Snapshots in the HDF5 layout of GADGET-2, -3 and -4, AREPO, GIZMO and SWIFT.

All of them have a group Header, and a group PartTypeN with Coordinates, Velocities, Masses and ParticleIDs for each
type of particle. They differ in where the units are, in which factors of a and h numbers carry
(`galclass.snapshot.units`), and in where a cosmological run says that it is one.

Files are read in a process of its own (`galclass.snapshot.isolation`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from galclass.errors import InputError
from galclass.snapshot import datasets
from galclass.snapshot.attributes import first_of, flagged, mass_table, row
from galclass.snapshot.cosmology import Clues, judged
from galclass.snapshot.isolation import READER
from galclass.snapshot.particles import Snapshot
from galclass.snapshot.units import (
    ASSUMED,
    CM_PER_KPC,
    CM_S_PER_KMS,
    GRAM_PER_MASS,
    Header,
    Units,
    in_two_words,
)

# -------------------------------------------------------------------------------------------------- reading


def read_header(path: Path) -> Header:
    """Read what an HDF5 snapshot says about itself.

    Raises
    ------
    InputError
        If HDF5 cannot read it, it is no snapshot, or its header is incomplete.
    """
    with READER.reading(path) as (content, _):
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
    with READER.reading(path) as (content, receive):
        header = _header(path, content)
        wanted = header.wanted(types)
        held = content["particles"]
        for kind in wanted:
            if "error" in held[kind]:
                raise InputError(f"{path}: {held[kind]['error']}")
        return header, _particles(path, header, wanted, held, receive(wanted))


def has_particles(path: Path) -> bool:
    """Whether an HDF5 file has a header and particles, as catalogues of haloes or packs of pictures have not.

    Raises
    ------
    InputError
        If HDF5 cannot read it.
    """
    with READER.reading(path, quick=True) as (content, _):
        return bool(content["particles"])


def sources(path: Path) -> list[Path]:
    """The other files that a virtual file, or one of links, takes its numbers from; none of a usual one.

    Raises
    ------
    InputError
        If HDF5 cannot read it.
    """
    with READER.reading(path, quick=True) as (content, _):
        return content["sources"]


def _particles(
    path: Path, header: Header, wanted: Sequence[int], held: dict, numbers: Iterator[np.ndarray]
) -> Snapshot:
    """Put the numbers of the types wanted together as they arrive."""
    counts = [header.counts[kind] for kind in wanted]
    ends = np.cumsum([0, *counts])
    total = int(ends[-1])
    arrays = {"positions": np.empty((total, 3)), "velocities": np.empty((total, 3)), "masses": np.empty(total)}
    arrays["ids"] = np.arange(1, total + 1)
    formed = np.ones(total)
    for kind, start, end in zip(wanted, ends, ends[1:], strict=False):
        arrays["masses"][start:end] = header.table[kind]
        for name in held[kind]["datasets"]:
            values = {**arrays, "formed": formed}[name]
            _fill(path, values[start:end].reshape(-1), numbers)
    particles = Snapshot(**arrays, types=np.repeat(np.array(wanted, np.int8), counts))
    return particles if not header.wind or (formed > 0).all() else particles._where(formed > 0)


def _fill(path: Path, values: np.ndarray, numbers: Iterator[np.ndarray]) -> None:
    """Fill an array with the numbers that come next."""
    done = 0
    while done < len(values):
        part = next(numbers)
        if values.dtype.kind == "i" and part.dtype.kind == "f":
            _require_whole(path, part)
        with np.errstate(invalid="ignore"):  # a signalling NaN; what is not finite is said by read
            values[done : done + len(part)] = part
        done += len(part)


def _require_whole(path: Path, ids: np.ndarray) -> None:
    """Raise unless identities that are stored as floating-point numbers are whole ones."""
    with np.errstate(invalid="ignore"):
        whole = (np.floor(ids) == ids) & (np.abs(ids) < 2.0**63)
    if not whole.all():
        bad = ids[~whole][0]
        raise InputError(f"{path}: ParticleIDs has {bad}; identities are whole numbers; write the snapshot again")


# --------------------------------------------------------------------------------------------- understanding


def _header(path: Path, content: dict) -> Header:
    """What the attributes of any of the codes say, in one form."""
    head, parameters, cosmology = content["Header"], content["Parameters"], content["Cosmology"]
    if "NumPart_ThisFile" not in head:
        raise InputError(f"{path}: HDF5, but no snapshot: it has no Header with NumPart_ThisFile; give a snapshot")
    counts = [int(count) for count in row(head, "NumPart_ThisFile")]
    for kind, held in content["particles"].items():
        counts[kind] = 0 if held.get("tracers") else counts[kind]
    code = _code(content)
    every = {**cosmology, **head, **parameters}
    omega_m = first_of(every, ("Omega0", "Omega_Matter", "Omega_m"), 0.0)
    time, redshift = first_of(head, ("Time",), 0.0), first_of(head, ("Redshift",), 0.0)
    a = first_of(head, ("Scale-factor", "ExpansionFactor"), time)
    box = _box(code, content)
    h, total = first_of(every, ("HubbleParam", "h"), 0.0), _total(head, counts)
    said = flagged(content)
    comoving, doubts = judged(Clues(a, redshift, omega_m, h, max(box), total, said), content["places"])
    h = h if h != 0 else 1.0
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
        total=total,
        files=max(int(first_of(head, ("NumFilesPerSnapshot",), 1)), 1),
        time=time,
        a=a if comoving else 1.0,
        h=h if comoving else 1.0,
        omega_m=omega_m if comoving else 0.0,
        omega_lambda=first_of(every, ("OmegaLambda", "Omega_Lambda", "Omega_lambda"), 0.0) if comoving else 0.0,
        comoving=comoving,
        box=box,
        units=units,
        time_is_age=code == "SWIFT",
        table=mass_table(head, len(counts)),
        wind=code == "AREPO" and datasets.FORMED in content["names"],
        doubts=doubts,
        **powers,
    )


def _total(head: dict, counts: list[int]) -> tuple[int, ...]:
    """Particles in all pieces, of which the number may be in two words; of one file what it holds."""
    low, high = row(head, "NumPart_Total"), row(head, "NumPart_Total_HighWord")
    if int(first_of(head, ("NumFilesPerSnapshot",), 1)) <= 1 or len(low) != len(counts):
        return tuple(counts)
    high = high if len(high) == len(low) else [0] * len(low)
    return in_two_words(low, high, int(first_of(head, ("NumFilesPerSnapshot",), 1)))


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
    sides = [float(side) for side in row({**content["Parameters"], **content["Header"]}, "BoxSize")]
    swift = first_of(content["RuntimePars"], ("PeriodicBoundariesOn",), 1.0)
    swift *= first_of(content["Parameters"], ("InitialConditions:periodic",), 1.0)
    open_space = swift == 0 or code == "GADGET-4" and not content["periodic"]
    if open_space or len(sides) not in (1, 3) or not all(0 <= side < math.inf for side in sides):
        return (0.0, 0.0, 0.0)
    return tuple(sides * 3)[:3]


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
    found = {name: first_of(every, names, 0.0) for name, names in words.items()}
    time = first_of(every, ("Unit time in cgs (U_t)",), 0.0)
    if not found["velocity"] and time > 0:
        found["velocity"] = found["length"] / time
    return {name: value for name, value in found.items() if 0 < value < math.inf}
