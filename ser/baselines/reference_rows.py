"""The baselines: rows outside the grid that a model must clear, on the very same folds."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ser import tables
from ser.baselines import classifiers, cross_validation, functionals
from ser.baselines.classifiers import Classifier
from ser.baselines.cross_validation import SCORES, Task
from ser.baselines.functionals import SETS
from ser.baselines.params import BaselineParams
from ser.data.splits import Fold
from ser.features.store import FeatureStore
from ser.report.functional_rows import WHY_ABSENT, FunctionalRows

logger = logging.getLogger(__name__)

#: The columns of reports/baselines.csv.
COLUMNS = ("name", "description", *SCORES)


@dataclass(frozen=True, slots=True)
class Baseline:
    """One row of the baselines.

    Args:
        name: In `reports/baselines.csv`; letters, digits and `_`.
        description: What it does, for a reader who does not know it.
        classifier: What is run over the folds.
        inputs: Utterance id -> what it is told of it `(num_inputs,)`, where that is not what
            the other rows are told.
    """

    name: str
    description: str
    classifier: Classifier
    inputs: Mapping[str, NDArray[np.float64]] | None = None


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


def functional_rows(params: BaselineParams) -> FunctionalRows:
    """Return which rows of functionals there will be; warn where openSMILE is not installed."""
    asked = tuple(params.sets)
    rows = FunctionalRows(asked=asked, opensmile=functionals.installed() if asked else None)
    if rows.absent:
        logger.warning("%s: %s", ", ".join(rows.absent), WHY_ABSENT)
    return rows


def of_functionals(
    name: str, inputs: Mapping[str, NDArray[np.float64]], params: BaselineParams
) -> Baseline:
    """Return the row of one set of functionals.

    Args:
        name: Of the row, one of `BaselineParams.sets`.
        inputs: Utterance id -> its functionals.
        params: Whose.
    """
    of = SETS[params.sets[name]]
    return Baseline(
        name,
        f"linear SVM on the {of.num_functionals} functionals {of.name} of openSMILE",
        partial(classifiers.linear_svm, c_grid=params.c_grid),
        inputs,
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
        task: Emotion from the statistics of frames; a row may bring other inputs.
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
        asked = task if row.inputs is None else replace(task, inputs=row.inputs)
        outcome = cross_validation.over_folds(row.classifier, asked, folds)
        scores = cross_validation.score(outcome, asked)
        description = f"{row.description} ({outcome.settled})"
        found.append({"name": row.name, "description": description, **scores})
    return pd.DataFrame(found, columns=list(COLUMNS))


def write(path: Path, frame: pd.DataFrame) -> None:
    """Write reports/baselines.csv."""
    tables.write_csv(path, frame)
