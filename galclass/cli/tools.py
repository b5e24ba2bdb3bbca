"""Verbs for what is in hand: the installation, a configuration, packs, pictures, networks."""

from pathlib import Path
from typing import Annotated

import typer

from galclass.cli.common import NONE, AsJson, Config, Output, app, load_settings, print_json

model_app = typer.Typer(help="Trained networks as files.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(model_app, name="model")


@app.command()
def doctor() -> None:
    """Say what is installed, what is missing and how to get it."""
    from galclass import doctor as stage

    raise typer.Exit(not stage.run())


@app.command()
def check(
    config: Annotated[list[Path], typer.Argument(help="Overlays on config/config.yaml, the last one wins.")],
) -> None:
    """Check a configuration and its tables, and say what it would run."""
    from galclass import config as configuration
    from galclass import pipeline

    settings = load_settings(config)
    screened, _, _ = configuration.required(settings)
    configuration.validation(settings)
    pipeline.screened(settings)
    runs = list(screened)
    named = ", ".join(runs if len(runs) <= 12 else [*runs[:3], "...", runs[-1]])
    frames = (settings["simulate"]["snapshots"] + 1) * settings["render"]["views"]
    print(f"{', '.join(map(str, config))}: well; {len(runs)} runs ({named}), {frames} frames each")


@app.command()
def export(
    pack: Annotated[Path, typer.Argument(help="Pack of frames.")],
    output: Output,
    frame: Annotated[int | None, typer.Option(min=0, help="Number of one frame; default: all, as a cube.")] = None,
    what: Annotated[str, typer.Option(help="flux (as recorded), deep (without noise) or images (0 to 1).")] = "flux",
) -> None:
    """Write a pack as a FITS cube, or one frame as FITS or PNG."""
    from galclass import export as stage

    if what not in stage.WHAT:
        raise typer.BadParameter(f"{what!r}; allowed are {', '.join(stage.WHAT)}", param_hint="--what")
    stage.run(pack, output, frame, what)


@app.command()
def clean(
    source: Annotated[Path, typer.Argument(help="A pack, or one picture (FITS, PNG, JPEG).")],
    output: Output,
    config: Config = NONE,
) -> None:
    """Remove the noise: background, other sources, grain; writes a pack or FITS, and before-and-after pictures."""
    from galclass import clean as stage

    stage.run(source, load_settings(config)["clean"], output)


@app.command()
def measure(
    inputs: Annotated[list[Path], typer.Argument(help="Pictures (PNG, JPEG, FITS) and packs.")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Table, one row a picture (.parquet).")] = None,
    as_json: AsJson = False,
    fast: Annotated[
        bool, typer.Option("--fast", help="One ellipse for all isophotes; no statmorph numbers, no profile.")
    ] = False,
    deep: Annotated[bool, typer.Option("--deep", help="Pictures without sky and noise; of a pack that layer.")] = False,
    psf_fwhm_px: Annotated[
        float | None, typer.Option(min=0, help="Full width of the PSF [pixel]; unless given, the errors allow for one.")
    ] = None,
    processes: Annotated[int | None, typer.Option(min=1, help="Processes; default one a core.")] = None,
    config: Config = NONE,
) -> None:
    """Measure the shape of galaxies: ellipse, B4, B6, A4 with errors, CAS, Gini, M20, and the class."""
    from galclass import measure as stage

    radii = {
        name: radius for name, radius in load_settings(config)["label"].items() if name.endswith("_effective_radii")
    }
    settings = {"fast": fast, "deep": deep, "psf_fwhm_px": psf_fwhm_px, **radii}
    answers = stage.run(inputs, settings, output, processes)
    if as_json:
        print_json(answers)
    print(*stage.lines(answers), sep="\n")
    raise typer.Exit(any("error" in answer for answer in answers))


@app.command()
def rates(
    tables: Annotated[list[Path], typer.Argument(help="Tables of classified frames (.parquet).")],
    network: Annotated[Path, typer.Option(help="Folder of the network that classified them.")] = Path(
        "results/train/network"
    ),
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Table, one row a run (.csv).")] = None,
    name: Annotated[str, typer.Option("--class", help="Which class to count.")] = "rectangle",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array, an object a run, last all.")] = False,
) -> None:
    """How common a class is, corrected for the network's errors, with intervals; each run and all together."""
    from galclass import rates as counting

    found = counting.run(tables, network, output, name)
    if as_json:
        print_json(found)
    print(*counting.lines(found), sep="\n")


@model_app.command("import")
def model_import(
    architecture: Annotated[Path, typer.Argument(help="JSON of the network, as Keras 1, 2 or 3 wrote it.")],
    weights: Annotated[Path, typer.Argument(help="Its weights, HDF5.")],
    output: Output,
    classes: Annotated[str, typer.Option(help="What its answers stand for, in order, with commas between.")] = (
        "oval,rectangle,obround"
    ),
    depth_dex: Annotated[float, typer.Option(min=0.1, max=30, help="Depth of its pictures [powers of ten].")] = 3.0,
    backend: Annotated[
        str | None, typer.Option(help="What it was trained on, where no file says: tensorflow, theano, cntk.")
    ] = None,
) -> None:
    """Bring a network from elsewhere into a folder that classify uses; nothing in its files is executed."""
    from galclass.network import foreign

    print(foreign.import_network(architecture, weights, output, classes.split(","), depth_dex, backend))


@app.command()
def design(
    columns: Annotated[
        list[str],
        typer.Argument(
            help="NAME=VALUES. Needed are pericentre_kpc, eccentricity, separation_kpc; unless given, mass_ratio is 1, "
            "and inclination1_deg, argument1_deg, inclination2_deg, argument2_deg, bulge_over_halo are 0. VALUES are "
            "a list, 1,3, or a range, 0:360:30; pericentre_kpc,eccentricity=1/0.9,2/0.8 change together."
        ),
    ],
    output: Output,
    prefix: Annotated[str, typer.Option(help="First part of the names of the runs.")] = "grid",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first run; each has the next.")] = 1,
) -> None:
    """Write a table of mergers (.tsv) with every combination of the values of its columns.

    galclass design pericentre_kpc,eccentricity=1/0.9,2/0.8 separation_kpc=16 mass_ratio=1,3 -o mine.tsv
    """
    from galclass import design as stage

    print(f"{output}: {stage.run(columns, output, prefix, seed)} runs")
