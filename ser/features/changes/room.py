"""The room that speech is heard in."""

import numpy as np

from ser.features.changes._base import (
    FOLDER,
    Change,
    Samples,
    Sounds,
    at_power,
    hearing,
    number,
    power,
    registered,
)


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


@hearing("rir", "impulses", form="rir_<folder of data/sounds> with impulse responses, as rir_hall")
def _measured(value: str, sounds: Sounds) -> Change:
    """Return speech in a room of the user: one of the impulse responses of a folder.

    What comes before the direct sound, which is the largest sample, is left out.
    """
    if not FOLDER.fullmatch(value):
        raise ValueError(f"expected the name of a folder of data/sounds, got {value!r}")

    def change(waveform: Samples, sampling_rate: int, rng: np.random.Generator) -> Samples:  # noqa: ARG001
        responses = sounds.impulses(value)
        response = responses[int(rng.integers(len(responses)))]()
        return in_room(waveform, response[np.abs(response).argmax() :])

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
