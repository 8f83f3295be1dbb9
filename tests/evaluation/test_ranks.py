import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2

from ser.evaluation import ranks


def test_ranks_critical_difference_and_friedman_follow_demsar():
    rng = np.random.default_rng(0)
    scores = pd.DataFrame(rng.uniform(size=(10, 4)) + np.array([0.3, 0.2, 0.1, 0.0]))
    scores.columns = list("abcd")
    found = ranks.rank(scores)
    by_hand = scores.rank(axis=1, ascending=False).mean()
    assert found.mean_ranks == pytest.approx(by_hand.sort_values().to_dict())
    assert list(found.mean_ranks) == by_hand.sort_values().index.tolist()
    # Table 5a of the paper: q_0.05 = 2.569 for four classifiers.
    assert found.critical_difference == pytest.approx(2.569 * np.sqrt(4 * 5 / (6 * 10)), abs=1e-3)
    statistic = 12 * 10 / (4 * 5) * ((by_hand**2).sum() - 4 * 5**2 / 4)
    assert found.friedman_p == pytest.approx(chi2.sf(statistic, 3))


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
