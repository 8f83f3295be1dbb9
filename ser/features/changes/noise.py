"""Noise added at a signal-to-noise ratio (SNR).

The SNR is the power of the recording over that of the noise, in dB, both as means over the
whole recording, pauses included. The sum is not clipped at full scale, so the SNR is exact.
A recording that is digital silence has no SNR and stays what it is.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ser.features.changes._base import Change, Samples, at_power, number, power, registered

_LOWEST_HZ = 20.0
"""Below this pink noise is flat: what grows without end towards 0 Hz is not heard."""

Noise = Callable[[int, int, np.random.Generator], NDArray[np.float64]]
"""Number of samples, sampling rate in Hz, random numbers -> noise of any power."""


def snr_of(value: str) -> float:
    """Return the SNR in dB that a copy's name says; raise ValueError where it says none."""
    return number(value, "db", low=-20, high=60, what="the signal-to-noise ratio")


def added(waveform: Samples, noise: NDArray[np.floating], snr_db: float) -> Samples:
    """Return the sum of a recording and noise at an SNR.

    Args:
        waveform: The recording `(num_samples,)`.
        noise: As long; its own power does not count.
        snr_db: See the head of this file.
    """
    return waveform + at_power(noise, power(waveform) * 10 ** (-snr_db / 10))


def _with(make: Noise, value: str) -> Change:
    snr_db = snr_of(value)

    def change(waveform: Samples, sampling_rate: int, rng: np.random.Generator) -> Samples:
        return added(waveform, make(len(waveform), sampling_rate, rng), snr_db)

    return change


@registered("noise", form="noise_<SNR>db, white, with an SNR in [-20, 60], as noise_20db")
def _white(value: str) -> Change:
    """Return speech in white noise."""
    return _with(lambda num_samples, _, rng: rng.standard_normal(num_samples), value)


@registered("pink", form="pink_<SNR>db, as pink_20db")
def _pink(value: str) -> Change:
    """Return speech in pink noise: equal power in every octave."""
    return _with(_pink_noise, value)


def _pink_noise(
    num_samples: int, sampling_rate: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    spectrum = np.fft.rfft(rng.standard_normal(num_samples))
    frequencies = np.fft.rfftfreq(num_samples, 1 / sampling_rate)
    return np.fft.irfft(spectrum / np.sqrt(np.maximum(frequencies, _LOWEST_HZ)), num_samples)
