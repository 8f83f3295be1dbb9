"""A cell in numbers: its scores pooled over folds, averaged over seeds, with intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ser import files, metrics, predictions
from ser.data.votes import Votes
from ser.evaluation import soft, statistics

SCALARS = ("uar", "wa", "macro_f1", "mcc", "ece")


@dataclass(frozen=True, slots=True)
class CellSummary:
    """The test scores of one cell.

    Every seed tests each utterance once, over all folds together; a score is computed on
    these pooled predictions and then averaged over seeds.

    Args:
        num_folds, num_seeds: How often it was trained is their product.
        scores: Score -> mean over seeds; of a model that rates also `ccc_<dimension>` and
            `mae_<dimension>`, see `ser.concordance.rating_scores`; where raters' votes are
            given also those of `ser.evaluation.soft`.
        spread: Score -> standard deviation over seeds; NaN for a single seed.
        intervals: `uar`, `wa` and the scores of votes -> 95 % interval over speakers, and of the
            first two over seeds where there are several.
        recall: Emotion -> recall, mean over seeds.
        confusion: Counts over all seeds `(num_classes, num_classes)`, rows truth.
        by_seed: Counts of each seed and speaker, both sorted
            `(num_seeds, num_speakers, num_classes, num_classes)`, rows truth.
        speakers: Their names, in that order.
        emotions: Class names in order.
        origin: Where the model's weights came from before training.
    """

    num_folds: int
    num_seeds: int
    scores: Mapping[str, float]
    spread: Mapping[str, float]
    intervals: Mapping[str, statistics.Interval]
    recall: Mapping[str, float]
    confusion: NDArray[np.int64]
    by_seed: NDArray[np.float64]
    speakers: tuple[str, ...]
    emotions: tuple[str, ...]
    origin: str

    @property
    def by_speaker(self) -> NDArray[np.float64]:
        """Counts of each speaker, mean over seeds `(num_speakers, num_classes, num_classes)`."""
        return np.asarray(self.by_seed.mean(axis=0))

    @property
    def precision(self) -> dict[str, float]:
        """Emotion -> precision, pooled over folds and seeds."""
        values = metrics.precisions(self.confusion).tolist()
        return dict(zip(self.emotions, values, strict=True))

    def to_json(self) -> dict[str, Any]:
        """Return the content of a cell's metrics.json."""
        return {
            "origin": self.origin,
            "num_folds": self.num_folds,
            "num_seeds": self.num_seeds,
            **{
                name: {
                    "mean": value,
                    "std_over_seeds": _or_null(self.spread[name]),
                    **(
                        {key: _or_null(end) for key, end in asdict(self.intervals[name]).items()}
                        if name in self.intervals
                        else {}
                    ),
                }
                for name, value in self.scores.items()
            },
            "recall": dict(self.recall),
            "precision": self.precision,
            "confusion": self.confusion.tolist(),
            "emotions": list(self.emotions),
        }

    def as_metrics(self) -> dict[str, float]:
        """Return the tracking keys of the cell's parent run, e.g. `test/uar_low`."""
        ends = {
            f"test/{name}_{end}": value
            for name, interval in self.intervals.items()
            for end, value in asdict(interval).items()
        }
        keys = {
            **{f"test/{name}": value for name, value in self.scores.items()},
            **{f"test/{name}_std_over_seeds": value for name, value in self.spread.items()},
            **ends,
            **{f"test/recall_{emotion}": value for emotion, value in self.recall.items()},
            **{f"test/precision_{emotion}": value for emotion, value in self.precision.items()},
        }
        # A spread over one seed and an interval over one speaker are not known.
        return {key: value for key, value in keys.items() if not np.isnan(value)}


def summarise(
    frame: pd.DataFrame,
    speaker_of: Mapping[str, str],
    *,
    origin: str = "from scratch",
    votes: Votes | None = None,
) -> CellSummary:
    """Return a cell's test scores.

    Args:
        frame: Its predictions, all folds and seeds.
        speaker_of: Utterance id -> speaker.
        origin: Where the model's weights came from before training.
        votes: The raters', to be compared with; None leaves these scores out.

    Returns:
        The summary.

    Raises:
        ValueError: There are no test predictions, an utterance is tested twice under a
            seed, or an emotion is in no test part.
    """
    test = frame[frame["part"] == "test"]
    if test.empty:
        raise ValueError("there are no test predictions")
    if test.duplicated(["utterance_id", "seed"]).any():
        twice = test.loc[test.duplicated(["utterance_id", "seed"]), "utterance_id"].iloc[0]
        raise ValueError(f"utterance {twice!r} is tested more than once under the same seed")
    emotions = predictions.emotions_of(frame)
    seeds = [rows for _, rows in test.groupby("seed")]
    by_seed = [predictions.score(rows) for rows in seeds]
    scalars = [
        {name: getattr(scores, name) for name in SCALARS} | predictions.rating_scores(rows)
        for scores, rows in zip(by_seed, seeds, strict=True)
    ]
    intervals: dict[str, statistics.Interval] = {}
    if votes is not None and soft.has_votes(test, votes):
        of_votes = soft.of_predictions(test, votes, speaker_of)
        scalars = [own | dict(row) for own, row in zip(scalars, of_votes.by_seed, strict=True)]
        intervals |= of_votes.intervals
    speakers = test["utterance_id"].map(speaker_of).to_numpy(dtype=np.str_)
    matrices = statistics.confusion_by_seed(
        predictions.label_ids(test["truth"], emotions),
        predictions.label_ids(test["prediction"], emotions),
        speakers,
        test["seed"].to_numpy(dtype=np.int64),
        num_classes=len(emotions),
    )
    return CellSummary(
        num_folds=test["fold"].nunique(),
        num_seeds=len(by_seed),
        scores={name: _mean(scalars, name) for name in scalars[0]},
        spread={name: _spread(scalars, name) for name in scalars[0]},
        intervals=statistics.score_intervals(matrices) | intervals,
        recall={
            emotion: float(np.mean([scores.recall[emotion] for scores in by_seed]))
            for emotion in emotions
        },
        confusion=matrices.sum(axis=(0, 1)),
        by_seed=matrices.astype(np.float64),
        speakers=tuple(np.unique(speakers).tolist()),
        emotions=emotions,
        origin=origin,
    )


def write(path: Path, summary: CellSummary) -> None:
    """Write a cell's metrics.json."""
    files.write_json(path, summary.to_json())


def read_origin(path: Path) -> str:
    """Return where a cell's weights came from, which its predictions do not say.

    Args:
        path: The cell's metrics.json.

    Raises:
        FileError: It is not there, or does not say.
    """
    return files.read_json(path, lambda scores: str(scores["origin"]), what="the scores of a cell")


def _mean(by_seed: Sequence[Mapping[str, float]], name: str) -> float:
    return float(np.mean([scores[name] for scores in by_seed]))


def _spread(by_seed: Sequence[Mapping[str, float]], name: str) -> float:
    values = [scores[name] for scores in by_seed]
    return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")


def _or_null(value: float) -> float | None:
    return None if np.isnan(value) else value
