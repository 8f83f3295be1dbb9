import pytest

from ser.engine import delivery
from ser.engine.delivery import Arrival, Piece
from ser.errors import EngineError


@pytest.fixture
def sent(tmp_path):
    """A unit's folder on a node."""
    folder = tmp_path / "node" / "key"
    (folder / "deep").mkdir(parents=True)
    (folder / "weights").write_bytes(bytes(range(10)))
    (folder / "deep" / "empty").touch()
    return folder


def content(folder):
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_a_folder_comes_in_pieces_and_is_the_same(sent, tmp_path, monkeypatch):
    monkeypatch.setattr(delivery, "PIECE_BYTES", 4)
    digests = {}
    pieces = list(delivery.pieces(sent, digests))
    assert [(p.name, len(p.content)) for p in pieces] == [
        *(("deep/empty", 0), ("weights", 4), ("weights", 4), ("weights", 2)),
    ]
    place = tmp_path / "here" / "key"
    come = Arrival(place)
    for piece in pieces:
        come.take(piece)
        assert not place.exists()
    come.put(digests)
    assert content(place) == content(sent)
    assert list(place.parent.iterdir()) == [place]


def test_what_was_there_stays_until_all_has_come(sent, tmp_path):
    place = tmp_path / "key"
    place.mkdir()
    (place / "old").touch()
    come = Arrival(place)
    come.take(next(delivery.pieces(sent, {})))
    come.drop()
    assert content(place) == {"old": b""}
    assert {path.name for path in tmp_path.iterdir()} == {"key", "node"}


@pytest.mark.parametrize("change", ["lost", "changed", "nothing"])
def test_what_is_not_whole_is_never_put_in_place(sent, tmp_path, change):
    digests, place = {}, tmp_path / "key"
    pieces = list(delivery.pieces(sent, digests))
    if change == "lost":
        pieces = pieces[:-1]
    elif change == "changed":
        pieces[-1] = Piece("weights", b"other")
    else:
        pieces, digests = [], {}
    come = Arrival(place)
    for piece in pieces:
        come.take(piece)
    with pytest.raises(EngineError, match="what has come is not what the node sent"):
        come.put(digests)
    assert not place.exists()


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "a/../../b"])
def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path, name):
    with pytest.raises(EngineError, match="outside of it"):
        Arrival(tmp_path / "key").take(Piece(name, b""))
