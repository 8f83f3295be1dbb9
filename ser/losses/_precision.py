"""The two casts that every loss needs, so that half precision does not reach a softmax."""

import torch
from torch import Tensor


def full_precision(values: Tensor) -> Tensor:
    """Return half-precision values as float32, float32 and float64 as they are.

    Example:
        >>> full_precision(torch.zeros(1, dtype=torch.bfloat16)).dtype
        torch.float32
    """
    return values.to(torch.promote_types(values.dtype, torch.float32))


def weights_like(class_weights: Tensor | None, logits: Tensor) -> Tensor | None:
    """Return class weights in the type of the logits, or None."""
    return None if class_weights is None else class_weights.to(logits.dtype)
