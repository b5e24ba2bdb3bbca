"""One galaxy: its parts against closed forms, its distribution functions, and how still it sits."""

import numpy as np
import pytest
from scipy.interpolate import RectBivariateSpline
from scipy.special import i0, i1, k0, k1

from galclass import kernels
from galclass.errors import ConfigError
from galclass.initial import disc as discs
from galclass.initial import layer as layers
from galclass.initial import plane as planes
from galclass.initial import spheres
from galclass.initial.draws import even_shares
from galclass.initial.potential import (
    COSINES,
    Disc,
    disc_potential,
    mean_over_angles,
    multipole_matrices,
    multipoles,
    on_grid,
    stretched,
)
from galclass.initial.progenitor import galaxy, model
from galclass.snapshot import centre
from galclass.units import GYR_PER_TIME, G

SETTINGS = {
    "disc_mass_msun": 2e8,
    "disc_scale_kpc": 0.8,
    "disc_height_over_scale": 0.2,
    "toomre_q": 1.5,
    "halo_profile": "nfw",
    "halo_mass_msun": 1.5e10,
    "halo_scale_kpc": 4.0,
    "halo_truncation_kpc": 25.0,
    "bulge_scale_kpc": 0.2,
    "disc_particles": 40000,
    "halo_particles": 60000,
    "bulge_particles": 10000,
}
SOFTENING = 0.05


@pytest.fixture(scope="module")
def made():
    return model(SETTINGS, 0.006, SOFTENING)


@pytest.fixture(scope="module")
def dwarf():
    return galaxy(SETTINGS, np.random.default_rng(7), 0.006, SOFTENING)


def radii_of(part):
    return np.linalg.norm(part.positions, axis=1)


def hernquist(scale, mass, last=1e3):
    """Radii, density and potential of a Hernquist sphere by its multipoles, without softening."""
    radii = spheres.radial_table([scale], last)
    density = spheres.normalised(spheres.density_shape("hernquist", radii, scale, 1e7), radii, mass)
    return radii, density, multipoles(radii, density[:, None] * np.ones_like(COSINES), multipole_matrices(radii, 0.0))


# ----------------------------------------------------------------------------------------- potentials


def test_hernquist_potential_is_the_closed_form():
    _, _, potential = hernquist(2.0, 3.0)
    r = np.array([0.005, 0.05, 0.3, 1.0, 4.0, 20.0, 500.0, 5e4])
    # Hernquist (1990), eq. 5.  Trapezoids of steps of 3 % leave h^2/12 = 8e-5, the last radius 2e-4 of the mass.
    np.testing.assert_allclose(potential(r, np.zeros_like(r)), -G * 3.0 / (r + 2.0), rtol=5e-4)


def test_flattened_potential_is_the_closed_form_of_miyamoto_and_nagai():
    a, b, radii = 0.3, 1.0, np.geomspace(1e-3, 1e4, 500)

    def density(radius, height):
        """Miyamoto & Nagai (1975), of mass 1."""
        lift = np.sqrt(height**2 + b**2)
        top = a * radius**2 + (a + 3.0 * lift) * (a + lift) ** 2
        return b**2 / (4.0 * np.pi) * top / (radius**2 + (a + lift) ** 2) ** 2.5 / lift**3

    potential = multipoles(radii, on_grid(density, radii), multipole_matrices(radii, 0.0))
    radius, height = np.meshgrid([0.01, 0.3, 1.0, 3.0, 30.0], [0.0, 0.2, 1.0, 5.0])
    expected = -G / np.sqrt(radius**2 + (a + np.sqrt(height**2 + b**2)) ** 2)
    # Steps of 3 % as above; the orders beyond 12 of so round a body are smaller still.
    np.testing.assert_allclose(potential(radius, height), expected, rtol=3e-4)


