"""Packs of frames in HDF5: pictures between 0 and 1, the light behind them, and a table of one row a picture."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from galclass.errors import InputError
from galclass.files import atomic, require_file
from galclass.images.stretching import unstretch

#: Columns of the table of a pack, with their units where they have one.
FRAME_COLUMNS = {
    "frame": "number of the picture in its pack",
    "run": "simulation or shape model",
    "snapshot": "file name of the snapshot without suffix",
    "time_gyr": "time of the snapshot [Gyr]",
    "view_x": "unit vector to the observer",
    "view_y": "unit vector to the observer",
    "view_z": "unit vector to the observer",
    "roll_deg": "turn of the picture about the line of sight [deg]",
    "pixel_kpc": "width of a pixel [kpc]",
    "pixel_arcsec": "width of a pixel [arcsec]",
    "effective_radius_kpc": "radius of half the projected mass [kpc]",
    "snr": "signal to noise of the ring about the middle at the effective radius, one pixel wide; inf without noise",
    "galaxies": "how many galaxies the picture shows side by side: 2 for a pair still apart",
    "seed": "seed of the views and of the noise",
    "label": "known class of a training picture, else empty",
}
#: How the name of a pack ends.
PACK_SUFFIXES = (".h5", ".hdf5")
_TEXT = ("run", "snapshot", "label")
_INTEGER = ("frame", "galaxies", "seed")
#: Pictures are stored, and so read, in pieces of about this many bytes.
_CHUNK_BYTES = 2**18


#: What stands behind the pictures, linear, in the unit of the layer.
LAYERS = {
    "flux": "what the telescope recorded, sky subtracted",
    "deep": "the same view without sky, noise and blur",
}


@dataclass(frozen=True)
class Pack:
    """Pictures of one run.

    Attributes
    ----------
    images : float32, shape (n, ny, nx), between 0 and 1
    frames : table of n rows with the columns of `FRAME_COLUMNS`
    provenance : what the pack was made from
    path : the file, for the layers, which are read when they are asked for; None where there are none
    """

    images: np.ndarray
    frames: pd.DataFrame
    provenance: dict
    path: Path | None = None

    @cached_property
    def flux(self) -> np.ndarray:
        """What the telescope recorded, linear, float32, shape (n, ny, nx), in `unit`."""
        stored = self._layer("flux")
        return unstretch(self.images, self.depth_dex).astype(np.float32) if stored is None else stored

    @cached_property
    def deep(self) -> np.ndarray:
        """The same views without sky, noise and blur; the flux itself where the telescope added none of them."""
        stored = self._layer("deep")
        return self.flux if stored is None else stored

    @property
    def unit(self) -> str:
        """Unit of the layers: uJy or 1e10 Msun; "peak" where a pack holds pictures only."""
        if self.path is None:
            return "peak"
        with h5py.File(self.path) as file:
            return str(file["flux"].attrs["unit"]) if "flux" in file else "peak"

    @property
    def depth_dex(self) -> float:
        """Decades that the pictures reach below their peak."""
        return depth_dex(self.provenance)

    def index(self, frame: int) -> int:
        """Row of the picture whose column `frame` is this number; an `InputError` when there is none."""
        found = np.flatnonzero(self.frames["frame"].to_numpy() == frame)
        if len(found) == 0:
            low, high = self.frames["frame"].min(), self.frames["frame"].max()
            raise InputError(f"{self.path}: no frame {frame}; its frames are numbered {low} to {high}")
        return int(found[0])

    def _layer(self, name: str) -> np.ndarray | None:
        if self.path is None:
            return None
        with h5py.File(self.path) as file:
            return file[name][()] if name in file else None


def write_pack(
    path: Path,
    images: np.ndarray,
    frames: pd.DataFrame,
    provenance: dict,
    layers: Mapping[str, np.ndarray] | None = None,
    unit: str = "uJy",
) -> None:
    """Write a pack.

    Parameters
    ----------
    path : path
    images : shape (n, ny, nx), between 0 and 1
    frames : table of n rows with the columns of `FRAME_COLUMNS`
    provenance : what it was made from; its `settings` hold `depth_dex`, the stretch of the pictures
    layers : arrays of the shape of `images`, by their names in `LAYERS`
    unit : of the layers
    """
    with atomic(path) as temporary, h5py.File(temporary, "w") as file:
        for name, values in {"images": images, **(layers or {})}.items():
            values = np.asarray(values, np.float32)
            options = {"compression": "gzip", "compression_opts": 1, "shuffle": True, "chunks": _chunks(values.shape)}
            file.create_dataset(name, data=values, **(options if len(values) else {}))
            if name in LAYERS:
                file[name].attrs.update({"unit": unit, "meaning": LAYERS[name]})
        table = file.create_group("frames")
        for column, meaning in FRAME_COLUMNS.items():
            values = frames[column].to_numpy()
            kind = h5py.string_dtype() if column in _TEXT else np.int64 if column in _INTEGER else np.float64
            table.create_dataset(column, data=values.astype(object) if column in _TEXT else values, dtype=kind)
            table[column].attrs["meaning"] = meaning
        file.attrs["provenance"] = json.dumps(provenance)


def _chunks(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Whole pictures, some at a time."""
    return max(1, min(shape[0], _CHUNK_BYTES // (4 * shape[1] * shape[2]))), *shape[1:]


def read_pack(path: Path) -> Pack:
    """Read a pack; raises `InputError` when the file is not one, is empty or holds a NaN."""
    file = PackFile(path)
    return Pack(file.pictures("images"), file.frames(), file.provenance, file.path)


class PackFile:
    """A pack on disk, to be read some frames at a time.

    Attributes
    ----------
    path : the file
    shape : number of pictures, ny, nx
    provenance : what the pack was made from

    Raises
    ------
    InputError
        The file is not a pack, or is empty; later, when a picture that is read holds a NaN.
    """

    def __init__(self, path: Path) -> None:
        self.path = require_file(path)
        with self._open() as file:
            if file["images"].dtype.kind != "f":
                raise ValueError("images are no numbers")
            self.shape = tuple(file["images"].shape)
            self.provenance = dict(json.loads(file.attrs["provenance"]))
            self._layers = {name: (file[name].shape, str(file[name].attrs["unit"])) for name in LAYERS if name in file}
            rows = {name: len(file["frames"][name]) for name in FRAME_COLUMNS}
        self._check(rows)

    def _check(self, rows: dict[str, int]) -> None:
        path, shape, count = self.path, self.shape, max(rows.values())
        if min(rows.values()) != count:
            raise _not_a_pack(path, ValueError("columns of different lengths"))
        if len(shape) != 3 or shape[0] == 0 or shape[0] != count:
            raise InputError(f"{path}: {shape} pictures and {count} rows; a pack needs one row a picture, at least one")
        for name, (other, _) in self._layers.items():
            if other != shape:
                raise InputError(f"{path}: {name} has the shape {other}, the pictures {shape}; render it again")

    def __len__(self) -> int:
        return self.shape[0]

    def pictures(self, layer: str, first: int = 0, last: int | None = None) -> np.ndarray:
        """Pictures first to last (not included) of images, flux or deep, float32, shape (n, ny, nx), as in `Pack`."""
        if layer == "deep" and layer not in self._layers:
            layer = "flux"
        if layer == "flux" and layer not in self._layers:
            return unstretch(self.pictures("images", first, last), depth_dex(self.provenance)).astype(np.float32)
        with self._open() as file:
            pictures = np.asarray(file[layer][first:last], dtype=np.float32)
        if not np.isfinite(pictures).all():
            raise InputError(f"{self.path}: a picture holds NaN or infinite pixels; render it again")
        return pictures

    def frames(self, first: int = 0, last: int | None = None) -> pd.DataFrame:
        """Rows first to last (not included) of the table."""
        with self._open() as file:
            return pd.DataFrame({name: _column(file["frames"][name], name, first, last) for name in FRAME_COLUMNS})

    @contextmanager
    def _open(self) -> Iterator[h5py.File]:
        """The file; what is missing or odd in it is one line."""
        try:
            with h5py.File(self.path) as file:
                yield file
        except (OSError, KeyError, ValueError, TypeError, AttributeError) as error:
            raise _not_a_pack(self.path, error) from error


def _not_a_pack(path: Path, error: Exception) -> InputError:
    return InputError(f"{path}: not a pack of pictures ({error}); packs are written by `galclass render`")


def depth_dex(provenance: dict) -> float:
    """Decades that the pictures of a pack reach below their peak, from its provenance."""
    return float(provenance.get("settings", {}).get("depth_dex", 3.0))


def _column(dataset: h5py.Dataset, name: str, first: int, last: int | None) -> np.ndarray:
    """Rows of one column of the table as numbers or as text."""
    return dataset.asstr()[first:last].astype(object) if name in _TEXT else dataset[first:last]
