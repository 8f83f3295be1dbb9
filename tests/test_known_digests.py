import os

import pytest

from ser import known_digests, lineage
from ser.errors import LineageError

LONG_AGO = 1_600_000_000


@pytest.fixture
def folder(tmp_path):
    """A folder of two files, written long ago."""
    made = tmp_path / "store"
    for name in ("shard", "deep/shard"):
        write(made / name, "as it was")
    return made


@pytest.fixture
def read(monkeypatch):
    """The names of the files that are read."""
    names, real = [], lineage.sha256_file

    def note(path):
        names.append(path.name)
        return real(path)

    monkeypatch.setattr(lineage, "sha256_file", note)
    return names


def write(path, text, at=LONG_AGO):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (at, at))


def test_it_is_the_digest_of_the_folder_and_what_is_known_is_not_read_again(folder, read):
    kept = folder.parent / "kept.json"
    whole = lineage.digest_folder(folder)
    assert known_digests.digest_folder(folder, kept) == whole
    assert len(read) == 2
    assert known_digests.digest_folder(folder, kept) == whole
    assert len(read) == 2


def test_what_has_another_size_time_or_inode_is_read_again(folder, read):
    kept = folder.parent / "kept.json"
    known_digests.digest_folder(folder, kept)
    write(folder / "shard", "as it was, and longer")
    known_digests.digest_folder(folder, kept)
    write(folder / "shard", "other, and as long as", at=LONG_AGO + 60)
    known_digests.digest_folder(folder, kept)
    write(folder.parent / "new", "a third, same length.", at=LONG_AGO + 60)
    (folder.parent / "new").replace(folder / "shard")
    assert known_digests.digest_folder(folder, kept) == lineage.digest_folder(folder)
    assert len(read) == 2 + 3  # all at first, then one for each change


def test_a_file_that_is_gone_or_new_counts(folder):
    kept = folder.parent / "kept.json"
    known_digests.digest_folder(folder, kept)
    (folder / "shard").unlink()
    write(folder / "index", "")
    assert known_digests.digest_folder(folder, kept) == lineage.digest_folder(folder)


def test_a_file_of_this_moment_is_not_trusted_yet(folder, read):
    kept = folder.parent / "kept.json"
    (folder / "shard").write_text("written now")
    known_digests.digest_folder(folder, kept)
    known_digests.digest_folder(folder, kept)
    assert read.count("shard") == 2 + 1  # the one below `deep` once


def test_what_is_kept_of_another_folder_or_damaged_is_not_believed(folder, tmp_path):
    kept = tmp_path / "kept.json"
    known_digests.digest_folder(folder, kept)
    other = tmp_path / "other"
    write(other / "shard", "else")
    assert known_digests.digest_folder(other, kept) == lineage.digest_folder(other)
    kept.write_text("{")
    assert known_digests.digest_folder(other, kept) == lineage.digest_folder(other)


def test_what_cannot_be_read_is_named(folder):
    (folder / "shard").unlink()
    (folder / "shard").symlink_to(folder / "nowhere")
    with pytest.raises(LineageError, match="shard: cannot be read"):
        known_digests.digest_folder(folder, folder.parent / "kept.json")
