"""On a pipeline of copies: what a cell does is none of DVC's business."""

import os
import shutil
import sys
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo

from ser import runtime
from ser.contracts import UnitOutcome
from ser.engine.local import LocalEngine
from ser.errors import PipelineError
from ser.grid import runners
from ser.workflow import dvc_runs, missing_stages

# Of DVC, of its own library.
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")

PIPELINE = """
stages:
  split:
    cmd: cp raw splits
    deps: [raw]
    outs: [splits]
  weights:
    foreach: [tiny]
    do:
      cmd: python -m copying raw weights
      deps: [raw]
      outs: [weights]
  extract:
    foreach: [mfcc, whisper]
    do:
      cmd: python -m copying splits features-${item}
      deps: [splits, weights]
      outs: ["features-${item}"]
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
    foreach: [mfcc, whisper]
    do:
      cmd: python -m copying features-${item} tuned-${item}
      deps: [splits, "features-${item}"]
      outs: ["tuned-${item}"]
  score:
    cmd: python -m copying data/trained/lstm-ccc scores
    deps: [data/trained]
    outs: [scores]
  gain:
    cmd: python -m copying data/untuned/lstm-focal gains
    deps: [data/untuned]
    outs: [gains]
  cross_data:
    foreach: [demo]
    do:
      cmd: python -m copying raw other
      deps: [raw]
      outs: [other]
  cross:
    foreach: [lstm-ccc]
    do:
      cmd: python -m copying other crossed
      deps: [other]
      outs: [crossed]
  compare:
    cmd: cp data/trained/lstm-ccc report
    deps: [data/trained/lstm-ccc]
    outs: [report]
"""
CELLS = ["train@lstm-focal", "train@lstm-ccc", "untuned@lstm-focal"]
FEATURES = ["extract@mfcc", "extract@whisper"]
COPYING = """
import os, shutil, sys
from pathlib import Path
source, target = sys.argv[1:]
if source in ("splits", "features-whisper") and Path("damaged").exists():
    sys.exit(int(Path("damaged").read_text()))
shutil.copy(source, target)
with Path("log").open("a") as log:
    print(__name__, os.getpid(), file=log)
"""


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A pipeline that has run as far as the cells."""
    root = tmp_path / "project"
    root.mkdir()
    monkeypatch.chdir(root)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site-cache"))
    Path("dvc.yaml").write_text(PIPELINE)
    Path("raw").write_text("recordings")
    Path("copying.py").write_text(COPYING)
    monkeypatch.syspath_prepend(str(root))
    with Repo.init(no_scm=True) as repo:
        repo.reproduce("split")
    return Path()


def cells(root):
    """Return the names of the cells that have to be trained."""
    return [missing.stage for missing in missing_stages.find(root, missing_stages.CELLS)]


def locked():
    """Return what dvc.lock says, whatever the order in which stages ran."""
    return yaml.safe_load(Path("dvc.lock").read_text())


def make_features(engine, root):
    missing_stages.make_sources(engine, root)
    missing_stages.make_features(engine, root)


def make_upstream(engine, root):
    make_features(engine, root)
    missing_stages.tune(root)


def named(*stages):
    """Return stages as they are found; their commands are not run by the engine below."""
    return [missing_stages.Missing(stage, "") for stage in stages]


class Engine:
    """Does what the stages' own commands do, but for the units that it is told to fail."""

    def __init__(self, failing=(), interrupted_at=None):
        self.failing, self.interrupted_at = failing, interrupted_at

    def run(self, _work, units):
        for unit in units:
            if unit.stage == self.interrupted_at:
                raise KeyboardInterrupt
            if unit.stage in self.failing:
                yield UnitOutcome(unit, "it diverged")
                continue
            group, _, cell = unit.stage.partition("@")
            place = Path("data") / {"train": "trained"}.get(group, group) / cell
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy("splits", place)
            yield UnitOutcome(unit, None)


def test_what_lies_upstream_is_made_by_the_python_that_runs_this(root, monkeypatch):
    monkeypatch.setenv("PATH", "/usr/bin:/bin")  # as where no environment is activated
    for code, fails in (("print(sys.prefix)", False), ("sys.exit(3)", True)):
        command = f'python -c "import sys; {code}" > splits'
        Path("dvc.yaml").write_text(PIPELINE.replace("cp raw splits", command))
        if fails:
            with pytest.raises(PipelineError, match=r"`dvc repro split` failed"):
                make_upstream(LocalEngine(1), root)
        else:
            make_upstream(LocalEngine(1), root)
            assert Path("splits").read_text().strip() == sys.prefix


