import audmetric
import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from ser import metrics


def predictions(num_classes=4, num_utterances=300, seed=0):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(num_classes), num_utterances)
    truth = rng.integers(0, num_classes, num_utterances)
    return truth, probabilities.argmax(axis=1), probabilities


@pytest.mark.parametrize("num_classes", [2, 4, 7])
def test_scores_equal_those_of_scikit_learn(num_classes):
    truth, prediction, probabilities = predictions(num_classes)
    scores = metrics.score(
        truth=truth,
        prediction=prediction,
        probabilities=probabilities,
        emotions=[f"emotion {k}" for k in range(num_classes)],
    )
    assert scores.uar == pytest.approx(sklearn_metrics.balanced_accuracy_score(truth, prediction))
    assert scores.wa == pytest.approx(sklearn_metrics.accuracy_score(truth, prediction))
    assert scores.macro_f1 == pytest.approx(
        sklearn_metrics.f1_score(truth, prediction, average="macro")
    )
    assert scores.mcc == pytest.approx(sklearn_metrics.matthews_corrcoef(truth, prediction))
    np.testing.assert_array_equal(
        scores.confusion, sklearn_metrics.confusion_matrix(truth, prediction)
    )


def test_uar_and_ccc_equal_those_of_audmetric():
    truth, prediction, _ = predictions()
    assert metrics.uar(truth=truth, prediction=prediction, num_classes=4) == pytest.approx(
        audmetric.unweighted_average_recall(truth, prediction)
    )
    rng = np.random.default_rng(1)
    x = rng.normal(size=50)
    y = 0.5 * x + rng.normal(size=50)
    assert metrics.ccc(truth=x, prediction=y) == pytest.approx(audmetric.concordance_cc(x, y))


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
    scores = metrics.rating_scores(truth=truth, prediction=said)
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
    scores = metrics.rating_scores(truth=truth, prediction=said)
    assert {name.split("_")[1] for name in scores} == {"valence", "dominance"}


@pytest.mark.parametrize(("truth", "said"), [((5, 3), (4, 3)), ((5, 2), (5, 2)), ((3,), (3,))])
def test_what_are_no_ratings_is_refused(truth, said):
    with pytest.raises(ValueError, match=r"\(num_utterances, 3\)"):
        metrics.rating_scores(truth=np.zeros(truth), prediction=np.zeros(said))


def test_uar_weighs_a_rare_class_like_a_frequent_one():
    assert metrics.uar(truth=[0] * 9 + [1], prediction=[0] * 10, num_classes=2) == 0.5


def test_a_class_absent_from_the_truth_is_an_error_and_not_a_zero():
    with pytest.raises(ValueError, match=r"class index \[2\]"):
        metrics.uar(truth=[0, 1], prediction=[0, 1], num_classes=3)


@pytest.mark.parametrize(
    ("truth", "prediction", "message"),
    [
        ([], [], "not empty"),
        ([0, 1], [0], "equally long"),
        ([0, 5], [0, 1], r"in \[0, 2\)"),
        ([0.0, 1.0], [0, 1], "integers"),
    ],
)
def test_bad_label_arrays_are_refused(truth, prediction, message):
    with pytest.raises(ValueError, match=message):
        metrics.confusion(truth=truth, prediction=prediction, num_classes=2)


def test_ece_is_the_gap_between_confidence_and_accuracy():
    probabilities = np.tile([0.8, 0.2], (10, 1))
    truth = [0] * 6 + [1] * 4
    assert metrics.ece(truth=truth, probabilities=probabilities) == pytest.approx(0.2)


def test_ece_equals_a_plain_loop_over_bins():
    truth, _, probabilities = predictions(num_utterances=500, seed=3)
    confidence, predicted = probabilities.max(axis=1), probabilities.argmax(axis=1)
    expected = 0.0
    for b in range(15):
        inside = (confidence > b / 15) & (confidence <= (b + 1) / 15)
        if inside.any():
            accuracy = (predicted[inside] == truth[inside]).mean()
            expected += inside.mean() * abs(accuracy - confidence[inside].mean())
    assert metrics.ece(truth=truth, probabilities=probabilities) == pytest.approx(expected)


def test_ece_refuses_rows_that_are_no_probabilities():
    with pytest.raises(ValueError, match="sum to one"):
        metrics.ece(truth=[0], probabilities=[[0.5, 0.2]])
    with pytest.raises(ValueError, match="one row per utterance"):
        metrics.ece(truth=[0, 1], probabilities=[[0.5, 0.5]])


def test_mcc_and_ccc_of_constants_are_zero():
    assert metrics.mcc(truth=[0, 1], prediction=[0, 0], num_classes=2) == 0.0
    assert metrics.ccc(truth=[1.0, 1.0], prediction=[1.0, 1.0]) == 0.0


def test_tracking_keys_name_part_and_metric():
    truth, prediction, probabilities = predictions()
    emotions = ("angry", "happy", "neutral", "sad")
    keys = metrics.score(
        truth=truth, prediction=prediction, probabilities=probabilities, emotions=emotions
    ).as_metrics("test")
    assert set(keys) == {
        "test/uar",
        "test/wa",
        "test/macro_f1",
        "test/mcc",
        "test/ece",
        *(f"test/recall_{emotion}" for emotion in emotions),
    }


def test_precision_is_scikit_learn_s_and_zero_where_a_class_is_never_predicted():
    rng = np.random.default_rng(0)
    truth, prediction = rng.integers(0, 4, size=(2, 200))
    for said in (prediction, np.where(prediction == 3, 0, prediction)):
        matrix = metrics.confusion(truth=truth, prediction=said, num_classes=4)
        expected = sklearn_metrics.precision_score(
            truth, said, average=None, zero_division=0, labels=range(4)
        )
        np.testing.assert_allclose(metrics.precisions(matrix), expected)


def test_likelihood_and_brier_are_scikit_learn_s():
    rng = np.random.default_rng(1)
    truth, table = rng.integers(0, 4, size=100), rng.dirichlet(np.ones(4), 100)
    expected = sklearn_metrics.log_loss(truth, table, labels=range(4))
    assert metrics.nll(truth=truth, probabilities=table) == pytest.approx(expected)
    one_by_one = [sklearn_metrics.brier_score_loss(truth == k, table[:, k]) for k in range(4)]
    assert metrics.brier(truth=truth, probabilities=table) == pytest.approx(sum(one_by_one))
    sure = np.eye(4)[truth]
    assert metrics.nll(truth=truth, probabilities=sure) == 0
    assert metrics.brier(truth=truth, probabilities=sure) == 0
    wrong = np.eye(4)[(truth + 1) % 4]
    assert metrics.brier(truth=truth, probabilities=wrong) == 2
    assert metrics.nll(truth=truth, probabilities=wrong) == pytest.approx(-np.log(1e-12))


@pytest.mark.parametrize("score", [metrics.nll, metrics.brier, metrics.ece])
@pytest.mark.parametrize("table", [np.full((2, 4), 0.3), np.full((3, 4), 0.25), np.empty((0, 4))])
def test_what_is_no_table_of_probabilities_is_refused(score, table):
    with pytest.raises(ValueError, match="row"):
        score(truth=[0, 1], probabilities=table)
