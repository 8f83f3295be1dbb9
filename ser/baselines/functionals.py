"""Functionals: statistics of a whole recording, as openSMILE computes them.

The field's challenges hand them out with a linear machine on top. openSMILE is optional, as its
licence allows research and no products (docs/decisions/0019-functionals.md); it is imported
here and nowhere else.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ser import lineage
from ser.baselines.params import FunctionalSetName
from ser.data import audio, decoding, hearing
from ser.errors import FileError, StaleFeaturesError, TrainingError, translating
from ser.features import store
from ser.features.store import FeatureStore
from ser.progress import Progress
from ser.utterance import Utterance

#: The distribution, and the module, that computes them.
PACKAGE = "opensmile"

#: openSMILE's longest frame, that of the pitch; it answers a shorter recording with NaN.
_MIN_DURATION_S = 0.06
#: openSMILE counts in 16 bits and wraps: a sample of 1.0 would become -1.0.
_LARGEST_SAMPLE = 32767 / 32768


@dataclass(frozen=True, slots=True)
class FunctionalSet:
    """One of openSMILE's sets.

    Args:
        name: In the papers that use it, and in `opensmile.FeatureSet`.
        num_functionals: Numbers per recording.
    """

    name: str
    num_functionals: int


#: Name in params.yaml -> the set. eGeMAPSv02: Eyben et al. (2016), "The Geneva Minimalistic
#: Acoustic Parameter Set (GeMAPS) for Voice Research and Affective Computing"; ComParE 2016:
#: Schuller et al. (2016), "The INTERSPEECH 2016 Computational Paralinguistics Challenge".
SETS: Mapping[FunctionalSetName, FunctionalSet] = {
    "egemaps": FunctionalSet("eGeMAPSv02", 88),
    "compare": FunctionalSet("ComParE_2016", 6373),
}


def installed() -> str | None:
    """Return the version of the package, or None where it is not installed."""
    version = lineage.package_versions([PACKAGE])[PACKAGE]
    return None if version == lineage.NONE else version


def extract(
    utterances: Sequence[Utterance],
    name: FunctionalSetName,
    *,
    corpus: Path,
    sampling_rate: int,
    folder: Path,
    progress: Progress | None = None,
) -> dict[str, NDArray[np.float64]]:
    """Return the functionals of utterances; they are computed once and kept.

    Args:
        utterances: Whose.
        name: Which set.
        corpus: The folder that the utterances' paths are relative to.
        sampling_rate: Recordings are resampled to this, in Hz.
        folder: Where they are kept. What was made from other recordings, at another rate,
            by another version or by other code is made anew; an interrupted extraction
            goes on.
        progress: Wraps the iteration over utterances.

    Returns:
        Id -> `(num_functionals,)`, in the order of the utterances.

    Raises:
        TrainingError: The package cannot be imported.
        AudioError: A recording has become unreadable since the manifest was made.
        StaleFeaturesError: openSMILE has no finite answer for a recording.
    """
    ids = [utterance.id for utterance in utterances]
    meta = _meta(utterances, name, sampling_rate)
    kept = _kept(folder, ids, meta)
    if kept is not None:
        return kept
    compute = extractor(name, sampling_rate=sampling_rate)
    by_id = {utterance.id: utterance for utterance in utterances}

    def computed(id_: str) -> NDArray[np.float32]:
        waveform = audio.read_utterance(corpus, by_id[id_], sampling_rate=sampling_rate)
        return compute(waveform)[np.newaxis]

    made = store.build(
        folder,
        ids,
        computed,
        meta=meta,
        scratch=folder.with_name(f"{folder.name}.partial"),
        progress=progress,
    )
    return _read(made, ids)


def extractor(
    name: FunctionalSetName, *, sampling_rate: int
) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Return what turns a waveform into functionals.

    A recording shorter than openSMILE's longest frame, 60 ms, is filled up with silence at its
    end, and what is beyond 16 bits is clipped; otherwise they are openSMILE's own.

    Args:
        name: Which set.
        sampling_rate: Of the waveforms, in Hz.

    Returns:
        Waveform `(num_samples,)` in [-1, 1] -> functionals `(num_functionals,)`.

    Raises:
        TrainingError: The package cannot be imported.

    Source:
        Eyben, Wöllmer, Schuller (2010), "openSMILE: The Munich Versatile and Fast Open-Source
        Audio Feature Extractor".
    """
    opensmile = _package()
    smile = opensmile.Smile(
        feature_set=opensmile.FeatureSet[SETS[name].name],
        feature_level=opensmile.FeatureLevel.Functionals,
    )
    num_needed = math.ceil(_MIN_DURATION_S * sampling_rate)

    def functionals_of(waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        filled = np.pad(waveform, (0, max(0, num_needed - len(waveform))))
        values = smile(np.clip(filled, -1.0, _LARGEST_SAMPLE), sampling_rate)
        one_frame: NDArray[np.float32] = values[0, :, 0].astype(np.float32, copy=False)
        return one_frame

    return functionals_of


def _package() -> Any:
    """Import openSMILE."""

    def say(error: Exception) -> TrainingError:
        return TrainingError(
            f"{PACKAGE} is installed but cannot be imported ({error}); "
            f"`.venv/bin/pip install -c constraints.txt -e '.[opensmile]'` completes it, and "
            f"`baselines: {{functionals: []}}` in params.yaml does without"
        )

    with translating(say):
        # Optional, and it takes half a second.
        import opensmile
    return opensmile


def _meta(
    utterances: Sequence[Utterance], name: FunctionalSetName, sampling_rate: int
) -> dict[str, Any]:
    """Return all that decides the functionals; DVC does not look at what is kept here."""
    recordings = sorted([utterance.id, utterance.sha256] for utterance in utterances)
    sources = [__file__, *(str(module.__file__) for module in (audio, decoding, hearing))]
    return {
        "extractor": name,
        "params": {},
        "sampling_rate": sampling_rate,
        "dimension": SETS[name].num_functionals,
        "dtype": "float32",
        "versions": lineage.package_versions([PACKAGE, "soundfile", "soxr"]),
        "recordings_sha256": lineage.sha256_text(lineage.canonical_json(recordings)),
        "code_sha256": [lineage.sha256_file(Path(source)) for source in sources],
    }


def _kept(
    folder: Path, ids: Sequence[str], meta: Mapping[str, Any]
) -> dict[str, NDArray[np.float64]] | None:
    """Return what was computed before, or None where it is missing, damaged or of another kind."""
    try:
        return _read(FeatureStore(folder, meta), ids)
    except (FileError, StaleFeaturesError):
        return None


def _read(kept: FeatureStore, ids: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    return {id_: kept[id_][0].astype(np.float64) for id_ in ids}
