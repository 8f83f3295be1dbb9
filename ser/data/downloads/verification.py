"""Is an archive the one that is meant? By published, given and recorded digests."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ser import files
from ser.corpus_folders import DownloadFolder
from ser.data.downloads.sources import Algorithm, Digest, PublishedArchive
from ser.errors import DownloadError

_CHUNK_BYTES = 1 << 20
_RECORD = re.compile(r"(?P<sha256>[0-9a-f]{64})  \S.*\n?")


@dataclass(frozen=True, slots=True)
class Demand:
    """A digest that an archive must have.

    Args:
        digest: It.
        origin: Who says so, to follow the digest in a message, e.g. `published at ...`.
        cure: What to do where a file that has just come does not have it.
    """

    digest: Digest
    origin: str
    cure: str


def demands(
    archive: PublishedArchive, place: DownloadFolder, given: str | None
) -> tuple[Demand, ...]:
    """Return all digests that an archive must have; none before a first, trusted download.

    Args:
        archive: As published.
        place: Where the digest of an earlier download is recorded.
        given: The SHA-256 that the person at the keyboard insists on, lower case; it takes
            the place of the recorded one.

    Raises:
        FileError: The record cannot be read.
        DownloadError: The record is damaged.
    """
    found = []
    if archive.digest:
        origin = f"published at {archive.page}"
        cure = "it was changed on the way, or the publisher has replaced it"
        found.append(Demand(archive.digest, origin, cure))
    if given:
        cure = "check the digest that you gave"
        found.append(Demand(Digest("sha256", given), "given with --sha256", cure))
    elif recorded := _recorded(place):
        origin = f"recorded in {place.sha256} at an earlier download"
        cure = "if the publisher has replaced it, say the new SHA-256 with --sha256"
        found.append(Demand(Digest("sha256", recorded), origin, cure))
    return tuple(found)


def fault(path: Path, wanted: Sequence[Demand], *, is_fresh: bool) -> str | None:
    """Return which demand a file does not meet, or None.

    Args:
        path: The file.
        wanted: From `demands`.
        is_fresh: It has just come; the message then says what to do.
    """
    found = _digests(path, {demand.digest.algorithm for demand in wanted})
    for demand in wanted:
        algorithm, value = demand.digest.algorithm, demand.digest.value
        if found[algorithm] != value:
            cure = f" ({demand.cure})" if is_fresh else ""
            return f"its {algorithm} is {found[algorithm]}, expected {value}, {demand.origin}{cure}"
    return None


def record(path: Path, met: Sequence[Demand], place: DownloadFolder) -> str:
    """Write down the SHA-256 of an accepted archive, so that a later one must be the same.

    Args:
        path: The archive, or the part that will be it.
        met: The demands that it meets.
        place: Where the record belongs.

    Returns:
        The digest, hexadecimal.
    """
    known = [demand.digest.value for demand in met if demand.digest.algorithm == "sha256"]
    value = known[0] if known else _digests(path, ["sha256"])["sha256"]
    if _recorded(place) != value:
        files.write_text(place.sha256, f"{value}  {place.archive_name}\n")
    return value


def _recorded(place: DownloadFolder) -> str | None:
    if not place.sha256.exists():
        return None
    cure = "remove it to trust the next download"
    found = _RECORD.fullmatch(files.read_text(place.sha256, cure=cure))
    if found is None:
        raise DownloadError(f"{place.sha256}: it is not a line of sha256sum; {cure}")
    return found["sha256"]


def _digests(path: Path, algorithms: Iterable[Algorithm]) -> Mapping[str, str]:
    """Return algorithm -> digest of a file, which is read once."""
    made = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}
    with path.open("rb") as file:
        while made and (chunk := file.read(_CHUNK_BYTES)):
            for one in made.values():
                one.update(chunk)
    return {name: one.hexdigest() for name, one in made.items()}
