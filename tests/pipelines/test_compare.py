import base64
import hashlib
import io
import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import soundfile

from pipelines import baselines, compare
from ser import lineage, predictions, provenance
from ser.baselines.params import BaselineParams
from ser.data import manifest
from ser.data.split_report import SplitReport
from ser.evaluation import protocol_cost, robustness, tuning_gain
from ser.features.extraction import AudioParams
from ser.figures import intervals
from ser.grid import tuned
from ser.grid.tuned import TunedFold
from ser.project import Project
from ser.report import html
from ser.tracking import cells
from ser.tracking.memory_tracker import MemoryExperiment
from tests import synthetic
from tests.figures.support import leave_blank
from tests.grid.support import train_and_score, write_inputs
from tests.report.support import png

pytestmark = pytest.mark.stage


@pytest.fixture(scope="module")
def finished(tmp_path_factory, project):
    """A workspace with one finished cell."""
    root = tmp_path_factory.mktemp("finished")
    (root / "ser").symlink_to(project / "ser")
    paths = write_inputs(root, synthetic.corpus(num_sessions=3))
    train_and_score(root, paths, MemoryExperiment())
    asked = BaselineParams(functionals=())
    baselines.run(baselines.Params(audio=AudioParams(), baselines=asked), paths)
    tuned.write(root / "data" / "tuned" / "mfcc.json", {})
    tuning_gain.table([], {}).to_csv(root / "reports" / "tuning.csv", index=False)
    robustness.table({}, {}).to_csv(root / "reports" / "robustness.csv", index=False)
    robustness.pairs_table({}, {}).to_csv(root / "reports" / "without_copies.csv", index=False)
    return root


@pytest.fixture
def drawn(finished, workspace, monkeypatch):
    """That cell in a workspace of a test's own."""
    experiment = MemoryExperiment()
    monkeypatch.setattr(compare.mlflow_tracker, "open_experiment", lambda *_, **__: experiment)
    for folder in ("data", "runs", "reports"):
        shutil.copytree(finished / folder, workspace / folder, dirs_exist_ok=True)
    cells.restore(Project().run("lstm-cross_entropy"), compare.mlflow_tracker.open_experiment)
    return workspace


@pytest.fixture
def results(drawn, monkeypatch):
    """The same, where nobody looks at figures."""
    leave_blank(monkeypatch)
    return drawn


def compared(run):
    return run(compare.main)


def test_the_report_is_a_page_a_table_and_figures(drawn, stage):
    status, err = compared(stage)
    assert status == 0, err
    reports = drawn / "reports"
    grid = pd.read_csv(reports / "grid.csv")
    assert grid[["model", "loss", "num_folds"]].to_numpy().tolist() == [
        ["lstm", "cross_entropy", 3]
    ]
    cell = json.loads((drawn / "runs" / "lstm-cross_entropy" / "metrics.json").read_text())
    assert grid["uar"].iloc[0] == pytest.approx(cell["uar"]["mean"], abs=1e-6)
    metrics = json.loads((reports / "metrics" / "lstm-cross_entropy.json").read_text())
    assert metrics["wa"] == pytest.approx(cell["wa"]["mean"], abs=1e-6)
    for name in ("grid", "lstm-cross_entropy/confusion", "lstm-cross_entropy/learning_curves"):
        for suffix in ("png", "svg"):
            assert (reports / "figures" / f"{name}.{suffix}").stat().st_size > 0
    methods = (reports / "methods.txt").read_text()
    assert methods.count("\n") == 1
    assert "1 combinations of 1 model (lstm)" in methods
    folds, speakers = (pd.read_csv(reports / f"{name}.csv") for name in ("folds", "speakers"))
    assert folds["num_utterances"].sum() == speakers["num_utterances"].sum()
    confusions = pd.read_csv(reports / "confusions.csv")
    assert confusions["num_mistakes"].gt(0).all()
    page = (reports / "index.html").read_text()
    assert methods.strip()[:40] in page
    assert "lstm-cross_entropy" in page
    assert "Nothing was tuned" in page
    assert f"{100 * grid['uar'].iloc[0]:.1f}" in page


