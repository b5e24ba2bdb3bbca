"""From scores to a ranking: percentiles, weights that tell shapes apart, and probabilities that hold."""

import numpy as np
import pandas as pd
import pytest

from galclass.verify import ranking

#: 400 trials of probability 0.05 scatter by 0.011; three times that.
TRIALS, LEVEL, SCATTER = 400, 0.05, 0.033

# --- percentiles


def test_percentiles_of_a_known_list():
    found = ranking.percentiles(np.array([0.0, 1.0, 2.0, 3.0, 9.0]), np.array([1.0, 2.0, 2.0, 3.0]))
    assert found.tolist() == [0.0, 12.5, 50.0, 87.5, 100.0]


def test_percentiles_do_not_depend_on_the_order():
    values, order = np.random.default_rng(5).random(100), np.random.default_rng(6).permutation(100)
    expected = values.argsort().argsort() + 0.5  # in percent of a hundred
    assert ranking.percentiles(values, values[order]).tolist() == pytest.approx(expected.tolist())


def test_what_is_missing_has_no_percentile_and_is_no_null():
    found = ranking.percentiles(np.array([np.nan, 2.0, np.inf]), np.array([1.0, np.nan, 3.0]))
    np.testing.assert_array_equal(found, [np.nan, 50.0, np.nan])
    for empty in (np.array([]), np.array([np.nan])):
        assert np.isnan(ranking.percentiles(np.array([1.0, np.nan]), empty)).all()


def test_percentiles_grow_with_likeness_also_of_distances():
    null = pd.DataFrame({"cosine_raw": [0.1, 0.2, 0.3, 0.4], "profile_distance": [1.0, 2.0, 3.0, 4.0], "b4": 0.0})
    scores = pd.DataFrame({"cosine_raw": [0.35, 0.0], "profile_distance": [0.5, 3.5], "b4": 0.0}, index=[7, 3])
    found = ranking.percentile_columns(scores, null, "_ovals")
    assert list(found.columns) == ["cosine_raw_percentile_ovals", "profile_distance_percentile_ovals"]
    assert list(found.index) == [7, 3]
    assert found["cosine_raw_percentile_ovals"].tolist() == [75.0, 0.0]
    assert found["profile_distance_percentile_ovals"].tolist() == [100.0, 25.0]
    lower = {name for name, sign in ranking.SCORES.items() if sign < 0}
    assert lower == {name for name in ranking.SCORES if "distance" in name}


# --- the combination


def scores(rng, count, likeness):
    """Scores of galaxies that are more or less alike; inliers and b6 tell nothing, for whatever reason."""
    alike = likeness + rng.normal(size=count)
    return pd.DataFrame(
        {
            "cosine_aligned": np.tanh(2.5 + 0.3 * alike),
            "cosine_residual": np.tanh(0.3 * (likeness + rng.normal(size=count))),
            "sift_inliers": rng.integers(0, 6, count),
            "a4_distance": np.exp(1.0 - 0.5 * (likeness + rng.normal(size=count))),
            "b6_distance": np.exp(rng.normal(size=count)),
        }
    )


USELESS = ("sift_inliers", "b6_distance")


@pytest.fixture(scope="module")
def tables():
    """Chance, the alike, and the combination that tells them apart."""
    rng = np.random.default_rng(1)
    chance, alike = scores(rng, 201, 0.0), scores(rng, 60, 3.0)
    return chance, alike, ranking.fit_combination(chance, alike)


def test_weights_are_shares(tables):
    for combination in (tables[2], ranking.fit_combination(tables[0])):
        weights = np.array(list(combination.weight.values()))
        assert (weights >= 0.0).all() and weights.sum() == pytest.approx(1.0, abs=1e-12)
        assert set(combination.weight) == set(tables[0])


def test_scores_that_tell_nothing_weigh_less(tables):
    weight = tables[2].weight
    assert max(weight[name] for name in USELESS) < min(weight[name] for name in set(weight) - set(USELESS))
    assert sum(weight[name] for name in USELESS) < 0.35  # 0.4 if all were the same


def test_a_score_that_misleads_weighs_nothing():
    """Half of the time, and least squares would give it a negative weight."""
    rng = np.random.default_rng(2)
    chance, alike = scores(rng, 200, 0.0), scores(rng, 200, 3.0)
    alike["b6_distance"] *= np.exp(6.0)
    weight = ranking.fit_combination(chance, alike).weight
    assert weight["b6_distance"] == 0.0 and sum(weight.values()) == pytest.approx(1.0, abs=1e-12)


