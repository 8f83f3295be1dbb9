"""Feature stores of several corpora as one store, without copying a frame."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from ser import files, tables
from ser.errors import StaleFeaturesError
from ser.features.collection import INDEX, META, shard_name
from ser.features.store import FeatureStore


def join(folder: Path, stores: Mapping[str, FeatureStore]) -> FeatureStore:
    """Make one store of several; its shards are further names of theirs.

    Args:
        folder: Where the store shall be; replaced if it exists.
        stores: Name of a corpus -> its store, of the same feature with the same params. Names
            of utterances become `<corpus>/<id>`.

    Returns:
        The store, with the copies of any of them: all have the same.

    Raises:
        StaleFeaturesError: They were made in different ways, or have other copies.
    """
    first, *others = stores.values()
    for other in others:
        _require_alike(first, other)
    with files.replacing_folder(folder) as part:
        for copy in first.copies:
            of_copy = {name: store.of_copy(copy) for name, store in stores.items()}
            _write(part / of_copy[next(iter(stores))].folder.relative_to(first.folder), of_copy)
    return FeatureStore(folder)


def _require_alike(first: FeatureStore, other: FeatureStore) -> None:
    differing = [
        key
        for key in sorted({*first.meta, *other.meta})
        if first.meta.get(key) != other.meta.get(key)
    ]
    if first.copies != other.copies:
        differing.append("copies")
    if differing:
        raise StaleFeaturesError(
            f"{other.folder}: made otherwise than {first.folder}, they differ in "
            f"{', '.join(differing)}; extract both anew: `dvc repro`"
        )


def _write(folder: Path, stores: Mapping[str, FeatureStore]) -> None:
    """Write the joined frames of one copy."""
    folder.mkdir(parents=True, exist_ok=True)
    indices: list[pd.DataFrame] = []
    num_shards = 0
    for name, store in stores.items():
        index = tables.read_parquet(store.folder / INDEX)
        numbers: Sequence[int] = sorted(index["shard"].unique().tolist())
        new = {old: num_shards + position for position, old in enumerate(numbers)}
        for old, number in new.items():
            files.link(store.folder / shard_name(old), folder / shard_name(number))
        ids = name + "/" + index["utterance_id"].astype(str)
        indices.append(index.assign(utterance_id=ids, shard=index["shard"].map(new)))
        num_shards += len(new)
    tables.write_parquet(folder / INDEX, pd.concat(indices, ignore_index=True))
    files.write_json(folder / META, next(iter(stores.values())).meta, sort_keys=True)