def test_softened_multipoles_are_the_sum_over_particles():
    count, flattening, softening = 200_000, 0.6, 0.1
    share, cosine, angle = even_shares(count, 3, np.random.default_rng(2))
    radius, cosine, angle = np.sqrt(share) / (1.0 - np.sqrt(share)), 2.0 * cosine - 1.0, 2.0 * np.pi * angle
    x, y = (radius * np.sqrt(1.0 - cosine**2) * turn(angle) for turn in (np.cos, np.sin))
    z = flattening * radius * cosine
    radii = spheres.radial_table([1.0], 1e3)
    m = radii[:, None] * np.sqrt(1.0 - COSINES**2 + (COSINES / flattening) ** 2)
    density = 1.0 / (2.0 * np.pi * flattening * m * (1.0 + m) ** 3)
    potential = multipoles(radii, density, multipole_matrices(radii, softening))
    for radius, height in ((0.0, 0.0), (0.05, 0.0), (0.0, 0.1), (0.5, 0.3), (3.0, 1.0)):
        distance = np.sqrt((x - radius) ** 2 + y**2 + (z - height) ** 2 + softening**2)
        # 200,000 even points: the scatter of single ones, about their mean, over root n is 3e-3, even ones do better.
        assert potential(np.array(radius), np.array(height)) == pytest.approx(-G * (1.0 / distance).mean(), rel=3e-3)


def test_thin_disc_turns_as_freeman_says():
    radii = 0.8 * np.array([0.5, 1.0, 2.2, 4.0, 8.0])
    squares = [discs.frequencies(disc_potential(Disc(0.05, 0.8, h), 0.0), radii)[0] ** 2 for h in (0.016, 0.032)]
    y = radii / 1.6
    expected = 4 * np.pi * G * Disc(0.05, 0.8, 0.1).surface_density(0.0) * 0.8 * y**2 * (i0(y) * k0(y) - i1(y) * k1(y))
    # Freeman (1970), eq. 12.  A layer takes off a share that goes as its height: what is left is of second order.
    np.testing.assert_allclose(2.0 * squares[0] - squares[1], expected, rtol=5e-3)


def test_disc_far_away_is_its_mass():
    potential = disc_potential(Disc(0.05, 0.8, 0.16), 0.0)
    radius, height = np.array([300.0, 0.0]), np.array([0.0, 300.0])
    np.testing.assert_allclose(potential(radius, height), -G * 0.05 / 300.0, rtol=1e-4)
    # Where the table ends and the multipoles take over nothing jumps: their next term is 45/20^4 * 3/8 = 1e-4.
    for direction in ((1.0, 0.0), (0.6, 0.8), (0.0, 1.0)):
        r, z = (16.0 * part * np.array([0.9999, 1.0001]) for part in direction)
        near, far = potential(r, z)
        assert near == pytest.approx(far, rel=6e-4)


def test_pull_towards_a_thin_disc_is_two_pi_g_sigma():
    disc = Disc(0.05, 0.8, 0.016)
    z = np.array([0.06, 0.065])
    low, high = disc_potential(disc, 0.0)(np.full(2, 0.8), z)
    # Four heights up all of the layer but 1e-3 is below; the disc's curvature takes about z/R_d = 8 % off.
    assert (high - low) / 0.005 == pytest.approx(2 * np.pi * G * disc.surface_density(0.8), rel=0.1)


def test_rotation_curve_is_that_of_the_closed_forms():
    settings = SETTINGS | {"halo_truncation_kpc": 1e3, "disc_height_over_scale": 0.02}
    made = model(settings, 0.006, 0.0)
    radii = np.array([0.4, 0.8, 1.6, 2.4, 4.0, 8.0])
    x, y = radii / 4.0, radii / 1.6
    # The taper at 1000 kpc changes the normalisation alone: the mass inside a radius follows the closed form.
    fine = made.radii
    total = np.trapezoid(fine**2 * spheres.density_shape("nfw", fine, 4.0, 1e3), fine) / 4.0**3
    halo = G * 1.5 * (np.log1p(x) - x / (1 + x)) / total / radii
    bulge = G * 0.009 * radii / (radii + 0.2) ** 2
    disc = 4 * np.pi * G * made.disc.surface_density(0.0) * 0.8 * y**2 * (i0(y) * k0(y) - i1(y) * k1(y))
    circular, _ = discs.frequencies(made.potential, radii)
    # The layer's height takes 2 % off the disc's share; halo and bulge settle in the disc's flattened potential.
    np.testing.assert_allclose(circular, np.sqrt(halo + bulge + disc), rtol=1e-2)


