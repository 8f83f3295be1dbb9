"""What `ser doctor` finds, each with its cure."""

import shutil
import sqlite3
import subprocess
import sys
from collections import namedtuple
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ser import runtime
from ser.data.corpora import demo
from ser.errors import ParamsError
from ser.report.functional_rows import FunctionalRows
from ser.training.recipe import TrainingParams
from ser.workflow import diagnosis, weights_diagnosis
from tests.recordings import write_corpus
from tests.tracking.support import copy_database

runtime.configure()

#: Stands for the whole of params.yaml: nothing is extracted, nothing is trained.
PRESET = SimpleNamespace(
    corpus=demo.Params(),
    audio=SimpleNamespace(sampling_rate=16000),
    features={},
    extracted={},
    cells={},
    synthetic_weights={},
    training=TrainingParams(device="cpu"),
    cross_corpus=SimpleNamespace(corpora={}),
)


@pytest.fixture(scope="module")
def template(tmp_path_factory, template_database):
    """A project with an initialised store and one finished run."""
    from ser.contracts import RunSpec
    from ser.tracking.mlflow_tracker import open_experiment

    root = tmp_path_factory.mktemp("template")
    copy_database(template_database, root / "mlruns" / "mlflow.db")
    experiment = open_experiment(
        "ser/demo/session", note="", tags={}, root=root, tracking_uri=_uri(root)
    )
    with experiment.run(RunSpec("lstm-focal", "k", {}, {})):
        pass
    with closing(sqlite3.connect(root / "mlruns" / "mlflow.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return root


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A project in good order, as far as one without a store goes."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.setattr(diagnosis, "_preset", lambda _path: PRESET)
    (tmp_path / "params.yaml").write_text("corpus: {name: demo}\nsynthetic_corpora: [demo]\n")
    (tmp_path / "constraints.txt").write_text("# pinned\nmlflow==3.17.2\ntorch==2.11.0 ; x\n")
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("[core]\n    no_scm = True\n")
    return tmp_path


def _uri(root):
    return f"sqlite:///{root}/mlruns/mlflow.db"


def found(root, what, *, fix=False):
    return [finding for finding in diagnosis.diagnose(root, fix=fix) if finding.what == what]


def only(root, what, *, fix=False):
    (finding,) = found(root, what, fix=fix)
    return finding


def test_project_in_order_has_no_failure_and_nothing_it_looks_at_changes(root):
    findings = diagnosis.diagnose(root)
    assert [finding for finding in findings if finding.level == "fail"] == []
    assert not (root / "mlruns").exists()


def test_everything_wrong_comes_with_a_cure(root, monkeypatch):
    shutil.rmtree(root / ".dvc")
    (root / "params.yaml").unlink()
    (root / "constraints.txt").write_text("numpy==0.1\n")
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    findings = diagnosis.diagnose(root)
    wrong = {finding.what for finding in findings if finding.level != "ok"}
    assert wrong == {"versions", "threads", "git", "dvc", "params.yaml"}
    assert all(finding.cure for finding in findings if finding.level != "ok")


def test_a_checkout_called_as_the_package_hides_it_and_is_told(tmp_path, root):
    assert found(root, "folder") == []
    (tmp_path / "ser").mkdir()
    finding = only(tmp_path / "ser", "folder")
    assert (finding.level, f"`import ser` in {tmp_path} " in finding.detail) == ("warn", True)
    assert "speech-emotion" in finding.cure


def test_version_that_differs_from_its_pin_is_named(root):
    (root / "constraints.txt").write_text("numpy==0.1\nmlflow==3.17.2\nnot-installed==1\n")
    finding = only(root, "versions")
    assert finding.level == "warn"
    assert f"numpy {np.__version__} (pinned 0.1)" in finding.detail
    assert "mlflow" not in finding.detail


def test_package_that_is_not_installed_is_a_failure(root, monkeypatch):
    monkeypatch.setattr(diagnosis.provenance, "PACKAGES", ("numpy", "no-such-package"))
    finding = only(root, "versions")
    assert finding.level == "fail"
    assert "no-such-package" in finding.detail


def test_old_python_is_a_failure(root, monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 10, 1))
    assert only(root, "python").level == "fail"


def test_more_threads_than_cpus_is_a_warning(root, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "100000")
    assert only(root, "threads").level == "warn"


@pytest.mark.parametrize(("free_gb", "level"), [(0.5, "fail"), (3, "warn"), (50, "ok")])
def test_little_disk_space_is_told_in_time(root, monkeypatch, free_gb, level):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(
        diagnosis.shutil, "disk_usage", lambda _path: usage(0, 0, int(free_gb * 1e9))
    )
    assert only(root, "disk").level == level


def test_dvc_without_git_names_the_setting(root):
    (root / ".dvc" / "config").write_text("")
    finding = only(root, "dvc")
    assert finding.level == "fail"
    assert "core.no_scm true" in finding.cure


def test_git_commit_is_shown(root):
    for arguments in (["init"], ["commit", "--allow-empty", "-m", "x"]):
        command = ["git", "-C", str(root), "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
        subprocess.run(command, check=True, capture_output=True)
    finding = only(root, "git")
    assert finding.level == "ok"
    assert "not committed" in finding.detail


def test_wrong_params_are_told_with_the_message(root, monkeypatch):
    def refuse(_path):
        raise ParamsError("params.yaml is wrong in:\n  corpus.name: nope")

    monkeypatch.setattr(diagnosis, "_preset", refuse)
    finding = only(root, "params.yaml")
    assert finding.level == "fail"
    assert "corpus.name: nope" in finding.detail


def test_params_are_validated_against_the_whole_experiment(root, monkeypatch):
    monkeypatch.undo()
    finding = only(root, "params.yaml")
    assert finding.level == "fail"
    assert "split" in finding.detail


def test_synthetic_corpus_may_be_absent(root):
    assert only(root, "corpus link").level == "ok"


def test_corpus_that_is_not_linked_dangling_or_wrong_is_told_apart(root):
    (root / "params.yaml").write_text("corpus: {name: emodb}\n")
    absent = only(root, "corpus link")
    link = root / "data" / "raw" / "emodb"
    link.parent.mkdir(parents=True)
    link.symlink_to(root / "gone")
    dangling = only(root, "corpus link")
    link.unlink()
    link.mkdir()
    wrong = only(root, "corpus link")
    assert "is not there" in absent.detail
    assert f"points to {root / 'gone'}, which is gone" in dangling.detail
    assert "is not this corpus" in wrong.detail
    for finding in (absent, dangling, wrong):
        assert finding.level == "fail"
        assert finding.cure == (
            "`ser link-corpus emodb /where/it/is`, or `ser download-corpus emodb`"
        )


def test_the_cure_is_the_copy_that_ships_where_there_is_one(root):
    (root / "params.yaml").write_text("corpus: {name: emodb}\n")
    (root / "data" / "shipped" / "emodb").mkdir(parents=True)
    assert only(root, "corpus link").cure == "`ser link-corpus emodb data/shipped/emodb`"


@pytest.mark.emodb
def test_the_shipped_corpus_is_well_from_the_start(root, project):
    (root / "params.yaml").write_text("corpus: {name: emodb}\n")
    (root / "data").symlink_to(project / "data")
    finding = only(root, "corpus link")
    assert (finding.level, finding.detail) == ("ok", "data/raw/emodb: 535 utterances")


def test_linked_corpus_is_counted_and_dealt(root):
    (root / "params.yaml").write_text("corpus: {name: csv}\n")
    write_corpus(root / "data" / "raw" / "csv")
    finding = only(root, "corpus link")
    assert (finding.level, finding.detail) == ("ok", "data/raw/csv: 24 utterances")
    finding = only(root, "folds")
    assert (finding.level, finding.detail) == ("ok", "protocol session: 3")


def test_weights_are_looked_for_below_the_root_whatever_the_working_directory(root, monkeypatch):
    seen = []

    def examine(preset):
        seen.append((preset, Path.cwd()))
        yield diagnosis.Finding("fail", "checkpoint", "x")

    monkeypatch.setattr(weights_diagnosis, "examine", examine)
    before = Path.cwd()
    assert only(root, "checkpoint").level == "fail"
    assert seen == [(PRESET, root)]
    assert Path.cwd() == before


def head(disk):
    fields = {"corpus": "demo", "weights": "none", "gpu": "no", "extras": "none", "takes": "long"}
    fields |= {"memory": "0.001 GB", "disk": disk}
    return "".join(f"#   {name:<7}   {value}\n" for name, value in fields.items())


@pytest.mark.parametrize(
    ("disk", "level", "said"),
    [
        ("0.001 GB", "ok", "disk: 0.001 GB"),
        ("900000 GB", "warn", "900000 GB"),
        ("much", "warn", "much"),
    ],
)
def test_what_the_head_of_params_yaml_needs_is_looked_for(root, monkeypatch, disk, level, said):
    preset = SimpleNamespace(**vars(PRESET), models={})
    monkeypatch.setattr(diagnosis, "_preset", lambda _path: preset)
    (root / "params.yaml").write_text(f"{head(disk)}{(root / 'params.yaml').read_text()}")
    first = found(root, "needs")[0]
    assert first.level == level
    assert said in first.detail
    assert bool(first.cure) == (level == "warn")


def test_params_without_a_head_have_no_needs(root):
    assert found(root, "needs") == []


@pytest.fixture
def tracked(root, template):
    """The same project with a store of its own, moved here from the template's place."""
    shutil.copytree(template / "mlruns", root / "mlruns")
    from ser.tracking import health

    health.relocate(root / "mlruns" / "mlflow.db")
    return root


def test_sound_store_is_ok(tracked):
    assert only(tracked, "tracking store").level == "ok"
    assert only(tracked, "runs").level == "ok"


def test_damaged_database_is_a_failure_with_the_way_back(root):
    (root / "mlruns").mkdir()
    (root / "mlruns" / "mlflow.db").write_bytes(b"no database " * 500)
    finding = only(root, "tracking store")
    assert finding.level == "fail"
    assert "ser restore-runs" in finding.cure


def test_database_of_another_mlflow_is_a_failure(tracked):
    with closing(sqlite3.connect(tracked / "mlruns" / "mlflow.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
    finding = only(tracked, "tracking store")
    assert finding.level == "fail"
    assert "ffffffffffff" in finding.detail
    assert "mlflow db upgrade" in finding.cure


def test_database_held_by_another_process_is_a_failure(tracked, monkeypatch):
    path = tracked / "mlruns" / "mlflow.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        findings = found(tracked, "tracking store")
    assert any("write lock" in finding.detail for finding in findings)


def test_lost_write_ahead_log_is_a_warning(tracked):
    with closing(sqlite3.connect(tracked / "mlruns" / "mlflow.db")) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    levels = [finding.level for finding in found(tracked, "tracking store")]
    assert levels == ["ok", "warn"]


def test_moved_project_is_a_failure_until_fixed(root, template):
    shutil.copytree(template / "mlruns", root / "mlruns")
    finding = only(root, "artifact paths")
    assert finding.level == "fail"
    assert str(template / "mlruns") in finding.detail
    assert only(root, "artifact paths", fix=True).level == "ok"
    assert found(root, "artifact paths") == []


def test_run_left_behind_is_a_warning_until_fixed(tracked):
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    with closing(sqlite3.connect(tracked / "mlruns" / "mlflow.db")) as connection, connection:
        connection.execute("UPDATE runs SET status = 'RUNNING'")
        connection.execute("UPDATE tags SET value = ? WHERE key = 'ser.pid'", (str(process.pid),))
    finding = only(tracked, "runs")
    assert finding.level == "warn"
    assert "lstm-focal" in finding.detail
    assert "closed as killed: lstm-focal" in only(tracked, "runs", fix=True).detail
    assert only(tracked, "runs").level == "ok"


def test_dead_server_is_a_failure(root, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    finding = only(root, "tracking store")
    assert finding.level == "fail"
    assert "no answer" in finding.detail


@pytest.mark.parametrize(
    ("installed", "opensmile", "warned"),
    [("2.6.0", None, True), ("none", None, False), ("2.6.0", "2.6.0", False)],
)
def test_rows_that_could_be_there_by_now_are_named(root, monkeypatch, installed, opensmile, warned):
    versions = diagnosis.lineage.package_versions
    monkeypatch.setattr(
        diagnosis.lineage,
        "package_versions",
        lambda names: {
            **versions(names),
            **({"opensmile": installed} if "opensmile" in names else {}),
        },
    )
    facts = FunctionalRows(asked=("egemaps_svm", "compare_svm"), opensmile=opensmile)
    facts.write(root / "reports" / "functionals.json")
    shown = found(root, "functionals")
    assert len(shown) == warned
    for finding in shown:
        assert finding.level == "warn"
        assert "no egemaps_svm and no compare_svm" in finding.detail
        assert "dvc repro --force --single-item baselines" in finding.cure


def test_a_damaged_file_of_functionals_is_left_to_the_stage(root, monkeypatch):
    (root / "reports").mkdir()
    (root / "reports" / "functionals.json").write_text("{")
    monkeypatch.setattr(diagnosis.lineage, "package_versions", lambda _: dict.fromkeys(_, "1"))
    assert found(root, "functionals") == []


def test_a_precision_that_this_machine_cannot_give_is_said_as_training_says_it(root, monkeypatch):
    training = TrainingParams(precision="float16", device="cpu")
    preset = SimpleNamespace(**{**vars(PRESET), "training": training})
    monkeypatch.setattr(diagnosis, "_preset", lambda _path: preset)
    finding = only(root, "precision")
    assert finding.level == "fail"
    assert "training.precision is float16, which needs a GPU" in finding.detail
