"""What `ser doctor` says of the GPU."""

from types import SimpleNamespace

import pytest
import torch

from ser.workflow import gpu_diagnosis
from tests.workflow.support import check

#: Its upper layers are trained, so it wants a GPU.
FINE_TUNED = {
    "features": {"mfcc": {}, "hubert": {"checkpoint": "data/weights/tiny", "freeze": 1}},
    "extracted": {"mfcc": {"weights": "none"}, "hubert": {"weights": "tiny"}},
}
ONE = SimpleNamespace(name="H100", total_memory=85_000_000_000)
SHOWN = "H100 (85.0 GB)"


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """A machine with so many GPUs, and a driver or none; change it by calling."""

    def change(num_gpus, *, driver=False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: num_gpus > 0)
        monkeypatch.setattr(torch.accelerator, "is_available", lambda: num_gpus > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: num_gpus)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: ONE)
        found = "/usr/bin/nvidia-smi" if driver else None
        monkeypatch.setattr(gpu_diagnosis.shutil, "which", lambda _: found)

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    change(0)
    return change


@pytest.mark.parametrize(("sections", "level"), [({}, "ok"), (FINE_TUNED, "warn")])
def test_without_one_only_a_preset_that_trains_a_published_network_is_warned_of(sections, level):
    finding = gpu_diagnosis.examine(check(**sections))
    assert (finding.what, finding.level) == ("gpu", level)
    assert ("freeze: all" in finding.cure) == (level == "warn")


@pytest.mark.parametrize("sections", [{}, FINE_TUNED])
def test_one_is_named_with_its_memory_and_the_precision(machine, sections):
    machine(1)
    finding = gpu_diagnosis.examine(check(**sections, training={"precision": "bfloat16"}))
    assert finding.level == "ok"
    assert finding.detail == f"{SHOWN}; cells train on it in bfloat16"


def test_a_precision_that_suits_each_cell_is_not_named_auto(machine):
    machine(1)
    finding = gpu_diagnosis.examine(check(training={"precision": "auto"}))
    assert finding.detail == f"{SHOWN}; cells train on it in the precision that suits each"


def test_of_several_the_first_trains_until_the_launcher_says_otherwise(machine):
    machine(2)
    detail = gpu_diagnosis.examine(check()).detail
    assert detail.startswith(f"{SHOWN}, {SHOWN}; cells train on the first in float32")
    assert "`launcher: accelerate launch -m`" in detail


@pytest.mark.parametrize(("sections", "level"), [({}, "ok"), (FINE_TUNED, "warn")])
def test_one_that_is_not_used_is_said_so(machine, sections, level):
    machine(1)
    finding = gpu_diagnosis.examine(check(**sections, training={"device": "cpu"}))
    assert (finding.level, SHOWN in finding.detail) == (level, True)
    assert "training.device is cpu" in finding.detail


def test_a_driver_without_a_gpu_is_a_fault_whatever_the_preset_needs(machine, monkeypatch):
    machine(0, driver=True)
    finding = gpu_diagnosis.examine(check())
    assert (finding.level, "`nvidia-smi`" in finding.cure) == ("warn", True)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # hidden on purpose
    assert gpu_diagnosis.examine(check()).level == "ok"
