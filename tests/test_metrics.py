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


def test_uar_equals_that_of_audmetric():
    truth, prediction, _ = predictions()
    assert metrics.uar(truth=truth, prediction=prediction, num_classes=4) == pytest.approx(
        audmetric.unweighted_average_recall(truth, prediction)
    )


def speakers(num_speakers=5, num_classes=4):
    """Truth and prediction of each speaker, and their confusion matrices."""
    pairs = [predictions(num_classes, 60, seed)[:2] for seed in range(num_speakers)]
    matrices = [
        metrics.confusion(truth=truth, prediction=said, num_classes=num_classes)
        for truth, said in pairs
    ]
    return pairs, np.stack(matrices)


def test_scores_of_many_matrices_are_those_of_each():
    pairs, matrices = speakers()
    hits, spoken = metrics.tallies(matrices)
    assert metrics.uar_of(hits, spoken).tolist() == [
        metrics.uar(truth=truth, prediction=said, num_classes=4) for truth, said in pairs
    ]
    assert metrics.wa_of(hits, spoken).tolist() == [
        metrics.wa(truth=truth, prediction=said) for truth, said in pairs
    ]
    np.testing.assert_allclose(
        metrics.recalls(matrices),
        [sklearn_metrics.recall_score(truth, said, average=None) for truth, said in pairs],
    )
    nested = metrics.tallies(matrices[None, :, None])
    assert metrics.uar_of(*nested).shape == metrics.wa_of(*nested).shape == (1, 5, 1)


def test_what_the_speakers_add_to_uar_adds_up_to_it():
    pairs, matrices = speakers()
    hits, spoken = metrics.tallies(matrices)
    truth, said = (np.concatenate(column) for column in zip(*pairs, strict=True))
    parts = metrics.uar_of(hits, spoken.sum(axis=0))
    assert parts.shape == (5,)
    assert parts.sum() == pytest.approx(
        sklearn_metrics.balanced_accuracy_score(truth, said), abs=1e-15
    )


def test_one_matrix_without_a_class_makes_the_uar_of_all_an_error():
    _, matrices = speakers()
    matrices[3, 1] = 0
    with pytest.raises(ValueError, match=r"no utterance has class index \[1\]"):
        metrics.uar_of(*metrics.tallies(matrices))
    with pytest.raises(ValueError, match=r"no utterance has class index \[1\]"):
        metrics.recalls(matrices)


def test_uar_where_spoken_is_over_the_classes_that_are_spoken():
    counts = np.zeros((2, 3, 3))
    counts[0] = [[4, 0, 0], [1, 1, 0], [0, 3, 1]]
    counts[1] = [[0, 2, 0], [0, 0, 0], [0, 0, 5]]
    expected = [(1 + 0.5 + 0.25) / 3, 0.5]
    assert metrics.uar_where_spoken(counts) == pytest.approx(expected)
    np.testing.assert_array_equal(metrics.recalls_where_spoken(counts[1]), [0.0, np.nan, 1.0])


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


def test_mcc_of_a_constant_is_zero():
    assert metrics.mcc(truth=[0, 1], prediction=[0, 0], num_classes=2) == 0.0


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
