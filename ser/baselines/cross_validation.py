"""One classifier over all folds of the study, and its scores as the cells have them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ser import metrics, predictions
from ser.baselines.classifiers import Classifier, Labelled
from ser.data.splits import Fold
from ser.evaluation import statistics

#: The scores of a row; it has neither MCC nor ECE, as its answers carry no probabilities.
SCORES = ("num_folds", "uar", "uar_low", "uar_high", "wa", "wa_low", "wa_high", "macro_f1")


@dataclass(frozen=True, slots=True)
class Task:
    """A question with one answer per utterance.

    Args:
        inputs: Utterance id -> what is known of it `(num_inputs,)`.
        label_of: Utterance id -> its class; utterances that are not here take no part.
        speaker_of: Utterance id -> speaker.
        classes: Names of the classes, in order.
    """

    inputs: Mapping[str, NDArray[np.float64]]
    label_of: Mapping[str, str]
    speaker_of: Mapping[str, str]
    classes: tuple[str, ...]

    def asked(self, ids: Sequence[str]) -> list[str]:
        """Return those of some utterances that take part."""
        return [id_ for id_ in ids if id_ in self.label_of]

    def part(self, ids: Sequence[str]) -> Labelled:
        """Return the inputs and answers of some utterances, in their order."""
        chosen = self.asked(ids)
        labels = np.array([self.label_of[id_] for id_ in chosen], dtype=np.str_)
        return Labelled(self.stack(chosen), labels)

    def stack(self, ids: Sequence[str]) -> NDArray[np.float64]:
        """Return the inputs of utterances `(num_utterances, num_inputs)`."""
        return np.stack([self.inputs[id_] for id_ in ids])


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a classifier said of every test part.

    Args:
        table: One row per utterance tested: `utterance_id, fold, truth, prediction`.
        choices: What it settled on, one per fold.
    """

    table: pd.DataFrame
    choices: tuple[str, ...]

    @property
    def settled(self) -> str:
        """What it settled on and how often, e.g. `C = 0.1 in 3 folds, C = 1 in 2`."""
        counts = sorted(Counter(self.choices).items(), key=lambda item: (-item[1], item[0]))
        if len(counts) == 1:
            return f"{counts[0][0]} in all {len(self.choices)} folds"
        return ", ".join(f"{choice} in {count}" for choice, count in counts) + " folds"


def over_folds(classifier: Classifier, task: Task, folds: Sequence[Fold]) -> Outcome:
    """Fit on the train part of every fold, choose on its dev part, and predict its test part.

    The classifier is never given an answer of the test part.

    Args:
        classifier: What is fitted.
        task: The question.
        folds: Those of the study. Utterances of the task must occur in every train and dev
            part; a fold whose test part has none is passed over.

    Returns:
        Its answers, all folds together.
    """
    tables, choices = [], []
    for fold in folds:
        ids = task.asked(fold.test)
        if not ids:
            continue
        verdict = classifier(task.part(fold.train), task.part(fold.dev), task.stack(ids))
        choices.append(verdict.choice)
        tables.append(
            pd.DataFrame(
                {
                    "utterance_id": ids,
                    "fold": fold.number,
                    "truth": [task.label_of[id_] for id_ in ids],
                    "prediction": verdict.prediction,
                }
            )
        )
    return Outcome(pd.concat(tables, ignore_index=True), tuple(choices))


def score(outcome: Outcome, task: Task) -> dict[str, float]:
    """Return the scores of the test parts of all folds together.

    Args:
        outcome: What was said.
        task: The question it answers.

    Returns:
        `SCORES`, with the definitions and the intervals over speakers that the cells of
        the grid have; ends of an interval are NaN where there is only one speaker.

    Raises:
        ValueError: A class occurs in no test part.
    """
    table, num_classes = outcome.table, len(task.classes)
    truth = predictions.label_ids(table["truth"], task.classes)
    prediction = predictions.label_ids(table["prediction"], task.classes)
    matrices = statistics.confusion_by_speaker(
        truth=truth,
        prediction=prediction,
        speakers=table["utterance_id"].map(task.speaker_of).to_numpy(dtype=np.str_),
        num_classes=num_classes,
    )
    intervals = statistics.score_intervals(matrices)
    return {
        "num_folds": table["fold"].nunique(),
        "uar": metrics.uar(truth=truth, prediction=prediction, num_classes=num_classes),
        "uar_low": intervals["uar"].low,
        "uar_high": intervals["uar"].high,
        "wa": metrics.wa(truth=truth, prediction=prediction),
        "wa_low": intervals["wa"].low,
        "wa_high": intervals["wa"].high,
        "macro_f1": metrics.macro_f1(truth=truth, prediction=prediction, num_classes=num_classes),
    }
