"""The pipeline as DVC runs it: what a change re-runs, what is recorded, what survives a kill.

One tiny project is made for the whole module (once, if `--dist loadfile` keeps the module on
one worker); every test leaves it as it found it.
"""

import json
import os
import shlex
import shutil
import subprocess
import time
from contextlib import chdir, contextmanager
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import yaml
from dvc.repo import Repo

from benchmarks import tiny
from ser.tracking import store
from tests.tracking.support import copy_database

pytestmark = pytest.mark.stage

ROOT = Path(__file__).parents[1]
CELL = "lstm-cross_entropy"
TRAIN, OTHER = f"train@{CELL}", "train@lstm-focal"
UNTUNED = "untuned@lstm-focal"
TUNE = "tune@mfcc"
TWIN = {CELL: {"model": "lstm", "loss": "cross_entropy", "feature": "mfcc"}}
TWIN_STAGE = f"without_copies@{CELL}"
EMOTIONS = ("angry", "happy", "neutral", "sad")

TAGS = (
    "ser.model", "ser.loss", "ser.corpus", "ser.protocol", "ser.fold", "ser.seed", "ser.run_key",
    "ser.split_sha256", "ser.features_sha256", "ser.git_commit", "ser.dvc_lock_sha256",
)  # fmt: skip


def environment(root, bin_folder):
    outside = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_TR", "DVC_"))}
    return {
        **outside,
        "PATH": os.pathsep.join([str(bin_folder), os.environ["PATH"]]),
        "OMP_NUM_THREADS": "1",
        "DVC_NO_ANALYTICS": "true",
        "DVC_SITE_CACHE_DIR": str(root.parent / "site-cache"),
        **dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), "nobody"),
        **dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), "nobody@nowhere"),
    }


class Project:
    """A copy of the project, and the commands that are run in it."""

    def __init__(self, root, python):
        self.root, self.python = root, python
        # The stages' own `python` is the warm one, too.
        self.environment = environment(root, python.executable.parent)

    def run(self, *command, check=True):
        result = subprocess.run(
            command, cwd=self.root, env=self.environment, capture_output=True, text=True
        )
        if check and result.returncode != 0:
            raise AssertionError(f"{command}\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}")
        return SimpleNamespace(status=result.returncode, text=result.stdout + result.stderr)

    def dvc(self, *arguments):
        return self.run(self.python.executable, "-m", "dvc", *arguments).text

    def ser(self, *arguments, check=True):
        code = "import sys; from ser.cli.app import main; sys.argv[0] = 'ser'; main()"
        return self.run(self.python.executable, "-c", code, *arguments, check=check)

    def runs(self):
        """All runs of the store, by name: the cell's own first, then its folds."""
        # A copy under a new name: MLflow keeps connections to a database it once opened.
        copy = self.root.parent / f"copy-{time.monotonic_ns()}.db"
        copy_database(self.root / "mlruns" / "mlflow.db", copy)
        client = store.connect(f"sqlite:///{copy}")
        experiments = {e.name: e for e in client.search_experiments() if e.name != "Default"}
        name = "ser/demo/session"
        variants = {f"{name}/{variant}" for variant in ("report", "tuning", "untuned")}
        assert set(experiments) <= {name, *variants}
        experiment = experiments[name]
        runs = client.search_runs([experiment.experiment_id])
        return sorted((recorded(client, run) for run in runs), key=lambda run: run.name)

    def changed_stages(self):
        """What `dvc status` names; in this process, since it is asked for often."""
        with chdir(self.root), pytest.MonkeyPatch.context() as patch:
            patch.setenv("DVC_SITE_CACHE_DIR", self.environment["DVC_SITE_CACHE_DIR"])
            with Repo(str(self.root)) as repo:
                return set(repo.status())

    def reproduced(self, *targets):
        """Names of the stages that `dvc repro` runs, for all or for some of them."""
        lines = self.dvc("repro", *targets).splitlines()
        return [line.split("'")[1] for line in lines if line.startswith("Running stage")]

    @contextmanager
    def params(self, changes):
        """Change params.yaml for a while."""
        path = self.root / "params.yaml"
        before = path.read_text(encoding="utf-8")
        content = yaml.safe_load(before)
        for key, value in changes.items():
            *sections, name = key.split(".")
            section = content
            for part in sections:
                section = section[part]
            section[name] = value
        path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        try:
            yield
        finally:
            path.write_text(before, encoding="utf-8")

    @contextmanager
    def appended(self, *names):
        """Add a comment to files for a while."""
        before = {name: (self.root / name).read_text(encoding="utf-8") for name in names}
        for name, text in before.items():
            (self.root / name).write_text(f"{text}\n# changed\n", encoding="utf-8")
        try:
            yield
        finally:
            for name, text in before.items():
                (self.root / name).write_text(text, encoding="utf-8")


