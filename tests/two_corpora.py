"""A handful of EmoDB's recordings, a tiny demo corpus, and params that cross the two."""

import shutil
from collections.abc import Mapping
from itertools import product
from pathlib import Path

import yaml

from pipelines import extract, prepare, split, train
from ser.data.corpora import demo, emodb
from ser.data.demo import release
from ser.emotion import EMOTIONS
from ser.grid import tuned
from ser.project import Project

CELL = "lstm-cross_entropy"
CELLS = {CELL: {"model": "lstm", "loss": "cross_entropy", "feature": "mfcc"}}
EMODB = {"name": "emodb", "allow_partial": True}
DEMO = {"name": "demo", "utterances_per_session": 24}
SPEAKERS = ("03", "08", "09", "10", "11", "13")

PARAMS = {
    "launcher": "python -m",
    "synthetic_corpora": [],
    "synthetic_weights": {},
    "corpus": EMODB,
    "split": {"protocol": "session"},
    "audio": {},
    "features": {"mfcc": {"hop_ms": 40.0}},
    "models": {"lstm": {"hidden_size": 8, "num_layers": 1, "embedding_dim": 8}},
    "losses": {"cross_entropy": {}},
    "recipes": {"lstm": {"num_epochs": 2, "batch_size": 8, "learning_rate": 0.01}},
    "training": {"seeds": [0], "device": "cpu"},
    "extracted": {"mfcc": {"weights": "none"}},
    "baselines": {"feature": "mfcc"},
    "cells": CELLS,
    "tuning": {"cells": {}},
    "robustness": {"without_copies": {}},
    "cross_corpus": {"corpora": {"demo": DEMO}, "cells": CELLS},
}


def write_emodb(folder: Path, shipped: Path) -> None:
    """Write a recording or two of every speaker of three pairs in each of the four emotions."""
    folder.mkdir(parents=True)
    letters = [letter for letter, emotion in emodb.EMOTIONS.items() if emotion in EMOTIONS]
    for speaker, letter in product(SPEAKERS, letters):
        for path in sorted(shipped.glob(f"{speaker}???{letter}*"))[:2]:
            shutil.copy(path, folder)


def write(root: Path, project: Path) -> None:
    """Write both corpora below data/raw, and params.yaml."""
    write_emodb(root / "data/raw/emodb", Project(project).shipped("emodb").recordings)
    release.generate(root / "data/raw/demo", demo.Params.model_validate(DEMO))
    write_params(root)
    (root / "ser").symlink_to(project / "ser")


def write_params(root: Path, **sections: Mapping[str, object]) -> None:
    """Write params.yaml with other sections."""
    text = yaml.safe_dump({**PARAMS, **sections}, sort_keys=False)
    (root / "params.yaml").write_text(text, encoding="utf-8")


def run_grid() -> None:
    """Run what the grid needs in the working directory: one cell, trained and scored."""
    for stage, words in ((prepare, []), (split, []), (extract, ["mfcc"])):
        assert stage.main(words) == 0
    assert train.main([CELL, "--untuned"]) == 0
    tuned.write(Project().tuned("mfcc"), {})
