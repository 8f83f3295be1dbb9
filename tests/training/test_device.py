from types import SimpleNamespace

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


def test_training_on_a_cpu_keeps_freed_memory(fresh_state, monkeypatch):
    kept = []
    monkeypatch.setattr(device.runtime, "keep_freed_memory", lambda: kept.append(True))
    device.accelerator(TrainingParams(device="cpu", num_threads=1))
    assert kept == [True]


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


@pytest.mark.parametrize(
    ("has_unit", "trains_transformer", "expected"),
    [(True, True, "bfloat16"), (True, False, "float32"), (False, True, "float32")],
)
@pytest.mark.parametrize("place", ["cpu", "auto"])
def test_auto_is_bfloat16_where_a_transformer_meets_a_unit_for_it(
    monkeypatch, has_unit, trains_transformer, expected, place
):
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: place == "auto")
    asked = []
    monkeypatch.setattr(
        device, "multiplies_bfloat16", lambda *, on_cpu: asked.append(on_cpu) or has_unit
    )
    training = TrainingParams(precision="auto", device=place, num_threads=3)
    found = device.resolved(training, trains_transformer=trains_transformer)
    assert found == training.model_copy(update={"precision": expected})
    assert asked == [place == "cpu"] * trains_transformer


def test_what_is_not_auto_stays(monkeypatch):
    monkeypatch.setattr(device, "multiplies_bfloat16", lambda **_: True)
    for precision in ("float32", "float16"):
        training = TrainingParams(precision=precision)
        assert device.resolved(training, trains_transformer=True) is training


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"avx512_f": True, "avx512_bf16": True, "amx_bf16": False}, True),
        ({"avx512_f": True, "avx512_bf16": False, "amx_bf16": True}, True),
        ({"bf16": True}, True),
        ({"avx512_f": True, "avx512_bf16": False, "amx_bf16": False}, False),
        ({}, False),
    ],
)
def test_a_processor_is_asked_for_its_units(monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert device.multiplies_bfloat16(on_cpu=True) is expected


def test_a_gpu_is_asked_for_what_it_does_itself(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    # An old one only says yes if emulation counts.
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation
    )
    assert device.multiplies_bfloat16(on_cpu=False) is False


def test_cells_of_one_process_may_differ_in_precision(fresh_state):
    names = {"float32": "no", "bfloat16": "bf16"}
    for precision in ("bfloat16", "float32", "bfloat16"):
        found = device.accelerator(TrainingParams(device="cpu", precision=precision))
        assert found.mixed_precision == names[precision]
        (model,) = (found.prepare(torch.nn.Linear(2, 2)),)
        with found.autocast():
            half = torch.nn.functional.linear(torch.ones(1, 2), torch.ones(2, 2))
        assert (half.dtype == torch.bfloat16) == (precision == "bfloat16")
        assert model(torch.ones(1, 2)).dtype == torch.float32  # what a model says is converted


@pytest.mark.parametrize(
    ("name", "said"), [("cpu", "cpu"), ("cuda:1", "cuda: GPU 1"), ("mps", "mps")]
)
def test_what_trains_is_named_for_people(monkeypatch, name, said):
    accelerator = SimpleNamespace(device=torch.device(name))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda asked: f"GPU {asked.index}")
    assert device.described(accelerator) == said
