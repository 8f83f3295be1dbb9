import pytest

from ser.monitoring import measures
from ser.serving import audio_input, observing
from ser.serving.audio_input import InputLimits
from ser.serving.predictor import Predictor
from tests.serving.support import RATE, encoded, speech, write_bundle


@pytest.fixture
def predictor(trained, tmp_path):
    folder, _ = write_bundle("lstm-aam", tmp_path / "bundle")
    return Predictor.load(folder)


def test_a_recording_is_measured_at_the_rate_at_which_the_model_hears():
    waveform = audio_input.from_bytes(encoded(speech(1.0, 8000), 8000), InputLimits())
    found = observing.sound(waveform, RATE)
    samples = audio_input.to_rate(waveform, RATE)
    assert found == {"duration_s": 1.0, **measures.measure(samples, RATE)}
    assert found["rolloff_hz"] < 4100


def test_the_most_probable_emotion_counts_also_where_none_is_given(predictor):
    waveform = audio_input.from_bytes(encoded(speech(0.7)), predictor.limits)
    answer = predictor.predict(waveform)
    found = observing.observe(predictor, waveform)
    assert found["emotion"] == answer.whole.most_probable
    assert found["confidence"] == max(answer.whole.probabilities.values())
    assert found["distance"] == answer.distance > 0


def test_what_cannot_be_used_is_handed_back_with_its_reason(predictor, tmp_path):
    good, bad = tmp_path / "a.wav", tmp_path / "b.wav"
    good.write_bytes(encoded(speech(0.7)))
    bad.write_bytes(b"nonsense")
    rows, refused = observing.observe_all([bad, good], predictor)
    assert len(rows) == 1
    ((path, reason),) = refused
    assert path == bad
    assert "not audio" in reason
