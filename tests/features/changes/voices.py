"""Waveforms whose measures are known, and what a copy's change makes of them."""

import numpy as np

from ser.features import copies

RATE = 16000


def changed(copy, waveform, rate=RATE, seed=0):
    """What a copy's change makes of a waveform."""
    return copies.change_of(copy)(waveform, rate, np.random.default_rng(seed))


def tone(hz, duration_s=1.0, rate=RATE):
    """A sine of amplitude 1."""
    return np.sin(2 * np.pi * hz * np.arange(round(duration_s * rate)) / rate).astype(np.float32)


def speech(duration_s=2.0, rate=RATE, seed=3):
    """Noise in bursts with pauses, most of its power at low frequencies; peak below 1."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(duration_s * rate)) / rate
    loudness = np.maximum(0.0, np.sin(2 * np.pi * 1.7 * time_s + 0.4))
    samples = np.cumsum(rng.normal(size=len(time_s)))
    samples = np.diff(samples, prepend=0.0) + 0.9 * np.roll(np.diff(samples, prepend=0.0), 1)
    return (0.1 * loudness * samples).clip(-0.99, 0.99).astype(np.float32)


def power_db(waveform):
    """Mean square, in dB."""
    return 10 * np.log10(np.mean(np.square(waveform, dtype=np.float64)))


def band_db(waveform, low_hz, high_hz, rate=RATE):
    """Power between two frequencies, in dB."""
    spectrum = np.abs(np.fft.rfft(waveform.astype(np.float64))) ** 2
    frequencies = np.fft.rfftfreq(len(waveform), 1 / rate)
    return 10 * np.log10(spectrum[(frequencies >= low_hz) & (frequencies < high_hz)].sum())


def pitch_of(waveform, rate=RATE):
    """The strongest frequency, in Hz."""
    spectrum = np.abs(np.fft.rfft(waveform * np.hanning(len(waveform)), 1 << 20))
    return spectrum.argmax() * rate / (1 << 20)
