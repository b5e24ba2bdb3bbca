"""Aligned cosines: how a galaxy lies on the page does not count, its shape does."""

import dataclasses

import numpy as np
import pytest
from scipy import ndimage

from galclass import images, network, verify
from galclass.reference import model
from galclass.verify import alignment

OVER, PIXELS = 3, 50
LOPSIDED = 0.03
#: Shapes that are not that of `galaxy()`.
OTHERS = {
    "oval": {"exponent": 2.0},
    "rounder": {"ratio": 0.8},
    "flat oval": {"exponent": 2.0, "ratio": 0.4},
    "discy": {"exponent": 1.5, "blob": 0.0},
    "flat": {"ratio": 0.45, "blob": 0.0},
    "round": {"exponent": 2.5, "ratio": 0.9},
}


def galaxy(exponent=4.0, ratio=0.6, angle_deg=0.0, radius=6.0, shift=(0.0, 0.0), mirror=False, pixels=PIXELS,
           blob=LOPSIDED, noise=0.0, seed=1):  # fmt: skip
    """A stretched exponential galaxy on superelliptic isophotes, drawn where it lies; a blob makes it lopsided.

    `angle_deg` turns it counter-clockwise, after `mirror` turned it upside down; noise is relative to the peak.
    """
    offsets = (np.arange(pixels * OVER) + 0.5) / OVER - 0.5 * pixels
    along, across = model.turned(*np.meshgrid(offsets - shift[0], offsets - shift[1]), angle_deg)
    across = -across if mirror else across
    light = np.exp(-1.678 * model.superelliptic_radius(along, across, ratio, exponent) / radius)
    light += blob * np.exp(-((along - radius) ** 2 + (across - 0.5 * radius) ** 2) / (0.4 * radius) ** 2)
    light = light.reshape(pixels, OVER, pixels, OVER).mean(axis=(1, 3))
    light += noise * light.max() * np.random.default_rng(seed).standard_normal(light.shape)
    return np.asarray(images.stretch(light, 3.0), dtype=float)


def compared(picture, reference):
    """The row of one picture against another."""
    return alignment.aligned_cosines([picture], alignment.pattern(reference)).iloc[0]


def residual_cosine(picture, reference):
    return compared(picture, reference)["cosine_residual"]


def degrees_apart(first, second):
    return abs((first - second + 180.0) % 360.0 - 180.0)


@pytest.fixture(scope="module")
def lopsided():
    return alignment.pattern(galaxy())


@pytest.fixture(scope="module")
def all_patterns():
    """The galaxy, and others of other shapes."""
    return [alignment.pattern(galaxy(noise=0.001, **shape)) for shape in ({}, *OTHERS.values())]


# --- the same galaxy


def test_a_picture_is_wholly_like_itself(lopsided):
    row = alignment.aligned_cosines([galaxy()], lopsided).iloc[0]
    # single precision: a thousand products of six digits
    assert row["cosine_aligned"] == pytest.approx(1.0, abs=1e-6)
    assert row["cosine_residual"] == pytest.approx(1.0, abs=1e-6)
    assert (row["rotation_deg"], row["mirrored"], row["scale"]) == (0.0, False, 1.0)


MOVES = {
    "turned": {"angle_deg": 50.0},
    "upside down": {"angle_deg": 180.0},
    "mirrored": {"mirror": True},
    "shifted": {"shift": (4.3, -3.6)},
    "smaller": {"radius": 0.7 * 6.0},
    "larger": {"radius": 1.4 * 6.0},
    "all at once": {"mirror": True, "angle_deg": -65.0, "shift": (-3.2, 2.7), "radius": 5.0},
}


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES.keys())
def test_a_moved_galaxy_is_most_like_itself(all_patterns, move):
    """With other noise, too: 0.1 % of the peak, which the stretch makes a tenth of the brightness at the rim."""
    moved = galaxy(noise=0.001, seed=2, **move)
    own, *others = (alignment.aligned_cosines([moved], one)["cosine_aligned"][0] for one in all_patterns)
    assert own >= 0.99
    assert own > max(others)


