"""IEMOCAP's parser on a tree of the release's own size, with its junk and known counts."""

import struct
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pytest

from ser.data.corpora import iemocap
from ser.emotion import EMOTIONS
from ser.errors import CorpusError
from ser.utterance import Annotation, Parsed, Utterance

CORPUS = iemocap.build(iemocap.Params())
APPLE_DOUBLE = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        \xff\xfe\xb0"


@dataclass(frozen=True)
class Published:
    """What is known of one session; the four-class numbers count the 5531."""

    total: int
    labels: dict[str, int]
    women_and_men: tuple[int, int]
    improvised_and_scripted: tuple[int, int]
    num_dialogues: int


PUBLISHED = {
    1: Published(1819, {"ang": 229, "hap": 135, "exc": 143, "neu": 384, "sad": 194},
                 (528, 557), (521, 564), 28),
    2: Published(1811, {"ang": 137, "hap": 117, "exc": 210, "neu": 362, "sad": 197},
                 (481, 542), (530, 493), 30),
    3: Published(2136, {"ang": 240, "hap": 135, "exc": 151, "neu": 320, "sad": 305},
                 (522, 629), (627, 524), 32),
    4: Published(2103, {"ang": 327, "hap": 65, "exc": 238, "neu": 258, "sad": 143},
                 (528, 503), (534, 497), 30),
    5: Published(2170, {"ang": 170, "hap": 143, "exc": 299, "neu": 384, "sad": 245},
                 (590, 651), (731, 510), 31),
}  # fmt: skip
OTHER_LABELS = {"fru": 1849, "xxx": 2507, "sur": 107, "fea": 40, "oth": 3, "dis": 2}
NUM_OTHER_WOMEN = 4800 - 2649
NUM_OTHER_SCRIPTED = 5255 - 2588


def dialogues(session: int) -> list[str]:
    """28, 30, 32, 30 and 31 names, the odd ones among them."""
    num_improvised = 7 if session == 1 else 8
    takes = [f"{letter}_impro{n:02d}" for letter in "FM" for n in range(1, num_improvised + 1)]
    if session == 3:
        for retaken in ("M_impro05", "M_impro08"):
            takes.remove(retaken)
            takes += [f"{retaken}a", f"{retaken}b"]
    scenes = ("01_1", "01_2", "01_3", "02_1", "02_2", "03_1", "03_2")
    takes += [f"{letter}_script{scene}" for letter in "FM" for scene in scenes]
    takes += ["M_script01_1b"] if session == 5 else []
    return [f"Ses0{session}{take}" for take in takes]


def flags(first: int, second: int, rng: np.random.Generator) -> list[bool]:
    """So many times False and so many times True, shuffled."""
    return rng.permutation([False] * first + [True] * second).tolist()


def cast(rng: np.random.Generator) -> Iterator[tuple[int, str, bool, bool]]:
    """Session, label, whether a man speaks, whether it is scripted, of all 10039."""
    others = [label for label, count in OTHER_LABELS.items() for _ in range(count)]
    num_others = len(others)
    rest = zip(
        rng.permutation(others).tolist(),
        flags(NUM_OTHER_WOMEN, num_others - NUM_OTHER_WOMEN, rng),
        flags(num_others - NUM_OTHER_SCRIPTED, NUM_OTHER_SCRIPTED, rng),
        strict=True,
    )
    for session, known in PUBLISHED.items():
        labels = [label for label, count in known.labels.items() for _ in range(count)]
        men = flags(*known.women_and_men, rng)
        scripted = flags(*known.improvised_and_scripted, rng)
        for label, is_man, is_scripted in zip(labels, men, scripted, strict=True):
            yield session, label, is_man, is_scripted
        for _ in range(known.total - len(labels)):
            yield session, *next(rest)


def wav_bytes(content: int, *, num_samples: int = 160) -> bytes:
    """A 16 kHz, 16-bit, mono wav; its samples spell the number."""
    samples = struct.pack("<i", content) * (num_samples // 2)
    header = struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(samples), b"WAVE", b"fmt ", 16,
                         1, 1, 16_000, 32_000, 2, 16, b"data", len(samples))  # fmt: skip
    return header + samples


