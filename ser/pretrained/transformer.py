"""A speech transformer cut in two: a frozen prefix, computed once, and a trainable suffix.

Prefix and suffix together are the whole Hugging Face model: they run its own submodules in
its own order. The cut (`freeze`) is `feature_encoder` (above the convolutions), a number
of transformer layers (above these), or `all` (nothing is left but a choice of layers).

Hidden state 0 is the input of the first transformer layer, hidden state i the output of
layer i, before the final normalisation that some checkpoints have; Whisper's last one is
normalised. transformers returns the same under `output_hidden_states`.

A network that hears a window at a time (Whisper: 30 s) gets longer recordings in pieces,
each on its own; their frames stand one after the other.

LayerDrop is left out: every parameter gets a gradient in every step, which training in
several processes relies on.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint as recomputed

from ser.batch import valid_frames
from ser.errors import ParamsError, WeightsError
from ser.pretrained._attention import SelfAttention
from ser.pretrained._dropout import replace_dropouts
from ser.pretrained._linear import replace_linears
from ser.pretrained._published import (
    Config,
    PublishedAttention,
    RelativeAttention,
    SpeechNetwork,
    Window,
)
from ser.pretrained._relative_attention import GatedRelativeAttention, RelativePositions
from ser.pretrained._stem import Stem, has_final_norm, silenced

Freeze = Literal["feature_encoder", "all"] | int
Context = Literal["own", "30s"]


class Layers(nn.Module):
    """Consecutive transformer layers.

    Args:
        model: A model of transformers.
        first, last: Layers `first` up to, not including, `last`, from 0.
        gradient_checkpointing: Compute activations again in the backward pass instead of
            keeping them.
    """

    def __init__(
        self, model: SpeechNetwork, first: int, last: int, *, gradient_checkpointing: bool = False
    ) -> None:
        super().__init__()
        self.gradient_checkpointing = gradient_checkpointing
        self.relative: RelativePositions | None = None
        lowest = getattr(model.encoder.layers[0], "attention", None)
        if hasattr(lowest, "rel_attn_embed"):
            shared = cast(RelativeAttention, lowest)
            self.relative = RelativePositions(shared, is_trainable=first == 0)
        self.layers = model.encoder.layers[first:last]
        for layer in self.layers if lowest is not None else ():
            if self.relative is not None:
                layer.attention = GatedRelativeAttention(cast(RelativeAttention, layer.attention))
            else:
                layer.attention = SelfAttention(cast(PublishedAttention, layer.attention))

    def forward(self, hidden: Tensor, valid: Tensor | None) -> Tensor:
        """Return the output of the last layer; see `Stem.forward` for the arguments."""
        mask = None if valid is None else valid[:, None, None, :]
        bias = self._bias(hidden)
        for layer in self.layers:
            if self.gradient_checkpointing and self.training:
                hidden = recomputed(_output_of, layer, hidden, mask, bias, use_reentrant=False)
            else:
                hidden = _output_of(layer, hidden, mask, bias)
        return hidden

    def states(self, hidden: Tensor) -> Iterator[Tensor]:
        """Yield the output of each layer; all frames must be valid."""
        bias = self._bias(hidden)
        for layer in self.layers:
            hidden = _output_of(layer, hidden, None, bias)
            yield hidden

    def _bias(self, hidden: Tensor) -> Tensor | None:
        return None if self.relative is None else self.relative(hidden.shape[1])


def _output_of(
    layer: nn.Module, hidden: Tensor, mask: Tensor | None, bias: Tensor | None
) -> Tensor:
    if bias is None:
        output: Tensor = layer(hidden, attention_mask=mask)
        return output
    output, _ = layer(hidden, attention_mask=mask, position_bias=bias)
    return output


class Prefix(nn.Module):
    """The frozen part: one waveform to frames, in evaluation mode and without gradients.

    Args:
        model: A model of transformers; it must not be used otherwise any more.
        freeze: Where it is cut.
        context: `30s` fills a recording up with silence to the window of a network that has
            one, as in its training; `own` gives it the recording alone.

    Raises:
        ParamsError: The model has fewer layers than shall be frozen.
    """

    def __init__(self, model: SpeechNetwork, freeze: Freeze, context: Context = "own") -> None:
        super().__init__()
        num_layers = _num_frozen_layers(model, freeze)
        self.freeze, self.context = freeze, context
        self.convolutions = model.feature_extractor
        has_layers = freeze != "feature_encoder"
        self.stem = Stem(model) if has_layers else None
        self.layers = Layers(model, 0, num_layers) if has_layers else None
        self.window = _window_of(model)
        is_normalised = has_layers and _hands_out_normalised(model, num_layers)
        self.final_norm = model.encoder.layer_norm if is_normalised else nn.Identity()
        self.num_bins = _num_bins(model.config, freeze)
        self.receptive_field = receptive_field(model.config.conv_kernel, model.config.conv_stride)
        self.eval().requires_grad_(False)

    def forward(self, waveform: Tensor) -> Tensor:
        """Return the frames of one waveform.

        Args:
            waveform: `(num_samples,)`, as the checkpoint wants it; zeros are appended to
                one shorter than the receptive field of a frame.

        Returns:
            `(num_frames, num_bins)`; for `all` one frame, which holds mean and biased
            standard deviation over time of hidden states 0, 1, ..., one after the other,
            the silence that it was filled up with left out.
        """
        pieces = [self._states(piece) for piece in self._pieces(waveform)]
        if self.freeze != "all":
            return torch.cat([states[-1] for states in pieces], dim=1)[0]
        states = (torch.cat(parts, dim=1) for parts in zip(*pieces, strict=True))
        return torch.cat([_mean_and_deviation(state) for state in states], dim=-1)

    def _pieces(self, waveform: Tensor) -> Sequence[Tensor]:
        """Return what the network hears at once."""
        if self.window is None or len(waveform) <= self.window.num_samples:
            return (waveform,)
        return torch.split(waveform, self.window.num_samples)

    def _states(self, waveform: Tensor) -> list[Tensor]:
        """Return the hidden states `(1, num_frames, dim)` that the cut asks for, lowest first."""
        least = self.receptive_field
        if self.window is not None and self.context == "30s":
            least = self.window.num_samples
        padded = nn.functional.pad(waveform, (0, max(0, least - len(waveform))))
        frames: Tensor = self.convolutions(padded.unsqueeze(0)).transpose(1, 2)
        if self.stem is None or self.layers is None:
            return [frames]
        hidden = self.stem(frames, None)
        if self.freeze != "all":
            return [self.final_norm(self.layers(hidden, None))]
        *lower, last = itertools.chain([hidden], self.layers.states(hidden))
        return [self._own(state, len(waveform)) for state in (*lower, self.final_norm(last))]

    def _own(self, state: Tensor, num_samples: int) -> Tensor:
        """Return the frames of the recording, without those of the silence behind it."""
        if self.window is None or self.context == "own":
            return state
        samples_per_frame = self.window.num_samples // self.window.num_frames
        return state[:, : max(1, (num_samples + samples_per_frame // 2) // samples_per_frame)]


class Suffix(nn.Module):
    """The trainable part: the prefix's frames to the hidden states of a layer above it.

    Args:
        model: A model of transformers; it must not be used otherwise any more.
        freeze: Where it is cut; not `all`, which leaves no suffix.
        num_layers: Layers from the cut upwards that it has; None takes all of the model's.
        gradient_checkpointing: See `Layers`.

    Raises:
        ParamsError: The model has fewer layers than are frozen, or above them than wanted.
        WeightsError: Its positions are normalised over the batch, padding included.
    """

    def __init__(
        self,
        model: SpeechNetwork,
        freeze: Freeze,
        *,
        num_layers: int | None = None,
        gradient_checkpointing: bool = False,
    ) -> None:
        super().__init__()
        self.output_dim = int(model.config.hidden_size)
        self.stem = Stem(model) if freeze == "feature_encoder" else None
        if self.stem is not None and getattr(self.stem.positions, "batch_norm", None) is not None:
            raise WeightsError(
                f"{model.name_or_path}: conv_pos_batch_norm is true, so padding would change the "
                f"answer; freeze at least one layer (freeze: 1)"
            )
        first = _num_frozen_layers(model, freeze)
        topmost = model.config.num_hidden_layers
        last = first + layers_above(freeze, topmost, num_layers, model.name_or_path)
        self.layers = Layers(model, first, last, gradient_checkpointing=gradient_checkpointing)
        # Lower states are handed out as transformers does: only the topmost is normalised.
        is_left = last == topmost and not _hands_out_normalised(model, first)
        is_left = is_left and has_final_norm(model)
        self.final_norm = model.encoder.layer_norm if is_left else nn.Identity()
        self.window = _window_of(model)
        replace_dropouts(self)
        replace_linears(self)
        self.train()  # as every module is when it is made; the checkpoint was loaded to evaluate

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Return the topmost hidden states `(batch, num_frames, hidden_size)`.

        Args:
            frames: What the prefix returned, padded `(batch, num_frames, num_bins)`.
            lengths: Valid frames per row `(batch,)`; what lies beyond them in the result
                has no meaning.
        """
        if self.window is None or frames.shape[1] <= self.window.num_frames:
            return self._of_pieces(frames, lengths)
        num_frames, piece = frames.shape[1], self.window.num_frames
        padded = nn.functional.pad(frames, (0, 0, 0, -num_frames % piece))
        pieces = padded.view(len(padded), -1, piece, padded.shape[2])
        starts = torch.arange(pieces.shape[1], device=lengths.device) * piece
        left = (lengths.unsqueeze(1) - starts).clamp(0, piece)
        heard = left > 0
        states = frames.new_zeros(*pieces.shape[:3], self.output_dim)
        states[heard] = self._of_pieces(pieces[heard], left[heard]).to(states.dtype)
        return states.flatten(1, 2)[:, :num_frames]

    def _of_pieces(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Return the topmost hidden states of what is heard at once."""
        valid = None
        if bool((lengths < frames.shape[1]).any()):
            valid = valid_frames(lengths, frames.shape[1])
        hidden = silenced(frames, valid)
        if self.stem is not None:
            hidden = self.stem(hidden, valid)
        states: Tensor = self.final_norm(self.layers(hidden, valid))
        return states

    def parameter_depth(self, name: str) -> int:
        """Return 1 for a parameter of the topmost layer, 2 for the layer below it, ...

        What lies below the lowest layer has the next number; the final normalisation
        counts with the topmost layer, the positions that all layers share with the lowest.
        """
        num_layers = len(self.layers.layers)
        if name.startswith("stem."):
            return num_layers + 1
        if name.startswith("layers.relative."):
            return num_layers
        if name.startswith("layers.layers."):
            return num_layers - int(name.split(".")[2])
        return 1


def receptive_field(kernels: Sequence[int], strides: Sequence[int]) -> int:
    """Return how many samples one frame of a stack of convolutions sees.

    Example:
        >>> receptive_field([10, 3, 3, 3, 3, 2, 2], [5, 2, 2, 2, 2, 2, 2])
        400
    """
    size = 1
    for kernel, stride in zip(reversed(kernels), reversed(strides), strict=True):
        size = (size - 1) * stride + kernel
    return size


def require_layers(freeze: Freeze, num_layers: int, checkpoint: str) -> None:
    """Refuse a cut above the topmost layer.

    Args:
        freeze: Where the network is cut.
        num_layers: Transformer layers of the checkpoint.
        checkpoint: Its name, for the message.

    Raises:
        ParamsError: More layers are frozen than there are.
    """
    if isinstance(freeze, int) and freeze > num_layers:
        raise ParamsError(
            f"freeze: {freeze} layers, but the checkpoint {checkpoint} has {num_layers}"
        )


def layers_above(freeze: Freeze, num_layers: int, wanted: int | None, checkpoint: str) -> int:
    """Return how many layers a model has above the cut.

    Args:
        freeze: Where the network is cut; not `all`.
        num_layers: Transformer layers of the checkpoint.
        wanted: Layers from the cut upwards that the model has; None takes all.
        checkpoint: Its name, for the message.

    Raises:
        ParamsError: There are fewer.
    """
    require_layers(freeze, num_layers, checkpoint)
    there = num_layers - (freeze if isinstance(freeze, int) else 0)
    if wanted is not None and wanted > there:
        raise ParamsError(
            f"num_layers: {wanted} layers above freeze: {freeze}, but the checkpoint "
            f"{checkpoint} has {there} there"
        )
    return there if wanted is None else wanted


def _hands_out_normalised(model: SpeechNetwork, num_layers: int) -> bool:
    """Whether the state after so many layers is normalised: Whisper's last, no other's."""
    return _window_of(model) is not None and num_layers == model.config.num_hidden_layers


def _window_of(model: SpeechNetwork) -> Window | None:
    found: Window | None = getattr(model, "window", None)
    return found


def _num_frozen_layers(model: SpeechNetwork, freeze: Freeze) -> int:
    num_layers = int(model.config.num_hidden_layers)
    if freeze == "feature_encoder":
        return 0
    if freeze == "all":
        return num_layers
    require_layers(freeze, num_layers, model.name_or_path)
    return freeze


def _num_bins(config: Config, freeze: Freeze) -> int:
    if freeze == "feature_encoder":
        return int(config.conv_dim[-1])
    if freeze == "all":
        return 2 * (int(config.num_hidden_layers) + 1) * int(config.hidden_size)
    return int(config.hidden_size)


def _mean_and_deviation(state: Tensor) -> Tensor:
    """Return both over time: `(1, num_frames, dim)` -> `(1, 2 * dim)`."""
    return torch.cat([state.mean(dim=1), state.std(dim=1, correction=0)], dim=-1)