def test_a_galaxy_drawn_at_any_angle_is_found_at_it(lopsided):
    """To a quarter of a degree, the step at which turns are tried, and half of one for the pixels."""
    angles = np.arange(3.0, 360.0, 13.0)
    drawn = np.stack([galaxy(angle_deg=angle) for angle in angles])
    table = alignment.aligned_cosines(drawn, lopsided)
    assert (table["cosine_aligned"] > 0.9999).all()  # no noise: what is left is the interpolation
    assert not table["mirrored"].any()
    assert degrees_apart(table["rotation_deg"], -angles).max() <= 0.375


@pytest.mark.parametrize("angle", [17.0, 90.0, 163.0, 250.0, 341.0])
def test_a_noisy_picture_turned_by_interpolation_is_most_like_itself(angle):
    noisy = galaxy(noise=0.003, seed=3)
    turned = np.clip(ndimage.rotate(noisy, angle, reshape=False, order=1), 0.0, 1.0)
    row = compared(turned, noisy)
    assert row["cosine_aligned"] > 0.995  # the noise, smoothed by the interpolation
    others = [compared(turned, galaxy(noise=0.003, **shape))["cosine_aligned"] for shape in OTHERS.values()]
    assert row["cosine_aligned"] > max(others)
    # SciPy turns clockwise where y points up, so that the answer turns back; two steps for the noise
    assert degrees_apart(row["rotation_deg"], angle) <= 0.5 and not row["mirrored"]


@pytest.mark.parametrize(("mirror", "angle"), [(False, 70.0), (True, 160.0), (True, 0.0), (False, 301.0)])
def test_the_answer_says_how_to_turn_the_picture_back(mirror, angle):
    reference, moved = galaxy(blob=0.3), galaxy(blob=0.3, mirror=mirror, angle_deg=angle)
    row = compared(moved, reference)
    assert row["mirrored"] == mirror
    back = ndimage.rotate(moved[:, ::-1] if row["mirrored"] else moved, -row["rotation_deg"], reshape=False, order=3)
    circle = np.hypot(*(np.indices(back.shape) - 0.5 * (PIXELS - 1))) < 0.48 * PIXELS
    off, turned_round = (np.sqrt(np.mean((back - other)[circle] ** 2)) for other in (reference, reference[::-1, ::-1]))
    # 0.01: what a step of 0.25 degrees and the interpolation leave (0.004)
    assert off < 0.01 and turned_round > 0.02


def test_handedness_is_found_only_where_there_is_one(lopsided):
    drawn = np.stack([galaxy(mirror=mirror, angle_deg=33.0) for mirror in (False, True)])
    assert alignment.aligned_cosines(drawn, lopsided)["mirrored"].tolist() == [False, True]
    symmetric = alignment.pattern(galaxy(blob=0.0))
    # the mirror image of a symmetric galaxy is a turn of it, as good to the last digits
    first, second = alignment.aligned_cosines(np.stack([galaxy(blob=0.0), galaxy(blob=0.0)[:, ::-1]]), symmetric)[
        "cosine_aligned"
    ]
    assert first == pytest.approx(second, abs=1e-5)


def adaptive_radius(picture):
    return float(network.galaxy_cores(alignment._above_sky(np.float32(picture[None]))).radius[0])


@pytest.mark.parametrize("size", [0.7, 0.85, 1.0, 1.2, 1.4])
def test_size_is_recovered(size):
    """The adaptive radii tell the sizes, but for `scale`.

    All of the galaxy lies inside the frame: of a galaxy that is cut off, the border is taken for sky.
    """
    reference, picture = galaxy(radius=4.3), galaxy(radius=4.3 * size, mirror=True, angle_deg=70.0)
    found = compared(picture, reference)["scale"] * adaptive_radius(picture) / adaptive_radius(reference)
    # half a step of the scales, 5 %, and 1 % of the pixels
    assert found == pytest.approx(size, rel=0.06)


