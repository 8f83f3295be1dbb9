import csv as standard_csv

import pytest
from pydantic import ValidationError

from ser.data import task
from ser.data.corpora import csv
from ser.errors import CorpusError, ParamsError
from ser.params import StageParams, component, parse
from ser.project import Project
from ser.workflow.current import DataParams
from tests.recordings import write_corpus

BASE = {"num_sessions": 2}


def write(root, table, *, name="utterances.csv", wavs=("a", "b", "c", "d")):
    """Write the table and empty recordings: the parser does not open them."""
    root.mkdir(exist_ok=True)
    content = table if isinstance(table, bytes) else table.encode("utf-8")
    (root / name).write_bytes(content)
    for wav in wavs:
        (root / f"{wav}.wav").touch()
    return root


def parse_corpus(root, **params):
    return csv.build(csv.Params(**{**BASE, **params})).parse(root)


SMALL = """path,label,speaker,gender
a.wav,angry,s1,female
b.wav,sad,s2,male
c.wav,sad,s3,F
d.wav,happy,s4,m
"""

FULL = """speaker,path,label,id,gender,session,dialogue,scripted,text,valence,arousal,dominance,note
s1,a.wav,Wut,u1,female,X,d1,true,"Well, ""no"".",1.5,4,5,x
s2,b.wav,Trauer,u2,male,Y,,False,,,,,
s1,c.wav,neutral,u3,,X,d1,,  ,,,,
s2,d.wav,Langeweile,u4,,Y,d2,0,Hm.,3,,1,
"""
LABELS = {"Wut": "angry", "Trauer": "sad", "Langeweile": None}


def test_the_standard_module_of_the_same_name_is_still_itself():
    assert hasattr(standard_csv, "DictReader")
    assert not hasattr(csv, "DictReader")


def test_three_columns_and_gender_are_enough(tmp_path):
    parsed = parse_corpus(write(tmp_path, SMALL))
    assert parsed.rejections == ()
    first = parsed.annotations[0]
    assert (first.id, first.audio, first.dialogue) == ("a", "a.wav", "a")
    assert (first.label, first.emotion, first.speaker) == ("angry", "angry", "s1")
    assert (first.scripted, first.text, first.valence) == (None, None, None)
    assert [item.gender for item in parsed.annotations] == ["female", "male", "female", "male"]


def test_every_column_is_read(tmp_path):
    parsed = parse_corpus(write(tmp_path, FULL), label_map=LABELS)
    assert parsed.rejections == ()
    first, second, third, fourth = parsed.annotations
    assert (first.id, first.session, first.dialogue, first.scripted) == ("u1", "X", "d1", True)
    assert first.text == 'Well, "no".'
    assert (first.valence, first.arousal, first.dominance) == (1.5, 4.0, 5.0)
    assert (first.label, first.emotion) == ("Wut", "angry")
    assert (second.dialogue, second.scripted, second.text) == ("u2", False, None)
    assert (third.emotion, third.scripted, third.gender) == ("neutral", None, "female")
    assert (fourth.emotion, fourth.scripted, fourth.arousal) == (None, False, None)


def test_the_tables_own_names_place_encoding_and_delimiter_can_be_said(tmp_path):
    table = "Datei;Gefühl;Wer\na.wav;angry;Jörg\nb.wav;sad;Änne\n"
    (tmp_path / "meta").mkdir()
    write(tmp_path, table.encode("cp1252"), name="meta/liste.csv", wavs="ab")
    parsed = parse_corpus(
        tmp_path,
        table="meta/liste.csv",
        encoding="cp1252",
        delimiter=";",
        columns={"path": "Datei", "label": "Gefühl", "speaker": "Wer"},
        genders={"Jörg": "male", "Änne": "female"},
    )
    assert [(item.speaker, item.gender) for item in parsed.annotations] == [
        ("Jörg", "male"),
        ("Änne", "female"),
    ]


