"""Archives that are unpacked, and archives that are not: whole, or with nothing left behind."""

import random
import re
import stat
import struct
import zipfile

import pytest

from ser.data.downloads import unpacking
from ser.errors import DownloadError
from tests.data.downloads.archives import EMODB, FILES, archive, member

OUTSIDE = [
    "../outside.wav",
    "wav/../../outside.wav",
    "/tmp/outside.wav",
    "//host/outside.wav",
    "..",
    "C:/outside.wav",
    "..\\outside.wav",
    "wav/a\nb.wav",
]


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "in" / "unpacked"


@pytest.fixture
def put(tmp_path):
    """Write an archive and give its path."""

    def write(content):
        path = tmp_path / "in" / "archive.zip"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return path

    return write


def everything(tmp_path):
    return sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*"))


def refuse(path, folder, tmp_path):
    """Unpack what must be refused; give the message, after looking that nothing was written."""
    before = everything(tmp_path)
    with pytest.raises(DownloadError) as caught:
        unpacking.unpack(path, folder)
    assert everything(tmp_path) == before
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_every_file_is_unpacked_with_its_bytes(put, folder):
    path = put(EMODB)
    assert not unpacking.is_unpacked(path, folder)
    unpacking.unpack(path, folder)
    assert {name: (folder / name).read_bytes() for name in FILES} == FILES
    assert unpacking.is_unpacked(path, folder)
    assert unpacking.fault(path) is None


def test_the_modes_of_the_archive_are_not_taken_over(put, folder, tmp_path):
    unpacking.unpack(put(archive([(member("a.sh", mode=0o104777), b"x")])), folder)
    (tmp_path / "plain").write_text("")
    assert (folder / "a.sh").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_path_that_leaves_the_folder_is_refused_by_name(put, folder, tmp_path, name):
    path = put(archive([*FILES.items(), (name, b"x")]))
    message = refuse(path, folder, tmp_path)
    assert f"{path}: it is not unpacked, because of\n  {name!r}: its path leaves" in message


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_refused_by_name(put, folder, tmp_path, kind):
    path = put(archive([(member("wav", mode=kind | 0o777), b"/etc"), ("wav2/passwd", b"x")]))
    assert "'wav': it is a link or a device" in refuse(path, folder, tmp_path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_names_that_occur_twice_are_refused(put, folder, tmp_path):
    path = put(archive([("wav/a.wav", b"x"), ("wav//a.wav", b"y"), ("b", b""), ("b", b"")]))
    message = refuse(path, folder, tmp_path)
    assert "'wav/a.wav': it is there 2 times" in message
    assert "'b': it is there 2 times" in message


def test_a_file_in_the_place_of_a_folder_is_refused(put, folder, tmp_path):
    path = put(archive([("wav", b"x"), ("wav/a.wav", b"y")]))
    assert "'wav': it is a file and a folder" in refuse(path, folder, tmp_path)


def test_encrypted_members_are_refused(put, folder, tmp_path):
    content = bytearray(archive([("a.wav", b"x"), ("b.wav", b"x")]))
    directory = content.index(b"PK\x01\x02")
    content[directory + 8] |= 1
    assert "'a.wav': it is encrypted" in refuse(put(content), folder, tmp_path)


def test_what_grows_beyond_any_recording_is_refused(put, folder, tmp_path):
    path = put(archive([("bomb.wav", bytes(2 * unpacking.HARMLESS_BYTES))]))
    message = refuse(path, folder, tmp_path)
    assert re.search(r"'bomb.wav': it grows from 2\d{3} to 2097152 bytes", message)
    unpacking.unpack(put(archive([("silence.wav", bytes(unpacking.HARMLESS_BYTES))])), folder)
    assert (folder / "silence.wav").stat().st_size == unpacking.HARMLESS_BYTES


def test_members_that_share_their_bytes_are_refused(put, folder, tmp_path):
    content = archive([("a.wav", random.Random(0).randbytes(500)), ("b.wav", b"x")])
    # The directory says that b begins where a does, as overlapping bombs do.
    entry = content.index(b"PK\x01\x02", content.index(b"PK\x01\x02") + 4)
    content = content[: entry + 42] + struct.pack("<I", 0) + content[entry + 46 :]
    content = content.replace(b"b.wav", b"a.wav").replace(b"a.wav", b"b.wav", 1)
    assert "'a.wav': its bytes are not its own" in refuse(put(content), folder, tmp_path)


def test_only_the_first_of_many_faults_are_listed(put, folder, tmp_path):
    message = refuse(put(archive([(f"../{n}", b"") for n in range(9)])), folder, tmp_path)
    assert message.count("its path leaves the folder") == 5
    assert message.endswith("and 4 more")


@pytest.mark.parametrize("claimed", [500, 1500])
def test_a_member_of_another_size_than_the_directory_says_leaves_nothing(
    put, folder, tmp_path, claimed
):
    content = bytearray(archive([("b.wav", b"y"), ("a.wav", random.Random(0).randbytes(1000))]))
    entry = content.index(b"PK\x01\x02", content.index(b"PK\x01\x02") + 4)
    content[entry + 24 : entry + 28] = struct.pack("<I", claimed)
    path = put(content)
    assert "member a.wav: " in refuse(path, folder, tmp_path)


def test_a_damaged_member_leaves_the_old_folder_as_it_was(put, folder, tmp_path):
    unpacking.unpack(put(archive([("a.wav", b"old")])), folder)
    content = bytearray(archive([("a.wav", random.Random(0).randbytes(1000))]))
    content[500] ^= 1
    path = put(content)
    assert unpacking.fault(path) == "its member a.wav is damaged"
    assert "member a.wav: " in refuse(path, folder, tmp_path)
    assert (folder / "a.wav").read_bytes() == b"old"


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, 99])
def test_an_unusual_compression_is_refused_by_name(put, folder, tmp_path, method):
    content = bytearray(archive([("a.wav", b"x")]))
    entry = content.index(b"PK\x01\x02")
    content[entry + 10] = content[8] = method
    path = put(content)
    assert f"'a.wav': it is compressed by method {method}" in refuse(path, folder, tmp_path)
    assert f"'a.wav': it is compressed by method {method}" in unpacking.fault(path)


