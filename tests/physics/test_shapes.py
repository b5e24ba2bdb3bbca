"""Measured isophotes against shapes whose harmonics are known in closed form, and against particles."""

import numpy as np
import pytest

from galclass import config, render, simulate, snapshot
from galclass.isophotes import label_of, measure, profile

#: B4 of a superellipse by its exponent, from DESIGN's table and checked below by quadrature.
SUPERELLIPSES = {2.0: 0.0, 2.2: -0.015, 2.5: -0.034, 3.0: -0.057, 4.0: -0.086, 6.0: -0.112, 99.0: -0.139}


def isophote_radius(x, y, exponent=2.0, cap=None):
    """Size of the isophote through (x, y) for axis ratio 1: a superellipse, or with a cap an obround."""
    x, y = np.abs(x), np.abs(y)
    if cap is None:
        return np.maximum(x, y) if exponent > 50 else (x**exponent + y**exponent) ** (1.0 / exponent)
    low, high = np.maximum(np.maximum(x, y), 1e-12), x + y + 1e-9
    for _ in range(50):  # bisection: a point is inside an isophote or it is not, whichever of its parts it is near
        middle = 0.5 * (low + high)
        bulge = np.maximum(x - (1.0 - cap) * middle, 0.0) / cap
        inside = bulge**2 + y**2 <= middle**2
        low, high = np.where(inside, low, middle), np.where(inside, middle, high)
    return high


def picture(size, half_light, axis_ratio=0.7, pa_deg=0.0, shift=(0.0, 0.0), sersic=1.0, over=4, **shape):
    """A galaxy of homothetic isophotes with a Sersic profile, averaged over each pixel."""
    middle = (size - 1) / 2.0
    at = (np.arange(size * over) + 0.5) / over - 0.5 - middle
    x, y = np.meshgrid(at - shift[0], at - shift[1])
    pa = np.deg2rad(pa_deg)
    along, across = x * np.cos(pa) + y * np.sin(pa), y * np.cos(pa) - x * np.sin(pa)
    radius = isophote_radius(along, across / axis_ratio, **shape)
    light = np.exp(-(2.0 * sersic - 1.0 / 3.0) * (radius / half_light) ** (1.0 / sersic))
    return light.reshape(size, over, size, over).mean(axis=(1, 3))


def harmonic(order, **shape):
    """B_k of an isophote by quadrature, about the circle: exact where the best ellipse is the model's own."""
    angle = np.linspace(0.0, 2.0 * np.pi, 20000, endpoint=False)
    radius = 1.0 / isophote_radius(np.cos(angle), np.sin(angle), **shape)
    return 2.0 * np.mean(radius / radius.mean() * np.cos(order * angle))


# Closed forms -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("exponent", "expected"), SUPERELLIPSES.items())
def test_b4_of_a_superellipse_in_closed_form(exponent, expected):
    # The table has three decimals.
    assert harmonic(4, exponent=exponent) == pytest.approx(expected, abs=6e-4)


@pytest.mark.parametrize("axis_ratio", [0.4, 0.7])
@pytest.mark.parametrize("exponent", SUPERELLIPSES)
def test_superellipse_at_high_resolution(exponent, axis_ratio):
    shape = measure(picture(161, 24.0, axis_ratio, 33.0, (0.3, -0.2), over=3, exponent=exponent))
    # Pixels of 1/24 effective radius round the corners of a rectangle by 4e-4; everything else is below 2e-4.
    assert shape.b4 == pytest.approx(harmonic(4, exponent=exponent), abs=1e-3)
    assert shape.b6 == pytest.approx(0.0, abs=3e-4)
    assert shape.axis_ratio == pytest.approx(axis_ratio, abs=2e-3)
    assert shape.pa_deg == pytest.approx(33.0, abs=0.1)
    assert (shape.x, shape.y) == pytest.approx((80.3, 79.8), abs=0.01)
    assert shape.a4_over_a == pytest.approx(np.sqrt(shape.axis_ratio) * shape.b4, abs=1e-12)


@pytest.mark.parametrize("pa_deg", [0.0, 25.0, 70.0, 135.0])
@pytest.mark.parametrize("exponent", [2.0, 3.0, 6.0, 99.0])
def test_superellipse_in_a_picture_of_the_network(exponent, pa_deg):
    """50 pixels, eight effective radii wide, the galaxy turned and off centre."""
    shape = measure(picture(50, 6.25, 0.6, pa_deg, (0.4, 0.3), exponent=exponent))
    # Pixels of 0.16 effective radii blur a rectangle by 2 to 3 %.
    assert shape.b4 == pytest.approx(harmonic(4, exponent=exponent), abs=0.004)
    assert shape.b6 == pytest.approx(0.0, abs=0.002)


