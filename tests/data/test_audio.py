import hashlib
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser.data import audio
from ser.data.limits import RecordingLimits
from ser.errors import AudioError

RATE = 16000


def tone(*, num_samples=RATE, hz=440.0, rate=RATE, peak=0.25):
    return peak * np.sin(2 * np.pi * hz * np.arange(num_samples) / rate)


def inspect(path, **limits):
    return audio.inspect(path, RecordingLimits(**limits))


def write(path, samples, *, rate=RATE, subtype=None):
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


def as_int16(samples):
    return np.round(samples * 2**15).astype(np.int16)


def test_a_recording_is_described_by_its_own_rate_and_channels(tmp_path):
    stereo = np.stack([tone(num_samples=22050), tone(num_samples=22050, hz=300)], axis=1)
    path = write(tmp_path / "stereo.wav", stereo, rate=44100)

    recording = inspect(path)

    assert (recording.num_samples, recording.sampling_rate) == (22050, 44100)
    assert (recording.num_channels, recording.duration_s) == (2, 0.5)
    assert recording.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("name", "subtype", "scale"),
    [
        ("depth24.wav", "PCM_24", lambda x: x.astype(np.int32) << 16),
        ("depth32.wav", "PCM_32", lambda x: x.astype(np.int32) << 16),
        ("float.wav", "FLOAT", lambda x: x / 2**15),
        ("double.wav", "DOUBLE", lambda x: x / 2**15),
        ("lossless.flac", "PCM_16", lambda x: x),
        ("twice.wav", "PCM_16", lambda x: np.stack([x, x], axis=1)),
    ],
)
def test_the_same_sound_in_another_file_has_the_same_samples_digest(tmp_path, name, subtype, scale):
    samples = as_int16(tone())
    plain = inspect(write(tmp_path / "plain.wav", samples, subtype="PCM_16"))
    other = inspect(write(tmp_path / name, scale(samples), subtype=subtype))

    assert other.samples_sha256 == plain.samples_sha256
    assert other.sha256 != plain.sha256


def test_another_rate_or_another_sample_is_another_sound(tmp_path):
    samples = as_int16(tone())
    changed = samples.copy()
    changed[5] += 1
    digests = {
        inspect(write(tmp_path / "a.wav", samples)).samples_sha256,
        inspect(write(tmp_path / "b.wav", samples, rate=8000)).samples_sha256,
        inspect(write(tmp_path / "c.wav", changed)).samples_sha256,
    }
    assert len(digests) == 3


def test_negative_zero_is_zero_to_the_samples_digest(tmp_path):
    samples = tone().astype(np.float32)
    samples[0] = 0.0
    plain = write(tmp_path / "a.wav", samples, subtype="FLOAT")
    samples[0] = -0.0
    signed = write(tmp_path / "b.wav", samples, subtype="FLOAT")
    assert inspect(plain).samples_sha256 == inspect(signed).samples_sha256


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(AudioError, match="missing"):
        inspect(tmp_path / "none.wav")


def test_a_folder_is_no_recording(tmp_path):
    with pytest.raises(AudioError, match="not a file"):
        inspect(tmp_path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "0 bytes"),
        (b"this is not audio, whatever its name says", "not audio"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
    ],
)
def test_bytes_that_are_not_audio_are_refused(tmp_path, content, reason):
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    with pytest.raises(AudioError, match=reason):
        inspect(path)


def test_the_reason_shows_nothing_that_changes_from_run_to_run(tmp_path):
    path = tmp_path / "a.flac"
    path.write_bytes(b"fLaC is how it starts, and nothing more")
    with pytest.raises(AudioError) as raised:
        inspect(path)
    assert "0x" not in str(raised.value)  # the address of a buffer
    assert str(tmp_path) not in str(raised.value)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
