"""Writes fortran/src/expansion.f90: the Cartesian Taylor expansions of softened gravity as straight-line code.

usage: python fortran/generate/expansion.py ORDER > fortran/src/expansion.f90

Loops over multi-indices would cost more than the arithmetic, and a compiler does not vectorise them; so every
sum is written out. A multi-index is a triple of exponents (a, b, c) of x, y, z; its order is a + b + c.
"""

import sys
from math import factorial
from textwrap import dedent, indent

Index = tuple[int, int, int]
LINE = 116


def indices(order: int) -> list[Index]:
    """All multi-indices of one order."""
    return [(a, b, order - a - b) for a in range(order, -1, -1) for b in range(order - a, -1, -1)]


def up_to(order: int) -> list[Index]:
    """All multi-indices up to an order, lowest first."""
    return [k for n in range(order + 1) for k in indices(n)]


def plus(k: Index, j: Index) -> Index:
    return k[0] + j[0], k[1] + j[1], k[2] + j[2]


def minus(k: Index, j: Index) -> Index:
    return k[0] - j[0], k[1] - j[1], k[2] - j[2]


def name(letter: str, k: Index) -> str:
    """Name of a variable that belongs to a multi-index."""
    return f"{letter}{k[0]}{k[1]}{k[2]}"


def lower(k: Index) -> tuple[Index, str, int]:
    """The multi-index that has one exponent less, the axis, and the exponent it had."""
    axis = next(i for i in range(3) if k[i])
    return minus(k, tuple(int(i == axis) for i in range(3))), "xyz"[axis], k[axis]


def number(value: float) -> str:
    """A real32 literal."""
    text = f"{value:.9g}"
    return f"{text}{'' if '.' in text or 'e' in text else '.0'}_sp"


def statement(left: str, terms: list[str], depth: int) -> list[str]:
    """LEFT = sum of the terms, broken into lines."""
    pad, lines, line = " " * depth, [], f"{left} ="
    for i, term in enumerate(terms):
        word = term if i == 0 else f"- {term[1:]}" if term.startswith("-") else f"+ {term}"
        if len(pad) + len(line) + len(word) + 3 > LINE:
            lines.append(f"{pad}{line} &")
            line = f"  {word}"
        else:
            line += f" {word}"
    return [*lines, pad + line]


def declaration(kind: str, names: list[str], depth: int) -> list[str]:
    """A declaration of many variables, broken into lines."""
    lines, line = [], f"{kind} ::"
    for i, each in enumerate(names):
        word = f" {each}" + ("," if i < len(names) - 1 else "")
        if depth + len(line) + len(word) + 2 > LINE:
            lines.append(f"{' ' * depth}{line} &")
            line = " " * 4
        line += word
    return [*lines, " " * depth + line]


def monomials(letter: str, order: int, depth: int, scaled: bool) -> list[str]:
    """x^a y^b z^c for all orders from 1; scaled ones are divided by a! b! c!."""
    lines = []
    for n in range(1, order + 1):
        for k in indices(n):
            less, axis, exponent = lower(k)
            factor = "" if exponent == 1 or not scaled else f"*{number(1 / exponent)}"
            value = axis if n == 1 else f"{name(letter, less)}*{axis}{factor}"
            lines.append(f"{' ' * depth}{name(letter, k)} = {value}")
    return lines


def product(factors: list[str]) -> str:
    return "*".join(factor for factor in factors if factor)


def scaled_monomial(letter: str, k: Index) -> str:
    return name(letter, k) if sum(k) else ""


def zeros(names: list[str]) -> list[str]:
    """Statements that set variables to zero."""
    return ["    " + "; ".join(f"{each} = 0" for each in names[i : i + 10]) for i in range(0, len(names), 10)]


def reduction(names: list[str]) -> list[str]:
    """The directive that sums variables over the lanes of vectors."""
    chunks = [", ".join(names[first : first + 12]) for first in range(0, len(names), 12)]
    return ["    !$omp simd reduction(+:" + ", &\n    !$omp& ".join(chunks) + ")"]


