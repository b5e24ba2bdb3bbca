"""Pictures of snapshots: framing, views, smoothing, and what happens to bad snapshots."""

import numpy as np
import pytest

from galclass import images, quality, render, snapshot, vectors
from galclass.errors import InputError
from galclass.snapshot import archive

SETTINGS = {
    "seed": 1,
    "pixels": 32,
    "views": 4,
    "field_effective_radii": 8.0,
    "smoothing_neighbours": 8,
    "smoothing_scale": 1.0,
    "minimum_smoothing_px": 0.6,
    "depth_dex": 3.0,
    "fold": False,
    "film_views": 2,
    "film_field_kpc": 40.0,
    "telescope": {
        "preset": "thesis",
        "distance_mpc": 21.0,
        "pixel_scale": "field",
        "mass_to_light": {
            "slope": 0.8,
            "disc": {"ratio": 2.0, "age_gyr": 5.0},
            "bulge": {"ratio": 3.0, "age_gyr": 8.0},
            "new_stars": {"ratio": 1.0, "age_gyr": 2.0},
        },
        "contaminants": {"stars": 0, "trails": 0, "gradient": 0.0, "neighbours": 0},
        "background": "",
        "background_zero_point_ab": 0,
        "background_pixel_arcsec": 0,
    },
    "shapes": {"pictures_per_model": 3, "maximum_tilt_deg": 10.0},
}


def stars(count=1500, at=(0.0, 0.0, 0.0), scale=1.0, seed=1, kind=2, flat=0.15):
    """An exponential disc in the plane of x and y, at a place."""
    rng = np.random.default_rng(seed)
    radius, angle = rng.gamma(2.0, scale, count), rng.uniform(0.0, 2.0 * np.pi, count)
    places = [radius * np.cos(angle), radius * np.sin(angle), rng.normal(0.0, flat * scale, count)]
    positions = np.stack(places, axis=1) + np.asarray(at)
    masses, ids = np.full(count, 1e-5), np.arange(1, count + 1)
    return snapshot.Snapshot(positions, np.zeros((count, 3)), masses, ids, np.full(count, kind, np.int8), 0.5)


def pair(distance):
    return snapshot.join([stars(seed=1), stars(at=(distance, 0.0, 0.0), seed=2)])


@pytest.fixture
def folder(tmp_path):
    """Two snapshots of one galaxy, with things beside them that are none."""
    runs = tmp_path / "simulation"
    runs.mkdir()
    snapshot.write(runs / "snapshot_001.dat", stars(seed=2))
    snapshot.write(runs / "snapshot_000.dat", stars(seed=1))
    (runs / "energy.csv").write_text("time,energy\n")
    (runs / "merger.nml").write_text("&merger /\n")
    (runs / "snapshot_002.dat.partial").write_bytes(b"half a fi")
    return runs


# Packs --------------------------------------------------------------------------------------------


def test_pack_of_a_folder(folder, tmp_path):
    output = tmp_path / "box.h5"
    render.run([folder], SETTINGS, output, "box")
    pack = images.read_pack(output)
    assert pack.images.shape == (8, 32, 32)
    assert list(pack.frames["frame"]) == list(range(8))
    assert list(pack.frames["snapshot"]) == ["snapshot_000"] * 4 + ["snapshot_001"] * 4
    assert set(pack.frames["run"]) == {"box"} and set(pack.frames["label"]) == {""}
    assert pack.images.min() == 0.0
    np.testing.assert_allclose(pack.images.max(axis=(1, 2)), 1.0)
    # Time 0.5 kpc/(km/s) in Gyr; the file holds single precision.
    np.testing.assert_allclose(pack.frames["time_gyr"], 0.5 * 0.9777922, rtol=1e-6)
    views = pack.frames[["view_x", "view_y", "view_z"]].to_numpy()
    np.testing.assert_allclose(np.linalg.norm(views, axis=1), 1.0)
    assert len(pack.provenance["inputs"]) == 3  # two snapshots, and what the telescopes are
    assert pack.provenance["settings"]["depth_dex"] == 3.0
    assert pack.provenance["quality"] == ""


