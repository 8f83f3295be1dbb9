"""A corpus of very many utterances from a table: each a scrap of noise, no two alike."""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ser import emotion
from ser.data import audio

NAME = "scale"
SAMPLING_RATE = 16_000
#: 15 in 1,000 utterances; not below two women and two men in each of three sessions.
_SPEAKERS_PER_UTTERANCE, _MIN_SPEAKERS = 0.015, 12
_TURNS_PER_DIALOGUE = 20
_NUM_SENTENCES = 2000
#: As short as the shortest that a corpus may have by default, 0.1 s; a file takes 4 KB.
_MIN_SAMPLES, _MAX_SAMPLES = 1600, 2000
#: Each begins so many samples after the one before, so that no two are copies.
_STEP = 7
_LEVEL = 0.05
_RATINGS = ("valence", "arousal", "dominance")
_COLUMNS = (
    *("path", "id", "speaker", "gender", "dialogue", "text", "label"),
    *_RATINGS,
)


def num_speakers(num_utterances: int) -> int:
    """Return how many people speak in a corpus of so many utterances."""
    return max(_MIN_SPEAKERS, round(_SPEAKERS_PER_UTTERANCE * num_utterances))


def write(root: Path, num_utterances: int, *, seed: int = 0) -> None:
    """Write the recordings and the table.

    Args:
        root: The corpus' folder, made if it does not exist.
        num_utterances: At least 200, so that every part of a fold has every emotion.
        seed: The same seed gives the same corpus.
    """
    rng = np.random.default_rng(seed)
    noise = _LEVEL * rng.standard_normal(num_utterances * _STEP + _MAX_SAMPLES, np.float32)
    lengths = rng.integers(_MIN_SAMPLES, _MAX_SAMPLES, num_utterances).tolist()
    root.mkdir(parents=True, exist_ok=True)
    with (root / "utterances.csv").open("w", encoding="utf-8", newline="") as table:
        writer = csv.DictWriter(table, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        for number, row in enumerate(_rows(num_utterances, rng)):
            writer.writerow(row)
            path, start = root / row["path"], number * _STEP
            path.parent.mkdir(parents=True, exist_ok=True)
            audio.write(path, noise[start : start + lengths[number]], SAMPLING_RATE, format="WAV")
    note = "SYNTHETIC: scraps of noise, labelled at random. Nobody spoke.\n"
    (root / "README.txt").write_text(note, encoding="utf-8")


def _rows(num_utterances: int, rng: np.random.Generator) -> Iterator[dict[str, str]]:
    speakers = np.arange(num_utterances) * num_speakers(num_utterances) // num_utterances
    labels = rng.choice(emotion.EMOTIONS, num_utterances).tolist()
    sentences = rng.integers(_NUM_SENTENCES, size=num_utterances).tolist()
    ratings = rng.uniform(1, 5, (num_utterances, len(_RATINGS))).round(2).tolist()
    for number, speaker in enumerate(speakers.tolist()):
        name, id_ = f"s{speaker:05d}", f"u{number:07d}"
        yield {
            "path": f"{name}/{id_}.wav",
            "id": id_,
            "speaker": name,
            "gender": "female" if speaker % 2 else "male",
            "dialogue": f"{name}-{number // _TURNS_PER_DIALOGUE}",
            "text": f"Sentence number {sentences[number]}.",
            "label": labels[number],
            **{key: str(value) for key, value in zip(_RATINGS, ratings[number], strict=True)},
        }
