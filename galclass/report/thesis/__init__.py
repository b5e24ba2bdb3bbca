"""The report on the thesis: its three networks, its models raw and with the noise removed, its numbers beside ours."""

from galclass.report.thesis.page import run

__all__ = ["run"]
