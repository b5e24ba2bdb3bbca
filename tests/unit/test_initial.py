"""The stage `initial`: a pair at rest as a whole, scaled, tilted and numbered as asked; same seed, same bytes."""

import json

import numpy as np
import pytest

from galclass import config, initial
from galclass.errors import ConfigError
from galclass.initial.draws import directions, even_shares
from galclass.initial.progenitor import galaxy, scaled
from galclass.snapshot import read

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
    "disc_particles": 3000,
    "halo_particles": 2000,
    "bulge_particles": 500,
}
ROW = {
    "run": "box",
    "seed": 4,
    "mass_ratio": 1.0,
    "pericentre_kpc": 0.0157,
    "eccentricity": 0.99834,
    "separation_kpc": 16.0,
    "inclination1_deg": 45.0,
    "argument1_deg": 90.0,
    "inclination2_deg": 45.0,
    "argument2_deg": 90.0,
    "bulge_over_halo": 0.0,
}


def members(pair, row, settings):
    """The two galaxies of a pair, told apart by their ids."""
    count = settings["disc_particles"] + settings["halo_particles"]
    count += settings["bulge_particles"] if row["bulge_over_halo"] else 0
    return pair._where(pair.ids <= count), pair._where(pair.ids > count)


def mean(weights, values):
    return weights @ values / weights.sum()


def test_centre_of_mass_rests_in_the_origin():
    pair = initial.merger(ROW | {"mass_ratio": 3.0, "bulge_over_halo": 0.05}, SETTINGS, 1)
    # Rounding of sums over 16 kpc and 100 km/s.
    np.testing.assert_allclose(mean(pair.masses, pair.positions), 0.0, atol=1e-12)
    np.testing.assert_allclose(mean(pair.masses, pair.velocities), 0.0, atol=1e-11)


def test_galaxies_stand_on_the_kepler_orbit():
    first, second = members(initial.merger(ROW, SETTINGS, 1), ROW, SETTINGS)
    position, velocity = initial.kepler_state(2 * 1.52, 0.0157, 0.99834, 16.0)
    # Each galaxy's own centre of mass is exactly at rest, so that only rounding is left.
    apart = mean(second.masses, second.positions) - mean(first.masses, first.positions)
    speed = mean(second.masses, second.velocities) - mean(first.masses, first.velocities)
    np.testing.assert_allclose(apart, position, atol=1e-11)
    np.testing.assert_allclose(speed, velocity, atol=1e-10)


def test_discs_spin_as_the_table_says():
    row = ROW | {"inclination1_deg": 60.0, "argument1_deg": -30.0, "inclination2_deg": 120.0, "argument2_deg": 45.0}
    for number, part in enumerate(members(initial.merger(row, SETTINGS, 1), row, SETTINGS), 1):
        disc = part.select([2])
        lever = disc.positions - mean(disc.masses, disc.positions)
        spin = np.cross(lever, disc.velocities - mean(disc.masses, disc.velocities)).sum(axis=0)
        tilt, argument = np.radians([row[f"inclination{number}_deg"], row[f"argument{number}_deg"]])
        sign = 1.0 if number == 1 else -1.0
        expected = [sign * np.sin(tilt) * np.sin(argument), sign * np.sin(tilt) * np.cos(argument), np.cos(tilt)]
        # Random motions of 3000 particles tilt the sum by about sigma/v/sqrt(n), well under a degree.
        assert spin @ expected / np.linalg.norm(spin) > np.cos(np.radians(1.0))


@pytest.mark.parametrize("ratio", [1.0, 3.0, 8.0])
def test_smaller_galaxy_has_the_mass_ratio_in_mass_and_number_and_the_same_density(ratio):
    row = ROW | {"mass_ratio": ratio}
    first, second = members(initial.merger(row, SETTINGS, 2), row, SETTINGS)
    # Particle numbers are rounded to whole ones; masses are not.
    assert first.masses.sum() / second.masses.sum() == pytest.approx(ratio, rel=1e-12)
    assert len(first) / len(second) == pytest.approx(ratio, rel=2e-3)

    def half_mass(part):
        halo = part.select([1])
        radius = np.linalg.norm(halo.positions - mean(halo.masses, halo.positions), axis=1)
        order = np.argsort(radius)
        return np.interp(0.5 * halo.masses.sum(), np.cumsum(halo.masses[order]), radius[order])

    # 250 particles of the smallest halo are 125 pairs of unequal mass: half of the mass is found to some 5 %.
    assert half_mass(first) / half_mass(second) == pytest.approx(ratio ** (1 / 3), rel=0.1)


def test_scaled_keeps_what_has_no_size():
    small = scaled(SETTINGS, 8.0)
    assert small["disc_scale_kpc"] == pytest.approx(0.4)
    assert small["halo_mass_msun"] == pytest.approx(1.5e10 / 8)
    assert small["halo_particles"] == 250
    for key in ("toomre_q", "disc_height_over_scale", "halo_profile"):
        assert small[key] == SETTINGS[key]


