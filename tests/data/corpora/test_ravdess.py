from collections import Counter
from itertools import product

import pytest

from ser.data.corpora import ravdess
from ser.errors import CorpusError
from tests.data.corpora.support import touch


def parse(root, **params):
    return ravdess.build(ravdess.Params(**params)).parse(root)


def published():
    """Return the names of the 1440 published recordings."""
    for actor, emotion, intensity, statement, repetition in product(
        range(1, 25), range(1, 9), range(1, 3), range(1, 3), range(1, 3)
    ):
        if (emotion, intensity) != (1, 2):
            name = f"03-01-{emotion:02}-{intensity:02}-{statement:02}-{repetition:02}-{actor:02}"
            yield f"Actor_{actor:02}/{name}.wav"


def test_a_name_says_emotion_statement_and_actor(tmp_path):
    parsed = parse(touch(tmp_path, "Actor_12/03-01-06-01-02-01-12.wav"))
    (annotation,) = parsed.annotations
    assert annotation.id == "03-01-06-01-02-01-12"
    assert annotation.audio == "Actor_12/03-01-06-01-02-01-12.wav"
    assert (annotation.speaker, annotation.gender) == ("12", "female")
    assert annotation.session == "group3"
    assert (annotation.label, annotation.emotion) == ("06", "fearful")
    assert annotation.text == "Dogs are sitting by the door"
    assert annotation.scripted is True


def test_the_whole_corpus_is_1440_recordings_of_24_actors_in_six_groups(tmp_path):
    parsed = parse(touch(tmp_path, *published()))
    assert len(parsed.annotations) == 1440
    assert parsed.rejections == ()
    assert Counter(item.label for item in parsed.annotations) == ravdess.COUNTS
    emotions = Counter(item.emotion for item in parsed.annotations)
    assert emotions == dict.fromkeys(emotions, 192) | {"neutral": 96}
    actors = {(item.session, item.gender, item.speaker) for item in parsed.annotations}
    per_group = Counter((session, gender) for session, gender, _ in actors)
    assert per_group == dict.fromkeys(
        product([f"group{number}" for number in range(1, 7)], ["female", "male"]), 2
    )
    assert {speaker for session, _, speaker in actors if session == "group2"} == {
        "05",
        "06",
        "07",
        "08",
    }


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("Actor_01/03-02-03-01-01-01-01.wav", "a song"),
        ("Actor_01/02-01-03-01-01-01-01.mp4", "a video"),
        ("Actor_01/01-01-03-01-01-01-01.mp4", "a video"),
        ("Actor_01/03-01-01-02-01-01-01.wav", "strong neutral"),
        ("Actor_01/03-01-03-01-01-01-02.wav", "actor 02, but it is in the folder Actor_01"),
        ("Actor_01/03-01-03-01-01-01-25.wav", "its name is not"),
        ("Actor_01/03-01-09-01-01-01-01.wav", "its name is not"),
        ("Actor_01/hello.wav", "its name is not"),
    ],
)
def test_what_is_no_speech_of_the_folders_actor_is_rejected_by_name(tmp_path, name, reason):
    good = "Actor_01/03-01-03-01-01-01-01.wav"
    parsed = parse(touch(tmp_path, good, name))
    assert [annotation.audio for annotation in parsed.annotations] == [good]
    (rejection,) = parsed.rejections
    assert (rejection.id, rejection.audio) == (name.split("/")[1], name)
    assert reason in rejection.reason


def test_junk_and_a_second_copy_in_another_folder_are_passed_over(tmp_path):
    good = "Actor_01/03-01-03-01-01-01-01.wav"
    parsed = parse(touch(tmp_path, good, f"copy/{good}", "Actor_01/._03-01-03-01-01-01-01.wav"))
    assert [annotation.audio for annotation in parsed.annotations] == [good]
    assert parsed.rejections == ()


def test_a_folder_without_actors_is_refused_with_the_cure(tmp_path):
    for root in (tmp_path, touch(tmp_path / "b", "Actor_01/hello.wav"), tmp_path / "none"):
        with pytest.raises(CorpusError, match="ser link-corpus ravdess PATH"):
            parse(root)


class Labelled:
    """Stands in for an utterance: `check` counts labels."""

    def __init__(self, label):
        self.label = label


def test_one_known_faulty_recording_may_be_missing_and_no_more():
    utterances = [Labelled(label) for label, n in ravdess.COUNTS.items() for _ in range(n)]
    corpus = ravdess.build(ravdess.Params())
    corpus.check(utterances)
    corpus.check(utterances[1:])
    with pytest.raises(CorpusError, match="01: 94 utterances, expected 96"):
        corpus.check(utterances[2:])
    with pytest.raises(CorpusError, match="05: 193 utterances, expected 192"):
        corpus.check([*utterances, Labelled("05")])
    ravdess.build(ravdess.Params(allow_partial=True)).check(utterances[2:])
