import numpy as np
import pytest
from scipy.spatial.distance import mahalanobis
from sklearn.covariance import LedoitWolf

from ser.evaluation import familiarity
from ser.evaluation.familiarity import ClassGaussians, Reference


def clouds(rng, *, per_class=50, dim=6):
    """Two classes, apart, with a covariance of their own scale per dimension."""
    labels = np.repeat([0, 1], per_class)
    noise = rng.standard_normal((2 * per_class, dim)) * np.arange(1, dim + 1)
    return noise + 20.0 * labels[:, None], labels


def test_distance_is_that_to_the_nearest_class_in_standard_deviations():
    gaussians = ClassGaussians(np.array([[0.0, 0.0], [10.0, 0.0]]), np.diag([1.0, 0.5]))
    # By hand: 3 right of the first; 4 / 2 above it; 1 left of and 2 / 2 below the second.
    found = gaussians.distances([[3.0, 0.0], [0.0, 4.0], [9.0, -2.0]])
    np.testing.assert_allclose(found, [3.0, 2.0, np.sqrt(2.0)])


def test_distances_are_mahalanobis_with_the_covariance_of_ledoit_and_wolf():
    vectors, labels = clouds(np.random.default_rng(0))
    gaussians = familiarity.fit(vectors, labels)
    means = np.stack([vectors[labels == k].mean(axis=0) for k in (0, 1)])
    within = LedoitWolf(assume_centered=True).fit(vectors - means[labels])
    point = np.full(6, 7.0)
    expected = min(mahalanobis(point, mean, within.precision_) for mean in means)
    assert gaussians.distances(point[None])[0] == pytest.approx(expected)


def test_fewer_utterances_than_dimensions_still_give_distances():
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((12, 40))
    gaussians = familiarity.fit(vectors, np.arange(12) % 3)
    near, far = gaussians.distances(np.stack([vectors[0], vectors[0] + 100.0]))
    assert np.isfinite([near, far]).all()
    assert far > 10 * near


def test_a_class_that_nobody_spoke_has_no_mean():
    vectors, labels = clouds(np.random.default_rng(2))
    assert len(familiarity.fit(vectors, labels * 3).means) == 2


def test_familiarity_is_the_share_at_least_as_far_counted_by_hand():
    found = familiarity.familiarity([0.0, 1.0, 3.5, 4.0, 5.0], [4.0, 1.0, 3.0, 2.0])
    np.testing.assert_allclose(found, [5 / 5, 5 / 5, 2 / 5, 2 / 5, 1 / 5])


def test_familiarity_falls_with_distance():
    reference = np.random.default_rng(3).gamma(4.0, size=100)
    found = familiarity.familiarity(np.linspace(0, 20, 200), reference)
    assert (np.diff(found) <= 0).all()
    assert found[0] == 1.0
    assert found[-1] == pytest.approx(1 / 101)


def test_utterances_of_the_same_kind_are_refused_at_the_stated_rate():
    rng = np.random.default_rng(4)
    refused = [
        (familiarity.familiarity(rng.gamma(4.0, size=50), rng.gamma(4.0, size=99)) <= 0.1).mean()
        for _ in range(200)
    ]
    assert np.mean(refused) == pytest.approx(0.1, abs=0.01)


def test_who_is_left_out_is_further_away_than_who_was_fitted_on():
    rng = np.random.default_rng(5)
    vectors, labels = clouds(rng, per_class=20, dim=30)
    groups = [f"speaker {row % 4}" for row in range(len(labels))]
    seen = familiarity.fit(vectors, labels).distances(vectors)
    unseen = familiarity.held_out_distances(vectors, labels, groups)
    assert np.median(unseen) > np.median(seen)
    # Of the first speaker, from Gaussians of the other three.
    own = np.array(groups) == "speaker 0"
    others = familiarity.fit(vectors[~own], labels[~own])
    np.testing.assert_allclose(unseen[own], others.distances(vectors[own]))


def test_a_reference_is_read_as_it_was_written(tmp_path):
    vectors, labels = clouds(np.random.default_rng(6))
    reference = Reference(familiarity.fit(vectors, labels), np.array([3.0, 1.0, 2.0]))
    reference.save(tmp_path / "familiarity.safetensors")
    read = Reference.load(tmp_path / "familiarity.safetensors")
    np.testing.assert_array_equal(read.familiarity(vectors), reference.familiarity(vectors))
    np.testing.assert_array_equal(read.distances, [1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: familiarity.fit(np.ones((3, 2)), [0, 1]), "one row of embeddings per class"),
        (lambda: familiarity.fit(np.ones((1, 2)), [0]), "at least two"),
        (lambda: familiarity.fit(np.ones((4, 2)), [0, 0, 1, 1]), "there is no distance"),
        (lambda: familiarity.familiarity([1.0], []), "at least one distance"),
        (
            lambda: familiarity.held_out_distances(np.eye(3), [0, 0, 1], ["a", "a", "a"]),
            "two or more, got 1",
        ),
        (
            lambda: ClassGaussians(np.zeros((1, 2)), np.eye(2)).distances([[1.0, 2.0, 3.0]]),
            r"shape \(1, 3\)",
        ),
    ],
)
def test_what_has_no_distance_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
