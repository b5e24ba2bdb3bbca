"""Snapshots as files."""

import math
from pathlib import Path
from typing import Annotated

import typer

from galclass.cli.common import AsJson, Output, app, print_json
from galclass.errors import InputError, raise_failures

snapshot_app = typer.Typer(
    help="Snapshots of any code: say what they hold, convert them.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(snapshot_app, name="snapshot")


def _unit(value: float | None) -> float | None:
    """Refuse what is no unit, in the words of options that have a least value."""
    if value is not None and not 0 < value < math.inf:
        raise typer.BadParameter(f"{value} is not in the range x>0.")
    return value


_FOUND = "default as found in the file."
Inputs = Annotated[list[Path], typer.Argument(help="Snapshots, folders or archives of them, or patterns.")]
Length = Annotated[float | None, typer.Option(callback=_unit, help=f"Unit of length [kpc]; {_FOUND}")]
Mass = Annotated[float | None, typer.Option(callback=_unit, help=f"Unit of mass [Msun]; {_FOUND}")]
Velocity = Annotated[float | None, typer.Option(callback=_unit, help=f"Unit of velocity [km/s]; {_FOUND}")]


@snapshot_app.command()
def show(
    inputs: Inputs,
    as_json: AsJson = False,
    unit_length_kpc: Length = None,
    unit_mass_msun: Mass = None,
    unit_velocity_km_s: Velocity = None,
) -> None:
    """Say what snapshots hold: code, time, units and how they were found, particles by type, what looks wrong."""
    from galclass import snapshot

    units = snapshot.Units.told(unit_length_kpc, unit_mass_msun, unit_velocity_km_s)
    rows = [row for path in inputs for row in _described(path, units)]
    if as_json:
        print_json([{key: value for key, value in row.items() if key != "failure"} for row in rows])
    for row in rows:
        if "error" not in row:
            print("\n".join(_lines(row)))
    failures = [row["failure"] for row in rows if "error" in row]
    raise_failures(failures, 0, Path())


def _described(path: Path, units) -> list[dict]:
    """What each snapshot of an input is, or why that cannot be said."""
    from galclass import snapshot

    rows: list[dict] = []
    try:
        files = snapshot.find([path])
    except InputError as error:
        return [_failed(path, error)]
    for file in files:
        try:
            rows.append(snapshot.describe(file, units))
        except InputError as error:
            rows.append(_failed(file, error))
    return rows


def _failed(path: Path, error: InputError) -> dict:
    return {"file": str(path), "error": str(error), "failure": error}


def _lines(row: dict) -> list[str]:
    """A few lines for people."""
    when = f"{row['time_gyr']:.4g} Gyr" + (f", redshift {row['redshift']:.4g}" if row["redshift"] is not None else "")
    box = f", box {row['box_kpc'][0]:.6g} kpc" if row["box_kpc"] else ""
    pieces = f" in {row['pieces']} pieces" if row["pieces"] > 1 else ""
    counts = ", ".join(f"{count} of type {kind}" for kind, count in row["counts"].items())
    stars = f"; stars are type {', '.join(map(str, row['star_types']))}" if row["star_types"] else ""
    return [
        f"{row['file']}: {row['code']}, {row['format']}{pieces}; {when}{box}",
        f"  units ({row['units']}): {row['length_kpc']:.6g} kpc, {row['mass_1e10_msun']:.6g} x 1e10 Msun,"
        f" {row['velocity_kms']:.6g} km/s",
        f"  particles: {counts}{stars}",
        *(f"  warning: {warning}" for warning in row["warnings"]),
    ]


@snapshot_app.command()
def convert(
    inputs: Inputs,
    output: Output,
    keep_types: Annotated[
        bool, typer.Option("--keep-types", help="Leave discs and bulges as types 2 and 3, not as stars (4).")
    ] = False,
    unit_length_kpc: Length = None,
    unit_mass_msun: Mass = None,
    unit_velocity_km_s: Velocity = None,
) -> None:
    """Write snapshots as the HDF5 that yt and pynbody read with the right units, time and stars (.hdf5 or a folder)."""
    from galclass import snapshot
    from galclass.snapshot import converting

    units = snapshot.Units.told(unit_length_kpc, unit_mass_msun, unit_velocity_km_s)
    converting.run(inputs, output, units, keep_types)
