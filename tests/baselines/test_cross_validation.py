from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ser import predictions
from ser.baselines import cross_validation
from ser.baselines.classifiers import Answers
from ser.evaluation import summary
from tests.baselines.support import corpus, emotion_task, folds_of


def knows(answers):
    """A classifier that says what its caller thinks is true."""

    def classify(train, dev, inputs):
        return Answers(np.array(answers[: len(inputs)], dtype=np.str_), "asked")

    return classify


@pytest.fixture(scope="module")
def utterances():
    return corpus(per_speaker=2)


def test_every_test_utterance_is_asked_once_in_its_fold(utterances):
    task, folds = emotion_task(utterances), folds_of(utterances)
    outcome = cross_validation.over_folds(knows(["sad"] * 99), task, folds)
    assert sorted(outcome.table["utterance_id"]) == [u.id for u in utterances]
    for fold in folds:
        rows = outcome.table[outcome.table["fold"] == fold.number]
        assert tuple(rows["utterance_id"]) == fold.test
    assert (outcome.table["truth"] == outcome.table["utterance_id"].map(task.label_of)).all()


def test_a_classifier_is_fitted_on_train_chooses_on_dev_and_hears_test(utterances):
    task, (fold, *_) = emotion_task(utterances), folds_of(utterances)
    given = []

    def classify(train, dev, inputs):
        given.append((train, dev, inputs))
        return Answers(np.full(len(inputs), "sad"), "")

    cross_validation.over_folds(classify, task, [fold])
    ((train, dev, inputs),) = given
    for part, ids in ((train, fold.train), (dev, fold.dev)):
        assert part.labels.tolist() == [task.label_of[id_] for id_ in ids]
        assert part.inputs.tolist() == [task.inputs[id_].tolist() for id_ in ids]
    assert inputs.tolist() == [task.inputs[id_].tolist() for id_ in fold.test]


def test_scores_and_intervals_are_those_of_a_cell_with_the_same_answers(utterances):
    task, folds = emotion_task(utterances), folds_of(utterances)
    answers = np.random.default_rng(0).choice(task.classes, 99)
    outcome = cross_validation.over_folds(knows(answers), task, folds)
    truth = predictions.label_ids(outcome.table["truth"], task.classes)
    said = predictions.label_ids(outcome.table["prediction"], task.classes)
    cell = predictions.table(
        ids=outcome.table["utterance_id"].tolist(),
        truth=truth,
        probabilities=np.eye(4)[said],
        emotions=task.classes,
        fold=1,
        seed=0,
        part="test",
    )
    expected = summary.summarise(cell, task.speaker_of)
    found = cross_validation.score(outcome, task)
    assert tuple(found) == cross_validation.SCORES
    assert found["num_folds"] == 5
    for name in ("uar", "wa", "macro_f1"):
        assert found[name] == expected.scores[name]
    for name in ("uar", "wa"):
        assert found[f"{name}_low"] == expected.intervals[name].low
        assert found[f"{name}_high"] == expected.intervals[name].high


def test_utterances_without_an_answer_take_no_part_and_a_test_part_of_them_is_passed_over(
    utterances,
):
    task, folds = emotion_task(utterances), folds_of(utterances)
    silent = set(folds[0].test)  # the dev part of the last fold, which is left out
    asked = replace(
        task, label_of={id_: name for id_, name in task.label_of.items() if id_ not in silent}
    )
    outcome = cross_validation.over_folds(knows(["sad"] * 99), asked, folds[:4])
    assert set(outcome.table["fold"]) == {2, 3, 4}
    assert not silent & set(outcome.table["utterance_id"])
    assert len(outcome.choices) == 3


def test_what_was_settled_on_is_counted():
    def settled(*choices):
        return cross_validation.Outcome(pd.DataFrame(), choices).settled

    assert settled("sad", "sad") == "sad in all 2 folds"
    assert settled("C = 1", "C = 0.1", "C = 1") == "C = 1 in 2, C = 0.1 in 1 folds"
