"""The checked face of the Fortran kernels: what it refuses, and what it hands over."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from galclass import kernels, sources
from galclass.errors import InputError, ProgramError

POSITIONS = np.arange(12.0).reshape(4, 3) ** 1.5
MASSES = np.ones(4)
FRONT = np.eye(3)[None]


@pytest.mark.parametrize(
    ("positions", "masses", "message"),
    [
        (np.zeros((4, 2)), MASSES, r"positions: shape \(4, 2\), allowed is \(n, 3\) with n >= 1"),
        (np.zeros((0, 3)), np.ones(0), r"positions: shape \(0, 3\), allowed is \(n, 3\) with n >= 1"),
        (np.zeros(3), MASSES, r"positions: shape \(3,\)"),
        (POSITIONS, np.ones(5), r"masses: shape \(5,\), allowed is \(4,\)"),
        (np.where(POSITIONS > 30, np.nan, POSITIONS), MASSES, "positions: 2 values are NaN or infinite"),
        (POSITIONS, [1, 1, 1, np.inf], "masses: 1 values are NaN or infinite"),
    ],
)
def test_gravity_refuses_arrays_that_make_no_sense(positions, masses, message):
    with pytest.raises(InputError, match=message):
        kernels.accelerations(positions, masses, 0.1)
    with pytest.raises(InputError, match=message):
        kernels.integrate(positions, np.zeros_like(positions), masses, 0.1, 0.1, 1)
    with pytest.raises(InputError, match=message):
        kernels.project(positions, masses, np.ones(len(masses)), FRONT, 1.0, 10)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"softening_kpc": -0.1}, "softening_kpc -0.1: allowed is a finite number >= 0"),
        ({"softening_kpc": np.nan}, "softening_kpc nan"),
        ({"solver": "magic"}, "solver 'magic': allowed are 'tree', 'direct', 'direct_double'"),
        ({"softening_kpc": 0.0}, "softening 0: the tree needs a softening > 0"),
        ({"accuracy": 0.0}, "accuracy 0.0: allowed is a finite number > 0"),
        ({"threads": -1}, "threads -1: allowed is 0"),
    ],
)
def test_gravity_refuses_settings_out_of_range(changed, message):
    settings = {"softening_kpc": 0.1, "solver": "tree", "threads": 1} | changed
    with pytest.raises(InputError, match=message):
        kernels.accelerations(POSITIONS, MASSES, **settings)
    with pytest.raises(InputError, match=message):
        kernels.integrate(POSITIONS, POSITIONS, MASSES, time_step=0.1, steps=1, **settings)


@pytest.mark.parametrize(("time_step", "steps"), [(np.nan, 1), (np.inf, 1), (0.1, -1)])
def test_the_integrator_refuses_steps_out_of_range(time_step, steps):
    with pytest.raises(InputError, match="allowed are a finite time_step, steps >= 0 and levels from 0 to 20"):
        kernels.integrate(POSITIONS, POSITIONS, MASSES, 0.1, time_step, steps)


def test_the_integrator_wants_a_velocity_for_each_position():
    with pytest.raises(InputError, match=r"velocities: shape \(3, 3\), allowed is that of positions, \(4, 3\)"):
        kernels.integrate(POSITIONS, POSITIONS[:3], MASSES, 0.1, 0.1, 1)


def test_a_run_that_blows_up_is_an_error_not_a_nan():
    with pytest.raises(InputError, match="an acceleration is not finite"):
        kernels.integrate(POSITIONS, POSITIONS, MASSES, 0.1, 1e300, 5)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"cameras": np.eye(3)}, r"cameras: shape \(3, 3\), allowed is \(k, 3, 3\) with k >= 1"),
        ({"cameras": np.zeros((0, 3, 3))}, r"cameras: shape \(0, 3, 3\)"),
        ({"widths": np.ones(3)}, r"widths: shape \(3,\), allowed is \(4,\)"),
        ({"widths": -np.ones(4)}, "smallest width -1.0: allowed are"),
        ({"half_width_kpc": 0.0}, "half_width_kpc 0.0"),
        ({"half_width_kpc": np.nan}, "half_width_kpc nan"),
        ({"pixels": 0}, "pixels 0"),
        ({"threads": -2}, "threads -2"),
    ],
)
def test_projection_refuses_values_out_of_range(changed, message):
    settings = {
        "widths": MASSES,
        "cameras": FRONT,
        "half_width_kpc": 1.0,
        "pixels": 10,
        "threads": 1,
    } | changed
    with pytest.raises(InputError, match=message):
        kernels.project(POSITIONS, MASSES, **settings)


@pytest.mark.parametrize("image", [np.zeros(10), np.zeros((2, 3, 4)), np.full((4, 4), np.nan)])
def test_moments_refuse_what_is_no_picture(image):
    with pytest.raises(InputError, match="image: "):
        kernels.image_moments(image, 1, 1, 1)


def test_results_are_plain_arrays_in_row_order():
    acceleration, potential = kernels.accelerations(POSITIONS, MASSES, 0.1)
    assert acceleration.shape == (4, 3)
    assert potential.shape == (4,)
    assert acceleration.flags.c_contiguous
    pictures = kernels.project(POSITIONS, MASSES, MASSES, np.repeat(FRONT, 2, axis=0), 50.0, 7)
    assert pictures.shape == (2, 7, 7)
    assert pictures.flags.c_contiguous


def test_arguments_are_left_alone():
    positions, velocities, masses = POSITIONS.copy(), POSITIONS.copy(), MASSES.copy()
    kernels.integrate(positions, velocities, masses, 0.1, 0.001, 5)
    assert np.array_equal(positions, POSITIONS)
    assert np.array_equal(velocities, POSITIONS)


@pytest.mark.parametrize("make", [np.asfortranarray, lambda x: x.astype("f4"), lambda x: np.repeat(x, 2, 0)[::2]])
def test_any_memory_layout_gives_the_same_forces(make):
    places = np.round(POSITIONS)  # whole numbers, exact in single precision
    expected, _ = kernels.accelerations(places, MASSES, 0.1, "direct_double")
    found, _ = kernels.accelerations(make(places), MASSES, 0.1, "direct_double")
    assert np.array_equal(found, expected)


def test_the_compiled_digest_is_that_of_the_sources():
    root = Path(kernels.__file__).resolve().parent.parent
    assert kernels.source_digest() == sources.kernels_digest(root)


def test_stale_kernels_are_refused_with_advice():
    with pytest.raises(ProgramError, match=r"^the compiled kernels are older than fortran/: run `make setup`$"):
        kernels.check_digest("old", "new")
    kernels.check_digest("same", "same")


@pytest.mark.parametrize(("kind", "status"), [("c_double", 0), ("dp", 1)])
def test_a_facade_that_f2py_takes_for_float_fails_the_build(tmp_path, kind, status):
    script = Path(kernels.__file__).resolve().parent.parent / "fortran" / "bindings" / "run_f2py.py"
    facade = tmp_path / "facade.f90"
    facade.write_text(
        "subroutine s(x)\n  use, intrinsic :: iso_c_binding, only: c_double\n  use kinds, only: dp\n"
        f"  real({kind}), intent(in) :: x\nend subroutine s\n"
    )
    command = [sys.executable, script, facade, tmp_path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == status
    assert ("use only c_double and c_int" in done.stderr) == bool(status)