def test_sessions_are_dealt_from_speakers_balanced_by_gender(tmp_path):
    parsed = parse_corpus(write(tmp_path, SMALL))
    dealt = {item.speaker: item.session for item in parsed.annotations}
    assert dealt == {"s1": "group1", "s3": "group2", "s2": "group1", "s4": "group2"}


CALLS = """path,label,speaker,start,end
call1.wav,angry,caller1,0,1
call1.wav,neutral,agent1,1,2
call2.wav,angry,caller2,0,1
call2.wav,neutral,agent1,1,2
call3.wav,angry,caller3,0,1
call3.wav,neutral,agent2,1,2
"""


def test_who_talks_with_whom_is_dealt_to_one_session(tmp_path):
    wavs = ("call1", "call2", "call3")
    parsed = parse_corpus(write(tmp_path, CALLS, wavs=wavs), num_sessions=2)
    session_of = {item.speaker: item.session for item in parsed.annotations}
    assert session_of["caller1"] == session_of["caller2"] == session_of["agent1"]
    assert session_of["caller3"] == session_of["agent2"] != session_of["agent1"]


def test_circles_of_speakers_that_are_too_few_are_refused(tmp_path):
    wavs = ("call1", "call2", "call3")
    said = "2 circles of speakers who talk with one another cannot be dealt into 3 groups"
    with pytest.raises(CorpusError, match=said):
        parse_corpus(write(tmp_path, CALLS, wavs=wavs), num_sessions=3)


def test_more_sessions_than_speakers_are_refused(tmp_path):
    with pytest.raises(CorpusError, match="4 speakers cannot be dealt into 5 groups"):
        parse_corpus(write(tmp_path, SMALL), num_sessions=5)


def test_a_table_with_its_own_parts_may_have_few_speakers(tmp_path):
    rows = zip(SMALL.splitlines(), ["part", "train", "test", "train", "dev"], strict=True)
    root = write(tmp_path, "\n".join(f"{row},{part}" for row, part in rows))
    parsed = parse_corpus(root, num_sessions=5)
    assert {item.session for item in parsed.annotations} == {f"group{n}" for n in (1, 2, 3, 4)}


def test_missing_columns_are_named_beside_those_that_are_there(tmp_path):
    with pytest.raises(CorpusError, match=r"no column label, speaker; the columns are path, emo"):
        parse_corpus(write(tmp_path, "path,emo\na.wav,sad\n"))


def test_an_optional_column_that_the_params_name_must_be_there(tmp_path):
    with pytest.raises(CorpusError, match="no column Words"):
        parse_corpus(write(tmp_path, SMALL), columns={"text": "Words"})


def test_a_column_that_stands_twice_is_refused(tmp_path):
    with pytest.raises(CorpusError, match="label twice"):
        parse_corpus(write(tmp_path, "path,label,speaker,label\na.wav,sad,s1,angry\n"))


@pytest.mark.parametrize(
    ("name", "meaning", "cure"),
    [
        ("onset", "which part of its recording", "corpus.columns.start"),
        ("End (s)", "which part of its recording", "corpus.columns.end"),
        ("start_time_ms", "which part of its recording", "corpus.columns.start"),
        ("frame_offset", "which part of its recording", "corpus.columns.start"),
        ("num_frames", "which part of its recording", "corpus.columns.start"),
        ("channel", "which channel of its recording", "a file per channel"),
        ("split", "who trains and who is tested", "split.protocol"),
        ("Part", "who trains and who is tested", "split.protocol"),
        ("cv-fold", "who trains and who is tested", "corpus.columns.session"),
        ("is_train", "who trains and who is tested", "split.protocol"),
    ],
)
def test_a_column_that_changes_what_is_heard_or_tested_is_not_passed_over(
    tmp_path, name, meaning, cure
):
    header, *rows = SMALL.splitlines()
    table = "\n".join([f"{header},note,{name}", *(f"{row},x,1" for row in rows)])
    root = write(tmp_path, table)
    with pytest.raises(CorpusError) as raised:
        parse_corpus(root)
    message = str(raised.value)
    assert f"\n  {name}: by its name it says {meaning}" in message
    assert cure in message
    assert f"corpus.ignored_columns: [{name}]" in message
    assert "note" not in message
    assert len(parse_corpus(root, ignored_columns=[name]).annotations) == 4


