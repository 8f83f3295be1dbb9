"""Speakers drawn from a population whose true scores are known, in the shapes of corpora.

A speaker of class k is understood with the chance of logit mu_k + a + b_k: `a` is the speaker's
own, `b_k` the speaker's own in this class. How much each says of each class is drawn as well.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit

from ser.data.corpora import emodb
from ser.project import Project

Array = NDArray[np.float64]
#: Generator and `(num_trials, num_speakers)` -> utterances, with an axis of classes more.
Count = Callable[[np.random.Generator, tuple[int, int]], NDArray[np.int64]]

#: Standard deviations on the logit scale: of speakers, and of classes within a speaker. The cells
#: of EmoDB have 0.3 to 0.7 and 0 to 0.5.
SPEAKER_SPREAD = 0.6
CLASS_SPREAD = 0.4
#: The easiest class lies a logit above the hardest.
_CLASS_RANGE = 1.0
#: Utterances of one emotion by one speaker vary by this much around their session's.
_IEMOCAP_VARIATION = 0.25
#: angry, happy (with excited), neutral, sad of each session, from two speakers.
_IEMOCAP = (
    (229, 278, 384, 194),
    (137, 327, 362, 197),
    (240, 286, 320, 305),
    (327, 303, 258, 143),
    (170, 442, 384, 245),
)


@dataclass(frozen=True, slots=True)
class Shape:
    """A corpus as far as it matters here.

    Args:
        title: For people.
        num_speakers: Drawn for a trial.
        count: How much they say.
        speaker_spread: How unlike they are, standard deviation on the logit scale.
    """

    title: str
    num_speakers: int
    count: Count
    speaker_spread: float = SPEAKER_SPREAD


@dataclass(frozen=True, slots=True)
class Trials:
    """Cells, tested on the same utterances of drawn speakers.

    Args:
        hits: Of each cell `(num_cells, num_trials, num_speakers, num_classes)`.
        spoken: `(num_trials, num_speakers, num_classes)`.
        uars: True UAR of each cell `(num_cells,)`.
        was: True WA of each cell, the same.
    """

    hits: Array
    spoken: Array
    uars: Array
    was: Array


@dataclass(frozen=True, slots=True)
class Likeness:
    """How much alike cells are.

    Args:
        shared: Share of utterances about which they decide by the same chance.
        spread: Of what a cell makes of a speaker, and once more of a class within a speaker,
            on the logit scale.
    """

    shared: float
    spread: float


def shapes() -> dict[str, Shape]:
    """Return the corpora by name."""
    letters = emodb.EMOTIONS
    four = [list(letters.values()).index(name) for name in ("angry", "happy", "neutral", "sad")]
    of_emodb = _emodb_counts()
    return {
        "two": Shape("2 speakers, 30 of each class", 2, _fixed([30] * 4)),
        "six": Shape("6 speakers, 30 of each class", 6, _fixed([30] * 4)),
        "emodb": Shape("EmoDB, 10, four emotions", 10, _rows(of_emodb[:, four])),
        "emodb-7": Shape("EmoDB, 10, all seven", 10, _rows(of_emodb)),
        "iemocap": Shape("IEMOCAP, 10", 10, _iemocap),
        "ravdess": Shape("RAVDESS, 24", 24, _fixed([4] + [8] * 7)),
        "cremad": Shape("CREMA-D, 91", 91, _fixed([14] * 5 + [12])),
        "rare-5": Shape("5, a class of three", 5, _rare(0.6)),
        "rare-15": Shape("15, a class of five", 15, _rare(1 / 3)),
    }


def draw(
    rng: np.random.Generator,
    shape: Shape,
    num_trials: int,
    *,
    uar: float,
    gaps: tuple[float, ...] = (0.0,),
    likeness: Likeness = Likeness(0.0, 0.0),
    luck: float = 0.0,
) -> Trials:
    """Return the hits of cells on drawn speakers.

    Args:
        rng: Where chance comes from.
        shape: Of the corpus.
        num_trials: How often it is drawn.
        uar: True UAR of a cell without a gap.
        gaps: Of each cell, how much lower the logits of its classes are in the mean.
        likeness: Of the cells.
        luck: Standard deviation of a cell's gap over trials, as another seed has it; the true
            scores are the means over it.
    """
    spoken = _spoken(rng, shape, num_trials)
    num_classes, size = spoken.shape[-1], spoken.shape
    own = shape.speaker_spread
    spread = float(np.sqrt(own**2 + CLASS_SPREAD**2 + 2 * likeness.spread**2))
    offsets = np.linspace(-_CLASS_RANGE / 2, _CLASS_RANGE / 2, num_classes)
    at = brentq(lambda mu: _recalls(mu + offsets, spread).mean() - uar, -5.0, 15.0)
    # A gap is wider in easy classes: cells do not differ by the same in all of them.
    slopes = np.linspace(0.5, 1.5, num_classes)
    logits = [at + offsets - gap * slopes for gap in gaps]
    trained = [mu - luck * rng.normal(size=(num_trials, 1, 1)) * slopes for mu in logits]
    common = own * rng.normal(size=(*size[:2], 1)) + CLASS_SPREAD * rng.normal(size=size)
    chances = np.stack(
        [
            expit(
                mu
                + common
                + likeness.spread * (rng.normal(size=(*size[:2], 1)) + rng.normal(size=size))
            )
            for mu in trained
        ]
    )
    recalls = np.stack([_recalls(mu, np.hypot(spread, luck * slopes)) for mu in logits])
    weights = _spoken(rng, shape, 2000).mean(axis=(0, 1))
    hits = _hits(rng, chances, spoken, likeness.shared)
    return Trials(
        hits.astype(np.float64),
        spoken.astype(np.float64),
        uars=recalls.mean(axis=1),
        was=recalls @ weights / weights.sum(),
    )


def _hits(
    rng: np.random.Generator, chances: Array, spoken: NDArray[np.int64], shared: float
) -> NDArray[np.int64]:
    """Return hits `(num_cells, ...)`; of shared utterances, the better cell has all of the worse's.

    These are decided by one uniform number for all cells, so that the cell with the higher chance
    is right wherever the one with the lower chance is.
    """
    alike = rng.binomial(spoken, shared)
    order = np.argsort(chances, axis=0)
    ordered = np.take_along_axis(chances, order, axis=0)
    hits = np.zeros(chances.shape, dtype=np.int64)
    before, last = np.zeros_like(alike), np.zeros_like(ordered[0])
    for row, chance in enumerate(ordered):
        more = np.clip((chance - last) / np.maximum(1 - last, 1e-12), 0.0, 1.0)
        before = before + rng.binomial(alike - before, more)
        hits[row], last = before, chance
    found = np.zeros_like(hits)
    np.put_along_axis(found, order, hits, axis=0)
    return np.asarray(found + rng.binomial(spoken - alike, chances))


def _recalls(logits: Array, spread: float | Array) -> Array:
    """Return the mean of a class' recall over all speakers of the population."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    values = expit(np.asarray(logits)[:, None] + np.multiply.outer(spread, nodes))
    return np.asarray(values @ weights / weights.sum())


