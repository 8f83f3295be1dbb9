"""Tiny manifests, features and folds made in memory, so that no test needs a corpus."""

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ser.data.card import CorpusCard
from ser.data.protocols import PARTS
from ser.data.split_report import FoldReport, SplitReport
from ser.data.splits import Fold
from ser.data.votes import of_corpus
from ser.emotion import DIMENSIONS, EMOTIONS
from ser.features import collection, store
from ser.features.store import FeatureStore
from ser.utterance import Utterance


def utterance(id_: str, **changes: object) -> Utterance:
    """An utterance with plausible values for all that is not given."""
    values: dict[str, object] = {
        "id": id_,
        "corpus": "demo",
        "audio": f"wav/{id_}.wav",
        "speaker": "Ses01F",
        "gender": "female",
        "session": "Ses01",
        "dialogue": f"dialogue of {id_}",
        "scripted": False,
        "text": f"words of {id_}",
        "label": "neu",
        "emotion": "neutral",
        "sha256": hashlib.sha256(id_.encode()).hexdigest(),
        "num_samples": 16000,
        "sampling_rate": 16000,
        "duration_s": 1.0,
    }
    return Utterance(**{**values, **changes})  # type: ignore[arg-type]


#: Valence, arousal and dominance of an emotion, in points of the scale from 1 to 5.
_TYPICAL_RATINGS = {
    "angry": (1.9, 4.1, 4.2),
    "happy": (4.1, 3.6, 3.3),
    "neutral": (3.0, 2.6, 2.9),
    "sad": (2.1, 1.8, 2.3),
}


def ratings(emotion: str, rng: np.random.Generator) -> dict[str, float | None]:
    """What raters said of an utterance; one in four has no dominance."""
    values = np.clip(np.array(_TYPICAL_RATINGS[emotion]) + 0.4 * rng.normal(size=3), 1.0, 5.0)
    found: dict[str, float | None] = dict(zip(DIMENSIONS, values.round(4).tolist(), strict=True))
    return found | {"dominance": None} if rng.random() < 0.25 else found


#: What raters may say -> emotion; `Other` is none.
VOTE_EMOTIONS = {"Anger": "angry", "Happiness": "happy", "Neutral": "neutral", "Sadness": "sad"}


def votes(emotion: str, rng: np.random.Generator) -> dict[str, int] | None:
    """What three raters said, two of them its emotion; one utterance in eight has no votes."""
    label = next(name for name, said in VOTE_EMOTIONS.items() if said == emotion)
    third = str(rng.choice([label, *VOTE_EMOTIONS, "Other"]))
    found = {label: 2, third: 1} if third != label else {label: 3}
    return None if rng.random() < 0.125 else found


def corpus(
    num_sessions: int = 5,
    per_speaker: int = 2,
    emotions: Sequence[str] = EMOTIONS,
    *,
    rated: bool = False,
    voted: bool = False,
) -> list[Utterance]:
    """Sessions of one woman and one man, each with some utterances of every emotion."""
    rng = np.random.default_rng(1)
    found = []
    for session in range(1, num_sessions + 1):
        for letter, gender in (("F", "female"), ("M", "male")):
            for emotion in emotions:
                for number in range(per_speaker):
                    id_ = f"Ses{session:02}{letter}_{emotion}_{number}"
                    found.append(
                        utterance(
                            id_,
                            speaker=f"Ses{session:02}{letter}",
                            gender=gender,
                            session=f"Ses{session:02}",
                            dialogue=f"Ses{session:02}_dialogue",
                            emotion=emotion,
                            sha256=f"{len(found):064x}",
                            **(ratings(emotion, rng) if rated else {}),
                            **({"votes": votes(emotion, rng)} if voted else {}),
                        )
                    )
    return found


def frames(label: int, rng: np.random.Generator, num_bins: int = 6) -> np.ndarray:
    """Noise around a mean that depends on the label: easy, but not trivial."""
    length = int(rng.integers(4, 20))
    mean = np.zeros(num_bins)
    mean[label % num_bins] = 1.5
    return (mean + rng.normal(size=(length, num_bins))).astype(np.float32)