# ------------------------------------------------------------------------------------------- spheres


def test_nfw_mass_is_the_closed_form_inside_the_truncation():
    radii = spheres.radial_table([4.0], 1e4)
    density = spheres.normalised(spheres.density_shape("nfw", radii, 4.0, 1e7), radii, 1.0)
    steps = spheres.shell_weights(radii) * density * 4 * np.pi
    x = np.array([0.01, 0.1, 1.0, 10.0, 100.0])
    got = np.interp(4.0 * x, radii, np.cumsum(steps) - 0.5 * steps)
    expected = np.log1p(x) - x / (1 + x)
    # Ratio to the mass at x = 1, since the total diverges; interpolation between radii 4 % apart.
    np.testing.assert_allclose(got / got[2], expected / expected[2], rtol=3e-3)


@pytest.mark.parametrize("profile", ["nfw", "hernquist"])
def test_truncated_halo_has_the_whole_mass_asked_for(profile):
    one = galaxy(SETTINGS | {"halo_profile": profile}, np.random.default_rng(1), 0.06)
    halo = one.select([1])
    assert halo.masses.sum() == pytest.approx(1.5)
    assert one.select([3]).masses.sum() == pytest.approx(0.09)
    # sech leaves 2 exp(-12) of the density at the last radius: half of the particles lie far inside.
    assert np.percentile(radii_of(halo), 99.9) < 12 * 25.0


def test_distribution_function_of_hernquist_is_the_closed_form():
    radii, density, potential = hernquist(1.0, 1.0)
    energy, f = spheres.distribution_function(density, -potential(radii, np.zeros_like(radii)))
    q = np.sqrt(np.array([0.1, 0.3, 0.5, 0.7, 0.9]))
    # Hernquist (1990), eq. 17.
    expected = 1.0 / (8 * np.sqrt(2) * np.pi**3 * G**1.5) / (1 - q**2) ** 2.5
    expected *= 3 * np.arcsin(q) + q * np.sqrt(1 - q**2) * (1 - 2 * q**2) * (8 * q**4 - 8 * q**2 - 3)
    # f falls by 10^5 over this range; tables and linear interpolation of f leave a per cent.
    np.testing.assert_allclose(np.interp(q**2 * G, energy, f), expected, rtol=2e-2)


def test_impossible_equilibrium_is_refused():
    r = np.geomspace(0.01, 10.0, 200)
    # A shell with a hole in the middle cannot have isotropic velocities in a central potential.
    with pytest.raises(ConfigError, match="no isotropic equilibrium"):
        spheres.distribution_function(np.exp(-((r - 2.0) ** 2)), G / (1.0 + r))


@pytest.mark.parametrize("bulge", [0.006, 0.06])
def test_spheroids_are_in_equilibrium_in_the_flattened_potential(bulge):
    made = model(SETTINGS, bulge, SOFTENING)
    for sphere in made.spheres.values():
        x, v, _ = spheres.sample(200_000, made.radii, made.psi, sphere.energy, sphere.f, np.random.default_rng(3))
        radius, z, h = np.hypot(x[:, 0], x[:, 1]), x[:, 2], 1e-3
        along_r = made.potential(radius * (1 + h), z) - made.potential(radius * (1 - h), z)
        along_z = made.potential(radius, z * (1 + h)) - made.potential(radius, z * (1 - h))
        # The tensor virial theorem: <v_i^2> = <x_i dPhi/dx_i>, in the plane and across it.  The two sides scatter by
        # sqrt(2/n) = 0.3 % each for independent draws; even ones are better.
        assert 2 * h * (v[:, 2] ** 2).sum() / along_z.sum() == pytest.approx(1.0, abs=3e-3)
        assert 2 * h * (v[:, :2] ** 2).sum() / along_r.sum() == pytest.approx(1.0, abs=3e-3)


