import numpy as np
import pandas as pd
import pytest

from ser import predictions
from ser.emotion import EMOTIONS
from ser.evaluation import mistakes
from tests import synthetic
from tests.evaluation.support import cell, records_of

ANGRY, HAPPY, NEUTRAL, SAD = range(4)


def table(rows, *, seed=0, fold=1, part="test"):
    """Predictions of utterances: id -> (truth, probabilities)."""
    return predictions.table(
        ids=list(rows),
        truth=np.array([truth for truth, _ in rows.values()]),
        probabilities=np.array([each for _, each in rows.values()]),
        emotions=EMOTIONS,
        fold=fold,
        seed=seed,
        part=part,
    )


def find(*tables, limit=10):
    frame = pd.concat(tables, ignore_index=True)
    records = [synthetic.utterance(id_) for id_ in sorted(set(frame["utterance_id"]))]
    return mistakes.find(frame, records, limit=limit)


def ids(found):
    return [mistake.utterance.id for mistake in found.mistakes]


def test_the_highest_probability_for_a_wrong_emotion_comes_first():
    found = find(
        table(
            {
                "right": (ANGRY, [0.97, 0.01, 0.01, 0.01]),
                "sure": (HAPPY, [0.2, 0.1, 0.1, 0.6]),
                "surest": (SAD, [0.05, 0.8, 0.05, 0.1]),
                "unsure": (NEUTRAL, [0.3, 0.24, 0.25, 0.21]),
            }
        )
    )
    assert ids(found) == ["surest", "sure", "unsure"]
    first = found.mistakes[0]
    assert (first.truth, first.prediction) == ("sad", "happy")
    assert (first.probability, first.probability_of_truth) == (0.8, 0.1)
    assert (found.num_mistakes, found.num_utterances, found.num_seeds) == (3, 4, 1)


def test_equal_ones_are_in_order_of_id():
    row = (SAD, [0.7, 0.1, 0.1, 0.1])
    assert ids(find(table(dict.fromkeys(("c", "a", "b"), row)))) == ["a", "b", "c"]


def test_probabilities_are_averaged_over_seeds_before_anything_is_decided():
    found = find(
        table({"a": (ANGRY, [0.1, 0.7, 0.1, 0.1]), "b": (ANGRY, [0.3, 0.6, 0.1, 0.0])}, seed=0),
        table({"a": (ANGRY, [0.2, 0.1, 0.6, 0.1]), "b": (ANGRY, [0.9, 0.1, 0.0, 0.0])}, seed=7),
    )
    # Seed 0 gets b wrong, and both together do not.
    (only,) = found.mistakes
    assert only.utterance.id == "a"
    assert only.prediction == "happy"
    assert only.probability == pytest.approx(0.4)
    assert only.probability_of_truth == pytest.approx(0.15)
    assert (found.num_mistakes, found.num_utterances, found.num_seeds) == (1, 2, 2)


def test_an_utterance_that_several_folds_test_is_one():
    rows = {"a": (ANGRY, [0.1, 0.7, 0.1, 0.1])}
    found = find(table(rows), table(rows, fold=2))
    assert ids(found) == ["a"]
    assert (found.num_utterances, found.num_seeds) == (1, 1)


def test_only_the_test_parts_count():
    wrong, right = (ANGRY, [0.0, 1.0, 0.0, 0.0]), (ANGRY, [1.0, 0.0, 0.0, 0.0])
    found = find(table({"a": wrong, "b": wrong}, part="dev"), table({"a": right, "c": right}))
    assert found == mistakes.SurestMistakes((), 0, 2, 1)


def test_no_more_than_wanted_are_returned_and_all_are_counted():
    rows = {f"u{n:02}": (SAD, [1 - n / 40, n / 40, 0.0, 0.0]) for n in range(12)}
    found = find(table(rows), limit=3)
    assert ids(found) == ["u00", "u01", "u02"]
    assert found.num_mistakes == 12
    assert len(find(table(rows)).mistakes) == mistakes.NUM_SHOWN == 10


def test_they_are_those_that_a_loop_over_rows_finds():
    frame, _ = cell(num_seeds=3)
    found = mistakes.find(frame, records_of(frame))
    expected = []
    for id_, rows in frame[frame["part"] == "test"].groupby("utterance_id"):
        means = {e: sum(rows[f"probability_{e}"]) / len(rows) for e in EMOTIONS}
        prediction = max(means, key=means.get)
        if prediction != rows["truth"].iloc[0]:
            expected.append((-means[prediction], id_, prediction))
    expected.sort()
    assert found.num_mistakes == len(expected)
    assert [(m.utterance.id, m.prediction) for m in found.mistakes] == [
        (id_, prediction) for _, id_, prediction in expected[:10]
    ]
    np.testing.assert_allclose(
        [m.probability for m in found.mistakes], [-p for p, _, _ in expected[:10]], rtol=1e-12
    )


def test_a_mistake_that_the_manifest_does_not_know_is_an_error():
    frame = table({"a": (ANGRY, [0.1, 0.7, 0.1, 0.1])})
    with pytest.raises(KeyError, match="a"):
        mistakes.find(frame, [])


def test_pairs_are_counted_and_name_their_surest_mistakes():
    rows = {
        "a": (ANGRY, [0.1, 0.8, 0.1, 0.0]),
        "b": (ANGRY, [0.1, 0.9, 0.0, 0.0]),
        "c": (ANGRY, [0.2, 0.7, 0.1, 0.0]),
        "d": (ANGRY, [0.2, 0.6, 0.2, 0.0]),
        "e": (ANGRY, [0.9, 0.1, 0.0, 0.0]),
        "f": (SAD, [0.0, 0.0, 0.9, 0.1]),
        "g": (HAPPY, [0.0, 1.0, 0.0, 0.0]),
    }
    most, other = mistakes.confused_pairs(table(rows))
    assert (most.truth, most.prediction, most.num_mistakes, most.num_spoken) == (
        "angry", "happy", 4, 5,
    )  # fmt: skip
    assert most.surest == ("b", "a", "c")
    assert (other.truth, other.prediction, other.surest) == ("sad", "neutral", ("f",))
    written = mistakes.pairs_table({("lstm", "focal"): table(rows)})
    assert list(written.columns) == list(mistakes.CONFUSION_COLUMNS)
    assert written["share"].tolist() == [0.8, 1.0]
    assert written["surest"].tolist() == ["b a c", "f"]


def test_a_cell_without_mistakes_confuses_nothing():
    right = table({"a": (ANGRY, [1.0, 0.0, 0.0, 0.0])})
    assert mistakes.confused_pairs(right) == []
    empty = mistakes.pairs_table({("lstm", "focal"): right})
    assert list(empty.columns) == list(mistakes.CONFUSION_COLUMNS)
