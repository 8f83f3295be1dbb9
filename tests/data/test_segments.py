import pytest

from ser.data import segments
from tests import synthetic


def said(id_, start_s=None, end_s=None, **changes):
    changes = {"audio": "a.wav", **changes}
    return synthetic.utterance(id_, start_s=start_s, end_s=end_s, **changes)


def pairs(*utterances):
    return [(one.id, other.id) for one, other in segments.overlapping(utterances)]


def test_parts_of_one_recording_that_share_sound_are_pairs():
    utterances = [
        said("c", 2.0, 3.0),
        said("a", 0.0, 1.0),
        said("long", 0.5, 2.5),
        said("b", 1.0, 2.0),
        said("other", 0.0, 3.0, audio="b.wav"),
    ]
    assert pairs(*utterances) == [("a", "long"), ("long", "b"), ("long", "c")]


def test_a_whole_recording_shares_sound_with_each_of_its_parts():
    assert pairs(said("part", 5.0, 6.0), said("whole")) == [("whole", "part")]
    assert pairs(said("whole"), said("again")) == []


def test_of_one_speakers_parts_that_overlap_the_first_is_kept():
    utterances = [
        said("b", 0.9, 2.0),
        said("a", 0.0, 1.0),
        said("c", 1.5, 3.0),
        said("d", 3.0, 4.0),
    ]
    assert segments.refused(utterances) == {
        0: "it overlaps a of the same speaker and recording, 0 to 1 s, which is kept"
    }


def test_a_part_is_refused_beside_the_whole_of_its_speaker():
    reasons = segments.refused([said("whole"), said("part", 1.0, 2.0)])
    assert reasons == {
        1: "it overlaps whole of the same speaker and recording, the whole of it, which is kept"
    }


@pytest.mark.parametrize(
    "second",
    [
        said("b", 0.5, 2.0, speaker="another"),
        said("b", 0.5, 2.0, audio="b.wav"),
        said("b", 1.0, 2.0),
        said("b", 0.0, 1.0),  # the same part: their labels are compared
    ],
)
def test_speakers_may_talk_at_once_and_parts_may_touch(second):
    assert segments.refused([said("a", 0.0, 1.0), second]) == {}
