"""What must hold on a GPU as well; run where there is one, and named as skipped elsewhere."""

import copy
import dataclasses

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from ser import seeding
from ser.emotion import EMOTIONS
from ser.features.extractors import speech_transformer
from ser.pretrained._wide_convolution import correlated
from ser.tracking.memory_tracker import MemoryTracker
from ser.training import fold as folds
from ser.training.checkpoint import Checkpoint
from ser.training.fit import FitContext
from ser.training.recipe import ACCELERATE_PRECISION, TrainingParams
from tests.pretrained.support import write_checkpoint
from tests.rounding import NETWORK
from tests.training.support import killed, make_plan

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU here")


@pytest.fixture
def context():
    """A maker of contexts on the GPU, as `ser.training.device` makes them."""

    def make(precision="float32", checkpoint=None):
        AcceleratorState._reset_state(reset_partial_state=True)
        accelerator = Accelerator(mixed_precision=ACCELERATE_PRECISION[precision])
        assert accelerator.device.type == "cuda"
        seeding.make_deterministic(1, strict=False)
        return FitContext(accelerator, 0, MemoryTracker(None), EMOTIONS, checkpoint)

    yield make
    AcceleratorState._reset_state(reset_partial_state=True)


def plan(precision, **recipe):
    return make_plan(TrainingParams(precision=precision), num_epochs=4, **recipe)


@pytest.mark.parametrize("stop_after", [1, 3])
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_an_interrupted_fit_ends_with_the_bytes_of_an_uninterrupted_one(
    context, fold_data, tmp_path, monkeypatch, precision, stop_after
):
    settings = plan(precision)
    whole = folds.train_fold(settings, fold_data, context(precision))
    checkpoint = Checkpoint(tmp_path / "last.safetensors", "key")
    with killed(checkpoint, monkeypatch, after=stop_after):
        folds.train_fold(settings, fold_data, context(precision, checkpoint))
    resumed = folds.train_fold(settings, fold_data, context(precision, checkpoint))
    assert whole.fit.history == resumed.fit.history
    assert all(torch.equal(whole.fit.weights[n], resumed.fit.weights[n]) for n in whole.fit.weights)
    assert whole.predictions.equals(resumed.predictions)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_training_learns_what_the_features_tell(context, fold_data, precision):
    settings = plan(precision, patience=12)
    settings = dataclasses.replace(
        settings, recipe=settings.recipe.model_copy(update={"num_epochs": 12})
    )
    result = folds.train_fold(settings, fold_data, context(precision))
    test = result.predictions[result.predictions["part"] == "test"]
    assert (test["truth"] == test["prediction"]).mean() > 0.8


def test_gradients_that_overflow_in_float16_are_skipped_and_not_called_divergence(
    context, fold_data
):
    made = context("float16")
    # So large that the first steps overflow; each halves it.
    made.accelerator.scaler = torch.amp.GradScaler("cuda", init_scale=2.0**21)
    result = folds.train_fold(plan("float16"), fold_data, made)
    assert made.accelerator.scaler.get_scale() < 2.0**21
    assert all(np.isfinite(row["train/gradient_norm"]) for row in result.fit.history)


@pytest.mark.parametrize("architecture", ["wav2vec2", "hubert"])
@pytest.mark.parametrize("freeze", ["feature_encoder", 1, "all"])
def test_a_gpu_extracts_the_frames_of_a_cpu(tmp_path, architecture, freeze):
    checkpoint = str(write_checkpoint(tmp_path / architecture, architecture, norm="group"))
    waveform = np.random.default_rng(0).normal(size=16_000).astype(np.float32)
    frames = {}
    for device in ("cpu", "auto"):
        params = speech_transformer.params_class(architecture)(
            checkpoint=checkpoint, freeze=freeze, device=device
        )
        extractor = speech_transformer.build(architecture, params, sampling_rate=16_000)
        frames[device] = extractor(copy.deepcopy(waveform))
    assert np.abs(frames["auto"] - frames["cpu"]).max() <= 1e-4 * np.abs(frames["cpu"]).max()


def test_a_gpu_transforms_positions_as_a_cpu_convolves_them():
    torch.manual_seed(0)
    convolution = torch.nn.Conv1d(64, 64, 128, padding=64, groups=4)
    frames = torch.randn(3, 200, 64)
    expected = convolution(frames.transpose(1, 2)).transpose(1, 2)[:, :200]
    expected.square().sum().backward()
    on_gpu = copy.deepcopy(convolution).cuda()
    on_gpu.zero_grad()
    found = correlated(frames.cuda(), on_gpu)
    found.square().sum().backward()
    torch.testing.assert_close(found.cpu(), expected, atol=NETWORK, rtol=0)
    scale = convolution.weight.grad.abs().max().item()
    difference = (on_gpu.weight.grad.cpu() - convolution.weight.grad).abs().max().item()
    assert difference <= NETWORK * max(1.0, scale)
