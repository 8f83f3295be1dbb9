"""CREMA-D, the Crowd-sourced Emotional Multimodal Actors Dataset: acted English speech.

7442 recordings of 91 actors, 43 women and 48 men, who speak twelve sentences in six
emotions, one of the sentences at three intensities. Licensed under the Open Database
License 1.0. The label is the emotion the actor was asked for. The votes are those of the crowd
who heard the voice alone; those of people who saw the face too are not read.

Source: Cao, Cooper, Keutmann, Gur, Nenkova, Verma: "CREMA-D: Crowd-sourced Emotional
Multimodal Actors Dataset", IEEE Transactions on Affective Computing 5(4), 2014,
doi:10.1109/TAFFC.2014.2336244.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import Field

from ser.contracts import Corpus
from ser.data import recordings
from ser.data.corpora import _recordings, _sessions, _table
from ser.data.corpora._base import CorpusParams
from ser.errors import CorpusError
from ser.utterance import Annotation, Gender, Parsed, Rejection, Utterance

#: Third field of the file's name -> canonical emotion.
EMOTIONS: Mapping[str, str] = {
    "ANG": "angry",
    "DIS": "disgusted",
    "FEA": "fearful",
    "HAP": "happy",
    "NEU": "neutral",
    "SAD": "sad",
}

#: Emotion code -> number of recordings; 7442 in all.
COUNTS: Mapping[str, int] = {code: 1087 if code == "NEU" else 1271 for code in EMOTIONS}

SENTENCES: Mapping[str, str] = {
    "DFA": "Don't forget a jacket",
    "IEO": "It's eleven o'clock",
    "IOM": "I'm on my way to the meeting",
    "ITH": "I think I have a doctor's appointment",
    "ITS": "I think I've seen this before",
    "IWL": "I would like a new alarm clock",
    "IWW": "I wonder what this is about",
    "MTI": "Maybe tomorrow it will be cold",
    "TAI": "The airplane is almost full",
    "TIE": "That is exactly what happened",
    "TSI": "The surface is slick",
    "WSI": "We'll stop in a couple of minutes",
}

#: Recordings that users of the corpus exclude, and what is wrong with each.
FAULTY: Mapping[str, str] = {
    "1064_IEO_DIS_MD": "one long take with every emotion, not only the one in its name",
    "1064_TIE_SAD_XX": "nearly empty",
    "1076_MTI_NEU_XX": "nearly empty",
    "1076_MTI_SAD_XX": "it has no sound",
}

#: Those, and three pairs of one recording under two emotions, of which both are refused.
NUM_FAULTY = len(FAULTY) + 6

NUM_SESSIONS = 5
DEMOGRAPHICS = "VideoDemographics.csv"

#: The crowd's votes, a row per recording and stimulus; read where it is there.
VOTES = "processedResults/tabulatedVotes.csv"

#: What the crowd could choose, columns of that table -> canonical emotion.
VOTE_EMOTIONS: Mapping[str, str] = {code[0]: emotion for code, emotion in EMOTIONS.items()}

#: A row is named by 100000 times the stimulus plus a number; 1 is the voice, 2 the face, 3 both.
_VOICE_ONLY = re.compile(r"1[0-9]{5}")

# 1040_ITH_SAD_X is spelt like this in the corpus.
_NAME = re.compile(
    f"(?P<actor>1[0-9]{{3}})_(?P<sentence>{'|'.join(SENTENCES)})"
    f"_(?P<emotion>{'|'.join(EMOTIONS)})_(XX|LO|MD|HI|X)"
)
_RULE = "<actor>_<sentence>_<emotion>_<level XX|LO|MD|HI>.wav, e.g. 1001_DFA_ANG_XX.wav"


class Params(CorpusParams):
    """Params of CREMA-D.

    Args:
        allow_partial: Go on with other than the 7442 published recordings.
    """

    name: Literal["cremad"] = "cremad"
    max_rejected: int = Field(NUM_FAULTY, ge=0)
    allow_partial: bool = False


class CremaD:
    """Parser of CREMA-D, see the module.

    Args:
        allow_partial: Accept other than the published counts.
    """

    synthetic: bool = False
    licence: str = "Open Database License (ODbL) 1.0."
    # It may be passed on; but what holds a part of the database has to carry its terms.
    redistributable: bool = False
    citation: str = (
        "Cao, Cooper, Keutmann, Gur, Nenkova, Verma: CREMA-D: Crowd-sourced Emotional Multimodal "
        "Actors Dataset, IEEE Transactions on Affective Computing 5(4), 2014."
    )

    def __init__(self, *, allow_partial: bool) -> None:
        self.allow_partial = allow_partial

    def parse(self, root: Path) -> Parsed:
        """Read the names of the recordings in `AudioWAV/`, the actors' sex and the votes.

        Sessions are five groups of actors, balanced by sex, dealt from the whole table
        of actors, so that they do not depend on which recordings are there.

        Args:
            root: The corpus' folder.

        Returns:
            One annotation per recording; names that break the rule, the known faulty
            recordings and actors who are not in the table are rejections.

        Raises:
            CorpusError: No recording is named by the corpus' rule, the table of actors is
                missing, or a table cannot be read. That of the votes may be missing.
        """
        folder = root / "AudioWAV"
        paths = recordings.below(folder, root=root) if folder.is_dir() else []
        if not any(_NAME.fullmatch(PurePosixPath(path).stem) for path in paths):
            raise _recordings.not_the_corpus(
                "cremad", root, expected=f"recordings named {_RULE}, in AudioWAV/"
            )
        genders = _genders(root / DEMOGRAPHICS)
        sessions = _sessions.deal(genders, num_sessions=NUM_SESSIONS)
        votes = _votes(root / VOTES)
        annotations: list[Annotation] = []
        rejections: list[Rejection] = []
        for path in paths:
            match = _NAME.fullmatch(PurePosixPath(path).stem)
            if match is None:
                name = PurePosixPath(path).name
                reason = f"its name is not {_RULE}"
                rejections.append(Rejection(id=name, audio=path, reason=reason))
            elif fault := _fault(match, genders):
                rejections.append(Rejection(id=match[0], audio=path, reason=fault))
            else:
                annotation = _annotation(path, match, genders, sessions)
                annotations.append(replace(annotation, votes=votes.get(annotation.id)))
        return Parsed(tuple(annotations), tuple(rejections), VOTE_EMOTIONS if votes else {})

    def check(self, utterances: Sequence[Utterance]) -> None:
        """Refuse other numbers of utterances per emotion than the 7442 published ones.

        Args:
            utterances: All that the intake accepted.

        Raises:
            CorpusError: More than the ten known faulty recordings are missing, or
                there are more than published, and `allow_partial` is false.
        """
        if not self.allow_partial:
            found = Counter(utterance.label for utterance in utterances)
            _recordings.check_counts("cremad", found=found, expected=COUNTS, num_faulty=NUM_FAULTY)


def build(params: Params) -> Corpus:
    """Return the parser.

    Args:
        params: See `Params`.
    """
    return CremaD(allow_partial=params.allow_partial)


def _genders(path: Path) -> dict[str, Gender]:
    """Return actor -> gender from the corpus' table of actors."""
    if not path.is_file():
        raise CorpusError(
            f"{path}: no such file; it states each actor's sex and comes with the corpus, beside "
            "AudioWAV/"
        )
    names = {"actor": "ActorID", "sex": "Sex"}
    genders: dict[str, Gender] = {}
    for row in _table.read(path, names=names, required=names):
        sex = row.fields["sex"].lower() if isinstance(row, _table.TableRow) else row.reason
        if isinstance(row, _table.BadRow) or (sex != "female" and sex != "male"):
            raise CorpusError(f"{path}:{row.line}: Sex must be Female or Male, got {sex!r}")
        genders[row.fields["actor"]] = "female" if sex == "female" else "male"
    if len(genders) < NUM_SESSIONS:
        raise CorpusError(f"{path}: {len(genders)} actors; expected the corpus' table of 91")
    return genders


