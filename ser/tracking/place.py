"""Where the tracking store is; told without MLflow, whose import takes seconds."""

import os
from pathlib import Path

from ser import sqlite

#: How a tracking server's address begins.
_SERVER = ("http://", "https://")


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


def is_server(uri: str) -> bool:
    """Return whether a tracking URI is the address of a server, which other machines may reach."""
    return uri.startswith(_SERVER)


def server(root: Path) -> str | None:
    """Return the address of the tracking server; None where runs go to a file of this machine."""
    uri = default_uri(root)
    return uri if is_server(uri) else None
