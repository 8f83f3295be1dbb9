"""The leaderboard of an experiment: a saved view of MLflow's page, one row per cell, best first.

MLflow 3.17 keeps a saved view in a tag of the experiment. Its page lists such views under "Views"
and opens one by its key in the address: search, order and columns at once.
"""

import json
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

#: Tag of an experiment: the metric that its leaderboard is ordered by; without it there is none.
HEADLINE = "ser.headline"

KEY = "leaderboard"
TAG = f"mlflow.sharedViewState.{KEY}"

#: Opens the experiment's page on runs and metrics, not on the traces of language models.
_OF_ALL = {"mlflow.experimentKind": "custom_model_development"}
#: Tag of what stands at the top of the experiment's page.
_NOTE = "mlflow.note.content"

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


def search(headline: str) -> str:
    """Return the filter that leaves the parent runs: cells, or studies where dev is maximised."""
    tag, whole = mark(headline)
    return f"tags.\"{tag}\" = '{whole}'"


def mark(headline: str) -> tuple[str, str]:
    """Return the tag of the parent runs, and its value."""
    return ("ser.trial" if headline.startswith("dev/") else "ser.fold"), "all"


def headline_of(tags: Mapping[str, str]) -> str:
    """Return the metric that the cells of an experiment with these tags are ordered by."""
    return tags.get(HEADLINE, "test/uar")


def of_cells(tags: Mapping[str, str], cells: Sequence[Mapping[str, str]]) -> str:
    """Return the value of `TAG` that shows, after the scores, what the cells differ in.

    Args:
        tags: Of the experiment.
        cells: The params of each of its parent runs.
    """
    return value(headline_of(tags), differing(cells))


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


def experiment_tags(
    note_: str, tags: Mapping[str, str], experiment_id: str, present: Mapping[str, str]
) -> dict[str, str]:
    """Return the tags that an experiment is to have.

    Args:
        note_: Its description, Markdown.
        tags: What else describes it; with `HEADLINE` it gets a leaderboard.
        experiment_id: MLflow's id.
        present: Those that it has: a leaderboard that is there may show params as well.
    """
    wanted = {**_OF_ALL, _NOTE: note_, **tags}
    if (headline := tags.get(HEADLINE)) is not None:
        wanted[_NOTE] = note(note_, experiment_id)
        if TAG not in present:
            wanted[TAG] = value(headline)
    return wanted