@pytest.mark.parametrize("steps", [-3, -1, 0, 2, 4])
def test_scale_is_what_the_adaptive_radius_is_wrong_by(lopsided, steps):
    wrong = np.exp(0.1 * steps)
    light = alignment._above_sky(np.float32(galaxy(angle_deg=110.0)[None]))
    core = network.galaxy_cores(light)
    rings = alignment._rings(light)
    shifted = alignment._intensity(light, dataclasses.replace(core, radius=wrong * core.radius), 1.0)
    row = alignment._compared(dataclasses.replace(rings, intensity=shifted), lopsided).iloc[0]
    assert row["scale"] * wrong == pytest.approx(1.0, rel=1e-6)  # one of the scales that are tried
    assert row["cosine_aligned"] > 0.999  # interpolation


def test_a_large_picture_is_the_same_galaxy():
    large = galaxy(pixels=300, radius=36.0, angle_deg=25.0)
    row = compared(large, galaxy())
    assert row["cosine_aligned"] > 0.999  # pixels of a sixth
    assert degrees_apart(row["rotation_deg"], -25.0) <= 0.5
    assert compared(galaxy(angle_deg=25.0), large)["cosine_aligned"] > 0.999


def test_sky_does_not_count():
    brighter = 0.2 + 0.8 * galaxy(angle_deg=30.0)
    assert compared(brighter, galaxy())["cosine_aligned"] > 0.999  # the sky is the median of the border


def test_many_at_once_are_as_one_by_one(lopsided):
    """Also in stacks that do not fit at once; single precision in other orders of the sums."""
    drawn = np.stack([galaxy(angle_deg=40.0 * k, radius=2.0 + 0.8 * k, **shape)
                      for k, shape in enumerate(OTHERS.values())])  # fmt: skip
    many = np.tile(drawn, (50, 1, 1))
    assert len(many) > alignment._AT_ONCE
    table = alignment.aligned_cosines(many, lopsided)
    assert list(table.index) == list(range(len(many)))
    listed = alignment.aligned_cosines(list(drawn), lopsided)
    for name in ("cosine_aligned", "cosine_residual"):
        alone = [alignment.aligned_cosines(drawn[[k]], lopsided)[name][0] for k in range(len(drawn))]
        assert table[name].to_numpy() == pytest.approx(np.tile(alone, 50), abs=1e-5)
        assert listed[name].to_numpy() == pytest.approx(np.array(alone), abs=2e-5)  # small galaxies are cut out


def test_an_empty_picture_is_like_nothing(lopsided):
    table = alignment.aligned_cosines(np.stack([np.zeros((50, 50)), np.full((50, 50), 0.7)]), lopsided)
    assert (table[["cosine_aligned", "cosine_residual"]] == 0.0).all(axis=None)


# --- the correlation


def test_correlation_by_fourier_transform_is_the_loop_over_all_turns():
    """Rings of random numbers, every turn and handedness, one product after the other."""
    rng = np.random.default_rng(4)
    rings, wanted = rng.random((3, 5, 32)), rng.random((5, 32))
    rings /= np.linalg.norm(rings, axis=(1, 2), keepdims=True)
    wanted /= np.linalg.norm(wanted)
    spectra = np.fft.rfft(rings, axis=2).transpose(0, 2, 1)
    both = alignment._both_hands(np.fft.rfft(wanted, axis=1).T[:, :, None])
    found = alignment._curves(alignment._products(spectra, both), 32)
    other_hand = np.roll(wanted[:, ::-1], 1, axis=1)  # place k becomes -k
    for n, picture in enumerate(rings):
        upright = [np.sum(np.roll(picture, -turn, axis=1) * wanted) for turn in range(32)]
        mirrored = [np.sum(np.roll(picture, turn, axis=1) * other_hand) for turn in range(32)]
        assert found[n, 0] == pytest.approx(np.array(upright), abs=1e-12)
        assert found[n, 1] == pytest.approx(np.array(mirrored), abs=1e-12)


