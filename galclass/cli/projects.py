"""Verbs for a project as a whole: what it will cost, how it stands, where a result comes from, and taking it away."""

from pathlib import Path
from typing import Annotated

import typer

from galclass.cli.common import NONE, AsJson, Config, app, load_settings

Results = Annotated[Path, typer.Argument(help="Folder of the results.")]


@app.command()
def trace(
    file: Annotated[Path, typer.Argument(help="A result: table, pack, picture, page, snapshot, network.")],
    check: Annotated[
        bool, typer.Option("--check", help="Compute all digests again, and say what has changed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """What a result was made from, down to tables and programs: inputs, code, seeds and versions."""
    import json

    from galclass import trace as tracing

    answer = tracing.run(file, check)
    print(json.dumps([answer], indent=1) if as_json else "\n".join(tracing.lines(answer)))
    raise typer.Exit(bool(answer["changed"]))


@app.command()
def plan(
    overlays: Annotated[list[Path], typer.Argument(help="The same as -c, the last one wins.")] = NONE,
    cores: Annotated[int | None, typer.Option(min=1, help="Cores that work; default all of this machine.")] = None,
    results: Annotated[Path, typer.Option(help="Folder of the results; what is there is done.")] = Path("results"),
    as_json: AsJson = False,
    config: Config = NONE,
) -> None:
    """What a project will take, before it starts: jobs, files, bytes, core hours, memory, time; and what is left."""
    import json

    from galclass import parallel
    from galclass import plan as planning

    answer = planning.run(load_settings([*overlays, *config]), cores or parallel.cores(), results)
    print(json.dumps([answer], indent=1) if as_json else "\n".join(planning.lines(answer)))


@app.command()
def status(
    results: Results = Path("results"),
    as_json: AsJson = False,
    watch: Annotated[int | None, typer.Option(min=1, help="Say it again every so many seconds, until the end.")] = None,
) -> None:
    """How a project stands: runs done, running, failed and why; frames, rectangles, candidates; the time left."""
    import json
    import time

    from galclass import plan as planning
    from galclass import status as watching

    while True:
        answer = watching.run(results, lambda settings, cores: planning.left(settings, cores, results))
        print(json.dumps([answer], indent=1) if as_json else "\n".join(watching.lines(answer)), flush=True)
        if watch is None or answer.get("finished"):
            break
        time.sleep(watch)


@app.command()
def crate(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder of the crate, or a file that ends in .zip.")],
    results: Results = Path("results"),
    with_data: Annotated[bool, typer.Option("--with-data", help="Take packs and snapshots along, too.")] = False,
    date: Annotated[str, typer.Option(help="Of publication, YYYY-MM-DD; default that of this version.")] = "",
    author: Annotated[str, typer.Option(help="Who made the results.")] = "",
) -> None:
    """Pack a finished project as an RO-Crate: workflow, configuration, results, and where each came from."""
    from galclass import crate as packing

    print(*packing.lines(packing.run(results, output, with_data, date, author)), sep="\n")
