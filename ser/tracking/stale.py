"""Runs that a killed process left behind as RUNNING: find them, close them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ser.processes import Process
from ser.tracking import local_runs, place

if TYPE_CHECKING:
    from mlflow.entities import Run


@dataclass(frozen=True, slots=True)
class StaleRun:
    """A run whose process is gone.

    Args:
        run_id: MLflow's id.
        name: The run's name.
        pid: Id of the process that recorded it.
    """

    run_id: str
    name: str
    pid: int


def stale_runs(root: Path) -> list[StaleRun]:
    """Return runs marked RUNNING whose process on this machine has ended.

    Runs of other machines, and runs that this project did not record, are not judged.

    Args:
        root: The project's root.

    Raises:
        TrackingError: The store cannot be used.
    """
    uri = place.default_uri(root)
    if local_runs.has_none_running(uri):
        return []
    # Here, not at the top: MLflow takes seconds.
    from ser.tracking import store

    client = store.connect(uri)
    found = []
    with store.translated(uri):
        for experiment in client.search_experiments():
            running = store.runs(client, experiment.experiment_id, status="RUNNING")
            found += [_stale(run) for run in running if _is_stale(run)]
    return found


def close_stale(root: Path, runs: Iterable[StaleRun]) -> None:
    """Mark runs as KILLED; started again, their keys are taken up where they ended.

    Args:
        root: The project's root.
        runs: From `stale_runs`.

    Raises:
        TrackingError: The store cannot be used.
    """
    from ser.tracking import store

    uri = place.default_uri(root)
    client = store.connect(uri)
    with store.translated(uri):
        for run in runs:
            client.set_terminated(run.run_id, "KILLED")


def _stale(run: "Run") -> StaleRun:
    return StaleRun(run.info.run_id, run.info.run_name, int(run.data.tags["ser.pid"]))


def _is_stale(run: "Run") -> bool:
    """Return whether the process that recorded a run is known to be gone."""
    tags = run.data.tags
    if "ser.host" not in tags or not tags.get("ser.pid", "").isdigit():
        return False
    started = float(tags["ser.pid_started"]) if "ser.pid_started" in tags else None
    return Process(tags["ser.host"], int(tags["ser.pid"]), started).has_ended
