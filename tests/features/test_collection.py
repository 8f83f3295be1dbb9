import numpy as np
import pytest

from ser.errors import FileError
from ser.features import collection
from ser.features.collection import Collection

META = {"dimension": 2, "dtype": "float32"}
IDS = [f"u{number}" for number in range(7)]


def opened(place, **changes):
    arguments = {"meta": META, "decided_by": {"code": "1"}, "shard_size": 3}
    return Collection(place, IDS[::-1], **{**arguments, **changes})


def frames_of(seen):
    """An extractor that notes what it is asked for."""
    return lambda id_: (seen.append(id_), np.full((int(id_[1:]) + 1, 2), 1.0, np.float32))[1]


def contents(place):
    return {path.name: path.read_bytes() for path in place.iterdir()}


def test_a_shard_goes_through_all_collections_before_the_next(tmp_path):
    seen = []
    copies = [opened(tmp_path / name) for name in ("a", "b")]
    collection.fill([(copy, frames_of(seen)) for copy in copies])
    assert seen == [*IDS[:3], *IDS[:3], *IDS[3:6], *IDS[3:6], *IDS[6:], *IDS[6:]]
    assert copies[0].num_shards == 3


def test_a_finished_collection_is_taken_up_as_it_is(tmp_path):
    collection.fill([(opened(tmp_path / "a"), frames_of([]))])
    before, seen = contents(tmp_path / "a"), []
    collection.fill([(opened(tmp_path / "a"), frames_of(seen))])
    assert seen == []
    assert contents(tmp_path / "a") == before


@pytest.mark.parametrize(
    "changes", [{"meta": {**META, "params": 1}}, {"decided_by": {"code": "2"}}, {"decided_by": {}}]
)
def test_under_another_plan_it_begins_anew(tmp_path, changes):
    collection.fill([(opened(tmp_path / "a"), frames_of([]))])
    seen = []
    collection.fill([(opened(tmp_path / "a", **changes), frames_of(seen))])
    assert seen == IDS


@pytest.mark.parametrize("name", ["shard-00001.npy", "lengths-00001.json"])
def test_a_lost_file_makes_its_shard_again_and_no_other(tmp_path, name):
    collection.fill([(opened(tmp_path / "a"), frames_of([]))])
    before, seen = contents(tmp_path / "a"), []
    (tmp_path / "a" / name).unlink()
    (tmp_path / "a" / ".shard-00001.npy.0123abcd.part").write_bytes(b"half")
    collection.fill([(opened(tmp_path / "a"), frames_of(seen))])
    assert seen == IDS[3:6]
    assert contents(tmp_path / "a") == before


def test_an_incomplete_collection_has_no_index(tmp_path):
    with pytest.raises(FileError, match="shard 0 is gone; extract again"):
        opened(tmp_path / "a").finish()


def test_progress_goes_once_over_the_ids_for_each_collection(tmp_path):
    seen = []

    def progress(ids):
        for id_ in ids:
            seen.append(id_)
            yield id_

    for _ in range(2):  # extracted, and taken up
        seen.clear()
        copies = [opened(tmp_path / name) for name in ("a", "b")]
        collection.fill([(copy, frames_of([])) for copy in copies], progress=progress)
        assert seen == [*IDS, *IDS]