def sampled(light, core, scale, turn, hand):
    """Brightness on circles about the core, scaled to length 1: places counted from `turn` on, either way."""
    radius = (np.arange(alignment.RINGS) + 0.5) * alignment.OUTER_RADIUS / alignment.RINGS
    angle = turn + hand * 2.0 * np.pi * np.arange(alignment.PLACES) / alignment.PLACES
    size = scale * float(core.radius[0]) * radius[:, None]
    places = [float(core.y[0]) + size * np.sin(angle), float(core.x[0]) + size * np.cos(angle)]
    rings = ndimage.map_coordinates(light, places, order=1) * np.sqrt(radius)[:, None]
    return rings / np.linalg.norm(rings)


@pytest.mark.parametrize("shape", [{}, OTHERS["oval"] | {"mirror": True}, OTHERS["flat"]])
def test_aligned_cosine_is_that_of_the_best_turn_handedness_and_size(shape):
    """Found here by sampling anew at every turn by a place, 2.8 degrees, and each size."""
    reference, picture = galaxy(), galaxy(angle_deg=40.0, radius=7.0, **shape)
    lights = [np.maximum(one - np.median(one[0]), 0.0) ** alignment._CONTRAST for one in (reference, picture)]
    (there, core), (here, seen) = ((light, network.galaxy_cores(np.float32(light[None]))) for light in lights)
    targets = np.stack([sampled(there, core, scale, 0.0, 1.0) for scale in alignment.SCALES])
    tried = [(hand, turn) for hand in (1.0, -1.0) for turn in 2.0 * np.pi * np.arange(128) / 128]
    cosines = [(targets * sampled(here, seen, 1.0, turn, hand)).sum(axis=(1, 2)).max() for hand, turn in tried]
    hand, turn = tried[int(np.argmax(cosines))]
    row = compared(picture, reference)
    # turns between places gain little where the cosine is highest: half of the curvature times 1.4 degrees squared
    assert row["cosine_aligned"] == pytest.approx(max(cosines), abs=5e-4)
    assert row["cosine_aligned"] > max(cosines) - 1e-5
    if shape != OTHERS["flat"]:  # which has no handedness, and lies like its half turn
        assert row["mirrored"] == (hand < 0)
        back = -np.rad2deg(turn) if hand > 0 else np.rad2deg(turn) - 180.0  # left and right change places first
        assert degrees_apart(row["rotation_deg"], back) <= 1.7  # half of a place, and one step


# --- what must count


def test_axis_ratio_counts():
    cosines = [compared(galaxy(ratio=ratio), galaxy())["cosine_aligned"] for ratio in (0.6, 0.7, 0.8, 1.0)]
    assert cosines == sorted(cosines, reverse=True)
    assert cosines[0] - cosines[-1] > 0.02


def test_residual_tells_boxy_from_oval_and_discy():
    boxy, turned = galaxy(blob=0.0), {"angle_deg": 30.0, "blob": 0.0}
    assert residual_cosine(galaxy(exponent=3.5, **turned), boxy) > 0.95  # isophotes of the same kind
    assert abs(residual_cosine(galaxy(exponent=2.0, **turned), boxy)) < 0.2  # nothing but the pixels is left
    assert residual_cosine(galaxy(exponent=1.6, **turned), boxy) < -0.5


def test_a_long_axis_holds_the_residual_but_a_round_galaxy_has_none():
    """Lobes along the axes become lobes between them by a turn of 45 degrees, which a round galaxy may make."""
    boxy, discy = galaxy(blob=0.0), galaxy(exponent=1.6, blob=0.0)
    assert residual_cosine(discy, boxy) < -0.5
    round_boxy, round_discy = galaxy(ratio=1.0, blob=0.0), galaxy(exponent=1.5, ratio=1.0, blob=0.0)
    assert residual_cosine(round_discy, round_boxy) > 0.9  # |x|^1.5 turned by 45 degrees is nearly |x|^4
    for angle in (20.0, 45.0, 70.0):
        turned = galaxy(ratio=1.0, angle_deg=angle, blob=0.0)
        assert residual_cosine(turned, round_boxy) > 0.93  # pixels make a tenth of its lobes at other angles


