import base64
import struct
import tracemalloc

import numpy as np
import pytest

from ser.data import audio
from ser.errors import AudioInputError
from ser.serving import audio_input
from ser.serving.audio_input import InputLimits, Waveform
from tests.serving.support import RATE, as_base64, encoded, speech

LIMITS = InputLimits()
KINDS = [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("FLAC", None), ("OGG", None), ("MP3", None)]


def refusal(call, *arguments, limits=LIMITS):
    with pytest.raises(AudioInputError) as caught:
        call(*arguments, limits)
    message = str(caught.value)
    assert "\n" not in message
    assert "0x" not in message
    return message


@pytest.mark.parametrize(("kind", "subtype"), KINDS)
@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_a_file_is_heard_as_training_hears_it(kind, subtype, rate, tmp_path):
    path = tmp_path / "recording"
    path.write_bytes(encoded(speech(rate=rate), rate, kind, subtype))
    waveform = audio_input.from_path(path, LIMITS)
    assert waveform.sampling_rate == rate
    heard = audio_input.to_rate(waveform, RATE)
    assert np.array_equal(heard, audio.read(path, sampling_rate=RATE))


def test_real_speech_is_heard_as_training_hears_it(emodb_root):
    paths = sorted((emodb_root / "wav").glob("*.wav"))[::20]
    assert len(paths) > 20
    for path in paths:
        heard = audio_input.to_rate(audio_input.from_path(path, LIMITS), 8000)
        assert np.array_equal(heard, audio.read(path, sampling_rate=8000))


def test_stereo_is_averaged(tmp_path):
    path = tmp_path / "stereo.wav"
    path.write_bytes(encoded(np.stack([speech(seed=1), speech(seed=2)], axis=1)))
    waveform = audio_input.from_path(path, LIMITS)
    assert np.array_equal(waveform.samples, audio.read(path, sampling_rate=RATE))


def test_base64_bytes_and_path_are_the_same(tmp_path):
    content = encoded(speech())
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    expected = audio_input.from_path(path, LIMITS).samples
    text = as_base64(content)
    wrapped = "\n".join(text[start : start + 76] for start in range(0, len(text), 76))
    for form in (text, wrapped, f"data:audio/wav;base64,{text}"):
        assert np.array_equal(audio_input.from_base64(form, LIMITS).samples, expected)
    assert np.array_equal(audio_input.from_bytes(content, LIMITS).samples, expected)


def test_samples_are_taken_as_they_are():
    samples = speech()
    waveform = audio_input.from_samples(samples.tolist(), RATE, LIMITS)
    assert np.array_equal(waveform.samples, samples)
    channels = np.stack([samples, samples])
    for form in (channels, channels.tolist(), np.array([*channels, None], object)[:2]):
        assert np.allclose(audio_input.from_samples(form, float(RATE), LIMITS).samples, samples)


def test_the_shortest_and_the_longest_are_answered():
    assert audio_input.from_bytes(encoded(speech(0.1)), LIMITS).duration_s == pytest.approx(0.1)
    limits = InputLimits(max_duration_s=2.0)
    assert audio_input.from_bytes(encoded(speech(2.0)), limits).duration_s == 2.0
    assert "too long" in refusal(audio_input.from_bytes, encoded(speech(2.01)), limits=limits)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "0 bytes"),
        (b"hello, this is not audio at all", "not audio"),
        (b"version https://git-lfs.github.com/spec/v1\n", "not audio"),
        (encoded(speech())[:40], "not audio|truncated|no samples|empty"),
        (encoded(speech())[:-2000], "truncated: the header declares 1000 more|2000"),
        (encoded(speech(), kind="FLAC")[:-2000], "truncated|not audio"),
        (encoded(np.zeros(RATE, np.float32)), "silent: its peak is -inf"),
        (encoded(1e-4 * speech()), "silent"),
        (encoded(np.full(RATE, np.nan, np.float32), subtype="FLOAT"), "NaN or infinite"),
        (encoded(np.full(RATE, np.inf, np.float32), subtype="FLOAT"), "NaN or infinite"),
        (encoded(speech(0.05)), "too short: 0.0500 s; at least 0.1 s"),
        (encoded(speech()[:0]), "no samples"),
        (encoded(np.tile(speech(0.2)[:, None], 9)), "9 channels; 1 to 8"),
        (encoded(speech(1.0, 2000), 2000), "sampling rate 2000 Hz; 4000 to"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_sentence(content, said):
    with pytest.raises(AudioInputError, match=said):
        audio_input.from_bytes(content, LIMITS)


@pytest.mark.parametrize("value", [None, 3, 1.5, True, [1, 2], {"a": 1}, b"bytes"])
def test_audio_must_be_text(value):
    assert "audio must be text" in refusal(audio_input.from_base64, value)


@pytest.mark.parametrize("text", ["nonsense!", "a", "=", "%" * 1000])
def test_what_is_not_base64_is_refused_shortened(text):
    message = refusal(audio_input.from_base64, text)
    assert "is not base64" in message
    assert len(message) < 200


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        ("abc", "list of numbers"),
        (None, "list of numbers"),
        (5, "list of numbers"),
        ([], "list of numbers|shape"),
        ([[]], "shape"),
        ([True, False], "list of numbers"),
        (["0.1", "0.2"], "list of numbers"),
        ([0.1, None], "list of numbers"),
        ([[0.1, 0.2], [0.3]], "equal length"),
        ([[[0.1]]], "shape"),
        ([float("nan")] * RATE, "NaN or infinite"),
        ([1e300] * RATE, "NaN or infinite"),
        ([12000.0] * RATE, "divide 16-bit integers by 32768"),
        ([0.0] * RATE, "silent"),
        ([0.1] * 10, "too short"),
        ([10**400] * RATE, "list of numbers"),
    ],
)
def test_wrong_samples_are_refused(samples, said):
    with pytest.raises(AudioInputError, match=said):
        audio_input.from_samples(samples, RATE, LIMITS)


