"""Tracking databases as files."""

import sqlite3
from contextlib import closing
from pathlib import Path


def copy_database(source: Path, target: Path) -> None:
    """Copy a database that may be in use."""
    target.parent.mkdir(parents=True, exist_ok=True)
    # sqlite's own copy: the file alone would lack what is still in the write-ahead log.
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)
