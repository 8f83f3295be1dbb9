"""IEMOCAP's parser on tiny trees with one trap each; `test_iemocap_tree` has the full size."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from ser.data.corpora import iemocap
from ser.errors import CorpusError
from ser.utterance import Annotation, Parsed

PARTIAL = iemocap.build(iemocap.Params(allow_partial=True))
FULL = iemocap.build(iemocap.Params())
APPLE_DOUBLE = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        \xff\xfe\xb0"


def block(utterance_id: str, label: str = "neu", *rater_lines: str) -> str:
    head = f"[6.2901 - 8.2357]\t{utterance_id}\t{label}\t[2.5000, 3.0000, 3.5000]"
    return "\n".join([head, *rater_lines]) + "\n\n"


class Tree:
    """A release being written."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, session: int, part: str) -> Path:
        path = self.root / f"Session{session}" / part
        path.mkdir(parents=True, exist_ok=True)
        return path

    def evaluation(self, dialogue: str, content: str | bytes) -> Path:
        path = self.folder(int(dialogue[4]), "dialog/EmoEvaluation") / f"{dialogue}.txt"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.folder(int(dialogue[4]), "sentences/wav")
        return path

    def transcript(self, dialogue: str, content: bytes) -> None:
        folder = self.folder(int(dialogue[4]), "dialog/transcriptions")
        (folder / f"{dialogue}.txt").write_bytes(content)

    def wavs(self, *utterance_ids: str) -> None:
        for utterance_id in utterance_ids:
            dialogue = utterance_id.rpartition("_")[0]
            folder = self.folder(int(dialogue[4]), f"sentences/wav/{dialogue}")
            (folder / f"{utterance_id}.wav").write_bytes(b"the parser opens no audio")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def parse_one(tree: Tree, utterance_id: str, label: str = "neu", *rater_lines: str) -> Annotation:
    tree.evaluation(utterance_id.rpartition("_")[0], block(utterance_id, label, *rater_lines))
    tree.wavs(utterance_id)
    parsed = PARTIAL.parse(tree.root)
    assert parsed.rejections == ()
    (annotation,) = parsed.annotations
    return annotation


def test_speaker_and_gender_come_from_the_turn_and_not_from_the_mocap_wearer(tree: Tree) -> None:
    annotation = parse_one(tree, "Ses01F_impro01_M003")
    assert (annotation.speaker, annotation.gender) == ("Ses01M", "male")


def test_an_utterance_knows_its_session_dialogue_recording_and_that_it_was_improvised(
    tree: Tree,
) -> None:
    annotation = parse_one(tree, "Ses02M_impro08_F012", "ang")
    assert annotation == Annotation(
        id="Ses02M_impro08_F012",
        corpus="iemocap",
        audio="Session2/sentences/wav/Ses02M_impro08/Ses02M_impro08_F012.wav",
        speaker="Ses02F",
        gender="female",
        session="Ses02",
        dialogue="Ses02M_impro08",
        scripted=False,
        text=None,
        label="ang",
        emotion="angry",
        valence=2.5,
        arousal=3.0,
        dominance=3.5,
        votes=None,
    )


@pytest.mark.parametrize(
    ("dialogue", "is_scripted"),
    [("Ses03M_impro05a", False), ("Ses03M_impro08b", False), ("Ses05M_script01_1b", True)],
)
def test_odd_dialogue_names_are_understood(tree: Tree, dialogue: str, is_scripted: bool) -> None:
    annotation = parse_one(tree, f"{dialogue}_F000")
    assert (annotation.dialogue, annotation.scripted) == (dialogue, is_scripted)


@pytest.mark.parametrize(
    ("label", "emotion"),
    [("ang", "angry"), ("hap", "happy"), ("exc", "happy"), ("neu", "neutral"), ("sad", "sad"),
     ("fru", "frustrated"), ("fea", "fearful"), ("sur", "surprised"), ("dis", "disgusted"),
     ("oth", None), ("xxx", None)],
)  # fmt: skip
def test_the_label_stays_and_the_emotion_is_canonical(
    tree: Tree, label: str, emotion: str | None
) -> None:
    annotation = parse_one(tree, "Ses01F_impro01_F000", label)
    assert (annotation.label, annotation.emotion) == (label, emotion)