@pytest.mark.parametrize("stretch", [np.sqrt, np.square, lambda values: np.log1p(9.0 * values)])
def test_no_stretch_of_the_brightness_changes_the_residual(stretch):
    """But for the radii of the rings, which follow the brightness: a tenth."""
    boxy = galaxy(blob=0.0)
    for exponent in (1.6, 2.0, 4.0):
        picture = galaxy(exponent=exponent, angle_deg=20.0, blob=0.0)
        assert residual_cosine(stretch(picture), boxy) == pytest.approx(residual_cosine(picture, boxy), abs=0.13)


# --- pictures to look at


def moments(light):
    """Centre x, y and second moments xx, yy, xy."""
    y, x = np.indices(light.shape)
    weight = light / light.sum()
    centre = (weight * x).sum(), (weight * y).sum()
    dx, dy = x - centre[0], y - centre[1]
    return *centre, (weight * dx**2).sum(), (weight * dy**2).sum(), (weight * dx * dy).sum()


@pytest.mark.parametrize("pixels", [50, 260])
def test_aligned_puts_the_galaxy_in_the_middle_along_x(pixels):
    size = pixels / PIXELS
    drawn = galaxy(angle_deg=70.0, shift=(4.0 * size, -3.0 * size), radius=6.0 * size, pixels=pixels, blob=0.0)
    flat = verify.aligned(drawn, 60)
    assert flat.shape == (60, 60)
    x, y, xx, yy, xy = moments(flat)
    assert (x, y) == (pytest.approx(29.5, abs=0.3), pytest.approx(29.5, abs=0.3))  # a sixth of a pixel of the picture
    assert abs(0.5 * np.arctan2(2.0 * xy, xx - yy)) < np.deg2rad(1.0)
    assert np.sqrt(yy / xx) == pytest.approx(0.6, abs=0.03)  # the square frame cuts the long axis
    found = network.galaxy_ellipses(np.float32(flat[None]))
    # the frame is three adaptive radii wide on each side; a twentieth for its other pixels
    assert float(found.radius[0]) == pytest.approx(0.5 * 60 / verify.HALF_WIDTH, rel=0.05)


def test_aligned_averages_the_pixels_that_it_replaces():
    noise = np.random.default_rng(5).normal(0.0, 0.1, (300, 300))
    quiet = galaxy(pixels=300, radius=36.0, blob=0.0)
    left_over = verify.aligned(quiet + noise, 40) - verify.aligned(quiet, 40)
    assert left_over.std() < 0.05  # picking pixels would leave 0.1 over the galaxy


def lobes(picture, order, angle_deg, ratio):
    """Strength of cos(order E) between radii 5 and 15 of a picture of the galaxy."""
    offsets = np.arange(PIXELS) - 0.5 * (PIXELS - 1)
    along, across = model.turned(*np.meshgrid(offsets, offsets), angle_deg)
    radius, anomaly = np.hypot(along, across / ratio), np.arctan2(across / ratio, along)
    return 2.0 * np.mean((picture * np.cos(order * anomaly))[(radius > 5.0) & (radius < 15.0)])


def test_residual_of_an_ellipse_is_lost_in_its_noise():
    oval = galaxy(exponent=2.0, angle_deg=25.0, blob=0.0, noise=0.002)
    quiet = galaxy(exponent=2.0, angle_deg=25.0, blob=0.0)
    inside = quiet > 0.3
    noise = (oval - quiet)[inside].std()
    left_over = verify.residual_picture(quiet)[inside]
    assert noise > 0.003 and left_over.std() < noise
    assert verify.residual_picture(oval)[inside].std() < 1.2 * noise


@pytest.mark.parametrize(("exponent", "sign"), [(3.5, -1.0), (1.6, 1.0)])
def test_residual_of_a_superellipse_has_four_lobes(exponent, sign):
    """Between the axes of a boxy galaxy, where cos 4E is -1; along those of a discy one."""
    picture = verify.residual_picture(galaxy(exponent=exponent, angle_deg=25.0, blob=0.0))
    fourth = lobes(picture, 4, 25.0, 0.6)
    assert sign * fourth > 0.01
    # the other even harmonics of a superellipse are weaker by far
    assert max(abs(lobes(picture, order, 25.0, 0.6)) for order in (2, 6, 8)) < 0.2 * abs(fourth)