@pytest.mark.parametrize("part", [0.98, 0.5])
def test_a_truncated_file_is_refused(tmp_path, name, part):
    path = write(tmp_path / name, tone())
    inspect(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(AudioError, match=r"truncated|damaged|no samples"):
        inspect(path)


def test_a_wav_that_loses_two_bytes_says_so(tmp_path):
    path = write(tmp_path / "a.wav", tone(), subtype="PCM_16")
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(AudioError, match="truncated: the header declares 2 more bytes"):
        inspect(path)


def test_chunks_before_the_samples_are_passed_over(tmp_path):
    content = write(tmp_path / "a.wav", as_int16(tone())).read_bytes()
    padding = struct.pack("<4sI", b"PAD ", 4043) + bytes(4044)  # odd sizes are padded
    longer = content[:36] + padding + content[36:]
    (tmp_path / "b.wav").write_bytes(longer)
    plain, padded = inspect(tmp_path / "a.wav"), inspect(tmp_path / "b.wav")
    assert padded.samples_sha256 == plain.samples_sha256

    (tmp_path / "b.wav").write_bytes(longer[:-100])
    with pytest.raises(AudioError, match="100 more bytes"):
        inspect(tmp_path / "b.wav")


def test_a_streamed_wav_whose_length_was_not_known_is_read_to_its_end(tmp_path):
    content = bytearray(write(tmp_path / "a.wav", tone(), subtype="PCM_16").read_bytes())
    content[40:44] = b"\xff\xff\xff\xff"
    (tmp_path / "a.wav").write_bytes(content)
    assert inspect(tmp_path / "a.wav").num_samples == RATE


def test_a_wav_without_samples_is_refused(tmp_path):
    path = write(tmp_path / "a.wav", np.zeros(0))
    with pytest.raises(AudioError, match="no samples"):
        inspect(path)


def test_a_header_that_declares_days_is_refused_before_memory_is_taken(tmp_path):
    content = bytearray(write(tmp_path / "a.flac", tone()).read_bytes())
    content[21] |= 0x0F  # the four high bits of STREAMINFO's 36-bit number of samples
    (tmp_path / "a.flac").write_bytes(content)
    with pytest.raises(AudioError, match="too long"):
        inspect(tmp_path / "a.flac")


def test_shorter_than_the_shortest_allowed_is_refused_and_as_long_is_not(tmp_path):
    path = write(tmp_path / "a.wav", tone(num_samples=1600))
    assert inspect(path, min_duration_s=0.1).duration_s == 0.1
    with pytest.raises(AudioError, match=r"too short: 1600 samples at 16000 Hz are 0\.1000 s"):
        inspect(path, min_duration_s=0.11)


def test_silence_is_judged_by_the_peak(tmp_path):
    quiet = write(tmp_path / "quiet.wav", tone(peak=1e-3), subtype="PCM_24")  # -60 dBFS
    assert inspect(quiet, silence_dbfs=-61.0).num_samples == RATE
    with pytest.raises(AudioError, match=r"silent: its peak is -60\.0 dBFS"):
        inspect(quiet, silence_dbfs=-59.0)


def test_digital_silence_is_refused_whatever_the_rule(tmp_path):
    path = write(tmp_path / "a.wav", np.zeros(RATE))
    with pytest.raises(AudioError, match="-inf dBFS"):
        inspect(path, silence_dbfs=-1e9)


def test_channels_that_cancel_each_other_are_silent(tmp_path):
    path = write(tmp_path / "a.wav", np.stack([tone(), -tone()], axis=1), subtype="FLOAT")
    with pytest.raises(AudioError, match="silent"):
        inspect(path)


@pytest.mark.parametrize("bad", [[np.nan], [np.inf], [np.inf, -np.inf]])
@pytest.mark.parametrize("num_channels", [1, 2])
def test_samples_that_are_no_finite_numbers_are_counted_and_refused(tmp_path, bad, num_channels):
    samples = np.repeat(tone()[:, None], num_channels, axis=1)
    samples[100 : 100 + len(bad), 0] = bad
    path = write(tmp_path / "a.wav", samples, subtype="FLOAT")
    with pytest.raises(AudioError, match=f"{len(bad)} of 16000 samples are NaN or infinite"):
        inspect(path)
    with pytest.raises(AudioError, match="NaN"):
        audio.read(path, sampling_rate=RATE)


def test_reading_at_the_files_own_rate_changes_no_sample(tmp_path):
    samples = as_int16(tone())
    waveform = audio.read(write(tmp_path / "a.wav", samples), sampling_rate=RATE)
    assert waveform.dtype == np.float32
    np.testing.assert_array_equal(waveform * 2**15, samples)


def test_stereo_is_read_as_the_mean_of_its_channels(tmp_path):
    left, right = tone().astype(np.float32), tone(hz=700).astype(np.float32)
    path = write(tmp_path / "a.wav", np.stack([left, right], axis=1), subtype="FLOAT")
    waveform = audio.read(path, sampling_rate=RATE)
    assert waveform.shape == (RATE,)
    np.testing.assert_allclose(waveform, (left + right) / 2, atol=1e-7)


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_another_rate_is_resampled_to_the_same_tone(tmp_path, rate):
    path = write(tmp_path / "a.wav", tone(num_samples=rate, rate=rate), rate=rate, subtype="FLOAT")
    waveform = audio.read(path, sampling_rate=RATE)
    assert len(waveform) == RATE
    assert waveform.dtype == np.float32
    inner = slice(1000, -1000)  # the filter rings at the ends
    np.testing.assert_allclose(waveform[inner], tone()[inner], atol=2e-4)


def test_what_the_wanted_rate_cannot_carry_does_not_fold_back(tmp_path):
    high = tone(num_samples=48000, hz=11000, rate=48000)
    waveform = audio.read(write(tmp_path / "a.wav", high, rate=48000), sampling_rate=RATE)
    assert np.abs(waveform[1000:-1000]).max() < 1e-3


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
def test_each_format_is_read(tmp_path, name):
    waveform = audio.read(write(tmp_path / name, tone()), sampling_rate=RATE)
    spectrum = np.abs(np.fft.rfft(waveform))
    assert len(waveform) == RATE
    assert np.argmax(spectrum) * RATE / len(waveform) == pytest.approx(440, abs=2)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(AudioError, match=r"none\.wav: missing"):
        audio.read(tmp_path / "none.wav", sampling_rate=RATE)


def test_a_written_recording_has_the_bytes_that_libsndfile_writes(tmp_path):
    samples = as_int16(tone())
    for name, settings in (("a.wav", {"format": "WAV"}), ("a.flac", {"format": "FLAC"})):
        audio.write(tmp_path / name, samples, RATE, subtype="PCM_16", **settings)
        soundfile.write(tmp_path / "other", samples, RATE, subtype="PCM_16", **settings)
        assert (tmp_path / name).read_bytes() == (tmp_path / "other").read_bytes()


@pytest.mark.skipif(sys.platform != "linux", reason="Linux has a device that is full")
def test_a_full_disk_is_an_error_of_the_system_that_says_so():
    with pytest.raises(OSError, match="No space left on device"):
        audio.write(Path("/dev/full"), as_int16(tone()), RATE, format="WAV")
