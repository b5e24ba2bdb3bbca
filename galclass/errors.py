"""Errors that reach the user as one line: what was found, what is allowed, what to do."""


class GalclassError(Exception):
    """Base of every error the command line prints without a traceback (exit code 1)."""


class InputError(GalclassError):
    """A file the user gave is missing, damaged or of the wrong kind."""


class ConfigError(GalclassError):
    """A configuration file or design table holds an unknown key or a value that is not allowed."""


class ProgramError(GalclassError):
    """A compiled program or a compiler is missing, stale or failed."""
