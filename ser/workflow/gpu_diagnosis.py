"""What `ser doctor` finds of the GPU: which one there is, and whether the preset wants one."""

import os
import shutil

import torch

from ser.training.device import on_cpu
from ser.workflow.finding import Finding
from ser.workflow.needs_diagnosis import needs_gpu
from ser.workflow.preset import Preset

_WHAT = "gpu"


def examine(preset: Preset) -> Finding:
    """Say on what cells train, and warn where that is not what the preset is made for.

    Args:
        preset: The whole of params.yaml.
    """
    found = names()
    if not found:
        return _without(preset)
    shown = ", ".join(found)
    if on_cpu(preset.training):
        detail = f"{shown}; not used, because training.device is cpu"
        if not needs_gpu(preset):
            return Finding("ok", _WHAT, detail)
        return Finding("warn", _WHAT, detail, "`device: auto` below training takes it")
    precision = preset.training.precision
    words = "the precision that suits each" if precision == "auto" else precision
    detail = f"{shown}; cells train on it in {words}"
    if len(found) > 1:
        detail = (
            f"{shown}; cells train on the first in {words}, on all with "
            f"`launcher: accelerate launch -m`"
        )
    return Finding("ok", _WHAT, detail)


def names() -> list[str]:
    """Return name and memory of every GPU that torch can use here; [] where there is none.

    Example: `["NVIDIA H100 80GB HBM3 (85.0 GB)"]`
    """
    if torch.cuda.is_available():
        known = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
        return [f"{one.name} ({one.total_memory / 1e9:.1f} GB)" for one in known]
    if torch.accelerator.is_available():
        return [str(torch.accelerator.current_accelerator())]
    return []


def _without(preset: Preset) -> Finding:
    """Say that there is none; that a driver is there all the same points to the fault."""
    if shutil.which("nvidia-smi") and os.environ.get("CUDA_VISIBLE_DEVICES") != "":
        detail = (
            f"torch {torch.__version__} finds none, but an NVIDIA driver is installed: cells train "
            f"on the CPU"
        )
        cure = (
            f"`nvidia-smi` shows driver and GPU; torch is built for CUDA {torch.version.cuda}, "
            f"which an older driver does not run"
        )
        return Finding("warn", _WHAT, detail, cure)
    if not needs_gpu(preset):
        return Finding("ok", _WHAT, "none is found; these params need none")
    detail = "none is found, and layers of a published network are to be trained"
    cure = "`freeze: all` in the features of the transformers trains without one"
    return Finding("warn", _WHAT, detail, cure)
