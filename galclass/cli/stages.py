"""The stages of the flow, from the Fortran programs to the report."""

from pathlib import Path
from typing import Annotated

import typer

from galclass.cli.common import NONE, AsJson, Config, Output, app, load_settings, of_runs, print_json
from galclass.errors import InputError

simulate_app = typer.Typer(help="Run the Fortran programs.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(simulate_app, name="simulate")
reference_app = typer.Typer(help="The galaxy that candidates are compared with.", rich_markup_mode=None)
app.add_typer(reference_app, name="reference")

Program = Annotated[Path, typer.Option("--program", help="The compiled program.")]


@app.command("compile")
def compile_(program: Annotated[str, typer.Argument(help="merger or shape")], output: Output) -> None:
    """Build a Fortran program with this machine's native instructions."""
    from galclass import compile as stage

    if program not in stage.PROGRAMS:
        raise typer.BadParameter(f"{program!r}; allowed are {', '.join(stage.PROGRAMS)}", param_hint="PROGRAM")
    stage.run(program, output)


@app.command()
def initial(
    run: Annotated[str, typer.Argument(help="Name of a row of the merger table.")],
    output: Output,
    config: Config = NONE,
) -> None:
    """Write the initial conditions of a merger as a GADGET file."""
    from galclass import config as configuration
    from galclass import initial as stage

    whole = load_settings(config)
    settings = whole["initial"]
    rows = configuration.mergers(whole)
    if run not in rows:
        tables = ", ".join(configuration.merger_tables(whole))
        raise InputError(f"{run}: no such run in {tables}; give one of its {len(rows)} runs")
    stage.run(rows[run], settings, output, whole["simulate"]["softening_kpc"])


@simulate_app.command("merger")
def simulate_merger(
    initial: Annotated[Path, typer.Argument(help="GADGET file of the initial conditions.")],
    program: Program,
    output: Output,
    threads: Annotated[int, typer.Option(min=1, help="OpenMP threads.")] = 1,
    config: Config = NONE,
) -> None:
    """Evolve initial conditions to a folder of snapshots; continues a run that was stopped or killed."""
    from galclass import simulate as stage

    if not stage.run_merger(initial, program, load_settings(config)["simulate"], threads, output):
        raise typer.Exit(stage.STOPPED)


@simulate_app.command("shapes")
def simulate_shapes(program: Program, output: Output, config: Config = NONE) -> None:
    """Make the labelled shape models of the shape table."""
    from galclass import config as configuration
    from galclass import simulate as stage

    settings = load_settings(config)["simulate"]["shapes"]
    models = configuration.read_shapes(configuration.resolve(settings["table"]))
    stage.run_shapes(list(models.values()), program, settings["particles"], output)


@app.command()
def render(
    inputs: Annotated[list[Path], typer.Argument(help="Snapshots, or folders of snapshots.")],
    output: Output,
    run: Annotated[str, typer.Option(help="Name of the run in the pack.")] = "",
    film: Annotated[
        bool, typer.Option("--film", help="A fixed field and view for all snapshots, for the eye.")
    ] = False,
    shapes: Annotated[bool, typer.Option("--shapes", help="The folder holds the labelled shape models.")] = False,
    views: Annotated[int | None, typer.Option(min=1, help="Views of each snapshot; default as configured.")] = None,
    config: Config = NONE,
) -> None:
    """Picture snapshots from random directions; writes a pack (HDF5) and a contact sheet (PNG)."""
    from galclass import config as configuration
    from galclass import render as stage

    settings = load_settings(config)
    pictures = {**settings["render"], **({"views": views} if views else {})}
    if shapes:
        models = configuration.read_shapes(configuration.resolve(settings["simulate"]["shapes"]["table"]))
        stage.run_shapes(inputs[0], list(models.values()), pictures, output)
    elif film:
        stage.run_film(inputs, pictures, output, run)
    else:
        stage.run(inputs, pictures, output, run)


@app.command()
def label(
    pack: Annotated[Path, typer.Argument(help="Pack of a simulation or of the shape models.")],
    output: Output,
    config: Config = NONE,
) -> None:
    """Label every picture by the isophotes measured on the deep picture of the same view."""
    from galclass import label as stage

    stage.run(pack, load_settings(config)["label"], output)


@app.command()
def train(
    packs: Annotated[
        list[Path],
        typer.Argument(help="Packs of simulations and of shape models; a folder is its packs of train.runs."),
    ],
    output: Output,
    labels: Annotated[
        list[Path], typer.Option(help="Table of the stage label, or a folder of them, once for each pack or folder.")
    ] = NONE,
    thesis: Annotated[
        str,
        typer.Option("--thesis", help="The thesis's network for these classes instead: oval-rectangle."),
    ] = "",
    shuffle_labels: Annotated[
        bool, typer.Option("--shuffle-labels", help="With --thesis: the control, labels shuffled among models.")
    ] = False,
    config: Config = NONE,
) -> None:
    """Train the classifier; writes model.json, the weights of its members and what it reached on runs it never saw."""
    from galclass import config as configuration

    settings = load_settings(config)
    if thesis:
        _train_thesis(packs, labels, settings["train"], output, shuffle_labels, thesis)
        return
    from galclass import train as stage

    if shuffle_labels:
        raise typer.BadParameter("only with --thesis; the classifier has a control", param_hint="--shuffle-labels")
    mass_ratios = {run: row["mass_ratio"] for run, row in configuration.mergers(settings).items()}
    learnt = configuration.training_runs(settings)
    packs, labels = of_runs(packs, learnt, ".h5"), of_runs(labels, learnt, ".parquet")
    stage.run(packs, labels, settings["train"], output, mass_ratios)


def _train_thesis(
    packs: list[Path], labels: list[Path], settings: dict, output: Path, shuffle_labels: bool, classes: str
) -> None:
    from galclass.train import thesis as stage

    if classes not in stage.CLASS_SETS:
        raise typer.BadParameter(f"{classes!r}; allowed are {', '.join(stage.CLASS_SETS)}", param_hint="--thesis")
    if len(packs) != 1 or len(labels) > 1:
        raise typer.BadParameter("the thesis's network takes one pack and at most one table", param_hint="PACKS")
    own = {"seed": settings["seed"], **settings["thesis"]}
    stage.run(packs[0], labels[0] if labels else None, own, output, shuffle_labels, stage.CLASS_SETS[classes])


@app.command()
def classify(
    inputs: Annotated[list[Path], typer.Argument(help="Packs of frames; with --json, pictures.")],
    network: Annotated[Path, typer.Option(help="Folder of the trained network.")] = Path("results/train/network"),
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder for a table and an .out file for each pack.")
    ] = None,
    as_json: AsJson = False,
    config: Config = NONE,
) -> None:
    """Give every frame its class: a table (Parquet, CSV) and the thesis's .out file; goes on where it was killed."""
    from galclass import classify as stage

    settings = load_settings(config)["classify"]
    if as_json:
        print_json(stage.pictures(inputs, network, settings["batch_size"]))
    if output is None:
        raise typer.BadParameter("give -o FOLDER, or --json", param_hint="--output")
    stage.run(inputs, network, settings, output)


