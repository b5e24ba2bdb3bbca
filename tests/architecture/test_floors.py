"""Imports only go down the floors, stages never import each other, heavy libraries stay where they belong."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "galclass"

FLOORS = {
    0: {
        "errors",
        "files",
        "units",
        "vectors",
        "config",
        "sources",
        "provenance",
        "plotstyle",
        "parallel",
        "progress",
        "quality",
        "statistics",
    },
    1: {
        "snapshot",
        "images",
        "catalog",
        "kernels",
        "telescope",
        "segmentation",
        "isophotes",
        "morphology",
        "ruler",
        "network",
        "rates",
        "status",
        "trace",
    },
    2: {
        "compile",
        "initial",
        "simulate",
        "render",
        "export",
        "clean",
        "measure",
        "label",
        "train",
        "classify",
        "reference",
        "verify",
    },
    3: {"visibility", "screen", "validate", "pipeline", "doctor", "design", "plan", "crate"},
    4: {"report"},
    5: {"cli"},
}
#: Verbs for pictures in hand, which no rule of the flow calls.
TOOLS = {"measure", "export"}
FLOOR_OF = {module: floor for floor, modules in FLOORS.items() for module in modules}

#: Libraries that only the named modules may import.
KEPT = {
    "keras": {"network", "train"},
    "tensorflow": {"network", "train"},
    "cv2": {"verify"},
    "photutils": {"segmentation", "isophotes"},
    "statmorph": {"morphology"},
    "tornado": set(),
    "jinja2": {"report"},
}


def modules() -> dict[str, list[Path]]:
    """Files of each module or sub-package by its name."""
    found: dict[str, list[Path]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).with_suffix("").parts[0]
        if name != "__init__":
            found.setdefault(name, []).append(path)
    return found


def imports(path: Path) -> set[str]:
    """Every module a file imports, at the top or inside functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def internal(path: Path) -> set[str]:
    """The modules of galclass that a file imports."""
    found = {name.split(".")[1] for name in imports(path) if name and name.startswith("galclass.")}
    return found & set(modules())


def test_every_module_stands_on_a_floor():
    assert set(modules()) == set(FLOOR_OF)


@pytest.mark.parametrize("name", sorted(FLOOR_OF))
def test_imports_go_down(name):
    for path in modules()[name]:
        for imported in internal(path) - {name}:
            lower = FLOOR_OF[imported] < FLOOR_OF[name]
            beside = FLOOR_OF[imported] == FLOOR_OF[name] and FLOOR_OF[name] in (0, 1)
            assert lower or beside, (
                f"{path.name} on floor {FLOOR_OF[name]} imports {imported} on floor {FLOOR_OF[imported]}"
            )


def test_floors_0_and_1_have_no_circles():
    graph = {name: set().union(*map(internal, files)) - {name} for name, files in modules().items()}

    def reaches(start: str, goal: str, seen: set[str]) -> bool:
        return any(n == goal or (n not in seen and reaches(n, goal, seen | {n})) for n in graph[start])

    assert not [name for name in graph if reaches(name, name, {name})]


@pytest.mark.parametrize("library", sorted(KEPT))
def test_heavy_libraries_stay_where_they_belong(library):
    users = {name for name, files in modules().items() for path in files
             if any(i and i.split(".")[0] == library for i in imports(path))}  # fmt: skip
    assert users <= KEPT[library]


def test_nothing_heavy_at_import():
    """`galclass --help` must answer at once, so importing the command line loads no numerical library."""
    heavy = [
        "numpy",
        "scipy",
        "pandas",
        "keras",
        "tensorflow",
        "cv2",
        "sklearn",
        "matplotlib",
        "h5py",
        "astropy",
        "yaml",
    ]
    code = f"import sys, galclass.cli; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_stage_has_its_rule_file_and_its_verb():
    """The noun of a stage names its module, its rules and its verb."""
    root = PACKAGE.parent
    rules = {path.stem for path in (root / "workflow" / "rules").glob("*.smk")}
    assert rules == (FLOORS[2] | {"visibility", "screen", "validate", "report"}) - TOOLS
    listed = subprocess.run(
        [Path(sys.executable).with_name("galclass"), "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert all(f" {verb} " in listed for verb in rules | TOOLS)


def test_rules_call_verbs_of_the_program():
    """So that a log shows a command that a person can repeat."""
    for path in (PACKAGE.parent / "workflow" / "rules").glob("*.smk"):
        text = path.read_text()
        assert "run:" not in text
        assert "script:" not in text
        assert text.count("shell:") == text.count('"galclass '), path.name
