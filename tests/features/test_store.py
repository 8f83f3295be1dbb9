import json

import numpy as np
import pandas as pd
import pytest

from ser.errors import FileError, StaleFeaturesError
from ser.features import store
from ser.features.collection import fill
from ser.features.store import FeatureStore
from ser.lineage import digest_folder

META = {"extractor": "mfcc", "params": {"hop_ms": 10.0}, "dimension": 3, "dtype": "float32"}


def frames_of(id_):
    length = int(id_[1:]) % 5 + 1
    return np.full((length, 3), float(id_[1:]), dtype=np.float32)


def build(tmp_path, ids, extract=frames_of, **changes):
    return store.build(
        tmp_path / "mfcc",
        ids,
        extract,
        **{"meta": META, "scratch": tmp_path / "scratch", **changes},
    )


def interrupt(tmp_path, ids, *, at):
    """An extraction that is killed when it comes to an utterance."""

    def interrupted(id_):
        if id_ == at:
            raise KeyboardInterrupt
        return frames_of(id_)

    with pytest.raises(KeyboardInterrupt):
        build(tmp_path, ids, interrupted)


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(store, "UTTERANCES_PER_SHARD", 4)


def test_every_utterance_comes_back_as_it_was_extracted(tmp_path, small_shards):
    ids = [f"u{number}" for number in range(11)]
    built = build(tmp_path, ids, num_threads=2)
    assert len(built) == 11
    assert len(list((tmp_path / "mfcc").glob("shard-*.npy"))) == 3
    for id_ in ids:
        np.testing.assert_array_equal(built[id_], frames_of(id_))
        assert built.num_frames(id_) == len(frames_of(id_))
        assert id_ in built


def test_the_layout_is_that_of_the_contract(tmp_path, small_shards):
    build(tmp_path, [f"u{number}" for number in range(6)])
    folder = tmp_path / "mfcc"
    assert sorted(path.name for path in folder.iterdir()) == [
        "index.parquet",
        "meta.json",
        "shard-00000.npy",
        "shard-00001.npy",
    ]
    index = pd.read_parquet(folder / "index.parquet")
    assert list(index.columns) == ["utterance_id", "shard", "start", "num_frames"]
    assert json.loads((folder / "meta.json").read_text()) == META
    assert not (tmp_path / "scratch").exists()


def test_frames_are_memory_mapped(tmp_path):
    frames = build(tmp_path, ["u1"])["u1"]
    assert isinstance(frames.base, np.memmap) or isinstance(frames, np.memmap)


@pytest.mark.parametrize(
    "changes", [{"params": None}, {"extractor": 3}, {"dimension": "3"}, {"dimension": ...}]
)
def test_a_description_without_what_is_read_of_it_is_refused(tmp_path, changes):
    build(tmp_path, ["u1"])
    path = tmp_path / "mfcc" / "meta.json"
    content = {key: v for key, v in (META | changes).items() if v is not ...}
    path.write_text(json.dumps(content))
    with pytest.raises(
        FileError, match=r"meta\.json: it is not the description of a feature store"
    ):
        FeatureStore(tmp_path / "mfcc")


@pytest.mark.parametrize("changes", [{"shard": None}, {"start": "x"}, {"more": 1}])
def test_an_index_of_another_form_is_refused(tmp_path, changes):
    build(tmp_path, ["u1"])
    path = tmp_path / "mfcc" / "index.parquet"
    pd.read_parquet(path).assign(**changes).to_parquet(path)
    with pytest.raises(FileError, match=r"index\.parquet: not of its form .*`dvc repro extract`"):
        FeatureStore(tmp_path / "mfcc")


def test_bytes_do_not_depend_on_the_order_of_ids_or_on_threads(tmp_path, small_shards):
    ids = [f"u{number}" for number in range(9)]
    build(tmp_path / "a", ids)
    build(tmp_path / "b", ids[::-1], num_threads=3)
    for path in (tmp_path / "a" / "mfcc").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / "mfcc" / path.name).read_bytes()


def test_an_interrupted_extraction_goes_on_at_the_next_shard(tmp_path, small_shards):
    ids = [f"u{number}" for number in range(10)]
    interrupt(tmp_path, ids, at="u6")
    assert not (tmp_path / "mfcc").exists()
    again = []

    def resumed(id_):
        again.append(id_)
        return frames_of(id_)

    built = build(tmp_path, ids, resumed)
    assert set(again) == {"u4", "u5", "u6", "u7", "u8", "u9"}
    assert all((built[id_] == frames_of(id_)).all() for id_ in ids)


def test_half_a_shard_of_a_killed_run_does_not_become_part_of_the_store(tmp_path, small_shards):
    build(tmp_path / "whole", ["u1"])

    def killed(_):
        (tmp_path / "scratch" / "clean" / ".shard-00000.npy.0123abcd.part").write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(tmp_path, ["u1"], killed)
    build(tmp_path, ["u1"])
    assert digest_folder(tmp_path / "mfcc") == digest_folder(tmp_path / "whole" / "mfcc")


