"""Did tuning pay? A tuned cell against the same cell with the constants, on test.

On dev the tuned one is never worse: its values were chosen there. Only test can tell.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ser import metrics, predictions
from ser.evaluation import comparison, summary

COLUMNS = (
    "model",
    "loss",
    "num_trials",
    "dev_uar_constants",
    "dev_uar_tuned",
    "test_uar_constants",
    "test_uar_tuned",
    "difference",
    "low",
    "high",
    "p",
)


@dataclass(frozen=True, slots=True)
class TunedAndUntuned:
    """One cell, trained twice on the same folds under the same seeds.

    Args:
        model, loss: The cell.
        num_trials: Of each fold's study.
        tuned: Predictions with the values tuned per fold.
        constants: Predictions with the values of params.yaml.
    """

    model: str
    loss: str
    num_trials: int
    tuned: pd.DataFrame
    constants: pd.DataFrame


def table(cells: Sequence[TunedAndUntuned], speaker_of: Mapping[str, str]) -> pd.DataFrame:
    """Return what tuning brought.

    Args:
        cells: The tuned cells.
        speaker_of: Utterance id -> speaker.

    Returns:
        One row per cell with `COLUMNS`. `difference` is tuned minus constants in test UAR,
        on the same utterances; `low` and `high` are its 95 % interval over speakers,
        NaN for one speaker; `p` is that of the paired test over speakers. Test
        UAR pools all folds and averages over seeds, dev UAR averages over folds and seeds.

    Raises:
        ValueError: The two were not tested on the same utterances.
    """
    return pd.DataFrame([_row(cell, speaker_of) for cell in cells], columns=list(COLUMNS))


def _row(cell: TunedAndUntuned, speaker_of: Mapping[str, str]) -> dict[str, object]:
    tuned, constants = (
        summary.summarise(frame, speaker_of).by_seed for frame in (cell.tuned, cell.constants)
    )
    found = comparison.compare(tuned, constants)
    return {
        "model": cell.model,
        "loss": cell.loss,
        "num_trials": cell.num_trials,
        "dev_uar_constants": dev_uar(cell.constants),
        "dev_uar_tuned": dev_uar(cell.tuned),
        "test_uar_constants": found.uar_b,
        "test_uar_tuned": found.uar_a,
        "difference": found.difference,
        "low": found.low,
        "high": found.high,
        "p": found.p,
    }


def dev_uar(frame: pd.DataFrame) -> float:
    """Return the UAR of the dev parts, mean over folds and seeds, in [0, 1]."""
    emotions = predictions.emotions_of(frame)
    dev = frame[frame["part"] == "dev"]
    uars = [
        metrics.uar(
            truth=predictions.label_ids(rows["truth"], emotions),
            prediction=predictions.label_ids(rows["prediction"], emotions),
            num_classes=len(emotions),
        )
        for _, rows in dev.groupby(["fold", "seed"])
    ]
    return float(np.mean(uars))


def verdict(low: float, high: float) -> str:
    """Say in words what the interval of a difference in test UAR shows.

    Args:
        low: Lower end of the 95 % interval of tuned minus constants; NaN for one speaker.
        high: Its upper end.

    Example:
        >>> verdict(-0.01, 0.03)
        'no difference is shown on test'
    """
    if np.isnan(low) or np.isnan(high):
        return "one speaker allows no verdict"
    if low > 0:
        return "tuning beat the constants on test"
    if high < 0:
        return "tuning was worse than the constants on test"
    return "no difference is shown on test"


def sentences(gains: pd.DataFrame) -> list[str]:
    """Return one sentence per cell: what tuning brought, and whether that is more than chance.

    Args:
        gains: From `table`.
    """
    return [_sentence(row) for row in gains.to_dict("records")]


def _sentence(row: Mapping[Hashable, Any]) -> str:
    cell, trials = f"{row['model']}-{row['loss']}", f"{row['num_trials']} trials a fold"
    on_dev = 100 * (row["dev_uar_tuned"] - row["dev_uar_constants"])
    on_test = 100 * row["difference"]
    said = f"Tuning {cell} ({trials}) changed UAR by {on_dev:+.1f} points on dev"
    low, high = row["low"], row["high"]
    is_known = not np.isnan(low)
    interval = f" (95 % interval {100 * low:+.1f} to {100 * high:+.1f})" if is_known else ""
    return f"{said} and {on_test:+.1f} on test{interval}: {verdict(low, high)}."
