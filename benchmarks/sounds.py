"""Sounds that are no speech, synthesised: silence, noise, tones and what sounds like music."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.float32]

#: Peak of tones and music, dB relative to full scale.
_PEAK_DBFS = -12.0
_MAJOR, _MINOR = (0, 4, 7), (0, 3, 7)
#: A progression of four chords: semitones above 220 Hz, and the chord on it.
_PROGRESSION = ((0, _MINOR), (-4, _MAJOR), (3, _MAJOR), (-2, _MAJOR))


def _scaled(sound: NDArray[np.float64], *, rms_dbfs: float) -> Sound:
    rms = np.sqrt(np.mean(sound**2))
    return np.clip(sound / rms * 10 ** (rms_dbfs / 20), -1, 1).astype(np.float32)


def _peaked(sound: NDArray[np.float64]) -> Sound:
    return (sound / np.abs(sound).max() * 10 ** (_PEAK_DBFS / 20)).astype(np.float32)


def white(num_samples: int, rng: np.random.Generator, *, rms_dbfs: float) -> Sound:
    """Return noise of equal power at all frequencies `(num_samples,)`."""
    return _scaled(rng.standard_normal(num_samples), rms_dbfs=rms_dbfs)


def pink(num_samples: int, rng: np.random.Generator, *, rms_dbfs: float) -> Sound:
    """Return noise of equal power in every octave `(num_samples,)`."""
    spectrum = np.fft.rfft(rng.standard_normal(num_samples))
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    spectrum[0] = 0.0
    return _scaled(np.fft.irfft(spectrum, num_samples), rms_dbfs=rms_dbfs)


def tone(num_samples: int, rng: np.random.Generator, *, sampling_rate: int) -> Sound:
    """Return a sine between 100 and 2000 Hz `(num_samples,)`."""
    frequency = np.exp(rng.uniform(np.log(100), np.log(2000)))
    return _peaked(np.sin(2 * np.pi * frequency * np.arange(num_samples) / sampling_rate))


def chords(num_samples: int, rng: np.random.Generator, *, sampling_rate: int) -> Sound:
    """Return plucked chords, two a second, with eight harmonics a note `(num_samples,)`."""
    sound = np.zeros(num_samples)
    shift = int(rng.integers(-5, 6))
    beat = sampling_rate // 2
    for number, start in enumerate(range(0, num_samples, beat)):
        time = np.arange(min(beat, num_samples - start)) / sampling_rate
        root, chord = _PROGRESSION[number % len(_PROGRESSION)]
        for semitones in chord:
            pitch = 220.0 * 2 ** ((root + semitones + shift) / 12)
            for harmonic in range(1, 9):
                wave = np.sin(2 * np.pi * pitch * harmonic * time + rng.uniform(0, 2 * np.pi))
                sound[start : start + len(time)] += wave * np.exp(-4 * time) / harmonic
    return _peaked(sound)


def drums(num_samples: int, rng: np.random.Generator, *, sampling_rate: int) -> Sound:
    """Return bursts of noise, four a second, every other one over a low tone `(num_samples,)`."""
    sound = np.zeros(num_samples)
    for number, start in enumerate(range(0, num_samples, sampling_rate // 4)):
        time = np.arange(min(sampling_rate // 4, num_samples - start)) / sampling_rate
        hit = rng.standard_normal(len(time)) * np.exp(-40 * time)
        if number % 2 == 0:
            hit = 0.3 * hit + np.sin(2 * np.pi * 60 * time) * np.exp(-15 * time)
        sound[start : start + len(time)] += hit
    return _peaked(sound)


def music(num_samples: int, rng: np.random.Generator, *, sampling_rate: int) -> Sound:
    """Return chords over drums `(num_samples,)`."""
    parts = [kind(num_samples, rng, sampling_rate=sampling_rate) for kind in (chords, drums)]
    return _peaked(np.sum(parts, axis=0, dtype=np.float64))


def kinds(sampling_rate: int) -> Mapping[str, Callable[[int, np.random.Generator], Sound]]:
    """Return name of a kind -> what makes a sound of so many samples.

    Args:
        sampling_rate: In Hz.
    """
    found: dict[str, Callable[[int, np.random.Generator], Sound]] = {}
    for name, noise in (("white", white), ("pink", pink)):
        for level in (-60.0, -40.0, -20.0):
            found[f"{name} noise, {level:g} dBFS"] = _with(noise, rms_dbfs=level)
    for maker in (tone, chords, drums, music):
        found[maker.__name__] = _with(maker, sampling_rate=sampling_rate)
    return found


def _with(
    maker: Callable[..., Sound], **given: float
) -> Callable[[int, np.random.Generator], Sound]:
    return lambda num_samples, rng: maker(num_samples, rng, **given)
