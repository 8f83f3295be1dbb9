from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ser.errors import RegistryError
from ser.promotion import answering_process, asking
from ser.promotion.asking import Question
from ser.promotion.perturbations import PERTURBATIONS
from ser.tracking import store
from tests.promotion.support import version_of
from tests.serving.support import recordings

EMOTIONS = ("angry", "happy", "neutral", "sad")


def answer(emotion, seconds=0.1, shift=0.0):
    values = {name: (0.7 if name == emotion else 0.1) + shift for name in EMOTIONS}
    shares = {f"uncalibrated_{name}": value for name, value in values.items()}
    return {"emotion": emotion, "seconds": seconds, **shares}


def tracked(*emotions):
    rows = [
        {
            "utterance_id": f"u{number}",
            **{f"probability_{name}": 0.7 if name == e else 0.1 for name in EMOTIONS},
        }
        for number, e in enumerate(emotions)
    ]
    return pd.DataFrame(rows)


def test_all_are_asked_as_they_are_and_some_changed(trained, monkeypatch):
    monkeypatch.setattr(asking, "_NUM_ASKED", 6)
    monkeypatch.setattr(asking, "_NUM_CHANGED", 2)
    path_of = recordings(trained)
    asked = asking.questions(list(path_of), path_of)
    assert len([q for q in asked if not q.change]) == 6
    changed = [q for q in asked if q.change]
    assert len(changed) == 2 * len(PERTURBATIONS)
    assert asking.questions(list(path_of)[::-1], path_of) == asked
    assert all(q.duration_s == pytest.approx(0.75) for q in asked)


def test_differences_changes_and_times_are_told_apart():
    asked = [
        Question("u0", "", "", 1.0),
        *(Question("u0", name, "", 1.0) for name in PERTURBATIONS),
        Question("u1", "", "", 2.0),
        *(Question("u1", name, "", 2.0) for name in PERTURBATIONS),
    ]
    first, *others = PERTURBATIONS
    answers = [
        answer("angry"),
        answer("sad"),
        *(answer("angry") for _ in others),
        answer("sad", seconds=0.4, shift=0.001),
        *(answer("sad", seconds=0.4) for _ in PERTURBATIONS),
    ]
    served = asking.compare(asked, answers, tracked("angry", "sad"))
    assert served.num_utterances == 2
    assert served.difference == pytest.approx(np.log(0.101 / 0.1))
    assert served.stability == {first: 0.5, **dict.fromkeys(others, 1.0)}
    assert served.real_time_factor == pytest.approx(np.median([0.1] * 5 + [0.2] * 5))


def test_a_rare_emotion_that_became_rarer_is_a_difference():
    was = tracked("angry").assign(probability_angry=0.8 - 1e-9, probability_sad=1e-9)
    (said,) = was.rename(columns=lambda name: name.replace("probability", "uncalibrated")).to_dict(
        "records"
    )
    said |= {"emotion": "angry", "seconds": 0.1, "uncalibrated_sad": 1e-10}
    changes = [Question("u0", name, "", 1.0) for name in PERTURBATIONS]
    asked = [Question("u0", "", "", 1.0), *changes]
    served = asking.compare(asked, [said] * len(asked), was)
    assert served.difference == pytest.approx(np.log(10))


def test_a_model_is_asked_in_a_process_of_its_own(trained):
    version = version_of("lstm-aam")
    path_of = recordings(trained)
    asked = asking.questions(list(path_of)[:2], path_of)
    uri = f"models:/{version.name}/{version.number}"
    answers = asking.ask(uri, asked, tracking_uri=store.default_uri(Path()))
    assert len(answers) == len(asked)
    assert {found["emotion"] for found in answers} <= set(EMOTIONS)
    assert all(found["seconds"] > 0 for found in answers)


def test_a_model_that_cannot_be_loaded_says_why(trained, warm):
    with pytest.raises(RegistryError, match=r"none/9 cannot be served: .*none"):
        asking.ask("models:/none/9", [], tracking_uri=store.default_uri(Path()))


def test_the_process_imports_nothing_of_this_copy_of_the_package():
    text = Path(answering_process.__file__).read_text()
    lines = [line for line in text.splitlines() if line.startswith(("import ", "from "))]
    assert not [line for line in lines if " ser" in line]
