"""Reading the feature store in random order against decoding wavs, and against .npy files."""

import tempfile
from pathlib import Path

import numpy as np

from benchmarks import equality, recordings, timing, training_setup
from benchmarks.measurement import Measurement
from ser.data import audio
from ser.features.store import FeatureStore


def run(quick: bool) -> list[Measurement]:
    """Read every utterance once, in random order, from a warm page cache."""
    corpus = recordings.load(quick=quick)
    repeats = 2 if quick else 11
    rng = np.random.default_rng(0)
    shuffled = [corpus.utterances[index] for index in rng.permutation(len(corpus.utterances))]
    ids = [utterance.id for utterance in shuffled]
    wavs = [corpus.root / utterance.audio for utterance in shuffled]
    with tempfile.TemporaryDirectory() as folder, timing.torch_threads(1):
        store = training_setup.extract(corpus, Path(folder) / "mfcc")
        files = _one_file_each(store, ids, Path(folder) / "npy")
        equality.require_close(
            ((store[id_], np.load(file)) for id_, file in zip(ids, files, strict=True)),
            what="stored features",
        )
        stored, decoded, loaded = timing.alternate(
            lambda: [np.array(store[id_]) for id_ in ids],  # copied: a view reads nothing
            lambda: [audio.read(w, sampling_rate=training_setup.AUDIO.sampling_rate) for w in wavs],
            lambda: [np.load(file) for file in files],
            repeats=repeats,
        )
    return [
        Measurement(
            name=f"reading features in random order ({corpus.name})",
            value=len(ids) / stored,
            unit="utterances per second",
            better="higher",
            alternative=alternative,
            alternative_value=len(ids) / seconds,
            threads=1,
        )
        for alternative, seconds in (
            ("reading and decoding the wavs, no features computed", decoded),
            ("np.load of one .npy file per utterance, same values", loaded),
        )
    ]


def _one_file_each(store: FeatureStore, ids: list[str], folder: Path) -> list[Path]:
    folder.mkdir()
    files = [folder / f"{number:05d}.npy" for number in range(len(ids))]
    for id_, file in zip(ids, files, strict=True):
        np.save(file, store[id_])
    return files
