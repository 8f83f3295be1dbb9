"""Predictions on disk: one row per utterance, fold, seed and part; any score follows from it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ser import concordance, scores, tables
from ser.emotion import DIMENSIONS

#: Columns of a model that rates beside the columns of every model.
RATINGS = DIMENSIONS
PREDICTED_RATINGS = tuple(f"predicted_{dimension}" for dimension in DIMENSIONS)

KEYS = ("utterance_id", "fold", "seed", "part", "truth", "prediction")

#: The same of predictions under the copies of a feature, all of them of the test part.
COPY_KEYS = ("utterance_id", "fold", "seed", "copy", "truth", "prediction")


def columns(emotions: Sequence[str], *, rated: bool = False) -> list[str]:
    """Return the column names of a predictions table, in order.

    Args:
        emotions: Class names in order; none of a model that rates alone.
        rated: Whether the model rates too: then the ratings and what the model says of
            them, in points of their scale, come last.
    """
    ratings = (*RATINGS, *PREDICTED_RATINGS) if rated else ()
    keys = KEYS if emotions else KEYS[:4]  # without classes there is neither truth nor prediction
    return [*keys, *(f"probability_{emotion}" for emotion in emotions), *ratings]


def table(
    *,
    ids: Sequence[str],
    truth: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    emotions: Sequence[str],
    ratings: NDArray[np.float64] | None = None,
    predicted_ratings: NDArray[np.float64] | None = None,
    **constants: object,
) -> pd.DataFrame:
    """Return a predictions table.

    Args:
        ids: Utterance ids.
        truth: Class indices `(num_utterances,)`.
        probabilities: `(num_utterances, num_classes)`, rows sum to one.
        emotions: Class names in order.
        ratings: Valence, arousal and dominance `(num_utterances, 3)` in points of their
            scale, NaN where an utterance has no rating.
        predicted_ratings: What a model that rates says, same shape; None of another model,
            whose table has no columns of ratings.
        constants: `fold`, `seed` and `part`, the same for every row.

    Returns:
        The table with the columns of `columns`, sorted by utterance id; truth and
        prediction are emotion names.

    Raises:
        ValueError: There are predicted ratings, and nothing to compare them with.
    """
    frame = pd.DataFrame({"utterance_id": list(ids), **constants})
    if emotions:
        names = np.asarray(emotions, dtype=object)
        frame["truth"] = names[truth]
        frame["prediction"] = names[probabilities.argmax(axis=1)]
    for index, emotion in enumerate(emotions):
        frame[f"probability_{emotion}"] = probabilities[:, index]
    if predicted_ratings is not None:
        if ratings is None:
            raise ValueError("predicted ratings need ratings, NaN where there are none")
        frame[list(RATINGS)] = ratings
        frame[list(PREDICTED_RATINGS)] = predicted_ratings
    frame = frame.sort_values("utterance_id", kind="stable", ignore_index=True)
    return frame[columns(emotions, rated=predicted_ratings is not None)]


def of_copies(tables_of: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the predictions of the test part under several copies as one table.

    Args:
        tables_of: Name of a copy -> its table, see `table`; at least one.

    Returns:
        Columns `COPY_KEYS`, and the probability of each emotion.
    """
    joined = pd.concat(
        [frame.assign(copy=copy) for copy, frame in tables_of.items()], ignore_index=True
    )
    return joined[[*COPY_KEYS, *(f"probability_{emotion}" for emotion in emotions_of(joined))]]


def write(path: Path, frame: pd.DataFrame) -> None:
    """Write a predictions table as Parquet, sorted, deterministic in its bytes."""
    third = "part" if "part" in frame else "copy"
    ordered = frame.sort_values(["fold", "seed", third, "utterance_id"], ignore_index=True)
    tables.write_parquet(path, ordered)


def read(path: Path) -> pd.DataFrame:
    """Read a predictions table.

    Raises:
        FileError: The file is missing, or is no Parquet.
    """
    return tables.read_parquet(path)


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


def score(frame: pd.DataFrame) -> scores.Scores:
    """Return all scores of the rows of a table, pooled.

    Raises:
        ValueError: An emotion is absent from the truth.
    """
    emotions = emotions_of(frame)
    return scores.score(
        truth=label_ids(frame["truth"], emotions),
        prediction=label_ids(frame["prediction"], emotions),
        probabilities=probabilities_of(frame),
        emotions=emotions,
    )


def rating_scores(frame: pd.DataFrame) -> dict[str, float]:
    """Return CCC and MAE per dimension of the rows of a table, pooled.

    Returns:
        See `ser.concordance.rating_scores`; nothing for the table of a model that does not rate.
    """
    if not set(PREDICTED_RATINGS) <= set(frame.columns):
        return {}
    return concordance.rating_scores(
        truth=frame[list(RATINGS)].to_numpy(dtype=np.float64),
        prediction=frame[list(PREDICTED_RATINGS)].to_numpy(dtype=np.float64),
    )
