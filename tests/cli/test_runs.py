"""Commands over runs and results."""

from ser.contracts import RunSpec
from ser.lineage import sha256_file
from ser.project import CellFolder
from ser.tracking import cells
from ser.tracking.cells import CellRecord, RunRecord
from tests import synthetic

PARAMS = "corpus: {name: demo, emotions: [angry, sad]}\nsplit: {protocol: session}\n"


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


def write_cell(project, name):
    """A cell of that data."""
    folder = CellFolder(project / "runs" / name)
    folder.folder.mkdir(parents=True)
    tags = {f"ser.{key}": value for key, value in digests(project).items()}
    run = RunRecord(RunSpec(name, "cell", tags, {}))
    cells.write(folder, CellRecord("ser/demo-2-angry-sad/session", "note", {}, run, ()))
    return folder


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
    cell = write_cell(project, "lstm-focal")
    (cell.folder / "metrics.json").write_text('{"uar": {"mean": 0.5}}')


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
