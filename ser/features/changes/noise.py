"""Noise added at a signal-to-noise ratio (SNR).

The SNR is the power of the recording over that of the noise, in dB, both as means over the
whole recording, pauses included. The sum is not clipped at full scale, so the SNR is exact.
A recording that is digital silence has no SNR and stays what it is.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ser.features.changes._base import (
    Change,
    Samples,
    Sounds,
    at_power,
    hearing,
    number,
    power,
    registered,
)

_LOWEST_HZ = 20.0
"""Below this pink noise is flat: what grows without end towards 0 Hz is not heard."""

_NUM_VOICES = 5
"""Voices of a babble, as far as there are as many recordings; MUSAN's recipe takes 3 to 7."""

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


@hearing("babble", "voices", form="babble_<SNR>db, other speakers of the corpus, as babble_10db")
def _babble(value: str, sounds: Sounds) -> Change:
    """Return speech with other speakers behind it, all equally loud.

    Which recordings may be heard: `ser.data.voices`.

    Source:
        Snyder, Chen, Povey (2015), "MUSAN: A Music, Speech, and Noise Corpus".
    """

    def make(num_samples: int, _: int, rng: np.random.Generator) -> NDArray[np.float64]:
        voices = sounds.voices()
        chosen = rng.permutation(len(voices))[:_NUM_VOICES]
        total = np.zeros(num_samples)
        for index in chosen:
            total += at_power(_section(voices[index](), num_samples, rng), 1.0)
        return total

    return _with(make, value)


@hearing("noisefile", "noises", form="noisefile_<SNR>db, of audio.noise_folder, as noisefile_10db")
def _file(value: str, sounds: Sounds) -> Change:
    """Return speech in a noise of the user: one of the files, from a random place on."""

    def make(num_samples: int, _: int, rng: np.random.Generator) -> NDArray[np.float64]:
        noises = sounds.noises()
        noise = noises[int(rng.integers(len(noises)))]()
        return _section(noise, num_samples, rng).astype(np.float64)

    return _with(make, value)


def _section(sound: Samples, num_samples: int, rng: np.random.Generator) -> Samples:
    """Return so many samples from a random one on; behind the last comes the first again."""
    section: Samples = np.take(
        sound, rng.integers(len(sound)) + np.arange(num_samples), mode="wrap"
    )
    return section
