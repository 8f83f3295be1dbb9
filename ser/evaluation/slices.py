"""Where a cell is good and where it is not: scores by who speaks, and how."""

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pandas as pd

from ser import metrics, predictions
from ser.utterance import Utterance, used_of

COLUMNS = (
    "slice",
    "value",
    "num_utterances",
    "num_emotions",
    "uar",
    "wa",
    "worst_emotion",
    "worst_recall",
)


def values_of(utterances: Iterable[Utterance]) -> dict[str, dict[str, str]]:
    """Return the slices that a corpus' records allow.

    Args:
        utterances: The manifest.

    Returns:
        Slice -> utterance id -> value: `gender`, `speaker`, `session`, `kind` (scripted or
        improvised), `duration` (quartiles of the corpus) and `agreement` (of raters). A
        slice that the corpus does not state is left out.
    """
    used = used_of(utterances)
    readers: dict[str, Callable[[Utterance], str | None]] = {
        "gender": lambda u: u.gender,
        "speaker": lambda u: u.speaker,
        "session": lambda u: u.session,
        "kind": lambda u: None if u.scripted is None else _KIND[u.scripted],
        "duration": _quartile_reader(used),
        "agreement": _agreement,
    }
    slices = {
        name: {u.id: value for u in used if (value := reader(u)) is not None}
        for name, reader in readers.items()
    }
    return {name: members for name, members in slices.items() if members}


_KIND = {True: "scripted", False: "improvised"}


def _quartile_reader(utterances: list[Utterance]) -> Callable[[Utterance], str]:
    edges = np.quantile([utterance.duration_s for utterance in utterances], [0.25, 0.5, 0.75])
    low, middle, high = (f"{edge:.1f}" for edge in edges)
    ranges = (f"up to {low} s", f"{low} to {middle} s", f"{middle} to {high} s", f"over {high} s")
    names = [f"Q{number}: {range_}" for number, range_ in enumerate(ranges, start=1)]
    return lambda u: names[int(np.searchsorted(edges, u.duration_s, side="left"))]


def _agreement(utterance: Utterance) -> str | None:
    if not utterance.votes:
        return None
    share = max(utterance.votes.values()) / sum(utterance.votes.values())
    return "all raters agree" if share == 1 else "raters disagree"


def table(frame: pd.DataFrame, slices: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """Return a cell's test scores by slice.

    Args:
        frame: Its predictions, all folds and seeds.
        slices: See `values_of`.

    Returns:
        One row per slice and value with `COLUMNS`: UAR over the `num_emotions` that occur
        there, pooled over folds and seeds; utterances are counted once.
    """
    test = frame[frame["part"] == "test"]
    rows = []
    for name, value_of in slices.items():
        values = test["utterance_id"].map(dict(value_of))
        rows += [
            {"slice": name, "value": str(value), **_scores(members)}
            for value, members in test.groupby(values, sort=True)
        ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _scores(rows: pd.DataFrame) -> dict[str, object]:
    emotions = predictions.emotions_of(rows)
    matrix = metrics.confusion(
        truth=predictions.label_ids(rows["truth"], emotions),
        prediction=predictions.label_ids(rows["prediction"], emotions),
        num_classes=len(emotions),
    )
    each = metrics.recalls_where_spoken(matrix).tolist()
    recall = {
        emotion: value for emotion, value in zip(emotions, each, strict=True) if not np.isnan(value)
    }
    worst = min(recall, key=lambda emotion: recall[emotion])
    return {
        "num_utterances": rows["utterance_id"].nunique(),
        "num_emotions": len(recall),
        "uar": float(metrics.uar_where_spoken(matrix)),
        "wa": float(metrics.wa_of(*metrics.tallies(matrix))),
        "worst_emotion": worst,
        "worst_recall": recall[worst],
    }


def gaps(table: pd.DataFrame) -> dict[str, float]:
    """Return what the slices come to.

    Args:
        table: As from `table`.

    Returns:
        `gender_gap`, UAR of the better minus that of the worse gender, where both speak;
        `worst_speaker_uar`; `worst_slice_uar`; `worst_slice_recall`, the lowest recall of
        an emotion in any slice but single speakers.
    """
    found = {}
    genders = table[table["slice"] == "gender"]["uar"]
    if len(genders) > 1:
        found["gender_gap"] = float(genders.max() - genders.min())
    found["worst_speaker_uar"] = float(table[table["slice"] == "speaker"]["uar"].min())
    groups = table[table["slice"] != "speaker"]
    found["worst_slice_uar"] = float(groups["uar"].min())
    found["worst_slice_recall"] = float(groups["worst_recall"].min())
    return found
