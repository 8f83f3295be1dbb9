import os
from pathlib import Path

import pytest

from ser.cli import outputs
from ser.errors import FileError, FullDiskError


def require_file(out, *, is_ours=False, read=()):
    outputs.require_file(Path(out), is_ours=lambda _: is_ours, read=read)


def test_a_new_file_and_one_of_ours_may_be_written(tmp_path):
    require_file(tmp_path / "deep" / "new.parquet")
    (tmp_path / "old.parquet").touch()
    require_file(tmp_path / "old.parquet", is_ours=True)


def test_what_would_lose_something_is_refused(tmp_path):
    other = tmp_path / "other.csv"
    other.write_text("mine")
    with pytest.raises(FileError, match="is a folder; name a file in it"):
        require_file(tmp_path)
    with pytest.raises(FileError, match="is read by this command"):
        require_file(tmp_path / "." / "other.csv", is_ours=True, read=[other])
    with pytest.raises(FileError, match="not written by this command"):
        require_file(other)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileError, match="not written by this command"):
        require_file(tmp_path / "pipe", is_ours=True)
    assert other.read_text() == "mine"


def test_a_place_that_cannot_be_written_to_is_refused(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match=r"file is a file, so nothing can be written below"):
        require_file(tmp_path / "file" / "deep" / "a.parquet")
    # Whoever runs the tests may write everywhere.
    monkeypatch.setattr(os, "access", lambda place, _: Path(place) != tmp_path)
    with pytest.raises(FileError, match="may not be written to"):
        require_file(tmp_path / "deep" / "a.parquet")
    with pytest.raises(FileError, match="may not be written to"):
        outputs.require_folder(tmp_path / "deep", holds=())


def test_a_folder_is_new_or_empty_or_one_of_ours(tmp_path):
    outputs.require_folder(tmp_path / "new", holds=["model.onnx"])
    outputs.require_folder(tmp_path, holds=["model.onnx"])
    (tmp_path / "notes.txt").touch()
    with pytest.raises(FileError, match=r"holds 'notes.txt' and no export"):
        outputs.require_folder(tmp_path, holds=["model.onnx"])
    with pytest.raises(FileError, match="is a file; name a folder"):
        outputs.require_folder(tmp_path / "notes.txt", holds=["model.onnx"])
    (tmp_path / "model.onnx").touch()
    outputs.require_folder(tmp_path, holds=["model.onnx"])


def test_a_disk_with_too_little_room_is_known_before_it_is_full(tmp_path):
    outputs.require_room(tmp_path / "deep" / "new", 1)
    said = r"new: 10000000000000\.0 MB are needed, and its disk has .* MB left; free some"
    with pytest.raises(FullDiskError, match=said):
        outputs.require_room(tmp_path / "deep" / "new", 10**19)
