"""The command line: one verb a stage, each a command that a person can repeat from a log.

Exit codes: 0 all well, 1 an input or a step failed (the rest was done), 2 wrong usage, 75 a simulation was asked to
stop before its end (the same command continues it).
"""

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from galclass.errors import GalclassError, InputError

app = typer.Typer(
    help="Which collisions of dwarf galaxies make rectangles? Simulate, render, classify and verify.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
simulate_app = typer.Typer(help="Run the Fortran programs.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(simulate_app, name="simulate")
reference_app = typer.Typer(help="The galaxy that candidates are compared with.", rich_markup_mode=None)
app.add_typer(reference_app, name="reference")
model_app = typer.Typer(help="Trained networks as files.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(model_app, name="model")

Output = Annotated[Path, typer.Option("-o", "--output", help="Where to write the result.")]
Config = Annotated[list[Path], typer.Option("-c", "--config", help="Overlay on config/config.yaml; may be repeated.")]
Program = Annotated[Path, typer.Option("--program", help="The compiled program.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON array, an object for each input.")]
_NONE: list[Path] = []


def main() -> None:
    """Run the command line; an expected error is one line on standard error and exit code 1."""
    try:
        app()
    except GalclassError as error:
        _complain(error)
        sys.exit(1)
    except BrokenPipeError:
        # The reader of our output, such as `head`, has gone; nothing more can be told to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except OSError as error:
        _complain(error)
        sys.exit(1)


def _complain(error: Exception) -> None:
    print(f"galclass: {' '.join(str(error).split())}", file=sys.stderr)


def _settings(overlays: list[Path]) -> dict:
    from galclass import config

    return config.load(overlays)


def _print_json(rows: list[dict]) -> None:
    """Print the answers and leave with 1 if an input failed."""
    print(json.dumps(rows, indent=1))
    raise typer.Exit(any("error" in row for row in rows))


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

    settings = _settings(config)
    configuration.named_files(settings)
    runs = configuration.selected_runs(settings)
    frames = (settings["simulate"]["snapshots"] + 1) * settings["render"]["views"]
    print(f"{', '.join(map(str, config))}: well; runs {', '.join(runs)}, {frames} frames each")


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
    config: Config = _NONE,
) -> None:
    """Write the initial conditions of a merger as a GADGET file."""
    from galclass import config as configuration
    from galclass import initial as stage

    whole = _settings(config)
    settings = whole["initial"]
    rows = configuration.read_mergers(configuration.resolve(settings["table"]))
    if run not in rows:
        raise InputError(f"{run}: no such run in {settings['table']}; known runs: {', '.join(rows)}")
    stage.run(rows[run], settings, output, whole["simulate"]["softening_kpc"])


@simulate_app.command("merger")
def simulate_merger(
    initial: Annotated[Path, typer.Argument(help="GADGET file of the initial conditions.")],
    program: Program,
    output: Output,
    threads: Annotated[int, typer.Option(min=1, help="OpenMP threads.")] = 1,
    config: Config = _NONE,
) -> None:
    """Evolve initial conditions to a folder of snapshots; continues a run that was stopped or killed."""
    from galclass import simulate as stage

    if not stage.run_merger(initial, program, _settings(config)["simulate"], threads, output):
        raise typer.Exit(stage.STOPPED)


@simulate_app.command("shapes")
def simulate_shapes(program: Program, output: Output, config: Config = _NONE) -> None:
    """Make the labelled shape models of the shape table."""
    from galclass import config as configuration
    from galclass import simulate as stage

    settings = _settings(config)["simulate"]["shapes"]
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
    config: Config = _NONE,
) -> None:
    """Picture snapshots from random directions; writes a pack (HDF5) and a contact sheet (PNG)."""
    from galclass import config as configuration
    from galclass import render as stage

    settings = _settings(config)
    pictures = {**settings["render"], **({"views": views} if views else {})}
    if shapes:
        models = configuration.read_shapes(configuration.resolve(settings["simulate"]["shapes"]["table"]))
        stage.run_shapes(inputs[0], list(models.values()), pictures, output)
    elif film:
        stage.run_film(inputs, pictures, output, run)
    else:
        stage.run(inputs, pictures, output, run)


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
    config: Config = _NONE,
) -> None:
    """Remove the noise: background, other sources, grain; writes a pack or FITS, and before-and-after pictures."""
    from galclass import clean as stage

    stage.run(source, _settings(config)["clean"], output)


@app.command()
def label(
    pack: Annotated[Path, typer.Argument(help="Pack of a simulation or of the shape models.")],
    output: Output,
    config: Config = _NONE,
) -> None:
    """Label every picture by the isophotes measured on the deep picture of the same view."""
    from galclass import label as stage

    stage.run(pack, _settings(config)["label"], output)