def test_particles_are_drawn_in_the_potential_that_they_make():
    made = model(SETTINGS, 0.006, SOFTENING)
    total = on_grid(disc_potential(made.disc, SOFTENING), made.radii)
    for sphere in made.spheres.values():
        number = np.interp(made.psi, sphere.energy, spheres.density(sphere.energy, sphere.energy, sphere.f))
        mass = 4 * np.pi * spheres.shell_weights(made.radii) @ mean_over_angles(number)
        # Particles share out the mass asked for; that the potential is flattened adds 0.9 % to the bulge.
        assert mass == pytest.approx(sphere.mass, rel=0.02)
        density = number * sphere.mass / mass
        total += on_grid(multipoles(made.radii, density, multipole_matrices(made.radii, SOFTENING)), made.radii)
    inside = made.radii < 50.0
    # Tables of f leave 1e-3 of the depth.
    np.testing.assert_allclose(-total[inside], made.psi[inside], rtol=1e-3)
    # What differs between plane and axis: were the spheroids round, it would be off by 2e-3 of the depth; found 1e-5.
    uneven = [values - mean_over_angles(values)[:, None] for values in (-total, made.psi)]
    np.testing.assert_allclose(uneven[0][inside], uneven[1][inside], atol=1e-4 * made.psi.max())


def test_halo_particles_follow_the_profile(dwarf, made):
    halo = dwarf.select([1])
    order = np.argsort(radii_of(halo))
    at = np.array([0.3, 1.0, 3.0, 10.0, 30.0, 60.0])
    got = np.interp(at, radii_of(halo)[order], np.cumsum(halo.masses[order]))
    density = spheres.normalised(spheres.density_shape("nfw", made.radii, 4.0, 25.0), made.radii, 1.5)
    steps = spheres.shell_weights(made.radii) * density * 4 * np.pi
    # The disc pulls a per cent of the halo inwards; the rest is noise of the few particles within 0.3 kpc.
    np.testing.assert_allclose(got, np.interp(at, made.radii, np.cumsum(steps) - 0.5 * steps), rtol=0.05)


def test_halo_particles_that_stay_inside_are_the_light_ones(dwarf):
    halo = dwarf.select([1])
    equal = 1.5 / len(halo)
    inner = halo.masses[radii_of(halo) < 1.6]
    # What heats a disc is sum m^2 / sum m of the particles that cross it (Ludlow et al. 2021).
    assert (inner**2).sum() / inner.sum() < 0.4 * equal
    assert equal < halo.masses[radii_of(halo) > 30.0].min() and halo.masses.max() < 2.5 * equal


def test_mass_of_a_halo_particle_depends_on_its_energy_alone(dwarf, made):
    halo = dwarf.select([1])
    radius, z = np.hypot(halo.positions[:, 0], halo.positions[:, 1]), halo.positions[:, 2]
    order = np.argsort(0.5 * (halo.velocities**2).sum(axis=1) + made.potential(radius, z))
    # Energy is an integral of motion, so such a halo stays as it is; tables of the potential leave 1e-3 of the depth.
    smooth = np.maximum.accumulate(halo.masses[order])
    np.testing.assert_allclose(halo.masses[order], smooth, rtol=0.02)


