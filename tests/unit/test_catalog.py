"""Tables survive the way to disk, with what they were made from."""

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
