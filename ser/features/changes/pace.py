"""Changes of time and pitch."""

import math
import re
from fractions import Fraction

import numpy as np

from ser.data import hearing
from ser.features.changes._base import (
    Change,
    Samples,
    no_value,
    number,
    refuse_nothing,
    registered,
)
from ser.features.store import CLEAN

_SILENCE_DB = 30.0
_FRAME_S, _HOP_S = 0.025, 0.010
_SHORTEST_S = 0.1
_WINDOW_S = 0.064


@registered("speed", form="speed_<factor> with a factor in [0.5, 2.0], as speed_0.9")
def _speed(value: str) -> Change:
    """Return speech so many times as fast, and as high: played at another rate.

    Source:
        Ko, Peddinti, Povey, Khudanpur (2015), "Audio augmentation for speech recognition",
        section 2.1.
    """
    if not re.fullmatch(r"\d+(\.\d+)?", value):
        raise ValueError(f"expected a factor such as 0.9 or 1.1, got {value!r}")
    factor = Fraction(value)
    if not Fraction(1, 2) <= factor <= 2:
        raise ValueError(f"the factor must be in [0.5, 2.0], got {value}")
    if factor == 1:
        raise ValueError(f"a factor of 1 changes nothing; {CLEAN} is that copy")
    if value != str(float(factor)):
        raise ValueError(f"write the factor as {float(factor)}, which is its one spelling here")

    def change(waveform: Samples, sampling_rate: int, rng: np.random.Generator) -> Samples:  # noqa: ARG001
        # To the resampler only the ratio of the two rates counts; as whole numbers it is exact.
        return hearing.at_rate(waveform, factor.numerator, wanted=factor.denominator)

    return change


@registered("pitch", form="pitch_<semitones>st with semitones in [-12, 12], as pitch_-2st")
def _pitch(value: str) -> Change:
    """Return speech higher by so many semitones, or lower, at its own tempo.

    The formants move with the pitch. A phase vocoder stretches, the resampler of `speed` makes
    the length good.
    """
    semitones = number(value, "st", low=-12, high=12, what="the shift")
    refuse_nothing(semitones, "a shift")

    def change(waveform: Samples, sampling_rate: int, rng: np.random.Generator) -> Samples:  # noqa: ARG001
        # librosa costs a second to import, and whoever reads a copy's name needs none of it.
        import librosa

        window = 1 << round(math.log2(_WINDOW_S * sampling_rate))
        # Half a window is needed at least, and a shorter recording has no pitch to speak of.
        padded = np.pad(waveform, (0, max(0, window - len(waveform))))
        shifted: Samples = librosa.effects.pitch_shift(
            padded, sr=sampling_rate, n_steps=semitones, n_fft=window, res_type="soxr_hq"
        )
        return shifted[: len(waveform)]

    return change


@registered("trimmed", form="trimmed, without the silence at both ends")
def _trimmed(value: str) -> Change:
    """Return the speech from the first to the last frame within 30 dB of the loudest.

    A recording of which less than 0.1 s would be left stays whole.
    """
    no_value(value)

    def change(waveform: Samples, sampling_rate: int, rng: np.random.Generator) -> Samples:  # noqa: ARG001
        # librosa costs a second to import, and whoever reads a copy's name needs none of it.
        import librosa

        frame, hop = round(_FRAME_S * sampling_rate), round(_HOP_S * sampling_rate)
        kept, _ = librosa.effects.trim(
            waveform, top_db=_SILENCE_DB, frame_length=frame, hop_length=hop
        )
        speech: Samples = kept
        return speech if len(speech) >= _SHORTEST_S * sampling_rate else waveform

    return change
