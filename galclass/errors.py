"""Errors that reach the user as one line: what was found, what is allowed, what to do."""

import sys
from collections.abc import Sequence
from pathlib import Path


class GalclassError(Exception):
    """Base of every error the command line prints without a traceback (exit code 1)."""


class InputError(GalclassError):
    """A file the user gave is missing, damaged or of the wrong kind."""


class ConfigError(GalclassError):
    """A configuration file or design table holds an unknown key or a value that is not allowed."""


class ProgramError(GalclassError):
    """A compiled program or a compiler is missing, stale or failed."""


def raise_failures(failures: Sequence[InputError], done: int, output: Path) -> None:
    """Say what failed of many, on standard error but for the last, which is raised with where the others are."""
    for failure in failures[:-1]:
        print(failure, file=sys.stderr)
    if failures:
        raise InputError(f"{failures[-1]}{f'; the other {done} are in {output}' if done else ''}")
