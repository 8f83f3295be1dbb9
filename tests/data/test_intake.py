import dataclasses
from collections import Counter

import numpy as np
import pytest
import soundfile

from ser.data import intake, manifest
from ser.data.corpora import emodb
from ser.data.corpora._base import CorpusParams
from ser.errors import CorpusError
from ser.utterance import Annotation, Parsed, Rejection

RATE = 16000
PARAMS = CorpusParams(name="made-up")


def annotation(name, **changes):
    said = {
        "id": name,
        "corpus": "made-up",
        "audio": f"wav/{name}.wav",
        "speaker": "s1",
        "gender": "female",
        "session": "1",
        "dialogue": name,
        "scripted": None,
        "text": None,
        "label": "ANGER",
        "emotion": "angry",
    }
    return Annotation(**{**said, **changes})


def write(root, name, *, seed=None, num_samples=RATE, peak=0.5, rate=RATE):
    """Write noise; the same seed is the same sound."""
    path = root / "wav" / f"{name}.wav"
    path.parent.mkdir(exist_ok=True)
    rng = np.random.default_rng(sum(map(ord, name)) if seed is None else seed)
    soundfile.write(path, peak * rng.uniform(-1, 1, num_samples), rate, subtype="PCM_16")
    return path


def take_in(root, annotations, *, rejections=(), params=PARAMS, **options):
    return intake.take_in(
        Parsed(tuple(annotations), tuple(rejections)), root=root, params=params, **options
    )


def reasons(taken):
    return {rejection.id: rejection.reason for rejection in taken.rejections}


def test_usable_recordings_become_utterances_sorted_by_id(tmp_path):
    for name in "cab":
        write(tmp_path, name)
    taken = take_in(tmp_path, [annotation(name, text="Hm.") for name in "cab"])

    assert [utterance.id for utterance in taken.utterances] == ["a", "b", "c"]
    assert taken.rejections == ()
    first = taken.utterances[0]
    assert (first.num_samples, first.sampling_rate, first.duration_s) == (RATE, RATE, 1.0)
    assert {**dataclasses.asdict(annotation("a", text="Hm."))}.items() <= dataclasses.asdict(
        first
    ).items()


def test_the_order_is_of_ids_whatever_the_files_are_called(tmp_path):
    for name in "ab":
        write(tmp_path, name)
    swapped = [annotation("a", audio="wav/b.wav"), annotation("b", audio="wav/a.wav")]
    assert [utterance.id for utterance in take_in(tmp_path, swapped).utterances] == ["a", "b"]


def test_emotions_outside_the_study_become_null_and_keep_their_label(tmp_path):
    for name in "abc":
        write(tmp_path, name)
    taken = take_in(
        tmp_path,
        [
            annotation("a", emotion="bored", label="L"),
            annotation("b", emotion=None, label="xxx"),
            annotation("c", emotion="sad", label="T"),
        ],
        params=CorpusParams(name="made-up", emotions=("sad", "happy")),
    )
    assert [(u.label, u.emotion) for u in taken.utterances] == [
        ("L", None),
        ("xxx", None),
        ("T", "sad"),
    ]


def test_what_the_parser_rejected_stays_rejected(tmp_path):
    write(tmp_path, "b")
    odd = Rejection(id="a", audio=None, reason="no label")
    taken = take_in(tmp_path, [annotation("b")], rejections=[odd])
    assert taken.rejections == (odd,)


def test_what_votes_are_mapped_to_goes_from_the_parser_to_the_card(tmp_path):
    write(tmp_path, "a")
    said = {"Anger": "angry", "Boredom": "bored"}
    parsed = Parsed((annotation("a"),), (), said)
    taken = intake.take_in(parsed, root=tmp_path, params=PARAMS)
    assert intake.describe(emodb.build(emodb.Params()), PARAMS, taken).vote_emotions == said


