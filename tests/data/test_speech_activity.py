import sys

import numpy as np
import pytest
import soundfile
import torch

from ser.data import speech_activity

RATE = 16000


def share_of(samples, rate=RATE):
    return speech_activity.speech_frames(samples.astype(np.float32), rate).mean()


def sound(kind, seconds=2.0):
    time = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.default_rng(0).standard_normal(len(time))
    return {
        "silence": np.zeros(len(time)),
        "hiss": 0.001 * noise,
        "loud noise": 0.2 * noise,
        "tone": 0.3 * np.sin(2 * np.pi * 440 * time),
        "beeps": 0.3 * np.sin(2 * np.pi * 300 * time) * (np.sin(2 * np.pi * 3 * time) > 0),
    }[kind]


@pytest.mark.parametrize("kind", ["silence", "hiss", "loud noise", "tone", "beeps"])
def test_what_nobody_says_is_no_speech(kind):
    assert share_of(sound(kind)) == 0.0


@pytest.mark.emodb
def test_real_speech_is_speech_and_silence_around_it_is_not(emodb_recordings):
    speech, rate = soundfile.read(emodb_recordings[0], dtype="float32")
    assert share_of(speech, rate) > 0.5
    silence = np.zeros(3 * rate, np.float32)
    padded = np.concatenate([silence, speech, silence])
    frames = speech_activity.speech_frames(padded, rate)
    end_s = 3 + len(speech) / rate
    assert speech_activity.share(frames, start_s=0.0, end_s=2.8) == 0.0
    assert speech_activity.share(frames, start_s=3.0, end_s=end_s) > 0.5
    assert speech_activity.share(frames, start_s=end_s + 0.5, end_s=end_s + 3) == 0.0


@pytest.mark.emodb
def test_the_rate_of_a_recording_makes_little_difference(emodb_recordings):
    speech, rate = soundfile.read(emodb_recordings[3], dtype="float32")
    doubled = np.repeat(speech, 2)
    assert share_of(doubled, 2 * rate) == pytest.approx(share_of(speech, rate), abs=0.1)


@pytest.mark.parametrize("num_samples", [1, 511, 512, 513, 16000 * 20])
def test_there_is_a_frame_for_every_32_ms(num_samples):
    frames = speech_activity.speech_frames(np.zeros(num_samples, np.float32), RATE)
    assert len(frames) == -(-num_samples // 512)


def test_a_recording_is_heard_alike_whatever_was_heard_before():
    def probabilities():
        # What lies below the threshold, since beeps are no speech before and after.
        return speech_activity._detector().audio_forward(sound("beeps").astype(np.float32))

    first = probabilities()
    assert np.ptp(first) > 0.0
    share_of(sound("loud noise", 30.0))
    np.testing.assert_allclose(probabilities(), first, atol=1e-6)


@pytest.mark.parametrize("size", [100, 512, 65536])
def test_blocks_are_heard_as_the_whole_is(size):
    samples = np.concatenate([sound(kind, 20.0) for kind in ("beeps", "hiss", "tone")])
    samples = samples.astype(np.float32)[: 16000 * 40 + 77]
    detector = speech_activity._detector()
    blocks = (samples[start : start + size] for start in range(0, len(samples), size))
    probabilities = detector.audio_forward(samples)
    low = float(np.median(probabilities))  # none of these sounds reaches the threshold
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(speech_activity, "_THRESHOLD", low)
        found = np.concatenate(list(speech_activity.speech_in_blocks(blocks, RATE)))
    assert len(found) == len(probabilities)
    is_clear = np.abs(probabilities - low) > 1e-5
    np.testing.assert_array_equal(found[is_clear], probabilities[is_clear] >= low)
    assert is_clear.mean() > 0.5


def test_a_stretch_shorter_than_a_frame_is_the_frame_that_it_lies_in():
    frames = np.array([False, True])
    assert speech_activity.share(frames, start_s=0.04, end_s=0.045) == 1.0
    assert speech_activity.share(frames, start_s=0.064, end_s=0.065) == 1.0


def test_the_package_does_not_take_torchs_threads(monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "silero_vad"]:
        monkeypatch.delitem(sys.modules, name)
    speech_activity._detector.cache_clear()
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    share_of(sound("silence", 0.1))
    found = torch.get_num_threads()
    torch.set_num_threads(before)
    assert found == before + 1
