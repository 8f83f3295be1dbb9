"""The one reader on a part of a recording."""

import hashlib
import tracemalloc

import numpy as np
import pytest
import soundfile

from ser.data import audio
from ser.data.limits import RecordingLimits
from ser.errors import AudioError
from ser.utterance import Segment
from tests import synthetic

RATE = 8000


def speech(seconds, *, num_channels=1):
    rng = np.random.default_rng(0)
    return rng.uniform(-0.5, 0.5, (int(RATE * seconds), num_channels))


def write(path, samples, **settings):
    soundfile.write(path, samples, RATE, **settings)
    return path


@pytest.mark.parametrize(
    ("name", "subtype"),
    [
        ("a.wav", "PCM_16"),
        ("a.wav", "FLOAT"),
        ("a.wav", "ULAW"),
        ("a.wav", "GSM610"),
        ("a.wav", "G721_32"),
        ("a.flac", "PCM_16"),
        ("a.ogg", "VORBIS"),
        ("a.mp3", "MPEG_LAYER_III"),
        ("a.aiff", "PCM_16"),
        ("a.caf", "ALAC_16"),
    ],
)
@pytest.mark.parametrize("place", [(0.0, 0.7), (4.1, 9.33), (9.0, 10.0)])
def test_a_part_holds_the_samples_that_the_whole_holds_there(tmp_path, name, subtype, place):
    path = write(tmp_path / name, speech(10.05), subtype=subtype)
    whole = audio.read(path, sampling_rate=RATE)
    part = audio.read(path, sampling_rate=RATE, segment=Segment(*place))
    start, end = (round(time * RATE) for time in place)
    np.testing.assert_array_equal(part, whole[start:end])


def test_its_digest_and_sizes_are_those_of_its_samples_alone(tmp_path):
    samples = speech(4.0, num_channels=2)
    whole, cut = (
        write(tmp_path / name, samples[:n]) for name, n in (("a.wav", None), ("b.wav", 8000))
    )
    found = audio.inspect(whole, RecordingLimits(), Segment(0.0, 1.0))
    alone = audio.inspect(cut, RecordingLimits())
    assert found.sha256 == found.samples_sha256 == alone.samples_sha256
    assert (found.num_samples, found.duration_s, found.num_channels) == (8000, 1.0, 2)
    assert found.sha256 != hashlib.sha256(whole.read_bytes()).hexdigest()


def test_a_rate_is_changed_of_the_part_alone(tmp_path):
    path = write(tmp_path / "a.wav", speech(4.0))
    part = audio.read(path, sampling_rate=2 * RATE, segment=Segment(1.0, 2.0))
    assert part.shape == (2 * RATE,)


def test_a_part_of_a_long_recording_takes_no_more_memory_than_the_part(tmp_path):
    path = write(tmp_path / "a.flac", np.zeros(1800 * RATE) + 0.25)
    tracemalloc.start()
    try:
        assert audio.inspect(path, RecordingLimits(), Segment(1700.0, 1702.0)).duration_s == 2.0
        assert audio.read(path, sampling_rate=RATE, segment=Segment(3.0, 5.0)).shape == (2 * RATE,)
        assert tracemalloc.get_traced_memory()[1] < 2**21
    finally:
        tracemalloc.stop()


def test_limits_are_those_of_the_part(tmp_path):
    path = write(tmp_path / "a.wav", speech(20.0))
    allowed = RecordingLimits(max_duration_s=5.0, max_bytes=2048)
    assert audio.inspect(path, allowed, Segment(10.0, 14.0)).duration_s == 4.0
    with pytest.raises(AudioError, match="too long: 48000 samples"):
        audio.inspect(path, allowed, Segment(10.0, 16.0))
    with pytest.raises(AudioError, match="too short: 400 samples"):
        audio.inspect(path, allowed, Segment(10.0, 10.05))


def test_silence_is_asked_of_the_part(tmp_path):
    samples = speech(4.0)
    samples[: 2 * RATE] = 0.0
    path = write(tmp_path / "a.wav", samples)
    assert audio.inspect(path, RecordingLimits(), Segment(2.0, 4.0)).duration_s == 2.0
    with pytest.raises(AudioError, match="silent"):
        audio.inspect(path, RecordingLimits(), Segment(0.5, 1.5))


def test_a_part_that_reaches_beyond_the_end_is_refused(tmp_path):
    path = write(tmp_path / "a.wav", speech(2.0))
    with pytest.raises(AudioError, match=r"beyond the end: 1 to 2\.1 s of a recording of 2\.000 s"):
        audio.inspect(path, RecordingLimits(), Segment(1.0, 2.1))
    with pytest.raises(AudioError, match=r"a\.wav: beyond the end"):
        audio.read(path, sampling_rate=RATE, segment=Segment(3.0, 4.0))


def test_a_time_that_was_rounded_ends_with_the_recording(tmp_path):
    path = write(tmp_path / "a.wav", speech(2.0)[:15980])  # 1.9975 s, written as 2.00
    assert audio.inspect(path, RecordingLimits(), Segment(1.0, 2.0)).num_samples == 7980


def test_a_recording_whose_end_is_missing_is_refused_wherever_the_part_is(tmp_path):
    path = write(tmp_path / "a.wav", speech(2.0))
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(AudioError, match="truncated"):
        audio.inspect(path, RecordingLimits(), Segment(0.0, 1.0))


def test_damaged_samples_outside_of_the_part_do_no_harm(tmp_path):
    samples = speech(4.0)
    samples[:RATE] = np.nan
    path = write(tmp_path / "a.wav", samples, subtype="FLOAT")
    assert audio.inspect(path, RecordingLimits(), Segment(1.0, 2.0)).duration_s == 1.0
    with pytest.raises(AudioError, match="8 of 8000 samples are NaN"):
        audio.inspect(path, RecordingLimits(), Segment(0.999, 1.999))


@pytest.mark.parametrize("name", ["missing.wav", "folder", "nul\0.wav"])
def test_what_is_no_file_is_said_as_of_a_whole_recording(tmp_path, name):
    (tmp_path / "folder").mkdir()
    said = []
    for segment in (None, Segment(0.0, 1.0)):
        with pytest.raises(AudioError) as caught:
            audio.inspect(tmp_path / name, RecordingLimits(), segment)
        said.append(str(caught.value))
    assert said[0] == said[1]


def test_an_utterance_is_read_as_the_manifest_says(tmp_path):
    path = write(tmp_path / "a.wav", speech(4.0))
    whole = synthetic.utterance("a", audio="a.wav")
    part = synthetic.utterance("b", audio="a.wav", start_s=1.0, end_s=2.5)
    heard = audio.read(path, sampling_rate=RATE)
    np.testing.assert_array_equal(audio.read_utterance(tmp_path, whole, sampling_rate=RATE), heard)
    np.testing.assert_array_equal(
        audio.read_utterance(tmp_path, part, sampling_rate=RATE), heard[RATE : 5 * RATE // 2]
    )
