"""From recordings to a feature store, one utterance at a time."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from pydantic import Field

from ser import components, lineage
from ser.components import EXTRACTORS
from ser.contracts import Extractor
from ser.data import audio
from ser.features import copies, store
from ser.features.changes._base import FOLDER, Samples
from ser.features.collection import Collection, Frames, FramesOf, fill
from ser.features.extractors._base import copies_of
from ser.features.sounds import CorpusSounds
from ser.features.store import FeatureStore
from ser.params import ComponentParams, Section, StageParams
from ser.progress import Progress
from ser.project import Project
from ser.utterance import Utterance, used_of

_ROOT = Path(__file__).parents[2]
"""What the paths of source files are relative to: of the code that runs."""

_COPIES, _SOUNDS = "ser/features/copies.py", "ser/features/sounds.py"
_CHANGES = "ser/features/changes/[!_]*.py"
_CODE_OF_COPIES = (_COPIES, _SOUNDS, "ser/features/changes/*", "ser/data/voices.py")
"""What decides copies and not `clean`."""

_PACKAGES = (
    "librosa",
    "numpy",
    "scipy",
    "soundfile",
    "soxr",
    "torch",
    "torchaudio",
    "transformers",
)
"""Packages whose version can change frames."""


class AudioParams(Section):
    """How recordings are heard by every extractor.

    Args:
        sampling_rate: Recordings are resampled to this, in Hz, and down-mixed to mono.
        noise_folder: Folder of `data/sounds` that copies `noisefile_<SNR>db` take noise from;
            WAV, FLAC, OGG or MP3, any rate.
    """

    sampling_rate: int = Field(16000, ge=4000, le=192000)
    noise_folder: str | None = Field(None, pattern=f"^{FOLDER.pattern}$")


class CorpusSection(StageParams):
    """What is read of corpus: where its recordings are."""

    name: str


class ExtractionParams(StageParams):
    """What is read of params.yaml beside the feature's own params: audio, corpus.name."""

    audio: AudioParams
    corpus: CorpusSection


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where an extraction reads and writes.

    Args:
        recordings: The corpus root that the manifest's paths are relative to.
        store: Where the store shall be; replaced if it exists.
        kept: Where copies are kept as far as they are extracted, a folder each.
        sounds: Folder of folders of the user's noises and impulse responses.
    """

    recordings: Path
    store: Path
    kept: Path
    sounds: Path

    @staticmethod
    def of(project: Project, feature: str, *, corpus: str) -> "Places":
        """Return the places of a feature of the project's own corpus.

        Args:
            project: The checkout.
            feature: Its name.
            corpus: `corpus.name` of params.yaml.
        """
        return Places(
            recordings=project.raw(corpus),
            store=project.features(feature),
            kept=project.kept_copies(feature),
            sounds=project.sounds,
        )


def build_extractor(name: str, params: ComponentParams, *, sampling_rate: int) -> Extractor:
    """Return an extractor.

    Args:
        name: See `ser.features.extractors`.
        params: Its params.
        sampling_rate: Of the waveforms, in Hz.

    Raises:
        UnknownComponentError: There is none of this name.
        ParamsError: It cannot work with these params, or at this rate.
        WeightsError: Its weights are not here.
    """
    extractor: Extractor = components.load(EXTRACTORS, name).build(
        params, sampling_rate=sampling_rate
    )
    return extractor


def extract(
    utterances: Sequence[Utterance],
    *,
    name: str,
    params: ComponentParams,
    audio_params: AudioParams,
    places: Places,
    progress: Progress | None = None,
) -> FeatureStore:
    """Extract one feature of the study's utterances, in all copies that its params ask for.

    A copy that was extracted before, from the same recordings with the same params and code, is
    taken from `places.kept`. Each recording is read once for all copies that are left.

    Args:
        utterances: The manifest; those whose emotion is null are left out.
        name: The extractor, see `ser.features.extractors`.
        params: Its params.
        audio_params: How recordings are heard.
        places: Where to read and write.
        progress: Wraps the iteration over utterances, once for each copy.

    Returns:
        The finished store.

    Raises:
        AudioError: A recording has become unreadable since the manifest was made, or a sound of
            the user is unreadable or silent.
        CorpusError: Nobody can be heard behind an utterance, and a babble is asked for.
        ParamsError, FileError: A copy asks for sounds of the user that are not there.
        StaleFeaturesError: An extractor returned no or not finite frames.
    """
    made = opened(utterances, name=name, params=params, audio_params=audio_params, places=places)
    made.fill(progress=progress)
    recordings = {id_: utterance.sha256 for id_, utterance in made.utterances.items()}
    return store.publish(places.kept, places.store, made.copies, recordings)


def opened(
    utterances: Sequence[Utterance],
    *,
    name: str,
    params: ComponentParams,
    audio_params: AudioParams,
    places: Places,
) -> "Extraction":
    """Return what extracts a feature, before anything is extracted; see `extract`.

    Raises:
        ParamsError, UnknownComponentError, WeightsError: See `build_extractor`.
    """
    rate = audio_params.sampling_rate
    extractor = build_extractor(name, params, sampling_rate=rate)
    sounds = CorpusSounds(
        utterances,
        root=places.recordings,
        folder=places.sounds,
        noise_folder=audio_params.noise_folder,
        sampling_rate=rate,
    )
    chosen = {u.id: u for u in used_of(utterances)}
    meta = _meta(name, params, extractor, rate)
    return Extraction(chosen, extractor, meta, tuple(copies_of(params)), sounds, places)


@dataclass(frozen=True, slots=True)
class Extraction:
    """One feature of a corpus in all its copies, as far as it is extracted.

    Args:
        utterances: Those to extract, by id.
        extractor: Waveform to frames.
        meta: What makes the frames of `clean` what they are.
        copies: Names of those that are asked for, `clean` among them.
        sounds: What changes hear beside the utterances.
        places: Where to read and write.
    """

    utterances: Mapping[str, Utterance]
    extractor: Extractor
    meta: Mapping[str, Any]
    copies: tuple[str, ...]
    sounds: CorpusSounds
    places: Places

    def fill(
        self, *, shards: Sequence[int] | None = None, progress: Progress | None = None
    ) -> None:
        """Extract what is not extracted yet; see `ser.features.collection.fill`.

        Args:
            shards: Numbers of those that are extracted, in all copies; None takes all and ends
                the collections.
            progress: Wraps the iteration over utterances, once for each copy.

        Raises:
            SerError: See `extract`.
        """
        # A shard goes through all copies before the next, so each recording is decoded once.
        read = lru_cache(store.UTTERANCES_PER_SHARD if len(self.copies) > 1 else 0)(self.read)
        # All first: what a copy lacks is said before the work begins.
        collections = [(copy, self.collection(copy)) for copy in self.copies]
        with _workers(self.extractor) as (num_threads, compute):
            fill(
                [(found, self.frames_of(copy, read, compute)) for copy, found in collections],
                shards=shards,
                num_threads=num_threads,
                progress=progress,
            )

    def read(self, id_: str) -> Samples:
        """Return the waveform of an utterance."""
        rate = self.sounds.sampling_rate
        return audio.read_utterance(
            self.places.recordings, self.utterances[id_], sampling_rate=rate
        )

    def frames_of(
        self, copy: str, read: Callable[[str], Samples], compute: Callable[[Samples], Frames]
    ) -> FramesOf:
        """Return what extracts a copy of the utterance with an id."""

        def extracted(id_: str) -> Frames:
            utterance = self.utterances[id_]
            change = copies.change_of(copy, self.sounds.beside(utterance))
            rng = copies.rng_of(utterance, copy)
            return compute(change(read(id_), self.sounds.sampling_rate, rng))

        return extracted

    def collection(self, copy: str) -> Collection:
        """Return a copy, as far as it is extracted."""
        sources = _sources(copy, str(self.meta["extractor"]))
        return store.collected(
            self.places.kept,
            list(self.utterances),
            meta=self.meta,
            copy=copy,
            heard=self.sounds.heard_in(copy),
            decided_by={
                "recordings": sorted([u.id, u.sha256] for u in self.utterances.values()),
                "code": lineage.source_sha256(_ROOT, sources),
                "packages": dict(lineage.package_versions(_PACKAGES)),
            },
        )


@contextmanager
def _workers(extractor: Extractor) -> Iterator[tuple[int, Callable[[Samples], Frames]]]:
    """Give the number of utterances in work at once, and what extracts one of them."""
    num_threads = torch.get_num_threads()
    if not extractor.is_thread_safe:
        # One thread computes; meanwhile the others read, and change, what comes next.
        with ThreadPoolExecutor(1) as computing:
            yield max(2, num_threads), lambda one: computing.submit(extractor, one).result()
        return
    # Several utterances at once, a thread each: within one there is too little to share.
    torch.set_num_threads(1)
    try:
        yield num_threads, extractor
    finally:
        torch.set_num_threads(num_threads)


def _sources(copy: str, name: str) -> list[str]:
    """Return the source files that decide the frames of a copy.

    The file of a change counts for the copies that have this change, and for no others.
    """

    def imported(start: str, *skip: str) -> list[str]:
        return lineage.imported_sources(_ROOT, [start], skip=(*lineage.DECIDES_NOTHING, *skip))

    sources = {
        *imported("ser/features/extraction.py", *_CODE_OF_COPIES),
        *imported(components.source(EXTRACTORS, name).as_posix(), *_CODE_OF_COPIES),
    }
    if module := copies.module_of(copy):
        sources |= {*imported(_COPIES, _CHANGES), *imported(f"{module.replace('.', '/')}.py")}
    if copies.heard_in(copy)[0]:
        sources |= set(imported(_SOUNDS, _CHANGES))
    return sorted(sources)


def _meta(
    name: str, params: ComponentParams, extractor: Extractor, sampling_rate: int
) -> dict[str, Any]:
    """Return what makes the frames what they are."""
    return {
        "extractor": name,
        "params": params.model_dump(mode="json"),
        "sampling_rate": sampling_rate,
        "dimension": extractor.num_bins,
        "dtype": extractor.dtype,
        "checkpoint": None,
        "revision": None,
        **extractor.provenance,
    }
