import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ser import predictions
from ser.emotion import EMOTIONS
from ser.evaluation import comparison, summary
from ser.promotion import pairing
from tests import synthetic

UTTERANCES = synthetic.corpus(num_sessions=3)
SPEAKER_OF = {one.id: one.speaker for one in UTTERANCES}


def frame_of(utterances, *, seed, num_seeds=2, emotions=EMOTIONS):
    """Predictions of one fold's test and dev part, right in about half of the cases."""
    rng = np.random.default_rng(seed)
    truth = np.array([emotions.index(one.emotion) for one in utterances])
    tables = []
    for run in range(num_seeds):
        logits = rng.normal(size=(len(truth), len(emotions)))
        logits[np.arange(len(truth)), truth] += 1.0
        odds = np.exp(logits)
        for part in ("test", "dev"):
            table = predictions.table(
                ids=[one.id for one in utterances],
                truth=truth,
                probabilities=odds / odds.sum(axis=1, keepdims=True),
                emotions=emotions,
                fold=1,
                seed=run,
                part=part,
            )
            tables.append(table)
    return pd.concat(tables, ignore_index=True)


def cell(utterances, *, seed, known=True, **options):
    frame = frame_of(utterances, seed=seed, **options)
    recordings = {one.id: one.sha256 for one in utterances} if known else None
    return pairing.Tested(frame[frame["part"] == "test"], recordings)


def test_two_on_the_same_utterances_are_compared_as_cells_of_the_report_are():
    one, other = (cell(UTTERANCES, seed=seed) for seed in (1, 2))
    found = pairing.pair(one, other, SPEAKER_OF)
    summaries = [summary.summarise(frame_of(UTTERANCES, seed=seed), SPEAKER_OF) for seed in (1, 2)]
    expected = comparison.compare(*(each.by_speaker for each in summaries))
    assert found.difference_low == pytest.approx(expected.low)
    assert found.shared.share == 1.0
    assert found.shared.matched_by == "recording"
    assert found.reason == ""


@pytest.mark.parametrize("grown", ["challenger", "champion"])
def test_a_corpus_that_grew_or_shrank_is_compared_on_what_both_tested(grown):
    fewer = UTTERANCES[:-1]
    both = [cell(UTTERANCES, seed=1), cell(fewer, seed=2)]
    one, other = both if grown == "challenger" else reversed(both)
    found = pairing.pair(one, other, SPEAKER_OF)
    assert found.shared.num_utterances == len(fewer)
    assert {found.shared.num_challenger, found.shared.num_champion} == {
        len(fewer),
        len(UTTERANCES),
    }
    assert found.shared.share == len(fewer) / len(UTTERANCES)
    assert math.isfinite(found.difference_low)
    without = replace(one, frame=one.frame[one.frame["utterance_id"] != UTTERANCES[-1].id])
    assert found.difference_low == pairing.pair(without, other, SPEAKER_OF).difference_low


def test_an_utterance_of_another_recording_or_another_truth_is_not_the_same():
    one = cell(UTTERANCES, seed=1)
    first, second, third, *_ = UTTERANCES
    recorded_anew = {**one.recording_of, first.id: "f" * 64}
    frame = one.frame.copy()
    frame.loc[frame["utterance_id"] == second.id, "truth"] = "sad"
    other = pairing.Tested(frame, recorded_anew)
    expected = {item.id for item in UTTERANCES} - {first.id, second.id}
    assert pairing.common(one, other) == pairing.common(other, one) == expected
    assert third.id in expected


def test_without_a_note_of_recordings_the_id_counts_and_that_is_said():
    one, other = cell(UTTERANCES, seed=1), cell(UTTERANCES, seed=2, known=False)
    found = pairing.pair(one, other, SPEAKER_OF)
    assert found.shared.num_utterances == len(UTTERANCES)
    assert found.shared.matched_by == "id"
    assert "that both tested" in found.shared.described


def test_another_corpus_with_the_same_ids_is_no_pair():
    one = cell(UTTERANCES, seed=1)
    other = replace(one, recording_of=dict.fromkeys(one.recording_of, "f" * 64))
    found = pairing.pair(one, other, SPEAKER_OF)
    assert found.shared.num_utterances == 0
    assert found.difference_low is None
    assert found.reason == "no utterance was tested by both"


def test_what_both_tested_without_one_of_the_classes_is_no_pair():
    no_sad = [one for one in UTTERANCES if one.emotion != "sad"]
    found = pairing.pair(cell(UTTERANCES, seed=1), cell(no_sad, seed=2), SPEAKER_OF)
    assert found.difference_low is None
    assert found.shared.num_utterances == len(no_sad)
    assert found.reason


def test_other_classes_make_no_pair_and_are_named():
    wider = (*EMOTIONS, "bored")
    found = pairing.pair(
        cell(UTTERANCES, seed=1), cell(UTTERANCES, seed=2, emotions=wider), SPEAKER_OF
    )
    assert found.shared is None
    assert found.difference_low is None
    assert "bored" in found.reason


def test_the_recordings_of_what_was_tested_are_noted_and_no_others():
    frame = frame_of(UTTERANCES[:5], seed=1)
    found = pairing.recordings(frame, UTTERANCES)
    assert dict(zip(found["utterance_id"], found["sha256"], strict=True)) == {
        one.id: one.sha256 for one in UTTERANCES[:5]
    }
