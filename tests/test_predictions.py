import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import recall_score

from ser import predictions
from ser.emotion import EMOTIONS


def table(num_utterances=40, seed=0, **constants):
    rng = np.random.default_rng(seed)
    return predictions.table(
        ids=[f"u{number:02}" for number in rng.permutation(num_utterances)],
        truth=np.arange(num_utterances) % 4,
        probabilities=rng.dirichlet(np.ones(4), num_utterances),
        emotions=EMOTIONS,
        **{"fold": 1, "seed": 0, "part": "test", **constants},
    )


def test_the_columns_are_those_of_the_contract():
    assert list(table().columns) == [
        "utterance_id", "fold", "seed", "part", "truth", "prediction",
        "probability_angry", "probability_happy", "probability_neutral", "probability_sad",
    ]  # fmt: skip


def test_a_row_keeps_what_belongs_to_its_utterance():
    frame = predictions.table(
        ids=["b", "a"],
        truth=np.array([3, 0]),
        probabilities=np.array([[0.1, 0.6, 0.2, 0.1], [0.4, 0.3, 0.2, 0.1]]),
        emotions=EMOTIONS,
        fold=2,
        seed=5,
        part="dev",
    )
    assert frame.to_numpy().tolist() == [
        ["a", 2, 5, "dev", "angry", "angry", 0.4, 0.3, 0.2, 0.1],
        ["b", 2, 5, "dev", "sad", "happy", 0.1, 0.6, 0.2, 0.1],
    ]


def test_a_table_survives_the_file_to_the_last_bit(tmp_path):
    frame = table()
    predictions.write(tmp_path / "predictions.parquet", frame)
    pd.testing.assert_frame_equal(predictions.read(tmp_path / "predictions.parquet"), frame)


def test_the_bytes_do_not_depend_on_the_order_of_the_rows(tmp_path):
    frame = pd.concat([table(fold=2), table(part="dev"), table(seed=1)], ignore_index=True)
    shuffled = frame.sample(frac=1.0, random_state=0)
    predictions.write(tmp_path / "a.parquet", frame)
    predictions.write(tmp_path / "b.parquet", shuffled)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    back = predictions.read(tmp_path / "b.parquet")
    assert back["part"].tolist()[:40] == ["dev"] * 40


def test_emotions_come_from_the_columns_in_their_order():
    frame = predictions.table(
        ids=["a"],
        truth=np.array([1]),
        probabilities=np.array([[0.3, 0.7]]),
        emotions=("sad", "bored"),
        fold=1,
        seed=0,
        part="test",
    )
    assert predictions.emotions_of(frame) == ("sad", "bored")
    assert predictions.label_ids(frame["truth"], ("sad", "bored")).tolist() == [1]
    np.testing.assert_array_equal(predictions.probabilities_of(frame), [[0.3, 0.7]])


def test_an_unknown_emotion_is_refused_by_name():
    with pytest.raises(ValueError, match=r"unknown emotions \['mad'\]"):
        predictions.label_ids(pd.Series(["sad", "mad"]), EMOTIONS)


def test_scores_follow_from_the_table_alone():
    frame = table()
    scores = predictions.score(frame)
    recalls = recall_score(frame["truth"], frame["prediction"], labels=EMOTIONS, average=None)
    assert scores.uar == pytest.approx(recalls.mean())
    assert list(scores.recall) == list(EMOTIONS)
    assert list(scores.recall.values()) == pytest.approx(recalls.tolist())


def test_an_emotion_that_nobody_spoke_has_no_score():
    frame = table()
    with pytest.raises(ValueError, match=r"class index \[3\]"):
        predictions.score(frame[frame["truth"] != "sad"])
