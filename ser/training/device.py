"""Where a cell trains: the device, its precision, its threads."""

import torch
from accelerate import Accelerator

from ser import seeding
from ser.errors import ParamsError
from ser.training.recipe import ACCELERATE_PRECISION, TrainingParams


def on_cpu(training: TrainingParams) -> bool:
    """Return whether a cell trains on the CPU here."""
    return training.device == "cpu" or not torch.accelerator.is_available()


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


def accelerator(training: TrainingParams) -> Accelerator:
    """Return device and precision as training has them, its threads and determinism set.

    Raises:
        ParamsError: See `require_precision`.
    """
    require_precision(training)
    # Without a GPU, `cpu` must be passed: Accelerate would not join the processes of a launcher.
    found = Accelerator(
        cpu=on_cpu(training), mixed_precision=ACCELERATE_PRECISION[training.precision]
    )
    seeding.make_deterministic(training.num_threads, strict=found.device.type == "cpu")
    return found
