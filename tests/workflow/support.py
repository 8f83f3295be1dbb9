"""A preset with one cell, and what is changed in it."""

from copy import deepcopy

from ser.params import parse
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
    "extracted": {"mfcc": {}},
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
