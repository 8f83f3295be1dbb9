from concurrent.futures import ThreadPoolExecutor

import pytest

from tests import once


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    """Share nothing with another session, as these tests themselves may be told to do."""
    monkeypatch.delenv(once.VARIABLE, raising=False)


class Factory:
    """The temporary folders of one worker, below those of the session."""

    def __init__(self, base):
        self.base = base

    def getbasetemp(self):
        return self.base


def test_workers_that_ask_at_once_get_the_folder_that_one_of_them_filled(tmp_path):
    calls = []

    def make(folder):
        calls.append(folder)
        (folder / "content").write_text("made")

    def ask(number):
        return once.made("thing", make, Factory(tmp_path / f"popen-gw{number}"), f"gw{number}")

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(ask, range(4)))
    assert set(found) == {tmp_path / "thing"}
    assert calls == [tmp_path / "thing"]
    assert (found[0] / "content").read_text() == "made"


def test_without_workers_the_folder_is_below_that_of_the_session(tmp_path):
    assert once.made("thing", lambda _: None, Factory(tmp_path), "master") == tmp_path / "thing"


def test_what_could_not_be_made_is_made_anew_and_whole(tmp_path):
    def fail(folder):
        (folder / "half").touch()
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        once.made("thing", fail, Factory(tmp_path), "master")
    found = once.made("thing", lambda _: None, Factory(tmp_path), "master")
    assert list(found.iterdir()) == []


def test_sessions_that_share_a_folder_make_it_once(tmp_path, monkeypatch):
    shared = tmp_path / "shared"
    shared.mkdir()
    monkeypatch.setenv(once.VARIABLE, str(shared))
    calls = []
    for session, worker in (("one", "gw0"), ("two", "master")):
        found = once.made("thing", calls.append, Factory(tmp_path / session / "base"), worker)
        assert found == shared / "thing"
    assert calls == [shared / "thing"]
