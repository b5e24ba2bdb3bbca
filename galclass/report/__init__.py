"""The report: one page with the mergers, the training, the classes of the frames and the candidates."""

from galclass.report.page import run

__all__ = ["run"]