def recorded(client, run):
    """What the tests ask of a run."""
    return SimpleNamespace(
        id=run.info.run_id,
        name=run.info.run_name,
        status=run.info.status,
        tags=run.data.tags,
        metrics=run.data.metrics,
        curve=[m.value for m in client.get_metric_history(run.info.run_id, "dev/uar")],
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory, python):
    root = tmp_path_factory.mktemp("pipeline") / "project"
    root.mkdir()
    tiny.copy_code(ROOT, root)
    for file in (".gitignore", "README.md"):
        shutil.copy(ROOT / file, root)
    content = yaml.safe_dump(tiny.params(ROOT), sort_keys=False)
    (root / "params.yaml").write_text(content, encoding="utf-8")
    found = Project(root, python)
    found.run("git", "init", "--quiet")
    found.dvc("init", "--quiet")
    found.run("git", "add", "--all")
    found.run("git", "commit", "--quiet", "--message", "first")
    found.first = found.reproduced()
    return found


@pytest.fixture(scope="module")
def cell(project):
    return project.root / "runs" / CELL


def test_the_whole_pipeline_runs_once_and_is_then_up_to_date(project):
    upstream = ["demo@demo", "prepare", "split", "extract@mfcc"]
    order = project.first.index
    cells = {TRAIN, OTHER, UNTUNED}
    assert sorted(project.first) == sorted(
        ["code", *upstream, TUNE, *cells, "score", "gain", "robustness", "baselines", "compare"]
    )
    assert sorted(upstream, key=order) == upstream
    assert order("code") < min(order("prepare"), order("extract@mfcc"))
    assert max(order("split"), order("extract@mfcc")) < order(TUNE)
    assert order(TUNE) < min(order(TRAIN), order(OTHER))
    assert max(order(OTHER), order(UNTUNED)) < order("gain")
    assert max(order(TRAIN), order(OTHER), order(UNTUNED)) < order("score")
    assert max(order(TRAIN), order(OTHER)) < order("robustness")
    assert max(map(order, ("score", "robustness", "baselines"))) < order("compare")
    text = project.dvc("repro")
    assert "Data and pipelines are up to date." in text
    assert "Running stage" not in text
    assert project.changed_stages() == set()


@pytest.mark.parametrize(
    ("key", "value", "stages"),
    [
        ("split.protocol", "speaker", {"split"}),
        ("split.seed", 1, {"split"}),
        ("features.mfcc.hop_ms", 10.0, {"code", "extract@mfcc", TRAIN, OTHER, UNTUNED}),
        ("audio.sampling_rate", 8000, {"extract@mfcc", "baselines"}),
        ("losses.focal.gamma", 1.0, {"code", OTHER, UNTUNED}),
        ("models.lstm.hidden_size", 4, {"code", TRAIN, OTHER, UNTUNED}),
        ("recipes.lstm.num_epochs", 1, {"code", TRAIN, OTHER, UNTUNED}),
        ("training.seeds", [0, 1], {"code", TRAIN, OTHER, UNTUNED}),
        ("tuning.num_trials", 3, {"code", "gain"}),
        ("robustness.without_copies", TWIN, {TWIN_STAGE, "score", "robustness", "compare"}),
        ("corpus.max_rejected", 1, {"code", "demo@demo", "prepare", "compare"}),
    ],
)
def test_a_param_changes_the_stages_that_read_it_and_no_others(project, key, value, stages):
    """Whether a search is another one then, `code` will say."""
    with project.params({key: value}):
        assert project.changed_stages() == stages


