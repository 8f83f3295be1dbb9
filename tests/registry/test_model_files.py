"""A model in a store: fetched with the files that were logged, or not at all."""

import json
import re
import shutil
from types import SimpleNamespace

import mlflow
import pytest
import requests
from mlflow.exceptions import MlflowException

from ser.errors import RegistryError
from ser.registry import model_files, versions
from ser.registry.model_files import LISTING, MODEL, UnansweredError
from ser.registry.tags import BUNDLE
from tests.tracking.support import copy_database

NAME = "ser-demo-session"


@pytest.fixture
def registry(tmp_path, template_database):
    copy_database(template_database, tmp_path / "mlruns" / "mlflow.db")
    return versions.open_registry(tmp_path, f"sqlite:///{tmp_path}/mlruns/mlflow.db")


@pytest.fixture
def stored(tmp_path):
    """The files of a model, in the store."""
    folder = tmp_path / "stored"
    for name in ("MLmodel", "artifacts/bundle/bundle.json", "code/ser/errors.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    return folder


@pytest.fixture
def run_id(registry, stored, tmp_path):
    """The run that logged them."""
    experiment = registry.client.create_experiment(
        "registry", artifact_location=str(tmp_path / "runs")
    )
    found = registry.client.create_run(experiment).info.run_id
    listed = tmp_path / LISTING
    listed.write_text(json.dumps(model_files.listing(stored)))
    registry.client.log_artifact(found, str(listed))
    return found


@pytest.fixture
def uri(registry, stored, run_id):
    """The version that they are."""
    tags = {BUNDLE: "bundle", MODEL: model_files.digest(model_files.listing(stored))}
    registry.register(NAME, source=str(stored), run_id=run_id, tags=tags, description="")
    return f"models:/{NAME}/1"


@pytest.fixture
def fetch(registry, tmp_path):
    def run(uri):
        place = tmp_path / "fetched"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        return model_files.fetch(uri, registry.uri, place)

    return run


@pytest.mark.parametrize("address", ["{name}/1", "{name}@challenger"])
def test_what_was_logged_is_fetched(address, uri, fetch, stored):
    place = fetch(f"models:/{address.format(name=NAME)}")
    assert model_files.listing(place) == model_files.listing(stored)


def test_a_changed_an_added_and_a_missing_file_are_named(uri, fetch, stored):
    (stored / "code" / "ser" / "errors.py").write_text("import os")
    (stored / "code" / "torch.py").write_text("import os")
    (stored / "MLmodel").unlink()
    with pytest.raises(RegistryError, match="not what was registered") as caught:
        fetch(uri)
    said = str(caught.value)
    assert "MLmodel is missing, code/ser/errors.py differs, code/torch.py was added;" in said
    assert "nothing of it was loaded" in said
    assert "`ser register" in said


def test_many_files_are_counted(uri, fetch, stored):
    for number in range(8):
        (stored / f"{number}.py").touch()
    with pytest.raises(RegistryError, match=r"4\.py was added, and 3 more;"):
        fetch(uri)


@pytest.mark.parametrize(
    "name", [".hidden", "code/ser/x.pyc", "code/ser/__init__.so", "a/__pycache__"]
)
def test_no_name_hides_a_file(name, uri, fetch, stored):
    (stored / name).parent.mkdir(exist_ok=True)
    (stored / name).write_text("")
    with pytest.raises(RegistryError, match=rf"{re.escape(name)} was added"):
        fetch(uri)


def test_what_python_compiled_in_the_store_is_thrown_away(uri, fetch, stored):
    for place in ("code/ser/__pycache__", "code/ser/__pycache__/__pycache__"):
        (stored / place).mkdir()
        (stored / place / "errors.cpython-311.pyc").write_text("not to be trusted")
    assert list(fetch(uri).rglob("*.pyc")) == []


def test_a_list_that_is_gone_or_was_changed_too_is_said(
    uri, fetch, stored, registry, run_id, tmp_path
):
    (stored / "MLmodel").write_text("other")
    (listed,) = (tmp_path / "runs").rglob(LISTING)
    listed.write_text(json.dumps(model_files.listing(stored)))
    with pytest.raises(RegistryError, match=r"unknown, model_files\.json of its run was changed"):
        fetch(uri)
    listed.unlink()
    with pytest.raises(RegistryError, match=r"unknown, model_files\.json of its run cannot be"):
        fetch(uri)


def test_a_version_without_a_digest_is_refused_with_the_cure(registry, uri, fetch):
    registry.client.delete_model_version_tag(NAME, "1", MODEL)
    with pytest.raises(RegistryError, match=r"no tag ser\.model_sha256.*`ser register"):
        fetch(uri)


@pytest.mark.parametrize(
    "address", ["runs:/1/model", "/tmp/model", "models:/a/b/c", "models:/a/latest", "models:/", "x"]
)
def test_what_is_no_address_of_a_version_is_refused(address, fetch):
    with pytest.raises(RegistryError, match="no address of a registered model; expected models:/"):
        fetch(address)


class VendorError(Exception):
    """Of a store that nobody thought of: related to no other error."""


@pytest.mark.parametrize(
    "failure",
    [
        MlflowException("API request failed: Connection refused"),
        requests.HTTPError("503 Server Error", response=SimpleNamespace(status_code=503)),
        requests.ConnectionError("refused"),
        ConnectionResetError(104, "Connection reset by peer"),
        VendorError("SlowDown"),
        VendorError(),
    ],
    ids=repr,
)
def test_a_store_that_does_not_answer_has_not_lost_the_model(failure, uri, fetch, monkeypatch):
    def fail(**_):
        raise failure

    monkeypatch.setattr(mlflow.artifacts, "download_artifacts", fail)
    said = f"{NAME}/1: cannot be fetched from sqlite.*`ser doctor` says what is wrong"
    with pytest.raises(UnansweredError, match=said):
        fetch(uri)


def test_a_model_whose_files_have_gone_is_told_from_one_that_is_not_given_back(uri, fetch, stored):
    shutil.rmtree(stored)
    with pytest.raises(RegistryError) as caught:
        fetch(uri)
    assert not isinstance(caught.value, UnansweredError)


@pytest.mark.parametrize(
    "address", ["none/1", "none@champion", f"{NAME}@nobody", "m-0", f"{NAME}/7"]
)
def test_an_unknown_model_is_refused_with_the_cure(address, uri, fetch):
    with pytest.raises(RegistryError, match=r"cannot be fetched from .*`ser register") as caught:
        fetch(f"models:/{address}")
    assert not isinstance(caught.value, UnansweredError)
