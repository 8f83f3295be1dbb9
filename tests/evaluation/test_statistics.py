import numpy as np
import pytest

from ser import metrics
from ser.evaluation import statistics


def speakers_and_predictions(num_speakers=10, per_speaker=40, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 4, num_speakers * per_speaker)
    right = rng.random(len(truth)) < 0.6
    prediction = np.where(right, truth, rng.integers(0, 4, len(truth)))
    speakers = np.repeat([f"s{n}" for n in range(num_speakers)], per_speaker)
    return truth, prediction, speakers


def test_confusions_by_speaker_are_those_of_each_speaker_alone():
    truth, prediction, speakers = speakers_and_predictions()
    matrices = statistics.confusion_by_speaker(
        truth=truth, prediction=prediction, speakers=speakers, num_classes=4
    )
    for index, speaker in enumerate(sorted(set(speakers))):
        mine = speakers == speaker
        expected = metrics.confusion(truth=truth[mine], prediction=prediction[mine], num_classes=4)
        np.testing.assert_array_equal(matrices[index], expected)


def test_the_interval_equals_a_bootstrap_by_plain_resampling():
    truth, prediction, speakers = speakers_and_predictions()
    matrices = statistics.confusion_by_speaker(
        truth=truth, prediction=prediction, speakers=speakers, num_classes=4
    )
    fast = statistics.speaker_bootstrap(matrices, num_resamples=4000)
    rng = np.random.default_rng(1)
    names = sorted(set(speakers))
    uars, was = [], []
    for _ in range(1500):
        rows = np.concatenate(
            [np.flatnonzero(speakers == s) for s in rng.choice(names, len(names))]
        )
        uars.append(metrics.uar(truth=truth[rows], prediction=prediction[rows], num_classes=4))
        was.append(metrics.wa(truth=truth[rows], prediction=prediction[rows]))
    for name, values in (("uar", uars), ("wa", was)):
        low, high = np.quantile(values, [0.025, 0.975])
        assert fast[name].low == pytest.approx(low, abs=0.008)
        assert fast[name].high == pytest.approx(high, abs=0.008)


def test_speakers_that_differ_widen_the_interval_beyond_that_of_utterances():
    """Half the speakers always right, half always wrong: 400 utterances are 10 facts."""
    truth = np.tile(np.arange(4), 100)
    speakers = np.repeat([f"s{n}" for n in range(10)], 40)
    wrong = np.isin(speakers, ["s0", "s2", "s4", "s6", "s8"])
    prediction = np.where(wrong, (truth + 1) % 4, truth)
    matrices = statistics.confusion_by_speaker(
        truth=truth, prediction=prediction, speakers=speakers, num_classes=4
    )
    by_speaker = statistics.speaker_bootstrap(matrices)["uar"]
    binomial = 1.96 * np.sqrt(0.25 / 400)
    assert by_speaker.high - by_speaker.low > 4 * binomial


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        skill = np.clip(rng.normal(0.6, 0.1, 20), 0, 1)  # speakers differ around 0.6
        truth = np.tile(np.arange(4), 20 * 10)
        right = rng.random(len(truth)) < np.repeat(skill, 40)
        prediction = np.where(right, truth, (truth + 1) % 4)
        matrices = statistics.confusion_by_speaker(
            truth=truth,
            prediction=prediction,
            speakers=np.repeat([f"s{n:02}" for n in range(20)], 40),
            num_classes=4,
        )
        interval = statistics.speaker_bootstrap(matrices, num_resamples=500)["uar"]
        covered += interval.low <= 0.6 <= interval.high
    assert 0.88 <= covered / 200 <= 0.99


def test_one_speaker_gives_no_interval():
    interval = statistics.speaker_bootstrap(np.ones((1, 2, 2), dtype=np.int64))["uar"]
    assert np.isnan(interval.low)
    assert np.isnan(interval.high)


def test_resamples_without_a_class_are_left_out():
    """Only one of two speakers is ever sad: a quarter of the resamples cannot have a UAR."""
    matrices = np.array([[[5, 0], [0, 5]], [[10, 0], [0, 0]]])
    interval = statistics.speaker_bootstrap(matrices)["uar"]
    assert interval.low == interval.high == 1.0
