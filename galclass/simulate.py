"""The simulations: the Fortran programs `merger` and `shape`, driven by namelists written from the configuration."""

import json
import math
import subprocess
import sys
from pathlib import Path

from galclass import provenance
from galclass.errors import ProgramError
from galclass.files import require_file, write_text
from galclass.progress import progress
from galclass.units import GYR_PER_TIME

#: Height of a shape model over its short half-axis; it matters only where a model is tilted.
_SHAPE_HEIGHT_OVER_MINOR = 0.2


def run_merger(initial: Path, program: Path, settings: dict, threads: int, output: Path) -> None:
    """Evolve the initial conditions `initial` to a folder of snapshots and an energy log.

    Parameters
    ----------
    initial : path
        GADGET file written by the stage `initial`.
    program : path
        The compiled program `merger`.
    settings : dict
        The section `simulate` of the configuration.
    threads : int
        OpenMP threads; the snapshots have the same bytes for any number of them.
    output : path
        Folder for snapshot_000.dat ..., energy.csv, merger.nml and provenance.json.
    """
    require_file(initial)
    output.mkdir(parents=True, exist_ok=True)
    namelist = output / "merger.nml"
    write_text(namelist, merger_namelist(initial, output, settings, threads))
    _call(program, namelist)
    record = provenance.record("simulate", [initial, program], settings)
    write_text(output / "provenance.json", json.dumps(record, indent=1))


def run_shapes(models: list[dict], program: Path, particles: int, output: Path) -> None:
    """Make one particle galaxy for each row of the shape table, as OUTPUT/MODEL.dat.

    Parameters
    ----------
    models : list of dict
        Rows of the shape table.
    program : path
        The compiled program `shape`.
    particles : int
        Particles of each model.
    output : path
        Folder of the snapshots.
    """
    output.mkdir(parents=True, exist_ok=True)
    for model in progress(models, len(models), "shape models"):
        namelist = output / f"{model['model']}.nml"
        write_text(namelist, shape_namelist(model, particles, output))
        _call(program, namelist)
    record = provenance.record("simulate", [program], {"models": models, "particles": particles})
    write_text(output / "provenance.json", json.dumps(record, indent=1))


def merger_namelist(initial: Path, output: Path, settings: dict, threads: int) -> str:
    """The namelist of a merger: whole steps between snapshots, none longer than the step asked for."""
    interval = settings["end_time_gyr"] / GYR_PER_TIME / settings["snapshots"]
    steps = math.ceil(interval / (settings["time_step_gyr"] / GYR_PER_TIME) * (1 - 1e-12))
    return _namelist("merger", {
        "initial": str(initial), "output": str(output), "time_step": interval / steps, "steps_per_snapshot": steps,
        "snapshots": settings["snapshots"], "softening": settings["softening_kpc"],
        "precision": settings["precision"], "threads": threads,
    })  # fmt: skip


def shape_namelist(model: dict, particles: int, output: Path) -> str:
    """The namelist of a shape model, from its row of the shape table."""
    return _namelist("shape", {
        "output": str(output / f"{model['model']}.dat"), "class": model["class"], "axis_ratio": model["axis_ratio"],
        "exponent": model["exponent"], "cap": model["cap"], "sersic": model["sersic"],
        "half_mass": model["half_mass_kpc"], "height_over_minor": _SHAPE_HEIGHT_OVER_MINOR,
        "particles": particles, "seed": model["seed"],
    })  # fmt: skip


def _namelist(group: str, values: dict) -> str:
    """A Fortran namelist; text in quotes, quotes within it doubled."""
    lines = []
    for name, value in values.items():
        quoted = value.replace("'", "''") if isinstance(value, str) else None
        lines.append(f"  {name} = " + (f"'{quoted}'" if quoted is not None else f"{value!r}"))
    return "\n".join([f"&{group}", *lines, "/", ""])


def _call(program: Path, namelist: Path) -> None:
    """Run a program on its namelist; what it prints passes through."""
    command = [str(require_file(program).resolve()), str(namelist)]
    try:
        subprocess.run(command, check=True, stdout=sys.stdout.fileno())
    except OSError as error:
        raise ProgramError(f"{program}: cannot be run ({error.strerror}); build it with `galclass compile`") from error
    except subprocess.CalledProcessError as error:
        raise ProgramError(
            f"{program} {namelist}: ended with code {error.returncode}; its message stands above"
        ) from error