@app.command()
def train(
    packs: Annotated[list[Path], typer.Argument(help="Packs of simulations and of shape models.")],
    output: Output,
    labels: Annotated[list[Path], typer.Option(help="Table of the stage label, once for each pack.")] = _NONE,
    thesis: Annotated[
        str,
        typer.Option("--thesis", help="The thesis's network for these classes instead: oval-rectangle."),
    ] = "",
    shuffle_labels: Annotated[
        bool, typer.Option("--shuffle-labels", help="With --thesis: the control, labels shuffled among models.")
    ] = False,
    config: Config = _NONE,
) -> None:
    """Train the classifier; writes model.json, the weights of its members and what it reached on runs it never saw."""
    from galclass import config as configuration

    settings = _settings(config)
    if thesis:
        _train_thesis(packs, labels, settings["train"], output, shuffle_labels, thesis)
        return
    from galclass import train as stage

    if shuffle_labels:
        raise typer.BadParameter("only with --thesis; the classifier has a control", param_hint="--shuffle-labels")
    mergers = configuration.read_mergers(configuration.resolve(settings["initial"]["table"]))
    mass_ratios = {run: row["mass_ratio"] for run, row in mergers.items()}
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
def classify(
    inputs: Annotated[list[Path], typer.Argument(help="Packs of frames; with --json, pictures.")],
    network: Annotated[Path, typer.Option(help="Folder of the trained network.")] = Path("results/train/network"),
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder for a table and an .out file for each pack.")
    ] = None,
    as_json: AsJson = False,
    config: Config = _NONE,
) -> None:
    """Give every frame its class: a table (Parquet, CSV) and the thesis's .out file; goes on where it was killed."""
    from galclass import classify as stage

    settings = _settings(config)["classify"]
    if as_json:
        _print_json(stage.pictures(inputs, network, settings["batch_size"]))
    if output is None:
        raise typer.BadParameter("give -o FOLDER, or --json", param_hint="--output")
    stage.run(inputs, network, settings, output)


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
        _print_json(found)
    print(*counting.lines(found), sep="\n")


@reference_app.callback(invoke_without_command=True)
def reference(
    context: typer.Context,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Folder for the reference.")] = None,
    config: Config = _NONE,
) -> None:
    """Make the picture that candidates are compared with; `reference fetch` gets pictures of galaxies."""
    if context.invoked_subcommand:
        return
    from galclass import reference as stage

    if output is None:
        raise typer.BadParameter("give -o FOLDER", param_hint="--output")
    settings = _settings(config)
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
    inputs: Annotated[list[Path], typer.Argument(help="Packs of frames; with --json, packs or pictures.")],
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
    config: Config = _NONE,
) -> None:
    """Compare candidates with the reference and with chance: cosines, SIFT, isophotes, what the network sees."""
    from galclass import verify as stage

    depth_dex, settings = (whole := _settings(config))["render"]["depth_dex"], whole["verify"]
    if controls is not None:
        settings["controls"] = str(controls)
    if as_json:
        _print_json(stage.pictures(inputs, reference, settings, depth_dex))
    if output is None:
        raise typer.BadParameter("give -o FILE.parquet, or --json", param_hint="--output")
    tables = [classified / f"{pack.stem}.parquet" for pack in inputs]
    stage.run(tables, inputs, reference, network, settings, output)


@app.command()
def visibility(
    snapshots: Annotated[list[Path], typer.Argument(help="Snapshots of one run, or its folder.")],
    output: Output,
    network: Annotated[Path, typer.Option(help="Folder of the trained network.")] = Path("results/train/network"),
    reference: Annotated[Path, typer.Option(help="Folder of the stage reference, or a picture.")] = Path(
        "results/reference"
    ),
    run: Annotated[str, typer.Option(help="Name of the run; default that of the file or folder.")] = "",
    config: Config = _NONE,
) -> None:
    """From how much of the sky, and for how long, a merger looks rectangular: tables (.parquet) and maps (.png)."""
    from galclass import visibility as stage

    stage.run(snapshots, network, reference, _settings(config), output, run)


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
    config: Config = _NONE,
) -> None:
    """Measure the shape of galaxies: ellipse, B4, B6, A4 with errors, CAS, Gini, M20, and the class."""
    from galclass import measure as stage

    radii = {name: radius for name, radius in _settings(config)["label"].items() if name.endswith("_effective_radii")}
    settings = {"fast": fast, "deep": deep, "psf_fwhm_px": psf_fwhm_px, **radii}
    answers = stage.run(inputs, settings, output, processes)
    if as_json:
        _print_json(answers)
    print(*stage.lines(answers), sep="\n")
    raise typer.Exit(any("error" in answer for answer in answers))


@app.command()
def report(
    results: Annotated[Path, typer.Argument(help="Folder of the results.")] = Path("results"),
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The page; default results/report/index.html or thesis.html.")
    ] = None,
    thesis: Annotated[bool, typer.Option("--thesis", help="The thesis's networks, its numbers beside ours.")] = False,
    config: Config = _NONE,
) -> None:
    """Write the report: one page that needs nothing else."""
    from galclass import report
    from galclass.report import thesis as thesis_report

    stage, name = (thesis_report, "thesis.html") if thesis else (report, "index.html")
    stage.run(results, _settings(config), output or Path("results/report") / name)