@pytest.mark.parametrize("exponent", [1.7, 1.85])
def test_discy_isophotes_are_positive(exponent):
    shape = measure(picture(101, 14.0, 0.6, 20.0, exponent=exponent))
    assert shape.b4 == pytest.approx(harmonic(4, exponent=exponent), abs=1e-3)
    assert shape.b4 > 0.01


@pytest.mark.parametrize("sersic", [0.8, 1.5, 4.0])
def test_b4_does_not_depend_on_the_light_profile(sersic):
    shape = measure(picture(101, 14.0, 0.7, 15.0, sersic=sersic, exponent=3.0))
    assert shape.b4 == pytest.approx(harmonic(4, exponent=3.0), abs=1e-3)


@pytest.mark.parametrize("axis_ratio", [0.4, 0.8])
@pytest.mark.parametrize("cap", [0.5, 0.58, 0.66])
def test_obround_is_told_by_b6(cap, axis_ratio):
    shape = measure(picture(101, 12.0, axis_ratio, 10.0, cap=cap))
    assert -0.08 <= shape.b4 <= -0.02
    assert 0.009 <= shape.b6 <= 0.025
    assert label_of(shape.b4, shape.b6) == "obround"


def test_obround_with_full_cap_is_an_ellipse():
    shape = measure(picture(101, 12.0, 0.6, cap=1.0))
    assert abs(shape.b4) < 5e-4 and abs(shape.b6) < 5e-4


def test_a_square_is_boxy_however_it_is_turned():
    """A square has no long axis; its sides give the axes, else it would pass for a disc at 45 degrees."""
    for pa_deg in (0.0, 20.0, 45.0, 80.0):
        shape = measure(picture(50, 6.25, 1.0, pa_deg, exponent=99.0))
        assert shape.b4 == pytest.approx(-0.139, abs=0.004)
        assert "round" in shape.flag


def test_a_slightly_tilted_square_stays_boxy():
    """Squeezed by 1.5 % along its diagonal, as a tilt by ten degrees does: its ellipse alone says discy."""
    size, middle = 75, 37.0
    y, x = np.indices((size, size)) - middle
    u, v = (x + y) / np.sqrt(2.0), (y - x) / np.sqrt(2.0) / 0.985
    light = np.exp(-np.maximum(np.abs(u - v), np.abs(u + v)) / 8.0)
    assert measure(light).b4 < -0.12


def test_a_round_galaxy_has_no_harmonics():
    shape = measure(picture(101, 12.0, 1.0))
    assert abs(shape.b4) < 3e-4 and abs(shape.b6) < 3e-4
    assert shape.axis_ratio > 0.999


# Another implementation ---------------------------------------------------------------------------


@pytest.mark.parametrize(("exponent", "sign"), [(3.0, -1), (1.7, 1)])
def test_sign_and_size_agree_with_photutils(exponent, sign):
    """photutils before 1.7 had the sign of b4 wrong; ours and that of photutils 3 are Bender's."""
    from photutils.isophote import Ellipse, EllipseGeometry

    image = picture(121, 14.0, 0.7, 30.0, exponent=exponent)
    sma = 24.0
    geometry = EllipseGeometry(60.0, 60.0, sma, 0.3, np.deg2rad(30.0))
    theirs = Ellipse(image, geometry=geometry).fit_isophote(sma)
    ours = profile(image, np.array([sma]))
    assert np.sign(theirs.b4) == sign == np.sign(ours["b4"][0])
    # Theirs divides by the local gradient along the major axis, linear in B4: good to a fifth at these
    # shapes.
    assert ours["b4"][0] == pytest.approx(theirs.b4, rel=0.2)


# Particles ----------------------------------------------------------------------------------------


def oval(particles, seed, axis_ratio=0.6):
    """Stars of an oval exponential disc, as a snapshot."""
    rng = np.random.default_rng(seed)
    radius, angle = rng.gamma(2.0, 0.6, particles), rng.uniform(0.0, 2.0 * np.pi, particles)
    flat = [radius * np.cos(angle), axis_ratio * radius * np.sin(angle), rng.normal(0.0, 0.2, particles)]
    zeros = np.zeros((particles, 3))
    types, ids = np.full(particles, 2, np.int8), np.arange(particles)
    return snapshot.Snapshot(np.stack(flat, axis=1), zeros, np.full(particles, 1e-6), ids, types)


