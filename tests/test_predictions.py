import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import recall_score

from ser import concordance, predictions
from ser.emotion import EMOTIONS


def table(num_utterances=40, seed=0, ratings=None, predicted_ratings=None, **constants):
    rng = np.random.default_rng(seed)
    return predictions.table(
        ids=[f"u{number:02}" for number in rng.permutation(num_utterances)],
        truth=np.arange(num_utterances) % 4,
        probabilities=rng.dirichlet(np.ones(4), num_utterances),
        emotions=EMOTIONS,
        ratings=ratings,
        predicted_ratings=predicted_ratings,
        **{"fold": 1, "seed": 0, "part": "test", **constants},
    )


def test_the_columns_are_those_of_the_contract():
    assert list(table().columns) == [
        "utterance_id", "fold", "seed", "part", "truth", "prediction",
        "probability_angry", "probability_happy", "probability_neutral", "probability_sad",
    ]  # fmt: skip


def test_tables_of_copies_are_one_table_that_says_which_and_that_is_kept(tmp_path):
    found = predictions.of_copies({"telephone": rated_table(), "gain_-6db": table(seed=1)})
    keys = ["utterance_id", "fold", "seed", "copy", "truth", "prediction"]
    assert list(found.columns) == [*keys, *table().columns[6:]]
    assert found["copy"].value_counts().to_dict() == {"telephone": 40, "gain_-6db": 40}
    predictions.write(tmp_path / "copies.parquet", found.sample(frac=1.0, random_state=0))
    ordered = found.sort_values(["fold", "seed", "copy", "utterance_id"], ignore_index=True)
    pd.testing.assert_frame_equal(predictions.read(tmp_path / "copies.parquet"), ordered)


RATINGS = ["valence", "arousal", "dominance"]
PREDICTED = ["predicted_valence", "predicted_arousal", "predicted_dominance"]


def rated_table(**constants):
    rng = np.random.default_rng(5)
    ratings = rng.uniform(1, 5, size=(40, 3))
    ratings[::3, 2] = np.nan
    return table(ratings=ratings, predicted_ratings=ratings[::-1] + 0.5, **constants)


def test_a_model_that_rates_adds_its_columns_at_the_end():
    assert list(rated_table().columns) == [*table().columns, *RATINGS, *PREDICTED]
    assert predictions.columns(EMOTIONS, rated=True) == list(rated_table().columns)
    pd.testing.assert_frame_equal(rated_table()[table().columns], table())


def test_ratings_of_a_model_that_does_not_rate_are_left_out():
    assert list(table(ratings=np.ones((40, 3))).columns) == list(table().columns)
    assert predictions.rating_scores(table()) == {}


def test_predicted_ratings_without_ratings_are_refused():
    with pytest.raises(ValueError, match="need ratings"):
        table(predicted_ratings=np.ones((40, 3)))


def test_ratings_stay_with_their_utterance_and_survive_the_file(tmp_path):
    frame = predictions.table(
        ids=["b", "a"],
        truth=np.array([3, 0]),
        probabilities=np.eye(4)[:2],
        emotions=EMOTIONS,
        ratings=np.array([[1.0, 2.0, np.nan], [3.0, 4.0, 5.0]]),
        predicted_ratings=np.array([[1.5, 2.5, 3.5], [3.25, 4.25, 5.25]]),
        fold=1,
        seed=0,
        part="dev",
    )
    predictions.write(tmp_path / "predictions.parquet", frame)
    back = predictions.read(tmp_path / "predictions.parquet")
    pd.testing.assert_frame_equal(back, frame)
    assert back["utterance_id"].tolist() == ["a", "b"]
    np.testing.assert_array_equal(
        back[RATINGS + PREDICTED],
        [[3.0, 4.0, 5.0, 3.25, 4.25, 5.25], [1.0, 2.0, np.nan, 1.5, 2.5, 3.5]],
    )
    assert predictions.emotions_of(back) == EMOTIONS


def test_scores_of_ratings_follow_from_the_table_alone():
    frame = rated_table()
    scores = predictions.rating_scores(frame)
    assert len(scores) == 6
    for dimension in RATINGS:
        there = frame.dropna(subset=dimension)
        pair = {"truth": there[dimension], "prediction": there[f"predicted_{dimension}"]}
        assert scores[f"ccc_{dimension}"] == pytest.approx(concordance.ccc(**pair))
        error = (pair["truth"] - pair["prediction"]).abs().mean()
        assert scores[f"mae_{dimension}"] == pytest.approx(error)


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