def test_an_entry_of_another_component_changes_no_cell(project):
    others = {
        "losses.aam": {"margin_rad": 0.1},
        "models.vggish": {"dropout": 0.1},
        "recipes.vggish": {"num_epochs": 1},
        "features.log_mel": {"num_mels": 64},
    }
    with project.params(others):
        assert project.changed_stages() == {"code"}
        assert project.reproduced("code") == ["code"]
        assert project.changed_stages() == set()
    assert project.reproduced("code") == []


def test_a_cell_asks_for_no_feature_and_no_weights_but_its_own(project):
    hubert = {"checkpoint": "facebook/hubert-base-ls960", "revision": "a" * 40, "freeze": "all"}
    others = {
        "features.hubert": hubert,
        "models.hubert": {},
        "recipes.hubert": {},
        "extracted.hubert": {"weights": "none"},
        "cells.hubert-aam": {"model": "hubert", "loss": "aam", "feature": "hubert"},
    }
    with project.params(others):
        assert project.reproduced(TRAIN) == ["code"]
        failed = project.run(
            project.python.executable, "-m", "dvc", "repro", "train@hubert-aam", check=False
        )
        assert failed.status != 0
        assert "ser download-weights facebook/hubert-base-ls960" in failed.text
    project.dvc("repro", TRAIN)


def test_a_loss_param_runs_the_cells_of_that_loss_and_the_comparison(project):
    before = (project.root / "reports" / "grid.csv").read_bytes()
    with project.params({"losses.focal.gamma": 0.5}):
        cells = ["code", TUNE, OTHER, UNTUNED]
        assert sorted(project.reproduced()) == sorted(
            [*cells, "score", "gain", "robustness", "compare"]
        )
        assert (project.root / "reports" / "grid.csv").read_bytes() != before
    # The way back needs no training: DVC has these results in its cache.
    assert project.reproduced() == []
    assert (project.root / "reports" / "grid.csv").read_bytes() == before


def test_new_folds_change_what_hangs_on_them_and_leave_the_features_alone(project):
    with project.params({"split.protocol": "superb"}):
        project.dvc("repro", "split")
        cells = {TRAIN, OTHER, UNTUNED}
        # What scores cells asks whether they are of these folds.
        scoring = {"score", "gain", "robustness", "compare"}
        assert project.changed_stages() == {*cells, TUNE, "baselines", *scoring}
    project.dvc("repro", "split")
    assert project.changed_stages() == set()


def test_files_that_decide_nothing_change_no_stage(project):
    with project.appended(
        "README.md", "ser/cli/app.py", "ser/workflow/diagnosis.py", "ser/tracking/stale.py"
    ):
        assert project.changed_stages() == set()


def test_the_source_of_a_loss_changes_the_cells_of_that_loss(project):
    with project.appended("ser/losses/cross_entropy.py"):
        assert project.reproduced(TRAIN, OTHER, UNTUNED) == ["code", TRAIN]
        assert project.changed_stages() == {"score", "gain", "robustness", "compare"}
    assert project.reproduced() == []


@pytest.mark.parametrize(
    ("name", "stages"),
    [
        ("ser/figures/style.py", {"compare"}),
        ("ser/figures/confusion.py", {"compare"}),
        ("ser/report/page.py", {"compare"}),
        ("ser/report/templates/_head.html.j2", {"compare"}),
        ("ser/registry/gates.py", set()),
        ("ser/evaluation/summary.py", {"score", "gain", "robustness", "compare"}),
    ],
)
def test_what_scores_draws_or_reports_trains_nothing(project, name, stages):
    with project.appended(name):
        assert project.changed_stages() == stages


def test_a_gate_changes_no_stage(project):
    with project.params({"gates.min_uar_low": 0.9}):
        assert project.changed_stages() == set()


def test_another_seed_trains_itself_and_what_was_trained_is_kept(project):
    kept = project.root / "work" / "folds"
    before = {path.name for path in kept.glob("[!.]*")}
    with project.params({"training.seeds": [0, 1]}):
        project.dvc("repro", TRAIN)
        after = {path.name for path in kept.glob("[!.]*")}
        assert before < after
        assert len(after) == len(before) + 5
    assert project.reproduced() == []


