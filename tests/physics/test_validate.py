"""Shape and rotation measured as of remnants, on galaxies whose shape and rotation are known."""

import numpy as np
import pytest

from galclass import vectors
from galclass.units import G
from galclass.validate import remnants

STARS = 120_000
#: What smoothing by 1.5 pixels leaves of a4: means of eight draws are 0.69, 0.73 and 0.73 (exponents 1.8, 2.5 and 3).
LEFT = 0.72


def exponential_radii(rng: np.random.Generator, count: int) -> np.ndarray:
    """Radii of an exponential disc of scale 1: a gamma distribution of shape 2."""
    return rng.gamma(2.0, size=count)


def superellipse_stars(exponent: float, axis_ratio: float, rng: np.random.Generator) -> np.ndarray:
    """Stars whose isophotes are superellipses |x|^n + |y/q|^n = m^n, shape (STARS, 3)."""
    points = rng.uniform(-1.0, 1.0, (4 * STARS, 2))
    size = (np.abs(points) ** exponent).sum(axis=1) ** (1.0 / exponent)
    points = (points / size[:, None])[size < 1.0][:STARS]  # as many on each part of the outline as area behind it
    flat = points * [1.0, axis_ratio] * exponential_radii(rng, STARS)[:, None]
    return np.column_stack([flat, rng.normal(size=STARS)])


def superellipse_b4(exponent: float) -> float:
    """Fourth cosine harmonic of the outline in eccentric anomaly."""
    angle = np.linspace(0.0, 2.0 * np.pi, 100_000, endpoint=False)
    radius = (np.abs(np.cos(angle)) ** exponent + np.abs(np.sin(angle)) ** exponent) ** (-1.0 / exponent)
    return float(2.0 * np.mean(radius / radius.mean() * np.cos(4.0 * angle)))


