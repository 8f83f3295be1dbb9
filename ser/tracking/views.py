"""The leaderboard of an experiment: a saved view of MLflow's page, one row per cell, best first.

MLflow 3.17 keeps a saved view in a tag of the experiment. Its page lists such views under "Views"
and opens one by its key in the address: search, order and columns at once.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from mlflow import MlflowClient

from ser.tracking import store

#: Tag of an experiment: the metric that its leaderboard is ordered by; without it there is none.
HEADLINE = "ser.headline"

KEY = "leaderboard"
TAG = f"mlflow.sharedViewState.{KEY}"

#: MLflow's limit for the value of an experiment's tag, in characters.
MAX_TAG_CHARS = 5000

#: After the headline and its interval. A column that no run has is not shown.
_BESIDE = ("test/wa", "test/macro_f1", "test/mae", "test/ece", "dev/best_uar", "dev/best_ccc")
#: What names a cell comes before other params that differ.
_NAMES = ("model.name", "loss.name", "feature.name")
#: Then what people change most, as long as there is room.
_SECTIONS = ("loss", "recipe", "model", "training")
#: Shown as one value each by the nested runs.
_OF_FOLDS = "tuned."
_MAX_CELLS = 1000


def search(headline: str) -> str:
    """Return the filter that leaves the parent runs: cells, or studies where dev is maximised."""
    tag = "ser.trial" if headline.startswith("dev/") else "ser.fold"
    return f"tags.\"{tag}\" = 'all'"


def value(headline: str, params: Sequence[str] = ()) -> str:
    """Return the value of `TAG`.

    Args:
        headline: The metric to order by, e.g. `test/uar`.
        params: Keys of params to show after the scores, as many as a tag can hold.

    Example:
        >>> json.loads(value("test/uar"))["name"]
        'Leaderboard'
    """
    metrics = [headline, f"{headline}_low", f"{headline}_high", *_BESIDE]
    columns = [f"metrics.`{key}`" for key in dict.fromkeys(metrics)]
    text = _envelope(headline, columns)
    for key in params:
        columns.append(f"params.`{key}`")
        longer = _envelope(headline, columns)
        if len(longer) > MAX_TAG_CHARS:
            break
        text = longer
    return text


def _envelope(headline: str, columns: Sequence[str]) -> str:
    state = {
        "searchFilter": search(headline),
        "orderByKey": f"metrics.`{headline}`",
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": columns,
        "columnOrder": columns,
        "runsExpanded": {},
        "runsHiddenMode": "SHOWALL",  # all cells in the charts, where MLflow shows ten
    }
    # The time decides where it stands among the user's views: below them.
    saved = {"name": "Leaderboard", "createdAt": 0, "updatedAt": 0, "state": json.dumps(state)}
    return json.dumps(saved)


def differing(params: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the keys of params whose values differ between runs, model, loss and feature first.

    Args:
        params: Of each run.

    Example:
        >>> differing([{"loss.name": "ccc", "b": "1", "a": "1"}, {"loss.name": "aam", "b": "2"}])
        ['loss.name', 'a', 'b']
    """
    keys = {key for found in params for key in found if not key.startswith(_OF_FOLDS)}
    chosen = [key for key in keys if len({found.get(key) for found in params}) > 1]
    return sorted(chosen, key=_place)


def _place(key: str) -> tuple[int, int, str]:
    """Return what orders the key of a param."""
    name, section = (
        order.index(word) if word in order else len(order)
        for order, word in ((_NAMES, key), (_SECTIONS, key.partition(".")[0]))
    )
    return name, section, key


def refresh(client: MlflowClient, experiment: Any) -> None:
    """Show in the leaderboard, after the scores, the params that differ between the cells of now.

    Args:
        client: Speaks to the store.
        experiment: MLflow's experiment of cells.
    """
    headline = experiment.tags.get(HEADLINE, "test/uar")
    runs = client.search_runs(
        [experiment.experiment_id], filter_string=search(headline), max_results=_MAX_CELLS
    )
    wanted = value(headline, differing([run.data.params for run in runs]))
    if experiment.tags.get(TAG) != wanted:
        client.set_experiment_tag(experiment.experiment_id, TAG, wanted)


def find(uri: str, name: str) -> str | None:
    """Return the id of an experiment, its leaderboard brought up to date; None without runs.

    One that was recorded before there were leaderboards gets one.

    Args:
        uri: Tracking URI.
        name: `ser/<task>/<protocol>`.

    Raises:
        TrackingError: The store cannot be used.
    """
    client = store.connect(uri)
    with store.translated(uri):
        experiment = client.get_experiment_by_name(name)
        if experiment is None or experiment.lifecycle_stage != "active":
            return None
        refresh(client, experiment)
        return str(experiment.experiment_id)


def address(experiment_id: str, *, base: str = "", charts: bool = False) -> str:
    """Return the address of the leaderboard.

    Args:
        experiment_id: MLflow's id.
        base: Address of the server; empty for a link on one of its own pages.
        charts: Bars of every metric instead of the table.

    Example:
        >>> address("2", base="http://127.0.0.1:5000", charts=True)[-22:]
        '&compareRunsMode=CHART'
    """
    query = {"workflowType": "machine_learning", "viewStateShareKey": KEY}
    query |= {"compareRunsMode": "CHART"} if charts else {}
    return f"{base.rstrip('/')}/#/experiments/{experiment_id}/runs?{urlencode(query)}".lstrip("/")


def note(text: str, experiment_id: str) -> str:
    """Return an experiment's description that begins with links to its leaderboard, Markdown."""
    table, charts = address(experiment_id), address(experiment_id, charts=True)
    return f"[**Leaderboard**]({table}), [charts]({charts}). {text}"
