"""Tables of results: Parquet with provenance for programs, the same rows as CSV for people, and as FITS."""

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from galclass.errors import InputError
from galclass.files import atomic, require_file

_KEY = b"galclass.provenance"
#: How the name of a column ends, and its unit as FITS spells it.
_UNITS = {"_gyr": "Gyr", "_kpc": "kpc", "_deg": "deg", "_px": "pix", "_arcsec": "arcsec"}


def write_table(path: Path, table: pd.DataFrame, provenance: dict) -> None:
    """Write `table` to `path` (.parquet), and beside it the same rows as .csv."""
    write_parts(path, [table], provenance)


def write_parts(path: Path, parts: Iterable[pd.DataFrame], provenance: dict) -> None:
    """Write tables of the same columns as one, as `write_table` does; only one of them is in memory at a time."""
    import pyarrow
    import pyarrow.parquet

    path, writer, noted = Path(path), None, {_KEY: json.dumps(provenance).encode()}
    with (
        atomic(path) as temporary,  # named last: the workflow takes the work for done when it is there
        atomic(path.with_suffix(".csv")) as as_text,
        open(as_text, "w", encoding="utf-8", newline="") as text,
    ):
        for part in parts:
            rows = pyarrow.Table.from_pandas(part, preserve_index=False)
            if writer is None:
                schema = rows.schema.with_metadata({**(rows.schema.metadata or {}), **noted})
                writer = pyarrow.parquet.ParquetWriter(temporary, schema)
            part.to_csv(text, index=False, float_format="%.6g", header=text.tell() == 0)
            writer.write_table(rows.cast(schema))
        writer.close()


def write_fits(path: Path, table: pd.DataFrame, provenance: dict) -> None:
    """Write `table` to `path` (.fits) as the binary table TABLE.

    Units follow from the ends of the columns' names. FITS knows neither letters beyond ASCII nor missing text: the
    former become escapes, the latter is empty. What the table was made from stands as JSON in its cards HISTORY, to
    be put together with nothing between them.
    """
    from astropy.io import fits

    columns = {name: _fits_column(table[name]) for name in table}
    hdu = fits.BinTableHDU(np.rec.fromarrays(list(columns.values()), names=list(columns)), name="TABLE")
    for name in columns:
        hdu.columns[name].unit = next((unit for end, unit in _UNITS.items() if name.endswith(end)), None)
    # Without spaces, since those at the end of a card are lost.
    text = json.dumps(provenance, separators=(",", ":")).replace(" ", "\\u0020")
    hdu.header.add_comment("HISTORY: what galclass made this table from, JSON")
    hdu.header.add_history(text)
    with atomic(path) as temporary:
        fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(temporary)


def _fits_column(column: pd.Series) -> np.ndarray:
    """The values of a column as FITS stores them: numbers and truth values as they are, the rest as ASCII."""
    if pd.api.types.is_bool_dtype(column) or pd.api.types.is_numeric_dtype(column):
        return column.to_numpy()
    texts = ["" if value is None or value is pd.NA or value != value else str(value) for value in column]
    return np.array([text.encode("ascii", "backslashreplace") for text in texts], dtype=bytes)


def read_table(path: Path) -> pd.DataFrame:
    """Read a table written by `write_table`; raises `InputError` when it is no table or has no rows."""
    import pyarrow

    path = require_file(path)
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise InputError(f"{path}: not a readable Parquet table; run the stage that writes it again") from error
    if table.empty:
        raise InputError(f"{path}: the table has no rows; the stage that writes it found nothing to write")
    return table


def read_provenance(path: Path) -> dict:
    """What a table was made from, as `write_table` was told."""
    import pyarrow.parquet

    metadata = pyarrow.parquet.read_schema(require_file(path)).metadata or {}
    return json.loads(metadata.get(_KEY, b"{}"))
