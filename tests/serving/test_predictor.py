from dataclasses import asdict

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from ser import lineage
from ser.errors import BundleError
from ser.evaluation import calibration
from ser.registry import bundle as bundles
from ser.serving import audio_input
from ser.serving import predictor as predicting
from ser.serving.audio_input import InputLimits, Waveform
from ser.serving.predictor import Predictor
from tests.serving.support import (
    RATE,
    assert_same_logits,
    decision,
    recordings,
    speech,
    tracked_by,
    write_bundle,
)
from tests.trained_project import CELLS

pytestmark = pytest.mark.numeric

LIMITS = InputLimits()


@pytest.fixture
def predictor(trained, tmp_path):
    folder, _ = write_bundle("lstm-aam", tmp_path / "bundle")
    return Predictor.load(folder)


@pytest.mark.parametrize("cell", CELLS)
def test_what_is_served_is_what_was_tracked(cell, trained, tmp_path):
    folder, record = write_bundle(cell, tmp_path / "bundle")
    predictor = Predictor.load(folder)
    frame = tracked_by(cell, record)
    path_of = recordings(trained)
    emotions = predictor.bundle.emotions
    tracked = frame[[f"probability_{name}" for name in emotions]].to_numpy()
    predictions = [
        predictor.predict(audio_input.from_path(path_of[id_], LIMITS))
        for id_ in frame["utterance_id"]
    ]
    served = np.array([[p.uncalibrated[name] for name in emotions] for p in predictions])
    assert_same_logits(served, tracked)
    scaled = calibration.scale(tracked, predictor.bundle.answering.temperature)
    calibrated = np.array([[p.whole.probabilities[n] for n in emotions] for p in predictions])
    assert_same_logits(calibrated, scaled)
    assert [decision(asdict(p.whole)) for p in predictions] == frame["prediction"].tolist()


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("seconds", [0.1, 0.75, 3.0])
def test_any_length_is_answered(cell, seconds, trained, tmp_path):
    predictor = Predictor.load(write_bundle(cell, tmp_path / "bundle")[0])
    prediction = predictor.predict(Waveform(speech(seconds), RATE))
    assert sum(prediction.whole.probabilities.values()) == pytest.approx(1.0)
    assert prediction.duration_s == pytest.approx(seconds)


def test_a_long_recording_is_heard_in_windows_up_to_its_end(predictor):
    prediction = predictor.predict(Waveform(speech(2.0), RATE))
    starts = [window.start_s for window in prediction.windows]
    window_s = predictor.bundle.answering.window_s
    assert starts[0] == 0.0
    hops = np.diff(starts)
    # The last window is as far from the one before as the others are from theirs.
    assert hops.max() <= window_s / 2 + 0.01
    assert hops.max() - hops.min() <= 1.5 / RATE
    assert prediction.windows[-1].end_s == pytest.approx(2.0)
    assert all(w.end_s - w.start_s == pytest.approx(window_s, abs=0.01) for w in prediction.windows)
    means = np.mean([list(w.probabilities.values()) for w in prediction.windows], axis=0)
    assert list(prediction.whole.probabilities.values()) == pytest.approx(means)


def test_a_window_is_answered_as_if_it_were_a_recording(predictor):
    samples = speech(2.0)
    first = predictor.predict(Waveform(samples, RATE)).windows[0]
    alone = predictor.predict(Waveform(samples[: round(first.end_s * RATE)], RATE))
    assert len(alone.windows) == 1
    assert first.probabilities == pytest.approx(alone.whole.probabilities)


def test_it_abstains_below_its_confidence(predictor):
    waveform = Waveform(speech(0.5), RATE)
    confidence = max(predictor.predict(waveform).whole.probabilities.values())
    for threshold, abstains in ((confidence - 1e-9, False), (confidence + 1e-9, True)):
        answering = predictor.bundle.answering.model_copy(update={"min_confidence": threshold})
        predictor.bundle = predictor.bundle.model_copy(update={"answering": answering})
        whole = predictor.predict(waveform).whole
        assert whole.abstained is abstains
        assert whole.reason == ("unsure" if abstains else None)
        assert whole.emotion == (None if abstains else decision(asdict(whole)))


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
def test_any_rate_is_brought_to_the_models_own(predictor, rate):
    prediction = predictor.predict(Waveform(speech(0.7, rate), rate))
    assert prediction.duration_s == pytest.approx(0.7)


def test_weights_of_another_shape_are_refused(trained, tmp_path):
    folder, _ = write_bundle("lstm-aam", tmp_path / "bundle")
    path = folder / bundles.WEIGHTS
    weights = load_file(path)
    name = sorted(weights)[0]
    save_file({**weights, name: np.zeros((3, 3), np.float32)}, path)
    bundle = bundles.FILE
    text = (folder / bundle).read_text()
    old = bundles.Bundle.model_validate_json(text).files[bundles.WEIGHTS]
    (folder / bundle).write_text(text.replace(old, lineage.sha256_file(path)))
    with pytest.raises(BundleError, match="does not fit the params"):
        Predictor.load(folder)


def test_only_what_a_component_makes_of_the_bundle_is_said_of_the_bundle(
    trained, tmp_path, monkeypatch
):
    folder, _ = write_bundle("lstm-aam", tmp_path / "bundle")
    with pytest.raises(RuntimeError, match="device"):
        Predictor.load(folder, device="nonsense")
    monkeypatch.setattr(predicting.Statistics, "load", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        Predictor.load(folder)
    monkeypatch.setattr(predicting, "build_model", lambda *_, **__: 1 / 0)
    said = r"bundle\.json: describes no model that can be built \(ZeroDivisionError"
    with pytest.raises(BundleError, match=said):
        Predictor.load(folder)
