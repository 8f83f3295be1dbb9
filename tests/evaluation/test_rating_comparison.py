"""Cells that rate, side by side and slice by slice."""

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from ser.evaluation import best, rating_comparison, rating_summary
from ser.evaluation.rating_moments import RatingMoments
from tests.evaluation.rated import PREDICTED, rated, scores_of


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
    assert float(found.p) == 1.0
    assert -0.1 < float(found.low) == -float(found.high) < 0
    grid = rating_comparison.table({("a", "ccc"): summary, ("b", "ccc"): summary})
    assert grid["tied_with_best"].all()
    assert grid["probability_best"].tolist() == pytest.approx([0.5, 0.5], abs=0.03)


def noisy(frame, scale, seed):
    noise = scale * np.random.default_rng(seed).normal(size=(len(frame), len(PREDICTED)))
    return frame.assign(
        **dict(zip(PREDICTED, (frame[PREDICTED] + noise).T.to_numpy(), strict=True))
    )


def cells(*scales, num_seeds=1):
    """Cells by name, each with so much noise in what it says."""
    frame, speaker_of = rated(num_seeds=num_seeds)
    return {
        ("m", str(n)): rating_summary.summarise(noisy(frame, scale, n), speaker_of)
        for n, scale in enumerate(scales)
    }


def test_of_two_cells_the_corrected_p_is_that_of_the_one_sided_paired_test():
    found = cells(0.3, 0.5)
    pair = rating_comparison.compare(*found.values())
    grid = rating_comparison.table(found)
    t = (grid["ccc"].iloc[0] - grid["ccc"].iloc[1]) / float(pair.standard_error)
    assert grid["p_against_best"].iloc[1] == pytest.approx(float(pair.p))
    assert grid["p_corrected"].iloc[1] == pytest.approx(scipy.stats.t.sf(t, 8), abs=0.01)
    assert grid["probability_best"].iloc[0] == pytest.approx(scipy.stats.t.cdf(t, 8), abs=0.015)


def test_the_best_of_many_is_corrected_for_having_been_chosen():
    grid = rating_comparison.table(cells(*[0.8] * 10))
    first = grid.iloc[0]
    shift = first["ccc"] - first["ccc_corrected"]
    assert 0.001 < shift < 0.1
    assert first["ccc_corrected_low"] == pytest.approx(first["ccc_low"] - shift)
    assert grid["ccc_corrected"].iloc[1:].isna().all()
    assert grid["probability_best"].sum() == pytest.approx(1.0)
    assert grid["probability_best"].iloc[0] < 0.8
    assert grid["tied_with_best"].sum() >= 8
    (alone,) = rating_comparison.table(cells(0.8)).to_dict("records")
    assert (alone["ccc_corrected"], alone["probability_best"]) == (alone["ccc"], 1.0)


@pytest.mark.parametrize("alone", ["speaker", "dimension"])
def test_what_hangs_on_one_speaker_tells_nothing_apart(alone):
    frame, speaker_of = rated(num_seeds=1)
    if alone == "speaker":
        speaker_of = dict.fromkeys(speaker_of, "s")
    else:  # one speaker alone is rated on dominance
        one = frame["utterance_id"].map(speaker_of) == next(iter(speaker_of.values()))
        frame = frame.assign(dominance=frame["dominance"].where(one))
    found = {
        ("m", str(n)): rating_summary.summarise(noisy(frame, scale, n), speaker_of)
        for n, scale in enumerate((0.01, 3.0))
    }
    grid = rating_comparison.table(found)
    assert grid["tied_with_best"].all()
    assert (grid["p_corrected"] == 1.0).all()
    assert grid["probability_best"].isna().all()
    assert grid["p_against_best"].iloc[1] == 1.0


def test_seeds_that_disagree_make_a_difference_less_sure():
    frame, speaker_of = rated(num_seeds=1)
    both = []
    for scales in ((0.3, 0.3), (0.1, 0.9)):
        seeds = [noisy(frame, s, n).assign(seed=n) for n, s in enumerate(scales)]
        a = rating_summary.summarise(pd.concat(seeds, ignore_index=True), speaker_of)
        b = rating_summary.summarise(noisy(frame, 1.0, 9), speaker_of)
        both.append(rating_comparison.compare(a, b))
    sure, unsure = both
    assert float(unsure.standard_error) > 1.5 * float(sure.standard_error)
    assert float(unsure.p) > float(sure.p)


def test_the_truly_best_cell_is_kept_as_often_as_is_said():
    """Six equal cells, told by eight speakers who are heard with errors of their own."""
    rng, trials, kept = np.random.default_rng(3), 120, 0
    for _ in range(trials):
        rating = rng.normal(size=(8, 40))
        said = 0.6 * rating + 0.5 * rng.normal(size=(6, 8, 40)) + 0.3 * rng.normal(size=(6, 8, 1))
        contest, _ = rating_comparison._contest([moments(rating, one) for one in said])
        kept += best.corrected_p(contest, rng, 199)[0] >= 0.05
    assert 0.9 <= kept / trials <= 1.0


def moments(rating, said):
    """Sums of one dimension under one seed, `(num_speakers, num_utterances)` each."""
    terms = (np.ones_like(rating), rating, said, rating**2, said**2, rating * said, rating * 0)
    sums = np.stack([term.sum(axis=1) for term in terms], axis=-1)[None, :, None]
    return RatingMoments(("valence",), tuple(map(str, range(len(rating)))), sums)


def test_slices_are_scored_like_the_whole():
    frame, speaker_of = rated()
    sliced = rating_comparison.slices_table(frame, {"speaker": speaker_of})
    test = frame[frame["part"] == "test"]
    for row in sliced.to_dict("records"):
        rows = test[test["utterance_id"].map(speaker_of) == row["value"]]
        assert row["ccc"] == pytest.approx(scores_of(rows)["ccc"])
        assert row["num_utterances"] == rows["utterance_id"].nunique()


def test_a_single_cell_has_no_pair_and_is_the_best():
    frame, speaker_of = rated(num_seeds=1)
    alone = {("lstm", "ccc"): rating_summary.summarise(frame, speaker_of)}
    assert rating_comparison.table(alone)["tied_with_best"].tolist() == [True]
    pairs = rating_comparison.pairs_table(alone)
    assert list(pairs) == list(rating_comparison.PAIR_COLUMNS)
    assert pairs.empty
    assert "lstm       ccc" in rating_comparison.as_text(rating_comparison.table(alone))