def test_unusable_audio_is_refused_with_its_reason(tmp_path):
    write(tmp_path, "short", num_samples=100)
    write(tmp_path, "silent", peak=0)
    write(tmp_path, "cut").write_bytes(b"RIFF")
    write(tmp_path, "good")
    names = ["cut", "good", "missing", "short", "silent"]
    taken = take_in(tmp_path, [annotation(name) for name in names])

    assert [utterance.id for utterance in taken.utterances] == ["good"]
    found = reasons(taken)
    assert found["cut"].startswith("unreadable")
    assert found["missing"].startswith("missing")
    assert found["short"].startswith("too short")
    assert found["silent"].startswith("silent")
    assert {rejection.audio for rejection in taken.rejections} == {
        f"wav/{name}.wav" for name in names if name != "good"
    }


def test_the_rules_for_audio_come_from_the_params(tmp_path):
    write(tmp_path, "a", num_samples=3200, peak=0.01)
    loose = CorpusParams(name="made-up", min_duration_s=0.2, silence_dbfs=-50)
    assert len(take_in(tmp_path, [annotation("a")], params=loose).utterances) == 1
    for rule in ({"min_duration_s": 0.21}, {"silence_dbfs": -30}):
        strict = CorpusParams(name="made-up", **rule)
        assert len(take_in(tmp_path, [annotation("a")], params=strict).rejections) == 1


def test_every_occurrence_of_an_id_that_stands_twice_is_refused(tmp_path):
    for name in "abc":
        write(tmp_path, name)
    twice = [annotation("b"), annotation("b", audio="wav/c.wav")]
    taken = take_in(tmp_path, [annotation("a"), *twice])

    assert [utterance.id for utterance in taken.utterances] == ["a"]
    assert [rejection.audio for rejection in taken.rejections] == ["wav/b.wav", "wav/c.wav"]
    for rejection in taken.rejections:
        assert "2 times, for wav/b.wav, wav/c.wav" in rejection.reason


@pytest.mark.parametrize("audio", ["../a.wav", "wav/../../a.wav", "{absolute}", "", "."])
def test_a_path_that_leaves_the_corpus_is_refused_even_if_the_file_is_good(tmp_path, audio):
    root = tmp_path / "root"
    root.mkdir()
    good = write(tmp_path, "a")
    good.rename(tmp_path / "a.wav")
    path = audio.format(absolute=tmp_path / "a.wav")
    taken = take_in(root, [annotation("a", audio=path)])
    assert "leaves the corpus' folder" in reasons(taken)["a"]


@pytest.mark.parametrize("odd", ["\udcfc", "\n", "\x7f", "\u2028"])
@pytest.mark.parametrize("field", ["id", "audio"])
def test_a_name_that_no_table_can_keep_is_refused_and_the_others_are_kept(tmp_path, odd, field):
    for name in "ab":
        write(tmp_path, name)
    named = annotation("a", **{field: f"wav/a{odd}.wav"})
    taken = take_in(tmp_path, [named, annotation("b")])
    assert [utterance.id for utterance in taken.utterances] == ["b"]
    (rejection,) = taken.rejections
    assert f"its {field} holds {ascii(odd)[1:-1]}, which tables" in rejection.reason
    manifest.write_rejections(tmp_path / "rejected.jsonl", taken.rejections)
    assert len((tmp_path / "rejected.jsonl").read_bytes().splitlines()) == 1


@pytest.mark.parametrize("name", ["Jörg Ä", "\u3042\u3000b", "a\xa0b", "100 % 'so' \"so\" \\ #;"])
def test_letters_of_all_languages_are_names(tmp_path, name):
    write(tmp_path, name)
    assert len(take_in(tmp_path, [annotation(name)]).utterances) == 1


@pytest.mark.parametrize("name", ["valence", "arousal", "dominance"])
@pytest.mark.parametrize("value", [0.99, 5.01, float("nan"), -3.0])
def test_a_rating_outside_its_range_is_refused(tmp_path, name, value):
    write(tmp_path, "a")
    taken = take_in(tmp_path, [annotation("a", **{name: value})])
    assert reasons(taken) == {"a": f"{name} is {value!r}; it must be within [1, 5]"}


def test_ratings_at_the_ends_of_their_range_are_kept(tmp_path):
    write(tmp_path, "a")
    taken = take_in(tmp_path, [annotation("a", valence=1.0, arousal=5.0)])
    assert (taken.utterances[0].valence, taken.utterances[0].arousal) == (1.0, 5.0)


