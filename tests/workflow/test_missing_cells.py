"""On a pipeline of three copies: what a cell does is none of DVC's business."""

import shutil
import sys
from pathlib import Path

import pytest
from dvc.repo import Repo

from ser.contracts import UnitOutcome
from ser.errors import PipelineError
from ser.workflow import missing_cells

# Of DVC, of its own library.
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")

PIPELINE = """
stages:
  split:
    cmd: cp raw splits
    deps: [raw]
    outs: [splits]
  train:
    foreach: [lstm-focal, lstm-ccc]
    do:
      cmd: mkdir -p data/trained && cp splits data/trained/${item}
      deps: [splits]
      outs: ["data/trained/${item}"]
  untuned:
    foreach: [lstm-focal]
    do:
      cmd: mkdir -p data/untuned && cp splits data/untuned/${item}
      deps: [splits]
      outs: ["data/untuned/${item}"]
  tune:
    cmd: python -c "import sys; print(sys.prefix)" > tuned
    deps: [splits]
    outs: [tuned]
  compare:
    cmd: cp data/trained/lstm-ccc report
    deps: [data/trained/lstm-ccc]
    outs: [report]
"""
CELLS = ["train@lstm-focal", "train@lstm-ccc", "untuned@lstm-focal"]


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A pipeline that has run as far as the cells."""
    root = tmp_path / "project"
    root.mkdir()
    monkeypatch.chdir(root)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site-cache"))
    Path("dvc.yaml").write_text(PIPELINE)
    Path("raw").write_text("recordings")
    with Repo.init(no_scm=True) as repo:
        repo.reproduce("split")
    return Path()


class Engine:
    """Does what the stages' own commands do, but for the units that it is told to fail."""

    def __init__(self, failing=(), interrupted_at=None):
        self.failing, self.interrupted_at = failing, interrupted_at
        self.units = []

    def run(self, _work, units):
        for unit in units:
            if unit == self.interrupted_at:
                raise KeyboardInterrupt
            self.units.append(unit)
            if unit in self.failing:
                yield UnitOutcome(unit, "it diverged")
                continue
            group, _, cell = unit.partition("@")
            place = Path("data") / {"train": "trained"}.get(group, group) / cell
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy("splits", place)
            yield UnitOutcome(unit, None)


def test_what_lies_upstream_is_made_by_the_python_that_runs_this(root, monkeypatch):
    monkeypatch.setenv("PATH", "/usr/bin:/bin")  # as where no environment is activated
    missing_cells.make_upstream(root)
    assert Path("tuned").read_text().strip() == sys.prefix
    Path("dvc.yaml").write_text(PIPELINE.replace('print(sys.prefix)"', 'sys.exit(3)"'))
    with pytest.raises(PipelineError, match="could not be made"):
        missing_cells.make_upstream(root)


def test_the_missing_cells_are_those_that_dvc_would_run_in_the_order_of_the_file(root):
    assert missing_cells.find(root) == CELLS
    with Repo() as repo:
        repo.reproduce("train@lstm-ccc")
    assert missing_cells.find(root) == [CELLS[0], CELLS[2]]


def test_what_was_trained_is_recorded_as_dvc_records_it(root):
    engine = Engine()
    outcomes = missing_cells.run(missing_cells.find(root), engine, root)
    assert outcomes == [UnitOutcome(cell, None) for cell in CELLS]
    assert missing_cells.find(root) == []
    lock = Path("dvc.lock").read_bytes()
    with Repo() as repo:
        assert {stage.name for stage in repo.reproduce()} == {"tune", "compare"}
    shutil.rmtree("data")
    shutil.rmtree(".dvc/cache/runs")
    Path("dvc.lock").unlink()
    with Repo() as repo:
        repo.reproduce(CELLS)
    assert Path("dvc.lock").read_bytes() == lock


def test_what_dvc_has_in_its_run_cache_is_not_missing(root):
    missing_cells.run(CELLS, Engine(), root)
    Path("raw").write_text("others")
    with Repo() as repo:
        repo.reproduce("split")
    assert missing_cells.find(root) == CELLS
    missing_cells.run(CELLS, Engine(), root)
    Path("raw").write_text("recordings")
    with Repo() as repo:
        repo.reproduce("split")
    assert missing_cells.find(root) == []
    with Repo() as repo:
        repo.reproduce()
    assert Path("data/trained/lstm-ccc").read_text() == "recordings"


def test_a_cell_that_fails_is_told_and_not_recorded(root):
    outcomes = missing_cells.run(CELLS, Engine(failing=[CELLS[1]]), root)
    assert outcomes[1] == UnitOutcome(CELLS[1], "it diverged")
    assert missing_cells.find(root) == [CELLS[1]]


def test_an_interrupt_leaves_what_was_done_recorded(root):
    with pytest.raises(KeyboardInterrupt):
        missing_cells.run(CELLS, Engine(interrupted_at=CELLS[2]), root)
    assert missing_cells.find(root) == [CELLS[2]]


def test_another_dvc_process_is_not_disturbed(root):
    with Repo() as repo, repo.lock, pytest.raises(PipelineError, match=r"dvc.yaml: .*lock"):
        missing_cells.find(root)


def test_a_pipeline_that_cannot_be_read_is_told_in_one_line(root):
    Path("dvc.yaml").write_text("stages: [")
    with pytest.raises(PipelineError, match=r"^dvc.yaml: .*`dvc status` says more"):
        missing_cells.find(root)


def test_a_stage_is_trained_as_its_program_would_do_it(monkeypatch):
    made = []

    class Runner:
        def run(self):
            made.append("run")

    def make(params, cell, project, *, is_tuned, variant):
        made.append((params, cell, project.root, is_tuned, variant))
        return Runner()

    monkeypatch.setattr(missing_cells.runners, "make", make)
    missing_cells.train("train@lstm-ccc")
    missing_cells.train("untuned@lstm-focal")
    missing_cells.train("without_copies@lstm-ccc")
    assert made == [
        (Path("params.yaml"), "lstm-ccc", Path(), True, ""),
        "run",
        (Path("params.yaml"), "lstm-focal", Path(), False, "untuned"),
        "run",
        (Path("params.yaml"), "lstm-ccc", Path(), True, "without_copies"),
        "run",
    ]
