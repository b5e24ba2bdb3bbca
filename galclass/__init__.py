"""galclass: which galaxy collisions make a galaxy of a given shape, and which frame looks most like the real one."""

__version__ = "0.1.0"
