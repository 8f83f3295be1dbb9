"""From EmoDB to the demo corpus and back, by the command; what it must refuse."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
import soundfile

from ser import cross_folders
from ser.cli import runs
from ser.errors import FileError, LeakageError, ParamsError, UnknownComponentError
from ser.evaluation import cross_corpus as scores
from ser.grid.cell import CellRunner
from ser.params import read
from ser.project import Project
from ser.tracking import store, verify
from ser.tracking.mlflow_tracker import open_experiment
from ser.workflow import cross_corpus
from ser.workflow.cross_corpus import CrossQuestion
from ser.workflow.preset import Preset
from tests import once, two_corpora
from tests.recordings import write_corpus
from tests.tracking.support import copy_database
from tests.two_corpora import CELL

pytestmark = pytest.mark.stage


@pytest.fixture(scope="module")
def built(tmp_path_factory, worker_id, project, template_database):
    """Both corpora, and the grid of one cell on the handful of EmoDB's recordings."""

    def make(folder):
        with pytest.MonkeyPatch.context() as patch:
            enter(folder, patch)
            two_corpora.write(folder, project)
            copy_database(template_database, folder / "mlruns" / "mlflow.db")
            two_corpora.run_grid()

    return once.made("two-corpora", make, tmp_path_factory, worker_id)


def enter(folder, patch):
    patch.chdir(folder)
    patch.delenv("MLFLOW_TRACKING_URI", raising=False)
    patch.setenv("GIT_CEILING_DIRECTORIES", str(folder.parent))


@pytest.fixture
def workspace(built, tmp_path, monkeypatch):
    """A copy as the working directory."""
    root = tmp_path / "project"
    shutil.copytree(built, root, symlinks=True)
    enter(root, monkeypatch)
    return root


def ask(corpus="demo", **options):
    return cross_corpus.measure(CrossQuestion(CELL, corpus, **options), Project(), open_experiment)


def frame_of(pair):
    folder = Path("work/cross_pairs") / pair / "cross_corpus" / CELL
    return pd.read_parquet(folder / "predictions.parquet")


def test_a_cell_goes_there_and_back_with_intervals_over_the_speakers_that_were_tested(workspace):
    there = ask("demo")
    test = frame_of("emodb-to-demo").query("part == 'test'")
    assert there["num_utterances"] == len(test)
    assert test["utterance_id"].str.startswith("demo/").all()
    dev = frame_of("emodb-to-demo").query("part == 'dev'")
    assert dev["utterance_id"].str.startswith("emodb/").all()
    recalls = (test["truth"] == test["prediction"]).groupby(test["truth"]).mean()
    assert there["uar"] == pytest.approx(recalls.mean())
    assert 0 <= there["uar_low"] < there["uar"] < there["uar_high"] <= 1
    assert there["num_speakers"] == 10
    assert there["synthetic"]
    assert not there["transductive"]

    back = ask("demo", is_tested=False)
    test = frame_of("demo-to-emodb").query("part == 'test'")
    assert set(test["utterance_id"]) == {
        f"emodb/{p.stem}" for p in Path("data/raw/emodb").iterdir()
    }
    assert (back["trained_on"], back["tested_on"]) == ("demo", "emodb")
    assert back["num_speakers"] == 6

    # Beside both stands what the grid says of the cell.
    grid = pd.read_parquet(f"data/trained/{CELL}/predictions.parquet").query("part == 'test'")
    recalls = (grid["truth"] == grid["prediction"]).groupby(grid["truth"]).mean()
    for found in (there, back):
        assert found["within_corpus"] == "emodb"
        assert found["within_uar"] == pytest.approx(recalls.mean())
    written = pd.read_csv(f"reports/cross_corpus-{CELL}-demo-to-emodb.csv")
    assert written["uar"].tolist() == pytest.approx([back["uar"]], abs=1e-6)
    assert sorted(path.name for path in Path("data").glob("cross*")) == []
    assert not Path("reports/grid.csv").exists()


def test_a_second_time_trains_nothing_and_says_the_same(workspace, monkeypatch):
    first = ask()
    weights = {path: path.read_bytes() for path in Path("work/folds").glob("*/model.safetensors")}
    monkeypatch.delattr(CellRunner, "_train")
    assert ask() == first
    assert len(weights) == 4  # three folds of the grid, and one
    assert all(path.read_bytes() == content for path, content in weights.items())


