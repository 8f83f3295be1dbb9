"""The leaderboard of an experiment, found and brought up to date; see `ser.tracking.views`."""

from typing import TYPE_CHECKING, Any

from ser.tracking import local_runs, views

if TYPE_CHECKING:
    from mlflow import MlflowClient

_MAX_CELLS = 1000


def find(uri: str, name: str) -> str | None:
    """Return the id of an experiment, its leaderboard brought up to date; None without runs.

    One that was recorded before there were leaderboards gets one.

    Args:
        uri: Tracking URI.
        name: `ser/<task>/<protocol>`.

    Raises:
        TrackingError: The store cannot be used.
    """
    known = local_runs.find(uri, name)
    if known is not None and known.shows_its_cells:
        return known.id
    # Here, not at the top: MLflow takes seconds.
    from ser.tracking import store

    client = store.connect(uri)
    with store.translated(uri):
        experiment = client.get_experiment_by_name(name)
        if experiment is None or experiment.lifecycle_stage != "active":
            return None
        _refresh(client, experiment)
        return str(experiment.experiment_id)


def _refresh(client: "MlflowClient", experiment: Any) -> None:
    """Show in the leaderboard, after the scores, the params that the cells differ in now."""
    runs = client.search_runs(
        [experiment.experiment_id],
        filter_string=views.search(views.headline_of(experiment.tags)),
        max_results=_MAX_CELLS,
    )
    wanted = views.of_cells(experiment.tags, [run.data.params for run in runs])
    if experiment.tags.get(views.TAG) != wanted:
        client.set_experiment_tag(experiment.experiment_id, views.TAG, wanted)
