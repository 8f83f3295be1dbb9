"""What every extractor promises, run over all of them by discovery."""

import numpy as np
import pytest

from ser import components

RATE = 16000
EXTRACTORS = components.names("ser.features.extractors")


def build(name):
    module = components.load("ser.features.extractors", name)
    return module.build(module.Params(), sampling_rate=RATE)


@pytest.mark.parametrize("name", EXTRACTORS)
@pytest.mark.parametrize("num_samples", [400, 1600, 24000])
def test_frames_are_finite_float32_of_the_promised_width(name, num_samples):
    extractor = build(name)
    rng = np.random.default_rng(0)
    frames = extractor((0.1 * rng.normal(size=num_samples)).astype(np.float32))
    assert frames.ndim == 2
    assert len(frames) >= 1
    assert frames.shape[1] == extractor.num_bins
    assert frames.dtype in (np.float32, np.float16)
    assert np.isfinite(frames).all()


@pytest.mark.parametrize("name", EXTRACTORS)
def test_the_same_waveform_gives_the_same_bytes(name):
    samples = np.random.default_rng(1).normal(size=8000).astype(np.float32)
    assert build(name)(samples).tobytes() == build(name)(samples).tobytes()