def _spoken(rng: np.random.Generator, shape: Shape, num_trials: int) -> NDArray[np.int64]:
    """Return utterances in which every class is spoken: others have no UAR, and are drawn anew."""
    spoken = np.array(shape.count(rng, (num_trials, shape.num_speakers)))
    while (is_bad := (spoken.sum(axis=1) == 0).any(axis=-1)).any():
        spoken[is_bad] = shape.count(rng, (int(is_bad.sum()), shape.num_speakers))
    return spoken


def _emodb_counts() -> NDArray[np.int64]:
    """Return the utterances of each speaker and emotion in the copy that ships."""
    root = Path(__file__).resolve().parents[1]
    names = [path.stem for path in Project(root).shipped("emodb").folder.rglob("*.flac")]
    counts = Counter((name[:2], name[5]) for name in names)
    speakers = sorted({speaker for speaker, _ in counts})
    return np.array([[counts[s, letter] for letter in emodb.EMOTIONS] for s in speakers])


def _fixed(row: list[int]) -> Count:
    return lambda _, size: np.broadcast_to(np.array(row), (*size, len(row)))


def _rows(rows: NDArray[np.int64]) -> Count:
    """Every speaker says as much as one of those does."""
    return lambda rng, size: rows[rng.integers(len(rows), size=size)]


def _iemocap(rng: np.random.Generator, size: tuple[int, int]) -> NDArray[np.int64]:
    base = np.array(_IEMOCAP)[rng.integers(len(_IEMOCAP), size=size)] / 2
    shape = 1 / _IEMOCAP_VARIATION**2
    return rng.poisson(base * rng.gamma(shape, 1 / shape, size=base.shape))


def _rare(share: float) -> Count:
    """Unbalanced classes, speakers who say much or little, and a class that a share of them has."""

    def count(rng: np.random.Generator, size: tuple[int, int]) -> NDArray[np.int64]:
        talk = rng.gamma(4.0, 1 / 4.0, size=(*size, 1))
        spoken = rng.poisson(np.array([60.0, 30.0, 15.0, 8.0]) * talk)
        spoken[..., 3] *= rng.random(size) < share
        return spoken

    return count
