import pytest

from ser.promotion import records
from ser.tracking import store
from tests.tracking.support import copy_database

TAGS = {"ser.corpus": "demo", "ser.protocol": "session", "ser.cell": "lstm-focal"}


@pytest.fixture
def root(tmp_path, template_database, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    copy_database(template_database, tmp_path / "mlruns" / "mlflow.db")
    return tmp_path


def test_registrations_and_decisions_go_into_one_experiment_that_says_its_corpus(root):
    registering = records.open_experiment(TAGS, root=root)
    deciding = records.open_experiment(TAGS, root=root, tracking_uri=store.default_uri(root))
    assert registering.experiment_id == deciding.experiment_id
    found = registering.client.get_experiment(registering.experiment_id)
    assert found.name == "ser/demo/session/registry"
    assert found.tags["ser.corpus"] == "demo"
    narrow = records.open_experiment({**TAGS, "ser.task": "demo-2-angry-sad"}, root=root)
    assert narrow.experiment_id != found.experiment_id
    other = narrow.client.get_experiment(narrow.experiment_id)
    assert other.name == "ser/demo-2-angry-sad/session/registry"
    assert "one per decision about a promotion" in found.tags["mlflow.note.content"]
