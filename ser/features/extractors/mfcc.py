"""Mel-frequency cepstral coefficients with deltas, one utterance at a time.

The settings that differ between libraries are librosa's: Slaney mel filters, power
spectrum, orthonormal DCT-II, decibels cut `top_db` below the utterance's own maximum,
zero-padded edges (so that a clip of any length has at least one frame).

Deltas are the regression of Furui (1986) over `delta_window` frames with replicated
edges; delta-deltas are deltas of deltas, as in HTK (librosa's `order=2` fits a parabola
instead and differs).
"""

import numpy as np
import torch
import torchaudio.functional
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor

from ser.contracts import Extractor
from ser.errors import ParamsError
from ser.features.extractors._base import ExtractorParams


class Params(ExtractorParams):
    """MFCC settings.

    Args:
        window_ms: Length of the Hann analysis window, in milliseconds.
        hop_ms: From one frame to the next, in milliseconds.
        num_mels: Mel bands.
        min_hz, max_hz: Edges of the mel filters, in Hz; null is half the sampling rate.
        num_coefficients: Cepstral coefficients kept, the zeroth included.
        num_deltas: 0 static only, 1 with deltas, 2 with deltas and delta-deltas.
        delta_window: Frames of the delta regression, odd.
        top_db: Dynamic range kept below the utterance's loudest band, in dB.
    """

    window_ms: float = Field(25.0, gt=0.0, le=200.0)
    hop_ms: float = Field(10.0, gt=0.0, le=200.0)
    num_mels: int = Field(40, ge=2, le=256)
    min_hz: float = Field(0.0, ge=0.0, le=96_000.0)
    max_hz: float | None = Field(None, gt=0.0, le=96_000.0)
    num_coefficients: int = Field(13, ge=1, le=256)
    num_deltas: int = Field(2, ge=0, le=2)
    delta_window: int = Field(9, ge=3, le=51)
    top_db: float = Field(80.0, gt=0.0, le=1000.0)

    @model_validator(mode="after")
    def _consistent(self) -> "Params":
        if self.num_coefficients > self.num_mels:
            raise ValueError(
                f"num_coefficients {self.num_coefficients} must not exceed num_mels {self.num_mels}"
            )
        if self.delta_window % 2 == 0:
            raise ValueError(f"delta_window must be odd, got {self.delta_window}")
        if self.max_hz is not None and self.max_hz <= self.min_hz:
            raise ValueError(f"max_hz {self.max_hz} must be above min_hz {self.min_hz}")
        return self


class MfccExtractor:
    """Waveform -> cepstra; see the module's docstring for the variant."""

    is_thread_safe = True
    dtype = "float32"

    def __init__(self, params: Params, sampling_rate: int) -> None:
        max_hz = params.max_hz or sampling_rate / 2
        if max_hz > sampling_rate / 2:
            raise ParamsError(
                f"features.mfcc.max_hz {max_hz} is above half of audio.sampling_rate "
                f"{sampling_rate}; lower it, or write null"
            )
        if max_hz <= params.min_hz:
            raise ParamsError(
                f"features.mfcc.min_hz {params.min_hz} is not below half of audio.sampling_rate "
                f"{sampling_rate}; lower it"
            )
        self.window_length = max(1, round(params.window_ms * sampling_rate / 1000))
        self.hop_length = max(1, round(params.hop_ms * sampling_rate / 1000))
        self.fft_length = 2 ** (self.window_length - 1).bit_length()
        self.top_db = params.top_db
        self.num_deltas, self.delta_window = params.num_deltas, params.delta_window
        self.num_bins = params.num_coefficients * (1 + params.num_deltas)
        self.provenance: dict[str, str | None] = {}
        self._window = torch.hann_window(self.window_length)
        self._filters = torchaudio.functional.melscale_fbanks(
            self.fft_length // 2 + 1,
            params.min_hz,
            max_hz,
            params.num_mels,
            sampling_rate,
            norm="slaney",
            mel_scale="slaney",
        ).T.contiguous()  # (num_mels, num_frequencies)
        dct = torchaudio.functional.create_dct(params.num_coefficients, params.num_mels, "ortho")
        self._dct = dct.T.contiguous()  # (num_coefficients, num_mels)

    @torch.inference_mode()
    def __call__(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return cepstra, deltas and delta-deltas `(num_frames, num_bins)`."""
        spectrum = torch.stft(
            torch.from_numpy(np.ascontiguousarray(waveform)),
            self.fft_length,
            self.hop_length,
            self.window_length,
            self._window,
            center=True,
            pad_mode="constant",
            return_complex=True,
        )
        mel = self._filters @ spectrum.abs().square()  # (num_mels, num_frames)
        blocks = [self._dct @ self._decibels(mel)]
        for _ in range(self.num_deltas):
            blocks.append(self._deltas(blocks[-1]))
        return torch.cat(blocks).T.contiguous().numpy()

    def _decibels(self, power: Tensor) -> Tensor:
        # The cut is relative to this utterance alone: a batch's maximum would let a loud
        # neighbour erase a quiet one.
        decibels = 10.0 * torch.log10(power.clamp(min=1e-10))
        return torch.maximum(decibels, decibels.max() - self.top_db)

    def _deltas(self, block: Tensor) -> Tensor:
        deltas: Tensor = torchaudio.functional.compute_deltas(block, self.delta_window)
        return deltas


def build(params: Params, *, sampling_rate: int) -> Extractor:
    """Return the extractor for waveforms of a sampling rate in Hz."""
    return MfccExtractor(params, sampling_rate)
