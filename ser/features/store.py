"""The feature store: frames of all utterances in memory-mapped shards, written once.

A store is a folder: `shard-NNNNN.npy` (frames of many utterances, concatenated),
`index.parquet` (which rows of which shard are whose) and `meta.json` (what made them).
It is built beside its final place, shard by shard, and moved there when complete, so a
store that exists is whole, and an interrupted extraction goes on at the next shard.

These are the frames of the recordings as they are, the copy `clean`. Those of each further
copy (`ser.features.copies`) lie below, in `copies/<copy>/`, which is a store itself.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ser import files, tables
from ser.batch import FeatureSpec
from ser.errors import StaleFeaturesError
from ser.progress import Progress

UTTERANCES_PER_SHARD = 512
"""Few enough files for a remote, small enough to redo one after an interruption."""

Frames = NDArray[np.floating[Any]]

CLEAN = "clean"
"""The copy that every store has: of the recordings as they are."""

_COPIES = "copies"
_META, _INDEX, _PLAN = "meta.json", "index.parquet", "plan.json"
_CURE = "`dvc repro extract` makes the feature store"


class FeatureStore:
    """Read access to a store; frames are memory-mapped, never loaded as a whole.

    Args:
        folder: The store.
        expected: Keys of meta.json and the values they must have; any other value means
            that the store was made with other params.

    Raises:
        FileError: Not a store, or its description is damaged.
        StaleFeaturesError: Made with other params.
    """

    def __init__(self, folder: Path, expected: Mapping[str, Any] | None = None) -> None:
        self.folder = folder
        self.meta = read_meta(folder)
        for key, value in (expected or {}).items():
            if self.meta.get(key) != value:
                raise StaleFeaturesError(
                    f"{folder}: the store was made with {key} {self.meta.get(key)!r}, but "
                    f"{value!r} is asked for; run `dvc repro extract`"
                )
        index = tables.read_parquet(folder / _INDEX, cure=_CURE)
        self._rows = {
            str(id_): (int(shard), int(start), int(num_frames))
            for id_, shard, start, num_frames in index.itertuples(index=False)
        }
        self._shards: dict[int, Frames] = {}

    @property
    def num_bins(self) -> int:
        """Width of a frame."""
        return int(self.meta["dimension"])

    @property
    def spec(self) -> FeatureSpec:
        """What a model is told of these features."""
        return FeatureSpec(
            extractor=str(self.meta["extractor"]),
            num_bins=self.num_bins,
            params=self.meta["params"],
            weights_sha256=self.meta.get("weights_sha256"),
        )

    @property
    def copies(self) -> tuple[str, ...]:
        """Names of the copies that are there, `clean` first."""
        return (CLEAN, *sorted(path.name for path in (self.folder / _COPIES).glob("*")))

    def of_copy(self, copy: str) -> "FeatureStore":
        """Return the store of a copy of the same utterances; this one is that of `clean`.

        Raises:
            StaleFeaturesError: There is no such copy, or it was made in another way than
                the frames of this store.
        """
        if copy == CLEAN:
            return self
        if copy not in self.copies:
            raise StaleFeaturesError(
                f"{self.folder}: the store has no copy {copy!r}, but: {', '.join(self.copies)}; "
                f"write it into features.{self.folder.name}.copies and run `dvc repro extract`"
            )
        return FeatureStore(_place(self.folder, copy), _meta_of(copy, self.meta))

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, utterance_id: object) -> bool:
        return utterance_id in self._rows

    def num_frames(self, utterance_id: str) -> int:
        """Return the number of frames of an utterance; raise StaleFeaturesError if unknown."""
        return self._row(utterance_id)[2]

    def __getitem__(self, utterance_id: str) -> Frames:
        """Return the frames of an utterance `(num_frames, num_bins)`, a view of the disk.

        Raises:
            StaleFeaturesError: The utterance is not in the store, or its shard is damaged.
        """
        shard, start, num_frames = self._row(utterance_id)
        frames = self._shard(shard)[start : start + num_frames]
        if len(frames) != num_frames:
            raise StaleFeaturesError(
                f"{self.folder}: shard {shard} ends before utterance {utterance_id!r} does; "
                f"remove the folder and run `dvc repro extract`"
            )
        return frames

    def _row(self, utterance_id: str) -> tuple[int, int, int]:
        try:
            return self._rows[utterance_id]
        except KeyError:
            raise StaleFeaturesError(
                f"{self.folder}: no features of utterance {utterance_id!r} (the store has "
                f"{len(self)} utterances); run `dvc repro extract`"
            ) from None

    def _shard(self, number: int) -> Frames:
        if number not in self._shards:
            path = self.folder / _shard_name(number)
            try:
                self._shards[number] = np.load(path, mmap_mode="r", allow_pickle=False)
            except (OSError, ValueError) as error:
                raise StaleFeaturesError(
                    f"{path}: cannot be read ({error}); remove the folder and run "
                    f"`dvc repro extract`"
                ) from error
        return self._shards[number]


def read_meta(folder: Path) -> dict[str, Any]:
    """Return the description of a store: what made its frames what they are.

    Raises:
        FileError: It is missing or damaged, so the folder is no feature store.
    """
    return files.read_object(folder / _META, cure=_CURE)


def build(
    folder: Path,
    ids: Sequence[str],
    frames_of: Callable[[str], Frames],
    *,
    meta: Mapping[str, Any],
    scratch: Path,
    num_threads: int = 1,
    progress: Progress | None = None,
) -> FeatureStore:
    """Extract features of utterances into a store without further copies.

    Args:
        folder: Where the store shall be; replaced if it exists.
        ids: Utterances; stored in sorted order.
        frames_of: Utterance id -> frames `(num_frames, num_bins)`.
        meta: What makes the frames what they are, see `collect`.
        scratch: Where shards are collected until all are there, see `collect`.
        num_threads: Utterances extracted at once.
        progress: Wraps the iteration over ids, e.g. `tqdm`.

    Returns:
        The finished store.

    Raises:
        StaleFeaturesError: Frames of an utterance are empty, not finite or of another width.
    """
    collect(scratch, ids, frames_of, meta=meta, num_threads=num_threads, progress=progress)
    return publish(scratch, folder)


def collect(
    scratch: Path,
    ids: Sequence[str],
    frames_of: Callable[[str], Frames],
    *,
    meta: Mapping[str, Any],
    copy: str = CLEAN,
    num_threads: int = 1,
    progress: Progress | None = None,
) -> None:
    """Extract one copy of utterances into a scratch folder; `publish` makes it a store.

    Args:
        scratch: Where shards are collected until all are there, on the file system of the
            store. What an interrupted run has left is continued under the same meta and
            ids, and discarded under others; `clean` comes first and takes the copies with it.
        ids: Utterances; stored in sorted order.
        frames_of: Utterance id -> frames `(num_frames, num_bins)`.
        meta: What makes the frames what they are; must hold `dimension` and `dtype`, which
            is float32 or float16.
        copy: Its name.
        num_threads: Utterances extracted at once.
        progress: Wraps the iteration over ids, e.g. `tqdm`.

    Raises:
        StaleFeaturesError: Frames of an utterance are empty, not finite or of another width.
    """
    place, meta = _place(scratch, copy), _meta_of(copy, meta)
    ordered = sorted(ids)
    _open_scratch(place, {"meta": meta, "ids": ordered})
    shards = list(_chunks(ordered, UTTERANCES_PER_SHARD))
    bar = iter((progress or iter)(ordered))
    with ThreadPoolExecutor(num_threads) as pool:
        rows: list[tuple[str, int, int, int]] = []
        for number, members in enumerate(shards):
            lengths = _finished_lengths(place, number, members)
            if lengths is None:
                blocks = []
                for id_, frames in zip(members, pool.map(frames_of, members), strict=True):
                    blocks.append(_checked(id_, frames, int(meta["dimension"]), str(meta["dtype"])))
                    next(bar, None)
                lengths = [len(block) for block in blocks]
                _write_shard(place, number, blocks, lengths)
            else:
                list(islice(bar, len(members)))
            starts = np.cumsum([0, *lengths[:-1]]).tolist()
            rows += zip(members, [number] * len(members), starts, lengths, strict=True)
    list(bar)
    index = pd.DataFrame(rows, columns=["utterance_id", "shard", "start", "num_frames"])
    index.to_parquet(place / _INDEX, index=False)
    files.write_json(place / _META, meta, sort_keys=True)


def publish(scratch: Path, folder: Path, copies: Sequence[str] = (CLEAN,)) -> FeatureStore:
    """Move what was collected to its place.

    Args:
        scratch: Holds `clean` and the other copies; it is gone afterwards.
        folder: Where the store shall be; replaced if it exists.
        copies: All that were collected. One left by an interrupted run under other params
            does not become part of the store.

    Returns:
        The finished store.
    """
    further = scratch / _COPIES
    for path in further.glob("*"):
        if path.name not in copies:
            shutil.rmtree(path)
    if further.is_dir() and not any(further.iterdir()):
        further.rmdir()
    for place in (_place(scratch, copy) for copy in copies):
        # Half-written files of a run that was killed would else become part of the store.
        for leftover in (*place.glob("lengths-*.json"), *place.glob(".*.part"), place / _PLAN):
            leftover.unlink()
    folder.parent.mkdir(parents=True, exist_ok=True)
    files.put_folder(scratch, folder)
    return FeatureStore(folder)


def _place(folder: Path, copy: str) -> Path:
    return folder if copy == CLEAN else folder / _COPIES / copy


def _meta_of(copy: str, meta: Mapping[str, Any]) -> dict[str, Any]:
    """Return the description of a copy, from that of `clean`, which does not say its name."""
    return dict(meta) if copy == CLEAN else {**meta, "copy": copy}


def _chunks(ids: Sequence[str], size: int) -> Iterator[list[str]]:
    return (list(ids[start : start + size]) for start in range(0, len(ids), size))


def _shard_name(number: int) -> str:
    return f"shard-{number:05d}.npy"


def _open_scratch(scratch: Path, plan: Mapping[str, Any]) -> None:
    """Keep the shards of an interrupted run of the same plan, discard any others."""
    path, text = scratch / _PLAN, json.dumps(plan, sort_keys=True)
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return
    shutil.rmtree(scratch, ignore_errors=True)
    files.write_text(path, text)


def _finished_lengths(scratch: Path, number: int, members: Sequence[str]) -> list[int] | None:
    """Return the frames per utterance of a shard already there, or None."""
    path = scratch / f"lengths-{number:05d}.json"
    if not path.exists():
        return None
    lengths: list[int] = files.read_json(path, list, cure=f"remove {scratch}")
    shard = np.load(scratch / _shard_name(number), mmap_mode="r", allow_pickle=False)
    return lengths if len(lengths) == len(members) and sum(lengths) == len(shard) else None


def _checked(id_: str, frames: Frames, dimension: int, dtype: str) -> Frames:
    if frames.ndim != 2 or len(frames) == 0 or frames.shape[1] != dimension:
        raise StaleFeaturesError(
            f"utterance {id_!r}: expected frames (num_frames >= 1, {dimension}), got {frames.shape}"
        )
    if not np.isfinite(frames).all():
        raise StaleFeaturesError(f"utterance {id_!r}: its features are not finite")
    with np.errstate(over="ignore"):  # what overflows is refused by name, below
        stored = frames.astype(dtype, copy=False)
    if not np.isfinite(stored).all():
        raise StaleFeaturesError(
            f"utterance {id_!r}: a feature of {np.abs(frames).max():g} does not fit into {dtype}; "
            f"store the feature as float32"
        )
    return stored


def _write_shard(
    scratch: Path, number: int, blocks: Sequence[Frames], lengths: Sequence[int]
) -> None:
    # The lengths are written last: a shard without them is redone.
    with files.replacing(scratch / _shard_name(number)) as part, part.open("wb") as file:
        np.save(file, np.concatenate(blocks), allow_pickle=False)
    files.write_json(scratch / f"lengths-{number:05d}.json", list(lengths))
