"""Dropout whose masks cost little on a CPU.

torch draws a floating-point number per element there, which is a twelfth of a step of
fine-tuning. Sixteen random bits tell as well whether an element stays, and a stream cipher, for
which processors have instructions, hands out gigabytes of them in a second. On other devices
torch's own kernel is used.
"""

import functools
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from torch import Tensor, nn

#: What sixteen bits can say.
_NUM_VALUES = 2**16

#: Seeds are below this: what torch draws at most.
_NUM_SEEDS = 2**63 - 1

#: What is enciphered at once: so little that it stays in a processor's cache.
_ZEROS = bytes(2**18)

#: Fewer bytes are drawn sooner than handed to another thread.
_LEAST_SHARE = 2**20


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
    return values * _factors(values.shape, rate, values.dtype)


def _factors(shape: torch.Size, rate: float, dtype: torch.dtype) -> Tensor:
    """Return what dropout multiplies with: zero, or the scale of what stays."""
    threshold = min(round(rate * _NUM_VALUES), _NUM_VALUES - 1)
    scale = _NUM_VALUES / (_NUM_VALUES - threshold)
    stays = random_bits(shape).ge_(threshold - _NUM_VALUES // 2)
    if dtype.itemsize == stays.itemsize:
        # Zero has no bit set in either type, so that a product of integers picks the number.
        code = torch.tensor(scale, dtype=dtype).view(stays.dtype)
        return stays.mul_(int(code)).view(dtype)
    return stays.to(dtype).mul_(scale)


def random_bits(shape: torch.Size) -> Tensor:
    """Return independent uniform int16 numbers, each in [-2^15, 2^15); torch's generator seeds.

    They are the keystream of AES-128 in counter mode, so that threads can each draw a part, and
    all processors draw the same (Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3, 2011).
    """
    key = int(torch.randint(_NUM_SEEDS, ())).to_bytes(16, "little")
    bits = np.empty(2 * shape.numel(), np.uint8)
    share = max(len(bits) // torch.get_num_threads(), _LEAST_SHARE)
    share += -share % len(_ZEROS)
    parts = bits.data
    others = [
        _threads(os.getpid()).submit(_draw, key, parts[start : start + share], start)
        for start in range(share, len(bits), share)
    ]
    _draw(key, parts[:share], 0)
    for other in others:
        other.result()
    return torch.from_numpy(bits.view(np.int16)).view(shape)


@functools.cache
def _threads(_: int) -> ThreadPoolExecutor:
    """Return the threads of a process; a process that was forked has none of its parent's."""
    return ThreadPoolExecutor(thread_name_prefix="dropout")


def _draw(key: bytes, part: memoryview, start: int) -> None:
    """Write the keystream from this byte on."""
    block = start // (algorithms.AES.block_size // 8)
    cipher = Cipher(algorithms.AES(key), modes.CTR(block.to_bytes(16, "big"))).encryptor()
    for at in range(0, len(part), len(_ZEROS)):
        piece = part[at : at + len(_ZEROS)]
        cipher.update_into(_ZEROS[: len(piece)], piece)


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