def _votes(path: Path) -> dict[str, dict[str, int]]:
    """Return recording -> emotion code -> votes of those who heard it and saw nothing."""
    if not path.is_file():
        return {}
    names = {"row": "", "recording": "fileName", **{code: code for code in VOTE_EMOTIONS}}
    votes: dict[str, dict[str, int]] = {}
    for row in _table.read(path, names=names, required=names):
        if isinstance(row, _table.BadRow):
            raise CorpusError(f"{path}:{row.line}: {row.reason}")
        if not _VOICE_ONLY.fullmatch(row.fields["row"]):
            continue
        counts = {code: row.fields[code] for code in VOTE_EMOTIONS}
        if not all(count.isascii() and count.isdecimal() for count in counts.values()):
            raise CorpusError(f"{path}:{row.line}: votes must be whole numbers, got {counts}")
        found = {code: int(count) for code, count in counts.items() if int(count)}
        if found:
            votes[row.fields["recording"]] = found
    return votes


def _fault(match: re.Match[str], genders: Mapping[str, Gender]) -> str | None:
    """Return why a recording cannot be used, or None."""
    if match["actor"] not in genders:
        return f"actor {match['actor']} is not in {DEMOGRAPHICS}"
    if match[0] in FAULTY:
        return f"excluded by users of the corpus as faulty: {FAULTY[match[0]]}"
    return None


def _annotation(
    path: str, match: re.Match[str], genders: Mapping[str, Gender], sessions: Mapping[str, str]
) -> Annotation:
    actor = match["actor"]
    return Annotation(
        id=match[0],
        corpus="cremad",
        audio=path,
        speaker=actor,
        gender=genders[actor],
        session=sessions[actor],
        dialogue=match[0],
        scripted=True,
        text=SENTENCES[match["sentence"]],
        label=match["emotion"],
        emotion=EMOTIONS[match["emotion"]],
    )
