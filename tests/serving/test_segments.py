import numpy as np
import pytest
from pydantic import ValidationError

from ser.serving import long_recordings
from ser.serving.audio_input import Waveform
from ser.serving.segments import SegmentParams
from ser.serving.sound import Survey
from tests.serving.level_model import LOUD, QUIET, RATE, LevelModel, samples


def heard(model, *parts, **settings):
    sound = Waveform(samples(*parts), RATE)
    return long_recordings.hear(model, sound, SegmentParams(**settings))


def borders(found):
    return [(one.start_s, one.end_s, one.label) for one in found.segmentation.segments]


def test_emotions_follow_one_another_where_the_sound_changes():
    found = heard(LevelModel(), (6.0, QUIET), (5.0, LOUD), (4.1, QUIET))
    (a, b, c) = borders(found)
    assert [one[2] for one in (a, b, c)] == ["sad", "angry", "sad"]
    assert (a[0], c[1]) == (0.0, pytest.approx(15.1))
    assert (a[1], b[1]) == (b[0], c[0])
    assert a[1] == pytest.approx(6.0, abs=0.5)
    assert b[1] == pytest.approx(11.0, abs=0.5)
    for one in found.segmentation.segments:
        assert sum(one.probabilities.values()) == pytest.approx(1.0)
        assert one.confidence == max(one.probabilities.values())


def test_a_flicker_is_smoothed_away_unless_that_costs_nothing():
    parts = ((6.0, QUIET), (1.2, LOUD), (6.0, QUIET))
    plain = borders(heard(LevelModel(), *parts, switch_cost=0.0, min_duration_s=0.0))
    assert [one[2] for one in plain] == ["sad", "angry", "sad"]
    assert len(borders(heard(LevelModel(), *parts, switch_cost=3.0, min_duration_s=0.0))) == 1
    assert len(borders(heard(LevelModel(), *parts, switch_cost=0.0, min_duration_s=3.0))) == 1


def test_what_is_not_sure_is_a_segment_without_an_emotion():
    (one,) = heard(LevelModel(min_confidence=0.99), (9.0, QUIET)).segmentation.segments
    assert (one.emotion, one.reason, one.most_probable) == (None, "unsure", "sad")
    assert one.abstained


def test_a_pause_is_a_segment_without_speech(monkeypatch):
    def share(self, start_s, end_s):
        """Nobody speaks from the third to the seventh second."""
        silent = max(0.0, min(end_s, 7.0) - max(start_s, 3.0))
        return 1.0 - silent / (end_s - start_s)

    monkeypatch.setattr(Survey, "speech_share", share)
    model = LevelModel(min_speech_share=0.25)
    found = heard(model, (3.0, QUIET), (4.0, 0.01), (5.0, LOUD))
    (before, pause, after) = found.segmentation.segments
    assert (before.label, pause.label, after.label) == ("sad", "no speech", "angry")
    assert pause.start_s == pytest.approx(3.0, abs=0.5)
    assert pause.end_s == pytest.approx(7.0, abs=0.5)
    assert (pause.probabilities, pause.confidence, pause.familiarity) == (None, None, None)
    assert pause.as_row(("angry", "sad"))["probability_sad"] is None
    times = found.segmentation.times
    is_silent = np.isnan(found.segmentation.probabilities[:, 0])
    assert is_silent.tolist() == [pause.start_s < time < pause.end_s for time in times]


@pytest.mark.parametrize("seconds", [12.0, 12.01, 12.1251, 12.24, 12.2501])
@pytest.mark.parametrize("speaks_until", [12.0, 99.0])
def test_no_segment_is_shorter_than_half_a_hop_wherever_the_recording_ends(
    monkeypatch, seconds, speaks_until
):
    def share(self, start_s, end_s):
        """Somebody speaks, up to the last moments or throughout."""
        return float((start_s + end_s) / 2 < speaks_until)

    monkeypatch.setattr(Survey, "speech_share", share)
    settings = {"pause_s": 0.1, "switch_cost": 0.0, "min_duration_s": 0.0}
    parts = ((12.0, QUIET), (seconds - 12.0, LOUD))
    found = borders(heard(LevelModel(min_speech_share=0.25), *parts, **settings))
    assert found[-1][1] == pytest.approx(seconds, abs=1e-4)
    assert min(end - start for start, end, _ in found) >= 0.125
    assert [start for start, _, _ in found[1:]] == [end for _, end, _ in found[:-1]]


def test_where_nobody_speaks_the_network_is_not_asked(monkeypatch):
    monkeypatch.setattr(Survey, "speech_share", lambda *_: 0.0)
    model = LevelModel(min_speech_share=0.25)
    asked = []
    hear = model.hear
    monkeypatch.setattr(model, "hear", lambda *a, **k: asked.append(a) or hear(*a, **k))
    assert borders(heard(model, (9.0, QUIET))) == [(0.0, 9.0, "no speech")]
    assert len(asked) == 1  # for the answer of the whole


def test_what_is_no_longer_than_training_is_one_segment_unless_asked_for():
    parts = ((2.0, QUIET), (2.0, LOUD))
    found = heard(LevelModel(), *parts)
    (one,) = found.segmentation.segments
    assert one.probabilities == found.prediction.whole.probabilities
    assert len(heard(LevelModel(), *parts, window_s=1.0).segmentation.segments) == 2


@pytest.mark.parametrize("settings", [{"window_s": 1.0, "hop_s": 2.0}, {"switch_cost": -1}])
def test_settings_that_make_no_sense_are_refused(settings):
    with pytest.raises(ValidationError):
        SegmentParams(**settings)
