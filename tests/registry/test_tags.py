from types import SimpleNamespace

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INTERNAL_ERROR, RESOURCE_DOES_NOT_EXIST

from ser.registry import tags

VERSION = SimpleNamespace(run_id="r", tags={"ser.cell": "lstm-aam", "ser.decision": "promoted"})


class Store:
    """Answers with the tags of the run, or fails."""

    def __init__(self, answer):
        self.answer = answer

    def get_run(self, run_id):
        assert run_id == "r"
        if isinstance(self.answer, Exception):
            raise self.answer
        return SimpleNamespace(data=SimpleNamespace(tags=self.answer))


def test_a_version_has_the_lineage_of_its_run_below_its_own_tags():
    store = Store({"ser.split_sha256": "abc", "ser.cell": "another", "mlflow.user": "me"})
    assert tags.every(store, VERSION) == {**VERSION.tags, "ser.split_sha256": "abc"}


def test_a_version_may_outlive_its_run():
    gone = MlflowException("no run", error_code=RESOURCE_DOES_NOT_EXIST)
    assert tags.every(Store(gone), VERSION) == VERSION.tags


def test_a_store_that_fails_is_not_taken_for_one_without_the_run():
    with pytest.raises(MlflowException):
        tags.every(Store(MlflowException("down", error_code=INTERNAL_ERROR)), VERSION)


def test_few_tags_are_the_versions_own():
    given = dict.fromkeys([*tags.OWN, "ser.split_sha256", "ser.python"], "x")
    assert set(tags.own(given)) == set(tags.OWN)
    assert len(tags.OWN) == 6
