"""The convolution that gives frames their positions, in the frequency domain.

It is 128 frames wide. By the Fourier transform it costs a tenth of the arithmetic, forward and
backward: on a CPU a quarter of the time, and cuDNN has no fast kernel at all for so wide a
convolution in groups.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

#: Lengths of transforms are multiples of this: fast, and few different ones.
_MULTIPLE = 64

#: Narrower convolutions are cheap as they are.
_WIDE = 64


def wide_convolution_of(positions: nn.Module) -> nn.Conv1d | None:
    """Return the convolution of published positions if `correlated` is the faster way, or None."""
    found = getattr(positions, "conv", None)
    is_wide = isinstance(found, nn.Conv1d) and found.kernel_size[0] >= _WIDE
    return found if is_wide else None


def correlated(frames: Tensor, convolution: nn.Conv1d) -> Tensor:
    """Return what a convolution with padding `kernel_size // 2` gives, as many frames as it gets.

    Of an even kernel, torch's convolution gives one frame more, which the published networks cut
    off. The transform is in single precision, whatever autocast says.

    Args:
        frames: `(batch, num_frames, in_channels)`.
        convolution: Stride and dilation 1, in groups.

    Returns:
        `(batch, num_frames, out_channels)`, of the type that the convolution itself would have.
    """
    device = frames.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else frames.dtype
    with torch.autocast(device, enabled=False):
        answer: Tensor = _Correlation.apply(  # type: ignore[no-untyped-call]
            frames.float(), convolution.weight.float(), convolution.groups
        )
        if convolution.bias is not None:
            answer = answer + convolution.bias
    return answer.to(dtype)


class _Correlation(torch.autograd.Function):
    """Cross-correlation in groups by the Fourier transform.

    Spectra are laid out as `(num_frequencies, groups, rows, columns)`, so that both directions
    are one batched matrix product.
    """

    @staticmethod
    def forward(ctx: Any, frames: Tensor, weight: Tensor, groups: int) -> Tensor:
        num_frames, width = frames.shape[1], weight.shape[2]
        shift = width // 2
        # So many zeros that what leaves at one end does not come in at the other.
        least = max(width, num_frames + shift)
        size = -(-least // _MULTIPLE) * _MULTIPLE
        heard = _spectrum(frames, size, groups)
        filters = torch.fft.rfft(weight, size, dim=2).unflatten(0, (groups, -1))
        filters = filters.permute(3, 0, 2, 1).contiguous()  # rows: in, columns: out
        ctx.save_for_backward(heard, filters)
        ctx.sizes = num_frames, size, shift, weight.shape
        answer = _frames(heard @ filters.conj(), size)
        return torch.roll(answer, shift, dims=1)[:, :num_frames]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        heard, filters = ctx.saved_tensors
        num_frames, size, shift, weight_shape = ctx.sizes
        padded = F.pad(gradient, (0, 0, 0, size - num_frames))
        asked = _spectrum(torch.roll(padded, -shift, dims=1), size, filters.shape[1])
        of_frames = of_weight = None
        if ctx.needs_input_grad[0]:
            of_frames = _frames(asked @ filters.transpose(2, 3), size)[:, :num_frames]
        if ctx.needs_input_grad[1]:
            products = asked.conj().transpose(2, 3) @ heard  # rows: out, columns: in
            taps = torch.fft.irfft(products.permute(1, 2, 3, 0).contiguous(), size, dim=3)
            of_weight = taps[..., : weight_shape[2]].reshape(weight_shape)
        return of_frames, of_weight, None


def _spectrum(frames: Tensor, size: int, groups: int) -> Tensor:
    """Return `(num_frequencies, groups, batch, channels)` of `(batch, num_frames, ...)`."""
    spectrum: Tensor = torch.fft.rfft(frames, size, dim=1)
    spectrum = spectrum.view(*spectrum.shape[:2], groups, -1)
    return spectrum.permute(1, 2, 0, 3).contiguous()


def _frames(spectrum: Tensor, size: int) -> Tensor:
    """Return `(batch, size, channels of all groups)` of a spectrum as `_spectrum` lays it out."""
    frames: Tensor = torch.fft.irfft(spectrum.permute(2, 0, 1, 3).flatten(2), size, dim=1)
    return frames
