"""EmoDB, the Berlin Database of Emotional Speech: acted German speech.

535 recordings (16 kHz, mono, 16 bit) of ten actors, five women and five men, who speak
ten sentences in seven emotions: WAV as published, or FLAC as they ship with the project.
Published as CC0-1.0 by audEERING; another catalogue says CC BY 4.0. Listeners'
recognition rates (`erkennung.txt`) are percentages, not votes, and are not read.

Source: Burkhardt, Paeschke, Rolfes, Sendlmeier, Weiss: "A Database of German Emotional
Speech", Interspeech 2005.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Literal

from ser.contracts import Corpus
from ser.data import recordings
from ser.data.corpora import _recordings
from ser.data.corpora._base import CorpusParams
from ser.errors import CorpusError
from ser.utterance import Annotation, Gender, Parsed, Rejection, Utterance

#: Letter of the German word in the file's name -> canonical emotion.
EMOTIONS: Mapping[str, str] = {
    "W": "angry",
    "L": "bored",
    "E": "disgusted",
    "A": "fearful",
    "F": "happy",
    "T": "sad",
    "N": "neutral",
}

#: Letter -> number of recordings; 535 in all.
COUNTS: Mapping[str, int] = {"W": 127, "L": 81, "N": 79, "F": 71, "A": 69, "T": 62, "E": 46}

#: Pairs of one man and one woman, in order of speaker number.
PAIRS: tuple[tuple[str, str], ...] = (
    ("03", "08"),
    ("10", "09"),
    ("11", "13"),
    ("12", "14"),
    ("15", "16"),
)

SENTENCES: Mapping[str, str] = {
    "a01": "Der Lappen liegt auf dem Eisschrank.",
    "a02": "Das will sie am Mittwoch abgeben.",
    "a04": "Heute abend könnte ich es ihm sagen.",
    "a05": "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
    "a07": "In sieben Stunden wird es soweit sein.",
    "b01": "Was sind denn das für Tüten, die da unter dem Tisch stehen?",
    "b02": "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
    "b03": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
    "b09": "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
    "b10": "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
}

_GENDERS: Mapping[str, Gender] = {
    **{man: "male" for man, _ in PAIRS},
    **{woman: "female" for _, woman in PAIRS},
}
_SESSIONS: Mapping[str, str] = {
    speaker: f"pair{number}" for number, pair in enumerate(PAIRS, 1) for speaker in pair
}
_NAME = re.compile(
    f"(?P<speaker>{'|'.join(sorted(_GENDERS))})"
    f"(?P<sentence>{'|'.join(SENTENCES)})"
    f"(?P<letter>[{''.join(EMOTIONS)}])[a-z]?"
)
_RULE = (
    "<speaker 03|08..16><sentence a01..b10><emotion W|L|E|A|F|T|N><take>.wav (or .flac), "
    "e.g. 03a01Fa.wav"
)
#: Sub-folders of recordings: as published, and as they ship with the project.
_FOLDERS = ("wav", "flac")
_SUFFIXES = (".wav", ".flac")


class Params(CorpusParams):
    """Params of EmoDB.

    Args:
        allow_partial: Go on with other than the 535 published recordings.
    """

    name: Literal["emodb"] = "emodb"
    allow_partial: bool = False


class EmoDB:
    """Parser of EmoDB, see the module.

    Args:
        allow_partial: Accept other than the published counts.
    """

    synthetic: bool = False
    licence: str = "CC0-1.0 as packaged by audEERING (another catalogue says CC BY 4.0)."
    # Either allows it; the second asks for the authors' names, which the report states.
    redistributable: bool = True
    citation: str = (
        "Burkhardt, Paeschke, Rolfes, Sendlmeier, Weiss: A Database of German Emotional Speech, "
        "Interspeech 2005."
    )

    def __init__(self, *, allow_partial: bool) -> None:
        self.allow_partial = allow_partial

    def parse(self, root: Path) -> Parsed:
        """Read the names of the recordings in `wav/` and `flac/`, or in the root without these.

        Args:
            root: The corpus' folder.

        Returns:
            One annotation per recording; names that break the rule are rejections.

        Raises:
            CorpusError: No recording is named by the corpus' rule, or one is there twice.
        """
        annotations: list[Annotation] = []
        rejections: list[Rejection] = []
        for path in _paths(root):
            name = PurePosixPath(path)
            if match := _NAME.fullmatch(name.stem):
                annotations.append(_annotation(path, match))
            else:
                rejections.append(
                    Rejection(id=name.name, audio=path, reason=f"its name is not {_RULE}")
                )
        if not annotations:
            raise _recordings.not_the_corpus(
                "emodb",
                root,
                expected=f"recordings named {_RULE}, in wav/, in flac/ or directly in it",
            )
        _refuse_doubles(annotations, root)
        return Parsed(tuple(annotations), tuple(rejections))

    def check(self, utterances: Sequence[Utterance]) -> None:
        """Refuse other numbers of utterances per emotion than the 535 published ones.

        Args:
            utterances: All that the intake accepted.

        Raises:
            CorpusError: A count differs and `allow_partial` is false.
        """
        if not self.allow_partial:
            found = Counter(utterance.label for utterance in utterances)
            _recordings.check_counts("emodb", found=found, expected=COUNTS)


def build(params: Params) -> Corpus:
    """Return the parser.

    Args:
        params: See `Params`.
    """
    return EmoDB(allow_partial=params.allow_partial)


def _paths(root: Path) -> list[str]:
    """Return the paths of the recordings relative to the root, sorted; none without a folder."""
    folders = [root / name for name in _FOLDERS if (root / name).is_dir()] or [root]
    return sorted(
        path
        for folder in folders
        if folder.is_dir()
        for path in recordings.below(folder, root=root, suffixes=_SUFFIXES)
    )


def _refuse_doubles(annotations: Sequence[Annotation], root: Path) -> None:
    """Refuse two files of one recording: nothing says which of them is meant."""
    paths: defaultdict[str, list[str]] = defaultdict(list)
    for annotation in annotations:
        paths[annotation.id].append(annotation.audio)
    doubles = [found for _, found in sorted(paths.items()) if len(found) > 1]
    if doubles:
        raise CorpusError(
            f"{root}: {len(doubles)} recordings are there more than once, "
            f"e.g. as {' and '.join(doubles[0])}; a recording has one file: keep one of each, "
            f"or link the folder of one kind alone with `ser link-corpus emodb PATH`"
        )


def _annotation(path: str, match: re.Match[str]) -> Annotation:
    speaker = match["speaker"]
    return Annotation(
        id=match[0],
        corpus="emodb",
        audio=path,
        speaker=speaker,
        gender=_GENDERS[speaker],
        session=_SESSIONS[speaker],
        dialogue=match[0],
        scripted=True,
        text=SENTENCES[match["sentence"]],
        label=match["letter"],
        emotion=EMOTIONS[match["letter"]],
    )
