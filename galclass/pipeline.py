"""What the Snakefile needs of the package: a checked configuration, and digests of the code of each stage."""

import contextlib
import shlex
import sqlite3
import sys
from collections.abc import Iterable
from pathlib import Path

import yaml

from galclass import config
from galclass.errors import GalclassError
from galclass.files import write_text
from galclass.provenance import code_digest, fortran_digest

__all__ = [
    "code_digest",
    "fortran_digest",
    "nearby",
    "prepare",
    "reference_inputs",
    "screened",
    "shell_prefix",
    "validation",
    "write_settings",
]

#: Where Snakemake keeps what it knows of a project.
SNAKEMAKE = Path(".snakemake")
#: The checked configuration as every command of a run reads it.
RESOLVED = Path("results/config.yaml")
#: The same of the survey of `validate_mergers`.
VALIDATED = Path("results/validate/config.yaml")
#: One log a run.
RUN_LOGS = Path("results/logs/runs")


def prepare(settings: dict, overlays: Iterable[Path]) -> tuple[dict, dict[str, dict], dict[str, dict], list[dict]]:
    """Check Snakemake's merged configuration.

    Parameters
    ----------
    settings : dict
        The configuration as Snakemake merged it: defaults, overlays and ``--config`` values.
    overlays : paths
        The overlay files, checked one by one first so that a message names the file.

    Returns
    -------
    settings, the rows of the merger table to screen and those to learn from by name of run, and the rows of the shape
    table.

    A wrong configuration ends the program with one line, before anything runs.
    """
    _adopt_records(SNAKEMAKE)
    try:
        for overlay in overlays:
            config.check_file(Path(overlay))
        runs, learnt, models = config.required(config.check(settings, "--config"))
    except GalclassError as error:
        print(f"galclass: {error}", file=sys.stderr)
        sys.exit(1)
    return settings, runs, learnt, list(models.values())


def shell_prefix() -> str:
    """Shell code before every command: the environment Snakemake runs in also holds `galclass`.

    `keep RUN` adds what it reads to the log of a run, which all its stages share: thousands of runs have thousands of
    logs, not tens of thousands. It and `tee` outlive the signals that ask a whole job to stop, so that a log also holds
    the last words of the command.
    """
    # The first words are those that a prefix of our own would replace.
    path = f"set -euo pipefail; export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH GALCLASS_TIMES=1; "
    # Round brackets only: Snakemake takes what is in others for names of its own.
    keep = f"""keep() (mkdir -p {RUN_LOGS}; tee -a "{RUN_LOGS}/$1.log"); """
    return path + """tee() (trap '' INT TERM USR1; exec tee "$@"); """ + keep


def nearby(folder: Path) -> Path:
    """A folder relative to the working directory if it lies in it, so that a project that is moved keeps its inputs."""
    return folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder


def reference_inputs(settings: dict) -> list[str]:
    """The files the reference is made from: the user's picture, or the figures of the built-in galaxy."""
    built_in = nearby(config.ROOT) / "config" / "reference" / "leda074886.yaml"
    return config.reference_pictures(settings) or [str(built_in)]


def screened(settings: dict) -> list[str]:
    """The files on disk behind the snapshots that the section `screen` names."""
    if not settings["screen"]["snapshots"]:
        return []
    from galclass import snapshot
    from galclass.snapshot import archive

    try:
        return [str(file) for file in archive.holding(snapshot.find(settings["screen"]["snapshots"]))]
    except GalclassError as error:
        print(f"galclass: screen.snapshots: {error}", file=sys.stderr)
        sys.exit(1)


def validation(settings: dict) -> tuple[dict, dict[str, dict]]:
    """The settings of the survey of `validate_mergers`, and its rows by name.

    They are the configuration as given with the overlay `validate.configuration` on top.
    """
    try:
        return config.validation(settings)
    except GalclassError as error:
        print(f"galclass: {error}", file=sys.stderr)
        sys.exit(1)


def write_settings(settings: dict, validation: dict) -> None:
    """Write both configurations where the commands read them, once work begins.

    Not before: a dry run with other settings must not change those of a flow at work.
    """
    for path, content in ((RESOLVED, settings), (VALIDATED, validation)):
        text = "# Written by the workflow; edit config/ instead.\n" + yaml.safe_dump(content, sort_keys=False)
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            write_text(path, text)


def _adopt_records(folder: Path) -> None:
    """Let a project that was moved keep what Snakemake noted of it: each record carries the folder's old path.

    Without, it would know nothing of changed settings, and take what was half done for finished.
    """
    database, here = folder / "metadata.db", str(folder.absolute())
    if not database.is_file():
        return
    with contextlib.closing(sqlite3.connect(database, timeout=60)) as records, records:
        tables = {name for (name,) in records.execute("SELECT name FROM sqlite_master")}
        if "snakemake_metadata" in tables:
            records.execute("UPDATE OR IGNORE snakemake_metadata SET namespace = ? WHERE namespace != ?", (here, here))
        # The settings say what the old disk was like; Snakemake looks at the new one.
        for table in tables & {"snakemake_metadata", "snakemake_persistence_db_settings"}:
            records.execute(f"DELETE FROM {table} WHERE namespace != ?", (here,))
