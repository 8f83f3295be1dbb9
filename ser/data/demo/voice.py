"""A source-filter synthesiser: words and a delivery become a waveform."""

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import signal

from ser.data.demo.delivery import Delivery, Speaker

Array = npt.NDArray[np.float64]

#: First three formants of an adult man's vowels in Hz, near Peterson and Barney (1952).
_FORMANTS: dict[str, tuple[float, float, float]] = {
    "a": (710.0, 1150.0, 2450.0),
    "e": (540.0, 1820.0, 2480.0),
    "i": (300.0, 2250.0, 2950.0),
    "o": (520.0, 900.0, 2410.0),
    "u": (320.0, 900.0, 2240.0),
    "y": (390.0, 1950.0, 2550.0),
}
_HIGHER_FORMANTS = (3400.0, 4300.0)
_BANDWIDTHS = np.array([70.0, 90.0, 140.0, 220.0, 300.0])

#: Neutral syllables per second.
_SYLLABLE_RATE = 5.2
_HOP_S = 0.025
_LEAD_S = 0.08
_PEAK = 0.95
#: RMS of a neutral utterance, relative to full scale.
_LEVEL_DB = -26.0

_SYLLABLE = re.compile(r"([^aeiouy]*)([aeiouy]+)")
_VOICELESS = re.compile(r"[sfhtkpcxq]")
_SIBILANT = re.compile(r"[sxcz]")


@dataclass(frozen=True, slots=True)
class Syllable:
    """A vowel and what stands before it.

    Args:
        vowel: A key of the vowel table.
        is_voiceless: It begins with noise instead of voice.
        is_sibilant: That noise lies high.
        pause_s: Silence before it.
    """

    vowel: str
    is_voiceless: bool
    is_sibilant: bool
    pause_s: float


@dataclass(frozen=True, slots=True)
class _Score:
    """Control tracks of one utterance, one value a sample.

    `frame_vowels` alone is sampled every `_HOP_S`: formants in Hz (num_frames, 3).
    """

    pitch_hz: Array
    voicing: Array
    hiss: Array
    frame_vowels: Array


def syllables(text: str) -> list[Syllable]:
    """Split words into syllables by their letters.

    Args:
        text: English words; commas and full stops make pauses.

    Returns:
        At least one syllable.

    Example:
        >>> [syllable.vowel for syllable in syllables("tomorrow")]
        ['o', 'o', 'o']
    """
    found: list[Syllable] = []
    pause_s = 0.0
    for word in text.lower().split():
        # A final e after a consonant is silent: "came" is one syllable, "the" is one too.
        spoken = re.sub(r"(?<=[aeiouy])([^aeiouy]+)e\b", r"\1", word.strip(".,?!'"))
        for onset, vowels in _SYLLABLE.findall(spoken):
            is_voiceless = bool(_VOICELESS.search(onset))
            is_sibilant = bool(_SIBILANT.search(onset))
            found.append(Syllable(vowels[0], is_voiceless, is_sibilant, pause_s))
            pause_s = 0.0
        pause_s = {",": 0.16, ".": 0.25}.get(word[-1], 0.0)
    return found or [Syllable("a", is_voiceless=False, is_sibilant=False, pause_s=0.0)]


def synthesise(
    text: str,
    speaker: Speaker,
    delivery: Delivery,
    *,
    sampling_rate: int,
    rng: np.random.Generator,
) -> npt.NDArray[np.int16]:
    """Speak a sentence.

    A train of Rosenberg pulses with jitter and shimmer, plus aspiration noise, goes
    through a cascade of five resonators that move from vowel to vowel; fricatives are
    noise beside it.

    Args:
        text: The words.
        speaker: Whose voice.
        delivery: How it is spoken.
        sampling_rate: Of the result, in Hz.
        rng: Decides noise and rhythm; no two utterances are the same.

    Returns:
        Samples (num_samples,), 16-bit.

    Source: A. E. Rosenberg, Effect of glottal pulse shape on the quality of natural
        vowels, JASA 49 (1971); G. E. Peterson and H. L. Barney, JASA 24 (1952).
    """
    score = _compose(syllables(text), speaker, delivery, sampling_rate=sampling_rate, rng=rng)
    source = _source(score, delivery, sampling_rate=sampling_rate, rng=rng)
    formants = _formants(score.frame_vowels, speaker)
    voiced = _filter_cascade(source, formants, sampling_rate=sampling_rate)
    waveform = voiced / (np.sqrt(np.mean(voiced**2)) + 1e-12) + 0.6 * score.hiss
    waveform = _tilt(waveform, delivery.tilt_db + speaker.room_db, sampling_rate=sampling_rate)
    waveform *= 10 ** ((_LEVEL_DB + delivery.energy_db) / 20) / np.sqrt(np.mean(waveform**2))
    waveform += 10 ** (-62 / 20) * rng.standard_normal(len(waveform))
    waveform *= min(1.0, _PEAK / np.abs(waveform).max())
    return np.rint(waveform * 32767).astype(np.int16)


