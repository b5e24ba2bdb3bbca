"""Attributes of HDF5 files as plain numbers: what each code writes as a number, a row of one, or text."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any


def plain(value: Any) -> Any:
    """An attribute as a number, a list of numbers, or text."""
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value.decode("latin1") if isinstance(value, bytes) else value


def row(attributes: dict, name: str) -> list:
    """An attribute as a list, though some codes write a number alone."""
    value = attributes.get(name, [])
    return value if isinstance(value, list) else [value]


def first_of(attributes: dict, names: Sequence[str], otherwise: float) -> float:
    """The first of some attributes that is there, as a number, though some codes write rows of one."""
    for name in names:
        value = row(attributes, name)
        with contextlib.suppress(TypeError, ValueError, IndexError):
            return float(value[0])
    return otherwise


def mass_table(head: dict, kinds: int) -> tuple[float, ...]:
    """The mass of every particle of each type, 0 where each has its own."""
    masses = [float(mass) for mass in row(head, "MassTable")]
    return tuple((masses + [0.0] * kinds)[:kinds])


def flagged(content: dict) -> bool | None:
    """Whether a run is cosmological, where its code says so in the attributes of a file."""
    flags = {**content["Policy"], **content["Cosmology"], **content["Header"], **content["Parameters"]}
    names = ("ComovingIntegrationOn", "Cosmological run", "cosmological integration")
    said = first_of(flags, names, -1.0)
    return None if said < 0 else said > 0
