import json

import pytest

from pipelines import prepare, split
from ser.data import manifest
from ser.emotion import EMOTIONS


def prepared(run):
    return run(prepare.main)


def test_a_corpus_becomes_manifest_rejections_and_card(workspace, stage):
    status, err = prepared(stage)
    assert status == 0, err
    utterances = manifest.read(workspace / "data" / "manifest.jsonl")
    assert len(utterances) == 24
    assert [u.id for u in utterances] == sorted(u.id for u in utterances)
    assert (workspace / "data" / "rejected.jsonl").read_text() == ""
    card = json.loads((workspace / "data" / "corpus.json").read_text())
    assert card["name"] == "csv"
    assert card["synthetic"] is True
    assert (card["num_used"], card["num_speakers"], card["num_sessions"]) == (24, 6, 3)
    assert card["counts"] == {"angry": 6, "happy": 6, "neutral": 6, "sad": 6}


def test_the_manifest_is_the_same_bytes_each_time(workspace, stage):
    prepared(stage)
    first = (workspace / "data" / "manifest.jsonl").read_bytes()
    prepared(stage)
    assert (workspace / "data" / "manifest.jsonl").read_bytes() == first


def test_too_many_refused_stop_the_stage_and_are_listed_all_the_same(workspace, fails):
    (workspace / "data/raw/csv" / "s1f_sad_0.wav").write_bytes(b"no audio")
    message = prepared(fails)
    assert "1 recordings or labels were refused, 23 are usable" in message
    assert "s1f_sad_0.wav" in message
    (line,) = (workspace / "data" / "rejected.jsonl").read_text().splitlines()
    assert json.loads(line)["audio"] == "s1f_sad_0.wav"
    assert "not audio" in json.loads(line)["reason"]
    # Nothing that a later stage could take for a finished manifest.
    assert not (workspace / "data" / "manifest.jsonl").exists()


def test_refused_recordings_that_are_allowed_are_counted(workspace, stage, params):
    params("max_rejected: 0", "max_rejected: 1")
    (workspace / "data/raw/csv" / "s1f_sad_0.wav").write_bytes(b"no audio")
    assert prepared(stage)[0] == 0
    assert len(manifest.read(workspace / "data" / "manifest.jsonl")) == 23
    card = json.loads((workspace / "data" / "corpus.json").read_text())
    assert (card["num_rejected"], card["counts"]["sad"]) == (1, 5)


def test_lists_in_the_folder_say_each_utterance_s_part(workspace, stage, params):
    folder = workspace / "data/raw/csv/lists/fold_1"
    folder.mkdir(parents=True)
    for part, session in (("train", 1), ("valid", 2), ("test", 3)):
        ids = [f"s{session}{who}_{emotion}_0" for who in "fm" for emotion in EMOTIONS]
        lines = [json.dumps({"key": f"made-{id_}", "dataset": "made"}) + "\n" for id_ in ids]
        (folder / f"made_{part}_fold_1.jsonl").write_text("".join(lines))
    params("max_rejected: 0", "max_rejected: 0, fold_lists: lists")
    params("protocol: session", "protocol: file")
    assert prepared(stage)[0] == 0
    found = manifest.read(workspace / "data" / "manifest.jsonl")
    assert {(u.session, u.parts["1"]) for u in found} == {
        ("session1", "train"), ("session2", "valid"), ("session3", "test"),
    }  # fmt: skip
    assert stage(split.main)[0] == 0
    report = json.loads((workspace / "data" / "split_report.json").read_text())
    assert (report["protocol"], report["num_untested"]) == ("file", 16)


def test_a_kind_of_speech_that_the_corpus_does_not_know_stops_the_stage(workspace, fails, params):
    params("max_rejected: 0", "max_rejected: 0, speech: improvised")
    message = prepared(fails)
    assert "does not say it of 24 of 24 utterances" in message
    assert not (workspace / "data" / "manifest.jsonl").exists()


def test_counts_that_the_corpus_does_not_accept_stop_the_stage(workspace, fails, monkeypatch):
    from ser.data.corpora.csv import TableCorpus
    from ser.errors import CorpusError

    def check(_self, utterances):
        raise CorpusError(f"expected 25, found {len(utterances)}")

    monkeypatch.setattr(TableCorpus, "check", check)
    assert "expected 25, found 24" in prepared(fails)
    assert not (workspace / "data" / "manifest.jsonl").exists()


def test_a_root_that_is_no_corpus_is_refused_with_its_path(workspace, fails):
    (workspace / "data/raw/csv").rename(workspace / "aside")
    assert "data/raw/csv" in prepared(fails)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name: csv", "name: cvs", "no corpus is named 'cvs'; there are: "),
        ("max_rejected: 0", "max_rejected: many", "corpus.max_rejected"),
        ("max_rejected: 0", "max_rejectd: 0", "corpus.max_rejectd"),
        ("corpus:", "corpse:", "corpus: Field required"),
        ("corpus:", "corpus: [", "not valid YAML"),
    ],
)
def test_wrong_params_are_refused_with_their_path(fails, params, old, new, message):
    params(old, new)
    text = prepared(fails)
    assert "params.yaml" in text
    assert message in text


def test_a_missing_params_file_names_the_cure(workspace, fails):
    (workspace / "params.yaml").unlink()
    assert "make use PRESET=emodb" in prepared(fails)


def test_wrong_usage_is_exit_status_2(workspace, stage):
    assert stage(prepare.main, "--root", "raw")[0] == 2
