"""The tags of a version: the few that people look for are its own, lineage is that of its run."""

from collections.abc import Mapping

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from ser.data import task
from ser.registry.model_files import MODEL
from ser.tracking.store import says_gone

BUNDLE = "ser.bundle_sha256"

#: What a new version is tagged with. All else stands on the run that registered it, and in its
#: bundle; what becomes of the version is added here.
OWN = ("ser.cell", task.TAG, "ser.protocol", "ser.weights", BUNDLE, MODEL)


def own(tags: Mapping[str, str]) -> dict[str, str]:
    """Return those of a registration's tags that the version itself has."""
    return {key: tags[key] for key in OWN if key in tags}


def every(client: MlflowClient, found: ModelVersion) -> dict[str, str]:
    """Return a version's own tags and, below them, the `ser.*` tags of its run.

    Args:
        client: Speaks to the store.
        found: The version; it may outlive its run, and has its own tags alone then.

    Raises:
        MlflowException: The store does not answer.
    """
    try:
        said = client.get_run(str(found.run_id)).data.tags
    except MlflowException as error:
        if not says_gone(error):
            raise
        said = {}
    return {**{k: v for k, v in said.items() if k.startswith("ser.")}, **found.tags}