def test_shards_made_under_other_params_are_not_taken_up(tmp_path, small_shards):
    ids = [f"u{number}" for number in range(6)]

    interrupt(tmp_path, ids, at="u5")
    seen = []
    other = {**META, "params": {"hop_ms": 20.0}}
    build(tmp_path, ids, lambda id_: (seen.append(id_), frames_of(id_))[1], meta=other)
    assert sorted(seen) == ids


def test_a_half_written_shard_is_done_again(tmp_path, small_shards):
    ids = [f"u{number}" for number in range(8)]

    interrupt(tmp_path, ids, at="u7")
    np.save(tmp_path / "scratch" / "clean" / "shard-00000.npy", np.zeros((1, 3), dtype=np.float32))
    built = build(tmp_path, ids)
    np.testing.assert_array_equal(built["u3"], frames_of("u3"))


def test_a_store_made_with_other_params_is_refused(tmp_path):
    build(tmp_path, ["u1"])
    with pytest.raises(StaleFeaturesError, match=r"made with params .*10\.0.*20\.0.*dvc repro"):
        FeatureStore(tmp_path / "mfcc", {"params": {"hop_ms": 20.0}})


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (np.zeros((0, 3)), "num_frames >= 1"),
        (np.zeros((2, 4)), r"got \(2, 4\)"),
        (np.full((2, 3), np.nan), "not finite"),
    ],
)
def test_frames_that_are_no_features_are_refused_by_utterance(tmp_path, frames, message):
    with pytest.raises(StaleFeaturesError, match=f"'u1'.*{message}"):
        build(tmp_path, ["u1"], lambda _: frames)


def test_missing_and_damaged_stores_name_the_file_and_the_cure(tmp_path):
    with pytest.raises(FileError, match=r"meta\.json: no such file; `dvc repro extract`"):
        FeatureStore(tmp_path / "mfcc")
    built = build(tmp_path, ["u1"])
    with pytest.raises(StaleFeaturesError, match="no features of utterance 'u2'"):
        built["u2"]
    (tmp_path / "mfcc" / "shard-00000.npy").write_bytes(b"damaged")
    with pytest.raises(StaleFeaturesError, match=r"shard-00000\.npy: cannot be read"):
        FeatureStore(tmp_path / "mfcc")["u1"]
    np.save(tmp_path / "mfcc" / "shard-00000.npy", np.zeros((1, 3), dtype=np.float32))
    with pytest.raises(StaleFeaturesError, match="ends before utterance 'u1'"):
        FeatureStore(tmp_path / "mfcc")["u1"]
    (tmp_path / "mfcc" / "meta.json").write_text("{")
    with pytest.raises(FileError, match=r"meta\.json: it is not the description of a"):
        FeatureStore(tmp_path / "mfcc")


def test_progress_sees_every_utterance_once(tmp_path, small_shards):
    seen = []

    def progress(items):
        for item in items:
            seen.append(item)
            yield item

    ids = [f"u{number}" for number in range(6)]
    build(tmp_path, ids, progress=progress)
    assert seen == ids


COPIES = ("clean", "speed_0.9", "speed_1.1")
IDS = [f"u{number}" for number in range(10)]


def louder(number):
    """The frames of the n-th copy: one frame more, and each value raised."""
    return lambda id_: np.vstack([frames_of(id_)] * (number + 1)) + np.float32(number)


def collect(scratch, copies=COPIES, extract=louder, meta=META, **options):
    """Collect copies as an extraction does."""
    fill(
        [
            (store.collected(scratch, IDS, meta=meta, copy=copy), extract(number))
            for number, copy in enumerate(copies)
        ],
        **options,
    )


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_each_copy_is_a_store_beside_clean_whose_bytes_stay(tmp_path, small_shards):
    alone = build(tmp_path / "alone", IDS)
    collect(tmp_path / "scratch")
    built = store.publish(tmp_path / "scratch", tmp_path / "mfcc", COPIES)
    assert alone.copies == ("clean",)
    assert built.copies == COPIES
    before, now = contents(alone.folder), contents(built.folder)
    assert {name: now[name] for name in before} == before
    assert {name.rpartition("/")[0] for name in now.keys() - before.keys()} == {
        "copies/speed_0.9",
        "copies/speed_1.1",
    }
    assert {name.rpartition("/")[2] for name in now.keys() - before.keys()} == before.keys()
    assert built.of_copy("clean") is built
    for number, copy in enumerate(COPIES):
        for id_ in IDS:
            np.testing.assert_array_equal(built.of_copy(copy)[id_], louder(number)(id_))
    assert built.of_copy("speed_0.9").meta == {**META, "copy": "speed_0.9"}


def test_the_digest_of_a_feature_covers_its_copies(tmp_path):
    digests = set()
    for name, copies, factor in (("a", COPIES[:1], 1), ("b", COPIES, 1), ("c", COPIES, 2)):

        def extract(number, factor=factor):
            return louder(number * factor)

        scratch = tmp_path / f"{name}-scratch"
        collect(scratch, copies, extract)
        digests.add(digest_folder(store.publish(scratch, tmp_path / name, copies).folder))
    assert len(digests) == 3


