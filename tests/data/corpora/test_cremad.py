from collections import Counter

import pytest

from ser.data.corpora import cremad
from ser.errors import CorpusError

HEADER = '"ActorID","Age","Sex","Race","Ethnicity"\n'
WOMEN = [str(actor) for actor in range(1001, 1044)]
MEN = [str(actor) for actor in range(1044, 1092)]


def demographics(women=WOMEN, men=MEN):
    rows = [(actor, "Female") for actor in women] + [(actor, "Male") for actor in men]
    return HEADER + "".join(f'{actor},30,"{sex}","x","y"\n' for actor, sex in sorted(rows))


def write(root, *names, table=None):
    """Write empty files: the parser reads names and the table of actors only."""
    (root / "AudioWAV").mkdir(parents=True)
    for name in names:
        (root / "AudioWAV" / name).touch()
    table = demographics() if table is None else table
    (root / "VideoDemographics.csv").write_text(table, encoding="utf-8")
    return root


def parse(root, **params):
    return cremad.build(cremad.Params(**params)).parse(root)


def test_a_name_says_actor_sentence_and_emotion_and_the_table_the_sex(tmp_path):
    parsed = parse(write(tmp_path, "1001_DFA_ANG_XX.wav", "1091_IEO_DIS_HI.wav"))
    first, last = parsed.annotations
    assert (first.id, first.audio) == ("1001_DFA_ANG_XX", "AudioWAV/1001_DFA_ANG_XX.wav")
    assert (first.speaker, first.gender) == ("1001", "female")
    assert (first.label, first.emotion) == ("ANG", "angry")
    assert first.text == "Don't forget a jacket"
    assert first.scripted is True
    assert (last.gender, last.emotion) == ("male", "disgusted")
    assert parsed.rejections == ()


def test_the_one_name_that_the_corpus_itself_spells_otherwise_is_read(tmp_path):
    parsed = parse(write(tmp_path, "1040_ITH_SAD_X.wav"))
    assert parsed.annotations[0].emotion == "sad"


def test_five_sessions_are_balanced_by_sex_and_do_not_depend_on_the_recordings(tmp_path):
    names = [f"{actor}_TIE_NEU_XX.wav" for actor in WOMEN + MEN]
    parsed = parse(write(tmp_path / "all", *names))
    sessions = {item.speaker: (item.session, item.gender) for item in parsed.annotations}
    sizes = Counter(sessions.values())
    groups = [f"group{number}" for number in range(1, 6)]
    assert [sizes[group, "female"] for group in groups] == [9, 9, 9, 8, 8]
    assert [sizes[group, "male"] for group in groups] == [10, 9, 9, 10, 10]

    few = parse(write(tmp_path / "few", names[7], names[90]))
    for item in few.annotations:
        assert sessions[item.speaker] == (item.session, item.gender)


def test_faulty_strange_and_unknown_recordings_are_rejected_by_name(tmp_path):
    names = [
        "1001_DFA_ANG_XX.wav",
        "._1001_DFA_ANG_XX.wav",
        "1064_IEO_DIS_MD.wav",
        "1076_MTI_SAD_XX.wav",
        "1001_DFA_JOY_XX.wav",
        "1099_DFA_ANG_XX.wav",
    ]
    parsed = parse(write(tmp_path, *names))
    assert [item.id for item in parsed.annotations] == ["1001_DFA_ANG_XX"]
    reasons = {rejection.id: rejection.reason for rejection in parsed.rejections}
    assert list(reasons) == [
        "1001_DFA_JOY_XX.wav",
        "1064_IEO_DIS_MD",
        "1076_MTI_SAD_XX",
        "1099_DFA_ANG_XX",
    ]
    assert "its name is not" in reasons["1001_DFA_JOY_XX.wav"]
    assert "every emotion" in reasons["1064_IEO_DIS_MD"]
    assert "no sound" in reasons["1076_MTI_SAD_XX"]
    assert "not in VideoDemographics.csv" in reasons["1099_DFA_ANG_XX"]


def test_a_folder_without_such_names_is_refused_with_the_cure(tmp_path):
    for root in (tmp_path, write(tmp_path / "other", "a.wav"), tmp_path / "none"):
        with pytest.raises(CorpusError, match="ser link-corpus cremad PATH"):
            parse(root)


