import math
import re
import resource
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from benchmarks import mutations
from ser import params
from ser.data import audio, decoding
from ser.errors import AudioInputError, ParamsError
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


@pytest.mark.parametrize(("kind", "subtype"), [*KINDS, ("WAV", "PCM_24"), ("OGG", "OPUS")])
@pytest.mark.parametrize(("rate", "num_channels"), [(8000, 1), (16000, 2), (48000, 1), (48000, 2)])
def test_a_file_is_heard_as_training_hears_it(kind, subtype, rate, num_channels, tmp_path):
    path = tmp_path / "recording"
    seconds = 2.5 * decoding.BLOCK_SAMPLES / rate
    channels = [speech(seconds, rate, seed) for seed in range(num_channels)]
    path.write_bytes(encoded(np.stack(channels, axis=1), rate, kind, subtype))
    waveform = audio_input.from_path(path, LIMITS)
    assert waveform.sampling_rate == rate
    assert len(waveform.samples) > 2 * decoding.BLOCK_SAMPLES
    heard = audio_input.to_rate(waveform, RATE)
    assert heard.dtype == np.float32
    assert np.array_equal(heard, audio.read(path, sampling_rate=RATE))


@pytest.mark.parametrize("num_channels", [2, 3, 8])
@pytest.mark.parametrize("num_left", [0, 1, 7])
def test_channels_are_averaged_as_in_training(num_channels, num_left, tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "BLOCK_SAMPLES", 1000)
    path = tmp_path / "several.wav"
    channels = [speech(0.5, seed=seed)[: 4000 + num_left] for seed in range(num_channels)]
    path.write_bytes(encoded(np.stack(channels, axis=1), subtype="FLOAT"))
    waveform = audio_input.from_path(path, LIMITS)
    assert np.array_equal(waveform.samples, audio.read(path, sampling_rate=RATE))


@pytest.mark.emodb
def test_real_speech_is_heard_as_training_hears_it(emodb_recordings):
    for path in emodb_recordings[:5]:
        heard = audio_input.to_rate(audio_input.from_path(path, LIMITS), 8000)
        assert np.array_equal(heard, audio.read(path, sampling_rate=8000))


def test_a_codec_that_cannot_seek_is_read():
    content = encoded(speech(1.0, 8000), 8000, "WAV", "GSM610")
    assert audio_input.from_bytes(content, LIMITS).duration_s == pytest.approx(
        1.0, abs=0.05
    )  # padded to 40 ms


def test_base64_bytes_and_path_are_the_same(tmp_path):
    content = encoded(speech())
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    expected = audio_input.from_path(path, LIMITS).samples
    text = as_base64(content)
    wrapped = "\n".join(text[start : start + 76] for start in range(0, len(text), 76))
    heads = ("data:audio/wav;base64,", " data:audio/ogg;codecs=opus;base64,")
    for form in (text, wrapped, *(head + text for head in heads)):
        assert np.array_equal(audio_input.from_base64(form, LIMITS).samples, expected)
    assert np.array_equal(audio_input.from_bytes(content, LIMITS).samples, expected)


def test_samples_are_taken_as_they_are():
    samples = speech()
    waveform = audio_input.from_samples(samples.tolist(), RATE, LIMITS)
    assert np.array_equal(waveform.samples, samples)
    channels = np.stack([samples, samples])
    for form in (channels, channels.tolist(), np.array([*channels, None], object)[:2]):
        assert np.array_equal(audio_input.from_samples(form, float(RATE), LIMITS).samples, samples)


def test_samples_may_overshoot_a_little():
    assert audio_input.from_samples([1.49] * RATE, np.int64(RATE), LIMITS).samples.max() > 1.4
    assert "divide 16-bit" in refusal(audio_input.from_samples, [1.51] * RATE, RATE)


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
        (b"version https://git-lfs.github.com/spec/v1\n", "`git lfs pull` fetches"),
        (encoded(speech())[:40], "not audio|truncated|no samples|empty"),
        (encoded(speech())[:-2000], "truncated: the header declares 2000 more bytes"),
        (encoded(speech(), kind="FLAC")[:-2000], "expected a whole WAV, FLAC"),
        (encoded(speech(), kind="MP3")[:-2000], "truncated: the header declares 16000 samples"),
        (encoded(np.zeros(RATE, np.float32)), "silent: its peak is -inf"),
        (encoded(1e-4 * speech()), "silent"),
        (encoded(np.full(RATE, np.nan, np.float32), subtype="FLOAT"), "NaN or infinite"),
        (encoded(np.full(RATE, np.inf, np.float32), subtype="FLOAT"), "NaN or infinite"),
        (encoded(1e20 * speech(), subtype="FLOAT"), r"full scale is \[-1, 1\]"),
        (encoded(speech(0.05)), "too short: .* 0.0500 s; at least 0.1 s"),
        (encoded(speech()[:0]), "no samples"),
        (encoded(np.tile(speech(0.2)[:, None], 9)), "9 channels; 1 to 8"),
        (encoded(speech(1.0, 2000), 2000), "sampling rate 2000 Hz; 4000 to"),
    ],
    ids=lambda value: "recording" if isinstance(value, bytes) else None,
)
def test_what_cannot_be_used_is_refused_in_one_sentence(content, said):
    assert re.search(said, refusal(audio_input.from_bytes, content))


