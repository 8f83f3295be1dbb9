"""A run as MLflow keeps it: its tags, and the data sets that it was made from."""

import json
import os
import sys
from getpass import getuser
from pathlib import Path

from mlflow.entities import Dataset, DatasetInput, InputTag

from ser import provenance
from ser.contracts import DatasetReference, RunSpec
from ser.processes import this_process
from ser.tracking.recording import RUN_KEY

_MAX_DIGEST_CHARS = 36


def run_tags(spec: RunSpec) -> dict[str, str]:
    """Return the tags of a run and of the process that records it."""
    process = this_process()
    tags = {
        **spec.tags,
        RUN_KEY: spec.run_key,
        "mlflow.runName": spec.name,
        "mlflow.user": _user(),
        "mlflow.source.name": Path(sys.argv[0]).name or "python",
        "mlflow.source.type": "LOCAL",
        "mlflow.note.content": spec.note,
        "ser.host": process.host,
        "ser.pid": str(process.pid),
        "ser.pid_started": f"{process.started:.0f}",
    }
    commits = provenance.commits_of(spec.tags)
    if len(commits) == 1:
        tags["mlflow.source.git.commit"] = commits[0]
    # Exported by DVC to the stages it runs.
    names = ("DVC_STAGE", "DVC_EXP_NAME", "DVC_EXP_BASELINE_REV")
    tags.update({f"ser.{name.lower()}": os.environ[name] for name in names if name in os.environ})
    return tags


def _user() -> str:
    try:
        return getuser()
    except (KeyError, OSError):  # a container's user id without an account
        return "unknown"


def dataset_input(dataset: DatasetReference) -> DatasetInput:
    """Return a data set as MLflow keeps it with a run; it keeps few characters of the digest."""
    return DatasetInput(
        Dataset(
            name=dataset.name,
            digest=dataset.digest[:_MAX_DIGEST_CHARS],
            source_type="local",
            source=json.dumps({"uri": dataset.source}),
        ),
        [InputTag("mlflow.data.context", dataset.context)],
    )
