"""From recordings to a feature store, one utterance at a time."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import Field

from ser import components
from ser.components import EXTRACTORS
from ser.contracts import Extractor
from ser.data import audio
from ser.features import copies, store
from ser.features.extractors._base import copies_of
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
    """Extract one feature of the study's utterances, in all copies that its params ask for.

    Args:
        utterances: The manifest; those whose emotion is null are left out.
        name: The extractor, see `ser.features.extractors`.
        params: Its params.
        audio_params: How recordings are heard.
        root: The corpus root that the manifest's paths are relative to.
        folder: Where the store shall be; shards are collected in `<folder>.partial`.
        progress: Wraps the iteration over utterances, anew for each copy.

    Returns:
        The finished store.

    Raises:
        AudioError: A recording has become unreadable since the manifest was made.
        StaleFeaturesError: An extractor returned no or not finite frames.
    """
    rate = audio_params.sampling_rate
    extractor = build_extractor(name, params, sampling_rate=rate)
    chosen = {u.id: u for u in utterances if u.emotion is not None}
    scratch = folder.with_name(f"{folder.name}.partial")

    def frames_of(copy: str) -> Callable[[str], Frames]:
        change = copies.change_of(copy)

        def extracted(id_: str) -> Frames:
            utterance = chosen[id_]
            waveform = audio.read(root / utterance.audio, sampling_rate=rate)
            return extractor(change(waveform, rate, copies.rng_of(utterance, copy)))

        return extracted

    num_threads = torch.get_num_threads()
    if extractor.is_thread_safe:
        # Several utterances at once, a thread each: their spectra are too small to share.
        torch.set_num_threads(1)
    try:
        for copy in copies_of(params):
            store.collect(
                scratch,
                list(chosen),
                frames_of(copy),
                meta=_meta(name, params, extractor, rate),
                copy=copy,
                num_threads=num_threads if extractor.is_thread_safe else 1,
                progress=progress,
            )
    finally:
        torch.set_num_threads(num_threads)
    return store.publish(scratch, folder, copies_of(params))


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
