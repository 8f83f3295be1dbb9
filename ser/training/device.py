"""Where a cell trains: the device, its precision, its threads."""

import torch
from accelerate import Accelerator

from ser import seeding
from ser.training.recipe import ACCELERATE_PRECISION, TrainingParams


def on_cpu(training: TrainingParams) -> bool:
    """Return whether a cell trains on the CPU here."""
    return training.device == "cpu" or not torch.accelerator.is_available()


def accelerator(training: TrainingParams) -> Accelerator:
    """Return device and precision as training has them, its threads and determinism set."""
    # Without a GPU, `cpu` must be passed: Accelerate would not join the processes of a launcher.
    found = Accelerator(
        cpu=on_cpu(training), mixed_precision=ACCELERATE_PRECISION[training.precision]
    )
    seeding.make_deterministic(training.num_threads, strict=found.device.type == "cpu")
    return found
