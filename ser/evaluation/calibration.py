"""Probabilities that mean what they say: one temperature per fold, fitted on dev.

A temperature changes no decision, only how sure it is: p_k becomes p_k^(1/T) / sum.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import softmax

from ser import metrics, predictions
from ser.evaluation.temperature import LEAST_PROBABILITY, log_probabilities, scale

COLUMNS = (
    "model",
    "loss",
    "temperature",
    "nll",
    "nll_scaled",
    "brier",
    "brier_scaled",
    "ece",
    "ece_scaled",
)
#: How much the data must say before the temperature leaves 1, in nats like the sum of the
#: negative log-likelihood; chosen in docs/decisions/0013-temperature.md.
PRIOR_NATS = 2.0


def fit_temperature(*, truth: ArrayLike, probabilities: ArrayLike) -> float:
    """Return the most probable temperature, given the utterances and a prior around 1.

    With b = 1 / T and p_i(b) = softmax(b ln p_i), b minimises

        sum over i of -ln p_i,y(i)(b) + m (b - 1 - ln b),    m = `PRIOR_NATS`.

    The second term is a gamma prior on b with its mode at 1. Without it, a part without a
    mistake has no minimum: the surer the better, for ever. The sum is strictly convex in b,
    so there is one minimum, and more utterances outweigh the prior.

    Args:
        truth: Class indices `(num_utterances,)`, of a part that is not the test part.
        probabilities: `(num_utterances, num_classes)`.

    Returns:
        T above 0; 1 where the utterances say nothing about it.

    Raises:
        ValueError: Shapes differ, or there is no utterance.

    Source:
        Guo et al. (2017), arXiv:1706.04599, section 4.2, for the likelihood; the prior is
        our own (docs/decisions/0013-temperature.md).
    """
    # Here, not at the top: answering needs no optimiser, and its import takes its time.
    from scipy.optimize import brentq

    table, ids = log_probabilities(probabilities), np.asarray(truth, dtype=np.int64)
    if table.ndim != 2 or ids.shape != table.shape[:1] or not len(ids):
        raise ValueError(
            f"a temperature needs one row of probabilities per class index, at least one; got "
            f"probabilities {table.shape} and truth {ids.shape}"
        )
    spoken = table[np.arange(len(table)), ids].sum()

    def slope(inverse: float) -> float:
        expected = (softmax(inverse * table, axis=1) * table).sum()
        return float(expected - spoken + PRIOR_NATS * (1.0 - 1.0 / inverse))

    # The slope rises. It is negative at the low end, where the expected ln p cannot outrun
    # -m / b, and positive at the high end, as it is at most ln K / b below the largest ln p.
    num_utterances, num_classes = table.shape
    low = PRIOR_NATS / (PRIOR_NATS - num_utterances * np.log(LEAST_PROBABILITY))
    high = 1.0 + num_utterances * np.log(num_classes) / PRIOR_NATS
    return float(1.0 / brentq(slope, low, high))


def threshold_for(probabilities: ArrayLike, *, coverage: float) -> float:
    """Return the confidence that this share of utterances reaches.

    Args:
        probabilities: `(num_utterances, num_classes)`, calibrated, of a part that is not
            the test part.
        coverage: Share of utterances to be answered, in (0, 1].

    Returns:
        A threshold in [0, 1]: abstain where the largest probability is below it.

    Raises:
        ValueError: The coverage is outside of (0, 1].
    """
    if not 0 < coverage <= 1:
        raise ValueError(f"coverage must be in (0, 1], got {coverage}")
    confidence = np.asarray(probabilities, dtype=np.float64).max(axis=1)
    return float(np.quantile(confidence, 1 - coverage, method="lower"))


def calibrate(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[float]]:
    """Return the test rows of a cell with calibrated probabilities.

    Args:
        frame: A cell's predictions, all folds and seeds, dev and test parts.

    Returns:
        The test rows, each scaled by the temperature that its own fold and seed fitted on
        dev; and these temperatures.
    """
    emotions = predictions.emotions_of(frame)
    columns = [f"probability_{emotion}" for emotion in emotions]
    parts, temperatures = [], []
    for _, run in frame.groupby(["fold", "seed"]):
        dev, test = (run[run["part"] == part].copy() for part in ("dev", "test"))
        temperature = fit_temperature(
            truth=predictions.label_ids(dev["truth"], emotions),
            probabilities=predictions.probabilities_of(dev),
        )
        test[columns] = scale(predictions.probabilities_of(test), temperature)
        parts.append(test)
        temperatures.append(temperature)
    return pd.concat(parts, ignore_index=True), temperatures


def abstention_curve(test: pd.DataFrame) -> pd.DataFrame:
    """Return what is gained by answering only where the model is sure.

    Args:
        test: Test rows, calibrated over the folds so that they can be ordered together.

    Returns:
        `coverage, accuracy, uar`, from all utterances down to a twentieth of them, the
        least sure left out first. UAR is NaN where an emotion has nothing left.
    """
    emotions = predictions.emotions_of(test)
    truth = predictions.label_ids(test["truth"], emotions)
    prediction = predictions.label_ids(test["prediction"], emotions)
    order = np.argsort(-predictions.probabilities_of(test).max(axis=1), kind="stable")
    rows = []
    for coverage in np.linspace(1.0, 0.05, 20):
        kept = order[: max(1, round(coverage * len(order)))]
        is_complete = len(np.unique(truth[kept])) == len(emotions)
        pair = {"truth": truth[kept], "prediction": prediction[kept]}
        rows.append(
            {
                "coverage": float(coverage),
                "accuracy": metrics.wa(**pair),
                "uar": metrics.uar(**pair, num_classes=len(emotions)) if is_complete else np.nan,
            }
        )
    return pd.DataFrame(rows)


def reliability_bins(test: pd.DataFrame) -> pd.DataFrame:
    """Return `confidence, accuracy, num_utterances` per bin of test rows."""
    truth = predictions.label_ids(test["truth"], predictions.emotions_of(test))
    bins = metrics.reliability(truth=truth, probabilities=predictions.probabilities_of(test))
    return pd.DataFrame(
        {
            "confidence": bins.confidence,
            "accuracy": bins.accuracy,
            "num_utterances": bins.num_utterances,
        }
    )


def table(frames: Mapping[tuple[str, str], pd.DataFrame]) -> pd.DataFrame:
    """Return how far the cells' probabilities can be believed, before and after scaling.

    Args:
        frames: (model, loss) -> the cell's predictions.

    Returns:
        One row per cell with `COLUMNS`: means over seeds of scores pooled over folds;
        `temperature` is the geometric mean over folds and seeds.
    """
    rows = []
    for (model, loss), frame in frames.items():
        scaled, temperatures = calibrate(frame)
        row = {
            "model": model,
            "loss": loss,
            "temperature": float(np.exp(np.mean(np.log(temperatures)))),
            **_scores(frame[frame["part"] == "test"], suffix=""),
            **_scores(scaled, suffix="_scaled"),
        }
        rows.append(row)
    return pd.DataFrame(rows)[list(COLUMNS)]


def _scores(test: pd.DataFrame, *, suffix: str) -> dict[str, float]:
    emotions = predictions.emotions_of(test)
    by_seed = []
    for _, rows in test.groupby("seed"):
        truth = predictions.label_ids(rows["truth"], emotions)
        table = predictions.probabilities_of(rows)
        by_seed.append(
            [score(truth=truth, probabilities=table) for score in (metrics.nll, metrics.brier)]
            + [metrics.ece(truth=truth, probabilities=table)]
        )
    means = np.mean(by_seed, axis=0)
    return {f"{n}{suffix}": float(v) for n, v in zip(("nll", "brier", "ece"), means, strict=True)}
