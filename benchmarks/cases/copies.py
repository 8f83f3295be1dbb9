"""Copies of a feature against the feature without copies: what robust training costs."""

import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path

from benchmarks import recordings, timing, training_setup
from benchmarks.measurement import Measurement
from benchmarks.recordings import Recordings
from benchmarks.training_setup import AUDIO, FEATURE
from ser import components
from ser.components import EXTRACTORS
from ser.features import extraction
from ser.features.drawn_copies import DrawnCopies
from ser.features.extraction import Places
from ser.features.extractors._base import ExtractorParams
from ser.features.store import CLEAN, FeatureStore
from ser.project import Project

COPIES = (CLEAN, "gain_-6db", "noise_20db", "telephone")
SEED = 0


def run(quick: bool) -> list[Measurement]:
    """Extract Whisper with four copies, and train a BiLSTM from four copies, one thread each."""
    corpus = recordings.load(quick=quick)
    with timing.torch_threads(1), tempfile.TemporaryDirectory() as name:
        return [
            _extraction(corpus, Path(name), repeats=1 if quick else 3),
            _training(corpus, Path(name), repeats=1 if quick else 3),
        ]


def _extraction(corpus: Recordings, folder: Path, *, repeats: int) -> Measurement:
    weights = Project(Path(__file__).resolve().parents[2]).checkpoint("whisper-tiny.en")
    plain = components.load(EXTRACTORS, "whisper").Params(checkpoint=str(weights), freeze="all")
    number = count()

    def extract(params: ExtractorParams) -> None:
        # A folder of its own each time: what is kept would not be extracted again.
        _store(corpus, "whisper", params, folder / f"extraction-{next(number)}")

    return _against_plain(
        f"Whisper tiny.en, all layers, {len(COPIES)} copies ({corpus.name})",
        lambda: extract(plain.model_copy(update={"copies": COPIES})),
        lambda: extract(plain),
        repeats=repeats,
    )


def _training(corpus: Recordings, folder: Path, *, repeats: int) -> Measurement:
    setup = training_setup.prepare(corpus)
    params = FEATURE.model_copy(update={"copies": COPIES})
    store = _store(corpus, "mfcc", params, folder / "training")
    clean = store.of_copy(CLEAN)
    drawn = DrawnCopies(store, dict.fromkeys(COPIES, 1.0), seed=SEED)
    from_copies, plain = setup.dataset(clean, "train", drawn), setup.dataset(clean, "train")
    dev = setup.dataset(clean, "dev")
    return _against_plain(
        f"one epoch of the BiLSTM, drawn from {len(COPIES)} copies ({corpus.name})",
        lambda: setup.fit(from_copies, dev),
        lambda: setup.fit(plain, dev),
        repeats=repeats,
    )


def _against_plain(
    name: str, ours: Callable[[], object], plain: Callable[[], object], *, repeats: int
) -> Measurement:
    taken = timing.alternate(ours, plain, repeats=repeats)
    return Measurement(
        name=name,
        value=taken[0],
        unit="seconds",
        better="lower",
        alternative="the recordings as they are alone",
        alternative_value=taken[1],
        threads=1,
    )


def _store(corpus: Recordings, name: str, params: ExtractorParams, folder: Path) -> FeatureStore:
    return extraction.extract(
        corpus.utterances,
        name=name,
        params=params,
        audio_params=AUDIO,
        places=Places(
            recordings=corpus.root,
            store=folder / name,
            kept=folder / "kept",
            sounds=folder / "sounds",
        ),
    )
