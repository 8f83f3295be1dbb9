"""CCC and MAE of a cell that rates: pooled over folds, averaged over seeds, over speakers."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from ser import concordance, predictions
from ser.evaluation import rating_comparison, rating_moments, rating_summary, statistics
from tests.evaluation.support import cell

TRUTH, PREDICTED = list(predictions.RATINGS), list(predictions.PREDICTED_RATINGS)


def rated(seed=0, **options):
    """Predictions without classes, four speakers of unequal size."""
    frame, _ = cell(rated=True, seed=seed, **options)
    keys = ["utterance_id", "fold", "seed", "part"]
    ids = frame["utterance_id"]
    speaker_of = {id_: f"s{min(int(id_[-2:]) // 12, 2)}{id_[-5]}" for id_ in ids}
    return frame[[*keys, *TRUTH, *PREDICTED]], speaker_of


def scores_of(test):
    """The same by another way: per seed, over all its rows."""
    by_seed = [
        concordance.rating_scores(truth=rows[TRUTH], prediction=rows[PREDICTED])
        for _, rows in test.groupby("seed")
    ]
    found = {name: np.mean([scores[name] for scores in by_seed]) for name in by_seed[0]}
    for kind in ("ccc", "mae"):
        found[kind] = np.mean([v for name, v in found.items() if name.startswith(f"{kind}_")])
    return found


def test_scores_are_pooled_over_folds_and_averaged_over_seeds():
    frame, speaker_of = rated(num_seeds=3)
    summary = rating_summary.summarise(frame, speaker_of)
    assert (summary.num_folds, summary.num_seeds) == (3, 3)
    assert summary.scores == pytest.approx(scores_of(frame[frame["part"] == "test"]))
    assert all(value > 0 for value in summary.spread.values())


def test_the_interval_is_that_of_leaving_each_speaker_out():
    frame, speaker_of = rated()
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


def test_the_better_cell_comes_first_and_ties_are_of_the_paired_test():
    frame, speaker_of = rated()
    noise = np.random.default_rng(9).normal(size=(len(frame), 3))
    worse = frame.assign(
        **dict(zip(PREDICTED, (frame[PREDICTED] + 2 * noise).T.to_numpy(), strict=True))
    )
    near = frame.assign(
        **dict(zip(PREDICTED, (frame[PREDICTED] + 0.01 * noise).T.to_numpy(), strict=True))
    )
    found = {
        (model, "ccc"): rating_summary.summarise(one, speaker_of)
        for model, one in (("worse", worse), ("lstm", frame), ("near", near))
    }
    grid = rating_comparison.table(found)
    assert grid["model"].iloc[-1] == "worse"
    assert grid["tied_with_best"].tolist() == [True, True, False]
    pairs = rating_comparison.pairs_table(found)
    assert pairs["significant"].tolist() == [True, True, False]
    first = pairs.iloc[0]
    assert first["difference"] == pytest.approx(first["ccc_a"] - first["ccc_b"])
    assert first["difference_low"] < first["difference"] < first["difference_high"] < 0


def test_cells_of_other_utterances_make_no_pair():
    frame, speaker_of = rated()
    a = rating_summary.summarise(frame, speaker_of)
    b = rating_summary.summarise(frame[frame["utterance_id"] != "f1u000"], speaker_of)
    with pytest.raises(ValueError, match="different utterances"):
        rating_comparison.compare(a, b)


def test_a_cell_does_not_differ_from_itself():
    frame, speaker_of = rated()
    summary = rating_summary.summarise(frame, speaker_of)
    found = rating_comparison.compare(summary, summary)
    assert (float(found.low), float(found.high), float(found.p)) == (0.0, 0.0, 1.0)


def test_slices_are_scored_like_the_whole():
    frame, speaker_of = rated()
    sliced = rating_comparison.slices_table(frame, {"speaker": speaker_of})
    test = frame[frame["part"] == "test"]
    for row in sliced.to_dict("records"):
        rows = test[test["utterance_id"].map(speaker_of) == row["value"]]
        assert row["ccc"] == pytest.approx(scores_of(rows)["ccc"])
        assert row["num_utterances"] == rows["utterance_id"].nunique()


def test_moments_of_one_seed_keep_digits_of_close_ratings():
    frame, speaker_of = rated(num_seeds=1)
    test = frame[frame["part"] == "test"].assign(
        valence=lambda f: 4.9 + 1e-4 * f["valence"],
        predicted_valence=lambda f: 4.9 + 1e-4 * f["predicted_valence"],
    )
    found = rating_moments.of_predictions(test, speaker_of).scores()["ccc_valence"]
    pair = {"truth": test["valence"], "prediction": test["predicted_valence"]}
    assert float(found[0]) == pytest.approx(concordance.ccc(**pair), abs=1e-6)


def test_an_error_of_nothing_has_an_interval_from_nothing():
    interval = statistics.left_out_interval(0.1, np.array([0.0, 0.3, 0.1]), is_correlation=False)
    assert interval.low == 0.0 < 0.1 < interval.high
    assert dataclasses.astuple(
        statistics.left_out_interval(1.0, np.ones(4), is_correlation=True)
    ) == pytest.approx((1.0, 1.0), abs=1e-5)
