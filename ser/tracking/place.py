"""Where the tracking store is; told without MLflow, whose import takes seconds."""

import os
from pathlib import Path

from ser import sqlite


def default_uri(root: Path) -> str:
    """Return MLFLOW_TRACKING_URI, or the project's own database mlruns/mlflow.db."""
    path = (root / "mlruns" / "mlflow.db").resolve()
    return os.environ.get("MLFLOW_TRACKING_URI") or f"{sqlite.PREFIX}{path}"


def database_path(uri: str) -> Path | None:
    """Return the file behind an sqlite URI, absolute; None for any other store.

    Example:
        >>> database_path("http://localhost:5000") is None
        True
    """
    path = sqlite.file_of(uri)
    return None if path is None else path.resolve()