def test_excitement_is_an_emotion_of_its_own_unless_merged(tree: Tree) -> None:
    parse_one(tree, "Ses01F_impro01_F000", "exc")
    apart = iemocap.build(iemocap.Params(allow_partial=True, merge_excited=False))
    assert [item.emotion for item in apart.parse(tree.root).annotations] == ["excited"]


def test_every_label_of_every_rater_is_a_vote_but_self_reports_are_not(tree: Tree) -> None:
    annotation = parse_one(
        tree,
        "Ses01F_impro01_F000",
        "fru",
        "C-E2:\tFrustration; Anger;\t(loud; Sadness)",
        "C-E3:\tFrustration;\t()",
        "C-E4:\tNeutral state;\t(no idea)",
        "C-F1:\tHappiness;\t()",
        "C-M1:\tHappiness;\t()",
        "A-E3:\tval 3; act 2; dom  ;\t()",
        "A-F1:\tval 3; act 2; dom  1;\t()",
    )
    assert annotation.votes == {"Anger": 1, "Frustration": 2, "Neutral": 1}


def test_votes_are_mapped_as_labels_are(tree: Tree) -> None:
    parse_one(tree, "Ses01F_impro01_F000", "exc", "C-E2:\tExcited;\t()")
    merged = iemocap.build(iemocap.Params(allow_partial=True)).parse(tree.root).vote_emotions
    assert merged == {
        "Anger": "angry", "Disgust": "disgusted", "Excited": "happy", "Fear": "fearful",
        "Frustration": "frustrated", "Happiness": "happy", "Neutral": "neutral",
        "Sadness": "sad", "Surprise": "surprised",
    }  # fmt: skip
    apart = iemocap.build(iemocap.Params(allow_partial=True, merge_excited=False))
    assert apart.parse(tree.root).vote_emotions == {**merged, "Excited": "excited"}


def test_a_mean_outside_the_scale_is_unknown_and_the_utterance_stays(
    tree: Tree, caplog: pytest.LogCaptureFixture
) -> None:
    line = "[1.0 - 2.0]\tSes01F_impro01_F000\tneu\t[2.5000, 2.5000, 0.5000]\n"
    tree.evaluation("Ses01F_impro01", line)
    tree.wavs("Ses01F_impro01_F000")
    (annotation,) = PARTIAL.parse(tree.root).annotations
    assert (annotation.valence, annotation.dominance) == (2.5, None)
    assert "Ses01F_impro01_F000: dominance 0.5 is outside" in caplog.text


def test_words_come_from_the_transcript_and_unlabelled_turns_are_passed_over(tree: Tree) -> None:
    tree.transcript(
        "Ses01F_impro01",
        b"Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.\r\n"
        b"Ses01F_impro01_MXX0 [007.0000-007.2000]: Mmhmm.\r\n"
        b"M: (laughs)\r\n",
    )
    assert parse_one(tree, "Ses01F_impro01_F000").text == "Excuse me."


def test_apple_double_junk_is_ignored_in_every_folder(tree: Tree) -> None:
    for part in ("dialog/EmoEvaluation", "dialog/transcriptions"):
        (tree.folder(1, part) / "._Ses01F_impro01.txt").write_bytes(APPLE_DOUBLE)
    wavs = tree.folder(1, "sentences/wav/Ses01F_impro01")
    (wavs / "._Ses01F_impro01_F000.wav").write_bytes(APPLE_DOUBLE)
    parse_one(tree, "Ses01F_impro01_F000")


def test_raters_sub_folders_are_not_read(tree: Tree) -> None:
    folder = tree.folder(1, "dialog/EmoEvaluation/Categorical")
    (folder / "Ses01F_impro01_e2_cat.txt").write_text("Ses01F_impro01_F000 :Anger; ()\n")
    (folder / "Ses01F_impro02.txt").write_text(block("Ses01F_impro02_F000"))
    parse_one(tree, "Ses01F_impro01_F000")