@pytest.mark.parametrize("film", [False, True])
def test_pictures_of_a_run_that_fails_its_gates_are_marked(folder, tmp_path, capsys, film):
    row = {"gate": "energy", "largest_drift": 0.02, "limit": 0.005, "passed": False}
    quality.write(folder, [row, row | {"gate": "momentum", "largest_drift": 0.0, "passed": True}])
    (render.run_film if film else render.run)([folder], SETTINGS, tmp_path / "box.h5", "box")
    assert images.read_pack(tmp_path / "box.h5").provenance["quality"] == "energy 0.02 > 0.005"
    assert "box FAILS its quality gates (energy 0.02 > 0.005)" in capsys.readouterr().out


def test_contact_sheet_beside_the_pack(folder, tmp_path):
    render.run([folder], SETTINGS, tmp_path / "box.h5", "box")
    from PIL import Image

    with Image.open(tmp_path / "box.png") as sheet:
        # Eight pictures of 32 pixels in a row, a pixel between, twice as large.
        assert sheet.size == (2 * (8 * 33 - 1), 2 * 32)


def test_pixel_is_the_field_over_the_pixels(folder, tmp_path):
    render.run([folder / "snapshot_000.dat"], SETTINGS, tmp_path / "box.h5", "box")
    frames = images.read_pack(tmp_path / "box.h5").frames
    np.testing.assert_allclose(frames["pixel_kpc"] * 32, 8.0 * frames["effective_radius_kpc"])


def test_name_of_the_run_defaults_to_that_of_the_input(folder, tmp_path):
    render.run([folder], SETTINGS, tmp_path / "a.h5", "")
    assert set(images.read_pack(tmp_path / "a.h5").frames["run"]) == {"simulation"}


def test_pictures_do_not_depend_on_what_else_is_rendered(folder, tmp_path):
    render.run([folder], SETTINGS, tmp_path / "all.h5", "box")
    render.run([folder / "snapshot_001.dat"], SETTINGS, tmp_path / "one.h5", "box")
    every, one = images.read_pack(tmp_path / "all.h5"), images.read_pack(tmp_path / "one.h5")
    np.testing.assert_array_equal(every.images[4:], one.images)


def test_seed_run_and_snapshot_change_the_views():
    first = render.sphere_views(5, 1, "box", "snapshot_000")
    again = render.sphere_views(5, 1, "box", "snapshot_000")
    np.testing.assert_array_equal(first.directions, again.directions)
    np.testing.assert_array_equal(first.rolls, again.rolls)
    for other in ((2, "box", "snapshot_000"), (1, "oval", "snapshot_000"), (1, "box", "snapshot_001")):
        assert not np.allclose(first.directions, render.sphere_views(5, *other).directions)


def test_shapes_carry_their_class(tmp_path):
    models = [{"model": "oval_01", "class": "oval"}, {"model": "box_01", "class": "rectangle"}]
    for model in models:
        snapshot.write(tmp_path / f"{model['model']}.dat", stars())
    render.run_shapes(tmp_path, models, SETTINGS, tmp_path / "shapes.h5")
    frames = images.read_pack(tmp_path / "shapes.h5").frames
    assert list(frames["label"]) == ["oval"] * 3 + ["rectangle"] * 3
    assert list(frames["run"]) == ["oval_01"] * 3 + ["box_01"] * 3
    assert (frames["view_z"] >= np.cos(np.deg2rad(10.0)) - 1e-12).all()


def test_film_keeps_its_field_and_its_sides(tmp_path):
    for number, distance in enumerate((12.0, 4.0)):
        snapshot.write(tmp_path / f"snapshot_{number:03}.dat", pair(distance))
    render.run_film([tmp_path], {**SETTINGS, "fold": True}, tmp_path / "film.h5", "box")
    pack = images.read_pack(tmp_path / "film.h5")
    np.testing.assert_allclose(pack.frames["pixel_kpc"], 40.0 / 32)
    np.testing.assert_array_equal(pack.frames["view_z"], [1, 0, 1, 0])
    # Along z the pair lies along x, 12 kpc apart about its centre of mass: 4.8 pixels either side of the
    # middle.
    row = pack.images[0].max(axis=0)
    left, right = np.argmax(row[:16]), 16 + np.argmax(row[16:])
    assert (left, right) == pytest.approx((15.5 - 4.8, 15.5 + 4.8), abs=1.0)


# Framing ------------------------------------------------------------------------------------------


def test_effective_radius_of_an_exponential_disc():
    disc = stars(200000, scale=2.0)
    radii = np.hypot(*disc.positions[:, :2].T)
    # 1.678 scales hold half; four of those hold 99.1 %, so the search finds 1.5 % less; sampling 0.3 %.
    assert render.effective_radius(radii, disc.masses) == pytest.approx(1.678 * 2.0, rel=0.025)