@reference_app.callback(invoke_without_command=True)
def reference(
    context: typer.Context,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Folder for the reference.")] = None,
    config: Config = NONE,
) -> None:
    """Make the picture that candidates are compared with; `reference fetch` gets pictures of galaxies."""
    if context.invoked_subcommand:
        return
    from galclass import reference as stage

    if output is None:
        raise typer.BadParameter("give -o FOLDER", param_hint="--output")
    settings = load_settings(config)
    stage.run(settings["reference"], settings["render"], output)


@reference_app.command("fetch")
def reference_fetch(
    targets: Annotated[
        list[str], typer.Argument(help="Names of galaxies, or places RA,DEC [deg, or hh:mm:ss,dd:mm:ss].")
    ],
    output: Output,
    service: Annotated[
        str, typer.Option(help="Where to ask; the services stand in config/cutouts.yaml.")
    ] = "legacy_dr10_r",
    size_arcmin: Annotated[float, typer.Option(help="Width of the picture [arcmin].")] = 3.0,
    timeout_s: Annotated[float, typer.Option(help="Longest time for one download [s].")] = 60.0,
    cache: Annotated[Path | None, typer.Option(help="Folder that keeps what came; default in your cache.")] = None,
    refresh: Annotated[bool, typer.Option("--refresh", help="Ask again for what the cache has.")] = False,
    services: Annotated[Path | None, typer.Option(help="Another list of services, such as a mirror's.")] = None,
) -> None:
    """Get FITS pictures of galaxies from a public cut-out service, to be used as reference.image."""
    from galclass.reference import fetching

    listed = services or fetching.SERVICES_FILE
    where = {"service": service, "size_arcmin": size_arcmin, "timeout_s": timeout_s, "cache": cache}
    for path in fetching.fetch(targets, output, **where, refresh=refresh, services_file=listed):
        print(path)


