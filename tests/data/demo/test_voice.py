"""The synthesiser, measured: pitch, formants, tempo, tilt, level."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from ser.data.demo import voice
from ser.data.demo.delivery import Delivery, Speaker

RATE = 16_000
STEADY = Delivery(range_st=0.0, jitter=0.0, shimmer=0.0, final_st=0.0, breath_db=-40.0)
MAN = Speaker(
    "Ses01M", pitch_hz=110.0, tract=1.0, habit=Delivery(), expressiveness=1.0, room_db=0.0
)
SENTENCE = "They moved the meeting to tomorrow."


def speak(
    text: str = SENTENCE, speaker: Speaker = MAN, delivery: Delivery = STEADY, *, seed: int = 0
) -> npt.NDArray[np.int16]:
    rng = np.random.default_rng(seed)
    return voice.synthesise(text, speaker, delivery, sampling_rate=RATE, rng=rng)


def spectrum(waveform: npt.NDArray[np.int16]) -> tuple[npt.NDArray, npt.NDArray]:
    """Frequencies in Hz and the mean power spectrum."""
    frames = np.lib.stride_tricks.sliding_window_view(waveform / 32768, 1024)[::512]
    power = (np.abs(np.fft.rfft(frames * np.hanning(1024))) ** 2).mean(axis=0)
    return np.fft.rfftfreq(1024, 1 / RATE), power


def pitch_hz(waveform: npt.NDArray[np.int16]) -> float:
    """Median over frames of the highest peak of the autocorrelation between 60 and 400 Hz."""
    frames = np.lib.stride_tricks.sliding_window_view(waveform / 32768, 1024)[::256]
    loud = frames[(frames**2).mean(axis=1) > 0.3 * (frames**2).mean()]
    power = np.abs(np.fft.rfft(loud * np.hanning(1024), 4096)) ** 2
    lags = np.fft.irfft(power)[:, RATE // 400 : RATE // 60]
    return float(np.median(RATE / (lags.argmax(axis=1) + RATE // 400)))


def decibels(power: float) -> float:
    return float(10 * np.log10(power))


@pytest.mark.parametrize("wanted_hz", [90.0, 130.0, 220.0])
def test_the_voice_has_the_speakers_pitch(wanted_hz: float) -> None:
    found = pitch_hz(speak(speaker=replace(MAN, pitch_hz=wanted_hz)))
    assert found == pytest.approx(wanted_hz, rel=0.05)


def test_twelve_semitones_are_an_octave() -> None:
    high = pitch_hz(speak(delivery=replace(STEADY, pitch_st=12.0)))
    assert high == pytest.approx(220.0, rel=0.05)


def test_vowels_have_their_formants() -> None:
    """Between the first two formants of `i` (300, 2250 Hz) lies a valley where `a` has a hill."""
    ratios = {}
    for vowel in "ia":
        frequencies, power = spectrum(speak(" ".join([f"m{vowel}"] * 6)))
        valley = power[(frequencies > 700) & (frequencies < 1300)].sum()
        ratios[vowel] = decibels(valley / power.sum())
    assert ratios["a"] > ratios["i"] + 10


def test_a_shorter_vocal_tract_moves_energy_up() -> None:
    def centre_hz(speaker: Speaker) -> float:
        frequencies, power = spectrum(speak(speaker=speaker))
        return float((frequencies * power).sum() / power.sum())

    assert centre_hz(replace(MAN, tract=1.25)) > 1.08 * centre_hz(MAN)


def test_tempo_shortens_the_utterance() -> None:
    fast = len(speak(delivery=replace(STEADY, tempo=0.3)))
    slow = len(speak(delivery=replace(STEADY, tempo=-0.3)))
    assert slow > 1.5 * fast


def test_energy_is_level_in_decibels() -> None:
    def level(energy_db: float) -> float:
        waveform = speak(delivery=replace(STEADY, energy_db=energy_db)) / 32768
        return decibels(np.mean(waveform**2))

    assert level(6.0) - level(-6.0) == pytest.approx(12.0, abs=0.3)


def test_tilt_raises_the_upper_spectrum() -> None:
    def brightness(tilt_db: float) -> float:
        frequencies, power = spectrum(speak(delivery=replace(STEADY, tilt_db=tilt_db)))
        return decibels(power[frequencies > 3000].sum() / power[frequencies < 800].sum())

    assert 8.0 < brightness(6.0) - brightness(-6.0) < 14.0


def test_breath_jitter_and_shimmer_make_the_voice_less_periodic() -> None:
    def roughness(delivery: Delivery) -> float:
        """Autocorrelation at one period: 1 for a perfectly periodic voice."""
        waveform = speak("ma ma ma ma", delivery=delivery) / 32768
        middle = waveform[len(waveform) // 3 :][: RATE // 8]
        period = round(RATE / MAN.pitch_hz)
        return float(np.corrcoef(middle[:-period], middle[period:])[0, 1])

    steady = roughness(STEADY)
    assert roughness(replace(STEADY, breath_db=14.0)) < steady - 0.05
    assert roughness(replace(STEADY, jitter=0.04)) < steady - 0.02
    assert roughness(replace(STEADY, shimmer=0.25)) < steady - 0.02


def test_loud_speech_is_not_clipped() -> None:
    loud = speak(delivery=replace(STEADY, energy_db=40.0))
    assert np.abs(loud).max() == pytest.approx(0.95 * 32767, abs=1)


def test_the_same_generator_gives_the_same_bytes_and_another_gives_others() -> None:
    assert speak(seed=1).tobytes() == speak(seed=1).tobytes()
    assert speak(seed=1).tobytes() != speak(seed=2).tobytes()


@pytest.mark.parametrize("text", ["", "Mm.", "A", "Hmm, no!", "Strengths?"])
def test_any_words_make_sound(text: str) -> None:
    waveform = speak(text)
    assert len(waveform) > 0.2 * RATE
    assert np.abs(waveform).max() > 1000


@pytest.mark.parametrize(
    ("text", "num_syllables"),
    [("tomorrow", 3), ("came", 1), ("the", 1), ("nobody saw you", 5), ("", 1)],
)
def test_syllables_are_counted(text: str, num_syllables: int) -> None:
    assert len(voice.syllables(text)) == num_syllables


def test_a_comma_makes_a_pause_and_a_sibilant_makes_high_noise() -> None:
    first, second = voice.syllables("well, see")
    assert (first.pause_s, second.pause_s) == (0.0, 0.16)
    assert (first.is_voiceless, second.is_voiceless, second.is_sibilant) == (False, True, True)
