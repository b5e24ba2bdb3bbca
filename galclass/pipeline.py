"""What the Snakefile needs of the package: a checked configuration, and digests of the code of each stage."""

import shlex
import sys
from collections.abc import Iterable
from pathlib import Path

import yaml

from galclass import config
from galclass.errors import GalclassError
from galclass.files import write_text
from galclass.provenance import code_digest, fortran_digest

__all__ = ["code_digest", "fortran_digest", "prepare", "reference_inputs", "shell_prefix"]

#: The checked configuration as every command of a run reads it.
RESOLVED = Path("results/config.yaml")


def prepare(settings: dict, overlays: Iterable[Path]) -> tuple[dict, dict[str, dict], dict[str, dict], list[dict]]:
    """Check Snakemake's merged configuration and write it where the commands read it.

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
    try:
        for overlay in overlays:
            config.check_file(Path(overlay))
        runs = config.selected_runs(config.check(settings, "--config"))
        learnt = config.training_runs(settings)
        models = config.read_shapes(config.resolve(settings["simulate"]["shapes"]["table"]))
        config.named_files(settings)
    except GalclassError as error:
        print(f"galclass: {error}", file=sys.stderr)
        sys.exit(1)
    _write_resolved(settings)
    return settings, runs, learnt, list(models.values())


def shell_prefix() -> str:
    """Shell code before every command: the environment Snakemake runs in also holds `galclass`.

    `tee` outlives the signals that ask a whole job to stop, so that a log also holds the last words of the command.
    """
    # The first words are those that a prefix of our own would replace.
    path = f"set -euo pipefail; export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH; "
    return path + """tee() (trap '' INT TERM USR1; exec tee "$@"); """


def reference_inputs(settings: dict) -> list[str]:
    """The files the reference is made from: the user's picture, or the figures of the built-in galaxy."""
    return config.reference_pictures(settings) or [str(config.ROOT / "config" / "reference" / "leda074886.yaml")]


def _write_resolved(settings: dict) -> None:
    """Write the configuration unless the file already says the same."""
    text = "# Written by the workflow; edit config/ instead.\n" + yaml.safe_dump(settings, sort_keys=False)
    if not RESOLVED.is_file() or RESOLVED.read_text(encoding="utf-8") != text:
        write_text(RESOLVED, text)
