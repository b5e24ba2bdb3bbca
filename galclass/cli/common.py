"""What the verbs share: the application, options, and how answers are printed."""

import itertools
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Which collisions of dwarf galaxies make rectangles? Simulate, render, classify and verify.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Output = Annotated[Path, typer.Option("-o", "--output", help="Where to write the result.")]
Config = Annotated[list[Path], typer.Option("-c", "--config", help="Overlay on config/config.yaml; may be repeated.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON array, an object for each input.")]
NONE: list[Path] = []


def load_settings(overlays: list[Path]) -> dict:
    """The whole configuration: the defaults with these overlays."""
    from galclass import config

    return config.load(overlays)


def print_json(rows: list[dict]) -> None:
    """Print the answers and leave with 1 if an input failed."""
    print(json.dumps(rows, indent=1))
    raise typer.Exit(any("error" in row for row in rows))


def of_runs(inputs: list[Path], runs: Iterable[str], suffix: str) -> list[Path]:
    """The files given, and in the place of a folder those of these runs in it, FOLDER/RUN.suffix, in their order."""
    listed = [[given / f"{run}{suffix}" for run in runs] if given.is_dir() else [given] for given in inputs]
    return list(itertools.chain(*listed))
