"""Runs that a killed process left behind as RUNNING: find them, close them."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ser.processes import Process
from ser.tracking import local_runs, place

if TYPE_CHECKING:
    from mlflow.entities import Run

#: Nobody here can ask whether a process of another machine lives. After so many hours without a
#: word it is taken to be gone; should it live after all, it closes its run itself in the end.
SILENT_H = 24


@dataclass(frozen=True, slots=True)
class StaleRun:
    """A run whose process is gone, as far as one can tell.

    Args:
        run_id: MLflow's id.
        name: The run's name.
        why: What tells that it is gone, for people.
    """

    run_id: str
    name: str
    why: str


def stale_runs(root: Path) -> list[StaleRun]:
    """Return runs marked RUNNING whose process has ended.

    That of another machine is taken to have ended where the run has been silent for `SILENT_H`
    hours: neither begun nor told anything. Runs that this project did not record are not judged.

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
            judged = [(run, _why(run)) for run in running]
            found += [
                StaleRun(run.info.run_id, run.info.run_name, why) for run, why in judged if why
            ]
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


def _why(run: "Run") -> str | None:
    """Return what tells that the process that recorded a run is gone; None where nothing does."""
    tags = run.data.tags
    if "ser.host" not in tags or not tags.get("ser.pid", "").isdigit():
        return None
    started = float(tags["ser.pid_started"]) if "ser.pid_started" in tags else None
    process = Process(tags["ser.host"], int(tags["ser.pid"]), started)
    if process.has_ended:
        return f"process {process.pid} has ended"
    hours = (time.time() - _heard_of(run)) / 3600
    if not process.is_here and hours >= SILENT_H:
        return f"not heard of for {hours:.0f} hours from {process.host}"
    return None


def _heard_of(run: "Run") -> float:
    """Return when a run last told something, in seconds since 1970."""
    # The last value of each metric; `data.metrics` leaves out when it came.
    told = [metric.timestamp for metric in run.to_proto().data.metrics]
    return float(max([run.info.start_time, *told])) / 1000
