"""AdamW without torch's compiler: the same bytes, and the compiler stays away."""

import copy

import pytest
import torch

from ser.training.optimiser import AdamW
from tests.fresh_process import modules_after

pytestmark = pytest.mark.numeric

_STEPS = 3


def _network():
    generator = torch.Generator().manual_seed(0)
    model = torch.nn.Linear(5, 3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return model, torch.randn(7, 5, generator=generator)


def _groups(model):
    return [
        {"params": [model.weight], "weight_decay": 0.1},
        {"params": [model.bias], "weight_decay": 0.0},
    ]


def _take_steps(optimiser, model, inputs):
    for _ in range(_STEPS):
        model(inputs).square().mean().backward()
        optimiser.step()
        optimiser.zero_grad()


def test_its_steps_and_state_are_those_of_torch_to_the_bit():
    model, inputs = _network()
    twin = copy.deepcopy(model)
    ours = AdamW(_groups(model), lr=0.01, fused=True)
    torchs = torch.optim.AdamW(_groups(twin), lr=0.01, fused=True)
    _take_steps(ours, model, inputs)
    _take_steps(torchs, twin, inputs)
    assert torch.equal(model.weight, twin.weight)
    assert torch.equal(model.bias, twin.bias)
    found, wanted = ours.state_dict(), torchs.state_dict()
    assert found["param_groups"] == wanted["param_groups"]
    assert found["state"].keys() == wanted["state"].keys()
    for number, values in wanted["state"].items():
        assert found["state"][number].keys() == values.keys()
        assert all(torch.equal(found["state"][number][name], values[name]) for name in values)


def test_a_step_asks_for_no_gradients_of_its_own_and_leaves_none():
    model, inputs = _network()
    optimiser = AdamW(model.parameters(), lr=0.01)  # not fused: in plain operations
    model(inputs).mean().backward()
    optimiser.step()
    assert torch.is_grad_enabled()
    assert model.weight.is_leaf
    optimiser.zero_grad()
    assert model.weight.grad is None


def test_a_state_of_torch_is_taken_over():
    model, inputs = _network()
    before = torch.optim.AdamW(_groups(model), lr=0.01, fused=True)
    _take_steps(before, model, inputs)
    twin = copy.deepcopy(model)
    after = AdamW(_groups(twin), lr=0.5, fused=True)
    after.load_state_dict(copy.deepcopy(before.state_dict()))
    _take_steps(before, model, inputs)
    _take_steps(after, twin, inputs)
    assert torch.equal(model.weight, twin.weight)


def test_hooks_of_a_step_are_called():
    """Torch hangs them on the class's `step`, which is another one here."""
    model, inputs = _network()
    optimiser = AdamW(model.parameters(), lr=0.01)
    seen = []
    optimiser.register_step_post_hook(lambda *_: seen.append("after"))
    _take_steps(optimiser, model, inputs)
    assert seen == ["after"] * _STEPS


_A_FIT = """
import sys
from pathlib import Path
from ser.emotion import EMOTIONS
from ser.tracking.memory_tracker import MemoryTracker
from ser.training import device, fold as folds
from ser.training.checkpoint import Checkpoint
from ser.training.fit import FitContext
from tests import synthetic
from tests.training.support import make_plan

folder, plan = Path({folder!r}), make_plan(num_epochs=1)
utterances = synthetic.corpus(per_speaker=2)
store = synthetic.feature_store(folder / "mfcc", utterances)
data = folds.FoldData(synthetic.fold_of(utterances), store, synthetic.label_of(utterances))
checkpoint = Checkpoint(folder / "checkpoint.safetensors", "key", every_s=0.0)
accelerator = device.accelerator(plan.training)
folds.train_fold(plan, data, FitContext(accelerator, 0, MemoryTracker(None), EMOTIONS, checkpoint))
assert checkpoint.path.is_file()
"""


def test_a_fold_imports_neither_torchs_compiler_nor_what_shards_tensors(tmp_path):
    """From the settings of the device to the optimiser's state; they took over a second."""
    loaded = modules_after(_A_FIT.format(folder=str(tmp_path)))
    assert "accelerate" in loaded
    heavy = {"sympy", "torch._dynamo", "torch._inductor", "torch.distributed.tensor"}
    assert loaded & heavy == set()
