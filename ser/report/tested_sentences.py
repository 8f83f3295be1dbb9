"""Which sentences each fold tests, for readers of a protocol that deals them."""

from collections.abc import Iterable, Mapping

import pandas as pd

from ser.data import sentences
from ser.utterance import Utterance


def by_fold(frame: pd.DataFrame, utterances: Iterable[Utterance]) -> dict[int, tuple[str, ...]]:
    """Return the sentences that each fold tests.

    Args:
        frame: Predictions of any cell, see `ser.predictions.table`.
        utterances: The manifest.

    Returns:
        Number of a fold -> sentences as they are written first, sorted; those that differ in
        case or punctuation alone are one. Utterances without a text have none.
    """
    text_of = {utterance.id: utterance.text for utterance in utterances if utterance.text}
    test = frame[frame["part"] == "test"]
    return {
        number: _distinct(text_of, test.loc[test["fold"] == number, "utterance_id"])
        for number in sorted(test["fold"].unique().tolist())
    }


def _distinct(text_of: Mapping[str, str], ids: Iterable[str]) -> tuple[str, ...]:
    first: dict[str, str] = {}
    for text in sorted(text_of[id_] for id_ in ids if id_ in text_of):
        first.setdefault(sentences.normalise(text), text)
    return tuple(first.values())
