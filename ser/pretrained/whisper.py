"""Whisper's encoder, in the shape that the other speech transformers have.

Between the waveform and the transformer lie a log-mel spectrogram, as the published feature
extractor computes it, and two convolutions. The transformer has learnt one position per frame
of thirty seconds, and no more: what is longer is heard in pieces.

Source:
    Radford et al. (2023), "Robust speech recognition via large-scale weak supervision",
    section 2.2.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ser.pretrained._published import Config, Encoder, Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers.models.whisper.modeling_whisper import WhisperEncoder

#: Of the published feature extractor: samples of a window, samples between two, seconds heard.
WINDOW, HOP, CHUNK_S = 400, 160, 30
SAMPLING_RATE = 16000

#: Encoder's tensors in a published checkpoint, which holds the decoder, too -> in the encoder.
KEY_MAPPING = {r"^model\.encoder\.": "", r"^encoder\.": ""}


class WhisperMel(nn.Module):
    """Waveforms to log-mel frames: `(1, num_samples)` -> `(1, num_mels, num_samples // 160)`.

    Each waveform is scaled by itself: what lies more than 80 dB below its loudest value is
    raised to that.

    Args:
        num_mels: 80, or 128 in the newest checkpoints.
    """

    filters: Tensor
    window: Tensor

    def __init__(self, num_mels: int) -> None:
        super().__init__()
        from transformers.audio_utils import mel_filter_bank

        filters = mel_filter_bank(
            num_frequency_bins=1 + WINDOW // 2,
            num_mel_filters=num_mels,
            min_frequency=0.0,
            max_frequency=SAMPLING_RATE / 2,
            sampling_rate=SAMPLING_RATE,
            norm="slaney",
            mel_scale="slaney",
        )
        self.register_buffer("filters", torch.from_numpy(filters).float().T.contiguous())
        self.register_buffer("window", torch.hann_window(WINDOW))

    def forward(self, waveforms: Tensor) -> Tensor:
        """Return the frames of a waveform of at least 400 samples."""
        # An ONNX graph has no complex numbers.
        is_complex = not torch.onnx.is_in_onnx_export()
        spectrum = torch.stft(
            waveforms[0], WINDOW, HOP, window=self.window, return_complex=is_complex
        )
        lengths = spectrum[:, :-1].abs() if is_complex else spectrum[:, :-1].norm(dim=-1)
        levels = torch.clamp(self.filters @ (lengths**2).contiguous(), min=1e-10).log10()
        levels = torch.maximum(levels, levels.max() - 8.0)
        return ((levels + 4.0) / 4.0).unsqueeze(0)


class FrontEnd(nn.Module):
    """From a waveform to the output of the convolutions.

    Args:
        encoder: A model of transformers.
    """

    def __init__(self, encoder: WhisperEncoder) -> None:
        super().__init__()
        self.log_mel = WhisperMel(int(encoder.config.num_mel_bins))
        self.conv1, self.conv2 = encoder.conv1, encoder.conv2

    def forward(self, waveforms: Tensor) -> Tensor:
        """Return `(1, hidden_size, num_frames)` of `(1, num_samples)`, a frame every 20 ms."""
        mels = self.log_mel(waveforms)
        # The published encoder sees an even number of mel frames, of which it makes half as many.
        mels = nn.functional.pad(mels, (0, mels.shape[2] % 2))
        hidden = nn.functional.gelu(self.conv1(mels))
        return nn.functional.gelu(self.conv2(hidden))


class Positions(nn.Module):
    """One vector per frame, fixed: sinusoids, which no checkpoint trains.

    Args:
        embedding: Of the checkpoint `(num_positions, hidden_size)`.
    """

    table: Tensor

    def __init__(self, embedding: nn.Embedding) -> None:
        super().__init__()
        # Not saved with a trained model: the checkpoint has it.
        self.register_buffer("table", embedding.weight.detach().clone(), persistent=False)

    def forward(self, hidden: Tensor) -> Tensor:
        """Return the positions of frames `(batch, num_frames, hidden_size)`, from the first."""
        return self.table[: hidden.shape[1]]


class EncoderSizes:
    """The sizes of an encoder under the names that other speech transformers give them.

    Args:
        config: Of transformers.
    """

    def __init__(self, config: Any) -> None:
        self.hidden_size = int(config.d_model)
        self.num_hidden_layers = int(config.encoder_layers)
        self.conv_dim: Sequence[int] = (self.hidden_size,)
        self.conv_kernel: Sequence[int] = (WINDOW,)
        self.conv_stride: Sequence[int] = (HOP,)
        self.do_stable_layer_norm = True


class Transformer(nn.Module):
    """The transformer of an encoder, above its convolutions; see `ser.pretrained._published`.

    Args:
        encoder: A model of transformers.
    """

    def __init__(self, encoder: WhisperEncoder) -> None:
        super().__init__()
        self.pos_conv_embed: nn.Module = Positions(encoder.embed_positions)
        self.layer_norm: nn.Module = encoder.layer_norm
        self.dropout: nn.Module = nn.Dropout(float(encoder.config.dropout))
        self.layers: nn.ModuleList = encoder.layers


class WhisperNetwork(nn.Module):
    """An encoder as a `ser.pretrained._published.SpeechNetwork`.

    Args:
        encoder: A model of transformers, in evaluation mode.
    """

    def __init__(self, encoder: WhisperEncoder) -> None:
        super().__init__()
        self.config: Config = EncoderSizes(encoder.config)
        self.name_or_path = str(encoder.name_or_path)
        self.feature_extractor: nn.Module = FrontEnd(encoder)
        self.feature_projection: nn.Module = nn.Identity()
        self.encoder: Encoder = Transformer(encoder)
        num_frames = int(encoder.config.max_source_positions)
        self.window = Window(num_samples=2 * HOP * num_frames, num_frames=num_frames)
        # A plain tuple: its modules are this one's own and must not be listed twice.
        self._published = (encoder,)
        self.eval()

    def save_pretrained(self, save_directory: Path, /) -> object:
        """Write config.json and model.safetensors of the encoder into a folder."""
        return self._published[0].save_pretrained(save_directory)
