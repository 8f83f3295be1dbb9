"""The room that speech is heard in."""

import numpy as np

from ser.features.changes._base import Change, Samples, at_power, number, power, registered


@registered("reverb", form="reverb_<seconds>s with a decay time in [0.05, 5], as reverb_0.4s")
def _reverb(value: str) -> Change:
    """Return speech in a synthetic room of a reverberation time RT60.

    The impulse response is the direct sound and a tail of the same energy, as at the room's
    critical distance: noise that decays by 60 dB in RT60. Level and length stay; nothing comes
    later than it was.

    Source:
        Polack (1988), "La transmission de l'énergie sonore dans les salles": decaying noise.
    """
    seconds = number(value, "s", low=0.05, high=5, what="the decay time")

    def change(waveform: Samples, sampling_rate: int, rng: np.random.Generator) -> Samples:
        time_s = np.arange(1, max(2, round(seconds * sampling_rate))) / sampling_rate
        tail = rng.standard_normal(len(time_s)) * 10 ** (-3 * time_s / seconds)
        tail /= np.sqrt(np.sum(tail**2))
        return in_room(waveform, np.concatenate([[1.0], tail]).astype(np.float32))

    return change


def in_room(waveform: Samples, impulse_response: Samples) -> Samples:
    """Return speech as heard through an impulse response, at its own length and power.

    Args:
        waveform: Mono `(num_samples,)`.
        impulse_response: At the same rate, `(length,)`; its first sample is the direct sound.
    """
    # scipy.signal is slow to import, and whoever reads a copy's name needs none of it.
    from scipy import signal

    heard = signal.oaconvolve(waveform, impulse_response)[: len(waveform)]
    return at_power(heard, power(waveform))
