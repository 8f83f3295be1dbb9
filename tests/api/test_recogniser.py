"""What a loaded model takes, how it refuses, and that it answers as the server does."""

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch
from mlflow.pyfunc import scoring_server
from starlette.testclient import TestClient

import ser
from ser.errors import AudioInputError, SerError
from ser.nn.ratings import RatedModel
from ser.serving.prediction import Answer
from ser.tracking import store
from tests.api.support import recogniser
from tests.promotion.support import known_version
from tests.serving.support import RATE, as_base64, encoded, recordings, speech

EMOTIONS = ("angry", "happy", "neutral", "sad")


@pytest.fixture
def model(trained, tmp_path):
    return recogniser(tmp_path)


@pytest.fixture
def wav(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(encoded(speech(), subtype="FLOAT"))
    return path


def same(one, other):
    assert one.probabilities == other.probabilities
    assert one.windows == other.windows


def test_every_form_of_a_recording_gets_the_same_answer(model, wav):
    forms = [wav, str(wav), wav.read_bytes(), (speech(), RATE)]
    found = [model.predict(form) for form in forms]
    found.append(model.predict(speech(), sampling_rate=RATE))
    found.append(model.predict(torch.from_numpy(speech()), sampling_rate=RATE))
    for one in found:
        same(one, found[0])
    assert [one.source for one in found] == [*[str(wav)] * 2, "bytes", *["samples"] * 3]


def test_an_answer_says_all_that_is_known(model, wav):
    found = model.predict(wav)
    assert isinstance(found, ser.Recognition)
    assert tuple(found.probabilities) == model.emotions == EMOTIONS
    assert sum(found.probabilities.values()) == pytest.approx(1.0)
    assert found.emotion == (None if found.abstained else found.most_probable)
    assert (found.model, found.version, found.synthetic) == ("lstm-aam", None, True)
    assert (found.start_s, found.end_s, found.duration_s) == (0.0, 1.0, 1.0)
    assert len(found.bundle_sha256) == 64
    assert all(type(window) is Answer for window in found.windows)
    with pytest.raises(AttributeError):
        found.emotion = "happy"


def test_a_long_recording_has_windows_with_their_times(model):
    found = model.predict(speech(3.0), sampling_rate=RATE)
    assert len(found.windows) > 2
    assert found.windows[0].start_s == 0.0
    assert found.windows[-1].end_s == pytest.approx(3.0, abs=2e-3)


def test_the_answers_are_those_of_the_server(trained, tmp_path):
    version = known_version("lstm-aam")
    model = ser.load(version.uri)
    mlflow.set_tracking_uri(store.default_uri(trained))
    client = TestClient(scoring_server.init(mlflow.pyfunc.load_model(version.uri)))
    paths = list(recordings(trained).values())[:6]
    rows = [{"audio": as_base64(path.read_bytes())} for path in paths]
    served = client.post("/invocations", json={"inputs": rows}).json()["predictions"]
    own = model.predict(paths)
    for one, other in zip(own, served, strict=True):
        for emotion in EMOTIONS:
            assert one.probabilities[emotion] == pytest.approx(
                other[f"probability_{emotion}"], abs=1e-6
            )
        for field in ("emotion", "reason", "model", "version", "synthetic"):
            assert getattr(one, field) == other[field]
        assert len(one.windows) == len(other["windows"])


def test_channels_are_averaged_and_come_first(model):
    left, right = speech(seed=1), speech(seed=2)
    mono = model.predict((left + right) / 2, sampling_rate=RATE)
    stereo = model.predict(np.stack([left, right]), sampling_rate=RATE)
    assert stereo.probabilities == pytest.approx(mono.probabilities, abs=1e-5)
    with pytest.raises(AudioInputError, match=r"\(16000, 2\); expected .* `samples.T` here"):
        model.predict(np.stack([left, right], axis=1), sampling_rate=RATE)


@pytest.mark.parametrize(
    ("audio", "rate", "said"),
    [
        (speech(), None, r"shape \(16000,\) has no rate: give sampling_rate="),
        (speech(), 0, "sampling_rate must be a whole number above 0"),
        (speech(), 100, "sampling rate 100 Hz; 4000 to 192000 Hz are read"),
        (speech() * np.nan, RATE, "damaged: 16000 of 16000 samples are NaN or infinite"),
        ((speech() * 32767).astype(np.int16), RATE, "full scale"),
        (speech() > 0, RATE, "samples must be a list of numbers"),
        (speech().astype(np.complex64), RATE, "samples must be a list of numbers"),
        (speech().reshape(2, 2, -1), RATE, r"shape \(2, 2, 4000\); expected \(num_samples,\) or"),
        (np.float32(0.5), RATE, r"shape \(\); expected"),
        (np.zeros(0, np.float32), RATE, "empty"),
        (np.zeros(RATE, np.float32), RATE, "silent"),
        (speech(0.01), RATE, "too short"),
        (b"", None, "empty"),
        (b"nonsense", None, "unreadable: not audio"),
        ("nowhere.wav", None, "nowhere.wav: missing"),
        ("a.wav", RATE, "sampling_rate belongs to an array of samples"),
        ((speech(), RATE, 1), None, "got a tuple of 3"),
        (3.5, None, r"got 3\.5; a recording is a path, the bytes"),
        (None, None, "a recording is a path, the bytes"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_sentence(model, audio, rate, said):
    with pytest.raises(ser.SerError, match=said) as refused:
        model.predict(audio, sampling_rate=rate)
    assert str(refused.value).isprintable()


def test_a_list_is_answered_in_its_order(model, wav, trained):
    paths = list(recordings(trained).values())[:3]
    found = model.predict([*paths, wav.read_bytes(), (speech(), RATE)])
    assert isinstance(found, ser.Recognitions)
    assert [one.source for one in found] == [*map(str, paths), "bytes", "samples"]
    for one, path in zip(found, paths, strict=False):
        same(one, model.predict(path))
    same(found[3], found[4])
    arrays = model.predict([speech(seed=1), speech(seed=2)], sampling_rate=RATE)
    same(arrays[1], model.predict(speech(seed=2), sampling_rate=RATE))
    assert model.predict([]) == ()


def test_a_bad_item_of_a_list_is_named_by_its_index(model, wav):
    with pytest.raises(AudioInputError, match=r"^recording 1: .*none\.wav: missing"):
        model.predict([wav, wav.with_name("none.wav")])
    with pytest.raises(AudioInputError, match=r"^recording 0: got 0\.25; a recording is"):
        model.predict([0.25, 0.5])


def test_a_model_says_who_it_is(model):
    assert repr(model) == "<Recogniser lstm-aam: angry, happy, neutral, sad, synthetic speech>"
    assert (model.task, model.sampling_rate) == ("csv", 16000)
    assert model.limits.max_duration_s == 600.0


def test_answers_are_tables_too(model):
    found = model.predict([(speech(3.0), RATE), (speech(0.5), RATE)])
    table = found.to_frame()
    assert isinstance(table, pd.DataFrame)
    assert table["end_s"].tolist() == [3.0, 0.5]
    assert [name for name in table if name.startswith("probability_")] == [
        f"probability_{emotion}" for emotion in EMOTIONS
    ]
    windows = found.to_frame(windows=True)
    assert len(windows) == len(found[0].windows) + len(found[1].windows)
    pd.testing.assert_frame_equal(found[1].to_frame(), table.iloc[[1]].reset_index(drop=True))


def test_a_model_that_rates_answers_with_the_mean_over_its_windows(model):
    samples = speech(3.0)
    assert model.predict(samples, sampling_rate=RATE).ratings is None
    predictor = model._predictor
    predictor.network = RatedModel(predictor.network, 3).eval()
    found = model.predict(samples, sampling_rate=RATE)
    # Nothing is held against what is heard, so all windows count.
    assert {window.reason for window in found.windows} <= {None, "unsure"}
    assert len(found.windows) > 2
    each = [
        predictor._output(samples[round(w.start_s * RATE) : round(w.end_s * RATE)]).ratings[0]
        for w in found.windows
    ]
    wanted = torch.stack(each).mean(dim=0).tolist()
    assert list(found.ratings) == ["valence", "arousal", "dominance"]
    assert list(found.ratings.values()) == pytest.approx(wanted, abs=1e-5)
    assert found.to_frame()["arousal"].tolist() == [found.ratings["arousal"]]


def test_a_long_recording_becomes_segments_without_gaps(model, tmp_path):
    path = tmp_path / "talk.wav"
    path.write_bytes(encoded(speech(8.0), subtype="FLOAT"))
    found = model.segments(path, window_s=1, hop_s=0.5)
    assert isinstance(found, ser.Segments)
    assert (found[0].start_s, found[-1].end_s) == (0.0, 8.0)
    assert all(isinstance(one, ser.EmotionSegment) for one in found)
    assert [one.end_s for one in found[:-1]] == [one.start_s for one in found[1:]]
    same(found.of, model.predict(path))
    same(model.segments(speech(8.0), sampling_rate=RATE, window_s=1).of, found.of)
    table = found.to_frame()
    assert table["start_s"].tolist() == [one.start_s for one in found]
    assert set(table["source"]) == {str(path)}
    assert set(table["synthetic"]) == {True}
    extra = set(table) - set(found.of.to_frame())
    assert extra == {"confidence"}


def test_a_file_may_be_longer_than_what_is_answered_at_once(model, tmp_path):
    model._predictor.limits = model.limits.model_copy(update={"max_duration_s": 2.0})
    path = tmp_path / "talk.wav"
    path.write_bytes(encoded(speech(3.0), subtype="FLOAT"))
    with pytest.raises(AudioInputError, match="too long"):
        model.predict(path)
    assert model.segments(path).of.end_s == 3.0
    with pytest.raises(AudioInputError, match="too long"):
        model.segments(path.read_bytes())


def test_a_setting_of_segments_that_is_none_is_named_with_those_that_are(model):
    with pytest.raises(SerError, match="switch_costs"):
        model.segments(speech(3.0), sampling_rate=RATE, switch_costs=2)
    with pytest.raises(SerError, match="hop_s"):
        model.segments(speech(3.0), sampling_rate=RATE, hop_s=0)
