"""The table of `reports/soft.csv`: cells, one rater and answers without a model, by votes."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ser.data.votes import Votes
from ser.evaluation import soft
from ser.evaluation.soft import RANGES, SoftScores
from ser.evaluation.statistics import Interval
from ser.evaluation.summary import CellSummary
from ser.grid.params import Cell

#: Rows of the table that are no cell.
ONE_RATER, THE_VOTES, EQUAL_SHARES = "one rater", "the votes", "equal shares"

COLUMNS = (
    "model",
    "loss",
    "num_utterances",
    *(f"{name}{end}" for name in (*RANGES, "uar") for end in ("", "_low", "_high")),
)

_UNKNOWN = Interval(float("nan"), float("nan"))


def table(
    frames: Mapping[Cell, pd.DataFrame],
    summaries: Mapping[Cell, CellSummary],
    votes: Votes,
    speaker_of: Mapping[str, str],
) -> pd.DataFrame:
    """Return the scores of cells beside those of one rater and of answers without a model.

    Args:
        frames: (model, loss) -> predictions, in the order of the rows.
        summaries: (model, loss) -> scores of the labels.
        votes: The raters'.
        speaker_of: Utterance id -> speaker.

    Returns:
        `COLUMNS`: a row per cell; then, named as `model`, `one rater` (see `soft.one_rater`),
        `the votes` (nothing does better) and `equal shares` (knows nothing). `uar` is of the
        labels, but for one rater. No rows where no tested utterance has votes.
    """
    tests = {cell: frame[frame["part"] == "test"] for cell, frame in frames.items()}
    rows = []
    ids: list[str] = []
    for cell, test in tests.items():
        ids = sorted({str(id_) for id_ in test["utterance_id"]} & votes.counts_of.keys())
        if ids:
            found, scores = soft.of_predictions(test, votes, speaker_of), summaries[cell]
            own = (scores.scores["uar"], scores.intervals["uar"])
            rows.append(_row(cell, len(ids), found, *own))
    if ids:
        rater = soft.one_rater(ids, votes, speaker_of)
        if rater is not None:
            own = (rater.uar, rater.uar_interval)
            rows.append(_row((ONE_RATER, ""), rater.num_utterances, rater.scores, *own))
        for name, is_own in ((THE_VOTES, True), (EQUAL_SHARES, False)):
            found = soft.reference(ids, votes, speaker_of, own=is_own)
            rows.append(_row((name, ""), len(ids), found, float("nan"), _UNKNOWN))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _row(
    names: tuple[str, str], num_utterances: int, scores: SoftScores, uar: float, of_uar: Interval
) -> dict[str, object]:
    """Return a row of the table."""
    row: dict[str, object] = {
        **dict(zip(("model", "loss"), names, strict=True)),
        "num_utterances": num_utterances,
        "uar": uar,
        "uar_low": of_uar.low,
        "uar_high": of_uar.high,
    }
    for name, interval in scores.intervals.items():
        row[name] = float(np.mean([found[name] for found in scores.by_seed]))
        row |= {f"{name}_low": interval.low, f"{name}_high": interval.high}
    return row
