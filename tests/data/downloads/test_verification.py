"""Digests that are published, given and recorded."""

import hashlib

import pytest

from ser.data.downloads import verification
from ser.data.downloads.sources import Digest, PublishedArchive
from ser.errors import DownloadError

CONTENT = b"PK and more"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MD5 = hashlib.md5(CONTENT).hexdigest()
OTHER = "0" * 64


def published(digest=None):
    return PublishedArchive(
        url="http://u/archive.zip", name="archive.zip", page="http://page", size="", digest=digest
    )


@pytest.fixture
def path(place):
    place.part.write_bytes(CONTENT)
    return place.part


def fault(path, place, *, digest=None, given=None, is_fresh=False):
    demands = verification.demands(published(digest), place, given)
    return verification.fault(path, demands, is_fresh=is_fresh)


def test_without_any_digest_nothing_is_demanded(path, place):
    assert verification.demands(published(), place, None) == ()
    assert fault(path, place) is None


def test_published_and_given_digests_must_both_be_met(path, place):
    right = Digest("md5", MD5)
    assert fault(path, place, digest=right, given=SHA256) is None
    wrong = Digest("md5", "f" * 32)
    assert fault(path, place, digest=wrong, given=SHA256) == (
        f"its md5 is {MD5}, expected {'f' * 32}, published at http://page"
    )
    assert f"expected {OTHER}, given with --sha256" in fault(path, place, digest=right, given=OTHER)


def test_a_recorded_digest_is_demanded_ever_after_until_another_is_given(path, place):
    assert verification.record(path, (), place) == SHA256
    assert place.sha256.read_text() == f"{SHA256}  archive.zip\n"
    assert fault(path, place) is None
    path.write_bytes(b"PK, changed")
    assert f"recorded in {place.sha256} at an earlier download" in fault(path, place)
    changed = hashlib.sha256(b"PK, changed").hexdigest()
    assert fault(path, place, given=changed) is None
    met = verification.demands(published(Digest("md5", MD5)), place, changed)
    assert verification.record(path, met, place) == changed
    assert fault(path, place) is None


@pytest.mark.parametrize(
    ("demand", "cure"),
    [
        ({"digest": Digest("md5", "f" * 32)}, "(it was changed on the way, or the publisher has"),
        ({"given": OTHER}, "(check the digest that you gave)"),
    ],
)
def test_a_fresh_file_is_refused_with_a_cure(path, place, demand, cure):
    assert cure in fault(path, place, is_fresh=True, **demand)
    assert "(" not in fault(path, place, **demand)


def test_a_record_that_is_already_right_is_left_alone(path, place):
    verification.record(path, (), place)
    before = place.sha256.stat().st_mtime_ns, place.sha256.stat().st_ino
    verification.record(path, (), place)
    assert (place.sha256.stat().st_mtime_ns, place.sha256.stat().st_ino) == before


@pytest.mark.parametrize("text", ["", "abc  archive.zip\n", f"{SHA256.upper()}  archive.zip\n"])
def test_a_damaged_record_is_named_with_the_cure(path, place, text):
    place.sha256.write_text(text)
    with pytest.raises(DownloadError, match=r"archive\.zip\.sha256: it is not a line of sha256sum"):
        fault(path, place)
