"""A shard of a feature as a unit of work, for a machine with recordings and weights of its own.

The unit says what decides its frames. Whoever extracts it computes the same from its own manifest,
weights, code and versions first, and refuses it where something is other, or where a recording is
not the one that the manifest names.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from ser import components, files, lineage
from ser import params as settings
from ser.data import audio, manifest
from ser.data.limits import WIDEST
from ser.engine import agreement
from ser.errors import NodeError, SerError
from ser.features import collection, extraction
from ser.features.collection import Collection
from ser.features.extraction import Extraction, ExtractionParams, Places
from ser.project import Project
from ser.tracking.recording import flatten
from ser.utterance import Utterance

#: What a change may hear beside an utterance that is recordings of other ones.
_VOICES = "voices"


@dataclass(frozen=True, slots=True)
class ShardUnit:
    """A shard that has to be extracted, in all copies of its feature.

    Args:
        feature: Its name.
        shard: Its number.
        key: Hash of all that decides its frames.
        decided_by: What does, name -> value.
    """

    feature: str
    shard: int
    key: str
    decided_by: Mapping[str, str] = field(compare=False)

    @property
    def name(self) -> str:
        """The unit, for people."""
        return f"extract/{self.feature}/shard-{self.shard}"

    @property
    def folder(self) -> Path:
        """What it leaves, relative to the root of any project: a collection for each copy."""
        return Project().kept_shard(self.key)

    @property
    def remains(self) -> tuple[Path, ...]:
        """Nothing: where it dies, it begins anew."""
        return ()


def missing(feature: str) -> Iterator[ShardUnit]:
    """Yield the shards of a feature that are not extracted yet.

    Args:
        feature: One of `features` in params.yaml, in the working directory.

    Raises:
        SerError: See `ser.features.extraction.extract`.
    """
    made = _opened(feature)
    collections = _collections(made)
    plans = _plans(collections)
    for number in sorted({n for found in collections.values() for n in found.missing}):
        yield ShardUnit(feature, number, _key(plans, number), _by_name(plans))


def extract(unit: ShardUnit) -> None:
    """Extract a unit in the project that is the working directory, and keep it there.

    Args:
        unit: From `missing`, of this project or of another one.

    Raises:
        NodeError: Here the frames would be others, or recordings or weights are not here.
        SerError: See `ser.features.extraction.extract`.
    """
    try:
        made = _opened_once(unit.feature)
        # A place of its own: whoever extracts another shard beside it may clear a common one.
        own = replace(made, places=replace(made.places, kept=unit.folder))
        collections = _collections(own)
        plans = _plans(collections)
    except SerError as error:
        raise NodeError(str(error)) from error
    if _key(plans, unit.shard) != unit.key:
        raise agreement.refusal(unit.decided_by, _by_name(plans))
    hears_others = any(
        (found.meta.get("heard") or {}).get("kind") == _VOICES for found in collections.values()
    )
    first = next(iter(collections.values()))
    for id_ in first.ids if hears_others else first.members(unit.shard):
        _require_recording(own, own.utterances[id_])
    own.fill(shards=[unit.shard])


def take(unit: ShardUnit) -> None:
    """Put what a unit has left to what is extracted here, and remove its folder.

    Args:
        unit: From `missing`; it has been extracted, and its folder is here.

    Raises:
        FileError: It is not there, or extracted in another way.
    """
    place = Project().kept_copies(unit.feature)
    for copy in sorted(unit.folder.iterdir()):
        collection.take_shard(place / copy.name, copy, unit.shard)
    files.remove_folder(unit.folder)


def _opened(feature: str) -> Extraction:
    project = Project()
    params = settings.read(project.params, ExtractionParams)
    return extraction.opened(
        manifest.read(project.manifest),
        name=feature,
        params=settings.read_entry(project.params, "features", components.EXTRACTORS, feature),
        audio_params=params.audio,
        places=Places.of(project, feature, corpus=params.corpus.name),
    )


#: A network takes its time to be read; a process reads it once and not once a unit.
_opened_once = lru_cache(maxsize=1)(_opened)


def _collections(made: Extraction) -> dict[str, Collection]:
    return {copy: made.collection(copy) for copy in made.copies}


def _plans(collections: Mapping[str, Collection]) -> dict[str, Any]:
    return {copy: found.plan for copy, found in collections.items()}


def _key(plans: Mapping[str, Any], number: int) -> str:
    return lineage.sha256_text(lineage.canonical_json({"plans": plans, "shard": number}))[:32]


def _by_name(plans: Mapping[str, Any]) -> dict[str, str]:
    """Return what decides frames as texts by name; what is long by its digest."""
    brief = {copy: {**plan, "ids": _digest(plan["ids"])} for copy, plan in plans.items()}
    for plan in brief.values():
        recordings = _digest(plan["decided_by"]["recordings"])
        plan["decided_by"] = {**plan["decided_by"], "recordings": recordings}
    return flatten(brief)


def _digest(value: object) -> str:
    return lineage.sha256_text(lineage.canonical_json(value))


def _require_recording(made: Extraction, utterance: Utterance) -> None:
    path = made.places.recordings / utterance.audio
    try:
        sha256 = (
            lineage.sha256_file(path)
            if utterance.segment is None
            else audio.inspect(path, WIDEST, utterance.segment).sha256
        )
    except SerError as error:
        raise NodeError(
            f"utterance {utterance.id!r}: {error}; bring the recordings here"
        ) from error
    if sha256 != utterance.sha256:
        raise NodeError(f"{path}: it is not the recording that the manifest names")
