"""One copy of a feature on its way into a store: shard by shard, each kept once it is written.

A collection is a folder of shards that stays when its store is made. So an interrupted
extraction goes on at the next shard, and a copy that is asked for again under the same plan is
not extracted again.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ser import files
from ser.errors import FileError, StaleFeaturesError
from ser.progress import Progress

Frames = NDArray[np.floating[Any]]
FramesOf = Callable[[str], Frames]
"""Utterance id -> frames `(num_frames, num_bins)`."""

META, INDEX = "meta.json", "index.parquet"
_PLAN, _LENGTHS = "plan.json", "lengths-*.json"

NOT_IN_A_STORE = (_PLAN, _LENGTHS, ".*.part")
"""Files of a collection that its store does without (`fnmatch`)."""


def shard_name(number: int) -> str:
    """Return the file name of a shard."""
    return f"shard-{number:05d}.npy"


class Collection:
    """One copy of utterances, as far as it is extracted.

    Args:
        place: Its folder. Shards that are there are kept if they were made under the same
            plan, which is all that follows but for `shard_size`; else they are removed.
        ids: Utterances; stored in sorted order.
        meta: What makes the frames what they are, for the reader; holds `dimension` and
            `dtype`, which is float32 or float16.
        decided_by: What else decides the frames, JSON: digests of recordings and of code.
        shard_size: Utterances in a shard.
    """

    def __init__(
        self,
        place: Path,
        ids: Sequence[str],
        *,
        meta: Mapping[str, Any],
        decided_by: Mapping[str, Any],
        shard_size: int,
    ) -> None:
        self.place, self.meta, self.ids = place, meta, sorted(ids)
        self._shards = [
            self.ids[start : start + shard_size] for start in range(0, len(self.ids), shard_size)
        ]
        self.plan = {"meta": meta, "ids": self.ids, "decided_by": decided_by}
        if not has_plan(place, self.plan):
            files.remove_folder(place)
            files.write_text(place / _PLAN, _text(self.plan))

    @property
    def num_shards(self) -> int:
        """How many it has when it is complete."""
        return len(self._shards)

    @property
    def missing(self) -> list[int]:
        """Numbers of the shards that are not there yet."""
        return [n for n in range(self.num_shards) if self._finished_lengths(n) is None]

    def members(self, number: int) -> list[str]:
        """Return the utterances of a shard, sorted."""
        return self._shards[number]

    def shard(self, number: int, frames_of: FramesOf, pool: ThreadPoolExecutor) -> Iterator[str]:
        """Extract a shard, unless it is there; yield its ids as their turn is over.

        Raises:
            StaleFeaturesError: Frames of an utterance are empty, not finite or of another width.
        """
        members = self._shards[number]
        if self._finished_lengths(number) is None:
            blocks = []
            for id_, frames in zip(members, pool.map(frames_of, members), strict=True):
                blocks.append(self._checked(id_, frames))
                yield id_
            self._write_shard(number, blocks)
        else:
            yield from members

    def finish(self) -> None:
        """Write the index and the description; all shards must be there.

        Raises:
            FileError: One has gone meanwhile.
        """
        rows: list[tuple[str, int, int, int]] = []
        for number, members in enumerate(self._shards):
            lengths = self._finished_lengths(number)
            if lengths is None:
                raise FileError(f"{self.place}: shard {number} is gone; extract again")
            starts = np.cumsum([0, *lengths[:-1]]).tolist()
            rows += zip(members, [number] * len(members), starts, lengths, strict=True)
        # Here, not at the top: an answer needs no tables, and their import takes its time.
        import pandas as pd

        index = pd.DataFrame(rows, columns=["utterance_id", "shard", "start", "num_frames"])
        with files.replacing(self.place / INDEX) as part:
            index.to_parquet(part, index=False)
        files.write_json(self.place / META, self.meta, sort_keys=True)
        # What a run that was killed has left half-written.
        for leftover in list(files.leftovers(self.place)):
            files.remove_leftover(leftover)

    def _finished_lengths(self, number: int) -> list[int] | None:
        """Return the frames per utterance of a shard that is there, or None."""
        path, shard = self.place / _lengths_name(number), self.place / shard_name(number)
        if not path.exists() or not shard.exists():
            return None
        lengths: list[int] = files.read_json(path, list, cure=f"remove {self.place}")
        num_rows = len(np.load(shard, mmap_mode="r", allow_pickle=False))
        is_whole = len(lengths) == len(self._shards[number]) and sum(lengths) == num_rows
        return lengths if is_whole else None

    def _checked(self, id_: str, frames: Frames) -> Frames:
        dimension, dtype = int(self.meta["dimension"]), str(self.meta["dtype"])
        if frames.ndim != 2 or len(frames) == 0 or frames.shape[1] != dimension:
            raise StaleFeaturesError(
                f"utterance {id_!r}: expected frames (num_frames >= 1, {dimension}), "
                f"got {frames.shape}"
            )
        if not np.isfinite(frames).all():
            raise StaleFeaturesError(f"utterance {id_!r}: its features are not finite")
        with np.errstate(over="ignore"):  # what overflows is refused by name, below
            stored = frames.astype(dtype, copy=False)
        if not np.isfinite(stored).all():
            raise StaleFeaturesError(
                f"utterance {id_!r}: a feature of {np.abs(frames).max():g} does not fit into "
                f"{dtype}; store the feature as float32"
            )
        return stored

    def _write_shard(self, number: int, blocks: Sequence[Frames]) -> None:
        # The lengths are written last: a shard without them is redone. Both replace their file:
        # a store may have the old one under another name.
        with (
            files.replacing(self.place / shard_name(number), durable=True) as part,
            part.open("wb") as file,
        ):
            np.save(file, np.concatenate(blocks), allow_pickle=False)
        files.write_json(self.place / _lengths_name(number), [len(block) for block in blocks])


def fill(
    collections: Sequence[tuple[Collection, FramesOf]],
    *,
    shards: Sequence[int] | None = None,
    num_threads: int = 1,
    progress: Progress | None = None,
) -> None:
    """Complete collections of the same utterances, shard by shard through all of them.

    So what is read for one copy of an utterance is still at hand for the next.

    Args:
        collections: Each with what extracts it.
        shards: Numbers of those that are extracted; the collections are not complete then. None
            takes all.
        num_threads: Utterances extracted at once.
        progress: Wraps the iteration over ids, once for each collection, e.g. `tqdm`.

    Raises:
        StaleFeaturesError: Frames of an utterance are empty, not finite or of another width.
    """
    first = collections[0][0]
    numbers = range(first.num_shards) if shards is None else shards
    ids = [id_ for number in numbers for id_ in first.members(number)]
    bar = iter((progress or iter)(ids * len(collections)))
    with ThreadPoolExecutor(num_threads) as pool:
        for number in numbers:
            for collection, frames_of in collections:
                for _ in collection.shard(number, frames_of, pool):
                    list(islice(bar, 1))
    list(bar)
    if shards is None:
        for collection, _ in collections:
            collection.finish()


def take_shard(place: Path, other: Path, number: int) -> None:
    """Take a shard over from a collection under the same plan.

    Args:
        place: Folder of the collection that gets it.
        other: Folder of the collection that has it.
        number: Of the shard.

    Raises:
        FileError: It is not there, or of another plan.
    """
    names = (shard_name(number), _lengths_name(number))  # the lengths last, as above
    if lost := [name for name in names if not (other / name).is_file()]:
        raise FileError(f"{other}: {lost[0]} is missing; give the same command again")
    plans = [files.read_text(folder / _PLAN) for folder in (place, other)]
    if plans[0] != plans[1]:
        raise FileError(f"{other}: extracted in another way than {place} asks for; remove it")
    for name in names:
        with files.replacing(place / name) as part:
            files.link(other / name, part)


def has_plan(place: Path, plan: Mapping[str, Any]) -> bool:
    """Return whether a folder is a collection under a plan."""
    path = place / _PLAN
    return path.is_file() and path.read_text(encoding="utf-8") == _text(plan)


def _text(plan: Mapping[str, Any]) -> str:
    return json.dumps(plan, sort_keys=True)


def _lengths_name(number: int) -> str:
    return _LENGTHS.replace("*", f"{number:05d}")
