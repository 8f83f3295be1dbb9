"""What lies between the convolutions of a published network and its transformer layers."""

from typing import cast

from torch import Tensor, nn

from ser.pretrained._published import SpeechNetwork
from ser.pretrained._wide_convolution import correlated, wide_convolution_of


class Stem(nn.Module):
    """From the output of the convolutions to hidden state 0.

    Args:
        model: A model of transformers.
    """

    def __init__(self, model: SpeechNetwork) -> None:
        super().__init__()
        self.projection = model.feature_projection
        self.positions = model.encoder.pos_conv_embed
        self.norm = nn.Identity() if has_final_norm(model) else model.encoder.layer_norm
        self.dropout = model.encoder.dropout

    def forward(self, frames: Tensor, valid: Tensor | None) -> Tensor:
        """Return hidden state 0.

        Args:
            frames: `(batch, num_frames, conv_dim)`.
            valid: Which frames are speech `(batch, num_frames)`; None where all are.

        Returns:
            `(batch, num_frames, hidden_size)`.
        """
        projected = self.projection(frames)
        # Some architectures hand out the normalised frames, too.
        hidden = projected[0] if isinstance(projected, tuple) else projected
        hidden = silenced(hidden, valid)
        state: Tensor = self.dropout(self.norm(hidden + self._positions_of(hidden, valid)))
        return state

    def _positions_of(self, hidden: Tensor, valid: Tensor | None) -> Tensor:
        stacked = getattr(self.positions, "layers", None)
        # Evaluation keeps to torch's convolution, which an ONNX graph has, too.
        wide = wide_convolution_of(self.positions) if self.training else None
        if wide is not None:
            activation = cast(nn.Module, self.positions.activation)
            return cast(Tensor, activation(correlated(hidden, wide)))
        if stacked is None:
            position: Tensor = self.positions(hidden)
            return position
        # data2vec stacks convolutions: what one writes into the padding, the next reads.
        for layer in stacked:
            hidden = layer(silenced(hidden, valid).transpose(1, 2)).transpose(1, 2)
        return hidden


def has_final_norm(model: SpeechNetwork) -> bool:
    """Whether layers normalise their input and the last output is normalised once more."""
    return bool(getattr(model.config, "do_stable_layer_norm", False))


def silenced(frames: Tensor, valid: Tensor | None) -> Tensor:
    """Return frames with the padding set to zero."""
    return frames if valid is None else frames.masked_fill(~valid.unsqueeze(-1), 0.0)
