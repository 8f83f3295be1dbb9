from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import recall_score

from ser import predictions
from ser.emotion import EMOTIONS
from ser.evaluation import slices
from tests import synthetic


@pytest.fixture(scope="module")
def corpus():
    """Utterances whose durations and votes vary."""
    made = [u for u in synthetic.corpus(num_sessions=3) if u.emotion is not None]
    return [
        replace(u, duration_s=1.0 + n % 8, votes={"a": 3} if n % 2 else {"a": 2, "b": 1})
        for n, u in enumerate(made)
    ]


def cell(corpus, *, num_seeds=2):
    rng = np.random.default_rng(0)
    truth = np.array([EMOTIONS.index(u.emotion) for u in corpus])
    frames = [
        predictions.table(
            ids=[u.id for u in corpus], truth=truth, emotions=EMOTIONS,
            probabilities=rng.dirichlet(np.ones(4), len(corpus)), fold=1, seed=seed, part="test",
        )
        for seed in range(num_seeds)
    ]  # fmt: skip
    return pd.concat(frames, ignore_index=True)


def test_every_slice_holds_every_utterance_once_and_scores_as_scikit_learn_does(corpus):
    frame = cell(corpus)
    values = slices.values_of(corpus)
    table = slices.table(frame, values)
    assert list(table.columns) == list(slices.COLUMNS)
    assert {"gender", "speaker", "session", "duration", "agreement"} <= set(table["slice"])
    for _, rows in table.groupby("slice"):
        assert rows["num_utterances"].sum() == len(corpus)
    female = table[(table["slice"] == "gender") & (table["value"] == "female")].iloc[0]
    ids = {u.id for u in corpus if u.gender == "female"}
    rows = frame[frame["utterance_id"].isin(ids)]
    recall = recall_score(rows["truth"], rows["prediction"], labels=EMOTIONS, average=None)
    assert female["uar"] == pytest.approx(recall.mean())
    assert female["worst_recall"] == pytest.approx(recall.min())
    assert female["worst_emotion"] == EMOTIONS[recall.argmin()]
    assert female["wa"] == pytest.approx((rows["truth"] == rows["prediction"]).mean())


def test_slices_that_the_corpus_does_not_state_are_left_out(corpus):
    bare = [replace(u, scripted=None, votes=None) for u in corpus]
    assert not {"kind", "agreement"} & set(slices.values_of(bare))


def test_duration_quartiles_are_of_equal_size(corpus):
    values = pd.Series(slices.values_of(corpus)["duration"])
    assert values.value_counts(normalize=True).tolist() == pytest.approx([0.25] * 4, abs=0.01)


def test_emotion_that_a_slice_lacks_is_left_out_of_its_uar(corpus):
    frame = cell(corpus, num_seeds=1)
    kept = frame[frame["truth"] != "sad"]
    table = slices.table(kept, {"all": dict.fromkeys(frame["utterance_id"], "all")})
    assert table["num_emotions"].tolist() == [3]


def test_gaps_name_the_distance_and_the_worst(corpus):
    table = slices.table(cell(corpus), slices.values_of(corpus))
    gaps = slices.gaps(table)
    genders = table[table["slice"] == "gender"]["uar"]
    assert gaps["gender_gap"] == pytest.approx(genders.max() - genders.min())
    assert gaps["worst_speaker_uar"] == table[table["slice"] == "speaker"]["uar"].min()
    groups = table[table["slice"] != "speaker"]
    assert gaps["worst_slice_recall"] == groups["worst_recall"].min()
    assert "gender_gap" not in slices.gaps(table[table["value"] != "male"])