def test_the_comparisons_own_figures_are_kept_with_its_run(results, stage):
    assert compared(stage)[0] == 0
    runs = compare.mlflow_tracker.open_experiment("").runs.values()
    (run,) = (run for run in runs if run.spec.name == "comparison")
    assert {"figures/grid.png", "figures/heat_map.png", "index.html"} <= set(run.artifacts)
    assert {*provenance.UNKNOWN, "ser.dvc_lock_sha256"} <= run.tags.keys()
    assert not any(path.endswith(".svg") for run in runs for path in run.artifacts)


def test_the_better_cell_comes_first_and_lends_the_page_its_provenance(results, stage, params):
    better = results / "runs" / "lstm-focal"
    shutil.copytree(results / "runs" / "lstm-cross_entropy", better)
    shutil.copytree(
        results / "data/trained/lstm-cross_entropy", results / "data/trained/lstm-focal"
    )
    frame = pd.read_parquet(better / "predictions.parquet")
    frame.assign(prediction=frame["truth"]).to_parquet(better / "predictions.parquet")
    record = json.loads((better / "run.json").read_text())
    record["cell"]["spec"]["tags"]["ser.source_sha256"] = "code of the best cell"
    (better / "run.json").write_text(json.dumps(record))
    params("cells: {", "cells: {lstm-focal: {model: lstm, loss: focal, feature: mfcc}, ")
    assert compared(stage)[0] == 0
    grid = pd.read_csv(results / "reports" / "grid.csv")
    assert grid["loss"].tolist() == ["focal", "cross_entropy"]
    assert grid["uar"].iloc[0] == 1.0
    page = (results / "reports" / "index.html").read_text()
    assert "code of the best cell" in page
    assert page.index('id="lstm-focal"') < page.index('id="lstm-cross_entropy"')


def test_a_cell_without_results_is_refused_by_name_with_the_cure(results, fails, params):
    params("cells: {", "cells: {lstm-focal: {model: lstm, loss: focal, feature: mfcc}, ")
    message = compared(fails)
    assert "lstm-focal/run.json: no such file" in message
    assert "dvc repro" in message
    assert not (results / "reports" / "grid.csv").exists()


@pytest.mark.parametrize(
    "missing",
    [
        "data/manifest.jsonl",
        "data/corpus.json",
        "data/split_report.json",
        "reports/baselines.csv",
        "reports/shortcut.json",
        "reports/tuning.csv",
        "reports/robustness.csv",
        "reports/without_copies.csv",
        "runs/lstm-cross_entropy/run.json",
        "runs/lstm-cross_entropy/predictions.parquet",
        "runs/lstm-cross_entropy/metrics.json",
        "runs/lstm-cross_entropy/lineage.json",
    ],
)
def test_a_missing_file_is_named_with_the_cure(results, fails, missing):
    (results / missing).rename(results / "aside")
    message = compared(fails)
    assert f"{missing}: no such file" in message
    assert "dvc" in message
    assert not (results / "reports" / "grid.csv").exists()


def test_what_tuning_chose_is_named_where_it_is_missing_and_a_cell_was_tuned(results, fails):
    row = ("lstm", "cross_entropy", 4, 0.5, 0.6, 0.7, 0.68, -0.02, -0.03, -0.01, 0.031)
    gains = pd.DataFrame([row[: len(tuning_gain.COLUMNS)]], columns=list(tuning_gain.COLUMNS))
    gains.to_csv(results / "reports" / "tuning.csv", index=False)
    (results / "data" / "tuned" / "mfcc.json").unlink()
    assert "data/tuned/mfcc.json: no such file; `dvc repro tune` makes it" in compared(fails)


def test_cells_of_other_folds_are_not_compared(results, fails):
    with (results / "data" / "splits.csv").open("a") as file:
        file.write("\n")
    assert "lstm-cross_entropy: it was trained on another split than data/spl" in compared(fails)


def test_baselines_that_dvc_made_on_another_manifest_are_not_set_beside_the_cells(results, fails):
    path = results / "reports" / "baselines.csv"
    made = {"path": "reports/baselines.csv", "md5": hashlib.md5(path.read_bytes()).hexdigest()}
    read = {"path": "data/manifest.jsonl", "md5": "0" * 32}
    stages = {"baselines": {"cmd": "", "deps": [read], "outs": [made]}}
    (results / "dvc.lock").write_text(json.dumps({"stages": stages}))
    message = compared(fails)
    assert "reports/baselines.csv: the stage baselines made it from another data/man" in message
    assert "`dvc repro`" in message


