"""A server, an archive in EmoDB's shape on it, and a folder to fetch into."""

import pytest

from ser.corpus_folders import DownloadFolder
from ser.data.downloads import sources, transfer
from ser.data.downloads.sources import PublishedArchive
from tests.data.downloads.archives import EMODB
from tests.data.downloads.server import Server


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """No waiting between tries, and no proxy between the test and its server."""
    monkeypatch.setattr(transfer, "PAUSES_S", ())
    monkeypatch.setattr(transfer, "CHUNK_BYTES", 1000)
    monkeypatch.setenv("NO_PROXY", "*")


@pytest.fixture
def server():
    served = Server(content=EMODB)
    stop = served.begin()
    yield served
    stop()


@pytest.fixture
def place(tmp_path):
    """Where the archive belongs; its folder is there."""
    found = DownloadFolder(tmp_path / "downloads", "archive.zip")
    found.folder.mkdir()
    return found


@pytest.fixture
def publish(monkeypatch, server):
    """Let the server be the publisher of EmoDB."""

    def give(**facts):
        archive = PublishedArchive(
            url=server.url, name="archive.zip", page="http://the.page", size="40 kB", **facts
        )
        monkeypatch.setattr(sources, "ARCHIVES", {"emodb": archive})

    give()
    return give
