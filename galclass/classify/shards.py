"""Finished shards of frames on disk, so that a classification that was killed goes on where it was."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from galclass.files import atomic


class Shards:
    """Tables of the finished shards of one product; a damaged one counts as missing.

    Parameters
    ----------
    place : function
        From a name to a path, as `galclass.files.pieces` yields it.
    """

    def __init__(self, place: Callable[[str], Path]) -> None:
        self._place = place

    def _path(self, number: int) -> Path:
        return self._place(f"{number:06}.parquet")

    def __contains__(self, number: int) -> bool:
        import pyarrow

        try:
            self.read(number)
        except (OSError, pyarrow.ArrowException):
            return False
        return True

    def write(self, number: int, table: pd.DataFrame) -> None:
        """Keep a shard, with checksums."""
        with atomic(self._path(number)) as temporary:
            table.to_parquet(temporary, index=False, write_page_checksum=True)

    def read(self, number: int) -> pd.DataFrame:
        """A shard that was kept."""
        return pd.read_parquet(self._path(number), page_checksum_verification=True)

    def frames(self, count: int) -> int:
        """Number of rows of the first shards."""
        import pyarrow.parquet

        return sum(pyarrow.parquet.read_metadata(self._path(number)).num_rows for number in range(count))
