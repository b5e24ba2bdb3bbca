"""Tables survive the way to disk, with what they were made from."""

import json

import numpy as np
import pandas as pd
import pytest

from galclass import catalog
from galclass.errors import InputError

TABLE = pd.DataFrame({"run": ["box", "oval"], "frame": [0, 1], "p": [0.25, 1 / 3]})


def test_parquet_round_trip_and_csv_beside_it(tmp_path):
    path = tmp_path / "a.parquet"
    catalog.write_table(path, TABLE, {"stage": "classify", "seed": 3})
    pd.testing.assert_frame_equal(catalog.read_table(path), TABLE, check_dtype=False)
    assert catalog.read_provenance(path) == {"stage": "classify", "seed": 3}
    assert (tmp_path / "a.csv").read_text().splitlines() == ["run,frame,p", "box,0,0.25", "oval,1,0.333333"]


def test_same_table_same_bytes(tmp_path):
    for name in ("a.parquet", "b.parquet"):
        catalog.write_table(tmp_path / name, TABLE, {})
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_parts_are_one_table(tmp_path):
    catalog.write_parts(tmp_path / "parts.parquet", iter([TABLE.head(1), TABLE.tail(1)]), {"seed": 3})
    catalog.write_table(tmp_path / "whole.parquet", TABLE, {"seed": 3})
    whole, parts = (catalog.read_table(tmp_path / f"{name}.parquet") for name in ("whole", "parts"))
    pd.testing.assert_frame_equal(whole, parts)
    assert (tmp_path / "parts.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert catalog.read_provenance(tmp_path / "parts.parquet") == {"seed": 3}


def test_parts_that_end_in_an_error_leave_nothing(tmp_path):
    def parts():
        yield TABLE
        raise InputError("torn")

    with pytest.raises(InputError, match="torn"):
        catalog.write_parts(tmp_path / "torn.parquet", parts(), {})
    assert not list(tmp_path.iterdir())


def test_bad_tables_are_refused(tmp_path):
    (tmp_path / "text.parquet").write_text("no table")
    with pytest.raises(InputError, match="not a readable Parquet table"):
        catalog.read_table(tmp_path / "text.parquet")
    catalog.write_table(tmp_path / "none.parquet", TABLE.head(0), {})
    with pytest.raises(InputError, match="no rows"):
        catalog.read_table(tmp_path / "none.parquet")
    with pytest.raises(InputError, match="no such file"):
        catalog.read_table(tmp_path / "missing.parquet")


def mixed() -> pd.DataFrame:
    """A table with every kind of column that results have."""
    return pd.DataFrame(
        {
            "run": ["box", "a longer name", None],
            "frame": [0, 7, 2**40],
            "mirrored": [True, False, True],
            "time_gyr": [0.5, np.nan, 2.0],
            "snr": np.array([1.5, np.inf, 3.0], np.float32),
            "effective_radius_kpc": 1.0,
            "roll_deg": 90.0,
            "radius_px": 7.0,
            "pixel_arcsec": 2.6,
        }
    )


def test_fits_keeps_values_types_units_and_provenance(tmp_path):
    from astropy.table import Table

    made_from = {"stage": "verify", "inputs": {"a file  with spaces.h5": "f" * 64}, "note": "x " * 200 + "é"}
    catalog.write_fits(tmp_path / "a.fits", mixed(), made_from)
    found = Table.read(tmp_path / "a.fits", hdu="TABLE")
    assert found["run"].tolist() == ["box", "a longer name", ""]
    assert found["frame"].tolist() == [0, 7, 2**40]
    assert found["mirrored"].dtype == bool and found["mirrored"].tolist() == [True, False, True]
    np.testing.assert_array_equal(np.asarray(found["time_gyr"]), [0.5, np.nan, 2.0])
    assert found["snr"].dtype.itemsize == 4 and np.isinf(found["snr"][1])
    units = {name: str(found[name].unit) for name in found.colnames if found[name].unit is not None}
    assert units == {"time_gyr": "Gyr", "effective_radius_kpc": "kpc", "roll_deg": "deg", "radius_px": "pix",
                     "pixel_arcsec": "arcsec"}  # fmt: skip
    assert json.loads("".join(header_of(tmp_path / "a.fits")["HISTORY"])) == made_from


def header_of(path):
    from astropy.io import fits

    return fits.getheader(path, "TABLE")


def test_fits_takes_letters_beyond_ascii_and_empty_text(tmp_path):
    from astropy.table import Table

    catalog.write_fits(tmp_path / "a.fits", pd.DataFrame({"name": ["café", "b"], "label": ["", None]}), {})
    found = Table.read(tmp_path / "a.fits")
    assert found["name"].tolist() == ["caf\\xe9", "b"]
    assert found["label"].tolist() == ["", ""]


def test_fits_is_written_whole_and_over_an_older_one(tmp_path):
    """The same table gives the same bytes, and an error leaves what was there."""
    path = tmp_path / "a.fits"
    catalog.write_fits(path, TABLE.head(1), {})
    catalog.write_fits(path, TABLE, {"seed": 3})
    first = path.read_bytes()
    catalog.write_fits(path, TABLE, {"seed": 3})
    assert path.read_bytes() == first
    with pytest.raises(TypeError):
        catalog.write_fits(path, TABLE, {"seed": object()})
    assert path.read_bytes() == first
    assert [file.name for file in tmp_path.iterdir()] == ["a.fits"]
