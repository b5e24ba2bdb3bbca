"""Snapshots as the HDF5 that yt and pynbody read: right units, time and stars.

The layout is that of GADGET-2's HDF5, of a run that is not cosmological. yt takes kpc, 1e10 Msun and km/s for granted
and the time in their unit from the attribute Time; pynbody takes units from the group Units and the time from
Time_GYR. Both call particles of type 4 stars, so discs and bulges become type 4 unless they are to keep their types.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from galclass import snapshot
from galclass.errors import InputError, raise_failures
from galclass.files import atomic
from galclass.progress import progress
from galclass.snapshot import Snapshot, Units, finding, gadget
from galclass.snapshot.units import CM_PER_KPC, CM_S_PER_KMS, GRAM_PER_MASS
from galclass.units import GYR_PER_TIME

SUFFIXES = (".hdf5", ".h5")
#: How files are called, and folders hardly ever.
_FILE_SUFFIX = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,7}")


def run(inputs: Sequence[Path], output: Path, units: Units | None = None, keep_types: bool = False) -> list[Path]:
    """Write snapshots of any format as HDF5 that yt and pynbody read.

    Parameters
    ----------
    inputs : paths
        As for `galclass.snapshot.find`.
    output : path
        A file (.hdf5) for one snapshot, or a folder for any number of them.
    units : Units, optional
        The units of the inputs, where they do not say them.
    keep_types : bool
        Leave discs and bulges in their types 2 and 3, which yt and pynbody do not take for stars.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    InputError
        A snapshot cannot be read. The others are written before this is raised.
    """
    _require_place(Path(output))
    files = snapshot.find(inputs)
    targets, failures, done = _targets(files, Path(output)), [], []
    for file, target in progress(zip(files, targets, strict=True), len(files), "snapshot convert"):
        try:
            some = snapshot.read(file, units)
            write_hdf5(target, some, keep_types or snapshot.header(file).star_types == (4,))
            done.append(target)
        except InputError as error:
            failures.append(error)
    raise_failures(failures, len(done), Path(output))
    return done


def _require_place(output: Path) -> None:
    """Raise unless a file or folder of this name can be written."""
    kinds = "a folder, or a file that ends in .hdf5 or .h5"
    if output.name.endswith(SUFFIXES) and output.is_dir():
        raise InputError(f"{output}: this is a folder; give {kinds} and is none yet")
    if not output.name.endswith(SUFFIXES) and output.exists() and not output.is_dir():
        raise InputError(f"{output}: this is a file; give {kinds}")
    if not output.name.endswith(SUFFIXES) and _FILE_SUFFIX.fullmatch(output.suffix) and not output.exists():
        raise InputError(f"{output}: snapshots are not written as *{output.suffix}; give {kinds}")
    above = next(folder for folder in output.absolute().parents if folder.exists())
    if not above.is_dir():
        raise InputError(f"{output}: {above.name} is a file and no folder; give {kinds}")


def _targets(files: Sequence[Path], output: Path) -> list[Path]:
    """A file for each snapshot."""
    if output.name.endswith(SUFFIXES):
        if len(files) > 1:
            raise InputError(f"{output}: is one file for {len(files)} snapshots; give the name of a folder")
        return [output]
    targets = [output / f"{finding.stem(file)}.hdf5" for file in files]
    twice = next((target for target in targets if targets.count(target) > 1), None)
    if twice:
        raise InputError(f"{twice}: two of the snapshots would have this name; convert them one by one")
    return targets


def write_hdf5(path: Path | str, particles: Snapshot, keep_types: bool = False) -> None:
    """Write particles as HDF5: positions in double precision, velocities and masses in single.

    Parameters
    ----------
    path : path
        The file; it appears complete or not at all, and the same particles give the same bytes.
    particles : Snapshot
        In any order: the file has them sorted by type.
    keep_types : bool
        Write types 2 and 3 as they are and not as 4.

    Raises
    ------
    InputError
        If there are no particles, or a number is not finite in single precision.
    """
    import h5py

    if len(particles) == 0:
        raise InputError(f"{path}: refuse to write a snapshot without particles; it needs at least one")
    types = particles.types if keep_types else np.where(np.isin(particles.types, (2, 3)), 4, particles.types)
    with atomic(path) as temporary, h5py.File(temporary, "w") as file:
        _write_header(file, particles, np.bincount(types, minlength=6)[:6])
        for kind in np.unique(types):
            group = file.create_group(f"PartType{kind}")
            for name, values in _datasets(Path(path), particles, types == kind).items():
                group[name] = values


def _datasets(path: Path, particles: Snapshot, mask: np.ndarray) -> dict[str, np.ndarray]:
    """What a group of particles holds."""
    with np.errstate(over="ignore"):  # what is too large for single precision is said here
        found = {
            "Coordinates": particles.positions[mask],
            "Velocities": particles.velocities[mask].astype("<f4"),
            "Masses": particles.masses[mask].astype("<f4"),
        }
    for name, values in found.items():
        gadget.require_finite(path, name, values)
    return found | {"ParticleIDs": particles.ids[mask].astype("<u8")}


def _write_header(file, particles: Snapshot, counts: np.ndarray) -> None:
    """Attributes that say counts, time and units; without cosmology."""
    box = particles.box_kpc[0] if len(set(particles.box_kpc)) == 1 else 0.0
    flags = ("Sfr", "Cooling", "StellarAge", "Metals", "Feedback", "DoublePrecision")
    header = file.create_group("Header").attrs
    header["NumPart_ThisFile"] = counts.astype("<i4")
    header["NumPart_Total"] = counts.astype("<u4")
    header["NumPart_Total_HighWord"] = np.zeros(6, "<u4")
    header["MassTable"] = np.zeros(6)
    header["NumFilesPerSnapshot"] = np.int32(1)
    values = {"Time": particles.time, "Time_GYR": particles.time * GYR_PER_TIME, "BoxSize": box, "HubbleParam": 1.0}
    for name, value in (values | dict.fromkeys(("Redshift", "Omega0", "OmegaLambda"), 0.0)).items():
        header[name] = float(value)
    for name in flags:
        header[f"Flag_{name}"] = np.int32(0)
    units = file.create_group("Units").attrs
    units["UnitLength_in_cm"], units["UnitMass_in_g"] = CM_PER_KPC, GRAM_PER_MASS
    units["UnitVelocity_in_cm_per_s"] = CM_S_PER_KMS
