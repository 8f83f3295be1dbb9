import dataclasses

import numpy as np
import pandas as pd
import pytest

from ser.contracts import RunSpec
from ser.data import leakage, splits
from ser.data.protocols import SplitParams
from ser.emotion import EMOTIONS
from ser.errors import FileError
from ser.evaluation import protocol_cost
from ser.evaluation.protocol_cost import Measured
from tests import synthetic

UTTERANCES = [
    dataclasses.replace(u, text=f"Sentence {u.id[-1]}.") for u in synthetic.corpus(per_speaker=5)
]
SPEAKER_OF = {u.id: u.speaker for u in UTTERANCES}


def spec_of(**params):
    """The run of a cell; its params are those given, or else the usual."""
    usual = {
        "model": {"name": "lstm"}, "loss": {"name": "focal", "gamma": 2.0},
        "training": {"epochs": 3, "seeds": [0], "keep_weights": "all"},
        "split": {"protocol": "session"},
    }  # fmt: skip
    tags = {"ser.features_sha256": "a" * 64, "ser.source_sha256": "b" * 64, "ser.torch": "2"}
    return RunSpec(name="lstm-focal", run_key="k", tags=tags, params={**usual, **params})


def split_of(protocol, utterances=UTTERANCES):
    params = SplitParams(protocol=protocol)
    folds = splits.split(utterances, params)
    audited = leakage.audit(folds, utterances, protocol)
    report = synthetic.split_report(
        protocol=protocol, params=params, folds=audited, split_sha256=protocol[0] * 64
    )
    return folds, report


def predicted(folds, *, accuracy):
    """One seed; so large a share of every class is right."""
    rng = np.random.default_rng(0)
    truth_of = {u.id: u.emotion for u in UTTERANCES}
    rows = []
    for fold in folds:
        for id_ in fold.test:
            index = EMOTIONS.index(truth_of[id_])
            shown = index if rng.random() < accuracy else (index + 1) % len(EMOTIONS)
            shares = np.full(len(EMOTIONS), 0.1)
            shares[shown] = 0.7
            rows.append(
                {
                    "utterance_id": id_, "fold": fold.number, "seed": 0, "part": "test",
                    "truth": truth_of[id_], "prediction": EMOTIONS[shown],
                    **{f"probability_{e}": p for e, p in zip(EMOTIONS, shares, strict=True)},
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def measured(*, without=()):
    (session, first), (text, second) = split_of("session"), split_of("text")
    frames = predicted(session, accuracy=0.9), predicted(text, accuracy=0.6)
    frames = (frames[0], frames[1][~frames[1]["utterance_id"].isin(without)])
    return protocol_cost.measure(
        spec_of(),
        frames=frames,
        splits=(first, second),
        speaker_of=SPEAKER_OF,
        synthetic=True,
    )


def test_the_difference_comes_with_its_interval_and_with_what_training_lost():
    cost = measured()
    assert cost.difference == pytest.approx(cost.second.uar - cost.first.uar)
    assert cost.difference < -0.15
    assert cost.low < cost.difference < cost.high < 0
    assert (cost.first.num_folds, cost.second.num_folds) == (5, 25)
    assert (cost.first.mean_train, cost.first.mean_left_out) == (120, 0)
    assert (cost.second.mean_train, cost.second.mean_left_out) == (72, 112)
    assert cost.num_compared == cost.first.num_tested == cost.second.num_tested == 200


def test_only_what_both_tested_is_compared():
    without = [u.id for u in UTTERANCES if u.speaker == "Ses01F"]
    cost = measured(without=without)
    assert (cost.first.num_tested, cost.second.num_tested, cost.num_compared) == (200, 180, 180)
    assert cost.first.uar == measured().first.uar
    assert cost.difference != pytest.approx(cost.second.uar - cost.first.uar, abs=1e-9)


def test_an_emotion_that_not_both_tested_cannot_be_compared():
    with pytest.raises(ValueError, match="no utterance has class index"):
        measured(without=[u.id for u in UTTERANCES if u.emotion == "sad"])


def found(folder, split, spec=None):
    return protocol_cost.of_split(folder, split, {"lstm-focal": spec or spec_of()})


def test_it_is_found_again_by_the_data_and_folds_it_was_measured_on(tmp_path):
    cost = measured()
    cost.write(tmp_path / "lstm-focal-session-text.json")
    for protocol in ("session", "text"):
        assert found(tmp_path, split_of(protocol)[1]) == [Measured(cost)]
    _, other = split_of("random")
    assert found(tmp_path, other) == []
    _, report = split_of("text")
    other = report.model_copy(update={"manifest_sha256": "f" * 64})
    assert found(tmp_path, other) == []
    assert found(tmp_path / "nothing", report) == []
    assert protocol_cost.of_split(tmp_path, report, {"lstm-ccc": spec_of()}) == []


def test_numbers_of_a_cell_that_is_trained_otherwise_now_are_not_shown_beside_it(tmp_path):
    cost, (_, split) = measured(), split_of("text")
    cost.write(tmp_path / "lstm-focal-session-text.json")
    kept = {"epochs": 3, "seeds": [0], "keep_weights": "best"}
    (same,) = found(tmp_path, split, spec_of(split={"protocol": "text"}, training=kept))
    assert same.differing == ()
    (other,) = found(tmp_path, split, spec_of(loss={"name": "focal", "gamma": 3.0}))
    assert other.why_not == (
        "measured on lstm-focal with other params than it has now (loss.gamma was 2.0, is 3.0): "
        "`ser protocol-gap lstm-focal --protocol text` measures it anew"
    )
    tags = {**spec_of().tags, "ser.features_sha256": "f" * 64, "ser.torch": "3"}
    (of_feature,) = found(tmp_path, split, dataclasses.replace(spec_of(), tags=tags))
    assert of_feature.differing == ("another content of the feature",)


def test_a_file_that_does_not_say_how_its_cell_was_trained_is_not_trusted(tmp_path):
    measured().model_copy(update={"settings": {}}).write(tmp_path / "old.json")
    (old,) = found(tmp_path, split_of("text")[1])
    assert old.differing == ("the file does not say how its cell was trained",)


def test_the_command_that_measures_anew_names_a_reference_that_is_not_usual():
    cost = measured()
    cost = cost.model_copy(update={"first": cost.first.model_copy(update={"protocol": "speaker"})})
    said = protocol_cost.command(cost)
    assert said == "ser protocol-gap lstm-focal --protocol text --reference speaker"


def test_a_damaged_file_is_refused_by_name(tmp_path):
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(FileError, match=r"a\.json.*ser protocol-gap"):
        found(tmp_path, split_of("text")[1])


def test_the_text_names_both_protocols_the_difference_and_synthetic_speech():
    cost = measured().model_copy(
        update={"difference": -0.12, "low": -0.2, "high": -0.05, "p": 0.002}
    )
    text = protocol_cost.as_text(cost)
    assert "SYNTHETIC" in text
    assert (
        "text minus session: -12.0 points of UAR (-20.0 to -5.0), paired p 0.002, on the 200 "
        "utterances that both tested"
    ) in text
    assert "not known" in protocol_cost.statement(cost.model_copy(update={"low": None}))