def test_a_file_of_unscaled_samples_is_heard_as_in_training():
    content = encoded(32768 * speech(), subtype="FLOAT")
    assert audio_input.from_bytes(content, LIMITS).samples.max() > 5000


#: Python refuses to write it out, so that pytest cannot name a test by it.
HUGE = pytest.param(10**5000, id="huge")


@pytest.mark.parametrize(
    "value", [None, 3, 1.5, True, [1, 2], {"a": 1}, b"bytes", object(), np.zeros((99, 99)), HUGE]
)
def test_audio_must_be_text(value):
    message = refusal(audio_input.from_base64, value)
    assert "audio must be text" in message
    assert len(message) < 150


@pytest.mark.parametrize(
    "text",
    ["nonsense!", "a", "=", "%" * 1000, "\ud800", "UklGdata:audio/wav;base64,UklG", "UklG-_8="],
)
def test_what_is_not_base64_is_refused_shortened(text):
    message = refusal(audio_input.from_base64, text)
    assert "is not base64" in message
    assert len(message) < 200


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        ("abc", "samples must be a list of numbers, or one such list per channel; got 'abc'"),
        ([], "empty: samples holds no numbers"),
        ([0.1, None], "got None at position 1"),
        ([[0.1]] * 9, "9 channels; 1 to 8"),
        ([float("nan")] * RATE, "16000 of 16000 samples are NaN or infinite"),
        ([[0.1] * RATE, [float("inf")] * RATE], "16000 of 32000 samples are NaN or infinite"),
        ([1e300] * RATE, r"samples reach 1e\+300, but full scale is \[-1, 1\]"),
        ([12000] * RATE, "samples reach 12000, .* divide 16-bit integers by 32768"),
        ([[12000] * RATE, [-12000] * RATE], "samples reach 12000"),
        ([0.0] * RATE, "silent"),
        ([0.1] * 10, "too short"),
    ],
)
def test_wrong_samples_are_refused(samples, said):
    assert re.search(said, refusal(audio_input.from_samples, samples, RATE))


@pytest.mark.parametrize(
    "rate",
    [None, "16000", True, 0, -16000, 16000.5, math.nan, math.inf, 10, 10**9, 1e300, HUGE, [1]],
)
def test_wrong_rates_are_refused(rate):
    message = refusal(audio_input.from_samples, speech().tolist(), rate)
    assert re.search(r"sampling[_ ]rate", message)
    assert len(message) < 150


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_duration_s": 2.0, "max_duration_s": 1.0},
        {"min_sampling_rate": 48000, "max_sampling_rate": 16000},
    ],
)
def test_limits_that_admit_nothing_are_refused(wrong):
    with pytest.raises(ParamsError, match=r"must not exceed"):
        params.parse(wrong, InputLimits, where="params.yaml")


def test_a_large_request_is_refused_before_it_is_decoded():
    limits = InputLimits(max_bytes=2048)
    assert "too large" in refusal(audio_input.from_bytes, b"x" * 2049, limits=limits)
    for character in "A ":
        text = character * 10_000
        assert "too large" in refusal(audio_input.from_base64, text, limits=limits)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    assert "none.wav: missing: there is no such file" in refusal(
        audio_input.from_path, tmp_path / "none.wav"
    )
    assert f"{tmp_path}: not a file" in refusal(audio_input.from_path, tmp_path)
    assert "a?b\N{LATIN SMALL LETTER U WITH DIAERESIS}?.wav: unreadable" in refusal(
        audio_input.from_path, Path("a\0b\N{LATIN SMALL LETTER U WITH DIAERESIS}\n.wav")
    )
    assert len(refusal(audio_input.from_path, Path("x" * 5000))) < 150


def test_a_large_file_is_refused_before_it_is_read(tmp_path, peak_of):
    path = tmp_path / "large.wav"
    with path.open("wb") as file:
        file.truncate(64 * 2**20)  # sparse
    assert peak_of(lambda: refusal(audio_input.from_path, path)) < 2**20


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


