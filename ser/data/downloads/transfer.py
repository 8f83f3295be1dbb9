"""One file over HTTP: what has come stays, and the next try asks only for the rest.

A part goes on where the server confirms that it still offers the same file (`If-Range` with
the validator of the first answer, and the same total size). Whether the bytes are the right
ones is the caller's question.

Source: RFC 9110 (HTTP Semantics), sections 8.8.3 (ETag), 13.1.5 (If-Range), 14 (ranges).
"""

import logging
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from itertools import chain
from pathlib import Path
from typing import ClassVar

import requests
from tqdm import tqdm

from ser.corpus_folders import DownloadFolder
from ser.data.downloads import disk_space
from ser.errors import DownloadError, FileError
from ser.files import JsonArtefact

_log = logging.getLogger(__name__)

#: How long to wait for a connection, and for the next bytes, in seconds.
TIMEOUT_S = (10.0, 30.0)
#: How long to wait before each further try; they begin anew whenever bytes have come.
PAUSES_S: tuple[float, ...] = (1.0, 2.0, 4.0)
#: A server that asks for more patience than this is left for another day, in seconds.
MAX_PAUSE_S = 60.0
CHUNK_BYTES = 1 << 16

#: The first bytes of every zip archive.
ZIP_MAGIC = b"PK"

_CHANGED = "there is another file now, so that the beginning of the old one is of no use"


