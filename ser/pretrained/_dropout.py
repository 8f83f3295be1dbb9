"""Dropout whose masks cost little on a CPU.

torch draws a floating-point number per element there, which is a twelfth of a step of
fine-tuning. Sixteen random bits tell as well whether an element stays, and NumPy's fastest
generator hands out sixty-four at once. On other devices torch's own kernel is used.
"""

import numpy as np
import torch
from torch import Tensor, nn

#: What sixteen bits can say.
_NUM_VALUES = 2**16

#: Seeds are below this: what torch draws at most.
_NUM_SEEDS = 2**63 - 1


def dropped(values: Tensor, rate: float) -> Tensor:
    """Set elements to zero at random, and scale the others so that the mean stays.

    On a CPU the rate is rounded to a multiple of 2^-16, and the scale belongs to that rate. The
    draw depends on torch's generator alone, not on the number of threads.

    Args:
        values: Any shape, floating-point.
        rate: Share of elements that become zero, in [0, 1); 0 draws nothing.
    """
    if not rate:
        return values
    if values.device.type != "cpu":
        return nn.functional.dropout(values, rate)
    # A product with numbers is faster than one with a mask of booleans, in both directions.
    return values * factors(values.shape, rate, values.dtype)


def factors(shape: torch.Size, rate: float, dtype: torch.dtype) -> Tensor:
    """Return what dropout multiplies with: zero, or the scale of what stays; on the CPU.

    Args:
        shape: Of the values.
        rate: See `dropped`; not 0.
        dtype: Of the values, floating-point.
    """
    threshold = min(round(rate * _NUM_VALUES), _NUM_VALUES - 1)
    scale = _NUM_VALUES / (_NUM_VALUES - threshold)
    stays = random_bits(shape).ge_(threshold - _NUM_VALUES // 2)
    if dtype.itemsize == stays.itemsize:
        # Zero has no bit set in either type, so that a product of integers picks the number.
        code = torch.tensor(scale, dtype=dtype).view(stays.dtype)
        return stays.mul_(int(code)).view(dtype)
    return stays.to(dtype).mul_(scale)


def random_bits(shape: torch.Size) -> Tensor:
    """Return independent uniform int16 numbers, each in [-2^15, 2^15); torch's generator seeds."""
    count = shape.numel()
    seed = int(torch.randint(_NUM_SEEDS, ()))
    quadruples = np.random.SFC64(seed).random_raw(-(-count // 4))
    return torch.from_numpy(quadruples.view(np.int16)[:count]).view(shape)


class Dropout(nn.Dropout):
    """`torch.nn.Dropout` by `dropped`; nothing is changed in evaluation mode."""

    def forward(self, input: Tensor) -> Tensor:
        """Return the values with some of them set to zero."""
        return dropped(input, self.p if self.training else 0.0)


def replace_dropouts(module: nn.Module) -> None:
    """Put a `Dropout` in the place of each of torch's inside a module, at the same rate."""
    for parent in module.modules():
        for name, child in parent.named_children():
            if type(child) is nn.Dropout:
                setattr(parent, name, Dropout(child.p).train(child.training))
