"""What a server counts for Prometheus: requests, refusals, answers, and how long they take.

Nothing here says who asked or what was in a recording.
"""

import json
import os
import re
import time
from collections.abc import Iterable, Mapping
from typing import Any, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ser.serving.abstention import Reason
from ser.serving.prediction import Prediction

#: Folder in which several worker processes keep their counts, as prometheus-client calls it.
SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"

#: A path that nothing answers at: names of a client's choice must not become labels.
_OTHER = "other"
#: nginx's number for a client that left before the answer.
_LEFT = 499
_MAX_READ_BYTES = 1 << 16

_BY_STATUS: Mapping[int, str] = {
    403: "cross-site",
    404: "no such place",
    405: "no such place",
    408: "too slow",
    413: "too large",
    415: "content type",
    421: "another host",
    _LEFT: "client left",
}
#: What `ser.data` and `ser.serving` begin a message about a recording with.
_RECORDING = (
    *("empty", "too large", "too long", "too short", "silent", "truncated", "damaged"),
    *("unreadable", "not audio"),
)
_BEGINNING = re.compile(rf"(?:row \d+: )?({'|'.join(_RECORDING)}):")
_MALFORMED, _FAULT = "malformed", "fault"

#: Every value of the label `reason`.
REFUSALS = tuple(sorted({*_BY_STATUS.values(), *_RECORDING, _MALFORMED, _FAULT}))

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_FACTORS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_LENGTHS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)


class Meters:
    """The counts of one process; several processes share them where `SHARED_FOLDER` is set."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        own: dict[str, Any] = {"namespace": "ser", "registry": self._registry}
        self._requests = Counter("requests", "Requests by status.", ["path", "status"], **own)
        self._latency = Histogram(
            "request_duration_seconds",
            "From the head of a request to the end of its answer.",
            ["path"],
            buckets=_SECONDS,
            **own,
        )
        self._refusals = Counter("refusals", "Requests without an answer.", ["reason"], **own)
        self._answers = Counter("answers", "Recordings with an emotion.", ["emotion"], **own)
        self._abstentions = Counter(
            "abstentions", "Recordings without an emotion.", ["reason"], **own
        )
        self._lengths = Histogram(
            "recording_duration_seconds", "Length of what was answered.", buckets=_LENGTHS, **own
        )
        self._factors = Histogram(
            "real_time_factor",
            "Seconds of computing per second of a recording.",
            buckets=_FACTORS,
            **own,
        )
        self._model = Gauge(
            "model_info",
            "Which model answers; always 1.",
            ["name", "version", "cell", "bundle_sha256", "synthetic"],
            multiprocess_mode="max",
            **own,
        )
        for reason in REFUSALS:
            self._refusals.labels(reason)
        for reason in get_args(Reason):
            self._abstentions.labels(reason)

    def introduce(self, identity: Mapping[str, Any]) -> None:
        """Say which model is measured; see `ser.serving.mlflow_model.ServedModel.identity`."""
        names = ("name", "version", "cell", "bundle_sha256", "synthetic")
        self._model.labels(*(str(identity[name]) for name in names)).set(1)
        for emotion in identity["emotions"]:
            self._answers.labels(emotion)

    def answered(self, prediction: Prediction, seconds: float) -> None:
        """Count an answer.

        Args:
            prediction: The answer.
            seconds: That it took to compute.
        """
        whole = prediction.whole
        if whole.emotion is None:
            self._abstentions.labels(whole.reason).inc()
        else:
            self._answers.labels(whole.emotion).inc()
        self._lengths.observe(prediction.duration_s)
        self._factors.observe(seconds / prediction.duration_s)

    def requested(self, path: str, status: int, seconds: float, refusal: str | None) -> None:
        """Count a request.

        Args:
            path: Of a closed list.
            status: Of the answer.
            seconds: From head to end.
            refusal: One of `REFUSALS`; None where it was answered.
        """
        self._requests.labels(path, str(status)).inc()
        self._latency.labels(path).observe(seconds)
        if refusal is not None:
            self._refusals.labels(refusal).inc()

    def exposed(self) -> tuple[bytes, str]:
        """Return the counts of all processes as Prometheus reads them, and their media type."""
        if SHARED_FOLDER not in os.environ:
            return generate_latest(self._registry), CONTENT_TYPE_LATEST
        everyones = CollectorRegistry()
        MultiProcessCollector(everyones)  # type: ignore[no-untyped-call]
        return generate_latest(everyones), CONTENT_TYPE_LATEST


class Metered:
    """Counts what goes through it; outside of all else, so that refusals are counted too.

    Args:
        app: What is measured.
        meters: That count.
        paths: Where it answers; others are counted as one.
    """

    def __init__(self, app: ASGIApp, *, meters: Meters, paths: Iterable[str]) -> None:
        self.app, self.meters, self.paths = app, meters, frozenset(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and its answer back."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status, parts = _LEFT, list[bytes]()

        async def watched(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            if status >= 400 and sum(map(len, parts)) < _MAX_READ_BYTES:
                parts.append(message.get("body", b""))
            await send(message)

        began = time.perf_counter()
        try:
            await self.app(scope, receive, watched)
        except Exception:
            status = 500
            raise
        finally:
            path = scope["path"] if scope["path"] in self.paths else _OTHER
            refusal = refusal_of(status, b"".join(parts)) if status >= 400 else None
            self.meters.requested(path, status, time.perf_counter() - began, refusal)


def refusal_of(status: int, body: bytes) -> str:
    """Return why a request was refused, one of `REFUSALS`.

    Args:
        status: Of the answer, 4xx or 5xx.
        body: Of the answer.
    """
    if status >= 500:
        return _FAULT
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    try:
        message = str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return _MALFORMED
    found = _BEGINNING.match(message)
    return found[1] if found else _MALFORMED