def test_halo_is_isotropic(dwarf):
    halo = dwarf.select([1])
    outward = halo.positions / radii_of(halo)[:, None]
    radial = (halo.velocities * outward).sum(axis=1)
    across = (halo.velocities**2).sum(axis=1) - radial**2
    # Variance of a variance: sqrt(2/n) = 0.8 % each for 30000 pairs; four of those.
    assert across.mean() / (2.0 * radial.var()) == pytest.approx(1.0, abs=0.03)
    assert abs(radial.mean()) < 5 * radial.std() / np.sqrt(len(halo) / 2)


# ----------------------------------------------------------------------------------- orbits of the disc


def test_orbits_around_a_point_are_kepler_ellipses():
    table = planes.orbits(lambda r: -G / np.sqrt(r**2 + 1e-6), 1.0, 12.0)
    row, column = 100, 16
    eccentricity = np.sin(table.angles[column])
    # With the energy of a circle of radius R_E that is the semi-major axis; L/L_c = sqrt(1 - e^2).
    anomaly = np.linspace(0.0, np.pi, 2001)
    phase = (anomaly - eccentricity * np.sin(anomaly)) / np.pi
    expected = 1.0 - eccentricity * np.cos(np.interp(table.phases, phase, anomaly))
    # Interpolation in the eccentric anomaly between 66 angles leaves (pi/66)^2/8 = 3e-4.
    np.testing.assert_allclose(table.states[row, column, :, 0], expected, atol=1e-3)


def test_swings_through_a_slab_without_curvature_are_harmonic():
    layer = layers.vertical_orbits(lambda r, z: 0.5 * 900.0 * z**2 + 0.0 * r, np.array([1.0, 2.0]), 0.1)
    action = np.array([0.01, 0.1, 1.0])
    z, v = layer.place(np.full(3, 1.5), action, np.full(3, 0.1))
    amplitude = np.sqrt(2.0 * action / 30.0)
    # z = A sin(nu t), J = nu A^2 / 2; linear interpolation between 33 phases of a quarter and 80 amplitudes.
    np.testing.assert_allclose(z, amplitude * np.sin(0.2 * np.pi), rtol=2e-3)
    np.testing.assert_allclose(v, 30.0 * amplitude * np.cos(0.2 * np.pi), rtol=2e-3)


def test_self_gravitating_layer_is_isothermal():
    surface, height = 0.01, 0.3
    dispersion = np.sqrt(np.pi * G * surface * height)
    sheet = layers.vertical_orbits(
        lambda r, z: 2.0 * dispersion**2 * np.log(np.cosh(z / height)) + 0.0 * r, np.array([1.0, 2.0]), height
    )
    level, phase = even_shares(100_000, 2, np.random.default_rng(1))
    where = np.ones_like(level)
    z, v = sheet.place(where, sheet.actions_at(where, -np.log1p(-level)), phase)
    # Spitzer (1942): sech^2(z/z_0) with sigma^2 = pi G Sigma z_0 at every height.
    assert np.median(np.abs(z)) == pytest.approx(np.arctanh(0.5) * height, rel=3e-3)
    for low, high in ((0.0, 0.5), (0.5, 1.0), (1.0, 2.0)):
        between = (np.abs(z) > low * height) & (np.abs(z) < high * height)
        # Tables leave a few parts in a thousand.
        assert v[between].std() == pytest.approx(dispersion, rel=1e-2)


def in_rings(positions, velocities):
    """Particles, mean radius, and spread of the radial velocity in rings a tenth wide, from 0.5 to 3 scale lengths."""
    radius = np.hypot(positions[:, 0], positions[:, 1])
    radial = (positions[:, :2] * velocities[:, :2]).sum(axis=1) / radius
    for middle in 0.8 * np.array([0.5, 1.0, 1.5, 2.0, 2.5, 3.0]):
        ring = np.abs(radius - middle) < 0.05 * middle
        yield ring.sum(), middle, radial[ring].std()