def test_a_damaged_file_is_named(results, fails):
    (results / "data" / "corpus.json").write_text("{")
    assert "data/corpus.json: it is not a corpus card " in compared(fails)


def test_the_floor_and_the_origin_of_weights_are_on_the_page(results, stage):
    before = (results / "reports" / "baselines.csv").read_bytes()
    assert compared(stage)[0] == 0
    page = (results / "reports" / "index.html").read_text()
    rows = pd.read_csv(results / "reports" / "baselines.csv")
    assert f"{100 * rows['uar'].iloc[1]:.1f}" in page[page.index("mfcc_svm") :]
    for absent in ("shortcut", "published"):  # all are improvised, and of the demo corpus
        assert f'id="{absent}"' not in page
        assert f'href="#{absent}"' not in page
    assert '<span class="origin">from scratch</span>' in page
    origins = json.loads((results / "reports" / "origins.json").read_text())
    assert origins == {"lstm-cross_entropy": "from scratch"}
    assert (results / "reports" / "baselines.csv").read_bytes() == before


def test_what_tuning_brought_is_on_the_page_with_its_figures(results, stage):
    chosen = dict.fromkeys((1, 2, 3), TunedFold({"learning_rate": 0.000321}, "study", 4, 0.5))
    tuned.write(results / "data" / "tuned" / "mfcc.json", {("lstm", "cross_entropy"): chosen})
    row = ("lstm", "cross_entropy", 4, 0.5, 0.6, 0.7, 0.68, -0.02, -0.03, -0.01, 0.031)
    gains = pd.DataFrame([row[: len(tuning_gain.COLUMNS)]], columns=list(tuning_gain.COLUMNS))
    gains.to_csv(results / "reports" / "tuning.csv", index=False)
    picture = (
        results / "reports" / "tuning" / "mfcc" / "lstm-cross_entropy" / "fold-2" / "history.png"
    )
    picture.parent.mkdir(parents=True)
    picture.write_bytes(png((7, 5)))
    assert compared(stage)[0] == 0
    page = (results / "reports" / "index.html").read_text()
    assert "Nothing was tuned" not in page
    assert "tuning was worse than the constants on test" in page
    assert page.count("<td>0.000321</td>") == 3
    searches = (results / "reports" / "tuning.html").read_text()
    assert f'src="{html.image(picture)}"' in searches


def test_what_a_protocol_costs_is_shown_of_the_very_cell_and_else_how_to_measure_it(results, stage):
    project = Project()
    cell, split = project.run("lstm-cross_entropy"), SplitReport.read(project.split_report)
    spec, frame = cells.read(cell).cell.spec, predictions.read(cell.predictions)
    cost = protocol_cost.measure(
        spec,
        frames=(frame, frame),
        splits=(split, split),
        speaker_of={u.id: u.speaker for u in manifest.read(project.manifest)},
        synthetic=True,
    )
    path = project.protocol_gaps / "lstm-cross_entropy-session-text.json"
    cost.write(path)
    status, err = compared(stage)
    assert status == 0, err
    assert "minus session: +0.0 points" in project.page.read_text()
    other = {**cost.settings, "training.seeds": "[7]"}
    cost.model_copy(update={"settings": other}).write(path)
    status, err = compared(stage)
    assert status == 0, err
    page = project.page.read_text()
    assert "minus session" not in page
    assert "other params than it has now (training.seeds was [7], is [0])" in page
    assert "ser protocol-gap lstm-cross_entropy --protocol" in page


