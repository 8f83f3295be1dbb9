import dataclasses
import json
import re

import pytest

from ser.data import manifest
from ser.errors import ManifestError
from ser.utterance import Rejection, Utterance

CONTRACT = """
id corpus audio sha256 num_samples sampling_rate duration_s speaker gender session dialogue scripted
text label emotion valence arousal dominance votes
""".split()  # noqa: SIM905


def utterance(name="a", **changes):
    said = {
        "id": name,
        "corpus": "made-up",
        "audio": f"wav/{name}.wav",
        "sha256": "0123456789abcdef" * 4,
        "num_samples": 24000,
        "sampling_rate": 16000,
        "duration_s": 1.5,
        "speaker": "s1",
        "gender": "male",
        "session": "1",
        "dialogue": "d1",
        "scripted": True,
        "text": 'Grüße,\u2028 "you"\n',
        "label": "ang",
        "emotion": "angry",
        "valence": 2.5,
        "arousal": 1.0,
        "dominance": None,
        "votes": {"Neutral state": 1, "Anger": 2},
    }
    return Utterance(**{**said, **changes})


def line(**changes):
    return json.dumps({**dataclasses.asdict(utterance()), **changes})


def write_lines(path, *lines):
    path.write_text("".join(text + "\n" for text in lines), encoding="utf-8")
    return path


def test_what_is_written_is_read_again_sorted_by_id(tmp_path):
    path = tmp_path / "data" / "manifest.jsonl"
    utterances = [
        utterance("b", votes=None, text=None, scripted=None, emotion=None),
        utterance("c", gender=None, session=None, emotion="contempt"),
        utterance("a"),
        utterance("B", duration_s=1 / 3, num_samples=16000, sampling_rate=48000),
    ]
    manifest.write(path, utterances)
    assert manifest.read(path) == [utterances[3], utterances[2], utterances[0], utterances[1]]


def test_each_line_has_the_contracts_keys_in_its_order(tmp_path):
    path = tmp_path / "manifest.jsonl"
    manifest.write(path, [utterance("a"), utterance("b")])
    lines = path.read_bytes().decode("utf-8").removesuffix("\n").split("\n")
    assert [list(json.loads(text)) for text in lines] == [CONTRACT, CONTRACT]
    assert "Grüße" in lines[0]


def test_the_bytes_depend_on_neither_the_order_of_utterances_nor_of_votes(tmp_path):
    votes = {"Anger": 2, "Neutral state": 1}
    manifest.write(tmp_path / "1", [utterance("a"), utterance("b")])
    manifest.write(tmp_path / "2", [utterance("b", votes=votes), utterance("a")])
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_what_only_some_utterances_have_is_written_of_these_alone(tmp_path):
    path = tmp_path / "manifest.jsonl"
    utterances = [
        utterance("a"),
        utterance("b", start_s=0.25, end_s=1.75),
        utterance("c", fold="3"),
        utterance("d", parts={"2": "train", "1": "test"}, start_s=0.0, end_s=1.496),
    ]
    manifest.write(path, utterances)
    keys = [
        list(json.loads(text))[len(CONTRACT) :]
        for text in path.read_text("utf-8").rstrip("\n").split("\n")
    ]
    assert keys == [[], ["start_s", "end_s"], ["fold"], ["start_s", "end_s", "parts"]]
    assert manifest.read(path) == utterances


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"start_s": 1.0}, "start_s and end_s must be duration_s = 1.5 apart, got 1.0 and None"),
        ({"start_s": 1.0, "end_s": 2.0}, "must be duration_s = 1.5 apart, got 1.0 and 2.0"),
        ({"start_s": -1.0, "end_s": 0.5}, "start_s must be a number of seconds >= 0"),
        ({"start_s": 0.0, "end_s": "1.5"}, "end_s must be a number of seconds >= 0"),
        ({"fold": ""}, "fold must be text that is not empty"),
        ({"parts": {}}, "parts must be texts that are not empty, by fold"),
        ({"parts": {"1": ""}}, "parts must be texts that are not empty, by fold"),
        ({"parts": ["1"]}, "parts must be texts that are not empty, by fold"),
    ],
)
def test_places_and_parts_that_are_none_are_refused(tmp_path, changes, problem):
    path = write_lines(tmp_path / "manifest.jsonl", line(**changes))
    with pytest.raises(ManifestError, match=re.escape(problem)):
        manifest.read(path)