def _compose(
    spoken: list[Syllable],
    speaker: Speaker,
    delivery: Delivery,
    *,
    sampling_rate: int,
    rng: np.random.Generator,
) -> _Score:
    """Lay the syllables out in time: pitch, loudness, noise and vowels."""
    num = len(spoken)
    durations = rng.uniform(0.75, 1.25, num) / (_SYLLABLE_RATE * np.exp(delivery.tempo))
    durations[-1] *= 1.35  # people slow down at the end
    pauses = np.array([syllable.pause_s for syllable in spoken]) * np.exp(-delivery.tempo)
    starts = _LEAD_S + np.cumsum(pauses + durations) - durations
    centres = starts + durations / 2
    num_samples = round((starts[-1] + durations[-1] + _LEAD_S) * sampling_rate)
    times = np.arange(num_samples) / sampling_rate

    accents = delivery.range_st * rng.standard_normal(num)
    declination = np.linspace(0.5, -0.5, num) * delivery.range_st
    contour = delivery.pitch_st + accents + declination
    contour[-1] += delivery.final_st
    pitch_hz = speaker.pitch_hz * 2 ** (np.interp(times, centres, contour) / 12)

    voicing, hiss = np.zeros(num_samples), np.zeros(num_samples)
    noise = rng.standard_normal(num_samples)
    rumble = signal.lfilter([1.0, -0.95], [1.0], noise)
    sibilance = signal.lfilter(*signal.butter(2, 0.55, "high"), noise) * 2.0
    loudness = rng.uniform(0.7, 1.2, num)
    for index, syllable in enumerate(spoken):
        low = int(starts[index] * sampling_rate)
        high = min(low + int(durations[index] * sampling_rate), num_samples)
        onset = low + int((0.35 if syllable.is_voiceless else 0.08) * (high - low))
        voicing[onset:high] = loudness[index] * signal.windows.tukey(high - onset, 0.5)
        if syllable.is_voiceless:
            burst = (sibilance if syllable.is_sibilant else rumble)[low:onset]
            hiss[low:onset] = burst * signal.windows.tukey(onset - low, 0.6) * 0.5
    frames = np.arange(0.0, num_samples / sampling_rate + _HOP_S, _HOP_S)
    targets = np.array([_FORMANTS[syllable.vowel] for syllable in spoken])
    targets *= np.exp(rng.normal(0.0, 0.04, targets.shape))
    vowels = np.stack([np.interp(frames, centres, track) for track in targets.T], axis=1)
    return _Score(pitch_hz, voicing, hiss, vowels)


def _source(
    score: _Score, delivery: Delivery, *, sampling_rate: int, rng: np.random.Generator
) -> Array:
    """Return the derivative of the glottal flow with aspiration noise, (num_samples,)."""
    steady = np.cumsum(score.pitch_hz) / sampling_rate
    periods = steady.astype(int)
    irregular = rng.standard_normal((2, periods[-1] + 1))[:, periods]
    phase = np.cumsum(score.pitch_hz * (1 + delivery.jitter * irregular[0])) / sampling_rate
    pulses = _rosenberg(phase % 1.0) * (1 + delivery.shimmer * irregular[1])
    flow = np.diff(pulses, prepend=0.0) * sampling_rate / score.pitch_hz
    breath = 10 ** ((delivery.breath_db - 22) / 20) * rng.standard_normal(len(flow))
    source: Array = score.voicing * (flow + breath * 4.0 * (0.3 + pulses))
    return source


def _rosenberg(phase: Array, *, rise: float = 0.42, fall: float = 0.18) -> Array:
    """Return the glottal flow at a phase in [0, 1) of its period, in [0, 1]."""
    opening = 0.5 * (1 - np.cos(np.pi * phase / rise))
    closing = np.cos(0.5 * np.pi * (phase - rise) / fall)
    flow: Array = np.where(phase < rise, opening, np.where(phase < rise + fall, closing, 0.0))
    return flow


def _formants(vowels: Array, speaker: Speaker) -> Array:
    """Return five formants per frame in Hz, (num_frames, 5)."""
    higher = np.broadcast_to(_HIGHER_FORMANTS, (len(vowels), len(_HIGHER_FORMANTS)))
    return np.concatenate([vowels, higher], axis=1) * speaker.tract


def _filter_cascade(source: Array, formants: Array, *, sampling_rate: int) -> Array:
    """Filter with moving resonators: Hann-weighted frames, each with its own cascade."""
    hop = round(_HOP_S * sampling_rate)
    num_fft = 2 * int(2 ** np.ceil(np.log2(2 * hop)))  # room for the resonators to ring
    padded = np.concatenate([np.zeros(hop), source, np.zeros(2 * hop)])
    window = signal.windows.hann(2 * hop, sym=False)  # sums to one at this hop
    frames = np.lib.stride_tricks.sliding_window_view(padded, 2 * hop)[::hop] * window
    formants = formants[np.minimum(np.arange(len(frames)), len(formants) - 1)]
    unit_delay = np.exp(-2j * np.pi * np.fft.rfftfreq(num_fft))
    gain = np.ones((len(frames), 1))
    poles = np.ones((len(frames), len(unit_delay)), dtype=complex)
    for centre, bandwidth in zip(formants.T, _BANDWIDTHS, strict=True):
        radius = np.exp(-np.pi * bandwidth / sampling_rate)
        first = (2 * radius * np.cos(2 * np.pi * centre / sampling_rate))[:, None]
        gain *= 1 - first + radius**2
        poles *= (1 + radius**2 * unit_delay**2) - first * unit_delay
    filtered = np.fft.irfft(np.fft.rfft(frames, num_fft) * (gain / poles), num_fft)
    output = np.zeros(len(frames) * hop + num_fft)  # overlap-add
    for index, frame in enumerate(filtered):
        output[index * hop : index * hop + num_fft] += frame
    return output[hop : hop + len(source)]


def _tilt(waveform: Array, tilt_db: float, *, sampling_rate: int) -> Array:
    """Raise or lower everything well above 1 kHz by `tilt_db` (first-order shelf)."""
    gain = 10 ** (tilt_db / 20)
    warped = np.tan(np.pi * 1500.0 / sampling_rate)
    numerator = np.array([gain + warped, warped - gain]) / (1 + warped)
    denominator = np.array([1.0, (warped - 1) / (1 + warped)])
    return np.asarray(signal.lfilter(numerator, denominator, waveform))
