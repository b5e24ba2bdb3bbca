"""Stage `initial`: two equilibrium dwarf galaxies on a Kepler orbit, as a GADGET file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from galclass import provenance
from galclass.errors import ConfigError
from galclass.files import write_text
from galclass.initial.orbit import disc_rotation, kepler_state
from galclass.initial.progenitor import draw, galaxy, model, scaled
from galclass.snapshot import Snapshot, join, write

__all__ = ["galaxy", "kepler_state", "merger", "run"]


def merger(row: dict, settings: dict, seed: int, softening_kpc: float = 0.0) -> Snapshot:
    """Place two galaxies on their orbit, approaching, with the centre of mass at rest in the origin.

    Parameters
    ----------
    row : dict
        One row of the merger table: ``mass_ratio`` (larger over smaller, 1 or more; the smaller has masses and
        particle numbers divided by it and lengths by its cube root), ``pericentre_kpc``, ``eccentricity``,
        ``separation_kpc``, ``inclination1_deg``, ``argument1_deg``, ``inclination2_deg``, ``argument2_deg``
        (see `galclass.initial.orbit`) and ``bulge_over_halo``.
    settings : dict
        The section ``initial`` of the configuration, for the larger galaxy.
    seed : int
        Seed; each galaxy has a random stream of its own.
    softening_kpc : float
        Plummer softening of the simulation to come [kpc].

    Returns
    -------
    Snapshot
        Sorted by type; ids 1 to n1 belong to the larger galaxy, the rest to the smaller.

    Raises
    ------
    ConfigError
        If the mass ratio is below 1, or the orbit or the equilibrium does not exist.
    """
    if row["mass_ratio"] < 1.0:
        raise ConfigError(f"mass_ratio {row['mass_ratio']:g}: larger over smaller must be 1 or more; invert it")
    sizes = (settings, scaled(settings, row["mass_ratio"]))
    models = [model(size, row["bulge_over_halo"], softening_kpc) for size in sizes[: 1 if sizes[0] == sizes[1] else 2]]
    streams = np.random.default_rng(seed).spawn(2)
    first, second = (
        _tilted(draw(made, size, rng), row, number)
        for number, made, size, rng in zip((1, 2), (models[0], models[-1]), sizes, streams, strict=True)
    )
    mass1, mass2 = first.masses.sum(), second.masses.sum()
    orbit = kepler_state(mass1 + mass2, row["pericentre_kpc"], row["eccentricity"], row["separation_kpc"])
    share = mass1 / (mass1 + mass2)
    pair = [_moved(first, share - 1.0, orbit, 0), _moved(second, share, orbit, len(first))]
    return join(pair).sorted_by_type()


def _tilted(part: Snapshot, row: dict, number: int) -> Snapshot:
    """A galaxy turned by its disc angles in the table."""
    rotation = disc_rotation(row[f"inclination{number}_deg"], row[f"argument{number}_deg"], number == 2)
    turned = part.positions @ rotation.T, part.velocities @ rotation.T
    return Snapshot(*turned, part.masses, part.ids, part.types, part.time)


def _moved(part: Snapshot, share: float, orbit: tuple, first_id: int) -> Snapshot:
    """A galaxy shifted by its share of the relative position and velocity, its ids after `first_id`."""
    position, velocity = part.positions + share * orbit[0], part.velocities + share * orbit[1]
    return Snapshot(position, velocity, part.masses, part.ids + first_id, part.types, part.time)


def run(row: dict, settings: dict, output: Path | str, softening_kpc: float = 0.0) -> None:
    """Write the initial conditions of one run, and beside them a JSON file of their provenance.

    Parameters
    ----------
    row : dict
        One row of the merger table, with its ``run`` and ``seed``.
    settings : dict
        The section ``initial`` of the configuration.
    output : path
        The GADGET file; provenance goes to the same name with the suffix .json.
    softening_kpc : float
        Softening of the simulation to come [kpc].
    """
    output = Path(output)
    write(output, merger(row, settings, row["seed"], softening_kpc))
    used = {"row": row, "initial": settings, "softening_kpc": softening_kpc}
    record = provenance.record("initial", [], used, row["seed"])
    write_text(output.with_suffix(".json"), json.dumps(record, indent=1) + "\n")