def test_all_such_columns_are_named_at_once(tmp_path):
    root = write(tmp_path, SMALL.replace("gender\n", "gender,onset,offset,split\n", 1))
    with pytest.raises(CorpusError, match=r"ignored_columns: \[onset, offset, split\]"):
        parse_corpus(root)


def test_such_a_column_may_be_read_as_another(tmp_path):
    rows = zip(SMALL.splitlines(), ["fold", "1", "2", "1", "2"], strict=True)
    root = write(tmp_path, "\n".join(f"{row},{fold}" for row, fold in rows))
    parsed = parse_corpus(root, columns={"session": "fold"})
    assert [item.session for item in parsed.annotations] == ["1", "2", "1", "2"]
    assert {item.fold for item in parsed.annotations} == {None}


SEGMENTS = """path,label,speaker,gender,start,end
a.wav,angry,s1,female,0,1.5
a.wav,sad,s2,male,1.50,3
b.wav,sad,s3,F,,
c.wav,happy,s4,m,0.25,1e0
"""


def test_start_and_end_make_an_utterance_of_a_part_of_its_recording(tmp_path):
    parsed = parse_corpus(write(tmp_path, SEGMENTS, wavs="abc"))
    assert parsed.rejections == ()
    said = [(item.id, item.start_s, item.end_s, item.dialogue) for item in parsed.annotations]
    assert said == [
        ("a_0_1.5", 0.0, 1.5, "a.wav"),
        ("a_1.50_3", 1.5, 3.0, "a.wav"),
        ("b", None, None, "b"),
        ("c_0.25_1e0", 0.25, 1.0, "c.wav"),
    ]


def test_a_table_may_name_its_columns_of_times_and_its_dialogues(tmp_path):
    table = SEGMENTS.replace("start,end", "onset (s),offset").replace("gender", "call")
    parsed = parse_corpus(
        write(tmp_path, table, wavs="abc"),
        columns={"start": "onset (s)", "end": "offset", "dialogue": "call"},
        genders=dict.fromkeys(("s1", "s2", "s3", "s4"), "female"),
    )
    assert [item.dialogue for item in parsed.annotations] == ["female", "male", "F", "m"]
    assert parsed.annotations[1].start_s == 1.5


@pytest.mark.parametrize(("start", "end"), [("1", ""), ("", "2"), ("1,5", "2"), ("a", "b")])
def test_times_that_cannot_be_understood_reject_their_row(tmp_path, start, end):
    table = SEGMENTS + f'd.wav,sad,s1,female,"{start}","{end}"\n'
    parsed = parse_corpus(write(tmp_path, table))
    assert len(parsed.annotations) == 4
    (rejection,) = parsed.rejections
    assert (
        f"start and end must be numbers of seconds, or both empty, got '{start}' and '{end}'"
        in (rejection.reason)
    )


@pytest.mark.parametrize("name", ["start", "end"])
def test_one_column_of_times_alone_is_refused(tmp_path, name):
    other = {"start": "end", "end": "start"}[name]
    root = write(tmp_path, SEGMENTS.replace(f"{other}", "note"), wavs="abc")
    with pytest.raises(CorpusError, match=f"column {name} alone; .*needs a start and an end"):
        parse_corpus(root)


def test_parts_and_folds_of_the_corpus_own_are_read(tmp_path):
    rows = zip(SMALL.splitlines(), ["part", "Train", "Test1", "", "Development"], strict=True)
    root = write(tmp_path, "\n".join(f"{row},{part}" for row, part in rows))
    parsed = parse_corpus(root)
    assert [item.parts for item in parsed.annotations] == [
        {"1": "Train"}, {"1": "Test1"}, None, {"1": "Development"},
    ]  # fmt: skip
    assert {item.fold for item in parsed.annotations} == {None}
    (root / "utterances.csv").write_text((root / "utterances.csv").read_text().replace("part", "f"))
    parsed = parse_corpus(root, columns={"fold": "f"})
    assert [item.fold for item in parsed.annotations] == ["Train", "Test1", None, "Development"]
    assert {item.parts for item in parsed.annotations} == {None}


