"""Predictions of cells made by chance, and what is computed from them."""

import copy
import functools

import numpy as np
import pandas as pd

from ser import metrics, predictions
from ser.data.votes import Votes
from ser.emotion import EMOTIONS
from ser.evaluation import evidence, grid_table, statistics, summary
from tests import synthetic

CARD = synthetic.card()
SPLIT = synthetic.split_report()


def cell(num_seeds=2, num_folds=3, per_fold=40, seed=0, rated=False):
    """Predictions of all folds; with ratings, every fold is moved by a point of its own."""
    rng = np.random.default_rng(seed)
    frames = []
    for run_seed in range(num_seeds):
        for fold in range(1, num_folds + 1):
            ids = [f"f{fold}u{n:03}" for n in range(per_fold)]
            for part in ("dev", "test"):
                ratings = np.random.default_rng(fold).uniform(1, 3, size=(per_fold, 3)) + fold - 1
                said = ratings + rng.normal(size=ratings.shape)
                ratings[::4, 2] = np.nan
                frames.append(
                    predictions.table(
                        ids=ids if part == "test" else [f"dev-{i}" for i in ids],
                        truth=np.arange(per_fold) % 4,
                        probabilities=rng.dirichlet(np.ones(4), per_fold),
                        emotions=EMOTIONS,
                        ratings=ratings,
                        predicted_ratings=said if rated else None,
                        fold=fold,
                        seed=run_seed,
                        part=part,
                    )
                )
    frame = pd.concat(frames, ignore_index=True)
    return frame, {id_: f"speaker {id_[:2]}" for id_ in frame["utterance_id"]}


def votes_on(frame, seed=0, most=6):
    """Votes on four of five of the tested utterances, and on none of dev."""
    rng = np.random.default_rng(seed)
    ids = sorted(set(frame.loc[frame["part"] == "test", "utterance_id"]))
    numbers = rng.integers(1, most, len(ids))
    counts = [rng.multinomial(n, rng.dirichlet(np.ones(4))) for n in numbers]
    given = {
        id_: tuple(map(int, count)) for n, (id_, count) in enumerate(zip(ids, counts, strict=True))
        if n % 5
    }  # fmt: skip
    return Votes(EMOTIONS, given, len(ids), len(ids) - len(given), 0, 0.0)


def records_of(frame, *, voted=False):
    """Records of utterances whose ids are those of predictions."""
    ids = sorted(set(frame["utterance_id"]))
    every = synthetic.corpus(num_sessions=3, voted=voted)
    spoken = [u for u in every if u.emotion is not None]
    return [synthetic.renamed(spoken[n % len(spoken)], id_) for n, id_ in enumerate(ids)]


def grid():
    """The table of two cells, to be changed at will."""
    return _grid().copy()


@functools.cache  # resampling takes a second
def _grid():
    summaries = {}
    for seed, loss in enumerate(("cross_entropy", "focal")):
        frame, speaker_of = cell(seed=seed)
        summaries["lstm", loss] = summary.summarise(frame, speaker_of)
    return grid_table.table(summaries)


def gathered(losses=("cross_entropy", "focal", "aam"), models=("lstm", "vggish")):
    """Evidence, table and summaries of cells, to be changed at will."""
    return copy.deepcopy(_gathered(losses, models))


@functools.cache  # resampling takes seconds
def _gathered(losses, models):
    frames, summaries = {}, {}
    for number, (model, loss) in enumerate((m, loss) for m in models for loss in losses):
        frame, speaker_of = cell(seed=number)
        frames[model, loss] = frame
        summaries[model, loss] = summary.summarise(frame, speaker_of)
    table = grid_table.table(summaries)
    found = evidence.gather(frames, summaries, table, records_of(frame), card=CARD, split=SPLIT)
    return found, table, summaries


def speakers_and_predictions(num_speakers=10, per_speaker=40, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 4, num_speakers * per_speaker)
    right = rng.random(len(truth)) < 0.6
    prediction = np.where(right, truth, rng.integers(0, 4, len(truth)))
    speakers = np.repeat([f"s{n}" for n in range(num_speakers)], per_speaker)
    return truth, prediction, speakers


def counts(*, num_speakers=10, seed=0):
    truth, prediction, speakers = speakers_and_predictions(num_speakers, seed=seed)
    return statistics.confusion_by_speaker(
        truth=truth, prediction=prediction, speakers=speakers, num_classes=4
    )


def uar(matrices):
    return metrics.recalls(matrices.sum(axis=0)).mean()


def standard_error(value, matrices):
    """The jackknife by its definition: every speaker is left out once."""
    without = np.array([value(np.delete(matrices, s, axis=0)) for s in range(len(matrices))])
    num = len(matrices)
    return np.sqrt((num - 1) / num * ((without - without.mean()) ** 2).sum())
