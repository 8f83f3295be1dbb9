"""A tiny cell and its context, for the tests of training."""

from contextlib import contextmanager
from pathlib import Path

import pytest
from accelerate import Accelerator

from ser import provenance, seeding
from ser.emotion import EMOTIONS
from ser.losses import cross_entropy
from ser.models import lstm
from ser.tracking.memory_tracker import MemoryTracker
from ser.training.fit import FitContext
from ser.training.plan import CellPlan
from ser.training.recipe import Recipe, TrainingParams

#: Who trains the folds of a test.
CAME_FROM = provenance.here(Path())


def make_plan(training=None, **recipe):
    """A BiLSTM small enough to train in a second."""
    settings = {"num_epochs": 4, "batch_size": 8, "learning_rate": 0.01, **recipe}
    return CellPlan(
        "lstm",
        "cross_entropy",
        lstm.Params(hidden_size=8, num_layers=1, embedding_dim=8),
        cross_entropy.Params(),
        Recipe(**settings),
        training or TrainingParams(),
        EMOTIONS,
    )


def make_context(seed=0, checkpoint=None):
    """A deterministic CPU context that records nothing."""
    seeding.make_deterministic(1, strict=True)
    return FitContext(Accelerator(cpu=True), seed, MemoryTracker(None), EMOTIONS, checkpoint)


@contextmanager
def killed(checkpoint, monkeypatch, *, after=1):
    """Inside, a fit saves its state every epoch, and ends as soon as it has done so so often."""
    save, saved = checkpoint.save, []

    def save_then_die(snapshot):
        save(snapshot)
        saved.append(snapshot)
        if len(saved) == after:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "every_s", 0.0)
        patch.setattr(checkpoint, "save", save_then_die)
        with pytest.raises(KeyboardInterrupt):
            yield
