"""The baselines of a corpus without classes: ratings from no network, on the very same folds."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ser import concordance, tables
from ser.baselines import shortcut
from ser.data.splits import Fold
from ser.emotion import DIMENSIONS
from ser.evaluation import rating_summary
from ser.evaluation.jackknife import Floats
from ser.predictions import PREDICTED_RATINGS
from ser.project import Project
from ser.report.functional_rows import FunctionalRows
from ser.utterance import Utterance, ratings_of

logger = logging.getLogger(__name__)

#: The columns of reports/baselines.csv.
COLUMNS = (
    *("name", "description", "num_folds"),
    *("ccc", "ccc_low", "ccc_high", "mae", "mae_low", "mae_high"),
)
#: Strengths of the ridge, of which the dev part chooses one in every fold.
ALPHAS = (1.0, 10.0, 100.0, 1000.0)

_Rater = Callable[["RatingTask", Fold], Floats]


@dataclass(frozen=True, slots=True)
class RatingTask:
    """What is rated, and what is known of it.

    Args:
        inputs: Utterance id -> what is known of it `(num_inputs,)`.
        rating_of: Utterance id -> its ratings in the order of `ser.emotion.DIMENSIONS`, NaN
            where there is none.
        speaker_of: Utterance id -> speaker.
    """

    inputs: Mapping[str, Floats]
    rating_of: Mapping[str, Sequence[float]]
    speaker_of: Mapping[str, str]

    def stack(self, ids: Sequence[str]) -> Floats:
        """Return the inputs of utterances `(num_utterances, num_inputs)`."""
        return np.stack([self.inputs[id_] for id_ in ids])

    def ratings(self, ids: Sequence[str]) -> Floats:
        """Return the ratings of utterances `(num_utterances, 3)`."""
        return np.array([self.rating_of[id_] for id_ in ids], dtype=np.float64)


def table(task: RatingTask, folds: Sequence[Fold], *, feature: str) -> pd.DataFrame:
    """Return the rows, lowest expectation first.

    Args:
        task: Ratings, and statistics of frames.
        folds: Those of the study.
        feature: What the statistics are of.

    Returns:
        One row per baseline with `COLUMNS`.
    """
    rows: list[tuple[str, str, _Rater]] = [
        ("mean", "the mean rating of the train part, whatever is heard", _mean),
        (
            f"{feature}_ridge",
            f"ridge regression on each utterance's mean and standard deviation of {feature}",
            _ridge,
        ),
    ]
    found = [
        {"name": name, "description": description, **_scores(task, folds, rater)}
        for name, description, rater in rows
    ]
    return pd.DataFrame(found, columns=list(COLUMNS))


def _scores(task: RatingTask, folds: Sequence[Fold], rater: _Rater) -> dict[str, float]:
    parts = []
    for fold in folds:
        part = pd.DataFrame({"utterance_id": fold.test, "fold": fold.number, "seed": 0})
        part[list(DIMENSIONS)] = task.ratings(fold.test)
        part[list(PREDICTED_RATINGS)] = rater(task, fold)
        parts.append(part.assign(part="test"))
    summary = rating_summary.summarise(pd.concat(parts, ignore_index=True), task.speaker_of)
    found: dict[str, float] = {"num_folds": summary.num_folds}
    for name in ("ccc", "mae"):
        interval = summary.intervals[name]
        ends = {f"{name}_low": interval.low, f"{name}_high": interval.high}
        found |= {name: summary.scores[name], **ends}
    return found


def _mean(task: RatingTask, fold: Fold) -> Floats:
    """Return the train part's means for every test utterance `(num_utterances, 3)`."""
    return np.tile(_means(task.ratings(fold.train)), (len(fold.test), 1))


def _ridge(task: RatingTask, fold: Fold) -> Floats:
    """Return what the ridge with the highest mean CCC on dev says of the test part."""
    best = max(ALPHAS, key=lambda alpha: _dev_score(task, fold, alpha))
    return _fitted(task, fold, best, fold.test)


def _dev_score(task: RatingTask, fold: Fold, alpha: float) -> float:
    said = _fitted(task, fold, alpha, fold.dev)
    scores = concordance.rating_scores(truth=task.ratings(fold.dev), prediction=said)
    return concordance.mean_ccc(scores)


def _fitted(task: RatingTask, fold: Fold, alpha: float, ids: Sequence[str]) -> Floats:
    """Return what a ridge of the train part says of some utterances `(num_utterances, 3)`."""
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    ratings, inputs = task.ratings(fold.train), task.stack(fold.train)
    said = np.tile(_means(ratings), (len(ids), 1))
    for index in range(len(DIMENSIONS)):
        is_rated = ~np.isnan(ratings[:, index])
        if is_rated.any():
            model = make_pipeline(StandardScaler(), Ridge(alpha))
            model.fit(inputs[is_rated], ratings[is_rated, index])
            said[:, index] = model.predict(task.stack(ids))
    return said


def _means(ratings: Floats) -> Floats:
    """Return the mean per dimension `(3,)`, NaN where nobody rates."""
    means = [
        column[~np.isnan(column)].mean() if (~np.isnan(column)).any() else np.nan
        for column in ratings.T
    ]
    return np.array(means)


def write(
    project: Project,
    used: Sequence[Utterance],
    folds: Sequence[Fold],
    inputs: Mapping[str, Floats],
    *,
    feature: str,
) -> None:
    """Write the files of the baselines; what asks for classes says that there are none.

    Args:
        project: Where to.
        used: The rated utterances.
        folds: Those of the study.
        inputs: Utterance id -> statistics of its frames `(num_inputs,)`.
        feature: What the statistics are of.
    """
    ratings = {u.id: ratings_of(u) for u in used}
    task = RatingTask(inputs, ratings, {u.id: u.speaker for u in used})
    rows = table(task, folds, feature=feature)
    tables.write_csv(project.baselines, rows)
    FunctionalRows(asked=(), opensmile=None).write(project.functional_rows)
    shortcut.write(project.shortcut, {"unanswered": "The corpus has no classes."})
    for row in rows.to_dict("records"):
        logger.info("%s: CCC %.3f, %s", row["name"], row["ccc"], row["description"])
