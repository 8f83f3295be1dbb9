"""A server whose model is none: it answers at once, in windows of two seconds, as it is told."""

from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pandas as pd

from ser.registry.bundle import Hearing
from ser.serving import mlflow_model, server
from ser.serving.audio_input import InputLimits
from ser.serving.mlflow_model import ServedModel
from ser.serving.prediction import Answer, Prediction
from ser.serving.predictor import HeardWindows, Predictor
from ser.serving.sound import Survey
from tests.serving.listening import on_a_port

EMOTIONS = ("angry", "happy", "neutral", "sad")
#: What the windows answer, in turn: the second one abstains.
SHARES = ((0.1, 0.7, 0.15, 0.05), (0.3, 0.31, 0.29, 0.1), (0.05, 0.1, 0.25, 0.6))
#: What is heard from one third second to the next: at last nothing is sure.
FOLLOWING = (SHARES[0], SHARES[2], (0.45, 0.1, 0.3, 0.15))
_WINDOW_S = 2.0


class StandIn(Predictor):
    """In place of a predictor.

    Args:
        synthetic: What the bundle says of itself.
        reason: Why the whole gets no emotion; None: it gets one.
        limits: Of a recording.
    """

    def __init__(self, *, synthetic=False, reason=None, limits=None):
        self.reason, self.limits = reason, limits or InputLimits()
        self.bundle_sha256, self.sampling_rate, self.reference = "0" * 64, 16000, None
        self.heard = []
        hearing = Hearing(
            min_speech_share=0.25, min_familiarity=0.0, compared_with="dev", num_compared=1
        )
        self.bundle = SimpleNamespace(
            emotions=EMOTIONS,
            is_synthetic=synthetic,
            tags={},
            answering=SimpleNamespace(window_s=_WINDOW_S, min_confidence=0.5),
            hearing=hearing,
            corpus=SimpleNamespace(name="emodb", protocol="session"),
            training=SimpleNamespace(cell="lstm-aam", run_key="0123456789abcdef"),
        )

    def survey(self, sound, *, progress=iter):
        """What is loud is speech."""
        (samples,) = progress(sound.blocks())
        rate, frame = sound.sampling_rate, round(0.032 * sound.sampling_rate)
        starts = range(0, len(samples), frame)
        speech = np.array([np.abs(samples[k : k + frame]).mean() > 0.01 for k in starts])
        return Survey(len(samples), rate, np.zeros((1, 2), np.float32), speech)

    def predict(self, sound, heard=None, *, progress=iter):  # noqa: ARG002
        self.heard.append(sound)
        duration = sound.duration_s
        starts = [0.0, *(k * _WINDOW_S / 2 for k in range(1, round(duration) - 1))]
        windows = tuple(
            self._said(start, min(duration, start + _WINDOW_S), SHARES[k % 3], k % 3 == 1)
            for k, start in enumerate(starts)
        )
        whole = self._said(0.0, duration, SHARES[0], self.reason is not None)
        return Prediction(whole, windows, whole.probabilities)

    def hear(self, sound, spans, *, progress=iter):  # noqa: ARG002
        """Another emotion every three seconds."""
        times = [(a / self.sampling_rate, b / self.sampling_rate) for a, b in progress(spans)]
        raw = np.array([FOLLOWING[int((a + b) / 2 // 3.0) % 3] for a, b in times])
        return HeardWindows(times, raw, raw, None, None)

    def answer(self, probabilities, time, heard, refusal):
        """From the twelfth second on everything is strange."""
        strange = "unlike anything in training" if time[0] > 11.0 else None
        return super().answer(probabilities, time, heard, refusal or strange)

    def _said(self, start, end, shares, abstained):
        probabilities = dict(zip(EMOTIONS, shares, strict=True))
        emotion = None if abstained else max(probabilities, key=probabilities.get)
        reason = (self.reason or "unsure") if abstained else None
        return Answer(start, end, emotion, probabilities, abstained, reason, 0.9, 0.5)


def application(*, allowed_hosts=("*",), **settings):
    """`ser serve` with a stand-in, which is `app.state.stand_in`; see `StandIn`."""
    served = ServedModel()
    served.predictor = StandIn(**settings)
    served.registered = {"model_name": "ser-emodb-session", "model_version": 3}
    served.log = served.on_answer = None
    inputs = mlflow_model.signature(served.predictor.bundle).inputs
    model = SimpleNamespace(
        metadata=SimpleNamespace(get_input_schema=lambda: inputs, get_params_schema=lambda: None),
        unwrap_python_model=lambda: served,
        predict=lambda rows: served.predict(None, pd.DataFrame(rows)),
    )
    app = server.application(model, allowed_hosts=allowed_hosts)
    app.state.stand_in = served.predictor
    return app


@contextmanager
def listening(app):
    """The application on a port of its own; gives its address."""
    with on_a_port(app) as port:
        yield f"http://127.0.0.1:{port}/"
