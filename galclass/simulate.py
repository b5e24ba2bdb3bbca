"""The simulations: the Fortran programs `merger` and `shape`, driven by namelists written from the configuration."""

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

from galclass import provenance, quality
from galclass.errors import ProgramError
from galclass.files import alone, require_file, write_text
from galclass.progress import progress
from galclass.snapshot import archive
from galclass.units import GYR_PER_TIME

#: Exit code of a merger that stopped in good order before its end, as sysexits.h's EX_TEMPFAIL.
STOPPED = 75

#: The values of the configuration that decide what a merger does; the others decide when and how fast.
_DECISIVE = ("end_time_gyr", "time_step_gyr", "time_step_levels", "time_step_accuracy", "softening_kpc", "snapshots",
             "solver", "force_accuracy")  # fmt: skip
_ARCHIVE = "snapshots.tar"
#: What a merger leaves in its folder.
_PRODUCTS = ("snapshot_*", _ARCHIVE, "checkpoint*", "energy.csv*", quality.FILE)
#: Signals that ask a merger to stop: from a person, from Slurm, and from Slurm ahead of its time limit.
_ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
#: Height of a shape model over its short half-axis; it matters only where a model is tilted.
_SHAPE_HEIGHT_OVER_MINOR = 0.2


def run_merger(initial: Path, program: Path, settings: dict, threads: int, output: Path) -> bool:
    """Evolve the initial conditions `initial` to a folder of snapshots and an energy log, and judge the run.

    The folder may hold the beginning of this run: the merger then goes on from its last checkpoint. If it holds
    another run (other settings, initial conditions or program), it is cleared first. What is complete stays, and
    only its quality is judged again.

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
        Folder for snapshot_000.dat ... (in snapshots.tar if `archive` is set), energy.csv, quality.csv (written last),
        merger.nml and provenance.json.

    Returns
    -------
    bool
        Whether the run is complete; if not, it was asked to stop, and the same call continues it.
    """
    lasting = {key: settings[key] for key in (*_DECISIVE, "gates")}
    record = provenance.record("simulate", [require_file(initial), require_file(program)], lasting)
    output.mkdir(parents=True, exist_ok=True)
    with alone(output / ".lock") as lock:  # a merger inherits it: its parent may be killed, it goes on
        _clear_other_run(output, record)
        write_text(output / "provenance.json", json.dumps(record, indent=1))
        if _is_complete(output, settings["snapshots"]):
            print(f"simulate: {output} is complete already; delete the folder to simulate it again", flush=True)
        else:
            write_text(output / "merger.nml", merger_namelist(initial, output, settings, threads))
            if not _evolve(program, output / "merger.nml", lock):
                return False
        for left in output.glob("checkpoint*"):  # of a merger that was killed at its very end
            left.unlink(missing_ok=True)
        if settings["archive"]:
            _put_away(output, settings["snapshots"])
        verdicts = quality.judge(output / "energy.csv", settings["gates"])
        quality.write(output, verdicts)
    failed = quality.failures(verdicts)
    print(f"simulate: {output} " + (f"FAILS its quality gates: {failed}" if failed else "passes its quality gates"))
    return True


def _clear_other_run(output: Path, record: dict) -> None:
    """Remove what another run has left in the folder, and say so."""
    left = [path for pattern in _PRODUCTS for path in output.glob(pattern)]
    change = _change(output / "provenance.json", record) if left else ""
    if change:
        print(f"simulate: {output} holds a run with other {change}; it is started anew", flush=True)
        for path in left:
            path.unlink()


def _change(recorded: Path, record: dict) -> str:
    """What decides a run and was different when it was recorded; empty if nothing was."""
    try:
        old = json.loads(recorded.read_text(encoding="utf-8"))
        digests = dict(zip(("initial conditions", "program"), old["inputs"].values(), strict=True))
        old_settings = old["settings"]
    except (OSError, ValueError, KeyError):
        return "provenance"
    now = dict(zip(digests, record["inputs"].values(), strict=True))
    changed = [name for name in digests if digests[name] != now[name]]
    changed += [f"{key} ({old_settings.get(key)}, now {record['settings'][key]})" for key in _DECISIVE
                if old_settings.get(key) != record["settings"][key]]  # fmt: skip
    return ", ".join(changed)


