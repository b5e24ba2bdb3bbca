"""One galaxy: its parts against closed forms, its disc against Jeans and Toomre, and a Gyr of standing still."""

import numpy as np
import pytest
from scipy.special import i0, i1, k0, k1

from galclass import kernels
from galclass.errors import ConfigError
from galclass.initial import disc as discs
from galclass.initial import spheres
from galclass.initial.progenitor import disc_moments, disc_of, galaxy, sphere_tables
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


@pytest.fixture(scope="module")
def dwarf():
    return galaxy(SETTINGS, np.random.default_rng(7))


def radii_of(part):
    return np.linalg.norm(part.positions, axis=1)


# ------------------------------------------------------------------------------------------- spheres


def test_hernquist_mass_potential_and_pull_are_the_closed_forms():
    scale, mass = 2.0, 3.0
    edges = spheres.radial_table([scale], 1e4)
    shape = spheres.density_shape("hernquist", edges, scale, 1e6)
    _, enclosed = spheres.normalised(shape, edges, mass)
    r = np.array([0.05, 0.3, 1.0, 4.0, 20.0])
    potential, pull = spheres.shell_field(r, edges, enclosed, 0.0)
    # Hernquist (1990), eqs 2, 3 and 5; 500 shells over eight decades leave a few parts in a thousand.
    np.testing.assert_allclose(np.interp(r, edges, enclosed), mass * r**2 / (r + scale) ** 2, rtol=5e-3)
    np.testing.assert_allclose(potential, -G * mass / (r + scale), rtol=2e-3)
    np.testing.assert_allclose(pull, G * mass / (r + scale) ** 2, rtol=5e-2)


def test_nfw_mass_is_the_closed_form_inside_the_truncation():
    edges = spheres.radial_table([4.0], 1e4)
    _, enclosed = spheres.normalised(spheres.density_shape("nfw", edges, 4.0, 1e7), edges, 1.0)
    x = np.array([0.01, 0.1, 1.0, 10.0, 100.0])
    expected = np.log1p(x) - x / (1 + x)
    got = np.interp(4.0 * x, edges, enclosed)
    # Ratio to the mass at x = 1, since the total diverges; interpolation between edges 4 % apart.
    np.testing.assert_allclose(got / got[2], expected / expected[2], rtol=5e-3)


@pytest.mark.parametrize("profile", ["nfw", "hernquist"])
def test_truncated_halo_has_the_whole_mass_asked_for(profile):
    edges, tables = sphere_tables(SETTINGS | {"halo_profile": profile}, 0.06)
    assert tables["halo"][1][-1] == pytest.approx(1.5)
    assert tables["bulge"][1][-1] == pytest.approx(0.09)
    # sech leaves 2 exp(-12) of the density at the last edge.
    assert tables["halo"][0][-1] < 1e-4 * np.interp(25.0, edges, tables["halo"][0])


def test_softened_shells_are_the_sum_over_particles():
    rng = np.random.default_rng(2)
    edges = spheres.radial_table([1.0], 5.0)
    _, enclosed = spheres.normalised(spheres.density_shape("hernquist", edges, 1.0, 5.0), edges, 1.0)
    radii = spheres.sample_radii(20000, edges, enclosed, rng)
    directions = rng.normal(size=(20000, 3))
    positions = radii[:, None] * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    probe = np.array([0.05, 0.2, 0.6, 2.0])
    everything = np.concatenate([positions, probe[:, None] * [1.0, 0.0, 0.0]])
    masses = np.concatenate([np.full(20000, 5e-5), np.full(4, 1e-12)])
    acceleration, potential = kernels.accelerations(everything, masses, 0.2, precision="double")
    expected, pull = spheres.shell_field(probe, edges, enclosed, 0.2)
    # Noise of 20000 particles: of the potential about 1/sqrt(n), of the pull a few times that near the centre.
    np.testing.assert_allclose(potential[-4:], expected, rtol=1e-2)
    np.testing.assert_allclose(-acceleration[-4:, 0], pull, rtol=8e-2, atol=0.03 * pull.max())


