"""The command line: one verb a stage, each a command that a person can repeat from a log.

Exit codes: 0 all well, 1 an input or a step failed (the rest was done), 2 wrong usage, 75 a simulation was asked to
stop before its end (the same command continues it).
"""

import os
import sys

# Each module adds its verbs to the application, in this order.
from galclass.cli import stages, timing

# isort: split
from galclass.cli import screening, validation

# isort: split
from galclass.cli import projects

# isort: split
from galclass.cli import snapshots, tools
from galclass.cli.common import app
from galclass.errors import GalclassError

__all__ = ["app", "main", "projects", "screening", "snapshots", "stages", "timing", "tools", "validation"]


def main() -> None:
    """Run the command line; an expected error is one line on standard error and exit code 1."""
    try:
        with timing.timed(sys.argv[1:]):
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