def write_release(root: Path) -> None:
    """Write 10039 utterances in 151 dialogues, and junk in every folder."""
    names = {session: dialogues(session) for session in PUBLISHED}
    spoken: Counter[str] = Counter()
    blocks: defaultdict[str, list[str]] = defaultdict(list)
    words: defaultdict[str, list[str]] = defaultdict(list)
    for number, (session, label, is_man, is_scripted) in enumerate(cast(np.random.default_rng(0))):
        places = [name for name in names[session] if ("_script" in name) == is_scripted]
        dialogue = places[number % len(places)]
        prefix = f"{dialogue}_{'M' if is_man else 'F'}"
        utterance_id = f"{prefix}{spoken[prefix]:03d}"
        spoken[prefix] += 1
        blocks[dialogue].append(
            f"[1.0000 - 2.0000]\t{utterance_id}\t{label}\t[2.5000, 2.5000, 2.5000]\n"
            "C-E2:\tNeutral;\t()\nC-F1:\tAnger;\t()\nA-E3:\tval 3; act 2; dom  ;\t()\n"
        )
        words[dialogue].append(f"{utterance_id} [001.0000-002.0000]: Word {number}.\n")
        folder = root / f"Session{session}/sentences/wav/{dialogue}"
        if not folder.is_dir():
            folder.mkdir(parents=True)
            (folder / f"._{dialogue}.wav").write_bytes(APPLE_DOUBLE)
        (folder / f"{utterance_id}.wav").write_bytes(wav_bytes(number))
    for dialogue, lines in blocks.items():
        dialog = root / f"Session{dialogue[4]}/dialog"
        for part in ("EmoEvaluation/Categorical", "transcriptions"):
            (dialog / part).mkdir(parents=True, exist_ok=True)
        header = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"
        (dialog / f"EmoEvaluation/{dialogue}.txt").write_text(header + "\n".join(lines))
        (dialog / f"EmoEvaluation/._{dialogue}.txt").write_bytes(APPLE_DOUBLE)
        (dialog / f"EmoEvaluation/Categorical/{dialogue}_e2_cat.txt").write_text("x :Anger; ()\n")
        unlabelled = f"{dialogue}_MXX0 [003.0000-004.0000]: Mmhmm.\n"
        (dialog / f"transcriptions/{dialogue}.txt").write_text(
            "".join(words[dialogue]) + unlabelled
        )


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("IEMOCAP_full_release")
    write_release(root)
    return root


@pytest.fixture(scope="module")
def parsed(release: Path) -> Parsed:
    return CORPUS.parse(release)


def as_utterances(annotations: Sequence[Annotation]) -> list[Utterance]:
    recording = {"sha256": "0", "num_samples": 160, "sampling_rate": 16_000, "duration_s": 0.01}
    return [Utterance(**asdict(item), **recording) for item in annotations]


def four_class(parsed: Parsed) -> list[Annotation]:
    return [item for item in parsed.annotations if item.emotion in EMOTIONS]


def test_all_10039_utterances_stay_and_5531_are_of_the_four_classes(parsed: Parsed) -> None:
    assert parsed.rejections == ()
    assert len({item.id for item in parsed.annotations}) == 10_039
    assert len(four_class(parsed)) == 5531
    assert len({item.dialogue for item in parsed.annotations}) == 151
    CORPUS.check(as_utterances(parsed.annotations))


@pytest.mark.parametrize(
    ("emotions", "merge_excited", "counts"),
    [
        ((*EMOTIONS, "frustrated"), True, (1103, 1636, 1708, 1084, 1849)),
        ((*EMOTIONS, "frustrated", "excited"), False, (1103, 595, 1708, 1084, 1849, 1041)),
        (EMOTIONS, False, (1103, 595, 1708, 1084)),
    ],
)
def test_other_sets_of_classes_have_the_counts_of_their_labels(
    release: Path, emotions: tuple[str, ...], merge_excited: bool, counts: tuple[int, ...]
) -> None:
    params = iemocap.Params(emotions=emotions, merge_excited=merge_excited)
    corpus = iemocap.build(params)
    found = corpus.parse(release)
    corpus.check(as_utterances(found.annotations))
    per_emotion = Counter(item.emotion for item in found.annotations)
    assert tuple(per_emotion[emotion] for emotion in params.emotions) == counts