def test_parts_and_folds_at_once_are_refused_until_one_is_ignored(tmp_path):
    header, *rows = SMALL.splitlines()
    root = write(tmp_path, "\n".join([f"{header},part,fold", *(f"{r},train,2" for r in rows)]))
    with pytest.raises(CorpusError, match="both part and fold say who is tested"):
        parse_corpus(root)
    parsed = parse_corpus(root, ignored_columns=["part"])
    assert {(item.fold, item.parts) for item in parsed.annotations} == {("2", None)}


def test_a_column_cannot_be_read_and_ignored(tmp_path):
    content = {"name": "csv", "columns": {"part": "split"}, "ignored_columns": ["split", "x"]}
    with pytest.raises(ParamsError, match="ignored_columns names split, which columns reads"):
        parse({"corpus": content}, Stage, where="params.yaml")


def test_what_else_is_not_read_is_said(tmp_path, caplog):
    parse_corpus(write(tmp_path, FULL), label_map=LABELS)
    assert "columns that are not read: note" in caplog.text
    caplog.clear()
    parse_corpus(tmp_path, label_map=LABELS, ignored_columns=["note"])
    assert caplog.text == ""


def test_an_ignored_column_must_be_there(tmp_path):
    with pytest.raises(CorpusError, match=r"no column splt, which corpus\.ignored_columns names"):
        parse_corpus(write(tmp_path, SMALL), ignored_columns=["splt"])


def test_a_sparse_table_is_refused_before_it_is_read(tmp_path):
    write(tmp_path, SMALL)
    with (tmp_path / "utterances.csv").open("ab") as file:
        file.truncate(40 * 2**30)
    with pytest.raises(CorpusError, match="too large: 42949672960 bytes"):
        parse_corpus(tmp_path)


@pytest.mark.parametrize("name", ["x" * 300, "a\0b"])
def test_a_path_that_no_file_can_have_rejects_its_row(tmp_path, name):
    parsed = parse_corpus(write(tmp_path, SMALL.replace("a.wav", f"{name}.wav")))
    assert len(parsed.annotations) == 3
    assert "a label without a recording" in parsed.rejections[0].reason


def test_links_that_lead_in_a_circle_are_walked_once(tmp_path):
    root = write(tmp_path, SMALL)
    (root / "z").mkdir()
    (root / "z" / "e.wav").touch()
    for place in (root, root / "z"):
        for target in (root, root / "z"):
            (place / f"to_{target.name or 'root'}").symlink_to(target)
    unlisted = [item.audio for item in parse_corpus(root).rejections]
    assert unlisted == ["z/e.wav"]


def test_recordings_behind_a_link_are_found(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "e.wav").touch()
    root = write(tmp_path / "root", SMALL)
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    assert [item.audio for item in parse_corpus(root).rejections] == ["linked/e.wav"]


def test_labels_that_nothing_maps_are_refused_all_at_once(tmp_path):
    with pytest.raises(CorpusError, match=r"labels \['Langeweile', 'Trauer', 'Wut'\]") as raised:
        parse_corpus(write(tmp_path, FULL))
    assert "corpus.label_map" in str(raised.value)


@pytest.mark.parametrize(
    "emotions",
    [
        ["angry", "contempt", "neutral", "sad"],
        ["angry", "happy", "neutral", "sad", "frustrated", "excited"],
        ["positive", "negative"],
        ["stressed", "relaxed"],
        ["low-arousal", "high_arousal", "x2"],
    ],
)
def test_classes_of_its_own_are_named_in_the_params_and_nowhere_else(tmp_path, emotions):
    names = [f"{number}" for number in range(len(emotions))]
    rows = [f"{name}.wav,{label},s{name}" for name, label in zip(names, emotions, strict=True)]
    root = write(tmp_path, "\n".join(["path,label,speaker", *rows]), wavs=names)
    parsed = parse_corpus(root, emotions=emotions)
    assert [item.emotion for item in parsed.annotations] == emotions


