import json
from dataclasses import replace

import pandas as pd
import pytest

from pipelines import baselines, extract, prepare, split
from ser.data import manifest
from tests import synthetic
from tests.grid.support import write_inputs


def computed(run):
    return run(baselines.main)


@pytest.fixture
def upstream(workspace):
    """The outputs of the stages before, of a corpus of which half is scripted."""
    with (workspace / "params.yaml").open("a") as file:
        file.write("baselines: {feature: mfcc, c_grid: [0.01, 1.0]}\n")
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


def test_the_same_inputs_give_the_same_bytes(upstream, stage):
    assert computed(stage)[0] == 0
    (upstream / "reports").rename(upstream / "before")
    assert computed(stage)[0] == 0
    for name in ("baselines.csv", "shortcut.json"):
        first = (upstream / "before" / name).read_bytes()
        assert (upstream / "reports" / name).read_bytes() == first


def test_a_corpus_that_is_silent_about_scripts_has_a_floor_all_the_same(workspace, stage):
    with (workspace / "params.yaml").open("a") as file:
        file.write("baselines: {}\n")
    for upstream, words in ((prepare, []), (split, []), (extract, ["mfcc"])):
        assert upstream.main(words) == 0
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