def test_effective_radius_weighs_by_mass():
    radii, masses = np.array([1.0, 2.0, 3.0, 3.5]), np.array([1.0, 1.0, 1.0, 6.0])
    assert render.effective_radius(radii, masses) == 3.5


def test_companion_does_not_change_the_size():
    one = stars(4000)
    both = snapshot.join([one, stars(4000, at=(60.0, 0.0, 0.0), seed=2)])
    alone, together = (render.effective_radius(np.hypot(*s.positions[:, :2].T), s.masses) for s in (one, both))
    assert together == pytest.approx(alone, rel=1e-12)


@pytest.mark.parametrize(("distance", "found"), [(30.0, True), (12.0, True), (3.0, False)])
def test_companion_is_found_where_it_is_apart(distance, found):
    both = pair(distance)
    place = render.companion_position(both, 1.65)
    assert (place is not None) == found
    if found:
        # The shrinking sphere ends on 50 stars within a scale: their mean is good to 0.3 scales.
        np.testing.assert_allclose(place, [distance, 0.0, 0.0], atol=0.5)


def test_an_envelope_is_no_companion():
    """A quarter of the stars in a wide halo around the galaxy, and a tail to one side."""
    rng = np.random.default_rng(3)
    envelope = stars(500, seed=4)
    envelope.positions[:] = rng.normal(0.0, 10.0, (500, 3))
    tail = stars(150, seed=5)
    tail.positions[:] = np.stack([rng.uniform(5.0, 30.0, 150), *rng.normal(0.0, 1.0, (2, 150))], axis=1)
    assert render.companion_position(snapshot.join([stars(), envelope, tail]), 1.65) is None


def test_a_pair_apart_is_shown_whole(tmp_path):
    snapshot.write(tmp_path / "pair.dat", pair(20.0))
    settings = {**SETTINGS, "views": 40, "fold": True, "pixels": 48}
    render.run([tmp_path / "pair.dat"], settings, tmp_path / "pair.h5", "pair")
    pack = images.read_pack(tmp_path / "pair.h5")
    # Both centres lie within 10 kpc of the middle, and three effective radii around them.
    assert pack.frames["pixel_kpc"][0] * 48 == pytest.approx(
        2.0 * (10.0 + 3.0 * pack.frames["effective_radius_kpc"][0]), rel=0.03
    )
    from scipy.ndimage import label

    seen_across = np.abs(pack.frames["view_x"].to_numpy()) < 0.5
    pieces = [label(picture > 0.5)[1] for picture in pack.images[seen_across]]
    assert pieces.count(2) == len(pieces) > 10


def test_the_galaxy_lies_in_the_middle_wherever_it_was(tmp_path):
    snapshot.write(tmp_path / "far.dat", stars(at=(100.0, -50.0, 7.0)))
    render.run([tmp_path / "far.dat"], SETTINGS, tmp_path / "far.h5", "far")
    light = images.unstretch(images.read_pack(tmp_path / "far.h5").images, 3.0)
    y, x = np.indices((32, 32))
    for picture in light:
        middle = [(picture * axis).sum() / picture.sum() for axis in (x, y)]
        # 1500 stars over six pixels scatter the mean by 0.15 pixel, the densest place by as much again.
        assert middle == pytest.approx([15.5, 15.5], abs=1.0)


# Views and smoothing ------------------------------------------------------------------------------


def test_views_are_uniform_on_the_sphere():
    directions = render.sphere_views(20000, 1, "box", "0").directions
    # Means of 2e4 uniform numbers: cos theta is good to 0.004, its square (1/3) to 0.002.
    np.testing.assert_allclose(directions.mean(axis=0), 0.0, atol=0.02)
    np.testing.assert_allclose((directions**2).mean(axis=0), 1.0 / 3.0, atol=0.01)
    counts = np.histogram(directions[:, 2], bins=10, range=(-1, 1))[0]
    # Poisson: 2000 a bin to 45; five of those.
    assert np.abs(counts - 2000).max() < 225


def test_rolls_are_uniform():
    rolls = render.sphere_views(20000, 1, "box", "0").rolls
    assert abs(np.exp(1j * rolls).mean()) < 0.03


