"""A local registry read without MLflow says what MLflow says, or leaves it to MLflow."""

import shutil
import sqlite3
from contextlib import closing

import pytest

from ser.registry import local, model_files, versions
from ser.registry.identity import registered_as
from ser.registry.version import CHAMPION
from ser.tracking import store
from tests.promotion.support import champion_of

pytestmark = pytest.mark.stage


@pytest.fixture
def version(trained):
    return champion_of("lstm-aam")


@pytest.fixture
def database(trained):
    return trained / "mlruns" / "mlflow.db"


@pytest.fixture
def copied(database, version, tmp_path):
    """The database alone, to be changed."""
    with closing(sqlite3.connect(database)) as source:
        source.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return shutil.copy(database, tmp_path / "copied.db") and tmp_path / "copied.db"


def change(database, statement):
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(statement)


def files_in(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_version_is_the_one_that_mlflow_gives(version, database):
    for reference in (CHAMPION, version.number):
        expected = versions.open_registry(database.parents[1]).require(version.name, reference)
        assert local.resolve(database, version.name, reference) == expected
    for address in (version.uri, f"models:/{version.name}@{CHAMPION}"):
        assert local.find(database, address) == expected


def test_its_files_are_those_that_mlflow_fetches(version, database, tmp_path):
    for folder in ("ours", "mlflows"):
        (tmp_path / folder).mkdir()
    ours = local.fetch_bundle(database, version, tmp_path / "ours")
    uri = store.default_uri(database.parents[1])
    theirs = model_files.fetch_bundle(version.uri, uri, tmp_path / "mlflows")
    assert files_in(ours) == files_in(theirs)
    assert registered_as(ours) == registered_as(theirs)
    found, expected = (files_in(model_files.model_of(place)) for place in (ours, theirs))
    names = [found.pop(key) and expected.pop(key) for key in [*found] if key.name == local.NOTE]
    assert len(names) == 1
    assert found == expected


@pytest.mark.parametrize(
    "address", ["models:/none@champion", "models:/{}@other", "models:/{}/99", "models:/m-1234", "x"]
)
def test_what_is_not_there_is_left_to_mlflow(version, database, address):
    assert local.find(database, address.format(version.name)) is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE alembic_version SET version_num = 'another'",
        "DROP TABLE registered_model_aliases",
        "UPDATE model_versions SET status = 'PENDING_REGISTRATION'",
        "UPDATE model_versions SET workspace = 'theirs'",
    ],
)
def test_a_database_of_another_kind_is_left_to_mlflow(version, copied, statement):
    assert local.resolve(copied, version.name, CHAMPION).number == version.number
    change(copied, statement)
    assert local.resolve(copied, version.name, CHAMPION) is None


def test_no_database_is_left_to_mlflow_and_none_is_made(version, tmp_path):
    missing, damaged = tmp_path / "none.db", tmp_path / "damaged.db"
    damaged.write_bytes(b"rubbish" * 1000)
    for place in (missing, damaged):
        assert local.resolve(place, version.name, CHAMPION) is None
        assert local.fetch_bundle(place, version, tmp_path) is None
    assert not missing.exists()


@pytest.mark.parametrize("location", ["s3://bucket/model", "mlflow-artifacts:/x", "relative", ""])
def test_files_of_another_place_are_left_to_mlflow(version, copied, tmp_path, location):
    change(copied, f"UPDATE model_versions SET storage_location = '{location}'")
    assert local.fetch_bundle(copied, version, tmp_path) is None


@pytest.mark.parametrize("kind", ["changed", "added", "missing"])
def test_files_that_are_not_those_registered_are_left_to_mlflow(version, copied, tmp_path, kind):
    (tmp_path / "stored").mkdir()
    bundle = local.fetch_bundle(copied, version, tmp_path / "stored")
    model = model_files.model_of(bundle)
    change(copied, f"UPDATE model_versions SET storage_location = '{model}'")
    (tmp_path / "whole").mkdir()
    assert local.fetch_bundle(copied, version, tmp_path / "whole") is not None
    if kind == "changed":
        with (bundle / "bundle.json").open("a") as file:
            file.write(" ")
    elif kind == "added":
        (model / "code.py").write_text("")
    else:
        (bundle / "bundle.json").unlink()
    assert local.fetch_bundle(copied, version, tmp_path) is None
    assert not (tmp_path / "model").exists()
