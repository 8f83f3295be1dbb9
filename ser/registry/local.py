"""A registered model of a database on this machine, read without MLflow.

To import MLflow takes longer than to answer for a recording, so what is asked each time that a
model answers is read here: which version an alias means, and its files, compared with the digest
that was noted when they were registered. Whatever is not as it is every day, such as another
MLflow's database, artifacts elsewhere, no such version or a file that differs, is None: then
`ser.registry.versions` and `ser.registry.model_files` ask MLflow, and say what is wrong.
"""

import json
import shutil
import sqlite3
from pathlib import Path

from ser import files
from ser.registry.model_files import (
    ADDRESS,
    MODEL,
    NOTE,
    bundle_of,
    digest,
    listing,
)
from ser.registry.version import Version
from ser.tracking.database import WORKSPACE, one, opened

_READY = "READY"


def find(database: Path, address: str) -> Version | None:
    """Return the version behind an address.

    Args:
        database: MLflow's, on this machine.
        address: `models:/<name>@<alias>` or `models:/<name>/<version>`.
    """
    parts = ADDRESS.fullmatch(address)
    if parts is None or parts["id"]:
        return None
    return resolve(database, parts["name"], parts["alias"] or int(parts["number"]))


def resolve(database: Path, name: str, reference: str | int) -> Version | None:
    """Return a version by alias or number, as `ser.registry.versions.Registry.resolve` does.

    Args:
        database: MLflow's, on this machine.
        name: Of the model.
        reference: `champion`, another alias, or a number.
    """
    try:
        with opened(database) as connection:
            return _version(connection, name, reference)
    except sqlite3.Error:
        return None


def fetch_bundle(database: Path, version: Version, folder: Path) -> Path | None:
    """Copy the files of a version into a folder and compare them with those that were logged.

    What Python compiled beside the sources is left out, as by `model_files.download_unchecked`.

    Args:
        database: See `resolve`.
        version: From `resolve`.
        folder: Where to put them.

    Returns:
        The folder of the bundle.
    """
    try:
        with opened(database) as connection:
            place = _place(connection, version)
    except sqlite3.Error:
        return None
    target = folder / "model"
    if place is None or not place.is_dir() or target.exists():
        return None
    shutil.copytree(place, target, ignore=shutil.ignore_patterns("__pycache__", NOTE))
    if digest(listing(target)) != version.tags.get(MODEL):
        files.remove_folder(target)
        return None
    note = f"model_name: {json.dumps(version.name)}\nmodel_version: '{version.number}'\n"
    files.write_text(target / NOTE, note)
    return bundle_of(target)


def _version(connection: sqlite3.Connection, name: str, reference: str | int) -> Version | None:
    number: object = reference
    if isinstance(reference, str):
        alias = one(
            connection,
            "SELECT version FROM registered_model_aliases "
            "WHERE workspace = ? AND name = ? AND alias = ?",
            (WORKSPACE, name, reference),
        )
        if alias is None:
            return None
        (number,) = alias
    found = one(
        connection,
        "SELECT version, run_id, source FROM model_versions "
        "WHERE workspace = ? AND name = ? AND version = ? AND status = ?",
        (WORKSPACE, name, number, _READY),
    )
    if found is None:
        return None
    number, run_id, source = found
    own = connection.execute(
        "SELECT key, value FROM model_version_tags "
        "WHERE workspace = ? AND name = ? AND version = ?",
        (WORKSPACE, name, number),
    ).fetchall()
    of_run = connection.execute(
        "SELECT key, value FROM tags WHERE run_uuid = ? AND key LIKE 'ser.%'", (run_id,)
    ).fetchall()
    return Version(name, int(str(number)), str(run_id), str(source), {**dict(of_run), **dict(own)})


def _place(connection: sqlite3.Connection, version: Version) -> Path | None:
    """Return the folder of a version's files; None where they are not in one of this machine."""
    found = one(
        connection,
        "SELECT storage_location FROM model_versions "
        "WHERE workspace = ? AND name = ? AND version = ?",
        (WORKSPACE, version.name, version.number),
    )
    place = Path(str(found[0]).removeprefix("file://")) if found and found[0] else None
    return place if place is not None and place.is_absolute() else None
