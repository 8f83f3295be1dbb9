"""The best of many: its probability, who is not told apart from it, and the winner's optimism."""

import numpy as np
import pytest
import scipy.stats

from benchmarks import best as simulation
from benchmarks.simulated_speakers import Likeness, draw, shapes
from ser.evaluation import best, comparison, statistics
from ser.evaluation.jackknife import Seeds

LIKENESS = Likeness(shared=0.5, spread=0.3)


def matrices(hits, spoken):
    """Confusion counts whose mistakes all go to the next class."""
    rows = np.einsum("...k,kl->...kl", hits, np.eye(hits.shape[-1]))
    wrong = np.roll(np.eye(hits.shape[-1]), 1, axis=1)
    return rows + np.einsum("...k,kl->...kl", spoken - hits, wrong)


def cells(*gaps, shape="emodb", num_seeds=1, luck=0.0, seed=0, uar=0.75):
    """Counts of cells by name, the lower the gap the better."""
    repeated = tuple(gap for gap in gaps for _ in range(num_seeds))
    trials = draw(
        np.random.default_rng(seed), shapes()[shape], 1, uar=uar, gaps=repeated,
        likeness=LIKENESS, luck=luck,
    )  # fmt: skip
    hits = trials.hits[:, 0].reshape(len(gaps), num_seeds, *trials.hits.shape[2:])
    return {("m", str(n)): matrices(one, trials.spoken[0]) for n, one in enumerate(hits)}


def uar_of(counts):
    hits, spoken = statistics.tallies_by_seed(counts)
    return (hits.mean(axis=0).sum(axis=0) / spoken.sum(axis=0)).mean()


def test_one_cell_is_the_best_for_certain_and_not_too_high():
    (found,) = best.judge(cells(0.0)).values()
    assert (found.probability, found.p_corrected, found.optimism) == (1.0, 1.0, 0.0)
    assert np.isnan(found.p)
    assert not found.is_told_apart


def test_cells_that_decide_alike_share_the_probability_and_are_not_told_apart():
    counts = next(iter(cells(0.0).values()))
    found = best.judge({("m", str(n)): counts for n in range(4)})
    for one in found.values():
        assert one.probability == pytest.approx(0.25)
        assert one.p_corrected > 0.5
    first, *others = found.values()
    assert first.optimism == 0.0
    assert [one.p for one in others] == [1.0] * 3


def test_a_clear_winner_is_told_apart_from_all_and_loses_nothing():
    found = best.judge(cells(0.0, 3.0, 3.1, 3.2))
    first, *others = found.values()
    assert first.probability > 0.999
    assert not first.is_told_apart
    assert all(one.is_told_apart and one.p < 0.001 for one in others)
    assert first.optimism == 0.0


def test_cells_that_are_alike_share_the_chance_and_the_winner_is_too_high():
    counts = cells(*[0.0] * 12, seed=3)
    found = best.judge(counts)
    winner = max(counts, key=lambda cell: uar_of(counts[cell]))
    assert found[winner].probability == max(one.probability for one in found.values()) < 0.8
    assert sum(one.probability for one in found.values()) == pytest.approx(1.0)
    assert 0.01 < found[winner].optimism < 0.1
    assert np.isnan([one.optimism for cell, one in found.items() if cell != winner]).all()
    assert sum(not one.is_told_apart for one in found.values()) >= 10


def test_of_two_cells_p_is_that_of_the_one_sided_paired_test():
    counts = cells(0.0, 0.4, seed=1)
    pair = comparison.compare(*counts.values())
    found = best.judge(counts, num_draws=20_000)
    worse = found["m", "1"]
    assert worse.p == pytest.approx(pair.p)
    t = pair.difference / pair.standard_error
    assert worse.p_corrected == pytest.approx(scipy.stats.t.sf(t, 9), abs=0.005)
    assert found["m", "0"].probability == pytest.approx(scipy.stats.t.cdf(t, 9), abs=0.008)


def test_the_same_seed_gives_the_same_numbers_and_order_of_the_cells_does_not_matter_much():
    counts = cells(0.0, 0.2, 0.4)
    once, again = best.judge(counts), best.judge(counts)
    assert str(once) == str(again)
    turned = best.judge(dict(reversed(counts.items())))
    for cell, one in once.items():
        assert turned[cell].p_corrected == pytest.approx(one.p_corrected, abs=0.03)
        assert turned[cell].probability == pytest.approx(one.probability, abs=0.03)


