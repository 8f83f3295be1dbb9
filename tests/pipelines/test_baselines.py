import importlib.util
import json
from dataclasses import replace

import pandas as pd
import pytest

from pipelines import baselines, extract, prepare, split
from ser.baselines import functionals
from ser.data import manifest
from tests import synthetic
from tests.baselines import opensmile_stub
from tests.grid.support import write_inputs


def computed(run):
    return run(baselines.main)


@pytest.fixture
def upstream(workspace):
    """The outputs of the stages before, of a corpus of which half is scripted."""
    with (workspace / "params.yaml").open("a") as file:
        file.write("baselines: {feature: mfcc, functionals: [], c_grid: [0.01, 1.0]}\n")
    utterances = [
        replace(u, scripted=number % 2 == 0)
        for number, u in enumerate(synthetic.corpus(num_sessions=3))
    ]
    write_inputs(workspace, utterances)
    return workspace


def test_the_floor_is_a_row_per_baseline_and_the_shortcut_an_answer(upstream, stage):
    status, err = computed(stage)
    assert status == 0, err
    rows = pd.read_csv(upstream / "reports" / "baselines.csv")
    assert rows["name"].tolist() == ["majority", "mfcc_svm"]
    assert rows["num_folds"].tolist() == [3, 3]
    assert rows["uar"].iloc[0] == 0.25
    assert rows["uar"].iloc[1] > 0.6
    found = json.loads((upstream / "reports" / "shortcut.json").read_text())
    assert found["unanswered"] is None
    assert found["num_utterances"] == {"improvised": 24, "scripted": 24}
    facts = json.loads((upstream / "reports" / "functionals.json").read_text())
    assert facts == {"asked": [], "opensmile": None}


def test_the_same_inputs_give_the_same_bytes(upstream, stage):
    assert computed(stage)[0] == 0
    (upstream / "reports").rename(upstream / "before")
    assert computed(stage)[0] == 0
    for name in ("baselines.csv", "functionals.json", "shortcut.json"):
        first = (upstream / "before" / name).read_bytes()
        assert (upstream / "reports" / name).read_bytes() == first


@pytest.fixture
def recorded(workspace):
    """The outputs of the stages before, of recordings; all rows are asked for."""
    with (workspace / "params.yaml").open("a") as file:
        file.write("baselines: {c_grid: [0.01, 1.0]}\n")
    for before, words in ((prepare, []), (split, []), (extract, ["mfcc"])):
        assert before.main(words) == 0
    return workspace


def rows_and_facts(workspace):
    rows = pd.read_csv(workspace / "reports" / "baselines.csv")
    return rows, json.loads((workspace / "reports" / "functionals.json").read_text())


def test_without_opensmile_its_rows_are_absent_with_the_cure(recorded, stage, monkeypatch, caplog):
    monkeypatch.setattr(functionals, "installed", lambda: None)
    status, err = computed(stage)
    assert status == 0, err
    (said,) = (m for m in caplog.messages if "left out" in m)
    assert said.startswith("egemaps_svm, compare_svm: left out, as the package opensmile is not")
    assert "`.venv/bin/pip install -c constraints.txt -e '.[opensmile]'`" in said
    rows, facts = rows_and_facts(recorded)
    assert rows["name"].tolist() == ["majority", "mfcc_svm"]
    assert facts == {"asked": ["egemaps_svm", "compare_svm"], "opensmile": None}
    assert not (recorded / "work" / "functionals").exists()


def test_with_opensmile_its_rows_stand_below_the_others(
    recorded, stage, monkeypatch, caplog, params
):
    opensmile_stub.put_in_place(monkeypatch)
    status, err = computed(stage)
    assert status == 0, err
    assert "left out" not in caplog.text
    rows, facts = rows_and_facts(recorded)
    assert rows["name"].tolist() == ["majority", "mfcc_svm", "egemaps_svm", "compare_svm"]
    assert rows["num_folds"].tolist() == [3, 3, 3, 3]
    assert facts["opensmile"] == opensmile_stub.VERSION
    # All 24 recordings for either set, at the rate of the params; other folds hear none again.
    heard = opensmile_stub.Smile.heard
    assert heard == [(12000, 16000)] * 48
    params("protocol: session", "protocol: speaker")
    assert split.main([]) == 0
    assert computed(stage)[0] == 0
    assert rows_and_facts(recorded)[0]["num_folds"].tolist() == [6, 6, 6, 6]
    assert len(heard) == 48


@pytest.mark.skipif(
    importlib.util.find_spec("opensmile") is None, reason="opensmile is not installed"
)
def test_the_package_itself_tells_the_emotions_of_buzzes_apart(recorded, stage):
    status, err = computed(stage)
    assert status == 0, err
    rows, facts = rows_and_facts(recorded)
    assert facts["opensmile"] == functionals.installed()
    assert (rows["uar"].iloc[2:] > 0.5).all()  # guessing gets 0.25


def test_a_corpus_that_is_silent_about_scripts_has_a_floor_all_the_same(
    recorded, stage, monkeypatch
):
    monkeypatch.setattr(functionals, "installed", lambda: None)
    workspace = recorded
    status, err = computed(stage)
    assert status == 0, err
    assert len(pd.read_csv(workspace / "reports" / "baselines.csv")) == 2
    found = json.loads((workspace / "reports" / "shortcut.json").read_text())
    assert found["unanswered"].startswith("This corpus does not say")


def test_folds_of_another_manifest_are_refused_by_name(upstream, fails):
    utterances = manifest.read(upstream / "data" / "manifest.jsonl")
    manifest.write(upstream / "data" / "manifest.jsonl", utterances[1:])
    message = computed(fails)
    assert f"utterance {utterances[0].id!r}" in message
    assert "dvc repro split" in message
    assert not (upstream / "reports").exists()


def test_features_of_another_extractor_are_refused(upstream, fails, params):
    params("baselines: {feature: mfcc", "baselines: {feature: logmel")
    (upstream / "data/features/mfcc").rename(upstream / "data/features/logmel")
    assert "made with extractor 'mfcc', but 'logmel' is asked for" in computed(fails)


@pytest.mark.parametrize(
    ("gone", "message"),
    [
        ("data/manifest.jsonl", "manifest.jsonl: no such file"),
        ("data/splits.csv", "splits.csv: no such file; `dvc repro split` makes it"),
        ("data/corpus.json", "corpus.json: no such file"),
        ("data/features/mfcc", "mfcc/meta.json: no such file; `dvc repro extract`"),
    ],
)
def test_what_is_not_there_is_named(upstream, fails, gone, message):
    (upstream / gone).rename(upstream / "aside")
    assert message in computed(fails)


def test_wrong_params_are_refused_with_their_path(upstream, fails, params):
    params("c_grid: [0.01", "c_grid: [-0.01")
    assert "baselines.c_grid.0: Input should be greater than 0, got -0.01" in computed(fails)


def test_wrong_usage_is_exit_status_2(workspace, stage):
    assert stage(baselines.main, "--out", "reports")[0] == 2