def test_scores_count_alike_when_no_shape_is_known(tables):
    weights = list(ranking.fit_combination(tables[0]).weight.values())
    assert weights == pytest.approx([0.2] * 5, abs=1e-12)
    # nor when what should be alike is less so than chance in every score
    unlike = scores(np.random.default_rng(2), 200, -3.0).assign(sift_inliers=0, b6_distance=9.0)
    assert list(ranking.fit_combination(tables[0], unlike).weight.values()) == pytest.approx([0.2] * 5, abs=1e-12)


def test_the_combination_tells_more_than_each_score(tables):
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(3)
    table = pd.concat([scores(rng, 500, 0.0), scores(rng, 500, 3.0)], ignore_index=True)
    truth = np.arange(1000) >= 500
    sign = {name: ranking.SCORES.get(name, -1.0 if "distance" in name else 1.0) for name in table}
    alone = [roc_auc_score(truth, sign[name] * table[name]) for name in table]
    # three scores 3 sigma apart each are 5.2 sigma apart together: 0.9999 against 0.983
    assert roc_auc_score(truth, tables[2](table)) > max(alone) + 0.01


def test_chance_lies_about_zero_and_a_weight_is_a_sigma(tables):
    chance, _, combination = tables
    assert np.median(combination(chance)) == pytest.approx(0.0, abs=0.15)  # medians of 200, five of them
    assert combination(pd.DataFrame(chance.median()).T)[0] == pytest.approx(0.0, abs=1e-9)
    row = pd.DataFrame({name: [np.nan] for name in chance})
    row["sift_inliers"] = (combination.middle["sift_inliers"] + 2.0 * combination.width["sift_inliers"]) ** 2
    assert combination(row)[0] == pytest.approx(2.0 * combination.weight["sift_inliers"], abs=1e-9)


def test_a_missing_score_counts_as_the_median_of_chance(tables):
    chance, alike, combination = tables
    without, typical = alike.copy(), alike.copy()
    without["a4_distance"] = np.nan
    typical["a4_distance"] = chance["a4_distance"].median()
    assert combination(without) == pytest.approx(combination(typical), abs=1e-9)
    assert combination(pd.DataFrame({name: [np.nan] for name in chance}))[0] == 0.0


def test_scores_that_nobody_has_are_left_out(tables):
    chance = tables[0].assign(embedding_distance=np.nan, cosine_raw=1.0)
    assert list(ranking.fit_combination(chance).weight) == list(tables[0])


def test_scores_at_their_limits_stay_finite():
    chance = pd.DataFrame(
        {
            "cosine_aligned": [1.0, 1.0, 1.0, 1.0000001],
            "sift_inliers": [0, 0, 0, 5],
            "a4_distance": [0.0, np.nan, 1.0, 2.0],
            "embedding_distance": [-1e-8, 0.0, 1.0, 2.0],
        }
    )
    combination = ranking.fit_combination(chance)
    assert np.isfinite(combination(chance)).all()
    assert min(combination.width.values()) > 0.0


# --- what chance makes of the best


def best_of(draw, members, tried, trials=TRIALS):
    """Probabilities of the best of so many of a null, by so many members of it."""
    found = [ranking.chance_probability(np.array([draw(tried).max()]), draw(members), tried)[0] for _ in range(trials)]
    return np.array(found)


@pytest.mark.parametrize(("members", "tried"), [(100, 100), (200, 20), (1000, 20)])
def test_the_best_by_chance_is_as_improbable_as_said(members, tried):
    """In a null whose tail is an exponential, which is what the fit allows for."""
    probability = best_of(np.random.default_rng(members).standard_exponential, members, tried)
    assert abs((probability < LEVEL).mean() - LEVEL) < SCATTER
    # three times 0.025 of 400 halves, and what the members above the median of the best are uncertain by
    assert abs((probability < 0.5).mean() - 0.5) < 0.11


@pytest.mark.parametrize("members", [200, 1000])
def test_the_best_by_chance_is_not_called_rare_too_often(members):
    """A normal distribution falls faster than its fit, so that the best of it is called rare less often than said."""
    probability = best_of(np.random.default_rng(members).standard_normal, members, 20)
    assert 0.0 < (probability < LEVEL).mean() < LEVEL + SCATTER
    assert abs((probability < 0.5).mean() - 0.5) < 0.11


