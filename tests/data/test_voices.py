import dataclasses

import pytest

from ser.data import leakage, splits, voices
from ser.data.protocols import SplitParams
from ser.data.voices import Voices
from ser.errors import CorpusError, LeakageError
from tests import synthetic


def roaming(corpus):
    """The same corpus, where the man of the first session speaks in the second, too."""
    guest = next(u for u in corpus if u.speaker == "Ses01M")
    return [*corpus, dataclasses.replace(guest, id="guest", session="Ses02", sha256="f" * 64)]


def test_behind_an_utterance_others_of_its_session_are_heard():
    corpus = synthetic.corpus()
    behind = Voices(corpus[::-1]).behind(corpus[0])
    assert [u.id for u in behind] == sorted(u.id for u in corpus if u.speaker == "Ses01M")


def test_where_nobody_else_speaks_the_speaker_is_heard_with_other_recordings():
    corpus = [u for u in synthetic.corpus() if u.speaker.endswith("F")]
    same = dataclasses.replace(corpus[0], id="the same recording again")
    behind = Voices([*corpus, same]).behind(corpus[0])
    assert {u.id for u in behind} == {u.id for u in corpus[1:] if u.speaker == "Ses01F"}


def test_a_speaker_of_several_sessions_is_heard_behind_none_but_its_own():
    corpus = roaming(synthetic.corpus())
    found = Voices(corpus)
    for utterance in corpus:
        if utterance.speaker != "Ses01M":
            assert "Ses01M" not in {u.speaker for u in found.behind(utterance)}


def test_a_session_of_one_recording_is_refused_by_name_with_the_cure():
    corpus = synthetic.corpus()
    alone = dataclasses.replace(corpus[0], id="alone", session="Ses09", speaker="Ses09F")
    with pytest.raises(CorpusError, match=r"'alone'.*session 'Ses09'.*noise or pink instead"):
        Voices([*corpus, alone]).behind(alone)


@pytest.mark.parametrize(
    ("protocol", "change"),
    # Speakers of several sessions are refused by the protocol `speaker` itself.
    [*((protocol, list) for protocol in voices.SAFE_PROTOCOLS), ("session", roaming)],
)
def test_no_train_utterance_hears_a_speaker_of_dev_or_test_in_any_fold(protocol, change):
    corpus = change(synthetic.corpus(num_sessions=6))
    by_id, found = {u.id: u for u in corpus}, Voices(corpus)
    folds = splits.split(corpus, SplitParams(protocol=protocol))
    if change is list:
        leakage.require_separate_voices(folds, corpus)
    for fold in folds:
        speakers = {by_id[id_].speaker for id_ in (*fold.dev, *fold.test)}
        for id_ in fold.train:
            heard = {u.speaker for u in found.behind(by_id[id_])}
            # Who is in two parts is so by the split itself, and hears itself at most.
            assert not (heard - {by_id[id_].speaker}) & speakers


@pytest.mark.parametrize("protocol", ["superb", "random"])
def test_protocols_that_deal_the_utterances_of_a_session_are_refused(protocol):
    corpus = synthetic.corpus(per_speaker=6)
    folds = splits.split(corpus, SplitParams(protocol=protocol))
    with pytest.raises(
        LeakageError, match=r"fold 1: a babble copy .* may hold .* in dev or test; "
    ):
        leakage.require_separate_voices(folds, corpus)


def test_the_own_voice_from_another_part_is_refused_too():
    corpus = [u for u in synthetic.corpus(per_speaker=6) if u.speaker.endswith("F")]
    folds = splits.split(corpus, SplitParams(protocol="random"))
    with pytest.raises(LeakageError, match=r"leave babble out of recipes\.<model>\.copies"):
        leakage.require_separate_voices(folds, corpus)


def test_behind_an_utterance_of_no_known_session_nothing_is_heard():
    corpus = [dataclasses.replace(u, session=None) for u in synthetic.corpus()]
    with pytest.raises(CorpusError, match=r"does not say its session; take noise or pink"):
        Voices(corpus).behind(corpus[0])