def test_tilts_stay_below_their_limit():
    views = render.tilted_views(5000, 10.0, 1, "oval_01")
    tilt = np.rad2deg(np.arccos(views.directions[:, 2]))
    assert tilt.max() <= 10.0 and tilt.max() > 9.5
    # In a random direction: no preferred axis, to one in the root of 5000.
    np.testing.assert_allclose(views.directions[:, :2].mean(axis=0), 0.0, atol=0.01)


def test_film_views_begin_with_the_axes():
    directions = render.film_views(5).directions
    np.testing.assert_array_equal(directions[:3], [[0, 0, 1], [0, 1, 0], [1, 0, 0]])
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1.0)
    assert len(render.film_views(1).rolls) == 1


def test_neighbour_distance_on_a_line():
    positions = np.stack([np.arange(10.0), np.zeros(10), np.zeros(10)], axis=1)
    # The first neighbour is one away; the second is one away too, except at the ends.
    np.testing.assert_allclose(render.neighbour_distance(positions, 1), 1.0)
    np.testing.assert_allclose(render.neighbour_distance(positions, 2), [2.0] + [1.0] * 8 + [2.0])


def test_neighbour_distance_of_few_particles():
    assert render.neighbour_distance(np.zeros((1, 3)), 16).tolist() == [0.0]
    two = np.array([[0.0, 0.0, 0.0], [3.0, 4.0, 0.0]])
    assert render.neighbour_distance(two, 16).tolist() == [5.0, 5.0]


def test_projection_keeps_the_mass_in_the_field():
    disc = stars()
    density = render.project(
        disc.positions, disc.masses, render.sphere_views(3, 1, "x"), 60.0, {**SETTINGS, "pixels": 64}
    )
    # The field holds every star; Gaussians are cut at four widths, 3e-4 of their mass.
    np.testing.assert_allclose(density.sum(axis=(1, 2)), disc.masses.sum(), rtol=1e-3)


def test_turning_the_galaxy_is_turning_the_camera():
    disc, views = stars(flat=0.5), render.sphere_views(3, 1, "x")
    turn = vectors.camera(np.array([0.3, -0.5, 0.8]), 0.7)
    turned = snapshot.Snapshot(disc.positions @ turn.T, disc.velocities, disc.masses, disc.ids, disc.types)
    plain = render.project(disc.positions, disc.masses, views, 20.0, SETTINGS)
    along = vectors.cameras(views.directions, views.rolls)
    from galclass import kernels

    widths = np.maximum(render.neighbour_distance(turned.positions, 8), 0.6 * 20.0 / 32)
    other = kernels.project(turned.positions, turned.masses, widths, along @ turn.T, 10.0, 32)
    # Rounding of the neighbour distances only.
    np.testing.assert_allclose(other, plain, rtol=1e-6, atol=1e-12)


def test_smoothing_leaves_no_dots():
    """The outer isophotes are rings, not rows of particles: neighbouring pixels differ little."""
    disc, above = stars(4000), render.Views(np.array([[0.0, 0.0, 1.0]]), np.zeros(1))

    def roughness(scale):
        density = render.project(
            disc.positions,
            disc.masses,
            above,
            13.0,
            {**SETTINGS, "smoothing_scale": scale, "minimum_smoothing_px": 0.1},
        )
        picture = images.stretch(density, 3.0)[0]
        # Between one and two effective radii, where a disc falls smoothly.
        y, x = np.indices(picture.shape) - 15.5
        ring = np.abs(np.hypot(x, y) - 6.0) < 2.0
        return np.abs(np.diff(picture, axis=1))[ring[:, 1:]].mean()

    # A smooth exponential disc falls by 0.4 kpc / 1 kpc * 0.145 = 0.04 a pixel at most along a row.
    assert roughness(1.0) < 0.05 < roughness(0.0)


def test_fold_is_symmetric_and_keeps_the_light():
    density = np.random.default_rng(1).random((3, 8, 8))
    folded = render.fold(density)
    np.testing.assert_array_equal(folded, folded[:, ::-1, ::-1])
    np.testing.assert_allclose(folded.sum(axis=(1, 2)), density.sum(axis=(1, 2)))
    np.testing.assert_array_equal(render.fold(folded), folded)


def test_folded_pictures_are_symmetric(folder, tmp_path):
    render.run([folder], {**SETTINGS, "fold": True}, tmp_path / "box.h5", "box")
    pictures = images.read_pack(tmp_path / "box.h5").images
    np.testing.assert_array_equal(pictures, pictures[:, ::-1, ::-1])