def test_probability_falls_with_the_score_and_grows_with_the_number_tried():
    null = np.random.default_rng(4).standard_normal(1000)
    values = np.linspace(-4.0, 9.0, 500)
    tables = [ranking.chance_probability(values, null, tried) for tried in (1, 10, 100)]
    for table in tables:
        assert ((table > 0.0) & (table <= 1.0)).all()
        assert (np.diff(table) <= 0.0).all()
    assert (tables[0] <= tables[1]).all() and (tables[1] <= tables[2]).all()
    assert tables[0][0] == pytest.approx(1.0, abs=1e-6)


def test_one_of_many_is_as_rare_as_counted():
    """(k + 1) / (m + 1) for k of m above, where enough are."""
    null = np.arange(1000.0)
    assert ranking.chance_probability(np.array([900.0, 500.0]), null, 1) == pytest.approx([101 / 1001, 501 / 1001])
    several = ranking.chance_probability(np.array([900.0]), null, 7)[0]
    assert several == pytest.approx(1.0 - (1.0 - 101 / 1001) ** 7, abs=1e-12)


@pytest.mark.parametrize("members", [200, 1000])
@pytest.mark.parametrize("beyond", [3.0, 10.0])
def test_the_tail_goes_on_beyond_the_null(members, beyond):
    """Known here: an exponential null of scale 1 has exp(-x) beyond x, so 1 of 3 or 10 times as many members."""
    rng = np.random.default_rng(7)
    nulls = [rng.standard_exponential(members) for _ in range(40)]
    value = np.log(beyond * members)
    found = [ranking.chance_probability(np.array([value]), null, 1)[0] * beyond * members for null in nulls]
    # the median of forty tails of 20 or 100 members, each of which is off by a factor of two or three; rather too high
    assert 0.6 < np.median(found) < 2.5
    far = ranking.chance_probability(nulls[0].max() + np.array([0.0, 2.0, 4.0]), nulls[0], 1)
    assert far[0] > far[1] >= far[2] and far[1] < 1.0 / (members + 1)
    # a fit says nothing of what is a hundred times as rare as the members that it was made of
    assert ranking.chance_probability(np.array([1e6]), nulls[0], 1) == pytest.approx([0.01 / (members + 1)])


def test_a_heavy_tail_is_told_from_an_exponential_one():
    """1 / (1 + x)^3 beyond x: an exponential as strong at the threshold would leave a hundredth of it here."""
    rng, value = np.random.default_rng(8), 10_000 ** (1.0 / 3.0) - 1.0
    found = [ranking.chance_probability(np.array([value]), rng.pareto(3.0, 1000), 1)[0] for _ in range(40)]
    assert 0.4e-4 < np.median(found) < 2.5e-4


def test_a_null_without_a_tail_is_only_counted():
    few = ranking.chance_probability(np.array([99.0]), np.arange(50.0), 1)[0]
    assert few == pytest.approx(1 / 51)  # too few for a tail
    same = ranking.chance_probability(np.array([1.0, 2.0, 99.0]), np.ones(500), 1)
    assert same == pytest.approx([1.0, 1 / 501, 1 / 501], abs=1e-9)
    assert np.isnan(ranking.chance_probability(np.array([1.0, 2.0]), np.array([]), 3)).all()


# --- members of a null


def test_nearest_in_axis_ratio():
    null = pd.DataFrame({"axis_ratio": [0.3, np.nan, 0.62, 0.9, 0.58], "combined": range(5)})
    assert ranking.nearest(null, 0.6, 2)["combined"].tolist() in ([2, 4], [4, 2])
    assert ranking.nearest(null, 1.0, 2)["combined"].tolist() == [3, 2]
    assert ranking.nearest(null, 0.6, 99)["combined"].tolist()[-1] == 1  # what was not measured comes last


def test_tables_of_nulls_keep_their_names():
    one, two = pd.DataFrame({"combined": [1.0, 2.0]}), pd.DataFrame({"combined": [3.0]})
    both = ranking.joined({"frames": one, "ovals": two})
    assert both["null"].tolist() == ["frames", "frames", "ovals"] and both["combined"].tolist() == [1.0, 2.0, 3.0]
    assert list(both.index) == [0, 1, 2]
