"""What the tests of the losses share."""

import numpy as np
import torch

from ser.batch import ModelOutput
from ser.losses import cross_entropy

WEIGHTS = [0.5, 1.0, 2.0, 1.5]


def given(logits, dtype=torch.float64):
    """A model's output with these logits."""
    logits = torch.as_tensor(logits, dtype=dtype)
    return ModelOutput(torch.zeros(len(logits), 2, dtype=dtype), logits)


def random_batch(size=7, num_classes=4, spread=1.0):
    """Logits and labels, the same in every call."""
    rng = np.random.default_rng(0)
    return spread * rng.normal(size=(size, num_classes)), rng.integers(0, num_classes, size)


def value_and_gradient(loss, logits, labels, dtype=torch.float32):
    """The loss of a batch and its gradient with respect to the logits."""
    leaf = torch.as_tensor(logits).detach().to(dtype, copy=True).requires_grad_()
    value = loss(ModelOutput(torch.zeros(len(leaf), 2), leaf), torch.as_tensor(labels))
    value.backward()
    return value.detach(), leaf.grad


def of_cross_entropy(logits, labels, class_weights=None, dtype=torch.float32):
    """Value and gradient of plain cross-entropy, to be compared with bit by bit."""
    loss = cross_entropy.CrossEntropyLoss(class_weights)
    return value_and_gradient(loss, logits, labels, dtype)


def passes_gradcheck(loss, logits, labels):
    """Whether the gradient is that of finite differences, in float64."""
    leaf = torch.as_tensor(logits, dtype=torch.float64).requires_grad_()
    labels = torch.as_tensor(labels)
    return torch.autograd.gradcheck(
        lambda x: loss(ModelOutput(torch.zeros(len(x), 2), x), labels), (leaf,)
    )