def test_with_one_speaker_nothing_is_known():
    counts = {cell: one[:, :1] + 1.0 for cell, one in cells(0.0, 3.0, shape="iemocap").items()}
    counts["m", "1"][:] = counts["m", "0"] * np.ones((4, 4))
    counts["m", "1"] = np.roll(counts["m", "0"], 1, axis=3)
    for one in best.judge(counts).values():
        assert np.isnan(one.probability)
        assert one.p_corrected == 1.0
        assert not one.is_told_apart


def test_a_class_of_a_single_speaker_leaves_the_correction_unknown_and_tells_nothing_apart():
    counts = {}
    for cell, one in cells(0.0, 3.0).items():
        one[:, 1:, 3] = 0.0
        counts[cell] = one
    found = best.judge(counts)
    assert np.isnan(found["m", "0"].optimism)
    assert not found["m", "1"].is_told_apart


def test_seeds_that_disagree_make_it_less_sure_which_is_best():
    counts = cells(0.0, 0.8, num_seeds=3, luck=0.6, seed=5)
    held = {cell: one.mean(axis=0, keepdims=True) for cell, one in counts.items()}
    surely, less = best.judge(held), best.judge(counts)
    assert less["m", "1"].p_corrected > surely["m", "1"].p_corrected
    assert less["m", "1"].p > surely["m", "1"].p


def test_a_cell_may_lack_seeds_that_others_have():
    counts = cells(0.0, 0.5, 1.0, num_seeds=3, luck=0.2)
    counts["m", "1"] = counts["m", "1"][:1]
    found = best.judge(counts)
    assert sum(one.probability for one in found.values()) == pytest.approx(1.0)
    assert all(0 < one.p_corrected <= 1 for one in found.values())


def test_cells_of_other_utterances_are_no_contest():
    counts = cells(0.0, 0.5)
    counts["m", "1"] = counts["m", "1"] + np.eye(4)
    with pytest.raises(ValueError, match="different utterances"):
        best.judge(counts)


def test_the_truly_best_cell_is_kept_as_often_as_is_said():
    trials = draw(
        np.random.default_rng(8), shapes()["emodb"], 250, uar=0.75, gaps=(0.0,) * 8,
        likeness=LIKENESS,
    )  # fmt: skip
    rng = np.random.default_rng(9)
    none = Seeds(np.zeros(8), np.ones(8))
    p = [
        best.corrected_p(best.contest_of(trials.hits[:, n], trials.spoken[n], none), rng, 199)
        for n in range(250)
    ]
    # All eight are the best: each is lost in 5 % of trials; 250 dependent eights, +- 3 points.
    assert 0.92 <= (np.array(p) >= 0.05).mean() <= 0.98


def test_the_winner_of_equals_is_too_high_as_it_is_and_hardly_when_corrected():
    rows = list(simulation.of_many(shapes()["emodb"], 0.75, "all alike", 16))
    off = {
        method: np.mean([row["off"] for row in rows if row.get("method") == method])
        for method in ("as it is", simulation.CHOSEN_OPTIMISM)
    }
    assert off["as it is"] > 0.03
    assert abs(off[simulation.CHOSEN_OPTIMISM]) < 0.7 * off["as it is"]


def test_covariances_of_many_speakers_are_drawn_as_those_of_each():
    rng = np.random.default_rng(0)
    num_speakers, num_draws = 20, 4000
    pulls = rng.normal(size=(num_speakers, 3)) @ np.array([[1, 0.5, 0], [0, 1, 0], [0, 0, 2.0]])
    pulls[:, 2] = pulls[:, 1]  # two cells that decide alike
    seen, degrees = pulls.T @ pulls, num_speakers - 1
    variance = (seen**2 + np.outer(np.diag(seen), np.diag(seen))) / degrees
    for most in (0, num_speakers):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(best, "_MOST_DRAWN_EACH", most)
            drawn = best._drawn_covariance(pulls, np.random.default_rng(1), num_draws)
        error = np.sqrt(variance / num_draws)
        assert (np.abs(drawn.mean(axis=0) - seen) < 5 * error).all()
        np.testing.assert_allclose(drawn.var(axis=0), variance, rtol=0.25)
        np.testing.assert_allclose(drawn[:, 1, 1], drawn[:, 2, 2])


def test_with_two_cells_and_many_speakers_p_is_that_of_the_one_sided_t_test():
    rng = np.random.default_rng(3)
    spoken = np.full((1000, 4), 5.0)
    hits = [rng.binomial(5, share, size=(1, 1000, 4)).astype(float) for share in (0.51, 0.5)]
    counts = {("m", str(n)): matrices(one, spoken) for n, one in enumerate(hits)}
    two_sided = comparison.compare(*counts.values()).p
    found = [one.p_corrected for one in best.judge(counts).values()]
    assert min(found) == pytest.approx(two_sided / 2, abs=4 * np.sqrt(0.25 / best.NUM_DRAWS))
