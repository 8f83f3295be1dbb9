"""Cells that rate, side by side and slice by slice."""

import numpy as np
import pytest

from ser.evaluation import rating_comparison, rating_summary
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
    assert (float(found.low), float(found.high), float(found.p)) == (0.0, 0.0, 1.0)


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