def derivative(k: Index) -> list[str]:
    """Terms of the k-th derivative of 1/sqrt(x^2 + y^2 + z^2 + eps^2).

    g_n is the n-th radial derivative, (2n-1)!! / s^(2n+1), without its sign; a Hermite-like sum over pairings.
    """
    by_radial: dict[int, list[str]] = {}
    for p in up_to(sum(k) // 2):
        rest = tuple(exponent - 2 * half for exponent, half in zip(k, p, strict=True))
        if min(rest) < 0:
            continue
        n = sum(k) - sum(p)
        count = (-1) ** n
        for exponent, half in zip(k, p, strict=True):
            count *= factorial(exponent) // (2**half * factorial(half) * factorial(exponent - 2 * half))
        power = name("m", rest) if sum(rest) else ""
        factor = "" if abs(count) == 1 and power else number(abs(count))
        by_radial.setdefault(n, []).append(("-" if count < 0 else "") + product([factor, power]))
    terms = []
    for n, inner in sorted(by_radial.items(), reverse=True):
        if len(inner) == 1 and inner[0] in ("1.0_sp", "-1.0_sp"):
            terms.append(f"{inner[0][:-6]}g{n}")
        elif len(inner) == 1 and inner[0].startswith("-"):
            terms.append(f"-g{n}*{inner[0][1:]}")
        else:
            # All summands share the sign of (-1)^n.
            sign = "-" if inner[0].startswith("-") else ""
            body = " + ".join(part.lstrip("-") for part in inner)
            terms.append(f"{sign}g{n}*({body})" if len(inner) > 1 else f"g{n}*{body}")
    return terms


def orders(keys: list[Index]) -> str:
    """The orders of multi-indices, as the inside of an array constructor."""
    words = [str(sum(k)) for k in keys]
    chunks = [", ".join(words[first : first + 16]) for first in range(0, len(words), 16)]
    return ", &\n    ".join(chunks)


def module(order: int) -> str:
    """The whole module for expansions of this order."""
    local = up_to(order)
    multipole = [k for k in up_to(order - 1) if sum(k) != 1]
    place = {k: i + 1 for i, k in enumerate(local)}
    moment = {k: i + 1 for i, k in enumerate(multipole)}
    head = dedent(f"""\
        !> Cartesian Taylor expansions of gravity with Plummer softening, order {order} (Dehnen 2002, J. Comput.
        !> Phys. 179, 27; Warren & Salmon 1995). Written by fortran/generate/expansion.py: change that, not this.
        !>
        !> A multipole M_k is the sum of G m (-1)^|k| x^k / k! over particles at x from their centre of mass, of
        !> orders 0 and 2 to {order - 1}: the dipole is zero. A local expansion holds the k-th derivatives of minus the
        !> potential at a centre, orders 0 to {order}. Lists run over multi-indices k = (a, b, c), lowest order first,
        !> then falling a, then falling b.
        !>
        !> Pairs of cells are summed in vectors of sources: compiled with -ffast-math, as pair_kernels.
        module galclass_expansion
          use galclass_kinds, only: sp
          implicit none
          private
          public :: multipoles, locals, multipole_order, local_order, add_particles, shift_multipole, add_cells, &
                    shift_local, evaluate_local

          !> Number of multipoles, and of coefficients of a local expansion.
          integer, parameter :: multipoles = {len(multipole)}, locals = {len(local)}
          !> The order of each of them.
          integer, parameter :: multipole_order(multipoles) = [{orders(multipole)}]
          integer, parameter :: local_order(locals) = [{orders(local)}]

        contains
        """)
    parts = [
        add_particles(multipole, moment, order),
        shift_multipole(multipole, moment, order),
        add_cells(local, multipole, place, moment, order),
        shift_local(local, place, order),
        evaluate_local(local, place, order),
    ]
    return head + "\n" + "\n".join(parts) + "end module galclass_expansion\n"


def add_particles(multipole: list[Index], moment: dict, order: int) -> str:
    sums = [name("s", k) for k in multipole]
    lines = declaration("real(sp)", ["x", "y", "z", "gm"], 4)
    lines += declaration("real(sp)", [name("d", k) for n in range(1, order) for k in indices(n)], 4)
    lines += declaration("real(sp)", sums, 4)
    lines += ["    integer :: i", "", *zeros(sums), *reduction(sums), "    do i = 1, count"]
    lines += ["      x = -particles(i, 1); y = -particles(i, 2); z = -particles(i, 3); gm = particles(i, 4)"]
    lines += monomials("d", order - 1, 6, scaled=True)
    for k in multipole:
        lines += statement(name("s", k), [name("s", k), product(["gm", scaled_monomial("d", k)])], 6)
    lines.append("    end do")
    lines += [f"    multipole({moment[k]}) = {name('s', k)}" for k in multipole]
    return indent(
        dedent("""\
            !> The multipoles of a leaf.
            pure subroutine add_particles(count, particles, multipole)
              !> Number of particles
              integer, intent(in) :: count
              !> x, y, z relative to the centre [kpc] and G times mass [kpc (km/s)^2], shape (>= count, 4)
              real(sp), contiguous, intent(in) :: particles(:, :)
              !> The leaf's multipoles
              real(sp), intent(out) :: multipole(multipoles)
            """),
        "  ",
    ) + "\n".join([*lines, "  end subroutine add_particles", ""])


def shift_multipole(multipole: list[Index], moment: dict, order: int) -> str:
    names = [name("d", k) for n in range(1, order) for k in indices(n)]
    lines = declaration("real(sp)", ["x", "y", "z", *names], 4)
    lines += ["", "    x = -offset(1); y = -offset(2); z = -offset(3)"]
    lines += monomials("d", order - 1, 4, scaled=True)
    for k in multipole:
        terms = [f"multipole({moment[k]})"]
        for j in multipole:
            if all(a <= b for a, b in zip(j, k, strict=True)):
                terms.append(product([f"child({moment[j]})", scaled_monomial("d", minus(k, j))]))
        lines += statement(terms[0], terms, 4)
    return indent(
        dedent("""\
            !> Add a child's multipoles to those of its cell.
            pure subroutine shift_multipole(child, offset, multipole)
              !> The child's multipoles
              real(sp), intent(in) :: child(multipoles)
              !> The child's centre relative to the cell's [kpc]
              real(sp), intent(in) :: offset(3)
              !> The cell's multipoles
              real(sp), intent(inout) :: multipole(multipoles)
            """),
        "  ",
    ) + "\n".join([*lines, "  end subroutine shift_multipole", ""])


def add_cells(local: list[Index], multipole: list[Index], place: dict, moment: dict, order: int) -> str:
    derivatives = [name("t", k) for k in local]
    sums = [name("s", k) for k in local]
    lines = declaration("real(sp)", ["x", "y", "z", "u", *[f"g{n}" for n in range(order + 1)]], 4)
    lines += declaration("real(sp)", [name("m", k) for k in local[1:]], 4)
    lines += declaration("real(sp)", derivatives, 4)
    lines += declaration("real(sp)", sums, 4)
    lines += ["    integer :: i", "", *zeros(sums), *reduction(sums), "    do i = 1, count"]
    lines += ["      x = offsets(i, 1); y = offsets(i, 2); z = offsets(i, 3)"]
    lines += ["      g0 = 1.0_sp/sqrt(x*x + (y*y + (z*z + softening2)))", "      u = g0*g0"]
    lines += [f"      g{n} = g{n - 1}*u" + (f"*{number(2 * n - 1)}" if n > 1 else "") for n in range(1, order + 1)]
    lines += monomials("m", order, 6, scaled=False)
    for k in local:
        lines += statement(name("t", k), derivative(k), 6)
    for k in local:
        terms = [name("s", k)]
        for j in multipole:
            if sum(j) + sum(k) <= order:
                terms.append(f"sources(i, {moment[j]})*{name('t', plus(k, j))}")
        lines += statement(name("s", k), terms, 6)
    lines.append("    end do")
    lines += [f"    local({place[k]}) = local({place[k]}) + {name('s', k)}" for k in local]
    return indent(
        dedent("""\
            !> Add the pull of distant cells to a local expansion.
            pure subroutine add_cells(count, offsets, sources, softening2, local)
              !> Number of source cells
              integer, intent(in) :: count
              !> Centre of the expansion relative to those of the sources [kpc], shape (>= count, 3)
              real(sp), contiguous, intent(in) :: offsets(:, :)
              !> Their multipoles, shape (>= count, multipoles)
              real(sp), contiguous, intent(in) :: sources(:, :)
              !> Softening length squared [kpc^2]
              real(sp), intent(in) :: softening2
              !> The local expansion
              real(sp), intent(inout) :: local(locals)
            """),
        "  ",
    ) + "\n".join([*lines, "  end subroutine add_cells", ""])


def local_terms(k: Index, local: list[Index], place: dict, order: int, source: str) -> list[str]:
    """Terms of the k-th derivative of a local expansion at a distance d from its centre."""
    return [
        product([f"{source}({place[plus(k, j)]})", scaled_monomial("d", j)]) for j in local if sum(plus(k, j)) <= order
    ]


def shift_local(local: list[Index], place: dict, order: int) -> str:
    lines = declaration("real(sp)", ["x", "y", "z", *[name("d", k) for k in local[1:]]], 4)
    lines += ["", "    x = offset(1); y = offset(2); z = offset(3)"]
    lines += monomials("d", order, 4, scaled=True)
    for k in local:
        lines += statement(f"local({place[k]})", local_terms(k, local, place, order, "parent"), 4)
    return indent(
        dedent("""\
            !> The local expansion of a child, from that of its cell.
            pure subroutine shift_local(parent, offset, local)
              !> The cell's local expansion
              real(sp), intent(in) :: parent(locals)
              !> The child's centre relative to the cell's [kpc]
              real(sp), intent(in) :: offset(3)
              !> The child's local expansion
              real(sp), intent(out) :: local(locals)
            """),
        "  ",
    ) + "\n".join([*lines, "  end subroutine shift_local", ""])


def evaluate_local(local: list[Index], place: dict, order: int) -> str:
    lines = declaration("real(sp)", ["x", "y", "z", *[name("d", k) for k in local[1:]]], 4)
    lines += ["    integer :: i", "", "    !$omp simd", "    do i = 1, count"]
    lines += ["      x = offsets(i, 1); y = offsets(i, 2); z = offsets(i, 3)"]
    lines += monomials("d", order, 6, scaled=True)
    for column, k in enumerate([(1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 0)], start=1):
        lines += statement(f"pull(i, {column})", local_terms(k, local, place, order, "local"), 6)
    lines.append("    end do")
    return indent(
        dedent("""\
            !> The field of a local expansion at some particles.
            pure subroutine evaluate_local(local, count, offsets, pull)
              !> The local expansion
              real(sp), intent(in) :: local(locals)
              !> Number of particles
              integer, intent(in) :: count
              !> Their positions relative to the centre [kpc], shape (>= count, 3)
              real(sp), contiguous, intent(in) :: offsets(:, :)
              !> Acceleration [(km/s)^2/kpc] and minus the potential [(km/s)^2], shape (>= count, 4)
              real(sp), contiguous, intent(inout) :: pull(:, :)
            """),
        "  ",
    ) + "\n".join([*lines, "  end subroutine evaluate_local", ""])


if __name__ == "__main__":
    if len(sys.argv) != 2 or not sys.argv[1].isdigit() or not 2 <= int(sys.argv[1]) <= 7:
        sys.exit("usage: python fortran/generate/expansion.py ORDER (2 to 7)")
    print(module(int(sys.argv[1])), end="")
