"""Predictions on disk: one row per utterance, fold, seed and part; any score follows from it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ser import metrics

KEYS = ("utterance_id", "fold", "seed", "part", "truth", "prediction")


def columns(emotions: Sequence[str]) -> list[str]:
    """Return the column names of a predictions table, in order."""
    return [*KEYS, *(f"probability_{emotion}" for emotion in emotions)]


def table(
    *,
    ids: Sequence[str],
    truth: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    emotions: Sequence[str],
    **constants: object,
) -> pd.DataFrame:
    """Return a predictions table.

    Args:
        ids: Utterance ids.
        truth: Class indices `(num_utterances,)`.
        probabilities: `(num_utterances, num_classes)`, rows sum to one.
        emotions: Class names in order.
        constants: `fold`, `seed` and `part`, the same for every row.

    Returns:
        The table with the columns of `columns(emotions)`, sorted by utterance id; truth
        and prediction are emotion names.
    """
    names = np.asarray(emotions, dtype=object)
    frame = pd.DataFrame(
        {
            "utterance_id": list(ids),
            **constants,
            "truth": names[truth],
            "prediction": names[probabilities.argmax(axis=1)],
        }
    )
    for index, emotion in enumerate(emotions):
        frame[f"probability_{emotion}"] = probabilities[:, index]
    frame = frame.sort_values("utterance_id", kind="stable", ignore_index=True)
    return frame[columns(emotions)]


def write(path: Path, frame: pd.DataFrame) -> None:
    """Write a predictions table as Parquet, sorted, deterministic in its bytes."""
    ordered = frame.sort_values(["fold", "seed", "part", "utterance_id"], ignore_index=True)
    ordered.to_parquet(path, index=False, compression="zstd")


def read(path: Path) -> pd.DataFrame:
    """Read a predictions table."""
    return pd.read_parquet(path)


def emotions_of(frame: pd.DataFrame) -> tuple[str, ...]:
    """Return the emotions of a table, in the order of its probability columns."""
    prefix = "probability_"
    return tuple(name.removeprefix(prefix) for name in frame.columns if name.startswith(prefix))


def label_ids(values: pd.Series, emotions: Sequence[str]) -> NDArray[np.int64]:
    """Return class indices of emotion names.

    Raises:
        ValueError: A name is not among the emotions.
    """
    ids = pd.Index(emotions).get_indexer(pd.Index(values))
    if (ids < 0).any():
        raise ValueError(f"unknown emotions {sorted(set(values) - set(emotions))}")
    return ids.astype(np.int64)


def probabilities_of(frame: pd.DataFrame) -> NDArray[np.float64]:
    """Return the probabilities of a table `(num_utterances, num_classes)`."""
    names = [f"probability_{emotion}" for emotion in emotions_of(frame)]
    return frame[names].to_numpy(dtype=np.float64)


def score(frame: pd.DataFrame) -> metrics.Scores:
    """Return all scores of the rows of a table, pooled.

    Raises:
        ValueError: An emotion is absent from the truth.
    """
    emotions = emotions_of(frame)
    return metrics.score(
        truth=label_ids(frame["truth"], emotions),
        prediction=label_ids(frame["prediction"], emotions),
        probabilities=probabilities_of(frame),
        emotions=emotions,
    )
