"""From a name to recordings on the disk, through every kind of interruption."""

import hashlib
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from filelock import FileLock

from ser.data.downloads import fetching, transfer, unpacking
from ser.data.downloads.sources import Digest
from ser.errors import DownloadError
from tests.data.downloads.archives import EMODB, FILES, archive
from tests.data.downloads.server import PIECE, answer, whole

SHA256 = hashlib.sha256(EMODB).hexdigest()
MD5 = hashlib.md5(EMODB).hexdigest()
OTHER = archive([*FILES.items(), ("wav/09a01Fa.wav", b"new")])

pytestmark = pytest.mark.usefixtures("publish")


@pytest.fixture
def fetch(place):
    """Fetch EmoDB into the place; give whether anything was done, and what was said."""

    def run(**options):
        said = []
        return fetching.fetch("emodb", place, announce=said.append, **options), "\n".join(said)

    return run


def unpacked(place):
    return {
        path.relative_to(place.unpacked).as_posix(): path.read_bytes()
        for path in place.unpacked.rglob("*")
        if path.is_file()
    }


def names(place):
    return sorted(path.name for path in place.folder.iterdir())


COMPLETE = [".download.lock", "archive.zip", "archive.zip.sha256", "unpacked"]


def test_a_corpus_is_fetched_verified_recorded_and_unpacked(fetch, place):
    is_new, said = fetch()
    assert is_new
    assert unpacked(place) == FILES
    assert place.archive.read_bytes() == EMODB
    assert names(place) == COMPLETE
    assert said.index("licence: CC0-1.0") < said.index("fetching http://127.0.0.1")
    assert f"this first download is trusted. Its SHA-256 {SHA256} is recorded in" in said


def test_a_second_time_nothing_is_done_or_said(fetch, server):
    fetch()
    assert fetch() == (False, "")
    assert len(server.asked) == 1


def test_a_published_digest_is_believed_and_no_trust_is_asked_for(fetch, place, publish):
    publish(digest=Digest("md5", MD5), num_bytes=len(EMODB))
    _, said = fetch()
    assert "trusted" not in said
    assert place.sha256.read_text() == f"{SHA256}  archive.zip\n"


def test_a_wrong_digest_removes_what_came_and_nothing_else(fetch, place, publish, server):
    publish(digest=Digest("md5", "f" * 32))
    (place.folder / "notes.txt").write_text("mine")
    place.unpacked.mkdir()
    (place.unpacked / "mine.wav").write_text("mine")
    with pytest.raises(DownloadError) as caught:
        fetch()
    assert f"what came is not the archive: its md5 is {MD5}, expected {'f' * 32}" in str(
        caught.value
    )
    assert names(place) == [".download.lock", "notes.txt", "unpacked"]
    assert unpacked(place) == {"mine.wav": b"mine"}
    with pytest.raises(DownloadError):
        fetch()
    assert [asked.begin for asked in server.asked] == [0, 0]


def test_another_archive_than_the_first_is_refused_until_its_digest_is_given(fetch, place, server):
    fetch()
    place.archive.unlink()
    server.content, server.etag = OTHER, '"second"'
    with pytest.raises(DownloadError, match=r"recorded in .* say the new SHA-256 with --sha256"):
        fetch()
    assert unpacked(place) == FILES
    fetch(sha256=hashlib.sha256(OTHER).hexdigest())
    assert unpacked(place) == {**FILES, "wav/09a01Fa.wav": b"new"}
    assert fetch() == (False, "")


def test_only_the_archive_of_a_given_digest_is_accepted(fetch, place):
    with pytest.raises(DownloadError, match=r"given with --sha256 \(check the digest"):
        fetch(sha256="0" * 64)
    assert names(place) == [".download.lock"]
    assert "trusted" not in fetch(sha256=SHA256)[1]


def test_a_damaged_archive_is_fetched_again(fetch, place):
    fetch()
    damaged = bytearray(EMODB)
    damaged[20_000] ^= 1
    place.archive.write_bytes(damaged)
    is_new, said = fetch()
    assert is_new
    assert "it is fetched again" in said
    assert place.archive.read_bytes() == EMODB


def test_an_archive_that_is_damaged_and_cannot_be_fetched_is_left_as_it_is(fetch, place, server):
    fetch()
    place.archive.write_bytes(b"PK")
    server.script.append(answer(404))
    with pytest.raises(DownloadError, match="404"):
        fetch()
    assert place.archive.read_bytes() == b"PK"
    assert unpacked(place) == FILES


def test_an_archive_that_a_person_put_there_is_taken(fetch, place, server):
    place.archive.write_bytes(EMODB)
    is_new, said = fetch()
    assert is_new
    assert "trusted" in said
    assert unpacked(place) == FILES
    assert server.asked == []


@pytest.mark.parametrize("content", [EMODB[:20_000], b"PK, and no archive", b""])
def test_of_an_archive_that_a_person_put_there_damage_is_noticed(fetch, place, content):
    place.archive.write_bytes(content)
    assert "it is no whole zip archive" in fetch()[1]
    assert place.archive.read_bytes() == EMODB