def test_of_copies_that_agree_the_first_by_id_is_kept(tmp_path):
    for name in "abc":
        write(tmp_path, name, seed=1)
    write(tmp_path, "d")
    taken = take_in(tmp_path, [annotation(name) for name in "cbad"])
    assert [utterance.id for utterance in taken.utterances] == ["a", "d"]
    reason = "the same audio as a, which is kept"
    assert reasons(taken) == {"b": reason, "c": reason}


@pytest.mark.parametrize(
    "conflict", [{"label": "JOY"}, {"emotion": "happy"}, {"speaker": "s2"}, {"valence": 4.0}]
)
def test_of_copies_that_disagree_none_is_kept(tmp_path, conflict):
    for name in "abc":
        write(tmp_path, name, seed=1)
    write(tmp_path, "d")
    annotations = [annotation("a"), annotation("b"), annotation("c", **conflict), annotation("d")]
    taken = take_in(tmp_path, annotations)
    assert [utterance.id for utterance in taken.utterances] == ["d"]
    assert set(reasons(taken)) == {"a", "b", "c"}
    for reason in reasons(taken).values():
        assert "conflicting" in reason
        assert "a is 'ANGER' by s1" in reason


def test_ratings_that_conflict_are_named_whatever_the_class(tmp_path):
    write(tmp_path, "a", seed=1)
    write(tmp_path, "b", seed=1)
    taken = take_in(tmp_path, [annotation("a", valence=1.5), annotation("b", valence=4.0)])
    assert taken.utterances == ()
    (reason,) = set(reasons(taken).values())
    assert (
        "conflicting labels, ratings or speakers: a is 'ANGER' rated 1.5, none, none by" in reason
    )


def test_a_reason_names_the_first_few_of_many(tmp_path):
    write(tmp_path, "a")
    many = [annotation(f"u{i}", audio="wav/a.wav", label=str(i)) for i in range(8)]
    assert all(
        reason.endswith("u4 is '4' by s1; 3 more")
        for reason in reasons(take_in(tmp_path, many)).values()
    )


def test_copies_under_another_header_are_recognised(tmp_path):
    samples, rate = soundfile.read(write(tmp_path, "a"), dtype="int16")
    soundfile.write(tmp_path / "wav" / "b.flac", samples, rate, subtype="PCM_16")
    taken = take_in(tmp_path, [annotation("a"), annotation("b", audio="wav/b.flac")])
    assert reasons(taken) == {"b": "the same audio as a, which is kept"}


def test_two_labels_of_one_file_conflict(tmp_path):
    write(tmp_path, "a")
    taken = take_in(tmp_path, [annotation("a"), annotation("b", audio="wav/a.wav", label="JOY")])
    assert set(reasons(taken)) == {"a", "b"}


def test_progress_counts_every_recording_that_is_opened(tmp_path):
    for name in "abc":
        write(tmp_path, name)
    seen = []

    def progress(items):
        for item in items:
            seen.append(item.id)
            yield item

    annotations = [annotation(name) for name in "abc"] + [annotation("d", audio="../d.wav")]
    take_in(tmp_path, annotations, progress=progress)
    assert seen == ["a", "b", "c"]


def corpus_at_random(root, rng):
    """Return annotations with every kind of fault, drawn at random."""
    annotations = []
    for index in range(40):
        name = f"u{index:02d}"
        kind = rng.choice(["good", "copy", "short", "silent", "none", "twice", "leaves", "vad"])
        options = {"short": {"num_samples": 10}, "silent": {"peak": 0.0}}.get(kind, {})
        if kind != "none":
            write(root, name, seed=int(rng.integers(3)) if kind == "copy" else None, **options)
        changes = {
            "copy": {"label": str(rng.choice(["ANGER", "JOY"]))},
            "leaves": {"audio": "/etc/hostname"},
            "vad": {"valence": 9.0},
        }.get(kind, {})
        annotations.append(annotation(name, **changes))
        if kind == "twice":
            annotations.append(annotation(name, audio="wav/other.wav"))
    rng.shuffle(annotations)
    return annotations


