"""From two corpora to the matrix of the report, by the stages."""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import yaml

from pipelines import compare, cross, cross_data, extract, prepare, score, split, train
from ser.errors import LineageError
from ser.grid import inputs, tuned
from ser.grid.cell import CellRunner
from ser.models import lstm
from ser.project import Project
from ser.report import cross_corpus as section
from ser.workflow import used_folds
from tests.recordings import write_corpus

CELL = "lstm-cross_entropy"
CELLS = {CELL: {"model": "lstm", "loss": "cross_entropy", "feature": "mfcc"}}
OTHER = {"name": "csv", "synthetic": True}
PAIRS = ("csv-to-other", "other-to-csv")


@pytest.fixture
def upstream(workspace, experiments):
    """Two corpora of other voices, and the grid of the first."""
    write_corpus(workspace / "data/raw/other", num_sessions=4)
    for path in (workspace / "data/raw/other").glob("s[123]*.wav"):
        path.unlink()  # these are of the first corpus
    table = pd.read_csv(workspace / "data/raw/other/utterances.csv")
    table = table[table["speaker"].str.startswith("s4")]
    table["session"] = table["speaker"]
    table.to_csv(workspace / "data/raw/other/utterances.csv", index=False)
    path = workspace / "params.yaml"
    content = yaml.safe_load(path.read_text())
    content["cross_corpus"] = {"corpora": {"other": OTHER}, "cells": CELLS}
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    for stage, words in (
        (prepare, []),
        (split, []),
        (extract, ["mfcc"]),
        (train, [CELL, "--untuned"]),
        (cross_data, ["other"]),
    ):
        assert stage.main(words) == 0
    return workspace


def ran(stage, main, *words):
    status, err = stage(main, *words)
    assert status == 0, err


def test_a_cell_is_trained_on_each_and_tested_on_the_other(upstream, stage, experiments):
    ran(stage, cross.main, CELL)
    ran(stage, score.main)
    params = yaml.safe_load((upstream / "params.yaml").read_text())
    section.write(Project(), compare.Params.model_validate(params).cross_corpus, ())
    table = pd.read_csv(upstream / "reports/cross_corpus.csv")
    assert list(zip(table["trained_on"], table["tested_on"], strict=True)) == [
        ("csv", "other"),
        ("other", "csv"),
    ]
    assert table["num_utterances"].tolist() == [8, 24]
    assert (table["uar_low"] <= table["uar"]).all()
    (matrix,) = section.read(Project())
    assert matrix.uars.loc["csv", "other"] == table["uar"].iloc[0]
    assert matrix.uars.loc["csv", "csv"] == table["within_uar"].iloc[0]
    # The grid knows nothing of it.
    assert [path.name for path in (upstream / "runs").iterdir()] == [CELL]
    names = {f"ser/{pair}/session/cross_corpus" for pair in PAIRS}
    assert set(experiments) == {"ser/csv/session", *names}
    stages = {
        record["cell"]["spec"]["tags"]["ser.upstream_stages"]
        for record in (
            json.loads(path.read_text()) for path in Path("data/crossed").rglob("run.json")
        )
    }
    assert stages == {"cross_data@other,extract@mfcc,prepare"}
    for pair, row in zip(PAIRS, table.to_dict("records"), strict=True):
        parent = next(iter(experiments[f"ser/{pair}/session/cross_corpus"].runs.values()))
        assert parent.metrics["test/uar"] == [(0, pytest.approx(row["uar"], abs=1e-6))]

    # Another corpus than the one that the pairs were joined of, as after `dvc repro prepare`.
    lines = (upstream / "data/manifest.jsonl").read_text().splitlines(keepends=True)
    (upstream / "data/manifest.jsonl").write_text("".join(lines[1:]))
    sections = compare.Params.model_validate(params).cross_corpus
    with pytest.raises(LineageError, match="was joined of another corpus csv than data/manifest"):
        section.write(Project(), sections, ())


def test_test_is_read_once_and_what_was_trained_is_found_again(upstream, stage, monkeypatch):
    ran(stage, cross.main, CELL)
    kept = {path.name for path in Path("work/folds").iterdir()}
    files = [Path("data/crossed") / CELL / p / f"cross_corpus/{CELL}/run.json" for p in PAIRS]
    before = [path.read_bytes() for path in files]
    monkeypatch.delattr(CellRunner, "_train")
    ran(stage, cross.main, CELL)
    assert [path.read_bytes() for path in files] == before
    assert len(kept) == 3 + 2
    frame = pd.read_parquet(files[0].with_name("predictions.parquet"))
    assert not frame.duplicated(["utterance_id", "seed"]).any()


