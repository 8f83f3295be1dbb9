"""CCC and MAE of a cell that rates: pooled over folds, averaged over seeds, over speakers."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from ser.evaluation import rating_summary, statistics
from tests.evaluation.rated import PREDICTED, TRUTH, rated, scores_of


def test_scores_are_pooled_over_folds_and_averaged_over_seeds():
    frame, speaker_of = rated(num_seeds=3)
    summary = rating_summary.summarise(frame, speaker_of)
    assert (summary.num_folds, summary.num_seeds) == (3, 3)
    assert summary.scores == pytest.approx(scores_of(frame[frame["part"] == "test"]))
    assert all(value > 0 for value in summary.spread.values())


def test_the_interval_is_that_of_leaving_each_speaker_out():
    frame, speaker_of = rated(num_seeds=1)
    summary = rating_summary.summarise(frame, speaker_of)
    test = frame[frame["part"] == "test"]
    speakers = test["utterance_id"].map(speaker_of)
    names = sorted(set(speakers))
    without = [scores_of(test[speakers != name]) for name in names]
    n, t = len(names), 2.306004135  # t of 0.975 with 8 degrees of freedom
    assert n == 9
    for name, value in summary.scores.items():
        z = np.arctanh if name.startswith("ccc") else lambda v: v
        back = np.tanh if name.startswith("ccc") else lambda v: v
        left = z(np.array([scores[name] for scores in without]))
        half = t * np.sqrt((n - 1) / n * ((left - left.mean()) ** 2).sum())
        interval = summary.intervals[name]
        assert interval.low == pytest.approx(back(z(value) - half), rel=1e-6)
        assert interval.high == pytest.approx(back(z(value) + half), rel=1e-6)


def test_seeds_that_disagree_widen_the_interval_and_equal_ones_do_not():
    frame, speaker_of = rated(num_seeds=1)
    weak = frame.assign(**{name: 0.3 * frame[name] + 2.1 for name in PREDICTED})
    factors = {}
    for kind, other in (("equal", frame), ("weak", weak)):
        both = pd.concat([frame, other.assign(seed=1)], ignore_index=True)
        summary = rating_summary.summarise(both, speaker_of)
        for name in ("ccc", "mae_arousal"):
            ends, held = summary.intervals[name], seeds_held_fixed(summary.moments, name)
            factors[kind, name] = (ends.high - ends.low) / (held.high - held.low)
    assert factors["equal", "ccc"] == pytest.approx(1.0)
    assert factors["equal", "mae_arousal"] == pytest.approx(1.0)
    assert factors["weak", "ccc"] > 1.5


def seeds_held_fixed(moments, name):
    """The interval over speakers alone."""
    value, left_out = (found[name].mean(axis=0) for found in (moments.scores(), moments.left_out()))
    return statistics.left_out_interval(
        value[None], left_out[None], is_correlation=name.startswith("ccc")
    )


def test_a_dimension_that_nobody_rates_is_no_score():
    frame, speaker_of = rated()
    summary = rating_summary.summarise(frame.assign(dominance=np.nan), speaker_of)
    assert summary.moments.dimensions == ("valence", "arousal")
    names = {"ccc", "mae", "ccc_valence", "mae_valence", "ccc_arousal", "mae_arousal"}
    assert set(summary.scores) == set(summary.intervals) == names
    assert np.isfinite(list(summary.scores.values())).all()


def test_one_speaker_has_scores_and_no_interval():
    frame, speaker_of = rated(num_seeds=1)
    summary = rating_summary.summarise(frame, dict.fromkeys(speaker_of, "s"))
    assert np.isnan([end for i in summary.intervals.values() for end in (i.low, i.high)]).all()
    assert "test/ccc" in summary.as_metrics()
    assert "test/ccc_low" not in summary.as_metrics()
    assert summary.to_json()["ccc"]["low"] is None


def test_ratings_that_all_agree_have_a_ccc_of_1_and_of_a_constant_0():
    frame, speaker_of = rated(num_seeds=1)
    perfect = frame.assign(**{f"predicted_{name}": frame[name] for name in TRUTH})
    assert rating_summary.summarise(perfect, speaker_of).scores["ccc"] == pytest.approx(1.0)
    constant = frame.assign(**dict.fromkeys(PREDICTED, 2.7))
    summary = rating_summary.summarise(constant, speaker_of)
    assert summary.scores["ccc"] == pytest.approx(0.0, abs=1e-12)
    assert summary.intervals["ccc"].low <= 0.0 <= summary.intervals["ccc"].high


def test_an_utterance_that_is_tested_twice_is_refused():
    frame, speaker_of = rated(num_seeds=1)
    with pytest.raises(ValueError, match="tested more than once"):
        rating_summary.summarise(pd.concat([frame, frame]), speaker_of)
    with pytest.raises(ValueError, match="no test predictions"):
        rating_summary.summarise(frame[frame["part"] == "dev"], speaker_of)


def test_the_interval_holds_what_it_is_asked_for_about_as_often_as_it_says():
    """Eight speakers who are rated and heard with errors of their own."""
    rng, trials, hits = np.random.default_rng(5), 300, 0
    true = 2 * 0.6 / (1.0 + (0.6 + 0.3))  # cov 0.6 of variances 1 and 0.6 + 0.3
    names = [f"{speaker}_{n}" for speaker in range(8) for n in range(60)]
    speaker_of = {name: name.partition("_")[0] for name in names}
    keys = {"utterance_id": names, "fold": 1, "seed": 0, "part": "test"}
    for _ in range(trials):
        rating = rng.normal(size=480)
        error = np.repeat(rng.normal(size=8), 60) * np.sqrt(0.1) + rng.normal(size=480) * np.sqrt(
            0.44
        )
        frame = pd.DataFrame({**keys, "arousal": np.nan, "dominance": np.nan, "valence": rating})
        frame[PREDICTED] = 0.0
        frame["predicted_valence"] = 0.6 * rating + error
        interval = rating_summary.summarise(frame, speaker_of).intervals["ccc"]
        hits += interval.low <= true <= interval.high
    assert 0.91 <= hits / trials <= 0.99


def test_an_error_of_nothing_has_an_interval_from_nothing():
    without = np.array([[0.0, 0.3, 0.1]])
    interval = statistics.left_out_interval(np.array([0.1]), without, is_correlation=False)
    assert interval.low == 0.0 < 0.1 < interval.high
    assert dataclasses.astuple(
        statistics.left_out_interval(np.ones(1), np.ones((1, 4)), is_correlation=True)
    ) == pytest.approx((1.0, 1.0), abs=1e-5)
