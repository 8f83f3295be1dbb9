"""An experiment read without MLflow holds what MLflow says, or is left to MLflow."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ser.contracts import RunSpec
from ser.tracking import database, local_runs, store, views
from ser.tracking.mlflow_tracker import open_experiment

NAME = "ser/demo/session"
TAGS = {"ser.corpus": "demo", views.HEADLINE: "test/uar"}
CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"


@pytest.fixture
def experiment(root):
    """Two cells, one of which has a nested run; a run of each other status and one deleted."""
    made = open_experiment(NAME, note="Two cells.", tags=TAGS, root=root)
    for loss in ("aam", "ccc"):
        cell = RunSpec(loss, loss, {"ser.fold": "all"}, {"loss": {"name": loss}})
        with made.run(cell):
            pass
    with made.run(RunSpec("aam-1", "aam-1", {"ser.fold": "1"}, {}), parent_key="aam"):
        pass
    for key, status in (("running", "RUNNING"), ("failed", "FAILED")):
        with made.run(RunSpec(key, key, {"ser.fold": "1"}, {})):
            pass
        made.client.update_run(made.run_id(key), status=status)
    with made.run(RunSpec("gone", "gone", {"ser.fold": "all"}, {"a": 1})):
        pass
    made.client.delete_run(made.run_id("gone"))
    return made


@pytest.fixture
def uri(root):
    return store.default_uri(root)


def change(root, statement):
    with closing(sqlite3.connect(root / "mlruns" / "mlflow.db")) as connection, connection:
        connection.execute(statement)


def test_the_tables_are_those_of_the_pinned_mlflow(template_database):
    (pinned,) = re.findall(r"^mlflow==(\S+)$", CONSTRAINTS.read_text(), re.MULTILINE)
    assert pinned == database.VERSION
    with database.opened(template_database) as connection:
        assert database.one(connection, "SELECT count(*) FROM experiments") == (1,)


def test_the_runs_are_those_that_mlflow_gives(experiment, uri):
    found = local_runs.find(uri, NAME)
    assert found.id == experiment.experiment_id
    assert found.recorded == experiment.recorded()
    assert sorted(found.recorded) == ["aam", "aam-1", "ccc"]


def test_of_a_key_that_was_recorded_twice_the_latest_counts(experiment, uri):
    first = experiment.run_id("ccc")
    again = experiment.client.create_run(
        experiment.experiment_id, tags={"ser.run_key": "ccc", "ser.attempt": "second"}
    )
    experiment.client.set_terminated(again.info.run_id)
    assert again.info.run_id != first
    found = local_runs.find(uri, NAME).recorded
    assert found["ccc"]["ser.attempt"] == "second"
    assert found == experiment.recorded()


def test_another_note_or_tag_is_seen(experiment, uri):
    found = local_runs.find(uri, NAME)
    assert found.is_described("Two cells.", TAGS)
    assert not found.is_described("Three cells.", TAGS)
    assert not found.is_described("Two cells.", {**TAGS, "ser.corpus": "another"})
    experiment.client.set_experiment_tag(experiment.experiment_id, "ser.corpus", "another")
    assert not local_runs.find(uri, NAME).is_described("Two cells.", TAGS)


def test_a_leaderboard_that_lacks_a_param_is_seen(experiment, uri):
    shown = views.value("test/uar", ["loss.name"])
    assert not local_runs.find(uri, NAME).shows_its_cells
    experiment.client.set_experiment_tag(experiment.experiment_id, views.TAG, shown)
    assert local_runs.find(uri, NAME).shows_its_cells
    third = RunSpec("b", "b", {"ser.fold": "all"}, {"loss": {"name": "ccc"}, "lr": 1})
    with experiment.run(third):
        pass
    assert not local_runs.find(uri, NAME).shows_its_cells


def test_a_run_that_goes_on_is_seen(experiment, uri):
    assert not local_runs.has_none_running(uri)
    experiment.client.set_terminated(experiment.run_id("running"), "KILLED")
    assert local_runs.has_none_running(uri)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE alembic_version SET version_num = 'another'",
        "UPDATE experiments SET lifecycle_stage = 'deleted'",
        "UPDATE experiments SET workspace = 'theirs'",
        "UPDATE experiments SET artifact_location = '/before/mlruns/ser-demo-session'",
        "DROP TABLE experiment_tags",
    ],
)
def test_whatever_is_not_as_every_day_is_left_to_mlflow(experiment, root, uri, statement):
    assert local_runs.find(uri, NAME) is not None
    change(root, statement)
    assert local_runs.find(uri, NAME) is None


def test_other_stores_are_left_to_mlflow(tmp_path):
    (tmp_path / "damaged.db").write_bytes(b"rubbish" * 1000)
    places = [f"sqlite:///{tmp_path}/{name}.db" for name in ("none", "damaged")]
    for uri in ("http://localhost:5000", *places):
        assert local_runs.find(uri, NAME) is None
        assert not local_runs.has_none_running(uri)
    assert not (tmp_path / "none.db").exists()
