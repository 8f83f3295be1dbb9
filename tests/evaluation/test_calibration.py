import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
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
    # So many utterances outweigh the prior.
    assert log_loss(truth, scaled, labels=range(4)) <= min(grid) + 1e-6


def test_scaling_is_softmax_of_logits_over_the_temperature_and_keeps_decisions():
    logits = np.random.default_rng(2).normal(size=(50, 4)) * 4
    scaled = calibration.scale(softmax(logits, axis=1), 2.5)
    np.testing.assert_allclose(scaled, softmax(logits / 2.5, axis=1), atol=1e-9)
    assert (scaled.argmax(axis=1) == logits.argmax(axis=1)).all()
    same = softmax(logits, axis=1)
    np.testing.assert_allclose(calibration.scale(same, 1.0), same, atol=1e-9)


@pytest.mark.parametrize("probabilities", [np.full((8, 4), 0.25), np.eye(4)[[0, 1, 2, 3] * 2]])
def test_utterances_that_say_nothing_about_the_temperature_leave_it_at_one(probabilities):
    found = calibration.fit_temperature(truth=[0, 1, 2, 3] * 2, probabilities=probabilities)
    assert found == pytest.approx(1.0)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("size", [1, 7, 60, 1000])
def test_the_temperature_is_the_most_probable_one_under_the_prior(size, temperature):
    """Another parameter, another search, the likelihood written out."""
    truth, probabilities = overconfident(np.random.default_rng(size), size, temperature=temperature)

    def objective(log_temperature):
        inverse = np.exp(-log_temperature)
        table = probabilities**inverse
        likelihood = np.log(table.sum(axis=1) / table[range(size), truth]).sum()
        return likelihood + calibration.PRIOR_NATS * (inverse - 1 - np.log(inverse))

    grid = np.linspace(np.log(0.05), np.log(20), 400)
    start = grid[np.argmin([objective(point) for point in grid])]
    expected = np.exp(minimize(objective, start, method="Nelder-Mead", tol=1e-10).x[0])
    found = calibration.fit_temperature(truth=truth, probabilities=probabilities)
    assert found == pytest.approx(expected, rel=1e-4)


def test_probabilities_that_are_honest_stay_as_they_are():
    truth, probabilities = overconfident(np.random.default_rng(4), 20_000, temperature=1.0)
    found = calibration.fit_temperature(truth=truth, probabilities=probabilities)
    assert found == pytest.approx(1.0, rel=0.03)


@pytest.mark.parametrize("size", [10, 60, 200, 1000])
@pytest.mark.parametrize("confidence", [0.6, 0.9, 0.97])
def test_a_part_without_a_mistake_makes_surer_within_reason(size, confidence):
    rng = np.random.default_rng(5)
    truth = rng.integers(4, size=size)
    gaps = np.log(3 * confidence / (1 - confidence)) * rng.uniform(0.7, 1.3, size=(size, 1))
    probabilities = softmax(gaps * np.eye(4)[truth], axis=1)
    found = calibration.fit_temperature(truth=truth, probabilities=probabilities)
    assert 0.15 < found < 1.0
    scaled = calibration.scale(probabilities, found)
    assert scaled.min() > 1e-7
    # The rule of three: after n times without a mistake, up to 3 / n of them may be expected.
    assert 0.1 / size < (1 - scaled.max(axis=1)).mean() < 3 / size


@pytest.mark.parametrize("is_right", [True, False])
def test_one_utterance_moves_the_temperature_little(is_right):
    probabilities = [[0.7, 0.1, 0.1, 0.1]]
    found = calibration.fit_temperature(truth=[int(not is_right)], probabilities=probabilities)
    assert found != pytest.approx(1.0, rel=0.01)
    assert (found < 1) == is_right
    assert 0.5 < found < 2.0


def test_no_part_of_any_size_sureness_and_accuracy_runs_away():
    rng = np.random.default_rng(6)
    for _ in range(300):
        size, share_right = int(rng.integers(1, 500)), rng.uniform()
        probabilities = softmax(rng.gamma(2, 4) * rng.normal(size=(size, 4)), axis=1)
        is_right = rng.uniform(size=size) < share_right
        truth = np.where(is_right, probabilities.argmax(axis=1), rng.integers(4, size=size))
        found = calibration.fit_temperature(truth=truth, probabilities=probabilities)
        changed = calibration.fit_temperature(
            truth=np.append(truth, truth[0]), probabilities=[*probabilities, probabilities[0]]
        )
        # At a bound of the search, one utterance more would change nothing.
        assert changed != found
        assert 0.1 < found < 300


@pytest.mark.parametrize("truth", [[], [0], [0, 1, 2]])
def test_probabilities_of_other_utterances_are_refused(truth):
    probabilities = np.full((len(truth) and 2, 4), 0.25)
    with pytest.raises(ValueError, match=r"at least one; got .*\(\d, 4\)"):
        calibration.fit_temperature(truth=truth, probabilities=probabilities)


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
