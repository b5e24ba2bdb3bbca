"""Finished pieces of a long work on disk, so that work that was killed goes on where it was."""

import hashlib
import json
import shutil
from pathlib import Path

import pandas as pd

from galclass.files import atomic


class Shards:
    """Tables of the finished shards of one product, in a hidden folder beside it.

    A shard counts only for the very same work: the folder's name is a digest of the record of provenance, that is of
    the inputs, the code, the settings and the versions. Shards of other work are removed. Shards carry checksums, and a
    damaged one counts as missing.

    Parameters
    ----------
    target : path
        Of the product.
    record : dict
        Provenance of the product.
    """

    def __init__(self, target: Path, record: dict) -> None:
        key = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
        self._root = target.with_name(f".{target.stem}.shards")
        self._folder = self._root / key
        if self._root.is_dir():
            for other in self._root.iterdir():
                if other != self._folder:
                    shutil.rmtree(other, ignore_errors=True)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:06}.parquet"

    def __contains__(self, number: int) -> bool:
        import pyarrow

        try:
            self.read(number)
        except (OSError, pyarrow.ArrowException):
            return False
        return True

    def write(self, number: int, table: pd.DataFrame) -> None:
        """Keep a shard."""
        with atomic(self._path(number)) as temporary:
            table.to_parquet(temporary, index=False, write_page_checksum=True)

    def read(self, number: int) -> pd.DataFrame:
        """A shard that was kept."""
        return pd.read_parquet(self._path(number), page_checksum_verification=True)

    def frames(self, count: int) -> int:
        """Number of rows of the first shards."""
        import pyarrow.parquet

        return sum(pyarrow.parquet.read_metadata(self._path(number)).num_rows for number in range(count))

    def remove(self) -> None:
        """Forget all shards, once the product is written."""
        shutil.rmtree(self._root, ignore_errors=True)
