"""In float16 the loss is scaled, and a step whose gradients overflow is left out.

Accelerate has float16 on GPUs only. torch scales gradients on the CPU, too, so its scaler is set by
hand; the forward pass stays in float32, for an LSTM has no other there.
"""

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState
from accelerate.utils import AutocastKwargs

from ser.errors import TrainingError
from ser.training import fold as folds
from ser.training.checkpoint import Checkpoint
from tests.training.support import killed, make_context, make_plan

PLAN = make_plan(num_epochs=5)


@pytest.fixture(autouse=True)
def own_state():
    """Accelerate keeps one precision for the process."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


def context(checkpoint=None, *, scale=2.0**16, every=3):
    """A context whose gradients are scaled, by twice as much after `every` good steps."""
    made = make_context(checkpoint=checkpoint)
    made.accelerator.state._mixed_precision = "fp16"
    made.accelerator.native_amp = True
    made.accelerator.autocast_handler = AutocastKwargs(enabled=False)
    made.accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=scale, growth_interval=every)
    return made


def test_an_interrupted_fit_goes_on_with_the_scale_that_it_had(fold_data, tmp_path, monkeypatch):
    whole_context, resumed_context = context(), None
    whole = folds.train_fold(PLAN, fold_data, whole_context)
    checkpoint = Checkpoint(tmp_path / "last.safetensors", "key")
    with killed(checkpoint, monkeypatch, after=2):
        folds.train_fold(PLAN, fold_data, context(checkpoint))
    resumed_context = context(checkpoint)
    resumed = folds.train_fold(PLAN, fold_data, resumed_context)
    assert whole.fit.history == resumed.fit.history
    assert whole.predictions.equals(resumed.predictions)
    scales = [found.accelerator.scaler.state_dict() for found in (whole_context, resumed_context)]
    assert scales[0] == scales[1]
    assert scales[0]["scale"] != 2.0**16


def overflow(made, monkeypatch, *, steps):
    """Let the gradients of the first so many steps overflow; the scale is found to be too large.

    Accelerate takes the scale off before it clips, and the scaler looks for overflow when it does.
    """
    unscale, done = made.accelerator.unscale_gradients, []

    def overflowing(optimizer=None):
        if len(done) < steps:
            for wrapped in made.accelerator._optimizers:
                wrapped.param_groups[0]["params"][0].grad.fill_(float("inf"))
        done.append(optimizer)
        unscale(optimizer)

    monkeypatch.setattr(made.accelerator, "unscale_gradients", overflowing)


def test_steps_that_overflow_are_left_out_until_the_scale_fits(fold_data, monkeypatch):
    made = context(every=10**6)
    overflow(made, monkeypatch, steps=2)
    history = folds.train_fold(PLAN, fold_data, made).fit.history
    assert made.accelerator.scaler.get_scale() == 2.0**14
    assert all(np.isfinite(row["train/gradient_norm"]) for row in history)
    assert history[-1]["train/loss"] < history[0]["train/loss"]


def test_an_epoch_without_one_good_step_is_an_error(fold_data, monkeypatch):
    made = context()
    overflow(made, monkeypatch, steps=10**6)
    with pytest.raises(TrainingError, match="epoch 1: the gradients of every step overflow"):
        folds.train_fold(PLAN, fold_data, made)
