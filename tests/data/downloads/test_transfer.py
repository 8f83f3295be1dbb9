"""A file over HTTP, from servers that behave and servers that do not."""

import socket

import pytest

from ser.data.downloads import transfer
from ser.errors import DownloadError
from tests.data.downloads.archives import EMODB
from tests.data.downloads.server import ETAG, PIECE, answer, page, redirect, whole

CUT = 20_500


def fetch(server, place, *, num_bytes=None, url=None):
    transfer.fetch(url or server.url, place, num_bytes=num_bytes, cure="or by hand")


def fail(server, place, **options):
    with pytest.raises(DownloadError) as caught:
        fetch(server, place, **options)
    assert str(caught.value).startswith(f"{options.get('url') or server.url}: ")
    assert str(caught.value).endswith("or by hand")
    return str(caught.value)


def names(place):
    return sorted(path.name for path in place.folder.iterdir())


def test_a_file_comes_whole_and_the_server_is_asked_once(server, place):
    fetch(server, place, num_bytes=len(EMODB))
    assert place.part.read_bytes() == EMODB
    assert [asked.begin for asked in server.asked] == [0]
    assert names(place) == ["archive.zip.part", "archive.zip.part.json"]


def test_what_is_complete_is_not_asked_for_again(server, place):
    fetch(server, place)
    fetch(server, place)
    assert len(server.asked) == 1


def test_a_broken_transfer_is_an_error_that_says_how_to_go_on(server, place):
    server.script.append(whole(stop_at=CUT))
    message = fail(server, place)
    assert "the connection ended before the file did" in message
    assert f"0.0 MB are kept in {place.part}; give the same command again later" in message
    # Bytes that came behind the last full chunk are lost with the connection.
    assert EMODB.startswith(place.part.read_bytes())
    assert CUT - transfer.CHUNK_BYTES < place.part.stat().st_size <= CUT


def test_the_next_call_fetches_only_the_rest(server, place):
    server.script.append(whole(stop_at=CUT))
    fail(server, place)
    kept = place.part.stat().st_size
    fetch(server, place)
    assert place.part.read_bytes() == EMODB
    assert server.asked[1].begin == kept
    assert server.asked[1].if_range == ETAG
    assert server.asked[1].num_served == len(EMODB) - kept


def test_one_call_goes_on_after_breaks_as_long_as_bytes_come(server, place, monkeypatch):
    monkeypatch.setattr(transfer, "PAUSES_S", (0.0,))
    server.script.extend(whole(stop_at=stop_at) for stop_at in range(5_000, 40_000, 5_000))
    fetch(server, place)
    assert place.part.read_bytes() == EMODB
    assert len(server.asked) == 8
    assert sum(asked.num_served for asked in server.asked) < len(EMODB) + 8 * transfer.CHUNK_BYTES


def test_a_server_that_never_gets_further_is_given_up(server, place, monkeypatch):
    monkeypatch.setattr(transfer, "PAUSES_S", (0.0, 0.0))
    server.script.extend(whole(stop_at=CUT, ranges=False) for _ in range(9))
    fail(server, place)
    assert len(server.asked) == 3  # the one that got so far, and two that got no further


def test_a_server_without_ranges_sends_all_again(server, place):
    server.script.append(whole(stop_at=CUT))
    fail(server, place)
    server.script.append(whole(ranges=False))
    fetch(server, place)
    assert place.part.read_bytes() == EMODB
    assert server.asked[1].num_served == len(EMODB)


def test_another_version_on_the_server_is_not_mixed_with_the_first(server, place):
    server.script.append(whole(stop_at=CUT))
    fail(server, place)
    server.content, server.etag = EMODB[:100] + EMODB[::-1], '"second"'
    fetch(server, place)
    assert place.part.read_bytes() == server.content


def test_a_weak_etag_is_no_condition_and_a_date_takes_its_place(server, place):
    server.etag = 'W/"weak"'
    server.script.append(whole(stop_at=CUT))
    fail(server, place)
    fetch(server, place)
    assert server.asked[1].begin > 0
    assert server.asked[1].if_range is None
    date = "Sat, 01 Oct 2005 00:00:00 GMT"
    transfer.forget(place)
    server.script.append(answer(200, EMODB, Last_Modified=date, ETag='W/"weak"'))
    fetch(server, place)
    assert transfer.PartRecord.read(place.part_record).validator == date


