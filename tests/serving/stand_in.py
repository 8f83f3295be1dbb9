"""A server whose model is none: it answers at once, in windows of two seconds, as it is told."""

from contextlib import contextmanager
from types import SimpleNamespace

import pandas as pd

from ser.serving import mlflow_model, server
from ser.serving.audio_input import InputLimits
from ser.serving.mlflow_model import ServedModel
from ser.serving.predictor import Answer, Prediction
from tests.serving.listening import on_a_port

EMOTIONS = ("angry", "happy", "neutral", "sad")
#: What the windows answer, in turn: the second one abstains.
SHARES = ((0.1, 0.7, 0.15, 0.05), (0.3, 0.31, 0.29, 0.1), (0.05, 0.1, 0.25, 0.6))
_WINDOW_S = 2.0


class StandIn:
    """In place of a predictor.

    Args:
        synthetic: What the bundle says of itself.
        reason: Why the whole gets no emotion; None: it gets one.
        limits: Of a recording.
    """

    bundle_sha256 = "0" * 64
    sampling_rate = 16000

    def __init__(self, *, synthetic=False, reason=None, limits=None):
        self.reason, self.limits = reason, limits or InputLimits()
        self.heard = []
        self.bundle = SimpleNamespace(
            emotions=EMOTIONS,
            is_synthetic=synthetic,
            tags={},
            corpus=SimpleNamespace(name="emodb", protocol="session"),
            training=SimpleNamespace(cell="lstm-aam", run_key="0123456789abcdef"),
        )

    def predict(self, waveform):
        self.heard.append(waveform)
        duration = waveform.duration_s
        starts = [0.0, *(k * _WINDOW_S / 2 for k in range(1, round(duration) - 1))]
        windows = tuple(
            self._heard(start, min(duration, start + _WINDOW_S), SHARES[k % 3], k % 3 == 1)
            for k, start in enumerate(starts)
        )
        whole = self._heard(0.0, duration, SHARES[0], self.reason is not None)
        return Prediction(whole, windows, whole.probabilities)

    def _heard(self, start, end, shares, abstained):
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
