"""Where the tracking store and its artifacts are; told without MLflow, a slow import."""

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


def artifact_folder(database: Path, experiment: str) -> Path:
    """Return where an experiment's artifacts lie: beside the database, by its name."""
    return database.parent / experiment.replace("/", "-")


def former_folder(database: Path, experiment: str, location: str) -> str | None:
    """Return the folder a database lay in when an experiment was made, if it has moved.

    Args:
        database: Where it lies now.
        experiment: The experiment's name.
        location: Where MLflow believes its artifacts are.

    Returns:
        The old folder, or None if it has not moved or the location was chosen by hand.
    """
    folder = artifact_folder(database, experiment)
    if not location or location == str(folder) or Path(location).name != folder.name:
        return None
    return str(Path(location).parent)
