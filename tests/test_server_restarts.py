"""A cell is trained while MLflow's server is killed and comes back: nothing is lost or doubled."""

import threading

import pytest

from pipelines import extract, prepare, split, train
from ser.project import Project
from ser.tracking import cells, mlflow_run, outage
from ser.tracking.mlflow_tracker import open_experiment
from ser.workflow import trained_cells
from tests.servers.tracking import Switched

CELL = "lstm-cross_entropy"

#: A server that is killed answers again after this long and its own start, together some ten
#: seconds.
AWAY_S = 5.0


@pytest.fixture(scope="module")
def server(team_if_any, tmp_path_factory):
    """MLflow's server on PostgreSQL and S3, running; or None where these are not installed."""
    if team_if_any is None:
        yield None
        return
    folder = tmp_path_factory.mktemp("restarts")
    found = Switched(team_if_any.tracking(folder, "restarts"))
    found.start()
    yield found
    found.kill()


@pytest.fixture
def project(team, server, project_with_params, monkeypatch):
    """A project with the features of a small cell, whose runs go to the server epoch by epoch."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    monkeypatch.setattr(mlflow_run, "_SEND_EVERY_S", 0.0)
    for stage, words in ((prepare, []), (split, []), (extract, ["mfcc"])):
        assert stage.main(words) == 0
    return Project()


@pytest.fixture
def trained(project, server, monkeypatch):
    """Trains the cell under a seed; in the middle of its first fold the server is killed."""
    log = mlflow_run.TrainingRun.log_metrics

    def train_it(seed, after_kill=lambda: None):
        text = project.params.read_text().replace("num_epochs: 1", "num_epochs: 4")
        project.params.write_text(text.replace("seeds: [0]", f"seeds: [{seed}]"))
        epochs = []

        def log_metrics(run, metrics, *, step=None):
            log(run, metrics, step=step)
            epochs.append(step)
            if len(epochs) == 2:
                server.kill()
                after_kill()

        monkeypatch.setattr(mlflow_run.TrainingRun, "log_metrics", log_metrics)
        assert train.main([CELL, "--untuned"]) == 0
        assert epochs[:4] == [1, 2, 3, 4]

    return train_it


def recorded(project):
    """The runs of the cell in the store, by key; each has all that its folder has, once."""
    cell = project.run(CELL)
    record, history = cells.read(cell), cells._read_history(cell.history)
    experiment = open_experiment(record.experiment, note=record.note, tags=record.experiment_tags)
    client = experiment.client
    found = {}
    for kept in record.runs:
        key = kept.spec.run_key
        (run,) = client.search_runs([experiment.experiment_id], f"tags.`ser.run_key` = '{key}'")
        assert run.info.status == "FINISHED"
        curves = {name: {0: value} for name, value in (kept.metrics | kept.scores).items()}
        for epoch, metrics in history.get((kept.fold, kept.seed), ()):
            for name, value in metrics.items():
                curves.setdefault(name, {})[epoch] = value
        assert curves
        for name, curve in curves.items():
            points = client.get_metric_history(run.info.run_id, name)
            assert len(points) == len(curve)
            assert {point.step: point.value for point in points} == pytest.approx(curve)
        assert {folder or path.rpartition("/")[2] for path, folder in kept.artifacts} <= {
            file.path for file in client.list_artifacts(run.info.run_id)
        }
        assert kept.scores
        found[key] = run
    assert len(found) == 1 + 3
    return found


def test_a_restart_in_the_middle_of_a_training_loses_nothing(project, server, trained, team):
    coming_back = threading.Timer(AWAY_S, server.start)
    trained(7, coming_back.start)
    coming_back.join()
    trained_cells.publish(project, CELL, open_experiment)
    runs = recorded(project)
    assert not [run for run in runs.values() if "ser.restored" in run.data.tags]
    assert team.s3.keys("restarts")


def test_what_a_server_that_stays_away_lacks_is_completed_when_the_cell_is_scored(
    project, server, trained, monkeypatch, caplog
):
    with monkeypatch.context() as patch:
        patch.setattr(outage, "PATIENCE_S", 0.0)
        trained(8)
    assert mlflow_run.STAYS_AWAY in caplog.text
    server.start()
    trained_cells.publish(project, CELL, open_experiment)
    runs = recorded(project)
    assert {"true"} == {run.data.tags.get("ser.restored") for run in runs.values()}