def feature_store(
    folder: Path,
    utterances: Sequence[Utterance],
    num_bins: int = 6,
    copies: Sequence[str] = (),
) -> FeatureStore:
    """A store whose frames tell the emotion; the n-th copy has 2 n more, and each 0.1 n higher."""
    rng = np.random.default_rng(0)
    content = {
        u.id: frames(EMOTIONS.index(u.emotion) if u.emotion else 0, rng, num_bins)
        for u in utterances
    }
    meta = {
        "extractor": folder.name,
        "params": {},
        "sampling_rate": 16000,
        "dimension": num_bins,
        "dtype": "float32",
    }
    scratch = folder.with_name(f"{folder.name}.collections")
    for number, copy in enumerate((store.CLEAN, *copies)):
        frames_of = {
            id_: np.pad(own, ((0, 2 * number), (0, 0)), mode="edge") + np.float32(0.1 * number)
            for id_, own in content.items()
        }
        made = store.collected(scratch, list(content), meta=meta, copy=copy)
        collection.fill([(made, frames_of.__getitem__)])
    built = store.publish(scratch, folder, (store.CLEAN, *copies))
    shutil.rmtree(scratch)
    return built


def fold_of(utterances: Sequence[Utterance]) -> Fold:
    """First session tests, second chooses, the rest trains."""
    sessions = sorted({u.session for u in utterances})
    parts = (
        tuple(sorted(u.id for u in utterances if u.session in chosen))
        for chosen in (sessions[2:], sessions[1:2], sessions[:1])
    )
    return Fold(1, *parts)


def rating_of(utterances: Sequence[Utterance]) -> dict[str, tuple[float, ...]]:
    """Ratings of every utterance, NaN where there is none."""
    return {
        u.id: tuple(np.nan if (v := getattr(u, name)) is None else v for name in DIMENSIONS)
        for u in utterances
    }


def label_of(utterances: Sequence[Utterance]) -> dict[str, int]:
    """Class index of every utterance."""
    return {u.id: EMOTIONS.index(str(u.emotion)) for u in utterances}


def share_of(utterances: Sequence[Utterance]) -> dict[str, tuple[float, ...]]:
    """Shares of the votes on every utterance, its label where it has none."""
    return of_corpus(utterances, card()).targets(label_of(utterances))


def renamed(utterance, id_):
    """The same record under another id."""
    return replace(utterance, id=id_)


def card(**changes: object) -> CorpusCard:
    """A corpus card with plausible values for all that is not given."""
    values: dict[str, object] = {
        "name": "demo",
        "synthetic": True,
        "licence": "free",
        "citation": "None.",
        "emotions": EMOTIONS,
        "num_utterances": 48,
        "num_used": 48,
        "num_rejected": 0,
        "num_speakers": 6,
        "num_sessions": 3,
        "duration_s": 48.0,
        "counts": dict.fromkeys(EMOTIONS, 12),
        "labels": {"ang": 12, "hap": 12, "neu": 12, "sad": 12},
        "params": {"name": "demo"},
        "vote_emotions": VOTE_EMOTIONS,
    }
    return CorpusCard.model_validate({**values, **changes})


def fold_report(number: int = 1, **changes: object) -> FoldReport:
    """The record of an audited fold, with plausible values for all that is not given."""
    shared = {"speaker": [], "dialogue": [], "session": [], "audio": []}
    sentences = {"num_shared": 0, "share_of_second_part": 0.0}
    pairs = ("train-dev", "train-test", "dev-test")
    values: dict[str, object] = {
        "fold": number,
        "num_utterances": {"train": 16, "dev": 16, "test": 16},
        "duration_s": {"train": 16.0, "dev": 16.0, "test": 16.0},
        "counts": {part: dict.fromkeys(EMOTIONS, 4) for part in PARTS},
        "speakers": {"train": ["Ses03F"], "dev": ["Ses02F"], "test": ["Ses01F"]},
        "sessions": {"train": ["Ses03"], "dev": ["Ses02"], "test": ["Ses01"]},
        "shared": {pair: {**shared, "sentences": sentences} for pair in pairs},
    }
    return FoldReport.model_validate({**values, **changes})


def split_report(**changes: object) -> SplitReport:
    """A split report with plausible values for all that is not given."""
    values: dict[str, object] = {
        "protocol": "session",
        "speaker_independent": True,
        "params": {},
        "manifest_sha256": "0" * 64,
        "split_sha256": "1" * 64,
        "folds": [fold_report()],
    }
    return SplitReport.model_validate({**values, **changes})
