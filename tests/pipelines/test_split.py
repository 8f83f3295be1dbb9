import dataclasses
import json

import pytest

from pipelines import split
from ser import lineage
from ser.data import manifest, splits
from tests import synthetic


@pytest.fixture
def manifest_file(workspace):
    path = workspace / "data" / "manifest.jsonl"
    manifest.write(path, synthetic.corpus(num_sessions=3))
    return path


def dealt(run, *options):
    return run(split.main, *options)


def test_folds_and_their_audit_are_written_and_pin_each_other(workspace, manifest_file, stage):
    status, err = dealt(stage)
    assert status == 0, err
    assert [fold.number for fold in splits.read(workspace / "data" / "splits.csv")] == [1, 2, 3]
    report = json.loads((workspace / "data" / "split_report.json").read_text())
    assert report["protocol"] == "session"
    assert report["speaker_independent"] is True
    assert report["manifest_sha256"] == lineage.sha256_file(manifest_file)
    assert report["split_sha256"] == lineage.sha256_file(workspace / "data" / "splits.csv")
    assert [fold["speakers"]["test"] for fold in report["folds"]] == [
        ["Ses01F", "Ses01M"],
        ["Ses02F", "Ses02M"],
        ["Ses03F", "Ses03M"],
    ]
    assert report["folds"][0]["shared"]["train-test"]["speaker"] == []


def test_a_speaker_dependent_protocol_says_so(workspace, manifest_file, stage, params):
    params("protocol: session", "protocol: random, num_folds: 2")
    assert dealt(stage)[0] == 0
    report = json.loads((workspace / "data" / "split_report.json").read_text())
    assert report["speaker_independent"] is False
    assert report["params"]["num_folds"] == 2


def test_what_no_fold_tests_is_said(workspace, stage, params, caplog):
    names = {"Ses01": "train", "Ses02": "dev", "Ses03": "test"}
    utterances = [
        dataclasses.replace(u, parts={"1": names[u.session]})
        for u in synthetic.corpus(num_sessions=3)
    ]
    manifest.write(workspace / "data" / "manifest.jsonl", utterances)
    params("protocol: session", "protocol: file")
    assert dealt(stage)[0] == 0
    report = json.loads((workspace / "data" / "split_report.json").read_text())
    assert (report["num_untested"], len(report["untested"])) == (32, 20)
    assert report["untested"][0] == "Ses01F_angry_0"
    assert "32 of 48 utterances are tested by no fold: 'Ses01F_angry_0'" in caplog.text


def test_parts_that_share_speakers_on_purpose_are_marked(workspace, stage, fails, params):
    names = {"Ses01": "train", "Ses02": "dev", "Ses03": "test"}
    utterances = [
        dataclasses.replace(u, parts={"1": names[u.session]}, speaker="Ses01F", dialogue=u.id)
        for u in synthetic.corpus(num_sessions=3)
    ]
    manifest.write(workspace / "data" / "manifest.jsonl", utterances)
    params("protocol: session", "protocol: file")
    assert "split.may_share: [speaker, dialogue]" in dealt(fails)
    params("protocol: file", "protocol: file, may_share: [speaker]")
    assert dealt(stage)[0] == 0
    report = json.loads((workspace / "data" / "split_report.json").read_text())
    assert report["speaker_independent"] is False
    assert report["folds"][0]["shared"]["train-test"]["speaker"] == ["Ses01F"]


def test_parts_that_share_a_recording_stop_the_stage_and_nothing_is_written(workspace, fails):
    utterances = synthetic.corpus(num_sessions=3)
    copied = utterances[0]
    utterances[-1] = synthetic.utterance(
        "copy", speaker="Ses03M", gender="male", session="Ses03", sha256=copied.sha256
    )
    manifest.write(workspace / "data" / "manifest.jsonl", utterances)
    message = dealt(fails)
    assert "share audio" in message
    assert not (workspace / "data" / "splits.csv").exists()
    assert not (workspace / "data" / "split_report.json").exists()


def test_a_corpus_with_too_few_sessions_is_refused_with_the_cure(workspace, fails):
    manifest.write(workspace / "data" / "manifest.jsonl", synthetic.corpus(num_sessions=2))
    assert "needs at least 3 sessions, the corpus has 2" in dealt(fails)


def test_a_missing_manifest_and_wrong_params_are_refused(workspace, manifest_file, fails, params):
    params("protocol: session", "protocol: sesion")
    assert "split.protocol: Input should be 'session'" in dealt(fails)
    params("protocol: sesion", "protocol: session")
    manifest_file.unlink()
    assert "data/manifest.jsonl" in dealt(fails)


def test_folds_of_another_protocol_go_into_a_folder_of_their_own(workspace, manifest_file, stage):
    other = workspace / "params-random.yaml"
    other.write_text("split: {protocol: random, num_folds: 2}\n")
    (workspace / "random").mkdir()
    status, err = dealt(stage, "--params", other.name, "--folds", "random")
    assert status == 0, err
    assert len(splits.read(workspace / "random" / "splits.csv")) == 2
    assert (workspace / "random" / "split_report.json").exists()
    assert not (workspace / "data" / "splits.csv").exists()


def test_wrong_usage_is_exit_status_2(workspace, stage):
    assert stage(split.main, "--out", ".")[0] == 2
