import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from sklearn.metrics import log_loss

from ser import metrics, predictions
from ser.emotion import EMOTIONS
from ser.evaluation import calibration


def overconfident(rng, size, *, temperature):
    """Labels drawn from the probabilities, and the same probabilities made too sure."""
    logits = rng.normal(scale=1.5, size=(size, 4))
    honest = softmax(logits, axis=1)
    truth = (rng.uniform(size=(size, 1)) > honest.cumsum(axis=1)).sum(axis=1)
    return np.minimum(truth, 3), softmax(logits * temperature, axis=1)


def cell(*, temperature=3.0, num_seeds=1, size=400):
    rng = np.random.default_rng(0)
    frames = []
    for seed in range(num_seeds):
        for fold in (1, 2):
            for part in ("dev", "test"):
                truth, probabilities = overconfident(rng, size, temperature=temperature)
                ids = [f"{part}{fold}-{n:04}" for n in range(size)]
                frames.append(
                    predictions.table(
                        ids=ids, truth=truth, probabilities=probabilities, emotions=EMOTIONS,
                        fold=fold, seed=seed, part=part,
                    )
                )  # fmt: skip
    return pd.concat(frames, ignore_index=True)


def test_temperature_that_made_the_model_too_sure_is_found():
    truth, probabilities = overconfident(np.random.default_rng(1), 20_000, temperature=3.0)
    found = calibration.fit_temperature(truth=truth, probabilities=probabilities)
    assert found == pytest.approx(3.0, rel=0.05)
    grid = [
        log_loss(truth, calibration.scale(probabilities, t), labels=range(4))
        for t in np.linspace(2, 4, 81)
    ]
    scaled = calibration.scale(probabilities, found)
    assert log_loss(truth, scaled, labels=range(4)) <= min(grid) + 1e-9


def test_scaling_is_softmax_of_logits_over_the_temperature_and_keeps_decisions():
    logits = np.random.default_rng(2).normal(size=(50, 4)) * 4
    scaled = calibration.scale(softmax(logits, axis=1), 2.5)
    np.testing.assert_allclose(scaled, softmax(logits / 2.5, axis=1), atol=1e-9)
    assert (scaled.argmax(axis=1) == logits.argmax(axis=1)).all()
    same = softmax(logits, axis=1)
    np.testing.assert_allclose(calibration.scale(same, 1.0), same, atol=1e-9)


@pytest.mark.parametrize("probabilities", [np.full((8, 4), 0.25), np.eye(4)[[0, 1, 2, 3] * 2]])
def test_probabilities_without_a_minimum_give_a_finite_temperature(probabilities):
    found = calibration.fit_temperature(truth=[0, 1, 2, 3] * 2, probabilities=probabilities)
    assert 0.05 <= found <= 20
    assert np.isfinite(calibration.scale(probabilities, found)).all()


def test_test_labels_do_not_move_the_temperature():
    frame = cell()
    _, honest = calibration.calibrate(frame)
    is_test = frame["part"] == "test"
    blind = frame.assign(truth=frame["truth"].mask(is_test, "angry"))
    assert calibration.calibrate(blind)[1] == honest
    assert honest == pytest.approx([3.0, 3.0], rel=0.3)


def test_scaling_mends_likelihood_and_calibration_of_a_model_that_is_too_sure():
    row = calibration.table({("lstm", "focal"): cell(num_seeds=2)}).iloc[0]
    assert list(row.index) == list(calibration.COLUMNS)
    assert row["nll_scaled"] < row["nll"]
    assert row["brier_scaled"] < row["brier"]
    assert row["ece_scaled"] < row["ece"] / 2


def test_table_s_scores_are_scikit_learn_s():
    frame = cell()
    row = calibration.table({("lstm", "focal"): frame}).iloc[0]
    test = frame[frame["part"] == "test"]
    table = predictions.probabilities_of(test)
    truth = predictions.label_ids(test["truth"], EMOTIONS)
    assert row["nll"] == pytest.approx(log_loss(truth, table, labels=range(4)))
    assert row["brier"] == pytest.approx(((table - np.eye(4)[truth]) ** 2).sum(axis=1).mean())
    assert row["ece"] == pytest.approx(metrics.ece(truth=truth, probabilities=table))


def test_sure_answers_are_better_than_all_answers():
    scaled, _ = calibration.calibrate(cell())
    curve = calibration.abstention_curve(scaled)
    assert curve["coverage"].tolist()[0] == 1.0
    assert curve["accuracy"].iloc[0] == pytest.approx((scaled.truth == scaled.prediction).mean())
    half = curve[np.isclose(curve["coverage"], 0.5)].iloc[0]
    assert half["accuracy"] > curve["accuracy"].iloc[0] + 0.1


@pytest.mark.parametrize("coverage", [1.0, 0.9, 0.5])
def test_threshold_answers_the_share_that_was_asked_for(coverage):
    table = softmax(np.random.default_rng(3).normal(size=(1000, 4)), axis=1)
    threshold = calibration.threshold_for(table, coverage=coverage)
    assert (table.max(axis=1) >= threshold).mean() == pytest.approx(coverage, abs=2e-3)


@pytest.mark.parametrize("coverage", [0.0, -0.1, 1.1])
def test_share_that_is_none_is_refused(coverage):
    with pytest.raises(ValueError, match="coverage"):
        calibration.threshold_for(np.eye(4), coverage=coverage)


def test_bins_of_the_figure_add_up_to_the_calibration_error():
    test = cell().query("part == 'test'")
    bins = calibration.reliability_bins(test)
    filled = bins[bins["num_utterances"] > 0]
    gaps = (filled["accuracy"] - filled["confidence"]).abs() * filled["num_utterances"]
    truth = predictions.label_ids(test["truth"], EMOTIONS)
    expected = metrics.ece(truth=truth, probabilities=predictions.probabilities_of(test))
    assert gaps.sum() / len(test) == pytest.approx(expected)