def test_each_copy_goes_on_at_its_next_shard(tmp_path, small_shards):
    collect(tmp_path / "whole")

    def dies(number):
        def extract(id_):
            if (number, id_) == (1, "u6"):
                raise KeyboardInterrupt
            return louder(number)(id_)

        return extract

    with pytest.raises(KeyboardInterrupt):
        collect(tmp_path / "scratch", extract=dies)
    again = []

    def resumed(number):
        return lambda id_: (again.append((number, id_)), louder(number)(id_))[1]

    collect(tmp_path / "scratch", extract=resumed)
    # A shard goes through all copies before the next: the first is there, of clean the second too.
    assert [sorted({id_ for number, id_ in again if number == copy}) for copy in range(3)] == [
        ["u8", "u9"],
        ["u4", "u5", "u6", "u7", "u8", "u9"],
        ["u4", "u5", "u6", "u7", "u8", "u9"],
    ]
    for scratch in ("scratch", "whole"):
        store.publish(tmp_path / scratch, tmp_path / f"{scratch}-store", COPIES)
    assert contents(tmp_path / "scratch-store") == contents(tmp_path / "whole-store")


def counted(seen):
    """Extractors that note the number of the copy whenever they are called."""
    return lambda number: lambda id_: (seen.append(number), louder(number)(id_))[1]


def test_a_copy_more_or_less_extracts_no_other(tmp_path, small_shards):
    collect(tmp_path / "scratch", COPIES[:2])
    store.publish(tmp_path / "scratch", tmp_path / "mfcc", COPIES[:2])
    seen = []
    for asked in (COPIES, COPIES[:1], COPIES):
        collect(tmp_path / "scratch", asked, counted(seen))
        built = store.publish(tmp_path / "scratch", tmp_path / "mfcc", asked)
        assert built.copies == asked
    assert seen == [2] * len(IDS)


def test_what_decides_a_copy_extracts_that_copy_alone(tmp_path, small_shards):
    def run(seen, **decided_by):
        fill(
            [
                (
                    store.collected(
                        tmp_path / "scratch",
                        IDS,
                        meta=META,
                        copy=copy,
                        decided_by=decided_by.get(copy),
                        heard=decided_by.get(f"heard in {copy}"),
                    ),
                    counted(seen)(number),
                )
                for number, copy in enumerate(COPIES)
            ]
        )
        return seen

    assert set(run([])) == {0, 1, 2}
    assert set(run([], **{"speed_0.9": {"code": "2"}})) == {1}
    heard = {"kind": "noises", "sha256": "5"}
    again = run([], **{"speed_0.9": {"code": "2"}, "heard in speed_1.1": heard})
    assert set(again) == {2}
    built = store.publish(tmp_path / "scratch", tmp_path / "mfcc", COPIES)
    # What a change has heard is part of the feature; the reader does not ask for it.
    assert built.of_copy("speed_1.1").meta["heard"] == heard
    assert [built.of_copy(copy).hears for copy in COPIES] == [None, None, "noises"]


def test_a_store_stays_as_it_is_while_its_copies_are_extracted_anew(tmp_path, small_shards):
    collect(tmp_path / "scratch")
    built = store.publish(tmp_path / "scratch", tmp_path / "mfcc", COPIES)
    before = contents(built.folder)
    other = {**META, "params": {"hop_ms": 20.0}}
    collect(tmp_path / "scratch", extract=lambda number: louder(number + 5), meta=other)
    assert contents(built.folder) == before


def test_copies_of_other_params_do_not_become_part_of_the_store(tmp_path):
    collect(tmp_path / "scratch")
    collect(tmp_path / "scratch", COPIES[:2])
    built = store.publish(tmp_path / "scratch", tmp_path / "mfcc", COPIES[:2])
    assert built.copies == COPIES[:2]
    seen = []
    collect(tmp_path / "scratch")
    other = {**META, "params": {"hop_ms": 20.0}}
    collect(
        tmp_path / "scratch",
        extract=lambda number: lambda id_: (seen.append(number), louder(number)(id_))[1],
        meta=other,
    )
    assert seen == sorted([0, 1, 2] * len(IDS))


def test_a_copy_that_is_not_there_or_made_otherwise_is_refused_with_the_cure(tmp_path):
    collect(tmp_path / "scratch")
    built = store.publish(tmp_path / "scratch", tmp_path / "mfcc", COPIES)
    with pytest.raises(StaleFeaturesError) as refused:
        built.of_copy("speed_1.5")
    assert str(refused.value) == (
        f"{built.folder}: the store has no copy 'speed_1.5', but: clean, speed_0.9, speed_1.1; "
        "write it into features.mfcc.copies and run `dvc repro extract`"
    )
    path = built.folder / "copies" / "speed_0.9" / "meta.json"
    path.write_text(path.read_text().replace("10.0", "20.0"))
    with pytest.raises(StaleFeaturesError, match=r"made with params .*20\.0.*10\.0.*dvc repro"):
        built.of_copy("speed_0.9")