def test_a_label_of_its_own_that_the_params_do_not_name_is_refused_with_the_cure(tmp_path):
    root = write(tmp_path, SMALL.replace("happy", "contempt"))
    with pytest.raises(
        CorpusError, match=r"\['contempt'\] are neither in corpus.emotions .*name in"
    ):
        parse_corpus(root)


def test_a_label_may_be_mapped_to_a_class_of_its_own(tmp_path):
    labels = {"Wut": "negative", "Trauer": "negative", "Langeweile": None, "neutral": "other"}
    root = write(tmp_path, FULL)
    parsed = parse_corpus(root, emotions=["negative", "other"], label_map=labels)
    assert [item.emotion for item in parsed.annotations] == ["negative", "negative", "other", None]


def test_gender_and_session_are_optional(tmp_path):
    parsed = parse_corpus(
        write(tmp_path, "path,label,speaker\na.wav,sad,s1\nb.wav,sad,s2\n", wavs="ab")
    )
    assert [item.gender for item in parsed.annotations] == [None, None]
    assert [item.session for item in parsed.annotations] == ["group1", "group2"]
    apart = parse_corpus(tmp_path, num_sessions=None)
    assert [item.session for item in apart.annotations] == [None, None]


@pytest.mark.parametrize("word", ["", "diverse", "Other", "unknown", "non-binary"])
def test_who_is_neither_woman_nor_man_is_dealt_last_and_by_name(tmp_path, word):
    table = SMALL.replace("s1,female", f"s1,{word}")
    parsed = parse_corpus(write(tmp_path, table))
    assert [item.gender for item in parsed.annotations] == [None, "male", "female", "male"]
    dealt = {item.speaker: item.session for item in parsed.annotations}
    assert dealt == {"s3": "group1", "s2": "group2", "s4": "group1", "s1": "group2"}


@pytest.mark.parametrize(
    ("gender", "problem"),
    [("femle", r"s1: \['female', 'femle'\]"), ("male", r"s1: \['female', 'male'\]")],
)
def test_a_gender_that_contradicts_or_is_no_word_for_one_is_refused(tmp_path, gender, problem):
    table = f"path,label,speaker,gender\na.wav,sad,s1,female\nb.wav,sad,s1,{gender}\n"
    with pytest.raises(CorpusError, match=problem):
        parse_corpus(write(tmp_path, table))


def test_a_column_of_sessions_that_says_nothing_is_as_none(tmp_path):
    table = "path,label,speaker,session\na.wav,sad,s1,\nb.wav,sad,s2,\n"
    parsed = parse_corpus(write(tmp_path, table, wavs="ab"))
    assert [item.session for item in parsed.annotations] == ["group1", "group2"]


def test_rows_and_recordings_without_each_other_are_rejected(tmp_path):
    parsed = parse_corpus(write(tmp_path, SMALL, wavs=("a", "b", "d", "extra", "._a")))
    assert [item.id for item in parsed.annotations] == ["a", "b", "d"]
    missing, unlisted = parsed.rejections
    assert (missing.id, missing.audio) == ("c", "c.wav")
    assert "utterances.csv:4: a label without a recording" in missing.reason
    assert (unlisted.id, unlisted.audio) == ("extra.wav", "extra.wav")
    assert "no row of utterances.csv names it" in unlisted.reason