@pytest.mark.parametrize("seed", range(5))
def test_each_annotation_ends_in_exactly_one_list_whatever_the_threads(tmp_path, seed):
    annotations = corpus_at_random(tmp_path, np.random.default_rng(seed))
    taken = take_in(tmp_path, annotations, num_threads=1)

    assert taken.utterances
    assert taken.rejections
    ended = Counter((item.id, item.audio) for item in (*taken.utterances, *taken.rejections))
    assert ended == Counter((item.id, item.audio) for item in annotations)
    assert list(taken.rejections) == sorted(taken.rejections, key=lambda r: (r.id, r.audio))
    assert take_in(tmp_path, annotations[::-1], num_threads=8) == taken


def test_no_more_rejections_than_allowed_pass(tmp_path):
    rejections = [Rejection(id=f"u{index}", audio=None, reason="odd") for index in range(3)]
    taken = take_in(tmp_path, [], rejections=rejections)
    intake.enforce(taken, max_rejected=3)
    with pytest.raises(CorpusError, match="3 recordings or labels were refused") as raised:
        intake.enforce(taken, max_rejected=2)
    assert "max_rejected allows 2" in str(raised.value)
    for rejection in rejections:
        assert f"  {rejection.id}: odd" in str(raised.value)


def test_a_long_list_of_rejections_is_cut_and_says_where_the_rest_is(tmp_path):
    rejections = [Rejection(id=f"u{i:02d}", audio="a.wav", reason="odd") for i in range(23)]
    with pytest.raises(CorpusError) as raised:
        intake.enforce(take_in(tmp_path, [], rejections=rejections), max_rejected=0)
    message = str(raised.value)
    assert message.count(" (a.wav): odd") == 20
    assert "and 3 more" in message
    assert "data/rejected.jsonl" in message


def test_a_part_of_a_recording_is_pinned_by_its_own_samples(tmp_path):
    write(tmp_path, "long", num_samples=4 * RATE)
    said = [
        annotation("a", audio="wav/long.wav", start_s=0.0, end_s=1.5),
        annotation("b", audio="wav/long.wav", start_s=1.5, end_s=4.0, speaker="s2"),
    ]
    taken = take_in(tmp_path, said)
    assert taken.rejections == ()
    first, second = taken.utterances
    assert (first.num_samples, first.duration_s, second.duration_s) == (24000, 1.5, 2.5)
    assert len({first.sha256, second.sha256}) == 2
    manifest.validate(taken.utterances, where="here")


def test_impossible_and_overlapping_parts_are_refused_by_name(tmp_path):
    write(tmp_path, "long", num_samples=4 * RATE)
    places = {
        "good": (1.0, 2.0), "reversed": (2.5, 2.0), "empty": (3.0, 3.0), "before": (-1.0, 0.5),
        "nan": (float("nan"), 2.0), "half": (3.0, None), "beyond": (3.5, 4.5), "over": (1.9, 3.0),
    }  # fmt: skip
    taken = take_in(
        tmp_path,
        [
            annotation(id_, audio="wav/long.wav", start_s=start_s, end_s=end_s)
            for id_, (start_s, end_s) in places.items()
        ],
    )
    assert [utterance.id for utterance in taken.utterances] == ["good"]
    found = reasons(taken)
    assert found.keys() == places.keys() - {"good"}
    for id_ in ("reversed", "empty", "before", "nan", "half"):
        assert "s of its recording; expected 0 <= start < end" in found[id_]
    assert found["beyond"] == "beyond the end: 3.5 to 4.5 s of a recording of 4.000 s"
    assert "it overlaps good of the same speaker and recording, 1 to 2 s" in found["over"]


def test_the_same_part_with_two_labels_is_refused_as_a_copy(tmp_path):
    write(tmp_path, "long", num_samples=4 * RATE)
    said = [
        annotation(id_, audio="wav/long.wav", start_s=0.0, end_s=1.5, label=id_) for id_ in "ab"
    ]
    assert "conflicting labels" in reasons(take_in(tmp_path, said))["a"]


def test_speech_of_the_other_kind_stays_without_an_emotion(tmp_path):
    for name in "ab":
        write(tmp_path, name)
    said = [annotation("a", scripted=True), annotation("b", scripted=False)]
    params = CorpusParams(name="made-up", speech="improvised")
    taken = take_in(tmp_path, said, params=params)
    assert [utterance.emotion for utterance in taken.utterances] == [None, "angry"]