@pytest.mark.parametrize("jobs", [1, 2])
def test_features_are_extracted_by_their_own_programs_side_by_side(root, jobs):
    make_upstream(LocalEngine(jobs), root)
    assert Path("features-mfcc").read_text() == Path("features-whisper").read_text() == "recordings"
    programs, processes = zip(*map(str.split, Path("log").read_text().splitlines()), strict=True)
    assert programs == ("__main__",) * 5
    assert (str(os.getpid()) in processes[1:3]) == (jobs == 1)
    assert missing_stages.find(root, ["weights", "extract", "tune"]) == []
    lock = locked()
    with Repo() as repo:
        assert repo.reproduce(FEATURES) == []
        repo.reproduce(FEATURES, force=True)
    assert locked() == lock


def test_searches_run_one_after_another_and_dvc_is_told_once(root, monkeypatch):
    make_features(LocalEngine(2), root)
    Path("log").unlink()
    told, dump = [], dvc_runs._dump_stages
    monkeypatch.setattr(
        dvc_runs, "_dump_stages", lambda lock, done: told.append(len(done)) or dump(lock, done)
    )
    missing_stages.tune(root)
    processes = [line.split()[1] for line in Path("log").read_text().splitlines()]
    assert processes == [str(os.getpid())] * 2
    assert told == [2]
    with Repo() as repo:
        assert repo.reproduce("tune") == []


@pytest.mark.parametrize(("said", "error"), [(1, PipelineError), (130, KeyboardInterrupt)])
def test_a_search_that_ends_early_ends_the_work_and_those_before_it_are_kept(root, said, error):
    make_features(LocalEngine(1), root)
    Path("damaged").write_text(str(said))
    with pytest.raises(error):
        missing_stages.tune(root)
    assert [one.stage for one in missing_stages.find(root, ["tune"])] == ["tune@whisper"]


def test_a_feature_that_fails_ends_the_work_and_what_is_done_is_kept(root):
    Path("damaged").write_text("1")
    with pytest.raises(PipelineError, match=r"extract@mfcc, extract@whisper failed"):
        make_upstream(LocalEngine(1), root)
    missing = missing_stages.find(root, ["weights", "extract"])
    assert [one.stage for one in missing] == FEATURES
    assert not Path("tuned-mfcc").exists()


@pytest.mark.parametrize("status", [130, 143])
def test_a_feature_that_is_stopped_stops_the_work_and_the_signal_is_told(root, status):
    Path("damaged").write_text(str(status))

    def work():
        make_upstream(LocalEngine(1), root)

    assert runtime.run_main(work) == status


def test_scores_are_computed_side_by_side_once_the_cells_are_trained(root):
    missing_stages.run(named(*CELLS), Engine(), root)
    missing_stages.make_scores(LocalEngine(1), root)
    assert Path("scores").read_text() == Path("gains").read_text() == "recordings"
    with Repo() as repo:
        assert {stage.name for stage in repo.reproduce()}.isdisjoint({"score", "gain"})


def test_other_corpora_come_before_the_scores_where_they_are_asked_for(root):
    missing_stages.make_sources(LocalEngine(1), root)
    missing_stages.make_features(LocalEngine(1), root, is_crossed=True)
    missing_stages.run(named(*CELLS), Engine(), root)
    missing_stages.make_scores(LocalEngine(1), root, is_crossed=True)
    assert Path("crossed").read_text() == "recordings"
    with Repo() as repo:
        again = {stage.name for stage in repo.reproduce()}
    assert again.isdisjoint({"score", "gain", "cross_data@demo", "cross@lstm-ccc"})


def test_what_an_earlier_run_left_of_an_output_is_removed_as_dvc_removes_it(root):
    missing_stages.run(named(*CELLS), Engine(), root)
    left = Path("scores")
    left.write_text("of another run")
    missing_stages.find(root, ["score"])
    assert left.exists()
    missing_stages.find(root, ["score"], clears=True)
    assert not left.exists()


def test_a_command_that_is_no_module_of_python_is_not_run():
    with pytest.raises(PipelineError, match=r"^bash -c ls: "):
        missing_stages.do(missing_stages.Missing("extract@mfcc", "bash -c ls"))


def test_the_missing_cells_are_those_that_dvc_would_run_in_the_order_of_the_file(root):
    assert cells(root) == CELLS
    with Repo() as repo:
        repo.reproduce("train@lstm-ccc")
    assert cells(root) == [CELLS[0], CELLS[2]]


