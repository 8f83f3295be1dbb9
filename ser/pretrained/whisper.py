"""Whisper's encoder, in the shape that the other speech transformers have.

Between the waveform and the transformer lie a log-mel spectrogram, as the published feature
extractor computes it, and two convolutions. The transformer has learnt one position per frame
of thirty seconds, and no more: what is longer is heard in pieces.

Source:
    Radford et al. (2023), "Robust speech recognition via large-scale weak supervision",
    section 2.2.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ser.pretrained._published import Config, Encoder, Window
from ser.pretrained.whisper_config import EncoderConfig
from ser.pretrained.whisper_encoder import WhisperEncoder

#: Of the published feature extractor: samples of a window, samples between two, seconds heard.
WINDOW, HOP, CHUNK_S = 400, 160, 30
SAMPLING_RATE = 16000

#: Slaney's mel scale: linear up to 1000 Hz, 15 mels, and logarithmic above: 27 mels a factor 6.4.
_LINEAR_MELS, _LINEAR_HZ, _MELS_PER_LOG = 15.0, 1000.0, 27.0 / np.log(6.4)


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
        self.register_buffer("filters", torch.from_numpy(mel_filters(num_mels)).float())
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


def mel_filters(num_mels: int) -> NDArray[np.float64]:
    """Return triangular filters of equal area, `(num_mels, 1 + WINDOW // 2)`.

    In double precision, as in transformers, whose filters these are to the last digit; torchaudio
    computes them in single precision.

    Source:
        Slaney (1998), "Auditory toolbox, version 2": the scale and the areas.
    """
    highest = _LINEAR_MELS + np.log(SAMPLING_RATE / 2 / _LINEAR_HZ) * _MELS_PER_LOG
    corners = _hertz(np.linspace(0.0, highest, num_mels + 2))
    bins = np.linspace(0, SAMPLING_RATE // 2, 1 + WINDOW // 2)
    slopes = corners[:, None] - bins
    widths = np.diff(corners)[:, None]
    triangles = np.maximum(0.0, np.minimum(-slopes[:-2] / widths[:-1], slopes[2:] / widths[1:]))
    return triangles * (2.0 / (corners[2:] - corners[:-2]))[:, None]


def _hertz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return frequencies in Hz of Slaney's mels."""
    linear = mels * (_LINEAR_HZ / _LINEAR_MELS)
    return np.where(
        mels < _LINEAR_MELS,
        linear,
        _LINEAR_HZ * np.exp((mels - _LINEAR_MELS) / _MELS_PER_LOG),
    )


class FrontEnd(nn.Module):
    """From a waveform to the output of the convolutions.

    Args:
        encoder: With its weights.
    """

    def __init__(self, encoder: WhisperEncoder) -> None:
        super().__init__()
        self.log_mel = WhisperMel(encoder.config.num_mel_bins)
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
        config: As Whisper's own config.json has them.
    """

    def __init__(self, config: EncoderConfig) -> None:
        self.hidden_size = config.d_model
        self.num_hidden_layers = config.encoder_layers
        self.conv_dim: Sequence[int] = (self.hidden_size,)
        self.conv_kernel: Sequence[int] = (WINDOW,)
        self.conv_stride: Sequence[int] = (HOP,)
        self.do_stable_layer_norm = True


class Transformer(nn.Module):
    """The transformer of an encoder, above its convolutions; see `ser.pretrained._published`.

    Args:
        encoder: With its weights.
    """

    def __init__(self, encoder: WhisperEncoder) -> None:
        super().__init__()
        self.pos_conv_embed: nn.Module = Positions(encoder.embed_positions)
        self.layer_norm: nn.Module = encoder.layer_norm
        self.dropout: nn.Module = nn.Dropout(encoder.config.dropout)
        self.layers: nn.ModuleList = encoder.layers


class WhisperNetwork(nn.Module):
    """An encoder as a `ser.pretrained._published.SpeechNetwork`.

    Args:
        encoder: With its weights.
    """

    def __init__(self, encoder: WhisperEncoder) -> None:
        super().__init__()
        self.config: Config = EncoderSizes(encoder.config)
        self.name_or_path = encoder.name_or_path
        self.feature_extractor: nn.Module = FrontEnd(encoder)
        self.feature_projection: nn.Module = nn.Identity()
        self.encoder: Encoder = Transformer(encoder)
        num_frames = encoder.config.max_source_positions
        self.window = Window(num_samples=2 * HOP * num_frames, num_frames=num_frames)
        # A plain tuple: its modules are this one's own and must not be listed twice.
        self._published = (encoder,)
        self.eval()

    def save_pretrained(self, save_directory: Path, /) -> object:
        """Write config.json and model.safetensors of the encoder into a folder."""
        return self._published[0].save_pretrained(save_directory)
