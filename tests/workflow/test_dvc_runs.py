"""On a pipeline of two copies."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from dvc.repo import Repo

from ser import runtime
from ser.errors import PipelineError
from ser.workflow import dvc_runs

# Of DVC, of its own library.
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")

PIPELINE = """
stages:
  split:
    cmd: cp raw splits
    deps: [raw]
    outs: [splits]
  report:
    cmd: python -c "import sys; print(sys.prefix)" > report
    deps: [splits]
    outs: [report]
"""


@pytest.fixture
def root(tmp_path, monkeypatch):
    """The pipeline, before its first run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site-cache"))
    Path("dvc.yaml").write_text(PIPELINE)
    Path("raw").write_text("recordings")
    Repo.init(no_scm=True).close()
    return Path()


def test_what_dvc_would_run_is_run_once_and_by_the_python_that_runs_this(root, monkeypatch):
    monkeypatch.setenv("PATH", "/usr/bin:/bin")  # as where no environment is activated
    assert not dvc_runs.is_up_to_date(root)
    assert dvc_runs.repro(root, "split")
    assert not dvc_runs.is_up_to_date(root)
    assert dvc_runs.repro(root)
    assert Path("report").read_text().strip() == sys.prefix
    assert os.environ["PATH"] == "/usr/bin:/bin"
    assert dvc_runs.is_up_to_date(root)
    assert not dvc_runs.repro(root)


def test_the_lock_is_written_byte_by_byte_as_dvc_writes_it(root):
    odd = "{a: 1.0e-05, b: 1e3, c: [null, true, .5], d: '1e3', e: 'öl: #', f: ''}"
    Path("params.yaml").write_text(f"odd: {odd}")
    Path("dvc.yaml").write_text(PIPELINE.replace("deps: [raw]", "deps: [raw]\n    params: [odd]"))
    lock = Path("dvc.lock")
    with Repo() as repo:
        repo.reproduce()
    expected = lock.read_bytes()
    for left in (["split"], []):  # what a run from nothing finds there, and what another one does
        if left:
            lock.unlink()
        assert dvc_runs.repro(root, "split") == bool(left)
        with dvc_runs.opened(root) as repo:
            stages = list(repo.index.stages)
            for stage in stages:
                stage.save()
            stages[0].dvcfile.dump_stages(stages, update_pipeline=False)
        assert lock.read_bytes() == expected
    with Repo() as repo:
        assert not repo.status()


@pytest.mark.parametrize("path", ["raw", "splits", "report"])
def test_whatever_changes_is_seen(root, path):
    dvc_runs.repro(root)
    Path(path).unlink()
    Path(path).write_text("another")
    assert not dvc_runs.is_up_to_date(root)


def test_a_changed_command_is_seen(root):
    dvc_runs.repro(root)
    Path("dvc.yaml").write_text(PIPELINE.replace("cp raw", "cp -f raw"))
    assert not dvc_runs.is_up_to_date(root)


def test_only_what_runs_is_said(root, caplog):
    caplog.set_level(logging.INFO)
    dvc_runs.repro(root, "split")
    assert caplog.messages == ["Running stage 'split':", "> cp raw splits"]
    dvc_runs.repro(root, "split")
    assert len(caplog.messages) == 2


def run_by_itself():
    """`dvc repro split` in a process of its own."""
    program = (
        "import sys; from pathlib import Path; from ser import runtime; "
        "from ser.workflow import dvc_runs; "
        "sys.exit(runtime.run_main(lambda: dvc_runs.repro(Path(), 'split') and 0))"
    )
    command = [sys.executable, "-c", program]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_what_runs_is_said_once(root):
    done = run_by_itself()
    assert done.returncode == 0
    assert done.stdout + done.stderr == "Running stage 'split':\n> cp raw splits\n"


def test_a_stage_that_fails_is_named(root):
    Path("dvc.yaml").write_text(PIPELINE.replace("cp raw splits", "exit 3"))
    with pytest.raises(PipelineError, match=r"^`dvc repro split` failed: .*exited with 3; the mes"):
        dvc_runs.repro(root, "split")


def test_an_output_that_is_not_made_is_named(root):
    Path("dvc.yaml").write_text(PIPELINE.replace("cp raw splits", "ls raw"))
    with pytest.raises(PipelineError, match=r"^`dvc repro` failed: .*'splits' does not exist$"):
        dvc_runs.repro(root)


@pytest.mark.parametrize("status", [130, 143])
def test_a_stage_that_is_stopped_stops_this_process_likewise(root, status):
    Path("dvc.yaml").write_text(PIPELINE.replace("cp raw splits", f"exit {status}"))
    assert runtime.run_main(lambda: dvc_runs.repro(root)) == status


@pytest.mark.parametrize(("name", "status"), [("INT", 130), ("TERM", 143)])
def test_a_stage_that_a_signal_ends_before_it_listens_stops_this_process_likewise(
    root, name, status
):
    Path("dvc.yaml").write_text(PIPELINE.replace("cp raw splits", f"exec sh -c 'kill -{name} $$'"))
    assert runtime.run_main(lambda: dvc_runs.repro(root)) == status


def test_sigterm_ends_the_stage_too(root):
    Path("stage.py").write_text(
        "import os, pathlib, signal, time\n"
        "os.kill(os.getppid(), signal.SIGTERM)\n"
        "time.sleep(5)\n"
        "pathlib.Path('splits').touch()\n"
    )
    Path("dvc.yaml").write_text(PIPELINE.replace("cp raw splits", "exec python stage.py"))
    # By itself, and not in this process, which would warn of what DVC leaves behind. Its output
    # is whole when the last process that writes there has ended.
    done = run_by_itself()
    assert done.returncode == runtime.TERMINATED
    assert done.stderr.endswith("the same command takes up where this one ended\n")
    assert not Path("splits").exists()


def test_a_stage_that_is_killed_is_not_said_to_have_said_why(root):
    Path("dvc.yaml").write_text(PIPELINE.replace("cp raw splits", "exec sh -c 'kill -KILL $$'"))
    with pytest.raises(PipelineError, match=r"exited with -9: it was killed, .* no memory"):
        dvc_runs.repro(root)


def test_another_dvc_process_is_not_disturbed(root):
    with (
        Repo() as repo,
        repo.lock,
        pytest.raises(PipelineError, match=r"`dvc repro` failed: .*lock"),
    ):
        dvc_runs.repro(root)


def test_neither_torch_nor_mlflow_is_imported_to_ask_dvc():
    program = "import sys, ser.workflow.missing_stages; print({'torch', 'mlflow'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout == b"set()\n"
