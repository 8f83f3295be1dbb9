"""Tables of a finished project, and that they belong to its params."""

import re
from pathlib import Path

import pytest

import ser
from ser import predictions
from ser.data import splits
from ser.errors import FileError, LineageError
from ser.project import Project


def test_predictions_are_those_of_the_cell_with_their_columns(trained):
    table = ser.read_predictions("lstm-aam")
    assert list(table) == predictions.columns(("angry", "happy", "neutral", "sad"))
    assert set(table["part"]) == {"dev", "test"}
    assert (table["fold"].dtype, table["seed"].dtype) == ("int64", "int64")
    shares = table.filter(like="probability_")
    assert shares.sum(axis=1).to_numpy() == pytest.approx(1.0)


def test_folds_know_their_speakers_and_recordings(trained):
    table = ser.read_folds()
    assert list(table)[:4] == ["fold", "part", "utterance_id", "speaker"]
    (first, *_) = splits.read(Project().splits)
    of_first = table[(table["fold"] == first.number) & (table["part"] == "test")]
    assert sorted(of_first["utterance_id"]) == list(first.test)
    assert table["emotion"].notna().all()
    assert (table["duration_s"] > 0).all()
    assert all(Path(path).is_file() for path in table["audio"])
    speakers = table.groupby(["fold", "part"], observed=True)["speaker"].agg(set)
    for number in set(table["fold"]):
        assert speakers[number, "train"].isdisjoint(speakers[number, "test"])


def test_another_folder_is_read_by_its_root(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert len(ser.read_predictions("lstm-aam", root=trained)) > 0
    assert all(Path(path).is_file() for path in ser.read_folds(root=str(trained))["audio"])


def test_a_cell_that_is_not_there_is_answered_with_those_that_are(trained):
    with pytest.raises(FileError, match=r"runs/lstm-brier: no such cell; there are: hubert-"):
        ser.read_predictions("lstm-brier")


def test_a_project_that_has_not_run_is_told_what_makes_it(tmp_path):
    with pytest.raises(ser.SerError, match=re.escape(str(tmp_path))):
        ser.read_folds(root=tmp_path)


@pytest.fixture
def other_protocol(trained):
    path = trained / "params.yaml"
    before = path.read_text()
    path.write_text(before.replace("protocol: session", "protocol: speaker"))
    yield
    path.write_text(before)


def test_data_of_other_params_are_refused(other_protocol):
    for read in (ser.read_folds, lambda: ser.read_predictions("lstm-aam")):
        with pytest.raises(LineageError, match="protocol was session, is speaker"):
            read()
