"""What a generator wrote is what it would write now."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_expansions_are_those_of_their_generator():
    generator = ROOT / "fortran" / "generate" / "expansion.py"
    source = (ROOT / "fortran" / "src" / "expansion.f90").read_text(encoding="utf-8")
    order = source[source.index("order ") + len("order ")]
    written = subprocess.run([sys.executable, str(generator), order], capture_output=True, text=True, check=True).stdout
    assert source == written, "run `make generate`"