def test_changed_recordings_have_their_figure_and_what_the_features_lack_is_said(results, stage):
    assert compared(stage)[0] == 0
    page = Project().page.read_text()
    assert "The features of this comparison were extracted without copies" in page
    assert not (Project().figures / "stability.png").exists()
    row = {"model": "lstm", "loss": "cross_entropy", "uar": 0.71234, "stability": 1.0}
    rows = [row | {"copy": "clean"}, row | {"copy": "telephone", "stability": 0.8764}]
    table = pd.DataFrame(rows, columns=list(robustness.COLUMNS))
    table.to_csv(Project().robustness, index=False)
    assert compared(stage)[0] == 0
    page = Project().page.read_text()
    assert f'src="{html.image(Project().figures / "stability.png")}"' in page
    assert "extracted without copies" not in page
    assert "<b>87.6</b>" in page


@pytest.fixture
def spoken(results):
    """The results, as of recordings that are there: each utterance is one of the corpus' files."""
    files = sorted((results / "data/raw/csv").glob("*.wav"))
    utterances = [
        replace(
            utterance,
            audio=(path := files[number % len(files)]).name,
            sha256=lineage.sha256_file(path),
            num_samples=soundfile.info(path).frames,
            duration_s=soundfile.info(path).duration,
        )
        for number, utterance in enumerate(manifest.read(Project().manifest))
    ]
    before = lineage.sha256_file(Project().manifest)
    manifest.write(Project().manifest, utterances)
    record, now = (
        Project().run("lstm-cross_entropy").record,
        lineage.sha256_file(Project().manifest),
    )
    record.write_text(record.read_text().replace(before, now))  # as if it was trained on these
    return {utterance.id: results / "data/raw/csv" / utterance.audio for utterance in utterances}


def test_a_corpus_that_must_not_be_passed_on_leaves_no_sound_in_what_is_written(spoken, stage):
    assert compared(stage)[0] == 0
    page = Project().page.read_text()
    assert '<table class="mistakes">' in page
    assert "data:audio" not in page
    opened = [path.read_bytes() for path in set(spoken.values())]
    for path in (Project().page, *Project().reports.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            assert not any(sound[100:400] in content for sound in opened)
            assert b"fLaC" not in content
            assert base64.b64encode(b"fLaC\0\0") not in content


def test_a_corpus_that_may_be_passed_on_is_heard_under_the_right_rows(spoken, stage, params):
    params("{name: csv, ", "{name: csv, redistributable: true, ")
    assert compared(stage)[0] == 0
    page = Project().page.read_text()
    bodies = page[page.index('<table class="mistakes">') :].split("<tbody>")[1:]
    heard = {
        re.search("<td>([^<]*)</td>", body)[1]: re.search('data:audio/flac;base64,([^"]*)', body)[1]
        for body in bodies
        if "<audio" in body
    }
    frame = pd.read_parquet(Project().run("lstm-cross_entropy").predictions)
    test = frame[frame["part"] == "test"]
    assert set(heard) <= set(test[test["truth"] != test["prediction"]]["utterance_id"])
    assert 0 < len(heard) <= 10
    for id_, content in heard.items():
        samples, _ = soundfile.read(io.BytesIO(base64.b64decode(content)), dtype="int16")
        np.testing.assert_array_equal(samples, soundfile.read(spoken[id_], dtype="int16")[0])


def test_a_page_is_made_where_the_recordings_are_gone(spoken, stage, params):
    params("{name: csv, ", "{name: csv, redistributable: true, ")
    shutil.rmtree("data/raw/csv")
    assert compared(stage)[0] == 0
    page = Project().page.read_text()
    assert "No sound here: not on this disk." in page
    assert "<audio" not in page


def test_wrong_params_are_refused_with_their_path(results, fails, params):
    params("feature: mfcc}}", "featur: mfcc}}")
    assert "cells.lstm-cross_entropy.featur" in compared(fails)


def test_wrong_usage_is_exit_status_2(workspace, stage):
    assert stage(compare.main, "--runs")[0] == 2


def test_a_figure_has_the_line_below_it(results, stage, monkeypatch):
    feet = []
    real = intervals.grid_intervals

    def drawn(grid, baselines, *, chance, title, footer):
        feet.append((chance, footer))
        return real(grid, baselines, chance=chance, title=title, footer=footer)

    monkeypatch.setattr(intervals, "grid_intervals", drawn)
    assert compared(stage)[0] == 0
    assert feet == [(0.25, "corpus demo (SYNTHETIC speech), protocol session")]
