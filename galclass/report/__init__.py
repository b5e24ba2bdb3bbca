"""The report: a page with the mergers, the training and the classes of the frames, and one of the best candidates."""

from galclass.report.page import run

__all__ = ["run"]
