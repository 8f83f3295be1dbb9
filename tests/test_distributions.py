import numpy as np
import pytest
from scipy.special import rel_entr
from scipy.stats import entropy
from sklearn.metrics import f1_score

from ser import distributions
from tests.fresh_process import modules_after

SHARES = np.array([[1.0, 0.0, 0.0, 0.0], [0.5, 0.5, 0.0, 0.0], [0.25, 0.25, 0.25, 0.25]])


def random(size=40, seed=0):
    """Shares of some votes, many of them zero, and probabilities."""
    rng = np.random.default_rng(seed)
    votes = rng.multinomial(rng.integers(1, 7, size), rng.dirichlet(np.ones(4), size))
    return votes / votes.sum(axis=1, keepdims=True), rng.dirichlet(np.ones(4), size)


def test_the_cross_entropy_is_entropy_plus_divergence():
    shares, said = random()
    expected = entropy(shares, axis=1) + rel_entr(shares, said).sum(axis=1)
    found = distributions.cross_entropies(shares=shares, probabilities=said)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    own = distributions.cross_entropies(shares=shares, probabilities=shares)
    np.testing.assert_allclose(own, entropy(shares, axis=1), atol=1e-12)


def test_a_class_that_is_ruled_out_costs_much_and_not_everything():
    ((found,), certain) = (
        distributions.cross_entropies(shares=SHARES[1:2], probabilities=SHARES[:1]),
        -0.5 * np.log(1e-12),
    )
    assert found == pytest.approx(certain)


def test_the_distance_is_the_root_of_the_mean_divergence_from_the_middle_in_bits():
    shares, said = random()
    middle = (shares + said) / 2
    halves = rel_entr(shares, middle).sum(axis=1) + rel_entr(said, middle).sum(axis=1)
    found = distributions.js_distances(shares=shares, probabilities=said)
    np.testing.assert_allclose(found, np.sqrt(halves / 2 / np.log(2)), rtol=1e-12)
    np.testing.assert_allclose(
        distributions.js_distances(shares=said, probabilities=shares), found, rtol=1e-12
    )


def test_the_distance_is_0_from_oneself_and_1_where_nothing_is_shared():
    shares, _ = random(400)
    own = distributions.js_distances(shares=shares, probabilities=shares)
    np.testing.assert_allclose(own, 0.0, atol=1e-7)
    apart = np.array([[0.0, 0.0, 0.3, 0.7]])
    assert distributions.js_distances(shares=SHARES[1:2], probabilities=apart) == pytest.approx(1)


def test_a_class_stands_out_above_an_equal_share_and_not_at_it():
    assert distributions.stands_out(SHARES).tolist() == [
        [True, False, False, False], [True, True, False, False], [False] * 4,
    ]  # fmt: skip
    assert not distributions.stands_out(np.full((1, 3), 1 / 3)).any()
    assert not distributions.stands_out(np.array([[2.0, 2.0, 2.0, 2.0, 2.0, 2.0]]) / 12).any()
    softmax = np.exp(np.full((1, 7), 0.1)) / np.exp(np.full((1, 7), 0.1)).sum()
    assert not distributions.stands_out(softmax).any()


def test_macro_f1_of_present_classes_is_scikit_learns():
    shares, said = random(200)
    present, predicted = shares > 0.25, said > 0.25
    found = distributions.f1_of(
        *((kind).sum(axis=0).astype(float) for kind in (present & predicted, present, predicted))
    )
    assert found == pytest.approx(f1_score(present, predicted, average="macro"))


def test_a_class_that_is_neither_present_nor_predicted_counts_as_zero():
    hits, present, predicted = np.array([3.0, 0.0]), np.array([3.0, 0.0]), np.array([3.0, 0.0])
    assert distributions.f1_of(hits, present, predicted) == 0.5


@pytest.mark.parametrize(
    ("shares", "said", "problem"),
    [
        (SHARES[:2], SHARES, r"got \(2, 4\) and \(3, 4\)"),
        (SHARES[0], SHARES[0], r"got \(4,\)"),
        (2 * SHARES, SHARES, "shares must sum to one in every row; off by 1"),
        (SHARES, SHARES / 2, "probabilities must sum to one in every row; off by 0.5"),
    ],
)
def test_what_are_no_shares_or_probabilities_is_refused(shares, said, problem):
    for score in (distributions.cross_entropies, distributions.js_distances):
        with pytest.raises(ValueError, match=problem):
            score(shares=shares, probabilities=said)


def test_a_cell_is_scored_without_what_only_votes_need():
    found = modules_after("import ser.evaluation.scored_cell")
    assert "ser.distributions" in found
    assert "scipy.spatial" not in found
