"""Stage `train`: the networks that tell rectangles from ovals."""

from galclass.train.thesis import run

__all__ = ["run"]