def test_distribution_function_of_hernquist_is_the_closed_form():
    scale, mass = 1.0, 1.0
    edges = spheres.radial_table([scale], 1e3)
    density, enclosed = spheres.normalised(spheres.density_shape("hernquist", edges, scale, 1e7), edges, mass)
    energy, f = spheres.distribution_function(density, -spheres.shell_field(edges, edges, enclosed, 0.0)[0])
    q = np.sqrt(np.array([0.1, 0.3, 0.5, 0.7, 0.9]))
    got = np.interp(q**2 * G * mass / scale, energy, f)
    # Hernquist (1990), eq. 17.
    speed = np.sqrt(G * mass / scale)
    expected = mass / (8 * np.sqrt(2) * np.pi**3 * scale**3 * speed**3) / (1 - q**2) ** 2.5
    expected *= 3 * np.arcsin(q) + q * np.sqrt(1 - q**2) * (1 - 2 * q**2) * (8 * q**4 - 8 * q**2 - 3)
    # f falls by 10^5 over this range; shells and linear interpolation of f leave a few per cent.
    np.testing.assert_allclose(got, expected, rtol=4e-2)


@pytest.mark.parametrize("softening", [0.0, 0.15])
@pytest.mark.parametrize("bulge", [0.0, 0.006, 0.06])
def test_distribution_function_gives_the_density_back(softening, bulge):
    edges, tables = sphere_tables(SETTINGS, bulge)
    enclosed = sum(table[1] for table in tables.values()) + disc_of(SETTINGS).enclosed(edges)
    psi = -spheres.shell_field(edges, edges, enclosed, softening)[0]
    for density, _ in tables.values():
        energy, f = spheres.distribution_function(density, psi)
        for row in (100, 200, 300, 400):
            u = np.linspace(0.0, 1.0, 4001)
            speeds = u * np.sqrt(2 * psi[row])
            back = np.trapezoid(4 * np.pi * speeds**2 * np.interp(psi[row] * (1 - u**2), energy, f, left=0.0), speeds)
            # Measured 2e-3 at worst, from the interpolation of f.
            assert back == pytest.approx(density[row], rel=1e-2)


def test_impossible_equilibrium_is_refused():
    r = np.geomspace(0.01, 10.0, 200)
    # A shell with a hole in the middle cannot have isotropic velocities in a central potential.
    with pytest.raises(ConfigError, match="no isotropic equilibrium"):
        spheres.distribution_function(np.exp(-((r - 2.0) ** 2)), G / (1.0 + r))


def test_halo_particles_follow_the_profile(dwarf):
    edges, tables = sphere_tables(SETTINGS, 0.0)
    halo = dwarf.select([1])
    order = np.argsort(radii_of(halo))
    at = np.array([0.3, 1.0, 3.0, 10.0, 30.0, 60.0])
    got = np.interp(at, radii_of(halo)[order], np.cumsum(halo.masses[order]))
    # 500 pairs lie within 0.3 kpc; one in each equal share of radius, with masses that scatter: about 2 %.
    np.testing.assert_allclose(got, np.interp(at, edges, tables["halo"][1]), rtol=0.05)


def test_halo_particles_that_stay_inside_are_the_light_ones(dwarf):
    halo = dwarf.select([1])
    equal = 1.5 / len(halo)
    inner, outer = (halo.masses[low(radii_of(halo))] for low in (lambda r: r < 1.6, lambda r: r > 30.0))
    # What heats a disc is sum m^2 / sum m of the particles that cross it (Ludlow et al. 2021).
    assert (inner**2).sum() / inner.sum() < 0.5 * equal
    assert outer.min() > equal


def test_mass_of_a_halo_particle_depends_on_its_energy_alone(dwarf):
    halo = dwarf.select([1])
    edges, tables = sphere_tables(SETTINGS, 0.0)
    enclosed = tables["halo"][1] + disc_of(SETTINGS).enclosed(edges)
    psi = -spheres.shell_field(edges, edges, enclosed, 0.0)[0]
    binding = np.interp(radii_of(halo), edges, psi) - 0.5 * (halo.velocities**2).sum(axis=1)
    order = np.argsort(binding)
    # Energy is an integral of motion, so such a halo stays as it is; rounding of the shift to rest is 1e-12.
    assert (np.diff(halo.masses[order]) <= 1e-9 * halo.masses.max()).all()


def test_halo_is_isotropic(dwarf):
    halo = dwarf.select([1])
    outward = halo.positions / radii_of(halo)[:, None]
    radial = (halo.velocities * outward).sum(axis=1)
    across = (halo.velocities**2).sum(axis=1) - radial**2
    # Variance of a variance: sqrt(2/n) = 0.8 % each for 30000 pairs; four of those.
    assert across.mean() / (2.0 * radial.var()) == pytest.approx(1.0, abs=0.03)
    assert abs(radial.mean()) < 5 * radial.std() / np.sqrt(len(halo) / 2)


# ---------------------------------------------------------------------------------------------- disc