def test_source_that_only_other_models_import_trains_nothing(project):
    with project.appended("ser/models/speech_transformer.py"):
        assert project.reproduced() == ["code"]
    assert project.reproduced() == []
    assert project.changed_stages() == set()


def test_other_tuning_of_a_loss_trains_the_cells_of_that_loss_and_no_others(project):
    before = json.loads((project.root / "data" / "tuned" / "mfcc.json").read_text(encoding="utf-8"))
    with project.params({"tuning.num_trials": 3}):
        assert set(project.reproduced(TRAIN, OTHER, UNTUNED)) == {"code", TUNE, OTHER}
        changed = project.changed_stages()
        after = json.loads(
            (project.root / "data" / "tuned" / "mfcc.json").read_text(encoding="utf-8")
        )
    assert after["lstm"]["cross_entropy"] == before["lstm"]["cross_entropy"]
    # Trained on the values of before, the cell is the same to the byte: nothing is scored anew.
    values = [
        {k: fold["params"] for k, fold in t["lstm"]["focal"].items()} for t in (before, after)
    ]
    scored = set() if values[0] == values[1] else {"score", "robustness"}
    assert changed == {"gain", "compare", *scored}
    assert {fold["num_trials"] for fold in before["lstm"]["focal"].values()} == {2}
    assert {fold["num_trials"] for fold in after["lstm"]["focal"].values()} == {3}
    assert project.reproduced() == []


def test_cells_that_are_missing_are_trained_together_and_dvc_has_none_left(project):
    data, lock = project.root / "data", project.root / "dvc.lock"

    def results_of_cells():
        cells = [*data.glob("trained/*"), *data.glob("untuned/lstm*")]
        files = [path for cell in cells for path in cell.rglob("*") if path.name in RESULTS]
        return {path: path.read_bytes() for path in files}

    def recorded_inputs():
        stages = yaml.safe_load(lock.read_text())["stages"]
        return {name: {**stage, "outs": None} for name, stage in stages.items()}

    # What a program for each stage left, and what `dvc repro` wrote into the lock.
    results, inputs = results_of_cells(), recorded_inputs()
    locked = yaml.safe_load(lock.read_text())
    kept = {k: v for k, v in locked["stages"].items() if k not in (TRAIN, OTHER, UNTUNED)}
    assert len(kept) == len(locked["stages"]) - 3
    lock.write_text(yaml.safe_dump({**locked, "stages": kept}, sort_keys=False))
    for folder in (data / "trained", data / "untuned" / "lstm-focal", project.root / "work/folds"):
        shutil.rmtree(folder)
    runs, aside = project.root / ".dvc" / "cache" / "runs", project.root.parent / "aside"
    runs.rename(aside)
    assert "3 cells trained" in project.ser("grid", "--jobs", "2").text
    assert results_of_cells() == results
    assert len(results) > 30
    assert recorded_inputs() == inputs
    shutil.rmtree(runs)
    aside.rename(runs)
    assert project.reproduced() == []


def test_mlflow_has_a_parent_and_a_nested_run_per_fold_with_all_tags(project):
    parent, *nested = runs = [run for run in project.runs() if is_of_first_repro(run, project)]
    names = [f"{CELL}/fold-{fold}/seed-0" for fold in range(1, 6)]
    assert [run.name for run in runs] == [CELL, *names]
    assert {run.status for run in runs} == {"FINISHED"}
    assert {run.tags.get("mlflow.parentRunId") for run in nested} == {parent.id}
    for run in runs:
        assert [tag for tag in TAGS if not run.tags.get(tag)] == []
    assert [run.tags["ser.fold"] for run in runs] == ["all", "1", "2", "3", "4", "5"]
    assert len({run.tags["ser.run_key"] for run in runs}) == 6
    commit = project.run("git", "rev-parse", "HEAD").text.strip()
    assert {run.tags["ser.git_commit"] for run in runs} == {commit}
    assert "none" not in {run.tags["ser.dvc_lock_sha256"] for run in runs}


def is_of_first_repro(run, project):
    """Other tests train under other params: those runs have other keys."""
    record = json.loads((project.root / "runs" / CELL / "run.json").read_text(encoding="utf-8"))
    keys = {item["spec"]["run_key"] for item in (record["cell"], *record["folds"])}
    return run.tags["ser.run_key"] in keys


