"""A preset with one cell, and what is changed in it."""

from copy import deepcopy

from ser.contracts import RunSpec
from ser.emotion import EMOTIONS
from ser.lineage import Record, sha256_file
from ser.params import parse
from ser.tracking import cells
from ser.tracking.cells import CellRecord, RunRecord
from ser.workflow.current_cell import CellsNow
from ser.workflow.preset import Preset

GOOD = {
    "launcher": "python -m",
    "synthetic_corpora": [],
    "synthetic_weights": {},
    "corpus": {"name": "emodb"},
    "split": {},
    "audio": {},
    "features": {"mfcc": {}},
    "models": {"lstm": {}},
    "losses": {"cross_entropy": {}},
    "recipes": {"lstm": {}},
    "training": {},
    "extracted": {"mfcc": {"weights": "none"}},
    "baselines": {},
    "cells": {"lstm-cross_entropy": {"model": "lstm", "loss": "cross_entropy", "feature": "mfcc"}},
    "tuning": {"cells": {}},
    "robustness": {"without_copies": {}},
    "cross_corpus": {"corpora": {}, "cells": {}},
}


def check(**changes):
    """The preset with other sections, validated."""
    content = deepcopy(GOOD)
    for key, value in changes.items():
        content[key] = value
    return parse(content, Preset, where="params.yaml")


#: Two cells of one model, as far as a cell's params go.
SECTIONS = {
    "features": {"mfcc": {}},
    "models": {"lstm": {}},
    "losses": {"cross_entropy": {}, "focal": {}},
    "recipes": {"lstm": {}},
    "training": {},
    "cells": {
        f"lstm-{loss}": {"model": "lstm", "loss": loss, "feature": "mfcc"}
        for loss in ("cross_entropy", "focal")
    },
}


def now(**changes):
    """What params.yaml says of these cells, some sections changed."""
    return parse({**SECTIONS, **changes}, CellsNow, where="params.yaml")


def write_cell(folder, project, *, said=None, **tags):
    """The folder of a cell that was trained on a project's data with these params."""
    said, name = said or now(), folder.folder.name
    cell = said.cells[name]
    plan = said.plan(cell.model, cell.loss, emotions=EMOTIONS, where="params.yaml")
    feature = said.feature(cell.feature, where="params.yaml").model_dump(mode="json")
    params = {**plan.params(), "feature": {"name": cell.feature, "sampling_rate": 16000, **feature}}
    digests = {
        "ser.task": "emodb",
        "ser.manifest_sha256": sha256_file(project.manifest),
        "ser.split_sha256": sha256_file(project.splits),
    }
    folder.folder.mkdir(parents=True, exist_ok=True)
    run = RunRecord(RunSpec(name, "key", {**digests, **tags}, params))
    cells.write(folder, CellRecord("ser/emodb/session", "", {}, run, ()))
    source = project.root / "ser" / "training.py"
    source.parent.mkdir(exist_ok=True)
    source.touch()
    sources = {"ser/training.py": sha256_file(source)}
    Record(data={}, sources=sources).write(folder.lineage)
    return folder