@app.command()
def verify(
    inputs: Annotated[
        list[Path],
        typer.Argument(help="Packs of frames; a folder is its packs of initial.runs. With --json, packs or pictures."),
    ],
    reference: Annotated[Path, typer.Option(help="Folder of the stage reference, or a picture.")] = Path(
        "results/reference"
    ),
    classified: Annotated[Path, typer.Option(help="Folder of the stage classify, a table for each pack.")] = Path(
        "results/classify"
    ),
    network: Annotated[Path, typer.Option(help="Folder of the trained network.")] = Path("results/train/network"),
    controls: Annotated[
        Path | None, typer.Option(help="Folder of pictures of ordinary galaxies, to hold the scores against.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Ranked table of candidates (.parquet).")
    ] = None,
    as_json: AsJson = False,
    config: Config = NONE,
) -> None:
    """Compare candidates with the reference and with chance: cosines, SIFT, isophotes, what the network sees."""
    from galclass import config as configuration
    from galclass import verify as stage

    depth_dex, settings = (whole := load_settings(config))["render"]["depth_dex"], whole["verify"]
    if controls is not None:
        settings["controls"] = str(controls)
    if as_json:
        print_json(stage.pictures(inputs, reference, settings, depth_dex))
    if output is None:
        raise typer.BadParameter("give -o FILE.parquet, or --json", param_hint="--output")
    packs = of_runs(inputs, configuration.selected_runs(whole), ".h5")
    tables = [classified / f"{pack.stem}.parquet" for pack in packs]
    stage.run(tables, packs, reference, network, settings, output)


@app.command()
def visibility(
    snapshots: Annotated[list[Path], typer.Argument(help="Snapshots of one run, or its folder.")],
    output: Output,
    network: Annotated[Path, typer.Option(help="Folder of the trained network.")] = Path("results/train/network"),
    reference: Annotated[Path, typer.Option(help="Folder of the stage reference, or a picture.")] = Path(
        "results/reference"
    ),
    run: Annotated[str, typer.Option(help="Name of the run; default that of the file or folder.")] = "",
    config: Config = NONE,
) -> None:
    """From how much of the sky, and for how long, a merger looks rectangular: tables (.parquet) and maps (.png)."""
    from galclass import visibility as stage

    stage.run(snapshots, network, reference, load_settings(config), output, run)


@app.command()
def report(
    results: Annotated[Path, typer.Argument(help="Folder of the results.")] = Path("results"),
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The page; default results/report/index.html or thesis.html.")
    ] = None,
    thesis: Annotated[bool, typer.Option("--thesis", help="The thesis's networks, its numbers beside ours.")] = False,
    config: Config = NONE,
) -> None:
    """Write the report: one page that needs nothing else."""
    from galclass import report
    from galclass.report import thesis as thesis_report

    stage, name = (thesis_report, "thesis.html") if thesis else (report, "index.html")
    stage.run(results, load_settings(config), output or Path("results/report") / name)
