"""Changes of the level."""

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