def test_a_broken_manifest_is_never_written(tmp_path):
    path = tmp_path / "manifest.jsonl"
    manifest.write(path, [utterance("a")])
    before = path.read_bytes()
    with pytest.raises(ManifestError):
        manifest.write(path, [utterance("a", gender="unknown")])
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "manifest.jsonl"
    manifest.write(path, [utterance("a")])
    before = path.read_bytes()

    def fail(self, target):
        raise OSError("disk full")

    monkeypatch.setattr(type(path), "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        manifest.write(path, [utterance("b")])
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_the_first_line_that_breaks_a_rule_is_named_whatever_follows(tmp_path):
    path = write_lines(tmp_path / "manifest.jsonl", line(id="a"), line(id="b", speaker=""), "{")
    with pytest.raises(ManifestError, match=r"manifest\.jsonl:2: utterance 'b': speaker must be"):
        manifest.read(path)


def test_a_missing_manifest_names_the_stage_that_writes_it(tmp_path):
    with pytest.raises(ManifestError, match="dvc repro prepare"):
        manifest.read(tmp_path / "manifest.jsonl")


BROKEN = {
    "id": ["", None, 3],
    "corpus": ["", None],
    "audio": ["", "/abs/a.wav", "../a.wav", "wav/../../a.wav", None],
    "sha256": ["", "0" * 63, "G" * 64, "A" * 64, None],
    "num_samples": [0, -1, 1.5, True, "24000", None],
    "sampling_rate": [0, -16000, 16000.0, None],
    "duration_s": [0, -1.5, "1.5", None, 1.6, 1e9],
    "speaker": ["", None, 3],
    "gender": ["", "f", "Male", []],
    "session": ["", 1],
    "dialogue": [None],
    "scripted": [0, "true"],
    "text": [3, []],
    "label": ["", None],
    "emotion": ["", "Angry", "very sad", "null", [], 0],
    "valence": [0.9, 5.1, "3", True],
    "arousal": [-1, []],
    "dominance": [6],
    "votes": [[], "x", {"Anger": 0}, {"Anger": 1.5}, {"Anger": True}, {"": 1}, 3],
}


@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key, values in BROKEN.items() for value in values]
)
def test_a_value_that_breaks_a_rule_is_named_with_its_line_and_key(tmp_path, key, value):
    good = line(id="A", audio="A.wav")
    path = write_lines(tmp_path / "manifest.jsonl", good, line(**{key: value}))
    with pytest.raises(ManifestError) as raised:
        manifest.read(path)
    message = str(raised.value)
    assert message.startswith(f"{path}:2: utterance ")
    assert key in message
    assert repr(value) in message


def test_every_key_has_a_broken_example():
    assert list(BROKEN) == CONTRACT


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_does_not_have_are_refused(tmp_path, value):
    text = line().replace('"valence": 2.5', f'"valence": {value}')
    with pytest.raises(ManifestError, match="valence must be"):
        manifest.read(write_lines(tmp_path / "m", text))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "not a line of JSON"),
        ("", "not a line of JSON"),
        ("[]", "expected an object"),
        ('{"id": "a"}', "missing keys"),
        (line(colour="red"), r"unknown keys \['colour'\]"),
        (line()[:-1] + ', "id": "b"}', "stands twice"),
    ],
)
def test_a_line_of_another_shape_is_refused_with_its_number(tmp_path, text, problem):
    path = write_lines(tmp_path / "m", line(id="A"), text)
    with pytest.raises(ManifestError, match=f":2: .*{problem}"):
        manifest.read(path)


def test_bytes_that_are_not_utf8_are_refused_with_their_line(tmp_path):
    (tmp_path / "m").write_bytes(line(id="A").encode() + b"\n\xff\n")
    with pytest.raises(ManifestError, match="m:2: not a line of JSON"):
        manifest.read(tmp_path / "m")


@pytest.mark.parametrize(
    ("ids", "problem"), [(["a", "b", "b"], "the id stands twice"), (["a", "c", "b"], "sorted")]
)
def test_ids_ascend_and_are_unique(tmp_path, ids, problem):
    path = write_lines(tmp_path / "m", *(line(id=name) for name in ids))
    with pytest.raises(ManifestError, match=f"m:3: utterance 'b': .*{problem}"):
        manifest.read(path)
    with pytest.raises(ManifestError, match=f"here:3: utterance 'b': .*{problem}"):
        manifest.validate([utterance(name) for name in ids], where="here")


def test_utterances_in_memory_obey_the_same_rules():
    manifest.validate([utterance("a"), utterance("b")], where="here")
    with pytest.raises(ManifestError, match=r"here:2: utterance 'b': emotion must be .*'Joy'"):
        manifest.validate([utterance("a"), utterance("b", emotion="Joy")], where="here")


def test_whole_numbers_are_read_as_ratings(tmp_path):
    read = manifest.read(write_lines(tmp_path / "m", line(valence=3)))
    assert isinstance(read[0].valence, float)


def test_rejections_are_written_in_a_fixed_order_even_with_odd_file_names(tmp_path):
    path = tmp_path / "rejected.jsonl"
    rejections = [
        Rejection(id="b", audio=None, reason="no recording"),
        Rejection(id="a", audio="k\udce4se.wav", reason="the name is not UTF-8"),
        Rejection(id="a", audio=None, reason="no label"),
    ]
    manifest.write_rejections(path, rejections)
    lines = [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines()]
    assert [list(item) for item in lines] == [["id", "audio", "reason"]] * 3
    assert [tuple(item.values()) for item in lines] == [
        ("a", None, "no label"),
        ("a", "k\udce4se.wav", "the name is not UTF-8"),
        ("b", None, "no recording"),
    ]


def test_no_rejections_are_an_empty_file(tmp_path):
    manifest.write_rejections(tmp_path / "rejected.jsonl", [])
    assert (tmp_path / "rejected.jsonl").read_bytes() == b""
