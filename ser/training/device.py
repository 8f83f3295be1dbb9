"""Where a cell trains: the device, its precision, its threads."""

from typing import TYPE_CHECKING

import torch

from ser import runtime, seeding
from ser.errors import ParamsError
from ser.training import ranks
from ser.training.recipe import ACCELERATE_PRECISION, TrainingParams

if TYPE_CHECKING:
    from accelerate import Accelerator


def on_cpu(training: TrainingParams) -> bool:
    """Return whether a cell trains on the CPU here."""
    return training.device == "cpu" or not torch.accelerator.is_available()


#: What a processor says that multiplies bfloat16 itself: x86's two units, and Arm's.
_BFLOAT16_UNITS = ("avx512_bf16", "amx_bf16", "bf16")


def multiplies_bfloat16(*, on_cpu: bool) -> bool:
    """Return whether the processor, or else the GPU, multiplies bfloat16 matrices itself.

    Where it does not, torch converts them, which is slower than float32.
    """
    if on_cpu:
        found = torch.cpu.get_capabilities()
        return any(found.get(unit, False) for unit in _BFLOAT16_UNITS)
    return torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)


def resolved(training: TrainingParams, *, trains_transformer: bool) -> TrainingParams:
    """Return the settings with `precision: auto` replaced by what it means here.

    Args:
        training: As params.yaml has it.
        trains_transformer: Whether the cell trains layers of one: large matrix products, for
            which a narrower precision pays.
    """
    if training.precision != "auto":
        return training
    is_half = trains_transformer and multiplies_bfloat16(on_cpu=on_cpu(training))
    return training.model_copy(update={"precision": "bfloat16" if is_half else "float32"})


def require_precision(training: TrainingParams) -> None:
    """Refuse a precision that cannot be had where a cell trains.

    Raises:
        ParamsError: `float16` is asked for where no GPU trains. Accelerate would take float32
            there without a word.
    """
    if training.precision == "float16" and on_cpu(training):
        raise ParamsError(
            "training.precision is float16, which needs a GPU, but cells train on the CPU here (no "
            "GPU is found, or training.device is cpu); set float32, or bfloat16 where the "
            "processor multiplies it itself"
        )


def accelerator(training: TrainingParams) -> "Accelerator":
    """Return device and precision as training has them, its threads and determinism set.

    Accelerate keeps one precision for the process: that of the latest call holds.

    Args:
        training: Its precision is not `auto`, see `resolved`.

    Raises:
        ParamsError: See `require_precision`.
        RankError: This process is alone, though others were to train with it.
    """
    # Here, not at the top: what answers resolves a precision, too, and trains nothing.
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    require_precision(training)
    ranks.join()
    precision = ACCELERATE_PRECISION[training.precision]
    # The cells of a process may differ in it, and Accelerate would refuse the second one.
    if AcceleratorState._shared_state and AcceleratorState().mixed_precision != precision:
        AcceleratorState._reset_state()
    # Without a GPU, `cpu` must be passed: Accelerate would not see the others that have joined.
    found = Accelerator(cpu=on_cpu(training), mixed_precision=precision)
    ranks.require_all_joined(found.num_processes)
    is_cpu = found.device.type == "cpu"
    if is_cpu:
        runtime.keep_freed_memory()
    seeding.make_deterministic(training.num_threads, strict=is_cpu)
    return found


def described(accelerator: "Accelerator") -> str:
    """Return what trains, for people: `cpu`, or the kind of a GPU and its model."""
    kind = str(accelerator.device.type)
    if kind != "cuda":
        return kind
    return f"{kind}: {torch.cuda.get_device_name(accelerator.device)}"