def test_recordings_without_a_row_may_be_passed_over(tmp_path):
    root = write(tmp_path, SMALL, wavs=("a", "b", "c", "d", "extra"))
    assert parse_corpus(root, refuse_unlisted=False).rejections == ()


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"a.wav,sad", "2 fields, expected 4 as in the header"),
        (b"a.wav,sad,,female", "speaker is empty"),
        (b",sad,s1,female", "path is empty"),
        (b"/,sad,s1,female", "path '/' is not a file's"),
        (b"a.wav,sad,s1\xfc,female", r"speaker is not of the table's encoding: s1\udcfc"),
    ],
)
def test_a_row_that_cannot_be_read_is_rejected_with_its_line(tmp_path, row, reason):
    table = b"path,label,speaker,gender\nb.wav,sad,s1,female\n" + row + b"\nc.wav,sad,s2,male\n"
    parsed = parse_corpus(write(tmp_path, table, wavs="bc"))
    assert [item.id for item in parsed.annotations] == ["b", "c"]
    (rejection,) = parsed.rejections
    assert (rejection.id, rejection.audio) == ("utterances.csv:3", None)
    assert rejection.reason == f"utterances.csv:3: {reason}"


@pytest.mark.parametrize(
    ("column", "bad", "good"),
    [
        ("scripted", "maybe", "TRUE"),
        ("valence", "high", "1.5"),
        ("arousal", "1,5", ""),
        ("session", "", "X"),
    ],
)
def test_a_field_that_cannot_be_understood_rejects_its_row(tmp_path, column, bad, good):
    table = f"""path,label,speaker,gender,{column}
a.wav,sad,s1,male,"{bad}"
b.wav,sad,s2,male,"{good}"
"""
    parsed = parse_corpus(write(tmp_path, table, wavs="ab"))
    assert [item.id for item in parsed.annotations] == ["b"]
    (rejection,) = parsed.rejections
    assert (rejection.id, rejection.audio) == ("a", "a.wav")
    assert f"utterances.csv:2: {column}" in rejection.reason


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "no column path, label, speaker"),
        (b"path,label,speaker\n", "no row can be read"),
        (b"path,label,speaker\na,sad,s1,\nb,sad,s1,\n", "recording; .*csv:2: 4 fields, expected 3"),
        (b'path,label,speaker\n"a.wav,sad,s1\n', r"utterances\.csv:2: not a CSV table"),
        (b'path,label,speaker\na,sad,s1\nb,"sad,s1\nc,sad,s1\nd,sad,s1\n', r"csv:3: .*a quote"),
        (b'path,label,speaker\na,sad,s1\nb,"sad,s1\nc,s"ad,s1\nd,sad,s1\n', r"csv:3: .*a quote"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path, content, problem):
    with pytest.raises(CorpusError, match=problem):
        parse_corpus(write(tmp_path, content))


def test_of_rows_that_are_the_same_the_first_is_kept(tmp_path):
    parsed = parse_corpus(write(tmp_path, SMALL + "b.wav,sad,s2, male\n"))
    assert [item.id for item in parsed.annotations] == ["a", "b", "c", "d"]
    (rejection,) = parsed.rejections
    assert rejection.reason == "utterances.csv:6: it repeats line 3, which is kept"


def test_a_name_is_the_same_however_its_marks_are_spelled(tmp_path):
    composed, apart = "J\u00f6rg", "Jo\u0308rg"
    table = f"path,label,speaker\na.wav,Gef\u00fchl,{composed}\nb.wav,Gefu\u0308hl,{apart}\n"
    parsed = parse_corpus(
        write(tmp_path, table + "c.wav,sad,s2\n", wavs="abc"),
        label_map={"Gefu\u0308hl": "sad"},
        genders={apart: "male", "s2": "male"},
    )
    assert {item.speaker for item in parsed.annotations} == {composed, "s2"}
    assert {item.emotion for item in parsed.annotations} == {"sad"}
    content = {"name": "csv", "genders": {apart: "male", composed: "male"}}
    with pytest.raises(ParamsError, match="stands twice, composed and decomposed"):
        parse({"corpus": content}, Stage, where="params.yaml")


