"""Commands over runs and results."""

import json
import re
from pathlib import Path

import pytest

from ser.cell_folders import CellFolder
from ser.contracts import RunSpec
from ser.lineage import sha256_file
from ser.project import Project
from ser.tracking import cells
from ser.tracking.cells import CellRecord, RunRecord
from tests import recordings, synthetic
from tests.workflow.support import write_cell

PARAMS = """
corpus: {name: demo, emotions: [angry, sad]}
split: {protocol: session}
features: {mfcc: {}}
models: {lstm: {}}
losses: {cross_entropy: {}, focal: {}}
recipes: {lstm: {}}
training: {}
cells: {lstm-focal: {model: lstm, loss: focal, feature: mfcc}}
"""


def write_data(project):
    """A manifest and folds of PARAMS, as far as they are asked for."""
    (project / "data/manifest.jsonl").write_text("manifest\n")
    (project / "data/splits.csv").write_text("splits\n")
    params = {"name": "demo", "emotions": ["angry", "sad"]}
    synthetic.card(emotions=["angry", "sad"], params=params).write(project / "data/corpus.json")
    synthetic.split_report(**digests(project)).write(project / "data/split_report.json")


def digests(project):
    """What folds and cells say of their data."""
    places = {"manifest": "data/manifest.jsonl", "split": "data/splits.csv"}
    return {f"{name}_sha256": sha256_file(project / path) for name, path in places.items()}


def write_reports(project):
    """What a finished comparison of one cell leaves, as far as it is asked for."""
    (project / "reports").mkdir()
    (project / "data").mkdir()
    (project / "reports/grid.csv").write_text(
        "model,loss,num_folds,num_seeds,uar,uar_low,uar_high,wa,wa_low,wa_high,macro_f1,mcc,ece,"
        "tied_with_best\nlstm,focal,5,1,0.5,0.4,0.6,0.5,0.4,0.6,0.5,0.3,0.1,True\n"
    )
    (project / "reports/baselines.csv").write_text(
        "name,description,num_folds,uar,uar_low,uar_high,wa,wa_low,wa_high,macro_f1\n"
        "majority,the commonest,5,0.25,0.25,0.25,0.3,0.2,0.4,0.1\n"
    )
    (project / "reports/origins.json").write_text('{"lstm-focal": "from scratch"}')
    (project / "reports/procedures.json").write_text(
        '{"lstm-focal": {"refit": true, "normalisation": "fold"}}'
    )
    write_data(project)
    cell = write_cell(CellFolder(project / "runs" / "lstm-focal"), Project(project))
    cell.metrics.write_text('{"uar": {"mean": 0.5}}')


def test_results_shows_the_table_and_writes_it_into_a_page(ser, project):
    (project / "params.yaml").write_text(PARAMS)
    status, _, err = ser("results")
    assert status == 1
    assert "`dvc repro` makes it" in err
    write_reports(project)
    status, out, err = ser("results")
    assert status == 0, err
    assert "50.0" in out
    assert "SYNTHETIC" in out
    assert "Refitted (all cells)" in out
    page = project / "README.md"
    page.write_text("before\n<!-- results:demo-2 -->\nstale table\n<!-- /results -->\nafter\n")
    status, _, err = ser("results", "--into", page)
    assert status == 1
    assert "no preset" in err
    (project / "configs").mkdir()
    (project / "configs/demo.yaml").write_text(PARAMS)
    assert ser("results", "--into", page)[0] == 0
    text = page.read_text()
    assert "| lstm | focal (refitted) | 50.0 (40.0 to 60.0)" in text
    assert "make use PRESET=demo" in text
    assert "stale table" not in text
    assert text.startswith("before\n")
    assert text.endswith("after\n")

    (project / "params.yaml").write_text(PARAMS.replace("angry, sad", "angry, happy"))
    status, out, err = ser("results")
    assert (status, out) == (1, "")
    assert "corpus.emotions was angry, sad, is angry, happy" in err