def rejected(parsed: Parsed) -> list[str]:
    return [item.reason for item in parsed.rejections]


def test_a_label_without_a_recording_is_refused_by_name(tree: Tree) -> None:
    ids = ("Ses01F_impro01_F000", "Ses01F_impro01_F001")
    tree.evaluation("Ses01F_impro01", "".join(map(block, ids)))
    tree.wavs(ids[0])
    parsed = PARTIAL.parse(tree.root)
    assert [item.id for item in parsed.annotations] == [ids[0]]
    assert [(item.id, item.audio) for item in parsed.rejections] == [(ids[1], None)]
    assert "no sentences/wav/Ses01F_impro01/Ses01F_impro01_F001.wav" in rejected(parsed)[0]


def test_a_recording_without_a_label_is_refused_by_name(tree: Tree) -> None:
    tree.evaluation("Ses01F_impro01", block("Ses01F_impro01_F000"))
    tree.wavs("Ses01F_impro01_F000", "Ses01F_impro01_M000")
    (rejection,) = PARTIAL.parse(tree.root).rejections
    assert rejection.id == "Ses01F_impro01_M000"
    assert rejection.audio == "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_M000.wav"


def test_a_recording_in_another_dialogues_folder_does_not_count(tree: Tree) -> None:
    tree.evaluation("Ses01F_impro01", block("Ses01F_impro01_F000"))
    folder = tree.folder(1, "sentences/wav/Ses01F_impro02")
    (folder / "Ses01F_impro01_F000.wav").touch()
    parsed = PARTIAL.parse(tree.root)
    assert parsed.annotations == ()
    assert len(parsed.rejections) == 2


def test_bad_bytes_cost_their_line_only_and_their_votes_go_to_nobody(tree: Tree) -> None:
    bad = b"[1.0 - 2.0]\tSes01F_impro01_F001\tne\xff\t[2.5, 2.5, 2.5]\nC-E1:\tAnger;\t()\n"
    good = block("Ses01F_impro01_F000", "neu", "C-E1:\tNeutral;\t()").encode()
    tree.evaluation("Ses01F_impro01", good + bad)
    tree.wavs("Ses01F_impro01_F000")
    parsed = PARTIAL.parse(tree.root)
    assert [item.votes for item in parsed.annotations] == [{"Neutral": 1}]
    where = "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt:4"
    assert [(item.id, item.reason.split(" at ")[0]) for item in parsed.rejections] == [
        (where, f"{where}: not UTF-8 text")
    ]


def test_bad_bytes_in_a_transcript_cost_the_words_only(tree: Tree) -> None:
    tree.transcript("Ses01F_impro01", b"Ses01F_impro01_F000 [006.2-008.2]: Caf\xe9.\n")
    tree.evaluation("Ses01F_impro01", block("Ses01F_impro01_F000"))
    tree.wavs("Ses01F_impro01_F000")
    parsed = PARTIAL.parse(tree.root)
    assert [item.text for item in parsed.annotations] == [None]
    assert "transcriptions/Ses01F_impro01.txt:1: not UTF-8" in rejected(parsed)[0]


def test_a_transcript_line_of_another_form_is_refused_and_the_others_stay(tree: Tree) -> None:
    tree.transcript(
        "Ses01F_impro01",
        b"Ses01F_impro01_F001: no times\nSes01F_impro01_F000 [006.2-008.2]: Excuse me.\n",
    )
    tree.evaluation("Ses01F_impro01", block("Ses01F_impro01_F000"))
    tree.wavs("Ses01F_impro01_F000")
    parsed = PARTIAL.parse(tree.root)
    assert [item.text for item in parsed.annotations] == ["Excuse me."]
    assert (
        "transcriptions/Ses01F_impro01.txt:1: expected '<turn> [start-end]" in rejected(parsed)[0]
    )


