"""Which recordings may be heard behind an utterance, so that no part of a fold hears another.

Features are extracted once, before any fold is known, and serve all folds. So what is mixed
into an utterance must be in the same part as the utterance, whatever the fold. Those are the
recordings of its session: the protocols `session` and `speaker` never train on a session that
they test or choose on. A speaker who is in further sessions is left out, since another part may
have those. Under the protocols `superb` and `random` no recording is always in the part of
another, so `require_separate` refuses them.
"""

from collections import defaultdict
from collections.abc import Sequence

from ser.data.splits import Fold
from ser.errors import CorpusError, LeakageError
from ser.utterance import Utterance

SAFE_PROTOCOLS = ("session", "speaker")
"""Protocols of `split.protocol` under which `Voices` never crosses parts."""


class Voices:
    """The recordings that may be heard behind each utterance of a corpus.

    Args:
        utterances: The whole manifest, those without an emotion of the study too.
    """

    def __init__(self, utterances: Sequence[Utterance]) -> None:
        self._of_session: defaultdict[str, list[Utterance]] = defaultdict(list)
        sessions_of: defaultdict[str, set[str]] = defaultdict(set)
        for utterance in sorted(utterances, key=lambda u: u.id):
            self._of_session[utterance.session].append(utterance)
            sessions_of[utterance.speaker].add(utterance.session)
        self._in_one_session = {who for who, where in sessions_of.items() if len(where) == 1}

    def behind(self, utterance: Utterance) -> list[Utterance]:
        """Return what may be mixed into an utterance, sorted by id.

        That is what other speakers say in the session; where nobody else speaks, what the
        speaker says in its other recordings.

        Raises:
            CorpusError: The session has no other recording.
        """
        present = self._of_session[utterance.session]
        others = [
            other
            for other in present
            if other.speaker != utterance.speaker and other.speaker in self._in_one_session
        ]
        own = [
            other
            for other in present
            if other.speaker == utterance.speaker and other.sha256 != utterance.sha256
        ]
        if not others and not own:
            raise CorpusError(
                f"utterance {utterance.id!r}: nothing can be heard behind it, since its session "
                f"{utterance.session!r} has no other recording; take noise or pink instead of "
                f"babble, or give the corpus sessions of several recordings"
            )
        return others or own


def require_separate(folds: Sequence[Fold], utterances: Sequence[Utterance]) -> None:
    """Refuse folds in which a train utterance would hear somebody of dev or test.

    Args:
        folds: What is to be trained.
        utterances: The whole manifest.

    Raises:
        LeakageError: Names the fold, the utterance and the voice.
    """
    voices, by_id = Voices(utterances), {u.id: u for u in utterances}
    for fold in folds:
        elsewhere = {*fold.dev, *fold.test}
        speakers = {by_id[id_].speaker for id_ in elsewhere}
        # What is heard is the same for all that a speaker says in a session, but for itself.
        some_of = {(by_id[id_].session, by_id[id_].speaker): by_id[id_] for id_ in fold.train}
        for utterance in some_of.values():
            for voice in voices.behind(utterance):
                is_another = voice.speaker != utterance.speaker
                if voice.id in elsewhere or (is_another and voice.speaker in speakers):
                    raise LeakageError(
                        f"fold {fold.number}: a babble copy of the train utterance "
                        f"{utterance.id!r} may hold {voice.id!r}, and its speaker "
                        f"{voice.speaker!r} is in dev or test; leave babble out of "
                        f"recipes.<model>.copies, or set split.protocol to "
                        f"{' or '.join(SAFE_PROTOCOLS)}"
                    )
