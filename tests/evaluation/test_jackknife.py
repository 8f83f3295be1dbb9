"""What leaving out speakers says, and what seeds add to it."""

import numpy as np
import pytest

from benchmarks import coverage
from benchmarks.simulated_speakers import draw, shapes
from ser import metrics
from ser.evaluation import jackknife, statistics
from tests.evaluation.support import counts, standard_error, uar


def by_seed(luck, *, num_seeds=3, seed=0):
    """Trials of one cell under several seeds `(num_trials, num_seeds, ...)`, and utterances."""
    trials = draw(
        np.random.default_rng(seed), shapes()["emodb"], 800, uar=0.75, gaps=(0.0,) * num_seeds,
        likeness=coverage.LIKENESSES["two losses"], luck=luck,
    )  # fmt: skip
    return np.moveaxis(trials.hits, 0, 1), trials.spoken, trials.uars[0]


def test_what_seeds_add_is_what_is_left_of_their_spread_beside_speakers():
    hits, spoken, _ = by_seed(0.25)
    value = lambda h, s: (h.sum(axis=-2) / s.sum(axis=-2)).mean(axis=-1)  # noqa: E731
    one, said = hits[0], spoken[0]
    errors = [jackknife.pulls(each, said) for each in (*one, one.mean(axis=0))]
    *each, together = [(error**2).sum() for error in errors]
    left = np.var([value(h, said) for h in one], ddof=1) / 3 - (np.mean(each) - together) / 2
    found = jackknife.seeds_of(hits, spoken)
    assert found.variance[0] == pytest.approx(max(left, 0.0))
    assert 0.6 < (found.variance > 0).mean() < 0.9
    assert set(found.degrees) == {2.0}
    # Without luck of their own, seeds hardly add to what speakers show already.
    none = jackknife.seeds_of(*by_seed(0.0)[:2]).variance
    assert none.mean() < 0.3 * found.variance.mean()


def test_one_seed_adds_nothing():
    hits, spoken, _ = by_seed(0.25)
    found = jackknife.seeds_of(hits[:, :1], spoken)
    assert not found.variance.any()
    mean = hits[:, 0]
    for ours, fixed in zip(
        statistics.share_ends(mean, spoken, found), statistics.share_ends(mean, spoken), strict=True
    ):
        np.testing.assert_allclose(ours, fixed)
    alone = statistics.difference(mean - hits[:, 1], spoken, jackknife.both_seeds(found, found))
    np.testing.assert_allclose(alone.p, statistics.difference(mean - hits[:, 1], spoken).p)


def test_with_several_seeds_the_interval_and_the_test_are_about_other_seeds_too():
    hits, spoken, truth = by_seed(0.4, seed=3)
    seeds = jackknife.seeds_of(hits, spoken)
    mean = hits.mean(axis=1)
    held = [statistics.share_ends(mean, spoken, some) for some in (seeds, None)]
    with_, without = (coverage.covers(ends, truth).mean() for ends in held)
    assert 0.93 <= with_ <= 0.98
    assert without < 0.9
    other, spoken, _ = by_seed(0.4, num_seeds=6, seed=4)
    pair = jackknife.both_seeds(
        jackknife.seeds_of(other[:, :3], spoken), jackknife.seeds_of(other[:, 3:], spoken)
    )
    gap = (other[:, :3] - other[:, 3:]).mean(axis=1)
    assert (statistics.difference(gap, spoken).p < 0.05).mean() > 0.2
    assert (statistics.difference(gap, spoken, pair).p < 0.05).mean() < 0.08


def test_pulls_square_to_the_variance_of_the_jackknife():
    matrices = counts()
    pulls = jackknife.pulls(*metrics.tallies(matrices))
    assert np.sqrt((pulls**2).sum()) == pytest.approx(standard_error(uar, matrices))
    assert pulls.sum() == pytest.approx(0.0, abs=1e-12)