def test_its_runs_are_in_an_experiment_of_their_own_with_their_scores(workspace):
    found = ask()
    client = store.connect(store.default_uri(Path()))
    names = {e.name: e.experiment_id for e in client.search_experiments()}
    assert {"ser/emodb/session", "ser/emodb-to-demo/session/cross_corpus"} <= set(names)
    found_runs = client.search_runs([names["ser/emodb-to-demo/session/cross_corpus"]])
    parent = next(run for run in found_runs if run.data.tags["ser.fold"] == "all")
    assert parent.data.metrics["test/uar"] == pytest.approx(found["uar"])
    assert parent.data.metrics["test/uar_low"] == pytest.approx(found["uar_low"])
    assert parent.data.tags["ser.task"] == "emodb-to-demo"
    assert len(found_runs) == 2
    grid = client.search_runs([names["ser/emodb/session"]])
    assert {run.data.tags["ser.task"] for run in grid} == {"emodb"}


def test_its_runs_lead_back_to_the_pair_and_come_back_to_an_empty_store(workspace):
    ask()
    pair = Project().work / "cross_pairs" / "emodb-to-demo"
    uri = store.default_uri(Path())
    (parent,) = parents(uri)
    checks = {check.name: check for check in verify.verify(parent.info.run_id, Path())}
    for name in ("manifest", "split", "features"):
        found = checks[f"ser.{name}_sha256"]
        assert found.ok, found
        assert found.where.startswith(pair.as_posix())
    kept = cross_folders.trained(Project(), CELL, "emodb-to-demo")
    shutil.copytree(pair, kept.folder, ignore=shutil.ignore_patterns("features"))
    shutil.rmtree("mlruns")
    runs.restore_runs(quiet=True)
    (again,) = parents(uri)
    assert again.data.metrics["test/uar"] == parent.data.metrics["test/uar"]
    assert again.data.tags["ser.run_key"] == parent.data.tags["ser.run_key"]


def parents(uri):
    """The runs of whole cells in the experiment of the pair."""
    client = store.connect(uri)
    experiment = client.get_experiment_by_name("ser/emodb-to-demo/session/cross_corpus")
    found = client.search_runs([experiment.experiment_id])
    return [run for run in found if run.data.tags["ser.fold"] == "all"]


def test_each_corpus_by_its_own_statistics_is_another_run_and_marked(workspace):
    usual = ask()
    found = ask(normalisation="corpus")
    assert found["transductive"]
    assert not usual["transductive"]
    assert len(list(Path("work/folds").iterdir())) == 5  # three of the grid, one of each

    assert "TRANSDUCTIVE" in scores.as_text(found)
    assert "TRANSDUCTIVE" not in scores.as_text(usual)


@pytest.mark.parametrize("suffix", [".flac", ".wav"])
def test_a_recording_that_is_in_both_is_refused_by_name_whatever_its_format(workspace, suffix):
    write_corpus(workspace / "data/raw/mine")
    shared = next(Path("data/raw/emodb").glob("03???W*.flac"))
    samples, rate = soundfile.read(shared, dtype="int16")
    soundfile.write(f"data/raw/mine/leak{suffix}", samples, rate, subtype="PCM_16")
    with Path("data/raw/mine/utterances.csv").open("a") as table:
        table.write(f"leak{suffix},angry,s1f,female,session1\n")
    mine = {"mine": {"name": "csv", "synthetic": True}}
    two_corpora.write_params(workspace, cross_corpus={"corpora": mine, "cells": {}})
    said = rf"in both corpora \(1\): emodb/{shared.stem} is mine/leak;"
    with pytest.raises(LeakageError, match=said):
        ask("mine")
    assert not list(Path("work").glob("cross_pairs/*"))
    Path(f"data/raw/mine/leak{suffix}").unlink()
    lines = Path("data/raw/mine/utterances.csv").read_text().splitlines()
    Path("data/raw/mine/utterances.csv").write_text("\n".join(lines[:-1]))
    assert ask("mine")["tested_on"] == "mine"


def test_what_cannot_be_asked_is_refused_before_anything_is_made(workspace):
    with pytest.raises(ParamsError, match="there is no cell 'lstm-aam'"):
        cross_corpus.measure(CrossQuestion("lstm-aam", "demo"), Project(), open_experiment)
    with pytest.raises(ParamsError, match="emodb is the corpus"):
        ask("emodb")
    with pytest.raises(UnknownComponentError, match="nobody"):
        ask("nobody")
    shutil.rmtree(f"data/trained/{CELL}")
    with pytest.raises(FileError, match="dvc"):
        ask("demo")
    assert not Path("work/cross").exists()


def test_a_corpus_that_the_section_does_not_name_is_read_with_its_parsers_defaults(built):
    preset = read(built / "params.yaml", Preset)
    assert cross_corpus.corpus_params(preset, "demo").utterances_per_session == 24
    found = cross_corpus.corpus_params(preset, "ravdess")
    assert found.name == "ravdess"
    assert "emotions" not in found.model_fields_set