# Bad input ----------------------------------------------------------------------------------------


def test_only_stars_are_drawn(tmp_path):
    """A halo of type 1 far off to the side must leave no trace."""
    with_halo = snapshot.join([stars(), stars(500, at=(5.0, 5.0, 0.0), kind=1, seed=9)])
    snapshot.write(tmp_path / "a.dat", stars())
    snapshot.write(tmp_path / "b.dat", with_halo)
    views = [tmp_path / "a.h5", tmp_path / "b.h5"]
    for name in ("a", "b"):
        copy = tmp_path / name / "snapshot_000.dat"
        copy.parent.mkdir()
        copy.write_bytes((tmp_path / f"{name}.dat").read_bytes())
        render.run([copy], SETTINGS, tmp_path / f"{name}.h5", "same")
    first, second = (images.read_pack(path).images for path in views)
    np.testing.assert_array_equal(first, second)


def test_types_can_be_chosen(tmp_path):
    snapshot.write(tmp_path / "halo.dat", stars(kind=1))
    with pytest.raises(InputError, match="no particles of type 2, 3, 4 to draw, only of type 1"):
        render.run([tmp_path / "halo.dat"], SETTINGS, tmp_path / "halo.h5", "halo")
    render.run([tmp_path / "halo.dat"], SETTINGS, tmp_path / "halo.h5", "halo", types=(1,))
    assert len(images.read_pack(tmp_path / "halo.h5").images) == 4


def test_a_bad_snapshot_does_not_lose_the_others(folder, tmp_path, capsys):
    torn = folder / "snapshot_002.dat"
    torn.write_bytes((folder / "snapshot_000.dat").read_bytes()[:3000])
    (folder / "snapshot_003.dat").write_text("this is no snapshot")
    with pytest.raises(InputError, match=r"snapshot_003.dat: not a GADGET snapshot.*; the other 2 are in "):
        render.run([folder], SETTINGS, tmp_path / "box.h5", "box")
    assert "snapshot_002.dat: cut short" in capsys.readouterr().err
    assert len(images.read_pack(tmp_path / "box.h5").images) == 8


def test_missing_file_is_named(folder, tmp_path):
    with pytest.raises(InputError, match="nowhere.dat: no such file"):
        render.run([folder / "nowhere.dat"], SETTINGS, tmp_path / "box.h5", "box")
    assert not (tmp_path / "box.h5").exists()


def test_folder_without_snapshots_is_refused(tmp_path):
    (tmp_path / "energy.csv").write_text("1")
    with pytest.raises(InputError, match=r"no snapshot in this folder; allowed are snap\* and \*.dat"):
        render.run([tmp_path], SETTINGS, tmp_path / "box.h5", "box")


def test_snapshots_in_an_archive_give_the_same_pack(folder, tmp_path):
    """A run whose snapshots were put into one file, beside its other files."""
    archived = tmp_path / "archived"
    archived.mkdir()
    archive.write(archived / "snapshots.tar", snapshot.find([folder]))
    for name in ("energy.csv", "merger.nml"):
        (archived / name).write_text("no snapshot")
    packs = []
    for source, name in ((folder, "loose"), (archived, "one")):
        render.run([source], SETTINGS, tmp_path / f"{name}.h5", "box")
        packs.append(images.read_pack(tmp_path / f"{name}.h5"))
    assert packs[0].images.tobytes() == packs[1].images.tobytes()
    assert packs[0].frames.equals(packs[1].frames)
    inputs = packs[1].provenance["inputs"]
    assert str(archived / "snapshots.tar") in inputs and not [name for name in inputs if name.endswith(".dat")]


def test_stars_in_one_point_are_refused(tmp_path):
    point = stars(10)
    point.positions[:] = 3.0
    snapshot.write(tmp_path / "point.dat", point)
    with pytest.raises(InputError, match="half of the stars lie in one point"):
        render.run([tmp_path / "point.dat"], SETTINGS, tmp_path / "point.h5", "point")


def test_stars_without_mass_are_one_line_and_the_rest_is_done(folder, tmp_path):
    nothing = stars()
    nothing.masses[:] = 0.0
    snapshot.write(folder / "snapshot_005.dat", nothing)
    with pytest.raises(InputError, match="snapshot_005.dat: its 1500 stars have no mass"):
        render.run([folder], SETTINGS, tmp_path / "box.h5", "box")
    assert len(images.read_pack(tmp_path / "box.h5").images) == 8
