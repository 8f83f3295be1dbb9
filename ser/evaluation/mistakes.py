"""The surest mistakes of a cell: the utterances whose wrong emotion it gave the most probability.

They are what to listen to first: a label that nobody would hear, a speaker who is heard wrongly,
a recording with a fault.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ser import predictions
from ser.utterance import Utterance

#: How many a reader listens to in one go.
NUM_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Mistake:
    """One utterance of the test parts that was taken for another emotion.

    Args:
        utterance: Its record.
        truth: Its emotion.
        prediction: The emotion with the highest probability.
        probability: Of the prediction, in [0, 1].
        probability_of_truth: Of the truth, in [0, 1]; not above `probability`.
    """

    utterance: Utterance
    truth: str
    prediction: str
    probability: float
    probability_of_truth: float


@dataclass(frozen=True, slots=True)
class SurestMistakes:
    """The surest mistakes of a cell, and out of how many.

    Args:
        mistakes: Surest first.
        num_mistakes: All utterances that were taken for another emotion.
        num_utterances: All utterances that were tested.
        num_seeds: Over which probabilities are averaged.
    """

    mistakes: tuple[Mistake, ...]
    num_mistakes: int
    num_utterances: int
    num_seeds: int


def find(
    frame: pd.DataFrame, utterances: Iterable[Utterance], *, limit: int = NUM_SHOWN
) -> SurestMistakes:
    """Return the mistakes on test with the highest probability of the wrong emotion.

    An utterance's probabilities are averaged over everything that tested it: seeds, and folds
    where several test it. The prediction is the emotion with the highest average, so an
    utterance that one seed gets wrong need not be a mistake. Equal ones are in order of id.

    Args:
        frame: Predictions of the cell, all folds and seeds.
        utterances: The manifest.
        limit: The most that are returned.

    Raises:
        KeyError: A mistake is not in the manifest.
    """
    test = frame[frame["part"] == "test"]
    emotions = predictions.emotions_of(test)
    tested = test.groupby("utterance_id", sort=True)
    averages = tested[[f"probability_{emotion}" for emotion in emotions]].mean()
    probabilities = averages.to_numpy(dtype=np.float64)  # (num_utterances, num_classes)
    truth = predictions.label_ids(tested["truth"].first(), emotions)
    predicted = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predicted != truth)
    surest = wrong[np.argsort(-probabilities[wrong, predicted[wrong]], kind="stable")]
    record_of = {utterance.id: utterance for utterance in utterances}
    mistakes = tuple(
        Mistake(
            record_of[str(averages.index[row])],
            emotions[truth[row]],
            emotions[predicted[row]],
            float(probabilities[row, predicted[row]]),
            float(probabilities[row, truth[row]]),
        )
        for row in surest[:limit]
    )
    return SurestMistakes(mistakes, len(wrong), len(averages), int(test["seed"].nunique()))