@pytest.mark.parametrize("q", [1.2, 1.5, 2.0])
def test_disc_has_the_toomre_q_asked_for(q):
    made, count = model(SETTINGS | {"toomre_q": q}, 0.0, SOFTENING), 100_000
    for members, radius, dispersion in in_rings(*discs.sample(made.stars, count, np.random.default_rng(4))):
        surface = members / count * made.disc.mass / (2 * np.pi * radius * 0.1 * radius)
        _, kappa = discs.frequencies(made.potential, np.array([0.99, 1.0, 1.01]) * radius)
        # 2000 to 8000 particles a ring: 1 to 1.6 % in the dispersion, 2 % in the number; the issue asks for 10 %.
        assert dispersion * kappa[1] / (3.36 * G * surface) == pytest.approx(q, rel=0.06)


def test_hot_disc_has_the_density_and_the_dispersion_asked_for():
    made = model(SETTINGS | {"toomre_q": 3.0}, 0.0, SOFTENING)
    orbits, (shares, pressures) = made.stars.plane.orbits, made.stars.plane.shares()
    inside = (orbits.radii > 0.4) & (orbits.radii < 4.0)
    mass = made.stars.plane.masses @ shares
    dispersion = np.sqrt(made.stars.plane.masses @ pressures / mass)
    edges = np.linspace(0.0, 9.6, 4001)
    rings = np.diff(made.disc.enclosed(edges))
    wanted = orbits.deposit(0.5 * (edges[1:] + edges[:-1])[None], rings[None])[0]
    _, kappa = discs.frequencies(made.potential, orbits.radii)
    # What is left after twenty corrections: 1 % in mass and 0.5 % in dispersion; without them 15 and 20 %.
    np.testing.assert_allclose(mass[inside], wanted[inside], rtol=0.02)
    expected = 3.0 * 3.36 * G * made.disc.surface_density(orbits.radii) / kappa
    np.testing.assert_allclose(dispersion[inside], expected[inside], rtol=0.01)


def test_disc_too_hot_to_exist_is_refused():
    with pytest.raises(ConfigError, match="lower toomre_q or disc_mass_msun") as caught:
        model(SETTINGS | {"toomre_q": 5.0, "disc_mass_msun": 2e9}, 0.0, SOFTENING)
    assert "\n" not in str(caught.value)


def test_disc_follows_its_density(dwarf):
    disc = dwarf.select([2])
    radius, height = np.hypot(disc.positions[:, 0], disc.positions[:, 1]), np.abs(disc.positions[:, 2])
    # Exponential: half the mass within 1.6783 R_d, 90 % within 3.8897; noise of 40,000 particles is 0.5 %.
    assert np.median(radius) == pytest.approx(1.67835 * 0.8, rel=0.01)
    assert np.percentile(radius, 90) == pytest.approx(3.88972 * 0.8, rel=0.01)
    for low, high in ((0.0, 0.8), (0.8, 1.6), (1.6, 3.2)):
        ring = (radius > low) & (radius < high)
        # sech^2: half within artanh(1/2) z_0, 90 % within artanh(0.9) z_0; 10,000 particles: 0.9 and 1.3 %; a mixture
        # of stars of all guiding radii has that shape only nearly.
        assert np.median(height[ring]) == pytest.approx(np.arctanh(0.5) * 0.16, rel=0.03)
        assert np.percentile(height[ring], 90) == pytest.approx(np.arctanh(0.9) * 0.16, rel=0.04)


def test_rotation_lags_the_circular_speed_and_spins_about_z(dwarf, made):
    disc = dwarf.select([2])
    radius = np.hypot(disc.positions[:, 0], disc.positions[:, 1])
    turning = np.cross(disc.positions, disc.velocities)[:, 2] / radius
    for middle in (0.8, 1.6, 2.4):
        ring = np.abs(radius - middle) < 0.1
        circular, _ = discs.frequencies(made.potential, np.array([0.99, 1.0, 1.01]) * middle)
        assert 0.85 * circular[1] < turning[ring].mean() < circular[1]


# ----------------------------------------------------------------------------------- standing still


