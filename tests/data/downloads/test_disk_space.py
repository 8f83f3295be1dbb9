"""Room on a disk."""

import shutil

import pytest

from ser.data.downloads import disk_space
from ser.errors import DownloadError


def test_what_fits_is_let_through_and_one_byte_more_is_not(tmp_path, monkeypatch):
    usage = type("Usage", (), {"free": 2_000_000})
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage if folder == tmp_path else None)
    disk_space.require(tmp_path, 2_000_000, "to unpack x.zip")
    with pytest.raises(DownloadError) as caught:
        disk_space.require(tmp_path, 5_000_000, "to unpack x.zip")
    expected = f"{tmp_path}: 5 MB are needed to unpack x.zip, but only 2 MB are free; make room"
    assert str(caught.value).startswith(expected)
    with pytest.raises(DownloadError):
        disk_space.require(tmp_path, 2_000_001, "")
