"""The flow against what is known of mergers."""

from pathlib import Path
from typing import Annotated

import typer

from galclass.cli.common import NONE, Config, Output, app, load_settings


@app.command()
def validate(
    folders: Annotated[list[Path], typer.Argument(help="Folders of simulated mergers, named as their runs.")],
    output: Output,
    processes: Annotated[int | None, typer.Option(min=1, help="Processes; default one a core.")] = None,
    config: Config = NONE,
) -> None:
    """Hold the remnants of mergers against Naab & Burkert (2003): share of boxy projections, and rotation."""
    from galclass import validate as stage

    for line in stage.lines(stage.run(folders, load_settings(config), output, processes)):
        print(line)
