"""From recordings to a feature store, one utterance at a time."""

from collections.abc import Sequence
from pathlib import Path

import torch
from pydantic import Field

from ser import components
from ser.components import EXTRACTORS
from ser.contracts import Extractor
from ser.data import audio
from ser.features import store
from ser.features.store import FeatureStore, Frames
from ser.params import ComponentParams, Section
from ser.progress import Progress
from ser.utterance import Utterance


class AudioParams(Section):
    """How recordings are heard by every extractor.

    Args:
        sampling_rate: Recordings are resampled to this, in Hz, and down-mixed to mono.
    """

    sampling_rate: int = Field(16000, ge=4000, le=192000)


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
    root: Path,
    folder: Path,
    progress: Progress | None = None,
) -> FeatureStore:
    """Extract one feature of the study's utterances.

    Args:
        utterances: The manifest; those whose emotion is null are left out.
        name: The extractor, see `ser.features.extractors`.
        params: Its params.
        audio_params: How recordings are heard.
        root: The corpus root that the manifest's paths are relative to.
        folder: Where the store shall be; shards are collected in `<folder>.partial`.
        progress: Wraps the iteration over utterances.

    Returns:
        The finished store.

    Raises:
        AudioError: A recording has become unreadable since the manifest was made.
        StaleFeaturesError: An extractor returned no or not finite frames.
    """
    rate = audio_params.sampling_rate
    extractor = build_extractor(name, params, sampling_rate=rate)
    paths = {u.id: root / u.audio for u in utterances if u.emotion is not None}

    def frames_of(id_: str) -> Frames:
        return extractor(audio.read(paths[id_], sampling_rate=rate))

    num_threads = torch.get_num_threads()
    if extractor.is_thread_safe:
        # Several utterances at once, a thread each: their spectra are too small to share.
        torch.set_num_threads(1)
    try:
        return store.build(
            folder,
            list(paths),
            frames_of,
            meta={
                "extractor": name,
                "params": params.model_dump(mode="json"),
                "sampling_rate": rate,
                "dimension": extractor.num_bins,
                "dtype": extractor.dtype,
                "checkpoint": None,
                "revision": None,
                **extractor.provenance,
            },
            scratch=folder.with_name(f"{folder.name}.partial"),
            num_threads=num_threads if extractor.is_thread_safe else 1,
            progress=progress,
        )
    finally:
        torch.set_num_threads(num_threads)
