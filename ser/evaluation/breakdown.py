"""The scores of every cell fold by fold and speaker by speaker."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ser import metrics, predictions, tables
from ser.evaluation import statistics
from ser.grid.params import Cell
from ser.project import Project

SCORES = ("num_seeds", "num_utterances", "num_emotions", "uar", "uar_std_over_seeds", "wa")
FOLD_COLUMNS = ("model", "loss", "fold", *SCORES)
SPEAKER_COLUMNS = ("model", "loss", "speaker", *SCORES)


def by_fold(frames: Mapping[Cell, pd.DataFrame]) -> pd.DataFrame:
    """Return the scores of each fold's test part.

    Args:
        frames: (model, loss) -> predictions.

    Returns:
        One row per cell and fold with `FOLD_COLUMNS`: UAR over the `num_emotions` that are
        spoken there, WA, both in [0, 1] and mean over seeds; the standard deviation of UAR over
        seeds, NaN for one.
    """
    rows = [
        {"model": model, "loss": loss, "fold": int(fold), **scores}
        for (model, loss), frame in frames.items()
        for fold, scores in sorted(
            _scores(frame, "fold", None).items(), key=lambda item: int(item[0])
        )
    ]
    return pd.DataFrame(rows, columns=list(FOLD_COLUMNS))


def by_speaker(frames: Mapping[Cell, pd.DataFrame], speaker_of: Mapping[str, str]) -> pd.DataFrame:
    """Return the scores of each speaker of the test parts.

    Args:
        frames: (model, loss) -> predictions.
        speaker_of: Utterance id -> speaker.

    Returns:
        One row per cell and speaker, sorted by name, with `SPEAKER_COLUMNS`; see `by_fold`.
    """
    rows = [
        {"model": model, "loss": loss, "speaker": speaker, **scores}
        for (model, loss), frame in frames.items()
        for speaker, scores in _scores(frame, "utterance_id", speaker_of).items()
    ]
    return pd.DataFrame(rows, columns=list(SPEAKER_COLUMNS))


def _scores(
    frame: pd.DataFrame, column: str, name_of: Mapping[str, str] | None
) -> dict[str, dict[str, float]]:
    """Return group -> its scores; a row's group is what a column holds, or the name of that."""
    test = frame[frame["part"] == "test"]
    groups = test[column] if name_of is None else test[column].map(name_of)
    names: NDArray[np.str_] = groups.to_numpy(dtype=np.str_)
    emotions = predictions.emotions_of(frame)
    counts = statistics.confusion_by_seed(
        predictions.label_ids(test["truth"], emotions),
        predictions.label_ids(test["prediction"], emotions),
        names,
        test["seed"].to_numpy(dtype=np.int64),
        num_classes=len(emotions),
    )
    hits, spoken = metrics.tallies(counts)  # (num_seeds, num_groups, num_classes)
    uars, was = metrics.uar_where_spoken(counts), metrics.wa_of(hits, spoken)
    found = {}
    for number, name in enumerate(np.unique(names).tolist()):
        of_seeds = uars[:, number]
        found[name] = {
            "num_seeds": len(of_seeds),
            "num_utterances": round(float(spoken[:, number].sum(axis=-1).mean())),
            "num_emotions": int((spoken[0, number] > 0).sum()),
            "uar": float(of_seeds.mean()),
            "uar_std_over_seeds": float(of_seeds.std(ddof=1)) if len(of_seeds) > 1 else np.nan,
            "wa": float(was[:, number].mean()),
        }
    return found


def write(project: Project, found: Mapping[str, pd.DataFrame]) -> None:
    """Write the tables by name, see `Project.breakdown`."""
    for name, table in found.items():
        tables.write_csv(project.breakdown(name), table)
