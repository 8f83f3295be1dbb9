"""How steady a challenger is when a recording is changed: whom to ask, and what it comes to."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ser import metrics, predictions
from ser.evaluation import comparison, statistics
from ser.evaluation.stability import stability
from ser.features.store import CLEAN
from ser.promotion.asking import Question
from ser.registry.evidence import Estimate, Robustness
from ser.registry.gate_params import GateParams

#: Of the draw of utterances: a challenger is asked about the same ones each time.
_SEED = 0


def sample(test: pd.DataFrame, speaker_of: Mapping[str, str], num_utterances: int) -> pd.DataFrame:
    """Return some test utterances, drawn evenly over speakers and classes.

    Each speaker gives one utterance of each class in turn, as long as there are any, so that a
    class or speaker with few utterances is heard as well.

    Args:
        test: Predictions of test parts, each utterance once.
        speaker_of: Utterance id -> speaker.
        num_utterances: How many at most.

    Returns:
        Rows of it, sorted by id; always the same ones.
    """
    ordered = test.sort_values("utterance_id", ignore_index=True)
    shuffled = ordered.sample(frac=1.0, random_state=np.random.default_rng(_SEED))
    turn = shuffled.groupby([shuffled["utterance_id"].map(speaker_of), "truth"]).cumcount()
    chosen = turn.sort_values(kind="stable").index[:num_utterances]
    return ordered.loc[chosen.sort_values()]


def decisions(
    asked: Iterable[Question], answers: Iterable[Mapping[str, Any]], emotions: Sequence[str]
) -> pd.DataFrame:
    """Return what a model decided: `utterance_id`, `change` and `emotion`.

    The emotion is the most probable one before the temperature, as in predictions.parquet,
    also where the model abstains.

    Args:
        asked: The questions.
        answers: One each.
        emotions: Class names in order.
    """
    rows = [
        (
            question.utterance_id,
            question.change,
            max(emotions, key=lambda name: answer[f"uncalibrated_{name}"]),
        )
        for question, answer in zip(asked, answers, strict=True)
    ]
    return pd.DataFrame(rows, columns=["utterance_id", "change", "emotion"])


def measure(
    decided: pd.DataFrame,
    test: pd.DataFrame,
    speaker_of: Mapping[str, str],
    params: GateParams,
    *,
    weights: str,
) -> Robustness:
    """Return what decisions come to.

    Args:
        decided: See `decisions`: every utterance of `test`, clean and under each change of the
            gates.
        test: Predictions of these utterances; says the truth.
        speaker_of: Utterance id -> speaker.
        params: The changes.
        weights: Which weights were asked, for people.
    """
    speakers = test["utterance_id"].map(speaker_of).to_numpy(dtype=np.str_)
    table = decided.pivot(index="utterance_id", columns="change", values="emotion")
    by_change = table.loc[test["utterance_id"]]
    counts = {
        change: _confusion(test, by_change[change], speakers)
        for change in (CLEAN, *params.uar_changes)
    }
    return Robustness(
        weights=weights,
        num_utterances=len(test),
        num_speakers=len(np.unique(speakers)),
        stability={
            change: _stability(by_change[CLEAN], by_change[change], speakers)
            for change in params.stability_changes
        },
        # NaN where a class is not spoken.
        uar=float(metrics.recalls_where_spoken(counts[CLEAN].sum(axis=0)).mean()),
        uar_loss={change: _loss(counts[CLEAN], counts[change]) for change in params.uar_changes},
    )


def _confusion(
    test: pd.DataFrame, emotions: pd.Series, speakers: NDArray[np.str_]
) -> NDArray[np.float64]:
    """Return the confusion of each speaker `(num_speakers, num_classes, num_classes)`."""
    names = predictions.emotions_of(test)
    counts = statistics.confusion_by_speaker(
        truth=predictions.label_ids(test["truth"], names),
        prediction=predictions.label_ids(emotions, names),
        speakers=speakers,
        num_classes=len(names),
    )
    return counts.astype(np.float64)


def _stability(clean: pd.Series, changed: pd.Series, speakers: NDArray[np.str_]) -> Estimate:
    share, interval = stability(clean.to_numpy(), changed.to_numpy(), speakers)
    return Estimate(value=share, low=interval.low, high=interval.high)


def _loss(clean: NDArray[np.float64], changed: NDArray[np.float64]) -> Estimate:
    """Return how much UAR is lost; NaN where a class is not spoken."""
    try:
        pair = comparison.compare(clean, changed)
    except ValueError:
        return Estimate(value=math.nan)
    return Estimate(value=pair.difference, low=pair.low, high=pair.high)