def test_damage_on_the_first_way_is_not_recorded_as_the_truth(fetch, place, server):
    damaged = bytearray(EMODB)
    damaged[20_000] ^= 1
    server.content = bytes(damaged)
    with pytest.raises(DownloadError, match=r"is damaged; or get it by hand from http://the\.page"):
        fetch()
    assert names(place) == [".download.lock"]
    server.content, server.etag = EMODB, '"second"'
    assert fetch()[0]


def test_an_archive_with_members_that_leave_the_folder_is_never_unpacked(fetch, place, server):
    server.content = archive([*FILES.items(), ("../../outside.wav", b"x")])
    with pytest.raises(DownloadError, match=r"'\.\./\.\./outside\.wav': its path leaves"):
        fetch()
    assert names(place) == [".download.lock"]
    assert list(place.folder.parent.iterdir()) == [place.folder]


def test_a_broken_transfer_goes_on_and_gives_the_same_bytes(fetch, place, server):
    server.script.append(whole(stop_at=20_500))
    with pytest.raises(DownloadError, match="give the same command again"):
        fetch()
    assert not place.archive.exists()
    fetch()
    assert unpacked(place) == FILES
    assert sum(asked.num_served for asked in server.asked) < len(EMODB) + PIECE


def test_an_interruption_between_transfer_and_name_costs_no_byte(fetch, place, server):
    transfer.fetch(server.url, place, num_bytes=None, cure="")
    fetch()
    assert unpacked(place) == FILES
    assert len(server.asked) == 1


def test_an_interruption_while_unpacking_leaves_no_half_of_it(fetch, place, monkeypatch):
    copied = []

    def interrupted(source, target, _):
        copied.append(target.write(source.read()))
        if len(copied) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(unpacking.shutil, "copyfileobj", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetch()
    assert "unpacked" not in names(place)
    fetch()
    assert unpacked(place) == FILES
    assert names(place) == COMPLETE


def test_what_a_killed_process_had_half_unpacked_is_removed(fetch, place):
    half = place.folder / ".unpacked.0123abcd.part"
    half.mkdir()
    (half / "a.wav").write_text("")
    fetch()
    assert names(place) == COMPLETE


def test_files_that_were_lost_are_unpacked_again_without_a_transfer(fetch, place, server):
    fetch()
    (place.unpacked / "wav/03a01Fa.wav").unlink()
    is_new, said = fetch()
    assert is_new
    assert said == f"unpacking {place.archive}"
    assert unpacked(place) == FILES
    assert len(server.asked) == 1


def test_while_one_process_fetches_another_is_refused(fetch, place, server):
    with FileLock(place.lock), pytest.raises(DownloadError) as caught:
        fetch()
    assert str(caught.value).startswith(f"{place.folder}: another process is fetching into it")
    assert server.asked == []
    fetch()


def test_a_folder_that_cannot_be_written_is_one_error(publish, tmp_path):
    (tmp_path / "file").write_text("")
    place = fetching.DownloadFolder(tmp_path / "file" / "emodb", "archive.zip")
    with pytest.raises(DownloadError, match=r"file/emodb: Not a directory"):
        fetching.fetch("emodb", place, announce=print)


def test_a_full_disk_is_one_error_and_the_part_stays(fetch, place, monkeypatch):
    class Full(transfer.tqdm):
        def update(self, _=1):
            if place.part.stat().st_size > 10 * PIECE:
                raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(transfer, "tqdm", Full)
        with pytest.raises(DownloadError, match="No space left on device"):
            fetch()
    assert place.part.stat().st_size > 0
    fetch()
    assert unpacked(place) == FILES


CHILD = """
    import sys
    from pathlib import Path
    from ser.data.downloads import fetching, sources, transfer
    from ser.corpus_folders import DownloadFolder

    url, folder = sys.argv[1:]
    transfer.CHUNK_BYTES = 1000
    sources.ARCHIVES = {"emodb": sources.PublishedArchive(url, "archive.zip", "page", "small")}
    fetching.fetch("emodb", DownloadFolder(Path(folder), "archive.zip"), announce=print)
"""


def test_a_process_that_was_killed_is_taken_up_where_it_was(fetch, place, server):
    server.script.append(whole(pause_s=0.01))
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CHILD), server.url, str(place.folder)],
        env={**os.environ, "NO_PROXY": "*"},
        stdout=subprocess.DEVNULL,
    )
    try:
        while not (place.part.exists() and place.part.stat().st_size > 10 * PIECE):
            assert child.poll() is None
            time.sleep(0.005)
        with pytest.raises(DownloadError, match="another process is fetching"):
            fetch()
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    kept = place.part.stat().st_size
    assert 0 < kept < len(EMODB)
    fetch()
    assert unpacked(place) == FILES
    assert server.asked[1].begin == kept
    assert server.asked[1].num_served == len(EMODB) - kept
    assert names(place) == COMPLETE