def pull_of(potential, last):
    """Accelerations in a fixed axisymmetric potential, from a spline of it out to `last` [kpc]."""
    radii, heights = stretched(0.2, last, 200), stretched(0.1, last, 150)
    table = potential(radii[:, None], heights)
    table = np.concatenate([table[:0:-1], table])
    table = np.concatenate([table[:, :0:-1], table], axis=1)
    both = [np.concatenate([-axis[:0:-1], axis]) for axis in (radii, heights)]
    spline = RectBivariateSpline(*both, table)

    def pull(x):
        radius = np.hypot(x[:, 0], x[:, 1])
        inward = -spline.ev(radius, x[:, 2], dx=1) / radius
        return np.stack([inward * x[:, 0], inward * x[:, 1], -spline.ev(radius, x[:, 2], dy=1)], axis=1)

    return pull


def sizes(positions):
    """Radii [kpc] that hold 10, 50 and 90 % of a disc, and its median height."""
    shares = np.percentile(np.hypot(positions[:, 0], positions[:, 1]), [10, 50, 90])
    return np.r_[shares, np.median(np.abs(positions[:, 2]))]


def test_disc_stands_still_in_the_smooth_potential():
    made = model(SETTINGS, 0.0, SOFTENING)
    x, v = discs.sample(made.stars, 20_000, np.random.default_rng(5))
    start, pull, step = sizes(x), pull_of(made.potential, 20.0), 1e-3 / GYR_PER_TIME
    a = pull(x)
    # 0.2 Gyr: two turns at 2 scale lengths, eight swings through the plane.
    for number in range(1, 201):
        v = v + 0.5 * step * a
        x = x + step * v
        a = pull(x)
        v = v + 0.5 * step * a
        if number % 50 == 0:
            # Measured 1.0, 0.2, 0.1 and 0.5 % at most, which is noise.  Without the mean over the layer's heights in
            # the plane's potential the disc would breathe by 3.8, 1.2 and 0.4 %.
            assert (np.abs(sizes(x) / start - 1.0) < [0.015, 0.005, 0.0025, 0.015]).all()


def virial_ratio(positions, velocities, masses, softening):
    """2T / |W| with Clausius's W = sum m x.a, which holds for softened forces too."""
    pull, _ = kernels.accelerations(positions, masses, softening, solver="direct")
    return masses @ (velocities**2).sum(axis=1) / -(masses @ (positions * pull).sum(axis=1))


@pytest.mark.parametrize("bulge", [0.0, 0.06])
def test_virial_ratio_of_a_new_galaxy_is_one(bulge):
    counts = {"disc_particles": 6000, "halo_particles": 10000, "bulge_particles": 3000}
    one = galaxy(SETTINGS | counts, np.random.default_rng(5), bulge, SOFTENING)
    # 6e5 halo particles give 1e-3 and less; with 1e4 the forces of single particles and the few farthest leave 0.5 %.
    assert virial_ratio(one.positions, one.velocities, one.masses, SOFTENING) == pytest.approx(1.0, abs=0.01)


def sphere_of(shape, count, softening):
    """A sphere of mass 1 and scale 1 kpc, of isotropic velocities in its softened potential."""
    radii = np.geomspace(1e-3, 300.0, 500)
    density = spheres.normalised(shape(radii), radii, 1.0)
    potential = multipoles(radii, density[:, None] * np.ones_like(COSINES), multipole_matrices(radii, softening))
    psi = -on_grid(potential, radii)
    energy, f = spheres.distribution_function(density, mean_over_angles(psi))
    return spheres.sample(count, radii, psi, energy, f, np.random.default_rng(1))


@pytest.mark.parametrize("shape", [lambda r: (1 + r**2) ** -2.5, lambda r: 1 / (r * (1 + r) ** 3)],
                         ids=["plummer", "hernquist"])  # fmt: skip