def test_where_the_stages_before_have_not_run_the_cure_is_said(root):
    Path("splits").unlink()
    with pytest.raises(PipelineError, match=r"lstm-focal: \S*splits is missing.*`make repro`"):
        missing_stages.find(root, missing_stages.CELLS)


def test_what_was_trained_is_recorded_as_dvc_records_it(root):
    engine = Engine()
    outcomes = missing_stages.run(named(*CELLS), engine, root)
    assert outcomes == [UnitOutcome(cell, None) for cell in named(*CELLS)]
    assert cells(root) == []
    lock = locked()
    with Repo() as repo:
        assert {stage.name for stage in repo.reproduce()} == {
            "weights@tiny",
            *FEATURES,
            "cross_data@demo",
            "cross@lstm-ccc",
            "tune@mfcc",
            "tune@whisper",
            "score",
            "gain",
            "compare",
        }
    shutil.rmtree("data")
    shutil.rmtree(".dvc/cache/runs")
    Path("dvc.lock").unlink()
    with Repo() as repo:
        repo.reproduce(CELLS)
    assert locked() == lock


def test_what_dvc_has_in_its_run_cache_is_not_missing(root):
    missing_stages.run(named(*CELLS), Engine(), root)
    Path("raw").write_text("others")
    with Repo() as repo:
        repo.reproduce("split")
    assert cells(root) == CELLS
    missing_stages.run(named(*CELLS), Engine(), root)
    Path("raw").write_text("recordings")
    with Repo() as repo:
        repo.reproduce("split")
    assert cells(root) == []
    with Repo() as repo:
        repo.reproduce()
    assert Path("data/trained/lstm-ccc").read_text() == "recordings"


def test_what_was_trained_beside_dvc_gives_way_to_what_dvc_has(root):
    """`ser train CELL` writes an output anew; the next run must not end at the question."""
    missing_stages.run(named(*CELLS), Engine(), root)
    Path("data/trained/lstm-ccc").unlink()
    Path("data/trained/lstm-ccc").write_text("trained again by `ser train`")
    assert cells(root) == []
    assert Path("data/trained/lstm-ccc").read_text() == "recordings"


def test_a_cell_that_fails_is_told_and_not_recorded(root, caplog):
    caplog.set_level("INFO", logger="ser")
    outcomes = missing_stages.run(named(*CELLS), Engine(failing=[CELLS[1]]), root)
    assert caplog.messages == [
        "cell 1 of 3: train@lstm-focal done",
        "cell 2 of 3: train@lstm-ccc failed",
        "cell 3 of 3: untuned@lstm-focal done",
    ]
    assert outcomes[1] == UnitOutcome(*named(CELLS[1]), "it diverged")
    assert cells(root) == [CELLS[1]]


def test_an_interrupt_leaves_what_was_done_recorded(root):
    with pytest.raises(KeyboardInterrupt):
        missing_stages.run(named(*CELLS), Engine(interrupted_at=CELLS[2]), root)
    assert cells(root) == [CELLS[2]]


def test_another_dvc_process_is_not_disturbed(root):
    with Repo() as repo, repo.lock, pytest.raises(PipelineError, match=r"dvc.yaml: .*lock"):
        missing_stages.find(root, missing_stages.CELLS)


def test_a_pipeline_that_cannot_be_read_is_told_in_one_line(root):
    Path("dvc.yaml").write_text("stages: [")
    with pytest.raises(PipelineError, match=r"^dvc.yaml: .*`dvc status` says more"):
        missing_stages.find(root, missing_stages.CELLS)


def test_a_stage_is_trained_as_its_program_would_do_it(monkeypatch):
    made = []

    class Runner:
        def run(self):
            made.append("run")

    def make(params, cell, project, *, is_tuned, variant):
        made.append((params, cell, project.root, is_tuned, variant))
        return Runner()

    monkeypatch.setattr(runners, "make", make)
    missing_stages.do(*named("train@lstm-ccc"))
    missing_stages.do(*named("untuned@lstm-focal"))
    missing_stages.do(*named("without_copies@lstm-ccc"))
    assert made == [
        (Path("params.yaml"), "lstm-ccc", Path(), True, ""),
        "run",
        (Path("params.yaml"), "lstm-focal", Path(), False, "untuned"),
        "run",
        (Path("params.yaml"), "lstm-ccc", Path(), True, "without_copies"),
        "run",
    ]
