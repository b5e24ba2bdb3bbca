"""Digests see code and nothing else."""

import pytest

from galclass import sources

FORTRAN = """!> Purpose.
module galclass_a
  use galclass_b, only: x  ! why
  implicit none

contains
  subroutine s(n)
    character(len=*), parameter :: t = 'wait! no comment'
    !$omp parallel do
    do i = 1, n
    end do
  end subroutine s
end module galclass_a
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("!> Purpose.", "!> Another purpose."),
        ("!> Purpose.\n", ""),
        ("  ! why", ""),
        ("  ! why", "   "),
        ("implicit none\n", "implicit none\n\n\n  ! a remark with 'half a quote\n"),
    ],
)
def test_comments_and_layout_of_fortran_do_not_count(old, new):
    assert old in FORTRAN
    assert sources.strip_fortran(FORTRAN.replace(old, new)) == sources.strip_fortran(FORTRAN)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("wait! no comment", "wait! a comment"),
        ("!$omp parallel do", "!$omp parallel"),
        ("    !$omp parallel do\n", ""),
        ("i = 1, n", "i = 2, n"),
    ],
)
def test_code_of_fortran_counts(old, new):
    assert old in FORTRAN
    assert sources.strip_fortran(FORTRAN.replace(old, new)) != sources.strip_fortran(FORTRAN)


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("x = 'it''s! so' ! but", "x = 'it''s! so'"),
        ("x = \"he said '!'\" ! quoted", "x = \"he said '!'\""),
        ("x = 'a&\n  &b ! c' ! d", "x = 'a&\n  &b ! c'"),
        ("  ! don't\nx = 1 ! y", "x = 1"),
        ("!$ use omp_lib", "!$ use omp_lib"),
    ],
)
def test_quotes_are_understood(line, kept):
    assert sources.strip_fortran(line) == kept


def fortran_tree(root):
    """A program that uses a, which uses b; c stands aside."""
    (root / "fortran" / "src").mkdir(parents=True)
    (root / "fortran" / "app").mkdir()
    modules = {"a": "  use galclass_b, only: x\n", "b": "", "c": "  use galclass_a, only: y\n"}
    for name, uses in modules.items():
        text = f"module galclass_{name}\n{uses}end module\n"
        (root / "fortran" / "src" / f"{name}.f90").write_text(text)
    entry = root / "fortran" / "app" / "p.f90"
    entry.write_text("program p\n  USE, non_intrinsic :: galclass_a\n  ! use galclass_c\nend program\n")
    return entry


def test_a_program_stands_on_the_modules_it_uses(tmp_path):
    closure = sources.fortran_closure(fortran_tree(tmp_path), tmp_path)
    assert [path.name for path in closure] == ["p.f90", "a.f90", "b.f90"]


def test_an_edit_below_changes_the_digest_and_one_aside_does_not(tmp_path):
    entry = fortran_tree(tmp_path)

    def digest():
        return sources.digest(sources.fortran_closure(entry, tmp_path), sources.strip_fortran)

    before = digest()
    aside = tmp_path / "fortran" / "src" / "c.f90"
    aside.write_text(aside.read_text() + "! and\nmodule galclass_d\nend module\n")
    below = tmp_path / "fortran" / "src" / "b.f90"
    below.write_text("! remark\n" + below.read_text())
    assert digest() == before
    below.write_text(below.read_text().replace("end", "contains\nend"))
    assert digest() != before


def test_a_missing_module_is_named(tmp_path):
    entry = fortran_tree(tmp_path)
    (tmp_path / "fortran" / "src" / "b.f90").unlink()
    with pytest.raises(FileNotFoundError, match=r"b\.f90"):
        sources.fortran_closure(entry, tmp_path)


PYTHON = '''"""Module."""
import os  # operating system


def f(x):
    """Docstring."""
    return x + 1


class C:
    "Docstring."

    def g(self):
        "not only"
        return "not a docstring"
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""Module."""\n', ""),
        ('    """Docstring."""\n', '    """Another."""\n'),
        ('    "Docstring."\n', ""),
        ('        "not only"\n', ""),
        ("  # operating system", ""),
        ("x + 1", "(x  +  1)"),
    ],
)
def test_comments_docstrings_and_layout_of_python_do_not_count(old, new):
    assert old in PYTHON
    assert sources.strip_python(PYTHON.replace(old, new)) == sources.strip_python(PYTHON)


@pytest.mark.parametrize(("old", "new"), [("x + 1", "x + 2"), ("not a docstring", "text"), ("import os", "import re")])
def test_code_of_python_counts(old, new):
    assert old in PYTHON
    assert sources.strip_python(PYTHON.replace(old, new)) != sources.strip_python(PYTHON)


def test_a_docstring_alone_can_go():
    assert sources.strip_python('def f():\n    "only this"\n') == sources.strip_python('def f():\n    "or that"\n')


def python_tree(root):
    """`a` imports b at the top, c in a function, package d; e imports a."""
    package = root / "galclass"
    (package / "d").mkdir(parents=True)
    files = {
        "__init__.py": "",
        "a.py": "import galclass.b\ndef f():\n    from galclass import c, G\n    from .d.one import g\n",
        "b.py": "import os\nimport numpy.linalg\n",
        "c.py": "from galclass.b import something\n",
        "d/__init__.py": "",
        "d/one.py": "from .two import h\n",
        "d/two.py": "from ..e import k\n",
        "e.py": "",
        "f.py": "from galclass import a\n",
    }
    for name, text in files.items():
        (package / name).write_text(text)
    return package


def test_a_module_stands_on_what_it_imports_anywhere(tmp_path):
    package = python_tree(tmp_path)
    closure = {path.relative_to(package).as_posix() for path in sources.python_closure("galclass.a", tmp_path)}
    assert closure >= {"a.py", "b.py", "c.py", "d/one.py", "d/two.py", "e.py"}
    assert "f.py" not in closure


def test_a_package_stands_for_all_its_modules(tmp_path):
    package = python_tree(tmp_path)
    closure = {path.relative_to(package).as_posix() for path in sources.python_closure("galclass.d", tmp_path)}
    assert closure >= {"d/__init__.py", "d/one.py", "d/two.py", "e.py"}
    assert "a.py" not in closure


def test_a_module_that_is_not_there_is_named(tmp_path):
    python_tree(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"galclass\.nothing"):
        sources.python_closure("galclass.nothing", tmp_path)


def test_a_digest_depends_on_names_order_and_text(tmp_path):
    one, two = tmp_path / "one.py", tmp_path / "two.py"
    one.write_text("a = 1")
    two.write_text("b = 2")
    forth, back = (sources.digest(paths, sources.strip_python) for paths in ([one, two], [two, one]))
    two.rename(tmp_path / "three.py")
    renamed = sources.digest([one, tmp_path / "three.py"], sources.strip_python)
    assert len({forth, back, renamed}) == 3
    assert all(len(value) == 64 for value in (forth, back, renamed))


def test_the_command_writes_a_module_with_the_digest(tmp_path):
    output = tmp_path / "digest.f90"
    assert sources._main(["kernels", str(output)]) == 0
    root = sources.Path(sources.__file__).resolve().parent.parent
    assert f"digest = '{sources.kernels_digest(root)}'" in output.read_text()


def test_the_command_explains_itself(capsys):
    assert sources._main(["nonsense"]) == 2
    assert "usage" in capsys.readouterr().err
