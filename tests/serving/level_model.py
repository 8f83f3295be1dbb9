"""A predictor whose network is none: how loud a window is decides which emotion is heard."""

from types import SimpleNamespace

import numpy as np

from ser.registry.bundle import Hearing
from ser.serving.audio_input import InputLimits
from ser.serving.predictor import HeardWindows, Predictor

EMOTIONS = ("angry", "sad")
RATE = 16000
#: Peak of what is heard as sad, and as angry.
QUIET, LOUD = 0.1, 0.5


class LevelModel(Predictor):
    """Answers `sad` for what is quiet and `angry` for what is loud; it heard 4 s in training."""

    def __init__(self, *, min_confidence=0.0, min_speech_share=None):
        hearing = None
        if min_speech_share is not None:
            hearing = Hearing(
                min_speech_share=min_speech_share,
                min_familiarity=0.0,
                compared_with="dev",
                num_compared=1,
            )
        answering = SimpleNamespace(window_s=4.0, overlap=0.5, min_confidence=min_confidence)
        self.bundle = SimpleNamespace(emotions=EMOTIONS, answering=answering, hearing=hearing)
        self.reference, self.limits, self.sampling_rate = None, InputLimits(), RATE

    def _heard(self, samples):
        loudness = np.abs(samples).mean() / (LOUD / 2)
        share = float(np.clip(loudness, 0.05, 0.95))
        return [share, 1.0 - share]

    def hear(self, sound, spans, *, progress=iter):
        from ser.serving import windows

        raw = np.array([self._heard(one) for one in windows.cut(sound.blocks(), list(spans))])
        for _ in progress(spans):
            pass
        times = [(a / RATE, b / RATE) for a, b in spans]
        return HeardWindows(times, raw, raw, None, None)


def samples(*parts):
    """A recording of stretches: seconds and level each, a square wave."""
    waves = []
    for seconds, level in parts:
        signs = np.where(np.arange(round(seconds * RATE)) // 40 % 2, -1.0, 1.0)
        waves.append(level * signs * 0.5)
    return np.concatenate(waves).astype(np.float32)
