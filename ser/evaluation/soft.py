"""How close a cell's probabilities come to the raters' votes, and how close one rater comes.

Scores are of the test parts of all folds together, over the utterances that have votes for the
classes, and means over seeds. Intervals are over speakers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ser import distributions, predictions
from ser.data.votes import Votes
from ser.evaluation import statistics
from ser.evaluation.jackknife import Floats
from ser.evaluation.statistics import Interval

#: Score -> the least and the most that it can be.
RANGES: Mapping[str, tuple[float, float]] = {
    "soft_cross_entropy": (0.0, np.inf),
    "soft_js_distance": (0.0, 1.0),
    "soft_macro_f1": (0.0, 1.0),
}

_UNKNOWN = Interval(float("nan"), float("nan"))

#: The cross-entropy of a single vote is infinite wherever another rater says something else.
_OF_ONE_VOTE = ("soft_js_distance", "soft_macro_f1")

#: Before the counts per class, a speaker has so many sums: utterances, entropies, distances.
_NUM_SUMS = 3


@dataclass(frozen=True, slots=True)
class SoftScores:
    """What probabilities are worth as guesses of the votes.

    Args:
        by_seed: Per seed the scores that are known, by the names of `RANGES`; each the same.
        intervals: Score -> 95 % interval over speakers, of the mean over seeds.
    """

    by_seed: tuple[Mapping[str, float], ...]
    intervals: Mapping[str, Interval]


@dataclass(frozen=True, slots=True)
class OneRater:
    """How one rater does whose vote is held out, compared with the others' votes.

    Args:
        num_utterances: With at least two votes for classes.
        scores: `soft_js_distance` and `soft_macro_f1`: of the one vote with the shares of the
            others. (The cross-entropy of one vote is infinite.)
        uar: Of the one vote, where the others have one most frequent class; NaN where some
            class never is that.
        uar_interval: Over speakers.
    """

    num_utterances: int
    scores: SoftScores
    uar: float
    uar_interval: Interval


def has_votes(test: pd.DataFrame, votes: Votes | None) -> bool:
    """Return whether any utterance of a table of predictions has votes for a class."""
    return votes is not None and bool(test["utterance_id"].isin(votes.counts_of.keys()).any())


def of_predictions(
    test: pd.DataFrame, votes: Votes, speaker_of: Mapping[str, str] | None = None
) -> SoftScores:
    """Return the scores of predictions; some utterance must have votes.

    Args:
        test: Of the test part, all folds and seeds.
        votes: The raters'.
        speaker_of: Utterance id -> speaker; None where no interval is wanted.
    """
    rows = test[test["utterance_id"].isin(votes.counts_of.keys())]
    tallies = []
    for _, of_seed in rows.groupby("seed"):
        ids = of_seed["utterance_id"].tolist()
        shares, said = _shares(votes, ids), predictions.probabilities_of(of_seed)
        tallies.append(_by_speaker(_tallies(shares, said), _speakers(ids, speaker_of)))
    return _scored(np.stack(tallies))


def one_rater(ids: list[str], votes: Votes, speaker_of: Mapping[str, str]) -> OneRater | None:
    """Return how a rater does whose vote is held out.

    Every vote is held out in turn, and an utterance counts once: each of its n votes as 1/n.

    Args:
        ids: The utterances, each once; those with one vote for the classes are left out.
        votes: The raters'.
        speaker_of: Utterance id -> speaker.

    Returns:
        None where no utterance has two votes.
    """
    several = [id_ for id_ in ids if sum(votes.counts_of.get(id_, ())) > 1]
    if not several:
        return None
    counts = np.array([votes.counts_of[id_] for id_ in several], dtype=np.float64)
    places, chosen = np.nonzero(counts)
    num_votes = counts.sum(axis=1)[places]
    said = np.eye(counts.shape[1])[chosen]
    others = counts[places] - said
    weights = counts[places, chosen] / num_votes
    speakers = _speakers([several[place] for place in places], speaker_of)
    tallies = _tallies(others / (num_votes - 1)[:, None], said) * weights[:, None]
    found = _scored(_by_speaker(tallies, speakers)[None], _OF_ONE_VOTE)
    return OneRater(len(several), found, *_rater_uar(others, said, weights, speakers))


def reference(
    ids: list[str], votes: Votes, speaker_of: Mapping[str, str], *, own: bool
) -> SoftScores:
    """Return the scores of an answer that needs no model.

    Args:
        ids: The utterances, each once, all with votes.
        votes: The raters'.
        speaker_of: Utterance id -> speaker.
        own: Answer the shares of the votes themselves: nothing does better. Else all classes
            alike.
    """
    shares = _shares(votes, ids)
    said = shares if own else np.full_like(shares, 1.0 / shares.shape[1])
    return _scored(_by_speaker(_tallies(shares, said), _speakers(ids, speaker_of))[None])


def _shares(votes: Votes, ids: list[str]) -> Floats:
    return np.array([votes.shares_of(id_) for id_ in ids], dtype=np.float64)


def _speakers(ids: list[str], speaker_of: Mapping[str, str] | None) -> NDArray[np.str_]:
    """Return who speaks each utterance; without names, all are of one."""
    return np.array(["" if speaker_of is None else speaker_of[id_] for id_ in ids], dtype=np.str_)


def _tallies(shares: Floats, said: Floats) -> Floats:
    """Return what each utterance adds `(num_utterances, 3 + 3 num_classes)`.

    Itself, its cross-entropy and its distance; then per class whether it stands out in both,
    in the shares, and in what is said.
    """
    present, predicted = distributions.stands_out(shares), distributions.stands_out(said)
    pair = {"shares": shares, "probabilities": said}
    return np.column_stack(
        [
            np.ones(len(shares)),
            distributions.cross_entropies(**pair),
            distributions.js_distances(**pair),
            present & predicted,
            present,
            predicted,
        ]
    ).astype(np.float64)


def _by_speaker(tallies: Floats, speakers: NDArray[np.str_]) -> Floats:
    """Return the sums of each speaker `(num_speakers, width)`, speakers in sorted order."""
    names, positions = np.unique(speakers, return_inverse=True)
    sums = np.zeros((len(names), tallies.shape[1]))
    np.add.at(sums, positions, tallies)
    return sums


def _scored(tallies: Floats, names: Sequence[str] = tuple(RANGES)) -> SoftScores:
    """Return some scores of sums per seed and speaker `(num_seeds, num_speakers, width)`."""
    totals = tallies.sum(axis=1)
    by_seed = _scores(totals)
    intervals = dict.fromkeys(names, _UNKNOWN)
    if tallies.shape[1] > 1:
        left_out = _scores(totals[:, None] - tallies)
        intervals = {
            name: statistics.jackknife_interval(
                float(by_seed[name].mean()), left_out[name].mean(axis=0), within=RANGES[name]
            )
            for name in names
        }
    rows = [{name: float(by_seed[name][seed]) for name in names} for seed in range(len(totals))]
    return SoftScores(tuple(rows), intervals)


def _scores(sums: Floats) -> dict[str, Floats]:
    """Return the scores `(...)` of sums `(..., width)`."""
    hits, present, predicted = np.split(sums[..., _NUM_SUMS:], 3, axis=-1)
    return {
        "soft_cross_entropy": sums[..., 1] / sums[..., 0],
        "soft_js_distance": sums[..., 2] / sums[..., 0],
        "soft_macro_f1": distributions.f1_of(hits, present, predicted),
    }


def _rater_uar(
    others: Floats, said: Floats, weights: Floats, speakers: NDArray[np.str_]
) -> tuple[float, Interval]:
    """Return the UAR of held-out votes, truth being the others' one most frequent class."""
    most = others.max(axis=1, keepdims=True)
    is_clear = (others == most).sum(axis=1) == 1
    truth = (others == most) * (is_clear * weights)[:, None]
    num_classes = truth.shape[1]
    sums = _by_speaker(np.hstack([truth * said, truth]), speakers)
    hits, spoken = sums[:, :num_classes], sums[:, num_classes:]
    if (spoken.sum(axis=0) <= 0).any():
        return float("nan"), _UNKNOWN
    low, high = statistics.share_ends(hits, spoken)
    uar = float((hits.sum(axis=0) / spoken.sum(axis=0)).mean())
    return uar, Interval(float(low), float(high))
