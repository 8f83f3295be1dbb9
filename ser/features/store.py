"""The feature store: frames of all utterances in memory-mapped shards, written once.

A store is a folder: `shard-NNNNN.npy` (frames of many utterances, concatenated),
`index.parquet` (which rows of which shard are whose) and `meta.json` (what made them).
It is made of finished collections (`ser.features.collection`) in one step, so a store that
exists is whole.

These are the frames of the recordings as they are, the copy `clean`. Those of each further
copy (`ser.features.copies`) lie below, in `copies/<copy>/`, which is a store itself.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ser import files
from ser.batch import FeatureSpec
from ser.errors import FileError, StaleFeaturesError, translating
from ser.features.collection import (
    INDEX,
    META,
    NOT_IN_A_STORE,
    Collection,
    Frames,
    FramesOf,
    fill,
    shard_name,
)
from ser.progress import Progress
from ser.wording import cut, shown

UTTERANCES_PER_SHARD = 512
"""Few enough files for a remote, small enough to redo one after an interruption."""

CLEAN = "clean"
"""The copy that every store has: of the recordings as they are."""

_COPIES = "copies"
_RECORDINGS = "recordings.json"
_MAX_REASON = 400
#: Keys of meta.json and the types of their values.
_READ_OF_META: Mapping[str, type] = {"extractor": str, "dimension": int, "params": dict}
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
        # Here, not at the top: an answer needs no tables, and their import takes its time.
        from ser import tables

        index = tables.read_parquet(folder / INDEX, cure=_CURE)
        path = folder / INDEX
        with translating(lambda error: FileError(f"{path}: not of its form ({error}); {_CURE}")):
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
    def hears(self) -> str | None:
        """What the change of this copy heard beside the utterances: e.g. `voices`, or None."""
        heard = self.meta.get("heard")
        return None if heard is None else str(heard["kind"])

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

    def require_recordings(self, sha256_of: Mapping[str, str]) -> None:
        """Refuse frames of other recordings: two corpora may give the same ids to theirs.

        Args:
            sha256_of: Utterance id -> digest of its recording, as the manifest has it.

        Raises:
            StaleFeaturesError: An utterance was extracted from another recording.
            FileError: What the store says of its recordings is damaged.
        """
        path = self.folder / _RECORDINGS
        # None in stores that are joined of others, or were made in memory.
        known = files.read_object(path, cure=_CURE) if path.is_file() else {}
        for id_, sha256 in sha256_of.items():
            if known.get(id_, sha256) != sha256:
                raise StaleFeaturesError(
                    f"{self.folder}: the features of utterance {id_!r} are of another recording "
                    f"than the manifest names; run `dvc repro extract`"
                )

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
            path = self.folder / shard_name(number)

            def say(error: Exception) -> StaleFeaturesError:
                return StaleFeaturesError(
                    f"{path}: cannot be read ({cut(str(error), _MAX_REASON)}); remove the folder "
                    f"and run `dvc repro extract`"
                )

            with translating(say):
                self._shards[number] = np.load(path, mmap_mode="r", allow_pickle=False)
        return self._shards[number]


def read_meta(folder: Path) -> dict[str, Any]:
    """Return the description of a store: what made its frames what they are.

    Raises:
        FileError: It is missing or damaged, so the folder is no feature store.
    """
    what = "the description of a feature store"
    return files.read_json(folder / META, _described, what=what, cure=_CURE)


def _described(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a description that has what is read of it."""
    for key, kind in _READ_OF_META.items():
        if not isinstance(content[key], kind):
            raise TypeError(f"{key} is {shown(content[key])}")
    return dict(content)


def build(
    folder: Path,
    ids: Sequence[str],
    frames_of: FramesOf,
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
        meta: What makes the frames what they are, see `collected`.
        scratch: Where shards are collected until all are there; removed at the end.
        num_threads: Utterances extracted at once.
        progress: Wraps the iteration over ids, e.g. `tqdm`.

    Returns:
        The finished store.

    Raises:
        StaleFeaturesError: Frames of an utterance are empty, not finite or of another width.
    """
    clean = collected(scratch, ids, meta=meta)
    fill([(clean, frames_of)], num_threads=num_threads, progress=progress)
    built = publish(scratch, folder)
    files.remove_folder(scratch)
    return built


def collected(
    scratch: Path,
    ids: Sequence[str],
    *,
    meta: Mapping[str, Any],
    copy: str = CLEAN,
    heard: Mapping[str, str] | None = None,
    decided_by: Mapping[str, Any] | None = None,
) -> Collection:
    """Return one copy as far as it is extracted; `publish` makes a store of all copies.

    Args:
        scratch: Holds a folder for each copy. What an interrupted or an earlier run has left
            of this copy is taken up under the same meta, ids and `decided_by`, and removed
            under others.
        ids: Utterances; stored in sorted order.
        meta: What makes the frames of `clean` what they are, see `Collection`.
        copy: Its name.
        heard: What its change hears beside the utterances, if anything: `kind` and `sha256`.
        decided_by: See `Collection`.
    """
    return Collection(
        scratch / copy,
        ids,
        meta=_meta_of(copy, meta) | ({} if heard is None else {"heard": dict(heard)}),
        decided_by=decided_by or {},
        shard_size=UTTERANCES_PER_SHARD,
    )


def publish(
    scratch: Path,
    folder: Path,
    copies: Sequence[str] = (CLEAN,),
    recordings: Mapping[str, str] | None = None,
) -> FeatureStore:
    """Make a store of finished collections, which stay: its files are further names of theirs.

    Args:
        scratch: Holds the collections, a folder for each copy, on the store's file system;
            else the files are copied.
        folder: Where the store shall be; replaced if it exists.
        copies: All that it shall hold, `clean` among them.
        recordings: Utterance id -> digest of its recording, if known.

    Returns:
        The finished store.
    """
    with files.replacing_folder(folder) as part:
        if recordings is not None:
            files.write_json(part / _RECORDINGS, dict(recordings), sort_keys=True)
        for copy in copies:
            files.link_tree(scratch / copy, _place(part, copy), ignore=NOT_IN_A_STORE)
    return FeatureStore(folder)


def _place(folder: Path, copy: str) -> Path:
    return folder if copy == CLEAN else folder / _COPIES / copy


def _meta_of(copy: str, meta: Mapping[str, Any]) -> dict[str, Any]:
    """Return the description of a copy, from that of `clean`, which does not say its name."""
    return dict(meta) if copy == CLEAN else {**meta, "copy": copy}
