import librosa
import numpy as np
import pytest
from pydantic import ValidationError

from ser.data import audio
from ser.errors import ParamsError
from ser.features.extractors import mfcc
from tests.rounding import EPS

pytestmark = pytest.mark.numeric

#: In float32 a loud band leaves some roundings of itself in the quiet ones, which are up to
#: 80 dB below it (`top_db`), and decibels are relative: 4 roundings of the loudest amplitude
#: times 10^(80/20) are 0.5 % of the quietest, 0.04 dB, and the cosine transform takes the mean.
DECIBELS = 1600 * EPS
#: Of coefficients near zero, in decibels.
SPEECH_DB = 5e-3

RATE = 16000


def waveform(seconds=1.0, seed=0):
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    tone = np.sin(2 * np.pi * (200 + 150 * time) * time) * np.hanning(len(time))
    return (0.5 * tone + 0.01 * rng.normal(size=len(time))).astype(np.float32)


def librosa_reference(samples, params):
    window = round(params.window_ms * RATE / 1000)
    length = 2 ** int(np.ceil(np.log2(window)))
    mel = librosa.feature.melspectrogram(
        y=samples,
        sr=RATE,
        n_fft=length,
        win_length=window,
        hop_length=round(params.hop_ms * RATE / 1000),
        n_mels=params.num_mels,
        fmin=params.min_hz,
        fmax=params.max_hz or RATE / 2,
        center=True,
        pad_mode="constant",
    )
    decibels = librosa.power_to_db(mel, ref=1.0, amin=1e-10, top_db=params.top_db)
    blocks = [librosa.feature.mfcc(S=decibels, n_mfcc=params.num_coefficients)]
    for _ in range(params.num_deltas):
        delta = librosa.feature.delta(blocks[-1], width=params.delta_window, mode="nearest")
        blocks.append(delta)
    return np.concatenate(blocks).T


@pytest.mark.parametrize(
    "params",
    [
        mfcc.Params(),
        mfcc.Params(window_ms=32.0, hop_ms=20.0, num_mels=64, num_coefficients=20),
        mfcc.Params(min_hz=50.0, max_hz=7000.0, num_deltas=1, delta_window=5),
        mfcc.Params(num_deltas=0, top_db=40.0),
    ],
)
def test_mfccs_equal_those_of_librosa(params):
    samples = waveform()
    frames = mfcc.build(params, sampling_rate=RATE)(samples)
    expected = librosa_reference(samples, params)
    assert frames.shape == expected.shape
    np.testing.assert_allclose(frames, expected, atol=DECIBELS * np.abs(expected).max())


@pytest.mark.emodb
def test_mfccs_of_real_speech_equal_those_of_librosa(emodb_recordings):
    params = mfcc.Params()
    extractor = mfcc.build(params, sampling_rate=RATE)
    for path in emodb_recordings[::60]:
        samples = audio.read(path, sampling_rate=RATE)
        np.testing.assert_allclose(
            extractor(samples), librosa_reference(samples, params), atol=SPEECH_DB, rtol=DECIBELS
        )


def test_frames_are_a_hop_apart_and_as_wide_as_promised():
    extractor = mfcc.build(mfcc.Params(hop_ms=20.0), sampling_rate=RATE)
    frames = extractor(waveform(1.0))
    assert frames.shape == (1 + RATE // 320, 39)
    assert extractor.num_bins == 39
    assert frames.dtype == np.float32


@pytest.mark.parametrize("num_samples", [1, 100, 399])
def test_a_clip_shorter_than_a_window_has_a_frame(num_samples):
    frames = mfcc.build(mfcc.Params(), sampling_rate=RATE)(waveform()[:num_samples])
    assert len(frames) >= 1
    assert np.isfinite(frames).all()


def test_digital_silence_has_finite_coefficients():
    frames = mfcc.build(mfcc.Params(), sampling_rate=RATE)(np.zeros(RATE, dtype=np.float32))
    assert np.isfinite(frames).all()


def test_nothing_leaks_from_a_loud_neighbour():
    """The decibel floor is the utterance's own: extracting a loud one changes no quiet one."""
    extractor = mfcc.build(mfcc.Params(), sampling_rate=RATE)
    quiet = 1e-3 * waveform()
    before = extractor(quiet)
    extractor(waveform(seed=1))
    np.testing.assert_array_equal(extractor(quiet), before)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"num_coefficients": 50, "num_mels": 40}, "must not exceed num_mels"),
        ({"delta_window": 4}, "must be odd"),
        ({"min_hz": 4000.0, "max_hz": 300.0}, "must be above min_hz"),
        ({"hop_ms": 0}, "greater than 0"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(bad, message):
    with pytest.raises(ValidationError, match=message):
        mfcc.Params(**bad)


def test_a_filter_edge_above_half_the_rate_is_refused():
    with pytest.raises(
        ParamsError, match=r"max_hz 9000\.0 is above half of audio\.sampling_rate 16000"
    ):
        mfcc.build(mfcc.Params(max_hz=9000.0), sampling_rate=RATE)
