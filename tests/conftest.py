"""Fixtures that several test modules share."""

import os
import signal
import sqlite3
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from benchmarks import warm_python
from ser import runtime, sqlite
from ser.project import Project
from tests import once, tiers
from tests.recordings import PARAMS, write_corpus
from tests.tracking.support import copy_database

runtime.configure()
# A shell that runs its jobs in the background lets them ignore SIGINT, and Python keeps to that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """Give every test its tier and its turn."""
    tiers.mark(items)
    items[:] = tiers.in_order(items)


@pytest.hookimpl(optionalhook=True)  # without pytest-xdist nobody asks
def pytest_xdist_make_scheduler(config, log):
    """Keep the tests of a file on one worker, and those that start servers."""
    return tiers.FileByFile(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_runtest_protocol(item):
    """Say to what starts servers which test it is for."""
    tiers.starters.begin(item)


def pytest_collection_finish():
    """Leave what is imported out of every collection of garbage, as programs do."""
    runtime.spare_imports()


@pytest.fixture(scope="session")
def project() -> Path:
    """The project's root."""
    return Path(__file__).parents[1]


@pytest.fixture(scope="session")
def emodb_root(project: Path) -> Path:
    """The recordings of EmoDB: the published WAV files where there are any, else the copy."""
    beside = project.parent / "shared" / "data" / "emodb"
    said = os.environ.get("SER_EMODB") or (beside if (beside / "wav").is_dir() else None)
    return Path(said) if said else Project(project).shipped("emodb").folder


@pytest.fixture(scope="session")
def emodb_recordings(emodb_root: Path) -> list[Path]:
    """Paths of all recordings of EmoDB, sorted by name, whatever their format."""
    from ser.data.corpora import emodb

    parsed = emodb.build(emodb.Params()).parse(emodb_root)
    return sorted((emodb_root / item.audio for item in parsed.annotations), key=lambda p: p.stem)


@pytest.fixture
def project_with_params(tmp_path, project, monkeypatch, request):
    """A folder with params, a raw corpus and the source, as the working directory."""
    tiers.require_stage(request.node)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "params.yaml").write_text(PARAMS)
    (tmp_path / "ser").symlink_to(project / "ser")
    write_corpus(tmp_path / "data" / "raw" / "csv")
    return tmp_path


@pytest.fixture(scope="session")
def trained_root(tmp_path_factory, worker_id):
    """A small project with a trained cell per model: this process's copy of it."""
    from tests import trained_project

    def make(folder):
        trained_project.build(folder, Path(__file__).parents[1])

    built = once.made("trained-project", make, tmp_path_factory, worker_id)
    return trained_project.copy(built, tmp_path_factory.mktemp("trained") / "project")


@pytest.fixture
def trained(request, monkeypatch):
    """That project as the working directory."""
    tiers.require_stage(request.node)
    from tests import trained_project

    trained_root = request.getfixturevalue("trained_root")
    trained_project.enter(trained_root, monkeypatch)
    return trained_root


@pytest.fixture(scope="session")
def forking(tmp_path_factory):
    """Starts processes that have torch, MLflow and the like already."""
    outside = {**os.environ, "OMP_NUM_THREADS": "1"}
    with warm_python.serve(tmp_path_factory.mktemp("python"), outside) as found:
        yield found


@pytest.fixture(scope="session")
def python(forking):
    """Runs whole programs in such processes."""
    return forking


@pytest.fixture
def warm(forking, monkeypatch):
    """Let this project's own code start such processes in place of cold ones."""
    monkeypatch.setattr(sys, "executable", str(forking.executable))


@pytest.fixture(scope="session", autouse=True)
def _tables_made_once(tmp_path_factory, worker_id):
    """Let this process copy a tracking database that it needs; its tables take two seconds."""
    create = sqlite._create

    def copied(path, initialise):
        if (initialise.__module__, initialise.__name__) != ("ser.tracking.store", "_initialise"):
            create(path, initialise)
            return

        def make(folder):
            create(folder / "mlflow.db", initialise)

        made = once.made("template-database", make, tmp_path_factory, worker_id)
        copy_database(made / "mlflow.db", path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite, "_create", copied)
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_waiting_for_disks():
    """Let databases of this process not wait for the disk: no power fails in a test."""

    def hasten(connection, _):
        if isinstance(connection, sqlite3.Connection):
            connection.execute("PRAGMA synchronous = OFF")

    event.listen(Engine, "connect", hasten)
    yield
    event.remove(Engine, "connect", hasten)


@pytest.fixture(scope="session")
def template_database(tmp_path_factory):
    """A tracking database without experiments of ours."""
    from ser.tracking import store

    path = tmp_path_factory.mktemp("database") / "mlflow.db"
    store.connect(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def team_if_any(tmp_path_factory):
    """PostgreSQL and S3 as a team shares them, or None where they are not installed."""
    from tests.servers import team

    if team.missing():
        yield None
        return
    with team.serve(tmp_path_factory.mktemp("s3")) as found:
        yield found


@pytest.fixture
def team(team_if_any):
    """PostgreSQL and S3 as a team shares them; without them the test is skipped."""
    from tests.servers.team import missing

    if team_if_any is None:
        pytest.skip(missing())
    return team_if_any


@pytest.fixture(scope="session")
def tracking_server(tmp_path_factory, team_if_any):
    """A tracking server that keeps runs, registry and artifacts; its address.

    On PostgreSQL and S3 where these are installed, else on files.
    """
    from tests.servers import tracking

    folder = tmp_path_factory.mktemp("tracking-server")
    server = team_if_any.tracking(folder, "tracking") if team_if_any else tracking.on_files(folder)
    with server.running() as uri:
        yield uri


@pytest.fixture
def evidence(monkeypatch):
    """Let the measuring of a challenger find good evidence, but for what is given."""
    from ser.promotion import measuring
    from tests.registry.support import GOOD

    def give(**changes):
        found = GOOD.model_copy(update=changes)
        monkeypatch.setattr(measuring, "measure", lambda *_: found)

    return give


@pytest.fixture
def root(tmp_path, project, monkeypatch):
    """A project's root outside git, with the real source."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    (tmp_path / "ser").symlink_to(project / "ser")
    return tmp_path


@pytest.fixture
def paths(root):
    """A cell's inputs there: three sessions, so three folds, with every emotion in every part."""
    from tests import synthetic
    from tests.grid.support import write_inputs

    return write_inputs(root, synthetic.corpus(num_sessions=3))