@pytest.mark.parametrize(("on_disk", "said"), [("\u00e9", "e\u0301"), ("e\u0301", "\u00e9")])
def test_a_recording_is_found_however_its_marks_are_spelled(tmp_path, on_disk, said):
    table = SMALL.replace("a.wav", f"{said}.wav")
    parsed = parse_corpus(write(tmp_path, table, wavs=(on_disk, *"bcd")))
    assert parsed.rejections == ()
    assert parsed.annotations[0].audio == f"{on_disk}.wav"


@pytest.mark.parametrize("name", ["n" * 5000, "a\0b"])
def test_a_name_that_no_disk_has_is_a_recording_that_is_missing(tmp_path, name):
    parsed = parse_corpus(write(tmp_path, SMALL.replace("a.wav", name), wavs="bcd"))
    (rejection,) = parsed.rejections
    assert "utterances.csv:2: a label without a recording" in rejection.reason


def test_any_character_may_stand_in_names(tmp_path):
    label, speaker = "joy (acted), +'@#%|<b>=", "=cmd|' /C calc'!A0 \u202e"
    table = f'path,label,speaker,gender\na.wav,"{label}","{speaker}",male\n'
    parsed = parse_corpus(
        write(tmp_path, table + "b.wav,sad,s2,male\n", wavs="ab"), label_map={label: "happy"}
    )
    first = parsed.annotations[0]
    assert (first.label, first.speaker, first.emotion) == (label, speaker, "happy")


def test_a_table_in_another_encoding_is_refused(tmp_path):
    with pytest.raises(CorpusError, match="cannot be read as utf-16 text"):
        parse_corpus(write(tmp_path, b"abc"), encoding="utf-16")


def test_a_folder_without_the_table_is_refused_with_the_cure(tmp_path):
    with pytest.raises(CorpusError, match=r"utterances\.csv.*ser link-corpus csv PATH"):
        parse_corpus(tmp_path)


class Stage(StageParams):
    corpus: component("ser.data.corpora")


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"label_map": {"Wut": "furious"}}, r"unknown emotions \['furious'\]"),
        ({"encoding": "latin-99"}, "not an encoding"),
        ({"encoding": "rot13"}, "not an encoding of text"),
        ({"encoding": "utf-8\0"}, "not an encoding"),
        ({"delimiter": "\n"}, "between fields"),
        ({"delimiter": '"'}, "between fields"),
        ({"table": "../utterances.csv"}, "inside the corpus' folder"),
        ({"table": "/etc/passwd"}, "inside the corpus' folder"),
        ({"emotions": ["angry", "Very sad"]}, r"'Very sad' cannot name a class; expected a word"),
        ({"emotions": ["sad", "sad"]}, "'sad' stands twice"),
        ({"emotions": ["sad"]}, "'sad' alone has nothing to be told from; name at least 2"),
        ({"rating_scale": [5, 1]}, "the low end before the high end"),
        ({"delimiter": ";;"}, "delimiter"),
        ({"num_sessions": 1}, "num_sessions"),
        ({"genders": {"s1": "f"}}, "genders"),
        ({"title": "scripted"}, "corpus.title: is a kind of speech"),
        ({"fold_lists": "../lists"}, "inside the corpus' folder"),
    ],
)
def test_params_out_of_range_are_refused(params, problem):
    with pytest.raises(ParamsError, match=problem):
        parse({"corpus": {"name": "csv", **params}}, Stage, where="params.yaml")


def test_the_four_emotions_come_first_and_the_others_as_they_are_written():
    assert csv.Params(emotions=("sad", "angry")).emotions == ("angry", "sad")
    own = ("surprised", "contempt", "sad", "bored")
    assert csv.Params(emotions=own).emotions == ("sad", "surprised", "contempt", "bored")


def test_what_the_params_say_of_the_corpus_is_what_reports_will_say():
    corpus = csv.build(csv.Params(synthetic=True, licence="Ours.", citation="Us."))
    assert (corpus.synthetic, corpus.licence, corpus.citation) == (True, "Ours.", "Us.")
    assert csv.build(csv.Params(redistributable=True)).redistributable


