"""What a bundle answers to sounds that are no speech, and to speech among them."""

from dataclasses import asdict

import numpy as np
import pytest
import soundfile

from ser.evaluation.familiarity import Reference
from ser.registry import bundle as bundles
from ser.serving.audio_input import Waveform
from ser.serving.predictor import Predictor
from tests.registry.support import as_format_1
from tests.serving.support import RATE, decision, limit, speech, write_bundle

UNLIKE = "unlike anything in training"


@pytest.fixture
def predictor(trained, tmp_path):
    """Its corpus is noise and a tone; here it wants speech all the same."""
    predictor = Predictor.load(write_bundle("lstm-aam", tmp_path / "bundle")[0])
    limit(predictor, min_speech_share=0.25)
    answering = predictor.bundle.answering.model_copy(update={"min_confidence": 0.0})
    predictor.bundle = predictor.bundle.model_copy(update={"answering": answering})
    return predictor


@pytest.fixture
def spoken(emodb_recordings):
    samples, rate = soundfile.read(emodb_recordings[0], dtype="float32")
    assert rate == RATE
    return samples


def noise(seconds, level):
    size = round(seconds * RATE)
    return (level * np.random.default_rng(1).standard_normal(size)).astype(np.float32)


def heard(predictor, *parts):
    return predictor.predict(Waveform(np.concatenate(parts), RATE))


@pytest.mark.parametrize(
    "sound",
    [noise(1.5, 0.001), noise(1.5, 0.2), speech(1.5), np.zeros(RATE, np.float32)],
    ids=["hiss", "noise", "tone", "silence"],
)
def test_a_sound_that_is_no_speech_gets_no_emotion(predictor, sound):
    whole = heard(predictor, sound).whole
    assert (whole.emotion, whole.abstained, whole.reason) == (None, True, "no speech")
    assert whole.speech_share == 0.0
    assert sum(whole.probabilities.values()) == pytest.approx(1.0)
    assert whole.most_probable in whole.probabilities


@pytest.mark.emodb
def test_speech_is_answered(predictor, spoken):
    whole = heard(predictor, spoken).whole
    assert (whole.abstained, whole.reason) == (False, None)
    assert whole.emotion == decision(asdict(whole))
    assert whole.speech_share > 0.5


@pytest.mark.emodb
def test_the_windows_with_speech_speak_for_the_whole(predictor, spoken):
    prediction = heard(predictor, noise(4.0, 0.001), spoken, noise(4.0, 0.001))
    talking = [window for window in prediction.windows if window.reason is None]
    assert 0 < len(talking) < len(prediction.windows)
    assert {w.reason for w in prediction.windows if w.abstained} == {"no speech"}
    assert prediction.windows[0].speech_share == prediction.windows[-1].speech_share == 0.0
    mean = np.mean([list(window.probabilities.values()) for window in talking], axis=0)
    assert list(prediction.whole.probabilities.values()) == pytest.approx(mean)
    assert prediction.whole.familiarity == pytest.approx(np.mean([w.familiarity for w in talking]))
    assert prediction.whole.reason is None
    # Of all of it: a little, though enough in the windows that have it.
    assert 0.0 < prediction.whole.speech_share < 0.25


@pytest.mark.emodb
def test_speech_further_away_than_all_compared_with_is_unlike_them(predictor, spoken):
    gaussians = predictor.reference.gaussians
    predictor.reference = Reference(gaussians, np.full(60, 1e-9))
    limit(predictor, min_familiarity=0.02)
    whole = heard(predictor, spoken).whole
    assert whole.familiarity == pytest.approx(1 / 61)
    assert (whole.emotion, whole.reason) == (None, UNLIKE)
    predictor.reference = Reference(gaussians, np.full(60, 1e9))
    whole = heard(predictor, spoken).whole
    assert (whole.familiarity, whole.reason) == (1.0, None)


def test_familiarity_is_that_of_the_embedding_in_training(trained, predictor):
    samples = speech(0.6)
    (window,) = heard(predictor, samples).windows
    embedding = predictor._output(samples).embedding.double().numpy()
    assert window.familiarity == predictor.reference.familiarity(embedding)[0]


def test_a_bundle_of_the_format_before_answers_without_them(predictor, tmp_path):
    answered = heard(predictor, speech(2.0))
    as_format_1(tmp_path / "bundle")
    old = Predictor.load(tmp_path / "bundle")
    assert old.bundle.format == 1
    assert not (tmp_path / "bundle" / bundles.FAMILIARITY).exists()
    prediction = heard(old, speech(2.0))
    for answer in (prediction.whole, *prediction.windows):
        assert (answer.speech_share, answer.familiarity) == (None, None)
        assert answer.reason in (None, "unsure")
        decision(asdict(answer))
    assert prediction.whole.probabilities == answered.whole.probabilities
