"""The shortcut: can a model tell scripted from improvised speech, and what would it gain?

Recordings of read and of improvised speech differ in more than emotion. A model that is
scored on labels in which the two are mixed up can score high without hearing any emotion.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ser import files
from ser.baselines import classifiers, cross_validation
from ser.baselines.classifiers import Classifier
from ser.baselines.cross_validation import Task
from ser.data.splits import Fold
from ser.utterance import Utterance

#: How speech came about, in the order of every table.
KINDS = ("improvised", "scripted")


@dataclass(frozen=True, slots=True)
class Material:
    """What the question is asked of.

    Args:
        utterances: The study's, those with an emotion.
        inputs: Utterance id -> statistics of its frames `(num_inputs,)`.
        emotions: The study's emotions, in order.
        folds: Those of the study.
    """

    utterances: Sequence[Utterance]
    inputs: Mapping[str, NDArray[np.float64]]
    emotions: tuple[str, ...]
    folds: Sequence[Fold]

    @property
    def stated(self) -> list[Utterance]:
        """The utterances of which the corpus says how they came about."""
        return [u for u in self.utterances if u.scripted is not None]


def examine(material: Material, *, c_grid: Sequence[float]) -> dict[str, Any]:
    """Return how well scripted speech can be told, and what that says about emotion.

    Args:
        material: Utterances, what is known of them, and the folds.
        c_grid: Values of C of the linear SVM, of which dev chooses.

    Returns:
        The content of `reports/shortcut.json`. `unanswered` is a sentence where the
        corpus cannot answer, and nothing else is there; otherwise None, beside
        `detector` (a linear SVM that tells scripted from improvised by the inputs),
        `knows_kind_only` (a classifier of emotion that knows that and nothing else),
        `chance` (its UAR if that says nothing), `cramers_v` (between kind and emotion),
        `num_utterances` per kind, and one entry per emotion in `emotions`: counts, shares
        among the kinds, `cramers_v`, and its square, `explained`.

    Raises:
        TrainingError: The SVM cannot be fitted.
    """
    kind_of = {u.id: KINDS[bool(u.scripted)] for u in material.stated}
    reason = _why_unanswered(material, kind_of)
    if reason is not None:
        return {"unanswered": reason}
    emotion_of = {u.id: str(u.emotion) for u in material.stated}
    emotions = tuple(name for name in material.emotions if name in emotion_of.values())
    speaker_of = {u.id: u.speaker for u in material.stated}
    flags = {id_: np.array([float(KINDS.index(kind))]) for id_, kind in kind_of.items()}
    detector = Task(material.inputs, kind_of, speaker_of, KINDS)
    knows_kind_only = Task(flags, emotion_of, speaker_of, emotions)
    counts = _counts(kind_of, emotion_of, emotions)
    return {
        "unanswered": None,
        "num_utterances": dict(zip(KINDS, counts.sum(axis=1).tolist(), strict=True)),
        "detector": _scores(partial(classifiers.linear_svm, c_grid=c_grid), detector, material),
        "knows_kind_only": _scores(classifiers.by_value, knows_kind_only, material),
        "chance": 1 / len(emotions),
        "cramers_v": cramers_v(counts),
        "emotions": [_association(counts, index, name) for index, name in enumerate(emotions)],
    }


def cramers_v(counts: ArrayLike) -> float:
    """Return Cramér's V of a table of counts.

    V = sqrt(chi2 / (n min(rows - 1, columns - 1))), chi2 without correction; rows and
    columns without any count are left out. In a table of two by two, its square is the
    share of the variance of the one that the other explains.

    Args:
        counts: `(num_rows, num_columns)`.

    Returns:
        V in [0, 1]; 0 where fewer than two rows or two columns are left.

    Source:
        Cramér (1946), "Mathematical Methods of Statistics", section 21.9.

    Example:
        >>> cramers_v([[5, 0], [0, 5]])
        1.0
    """
    table = np.asarray(counts, dtype=np.float64)
    table = table[table.any(axis=1)][:, table.any(axis=0)]
    smaller = min(table.shape) - 1
    if smaller < 1:
        return 0.0
    total = table.sum()
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / total
    chi2 = float((np.square(table - expected) / expected).sum())
    return math.sqrt(chi2 / (total * smaller))


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write reports/shortcut.json; ends of an interval that are not known become null."""
    files.write_json(path, _without_nan(content))


def _why_unanswered(material: Material, kind_of: Mapping[str, str]) -> str | None:
    """Return why the corpus cannot answer, or None where it can."""
    if not kind_of:
        return (
            "This corpus does not say which utterances are read from a script and which are "
            "improvised, so nobody can tell whether a model took that difference for emotion."
        )
    kinds = set(kind_of.values())
    if len(kinds) == 1:
        return (
            f"All {len(kind_of)} utterances of this corpus that say how they came about are "
            f"{kinds.pop()}: there is nothing to tell them from, so no model can have taken "
            f"that difference for emotion."
        )
    for fold in material.folds:
        for part in ("train", "dev"):
            held = {kind_of[id_] for id_ in fold.part(part) if id_ in kind_of}
            if held != kinds:
                found = f"only {held.pop()}" if held else "neither scripted nor improvised"
                return (
                    f"The {part} part of fold {fold.number} holds {found} speech, so a "
                    f"classifier cannot learn there to tell the two apart."
                )
    return None


def _counts(
    kind_of: Mapping[str, str], emotion_of: Mapping[str, str], emotions: Sequence[str]
) -> NDArray[np.int64]:
    """Return the number of utterances `(num_kinds, num_emotions)`."""
    counts = np.zeros((len(KINDS), len(emotions)), dtype=np.int64)
    for id_, kind in kind_of.items():
        counts[KINDS.index(kind), emotions.index(emotion_of[id_])] += 1
    return counts


def _association(counts: NDArray[np.int64], index: int, emotion: str) -> dict[str, Any]:
    """Return what the kind of speech says about one emotion."""
    of_kind = counts.sum(axis=1)
    v = cramers_v(np.column_stack([counts[:, index], of_kind - counts[:, index]]))
    shares = counts[:, index] / of_kind
    return {
        "emotion": emotion,
        **{kind: int(counts[row, index]) for row, kind in enumerate(KINDS)},
        **{f"share_of_{kind}": float(shares[row]) for row, kind in enumerate(KINDS)},
        "cramers_v": v,
        "explained": v**2,
    }


def _scores(classifier: Classifier, task: Task, material: Material) -> dict[str, Any]:
    outcome = cross_validation.over_folds(classifier, task, material.folds)
    return {**cross_validation.score(outcome, task), "settled": outcome.settled}


def _without_nan(value: Any) -> Any:
    """Return a copy in which numbers that are not known are None."""
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value
