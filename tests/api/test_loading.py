"""Which model `ser.load` finds, and what it leaves as it was."""

import os
import shutil
from pathlib import Path

import mlflow
import pytest

import ser
from ser import runtime
from ser.api import loading
from ser.errors import BundleError, RegistryError
from ser.registry import versions
from tests.promotion.support import known_version
from tests.serving.support import encoded, speech, write_bundle


@pytest.fixture
def version(trained):
    return known_version("lstm-aam")


@pytest.fixture
def champion(version):
    registry = versions.open_registry(Path())
    registry.promote(version, expected=registry.resolve(version.name, "champion"))
    return version


def test_a_version_an_alias_and_the_champion_of_params_are_one_model(champion):
    name, number = champion.name, str(champion.number)
    addresses = (champion.uri, f"models:/{name}@champion", None)
    found = [ser.load(address) for address in addresses]
    assert [(one.name, one.version) for one in found] == [(name, number)] * 3
    assert len({one.predict(encoded(speech())).bundle_sha256 for one in found}) == 1


def test_a_model_is_loaded_from_any_folder_with_the_project_s_root(champion, trained, tmp_path):
    os.chdir(tmp_path)  # monkeypatch of `trained` goes back
    assert ser.load(root=trained).version == str(champion.number)
    assert ser.load(champion.uri, root=str(trained)).version == str(champion.number)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_a_bundle_answers_without_a_registry(trained, tmp_path):
    folder, _ = write_bundle("lstm-aam", tmp_path / "bundle")
    found = ser.load(folder, root=tmp_path / "nowhere")
    assert (found.name, found.version, found.uri) == ("lstm-aam", None, str(folder))
    assert found.synthetic is True
    shutil.rmtree(folder)
    assert found.predict(encoded(speech())).model == "lstm-aam"  # all of it is in memory


def test_mlflow_keeps_the_store_that_it_had(champion, trained, tmp_path, monkeypatch):
    other = f"sqlite:///{tmp_path / 'other.db'}"
    mlflow.set_tracking_uri(None)
    ser.load(champion.uri)
    assert "MLFLOW_TRACKING_URI" not in os.environ
    mlflow.set_tracking_uri(other)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    ser.load(champion.uri)
    assert mlflow.get_tracking_uri() == other
    mlflow.set_tracking_uri(None)


def test_a_registry_that_is_not_there_is_said_and_not_made(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(RegistryError, match=r"mlflow\.db: there is no such registry; name the"):
        ser.load("models:/ser-emodb-session@champion", root=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("model", ["nowhere", "model:/x@champion", "http://127.0.0.1:5050"])
def test_what_names_no_model_is_told_what_one_is(model, tmp_path):
    with pytest.raises(RegistryError, match=rf"^model {model}: no address .* nor a folder that"):
        loading.load(model, root=tmp_path)


def test_a_changed_bundle_is_refused(trained, tmp_path):
    folder, _ = write_bundle("lstm-aam", tmp_path / "bundle")
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(BundleError, match=r"notes\.txt"):
        ser.load(folder)


def test_the_environment_of_the_program_that_loads_is_its_own(trained, tmp_path, monkeypatch):
    for name in runtime.DEFAULTS:
        monkeypatch.delenv(name, raising=False)
    folder, _ = write_bundle("lstm-aam", tmp_path / "bundle")
    ser.load(folder)
    assert {name for name in runtime.DEFAULTS if name in os.environ} == set(runtime.OF_A_LIBRARY)
