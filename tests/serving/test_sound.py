import io

import numpy as np
import pytest
import soundfile

from ser.data import hearing, speech_activity
from ser.errors import AudioInputError
from ser.serving import sound as sounds
from ser.serving.audio_input import InputLimits, Waveform
from ser.serving.sound import LongFile
from tests.serving.support import encoded, speech

SHORT = InputLimits(max_duration_s=1.0, max_bytes=2048)


@pytest.mark.parametrize(("kind", "rate"), [("WAV", 16000), ("FLAC", 44100), ("OGG", 22050)])
def test_a_file_of_any_length_is_heard_as_often_as_needed(tmp_path, kind, rate):
    path = tmp_path / "long"
    path.write_bytes(encoded(speech(9.0, rate), rate, kind))
    expected = soundfile.read(io.BytesIO(path.read_bytes()), dtype="float32")[0]
    file = LongFile(path, SHORT)
    for _ in range(2):
        np.testing.assert_array_equal(np.concatenate(list(file.blocks())), expected)
    assert file.sampling_rate == rate


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"nonsense", "not audio"),
        (encoded(speech(9.0))[:-1000], "truncated"),
        (encoded(np.zeros(16000, np.float32)), "silent"),
        (encoded(speech(0.01)), "too short"),
        (encoded(speech() * np.nan, subtype="FLOAT"), r"before 1\.0 s are NaN"),
    ],
)
def test_what_is_wrong_is_said_with_the_name_of_the_file(tmp_path, content, said):
    path = tmp_path / "long.wav"
    path.write_bytes(content)
    with pytest.raises(AudioInputError, match=rf"long\.wav: .*{said}"):
        list(LongFile(path, SHORT).blocks())


@pytest.mark.parametrize("listens", [True, False])
def test_a_survey_is_that_of_the_whole_however_it_comes(tmp_path, listens):
    rate = 22050
    samples = speech(7.0, rate)
    path = tmp_path / "a.wav"
    path.write_bytes(encoded(samples, rate, subtype="FLOAT"))
    ways = [LongFile(path, SHORT), Waveform(samples, rate)]
    streamed, whole = (sounds.survey(one, listens=listens) for one in ways)
    assert streamed.duration_s == whole.duration_s == 7.0
    np.testing.assert_array_equal(streamed.outline, whole.outline)
    assert whole.outline[:, 0].min() == samples.min()
    assert whole.outline[:, 1].max() == samples.max()
    if not listens:
        assert streamed.speech is streamed.speech_share(0.0, 1.0) is None
        return
    np.testing.assert_array_equal(streamed.speech, speech_activity.speech_frames(samples, rate))


@pytest.mark.parametrize("wanted", [8000, 16000, 22050])
def test_blocks_change_their_rate_as_the_whole_does(wanted):
    samples = speech(1.3)
    blocks = [samples[start : start + 999] for start in range(0, len(samples), 999)]
    found = np.concatenate(list(hearing.blocks_at_rate(blocks, 16000, wanted=wanted)))
    np.testing.assert_array_equal(found, hearing.at_rate(samples, 16000, wanted=wanted))
    assert len(found) == hearing.num_at_rate(len(samples), 16000, wanted=wanted)
