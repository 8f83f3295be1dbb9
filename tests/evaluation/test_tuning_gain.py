import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from ser import predictions
from ser.emotion import EMOTIONS
from ser.evaluation import tuning_gain
from ser.evaluation.tuning_gain import TunedAndUntuned


def cell(share_right, num_seeds=1, seed=0):
    """Predictions of two folds and eight speakers, a share of them right."""
    rng = np.random.default_rng(seed)
    frames = []
    for run_seed in range(num_seeds):
        for fold in (1, 2):
            for part in ("dev", "test"):
                truth = np.arange(80) % 4
                other = (truth + rng.integers(1, 4, 80)) % 4
                said = np.where(rng.random(80) < share_right, truth, other)
                frames.append(
                    predictions.table(
                        ids=[f"{part}{fold}s{n % 20 // 4}u{n:03}" for n in range(80)],
                        truth=truth,
                        probabilities=0.1 + 0.6 * np.eye(4)[said],
                        emotions=EMOTIONS,
                        fold=fold,
                        seed=run_seed,
                        part=part,
                    )
                )
    return pd.concat(frames, ignore_index=True)


def gains(tuned, constants, speaker_of=lambda id_: id_[:7]):
    frame = pd.concat([tuned, constants])
    speakers = {id_: speaker_of(id_) for id_ in frame["utterance_id"]}
    return tuning_gain.table([TunedAndUntuned("lstm", "focal", 20, tuned, constants)], speakers)


def test_the_numbers_are_those_of_scikit_learn():
    tuned, constants = cell(0.8, num_seeds=2), cell(0.6, num_seeds=2, seed=1)
    (row,) = gains(tuned, constants).to_dict("records")
    for frame, name in ((tuned, "tuned"), (constants, "constants")):
        test, dev = (frame[frame["part"] == part] for part in ("test", "dev"))
        pooled = [
            balanced_accuracy_score(rows["truth"], rows["prediction"])
            for _, rows in test.groupby("seed")
        ]
        assert row[f"test_uar_{name}"] == pytest.approx(np.mean(pooled))
        apart = [
            balanced_accuracy_score(rows["truth"], rows["prediction"])
            for _, rows in dev.groupby(["fold", "seed"])
        ]
        assert row[f"dev_uar_{name}"] == pytest.approx(np.mean(apart))
    assert row["difference"] == pytest.approx(row["test_uar_tuned"] - row["test_uar_constants"])
    assert row["low"] < row["difference"] < row["high"]
    assert tuple(row) == tuning_gain.COLUMNS


@pytest.mark.parametrize(
    ("tuned", "constants", "verdict"),
    [
        ((0.9, 0), (0.5, 1), "tuning beat the constants on test"),
        ((0.5, 0), (0.9, 1), "tuning was worse than the constants on test"),
        ((0.7, 0), (0.7, 1), "no difference is shown on test"),
    ],
)
def test_the_sentence_says_whether_the_interval_leaves_zero_out(tuned, constants, verdict):
    tuned, constants = (cell(share, seed=seed) for share, seed in (tuned, constants))
    (sentence,) = tuning_gain.sentences(gains(tuned, constants))
    assert sentence.startswith("Tuning lstm-focal (20 trials a fold) changed UAR by ")
    assert sentence.endswith(f": {verdict}.")


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.001, 0.02, "tuning beat the constants on test"),
        (-0.02, -0.001, "tuning was worse than the constants on test"),
        (-0.01, 0.02, "no difference is shown on test"),
        (0.0, 0.02, "no difference is shown on test"),
        (-0.02, 0.0, "no difference is shown on test"),
    ],
)
def test_the_verdict_goes_by_the_interval(low, high, said):
    assert tuning_gain.verdict(low, high) == said


def test_one_speaker_allows_no_interval():
    found = gains(cell(0.8), cell(0.6, seed=1), speaker_of=lambda _: "the only one")
    assert found["low"].isna().all()
    assert tuning_gain.sentences(found)[0].endswith(" on test: one speaker allows no verdict.")


def test_cells_of_other_utterances_make_no_pair():
    constants = cell(0.6)
    with pytest.raises(ValueError, match="different utterances"):
        gains(cell(0.8), constants[constants["fold"] == 1])


def test_no_cells_make_an_empty_table():
    assert tuning_gain.table([], {}).columns.tolist() == list(tuning_gain.COLUMNS)
    assert tuning_gain.sentences(tuning_gain.table([], {})) == []
