"""Digests of source code that do not change when only comments, docstrings or layout do.

Rules of the workflow carry such a digest, so that editing a computation reruns it and editing a comment does
not; the compiled extension carries one, so that a stale build is noticed. CMake runs this file by its path
(`python galclass/sources.py kernels OUTPUT`), so it imports nothing but the standard library.
"""

import ast
import functools
import hashlib
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

_USE = re.compile(r"^\s*use\b(?:\s*,\s*\w+\s*::|\s*::)?\s*galclass_(\w+)", re.IGNORECASE | re.MULTILINE)
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def fortran_closure(entry: Path, root: Path) -> list[Path]:
    """The Fortran file `entry` and every module of the project that it uses, directly or not.

    Parameters
    ----------
    entry : path
        A program or facade.
    root : path
        The repository; module `galclass_NAME` is root/fortran/src/NAME.f90.

    Returns
    -------
    list of path
        Sorted by path.

    Raises
    ------
    FileNotFoundError
        A module that is used has no file.
    """
    found, todo = set(), [entry]
    while todo:
        path = todo.pop()
        if path not in found:
            found.add(path)
            code = strip_fortran(path.read_text(encoding="utf-8"))
            todo += [root / "fortran" / "src" / f"{name.lower()}.f90" for name in _USE.findall(code)]
    return sorted(found)


def strip_fortran(text: str) -> str:
    """Free-form Fortran without comments, blank lines and trailing blanks; OpenMP sentinels (`!$`) stay."""
    lines, quote = [], ""
    for line in text.splitlines():
        kept, quote = _strip_line(line, quote)
        if kept.strip():
            lines.append(kept.rstrip())
    return "\n".join(lines)


def _strip_line(line: str, quote: str) -> tuple[str, str]:
    """A line up to its comment, and the quote that is still open because a text goes on in the next line."""
    if not quote and line.lstrip().startswith(("!$", "!GCC$", "!gcc$", "!DIR$", "!dir$")):
        return line, quote
    for place, character in enumerate(line):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == "!":
            return line[:place], quote
    return line, quote if line.rstrip().endswith("&") else ""


def python_closure(module: str, root: Path) -> list[Path]:
    """The files of `module` and of every `galclass` module it imports, at the top or inside functions.

    Parameters
    ----------
    module : str
        Dotted name, such as `galclass.render`.
    root : path
        The repository; the package is root/galclass.

    Returns
    -------
    list of path
        Sorted by path. Packages stand for all their modules, and their `__init__.py` is among them.

    Raises
    ------
    FileNotFoundError
        There is no such module.
    """
    if not _module_files(module, root):
        raise FileNotFoundError(f"{module}: no such module under {root}")
    found, todo = set(), _module_files(module, root)
    while todo:
        path = todo.pop()
        if path not in found:
            found.add(path)
            for name in _imports(path, root):
                todo += _module_files(name, root)
    return sorted(found)


def _module_files(module: str, root: Path) -> list[Path]:
    """Files behind a dotted name: a module, or all modules of a package; none for what is not a module."""
    place = root.joinpath(*module.split("."))
    if module == "galclass":
        return [place / "__init__.py"] if (place / "__init__.py").is_file() else []
    if place.is_dir():
        return sorted(place.rglob("*.py"))
    return [place.with_suffix(".py")] if place.with_suffix(".py").is_file() else []


def _imports(path: Path, root: Path) -> set[str]:
    """Dotted names of `galclass` things that a file imports; some may be functions, not modules."""
    return _imported(path.read_text(encoding="utf-8"), path.relative_to(root).parent.parts)


@functools.cache
def _imported(code: str, package: tuple[str, ...]) -> set[str]:
    """The same of the code of a file of a package; many stages share it."""
    names = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            names.add(base)
            names.update(f"{base}.{alias.name}" for alias in node.names)
    return {name for name in names if name.split(".")[0] == "galclass"}


@functools.cache
def strip_python(text: str) -> str:
    """The syntax tree of Python code without docstrings, as text: comments and layout are gone."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return ast.dump(tree)


def digest(paths: Iterable[Path], strip: Callable[[str], str]) -> str:
    """SHA-256, in hexadecimal, of the names and the stripped text of files, in the order given."""
    total = hashlib.sha256()
    for path in paths:
        code = strip(path.read_text(encoding="utf-8"))
        total.update(f"{path.name}\0{len(code)}\0{code}\0".encode())
    return total.hexdigest()


def kernels_digest(root: Path) -> str:
    """Digest of the Fortran behind the compiled extension of the repository `root`."""
    entry = root / "fortran" / "bindings" / "kernels.f90"
    return digest(fortran_closure(entry, root), strip_fortran)


def _main(arguments: list[str]) -> int:
    """Write a Fortran module that holds the digest of the kernels: `sources.py kernels OUTPUT`."""
    if len(arguments) != 2 or arguments[0] != "kernels":
        sys.stderr.write("usage: python galclass/sources.py kernels OUTPUT.f90\n")
        return 2
    value = kernels_digest(Path(__file__).resolve().parent.parent)
    Path(arguments[1]).write_text(
        "!> Written by galclass/sources.py: digest of the sources this extension is built from.\n"
        "module kernels_digest\n  implicit none\n  private\n"
        f"  character(len=64), parameter, public :: digest = '{value}'\nend module kernels_digest\n",
        encoding="utf-8",
    )
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