def test_sphere_stays_for_twenty_crossing_times(shape):
    count, softening = 4000, 0.1
    x, v, _ = sphere_of(shape, count, softening)
    masses = np.full(count, 1.0 / count)
    pull, potential = kernels.accelerations(x, masses, softening)
    energy = 0.5 * (masses @ (v**2).sum(axis=1) + masses @ potential)
    # Crossing time G M^(5/2) / (2 |E|)^(3/2) of Heggie & Mathieu (1986).
    crossing = G / (-2.0 * energy) ** 1.5
    longest = 8.0 * np.sqrt(0.05 * softening / np.percentile(np.linalg.norm(pull, axis=1), 99))
    steps = int(np.ceil(20.0 * crossing / longest))
    before = np.percentile(np.linalg.norm(x, axis=1), [10, 50, 90])
    x, v = kernels.integrate(x, v, masses, softening, 20.0 * crossing / steps, steps, levels=4,
                             step_accuracy=0.025, accuracy=0.003)  # fmt: skip
    after = np.percentile(np.linalg.norm(x - x.mean(axis=0), axis=1), [10, 50, 90])
    # 4000 particles relax in some 100 crossing times, and as phases mix, radii scatter: 400, 2000 and 400 particles
    # beyond them leave 3, 2 and 4 %; other seeds and moments gave up to 8, 3 and 5 %.
    np.testing.assert_allclose(after, before, rtol=0.08)
    assert after[1] == pytest.approx(before[1], rel=0.04)
    assert virial_ratio(x, v, masses, softening) == pytest.approx(1.0, abs=0.04)


def upright(positions, velocities):
    """Positions of a disc about its spin axis, which a grainy halo tilts."""
    z = np.cross(positions, velocities - velocities.mean(axis=0)).sum(axis=0)
    z /= np.linalg.norm(z)
    x = np.cross([0.0, 1.0, 0.0], z) / np.linalg.norm(np.cross([0.0, 1.0, 0.0], z))
    return positions @ np.stack([x, np.cross(z, x), z], axis=1)


def half_mass_radius(positions, masses):
    """Radius [kpc] of half of the mass."""
    radius = np.linalg.norm(positions, axis=1)
    order = np.argsort(radius)
    return np.interp(0.5 * masses.sum(), np.cumsum(masses[order]), radius[order])


def growth(halo_particles):
    """Changes of a galaxy in half a Gyr: of `sizes` of the disc, of the halo's half-mass radius, and 2T/|W| - 1."""
    softening, step = 0.1, 5e-3 / GYR_PER_TIME
    counts = {"disc_particles": 10_000, "halo_particles": halo_particles}
    one = galaxy(SETTINGS | counts, np.random.default_rng(2), softening_kpc=softening)
    halo, disc = one.types == 1, one.types == 2
    x, v = kernels.integrate(one.positions, one.velocities, one.masses, softening, step, 100, levels=5)
    found = []
    for positions, velocities in ((one.positions, one.velocities), (x, v)):
        about = positions - centre(positions, one.masses)
        found.append([*sizes(upright(about[disc], velocities[disc])), half_mass_radius(about[halo], one.masses[halo])])
    return np.array(found[1]) / found[0] - 1.0, virial_ratio(x, v, one.masses, softening) - 1.0


@pytest.mark.slow
def test_galaxy_stands_still_and_its_disc_thickens_less_with_more_halo_particles():
    many, virial = growth(50_000)
    few, _ = growth(5_000)
    # Three seeds: at most 2 and 1.3 % at 50 and 90 % of the disc, 0.4 % of the halo, 0.2 % in the virial ratio.
    assert (np.abs(many[[1, 2, 4]]) < [0.04, 0.03, 0.015]).all()
    assert abs(virial) < 0.006
    # The disc thickened by 15 to 16 and by 52 to 68 %: not ten times as much, since its own 10,000 stars heat it, too.
    assert many[3] < 0.2 and few[3] > 2.5 * many[3]