def test_every_run_has_the_metrics_of_the_contract(project):
    runs = [run for run in project.runs() if is_of_first_repro(run, project)]
    scores = {f"test/{name}" for name in ("uar", "wa", "macro_f1", "mcc", "ece")}
    scores |= {f"test/recall_{emotion}" for emotion in EMOTIONS}
    for run in runs:
        assert scores <= run.metrics.keys(), run.name
    for run in runs[1:]:
        assert {"train/loss", "dev/loss", "dev/uar"} <= run.metrics.keys()
        assert len(run.curve) == 3


def test_the_cells_folder_is_that_of_the_contract(cell):
    for fold in range(1, 6):
        assert (cell / f"fold-{fold}" / "seed-0" / "model.safetensors").stat().st_size > 0
    for name in ("metrics.json", "history.csv", "predictions.parquet"):
        assert (cell / name).stat().st_size > 0
    frame = pd.read_parquet(cell / "predictions.parquet")
    assert list(frame.columns) == [
        "utterance_id", "fold", "seed", "part", "truth", "prediction",
        *(f"probability_{emotion}" for emotion in EMOTIONS),
    ]  # fmt: skip
    assert set(frame["part"]) == {"dev", "test"}
    splits = pd.read_csv(cell.parents[1] / "data" / "splits.csv")
    expected = splits[splits["part"] != "train"]
    keys = ["fold", "part", "utterance_id"]
    assert set(map(tuple, frame[keys].to_numpy())) == set(map(tuple, expected[keys].to_numpy()))


def test_the_report_and_the_grid_are_those_of_the_contract(project):
    grid = pd.read_csv(project.root / "reports" / "grid.csv")
    assert list(grid.columns) == [
        "model", "loss", "num_folds", "num_seeds", "uar", "uar_low", "uar_high",
        "wa", "wa_low", "wa_high", "macro_f1", "mcc", "ece", "tied_with_best",
    ]  # fmt: skip
    cells = grid[["model", "loss", "num_folds", "num_seeds"]].to_numpy().tolist()
    assert sorted(cells) == [["lstm", "cross_entropy", 5, 1], ["lstm", "focal", 5, 1]]
    page = (project.root / "reports" / "index.html").read_text(encoding="utf-8")
    assert f"{100 * grid['uar'].iloc[0]:.1f}" in page
    assert "Synthetic speech" in page


def test_results_are_shown_under_the_params_and_the_source_that_made_them_alone(project):
    shown = project.ser("results").text
    assert "UAR %" in shown
    assert "report: " in shown
    with project.params({"recipes.lstm.num_epochs": 1}):
        refused = project.ser("results", check=False)
    assert refused.status == 1
    assert (
        "recipe.num_epochs was 3, is 1; run `dvc repro`, or go back to the params" in refused.text
    )
    with project.appended("ser/training/fit.py"):
        refused = project.ser("results", check=False)
    assert refused.status == 1
    assert "ser/training/fit.py has changed since it was trained" in refused.text


def test_runs_of_a_lost_store_come_back_with_the_same_metrics(project):
    def content(runs):
        # What the machine was at meanwhile, which a run that takes seconds has, is no result.
        return {
            run.name: (
                {
                    name: value
                    for name, value in run.metrics.items()
                    if not name.startswith("system/")
                },
                run.curve,
                run.status,
            )
            for run in runs
        }

    before = content(run for run in project.runs() if is_of_first_repro(run, project))
    shutil.rmtree(project.root / "mlruns")
    assert "12 runs restored from 2 cells" in project.ser("restore-runs").text
    assert content(run for run in project.runs() if is_of_first_repro(run, project)) == before


