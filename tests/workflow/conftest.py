"""A copy of the project in which the whole flow has run once at its smallest."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("Snakefile", "config", "fortran", "galclass", "profiles", "workflow", "tests/workflow")


@dataclass(frozen=True)
class Project:
    """A copy of the project that can be edited, and Snakemake run in it."""

    folder: Path

    def snakemake(self, *arguments: str, overlays: tuple[str, ...] = ()) -> subprocess.CompletedProcess:
        """Run Snakemake on the smallest configuration, then the given overlays."""
        files = ["tests/workflow/micro.yaml", *overlays]
        command = [Path(sys.executable).with_name("snakemake"), "--cores", "2", "--configfile", *files, *arguments]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(self.folder / ".cache")}
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, env=environment)

    def planned(self, *arguments: str, overlays: tuple[str, ...] = ()) -> dict[str, int]:
        """How often each rule would run."""
        done = self.snakemake("--dry-run", *arguments, overlays=overlays)
        assert done.returncode == 0, done.stdout + done.stderr
        table = re.search(r"^job\s+count\n-+\s+-+\n(.*?)\ntotal", done.stdout, re.MULTILINE | re.DOTALL)
        rows = [line.split() for line in table.group(1).splitlines()] if table else []
        return {rule: int(count) for rule, count in rows if rule != "all"}

    def overlay(self, text: str) -> str:
        """Write an overlay and return its path."""
        (self.folder / "overlay.yaml").write_text(text)
        return "overlay.yaml"


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Project:
    """The flow, run to its end. Tests must leave it as they found it."""
    folder = tmp_path_factory.mktemp("project")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
        else:
            shutil.copy2(source, folder / name)
    project = Project(folder)
    done = project.snakemake()
    assert done.returncode == 0, done.stdout + done.stderr
    return project


@pytest.fixture
def edited(finished):
    """Edit files of the finished project; they are put back, with their times, after the test."""
    originals: dict[Path, tuple[bytes, os.stat_result]] = {}

    def edit(name: str, change) -> None:
        path = finished.folder / name
        originals[path] = (path.read_bytes(), path.stat())
        text = path.read_text()
        assert change(text) != text, f"the edit of {name} changed nothing"
        path.write_text(change(text))

    yield edit
    for path, (content, stat) in originals.items():
        path.write_bytes(content)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
