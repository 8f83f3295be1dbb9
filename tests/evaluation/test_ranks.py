import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2, friedmanchisquare

from ser.evaluation import ranks


def test_ranks_critical_difference_and_friedman_are_near_demsars():
    rng = np.random.default_rng(0)
    scores = pd.DataFrame(rng.uniform(size=(10, 4)) + np.array([0.3, 0.2, 0.1, 0.0]))
    scores.columns = list("abcd")
    found = ranks.rank(scores)
    by_hand = scores.rank(axis=1, ascending=False).mean()
    assert found.mean_ranks == pytest.approx(by_hand.sort_values().to_dict())
    assert list(found.mean_ranks) == by_hand.sort_values().index.tolist()
    # Table 5a of the paper: q_0.05 = 2.569 for four classifiers.
    # Ours is one of the distances that mean ranks of ten speakers can have.
    assert found.critical_difference == pytest.approx(2.569 * np.sqrt(4 * 5 / (6 * 10)), abs=0.15)
    assert 10 * found.critical_difference == pytest.approx(round(10 * found.critical_difference))
    statistic = 12 * 10 / (4 * 5) * ((by_hand**2).sum() - 4 * 5**2 / 4)
    assert found.friedman_p == pytest.approx(chi2.sf(statistic, 3), abs=0.02)


def test_few_speakers_have_the_p_of_all_exchanges():
    scores = pd.DataFrame([[0.9, 0.5, 0.5], [0.8, 0.7, 0.3], [0.7, 0.4, 0.6]], columns=list("abc"))
    statistic = friedmanchisquare(*scores.to_numpy().T).statistic
    reached = [
        friedmanchisquare(*np.array(rows).T).statistic >= statistic - 1e-9
        for rows in itertools.product(*(itertools.permutations(row) for row in scores.to_numpy()))
    ]
    found = ranks.rank(scores)
    assert found.friedman_p == pytest.approx(np.mean(reached), abs=0.015)


def test_where_even_the_widest_distance_is_common_nothing_is_told_apart():
    # Of two speakers, one in six agrees with the other on all three by chance.
    scores = pd.DataFrame([[0.9, 0.5, 0.1], [0.8, 0.7, 0.3]], columns=list("abc"))
    found = ranks.rank(scores)
    assert found.critical_difference == 3
    assert found.groups() == [("a", "c")]


@pytest.mark.parametrize("num_speakers", [5, 10])
def test_losses_that_are_alike_are_told_apart_at_most_at_the_level(num_speakers):
    rng = np.random.default_rng(1)
    told = []
    for seed in range(300):
        scores = pd.DataFrame(rng.integers(0, 12, size=(num_speakers, 4)))  # many shared ranks
        found = ranks.rank(scores, seed=seed, num_exchanges=199)
        means = list(found.mean_ranks.values())
        told.append((found.friedman_p < 0.05, np.ptp(means) >= found.critical_difference - 1e-9))
    assert (np.mean(told, axis=0) <= 0.09).all()
    assert (np.mean(told, axis=0) >= 0.01).all()


def test_names_closer_than_the_critical_difference_are_grouped():
    ranking = ranks.Ranking({"a": 1.2, "b": 1.9, "c": 2.6, "d": 4.3}, 10, 0.01, 1.0)
    assert ranking.groups() == [("a", "b"), ("b", "c")]
    assert ranks.Ranking({"a": 1.0, "b": 3.0}, 10, 0.01, 1.0).groups() == []


@pytest.mark.parametrize("shape", [(10, 2), (1, 5)])
def test_too_few_to_rank_have_no_ranking(shape):
    assert ranks.rank(pd.DataFrame(np.ones(shape))) is None


def test_equal_scores_share_their_rank_and_nothing_is_told_apart():
    found = ranks.rank(pd.DataFrame(np.ones((5, 3)), columns=list("abc")))
    assert set(found.mean_ranks.values()) == {2.0}
    assert found.friedman_p == 1.0
    assert found.groups() == [("a", "c")]
