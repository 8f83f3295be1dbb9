"""Two corpora as one: classes, the one fold, and what both must not hold."""

from dataclasses import replace

import numpy as np
import pytest

from ser.cross_folders import CorpusFolder, Crossing, Side
from ser.data import audio, manifest, pair, splits, votes
from ser.data.card import CorpusCard
from ser.data.limits import WIDEST
from ser.data.pair import CorpusRecordings
from ser.data.split_report import SplitReport
from ser.errors import LeakageError, SplitError
from ser.project import Project
from tests import synthetic


def write_side(folder, name, utterances, **card):
    """A corpus with its manifest and card."""
    project = CorpusFolder(folder, folder=folder / name)
    project.data.mkdir()
    manifest.write(project.manifest, utterances)
    synthetic.card(name=name, **card).write(project.corpus_card)
    return Side(name, project)


def digested(utterances, first):
    """The same with digests of their own, so that no two corpora share a file."""
    return [replace(u, sha256=f"{first + n:064x}") for n, u in enumerate(utterances)]


@pytest.fixture
def joined(tmp_path):
    """Both corpora have the same ids, speakers and sessions; the second lacks an emotion."""
    emotions = ("angry", "neutral", "sad")
    sides = (
        write_side(tmp_path, "one", synthetic.corpus(num_sessions=4)),
        write_side(
            tmp_path,
            "two",
            digested(synthetic.corpus(num_sessions=2, emotions=emotions), 1000),
            emotions=emotions,
        ),
    )
    project = Project(tmp_path)
    (tmp_path / "data").mkdir()
    assert pair.write(Crossing("lstm-focal", "mfcc", *sides), project) == emotions
    return project


def test_everything_has_the_name_of_its_corpus_in_front(joined):
    utterances = manifest.read(joined.manifest)
    for name in ("id", "audio", "speaker", "session", "dialogue"):
        assert {getattr(u, name).partition("/")[0] for u in utterances} == {"one", "two"}
    assert {u.corpus for u in utterances} == {"one", "two"}
    card = CorpusCard.read(joined.corpus_card)
    assert (card.name, card.emotions) == ("one-to-two", ("angry", "neutral", "sad"))
    assert card.num_speakers == 8 + 4
    assert card.params["tested_on"] == {"name": "demo"}


def test_classes_that_one_of_them_lacks_are_nobodys(joined):
    utterances = manifest.read(joined.manifest)
    assert len([u for u in utterances if "happy" in u.id]) == 16
    assert {u.emotion for u in utterances if "happy" in u.id} == {None}
    (fold,) = splits.read(joined.splits)
    assert not any("happy" in id_ for id_ in (*fold.train, *fold.dev, *fold.test))


def test_the_first_trains_and_chooses_by_whole_sessions_and_all_of_the_second_is_tested(joined):
    (fold,) = splits.read(joined.splits)
    session_of = {u.id: u.session for u in manifest.read(joined.manifest)}
    assert {session_of[id_] for id_ in fold.dev} == {"one/Ses01"}
    assert {session_of[id_] for id_ in fold.train} == {"one/Ses02", "one/Ses03", "one/Ses04"}
    tested = [u for u in manifest.read(joined.manifest) if u.corpus == "two"]
    assert set(fold.test) == {u.id for u in tested}
    report = SplitReport.read(joined.split_report)
    assert report.speaker_independent
    assert report.folds[0].shared["train-dev"].speaker == ()


def test_dev_takes_sessions_until_it_has_a_share_and_every_emotion():
    utterances = synthetic.corpus(num_sessions=20)
    tested = [synthetic.utterance("x")]
    fold = pair.fold_of(utterances, tested)
    assert len(fold.dev) == 3 * len(utterances) // 20  # 15 %
    without = [u for u in utterances if not (u.emotion == "sad" and u.session <= "Ses04")]
    fold = pair.fold_of(without, tested)
    assert {id_[:5] for id_ in fold.dev} == {f"Ses0{n}" for n in range(1, 6)}


@pytest.mark.parametrize("num_sessions", [1, 2])
def test_a_corpus_that_cannot_choose_on_speakers_of_its_own_is_refused(num_sessions):
    utterances = synthetic.corpus(num_sessions=num_sessions)
    kept = [u for u in utterances if not (u.emotion == "sad" and u.session == "Ses01")]
    with pytest.raises(
        SplitError, match=f"{num_sessions} sessions .* cannot be dealt to train and"
    ):
        pair.fold_of(kept, [synthetic.utterance("x")])