def test_thin_disc_turns_as_freeman_says():
    disc = discs.Disc(0.05, 0.8, 1e-5, 1.5)
    radii = 0.8 * np.array([0.2, 0.5, 1.0, 2.2, 4.0, 8.0])
    along_r, _ = discs.field(disc, radii, np.array([0.0]), 0.0)
    y = radii / 1.6
    expected = 4 * np.pi * G * disc.surface_density(0.0) * 0.8 * y**2 * (i0(y) * k0(y) - i1(y) * k1(y))
    # Freeman (1970), eq. 12; the transform stops at k R_d = 60.
    np.testing.assert_allclose(radii * along_r[:, 0], expected, rtol=2e-3)


def test_pull_towards_a_thin_disc_is_two_pi_g_sigma():
    disc = discs.Disc(0.05, 0.8, 0.002, 1.5)
    _, along_z = discs.field(disc, np.array([0.8]), np.array([0.02]), 0.0)
    # Ten heights up all of the layer is below; curvature of the disc takes z/R_d = 2.5 % off.
    assert along_z[0, 0] == pytest.approx(2 * np.pi * G * disc.surface_density(0.8), rel=0.05)


def test_thick_softened_disc_pulls_as_its_particles_do():
    disc = disc_of(SETTINGS)
    moments = disc_moments(SETTINGS)
    rng = np.random.default_rng(3)
    positions, _ = discs.sample(disc, moments, 20000, rng)
    angles = np.linspace(0.0, 2 * np.pi, 64, endpoint=False)
    for radius, height in ((0.8, 0.0), (1.6, 0.1), (2.5, 0.3)):
        ring = np.stack([radius * np.cos(angles), radius * np.sin(angles), np.full(64, height)], axis=1)
        everything = np.concatenate([positions, ring])
        masses = np.r_[np.full(20000, disc.mass / 20000), np.full(64, 1e-14)]
        pull = kernels.accelerations(everything, masses, 0.1, precision="double")[0][-64:]
        along_r, along_z = (a[0, 0] for a in discs.field(disc, np.array([radius]), np.array([height]), 0.1))
        scale = np.hypot(along_r, along_z)
        # Noise of 20000 particles averaged over the ring: about 1 %.
        inward = -(pull[:, :2] * ring[:, :2]).sum(axis=1).mean() / radius
        assert inward == pytest.approx(along_r, abs=0.04 * scale)
        assert -pull[:, 2].mean() == pytest.approx(along_z, abs=0.04 * scale)


def test_circular_speed_is_that_of_all_components():
    moments = disc_moments(SETTINGS)
    edges, tables = sphere_tables(SETTINGS, 0.0)
    halo = G * np.interp(moments.radii, edges, tables["halo"][1]) / moments.radii
    disc = moments.radii * discs.field(disc_of(SETTINGS), moments.radii, np.array([0.0]), 0.0)[0][:, 0]
    inside = (moments.radii > 0.2) & (moments.radii < 8.0)
    # Steps of the shells' mass are 4 % of a radius wide.
    np.testing.assert_allclose(moments.circular[inside], np.sqrt(halo + disc)[inside], rtol=2e-2)


@pytest.mark.parametrize("q", [1.2, 1.5, 2.0])
def test_disc_has_the_toomre_q_asked_for_at_every_radius(q):
    settings = SETTINGS | {"toomre_q": q}
    disc, moments = disc_of(settings), disc_moments(settings)
    positions, velocities = discs.sample(disc, moments, 60000, np.random.default_rng(4))
    radius = np.hypot(positions[:, 0], positions[:, 1])
    v_r = (positions[:, :2] * velocities[:, :2]).sum(axis=1) / radius
    for low, high in ((0.5, 0.6), (1.0, 1.1), (1.6, 1.75), (2.4, 2.6)):
        ring = (radius > low) & (radius < high)
        middle = radius[ring].mean()
        kappa = np.interp(middle, moments.radii, moments.kappa)
        got = v_r[ring].std() * kappa / (3.36 * G * disc.surface_density(middle))
        # 1000 to 4000 particles a ring: 1.1 to 2.2 %; three of those, and 1 % for the ring's width.
        assert got == pytest.approx(q, rel=0.07)


def test_disc_follows_its_density(dwarf):
    disc = dwarf.select([2])
    radius, height = np.hypot(disc.positions[:, 0], disc.positions[:, 1]), np.abs(disc.positions[:, 2])
    # Exponential: half the mass within 1.6783 R_d; sech^2: half within artanh(1/2) z_0. Noise 1 % and 0.8 %.
    assert np.median(radius) == pytest.approx(1.67835 * 0.8, rel=0.01)
    assert np.median(height) == pytest.approx(np.arctanh(0.5) * 0.16, rel=0.03)


