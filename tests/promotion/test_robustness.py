import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, t

from ser.evaluation import statistics
from ser.promotion import robustness
from ser.promotion.asking import Question
from ser.registry.gate_params import GateParams

EMOTIONS = ("angry", "happy")
PARAMS = GateParams(stability_changes=("telephone", "trimmed"), uar_changes=("telephone",))


def part_of(*rows):
    """Test predictions: speaker, truth; the id says both, and its number."""
    ids = [f"{speaker}-{truth}-{number}" for number, (speaker, truth) in enumerate(rows)]
    frame = pd.DataFrame({"utterance_id": ids, "truth": [truth for _, truth in rows]})
    for name in EMOTIONS:
        frame[f"probability_{name}"] = 0.5
    return frame, {id_: id_.partition("-")[0] for id_ in ids}


def counts(frame, speaker_of):
    keys = [frame["utterance_id"].map(speaker_of).rename("speaker"), "truth"]
    return frame.groupby(keys).size().to_dict()


def test_speakers_and_classes_are_drawn_evenly():
    rows = [("a", "angry")] * 50 + [("a", "happy")] * 9 + [("b", "angry")] * 2
    frame, speaker_of = part_of(*rows, *[("b", "happy")] * 9)
    drawn = robustness.sample(frame, speaker_of, 20)
    assert counts(drawn, speaker_of) == {
        ("a", "angry"): 6,
        ("a", "happy"): 6,
        ("b", "angry"): 2,
        ("b", "happy"): 6,
    }
    assert len(robustness.sample(frame, speaker_of, 10)) == 10
    assert len(robustness.sample(frame, speaker_of, 200)) == 70


def test_the_same_utterances_are_drawn_in_whatever_order_they_come():
    frame, speaker_of = part_of(*[("a", "angry"), ("b", "happy"), ("b", "angry")] * 9)
    drawn = robustness.sample(frame, speaker_of, 7)["utterance_id"].tolist()
    turned = robustness.sample(frame[::-1], speaker_of, 7)["utterance_id"].tolist()
    assert drawn == turned == sorted(drawn)
    assert drawn != sorted(frame["utterance_id"])[:7]


def test_what_is_decided_is_the_most_probable_emotion_before_the_temperature():
    asked = [Question("u", "clean", None, 1.0), Question("u", "telephone", None, 1.0)]
    answers = [
        {"uncalibrated_angry": 0.4, "uncalibrated_happy": 0.6, "emotion": None},
        {"uncalibrated_angry": 0.9, "uncalibrated_happy": 0.1, "emotion": "angry"},
    ]
    found = robustness.decisions(asked, answers, EMOTIONS)
    assert found.to_dict("list") == {
        "utterance_id": ["u", "u"],
        "change": ["clean", "telephone"],
        "emotion": ["happy", "angry"],
    }


def decided(frame, **by_change):
    """Decisions: change -> emotions, in the order of the frame."""
    rows = [
        (id_, change, emotion)
        for change, emotions in by_change.items()
        for id_, emotion in zip(frame["utterance_id"], emotions, strict=True)
    ]
    shuffled = np.random.default_rng(0).permutation(np.array(rows))
    return pd.DataFrame(shuffled, columns=["utterance_id", "change", "emotion"])


ROWS = [(speaker, emotion) for speaker in "abcd" for emotion in EMOTIONS for _ in range(2)]
TRUTH = [emotion for _, emotion in ROWS]
#: Of the last speaker's four utterances, those that are angry are taken for happy.
WRONG = [*TRUTH[:12], "happy", "happy", "happy", "happy"]


def measure(frame, speaker_of, table):
    return robustness.measure(table, frame, speaker_of, PARAMS, weights="all")


def test_shares_losses_and_intervals_are_those_counted_by_hand():
    frame, speaker_of = part_of(*ROWS)
    table = decided(frame, clean=TRUTH, telephone=WRONG, trimmed=TRUTH)
    found = measure(frame, speaker_of, table)
    assert (found.num_utterances, found.num_speakers, found.weights) == (16, 4, "all")
    assert found.uar == 1.0
    share, loss = found.stability["telephone"], found.uar_loss["telephone"]
    # 14 of 16 stay: all of three speakers, and half of the last.
    kept = statistics.share_interval(np.array([4.0, 4.0, 4.0, 2.0]), np.full(4, 4.0))
    assert (share.value, share.low, share.high) == pytest.approx((14 / 16, kept.low, kept.high))
    # 2 of 8 angry ones are lost, that is 1/4 of one recall of two. Without the last speaker
    # none is, without another 2 of 6: the variance is 3/4 of what these spread.
    without = np.array([1 / 6, 1 / 6, 1 / 6, 0.0])
    half = t.ppf(0.975, 3) * np.sqrt(3 * without.var() + 1 / 2 / 16**2)
    ends = (1 / 8 - half, 1 / 8 + half)
    assert (loss.value, loss.low, loss.high) == pytest.approx((1 / 8, *ends))
    unchanged = found.stability["trimmed"]
    assert (unchanged.value, unchanged.high) == (1.0, 1.0)
    assert unchanged.low == pytest.approx(16 / (16 + norm.ppf(0.975) ** 2))


def test_what_gets_better_under_a_change_is_a_negative_loss():
    frame, speaker_of = part_of(*ROWS)
    table = decided(frame, clean=WRONG, telephone=TRUTH, trimmed=WRONG)
    found = measure(frame, speaker_of, table)
    assert found.uar == pytest.approx(7 / 8)
    assert found.uar_loss["telephone"].value == pytest.approx(-1 / 8)


def test_without_every_class_there_is_no_uar_to_lose():
    rows = [("a", "angry"), ("b", "angry")]
    frame, speaker_of = part_of(*rows)
    same = ["angry", "angry"]
    found = measure(frame, speaker_of, decided(frame, clean=same, telephone=same, trimmed=same))
    assert np.isnan(found.uar)
    assert np.isnan(found.uar_loss["telephone"].value)
    assert found.stability["telephone"].value == 1.0


def test_one_speaker_makes_no_interval():
    frame, speaker_of = part_of(("a", "angry"), ("a", "happy"))
    both = ["angry", "happy"]
    found = measure(frame, speaker_of, decided(frame, clean=both, telephone=both, trimmed=both))
    assert found.stability["telephone"].value == 1.0
    assert np.isnan(found.stability["telephone"].low)
    assert np.isnan(found.uar_loss["telephone"].high)
