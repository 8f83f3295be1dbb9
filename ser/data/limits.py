"""What one recording may be, in training and in serving alike."""

import math
import sys
from typing import ClassVar, Self

from pydantic import Field, model_validator

from ser.errors import AudioError
from ser.params import Section

_SHOWN_BITS = 64

#: Whoever writes unscaled integers as floats stays below; the power of what is above would
#: overflow in the features, and comes from damaged samples.
MAX_MAGNITUDE = 2.0**31


class RecordingLimits(Section):
    """What one recording may be.

    Args:
        max_bytes: Encoded size; 32 MiB hold ten minutes of mono at 16 bit and 27 kHz.
        max_duration_s: A conversation, not an archive; bounds memory and the time of an answer.
        min_duration_s: Shorter is less than a syllable.
        max_channels: Of a microphone array; channels are averaged.
        min_sampling_rate, max_sampling_rate: In Hz; below a telephone's rate there is no
            speech left, above studio rates nothing is recorded.
        silence_dbfs: A recording whose peak is below is refused as silent, in dB relative
            to full scale: there is nothing in it but its noise.
    """

    #: Of params.yaml, where the limits stand; for messages.
    section: ClassVar[str] = "input_limits"

    max_bytes: int = Field(32 * 2**20, ge=1024, le=2**31)
    max_duration_s: float = Field(600.0, gt=0.0, le=3600.0)
    min_duration_s: float = Field(0.1, ge=0.01)
    max_channels: int = Field(8, ge=1, le=64)
    min_sampling_rate: int = Field(4000, ge=1000)
    max_sampling_rate: int = Field(192000, le=768000)
    silence_dbfs: float = Field(-70.0, le=0.0)

    @model_validator(mode="after")
    def _consistent(self) -> "RecordingLimits":
        if self.min_duration_s > self.max_duration_s:
            raise ValueError(
                f"min_duration_s {self.min_duration_s:g} must not exceed max_duration_s "
                f"{self.max_duration_s:g}"
            )
        if self.min_sampling_rate > self.max_sampling_rate:
            raise ValueError(
                f"min_sampling_rate {self.min_sampling_rate} must not exceed max_sampling_rate "
                f"{self.max_sampling_rate}"
            )
        return self

    def of_any_length(self) -> Self:
        """Return the same without bounds of size and length: for what is never held as a whole."""
        return self.model_copy(update={"max_bytes": sys.maxsize, "max_duration_s": math.inf})


#: The widest that params can ask for: for recordings that passed their corpus' own limits.
WIDEST = RecordingLimits(
    max_bytes=2**31,
    max_duration_s=3600.0,
    min_duration_s=0.01,
    max_channels=64,
    min_sampling_rate=1000,
    max_sampling_rate=768000,
)


def check_size(num_bytes: int, limits: RecordingLimits) -> None:
    """Refuse more encoded bytes than are read.

    Raises:
        AudioError: Names both.
    """
    if num_bytes > limits.max_bytes:
        raise AudioError(
            f"too large: {num_bytes} bytes; at most {limits.max_bytes} are read "
            f"({limits.section}.max_bytes), give it in parts or compressed"
        )


def check_rate(sampling_rate: int, limits: RecordingLimits) -> None:
    """Refuse a rate, in Hz, at which nobody records speech.

    Raises:
        AudioError: Names it and the limits.
    """
    if not limits.min_sampling_rate <= sampling_rate <= limits.max_sampling_rate:
        bits = sampling_rate.bit_length()
        # Python refuses to write out an integer of more than 4300 digits.
        shown = f"{sampling_rate}" if bits <= _SHOWN_BITS else f"an integer of {bits} bits,"
        raise AudioError(
            f"sampling rate {shown} Hz; {limits.min_sampling_rate} to {limits.max_sampling_rate} "
            f"Hz are read ({limits.section}.min_sampling_rate, .max_sampling_rate), resample it"
        )


def check_channels(num_channels: int, limits: RecordingLimits) -> None:
    """Refuse more channels than are averaged.

    Raises:
        AudioError: Names both numbers.
    """
    if not 1 <= num_channels <= limits.max_channels:
        raise AudioError(
            f"{num_channels} channels; 1 to {limits.max_channels} are averaged "
            f"({limits.section}.max_channels), give them apart"
        )


def check_longest(num_samples: int, sampling_rate: int, limits: RecordingLimits) -> None:
    """Refuse more samples per channel than are read.

    Raises:
        AudioError: Names both durations.
    """
    if num_samples > limits.max_duration_s * sampling_rate:
        raise AudioError(
            f"too long: {num_samples} samples or more at {sampling_rate} Hz; at most "
            f"{limits.max_duration_s:g} s are read ({limits.section}.max_duration_s), give it in "
            f"parts"
        )


def check_speech(
    num_samples: int, sampling_rate: int, peak: float, limits: RecordingLimits
) -> None:
    """Refuse what is too short or too quiet to hold speech.

    Args:
        num_samples: Per channel.
        sampling_rate: In Hz.
        peak: Largest magnitude after down-mixing; full scale is 1.
        limits: What it may be.

    Raises:
        AudioError: Says which.
    """
    if num_samples < limits.min_duration_s * sampling_rate:
        raise AudioError(
            f"too short: {num_samples} samples at {sampling_rate} Hz are "
            f"{num_samples / sampling_rate:.4f} s; at least {limits.min_duration_s:g} s are needed "
            f"({limits.section}.min_duration_s)"
        )
    if (level := _dbfs(peak)) < limits.silence_dbfs:
        raise AudioError(
            f"silent: its peak is {level:.1f} dBFS; at least {limits.silence_dbfs:g} dBFS are "
            f"needed ({limits.section}.silence_dbfs)"
        )


def _dbfs(magnitude: float) -> float:
    """Return a magnitude in dB relative to full scale; -inf for zero."""
    return 20.0 * math.log10(magnitude) if magnitude > 0.0 else -math.inf