def test_a_run_is_verified_until_a_line_of_its_splits_changes(project):
    (run_id,) = {
        run.id for run in project.runs() if run.name == CELL and is_of_first_repro(run, project)
    }
    agreed = project.ser("verify", run_id, check=False)
    assert agreed.status == 0, agreed.text
    # Moved, not edited: DVC's cache may hold the same file.
    splits, aside = project.root / "data" / "splits.csv", project.root / "splits.aside"
    splits.rename(aside)
    lines = aside.read_text(encoding="utf-8").splitlines()
    splits.write_text("\n".join([*lines[:-1], lines[-1].replace("test", "dev")]) + "\n")
    try:
        differs = project.ser("verify", run_id, check=False)
    finally:
        splits.unlink()
        aside.rename(splits)
    assert differs.status == 1
    (message,) = (line for line in differs.text.splitlines() if line.startswith("error: "))
    assert message.endswith("in: ser.split_sha256, data/splits.csv")
    assert "Traceback" not in differs.text


RESULTS = ("predictions.parquet", "model.safetensors", "history.csv", "embeddings.safetensors")

#: Moment -> finished folds, out of three; such small fits end before a checkpoint of them is due.
MOMENTS = {
    "before the first fold is finished": 0,
    "after the first fold": 1,
    "after the second fold": 2,
    "when all folds are finished": 3,
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_training_that_is_killed_ends_with_the_same_bytes_and_no_run_twice(project, moment):
    cell = trained_of(project, CELL)
    whole = bytes_below(cell, RESULTS)
    for lost in (project.root / "mlruns", project.root / "work", cell):
        shutil.rmtree(lost, ignore_errors=True)
    checkpoints, kept = (project.root / "work" / name for name in ("checkpoints", "folds"))

    def is_time():
        if not (project.root / "mlruns" / "mlflow.db").exists():
            return False  # it has not begun
        return len(list(kept.glob("[!.]*"))) == MOMENTS[moment]

    kill_when(project, [TRAIN], is_time)
    assert not cell.exists()
    assert start(project, TRAIN).wait() == 0
    assert bytes_below(cell, RESULTS) == whole
    require_runs(project.runs(), num_cells=1)
    assert not list(checkpoints.glob("*"))


def test_two_cells_killed_at_once_end_with_the_same_bytes_and_no_run_twice(project):
    cell, other = trained_of(project, CELL), trained_of(project, "lstm-focal")
    whole = [bytes_below(folder, RESULTS) for folder in (cell, other)]
    for lost in (project.root / "mlruns", project.root / "work", cell, other):
        shutil.rmtree(lost, ignore_errors=True)
    checkpoints, kept = (project.root / "work" / name for name in ("checkpoints", "folds"))
    # Both are at work, in whatever they happen to do.
    kill_when(project, [TRAIN, OTHER], lambda: len(list(kept.glob("[!.]*"))) >= 3)
    processes = [start(project, stage) for stage in (TRAIN, OTHER)]
    assert [process.wait(timeout=300) for process in processes] == [0, 0]
    assert [bytes_below(folder, RESULTS) for folder in (cell, other)] == whole
    require_runs(project.runs(), num_cells=2)
    assert not list(checkpoints.glob("*"))


def trained_of(project, cell):
    return project.root / "data" / "trained" / cell


def require_runs(runs, *, num_cells):
    """All are finished, each is there once, and every fold has its three epochs."""
    assert {run.status for run in runs} == {"FINISHED"}
    assert len({run.tags["ser.run_key"] for run in runs}) == len(runs) == 6 * num_cells
    folds = [run for run in runs if run.tags["ser.fold"] != "all"]
    assert {len(run.curve) for run in folds} == {3}


def bytes_below(folder, names):
    files = (path for name in names for path in folder.rglob(name))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def start(project, stage):
    """Start the training of a cell as DVC does."""
    lock = yaml.safe_load((project.root / "dvc.lock").read_text(encoding="utf-8"))
    python, *rest = shlex.split(lock["stages"][stage]["cmd"])
    assert python == "python"
    return project.python.start(rest, cwd=project.root, env=project.environment)


def kill_when(project, stages, is_time):
    """Train cells at once and kill them, without a chance to clean up, as soon as it is time."""
    processes = [start(project, stage) for stage in stages]
    limit = time.monotonic() + 120
    while not is_time():
        assert None in [process.poll() for process in processes], "they ended before the kill"
        assert time.monotonic() < limit
        time.sleep(0.002)
    for process in processes:
        process.kill()
    assert -9 in [process.wait() for process in processes]
