"""The one reader: files that try to take memory, time or the terminal."""

import io
import os
import tracemalloc

import numpy as np
import pytest
import soundfile

from ser.data import audio, decoding, quiet
from ser.data.corpora._base import CorpusParams
from ser.data.limits import RecordingLimits
from ser.errors import AudioError
from ser.serving import audio_input
from ser.serving.audio_input import InputLimits

RATE = 8000


def speech(*, num_channels=1, rate=RATE, seconds=1.0):
    rng = np.random.default_rng(0)
    return rng.uniform(-0.5, 0.5, (int(rate * seconds), num_channels))


def write(path, samples, *, rate=RATE, subtype=None, container="WAV"):
    soundfile.write(path, samples, rate, format=container, subtype=subtype)
    return path


def refusal(path, **limits):
    with pytest.raises(AudioError) as caught:
        audio.inspect(path, CorpusParams(name="made-up", **limits))
    return str(caught.value)


@pytest.mark.parametrize(
    "codec", ["GSM610", "G721_32", "NMS_ADPCM_16", "NMS_ADPCM_24", "NMS_ADPCM_32", "ULAW", "ALAW"]
)
def test_codecs_of_telephones_are_read_by_training_and_serving_alike(tmp_path, codec):
    path = write(tmp_path / "a.wav", speech(), subtype=codec)
    recording = audio.inspect(path, RecordingLimits())
    assert recording.duration_s == pytest.approx(1.0, abs=0.05)
    heard = audio.read(path, sampling_rate=RATE)
    assert len(heard) == recording.num_samples
    np.testing.assert_array_equal(audio_input.from_path(path, InputLimits()).samples, heard)


def test_an_absurd_header_takes_no_memory(tmp_path):
    path = write(tmp_path / "a.flac", speech(), container="FLAC")
    content = bytearray(path.read_bytes())
    rate, num_channels, bits = 655350, 8, 16
    head = rate << 44 | (num_channels - 1) << 41 | (bits - 1) << 36 | 3600 * rate
    content[18:26] = head.to_bytes(8, "big")
    path.write_bytes(content)
    tracemalloc.start()
    try:
        assert "sampling rate 655350 Hz; 4000 to 192000" in refusal(path)
        with pytest.raises(AudioError):
            audio.read(path, sampling_rate=RATE)
        assert tracemalloc.get_traced_memory()[1] < 2**23
    finally:
        tracemalloc.stop()


def test_a_recording_is_checked_without_being_in_memory_as_a_whole(tmp_path):
    path = write(tmp_path / "a.flac", np.full(500 * RATE, 0.25), container="FLAC")
    tracemalloc.start()
    try:
        assert audio.inspect(path, RecordingLimits()).duration_s == 500.0
        assert tracemalloc.get_traced_memory()[1] < 500 * RATE  # a quarter of the waveform
    finally:
        tracemalloc.stop()


def test_a_sparse_file_is_refused_before_it_is_read(tmp_path):
    path = write(tmp_path / "a.wav", speech())
    with path.open("ab") as file:
        file.truncate(40 * 2**30)
    assert "too large: 42949672960 bytes; at most 33554432 are read (corpus.max_bytes)" in refusal(
        path
    )
    with pytest.raises(AudioError, match="too large"):
        audio.read(path, sampling_rate=RATE)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rate": 1, "seconds": 100}, "sampling rate 1 Hz; 4000 to .*corpus.min_sampling_rate"),
        ({"num_channels": 1024, "seconds": 0.1}, "1024 channels; 1 to 8 .*corpus.max_channels"),
        ({"seconds": 601.0}, "too long: .* 600 s are read .corpus.max_duration_s"),
    ],
)
def test_what_is_no_recording_of_speech_is_refused_by_both(tmp_path, options, said):
    rate = options.get("rate", RATE)
    path = write(tmp_path / "a.wav", speech(**options), rate=rate, subtype="PCM_U8")
    message = refusal(path)
    with pytest.raises(AudioError, match=said):
        audio.inspect(path, CorpusParams(name="made-up"))
    with pytest.raises(audio_input.AudioInputError) as caught:
        audio_input.from_path(path, InputLimits())
    assert str(caught.value) == f"{path}: {message.replace('corpus.', 'input_limits.')}"


@pytest.mark.parametrize(
    "narrow", [{"max_duration_s": 2.9}, {"max_channels": 2}, {"min_sampling_rate": 8001}]
)
def test_limits_are_params(tmp_path, narrow):
    path = write(tmp_path / "a.wav", speech(num_channels=3, seconds=3))
    assert audio.inspect(path, CorpusParams(name="made-up")).num_channels == 3
    assert f"corpus.{next(iter(narrow))}" in refusal(path, **narrow)
    # What a corpus admitted is read for its features, whatever other corpora admit.
    assert len(audio.read(path, sampling_rate=RATE)) == 3 * RATE


@pytest.mark.parametrize("value", [1e30, 1e15, -1e10])
def test_one_absurd_sample_is_refused_and_unscaled_integers_are_not(tmp_path, value):
    samples = speech()
    samples[100] = value
    path = write(tmp_path / "a.wav", samples, subtype="FLOAT")
    assert f"samples reach {abs(value):g}" in refusal(path)
    with pytest.raises(AudioError, match="samples reach"):
        audio.read(path, sampling_rate=RATE)
    unscaled = write(tmp_path / "b.wav", speech() * 2**31, subtype="FLOAT")
    assert audio.inspect(unscaled, RecordingLimits()).num_samples == RATE


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "none"])
def test_a_path_of_no_file_is_a_reason(tmp_path, name):
    assert refusal(tmp_path / name).startswith(("missing", "unreadable"))


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.wav")
    assert "not a file" in refusal(tmp_path / "a.wav")


def test_an_error_of_any_type_is_a_reason(tmp_path, monkeypatch):
    path = write(tmp_path / "a.wav", speech())
    for error in (MemoryError(), RuntimeError("0x7f00"), SystemError(), KeyError("a")):

        def fail(*_args, error=error, **_options):
            raise error

        monkeypatch.setattr(decoding._Stream, "read", fail)
        message = refusal(path)
        assert type(error).__name__ in message
        assert "0x" not in message


def mp3():
    file = io.BytesIO()
    soundfile.write(file, speech(seconds=3.0), RATE, format="MP3")
    return file.getvalue()


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_the_mp3_decoder_prints_nothing(tmp_path, capfd, part):
    content = mp3()
    path = tmp_path / "a.mp3"
    path.write_bytes(content[: int(part * len(content))])
    assert refusal(path).startswith("truncated")
    assert capfd.readouterr() == ("", "")


def test_what_others_print_beside_the_mp3_decoder_is_shown(capfd):
    with quiet.mpg123():
        os.write(2, b"Warning: Xing stream size off by more than 1%, fuzzy\n")
        os.write(2, b"12 recordings\n")
        os.write(2, b"\n[src/libmpg123/layer3.c:1826] error: part2_3_length too large\n")
    assert capfd.readouterr().err.strip() == "12 recordings"


def test_without_a_standard_error_stream_an_mp3_is_read(tmp_path):
    (tmp_path / "a.mp3").write_bytes(mp3())
    kept = os.dup(2)
    os.close(2)
    try:
        assert audio.inspect(tmp_path / "a.mp3", RecordingLimits()).num_samples == 3 * RATE
    finally:
        os.dup2(kept, 2)
        os.close(kept)