def test_before_there_is_a_report_the_cells_that_are_there_are_shown(ser, trained, monkeypatch):
    cell = Path("data/trained/lstm-aam")
    status, out, err = ser("results")
    assert (status, err) == (0, "")
    assert "trained: 5 of 5 cells of params.yaml" in out
    assert out.count("SYNTHETIC") == 1
    assert "no report of these cells: reports/grid.csv: no such file; `dvc repro`" in out
    shown = next(line for line in out.splitlines() if line.startswith("lstm       aam"))
    scores = json.loads(Path("runs/lstm-aam/metrics.json").read_text())["uar"]
    assert f"{100 * scores['mean']:.1f} " in shown
    assert f"{100 * scores['low']:.1f} to {100 * scores['high']:.1f}" in shown
    assert ser("results", "--format", "csv")[0] == 1

    before = Path("params.yaml").read_text()
    try:
        cell.rename("aside")
        Path("params.yaml").write_text(before.replace("focal: {}", "focal: {gamma: 4.0}"))
        _, out, _ = ser("results")
        assert "trained: 3 of 5 cells" in out
        assert "not trained: lstm-aam" in out
        assert "not shown: data/trained/wav2vec2-focal: it was trained with other params" in out
        assert "loss.gamma was 2.0, is 4.0" in out
    finally:
        Path("params.yaml").write_text(before)
        Path("aside").rename(cell)


OTHERS = """
launcher: python -m
synthetic_corpora: []
synthetic_weights: {}
extracted: {mfcc: {weights: none}, hubert: {weights: none}}
baselines: {feature: mfcc}
tuning: {cells: {hubert-cross_entropy: {model: hubert, loss: cross_entropy, feature: hubert,
  search: [learning_rate]}}}
robustness: {without_copies: {}}
cross_corpus: {corpora: {}, cells: {}}
"""


@pytest.fixture
def other_weights_missing(project):
    """The LSTM is ready to be trained; of HuBERT there are neither weights nor features."""
    from pipelines import extract, prepare, split

    path = project / "params.yaml"
    path.write_text(recordings.PARAMS)
    (project / "ser").symlink_to(Path(__file__).parents[2] / "ser")
    recordings.write_corpus(project / "data" / "raw" / "csv")
    hubert = (
        f"hubert: {{checkpoint: facebook/hubert-base-ls960, revision: {'a' * 40}, freeze: all}}"
    )
    text = recordings.PARAMS.replace("features: {", f"features: {{{hubert}, ")
    for section in ("models", "recipes"):
        text = text.replace(f"{section}: {{", f"{section}: {{hubert: {{}}, ")
    cell = "hubert-cross_entropy: {model: hubert, loss: cross_entropy, feature: hubert}"
    path.write_text(text.replace("cells: {", f"cells: {{{cell}, ") + OTHERS)
    for stage, words in ((prepare, []), (split, []), (extract, ["mfcc"])):
        assert stage.main(words) == 0


@pytest.mark.stage
# Other tests have imported the program that runs here.
@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
def test_a_cell_needs_no_other_models_weights_and_ends_with_its_scores(other_weights_missing, ser):
    status, out, err = ser("train", "lstm-cross_entropy")
    assert status == 0, err
    assert re.search(
        r"lstm-cross_entropy: test UAR [\d.]+ \([\d.]+ to [\d.]+\), "
        r"WA [\d.]+ \([\d.]+ to [\d.]+\) %, "
        r"95 % intervals; 3 folds, 1 seeds",
        out,
    )
    status, out, _ = ser("results")
    assert status == 0
    assert "trained: 1 of 2 cells of params.yaml" in out
    assert "not trained: hubert-cross_entropy" in out

    status, _, err = ser("train", "hubert-cross_entropy")
    assert status == 1
    assert "data/tuned/hubert.json: no such file; `dvc repro tune` makes it" in err


def test_a_page_that_cannot_be_written_is_known_before_anything_is_read(ser, project, monkeypatch):
    # Whoever runs the tests may write everywhere.
    monkeypatch.setattr("os.access", lambda *_: False)
    status, out, err = ser("results", "--into", "README.md")
    assert (status, out) == (1, "")
    assert err == f"error: README.md: {project} may not be written to; name another place\n"


def test_tables_and_methods_for_a_paper_are_printed_alone(ser, project):
    (project / "params.yaml").write_text(PARAMS)
    write_reports(project)
    status, out, _ = ser("results", "--format", "latex")
    assert (status, out[:2], out.count("\\toprule")) == (0, "% ", 1)
    assert "report:" not in out
    assert ser("results", "--format", "csv")[1].startswith("model,loss,uar,uar_low,uar_high,")
    assert "| lstm | focal | 50.0†" in ser("results", "--format", "markdown")[1]
    assert ser("results", "--format", "word")[0] == 2
    status, out, err = ser("results", "--methods")
    assert (status, out) == (1, "")
    assert "methods.txt: no such file; `dvc repro` makes it" in err
    (project / "reports/methods.txt").write_text("One cell was trained.\n")
    assert ser("results", "--methods") == (0, "One cell was trained.\n", "")


