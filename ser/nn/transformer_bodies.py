"""What a speech transformer leaves of an utterance, brought to one vector: three ways.

Layers that are trained and then pooled, frozen frames that are pooled, or a weighting of frozen
layers. Each tells whether its inputs are normalised, and how far down the transformer each of its
parameters is.
"""

import torch
from torch import Tensor, nn

from ser.nn.pooling import MeanPooling, Pooling, PoolingName
from ser.pretrained.transformer import Suffix


class PooledSuffix(nn.Module):
    """The layers above the cut, then a pooling over time.

    Args:
        suffix: The layers.
        pooling: Frames and lengths to one vector.
        frozen_layers: The lowest so many layers, and what is below, are not trained.
    """

    normalises_inputs = False

    def __init__(self, suffix: Suffix, pooling: Pooling, *, frozen_layers: int = 0) -> None:
        super().__init__()
        self.suffix, self.pooling = suffix, pooling
        self.output_dim = pooling.output_dim
        layers = suffix.layers
        below = [suffix.stem, layers.relative, *layers.layers[:frozen_layers]]
        # A plain tuple: these modules are the suffix' own and must not be listed twice.
        self._frozen = tuple(part for part in below if part is not None) if frozen_layers else ()
        for part in self._frozen:
            part.eval().requires_grad_(False)

    def train(self, mode: bool = True) -> "PooledSuffix":
        """Set the mode of what is trained; what is frozen stays in evaluation mode."""
        super().train(mode)
        for part in self._frozen:
            part.eval()
        return self

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return one vector per utterance `(batch, output_dim)`."""
        pooled: Tensor = self.pooling(self.suffix(inputs, lengths), lengths)
        return pooled

    def parameter_depth(self, name: str) -> int:
        """Return 0 for the pooling, else see `Suffix.parameter_depth`."""
        inner = name.removeprefix("suffix.")
        return 0 if inner == name else self.suffix.parameter_depth(inner)


class PooledFrames(nn.Module):
    """The frozen frames of a middle layer, pooled over time.

    Args:
        pooling: Frames and lengths to one vector.

    Source:
        Shendabadi et al. (2026), "Speech emotion recognition leveraging OpenAI's Whisper
        representations and attentive pooling methods", arXiv 2602.06000: attention with several
        heads over the frames of a middle layer.
    """

    normalises_inputs = True

    def __init__(self, pooling: Pooling) -> None:
        super().__init__()
        self.pooling = pooling
        self.output_dim = pooling.output_dim

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return one vector per utterance `(batch, output_dim)`."""
        pooled: Tensor = self.pooling(inputs, lengths)
        return pooled

    def parameter_depth(self, name: str) -> int:  # noqa: ARG002 (all of it is fresh)
        """Return 0: the pooling is not pretrained."""
        return 0


class LayerMixture(nn.Module):
    """A learnt softmax weighting of frozen layers, uniform at first.

    Taking means over time first changes nothing: a mean commutes with the weighting and
    with the linear projection that follows.

    Args:
        num_states: Hidden states, the input of the first layer included.
        hidden_size: Their width.
        pooling: `mean` weights their means over time, `stats` their standard deviations,
            too.

    Source:
        Yang et al. (2021), "SUPERB: speech processing universal performance benchmark".
    """

    normalises_inputs = True

    def __init__(self, num_states: int, hidden_size: int, pooling: PoolingName) -> None:
        super().__init__()
        self.num_states = num_states
        self.output_dim = hidden_size if pooling == "mean" else 2 * hidden_size
        self.scores = nn.Parameter(torch.zeros(num_states))
        self._over_time = MeanPooling(2 * num_states * hidden_size)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return one vector per utterance `(batch, output_dim)`.

        Args:
            inputs: Mean and standard deviation of each state, one state after the other
                `(batch, num_frames, 2 * num_states * hidden_size)`; several frames, of
                which the extractor makes one, are averaged.
            lengths: Valid frames per row `(batch,)`.
        """
        # Of the one frame that there is, the mean is the frame: in a small model no small saving.
        summary = inputs[:, 0] if inputs.shape[1] == 1 else self._over_time(inputs, lengths)
        states = summary.view(len(inputs), self.num_states, -1)  # (batch, num_states, 2 * hidden)
        return torch.einsum("s,bsd->bd", self.scores.softmax(0), states[..., : self.output_dim])

    def parameter_depth(self, name: str) -> int:  # noqa: ARG002 (all of it is fresh)
        """Return 0: the weights of the layers are not pretrained."""
        return 0


Body = PooledSuffix | PooledFrames | LayerMixture