def seen_from_above(stars):
    settings = {"pixels": 50, "smoothing_neighbours": 16, "smoothing_scale": 1.0, "minimum_smoothing_px": 0.6}
    views = render.Views(np.array([[0.0, 0.0, 1.0]]), np.array([0.4]))
    r_eff = render.effective_radius(np.hypot(*stars.positions[:, :2].T), stars.masses)
    return render.project(stars.positions, stars.masses, views, 8.0 * r_eff, settings)[0]


def test_quoted_errors_are_those_of_the_particles():
    """Over 30 ovals of 2e4 stars B4 and B6 scatter as much as their errors say."""
    shapes = [measure(seen_from_above(oval(20000, seed))) for seed in range(30)]
    for name in ("b4", "b6"):
        values = np.array([getattr(shape, name) for shape in shapes])
        quoted = np.sqrt(np.mean([getattr(shape, f"{name}_err") ** 2 for shape in shapes]))
        # 30 values give a scatter to 13 %; three times that, and a bias of the mean of three of its errors.
        assert values.std() == pytest.approx(quoted, rel=0.4)
        assert abs(values.mean()) < 3.0 * values.std() / np.sqrt(30)
        # Poisson noise: sqrt(2 / stars in the zone) over the slope of the profile, 0.005 here.
        assert 0.003 < values.std() < 0.008


def test_noise_falls_with_the_root_of_the_particles():
    def scatter(particles):
        return np.std([measure(seen_from_above(oval(particles, seed))).b4 for seed in range(16)])

    # A factor of 16 in particles is 4 in noise; 16 values give each scatter to 18 %, the ratio to 25 %.
    assert 2.0 < scatter(4000) / scatter(64000) < 8.0


def test_a_fold_leaves_even_harmonics_alone():
    """Turning by 180 degrees changes no even harmonic, so a fold removes lopsidedness and no noise of B4."""
    image = seen_from_above(oval(20000, 3))
    plain, folded = measure(image), measure(render.fold(image))
    assert folded.b4 == pytest.approx(plain.b4, abs=0.5 * plain.b4_err)
    assert (folded.x, folded.y) == pytest.approx((24.5, 24.5), abs=1e-3)


def test_the_shape_table_covers_the_classes():
    rows = list(config.read_shapes(config.resolve("config/shapes.tsv")).values())
    classes = [row["class"] for row in rows]
    assert {name: classes.count(name) for name in set(classes)} == {
        "oval": 36,
        "rectangle": 36,
        "obround": 36,
    }
    ratios = [row["axis_ratio"] for row in rows if row["class"] == "oval"]
    assert (min(ratios), max(ratios)) == (0.4, 1.0)
    assert len({row["seed"] for row in rows}) == 108


def test_every_row_of_the_shape_table_measures_as_its_class():
    """Without noise: the picture of each row has the label of its row."""
    for row in config.read_shapes(config.resolve("config/shapes.tsv")).values():
        shape = {"cap": row["cap"]} if row["class"] == "obround" else {"exponent": row["exponent"]}
        measured = measure(picture(50, 6.25, row["axis_ratio"], 12.0, sersic=row["sersic"], over=2, **shape))
        assert label_of(measured.b4, measured.b6) == row["class"], row["model"]


@pytest.mark.slow
def test_the_program_shape_makes_the_classes(programs, tmp_path):
    """From the Fortran program to the measured label, for one model of each class with 1e5 stars."""
    table = config.read_shapes(config.resolve("config/shapes.tsv"))
    models = [table[name] for name in ("oval_17", "rectangle_17", "obround_17")]
    simulate.run_shapes(models, programs / "shape", 100000, tmp_path)
    for model in models:
        stars = snapshot.read(tmp_path / f"{model['model']}.dat").select(snapshot.STAR_TYPES)
        shape = measure(seen_from_above(stars))
        assert label_of(shape.b4, shape.b6) == model["class"]
        # Stars of 1e5 give the axis ratio to 0.005; an obround's best ellipse is rounder than its box.
        assert shape.axis_ratio == pytest.approx(model["axis_ratio"], abs=0.03)
