"""Predictions of a cell that rates, and its scores by another way."""

import numpy as np

from ser import concordance, predictions
from tests.evaluation.support import cell

TRUTH, PREDICTED = list(predictions.RATINGS), list(predictions.PREDICTED_RATINGS)


def rated(seed=0, **options):
    """Predictions without classes, four speakers of unequal size."""
    frame, _ = cell(rated=True, seed=seed, **options)
    keys = ["utterance_id", "fold", "seed", "part"]
    ids = frame["utterance_id"]
    speaker_of = {id_: f"s{min(int(id_[-2:]) // 12, 2)}{id_[-5]}" for id_ in ids}
    return frame[[*keys, *TRUTH, *PREDICTED]], speaker_of


def scores_of(test):
    """The same by another way: per seed, over all its rows."""
    by_seed = [
        concordance.rating_scores(truth=rows[TRUTH], prediction=rows[PREDICTED])
        for _, rows in test.groupby("seed")
    ]
    found = {name: np.mean([scores[name] for scores in by_seed]) for name in by_seed[0]}
    for kind in ("ccc", "mae"):
        found[kind] = np.mean([v for name, v in found.items() if name.startswith(f"{kind}_")])
    return found
