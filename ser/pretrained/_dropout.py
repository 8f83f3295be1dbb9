"""Dropout whose masks cost little on a CPU.

torch draws a floating-point number per element there, which is a twelfth of a step of
fine-tuning. Sixteen random bits tell as well whether an element stays, and torch's generator
hands out sixty-four at once. On other devices torch's own kernel is used.
"""

import torch
from torch import Tensor, nn

#: What sixteen bits can say.
_NUM_VALUES = 2**16


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
    threshold = min(round(rate * _NUM_VALUES), _NUM_VALUES - 1)
    stays = random_bits(values.shape) >= threshold - _NUM_VALUES // 2
    # A product with numbers is faster than one with a mask of booleans, in both directions.
    return values * stays.to(values.dtype).mul_(_NUM_VALUES / (_NUM_VALUES - threshold))


def random_bits(shape: torch.Size) -> Tensor:
    """Return independent uniform int16 numbers, each in [-2^15, 2^15), of torch's generator."""
    count = shape.numel()
    quadruples = torch.empty(-(-count // 4), dtype=torch.int64)
    quadruples.random_(-(2**63), None)  # with no upper end all 64 bits are random
    return quadruples.view(torch.int16)[:count].view(shape)


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
