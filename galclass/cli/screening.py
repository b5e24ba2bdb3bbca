"""Other people's snapshots, from file to ranked table."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from galclass.cli.common import NONE, AsJson, Config, app, load_settings, print_json

_UNIT = "as found in the file unless given."


@app.command()
def screen(
    snapshots: Annotated[
        list[str] | None, typer.Argument(help="Snapshots, folders and archives of them, patterns in quotes.")
    ] = None,
    network: Annotated[Path, typer.Option(help="Folder of the trained network.")] = Path("results/train/network"),
    reference: Annotated[Path, typer.Option(help="Folder of the stage reference, or a picture.")] = Path(
        "results/reference"
    ),
    views: Annotated[int | None, typer.Option(min=1, help="Views of each galaxy; default as configured.")] = None,
    stars: Annotated[
        str, typer.Option(help="Particle types that are stars, such as 2,3,4; default those of the code.")
    ] = "",
    galaxies: Annotated[int | None, typer.Option(min=1, help="Galaxies of each snapshot, at most.")] = None,
    telescope: Annotated[str, typer.Option(help="A telescope of config/telescopes.yaml.")] = "",
    unit_length_kpc: Annotated[float, typer.Option(min=0, help=f"Unit of length [kpc]; {_UNIT}")] = 0.0,
    unit_mass_msun: Annotated[float, typer.Option(min=0, help=f"Unit of mass [Msun]; {_UNIT}")] = 0.0,
    unit_velocity_km_s: Annotated[float, typer.Option(min=0, help=f"Unit of velocity [km/s]; {_UNIT}")] = 0.0,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder of the tables and the page; default results/screen.")
    ] = None,
    as_json: AsJson = False,
    watch: Annotated[
        Path | None, typer.Option("--watch", help="Score the snapshots that land in this folder; ends on a signal.")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="With --watch: end when all that is there is scored.")] = False,
    until_idle: Annotated[
        float | None, typer.Option(min=0, help="With --watch: end when nothing has landed for so long [s].")
    ] = None,
    check: Annotated[
        Path | None, typer.Option("--check", help="Only name the snapshots in this folder of results that failed.")
    ] = None,
    config: Config = NONE,
) -> None:
    """Score somebody else's snapshots: a ranked table and a page; --json without -o writes nothing."""
    if check is not None:
        from galclass.screen import tables

        print(f"{check}: all {tables.require_all(check)} snapshots were used")
        return
    given = {"views": views, "galaxies": galaxies, "stars": _types(stars), "unit_length_kpc": unit_length_kpc}
    given |= {"unit_mass_msun": unit_mass_msun, "unit_velocity_km_s": unit_velocity_km_s}
    settings = _settings(config, given, telescope)
    folder, inputs = output or Path("results/screen"), snapshots or settings["screen"]["snapshots"]
    if bool(snapshots) if watch else not inputs:
        raise typer.BadParameter("give snapshots, or --watch FOLDER", param_hint="SNAPSHOTS")
    if watch is None and (once or until_idle is not None):
        raise typer.BadParameter("only goes with --watch", param_hint="--once" if once else "--until-idle")
    if once and until_idle is not None:
        raise typer.BadParameter("either this or --until-idle", param_hint="--once")
    if watch and as_json:
        raise typer.BadParameter("not with --watch, whose tables are watched.csv and alerts.csv", param_hint="--json")
    if watch is not None:
        raise typer.Exit(_watched(watch, network, reference, settings, folder, 0.0 if once else until_idle))
    written = output if as_json else folder
    _screened(inputs, network, reference, settings, written, as_json)


def _types(given: str) -> list[int] | None:
    """Particle types from 2,3,4; None where nothing is given."""
    kinds = [kind.strip() for kind in given.split(",") if kind.strip()]
    if any(kind not in "012345" or len(kind) != 1 for kind in kinds):
        raise typer.BadParameter(
            f"{given!r}; allowed are particle types 0 to 5 with commas between", param_hint="--stars"
        )
    return [int(kind) for kind in kinds] or None


def _settings(config: list[Path], given: dict, telescope: str) -> dict:
    """The configuration with what the command line gives in its place, checked."""
    from galclass import config as configuration

    settings = load_settings(config)
    values = {key: value for key, value in given.items() if value}
    seen = {"telescope": {"preset": telescope}} if telescope else {}
    return configuration.check(configuration.merge(settings, {"screen": values, "render": seen}), "command line")


def _watched(
    folder: Path, network: Path, reference: Path, settings: dict, output: Path, until_idle: float | None
) -> bool:
    """Watch a folder; whether something in it could not be used."""
    from galclass import screen as stage

    ready = stage.prepared(settings, network, reference)
    return bool(stage.watch(folder, ready, output, until_idle, lambda line: print(line, flush=True)))


def _screened(
    inputs: list[str], network: Path, reference: Path, settings: dict, output: Path | None, as_json: bool
) -> None:
    """Score snapshots, write tables and page, and print the answers."""
    from galclass import screen as stage
    from galclass.report import screening as page
    from galclass.screen import tables

    answers, table = stage.run(inputs, network, reference, settings, output)
    if output is not None and all("error" in answer for answer in answers):
        print(f"{output}: left as it was, since no snapshot could be used", file=sys.stderr)
    elif output is not None:
        page.run(output)
    if as_json:
        print_json(answers)
    print(*tables.lines(table), sep="\n")
    raise typer.Exit(any("error" in answer for answer in answers))
