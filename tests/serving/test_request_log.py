import errno
import json
import logging
import multiprocessing
import os

import pytest

from ser.errors import FileError, MonitoringError
from ser.serving import request_log
from ser.serving.request_log import RequestLog

LINE = {
    "model": "ser-csv-session",
    "version": "3",
    "bundle_sha256": "abc",
    "duration_s": 1.5,
    "level_dbfs": -20.0,
    "snr_db": 30.0,
    "rolloff_hz": 7000.0,
    "emotion": "sad",
    "confidence": 0.75,
    "distance": 3.0,
    "abstained": True,
    "reason": "unsure",
    "probabilities": {"happy": 0.25, "sad": 0.75},
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "requests.jsonl"


def test_what_is_appended_is_read(path):
    RequestLog(path).append([LINE, {**LINE, "emotion": "happy"}])
    RequestLog(path).append([{**LINE, "bundle_sha256": "another"}])
    table, num_others = request_log.read(path, bundle_sha256="abc")
    assert table["emotion"].tolist() == ["sad", "happy"]
    assert (table["distance"][0], num_others) == (3.0, 1)
    first = json.loads(path.read_text().splitlines()[0])
    assert set(first) == {"format", "time", *LINE}


def test_a_bundle_without_distances_has_no_such_column(path):
    RequestLog(path).append([{**LINE, "distance": None, "reason": None}])
    assert "distance" not in request_log.read(path, bundle_sha256="abc")[0]


def write_many(path, number):
    log = RequestLog(path)
    for _ in range(200):
        log.append([{**LINE, "version": str(number)}] * 3)


def test_several_processes_share_a_file_without_tearing_a_line(path):
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=write_many, args=(path, n)) for n in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    table, _ = request_log.read(path, bundle_sha256="abc")
    assert table["version"].value_counts().to_dict() == {"0": 600, "1": 600, "2": 600}


def test_a_renamed_file_is_left_alone(path, tmp_path):
    log = RequestLog(path)
    log.append([LINE])
    path.rename(tmp_path / "old.jsonl")
    log.append([LINE])
    assert len(path.read_text().splitlines()) == 1


def test_a_file_that_cannot_be_written_is_said_at_the_start(tmp_path):
    with pytest.raises(FileError, match="cannot be written to"):
        RequestLog(tmp_path / "none" / "log").require_writable()


def test_later_it_is_one_warning_and_no_error(tmp_path, caplog):
    log = RequestLog(tmp_path / "none" / "log")
    with caplog.at_level(logging.WARNING):
        log.append([LINE])
        log.append([LINE])
    assert len(caplog.records) == 1
    (tmp_path / "none").mkdir()
    log.append([LINE])
    assert len(log.path.read_text().splitlines()) == 1


def test_a_full_disk_leaves_no_half_of_a_line(path, monkeypatch, caplog):
    write = os.write
    log = RequestLog(path)
    log.append([LINE])
    before = path.read_bytes()
    monkeypatch.setattr(os, "write", lambda file, content: write(file, content[:20]))
    log.append([LINE])
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert f"{path}: requests are answered and not logged: the disk is full" in caplog.text
    log.append([LINE])
    assert len(request_log.read(path, bundle_sha256="abc")[0]) == 2


def test_a_file_system_without_locks_is_written_to_all_the_same(path, monkeypatch):
    def none(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(request_log.fcntl, "flock", none)
    RequestLog(path).append([LINE])
    assert len(path.read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hello", "Invalid JSON"),
        ('{"a": 1}', "Field required"),
        (json.dumps({"format": 1, "time": "2026-01-01T00:00:00Z", **LINE, "name": "x"}), "name"),
        (json.dumps({"format": 1, "time": "now", **LINE}), "time"),
    ],
)
def test_a_foreign_line_is_refused_by_its_number(path, text, said):
    RequestLog(path).append([LINE])
    with path.open("a") as file:
        file.write(f"{text}\n")
    with pytest.raises(MonitoringError, match=rf"requests\.jsonl:2: not a line of .*{said}"):
        request_log.read(path, bundle_sha256="abc")


def test_lines_of_another_model_only_are_refused_with_its_name(path):
    RequestLog(path).append([LINE])
    with pytest.raises(MonitoringError, match="lines are of ser-csv-session version 3"):
        request_log.read(path, bundle_sha256="other")


def test_an_empty_and_a_missing_log_are_refused(path):
    with pytest.raises(FileError, match="neither a folder nor a readable log"):
        request_log.read(path, bundle_sha256="abc")
    path.touch()
    with pytest.raises(MonitoringError, match="the log is empty"):
        request_log.read(path, bundle_sha256="abc")


def test_the_environment_names_the_log(monkeypatch, path):
    monkeypatch.delenv(request_log.LOG_FILE, raising=False)
    assert RequestLog.from_environment() is None
    monkeypatch.setenv(request_log.LOG_FILE, str(path))
    assert RequestLog.from_environment().path == path