def test_a_label_file_that_cannot_be_opened_is_refused_by_name(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tree.evaluation("Ses01F_impro01", block("Ses01F_impro01_F000"))

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    (reason,) = rejected(PARTIAL.parse(tree.root))
    assert reason == f"{path.relative_to(tree.root).as_posix()}: cannot be read: Permission denied"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("[1.0 - 2.0]\tSes01F_impro01_F000\tmeh\t[2.5, 2.5, 2.5]", "unknown label 'meh'"),
        ("[1.0 - 2.0]\tSes01F_impro01_F000\tneu", "expected '[start - end] turn label"),
        ("[1.0 - 2.0]\tSes01F_impro01_F000\tneu\t[2.5, 2.5.5, 2.5]", "could not convert"),
        ("[1.0 - 2.0]\tSes01F_impro01_X000\tneu\t[2.5, 2.5, 2.5]", "does not follow"),
        ("[1.0 - 2.0]\tSes01F_impro02_F000\tneu\t[2.5, 2.5, 2.5]", "does not belong to dialogue"),
    ],
)
def test_a_turn_that_cannot_be_read_is_refused_with_its_line(
    tree: Tree, line: str, reason: str
) -> None:
    tree.evaluation("Ses01F_impro01", f"% header\n\n{line}\n")
    (found,) = rejected(PARTIAL.parse(tree.root))
    assert found.startswith("Session1/dialog/EmoEvaluation/Ses01F_impro01.txt:3: ")
    assert reason in found


def test_a_line_of_no_known_kind_is_refused_and_the_turn_stays(tree: Tree) -> None:
    tree.evaluation("Ses01F_impro01", block("Ses01F_impro01_F000", "neu", "C-E1 Neutral", "what?"))
    tree.wavs("Ses01F_impro01_F000")
    parsed = PARTIAL.parse(tree.root)
    assert len(parsed.annotations) == 1
    assert [item.id.rpartition(":")[2] for item in parsed.rejections] == ["2", "3"]


def test_a_dialogue_in_another_sessions_folder_is_refused(tree: Tree) -> None:
    tree.folder(2, "sentences/wav")
    folder = tree.folder(2, "dialog/EmoEvaluation")
    (folder / "Ses01F_impro01.txt").write_text(block("Ses01F_impro01_F000"))
    (reason,) = rejected(PARTIAL.parse(tree.root))
    assert "its label lies in the folder of Ses02" in reason


def test_a_folder_that_is_no_release_is_refused_with_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"looked for the folders Session1 .. Session5"):
        FULL.parse(tmp_path)


def test_the_parent_of_a_release_is_refused_with_the_folder_to_link(tmp_path: Path) -> None:
    release = tmp_path / "IEMOCAP_full_release"
    release.mkdir()
    with pytest.raises(CorpusError, match=f"link {release} instead"):
        FULL.parse(tmp_path)


def test_missing_folders_are_named_unless_a_partial_copy_is_allowed(tree: Tree) -> None:
    tree.evaluation("Ses01F_impro01", block("Ses01F_impro01_F000"))
    tree.wavs("Ses01F_impro01_F000")
    with pytest.raises(CorpusError, match=r"no folder Session2/dialog/EmoEvaluation, Session2/sen"):
        FULL.parse(tree.root)
    assert len(PARTIAL.parse(tree.root).annotations) == 1


def test_a_session_without_recordings_is_refused_even_in_a_partial_copy(tree: Tree) -> None:
    tree.folder(1, "dialog/EmoEvaluation")
    with pytest.raises(CorpusError, match=r"no folder Session1/sentences/wav"):
        PARTIAL.parse(tree.root)


def test_excitement_is_not_counted_twice() -> None:
    emotions = ("angry", "happy", "neutral", "sad", "excited", "frustrated")
    with pytest.raises(ValidationError, match="merge_excited counts exc as happy; write"):
        iemocap.Params(emotions=emotions)
    assert iemocap.Params(emotions=emotions, merge_excited=False).emotions == emotions


def test_only_canonical_emotions_can_be_asked_for() -> None:
    with pytest.raises(ValidationError, match=r"unknown emotions 'contempt'; the canonical"):
        iemocap.Params(emotions=("angry", "contempt"))


def test_unknown_params_are_refused() -> None:
    with pytest.raises(ValidationError, match="merge_exited"):
        iemocap.Params.model_validate({"name": "iemocap", "merge_exited": False})
