"""The baselines: rows outside the grid that a model must clear, on the very same folds."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat

from ser import tables
from ser.baselines import classifiers, cross_validation
from ser.baselines.classifiers import Classifier
from ser.baselines.cross_validation import SCORES, Task
from ser.data.splits import Fold
from ser.features.store import FeatureStore
from ser.params import Section

#: The columns of reports/baselines.csv.
COLUMNS = ("name", "description", *SCORES)


class BaselineParams(Section):
    """The reference rows that need no network.

    Args:
        feature: The feature whose statistics the linear SVM reads.
        c_grid: Values of its C, of which the dev part chooses one in every fold; above
            zero.
    """

    feature: str = Field("mfcc", min_length=1)
    c_grid: tuple[PositiveFloat, ...] = Field((0.001, 0.01, 0.1, 1.0), min_length=1)


@dataclass(frozen=True, slots=True)
class Baseline:
    """One row of the baselines.

    Args:
        name: In `reports/baselines.csv`; letters, digits and `_`.
        description: What it does, for a reader who does not know it.
        classifier: What is run over the folds.
    """

    name: str
    description: str
    classifier: Classifier


def baselines(params: BaselineParams) -> tuple[Baseline, ...]:
    """Return the rows, lowest expectation first; one more is one more entry here."""
    return (
        Baseline(
            "majority",
            "the commonest emotion of the train part, whatever is heard",
            classifiers.majority,
        ),
        Baseline(
            f"{params.feature}_svm",
            f"linear SVM on each utterance's mean and standard deviation of {params.feature}",
            partial(classifiers.linear_svm, c_grid=params.c_grid),
        ),
    )


def frame_statistics(store: FeatureStore, ids: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """Return mean and standard deviation over time of each utterance's frames.

    Args:
        store: Where the frames are, `(num_frames, num_bins)` each.
        ids: Which utterances.

    Returns:
        Id -> `(2 * num_bins,)`: the means of all bins, then their standard deviations
        (biased, 1 / num_frames).

    Raises:
        StaleFeaturesError: An utterance is not in the store.
    """
    statistics = {}
    for id_ in ids:
        frames = store[id_].astype(np.float64)
        statistics[id_] = np.concatenate([frames.mean(axis=0), frames.std(axis=0)])
    return statistics


def table(task: Task, folds: Sequence[Fold], rows: Sequence[Baseline]) -> pd.DataFrame:
    """Return the baselines.

    Args:
        task: Emotion from the statistics of frames.
        folds: Those of the study.
        rows: What to compute, see `baselines`.

    Returns:
        One row per baseline with `COLUMNS`, in their order. A description ends with what
        was settled on in how many folds.

    Raises:
        TrainingError: A baseline cannot be fitted.
    """
    found = []
    for row in rows:
        outcome = cross_validation.over_folds(row.classifier, task, folds)
        scores = cross_validation.score(outcome, task)
        description = f"{row.description} ({outcome.settled})"
        found.append({"name": row.name, "description": description, **scores})
    return pd.DataFrame(found, columns=list(COLUMNS))


def write(path: Path, frame: pd.DataFrame) -> None:
    """Write reports/baselines.csv."""
    tables.write_csv(path, frame)
