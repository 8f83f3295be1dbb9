"""Which sentences each fold tests."""

import pandas as pd

from ser.report import tested_sentences
from tests import synthetic


def test_each_fold_has_the_different_sentences_of_its_test_part():
    texts = {"a": "Come in.", "b": "come in", "c": "Go away!", "d": None, "e": "Only dev."}
    utterances = [synthetic.utterance(id_, text=text) for id_, text in texts.items()]
    rows = [(1, "b"), (1, "a"), (1, "c"), (2, "c"), (2, "d"), (3, "d")]
    frame = pd.DataFrame(rows, columns=["fold", "utterance_id"]).assign(part="test")
    frame.loc[len(frame)] = [2, "e", "dev"]
    found = tested_sentences.by_fold(frame, utterances)
    assert found == {1: ("Come in.", "Go away!"), 2: ("Go away!",), 3: ()}