def test_a_missing_table_of_actors_is_named(tmp_path):
    root = write(tmp_path, "1001_DFA_ANG_XX.wav")
    (root / "VideoDemographics.csv").unlink()
    with pytest.raises(CorpusError, match=r"VideoDemographics\.csv: no such file"):
        parse(root)


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ("ActorID,Age\n1001,30\n", r"csv:1: no column Sex; the columns are ActorID, Age"),
        (HEADER + '1001,30,"unknown","x","y"\n', r"csv:2: Sex must be Female or Male.*unknown"),
        (HEADER + "1001,30\n", r"csv:2: .*2 fields, expected 5"),
        (demographics(women=["1001"], men=["1002"]), "2 actors"),
        ("", "csv:1: no column ActorID, Sex"),
    ],
)
def test_a_broken_table_of_actors_is_refused_with_its_line(tmp_path, table, problem):
    with pytest.raises(CorpusError, match=problem):
        parse(write(tmp_path, "1001_DFA_ANG_XX.wav", table=table))


VOTES = (
    '"","A","D","F","H","N","S","fileName","numResponses","agreement"\n'
    '"100001",0,0,0,3,6,0,"1001_DFA_ANG_XX",9,0.67\n'
    '"107443",0,0,0,0,9,0,"ANG_HI_practice",9,1\n'
    '"200001",9,0,0,0,0,0,"1001_DFA_ANG_XX",9,1\n'
    '"300002",1,0,0,0,0,1,"1001_IEO_DIS_HI",2,0.5\n'
)


def test_the_votes_are_those_of_the_crowd_that_heard_the_voice_alone(tmp_path):
    root = write(tmp_path, "1001_DFA_ANG_XX.wav", "1001_IEO_DIS_HI.wav")
    (root / "processedResults").mkdir()
    (root / "processedResults" / "tabulatedVotes.csv").write_text(VOTES)
    parsed = parse(root)
    assert [item.votes for item in parsed.annotations] == [{"H": 3, "N": 6}, None]
    assert parsed.vote_emotions == {
        "A": "angry", "D": "disgusted", "F": "fearful", "H": "happy", "N": "neutral", "S": "sad",
    }  # fmt: skip


def test_without_the_table_of_votes_there_are_none(tmp_path):
    parsed = parse(write(tmp_path, "1001_DFA_ANG_XX.wav"))
    assert [item.votes for item in parsed.annotations] == [None]
    assert parsed.vote_emotions == {}


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        (VOTES.replace('"A"', '"B"'), r"Votes\.csv:1: no column A; the columns are"),
        (VOTES.replace(",6,0,", ",-6,0,"), r"Votes\.csv:2: votes must be whole numbers, got"),
        (VOTES.replace(",9,0.67", ",9"), r"Votes\.csv:2: 9 fields, expected 10"),
    ],
)
def test_a_broken_table_of_votes_is_refused_with_its_line(tmp_path, table, problem):
    root = write(tmp_path, "1001_DFA_ANG_XX.wav")
    (root / "processedResults").mkdir()
    (root / "processedResults" / "tabulatedVotes.csv").write_text(table)
    with pytest.raises(CorpusError, match=problem):
        parse(root)


class Labelled:
    """Stands in for an utterance: `check` counts labels."""

    def __init__(self, label):
        self.label = label


def test_the_ten_known_faulty_recordings_may_be_missing_and_no_more():
    utterances = [Labelled(label) for label, n in cremad.COUNTS.items() for _ in range(n)]
    assert len(utterances) == 7442
    corpus = cremad.build(cremad.Params())
    corpus.check(utterances)
    corpus.check(utterances[10:])
    with pytest.raises(CorpusError, match="ANG: 1260 utterances, expected 1271"):
        corpus.check(utterances[11:])
    with pytest.raises(CorpusError, match="NEU: 1088 utterances, expected 1087"):
        corpus.check([*utterances[10:], Labelled("NEU")])
    cremad.build(cremad.Params(allow_partial=True)).check(utterances[11:])


def test_the_known_faulty_recordings_alone_do_not_stop_the_stage():
    assert cremad.Params().max_rejected == 10
