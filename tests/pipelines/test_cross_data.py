"""Another corpus is prepared and extracted as the corpus of params.yaml is."""

import json
import shutil

import pandas as pd
import pytest
import yaml

from pipelines import cross_data, prepare
from tests.recordings import write_corpus

SECTION = {
    "corpora": {"other": {"name": "csv", "synthetic": True}},
    "cells": {"lstm-cross_entropy": {"model": "lstm", "loss": "cross_entropy", "feature": "mfcc"}},
}


@pytest.fixture
def both(workspace):
    """A prepared corpus, and another one of which two classes are the same."""
    write_corpus(workspace / "data/raw/other", num_sessions=2, per_emotion=2)
    for path in (workspace / "data/raw/other").glob("*_0.wav"):
        path.unlink()
    table = pd.read_csv(workspace / "data/raw/other/utterances.csv")
    table = table[table["path"].str.endswith("_1.wav")]
    table["label"] = table["label"].replace({"happy": "bored", "neutral": "calm"})
    table.to_csv(workspace / "data/raw/other/utterances.csv", index=False)
    write_section(workspace, SECTION)
    assert prepare.main([]) == 0
    return workspace


def write_section(root, section):
    path = root / "params.yaml"
    content = yaml.safe_load(path.read_text()) | {"cross_corpus": section}
    path.write_text(yaml.safe_dump(content, sort_keys=False))


def test_its_manifest_has_the_shared_classes_and_its_features_the_same_params(both, stage):
    status, err = stage(cross_data.main, "other")
    assert status == 0, err
    folder = both / "data/cross/other"
    card = json.loads((folder / "corpus.json").read_text())
    assert card["emotions"] == ["angry", "sad"]
    assert (card["num_utterances"], card["num_used"]) == (16, 8)
    meta = json.loads((folder / "features/mfcc/meta.json").read_text())
    assert meta["params"]["hop_ms"] == 20.0
    index = pd.read_parquet(folder / "features/mfcc/index.parquet")
    assert len(index) == 8
    # The corpus of params.yaml has its own.
    assert json.loads((both / "data/corpus.json").read_text())["num_utterances"] == 24


def test_features_are_taken_over_where_they_were_extracted_before(both, stage, monkeypatch):
    assert stage(cross_data.main, "other")[0] == 0
    before = (both / "data/cross/other/features/mfcc/shard-00000.npy").read_bytes()
    shutil.rmtree(both / "data/cross/other")
    reads = []
    monkeypatch.setattr("ser.features.extraction.Extraction.read", lambda *a: reads.append(a))
    assert stage(cross_data.main, "other")[0] == 0
    assert reads == []
    assert (both / "data/cross/other/features/mfcc/shard-00000.npy").read_bytes() == before


def test_a_recording_of_the_other_corpus_is_refused_before_anything_is_extracted(both, fails):
    shutil.copy(both / "data/raw/csv/s1f_sad_0.wav", both / "data/raw/other/s2m_sad_1.wav")
    message = fails(cross_data.main, "other")
    assert "in both corpora (1): csv/s1f_sad_0 is other/s2m_sad_1" in message
    assert not (both / "data/cross/other/features").exists()


def test_what_is_wrong_with_it_is_said_with_its_name(both, fails):
    (both / "data/raw/other/s1f_sad_1.wav").write_bytes(b"no audio")
    assert "corpus other: 1 recordings or labels were refused" in fails(cross_data.main, "other")
    assert "corpora has no 'nobody'; there are: other" in fails(cross_data.main, "nobody")
    write_section(both, {**SECTION, "corpora": {"gone": {"name": "csv"}}})
    assert "corpus gone: data/raw/gone" in fails(cross_data.main, "gone")