def test_masses_are_those_asked_for():
    one = galaxy(SETTINGS, np.random.default_rng(0), bulge_over_halo=0.06)
    for kind, count, mass in ((1, 2000, 1.5), (2, 3000, 0.02), (3, 500, 0.09)):
        part = one.select([kind])
        assert len(part) == count
        assert part.masses.sum() == pytest.approx(mass, rel=1e-12)
    assert sorted(one.ids) == list(range(1, 5501))


def test_without_a_bulge_there_are_no_bulge_particles():
    assert set(galaxy(SETTINGS, np.random.default_rng(0)).types) == {1, 2}


def test_particles_are_sorted_and_ids_tell_the_galaxies_apart():
    pair = initial.merger(ROW, SETTINGS, 3)
    assert (np.diff(pair.types) >= 0).all()
    assert sorted(pair.ids) == list(range(1, 10001))
    first, second = members(pair, ROW, SETTINGS)
    assert first.positions[:, 0].mean() > 0 > second.positions[:, 0].mean()


def test_same_seed_same_bytes_and_other_seed_other_galaxies(tmp_path):
    for name, seed in (("a", 4), ("b", 4), ("c", 5)):
        initial.run(ROW | {"seed": seed}, SETTINGS, tmp_path / f"{name}.dat", 0.1)
    a, b, c = ((tmp_path / f"{name}.dat").read_bytes() for name in "abc")
    assert a == b != c
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_the_two_galaxies_are_not_copies_of_each_other():
    first, second = members(initial.merger(ROW, SETTINGS, 3), ROW, SETTINGS)
    radii = [np.sort(np.linalg.norm(p.positions - mean(p.masses, p.positions), axis=1)) for p in (first, second)]
    assert not np.allclose(radii[0], radii[1], rtol=1e-6)


def test_run_writes_a_snapshot_and_its_provenance(tmp_path):
    initial.run(ROW, SETTINGS, tmp_path / "deep" / "box.dat", 0.1)
    assert len(read(tmp_path / "deep" / "box.dat")) == 10000
    record = json.loads((tmp_path / "deep" / "box.json").read_text())
    assert record["stage"] == "initial" and record["seed"] == 4
    assert record["settings"] == {"row": ROW, "initial": SETTINGS, "softening_kpc": 0.1}


def test_softening_that_is_asked_for_changes_the_velocities_not_the_places():
    hard, soft = (galaxy(SETTINGS, np.random.default_rng(1), softening_kpc=e).select([1]) for e in (0.0, 0.3))
    radii = [np.linalg.norm(part.positions, axis=1) for part in (hard, soft)]
    # Places are not drawn from the softened field; only the grading of masses shifts them, by a few per cent.
    assert np.median(radii[1]) == pytest.approx(np.median(radii[0]), rel=0.1)
    # A softened centre is shallower: particles within one softening length are slower, by a fifth as measured.
    speeds = [np.linalg.norm(p.velocities[r < 0.5], axis=1).mean() for p, r in zip((hard, soft), radii, strict=True)]
    assert speeds[1] < 0.95 * speeds[0]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"mass_ratio": 0.3}, "mass_ratio 0.3"),
        ({"separation_kpc": 100.0}, "separation_kpc 100"),
        ({"pericentre_kpc": 17.0}, "separation_kpc 16"),
    ],
)
def test_pairs_that_cannot_be_are_refused_in_one_line(change, text):
    with pytest.raises(ConfigError, match=text) as caught:
        initial.merger(ROW | change, SETTINGS, 1)
    assert "\n" not in str(caught.value)


def test_unknown_halo_profile_is_refused():
    with pytest.raises(ConfigError, match="halo_profile 'cored': unknown; allowed are nfw, hernquist"):
        galaxy(SETTINGS | {"halo_profile": "cored"}, np.random.default_rng(0))


def test_every_row_of_the_built_in_table_makes_a_pair():
    settings = SETTINGS | {"disc_particles": 50, "halo_particles": 50, "bulge_particles": 50}
    for row in config.read_mergers(config.ROOT / "config" / "mergers.tsv").values():
        assert len(initial.merger(row, settings, row["seed"])) > 0


def test_even_shares_fill_lines_and_squares_more_evenly_than_random_numbers():
    count = 10_000
    shares = even_shares(count, 6, np.random.default_rng(3))
    assert shares.min() >= 0.0 and shares.max() < 1.0 and (np.diff(shares[0]) > 0.0).all()
    for number, one in enumerate(shares):
        # The largest gap of random numbers would be ln(n)/n = 9/n and more.
        assert np.diff(np.sort(one)).max() < 3.0 / count
        for other in shares[:number]:
            cells, _, _ = np.histogram2d(one, other, 10, range=[[0, 1], [0, 1]])
            # 100 in each of 100 cells; random numbers leave up to 40 more or less.
            assert np.abs(cells - 100).max() < 30


def test_directions_are_uniform_on_the_sphere():
    ways = directions(even_shares(10_000, 2, np.random.default_rng(3)))
    np.testing.assert_allclose(np.linalg.norm(ways, axis=1), 1.0, rtol=1e-12)
    # Mean 0 and second moment 1/3 of each coordinate, to the evenness of the draws.
    np.testing.assert_allclose(ways.mean(axis=0), 0.0, atol=3e-3)
    np.testing.assert_allclose(ways.T @ ways / len(ways), np.eye(3) / 3.0, atol=3e-3)
