"""Which recordings may be heard behind an utterance, so that no part of a fold hears another.

Features are extracted once, before any fold is known, and serve all folds. So what is mixed
into an utterance must be in the same part as the utterance, whatever the fold. Those are the
recordings of its session: the protocols `session` and `speaker` never train on a session that
they test or choose on. A speaker who is in further sessions is left out, since another part may
have those. Under the other protocols this does not hold: `superb`, `random` and `file` may deal a
session to several parts, and under `text` a recording of the session may say what is tested. So
params that ask for voices under any of them are refused (`ser.workflow.preset`), and folds that
show it are too (`ser.data.leakage.require_separate_voices`).
"""

from collections import defaultdict
from collections.abc import Sequence

from ser.errors import CorpusError
from ser.utterance import Utterance

SAFE_PROTOCOLS = ("session", "speaker")
"""Protocols of `split.protocol` under which `Voices` never crosses parts."""


class Voices:
    """The recordings that may be heard behind each utterance of a corpus.

    Args:
        utterances: The whole manifest, those without an emotion of the study too.
    """

    def __init__(self, utterances: Sequence[Utterance]) -> None:
        self._of_session: defaultdict[str | None, list[Utterance]] = defaultdict(list)
        sessions_of: defaultdict[str, set[str | None]] = defaultdict(set)
        for utterance in sorted(utterances, key=lambda u: u.id):
            self._of_session[utterance.session].append(utterance)
            sessions_of[utterance.speaker].add(utterance.session)
        self._in_one_session = {who for who, where in sessions_of.items() if len(where) == 1}

    def behind(self, utterance: Utterance) -> list[Utterance]:
        """Return what may be mixed into an utterance, sorted by id.

        That is what other speakers say in the session; where nobody else speaks, what the
        speaker says in its other recordings.

        Raises:
            CorpusError: The session has no other recording, or is not known.
        """
        if utterance.session is None:
            raise CorpusError(
                f"utterance {utterance.id!r}: nothing can be heard behind it, since the corpus "
                f"does not say its session; take noise or pink instead of babble"
            )
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