def test_isothermal_layer_of_a_disc_alone():
    disc = discs.Disc(0.5, 8.0, 0.2, 1.5)
    moments = discs.moments(disc, lambda r: np.zeros_like(r), 0.0)
    # Spitzer (1942): sigma_z^2 = pi G Sigma z_0 at every height; z_0/R_d = 1/40 sets the size of the corrections.
    at = np.argmin(np.abs(moments.radii - 8.0))
    expected = np.sqrt(np.pi * G * disc.surface_density(moments.radii[at]) * 0.2)
    np.testing.assert_allclose(moments.sigma_z[at, :12], expected, rtol=0.05)


def test_rotation_lags_the_circular_speed_and_spins_about_z(dwarf):
    disc, moments = dwarf.select([2]), disc_moments(SETTINGS)
    radius = np.hypot(disc.positions[:, 0], disc.positions[:, 1])
    turning = np.cross(disc.positions, disc.velocities)[:, 2] / radius
    for low, high in ((0.7, 0.9), (1.5, 1.7), (2.3, 2.5)):
        ring = (radius > low) & (radius < high)
        circular = np.interp(radius[ring].mean(), moments.radii, moments.circular)
        assert 0.85 * circular < turning[ring].mean() < circular


def test_radial_jeans_equation_balances_in_the_plane():
    settings = SETTINGS | {"toomre_q": 3.0}
    disc, moments = disc_of(settings), disc_moments(settings)
    pressure = disc.surface_density(moments.radii) * moments.sigma_r**2
    gradient = np.gradient(pressure, moments.radii) / disc.surface_density(moments.radii)
    spread = (moments.sigma_r**2 - moments.sigma_phi**2 - moments.rotation[:, 0] ** 2) / moments.radii
    inward = moments.circular**2 / moments.radii
    at = (moments.radii > 0.3) & (moments.radii < 4.0)
    # Binney & Tremaine (2008), eq. 4.222a in the plane; finite differences of steps of 7 % leave 1 % of each term.
    np.testing.assert_allclose((gradient + spread + inward)[at], 0.0, atol=0.01 * inward[at].max())
    assert np.abs(gradient[at]).max() > 0.1 * inward[at].max()


# ----------------------------------------------------------------------------------- standing still


def virial_ratio(positions, velocities, masses, softening):
    """2T / |W| with Clausius's W = sum m x.a, which holds for softened forces too."""
    acceleration, _ = kernels.accelerations(positions, masses, softening)
    return masses @ (velocities**2).sum(axis=1) / -(masses @ (positions * acceleration).sum(axis=1))


@pytest.mark.parametrize("bulge", [0.0, 0.06])
def test_virial_ratio_of_a_new_galaxy_is_one(bulge):
    counts = {"disc_particles": 6000, "halo_particles": 10000, "bulge_particles": 3000}
    one = galaxy(SETTINGS | counts, np.random.default_rng(5), bulge, softening_kpc=0.1)
    # 2T has a scatter of about sqrt(2 / (3 n)) = 0.8 % from 1e4 halo particles; RESEARCH found 1.2 % for such a model.
    assert virial_ratio(one.positions, one.velocities, one.masses, 0.1) == pytest.approx(1.0, abs=0.025)


def half_mass_radius(positions, masses):
    """Radius [kpc] of half of the mass about the centre, which the particles' weights find."""
    radius = np.linalg.norm(positions - centre(positions, masses), axis=1)
    order = np.argsort(radius)
    return np.interp(0.5 * masses.sum(), np.cumsum(masses[order]), radius[order])


@pytest.mark.slow
def test_galaxy_of_the_tiny_run_stands_still_for_a_gyr():
    softening, step = 0.15, 0.0025 / GYR_PER_TIME
    counts = {"disc_particles": 5000, "halo_particles": 7000}
    one = galaxy(SETTINGS | counts, np.random.default_rng(11), softening_kpc=softening)
    kinds = {"halo": one.types == 1, "disc": one.types == 2}
    before = {name: half_mass_radius(one.positions[kind], one.masses[kind]) for name, kind in kinds.items()}
    positions, velocities = one.positions, one.velocities
    for _ in range(4):
        positions, velocities = kernels.integrate(
            positions, velocities, one.masses, softening, step, 100, precision="single"
        )
        # The bounds; 1 % is the ratio's own scatter at this number of halo particles.
        assert virial_ratio(positions, velocities, one.masses, softening) == pytest.approx(1.0, abs=0.03)
    for name, kind in kinds.items():
        assert half_mass_radius(positions[kind], one.masses[kind]) == pytest.approx(before[name], rel=0.05)
