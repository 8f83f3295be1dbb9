import numpy as np
import pytest

from ser.data.votes import Votes
from ser.emotion import EMOTIONS
from ser.evaluation import soft, soft_table, summary
from tests.evaluation.support import cell, votes_on

CELLS = (("lstm", "focal"), ("lstm", "ccc"))


def made(votes=None):
    frames, summaries = {}, {}
    for seed, name in enumerate(CELLS):
        frames[name], speaker_of = cell(seed=seed)
        summaries[name] = summary.summarise(frames[name], speaker_of)
    votes = votes or votes_on(frames[CELLS[0]])
    return soft_table.table(frames, summaries, votes, speaker_of), frames, summaries, votes


def test_cells_stand_first_in_their_order_and_then_what_they_are_compared_with():
    table, frames, summaries, votes = made()
    assert list(table.columns) == list(soft_table.COLUMNS)
    assert table["model"].tolist() == ["lstm", "lstm", "one rater", "the votes", "equal shares"]
    assert table["loss"].tolist() == ["focal", "ccc", "", "", ""]
    for name, row in zip(CELLS, table.to_dict("records"), strict=False):
        assert row["num_utterances"] == len(votes.counts_of)
        assert row["uar"] == summaries[name].scores["uar"]
        assert row["uar_low"] == summaries[name].intervals["uar"].low
        test = frames[name][frames[name]["part"] == "test"]
        by_seed = soft.of_predictions(test, votes).by_seed
        for score in soft.RANGES:
            assert row[score] == pytest.approx(np.mean([found[score] for found in by_seed]))
            assert row[f"{score}_low"] <= row[score] <= row[f"{score}_high"]


def test_one_rater_has_no_cross_entropy_and_the_answers_without_a_model_no_uar():
    table, *_ = made()
    rater, best, none = table.to_dict("records")[2:]
    assert np.isnan([rater["soft_cross_entropy"], best["uar"], none["uar"]]).all()
    assert 0 < rater["uar"] < 1
    assert rater["num_utterances"] < best["num_utterances"]
    assert best["soft_cross_entropy"] < none["soft_cross_entropy"] == pytest.approx(np.log(4))


def test_without_votes_on_what_was_tested_the_table_has_no_rows():
    table, *_ = made(Votes(EMOTIONS, {}, 120, 120, 0, 0.0))
    assert table.empty
    assert list(table.columns) == list(soft_table.COLUMNS)


def test_where_everyone_voted_once_there_is_no_row_of_one_rater():
    frame, _ = cell()
    ids = sorted(set(frame.loc[frame["part"] == "test", "utterance_id"]))
    table, *_ = made(Votes(EMOTIONS, dict.fromkeys(ids, (0, 1, 0, 0)), len(ids), 0, 0, 0.0))
    assert table["model"].tolist() == ["lstm", "lstm", "the votes", "equal shares"]
