"""Linear layers whose large products in single precision oneDNN computes on a CPU.

torch takes MKL for them. On processors with AVX-512 that are not Intel's oneDNN is a tenth faster,
and torch hands it products of single precision as convolutions of width one only. For the gradient
of the weights MKL is as fast.
"""

import functools
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

#: Smaller products are as fast, or faster, by MKL: oneDNN orders the weights anew in each call.
_LEAST_WIDTH, _LEAST_ROWS = 512, 1024


class Linear(nn.Linear):
    """`torch.nn.Linear`, equal to rounding, by whatever is faster."""

    def forward(self, input: Tensor) -> Tensor:
        """Return the values of this layer, of the type that `torch.nn.Linear` would return."""
        if not _pays(input, self.weight):
            return super().forward(input)
        rows = input.reshape(-1, self.in_features)
        product: Tensor = Product.apply(rows, self.weight, self.bias)  # type: ignore[no-untyped-call]
        return product.view(*input.shape[:-1], self.out_features)


def _pays(values: Tensor, weight: Tensor) -> bool:
    """Return whether oneDNN is the faster way to such a product; what answers is left as it is."""
    return (
        torch.is_grad_enabled()
        and values.device.type == "cpu"
        and values.dtype == weight.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and min(weight.shape) >= _LEAST_WIDTH
        and values.numel() >= _LEAST_ROWS * weight.shape[1]
        and _has_wide_vectors()
    )


@functools.cache
def _has_wide_vectors() -> bool:
    capability = torch.backends.cpu.get_cpu_capability()
    is_built_in = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return capability == "AVX512" and bool(is_built_in)


class Product(torch.autograd.Function):
    """`rows @ weight.T + bias`, the bias or None, as a convolution of width one."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(rows, weight)
        return _convolved(rows, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        rows, weight = ctx.saved_tensors
        of_rows, of_weight, of_bias = ctx.needs_input_grad
        return (
            _convolved(gradient, weight.t(), None) if of_rows else None,
            gradient.t() @ rows if of_weight else None,
            gradient.sum(0) if of_bias else None,
        )


def _convolved(rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return `rows @ weight.T + bias`: an image one pixel high, its channels last."""
    image = rows.reshape(1, 1, *rows.shape).permute(0, 3, 1, 2)
    answer = F.conv2d(image, weight.reshape(*weight.shape, 1, 1), bias)
    return answer.permute(0, 2, 3, 1).reshape(len(rows), -1)


def replace_linears(module: nn.Module) -> None:
    """Put a `Linear` with the same weights in the place of each of torch's inside a module."""
    for parent in module.modules():
        for name, child in parent.named_children():
            if type(child) is nn.Linear:
                setattr(parent, name, _taking_over(child))


def _taking_over(linear: nn.Linear) -> Linear:
    """Return a `Linear` that holds the parameters of one of torch's."""
    with torch.device("meta"):
        taken = Linear(linear.in_features, linear.out_features, bias=linear.bias is not None)
    taken.weight, taken.bias = linear.weight, linear.bias
    return taken.train(linear.training)