def test_each_session_has_its_published_number_per_class(parsed: Parsed) -> None:
    found = Counter((item.session, item.emotion) for item in four_class(parsed))
    for session, known in PUBLISHED.items():
        counts = {emotion: found[f"Ses0{session}", emotion] for emotion in EMOTIONS}
        assert counts == {
            "angry": known.labels["ang"],
            "happy": known.labels["hap"] + known.labels["exc"],
            "neutral": known.labels["neu"],
            "sad": known.labels["sad"],
        }


def test_each_speaker_has_the_true_number_of_utterances(parsed: Parsed) -> None:
    found = Counter(item.speaker for item in four_class(parsed))
    assert found == {
        f"Ses0{session}{letter}": count
        for session, known in PUBLISHED.items()
        for letter, count in zip("FM", known.women_and_men, strict=True)
    }
    assert Counter(item.gender for item in parsed.annotations) == {"female": 4800, "male": 5239}


def test_improvised_and_scripted_utterances_are_told_apart(parsed: Parsed) -> None:
    found = Counter((item.session, item.scripted) for item in four_class(parsed))
    assert found == {
        (f"Ses0{session}", is_scripted): count
        for session, known in PUBLISHED.items()
        for is_scripted, count in zip((False, True), known.improvised_and_scripted, strict=True)
    }
    assert Counter(item.scripted for item in parsed.annotations) == {False: 4784, True: 5255}


def test_every_utterance_has_its_own_words_and_votes(parsed: Parsed) -> None:
    assert len({item.text for item in parsed.annotations}) == 10_039
    assert all(item.votes == {"Neutral": 1} for item in parsed.annotations)


def test_one_mislabelled_utterance_is_refused_with_the_difference(
    release: Path, parsed: Parsed
) -> None:
    victim = next(i for i in parsed.annotations if (i.session, i.label) == ("Ses03", "ang"))
    path = release / f"Session3/dialog/EmoEvaluation/{victim.dialogue}.txt"
    original = path.read_text()
    path.write_text(original.replace(f"{victim.id}\tang", f"{victim.id}\tfru"))
    try:
        found = CORPUS.parse(release)
    finally:
        path.write_text(original)
    with pytest.raises(CorpusError) as error:
        CORPUS.check(as_utterances(found.annotations))
    assert str(error.value).splitlines()[1:-1] == [
        "  utterances of the four classes (ang, hap + exc, neu, sad): expected 5531, found 5530",
        "  label ang: expected 1103, found 1102",
        "  label fru: expected 1849, found 1850",
        "  session Ses03, label ang: expected 240, found 239",
    ]


def test_one_missing_recording_is_refused_with_the_difference(
    release: Path, parsed: Parsed
) -> None:
    victim = next(i for i in parsed.annotations if (i.session, i.label) == ("Ses05", "sad"))
    path = release / victim.audio
    content = path.read_bytes()
    path.unlink()
    try:
        found = CORPUS.parse(release)
    finally:
        path.write_bytes(content)
    assert [item.id for item in found.rejections] == [victim.id]
    with pytest.raises(CorpusError) as error:
        CORPUS.check(as_utterances(found.annotations))
    assert str(error.value).splitlines()[1:-1] == [
        "  utterances in all: expected 10039, found 10038",
        "  utterances of the four classes (ang, hap + exc, neu, sad): expected 5531, found 5530",
        "  session Ses05: expected 2170, found 2169",
        "  label sad: expected 1084, found 1083",
        "  session Ses05, label sad: expected 245, found 244",
    ]


def test_a_swap_between_sessions_that_keeps_every_total_is_refused(parsed: Parsed) -> None:
    """Two labels exchanged between sessions change no total, only the table."""
    utterances = {item.id: item for item in as_utterances(parsed.annotations)}
    angry = next(i for i in utterances.values() if (i.session, i.label) == ("Ses01", "ang"))
    sad = next(i for i in utterances.values() if (i.session, i.label) == ("Ses02", "sad"))
    for item, label in ((angry, "sad"), (sad, "ang")):
        utterances[item.id] = Utterance(**(asdict(item) | {"label": label}))
    with pytest.raises(CorpusError, match=r"session Ses01, label ang: expected 229, found 228"):
        CORPUS.check(list(utterances.values()))


def test_a_partial_copy_is_accepted_when_asked_for(parsed: Parsed) -> None:
    partial = iemocap.build(iemocap.Params(allow_partial=True))
    partial.check(as_utterances(parsed.annotations[:10]))
