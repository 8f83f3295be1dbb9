import numpy as np
import pytest
from pydantic import ValidationError

from ser.errors import ParamsError
from ser.features.extractors import logmel
from ser.pretrained.vggish_frontend import LogMel

RATE = 16000


def waveform(num_samples):
    return (0.1 * np.random.default_rng(0).normal(size=num_samples)).astype(np.float32)


def test_frames_are_those_of_the_front_end_and_no_patch_is_cut():
    samples = waveform(400 + 160 * 249)
    frames = logmel.build(logmel.Params(), sampling_rate=RATE)(samples)
    assert frames.shape == (250, 64)
    assert frames.dtype == np.float32
    np.testing.assert_array_equal(frames, LogMel(RATE)(samples).numpy())


def test_a_short_clip_has_the_frames_of_one_patch():
    assert len(logmel.build(logmel.Params(), sampling_rate=RATE)(waveform(400))) == 96


def test_another_sampling_rate_is_refused():
    with pytest.raises(ParamsError, match="16000 Hz only, got 8000"):
        logmel.build(logmel.Params(), sampling_rate=8000)


def test_nothing_about_it_can_be_set():
    with pytest.raises(ValidationError, match="num_mels"):
        logmel.Params(num_mels=40)
