import pytest
import torch
from accelerate.state import AcceleratorState

from ser.errors import ParamsError
from ser.training import device
from ser.training.recipe import TrainingParams


@pytest.fixture
def fresh_state():
    """Accelerate keeps one precision for the process; other tests have chosen theirs."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


def test_a_cell_that_shall_train_on_the_cpu_does(fresh_state):
    training = TrainingParams(device="cpu", precision="bfloat16", num_threads=1)
    assert device.on_cpu(training)
    found = device.accelerator(training)
    assert found.device.type == "cpu"
    assert found.mixed_precision == "bf16"
    assert torch.get_num_threads() == 1
    assert torch.are_deterministic_algorithms_enabled()


def test_without_a_gpu_it_trains_on_the_cpu_whatever_is_asked_for(monkeypatch):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    assert device.on_cpu(TrainingParams(device="auto"))
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    assert not device.on_cpu(TrainingParams(device="auto"))
    assert device.on_cpu(TrainingParams(device="cpu"))


def test_float16_without_a_gpu_is_refused_and_not_taken_for_float32(monkeypatch):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    with pytest.raises(ParamsError, match=r"training\.precision is float16, which needs a GPU"):
        device.accelerator(TrainingParams(precision="float16"))
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    device.require_precision(TrainingParams(precision="float16"))
    with pytest.raises(ParamsError, match=r"training\.device is cpu"):
        device.require_precision(TrainingParams(precision="float16", device="cpu"))