@pytest.mark.parametrize(
    "rate", [None, "16000", True, 0, -16000, 16000.5, float("nan"), float("inf"), 10, 10**9, 10**30]
)
def test_wrong_rates_are_refused(rate):
    with pytest.raises(AudioInputError, match=r"sampling[_ ]rate"):
        audio_input.from_samples(speech().tolist(), rate, LIMITS)


def test_a_large_request_is_refused_before_it_is_decoded():
    limits = InputLimits(max_bytes=2048)
    assert "too large" in refusal(audio_input.from_bytes, b"x" * 2049, limits=limits)
    assert "too large" in refusal(audio_input.from_base64, "A" * 10_000, limits=limits)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    assert "no such file" in refusal(audio_input.from_path, tmp_path / "none.wav")
    assert str(tmp_path) in refusal(audio_input.from_path, tmp_path)


def patched_flac(num_samples):
    """A FLAC of an hour of a constant whose header declares another length."""
    hour = np.full(3600 * 8000, 0.25, np.float32)
    content = bytearray(encoded(hour, 8000, "FLAC"))
    low = int.from_bytes(content[21:26], "big") & ~((1 << 36) - 1)
    content[21:26] = (low | num_samples).to_bytes(5, "big")
    return bytes(content)


@pytest.fixture
def peak_of():
    """Call something; give the most memory that it took, in bytes."""

    def measure(call):
        tracemalloc.start()
        try:
            call()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    return measure


@pytest.mark.parametrize("declared", [0, 10**10])
def test_a_bomb_is_refused_without_taking_memory(declared, peak_of):
    bomb = patched_flac(declared)
    assert len(bomb) < 2_000_000  # an hour, 115 MB when decoded to float32
    limits = InputLimits(max_duration_s=60.0)
    assert peak_of(lambda: refusal(audio_input.from_bytes, bomb, limits=limits)) < 10 * 2**20


def test_no_more_is_decoded_than_a_header_declares(peak_of):
    bomb = patched_flac(8000)
    limits = InputLimits(max_duration_s=60.0)
    assert audio_input.from_bytes(bomb, limits).duration_s == 1.0
    assert peak_of(lambda: audio_input.from_bytes(bomb, limits)) < 10 * 2**20


def test_a_wav_that_declares_a_billion_samples_is_refused():
    content = bytearray(encoded(speech()))
    at = content.index(b"data") + 4
    content[at : at + 4] = struct.pack("<I", 2_000_000_000)
    message = refusal(audio_input.from_bytes, bytes(content))
    assert "too long" in message or "truncated" in message


def mutated(content, rng):
    """Flip, cut, splice or overwrite bytes, the header most of all."""
    data = bytearray(content)
    kind = rng.integers(4)
    if kind == 0:
        for at in rng.integers(len(data), size=rng.integers(1, 20)):
            data[at] ^= int(rng.integers(1, 256))
    elif kind == 1:
        del data[int(rng.integers(len(data))) :]
    elif kind == 2:
        at = int(rng.integers(len(data)))
        data[at:at] = rng.bytes(int(rng.integers(1, 200)))
    else:
        at = int(rng.integers(min(64, len(data))))
        data[at : at + 4] = rng.bytes(4)
    return bytes(data)


def outcome(content):
    """Return the waveform of bytes, or the message that refuses them."""
    try:
        return audio_input.from_base64(base64.b64encode(content).decode(), LIMITS)
    except AudioInputError as error:
        return str(error)


def test_two_thousand_damaged_recordings_are_answered_or_refused(peak_of):
    rng = np.random.default_rng(0)
    originals = [encoded(speech(0.3), RATE, kind, subtype) for kind, subtype in KINDS]
    contents = [mutated(originals[number % len(originals)], rng) for number in range(2000)]
    outcomes = []
    assert peak_of(lambda: outcomes.extend(map(outcome, contents))) < 128 * 2**20
    refusals = [found for found in outcomes if isinstance(found, str)]
    assert 200 < len(refusals) < 2000
    assert not any("0x" in message or "\n" in message for message in refusals)
    for found in outcomes:
        if isinstance(found, Waveform):
            assert np.isfinite(found.samples).all()
            assert found.duration_s <= LIMITS.max_duration_s
