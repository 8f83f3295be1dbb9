"""RAVDESS, the Ryerson Audio-Visual Database of Emotional Speech and Song: its speech.

1440 audio-only speech recordings (48 kHz, 16 bit) of 24 professional actors, twelve
women and twelve men, who speak two English statements in eight emotions at two
intensities (neutral at one), twice each. Licensed CC BY-NC-SA 4.0. Songs and video
found among them are not part of this corpus and are refused by name.

Source: Livingstone, Russo: "The Ryerson Audio-Visual Database of Emotional Speech and
Song (RAVDESS)", PLoS ONE 13(5), 2018, doi:10.1371/journal.pone.0196391.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import Field

from ser.contracts import Corpus
from ser.data import recordings
from ser.data.corpora import _recordings
from ser.data.corpora._base import CorpusParams
from ser.utterance import Annotation, Parsed, Rejection, Utterance

#: Third field of the file's name -> canonical emotion.
EMOTIONS: Mapping[str, str] = {
    "01": "neutral",
    "02": "calm",
    "03": "happy",
    "04": "sad",
    "05": "angry",
    "06": "fearful",
    "07": "disgusted",
    "08": "surprised",
}

#: Emotion code -> number of recordings; 1440 in all. Neutral has one intensity only.
COUNTS: Mapping[str, int] = {code: 96 if code == "01" else 192 for code in EMOTIONS}

STATEMENTS: Mapping[str, str] = {
    "01": "Kids are talking by the door",
    "02": "Dogs are sitting by the door",
}

NUM_ACTORS = 24
ACTORS_PER_GROUP = 4

#: Users of the corpus report one recording that is there twice under two names.
NUM_FAULTY = 1

_NAME = re.compile(
    r"(?P<modality>0[1-3])-(?P<channel>0[12])-(?P<emotion>0[1-8])-(?P<intensity>0[12])"
    r"-(?P<statement>0[12])-(?P<repetition>0[12])-(?P<actor>[0-2][0-9])"
)
_RULE = (
    "<modality>-<channel>-<emotion>-<intensity>-<statement>-<repetition>-<actor>.wav, "
    "e.g. 03-01-06-01-02-01-12.wav"
)


class Params(CorpusParams):
    """Params of RAVDESS.

    Args:
        allow_partial: Go on with other than the 1440 published recordings.
    """

    name: Literal["ravdess"] = "ravdess"
    max_rejected: int = Field(NUM_FAULTY, ge=0)
    allow_partial: bool = False


class Ravdess:
    """Parser of the speech of RAVDESS, see the module.

    Args:
        allow_partial: Accept other than the published counts.
    """

    synthetic: bool = False
    licence: str = "CC BY-NC-SA 4.0: not for commercial use."
    # It may be passed on; but a page that holds recordings would fall under the same terms.
    redistributable: bool = False
    citation: str = (
        "Livingstone, Russo: The Ryerson Audio-Visual Database of Emotional Speech and Song "
        "(RAVDESS), PLoS ONE 13(5), 2018, doi:10.1371/journal.pone.0196391."
    )

    def __init__(self, *, allow_partial: bool) -> None:
        self.allow_partial = allow_partial

    def parse(self, root: Path) -> Parsed:
        """Read the names of the recordings in the folders `Actor_01` .. `Actor_24`.

        Args:
            root: The corpus' folder, which holds the actors' folders directly.

        Returns:
            One annotation per speech recording; songs, video and names that break the
            rule are rejections.

        Raises:
            CorpusError: No actor's folder holds a speech recording.
        """
        annotations: list[Annotation] = []
        rejections: list[Rejection] = []
        for folder in sorted(root.glob("Actor_[0-9][0-9]")):
            for path in recordings.below(folder, root=root, suffixes=(".wav", ".mp4")):
                record = _interpret(path, folder.name)
                if isinstance(record, Annotation):
                    annotations.append(record)
                else:
                    rejections.append(record)
        if not annotations:
            raise _recordings.not_the_corpus(
                "ravdess", root, expected="folders Actor_01 .. Actor_24 with 03-01-*.wav in them"
            )
        return Parsed(tuple(annotations), tuple(rejections))

    def check(self, utterances: Sequence[Utterance]) -> None:
        """Refuse other numbers of utterances per emotion than the 1440 published ones.

        Args:
            utterances: All that the intake accepted.

        Raises:
            CorpusError: More than the one known faulty recording is missing, or there
                are more than published, and `allow_partial` is false.
        """
        if not self.allow_partial:
            found = Counter(utterance.label for utterance in utterances)
            _recordings.check_counts("ravdess", found=found, expected=COUNTS, num_faulty=NUM_FAULTY)


def build(params: Params) -> Corpus:
    """Return the parser.

    Args:
        params: See `Params`.
    """
    return Ravdess(allow_partial=params.allow_partial)


def _interpret(path: str, folder: str) -> Annotation | Rejection:
    """Return what a file's name says, or why it is no speech of the folder's actor."""
    name = PurePosixPath(path)
    match = _NAME.fullmatch(name.stem)
    if match is None or not 1 <= int(match["actor"]) <= NUM_ACTORS:
        return Rejection(id=name.name, audio=path, reason=f"its name is not {_RULE}")
    if fault := _fault(match, name.suffix, folder):
        return Rejection(id=name.name, audio=path, reason=fault)
    return _annotation(path, match)


def _fault(match: re.Match[str], suffix: str, folder: str) -> str | None:
    """Return why a recording named by the rule is not one of this corpus, or None."""
    if match["modality"] != "03" or suffix.lower() != ".wav":
        return f"a video (modality {match['modality']}); only audio (03) is part of this corpus"
    if match["channel"] != "01":
        return "a song (channel 02); only speech (01) is part of this corpus"
    if match["emotion"] == "01" and match["intensity"] != "01":
        return "its name says strong neutral, which the corpus does not have"
    if folder != f"Actor_{match['actor']}":
        return f"its name says actor {match['actor']}, but it is in the folder {folder}"
    return None


def _annotation(path: str, match: re.Match[str]) -> Annotation:
    actor = int(match["actor"])
    return Annotation(
        id=match[0],
        corpus="ravdess",
        audio=path,
        speaker=match["actor"],
        gender="male" if actor % 2 else "female",
        session=f"group{(actor - 1) // ACTORS_PER_GROUP + 1}",
        dialogue=match[0],
        scripted=True,
        text=STATEMENTS[match["statement"]],
        label=match["emotion"],
        emotion=EMOTIONS[match["emotion"]],
    )
