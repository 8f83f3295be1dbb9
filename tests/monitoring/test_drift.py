import pytest

from ser.errors import MonitoringError
from ser.monitoring import drift
from tests.monitoring.support import heard, reference_of


def named(found):
    return {one.name: one for one in found.findings}


def test_what_is_quieter_has_moved_down_and_nothing_else():
    found = drift.compare(reference_of(), heard(2, seed=7, level=-32.0)[0], num_speakers=2)
    assert [(one.name, one.direction) for one in found.moved] == [("level_dbfs", "lower")]
    (one,) = found.moved
    assert float(one.change.split()[0]) == pytest.approx(-12.0, abs=2.0)
    assert one.outside > 0.5
    assert found.to_json()["drift"] is True


def test_a_narrow_band_has_moved_by_a_factor():
    found = drift.compare(reference_of(), heard(2, seed=7, hz=3400.0)[0], num_speakers=2)
    (one,) = found.moved
    assert (one.name, one.direction) == ("rolloff_hz", "lower")
    assert float(one.change.removeprefix("x ")) == pytest.approx(3400 / 7000, abs=0.04)


def test_one_emotion_for_all_has_moved():
    new, _ = heard(2, 30, seed=5, emotion="sad")
    found = drift.compare(reference_of(), new, num_speakers=2)
    assert named(found)["emotion"].moved
    assert named(found)["emotion"].title == "emotions, most: sad"
    assert found.shares["sad"][1] == 1.0


@pytest.mark.stage
def test_over_all_quantities_together_other_speakers_are_drift_in_5_of_100_comparisons():
    alarms = sum(
        bool(drift.compare(reference_of(seed=n), heard(2, seed=n + 9999)[0], num_speakers=2).moved)
        for n in range(60)
    )
    assert 1 <= alarms <= 8  # 5 %, three standard errors


def test_told_of_one_speaker_it_is_more_careful():
    new, _ = heard(3, seed=5, level=-23.5)
    careful, told = (drift.compare(reference_of(), new, num_speakers=n) for n in (1, 3))
    assert named(careful)["level_dbfs"].p > named(told)["level_dbfs"].p
    assert any("--speakers N" in note for note in careful.notes)
    assert not any("--speakers N" in note for note in told.notes)


def test_few_recordings_say_what_they_cannot_say():
    found = drift.compare(reference_of(), heard(1, 6, seed=5)[0])
    assert named(found)["emotion"].p is None
    assert any(note.startswith("6 recordings are few") for note in found.notes)
    assert any("not tested: too few recordings" in note for note in found.notes)


def test_a_reference_of_one_speaker_tests_nothing_and_says_so():
    found = drift.compare(reference_of(num_speakers=1), heard(2, seed=5, level=-60.0)[0])
    assert found.moved == ()
    assert {one.p for one in found.findings} == {None}
    assert any("the reference has one speaker" in note for note in found.notes)


def test_what_was_not_logged_is_named():
    found = drift.compare(reference_of(), heard(2, seed=5)[0].drop(columns="rolloff_hz"))
    assert "not in what was heard: roll-off" in found.notes


@pytest.mark.parametrize(("rows", "speakers"), [(0, 1), (3, 4)])
def test_fewer_recordings_than_speakers_are_refused(rows, speakers):
    with pytest.raises(MonitoringError, match=f"{rows} recordings of {speakers} speakers"):
        drift.compare(reference_of(), heard(2)[0].head(rows), num_speakers=speakers)