@pytest.mark.parametrize("content", [b"", b"PK", EMODB[:-30], EMODB[:20_000]])
def test_half_an_archive_is_refused(put, folder, tmp_path, content):
    path = put(content)
    assert "it is no whole zip archive" in refuse(path, folder, tmp_path)
    assert "it is no whole zip archive" in unpacking.fault(path)


def test_whatever_is_damaged_nothing_but_one_error_comes_of_it(put, folder):
    rng = random.Random(0)
    small = archive([("wav/", b""), ("wav/a.wav", rng.randbytes(50)), ("b.txt", b"b" * 50)])
    refused = 0
    for _ in range(100):
        content = bytearray(small)
        for _ in range(rng.randint(1, 4)):
            content[rng.randrange(len(content))] = rng.randrange(256)
        path = put(content)
        unpacking.fault(path)
        try:
            unpacking.unpack(path, folder)
        except DownloadError:
            refused += 1
    assert 50 < refused < 100


def test_a_lost_or_cut_file_is_noticed_and_brought_back(put, folder):
    path = put(EMODB)
    for damage in (lambda file: file.unlink(), lambda file: file.write_bytes(b"cut")):
        unpacking.unpack(path, folder)
        damage(folder / "wav/03a01Fa.wav")
        assert not unpacking.is_unpacked(path, folder)
    unpacking.unpack(path, folder)
    assert unpacking.is_unpacked(path, folder)


def test_files_of_the_user_are_no_reason_to_unpack_again_and_are_never_removed(
    put, folder, tmp_path
):
    path = put(EMODB)
    unpacking.unpack(path, folder)
    (folder / "wav" / "notes.txt").write_text("mine")
    assert unpacking.is_unpacked(path, folder)
    (folder / "wav/03a01Fa.wav").unlink()
    before = everything(tmp_path)
    with pytest.raises(DownloadError, match=r"holds 1 other files, e\.g\. wav/notes\.txt; move"):
        unpacking.unpack(path, folder)
    assert everything(tmp_path) == before


@pytest.mark.parametrize("make", ["symlink_to", "write_bytes"])
def test_a_link_or_a_file_in_the_place_of_the_folder_is_not_replaced(put, folder, tmp_path, make):
    path = put(EMODB)
    (tmp_path / "elsewhere").mkdir()
    getattr(folder, make)({"symlink_to": tmp_path / "elsewhere", "write_bytes": b"x"}[make])
    with pytest.raises(DownloadError, match="the folder of the unpacked archive is none"):
        unpacking.unpack(path, folder)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_the_room_for_all_files_is_asked_for_before_the_first_is_written(
    put, folder, tmp_path, monkeypatch
):
    free = sum(map(len, FILES.values())) - 1
    monkeypatch.setattr(
        unpacking.disk_space.shutil, "disk_usage", lambda _: type("Usage", (), {"free": free})
    )
    path = put(EMODB)
    with pytest.raises(DownloadError, match=r"are needed to unpack archive\.zip, but only 0 MB"):
        unpacking.unpack(path, folder)
    assert not folder.exists()


def test_an_empty_archive_has_nothing_to_unpack(put, folder):
    path = put(archive([]))
    assert zipfile.is_zipfile(path)
    unpacking.unpack(path, folder)
    assert list(folder.iterdir()) == []
