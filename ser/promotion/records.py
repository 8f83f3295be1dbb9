"""Where registrations, decisions and rollbacks are tracked: an experiment beside the cells'."""

from collections.abc import Mapping
from pathlib import Path

from ser.data import task
from ser.tracking import mlflow_tracker
from ser.tracking.mlflow_tracker import MlflowExperiment

_NOTE = "One run per registered model, one per decision about a promotion, one per rollback."


def open_experiment(
    tags: Mapping[str, str], *, root: Path, tracking_uri: str | None = None
) -> MlflowExperiment:
    """Open the experiment `ser/<task>/<protocol>/registry`.

    Args:
        tags: Of a bundle or a version: `ser.corpus`, `ser.protocol`, and `ser.task` unless it is
            from before there were tasks.
        root: The project's root.
        tracking_uri: The store, see `ser.tracking.mlflow_tracker.open_experiment`.

    Raises:
        TrackingError: The store cannot be used.
    """
    # A version that has outlived its run has the task alone.
    corpus = tags.get("ser.corpus") or tags[task.TAG]
    protocol = tags["ser.protocol"]
    return mlflow_tracker.open_experiment(
        f"ser/{tags.get(task.TAG, corpus)}/{protocol}/registry",
        note=_NOTE,
        tags={"ser.corpus": corpus},
        tracking_uri=tracking_uri,
        root=root,
    )
