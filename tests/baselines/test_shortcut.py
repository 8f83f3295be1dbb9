import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import contingency

from ser.baselines import shortcut
from ser.baselines.shortcut import Material
from ser.emotion import EMOTIONS
from tests import synthetic
from tests.baselines.support import folds_of, noisy_inputs

C_GRID = (0.01, 1.0)


def material(scripted_of, *, strength=0.0, per_speaker=4, num_sessions=5):
    """A corpus whose inputs say how speech came about, as loudly as `strength`."""
    utterances = [
        replace(u, scripted=scripted_of(number, u))
        for number, u in enumerate(
            synthetic.corpus(num_sessions=num_sessions, per_speaker=per_speaker)
        )
    ]
    kind_of = {u.id: str(u.scripted) for u in utterances}
    inputs = noisy_inputs(utterances, label_of=kind_of, strength=strength)
    return Material(utterances, inputs, EMOTIONS, folds_of(utterances))


def angry_is_scripted(_number, utterance):
    return utterance.emotion == "angry"


def every_second(number, _utterance):
    return number % 2 == 0


def examined(*arguments, **keywords):
    return shortcut.examine(material(*arguments, **keywords), c_grid=C_GRID)


def by_emotion(found):
    return {row["emotion"]: row for row in found["emotions"]}


def test_where_only_anger_is_scripted_the_kind_explains_all_of_it():
    found = examined(angry_is_scripted)
    rows = by_emotion(found)
    assert found["unanswered"] is None
    assert rows["angry"]["explained"] == pytest.approx(1.0)
    assert rows["angry"]["share_of_scripted"] == 1.0
    assert rows["angry"]["share_of_improvised"] == 0.0
    # A quarter is sad, a quarter is scripted, nothing is both: phi = (0 - 1/16) / (3/16).
    assert rows["sad"]["explained"] == pytest.approx(1 / 9)
    assert found["cramers_v"] == pytest.approx(1.0)
    assert found["num_utterances"] == {"improvised": 120, "scripted": 40}
    # Anger is found, and of the other three the one that is said of all improvised speech.
    assert found["knows_kind_only"]["uar"] == 0.5
    assert found["knows_kind_only"]["settled"] == "happy or angry in all 5 folds"


def test_where_emotion_does_not_depend_on_the_kind_it_explains_nothing():
    found = examined(every_second)
    assert {row["explained"] for row in found["emotions"]} == {0.0}
    assert {row["share_of_scripted"] for row in found["emotions"]} == {0.25}
    assert found["cramers_v"] == 0.0
    assert found["knows_kind_only"]["uar"] == found["chance"] == 0.25


@pytest.mark.parametrize(("strength", "low", "high"), [(0.0, 0.3, 0.7), (20.0, 1.0, 1.0)])
def test_the_detector_is_as_good_as_the_inputs_let_it_be(strength, low, high):
    detector = examined(every_second, strength=strength)["detector"]
    assert low <= detector["uar"] <= high
    assert detector["uar_low"] <= detector["uar"] <= detector["uar_high"]
    assert detector["num_folds"] == 5
    assert "C = " in detector["settled"]


def test_a_good_detector_of_the_kind_is_a_bad_recogniser_of_emotion():
    found = examined(every_second, strength=20.0)
    assert found["detector"]["uar"] == 1.0
    assert found["knows_kind_only"]["uar"] == found["chance"]


def test_explained_is_the_squared_correlation_of_the_two_flags():
    rng = np.random.default_rng(0)
    asked = material(lambda _number, u: bool(rng.random() < 0.3 + 0.4 * (u.emotion == "sad")))
    rows = by_emotion(shortcut.examine(asked, c_grid=C_GRID))
    scripted = [float(u.scripted) for u in asked.utterances]
    for emotion in EMOTIONS:
        has_it = [float(u.emotion == emotion) for u in asked.utterances]
        correlation = np.corrcoef(scripted, has_it)[0, 1]
        assert rows[emotion]["explained"] == pytest.approx(correlation**2)
        assert rows[emotion]["scripted"] == np.dot(scripted, has_it)


@pytest.mark.parametrize("shape", [(2, 2), (2, 4), (3, 5)])
def test_cramers_v_is_that_of_scipy(shape):
    counts = np.random.default_rng(0).integers(1, 50, shape)
    expected = contingency.association(counts, method="cramer", correction=False)
    assert shortcut.cramers_v(counts) == pytest.approx(expected)
    with_empty = np.pad(counts, ((0, 1), (1, 0)))
    assert shortcut.cramers_v(with_empty) == pytest.approx(expected)


@pytest.mark.parametrize("counts", [[[3, 4]], [[3], [4]], [[3, 4], [0, 0]], [[0, 0], [0, 0]]])
def test_a_table_with_nothing_to_compare_has_no_association(counts):
    assert shortcut.cramers_v(counts) == 0.0


@pytest.mark.parametrize(
    ("scripted_of", "sentence"),
    [
        (lambda _n, _u: None, "does not say which utterances are read from a script"),
        (lambda _n, _u: True, "All 160 utterances of this corpus that say how they came about are"),
        (lambda _n, _u: True, "are scripted: there is nothing to tell them from"),
        (lambda _n, _u: False, "are improvised: there is nothing to tell them from"),
        (
            lambda n, u: n % 2 == 0 if u.session == "Ses01" else True,
            "The train part of fold 1 holds only scripted speech",
        ),
        (
            lambda n, u: n % 2 == 0 if u.session != "Ses02" else None,
            "The dev part of fold 1 holds neither scripted nor improvised speech",
        ),
    ],
)
def test_a_corpus_that_cannot_answer_is_told_why_and_nothing_else(scripted_of, sentence):
    found = examined(scripted_of)
    assert list(found) == ["unanswered"]
    assert sentence in found["unanswered"]


def test_utterances_that_do_not_say_how_they_came_about_are_left_out():
    found = examined(lambda n, u: None if u.emotion == "sad" else n % 2 == 0)
    assert [row["emotion"] for row in found["emotions"]] == ["angry", "happy", "neutral"]
    assert found["chance"] == pytest.approx(1 / 3)
    assert sum(found["num_utterances"].values()) == 120


def test_wrong_labels_of_the_test_part_change_no_answer_of_the_detector():
    asked = material(every_second, strength=1.0)
    fold = asked.folds[0]
    wrong = [
        replace(u, scripted=not u.scripted) if u.id in fold.test else u for u in asked.utterances
    ]
    one = replace(asked, folds=[fold])
    before = shortcut.examine(one, c_grid=C_GRID)["detector"]
    after = shortcut.examine(replace(one, utterances=wrong), c_grid=C_GRID)["detector"]
    assert after["settled"] == before["settled"]
    assert after["wa"] == pytest.approx(1 - before["wa"])


def test_the_file_says_null_where_an_interval_is_not_known(tmp_path):
    found = examined(every_second)
    found["detector"]["uar_low"] = float("nan")
    shortcut.write(tmp_path / "shortcut.json", found)
    back = json.loads((tmp_path / "shortcut.json").read_text())
    assert back["detector"]["uar_low"] is None
    assert back["emotions"] == found["emotions"]
