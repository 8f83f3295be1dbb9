"""The surest mistakes of a cell: the utterances whose wrong emotion it gave the most probability.

They are what to listen to first: a label that nobody would hear, a speaker who is heard wrongly,
a recording with a fault.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ser import predictions
from ser.grid.params import Cell
from ser.utterance import Utterance

#: How many a reader listens to in one go.
NUM_SHOWN = 10
#: How many are named of each pair of emotions.
NUM_NAMED = 3
CONFUSION_COLUMNS = (
    "model",
    "loss",
    "truth",
    "prediction",
    "num_mistakes",
    "num_spoken",
    "share",
    "surest",
)


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


@dataclass(frozen=True, slots=True)
class ConfusedPair:
    """An emotion that is taken for another.

    Args:
        truth: The emotion that is spoken.
        prediction: The emotion that it is taken for.
        num_mistakes: Utterances of which that is so, above 0.
        num_spoken: Utterances of the truth.
        surest: Ids of those with the highest probability of the wrong emotion, surest first.
    """

    truth: str
    prediction: str
    num_mistakes: int
    num_spoken: int
    surest: tuple[str, ...]


class _Decided(NamedTuple):
    """What a cell makes of each utterance, averaged over everything that tested it.

    Args:
        ids: Utterance ids, sorted `(num_utterances,)`.
        emotions: Class names in order.
        probabilities: `(num_utterances, num_classes)`.
        truth: Class indices, as `ids`.
        predicted: The same.
        wrong: Rows of the mistakes, surest first; equal ones in order of id.
        num_seeds: How many there are.
    """

    ids: tuple[str, ...]
    emotions: tuple[str, ...]
    probabilities: NDArray[np.float64]
    truth: NDArray[np.int64]
    predicted: NDArray[np.int64]
    wrong: NDArray[np.int64]
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
    found = _decide(frame)
    record_of = {utterance.id: utterance for utterance in utterances}
    mistakes = tuple(
        Mistake(
            record_of[found.ids[row]],
            found.emotions[found.truth[row]],
            found.emotions[found.predicted[row]],
            float(found.probabilities[row, found.predicted[row]]),
            float(found.probabilities[row, found.truth[row]]),
        )
        for row in found.wrong[:limit]
    )
    return SurestMistakes(mistakes, len(found.wrong), len(found.ids), found.num_seeds)


def confused_pairs(frame: pd.DataFrame, *, limit: int = NUM_NAMED) -> list[ConfusedPair]:
    """Return which emotions are taken for which, the commonest first.

    Args:
        frame: Predictions of the cell, all folds and seeds; see `find`.
        limit: The most ids that are named per pair.
    """
    found = _decide(frame)
    rows_of: dict[tuple[int, int], list[int]] = {}
    for row in found.wrong.tolist():
        rows_of.setdefault((int(found.truth[row]), int(found.predicted[row])), []).append(row)
    spoken = np.bincount(found.truth, minlength=len(found.emotions))
    return [
        ConfusedPair(
            found.emotions[truth],
            found.emotions[predicted],
            len(rows),
            int(spoken[truth]),
            tuple(found.ids[row] for row in rows[:limit]),
        )
        for (truth, predicted), rows in sorted(rows_of.items(), key=lambda one: -len(one[1]))
    ]


def pairs_table(frames: Mapping[Cell, pd.DataFrame]) -> pd.DataFrame:
    """Return the confused pairs of every cell, `CONFUSION_COLUMNS`; ids are set apart by blanks.

    Args:
        frames: (model, loss) -> predictions.
    """
    rows = [
        {
            "model": model,
            "loss": loss,
            "truth": pair.truth,
            "prediction": pair.prediction,
            "num_mistakes": pair.num_mistakes,
            "num_spoken": pair.num_spoken,
            "share": pair.num_mistakes / pair.num_spoken,
            "surest": " ".join(pair.surest),
        }
        for (model, loss), frame in frames.items()
        for pair in confused_pairs(frame)
    ]
    return pd.DataFrame(rows, columns=list(CONFUSION_COLUMNS))


def _decide(frame: pd.DataFrame) -> _Decided:
    test = frame[frame["part"] == "test"]
    emotions = predictions.emotions_of(test)
    tested = test.groupby("utterance_id", sort=True)
    averages = tested[[f"probability_{emotion}" for emotion in emotions]].mean()
    probabilities = averages.to_numpy(dtype=np.float64)
    truth = predictions.label_ids(tested["truth"].first(), emotions)
    predicted = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predicted != truth)
    return _Decided(
        tuple(str(id_) for id_ in averages.index),
        emotions,
        probabilities,
        truth,
        predicted,
        wrong[np.argsort(-probabilities[wrong, predicted[wrong]], kind="stable")],
        int(test["seed"].nunique()),
    )
