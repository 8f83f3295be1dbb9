"""One run in MLflow that is being recorded, and one whose training does not wait for a server."""

import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag

from ser.contracts import RunSpec
from ser.errors import TrackingError
from ser.tracking import outage, store
from ser.tracking._described import dataset_input
from ser.tracking.recording import MetricSteps, flatten

logger = logging.getLogger(__name__)

_PARAMS_PER_REQUEST = 100
_METRICS_PER_REQUEST = 1000

#: Metrics are sent at most this often, in seconds: an epoch of a small network takes less time
#: than its request to the store. A process that is killed loses nothing, since the fit that goes
#: on from its checkpoint tells the store of all its epochs again.
_SEND_EVERY_S = 2.0

#: Metrics that a server did not take are sent again after this long, in seconds.
_SEND_AGAIN_S = 15.0

#: Said of a training that goes on without its server.
STAYS_AWAY = (
    "its tracking server does not answer; training goes on, and `dvc repro` or `ser restore-runs` "
    "records what is missing"
)


class MlflowRun:
    """One open run in MLflow; see `ser.contracts.Tracker`.

    Args:
        client: Speaks to the store.
        run: The run as the store has it: what it holds already is not logged again.
        steps: Of metrics recorded before; None reads them from the store.
    """

    def __init__(self, client: MlflowClient, run: Run, steps: MetricSteps | None = None) -> None:
        self.id: str = run.info.run_id
        self._has_datasets = bool(run.inputs and run.inputs.dataset_inputs)
        self._client = client
        self._params: dict[str, str] = dict(run.data.params)
        self._waiting: list[Metric] = []
        self._sent_at = time.monotonic()
        self._not_before = self._sent_at
        self._steps = steps or MetricSteps(
            {
                key: max(metric.step for metric in client.get_metric_history(self.id, key))
                for key in run.data.metrics
            }
        )

    def log_params(self, params: Mapping[str, str]) -> None:
        """Record params not yet recorded; a run keeps the value it was started with."""
        changed = sorted(key for key in params if self._params.get(key, params[key]) != params[key])
        if changed:
            logger.warning("run %s keeps its first values of %s", self.id, ", ".join(changed))
        new = [Param(key, params[key]) for key in params if key not in self._params]
        for start in range(0, len(new), _PARAMS_PER_REQUEST):
            chunk = new[start : start + _PARAMS_PER_REQUEST]
            self._client.log_batch(self.id, params=chunk)
        self._params.update((param.key, param.value) for param in new)

    def describe(self, spec: RunSpec) -> None:
        """Record the params and datasets that the run does not have yet."""
        self.log_params(flatten(spec.params))
        if spec.datasets and not self._has_datasets:
            inputs = [dataset_input(dataset) for dataset in spec.datasets]
            self._client.log_inputs(self.id, datasets=inputs)

    def log_metrics(self, metrics: Mapping[str, float], *, step: int | None = None) -> None:
        """Record metrics, those of quick epochs together; see the protocol."""
        now_ms = time.time_ns() // 1_000_000
        self._waiting += [
            Metric(key, value, now_ms, step or 0)
            for key, value in self._steps.accept(metrics, step=step).items()
        ]
        now = time.monotonic()
        if now - self._sent_at >= _SEND_EVERY_S and now >= self._not_before:
            self._send_if_there()

    def _send_if_there(self) -> None:
        """Send what waits; where the server is away, it waits on, and training with it does not."""
        try:
            with outage.at_once():
                self.send()
        except store.FAILURES as error:
            if not outage.is_away(error):
                raise
            self._not_before = time.monotonic() + _SEND_AGAIN_S
            logger.warning("run %s: no answer from its server; metrics wait", self.id)

    def send(self) -> None:
        """Send the metrics that wait to the store."""
        for start in range(0, len(self._waiting), _METRICS_PER_REQUEST):
            rows = self._waiting[start : start + _METRICS_PER_REQUEST]
            self._client.log_batch(self.id, metrics=rows)
        self._waiting.clear()
        self._sent_at = time.monotonic()

    def log_artifact(self, path: Path, *, folder: str = "") -> None:
        """Copy a file or a folder into the run's artifacts; see the protocol.

        Raises:
            TrackingError: There is no such file or folder.
        """
        if not path.exists():
            raise TrackingError(f"{path}: no such file or folder to keep with run {self.id}")
        self._client.log_artifact(self.id, str(path), folder or None)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set or replace tags in one request."""
        self._client.log_batch(self.id, tags=[RunTag(key, tags[key]) for key in tags])

    def end(self, status: str) -> None:
        """Give the run the status that it came to, e.g. `FINISHED`."""
        self._client.set_terminated(self.id, status)


class TrainingRun(MlflowRun):
    """A run that is given up, and not its training, where the server stays away.

    What a run that was given up lacks stands in the cell's folder; whoever scores the cell brings
    it to the store, see `ser.tracking.cells.restore`.
    """

    is_lost = False

    def describe(self, spec: RunSpec) -> None:
        """Record the params and datasets that the run does not have yet, if there is a server."""
        describe = super().describe
        self._unless_lost(lambda: describe(spec))

    def log_artifact(self, path: Path, *, folder: str = "") -> None:
        """Copy a file or a folder into the run's artifacts, if there is a server; see the protocol.

        Raises:
            TrackingError: There is no such file or folder.
        """
        log = super().log_artifact
        self._unless_lost(lambda: log(path, folder=folder))

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set or replace tags, if there is a server."""
        set_tags = super().set_tags
        self._unless_lost(lambda: set_tags(tags))

    def send(self) -> None:
        """Send the metrics that wait, if there is a server."""
        self._unless_lost(super().send)

    def end(self, status: str) -> None:
        """Give the run the status that it came to, if there is a server."""
        end = super().end
        self._unless_lost(lambda: end(status))

    def _unless_lost(self, act: Callable[[], None]) -> None:
        if self.is_lost:
            return
        try:
            act()
        except store.FAILURES as error:
            if not self._is_given_up_for(error):
                raise
            self.is_lost = True
            logger.warning("run %s: %s", self.id, STAYS_AWAY)

    def _is_given_up_for(self, error: Exception) -> bool:
        return outage.is_away(error) and outage.waits()


class PartOfRun(TrainingRun):
    """The epochs of a run that another process brings to its end: what it lacks comes with that.

    So nothing that the store says ends its training, and it waits for no server.
    """

    def leave(self) -> None:
        """Send what waits, if there is a server, and leave the run as it is."""
        self._send_if_there()

    def _is_given_up_for(self, error: Exception) -> bool:
        # Away for a moment only, where nobody waits: the next epochs may come through.
        return not outage.is_away(error) or outage.waits()