@pytest.mark.parametrize(
    ("declared", "said"),
    [(0, "too long: 524288 samples"), (10**10, "too long: 10000000000 samples")],
)
def test_a_bomb_is_refused_without_taking_memory(declared, said, peak_of):
    bomb = patched_flac(declared)
    assert len(bomb) < 2_000_000  # an hour, 115 MB when decoded to float32
    limits = InputLimits(max_duration_s=60.0)
    assert said in refusal(audio_input.from_bytes, bomb, limits=limits)
    assert peak_of(lambda: refusal(audio_input.from_bytes, bomb, limits=limits)) < 10 * 2**20


def test_channels_do_not_multiply_the_memory(peak_of):
    one = encoded(np.full((30 * RATE, 1), 0.25, np.float32), kind="FLAC")
    eight = encoded(np.full((30 * RATE, 8), 0.25, np.float32), kind="FLAC")
    least = peak_of(lambda: audio_input.from_bytes(one, LIMITS))
    assert peak_of(lambda: audio_input.from_bytes(eight, LIMITS)) < 2 * least


def test_white_space_does_not_multiply_the_memory(peak_of):
    text = "ab " * 2**20
    assert peak_of(lambda: refusal(audio_input.from_base64, text)) < 8 * len(text)


def test_a_billion_samples_in_a_view_are_refused_before_they_are_copied(peak_of):
    for shape in [10**9, (2, 10**9), (10**9, 2)]:
        view = np.broadcast_to(np.float32(0.1), shape)
        peak = peak_of(lambda view=view: refusal(audio_input.from_samples, view, RATE))
        assert peak < 2**20


def test_a_header_that_leads_before_the_beginning_leaves_no_traceback(capfd):
    content = bytearray(encoded(speech(), kind="AIFF"))
    content[41:45] = bytes([251, 122, 44, 106])  # the size of a chunk
    refusal(audio_input.from_bytes, bytes(content))
    assert capfd.readouterr().err == ""


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


def mutated(content, rng, donor):
    data = bytearray(content)
    mutations.damage(data, donor, rng)
    return bytes(data)


def mutated_samples(rng):
    """Numbers and what is none, in lists of any depth, length and kind."""
    odd = [None, True, "0.1", math.nan, math.inf, 10**400, 1e308, -(10**5000), 1 + 2j, {}, b"", []]
    length = int(rng.integers(2400, 4000))
    samples = (0.2 * rng.standard_normal(length).clip(-4, 4)).tolist()
    for _ in range(int(rng.integers(3))):
        samples[int(rng.integers(length))] = odd[int(rng.integers(len(odd)))]
    kind = rng.integers(6)
    if kind == 0:
        return [samples, samples[: int(rng.integers(length))]]
    if kind == 1:
        return [samples] * int(rng.integers(12))
    if kind == 2:
        return np.array(samples[:50] + odd[:1], object)
    if kind == 3:
        return np.full((1,) * int(rng.integers(5)), 0.1)
    return samples


def outcome(call, *arguments):
    """Return the waveform, or the message that refuses it; any other error is the test's."""
    try:
        return call(*arguments, LIMITS)
    except AudioInputError as error:
        return str(error)


def check_outcomes(outcomes):
    refusals = [found for found in outcomes if isinstance(found, str)]
    assert len(outcomes) / 10 < len(refusals) < 0.9 * len(outcomes)
    for message in refusals:
        assert "0x" not in message
        assert "\n" not in message
        assert len(message) < 250
    for found in outcomes:
        if isinstance(found, Waveform):
            assert np.isfinite(found.samples).all()
            assert found.duration_s <= LIMITS.max_duration_s


def test_two_thousand_damaged_recordings_are_answered_or_refused(peak_of, capfd):
    rng = np.random.default_rng(0)
    originals = [encoded(speech(0.3), RATE, kind, subtype) for kind, subtype in KINDS]
    contents = [
        mutated(original, rng, originals[int(rng.integers(len(originals)))])
        for _ in range(400)
        for original in originals
    ]
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcomes = [outcome(audio_input.from_bytes, content) for content in contents]
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - resident
    assert grown < 256 * 2**10  # kilobytes; what libsndfile takes is in it
    check_outcomes(outcomes)
    assert "Traceback" not in capfd.readouterr().err
    assert (
        peak_of(lambda: [outcome(audio_input.from_bytes, c) for c in contents[:200]]) < 32 * 2**20
    )


def test_two_thousand_damaged_lists_are_answered_or_refused():
    rng = np.random.default_rng(0)
    odd_rates = [None, True, "8000", math.nan, 0, -1, 10**400, 8000.5, [8000]]
    outcomes = []
    for number in range(2000):
        rate = odd_rates[number // 10 % len(odd_rates)] if number % 10 == 0 else 8000
        outcomes.append(outcome(audio_input.from_samples, mutated_samples(rng), rate))
    check_outcomes(outcomes)