@pytest.mark.parametrize(
    ("scale", "said", "kept"),
    [
        ((1, 5), ("1", "2.3", "5"), (1.0, 2.3, 5.0)),
        ((1, 7), ("1", "4", "7"), (1.0, 3.0, 5.0)),
        ((0, 1), ("0", "0.25", "1"), (1.0, 2.0, 5.0)),
        ((-1, 1), ("-1", "0", "1"), (1.0, 3.0, 5.0)),
        ((0, 100), ("0", "10", "100"), (1.0, 1.4, 5.0)),
    ],
)
def test_ratings_are_moved_and_stretched_from_the_tables_scale(tmp_path, scale, said, kept):
    rows = [f"{name}.wav,s{name},{value}" for name, value in zip("abc", said, strict=True)]
    root = write(tmp_path, "\n".join(["path,speaker,valence", *rows]), wavs="abc")
    parsed = parse_corpus(root, emotions=(), rating_scale=scale)
    assert parsed.rejections == ()
    assert tuple(item.valence for item in parsed.annotations) == pytest.approx(kept, abs=1e-12)
    assert {(item.label, item.emotion) for item in parsed.annotations} == {("not labelled", None)}


@pytest.mark.parametrize("value", ["7.1", "0.9", "nan", "high"])
def test_a_rating_off_the_tables_scale_rejects_its_row(tmp_path, value):
    root = write(tmp_path, f"path,speaker,valence\na.wav,s1,{value}\nb.wav,s2,7\n", wavs="ab")
    parsed = parse_corpus(root, emotions=(), rating_scale=(1, 7))
    assert [item.id for item in parsed.annotations] == ["b"]
    (rejection,) = parsed.rejections
    assert (
        "csv:2: valence must be a number in [1, 7] (corpus.rating_scale), got" in rejection.reason
    )


def test_without_classes_labels_are_kept_and_none_is_unknown(tmp_path):
    root = write(tmp_path, FULL)
    parsed = parse_corpus(root, emotions=())
    assert [item.label for item in parsed.annotations] == ["Wut", "Trauer", "neutral", "Langeweile"]
    assert {item.emotion for item in parsed.annotations} == {None}


def test_a_table_has_a_name_of_its_own_everywhere(tmp_path):
    """Two of them share no folder, no experiment and no registered model."""
    write_corpus(tmp_path / "calls")
    sections = [{"name": name, "parser": "csv"} for name in ("calls", "visits")]
    calls, visits = (csv.Params.model_validate(section) for section in sections)
    assert {a.corpus for a in csv.build(calls).parse(tmp_path / "calls").annotations} == {"calls"}
    assert Project().raw(calls.name) != Project().raw(visits.name)
    assert [task.of_section(one.model_dump()) for one in (calls, visits)] == ["calls", "visits"]
    assert (calls.parser_name, csv.Params().parser_name) == ("csv", "csv")


@pytest.mark.parametrize("name", ["emodb", "demo", "improvised", "My-Calls", "2calls", ""])
def test_a_name_that_means_something_else_is_refused(name):
    with pytest.raises(ValidationError, match="name"):
        csv.Params(name=name, parser="csv")


def test_params_choose_the_parser_beside_a_name_of_ones_own():
    found = parse(
        {"corpus": {"name": "calls", "parser": "csv"}, "split": {}}, DataParams, where="params.yaml"
    )
    assert isinstance(found.model_dump()["corpus"], dict)
    assert found.corpus.parser_name == "csv"
    with pytest.raises(
        ParamsError, match=r"named 'calls'.*; beside a name of your own, say `parser"
    ):
        parse({"corpus": {"name": "calls"}, "split": {}}, DataParams, where="params.yaml")
    with pytest.raises(ParamsError, match="there is no such key"):
        parse(
            {"corpus": {"name": "emodb", "parser": "emodb"}, "split": {}},
            DataParams,
            where="params.yaml",
        )