def test_a_speaker_in_two_sessions_is_refused(tmp_path):
    utterances = synthetic.corpus(num_sessions=3)
    same = [replace(u, speaker="Ses01F") if u.session == "Ses02" else u for u in utterances]
    first = write_side(tmp_path, "one", same)
    second = write_side(tmp_path, "two", digested(utterances, 1000))
    with pytest.raises(LeakageError, match="train and dev share speaker 'one/Ses01F'"):
        pair.write(Crossing("lstm-focal", "mfcc", first, second), Project(tmp_path))


def test_fewer_than_two_common_classes_are_refused_with_those_of_both():
    one, two = synthetic.card(emotions=("angry", "sad")), synthetic.card(emotions=("happy", "sad"))
    with pytest.raises(SplitError, match="demo has angry, sad, demo has happy, sad: at least two"):
        pair.shared_classes(one, two)
    three = synthetic.card(emotions=("sad", "angry", "bored"))
    assert pair.shared_classes(one, three) == ("angry", "sad")


def test_the_order_of_classes_is_the_same_both_ways():
    one = synthetic.card(emotions=("sad", "positive", "negative"))
    two = synthetic.card(emotions=("sad", "negative", "contempt", "positive"))
    found = {pair.shared_classes(one, two), pair.shared_classes(two, one)}
    assert found == {("sad", "negative", "positive")}


def test_each_corpus_maps_the_votes_on_its_own_utterances(tmp_path):
    utterances = [replace(u, votes={"X": 2, "odd": 1}) for u in synthetic.corpus(num_sessions=3)]
    first = write_side(tmp_path, "one", utterances, vote_emotions={"X": "angry"})
    others = digested(utterances, 1000)
    second = write_side(tmp_path, "two", others, vote_emotions={"X": "sad", "odd": "neutral"})
    project = Project(tmp_path)
    (tmp_path / "data").mkdir()
    pair.write(Crossing("lstm-focal", "mfcc", first, second), project)
    card = CorpusCard.read(project.corpus_card)
    found = votes.of_corpus(manifest.read(project.manifest), card)
    assert {counts for id_, counts in found.counts_of.items() if id_.startswith("one/")} == {
        (2, 0, 0, 0)
    }
    assert {counts for id_, counts in found.counts_of.items() if id_.startswith("two/")} == {
        (0, 0, 1, 2)
    }


def recorded(folder, sounds):
    """Recordings by id, with the digests that a manifest has."""
    folder.mkdir()
    found = []
    for id_, (samples, suffix) in sounds.items():
        audio.write(folder / f"{id_}{suffix}", samples, 16000, format=suffix[1:].upper())
        facts = audio.inspect(folder / f"{id_}{suffix}", WIDEST)
        found.append(
            synthetic.utterance(
                id_, audio=f"{id_}{suffix}", sha256=facts.sha256, num_samples=facts.num_samples
            )
        )
    return CorpusRecordings(found, folder)


def noise(seed, length=4000):
    return (3000 * np.random.default_rng(seed).normal(size=length)).astype(np.int16)


def test_the_same_sound_in_another_format_is_a_leak_and_named(tmp_path):
    first = recorded(tmp_path / "a", {"x": (noise(1), ".wav"), "y": (noise(2), ".wav")})
    second = recorded(tmp_path / "b", {"p": (noise(3), ".flac"), "q": (noise(2), ".flac")})
    assert first.utterances[1].sha256 != second.utterances[1].sha256
    with pytest.raises(LeakageError, match=r"in both corpora \(1\): one/y is two/q;"):
        pair.require_no_shared_recording(first, second, names=("one", "two"))


def test_other_sounds_are_none_whether_as_long_or_not(tmp_path, monkeypatch):
    first = recorded(tmp_path / "a", {"x": (noise(1), ".wav"), "y": (noise(2, 5000), ".wav")})
    second = recorded(tmp_path / "b", {"p": (noise(3), ".wav"), "q": (noise(4, 6000), ".wav")})
    opened = []
    inspect = audio.inspect
    monkeypatch.setattr(audio, "inspect", lambda path, *a: opened.append(path) or inspect(path, *a))
    pair.require_no_shared_recording(first, second, names=("one", "two"))
    assert sorted(path.stem for path in opened) == ["p", "x"]  # of the others nobody has the length
