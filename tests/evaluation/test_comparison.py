import itertools

import numpy as np
import pytest
from scipy.stats import nct, t

from ser import metrics
from ser.evaluation import comparison


def counts(rng, *, num_speakers=8, accuracy=0.6, per_class=10):
    """Confusion counts per speaker of a classifier that is right so often."""
    found = np.zeros((num_speakers, 4, 4))
    for speaker, truth in itertools.product(range(num_speakers), range(4)):
        hits = rng.binomial(per_class, accuracy)
        found[speaker, truth, truth] = hits
        found[speaker, truth, (truth + 1) % 4] = per_class - hits
    return found


def uar_of(matrices):
    return metrics.recalls(matrices.sum(axis=0)).mean()


def test_difference_is_that_of_the_pooled_uars():
    rng = np.random.default_rng(0)
    a, b = counts(rng, accuracy=0.7), counts(rng, accuracy=0.5)
    found = comparison.compare(a, b)
    assert found.uar_a == pytest.approx(uar_of(a))
    assert found.uar_b == pytest.approx(uar_of(b))
    assert found.difference == pytest.approx(uar_of(a) - uar_of(b))
    assert found.low < found.difference < found.high


def test_cell_against_itself_does_not_differ():
    a = counts(np.random.default_rng(2))
    found = comparison.compare(a, a)
    assert (found.difference, found.p) == (0.0, 1.0)
    assert np.isnan(found.effect_size)


def test_exchanging_the_cells_changes_the_sign_only():
    rng = np.random.default_rng(3)
    a, b = counts(rng, accuracy=0.7), counts(rng, accuracy=0.5)
    forth, back = comparison.compare(a, b), comparison.compare(b, a)
    assert forth.difference == pytest.approx(-back.difference)
    assert forth.effect_size == pytest.approx(-back.effect_size)
    assert forth.p == back.p
    assert (forth.low, forth.high) == pytest.approx((-back.high, -back.low))


def test_one_speaker_says_nothing_about_others():
    rng = np.random.default_rng(4)
    a, b = counts(rng, num_speakers=1), counts(rng, num_speakers=1)
    found = comparison.compare(a, b)
    assert found.p == 1.0
    assert np.isnan([found.low, found.high, found.standard_error]).all()


def test_cells_of_other_utterances_make_no_pair():
    rng = np.random.default_rng(5)
    with pytest.raises(ValueError, match="different utterances"):
        comparison.compare(counts(rng), counts(rng, per_class=11))
    silent = counts(rng)
    silent[:, 2] = 0
    with pytest.raises(ValueError, match=r"no utterance has class index \[2\]"):
        comparison.compare(silent, silent)


def test_power_is_that_of_the_t_distribution():
    error, num_speakers = 0.02, 10
    found = comparison.detectable_difference(error, num_speakers=num_speakers)
    # With this true difference the two-sided t test rejects about four times out of five.
    critical = t.ppf(0.975, num_speakers - 1)
    assert nct.sf(critical, num_speakers - 1, found / error) == pytest.approx(0.8, abs=0.02)


def test_holm_is_the_step_down_of_the_paper():
    p = np.array([0.01, 0.04, 0.03, 0.005])
    # Sorted .005 .01 .03 .04, times 4 3 2 1, never falling: .02 .03 .06 .06.
    np.testing.assert_allclose(comparison.holm(p), [0.03, 0.06, 0.06, 0.02])


@pytest.mark.parametrize("num_tests", [0, 1, 2, 7, 40])
def test_holm_rejects_at_every_level_what_the_paper_does(num_tests):
    # Some are equal, and the corrections of many are above 1.
    p = np.random.default_rng(num_tests).uniform(size=num_tests).round(2) ** 4
    corrected = comparison.holm(p)
    assert ((p <= corrected) & (corrected <= 1.0)).all()
    for level in (0.001, 0.01, 0.05, 0.1, 0.3, 0.999):
        rejected = set()
        # "Sequentially rejective": the smallest first, until one is above its share of the level.
        for step, number in enumerate(sorted(range(num_tests), key=p.__getitem__)):
            if p[number] * (num_tests - step) > level:
                break
            rejected.add(number)
        assert set(np.flatnonzero(corrected <= level)) == rejected


def test_every_pair_of_a_model_and_of_a_loss_stands_in_the_table_once():
    rng = np.random.default_rng(8)
    cells = {(m, loss): counts(rng) for m in ("lstm", "vggish") for loss in ("ce", "focal", "aam")}
    table = comparison.pairs_table(cells)
    assert list(table.columns) == list(comparison.COLUMNS)
    sizes = table["family"].value_counts().to_dict()
    assert sizes == {
        "losses of lstm": 3, "losses of vggish": 3,
        "models with ce": 1, "models with focal": 1, "models with aam": 1,
    }  # fmt: skip
    assert (table["p_holm"] >= table["p"] - 1e-12).all()
    assert (table["significant"] == (table["p_holm"] < 0.05)).all()
    assert set(table["num_speakers"]) == {8}
    assert set(table["num_utterances"]) == {8 * 4 * 10}
    one = comparison.pairs_table({("lstm", "ce"): counts(rng)})
    assert list(one.columns) == list(comparison.COLUMNS)
    assert one.empty


def test_seeds_that_disagree_widen_the_interval_and_seeds_that_agree_do_not():
    rng = np.random.default_rng(10)
    a, b = counts(rng, accuracy=0.7), counts(rng, accuracy=0.5)
    fixed = comparison.compare(a, b)
    agreeing = comparison.compare(np.stack([a, a]), np.stack([b, b]))
    assert agreeing == fixed
    worse = counts(rng, accuracy=0.5)
    apart = comparison.compare(np.stack([a, worse]), np.stack([b, b]))
    held = comparison.compare((a + worse) / 2, b)
    assert apart.difference == pytest.approx(held.difference)
    assert apart.standard_error > held.standard_error
    assert apart.p > held.p


def test_cells_may_have_been_trained_under_other_numbers_of_seeds():
    rng = np.random.default_rng(11)
    a, b = (np.stack([counts(rng, accuracy=0.6) for _ in range(n)]) for n in (3, 1))
    found = comparison.compare(a, b)
    assert found.difference == pytest.approx(uar_of(a.mean(axis=0)) - uar_of(b[0]))
    assert 0 < found.p <= 1