def test_other_truth_of_what_is_tested_changes_no_weights(upstream, monkeypatch):
    weights = {}
    for rotated in (False, True):
        if rotated:
            load = inputs.load

            def wrong(*args, load=load, **options):
                found = load(*args, **options)
                for id_ in found.folds[0].test:
                    found.label_of[id_] = (found.label_of[id_] + 1) % 4
                digests = {**found.digests, "manifest": "another"}
                return replace(found, digests=digests)

            monkeypatch.setattr(inputs, "load", wrong)
        before = set(Path("work/folds").iterdir())
        assert cross.main([CELL]) == 0
        weights[rotated] = sorted(
            (path / "model.safetensors").read_bytes()
            for path in set(Path("work/folds").iterdir()) - before
        )
    assert weights[True] == weights[False]
    assert len(weights[True]) == 2


def test_each_corpus_by_its_own_statistics_is_said(upstream, stage, fails, monkeypatch):
    path = upstream / "params.yaml"
    path.write_text(
        path.read_text().replace("cross_corpus:\n", "cross_corpus:\n  normalisation: corpus\n")
    )
    with monkeypatch.context() as patch:
        patch.setattr(lstm.LstmModel, "normalises_inputs", False)
        refused = fails(cross.main, CELL)
    assert "cross_corpus.normalisation: corpus normalises the inputs, but" in refused
    ran(stage, cross.main, CELL)
    record = json.loads(
        (upstream / f"data/crossed/{CELL}/{PAIRS[0]}/cross_corpus/{CELL}/run.json").read_text()
    )
    assert record["cell"]["spec"]["tags"]["ser.transductive"] == "true"
    assert record["cell"]["spec"]["params"]["recipe"]["normalisation"] == "corpus"


@pytest.mark.parametrize(
    ("training", "loss", "message"),
    [
        ({}, {"targets": "vad"}, "corpus other has no rating of valence, arousal, dominance in"),
        ({"targets": "soft"}, {}, "corpus other has no votes for angry, happy, neutral, sad in"),
    ],
)
def test_what_only_one_corpus_can_teach_is_refused_before_anything_is_trained(
    upstream, fails, training, loss, message
):
    path = upstream / "params.yaml"
    content = yaml.safe_load(path.read_text())
    content["losses"]["ccc"] = loss
    content["training"] |= training
    cell = {"model": "lstm", "loss": "ccc", "feature": "mfcc"}
    content["cross_corpus"]["cells"] = content["cells"] = {"lstm-ccc": cell}
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    lines = [
        json.dumps(
            {**u, "valence": 2.0, "arousal": 3.0, "dominance": 4.0, "votes": {u["label"]: 3}}
        )
        for u in map(json.loads, Path("data/manifest.jsonl").read_text().splitlines())
    ]
    Path("data/manifest.jsonl").write_text("\n".join(lines) + "\n")
    card = json.loads(Path("data/corpus.json").read_text())
    card["vote_emotions"] = {label: label for label in card["labels"]}
    Path("data/corpus.json").write_text(json.dumps(card))
    kept = set(Path("work/folds").iterdir())
    assert message in fails(cross.main, "lstm-ccc")
    assert set(Path("work/folds").iterdir()) == kept


def test_folds_across_corpora_are_in_use(upstream, stage):
    with (upstream / "params.yaml").open("a") as file:
        file.write(
            "extracted: {mfcc: {weights: none}}\nbaselines: {feature: mfcc}\nlauncher: python -m\n"
        )
        file.write("synthetic_corpora: []\nsynthetic_weights: {}\ntuning: {cells: {}}\n")
        file.write("robustness: {without_copies: {}}\n")
    ran(stage, cross.main, CELL)
    kept = dict.fromkeys((1, 2, 3), tuned.UNTUNED)
    tuned.write(Project().tuned("mfcc"), {("lstm", "cross_entropy"): kept})
    used = used_folds.keys(Project())
    assert used == {path.name for path in Path("work/folds").iterdir()}
    assert len(used) == 3 + 2


def test_a_cell_that_the_section_does_not_name_is_refused(upstream, fails):
    assert "cross_corpus.cells has no 'lstm-focal'; there are: lstm-cross" in fails(
        cross.main, "lstm-focal"
    )
