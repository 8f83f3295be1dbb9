"""Changes of the level, and what comes of too high a one."""

import numpy as np

from ser.features.changes._base import Change, Samples, number, refuse_nothing, registered


@registered("gain", form="gain_<dB>db with dB in [-60, 60], as gain_-6db")
def _gain(value: str) -> Change:
    """Return speech louder by so many decibels, or quieter; nothing is clipped."""
    gain_db = number(value, "db", low=-60, high=60, what="the gain")
    refuse_nothing(gain_db, "a gain")
    factor = np.float32(10 ** (gain_db / 20))

    def change(waveform: Samples, sampling_rate: int, rng: np.random.Generator) -> Samples:  # noqa: ARG001
        return waveform * factor

    return change


@registered("clip", form="clip_<dB>db with a limit that far below the peak, as clip_6db")
def _clip(value: str) -> Change:
    """Return speech cut off at a limit so many decibels below its peak, as overdriven."""
    below_db = number(value, "db", low=0, high=40, what="the limit below the peak")
    refuse_nothing(below_db, "a limit")

    def change(waveform: Samples, sampling_rate: int, rng: np.random.Generator) -> Samples:  # noqa: ARG001
        limit = np.abs(waveform).max() * np.float32(10 ** (-below_db / 20))
        return np.clip(waveform, -limit, limit)

    return change
