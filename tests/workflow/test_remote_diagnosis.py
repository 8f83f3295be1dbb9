"""Where `dvc push` would send what may not be passed on, `ser doctor` says so."""

import pytest

from ser.workflow import remote_diagnosis
from tests.workflow.support import check

REMOTE = "['remote \"team\"']\n    url = {}\n"


@pytest.fixture
def found(tmp_path, monkeypatch):
    """Level, detail and cure of each finding, with such a configuration of DVC."""
    # What a person has set for all of his projects is no matter of this test.
    monkeypatch.setenv("DVC_GLOBAL_CONFIG_DIR", str(tmp_path / "nobody"))
    monkeypatch.setenv("DVC_SYSTEM_CONFIG_DIR", str(tmp_path / "nobody"))
    (tmp_path / ".dvc").mkdir()

    def look(config, **sections):
        (tmp_path / ".dvc" / "config").write_text(config)
        return list(remote_diagnosis.examine(tmp_path, check(**sections)))

    return look


def test_nothing_is_said_where_dvc_has_no_remote(found, tmp_path):
    assert found("", corpus={"name": "iemocap"}) == []
    assert list(remote_diagnosis.examine(tmp_path / "elsewhere", check())) == []


def test_a_licensed_corpus_and_a_remote_is_a_warning_with_what_would_leave(found):
    (finding,) = found(REMOTE.format("s3://team/dvc"), corpus={"name": "iemocap"})
    assert (finding.level, finding.what) == ("warn", "remote")
    assert finding.detail.startswith("team (s3://team/dvc): not free to be passed on: iemocap;")
    assert "data/manifest.jsonl" in finding.detail
    assert "data/features" in finding.detail
    assert "nobody else" in finding.cure


def test_what_may_be_passed_on_may_be_pushed(found):
    (finding,) = found(REMOTE.format("s3://team/dvc"), corpus={"name": "emodb"})
    assert (finding.level, finding.cure) == ("ok", "")


@pytest.mark.parametrize(("may", "level"), [(True, "ok"), (False, "warn")])
def test_who_made_a_table_says_whether_it_may_be_passed_on(found, may, level):
    corpus = {"name": "calls", "parser": "csv", "redistributable": may}
    (finding,) = found(REMOTE.format("/mnt/team"), corpus=corpus)
    assert finding.level == level


def test_a_corpus_that_cells_are_tested_on_counts_too(found):
    cross = {"corpora": {"ravdess": {"name": "ravdess"}}, "cells": {}}
    (finding,) = found(REMOTE.format("/mnt/team"), corpus={"name": "emodb"}, cross_corpus=cross)
    assert finding.level == "warn"
    assert "ravdess" in finding.detail


def test_every_remote_is_named_and_no_password(found):
    config = REMOTE.format("https://me:secret@host/dvc") + REMOTE.replace("team", "own").format(
        "/x"
    )
    first, second = found(config, corpus={"name": "iemocap"})
    assert "me:***@host" in first.detail
    assert second.detail.startswith("own (/x)")


def test_a_damaged_configuration_is_named(found):
    (finding,) = found("[core\n")
    assert finding.level == "fail"
    assert ".dvc/config" in finding.cure