def _is_complete(output: Path, snapshots: int) -> bool:
    """Whether the folder holds a whole run: its log, which is named last, and every snapshot, all of one size."""
    if not (output / "energy.csv").is_file():
        return False
    files = _snapshots(output, snapshots)
    there = all(file.is_file() for file in files) and len({file.stat().st_size for file in files}) == 1
    return there or _is_archived(output, snapshots)


def _snapshots(output: Path, snapshots: int) -> list[Path]:
    return [output / f"snapshot_{number:03d}.dat" for number in range(snapshots + 1)]


def _is_archived(output: Path, snapshots: int) -> bool:
    """Whether every snapshot is in the archive, which was whole when it got its name."""
    path = output / _ARCHIVE
    wanted = [path / file.name for file in _snapshots(output, snapshots)]
    return path.is_file() and archive.members(path) == wanted


def _put_away(output: Path, snapshots: int) -> None:
    """Put the snapshots into one file; what a killed call has left of them beside it goes."""
    if not _is_archived(output, snapshots):
        archive.write(output / _ARCHIVE, _snapshots(output, snapshots))
    for file in _snapshots(output, snapshots):
        file.unlink(missing_ok=True)


def _evolve(program: Path, namelist: Path, lock: int) -> bool:
    """Run a merger, passing on signals that ask it to stop; returns whether it came to its end."""
    asked: list[int] = []
    merger: subprocess.Popen | None = None

    def pass_on(number: int, _) -> None:
        asked.append(number)
        if merger is not None:
            merger.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in _ASKING}
    try:
        merger = _start(program, namelist, lock)
        for number in asked:
            merger.send_signal(number)
        code = merger.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if code not in (0, STOPPED):
        raise _failed(program, namelist, code)
    return code == 0


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
    with alone(output / ".lock") as lock:
        for model in progress(models, len(models), "shape models"):
            namelist = output / f"{model['model']}.nml"
            write_text(namelist, shape_namelist(model, particles, output))
            _call(program, namelist, lock)
        record = provenance.record("simulate", [program], {"models": models, "particles": particles})
        write_text(output / "provenance.json", json.dumps(record, indent=1))


def merger_namelist(initial: Path, output: Path, settings: dict, threads: int) -> str:
    """The namelist of a merger: whole longest steps between snapshots, none longer than the step asked for."""
    interval = settings["end_time_gyr"] / GYR_PER_TIME / settings["snapshots"]
    steps = math.ceil(interval / (settings["time_step_gyr"] / GYR_PER_TIME) * (1 - 1e-12))
    return _namelist("merger", {
        "initial": str(initial), "output": str(output), "time_step": interval / steps, "steps_per_snapshot": steps,
        "snapshots": settings["snapshots"], "levels": settings["time_step_levels"],
        "step_accuracy": settings["time_step_accuracy"], "softening": settings["softening_kpc"],
        "solver": settings["solver"], "accuracy": settings["force_accuracy"], "threads": threads,
        "checkpoint_interval": 60.0 * settings["checkpoint_minutes"], "wall_time": 60.0 * settings["wall_time_minutes"],
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


def _call(program: Path, namelist: Path, *inherited: int) -> None:
    """Run a program on its namelist, with open files that it inherits, to its end."""
    code = _start(program, namelist, *inherited).wait()
    if code != 0:
        raise _failed(program, namelist, code)


def _start(program: Path, namelist: Path, *inherited: int) -> subprocess.Popen:
    """Start a program on its namelist, with open files that it inherits; what it prints passes through."""
    command = [str(require_file(program).resolve()), str(namelist)]
    try:
        # Threads that spin while they wait for each other are a catastrophe on a busy machine.
        environment = {"OMP_WAIT_POLICY": "passive"} | os.environ
        return subprocess.Popen(command, stdout=sys.stdout.fileno(), pass_fds=inherited, env=environment)
    except OSError as error:
        raise ProgramError(f"{program}: cannot be run ({error.strerror}); build it with `galclass compile`") from error


def _failed(program: Path, namelist: Path, code: int) -> ProgramError:
    """The error of a program that ended with a code other than 0."""
    if code < 0:
        return ProgramError(f"{program} {namelist}: was killed by signal {-code}; the same command continues")
    return ProgramError(f"{program} {namelist}: ended with code {code}; its message stands above")
