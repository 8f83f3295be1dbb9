import numpy as np
import pytest
import soundfile

from ser.data import containers, file_content
from ser.data.file_content import FileContent
from ser.errors import AudioError

RATE = 8000


def test_a_file_reads_as_its_bytes_do(tmp_path, monkeypatch):
    monkeypatch.setattr(file_content, "_BLOCK", 7)
    path = tmp_path / "a.bin"
    path.write_bytes(content := b"OggS of many OggS, and no more")
    with FileContent(path) as found:
        assert len(found) == len(content)
        assert found[5:9] == content[5:9]
        assert found[25:99] == content[25:99]
        assert found.startswith((b"no", b"of"), 5)
        assert not found.startswith(b"of")
        assert [found.rfind(word) for word in (b"OggS", b"more", b"less")] == [13, 26, -1]


def test_no_header_makes_it_read_much_at_once(tmp_path):
    path = tmp_path / "a.bin"
    with path.open("wb") as file:
        file.truncate(2**26)
    with FileContent(path) as found, pytest.raises(AudioError, match="67108864 bytes at once"):
        found[0 : 2**30]


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3", "a.aiff", "a.w64", "a.caf"])
@pytest.mark.parametrize("tags", [b"", b"ID3\x04\0\0\0\0\0\x05tags!"])
def test_what_is_missing_of_a_file_is_told_as_of_its_bytes(tmp_path, name, tags):
    path = tmp_path / name
    soundfile.write(path, np.linspace(-0.5, 0.5, RATE), RATE)
    for content in (path.read_bytes(), path.read_bytes()[:-60]):
        path.write_bytes(tags + content)
        with FileContent(path) as found:
            assert _told(found) == _told(tags + content)


def _told(content):
    try:
        return containers.missing_bytes(content)
    except AudioError as error:
        return str(error)
