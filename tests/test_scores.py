import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from ser import scores


def predictions(num_classes=4, num_utterances=300, seed=0):
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(num_classes), num_utterances)
    truth = rng.integers(0, num_classes, num_utterances)
    return truth, probabilities.argmax(axis=1), probabilities


@pytest.mark.parametrize("num_classes", [2, 4, 7])
def test_scores_equal_those_of_scikit_learn(num_classes):
    truth, prediction, probabilities = predictions(num_classes)
    found = scores.score(
        truth=truth,
        prediction=prediction,
        probabilities=probabilities,
        emotions=[f"emotion {k}" for k in range(num_classes)],
    )
    assert found.uar == pytest.approx(sklearn_metrics.balanced_accuracy_score(truth, prediction))
    assert found.wa == pytest.approx(sklearn_metrics.accuracy_score(truth, prediction))
    assert found.macro_f1 == pytest.approx(
        sklearn_metrics.f1_score(truth, prediction, average="macro")
    )
    assert found.mcc == pytest.approx(sklearn_metrics.matthews_corrcoef(truth, prediction))
    np.testing.assert_array_equal(
        found.confusion, sklearn_metrics.confusion_matrix(truth, prediction)
    )


def test_tracking_keys_name_part_and_metric():
    truth, prediction, probabilities = predictions()
    emotions = ("angry", "happy", "neutral", "sad")
    keys = scores.score(
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