def test_without_any_version_another_size_shows_that_the_file_changed(server, place):
    server.script.extend([whole(stop_at=CUT, etag=False), whole(etag=False)])
    fail(server, place)
    server.content = EMODB + b"more"
    assert "another file now" in fail(server, place)
    assert names(place) == []
    fetch(server, place)
    assert place.part.read_bytes() == server.content


def test_a_range_that_begins_elsewhere_is_not_appended(server, place):
    server.script.extend([whole(stop_at=CUT), whole(offset=1)])
    fail(server, place)
    assert "another file now" in fail(server, place)
    assert names(place) == []


def test_a_part_without_a_record_or_of_another_address_is_not_trusted(server, place):
    place.part.write_bytes(b"PK of something else")
    fetch(server, place)
    assert place.part.read_bytes() == EMODB
    elsewhere = f"{server.url}?download=1"
    place.part.write_bytes(EMODB[:CUT])
    fetch(server, place, url=elsewhere)
    assert [asked.begin for asked in server.asked] == [0, 0]
    place.part.write_bytes(EMODB[:CUT])
    place.part_record.write_text("{")
    fetch(server, place)
    assert place.part.read_bytes() == EMODB


def test_a_part_that_is_all_there_is_complete_even_if_nobody_noted_its_size(server, place):
    server.script.append(whole(length=False))
    fetch(server, place)
    assert transfer.PartRecord.read(place.part_record).num_bytes is None
    fetch(server, place)  # the answer is 416: there is nothing behind it
    assert place.part.read_bytes() == EMODB
    place.part.write_bytes(EMODB + b"more")
    assert "another file now" in fail(server, place)
    assert names(place) == []


def test_resuming_follows_a_redirection(server, place):
    start = f"http://127.0.0.1:{server.port}/record"
    server.script.extend([redirect(server.url), whole(stop_at=CUT)])
    fail(server, place, url=start)
    server.script.append(redirect(server.url))
    fetch(server, place, url=start)
    assert server.asked[-1].begin > 0
    assert place.part.read_bytes() == EMODB


def test_a_file_of_another_size_than_published_is_refused_and_the_part_stays(server, place):
    server.script.append(whole(stop_at=CUT))
    fail(server, place, num_bytes=len(EMODB))
    kept = place.part.read_bytes()
    server.content, server.etag = EMODB + b"more", '"second"'
    message = fail(server, place, num_bytes=len(EMODB))
    assert f"has {len(EMODB) + 4} bytes, expected the published {len(EMODB)}" in message
    assert place.part.read_bytes() == kept
    server.content, server.etag = EMODB, ETAG
    fetch(server, place, num_bytes=len(EMODB))
    assert server.asked[-1].begin == len(kept)


def test_a_body_that_goes_on_behind_its_end_is_cut_and_refused(server, place):
    server.content = EMODB + b"more"
    server.script.append(whole(length=False))
    assert f"goes on after the {len(EMODB)} bytes" in fail(server, place, num_bytes=len(EMODB))
    assert place.part.stat().st_size == 0
    server.content = EMODB
    fetch(server, place, num_bytes=len(EMODB))
    assert place.part.read_bytes() == EMODB


def test_a_body_that_ends_early_without_a_length_is_noticed_by_the_published_size(server, place):
    server.script.append(whole(length=False, stop_at=CUT))
    message = fail(server, place, num_bytes=len(EMODB))
    assert f"the connection ended after {CUT} of {len(EMODB)} bytes" in message
    fetch(server, place, num_bytes=len(EMODB))
    assert server.asked[1].begin == CUT


def test_a_web_page_in_the_place_of_the_archive_is_recognised_and_the_part_stays(server, place):
    server.script.append(page())
    message = fail(server, place)
    assert "is no zip archive (its type is text/html, it begins with b'<!DOCTYPE html>" in message
    assert names(place) == []
    server.script.append(whole(stop_at=CUT))
    fail(server, place)
    server.script.append(page())
    assert "is no zip archive" in fail(server, place)
    fetch(server, place)
    assert server.asked[-1].begin > 0