def test_runs_are_restored_then_verified(ser, project):
    folder = project / "runs" / "lstm-focal"
    folder.mkdir(parents=True)
    parent = RunRecord(RunSpec("lstm-focal", "cell", {"ser.git_commit": "none"}, {}))
    fold = RunRecord(RunSpec("lstm-focal/fold-0/seed-1", "fold", {}, {}), 0, 1)
    cells.write(CellFolder(folder), CellRecord("ser/demo/session", "note", {}, parent, (fold,)))
    status, out, _ = ser("restore-runs")
    assert status == 0
    assert "2 runs restored from 1 cells" in out
    assert "0 runs restored from 1 cells" in ser("restore-runs")[1]

    from ser.tracking.mlflow_tracker import open_experiment

    run_id = open_experiment("ser/demo/session", note="note", tags={}).run_id("cell")
    status, out, err = ser("verify", run_id)
    assert status == 1
    assert "ser.manifest_sha256" in out
    assert "DIFFERS" in out
    assert "ser.manifest_sha256" in err
    assert "ser.git_commit" not in err


def test_a_cell_that_is_verified_is_that_of_params_yaml(ser, project, monkeypatch):
    from ser.tracking import verify

    checks = [verify.Check("ser.split_sha256", True, "a" * 64, "a" * 64, "data/splits.csv")]
    monkeypatch.setattr(verify, "verify", lambda _run_id, _root: checks)
    monkeypatch.setattr(verify, "find_id", lambda name, _root: "0f" if "-" in name else name)
    (project / "params.yaml").write_text(PARAMS)
    write_reports(project)
    status, out, err = ser("verify", "lstm-focal")
    assert (status, err) == (0, "")
    assert "run 0f: all 1 checks agree" in out

    (project / "params.yaml").write_text(PARAMS.replace("focal: {}", "focal: {gamma: 4.0}"))
    status, out, err = ser("verify", "lstm-focal")
    assert status == 1
    assert "all 1 checks agree" not in out
    assert "trained with other params than params.yaml has now: loss.gamma was 2.0, is 4.0" in err
    assert ser("verify", "0f")[0] == 0  # a run of other params still leads back to what it is of

    (project / "params.yaml").write_text(PARAMS.replace("angry, sad", "angry, happy"))
    status, _, err = ser("verify", "lstm-focal")
    assert status == 1
    assert "corpus.emotions was angry, sad, is angry, happy" in err


def test_across_corpora_one_side_is_named_and_the_other_is_that_of_params_yaml(ser, project):
    for options in (
        [],
        ["--to", "demo", "--from", "demo"],
        ["--to", "demo", "--normalisation", "x"],
    ):
        status, _, err = ser("cross-corpus", "lstm-focal", *options)
        assert status == 2, options
        assert "--to" in err or "recipe" in err
    (project / "params.yaml").write_text(PARAMS)
    status, _, err = ser("cross-corpus", "lstm-focal", "--to", "emodb")
    assert status == 1
    assert "data/corpus.json: no such file; `dvc repro` makes it" in err


def test_the_reports_own_run_is_restored_where_it_is_of_these_cells(ser, project):
    (project / "params.yaml").write_text(PARAMS)
    write_reports(project)
    page = project / "reports/index.html"
    for path in (page, project / "reports/tuning.html"):
        path.write_text("<!doctype html>\n")
    status, out, err = ser("restore-runs")
    assert status == 0, err
    assert "reports: 1 run restored\n" in out
    status, out, err = ser("restore-runs")
    assert "reports: complete\n" in out
    assert ser("restore-runs", "--quiet") == (0, "", "")

    page.write_text("<!doctype html>another state\n")
    (project / "params.yaml").write_text(PARAMS.replace("focal: {}", "focal: {gamma: 4.0}"))
    status, out, err = ser("restore-runs", "--quiet")
    assert status == 0, err
    assert out.startswith("reports: its run is not restored: ")
    assert "loss.gamma" in out