class PartRecord(JsonArtefact):
    """What a part is the beginning of.

    Args:
        url: Where it came from.
        num_bytes: Of the whole file, or None where the server did not say.
        validator: ETag or date by which the server knows this version, or None.
    """

    what: ClassVar[str] = "the record of a download"

    url: str
    num_bytes: int | None
    validator: str | None


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is fetched, to where, and of which size; None where that is not published."""

    url: str
    place: DownloadFolder
    num_bytes: int | None


class _BrokenError(Exception):
    """It failed, and may work the next time."""

    def __init__(self, reason: str, *, retry_after_s: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class _RefusedError(Exception):
    """It failed, and trying again would not help."""


def fetch(url: str, place: DownloadFolder, *, num_bytes: int | None, cure: str) -> None:
    """Fetch a zip archive to `place.part`, which is complete when this returns.

    Args:
        url: The file.
        place: Where parts are kept; its folder exists.
        num_bytes: The published size; None where it is not known.
        cure: What else a person can do, for messages.

    Raises:
        DownloadError: It cannot be fetched, is of another size, is a web page, or does not
            fit on the disk. What has come before stays.
    """
    wanted = _Wanted(url, place, num_bytes)
    furthest = _size(place.part)
    pauses = iter(PAUSES_S)
    while True:
        try:
            _try(wanted)
        except _RefusedError as error:
            raise DownloadError(f"{url}: {error}; {cure}") from error
        except _BrokenError as error:
            if _size(place.part) > furthest:
                furthest, pauses = _size(place.part), iter(PAUSES_S)
            pause = next(pauses, None)
            if pause is None or error.retry_after_s > MAX_PAUSE_S:
                raise DownloadError(f"{url}: {error}; {_how_to_go_on(place)}, {cure}") from error
            _log.warning("%s: %s; trying again", url, error)
            time.sleep(max(pause, error.retry_after_s))
        else:
            return


def forget(place: DownloadFolder) -> None:
    """Remove what has come so far."""
    place.part.unlink(missing_ok=True)
    place.part_record.unlink(missing_ok=True)


def _try(wanted: _Wanted) -> None:
    """Ask for what is missing, and append it."""
    record = _record(wanted)
    start = _size(wanted.place.part) if record else 0
    if record and start and start == record.num_bytes:
        return
    headers = _headers(record, start)
    try:
        with requests.get(wanted.url, headers=headers, stream=True, timeout=TIMEOUT_S) as response:
            if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                _accept_whole(response, wanted.place, start)
            else:
                _take(response, wanted, record, start)
    except requests.RequestException as error:
        raise _fault(error) from error


def _headers(record: PartRecord | None, start: int) -> dict[str, str]:
    # Compressed on the way, the bytes would be others than those that are counted.
    headers = {"Accept-Encoding": "identity"}
    if record and start:
        headers["Range"] = f"bytes={start}-"
        if record.validator:
            headers["If-Range"] = record.validator
    return headers


def _accept_whole(response: requests.Response, place: DownloadFolder, start: int) -> None:
    """Accept a part for which the server has nothing more, if it is as long as the file."""
    told = re.fullmatch(r"bytes \*/(\d+)", response.headers.get("Content-Range", ""))
    if told is None or int(told[1]) != start:
        forget(place)
        raise _BrokenError(_CHANGED)


def _take(
    response: requests.Response, wanted: _Wanted, record: PartRecord | None, start: int
) -> None:
    """Write what a server sends behind the part, or, where it sends all, in place of it."""
    _refuse_status(response)
    place = wanted.place
    begin, total = _span(response)
    if begin and not (record and begin == start and record.num_bytes in (None, total)):
        forget(place)
        raise _BrokenError(_CHANGED)
    if None not in (total, wanted.num_bytes) and total != wanted.num_bytes:
        raise _RefusedError(f"has {total} bytes, expected the published {wanted.num_bytes}")
    total = wanted.num_bytes if total is None else total
    disk_space.require(
        place.folder, 2 * (total or 0) - begin, f"for {place.archive_name}, packed and unpacked"
    )
    chunks = response.iter_content(CHUNK_BYTES)
    first = next(chunks, b"")
    if not begin:
        _refuse_page(response, first)
        forget(place)
        PartRecord(url=wanted.url, num_bytes=total, validator=_validator(response)).write(
            place.part_record
        )
    _append(chain([first], chunks), place, begin, total)


def _append(chunks: Iterator[bytes], place: DownloadFolder, begin: int, total: int | None) -> None:
    written = begin
    with (
        place.part.open("ab") as part,
        tqdm(
            desc=place.archive_name,
            total=total,
            initial=begin,
            unit="B",
            unit_scale=True,
            disable=None,
        ) as bar,
    ):
        for chunk in chunks:
            written += len(chunk)
            if total is not None and written > total:
                part.truncate(begin)
                raise _RefusedError(f"goes on after the {total} bytes that it should have")
            part.write(chunk)
            bar.update(len(chunk))
    if total is not None and written < total:
        raise _BrokenError(f"the connection ended after {written} of {total} bytes")


def _refuse_status(response: requests.Response) -> None:
    code = response.status_code
    answer = f"the server answers {code} ({response.reason})"
    if code == HTTPStatus.TOO_MANY_REQUESTS or code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        told = response.headers.get("Retry-After", "")
        retry_after_s = float(told) if told.isdecimal() else 0.0
        if retry_after_s > MAX_PAUSE_S:
            answer += f" and asks to wait {retry_after_s:.0f} s"
        raise _BrokenError(answer, retry_after_s=retry_after_s)
    if code not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        raise _RefusedError(answer)


def _refuse_page(response: requests.Response, first: bytes) -> None:
    if not first.startswith(ZIP_MAGIC):
        kind = response.headers.get("Content-Type", "unknown")
        raise _RefusedError(
            f"is no zip archive (its type is {kind}, it begins with {first[:20]!r}): a proxy or "
            "a login page may answer in the publisher's place"
        )


def _span(response: requests.Response) -> tuple[int, int | None]:
    """Return at which byte of the file an answer begins, and the file's size if it says so."""
    if response.status_code == HTTPStatus.PARTIAL_CONTENT:
        told = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
        if told is None:
            raise _RefusedError("sends a part of the file without saying which")
        return int(told[1]), int(told[2])
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isdecimal() else None


def _validator(response: requests.Response) -> str | None:
    """Return what `If-Range` may ask for: a strong ETag, else the date."""
    etag = response.headers.get("ETag")
    strong = etag if etag and not etag.startswith("W/") else None
    return strong or response.headers.get("Last-Modified")


def _fault(error: requests.RequestException) -> Exception:
    """Return what a failure of the connection means, in few words."""
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return _BrokenError(f"no answer within {TIMEOUT_S[1]:g} s")
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return _BrokenError("the connection ended before the file did")
    if isinstance(error, requests.ConnectionError):
        return _BrokenError(f"the connection failed ({_root(error)})")
    return _RefusedError(f"cannot be asked for ({_root(error)})")


def _root(error: BaseException) -> str:
    """Return the words of the failure below all those that wrap it."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _record(wanted: _Wanted) -> PartRecord | None:
    """Return what the part is the beginning of, if it is of this file."""
    try:
        record = PartRecord.read(wanted.place.part_record)
    except FileError:
        return None
    return record if record.url == wanted.url else None


def _how_to_go_on(place: DownloadFolder) -> str:
    have = _size(place.part)
    kept = f"{have / 1e6:.1f} MB are kept in {place.part}; " if have else ""
    return f"{kept}give the same command again later"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
