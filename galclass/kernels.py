"""The compiled Fortran kernels (gravity, leapfrog, projection, neighbours, moments) as checked functions on arrays."""

import os
from functools import cache
from pathlib import Path

import numpy as np

from galclass import sources
from galclass.errors import InputError, ProgramError

_ROOT = Path(__file__).resolve().parent.parent
#: Ways to compute gravity: the tree; all pairs in single precision; all pairs in double precision.
SOLVERS = {"tree": 1, "direct": 2, "direct_double": 3}
_FURTHEST_KPC = 1e150  # squares of distances stay finite


def accelerations(
    positions: np.ndarray,
    masses: np.ndarray,
    softening_kpc: float,
    solver: str = "tree",
    accuracy: float = 0.01,
    threads: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Accelerations and potentials of particles under their own gravity, with Plummer softening (Aarseth 1963).

    Parameters
    ----------
    positions : array (n, 3)
        [kpc]
    masses : array (n,)
        [1e10 Msun], at least 0.
    softening_kpc : float
        At least 0; above 0 for the tree.
    solver : {"tree", "direct", "direct_double"}
        A fast multipole method (fortran/src/tree_gravity.f90), or the sum over all pairs in single precision, right to
        about 1e-6, or in double precision.
    accuracy : float
        Of the tree: largest error of one pair of cells over the acceleration; 0.01 gives about 0.3 % in the force.
    threads : int
        0 for all; the result has the same bits for any number.

    Returns
    -------
    accelerations : array (n, 3)
        [(km/s)^2/kpc]
    potentials : array (n,)
        [(km/s)^2], without the particle's own.

    Raises
    ------
    InputError
        Shapes do not match, a value is out of range, or particles coincide without softening.
    """
    positions = _vectors("positions", positions)
    masses = _masses(masses, positions)
    acceleration, potential, status, message = _compiled().accelerations(
        positions.T, masses, _softening(softening_kpc), _solver(solver), _above_zero("accuracy", accuracy),
        _threads(threads),
    )  # fmt: skip
    _raise(status, message)
    return np.ascontiguousarray(acceleration.T), potential


def integrate(
    positions: np.ndarray,
    velocities: np.ndarray,
    masses: np.ndarray,
    softening_kpc: float,
    time_step: float,
    steps: int,
    levels: int = 0,
    step_accuracy: float = 0.1,
    solver: str = "tree",
    accuracy: float = 0.01,
    threads: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Particles evolved under their own gravity with the leapfrog in block time steps (Quinn et al. 1997).

    Parameters
    ----------
    positions, velocities : array (n, 3)
        [kpc], [km/s]
    masses : array (n,)
        [1e10 Msun], at least 0.
    softening_kpc : float
        At least 0; above 0 for the tree and for block steps.
    time_step : float
        Longest step [kpc/(km/s)]; a negative one goes back in time.
    steps : int
        How many of them, at least 0.
    levels : int
        The shortest step is the longest over 2**levels; 0 (all steps equal) to 20.
    step_accuracy : float
        eta of the criterion dt = sqrt(2 eta softening / a), a the larger of acceleration and potential^2 / (G M).
    solver, accuracy, threads
        As for `accelerations`.

    Returns
    -------
    positions, velocities : array (n, 3)
        [kpc], [km/s]

    Raises
    ------
    InputError
        As `accelerations`; or `steps` or `levels` is out of range, or `time_step` not finite.
    """
    positions, velocities = _vectors("positions", positions), _vectors("velocities", velocities)
    masses = _masses(masses, positions)
    if velocities.shape != positions.shape:
        raise InputError(f"velocities: shape {velocities.shape}, allowed is that of positions, {positions.shape}")
    if not (np.isfinite(time_step) and steps >= 0 and 0 <= levels <= 20):
        raise InputError(
            f"time_step {time_step}, steps {steps}, levels {levels}:"
            " allowed are a finite time_step, steps >= 0 and levels from 0 to 20"
        )
    if levels > 0 and softening_kpc == 0:
        raise InputError(f"levels {levels} with softening_kpc 0: block steps need a softening > 0")
    new_positions, new_velocities, status, message = _compiled().integrate(
        positions.T, velocities.T, masses, _softening(softening_kpc), time_step, steps, levels,
        _above_zero("step_accuracy", step_accuracy), _solver(solver), _above_zero("accuracy", accuracy),
        _threads(threads),
    )  # fmt: skip
    _raise(status, message)
    return np.ascontiguousarray(new_positions.T), np.ascontiguousarray(new_velocities.T)


def project(
    positions: np.ndarray,
    masses: np.ndarray,
    widths: np.ndarray,
    cameras: np.ndarray,
    half_width_kpc: float,
    pixels: int,
    threads: int = 0,
) -> np.ndarray:
    """Projected mass, each particle a point or a Gaussian integrated over the pixels and cut off at four widths.

    Mass, centre and second moments of each particle are exact, its profile right to about 4 % of its peak (rms), the
    picture of 1e5 particles to 1e-3 of its peak. The cost hardly depends on the widths.

    Parameters
    ----------
    positions : array (n, 3)
        About the centre of the picture [kpc].
    masses : array (n,)
        [1e10 Msun]
    widths : array (n,)
        Gaussian sigma [kpc], at least 0; a particle narrower than a fifth of a pixel is a point.
    cameras : array (k, 3, 3)
        Rows of each: image x, image y, line of sight (`galclass.vectors.cameras`).
    half_width_kpc : float
        Half the side of the square picture, above 0.
    pixels : int
        Pixels along a side, at least 1.
    threads : int
        0 for all; the result has the same bits for any number.

    Returns
    -------
    array (k, pixels, pixels)
        Mass in each pixel [1e10 Msun]; axes camera, y (upwards), x. What falls outside is lost.

    Raises
    ------
    InputError
        Shapes do not match or a value is out of range.
    """
    positions, cameras = _vectors("positions", positions), _finite("cameras", cameras)
    masses, widths = _scalars("masses", masses, positions), _scalars("widths", widths, positions)
    if cameras.ndim != 3 or cameras.shape[0] == 0 or cameras.shape[1:] != (3, 3):
        raise InputError(f"cameras: shape {cameras.shape}, allowed is (k, 3, 3) with k >= 1")
    if not (0 < half_width_kpc < np.inf and pixels >= 1 and widths.min() >= 0):
        raise InputError(
            f"half_width_kpc {half_width_kpc}, pixels {pixels}, smallest width {widths.min()}:"
            " allowed are half_width_kpc > 0, pixels >= 1, widths >= 0"
        )
    pictures = _compiled().project(
        pixels, positions.T, masses, widths, cameras.transpose(2, 1, 0), half_width_kpc, _threads(threads)
    )
    return np.ascontiguousarray(pictures.T)


def neighbour_distances(positions: np.ndarray, neighbours: int, threads: int = 0) -> np.ndarray:
    """Distance of each particle to its k-th neighbour.

    Parameters
    ----------
    positions : array (n, 3)
        [kpc]
    neighbours : int
        k, 1 to n - 1; the nearest neighbour is the first.
    threads : int
        0 for all; the result has the same bits for any number.

    Returns
    -------
    array (n,)
        [kpc]

    Raises
    ------
    InputError
        The positions are no finite (n, 3) array, or a value is out of range.
    """
    positions = _vectors("positions", positions)
    if np.abs(positions).max() > _FURTHEST_KPC:
        raise InputError(f"positions: largest is {np.abs(positions).max()} kpc, allowed is {_FURTHEST_KPC}")
    if not 1 <= neighbours < len(positions):
        raise InputError(f"neighbours {neighbours}: allowed is 1 to {len(positions) - 1}, one less than particles")
    return _compiled().neighbour_distances(positions.T, neighbours, _threads(threads))


def image_moments(
    image: np.ndarray, centre_x: float, centre_y: float, radius_px: float
) -> tuple[float, float, float, float, float, float]:
    """Flux, centre and second moments of a picture over the pixels with centres in a round aperture.

    Parameters
    ----------
    image : array (ny, nx)
        Brightness.
    centre_x, centre_y, radius_px : float
        Aperture [pixels]; the centre of the first pixel is (0, 0).

    Returns
    -------
    flux, x, y, sxx, syy, sxy : float
        Sum of the brightness, its mean place [pixels], second moments about that place [pixels^2].

    Raises
    ------
    InputError
        The image is not a finite two-dimensional array, or the aperture holds no flux.
    """
    image = _finite("image", image)
    if image.ndim != 2:
        raise InputError(f"image: shape {image.shape}, allowed is (ny, nx)")
    flux, mean, second, status, message = _compiled().image_moments(image.T, centre_x, centre_y, radius_px)
    _raise(status, message)
    return float(flux), *map(float, mean), *map(float, second)


def source_digest() -> str:
    """Digest of the Fortran sources the extension was built from (`galclass.sources.kernels_digest`)."""
    return _import().source_digest().decode()


@cache
def _compiled():
    """The compiled module; checked once against fortran/ where that stands beside the package."""
    module = _import()
    if (_ROOT / "fortran" / "bindings" / "kernels.f90").is_file():
        check_digest(source_digest(), sources.kernels_digest(_ROOT))
    return module


def _import():
    # OpenMP reads this when it is loaded. Threads that spin while they wait are a catastrophe on a busy machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        from galclass import _kernels
    except ImportError as error:
        raise ProgramError(f"the compiled kernels cannot be loaded ({error}): run `make setup`") from error
    return _kernels


def check_digest(compiled: str, current: str) -> None:
    """Refuse kernels built from other sources than the current ones.

    Raises
    ------
    ProgramError
        The digests differ.
    """
    if compiled != current:
        raise ProgramError("the compiled kernels are older than fortran/: run `make setup`")


def _finite(name: str, values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, dtype=np.float64)
    if not np.isfinite(values).all():
        bad = np.count_nonzero(~np.isfinite(values))
        raise InputError(f"{name}: {bad} values are NaN or infinite, allowed are finite ones")
    return values


def _vectors(name: str, values: np.ndarray) -> np.ndarray:
    values = np.ascontiguousarray(_finite(name, values))
    if values.ndim != 2 or values.shape[0] == 0 or values.shape[1] != 3:
        raise InputError(f"{name}: shape {values.shape}, allowed is (n, 3) with n >= 1")
    return values


def _scalars(name: str, values: np.ndarray, positions: np.ndarray) -> np.ndarray:
    values = np.ascontiguousarray(_finite(name, values))
    if values.shape != positions.shape[:1]:
        raise InputError(f"{name}: shape {values.shape}, allowed is {positions.shape[:1]}, one for each position")
    return values


def _softening(softening_kpc: float) -> float:
    if not 0 <= softening_kpc < np.inf:
        raise InputError(f"softening_kpc {softening_kpc}: allowed is a finite number >= 0")
    return softening_kpc


def _masses(values: np.ndarray, positions: np.ndarray) -> np.ndarray:
    values = _scalars("masses", values, positions)
    if values.min() < 0:
        raise InputError(f"masses: smallest is {values.min()}, allowed is >= 0")
    return values


def _solver(solver: str) -> int:
    if solver not in SOLVERS:
        raise InputError(f"solver {solver!r}: allowed are {', '.join(map(repr, SOLVERS))}")
    return SOLVERS[solver]


def _above_zero(name: str, value: float) -> float:
    if not 0 < value < np.inf:
        raise InputError(f"{name} {value}: allowed is a finite number > 0")
    return value


def _threads(threads: int) -> int:
    if threads < 0:
        raise InputError(f"threads {threads}: allowed is 0 (all) or more")
    return threads


def _raise(status: int, message: bytes) -> None:
    if status:
        raise InputError(message.decode().strip())
