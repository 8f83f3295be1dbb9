from collections import Counter
from dataclasses import replace

import pytest

from ser.data import intake
from ser.data.corpora import emodb
from ser.errors import CorpusError
from ser.project import Project
from tests.data.corpora.contract import write_wav
from tests.data.corpora.support import touch


def parse(root, **params):
    return emodb.build(emodb.Params(**params)).parse(root)


def test_a_name_says_speaker_sentence_and_emotion(tmp_path):
    parsed = parse(touch(tmp_path, "wav/09a01Fa.wav"))
    (annotation,) = parsed.annotations
    assert (annotation.id, annotation.audio) == ("09a01Fa", "wav/09a01Fa.wav")
    assert (annotation.speaker, annotation.gender, annotation.session) == ("09", "female", "pair2")
    assert (annotation.label, annotation.emotion) == ("F", "happy")
    assert annotation.text == "Der Lappen liegt auf dem Eisschrank."
    assert annotation.scripted is True
    assert annotation.dialogue == annotation.id
    assert parsed.rejections == ()


@pytest.mark.parametrize(
    ("letter", "emotion"),
    [
        ("W", "angry"),
        ("L", "bored"),
        ("E", "disgusted"),
        ("A", "fearful"),
        ("F", "happy"),
        ("T", "sad"),
        ("N", "neutral"),
    ],
)
def test_the_letter_is_of_the_german_word(tmp_path, letter, emotion):
    parsed = parse(touch(tmp_path, f"wav/03b10{letter}c.wav"))
    assert parsed.annotations[0].emotion == emotion


def test_sessions_are_pairs_of_a_man_and_a_woman_in_order_of_number(tmp_path):
    speakers = ["03", "08", "09", "10", "11", "12", "13", "14", "15", "16"]
    parsed = parse(touch(tmp_path, *(f"wav/{speaker}a02Na.wav" for speaker in speakers)))
    members = {}
    for annotation in parsed.annotations:
        members.setdefault(annotation.session, {})[annotation.gender] = annotation.speaker
    assert members == {
        "pair1": {"male": "03", "female": "08"},
        "pair2": {"male": "10", "female": "09"},
        "pair3": {"male": "11", "female": "13"},
        "pair4": {"male": "12", "female": "14"},
        "pair5": {"male": "15", "female": "16"},
    }


def test_recordings_may_lie_in_the_root(tmp_path):
    parsed = parse(touch(tmp_path, "03a01Fa.wav", "README.md"))
    assert [annotation.audio for annotation in parsed.annotations] == ["03a01Fa.wav"]


def test_junk_is_passed_over_and_other_names_are_rejected(tmp_path):
    odd = ["04a01Fa.wav", "03a03Fa.wav", "03a01Xa.wav", "03a01F.wav.wav", "notes.wav"]
    files = ["03a01Fa.wav", "._03a01Fa.wav", ".DS_Store", "erkennung.txt", *odd]
    parsed = parse(touch(tmp_path, *(f"wav/{name}" for name in files)))
    assert [annotation.id for annotation in parsed.annotations] == ["03a01Fa"]
    assert {rejection.id for rejection in parsed.rejections} == set(odd)
    assert all("its name is not" in rejection.reason for rejection in parsed.rejections)


NAMES = ("03a01Fa", "08a01Wb", "16b10Nc", "03a02Tb")


def test_flac_is_read_as_wav_is(tmp_path):
    """Recordings of the same samples differ in path and digest, and in nothing else."""
    params = emodb.Params()
    taken = {}
    for kind in ("wav", "flac"):
        for name in NAMES:
            write_wav(tmp_path / kind / kind / f"{name}.{kind}")
        root = tmp_path / kind
        taken[kind] = intake.take_in(parse(root), root=root, params=params)
    wav, flac = (taken[kind].utterances for kind in ("wav", "flac"))
    assert [item.audio for item in flac] == [f"flac/{name}.flac" for name in sorted(NAMES)]
    assert all(a.sha256 != b.sha256 for a, b in zip(wav, flac, strict=True))
    assert without_files(wav) == without_files(flac)
    assert taken["flac"].rejections == ()


def test_a_mixture_without_doubles_is_one_corpus(tmp_path):
    root = touch(tmp_path, "wav/03a01Fa.wav", "flac/08a01Wb.flac", "flac/03a02Tb.FLAC")
    found = {(item.id, item.audio) for item in parse(root).annotations}
    assert found == {
        ("03a01Fa", "wav/03a01Fa.wav"),
        ("08a01Wb", "flac/08a01Wb.flac"),
        ("03a02Tb", "flac/03a02Tb.FLAC"),
    }


@pytest.mark.parametrize(
    ("files", "named"),
    [
        (("wav/03a01Fa.wav", "flac/03a01Fa.flac"), "flac/03a01Fa.flac and wav/03a01Fa.wav"),
        (("03a01Fa.wav", "03a01Fa.flac", "08a01Wb.wav"), "03a01Fa.flac and 03a01Fa.wav"),
        (("wav/03a01Fa.wav", "wav/again/03a01Fa.wav"), "wav/03a01Fa.wav and wav/again/03a01Fa.wav"),
    ],
)
def test_a_recording_that_is_there_twice_is_refused_with_both_its_files(tmp_path, files, named):
    with pytest.raises(CorpusError) as refused:
        parse(touch(tmp_path, *files))
    message = str(refused.value)
    assert message.startswith(f"{tmp_path}: 1 recordings are there more than once, e.g. as {named}")
    assert "`ser link-corpus emodb PATH`" in message


def test_a_folder_without_such_names_is_refused_with_the_cure(tmp_path):
    for root in (tmp_path, touch(tmp_path / "other", "wav/a.wav"), tmp_path / "none"):
        with pytest.raises(CorpusError, match="ser link-corpus emodb PATH"):
            parse(root)


def accepted(counts):
    """Return stand-ins for utterances: `check` counts labels."""

    class Labelled:
        def __init__(self, label):
            self.label = label

    return [Labelled(label) for label, count in counts.items() for _ in range(count)]


def test_the_published_counts_pass():
    assert sum(emodb.COUNTS.values()) == 535
    emodb.build(emodb.Params()).check(accepted(emodb.COUNTS))


@pytest.mark.parametrize("change", [{"W": 126}, {"W": 128}, {"W": 126, "L": 82}])
def test_other_counts_are_refused_and_named_unless_partial_is_allowed(change):
    utterances = accepted({**emodb.COUNTS, **change})
    with pytest.raises(CorpusError, match=f"W: {change['W']} utterances, expected 127"):
        emodb.build(emodb.Params()).check(utterances)
    emodb.build(emodb.Params(allow_partial=True)).check(utterances)


def without_files(utterances):
    return [replace(utterance, audio="", sha256="") for utterance in utterances]


@pytest.mark.emodb
def test_all_535_real_recordings_are_usable(project, emodb_root):
    params = emodb.Params()
    corpus = emodb.build(params)
    shipped = Project(project).shipped("emodb").folder
    taken, published = (
        intake.take_in(corpus.parse(root), root=root, params=params)
        for root in (shipped, emodb_root)
    )

    assert len(taken.utterances) == 535
    assert taken.rejections == published.rejections == ()
    corpus.check(taken.utterances)
    assert without_files(taken.utterances) == without_files(published.utterances)
    assert Counter(utterance.emotion for utterance in taken.utterances) == {
        "angry": 127,
        "happy": 71,
        "neutral": 79,
        "sad": 62,
        None: 535 - 339,
    }
    assert len({utterance.text for utterance in taken.utterances}) == 10