@pytest.mark.parametrize("exponent", [1.6, 2.0, 3.0])
@pytest.mark.parametrize("turn_deg", [0.0, 35.0])
def test_a4_of_superellipses_has_benders_size_and_sign(exponent, turn_deg):
    """Discy is positive, boxy negative; noise is 0.0045 (0.0065 in eight draws of half as many), times 2.7."""
    axis_ratio, turn = 0.6, np.deg2rad(turn_deg)
    places = superellipse_stars(exponent, axis_ratio, np.random.default_rng(5))
    places = places @ np.array([[np.cos(turn), np.sin(turn), 0], [-np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    masses = np.ones(STARS)
    a4, ellipticity, angle = remnants.photometry(places, masses, remnants.projected_radius(places, masses))
    assert a4 == pytest.approx(LEFT * np.sqrt(axis_ratio) * superellipse_b4(exponent), abs=0.012)
    # Noise of 0.004 (0.005 to 0.009 in eight draws of half as many), and 0.008 less by the smoothing.
    assert ellipticity == pytest.approx(1.0 - axis_ratio, abs=0.02)
    assert np.cos(2.0 * (angle - turn)) == pytest.approx(1.0, abs=0.01)


def test_rotation_of_a_disc_is_its_speed_times_the_sine_of_the_inclination():
    """The slit reaches 15 degrees from the axis in the disc's plane: the cosine is 0.97 there, 0.99 on average."""
    rng, inclination = np.random.default_rng(1), np.deg2rad(60.0)
    radius, angle = exponential_radii(rng, STARS), rng.uniform(0.0, 2.0 * np.pi, STARS)
    places = np.column_stack([radius * np.cos(angle), radius * np.sin(angle), np.zeros(STARS)])
    velocities = 100.0 * np.column_stack([-np.sin(angle), np.cos(angle), np.zeros(STARS)]) + 5000.0
    sight = np.array([0.0, np.sin(inclination), np.cos(inclination)])
    seen = remnants.measure(places @ vectors.camera(sight, 0.7).T, velocities @ sight, np.ones(STARS))
    assert seen["rotation_km_s"] == pytest.approx(100.0 * np.sin(inclination), rel=0.03)
    assert seen["ellipticity"] == pytest.approx(0.5, abs=0.03)


def test_a_sphere_of_random_motions_does_not_rotate():
    """Rotation is a mean over 656 stars at each end: its error is 30 / sqrt(1312) = 0.8 km/s; 3.6 of it.

    The dispersion within 0.2 effective radii is that of 7540 stars: 3 / sqrt(2 * 7540) is 2.4 %.
    """
    rng = np.random.default_rng(2)
    places = vectors.sphere_directions(STARS, rng) * exponential_radii(rng, STARS)[:, None]
    seen = remnants.measure(places, rng.normal(0.0, 30.0, STARS), np.ones(STARS))
    assert seen["rotation_km_s"] < 3.0
    assert seen["dispersion_km_s"] == pytest.approx(30.0, rel=0.03)
    assert seen["ellipticity"] < 0.05


def miyamoto_nagai(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """An isotropic galaxy that is flat by its rotation, as stars (count, 3) each [kpc], [km/s].

    Miyamoto & Nagai (1975) of mass 1, a = 0.6 and b = 1; its pressure is that of Nagai & Miyamoto (1976, PASJ 28, 1).
    """
    a, b, edges = 0.6, 1.0, np.geomspace(1e-3, 30.0, 600)
    middle = np.sqrt(edges[1:] * edges[:-1])
    radius, height = np.meshgrid(middle, middle, indexing="ij")
    density = _miyamoto_nagai_density(radius, height, a, b) * radius * np.diff(edges)[:, None] * np.diff(edges)
    row, column = np.divmod(rng.choice(density.size, count, p=(density / density.sum()).ravel()), len(middle))
    radius, height, angle = middle[row], middle[column] * rng.choice([-1, 1], count), rng.uniform(0, 2 * np.pi, count)
    zeta = np.sqrt(height**2 + b**2)
    size = radius**2 + (a + zeta) ** 2
    pressure = G * b**2 * (a + zeta) ** 2 / (8.0 * np.pi * zeta**2 * size**3)
    variance = pressure / _miyamoto_nagai_density(radius, height, a, b)
    streaming = np.sqrt(np.maximum(radius**2 * (G / size**1.5 - 6.0 * variance / size), 0.0))
    velocities = rng.normal(size=(count, 3)) * np.sqrt(variance)[:, None]
    velocities += streaming[:, None] * np.column_stack([-np.sin(angle), np.cos(angle), np.zeros(count)])
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle), height]), velocities


def _miyamoto_nagai_density(radius, height, a, b):
    """Binney & Tremaine (2008), equation 2.69b, of mass 1."""
    zeta = np.sqrt(height**2 + b**2)
    top = b**2 / (4.0 * np.pi) * (a * radius**2 + (a + 3.0 * zeta) * (a + zeta) ** 2)
    return top / ((radius**2 + (a + zeta) ** 2) ** 2.5 * zeta**3)


def test_pressure_of_the_model_holds_it_up_against_gravity():
    """Vertical hydrostatic equilibrium, by differences of 1e-4: their error is of order 1e-8, rounding 1e-9."""
    a, b, radius, z, step = 0.6, 1.0, np.array([0.3, 1.0, 3.0]), np.array([0.2, 1.0, 2.0]), 1e-4

    def pressure(height):
        zeta = np.sqrt(height**2 + b**2)
        return G * b**2 * (a + zeta) ** 2 / (8.0 * np.pi * zeta**2 * (radius**2 + (a + zeta) ** 2) ** 3)

    def potential(height):
        return -G / np.sqrt(radius**2 + (a + np.sqrt(height**2 + b**2)) ** 2)

    gradient, force = pressure(z + step) - pressure(z - step), potential(z + step) - potential(z - step)
    assert gradient == pytest.approx(-_miyamoto_nagai_density(radius, z, a, b) * force, rel=1e-5)


def test_isotropic_rotator_has_v_over_sigma_star_of_about_one():
    """One is for means over the whole galaxy; rotation at 1.5 radii over central dispersion is within a quarter."""
    places, velocities = miyamoto_nagai(STARS, np.random.default_rng(3))
    direction = np.array([1.0, 0.0, 0.0])
    seen = remnants.measure(places @ vectors.camera(direction, 0.4).T, velocities @ direction, np.ones(len(places)))
    assert 0.75 < seen["v_over_sigma_star"] < 1.25
    assert seen["ellipticity"] > 0.15
    still = remnants.measure(places @ vectors.camera(direction).T, velocities[:, 2], np.ones(len(places)))
    assert still["v_over_sigma_star"] < 0.25
