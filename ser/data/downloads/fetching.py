"""From a corpus' name to its recordings on the disk, in steps that may each be interrupted."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from ser import files
from ser.corpus_folders import DownloadFolder
from ser.data.downloads import sources, transfer, unpacking, verification
from ser.data.downloads.sources import PublishedArchive
from ser.data.downloads.verification import Demand
from ser.errors import DownloadError

Announce = Callable[[str], object]


def fetch(
    corpus: str, place: DownloadFolder, *, announce: Announce, sha256: str | None = None
) -> bool:
    """Fetch, verify and unpack a corpus; what is there already is not fetched again.

    Args:
        corpus: Name of its parser.
        place: Where archive and recordings shall be.
        announce: Is given, before each step, what a person should read.
        sha256: Digest that the archive must have, hexadecimal, lower case. None is the one
            that was recorded at an earlier download, and any where there was none.

    Returns:
        Whether anything had to be done.

    Raises:
        DownloadError: The corpus cannot be fetched, what came is not its archive, the archive
            cannot be unpacked, or another process is at it.
        FileError: The record of an earlier download cannot be read.
    """
    archive = sources.archive_of(corpus)
    try:
        place.folder.mkdir(parents=True, exist_ok=True)
        with _alone(place):
            files.remove_leftovers(place.unpacked)
            demands = verification.demands(archive, place, sha256)
            return _carry_out(_Order(corpus, archive, place, demands, announce))
    except OSError as error:
        where = error.filename or place.folder
        raise DownloadError(f"{where}: {error.strerror or error}") from error


@dataclass(frozen=True, slots=True)
class _Order:
    """What is fetched, to where, what it must be, and who is told."""

    corpus: str
    archive: PublishedArchive
    place: DownloadFolder
    demands: tuple[Demand, ...]
    announce: Announce


@contextmanager
def _alone(place: DownloadFolder) -> Iterator[None]:
    """Hold the folder's lock; two processes must not write into one part."""
    lock = FileLock(place.lock)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise DownloadError(
            f"{place.folder}: another process is fetching into it; wait until it has ended, or "
            "end it"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _carry_out(order: _Order) -> bool:
    """Do what is left to be done; return whether that was anything."""
    place = order.place
    is_there = _has_archive(order)
    if not is_there:
        _get(order)
    if unpacking.is_unpacked(place.archive, place.unpacked):
        return not is_there
    order.announce(f"unpacking {place.archive}")
    unpacking.unpack(place.archive, place.unpacked)
    return True


def _has_archive(order: _Order) -> bool:
    """Return whether the archive is there already, whoever fetched it."""
    path = order.place.archive
    if not path.exists():
        return False
    if wrong := _fault(path, order.demands):
        order.announce(f"{path}: {wrong}; it is fetched again")
        return False
    _record(path, order)
    return True


def _get(order: _Order) -> None:
    """Put the verified archive in place."""
    place, url = order.place, order.archive.url
    order.announce(sources.terms(order.corpus))
    order.announce(f"fetching {url}")
    cure = sources.cure(order.corpus)
    transfer.fetch(url, place, num_bytes=order.archive.num_bytes, cure=cure)
    if wrong := _fault(place.part, order.demands, is_fresh=True):
        # Nothing could be appended to it that would make it right.
        transfer.forget(place)
        raise DownloadError(f"{url}: what came is not the archive: {wrong}; {cure}")
    _record(place.part, order)
    place.part.replace(place.archive)
    transfer.forget(place)


def _fault(path: Path, demands: tuple[Demand, ...], *, is_fresh: bool = False) -> str | None:
    """Return why a file is not the archive that is meant, or None."""
    if demands:
        return verification.fault(path, demands, is_fresh=is_fresh)
    # Nobody says what it should be, so it must at least be without damage.
    return unpacking.fault(path)


def _record(path: Path, order: _Order) -> None:
    """Record the digest of an accepted archive, and say so where it is taken on trust."""
    value = verification.record(path, order.demands, order.place)
    if not order.demands:
        order.announce(
            f"no digest is published for {order.corpus}: this first download is trusted. Its "
            f"SHA-256 {value} is recorded in {order.place.sha256}; a later one must be the same"
        )
