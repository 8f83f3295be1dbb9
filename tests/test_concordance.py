import audmetric
import numpy as np
import pytest

from ser import concordance


def test_ccc_equals_that_of_audmetric():
    rng = np.random.default_rng(1)
    x = rng.normal(size=50)
    y = 0.5 * x + rng.normal(size=50)
    assert concordance.ccc(truth=x, prediction=y) == pytest.approx(audmetric.concordance_cc(x, y))


def test_ccc_of_constants_is_zero():
    assert concordance.ccc(truth=[1.0, 1.0], prediction=[1.0, 1.0]) == 0.0


def rated(num_utterances=40, seed=2):
    """Ratings with gaps, and what a model says of them."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform(1, 5, size=(num_utterances, 3))
    said = 0.5 * truth + rng.normal(size=truth.shape) + [0.0, 1.0, 3.0]
    truth[rng.random(truth.shape) < [0.0, 0.2, 0.5]] = np.nan
    return truth, said


def test_scores_of_ratings_equal_those_of_audmetric_over_what_is_rated():
    truth, said = rated()
    assert 0 == np.isnan(truth[:, 0]).sum() < np.isnan(truth[:, 1]).sum() < 40
    scores = concordance.rating_scores(truth=truth, prediction=said)
    assert list(scores) == [
        "ccc_valence", "mae_valence", "ccc_arousal", "mae_arousal",
        "ccc_dominance", "mae_dominance",
    ]  # fmt: skip
    for column, dimension in enumerate(("valence", "arousal", "dominance")):
        there = ~np.isnan(truth[:, column])
        pair = truth[there, column], said[there, column]
        assert scores[f"ccc_{dimension}"] == pytest.approx(audmetric.concordance_cc(*pair))
        assert scores[f"mae_{dimension}"] == pytest.approx(audmetric.mean_absolute_error(*pair))


def test_a_dimension_that_nobody_rated_has_no_score():
    truth, said = rated()
    truth[:, 1] = np.nan
    scores = concordance.rating_scores(truth=truth, prediction=said)
    assert {name.split("_")[1] for name in scores} == {"valence", "dominance"}


@pytest.mark.parametrize(("truth", "said"), [((5, 3), (4, 3)), ((5, 2), (5, 2)), ((3,), (3,))])
def test_what_are_no_ratings_is_refused(truth, said):
    with pytest.raises(ValueError, match=r"\(num_utterances, 3\)"):
        concordance.rating_scores(truth=np.zeros(truth), prediction=np.zeros(said))