@pytest.mark.parametrize(
    ("status", "words"), [(403, "Forbidden"), (404, "Not Found"), (204, "No Content")]
)
def test_a_refusal_is_not_repeated(server, place, monkeypatch, status, words):
    monkeypatch.setattr(transfer, "PAUSES_S", (0.0, 0.0))
    server.script.append(answer(status))
    assert f"the server answers {status} ({words}); or by hand" in fail(server, place)
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_in_trouble_is_asked_again(server, place, monkeypatch, status):
    monkeypatch.setattr(transfer, "PAUSES_S", (0.0, 0.0))
    server.script.extend([answer(status), answer(status)])
    fetch(server, place)
    assert place.part.read_bytes() == EMODB
    server.script.extend(answer(status) for _ in range(3))
    transfer.forget(place)
    assert f"the server answers {status}" in fail(server, place)


def test_the_wait_that_a_server_asks_for_is_kept_if_it_is_short(server, place, monkeypatch):
    monkeypatch.setattr(transfer, "PAUSES_S", (0.5, 0.5))
    waited = []
    monkeypatch.setattr(transfer.time, "sleep", waited.append)
    server.script.extend([answer(429, Retry_After="7"), answer(503, Retry_After="Fri, soon")])
    fetch(server, place)
    assert [wait for wait in waited if wait] == [7.0, 0.5]
    transfer.forget(place)
    server.script.append(answer(429, Retry_After="3600"))
    assert "asks to wait 3600 s" in fail(server, place)
    assert len(server.asked) == 4


def test_a_slow_server_is_waited_for_as_long_as_bytes_come(server, place, monkeypatch):
    monkeypatch.setattr(transfer, "TIMEOUT_S", (0.5, 0.3))
    server.content = EMODB[:10_000]
    server.script.append(whole(pause_s=0.02))
    fetch(server, place)
    assert place.part.read_bytes() == server.content


def test_a_server_that_falls_silent_is_an_error_and_the_part_stays(server, place, monkeypatch):
    server.script.extend([whole(stop_at=CUT), whole(pause_s=0.2)])
    fail(server, place)
    kept = place.part.stat().st_size
    monkeypatch.setattr(transfer, "TIMEOUT_S", (0.5, 0.1))
    assert "no answer within 0.1 s" in fail(server, place)
    assert place.part.stat().st_size == kept


def test_a_refused_connection_is_said_in_plain_words(server, place):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/x.zip"
    message = fail(server, place, url=url)
    assert "the connection failed (Connection refused); give the same command again" in message


def test_an_address_that_cannot_be_asked_is_refused(server, place):
    assert "cannot be asked for" in fail(server, place, url="ftp://127.0.0.1/x.zip")


def test_too_little_room_is_said_before_anything_is_written(server, place, monkeypatch):
    free = 2 * len(EMODB) - 1
    monkeypatch.setattr(
        transfer.disk_space.shutil, "disk_usage", lambda _: type("Usage", (), {"free": free})
    )
    with pytest.raises(DownloadError, match=r"are needed for archive\.zip, packed and unpacked"):
        fetch(server, place)
    assert names(place) == []


@pytest.mark.parametrize("is_terminal", [True, False])
def test_progress_is_shown_in_bytes_and_on_a_terminal_only(
    server, place, monkeypatch, capsys, is_terminal
):
    monkeypatch.setattr("sys.stderr.isatty", lambda: is_terminal, raising=False)
    server.script.append(whole(stop_at=CUT))
    fail(server, place)
    capsys.readouterr()
    fetch(server, place)
    shown = capsys.readouterr().err
    assert ("archive.zip: 100%" in shown and "42.6k/42.6k" in shown) == is_terminal
    assert is_terminal or not shown


def test_an_interruption_leaves_a_part_that_can_be_resumed(server, place, monkeypatch):
    class Interrupted(transfer.tqdm):
        def update(self, _=1):
            if place.part.stat().st_size > CUT - 10 * PIECE:
                raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(transfer, "tqdm", Interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetch(server, place)
    kept = place.part.stat().st_size
    assert 0 < kept < CUT
    fetch(server, place)
    assert place.part.read_bytes() == EMODB
    assert server.asked[1].begin == kept
