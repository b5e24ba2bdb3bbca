"""What several test files share: the Fortran programs, built once."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def programs(tmp_path_factory) -> Path:
    """Folder with the programs `merger` and `shape`, built as the workflow builds them."""
    build = tmp_path_factory.mktemp("build")
    beside = Path(sys.executable).with_name("cmake")
    cmake = str(beside) if beside.is_file() else shutil.which("cmake")
    for command in (["-S", str(ROOT), "-B", str(build), "-DGALCLASS_PROGRAMS=ON"], ["--build", str(build)]):
        done = subprocess.run([cmake, *command], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    return build / "bin"
